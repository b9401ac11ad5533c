//! How a run of a guest, or a step of one, ends: one list of numbers for every tier and for machine
//! code.

use crate::TrapCode;

/// What code of any tier returns to whoever called it, and what the runtime's helpers return to code.
///
/// A number from 1 to 255 is that of a [`TrapCode`].
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct Outcome(u32);

/// Declares the outcomes that are no traps, from rows of `NAME = number, "documentation"`.
macro_rules! outcomes {
    ($($name:ident = $number:literal, $doc:literal;)*) => {
        impl Outcome {
            $(#[doc = $doc] pub const $name: Outcome = Outcome($number);)*

            const NAMES: &'static [(&'static str, Outcome)] = &[$((stringify!($name), Outcome::$name),)*];
        }
    };
}

outcomes! {
    DONE = 0, "The work is done; of a run, the outermost function returned.";
    HOST_ERROR = 0x100, "A host function failed; the store holds its error.";
    EXCEPTION = 0x101, "An exception left the outermost frame; the store holds it.";
    HOST_PANIC = 0x102, "A host function panicked; the store holds the panic.";
    CONTINUE = 0x103, "The interpreter's dispatch by a loop only: go on with the registers that the store holds.";
    RESUME = 0x200, "Machine code only: go on at the handler that the store's limits name.";
}

impl Outcome {
    /// A trap.
    #[must_use]
    pub const fn trap(code: TrapCode) -> Outcome {
        Outcome(code as u32)
    }

    /// Which trap it is, if it is one.
    #[must_use]
    pub const fn trap_code(self) -> Option<TrapCode> {
        if self.0 > u8::MAX as u32 {
            return None;
        }
        TrapCode::from_number(self.0 as u8)
    }

    /// The number, for machine code.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl core::fmt::Debug for Outcome {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        if let Some(code) = self.trap_code() {
            return write!(f, "Trap({code:?})");
        }
        let named = Outcome::NAMES.iter().find(|(_, outcome)| outcome == self);
        f.write_str(named.map_or("Unknown", |(name, _)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome;
    use crate::TrapCode;

    #[test]
    fn every_outcome_has_a_number_of_its_own() {
        let traps = TrapCode::ALL.iter().map(|&code| Outcome::trap(code));
        let named = Outcome::NAMES.iter().map(|&(_, outcome)| outcome);
        let mut numbers: Vec<u32> = named.chain(traps).map(Outcome::number).collect();
        let count = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), count);
    }

    #[test]
    fn traps_and_others_are_told_apart() {
        for &code in TrapCode::ALL {
            assert_eq!(Outcome::trap(code).trap_code(), Some(code));
        }
        for &(name, outcome) in Outcome::NAMES {
            assert_eq!(outcome.trap_code(), None, "{name}");
            assert_eq!(format!("{outcome:?}"), name);
        }
    }
}
