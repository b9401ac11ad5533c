// An emulator of the 6502, the 8-bit processor of many home computers: all documented instructions
// and addressing modes, binary and decimal arithmetic. The kernel runs three machine programs,
// assembled by hand below: a prime sieve, a bubble sort and a 16-bit multiply-and-checksum loop.
// Decoding is one large switch over 256 opcodes; registers and flags live in locals and memory.

#include "bench.h"

enum { N = 0x80, V = 0x40, U = 0x20, B = 0x10, D = 0x08, I = 0x04, Z = 0x02, C = 0x01 };

typedef struct {
    uint8_t a, x, y, s, p;
    uint16_t pc;
    uint64_t cycles, instructions;
    bool halted;
} cpu_t;

static uint8_t ram[1 << 16];

static uint8_t read8(uint16_t at) { return ram[at]; }
static void write8(uint16_t at, uint8_t value) { ram[at] = value; }
static uint16_t read16(uint16_t at) { return (uint16_t)(ram[at] | ram[(uint16_t)(at + 1)] << 8); }

// A pointer in page zero wraps inside the page.
static uint16_t read16_zero(uint8_t at) { return (uint16_t)(ram[at] | ram[(uint8_t)(at + 1)] << 8); }

static uint8_t fetch8(cpu_t *c) { return read8(c->pc++); }

static uint16_t fetch16(cpu_t *c) {
    uint16_t value = read16(c->pc);
    c->pc += 2;
    return value;
}

static void push8(cpu_t *c, uint8_t value) { ram[0x100 | c->s--] = value; }
static uint8_t pop8(cpu_t *c) { return ram[0x100 | ++c->s]; }

static void push16(cpu_t *c, uint16_t value) {
    push8(c, (uint8_t)(value >> 8));
    push8(c, (uint8_t)value);
}

static uint16_t pop16(cpu_t *c) {
    uint8_t low = pop8(c);
    return (uint16_t)(low | pop8(c) << 8);
}

static void set_flag(cpu_t *c, uint8_t flag, bool on) { c->p = (uint8_t)(on ? c->p | flag : c->p & ~flag); }

static uint8_t set_nz(cpu_t *c, uint8_t value) {
    c->p = (uint8_t)((c->p & ~(N | Z)) | (value & N) | (value == 0 ? Z : 0));
    return value;
}

// ---- Addressing ---------------------------------------------------------------------------------

static uint16_t zero_page(cpu_t *c) { return fetch8(c); }
static uint16_t zero_page_x(cpu_t *c) { return (uint8_t)(fetch8(c) + c->x); }
static uint16_t zero_page_y(cpu_t *c) { return (uint8_t)(fetch8(c) + c->y); }
static uint16_t absolute(cpu_t *c) { return fetch16(c); }
static uint16_t indirect_x(cpu_t *c) { return read16_zero((uint8_t)(fetch8(c) + c->x)); }
static uint16_t immediate(cpu_t *c) { return c->pc++; }

// Indexing across a page costs a cycle.
static uint16_t indexed(cpu_t *c, uint16_t base, uint8_t index) {
    uint16_t at = (uint16_t)(base + index);
    c->cycles += (base ^ at) >> 8 != 0;
    return at;
}

static uint16_t absolute_x(cpu_t *c) { return indexed(c, fetch16(c), c->x); }
static uint16_t absolute_y(cpu_t *c) { return indexed(c, fetch16(c), c->y); }
static uint16_t indirect_y(cpu_t *c) { return indexed(c, read16_zero(fetch8(c)), c->y); }

// ---- Operations ---------------------------------------------------------------------------------

static void adc(cpu_t *c, uint8_t value) {
    uint32_t carry = c->p & C;
    uint32_t sum = c->a + value + carry;
    set_flag(c, V, ~(c->a ^ value) & (c->a ^ sum) & 0x80);
    if (c->p & D) {
        uint32_t low = (c->a & 15u) + (value & 15u) + carry;
        if (low > 9) low += 6;
        sum = (c->a & 0xf0u) + (value & 0xf0u) + (low > 15 ? 16 : 0) + (low & 15);
        if (sum > 0x9f) sum += 0x60;
    }
    set_flag(c, C, sum > 255);
    c->a = set_nz(c, (uint8_t)sum);
}

