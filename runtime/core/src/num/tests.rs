//! The edges of the numeric instructions, and the completeness of the operator tables.

use super::*;
use crate::TrapCode::{BadConversionToInteger, IntegerDivisionByZero, IntegerOverflow};
use std::collections::BTreeSet;

#[test]
fn integer_division_edges() {
    assert_eq!(i32_div_s(i32::MIN, -1), Err(IntegerOverflow));
    assert_eq!(i64_div_s(i64::MIN, -1), Err(IntegerOverflow));
    assert_eq!(i32_rem_s(i32::MIN, -1), Ok(0));
    assert_eq!(i64_rem_s(i64::MIN, -1), Ok(0));
    assert_eq!(i32_div_s(1, 0), Err(IntegerDivisionByZero));
    assert_eq!(i32_div_u(1, 0), Err(IntegerDivisionByZero));
    assert_eq!(i64_rem_s(1, 0), Err(IntegerDivisionByZero));
    assert_eq!(i64_rem_u(1, 0), Err(IntegerDivisionByZero));
    assert_eq!(i32_div_s(-7, 2), Ok(-3));
    assert_eq!(i32_rem_s(-7, 2), Ok(-1));
    assert_eq!(i32_div_u(-1, 2), Ok(i32::MAX));
    assert_eq!(i64_rem_u(-1, 10), Ok(5));
}

#[test]
fn shift_and_rotate_counts_wrap() {
    assert_eq!(i32_shl(1, 33), 2);
    assert_eq!(i32_shr_s(-8, 34), -2);
    assert_eq!(i32_shr_u(-1, 63), 1);
    assert_eq!(i64_shl(1, 64), 1);
    assert_eq!(i64_shr_u(-1, 127), 1);
    assert_eq!(i64_shr_s(i64::MIN, -1), -1);
    assert_eq!(i32_rotl(i32::MIN, 1), 1);
    assert_eq!(i32_rotr(1, 33), i32::MIN);
    assert_eq!(i64_rotl(i64::MIN, 65), 1);
    // A count whose low 32 bits are zero but which is not: only the low six bits count.
    assert_eq!(i64_shl(1, 1 << 32), 1);
    assert_eq!(i64_rotr(2, (1 << 32) + 1), 1);
}

#[test]
fn bit_counts() {
    assert_eq!((i32_clz(0), i32_ctz(0), i32_popcnt(-1)), (32, 32, 32));
    assert_eq!((i64_clz(0), i64_ctz(0), i64_popcnt(-1)), (64, 64, 64));
    assert_eq!((i32_clz(1), i32_ctz(i32::MIN)), (31, 31));
}

#[test]
fn wide_arithmetic() {
    assert_eq!(i64_add128(-1, 0, 1, 0), (0, 1));
    assert_eq!(i64_add128(-1, -1, 1, 0), (0, 0));
    assert_eq!(i64_sub128(0, 0, 1, 0), (-1, -1));
    assert_eq!(i64_mul_wide_s(-1, -1), (1, 0));
    assert_eq!(i64_mul_wide_u(-1, -1), (1, -2));
    assert_eq!(i64_mul_wide_s(i64::MIN, 2), (0, -1));
}

