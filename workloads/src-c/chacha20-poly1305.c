// ChaCha20-Poly1305 (RFC 8439): 32-bit add-rotate-xor for the cipher, 32x32 -> 64-bit multiplies for
// the authenticator. The kernel seals a buffer in records and opens them again, refusing a forged one.

#include "bench.h"

static uint32_t load32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void store32(uint8_t *p, uint32_t v) {
    p[0] = (uint8_t)v, p[1] = (uint8_t)(v >> 8), p[2] = (uint8_t)(v >> 16), p[3] = (uint8_t)(v >> 24);
}

static void store64(uint8_t *p, uint64_t v) {
    store32(p, (uint32_t)v);
    store32(p + 4, (uint32_t)(v >> 32));
}

// ---- ChaCha20 -----------------------------------------------------------------------------------

static uint32_t rotl(uint32_t x, int n) { return x << n | x >> (32 - n); }

#define QUARTER(a, b, c, d) \
    (a += b, d = rotl(d ^ a, 16), c += d, b = rotl(b ^ c, 12), a += b, d = rotl(d ^ a, 8), c += d, b = rotl(b ^ c, 7))

static void chacha_block(const uint32_t state[16], uint8_t out[64]) {
    uint32_t x[16];
    memcpy(x, state, sizeof x);
    for (int round = 0; round < 20; round += 2) {
        QUARTER(x[0], x[4], x[8], x[12]);
        QUARTER(x[1], x[5], x[9], x[13]);
        QUARTER(x[2], x[6], x[10], x[14]);
        QUARTER(x[3], x[7], x[11], x[15]);
        QUARTER(x[0], x[5], x[10], x[15]);
        QUARTER(x[1], x[6], x[11], x[12]);
        QUARTER(x[2], x[7], x[8], x[13]);
        QUARTER(x[3], x[4], x[9], x[14]);
    }
    for (int i = 0; i < 16; i++) store32(out + 4 * i, x[i] + state[i]);
}

static void chacha_init(uint32_t state[16], const uint8_t key[32], const uint8_t nonce[12], uint32_t counter) {
    state[0] = 0x61707865, state[1] = 0x3320646e, state[2] = 0x79622d32, state[3] = 0x6b206574;
    for (int i = 0; i < 8; i++) state[4 + i] = load32(key + 4 * i);
    state[12] = counter;
    for (int i = 0; i < 3; i++) state[13 + i] = load32(nonce + 4 * i);
}

static void chacha_xor(uint32_t state[16], uint8_t *data, size_t len) {
    uint8_t stream[64];
    while (len > 0) {
        chacha_block(state, stream);
        state[12]++;
        size_t take = len < 64 ? len : 64;
        for (size_t i = 0; i < take; i++) data[i] ^= stream[i];
        data += take, len -= take;
    }
}

// ---- Poly1305 in five limbs of 26 bits ----------------------------------------------------------

typedef struct {
    uint32_t r[5], h[5];
    uint8_t pad[16];
} poly_t;

static void poly_init(poly_t *p, const uint8_t key[32]) {
    p->r[0] = load32(key) & 0x3ffffff;
    p->r[1] = load32(key + 3) >> 2 & 0x3ffff03;
    p->r[2] = load32(key + 6) >> 4 & 0x3ffc0ff;
    p->r[3] = load32(key + 9) >> 6 & 0x3f03fff;
    p->r[4] = load32(key + 12) >> 8 & 0x00fffff;
    memset(p->h, 0, sizeof p->h);
    memcpy(p->pad, key + 16, 16);
}

