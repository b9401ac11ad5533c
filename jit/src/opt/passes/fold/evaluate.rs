//! Results of operations on constants.

use crate::masm::{
    AluOp, Cond, DivOp, FloatCond, FloatOp, FloatUnary, FloatWidth, FromInt, IntUnary, MulHigh,
    ToInt, Width,
};
use crate::opt::form::ir::{Function, Node, Op, Ty, Value};
use zwasm_core::num;

/// The constant that a node is, if all that it depends on are constants. Results that are NaN stay
/// with the processor, which chooses the payload.
pub(super) fn constant(function: &Function, node: &Node) -> Option<(Ty, u64)> {
    let arg = |i: usize| {
        let value = node.args[i];
        (value != Value::NONE).then(|| function.constant(value))?
    };
    let a = arg(0)?;
    let bits = match node.op {
        Op::Alu(op, width) => alu(op, width, a, arg(1)?),
        Op::Div(op, width) => division(op, width, a, arg(1)?)?,
        Op::MulHigh(op) => mul_high(op, a, arg(1)?),
        Op::IntUnary(op, width) => int_unary(op, width, a),
        Op::ExtendU | Op::Narrow => a,
        Op::Compare(cond, width) => u64::from(holds(cond, width, a, arg(1)?)),
        Op::Float(op, width) => float(op, width, a, arg(1)?)?,
        Op::FloatUnary(op, width) => float_unary(op, width, a)?,
        Op::FloatCompare(cond, width) => float_holds(cond, width, a, arg(1)?),
        Op::FromInt(from, width) => from_int(from, width, a),
        Op::FloatConvert(FloatWidth::F32) => {
            let value = num::f32_demote_f64(f64::from_bits(a));
            (!value.is_nan()).then(|| u64::from(value.to_bits()))?
        }
        Op::FloatConvert(FloatWidth::F64) => {
            let value = num::f64_promote_f32(f32::from_bits(a as u32));
            (!value.is_nan()).then(|| value.to_bits())?
        }
        Op::ToBits(_) | Op::FromBits(_) => a,
        Op::Truncate(to, width) => truncate(to, width, a)?,
        Op::TruncateSaturating(to, width) => truncate_saturating(to, width, a),
        _ => return None,
    };
    Some((node.ty, bits))
}

/// What an operation gives; 32-bit values have a clear upper half, here as everywhere.
pub(in crate::opt) fn alu(op: AluOp, width: Width, a: u64, b: u64) -> u64 {
    match width {
        Width::W32 => {
            let (a, b) = (a as i32, b as i32);
            let value = match op {
                AluOp::Add => num::i32_add(a, b),
                AluOp::Sub => num::i32_sub(a, b),
                AluOp::And => num::i32_and(a, b),
                AluOp::Or => num::i32_or(a, b),
                AluOp::Xor => num::i32_xor(a, b),
                AluOp::Mul => num::i32_mul(a, b),
                AluOp::Shl => num::i32_shl(a, b),
                AluOp::ShrS => num::i32_shr_s(a, b),
                AluOp::ShrU => num::i32_shr_u(a, b),
                AluOp::Rotl => num::i32_rotl(a, b),
                AluOp::Rotr => num::i32_rotr(a, b),
            };
            u64::from(value as u32)
        }
        Width::W64 => {
            let (a, b) = (a as i64, b as i64);
            let value = match op {
                AluOp::Add => num::i64_add(a, b),
                AluOp::Sub => num::i64_sub(a, b),
                AluOp::And => num::i64_and(a, b),
                AluOp::Or => num::i64_or(a, b),
                AluOp::Xor => num::i64_xor(a, b),
                AluOp::Mul => num::i64_mul(a, b),
                AluOp::Shl => num::i64_shl(a, b),
                AluOp::ShrS => num::i64_shr_s(a, b),
                AluOp::ShrU => num::i64_shr_u(a, b),
                AluOp::Rotl => num::i64_rotl(a, b),
                AluOp::Rotr => num::i64_rotr(a, b),
            };
            value as u64
        }
    }
}

/// `None` where it traps.
fn division(op: DivOp, width: Width, a: u64, b: u64) -> Option<u64> {
    match width {
        Width::W32 => {
            let (a, b) = (a as i32, b as i32);
            let value = match op {
                DivOp::DivS => num::i32_div_s(a, b),
                DivOp::DivU => num::i32_div_u(a, b),
                DivOp::RemS => num::i32_rem_s(a, b),
                DivOp::RemU => num::i32_rem_u(a, b),
            };
            value.ok().map(|value| u64::from(value as u32))
        }
        Width::W64 => {
            let (a, b) = (a as i64, b as i64);
            let value = match op {
                DivOp::DivS => num::i64_div_s(a, b),
                DivOp::DivU => num::i64_div_u(a, b),
                DivOp::RemS => num::i64_rem_s(a, b),
                DivOp::RemU => num::i64_rem_u(a, b),
            };
            value.ok().map(|value| value as u64)
        }
    }
}

