//! Float operations and conversions on edge values, registers in all combinations.
//!
//! Results are compared bit for bit, NaNs by the specification's rule: quiet always, canonical when
//! all NaN operands are.

use zwasm_core::num;
use zwasm_jit::masm::{
    FloatCond, FloatMasm, FloatOp, FloatPart, FloatUnary, FloatWidth, Fpr, FromInt, Masm, ToInt,
};

use super::harness::{Changes, Code, Kept, State, float_operands, hosts, operands};

const WIDTHS: [FloatWidth; 2] = [FloatWidth::F32, FloatWidth::F64];

const SINGLES: &[f32] = &[
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    1.5,
    2.5,
    -2.5,
    0.99999994,
    -0.99999994,
    8388607.5,
    8388609.0,
    2147483520.0,
    2147483648.0,
    -2147483648.0,
    -2147483904.0,
    4294967040.0,
    4294967296.0,
    9223371487098961920.0,
    9223372036854775808.0,
    -9223372036854775808.0,
    -9223373136366403584.0,
    18446742974197923840.0,
    18446744073709551616.0,
    1e-45,
    -1e-45,
    f32::MIN_POSITIVE,
    f32::MAX,
    f32::MIN,
    f32::INFINITY,
    f32::NEG_INFINITY,
];

const DOUBLES: &[f64] = &[
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    1.5,
    2.5,
    -2.5,
    0.9999999999999999,
    -0.9999999999999999,
    4503599627370495.5,
    4503599627370497.0,
    2147483647.0,
    2147483647.9,
    2147483648.0,
    -2147483648.0,
    -2147483648.9,
    -2147483649.0,
    4294967295.0,
    4294967295.9,
    4294967296.0,
    9223372036854774784.0,
    9223372036854775808.0,
    -9223372036854775808.0,
    -9223372036854777856.0,
    18446744073709549568.0,
    18446744073709551616.0,
    5e-324,
    -5e-324,
    f64::MIN_POSITIVE,
    1e-40,
    1e300,
    f64::MAX,
    f64::MIN,
    f64::INFINITY,
    f64::NEG_INFINITY,
];

/// Positive and negative canonical NaN, one with a payload, a signalling one.
const SINGLE_NANS: [u32; 4] = [0x7fc0_0000, 0xffc0_0000, 0x7fc1_2345, 0x7f80_0001];
const DOUBLE_NANS: [u64; 4] = [
    0x7ff8_0000_0000_0000,
    0xfff8_0000_0000_0000,
    0x7ff8_1234_5678_9abc,
    0x7ff0_0000_0000_0001,
];

/// The edge values as bits.
pub(crate) fn values(width: FloatWidth) -> Vec<u64> {
    match width {
        FloatWidth::F32 => {
            let numbers = SINGLES.iter().map(|value| value.to_bits());
            numbers.chain(SINGLE_NANS).map(u64::from).collect()
        }
        FloatWidth::F64 => {
            let numbers = DOUBLES.iter().map(|value| value.to_bits());
            numbers.chain(DOUBLE_NANS).collect()
        }
    }
}

fn single(bits: u64) -> f32 {
    f32::from_bits(bits as u32)
}

fn double(bits: u64) -> f64 {
    f64::from_bits(bits)
}

pub(crate) fn is_nan(width: FloatWidth, bits: u64) -> bool {
    match width {
        FloatWidth::F32 => single(bits).is_nan(),
        FloatWidth::F64 => double(bits).is_nan(),
    }
}

/// The quiet bit of a NaN, and whether it is the only bit of the payload.
pub(crate) fn nan_kind(width: FloatWidth, bits: u64) -> (bool, bool) {
    let (payload, quiet) = match width {
        FloatWidth::F32 => (bits & 0x007f_ffff, 0x0040_0000),
        FloatWidth::F64 => (bits & 0x000f_ffff_ffff_ffff, 0x0008_0000_0000_0000),
    };
    (payload & quiet != 0, payload == quiet)
}

