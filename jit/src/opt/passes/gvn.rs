//! Value numbering and folding: one walk over the blocks in their order, in which each node is
//! simplified, and replaced by an equal one that dominates it.
//!
//! Nodes that read memory are equal when nothing in between may have written what they read. A
//! class of memory keeps its state over a join when it is the same on all edges that lead there, and
//! over a loop's header when nothing in the loop writes it. A store makes known what a load of the
//! same place would give.
//!
//! What conditions are is known behind the branches and checks that they decided, and how far into
//! a memory an address may reach behind a check of its bounds.

use super::fold::{Maker, Simpler, simplify, truth};
use crate::interruption::Watch;
use crate::masm::{AluOp, Cond, FloatPart, LoadOp, StoreOp, Width};
use crate::opt::form::dominators::Dominators;
use crate::opt::form::ir::{Alias, BlockId, Effect, Exit, Function, Node, Op, Ty, Value};
use crate::opt::form::loops::{Loops, Writes};
use crate::opt::form::memory::{self, class};
use crate::opt::form::predecessors::Predecessors;
use core::hash::BuildHasher;
use foldhash::fast::RandomState;
use foldhash::{HashMap, HashMapExt};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// A node, with the version of the memory that it reads, else [`NOTHING`]; and the value that has
/// computed it last.
struct Known {
    node: Node,
    version: u32,
    block: BlockId,
    value: Value,
    /// Of node and version.
    hash: u32,
}

/// Nodes by what they compute, each with the block that it is in. One of each is enough: blocks come
/// in an order in which what dominates a block no more never will again.
///
/// The nodes lie in the order in which they were met, and only their numbers are scattered by hash:
/// tables of whole nodes of large functions would miss the caches at every step. For the same reason
/// it forgets all once it holds [`KNOWN_MAX`]: what is computed twice is computed twice nearby.
struct Table {
    known: Vec<Known>,
    by_hash: HashTable<u32>,
    hasher: RandomState,
}

/// How many nodes are known at a time: with their numbers, they fit into a core's own cache.
const KNOWN_MAX: usize = 1 << 14;

impl Table {
    /// One for a function of so many nodes.
    fn with_capacity(nodes: usize) -> Table {
        let nodes = nodes.min(KNOWN_MAX);
        Table {
            known: Vec::with_capacity(nodes),
            by_hash: HashTable::with_capacity(nodes),
            hasher: RandomState::default(),
        }
    }

    fn hash(&self, node: &Node, version: u32) -> u32 {
        self.hasher.hash_one((node, version)) as u32
    }

    fn get(&self, node: &Node, version: u32) -> Option<&Known> {
        let hash = self.hash(node, version);
        let is_it = |&at: &u32| self.known[at as usize].is(hash, node, version);
        let at = *self.by_hash.find(spread(hash), is_it)?;
        Some(&self.known[at as usize])
    }

    /// What has computed a node before; where nothing has, it is noted that `value` does.
    fn find_or_insert(
        &mut self,
        node: Node,
        version: u32,
        block: BlockId,
        value: Value,
    ) -> Option<&mut Known> {
        let hash = self.hash(&node, version);
        let Table { known, by_hash, .. } = self;
        if known.len() == KNOWN_MAX {
            known.clear();
            by_hash.clear();
        }
        let entry = by_hash.entry(
            spread(hash),
            |&at| known[at as usize].is(hash, &node, version),
            |&at| spread(known[at as usize].hash),
        );
        match entry {
            Entry::Occupied(at) => Some(&mut known[*at.get() as usize]),
            Entry::Vacant(place) => {
                place.insert(known.len() as u32);
                known.push(Known {
                    node,
                    version,
                    block,
                    value,
                    hash,
                });
                None
            }
        }
    }
}

impl Known {
    fn is(&self, hash: u32, node: &Node, version: u32) -> bool {
        self.hash == hash && self.version == version && self.node == *node
    }
}

/// Tables look at the lowest bits of a hash, and at the highest.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

/// The version of what never changes.
const NOTHING: u32 = 0;

