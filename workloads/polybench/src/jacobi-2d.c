// A stencil of five points in a plane, from one array to another and back.

#include "polybench.h"

enum { N = 200, STEPS = 120 };

static double a[N][N], b[N][N], start[N][N];

void workload_setup(bool small) {
    n = small ? 96 : N;
    FILL(start);
}

static void step(double (*to)[N], double (*from)[N]) {
    for (int i = 1; i < n - 1; i++)
        for (int j = 1; j < n - 1; j++)
            to[i][j] = 0.2 * (from[i][j] + from[i][j - 1] + from[i][j + 1] + from[i + 1][j] + from[i - 1][j]);
}

uint64_t workload_kernel(void) {
    COPY(a, start), COPY(b, start);
    for (int t = 0; t < STEPS; t++) {
        step(b, a);
        step(a, b);
    }
    return SUM(a);
}
