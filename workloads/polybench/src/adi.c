// Heat on a square by alternating directions: each half step solves a tridiagonal system per line, first along
// columns, then along rows.

#include "polybench.h"

enum { N = 160, STEPS = 16 };

static double u[N][N], v[N][N], start[N][N], p[N][N], q[N][N];

void workload_setup(bool small) {
    n = small ? 80 : N;
    FILL(start);
}

// From u to v: implicit along columns.
static void columns(double implicit, double explicit) {
    const double a = -implicit / 2, b = 1 + implicit, d = -explicit / 2;
    for (int i = 1; i < n - 1; i++) {
        p[i][0] = 0;
        q[i][0] = v[0][i] = 1;
        for (int j = 1; j < n - 1; j++) {
            p[i][j] = -a / (a * p[i][j - 1] + b);
            q[i][j] = (-d * u[j][i - 1] + (1 + 2 * d) * u[j][i] - d * u[j][i + 1] - a * q[i][j - 1]) /
                      (a * p[i][j - 1] + b);
        }
        v[n - 1][i] = 1;
        for (int j = n - 2; j >= 1; j--) v[j][i] = p[i][j] * v[j + 1][i] + q[i][j];
    }
}

// From v to u: implicit along rows.
static void rows(double implicit, double explicit) {
    const double a = -implicit / 2, b = 1 + implicit, d = -explicit / 2;
    for (int i = 1; i < n - 1; i++) {
        p[i][0] = 0;
        q[i][0] = u[i][0] = 1;
        for (int j = 1; j < n - 1; j++) {
            p[i][j] = -a / (a * p[i][j - 1] + b);
            q[i][j] = (-d * v[i - 1][j] + (1 + 2 * d) * v[i][j] - d * v[i + 1][j] - a * q[i][j - 1]) /
                      (a * p[i][j - 1] + b);
        }
        u[i][n - 1] = 1;
        for (int j = n - 2; j >= 1; j--) u[i][j] = p[i][j] * u[i][j + 1] + q[i][j];
    }
}

uint64_t workload_kernel(void) {
    COPY(u, start);
    const double unit = (double)n * n / STEPS;
    for (int t = 0; t < STEPS; t++) {
        columns(2 * unit, unit);
        rows(unit, 2 * unit);
    }
    return SUM(u);
}
