//! Scalar integer arithmetic and comparisons, and 128-bit (wide) arithmetic on pairs of `i64`.
//!
//! Everything wraps. Division and remainder are the only operations that trap; shift and rotate
//! counts are taken modulo the width.

use crate::TrapCode;

/// Generates the operations of one integer type; `$s` is the signed type, `$u` the unsigned one.
macro_rules! integer {
    ($s:ident $u:ident
     $eqz:ident $eq:ident $ne:ident
     $lt_s:ident $lt_u:ident $gt_s:ident $gt_u:ident $le_s:ident $le_u:ident $ge_s:ident $ge_u:ident
     $clz:ident $ctz:ident $popcnt:ident
     $add:ident $sub:ident $mul:ident $div_s:ident $div_u:ident $rem_s:ident $rem_u:ident
     $and:ident $or:ident $xor:ident $shl:ident $shr_s:ident $shr_u:ident $rotl:ident $rotr:ident
    ) => {
        #[inline(always)]
        pub fn $eqz(a: $s) -> i32 {
            i32::from(a == 0)
        }
        #[inline(always)]
        pub fn $eq(a: $s, b: $s) -> i32 {
            i32::from(a == b)
        }
        #[inline(always)]
        pub fn $ne(a: $s, b: $s) -> i32 {
            i32::from(a != b)
        }
        #[inline(always)]
        pub fn $lt_s(a: $s, b: $s) -> i32 {
            i32::from(a < b)
        }
        #[inline(always)]
        pub fn $lt_u(a: $s, b: $s) -> i32 {
            i32::from(a.cast_unsigned() < b.cast_unsigned())
        }
        #[inline(always)]
        pub fn $gt_s(a: $s, b: $s) -> i32 {
            i32::from(a > b)
        }
        #[inline(always)]
        pub fn $gt_u(a: $s, b: $s) -> i32 {
            i32::from(a.cast_unsigned() > b.cast_unsigned())
        }
        #[inline(always)]
        pub fn $le_s(a: $s, b: $s) -> i32 {
            i32::from(a <= b)
        }
        #[inline(always)]
        pub fn $le_u(a: $s, b: $s) -> i32 {
            i32::from(a.cast_unsigned() <= b.cast_unsigned())
        }
        #[inline(always)]
        pub fn $ge_s(a: $s, b: $s) -> i32 {
            i32::from(a >= b)
        }
        #[inline(always)]
        pub fn $ge_u(a: $s, b: $s) -> i32 {
            i32::from(a.cast_unsigned() >= b.cast_unsigned())
        }
        #[inline(always)]
        pub fn $clz(a: $s) -> $s {
            a.leading_zeros() as $s
        }
        #[inline(always)]
        pub fn $ctz(a: $s) -> $s {
            a.trailing_zeros() as $s
        }
        #[inline(always)]
        pub fn $popcnt(a: $s) -> $s {
            a.count_ones() as $s
        }
        #[inline(always)]
        pub fn $add(a: $s, b: $s) -> $s {
            a.wrapping_add(b)
        }
        #[inline(always)]
        pub fn $sub(a: $s, b: $s) -> $s {
            a.wrapping_sub(b)
        }
        #[inline(always)]
        pub fn $mul(a: $s, b: $s) -> $s {
            a.wrapping_mul(b)
        }
        /// # Errors
        /// `IntegerDivisionByZero`; `IntegerOverflow` for the smallest value divided by -1.
        #[inline(always)]
        pub fn $div_s(a: $s, b: $s) -> Result<$s, TrapCode> {
            if b == 0 {
                return Err(TrapCode::IntegerDivisionByZero);
            }
            a.checked_div(b).ok_or(TrapCode::IntegerOverflow)
        }
        /// # Errors
        /// `IntegerDivisionByZero`.
        #[inline(always)]
        pub fn $div_u(a: $s, b: $s) -> Result<$s, TrapCode> {
            match a.cast_unsigned().checked_div(b.cast_unsigned()) {
                Some(quotient) => Ok(quotient.cast_signed()),
                None => Err(TrapCode::IntegerDivisionByZero),
            }
        }
        /// The smallest value modulo -1 is 0, not a trap.
        ///
        /// # Errors
        /// `IntegerDivisionByZero`.
        #[inline(always)]
        pub fn $rem_s(a: $s, b: $s) -> Result<$s, TrapCode> {
            if b == 0 {
                return Err(TrapCode::IntegerDivisionByZero);
            }
            Ok(a.wrapping_rem(b))
        }
        /// # Errors
        /// `IntegerDivisionByZero`.
        #[inline(always)]
        pub fn $rem_u(a: $s, b: $s) -> Result<$s, TrapCode> {
            match a.cast_unsigned().checked_rem(b.cast_unsigned()) {
                Some(remainder) => Ok(remainder.cast_signed()),
                None => Err(TrapCode::IntegerDivisionByZero),
            }
        }
        #[inline(always)]
        pub fn $and(a: $s, b: $s) -> $s {
            a & b
        }
        #[inline(always)]
        pub fn $or(a: $s, b: $s) -> $s {
            a | b
        }
        #[inline(always)]
        pub fn $xor(a: $s, b: $s) -> $s {
            a ^ b
        }
        #[inline(always)]
        pub fn $shl(a: $s, b: $s) -> $s {
            a.wrapping_shl(b as u32)
        }
        #[inline(always)]
        pub fn $shr_s(a: $s, b: $s) -> $s {
            a.wrapping_shr(b as u32)
        }
        #[inline(always)]
        pub fn $shr_u(a: $s, b: $s) -> $s {
            a.cast_unsigned().wrapping_shr(b as u32).cast_signed()
        }
        #[inline(always)]
        pub fn $rotl(a: $s, b: $s) -> $s {
            a.rotate_left(b as u32 & ($u::BITS - 1))
        }
        #[inline(always)]
        pub fn $rotr(a: $s, b: $s) -> $s {
            a.rotate_right(b as u32 & ($u::BITS - 1))
        }
    };
}

