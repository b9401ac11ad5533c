// D = alpha·A·B·C + beta·D, as two matrix products.

#include "polybench.h"

enum { N = 192 };

static double a[N][N], b[N][N], c[N][N], d[N][N], d_start[N][N], product[N][N];

void workload_setup(bool small) {
    n = small ? 112 : N;
    FILL(a), FILL(b), FILL(c), FILL(d_start);
}

uint64_t workload_kernel(void) {
    const double alpha = 1.5, beta = 1.2;
    COPY(d, d_start);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            product[i][j] = 0;
            for (int k = 0; k < n; k++) product[i][j] += alpha * a[i][k] * b[k][j];
        }
    }
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            d[i][j] *= beta;
            for (int k = 0; k < n; k++) d[i][j] += product[i][k] * c[k][j];
        }
    }
    return SUM(d);
}
