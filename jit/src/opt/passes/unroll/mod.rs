//! Small innermost loops that count: two or four iterations between two jumps back.
//!
//! All questions whether to go on stay, so that nothing has to be known of the number of iterations. What
//! copies save is what iterations hand over to each other: moves at the end of an iteration, additions to
//! counters, loads of what the iteration before has stored. Value numbering, which comes next, finds it.
//!
//! Loops whose end is decided by what they find (probes of a hash table, walks of a list) often take
//! an iteration or two, and get slower with more branches: they stay as they are. So do loops whose iterations
//! branch and join, as each copy of a branch has to be predicted on its own; those with calls, those
//! that [`super::idiom`] may turn into vectors, and functions with landing pads.
//!
//! Absent on purpose: peeling. A first iteration before the loop makes it possible to move out what may
//! trap, but producers have done that where they could: on two workloads it gained a third of what
//! unrolling gains there, and nothing on others.

mod close;
mod copy;

use super::dce;
use super::fold::truth;
use crate::masm::AluOp;
use crate::opt::form::ir::{Alias, BlockId, Exit, Function, Op, Value};
use crate::opt::form::loops::Loops;
use crate::opt::form::predecessors::Predecessors;

/// How many blocks a loop may have.
const BLOCKS_MAX: usize = 12;

/// How many nodes and ends of blocks.
const NODES_MAX: usize = 64;

/// With more than these it gets two iterations instead of four.
const FOUR_MAX: usize = 32;

/// How many blocks may lie between its first and its last one, itself included, and how many nodes:
/// what only leaves the loop lies there, too.
const RANGE_MAX: usize = 32;
const RANGE_NODES_MAX: usize = 2 * NODES_MAX;

/// How many blocks outside a loop may lead to.
const TARGETS_MAX: usize = 8;

/// How many nodes a function may grow by.
const ADDED_MAX: usize = 4096;

pub(crate) fn run(function: &mut Function) {
    if function.catches {
        return;
    }
    let loops = Loops::of(function);
    let ranges = small(function, &loops);
    if ranges.is_empty() || choose(function, &Predecessors::of(function), &ranges).is_empty() {
        return;
    }
    // Construction leaves parameters that hide what a loop does.
    dce::run(function);
    let predecessors = Predecessors::of(function);
    let mut found = choose(function, &predecessors, &ranges);
    found.retain(|one| !one.only_copies(function));
    let found = close::close(function, &predecessors, found);
    // Blocks of a range from which the loop's header is not reached come behind all iterations.
    let count = function.blocks.len() as u32;
    let mut order = Vec::new();
    let mut next = 0;
    for one in &found {
        order.extend((next..one.header.0).map(BlockId));
        order.extend(copy::unroll(function, one));
        let range = (one.header.0..=one.last.0).map(BlockId);
        order.extend(range.filter(|&block| !one.contains(block)));
        next = one.last.0 + 1;
    }
    order.extend((next..count).map(BlockId));
    function.reorder(&order);
}

/// First and last block of innermost loops that are not too large at first sight.
fn small(function: &Function, loops: &Loops) -> Vec<(BlockId, BlockId)> {
    let mut is_innermost = vec![true; loops.ranges().len()];
    for which in 0..loops.ranges().len() as u32 {
        if let Some(parent) = loops.parent(which) {
            is_innermost[parent as usize] = false;
        }
    }
    let is_small = |&(header, last): &(BlockId, BlockId)| {
        let range = header.0 as usize..last.0 as usize + 1;
        let nodes = || function.blocks[range.clone()].iter().map(|b| b.nodes.len());
        range.len() <= RANGE_MAX && nodes().sum::<usize>() <= RANGE_NODES_MAX
    };
    let ranges = loops.ranges().iter().zip(is_innermost);
    let innermost = ranges.filter(|(_, is_innermost)| *is_innermost);
    innermost
        .map(|(&range, _)| range)
        .filter(is_small)
        .collect()
}

/// Those of the loops that are to be unrolled.
fn choose(
    function: &Function,
    predecessors: &Predecessors,
    ranges: &[(BlockId, BlockId)],
) -> Vec<Unrollable> {
    let mut added = 0;
    let loops = ranges
        .iter()
        .filter_map(|&(header, last)| Unrollable::of(function, predecessors, header, last));
    loops
        .take_while(|one| {
            added += one.nodes * (one.iterations() - 1);
            added <= ADDED_MAX
        })
        .collect()
}

/// An innermost loop that is to be unrolled.
struct Unrollable {
    header: BlockId,
    /// The last block of its range.
    last: BlockId,
    /// Those from which the header is reached again, in their order.
    blocks: Vec<BlockId>,
    /// The back edges: a block, and which edge of its exit.
    back: Vec<(BlockId, u32)>,
    /// The blocks that it leads to.
    targets: Vec<BlockId>,
    /// How many nodes and ends of blocks it has.
    nodes: usize,
}