#[test]
fn truncation_edges() {
    assert_eq!(i32_trunc_f32_s(2147483520.0), Ok(2147483520));
    assert_eq!(i32_trunc_f32_s(2147483648.0), Err(IntegerOverflow));
    assert_eq!(i32_trunc_f32_s(-2147483648.0), Ok(i32::MIN));
    assert_eq!(i32_trunc_f32_s(-2147483904.0), Err(IntegerOverflow));
    assert_eq!(i32_trunc_f64_s(2147483647.9), Ok(i32::MAX));
    assert_eq!(i32_trunc_f64_s(-2147483648.9), Ok(i32::MIN));
    assert_eq!(i32_trunc_f64_s(-2147483649.0), Err(IntegerOverflow));
    assert_eq!(i32_trunc_f32_u(-0.9), Ok(0));
    assert_eq!(i32_trunc_f32_u(-1.0), Err(IntegerOverflow));
    assert_eq!(i32_trunc_f32_u(4294967040.0), Ok(-256));
    assert_eq!(i32_trunc_f64_u(4294967295.9), Ok(-1));
    assert_eq!(i32_trunc_f64_u(4294967296.0), Err(IntegerOverflow));
    assert_eq!(i64_trunc_f32_s(-9223372036854775808.0), Ok(i64::MIN));
    assert_eq!(i64_trunc_f32_s(9223372036854775808.0), Err(IntegerOverflow));
    assert_eq!(i64_trunc_f64_s(-9223372036854775808.0), Ok(i64::MIN));
    assert_eq!(
        i64_trunc_f64_s(-9223372036854777856.0),
        Err(IntegerOverflow)
    );
    assert_eq!(
        i64_trunc_f64_u(18446744073709551616.0),
        Err(IntegerOverflow)
    );
    assert_eq!(i64_trunc_f64_u(18446744073709549568.0), Ok(-2048));
    assert_eq!(i64_trunc_f64_u(-0.5), Ok(0));
    assert_eq!(i32_trunc_f32_s(f32::NAN), Err(BadConversionToInteger));
    assert_eq!(i64_trunc_f64_u(-f64::NAN), Err(BadConversionToInteger));
    assert_eq!(i64_trunc_f32_u(f32::INFINITY), Err(IntegerOverflow));
}

#[test]
fn saturating_truncation() {
    assert_eq!(i32_trunc_sat_f32_s(f32::NAN), 0);
    assert_eq!(i32_trunc_sat_f32_s(f32::INFINITY), i32::MAX);
    assert_eq!(i32_trunc_sat_f64_u(-1.5), 0);
    assert_eq!(i32_trunc_sat_f64_u(1e10), -1);
    assert_eq!(i64_trunc_sat_f64_s(-1e300), i64::MIN);
    assert_eq!(i64_trunc_sat_f32_u(1e30), -1);
}

#[test]
fn integer_conversions() {
    assert_eq!(i32_wrap_i64(0x1_8000_0000), i32::MIN);
    assert_eq!(i64_extend_i32_u(-1), 0xffff_ffff);
    assert_eq!(i64_extend_i32_s(-1), -1);
    assert_eq!(i32_extend8_s(0x180), -128);
    assert_eq!(i32_extend16_s(0x1_8000), -32768);
    assert_eq!(i64_extend32_s(0x1_8000_0000), i64::from(i32::MIN));
    // Rounds once: through f64 this would round up twice.
    assert_eq!(
        f32_convert_i64_s(0x0100_0001_0000_0001),
        72057602627862528.0
    );
    assert_eq!(f32_convert_i64_u(-1), 18446744073709551616.0);
    assert_eq!(f64_convert_i64_u(i64::MIN), 9223372036854775808.0);
}

const SIGNALLING_32: u32 = 0x7fa0_0000;
const SIGNALLING_64: u64 = 0x7ff4_0000_0000_0000;

fn is_quiet_32(a: f32) -> bool {
    a.is_nan() && a.to_bits() & 0x0040_0000 != 0
}

fn is_quiet_64(a: f64) -> bool {
    a.is_nan() && a.to_bits() & 0x0008_0000_0000_0000 != 0
}

#[test]
fn float_minimum_and_maximum() {
    assert_eq!(f32_min(-0.0, 0.0).to_bits(), (-0.0f32).to_bits());
    assert_eq!(f32_min(0.0, -0.0).to_bits(), (-0.0f32).to_bits());
    assert_eq!(f32_max(-0.0, 0.0).to_bits(), 0);
    assert_eq!(f64_max(0.0, -0.0).to_bits(), 0);
    assert_eq!(f64_min(-0.0, -0.0).to_bits(), (-0.0f64).to_bits());
    assert!(is_quiet_32(f32_min(f32::from_bits(SIGNALLING_32), 1.0)));
    assert!(is_quiet_32(f32_max(1.0, f32::from_bits(SIGNALLING_32))));
    assert!(is_quiet_64(f64_min(f64::INFINITY, f64::NAN)));
    assert_eq!(f64_min(f64::NEG_INFINITY, 3.0), f64::NEG_INFINITY);
    assert_eq!(f32_max(-1.0, -2.0), -1.0);
    // A canonical NaN stays one.
    assert_eq!(f32_min(f32::NAN, 1.0).to_bits() & 0x7fff_ffff, 0x7fc0_0000);
}

