//! Lane-wise integer vector arithmetic, comparisons, shifts and the operations that widen or narrow.
//!
//! Comparisons give lanes of all ones or all zeros. Shift counts are taken modulo the lane width.

use super::v128::{V128, binary, build, map, unary};

/// A lane of all ones for true: the negated 0 or 1.
macro_rules! mask {
    ($t:ident, $condition:expr) => {
        -($condition as $t)
    };
}

unary! {
    i8x16_abs: i8 16, i8::wrapping_abs;
    i8x16_neg: i8 16, i8::wrapping_neg;
    i16x8_abs: i16 8, i16::wrapping_abs;
    i16x8_neg: i16 8, i16::wrapping_neg;
    i32x4_abs: i32 4, i32::wrapping_abs;
    i32x4_neg: i32 4, i32::wrapping_neg;
    i64x2_abs: i64 2, i64::wrapping_abs;
    i64x2_neg: i64 2, i64::wrapping_neg;
    i8x16_popcnt: u8 16, |a| a.count_ones() as u8;
}

binary! {
    i8x16_eq: i8 16, |a, b| mask!(i8, a == b);
    i8x16_ne: i8 16, |a, b| mask!(i8, a != b);
    i8x16_lt_s: i8 16, |a, b| mask!(i8, a < b);
    i8x16_lt_u: u8 16, |a, b| mask!(i8, a < b);
    i8x16_gt_s: i8 16, |a, b| mask!(i8, a > b);
    i8x16_gt_u: u8 16, |a, b| mask!(i8, a > b);
    i8x16_le_s: i8 16, |a, b| mask!(i8, a <= b);
    i8x16_le_u: u8 16, |a, b| mask!(i8, a <= b);
    i8x16_ge_s: i8 16, |a, b| mask!(i8, a >= b);
    i8x16_ge_u: u8 16, |a, b| mask!(i8, a >= b);
    i16x8_eq: i16 8, |a, b| mask!(i16, a == b);
    i16x8_ne: i16 8, |a, b| mask!(i16, a != b);
    i16x8_lt_s: i16 8, |a, b| mask!(i16, a < b);
    i16x8_lt_u: u16 8, |a, b| mask!(i16, a < b);
    i16x8_gt_s: i16 8, |a, b| mask!(i16, a > b);
    i16x8_gt_u: u16 8, |a, b| mask!(i16, a > b);
    i16x8_le_s: i16 8, |a, b| mask!(i16, a <= b);
    i16x8_le_u: u16 8, |a, b| mask!(i16, a <= b);
    i16x8_ge_s: i16 8, |a, b| mask!(i16, a >= b);
    i16x8_ge_u: u16 8, |a, b| mask!(i16, a >= b);
    i32x4_eq: i32 4, |a, b| mask!(i32, a == b);
    i32x4_ne: i32 4, |a, b| mask!(i32, a != b);
    i32x4_lt_s: i32 4, |a, b| mask!(i32, a < b);
    i32x4_lt_u: u32 4, |a, b| mask!(i32, a < b);
    i32x4_gt_s: i32 4, |a, b| mask!(i32, a > b);
    i32x4_gt_u: u32 4, |a, b| mask!(i32, a > b);
    i32x4_le_s: i32 4, |a, b| mask!(i32, a <= b);
    i32x4_le_u: u32 4, |a, b| mask!(i32, a <= b);
    i32x4_ge_s: i32 4, |a, b| mask!(i32, a >= b);
    i32x4_ge_u: u32 4, |a, b| mask!(i32, a >= b);
    i64x2_eq: i64 2, |a, b| mask!(i64, a == b);
    i64x2_ne: i64 2, |a, b| mask!(i64, a != b);
    i64x2_lt_s: i64 2, |a, b| mask!(i64, a < b);
    i64x2_gt_s: i64 2, |a, b| mask!(i64, a > b);
    i64x2_le_s: i64 2, |a, b| mask!(i64, a <= b);
    i64x2_ge_s: i64 2, |a, b| mask!(i64, a >= b);
}