impl Unrollable {
    fn of(
        function: &Function,
        predecessors: &Predecessors,
        header: BlockId,
        last: BlockId,
    ) -> Option<Unrollable> {
        let is_back = |edge: &(BlockId, u32)| edge.0 >= header;
        let back: Vec<_> = predecessors
            .to(header)
            .iter()
            .copied()
            .filter(is_back)
            .collect();
        let mut one = Unrollable {
            header,
            last,
            blocks: vec![header],
            targets: Vec::new(),
            nodes: 0,
            back,
        };
        let mut work: Vec<BlockId> = one.back.iter().map(|&(from, _)| from).collect();
        while let Some(block) = work.pop() {
            if one.contains(block) {
                continue;
            }
            if block < header || one.blocks.len() == BLOCKS_MAX {
                return None;
            }
            one.blocks.push(block);
            work.extend(predecessors.to(block).iter().map(|&(from, _)| from));
        }
        one.blocks.sort_unstable();
        for i in 0..one.blocks.len() {
            let data = &function[one.blocks[i]];
            one.nodes += data.nodes.len() + 1;
            let is_call = |node: &Value| function[*node].op == Op::Call;
            if one.nodes > NODES_MAX || data.nodes.iter().any(is_call) {
                return None;
            }
            let mut onwards = None;
            for edge in data.exit.edges() {
                if one.contains(edge.to) {
                    if onwards.replace(edge.to).is_some_and(|to| to != edge.to) {
                        return None;
                    }
                } else if !one.targets.contains(&edge.to) {
                    one.targets.push(edge.to);
                }
            }
        }
        (one.targets.len() <= TARGETS_MAX && one.counts(function)).then_some(one)
    }

    fn contains(&self, block: BlockId) -> bool {
        self.blocks.contains(&block)
    }

    /// How many iterations there are to be.
    fn iterations(&self) -> usize {
        if self.nodes <= FOUR_MAX { 4 } else { 2 }
    }

    fn nodes<'f>(&'f self, function: &'f Function) -> impl Iterator<Item = Value> + 'f {
        let blocks = self.blocks.iter();
        blocks.flat_map(|&block| function[block].nodes.iter().copied())
    }

    /// Whether a value is made in the loop.
    fn makes(&self, function: &Function, value: Value) -> bool {
        let is_param = |&block: &BlockId| function[block].params.contains(&value);
        self.blocks.iter().any(is_param) || self.nodes(function).any(|node| node == value)
    }

    /// What a back edge gives to the header's parameters.
    fn next<'f>(&self, function: &'f Function, edge: (BlockId, u32)) -> &'f [Value] {
        &function[edge.0].exit.edges()[edge.1 as usize].args
    }

    /// Whether one of the questions whether to go on asks for something to which all iterations add the
    /// same.
    fn counts(&self, function: &Function) -> bool {
        let params = &function[self.header].params;
        let is_sum = |value: Value, param: Value| {
            let sum = &function[value];
            matches!(sum.op, Op::Alu(AluOp::Add | AluOp::Sub, _))
                && sum.args[0] == param
                && !self.makes(function, sum.args[1])
        };
        let is_counter = |value: Value| {
            let is_of = |&param: &Value| value == param || is_sum(value, param);
            params.iter().position(is_of).is_some_and(|at| {
                let adds = |&edge| is_sum(self.next(function, edge)[at], params[at]);
                self.back.iter().all(adds)
            })
        };
        self.blocks.iter().any(|&block| {
            let Exit::Branch(mut cond, ref edges) = function[block].exit else {
                return false;
            };
            while let Some((of, _)) = truth(function, cond) {
                cond = of;
            }
            let [a, b, _] = function[cond].args;
            let counts = match function[cond].op {
                Op::Compare(..) => {
                    is_counter(a) && !self.makes(function, b)
                        || is_counter(b) && !self.makes(function, a)
                }
                _ => is_counter(cond),
            };
            counts && edges.iter().any(|edge| !self.contains(edge.to))
        })
    }

    /// Whether it may be one that only copies or fills memory.
    fn only_copies(&self, function: &Function) -> bool {
        if self.blocks.len() > 2 {
            return false;
        }
        let params = &function[self.header].params;
        let is_step = |(&param, &next): (&Value, &Value)| {
            let sum = &function[next];
            matches!(sum.op, Op::Alu(AluOp::Add | AluOp::Sub, _))
                && sum.args[0] == param
                && function.constant(sum.args[1]).is_some()
        };
        let steps = |&edge| params.iter().zip(self.next(function, edge)).all(is_step);
        let is_store = |node: &Value| {
            let op = function[*node].op;
            matches!(
                op,
                Op::Store(_, Alias::Heap) | Op::FloatStore(_, Alias::Heap)
            )
        };
        let is_plain = |node: Value| {
            let stored = function[node].args[2];
            let is_loaded = matches!(function[stored].op, Op::Load(..) | Op::FloatLoad(..));
            is_loaded || !self.makes(function, stored)
        };
        let mut stores = self.nodes(function).filter(is_store).peekable();
        stores.peek().is_some() && stores.all(is_plain) && self.back.iter().all(steps)
    }
}
