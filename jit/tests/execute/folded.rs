//! Operations with a second operand that is no register of its own: in memory, shifted, or constant.

use super::harness::{Changes, Code, Host, Kept, State, float_operands, hosts, operands};
use super::int::expected_alu;
use zwasm_jit::masm::{
    AluOp, Cond, FixedRoles, FloatMasm, FloatOp, FloatSource, FloatWidth, FromInt, IntMasm,
    IntUnary, Labels, Listed, Masm, Mem, Operand, StoreOp, Target, Width,
};

const WIDTHS: [Width; 2] = [Width::W32, Width::W64];
const PLACE: u64 = 0xfedc_ba98_8765_4321;

fn low(width: Width, value: u64) -> u64 {
    match width {
        Width::W32 => u64::from(value as u32),
        Width::W64 => value,
    }
}

/// Of processors without anything beyond the first version of their architecture.
fn target() -> Target {
    Host::target(Default::default())
}

#[test]
fn operands_in_memory() {
    let place = PLACE;
    let host = *hosts().last().expect("there is one");
    let registers = &operands()[..2];
    let base = operands()[1];
    for op in AluOp::list().into_iter().filter(|op| !op.is_shift()) {
        for width in WIDTHS {
            for &dst in registers {
                // The address may be in the destination, and in the first operand.
                for &a in registers {
                    let mem = Mem::at(base, 0);
                    let code = Code::snippet(host, |m, _| {
                        m.alu(op, width, dst, a, Operand::Mem(mem));
                    });
                    let mut state = State::new();
                    state.set(operands()[0], low(width, 0x1234_5678_9abc_def1));
                    let address = &raw const place as u64;
                    state.set(base, address);
                    let after = code.check(&state, Changes::General(dst), Kept::Allocatable);
                    if a == base && width == Width::W32 {
                        // An address is no 32-bit value.
                        continue;
                    }
                    let expected = expected_alu(op, width, state.get(a), low(width, place));
                    assert_eq!(after.get(dst), expected, "{op:?} {width:?} {dst:?} {a:?}");
                }
            }
        }
    }
}

#[test]
fn comparisons_with_memory() {
    let place = PLACE;
    let host = hosts()[0];
    let [a, base] = [operands()[0], operands()[1]];
    for width in WIDTHS {
        for (value, is_below) in [(0, true), (u64::MAX, false), (low(width, PLACE), false)] {
            for dst in [a, base] {
                let second = Operand::Mem(Mem::at(base, 0));
                let code = Code::snippet(host, |m, exits| {
                    m.branch_if(Cond::LtU, width, a, second, exits[1]);
                    m.compare(Cond::LtU, width, dst, a, second);
                });
                let mut state = State::new();
                state.set(a, low(width, value));
                state.set(base, &raw const place as u64);
                if is_below {
                    assert_eq!(code.run(&state).exit, 1);
                } else {
                    let after = code.check(&state, Changes::General(dst), Kept::Allocatable);
                    assert_eq!(after.get(dst), 0);
                }
            }
        }
    }
}

#[test]
fn shifted_operands() {
    let host = hosts()[0];
    let all = operands();
    for op in AluOp::list().into_iter().filter(|op| !op.is_shift()) {
        for count in 0..34 {
            if !(target().folds_shift)(op, count) {
                continue;
            }
            for width in WIDTHS {
                for &dst in &all {
                    for [a, b] in [[all[0], all[1]], [all[1], all[0]], [all[1], all[1]]] {
                        let second = Operand::Shl(b, count as u8);
                        let code = Code::snippet(host, |m, _| m.alu(op, width, dst, a, second));
                        let mut state = State::new();
                        state.set(all[0], low(width, 0x1234_5678_9abc_def1));
                        state.set(all[1], low(width, PLACE));
                        let after = code.check(&state, Changes::General(dst), Kept::Allocatable);
                        let bits = if width == Width::W32 { 32 } else { 64 };
                        if count >= bits {
                            continue;
                        }
                        let shifted = low(width, state.get(b) << count);
                        let expected = expected_alu(op, width, state.get(a), shifted);
                        assert_eq!(after.get(dst), expected, "{op:?} {width:?} {dst:?} {count}");
                    }
                }
            }
        }
    }
}

