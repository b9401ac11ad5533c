//! Emission: instruction words, operand forms, and what the accumulators hold.
//!
//! Invariants. `acc[class]` names a slot whose value the accumulator of the class also holds at
//! this point of the code. `elidable[class]` is the instruction that put it there, as long as its
//! store to the slot may be dropped when the value's only use takes the accumulator; every branch
//! and label clears it. `last` is the definition made by the very last instruction: it may still
//! be given another destination, or be fused into a branch.

use super::operand::{Form, Operand, Place, StackValue};
use super::{Translator, slot_offset};
use crate::interp::handlers::ops::{DestForms, pick_unary};
use crate::interp::machine::{Class, HANDLER_WORDS, Handler, SlotValue};
use crate::operations::numeric::Move;
use zwasm_core::ValType;
use zwasm_core::num::V128;

/// Accumulator classes that can hold a value.
pub(super) const CLASSES: usize = 3;

/// An instruction whose store may be dropped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elidable {
    start: usize,
    slot: u32,
    acc_form: Handler,
}

/// Picks the handler of a fused branch: (negated, backwards).
pub(super) type BranchPicker = fn(Form, Form, bool, bool) -> Handler;
/// Picks the handler of a comparison: (negated).
pub(super) type ComparePicker = fn(Form, Form, bool) -> DestForms;

/// What a following instruction may absorb.
#[derive(Clone, Copy)]
pub(super) enum Fusible {
    /// A comparison: by a branch or `i32.eqz`.
    Compare(FusibleCompare),
    /// An `i32.add` of operands in these forms: by a load from the sum.
    Sum { a: Form, b: Form },
}

/// A comparison that a branch may absorb.
#[derive(Clone, Copy)]
pub(super) struct FusibleCompare {
    pub(super) a: Form,
    pub(super) b: Form,
    pub(super) negated: bool,
    pub(super) branch: BranchPicker,
    pub(super) compare: ComparePicker,
}

/// The definition made by the last instruction.
#[derive(Clone, Copy)]
pub(super) struct LastDef {
    pub(super) start: usize,
    dst_word: usize,
    pub(super) slot: u32,
    pub(super) fusible: Option<Fusible>,
}

/// Evaluates `$body` with the type parameter that stands for a value type.
macro_rules! with_slot_type {
    ($ty:expr, $T:ident => $body:expr) => {
        match $ty {
            zwasm_core::ValType::I32 => {
                type $T = i32;
                $body
            }
            zwasm_core::ValType::I64 | zwasm_core::ValType::Ref(_) => {
                type $T = i64;
                $body
            }
            zwasm_core::ValType::F32 => {
                type $T = f32;
                $body
            }
            zwasm_core::ValType::F64 => {
                type $T = f64;
                $body
            }
            zwasm_core::ValType::V128 => {
                type $T = zwasm_core::num::V128;
                $body
            }
        }
    };
}
pub(super) use with_slot_type;

/// The accumulator class of a value type.
pub(super) fn class_of(ty: ValType) -> Class {
    with_slot_type!(ty, T => <T as SlotValue>::CLASS)
}

fn class_index(class: Class) -> Option<usize> {
    match class {
        Class::Int => Some(0),
        Class::F32 => Some(1),
        Class::F64 => Some(2),
        Class::None => None,
    }
}

