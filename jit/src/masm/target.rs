//! What an instruction set can do, on a processor with certain features: for whoever chooses
//! instructions and registers, and emits nothing.

use super::vector::VecBinary;
use super::{AluOp, FromInt, Gpr, IntUnary, RegisterFile, StoreOp};

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
    /// Whether [`IntMasm::sum`](super::IntMasm::sum) is one instruction.
    pub has_sums: bool,
    /// Whether [`IntMasm::funnel_shift`](super::IntMasm::funnel_shift) is faster than two shifts.
    pub has_funnel_shift: bool,
    /// Whether instructions overwrite their first operand with the result.
    pub two_address: bool,
    /// Whether operations with an operand in memory do better than a load before them.
    pub folds_loads: bool,
    /// Whether [`IntMasm::branch_if_memory_later`](super::IntMasm::branch_if_memory_later) exists.
    pub compares_later: bool,
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

/// Operations that may need registers in fixed roles.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FixedRoles {
    /// A shift or rotation by a register.
    Shift(AluOp),
    /// A division.
    Div,
    /// The upper half of a product.
    MulHigh,
    /// An operation on one integer.
    Unary(IntUnary),
    /// A conversion of an integer to a float.
    FromInt(FromInt),
}

/// What an operation does to a register beside its result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clobber {
    /// The register, one of [`RegisterFile::rare`].
    pub register: Gpr,
    /// Its second operand, and no other, may be there.
    pub may_hold_second: bool,
    /// Its result may be there.
    pub may_hold_result: bool,
}