fn result_bits(width: FloatWidth, register: u128) -> u64 {
    match width {
        FloatWidth::F32 => u64::from(register as u32),
        FloatWidth::F64 => register as u64,
    }
}

/// Checks an arithmetic result given the operands' bits.
fn assert_result(
    width: FloatWidth,
    actual: u64,
    expected: u64,
    operands: &[(FloatWidth, u64)],
    context: &dyn Fn() -> String,
) {
    if !is_nan(width, expected) {
        assert_eq!(actual, expected, "{}", context());
        return;
    }
    assert!(
        is_nan(width, actual),
        "{}: {actual:#x} is no NaN",
        context()
    );
    let (quiet, canonical) = nan_kind(width, actual);
    assert!(quiet, "{}: {actual:#x} is signalling", context());
    let canonical_operands = operands
        .iter()
        .all(|&(width, bits)| !is_nan(width, bits) || nan_kind(width, bits).1);
    assert!(
        canonical || !canonical_operands,
        "{}: {actual:#x} is not canonical",
        context()
    );
}

/// Applies the function of the width to bits.
macro_rules! by_width {
    ($width:expr, $f32:path, $f64:path, $($arg:expr),+) => {
        match $width {
            FloatWidth::F32 => u64::from($f32($(single($arg)),+).to_bits()),
            FloatWidth::F64 => $f64($(double($arg)),+).to_bits(),
        }
    };
}

/// A register's contents, with noise above the value.
fn noisy(width: FloatWidth, bits: u64) -> u128 {
    let noise = 0xfedc_ba98_7654_3210_0f1e_2d3c_4b5a_6978_u128;
    match width {
        FloatWidth::F32 => noise << 32 | u128::from(bits),
        FloatWidth::F64 => noise << 64 | u128::from(bits),
    }
}

/// Sets two registers and returns what they hold: the same register gets the same value.
fn set_operands(
    state: &mut State,
    width: FloatWidth,
    (a, x): (Fpr, u64),
    (b, y): (Fpr, u64),
) -> (u64, u64) {
    state.set_float(a, noisy(width, x));
    state.set_float(b, noisy(width, y));
    (result_bits(width, state.get_float(a)), y)
}

#[test]
fn binary_operations() {
    let operations = [
        FloatOp::Add,
        FloatOp::Sub,
        FloatOp::Mul,
        FloatOp::Div,
        FloatOp::Min,
        FloatOp::Max,
        FloatOp::Copysign,
    ];
    for host in hosts() {
        for op in operations {
            for width in WIDTHS {
                for dst in float_operands() {
                    for a in float_operands() {
                        for b in float_operands() {
                            let code = Code::snippet(host, |m, _| m.float(op, width, dst, a, b));
                            check_binary(&code, op, width, [dst, a, b]);
                        }
                    }
                }
            }
        }
    }
}

fn check_binary(code: &Code, op: FloatOp, width: FloatWidth, [dst, a, b]: [Fpr; 3]) {
    let mut state = State::new();
    for x in values(width) {
        for y in values(width) {
            let (x, y) = set_operands(&mut state, width, (a, x), (b, y));
            let expected = match op {
                FloatOp::Add => by_width!(width, num::f32_add, num::f64_add, x, y),
                FloatOp::Sub => by_width!(width, num::f32_sub, num::f64_sub, x, y),
                FloatOp::Mul => by_width!(width, num::f32_mul, num::f64_mul, x, y),
                FloatOp::Div => by_width!(width, num::f32_div, num::f64_div, x, y),
                FloatOp::Min => by_width!(width, num::f32_min, num::f64_min, x, y),
                FloatOp::Max => by_width!(width, num::f32_max, num::f64_max, x, y),
                FloatOp::Copysign => by_width!(width, num::f32_copysign, num::f64_copysign, x, y),
            };
            let after = code.check(&state, Changes::Float(dst), Kept::Allocatable);
            let actual = result_bits(width, after.get_float(dst));
            let context = || format!("{op:?} {width:?} {dst:?} {a:?} {b:?} {x:#x} {y:#x} {code:?}");
            match op {
                FloatOp::Copysign => assert_eq!(actual, expected, "{}", context()),
                FloatOp::Add
                | FloatOp::Sub
                | FloatOp::Mul
                | FloatOp::Div
                | FloatOp::Min
                | FloatOp::Max => {
                    let operands = [(width, x), (width, y)];
                    assert_result(width, actual, expected, &operands, &context);
                }
            }
        }
    }
}

