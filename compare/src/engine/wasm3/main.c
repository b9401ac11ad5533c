// A command around the wasm3 library: `wasm3 MODULE ARGS…` runs a WASI preview 1 command.
//
// The package that ships wasm3's sources has none of its own. Here are the calls that programs of the
// corpus and its like need: arguments, clocks, random bytes, reading and writing what the process has
// open. There are no directories; a module that imports anything else ends with an error that names it
// before it starts. Nothing is buffered, since steps of a duet answer over a pipe.

#include "m3_core.h"

// Linkers of today write table 0 of an indirect call in five bytes, where wasm3's compiler reads one; so that
// most programs run at all, its compiler is built here, with a reader that takes both.
static M3Result read_padded(i8 *value, bytes_t *bytes, cbytes_t end) {
    i64 wide;
    M3Result error = ReadLebSigned(&wide, 33, bytes, end);
    *value = (i8)wide;
    return error;
}
#define ReadLEB_i7 read_padded
#include "m3_compile.c"
#undef ReadLEB_i7

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

// WASI's numbers of errors.
enum { SUCCESS = 0, BADF = 8, FAULT = 21, INVAL = 28, IO = 29, SPIPE = 70 };

// The native stack is what the guest's calls use; wasm3's own only holds values.
enum { VALUE_STACK_BYTES = 8 << 20 };

static char **guest_args;
static int guest_args_count;
static int exit_code;

#define CALL(name) static const void *name(IM3Runtime runtime, IM3ImportContext _ctx, uint64_t *_sp, void *_mem)

// Bytes of the guest, or the end of this call with an error.
static int is_inside(IM3Runtime runtime, uint64_t at, uint64_t len) { return at + len <= m3_GetMemorySize(runtime); }
#define NEED(at, len) \
    if (!is_inside(runtime, at, len)) m3ApiReturn(FAULT)
#define GUEST(at) ((uint8_t *)_mem + (at))

static void write_u32(uint8_t *to, uint32_t value) { memcpy(to, &value, 4); }

CALL(args_sizes_get) {
    m3ApiReturnType(uint32_t) m3ApiGetArg(uint32_t, count_at) m3ApiGetArg(uint32_t, bytes_at);
    NEED(count_at, 4) NEED(bytes_at, 4)
    size_t bytes = 0;
    for (int i = 0; i < guest_args_count; i++) bytes += strlen(guest_args[i]) + 1;
    write_u32(GUEST(count_at), guest_args_count);
    write_u32(GUEST(bytes_at), bytes);
    m3ApiReturn(SUCCESS)
}

CALL(args_get) {
    m3ApiReturnType(uint32_t) m3ApiGetArg(uint32_t, pointers_at) m3ApiGetArg(uint32_t, bytes_at);
    for (int i = 0; i < guest_args_count; i++) {
        size_t bytes = strlen(guest_args[i]) + 1;
        NEED(pointers_at, 4) NEED(bytes_at, bytes)
        write_u32(GUEST(pointers_at), bytes_at);
        memcpy(GUEST(bytes_at), guest_args[i], bytes);
        pointers_at += 4;
        bytes_at += bytes;
    }
    m3ApiReturn(SUCCESS)
}

CALL(environ_sizes_get) {
    m3ApiReturnType(uint32_t) m3ApiGetArg(uint32_t, count_at) m3ApiGetArg(uint32_t, bytes_at);
    NEED(count_at, 4) NEED(bytes_at, 4)
    write_u32(GUEST(count_at), 0);
    write_u32(GUEST(bytes_at), 0);
    m3ApiReturn(SUCCESS)
}

CALL(environ_get) {
    m3ApiReturnType(uint32_t);
    m3ApiReturn(SUCCESS)
}

