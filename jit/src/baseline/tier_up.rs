//! Counts of calls and iterations, in code that is to be replaced once it has run for long enough.
//!
//! A function's count lies in its entry. Who takes the last of it calls the runtime, by a stub that keeps
//! all registers, and goes on: it is up to the runtime what happens, and when. At the head of a loop the
//! runtime may have better code for the rest of this call ([`midway`](crate::contract::midway)): then the
//! frame is left as if the function returned, and that code is entered in its place.

use super::Compiler;
use super::values::{Home, Loc, LocalState, StackValue};
use crate::abi::part_of;
use crate::contract::helpers::ASK_TIER_UP;
use crate::contract::midway::Place;
use crate::frame;
use crate::masm::{Cond, LoadOp, Masm, Mem, Operand, StoreOp, Width};
use crate::runtime::context_field;
use zwasm_core::tier_up::{CALL_UNITS, ITERATION_UNITS};
use zwasm_core::vmctx::{context, func_entry, limits};

/// Where code goes that took the last of its count, and where it goes on.
pub(super) struct TierUp<L> {
    ask: L,
    back: L,
    place: Place,
    /// Operands that are in no slot.
    constants: Vec<StackValue>,
}

/// With more operands on the stack, nobody goes on at a loop: they would be looked through at each.
const OPERANDS_MAX: usize = 64;

impl<M: Masm> Compiler<'_, M> {
    /// The function is called.
    pub(super) fn count_call(&mut self) {
        self.count(CALL_UNITS, Place::START, Vec::new());
    }

    /// A loop begins once more. All operands are constants or in their slots.
    pub(super) fn count_iteration(&mut self) {
        if !self.env.tiers_up || self.stack.len() > OPERANDS_MAX {
            self.count(ITERATION_UNITS, Place::START, Vec::new());
            return;
        }
        let place = Place {
            loop_offset: self.module_offset,
            slots: self.next_slot,
            slots_below: self.frame.distance(0),
        };
        let is_constant = |operand: &&StackValue| matches!(operand.loc, Loc::Const { .. });
        let constants = self.stack.iter().filter(is_constant).copied().collect();
        self.count(ITERATION_UNITS, place, constants);
    }

    fn count(&mut self, units: u32, place: Place, constants: Vec<StackValue>) {
        if !self.env.tiers_up {
            return;
        }
        let (ask, back) = (self.masm.label(), self.masm.label());
        let entries = context::offset::entries as i32;
        let left = (self.entry_offset() + func_entry::offset::own) as i32;
        let charge = self.masm.charge(entries, left, ask);
        self.masm.set_charge(charge, units);
        self.masm.bind(back);
        self.constants_to_store += constants.len();
        self.tier_ups.push(TierUp {
            ask,
            back,
            place,
            constants,
        });
    }

    /// Where the function's entry lies among those of the module, in bytes.
    pub(super) fn entry_offset(&self) -> u32 {
        (self.func - self.env.info.imported_funcs) * func_entry::SIZE
    }

    /// Bytes of code that are to come, at most.
    pub(super) fn tier_up_bytes(&self) -> u64 {
        const EACH: u64 = 64;
        const LOCAL: u64 = 12;
        const CONSTANT: u64 = 48;
        let each = EACH + LOCAL * self.register_locals as u64;
        self.tier_ups.len() as u64 * each + self.constants_to_store as u64 * CONSTANT
    }

    pub(super) fn emit_tier_ups(&mut self) {
        let [table, word] = M::FILE.scratch;
        let slots = M::FILE.temporary[0];
        let better = self.masm.label();
        let mut has_loops = false;
        for tier_up in core::mem::take(&mut self.tier_ups) {
            let TierUp {
                ask, back, place, ..
            } = tier_up;
            self.masm.bind(ask);
            let is_loop = place != Place::START;
            if is_loop {
                self.store_register_locals();
                // Only here: what comes behind the loop may come from elsewhere, too.
                for operand in tier_up.constants {
                    self.store_constant(operand);
                }
                self.masm.imm(slots, place.slots_word());
            }
            let table_at = context_field::<M>(context::offset::helpers);
            self.masm.load(LoadOp::U64, table, table_at);
            self.masm.imm(word, place.word(self.entry_offset()));
            self.masm.call(Mem::at(table, ASK_TIER_UP as i32 * 8));
            if is_loop {
                let none = Operand::Imm(0);
                self.masm
                    .branch_if(Cond::Ne, Width::W64, word, none, better);
                has_loops = true;
            }
            self.masm.jump(back);
        }
        if has_loops {
            self.masm.bind(better);
            self.go_on_in_better_code();
        }
    }

    fn store_constant(&mut self, operand: StackValue) {
        if let Loc::Const { low, high } = operand.loc {
            let mem = self.slot_mem(operand.slot, operand.ty);
            self.store_const(operand.ty, low, high, mem);
        }
    }

    /// Locals that live in registers go to their slots, too.
    fn store_register_locals(&mut self) {
        for local in 0..self.locals.len() {
            let LocalState { ty, home, slot, .. } = self.locals[local];
            let mem = self.slot_mem(slot, ty);
            match home {
                Home::Gpr(reg) => self.masm.store(StoreOp::B8, reg, mem),
                Home::Fpr(reg) => self.masm.float_store(part_of(ty), reg, mem),
                Home::Slot => {}
            }
        }
    }

    /// Leaves the frame to the code that the runtime has named.
    fn go_on_in_better_code(&mut self) {
        frame::restore_saved(&mut self.masm, self.frame, &self.saved);
        let limits_at = context_field::<M>(context::offset::limits);
        self.masm.load(LoadOp::U64, M::FILE.callee, limits_at);
        let code = Mem::at(M::FILE.callee, limits::offset::resume_pc as i32);
        self.masm.leave_to(code);
    }
}