/// Both ways of rounding, on values around every threshold.
#[test]
fn rounding_to_integral() {
    let magnitudes = [
        0.0, 0.1, 0.49999997, 0.5, 0.50000006, 0.99999994, 1.0, 1.5, 2.5, 3.5, 4.5, 1e-40,
        4194303.5, 4194304.5, 8388607.0, 8388607.5, 8388608.0, 8388609.0, 16777216.0, 3e38,
    ];
    for magnitude in magnitudes {
        for a in [magnitude, -magnitude] {
            let bits = f32::to_bits;
            assert_eq!(
                bits(f32_nearest(a)),
                bits(a.round_ties_even()),
                "nearest {a}"
            );
            assert_eq!(bits(f32_ceil(a)), bits(a.ceil()), "ceil {a}");
            assert_eq!(bits(f32_floor(a)), bits(a.floor()), "floor {a}");
            assert_eq!(bits(f32_trunc(a)), bits(a.trunc()), "trunc {a}");
        }
    }
    let magnitudes = [
        0.0,
        0.1,
        0.49999999999999994,
        0.5,
        0.5000000000000001,
        0.9999999999999999,
        1.5,
        2.5,
        5e-324,
        2251799813685247.5,
        2251799813685248.5,
        4503599627370495.5,
        4503599627370496.0,
        9007199254740993.0,
        1e300,
    ];
    for magnitude in magnitudes {
        for a in [magnitude, -magnitude] {
            let bits = f64::to_bits;
            assert_eq!(
                bits(f64_nearest(a)),
                bits(a.round_ties_even()),
                "nearest {a}"
            );
            assert_eq!(bits(f64_ceil(a)), bits(a.ceil()), "ceil {a}");
            assert_eq!(bits(f64_floor(a)), bits(a.floor()), "floor {a}");
            assert_eq!(bits(f64_trunc(a)), bits(a.trunc()), "trunc {a}");
        }
    }
    for infinity in [f32::INFINITY, f32::NEG_INFINITY] {
        assert_eq!(f32_nearest(infinity), infinity);
        assert_eq!(f32_floor(infinity), infinity);
    }
    // The compiler must not know the operand, or it computes the result its own way.
    let (a, b) = core::hint::black_box((SIGNALLING_32, SIGNALLING_64));
    for round in [f32_ceil, f32_floor, f32_trunc, f32_nearest] {
        assert!(is_quiet_32(round(f32::from_bits(a))));
    }
    for round in [f64_ceil, f64_floor, f64_trunc, f64_nearest] {
        assert!(is_quiet_64(round(f64::from_bits(b))));
    }
    assert!(is_quiet_32(f32_ceil(f32::from_bits(SIGNALLING_32))));
    assert!(is_quiet_64(f64_nearest(f64::from_bits(SIGNALLING_64))));
    assert_eq!(f32_trunc(f32::NAN).to_bits() & 0x7fff_ffff, 0x7fc0_0000);
}

#[test]
fn float_conversions_and_signs() {
    assert!(is_quiet_32(f32_demote_f64(f64::from_bits(SIGNALLING_64))));
    assert!(is_quiet_64(f64_promote_f32(f32::from_bits(SIGNALLING_32))));
    assert_eq!(
        f32_demote_f64(f64::NAN).to_bits() & 0x7fff_ffff,
        0x7fc0_0000
    );
    assert_eq!(f32_demote_f64(1e300), f32::INFINITY);
    assert_eq!(f32_demote_f64(1e-300).to_bits(), 0);
    // The sign operations leave everything else of a NaN alone.
    let signalling = f32_reinterpret_i32(SIGNALLING_32 as i32);
    assert_eq!(f32_neg(signalling).to_bits(), SIGNALLING_32 | 1 << 31);
    assert_eq!(f32_abs(f32_neg(signalling)).to_bits(), SIGNALLING_32);
    assert_eq!(
        f32_copysign(signalling, -1.0).to_bits(),
        SIGNALLING_32 | 1 << 31
    );
    assert_eq!(i64_reinterpret_f64(-0.0), i64::MIN);
}