static void sbc(cpu_t *c, uint8_t value) {
    if (!(c->p & D)) {
        adc(c, (uint8_t)~value);
        return;
    }
    int borrow = !(c->p & C);
    int low = (c->a & 15) - (value & 15) - borrow;
    int high = (c->a >> 4) - (value >> 4) - (low < 0);
    int binary = c->a - value - borrow;
    set_flag(c, V, (c->a ^ value) & (c->a ^ binary) & 0x80);
    set_flag(c, C, binary >= 0);
    set_nz(c, (uint8_t)binary);
    c->a = (uint8_t)(((high < 0 ? high + 10 : high) << 4) | ((low < 0 ? low + 10 : low) & 15));
}

static void compare(cpu_t *c, uint8_t left, uint8_t right) {
    set_flag(c, C, left >= right);
    set_nz(c, (uint8_t)(left - right));
}

static void bit(cpu_t *c, uint8_t value) {
    c->p = (uint8_t)((c->p & ~(N | V | Z)) | (value & (N | V)) | (value & c->a ? 0 : Z));
}

static uint8_t asl(cpu_t *c, uint8_t value) {
    set_flag(c, C, value & 0x80);
    return set_nz(c, (uint8_t)(value << 1));
}

static uint8_t lsr(cpu_t *c, uint8_t value) {
    set_flag(c, C, value & 1);
    return set_nz(c, value >> 1);
}

static uint8_t rol(cpu_t *c, uint8_t value) {
    uint8_t carry = c->p & C;
    set_flag(c, C, value & 0x80);
    return set_nz(c, (uint8_t)(value << 1 | carry));
}

static uint8_t ror(cpu_t *c, uint8_t value) {
    uint8_t carry = c->p & C;
    set_flag(c, C, value & 1);
    return set_nz(c, (uint8_t)(value >> 1 | carry << 7));
}

static void branch(cpu_t *c, bool taken) {
    int8_t offset = (int8_t)fetch8(c);
    if (!taken) return;
    uint16_t to = (uint16_t)(c->pc + offset);
    c->cycles += 1 + ((c->pc ^ to) >> 8 != 0);
    c->pc = to;
}

#define READ(mode) read8(mode(c))
#define MODIFY(operation, mode) do { uint16_t at = mode(c); write8(at, operation(c, read8(at))); } while (0)
#define INCREMENT(mode, by) do { uint16_t at = mode(c); write8(at, set_nz(c, (uint8_t)(read8(at) + (by)))); } while (0)

// Base cycles per opcode; 0 marks what the processor does not document.
static const uint8_t CYCLES[256] = {
    7, 6, 0, 0, 0, 3, 5, 0, 3, 2, 2, 0, 0, 4, 6, 0, 2, 5, 0, 0, 0, 4, 6, 0, 2, 4, 0, 0, 0, 4, 7, 0,
    6, 6, 0, 0, 3, 3, 5, 0, 4, 2, 2, 0, 4, 4, 6, 0, 2, 5, 0, 0, 0, 4, 6, 0, 2, 4, 0, 0, 0, 4, 7, 0,
    6, 6, 0, 0, 0, 3, 5, 0, 3, 2, 2, 0, 3, 4, 6, 0, 2, 5, 0, 0, 0, 4, 6, 0, 2, 4, 0, 0, 0, 4, 7, 0,
    6, 6, 0, 0, 0, 3, 5, 0, 4, 2, 2, 0, 5, 4, 6, 0, 2, 5, 0, 0, 0, 4, 6, 0, 2, 4, 0, 0, 0, 4, 7, 0,
    0, 6, 0, 0, 3, 3, 3, 0, 2, 0, 2, 0, 4, 4, 4, 0, 2, 6, 0, 0, 4, 4, 4, 0, 2, 5, 2, 0, 0, 5, 0, 0,
    2, 6, 2, 0, 3, 3, 3, 0, 2, 2, 2, 0, 4, 4, 4, 0, 2, 5, 0, 0, 4, 4, 4, 0, 2, 4, 2, 0, 4, 4, 4, 0,
    2, 6, 0, 0, 3, 3, 5, 0, 2, 2, 2, 0, 4, 4, 6, 0, 2, 5, 0, 0, 0, 4, 6, 0, 2, 4, 0, 0, 0, 4, 7, 0,
    2, 6, 0, 0, 3, 3, 5, 0, 2, 2, 2, 0, 4, 4, 6, 0, 2, 5, 0, 0, 0, 4, 6, 0, 2, 4, 0, 0, 0, 4, 7, 0,
};

