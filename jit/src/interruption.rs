//! Compilation that ends because somebody wants it to.
//!
//! Compilers ask now and then: once per pass, and every so many operators or nodes within one. What a
//! pass leaves that ended in between is good for nothing, so that an interruption that was seen once
//! stays, whatever becomes of the cell that it was seen in.

use core::cell::Cell;
use core::sync::atomic::{AtomicU64, Ordering};

/// How many steps are taken between two looks.
const STEPS: u32 = 1024;

/// Looks out for an interruption of one function's compilation.
#[derive(Debug)]
pub(crate) struct Watch<'m> {
    cell: Option<&'m AtomicU64>,
    /// Steps to go until the next look.
    steps: Cell<u32>,
    is_seen: Cell<bool>,
}

impl<'m> Watch<'m> {
    /// Looks at a cell, which is other than zero once compilation is to end.
    pub(crate) fn of(cell: Option<&'m AtomicU64>) -> Watch<'m> {
        Watch {
            cell,
            steps: Cell::new(STEPS),
            is_seen: Cell::new(false),
        }
    }

    /// Whether compilation is to end.
    pub(crate) fn is_over(&self) -> bool {
        let is_set = |cell: &AtomicU64| cell.load(Ordering::Relaxed) != 0;
        if self.cell.is_some_and(is_set) {
            self.is_seen.set(true);
        }
        self.is_seen.get()
    }

    /// The same for one of many steps, of which few have a look.
    pub(crate) fn step(&self) -> bool {
        let left = self.steps.get() - 1;
        if left > 0 {
            self.steps.set(left);
            return self.is_seen.get();
        }
        self.steps.set(STEPS);
        self.is_over()
    }
}

#[cfg(test)]
mod tests {
    use super::Watch;
    use core::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn an_interruption_stays_seen() {
        let cell = AtomicU64::new(0);
        let watch = Watch::of(Some(&cell));
        assert!((0..5000).all(|_| !watch.step()));
        cell.store(1, Ordering::Relaxed);
        assert!((0..2000).any(|_| watch.step()));
        cell.store(0, Ordering::Relaxed);
        assert!(watch.step() && watch.is_over());
        assert!(!Watch::of(None).is_over());
    }
}
