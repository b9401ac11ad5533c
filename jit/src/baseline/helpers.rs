//! Operators that call the runtime.

use super::Compiler;
use super::values::Loc;
use crate::contract::helpers::{ends_activation, numeric_entry, runtime_call};
use crate::masm::{Cond, FloatPart, LoadOp, Masm, Operand, StoreOp, Width};
use crate::runtime;
use wasmparser::{MemArg, Operator};
use zwasm_core::ValType;

impl<M: Masm> Compiler<'_, M> {
    /// Every operator that no other part compiles inline.
    pub(super) fn helper_operator(&mut self, op: &Operator<'_>) -> bool {
        if self.vector_access(op) {
            return true;
        }
        let Some(call) = runtime_call(op, self.env.info, self.env.types) else {
            return false;
        };
        let results = call.results.as_slice();
        self.call_helper(call.entry, call.operands, call.immediates, results);
        if ends_activation(call.entry) {
            self.reachable = false;
        }
        true
    }

    /// Calls an entry of the table on the topmost values, and replaces them by the results.
    pub(super) fn call_helper(
        &mut self,
        entry: u32,
        operands: usize,
        immediates: [u64; 2],
        results: &[ValType],
    ) {
        self.settle_registers(operands);
        self.settle_top(operands);
        self.spill_locals(true);
        if ends_activation(entry) {
            self.place_here();
            self.record_place();
        }
        let top = self.frame.below(self.next_slot);
        runtime::call_helper(&mut self.masm, entry, top, immediates);
        self.returns_here();
        let raise = self.raise_label();
        let status = M::FILE.result;
        self.masm
            .branch_if(Cond::Ne, Width::W32, status, Operand::Imm(0), raise);
        self.spill_locals(false);
        self.truncate(self.stack.len() - operands);
        for &result in results {
            self.push(result, Loc::Slot);
        }
    }

    // --- vectors in memory ---

    /// Vector loads and stores that widen, splat, zero or take one lane: a scalar access, and a
    /// helper for the rest.
    fn vector_access(&mut self, op: &Operator<'_>) -> bool {
        use Operator as O;
        let (raw, ty, memarg) = match op {
            O::V128Load8x8S { memarg }
            | O::V128Load8x8U { memarg }
            | O::V128Load16x4S { memarg }
            | O::V128Load16x4U { memarg }
            | O::V128Load32x2S { memarg }
            | O::V128Load32x2U { memarg }
            | O::V128Load64Splat { memarg }
            | O::V128Load64Zero { memarg } => (LoadOp::U64, ValType::I64, memarg),
            O::V128Load8Splat { memarg } => (LoadOp::U8, ValType::I32, memarg),
            O::V128Load16Splat { memarg } => (LoadOp::U16, ValType::I32, memarg),
            O::V128Load32Splat { memarg } | O::V128Load32Zero { memarg } => {
                (LoadOp::U32, ValType::I32, memarg)
            }
            O::V128Load8Lane { memarg, lane } => {
                self.load_lane(
                    LoadOp::U8,
                    ValType::I32,
                    memarg,
                    &O::I8x16ReplaceLane { lane: *lane },
                );
                return true;
            }
            O::V128Load16Lane { memarg, lane } => {
                self.load_lane(
                    LoadOp::U16,
                    ValType::I32,
                    memarg,
                    &O::I16x8ReplaceLane { lane: *lane },
                );
                return true;
            }
            O::V128Load32Lane { memarg, lane } => {
                self.load_lane(
                    LoadOp::U32,
                    ValType::I32,
                    memarg,
                    &O::I32x4ReplaceLane { lane: *lane },
                );
                return true;
            }
            O::V128Load64Lane { memarg, lane } => {
                self.load_lane(
                    LoadOp::U64,
                    ValType::I64,
                    memarg,
                    &O::I64x2ReplaceLane { lane: *lane },
                );
                return true;
            }
            O::V128Store8Lane { memarg, lane } => {
                self.helper_operator(&O::I8x16ExtractLaneU { lane: *lane });
                self.store(StoreOp::B1, memarg);
                return true;
            }
            O::V128Store16Lane { memarg, lane } => {
                self.helper_operator(&O::I16x8ExtractLaneU { lane: *lane });
                self.store(StoreOp::B2, memarg);
                return true;
            }
            O::V128Store32Lane { memarg, lane } => {
                self.helper_operator(&O::I32x4ExtractLane { lane: *lane });
                self.store(StoreOp::B4, memarg);
                return true;
            }
            O::V128Store64Lane { memarg, lane } => {
                self.helper_operator(&O::I64x2ExtractLane { lane: *lane });
                self.store(StoreOp::B8, memarg);
                return true;
            }
            _ => return false,
        };
        self.load(raw, ty, memarg, super::Next::Other);
        let (entry, row) = numeric_entry(op).expect("the tables have every vector load");
        self.call_helper(entry, 1, [0; 2], row.results);
        true
    }

    /// Loads a lane: the vector waits in a register while its index below it is used.
    fn load_lane(&mut self, raw: LoadOp, ty: ValType, memarg: &MemArg, replace: &Operator<'_>) {
        let vector = self.pop_fpr();
        self.load(raw, ty, memarg, super::Next::Other);
        let lane = self.pop();
        let reg = if vector.is_owned() {
            vector.reg
        } else {
            let reg = self.alloc_fpr();
            self.masm.float_mov(FloatPart::V128, reg, vector.reg);
            reg
        };
        self.push(ValType::V128, Loc::Fpr(reg));
        self.push(ty, lane.loc);
        self.helper_operator(replace);
    }
}
