//! Work on all cores.

use std::thread;

/// More do not help.
const MAX_THREADS: usize = 256;

/// Threads to work with: as many as asked for, else as there are cores.
pub(crate) fn threads(asked: Option<usize>) -> usize {
    asked
        .unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from))
        .min(MAX_THREADS)
}

/// Runs the same work on several threads, this one among them, until all have ended. There are fewer
/// where the system has no more: the work is whatever is left to do, so that one is enough.
pub(crate) fn run(threads: usize, work: impl Fn() + Sync) {
    thread::scope(|scope| {
        for _ in 1..threads {
            if thread::Builder::new().spawn_scoped(scope, &work).is_err() {
                break;
            }
        }
        work();
    });
}