fn v<T, const N: usize>(lanes: [T; N]) -> V128
where
    V128: From<[T; N]>,
{
    lanes.into()
}

#[test]
fn vector_layout() {
    let bytes: [u8; 16] = std::array::from_fn(|i| i as u8);
    assert_eq!(V128(bytes).to_u128(), 0x0f0e0d0c0b0a09080706050403020100);
    assert_eq!(
        v([0x0302_0100u32, 0x0706_0504, 0x0b0a_0908, 0x0f0e_0d0c]),
        V128(bytes)
    );
    assert_eq!(<[i16; 8]>::from(V128(bytes))[7], 0x0f0e);
    assert_eq!(i8x16_extract_lane_s(V128([0x80; 16]), 3), -128);
    assert_eq!(i8x16_extract_lane_u(V128([0x80; 16]), 3), 128);
    assert_eq!(
        i16x8_replace_lane(V128::ZERO, 1, -1),
        v([0i16, -1, 0, 0, 0, 0, 0, 0])
    );
    assert_eq!(i16x8_splat(0x1_ffff), V128([0xff; 16]));
    assert_eq!(v128_load32_zero(7), v([7u32, 0, 0, 0]));
    assert_eq!(v128_load8x8_s(0xff), v([-1i16, 0, 0, 0, 0, 0, 0, 0]));
    assert_eq!(v128_load32x2_u(u64::MAX), v([0xffff_ffffu64; 2]));
    assert_eq!(v128_store16_lane(V128(bytes), 2), 0x0504);
    assert_eq!(
        format!("{:?}", v([1u32, 2, 3, 4])),
        "i32x4(0x00000001 0x00000002 0x00000003 0x00000004)"
    );
}

#[test]
fn vector_selection() {
    let a = V128(std::array::from_fn(|i| i as u8));
    let b = V128(std::array::from_fn(|i| 100 + i as u8));
    let mut lanes = [0; 16];
    (lanes[0], lanes[1], lanes[2]) = (31, 16, 15);
    let shuffled = i8x16_shuffle(a, b, lanes);
    assert_eq!(shuffled.0[..4], [115, 100, 15, 0]);
    let mut indices = [255; 16];
    (indices[0], indices[1], indices[2]) = (15, 16, 1);
    assert_eq!(i8x16_swizzle(b, V128(indices)).0[..4], [115, 0, 101, 0]);
    let mask = V128([0xf0; 16]);
    assert_eq!(
        v128_bitselect(V128([0xab; 16]), V128([0xcd; 16]), mask),
        V128([0xad; 16])
    );
    assert_eq!(v128_andnot(V128([0xff; 16]), mask), V128([0x0f; 16]));
    assert_eq!((v128_any_true(V128::ZERO), v128_any_true(mask)), (0, 1));
    assert_eq!(i64x2_all_true(v([1i64, 0])), 0);
    assert_eq!(i64x2_all_true(v([1i64, 1 << 40])), 1);
    assert_eq!(i8x16_all_true(V128([1; 16])), 1);
    assert_eq!(i8x16_bitmask(V128([0x80; 16])), 0xffff);
    assert_eq!(i32x4_bitmask(v([-1, 0, 1, i32::MIN])), 0b1001);
    assert_eq!(i16x8_bitmask(v([0i16, 0, 0, 0, 0, 0, 0, -1])), 0x80);
}

