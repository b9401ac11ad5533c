//! Bounds of unsigned values, from what they are made of.

use crate::masm::{AluOp, DivOp, IntUnary, LoadOp, Width};
use crate::opt::form::ir::{Function, Op, Ty, Value};

/// How far operands are looked into.
const DEPTH: u32 = 4;

/// The largest number that an integer value can be, taken as unsigned.
pub(super) fn max(function: &Function, value: Value) -> u64 {
    bound(function, value, DEPTH)
}

fn bound(function: &Function, value: Value, depth: u32) -> u64 {
    let node = &function[value];
    let all = match node.ty {
        Ty::I32 => Width::W32.ones(),
        _ => u64::MAX,
    };
    if node.op == Op::Const {
        return node.imm;
    }
    let Some(depth) = depth.checked_sub(1) else {
        return all;
    };
    let of = |i: usize| bound(function, node.args[i], depth);
    let constant = function_constant(function, node.args[1]);
    match node.op {
        Op::Compare(..) | Op::FloatCompare(..) => 1,
        Op::Load(LoadOp::U8, _) => 0xff,
        Op::Load(LoadOp::U16, _) => 0xffff,
        Op::Load(LoadOp::U32, _) => Width::W32.ones(),
        Op::ExtendU | Op::Narrow => of(0),
        Op::Select => of(1).max(of(2)),
        Op::IntUnary(IntUnary::Wrap, _) => of(0).min(Width::W32.ones()),
        Op::IntUnary(IntUnary::Clz | IntUnary::Ctz | IntUnary::Popcnt, width) => {
            width.bits().into()
        }
        Op::Alu(op, width) => match (op, constant) {
            (AluOp::And, _) => of(0).min(of(1)),
            (AluOp::Or | AluOp::Xor, _) => {
                let top = (of(0) | of(1)).checked_ilog2();
                top.map_or(0, |top| u64::MAX >> (63 - top))
            }
            (AluOp::Add, _) => of(0).checked_add(of(1)).map_or(all, |sum| fit(sum, all)),
            (AluOp::Mul, _) => of(0)
                .checked_mul(of(1))
                .map_or(all, |product| fit(product, all)),
            (AluOp::ShrU, Some(count)) => of(0) >> (count & u64::from(width.bits() - 1)),
            (AluOp::ShrU, None) => of(0),
            (AluOp::Shl, Some(count)) => {
                let count = (count & u64::from(width.bits() - 1)) as u32;
                let shifted = u128::from(of(0)) << count;
                u64::try_from(shifted).map_or(all, |shifted| fit(shifted, all))
            }
            _ => all,
        },
        Op::Div(DivOp::DivU, _) => of(0),
        Op::Div(DivOp::RemU, _) => match constant {
            Some(divisor @ 1..) => of(0).min(divisor - 1),
            _ => of(0),
        },
        _ => all,
    }
}

fn function_constant(function: &Function, value: Value) -> Option<u64> {
    (value != Value::NONE).then(|| function.constant(value))?
}

/// A bound, or that of the type where it may have wrapped.
fn fit(bound: u64, all: u64) -> u64 {
    if bound > all { all } else { bound }
}