fn mul_high(op: MulHigh, a: u64, b: u64) -> u64 {
    let (_, high) = match op {
        MulHigh::Signed => num::i64_mul_wide_s(a as i64, b as i64),
        MulHigh::Unsigned => num::i64_mul_wide_u(a as i64, b as i64),
    };
    high as u64
}

fn int_unary(op: IntUnary, width: Width, a: u64) -> u64 {
    match width {
        Width::W32 => {
            let narrow = a as i32;
            let value = match op {
                IntUnary::Clz => num::i32_clz(narrow),
                IntUnary::Ctz => num::i32_ctz(narrow),
                IntUnary::Popcnt => num::i32_popcnt(narrow),
                IntUnary::SwapBytes => narrow.swap_bytes(),
                IntUnary::Extend8S => num::i32_extend8_s(narrow),
                IntUnary::Extend16S => num::i32_extend16_s(narrow),
                IntUnary::Extend32S | IntUnary::Wrap => narrow,
            };
            u64::from(value as u32)
        }
        Width::W64 => {
            let wide = a as i64;
            let value = match op {
                IntUnary::Clz => num::i64_clz(wide),
                IntUnary::Ctz => num::i64_ctz(wide),
                IntUnary::Popcnt => num::i64_popcnt(wide),
                IntUnary::SwapBytes => wide.swap_bytes(),
                IntUnary::Extend8S => num::i64_extend8_s(wide),
                IntUnary::Extend16S => num::i64_extend16_s(wide),
                IntUnary::Extend32S => num::i64_extend32_s(wide),
                IntUnary::Wrap => i64::from(wide as u32),
            };
            value as u64
        }
    }
}

/// Whether a comparison holds.
pub(super) fn holds(cond: Cond, width: Width, a: u64, b: u64) -> bool {
    let (signed_a, signed_b) = match width {
        Width::W32 => (i64::from(a as i32), i64::from(b as i32)),
        Width::W64 => (a as i64, b as i64),
    };
    match cond {
        Cond::Eq => a == b,
        Cond::Ne => a != b,
        Cond::LtS => signed_a < signed_b,
        Cond::LtU => a < b,
        Cond::GtS => signed_a > signed_b,
        Cond::GtU => a > b,
        Cond::LeS => signed_a <= signed_b,
        Cond::LeU => a <= b,
        Cond::GeS => signed_a >= signed_b,
        Cond::GeU => a >= b,
    }
}

fn float(op: FloatOp, width: FloatWidth, a: u64, b: u64) -> Option<u64> {
    // These work on the bits, so that any result is the same everywhere.
    let is_bitwise = op == FloatOp::Copysign;
    match width {
        FloatWidth::F32 => {
            let (a, b) = (f32::from_bits(a as u32), f32::from_bits(b as u32));
            let value = match op {
                FloatOp::Add => num::f32_add(a, b),
                FloatOp::Sub => num::f32_sub(a, b),
                FloatOp::Mul => num::f32_mul(a, b),
                FloatOp::Div => num::f32_div(a, b),
                FloatOp::Min => num::f32_min(a, b),
                FloatOp::Max => num::f32_max(a, b),
                FloatOp::Copysign => num::f32_copysign(a, b),
            };
            (is_bitwise || !value.is_nan()).then(|| u64::from(value.to_bits()))
        }
        FloatWidth::F64 => {
            let (a, b) = (f64::from_bits(a), f64::from_bits(b));
            let value = match op {
                FloatOp::Add => num::f64_add(a, b),
                FloatOp::Sub => num::f64_sub(a, b),
                FloatOp::Mul => num::f64_mul(a, b),
                FloatOp::Div => num::f64_div(a, b),
                FloatOp::Min => num::f64_min(a, b),
                FloatOp::Max => num::f64_max(a, b),
                FloatOp::Copysign => num::f64_copysign(a, b),
            };
            (is_bitwise || !value.is_nan()).then(|| value.to_bits())
        }
    }
}

fn float_unary(op: FloatUnary, width: FloatWidth, a: u64) -> Option<u64> {
    let is_bitwise = matches!(op, FloatUnary::Abs | FloatUnary::Neg);
    match width {
        FloatWidth::F32 => {
            let a = f32::from_bits(a as u32);
            let value = match op {
                FloatUnary::Abs => num::f32_abs(a),
                FloatUnary::Neg => num::f32_neg(a),
                FloatUnary::Sqrt => num::f32_sqrt(a),
                FloatUnary::Ceil => num::f32_ceil(a),
                FloatUnary::Floor => num::f32_floor(a),
                FloatUnary::Trunc => num::f32_trunc(a),
                FloatUnary::Nearest => num::f32_nearest(a),
            };
            (is_bitwise || !value.is_nan()).then(|| u64::from(value.to_bits()))
        }
        FloatWidth::F64 => {
            let a = f64::from_bits(a);
            let value = match op {
                FloatUnary::Abs => num::f64_abs(a),
                FloatUnary::Neg => num::f64_neg(a),
                FloatUnary::Sqrt => num::f64_sqrt(a),
                FloatUnary::Ceil => num::f64_ceil(a),
                FloatUnary::Floor => num::f64_floor(a),
                FloatUnary::Trunc => num::f64_trunc(a),
                FloatUnary::Nearest => num::f64_nearest(a),
            };
            (is_bitwise || !value.is_nan()).then(|| value.to_bits())
        }
    }
}

