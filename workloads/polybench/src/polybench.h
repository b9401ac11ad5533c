// What the kernels of suite `polybench` share: the size of a run, inputs, and the checksum of a matrix.
//
// The kernels compute what those of the same names in PolyBench/C 4.2 compute, in the same order of loops, and
// are written anew. A matrix has its largest size as the length of its rows, a run uses `n` of them. What a kernel
// overwrites it makes anew in each iteration; what takes O(n²) is done several times, so that an iteration takes
// long enough while its matrix stays in the caches.

#ifndef POLYBENCH_H
#define POLYBENCH_H

#include "../../src-c/bench.h"

// Rows and columns of this run.
static int n;

// Numbers in [0, 1).
static inline void fill(double *to, size_t count) {
    for (size_t i = 0; i < count; i++) to[i] = rng_f64();
}
#define FILL(array) fill((double *)(array), sizeof(array) / sizeof(double))

static inline uint64_t sum_of(uint64_t sum, const double *from, size_t count) {
    for (size_t i = 0; i < count; i++) sum = mix_f64(sum, from[i]);
    return sum;
}

// The first n rows and columns.
static inline uint64_t sum_matrix(const double *from, size_t row_length) {
    uint64_t sum = 0;
    for (int i = 0; i < n; i++) sum = sum_of(sum, from + (size_t)i * row_length, (size_t)n);
    return sum;
}
#define SUM(matrix) sum_matrix((matrix)[0], sizeof *(matrix) / sizeof **(matrix))

// The first n rows of a matrix from another one of its shape.
#define COPY(to, from) memcpy(to, from, (size_t)n * sizeof *(to))

void workload_report(void) { out_field("n", (uint64_t)n); }

#endif
