// Conway's game of life on a torus, 64 cells to a word: neighbours are counted by bit-sliced adders,
// so a generation is shifts, and, xor and or on 64-bit integers.

#include "bench.h"

enum { ROWS_MAX = 1024, WORDS_MAX = 16 };

static uint64_t world[2][ROWS_MAX][WORDS_MAX];
static int rows, words, generations;
static uint64_t alive;

typedef struct { uint64_t ones, twos; } pair_t;

// The sum of three bits per cell: west, here, east.
static pair_t row_sum(const uint64_t *row, int w) {
    uint64_t here = row[w];
    uint64_t west = here << 1 | row[w == 0 ? words - 1 : w - 1] >> 63;
    uint64_t east = here >> 1 | row[w == words - 1 ? 0 : w + 1] << 63;
    return (pair_t){west ^ here ^ east, (west & here) | (east & (west ^ here))};
}

static void generation(uint64_t (*from)[WORDS_MAX], uint64_t (*to)[WORDS_MAX]) {
    for (int r = 0; r < rows; r++) {
        const uint64_t *above = from[r == 0 ? rows - 1 : r - 1], *here = from[r];
        const uint64_t *below = from[r == rows - 1 ? 0 : r + 1];
        for (int w = 0; w < words; w++) {
            pair_t a = row_sum(above, w), b = row_sum(here, w), c = row_sum(below, w);
            // The nine cells' total in binary: ones, twos, fours (eights only together with ones).
            uint64_t ones = a.ones ^ b.ones ^ c.ones;
            uint64_t carry = (a.ones & b.ones) | (c.ones & (a.ones ^ b.ones));
            uint64_t t = a.twos ^ b.twos, twos_carry = a.twos & b.twos;
            uint64_t u = t ^ c.twos;
            twos_carry ^= t & c.twos;
            uint64_t twos = u ^ carry;
            uint64_t fours = twos_carry ^ (u & carry);
            uint64_t eights = twos_carry & (u & carry);
            // Alive next: a total of three, or of four around a living cell.
            to[r][w] = ~eights & ((ones & twos & ~fours) | (here[w] & ~ones & ~twos & fours));
        }
    }
}

void workload_setup(bool small) {
    rows = small ? 256 : ROWS_MAX;
    words = small ? 4 : WORDS_MAX;
    generations = small ? 100 : 250;
}

uint64_t workload_kernel(void) {
    rng_seed(3);
    for (int r = 0; r < rows; r++)
        for (int w = 0; w < words; w++) world[0][r][w] = rng_u64() & rng_u64();
    for (int g = 0; g < generations; g++) generation(world[g & 1], world[~g & 1]);
    uint64_t sum = 0;
    alive = 0;
    for (int r = 0; r < rows; r++) {
        for (int w = 0; w < words; w++) {
            uint64_t cells = world[generations & 1][r][w];
            alive += (uint64_t)__builtin_popcountll(cells);
            sum = mix(sum, cells);
        }
    }
    return sum;
}

void workload_report(void) {
    out_field("cells", (uint64_t)rows * (uint64_t)words * 64);
    out_field("alive", alive);
}
