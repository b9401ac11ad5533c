//! Vector operators, where the processor has instructions for them; others call helpers.

use super::values::Loc;
use super::{Compiler, Next};
use crate::masm::vector::{
    Extract, Lanes, VecBinary, VecLoad, VecShift, VecTernary, VecTest, VecUnary,
};
use crate::masm::{FloatWidth, Masm, Width};
use wasmparser::{MemArg, Operator};
use zwasm_core::{TrapCode, ValType};

impl<M: Masm> Compiler<'_, M> {
    /// These operators; false for all others, and for those that the processor has not.
    pub(super) fn vector_operator(&mut self, op: &Operator<'_>, next: Next) -> bool {
        if let Operator::V128Const { value } = op {
            // Needs no instruction yet.
            let bits = u128::from_le_bytes(*value.bytes());
            let (low, high) = (bits as u64, (bits >> 64) as u64);
            self.push(ValType::V128, Loc::Const { low, high });
            return true;
        }
        if !self.target.has_vectors {
            return false;
        }
        if let Some(op) = VecBinary::of(op) {
            let b = self.pop_fpr();
            let a = self.pop_fpr();
            let dst = self.result_fpr(next, &[a, b]);
            self.masm.vec_binary(op, dst, a.reg, b.reg);
            self.push(ValType::V128, Loc::Fpr(dst));
        } else if let Some(op) = VecUnary::of(op) {
            let a = self.pop_fpr();
            let dst = self.result_fpr(next, &[a]);
            self.masm.vec_unary(op, dst, a.reg);
            self.push(ValType::V128, Loc::Fpr(dst));
        } else if let Some(op) = VecShift::of(op) {
            let count = self.pop_operand(Width::W32);
            let a = self.pop_fpr();
            let dst = self.result_fpr(next, &[a]);
            self.masm.vec_shift(op, dst, a.reg, count.operand());
            self.release_operand(count);
            self.push(ValType::V128, Loc::Fpr(dst));
        } else if let Some(op) = VecTest::of(op) {
            let a = self.pop_fpr();
            let dst = self.result_gpr(next, &[]);
            self.masm.vec_test(op, dst, a.reg);
            self.release_float(a);
            self.push(ValType::I32, Loc::Gpr(dst));
        } else if let Some(op) = VecTernary::of(op) {
            return self.vector_ternary(op, next);
        } else {
            return self.lane_operator(op, next) || self.lane_access(op, next);
        }
        true
    }

    fn vector_ternary(&mut self, op: VecTernary, next: Next) -> bool {
        if op.is_fused() && !self.target.has_fused {
            return false;
        }
        let c = self.pop_fpr();
        let b = self.pop_fpr();
        let a = self.pop_fpr();
        let dst = self.result_fpr(next, &[a, b, c]);
        self.masm.vec_ternary(op, dst, a.reg, b.reg, c.reg);
        self.push(ValType::V128, Loc::Fpr(dst));
        true
    }

    /// Operators that move lanes.
    fn lane_operator(&mut self, op: &Operator<'_>, next: Next) -> bool {
        use FloatWidth::{F32, F64};
        use Operator as O;
        use ValType::{I32, I64};
        match *op {
            O::I8x16Shuffle { lanes } => {
                let b = self.pop_fpr();
                let a = self.pop_fpr();
                let dst = self.result_fpr(next, &[a, b]);
                self.masm.shuffle(lanes, dst, a.reg, b.reg);
                self.push(ValType::V128, Loc::Fpr(dst));
            }
            O::I8x16Splat => self.splat(Lanes::I8x16, next),
            O::I16x8Splat => self.splat(Lanes::I16x8, next),
            O::I32x4Splat => self.splat(Lanes::I32x4, next),
            O::I64x2Splat => self.splat(Lanes::I64x2, next),
            O::F32x4Splat => self.float_splat(F32, next),
            O::F64x2Splat => self.float_splat(F64, next),
            O::I8x16ExtractLaneS { lane } => self.extract_lane(Extract::I8S, lane, I32, next),
            O::I8x16ExtractLaneU { lane } => self.extract_lane(Extract::I8U, lane, I32, next),
            O::I16x8ExtractLaneS { lane } => self.extract_lane(Extract::I16S, lane, I32, next),
            O::I16x8ExtractLaneU { lane } => self.extract_lane(Extract::I16U, lane, I32, next),
            O::I32x4ExtractLane { lane } => self.extract_lane(Extract::I32, lane, I32, next),
            O::I64x2ExtractLane { lane } => self.extract_lane(Extract::I64, lane, I64, next),
            O::F32x4ExtractLane { lane } => self.float_extract_lane(F32, lane, next),
            O::F64x2ExtractLane { lane } => self.float_extract_lane(F64, lane, next),
            O::I8x16ReplaceLane { lane } => self.replace_lane(Lanes::I8x16, lane, next),
            O::I16x8ReplaceLane { lane } => self.replace_lane(Lanes::I16x8, lane, next),
            O::I32x4ReplaceLane { lane } => self.replace_lane(Lanes::I32x4, lane, next),
            O::I64x2ReplaceLane { lane } => self.replace_lane(Lanes::I64x2, lane, next),
            O::F32x4ReplaceLane { lane } => self.float_replace_lane(F32, lane, next),
            O::F64x2ReplaceLane { lane } => self.float_replace_lane(F64, lane, next),
            _ => return false,
        }
        true
    }

    fn splat(&mut self, lanes: Lanes, next: Next) {
        let a = self.pop_gpr();
        let dst = self.result_fpr(next, &[]);
        self.masm.splat(lanes, dst, a.reg);
        self.release(a);
        self.push(ValType::V128, Loc::Fpr(dst));
    }

    fn float_splat(&mut self, width: FloatWidth, next: Next) {
        let a = self.pop_fpr();
        let dst = self.result_fpr(next, &[a]);
        self.masm.float_splat(width, dst, a.reg);
        self.push(ValType::V128, Loc::Fpr(dst));
    }

    fn extract_lane(&mut self, op: Extract, lane: u8, ty: ValType, next: Next) {
        let a = self.pop_fpr();
        let dst = self.result_gpr(next, &[]);
        self.masm.extract_lane(op, lane, dst, a.reg);
        self.release_float(a);
        self.push(ty, Loc::Gpr(dst));
    }

    fn float_extract_lane(&mut self, width: FloatWidth, lane: u8, next: Next) {
        let a = self.pop_fpr();
        let dst = self.result_fpr(next, &[a]);
        self.masm.float_extract_lane(width, lane, dst, a.reg);
        self.push(super::numeric::float_type(width), Loc::Fpr(dst));
    }

    fn replace_lane(&mut self, lanes: Lanes, lane: u8, next: Next) {
        let value = self.pop_gpr();
        let a = self.pop_fpr();
        let dst = self.result_fpr(next, &[a]);
        self.masm.replace_lane(lanes, lane, dst, a.reg, value.reg);
        self.release(value);
        self.push(ValType::V128, Loc::Fpr(dst));
    }

    fn float_replace_lane(&mut self, width: FloatWidth, lane: u8, next: Next) {
        let value = self.pop_fpr();
        let a = self.pop_fpr();
        let dst = self.result_fpr(next, &[a, value]);
        self.masm
            .float_replace_lane(width, lane, dst, a.reg, value.reg);
        self.push(ValType::V128, Loc::Fpr(dst));
    }

    /// Loads and stores of less than a vector.
    fn lane_access(&mut self, op: &Operator<'_>, next: Next) -> bool {
        use Operator as O;
        match op {
            O::V128Load8x8S { memarg } => self.vector_load(VecLoad::Extend8x8S, memarg, next),
            O::V128Load8x8U { memarg } => self.vector_load(VecLoad::Extend8x8U, memarg, next),
            O::V128Load16x4S { memarg } => self.vector_load(VecLoad::Extend16x4S, memarg, next),
            O::V128Load16x4U { memarg } => self.vector_load(VecLoad::Extend16x4U, memarg, next),
            O::V128Load32x2S { memarg } => self.vector_load(VecLoad::Extend32x2S, memarg, next),
            O::V128Load32x2U { memarg } => self.vector_load(VecLoad::Extend32x2U, memarg, next),
            O::V128Load8Splat { memarg } => self.load_splat(Lanes::I8x16, memarg, next),
            O::V128Load16Splat { memarg } => self.load_splat(Lanes::I16x8, memarg, next),
            O::V128Load32Splat { memarg } => self.load_splat(Lanes::I32x4, memarg, next),
            O::V128Load64Splat { memarg } => self.load_splat(Lanes::I64x2, memarg, next),
            O::V128Load32Zero { memarg } => self.vector_load(VecLoad::Zero32, memarg, next),
            O::V128Load64Zero { memarg } => self.vector_load(VecLoad::Zero64, memarg, next),
            O::V128Load8Lane { memarg, lane } => self.load_one(Lanes::I8x16, *lane, memarg, next),
            O::V128Load16Lane { memarg, lane } => self.load_one(Lanes::I16x8, *lane, memarg, next),
            O::V128Load32Lane { memarg, lane } => self.load_one(Lanes::I32x4, *lane, memarg, next),
            O::V128Load64Lane { memarg, lane } => self.load_one(Lanes::I64x2, *lane, memarg, next),
            O::V128Store8Lane { memarg, lane } => self.store_one(Lanes::I8x16, *lane, memarg),
            O::V128Store16Lane { memarg, lane } => self.store_one(Lanes::I16x8, *lane, memarg),
            O::V128Store32Lane { memarg, lane } => self.store_one(Lanes::I32x4, *lane, memarg),
            O::V128Store64Lane { memarg, lane } => self.store_one(Lanes::I64x2, *lane, memarg),
            _ => return false,
        }
        true
    }

    fn load_splat(&mut self, lanes: Lanes, memarg: &MemArg, next: Next) {
        self.vector_load(VecLoad::Splat(lanes), memarg, next);
    }

    fn vector_load(&mut self, op: VecLoad, memarg: &MemArg, next: Next) {
        let (mem, held) = self.operand_address(memarg, op.bytes().into());
        let dst = self.result_fpr(next, &[]);
        self.masm.vec_load(op, dst, mem);
        self.may_have_faulted(TrapCode::MemoryOutOfBounds);
        self.release_address(held);
        self.push(ValType::V128, Loc::Fpr(dst));
    }

    fn load_one(&mut self, lanes: Lanes, lane: u8, memarg: &MemArg, next: Next) {
        let a = self.pop_fpr();
        let (mem, held) = self.operand_address(memarg, lanes.bytes().into());
        let dst = self.result_fpr(next, &[a]);
        self.masm.load_lane(lanes, lane, dst, a.reg, mem);
        self.may_have_faulted(TrapCode::MemoryOutOfBounds);
        self.release_address(held);
        self.push(ValType::V128, Loc::Fpr(dst));
    }

    fn store_one(&mut self, lanes: Lanes, lane: u8, memarg: &MemArg) {
        let a = self.pop_fpr();
        let (mem, held) = self.operand_address(memarg, lanes.bytes().into());
        self.masm.store_lane(lanes, lane, a.reg, mem);
        self.may_have_faulted(TrapCode::MemoryOutOfBounds);
        self.release_float(a);
        self.release_address(held);
    }
}
