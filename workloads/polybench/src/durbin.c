// Levinson–Durbin recursion for a Toeplitz system of Yule–Walker equations.

#include "polybench.h"

enum { N = 3200 };

static double r[N], y[N], z[N];

void workload_setup(bool small) {
    n = small ? 1320 : N;
    // Convex and falling: the matrix is positive definite.
    for (int i = 0; i < N; i++) r[i] = 1 / (2.0 + i);
}

uint64_t workload_kernel(void) {
    double alpha = -r[0], beta = 1;
    y[0] = -r[0];
    for (int k = 1; k < n; k++) {
        beta *= 1 - alpha * alpha;
        double sum = 0;
        for (int i = 0; i < k; i++) sum += r[k - i - 1] * y[i];
        alpha = -(r[k] + sum) / beta;
        for (int i = 0; i < k; i++) z[i] = y[i] + alpha * y[k - i - 1];
        for (int i = 0; i < k; i++) y[i] = z[i];
        y[k] = alpha;
    }
    return sum_of(0, y, (size_t)n);
}
