// B = alpha·Aᵀ·B, where A is lower triangular with ones on its diagonal.

#include "polybench.h"

enum { N = 256 };

static double a[N][N], b[N][N], b_start[N][N];

void workload_setup(bool small) {
    n = small ? 128 : N;
    FILL(a), FILL(b_start);
}

uint64_t workload_kernel(void) {
    const double alpha = 1.5;
    COPY(b, b_start);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            for (int k = i + 1; k < n; k++) b[i][j] += a[k][i] * b[k][j];
            b[i][j] *= alpha;
        }
    }
    return SUM(b);
}