fn float_holds(cond: FloatCond, width: FloatWidth, a: u64, b: u64) -> u64 {
    let value = match width {
        FloatWidth::F32 => {
            let (a, b) = (f32::from_bits(a as u32), f32::from_bits(b as u32));
            match cond {
                FloatCond::Eq => num::f32_eq(a, b),
                FloatCond::Ne => num::f32_ne(a, b),
                FloatCond::Lt => num::f32_lt(a, b),
                FloatCond::Gt => num::f32_gt(a, b),
                FloatCond::Le => num::f32_le(a, b),
                FloatCond::Ge => num::f32_ge(a, b),
            }
        }
        FloatWidth::F64 => {
            let (a, b) = (f64::from_bits(a), f64::from_bits(b));
            match cond {
                FloatCond::Eq => num::f64_eq(a, b),
                FloatCond::Ne => num::f64_ne(a, b),
                FloatCond::Lt => num::f64_lt(a, b),
                FloatCond::Gt => num::f64_gt(a, b),
                FloatCond::Le => num::f64_le(a, b),
                FloatCond::Ge => num::f64_ge(a, b),
            }
        }
    };
    value as u64
}

fn from_int(from: FromInt, width: FloatWidth, a: u64) -> u64 {
    match width {
        FloatWidth::F32 => {
            let value = match from {
                FromInt::I32S => num::f32_convert_i32_s(a as i32),
                FromInt::I32U => num::f32_convert_i32_u(a as i32),
                FromInt::I64S => num::f32_convert_i64_s(a as i64),
                FromInt::I64U => num::f32_convert_i64_u(a as i64),
            };
            u64::from(value.to_bits())
        }
        FloatWidth::F64 => {
            let value = match from {
                FromInt::I32S => num::f64_convert_i32_s(a as i32),
                FromInt::I32U => num::f64_convert_i32_u(a as i32),
                FromInt::I64S => num::f64_convert_i64_s(a as i64),
                FromInt::I64U => num::f64_convert_i64_u(a as i64),
            };
            value.to_bits()
        }
    }
}

/// `None` where it traps.
fn truncate(to: ToInt, width: FloatWidth, a: u64) -> Option<u64> {
    let narrow = |value: Result<i32, _>| value.ok().map(|value| u64::from(value as u32));
    let wide = |value: Result<i64, zwasm_core::TrapCode>| value.ok().map(|value| value as u64);
    match width {
        FloatWidth::F32 => {
            let a = f32::from_bits(a as u32);
            match to {
                ToInt::I32S => narrow(num::i32_trunc_f32_s(a)),
                ToInt::I32U => narrow(num::i32_trunc_f32_u(a)),
                ToInt::I64S => wide(num::i64_trunc_f32_s(a)),
                ToInt::I64U => wide(num::i64_trunc_f32_u(a)),
            }
        }
        FloatWidth::F64 => {
            let a = f64::from_bits(a);
            match to {
                ToInt::I32S => narrow(num::i32_trunc_f64_s(a)),
                ToInt::I32U => narrow(num::i32_trunc_f64_u(a)),
                ToInt::I64S => wide(num::i64_trunc_f64_s(a)),
                ToInt::I64U => wide(num::i64_trunc_f64_u(a)),
            }
        }
    }
}

fn truncate_saturating(to: ToInt, width: FloatWidth, a: u64) -> u64 {
    let narrow = |value: i32| u64::from(value as u32);
    match width {
        FloatWidth::F32 => {
            let a = f32::from_bits(a as u32);
            match to {
                ToInt::I32S => narrow(num::i32_trunc_sat_f32_s(a)),
                ToInt::I32U => narrow(num::i32_trunc_sat_f32_u(a)),
                ToInt::I64S => num::i64_trunc_sat_f32_s(a) as u64,
                ToInt::I64U => num::i64_trunc_sat_f32_u(a) as u64,
            }
        }
        FloatWidth::F64 => {
            let a = f64::from_bits(a);
            match to {
                ToInt::I32S => narrow(num::i32_trunc_sat_f64_s(a)),
                ToInt::I32U => narrow(num::i32_trunc_sat_f64_u(a)),
                ToInt::I64S => num::i64_trunc_sat_f64_s(a) as u64,
                ToInt::I64U => num::i64_trunc_sat_f64_u(a) as u64,
            }
        }
    }
}