// The RFC's construction pads every part to 16 bytes, so all blocks are full ones.
static void poly_blocks(poly_t *p, const uint8_t *m, size_t len) {
    const uint32_t r0 = p->r[0], r1 = p->r[1], r2 = p->r[2], r3 = p->r[3], r4 = p->r[4];
    const uint32_t s1 = 5 * r1, s2 = 5 * r2, s3 = 5 * r3, s4 = 5 * r4;
    uint32_t h0 = p->h[0], h1 = p->h[1], h2 = p->h[2], h3 = p->h[3], h4 = p->h[4];
    for (; len >= 16; m += 16, len -= 16) {
        h0 += load32(m) & 0x3ffffff;
        h1 += load32(m + 3) >> 2 & 0x3ffffff;
        h2 += load32(m + 6) >> 4 & 0x3ffffff;
        h3 += load32(m + 9) >> 6;
        h4 += load32(m + 12) >> 8 | 1u << 24;
        uint64_t d0 = (uint64_t)h0 * r0 + (uint64_t)h1 * s4 + (uint64_t)h2 * s3 + (uint64_t)h3 * s2 + (uint64_t)h4 * s1;
        uint64_t d1 = (uint64_t)h0 * r1 + (uint64_t)h1 * r0 + (uint64_t)h2 * s4 + (uint64_t)h3 * s3 + (uint64_t)h4 * s2;
        uint64_t d2 = (uint64_t)h0 * r2 + (uint64_t)h1 * r1 + (uint64_t)h2 * r0 + (uint64_t)h3 * s4 + (uint64_t)h4 * s3;
        uint64_t d3 = (uint64_t)h0 * r3 + (uint64_t)h1 * r2 + (uint64_t)h2 * r1 + (uint64_t)h3 * r0 + (uint64_t)h4 * s4;
        uint64_t d4 = (uint64_t)h0 * r4 + (uint64_t)h1 * r3 + (uint64_t)h2 * r2 + (uint64_t)h3 * r1 + (uint64_t)h4 * r0;
        d1 += d0 >> 26, h0 = (uint32_t)d0 & 0x3ffffff;
        d2 += d1 >> 26, h1 = (uint32_t)d1 & 0x3ffffff;
        d3 += d2 >> 26, h2 = (uint32_t)d2 & 0x3ffffff;
        d4 += d3 >> 26, h3 = (uint32_t)d3 & 0x3ffffff;
        h0 += (uint32_t)(d4 >> 26) * 5, h4 = (uint32_t)d4 & 0x3ffffff;
        h1 += h0 >> 26, h0 &= 0x3ffffff;
    }
    p->h[0] = h0, p->h[1] = h1, p->h[2] = h2, p->h[3] = h3, p->h[4] = h4;
}

static void poly_padded(poly_t *p, const uint8_t *m, size_t len) {
    poly_blocks(p, m, len);
    if (len % 16) {
        uint8_t block[16] = {0};
        memcpy(block, m + len / 16 * 16, len % 16);
        poly_blocks(p, block, 16);
    }
}

static void poly_finish(poly_t *p, uint8_t tag[16]) {
    uint32_t *h = p->h, carry = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < 5; i++) {
            h[i] += carry;
            carry = h[i] >> 26;
            h[i] &= 0x3ffffff;
        }
        carry *= 5;
    }
    h[0] += carry;
    // h - (2^130 - 5), taken instead of h if it is not negative; no branch depends on the key.
    uint32_t g[5];
    carry = 5;
    for (int i = 0; i < 5; i++) {
        g[i] = h[i] + carry;
        carry = g[i] >> 26;
        g[i] &= 0x3ffffff;
    }
    uint32_t mask = 0 - carry;
    for (int i = 0; i < 5; i++) h[i] = (h[i] & ~mask) | (g[i] & mask);
    uint32_t words[4] = {h[0] | h[1] << 26, h[1] >> 6 | h[2] << 20, h[2] >> 12 | h[3] << 14, h[3] >> 18 | h[4] << 8};
    uint64_t sum = 0;
    for (int i = 0; i < 4; i++) {
        sum = (sum >> 32) + words[i] + load32(p->pad + 4 * i);
        store32(tag + 4 * i, (uint32_t)sum);
    }
}

// ---- Sealing and opening ------------------------------------------------------------------------

