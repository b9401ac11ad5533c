//! Integer arithmetic, comparisons and conversions that have simpler forms.

use super::{Maker, Simpler, evaluate, node, range};
use crate::masm::{AluOp, Cond, FloatCond, IntUnary, StoreOp, Width};
use crate::opt::form::ir::{Function, Node, Op, Ty};

/// An arithmetic operation; not both operands are constants.
pub(super) fn alu(maker: &mut Maker<'_>, given: &Node, op: AluOp, width: Width) -> Simpler {
    let [a, b, _] = given.args;
    if op.commutes() && maker.function.constant(a).is_some() {
        // Constants stand on the right, where instructions hold them.
        return Simpler::Node(node(given.op, given.ty, &[b, a]));
    }
    if a == b {
        match op {
            AluOp::Sub | AluOp::Xor => return maker.simpler_constant(given.ty, 0),
            AluOp::And | AluOp::Or => return Simpler::Value(a),
            _ => {}
        }
    }
    let Some(constant) = maker.function.constant(b) else {
        return rotation(maker, given, op, width);
    };
    match (op, constant) {
        (AluOp::Add | AluOp::Sub | AluOp::Or | AluOp::Xor, 0) => return Simpler::Value(a),
        (AluOp::And | AluOp::Mul, 0) => return maker.simpler_constant(given.ty, 0),
        (AluOp::Mul, 1) => return Simpler::Value(a),
        (AluOp::Mul, factor) if factor.is_power_of_two() => {
            let count = u64::from(factor.trailing_zeros());
            return maker.simpler_alu(AluOp::Shl, width, a, count);
        }
        (AluOp::Or, mask) if mask == width.ones() => return maker.simpler_constant(given.ty, mask),
        (AluOp::Sub, constant) => {
            // Additions meet additions.
            let negated = evaluate::alu(AluOp::Sub, width, 0, constant);
            return maker.simpler_alu(AluOp::Add, width, a, negated);
        }
        (AluOp::Xor, 1) => {
            // A truth value negated.
            if let Some(negated) = negated(&maker.function[a]) {
                return Simpler::Node(negated);
            }
        }
        (AluOp::And, mask) => return and(maker, given, width, mask),
        (AluOp::Shl | AluOp::ShrS | AluOp::ShrU | AluOp::Rotl | AluOp::Rotr, count) => {
            return shift(maker, given, op, width, count);
        }
        _ => {}
    }
    joined(maker, given, op, width, constant)
}

/// `(x op c) op d`, where the constants can be joined.
fn joined(maker: &mut Maker<'_>, given: &Node, op: AluOp, width: Width, constant: u64) -> Simpler {
    let inner = maker.function[given.args[0]];
    let first = || maker.function.constant(inner.args[1]);
    // Those that commute are associative, too.
    if op.commutes()
        && inner.op == given.op
        && let Some(first) = first()
    {
        let constant = evaluate::alu(op, width, first, constant);
        return maker.simpler_alu(op, width, inner.args[0], constant);
    }
    Simpler::Same
}

fn and(maker: &mut Maker<'_>, given: &Node, width: Width, mask: u64) -> Simpler {
    let a = given.args[0];
    // Bits that are clear anyway.
    let set = match range::max(maker.function, a).checked_ilog2() {
        Some(top) => u64::MAX >> (63 - top),
        None => 0,
    };
    if set & !mask == 0 {
        return Simpler::Value(a);
    }
    if width == Width::W64 && mask == Width::W32.ones() {
        // No instruction holds the mask.
        return Simpler::Node(node(Op::IntUnary(IntUnary::Wrap, width), Ty::I64, &[a]));
    }
    joined(maker, given, AluOp::And, width, mask)
}