binary! {
    i8x16_add: i8 16, i8::wrapping_add;
    i8x16_sub: i8 16, i8::wrapping_sub;
    i8x16_add_sat_s: i8 16, i8::saturating_add;
    i8x16_add_sat_u: u8 16, u8::saturating_add;
    i8x16_sub_sat_s: i8 16, i8::saturating_sub;
    i8x16_sub_sat_u: u8 16, u8::saturating_sub;
    i8x16_min_s: i8 16, Ord::min;
    i8x16_min_u: u8 16, Ord::min;
    i8x16_max_s: i8 16, Ord::max;
    i8x16_max_u: u8 16, Ord::max;
    i8x16_avgr_u: u8 16, |a, b| ((u16::from(a) + u16::from(b) + 1) >> 1) as u8;
    i16x8_add: i16 8, i16::wrapping_add;
    i16x8_sub: i16 8, i16::wrapping_sub;
    i16x8_mul: i16 8, i16::wrapping_mul;
    i16x8_add_sat_s: i16 8, i16::saturating_add;
    i16x8_add_sat_u: u16 8, u16::saturating_add;
    i16x8_sub_sat_s: i16 8, i16::saturating_sub;
    i16x8_sub_sat_u: u16 8, u16::saturating_sub;
    i16x8_min_s: i16 8, Ord::min;
    i16x8_min_u: u16 8, Ord::min;
    i16x8_max_s: i16 8, Ord::max;
    i16x8_max_u: u16 8, Ord::max;
    i16x8_avgr_u: u16 8, |a, b| ((u32::from(a) + u32::from(b) + 1) >> 1) as u16;
    i32x4_add: i32 4, i32::wrapping_add;
    i32x4_sub: i32 4, i32::wrapping_sub;
    i32x4_mul: i32 4, i32::wrapping_mul;
    i32x4_min_s: i32 4, Ord::min;
    i32x4_min_u: u32 4, Ord::min;
    i32x4_max_s: i32 4, Ord::max;
    i32x4_max_u: u32 4, Ord::max;
    i64x2_add: i64 2, i64::wrapping_add;
    i64x2_sub: i64 2, i64::wrapping_sub;
    i64x2_mul: i64 2, i64::wrapping_mul;
    i16x8_q15mulr_sat_s: i16 8, q15mulr_sat;
}

/// The rounded product of two fractions with 15 fraction bits.
///
/// Only -1 × -1 does not fit, and saturates.
#[inline(always)]
pub(super) fn q15mulr_sat(a: i16, b: i16) -> i16 {
    let rounded = (i32::from(a) * i32::from(b) + 0x4000) >> 15;
    rounded.min(i32::from(i16::MAX)) as i16
}

/// Rows of `shl shr_s shr_u: signed unsigned × count;`.
macro_rules! shift {
    ($($shl:ident $shr_s:ident $shr_u:ident: $s:ident $u:ident $n:literal;)*) => {$(
        #[inline(always)]
        pub fn $shl(a: V128, count: i32) -> V128 {
            let count = count as u32 % $u::BITS;
            map::<$s, _, $n>(a, |lane| lane << count)
        }
        #[inline(always)]
        pub fn $shr_s(a: V128, count: i32) -> V128 {
            let count = count as u32 % $u::BITS;
            map::<$s, _, $n>(a, |lane| lane >> count)
        }
        #[inline(always)]
        pub fn $shr_u(a: V128, count: i32) -> V128 {
            let count = count as u32 % $u::BITS;
            map::<$u, _, $n>(a, |lane| lane >> count)
        }
    )*};
}

shift! {
    i8x16_shl i8x16_shr_s i8x16_shr_u: i8 u8 16;
    i16x8_shl i16x8_shr_s i16x8_shr_u: i16 u16 8;
    i32x4_shl i32x4_shr_s i32x4_shr_u: i32 u32 4;
    i64x2_shl i64x2_shr_s i64x2_shr_u: i64 u64 2;
}

/// Rows of `narrow_s narrow_u: wide × count -> signed unsigned × count;`.
macro_rules! narrow {
    ($($narrow_s:ident $narrow_u:ident: $wide:ident $n:literal -> $s:ident $u:ident $m:literal;)*) => {$(
        /// The saturated lanes of `a`, then those of `b`.
        #[inline(always)]
        pub fn $narrow_s(a: V128, b: V128) -> V128 {
            let (a, b): ([$wide; $n], [$wide; $n]) = (a.into(), b.into());
            let clamp = |lane: $wide| lane.clamp($s::MIN.into(), $s::MAX.into()) as $s;
            V128::from(build::<$s, $m>(|i| clamp(if i < $n { a[i % $n] } else { b[i % $n] })))
        }
        /// The lanes of `a`, then those of `b`, read as signed and saturated to unsigned.
        #[inline(always)]
        pub fn $narrow_u(a: V128, b: V128) -> V128 {
            let (a, b): ([$wide; $n], [$wide; $n]) = (a.into(), b.into());
            let clamp = |lane: $wide| lane.clamp(0, $u::MAX.into()) as $u;
            V128::from(build::<$u, $m>(|i| clamp(if i < $n { a[i % $n] } else { b[i % $n] })))
        }
    )*};
}

narrow! {
    i8x16_narrow_i16x8_s i8x16_narrow_i16x8_u: i16 8 -> i8 u8 16;
    i16x8_narrow_i32x4_s i16x8_narrow_i32x4_u: i32 4 -> i16 u16 8;
}

