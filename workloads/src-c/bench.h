// The bench protocol for C workloads.
//
// A workload defines three functions and gets its `main` from this header:
//
//   void     workload_setup(bool small);   builds the inputs; not timed
//   uint64_t workload_kernel(void);        the timed work; returns a checksum, the same on every call
//   void     workload_report(void);        prints a few meaningful lines after a plain run
//
// `prog [small]` runs the kernel once and prints the report and the checksum.
// `prog bench N [small]` prints `iter <i> <ns> <checksum>` per iteration; N = 0 does nothing at all,
// not even the setup, so it measures what the engine needs to get a module running.
// `prog bench step [small]` waits for a byte on standard input before each iteration, runs the kernel
// as often as the byte says, and prints the same line at once; it ends where the input does.
//
// The same source builds for wasm32 with WASI, for wasm64 without a C library (WASI preview 1 has
// no 64-bit ABI, so that build passes 32-bit pointers itself) and natively. Output goes through the
// few functions below instead of printf: they keep modules small and work in all three builds.

#ifndef ZWASM_BENCH_H
#define ZWASM_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void workload_setup(bool small);
uint64_t workload_kernel(void);
void workload_report(void);

// ---- The three platforms ------------------------------------------------------------------------

#if defined(__wasm64__)

// The linker places no data below 1024, so null stays an invalid pointer here too.
#define WASI(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name)))
WASI(args_sizes_get) int32_t wasi_args_sizes_get(uint32_t count, uint32_t bytes);
WASI(args_get) int32_t wasi_args_get(uint32_t argv, uint32_t buffer);
WASI(clock_time_get) int32_t wasi_clock_time_get(uint32_t clock, uint64_t precision, uint32_t time);
WASI(fd_read) int32_t wasi_fd_read(uint32_t fd, uint32_t iovs, uint32_t count, uint32_t read);
WASI(fd_write) int32_t wasi_fd_write(uint32_t fd, uint32_t iovs, uint32_t count, uint32_t written);
WASI(proc_exit) _Noreturn void wasi_proc_exit(uint32_t code);

static uint32_t wasi_ptr(const void *p) { return (uint32_t)(uintptr_t)p; }

static void platform_write(const char *text, uint32_t len) {
    static uint32_t iov[2], written;
    while (len > 0) {
        iov[0] = wasi_ptr(text);
        iov[1] = len;
        if (wasi_fd_write(1, wasi_ptr(iov), 1, wasi_ptr(&written)) != 0) wasi_proc_exit(1);
        text += written;
        len -= written;
    }
}

// The next byte of standard input; 0 at its end.
static uint8_t platform_read(void) {
    static uint32_t iov[2], count;
    static uint8_t byte;
    iov[0] = wasi_ptr(&byte);
    iov[1] = 1;
    return wasi_fd_read(0, wasi_ptr(iov), 1, wasi_ptr(&count)) == 0 && count == 1 ? byte : 0;
}

static uint64_t platform_now_ns(void) {
    static uint64_t ns;
    wasi_clock_time_get(1, 1, wasi_ptr(&ns));
    return ns;
}

_Noreturn static void platform_exit(int code) { wasi_proc_exit((uint32_t)code); }

// Without a C library the compiler still emits calls to these. With bulk memory they are one
// instruction each.
void *memcpy(void *to, const void *from, size_t n) { return __builtin_memcpy(to, from, n); }
void *memset(void *to, int value, size_t n) { return __builtin_memset(to, value, n); }

#else

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void platform_write(const char *text, uint32_t len) {
    while (len > 0) {
        ssize_t n = write(1, text, len);
        if (n <= 0) _exit(1);
        text += n;
        len -= (uint32_t)n;
    }
}

// The next byte of standard input; 0 at its end.
static uint8_t platform_read(void) {
    uint8_t byte;
    return read(0, &byte, 1) == 1 ? byte : 0;
}

static uint64_t platform_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

_Noreturn static void platform_exit(int code) { _exit(code); }

#endif

// ---- Output -------------------------------------------------------------------------------------

static char out_buffer[1024];
static uint32_t out_len;

static void out_flush(void) {
    platform_write(out_buffer, out_len);
    out_len = 0;
}

static void out_char(char c) {
    if (out_len == sizeof out_buffer) out_flush();
    out_buffer[out_len++] = c;
}

static void out_str(const char *text) {
    while (*text) out_char(*text++);
}

static void out_u64(uint64_t value) {
    char digits[20];
    int n = 0;
    do digits[n++] = (char)('0' + value % 10);
    while (value /= 10);
    while (n > 0) out_char(digits[--n]);
}

static void out_hex(uint64_t value) {
    for (int shift = 60; shift >= 0; shift -= 4) out_char("0123456789abcdef"[value >> shift & 15]);
}

