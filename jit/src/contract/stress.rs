//! Detours that make rare paths of the compilers common. The code does the same, more slowly; tests
//! and fuzzing run everything with them, too.

/// Which detours a compiler takes. None by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stress {
    /// Every value goes to its canonical slot after each operator, and locals live in slots.
    pub spill: bool,
    /// Operators get the fewest temporaries that they can do with.
    pub few_registers: bool,
    /// Every constant and local is copied to a register of its own, no operand is immediate, no
    /// comparison waits for its branch, no result goes straight to a local.
    pub no_fold: bool,
    /// Bytes, a multiple of 8, that lie unused in every frame: slots are far from the frame pointer.
    pub frame_padding_bytes: u32,
    /// Branches of the longest reach, as in functions of more than a megabyte.
    pub far_branches: bool,
    /// Callees stand in place of calls wherever that is possible, within generous bounds.
    pub inline: bool,
}
