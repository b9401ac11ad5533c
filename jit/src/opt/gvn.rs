//! Value numbering and folding: one walk over the blocks in their order, in which each node is
//! simplified, and replaced by an equal one that dominates it.
//!
//! Nodes that read memory are equal when nothing in between may have written what they read. That
//! is known within a block and along ways without joins, where the state of the block before goes
//! on; at joins and loop headers, nothing is known of memory. A store makes known what a load of
//! the same place would give.

use super::dominators::Dominators;
use super::fold::{Simpler, simplify};
use super::ir::{Alias, BlockId, Effect, Exit, Function, Node, Op, Ty, Value};
use crate::masm::{FloatPart, LoadOp, StoreOp};
use std::collections::HashMap;

/// Equal nodes by what they compute: each with the block that it is in, the latest last.
type Table = HashMap<Node, Vec<(BlockId, Value)>>;

/// How often each class of memory has been written, as far as one way tells.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Versions {
    length: u32,
    table: u32,
    global: u32,
    heap: u32,
}

impl Versions {
    fn of(&mut self, alias: Alias) -> Option<&mut u32> {
        match alias {
            Alias::Fixed => None,
            Alias::Length => Some(&mut self.length),
            Alias::Table => Some(&mut self.table),
            Alias::Global => Some(&mut self.global),
            Alias::Heap => Some(&mut self.heap),
        }
    }
}

pub(super) fn run(function: &mut Function) {
    let dominators = Dominators::of(function);
    let mut pass = Pass {
        replaced: (0..function.nodes.len() as u32).map(Value).collect(),
        constants: HashMap::new(),
        table: HashMap::new(),
        reads: HashMap::new(),
        next_version: 1,
        at_end: vec![None; function.blocks.len()],
        dominators,
    };
    for (i, node) in function.nodes.iter().enumerate() {
        if node.op == Op::Const {
            pass.constants
                .entry((node.ty, node.imm))
                .or_insert(Value(i as u32));
        }
    }
    let single = single_predecessors(function);
    for block in function.block_ids() {
        pass.block(function, block, single[block.0 as usize]);
    }
    let replaced = pass.replaced;
    // Arguments on ways back may name values that were replaced later.
    function.map_args(|value| replaced[value.0 as usize]);
    fold_branches(function);
}

struct Pass {
    /// What stands for each value; always one that stands for itself.
    replaced: Vec<Value>,
    constants: HashMap<(Ty, u64), Value>,
    table: Table,
    /// Nodes that read memory, with the version of what they read.
    reads: HashMap<(Node, u32), Vec<(BlockId, Value)>>,
    next_version: u32,
    /// The versions at the end of each block seen so far.
    at_end: Vec<Option<Versions>>,
    dominators: Dominators,
}

/// The only block that leads to each, if there is just one way.
fn single_predecessors(function: &Function) -> Vec<Option<BlockId>> {
    let mut counts = vec![(0_u32, BlockId(0)); function.blocks.len()];
    for block in function.block_ids() {
        for edge in function[block].exit.edges() {
            let count = &mut counts[edge.to.0 as usize];
            *count = (count.0 + 1, block);
        }
    }
    let single = |(ways, from): (u32, BlockId)| (ways == 1).then_some(from);
    counts.into_iter().map(single).collect()
}

impl Pass {
    fn fresh(&mut self) -> u32 {
        self.next_version += 1;
        self.next_version
    }

    fn block(&mut self, function: &mut Function, block: BlockId, from: Option<BlockId>) {
        let known = from.and_then(|from| self.at_end[from.0 as usize]);
        let mut versions = known.unwrap_or_else(|| Versions {
            length: self.fresh(),
            table: self.fresh(),
            global: self.fresh(),
            heap: self.fresh(),
        });
        let nodes = core::mem::take(&mut function[block].nodes);
        let mut kept = Vec::with_capacity(nodes.len());
        for value in nodes {
            self.replace_args(function, value);
            if self.node(function, block, value, &mut versions) {
                kept.push(value);
            }
        }
        function[block].nodes = kept;
        self.at_end[block.0 as usize] = Some(versions);
    }

    fn replace_args(&self, function: &mut Function, value: Value) {
        let node = &mut function[value];
        for arg in node.args.iter_mut().filter(|arg| **arg != Value::NONE) {
            *arg = self.replaced[arg.0 as usize];
        }
        if node.op == Op::Call {
            let call = node.imm as usize;
            for arg in &mut function.calls[call].args {
                *arg = self.replaced[arg.0 as usize];
            }
        }
    }

    fn constant(&mut self, function: &mut Function, ty: Ty, bits: u64) -> Value {
        if let Some(&value) = self.constants.get(&(ty, bits)) {
            return value;
        }
        let node = Node {
            op: Op::Const,
            ty,
            args: [Value::NONE; 3],
            imm: bits,
        };
        let value = function.add(node, 0);
        self.replaced.push(value);
        self.constants.insert((ty, bits), value);
        value
    }

