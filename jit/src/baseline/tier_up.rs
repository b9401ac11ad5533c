//! Counts of calls and iterations, in code that is to be replaced once it has run for long enough.
//!
//! A function's count lies in its entry. Who takes the last of it calls the runtime, by a stub that keeps
//! all registers, and goes on: it is up to the runtime what happens, and when.

use super::Compiler;
use crate::contract::helpers::ASK_TIER_UP;
use crate::masm::{LoadOp, Masm, Mem};
use crate::runtime::context_field;
use zwasm_core::vmctx::{context, func_entry};

/// What a call takes: as much as so many iterations.
const CALL_UNITS: u32 = 10;
const ITERATION_UNITS: u32 = 1;

/// Where code goes that took the last of its count, and where it goes on.
pub(super) struct TierUp<L> {
    ask: L,
    back: L,
}

impl<M: Masm> Compiler<'_, M> {
    /// The function is called.
    pub(super) fn count_call(&mut self) {
        self.count(CALL_UNITS);
    }

    /// A loop begins once more.
    pub(super) fn count_iteration(&mut self) {
        self.count(ITERATION_UNITS);
    }

    fn count(&mut self, units: u32) {
        if !self.env.tiers_up {
            return;
        }
        let (ask, back) = (self.masm.label(), self.masm.label());
        let entries = context::offset::entries as i32;
        let left = (self.entry_offset() + func_entry::offset::own) as i32;
        let charge = self.masm.charge(entries, left, ask);
        self.masm.set_charge(charge, units);
        self.masm.bind(back);
        self.tier_ups.push(TierUp { ask, back });
    }

    /// Where the function's entry lies among those of the module, in bytes.
    fn entry_offset(&self) -> u32 {
        (self.func - self.env.info.imported_funcs) * func_entry::SIZE
    }

    /// Bytes of code that are to come, at most.
    pub(super) fn tier_up_bytes(&self) -> u64 {
        const EACH: u64 = 32;
        self.tier_ups.len() as u64 * EACH
    }

    pub(super) fn emit_tier_ups(&mut self) {
        let [table, offset] = M::FILE.scratch;
        for TierUp { ask, back } in core::mem::take(&mut self.tier_ups) {
            self.masm.bind(ask);
            let table_at = context_field::<M>(context::offset::helpers);
            self.masm.load(LoadOp::U64, table, table_at);
            self.masm.imm(offset, self.entry_offset().into());
            self.masm.call(Mem::at(table, ASK_TIER_UP as i32 * 8));
            self.masm.jump(back);
        }
    }
}
