//! The order of blocks, on which dominators, loops, value numbering and live ranges rest: each works in
//! one walk over the blocks, and takes loops for ranges of them.
//!
//! What is checked: nothing leads to the entry; every other block has an edge from a block before it;
//! edges that lead back lead to a loop's header, which lies on all paths to where they come from; and
//! what lies between a loop's header and its end is reached through the header only.
//!
//! A block is said to be in as many loops as it is in, or in more: loops that turn out to run once
//! are still counted, and their headers are still said to be such. That is a matter of weights.

use crate::opt::form::dominators::Dominators;
use crate::opt::form::ir::{BlockId, Function};
use crate::opt::form::loops::Loops;
use crate::opt::form::predecessors::Predecessors;

/// Says what is wrong with the order of the blocks, all of whose edges lead somewhere.
pub(super) fn check(
    function: &Function,
    predecessors: &Predecessors,
    dominators: &Dominators,
) -> Result<(), String> {
    if let Some((from, _)) = predecessors.to(BlockId(0)).first() {
        return Err(format!(
            "{from} leads to the entry, whose parameters callers give"
        ));
    }
    for block in function.block_ids().skip(1) {
        // They come in the order of their blocks.
        let first = predecessors.to(block).first();
        if first.is_none_or(|&(from, _)| from >= block) {
            return Err(format!("no block before {block} leads there"));
        }
    }
    for block in function.block_ids() {
        let edges = function[block].exit.edges();
        for edge in edges.iter().filter(|edge| edge.to <= block) {
            check_back_edge(function, dominators, block, edge.to)?;
        }
    }
    let loops = Loops::of(function);
    check_pieces(function, &loops, dominators)?;
    check_depths(function, &loops, predecessors)
}

fn check_back_edge(
    function: &Function,
    dominators: &Dominators,
    from: BlockId,
    to: BlockId,
) -> Result<(), String> {
    if !function[to].is_loop_header {
        return Err(format!(
            "{from} leads back to {to}, which is no loop's header"
        ));
    }
    if !dominators.dominates(to, from) {
        return Err(format!(
            "the loop of {to} is entered elsewhere, on the way to {from}"
        ));
    }
    Ok(())
}

/// Loops are in one piece. It is enough to ask for the innermost one around each block: its header is in
/// the one around that.
fn check_pieces(function: &Function, loops: &Loops, dominators: &Dominators) -> Result<(), String> {
    let header = |which: u32| loops.ranges()[which as usize].0;
    for block in function.block_ids() {
        let around = match loops.around(block) {
            Some(own) if header(own) == block => loops.parent(own),
            around => around,
        };
        if let Some(header) = around.map(header)
            && !dominators.dominates(header, block)
        {
            return Err(format!(
                "{block} is amid the loop of {header}, and not of it"
            ));
        }
    }
    Ok(())
}

/// Blocks are in no more loops than they say.
fn check_depths(
    function: &Function,
    loops: &Loops,
    predecessors: &Predecessors,
) -> Result<(), String> {
    let innermost = innermost_headers(function, loops, predecessors);
    // Headers come before what is in their loops.
    let mut depths = vec![0_u32; function.blocks.len()];
    for block in function.block_ids() {
        let at = block.0 as usize;
        let around = innermost[at].map_or(0, |header| depths[header.0 as usize]);
        let last = predecessors.to(block).last();
        let is_header = last.is_some_and(|&(from, _)| from >= block);
        depths[at] = around + u32::from(is_header);
        let (said, is) = (function[block].loop_depth, depths[at]);
        if said < is {
            return Err(format!("{block} says depth {said}, and is at {is}"));
        }
    }
    Ok(())
}

/// The header of the innermost loop around each block, of headers that of the loop around theirs. A loop
/// is what its header is reached from again.
///
/// Source: Havlak, Nesting of Reducible and Irreducible Loops, 1997, for reducible ones.
fn innermost_headers(
    function: &Function,
    loops: &Loops,
    predecessors: &Predecessors,
) -> Vec<Option<BlockId>> {
    let mut innermost: Vec<Option<BlockId>> = vec![None; function.blocks.len()];
    // The header of the outermost loop found so far, or the block itself.
    let mut outermost: Vec<BlockId> = function.block_ids().collect();
    let mut work = Vec::new();
    // Inner loops first.
    for &(header, _) in loops.ranges().iter().rev() {
        let from = predecessors.to(header).iter().map(|&(from, _)| from);
        work.extend(from.filter(|&from| from >= header));
        while let Some(block) = work.pop() {
            let block = root(&mut outermost, block);
            if block != header {
                outermost[block.0 as usize] = header;
                innermost[block.0 as usize] = Some(header);
                work.extend(predecessors.to(block).iter().map(|&(from, _)| from));
            }
        }
    }
    innermost
}

/// Where a way up ends; the next one is shorter.
fn root(above: &mut [BlockId], mut block: BlockId) -> BlockId {
    while above[block.0 as usize] != block {
        let next = above[block.0 as usize];
        above[block.0 as usize] = above[next.0 as usize];
        block = next;
    }
    block
}