/// A shift or rotation by a constant.
fn shift(maker: &mut Maker<'_>, given: &Node, op: AluOp, width: Width, count: u64) -> Simpler {
    let a = given.args[0];
    let limit = u64::from(width.bits() - 1);
    let count = count & limit;
    if count == 0 {
        return Simpler::Value(a);
    }
    if op == AluOp::ShrU && range::max(maker.function, a) >> count == 0 {
        return maker.simpler_constant(given.ty, 0);
    }
    let inner = maker.function[a];
    let Op::Alu(before, _) = inner.op else {
        return Simpler::Same;
    };
    let Some(first) = maker.function.constant(inner.args[1]) else {
        return Simpler::Same;
    };
    let first = first & limit;
    let x = inner.args[0];
    // What an `and` can hold, on x86_64.
    let is_mask = |mask: u64| width == Width::W32 || i32::try_from(mask as i64).is_ok();
    match (before, op) {
        (AluOp::Shl, AluOp::Shl) | (AluOp::ShrU, AluOp::ShrU) => {
            if first + count <= limit {
                return maker.simpler_alu(op, width, x, first + count);
            }
            maker.simpler_constant(given.ty, 0)
        }
        (AluOp::ShrS, AluOp::ShrS) => maker.simpler_alu(op, width, x, (first + count).min(limit)),
        (AluOp::Shl, AluOp::ShrS) if first == count => {
            let extension = match width.bits() - count as u32 {
                8 => IntUnary::Extend8S,
                16 => IntUnary::Extend16S,
                32 => IntUnary::Extend32S,
                _ => return Simpler::Same,
            };
            Simpler::Node(node(Op::IntUnary(extension, width), given.ty, &[x]))
        }
        (AluOp::Shl, AluOp::ShrU) if first == count => {
            let mask = width.ones() >> count;
            if is_mask(mask) || mask == Width::W32.ones() {
                return maker.simpler_alu(AluOp::And, width, x, mask);
            }
            Simpler::Same
        }
        (AluOp::ShrU | AluOp::ShrS, AluOp::Shl) if first == count => {
            let mask = width.ones() & (width.ones() << count);
            if is_mask(mask) {
                return maker.simpler_alu(AluOp::And, width, x, mask);
            }
            Simpler::Same
        }
        _ => Simpler::Same,
    }
}

/// `(x << c) | (x >> (bits - c))` in its forms; neither operand is a constant.
fn rotation(maker: &mut Maker<'_>, given: &Node, op: AluOp, width: Width) -> Simpler {
    if !matches!(op, AluOp::Or | AluOp::Add | AluOp::Xor) {
        return Simpler::Same;
    }
    let function = &*maker.function;
    let (first, second) = (&function[given.args[0]], &function[given.args[1]]);
    let is = |node: &Node, op| node.op == Op::Alu(op, width);
    let (left, right) = if is(first, AluOp::Shl) && is(second, AluOp::ShrU) {
        (first, second)
    } else if is(first, AluOp::ShrU) && is(second, AluOp::Shl) {
        (second, first)
    } else {
        return Simpler::Same;
    };
    let counts = (
        function.constant(left.args[1]),
        function.constant(right.args[1]),
    );
    let (Some(by), Some(back)) = counts else {
        return Simpler::Same;
    };
    let limit = u64::from(width.bits());
    let (by, back) = (by & (limit - 1), back & (limit - 1));
    if left.args[0] != right.args[0] || by + back != limit {
        return Simpler::Same;
    }
    let x = left.args[0];
    maker.simpler_alu(AluOp::Rotl, width, x, by)
}

/// The comparison that holds exactly when this one does not, if it is one that has such.
fn negated(given: &Node) -> Option<Node> {
    let op = match given.op {
        Op::Compare(cond, width) => Op::Compare(cond.negate(), width),
        Op::FloatCompare(FloatCond::Eq, width) => Op::FloatCompare(FloatCond::Ne, width),
        Op::FloatCompare(FloatCond::Ne, width) => Op::FloatCompare(FloatCond::Eq, width),
        _ => return None,
    };
    Some(Node { op, ..*given })
}

