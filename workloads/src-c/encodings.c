// Text and byte encodings: strict UTF-8 validation and conversion to UTF-16 and back, base64 both
// ways, CRC-32 by tables of eight, and Adler-32. Byte loads, small tables, shifts and well-predicted
// branches with rare exceptions.

#include "bench.h"

enum { TEXT_MAX = 1 << 20 };

static uint8_t text[TEXT_MAX], again[TEXT_MAX + 8], coded[TEXT_MAX * 4 / 3 + 8];
static uint16_t wide[TEXT_MAX];
static size_t text_len, wide_len, again_len, coded_len;
static uint32_t crc_table[8][256], rejected;

// Returns the code point at *at and moves on, or -1 for anything the standard forbids.
static int32_t next_code_point(const uint8_t *s, size_t len, size_t *at) {
    uint8_t lead = s[*at];
    if (lead < 0x80) {
        (*at)++;
        return lead;
    }
    int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4 || len - *at <= (size_t)more) return -1;
    int32_t code = lead & (0x3f >> more);
    for (int i = 1; i <= more; i++) {
        uint8_t c = s[*at + (size_t)i];
        if ((c & 0xc0) != 0x80) return -1;
        code = code << 6 | (c & 0x3f);
    }
    static const int32_t smallest[4] = {0, 0x80, 0x800, 0x10000};
    if (code < smallest[more] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return -1;
    *at += (size_t)more + 1;
    return code;
}

static bool to_utf16(const uint8_t *s, size_t len) {
    wide_len = 0;
    for (size_t at = 0; at < len;) {
        int32_t code = next_code_point(s, len, &at);
        if (code < 0) return false;
        if (code < 0x10000) {
            wide[wide_len++] = (uint16_t)code;
        } else {
            wide[wide_len++] = (uint16_t)(0xd7c0 + (code >> 10));
            wide[wide_len++] = (uint16_t)(0xdc00 | (code & 0x3ff));
        }
    }
    return true;
}

static size_t put_code_point(uint8_t *out, uint32_t code) {
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    size_t more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    for (size_t i = more; i > 0; i--, code >>= 6) out[i] = (uint8_t)(0x80 | (code & 0x3f));
    out[0] = (uint8_t)(0xff00 >> (more + 1) | code);
    return more + 1;
}

static void to_utf8(void) {
    again_len = 0;
    for (size_t i = 0; i < wide_len; i++) {
        uint32_t code = wide[i];
        if (code >= 0xd800 && code < 0xdc00) code = 0x10000 + ((code - 0xd800) << 10) + (wide[++i] - 0xdc00u);
        again_len += put_code_point(again + again_len, code);
    }
}

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void to_base64(const uint8_t *s, size_t len) {
    coded_len = 0;
    for (size_t i = 0; i < len; i += 3) {
        uint32_t have = len - i < 3 ? (uint32_t)(len - i) : 3;
        uint32_t group = (uint32_t)s[i] << 16 | (have > 1 ? (uint32_t)s[i + 1] << 8 : 0) | (have > 2 ? s[i + 2] : 0u);
        for (uint32_t k = 0; k < 4; k++) coded[coded_len++] = k <= have ? (uint8_t)ALPHABET[group >> (18 - 6 * k) & 63] : '=';
    }
}

static bool from_base64(void) {
    static uint8_t values[256];
    memset(values, 255, sizeof values);
    for (uint8_t i = 0; i < 64; i++) values[(uint8_t)ALPHABET[i]] = i;
    again_len = 0;
    for (size_t i = 0; i < coded_len; i += 4) {
        uint32_t group = 0, padding = 0;
        for (size_t k = 0; k < 4; k++) {
            uint8_t c = coded[i + k], v = values[c];
            if (c == '=' && k >= 2) padding++, v = 0;
            else if (v == 255 || padding) return false;
            group = group << 6 | v;
        }
        again[again_len] = (uint8_t)(group >> 16), again[again_len + 1] = (uint8_t)(group >> 8), again[again_len + 2] = (uint8_t)group;
        again_len += 3 - padding;
    }
    return true;
}

static void build_crc_tables(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
        crc_table[0][i] = c;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int t = 1; t < 8; t++) crc_table[t][i] = crc_table[t - 1][i] >> 8 ^ crc_table[0][crc_table[t - 1][i] & 255];
}

static uint32_t crc32(const uint8_t *s, size_t len) {
    uint32_t c = ~0u;
    for (; len >= 8; s += 8, len -= 8) {
        uint32_t low = c ^ ((uint32_t)s[0] | (uint32_t)s[1] << 8 | (uint32_t)s[2] << 16 | (uint32_t)s[3] << 24);
        c = crc_table[7][low & 255] ^ crc_table[6][low >> 8 & 255] ^ crc_table[5][low >> 16 & 255] ^ crc_table[4][low >> 24] ^
            crc_table[3][s[4]] ^ crc_table[2][s[5]] ^ crc_table[1][s[6]] ^ crc_table[0][s[7]];
    }
    for (; len > 0; s++, len--) c = c >> 8 ^ crc_table[0][(c ^ *s) & 255];
    return ~c;
}

static uint32_t adler32(const uint8_t *s, size_t len) {
    uint32_t a = 1, b = 0;
    while (len > 0) {
        size_t n = len < 5552 ? len : 5552;    // the most for which b cannot overflow
        len -= n;
        for (; n > 0; n--) a += *s++, b += a;
        a %= 65521, b %= 65521;
    }
    return b << 16 | a;
}

static uint32_t crc, adler;
static int rounds;

void workload_setup(bool small) {
    size_t want = small ? 30000 : TEXT_MAX - 64;
    rounds = small ? 1 : 2;
    build_crc_tables();
    while (text_len < want) {
        // Mostly ASCII, in runs, as real text is.
        uint32_t script = rng_below(8);
        for (uint32_t run = 5 + rng_below(40); run > 0 && text_len < want; run--) {
            uint32_t code = script < 4 ? 32 + rng_below(95) : script < 6 ? 0x400 + rng_below(0x100)
                          : script < 7 ? 0x4e00 + rng_below(0x5000) : 0x1f300 + rng_below(0x300);
            text_len += put_code_point(text + text_len, code);
        }
    }
}

uint64_t workload_kernel(void) {
    static const uint8_t wrong[6][4] = {{0xc0, 0x80}, {0xed, 0xa0, 0x80}, {0xf4, 0x90, 0x80, 0x80}, {0xe2, 0x28}, {0x80}, {0xf0, 0x80, 0x80, 0x80}};
    uint64_t sum = 0;
    for (int round = 0; round < rounds; round++) {
        if (!to_utf16(text, text_len)) return 0;
        to_utf8();
        if (again_len != text_len || memcmp(text, again, text_len) != 0) return 0;
        rejected = 0;
        for (int i = 0; i < 6; i++) {
            uint8_t kept[4];
            size_t at = text_len - 4;
            memcpy(kept, text + at, 4);
            memcpy(text + at, wrong[i], 4);
            rejected += !to_utf16(text, text_len);
            memcpy(text + at, kept, 4);
        }
        to_base64(text, text_len);
        if (!from_base64() || again_len != text_len || memcmp(text, again, text_len) != 0) return 0;
        crc = crc32(text, text_len);
        adler = adler32(coded, coded_len);
        sum = mix(mix(sum, (uint64_t)crc << 32 | adler), (uint64_t)wide_len << 8 | rejected);
    }
    return sum;
}

void workload_report(void) {
    out_field("crc32(123456789)", crc32((const uint8_t *)"123456789", 9));
    out_field("utf-16 units", wide_len);
    out_field("rejected", rejected);
}
