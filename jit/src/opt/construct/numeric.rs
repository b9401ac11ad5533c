//! Arithmetic, comparisons, conversions and vectors.

use super::Builder;
use crate::masm::FloatWidth::{F32, F64};
use crate::masm::Width::{W32, W64};
use crate::masm::vector::{Extract, Lanes, VecBinary, VecShift, VecTernary, VecTest, VecUnary};
use crate::masm::{
    AluOp, Cond, DivOp, FloatCond, FloatOp, FloatUnary, FromInt, IntUnary, MulHigh, ToInt, Width,
};
use crate::opt::form::ir::{Op, Ty};
use wasmparser::Operator;

impl Builder<'_> {
    pub(super) fn numeric_operator(&mut self, op: &Operator<'_>) -> bool {
        if let Some((op, ty, operands)) = scalar(op) {
            self.operate(op, ty, operands, 0);
            return true;
        }
        match *op {
            Operator::I32Const { value } => {
                let value = self.i32(value as u32);
                self.stack.push(value);
            }
            Operator::I64Const { value } => {
                let value = self.constant(Ty::I64, value as u64);
                self.stack.push(value);
            }
            Operator::F32Const { value } => {
                let value = self.constant(Ty::F32, u64::from(value.bits()));
                self.stack.push(value);
            }
            Operator::F64Const { value } => {
                let value = self.constant(Ty::F64, value.bits());
                self.stack.push(value);
            }
            Operator::V128Const { value } => {
                let bits = u128::from_le_bytes(*value.bytes());
                let value = self.vector_constant(bits as u64, (bits >> 64) as u64);
                self.stack.push(value);
            }
            Operator::I32Eqz => self.compare_with_zero(Ty::I32),
            Operator::I64Eqz => self.compare_with_zero(Ty::I64),
            Operator::I64MulWideS => self.multiply_wide(MulHigh::Signed),
            Operator::I64MulWideU => self.multiply_wide(MulHigh::Unsigned),
            Operator::I64Add128 => self.add_128(),
            Operator::I64Sub128 => self.sub_128(),
            Operator::I8x16Shuffle { lanes } => {
                let bits = u128::from_le_bytes(lanes);
                let which = self.vector([bits as u64, (bits >> 64) as u64]);
                self.operate(Op::Shuffle, Ty::V128, 2, which);
            }
            _ => return self.vector_operator(op),
        }
        true
    }

    fn multiply_wide(&mut self, op: MulHigh) {
        let [a, b] = self.pop2();
        let low = self.alu64(AluOp::Mul, a, b);
        let high = self.emit(Op::MulHigh(op), Ty::I64, &[a, b], 0);
        self.stack.extend([low, high]);
    }

    fn add_128(&mut self) {
        let [b_low, b_high] = self.pop2();
        let [a_low, a_high] = self.pop2();
        let low = self.alu64(AluOp::Add, a_low, b_low);
        let carry = self.compare64(Cond::LtU, low, a_low);
        let carry = self.emit(Op::ExtendU, Ty::I64, &[carry], 0);
        let high = self.alu64(AluOp::Add, a_high, b_high);
        let high = self.alu64(AluOp::Add, high, carry);
        self.stack.extend([low, high]);
    }

    fn sub_128(&mut self) {
        let [b_low, b_high] = self.pop2();
        let [a_low, a_high] = self.pop2();
        let low = self.alu64(AluOp::Sub, a_low, b_low);
        let borrow = self.compare64(Cond::LtU, a_low, b_low);
        let borrow = self.emit(Op::ExtendU, Ty::I64, &[borrow], 0);
        let high = self.alu64(AluOp::Sub, a_high, b_high);
        let high = self.alu64(AluOp::Sub, high, borrow);
        self.stack.extend([low, high]);
    }

    fn compare_with_zero(&mut self, ty: Ty) {
        let value = self.pop();
        let zero = self.constant(ty, 0);
        let op = Op::Compare(Cond::Eq, ty.width());
        let result = self.emit(op, Ty::I32, &[value, zero], 0);
        self.stack.push(result);
    }

    fn vector_operator(&mut self, op: &Operator<'_>) -> bool {
        if let Some(op) = VecBinary::of(op) {
            self.operate(Op::VecBinary(op), Ty::V128, 2, 0);
        } else if let Some(op) = VecUnary::of(op) {
            self.operate(Op::VecUnary(op), Ty::V128, 1, 0);
        } else if let Some(op) = VecShift::of(op) {
            self.operate(Op::VecShift(op), Ty::V128, 2, 0);
        } else if let Some(op) = VecTest::of(op) {
            self.operate(Op::VecTest(op), Ty::I32, 1, 0);
        } else if let Some(op) = VecTernary::of(op) {
            self.operate(Op::VecTernary(op), Ty::V128, 3, 0);
        } else if let Some((op, ty, operands)) = lane(op) {
            self.operate(op, ty, operands, 0);
        } else {
            return false;
        }
        true
    }
}

