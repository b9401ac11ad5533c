//! What code of the baseline compiler has seen while it ran, for the optimizing compiler: how often each
//! part of a function was reached, and where its indirect calls went.
//!
//! Code that tiers up has cells of 32 bits each, which the runtime keeps and the function's entry leads to.
//! The first counts calls; each other one belongs to an operator and counts how often code came past it:
//! the head of a loop, the start of an `if`, what lies behind a conditional branch that was not taken,
//! and the end of a block that tables or clauses lead to. All other counts follow from these. An indirect call
//! has two: the callee that it goes to mostly, and by how many calls it leads (after Boyer and Moore, *MJRTY*,
//! 1981: whoever leads in the end is the majority, if there is one).
//!
//! Cells are hints, written by several threads at once, and wrap.

use core::ops::Range;
use std::sync::Arc;
use zwasm_core::vmctx::func_entry;

/// The operator of a cell that counts calls. None is there.
pub(crate) const CALLS: u32 = 0;

/// Cells of one function; beyond that, nothing is counted.
pub(crate) const CELLS_MAX: usize = 4_000;

/// The cells of a function as they are at one moment.
#[derive(Clone, Debug)]
pub struct Feedback {
    /// The offset in the module of the operator that each cell belongs to, ascending.
    places: Arc<[u32]>,
    cells: Vec<u32>,
}

/// Where most calls of an indirect call go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Favourite {
    /// The distance from the first of the module's function entries to the callee's, in bytes, modulo 2³²: it may be of
    /// another module.
    entry: u32,
    /// How many more calls went there than elsewhere, at least.
    pub(crate) lead: u32,
}

impl Favourite {
    /// The index among the defined functions that the callee has if it is of this module.
    pub(crate) fn defined(self) -> Option<u32> {
        let is_entry = self.entry.is_multiple_of(func_entry::SIZE);
        is_entry.then_some(self.entry / func_entry::SIZE)
    }
}

impl Feedback {
    /// # Panics
    /// If there is not a cell for each place.
    #[must_use]
    pub fn new(places: Arc<[u32]>, cells: Vec<u32>) -> Feedback {
        assert_eq!(places.len(), cells.len(), "a cell for each place");
        Feedback { places, cells }
    }

    fn at(&self, place: u32) -> Range<usize> {
        let first = self.places.partition_point(|&at| at < place);
        let behind = self.places[first..].iter().take_while(|&&at| at == place);
        first..first + behind.count()
    }

    /// How often the function was called.
    pub(crate) fn calls(&self) -> Option<u32> {
        self.count(CALLS)
    }

    /// How often code came past the operator at this offset, if that was counted.
    pub(crate) fn count(&self, place: u32) -> Option<u32> {
        match &self.cells[self.at(place)] {
            [count] => Some(*count),
            _ => None,
        }
    }

    /// Where the indirect call at this offset goes mostly.
    pub(crate) fn favourite(&self, place: u32) -> Option<Favourite> {
        match self.cells[self.at(place)] {
            [entry, lead] => Some(Favourite { entry, lead }),
            _ => None,
        }
    }

    /// The largest count.
    pub(crate) fn most(&self) -> u32 {
        let is_call = |at: usize| {
            let same = |other: usize| self.places.get(other) == Some(&self.places[at]);
            same(at + 1) || same(at.wrapping_sub(1))
        };
        let counts = self.cells.iter().enumerate();
        let counts = counts.filter(|&(at, _)| !is_call(at));
        counts.map(|(_, &count)| count).max().unwrap_or(0)
    }
}

/// Who has the feedback of a module's functions.
pub trait Observed: core::fmt::Debug {
    /// That of a function by its index among the defined ones; none if it has not run in code that counts.
    fn feedback(&self, defined: u32) -> Option<Feedback>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_found_by_their_operators() {
        let places = [CALLS, 10, 20, 20, 30];
        let feedback = Feedback::new(Arc::new(places), vec![7, 500, 3 * func_entry::SIZE, 900, 3]);
        assert_eq!(feedback.calls(), Some(7));
        assert_eq!(feedback.count(10), Some(500));
        assert_eq!(feedback.count(11), None);
        assert_eq!(feedback.count(20), None);
        assert_eq!(feedback.favourite(10), None);
        let favourite = feedback.favourite(20).expect("two cells");
        assert_eq!((favourite.defined(), favourite.lead), (Some(3), 900));
        assert_eq!(feedback.most(), 500);
    }
}
