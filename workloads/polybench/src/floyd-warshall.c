// Shortest paths between all pairs of nodes, in integers.

#include "polybench.h"

enum { N = 256 };

static int path[N][N], start[N][N];

void workload_setup(bool small) {
    n = small ? 112 : N;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) start[i][j] = rng_below(8) ? 999 : (int)rng_below(100) + 1;
}

uint64_t workload_kernel(void) {
    COPY(path, start);
    for (int k = 0; k < n; k++)
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++)
                path[i][j] = path[i][j] < path[i][k] + path[k][j] ? path[i][j] : path[i][k] + path[k][j];
    uint64_t sum = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) sum = mix(sum, (uint64_t)path[i][j]);
    return sum;
}
