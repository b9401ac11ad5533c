// A = L·U without pivoting, in place.

#include "polybench.h"

enum { N = 256 };

static double a[N][N], start[N][N];

void workload_setup(bool small) {
    n = small ? 136 : N;
    FILL(start);
    for (int i = 0; i < N; i++) start[i][i] = N;
}

uint64_t workload_kernel(void) {
    COPY(a, start);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < i; j++) {
            for (int k = 0; k < j; k++) a[i][j] -= a[i][k] * a[k][j];
            a[i][j] /= a[j][j];
        }
        for (int j = i; j < n; j++)
            for (int k = 0; k < i; k++) a[i][j] -= a[i][k] * a[k][j];
    }
    return SUM(a);
}
