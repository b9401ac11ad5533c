//! The cells that code of the baseline compiler counts in, while its module lives
//! ([`feedback`](zwasm_jit::contract::feedback)).

use super::ModuleCode;
use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;
use zwasm_jit::contract::feedback::{Feedback, Observed};

/// Those of one function, with the operators that they belong to.
#[derive(Debug)]
pub(super) struct Cells {
    places: Arc<[u32]>,
    cells: Box<[AtomicU32]>,
}

impl ModuleCode {
    /// Gives a function its cells, before code of it is entered that counts for these operators.
    pub(crate) fn begin_counting(&self, defined: u32, places: &Arc<[u32]>) {
        if places.is_empty() {
            return;
        }
        let mut all = self.cells.lock().expect("no panic while locked");
        // Code that counts is made once; where that is so twice, one of both is never entered.
        let cells = all.entry(defined).or_insert_with(|| Cells {
            cells: places.iter().map(|_| AtomicU32::new(0)).collect(),
            places: places.clone(),
        });
        let first = cells.cells.as_ptr().cast::<u32>().cast_mut();
        let entry = &self.entries[defined as usize];
        entry.cells.store(first, Ordering::Release);
    }
}

impl Observed for ModuleCode {
    fn feedback(&self, defined: u32) -> Option<Feedback> {
        let all = self.cells.lock().expect("no panic while locked");
        let Cells { places, cells } = all.get(&defined)?;
        let cells = cells.iter().map(|cell| cell.load(Ordering::Relaxed));
        Some(Feedback::new(places.clone(), cells.collect()))
    }
}
