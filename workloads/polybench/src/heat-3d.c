// Heat in a cube: a stencil of seven points, from one cube to another and back.

#include "polybench.h"

enum { N = 44, STEPS = 36 };

static double a[N][N][N], b[N][N][N], start[N][N][N];

void workload_setup(bool small) {
    n = small ? 24 : N;
    FILL(start);
}

static void step(double (*to)[N][N], double (*from)[N][N]) {
    for (int i = 1; i < n - 1; i++)
        for (int j = 1; j < n - 1; j++)
            for (int k = 1; k < n - 1; k++)
                to[i][j][k] = 0.125 * (from[i + 1][j][k] - 2 * from[i][j][k] + from[i - 1][j][k]) +
                              0.125 * (from[i][j + 1][k] - 2 * from[i][j][k] + from[i][j - 1][k]) +
                              0.125 * (from[i][j][k + 1] - 2 * from[i][j][k] + from[i][j][k - 1]) + from[i][j][k];
}

uint64_t workload_kernel(void) {
    COPY(a, start), COPY(b, start);
    for (int t = 0; t < STEPS; t++) {
        step(b, a);
        step(a, b);
    }
    uint64_t sum = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) sum = sum_of(sum, a[i][j], (size_t)n);
    return sum;
}
