// A language implementation in miniature: a compiler for a small imperative language (integers,
// arrays, functions, while, if) into stack bytecode, and the virtual machine that runs it. The
// kernel compiles three programs and runs them. The machine's loop is one big switch, which LLVM
// turns into a br_table: the dispatch that every interpreter inside wasm pays for.

#include "bench.h"

// ---- Tokens -------------------------------------------------------------------------------------

typedef enum {
    T_END, T_NUMBER, T_NAME, T_FN, T_VAR, T_WHILE, T_IF, T_ELSE, T_RETURN,
    T_LEFT, T_RIGHT, T_OPEN, T_CLOSE, T_INDEX, T_UNINDEX, T_COMMA, T_SEMICOLON, T_ASSIGN,
    T_OR, T_AND, T_EQ, T_NE, T_LT, T_LE, T_GT, T_GE,
    T_PLUS, T_MINUS, T_XOR, T_TIMES, T_DIVIDE, T_REMAINDER, T_SHL, T_SHR, T_NOT,
} token_t;

static const char *source;
static token_t token;
static int64_t token_number;
static const char *token_text;
static uint32_t token_len;
static uint32_t lines;

static bool is_letter(char c) { return (c | 32) >= 'a' && (c | 32) <= 'z'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

_Noreturn static void reject(const char *why) {
    out_str("line ");
    out_u64(lines);
    out_str(": ");
    out_str(why);
    out_char('\n');
    out_flush();
    platform_exit(1);
}

static token_t keyword(void) {
    static const struct { const char *text; token_t token; } known[] = {
        {"fn", T_FN}, {"var", T_VAR}, {"while", T_WHILE}, {"if", T_IF}, {"else", T_ELSE}, {"return", T_RETURN}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strlen(known[i].text) == token_len && memcmp(known[i].text, token_text, token_len) == 0)
            return known[i].token;
    return T_NAME;
}

static token_t one_or_two(char second, token_t two, token_t one) {
    if (*source != second) return one;
    source++;
    return two;
}

static token_t scan(void) {
    while (*source == ' ' || *source == '\n') lines += *source++ == '\n';
    char c = *source;
    if (c == 0) return T_END;
    if (is_digit(c)) {
        token_number = 0;
        while (is_digit(*source)) token_number = token_number * 10 + (*source++ - '0');
        return T_NUMBER;
    }
    if (is_letter(c)) {
        token_text = source;
        while (is_letter(*source) || is_digit(*source)) source++;
        token_len = (uint32_t)(source - token_text);
        return keyword();
    }
    source++;
    switch (c) {
    case '(': return T_LEFT;
    case ')': return T_RIGHT;
    case '{': return T_OPEN;
    case '}': return T_CLOSE;
    case '[': return T_INDEX;
    case ']': return T_UNINDEX;
    case ',': return T_COMMA;
    case ';': return T_SEMICOLON;
    case '+': return T_PLUS;
    case '-': return T_MINUS;
    case '^': return T_XOR;
    case '*': return T_TIMES;
    case '/': return T_DIVIDE;
    case '%': return T_REMAINDER;
    case '|': return T_OR;
    case '&': return T_AND;
    case '=': return one_or_two('=', T_EQ, T_ASSIGN);
    case '!': return one_or_two('=', T_NE, T_NOT);
    case '<': return *source == '<' ? (source++, T_SHL) : one_or_two('=', T_LE, T_LT);
    case '>': return *source == '>' ? (source++, T_SHR) : one_or_two('=', T_GE, T_GT);
    default: reject("unexpected character");
    }
}

static void advance(void) { token = scan(); }

static bool accept(token_t t) {
    if (token != t) return false;
    advance();
    return true;
}

static void expect(token_t t, const char *why) {
    if (!accept(t)) reject(why);
}

// ---- Bytecode -----------------------------------------------------------------------------------

typedef enum {
    OP_CONST, OP_LOAD, OP_STORE, OP_GET, OP_PUT,
    OP_OR, OP_AND, OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE,
    OP_ADD, OP_SUB, OP_XOR, OP_MUL, OP_DIV, OP_REM, OP_SHL, OP_SHR, OP_NOT, OP_NEG,
    OP_JUMP, OP_JUMP_IF_ZERO, OP_CALL, OP_RETURN, OP_POP, OP_HALT,
} op_t;

enum { CODE_MAX = 4096, FUNCTIONS_MAX = 32, LOCALS_MAX = 24, STACK_MAX = 1 << 16, HEAP_WORDS = 1 << 16 };

// An instruction is an opcode in the low byte and an operand above it.
static int32_t code[CODE_MAX];
static uint32_t code_len;
static int64_t constants[256];
static uint32_t constants_len;

typedef struct {
    const char *name;
    uint32_t name_len, entry, parameters, locals;
} function_t;

static function_t functions[FUNCTIONS_MAX];
static uint32_t functions_len;
static struct { const char *text; uint32_t len; } locals[LOCALS_MAX];
static uint32_t locals_len;

static uint32_t emit(op_t op, uint32_t operand) {
    if (code_len == CODE_MAX) reject("program too long");
    code[code_len] = (int32_t)(operand << 8 | op);
    return code_len++;
}

static void patch_to_here(uint32_t at) { code[at] = (int32_t)(code_len << 8) | (code[at] & 255); }

static uint32_t constant(int64_t value) {
    for (uint32_t i = 0; i < constants_len; i++)
        if (constants[i] == value) return i;
    if (constants_len == 256) reject("too many constants");
    constants[constants_len] = value;
    return constants_len++;
}

static bool same(const char *a, uint32_t a_len, const char *b, uint32_t b_len) {
    return a_len == b_len && memcmp(a, b, a_len) == 0;
}

static uint32_t local(const char *text, uint32_t len) {
    for (uint32_t i = locals_len; i-- > 0;)
        if (same(locals[i].text, locals[i].len, text, len)) return i;
    reject("unknown variable");
}

static uint32_t declare(void) {
    if (token != T_NAME) reject("name expected");
    if (locals_len == LOCALS_MAX) reject("too many variables");
    locals[locals_len].text = token_text;
    locals[locals_len].len = token_len;
    advance();
    return locals_len++;
}

static uint32_t function(const char *text, uint32_t len) {
    for (uint32_t i = 0; i < functions_len; i++)
        if (same(functions[i].name, functions[i].name_len, text, len)) return i;
    if (functions_len == FUNCTIONS_MAX) reject("too many functions");
    functions[functions_len] = (function_t){.name = text, .name_len = len, .entry = UINT32_MAX};
    return functions_len++;
}

// ---- Compiler -----------------------------------------------------------------------------------

static void expression(int level);

static void name(void) {
    const char *text = token_text;
    uint32_t len = token_len;
    advance();
    if (accept(T_LEFT)) {
        uint32_t arguments = 0;
        if (token != T_RIGHT) do expression(0), arguments++;
            while (accept(T_COMMA));
        expect(T_RIGHT, ") expected");
        emit(OP_CALL, function(text, len) | arguments << 8);
    } else if (accept(T_INDEX)) {
        emit(OP_LOAD, local(text, len));
        expression(0);
        expect(T_UNINDEX, "] expected");
        emit(OP_GET, 0);
    } else {
        emit(OP_LOAD, local(text, len));
    }
}

static void unary(void) {
    switch (token) {
    case T_NUMBER: emit(OP_CONST, constant(token_number)); advance(); break;
    case T_NAME: name(); break;
    case T_LEFT: advance(); expression(0); expect(T_RIGHT, ") expected"); break;
    case T_MINUS: advance(); unary(); emit(OP_NEG, 0); break;
    case T_NOT: advance(); unary(); emit(OP_NOT, 0); break;
    default: reject("expression expected");
    }
}

static int precedence(token_t t) {
    return t < T_OR || t > T_SHR ? -1 : t <= T_AND ? 0 : t <= T_GE ? 1 : t <= T_XOR ? 2 : 3;
}

// The operators' tokens and opcodes are in the same order.
static void expression(int level) {
    unary();
    for (int p; (p = precedence(token)) >= level;) {
        op_t op = (op_t)(OP_OR + (token - T_OR));
        advance();
        expression(p + 1);
        emit(op, 0);
    }
}

static void block(void);

static void statement(void) {
    if (accept(T_VAR)) {
        const uint32_t slot = declare();
        expect(T_ASSIGN, "= expected");
        expression(0);
        emit(OP_STORE, slot);
        expect(T_SEMICOLON, "; expected");
    } else if (accept(T_WHILE)) {
        uint32_t top = code_len;
        expression(0);
        uint32_t leave = emit(OP_JUMP_IF_ZERO, 0);
        block();
        emit(OP_JUMP, top);
        patch_to_here(leave);
    } else if (accept(T_IF)) {
        expression(0);
        uint32_t otherwise = emit(OP_JUMP_IF_ZERO, 0);
        block();
        if (accept(T_ELSE)) {
            uint32_t end = emit(OP_JUMP, 0);
            patch_to_here(otherwise);
            block();
            patch_to_here(end);
        } else {
            patch_to_here(otherwise);
        }
    } else if (accept(T_RETURN)) {
        expression(0);
        emit(OP_RETURN, 0);
        expect(T_SEMICOLON, "; expected");
    } else {
        // An assignment to a variable or an element, or a call for its effect.
        const char *text = token_text;
        uint32_t len = token_len;
        const char *rewind = source;
        if (token != T_NAME) reject("statement expected");
        advance();
        if (accept(T_ASSIGN)) {
            expression(0);
            emit(OP_STORE, local(text, len));
        } else if (accept(T_INDEX)) {
            emit(OP_LOAD, local(text, len));
            expression(0);
            expect(T_UNINDEX, "] expected");
            expect(T_ASSIGN, "= expected");
            expression(0);
            emit(OP_PUT, 0);
        } else {
            source = rewind, token = T_NAME, token_text = text, token_len = len;
            expression(0);
            emit(OP_POP, 0);
        }
        expect(T_SEMICOLON, "; expected");
    }
}

static void block(void) {
    expect(T_OPEN, "{ expected");
    while (!accept(T_CLOSE)) statement();
}

static void compile(const char *text) {
    source = text;
    lines = 1;
    code_len = constants_len = functions_len = 0;
    advance();
    emit(OP_CALL, function("main", 4));
    emit(OP_HALT, 0);
    while (accept(T_FN)) {
        if (token != T_NAME) reject("function name expected");
        uint32_t index = function(token_text, token_len);
        advance();
        locals_len = 0;
        expect(T_LEFT, "( expected");
        if (token != T_RIGHT) do declare();
            while (accept(T_COMMA));
        expect(T_RIGHT, ") expected");
        functions[index].entry = code_len;
        functions[index].parameters = locals_len;
        block();
        emit(OP_CONST, constant(0));
        emit(OP_RETURN, 0);
        functions[index].locals = locals_len;
    }
    if (token != T_END) reject("fn expected");
    for (uint32_t i = 0; i < functions_len; i++)
        if (functions[i].entry == UINT32_MAX) reject("undefined function");
}

// ---- Machine ------------------------------------------------------------------------------------

static int64_t stack[STACK_MAX], heap[HEAP_WORDS];
static uint64_t executed;

// The frame of a call: parameters and other locals, then the saved pc and frame, then operands.
static int64_t execute(void) {
    const int32_t *pc = code;
    int64_t *frame = stack, *sp = stack;
    uint64_t count = 0;
    for (;;) {
        int32_t instruction = *pc++;
        uint32_t operand = (uint32_t)instruction >> 8;
        count++;
        switch ((op_t)(instruction & 255)) {
        case OP_CONST: *sp++ = constants[operand]; break;
        case OP_LOAD: *sp++ = frame[operand]; break;
        case OP_STORE: frame[operand] = *--sp; break;
        case OP_GET: sp--; sp[-1] = heap[(uint64_t)(sp[-1] + sp[0]) % HEAP_WORDS]; break;
        case OP_PUT: sp -= 3; heap[(uint64_t)(sp[0] + sp[1]) % HEAP_WORDS] = sp[2]; break;
        case OP_OR: sp--; sp[-1] |= sp[0]; break;
        case OP_AND: sp--; sp[-1] &= sp[0]; break;
        case OP_EQ: sp--; sp[-1] = sp[-1] == sp[0]; break;
        case OP_NE: sp--; sp[-1] = sp[-1] != sp[0]; break;
        case OP_LT: sp--; sp[-1] = sp[-1] < sp[0]; break;
        case OP_LE: sp--; sp[-1] = sp[-1] <= sp[0]; break;
        case OP_GT: sp--; sp[-1] = sp[-1] > sp[0]; break;
        case OP_GE: sp--; sp[-1] = sp[-1] >= sp[0]; break;
        case OP_ADD: sp--; sp[-1] = (int64_t)((uint64_t)sp[-1] + (uint64_t)sp[0]); break;
        case OP_SUB: sp--; sp[-1] = (int64_t)((uint64_t)sp[-1] - (uint64_t)sp[0]); break;
        case OP_XOR: sp--; sp[-1] ^= sp[0]; break;
        case OP_MUL: sp--; sp[-1] = (int64_t)((uint64_t)sp[-1] * (uint64_t)sp[0]); break;
        case OP_DIV: sp--; sp[-1] = sp[0] == 0 ? 0 : sp[-1] / sp[0]; break;
        case OP_REM: sp--; sp[-1] = sp[0] == 0 ? 0 : sp[-1] % sp[0]; break;
        case OP_SHL: sp--; sp[-1] = (int64_t)((uint64_t)sp[-1] << (sp[0] & 63)); break;
        case OP_SHR: sp--; sp[-1] = (int64_t)((uint64_t)sp[-1] >> (sp[0] & 63)); break;
        case OP_NOT: sp[-1] = !sp[-1]; break;
        case OP_NEG: sp[-1] = (int64_t)(0 - (uint64_t)sp[-1]); break;
        case OP_JUMP: pc = code + operand; break;
        case OP_JUMP_IF_ZERO: if (*--sp == 0) pc = code + operand; break;
        case OP_POP: sp--; break;
        case OP_CALL: {
            const function_t *f = &functions[operand & 255];
            int64_t *callee = sp - f->parameters;
            sp = callee + f->locals;
            if (sp + 64 > stack + STACK_MAX) reject("stack overflow");
            *sp++ = pc - code;
            *sp++ = callee - frame;
            frame = callee;
            pc = code + f->entry;
            break;
        }
        case OP_RETURN: {
            int64_t result = sp[-1];
            // A return is a statement, so nothing but the result is above the saved words.
            pc = code + sp[-3];
            int64_t *callee = frame;
            frame -= sp[-2];
            sp = callee;
            *sp++ = result;
            break;
        }
        case OP_HALT: executed += count; return sp[-1];
        }
    }
}

// ---- The workload -------------------------------------------------------------------------------

static const char *const SIEVE =
    "fn main() {\n"
    "  var size = 30000; var base = 1000; var i = 2; var count = 0;\n"
    "  while (i < size) { base[i] = 1; i = i + 1; }\n"
    "  i = 2;\n"
    "  while (i < size) {\n"
    "    if (base[i]) { count = count + 1; var j = i * i; while (j < size) { base[j] = 0; j = j + i; } }\n"
    "    i = i + 1;\n"
    "  }\n"
    "  return count;\n"
    "}\n";

static const char *const CALLS =
    "fn fib(n) { if (n < 2) { return n; } return fib(n - 1) + fib(n - 2); }\n"
    "fn gcd(a, b) { while (b != 0) { var t = a % b; a = b; b = t; } return a; }\n"
    "fn main() {\n"
    "  var sum = fib(21); var i = 1;\n"
    "  while (i < 4000) { sum = sum + gcd(i * 31, 9240); i = i + 1; }\n"
    "  return sum;\n"
    "}\n";

static const char *const SORT =
    "fn random(s) { s = s ^ (s << 13); s = s ^ (s >> 7); return s ^ (s << 17); }\n"
    "fn sort(a, low, high) {\n"
    "  if (low >= high) { return 0; }\n"
    "  var pivot = a[(low + high) / 2]; var i = low; var j = high;\n"
    "  while (i <= j) {\n"
    "    while (a[i] < pivot) { i = i + 1; }\n"
    "    while (a[j] > pivot) { j = j - 1; }\n"
    "    if (i <= j) { var t = a[i]; a[i] = a[j]; a[j] = t; i = i + 1; j = j - 1; }\n"
    "  }\n"
    "  sort(a, low, j); sort(a, i, high);\n"
    "  return 0;\n"
    "}\n"
    "fn main() {\n"
    "  var a = 5000; var n = 8000; var i = 0; var s = 88172645463325252;\n"
    "  while (i < n) { s = random(s); a[i] = s >> 40; i = i + 1; }\n"
    "  sort(a, 0, n - 1);\n"
    "  i = 1; var sum = 0;\n"
    "  while (i < n) { if (a[i] < a[i - 1]) { return 0 - 1; } sum = sum * 31 + a[i]; i = i + 1; }\n"
    "  return sum;\n"
    "}\n";

static int rounds;
static int64_t results[3];

void workload_setup(bool small) { rounds = small ? 0 : 2; }

uint64_t workload_kernel(void) {
    const char *const programs[] = {SIEVE, CALLS, SORT};
    uint64_t sum = 0;
    executed = 0;
    // The small size runs only the second program.
    for (int round = 0; round < (rounds ? rounds : 1); round++) {
        for (int p = rounds ? 0 : 1; p < (rounds ? 3 : 2); p++) {
            compile(programs[p]);
            memset(heap, 0, sizeof heap);
            results[p] = execute();
            sum = mix(mix(sum, (uint64_t)results[p]), code_len);
        }
    }
    return mix(sum, executed);
}

void workload_report(void) {
    out_field("primes", (uint64_t)results[0]);
    out_field("calls", (uint64_t)results[1]);
    out_field("sort", (uint64_t)results[2]);
    out_field("instructions", executed);
}
