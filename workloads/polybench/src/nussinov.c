// Folding of a strand of RNA: the most pairs of bases, by dynamic programming in integers.

#include "polybench.h"

enum { N = 480 };

static int table[N][N], bases[N];

void workload_setup(bool small) {
    n = small ? 248 : N;
    for (int i = 0; i < N; i++) bases[i] = (int)rng_below(4);
}

static int larger(int a, int b) { return a >= b ? a : b; }

uint64_t workload_kernel(void) {
    memset(table, 0, sizeof table);
    for (int i = n - 1; i >= 0; i--) {
        for (int j = i + 1; j < n; j++) {
            table[i][j] = larger(table[i][j], table[i][j - 1]);
            if (i + 1 < n) {
                table[i][j] = larger(table[i][j], table[i + 1][j]);
                // Neighbours do not pair.
                const int pair = i < j - 1 && bases[i] + bases[j] == 3;
                table[i][j] = larger(table[i][j], table[i + 1][j - 1] + pair);
            }
            for (int k = i + 1; k < j; k++) table[i][j] = larger(table[i][j], table[i][k] + table[k + 1][j]);
        }
    }
    uint64_t sum = 0;
    for (int i = 0; i < n; i++)
        for (int j = i; j < n; j++) sum = mix(sum, (uint64_t)table[i][j]);
    return sum;
}