// Six decimals, truncated: enough to show a result, with no dependence on a C library's rounding.
static inline void out_f64(double value) {
    if (value < 0) {
        out_char('-');
        value = -value;
    }
    uint64_t whole = (uint64_t)value;
    uint64_t millionths = (uint64_t)((value - (double)whole) * 1e6);
    out_u64(whole);
    out_char('.');
    for (uint64_t scale = 100000; scale > 0; scale /= 10) out_char((char)('0' + millionths / scale % 10));
}

// One line `label value`.
static inline void out_field(const char *label, uint64_t value) {
    out_str(label);
    out_char(' ');
    out_u64(value);
    out_char('\n');
}

static inline void out_field_f64(const char *label, double value) {
    out_str(label);
    out_char(' ');
    out_f64(value);
    out_char('\n');
}

// ---- Helpers for kernels ------------------------------------------------------------------------

// Folds a value into a checksum: multiply, then let the high bits reach the low ones.
static inline uint64_t mix(uint64_t sum, uint64_t value) {
    sum = (sum ^ value) * 0x9e3779b97f4a7c15u;
    return sum ^ sum >> 29;
}

static inline uint64_t mix_f64(uint64_t sum, double value) {
    union { double f; uint64_t u; } bits = {value};
    return mix(sum, bits.u);
}

static inline uint64_t mix_bytes(uint64_t sum, const uint8_t *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) sum = (sum ^ bytes[i]) * 0x100000001b3u;
    return sum ^ sum >> 32;
}

// xorshift64*: inputs must not depend on any library's generator.
static uint64_t rng_state = 0x2545f4914f6cdd1du;

static inline void rng_seed(uint64_t seed) { rng_state = seed * 0x9e3779b97f4a7c15u | 1; }

static inline uint64_t rng_u64(void) {
    rng_state ^= rng_state >> 12;
    rng_state ^= rng_state << 25;
    rng_state ^= rng_state >> 27;
    return rng_state * 0x2545f4914f6cdd1du;
}

// Uniform enough in [0, bound).
static inline uint32_t rng_below(uint32_t bound) { return (uint32_t)((rng_u64() >> 32) * bound >> 32); }

// Uniform in [0, 1).
static inline double rng_f64(void) { return (double)(rng_u64() >> 11) * 0x1p-53; }

// ---- main ---------------------------------------------------------------------------------------

static bool text_equal(const char *a, const char *b) {
    while (*a && *a == *b) a++, b++;
    return *a == *b;
}

_Noreturn static void usage(void) {
    out_str("usage: [small] | bench N [small] | bench step [small]\n");
    out_flush();
    platform_exit(2);
}

// Through a volatile pointer, so that no compiler can merge or hoist iterations.
static uint64_t (*volatile kernel)(void) = workload_kernel;

static void iteration(uint64_t number, unsigned kernels) {
    uint64_t sum;
    uint64_t start = platform_now_ns();
    do sum = kernel();
    while (--kernels > 0);
    uint64_t ns = platform_now_ns() - start;
    out_str("iter ");
    out_u64(number);
    out_char(' ');
    out_u64(ns);
    out_char(' ');
    out_hex(sum);
    out_char('\n');
}

static int bench_main(int argc, char **argv) {
    int at = 1;
    uint64_t iterations = 0;
    bool bench = at < argc && text_equal(argv[at], "bench");
    bool step = false;
    if (bench) {
        if (++at >= argc) usage();
        step = text_equal(argv[at], "step");
    }
    if (step) {
        at++;
    } else if (bench) {
        for (const char *p = argv[at++]; *p; p++) {
            if (*p < '0' || *p > '9') usage();
            iterations = iterations * 10 + (uint64_t)(*p - '0');
        }
        if (iterations == 0) return 0;
    }
    bool small = at < argc && text_equal(argv[at], "small");
    if (at + small != argc) usage();

    workload_setup(small);
    if (!bench) {
        uint64_t sum = kernel();
        workload_report();
        out_str("checksum ");
        out_hex(sum);
        out_char('\n');
        out_flush();
        return 0;
    }
    uint8_t kernels;
    for (uint64_t i = 0; step && (kernels = platform_read()) > 0; i++) {
        iteration(i, kernels);
        out_flush();
    }
    for (uint64_t i = 0; i < iterations; i++) iteration(i, 1);
    out_flush();
    return 0;
}

#if defined(__wasm64__)

__attribute__((export_name("_start"))) void _start(void) {
    enum { ARGS_MAX = 8, TEXT_MAX = 256 };
    static uint32_t count, bytes, pointers[ARGS_MAX];
    static char text[TEXT_MAX];
    char *argv[ARGS_MAX];
    wasi_args_sizes_get(wasi_ptr(&count), wasi_ptr(&bytes));
    if (count > ARGS_MAX || bytes > TEXT_MAX) usage();
    wasi_args_get(wasi_ptr(pointers), wasi_ptr(text));
    for (uint32_t i = 0; i < count; i++) argv[i] = (char *)(uintptr_t)pointers[i];
    int code = bench_main((int)count, argv);
    if (code) platform_exit(code);
}

#else

int main(int argc, char **argv) { return bench_main(argc, argv); }

#endif

#endif
