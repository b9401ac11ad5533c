// The matrix of correlation coefficients of n variables from n observations.

#include "polybench.h"
#include <math.h>

enum { N = 240 };

static double start[N][N], data[N][N], correlation[N][N], mean[N], deviation[N];

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
    for (int j = 0; j < n; j++) {
        deviation[j] = 0;
        for (int i = 0; i < n; i++) deviation[j] += (data[i][j] - mean[j]) * (data[i][j] - mean[j]);
        deviation[j] = sqrt(deviation[j] / n);
        // A variable that never changes correlates with nothing.
        if (deviation[j] <= 0.1) deviation[j] = 1;
    }
    const double root = sqrt((double)n);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) data[i][j] = (data[i][j] - mean[j]) / (root * deviation[j]);
    for (int i = 0; i < n; i++) {
        correlation[i][i] = 1;
        for (int j = i + 1; j < n; j++) {
            double sum = 0;
            for (int k = 0; k < n; k++) sum += data[k][i] * data[k][j];
            correlation[i][j] = correlation[j][i] = sum;
        }
    }
    return SUM(correlation);
}
