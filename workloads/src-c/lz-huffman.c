// A general-purpose compressor and its decompressor: LZ77 with hash chains and lazy matching, then
// canonical Huffman codes (at most 15 bits) for literals, lengths and distances, block by block.
// The kernel compresses a synthetic log file and unpacks it again; the round trip must be exact.
//
// Stream: blocks of up to BLOCK_TOKENS tokens. Each block starts with a bit "last", then the code
// lengths of both alphabets in 4 bits each, then tokens up to the end-of-block symbol. Lengths and
// distances use a bucket symbol plus extra bits: bucket b >= 2 covers [2^(b/2) (1 + (b%2)/2), ...).

#include "bench.h"

enum {
    MIN_MATCH = 4,
    MAX_MATCH = 258,
    WINDOW = 1 << 15,
    HASH_BITS = 14,
    CHAIN_MAX = 24,
    GOOD_MATCH = 32,       // long enough that looking for a better one is not worth it
    BLOCK_TOKENS = 1 << 14,
    END_OF_BLOCK = 256,
    LENGTH_BASE = 257,
    LENGTH_BUCKETS = 16,
    LITERAL_SYMBOLS = LENGTH_BASE + LENGTH_BUCKETS,
    DISTANCE_SYMBOLS = 30,
    CODE_MAX = 15,
    INPUT_MAX = 1 << 21,
};

// ---- Bits ---------------------------------------------------------------------------------------

typedef struct {
    uint8_t *bytes;
    size_t at;
    uint64_t bits;
    int have;
} bit_writer_t;

static void put_bits(bit_writer_t *w, uint32_t value, int count) {
    w->bits |= (uint64_t)value << w->have;
    w->have += count;
    while (w->have >= 8) {
        w->bytes[w->at++] = (uint8_t)w->bits;
        w->bits >>= 8;
        w->have -= 8;
    }
}

static void finish_bits(bit_writer_t *w) {
    if (w->have > 0) w->bytes[w->at++] = (uint8_t)w->bits;
    w->bits = 0, w->have = 0;
}

typedef struct {
    const uint8_t *bytes;
    size_t at, len;
    uint64_t bits;
    int have;
} bit_reader_t;

// Makes at least `count` <= 32 bits available; past the end they are zero.
static void need_bits(bit_reader_t *r, int count) {
    while (r->have < count) {
        uint64_t byte = r->at < r->len ? r->bytes[r->at] : 0;
        r->at++;
        r->bits |= byte << r->have;
        r->have += 8;
    }
}

static uint32_t get_bits(bit_reader_t *r, int count) {
    need_bits(r, count);
    uint32_t value = (uint32_t)(r->bits & ((1u << count) - 1));
    r->bits >>= count;
    r->have -= count;
    return value;
}

// ---- Huffman codes ------------------------------------------------------------------------------

typedef struct {
    uint8_t length[LITERAL_SYMBOLS];
    uint16_t code[LITERAL_SYMBOLS];    // bit-reversed, so that it can be written low bit first
} encoder_t;

typedef struct {
    uint32_t weight;
    int16_t left, right;               // children, or -1 and the symbol
} node_t;

static node_t nodes[2 * LITERAL_SYMBOLS];

