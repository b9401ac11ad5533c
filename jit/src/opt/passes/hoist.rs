//! Moves out of loops what an instance's structures hold: lengths and bases of memories and tables,
//! globals, and what is computed from them. And gives loops the float and vector constants that
//! they use in registers.
//!
//! None of this is in the source, so compilers before this one could not do it. Other nodes stay:
//! what producers left in loops pays rarely for its register. Integer constants cost next to nothing
//! where they are used.
//!
//! The loads go to the block before the outermost loop that does not write what they read. They do
//! not fault, as their addresses lie in the context or in definitions that it names, so it does no
//! harm that the loop might not have come to them. Loops with calls are left alone: what is kept
//! over a call is kept in memory.

use crate::masm::{LoadOp, Target};
use crate::opt::form::immediate::is_immediate;
use crate::opt::form::ir::{Alias, BlockId, Effect, Exit, Function, Node, Op, Origin, Ty, Value};
use crate::opt::form::loops::{Loops, Writes};
use crate::opt::form::memory::class;
use foldhash::{HashMap, HashMapExt};

/// How many loops around a node are looked at.
const LOOPS_MAX: usize = 8;

/// How many constants a loop is given in registers.
const CONSTANTS_MAX: u32 = 6;

pub(crate) fn run(function: &mut Function, target: &Target) {
    let loops = Loops::of(function);
    if loops.ranges().is_empty() {
        return;
    }
    let mut pass = Pass {
        target,
        before: befores(function, &loops),
        writes: Writes::of(function),
        defined: function.definitions(),
        hoisted: vec![false; function.nodes.len()],
        replaced: HashMap::new(),
        made: HashMap::new(),
        given: vec![0; loops.ranges().len()],
        loops,
    };
    for block in function.block_ids() {
        if pass.loops.around(block).is_some() {
            pass.block(function, block);
        }
    }
    let replaced = pass.replaced;
    if !replaced.is_empty() {
        function.map_args(|value| replaced.get(&value).copied().unwrap_or(value));
    }
}

struct Pass<'t> {
    target: &'t Target,
    loops: Loops,
    writes: Writes,
    /// The block that leads to each loop's header from outside, if nothing is in between and it has
    /// no calls in it.
    before: Vec<Option<BlockId>>,
    /// The block of each node.
    defined: Vec<BlockId>,
    hoisted: Vec<bool>,
    /// What stands for nodes that were hoisted twice.
    replaced: HashMap<Value, Value>,
    /// What is at the end of the blocks before loops.
    made: HashMap<(BlockId, Node), Value>,
    /// How many constants each loop was given.
    given: Vec<u32>,
}

fn befores(function: &Function, loops: &Loops) -> Vec<Option<BlockId>> {
    let mut edges_in: Vec<(u32, BlockId)> = vec![(0, BlockId(0)); function.blocks.len()];
    let mut calls = vec![0_u32];
    for block in function.block_ids() {
        for edge in function[block].exit.edges() {
            if edge.to > block {
                let edges = &mut edges_in[edge.to.0 as usize];
                *edges = (edges.0 + 1, block);
            }
        }
        let is_call = |node: &&Value| function[**node].op == Op::Call;
        let here = function[block].nodes.iter().filter(is_call).count() as u32;
        calls.push(calls[block.0 as usize] + here);
    }
    let before = |&(header, end): &(BlockId, BlockId)| {
        let (edges, from) = edges_in[header.0 as usize];
        let has_calls = calls[header.0 as usize] != calls[end.0 as usize + 1];
        let is_before = edges == 1 && matches!(function[from].exit, Exit::Jump(_));
        (is_before && !has_calls).then_some(from)
    };
    loops.ranges().iter().map(before).collect()
}

