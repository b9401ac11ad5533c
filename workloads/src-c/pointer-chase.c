// Memory-bound access: a random cycle through a buffer far larger than the caches is followed link
// by link (every load waits for the one before), then gathered in eight independent chains, then
// streamed in order.

#include "bench.h"

enum { LINE = 16, SLOTS_MAX = 1 << 18 };   // one slot per 64-byte line

static uint32_t buffer[SLOTS_MAX * LINE];
static uint32_t slots, hops, order[SLOTS_MAX];
static uint32_t ends[8];

void workload_setup(bool small) {
    slots = small ? 1 << 12 : SLOTS_MAX;
    hops = small ? 40000 : 180000;
    for (uint32_t i = 0; i < slots; i++) order[i] = i;
    for (uint32_t i = slots - 1; i > 0; i--) {
        uint32_t j = rng_below(i + 1), t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
    for (uint32_t i = 0; i < slots; i++) {
        buffer[order[i] * LINE] = order[(i + 1) % slots] * LINE;
        for (uint32_t word = 1; word < LINE; word++) buffer[order[i] * LINE + word] = (uint32_t)rng_u64();
    }
}

uint64_t workload_kernel(void) {
    uint32_t at = order[0] * LINE;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < hops; i++) at = buffer[at];
    sum = mix(sum, at);

    for (uint32_t c = 0; c < 8; c++) ends[c] = order[slots / 8 * c] * LINE;
    for (uint32_t i = 0; i < hops; i++)
        for (uint32_t c = 0; c < 8; c++) ends[c] = buffer[ends[c]];
    for (uint32_t c = 0; c < 8; c++) sum = mix(sum, ends[c]);

    uint64_t total = 0;
    for (uint32_t i = 0; i < slots * LINE; i++) total += buffer[i] ^ i;
    return mix(sum, total);
}

void workload_report(void) {
    out_field("KiB", slots * LINE * 4 / 1024);
    out_field("end", ends[7]);
}
