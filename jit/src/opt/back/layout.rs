//! The order in which blocks become code.
//!
//! It is that of the source, but for loops that ask at their start or in their middle whether to go
//! on, and jump back from their end: with the part up to the question moved behind the rest, an iteration
//! takes one jump less, as the end falls through to the start and the question jumps back. Who
//! enters the loop jumps once instead; and so would any other back edge, of which there must be none.
//!
//! Loops that go through a jump table begin at a line of the cache. Processors predict where their dispatch goes by
//! where branches are: moving such a loop by some bytes changes its time by a factor of up to 1.5 (Zen 4), whatever its
//! instructions are, and this place is among the best. Other loops win as often as they lose by it, and pay
//! with room.

use crate::opt::form::ir::{BlockId, Edge, Exit, Function};
use crate::opt::form::loops::Loops;

/// How many blocks of a loop may come to be behind the others.
const MOVED_MAX: usize = 32;

/// How many blocks are moved, per block that there is: those of deep nests belong to many loops.
const MOVES_PER_BLOCK: usize = 64;

pub(crate) fn order(function: &Function) -> Vec<BlockId> {
    let mut order: Vec<BlockId> = function.block_ids().collect();
    let loops = Loops::of(function);
    let mut back_edges = vec![0_u32; order.len()];
    for from in function.block_ids() {
        let back = function[from]
            .exit
            .edges()
            .iter()
            .filter(|edge| edge.to <= from);
        back.for_each(|edge| back_edges[edge.to.0 as usize] += 1);
    }
    let mut moves = MOVES_PER_BLOCK * order.len();
    // Inner loops before those around them, in whose order they stay in one piece.
    for (which, &(first, last)) in loops.ranges().iter().enumerate().rev() {
        let blocks = &mut order[first.0 as usize..=last.0 as usize];
        if first.0 > 0
            && back_edges[first.0 as usize] == 1
            && leads_back(function, blocks)
            && let Some(at) = question(function, &loops, which as u32, blocks)
        {
            let Some(left) = moves.checked_sub(blocks.len()) else {
                break;
            };
            moves = left;
            blocks.rotate_left(at + 1);
        }
    }
    order
}

/// Whether the last block of a loop only jumps to the first.
fn leads_back(function: &Function, blocks: &[BlockId]) -> bool {
    let last = blocks[blocks.len() - 1];
    matches!(&function[last].exit, Exit::Jump(edge) if edge.to == blocks[0])
}

/// The first block of a loop that either leaves it or goes on with the block behind it.
fn question(function: &Function, loops: &Loops, which: u32, blocks: &[BlockId]) -> Option<usize> {
    let (first, last) = loops.ranges()[which as usize];
    let leaves = |edge: &Edge| {
        let ends = matches!(
            function[edge.to].exit,
            Exit::Return(_) | Exit::Trap(_) | Exit::TailCall(_)
        );
        ends || !(first..=last).contains(&edge.to)
    };
    (0..MOVED_MAX.min(blocks.len() - 1)).find(|&at| {
        let Exit::Branch(_, [yes, no]) = &function[blocks[at]].exit else {
            return false;
        };
        let (leaving, staying) = if leaves(yes) { (yes, no) } else { (no, yes) };
        loops.around(blocks[at]) == Some(which)
            && leaves(leaving)
            && !leaves(staying)
            && staying.to == blocks[at + 1]
    })
}

/// The heads of loops that jump by a table, by block.
pub(crate) fn dispatch_heads(function: &Function) -> Vec<bool> {
    let mut is_head = vec![false; function.blocks.len()];
    let is_table = |&block: &BlockId| matches!(function[block].exit, Exit::Table(..));
    let mut tables = function.block_ids().filter(is_table).peekable();
    if tables.peek().is_none() {
        return is_head;
    }
    let loops = Loops::of(function);
    for which in tables.filter_map(|block| loops.around(block)) {
        let (head, _) = loops.ranges()[which as usize];
        is_head[head.0 as usize] = true;
    }
    is_head
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opt::form::parse;

    #[test]
    fn the_innermost_loop_around_a_table_dispatches() {
        let text = "\
block0(v0: I32): depth 0
  jump block1()
block1: depth 1, a loop
  if v0 block1() else block2()
block2: depth 1, a loop
  jump block3()
block3: depth 2, a loop
  jump block4()
block4: depth 2
  table v0 [block3(), block5()]
block5: depth 1
  if v0 block2() else block6()
block6: depth 0
  table v0 [block7(), block7()]
block7: depth 0
  return (v0)
";
        let function = parse::parse(text).expect("a form");
        let heads = dispatch_heads(&function);
        let heads = (0..).zip(heads).filter_map(|(at, is)| is.then_some(at));
        assert_eq!(heads.collect::<Vec<u32>>(), [3]);
    }
}
