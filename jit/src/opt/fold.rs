//! What a node can be replaced by, looking at its operands only.

use super::ir::{Function, Node, Op, Ty, Value};
use crate::masm::{AluOp, Cond, IntUnary, Width};
use zwasm_core::num;

/// A simpler form of a node.
pub(super) enum Simpler {
    /// There is none.
    Same,
    /// A value that exists.
    Value(Value),
    /// A constant of the node's type.
    Const(u64),
    /// A node whose operands exist, but for a constant: operand 1 when given.
    Node(Node, Option<(Ty, u64)>),
}

/// Finds the simpler form of a node.
pub(super) fn simplify(function: &Function, node: &Node) -> Simpler {
    match node.op {
        Op::Alu(op, width) => alu(function, node, op, width),
        Op::Compare(cond, width) => compare(function, node, cond, width),
        Op::IntUnary(op, width) => match function.constant(node.args[0]) {
            Some(a) => Simpler::Const(int_unary(op, width, a)),
            None => extension(function, node, op, width),
        },
        Op::ExtendU => match function.constant(node.args[0]) {
            Some(a) => Simpler::Const(a),
            None => Simpler::Same,
        },
        Op::Select => match function.constant(node.args[0]) {
            Some(0) => Simpler::Value(node.args[2]),
            Some(_) => Simpler::Value(node.args[1]),
            None if node.args[1] == node.args[2] => Simpler::Value(node.args[1]),
            None => Simpler::Same,
        },
        _ => Simpler::Same,
    }
}

fn alu(function: &Function, node: &Node, op: AluOp, width: Width) -> Simpler {
    let [a, b, _] = node.args;
    let (left, right) = (function.constant(a), function.constant(b));
    if let (Some(a), Some(b)) = (left, right) {
        return Simpler::Const(alu_value(op, width, a, b));
    }
    let commutes = matches!(
        op,
        AluOp::Add | AluOp::And | AluOp::Or | AluOp::Xor | AluOp::Mul
    );
    if left.is_some() && commutes {
        // Constants stand on the right, where instructions hold them.
        let mut swapped = *node;
        swapped.args[..2].copy_from_slice(&[b, a]);
        return Simpler::Node(swapped, None);
    }
    if a == b {
        match op {
            AluOp::Sub | AluOp::Xor => return Simpler::Const(0),
            AluOp::And | AluOp::Or => return Simpler::Value(a),
            _ => {}
        }
    }
    let Some(constant) = right else {
        return Simpler::Same;
    };
    let ones = match width {
        Width::W32 => u64::from(u32::MAX),
        Width::W64 => u64::MAX,
    };
    match (op, constant) {
        (AluOp::Add | AluOp::Sub | AluOp::Or | AluOp::Xor, 0) => return Simpler::Value(a),
        (AluOp::Shl | AluOp::ShrS | AluOp::ShrU | AluOp::Rotl | AluOp::Rotr, count)
            if count & (bits(width) - 1) == 0 =>
        {
            return Simpler::Value(a);
        }
        (AluOp::And | AluOp::Mul, 0) => return Simpler::Const(0),
        (AluOp::Mul, 1) => return Simpler::Value(a),
        (AluOp::And, mask) if mask == ones => return Simpler::Value(a),
        (AluOp::Or, mask) if mask == ones => return Simpler::Const(ones),
        (AluOp::Mul, factor) if factor.is_power_of_two() => {
            let shift = u64::from(factor.trailing_zeros());
            return with_constant(node, Op::Alu(AluOp::Shl, width), a, shift);
        }
        (AluOp::Sub, constant) => {
            // Additions meet additions.
            let negated = alu_value(AluOp::Sub, width, 0, constant);
            return with_constant(node, Op::Alu(AluOp::Add, width), a, negated);
        }
        _ => {}
    }
    // (x op c) op d
    let inner = &function[a];
    if inner.op == node.op
        && let Some(first) = function.constant(inner.args[1])
    {
        let joined = match op {
            AluOp::Add | AluOp::And | AluOp::Or | AluOp::Xor | AluOp::Mul => {
                Some(alu_value(op, width, first, constant))
            }
            AluOp::Shl | AluOp::ShrU => {
                let limit = bits(width) - 1;
                let sum = (first & limit) + (constant & limit);
                (sum <= limit).then_some(sum)
            }
            _ => None,
        };
        if let Some(joined) = joined {
            return with_constant(node, node.op, inner.args[0], joined);
        }
    }
    Simpler::Same
}

