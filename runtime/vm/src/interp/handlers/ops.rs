//! Numeric handlers: one generic shape per arity, instantiated for each operator of the tables in
//! `zwasm_core::num` and for each operand form.

use crate::interp::machine::{
    A, Dest, HANDLER_WORDS, Handler, I, S, SlotValue, Source, dispatch, handler, trap_at,
};
use crate::interp::translate::operand::Form;
use core::marker::PhantomData;
use core::sync::atomic::Ordering;
use zwasm_core::TrapCode;
use zwasm_core::num::{self, V128};

const H: usize = HANDLER_WORDS;

/// A unary operator.
pub(crate) trait Unary {
    type In: SlotValue;
    type Out: SlotValue;
    const MAY_TRAP: bool = false;
    fn eval(a: Self::In) -> Result<Self::Out, TrapCode>;
}

/// A binary operator.
pub(crate) trait Binary {
    type L: SlotValue;
    type R: SlotValue;
    type Out: SlotValue;
    const MAY_TRAP: bool = false;
    fn eval(a: Self::L, b: Self::R) -> Result<Self::Out, TrapCode>;
}

/// A comparison.
pub(crate) trait Compare {
    type In: SlotValue;
    fn eval(a: Self::In, b: Self::In) -> bool;
}

handler! {
    /// `dst = op(a)`; operands: a, dst.
    fn unary<{O: Unary, X: Source<O::In>, D: Dest}>(ip, fp, cx, mem, len, acc, a32, a64) {
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
    fn binary<{O: Binary, X: Source<O::L>, Y: Source<O::R>, D: Dest}>(ip, fp, cx, mem, len, acc, a32, a64) {
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
    fn compare<{O: Compare, X: Source<O::In>, Y: Source<O::In>, D: Dest, const NEG: bool}>(ip, fp, cx, mem, len, acc, a32, a64) {
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
    fn branch_compare<{O: Compare, X: Source<O::In>, Y: Source<O::In>, const NEG: bool, const BACK: bool}>(ip, fp, cx, mem, len, acc, a32, a64) {
        let a = X::read(ip, H, fp, acc, a32, a64);
        let b = Y::read(ip, H + X::WORDS, fp, acc, a32, a64);
        if O::eval(a, b) != NEG {
            let distance = *ip.add(H + X::WORDS + Y::WORDS) as i32 as isize;
            if BACK && (*(*cx).limits).interrupt.load(Ordering::Relaxed) != 0 {
                return trap_at(ip, fp, cx, TrapCode::Interrupted);
            }
            dispatch!(ip.offset(distance), fp, cx, mem, len, acc, a32, a64)
        }
        dispatch!(ip.add(H + X::WORDS + Y::WORDS + 1), fp, cx, mem, len, acc, a32, a64)
    }
}

/// Copies a value.
pub(crate) struct Move<T>(PhantomData<T>);

impl<T: SlotValue> Unary for Move<T> {
    type In = T;
    type Out = T;
    #[inline(always)]
    fn eval(a: T) -> Result<T, TrapCode> {
        Ok(a)
    }
}

macro_rules! unary_ops {
    ($($name:ident $func:ident ($a:ty) -> $out:ty;)*) => {$(
        pub(crate) struct $name;
        impl Unary for $name {
            type In = $a;
            type Out = $out;
            #[inline(always)]
            fn eval(a: $a) -> Result<$out, TrapCode> {
                Ok(num::$func(a))
            }
        }
    )*};
}
macro_rules! unary_trapping_ops {
    ($($name:ident $func:ident ($a:ty) -> $out:ty;)*) => {$(
        pub(crate) struct $name;
        impl Unary for $name {
            type In = $a;
            type Out = $out;
            const MAY_TRAP: bool = true;
            #[inline(always)]
            fn eval(a: $a) -> Result<$out, TrapCode> {
                num::$func(a)
            }
        }
    )*};
}
macro_rules! binary_ops {
    ($($name:ident $func:ident ($a:ty, $b:ty) -> $out:ty;)*) => {$(
        pub(crate) struct $name;
        impl Binary for $name {
            type L = $a;
            type R = $b;
            type Out = $out;
            #[inline(always)]
            fn eval(a: $a, b: $b) -> Result<$out, TrapCode> {
                Ok(num::$func(a, b))
            }
        }
    )*};
}
macro_rules! binary_trapping_ops {
    ($($name:ident $func:ident ($a:ty, $b:ty) -> $out:ty;)*) => {$(
        pub(crate) struct $name;
        impl Binary for $name {
            type L = $a;
            type R = $b;
            type Out = $out;
            const MAY_TRAP: bool = true;
            #[inline(always)]
            fn eval(a: $a, b: $b) -> Result<$out, TrapCode> {
                num::$func(a, b)
            }
        }
    )*};
}
macro_rules! compare_ops {
    ($($name:ident $func:ident ($a:ty, $b:ty) -> $out:ty;)*) => {$(
        pub(crate) struct $name;
        impl Compare for $name {
            type In = $a;
            #[inline(always)]
            fn eval(a: $a, b: $b) -> bool {
                num::$func(a, b) != 0
            }
        }
    )*};
}

zwasm_core::for_each_unary!(unary_ops);
zwasm_core::for_each_unary_trapping!(unary_trapping_ops);
zwasm_core::for_each_binary!(binary_ops);
zwasm_core::for_each_binary_trapping!(binary_trapping_ops);
zwasm_core::for_each_compare!(compare_ops);
zwasm_core::for_each_v128_unary!(unary_ops);
zwasm_core::for_each_v128_binary!(binary_ops);
zwasm_core::for_each_v128_shift!(binary_ops);
zwasm_core::for_each_v128_test!(unary_ops);
zwasm_core::for_each_v128_splat!(unary_ops);

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
pub(crate) fn pick_unary<O: Unary>(a: Form) -> DestForms {
    match a {
        Form::Slot => dest_forms!(unary, [O, S]),
        Form::Acc => dest_forms!(unary, [O, A]),
        Form::Imm => dest_forms!(unary, [O, I]),
    }
}

/// The handler of a scalar binary operator for two operand forms.
pub(crate) fn pick_binary<O: Binary>(a: Form, b: Form) -> DestForms {
    macro_rules! forms {
        ($x:ty, $y:ty) => {
            dest_forms!(binary, [O, $x, $y])
        };
    }
    pick_pair!(a, b, forms)
}

/// The handler of a comparison for two operand forms.
pub(crate) fn pick_compare<O: Compare>(a: Form, b: Form, neg: bool) -> DestForms {
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
pub(crate) fn pick_branch<O: Compare>(a: Form, b: Form, neg: bool, back: bool) -> Handler {
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