static void authenticate(const uint8_t key[32], const uint8_t nonce[12], const uint8_t *extra, size_t extra_len,
                         const uint8_t *data, size_t len, uint8_t tag[16]) {
    uint32_t state[16];
    uint8_t block[64], lengths[16];
    chacha_init(state, key, nonce, 0);
    chacha_block(state, block);
    poly_t poly;
    poly_init(&poly, block);
    poly_padded(&poly, extra, extra_len);
    poly_padded(&poly, data, len);
    store64(lengths, extra_len);
    store64(lengths + 8, len);
    poly_blocks(&poly, lengths, 16);
    poly_finish(&poly, tag);
}

static void xor_stream(const uint8_t key[32], const uint8_t nonce[12], uint8_t *data, size_t len) {
    uint32_t state[16];
    chacha_init(state, key, nonce, 1);
    chacha_xor(state, data, len);
}

static bool open_record(const uint8_t key[32], const uint8_t nonce[12], const uint8_t *extra, size_t extra_len,
                        uint8_t *data, size_t len, const uint8_t tag[16]) {
    uint8_t expected[16], difference = 0;
    authenticate(key, nonce, extra, extra_len, data, len, expected);
    for (int i = 0; i < 16; i++) difference |= expected[i] ^ tag[i];
    if (difference) return false;
    xor_stream(key, nonce, data, len);
    return true;
}

static uint8_t plain[1 << 22], work[1 << 22], key[32], last_tag[16];
static size_t total;
static uint32_t opened, refused;

void workload_setup(bool small) {
    total = small ? 1 << 16 : sizeof plain;
    for (size_t i = 0; i < total; i++) plain[i] = (uint8_t)rng_u64();
    for (int i = 0; i < 32; i++) key[i] = (uint8_t)(i * 7 + 1);
}

uint64_t workload_kernel(void) {
    const uint8_t extra[] = "record header";
    uint8_t nonce[12] = {0}, tag[16];
    uint64_t sum = 0;
    opened = refused = 0;
    memcpy(work, plain, total);
    size_t record = 1400;
    for (size_t at = 0; at < total; at += record, record = 1400 + at % 13000) {
        size_t len = total - at < record ? total - at : record;
        store64(nonce + 4, at);
        xor_stream(key, nonce, work + at, len);
        authenticate(key, nonce, extra, sizeof extra, work + at, len, tag);
        for (int i = 0; i < 16; i += 4) sum = mix(sum, load32(tag + i));
        tag[5] ^= 1;
        refused += !open_record(key, nonce, extra, sizeof extra, work + at, len, tag);
        tag[5] ^= 1;
        opened += open_record(key, nonce, extra, sizeof extra, work + at, len, tag);
    }
    memcpy(last_tag, tag, sizeof tag);
    return memcmp(work, plain, total) == 0 ? mix(sum, (uint64_t)opened << 32 | refused) : 0;
}

void workload_report(void) {
    out_field("opened", opened);
    out_field("refused", refused);
    out_field("last tag word", load32(last_tag));
    // The example of RFC 8439, section 2.8.2.
    const char text[] = "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
                        "future, sunscreen would be it.";
    const uint8_t extra[12] = {0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7};
    uint8_t nonce[12] = {7}, sealed[sizeof text], known_key[32], tag[16];
    for (int i = 0; i < 8; i++) nonce[4 + i] = (uint8_t)(0x40 + i);
    for (int i = 0; i < 32; i++) known_key[i] = (uint8_t)(0x80 + i);
    memcpy(sealed, text, sizeof text);
    xor_stream(known_key, nonce, sealed, sizeof text - 1);
    authenticate(known_key, nonce, extra, sizeof extra, sealed, sizeof text - 1, tag);
    out_str("known tag ");
    for (int i = 0; i < 16; i++) out_char("0123456789abcdef"[tag[i] >> 4]), out_char("0123456789abcdef"[tag[i] & 15]);
    out_char('\n');
}