/// Which state each class of memory is in, in the order of [`memory::CLASSES`]: equal numbers,
/// equal contents.
type Versions = [u32; 4];

/// Leaves the rest of the function as it is when compilation is to end.
pub(crate) fn run(function: &mut Function, watch: &Watch<'_>) {
    let count = function.blocks.len();
    let mut pass = Pass {
        watch,
        pending: Vec::new(),
        replaced: (0..function.nodes.len() as u32).map(Value).collect(),
        constants: HashMap::new(),
        table: Table::with_capacity(function.nodes.len()),
        facts: vec![None; function.nodes.len()],
        reaches: HashMap::new(),
        next_version: 1,
        at_end: vec![None; count],
        loops: Loops::of(function),
        writes: Writes::of(function),
        predecessors: Predecessors::of(function),
        dominators: Dominators::of(function),
    };
    for (i, node) in function.nodes.iter().enumerate() {
        if node.op == Op::Const {
            pass.constants
                .entry((node.ty, node.imm))
                .or_insert(Value(i as u32));
        }
    }
    for block in function.block_ids() {
        pass.block(function, block);
        if watch.step() {
            return;
        }
    }
    let replaced = pass.replaced;
    // Arguments on back edges may name values that were replaced later.
    function.map_args(|value| replaced[value.0 as usize]);
}

struct Pass<'w> {
    watch: &'w Watch<'w>,
    /// What is left of a block; empty between two.
    pending: Vec<Value>,
    /// What stands for each value; always one that stands for itself.
    replaced: Vec<Value>,
    constants: HashMap<(Ty, u64), Value>,
    table: Table,
    /// Whether each value is other than zero, from a block on.
    facts: Vec<Option<(BlockId, bool)>>,
    /// How many bytes lie in a memory from an address on, by the address and the memory's length,
    /// from a block on.
    reaches: HashMap<(Value, Value), (BlockId, u64)>,
    next_version: u32,
    /// The versions at the end of each block seen so far.
    at_end: Vec<Option<Versions>>,
    loops: Loops,
    writes: Writes,
    predecessors: Predecessors,
    dominators: Dominators,
}

