//! Sums of three, one of them a constant, where one instruction adds them.
//!
//! The sum in the middle is dead then: it is taken apart only where all that uses it is such a sum.
//! Producers move sums with constants out of loops, where each takes a register; the value that many
//! of them begin with takes one for all.

use crate::masm::{AluOp, Width};
use crate::opt::form::ir::{BlockId, Function, Node, Op, Value};
use crate::opt::form::loops::Loops;

/// Makes [`Op::Sum`] of additions, and removes the sums in the middle.
pub(crate) fn run(function: &mut Function) {
    let has_middle = |&node: &Value| {
        let operands = addition(function, node).map(|(_, operands)| operands);
        let mut operands = operands.into_iter().flatten();
        operands.any(|operand| addition(function, operand).is_some())
    };
    let mut nodes = function.blocks.iter().flat_map(|block| &block.nodes);
    if !nodes.any(has_middle) {
        return;
    }
    let mut pass = Pass {
        uses: function.uses(),
        defined: function.definitions(),
        loops: Loops::of(function),
        used_here: vec![0; function.nodes.len()],
    };
    let mut found = Vec::new();
    for block in function.block_ids() {
        for &node in &function[block].nodes {
            if let Some(middle) = pass.middle(function, block, node) {
                pass.used_here[middle.0 as usize] += 1;
                found.push((node, middle));
            }
        }
    }
    let mut gone = Vec::new();
    for (node, middle) in found {
        let at = middle.0 as usize;
        // It may have become a sum of three itself.
        let is_addition = addition(function, middle).is_some();
        if is_addition && pass.used_here[at] == pass.uses[at] {
            function[node] = joined(function, node, middle);
            gone.push(middle);
        }
    }
    function.remove(gone);
}

struct Pass {
    uses: Vec<u32>,
    /// The block of each node.
    defined: Vec<BlockId>,
    loops: Loops,
    /// How many of the uses of each value could do without it.
    used_here: Vec<u32>,
}

impl Pass {
    /// The operand of an addition that is an addition, and could be part of it.
    fn middle(&self, function: &Function, block: BlockId, node: Value) -> Option<Value> {
        let (width, [a, b]) = addition(function, node)?;
        if constant(function, b, width).is_some() {
            let (inner, [_, y]) = addition(function, a)?;
            // Elsewhere both operands would be kept for longer, instead of their sum.
            let is_near = self.loops.around(self.defined[a.0 as usize]) == self.loops.around(block);
            let is_free = function.constant(y).is_none() && inner == width && is_near;
            return is_free.then_some(a);
        }
        // What is read from memory is added there, unless something waits for it: the sum is done
        // before.
        if function.constant(b).is_some() || self.is_load(function, a) || self.is_load(function, b)
        {
            return None;
        }
        let is_offset = |value: &Value| {
            let Some((inner, [_, constant_part])) = addition(function, *value) else {
                return false;
            };
            inner == width && constant(function, constant_part, width).is_some()
        };
        [a, b].into_iter().find(is_offset)
    }

    /// Whether a value is read from memory for one use only.
    fn is_load(&self, function: &Function, value: Value) -> bool {
        self.uses[value.0 as usize] == 1 && matches!(function[value].op, Op::Load(..))
    }
}

fn addition(function: &Function, value: Value) -> Option<(Width, [Value; 2])> {
    let node = &function[value];
    let [a, b, _] = node.args;
    match node.op {
        Op::Alu(AluOp::Add, width) => Some((width, [a, b])),
        _ => None,
    }
}

/// A constant of 32 bits, sign-extended.
fn constant(function: &Function, value: Value, width: Width) -> Option<u64> {
    let bits = function.constant(value)?;
    let extended = match width {
        Width::W32 => i64::from(bits as i32),
        Width::W64 => bits as i64,
    };
    i32::try_from(extended).is_ok().then_some(extended as u64)
}

/// An addition with the operands of the one in the middle in its place.
fn joined(function: &Function, node: Value, middle: Value) -> Node {
    let data = function[node];
    let Op::Alu(_, width) = data.op else {
        unreachable!("it was found to be an addition");
    };
    let [x, y, _] = function[middle].args;
    let (first, second, offset) = if data.args[0] == middle {
        let other = data.args[1];
        match constant(function, other, width) {
            Some(offset) => (x, y, offset),
            None => (x, other, offset_of(function, y, width)),
        }
    } else {
        (data.args[0], x, offset_of(function, y, width))
    };
    Node::new(Op::Sum(width), data.ty, &[first, second], offset)
}

fn offset_of(function: &Function, value: Value, width: Width) -> u64 {
    constant(function, value, width).expect("the middle was found to end in a constant")
}
