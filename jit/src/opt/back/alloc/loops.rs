//! The loops in which values may stay in registers that calls overwrite.

use crate::opt::form::ir::{BlockId, Function, Op};
use crate::opt::form::predecessors::Predecessors;

/// A loop without calls that is in no other such loop.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct CallFreeLoop {
    pub(super) header: BlockId,
    /// The one block outside that leads to the header.
    pub(super) before: BlockId,
}

/// How many blocks are looked at in search of loops, per block that there is: those of deep nests
/// belong to many loops.
const LOOKS_PER_BLOCK: usize = 64;

/// Which blocks are in such loops.
#[derive(Debug)]
pub(super) struct CallFreeLoops {
    of_block: Vec<Option<CallFreeLoop>>,
}

impl CallFreeLoops {
    pub(super) fn of(function: &Function) -> CallFreeLoops {
        let count = function.blocks.len();
        let mut loops = CallFreeLoops {
            of_block: vec![None; count],
        };
        if !function.has_loops() {
            return loops;
        }
        let predecessors = Predecessors::of(function);
        let is_call = |block: BlockId| {
            let mut nodes = function[block].nodes.iter();
            nodes.any(|&node| function[node].op == Op::Call)
        };
        let mut seen = vec![BlockId(u32::MAX); count];
        let mut looks = LOOKS_PER_BLOCK * count;
        // Outer loops come first: those in them are done when these are.
        for header in function.block_ids() {
            if !function[header].is_loop_header || loops.of_block[header.0 as usize].is_some() {
                continue;
            }
            let from = predecessors.to(header).iter().map(|edge| edge.0);
            let mut outside = from.clone().filter(|&block| block < header);
            let (Some(before), None) = (outside.next(), outside.next()) else {
                continue;
            };
            let back = from.filter(|&block| block >= header).collect();
            let Some(body) = body(header, back, &predecessors, &mut seen) else {
                continue;
            };
            looks = looks.saturating_sub(body.len());
            if looks == 0 {
                break;
            }
            if body.iter().any(|&block| is_call(block)) {
                continue;
            }
            for block in body {
                loops.of_block[block.0 as usize] = Some(CallFreeLoop { header, before });
            }
        }
        loops
    }

    /// The outermost loop without calls that a block is in.
    pub(super) fn around(&self, block: BlockId) -> Option<CallFreeLoop> {
        self.of_block[block.0 as usize]
    }
}

/// The blocks from which the header is reached again. `None` when an edge leads in elsewhere.
fn body(
    header: BlockId,
    mut work: Vec<BlockId>,
    predecessors: &Predecessors,
    seen: &mut [BlockId],
) -> Option<Vec<BlockId>> {
    let mut body = vec![header];
    seen[header.0 as usize] = header;
    while let Some(block) = work.pop() {
        if core::mem::replace(&mut seen[block.0 as usize], header) == header {
            continue;
        }
        if block < header {
            return None;
        }
        body.push(block);
        work.extend(predecessors.to(block).iter().map(|edge| edge.0));
    }
    Some(body)
}
