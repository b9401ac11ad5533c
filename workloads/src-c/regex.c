// A regular-expression engine: a parser to a syntax tree, a compiler to instructions, and two
// matchers for them, a simulation of all threads at once (linear time, used to search) and
// backtracking with a step limit (used to find captures). The kernel compiles a dozen patterns and
// searches a synthetic mail archive with each.
//
// Syntax: literals, `.`, classes with ranges and negation, `\d \w \s`, groups, `|`, `* + ?` greedy or
// lazy, `{m,n}`, anchors `^ $` at line ends and `\b`.

#include "bench.h"

// ---- Syntax tree --------------------------------------------------------------------------------

typedef enum {
    NODE_EMPTY, NODE_CHAR, NODE_ANY, NODE_CLASS, NODE_CAT, NODE_ALT, NODE_REPEAT, NODE_GROUP,
    NODE_LINE_START, NODE_LINE_END, NODE_WORD_EDGE,
} kind_t;

enum { NODES_MAX = 512, CLASSES_MAX = 64, CODE_MAX = 1024, REPEAT_MAX = 255, GROUPS_MAX = 8, UNBOUNDED = -1 };

typedef struct {
    kind_t kind;
    uint8_t c;
    bool lazy;
    int min, max;                      // repeats
    int index;                         // class or group
    int left, right;
} node_t;

typedef struct { uint32_t bits[8]; } class_t;

static node_t nodes[NODES_MAX];
static class_t classes[CLASSES_MAX];
static int nodes_len, classes_len, groups_len;
static const char *pattern;

_Noreturn static void reject(const char *why) {
    out_str(why);
    out_str(" before: ");
    out_str(pattern);
    out_char('\n');
    out_flush();
    platform_exit(1);
}

static int node(kind_t kind, int left, int right) {
    if (nodes_len == NODES_MAX) reject("pattern too long");
    nodes[nodes_len] = (node_t){.kind = kind, .left = left, .right = right};
    return nodes_len++;
}

static bool is_word(uint8_t c) {
    return (uint8_t)((c | 32) - 'a') < 26 || (uint8_t)(c - '0') < 10 || c == '_';
}

static void class_add(class_t *set, uint8_t from, uint8_t to) {
    for (int c = from; c <= to; c++) set->bits[c / 32] |= 1u << (c % 32);
}

static bool class_has(const class_t *set, uint8_t c) { return set->bits[c / 32] >> (c % 32) & 1; }

static void class_add_escape(class_t *set, char escape) {
    switch (escape) {
    case 'd': class_add(set, '0', '9'); break;
    case 's': class_add(set, ' ', ' '), class_add(set, '\t', '\r'); break;
    case 'w':
        for (int c = 0; c < 256; c++)
            if (is_word((uint8_t)c)) class_add(set, (uint8_t)c, (uint8_t)c);
        break;
    default: class_add(set, (uint8_t)escape, (uint8_t)escape); break;
    }
}

static int class_node(class_t set) {
    if (classes_len == CLASSES_MAX) reject("too many classes");
    classes[classes_len] = set;
    int n = node(NODE_CLASS, -1, -1);
    nodes[n].index = classes_len++;
    return n;
}

static int parse_class(void) {
    class_t set = {0};
    bool negated = *pattern == '^';
    pattern += negated;
    do {
        if (*pattern == 0) reject("] expected");
        if (*pattern == '\\') {
            class_add_escape(&set, pattern[1]);
            pattern += 2;
        } else if (pattern[1] == '-' && pattern[2] != ']') {
            class_add(&set, (uint8_t)pattern[0], (uint8_t)pattern[2]);
            pattern += 3;
        } else {
            class_add(&set, (uint8_t)*pattern, (uint8_t)*pattern);
            pattern++;
        }
    } while (*pattern != ']');
    pattern++;
    if (negated)
        for (int i = 0; i < 8; i++) set.bits[i] = ~set.bits[i];
    return class_node(set);
}

static int parse_alternatives(void);

