//! Which core a thread runs on.

use std::thread::JoinHandle;

/// Sees to it that a thread that was made just now does not wait for this one: Linux puts some new threads on the core
/// of their maker, though others are idle, and there they stand until its time slice is over (3.3 ms, 10 of 16 of a
/// probe on a machine with two cores; 0.1 ms otherwise). Threads that were woken have no such trouble. Afterwards the
/// thread may run wherever this one may.
///
/// Does nothing where the system does not let it.
#[cfg(all(target_os = "linux", any(target_env = "gnu", target_env = "musl")))]
pub(crate) fn start_elsewhere<T>(thread: &JoinHandle<T>) {
    use std::os::unix::thread::JoinHandleExt;

    const BYTES: usize = size_of::<libc::cpu_set_t>();
    let id = thread.as_pthread_t();
    // SAFETY: all sets are locals of the size that is given, all zeros are an empty one, and the core's number is
    // below their capacity. The handle keeps the thread's number valid, even if the thread has ended; then this
    // thread may be meant instead, whose set is the same afterwards as before.
    unsafe {
        let mut all: libc::cpu_set_t = core::mem::zeroed();
        if libc::sched_getaffinity(0, BYTES, &mut all) != 0 {
            return;
        }
        let Ok(here) = usize::try_from(libc::sched_getcpu()) else {
            return;
        };
        if here >= 8 * BYTES {
            return;
        }
        let mut others = all;
        libc::CPU_CLR(here, &mut others);
        if libc::CPU_COUNT(&others) == 0 {
            return;
        }
        // Leaves the core at once where it waits for it.
        libc::pthread_setaffinity_np(id, BYTES, &others);
        libc::pthread_setaffinity_np(id, BYTES, &all);
    }
}

#[cfg(not(all(target_os = "linux", any(target_env = "gnu", target_env = "musl"))))]
pub(crate) fn start_elsewhere<T>(_: &JoinHandle<T>) {}
