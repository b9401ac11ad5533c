// The covariance matrix of n variables from n observations.

#include "polybench.h"

enum { N = 240 };

static double start[N][N], data[N][N], covariance[N][N], mean[N];

void workload_setup(bool small) {
    n = small ? 136 : N;
    FILL(start);
}

uint64_t workload_kernel(void) {
    COPY(data, start);
    for (int j = 0; j < n; j++) {
        mean[j] = 0;
        for (int i = 0; i < n; i++) mean[j] += data[i][j];
        mean[j] /= n;
    }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) data[i][j] -= mean[j];
    for (int i = 0; i < n; i++) {
        for (int j = i; j < n; j++) {
            double sum = 0;
            for (int k = 0; k < n; k++) sum += data[k][i] * data[k][j];
            covariance[i][j] = covariance[j][i] = sum / (n - 1);
        }
    }
    return SUM(covariance);
}
