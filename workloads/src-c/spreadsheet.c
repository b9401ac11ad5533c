// A spreadsheet engine: formulas are parsed to postfix code, cells depend on cells, and a change
// recalculates exactly what depends on it, in topological order, with cycles detected. Formulas have
// arithmetic, comparisons, IF, and SUM, MIN, MAX, AVG, COUNT over ranges. Mixed work: parsing, graph
// walks, floating point, and a small stack machine.

#include "bench.h"

enum { ROWS_MAX = 128, COLUMNS = 16, CELLS_MAX = ROWS_MAX * COLUMNS, CODE_MAX = 1 << 17, EDGES_MAX = 1 << 19 };

typedef enum {
    OP_NUMBER, OP_CELL, OP_ADD, OP_SUBTRACT, OP_MULTIPLY, OP_DIVIDE, OP_NEGATE, OP_LESS, OP_EQUAL, OP_GREATER,
    OP_IF, OP_SUM, OP_MIN, OP_MAX, OP_AVG, OP_COUNT, OP_END,
} op_t;

typedef struct {
    op_t op;
    uint32_t first, last;              // cells, for OP_CELL and ranges
    double number;
} code_t;

typedef struct {
    uint32_t code;                     // where its formula starts
    double value;
    enum { EMPTY, VALID, BAD_SYNTAX, CYCLE, DIVISION } state;
    uint32_t dependents;               // first edge of a list, or 0
    uint32_t waiting, mark;
} cell_t;

typedef struct { uint32_t to, next; } edge_t;

static cell_t cells[CELLS_MAX];
static code_t code[CODE_MAX];
static edge_t edges[EDGES_MAX];
static uint32_t code_len, edges_len, rows, generation;
static uint64_t evaluations;

// ---- Formulas -----------------------------------------------------------------------------------

static const char *text;
static bool syntax_ok;
static uint32_t target;                // the cell whose formula is being parsed

static void emit(op_t op, double number, uint32_t first, uint32_t last) {
    if (code_len == CODE_MAX) platform_exit(3);
    code[code_len++] = (code_t){op, first, last, number};
}

static void depend(uint32_t on) {
    if (edges_len == EDGES_MAX) platform_exit(3);
    edges[edges_len] = (edge_t){target, cells[on].dependents};
    cells[on].dependents = edges_len++;
}

static bool take(char c) {
    while (*text == ' ') text++;
    if (*text != c) return false;
    text++;
    return true;
}

static void expect(char c) { syntax_ok &= take(c); }

static double number(void) {
    double value = 0, scale = 1;
    while (*text >= '0' && *text <= '9') value = value * 10 + (*text++ - '0');
    if (*text == '.')
        for (text++; *text >= '0' && *text <= '9'; text++) value += (*text - '0') * (scale /= 10);
    return value;
}

// A reference like C12; rows count from 1.
static uint32_t reference(void) {
    uint32_t column = (uint32_t)(*text++ - 'A'), row = (uint32_t)number();
    if (column >= COLUMNS || row < 1 || row > rows) {
        syntax_ok = false;
        return 0;
    }
    return (row - 1) * COLUMNS + column;
}

static void comparison(void);

static bool word(const char *name) {
    size_t n = strlen(name);
    if (strncmp(text, name, n) != 0 || text[n] != '(') return false;
    text += n + 1;
    return true;
}

static void range(op_t op) {
    uint32_t a = reference();
    expect(':');
    uint32_t b = reference();
    expect(')');
    if (!syntax_ok) return;
    emit(op, 0, a, b);
    for (uint32_t row = a / COLUMNS; row <= b / COLUMNS; row++)
        for (uint32_t column = a % COLUMNS; column <= b % COLUMNS; column++) depend(row * COLUMNS + column);
}

static void primary(void) {
    while (*text == ' ') text++;
    if (take('-')) {
        primary();
        emit(OP_NEGATE, 0, 0, 0);
    } else if (take('(')) {
        comparison();
        expect(')');
    } else if (*text >= '0' && *text <= '9') {
        emit(OP_NUMBER, number(), 0, 0);
    } else if (word("IF")) {
        comparison();
        expect(',');
        comparison();
        expect(',');
        comparison();
        expect(')');
        emit(OP_IF, 0, 0, 0);
    } else if (word("SUM")) {
        range(OP_SUM);
    } else if (word("MIN")) {
        range(OP_MIN);
    } else if (word("MAX")) {
        range(OP_MAX);
    } else if (word("AVG")) {
        range(OP_AVG);
    } else if (word("COUNT")) {
        range(OP_COUNT);
    } else if (*text >= 'A' && *text <= 'Z') {
        uint32_t on = reference();
        emit(OP_CELL, 0, on, on);
        if (syntax_ok) depend(on);
    } else {
        syntax_ok = false;
        if (*text) text++;
    }
}

