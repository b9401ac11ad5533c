// x1 = x1 + A·y1 and x2 = x2 + Aᵀ·y2.

#include "polybench.h"

enum { N = 400, ROUNDS = 40 };

static double a[N][N], x1[N + ROUNDS], x2[N + ROUNDS], y1[N], y2[N], left[N], right[N];

void workload_setup(bool small) {
    n = small ? 184 : N;
    FILL(a), FILL(x1), FILL(x2), FILL(y1), FILL(y2);
}

uint64_t workload_kernel(void) {
    uint64_t sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        memcpy(left, x1 + round, (size_t)n * sizeof *left);
        memcpy(right, x2 + round, (size_t)n * sizeof *right);
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++) left[i] += a[i][j] * y1[j];
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++) right[i] += a[j][i] * y2[j];
        sum = sum_of(sum_of(sum, left, (size_t)n), right, (size_t)n);
    }
    return sum;
}
