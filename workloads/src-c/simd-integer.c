//@ flags: -msimd128
// Vector kernels on 32- and 64-bit integer lanes, in the compiler's portable vector types: ChaCha-like
// mixing of four states at once, a bitonic sort of four-lane columns, dot products widened to 64 bits,
// and prefix sums by shuffles.

#include "bench.h"

typedef uint32_t u32x4 __attribute__((vector_size(16)));
typedef int32_t i32x4 __attribute__((vector_size(16)));
typedef uint64_t u64x2 __attribute__((vector_size(16)));

enum { VECTORS_MAX = 1 << 15 };

static u32x4 data[VECTORS_MAX], work[VECTORS_MAX];
static uint32_t vectors, rounds;
static uint32_t last_sum;

static u32x4 rotl(u32x4 x, int n) { return x << n | x >> (32 - n); }

static void quarter(u32x4 *a, u32x4 *b, u32x4 *c, u32x4 *d) {
    *a += *b, *d = rotl(*d ^ *a, 16);
    *c += *d, *b = rotl(*b ^ *c, 12);
    *a += *b, *d = rotl(*d ^ *a, 8);
    *c += *d, *b = rotl(*b ^ *c, 7);
}

// Four independent 16-word states, one per lane.
static u32x4 mix_states(u32x4 seed) {
    u32x4 x[16];
    for (uint32_t i = 0; i < 16; i++) x[i] = seed + i * 0x9e3779b9u;
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 4; i++) quarter(&x[i], &x[4 + i], &x[8 + i], &x[12 + i]);
        for (int i = 0; i < 4; i++) quarter(&x[i], &x[4 + (i + 1) % 4], &x[8 + (i + 2) % 4], &x[12 + (i + 3) % 4]);
    }
    u32x4 sum = {0};
    for (int i = 0; i < 16; i++) sum ^= x[i];
    return sum;
}

static void compare_exchange(u32x4 *a, u32x4 *b) {
    u32x4 swap = (u32x4)(*a > *b);
    u32x4 low = (*a & ~swap) | (*b & swap), high = (*b & ~swap) | (*a & swap);
    *a = low, *b = high;
}

// Sorts 64 vectors so that each lane is ordered from the first to the last.
static void bitonic_sort(u32x4 *v) {
    for (uint32_t size = 2; size <= 64; size *= 2) {
        for (uint32_t stride = size / 2; stride > 0; stride /= 2) {
            for (uint32_t i = 0; i < 64; i++) {
                uint32_t j = i ^ stride;
                if (j <= i) continue;
                if (i & size) compare_exchange(&v[j], &v[i]);
                else compare_exchange(&v[i], &v[j]);
            }
        }
    }
}

static u64x2 dot(const u32x4 *a, const u32x4 *b, uint32_t n) {
    u64x2 even = {0}, odd = {0};
    for (uint32_t i = 0; i < n; i++) {
        u64x2 x = (u64x2)a[i], y = (u64x2)b[i];
        even += (x & 0xffffffff) * (y & 0xffffffff);
        odd += (x >> 32) * (y >> 32);
    }
    return even ^ (odd << 7 | odd >> 57);
}

static uint32_t prefix_sums(u32x4 *v, uint32_t n) {
    u32x4 zero = {0}, carry = {0};
    for (uint32_t i = 0; i < n; i++) {
        u32x4 x = v[i];
        x += __builtin_shufflevector(zero, x, 0, 4, 5, 6);
        x += __builtin_shufflevector(zero, x, 0, 1, 4, 5);
        x += carry;
        v[i] = x;
        carry = __builtin_shufflevector(x, x, 3, 3, 3, 3);
    }
    return carry[0];
}

void workload_setup(bool small) {
    vectors = small ? 2048 : VECTORS_MAX;
    rounds = small ? 4 : 10;
    for (uint32_t i = 0; i < vectors; i++)
        for (int lane = 0; lane < 4; lane++) data[i][lane] = (uint32_t)(rng_u64() >> 32);
}

uint64_t workload_kernel(void) {
    uint64_t sum = 0;
    for (uint32_t round = 0; round < rounds; round++) {
        memcpy(work, data, vectors * sizeof *data);
        for (uint32_t i = 0; i < vectors; i += 4) work[i] ^= mix_states(work[i + 1]);
        for (uint32_t i = 0; i < vectors; i += 64) bitonic_sort(work + i);
        u64x2 product = dot(work, data, vectors);
        sum = mix(mix(sum, product[0]), product[1]);
        // Signed minimum and maximum over everything.
        i32x4 low = (i32x4)work[0], high = low;
        for (uint32_t i = 0; i < vectors; i++) {
            i32x4 x = (i32x4)work[i];
            i32x4 below = x < low, above = x > high;
            low = (x & below) | (low & ~below);
            high = (x & above) | (high & ~above);
        }
        for (int lane = 0; lane < 4; lane++) sum = mix(sum, (uint32_t)low[lane] ^ (uint64_t)(uint32_t)high[lane] << 32);
        last_sum = prefix_sums(work, vectors);
        sum = mix(sum, last_sum);
    }
    return sum;
}

void workload_report(void) {
    out_field("vectors", vectors);
    out_field("sum", last_sum);
}
