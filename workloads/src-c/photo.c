// An image pipeline on RGB pictures, scalar: a procedural photograph, separable Gaussian blur in fixed
// point, unsharp masking, Sobel edges, bilinear resizing, histogram equalisation and ordered
// dithering down to a palette.

#include "bench.h"

enum { W_MAX = 896, H_MAX = 640 };

typedef struct { uint8_t r, g, b; } pixel_t;

static pixel_t photo[H_MAX][W_MAX], temporary[H_MAX][W_MAX], soft[H_MAX][W_MAX], sharp[H_MAX][W_MAX];
static pixel_t thumbnail[H_MAX / 2][W_MAX / 2];
static uint8_t edges[H_MAX][W_MAX], palette[H_MAX / 2][W_MAX / 2];
static int w, h;
static uint64_t edge_total;
static uint32_t histogram[256];

static int clamp(int v, int low, int high) { return v < low ? low : v > high ? high : v; }
static uint8_t byte(int v) { return (uint8_t)clamp(v, 0, 255); }
static int luma(pixel_t p) { return (77 * p.r + 150 * p.g + 29 * p.b) >> 8; }

// Weights of a radius-4 Gaussian in 1/65536.
static const int KERNEL[9] = {1829, 4427, 8197, 11618, 13394, 11618, 8197, 4427, 1829};

static pixel_t convolve(const pixel_t *centre, int before, int after, ptrdiff_t stride) {
    int r = 32768, g = 32768, b = 32768;
    for (int k = -4; k <= 4; k++) {
        const pixel_t *p = centre + clamp(k, -before, after) * stride;
        r += KERNEL[k + 4] * p->r, g += KERNEL[k + 4] * p->g, b += KERNEL[k + 4] * p->b;
    }
    return (pixel_t){(uint8_t)(r >> 16), (uint8_t)(g >> 16), (uint8_t)(b >> 16)};
}

static void blur(void) {
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) temporary[y][x] = convolve(&photo[y][x], x, w - 1 - x, 1);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) soft[y][x] = convolve(&temporary[y][x], y, h - 1 - y, W_MAX);
}

static void sharpen(void) {
    for (int y = 0; y < h; y++) {
        for (int x = 0; x < w; x++) {
            pixel_t p = photo[y][x], s = soft[y][x];
            sharp[y][x] = (pixel_t){byte(p.r + (p.r - s.r) * 3 / 4), byte(p.g + (p.g - s.g) * 3 / 4), byte(p.b + (p.b - s.b) * 3 / 4)};
        }
    }
}

static void sobel(void) {
    edge_total = 0;
    for (int y = 1; y + 1 < h; y++) {
        for (int x = 1; x + 1 < w; x++) {
            int l[3][3];
            for (int dy = 0; dy < 3; dy++)
                for (int dx = 0; dx < 3; dx++) l[dy][dx] = luma(sharp[y + dy - 1][x + dx - 1]);
            int gx = l[0][2] + 2 * l[1][2] + l[2][2] - l[0][0] - 2 * l[1][0] - l[2][0];
            int gy = l[2][0] + 2 * l[2][1] + l[2][2] - l[0][0] - 2 * l[0][1] - l[0][2];
            gx = gx < 0 ? -gx : gx, gy = gy < 0 ? -gy : gy;
            // Longer plus three eighths of the shorter: the length within seven percent.
            int magnitude = gx > gy ? gx + 3 * gy / 8 : gy + 3 * gx / 8;
            edges[y][x] = byte(magnitude);
            edge_total += edges[y][x];
        }
    }
}

static int between(int a, int b, int fraction) { return a + ((b - a) * fraction >> 8); }

static void resize(int to_w, int to_h) {
    for (int y = 0; y < to_h; y++) {
        int sy = y * (h - 1) * 256 / to_h, fy = sy & 255;
        const pixel_t *row0 = sharp[sy >> 8], *row1 = sharp[(sy >> 8) + 1];
        for (int x = 0; x < to_w; x++) {
            int sx = x * (w - 1) * 256 / to_w, fx = sx & 255;
            const pixel_t *p = row0 + (sx >> 8), *q = row1 + (sx >> 8);
            thumbnail[y][x] = (pixel_t){
                (uint8_t)between(between(p[0].r, p[1].r, fx), between(q[0].r, q[1].r, fx), fy),
                (uint8_t)between(between(p[0].g, p[1].g, fx), between(q[0].g, q[1].g, fx), fy),
                (uint8_t)between(between(p[0].b, p[1].b, fx), between(q[0].b, q[1].b, fx), fy)};
        }
    }
}

static void equalise(int to_w, int to_h) {
    memset(histogram, 0, sizeof histogram);
    for (int y = 0; y < to_h; y++)
        for (int x = 0; x < to_w; x++) histogram[luma(thumbnail[y][x])]++;
    uint8_t map[256];
    uint32_t below = 0, total = (uint32_t)(to_w * to_h);
    for (int v = 0; v < 256; v++) {
        below += histogram[v];
        map[v] = (uint8_t)((uint64_t)below * 255 / total);
    }
    for (int y = 0; y < to_h; y++) {
        for (int x = 0; x < to_w; x++) {
            pixel_t *p = &thumbnail[y][x];
            int from = luma(*p), to = map[from];
            *p = from == 0 ? (pixel_t){0, 0, 0} : (pixel_t){byte(p->r * to / from), byte(p->g * to / from), byte(p->b * to / from)};
        }
    }
}

// To 6 x 6 x 6 colours, against a 4 x 4 matrix of thresholds.
static void dither(int to_w, int to_h) {
    static const uint8_t bayer[4][4] = {{0, 8, 2, 10}, {12, 4, 14, 6}, {3, 11, 1, 9}, {15, 7, 13, 5}};
    for (int y = 0; y < to_h; y++) {
        for (int x = 0; x < to_w; x++) {
            int threshold = bayer[y & 3][x & 3] * 51 / 16;
            pixel_t p = thumbnail[y][x];
            int r = (p.r + threshold) / 51, g = (p.g + threshold) / 51, b = (p.b + threshold) / 51;
            palette[y][x] = (uint8_t)(clamp(r, 0, 5) * 36 + clamp(g, 0, 5) * 6 + clamp(b, 0, 5));
        }
    }
}

void workload_setup(bool small) {
    w = small ? 128 : W_MAX;
    h = small ? 96 : H_MAX;
    for (int y = 0; y < h; y++) {
        for (int x = 0; x < w; x++) {
            int dx = x - w / 2, dy = y - h / 3, sun = 40000 / (dx * dx + dy * dy + 200);
            int noise = (int)rng_below(24);
            photo[y][x] = (pixel_t){byte(y * 160 / h + sun + noise), byte(90 + x * 60 / w + sun + noise), byte(200 - y * 150 / h + noise)};
            if ((x / 23 + y / 17) % 5 == 0) photo[y][x].g /= 2;
        }
    }
}

uint64_t workload_kernel(void) {
    int to_w = w / 2, to_h = h / 2;
    blur();
    sharpen();
    sobel();
    resize(to_w, to_h);
    equalise(to_w, to_h);
    dither(to_w, to_h);
    uint64_t sum = edge_total;
    for (int y = 0; y < to_h; y++) sum = mix_bytes(sum, palette[y], (size_t)to_w);
    return sum;
}

void workload_report(void) {
    out_field("edges", edge_total);
    out_field("middle colour", palette[h / 4][w / 4]);
}
