//! Integer operations on edge values, registers in all combinations.

use zwasm_core::{TrapCode, num};
use zwasm_jit::masm::{
    AluOp, Cond, DivOp, Gpr, IntMasm, IntUnary, Listed, MulHigh, Operand, Width,
};

use super::harness::{Changes, Code, Kept, State, hosts, operands};

const VALUES: &[u64] = &[
    0,
    1,
    2,
    3,
    31,
    32,
    33,
    63,
    64,
    65,
    0x7f,
    0x80,
    0xff,
    0x8000,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0x8000_0001,
    0xffff_fffe,
    0xffff_ffff,
    0x1_0000_0000,
    0x1234_5678_9abc_def0,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_8000_0000,
    0xffff_ffff_ffff_fffe,
    0xffff_ffff_ffff_ffff,
];

const CONSTANTS: &[i32] = &[
    0,
    1,
    -1,
    2,
    -2,
    3,
    5,
    8,
    9,
    31,
    32,
    33,
    63,
    64,
    65,
    127,
    128,
    -127,
    -128,
    -129,
    255,
    256,
    4095,
    4096,
    -4095,
    -4096,
    65535,
    65536,
    0x00ff_f000,
    0x0100_0000,
    -0x0100_0000,
    0x5555_5555,
    0x7000_0000,
    0x4000_0000,
    -65536,
    i32::MAX,
    i32::MIN,
    i32::MIN + 1,
];

const WIDTHS: [Width; 2] = [Width::W32, Width::W64];

/// The value as an operand of this width: 32-bit ones have a clear upper half.
fn narrow(width: Width, value: u64) -> u64 {
    match width {
        Width::W32 => u64::from(value as u32),
        Width::W64 => value,
    }
}

fn values(width: Width) -> Vec<u64> {
    let mut values: Vec<u64> = VALUES.iter().map(|&value| narrow(width, value)).collect();
    values.sort_unstable();
    values.dedup();
    values
}

/// A few, for operations with many operands.
fn few_values(width: Width) -> Vec<u64> {
    [0, 1, 0x7fff_ffff, 0x8000_0000, 1 << 63, u64::MAX]
        .map(|value| narrow(width, value))
        .to_vec()
}

/// Applies the function of the width, operands and result as register contents.
macro_rules! by_width {
    ($width:expr, $f32:path, $f64:path, $($arg:expr),+) => {
        match $width {
            Width::W32 => u64::from($f32($($arg as i32),+).cast_unsigned()),
            Width::W64 => $f64($($arg as i64),+).cast_unsigned(),
        }
    };
}

pub(crate) fn expected_alu(op: AluOp, width: Width, a: u64, b: u64) -> u64 {
    match op {
        AluOp::Add => by_width!(width, num::i32_add, num::i64_add, a, b),
        AluOp::Sub => by_width!(width, num::i32_sub, num::i64_sub, a, b),
        AluOp::And => by_width!(width, num::i32_and, num::i64_and, a, b),
        AluOp::Or => by_width!(width, num::i32_or, num::i64_or, a, b),
        AluOp::Xor => by_width!(width, num::i32_xor, num::i64_xor, a, b),
        AluOp::Mul => by_width!(width, num::i32_mul, num::i64_mul, a, b),
        AluOp::Shl => by_width!(width, num::i32_shl, num::i64_shl, a, b),
        AluOp::ShrS => by_width!(width, num::i32_shr_s, num::i64_shr_s, a, b),
        AluOp::ShrU => by_width!(width, num::i32_shr_u, num::i64_shr_u, a, b),
        AluOp::Rotl => by_width!(width, num::i32_rotl, num::i64_rotl, a, b),
        AluOp::Rotr => by_width!(width, num::i32_rotr, num::i64_rotr, a, b),
    }
}

