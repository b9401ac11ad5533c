//! Work on all cores.

use std::sync::OnceLock;
use std::thread;

/// More do not help.
const MAX_THREADS: usize = 256;

/// Threads to work with: as many as asked for, else as there are cores, but no more than there is work
/// for. How many cores there are takes a while to find out, so it is asked for once, and not for one.
pub(crate) fn threads(asked: Option<usize>, most: usize) -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    let most = most.clamp(1, MAX_THREADS);
    if most == 1 {
        return 1;
    }
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let threads = asked.unwrap_or_else(|| *CORES.get_or_init(cores));
    threads.min(most)
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
