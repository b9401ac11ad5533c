//! Values: interesting ones to pass, and what two of different stores must have in common.

use fastrand::Rng;
use zwasm::{Func, Ref, Val, ValType};

/// Integers at which operations change their behaviour.
const EDGES: &[i64] = &[
    0,
    1,
    2,
    -1,
    -2,
    7,
    8,
    15,
    31,
    32,
    33,
    63,
    64,
    65,
    127,
    128,
    -128,
    255,
    256,
    32_767,
    32_768,
    65_535,
    65_536,
    65_532,
    0x7fff_ffff,
    0x8000_0000,
    -0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    i64::MAX,
    i64::MIN,
    i64::MIN + 1,
];

/// An integer: an edge, close to one, or anything.
pub(crate) fn integer(rng: &mut Rng) -> i64 {
    let edge = EDGES[rng.usize(..EDGES.len())];
    match rng.u8(..8) {
        0..=3 => edge,
        4 => edge.wrapping_add(rng.i64(-20..=20)),
        5 => rng.i64(0..100),
        6 => i64::from(rng.i32(..)),
        _ => rng.i64(..),
    }
}

/// Floats at which operations change their behaviour; NaNs of both kinds among them.
pub(crate) fn float(rng: &mut Rng) -> f64 {
    const EDGES: &[f64] = &[
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        -0.5,
        1.5,
        2.5,
        -2.5,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        f64::MIN_POSITIVE,
        4e-320,
        1e-40,
        3.5e38,
        2_147_483_647.0,
        2_147_483_648.0,
        -2_147_483_648.0,
        -2_147_483_649.0,
        4_294_967_295.0,
        4_294_967_296.0,
        9_223_372_036_854_775_807.0,
        -9_223_372_036_854_775_808.0,
        18_446_744_073_709_551_615.0,
        4_503_599_627_370_496.5,
    ];
    match rng.u8(..8) {
        0..=4 => EDGES[rng.usize(..EDGES.len())],
        5 => f64::from(rng.i32(-1000..1000)) / 8.0,
        _ => f64::from_bits(rng.u64(..)),
    }
}

pub(crate) fn float_bits(rng: &mut Rng) -> u64 {
    match rng.u8(..10) {
        0 => 0x7ff8_0000_0000_0000,
        1 => 0xfff8_0000_0000_0001,
        2 => 0x7ff0_0000_0000_0001,
        _ => float(rng).to_bits(),
    }
}

pub(crate) fn single_bits(rng: &mut Rng) -> u32 {
    match rng.u8(..10) {
        0 => 0x7fc0_0000,
        1 => 0xffc0_0001,
        2 => 0x7f80_0001,
        3 => rng.u32(..),
        _ => (float(rng) as f32).to_bits(),
    }
}

pub(crate) fn vector(rng: &mut Rng) -> u128 {
    match rng.u8(..6) {
        0 => 0,
        1 => u128::MAX,
        2 => (0..4).fold(0, |v, _| v << 32 | u128::from(single_bits(rng))),
        3 => (0..2).fold(0, |v, _| v << 64 | u128::from(float_bits(rng))),
        4 => (0..8).fold(0, |v, _| v << 16 | u128::from(integer(rng) as u16)),
        _ => rng.u128(..),
    }
}

/// An argument of a type; `None` for references that cannot be null.
pub(crate) fn argument(rng: &mut Rng, ty: ValType) -> Option<Val> {
    Some(match ty {
        ValType::I32 => Val::I32(integer(rng) as i32),
        ValType::I64 => Val::I64(integer(rng)),
        ValType::F32 => Val::F32(single_bits(rng)),
        ValType::F64 => Val::F64(float_bits(rng)),
        ValType::V128 => Val::V128(vector(rng)),
        ValType::Ref(_) => return Val::default_of(ty),
    })
}

/// What must be equal of two values of different stores. The payload of a scalar NaN is not: the
/// specification leaves it open. `functions` are the exported ones.
pub(crate) fn described(value: &Val, functions: &[Func]) -> (u128, Option<usize>) {
    const NAN: u128 = u128::MAX;
    match *value {
        Val::I32(v) => (u128::from(v as u32), None),
        Val::I64(v) => (u128::from(v as u64), None),
        Val::F32(v) if f32::from_bits(v).is_nan() => (NAN, None),
        Val::F32(v) => (u128::from(v), None),
        Val::F64(v) if f64::from_bits(v).is_nan() => (NAN, None),
        Val::F64(v) => (u128::from(v), None),
        Val::V128(v) => (v, None),
        Val::Ref(Ref::Func(Some(func))) => (2, functions.iter().position(|f| *f == func)),
        Val::Ref(reference) => (u128::from(reference.is_null()), None),
    }
}
