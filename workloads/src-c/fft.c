// A complex fast Fourier transform, radix 2, in place, with a table of roots; the kernel multiplies
// two large polynomials with it and checks the product at a few points exactly.

#include "bench.h"
#include <math.h>

enum { POINTS_MAX = 1 << 18 };

typedef struct { double re, im; } complex_t;

static complex_t a[POINTS_MAX], b[POINTS_MAX], roots[POINTS_MAX / 2];
static int32_t p[POINTS_MAX / 2], q[POINTS_MAX / 2];
static int64_t product[POINTS_MAX];
static uint32_t points, log_points;
static double worst;

static complex_t times(complex_t x, complex_t y) {
    return (complex_t){x.re * y.re - x.im * y.im, x.re * y.im + x.im * y.re};
}

static void permute(complex_t *data) {
    for (uint32_t i = 0, j = 0; i < points; i++) {
        if (i < j) {
            complex_t t = data[i];
            data[i] = data[j];
            data[j] = t;
        }
        // Adds one to j from its highest bit down.
        uint32_t bit = points >> 1;
        for (; j & bit; bit >>= 1) j ^= bit;
        j |= bit;
    }
}

static void transform(complex_t *data, bool inverse) {
    permute(data);
    for (uint32_t half = 1; half < points; half *= 2) {
        uint32_t stride = points / 2 / half;
        for (uint32_t base = 0; base < points; base += 2 * half) {
            for (uint32_t k = 0; k < half; k++) {
                complex_t root = roots[k * stride];
                if (inverse) root.im = -root.im;
                complex_t odd = times(data[base + half + k], root), even = data[base + k];
                data[base + k] = (complex_t){even.re + odd.re, even.im + odd.im};
                data[base + half + k] = (complex_t){even.re - odd.re, even.im - odd.im};
            }
        }
    }
}

void workload_setup(bool small) {
    log_points = small ? 13 : 18;
    points = 1u << log_points;
    for (uint32_t k = 0; k < points / 2; k++) {
        double angle = 2 * 3.14159265358979323846 * k / points;
        roots[k] = (complex_t){cos(angle), sin(angle)};
    }
    for (uint32_t i = 0; i < points / 2; i++) {
        p[i] = (int32_t)rng_below(201) - 100;
        q[i] = (int32_t)rng_below(201) - 100;
    }
}

uint64_t workload_kernel(void) {
    for (uint32_t i = 0; i < points; i++) {
        bool has = i < points / 2;
        a[i] = (complex_t){has ? p[i] : 0, 0};
        b[i] = (complex_t){has ? q[i] : 0, 0};
    }
    transform(a, false);
    transform(b, false);
    for (uint32_t i = 0; i < points; i++) a[i] = times(a[i], b[i]);
    transform(a, true);
    worst = 0;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < points; i++) {
        double value = a[i].re / points, whole = floor(value + 0.5);
        double error = fabs(value - whole);
        if (error > worst) worst = error;
        product[i] = (int64_t)whole;
        sum = mix(sum, (uint64_t)product[i]);
    }
    for (uint32_t at = 0; at < points; at += points / 8) {
        int64_t exact = 0;
        for (uint32_t i = 0; i <= at; i++)
            if (i < points / 2 && at - i < points / 2) exact += (int64_t)p[i] * q[at - i];
        if (exact != product[at]) return 0;
    }
    return sum;
}

void workload_report(void) {
    out_field("points", points);
    out_field("exact to a tenth", worst < 0.1);
}