static void step(cpu_t *c) {
    uint8_t opcode = fetch8(c);
    c->cycles += CYCLES[opcode];
    c->instructions++;
    switch (opcode) {
    case 0x00: c->halted = true; break;    // BRK ends a program here: there is no interrupt handler
    case 0x69: adc(c, READ(immediate)); break;
    case 0x65: adc(c, READ(zero_page)); break;
    case 0x75: adc(c, READ(zero_page_x)); break;
    case 0x6d: adc(c, READ(absolute)); break;
    case 0x7d: adc(c, READ(absolute_x)); break;
    case 0x79: adc(c, READ(absolute_y)); break;
    case 0x61: adc(c, READ(indirect_x)); break;
    case 0x71: adc(c, READ(indirect_y)); break;
    case 0xe9: sbc(c, READ(immediate)); break;
    case 0xe5: sbc(c, READ(zero_page)); break;
    case 0xf5: sbc(c, READ(zero_page_x)); break;
    case 0xed: sbc(c, READ(absolute)); break;
    case 0xfd: sbc(c, READ(absolute_x)); break;
    case 0xf9: sbc(c, READ(absolute_y)); break;
    case 0xe1: sbc(c, READ(indirect_x)); break;
    case 0xf1: sbc(c, READ(indirect_y)); break;
    case 0x29: c->a = set_nz(c, c->a & READ(immediate)); break;
    case 0x25: c->a = set_nz(c, c->a & READ(zero_page)); break;
    case 0x35: c->a = set_nz(c, c->a & READ(zero_page_x)); break;
    case 0x2d: c->a = set_nz(c, c->a & READ(absolute)); break;
    case 0x3d: c->a = set_nz(c, c->a & READ(absolute_x)); break;
    case 0x39: c->a = set_nz(c, c->a & READ(absolute_y)); break;
    case 0x21: c->a = set_nz(c, c->a & READ(indirect_x)); break;
    case 0x31: c->a = set_nz(c, c->a & READ(indirect_y)); break;
    case 0x09: c->a = set_nz(c, c->a | READ(immediate)); break;
    case 0x05: c->a = set_nz(c, c->a | READ(zero_page)); break;
    case 0x15: c->a = set_nz(c, c->a | READ(zero_page_x)); break;
    case 0x0d: c->a = set_nz(c, c->a | READ(absolute)); break;
    case 0x1d: c->a = set_nz(c, c->a | READ(absolute_x)); break;
    case 0x19: c->a = set_nz(c, c->a | READ(absolute_y)); break;
    case 0x01: c->a = set_nz(c, c->a | READ(indirect_x)); break;
    case 0x11: c->a = set_nz(c, c->a | READ(indirect_y)); break;
    case 0x49: c->a = set_nz(c, c->a ^ READ(immediate)); break;
    case 0x45: c->a = set_nz(c, c->a ^ READ(zero_page)); break;
    case 0x55: c->a = set_nz(c, c->a ^ READ(zero_page_x)); break;
    case 0x4d: c->a = set_nz(c, c->a ^ READ(absolute)); break;
    case 0x5d: c->a = set_nz(c, c->a ^ READ(absolute_x)); break;
    case 0x59: c->a = set_nz(c, c->a ^ READ(absolute_y)); break;
    case 0x41: c->a = set_nz(c, c->a ^ READ(indirect_x)); break;
    case 0x51: c->a = set_nz(c, c->a ^ READ(indirect_y)); break;
    case 0xc9: compare(c, c->a, READ(immediate)); break;
    case 0xc5: compare(c, c->a, READ(zero_page)); break;
    case 0xd5: compare(c, c->a, READ(zero_page_x)); break;
    case 0xcd: compare(c, c->a, READ(absolute)); break;
    case 0xdd: compare(c, c->a, READ(absolute_x)); break;
    case 0xd9: compare(c, c->a, READ(absolute_y)); break;
    case 0xc1: compare(c, c->a, READ(indirect_x)); break;
    case 0xd1: compare(c, c->a, READ(indirect_y)); break;
    case 0xe0: compare(c, c->x, READ(immediate)); break;
    case 0xe4: compare(c, c->x, READ(zero_page)); break;
    case 0xec: compare(c, c->x, READ(absolute)); break;
    case 0xc0: compare(c, c->y, READ(immediate)); break;
    case 0xc4: compare(c, c->y, READ(zero_page)); break;
    case 0xcc: compare(c, c->y, READ(absolute)); break;
    case 0x24: bit(c, READ(zero_page)); break;
    case 0x2c: bit(c, READ(absolute)); break;
    case 0x0a: c->a = asl(c, c->a); break;
    case 0x06: MODIFY(asl, zero_page); break;
    case 0x16: MODIFY(asl, zero_page_x); break;
    case 0x0e: MODIFY(asl, absolute); break;
    case 0x1e: MODIFY(asl, absolute_x); break;
    case 0x4a: c->a = lsr(c, c->a); break;
    case 0x46: MODIFY(lsr, zero_page); break;
    case 0x56: MODIFY(lsr, zero_page_x); break;
    case 0x4e: MODIFY(lsr, absolute); break;
    case 0x5e: MODIFY(lsr, absolute_x); break;
    case 0x2a: c->a = rol(c, c->a); break;
    case 0x26: MODIFY(rol, zero_page); break;
    case 0x36: MODIFY(rol, zero_page_x); break;
    case 0x2e: MODIFY(rol, absolute); break;
    case 0x3e: MODIFY(rol, absolute_x); break;
    case 0x6a: c->a = ror(c, c->a); break;
    case 0x66: MODIFY(ror, zero_page); break;
    case 0x76: MODIFY(ror, zero_page_x); break;
    case 0x6e: MODIFY(ror, absolute); break;
    case 0x7e: MODIFY(ror, absolute_x); break;
    case 0xe6: INCREMENT(zero_page, 1); break;
    case 0xf6: INCREMENT(zero_page_x, 1); break;
    case 0xee: INCREMENT(absolute, 1); break;
    case 0xfe: INCREMENT(absolute_x, 1); break;
    case 0xc6: INCREMENT(zero_page, -1); break;
    case 0xd6: INCREMENT(zero_page_x, -1); break;
    case 0xce: INCREMENT(absolute, -1); break;
    case 0xde: INCREMENT(absolute_x, -1); break;
    case 0xe8: c->x = set_nz(c, (uint8_t)(c->x + 1)); break;
    case 0xca: c->x = set_nz(c, (uint8_t)(c->x - 1)); break;
    case 0xc8: c->y = set_nz(c, (uint8_t)(c->y + 1)); break;
    case 0x88: c->y = set_nz(c, (uint8_t)(c->y - 1)); break;
    case 0xa9: c->a = set_nz(c, READ(immediate)); break;
    case 0xa5: c->a = set_nz(c, READ(zero_page)); break;
    case 0xb5: c->a = set_nz(c, READ(zero_page_x)); break;
    case 0xad: c->a = set_nz(c, READ(absolute)); break;
    case 0xbd: c->a = set_nz(c, READ(absolute_x)); break;
    case 0xb9: c->a = set_nz(c, READ(absolute_y)); break;
    case 0xa1: c->a = set_nz(c, READ(indirect_x)); break;
    case 0xb1: c->a = set_nz(c, READ(indirect_y)); break;
    case 0xa2: c->x = set_nz(c, READ(immediate)); break;
    case 0xa6: c->x = set_nz(c, READ(zero_page)); break;
    case 0xb6: c->x = set_nz(c, READ(zero_page_y)); break;
    case 0xae: c->x = set_nz(c, READ(absolute)); break;
    case 0xbe: c->x = set_nz(c, READ(absolute_y)); break;
    case 0xa0: c->y = set_nz(c, READ(immediate)); break;
    case 0xa4: c->y = set_nz(c, READ(zero_page)); break;
    case 0xb4: c->y = set_nz(c, READ(zero_page_x)); break;
    case 0xac: c->y = set_nz(c, READ(absolute)); break;
    case 0xbc: c->y = set_nz(c, READ(absolute_x)); break;
    case 0x85: write8(zero_page(c), c->a); break;
    case 0x95: write8(zero_page_x(c), c->a); break;
    case 0x8d: write8(absolute(c), c->a); break;
    case 0x9d: write8(absolute_x(c), c->a); break;
    case 0x99: write8(absolute_y(c), c->a); break;
    case 0x81: write8(indirect_x(c), c->a); break;
    case 0x91: write8(indirect_y(c), c->a); break;
    case 0x86: write8(zero_page(c), c->x); break;
    case 0x96: write8(zero_page_y(c), c->x); break;
    case 0x8e: write8(absolute(c), c->x); break;
    case 0x84: write8(zero_page(c), c->y); break;
    case 0x94: write8(zero_page_x(c), c->y); break;
    case 0x8c: write8(absolute(c), c->y); break;
    case 0xaa: c->x = set_nz(c, c->a); break;
    case 0xa8: c->y = set_nz(c, c->a); break;
    case 0xba: c->x = set_nz(c, c->s); break;
    case 0x8a: c->a = set_nz(c, c->x); break;
    case 0x98: c->a = set_nz(c, c->y); break;
    case 0x9a: c->s = c->x; break;
    case 0x48: push8(c, c->a); break;
    case 0x08: push8(c, c->p | B | U); break;
    case 0x68: c->a = set_nz(c, pop8(c)); break;
    case 0x28: c->p = (uint8_t)((pop8(c) & ~B) | U); break;
    case 0x4c: c->pc = absolute(c); break;
    case 0x6c: c->pc = read16(absolute(c)); break;
    case 0x20: {
        uint16_t to = fetch16(c);
        push16(c, (uint16_t)(c->pc - 1));
        c->pc = to;
        break;
    }
    case 0x60: c->pc = (uint16_t)(pop16(c) + 1); break;
    case 0x40: c->p = (uint8_t)((pop8(c) & ~B) | U); c->pc = pop16(c); break;
    case 0x10: branch(c, !(c->p & N)); break;
    case 0x30: branch(c, c->p & N); break;
    case 0x50: branch(c, !(c->p & V)); break;
    case 0x70: branch(c, c->p & V); break;
    case 0x90: branch(c, !(c->p & C)); break;
    case 0xb0: branch(c, c->p & C); break;
    case 0xd0: branch(c, !(c->p & Z)); break;
    case 0xf0: branch(c, c->p & Z); break;
    case 0x18: set_flag(c, C, false); break;
    case 0x38: set_flag(c, C, true); break;
    case 0x58: set_flag(c, I, false); break;
    case 0x78: set_flag(c, I, true); break;
    case 0xb8: set_flag(c, V, false); break;
    case 0xd8: set_flag(c, D, false); break;
    case 0xf8: set_flag(c, D, true); break;
    case 0xea: break;
    default: c->halted = true; break;
    }
}

