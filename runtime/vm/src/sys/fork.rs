//! Processes that fork.
//!
//! After a fork two processes have the same pages of machine code, mapped as shared, and the child
//! has one thread, with another number. Whoever depends on either compares [`epoch`] with what it was
//! when it last looked; it changes in both processes.
//!
//! Threads of the engine's own are nowhere in the child: what they do with locks that others take, too, is
//! done by [`background`], during which nobody forks.
//!
//! Deliberately absent: processes made by a bare system call, of which nobody is told.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::Once;
use std::thread;

static EPOCH: AtomicU32 = AtomicU32::new(0);

/// How many forks led from the process that was watched first to this one.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// The number of forks since [`watch`] was called first, in this process and its ancestors.
pub(crate) fn epoch() -> u32 {
    EPOCH.load(Ordering::Acquire)
}

/// Another number in a child than in its parent.
pub(crate) fn generation() -> u32 {
    GENERATION.load(Ordering::Acquire)
}

/// Begins to count forks.
pub(crate) fn watch() {
    static WATCHING: Once = Once::new();
    WATCHING.call_once(|| {
        // SAFETY: the handlers touch atomics only. The call fails without memory only, and then
        // children share code with their parents, as in programs that fork by system calls.
        unsafe { libc::pthread_atfork(Some(forking), Some(forked), Some(born)) };
    });
}

/// Whether a background thread is at something that a fork must not cut short, or the process forks.
static BUSY: AtomicBool = AtomicBool::new(false);

fn take_busy() {
    while BUSY.swap(true, Ordering::Acquire) {
        thread::yield_now();
    }
}

/// Runs something short on a thread of the engine's own; the process does not fork meanwhile.
pub(crate) fn background<R>(run: impl FnOnce() -> R) -> R {
    struct Free;
    impl Drop for Free {
        fn drop(&mut self) {
            BUSY.store(false, Ordering::Release);
        }
    }
    take_busy();
    let _free = Free;
    run()
}

extern "C" fn forking() {
    take_busy();
}

extern "C" fn born() {
    GENERATION.fetch_add(1, Ordering::AcqRel);
    forked();
}

extern "C" fn forked() {
    EPOCH.fetch_add(1, Ordering::AcqRel);
    BUSY.store(false, Ordering::Release);
}
