//@ flags: -mtail-call
// A direct-threaded interpreter: every instruction's handler ends with a guaranteed tail call through
// the handler table, with the machine's registers in the arguments. The same style as fast
// interpreters in C, and one return_call_indirect per instruction in wasm.
//
// The machine has four accumulators and a data memory; its programs are a sieve, a hash over memory
// and a collatz search, written with a few macros below.

#include "bench.h"

enum { WORDS = 1 << 12 };

typedef struct instruction instruction_t;
typedef uint64_t (*handler_t)(const instruction_t *pc, int64_t a, int64_t b, int64_t c, int64_t d, int64_t *memory);

struct instruction {
    handler_t run;
    int64_t operand;
};

#define PARAMETERS const instruction_t *pc, int64_t a, int64_t b, int64_t c, int64_t d, int64_t *memory
#define NEXT(to) __attribute__((musttail)) return (to)->run((to), a, b, c, d, memory)
#define UNSIGNED(x) (uint64_t)(x)
#define SIMPLE(name, effect) \
    static uint64_t name(PARAMETERS) { \
        effect; \
        pc++; \
        NEXT(pc); \
    }
#define JUMP(name, condition) \
    static uint64_t name(PARAMETERS) { \
        pc += (condition) ? pc->operand : 1; \
        NEXT(pc); \
    }

SIMPLE(set_a, a = pc->operand)
SIMPLE(set_b, b = pc->operand)
SIMPLE(set_c, c = pc->operand)
SIMPLE(set_d, d = pc->operand)
SIMPLE(b_from_a, b = a)
SIMPLE(a_from_c, a = c)
SIMPLE(a_from_b, a = b)
SIMPLE(add_operand, a = (int64_t)(UNSIGNED(a) + UNSIGNED(pc->operand)))
SIMPLE(add_b, a = (int64_t)(UNSIGNED(a) + UNSIGNED(b)))
SIMPLE(xor_b, a ^= b)
SIMPLE(multiply, a = (int64_t)(UNSIGNED(a) * UNSIGNED(pc->operand)))
SIMPLE(shift_right, a = (int64_t)(UNSIGNED(a) >> pc->operand))
SIMPLE(triple_plus_one, a = (int64_t)(UNSIGNED(a) * 3 + 1))
SIMPLE(count_d, d++)
SIMPLE(next_c, c++)
SIMPLE(load_a, a = memory[UNSIGNED(c) % WORDS])
SIMPLE(load_at_b, a = memory[UNSIGNED(b) % WORDS])
SIMPLE(store_a, memory[UNSIGNED(c) % WORDS] = a)
SIMPLE(store_at_b, memory[UNSIGNED(b) % WORDS] = a)
SIMPLE(square_c, b = (int64_t)(UNSIGNED(c) * UNSIGNED(c)))
SIMPLE(step_b, b = (int64_t)(UNSIGNED(b) + UNSIGNED(c)))
JUMP(jump, true)
JUMP(jump_if_zero, a == 0)
JUMP(jump_if_even, (a & 1) == 0)
JUMP(jump_if_one, a == 1)
JUMP(jump_if_b_below, UNSIGNED(b) < WORDS)
JUMP(jump_if_c_below, UNSIGNED(c) < WORDS)

static int64_t counted;

static uint64_t stop(PARAMETERS) {
    (void)pc, (void)memory;
    counted = d;
    return mix(mix(mix((uint64_t)d, (uint64_t)a), (uint64_t)b), (uint64_t)c);
}

// Primes below WORDS are counted in d.
static const instruction_t SIEVE[] = {
    {set_d, 0}, {set_c, 0}, {set_a, 1},
    {store_a, 0}, {next_c, 0}, {jump_if_c_below, -2},               // memory[all] = 1
    {set_c, 2},
    {load_a, 0}, {jump_if_zero, 8},                                 // 7: composite → 16
    {count_d, 0}, {square_c, 0}, {set_a, 0},
    {jump_if_b_below, 2}, {jump, 3},                                // 12: → 14 mark, or → 16
    {store_at_b, 0}, {jump, 3},                                     // 14: → 18
    {next_c, 0}, {jump, 3},                                         // 16: → 20
    {step_b, 0}, {jump, -7},                                        // 18: → 12
    {jump_if_c_below, -13},                                         // 20: → 7
    {stop, 0},
};

// A multiplicative hash over memory, which it also scrambles.
static const instruction_t HASH[] = {
    {set_c, 0}, {set_b, 7}, {set_d, 0},
    {load_a, 0}, {xor_b, 0}, {multiply, 0x5851f42d4c957f2d}, {b_from_a, 0}, {shift_right, 29}, {xor_b, 0},
    {b_from_a, 0}, {store_a, 0}, {next_c, 0}, {jump_if_c_below, -9},
    {load_at_b, 0}, {add_b, 0}, {stop, 0},
};

// The total number of Collatz steps from 1 up to WORDS, in d.
static const instruction_t COLLATZ[] = {
    {set_d, 0}, {set_c, 1},
    {a_from_c, 0}, {jump_if_one, 7},                                // 3: → 10
    {count_d, 0}, {jump_if_even, 3},                                // 5: → 8
    {triple_plus_one, 0}, {jump, -4},                               // 7: → 3
    {shift_right, 1}, {jump, -6},                                   // 9: → 3
    {next_c, 0}, {jump_if_c_below, -9},                             // 11: → 2
    {a_from_b, 0}, {add_operand, 1}, {stop, 0},
};

static int64_t memory[WORDS];
static int rounds;
static uint64_t results[3], counts[3];

void workload_setup(bool small) { rounds = small ? 0 : 2; }

// At small size only the sieve and the hash run.
uint64_t workload_kernel(void) {
    uint64_t sum = 0;
    memset(memory, 0, sizeof memory);
    for (int round = 0; round < (rounds ? rounds : 1); round++) {
        static const instruction_t *const programs[] = {SIEVE, HASH, COLLATZ};
        for (int i = 0; i < (rounds ? 3 : 2); i++) {
            results[i] = programs[i]->run(programs[i], round, 0, 0, 0, memory);
            counts[i] = (uint64_t)counted;
            sum = mix(sum, results[i]);
        }
    }
    return sum;
}

void workload_report(void) {
    static const char *const names[] = {"sieve", "hash", "collatz"};
    for (int i = 0; i < 3; i++) {
        out_str(names[i]);
        out_char(' ');
        out_hex(results[i]);
        out_field(" count", counts[i]);
    }
}