static void term(void) {
    primary();
    for (;;) {
        op_t op = take('*') ? OP_MULTIPLY : take('/') ? OP_DIVIDE : OP_END;
        if (op == OP_END || !syntax_ok) return;
        primary();
        emit(op, 0, 0, 0);
    }
}

static void sum(void) {
    term();
    for (;;) {
        op_t op = take('+') ? OP_ADD : take('-') ? OP_SUBTRACT : OP_END;
        if (op == OP_END || !syntax_ok) return;
        term();
        emit(op, 0, 0, 0);
    }
}

static void comparison(void) {
    sum();
    op_t op = take('<') ? OP_LESS : take('=') ? OP_EQUAL : take('>') ? OP_GREATER : OP_END;
    if (op == OP_END) return;
    sum();
    emit(op, 0, 0, 0);
}

static void set_formula(uint32_t cell, const char *formula) {
    target = cell;
    text = formula;
    syntax_ok = true;
    cells[cell].code = code_len;
    comparison();
    emit(OP_END, 0, 0, 0);
    cells[cell].state = syntax_ok && *text == 0 ? VALID : BAD_SYNTAX;
}

// ---- Evaluation ---------------------------------------------------------------------------------

static double fold_range(const code_t *c) {
    double total = 0, low = 1e300, high = -1e300, count = 0;
    for (uint32_t row = c->first / COLUMNS; row <= c->last / COLUMNS; row++) {
        for (uint32_t column = c->first % COLUMNS; column <= c->last % COLUMNS; column++) {
            const cell_t *cell = &cells[row * COLUMNS + column];
            if (cell->state != VALID) continue;
            total += cell->value;
            low = cell->value < low ? cell->value : low;
            high = cell->value > high ? cell->value : high;
            count++;
        }
    }
    switch (c->op) {
    case OP_SUM: return total;
    case OP_MIN: return count > 0 ? low : 0;
    case OP_MAX: return count > 0 ? high : 0;
    case OP_AVG: return count > 0 ? total / count : 0;
    default: return count;
    }
}

static void evaluate(cell_t *cell) {
    double stack[64], *top = stack;
    evaluations++;
    if (cell->state == DIVISION || cell->state == CYCLE) cell->state = VALID;
    for (const code_t *c = &code[cell->code]; c->op != OP_END; c++) {
        if (top > stack + 60) platform_exit(3);
        switch (c->op) {
        case OP_NUMBER: *top++ = c->number; break;
        case OP_CELL:
            *top++ = cells[c->first].value;
            if (cells[c->first].state > VALID) cell->state = cells[c->first].state;
            break;
        case OP_ADD: top--; top[-1] += top[0]; break;
        case OP_SUBTRACT: top--; top[-1] -= top[0]; break;
        case OP_MULTIPLY: top--; top[-1] *= top[0]; break;
        case OP_DIVIDE:
            top--;
            if (top[0] == 0) cell->state = DIVISION, top[-1] = 0;
            else top[-1] /= top[0];
            break;
        case OP_NEGATE: top[-1] = -top[-1]; break;
        case OP_LESS: top--; top[-1] = top[-1] < top[0]; break;
        case OP_EQUAL: top--; top[-1] = top[-1] == top[0]; break;
        case OP_GREATER: top--; top[-1] = top[-1] > top[0]; break;
        case OP_IF: top -= 2; top[-1] = top[-1] != 0 ? top[0] : top[1]; break;
        default: *top++ = fold_range(c); break;
        }
    }
    cell->value = top > stack ? top[-1] : 0;
}

// Recalculates everything that depends on `changed` cells, each once, after what it depends on.
static void recalculate(const uint32_t *changed, uint32_t n) {
    static uint32_t reached[CELLS_MAX];
    uint32_t reached_len = 0;
    generation++;
    for (uint32_t i = 0; i < n; i++) {
        if (cells[changed[i]].mark == generation) continue;
        cells[changed[i]].mark = generation;
        cells[changed[i]].waiting = 0;
        reached[reached_len++] = changed[i];
    }
    for (uint32_t i = 0; i < reached_len; i++) {
        for (uint32_t e = cells[reached[i]].dependents; e; e = edges[e].next) {
            cell_t *cell = &cells[edges[e].to];
            if (cell->mark != generation) {
                cell->mark = generation;
                cell->waiting = 0;
                reached[reached_len++] = edges[e].to;
            }
            cell->waiting++;
        }
    }
    static uint32_t ready[CELLS_MAX];
    uint32_t head = 0, tail = 0;
    for (uint32_t i = 0; i < reached_len; i++)
        if (cells[reached[i]].waiting == 0) ready[tail++] = reached[i];
    while (head < tail) {
        cell_t *cell = &cells[ready[head++]];
        if (cell->state != BAD_SYNTAX) evaluate(cell);
        for (uint32_t e = cell->dependents; e; e = edges[e].next)
            if (--cells[edges[e].to].waiting == 0) ready[tail++] = edges[e].to;
    }
    // Whoever still waits is on a cycle, or behind one.
    for (uint32_t i = 0; i < reached_len; i++) {
        cell_t *cell = &cells[reached[i]];
        if (cell->waiting > 0) cell->state = CYCLE, cell->value = 0;
    }
}

