//@ flags: --target=wasm64-freestanding -mbulk-memory -nostdlib -Wl,--no-entry -Wl,-z,stack-size=65536
// A column store in 64-bit memory: rows are appended to columns that grow page by page, indexed by an
// open-addressing hash table, filtered, joined and aggregated. Compiled for wasm64: every pointer and
// size is 64 bits wide. It has no C library; the bench header provides what it needs.

#include "bench.h"

enum { PAGE = 65536 };

// ---- A bump allocator over memory.grow ----------------------------------------------------------

#if defined(__wasm64__)
extern unsigned char __heap_base;

static uint8_t *heap_at, *heap_end;

static void *allocate(size_t bytes) {
    if (!heap_at) {
        heap_at = &__heap_base;
        heap_end = (uint8_t *)(__builtin_wasm_memory_size(0) * PAGE);
    }
    bytes = (bytes + 15) & ~(size_t)15;
    if (bytes > (size_t)(heap_end - heap_at)) {
        size_t pages = (bytes + PAGE - 1) / PAGE;
        if (__builtin_wasm_memory_grow(0, pages) == (size_t)-1) platform_exit(3);
        heap_end += pages * PAGE;
    }
    void *p = heap_at;
    heap_at += bytes;
    return p;
}
#else
static void *allocate(size_t bytes) {
    void *p = malloc(bytes);
    if (!p) platform_exit(3);
    return p;
}
#endif

// ---- Columns ------------------------------------------------------------------------------------

enum { CHUNK_ROWS = 4096, CHUNKS_MAX = 64 };

typedef struct {
    int64_t *chunks[CHUNKS_MAX];
    size_t rows;
} column_t;

static void append(column_t *c, int64_t value) {
    size_t chunk = c->rows / CHUNK_ROWS;
    if (!c->chunks[chunk]) c->chunks[chunk] = allocate(CHUNK_ROWS * sizeof(int64_t));
    c->chunks[chunk][c->rows++ % CHUNK_ROWS] = value;
}

static int64_t at(const column_t *c, size_t row) { return c->chunks[row / CHUNK_ROWS][row % CHUNK_ROWS]; }

typedef struct {
    column_t key, group, amount;
} table_t;

// ---- Hash index: row + 1 per slot ---------------------------------------------------------------

typedef struct {
    uint64_t *slots;
    size_t mask;
} index_t;

static size_t slot_of(const index_t *x, int64_t key) { return (uint64_t)key * 0x9e3779b97f4a7c15u >> 20 & x->mask; }

static void index_add(index_t *x, const column_t *keys, size_t row) {
    size_t s = slot_of(x, at(keys, row));
    while (x->slots[s]) s = (s + 1) & x->mask;
    x->slots[s] = row + 1;
}

// The first row with that key, or SIZE_MAX.
static size_t index_find(const index_t *x, const column_t *keys, int64_t key) {
    for (size_t s = slot_of(x, key); x->slots[s]; s = (s + 1) & x->mask)
        if (at(keys, x->slots[s] - 1) == key) return x->slots[s] - 1;
    return SIZE_MAX;
}

// ---- The workload -------------------------------------------------------------------------------

enum { GROUPS = 97 };

static table_t orders, customers;
static index_t by_key;
static size_t order_rows, customer_rows, passes;
static uint64_t joined;
static int64_t totals[GROUPS];

void workload_setup(bool small) {
    order_rows = small ? 9000 : 200000;
    customer_rows = small ? 500 : 40000;
    passes = small ? 3 : 6;
    size_t slots = 1;
    while (slots < customer_rows * 2) slots *= 2;
    by_key = (index_t){allocate(slots * sizeof(uint64_t)), slots - 1};
}

static void fill(table_t *t, size_t rows, uint32_t keys, uint64_t seed) {
    rng_seed(seed);
    t->key.rows = t->group.rows = t->amount.rows = 0;
    for (size_t i = 0; i < rows; i++) {
        append(&t->key, (int64_t)rng_below(keys) * 1000003);
        append(&t->group, rng_below(GROUPS));
        append(&t->amount, (int64_t)rng_below(100000) - 20000);
    }
}

uint64_t workload_kernel(void) {
    uint64_t sum = 0;
    fill(&customers, customer_rows, (uint32_t)customer_rows * 2, 5);
    fill(&orders, order_rows, (uint32_t)customer_rows * 2, 6);
    for (size_t s = 0; s <= by_key.mask; s++) by_key.slots[s] = 0;
    for (size_t row = 0; row < customer_rows; row++) index_add(&by_key, &customers.key, row);
    for (size_t pass = 0; pass < passes; pass++) {
        for (int g = 0; g < GROUPS; g++) totals[g] = 0;
        joined = 0;
        int64_t threshold = (int64_t)pass * 10000;
        for (size_t row = 0; row < order_rows; row++) {
            int64_t amount = at(&orders.amount, row);
            if (amount < threshold) continue;
            size_t customer = index_find(&by_key, &customers.key, at(&orders.key, row));
            if (customer == SIZE_MAX) continue;
            joined++;
            totals[at(&customers.group, customer)] += amount;
        }
        for (int g = 0; g < GROUPS; g++) sum = mix(sum, (uint64_t)totals[g]);
        sum = mix(sum, joined);
    }
    return sum;
}

void workload_report(void) {
    out_field("orders", order_rows);
    out_field("joined", joined);
    out_field("pointer bytes", sizeof(void *) == 8);
}
