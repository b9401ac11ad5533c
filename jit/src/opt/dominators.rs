//! Which blocks lie on every way from the entry to another.
//!
//! Source: Cooper, Harvey and Kennedy, A Simple, Fast Dominance Algorithm, 2001.

use super::ir::{BlockId, Function};

/// The tree of immediate dominators, as a walk of it.
pub(super) struct Dominators {
    /// First and last number of each block in a walk of the tree.
    spans: Vec<(u32, u32)>,
}

impl Dominators {
    /// Blocks are numbered so that each comes after those that dominate it, and ways back lead to
    /// loop headers only; so one pass over the forward edges is enough.
    pub(super) fn of(function: &Function) -> Dominators {
        let count = function.blocks.len();
        let mut parents = vec![u32::MAX; count];
        parents[0] = 0;
        for from in 0..count as u32 {
            if parents[from as usize] == u32::MAX {
                continue;
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
                    common(&parents, before, from)
                };
            }
        }
        let mut children = vec![Vec::new(); count];
        for (block, &parent) in parents.iter().enumerate().skip(1) {
            if parent != u32::MAX {
                children[parent as usize].push(block as u32);
            }
        }
        let mut spans = vec![(u32::MAX, 0); count];
        let mut next = 0;
        let mut open: Vec<(u32, usize)> = vec![(0, 0)];
        while let Some((block, child)) = open.pop() {
            if child == 0 {
                spans[block as usize].0 = next;
                next += 1;
            }
            match children[block as usize].get(child) {
                Some(&inner) => open.extend([(block, child + 1), (inner, 0)]),
                None => spans[block as usize].1 = next,
            }
        }
        Dominators { spans }
    }

    /// Whether every way to `b` leads through `a`; a block dominates itself.
    pub(super) fn dominates(&self, a: BlockId, b: BlockId) -> bool {
        let (first, last) = self.spans[a.0 as usize];
        let at = self.spans[b.0 as usize].0;
        first <= at && at < last
    }
}

/// The nearest block that dominates both.
fn common(parents: &[u32], mut a: u32, mut b: u32) -> u32 {
    while a != b {
        if a > b {
            a = parents[a as usize];
        } else {
            b = parents[b as usize];
        }
    }
    a
}