static int parse_atom(void) {
    char c = *pattern++;
    switch (c) {
    case '(': {
        int index = groups_len++;
        if (index >= GROUPS_MAX) reject("too many groups");
        int inner = parse_alternatives();
        if (*pattern != ')') reject(") expected");
        pattern++;
        int n = node(NODE_GROUP, inner, -1);
        nodes[n].index = index;
        return n;
    }
    case '[': return parse_class();
    case '.': return node(NODE_ANY, -1, -1);
    case '^': return node(NODE_LINE_START, -1, -1);
    case '$': return node(NODE_LINE_END, -1, -1);
    case '\\': {
        char escape = *pattern++;
        if (escape == 'b') return node(NODE_WORD_EDGE, -1, -1);
        class_t set = {0};
        class_add_escape(&set, escape);
        return class_node(set);
    }
    default: {
        int n = node(NODE_CHAR, -1, -1);
        nodes[n].c = (uint8_t)c;
        return n;
    }
    }
}

static int parse_number(void) {
    int n = 0;
    while (*pattern >= '0' && *pattern <= '9') n = n * 10 + (*pattern++ - '0');
    return n > REPEAT_MAX ? REPEAT_MAX : n;
}

static int parse_repeat(void) {
    int atom = parse_atom();
    for (;;) {
        int min, max;
        switch (*pattern) {
        case '*': min = 0, max = UNBOUNDED; break;
        case '+': min = 1, max = UNBOUNDED; break;
        case '?': min = 0, max = 1; break;
        case '{':
            pattern++;
            min = max = parse_number();
            if (*pattern == ',') {
                pattern++;
                max = *pattern == '}' ? UNBOUNDED : parse_number();
            }
            if (*pattern != '}') reject("} expected");
            break;
        default: return atom;
        }
        pattern++;
        int n = node(NODE_REPEAT, atom, -1);
        nodes[n].min = min, nodes[n].max = max;
        nodes[n].lazy = *pattern == '?';
        pattern += nodes[n].lazy;
        atom = n;
    }
}

static int parse_sequence(void) {
    int sequence = -1;
    while (*pattern && *pattern != '|' && *pattern != ')') {
        int next = parse_repeat();
        sequence = sequence < 0 ? next : node(NODE_CAT, sequence, next);
    }
    return sequence < 0 ? node(NODE_EMPTY, -1, -1) : sequence;
}

static int parse_alternatives(void) {
    int left = parse_sequence();
    while (*pattern == '|') {
        pattern++;
        int right = parse_sequence();
        left = node(NODE_ALT, left, right);
    }
    return left;
}

// ---- Instructions -------------------------------------------------------------------------------

typedef enum {
    OP_CHAR, OP_ANY, OP_CLASS, OP_SPLIT, OP_JUMP, OP_SAVE,
    OP_LINE_START, OP_LINE_END, OP_WORD_EDGE, OP_MATCH,
} op_t;

typedef struct {
    op_t op;
    int a, b;                          // character, class, slot, or targets (a is preferred)
} instruction_t;

static instruction_t code[CODE_MAX];
static int code_len;

static int emit(op_t op, int a, int b) {
    if (code_len == CODE_MAX) reject("program too long");
    code[code_len] = (instruction_t){op, a, b};
    return code_len++;
}

static void set_split(int at, int body, int rest, bool lazy) {
    code[at].a = lazy ? rest : body;
    code[at].b = lazy ? body : rest;
}

static void generate(int n) {
    const node_t *at = &nodes[n];
    switch (at->kind) {
    case NODE_EMPTY: break;
    case NODE_CHAR: emit(OP_CHAR, at->c, 0); break;
    case NODE_ANY: emit(OP_ANY, 0, 0); break;
    case NODE_CLASS: emit(OP_CLASS, at->index, 0); break;
    case NODE_LINE_START: emit(OP_LINE_START, 0, 0); break;
    case NODE_LINE_END: emit(OP_LINE_END, 0, 0); break;
    case NODE_WORD_EDGE: emit(OP_WORD_EDGE, 0, 0); break;
    case NODE_CAT: generate(at->left); generate(at->right); break;
    case NODE_GROUP:
        emit(OP_SAVE, 2 * at->index, 0);
        generate(at->left);
        emit(OP_SAVE, 2 * at->index + 1, 0);
        break;
    case NODE_ALT: {
        int split = emit(OP_SPLIT, 0, 0);
        generate(at->left);
        int jump = emit(OP_JUMP, 0, 0);
        set_split(split, split + 1, code_len, false);
        generate(at->right);
        code[jump].a = code_len;
        break;
    }
    case NODE_REPEAT: {
        for (int i = 0; i < at->min; i++) generate(at->left);
        if (at->max == UNBOUNDED) {
            int split = emit(OP_SPLIT, 0, 0);
            generate(at->left);
            emit(OP_JUMP, split, 0);
            set_split(split, split + 1, code_len, at->lazy);
            break;
        }
        int splits[REPEAT_MAX], count = 0;
        for (int i = at->min; i < at->max; i++) {
            splits[count++] = emit(OP_SPLIT, 0, 0);
            generate(at->left);
        }
        for (int i = 0; i < count; i++) set_split(splits[i], splits[i] + 1, code_len, at->lazy);
        break;
    }
    }
}