integer! {
    i32 u32
    i32_eqz i32_eq i32_ne
    i32_lt_s i32_lt_u i32_gt_s i32_gt_u i32_le_s i32_le_u i32_ge_s i32_ge_u
    i32_clz i32_ctz i32_popcnt
    i32_add i32_sub i32_mul i32_div_s i32_div_u i32_rem_s i32_rem_u
    i32_and i32_or i32_xor i32_shl i32_shr_s i32_shr_u i32_rotl i32_rotr
}

integer! {
    i64 u64
    i64_eqz i64_eq i64_ne
    i64_lt_s i64_lt_u i64_gt_s i64_gt_u i64_le_s i64_le_u i64_ge_s i64_ge_u
    i64_clz i64_ctz i64_popcnt
    i64_add i64_sub i64_mul i64_div_s i64_div_u i64_rem_s i64_rem_u
    i64_and i64_or i64_xor i64_shl i64_shr_s i64_shr_u i64_rotl i64_rotr
}

/// The 128-bit value with the given halves.
#[inline(always)]
fn join(low: i64, high: i64) -> i128 {
    (i128::from(high) << 64) | i128::from(low.cast_unsigned())
}

/// The low and the high half of a 128-bit value.
#[inline(always)]
fn split(value: i128) -> (i64, i64) {
    (value as i64, (value >> 64) as i64)
}

/// Adds two 128-bit values given as (low, high) pairs; returns (low, high).
#[inline(always)]
pub fn i64_add128(a_low: i64, a_high: i64, b_low: i64, b_high: i64) -> (i64, i64) {
    split(join(a_low, a_high).wrapping_add(join(b_low, b_high)))
}

/// Subtracts two 128-bit values given as (low, high) pairs; returns (low, high).
#[inline(always)]
pub fn i64_sub128(a_low: i64, a_high: i64, b_low: i64, b_high: i64) -> (i64, i64) {
    split(join(a_low, a_high).wrapping_sub(join(b_low, b_high)))
}

/// The full signed product as (low, high).
#[inline(always)]
pub fn i64_mul_wide_s(a: i64, b: i64) -> (i64, i64) {
    split(i128::from(a) * i128::from(b))
}

/// The full unsigned product as (low, high).
#[inline(always)]
pub fn i64_mul_wide_u(a: i64, b: i64) -> (i64, i64) {
    split((u128::from(a.cast_unsigned()) * u128::from(b.cast_unsigned())).cast_signed())
}
