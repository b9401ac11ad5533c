//@ flags: -msimd128 -mrelaxed-simd
// Relaxed SIMD where its results are still determined: a quantised neural layer with 7-bit weights
// through the relaxed integer dot product, and lane selection with full masks. Inputs stay inside the
// range in which every implementation agrees, so the checksum holds everywhere.

#include "bench.h"
#include <wasm_simd128.h>

enum { INPUTS = 512, OUTPUTS_MAX = 512 };

static int8_t weights[OUTPUTS_MAX][INPUTS];
static int8_t activations[2][INPUTS];
static int32_t bias[OUTPUTS_MAX];
static int outputs, layers;
static int32_t last_max;

// Weights are in [-64, 63]; activations in [0, 127], as the relaxed operand must be.
static void layer(const int8_t *in, int8_t *out) {
    for (int o = 0; o < outputs; o++) {
        v128_t sum = wasm_i32x4_const_splat(0);
        for (int i = 0; i < INPUTS; i += 16)
            sum = wasm_i32x4_relaxed_dot_i8x16_i7x16_add(wasm_v128_load(&weights[o][i]), wasm_v128_load(&in[i]), sum);
        int32_t total = bias[o] + wasm_i32x4_extract_lane(sum, 0) + wasm_i32x4_extract_lane(sum, 1) +
                        wasm_i32x4_extract_lane(sum, 2) + wasm_i32x4_extract_lane(sum, 3);
        total >>= 8;
        out[o % INPUTS] = (int8_t)(total < 0 ? -total & 31 : total > 127 ? 127 : total);
    }
}

// Wherever the mask is set takes a, elsewhere b; byte masks are all ones or all zeros.
static int32_t strongest(const int8_t *values) {
    v128_t best = wasm_v128_load(values);
    for (int i = 16; i < INPUTS; i += 16) {
        v128_t v = wasm_v128_load(&values[i]);
        best = wasm_i8x16_relaxed_laneselect(v, best, wasm_i8x16_gt(v, best));
    }
    int8_t lanes[16];
    wasm_v128_store(lanes, best);
    int32_t max = -128;
    for (int i = 0; i < 16; i++) max = lanes[i] > max ? lanes[i] : max;
    return max;
}

void workload_setup(bool small) {
    outputs = small ? INPUTS : OUTPUTS_MAX;
    layers = small ? 60 : 3000;
    for (int o = 0; o < outputs; o++) {
        bias[o] = (int32_t)rng_below(8192);
        for (int i = 0; i < INPUTS; i++) weights[o][i] = (int8_t)((int)rng_below(128) - 64);
    }
}

uint64_t workload_kernel(void) {
    for (int i = 0; i < INPUTS; i++) activations[0][i] = (int8_t)(i * 7 % 128);
    uint64_t sum = 0;
    for (int l = 0; l < layers; l++) {
        layer(activations[l & 1], activations[~l & 1]);
        last_max = strongest(activations[~l & 1]);
        sum = mix(sum, (uint64_t)last_max);
    }
    return mix_bytes(sum, (const uint8_t *)activations[layers & 1], INPUTS);
}

void workload_report(void) {
    out_field("layers", (uint64_t)layers);
    out_field("strongest", (uint64_t)last_max);
}
