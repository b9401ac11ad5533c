//! Scalar numeric operators that instruction sets do inline.

use super::values::{HeldOperand, Loc, Pending};
use super::{Compiler, Next};
use crate::masm::{
    AluOp, Cond, DivOp, FloatCond, FloatOp, FloatUnary, FloatWidth, FromInt, IntUnary, Masm, Width,
};
use wasmparser::Operator;
use zwasm_core::{TrapCode, ValType};

const W32: Width = Width::W32;
const W64: Width = Width::W64;
const F32: FloatWidth = FloatWidth::F32;
const F64: FloatWidth = FloatWidth::F64;

impl<M: Masm> Compiler<'_, M> {
    /// These operators; false for all others.
    pub(super) fn numeric_operator(&mut self, op: &Operator<'_>, next: Next) -> bool {
        match *op {
            Operator::I32Const { value } => self.push_const(ValType::I32, u64::from(value as u32)),
            Operator::I64Const { value } => self.push_const(ValType::I64, value as u64),
            Operator::F32Const { value } => {
                self.push_const(ValType::F32, u64::from(value.bits()));
            }
            Operator::F64Const { value } => self.push_const(ValType::F64, value.bits()),
            Operator::V128Const { value } => {
                let bits = u128::from_le_bytes(*value.bytes());
                let (low, high) = (bits as u64, (bits >> 64) as u64);
                self.push(ValType::V128, Loc::Const { low, high });
            }

            Operator::I32Add => self.alu(AluOp::Add, W32, next),
            Operator::I32Sub => self.alu(AluOp::Sub, W32, next),
            Operator::I32Mul => self.alu(AluOp::Mul, W32, next),
            Operator::I32And => self.alu(AluOp::And, W32, next),
            Operator::I32Or => self.alu(AluOp::Or, W32, next),
            Operator::I32Xor => self.alu(AluOp::Xor, W32, next),
            Operator::I32Shl => self.alu(AluOp::Shl, W32, next),
            Operator::I32ShrS => self.alu(AluOp::ShrS, W32, next),
            Operator::I32ShrU => self.alu(AluOp::ShrU, W32, next),
            Operator::I32Rotl => self.alu(AluOp::Rotl, W32, next),
            Operator::I32Rotr => self.alu(AluOp::Rotr, W32, next),
            Operator::I64Add => self.alu(AluOp::Add, W64, next),
            Operator::I64Sub => self.alu(AluOp::Sub, W64, next),
            Operator::I64Mul => self.alu(AluOp::Mul, W64, next),
            Operator::I64And => self.alu(AluOp::And, W64, next),
            Operator::I64Or => self.alu(AluOp::Or, W64, next),
            Operator::I64Xor => self.alu(AluOp::Xor, W64, next),
            Operator::I64Shl => self.alu(AluOp::Shl, W64, next),
            Operator::I64ShrS => self.alu(AluOp::ShrS, W64, next),
            Operator::I64ShrU => self.alu(AluOp::ShrU, W64, next),
            Operator::I64Rotl => self.alu(AluOp::Rotl, W64, next),
            Operator::I64Rotr => self.alu(AluOp::Rotr, W64, next),

            Operator::I32DivS => self.div(DivOp::DivS, W32, next),
            Operator::I32DivU => self.div(DivOp::DivU, W32, next),
            Operator::I32RemS => self.div(DivOp::RemS, W32, next),
            Operator::I32RemU => self.div(DivOp::RemU, W32, next),
            Operator::I64DivS => self.div(DivOp::DivS, W64, next),
            Operator::I64DivU => self.div(DivOp::DivU, W64, next),
            Operator::I64RemS => self.div(DivOp::RemS, W64, next),
            Operator::I64RemU => self.div(DivOp::RemU, W64, next),

            Operator::I32Clz => self.int_unary(IntUnary::Clz, W32, next),
            Operator::I32Ctz => self.int_unary(IntUnary::Ctz, W32, next),
            Operator::I32Popcnt => self.int_unary(IntUnary::Popcnt, W32, next),
            Operator::I32Extend8S => self.int_unary(IntUnary::Extend8S, W32, next),
            Operator::I32Extend16S => self.int_unary(IntUnary::Extend16S, W32, next),
            Operator::I64Clz => self.int_unary(IntUnary::Clz, W64, next),
            Operator::I64Ctz => self.int_unary(IntUnary::Ctz, W64, next),
            Operator::I64Popcnt => self.int_unary(IntUnary::Popcnt, W64, next),
            Operator::I64Extend8S => self.int_unary(IntUnary::Extend8S, W64, next),
            Operator::I64Extend16S => self.int_unary(IntUnary::Extend16S, W64, next),
            Operator::I64Extend32S | Operator::I64ExtendI32S => {
                self.int_unary(IntUnary::Extend32S, W64, next);
            }
            Operator::I64ExtendI32U => self.extend_unsigned(next),
            Operator::I32WrapI64 => self.int_unary(IntUnary::Wrap, W32, next),

            Operator::I32Eqz => self.i32_eqz(next),
            Operator::I64Eqz => {
                self.push_const(ValType::I64, 0);
                self.compare(Cond::Eq, W64, next);
            }
            Operator::I32Eq => self.compare(Cond::Eq, W32, next),
            Operator::I32Ne => self.compare(Cond::Ne, W32, next),
            Operator::I32LtS => self.compare(Cond::LtS, W32, next),
            Operator::I32LtU => self.compare(Cond::LtU, W32, next),
            Operator::I32GtS => self.compare(Cond::GtS, W32, next),
            Operator::I32GtU => self.compare(Cond::GtU, W32, next),
            Operator::I32LeS => self.compare(Cond::LeS, W32, next),
            Operator::I32LeU => self.compare(Cond::LeU, W32, next),
            Operator::I32GeS => self.compare(Cond::GeS, W32, next),
            Operator::I32GeU => self.compare(Cond::GeU, W32, next),
            Operator::I64Eq => self.compare(Cond::Eq, W64, next),
            Operator::I64Ne => self.compare(Cond::Ne, W64, next),
            Operator::I64LtS => self.compare(Cond::LtS, W64, next),
            Operator::I64LtU => self.compare(Cond::LtU, W64, next),
            Operator::I64GtS => self.compare(Cond::GtS, W64, next),
            Operator::I64GtU => self.compare(Cond::GtU, W64, next),
            Operator::I64LeS => self.compare(Cond::LeS, W64, next),
            Operator::I64LeU => self.compare(Cond::LeU, W64, next),
            Operator::I64GeS => self.compare(Cond::GeS, W64, next),
            Operator::I64GeU => self.compare(Cond::GeU, W64, next),

            Operator::F32Eq => self.float_compare(FloatCond::Eq, F32, next),
            Operator::F32Ne => self.float_compare(FloatCond::Ne, F32, next),
            Operator::F32Lt => self.float_compare(FloatCond::Lt, F32, next),
            Operator::F32Gt => self.float_compare(FloatCond::Gt, F32, next),
            Operator::F32Le => self.float_compare(FloatCond::Le, F32, next),
            Operator::F32Ge => self.float_compare(FloatCond::Ge, F32, next),
            Operator::F64Eq => self.float_compare(FloatCond::Eq, F64, next),
            Operator::F64Ne => self.float_compare(FloatCond::Ne, F64, next),
            Operator::F64Lt => self.float_compare(FloatCond::Lt, F64, next),
            Operator::F64Gt => self.float_compare(FloatCond::Gt, F64, next),
            Operator::F64Le => self.float_compare(FloatCond::Le, F64, next),
            Operator::F64Ge => self.float_compare(FloatCond::Ge, F64, next),

            Operator::F32Add => self.float(FloatOp::Add, F32, next),
            Operator::F32Sub => self.float(FloatOp::Sub, F32, next),
            Operator::F32Mul => self.float(FloatOp::Mul, F32, next),
            Operator::F32Div => self.float(FloatOp::Div, F32, next),
            Operator::F32Min => self.float(FloatOp::Min, F32, next),
            Operator::F32Max => self.float(FloatOp::Max, F32, next),
            Operator::F32Copysign => self.float(FloatOp::Copysign, F32, next),
            Operator::F64Add => self.float(FloatOp::Add, F64, next),
            Operator::F64Sub => self.float(FloatOp::Sub, F64, next),
            Operator::F64Mul => self.float(FloatOp::Mul, F64, next),
            Operator::F64Div => self.float(FloatOp::Div, F64, next),
            Operator::F64Min => self.float(FloatOp::Min, F64, next),
            Operator::F64Max => self.float(FloatOp::Max, F64, next),
            Operator::F64Copysign => self.float(FloatOp::Copysign, F64, next),

            Operator::F32Abs => self.float_unary(FloatUnary::Abs, F32, next),
            Operator::F32Neg => self.float_unary(FloatUnary::Neg, F32, next),
            Operator::F32Sqrt => self.float_unary(FloatUnary::Sqrt, F32, next),
            Operator::F32Ceil if self.masm.has_vectors() => {
                self.float_unary(FloatUnary::Ceil, F32, next);
            }
            Operator::F32Floor if self.masm.has_vectors() => {
                self.float_unary(FloatUnary::Floor, F32, next);
            }
            Operator::F32Trunc if self.masm.has_vectors() => {
                self.float_unary(FloatUnary::Trunc, F32, next);
            }
            Operator::F32Nearest if self.masm.has_vectors() => {
                self.float_unary(FloatUnary::Nearest, F32, next);
            }
            Operator::F64Abs => self.float_unary(FloatUnary::Abs, F64, next),
            Operator::F64Neg => self.float_unary(FloatUnary::Neg, F64, next),
            Operator::F64Sqrt => self.float_unary(FloatUnary::Sqrt, F64, next),
            Operator::F64Ceil if self.masm.has_vectors() => {
                self.float_unary(FloatUnary::Ceil, F64, next);
            }
            Operator::F64Floor if self.masm.has_vectors() => {
                self.float_unary(FloatUnary::Floor, F64, next);
            }
            Operator::F64Trunc if self.masm.has_vectors() => {
                self.float_unary(FloatUnary::Trunc, F64, next);
            }
            Operator::F64Nearest if self.masm.has_vectors() => {
                self.float_unary(FloatUnary::Nearest, F64, next);
            }

            Operator::F32ConvertI32S => self.int_to_float(FromInt::I32S, F32, next),
            Operator::F32ConvertI32U => self.int_to_float(FromInt::I32U, F32, next),
            Operator::F32ConvertI64S => self.int_to_float(FromInt::I64S, F32, next),
            Operator::F32ConvertI64U => self.int_to_float(FromInt::I64U, F32, next),
            Operator::F64ConvertI32S => self.int_to_float(FromInt::I32S, F64, next),
            Operator::F64ConvertI32U => self.int_to_float(FromInt::I32U, F64, next),
            Operator::F64ConvertI64S => self.int_to_float(FromInt::I64S, F64, next),
            Operator::F64ConvertI64U => self.int_to_float(FromInt::I64U, F64, next),
            Operator::F32DemoteF64 => self.float_convert(F32, next),
            Operator::F64PromoteF32 => self.float_convert(F64, next),
            Operator::I32ReinterpretF32 => self.float_bits(ValType::I32, F32, next),
            Operator::I64ReinterpretF64 => self.float_bits(ValType::I64, F64, next),
            Operator::F32ReinterpretI32 => self.bits_float(ValType::F32, F32, next),
            Operator::F64ReinterpretI64 => self.bits_float(ValType::F64, F64, next),
            _ => return false,
        }
        true
    }

    fn alu(&mut self, op: AluOp, width: Width, next: Next) {
        let b = self.pop_operand(width);
        let a = self.pop_gpr();
        let dst = match b {
            HeldOperand::Reg(held) => self.result_gpr(next, &[a, held]),
            HeldOperand::Imm(_) => self.result_gpr(next, &[a]),
        };
        self.masm.alu(op, width, dst, a.reg, b.operand());
        self.push(int_type(width), Loc::Gpr(dst));
    }

    fn div(&mut self, op: DivOp, width: Width, next: Next) {
        let b = self.pop_gpr();
        let a = self.pop_gpr();
        let by_zero = self.trap_label(TrapCode::IntegerDivisionByZero);
        let overflow = self.trap_label(TrapCode::IntegerOverflow);
        let dst = self.result_gpr(next, &[a, b]);
        self.masm
            .div(op, width, dst, a.reg, b.reg, by_zero, overflow);
        self.push(int_type(width), Loc::Gpr(dst));
    }

    fn int_unary(&mut self, op: IntUnary, width: Width, next: Next) {
        let a = self.pop_gpr();
        let dst = self.result_gpr(next, &[a]);
        self.masm.int_unary(op, width, dst, a.reg);
        self.push(int_type(width), Loc::Gpr(dst));
    }

    /// The upper half of a 32-bit value is clear already.
    fn extend_unsigned(&mut self, next: Next) {
        let a = self.pop_gpr();
        let dst = self.result_gpr(next, &[a]);
        self.masm.mov(W64, dst, a.reg);
        self.push(ValType::I64, Loc::Gpr(dst));
    }

    fn compare(&mut self, cond: Cond, width: Width, next: Next) {
        let b = self.pop_operand(width);
        let a = self.pop_gpr();
        self.push_compare(Pending::Int { cond, width, a, b }, next);
    }

    fn float_compare(&mut self, cond: FloatCond, width: FloatWidth, next: Next) {
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
    fn i32_eqz(&mut self, next: Next) {
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

    fn float(&mut self, op: FloatOp, width: FloatWidth, next: Next) {
        let b = self.pop_fpr();
        let a = self.pop_fpr();
        let dst = self.result_fpr(next, &[a, b]);
        self.masm.float(op, width, dst, a.reg, b.reg);
        self.push(float_type(width), Loc::Fpr(dst));
    }

    fn float_unary(&mut self, op: FloatUnary, width: FloatWidth, next: Next) {
        let a = self.pop_fpr();
        let dst = self.result_fpr(next, &[a]);
        self.masm.float_unary(op, width, dst, a.reg);
        self.push(float_type(width), Loc::Fpr(dst));
    }

    fn int_to_float(&mut self, from: FromInt, width: FloatWidth, next: Next) {
        let a = self.pop_gpr();
        let dst = self.result_fpr(next, &[]);
        self.masm.float_from_int(from, width, dst, a.reg);
        self.release(a);
        self.push(float_type(width), Loc::Fpr(dst));
    }

    fn float_convert(&mut self, to: FloatWidth, next: Next) {
        let a = self.pop_fpr();
        let dst = self.result_fpr(next, &[a]);
        self.masm.float_convert(to, dst, a.reg);
        self.push(float_type(to), Loc::Fpr(dst));
    }

    fn float_bits(&mut self, ty: ValType, width: FloatWidth, next: Next) {
        let a = self.pop_fpr();
        let dst = self.result_gpr(next, &[]);
        self.masm.float_to_bits(width, dst, a.reg);
        self.release_float(a);
        self.push(ty, Loc::Gpr(dst));
    }

    fn bits_float(&mut self, ty: ValType, width: FloatWidth, next: Next) {
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