impl Translator<'_> {
    // --- words ---

    /// Starts an instruction and returns the index of its first word.
    pub(super) fn begin(&mut self, handler: Handler) -> usize {
        let start = self.code.len();
        self.last = None;
        self.word64(handler as usize as u64);
        start
    }

    /// Starts an instruction that may trap or call.
    pub(super) fn begin_trapping(&mut self, handler: Handler) -> usize {
        let start = self.begin(handler);
        self.positions.push((start as u32, self.offset as u32));
        start
    }

    pub(super) fn begin_if_trapping(&mut self, handler: Handler, may_trap: bool) -> usize {
        if may_trap {
            self.begin_trapping(handler)
        } else {
            self.begin(handler)
        }
    }

    pub(super) fn word(&mut self, word: u32) {
        self.code.push(word);
    }

    pub(super) fn word64(&mut self, value: u64) {
        self.code.push(value as u32);
        self.code.push((value >> 32) as u32);
    }

    pub(super) fn slot_word(&mut self, slot: u32) {
        self.word(slot_offset(slot));
    }

    /// Writes an operand in the form it has.
    pub(super) fn operand_words(&mut self, operand: Operand) {
        match operand.form {
            Form::Slot => self.slot_word(operand.slot),
            Form::Acc => {}
            Form::Imm => {
                let words = with_slot_type!(operand.ty, T => <T as SlotValue>::IMM_WORDS);
                let all = [
                    operand.low as u32,
                    (operand.low >> 32) as u32,
                    operand.high as u32,
                    (operand.high >> 32) as u32,
                ];
                self.code.extend_from_slice(&all[..words]);
            }
        }
    }

    pub(super) fn set_handler(&mut self, start: usize, handler: Handler) {
        let address = handler as usize as u64;
        self.code[start] = address as u32;
        self.code[start + 1] = (address >> 32) as u32;
        const { assert!(HANDLER_WORDS == 2) };
    }

    // --- accumulators ---

    /// Forgets everything about the accumulators: control flow joins here.
    pub(super) fn forget_accumulators(&mut self) {
        self.acc = [None; CLASSES];
        self.forget_elidable();
    }

    /// Keeps the stores of all definitions so far: another path may need them.
    pub(super) fn forget_elidable(&mut self) {
        self.elidable = [None; CLASSES];
        self.last = None;
    }

    /// Records that the accumulator of a type's class holds what a slot does.
    pub(super) fn acc_holds(&mut self, ty: ValType, slot: u32) {
        if let Some(class) = class_index(class_of(ty)) {
            self.acc[class] = Some(slot);
        }
    }

    /// Records that a slot is overwritten.
    pub(super) fn overwrite(&mut self, slot: u32) {
        for class in 0..CLASSES {
            if self.acc[class] == Some(slot) {
                self.acc[class] = None;
            }
            if self.elidable[class].is_some_and(|def| def.slot == slot) {
                self.elidable[class] = None;
            }
        }
    }

    fn in_acc(&self, ty: ValType, slot: u32) -> Option<usize> {
        class_index(class_of(ty)).filter(|&class| self.acc[class] == Some(slot))
    }

    /// What the instruction that just defined `value` offers to the one that consumes it.
    pub(super) fn fusible(&self, value: StackValue) -> Option<(LastDef, Fusible)> {
        let last = self.last?;
        let is_last = value.place == Place::Canonical && last.slot == value.slot;
        Some((last, last.fusible.filter(|_| is_last)?))
    }

    /// Replaces the handler of the last instruction, whose only use is absorbed, and drops its
    /// destination; the operands stay.
    pub(super) fn absorb(&mut self, last: LastDef, handler: Handler) {
        self.code.pop();
        self.overwrite(last.slot);
        self.set_handler(last.start, handler);
        self.last = None;
    }

    /// The best form of a value that is consumed here.
    pub(super) fn consume(&mut self, value: StackValue) -> Operand {
        let operand = |form, slot| Operand {
            form,
            slot,
            low: 0,
            high: 0,
            ty: value.ty,
        };
        match value.place {
            Place::Const { low, high } => Operand {
                form: Form::Imm,
                slot: value.slot,
                low,
                high,
                ty: value.ty,
            },
            Place::Local(local) => {
                let slot = self.locals[local as usize].slot;
                let form = if self.in_acc(value.ty, slot).is_some() {
                    Form::Acc
                } else {
                    Form::Slot
                };
                operand(form, slot)
            }
            Place::Canonical => match self.in_acc(value.ty, value.slot) {
                Some(class) => {
                    if let Some(def) = self.elidable[class].take_if(|def| def.slot == value.slot) {
                        self.set_handler(def.start, def.acc_form);
                    }
                    operand(Form::Acc, value.slot)
                }
                None => operand(Form::Slot, value.slot),
            },
        }
    }

    /// A value consumed from a slot or as an immediate.
    pub(super) fn consume_no_acc(&mut self, value: StackValue) -> Operand {
        let (form, slot, low, high) = match value.place {
            Place::Const { low, high } => (Form::Imm, value.slot, low, high),
            Place::Local(local) => (Form::Slot, self.locals[local as usize].slot, 0, 0),
            Place::Canonical => (Form::Slot, value.slot, 0, 0),
        };
        Operand {
            form,
            slot,
            low,
            high,
            ty: value.ty,
        }
    }

    /// A value consumed from a slot; a constant is put into its canonical one first. Resolve these
    /// operands before any that may be in an accumulator.
    pub(super) fn consume_slot(&mut self, value: StackValue) -> u32 {
        let operand = self.consume_no_acc(value);
        if operand.form == Form::Imm {
            self.emit_move(operand, value.slot);
            return value.slot;
        }
        operand.slot
    }

    // --- definitions ---

    /// Ends an instruction with its destination, the canonical slot of the next height, and pushes
    /// the result. `acc_form` is its handler without the store; `None` when it has none.
    pub(super) fn define(&mut self, start: usize, forms: DestForms, ty: ValType) {
        self.define_fusible(start, forms, ty, None);
    }

    /// Turns the comparison that is the last instruction into its negation.
    pub(super) fn negate_last(&mut self, fusible: FusibleCompare) {
        let last = self.last.as_mut().expect("the caller has seen it");
        let negated = !fusible.negated;
        last.fusible = Some(Fusible::Compare(FusibleCompare { negated, ..fusible }));
        let (start, slot) = (last.start, last.slot);
        let forms = (fusible.compare)(fusible.a, fusible.b, negated);
        self.set_handler(start, forms.slot);
        if let Some(def) = self
            .elidable
            .iter_mut()
            .flatten()
            .find(|def| def.slot == slot)
        {
            def.acc_form = forms.acc;
        }
    }

    pub(super) fn define_fusible(
        &mut self,
        start: usize,
        forms: DestForms,
        ty: ValType,
        fusible: Option<Fusible>,
    ) {
        let slot = self.next_slot;
        let dst_word = self.code.len();
        self.slot_word(slot);
        self.note_definition(start, dst_word, slot, Some(forms.acc), ty, fusible);
        self.push(ty, Place::Canonical);
    }

    /// As [`Translator::define`], for handlers that always write the slot (and the accumulator).
    pub(super) fn define_slot_only(&mut self, start: usize, ty: ValType) {
        let slot = self.next_slot;
        let dst_word = self.code.len();
        self.slot_word(slot);
        self.note_definition(start, dst_word, slot, None, ty, None);
        self.push(ty, Place::Canonical);
    }

    fn note_definition(
        &mut self,
        start: usize,
        dst_word: usize,
        slot: u32,
        acc_form: Option<Handler>,
        ty: ValType,
        fusible: Option<Fusible>,
    ) {
        self.overwrite(slot);
        match class_index(class_of(ty)) {
            Some(class) => {
                self.acc[class] = Some(slot);
                self.elidable[class] = acc_form.map(|acc_form| Elidable {
                    start,
                    slot,
                    acc_form,
                });
            }
            None => self.overwrite(slot + 1),
        }
        self.last = Some(LastDef {
            start,
            dst_word,
            slot,
            fusible,
        });
    }

    /// Emits `slot = operand`.
    pub(super) fn emit_move(&mut self, operand: Operand, slot: u32) {
        if operand.form == Form::Slot && operand.slot == slot {
            return;
        }
        let forms = with_slot_type!(operand.ty, T => pick_move::<T>(operand.form));
        let start = self.begin(forms.slot);
        self.operand_words(operand);
        let dst_word = self.code.len();
        self.slot_word(slot);
        self.note_definition(start, dst_word, slot, None, operand.ty, None);
    }

    /// Puts a value into a slot: by giving the instruction that just made it another destination,
    /// or by a move. The value is consumed.
    pub(super) fn move_value(&mut self, value: StackValue, slot: u32) {
        if value.place == Place::Canonical {
            if value.slot == slot {
                return;
            }
            if let Some(last) = self.last.filter(|last| last.slot == value.slot) {
                self.code[last.dst_word] = slot_offset(slot);
                self.overwrite(slot);
                if value.ty == ValType::V128 {
                    self.overwrite(slot + 1);
                }
                if let Some(class) = class_index(class_of(value.ty)) {
                    self.acc[class] = Some(slot);
                    self.elidable[class] = None;
                }
                self.last = None;
                return;
            }
        }
        let operand = self.consume(value);
        self.emit_move(operand, slot);
    }
}

/// The handler that copies a value of a type.
fn pick_move<T: SlotValue>(form: Form) -> DestForms {
    pick_unary::<Move<T>>(form)
}

/// The bits of a value, as immediates and constants hold them.
pub(super) fn to_bits<T: SlotValue>(value: T) -> u64 {
    let (int, float32, float64) = value.to_acc(0, 0.0, 0.0);
    match T::CLASS {
        Class::Int => int,
        Class::F32 => u64::from(float32.to_bits()),
        Class::F64 => float64.to_bits(),
        Class::None => unreachable!("vectors are not folded"),
    }
}

/// The value that bits mean.
pub(super) fn from_bits<T: SlotValue>(bits: u64) -> T {
    T::from_acc(bits, f32::from_bits(bits as u32), f64::from_bits(bits))
}

/// The two words of a vector constant.
pub(super) fn vector_bits(value: V128) -> (u64, u64) {
    let bits = value.to_u128();
    (bits as u64, (bits >> 64) as u64)
}