/// The wide lanes of one half of a vector: for each shape, extension, multiplication of two such
/// halves, and the sums of neighbours.
macro_rules! widen {
    ($($extend_low:ident $extend_high:ident $extmul_low:ident $extmul_high:ident: $t:ident $m:literal -> $wide:ident $n:literal;)*) => {$(
        #[inline(always)]
        pub fn $extend_low(a: V128) -> V128 {
            let a: [$t; $m] = a.into();
            V128::from(build::<$wide, $n>(|i| a[i].into()))
        }
        #[inline(always)]
        pub fn $extend_high(a: V128) -> V128 {
            let a: [$t; $m] = a.into();
            V128::from(build::<$wide, $n>(|i| a[i + $n].into()))
        }
        #[inline(always)]
        pub fn $extmul_low(a: V128, b: V128) -> V128 {
            let (a, b): ([$t; $m], [$t; $m]) = (a.into(), b.into());
            V128::from(build::<$wide, $n>(|i| $wide::from(a[i]) * $wide::from(b[i])))
        }
        #[inline(always)]
        pub fn $extmul_high(a: V128, b: V128) -> V128 {
            let (a, b): ([$t; $m], [$t; $m]) = (a.into(), b.into());
            V128::from(build::<$wide, $n>(|i| $wide::from(a[i + $n]) * $wide::from(b[i + $n])))
        }
    )*};
}

widen! {
    i16x8_extend_low_i8x16_s i16x8_extend_high_i8x16_s i16x8_extmul_low_i8x16_s i16x8_extmul_high_i8x16_s: i8 16 -> i16 8;
    i16x8_extend_low_i8x16_u i16x8_extend_high_i8x16_u i16x8_extmul_low_i8x16_u i16x8_extmul_high_i8x16_u: u8 16 -> u16 8;
    i32x4_extend_low_i16x8_s i32x4_extend_high_i16x8_s i32x4_extmul_low_i16x8_s i32x4_extmul_high_i16x8_s: i16 8 -> i32 4;
    i32x4_extend_low_i16x8_u i32x4_extend_high_i16x8_u i32x4_extmul_low_i16x8_u i32x4_extmul_high_i16x8_u: u16 8 -> u32 4;
    i64x2_extend_low_i32x4_s i64x2_extend_high_i32x4_s i64x2_extmul_low_i32x4_s i64x2_extmul_high_i32x4_s: i32 4 -> i64 2;
    i64x2_extend_low_i32x4_u i64x2_extend_high_i32x4_u i64x2_extmul_low_i32x4_u i64x2_extmul_high_i32x4_u: u32 4 -> u64 2;
}

/// Rows of `extadd_pairwise: lane × count -> wide × count;`.
macro_rules! extadd_pairwise {
    ($($name:ident: $t:ident $m:literal -> $wide:ident $n:literal;)*) => {$(
        #[inline(always)]
        pub fn $name(a: V128) -> V128 {
            let a: [$t; $m] = a.into();
            V128::from(build::<$wide, $n>(|i| $wide::from(a[2 * i]) + $wide::from(a[2 * i + 1])))
        }
    )*};
}

extadd_pairwise! {
    i16x8_extadd_pairwise_i8x16_s: i8 16 -> i16 8;
    i16x8_extadd_pairwise_i8x16_u: u8 16 -> u16 8;
    i32x4_extadd_pairwise_i16x8_s: i16 8 -> i32 4;
    i32x4_extadd_pairwise_i16x8_u: u16 8 -> u32 4;
}

/// The sums of neighbouring products. Only four times `i16::MIN` wraps.
#[inline(always)]
pub fn i32x4_dot_i16x8_s(a: V128, b: V128) -> V128 {
    let (a, b): ([i16; 8], [i16; 8]) = (a.into(), b.into());
    let product = |i: usize| i32::from(a[i]) * i32::from(b[i]);
    V128::from(build::<i32, 4>(|i| {
        product(2 * i).wrapping_add(product(2 * i + 1))
    }))
}

/// Rows of `load: lane × count -> wide × count;`: a vector load that widens each lane it read.
macro_rules! load_extend {
    ($($name:ident: $t:ident $n:literal $size:literal -> $wide:ident;)*) => {$(
        #[inline(always)]
        pub fn $name(value: u64) -> V128 {
            let bytes = value.to_le_bytes();
            let (chunks, _) = bytes.as_chunks::<$size>();
            V128::from(build::<$wide, $n>(|i| $t::from_le_bytes(chunks[i]).into()))
        }
    )*};
}

load_extend! {
    v128_load8x8_s: i8 8 1 -> i16;
    v128_load8x8_u: u8 8 1 -> u16;
    v128_load16x4_s: i16 4 2 -> i32;
    v128_load16x4_u: u16 4 2 -> u32;
    v128_load32x2_s: i32 2 4 -> i64;
    v128_load32x2_u: u32 2 4 -> u64;
}