// ---- The workload -------------------------------------------------------------------------------

static uint32_t changes, in_state[5];
static double bottom_line;

static char formula[128];
static uint32_t formula_len;

static void put(const char *s) {
    while (*s) formula[formula_len++] = *s++;
    formula[formula_len] = 0;
}

static void put_cell(uint32_t column, uint32_t row) {
    char name[] = {(char)('A' + column), (char)('0' + (row + 1) / 100), (char)('0' + (row + 1) / 10 % 10), (char)('0' + (row + 1) % 10), 0};
    put(name);
}

static void put_number(uint32_t n) {
    char digits[] = {(char)('0' + n / 100 % 10), (char)('0' + n / 10 % 10), '.', (char)('0' + n % 10), 0};
    put(digits);
}

// Columns A to D are inputs; each later one combines cells to its left and above, in several styles.
static void write_formula(uint32_t row, uint32_t column) {
    uint32_t left = rng_below(column ? column : 1), other = rng_below(column ? column : 1);
    formula_len = 0;
    if (column < 4) {
        put_number(rng_below(1000));
        return;
    }
    switch (rng_below(6)) {
    case 0: put_cell(left, row), put(" * 0.5 + "), put_cell(other, row); break;
    case 1: put("SUM("), put_cell(0, row > 8 ? row - 8 : 0), put(":"), put_cell(column - 1, row), put(") / 7"); break;
    case 2: put("IF("), put_cell(left, row), put(" > "), put_cell(other, row), put(", "), put_cell(left, row), put(" - 1, -2 * "), put_cell(other, row), put(")"); break;
    case 3: put("MAX("), put_cell(left, 0), put(":"), put_cell(left, row), put(") - MIN("), put_cell(other, 0), put(":"), put_cell(other, row), put(")"); break;
    case 4: put("("), put_cell(left, row), put(" + 3) / ("), put_cell(other, row > 0 ? row - 1 : 0), put(" - 2.5)"); break;
    default: put("AVG("), put_cell(other, 0), put(":"), put_cell(other, row), put(") + COUNT("), put_cell(left, 0), put(":"), put_cell(left, row), put(")"); break;
    }
    // Now and then a mistake, and a formula that refers to itself through its row.
    uint32_t mistake = rng_below(200);
    if (mistake == 0) put(" +* 2");
    if (mistake == 1) put(" + "), put_cell(column + 1 < COLUMNS ? column + 1 : column, row);
}

void workload_setup(bool small) {
    rows = small ? 16 : ROWS_MAX;
    changes = small ? 30 : 60;
}

uint64_t workload_kernel(void) {
    static uint32_t all[CELLS_MAX];
    memset(cells, 0, sizeof cells);
    code_len = 0, edges_len = 1, generation = 0, evaluations = 0;
    rng_seed(2024);
    for (uint32_t cell = 0; cell < rows * COLUMNS; cell++) {
        write_formula(cell / COLUMNS, cell % COLUMNS);
        set_formula(cell, formula);
        all[cell] = cell;
    }
    recalculate(all, rows * COLUMNS);
    uint64_t checksum = 0;
    for (uint32_t i = 0; i < changes; i++) {
        uint32_t cell = rng_below(rows) * COLUMNS + rng_below(4);
        code[cells[cell].code].number = rng_below(1000) * 0.25;
        recalculate(&cell, 1);
        checksum = mix_f64(checksum, cells[rng_below(rows * COLUMNS)].value);
    }
    memset(in_state, 0, sizeof in_state);
    for (uint32_t cell = 0; cell < rows * COLUMNS; cell++) {
        in_state[cells[cell].state]++;
        checksum = mix_f64(checksum, cells[cell].value);
    }
    bottom_line = cells[rows * COLUMNS - 1].value;
    return mix(checksum, evaluations);
}

void workload_report(void) {
    static const char *const states[] = {"empty", "valid", "bad syntax", "on a cycle", "divided by zero"};
    for (int i = 1; i < 5; i++) out_field(states[i], in_state[i]);
    out_field("evaluations", evaluations);
    out_field_f64("bottom line", bottom_line);
}
