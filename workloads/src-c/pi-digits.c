// Decimal digits of pi with multi-precision arithmetic of its own: Machin's formula in a fixed-point
// number of 32-bit limbs (division by small numbers), a conversion to decimal by repeated scaling, and
// a check that squares and cubes a factorial (schoolbook products, long division).

#include "bench.h"

enum { LIMBS_MAX = 512 };

typedef uint32_t limb_t;

// Fixed point: limb 0 is the integer part, the rest follow most significant first.
static limb_t pi[LIMBS_MAX], term[LIMBS_MAX], power[LIMBS_MAX];
static int limbs, digits_len;
static char digits[LIMBS_MAX * 10];

static void divide(limb_t *x, limb_t by) {
    uint64_t rest = 0;
    for (int i = 0; i < limbs; i++) {
        rest = rest << 32 | x[i];
        x[i] = (limb_t)(rest / by);
        rest %= by;
    }
}

static void accumulate(limb_t *sum, const limb_t *x, bool subtract) {
    uint64_t carry = subtract;
    for (int i = limbs - 1; i >= 0; i--) {
        carry += (uint64_t)sum[i] + (subtract ? ~x[i] : x[i]);
        sum[i] = (limb_t)carry;
        carry >>= 32;
    }
}

static bool is_zero(const limb_t *x) {
    for (int i = 0; i < limbs; i++)
        if (x[i]) return false;
    return true;
}

// sum += or -= factor * arctan(1 / x).
static void arctan(limb_t *sum, limb_t factor, limb_t x, bool subtract) {
    memset(power, 0, sizeof power);
    power[0] = factor;
    divide(power, x);
    for (limb_t k = 1; !is_zero(power); k += 2, subtract = !subtract) {
        memcpy(term, power, sizeof term);
        divide(term, k);
        accumulate(sum, term, subtract);
        divide(power, x * x);
    }
}

static void to_decimal(const limb_t *x) {
    limb_t rest[LIMBS_MAX];
    memcpy(rest, x, sizeof rest);
    digits_len = 0;
    digits[digits_len++] = (char)('0' + rest[0]);
    // Nine digits per pass; the last limbs are rounding noise and left out.
    for (int pass = 0; pass < limbs - 4; pass++) {
        rest[0] = 0;
        uint64_t carry = 0;
        for (int i = limbs - 1; i >= 0; i--) {
            carry += (uint64_t)rest[i] * 1000000000u;
            rest[i] = (limb_t)carry;
            carry >>= 32;
        }
        limb_t nine = rest[0];
        for (limb_t scale = 100000000; scale > 0; scale /= 10) digits[digits_len++] = (char)('0' + nine / scale % 10);
    }
}

// ---- Natural numbers, least significant limb first ----------------------------------------------

typedef struct {
    int len;
    limb_t at[LIMBS_MAX];
} natural_t;

static void trim(natural_t *n) {
    while (n->len > 0 && n->at[n->len - 1] == 0) n->len--;
}

static void multiply(natural_t *out, const natural_t *a, const natural_t *b) {
    memset(out->at, 0, (size_t)(a->len + b->len) * sizeof out->at[0]);
    for (int i = 0; i < a->len; i++) {
        uint64_t carry = 0;
        for (int j = 0; j < b->len; j++) {
            carry += out->at[i + j] + (uint64_t)a->at[i] * b->at[j];
            out->at[i + j] = (limb_t)carry;
            carry >>= 32;
        }
        out->at[i + b->len] = (limb_t)carry;
    }
    out->len = a->len + b->len;
    trim(out);
}

static void shift_left(natural_t *n, int bits) {
    if (bits == 0) return;
    limb_t carry = 0;
    for (int i = 0; i < n->len; i++) {
        limb_t next = n->at[i] >> (32 - bits);
        n->at[i] = n->at[i] << bits | carry;
        carry = next;
    }
    if (carry) n->at[n->len++] = carry;
}

// Schoolbook division with normalised divisor (Knuth's algorithm D); the remainder is left in a.
static void quotient(natural_t *q, natural_t *a, natural_t *b) {
    int shift = __builtin_clz(b->at[b->len - 1]);
    shift_left(a, shift);
    shift_left(b, shift);
    a->at[a->len++] = 0;
    int n = b->len;
    q->len = a->len - n;
    for (int j = q->len - 1; j >= 0; j--) {
        uint64_t top = (uint64_t)a->at[j + n] << 32 | a->at[j + n - 1];
        uint64_t guess = top / b->at[n - 1], rest = top % b->at[n - 1];
        while (guess >> 32 || (n > 1 && guess * b->at[n - 2] > (rest << 32 | a->at[j + n - 2]))) {
            guess--;
            rest += b->at[n - 1];
            if (rest >> 32) break;
        }
        int64_t borrow = 0;
        uint64_t carry = 0;
        for (int i = 0; i <= n; i++) {
            carry += i < n ? guess * b->at[i] : 0;
            borrow += (int64_t)a->at[i + j] - (int64_t)(limb_t)carry;
            a->at[i + j] = (limb_t)borrow;
            borrow >>= 32;
            carry >>= 32;
        }
        if (borrow < 0) {
            guess--;
            carry = 0;
            for (int i = 0; i <= n; i++) {
                carry += (uint64_t)a->at[i + j] + (i < n ? b->at[i] : 0);
                a->at[i + j] = (limb_t)carry;
                carry >>= 32;
            }
        }
        q->at[j] = (limb_t)guess;
    }
    trim(q);
    trim(a);
}

static natural_t factorial, square, cube, divisor, back;
static int factor_max, repeat;
static bool exact;

void workload_setup(bool small) {
    limbs = small ? 72 : 380;
    factor_max = small ? 120 : 420;
    repeat = small ? 3 : 50;
}

uint64_t workload_kernel(void) {
    memset(pi, 0, sizeof pi);
    arctan(pi, 16, 5, false);
    arctan(pi, 4, 239, true);
    to_decimal(pi);
    uint64_t sum = mix_bytes(0, (const uint8_t *)digits, (size_t)digits_len);

    factorial = (natural_t){1, {1}};
    for (int f = 2; f <= factor_max; f++) {
        natural_t by = {1, {(limb_t)f}};
        multiply(&square, &factorial, &by);
        factorial.len = square.len;
        memcpy(factorial.at, square.at, (size_t)square.len * sizeof square.at[0]);
    }
    exact = true;
    for (int i = 0; i < repeat; i++) {
        factorial.at[0] += 1;
        multiply(&square, &factorial, &factorial);
        multiply(&cube, &square, &factorial);
        divisor.len = square.len;
        memcpy(divisor.at, square.at, (size_t)square.len * sizeof square.at[0]);
        quotient(&back, &cube, &divisor);
        exact &= cube.len == 0 && back.len == factorial.len &&
                 memcmp(back.at, factorial.at, (size_t)back.len * sizeof back.at[0]) == 0;
        sum = mix_bytes(sum, (const uint8_t *)square.at, (size_t)square.len * sizeof square.at[0]);
    }
    return exact ? sum : 0;
}

void workload_report(void) {
    out_field("digits", (uint64_t)digits_len);
    for (int i = 0; i < 40; i++) out_char(digits[i]);
    out_char('\n');
    for (int i = digits_len - 20; i < digits_len; i++) out_char(digits[i]);
    out_char('\n');
    out_field("exact", exact);
}
