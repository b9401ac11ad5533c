// Start-up case: a small tool in C that uses much of its library: formats a calendar with local conventions of
// time, sorts it by name, parses it again and sums up in floating point.

#include "../../src-c/bench.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DAYS = 12, LINE = 64 };

static char text[DAYS][LINE];
static double mean;

static int by_name(const void *a, const void *b) { return strcmp(a, b); }

void workload_setup(bool small) { (void)small; }

uint64_t workload_kernel(void) {
    for (int i = 0; i < DAYS; i++) {
        const time_t at = (time_t)i * 2629746 + 951782400;
        struct tm day;
        gmtime_r(&at, &day);
        char name[32];
        strftime(name, sizeof name, "%A, %d %B %Y", &day);
        snprintf(text[i], LINE, "%s: %+.3f", name, sin(i) * 1000);
    }
    qsort(text, DAYS, LINE, by_name);
    uint64_t sum = 0;
    mean = 0;
    for (int i = 0; i < DAYS; i++) {
        mean += strtod(strrchr(text[i], ':') + 1, NULL) / DAYS;
        sum = mix_bytes(sum, (const uint8_t *)text[i], strlen(text[i]));
    }
    return sum;
}

void workload_report(void) {
    for (int i = 0; i < DAYS; i++) printf("%s\n", text[i]);
    printf("mean %.6g\n", mean);
    fflush(stdout);
}
