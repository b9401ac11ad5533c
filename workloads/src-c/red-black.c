// A red-black tree of separately allocated nodes, used as an ordered set and as the run queue of a
// scheduler simulation: allocation, pointer updates, rotations and recolouring.

#include "bench.h"

typedef struct node {
    struct node *parent, *child[2];
    uint64_t key;
    uint32_t value;
    bool red;
} node_t;

typedef struct {
    node_t *root;
    uint32_t count;
} tree_t;

// 0 for a left child, 1 for a right one.
static int side_of(const node_t *n) { return n == n->parent->child[1]; }

static void replace(tree_t *t, node_t *old, node_t *by) {
    if (!old->parent) t->root = by;
    else old->parent->child[side_of(old)] = by;
    if (by) by->parent = old->parent;
}

// Turns the edge to n's child on `side` around.
static void rotate(tree_t *t, node_t *n, int side) {
    node_t *up = n->child[side];
    replace(t, n, up);
    n->child[side] = up->child[!side];
    if (n->child[side]) n->child[side]->parent = n;
    up->child[!side] = n;
    n->parent = up;
}

static bool is_red(const node_t *n) { return n && n->red; }

static node_t *insert(tree_t *t, uint64_t key, uint32_t value) {
    node_t *parent = NULL, **link = &t->root;
    while (*link) {
        parent = *link;
        if (parent->key == key) {
            parent->value = value;
            return parent;
        }
        link = &parent->child[parent->key < key];
    }
    node_t *n = malloc(sizeof *n), *added = n;
    if (!n) platform_exit(3);
    *n = (node_t){.parent = parent, .key = key, .value = value, .red = true};
    *link = n;
    t->count++;
    while (is_red(n->parent)) {
        node_t *up = n->parent, *top = up->parent;
        int side = side_of(up);
        node_t *uncle = top->child[!side];
        if (is_red(uncle)) {
            up->red = uncle->red = false;
            top->red = true;
            n = top;
            continue;
        }
        if (side_of(n) != side) {
            rotate(t, up, !side);
            up = n;
        }
        up->red = false;
        top->red = true;
        rotate(t, top, side);
        break;
    }
    t->root->red = false;
    return added;
}

static node_t *leftmost(node_t *n) {
    while (n && n->child[0]) n = n->child[0];
    return n;
}

static node_t *successor(node_t *n) {
    if (n->child[1]) return leftmost(n->child[1]);
    while (n->parent && side_of(n)) n = n->parent;
    return n->parent;
}

static node_t *find(const tree_t *t, uint64_t key) {
    node_t *n = t->root;
    while (n && n->key != key) n = n->child[n->key < key];
    return n;
}

// One black node is missing on the path through `parent`'s child on `side`; restores the balance.
static void rebalance(tree_t *t, node_t *parent, int side) {
    while (parent) {
        node_t *n = parent->child[side];
        if (is_red(n)) {
            n->red = false;
            return;
        }
        node_t *sibling = parent->child[!side];
        if (sibling->red) {
            sibling->red = false;
            parent->red = true;
            rotate(t, parent, !side);
            sibling = parent->child[!side];
        }
        if (!is_red(sibling->child[0]) && !is_red(sibling->child[1])) {
            sibling->red = true;
            if (parent->red) {
                parent->red = false;
                return;
            }
            n = parent;
            parent = n->parent;
            if (parent) side = side_of(n);
            continue;
        }
        if (!is_red(sibling->child[!side])) {
            sibling->child[side]->red = false;
            sibling->red = true;
            rotate(t, sibling, side);
            sibling = parent->child[!side];
        }
        sibling->red = parent->red;
        parent->red = false;
        sibling->child[!side]->red = false;
        rotate(t, parent, !side);
        return;
    }
    if (t->root) t->root->red = false;
}

static void erase(tree_t *t, node_t *n) {
    t->count--;
    if (n->child[0] && n->child[1]) {
        // The successor has no left child: it takes over, and its node goes instead.
        node_t *next = leftmost(n->child[1]);
        n->key = next->key;
        n->value = next->value;
        n = next;
    }
    node_t *child = n->child[n->child[0] == NULL], *parent = n->parent;
    int side = parent ? side_of(n) : 0;
    replace(t, n, child);
    if (!n->red) {
        if (is_red(child)) child->red = false;
        else rebalance(t, parent, side);
    }
    free(n);
}

// The number of black nodes on every path, or -1 if the rules are broken.
static int black_height(const node_t *n) {
    if (!n) return 0;
    int left = black_height(n->child[0]), right = black_height(n->child[1]);
    if (left < 0 || left != right) return -1;
    if (n->red && (is_red(n->child[0]) || is_red(n->child[1]))) return -1;
    return left + !n->red;
}

static void clear(tree_t *t) {
    while (t->root) erase(t, t->root);
}

// ---- The workload -------------------------------------------------------------------------------

static uint32_t keys, ticks;
static int height;
static uint64_t finished;

void workload_setup(bool small) {
    keys = small ? 1500 : 36000;
    ticks = small ? 4000 : 100000;
}

static uint64_t ordered_set(void) {
    tree_t tree = {0};
    rng_seed(21);
    for (uint32_t i = 0; i < keys; i++) insert(&tree, rng_below(keys * 4), i);
    uint64_t sum = 0;
    for (node_t *n = leftmost(tree.root); n; n = successor(n)) sum = mix(sum, n->key ^ n->value);
    for (uint32_t i = 0; i < keys * 2; i++) {
        node_t *n = find(&tree, rng_below(keys * 4));
        if (n) erase(&tree, n);
    }
    height = black_height(tree.root);
    sum = mix(sum, (uint64_t)height << 32 | tree.count);
    clear(&tree);
    return sum;
}

// Tasks wait in order of virtual time; the first one runs, pays by its weight, and queues again.
static uint64_t scheduler(void) {
    tree_t queue = {0};
    rng_seed(22);
    uint64_t sum = 0;
    uint32_t next_task = 0;
    finished = 0;
    for (; next_task < 200; next_task++) insert(&queue, (uint64_t)rng_below(1000) << 24 | next_task, 1 + rng_below(50));
    for (uint32_t tick = 0; tick < ticks; tick++) {
        node_t *first = leftmost(queue.root);
        uint64_t time = first->key >> 24, task = first->key & 0xffffff;
        uint32_t left = first->value;
        erase(&queue, first);
        sum = mix(sum, task);
        if (left > 1) {
            insert(&queue, (time + 5 + task % 40) << 24 | task, left - 1);
        } else {
            finished++;
            insert(&queue, (time + 1) << 24 | next_task++, 1 + rng_below(50));
        }
    }
    clear(&queue);
    return sum;
}

uint64_t workload_kernel(void) {
    uint64_t set = ordered_set();
    return mix(set, scheduler());
}

void workload_report(void) {
    out_field("black height", (uint64_t)height);
    out_field("tasks finished", finished);
}
