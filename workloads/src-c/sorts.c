// Five sorts of the same records: introspective quicksort, bottom-up merge sort, radix sort, heap
// sort, and insertion sort on nearly sorted data. Compares, swaps, unpredictable branches, and for
// radix scattered stores.

#include "bench.h"

enum { MAX = 1 << 17 };

typedef struct { uint32_t key, payload; } record_t;

static record_t input[MAX], work[MAX], scratch[MAX];
static uint32_t count;
static uint32_t in_order;

static bool less(record_t a, record_t b) { return a.key < b.key || (a.key == b.key && a.payload < b.payload); }

static void swap(record_t *a, record_t *b) {
    record_t t = *a;
    *a = *b;
    *b = t;
}

static void insertion_sort(record_t *r, uint32_t n) {
    for (uint32_t i = 1; i < n; i++) {
        record_t moving = r[i];
        uint32_t at = i;
        for (; at > 0 && less(moving, r[at - 1]); at--) r[at] = r[at - 1];
        r[at] = moving;
    }
}

static void heap_sort(record_t *r, uint32_t n) {
    for (uint32_t start = n / 2, end = n; end > 1;) {
        if (start > 0) start--;
        else swap(&r[0], &r[--end]);
        record_t moving = r[start];
        uint32_t at = start;
        for (uint32_t child; (child = 2 * at + 1) < end; at = child) {
            if (child + 1 < end && less(r[child], r[child + 1])) child++;
            if (!less(moving, r[child])) break;
            r[at] = r[child];
        }
        r[at] = moving;
    }
}

// Quicksort with the median of three; falls back to heap sort when the recursion gets too deep.
static void quick_sort(record_t *r, uint32_t n, int depth) {
    while (n > 16) {
        if (depth-- == 0) {
            heap_sort(r, n);
            return;
        }
        record_t *a = &r[0], *b = &r[n / 2], *c = &r[n - 1];
        if (less(*b, *a)) swap(a, b);
        if (less(*c, *b)) swap(b, c);
        if (less(*b, *a)) swap(a, b);
        record_t pivot = *b;
        uint32_t i = 0, j = n - 1;
        for (;;) {
            while (less(r[i], pivot)) i++;
            while (less(pivot, r[j])) j--;
            if (i >= j) break;
            swap(&r[i++], &r[j--]);
        }
        // The smaller side recurses, so the stack stays logarithmic.
        uint32_t left = j + 1;
        if (left < n - left) {
            quick_sort(r, left, depth);
            r += left, n -= left;
        } else {
            quick_sort(r + left, n - left, depth);
            n = left;
        }
    }
    insertion_sort(r, n);
}

static void merge_sort(record_t *r, record_t *other, uint32_t n) {
    for (uint32_t i = 0; i < n; i += 8) insertion_sort(r + i, n - i < 8 ? n - i : 8);
    record_t *from = r, *to = other;
    for (uint32_t width = 8; width < n; width *= 2) {
        for (uint32_t low = 0; low < n; low += 2 * width) {
            uint32_t middle = low + width < n ? low + width : n, high = low + 2 * width < n ? low + 2 * width : n;
            uint32_t i = low, j = middle;
            for (uint32_t k = low; k < high; k++)
                to[k] = i < middle && (j == high || !less(from[j], from[i])) ? from[i++] : from[j++];
        }
        record_t *t = from;
        from = to;
        to = t;
    }
    if (from != r) memcpy(r, from, n * sizeof *r);
}

// Least significant byte first, payload before key.
static void radix_sort(record_t *r, record_t *other, uint32_t n) {
    for (int pass = 0; pass < 8; pass++) {
        uint32_t starts[256] = {0}, at = 0;
        int shift = pass % 4 * 8;
        for (uint32_t i = 0; i < n; i++) starts[(pass < 4 ? r[i].payload : r[i].key) >> shift & 255]++;
        for (int b = 0; b < 256; b++) {
            uint32_t size = starts[b];
            starts[b] = at;
            at += size;
        }
        for (uint32_t i = 0; i < n; i++) other[starts[(pass < 4 ? r[i].payload : r[i].key) >> shift & 255]++] = r[i];
        record_t *t = r;
        r = other;
        other = t;
    }
}

static uint64_t checked(uint64_t sum) {
    bool sorted = true;
    uint64_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        total = total * 31 + (work[i].key ^ work[i].payload);
        if (i > 0) sorted &= !less(work[i], work[i - 1]);
    }
    in_order += sorted;
    return mix(sum, total);
}

void workload_setup(bool small) {
    count = small ? 3000 : 100000;
    for (uint32_t i = 0; i < count; i++) input[i] = (record_t){rng_below(count * 2), i * 2654435761u};
}

uint64_t workload_kernel(void) {
    size_t bytes = count * sizeof *input;
    uint64_t sum = in_order = 0;
    memcpy(work, input, bytes);
    quick_sort(work, count, 32);
    sum = checked(sum);
    memcpy(work, input, bytes);
    merge_sort(work, scratch, count);
    sum = checked(sum);
    memcpy(work, input, bytes);
    radix_sort(work, scratch, count);
    sum = checked(sum);
    memcpy(work, input, bytes);
    heap_sort(work, count);
    sum = checked(sum);
    // Disturb the sorted order a little.
    rng_seed(5);
    for (uint32_t i = 0; i < count / 4; i++) {
        uint32_t at = rng_below(count - 8);
        swap(&work[at], &work[at + rng_below(8)]);
    }
    insertion_sort(work, count);
    return mix(checked(sum), in_order);
}

void workload_report(void) {
    out_field("records", count);
    out_field("sorts in order", in_order);
}
