//@ flags: -msimd128
// Vector kernels on f32x4 and f64x2, in the compiler's portable vector types: a matrix product in
// registers of 4x8, a Mandelbrot set two points at a time with masks, particle integration with
// reciprocal square roots, and a polynomial exponential with conversions between float and integer.

#include "bench.h"
#include <math.h>

typedef float f32x4 __attribute__((vector_size(16)));
typedef int32_t i32x4 __attribute__((vector_size(16)));
typedef double f64x2 __attribute__((vector_size(16)));
typedef int64_t i64x2 __attribute__((vector_size(16)));

enum { N_MAX = 320, PARTICLES_MAX = 4096 };

static float a[N_MAX * N_MAX], b[N_MAX * N_MAX], c[N_MAX * N_MAX];
static f32x4 position[3][PARTICLES_MAX / 4], speed[3][PARTICLES_MAX / 4];
static int n, size, steps;
static uint64_t inside;

static f32x4 load(const float *p) {
    f32x4 v;
    memcpy(&v, p, sizeof v);
    return v;
}

static void store(float *p, f32x4 v) { memcpy(p, &v, sizeof v); }

static void multiply(void) {
    for (int i = 0; i < n; i += 4) {
        for (int j = 0; j < n; j += 8) {
            f32x4 sum[4][2] = {0};
            for (int k = 0; k < n; k++) {
                f32x4 b0 = load(&b[k * n + j]), b1 = load(&b[k * n + j + 4]);
                for (int r = 0; r < 4; r++) {
                    float f = a[(i + r) * n + k];
                    sum[r][0] += f * b0;
                    sum[r][1] += f * b1;
                }
            }
            for (int r = 0; r < 4; r++) {
                store(&c[(i + r) * n + j], sum[r][0]);
                store(&c[(i + r) * n + j + 4], sum[r][1]);
            }
        }
    }
}

static uint64_t mandelbrot(void) {
    uint64_t sum = 0;
    inside = 0;
    for (int row = 0; row < size; row++) {
        double cy = 2.4 * row / size - 1.2;
        for (int column = 0; column < size; column += 2) {
            f64x2 cx = {3.0 * column / size - 2.1, 3.0 * (column + 1) / size - 2.1};
            f64x2 x = {0}, y = {0};
            i64x2 count = {0};
            for (int i = 0; i < 64; i++) {
                f64x2 xx = x * x, yy = y * y;
                i64x2 alive = xx + yy <= 4.0;
                if ((alive[0] | alive[1]) == 0) break;
                count -= alive;
                y = 2 * x * y + cy;
                x = xx - yy + cx;
            }
            inside += (uint64_t)((count[0] == 64) + (count[1] == 64));
            sum = sum * 31 + (uint64_t)(count[0] << 8 ^ count[1]);
        }
    }
    return sum;
}

static f32x4 square_root(f32x4 v) { return (f32x4){sqrtf(v[0]), sqrtf(v[1]), sqrtf(v[2]), sqrtf(v[3])}; }

// Particles fall towards the origin, softened near it.
static void integrate(void) {
    const float dt = 0.01f;
    for (int step = 0; step < steps; step++) {
        for (int i = 0; i < PARTICLES_MAX / 4; i++) {
            f32x4 x = position[0][i], y = position[1][i], z = position[2][i];
            f32x4 d2 = x * x + y * y + z * z + 0.1f;
            f32x4 pull = -dt / (d2 * square_root(d2));
            speed[0][i] += x * pull, speed[1][i] += y * pull, speed[2][i] += z * pull;
            position[0][i] = x + dt * speed[0][i];
            position[1][i] = y + dt * speed[1][i];
            position[2][i] = z + dt * speed[2][i];
        }
    }
}

// e^x for |x| < 80: split off the power of two, then a polynomial on the remainder.
static f32x4 exponential(f32x4 x) {
    i32x4 power = __builtin_convertvector(x * 1.442695f + 127.5f, i32x4);
    f32x4 r = x - __builtin_convertvector(power - 127, f32x4) * 0.6931472f;
    f32x4 p = 1 + r * (1 + r * (0.5f + r * (0.16666667f + r * (0.04166667f + r * 0.00833333f))));
    union { i32x4 i; f32x4 f; } scale = {power << 23};
    return p * scale.f;
}

void workload_setup(bool small) {
    n = small ? 96 : N_MAX;
    size = small ? 96 : 800;
    steps = small ? 12 : 1300;
    for (int i = 0; i < n * n; i++) a[i] = (float)rng_f64() - 0.5f, b[i] = (float)rng_f64() - 0.5f;
}

uint64_t workload_kernel(void) {
    rng_seed(13);
    for (int axis = 0; axis < 3; axis++) {
        for (int i = 0; i < PARTICLES_MAX / 4; i++) {
            for (int lane = 0; lane < 4; lane++) position[axis][i][lane] = (float)rng_f64() * 2 - 1;
            speed[axis][i] = (f32x4){0};
        }
    }
    multiply();
    integrate();
    uint64_t sum = mandelbrot();
    f32x4 total = {0};
    for (int i = 0; i < n * n; i += 4) total += exponential(load(&c[i]) * 0.5f);
    for (int i = 0; i < PARTICLES_MAX / 4; i++) total += position[0][i] * position[1][i] - speed[2][i];
    for (int lane = 0; lane < 4; lane++) sum = mix_f64(sum, total[lane]);
    return mix(sum, inside);
}

void workload_report(void) {
    out_field("inside", inside);
    out_field_f64("c[7]", c[7]);
}
