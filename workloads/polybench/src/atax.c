// y = Aᵀ·(A·x).

#include "polybench.h"

enum { N = 448, ROUNDS = 40 };

static double a[N][N], x[N + ROUNDS], y[N], product[N];

void workload_setup(bool small) {
    n = small ? 184 : N;
    FILL(a), FILL(x);
}

uint64_t workload_kernel(void) {
    uint64_t sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < n; i++) y[i] = 0;
        for (int i = 0; i < n; i++) {
            product[i] = 0;
            for (int j = 0; j < n; j++) product[i] += a[i][j] * x[round + j];
            for (int j = 0; j < n; j++) y[j] += a[i][j] * product[i];
        }
        sum = sum_of(sum, y, (size_t)n);
    }
    return sum;
}
