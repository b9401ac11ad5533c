//! Operations that instructions do together, and that wasm has no operators for.

use crate::masm::{AluOp, Target, Width};
use crate::opt::form::ir::{Function, Node, Op, Value};

/// Fuses operations where nothing else uses the first ones' results, which are removed.
pub(crate) fn run(function: &mut Function, target: &Target) {
    let uses = function.uses();
    let is_single = |value: Value| uses[value.0 as usize] == 1;
    let mut gone: Vec<Value> = Vec::new();
    for block in function.block_ids() {
        for i in 0..function[block].nodes.len() {
            let node = function[block].nodes[i];
            let Node {
                op: Op::Alu(op, width),
                ty,
                args: [a, b, _],
                ..
            } = function[node]
            else {
                continue;
            };
            let fused = match op {
                // A constant is part of an `and`.
                AluOp::And if function.constant(b).is_some() => continue,
                AluOp::And => {
                    let with = |kept: Value, not: Value| {
                        let operand = negated(function, not, width).filter(|_| is_single(not))?;
                        Some((kept, operand, not))
                    };
                    let Some((kept, operand, not)) = with(a, b).or_else(|| with(b, a)) else {
                        continue;
                    };
                    gone.push(not);
                    Node::new(Op::AndNot(width), ty, &[kept, operand], 0)
                }
                // What is added or combined has no bits in common.
                AluOp::Or | AluOp::Xor | AluOp::Add
                    if target.has_funnel_shift && is_single(a) && is_single(b) =>
                {
                    let both = funnel(function, a, b, width);
                    let Some((upper, lower, count)) =
                        both.or_else(|| funnel(function, b, a, width))
                    else {
                        continue;
                    };
                    gone.extend([a, b]);
                    Node::new(Op::Funnel(width), ty, &[upper, lower], count)
                }
                _ => continue,
            };
            function[node] = fused;
        }
    }
    function.remove(gone);
}

/// The operand of an exclusive or with all ones.
fn negated(function: &Function, value: Value, width: Width) -> Option<Value> {
    let node = &function[value];
    let is_not = node.op == Op::Alu(AluOp::Xor, width)
        && function.constant(node.args[1]) == Some(width.ones())
        && function.constant(node.args[0]).is_none();
    is_not.then_some(node.args[0])
}

/// The operands of a shift to the left and one to the right that together are by all bits, and the
/// first one's count.
fn funnel(
    function: &Function,
    left: Value,
    right: Value,
    width: Width,
) -> Option<(Value, Value, u64)> {
    let shifted = |value: Value, op: AluOp| {
        let node = &function[value];
        let [a, count, _] = node.args;
        let is_shift = node.op == Op::Alu(op, width) && function.constant(a).is_none();
        is_shift.then_some(())?;
        Some((a, function.constant(count)?))
    };
    let (upper, count) = shifted(left, AluOp::Shl)?;
    let (lower, rest) = shifted(right, AluOp::ShrU)?;
    let is_whole = count > 0 && rest > 0 && count + rest == width.bits().into();
    is_whole.then_some((upper, lower, count))
}