// ---- Programs -----------------------------------------------------------------------------------

enum { ORIGIN = 0x0800, DATA = 0x2000 };

// Flags composites below 8192 at DATA, page by page: $02/$03 pointer, $04 prime.
static const uint8_t SIEVE[] = {
    0xa9, 0x02, 0x85, 0x04,              //        LDA #2; STA $04
    // next: pointer = DATA + 2 * prime
    0xa9, 0x00, 0x85, 0x02,              // next:  LDA #0; STA $02
    0xa9, 0x20, 0x85, 0x03,              //        LDA #>DATA; STA $03
    0xa5, 0x04, 0x0a,                    //        LDA $04; ASL
    0x85, 0x02,                          //        STA $02
    0x90, 0x02,                          //        BCC mark
    0xe6, 0x03,                          //        INC $03
    0xa0, 0x00,                          // mark:  LDY #0
    0xa9, 0x01, 0x91, 0x02,              // loop:  LDA #1; STA ($02),Y
    0x18, 0xa5, 0x02, 0x65, 0x04,        //        CLC; LDA $02; ADC $04
    0x85, 0x02,                          //        STA $02
    0xa5, 0x03, 0x69, 0x00, 0x85, 0x03,  //        LDA $03; ADC #0; STA $03
    0xc9, 0x40,                          //        CMP #$40
    0x90, 0xeb,                          //        BCC loop
    0xe6, 0x04, 0xa5, 0x04,              //        INC $04; LDA $04
    0xc9, 0x5b,                          //        CMP #91
    0x90, 0xd0,                          //        BCC next
    0x00,                                //        BRK
};

