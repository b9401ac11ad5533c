// A stencil of nine points in a plane, in place: each point waits for the one before.

#include "polybench.h"

enum { N = 192, STEPS = 32 };

static double a[N][N], start[N][N];

void workload_setup(bool small) {
    n = small ? 96 : N;
    FILL(start);
}

uint64_t workload_kernel(void) {
    COPY(a, start);
    for (int t = 0; t < STEPS; t++)
        for (int i = 1; i < n - 1; i++)
            for (int j = 1; j < n - 1; j++)
                a[i][j] = (a[i - 1][j - 1] + a[i - 1][j] + a[i - 1][j + 1] + a[i][j - 1] + a[i][j] + a[i][j + 1] +
                           a[i + 1][j - 1] + a[i + 1][j] + a[i + 1][j + 1]) /
                          9.0;
    return SUM(a);
}
