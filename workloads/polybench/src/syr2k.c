// C = alpha·A·Bᵀ + alpha·B·Aᵀ + beta·C, of which the lower half is computed.

#include "polybench.h"

enum { N = 224 };

static double a[N][N], b[N][N], c[N][N], c_start[N][N];

void workload_setup(bool small) {
    n = small ? 120 : N;
    FILL(a), FILL(b), FILL(c_start);
}

uint64_t workload_kernel(void) {
    const double alpha = 1.5, beta = 1.2;
    COPY(c, c_start);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++) c[i][j] *= beta;
        for (int k = 0; k < n; k++)
            for (int j = 0; j <= i; j++) c[i][j] += a[j][k] * alpha * b[i][k] + b[j][k] * alpha * a[i][k];
    }
    return SUM(c);
}
