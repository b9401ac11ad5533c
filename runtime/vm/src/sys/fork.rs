//! Processes that fork.
//!
//! After a fork two processes have the same pages of machine code, mapped as shared, and the child
//! has one thread, with another number. Whoever depends on either compares [`epoch`] with what it was
//! when it last looked; it changes in both processes.
//!
//! Deliberately absent: processes made by a bare system call, of which nobody is told.

use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::Once;

static EPOCH: AtomicU32 = AtomicU32::new(0);

/// The number of forks since [`watch`] was called first, in this process and its ancestors.
pub(crate) fn epoch() -> u32 {
    EPOCH.load(Ordering::Acquire)
}

/// Begins to count forks.
pub(crate) fn watch() {
    static WATCHING: Once = Once::new();
    WATCHING.call_once(|| {
        // SAFETY: the handlers touch an atomic only. The call fails without memory only, and then
        // children share code with their parents, as in programs that fork by system calls.
        unsafe { libc::pthread_atfork(None, Some(forked), Some(forked)) };
    });
}

extern "C" fn forked() {
    EPOCH.fetch_add(1, Ordering::AcqRel);
}
