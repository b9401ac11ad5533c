// Indirect calls through function pointers: an event loop whose handlers are looked up in a table, a
// generic sort with a comparison callback, and a state machine whose states are functions that return
// the next one.

#include "bench.h"

// ---- Event loop ---------------------------------------------------------------------------------

typedef struct {
    uint8_t kind, priority;
    uint16_t source;
    uint32_t value;
} event_t;

typedef struct {
    uint64_t accumulator, handled[8];
} context_t;

typedef void (*handler_t)(context_t *, const event_t *);

static void on_add(context_t *c, const event_t *e) { c->accumulator += e->value; }
static void on_subtract(context_t *c, const event_t *e) { c->accumulator -= e->value; }
static void on_rotate(context_t *c, const event_t *e) {
    c->accumulator = c->accumulator << (e->value % 63 + 1) | c->accumulator >> (63 - e->value % 63);
}
static void on_scale(context_t *c, const event_t *e) { c->accumulator *= e->value | 1; }
static void on_mask(context_t *c, const event_t *e) { c->accumulator ^= (uint64_t)e->value << 32 | e->source; }
static void on_count(context_t *c, const event_t *e) { c->handled[7] += e->priority; }
static void on_fold(context_t *c, const event_t *e) { c->accumulator = mix(c->accumulator, e->value); }
static void on_nothing(context_t *c, const event_t *e) { (void)c, (void)e; }

static handler_t handlers[8] = {on_add, on_subtract, on_rotate, on_scale, on_mask, on_count, on_fold, on_nothing};

// ---- Generic sort -------------------------------------------------------------------------------

typedef int (*compare_t)(const void *, const void *);

static int by_value(const void *x, const void *y) {
    const event_t *a = x, *b = y;
    return (a->value > b->value) - (a->value < b->value);
}

static int by_source(const void *x, const void *y) {
    const event_t *a = x, *b = y;
    return a->source != b->source ? a->source - b->source : by_value(x, y);
}

static int by_kind(const void *x, const void *y) {
    const event_t *a = x, *b = y;
    return a->kind != b->kind ? b->kind - a->kind : by_source(x, y);
}

static const compare_t orders[3] = {by_value, by_source, by_kind};

// Heap sort over untyped elements, as a C library would offer it.
static void swap(uint8_t *a, uint8_t *b, size_t size) {
    for (; size > 0; size--) {
        uint8_t t = *a;
        *a++ = *b;
        *b++ = t;
    }
}

static void sift(uint8_t *base, size_t at, size_t count, size_t size, compare_t compare) {
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && compare(base + child * size, base + (child + 1) * size) < 0) child++;
        if (compare(base + at * size, base + child * size) >= 0) return;
        swap(base + at * size, base + child * size, size);
    }
}

static void generic_sort(void *array, size_t count, size_t size, compare_t compare) {
    uint8_t *base = array;
    for (size_t i = count / 2; i-- > 0;) sift(base, i, count, size, compare);
    for (size_t end = count; end-- > 1;) {
        swap(base, base + end * size, size);
        sift(base, 0, end, size, compare);
    }
}

// ---- State machine ------------------------------------------------------------------------------

// Scans text into words, numbers and quoted strings; each state consumes one character.
typedef struct { uint32_t words, numbers, strings, escapes; } tally_t;
typedef struct state { struct state (*next)(tally_t *, uint8_t); } state_t;

static state_t in_space(tally_t *, uint8_t);

static state_t in_word(tally_t *t, uint8_t c) {
    return c > ' ' && c != '"' ? (state_t){in_word} : in_space(t, c);
}
static state_t in_number(tally_t *t, uint8_t c) {
    return c >= '0' && c <= '9' ? (state_t){in_number} : in_space(t, c);
}
static state_t in_string(tally_t *, uint8_t);
static state_t in_escape(tally_t *t, uint8_t c) {
    t->escapes += c != 0;
    return (state_t){in_string};
}
static state_t in_string(tally_t *t, uint8_t c) {
    (void)t;
    return (state_t){c == '"' ? in_space : c == '\\' ? in_escape : in_string};
}
static state_t in_space(tally_t *t, uint8_t c) {
    if (c == '"') return t->strings++, (state_t){in_string};
    if (c >= '0' && c <= '9') return t->numbers++, (state_t){in_number};
    if (c > ' ') return t->words++, (state_t){in_word};
    return (state_t){in_space};
}

// ---- The workload -------------------------------------------------------------------------------

enum { EVENTS_MAX = 1 << 15, TEXT_MAX = 1 << 18 };

static event_t events[EVENTS_MAX], sorted[EVENTS_MAX];
static uint8_t text[TEXT_MAX];
static uint32_t events_len, text_len, rounds;
static context_t context;
static tally_t tally;

void workload_setup(bool small) {
    events_len = small ? 1000 : 14000;
    text_len = small ? 1 << 13 : TEXT_MAX;
    rounds = small ? 20 : 80;
    for (uint32_t i = 0; i < events_len; i++)
        events[i] = (event_t){(uint8_t)rng_below(8), (uint8_t)rng_below(4), (uint16_t)rng_below(100), rng_below(1u << 30)};
    for (uint32_t i = 0; i < text_len; i++) text[i] = (uint8_t)"  \n\"\\abcdefgh0123456789"[rng_below(23)];
}

uint64_t workload_kernel(void) {
    uint64_t sum = 0;
    context = (context_t){0};
    for (uint32_t round = 0; round < rounds; round++)
        for (uint32_t i = 0; i < events_len; i++) handlers[events[i].kind](&context, &events[i]);
    sum = mix(context.accumulator, context.handled[7]);

    for (int o = 0; o < 3; o++) {
        memcpy(sorted, events, events_len * sizeof *events);
        generic_sort(sorted, events_len, sizeof *sorted, orders[o]);
        for (uint32_t i = 0; i < events_len; i += 7) sum = mix(sum, sorted[i].value);
    }

    tally = (tally_t){0};
    state_t state = {in_space};
    for (uint32_t i = 0; i < text_len; i++) state = state.next(&tally, text[i]);
    return mix(mix(sum, (uint64_t)tally.words << 32 | tally.numbers), (uint64_t)tally.strings << 32 | tally.escapes);
}

void workload_report(void) {
    out_field("words", tally.words);
    out_field("numbers", tally.numbers);
    out_field("strings", tally.strings);
}