#[test]
fn vector_integer_edges() {
    assert_eq!(i8x16_abs(v([i8::MIN; 16])), v([i8::MIN; 16]));
    assert_eq!(i8x16_neg(v([i8::MIN; 16])), v([i8::MIN; 16]));
    assert_eq!(i8x16_popcnt(V128([0xff; 16])), V128([8; 16]));
    assert_eq!(
        i8x16_add_sat_s(v([127i8; 16]), v([1i8; 16])),
        v([127i8; 16])
    );
    assert_eq!(i8x16_sub_sat_u(V128([1; 16]), V128([2; 16])), V128::ZERO);
    assert_eq!(
        i16x8_sub_sat_s(v([i16::MIN; 8]), v([1i16; 8])),
        v([i16::MIN; 8])
    );
    assert_eq!(
        i8x16_avgr_u(V128([255; 16]), V128([254; 16])),
        V128([255; 16])
    );
    assert_eq!(
        i16x8_avgr_u(v([u16::MAX; 8]), v([0u16; 8])),
        v([0x8000u16; 8])
    );
    assert_eq!(
        i16x8_q15mulr_sat_s(v([i16::MIN; 8]), v([i16::MIN; 8])),
        v([i16::MAX; 8])
    );
    assert_eq!(
        i16x8_q15mulr_sat_s(v([i16::MIN; 8]), v([1i16; 8])),
        v([-1i16; 8])
    );
    assert_eq!(
        i16x8_q15mulr_sat_s(v([0x4000i16; 8]), v([1i16; 8])),
        v([1i16; 8])
    );
    assert_eq!(
        i32x4_dot_i16x8_s(v([i16::MIN; 8]), v([i16::MIN; 8])),
        v([i32::MIN; 4])
    );
    assert_eq!(i64x2_lt_s(v([i64::MIN, 1]), v([0i64, 1])), v([-1i64, 0]));
    assert_eq!(i16x8_gt_u(v([-1i16; 8]), v([1i16; 8])), v([-1i16; 8]));
    assert_eq!(i32x4_max_u(v([-1i32; 4]), v([1i32; 4])), v([-1i32; 4]));
    assert_eq!(i32x4_min_s(v([-1i32; 4]), v([1i32; 4])), v([-1i32; 4]));
}

#[test]
fn vector_shifts_take_the_count_modulo_the_lane_width() {
    assert_eq!(i8x16_shl(V128([1; 16]), 9), V128([2; 16]));
    assert_eq!(i8x16_shr_s(V128([0x80; 16]), -1), V128([0xff; 16]));
    assert_eq!(i16x8_shr_u(v([-1i16; 8]), 31), v([1i16; 8]));
    assert_eq!(i32x4_shl(v([1i32; 4]), 32), v([1i32; 4]));
    assert_eq!(i64x2_shr_s(v([i64::MIN; 2]), 127), v([-1i64; 2]));
}

#[test]
fn vector_narrowing_and_widening() {
    let a = v([-200i16, 200, 0, 1, -1, i16::MAX, i16::MIN, 255]);
    let narrow_s: [i8; 16] = i8x16_narrow_i16x8_s(a, V128::ZERO).into();
    assert_eq!(narrow_s[..8], [-128, 127, 0, 1, -1, 127, -128, 127]);
    let narrow_u = i8x16_narrow_i16x8_u(V128::ZERO, a).0;
    assert_eq!(narrow_u[8..], [0, 200, 0, 1, 0, 255, 0, 255]);
    let narrow_32 = i16x8_narrow_i32x4_u(v([70000, -1, 65535, 1]), v([i32::MIN, i32::MAX, 2, 3]));
    assert_eq!(narrow_32, v([65535u16, 0, 65535, 1, 0, 65535, 2, 3]));
    let bytes = V128(std::array::from_fn(|i| 0xf8 + i as u8 % 8));
    assert_eq!(
        i16x8_extend_low_i8x16_s(bytes),
        v([-8i16, -7, -6, -5, -4, -3, -2, -1])
    );
    assert_eq!(
        i16x8_extend_high_i8x16_u(bytes),
        v([248u16, 249, 250, 251, 252, 253, 254, 255])
    );
    assert_eq!(
        i16x8_extmul_low_i8x16_s(V128([0x80; 16]), V128([0x80; 16])),
        v([16384i16; 8])
    );
    assert_eq!(
        i64x2_extmul_high_i32x4_u(V128([0xff; 16]), V128([0xff; 16])),
        v([0xffff_fffe_0000_0001u64; 2])
    );
    assert_eq!(
        i16x8_extadd_pairwise_i8x16_u(V128([0xff; 16])),
        v([510u16; 8])
    );
    assert_eq!(
        i32x4_extadd_pairwise_i16x8_s(v([i16::MIN; 8])),
        v([-65536; 4])
    );
}

