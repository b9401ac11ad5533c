//! Numeric operators as types, for code that is generic over them: a handler of the interpreter, or a
//! helper of machine code, per shape. What they compute is `zwasm_core::num`'s.

use core::marker::PhantomData;
use zwasm_core::TrapCode;
use zwasm_core::num::{self, V128};

/// A unary operator.
pub(crate) trait Unary {
    type In: Copy;
    type Out: Copy;
    const MAY_TRAP: bool = false;
    fn eval(a: Self::In) -> Result<Self::Out, TrapCode>;
}

/// A binary operator.
pub(crate) trait Binary {
    type L: Copy;
    type R: Copy;
    type Out: Copy;
    const MAY_TRAP: bool = false;
    fn eval(a: Self::L, b: Self::R) -> Result<Self::Out, TrapCode>;
}

/// A comparison.
pub(crate) trait Compare {
    type In: Copy;
    fn eval(a: Self::In, b: Self::In) -> bool;
}

/// `V128, V128, V128 -> V128`.
pub(crate) trait Ternary {
    fn eval(a: V128, b: V128, c: V128) -> V128;
}

/// `V128, lane -> scalar`.
pub(crate) trait ExtractLane {
    type Out: Copy;
    fn eval(a: V128, lane: u8) -> Self::Out;
}

/// `V128, lane, scalar -> V128`.
pub(crate) trait ReplaceLane {
    type In: Copy;
    fn eval(a: V128, lane: u8, value: Self::In) -> V128;
}

/// A lane loaded into a vector.
pub(crate) trait LoadLane {
    type Raw: Copy;
    fn eval(a: V128, lane: u8, raw: Self::Raw) -> V128;
}

/// A lane stored from a vector.
pub(crate) trait StoreLane {
    type Raw: Copy;
    fn eval(a: V128, lane: u8) -> Self::Raw;
}

/// Copies a value.
pub(crate) struct Move<T>(PhantomData<T>);

impl<T: Copy> Unary for Move<T> {
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

macro_rules! ternary_ops {
    ($($name:ident $func:ident (V128, V128, V128) -> V128;)*) => {$(
        pub(crate) struct $name;
        impl Ternary for $name {
            #[inline(always)]
            fn eval(a: V128, b: V128, c: V128) -> V128 {
                num::$func(a, b, c)
            }
        }
    )*};
}
macro_rules! extract_lane_ops {
    ($($name:ident $func:ident (V128, u8) -> $out:ty;)*) => {$(
        pub(crate) struct $name;
        impl ExtractLane for $name {
            type Out = $out;
            #[inline(always)]
            fn eval(a: V128, lane: u8) -> $out {
                num::$func(a, lane)
            }
        }
    )*};
}
macro_rules! replace_lane_ops {
    ($($name:ident $func:ident (V128, u8, $value:ty) -> V128;)*) => {$(
        pub(crate) struct $name;
        impl ReplaceLane for $name {
            type In = $value;
            #[inline(always)]
            fn eval(a: V128, lane: u8, value: $value) -> V128 {
                num::$func(a, lane, value)
            }
        }
    )*};
}
macro_rules! load_lane_ops {
    ($($name:ident $func:ident (V128, u8, $raw:ty) -> V128;)*) => {$(
        pub(crate) struct $name;
        impl LoadLane for $name {
            type Raw = $raw;
            #[inline(always)]
            fn eval(a: V128, lane: u8, raw: $raw) -> V128 {
                num::$func(a, lane, raw)
            }
        }
    )*};
}
macro_rules! store_lane_ops {
    ($($name:ident $func:ident (V128, u8) -> $raw:ty;)*) => {$(
        pub(crate) struct $name;
        impl StoreLane for $name {
            type Raw = $raw;
            #[inline(always)]
            fn eval(a: V128, lane: u8) -> $raw {
                num::$func(a, lane)
            }
        }
    )*};
}

zwasm_core::for_each_v128_ternary!(ternary_ops);
zwasm_core::for_each_v128_extract_lane!(extract_lane_ops);
zwasm_core::for_each_v128_replace_lane!(replace_lane_ops);
zwasm_core::for_each_v128_load_lane!(load_lane_ops);
zwasm_core::for_each_v128_store_lane!(store_lane_ops);