static void compile(const char *text) {
    pattern = text;
    nodes_len = classes_len = code_len = 0;
    groups_len = 1;                    // group 0 is the whole match
    int root = parse_alternatives();
    if (*pattern) reject("unexpected )");
    emit(OP_SAVE, 0, 0);
    generate(root);
    emit(OP_SAVE, 1, 0);
    emit(OP_MATCH, 0, 0);
}

// ---- Matching -----------------------------------------------------------------------------------

static const uint8_t *text;
static int text_len;

static bool line_start(int at) { return at == 0 || text[at - 1] == '\n'; }
static bool line_end(int at) { return at == text_len || text[at] == '\n'; }

static bool word_edge(int at) {
    bool before = at > 0 && is_word(text[at - 1]), after = at < text_len && is_word(text[at]);
    return before != after;
}

static bool takes(const instruction_t *i, uint8_t c) {
    switch (i->op) {
    case OP_CHAR: return c == i->a;
    case OP_ANY: return c != '\n';
    case OP_CLASS: return class_has(&classes[i->a], c);
    default: return false;
    }
}

// The threads alive at one position, in no particular order: `member[pc] == generation` marks pc.
typedef struct {
    int pcs[CODE_MAX], len;
} threads_t;

static uint32_t member[CODE_MAX], generation;
static threads_t now, then;
static int pending[CODE_MAX];

static bool add_thread(threads_t *threads, int start, int at) {
    int depth = 0;
    bool matched = false;
    pending[depth++] = start;
    while (depth > 0) {
        int pc = pending[--depth];
        if (member[pc] == generation) continue;
        member[pc] = generation;
        const instruction_t *i = &code[pc];
        switch (i->op) {
        case OP_JUMP: pending[depth++] = i->a; break;
        case OP_SPLIT: pending[depth++] = i->b; pending[depth++] = i->a; break;
        case OP_SAVE: pending[depth++] = pc + 1; break;
        case OP_LINE_START: if (line_start(at)) pending[depth++] = pc + 1; break;
        case OP_LINE_END: if (line_end(at)) pending[depth++] = pc + 1; break;
        case OP_WORD_EDGE: if (word_edge(at)) pending[depth++] = pc + 1; break;
        case OP_MATCH: matched = true; break;
        default: threads->pcs[threads->len++] = pc; break;
        }
    }
    return matched;
}

// The first position at which a match that starts at or after `from` ends, or -1.
static int search(int from) {
    now.len = 0;
    for (int at = from;; at++) {
        generation++;
        then.len = 0;
        bool matched = false;
        if (at > from)
            for (int i = 0; i < now.len; i++)
                if (takes(&code[now.pcs[i]], text[at - 1])) matched |= add_thread(&then, now.pcs[i] + 1, at);
        matched |= add_thread(&then, 0, at);
        if (matched) return at;
        if (at == text_len) return -1;
        memcpy(now.pcs, then.pcs, (size_t)then.len * sizeof then.pcs[0]);
        now.len = then.len;
    }
}

static int captures[2 * GROUPS_MAX];
static int steps_left;

