// A segmented sieve of Eratosthenes over odd numbers: byte stores with a stride, a window that
// stays in the first-level cache, and a population count over the window.

#include "bench.h"

enum { SEGMENT = 1 << 15, BASE_MAX = 4096 };

static uint8_t composite[SEGMENT];          // index i stands for the odd number low + 2 i
static uint32_t primes[BASE_MAX], next[BASE_MAX];
static uint32_t limit, count, last;
static uint64_t twins;

// The odd primes up to `to`, by trial division: there are few of them.
static uint32_t base_primes(uint32_t to) {
    uint32_t n = 0;
    for (uint32_t c = 3; c <= to; c += 2) {
        bool prime = true;
        for (uint32_t i = 0; i < n && primes[i] * primes[i] <= c; i++) {
            if (c % primes[i] == 0) {
                prime = false;
                break;
            }
        }
        if (prime) primes[n++] = c;
    }
    return n;
}

static uint32_t isqrt(uint32_t n) {
    uint32_t root = 0;
    for (uint32_t bit = 1u << 15; bit; bit >>= 1)
        if ((root | bit) * (root | bit) <= n) root |= bit;
    return root;
}

void workload_setup(bool small) { limit = small ? 400000 : 18000000; }

uint64_t workload_kernel(void) {
    uint32_t n = base_primes(isqrt(limit));
    for (uint32_t i = 0; i < n; i++) next[i] = primes[i] * primes[i];

    uint64_t sum = 0;
    uint32_t previous = 2;
    count = 1;
    twins = 0;
    for (uint32_t low = 3; low <= limit; low += 2 * SEGMENT) {
        uint32_t high = limit - low < 2 * SEGMENT ? limit : low + 2 * SEGMENT - 2;
        memset(composite, 0, sizeof composite);
        for (uint32_t i = 0; i < n && primes[i] * primes[i] <= high; i++) {
            uint32_t at = next[i], step = 2 * primes[i];
            for (; at <= high; at += step) composite[(at - low) / 2] = 1;
            next[i] = at;
        }
        for (uint32_t i = 0, odd = low; odd <= high; i++, odd += 2) {
            if (composite[i]) continue;
            twins += odd - previous == 2;
            previous = odd;
            count++;
        }
        sum = mix(sum, (uint64_t)count << 32 | previous);
    }
    last = previous;
    return mix(sum, twins);
}

void workload_report(void) {
    out_field("primes", count);
    out_field("twins", twins);
    out_field("last", last);
}
