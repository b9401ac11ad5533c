//! What an instruction set can do, on a processor with certain features: for whoever chooses
//! instructions and registers, and emits nothing.

use super::vector::VecBinary;
use super::{AluOp, Clobber, FixedRoles, FromInt, IntUnary, RegisterFile, StoreOp};

/// An instruction set on a processor. [`Masm::target`](super::Masm::target) makes one.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The registers.
    pub file: &'static RegisterFile,
    /// Whether there are vectors: without them, values are moved, loaded and stored only, and floats
    /// are not rounded to integral values.
    pub has_vectors: bool,
    /// Whether there are multiplications and additions that are rounded once.
    pub has_fused: bool,
    /// Whether [`Masm::sum`](super::Masm::sum) is one instruction.
    pub has_sums: bool,
    /// Whether [`Masm::funnel_shift`](super::Masm::funnel_shift) is faster than two shifts.
    pub has_funnel_shift: bool,
    /// Whether instructions overwrite their first operand with the result.
    pub two_address: bool,
    /// Whether operations with an operand in memory do better than a load before them.
    pub folds_loads: bool,
    /// Whether the second operand of a vector operation can be in memory.
    pub folds_vector: fn(VecBinary) -> bool,
    /// Whether an operation can shift its second operand.
    pub folds_shift: fn(AluOp, u64) -> bool,
    /// Whether a constant can be stored as it is.
    pub stores_constant: fn(StoreOp, i32) -> bool,
    /// What operations do to rare registers.
    pub clobbers: Clobbers,
}

/// What operations do to rare registers when they are allocated.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clobbers {
    /// Shifts by a register.
    pub shift: &'static [Clobber],
    /// Rotations by a register.
    pub rotate: &'static [Clobber],
    /// Divisions, and upper halves of products.
    pub wide: &'static [Clobber],
    /// Counting bits.
    pub popcnt: &'static [Clobber],
    /// Conversions of unsigned 64-bit integers to floats.
    pub from_u64: &'static [Clobber],
}

impl Clobbers {
    /// Of an operation.
    #[must_use]
    pub fn of(&self, operation: FixedRoles) -> &'static [Clobber] {
        match operation {
            FixedRoles::Shift(AluOp::Shl | AluOp::ShrS | AluOp::ShrU) => self.shift,
            FixedRoles::Shift(_) => self.rotate,
            FixedRoles::Div | FixedRoles::MulHigh => self.wide,
            FixedRoles::FromInt(FromInt::I64U) => self.from_u64,
            FixedRoles::Unary(IntUnary::Popcnt) => self.popcnt,
            FixedRoles::FromInt(_) | FixedRoles::Unary(_) => &[],
        }
    }
}
