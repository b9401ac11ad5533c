//! Constants, locals, globals, memories, tables, references and `select`.

use super::Translator;
use super::emit::{Fusible, vector_bits, with_slot_type};
use super::operand::{Form, Place, StackValue};
use crate::interp::handlers::memory::{self, Load, Store};
use crate::interp::handlers::simd;
use crate::interp::handlers::{bulk, control, variable};
use crate::interp::machine::{Handler, SlotValue};
use crate::module::convert_val_type;
use crate::operations::numeric::{self, LoadLane, StoreLane};
use wasmparser::{MemArg, MemArgTarget, Operator};
use zwasm_core::atomic::AtomicOp;
use zwasm_core::module::NO_FUNC_REF;
use zwasm_core::num::V128;
use zwasm_core::vmctx::func_ref;
use zwasm_core::{RefType, TrapCode, ValType};

impl Translator<'_> {
    /// These operators; false for all others.
    pub(super) fn access_operator(&mut self, op: &Operator<'_>) -> bool {
        match *op {
            Operator::LocalGet { local_index } => {
                let ty = self.locals[local_index as usize].ty;
                self.push(ty, Place::Local(local_index));
            }
            Operator::LocalSet { local_index } => self.local_set(local_index),
            Operator::LocalTee { local_index } => {
                self.local_set(local_index);
                let ty = self.locals[local_index as usize].ty;
                self.push(ty, Place::Local(local_index));
            }
            Operator::I32Const { value } => self.push_const(ValType::I32, u64::from(value as u32)),
            Operator::I64Const { value } => self.push_const(ValType::I64, value as u64),
            Operator::F32Const { value } => {
                self.push_const(ValType::F32, u64::from(value.bits()));
            }
            Operator::F64Const { value } => self.push_const(ValType::F64, value.bits()),
            Operator::V128Const { value } => {
                let (low, high) = vector_bits(V128(*value.bytes()));
                self.push(ValType::V128, Place::Const { low, high });
            }
            Operator::RefNull { hty } => {
                let heap = crate::module::convert_heap_type(hty, &self.module.info.types);
                self.push_const(
                    ValType::Ref(RefType {
                        nullable: true,
                        heap,
                    }),
                    0,
                );
            }
            Operator::Drop => {
                self.pop();
            }
            Operator::Select => {
                let ty = self.stack[self.stack.len() - 2].ty;
                self.select(ty);
            }
            Operator::TypedSelect { ty } => {
                let ty = convert_val_type(ty, &self.module.info.types, usize::MAX);
                self.select(ty);
            }
            Operator::GlobalGet { global_index } => self.global_get(global_index),
            Operator::GlobalSet { global_index } => self.global_set(global_index),
            Operator::RefFunc { function_index } => self.ref_func(function_index),
            Operator::RefIsNull => {
                let value = self.pop();
                let reference = self.consume_slot(value);
                let start = self.begin(bulk::ref_is_null);
                self.slot_word(reference);
                self.define_slot_only(start, ValType::I32);
            }
            Operator::RefAsNonNull => {
                self.settle_top(1);
                let reference = self.stack.last().expect("validated").slot;
                self.forget_elidable();
                self.begin_trapping(control::trap_if_null);
                self.slot_word(reference);
                self.word(TrapCode::NullReference as u32);
            }
            Operator::MemorySize { mem } => {
                let ty = self.module.info.memories[mem as usize];
                let start = self.begin(bulk::memory_size);
                self.memory_word(mem);
                self.word(u32::from(ty.page_size_log2));
                self.word(u32::from(ty.memory64));
                self.define_slot_only(start, index_type(ty.memory64));
            }
            Operator::MemoryGrow { mem } => {
                let is_64 = self.module.info.memories[mem as usize].memory64;
                let [delta] = self.pop_slots();
                let start = self.begin_trapping(bulk::memory_grow);
                self.slot_word(delta);
                self.memory_word(mem);
                self.word(u32::from(is_64));
                self.define_slot_only(start, index_type(is_64));
            }
            Operator::MemoryFill { mem } => {
                let slots = self.pop_slots::<3>();
                self.begin_bulk(bulk::memory_fill, slots);
                self.memory_word(mem);
                self.memory_width(mem);
            }
            Operator::MemoryCopy { dst_mem, src_mem } => {
                let slots = self.pop_slots::<3>();
                self.begin_bulk(bulk::memory_copy, slots);
                self.memory_word(dst_mem);
                self.memory_word(src_mem);
                self.memory_width(dst_mem);
                self.memory_width(src_mem);
            }
            Operator::MemoryInit { data_index, mem } => {
                let slots = self.pop_slots::<3>();
                self.begin_bulk(bulk::memory_init, slots);
                self.word(data_index);
                self.memory_word(mem);
                self.memory_width(mem);
            }
            Operator::DataDrop { data_index } => {
                self.begin(bulk::data_drop);
                self.word(data_index);
            }
            Operator::ElemDrop { elem_index } => {
                self.begin(bulk::elem_drop);
                self.word(elem_index);
            }
            Operator::TableGet { table } => {
                let [index] = self.pop_slots();
                let ty = self.module.info.tables[table as usize].ty;
                let start = self.begin_trapping(bulk::table_get);
                self.slot_word(index);
                self.table_word(table);
                self.table_width(table);
                self.define_slot_only(start, ValType::Ref(ty.element));
            }
            Operator::TableSet { table } => {
                let slots = self.pop_slots::<2>();
                self.begin_bulk(bulk::table_set, slots);
                self.table_word(table);
                self.table_width(table);
            }
            Operator::TableSize { table } => {
                let is_64 = self.module.info.tables[table as usize].ty.table64;
                let start = self.begin(bulk::table_size);
                self.table_word(table);
                self.table_width(table);
                self.define_slot_only(start, index_type(is_64));
            }
            Operator::TableGrow { table } => {
                let is_64 = self.module.info.tables[table as usize].ty.table64;
                let [value, delta] = self.pop_slots();
                let start = self.begin_trapping(bulk::table_grow);
                self.slot_word(value);
                self.slot_word(delta);
                self.table_word(table);
                self.table_width(table);
                self.define_slot_only(start, index_type(is_64));
            }
            Operator::TableFill { table } => {
                let slots = self.pop_slots::<3>();
                self.begin_bulk(bulk::table_fill, slots);
                self.table_word(table);
                self.table_width(table);
            }
            Operator::TableCopy {
                dst_table,
                src_table,
            } => {
                let slots = self.pop_slots::<3>();
                self.begin_bulk(bulk::table_copy, slots);
                self.table_word(dst_table);
                self.table_word(src_table);
                self.table_width(dst_table);
                self.table_width(src_table);
            }
            Operator::TableInit { elem_index, table } => {
                let slots = self.pop_slots::<3>();
                self.begin_bulk(bulk::table_init, slots);
                self.word(elem_index);
                self.word(table);
                self.table_width(table);
            }
            // What it orders are accesses of several threads to one memory.
            Operator::AtomicFence { .. } => {}
            _ => return self.atomic_operator(op) || self.memory_operator(op),
        }
        true
    }

    /// Atomic instructions that access memory; false for all other operators.
    fn atomic_operator(&mut self, op: &Operator<'_>) -> bool {
        macro_rules! find {
            ($($name:ident $kind:ident $bytes:literal $ty:ident;)*) => {{
                #[allow(clippy::enum_variant_names, reason = "named after the operators")]
                enum Position { $($name,)* }
                match op {
                    $(Operator::$name { memarg } => (Position::$name as usize, memarg),)*
                    _ => return false,
                }
            }};
        }
        let (number, memarg) = zwasm_core::for_each_atomic!(find);
        let op = AtomicOp::ALL[number];
        let [index, first, second] = match op.operands() {
            1 => self.pop_slots::<1>().map(|index| [index; 3])[0],
            2 => {
                let [index, first] = self.pop_slots();
                [index, first, first]
            }
            _ => self.pop_slots(),
        };
        let result = op.result();
        let handler = match result {
            Some(_) => memory::atomic,
            None => memory::atomic_store,
        };
        let start = self.begin_trapping(handler);
        self.word(number as u32);
        self.general_words(index, memarg);
        self.slot_word(first);
        self.slot_word(second);
        if let Some(ty) = result {
            self.define_slot_only(start, ty);
        }
        true
    }

    fn local_set(&mut self, local: u32) {
        let value = self.pop();
        if value.place == Place::Local(local) {
            return;
        }
        self.settle_locals(Some(local));
        let slot = self.locals[local as usize].slot;
        self.move_value(value, slot);
    }

    fn select(&mut self, ty: ValType) {
        let cond = self.pop();
        let b = self.pop();
        let a = self.pop();
        let b = self.consume_no_acc(b);
        let a = self.consume_no_acc(a);
        let cond = match cond.place {
            Place::Const { .. } => {
                let slot = self.consume_slot(cond);
                super::operand::Operand {
                    form: Form::Slot,
                    slot,
                    low: 0,
                    high: 0,
                    ty: cond.ty,
                }
            }
            _ => self.consume(cond),
        };
        let forms = with_slot_type!(ty, T => variable::pick_select::<T>(cond.form, a.form, b.form));
        let start = self.begin(forms.slot);
        self.operand_words(cond);
        self.operand_words(a);
        self.operand_words(b);
        self.define(start, forms, ty);
    }

    // --- globals ---

    /// The context offset of a global's cell (or of the pointer to it), and whether it is
    /// imported.
    fn global_offset(&self, global: u32) -> (u32, bool) {
        let info = &self.module.info;
        match global.checked_sub(info.imported_globals) {
            Some(defined) => (info.offsets.globals + defined * 16, false),
            None => (info.offsets.imported_globals + global * 8, true),
        }
    }

    fn global_get(&mut self, global: u32) {
        let ty = self.module.info.globals[global as usize].ty.content;
        let (offset, imported) = self.global_offset(global);
        let forms = with_slot_type!(ty, T => variable::pick_global_get::<T>(imported));
        let start = self.begin(forms.slot);
        self.word(offset);
        self.define(start, forms, ty);
    }

    fn global_set(&mut self, global: u32) {
        let value = self.pop();
        let (offset, imported) = self.global_offset(global);
        let operand = self.consume(value);
        let form = operand.form;
        let handler =
            with_slot_type!(value.ty, T => variable::pick_global_set::<T>(form, imported));
        self.begin(handler);
        self.operand_words(operand);
        self.word(offset);
    }

    fn ref_func(&mut self, func: u32) {
        let info = &self.module.info;
        let ty = ValType::Ref(RefType {
            nullable: false,
            heap: zwasm_core::HeapType::Concrete(info.func_sig(func)),
        });
        let (handler, offset): (Handler, u32) = match info.defined_func(func) {
            None => (
                bulk::ref_func::<true>,
                info.offsets.imported_funcs + func * 8,
            ),
            Some(_) => {
                let slot = info.func_ref_slots[func as usize];
                assert!(
                    slot != NO_FUNC_REF,
                    "validation demands that the reference is declared"
                );
                (
                    bulk::ref_func::<false>,
                    info.offsets.func_refs + slot * func_ref::SIZE,
                )
            }
        };
        let start = self.begin(handler);
        self.word(offset);
        self.define_slot_only(start, ty);
    }

    // --- memories and tables ---

    fn memory_word(&mut self, memory: u32) {
        self.word(self.module.info.offsets.memories + memory * 8);
    }

    fn memory_width(&mut self, memory: u32) {
        self.word(u32::from(
            self.module.info.memories[memory as usize].memory64,
        ));
    }

    fn table_word(&mut self, table: u32) {
        self.word(self.module.info.offsets.tables + table * 8);
    }

    fn table_width(&mut self, table: u32) {
        self.word(u32::from(
            self.module.info.tables[table as usize].ty.table64,
        ));
    }

    /// Pops values into slots; the result is in the order of the operands.
    pub(super) fn pop_slots<const N: usize>(&mut self) -> [u32; N] {
        let mut values: Vec<StackValue> = (0..N).map(|_| self.pop()).collect();
        values.reverse();
        core::array::from_fn(|i| self.consume_slot(values[i]))
    }

    fn begin_bulk<const N: usize>(&mut self, handler: Handler, slots: [u32; N]) {
        self.begin_trapping(handler);
        for slot in slots {
            self.slot_word(slot);
        }
    }

    /// Whether an access has the fast form: 32-bit addresses into memory 0.
    fn is_fast(&self, memarg: &MemArg) -> bool {
        memory_index(memarg) == 0 && !self.module.info.memories[0].memory64
    }

    /// The operands of a general access behind its index.
    fn general_words(&mut self, index: u32, memarg: &MemArg) {
        self.slot_word(index);
        self.memory_word(memory_index(memarg));
        self.word64(memarg.offset);
        self.memory_width(memory_index(memarg));
    }

    fn load<L: Load>(&mut self, memarg: &MemArg) {
        let index = self.pop();
        let ty = <L::Out as SlotValue>::TYPE;
        if self.is_fast(memarg) {
            if let Some((last, Fusible::Sum { a, b })) = self.fusible(index)
                && let Some(forms) = memory::pick_load_sum::<L>(a, b)
            {
                self.absorb(last, forms.slot);
                self.positions.push((last.start as u32, self.offset as u32));
                self.word(memarg.offset as u32);
                self.define(last.start, forms, ty);
                return;
            }
            let index = self.consume(index);
            let forms = memory::pick_load::<L>(index.form);
            let start = self.begin_trapping(forms.slot);
            self.operand_words(index);
            self.word(memarg.offset as u32);
            self.define(start, forms, ty);
        } else {
            let index = self.consume_slot(index);
            let forms = memory::pick_load_general::<L>();
            let start = self.begin_trapping(forms.slot);
            self.general_words(index, memarg);
            self.define(start, forms, ty);
        }
    }

    fn store<St: Store>(&mut self, memarg: &MemArg) {
        let value = self.pop();
        let index = self.pop();
        if self.is_fast(memarg) {
            let value = self.consume(value);
            let index = self.consume(index);
            self.begin_trapping(memory::pick_store::<St>(index.form, value.form));
            self.operand_words(index);
            self.operand_words(value);
            self.word(memarg.offset as u32);
        } else {
            let value = self.consume_slot(value);
            let index = self.consume_slot(index);
            self.begin_trapping(memory::store_general::<St>);
            self.general_words(index, memarg);
            self.slot_word(value);
        }
    }

    fn load_lane<O: LoadLane>(&mut self, memarg: &MemArg, lane: u8) {
        let [index, vector] = self.pop_slots();
        let start = self.begin_trapping(simd::load_lane::<O>);
        self.general_words(index, memarg);
        self.slot_word(vector);
        self.word(u32::from(lane));
        self.define_slot_only(start, ValType::V128);
    }

    fn store_lane<O: StoreLane>(&mut self, memarg: &MemArg, lane: u8) {
        let [index, vector] = self.pop_slots();
        self.begin_trapping(simd::store_lane::<O>);
        self.general_words(index, memarg);
        self.slot_word(vector);
        self.word(u32::from(lane));
    }

    /// Loads and stores; false for all other operators.
    fn memory_operator(&mut self, op: &Operator<'_>) -> bool {
        macro_rules! accesses {
            (loads: $($load:ident)* ; stores: $($store:ident)*) => {
                match op {
                    $(Operator::$load { memarg } => self.load::<memory::$load>(memarg),)*
                    $(Operator::$store { memarg } => self.store::<memory::$store>(memarg),)*
                    Operator::V128Load8Lane { memarg, lane } => self.load_lane::<numeric::V128Load8Lane>(memarg, *lane),
                    Operator::V128Load16Lane { memarg, lane } => self.load_lane::<numeric::V128Load16Lane>(memarg, *lane),
                    Operator::V128Load32Lane { memarg, lane } => self.load_lane::<numeric::V128Load32Lane>(memarg, *lane),
                    Operator::V128Load64Lane { memarg, lane } => self.load_lane::<numeric::V128Load64Lane>(memarg, *lane),
                    Operator::V128Store8Lane { memarg, lane } => self.store_lane::<numeric::V128Store8Lane>(memarg, *lane),
                    Operator::V128Store16Lane { memarg, lane } => self.store_lane::<numeric::V128Store16Lane>(memarg, *lane),
                    Operator::V128Store32Lane { memarg, lane } => self.store_lane::<numeric::V128Store32Lane>(memarg, *lane),
                    Operator::V128Store64Lane { memarg, lane } => self.store_lane::<numeric::V128Store64Lane>(memarg, *lane),
                    _ => return false,
                }
            };
        }
        accesses! {
            loads:
                I32Load I64Load F32Load F64Load V128Load
                I32Load8S I32Load8U I32Load16S I32Load16U
                I64Load8S I64Load8U I64Load16S I64Load16U I64Load32S I64Load32U
                V128Load8x8S V128Load8x8U V128Load16x4S V128Load16x4U V128Load32x2S V128Load32x2U
                V128Load8Splat V128Load16Splat V128Load32Splat V128Load64Splat
                V128Load32Zero V128Load64Zero;
            stores:
                I32Store I64Store F32Store F64Store V128Store
                I32Store8 I32Store16 I64Store8 I64Store16 I64Store32
        }
        true
    }
}

/// The memory that an access names.
fn memory_index(memarg: &MemArg) -> u32 {
    match memarg.target {
        MemArgTarget::Memory(index) => index,
        other => unreachable!("validation rejects {other:?}"),
    }
}

fn index_type(is_64: bool) -> ValType {
    if is_64 { ValType::I64 } else { ValType::I32 }
}
