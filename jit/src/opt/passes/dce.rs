//! Removes parameters that are always one value, and what nobody uses: nodes that do nothing else,
//! and parameters with their arguments.

use crate::opt::form::ir::{BlockId, Effect, Exit, Function, Op, Value};
use crate::opt::form::params::{self, Replaced};
use crate::opt::form::predecessors::Predecessors;

pub(crate) fn run(function: &mut Function) {
    let predecessors = Predecessors::of(function);
    let count = function.nodes.len();
    let mut marking = Marking {
        replaced: params::trivial(function, &predecessors),
        live: vec![false; count],
        work: Vec::with_capacity(count),
    };
    // The block of each parameter.
    let mut homes = vec![BlockId(0); count];
    for id in function.block_ids() {
        for param in &function[id].params {
            homes[param.0 as usize] = id;
        }
        marking.block(function, id);
    }
    while let Some(value) = marking.work.pop() {
        let mut node = function[value];
        for arg in node.args.iter_mut().filter(|arg| **arg != Value::NONE) {
            marking.operand(arg);
        }
        match node.op {
            // What flows into a used parameter is used.
            Op::Param => {
                for &(from, edge) in predecessors.to(homes[value.0 as usize]) {
                    let edge = &function[from].exit.edges()[edge as usize];
                    marking.mark(edge.args[node.imm as usize]);
                }
            }
            Op::Call => {
                let args = &mut function.calls[node.imm as usize].args;
                args.iter_mut().for_each(|arg| marking.operand(arg));
            }
            _ => {}
        }
        function[value] = node;
    }
    let Marking {
        live, mut replaced, ..
    } = marking;
    params::keep(function, &predecessors, |param| live[param.0 as usize]);
    for block in &mut function.blocks {
        block.nodes.retain(|node| live[node.0 as usize]);
        for edge in block.exit.edges_mut() {
            edge.args
                .iter_mut()
                .for_each(|arg| *arg = replaced.find(*arg));
        }
    }
}

/// Finds what is used, and puts what parameters are replaced by into what uses them.
struct Marking {
    replaced: Replaced,
    live: Vec<bool>,
    /// Live values whose operands are not marked yet.
    work: Vec<Value>,
}

impl Marking {
    /// Marks a value, or what it is replaced by; returns that.
    fn mark(&mut self, value: Value) -> Value {
        let value = self.replaced.find(value);
        if !core::mem::replace(&mut self.live[value.0 as usize], true) {
            self.work.push(value);
        }
        value
    }

    fn operand(&mut self, operand: &mut Value) {
        *operand = self.mark(*operand);
    }

    /// What a block does, and what its end reads; arguments are used if parameters are.
    fn block(&mut self, function: &mut Function, id: BlockId) {
        for &node in &function.blocks[id.0 as usize].nodes {
            let effect = function.nodes[node.0 as usize].op.effect();
            if !matches!(effect, Effect::Pure | Effect::Reads(_)) {
                self.mark(node);
            }
        }
        match &mut function.blocks[id.0 as usize].exit {
            Exit::Branch(value, _) | Exit::Table(value, _) => self.operand(value),
            Exit::Return(values) => values.iter_mut().for_each(|value| self.operand(value)),
            Exit::TailCall(call) => {
                let args = &mut function.calls[*call as usize].args;
                args.iter_mut().for_each(|arg| self.operand(arg));
            }
            Exit::Open | Exit::Jump(_) | Exit::Trap(_) | Exit::Invoke(_) => {}
        }
    }
}
