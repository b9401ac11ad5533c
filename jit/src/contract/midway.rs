//! Going on in better code in the middle of a call (on-stack replacement): what code of the baseline
//! compiler tells the runtime at the head of a loop, and where code of the optimizing compiler finds what
//! it goes on with.
//!
//! At the head of a loop all of a function's state is in its frame's slots: those of its locals in their
//! order, then those of its operands. The runtime copies them, upside down as they lie there, to a place
//! that `limits.resume_stack` names, and code that is entered at that loop reads them there, first thing.

/// Where in a function its count has run out, and where the state lies.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Place {
    /// Where the loop's operator is in the module, in bytes.
    pub loop_offset: u32,
    /// How many slots there are.
    pub slots: u32,
    /// They begin so many bytes below the frame pointer, and go downwards.
    pub slots_below: u32,
}

impl Place {
    /// The function's start, which is no place to go on from. No operator is there.
    pub const START: Place = Place {
        loop_offset: 0,
        slots: 0,
        slots_below: 0,
    };

    /// What code passes first, with the offset of the function's entry among those of the module.
    pub(crate) fn word(self, entry_offset: u32) -> u64 {
        u64::from(self.loop_offset) << 32 | u64::from(entry_offset)
    }

    /// What it passes then.
    pub(crate) fn slots_word(self) -> u64 {
        u64::from(self.slots) << 32 | u64::from(self.slots_below)
    }

    /// Of the words that code passes: the offset of the function's entry, and the place. The second
    /// word says nothing at the start.
    #[must_use]
    pub fn from_words(word: u64, slots_word: u64) -> (u32, Place) {
        let high = |word: u64| (word >> 32) as u32;
        let place = match high(word) {
            0 => Place::START,
            loop_offset => Place {
                loop_offset,
                slots: high(slots_word),
                slots_below: slots_word as u32,
            },
        };
        (word as u32, place)
    }
}

/// Where a value lies in the copy, in bytes: one of `size` slots, the first of which is `slot`, of a state of
/// `slots` slots.
pub(crate) fn copy_offset(slots: u32, slot: u32, size: u32) -> u32 {
    8 * (slots - slot - size)
}