#[test]
fn vector_floats() {
    let nan = f32::NAN;
    let pmin: [f32; 4] = f32x4_pmin(v([nan, 1.0, -0.0, 2.0]), v([1.0, nan, 0.0, 1.0])).into();
    assert!(pmin[0].is_nan());
    assert_eq!(pmin[1..], [1.0, -0.0, 1.0]);
    assert!(pmin[2].is_sign_negative());
    let pmax: [f64; 2] = f64x2_pmax(v([0.0f64, 1.0]), v([-0.0f64, 2.0])).into();
    assert_eq!(pmax, [0.0, 2.0]);
    assert!(pmax[0].is_sign_positive());
    assert_eq!(f32x4_ne(v([nan; 4]), v([nan; 4])), V128([0xff; 16]));
    assert_eq!(
        i32x4_trunc_sat_f32x4_u(v([nan, -1.0, 5e9, 3.9])),
        v([0u32, 0, u32::MAX, 3])
    );
    assert_eq!(
        i32x4_trunc_sat_f64x2_s_zero(v([-1e10, f64::NAN])),
        v([i32::MIN, 0, 0, 0])
    );
    assert_eq!(
        f64x2_convert_low_i32x4_u(v([-1, 1, 5, 5])),
        v([4294967295.0f64, 1.0])
    );
    assert_eq!(
        f32x4_demote_f64x2_zero(v([1.5f64, 1e300])),
        v([1.5f32, f32::INFINITY, 0.0, 0.0])
    );
    assert_eq!(
        f64x2_promote_low_f32x4(v([1.5f32, 2.5, 9.0, 9.0])),
        v([1.5f64, 2.5])
    );
}

/// The vector forms of minimum, maximum and rounding are not the scalar code: compare them.
#[test]
fn vector_floats_agree_with_scalars() {
    let interesting = [
        0.0,
        -0.0,
        1.5,
        -2.5,
        f32::NAN,
        f32::from_bits(SIGNALLING_32),
        f32::INFINITY,
        f32::NEG_INFINITY,
        8388609.0,
        -1e-40,
    ];
    for a in interesting {
        assert_eq!(f32x4_floor(f32x4_splat(a)), f32x4_splat(f32_floor(a)));
        assert_eq!(f32x4_nearest(f32x4_splat(a)), f32x4_splat(f32_nearest(a)));
        assert!(!a.is_nan() || is_quiet_32(f32_trunc(a)));
        for b in interesting {
            let (low, high) = (f32_min(a, b), f32_max(a, b));
            assert_eq!(f32x4_min(f32x4_splat(a), f32x4_splat(b)), f32x4_splat(low));
            assert_eq!(f32x4_max(f32x4_splat(a), f32x4_splat(b)), f32x4_splat(high));
            let (a, b) = (f64_promote_f32(a), f64_promote_f32(b));
            let (low, high) = (f64_min(a, b), f64_max(a, b));
            assert_eq!(f64x2_min(f64x2_splat(a), f64x2_splat(b)), f64x2_splat(low));
            assert_eq!(f64x2_max(f64x2_splat(a), f64x2_splat(b)), f64x2_splat(high));
        }
    }
}

