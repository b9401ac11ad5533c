// A = Q·R by the modified Gram–Schmidt process, column by column.

#include "polybench.h"
#include <math.h>

enum { N = 200 };

static double a[N][N], start[N][N], q[N][N], r[N][N];

void workload_setup(bool small) {
    n = small ? 104 : N;
    FILL(start);
}

uint64_t workload_kernel(void) {
    COPY(a, start);
    for (int k = 0; k < n; k++) {
        double norm = 0;
        for (int i = 0; i < n; i++) norm += a[i][k] * a[i][k];
        r[k][k] = sqrt(norm);
        for (int i = 0; i < n; i++) q[i][k] = a[i][k] / r[k][k];
        for (int j = k + 1; j < n; j++) {
            r[k][j] = 0;
            for (int i = 0; i < n; i++) r[k][j] += q[i][k] * a[i][j];
            for (int i = 0; i < n; i++) a[i][j] -= q[i][k] * r[k][j];
        }
    }
    return SUM(q) ^ SUM(r);
}
