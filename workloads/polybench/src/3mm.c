// G = (A·B)·(C·D), as three matrix products.

#include "polybench.h"

enum { N = 176 };

static double a[N][N], b[N][N], c[N][N], d[N][N], e[N][N], f[N][N], g[N][N];

void workload_setup(bool small) {
    n = small ? 104 : N;
    FILL(a), FILL(b), FILL(c), FILL(d);
}

static void multiply(double (*to)[N], const double (*left)[N], const double (*right)[N]) {
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            to[i][j] = 0;
            for (int k = 0; k < n; k++) to[i][j] += left[i][k] * right[k][j];
        }
    }
}

uint64_t workload_kernel(void) {
    multiply(e, a, b);
    multiply(f, c, d);
    multiply(g, e, f);
    return SUM(g);
}
