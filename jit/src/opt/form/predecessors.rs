//! Which edges lead to each block, in one array.

use super::ir::{BlockId, Function};

/// The edges that lead to each block.
pub(crate) struct Predecessors {
    /// Those to a block lie from `starts[block]` to `starts[block + 1]`: a block, and which edge of
    /// its exit.
    edges: Vec<(BlockId, u32)>,
    starts: Vec<u32>,
}

impl Predecessors {
    pub(crate) fn of(function: &Function) -> Predecessors {
        let count = function.blocks.len();
        let mut starts = vec![0_u32; count + 1];
        for block in &function.blocks {
            for edge in block.exit.edges() {
                starts[edge.to.0 as usize + 1] += 1;
            }
        }
        for block in 0..count {
            starts[block + 1] += starts[block];
        }
        let mut next = starts.clone();
        let mut edges = vec![(BlockId(0), 0); starts[count] as usize];
        for from in function.block_ids() {
            for (i, edge) in function[from].exit.edges().iter().enumerate() {
                let at = &mut next[edge.to.0 as usize];
                edges[*at as usize] = (from, i as u32);
                *at += 1;
            }
        }
        Predecessors { edges, starts }
    }

    /// The edges to a block, in the order of the blocks that they come from.
    pub(crate) fn to(&self, block: BlockId) -> &[(BlockId, u32)] {
        let at = block.0 as usize;
        &self.edges[self.starts[at] as usize..self.starts[at + 1] as usize]
    }
}
