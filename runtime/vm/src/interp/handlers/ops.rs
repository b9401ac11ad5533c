//! Numeric handlers: one generic shape per arity, instantiated for each operator of
//! [`numeric`](crate::operations::numeric) and for each operand form.

use crate::interp::machine::{
    A, Dest, HANDLER_WORDS, Handler, I, S, SlotValue, Source, dispatch, handler, trap_at,
};
use crate::interp::translate::operand::Form;
use crate::operations::numeric::{Binary, Compare, Unary};
use core::sync::atomic::Ordering;
use zwasm_core::TrapCode;

const H: usize = HANDLER_WORDS;

handler! {
    /// `dst = op(a)`; operands: a, dst.
    fn unary<{O: Unary<In: SlotValue, Out: SlotValue>, X: Source<O::In>, D: Dest}>(ip, fp, cx, mem, len, acc, a32, a64) {
        let a = X::read(ip, H, fp, acc, a32, a64);
        match O::eval(a) {
            Ok(value) => {
                D::write(ip, H + X::WORDS, fp, value);
                let (acc, a32, a64) = value.to_acc(acc, a32, a64);
                dispatch!(ip.add(H + X::WORDS + 1), fp, cx, mem, len, acc, a32, a64)
            }
            Err(code) => trap_at(ip, fp, cx, code),
        }
    }
}

handler! {
    /// `dst = op(a, b)`; operands: a, b, dst.
    fn binary<{O: Binary<L: SlotValue, R: SlotValue, Out: SlotValue>, X: Source<O::L>, Y: Source<O::R>, D: Dest}>(ip, fp, cx, mem, len, acc, a32, a64) {
        let a = X::read(ip, H, fp, acc, a32, a64);
        let b = Y::read(ip, H + X::WORDS, fp, acc, a32, a64);
        match O::eval(a, b) {
            Ok(value) => {
                D::write(ip, H + X::WORDS + Y::WORDS, fp, value);
                let (acc, a32, a64) = value.to_acc(acc, a32, a64);
                dispatch!(ip.add(H + X::WORDS + Y::WORDS + 1), fp, cx, mem, len, acc, a32, a64)
            }
            Err(code) => trap_at(ip, fp, cx, code),
        }
    }
}

handler! {
    /// `dst = compare(a, b) != NEG`; operands: a, b, dst.
    fn compare<{O: Compare<In: SlotValue>, X: Source<O::In>, Y: Source<O::In>, D: Dest, const NEG: bool}>(ip, fp, cx, mem, len, acc, a32, a64) {
        let a = X::read(ip, H, fp, acc, a32, a64);
        let b = Y::read(ip, H + X::WORDS, fp, acc, a32, a64);
        let value = i32::from(O::eval(a, b) != NEG);
        D::write(ip, H + X::WORDS + Y::WORDS, fp, value);
        let (acc, a32, a64) = value.to_acc(acc, a32, a64);
        dispatch!(ip.add(H + X::WORDS + Y::WORDS + 1), fp, cx, mem, len, acc, a32, a64)
    }
}

handler! {
    /// Branches when `compare(a, b) != NEG`; operands: a, b, target. `BACK` branches go to loop
    /// headers and look for interruptions.
    fn branch_compare<{O: Compare<In: SlotValue>, X: Source<O::In>, Y: Source<O::In>, const NEG: bool, const BACK: bool}>(ip, fp, cx, mem, len, acc, a32, a64) {
        let a = X::read(ip, H, fp, acc, a32, a64);
        let b = Y::read(ip, H + X::WORDS, fp, acc, a32, a64);
        if O::eval(a, b) != NEG {
            let distance = *ip.add(H + X::WORDS + Y::WORDS) as i32 as isize;
            if BACK && (*(*cx).limits).cells.interrupt.load(Ordering::Relaxed) != 0 {
                return trap_at(ip, fp, cx, TrapCode::Interrupted);
            }
            dispatch!(ip.offset(distance), fp, cx, mem, len, acc, a32, a64)
        }
        dispatch!(ip.add(H + X::WORDS + Y::WORDS + 1), fp, cx, mem, len, acc, a32, a64)
    }
}

/// A handler in its two destination forms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DestForms {
    /// Writes the slot (and the accumulator).
    pub(crate) slot: Handler,
    /// Writes the accumulator only.
    pub(crate) acc: Handler,
}

macro_rules! dest_forms {
    ($handler:ident, [$($arg:ty),*] $(, $flag:expr)?) => {
        DestForms {
            slot: $handler::<$($arg,)* S $(, $flag)?>,
            acc: $handler::<$($arg,)* A $(, $flag)?>,
        }
    };
}

/// Applies a macro to the forms of two operands.
macro_rules! pick_pair {
    ($a:expr, $b:expr, $m:ident) => {
        match ($a, $b) {
            (Form::Slot, Form::Slot) => $m!(S, S),
            (Form::Slot, Form::Acc) => $m!(S, A),
            (Form::Slot, Form::Imm) => $m!(S, I),
            (Form::Acc, Form::Slot) => $m!(A, S),
            (Form::Acc, Form::Acc) => $m!(A, A),
            (Form::Acc, Form::Imm) => $m!(A, I),
            (Form::Imm, Form::Slot) => $m!(I, S),
            (Form::Imm, Form::Acc) => $m!(I, A),
            (Form::Imm, Form::Imm) => $m!(I, I),
        }
    };
}

/// The handler of a scalar unary operator for an operand form.
pub(crate) fn pick_unary<O: Unary<In: SlotValue, Out: SlotValue>>(a: Form) -> DestForms {
    match a {
        Form::Slot => dest_forms!(unary, [O, S]),
        Form::Acc => dest_forms!(unary, [O, A]),
        Form::Imm => dest_forms!(unary, [O, I]),
    }
}

/// The handler of a scalar binary operator for two operand forms.
pub(crate) fn pick_binary<O: Binary<L: SlotValue, R: SlotValue, Out: SlotValue>>(
    a: Form,
    b: Form,
) -> DestForms {
    macro_rules! forms {
        ($x:ty, $y:ty) => {
            dest_forms!(binary, [O, $x, $y])
        };
    }
    pick_pair!(a, b, forms)
}

/// The handler of a comparison for two operand forms.
pub(crate) fn pick_compare<O: Compare<In: SlotValue>>(a: Form, b: Form, neg: bool) -> DestForms {
    macro_rules! forms {
        ($x:ty, $y:ty) => {
            if neg {
                dest_forms!(compare, [O, $x, $y], true)
            } else {
                dest_forms!(compare, [O, $x, $y], false)
            }
        };
    }
    pick_pair!(a, b, forms)
}

/// The handler that branches on a comparison for two operand forms.
pub(crate) fn pick_branch<O: Compare<In: SlotValue>>(
    a: Form,
    b: Form,
    neg: bool,
    back: bool,
) -> Handler {
    macro_rules! forms {
        ($x:ty, $y:ty) => {
            match (neg, back) {
                (false, false) => branch_compare::<O, $x, $y, false, false> as Handler,
                (false, true) => branch_compare::<O, $x, $y, false, true>,
                (true, false) => branch_compare::<O, $x, $y, true, false>,
                (true, true) => branch_compare::<O, $x, $y, true, true>,
            }
        };
    }
    pick_pair!(a, b, forms)
}
