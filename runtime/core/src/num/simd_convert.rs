//! Conversions between integer and floating-point vectors.
//!
//! Where the two lane counts differ, the narrower side uses its low half; the other half of a
//! narrow result is zero.

use super::v128::{V128, unary};

unary! {
    i32x4_trunc_sat_f32x4_s: f32 4, |a| a as i32;
    i32x4_trunc_sat_f32x4_u: f32 4, |a| a as u32;
    f32x4_convert_i32x4_s: i32 4, |a| a as f32;
    f32x4_convert_i32x4_u: u32 4, |a| a as f32;
}

#[inline(always)]
pub fn i32x4_trunc_sat_f64x2_s_zero(a: V128) -> V128 {
    let [low, high]: [f64; 2] = a.into();
    V128::from([low as i32, high as i32, 0, 0])
}

#[inline(always)]
pub fn i32x4_trunc_sat_f64x2_u_zero(a: V128) -> V128 {
    let [low, high]: [f64; 2] = a.into();
    V128::from([low as u32, high as u32, 0, 0])
}

#[inline(always)]
pub fn f64x2_convert_low_i32x4_s(a: V128) -> V128 {
    let [low, high, ..]: [i32; 4] = a.into();
    V128::from([f64::from(low), f64::from(high)])
}

#[inline(always)]
pub fn f64x2_convert_low_i32x4_u(a: V128) -> V128 {
    let [low, high, ..]: [u32; 4] = a.into();
    V128::from([f64::from(low), f64::from(high)])
}

#[inline(always)]
pub fn f32x4_demote_f64x2_zero(a: V128) -> V128 {
    let [low, high]: [f64; 2] = a.into();
    V128::from([low as f32, high as f32, 0.0, 0.0])
}

#[inline(always)]
pub fn f64x2_promote_low_f32x4(a: V128) -> V128 {
    let [low, high, ..]: [f32; 4] = a.into();
    V128::from([f64::from(low), f64::from(high)])
}
