// A stencil of three points on a line, from one array to another and back.

#include "polybench.h"

enum { N = 4000, STEPS = 1500 };

static double a[N], b[N], start[N];

void workload_setup(bool small) {
    n = small ? 1000 : N;
    FILL(start);
}

uint64_t workload_kernel(void) {
    COPY(a, start), COPY(b, start);
    for (int t = 0; t < STEPS; t++) {
        for (int i = 1; i < n - 1; i++) b[i] = 0.33333 * (a[i - 1] + a[i] + a[i + 1]);
        for (int i = 1; i < n - 1; i++) a[i] = 0.33333 * (b[i - 1] + b[i] + b[i + 1]);
    }
    return sum_of(0, a, (size_t)n);
}
