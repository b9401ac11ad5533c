// Short-lived trees through malloc and free: complete binary trees of every depth are built, walked
// and freed while a long-lived one stays, then strings of random length are reallocated in a pool.

#include "bench.h"

typedef struct tree { struct tree *left, *right; } tree_t;

static int depth_max, strings, changes;
static uint64_t nodes;

static tree_t *build(int depth) {
    tree_t *t = malloc(sizeof *t);
    if (!t) platform_exit(3);
    t->left = depth > 0 ? build(depth - 1) : NULL;
    t->right = depth > 0 ? build(depth - 1) : NULL;
    return t;
}

static uint64_t count(const tree_t *t) { return t->left ? 1 + count(t->left) + count(t->right) : 1; }

static void release(tree_t *t) {
    if (t->left) release(t->left), release(t->right);
    free(t);
}

static uint64_t string_pool(void) {
    typedef struct { char *text; uint32_t len; } string_t;
    string_t *pool = calloc((size_t)strings, sizeof *pool);
    if (!pool) platform_exit(3);
    rng_seed(10);
    uint64_t sum = 0;
    for (int i = 0; i < changes; i++) {
        string_t *s = &pool[rng_below((uint32_t)strings)];
        uint32_t len = rng_below(16) == 0 ? rng_below(4000) : rng_below(60);
        char *text = realloc(s->text, len + 1);
        if (!text) platform_exit(3);
        for (uint32_t k = s->len; k < len; k++) text[k] = (char)('a' + (k + len) % 26);
        s->text = text, s->len = len;
        if (len > 0) sum = mix(sum, (uint64_t)(uint8_t)text[len / 2] << 32 | len);
    }
    for (int i = 0; i < strings; i++) free(pool[i].text);
    free(pool);
    return sum;
}

void workload_setup(bool small) {
    depth_max = small ? 10 : 15;
    strings = small ? 100 : 2000;
    changes = small ? 3000 : 60000;
}

uint64_t workload_kernel(void) {
    uint64_t sum = 0;
    nodes = 0;
    tree_t *lasting = build(depth_max);
    for (int depth = 4; depth <= depth_max; depth += 2) {
        int repeat = 1 << (depth_max - depth);
        for (int i = 0; i < repeat; i++) {
            tree_t *t = build(depth);
            nodes += count(t);
            release(t);
        }
        sum = mix(sum, nodes);
    }
    nodes += count(lasting);
    release(lasting);
    return mix(mix(sum, nodes), string_pool());
}

void workload_report(void) { out_field("nodes", nodes); }
