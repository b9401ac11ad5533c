//! Conversions between the scalar types.
//!
//! The trapping truncations accept exactly the inputs whose truncated value fits: the bounds below
//! are the nearest representable values outside of that range, compared with strict inequality.

use crate::TrapCode;

/// Rows of `name: from -> via -> to, lowest, highest`: `from` truncated to `via`, as `to`, trapping unless `lowest < a < highest`.
macro_rules! trunc {
    ($($name:ident: $from:ident -> $via:ident -> $to:ident, $lowest:expr, $highest:expr;)*) => {$(
        /// # Errors
        /// `BadConversionToInteger` for a NaN, `IntegerOverflow` if the value does not fit.
        #[inline(always)]
        pub fn $name(a: $from) -> Result<$to, TrapCode> {
            if a > $lowest && a < $highest {
                Ok(a as $via as $to)
            } else if a.is_nan() {
                Err(TrapCode::BadConversionToInteger)
            } else {
                Err(TrapCode::IntegerOverflow)
            }
        }
    )*};
}

trunc! {
    // One below -2^31 is not an `f32`: the next smaller one is -2^31 - 2^8.
    i32_trunc_f32_s: f32 -> i32 -> i32, -2147483904.0, 2147483648.0;
    i32_trunc_f32_u: f32 -> u32 -> i32, -1.0, 4294967296.0;
    i32_trunc_f64_s: f64 -> i32 -> i32, -2147483649.0, 2147483648.0;
    i32_trunc_f64_u: f64 -> u32 -> i32, -1.0, 4294967296.0;
    // The next smaller neighbours of -2^63.
    i64_trunc_f32_s: f32 -> i64 -> i64, -9223373136366403584.0, 9223372036854775808.0;
    i64_trunc_f32_u: f32 -> u64 -> i64, -1.0, 18446744073709551616.0;
    i64_trunc_f64_s: f64 -> i64 -> i64, -9223372036854777856.0, 9223372036854775808.0;
    i64_trunc_f64_u: f64 -> u64 -> i64, -1.0, 18446744073709551616.0;
}

/// Rows of `name: from -> … -> to`: a chain of Rust's `as`, which extends, wraps, rounds to
/// nearest-even and saturates (NaN to 0) exactly as the instruction does.
macro_rules! cast {
    ($($name:ident: $from:ident $(-> $to:ident)+;)*) => {$(
        #[inline(always)]
        pub fn $name(a: $from) -> cast!(@last $($to)+) {
            a $(as $to)+
        }
    )*};
    (@last $to:ident) => { $to };
    (@last $first:ident $($rest:ident)+) => { cast!(@last $($rest)+) };
}

cast! {
    i32_wrap_i64: i64 -> i32;
    i64_extend_i32_s: i32 -> i64;
    i64_extend_i32_u: i32 -> u32 -> i64;
    i32_extend8_s: i32 -> i8 -> i32;
    i32_extend16_s: i32 -> i16 -> i32;
    i64_extend8_s: i64 -> i8 -> i64;
    i64_extend16_s: i64 -> i16 -> i64;
    i64_extend32_s: i64 -> i32 -> i64;
    i32_trunc_sat_f32_s: f32 -> i32;
    i32_trunc_sat_f32_u: f32 -> u32 -> i32;
    i32_trunc_sat_f64_s: f64 -> i32;
    i32_trunc_sat_f64_u: f64 -> u32 -> i32;
    i64_trunc_sat_f32_s: f32 -> i64;
    i64_trunc_sat_f32_u: f32 -> u64 -> i64;
    i64_trunc_sat_f64_s: f64 -> i64;
    i64_trunc_sat_f64_u: f64 -> u64 -> i64;
    f32_convert_i32_s: i32 -> f32;
    f32_convert_i32_u: i32 -> u32 -> f32;
    f32_convert_i64_s: i64 -> f32;
    f32_convert_i64_u: i64 -> u64 -> f32;
    f64_convert_i32_s: i32 -> f64;
    f64_convert_i32_u: i32 -> u32 -> f64;
    f64_convert_i64_s: i64 -> f64;
    f64_convert_i64_u: i64 -> u64 -> f64;
    f32_demote_f64: f64 -> f32;
    f64_promote_f32: f32 -> f64;
}

#[inline(always)]
pub fn i32_reinterpret_f32(a: f32) -> i32 {
    a.to_bits().cast_signed()
}

#[inline(always)]
pub fn i64_reinterpret_f64(a: f64) -> i64 {
    a.to_bits().cast_signed()
}

#[inline(always)]
pub fn f32_reinterpret_i32(a: i32) -> f32 {
    f32::from_bits(a.cast_unsigned())
}

#[inline(always)]
pub fn f64_reinterpret_i64(a: i64) -> f64 {
    f64::from_bits(a.cast_unsigned())
}
