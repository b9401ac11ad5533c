// Edges of a picture by Deriche's recursive filter: forwards and backwards along columns, then along rows.

#include "polybench.h"
#include <math.h>

enum { W = 720, N = 480 };

static float in[W][N], out[W][N], forwards[W][N], backwards[W][N];
static int w;

void workload_setup(bool small) {
    n = small ? 216 : N;
    w = small ? 320 : W;
    for (int i = 0; i < W; i++)
        for (int j = 0; j < N; j++) in[i][j] = (float)rng_f64();
}

uint64_t workload_kernel(void) {
    const float alpha = 0.25f;
    const float once = (float)exp(-(double)alpha), twice = once * once;
    const float k = (1 - once) * (1 - once) / (1 + 2 * alpha * once - twice);
    const float a1 = k, a2 = k * once * (alpha - 1), a3 = k * once * (alpha + 1), a4 = -k * twice;
    const float b1 = 2 * once, b2 = -twice;

    for (int i = 0; i < w; i++) {
        float x1 = 0, y1 = 0, y2 = 0;
        for (int j = 0; j < n; j++) {
            forwards[i][j] = a1 * in[i][j] + a2 * x1 + b1 * y1 + b2 * y2;
            x1 = in[i][j];
            y2 = y1;
            y1 = forwards[i][j];
        }
    }
    for (int i = 0; i < w; i++) {
        float x1 = 0, x2 = 0, y1 = 0, y2 = 0;
        for (int j = n - 1; j >= 0; j--) {
            backwards[i][j] = a3 * x1 + a4 * x2 + b1 * y1 + b2 * y2;
            x2 = x1;
            x1 = in[i][j];
            y2 = y1;
            y1 = backwards[i][j];
        }
    }
    for (int i = 0; i < w; i++)
        for (int j = 0; j < n; j++) out[i][j] = forwards[i][j] + backwards[i][j];
    for (int j = 0; j < n; j++) {
        float x1 = 0, y1 = 0, y2 = 0;
        for (int i = 0; i < w; i++) {
            forwards[i][j] = a1 * out[i][j] + a2 * x1 + b1 * y1 + b2 * y2;
            x1 = out[i][j];
            y2 = y1;
            y1 = forwards[i][j];
        }
    }
    for (int j = 0; j < n; j++) {
        float x1 = 0, x2 = 0, y1 = 0, y2 = 0;
        for (int i = w - 1; i >= 0; i--) {
            backwards[i][j] = a3 * x1 + a4 * x2 + b1 * y1 + b2 * y2;
            x2 = x1;
            x1 = out[i][j];
            y2 = y1;
            y1 = backwards[i][j];
        }
    }
    uint64_t sum = 0;
    for (int i = 0; i < w; i++)
        for (int j = 0; j < n; j++) sum = mix_f64(sum, (double)(forwards[i][j] + backwards[i][j]));
    return sum;
}