/// Operators without immediates: operation, result and number of operands.
fn scalar(op: &Operator<'_>) -> Option<(Op, Ty, usize)> {
    use Operator as O;
    let alu = |op, width: Width| (Op::Alu(op, width), Ty::int(width), 2);
    let div = |op, width: Width| (Op::Div(op, width), Ty::int(width), 2);
    let unary = |op, width: Width| (Op::IntUnary(op, width), Ty::int(width), 1);
    let compare = |cond, width| (Op::Compare(cond, width), Ty::I32, 2);
    let float = |op, width| (Op::Float(op, width), Ty::float(width), 2);
    let float_unary = |op, width| (Op::FloatUnary(op, width), Ty::float(width), 1);
    let float_compare = |cond, width| (Op::FloatCompare(cond, width), Ty::I32, 2);
    let from_int = |from, width| (Op::FromInt(from, width), Ty::float(width), 1);
    let truncate = |to, width| (Op::Truncate(to, width), to_ty(to), 1);
    let saturate = |to, width| (Op::TruncateSaturating(to, width), to_ty(to), 1);
    Some(match op {
        O::I32Add => alu(AluOp::Add, W32),
        O::I32Sub => alu(AluOp::Sub, W32),
        O::I32Mul => alu(AluOp::Mul, W32),
        O::I32And => alu(AluOp::And, W32),
        O::I32Or => alu(AluOp::Or, W32),
        O::I32Xor => alu(AluOp::Xor, W32),
        O::I32Shl => alu(AluOp::Shl, W32),
        O::I32ShrS => alu(AluOp::ShrS, W32),
        O::I32ShrU => alu(AluOp::ShrU, W32),
        O::I32Rotl => alu(AluOp::Rotl, W32),
        O::I32Rotr => alu(AluOp::Rotr, W32),
        O::I64Add => alu(AluOp::Add, W64),
        O::I64Sub => alu(AluOp::Sub, W64),
        O::I64Mul => alu(AluOp::Mul, W64),
        O::I64And => alu(AluOp::And, W64),
        O::I64Or => alu(AluOp::Or, W64),
        O::I64Xor => alu(AluOp::Xor, W64),
        O::I64Shl => alu(AluOp::Shl, W64),
        O::I64ShrS => alu(AluOp::ShrS, W64),
        O::I64ShrU => alu(AluOp::ShrU, W64),
        O::I64Rotl => alu(AluOp::Rotl, W64),
        O::I64Rotr => alu(AluOp::Rotr, W64),
        O::I32DivS => div(DivOp::DivS, W32),
        O::I32DivU => div(DivOp::DivU, W32),
        O::I32RemS => div(DivOp::RemS, W32),
        O::I32RemU => div(DivOp::RemU, W32),
        O::I64DivS => div(DivOp::DivS, W64),
        O::I64DivU => div(DivOp::DivU, W64),
        O::I64RemS => div(DivOp::RemS, W64),
        O::I64RemU => div(DivOp::RemU, W64),
        O::I32Clz => unary(IntUnary::Clz, W32),
        O::I32Ctz => unary(IntUnary::Ctz, W32),
        O::I32Popcnt => unary(IntUnary::Popcnt, W32),
        O::I32Extend8S => unary(IntUnary::Extend8S, W32),
        O::I32Extend16S => unary(IntUnary::Extend16S, W32),
        O::I64Clz => unary(IntUnary::Clz, W64),
        O::I64Ctz => unary(IntUnary::Ctz, W64),
        O::I64Popcnt => unary(IntUnary::Popcnt, W64),
        O::I64Extend8S => unary(IntUnary::Extend8S, W64),
        O::I64Extend16S => unary(IntUnary::Extend16S, W64),
        O::I64Extend32S | O::I64ExtendI32S => unary(IntUnary::Extend32S, W64),
        O::I64ExtendI32U => (Op::ExtendU, Ty::I64, 1),
        O::I32WrapI64 => unary(IntUnary::Wrap, W32),
        O::I32Eq => compare(Cond::Eq, W32),
        O::I32Ne => compare(Cond::Ne, W32),
        O::I32LtS => compare(Cond::LtS, W32),
        O::I32LtU => compare(Cond::LtU, W32),
        O::I32GtS => compare(Cond::GtS, W32),
        O::I32GtU => compare(Cond::GtU, W32),
        O::I32LeS => compare(Cond::LeS, W32),
        O::I32LeU => compare(Cond::LeU, W32),
        O::I32GeS => compare(Cond::GeS, W32),
        O::I32GeU => compare(Cond::GeU, W32),
        O::I64Eq => compare(Cond::Eq, W64),
        O::I64Ne => compare(Cond::Ne, W64),
        O::I64LtS => compare(Cond::LtS, W64),
        O::I64LtU => compare(Cond::LtU, W64),
        O::I64GtS => compare(Cond::GtS, W64),
        O::I64GtU => compare(Cond::GtU, W64),
        O::I64LeS => compare(Cond::LeS, W64),
        O::I64LeU => compare(Cond::LeU, W64),
        O::I64GeS => compare(Cond::GeS, W64),
        O::I64GeU => compare(Cond::GeU, W64),
        O::F32Eq => float_compare(FloatCond::Eq, F32),
        O::F32Ne => float_compare(FloatCond::Ne, F32),
        O::F32Lt => float_compare(FloatCond::Lt, F32),
        O::F32Gt => float_compare(FloatCond::Gt, F32),
        O::F32Le => float_compare(FloatCond::Le, F32),
        O::F32Ge => float_compare(FloatCond::Ge, F32),
        O::F64Eq => float_compare(FloatCond::Eq, F64),
        O::F64Ne => float_compare(FloatCond::Ne, F64),
        O::F64Lt => float_compare(FloatCond::Lt, F64),
        O::F64Gt => float_compare(FloatCond::Gt, F64),
        O::F64Le => float_compare(FloatCond::Le, F64),
        O::F64Ge => float_compare(FloatCond::Ge, F64),
        O::F32Add => float(FloatOp::Add, F32),
        O::F32Sub => float(FloatOp::Sub, F32),
        O::F32Mul => float(FloatOp::Mul, F32),
        O::F32Div => float(FloatOp::Div, F32),
        O::F32Min => float(FloatOp::Min, F32),
        O::F32Max => float(FloatOp::Max, F32),
        O::F32Copysign => float(FloatOp::Copysign, F32),
        O::F64Add => float(FloatOp::Add, F64),
        O::F64Sub => float(FloatOp::Sub, F64),
        O::F64Mul => float(FloatOp::Mul, F64),
        O::F64Div => float(FloatOp::Div, F64),
        O::F64Min => float(FloatOp::Min, F64),
        O::F64Max => float(FloatOp::Max, F64),
        O::F64Copysign => float(FloatOp::Copysign, F64),
        O::F32Abs => float_unary(FloatUnary::Abs, F32),
        O::F32Neg => float_unary(FloatUnary::Neg, F32),
        O::F32Sqrt => float_unary(FloatUnary::Sqrt, F32),
        O::F32Ceil => float_unary(FloatUnary::Ceil, F32),
        O::F32Floor => float_unary(FloatUnary::Floor, F32),
        O::F32Trunc => float_unary(FloatUnary::Trunc, F32),
        O::F32Nearest => float_unary(FloatUnary::Nearest, F32),
        O::F64Abs => float_unary(FloatUnary::Abs, F64),
        O::F64Neg => float_unary(FloatUnary::Neg, F64),
        O::F64Sqrt => float_unary(FloatUnary::Sqrt, F64),
        O::F64Ceil => float_unary(FloatUnary::Ceil, F64),
        O::F64Floor => float_unary(FloatUnary::Floor, F64),
        O::F64Trunc => float_unary(FloatUnary::Trunc, F64),
        O::F64Nearest => float_unary(FloatUnary::Nearest, F64),
        O::F32ConvertI32S => from_int(FromInt::I32S, F32),
        O::F32ConvertI32U => from_int(FromInt::I32U, F32),
        O::F32ConvertI64S => from_int(FromInt::I64S, F32),
        O::F32ConvertI64U => from_int(FromInt::I64U, F32),
        O::F64ConvertI32S => from_int(FromInt::I32S, F64),
        O::F64ConvertI32U => from_int(FromInt::I32U, F64),
        O::F64ConvertI64S => from_int(FromInt::I64S, F64),
        O::F64ConvertI64U => from_int(FromInt::I64U, F64),
        O::F32DemoteF64 => (Op::FloatConvert(F32), Ty::F32, 1),
        O::F64PromoteF32 => (Op::FloatConvert(F64), Ty::F64, 1),
        O::I32ReinterpretF32 => (Op::ToBits(F32), Ty::I32, 1),
        O::I64ReinterpretF64 => (Op::ToBits(F64), Ty::I64, 1),
        O::F32ReinterpretI32 => (Op::FromBits(F32), Ty::F32, 1),
        O::F64ReinterpretI64 => (Op::FromBits(F64), Ty::F64, 1),
        O::I32TruncF32S => truncate(ToInt::I32S, F32),
        O::I32TruncF32U => truncate(ToInt::I32U, F32),
        O::I32TruncF64S => truncate(ToInt::I32S, F64),
        O::I32TruncF64U => truncate(ToInt::I32U, F64),
        O::I64TruncF32S => truncate(ToInt::I64S, F32),
        O::I64TruncF32U => truncate(ToInt::I64U, F32),
        O::I64TruncF64S => truncate(ToInt::I64S, F64),
        O::I64TruncF64U => truncate(ToInt::I64U, F64),
        O::I32TruncSatF32S => saturate(ToInt::I32S, F32),
        O::I32TruncSatF32U => saturate(ToInt::I32U, F32),
        O::I32TruncSatF64S => saturate(ToInt::I32S, F64),
        O::I32TruncSatF64U => saturate(ToInt::I32U, F64),
        O::I64TruncSatF32S => saturate(ToInt::I64S, F32),
        O::I64TruncSatF32U => saturate(ToInt::I64U, F32),
        O::I64TruncSatF64S => saturate(ToInt::I64S, F64),
        O::I64TruncSatF64U => saturate(ToInt::I64U, F64),
        _ => return None,
    })
}