    fn stands_for(&mut self, value: Value, other: Value) {
        self.replaced[value.0 as usize] = other;
    }

    /// Whether the node stays.
    fn node(
        &mut self,
        function: &mut Function,
        block: BlockId,
        value: Value,
        versions: &mut Versions,
    ) -> bool {
        // A simpler form may have one that is simpler still.
        loop {
            let node = function[value];
            match simplify(function, &node) {
                Simpler::Same => break,
                Simpler::Value(other) => {
                    self.stands_for(value, other);
                    return false;
                }
                Simpler::Const(bits) => {
                    let constant = self.constant(function, node.ty, bits);
                    self.stands_for(value, constant);
                    return false;
                }
                Simpler::Node(mut simpler, constant) => {
                    if let Some((ty, bits)) = constant {
                        simpler.args[1] = self.constant(function, ty, bits);
                    }
                    function[value] = simpler;
                }
            }
        }
        let node = function[value];
        match node.op.effect() {
            Effect::Pure | Effect::MayTrap => {
                if node.op == Op::CallResult {
                    return true;
                }
                if let Op::TrapIf(_) = node.op
                    && function.constant(node.args[0]) == Some(0)
                {
                    return false;
                }
                self.look_up(value, block, node, None)
            }
            Effect::Reads(alias) => self.read(value, block, node, alias, versions),
            Effect::ReadsAndMayTrap => self.read(value, block, node, Alias::Heap, versions),
            Effect::Writes(alias) => {
                if let Some(version) = versions.of(alias) {
                    *version = self.fresh();
                    self.forward(function, block, node, *version);
                }
                true
            }
            Effect::Calls => {
                *versions = Versions {
                    length: self.fresh(),
                    table: self.fresh(),
                    global: self.fresh(),
                    heap: self.fresh(),
                };
                true
            }
        }
    }

    fn read(
        &mut self,
        value: Value,
        block: BlockId,
        node: Node,
        alias: Alias,
        versions: &mut Versions,
    ) -> bool {
        let version = versions.of(alias).map(|version| *version);
        self.look_up(value, block, node, version)
    }

    /// Finds an equal node, or makes this one known.
    fn look_up(&mut self, value: Value, block: BlockId, node: Node, version: Option<u32>) -> bool {
        let known = match version {
            Some(version) => self.reads.entry((node, version)).or_default(),
            None => self.table.entry(node).or_default(),
        };
        // Blocks come in an order in which those that dominate no more block never will again.
        while let Some(&(other, equal)) = known.last() {
            if self.dominators.dominates(other, block) {
                self.replaced[value.0 as usize] = equal;
                return false;
            }
            known.pop();
        }
        known.push((block, value));
        true
    }

    /// After a store, a load of the same place and all of the value gives that value.
    fn forward(&mut self, function: &Function, block: BlockId, node: Node, version: u32) {
        let stored = node.args[2];
        let ty = function[stored].ty;
        let op = match (node.op, ty) {
            (Op::Store(StoreOp::B4, alias), Ty::I32) => Op::Load(LoadOp::U32, alias),
            (Op::Store(StoreOp::B8, alias), Ty::I64) => Op::Load(LoadOp::U64, alias),
            // Globals are stored as a whole, and loaded by their type.
            (Op::Store(StoreOp::B8, Alias::Global), Ty::I32) => {
                Op::Load(LoadOp::U32, Alias::Global)
            }
            (Op::FloatStore(part @ (FloatPart::F32 | FloatPart::F64), alias), _) => {
                Op::FloatLoad(part, alias)
            }
            _ => return,
        };
        let load = Node {
            op,
            ty,
            args: [node.args[0], node.args[1], Value::NONE],
            imm: node.imm,
        };
        self.reads
            .entry((load, version))
            .or_default()
            .push((block, stored));
    }
}

/// Branches that always go one way.
fn fold_branches(function: &mut Function) {
    for i in 0..function.blocks.len() {
        let block = BlockId(i as u32);
        let Some(cond) = function[block].exit.condition() else {
            continue;
        };
        // `x != 0` of a branch is `x`.
        let node = function[cond];
        if let (Op::Compare(crate::masm::Cond::Ne, crate::masm::Width::W32), Exit::Branch(..)) =
            (node.op, &function[block].exit)
            && function.constant(node.args[1]) == Some(0)
            && let Exit::Branch(value, _) = &mut function[block].exit
        {
            *value = node.args[0];
        }
        let cond = function[block].exit.condition().expect("checked above");
        let Some(bits) = function.constant(cond) else {
            continue;
        };
        let exit = core::mem::replace(&mut function[block].exit, Exit::Open);
        function[block].exit = match exit {
            Exit::Branch(_, [yes, no]) => Exit::Jump(if bits != 0 { yes } else { no }),
            Exit::Table(_, mut edges) => {
                let last = edges.len() - 1;
                Exit::Jump(edges.swap_remove((bits as usize).min(last)))
            }
            other => other,
        };
    }
}
