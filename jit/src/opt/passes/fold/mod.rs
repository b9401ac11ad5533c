//! What a node can be replaced by, looking at its operands and what they are made of.
//!
//! [`simplify`] takes one step; value numbering calls it until there is none left. A step may make
//! nodes ([`Maker::node`]); they come before the one that is simplified, and are simplified and
//! numbered like others. How far operands are looked into is bounded.
//!
//! What operations compute is [`zwasm_core::num`]'s, so that folding agrees with execution.

mod divide;
mod evaluate;
mod integer;
mod range;
#[cfg(test)]
mod tests;

pub(super) use evaluate::alu;

use crate::masm::{AluOp, Cond, Width};
use crate::opt::form::ir::{Function, Node, Op, Origin, Ty, Value};
use foldhash::HashMap;

/// A simpler form of a node.
pub(super) enum Simpler {
    /// There is none.
    Same,
    /// A value that exists.
    Value(Value),
    /// A node; its operands exist or were made.
    Node(Node),
}

/// Where new nodes go.
pub(super) struct Maker<'p> {
    pub(super) function: &'p mut Function,
    /// Every constant has one value.
    pub(super) constants: &'p mut HashMap<(Ty, u64), Value>,
    /// What was made, in order.
    pub(super) made: &'p mut Vec<Value>,
    /// That of the node that is simplified.
    pub(super) origin: Origin,
}

impl Maker<'_> {
    fn constant(&mut self, ty: Ty, bits: u64) -> Value {
        let function = &mut *self.function;
        *self
            .constants
            .entry((ty, bits))
            .or_insert_with(|| function.add(Node::constant(ty, bits), Origin::default()))
    }

    fn node(&mut self, op: Op, ty: Ty, args: &[Value]) -> Value {
        let value = self.function.add(node(op, ty, args), self.origin);
        self.made.push(value);
        value
    }

    fn alu(&mut self, op: AluOp, width: Width, a: Value, b: Value) -> Value {
        self.node(Op::Alu(op, width), Ty::int(width), &[a, b])
    }

    /// `a op constant`.
    fn alu_constant(&mut self, op: AluOp, width: Width, a: Value, constant: u64) -> Value {
        let constant = self.constant(Ty::int(width), constant);
        self.alu(op, width, a, constant)
    }

    /// The node `a op constant`, for the one that is simplified.
    fn simpler_alu(&mut self, op: AluOp, width: Width, a: Value, constant: u64) -> Simpler {
        let constant = self.constant(Ty::int(width), constant);
        Simpler::Node(node(Op::Alu(op, width), Ty::int(width), &[a, constant]))
    }

    fn simpler_constant(&mut self, ty: Ty, bits: u64) -> Simpler {
        Simpler::Value(self.constant(ty, bits))
    }
}

fn node(op: Op, ty: Ty, args: &[Value]) -> Node {
    Node::new(op, ty, args, 0)
}

/// Finds a simpler form of a node.
pub(super) fn simplify(maker: &mut Maker<'_>, node: &Node) -> Simpler {
    if let Some((ty, bits)) = evaluate::constant(maker.function, node) {
        return maker.simpler_constant(ty, bits);
    }
    match node.op {
        Op::Alu(op, width) => integer::alu(maker, node, op, width),
        Op::Div(op, width) => divide::by_constant(maker, node, op, width),
        Op::Compare(cond, width) => integer::compare(maker, node, cond, width),
        Op::IntUnary(op, width) => integer::unary(maker, node, op, width),
        Op::ExtendU => integer::extend_u(maker, node),
        Op::Select => select(maker, node),
        Op::TrapIf(_) => match truth(maker.function, node.args[0]) {
            Some((value, true)) => Simpler::Node(Node {
                args: [value, Value::NONE, Value::NONE],
                ..*node
            }),
            _ => Simpler::Same,
        },
        Op::Load(..) | Op::FloatLoad(..) | Op::VecLoad(_) | Op::LoadLane(..) => {
            place(maker.function, node)
        }
        Op::Store(..) | Op::FloatStore(..) | Op::StoreLane(..) => {
            match integer::stored(maker.function, node) {
                Simpler::Same => place(maker.function, node),
                simpler => simpler,
            }
        }
        _ => Simpler::Same,
    }
}

/// If a condition only asks whether another `i32` is zero: that value, and whether it is to be
/// other than zero.
pub(super) fn truth(function: &Function, cond: Value) -> Option<(Value, bool)> {
    let node = &function[cond];
    match node.op {
        Op::Compare(when @ (Cond::Eq | Cond::Ne), Width::W32)
            if function.constant(node.args[1]) == Some(0) =>
        {
            Some((node.args[0], when == Cond::Ne))
        }
        _ => None,
    }
}

fn select(maker: &mut Maker<'_>, given: &Node) -> Simpler {
    let [cond, x, y] = given.args;
    if x == y {
        return Simpler::Value(x);
    }
    match maker.function.constant(cond) {
        Some(0) => return Simpler::Value(y),
        Some(_) => return Simpler::Value(x),
        None => {}
    }
    if given.ty == Ty::I32 {
        let parts = (maker.function.constant(x), maker.function.constant(y));
        let when = match parts {
            (Some(1), Some(0)) => Some(Cond::Ne),
            (Some(0), Some(1)) => Some(Cond::Eq),
            _ => None,
        };
        if let Some(when) = when {
            let zero = maker.constant(Ty::I32, 0);
            let op = Op::Compare(when, Width::W32);
            return Simpler::Node(node(op, Ty::I32, &[cond, zero]));
        }
    }
    match truth(maker.function, cond) {
        Some((value, true)) => Simpler::Node(node(Op::Select, given.ty, &[value, x, y])),
        Some((value, false)) => Simpler::Node(node(Op::Select, given.ty, &[value, y, x])),
        None => Simpler::Same,
    }
}

/// An index that is a sum with a constant, where the sum cannot wrap: the constant goes into the
/// displacement. (Where it can wrap, it must: the access is elsewhere then.)
fn place(function: &Function, given: &Node) -> Simpler {
    let index = given.args[1];
    if index == Value::NONE {
        return Simpler::Same;
    }
    let sum = &function[index];
    if let Op::Alu(AluOp::Add, Width::W32) = sum.op
        && let Some(constant) = function.constant(sum.args[1])
        && range::max(function, sum.args[0]) + constant <= u64::from(u32::MAX)
        && let Some(displacement) = given.imm.checked_add(constant)
        && i32::try_from(displacement).is_ok()
    {
        let mut simpler = *given;
        simpler.args[1] = sum.args[0];
        simpler.imm = displacement;
        return Simpler::Node(simpler);
    }
    Simpler::Same
}