/// A comparison; not both operands are constants.
pub(super) fn compare(maker: &mut Maker<'_>, given: &Node, cond: Cond, width: Width) -> Simpler {
    let [a, b, _] = given.args;
    let truth_value = |holds: bool| u64::from(holds);
    let comparison =
        |cond, width, args: [_; 2]| Simpler::Node(node(Op::Compare(cond, width), Ty::I32, &args));
    if maker.function.constant(a).is_some() {
        return comparison(cond.swap(), width, [b, a]);
    }
    if a == b {
        let holds = evaluate::holds(cond, width, 0, 0);
        return maker.simpler_constant(Ty::I32, truth_value(holds));
    }
    let inner = maker.function[a];
    let Some(constant) = maker.function.constant(b) else {
        let other = maker.function[b];
        if width == Width::W64
            && inner.op == Op::ExtendU
            && other.op == Op::ExtendU
            && let Some(cond) = unsigned(cond)
        {
            return comparison(cond, Width::W32, [inner.args[0], other.args[0]]);
        }
        return Simpler::Same;
    };
    if let Some(holds) = decided(cond, width, range::max(maker.function, a), constant) {
        return maker.simpler_constant(Ty::I32, truth_value(holds));
    }
    match (cond, constant) {
        (Cond::GtU, 0) | (Cond::GeU, 1) => {
            let zero = maker.constant(Ty::int(width), 0);
            return comparison(Cond::Ne, width, [a, zero]);
        }
        (Cond::LeU, 0) | (Cond::LtU, 1) => {
            let zero = maker.constant(Ty::int(width), 0);
            return comparison(Cond::Eq, width, [a, zero]);
        }
        _ => {}
    }
    if width == Width::W64
        && inner.op == Op::ExtendU
        && constant <= u64::from(u32::MAX)
        && let Some(cond) = unsigned(cond)
    {
        let constant = maker.constant(Ty::I32, constant);
        return comparison(cond, Width::W32, [inner.args[0], constant]);
    }
    if !matches!(cond, Cond::Eq | Cond::Ne) {
        return Simpler::Same;
    }
    // Of another comparison, whether it holds.
    let is_truth = matches!(inner.op, Op::Compare(..) | Op::FloatCompare(..));
    if is_truth && constant <= 1 {
        if (cond == Cond::Ne) == (constant == 0) {
            return Simpler::Value(a);
        }
        if let Some(negated) = negated(&inner) {
            return Simpler::Node(negated);
        }
    }
    if constant == 0
        && let Op::Alu(AluOp::Xor | AluOp::Sub, _) = inner.op
    {
        return comparison(cond, width, [inner.args[0], inner.args[1]]);
    }
    Simpler::Same
}

/// Of two numbers that are not negative, the comparison as unsigned.
fn unsigned(cond: Cond) -> Option<Cond> {
    Some(match cond {
        Cond::Eq | Cond::Ne | Cond::LtU | Cond::GtU | Cond::LeU | Cond::GeU => cond,
        Cond::LtS => Cond::LtU,
        Cond::GtS => Cond::GtU,
        Cond::LeS => Cond::LeU,
        Cond::GeS => Cond::GeU,
    })
}

/// Whether a comparison of what is at most `max` with a constant always goes one way.
fn decided(cond: Cond, width: Width, max: u64, constant: u64) -> Option<bool> {
    let least_negative = 1 << (width.bits() - 1);
    let cond = if max < least_negative && constant < least_negative {
        unsigned(cond)?
    } else {
        cond
    };
    match cond {
        Cond::Eq => (constant > max).then_some(false),
        Cond::Ne => (constant > max).then_some(true),
        Cond::LtU if constant > max => Some(true),
        Cond::LtU => (constant == 0).then_some(false),
        Cond::GeU if constant > max => Some(false),
        Cond::GeU => (constant == 0).then_some(true),
        Cond::LeU => (constant >= max).then_some(true),
        Cond::GtU => (constant >= max).then_some(false),
        Cond::LtS | Cond::GtS | Cond::LeS | Cond::GeS => None,
    }
}