impl Pass<'_> {
    fn fresh(&mut self) -> u32 {
        self.next_version += 1;
        self.next_version
    }

    /// The state of memory at the start of a block.
    fn at_start(&mut self, block: BlockId) -> Versions {
        let mut agreed: Option<[Option<u32>; 4]> = None;
        for &(from, _) in self.predecessors.to(block) {
            if from >= block {
                // A back edge: what the loop writes is asked below.
                continue;
            }
            let known = self.at_end[from.0 as usize].map(|versions| versions.map(Some));
            let known = known.unwrap_or_default();
            agreed = Some(match agreed {
                None => known,
                Some(before) => core::array::from_fn(|class| {
                    before[class].filter(|_| before[class] == known[class])
                }),
            });
        }
        let mut agreed = agreed.unwrap_or_default();
        if let Some(end) = self.loops.end(block) {
            let written = self.writes.within(block, end);
            for (version, is_written) in agreed.iter_mut().zip(written) {
                *version = version.filter(|_| !is_written);
            }
        }
        agreed.map(|version| version.unwrap_or_else(|| self.fresh()))
    }

    fn block(&mut self, function: &mut Function, block: BlockId) {
        let mut versions = self.at_start(block);
        self.learn_from_branch(function, block);
        let mut kept = core::mem::take(&mut function[block].nodes);
        // In reverse: the next is last.
        let mut pending = core::mem::take(&mut self.pending);
        pending.extend(kept.iter().rev());
        kept.clear();
        while let Some(value) = pending.pop() {
            if self.watch.step() {
                return;
            }
            self.replace_args(function, value);
            if !self.simplify(function, block, value, &mut pending) {
                continue;
            }
            if self.node(function, block, value, &mut versions) {
                kept.push(value);
            }
        }
        self.pending = pending;
        function[block].nodes = kept;
        self.at_end[block.0 as usize] = Some(versions);
        self.fold_exit(function, block);
    }

    /// Behind a branch its condition is known.
    fn learn_from_branch(&mut self, function: &Function, block: BlockId) {
        let &[(from, _)] = self.predecessors.to(block) else {
            return;
        };
        if let Exit::Branch(cond, [yes, no]) = &function[from].exit
            && yes.to != no.to
        {
            let is_yes = yes.to == block;
            self.learn(*cond, block, is_yes);
        }
    }

    fn learn(&mut self, value: Value, block: BlockId, fact: bool) {
        self.facts[value.0 as usize] = Some((block, fact));
    }

    fn learnt(&self, value: Value, block: BlockId) -> Option<bool> {
        let (from, fact) = self.facts[value.0 as usize]?;
        self.dominators.dominates(from, block).then_some(fact)
    }

    /// Whether a value is known to be other than zero, or known to be zero.
    fn fact(&self, function: &Function, block: BlockId, value: Value) -> Option<bool> {
        if let Some(bits) = function.constant(value) {
            return Some(bits != 0);
        }
        if let Some(fact) = self.learnt(value, block) {
            return Some(fact);
        }
        if let Some((asked, when)) = truth(function, value)
            && let Some(fact) = self.learnt(asked, block)
        {
            return Some(fact == when);
        }
        // The opposite comparison may be known.
        let Op::Compare(cond, width) = function[value].op else {
            return None;
        };
        let opposite = Node {
            op: Op::Compare(cond.negate(), width),
            ..function[value]
        };
        let opposite = self.table.get(&ordered(opposite), NOTHING)?;
        self.learnt(opposite.value, block).map(|fact| !fact)
    }

    /// Branches that always go one way, and conditions that only ask for zero.
    fn fold_exit(&mut self, function: &mut Function, block: BlockId) {
        let Some(cond) = function[block].exit.condition() else {
            return;
        };
        let cond = self.replaced[cond.0 as usize];
        let exit = core::mem::replace(&mut function[block].exit, Exit::Open);
        function[block].exit = match exit {
            Exit::Branch(_, [yes, no]) => match self.fact(function, block, cond) {
                Some(true) => Exit::Jump(yes),
                Some(false) => Exit::Jump(no),
                None => match truth(function, cond) {
                    Some((value, true)) => Exit::Branch(value, [yes, no]),
                    Some((value, false)) => Exit::Branch(value, [no, yes]),
                    None => Exit::Branch(cond, [yes, no]),
                },
            },
            Exit::Table(_, mut edges) => match function.constant(cond) {
                Some(which) => {
                    let last = edges.len() - 1;
                    Exit::Jump(edges.swap_remove((which as usize).min(last)))
                }
                None => Exit::Table(cond, edges),
            },
            other => other,
        };
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

    fn stands_for(&mut self, value: Value, other: Value) {
        self.replaced[value.0 as usize] = other;
    }

    /// Takes one or more steps of simplification. Whether the node is still to be numbered: not if
    /// another value stands for it, nor if nodes were made that come before it.
    fn simplify(
        &mut self,
        function: &mut Function,
        block: BlockId,
        value: Value,
        pending: &mut Vec<Value>,
    ) -> bool {
        let mut made = Vec::new();
        loop {
            let node = function[value];
            if node.op == Op::Select
                && let Some(fact) = self.fact(function, block, node.args[0])
            {
                self.stands_for(value, node.args[if fact { 1 } else { 2 }]);
                return false;
            }
            let mut maker = Maker {
                origin: function.origins[value.0 as usize],
                function,
                constants: &mut self.constants,
                made: &mut made,
            };
            let simpler = simplify(&mut maker, &node);
            let known = self.replaced.len() as u32;
            let new = known..function.nodes.len() as u32;
            self.replaced.extend(new.map(Value));
            self.facts.resize(function.nodes.len(), None);
            match simpler {
                Simpler::Same => return true,
                Simpler::Value(other) => {
                    self.stands_for(value, other);
                    return false;
                }
                Simpler::Node(simpler) => {
                    function[value] = simpler;
                    if !made.is_empty() {
                        pending.push(value);
                        pending.extend(made.into_iter().rev());
                        return false;
                    }
                }
            }
        }
    }

    /// Whether the node stays.
    fn node(
        &mut self,
        function: &mut Function,
        block: BlockId,
        value: Value,
        versions: &mut Versions,
    ) -> bool {
        let node = function[value];
        match node.op.effect() {
            Effect::Pure | Effect::MayTrap => {
                if matches!(node.op, Op::CallResult | Op::Caught) {
                    return true;
                }
                if let Op::TrapIf(_) = node.op {
                    return self.check(function, block, node.args[0]);
                }
                self.look_up(value, block, node, NOTHING)
            }
            Effect::Reads(alias) => {
                let version = class(alias).map_or(NOTHING, |class| versions[class]);
                self.look_up(value, block, node, version)
            }
            Effect::ReadsAndMayTrap => {
                let version = class(Alias::Heap).map_or(NOTHING, |class| versions[class]);
                self.look_up(value, block, node, version)
            }
            Effect::Writes(alias) => {
                if let Some(class) = class(alias) {
                    versions[class] = self.fresh();
                    self.forward(function, block, node, versions[class]);
                }
                true
            }
            Effect::Calls => {
                let written = memory::written(function, value);
                for (version, is_written) in versions.iter_mut().zip(written) {
                    if is_written {
                        *version = self.fresh();
                    }
                }
                true
            }
        }
    }

    /// Whether a check is needed. Behind it, its condition is known.
    fn check(&mut self, function: &Function, block: BlockId, cond: Value) -> bool {
        if self.fact(function, block, cond) == Some(false) {
            return false;
        }
        self.learn(cond, block, false);
        let Some((address, length, bytes)) = bounds(function, cond) else {
            return true;
        };
        if let Some(&(from, known)) = self.reaches.get(&(address, length))
            && known >= bytes
            && self.dominators.dominates(from, block)
        {
            return false;
        }
        self.reaches.insert((address, length), (block, bytes));
        true
    }

    /// Finds an equal node, or makes this one known.
    fn look_up(&mut self, value: Value, block: BlockId, node: Node, version: u32) -> bool {
        let known = self
            .table
            .find_or_insert(ordered(node), version, block, value);
        if let Some(known) = known {
            if self.dominators.dominates(known.block, block) {
                self.replaced[value.0 as usize] = known.value;
                return false;
            }
            (known.block, known.value) = (block, value);
        }
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
        let node = Node {
            op,
            ty,
            args: [node.args[0], node.args[1], Value::NONE],
            imm: node.imm,
        };
        // Nothing has read that version.
        self.table.find_or_insert(node, version, block, stored);
    }
}

