//@ flags: -msimd128
// Vector kernels on bytes and 16-bit lanes: alpha blending, a 3x3 box blur through widened sums, a
// threshold with saturating arithmetic, motion estimation by sums of absolute differences, and a
// lookup in a 16-entry table by swizzle. Written with wasm's intrinsics, so there is no native twin.

#include "bench.h"
#include <wasm_simd128.h>

enum { WIDTH_MAX = 1024, HEIGHT_MAX = 768 };

static uint8_t front[HEIGHT_MAX][WIDTH_MAX], back[HEIGHT_MAX][WIDTH_MAX], mask[HEIGHT_MAX][WIDTH_MAX];
static uint8_t blended[HEIGHT_MAX][WIDTH_MAX], blurred[HEIGHT_MAX][WIDTH_MAX];
static int width, height, rounds;
static uint64_t bright;
static uint32_t best_offset;

static v128_t blend8(v128_t a, v128_t b, v128_t alpha) {
    // (a * alpha + b * (255 - alpha) + 128) / 256 on 16-bit lanes.
    v128_t inverse = wasm_v128_not(alpha), half = wasm_i16x8_const_splat(128);
    v128_t low = wasm_i16x8_add(wasm_u16x8_extmul_low_u8x16(a, alpha), wasm_u16x8_extmul_low_u8x16(b, inverse));
    v128_t high = wasm_i16x8_add(wasm_u16x8_extmul_high_u8x16(a, alpha), wasm_u16x8_extmul_high_u8x16(b, inverse));
    low = wasm_u16x8_shr(wasm_i16x8_add(low, half), 8);
    high = wasm_u16x8_shr(wasm_i16x8_add(high, half), 8);
    return wasm_u8x16_narrow_i16x8(low, high);
}

static void blend(void) {
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x += 16)
            wasm_v128_store(&blended[y][x], blend8(wasm_v128_load(&front[y][x]), wasm_v128_load(&back[y][x]),
                                                   wasm_v128_load(&mask[y][x])));
}

static void blur(void) {
    // Nine neighbours sum to at most 2295; times 7282 / 65536 is a ninth, by a rounding Q15 multiply.
    v128_t ninth = wasm_i16x8_const_splat(3641);
    for (int y = 1; y + 1 < height; y++) {
        for (int x = 16; x + 16 < width; x += 8) {
            v128_t sum = wasm_i16x8_const_splat(0);
            for (int dy = -1; dy <= 1; dy++)
                for (int dx = -1; dx <= 1; dx++)
                    sum = wasm_i16x8_add(sum, wasm_u16x8_load8x8(&blended[y + dy][x + dx]));
            v128_t mean = wasm_i16x8_q15mulr_sat(sum, ninth);
            wasm_v128_store64_lane(&blurred[y][x], wasm_u8x16_narrow_i16x8(mean, mean), 0);
        }
    }
}

// Boosts contrast by saturating arithmetic, grades the high nibble by a table, counts bright pixels.
static void grade(void) {
    const v128_t table = wasm_i8x16_const(0, 4, 9, 16, 25, 38, 52, 68, 86, 105, 126, (int8_t)148, (int8_t)172,
                                          (int8_t)197, (int8_t)224, (int8_t)250);
    v128_t limit = wasm_i8x16_splat((int8_t)180);
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x += 16) {
            v128_t p = wasm_v128_load(&blurred[y][x]);
            v128_t boosted = wasm_u8x16_add_sat(p, wasm_u8x16_sub_sat(p, wasm_i8x16_splat(96)));
            v128_t graded = wasm_i8x16_swizzle(table, wasm_u8x16_shr(boosted, 4));
            v128_t out = wasm_u8x16_avgr(graded, wasm_u8x16_max(p, wasm_u8x16_min(boosted, limit)));
            bright += (uint64_t)__builtin_popcount(wasm_i8x16_bitmask(wasm_u8x16_gt(out, limit)));
            wasm_v128_store(&blurred[y][x], out);
        }
    }
}

static v128_t absolute_difference(v128_t a, v128_t b) {
    return wasm_v128_or(wasm_u8x16_sub_sat(a, b), wasm_u8x16_sub_sat(b, a));
}

// Where a 32x32 block of the front image fits best into a window of the graded one.
static uint32_t search(int bx, int by) {
    uint32_t best = UINT32_MAX, at = 0;
    for (int dy = 0; dy < 16; dy++) {
        for (int dx = 0; dx < 16; dx++) {
            v128_t sum = wasm_i32x4_const_splat(0);
            for (int y = 0; y < 32; y++) {
                v128_t d0 = absolute_difference(wasm_v128_load(&front[by + y][bx]), wasm_v128_load(&blurred[by + dy + y][bx + dx]));
                v128_t d1 = absolute_difference(wasm_v128_load(&front[by + y][bx + 16]), wasm_v128_load(&blurred[by + dy + y][bx + dx + 16]));
                v128_t pairs = wasm_i16x8_add(wasm_u16x8_extadd_pairwise_u8x16(d0), wasm_u16x8_extadd_pairwise_u8x16(d1));
                sum = wasm_i32x4_add(sum, wasm_u32x4_extadd_pairwise_u16x8(pairs));
            }
            uint32_t total = (uint32_t)(wasm_i32x4_extract_lane(sum, 0) + wasm_i32x4_extract_lane(sum, 1) +
                                        wasm_i32x4_extract_lane(sum, 2) + wasm_i32x4_extract_lane(sum, 3));
            if (total < best) best = total, at = (uint32_t)(dy * 16 + dx);
        }
    }
    return best << 8 | at;
}

void workload_setup(bool small) {
    width = small ? 256 : WIDTH_MAX;
    height = small ? 128 : HEIGHT_MAX;
    rounds = small ? 3 : 48;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            front[y][x] = (uint8_t)(x * 3 + y * 5 + (int)rng_below(32));
            back[y][x] = (uint8_t)((x ^ y) + (int)rng_below(64));
            mask[y][x] = (uint8_t)(x * 255 / width);
        }
    }
}

uint64_t workload_kernel(void) {
    uint64_t sum = 0;
    bright = 0;
    memset(blurred, 0, sizeof blurred);
    for (int round = 0; round < rounds; round++) {
        blend();
        blur();
        grade();
        for (int block = 0; block < 6; block++) {
            best_offset = search(32 + block * 32, 16 + round * 8);
            sum = mix(sum, best_offset);
        }
    }
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x += 64) sum = mix(sum, blurred[y][x]);
    return mix(sum, bright);
}

void workload_report(void) {
    out_field("bright", bright);
    out_field("best offset", best_offset & 255);
}
