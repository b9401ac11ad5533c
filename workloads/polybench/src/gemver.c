// B = A + u1·v1ᵀ + u2·v2ᵀ, x = x + beta·Bᵀ·y + z, w = alpha·B·x.

#include "polybench.h"

enum { N = 400, ROUNDS = 24 };

static double a[N][N], b[N][N], u1[N + ROUNDS], v1[N], u2[N], v2[N], x[N], y[N], z[N], w[N];

void workload_setup(bool small) {
    n = small ? 168 : N;
    FILL(a), FILL(u1), FILL(v1), FILL(u2), FILL(v2), FILL(y), FILL(z);
}

uint64_t workload_kernel(void) {
    const double alpha = 1.5, beta = 1.2;
    uint64_t sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++) b[i][j] = a[i][j] + u1[round + i] * v1[j] + u2[i] * v2[j];
        for (int i = 0; i < n; i++) {
            x[i] = 0;
            for (int j = 0; j < n; j++) x[i] += beta * b[j][i] * y[j];
        }
        for (int i = 0; i < n; i++) x[i] += z[i];
        for (int i = 0; i < n; i++) {
            w[i] = 0;
            for (int j = 0; j < n; j++) w[i] += alpha * b[i][j] * x[j];
        }
        sum = sum_of(sum, w, (size_t)n);
    }
    return sum;
}
