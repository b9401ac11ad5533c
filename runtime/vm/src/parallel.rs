//! Work on all cores.

use crate::sys::cpu;
use std::sync::OnceLock;
use std::thread::{self, JoinHandle};

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
///
/// # Panics
/// If the work does.
pub(crate) fn run(threads: usize, work: impl Fn() + Sync) {
    /// Threads that are over before this is.
    struct Others(Vec<JoinHandle<()>>);
    impl Drop for Others {
        fn drop(&mut self) {
            let ends = self.0.drain(..).map(JoinHandle::join);
            let panics = ends.filter(Result::is_err).count();
            assert!(panics == 0 || thread::panicking(), "work of another thread");
        }
    }
    let mut others = Others(Vec::new());
    for _ in 1..threads {
        // SAFETY: what the thread borrows is there until `others` goes, which waits for its end, even if the work
        // panics here.
        let other = unsafe { thread::Builder::new().spawn_unchecked(&work) };
        let Ok(other) = other else {
            break;
        };
        cpu::start_elsewhere(&other);
        others.0.push(other);
    }
    work();
}
