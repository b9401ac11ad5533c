// s = Aᵀ·r and q = A·p, in one pass over the matrix.

#include "polybench.h"

enum { N = 448, ROUNDS = 40 };

static double a[N][N], r[N + ROUNDS], p[N + ROUNDS], s[N], q[N];

void workload_setup(bool small) {
    n = small ? 184 : N;
    FILL(a), FILL(r), FILL(p);
}

uint64_t workload_kernel(void) {
    uint64_t sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < n; i++) s[i] = 0;
        for (int i = 0; i < n; i++) {
            q[i] = 0;
            for (int j = 0; j < n; j++) {
                s[j] += r[round + i] * a[i][j];
                q[i] += a[i][j] * p[round + j];
            }
        }
        sum = sum_of(sum_of(sum, s, (size_t)n), q, (size_t)n);
    }
    return sum;
}
