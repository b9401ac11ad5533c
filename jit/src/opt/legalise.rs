//! Gives instructions operands that they can have: constants that no instruction holds get
//! registers, and comparisons that only decide a branch are left to it.

use super::ir::{BlockId, Function, Node, Op, Ty, Value};
use std::collections::HashMap;

/// Makes constants into [`Op::Materialize`] nodes where they are no immediates. One serves all later
/// uses in its block.
pub(super) fn run(function: &mut Function) {
    for block in function.block_ids() {
        let mut pass = Pass {
            made: HashMap::new(),
            nodes: Vec::new(),
        };
        let nodes = core::mem::take(&mut function[block].nodes);
        for node in nodes {
            fold_index(function, node);
            let data = function[node];
            for i in 0..3 {
                let arg = data.args[i];
                if arg != Value::NONE
                    && matches!(function[arg].op, Op::Const | Op::VectorConst)
                    && !is_immediate(function, &data, i)
                {
                    function[node].args[i] = pass.register(function, arg);
                }
            }
            pass.nodes.push(node);
        }
        if let Some(cond) = function[block].exit.condition()
            && function[cond].op == Op::Const
        {
            let value = pass.register(function, cond);
            set_condition(function, block, value);
        }
        function[block].nodes = pass.nodes;
    }
}

fn set_condition(function: &mut Function, block: BlockId, value: Value) {
    use super::ir::Exit;
    if let Exit::Branch(cond, _) | Exit::Table(cond, _) = &mut function[block].exit {
        *cond = value;
    }
}

struct Pass {
    made: HashMap<Value, Value>,
    nodes: Vec<Value>,
}

impl Pass {
    fn register(&mut self, function: &mut Function, constant: Value) -> Value {
        if let Some(&value) = self.made.get(&constant) {
            return value;
        }
        let value = function.add(
            Node {
                op: Op::Materialize,
                ty: function[constant].ty,
                args: [constant, Value::NONE, Value::NONE],
                imm: 0,
            },
            0,
        );
        self.nodes.push(value);
        self.made.insert(constant, value);
        value
    }
}

/// A constant index becomes part of the displacement.
fn fold_index(function: &mut Function, node: Value) {
    let data = function[node];
    let is_access = matches!(
        data.op,
        Op::Load(..)
            | Op::FloatLoad(..)
            | Op::VecLoad(_)
            | Op::LoadLane(..)
            | Op::Store(..)
            | Op::FloatStore(..)
            | Op::StoreLane(..)
    );
    if !is_access || data.args[1] == Value::NONE {
        return;
    }
    if let Some(index) = function.constant(data.args[1])
        && let Some(sum) = index.checked_add(data.imm)
        && i32::try_from(sum).is_ok()
    {
        function[node].args[1] = Value::NONE;
        function[node].imm = sum;
    }
}

/// Whether operand `i` of a node can be a constant as it is.
fn is_immediate(function: &Function, node: &Node, i: usize) -> bool {
    let value = node.args[i];
    let fits = || {
        let bits = function[value].imm;
        match function[value].ty {
            Ty::I32 => true,
            Ty::I64 => i32::try_from(bits as i64).is_ok(),
            _ => false,
        }
    };
    match node.op {
        Op::Alu(..) | Op::Compare(..) | Op::VecShift(_) => i == 1 && fits(),
        // Not nodes that execute: their operands are read where they are.
        Op::Call | Op::CallResult | Op::Materialize | Op::Reload => true,
        _ => false,
    }
}

/// Which comparisons are emitted with the one branch, selection or trap that uses them, in the same
/// block.
pub(super) fn sink(function: &Function) -> Vec<bool> {
    let mut uses = vec![0_u32; function.nodes.len()];
    for block in function.block_ids() {
        for &node in &function[block].nodes {
            function.for_each_arg(node, |arg| uses[arg.0 as usize] += 1);
        }
        function.for_each_exit_arg(block, |arg| uses[arg.0 as usize] += 1);
    }
    let mut sunk = vec![false; function.nodes.len()];
    let mut home: Vec<Option<BlockId>> = vec![None; function.nodes.len()];
    for block in function.block_ids() {
        for &node in &function[block].nodes {
            let data = &function[node];
            if matches!(data.op, Op::Compare(..) | Op::FloatCompare(..)) {
                home[node.0 as usize] = Some(block);
            }
            if matches!(data.op, Op::Select | Op::TrapIf(_)) {
                let cond = data.args[0].0 as usize;
                sunk[cond] = uses[cond] == 1 && home[cond] == Some(block);
            }
        }
        if let super::ir::Exit::Branch(cond, _) = function[block].exit {
            let cond = cond.0 as usize;
            sunk[cond] = uses[cond] == 1 && home[cond] == Some(block);
        }
    }
    sunk
}
