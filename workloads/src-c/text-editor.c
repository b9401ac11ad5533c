//@ flags: -mcpu=mvp
// A gap buffer under an editing session, built for the first version of WebAssembly: no bulk memory,
// no sign extension, no saturating conversion, so moves and fills are loops of the C library and
// narrow values are shifted. Typing, deleting, jumping, searching, undo and line wrapping.

#include "bench.h"

enum { CAPACITY = 1 << 18, HISTORY = 4096 };

typedef struct {
    uint8_t bytes[CAPACITY];
    uint32_t gap_start, gap_end;       // the gap is [gap_start, gap_end)
} buffer_t;

typedef struct {
    uint32_t at;
    int16_t delta;                     // inserted if positive, deleted if negative
    uint8_t text[16];
} edit_t;

static buffer_t buffer;
static edit_t history[HISTORY];
static uint32_t history_len, undone;

static uint32_t length(const buffer_t *b) { return CAPACITY - (b->gap_end - b->gap_start); }

static uint8_t byte_at(const buffer_t *b, uint32_t at) {
    return at < b->gap_start ? b->bytes[at] : b->bytes[at + (b->gap_end - b->gap_start)];
}

static void move_gap(buffer_t *b, uint32_t at) {
    if (at < b->gap_start) {
        uint32_t n = b->gap_start - at;
        memmove(b->bytes + b->gap_end - n, b->bytes + at, n);
        b->gap_start -= n, b->gap_end -= n;
    } else if (at > b->gap_start) {
        uint32_t n = at - b->gap_start;
        memmove(b->bytes + b->gap_start, b->bytes + b->gap_end, n);
        b->gap_start += n, b->gap_end += n;
    }
}

static void insert(buffer_t *b, uint32_t at, const uint8_t *text, uint32_t n) {
    if (b->gap_end - b->gap_start < n) return;
    move_gap(b, at);
    memcpy(b->bytes + b->gap_start, text, n);
    b->gap_start += n;
}

static void erase(buffer_t *b, uint32_t at, uint32_t n) {
    move_gap(b, at);
    b->gap_end += n;
}

static void record(uint32_t at, int delta, const uint8_t *text) {
    edit_t *e = &history[history_len++ % HISTORY];
    e->at = at;
    e->delta = (int16_t)delta;
    memcpy(e->text, text, (size_t)(delta < 0 ? -delta : delta));
}

static void undo(buffer_t *b) {
    if (history_len == 0) return;
    edit_t *e = &history[--history_len % HISTORY];
    if (e->delta > 0) erase(b, e->at, (uint32_t)e->delta);
    else insert(b, e->at, e->text, (uint32_t)-e->delta);
    undone++;
}

// The first occurrence at or after `from`, by skipping on the last byte, or the length.
static uint32_t find(const buffer_t *b, uint32_t from, const uint8_t *what, uint32_t n) {
    uint8_t skip[256];
    uint32_t len = length(b);
    memset(skip, (int)n, sizeof skip);
    for (uint32_t i = 0; i + 1 < n; i++) skip[what[i]] = (uint8_t)(n - 1 - i);
    for (uint32_t at = from; at + n <= len; at += skip[byte_at(b, at + n - 1)]) {
        uint32_t i = n;
        while (i > 0 && byte_at(b, at + i - 1) == what[i - 1]) i--;
        if (i == 0) return at;
    }
    return len;
}

// Re-breaks lines longer than `width` at their last space; returns the number of lines.
static uint32_t wrap(buffer_t *b, uint32_t from, uint32_t to, uint32_t width) {
    uint32_t lines = 0, column = 0, space = UINT32_MAX;
    if (to > length(b)) to = length(b);
    for (uint32_t at = from; at < to; at++) {
        uint8_t c = byte_at(b, at);
        if (c == ' ') space = at;
        if (c == '\n') {
            lines++, column = 0, space = UINT32_MAX;
        } else if (++column > width && space != UINT32_MAX) {
            erase(b, space, 1);
            insert(b, space, (const uint8_t *)"\n", 1);
            lines++, column = at - space, space = UINT32_MAX;
        }
    }
    return lines;
}

static uint32_t start_len, edits, lines, replaced;

void workload_setup(bool small) {
    start_len = small ? 4000 : 60000;
    edits = small ? 3000 : 36000;
}

uint64_t workload_kernel(void) {
    static const char *const words[] = {"gap ", "buffer ", "moves ", "text ", "lazily ", "while ", "you ", "type ", "on "};
    rng_seed(1234);
    buffer.gap_start = 0, buffer.gap_end = CAPACITY;
    history_len = undone = lines = replaced = 0;
    while (length(&buffer) < start_len) {
        const char *word = words[rng_below(9)];
        insert(&buffer, length(&buffer), (const uint8_t *)word, (uint32_t)strlen(word));
    }
    uint32_t cursor = 0;
    for (uint32_t i = 0; i < edits; i++) {
        uint32_t len = length(&buffer), what = rng_below(20);
        if (what < 3) cursor = rng_below(len);                       // jump
        if (what < 12) {                                             // type a word
            const char *word = words[rng_below(9)];
            uint32_t n = (uint32_t)strlen(word);
            insert(&buffer, cursor, (const uint8_t *)word, n);
            record(cursor, (int)n, (const uint8_t *)word);
            cursor += n;
        } else if (what < 16) {                                      // delete a few bytes
            uint8_t gone[16];
            uint32_t n = 1 + rng_below(12);
            if (cursor + n > len) cursor = len - n;
            for (uint32_t k = 0; k < n; k++) gone[k] = byte_at(&buffer, cursor + k);
            record(cursor, -(int)n, gone);
            erase(&buffer, cursor, n);
        } else if (what < 18) {
            for (uint32_t k = rng_below(6); k > 0; k--) undo(&buffer);
            cursor = rng_below(length(&buffer));
        } else if (what == 18) {                                     // replace the next match
            uint32_t at = find(&buffer, cursor, (const uint8_t *)"lazily ", 7);
            if (at + 7 <= length(&buffer)) {
                erase(&buffer, at, 7);
                insert(&buffer, at, (const uint8_t *)"eagerly ", 8);
                history_len = 0;                                     // a replacement cannot be undone
                replaced++;
                cursor = at;
            }
        } else {
            lines += wrap(&buffer, cursor, cursor + 2000, 72);
        }
    }
    uint64_t sum = mix((uint64_t)undone << 32 | lines, replaced);
    for (uint32_t at = 0; at < length(&buffer); at++) sum = (sum ^ byte_at(&buffer, at)) * 0x100000001b3u;
    return sum ^ sum >> 32;
}

void workload_report(void) {
    out_field("length", length(&buffer));
    out_field("undone", undone);
    out_field("replaced", replaced);
    out_field("lines", lines);
}
