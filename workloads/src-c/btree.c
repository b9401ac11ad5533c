// An ordered map as a B-tree with insertion, lookup, range scan and deletion, every node in a pool:
// the shape of a database index. Binary search inside nodes, shifting of small arrays, splits,
// borrowing and merging.

#include "bench.h"

enum { MIN_DEGREE = 12, MAX_KEYS = 2 * MIN_DEGREE - 1, POOL = 1 << 15 };

typedef struct node {
    uint16_t count;
    bool leaf;
    uint32_t keys[MAX_KEYS];
    uint32_t values[MAX_KEYS];
    struct node *children[MAX_KEYS + 1];
} node_t;

static node_t pool[POOL], *free_list, *root;
static uint32_t pool_used;
static uint64_t entries;

static node_t *new_node(bool leaf) {
    node_t *n = free_list;
    if (n) {
        free_list = n->children[0];
    } else {
        if (pool_used == POOL) platform_exit(3);
        n = &pool[pool_used++];
    }
    n->count = 0;
    n->leaf = leaf;
    return n;
}

static void release(node_t *n) {
    n->children[0] = free_list;
    free_list = n;
}

// The first index whose key is not below `key`.
static int lower_bound(const node_t *n, uint32_t key) {
    int low = 0, high = n->count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (n->keys[middle] < key) low = middle + 1;
        else high = middle;
    }
    return low;
}

static bool holds(const node_t *n, int i, uint32_t key) { return i < n->count && n->keys[i] == key; }

// Opens a gap at index i for one key, and for the child to its right.
static void open_gap(node_t *n, int i) {
    size_t moved = (size_t)(n->count - i);
    memmove(&n->keys[i + 1], &n->keys[i], moved * sizeof n->keys[0]);
    memmove(&n->values[i + 1], &n->values[i], moved * sizeof n->values[0]);
    if (!n->leaf) memmove(&n->children[i + 2], &n->children[i + 1], moved * sizeof n->children[0]);
    n->count++;
}

// Removes the key at index i, and the child to its right.
static void close_gap(node_t *n, int i) {
    size_t moved = (size_t)(n->count - i - 1);
    memmove(&n->keys[i], &n->keys[i + 1], moved * sizeof n->keys[0]);
    memmove(&n->values[i], &n->values[i + 1], moved * sizeof n->values[0]);
    if (!n->leaf) memmove(&n->children[i + 1], &n->children[i + 2], moved * sizeof n->children[0]);
    n->count--;
}

// Moves the upper half of a full child into a new sibling, and its middle key up.
static void split_child(node_t *parent, int i) {
    node_t *left = parent->children[i], *right = new_node(left->leaf);
    right->count = MIN_DEGREE - 1;
    memcpy(right->keys, left->keys + MIN_DEGREE, (MIN_DEGREE - 1) * sizeof left->keys[0]);
    memcpy(right->values, left->values + MIN_DEGREE, (MIN_DEGREE - 1) * sizeof left->values[0]);
    if (!left->leaf) memcpy(right->children, left->children + MIN_DEGREE, MIN_DEGREE * sizeof left->children[0]);
    left->count = MIN_DEGREE - 1;
    open_gap(parent, i);
    parent->keys[i] = left->keys[MIN_DEGREE - 1];
    parent->values[i] = left->values[MIN_DEGREE - 1];
    parent->children[i + 1] = right;
}

static void insert(uint32_t key, uint32_t value) {
    if (root->count == MAX_KEYS) {
        node_t *old = root;
        root = new_node(false);
        root->children[0] = old;
        split_child(root, 0);
    }
    // Every full node on the way down is split first, so the parent always has room.
    for (node_t *n = root;;) {
        int i = lower_bound(n, key);
        if (holds(n, i, key)) {
            n->values[i] = value;
            return;
        }
        if (n->leaf) {
            open_gap(n, i);
            n->keys[i] = key;
            n->values[i] = value;
            entries++;
            return;
        }
        if (n->children[i]->count == MAX_KEYS) {
            split_child(n, i);
            if (n->keys[i] == key) {
                n->values[i] = value;
                return;
            }
            i += n->keys[i] < key;
        }
        n = n->children[i];
    }
}

static const uint32_t *find(uint32_t key) {
    for (const node_t *n = root;;) {
        int i = lower_bound(n, key);
        if (holds(n, i, key)) return &n->values[i];
        if (n->leaf) return NULL;
        n = n->children[i];
    }
}

// Joins child i, key i and child i + 1 into child i.
static node_t *merge(node_t *parent, int i) {
    node_t *left = parent->children[i], *right = parent->children[i + 1];
    int at = left->count;
    left->keys[at] = parent->keys[i];
    left->values[at] = parent->values[i];
    memcpy(left->keys + at + 1, right->keys, right->count * sizeof left->keys[0]);
    memcpy(left->values + at + 1, right->values, right->count * sizeof left->values[0]);
    if (!left->leaf) memcpy(left->children + at + 1, right->children, (right->count + 1u) * sizeof left->children[0]);
    left->count = (uint16_t)(at + 1 + right->count);
    close_gap(parent, i);
    release(right);
    return left;
}

