// SHA-256 (FIPS 180-4) over a buffer, in the shape most C programs have it: a context, an update
// function that buffers partial blocks, and a compression function that the compiler unrolls.
// 32-bit rotates, adds and a message schedule that wants many registers.

#include "bench.h"

typedef struct {
    uint32_t state[8];
    uint8_t block[64];
    uint64_t length_bytes;
} sha256_t;

static const uint32_t ROUND[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

static uint32_t rotr(uint32_t x, int n) { return x >> n | x << (32 - n); }

static uint32_t load_be32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void compress(uint32_t state[8], const uint8_t *block) {
    uint32_t w[64];
    for (int i = 0; i < 16; i++) w[i] = load_be32(block + 4 * i);
    for (int i = 16; i < 64; i++) {
        uint32_t s0 = rotr(w[i - 15], 7) ^ rotr(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t s1 = rotr(w[i - 2], 17) ^ rotr(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
    uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 64; i++) {
        uint32_t sum1 = rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25);
        uint32_t choose = (e & f) ^ (~e & g);
        uint32_t t1 = h + sum1 + choose + ROUND[i] + w[i];
        uint32_t sum0 = rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22);
        uint32_t majority = (a & b) ^ (a & c) ^ (b & c);
        h = g, g = f, f = e, e = d + t1;
        d = c, c = b, b = a, a = t1 + sum0 + majority;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

static void sha256_init(sha256_t *ctx) {
    static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(ctx->state, initial, sizeof initial);
    ctx->length_bytes = 0;
}

static void sha256_update(sha256_t *ctx, const uint8_t *data, size_t len) {
    size_t have = ctx->length_bytes % 64;
    ctx->length_bytes += len;
    if (have > 0) {
        size_t take = 64 - have < len ? 64 - have : len;
        memcpy(ctx->block + have, data, take);
        data += take, len -= take;
        if (have + take < 64) return;
        compress(ctx->state, ctx->block);
    }
    for (; len >= 64; data += 64, len -= 64) compress(ctx->state, data);
    memcpy(ctx->block, data, len);
}

static void sha256_finish(sha256_t *ctx, uint8_t digest[32]) {
    uint64_t bits = ctx->length_bytes * 8;
    uint8_t padding[72] = {0x80};
    size_t have = ctx->length_bytes % 64;
    size_t pad = (have < 56 ? 56 : 120) - have;
    for (int i = 0; i < 8; i++) padding[pad + (size_t)i] = (uint8_t)(bits >> (56 - 8 * i));
    sha256_update(ctx, padding, pad + 8);
    for (int i = 0; i < 32; i++) digest[i] = (uint8_t)(ctx->state[i / 4] >> (24 - 8 * (i % 4)));
}

static uint8_t message[1 << 18], digest[32];
static size_t message_len;
static int passes;

void workload_setup(bool small) {
    message_len = small ? 1 << 15 : sizeof message;
    passes = small ? 8 : 32;
    for (size_t i = 0; i < message_len; i++) message[i] = (uint8_t)rng_u64();
}

uint64_t workload_kernel(void) {
    // Each pass prepends the digest before it, and odd chunk sizes keep the buffering honest.
    memset(digest, 0, sizeof digest);
    for (int pass = 0; pass < passes; pass++) {
        sha256_t ctx;
        sha256_init(&ctx);
        sha256_update(&ctx, digest, 32);
        size_t chunk = 1021 + 64 * (size_t)pass;
        for (size_t at = 0; at < message_len; at += chunk)
            sha256_update(&ctx, message + at, message_len - at < chunk ? message_len - at : chunk);
        sha256_finish(&ctx, digest);
    }
    return mix_bytes(0, digest, sizeof digest);
}

void workload_report(void) {
    sha256_t ctx;
    uint8_t known[32];
    sha256_init(&ctx);
    sha256_update(&ctx, (const uint8_t *)"abc", 3);
    sha256_finish(&ctx, known);
    out_str("sha256(abc) ");
    out_hex((uint64_t)load_be32(known) << 32 | load_be32(known + 4));
    out_char('\n');
    out_field("bytes", (uint64_t)passes * message_len);
}
