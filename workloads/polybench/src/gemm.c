// C = alpha·A·B + beta·C.

#include "polybench.h"

enum { N = 256 };

static double a[N][N], b[N][N], c[N][N], c_start[N][N];

void workload_setup(bool small) {
    n = small ? 136 : N;
    FILL(a), FILL(b), FILL(c_start);
}

uint64_t workload_kernel(void) {
    const double alpha = 1.5, beta = 1.2;
    COPY(c, c_start);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) c[i][j] *= beta;
        for (int k = 0; k < n; k++)
            for (int j = 0; j < n; j++) c[i][j] += alpha * a[i][k] * b[k][j];
    }
    return SUM(c);
}
