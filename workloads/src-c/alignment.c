// Dynamic programming over tables: Levenshtein distance with traceback, global sequence alignment
// with affine gaps, the knapsack problem, and the longest increasing subsequence.

#include "bench.h"

enum { LEN_MAX = 2200, ITEMS_MAX = 250, CAPACITY_MAX = 40000 };

static char a[LEN_MAX], b[LEN_MAX];
static int len, items, capacity;
static uint16_t table[LEN_MAX + 1][LEN_MAX + 1];
static int32_t match[LEN_MAX + 1], gap_a[LEN_MAX + 1];
static uint32_t weight[ITEMS_MAX], value[ITEMS_MAX], best[CAPACITY_MAX + 1];
static uint32_t distance, substitutions, insertions, deletions, loot, increasing;
static int32_t score;

static uint32_t min3(uint32_t x, uint32_t y, uint32_t z) {
    uint32_t m = x < y ? x : y;
    return m < z ? m : z;
}

static void levenshtein(void) {
    for (int j = 0; j <= len; j++) table[0][j] = (uint16_t)j;
    for (int i = 1; i <= len; i++) {
        table[i][0] = (uint16_t)i;
        for (int j = 1; j <= len; j++)
            table[i][j] = (uint16_t)min3(table[i - 1][j] + 1u, table[i][j - 1] + 1u, table[i - 1][j - 1] + (uint32_t)(a[i - 1] != b[j - 1]));
    }
    distance = table[len][len];
    substitutions = insertions = deletions = 0;
    for (int i = len, j = len; i > 0 || j > 0;) {
        if (i > 0 && j > 0 && table[i][j] == table[i - 1][j - 1] + (a[i - 1] != b[j - 1])) {
            substitutions += a[i - 1] != b[j - 1];
            i--, j--;
        } else if (i > 0 && table[i][j] == table[i - 1][j] + 1) {
            deletions++, i--;
        } else {
            insertions++, j--;
        }
    }
}

// Opening a gap costs 6, each position in it 1, a mismatch 3; a match earns 5. Two rows suffice.
static void affine_alignment(void) {
    const int32_t open = 6, extend = 1, never = -1000000;
    match[0] = 0, gap_a[0] = never;
    for (int j = 1; j <= len; j++) match[j] = -open - extend * j, gap_a[j] = never;
    for (int i = 1; i <= len; i++) {
        int32_t diagonal = match[0], gap_b = never;
        match[0] = -open - extend * i;
        for (int j = 1; j <= len; j++) {
            int32_t start = match[j] - open - extend, longer = gap_a[j] - extend;
            gap_a[j] = start > longer ? start : longer;
            start = match[j - 1] - open - extend, longer = gap_b - extend;
            gap_b = start > longer ? start : longer;
            int32_t here = diagonal + (a[i - 1] == b[j - 1] ? 5 : -3);
            if (gap_a[j] > here) here = gap_a[j];
            if (gap_b > here) here = gap_b;
            diagonal = match[j];
            match[j] = here;
        }
    }
    score = match[len];
}

static void knapsack(void) {
    memset(best, 0, sizeof best);
    for (int i = 0; i < items; i++) {
        for (int c = capacity; c >= (int)weight[i]; c--) {
            uint32_t with = best[c - (int)weight[i]] + value[i];
            if (with > best[c]) best[c] = with;
        }
    }
    loot = best[capacity];
}

// Patience: ends[k] is the smallest end of an increasing subsequence of length k + 1.
static uint32_t longest_increasing(void) {
    static uint32_t ends[CAPACITY_MAX];
    uint32_t length = 0;
    for (int c = 0; c < capacity; c++) {
        uint32_t x = (best[c] * 2654435761u) >> 8, low = 0, high = length;
        while (low < high) {
            uint32_t middle = (low + high) / 2;
            if (ends[middle] < x) low = middle + 1;
            else high = middle;
        }
        ends[low] = x;
        length += low == length;
    }
    return length;
}

void workload_setup(bool small) {
    len = small ? 320 : LEN_MAX;
    items = small ? 30 : ITEMS_MAX;
    capacity = small ? 3000 : CAPACITY_MAX;
    for (int i = 0; i < len; i++) a[i] = "acgt"[rng_below(4)];
    // b is a with one position in eight changed, and shifted by local insertions and deletions.
    for (int i = 0, from = 0; i < len; i++) {
        uint32_t what = rng_below(16);
        b[i] = what < 2 ? "acgt"[rng_below(4)] : a[from % len];
        from += what == 3 ? 2 : what == 4 ? 0 : 1;
    }
    for (int i = 0; i < items; i++) weight[i] = 20 + rng_below(400), value[i] = 10 + rng_below(1000);
}

uint64_t workload_kernel(void) {
    levenshtein();
    affine_alignment();
    knapsack();
    increasing = longest_increasing();
    uint64_t sum = mix(mix(distance, substitutions), (uint64_t)insertions << 32 | deletions);
    return mix(mix(mix(sum, (uint64_t)(uint32_t)score), loot), increasing);
}

void workload_report(void) {
    out_field("distance", distance);
    out_field("substitutions", substitutions);
    out_field("loot", loot);
    out_field("increasing", increasing);
}