static void sift_down(int16_t *heap, int count, int at) {
    int16_t moving = heap[at];
    for (;;) {
        int child = 2 * at + 1;
        if (child >= count) break;
        if (child + 1 < count && nodes[heap[child + 1]].weight < nodes[heap[child]].weight) child++;
        if (nodes[heap[child]].weight >= nodes[moving].weight) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moving;
}

static void assign_depths(int16_t root, uint8_t *length, int depth) {
    node_t *n = &nodes[root];
    if (n->left < 0) {
        length[n->right] = (uint8_t)(depth == 0 ? 1 : depth);
        return;
    }
    assign_depths(n->left, length, depth + 1);
    assign_depths(n->right, length, depth + 1);
}

static int deepest(const uint8_t *length, int symbols) {
    int max = 0;
    for (int i = 0; i < symbols; i++)
        if (length[i] > max) max = length[i];
    return max;
}

// Code lengths for the given frequencies. When a code gets too long, the frequencies are flattened
// and the tree is built again: a little worse than optimal, and simple.
static void build_lengths(const uint32_t *frequency, int symbols, uint8_t *length) {
    int16_t heap[LITERAL_SYMBOLS];
    for (uint32_t flatten = 0;; flatten++) {
        int count = 0, used = 0;
        for (int i = 0; i < symbols; i++) {
            length[i] = 0;
            if (frequency[i] == 0) continue;
            nodes[used] = (node_t){(frequency[i] >> flatten) + 1, -1, (int16_t)i};
            heap[count++] = (int16_t)used++;
        }
        if (count == 0) return;
        for (int i = count / 2 - 1; i >= 0; i--) sift_down(heap, count, i);
        while (count > 1) {
            int16_t a = heap[0];
            heap[0] = heap[--count];
            sift_down(heap, count, 0);
            int16_t b = heap[0];
            nodes[used] = (node_t){nodes[a].weight + nodes[b].weight, a, b};
            heap[0] = (int16_t)used++;
            sift_down(heap, count, 0);
        }
        assign_depths(heap[0], length, 0);
        if (deepest(length, symbols) <= CODE_MAX) return;
    }
}

static uint16_t reversed(uint32_t code, int length) {
    uint32_t r = 0;
    for (int i = 0; i < length; i++) r |= (code >> i & 1) << (length - 1 - i);
    return (uint16_t)r;
}

static void first_codes(const uint8_t *length, int symbols, uint32_t first[CODE_MAX + 1], uint32_t count[CODE_MAX + 1]) {
    memset(count, 0, (CODE_MAX + 1) * sizeof count[0]);
    for (int i = 0; i < symbols; i++) count[length[i]]++;
    count[0] = 0;
    uint32_t code = 0;
    first[0] = 0;
    for (int bits = 1; bits <= CODE_MAX; bits++) {
        code = (code + count[bits - 1]) << 1;
        first[bits] = code;
    }
}

static void build_encoder(encoder_t *e, const uint32_t *frequency, int symbols) {
    build_lengths(frequency, symbols, e->length);
    uint32_t next[CODE_MAX + 1], count[CODE_MAX + 1];
    first_codes(e->length, symbols, next, count);
    for (int i = 0; i < symbols; i++)
        if (e->length[i]) e->code[i] = reversed(next[e->length[i]]++, e->length[i]);
}

typedef struct {
    uint16_t entry[1 << CODE_MAX];     // symbol << 4 | length, indexed by the next CODE_MAX bits
    int bits;                          // the longest code: the table's index width
} decoder_t;

static void build_decoder(decoder_t *d, const uint8_t *length, int symbols) {
    uint32_t next[CODE_MAX + 1], count[CODE_MAX + 1];
    first_codes(length, symbols, next, count);
    d->bits = deepest(length, symbols);
    for (int i = 0; i < symbols; i++) {
        int n = length[i];
        if (n == 0) continue;
        uint32_t code = reversed(next[n]++, n);
        for (uint32_t at = code; at < 1u << d->bits; at += 1u << n) d->entry[at] = (uint16_t)(i << 4 | n);
    }
}

static int decode(const decoder_t *d, bit_reader_t *r) {
    need_bits(r, CODE_MAX);
    uint16_t entry = d->entry[r->bits & ((1u << d->bits) - 1)];
    r->bits >>= entry & 15;
    r->have -= entry & 15;
    return entry >> 4;
}

// ---- Buckets ------------------------------------------------------------------------------------

static int bucket_of(uint32_t value) {
    if (value < 2) return (int)value;
    int top = 31 - __builtin_clz(value);
    return 2 * top + (int)(value >> (top - 1) & 1);
}

static int bucket_bits(int bucket) { return bucket < 4 ? 0 : bucket / 2 - 1; }

static uint32_t bucket_base(int bucket) {
    return bucket < 2 ? (uint32_t)bucket : (uint32_t)(2 + (bucket & 1)) << (bucket / 2 - 1);
}

// ---- Compression --------------------------------------------------------------------------------

typedef struct {
    uint16_t length;                   // 0 for a literal
    uint16_t value;                    // the literal, or the distance - 1
} token_t;

static token_t tokens[BLOCK_TOKENS];
static int32_t head[1 << HASH_BITS], chain[WINDOW];

static uint32_t hash_at(const uint8_t *p) {
    uint32_t v = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    return v * 2654435761u >> (32 - HASH_BITS);
}

static void insert(const uint8_t *in, size_t at) {
    uint32_t h = hash_at(in + at);
    chain[at % WINDOW] = head[h];
    head[h] = (int32_t)at;
}

static int longest_match(const uint8_t *in, size_t len, size_t at, int better_than, size_t *distance) {
    int best = better_than;
    size_t max = len - at < MAX_MATCH ? len - at : MAX_MATCH;
    int32_t candidate = head[hash_at(in + at)];
    for (int tries = CHAIN_MAX; tries > 0 && candidate >= 0 && at - (size_t)candidate < WINDOW; tries--) {
        const uint8_t *a = in + candidate, *b = in + at;
        if ((size_t)best < max && a[best] == b[best]) {
            size_t n = 0;
            while (n < max && a[n] == b[n]) n++;
            if ((int)n > best) {
                best = (int)n;
                *distance = at - (size_t)candidate;
                if (n == max) break;
            }
        }
        candidate = chain[(size_t)candidate % WINDOW];
    }
    return best;
}

static void write_block(bit_writer_t *w, int count, bool last) {
    static uint32_t literal_frequency[LITERAL_SYMBOLS], distance_frequency[DISTANCE_SYMBOLS];
    static encoder_t literals, distances;
    memset(literal_frequency, 0, sizeof literal_frequency);
    memset(distance_frequency, 0, sizeof distance_frequency);
    for (int i = 0; i < count; i++) {
        if (tokens[i].length == 0) {
            literal_frequency[tokens[i].value]++;
        } else {
            literal_frequency[LENGTH_BASE + bucket_of(tokens[i].length - MIN_MATCH)]++;
            distance_frequency[bucket_of(tokens[i].value)]++;
        }
    }
    literal_frequency[END_OF_BLOCK] = 1;
    build_encoder(&literals, literal_frequency, LITERAL_SYMBOLS);
    build_encoder(&distances, distance_frequency, DISTANCE_SYMBOLS);

    put_bits(w, last, 1);
    for (int i = 0; i < LITERAL_SYMBOLS; i++) put_bits(w, literals.length[i], 4);
    for (int i = 0; i < DISTANCE_SYMBOLS; i++) put_bits(w, distances.length[i], 4);
    for (int i = 0; i < count; i++) {
        if (tokens[i].length == 0) {
            put_bits(w, literals.code[tokens[i].value], literals.length[tokens[i].value]);
            continue;
        }
        uint32_t length = tokens[i].length - MIN_MATCH, distance = tokens[i].value;
        int lb = bucket_of(length), db = bucket_of(distance);
        put_bits(w, literals.code[LENGTH_BASE + lb], literals.length[LENGTH_BASE + lb]);
        put_bits(w, length - bucket_base(lb), bucket_bits(lb));
        put_bits(w, distances.code[db], distances.length[db]);
        put_bits(w, distance - bucket_base(db), bucket_bits(db));
    }
    put_bits(w, literals.code[END_OF_BLOCK], literals.length[END_OF_BLOCK]);
}

static size_t compress(const uint8_t *in, size_t len, uint8_t *out) {
    bit_writer_t w = {.bytes = out};
    for (size_t i = 0; i < 1 << HASH_BITS; i++) head[i] = -1;
    int count = 0;
    size_t at = 0;
    while (at < len) {
        if (count == BLOCK_TOKENS) {
            write_block(&w, count, false);
            count = 0;
        }
        size_t distance = 0;
        int length = 0;
        if (at + MIN_MATCH <= len) {
            length = longest_match(in, len, at, MIN_MATCH - 1, &distance);
            insert(in, at);
        }
        // Lazy matching: if the next position starts a longer match, a literal here is cheaper.
        if (length >= MIN_MATCH && length < GOOD_MATCH && at + 1 + MIN_MATCH <= len) {
            size_t later;
            if (longest_match(in, len, at + 1, length, &later) > length) length = 0;
        }
        if (length < MIN_MATCH) {
            tokens[count++] = (token_t){0, in[at++]};
            continue;
        }
        tokens[count++] = (token_t){(uint16_t)length, (uint16_t)(distance - 1)};
        for (size_t end = at + (size_t)length; ++at < end;)
            if (at + MIN_MATCH <= len) insert(in, at);
    }
    write_block(&w, count, true);
    finish_bits(&w);
    return w.at;
}

// ---- Decompression ------------------------------------------------------------------------------

static size_t decompress(const uint8_t *in, size_t len, uint8_t *out) {
    static decoder_t literals, distances;
    bit_reader_t r = {.bytes = in, .len = len};
    size_t at = 0;
    bool last;
    do {
        last = get_bits(&r, 1);
        uint8_t length[LITERAL_SYMBOLS];
        for (int i = 0; i < LITERAL_SYMBOLS; i++) length[i] = (uint8_t)get_bits(&r, 4);
        build_decoder(&literals, length, LITERAL_SYMBOLS);
        for (int i = 0; i < DISTANCE_SYMBOLS; i++) length[i] = (uint8_t)get_bits(&r, 4);
        build_decoder(&distances, length, DISTANCE_SYMBOLS);
        for (;;) {
            int symbol = decode(&literals, &r);
            if (symbol < END_OF_BLOCK) {
                out[at++] = (uint8_t)symbol;
                continue;
            }
            if (symbol == END_OF_BLOCK) break;
            int lb = symbol - LENGTH_BASE;
            size_t run = MIN_MATCH + bucket_base(lb) + get_bits(&r, bucket_bits(lb));
            int db = decode(&distances, &r);
            size_t distance = 1 + bucket_base(db) + get_bits(&r, bucket_bits(db));
            // Overlapping on purpose: a distance shorter than the run repeats what was just written.
            for (const uint8_t *from = out + at - distance; run > 0; run--) out[at++] = *from++;
        }
    } while (!last);
    return at;
}

// ---- The workload -------------------------------------------------------------------------------

static uint8_t input[INPUT_MAX], packed[INPUT_MAX + 4096], unpacked[INPUT_MAX + 4096];
static size_t input_len, packed_len, unpacked_len;

static void append(const char *text) {
    while (*text && input_len < INPUT_MAX) input[input_len++] = (uint8_t)*text++;
}

static void append_number(uint32_t n) {
    char digits[12];
    int at = 11;
    digits[at] = 0;
    do digits[--at] = (char)('0' + n % 10);
    while (n /= 10);
    append(digits + at);
}

void workload_setup(bool small) {
    static const char *const method[] = {"GET", "GET", "GET", "POST", "PUT", "DELETE"};
    static const char *const path[] = {"/", "/index.html", "/api/v2/items/", "/api/v2/users/", "/static/app.js",
                                       "/static/style.css", "/search?q=", "/images/logo.svg", "/login"};
    static const char *const agent[] = {"curl/8.5", "Mozilla/5.0 (X11; Linux x86_64)", "bot/1.1 (+crawler)"};
    size_t want = small ? 48000 : 1600000;
    uint32_t time = 1700000000;
    while (input_len + 256 < want) {
        time += rng_below(3);
        append_number(time);
        append(" 10."), append_number(rng_below(4)), append("."), append_number(rng_below(256)), append(" ");
        append(method[rng_below(6)]), append(" ");
        uint32_t p = rng_below(9);
        append(path[p]);
        if (p == 2 || p == 3 || p == 6) append_number(rng_below(5000));
        append(" 200 "), append_number(rng_below(60000));
        append(" \""), append(agent[rng_below(3)]), append("\"\n");
    }
}

uint64_t workload_kernel(void) {
    packed_len = compress(input, input_len, packed);
    unpacked_len = decompress(packed, packed_len, unpacked);
    if (unpacked_len != input_len || memcmp(input, unpacked, input_len) != 0) return 0;
    return mix_bytes(packed_len, packed, packed_len);
}

void workload_report(void) {
    out_field("input", input_len);
    out_field("packed", packed_len);
    out_field("unpacked", unpacked_len);
}
