// Electromagnetic waves in a plane by finite differences in time.

#include "polybench.h"

enum { N = 208, STEPS = 72 };

static double ex[N][N], ey[N][N], hz[N][N], ex_start[N][N], ey_start[N][N], hz_start[N][N];

void workload_setup(bool small) {
    n = small ? 80 : N;
    FILL(ex_start), FILL(ey_start), FILL(hz_start);
}

uint64_t workload_kernel(void) {
    COPY(ex, ex_start), COPY(ey, ey_start), COPY(hz, hz_start);
    for (int t = 0; t < STEPS; t++) {
        for (int j = 0; j < n; j++) ey[0][j] = t;
        for (int i = 1; i < n; i++)
            for (int j = 0; j < n; j++) ey[i][j] -= 0.5 * (hz[i][j] - hz[i - 1][j]);
        for (int i = 0; i < n; i++)
            for (int j = 1; j < n; j++) ex[i][j] -= 0.5 * (hz[i][j] - hz[i][j - 1]);
        for (int i = 0; i < n - 1; i++)
            for (int j = 0; j < n - 1; j++)
                hz[i][j] -= 0.7 * (ex[i][j + 1] - ex[i][j] + ey[i + 1][j] - ey[i][j]);
    }
    return SUM(hz);
}
