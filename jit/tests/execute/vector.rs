//! Vector operations on edge values of each lane type, registers in all combinations.
//!
//! The operations and what they compute come out of one table.

use zwasm_core::num::{self, V128};
use zwasm_jit::masm::vector::{VecBinary, VecShift, VecTernary, VecTest, VecUnary, VectorMasm};
use zwasm_jit::masm::{FloatWidth, Fpr, Masm, Operand};

use super::harness::{Changes, Code, Host, Kept, State, float_operands, hosts, operands};

/// Pairs of operation and function.
macro_rules! pairs {
    ($enum:ident: $($op:ident $func:ident $args:tt -> $out:ty;)*) => {
        vec![$(($enum::$op, num::$func as _),)*]
    };
}

type Unary = fn(V128) -> V128;
type Binary = fn(V128, V128) -> V128;
type Ternary = fn(V128, V128, V128) -> V128;
type Shift = fn(V128, i32) -> V128;
type Test = fn(V128) -> i32;

macro_rules! unary_pairs {
    ($($rows:tt)*) => { pairs!(VecUnary: $($rows)*) };
}
macro_rules! binary_pairs {
    ($($rows:tt)*) => { pairs!(VecBinary: $($rows)*) };
}
macro_rules! ternary_pairs {
    ($($rows:tt)*) => { pairs!(VecTernary: $($rows)*) };
}
macro_rules! shift_pairs {
    ($($rows:tt)*) => { pairs!(VecShift: $($rows)*) };
}
macro_rules! test_pairs {
    ($($rows:tt)*) => { pairs!(VecTest: $($rows)*) };
}

/// The macro-assemblers that have vectors.
pub(crate) fn vector_hosts() -> Vec<fn() -> Host> {
    hosts()
        .into_iter()
        .filter(|host| Host::target(host().features()).has_vectors)
        .collect()
}

/// The lane type that an operation's name ends with: that of its operands.
fn lane_type(name: &str) -> &'static str {
    let types = ["I8x16", "I16x8", "I32x4", "I64x2", "F32x4", "F64x2"];
    let last = types
        .into_iter()
        .filter_map(|ty| name.rfind(ty).map(|at| (at, ty)))
        .max();
    last.map_or("I8x16", |(_, ty)| ty)
}

fn edges(lanes: &str) -> (usize, Vec<u64>) {
    let integers = |bits: u32| {
        let top = 1_u64 << (bits - 1);
        let mut values = vec![0, 1, 2, 3, top - 1, top, top + 1, (top - 1) * 2 + 1];
        values.extend([0x55, 0x80, 0x7f, top / 2, top | 0x40, top - 3]);
        values
    };
    match lanes {
        "I8x16" => (1, integers(8)),
        "I16x8" => (2, integers(16)),
        "I32x4" => (4, integers(32)),
        "I64x2" => (8, integers(64)),
        "F32x4" => {
            let bits = super::float::values(FloatWidth::F32);
            (4, bits)
        }
        _ => (8, super::float::values(FloatWidth::F64)),
    }
}

/// Vectors whose lanes are edge values or noise.
fn vectors(lanes: &str, count: usize) -> Vec<u128> {
    let (size, edges) = edges(lanes);
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let mut vectors = vec![0, u128::MAX];
    while vectors.len() < count {
        let mut bytes = [0; 16];
        for lane in bytes.chunks_exact_mut(size) {
            let choice = random() as usize;
            let value = match choice & 7 {
                0 => random(),
                _ => edges[choice / 8 % edges.len()],
            };
            lane.copy_from_slice(&value.to_le_bytes()[..size]);
        }
        vectors.push(u128::from_le_bytes(bytes));
    }
    vectors
}

/// Whether the operation may choose among NaNs, and the width of its result's lanes.
fn chosen_nans(name: &str) -> Option<FloatWidth> {
    let exact = [
        "Abs", "Neg", "PMin", "PMax", "Eq", "Ne", "Lt", "Gt", "Le", "Ge",
    ];
    if exact.iter().any(|exact| name.ends_with(exact)) {
        return None;
    }
    match &name[..5] {
        "F32x4" => Some(FloatWidth::F32),
        "F64x2" => Some(FloatWidth::F64),
        _ => None,
    }
}

/// Quiet always, canonical if no operand's NaN is anything else.
fn is_allowed_nan(width: FloatWidth, actual: u64, expected: u64, canonical: bool) -> bool {
    let nan = |bits| super::float::is_nan(width, bits);
    let (quiet, is_canonical) = super::float::nan_kind(width, actual);
    nan(actual) && nan(expected) && quiet && (is_canonical || !canonical)
}

