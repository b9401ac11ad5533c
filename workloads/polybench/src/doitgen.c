// Contraction of a cube with a matrix: A[r][q][·] = A[r][q][·]·C.

#include "polybench.h"

enum { R = 40, Q = 48, N = 96 };

static double a[R][Q][N], start[R][Q][N], c[N][N], row[N];

void workload_setup(bool small) {
    n = small ? 32 : N;
    FILL(start), FILL(c);
}

uint64_t workload_kernel(void) {
    memcpy(a, start, sizeof a);
    uint64_t sum = 0;
    for (int r = 0; r < R; r++) {
        for (int q = 0; q < Q; q++) {
            for (int p = 0; p < n; p++) {
                row[p] = 0;
                for (int s = 0; s < n; s++) row[p] += a[r][q][s] * c[s][p];
            }
            for (int p = 0; p < n; p++) a[r][q][p] = row[p];
            sum = sum_of(sum, a[r][q], (size_t)n);
        }
    }
    return sum;
}