/// The same node, with operands that can be swapped in the order of their numbers.
fn ordered(mut node: Node) -> Node {
    if commutes(node.op) && node.args[0] > node.args[1] {
        node.args.swap(0, 1);
    }
    node
}

/// Whether the first two operands can be swapped.
fn commutes(op: Op) -> bool {
    match op {
        Op::Alu(op, _) => op.commutes(),
        Op::VecBinary(op) => op.commutes(),
        Op::MulHigh(_) => true,
        Op::Compare(cond, _) => matches!(cond, Cond::Eq | Cond::Ne),
        _ => false,
    }
}

/// If a condition is that an access of some bytes at an address ends beyond a memory's length: the
/// address, the length and the bytes. Construction has made sure that the length is no less.
fn bounds(function: &Function, cond: Value) -> Option<(Value, Value, u64)> {
    let node = &function[cond];
    if node.op != Op::Compare(Cond::GtU, Width::W64) {
        return None;
    }
    let [address, room, _] = node.args;
    let room = &function[room];
    if room.op != Op::Alu(AluOp::Add, Width::W64) {
        return None;
    }
    let [length, negated, _] = room.args;
    if !matches!(function[length].op, Op::Load(_, Alias::Length)) {
        return None;
    }
    let bytes = function.constant(negated)?.wrapping_neg();
    Some((address, length, bytes))
}
