//! Tail calls.

use super::Compiler;
use crate::abi::Abi;
use crate::calls::{Entrance, TailCall};
use crate::masm::Masm;
use zwasm_core::FuncType;

impl<M: Masm> Compiler<'_, M> {
    /// A tail call: the arguments replace this function's own, in an area of their size.
    pub(super) fn emit_return_call(&mut self, ty: &FuncType, callee: Entrance) {
        let abi = Abi::of(ty, M::FILE);
        let tail = TailCall::new(&self.abi, &abi);
        self.outgoing_bytes = self.outgoing_bytes.max(tail.outgoing_bytes());
        self.pass_arguments(&abi, ty.params().len(), tail.area::<M>());
        tail.go(&mut self.masm, self.frame, &self.saved, callee);
        self.reachable = false;
    }
}