/// Comparisons yield an `i32` at both widths.
macro_rules! test_by_width {
    ($width:expr, $f32:path, $f64:path, $a:expr, $b:expr) => {
        match $width {
            Width::W32 => $f32($a as i32, $b as i32) != 0,
            Width::W64 => $f64($a as i64, $b as i64) != 0,
        }
    };
}

fn holds(cond: Cond, width: Width, a: u64, b: u64) -> bool {
    match cond {
        Cond::Eq => test_by_width!(width, num::i32_eq, num::i64_eq, a, b),
        Cond::Ne => test_by_width!(width, num::i32_ne, num::i64_ne, a, b),
        Cond::LtS => test_by_width!(width, num::i32_lt_s, num::i64_lt_s, a, b),
        Cond::LtU => test_by_width!(width, num::i32_lt_u, num::i64_lt_u, a, b),
        Cond::GtS => test_by_width!(width, num::i32_gt_s, num::i64_gt_s, a, b),
        Cond::GtU => test_by_width!(width, num::i32_gt_u, num::i64_gt_u, a, b),
        Cond::LeS => test_by_width!(width, num::i32_le_s, num::i64_le_s, a, b),
        Cond::LeU => test_by_width!(width, num::i32_le_u, num::i64_le_u, a, b),
        Cond::GeS => test_by_width!(width, num::i32_ge_s, num::i64_ge_s, a, b),
        Cond::GeU => test_by_width!(width, num::i32_ge_u, num::i64_ge_u, a, b),
    }
}

/// All pairs and triples of the registers.
pub(crate) fn triples() -> Vec<[Gpr; 3]> {
    let registers = operands();
    let mut triples = Vec::new();
    for &first in &registers {
        for &second in &registers {
            for &third in &registers {
                triples.push([first, second, third]);
            }
        }
    }
    triples
}

fn pairs() -> Vec<[Gpr; 2]> {
    let registers = operands();
    let mut pairs = Vec::new();
    for &first in &registers {
        for &second in &registers {
            pairs.push([first, second]);
        }
    }
    pairs
}

/// Calls `check` with a state for every pair of values; the same register gets the same value.
fn for_values(width: Width, a: Gpr, b: Gpr, mut check: impl FnMut(&State, u64, u64)) {
    let mut state = State::new();
    for value_a in values(width) {
        for value_b in values(width) {
            state.set(a, value_a);
            state.set(b, value_b);
            check(&state, state.get(a), state.get(b));
        }
    }
}

#[test]
fn alu_on_registers() {
    for host in hosts() {
        for op in AluOp::list() {
            for width in WIDTHS {
                for [dst, a, b] in triples() {
                    let code =
                        Code::snippet(host, |m, _| m.alu(op, width, dst, a, Operand::Reg(b)));
                    for_values(width, a, b, |state, x, y| {
                        let after = code.check(state, Changes::General(dst), Kept::Allocatable);
                        let expected = expected_alu(op, width, x, y);
                        assert_eq!(
                            after.get(dst),
                            expected,
                            "{op:?} {width:?} {dst:?} {a:?} {b:?}: {x:#x} {y:#x} {code:?}"
                        );
                    });
                }
            }
        }
    }
}

