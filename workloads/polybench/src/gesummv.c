// y = alpha·A·x + beta·B·x.

#include "polybench.h"

enum { N = 400, ROUNDS = 40 };

static double a[N][N], b[N][N], x[N + ROUNDS], y[N];

void workload_setup(bool small) {
    n = small ? 184 : N;
    FILL(a), FILL(b), FILL(x);
}

uint64_t workload_kernel(void) {
    const double alpha = 1.5, beta = 1.2;
    uint64_t sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < n; i++) {
            double left = 0, right = 0;
            for (int j = 0; j < n; j++) {
                left += a[i][j] * x[round + j];
                right += b[i][j] * x[round + j];
            }
            y[i] = alpha * left + beta * right;
        }
        sum = sum_of(sum, y, (size_t)n);
    }
    return sum;
}