// Makes sure that child i can lose a key, and returns where the search goes on.
static node_t *fortified_child(node_t *n, int i) {
    node_t *child = n->children[i];
    if (child->count >= MIN_DEGREE) return child;
    if (i > 0 && n->children[i - 1]->count >= MIN_DEGREE) {
        node_t *left = n->children[i - 1];
        int last = left->count - 1;
        node_t *first = child->leaf ? NULL : child->children[0];
        open_gap(child, 0);
        if (!child->leaf) {
            child->children[1] = first;
            child->children[0] = left->children[last + 1];
        }
        child->keys[0] = n->keys[i - 1], child->values[0] = n->values[i - 1];
        n->keys[i - 1] = left->keys[last], n->values[i - 1] = left->values[last];
        left->count--;
        return child;
    }
    if (i < n->count && n->children[i + 1]->count >= MIN_DEGREE) {
        node_t *right = n->children[i + 1];
        int at = child->count++;
        child->keys[at] = n->keys[i], child->values[at] = n->values[i];
        n->keys[i] = right->keys[0], n->values[i] = right->values[0];
        if (!child->leaf) {
            child->children[at + 1] = right->children[0];
            right->children[0] = right->children[1];
        }
        close_gap(right, 0);
        return child;
    }
    return merge(n, i < n->count ? i : i - 1);
}

static bool erase_from(node_t *n, uint32_t key) {
    for (;;) {
        int i = lower_bound(n, key);
        if (!holds(n, i, key)) {
            if (n->leaf) return false;
            n = fortified_child(n, i);
            continue;
        }
        if (n->leaf) {
            close_gap(n, i);
            return true;
        }
        // An inner key is replaced by its neighbour in order, which is then erased from its leaf.
        node_t *left = n->children[i], *right = n->children[i + 1];
        if (left->count < MIN_DEGREE && right->count < MIN_DEGREE) {
            n = merge(n, i);
            continue;
        }
        bool before = left->count >= MIN_DEGREE;
        node_t *leaf = before ? left : right;
        while (!leaf->leaf) leaf = leaf->children[before ? leaf->count : 0];
        int at = before ? leaf->count - 1 : 0;
        n->keys[i] = leaf->keys[at], n->values[i] = leaf->values[at];
        uint32_t neighbour = n->keys[i];
        n = before ? left : right;
        key = neighbour;
    }
}

static bool erase(uint32_t key) {
    bool found = erase_from(root, key);
    entries -= found;
    if (root->count == 0 && !root->leaf) {
        node_t *old = root;
        root = root->children[0];
        release(old);
    }
    return found;
}

static uint64_t scan(const node_t *n, uint32_t from, uint32_t to, uint64_t sum) {
    for (int i = lower_bound(n, from);; i++) {
        if (!n->leaf) sum = scan(n->children[i], from, to, sum);
        if (i >= n->count || n->keys[i] >= to) return sum;
        sum = mix(sum, (uint64_t)n->keys[i] << 32 | n->values[i]);
    }
}

static int depth(void) {
    int levels = 1;
    for (const node_t *n = root; !n->leaf; n = n->children[0]) levels++;
    return levels;
}

// ---- The workload -------------------------------------------------------------------------------

static uint32_t operations, key_range, hits, left_over;

void workload_setup(bool small) {
    operations = small ? 4000 : 100000;
    key_range = small ? 8000 : 200000;
}

uint64_t workload_kernel(void) {
    free_list = NULL;
    pool_used = 0;
    entries = 0;
    hits = 0;
    root = new_node(true);
    rng_seed(77);
    uint64_t sum = 0;
    for (uint32_t i = 0; i < operations; i++) insert(rng_below(key_range), i);
    for (uint32_t i = 0; i < operations; i++) {
        const uint32_t *value = find(rng_below(key_range));
        if (value) hits++, sum += *value;
    }
    for (uint32_t i = 0; i < operations / 64; i++) {
        uint32_t from = rng_below(key_range);
        sum = scan(root, from, from + 100, sum);
    }
    sum = mix(sum, (uint64_t)depth());
    // Mixed churn, then erase nearly everything so that the tree shrinks level by level.
    for (uint32_t i = 0; i < operations; i++) {
        if (i % 2) insert(rng_below(key_range), i);
        else sum += erase(rng_below(key_range));
    }
    sum = scan(root, 0, UINT32_MAX, mix(sum, entries));
    for (uint32_t key = 0; key < key_range; key++)
        if (key % 50) erase(key);
    left_over = (uint32_t)entries;
    return scan(root, 0, UINT32_MAX, mix(sum, (uint64_t)depth() << 32 | left_over));
}

void workload_report(void) {
    out_field("hits", hits);
    out_field("left", left_over);
    out_field("levels", (uint64_t)depth());
    out_field("nodes", pool_used);
}