impl Pass<'_> {
    fn block(&mut self, function: &mut Function, block: BlockId) {
        let nodes = core::mem::take(&mut function[block].nodes);
        let mut kept = Vec::with_capacity(nodes.len());
        for node in nodes {
            for i in 0..3 {
                let mut arg = function[node].args[i];
                if let Some(&equal) = self.replaced.get(&arg) {
                    function[node].args[i] = equal;
                    arg = equal;
                }
                if arg != Value::NONE && self.wants_register(function, node, i) {
                    function[node].args[i] = self.constant(function, block, arg);
                }
            }
            if self.is_candidate(function, node)
                && let Some(before) = self.target(function, block, node)
            {
                self.hoist(function, before, node);
            } else {
                kept.push(node);
            }
        }
        function[block].nodes = kept;
    }

    /// Whether a node is one of those that are moved, if its operands allow it.
    fn is_candidate(&self, function: &Function, node: Value) -> bool {
        let data = &function[node];
        match data.op {
            // What a reference leads to: it may be null, which is asked in the loop.
            Op::Load(LoadOp::U32, Alias::Table) => false,
            Op::Load(_, alias) | Op::FloatLoad(_, alias) => {
                alias != Alias::Heap
                    && data.args[1] == Value::NONE
                    && is_definition(function, data.args[0])
            }
            _ => {
                let mut any = false;
                function.for_each_arg(node, |arg| any |= self.hoisted[arg.0 as usize]);
                any && data.ty != Ty::None && data.op.effect() == Effect::Pure
            }
        }
    }

    /// The block before the outermost loop around that a node does not depend on.
    fn target(&self, function: &Function, block: BlockId, node: Value) -> Option<BlockId> {
        let written = match function[node].op.effect() {
            Effect::Reads(alias) => class(alias),
            _ => None,
        };
        self.outermost(block, |first, last| {
            let mut is_free = written.is_none_or(|class| !self.writes.within(first, last)[class]);
            function.for_each_arg(node, |arg| {
                let is_outside = match function[arg].op {
                    Op::Const | Op::VectorConst | Op::Context | Op::MemoryBase => true,
                    _ => !(first..=last).contains(&self.defined[arg.0 as usize]),
                };
                is_free &= is_outside;
            });
            is_free
        })
        .map(|(before, _)| before)
    }

    /// The outermost loop around a block up to which all are as asked for, and have a block before
    /// them: that block and the loop.
    fn outermost(
        &self,
        block: BlockId,
        is_free: impl Fn(BlockId, BlockId) -> bool,
    ) -> Option<(BlockId, u32)> {
        let mut found = None;
        let mut around = self.loops.around(block);
        for _ in 0..LOOPS_MAX {
            let Some(which) = around else { break };
            let (first, last) = self.loops.ranges()[which as usize];
            let Some(before) = self.before[which as usize] else {
                break;
            };
            if !is_free(first, last) {
                break;
            }
            found = Some((before, which));
            around = self.loops.parent(which);
        }
        found
    }

    /// Moves a node to the end of a block; uses of it get an equal one if that is there already.
    fn hoist(&mut self, function: &mut Function, before: BlockId, node: Value) {
        let key = (before, function[node]);
        if let Some(&equal) = self.made.get(&key) {
            self.replaced.insert(node, equal);
            return;
        }
        function[before].nodes.push(node);
        self.made.insert(key, node);
        self.defined[node.0 as usize] = before;
        self.hoisted[node.0 as usize] = true;
    }

    /// Whether operand `i` of a node is a constant that instructions do not hold.
    fn wants_register(&self, function: &Function, node: Value, i: usize) -> bool {
        let data = &function[node];
        let arg = &function[data.args[i]];
        let is_constant = match arg.op {
            Op::Const => arg.ty.is_float(),
            Op::VectorConst => true,
            _ => false,
        };
        is_constant && !is_immediate(function, data, i, self.target)
    }

    /// A constant in a register, or as it is.
    fn constant(&mut self, function: &mut Function, block: BlockId, constant: Value) -> Value {
        let Some((before, which)) = self.outermost(block, |_, _| true) else {
            return constant;
        };
        let node = Node::new(Op::Materialize, function[constant].ty, &[constant], 0);
        if let Some(&made) = self.made.get(&(before, node)) {
            return made;
        }
        let given = &mut self.given[which as usize];
        if *given == CONSTANTS_MAX {
            return constant;
        }
        *given += 1;
        let made = function.add(node, Origin::default());
        function[before].nodes.push(made);
        self.defined.push(before);
        self.hoisted.push(false);
        self.made.insert((before, node), made);
        made
    }
}

/// Whether a value is the context, or the address of a definition that it names.
fn is_definition(function: &Function, value: Value) -> bool {
    let node = &function[value];
    match node.op {
        Op::Context => true,
        Op::Load(_, Alias::Fixed) => {
            node.args[1] == Value::NONE && function[node.args[0]].op == Op::Context
        }
        _ => false,
    }
}