#[test]
fn unary_operations() {
    let operations = [
        FloatUnary::Abs,
        FloatUnary::Neg,
        FloatUnary::Sqrt,
        FloatUnary::Ceil,
        FloatUnary::Floor,
        FloatUnary::Trunc,
        FloatUnary::Nearest,
    ];
    for host in hosts() {
        for op in operations {
            for width in WIDTHS {
                for dst in float_operands() {
                    for a in float_operands() {
                        let code = Code::snippet(host, |m, _| m.float_unary(op, width, dst, a));
                        check_unary(&code, op, width, dst, a);
                    }
                }
            }
        }
    }
}

fn check_unary(code: &Code, op: FloatUnary, width: FloatWidth, dst: Fpr, a: Fpr) {
    let mut state = State::new();
    for x in values(width) {
        state.set_float(a, noisy(width, x));
        let (expected, exact) = match op {
            FloatUnary::Abs => (by_width!(width, num::f32_abs, num::f64_abs, x), true),
            FloatUnary::Neg => (by_width!(width, num::f32_neg, num::f64_neg, x), true),
            FloatUnary::Sqrt => (by_width!(width, num::f32_sqrt, num::f64_sqrt, x), false),
            FloatUnary::Ceil => (by_width!(width, num::f32_ceil, num::f64_ceil, x), false),
            FloatUnary::Floor => (by_width!(width, num::f32_floor, num::f64_floor, x), false),
            FloatUnary::Trunc => (by_width!(width, num::f32_trunc, num::f64_trunc, x), false),
            FloatUnary::Nearest => (
                by_width!(width, num::f32_nearest, num::f64_nearest, x),
                false,
            ),
        };
        let after = code.check(&state, Changes::Float(dst), Kept::Allocatable);
        let actual = result_bits(width, after.get_float(dst));
        let context = || format!("{op:?} {width:?} {dst:?} {a:?} {x:#x} {code:?}");
        if exact {
            assert_eq!(actual, expected, "{}", context());
        } else {
            assert_result(width, actual, expected, &[(width, x)], &context);
        }
    }
}

#[test]
fn comparisons_and_branches() {
    let conditions = [
        FloatCond::Eq,
        FloatCond::Ne,
        FloatCond::Lt,
        FloatCond::Gt,
        FloatCond::Le,
        FloatCond::Ge,
    ];
    for host in hosts() {
        for cond in conditions {
            for width in WIDTHS {
                for a in float_operands() {
                    for b in float_operands() {
                        for dst in operands() {
                            let code = Code::snippet(host, |m, _| {
                                m.float_compare(cond, width, dst, a, b);
                            });
                            for_pairs(width, a, b, |state, x, y| {
                                let changed = Changes::General(dst);
                                let after = code.check(state, changed, Kept::Allocatable);
                                let expected = u64::from(holds(cond, width, x, y));
                                assert_eq!(after.get(dst), expected, "{cond:?} {x:#x} {y:#x}");
                            });
                        }
                        for negated in [false, true] {
                            let code = Code::snippet(host, |m, exits| {
                                m.float_branch_if(cond, negated, width, a, b, exits[1]);
                            });
                            for_pairs(width, a, b, |state, x, y| {
                                let after = code.check(state, Changes::Nothing, Kept::Allocatable);
                                let expected = u64::from(holds(cond, width, x, y) != negated);
                                assert_eq!(after.exit, expected, "{cond:?} {x:#x} {y:#x}");
                            });
                        }
                    }
                }
            }
        }
    }
}

