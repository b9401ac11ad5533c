// A memory-hard function in the manner of Argon2: 1 KiB blocks filled by a permutation of 64-bit
// multiply-add and rotate steps, each block mixing its predecessor with one chosen by earlier data.
// Not the standard's function (no variable-length hash around it), but its arithmetic and its
// memory traffic.

#include "bench.h"

enum { WORDS = 128, BLOCKS_MAX = 8192 };

typedef struct { uint64_t v[WORDS]; } block_t;

static block_t memory[BLOCKS_MAX];
static uint32_t blocks, passes;

static uint64_t rotr(uint64_t x, int n) { return x >> n | x << (64 - n); }

// x + y plus twice the product of their low halves: cheap to verify, slow to shortcut in hardware.
static uint64_t add_mul(uint64_t x, uint64_t y) { return x + y + 2 * (uint64_t)(uint32_t)x * (uint32_t)y; }

#define MIX(a, b, c, d) \
    (a = add_mul(a, b), d = rotr(d ^ a, 32), c = add_mul(c, d), b = rotr(b ^ c, 24), \
     a = add_mul(a, b), d = rotr(d ^ a, 16), c = add_mul(c, d), b = rotr(b ^ c, 63))

// One round over 16 words that lie `stride` pairs apart.
static inline void round16(uint64_t *v, int base, int stride) {
    uint64_t x[16];
    for (int i = 0; i < 8; i++) x[2 * i] = v[base + stride * i], x[2 * i + 1] = v[base + stride * i + 1];
    MIX(x[0], x[4], x[8], x[12]);
    MIX(x[1], x[5], x[9], x[13]);
    MIX(x[2], x[6], x[10], x[14]);
    MIX(x[3], x[7], x[11], x[15]);
    MIX(x[0], x[5], x[10], x[15]);
    MIX(x[1], x[6], x[11], x[12]);
    MIX(x[2], x[7], x[8], x[13]);
    MIX(x[3], x[4], x[9], x[14]);
    for (int i = 0; i < 8; i++) v[base + stride * i] = x[2 * i], v[base + stride * i + 1] = x[2 * i + 1];
}

static void fill(block_t *out, const block_t *previous, const block_t *reference, bool overwrite) {
    block_t r, z;
    for (int i = 0; i < WORDS; i++) z.v[i] = r.v[i] = previous->v[i] ^ reference->v[i];
    for (int row = 0; row < 8; row++) round16(z.v, 16 * row, 2);
    for (int column = 0; column < 8; column++) round16(z.v, 2 * column, 16);
    for (int i = 0; i < WORDS; i++) out->v[i] = (overwrite ? out->v[i] : 0) ^ r.v[i] ^ z.v[i];
}

void workload_setup(bool small) {
    blocks = small ? 1024 : BLOCKS_MAX;
    passes = small ? 1 : 5;
}

uint64_t workload_kernel(void) {
    rng_seed(9);
    for (int b = 0; b < 2; b++)
        for (int i = 0; i < WORDS; i++) memory[b].v[i] = rng_u64();
    for (uint32_t pass = 0; pass < passes; pass++) {
        for (uint32_t at = pass == 0 ? 2 : 0; at < blocks; at++) {
            const block_t *previous = &memory[at == 0 ? blocks - 1 : at - 1];
            // The square of a random fraction prefers recent blocks.
            uint64_t window = pass == 0 ? at - 1 : blocks - 2;
            uint64_t fraction = previous->v[0] & 0xffffffff;
            uint64_t back = window * (fraction * fraction >> 32) >> 32;
            uint32_t reference = (uint32_t)((at + blocks - 2 - back) % blocks);
            fill(&memory[at], previous, &memory[reference], pass > 0);
        }
    }
    uint64_t sum = 0;
    for (int i = 0; i < WORDS; i++) sum = mix(sum, memory[blocks - 1].v[i]);
    return sum;
}

void workload_report(void) {
    out_field("KiB", blocks);
    out_field("passes", passes);
}
