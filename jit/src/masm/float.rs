//! What a lowering may ask of an instruction set with floats.

use super::listed::listed;
use super::{FloatSource, FloatWidth, Fpr, Gpr, Labels};

listed! {
    /// Float comparisons; all but `Ne` are false on NaN.
    #[allow(missing_docs, reason = "named after the instructions")]
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum FloatCond {
        Eq,
        Ne,
        Lt,
        Gt,
        Le,
        Ge,
    }

    /// Float operations with two operands.
    #[allow(missing_docs, reason = "named after the instructions")]
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum FloatOp {
        Add,
        Sub,
        Mul,
        Div,
        Min,
        Max,
        Copysign,
    }
}

impl FloatOp {
    /// Whether it is one of the four operations of arithmetic.
    #[must_use]
    pub const fn is_arithmetic(self) -> bool {
        match self {
            FloatOp::Add | FloatOp::Sub | FloatOp::Mul | FloatOp::Div => true,
            FloatOp::Min | FloatOp::Max | FloatOp::Copysign => false,
        }
    }

    /// Whether the operands may be swapped: which NaN comes out of two is not fixed.
    #[must_use]
    pub const fn commutes(self) -> bool {
        matches!(self, FloatOp::Add | FloatOp::Mul)
    }
}

listed! {
    /// Float operations with one operand.
    #[allow(missing_docs, reason = "named after the instructions")]
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum FloatUnary {
        Abs,
        Neg,
        Sqrt,
        Ceil,
        Floor,
        Trunc,
        Nearest,
    }

    /// Conversions from integers to floats.
    #[allow(missing_docs, reason = "named after the instructions")]
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum FromInt {
        I32S,
        I32U,
        I64S,
        I64U,
    }

    /// Truncations from floats to integers.
    #[allow(missing_docs, reason = "named after the instructions")]
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum ToInt {
        I32S,
        I32U,
        I64S,
        I64U,
    }
}

/// Operations on floats in the low bits of float registers.
pub trait FloatMasm: Labels {
    /// `dst = a op b`.
    fn float(&mut self, op: FloatOp, width: FloatWidth, dst: Fpr, a: Fpr, b: Fpr);
    /// `dst = a op b`, for additions, subtractions, multiplications and divisions.
    fn float_from(&mut self, op: FloatOp, width: FloatWidth, dst: Fpr, a: Fpr, b: FloatSource);
    /// `dst = op a`.
    fn float_unary(&mut self, op: FloatUnary, width: FloatWidth, dst: Fpr, a: Fpr);
    /// `dst = a cond b`.
    fn float_compare(&mut self, cond: FloatCond, width: FloatWidth, dst: Gpr, a: Fpr, b: Fpr);
    /// Branches when `(a cond b) != negated`.
    fn float_branch_if(
        &mut self,
        cond: FloatCond,
        negated: bool,
        width: FloatWidth,
        a: Fpr,
        b: Fpr,
        target: Self::Label,
    );
    /// Converts an integer.
    fn float_from_int(&mut self, from: FromInt, width: FloatWidth, dst: Fpr, src: Gpr);
    /// `f32.demote_f64` or `f64.promote_f32`, to the given width.
    fn float_convert(&mut self, to: FloatWidth, dst: Fpr, src: Fpr);
    /// `dst = trunc(src)`. Branches to `slow`, leaving `src` as it is, whenever the value is NaN or
    /// might not fit; it may do so for a few values that fit.
    fn truncate(&mut self, to: ToInt, from: FloatWidth, dst: Gpr, src: Fpr, slow: Self::Label);
    /// As `truncate`, for results that saturate. Returns whether it never branches.
    fn truncate_saturating(
        &mut self,
        to: ToInt,
        from: FloatWidth,
        dst: Gpr,
        src: Fpr,
        slow: Self::Label,
    ) -> bool;
}