fn lanes_of(width: FloatWidth, bits: u128) -> Vec<u64> {
    match width {
        FloatWidth::F32 => (0..4)
            .map(|i| u64::from((bits >> (32 * i)) as u32))
            .collect(),
        FloatWidth::F64 => (0..2).map(|i| (bits >> (64 * i)) as u64).collect(),
    }
}

fn assert_vector(name: &str, actual: u128, expected: V128, operands: &[u128], code: &Code) {
    let expected = expected.to_u128();
    let matches = actual == expected
        || chosen_nans(name).is_some_and(|width| {
            let operand_width = match lane_type(name) {
                "F64x2" => FloatWidth::F64,
                _ => FloatWidth::F32,
            };
            let canonical = operands.iter().all(|&operand| {
                lanes_of(operand_width, operand).into_iter().all(|bits| {
                    !super::float::is_nan(operand_width, bits)
                        || super::float::nan_kind(operand_width, bits).1
                })
            });
            let pairs = lanes_of(width, actual)
                .into_iter()
                .zip(lanes_of(width, expected));
            pairs.into_iter().all(|(actual, expected)| {
                actual == expected || is_allowed_nan(width, actual, expected, canonical)
            })
        });
    assert!(
        matches,
        "{name} {operands:#034x?}: {actual:#034x}, expected {expected:#034x}: {code:?}"
    );
}

/// Sets registers in order and returns what they hold in the end.
pub(crate) fn set<const N: usize>(
    state: &mut State,
    registers: [Fpr; N],
    values: [u128; N],
) -> [u128; N] {
    for (register, value) in registers.into_iter().zip(values) {
        state.set_float(register, value);
    }
    registers.map(|register| state.get_float(register))
}

#[test]
fn unary_operations() {
    let table: Vec<(VecUnary, Unary)> = zwasm_core::for_each_v128_unary!(unary_pairs);
    for host in vector_hosts() {
        for &(op, function) in &table {
            let name = format!("{op:?}");
            let values = vectors(lane_type(&name), 40);
            for dst in float_operands() {
                for a in float_operands() {
                    let code = Code::snippet(host, |m, _| m.vec_unary(op, dst, a));
                    let mut state = State::new();
                    for &x in &values {
                        let [x] = set(&mut state, [a], [x]);
                        let after = code.check(&state, Changes::Float(dst), Kept::Allocatable);
                        let expected = function(V128::from_u128(x));
                        assert_vector(&name, after.get_float(dst), expected, &[x], &code);
                    }
                }
            }
        }
    }
}

