//! Loops that only copy or fill memory: done 16 bytes and more at a time.
//!
//! Producers without bulk operations, and those that cannot rule out that two ranges overlap, write
//! such loops byte by byte or word by word. This pass puts a loop over vectors before each of them.
//! It does as many iterations as make up whole vectors and leaves the others to the loop as it was, which
//! goes on with its variables advanced; so everything about the end is as it was: the last iterations,
//! the values behind the loop, and where it traps.
//!
//! The loop over vectors runs only behind checks of all that is not known here: that there are
//! enough iterations for it to pay, that the loop does not end before, that neither addresses nor indices
//! wrap, that all bytes are in the memory, and that the ranges of a copy do not overlap in a way
//! that reads within 16 bytes of what was written. (Further away, copying forwards repeats what is
//! there as the loop would.) Otherwise the loop runs as it was.
//!
//! It is a loop rather than a call of the runtime because calls cost the loops around it their
//! registers. Large blocks that are cleared are left to the runtime nevertheless, which leaves pages
//! alone that nobody has touched: a call that keeps the registers, out of the way of the rest.

mod blocks;
mod linear;
mod plan;

use crate::opt::form::ir::{Alias, BlockId, Effect, Exit, Function, Value};
use crate::opt::form::predecessors::Predecessors;
use zwasm_core::module::ModuleInfo;

/// How many nodes a loop may have.
const NODES_MAX: usize = 64;

pub(crate) fn run(function: &mut Function, info: &ModuleInfo) {
    let headers: Vec<BlockId> = function
        .block_ids()
        .filter(|&block| function[block].is_loop_header && may_qualify(function, block))
        .collect();
    if headers.is_empty() {
        return;
    }
    let predecessors = Predecessors::of(function);
    let first_new = function.blocks.len();
    let mut before = vec![None; first_new];
    for header in headers {
        if let Some(shape) = Shape::of(function, &predecessors, header)
            && let Some(plan) = plan::plan(function, &shape, info)
        {
            let start = function.blocks.len() as u32;
            blocks::insert(function, &shape, &plan);
            before[header.0 as usize] = Some(start..function.blocks.len() as u32);
        }
    }
    if function.blocks.len() > first_new {
        reorder(function, before);
    }
}

/// A quick look at a header and what follows it.
fn may_qualify(function: &Function, header: BlockId) -> bool {
    let successors = function[header].exit.edges().iter().map(|edge| edge.to);
    let stores = |block: BlockId| {
        let nodes = &function[block].nodes;
        let is_store = |node: &Value| function[*node].op.effect() == Effect::Writes(Alias::Heap);
        nodes.len() <= NODES_MAX && nodes.iter().any(is_store)
    };
    stores(header) || successors.filter(|&next| next > header).any(stores)
}

/// A loop of one block, or of two if the condition to go on is in the middle or at the start.
pub(crate) struct Shape {
    /// The one block outside that leads to the header, by a jump.
    before: BlockId,
    header: BlockId,
    /// The block that leads back, which may be the header.
    latch: BlockId,
    /// The condition to go on.
    condition: Value,
    /// Whether that is to be other than zero.
    goes_on_when: bool,
}

impl Shape {
    fn of(function: &Function, predecessors: &Predecessors, header: BlockId) -> Option<Shape> {
        let &[(before, _), (latch, _)] = predecessors.to(header) else {
            return None;
        };
        if before >= header || latch < header {
            return None;
        }
        let Exit::Jump(_) = function[before].exit else {
            return None;
        };
        let Exit::Branch(condition, [yes, no]) = &function[header].exit else {
            return None;
        };
        if yes.to == no.to {
            return None;
        }
        if latch != header
            && (predecessors.to(latch).len() != 1 || !matches!(function[latch].exit, Exit::Jump(_)))
        {
            return None;
        }
        let goes_on_when = match latch {
            _ if yes.to == latch => true,
            _ if no.to == latch => false,
            _ => return None,
        };
        Some(Shape {
            before,
            header,
            latch,
            condition: *condition,
            goes_on_when,
        })
    }

    /// The nodes in the order of their execution.
    fn nodes<'f>(&self, function: &'f Function) -> impl Iterator<Item = Value> + 'f {
        let latch = (self.latch != self.header).then_some(self.latch);
        let blocks = [Some(self.header), latch].into_iter().flatten();
        blocks.flat_map(|block| function[block].nodes.iter().copied())
    }

    /// The arguments of the edge into the loop.
    fn first<'f>(&self, function: &'f Function) -> &'f [Value] {
        &function[self.before].exit.edges()[0].args
    }

    /// The arguments of the back edge.
    fn next<'f>(&self, function: &'f Function) -> &'f [Value] {
        let mut edges = function[self.latch].exit.edges().iter();
        let back = edges.find(|edge| edge.to == self.header);
        &back.expect("the latch leads back").args
    }
}

/// Puts the new blocks, which are the last ones, before the headers that they belong to.
fn reorder(function: &mut Function, before: Vec<Option<core::ops::Range<u32>>>) {
    let mut order = Vec::with_capacity(function.blocks.len());
    for (old, new) in (0..).zip(before) {
        order.extend(new.into_iter().flatten().map(BlockId));
        order.push(BlockId(old));
    }
    function.reorder(&order);
}
