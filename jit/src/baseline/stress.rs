//! Detours that make rare paths of the compiler common. The code does the same, more slowly; tests
//! and fuzzing run everything with them, too.

use super::Compiler;
use super::values::Loc;
use crate::abi::is_float;
use crate::masm::{FloatPart, Masm};

/// Which detours the compiler takes. None by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stress {
    /// Every value goes to its canonical slot after each operator, and locals live in slots.
    pub spill: bool,
    /// Operators get the fewest temporaries that they can do with.
    pub few_registers: bool,
    /// Every constant and local is copied to a register of its own, no operand is immediate, no
    /// comparison waits for its branch, no result goes straight to a local.
    pub no_fold: bool,
    /// Bytes, a multiple of 8, that lie unused in every frame: slots are far from the frame pointer.
    pub frame_padding_bytes: u32,
    /// Branches of the longest reach, as in functions of more than a megabyte.
    pub far_branches: bool,
    /// Callees stand in place of calls wherever that is possible, within generous bounds.
    pub inline: bool,
}

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