fn lane(op: &Operator<'_>) -> Option<(Op, Ty, usize)> {
    use Operator as O;
    let splat = |lanes| (Op::Splat(lanes), Ty::V128, 1);
    let replace = |lanes, lane| (Op::ReplaceLane(lanes, lane), Ty::V128, 2);
    let extract = |op, lane, ty| (Op::ExtractLane(op, lane), ty, 1);
    Some(match *op {
        O::I8x16Splat => splat(Lanes::I8x16),
        O::I16x8Splat => splat(Lanes::I16x8),
        O::I32x4Splat => splat(Lanes::I32x4),
        O::I64x2Splat => splat(Lanes::I64x2),
        O::F32x4Splat => (Op::FloatSplat(F32), Ty::V128, 1),
        O::F64x2Splat => (Op::FloatSplat(F64), Ty::V128, 1),
        O::I8x16ExtractLaneS { lane } => extract(Extract::I8S, lane, Ty::I32),
        O::I8x16ExtractLaneU { lane } => extract(Extract::I8U, lane, Ty::I32),
        O::I16x8ExtractLaneS { lane } => extract(Extract::I16S, lane, Ty::I32),
        O::I16x8ExtractLaneU { lane } => extract(Extract::I16U, lane, Ty::I32),
        O::I32x4ExtractLane { lane } => extract(Extract::I32, lane, Ty::I32),
        O::I64x2ExtractLane { lane } => extract(Extract::I64, lane, Ty::I64),
        O::F32x4ExtractLane { lane } => (Op::FloatExtractLane(F32, lane), Ty::F32, 1),
        O::F64x2ExtractLane { lane } => (Op::FloatExtractLane(F64, lane), Ty::F64, 1),
        O::I8x16ReplaceLane { lane } => replace(Lanes::I8x16, lane),
        O::I16x8ReplaceLane { lane } => replace(Lanes::I16x8, lane),
        O::I32x4ReplaceLane { lane } => replace(Lanes::I32x4, lane),
        O::I64x2ReplaceLane { lane } => replace(Lanes::I64x2, lane),
        O::F32x4ReplaceLane { lane } => (Op::FloatReplaceLane(F32, lane), Ty::V128, 2),
        O::F64x2ReplaceLane { lane } => (Op::FloatReplaceLane(F64, lane), Ty::V128, 2),
        _ => return None,
    })
}

fn to_ty(to: ToInt) -> Ty {
    match to {
        ToInt::I32S | ToInt::I32U => Ty::I32,
        ToInt::I64S | ToInt::I64U => Ty::I64,
    }
}