/// Extensions of what is narrow already, and halves of extensions.
pub(super) fn unary(maker: &mut Maker<'_>, given: &Node, op: IntUnary, width: Width) -> Simpler {
    let a = given.args[0];
    let inner = maker.function[a];
    let wrapped = matches!(inner.op, Op::IntUnary(IntUnary::Wrap, _) | Op::Narrow);
    match (op, width) {
        (IntUnary::Wrap, Width::W32) => match inner.op {
            // The low half of an extension is what was extended.
            Op::ExtendU | Op::IntUnary(IntUnary::Extend32S, _)
                if maker.function[inner.args[0]].ty == Ty::I32 =>
            {
                Simpler::Value(inner.args[0])
            }
            Op::IntUnary(IntUnary::Wrap | IntUnary::Extend32S, Width::W64) => {
                Simpler::Node(node(given.op, given.ty, &[inner.args[0]]))
            }
            _ if range::max(maker.function, a) <= Width::W32.ones() => {
                Simpler::Node(node(Op::Narrow, Ty::I32, &[a]))
            }
            _ => Simpler::Same,
        },
        (IntUnary::Wrap, Width::W64) => {
            if range::max(maker.function, a) <= Width::W32.ones() {
                return Simpler::Value(a);
            }
            Simpler::Same
        }
        (IntUnary::Extend8S | IntUnary::Extend16S, _) => {
            let from = if op == IntUnary::Extend8S { 8 } else { 16 };
            if range::max(maker.function, a) < 1 << (from - 1) || inner.op == given.op {
                return Simpler::Value(a);
            }
            if let Op::Alu(AluOp::And, _) = inner.op
                && let Some(mask) = maker.function.constant(inner.args[1])
                && !mask & ((1 << from) - 1) == 0
            {
                return Simpler::Node(node(given.op, given.ty, &[inner.args[0]]));
            }
            Simpler::Same
        }
        (IntUnary::Extend32S, Width::W64) => {
            if inner.ty == Ty::I32 && range::max(maker.function, a) < 1 << 31 {
                return Simpler::Node(node(Op::ExtendU, Ty::I64, &[a]));
            }
            if wrapped || inner.op == given.op && inner.ty == Ty::I64 {
                return Simpler::Node(node(given.op, given.ty, &[inner.args[0]]));
            }
            Simpler::Same
        }
        (IntUnary::Extend32S, Width::W32) => Simpler::Value(a),
        (IntUnary::Clz | IntUnary::Ctz | IntUnary::Popcnt | IntUnary::SwapBytes, _) => {
            Simpler::Same
        }
    }
}

pub(super) fn extend_u(maker: &mut Maker<'_>, given: &Node) -> Simpler {
    let inner = maker.function[given.args[0]];
    match inner.op {
        Op::Narrow => Simpler::Value(inner.args[0]),
        Op::IntUnary(IntUnary::Wrap, Width::W32) => {
            let op = Op::IntUnary(IntUnary::Wrap, Width::W64);
            Simpler::Node(node(op, Ty::I64, &[inner.args[0]]))
        }
        _ => Simpler::Same,
    }
}

/// A store of what has more bits than are stored: those above need no clearing.
pub(super) fn stored(function: &Function, given: &Node) -> Simpler {
    let Op::Store(op, alias) = given.op else {
        return Simpler::Same;
    };
    if alias != crate::opt::form::ir::Alias::Heap {
        return Simpler::Same;
    }
    let kept: u64 = match op {
        StoreOp::B1 => 0xff,
        StoreOp::B2 => 0xffff,
        StoreOp::B4 => 0xffff_ffff,
        StoreOp::B8 => return Simpler::Same,
    };
    let value = &function[given.args[2]];
    let is_kept = match value.op {
        Op::IntUnary(IntUnary::Wrap, _) | Op::Narrow => true,
        Op::IntUnary(IntUnary::Extend8S, _) => op == StoreOp::B1,
        Op::IntUnary(IntUnary::Extend16S, _) => op != StoreOp::B4,
        Op::IntUnary(IntUnary::Extend32S, _) | Op::ExtendU => true,
        Op::Alu(AluOp::And, _) => {
            let mask = function.constant(value.args[1]);
            mask.is_some_and(|mask| kept & !mask == 0)
        }
        _ => false,
    };
    if !is_kept {
        return Simpler::Same;
    }
    let mut simpler = *given;
    simpler.args[2] = value.args[0];
    Simpler::Node(simpler)
}
