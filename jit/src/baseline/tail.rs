//! Tail calls whose arguments fit into the area that the caller gave, and those whose do not.

use super::Compiler;
use crate::abi::Abi;
use crate::calls::{self, Callee};
use crate::masm::{LoadOp, Masm, Mem};
use zwasm_core::FuncType;

impl<M: Masm> Compiler<'_, M> {
    /// A tail call: the arguments replace this function's own. When they do not fit into the area
    /// that the caller gave, an ordinary call and a return do, at the price of a frame.
    pub(super) fn emit_return_call(&mut self, ty: &FuncType, callee: Callee) {
        let abi = Abi::of(ty, M::FILE);
        let count = ty.params().len();
        if abi.stack_bytes > self.abi.stack_bytes {
            self.outgoing_bytes = self.outgoing_bytes.max(abi.stack_bytes);
            self.pass_arguments(&abi, count, Mem::at(M::FILE.stack, 0));
            calls::enter_callee(&mut self.masm, callee);
            // Behind the body, where no handler of this function covers the call: it is left.
            let label = self.masm.label();
            self.masm.jump(label);
            self.tail_exits.push((label, self.module_offset));
        } else {
            self.pass_arguments(&abi, count, Mem::at(M::FILE.frame, 16));
            let entry = calls::enter_callee(&mut self.masm, callee);
            self.restore_saved();
            self.masm.leave_to(entry);
        }
        self.reachable = false;
    }

    /// The calls that tail calls could not do without. All of them return the same results, in the
    /// same places.
    pub(super) fn emit_tail_exits(&mut self) {
        if self.tail_exits.is_empty() {
            return;
        }
        let return_results = self.masm.label();
        for (label, module_offset) in core::mem::take(&mut self.tail_exits) {
            self.module_offset = module_offset;
            self.masm.bind(label);
            self.masm.call(Mem::at(M::FILE.callee, 0));
            self.returns_here();
            self.masm.jump(return_results);
        }
        self.masm.bind(return_results);
        let context = Mem::at(M::FILE.frame, -8);
        self.masm.load(LoadOp::U64, M::FILE.context, context);
        self.next_slot = self
            .locals
            .last()
            .map_or(0, |local| local.slot + local.ty.slots());
        let (ty, abi) = (self.signature.clone(), self.abi.clone());
        self.receive_results(&ty, &abi);
        self.return_();
        self.truncate(0);
    }
}
