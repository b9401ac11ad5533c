//! Relaxed SIMD with one fixed choice for each instruction that the specification leaves open.
//!
//! Every host computes the same: the operations that have a strict counterpart are that counterpart
//! (swizzle, truncation, min, max, lane select by bits, the rounding multiplication), the dot
//! products read the seven-bit operand as signed and keep the intermediate sums wrapping, and the
//! multiply-adds are fused, so they round once. A compiling tier that inlines something else must
//! stay inside what the specification allows and is then not comparable bit by bit with the
//! interpreter.

use super::simd_convert::*;
use super::simd_float::*;
use super::simd_int::*;
use super::simd_lane::*;
use super::v128::{V128, build, zip3};

/// Rows of `relaxed: strict;`.
macro_rules! same_unary {
    ($($name:ident: $strict:ident;)*) => {$(
        #[inline(always)]
        pub fn $name(a: V128) -> V128 {
            $strict(a)
        }
    )*};
}

/// Rows of `relaxed: strict;`.
macro_rules! same_binary {
    ($($name:ident: $strict:ident;)*) => {$(
        #[inline(always)]
        pub fn $name(a: V128, b: V128) -> V128 {
            $strict(a, b)
        }
    )*};
}

/// Rows of `laneselect;`: a selection by bits serves every lane width.
macro_rules! laneselect {
    ($($name:ident;)*) => {$(
        #[inline(always)]
        pub fn $name(a: V128, b: V128, mask: V128) -> V128 {
            v128_bitselect(a, b, mask)
        }
    )*};
}

same_unary! {
    i32x4_relaxed_trunc_f32x4_s: i32x4_trunc_sat_f32x4_s;
    i32x4_relaxed_trunc_f32x4_u: i32x4_trunc_sat_f32x4_u;
    i32x4_relaxed_trunc_f64x2_s_zero: i32x4_trunc_sat_f64x2_s_zero;
    i32x4_relaxed_trunc_f64x2_u_zero: i32x4_trunc_sat_f64x2_u_zero;
}

same_binary! {
    i8x16_relaxed_swizzle: i8x16_swizzle;
    i16x8_relaxed_q15mulr_s: i16x8_q15mulr_sat_s;
    f32x4_relaxed_min: f32x4_min;
    f32x4_relaxed_max: f32x4_max;
    f64x2_relaxed_min: f64x2_min;
    f64x2_relaxed_max: f64x2_max;
}

laneselect! {
    i8x16_relaxed_laneselect;
    i16x8_relaxed_laneselect;
    i32x4_relaxed_laneselect;
    i64x2_relaxed_laneselect;
}

/// `a × b + c`, rounded once.
#[inline(always)]
pub fn f32x4_relaxed_madd(a: V128, b: V128, c: V128) -> V128 {
    zip3::<f32, _, 4>(a, b, c, f32::mul_add)
}

/// `-(a × b) + c`, rounded once.
#[inline(always)]
pub fn f32x4_relaxed_nmadd(a: V128, b: V128, c: V128) -> V128 {
    zip3::<f32, _, 4>(a, b, c, |a, b, c| (-a).mul_add(b, c))
}

/// `a × b + c`, rounded once.
#[inline(always)]
pub fn f64x2_relaxed_madd(a: V128, b: V128, c: V128) -> V128 {
    zip3::<f64, _, 2>(a, b, c, f64::mul_add)
}

/// `-(a × b) + c`, rounded once.
#[inline(always)]
pub fn f64x2_relaxed_nmadd(a: V128, b: V128, c: V128) -> V128 {
    zip3::<f64, _, 2>(a, b, c, |a, b, c| (-a).mul_add(b, c))
}

/// The sums of neighbouring products of bytes, the first operand's being signed. Where the second
/// one's have their high bit set, each instruction set has its own way: on x86-64 they are unsigned,
/// and the sums saturate; elsewhere they are signed, and only twice `i8::MIN` squared wraps.
#[inline(always)]
pub fn i16x8_relaxed_dot_i8x16_i7x16_s(a: V128, b: V128) -> V128 {
    let (a, b): ([i8; 16], [i8; 16]) = (a.into(), b.into());
    let sum = |i: usize| {
        if cfg!(target_arch = "x86_64") {
            let product = |i: usize| i32::from(a[i]) * i32::from(b[i].cast_unsigned());
            let sum = product(2 * i) + product(2 * i + 1);
            sum.clamp(i16::MIN.into(), i16::MAX.into()) as i16
        } else {
            let product = |i: usize| i16::from(a[i]) * i16::from(b[i]);
            product(2 * i).wrapping_add(product(2 * i + 1))
        }
    };
    V128::from(build::<i16, 8>(sum))
}

/// The sums of four neighbouring products of signed bytes, added to the lanes of `c`.
///
/// The sums go through 16 bits, as if by [`i16x8_relaxed_dot_i8x16_i7x16_s`].
#[inline(always)]
pub fn i32x4_relaxed_dot_i8x16_i7x16_add_s(a: V128, b: V128, c: V128) -> V128 {
    let pairs = i16x8_relaxed_dot_i8x16_i7x16_s(a, b);
    i32x4_add(i32x4_extadd_pairwise_i16x8_s(pairs), c)
}
