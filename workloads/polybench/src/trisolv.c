// L·x = b for a lower triangular matrix, by substitution.

#include "polybench.h"

enum { N = 480, ROUNDS = 80 };

static double l[N][N], b[N + ROUNDS], x[N];

void workload_setup(bool small) {
    n = small ? 208 : N;
    FILL(l), FILL(b);
    for (int i = 0; i < N; i++) l[i][i] = N;
}

uint64_t workload_kernel(void) {
    uint64_t sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < n; i++) {
            x[i] = b[round + i];
            for (int j = 0; j < i; j++) x[i] -= l[i][j] * x[j];
            x[i] /= l[i][i];
        }
        sum = sum_of(sum, x, (size_t)n);
    }
    return sum;
}