#[test]
fn relaxed_choices() {
    // A fused multiply-add rounds once: the product alone would round the low bits away.
    let a = 1.0f32 + f32::EPSILON;
    let madd: [f32; 4] =
        f32x4_relaxed_madd(v([a; 4]), v([a; 4]), v([-1.0 - 2.0 * f32::EPSILON; 4])).into();
    assert_eq!(madd[0], f32::EPSILON * f32::EPSILON);
    let nmadd: [f64; 2] =
        f64x2_relaxed_nmadd(v([2.0f64; 2]), v([3.0f64; 2]), v([1.0f64; 2])).into();
    assert_eq!(nmadd, [-5.0; 2]);
    assert_eq!(
        i32x4_relaxed_dot_i8x16_i7x16_add_s(v([-1i8; 16]), v([127i8; 16]), v([1i32; 4])),
        v([-507i32; 4])
    );
}

/// Collects the rows of a table as (operator, function, types) and checks each function's type.
macro_rules! rows {
    ($($operator:ident $function:ident ($($operand:ty),*) -> $result:ty;)*) => {{
        $(let _: fn($($operand),*) -> $result = $function;)*
        vec![$((stringify!($operator), stringify!($function))),*]
    }};
}

/// As `rows!` for functions that return a `Result`.
macro_rules! trapping_rows {
    ($($operator:ident $function:ident ($($operand:ty),*) -> $result:ty;)*) => {{
        $(let _: fn($($operand),*) -> Result<$result, crate::TrapCode> = $function;)*
        vec![$((stringify!($operator), stringify!($function))),*]
    }};
}

/// Every operator of wasmparser as (name, name of its visitor method).
macro_rules! all_operators {
    ($( @$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*))*) => {
        vec![$((stringify!($op), stringify!($visit))),*]
    };
}

#[test]
fn the_tables_partition_the_numeric_operators() {
    let mut rows = Vec::new();
    rows.extend(crate::for_each_unary!(rows));
    rows.extend(crate::for_each_unary_trapping!(trapping_rows));
    rows.extend(crate::for_each_binary!(rows));
    rows.extend(crate::for_each_binary_trapping!(trapping_rows));
    rows.extend(crate::for_each_compare!(rows));
    rows.extend(crate::for_each_wide!(rows));
    rows.extend(crate::for_each_v128_unary!(rows));
    rows.extend(crate::for_each_v128_binary!(rows));
    rows.extend(crate::for_each_v128_ternary!(rows));
    rows.extend(crate::for_each_v128_shift!(rows));
    rows.extend(crate::for_each_v128_test!(rows));
    rows.extend(crate::for_each_v128_splat!(rows));
    rows.extend(crate::for_each_v128_extract_lane!(rows));
    rows.extend(crate::for_each_v128_replace_lane!(rows));
    rows.extend(crate::for_each_v128_shuffle!(rows));
    rows.extend(crate::for_each_v128_load_extend!(rows));
    rows.extend(crate::for_each_v128_load_splat!(rows));
    rows.extend(crate::for_each_v128_load_zero!(rows));
    rows.extend(crate::for_each_v128_load_lane!(rows));
    rows.extend(crate::for_each_v128_store_lane!(rows));

    let table: BTreeSet<_> = rows.iter().map(|(operator, _)| *operator).collect();
    assert_eq!(table.len(), rows.len(), "an operator is listed twice");

    let prefixes = ["I32", "I64", "F32", "F64", "V128", "I8x16", "I16x8"];
    let is_scalar_access =
        |name: &str| !name.starts_with("V128") && (name.contains("Load") || name.contains("Store"));
    let operators = wasmparser::for_each_operator!(all_operators);
    let numeric: BTreeSet<_> = operators
        .iter()
        .map(|(operator, _)| *operator)
        .filter(|name| prefixes.iter().any(|prefix| name.starts_with(prefix)))
        .filter(|name| !name.contains("Atomic") && !name.ends_with("Const"))
        .filter(|name| !is_scalar_access(name) && *name != "V128Load" && *name != "V128Store")
        .collect();
    assert_eq!(table, numeric);

    for (operator, function) in rows {
        let (_, visitor) = operators
            .iter()
            .find(|(name, _)| *name == operator)
            .expect("the sets are equal");
        assert_eq!(visitor.strip_prefix("visit_"), Some(function));
    }
}