CALL(clock_time_get) {
    m3ApiReturnType(uint32_t) m3ApiGetArg(uint32_t, id) m3ApiGetArg(uint64_t, precision) m3ApiGetArg(uint32_t, at);
    (void)precision;
    NEED(at, 8)
    struct timespec now;
    if (id > 1 || clock_gettime(id == 0 ? CLOCK_REALTIME : CLOCK_MONOTONIC, &now) != 0) m3ApiReturn(INVAL);
    uint64_t ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    memcpy(GUEST(at), &ns, 8);
    m3ApiReturn(SUCCESS)
}

CALL(random_get) {
    m3ApiReturnType(uint32_t) m3ApiGetArg(uint32_t, at) m3ApiGetArg(uint32_t, len);
    NEED(at, len)
    for (uint32_t done = 0; done < len;) {
        ssize_t n = getrandom(GUEST(at + done), len - done, 0);
        if (n <= 0) m3ApiReturn(IO);
        done += (uint32_t)n;
    }
    m3ApiReturn(SUCCESS)
}

// The guest's list of buffers, as the system wants it; an error of WASI otherwise.
enum { BUFFERS_MAX = 64 };
static int buffers(IM3Runtime runtime, void *_mem, uint32_t at, uint32_t *count, struct iovec *out) {
    if (*count > BUFFERS_MAX) *count = BUFFERS_MAX;
    if (!is_inside(runtime, at, (uint64_t)*count * 8)) return FAULT;
    for (uint32_t i = 0; i < *count; i++) {
        uint32_t pair[2];
        memcpy(pair, GUEST(at + i * 8), 8);
        if (!is_inside(runtime, pair[0], pair[1])) return FAULT;
        out[i] = (struct iovec){GUEST(pair[0]), pair[1]};
    }
    return SUCCESS;
}

typedef ssize_t Transfer(int, const struct iovec *, int);
static int transfer(IM3Runtime runtime, void *_mem, uint32_t fd, uint32_t at, uint32_t count, uint32_t done_at,
                    Transfer *system_call) {
    struct iovec list[BUFFERS_MAX];
    int error = buffers(runtime, _mem, at, &count, list);
    if (error != SUCCESS) return error;
    if (!is_inside(runtime, done_at, 4)) return FAULT;
    if (fd > 2) return BADF;
    ssize_t n = system_call((int)fd, list, (int)count);
    if (n < 0) return IO;
    write_u32(GUEST(done_at), (uint32_t)n);
    return SUCCESS;
}

CALL(fd_write) {
    m3ApiReturnType(uint32_t) m3ApiGetArg(uint32_t, fd) m3ApiGetArg(uint32_t, at) m3ApiGetArg(uint32_t, count);
    m3ApiGetArg(uint32_t, done_at);
    m3ApiReturn(transfer(runtime, _mem, fd, at, count, done_at, writev))
}

CALL(fd_read) {
    m3ApiReturnType(uint32_t) m3ApiGetArg(uint32_t, fd) m3ApiGetArg(uint32_t, at) m3ApiGetArg(uint32_t, count);
    m3ApiGetArg(uint32_t, done_at);
    m3ApiReturn(transfer(runtime, _mem, fd, at, count, done_at, readv))
}

CALL(fd_fdstat_get) {
    m3ApiReturnType(uint32_t) m3ApiGetArg(uint32_t, fd) m3ApiGetArg(uint32_t, at);
    NEED(at, 24)
    struct stat seen;
    if (fd > 2 || fstat((int)fd, &seen) != 0) m3ApiReturn(BADF);
    // The type, by WASI's numbers; all rights but seeking where there is none.
    uint8_t type = S_ISCHR(seen.st_mode) ? 2 : S_ISREG(seen.st_mode) ? 4 : 0;
    uint64_t rights = type == 2 ? ~(uint64_t)0x24 : ~(uint64_t)0;
    memset(GUEST(at), 0, 24);
    GUEST(at)[0] = type;
    memcpy(GUEST(at + 8), &rights, 8);
    memcpy(GUEST(at + 16), &rights, 8);
    m3ApiReturn(SUCCESS)
}

