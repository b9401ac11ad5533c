// A·x = b by decomposition into L·U, with sums in registers, and two substitutions.

#include "polybench.h"

enum { N = 256 };

static double a[N][N], start[N][N], b[N], x[N], y[N];

void workload_setup(bool small) {
    n = small ? 136 : N;
    FILL(start), FILL(b);
    for (int i = 0; i < N; i++) start[i][i] = N;
}

uint64_t workload_kernel(void) {
    COPY(a, start);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < i; j++) {
            double w = a[i][j];
            for (int k = 0; k < j; k++) w -= a[i][k] * a[k][j];
            a[i][j] = w / a[j][j];
        }
        for (int j = i; j < n; j++) {
            double w = a[i][j];
            for (int k = 0; k < i; k++) w -= a[i][k] * a[k][j];
            a[i][j] = w;
        }
    }
    for (int i = 0; i < n; i++) {
        double w = b[i];
        for (int j = 0; j < i; j++) w -= a[i][j] * y[j];
        y[i] = w;
    }
    for (int i = n - 1; i >= 0; i--) {
        double w = y[i];
        for (int j = i + 1; j < n; j++) w -= a[i][j] * x[j];
        x[i] = w / a[i][i];
    }
    return sum_of(0, x, (size_t)n);
}