// Backtracking with the preferences of Perl: depth-first, first success wins.
static bool match_here(int pc, int at) {
    for (;;) {
        if (--steps_left < 0) return false;
        const instruction_t *i = &code[pc];
        switch (i->op) {
        case OP_MATCH: return true;
        case OP_JUMP: pc = i->a; continue;
        case OP_SPLIT:
            if (match_here(i->a, at)) return true;
            pc = i->b;
            continue;
        case OP_SAVE: {
            int before = captures[i->a];
            captures[i->a] = at;
            if (match_here(pc + 1, at)) return true;
            captures[i->a] = before;
            return false;
        }
        case OP_LINE_START: if (!line_start(at)) return false; break;
        case OP_LINE_END: if (!line_end(at)) return false; break;
        case OP_WORD_EDGE: if (!word_edge(at)) return false; break;
        default:
            if (at == text_len || !takes(i, text[at])) return false;
            at++;
            break;
        }
        pc++;
    }
}

// ---- The workload -------------------------------------------------------------------------------

static const char *const PATTERNS[] = {
    "[a-z0-9.]+@[a-z0-9]+(\\.[a-z]+)+",
    "^From: (.*)$",
    "\\b(\\d{4})-(\\d\\d)-(\\d\\d)\\b",
    "(error|warning|fatal): [a-z ]+",
    "https?://[^ \n]+",
    "\\w+ the \\w+ing\\b",
    "[A-Z][a-z]+ [A-Z][a-z]+",
    "(ab|a)(bc|c)?d",
    "0x[0-9a-f]{2,8}",
    "\"[^\"\n]*\"",
    "^.*quick.*lazy.*?dog",
};

enum { PATTERN_COUNT = sizeof PATTERNS / sizeof PATTERNS[0], TEXT_MAX = 1 << 17 };

static uint8_t archive[TEXT_MAX];
static uint32_t matches[PATTERN_COUNT];

static void append(const char *s) {
    while (*s && text_len < TEXT_MAX) archive[text_len++] = (uint8_t)*s++;
}

static void append_number(uint32_t n, int width) {
    char digits[12] = {0};
    for (int i = width - 1; i >= 0; i--, n /= 10) digits[i] = (char)('0' + n % 10);
    append(digits);
}

void workload_setup(bool small) {
    static const char *const words[] = {
        "the", "quick", "brown", "fox", "jumping", "over", "a", "lazy", "dog", "running", "error: disk full",
        "warning: low memory", "abcd", "acd", "abd", "0x7fff2a", "0xdeadbeef", "\"quoted text\"", "Alan Turing",
        "Grace Hopper", "http://example.org/a?b=c", "https://wasm.test/index.html", "sending", "and", "of", "matching"};
    static const char *const people[] = {"ada.l", "grace", "alan42", "barbara", "edsger.w", "tony"};
    int want = small ? 3200 : 120000;
    while (text_len + 200 < want) {
        append("From: "), append(people[rng_below(6)]), append("@mail"), append_number(rng_below(9), 1), append(".example.org\n");
        append("Date: "), append_number(1990 + rng_below(40), 4), append("-"), append_number(1 + rng_below(12), 2);
        append("-"), append_number(1 + rng_below(28), 2), append("\n");
        for (uint32_t line = 1 + rng_below(4); line > 0; line--) {
            for (uint32_t word = 3 + rng_below(9); word > 0; word--) append(words[rng_below(26)]), append(" ");
            append("\n");
        }
    }
    text = archive;
}

uint64_t workload_kernel(void) {
    uint64_t sum = 0;
    for (int p = 0; p < PATTERN_COUNT; p++) {
        compile(PATTERNS[p]);
        matches[p] = 0;
        for (int from = 0; from < text_len;) {
            int end = search(from);
            if (end < 0) break;
            // The simulation tells where the leftmost-ending match ends; the backtracker, from the
            // start of its line on, where the preferred match starts, ends and captures.
            int start = end;
            while (start > from && text[start - 1] != '\n') start--;
            bool found = false;
            for (; start <= end && !found; start++) {
                for (int i = 0; i < 2 * GROUPS_MAX; i++) captures[i] = -1;
                steps_left = 20000;
                found = match_here(0, start);
            }
            if (!found) {
                from = end + 1;
                continue;
            }
            matches[p]++;
            for (int i = 0; i < 2 * groups_len; i++) sum = mix(sum, (uint64_t)captures[i]);
            from = captures[1] > from ? captures[1] : from + 1;
        }
    }
    return sum;
}

void workload_report(void) {
    for (int p = 0; p < PATTERN_COUNT; p++) {
        out_u64(matches[p]);
        out_char(p + 1 < PATTERN_COUNT ? ' ' : '\n');
    }
}