CALL(fd_seek) {
    m3ApiReturnType(uint32_t);
    m3ApiReturn(SPIPE)
}

CALL(fd_close) {
    m3ApiReturnType(uint32_t);
    m3ApiReturn(SUCCESS)
}

// There are no directories.
CALL(bad_descriptor) {
    m3ApiReturnType(uint32_t);
    m3ApiReturn(BADF)
}

CALL(proc_exit) {
    m3ApiGetArg(uint32_t, code);
    exit_code = (int)code;
    m3ApiTrap(m3Err_trapExit)
}

static const struct {
    const char *name;
    const char *signature;
    M3RawCall call;
} CALLS[] = {
    {"args_get", "i(ii)", args_get},
    {"args_sizes_get", "i(ii)", args_sizes_get},
    {"clock_time_get", "i(iIi)", clock_time_get},
    {"environ_get", "i(ii)", environ_get},
    {"environ_sizes_get", "i(ii)", environ_sizes_get},
    {"fd_close", "i(i)", fd_close},
    {"fd_fdstat_get", "i(ii)", fd_fdstat_get},
    {"fd_prestat_dir_name", "i(iii)", bad_descriptor},
    {"fd_prestat_get", "i(ii)", bad_descriptor},
    {"fd_read", "i(iiii)", fd_read},
    {"fd_seek", "i(iIii)", fd_seek},
    {"fd_write", "i(iiii)", fd_write},
    {"proc_exit", "v(i)", proc_exit},
    {"random_get", "i(ii)", random_get},
};

static int fail(const char *what, const char *why) {
    fprintf(stderr, "wasm3: %s: %s\n", what, why);
    return 134;
}

static uint8_t *read_file(const char *path, uint32_t *len) {
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    uint8_t *bytes = NULL;
    if (fseek(file, 0, SEEK_END) == 0) {
        long size = ftell(file);
        rewind(file);
        if (size >= 0 && (bytes = malloc((size_t)size + 1)) && fread(bytes, 1, (size_t)size, file) != (size_t)size) {
            free(bytes);
            bytes = NULL;
        }
        *len = (uint32_t)size;
    }
    fclose(file);
    return bytes;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--version") == 0) return printf("wasm3 %s\n", M3_VERSION) < 0;
    if (argc < 2) return fail("usage", "wasm3 MODULE ARGS…");
    guest_args = argv + 1;
    guest_args_count = argc - 1;
    uint32_t len = 0;
    uint8_t *bytes = read_file(argv[1], &len);
    if (!bytes) return fail(argv[1], strerror(errno));

    IM3Environment environment = m3_NewEnvironment();
    IM3Runtime runtime = m3_NewRuntime(environment, VALUE_STACK_BYTES, NULL);
    IM3Module module;
    M3Result error = m3_ParseModule(environment, &module, bytes, len);
    if (error) return fail("module", error);
    if ((error = m3_LoadModule(runtime, module))) return fail("module", error);
    for (size_t i = 0; i < sizeof CALLS / sizeof *CALLS; i++) {
        error = m3_LinkRawFunction(module, "wasi_snapshot_preview1", CALLS[i].name, CALLS[i].signature, CALLS[i].call);
        if (error && error != m3Err_functionLookupFailed) return fail(CALLS[i].name, error);
    }
    for (uint32_t i = 0; i < module->numFunctions; i++) {
        const M3Function *function = &module->functions[i];
        if (function->import.fieldUtf8 && !function->compiled) return fail(function->import.fieldUtf8, "there is no such import");
    }
    IM3Function start;
    if ((error = m3_FindFunction(&start, runtime, "_start"))) return fail("_start", error);
    error = m3_CallV(start);
    if (error == m3Err_trapExit) return exit_code;
    return error ? fail("run", error) : 0;
}
