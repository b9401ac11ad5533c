//! Which blocks lie on every path from the entry to another.
//!
//! Source: Cooper, Harvey and Kennedy, A Simple, Fast Dominance Algorithm, 2001; but that the common
//! ancestor of two blocks is not searched for step by step, of which there would be as many as blocks
//! where many lead to one.

use super::ancestors::Ancestors;
use super::ir::{BlockId, Function};

/// The tree of immediate dominators, as a walk of it.
pub(crate) struct Dominators {
    /// The number of each block in a walk of the tree, and that behind the last one below it.
    spans: Vec<(u32, u32)>,
}

impl Dominators {
    /// Blocks are numbered so that each comes after those that dominate it, and back edges lead to
    /// loop headers only; so one pass over the forward edges is enough.
    pub(crate) fn of(function: &Function) -> Dominators {
        let count = function.blocks.len();
        let mut parents = vec![u32::MAX; count];
        parents[0] = 0;
        let mut tree = Ancestors::new(count);
        for from in 0..count as u32 {
            if parents[from as usize] == u32::MAX {
                continue;
            }
            if from != 0 {
                tree.put(from, parents[from as usize]);
            }
            for edge in function.blocks[from as usize].exit.edges() {
                let to = edge.to.0;
                if to <= from {
                    continue;
                }
                let before = parents[to as usize];
                parents[to as usize] = if before == u32::MAX {
                    from
                } else {
                    tree.common(before, from)
                };
            }
        }
        // How many blocks each dominates, itself included: parents come first.
        let mut sizes = vec![1_u32; count];
        for block in (1..count).rev() {
            if parents[block] != u32::MAX {
                sizes[parents[block] as usize] += sizes[block];
            }
        }
        let mut spans = vec![(u32::MAX, 0); count];
        // The next free number among those of each.
        let mut next = vec![0; count];
        for block in 0..count {
            let first = match (block, parents[block]) {
                (_, u32::MAX) => continue,
                (0, _) => 0,
                (_, parent) => {
                    let next = &mut next[parent as usize];
                    let first = *next;
                    *next += sizes[block];
                    first
                }
            };
            spans[block] = (first, first + sizes[block]);
            next[block] = first + 1;
        }
        Dominators { spans }
    }

    /// Whether every path to `b` leads through `a`; a block dominates itself.
    pub(crate) fn dominates(&self, a: BlockId, b: BlockId) -> bool {
        let (first, last) = self.spans[a.0 as usize];
        let at = self.spans[b.0 as usize].0;
        first <= at && at < last
    }
}
