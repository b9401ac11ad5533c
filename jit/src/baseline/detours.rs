//! The detours of [`Stress`](crate::contract::Stress) that are taken between operators.

use super::Compiler;
use super::values::Loc;
use crate::abi::is_float;
use crate::masm::{FloatPart, Masm};

impl<M: Masm> Compiler<'_, M> {
    /// What the detours do after an operator.
    pub(super) fn take_detours(&mut self) {
        if !self.reachable {
            return;
        }
        if self.env.stress.no_fold {
            self.copy_top();
        }
        if self.env.stress.spill {
            self.settle_with_constants();
        }
    }

    /// Copies the topmost value, if it is a constant or a local, to a register of its own.
    fn copy_top(&mut self) {
        let Some(value) = self.stack.last().copied() else {
            return;
        };
        if !matches!(value.loc, Loc::Const { .. } | Loc::Local(_)) {
            return;
        }
        let value = self.pop();
        if !is_float(value.ty) {
            let held = self.hold(value);
            self.push_held(value.ty, held);
            return;
        }
        let held = self.hold_float(value);
        let mut reg = held.reg;
        if !held.is_owned() {
            reg = self.alloc_fpr();
            self.masm.float_mov(FloatPart::V128, reg, held.reg);
        }
        self.push(value.ty, Loc::Fpr(reg));
    }
}