/// Pairs of a few values.
fn for_pairs(width: FloatWidth, a: Fpr, b: Fpr, mut check: impl FnMut(&State, u64, u64)) {
    let some: Vec<u64> = values(width).into_iter().step_by(4).collect();
    let nan = *values(width).last().unwrap();
    let mut state = State::new();
    for &x in some.iter().chain([&nan]) {
        for &y in some.iter().chain([&nan, &0]) {
            let (x, y) = set_operands(&mut state, width, (a, x), (b, y));
            check(&state, x, y);
        }
    }
}

fn holds(cond: FloatCond, width: FloatWidth, x: u64, y: u64) -> bool {
    macro_rules! test {
        ($f32:path, $f64:path) => {
            match width {
                FloatWidth::F32 => $f32(single(x), single(y)) != 0,
                FloatWidth::F64 => $f64(double(x), double(y)) != 0,
            }
        };
    }
    match cond {
        FloatCond::Eq => test!(num::f32_eq, num::f64_eq),
        FloatCond::Ne => test!(num::f32_ne, num::f64_ne),
        FloatCond::Lt => test!(num::f32_lt, num::f64_lt),
        FloatCond::Gt => test!(num::f32_gt, num::f64_gt),
        FloatCond::Le => test!(num::f32_le, num::f64_le),
        FloatCond::Ge => test!(num::f32_ge, num::f64_ge),
    }
}

#[test]
fn conversions_from_integers() {
    let mut integers: Vec<u64> = (0..64).flat_map(|bit| [1 << bit, (1 << bit) - 1]).collect();
    integers.extend([
        u64::MAX,
        u64::MAX - 1,
        0x8000_0000_0000_0400,
        0x8000_0000_0000_0401,
        0x8000_0000_0000_0c00,
        0x8000_0080_0000_0001,
        0xffff_ff7f_ffff_ffff,
        0xffff_ff80_0000_0000,
        0xffff_ffff_ffff_fbff,
        0xffff_ffff_ffff_fc00,
        0x0000_0000_0100_0001,
        0x0000_0000_ffff_ff80,
        0x8000_0000_0000_0001,
    ]);
    for host in hosts() {
        for from in [FromInt::I32S, FromInt::I32U, FromInt::I64S, FromInt::I64U] {
            for width in WIDTHS {
                for dst in float_operands() {
                    for src in operands() {
                        let code =
                            Code::snippet(host, |m, _| m.float_from_int(from, width, dst, src));
                        let mut state = State::new();
                        for &x in &integers {
                            let x = match from {
                                FromInt::I32S | FromInt::I32U => u64::from(x as u32),
                                FromInt::I64S | FromInt::I64U => x,
                            };
                            state.set(src, x);
                            let after = code.check(&state, Changes::Float(dst), Kept::Allocatable);
                            let actual = result_bits(width, after.get_float(dst));
                            let expected = converted(from, width, x);
                            assert_eq!(actual, expected, "{from:?} {width:?} {x:#x} {code:?}");
                        }
                    }
                }
            }
        }
    }
}

fn converted(from: FromInt, width: FloatWidth, x: u64) -> u64 {
    match (from, width) {
        (FromInt::I32S, FloatWidth::F32) => num::f32_convert_i32_s(x as i32).to_bits().into(),
        (FromInt::I32U, FloatWidth::F32) => num::f32_convert_i32_u(x as i32).to_bits().into(),
        (FromInt::I64S, FloatWidth::F32) => num::f32_convert_i64_s(x as i64).to_bits().into(),
        (FromInt::I64U, FloatWidth::F32) => num::f32_convert_i64_u(x as i64).to_bits().into(),
        (FromInt::I32S, FloatWidth::F64) => num::f64_convert_i32_s(x as i32).to_bits(),
        (FromInt::I32U, FloatWidth::F64) => num::f64_convert_i32_u(x as i32).to_bits(),
        (FromInt::I64S, FloatWidth::F64) => num::f64_convert_i64_s(x as i64).to_bits(),
        (FromInt::I64U, FloatWidth::F64) => num::f64_convert_i64_u(x as i64).to_bits(),
    }
}