#[test]
fn alu_on_constants() {
    for host in hosts() {
        for op in AluOp::list() {
            for width in WIDTHS {
                for [dst, a] in pairs() {
                    for &b in CONSTANTS {
                        let code =
                            Code::snippet(host, |m, _| m.alu(op, width, dst, a, Operand::Imm(b)));
                        let mut state = State::new();
                        for x in values(width) {
                            state.set(a, x);
                            let after =
                                code.check(&state, Changes::General(dst), Kept::Allocatable);
                            let expected = expected_alu(op, width, x, i64::from(b) as u64);
                            assert_eq!(
                                after.get(dst),
                                expected,
                                "{op:?} {width:?} {dst:?} {a:?} {b}: {x:#x} {code:?}"
                            );
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn upper_halves_of_products() {
    for host in hosts() {
        for op in [MulHigh::Signed, MulHigh::Unsigned] {
            for [dst, a, b] in triples() {
                let code = Code::snippet(host, |m, _| m.multiply_high(op, dst, a, b));
                for_values(Width::W64, a, b, |state, x, y| {
                    let after = code.check(state, Changes::General(dst), Kept::Allocatable);
                    let (x, y) = (x.cast_signed(), y.cast_signed());
                    let (_, expected) = match op {
                        MulHigh::Signed => num::i64_mul_wide_s(x, y),
                        MulHigh::Unsigned => num::i64_mul_wide_u(x, y),
                    };
                    assert_eq!(
                        after.get(dst),
                        expected.cast_unsigned(),
                        "{op:?} {dst:?} {a:?} {b:?}: {x:#x} {y:#x} {code:?}"
                    );
                });
            }
        }
    }
}

#[test]
fn and_not() {
    for host in hosts() {
        for width in [Width::W32, Width::W64] {
            for [dst, a, b] in triples() {
                let code = Code::snippet(host, |m, _| m.and_not(width, dst, a, b));
                for_values(width, a, b, |state, x, y| {
                    let after = code.check(state, Changes::General(dst), Kept::Allocatable);
                    let expected = x & !y;
                    let what = (width, dst, a, b);
                    assert_eq!(after.get(dst), expected, "{what:?}: {x:#x} {y:#x} {code:?}");
                });
            }
        }
    }
}

#[test]
fn sums() {
    for host in hosts() {
        for width in [Width::W32, Width::W64] {
            for [dst, a, b] in triples() {
                for (count, c) in [(0, 1), (0, i32::MIN), (1, -1), (3, i32::MAX)] {
                    let second = match count {
                        0 => Operand::Reg(b),
                        count => Operand::Shl(b, count),
                    };
                    let code = Code::snippet(host, |m, _| m.sum(width, dst, a, second, c));
                    for_values(width, a, b, |state, x, y| {
                        let after = code.check(state, Changes::General(dst), Kept::Allocatable);
                        let constant = i64::from(c).cast_unsigned();
                        let sum = x.wrapping_add(y << count).wrapping_add(constant);
                        let expected = match width {
                            Width::W32 => sum & 0xffff_ffff,
                            Width::W64 => sum,
                        };
                        let what = (width, dst, a, b, count, c);
                        assert_eq!(after.get(dst), expected, "{what:?}: {x:#x} {y:#x} {code:?}");
                    });
                }
            }
        }
    }
}

#[test]
fn funnel_shifts() {
    for host in hosts() {
        for (width, counts) in [
            (Width::W32, &[1, 7, 31][..]),
            (Width::W64, &[1, 8, 33, 63][..]),
        ] {
            for [dst, a, b] in triples() {
                for &count in counts {
                    let code = Code::snippet(host, |m, _| m.funnel_shift(width, dst, a, b, count));
                    for_values(width, a, b, |state, x, y| {
                        let after = code.check(state, Changes::General(dst), Kept::Allocatable);
                        let expected = match width {
                            Width::W32 => u64::from((x << count) as u32) | y >> (32 - count),
                            Width::W64 => x << count | y >> (64 - count),
                        };
                        let what = (width, dst, a, b, count);
                        assert_eq!(after.get(dst), expected, "{what:?}: {x:#x} {y:#x} {code:?}");
                    });
                }
            }
        }
    }
}

/// The result, or the exit taken: 1 for division by zero, 2 for overflow.
fn expected_division(op: DivOp, width: Width, a: u64, b: u64) -> Result<u64, u64> {
    macro_rules! by_width {
        ($f32:path, $f64:path) => {
            match width {
                Width::W32 => $f32(a as i32, b as i32).map(|v| u64::from(v.cast_unsigned())),
                Width::W64 => $f64(a as i64, b as i64).map(i64::cast_unsigned),
            }
        };
    }
    let result = match op {
        DivOp::DivS => by_width!(num::i32_div_s, num::i64_div_s),
        DivOp::DivU => by_width!(num::i32_div_u, num::i64_div_u),
        DivOp::RemS => by_width!(num::i32_rem_s, num::i64_rem_s),
        DivOp::RemU => by_width!(num::i32_rem_u, num::i64_rem_u),
    };
    result.map_err(|trap| match trap {
        TrapCode::IntegerDivisionByZero => 1,
        TrapCode::IntegerOverflow => 2,
        trap => panic!("a division cannot trap with {trap:?}"),
    })
}

#[test]
fn divisions() {
    for host in hosts() {
        for op in [DivOp::DivS, DivOp::DivU, DivOp::RemS, DivOp::RemU] {
            for width in WIDTHS {
                for [dst, a, b] in triples() {
                    let code = Code::snippet(host, |m, exits| {
                        m.div(op, width, dst, a, b, exits[1], exits[2]);
                    });
                    for_values(width, a, b, |state, x, y| {
                        let context =
                            || format!("{op:?} {width:?} {dst:?} {a:?} {b:?}: {x:#x} {y:#x}");
                        match expected_division(op, width, x, y) {
                            Ok(expected) => {
                                let changed = Changes::General(dst);
                                let after = code.check(state, changed, Kept::Allocatable);
                                assert_eq!(after.exit, 0, "{}", context());
                                assert_eq!(after.get(dst), expected, "{}", context());
                            }
                            Err(exit) => {
                                let after = code.check(state, Changes::Nothing, Kept::Allocatable);
                                assert_eq!(after.exit, exit, "{}", context());
                            }
                        }
                    });
                }
            }
        }
    }
}

fn expected_unary(op: IntUnary, width: Width, a: u64) -> u64 {
    match op {
        IntUnary::Clz => by_width!(width, num::i32_clz, num::i64_clz, a),
        IntUnary::Ctz => by_width!(width, num::i32_ctz, num::i64_ctz, a),
        IntUnary::Popcnt => by_width!(width, num::i32_popcnt, num::i64_popcnt, a),
        IntUnary::SwapBytes => by_width!(width, i32::swap_bytes, i64::swap_bytes, a),
        IntUnary::Extend8S => by_width!(width, num::i32_extend8_s, num::i64_extend8_s, a),
        IntUnary::Extend16S => by_width!(width, num::i32_extend16_s, num::i64_extend16_s, a),
        IntUnary::Extend32S => by_width!(width, i32::from, num::i64_extend32_s, a),
        IntUnary::Wrap => a & 0xffff_ffff,
    }
}

#[test]
fn unary_operations() {
    let operations = [
        IntUnary::Clz,
        IntUnary::Ctz,
        IntUnary::Popcnt,
        IntUnary::SwapBytes,
        IntUnary::Extend8S,
        IntUnary::Extend16S,
        IntUnary::Extend32S,
        IntUnary::Wrap,
    ];
    for host in hosts() {
        for op in operations {
            for width in WIDTHS {
                for [dst, a] in pairs() {
                    let code = Code::snippet(host, |m, _| m.int_unary(op, width, dst, a));
                    let mut state = State::new();
                    // What is wrapped may have any upper half.
                    let width = if op == IntUnary::Wrap {
                        Width::W64
                    } else {
                        width
                    };
                    let bits = (0..64).map(|bit| narrow(width, 1 << bit));
                    for x in values(width).into_iter().chain(bits) {
                        state.set(a, x);
                        let after = code.check(&state, Changes::General(dst), Kept::Allocatable);
                        let expected = expected_unary(op, width, x);
                        assert_eq!(
                            after.get(dst),
                            expected,
                            "{op:?} {width:?} {dst:?} {a:?} {x:#x}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn comparisons_and_branches() {
    for host in hosts() {
        for cond in Cond::list() {
            for width in WIDTHS {
                for [dst, a, b] in triples() {
                    let code = Code::snippet(host, |m, _| {
                        m.compare(cond, width, dst, a, Operand::Reg(b));
                    });
                    for_values(width, a, b, |state, x, y| {
                        let after = code.check(state, Changes::General(dst), Kept::Allocatable);
                        let expected = u64::from(holds(cond, width, x, y));
                        assert_eq!(after.get(dst), expected, "{cond:?} {width:?} {x:#x} {y:#x}");
                    });
                }
                for [a, b] in pairs() {
                    let code = Code::snippet(host, |m, exits| {
                        m.branch_if(cond, width, a, Operand::Reg(b), exits[1]);
                    });
                    for_values(width, a, b, |state, x, y| {
                        let after = code.check(state, Changes::Nothing, Kept::Allocatable);
                        let expected = u64::from(holds(cond, width, x, y));
                        assert_eq!(after.exit, expected, "{cond:?} {width:?} {x:#x} {y:#x}");
                    });
                }
            }
        }
    }
}

#[test]
fn comparisons_and_branches_with_constants() {
    for host in hosts() {
        for cond in Cond::list() {
            for width in WIDTHS {
                for [dst, a] in pairs() {
                    for &b in CONSTANTS {
                        let compare = Code::snippet(host, |m, _| {
                            m.compare(cond, width, dst, a, Operand::Imm(b));
                        });
                        let branch = Code::snippet(host, |m, exits| {
                            m.branch_if(cond, width, a, Operand::Imm(b), exits[1]);
                        });
                        let mut state = State::new();
                        let near = narrow(width, i64::from(b) as u64);
                        for x in values(width).into_iter().chain([near]) {
                            state.set(a, x);
                            let expected = u64::from(holds(cond, width, x, i64::from(b) as u64));
                            let changed = Changes::General(dst);
                            let after = compare.check(&state, changed, Kept::Allocatable);
                            assert_eq!(after.get(dst), expected, "{cond:?} {width:?} {x:#x} {b}");
                            let after = branch.check(&state, Changes::Nothing, Kept::Allocatable);
                            assert_eq!(after.exit, expected, "{cond:?} {width:?} {x:#x} {b}");
                        }
                    }
                }
            }
        }
    }
}

/// Five operands: all combinations of three registers, on fewer values.
#[test]
fn selections() {
    let all = operands();
    let registers = [all[0], all[1], all[2]];
    let combinations = 3_usize.pow(5);
    for host in hosts() {
        for cond in Cond::list() {
            for width in WIDTHS {
                for combination in 0..combinations {
                    let digit = |position| registers[combination / 3_usize.pow(position) % 3];
                    let [dst, x, y, a, b] = [0, 1, 2, 3, 4].map(digit);
                    // The last register doubles as the case of a constant.
                    let constant = 1;
                    let second = if b == all[2] && combination % 2 == 0 {
                        Operand::Imm(constant)
                    } else {
                        Operand::Reg(b)
                    };
                    let code = Code::snippet(host, |m, _| {
                        m.select(cond, width, a, second, dst, x, y);
                    });
                    let mut state = State::new();
                    for value_a in few_values(width) {
                        for value_b in few_values(width) {
                            state.set(a, value_a);
                            state.set(b, value_b);
                            let compared = match second {
                                Operand::Reg(b) => state.get(b),
                                Operand::Imm(b) => b as u64,
                                other => unreachable!("{other:?} is made above"),
                            };
                            let chosen = if holds(cond, width, state.get(a), compared) {
                                x
                            } else {
                                y
                            };
                            let changed = Changes::General(dst);
                            let after = code.check(&state, changed, Kept::Allocatable);
                            assert_eq!(
                                after.get(dst),
                                state.get(chosen),
                                "{cond:?} {width:?} {a:?} {second:?} {dst:?} {x:?} {y:?} {code:?}"
                            );
                        }
                    }
                }
            }
        }
    }
}
