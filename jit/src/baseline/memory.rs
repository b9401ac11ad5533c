//! Loads, stores, globals, and the sizes of memories and tables.

use super::values::{Held, Loc};
use super::{Compiler, Next};
use crate::abi::part_of;
use crate::contract::helpers::{index_type, memory_index};
use crate::masm::{AluOp, Cond, FloatPart, LoadOp, Masm, Mem, Operand, StoreOp, Width};
use crate::runtime::context_field;
use wasmparser::{MemArg, Operator};
use zwasm_core::vmctx::{func_ref, memory, table};
use zwasm_core::{RefType, TrapCode, ValType};

impl<M: Masm> Compiler<'_, M> {
    /// These operators; false for all others.
    pub(super) fn memory_operator(&mut self, op: &Operator<'_>, next: Next) -> bool {
        match op {
            Operator::V128Load { memarg } => self.float_load(ValType::V128, memarg, next),
            Operator::V128Store { memarg } => self.float_store(FloatPart::V128, memarg),
            Operator::TableSize { table } => self.table_size(*table, next),
            // What it orders are accesses of several threads to one memory.
            Operator::AtomicFence { .. } => {}
            _ => return false,
        }
        true
    }

    /// Whether accesses rely on guard regions: 32-bit indices into memory 0 with 64 KiB pages.
    fn is_guarded(&self, memarg: &MemArg) -> bool {
        let ty = &self.env.info.memories[memory_index(memarg) as usize];
        self.env.guarded && memory_index(memarg) == 0 && !ty.memory64 && ty.page_size_log2 == 16
    }

    /// Takes the index and gives the operand of an access of `size` bytes, checked if need be. The
    /// held register must be released after the access.
    pub(super) fn operand_address(&mut self, memarg: &MemArg, size: u32) -> (Mem, Option<Held>) {
        if self.is_guarded(memarg) {
            return self.guarded_address(memarg.offset);
        }
        self.checked_address(memarg, size)
    }

    fn guarded_address(&mut self, offset: u64) -> (Mem, Option<Held>) {
        let base = M::FILE.memory_base;
        let value = self.pop();
        if let Loc::Const { low, .. } = value.loc
            && let Ok(displacement) = i32::try_from(low + offset)
        {
            return (Mem::at(base, displacement), None);
        }
        let index = self.hold(value);
        if let Ok(displacement) = i32::try_from(offset) {
            let mem = Mem {
                base,
                index: Some(index.reg),
                displacement,
            };
            return (mem, Some(index));
        }
        let scratch = M::FILE.scratch[0];
        self.masm.imm(scratch, offset);
        self.masm.alu(
            AluOp::Add,
            Width::W64,
            scratch,
            scratch,
            Operand::Reg(index.reg),
        );
        self.release(index);
        let mem = Mem {
            base,
            index: Some(scratch),
            displacement: 0,
        };
        (mem, None)
    }

    /// An address computed and compared with the memory's current length.
    fn checked_address(&mut self, memarg: &MemArg, size: u32) -> (Mem, Option<Held>) {
        let out_of_bounds = self.trap_label(TrapCode::MemoryOutOfBounds);
        let info = self.env.info;
        let index = memory_index(memarg);
        let is_64 = info.memories[index as usize].memory64;
        let held = self.pop_gpr();
        let end = self.hold_gpr();
        let scratch = M::FILE.scratch[0];
        // end = index + offset + size, where no sum may wrap.
        self.masm.imm(scratch, memarg.offset);
        self.masm.alu(
            AluOp::Add,
            Width::W64,
            end.reg,
            held.reg,
            Operand::Reg(scratch),
        );
        let w64 = Width::W64;
        if is_64 {
            self.masm.branch_if(
                Cond::LtU,
                w64,
                end.reg,
                Operand::Reg(scratch),
                out_of_bounds,
            );
        }
        self.release(held);
        let size_operand = Operand::Imm(size as i32);
        self.masm
            .alu(AluOp::Add, w64, end.reg, end.reg, size_operand);
        if is_64 {
            // A sum that wrapped is less than the size.
            self.masm
                .branch_if(Cond::LtU, w64, end.reg, size_operand, out_of_bounds);
        }
        let def = context_field::<M>(info.offsets.memories + index * 8);
        self.masm.load(LoadOp::U64, scratch, def);
        let base = self.hold_gpr();
        let field = |offset: u32| Mem::at(scratch, offset as i32);
        self.masm
            .load(LoadOp::U64, base.reg, field(memory::offset::length_bytes));
        self.masm.branch_if(
            Cond::GtU,
            w64,
            end.reg,
            Operand::Reg(base.reg),
            out_of_bounds,
        );
        self.masm
            .load(LoadOp::U64, base.reg, field(memory::offset::base));
        self.masm
            .alu(AluOp::Add, w64, base.reg, base.reg, Operand::Reg(end.reg));
        self.release(end);
        (Mem::at(base.reg, -(size as i32)), Some(base))
    }

    pub(super) fn release_address(&mut self, held: Option<Held>) {
        if let Some(held) = held {
            self.release(held);
        }
    }

    pub(super) fn load(&mut self, op: LoadOp, ty: ValType, memarg: &MemArg, next: Next) {
        let (mem, held) = self.operand_address(memarg, op.bytes() as u32);
        let dst = self.result_gpr(next, held.as_slice());
        self.masm.load(op, dst, mem);
        self.may_have_faulted(TrapCode::MemoryOutOfBounds);
        self.push(ty, Loc::Gpr(dst));
    }

    pub(super) fn float_load(&mut self, ty: ValType, memarg: &MemArg, next: Next) {
        let (mem, held) = self.operand_address(memarg, part_of(ty).bytes() as u32);
        let dst = self.result_fpr(next, &[]);
        self.masm.float_load(part_of(ty), dst, mem);
        self.may_have_faulted(TrapCode::MemoryOutOfBounds);
        self.release_address(held);
        self.push(ty, Loc::Fpr(dst));
    }

    pub(super) fn store(&mut self, op: StoreOp, memarg: &MemArg) {
        let value = self.pop_gpr();
        let (mem, held) = self.operand_address(memarg, op.bytes() as u32);
        self.masm.store(op, value.reg, mem);
        self.may_have_faulted(TrapCode::MemoryOutOfBounds);
        self.release(value);
        self.release_address(held);
    }

    pub(super) fn float_store(&mut self, part: FloatPart, memarg: &MemArg) {
        let value = self.pop_fpr();
        let (mem, held) = self.operand_address(memarg, part.bytes() as u32);
        self.masm.float_store(part, value.reg, mem);
        self.may_have_faulted(TrapCode::MemoryOutOfBounds);
        self.release_float(value);
        self.release_address(held);
    }

    // --- globals ---

    /// The memory of a global's cell. Clobbers a scratch register for imported ones.
    fn global_mem(&mut self, global: u32) -> Mem {
        let info = self.env.info;
        match global.checked_sub(info.imported_globals) {
            Some(defined) => context_field::<M>(info.offsets.globals + defined * 16),
            None => {
                let scratch = M::FILE.scratch[0];
                let pointer = context_field::<M>(info.offsets.imported_globals + global * 8);
                self.masm.load(LoadOp::U64, scratch, pointer);
                Mem::at(scratch, 0)
            }
        }
    }

    pub(super) fn global_get(&mut self, global: u32, next: Next) {
        let ty = self.env.info.globals[global as usize].ty.content;
        let mem = self.global_mem(global);
        if crate::abi::is_float(ty) {
            let dst = self.result_fpr(next, &[]);
            self.masm.float_load(part_of(ty), dst, mem);
            self.push(ty, Loc::Fpr(dst));
        } else {
            let dst = self.result_gpr(next, &[]);
            self.load_gpr(dst, ty, mem);
            self.push(ty, Loc::Gpr(dst));
        }
    }

    pub(super) fn global_set(&mut self, global: u32) {
        let ty = self.env.info.globals[global as usize].ty.content;
        if crate::abi::is_float(ty) {
            let value = self.pop_fpr();
            let mem = self.global_mem(global);
            self.masm.float_store(part_of(ty), value.reg, mem);
            self.release_float(value);
        } else {
            let value = self.pop_gpr();
            let mem = self.global_mem(global);
            self.masm.store(StoreOp::B8, value.reg, mem);
            self.release(value);
        }
    }

    // --- sizes and references ---

    pub(super) fn memory_size(&mut self, index: u32, next: Next) {
        let ty = self.env.info.memories[index as usize];
        let dst = self.result_gpr(next, &[]);
        let def = context_field::<M>(self.env.info.offsets.memories + index * 8);
        self.masm.load(LoadOp::U64, dst, def);
        self.masm.load(
            LoadOp::U64,
            dst,
            Mem::at(dst, memory::offset::length_bytes as i32),
        );
        let shift = Operand::Imm(i32::from(ty.page_size_log2));
        self.masm.alu(AluOp::ShrU, Width::W64, dst, dst, shift);
        self.push(index_type(ty.memory64), Loc::Gpr(dst));
    }

    fn table_size(&mut self, index: u32, next: Next) {
        let ty = self.env.info.tables[index as usize].ty;
        let dst = self.result_gpr(next, &[]);
        let def = context_field::<M>(self.env.info.offsets.tables + index * 8);
        self.masm.load(LoadOp::U64, dst, def);
        self.masm
            .load(LoadOp::U64, dst, Mem::at(dst, table::offset::length as i32));
        self.push(index_type(ty.table64), Loc::Gpr(dst));
    }

    pub(super) fn ref_func(&mut self, func: u32, next: Next) {
        let info = self.env.info;
        let ty = ValType::Ref(RefType {
            nullable: false,
            heap: zwasm_core::HeapType::Concrete(info.func_sig(func)),
        });
        let dst = self.result_gpr(next, &[]);
        match info.defined_func(func) {
            None => {
                let mem = context_field::<M>(info.offsets.imported_funcs + func * 8);
                self.masm.load(LoadOp::U64, dst, mem);
            }
            Some(_) => {
                let slot = info.func_ref_slots[func as usize];
                let offset = info.offsets.func_refs + slot * func_ref::SIZE;
                self.masm.address(dst, context_field::<M>(offset));
            }
        }
        self.push(ty, Loc::Gpr(dst));
    }
}