#[test]
fn conversions_between_floats() {
    for host in hosts() {
        for to in WIDTHS {
            let from = match to {
                FloatWidth::F32 => FloatWidth::F64,
                FloatWidth::F64 => FloatWidth::F32,
            };
            for dst in float_operands() {
                for src in float_operands() {
                    let code = Code::snippet(host, |m, _| m.float_convert(to, dst, src));
                    let mut state = State::new();
                    for x in values(from) {
                        state.set_float(src, noisy(from, x));
                        let expected = match to {
                            FloatWidth::F32 => num::f32_demote_f64(double(x)).to_bits().into(),
                            FloatWidth::F64 => num::f64_promote_f32(single(x)).to_bits(),
                        };
                        let after = code.check(&state, Changes::Float(dst), Kept::Allocatable);
                        let actual = result_bits(to, after.get_float(dst));
                        let context = || format!("{to:?} {dst:?} {src:?} {x:#x}");
                        assert_result(to, actual, expected, &[(from, x)], &context);
                    }
                }
            }
        }
    }
}

#[test]
fn truncations() {
    for host in hosts() {
        for to in [ToInt::I32S, ToInt::I32U, ToInt::I64S, ToInt::I64U] {
            for from in WIDTHS {
                for dst in operands() {
                    for src in float_operands() {
                        let code = Code::snippet(host, |m, exits| {
                            m.truncate(to, from, dst, src, exits[1]);
                        });
                        let mut state = State::new();
                        for x in values(from) {
                            state.set_float(src, noisy(from, x));
                            let changed = Changes::General(dst);
                            let after = code.check(&state, changed, Kept::Allocatable);
                            assert_eq!(after.get_float(src), state.get_float(src));
                            let expected = truncated(to, from, x);
                            if after.exit == 0 {
                                let actual = Some(after.get(dst));
                                assert_eq!(actual, expected, "{to:?} {from:?} {x:#x} {code:?}");
                            } else {
                                assert!(may_be_slow(to, expected), "{to:?} {from:?} {x:#x}");
                            }
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn saturating_truncations() {
    for host in hosts() {
        for to in [ToInt::I32S, ToInt::I32U, ToInt::I64S, ToInt::I64U] {
            for from in WIDTHS {
                for (dst, src) in operands().into_iter().zip(float_operands()) {
                    let code = Code::snippet(host, |m, exits| {
                        m.truncate_saturating(to, from, dst, src, exits[1]);
                    });
                    let mut state = State::new();
                    for x in values(from) {
                        state.set_float(src, noisy(from, x));
                        let changed = Changes::General(dst);
                        let after = code.check(&state, changed, Kept::Allocatable);
                        let fits = truncated(to, from, x);
                        if after.exit == 0 {
                            let actual = after.get(dst);
                            let expected = saturated(to, from, x);
                            assert_eq!(actual, expected, "{to:?} {from:?} {x:#x} {code:?}");
                        } else {
                            assert!(may_be_slow(to, fits), "{to:?} {from:?} {x:#x}");
                        }
                    }
                }
            }
        }
    }
}

fn saturated(to: ToInt, from: FloatWidth, x: u64) -> u64 {
    let value = match from {
        FloatWidth::F32 => f64::from(single(x)),
        FloatWidth::F64 => double(x),
    };
    match to {
        ToInt::I32S => u64::from(num::i32_trunc_sat_f64_s(value).cast_unsigned()),
        ToInt::I32U => u64::from(num::i32_trunc_sat_f64_u(value).cast_unsigned()),
        ToInt::I64S => num::i64_trunc_sat_f64_s(value).cast_unsigned(),
        ToInt::I64U => num::i64_trunc_sat_f64_u(value).cast_unsigned(),
    }
}

/// The result, if it fits.
fn truncated(to: ToInt, from: FloatWidth, x: u64) -> Option<u64> {
    let unsigned = |value: i32| u64::from(value.cast_unsigned());
    let (s, d) = (single(x), double(x));
    match (to, from) {
        (ToInt::I32S, FloatWidth::F32) => num::i32_trunc_f32_s(s).ok().map(unsigned),
        (ToInt::I32U, FloatWidth::F32) => num::i32_trunc_f32_u(s).ok().map(unsigned),
        (ToInt::I64S, FloatWidth::F32) => num::i64_trunc_f32_s(s).ok().map(i64::cast_unsigned),
        (ToInt::I64U, FloatWidth::F32) => num::i64_trunc_f32_u(s).ok().map(i64::cast_unsigned),
        (ToInt::I32S, FloatWidth::F64) => num::i32_trunc_f64_s(d).ok().map(unsigned),
        (ToInt::I32U, FloatWidth::F64) => num::i32_trunc_f64_u(d).ok().map(unsigned),
        (ToInt::I64S, FloatWidth::F64) => num::i64_trunc_f64_s(d).ok().map(i64::cast_unsigned),
        (ToInt::I64U, FloatWidth::F64) => num::i64_trunc_f64_u(d).ok().map(i64::cast_unsigned),
    }
}

/// Whether the slow exit is right: always for what does not fit, else for the ends of the range.
fn may_be_slow(to: ToInt, expected: Option<u64>) -> bool {
    match (to, expected) {
        (_, None) => true,
        (ToInt::I32S, Some(value)) => value == 0x8000_0000 || value == 0x7fff_ffff,
        (ToInt::I32U, Some(value)) => value == 0xffff_ffff,
        (ToInt::I64S, Some(value)) => value == 1 << 63,
        (ToInt::I64U, Some(value)) => value >= 1 << 63,
    }
}

#[test]
fn float_moves() {
    for host in hosts() {
        for dst in float_operands() {
            for src in float_operands() {
                for part in [FloatPart::F32, FloatPart::F64, FloatPart::V128] {
                    let code = Code::snippet(host, |m, _| m.float_mov(part, dst, src));
                    let state = State::new();
                    let after = code.check(&state, Changes::Float(dst), Kept::Everything);
                    let mask = match part {
                        FloatPart::F32 => u128::from(u32::MAX),
                        FloatPart::F64 => u128::from(u64::MAX),
                        FloatPart::V128 => u128::MAX,
                    };
                    assert_eq!(after.get_float(dst) & mask, state.get_float(src) & mask);
                }
            }
            for general in operands() {
                for width in WIDTHS {
                    let state = State::new();
                    let code = Code::snippet(host, |m, _| m.float_from_bits(width, dst, general));
                    let after = code.check(&state, Changes::Float(dst), Kept::Everything);
                    let bits = result_bits(width, u128::from(state.get(general)));
                    assert_eq!(result_bits(width, after.get_float(dst)), bits);
                    let code = Code::snippet(host, |m, _| m.float_to_bits(width, general, dst));
                    let after = code.check(&state, Changes::General(general), Kept::Everything);
                    assert_eq!(after.get(general), result_bits(width, state.get_float(dst)));
                }
            }
        }
    }
}

#[test]
fn vector_constants() {
    let halves = [
        0,
        1,
        u64::MAX,
        0x3f80_0000,
        0x3ff0_0000_0000_0000,
        0x4059_0000_0000_0000,
        0x8000_0000_0000_0000,
        0x3fb9_9999_9999_999a,
        0x4000_0000,
        0x0123_4567_89ab_cdef,
    ];
    for host in hosts() {
        for dst in float_operands() {
            for low in halves {
                for high in halves {
                    let code = Code::snippet(host, |m, _| m.vector_imm(dst, low, high));
                    let after = code.check(&State::new(), Changes::Float(dst), Kept::Everything);
                    let expected = u128::from(high) << 64 | u128::from(low);
                    assert_eq!(after.get_float(dst), expected, "{code:?}");
                }
            }
        }
    }
}
