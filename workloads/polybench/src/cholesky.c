// A = L·Lᵀ of a symmetric positive definite matrix, in place.

#include "polybench.h"
#include <math.h>

enum { N = 400 };

static double a[N][N], start[N][N];

void workload_setup(bool small) {
    n = small ? 200 : N;
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < i; j++) start[i][j] = start[j][i] = rng_f64();
        start[i][i] = N;
    }
}

uint64_t workload_kernel(void) {
    COPY(a, start);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < i; j++) {
            for (int k = 0; k < j; k++) a[i][j] -= a[i][k] * a[j][k];
            a[i][j] /= a[j][j];
        }
        for (int k = 0; k < i; k++) a[i][i] -= a[i][k] * a[i][k];
        a[i][i] = sqrt(a[i][i]);
    }
    return SUM(a);
}
