//! Scalar numeric operators that instruction sets do inline.

use super::values::{HeldOperand, Loc, Pending};
use super::{Compiler, Next};
use crate::masm::{
    AluOp, Cond, DivOp, FloatCond, FloatOp, FloatUnary, FloatWidth, FromInt, IntUnary, Masm, Width,
};
use zwasm_core::{TrapCode, ValType};

const W32: Width = Width::W32;
const W64: Width = Width::W64;
const F32: FloatWidth = FloatWidth::F32;
const F64: FloatWidth = FloatWidth::F64;

impl<M: Masm> Compiler<'_, M> {
    pub(super) fn alu(&mut self, op: AluOp, width: Width, next: Next) {
        let b = self.pop_operand(width);
        let a = self.pop_gpr();
        let dst = match b {
            HeldOperand::Reg(held) => self.result_gpr(next, &[a, held]),
            HeldOperand::Imm(_) => self.result_gpr(next, &[a]),
        };
        self.masm.alu(op, width, dst, a.reg, b.operand());
        self.push(int_type(width), Loc::Gpr(dst));
    }

    pub(super) fn div(&mut self, op: DivOp, width: Width, next: Next) {
        let b = self.pop_gpr();
        let a = self.pop_gpr();
        let by_zero = self.trap_label(TrapCode::IntegerDivisionByZero);
        let overflow = self.trap_label(TrapCode::IntegerOverflow);
        let dst = self.result_gpr(next, &[a, b]);
        self.masm
            .div(op, width, dst, a.reg, b.reg, by_zero, overflow);
        self.push(int_type(width), Loc::Gpr(dst));
    }

    pub(super) fn int_unary(&mut self, op: IntUnary, width: Width, next: Next) {
        let a = self.pop_gpr();
        let dst = self.result_gpr(next, &[a]);
        self.masm.int_unary(op, width, dst, a.reg);
        self.push(int_type(width), Loc::Gpr(dst));
    }

    /// The upper half of a 32-bit value is clear already.
    pub(super) fn extend_unsigned(&mut self, next: Next) {
        let a = self.pop_gpr();
        let dst = self.result_gpr(next, &[a]);
        self.masm.mov(W64, dst, a.reg);
        self.push(ValType::I64, Loc::Gpr(dst));
    }

    pub(super) fn compare(&mut self, cond: Cond, width: Width, next: Next) {
        let b = self.pop_operand(width);
        let a = self.pop_gpr();
        self.push_compare(Pending::Int { cond, width, a, b }, next);
    }

    pub(super) fn float_compare(&mut self, cond: FloatCond, width: FloatWidth, next: Next) {
        let b = self.pop_fpr();
        let a = self.pop_fpr();
        let pending = Pending::Float {
            cond,
            negated: false,
            width,
            a,
            b,
        };
        self.push_compare(pending, next);
    }

    /// `i32.eqz`: of a pending comparison, its negation; else a comparison with zero.
    pub(super) fn i32_eqz(&mut self, next: Next) {
        if self
            .stack
            .last()
            .is_some_and(|value| value.loc == Loc::Pending)
        {
            self.pop();
            let pending = match self.pending.take().expect("a value says so") {
                Pending::Int { cond, width, a, b } => Pending::Int {
                    cond: cond.negate(),
                    width,
                    a,
                    b,
                },
                Pending::Float {
                    cond,
                    negated,
                    width,
                    a,
                    b,
                } => Pending::Float {
                    cond,
                    negated: !negated,
                    width,
                    a,
                    b,
                },
            };
            self.push_compare(pending, next);
            return;
        }
        self.push_const(ValType::I32, 0);
        self.compare(Cond::Eq, W32, next);
    }

    pub(super) fn float(&mut self, op: FloatOp, width: FloatWidth, next: Next) {
        let b = self.pop_fpr();
        let a = self.pop_fpr();
        let dst = self.result_fpr(next, &[a, b]);
        self.masm.float(op, width, dst, a.reg, b.reg);
        self.push(float_type(width), Loc::Fpr(dst));
    }

    pub(super) fn float_unary(&mut self, op: FloatUnary, width: FloatWidth, next: Next) {
        let a = self.pop_fpr();
        let dst = self.result_fpr(next, &[a]);
        self.masm.float_unary(op, width, dst, a.reg);
        self.push(float_type(width), Loc::Fpr(dst));
    }

    pub(super) fn int_to_float(&mut self, from: FromInt, width: FloatWidth, next: Next) {
        let a = self.pop_gpr();
        let dst = self.result_fpr(next, &[]);
        self.masm.float_from_int(from, width, dst, a.reg);
        self.release(a);
        self.push(float_type(width), Loc::Fpr(dst));
    }

    pub(super) fn float_convert(&mut self, to: FloatWidth, next: Next) {
        let a = self.pop_fpr();
        let dst = self.result_fpr(next, &[a]);
        self.masm.float_convert(to, dst, a.reg);
        self.push(float_type(to), Loc::Fpr(dst));
    }

    pub(super) fn float_bits(&mut self, ty: ValType, width: FloatWidth, next: Next) {
        let a = self.pop_fpr();
        let dst = self.result_gpr(next, &[]);
        self.masm.float_to_bits(width, dst, a.reg);
        self.release_float(a);
        self.push(ty, Loc::Gpr(dst));
    }

    pub(super) fn bits_float(&mut self, ty: ValType, width: FloatWidth, next: Next) {
        let a = self.pop_gpr();
        let dst = self.result_fpr(next, &[]);
        self.masm.float_from_bits(width, dst, a.reg);
        self.release(a);
        self.push(ty, Loc::Fpr(dst));
    }
}

pub(super) fn int_type(width: Width) -> ValType {
    match width {
        W32 => ValType::I32,
        W64 => ValType::I64,
    }
}

pub(super) fn float_type(width: FloatWidth) -> ValType {
    match width {
        F32 => ValType::F32,
        F64 => ValType::F64,
    }
}
