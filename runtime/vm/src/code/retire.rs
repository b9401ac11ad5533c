//! The end of code that other code has replaced: when no call can be in it any more.
//!
//! Calls of a function lead to its new code from one moment on, but those that came before may be anywhere in the
//! old one, on any thread. Each store counts its runs. Code that is replaced is kept until every store that was
//! running then has come back to its host: who runs after that has found the new code. A run that
//! does not end keeps what it may have seen replaced.

use super::Code;
use core::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, Weak};

/// The runs of a store: in the lower half how many there are now, on stacks of several threads or one,
/// in the upper half how often there were none again. Written by the thread that has the store.
#[derive(Debug, Default)]
pub(crate) struct Runs(AtomicU64);

const ENDED: u64 = 1 << 32;

impl Runs {
    /// A run begins; what it calls is read later.
    pub(crate) fn begin(&self) {
        let runs = self.0.load(Ordering::Relaxed);
        // With `replaced` on the other side: either that sees this run, or this run sees the new code.
        self.0.swap(runs + 1, Ordering::SeqCst);
        // There the exchange does not keep later reads back.
        if cfg!(not(target_arch = "x86_64")) {
            fence(Ordering::SeqCst);
        }
    }

    /// A run is over.
    pub(crate) fn end(&self) {
        let runs = self.0.load(Ordering::Relaxed) - 1;
        let is_over = runs as u32 == 0;
        let runs = if is_over {
            runs.wrapping_add(ENDED)
        } else {
            runs
        };
        self.0.store(runs, Ordering::Release);
    }
}

/// The runs of all stores of an engine.
#[derive(Debug, Default)]
pub(crate) struct AllRuns(Mutex<Vec<Weak<Runs>>>);

impl AllRuns {
    /// Those of one more store.
    pub(crate) fn add(&self) -> Arc<Runs> {
        let runs = Arc::new(Runs::default());
        let mut all = self.0.lock().expect("no panic while locked");
        if all.len() == all.capacity() {
            // Rather than to grow.
            all.retain(|runs| runs.strong_count() > 0);
        }
        all.push(Arc::downgrade(&runs));
        runs
    }

    /// Code was replaced: nobody finds it who looks from now on.
    pub(super) fn replaced(&self, code: Arc<dyn Code>) -> Retired {
        fence(Ordering::SeqCst);
        let all = self.0.lock().expect("no panic while locked");
        let now =
            |runs: &Weak<Runs>| Some((runs.clone(), runs.upgrade()?.0.load(Ordering::SeqCst)));
        let running = all.iter().filter_map(now);
        Retired {
            code,
            readers: running.filter(|&(_, runs)| runs as u32 != 0).collect(),
        }
    }
}

/// Code that was replaced, and the runs that may be in it.
#[derive(Debug)]
pub(super) struct Retired {
    pub(super) code: Arc<dyn Code>,
    readers: Vec<(Weak<Runs>, u64)>,
}

impl Retired {
    /// Whether no call can be in it any more.
    pub(super) fn is_free(&mut self) -> bool {
        self.readers.retain(|(runs, then)| {
            let now = runs.upgrade().map(|runs| runs.0.load(Ordering::Acquire));
            now.is_some_and(|now| now / ENDED == then / ENDED)
        });
        self.readers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::ops::Range;

    #[derive(Debug)]
    struct Nothing;

    impl Code for Nothing {
        fn range(&self) -> Range<usize> {
            0..0
        }

        fn func_index(&self) -> u32 {
            0
        }
    }

    #[test]
    fn code_stays_until_all_that_ran_came_back() {
        let all = AllRuns::default();
        let [idle, once, nested, gone] = [0; 4].map(|_| all.add());
        once.begin();
        nested.begin();
        nested.begin();
        gone.begin();
        let mut retired = all.replaced(Arc::new(Nothing));
        assert_eq!(retired.readers.len(), 3);
        // Who begins later has found the new code.
        idle.begin();
        assert!(!retired.is_free());
        once.end();
        once.begin();
        nested.end();
        assert!(!retired.is_free());
        nested.end();
        assert!(!retired.is_free(), "one is left");
        drop(gone);
        assert!(retired.is_free());
        once.end();
        idle.end();
        assert!(all.replaced(Arc::new(Nothing)).is_free());
    }

    #[test]
    fn stores_that_are_gone_take_no_room() {
        let all = AllRuns::default();
        let kept = all.add();
        (0..10_000).for_each(|_| drop(all.add()));
        assert!(all.0.lock().expect("not poisoned").capacity() <= 16);
        drop(kept);
    }
}
