//! How often code runs, where code of the baseline compiler has counted
//! ([`feedback`](crate::contract::feedback)).
//!
//! What was counted are the heads of loops and what lies behind conditions; the rest follows while operators
//! are read in their order, since what comes to a label forwards is known when the label is reached. Callees in
//! place of calls are counted for all who call them, so their counts are taken in proportion.
//!
//! Counts are of a part of the run, and go into decisions that are right whatever they say: which calls
//! are worth their callee, which blocks come last, what stays in registers.

use super::Builder;
use crate::contract::feedback::Feedback;
use crate::opt::form::ir::BlockId;
use zwasm_core::module::NO_FUNC_REF;

/// How often a piece of code runs; unknown where something on the way was not counted.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Count(Option<f32>);

impl Count {
    pub(super) const UNKNOWN: Count = Count(None);
    pub(super) const NEVER: Count = Count(Some(0.0));
    pub(super) const ONCE: Count = Count(Some(1.0));

    pub(super) fn known(self) -> Option<f32> {
        self.0
    }

    pub(super) fn or(self, other: Count) -> Count {
        Count(self.0.or(other.0))
    }

    pub(super) fn plus(self, other: Count) -> Count {
        Count(self.0.zip(other.0).map(|(a, b)| a + b))
    }

    /// What is left; nothing, where counts do not agree.
    pub(super) fn less(self, other: Count) -> Count {
        Count(self.0.zip(other.0).map(|(a, b)| (a - b).max(0.0)))
    }

    pub(super) fn part(self, part: f32) -> Count {
        Count(self.0.map(|count| count * part))
    }
}

/// What was counted of a body that is read.
#[derive(Debug)]
pub(super) struct Counted {
    feedback: Feedback,
    /// What a count in it stands for where the body is.
    scale: f32,
}

/// How often a call runs, beside the rest of the function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Heat {
    /// Neither of the others, or nobody knows.
    Usual,
    /// Hardly ever.
    Cold,
    /// About as often as anything.
    Hot,
}

/// Who comes to a place less often says little about what lies behind.
const OBSERVED_MIN: f32 = 16.0;

/// What runs less often than this part of a loop around it, or of the function's calls, is rare, and calls in it are
/// cold.
const RARE_PART: f32 = 1.0 / 256.0;

/// A call that runs for at least this part of the function's largest count is hot, if it runs so often at all.
const HOT_PART: f32 = 1.0 / 8.0;
const HOT_MIN: f32 = 100.0;

/// A callee that leads has at least this part of all calls, and this many.
const FAVOURITE_PART: f32 = 0.5;
const FAVOURITE_MIN: u32 = 16;

impl Builder<'_> {
    fn feedback(&self, func: u32) -> Option<Feedback> {
        let defined = self.env.info.defined_func(func)?;
        self.env.observed?.feedback(defined)
    }

    /// What was counted of a function, which runs `count` times where it is read.
    pub(super) fn counted(&self, func: u32, count: Count) -> Option<Counted> {
        let feedback = self.feedback(func)?;
        let scale = count.known()? / (feedback.calls()?.max(1) as f32);
        Some(Counted { feedback, scale })
    }

    /// Begins the function, which nobody is counted to enter at a loop.
    pub(super) fn begin_counts(&mut self, func: u32) {
        let Some(feedback) = self.feedback(func) else {
            return;
        };
        let calls = feedback.calls().unwrap_or(0) as f32;
        let is_called = self.env.enter_at.is_none();
        self.calls = if is_called { calls.max(1.0) } else { 1.0 };
        self.most = feedback.most() as f32;
        self.count = Count(Some(calls));
        self.around.push(self.count);
        self.body.counted = Some(Counted {
            feedback,
            scale: 1.0,
        });
    }

    /// How often code came past the operator that is read, if that was counted.
    pub(super) fn passages(&self) -> Count {
        let count = self.body.counted.as_ref().and_then(|counted| {
            let count = counted.feedback.count(self.origin.offset)?;
            Some(count as f32 * counted.scale)
        });
        Count(count)
    }

    /// Code goes on behind a condition, which it comes past as was counted. Returns how often it does not.
    pub(super) fn pass_condition(&mut self) -> Count {
        let before = self.count;
        self.count = self.passages();
        before.less(self.count)
    }

    /// Opens a loop whose head code comes past now.
    pub(super) fn open_counted_loop(&mut self) {
        self.count = self.passages();
        let around = self.around.last().copied();
        let most = match (self.count.known(), around.and_then(Count::known)) {
            (Some(count), Some(around)) => Some(count.max(around)),
            _ => None,
        };
        self.around.push(Count(most));
    }

    /// The largest count of what is around, if it is large enough to compare others with.
    fn most_around(&self) -> Option<f32> {
        let most = self.around.last().and_then(|around| around.known());
        most.filter(|&most| most >= OBSERVED_MIN)
    }

    /// Says of a block that begins how often it runs.
    pub(super) fn note_count(&mut self, block: BlockId) {
        if let (Some(count), Some(most)) = (self.count.known(), self.most_around()) {
            let block = &mut self.function[block];
            block.often = Some(count / self.calls);
            block.is_rare |= count < most * RARE_PART;
        }
    }

    /// How often the code that is being built runs.
    pub(super) fn heat(&self) -> Heat {
        match (self.count.known(), self.most_around()) {
            (Some(count), _) if count >= HOT_MIN && count >= self.most * HOT_PART => Heat::Hot,
            (Some(count), Some(most)) if count < most * RARE_PART => Heat::Cold,
            _ => Heat::Usual,
        }
    }

    /// The function of this module that the indirect call which is read goes to mostly, with the part of the calls
    /// that do.
    pub(super) fn favourite(&self, type_index: u32) -> Option<(u32, f32)> {
        let counted = self.body.counted.as_ref()?;
        let favourite = counted.feedback.favourite(self.origin.offset)?;
        let calls = self.count.known()? / counted.scale;
        let lead = favourite.lead as f32;
        let part = lead / calls;
        let (least, least_part) = match self.env.stress.inline {
            false => (FAVOURITE_MIN, FAVOURITE_PART),
            true => (1, 0.0),
        };
        // Not so either where the part is no number, since nothing was called.
        let leads = favourite.lead >= least && part >= least_part;
        if !leads {
            return None;
        }
        let info = self.env.info;
        let func = info.imported_funcs + favourite.defined()?;
        let ty = *info.funcs.get(func as usize)?;
        let fits = info.types[ty as usize] == info.types[type_index as usize];
        let has_reference = info.func_ref_slots[func as usize] != NO_FUNC_REF;
        // Of calls that go there n are for one that goes elsewhere: the lead is n - 1 of n + 1.
        (fits && has_reference).then_some((func, ((1.0 + part) / 2.0).min(1.0)))
    }
}
