//! Tail calls.

use super::Compiler;
use crate::abi::Abi;
use crate::calls::{self, Callee};
use crate::masm::{Masm, Mem};
use zwasm_core::FuncType;

impl<M: Masm> Compiler<'_, M> {
    /// A tail call: the arguments replace this function's own, in an area of their size.
    pub(super) fn emit_return_call(&mut self, ty: &FuncType, callee: Callee) {
        let abi = Abi::of(ty, M::FILE);
        let (own, wanted) = (self.abi.stack_bytes, abi.stack_bytes);
        let count = ty.params().len();
        if own == wanted {
            self.pass_arguments(&abi, count, Mem::at(M::FILE.frame, 16));
            let entry = calls::enter_callee(&mut self.masm, callee);
            self.restore_saved();
            self.masm.leave_to(entry);
        } else {
            let needed = calls::replacement_bytes(own, wanted);
            self.outgoing_bytes = self.outgoing_bytes.max(needed);
            self.pass_arguments(&abi, count, Mem::at(M::FILE.stack, 0));
            let entry = calls::enter_callee(&mut self.masm, callee);
            self.restore_saved();
            calls::replace_frame(&mut self.masm, own, wanted, entry);
        }
        self.reachable = false;
    }
}
