// C = alpha·A·B + beta·C, where A is symmetric and only its lower half is read.

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
        for (int j = 0; j < n; j++) {
            double above = 0;
            for (int k = 0; k < i; k++) {
                c[k][j] += alpha * b[i][j] * a[i][k];
                above += b[k][j] * a[i][k];
            }
            c[i][j] = beta * c[i][j] + alpha * b[i][j] * a[i][i] + alpha * above;
        }
    }
    return SUM(c);
}