#[test]
fn floats_in_memory_and_constants() {
    let place = 0.75_f64;
    let host = hosts()[0];
    let base = operands()[0];
    let compute = |op, a: f64, b: f64| match op {
        FloatOp::Add => a + b,
        FloatOp::Sub => a - b,
        FloatOp::Mul => a * b,
        _ => a / b,
    };
    for op in [FloatOp::Add, FloatOp::Sub, FloatOp::Mul, FloatOp::Div] {
        for &dst in &float_operands() {
            for &a in &float_operands()[..2] {
                for source in [
                    FloatSource::Mem(Mem::at(base, 0)),
                    FloatSource::Constant(place.to_bits()),
                ] {
                    let code = Code::snippet(host, |m, _| {
                        m.float_from(op, FloatWidth::F64, dst, a, source);
                    });
                    let mut state = State::new();
                    state.set(base, &raw const place as u64);
                    state.set_float(a, 2.5_f64.to_bits().into());
                    let after = code.run(&state);
                    let result = f64::from_bits(after.get_float(dst) as u64);
                    assert_eq!(result, compute(op, 2.5, place), "{op:?} {dst:?} {a:?}");
                }
            }
        }
    }
}

#[test]
fn stores_of_constants() {
    let host = hosts()[0];
    let base = operands()[0];
    for (op, mask) in [
        (StoreOp::B1, 0xff),
        (StoreOp::B2, 0xffff),
        (StoreOp::B4, 0xffff_ffff),
        (StoreOp::B8, u64::MAX),
    ] {
        for value in [0, 1, -1, 0x1234_5678, i32::MIN] {
            if !(target().stores_constant)(op, value) {
                continue;
            }
            let code = Code::snippet(host, |m, _| m.store_constant(op, value, Mem::at(base, 0)));
            let mut place = PLACE;
            let mut state = State::new();
            state.set(base, &raw mut place as u64);
            code.check(&state, Changes::Nothing, Kept::Everything);
            let expected = PLACE & !mask | i64::from(value) as u64 & mask;
            assert_eq!(place, expected, "{op:?} {value}");
        }
    }
}

/// With rare registers allocated, shifts and divisions keep all but what they say.
#[test]
fn clobbers_are_what_operations_change() {
    let host = hosts()[0];
    let [dst, a, b] = [operands()[0], operands()[1], Host::FILE.temporary[1]];
    for op in AluOp::list().into_iter().filter(|op| op.is_shift()) {
        let code = Code::snippet(host, |m, _| {
            m.allocate_rare();
            m.alu(op, Width::W64, dst, a, Operand::Reg(b));
        });
        let mut state = State::new();
        state.set(b, 5);
        let after = code.run(&state);
        let expected = expected_alu(op, Width::W64, state.get(a), 5);
        assert_eq!(after.get(dst), expected);
        let clobbers = target().clobbers.of(FixedRoles::Shift(op));
        for &register in Host::FILE.rare {
            let may_change = clobbers.iter().any(|c| c.register == register);
            let is_kept = after.get(register) == state.get(register);
            assert!(may_change || is_kept, "{op:?} {register:?}");
        }
    }
    let fpr = Host::FILE.float_temporary[0];
    for from in [FromInt::I32S, FromInt::I32U, FromInt::I64S, FromInt::I64U] {
        let code = Code::snippet(host, |m, _| {
            m.allocate_rare();
            m.float_from_int(from, FloatWidth::F64, fpr, a);
        });
        kept(&code, FixedRoles::FromInt(from));
    }
    for op in [IntUnary::Clz, IntUnary::Ctz, IntUnary::Popcnt] {
        let code = Code::snippet(host, |m, _| {
            m.allocate_rare();
            m.int_unary(op, Width::W64, dst, a);
        });
        kept(&code, FixedRoles::Unary(op));
    }
    let code = Code::snippet(host, |m, _| {
        m.allocate_rare();
        let label = m.label();
        m.jump_table(a, &[label]);
        m.bind(label);
    });
    let mut state = State::new();
    state.set(a, 0);
    let after = code.run(&state);
    for &register in Host::FILE.rare {
        assert_eq!(after.get(register), state.get(register), "{register:?}");
    }
}

/// Code changes no rare register but those that an operation is said to overwrite.
fn kept(code: &Code, operation: FixedRoles) {
    let mut state = State::new();
    // Conversions take another way for large integers.
    state.set(operands()[1], u64::MAX - 5);
    let after = code.run(&state);
    let clobbers = target().clobbers.of(operation);
    for &register in Host::FILE.rare {
        let may_change = clobbers.iter().any(|c| c.register == register);
        let is_kept = after.get(register) == state.get(register);
        assert!(may_change || is_kept, "{operation:?} {register:?}");
    }
}
