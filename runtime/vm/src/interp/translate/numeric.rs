//! Numeric operators, scalar and vector: constant folding and the choice of handlers.

use super::Translator;
use super::emit::{Fusible, FusibleCompare, from_bits, to_bits};
use super::operand::{Place, StackValue};
use crate::interp::handlers::ops::{
    self, DestForms, pick_binary, pick_branch, pick_compare, pick_unary,
};
use crate::interp::handlers::simd;
use crate::interp::handlers::variable;
use crate::interp::machine::{A, Handler, S, SlotValue};
use crate::operations::numeric::{self, Binary, Compare, ExtractLane, ReplaceLane, Ternary, Unary};
use core::any::TypeId;
use wasmparser::Operator;
use zwasm_core::ValType;

/// The bits of a constant scalar.
fn constant(value: StackValue) -> Option<u64> {
    match value.place {
        Place::Const { low, .. } => Some(low),
        _ => None,
    }
}

impl Translator<'_> {
    /// Numeric operators; false for all others.
    pub(super) fn numeric_operator(&mut self, op: &Operator<'_>) -> bool {
        macro_rules! rows {
            ($method:ident: $($name:ident $func:ident $args:tt -> $out:ty;)*) => {
                match op {
                    $(Operator::$name => {
                        self.$method::<numeric::$name>();
                        return true;
                    })*
                    _ => {}
                }
            };
        }
        macro_rules! unary_rows {
            ($($rows:tt)*) => { rows! { unary: $($rows)* } };
        }
        macro_rules! binary_rows {
            ($($rows:tt)*) => { rows! { binary: $($rows)* } };
        }
        macro_rules! compare_rows {
            ($($rows:tt)*) => { rows! { compare: $($rows)* } };
        }
        macro_rules! v128_unary_rows {
            ($($rows:tt)*) => { rows! { v128_unary: $($rows)* } };
        }
        macro_rules! v128_binary_rows {
            ($($rows:tt)*) => { rows! { v128_binary: $($rows)* } };
        }
        macro_rules! v128_shift_rows {
            ($($rows:tt)*) => { rows! { v128_shift: $($rows)* } };
        }
        macro_rules! v128_test_rows {
            ($($rows:tt)*) => { rows! { v128_test: $($rows)* } };
        }
        match op {
            Operator::I32Eqz => {
                self.i32_eqz();
                return true;
            }
            Operator::I64Eqz => {
                self.push_const(ValType::I64, 0);
                self.compare::<numeric::I64Eq>();
                return true;
            }
            _ => {}
        }
        zwasm_core::for_each_binary!(binary_rows);
        zwasm_core::for_each_compare!(compare_rows);
        zwasm_core::for_each_unary!(unary_rows);
        zwasm_core::for_each_binary_trapping!(binary_rows);
        zwasm_core::for_each_unary_trapping!(unary_rows);
        zwasm_core::for_each_v128_binary!(v128_binary_rows);
        zwasm_core::for_each_v128_unary!(v128_unary_rows);
        zwasm_core::for_each_v128_shift!(v128_shift_rows);
        zwasm_core::for_each_v128_test!(v128_test_rows);
        zwasm_core::for_each_v128_splat!(unary_rows);
        self.lane_operator(op) || self.wide_operator(op)
    }

    fn unary<O: Unary<In: SlotValue, Out: SlotValue>>(&mut self) {
        let value = self.pop();
        let ty = <O::Out as SlotValue>::TYPE;
        if ty != ValType::V128
            && let Some(bits) = constant(value)
            && let Ok(result) = O::eval(from_bits(bits))
        {
            self.push_const(ty, to_bits(result));
            return;
        }
        let operand = self.consume(value);
        let forms = pick_unary::<O>(operand.form);
        let start = self.begin_if_trapping(forms.slot, O::MAY_TRAP);
        self.operand_words(operand);
        self.define(start, forms, ty);
    }

    fn binary<O: Binary<L: SlotValue, R: SlotValue, Out: SlotValue> + 'static>(&mut self) {
        let b = self.pop();
        let a = self.pop();
        let ty = <O::Out as SlotValue>::TYPE;
        if let (Some(x), Some(y)) = (constant(a), constant(b))
            && let Ok(result) = O::eval(from_bits(x), from_bits(y))
        {
            self.push_const(ty, to_bits(result));
            return;
        }
        let b = self.consume(b);
        let a = self.consume(a);
        let forms = pick_binary::<O>(a.form, b.form);
        let start = self.begin_if_trapping(forms.slot, O::MAY_TRAP);
        self.operand_words(a);
        self.operand_words(b);
        let is_sum = TypeId::of::<O>() == TypeId::of::<numeric::I32Add>();
        let fusible = is_sum.then_some(Fusible::Sum {
            a: a.form,
            b: b.form,
        });
        self.define_fusible(start, forms, ty, fusible);
    }

    fn compare<O: Compare<In: SlotValue>>(&mut self) {
        let b = self.pop();
        let a = self.pop();
        if let (Some(x), Some(y)) = (constant(a), constant(b)) {
            self.push_const(ValType::I32, u64::from(O::eval(from_bits(x), from_bits(y))));
            return;
        }
        let b = self.consume(b);
        let a = self.consume(a);
        let forms = pick_compare::<O>(a.form, b.form, false);
        let start = self.begin(forms.slot);
        self.operand_words(a);
        self.operand_words(b);
        let fusible = Fusible::Compare(FusibleCompare {
            a: a.form,
            b: b.form,
            negated: false,
            branch: pick_branch::<O>,
            compare: pick_compare::<O>,
        });
        self.define_fusible(start, forms, ValType::I32, Some(fusible));
    }

    /// `i32.eqz`: of a comparison made just now, its negation; else a comparison with zero.
    fn i32_eqz(&mut self) {
        let value = *self.stack.last().expect("validated");
        if let Some((_, Fusible::Compare(compare))) = self.fusible(value) {
            self.negate_last(compare);
            return;
        }
        self.push_const(ValType::I32, 0);
        self.compare::<numeric::I32Eq>();
    }

    // --- vectors: slots only ---

    fn v128_unary<O: Unary<In: SlotValue, Out: SlotValue>>(&mut self) {
        let [a] = self.pop_slots();
        let start = self.begin(ops::unary::<O, S, S>);
        self.slot_word(a);
        self.define_slot_only(start, ValType::V128);
    }

    fn v128_binary<O: Binary<L: SlotValue, R: SlotValue, Out: SlotValue>>(&mut self) {
        let [a, b] = self.pop_slots();
        let start = self.begin(ops::binary::<O, S, S, S>);
        self.slot_word(a);
        self.slot_word(b);
        self.define_slot_only(start, ValType::V128);
    }

    fn v128_shift<O: Binary<L: SlotValue, R: SlotValue, Out: SlotValue>>(&mut self) {
        let [a, b] = self.pop_slots();
        let start = self.begin(ops::binary::<O, S, S, S>);
        self.slot_word(a);
        self.slot_word(b);
        self.define_slot_only(start, ValType::V128);
    }

    fn v128_test<O: Unary<In: SlotValue, Out: SlotValue>>(&mut self) {
        let [a] = self.pop_slots();
        let forms = DestForms {
            slot: ops::unary::<O, S, S>,
            acc: ops::unary::<O, S, A>,
        };
        let start = self.begin(forms.slot);
        self.slot_word(a);
        self.define(start, forms, ValType::I32);
    }

    fn v128_ternary<O: Ternary>(&mut self) {
        let [a, b, c] = self.pop_slots();
        let start = self.begin(simd::ternary::<O>);
        self.slot_word(a);
        self.slot_word(b);
        self.slot_word(c);
        self.define_slot_only(start, ValType::V128);
    }

    fn extract_lane<O: ExtractLane<Out: SlotValue>>(&mut self, lane: u8) {
        let [a] = self.pop_slots();
        let forms = simd::pick_extract_lane::<O>();
        let start = self.begin(forms.slot);
        self.slot_word(a);
        self.word(u32::from(lane));
        self.define(start, forms, <O::Out as SlotValue>::TYPE);
    }

    fn replace_lane<O: ReplaceLane<In: SlotValue>>(&mut self, lane: u8) {
        let [a, value] = self.pop_slots();
        let start = self.begin(simd::replace_lane::<O>);
        self.slot_word(a);
        self.word(u32::from(lane));
        self.slot_word(value);
        self.define_slot_only(start, ValType::V128);
    }

    fn lane_operator(&mut self, op: &Operator<'_>) -> bool {
        macro_rules! ternary_rows {
            ($($name:ident $func:ident $args:tt -> $out:ty;)*) => {
                match op {
                    $(Operator::$name => {
                        self.v128_ternary::<numeric::$name>();
                        return true;
                    })*
                    _ => {}
                }
            };
        }
        macro_rules! extract_rows {
            ($($name:ident $func:ident $args:tt -> $out:ty;)*) => {
                match op {
                    $(Operator::$name { lane } => {
                        self.extract_lane::<numeric::$name>(*lane);
                        return true;
                    })*
                    _ => {}
                }
            };
        }
        macro_rules! replace_rows {
            ($($name:ident $func:ident $args:tt -> $out:ty;)*) => {
                match op {
                    $(Operator::$name { lane } => {
                        self.replace_lane::<numeric::$name>(*lane);
                        return true;
                    })*
                    _ => {}
                }
            };
        }
        zwasm_core::for_each_v128_ternary!(ternary_rows);
        zwasm_core::for_each_v128_extract_lane!(extract_rows);
        zwasm_core::for_each_v128_replace_lane!(replace_rows);
        let Operator::I8x16Shuffle { lanes } = op else {
            return false;
        };
        let [a, b] = self.pop_slots();
        let start = self.begin(simd::shuffle);
        self.slot_word(a);
        self.slot_word(b);
        for lane in lanes.chunks_exact(4) {
            self.word(u32::from_le_bytes([lane[0], lane[1], lane[2], lane[3]]));
        }
        self.define_slot_only(start, ValType::V128);
        true
    }

    fn wide_operator(&mut self, op: &Operator<'_>) -> bool {
        let handler: Handler = match op {
            Operator::I64Add128 => variable::wide4::<true>,
            Operator::I64Sub128 => variable::wide4::<false>,
            Operator::I64MulWideS => variable::wide_mul::<true>,
            Operator::I64MulWideU => variable::wide_mul::<false>,
            _ => return false,
        };
        let operands: Vec<u32> = match op {
            Operator::I64Add128 | Operator::I64Sub128 => self.pop_slots::<4>().to_vec(),
            _ => self.pop_slots::<2>().to_vec(),
        };
        self.begin(handler);
        for slot in operands {
            self.slot_word(slot);
        }
        let dst = self.next_slot;
        self.slot_word(dst);
        self.overwrite(dst);
        self.overwrite(dst + 1);
        self.push(ValType::I64, Place::Canonical);
        self.push(ValType::I64, Place::Canonical);
        true
    }
}