#[test]
fn binary_operations() {
    let table: Vec<(VecBinary, Binary)> = zwasm_core::for_each_v128_binary!(binary_pairs);
    for host in vector_hosts() {
        for &(op, function) in &table {
            let name = format!("{op:?}");
            let values = vectors(lane_type(&name), 12);
            for dst in float_operands() {
                for a in float_operands() {
                    for b in float_operands() {
                        let code = Code::snippet(host, |m, _| m.vec_binary(op, dst, a, b));
                        let mut state = State::new();
                        for (i, &x) in values.iter().enumerate() {
                            // All pairs once, some with each combination.
                            let all = dst != a && dst != b && a != b;
                            for &y in values.iter().skip(if all { 0 } else { i }) {
                                let [x, y] = set(&mut state, [a, b], [x, y]);
                                let changes = Changes::Float(dst);
                                let after = code.check(&state, changes, Kept::Allocatable);
                                let expected = function(V128::from_u128(x), V128::from_u128(y));
                                let actual = after.get_float(dst);
                                assert_vector(&name, actual, expected, &[x, y], &code);
                            }
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn ternary_operations() {
    let table: Vec<(VecTernary, Ternary)> = zwasm_core::for_each_v128_ternary!(ternary_pairs);
    for host in vector_hosts() {
        for &(op, function) in &table {
            let name = format!("{op:?}");
            if name.contains("add")
                && !name.contains("Dot")
                && !Host::target(host().features()).has_fused
            {
                continue;
            }
            let values = vectors(lane_type(&name), 14);
            let registers = float_operands();
            for number in 0..registers.len().pow(4) {
                let [dst, a, b, c] = [0, 1, 2, 3]
                    .map(|i| registers[number / registers.len().pow(i) % registers.len()]);
                let code = Code::snippet(host, |m, _| m.vec_ternary(op, dst, a, b, c));
                let mut state = State::new();
                for operands in values.windows(3) {
                    let operands = [operands[0], operands[1], operands[2]];
                    let operands = set(&mut state, [a, b, c], operands);
                    let after = code.check(&state, Changes::Float(dst), Kept::Allocatable);
                    let [x, y, z] = operands.map(V128::from_u128);
                    let expected = function(x, y, z);
                    assert_vector(&name, after.get_float(dst), expected, &operands, &code);
                }
            }
        }
    }
}

#[test]
fn shifts() {
    let table: Vec<(VecShift, Shift)> = zwasm_core::for_each_v128_shift!(shift_pairs);
    let counts = [0, 1, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, -1, 0x101];
    for host in vector_hosts() {
        for &(op, function) in &table {
            let name = format!("{op:?}");
            let values = vectors(lane_type(&name), 12);
            for dst in float_operands() {
                for a in float_operands() {
                    for count in counts {
                        let immediate = Operand::Imm(count);
                        let code = Code::snippet(host, |m, _| m.vec_shift(op, dst, a, immediate));
                        let mut state = State::new();
                        for &x in &values {
                            state.set_float(a, x);
                            let after = code.check(&state, Changes::Float(dst), Kept::Allocatable);
                            let expected = function(V128::from_u128(x), count);
                            assert_vector(&name, after.get_float(dst), expected, &[x], &code);
                        }
                    }
                    for register in operands() {
                        let operand = Operand::Reg(register);
                        let code = Code::snippet(host, |m, _| m.vec_shift(op, dst, a, operand));
                        let mut state = State::new();
                        for (&x, count) in values.iter().cycle().zip(counts) {
                            state.set_float(a, x);
                            state.set(register, u64::from(count as u32));
                            let after = code.check(&state, Changes::Float(dst), Kept::Allocatable);
                            let expected = function(V128::from_u128(x), count);
                            assert_vector(&name, after.get_float(dst), expected, &[x], &code);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn tests_of_lanes() {
    let table: Vec<(VecTest, Test)> = zwasm_core::for_each_v128_test!(test_pairs);
    for host in vector_hosts() {
        for &(op, function) in &table {
            let name = format!("{op:?}");
            let values = vectors(lane_type(&name), 60);
            for dst in operands() {
                for a in float_operands() {
                    let code = Code::snippet(host, |m, _| m.vec_test(op, dst, a));
                    let mut state = State::new();
                    for &x in &values {
                        state.set_float(a, x);
                        let after = code.check(&state, Changes::General(dst), Kept::Allocatable);
                        let expected = function(V128::from_u128(x)) as u32;
                        assert_eq!(
                            after.get(dst),
                            u64::from(expected),
                            "{name} {x:#x} {code:?}"
                        );
                    }
                }
            }
        }
    }
}

/// Memory need not be aligned.
#[cfg(target_arch = "x86_64")]
#[test]
fn second_operands_in_memory() {
    use zwasm_jit::isa::x86_64::Features;
    use zwasm_jit::masm::Mem;
    const WITH_AVX: Features = Features {
        fma: false,
        ..Features::ALL
    };
    if hosts().len() == 1 {
        return;
    }
    let table: Vec<(VecBinary, Binary)> = zwasm_core::for_each_v128_binary!(binary_pairs);
    let base = operands()[0];
    let a = float_operands()[0];
    for (op, function) in table {
        if !(Host::target(WITH_AVX).folds_vector)(op) {
            continue;
        }
        let name = format!("{op:?}");
        for &dst in &float_operands() {
            let host = || Host::with_features(WITH_AVX);
            let code = Code::snippet(host, |m, _| m.vec_binary_from(op, dst, a, Mem::at(base, 1)));
            let values = vectors(lane_type(&name), 6);
            for &x in &values {
                for &y in &values {
                    let mut bytes = [0_u8; 17];
                    bytes[1..].copy_from_slice(&y.to_le_bytes());
                    let mut state = State::new();
                    state.set(base, bytes.as_ptr() as u64);
                    state.set_float(a, x);
                    let actual = code.run(&state).get_float(dst);
                    let expected = function(V128::from_u128(x), V128::from_u128(y));
                    assert_vector(&name, actual, expected, &[x, y], &code);
                }
            }
        }
    }
}

#[test]
fn operations_that_commute() {
    let table: Vec<(VecBinary, Binary)> = zwasm_core::for_each_v128_binary!(binary_pairs);
    for (op, function) in table.into_iter().filter(|(op, _)| op.commutes()) {
        let name = format!("{op:?}");
        let values = vectors(lane_type(&name), 12);
        let code = Code::snippet(hosts()[0], |_, _| {});
        for &x in &values {
            for &y in &values {
                let [one, other] = [[x, y], [y, x]].map(|of| {
                    let [x, y] = of.map(V128::from_u128);
                    function(x, y)
                });
                assert_vector(&name, one.to_u128(), other, &[x, y], &code);
            }
        }
    }
}
