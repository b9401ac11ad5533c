//! Lane-wise floating-point vector arithmetic and comparisons: the scalar functions on each lane.

use super::float::*;
use super::simd_lane::{v128_and, v128_bitselect, v128_or};
use super::v128::{V128, binary, unary, zip};

unary! {
    f32x4_abs: f32 4, f32_abs;
    f32x4_neg: f32 4, f32_neg;
    f32x4_ceil: f32 4, f32_ceil;
    f32x4_floor: f32 4, f32_floor;
    f32x4_trunc: f32 4, f32_trunc;
    f32x4_nearest: f32 4, f32_nearest;
    f32x4_sqrt: f32 4, f32_sqrt;
    f64x2_abs: f64 2, f64_abs;
    f64x2_neg: f64 2, f64_neg;
    f64x2_ceil: f64 2, f64_ceil;
    f64x2_floor: f64 2, f64_floor;
    f64x2_trunc: f64 2, f64_trunc;
    f64x2_nearest: f64 2, f64_nearest;
    f64x2_sqrt: f64 2, f64_sqrt;
}

binary! {
    f32x4_eq: f32 4, |a, b| -((a == b) as i32);
    f32x4_ne: f32 4, |a, b| -((a != b) as i32);
    f32x4_lt: f32 4, |a, b| -((a < b) as i32);
    f32x4_gt: f32 4, |a, b| -((a > b) as i32);
    f32x4_le: f32 4, |a, b| -((a <= b) as i32);
    f32x4_ge: f32 4, |a, b| -((a >= b) as i32);
    f32x4_add: f32 4, f32_add;
    f32x4_sub: f32 4, f32_sub;
    f32x4_mul: f32 4, f32_mul;
    f32x4_div: f32 4, f32_div;
    // "Pseudo" minimum and maximum: one comparison, the first operand unless it holds.
    f32x4_pmin: f32 4, |a, b| if b < a { b } else { a };
    f32x4_pmax: f32 4, |a, b| if a < b { b } else { a };
    f64x2_eq: f64 2, |a, b| -((a == b) as i64);
    f64x2_ne: f64 2, |a, b| -((a != b) as i64);
    f64x2_lt: f64 2, |a, b| -((a < b) as i64);
    f64x2_gt: f64 2, |a, b| -((a > b) as i64);
    f64x2_le: f64 2, |a, b| -((a <= b) as i64);
    f64x2_ge: f64 2, |a, b| -((a >= b) as i64);
    f64x2_add: f64 2, f64_add;
    f64x2_sub: f64 2, f64_sub;
    f64x2_mul: f64 2, f64_mul;
    f64x2_div: f64 2, f64_div;
    // "Pseudo" minimum and maximum: one comparison, the first operand unless it holds.
    f64x2_pmin: f64 2, |a, b| if b < a { b } else { a };
    f64x2_pmax: f64 2, |a, b| if a < b { b } else { a };
}

/// Rows of `min max: lane count, mask type;`.
///
/// The scalar functions decide by branches. Here both one-comparison forms are taken: where the lanes
/// are equal each form gives the other operand, so joining their bits settles the sign of zero, and a
/// NaN in either lane selects the sum, which is a quiet NaN.
macro_rules! min_max {
    ($($min:ident $max:ident: $t:ident $n:literal, $mask:ident;)*) => {$(
        #[inline(always)]
        pub fn $min(a: V128, b: V128) -> V128 {
            let pick = |a: V128, b: V128| zip::<$t, _, $n>(a, b, |a, b| if a < b { a } else { b });
            let unordered = zip::<$t, _, $n>(a, b, |a, b| -((a.is_nan() | b.is_nan()) as $mask));
            let sum = zip::<$t, _, $n>(a, b, |a, b| a + b);
            v128_bitselect(sum, v128_or(pick(a, b), pick(b, a)), unordered)
        }
        #[inline(always)]
        pub fn $max(a: V128, b: V128) -> V128 {
            let pick = |a: V128, b: V128| zip::<$t, _, $n>(a, b, |a, b| if a > b { a } else { b });
            let unordered = zip::<$t, _, $n>(a, b, |a, b| -((a.is_nan() | b.is_nan()) as $mask));
            let sum = zip::<$t, _, $n>(a, b, |a, b| a + b);
            v128_bitselect(sum, v128_and(pick(a, b), pick(b, a)), unordered)
        }
    )*};
}

min_max! {
    f32x4_min f32x4_max: f32 4, i32;
    f64x2_min f64x2_max: f64 2, i64;
}
