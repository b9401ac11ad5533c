// The Mandelbrot set with smooth-free escape counting: a tight loop of double-precision multiplies
// whose trip count differs from pixel to pixel.

#include "bench.h"

static int width, height, limit;
static uint64_t inside;

void workload_setup(bool small) {
    width = small ? 128 : 720;
    height = small ? 80 : 480;
    limit = small ? 60 : 130;
}

static int escape_count(double cx, double cy) {
    double x = 0, y = 0, xx = 0, yy = 0;
    int n = 0;
    while (n < limit && xx + yy <= 4) {
        y = 2 * x * y + cy;
        x = xx - yy + cx;
        xx = x * x;
        yy = y * y;
        n++;
    }
    return n;
}

uint64_t workload_kernel(void) {
    uint64_t sum = 0;
    inside = 0;
    for (int row = 0; row < height; row++) {
        uint64_t line = 0;
        for (int column = 0; column < width; column++) {
            int n = escape_count(3.0 * column / width - 2.1, 2.4 * row / height - 1.2);
            inside += n == limit;
            line = line * 31 + (uint64_t)n;
        }
        sum = mix(sum, line);
    }
    return sum;
}

void workload_report(void) { out_field("inside", inside); }