fn with_constant(node: &Node, op: Op, a: Value, constant: u64) -> Simpler {
    let mut simpler = *node;
    simpler.op = op;
    simpler.args = [a, Value::NONE, Value::NONE];
    Simpler::Node(simpler, Some((node.ty, constant)))
}

fn compare(function: &Function, node: &Node, cond: Cond, width: Width) -> Simpler {
    let [a, b, _] = node.args;
    let (left, right) = (function.constant(a), function.constant(b));
    if let (Some(a), Some(b)) = (left, right) {
        return Simpler::Const(u64::from(holds(cond, width, a, b)));
    }
    if left.is_some() {
        let mut swapped = *node;
        swapped.op = Op::Compare(cond.swap(), width);
        swapped.args[..2].copy_from_slice(&[b, a]);
        return Simpler::Node(swapped, None);
    }
    if a == b {
        return Simpler::Const(u64::from(holds(cond, width, 0, 0)));
    }
    // Of another comparison, or of what is one, whether it is zero.
    if right == Some(0) && width == Width::W32 && matches!(cond, Cond::Eq | Cond::Ne) {
        let inner = function[a];
        let negated = match (cond, inner.op) {
            (Cond::Ne, Op::Compare(..) | Op::FloatCompare(..)) => return Simpler::Value(a),
            (Cond::Eq, Op::Compare(cond, width)) => Op::Compare(cond.negate(), width),
            _ => return Simpler::Same,
        };
        let mut simpler = inner;
        simpler.op = negated;
        return Simpler::Node(simpler, None);
    }
    Simpler::Same
}

/// Extensions of what is narrow already.
fn extension(function: &Function, node: &Node, op: IntUnary, width: Width) -> Simpler {
    let inner = &function[node.args[0]];
    match (op, inner.op) {
        // The low half of an extension is what was extended.
        (IntUnary::Wrap, Op::ExtendU | Op::IntUnary(IntUnary::Extend32S, _))
            if width == Width::W32 && function[inner.args[0]].ty == Ty::I32 =>
        {
            Simpler::Value(inner.args[0])
        }
        _ if inner.op == node.op => match op {
            IntUnary::Extend8S | IntUnary::Extend16S => Simpler::Value(node.args[0]),
            _ => Simpler::Same,
        },
        _ => Simpler::Same,
    }
}

const fn bits(width: Width) -> u64 {
    match width {
        Width::W32 => 32,
        Width::W64 => 64,
    }
}

/// What an operation gives; 32-bit values have a clear upper half, here as everywhere.
fn alu_value(op: AluOp, width: Width, a: u64, b: u64) -> u64 {
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

fn int_unary(op: IntUnary, width: Width, a: u64) -> u64 {
    match width {
        Width::W32 => {
            let narrow = a as i32;
            let value = match op {
                IntUnary::Clz => num::i32_clz(narrow),
                IntUnary::Ctz => num::i32_ctz(narrow),
                IntUnary::Popcnt => num::i32_popcnt(narrow),
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
                IntUnary::Extend8S => num::i64_extend8_s(wide),
                IntUnary::Extend16S => num::i64_extend16_s(wide),
                IntUnary::Extend32S => num::i64_extend32_s(wide),
                IntUnary::Wrap => i64::from(wide as u32),
            };
            value as u64
        }
    }
}

fn holds(cond: Cond, width: Width, a: u64, b: u64) -> bool {
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
