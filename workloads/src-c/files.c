// An example, not a workload: reads the files of a preopened directory, uses the clock and prints.
// For each file named on the command line, or for every one in /data: lines, words, bytes and a
// checksum. What it prints does not depend on the time, only on time moving forward.

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static int report(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) {
        printf("%s: %s\n", path, strerror(errno));
        return 1;
    }
    size_t lines = 0, words = 0, bytes = 0;
    uint32_t sum = 2166136261u;
    int inside = 0;
    for (int c; (c = fgetc(file)) != EOF; bytes++) {
        int space = c == ' ' || c == '\n' || c == '\t';
        words += inside && space;
        inside = !space;
        lines += c == '\n';
        sum = (sum ^ (uint32_t)c) * 16777619u;
    }
    words += (size_t)inside;
    // Once more from the middle: seeking and telling must agree.
    fseek(file, (long)(bytes / 2), SEEK_SET);
    long middle = ftell(file);
    struct stat info;
    int same = stat(path, &info) == 0 && (size_t)info.st_size == bytes && (size_t)middle == bytes / 2;
    fclose(file);
    printf("%s: %zu lines, %zu words, %zu bytes, %08x%s\n", path, lines, words, bytes, sum, same ? "" : ", sizes differ");
    return 0;
}

int main(int argc, char **argv) {
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    time_t now = time(NULL);
    int failed = 0;
    if (argc > 1) {
        for (int i = 1; i < argc; i++) failed |= report(argv[i]);
    } else {
        DIR *dir = opendir("/data");
        if (!dir) {
            printf("/data: %s\n", strerror(errno));
            return 1;
        }
        char *names[64];
        size_t count = 0;
        for (struct dirent *entry; count < 64 && (entry = readdir(dir));)
            if (entry->d_name[0] != '.') names[count++] = strdup(entry->d_name);
        closedir(dir);
        qsort(names, count, sizeof names[0], by_name);
        for (size_t i = 0; i < count; i++) {
            char path[300];
            snprintf(path, sizeof path, "/data/%s", names[i]);
            failed |= report(path);
            free(names[i]);
        }
    }
    failed |= !report("/data/absent.txt");
    clock_gettime(CLOCK_MONOTONIC, &end);
    double seconds = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
    printf("clock moves forward: %s\n", seconds > 0 && seconds < 3600 ? "yes" : "no");
    printf("year is plausible: %s\n", now > 1600000000 ? "yes" : "no");
    return failed;
}
