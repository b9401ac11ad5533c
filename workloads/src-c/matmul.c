// Dense linear algebra in double precision: a blocked matrix product, then LU decomposition with
// partial pivoting and the solution of one system, whose residual is reported.

#include "bench.h"
#include <math.h>

enum { N_MAX = 352, BLOCK = 32 };

static double a[N_MAX * N_MAX], b[N_MAX * N_MAX], c[N_MAX * N_MAX], lu[N_MAX * N_MAX];
static double x[N_MAX], rhs[N_MAX];
static int pivot[N_MAX], n;
static double residual;

static void multiply(void) {
    memset(c, 0, (size_t)(n * n) * sizeof *c);
    for (int kk = 0; kk < n; kk += BLOCK) {
        for (int jj = 0; jj < n; jj += BLOCK) {
            for (int i = 0; i < n; i++) {
                for (int k = kk; k < kk + BLOCK; k++) {
                    double f = a[i * n + k];
                    const double *from = b + k * n + jj;
                    double *to = c + i * n + jj;
                    for (int j = 0; j < BLOCK; j++) to[j] += f * from[j];
                }
            }
        }
    }
}

static void decompose(void) {
    memcpy(lu, c, (size_t)(n * n) * sizeof *lu);
    for (int k = 0; k < n; k++) {
        int best = k;
        for (int i = k + 1; i < n; i++)
            if (fabs(lu[i * n + k]) > fabs(lu[best * n + k])) best = i;
        pivot[k] = best;
        if (best != k) {
            for (int j = 0; j < n; j++) {
                double t = lu[k * n + j];
                lu[k * n + j] = lu[best * n + j];
                lu[best * n + j] = t;
            }
        }
        double inverse = 1 / lu[k * n + k];
        for (int i = k + 1; i < n; i++) {
            double f = lu[i * n + k] *= inverse;
            for (int j = k + 1; j < n; j++) lu[i * n + j] -= f * lu[k * n + j];
        }
    }
}

static void solve(void) {
    memcpy(x, rhs, (size_t)n * sizeof *x);
    for (int k = 0; k < n; k++) {
        double t = x[k];
        x[k] = x[pivot[k]];
        x[pivot[k]] = t;
    }
    for (int i = 1; i < n; i++)
        for (int j = 0; j < i; j++) x[i] -= lu[i * n + j] * x[j];
    for (int i = n - 1; i >= 0; i--) {
        for (int j = i + 1; j < n; j++) x[i] -= lu[i * n + j] * x[j];
        x[i] /= lu[i * n + i];
    }
}

void workload_setup(bool small) {
    n = small ? 96 : 352;
    for (int i = 0; i < n * n; i++) a[i] = rng_f64() - 0.5, b[i] = rng_f64() - 0.5;
    for (int i = 0; i < n; i++) rhs[i] = rng_f64();
}

uint64_t workload_kernel(void) {
    multiply();
    decompose();
    solve();
    residual = 0;
    uint64_t sum = 0;
    for (int i = 0; i < n; i++) {
        double r = -rhs[i];
        for (int j = 0; j < n; j++) r += c[i * n + j] * x[j];
        if (fabs(r) > residual) residual = fabs(r);
        sum = mix_f64(sum, x[i]);
    }
    return sum;
}

void workload_report(void) {
    out_field("n", (uint64_t)n);
    out_field("residual below 1e-9", residual < 1e-9);
}
