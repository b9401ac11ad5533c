//! Which blocks make up each loop.
//!
//! Back edges lead to loop headers only, and blocks are in an order in which all others lead onwards
//! and loops are in one piece. So a loop is a range: from its header to the last block that leads
//! back to it, or to the end of a loop inside of it, whichever is later. Blocks in the range that
//! cannot reach the header any more are counted in; to what is asked of loops that does no harm.

use super::ir::{BlockId, Function};

/// The loops of a function, outer ones before those inside of them.
#[derive(Default)]
pub(crate) struct Loops {
    /// First and last block of each.
    ranges: Vec<(BlockId, BlockId)>,
    /// The loop that each block is the header of; empty without loops.
    by_header: Vec<Option<u32>>,
    /// The loop around each.
    parents: Vec<Option<u32>>,
    /// The innermost loop around each block; empty without loops.
    innermost: Vec<Option<u32>>,
}

impl Loops {
    pub(crate) fn of(function: &Function) -> Loops {
        let count = function.blocks.len();
        if !function.has_loops() {
            return Loops::default();
        }
        let mut last: Vec<Option<u32>> = vec![None; count];
        for from in function.block_ids() {
            for edge in function[from].exit.edges() {
                if edge.to <= from {
                    last[edge.to.0 as usize] = Some(from.0);
                }
            }
        }
        // From the innermost outwards; on the stack are loops that none of those seen contains.
        let mut ranges = Vec::new();
        let mut stack: Vec<(u32, u32)> = Vec::new();
        for header in (0..count as u32).rev() {
            let Some(mut end) = last[header as usize] else {
                continue;
            };
            while let Some(&(inner, inner_end)) = stack.last()
                && inner <= end
            {
                end = end.max(inner_end);
                stack.pop();
            }
            stack.push((header, end));
            ranges.push((BlockId(header), BlockId(end)));
        }
        ranges.reverse();
        let mut by_header = vec![None; count];
        for (i, range) in ranges.iter().enumerate() {
            by_header[range.0.0 as usize] = Some(i as u32);
        }
        let mut parents = Vec::with_capacity(ranges.len());
        let mut innermost = Vec::with_capacity(count);
        let mut open: Vec<u32> = Vec::new();
        for block in (0..count as u32).map(BlockId) {
            while open
                .last()
                .is_some_and(|&which| ranges[which as usize].1 < block)
            {
                open.pop();
            }
            if let Some(which) = by_header[block.0 as usize] {
                parents.push(open.last().copied());
                open.push(which);
            }
            innermost.push(open.last().copied());
        }
        Loops {
            ranges,
            by_header,
            parents,
            innermost,
        }
    }

    /// The innermost loop around a block, by its number in [`Self::ranges`].
    pub(crate) fn around(&self, block: BlockId) -> Option<u32> {
        self.innermost.get(block.0 as usize).copied().flatten()
    }

    /// The loop around a loop.
    pub(crate) fn parent(&self, which: u32) -> Option<u32> {
        self.parents[which as usize]
    }

    /// First and last block of each loop.
    pub(crate) fn ranges(&self) -> &[(BlockId, BlockId)] {
        &self.ranges
    }

    /// The last block of the loop with this header.
    pub(crate) fn end(&self, header: BlockId) -> Option<BlockId> {
        let which = (*self.by_header.get(header.0 as usize)?)?;
        Some(self.ranges[which as usize].1)
    }
}

/// How often blocks write each class of memory: sums over all blocks before each, so that a range
/// costs two look-ups. None without loops, which are what is asked for.
pub(crate) struct Writes {
    sums: Vec<[u32; 4]>,
}

impl Writes {
    pub(crate) fn of(function: &Function) -> Writes {
        if !function.has_loops() {
            return Writes { sums: Vec::new() };
        }
        let mut sum = [0_u32; 4];
        let mut sums = Vec::with_capacity(function.blocks.len() + 1);
        sums.push(sum);
        for block in &function.blocks {
            for &node in &block.nodes {
                let written = super::memory::written(function, node);
                for (count, is_written) in sum.iter_mut().zip(written) {
                    *count += u32::from(is_written);
                }
            }
            sums.push(sum);
        }
        Writes { sums }
    }

    /// Which classes the blocks from `first` to `last` write, in the order of
    /// [`super::memory::CLASSES`].
    pub(crate) fn within(&self, first: BlockId, last: BlockId) -> [bool; 4] {
        let (before, after) = (self.sums[first.0 as usize], self.sums[last.0 as usize + 1]);
        core::array::from_fn(|class| before[class] != after[class])
    }
}
