// Start-up case: the smallest useful program, with the C library's start-up code and printf.

#include "bench.h"
#include <stdio.h>

static char line[64];

void workload_setup(bool small) { (void)small; }

uint64_t workload_kernel(void) {
    int len = snprintf(line, sizeof line, "Hello, %s! %d + %d = %d", "world", 2, 3, 2 + 3);
    return mix_bytes(0, (const uint8_t *)line, (size_t)len);
}

void workload_report(void) {
    printf("%s\n", line);
    fflush(stdout);
}
