//! Globals, `select`, and the wide-arithmetic operators.

use super::ops::DestForms;
use crate::interp::machine::{
    A, Dest, HANDLER_WORDS, Handler, I, S, SlotValue, Source, dispatch, handler, slot,
};
use crate::interp::translate::operand::Form;
use crate::vmctx::VmContext;
use zwasm_core::num;

const H: usize = HANDLER_WORDS;

/// The cell of a global whose context offset is the word at `ip + at`.
///
/// # Safety
/// The word is the offset of a cell, or with `IMPORTED` of a pointer to one.
#[inline(always)]
unsafe fn cell<T, const IMPORTED: bool>(ip: *const u32, at: usize, cx: *mut VmContext) -> *mut T {
    // SAFETY: forwarded.
    unsafe {
        let offset = *ip.add(at);
        if IMPORTED {
            *VmContext::at::<*mut T>(cx, offset)
        } else {
            VmContext::at(cx, offset)
        }
    }
}

handler! {
    /// `dst = global`; operands: context offset, dst.
    fn global_get<{T: SlotValue, D: Dest, const IMPORTED: bool}>(ip, fp, cx, mem, len, acc, a32, a64) {
        let value: T = cell::<T, IMPORTED>(ip, H, cx).read_unaligned();
        D::write(ip, H + 1, fp, value);
        let (acc, a32, a64) = value.to_acc(acc, a32, a64);
        dispatch!(ip.add(H + 2), fp, cx, mem, len, acc, a32, a64)
    }
}

handler! {
    /// `global = a`; operands: a, context offset.
    fn global_set<{T: SlotValue, X: Source<T>, const IMPORTED: bool}>(ip, fp, cx, mem, len, acc, a32, a64) {
        let value = X::read(ip, H, fp, acc, a32, a64);
        cell::<T, IMPORTED>(ip, H + X::WORDS, cx).write_unaligned(value);
        dispatch!(ip.add(H + X::WORDS + 1), fp, cx, mem, len, acc, a32, a64)
    }
}

handler! {
    /// `dst = if cond { a } else { b }`; operands: cond, a, b, dst.
    fn select<{T: SlotValue, C: Source<i32>, X: Source<T>, Y: Source<T>, D: Dest}>(ip, fp, cx, mem, len, acc, a32, a64) {
        let cond = C::read(ip, H, fp, acc, a32, a64);
        let a = X::read(ip, H + C::WORDS, fp, acc, a32, a64);
        let b = Y::read(ip, H + C::WORDS + X::WORDS, fp, acc, a32, a64);
        let value = core::hint::select_unpredictable(cond != 0, a, b);
        D::write(ip, H + C::WORDS + X::WORDS + Y::WORDS, fp, value);
        let (acc, a32, a64) = value.to_acc(acc, a32, a64);
        dispatch!(ip.add(H + C::WORDS + X::WORDS + Y::WORDS + 1), fp, cx, mem, len, acc, a32, a64)
    }
}

handler! {
    /// `(lo, hi) = op(a_lo, a_hi, b_lo, b_hi)`; operands: four slots, dst (two slots).
    fn wide4<{const ADD: bool}>(ip, fp, cx, mem, len, acc, a32, a64) {
        let read = |at: usize| *slot::<i64>(ip, H + at, fp);
        let op = if ADD { num::i64_add128 } else { num::i64_sub128 };
        let (low, high) = op(read(0), read(1), read(2), read(3));
        slot::<[i64; 2]>(ip, H + 4, fp).write([low, high]);
        dispatch!(ip.add(H + 5), fp, cx, mem, len, acc, a32, a64)
    }
}

handler! {
    /// `(lo, hi) = a * b`; operands: two slots, dst (two slots).
    fn wide_mul<{const SIGNED: bool}>(ip, fp, cx, mem, len, acc, a32, a64) {
        let read = |at: usize| *slot::<i64>(ip, H + at, fp);
        let op = if SIGNED { num::i64_mul_wide_s } else { num::i64_mul_wide_u };
        let (low, high) = op(read(0), read(1));
        slot::<[i64; 2]>(ip, H + 2, fp).write([low, high]);
        dispatch!(ip.add(H + 3), fp, cx, mem, len, acc, a32, a64)
    }
}

/// The handler that reads a global.
pub(crate) fn pick_global_get<T: SlotValue>(imported: bool) -> DestForms {
    if imported {
        DestForms {
            slot: global_get::<T, S, true>,
            acc: global_get::<T, A, true>,
        }
    } else {
        DestForms {
            slot: global_get::<T, S, false>,
            acc: global_get::<T, A, false>,
        }
    }
}

/// The handler that assigns a global.
pub(crate) fn pick_global_set<T: SlotValue>(a: Form, imported: bool) -> Handler {
    match (a, imported) {
        (Form::Slot, false) => global_set::<T, S, false>,
        (Form::Slot, true) => global_set::<T, S, true>,
        (Form::Acc, false) => global_set::<T, A, false>,
        (Form::Acc, true) => global_set::<T, A, true>,
        (Form::Imm, false) => global_set::<T, I, false>,
        (Form::Imm, true) => global_set::<T, I, true>,
    }
}

/// The handler of `select`. The condition is a slot or the accumulator, the values are slots or
/// immediates.
pub(crate) fn pick_select<T: SlotValue>(cond: Form, a: Form, b: Form) -> DestForms {
    macro_rules! forms {
        ($c:ty, $x:ty, $y:ty) => {
            DestForms {
                slot: select::<T, $c, $x, $y, S>,
                acc: select::<T, $c, $x, $y, A>,
            }
        };
    }
    match (cond, a, b) {
        (Form::Slot, Form::Slot, Form::Slot) => forms!(S, S, S),
        (Form::Slot, Form::Slot, Form::Imm) => forms!(S, S, I),
        (Form::Slot, Form::Imm, Form::Slot) => forms!(S, I, S),
        (Form::Slot, Form::Imm, Form::Imm) => forms!(S, I, I),
        (Form::Acc, Form::Slot, Form::Slot) => forms!(A, S, S),
        (Form::Acc, Form::Slot, Form::Imm) => forms!(A, S, I),
        (Form::Acc, Form::Imm, Form::Slot) => forms!(A, I, S),
        (Form::Acc, Form::Imm, Form::Imm) => forms!(A, I, I),
        _ => unreachable!("the translator asks for no other forms"),
    }
}