// Bubble sort of the 256 bytes at DATA.
static const uint8_t SORT[] = {
    0xa9, 0x00, 0x85, 0x05,              // again: LDA #0; STA $05
    0xa2, 0x00,                          //        LDX #0
    0xbd, 0x00, 0x20,                    // loop:  LDA DATA,X
    0xdd, 0x01, 0x20,                    //        CMP DATA+1,X
    0x90, 0x12,                          //        BCC skip
    0xf0, 0x10,                          //        BEQ skip
    0xa8,                                //        TAY
    0xbd, 0x01, 0x20,                    //        LDA DATA+1,X
    0x9d, 0x00, 0x20,                    //        STA DATA,X
    0x98,                                //        TYA
    0x9d, 0x01, 0x20,                    //        STA DATA+1,X
    0xe6, 0x05,                          //        INC $05
    0xea, 0xea, 0xea,                    //        NOP; NOP; NOP
    0xe8,                                // skip:  INX
    0xe0, 0xff,                          //        CPX #255
    0xd0, 0xe1,                          //        BNE loop
    0xa5, 0x05,                          //        LDA $05
    0xd0, 0xd7,                          //        BNE again
    0x00,                                //        BRK
};

// Multiplies pairs of bytes at DATA by shift and add through a subroutine, and sums the 16-bit
// products at $10/$11, then counts in decimal at $12.
static const uint8_t MULTIPLY[] = {
    0xa2, 0x00,                          //        LDX #0
    0xbd, 0x00, 0x20, 0x85, 0x06,        // loop:  LDA DATA,X; STA $06
    0xbd, 0x01, 0x20, 0x85, 0x07,        //        LDA DATA+1,X; STA $07
    0x20, 0x2d, 0x08,                    //        JSR mul
    0x18, 0xa5, 0x08, 0x65, 0x10,        //        CLC; LDA $08; ADC $10
    0x85, 0x10,                          //        STA $10
    0xa5, 0x09, 0x65, 0x11, 0x85, 0x11,  //        LDA $09; ADC $11; STA $11
    0xf8, 0x18, 0xa5, 0x12,              //        SED; CLC; LDA $12
    0x69, 0x01, 0x85, 0x12, 0xd8,        //        ADC #1; STA $12; CLD
    0xe8, 0xe8,                          //        INX; INX
    0xd0, 0xd9,                          //        BNE loop
    0x00,                                //        BRK
    0xea, 0xea, 0xea,                    //        padding
    0xa9, 0x00, 0x85, 0x09,              // mul:   LDA #0; STA $09   (at $082d)
    0xa0, 0x08,                          //        LDY #8
    0x46, 0x06,                          // bit:   LSR $06
    0x90, 0x03,                          //        BCC shift
    0x18, 0x65, 0x07,                    //        CLC; ADC $07
    0x6a,                                // shift: ROR
    0x66, 0x08,                          //        ROR $08
    0x88,                                //        DEY
    0xd0, 0xf3,                          //        BNE bit
    0x85, 0x09,                          //        STA $09
    0x60,                                //        RTS
};

