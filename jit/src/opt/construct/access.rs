//! Memories, globals, tables and references: everything that reads or writes an instance.

use super::{Builder, Unsupported};
use crate::masm::vector::{Lanes, VecLoad};
use crate::masm::{AluOp, Cond, FloatPart, LoadOp, StoreOp, Width};
use crate::opt::form::ir::{Alias, Op, Ty, Value};
use wasmparser::{MemArg, MemArgTarget, Operator};
use zwasm_core::TrapCode;
use zwasm_core::vmctx::{func_ref, memory, table};

/// Where an access goes: base, index and displacement.
pub(super) struct Place {
    pub(super) args: [Value; 2],
    pub(super) displacement: u64,
}

impl Builder<'_> {
    pub(super) fn access_operator(&mut self, op: &Operator<'_>) -> Result<bool, Unsupported> {
        use LoadOp as L;
        use Operator as O;
        use StoreOp as S;
        match op {
            O::I32Load { memarg } => self.load(L::U32, Ty::I32, memarg),
            O::I32Load8U { memarg } => self.load(L::U8, Ty::I32, memarg),
            O::I32Load16U { memarg } => self.load(L::U16, Ty::I32, memarg),
            O::I32Load8S { memarg } => self.load(L::S8To32, Ty::I32, memarg),
            O::I32Load16S { memarg } => self.load(L::S16To32, Ty::I32, memarg),
            O::I64Load { memarg } => self.load(L::U64, Ty::I64, memarg),
            O::I64Load8U { memarg } => self.load(L::U8, Ty::I64, memarg),
            O::I64Load16U { memarg } => self.load(L::U16, Ty::I64, memarg),
            O::I64Load32U { memarg } => self.load(L::U32, Ty::I64, memarg),
            O::I64Load8S { memarg } => self.load(L::S8To64, Ty::I64, memarg),
            O::I64Load16S { memarg } => self.load(L::S16To64, Ty::I64, memarg),
            O::I64Load32S { memarg } => self.load(L::S32To64, Ty::I64, memarg),
            O::F32Load { memarg } => self.float_load(FloatPart::F32, Ty::F32, memarg),
            O::F64Load { memarg } => self.float_load(FloatPart::F64, Ty::F64, memarg),
            O::V128Load { memarg } => self.float_load(FloatPart::V128, Ty::V128, memarg),
            O::I32Store { memarg } | O::I64Store32 { memarg } => self.store(S::B4, memarg),
            O::I64Store { memarg } => self.store(S::B8, memarg),
            O::I32Store8 { memarg } | O::I64Store8 { memarg } => self.store(S::B1, memarg),
            O::I32Store16 { memarg } | O::I64Store16 { memarg } => self.store(S::B2, memarg),
            O::F32Store { memarg } => self.float_store(FloatPart::F32, memarg),
            O::F64Store { memarg } => self.float_store(FloatPart::F64, memarg),
            O::V128Store { memarg } => self.float_store(FloatPart::V128, memarg),
            O::V128Load8x8S { memarg } => self.vector_load(VecLoad::Extend8x8S, memarg),
            O::V128Load8x8U { memarg } => self.vector_load(VecLoad::Extend8x8U, memarg),
            O::V128Load16x4S { memarg } => self.vector_load(VecLoad::Extend16x4S, memarg),
            O::V128Load16x4U { memarg } => self.vector_load(VecLoad::Extend16x4U, memarg),
            O::V128Load32x2S { memarg } => self.vector_load(VecLoad::Extend32x2S, memarg),
            O::V128Load32x2U { memarg } => self.vector_load(VecLoad::Extend32x2U, memarg),
            O::V128Load8Splat { memarg } => self.load_splat(Lanes::I8x16, memarg),
            O::V128Load16Splat { memarg } => self.load_splat(Lanes::I16x8, memarg),
            O::V128Load32Splat { memarg } => self.load_splat(Lanes::I32x4, memarg),
            O::V128Load64Splat { memarg } => self.load_splat(Lanes::I64x2, memarg),
            O::V128Load32Zero { memarg } => self.vector_load(VecLoad::Zero32, memarg),
            O::V128Load64Zero { memarg } => self.vector_load(VecLoad::Zero64, memarg),
            O::V128Load8Lane { memarg, lane } => self.load_lane(Lanes::I8x16, *lane, memarg),
            O::V128Load16Lane { memarg, lane } => self.load_lane(Lanes::I16x8, *lane, memarg),
            O::V128Load32Lane { memarg, lane } => self.load_lane(Lanes::I32x4, *lane, memarg),
            O::V128Load64Lane { memarg, lane } => self.load_lane(Lanes::I64x2, *lane, memarg),
            O::V128Store8Lane { memarg, lane } => self.store_lane(Lanes::I8x16, *lane, memarg),
            O::V128Store16Lane { memarg, lane } => self.store_lane(Lanes::I16x8, *lane, memarg),
            O::V128Store32Lane { memarg, lane } => self.store_lane(Lanes::I32x4, *lane, memarg),
            O::V128Store64Lane { memarg, lane } => self.store_lane(Lanes::I64x2, *lane, memarg),
            O::GlobalGet { global_index } => self.global_get(*global_index),
            O::GlobalSet { global_index } => self.global_set(*global_index),
            O::MemorySize { mem } => self.memory_size(*mem),
            O::TableSize { table } => self.table_size(*table),
            O::TableGet { table } => self.table_get(*table),
            O::TableSet { table } => self.table_set(*table),
            O::RefFunc { function_index } => self.ref_func(*function_index),
            // What it orders are accesses of several threads to one memory.
            O::AtomicFence { .. } => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    // --- linear memories ---

    /// Takes the index of an access of `size` bytes.
    fn place(&mut self, memarg: &MemArg, size: u64) -> Place {
        let MemArgTarget::Memory(memory) = memarg.target else {
            unreachable!("validation rejects other targets");
        };
        let index = self.pop();
        self.place_in(memory, index, memarg.offset, size)
    }

    /// Where an access of `size` bytes goes; explicit checks where there is no guard region.
    pub(super) fn place_in(&mut self, memory: u32, index: Value, offset: u64, size: u64) -> Place {
        let ty = self.env.info.memories[memory as usize];
        let is_guarded = self.env.guarded && memory == 0 && !ty.memory64 && ty.page_size_log2 == 16;
        if is_guarded {
            if i32::try_from(offset).is_ok() {
                return Place {
                    args: [self.memory_base, index],
                    displacement: offset,
                };
            }
            let wide = self.extend(index);
            let sum = self.add64(wide, offset);
            return Place {
                args: [self.memory_base, sum],
                displacement: 0,
            };
        }
        let index = if ty.memory64 {
            index
        } else {
            self.extend(index)
        };
        let def = self.memory_def(memory);
        let length = self.field(def, memory::offset::length_bytes, Alias::Length);
        // Nothing wraps: with the size subtracted from the length, and the offset from what is left.
        // Memories never shrink below what they are declared with.
        let least = u128::from(ty.minimum) << ty.page_size_log2;
        let last = offset.checked_add(size);
        match last {
            Some(last) => {
                let is_there = u128::from(last) <= least;
                let last = self.constant(Ty::I64, last);
                if !is_there {
                    let short = self.compare64(Cond::LtU, length, last);
                    self.trap_if(short, TrapCode::MemoryOutOfBounds);
                }
                let room = self.alu64(AluOp::Sub, length, last);
                let beyond = self.compare64(Cond::GtU, index, room);
                self.trap_if(beyond, TrapCode::MemoryOutOfBounds);
            }
            None => {
                let always = self.i32(1);
                self.trap_if(always, TrapCode::MemoryOutOfBounds);
            }
        }
        let base = self.field(def, memory::offset::base, Alias::Fixed);
        if i32::try_from(offset).is_ok() {
            return Place {
                args: [base, index],
                displacement: offset,
            };
        }
        let sum = self.add64(index, offset);
        Place {
            args: [base, sum],
            displacement: 0,
        }
    }

    pub(super) fn extend(&mut self, value: Value) -> Value {
        self.emit(Op::ExtendU, Ty::I64, &[value], 0)
    }

    pub(super) fn alu64(&mut self, op: AluOp, a: Value, b: Value) -> Value {
        self.emit(Op::Alu(op, Width::W64), Ty::I64, &[a, b], 0)
    }

    fn add64(&mut self, a: Value, b: u64) -> Value {
        let b = self.constant(Ty::I64, b);
        self.alu64(AluOp::Add, a, b)
    }

    pub(super) fn compare64(&mut self, cond: Cond, a: Value, b: Value) -> Value {
        self.emit(Op::Compare(cond, Width::W64), Ty::I32, &[a, b], 0)
    }

    /// A 64-bit field of a structure.
    pub(super) fn field(&mut self, base: Value, offset: u32, alias: Alias) -> Value {
        let op = Op::Load(LoadOp::U64, alias);
        self.emit(op, Ty::I64, &[base], u64::from(offset))
    }

    fn memory_def(&mut self, memory: u32) -> Value {
        let offset = self.env.info.offsets.memories + memory * 8;
        self.context_load(offset, Alias::Fixed)
    }

    fn load(&mut self, op: LoadOp, ty: Ty, memarg: &MemArg) {
        let place = self.place(memarg, op.bytes());
        let op = Op::Load(op, Alias::Heap);
        let value = self.emit(op, ty, &place.args, place.displacement);
        self.stack.push(value);
    }

    fn float_load(&mut self, part: FloatPart, ty: Ty, memarg: &MemArg) {
        let place = self.place(memarg, part.bytes());
        let op = Op::FloatLoad(part, Alias::Heap);
        let value = self.emit(op, ty, &place.args, place.displacement);
        self.stack.push(value);
    }

    fn store(&mut self, op: StoreOp, memarg: &MemArg) {
        let value = self.pop();
        let Place {
            args: [base, index],
            displacement,
        } = self.place(memarg, op.bytes());
        let op = Op::Store(op, Alias::Heap);
        self.emit(op, Ty::None, &[base, index, value], displacement);
    }

    fn float_store(&mut self, part: FloatPart, memarg: &MemArg) {
        let value = self.pop();
        let Place {
            args: [base, index],
            displacement,
        } = self.place(memarg, part.bytes());
        let op = Op::FloatStore(part, Alias::Heap);
        self.emit(op, Ty::None, &[base, index, value], displacement);
    }

    fn vector_load(&mut self, op: VecLoad, memarg: &MemArg) {
        let place = self.place(memarg, u64::from(op.bytes()));
        let value = self.emit(Op::VecLoad(op), Ty::V128, &place.args, place.displacement);
        self.stack.push(value);
    }

    fn load_splat(&mut self, lanes: Lanes, memarg: &MemArg) {
        self.vector_load(VecLoad::Splat(lanes), memarg);
    }

    fn load_lane(&mut self, lanes: Lanes, lane: u8, memarg: &MemArg) {
        let vector = self.pop();
        let Place {
            args: [base, index],
            displacement,
        } = self.place(memarg, u64::from(lanes.bytes()));
        let op = Op::LoadLane(lanes, lane);
        let value = self.emit(op, Ty::V128, &[base, index, vector], displacement);
        self.stack.push(value);
    }

    fn store_lane(&mut self, lanes: Lanes, lane: u8, memarg: &MemArg) {
        let vector = self.pop();
        let Place {
            args: [base, index],
            displacement,
        } = self.place(memarg, u64::from(lanes.bytes()));
        let op = Op::StoreLane(lanes, lane);
        self.emit(op, Ty::None, &[base, index, vector], displacement);
    }

    fn memory_size(&mut self, memory: u32) {
        let ty = self.env.info.memories[memory as usize];
        let def = self.memory_def(memory);
        let length = self.field(def, memory::offset::length_bytes, Alias::Length);
        let shift = self.constant(Ty::I64, u64::from(ty.page_size_log2));
        let pages = self.alu64(AluOp::ShrU, length, shift);
        self.push_size(pages, ty.memory64);
    }

    /// A size in its index type.
    fn push_size(&mut self, size: Value, is_64: bool) {
        if is_64 {
            self.stack.push(size);
        } else {
            let op = Op::IntUnary(crate::masm::IntUnary::Wrap, Width::W32);
            let size = self.emit(op, Ty::I32, &[size], 0);
            self.stack.push(size);
        }
    }

    // --- globals ---

    /// The cell of a global: base and displacement.
    fn global_cell(&mut self, global: u32) -> (Value, u64) {
        let info = self.env.info;
        match global.checked_sub(info.imported_globals) {
            Some(defined) => {
                let offset = info.offsets.globals + defined * 16;
                (self.context, u64::from(offset))
            }
            None => {
                let pointer = info.offsets.imported_globals + global * 8;
                (self.context_load(pointer, Alias::Fixed), 0)
            }
        }
    }

    fn global_get(&mut self, global: u32) {
        let declared = self.env.info.globals[global as usize].ty;
        let ty = Ty::of(declared.content);
        let alias = match declared.mutability {
            zwasm_core::Mutability::Const => Alias::Fixed,
            zwasm_core::Mutability::Var => Alias::Global,
        };
        let (base, displacement) = self.global_cell(global);
        let op = match ty {
            Ty::I32 => Op::Load(LoadOp::U32, alias),
            Ty::I64 | Ty::None => Op::Load(LoadOp::U64, alias),
            Ty::F32 | Ty::F64 | Ty::V128 => Op::FloatLoad(ty.part(), alias),
        };
        let value = self.emit(op, ty, &[base], displacement);
        self.stack.push(value);
    }

    fn global_set(&mut self, global: u32) {
        let value = self.pop();
        let (base, displacement) = self.global_cell(global);
        let ty = self.function[value].ty;
        let op = if ty.is_float() {
            Op::FloatStore(ty.part(), Alias::Global)
        } else {
            // All eight bytes: the host reads the whole cell.
            Op::Store(StoreOp::B8, Alias::Global)
        };
        self.emit(op, Ty::None, &[base, Value::NONE, value], displacement);
    }

    // --- tables and references ---

    fn table_def(&mut self, table: u32) -> Value {
        let offset = self.env.info.offsets.tables + table * 8;
        self.context_load(offset, Alias::Fixed)
    }

    /// The address of an element, checked.
    pub(super) fn element(&mut self, table: u32, index: Value, beyond: TrapCode) -> [Value; 2] {
        let is_64 = self.env.info.tables[table as usize].ty.table64;
        let index = if is_64 { index } else { self.extend(index) };
        let def = self.table_def(table);
        let length = self.field(def, table::offset::length, Alias::Table);
        let outside = self.compare64(Cond::GeU, index, length);
        self.trap_if(outside, beyond);
        let base = self.field(def, table::offset::base, Alias::Table);
        let three = self.constant(Ty::I64, 3);
        let scaled = self.alu64(AluOp::Shl, index, three);
        [base, scaled]
    }

    fn table_get(&mut self, table: u32) {
        let index = self.pop();
        let place = self.element(table, index, TrapCode::TableOutOfBounds);
        let op = Op::Load(LoadOp::U64, Alias::Table);
        let value = self.emit(op, Ty::I64, &place, 0);
        self.stack.push(value);
    }

    fn table_set(&mut self, table: u32) {
        let [index, value] = self.pop2();
        let [base, scaled] = self.element(table, index, TrapCode::TableOutOfBounds);
        let op = Op::Store(StoreOp::B8, Alias::Table);
        self.emit(op, Ty::None, &[base, scaled, value], 0);
    }

    fn table_size(&mut self, table: u32) {
        let is_64 = self.env.info.tables[table as usize].ty.table64;
        let def = self.table_def(table);
        let length = self.field(def, table::offset::length, Alias::Table);
        self.push_size(length, is_64);
    }

    fn ref_func(&mut self, func: u32) {
        let info = self.env.info;
        let value = match info.defined_func(func) {
            None => self.context_load(info.offsets.imported_funcs + func * 8, Alias::Fixed),
            Some(_) => self.own_reference(func),
        };
        self.stack.push(value);
    }

    /// The reference of a defined function of this instance, which has one.
    pub(super) fn own_reference(&mut self, func: u32) -> Value {
        let info = self.env.info;
        let slot = info.func_ref_slots[func as usize];
        let offset = info.offsets.func_refs + slot * func_ref::SIZE;
        self.emit(Op::Address, Ty::I64, &[self.context], u64::from(offset))
    }
}
