//! Gives what is behind loops the values made in them through parameters of the blocks that the
//! loops lead to. Then a copy of an iteration only has to give its own values there.

use super::Unrollable;
use crate::opt::form::dominators::Dominators;
use crate::opt::form::ir::{BlockId, Exit, Function, Node, Op, Origin, Value};
use crate::opt::form::predecessors::Predecessors;
use foldhash::{HashMap, HashMapExt};

/// No loop.
const NONE: u32 = u32::MAX;

struct Pass<'p> {
    predecessors: &'p Predecessors,
    dominators: Dominators,
    loops: &'p [Unrollable],
    /// The loop that each block is in, if it is one of these.
    of_block: Vec<u32>,
    /// The loop that each value is made in.
    of_value: Vec<u32>,
    /// Those made for a value, by the block.
    params: HashMap<(BlockId, Value), Value>,
    /// Parameters without arguments yet.
    open: Vec<(BlockId, Value)>,
}

/// Returns the loops for which that can be done: each use must lie behind one of the blocks that the
/// loop leads to.
pub(super) fn close(
    function: &mut Function,
    predecessors: &Predecessors,
    mut loops: Vec<Unrollable>,
) -> Vec<Unrollable> {
    let mut pass = Pass {
        predecessors,
        dominators: Dominators::of(function),
        of_block: vec![NONE; function.blocks.len()],
        of_value: vec![NONE; function.nodes.len()],
        params: HashMap::new(),
        open: Vec::new(),
        loops: &loops,
    };
    for (which, one) in (0..).zip(&loops) {
        for &block in &one.blocks {
            pass.of_block[block.0 as usize] = which;
            let data = &function[block];
            for &value in data.params.iter().chain(&data.nodes) {
                pass.of_value[value.0 as usize] = which;
            }
        }
    }
    let mut is_closed: Vec<bool> = (0..loops.len()).map(|which| pass.can_feed(which)).collect();
    let mut uses: Vec<(BlockId, Value)> = Vec::new();
    for block in function.block_ids() {
        let own = pass.of_block[block.0 as usize];
        let mut note = |arg: Value| {
            let which = pass.of_value[arg.0 as usize];
            if which != NONE && which != own {
                uses.push((block, arg));
                is_closed[which as usize] &= pass.target(which, block).is_some();
            }
        };
        for &node in &function[block].nodes {
            function.for_each_arg(node, &mut note);
        }
        function.for_each_exit_arg(block, &mut note);
    }
    uses.retain(|&(_, value)| is_closed[pass.of_value[value.0 as usize] as usize]);
    pass.replace(function, &uses);
    let mut is_closed = is_closed.into_iter();
    loops.retain(|_| is_closed.next().expect("one per loop"));
    loops
}

impl Pass<'_> {
    /// The last one, on the edges to a block, of those that a loop leads to.
    fn target(&self, which: u32, block: BlockId) -> Option<BlockId> {
        let one = &self.loops[which as usize];
        let dominates = |a, b| self.dominators.dominates(a, b);
        let is_between = |to: &BlockId| dominates(one.header, *to) && dominates(*to, block);
        let between = one.targets.iter().copied().filter(is_between);
        between.reduce(|a, b| if dominates(a, b) { b } else { a })
    }

    /// Whether parameters of what a loop leads to can have arguments on all edges there.
    fn can_feed(&self, which: usize) -> bool {
        let one = &self.loops[which];
        let which = which as u32;
        let dominated = |to: &&BlockId| self.dominators.dominates(one.header, **to);
        one.targets.iter().filter(dominated).all(|&to| {
            self.predecessors.to(to).iter().all(|&(from, _)| {
                self.of_block[from.0 as usize] == which || self.target(which, from).is_some()
            })
        })
    }

    /// What a value is in a block behind its loop.
    fn behind(&mut self, function: &mut Function, block: BlockId, value: Value) -> Value {
        let which = self.of_value[value.0 as usize];
        let to = self.target(which, block).expect("asked before");
        *self.params.entry((to, value)).or_insert_with(|| {
            let index = function[to].params.len() as u64;
            let node = Node::new(Op::Param, function[value].ty, &[], index);
            let param = function.add(node, Origin::default());
            function[to].params.push(param);
            self.open.push((to, value));
            param
        })
    }

    fn replace(&mut self, function: &mut Function, uses: &[(BlockId, Value)]) {
        let mut uses = uses.iter().peekable();
        while let Some(&&(block, _)) = uses.peek() {
            let mut by: HashMap<Value, Value> = HashMap::new();
            while let Some((_, value)) = uses.next_if(|(other, _)| *other == block) {
                by.insert(*value, self.behind(function, block, *value));
            }
            map_args(function, block, |value| {
                by.get(&value).copied().unwrap_or(value)
            });
        }
        // All arguments of a parameter before those of the next one.
        let mut done = 0;
        while let Some(&(to, value)) = self.open.get(done) {
            done += 1;
            let which = self.of_value[value.0 as usize];
            let predecessors = self.predecessors;
            for &(from, edge) in predecessors.to(to) {
                let arg = match self.of_block[from.0 as usize] == which {
                    true => value,
                    false => self.behind(function, from, value),
                };
                let edge = &mut function[from].exit.edges_mut()[edge as usize];
                edge.args.push(arg);
            }
        }
    }
}

/// Replaces what a block uses.
fn map_args(function: &mut Function, block: BlockId, by: impl Fn(Value) -> Value) {
    let replace = |args: &mut [Value]| args.iter_mut().for_each(|arg| *arg = by(*arg));
    for at in 0..function[block].nodes.len() {
        let node = function[block].nodes[at];
        let node = &mut function[node];
        let args = node.args.iter_mut().filter(|arg| **arg != Value::NONE);
        args.for_each(|arg| *arg = by(*arg));
        if node.op == Op::Call {
            let call = node.imm as usize;
            replace(&mut function.calls[call].args);
        }
    }
    let exit = &mut function.blocks[block.0 as usize].exit;
    if let Some(cond) = exit.condition() {
        exit.set_condition(by(cond));
    }
    for edge in exit.edges_mut() {
        replace(&mut edge.args);
    }
    match exit {
        Exit::Return(values) => replace(values),
        Exit::TailCall(call) => replace(&mut function.calls[*call as usize].args),
        _ => {}
    }
}
