//! Threads as the kernel numbers them, so that one can be signalled.
//!
//! A thread that has ended meanwhile is not found; one that got its number ignores a signal that is
//! not meant for it.

/// The number of this thread; never 0.
#[cfg(target_os = "linux")]
pub(super) fn number() -> i32 {
    // SAFETY: the call has no preconditions.
    unsafe { libc::gettid() }
}

/// Sends a signal to a thread of this process; false when there is no such thread.
#[cfg(target_os = "linux")]
pub(super) fn signal(thread: i32, signal: i32) -> bool {
    // SAFETY: the call takes numbers only.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, signal) == 0 }
}

/// The name of this thread's port; never 0.
#[cfg(target_os = "macos")]
pub(super) fn number() -> i32 {
    // SAFETY: the calls have no preconditions, and add no right to the port.
    unsafe { libc::pthread_mach_thread_np(libc::pthread_self()).cast_signed() }
}

/// Sends a signal to a thread of this process; false when there is no such thread.
#[cfg(target_os = "macos")]
pub(super) fn signal(thread: i32, signal: i32) -> bool {
    unsafe extern "C" {
        /// The system call behind `pthread_kill`, which takes a port instead of a pointer that may
        /// dangle.
        fn __pthread_kill(port: u32, signal: i32) -> i32;
    }
    // SAFETY: the call takes numbers only.
    unsafe { __pthread_kill(thread.cast_unsigned(), signal) == 0 }
}
