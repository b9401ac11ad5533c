//! Cells that code which tiers up counts in, for the optimizing compiler
//! ([`feedback`](crate::contract::feedback)).
//!
//! Their address is in the frame, above the slots: to count takes two instructions on x86-64.

use super::Compiler;
use crate::contract::feedback::{CALLS, CELLS_MAX};
use crate::masm::{AluOp, Cond, Gpr, LoadOp, Masm, Mem, Operand, StoreOp, Width};
use crate::runtime::context_field;
use zwasm_core::vmctx::{context, func_entry, func_ref};

/// What the address of the cells takes in the frame, in bytes.
pub(super) const HOME_BYTES: u32 = 8;

/// Where an indirect call goes whose callee is not the one that leads.
pub(super) struct OtherCallee<L> {
    here: L,
    back: L,
    cell: usize,
}

impl<M: Masm> Compiler<'_, M> {
    /// Begins to count, in the prologue.
    pub(super) fn begin_counting(&mut self) {
        if !self.env.tiers_up {
            return;
        }
        let cells = M::FILE.scratch[0];
        let entries = context_field::<M>(context::offset::entries);
        self.masm.load(LoadOp::U64, cells, entries);
        let at = self.entry_offset() + func_entry::offset::cells;
        self.masm
            .load(LoadOp::U64, cells, Mem::at(cells, at as i32));
        self.masm.store(StoreOp::B8, cells, self.frame.below(0));
        self.counted.push(CALLS);
        self.masm.increment(Mem::at(cells, 0));
    }

    /// Code comes past the operator.
    pub(super) fn count_passage(&mut self) {
        let Some(cell) = self.take_cells(1) else {
            return;
        };
        let cells = self.load_cells();
        self.masm.increment(cell_of(cells, cell));
    }

    /// Takes cells for the operator; answers the first.
    fn take_cells(&mut self, count: usize) -> Option<usize> {
        let first = self.counted.len();
        if !self.env.tiers_up || first + count > CELLS_MAX {
            return None;
        }
        self.counted.resize(first + count, self.module_offset);
        Some(first)
    }

    fn load_cells(&mut self) -> Gpr {
        let cells = M::FILE.scratch[0];
        self.masm.load(LoadOp::U64, cells, self.frame.below(0));
        cells
    }

    /// The function reference in the callee register, which is not null, is about to be called.
    pub(super) fn note_callee(&mut self) {
        let Some(cell) = self.take_cells(2) else {
            return;
        };
        let (here, back) = (self.masm.label(), self.masm.label());
        let cells = self.load_cells();
        let distance = self.callee_distance();
        let leading = Operand::Mem(cell_of(cells, cell));
        self.masm
            .branch_if(Cond::Ne, Width::W32, distance, leading, here);
        let cells = self.load_cells();
        self.masm.increment(cell_of(cells, cell + 1));
        self.masm.bind(back);
        self.other_callees.push(OtherCallee { here, back, cell });
    }

    /// The distance from the module's first entry to the callee's, in a scratch register.
    fn callee_distance(&mut self) -> Gpr {
        let distance = M::FILE.scratch[1];
        let entry = Mem::at(M::FILE.callee, func_ref::offset::entry as i32);
        let entries = Operand::Mem(context_field::<M>(context::offset::entries));
        self.masm.load(LoadOp::U64, distance, entry);
        self.masm
            .alu(AluOp::Sub, Width::W64, distance, distance, entries);
        distance
    }

    /// Bytes of code that are to come, at most.
    pub(super) fn other_callees_bytes(&self) -> u64 {
        const EACH: u64 = 112;
        self.other_callees.len() as u64 * EACH
    }

    pub(super) fn emit_other_callees(&mut self) {
        for OtherCallee { here, back, cell } in core::mem::take(&mut self.other_callees) {
            let lead = M::FILE.scratch[1];
            let none = self.masm.label();
            self.masm.bind(here);
            let cells = self.load_cells();
            self.masm.load(LoadOp::U32, lead, cell_of(cells, cell + 1));
            self.masm
                .branch_if(Cond::Eq, Width::W32, lead, Operand::Imm(0), none);
            self.masm
                .alu(AluOp::Sub, Width::W32, lead, lead, Operand::Imm(1));
            let cells = self.load_cells();
            self.masm.store(StoreOp::B4, lead, cell_of(cells, cell + 1));
            self.masm.jump(back);
            // Another takes its place.
            self.masm.bind(none);
            let distance = self.callee_distance();
            let cells = self.load_cells();
            self.masm.store(StoreOp::B4, distance, cell_of(cells, cell));
            self.masm.jump(back);
        }
    }
}

fn cell_of(cells: Gpr, cell: usize) -> Mem {
    Mem::at(cells, 4 * cell as i32)
}
