/* A plugin of the emulator QEMU that counts the instructions of the guest program.
 *
 * Each translated block adds its length to its thread's sum when it is entered; the sums of all threads
 * are printed at the end. The declarations are the part of QEMU's plugin interface, version 1, that
 * is used here ("QEMU TCG Plugins" in its documentation), so that no header has to be installed.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

struct qemu_plugin_tb;

extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
extern void qemu_plugin_register_vcpu_tb_trans_cb(
    uint64_t id, void (*callback)(uint64_t id, struct qemu_plugin_tb *block));
extern void qemu_plugin_register_vcpu_tb_exec_cb(
    struct qemu_plugin_tb *block, void (*callback)(unsigned thread, void *data), int flags, void *data);
extern void qemu_plugin_register_atexit_cb(
    uint64_t id, void (*callback)(uint64_t id, void *data), void *data);

int qemu_plugin_version = 1;

#define THREADS_MAX 1024
static uint64_t counts[THREADS_MAX];

static void entered(unsigned thread, void *length) {
    counts[thread % THREADS_MAX] += (uintptr_t)length;
}

static void translated(uint64_t id, struct qemu_plugin_tb *block) {
    (void)id;
    void *length = (void *)(uintptr_t)qemu_plugin_tb_n_insns(block);
    qemu_plugin_register_vcpu_tb_exec_cb(block, entered, 0, length);
}

static void ended(uint64_t id, void *data) {
    (void)id;
    (void)data;
    uint64_t all = 0;
    for (size_t thread = 0; thread < THREADS_MAX; thread++) {
        all += counts[thread];
    }
    fprintf(stderr, "guest instructions: %" PRIu64 "\n", all);
}

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv) {
    (void)info;
    (void)argc;
    (void)argv;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, ended, NULL);
    return 0;
}
