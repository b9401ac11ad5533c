// C = alpha·A·Aᵀ + beta·C, of which the lower half is computed.

#include "polybench.h"

enum { N = 288 };

static double a[N][N], c[N][N], c_start[N][N];

void workload_setup(bool small) {
    n = small ? 160 : N;
    FILL(a), FILL(c_start);
}

uint64_t workload_kernel(void) {
    const double alpha = 1.5, beta = 1.2;
    COPY(c, c_start);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++) c[i][j] *= beta;
        for (int k = 0; k < n; k++)
            for (int j = 0; j <= i; j++) c[i][j] += alpha * a[i][k] * a[j][k];
    }
    return SUM(c);
}
