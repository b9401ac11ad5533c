//! What a lowering may ask of an instruction set with integers.

use super::listed::listed;
use super::{Gpr, Labels, LoadOp, Mem, Operand, Width};

listed! {
    /// Integer operations that cannot trap.
    #[allow(missing_docs, reason = "named after the instructions")]
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum AluOp {
        Add,
        Sub,
        And,
        Or,
        Xor,
        Mul,
        Shl,
        ShrS,
        ShrU,
        Rotl,
        Rotr,
    }
}

impl AluOp {
    /// Whether the operands may be swapped.
    #[must_use]
    pub const fn commutes(self) -> bool {
        matches!(
            self,
            AluOp::Add | AluOp::And | AluOp::Or | AluOp::Xor | AluOp::Mul
        )
    }

    /// Whether the second operand is a count.
    #[must_use]
    pub const fn is_shift(self) -> bool {
        match self {
            AluOp::Shl | AluOp::ShrS | AluOp::ShrU | AluOp::Rotl | AluOp::Rotr => true,
            AluOp::Add | AluOp::Sub | AluOp::And | AluOp::Or | AluOp::Xor | AluOp::Mul => false,
        }
    }
}

listed! {
    /// Integer divisions.
    #[allow(missing_docs, reason = "named after the instructions")]
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum DivOp {
        DivS,
        DivU,
        RemS,
        RemU,
    }

    /// Upper halves of products of 64-bit integers.
    #[allow(missing_docs, reason = "named after what the operands are taken for")]
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum MulHigh {
        Signed,
        Unsigned,
    }

    /// Integer operations with one operand.
    #[allow(missing_docs, reason = "named after the instructions")]
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum IntUnary {
        Clz,
        Ctz,
        Popcnt,
        SwapBytes,
        Extend8S,
        Extend16S,
        Extend32S,
        /// The low 32 bits, at either width; the one operation whose 32-bit form takes an operand with
        /// any upper half.
        Wrap,
    }

    /// Integer comparisons.
    #[allow(missing_docs, reason = "named after the instructions")]
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum Cond {
        Eq,
        Ne,
        LtS,
        LtU,
        GtS,
        GtU,
        LeS,
        LeU,
        GeS,
        GeU,
    }
}

impl Cond {
    /// The comparison that holds exactly when this one does not.
    #[must_use]
    pub const fn negate(self) -> Cond {
        match self {
            Cond::Eq => Cond::Ne,
            Cond::Ne => Cond::Eq,
            Cond::LtS => Cond::GeS,
            Cond::LtU => Cond::GeU,
            Cond::GtS => Cond::LeS,
            Cond::GtU => Cond::LeU,
            Cond::LeS => Cond::GtS,
            Cond::LeU => Cond::GtU,
            Cond::GeS => Cond::LtS,
            Cond::GeU => Cond::LtU,
        }
    }

    /// The same comparison of numbers that are not negative.
    #[must_use]
    pub const fn unsigned(self) -> Cond {
        match self {
            Cond::LtS => Cond::LtU,
            Cond::GtS => Cond::GtU,
            Cond::LeS => Cond::LeU,
            Cond::GeS => Cond::GeU,
            Cond::Eq | Cond::Ne | Cond::LtU | Cond::GtU | Cond::LeU | Cond::GeU => self,
        }
    }

    /// The comparison of the swapped operands.
    #[must_use]
    pub const fn swap(self) -> Cond {
        match self {
            Cond::Eq => Cond::Eq,
            Cond::Ne => Cond::Ne,
            Cond::LtS => Cond::GtS,
            Cond::LtU => Cond::GtU,
            Cond::GtS => Cond::LtS,
            Cond::GtU => Cond::LtU,
            Cond::LeS => Cond::GeS,
            Cond::LeU => Cond::GeU,
            Cond::GeS => Cond::LeS,
            Cond::GeU => Cond::LeU,
        }
    }
}

/// Operations on integers in general registers.
pub trait IntMasm: Labels {
    /// `dst = a op b`. Shift counts are taken modulo the width.
    fn alu(&mut self, op: AluOp, width: Width, dst: Gpr, a: Gpr, b: Operand);
    /// `dst = a & !b`.
    fn and_not(&mut self, width: Width, dst: Gpr, a: Gpr, b: Gpr);
    /// `dst = a << count | b >> (bits - count)`, by one to all but one of the width's bits.
    fn funnel_shift(&mut self, width: Width, dst: Gpr, a: Gpr, b: Gpr, count: u32);
    /// `dst = a + b + c`; `b` is a register, maybe shifted.
    fn sum(&mut self, width: Width, dst: Gpr, a: Gpr, b: Operand, c: i32);
    /// `dst =` the upper 64 bits of `a * b`.
    fn multiply_high(&mut self, op: MulHigh, dst: Gpr, a: Gpr, b: Gpr);
    /// `dst = a op b`, branching to `by_zero`, or to `overflow` for `MIN / -1`.
    #[allow(clippy::too_many_arguments, reason = "one instruction's operands")]
    fn div(
        &mut self,
        op: DivOp,
        width: Width,
        dst: Gpr,
        a: Gpr,
        b: Gpr,
        by_zero: Self::Label,
        overflow: Self::Label,
    );
    /// `dst = op a`.
    fn int_unary(&mut self, op: IntUnary, width: Width, dst: Gpr, a: Gpr);
    /// `dst = a cond b`.
    fn compare(&mut self, cond: Cond, width: Width, dst: Gpr, a: Gpr, b: Operand);
    /// Branches when `a cond b`.
    fn branch_if(&mut self, cond: Cond, width: Width, a: Gpr, b: Operand, target: Self::Label);
    /// Adds one to 32 bits of memory. Clobbers a scratch register.
    fn increment(&mut self, mem: Mem);
    /// Goes to a label when a comparison of memory, read by `load`, with a constant holds. `load` is
    /// one of four or eight bytes, or of one without sign, and `b` is not negative then.
    fn branch_if_memory(&mut self, cond: Cond, load: LoadOp, a: Mem, b: i32, target: Self::Label);
    /// Goes to a label when a comparison of 32 bits of memory with a constant holds that is written
    /// later, to the four bytes at the offset that comes back. Where [`Target::compares_later`]
    /// allows it.
    ///
    /// [`Target::compares_later`]: super::Target::compares_later
    fn branch_if_memory_later(&mut self, cond: Cond, a: Mem, target: Self::Label) -> u32;
    /// `dst = a cond b ? x : y`.
    #[allow(clippy::too_many_arguments, reason = "one instruction's operands")]
    fn select(&mut self, cond: Cond, width: Width, a: Gpr, b: Operand, dst: Gpr, x: Gpr, y: Gpr);
}