static uint32_t rounds;
static cpu_t last[3];
static uint32_t primes, product_sum;
static bool sorted;

static cpu_t run_program(const uint8_t *program, size_t len) {
    cpu_t cpu = {.s = 0xff, .p = U | I, .pc = ORIGIN};
    memcpy(ram + ORIGIN, program, len);
    while (!cpu.halted) step(&cpu);
    return cpu;
}

static void fill_data(uint32_t seed) {
    rng_seed(seed);
    for (int i = 0; i < 256; i++) ram[DATA + i] = (uint8_t)rng_u64();
}

void workload_setup(bool small) { rounds = small ? 1 : 12; }

uint64_t workload_kernel(void) {
    uint64_t sum = 0;
    for (uint32_t round = 0; round < rounds; round++) {
        memset(ram, 0, sizeof ram);
        last[0] = run_program(SIEVE, sizeof SIEVE);
        primes = 0;
        for (int i = 2; i < 8192; i++) primes += !ram[DATA + i];

        memset(ram, 0, sizeof ram);
        fill_data(round + 1);
        last[1] = run_program(SORT, sizeof SORT);
        sorted = true;
        for (int i = 1; i < 256; i++) sorted &= ram[DATA + i - 1] <= ram[DATA + i];

        memset(ram, 0, sizeof ram);
        fill_data(round + 100);
        last[2] = run_program(MULTIPLY, sizeof MULTIPLY);
        product_sum = read16(0x10);
        uint32_t expected = 0;
        for (int i = 0; i < 256; i += 2) expected += (uint32_t)ram[DATA + i] * ram[DATA + i + 1];
        if ((uint16_t)expected != product_sum) return 0;

        for (int i = 0; i < 3; i++) sum = mix(mix(sum, last[i].cycles), last[i].p | (uint64_t)last[i].a << 8);
        sum = mix(sum, primes ^ (uint64_t)product_sum << 16 ^ (uint64_t)ram[0x12] << 32);
    }
    return sum;
}

void workload_report(void) {
    static const char *const names[] = {"sieve", "sort", "multiply"};
    for (int i = 0; i < 3; i++) {
        out_str(names[i]);
        out_field(" cycles", last[i].cycles);
    }
    out_field("primes", primes);
    out_field("sorted", sorted);
    out_field("product sum", product_sum);
}
