//! Which blocks are reached by throwing only, or are known to run seldom: they come behind the others,
//! and count for little.

use crate::opt::form::ir::{BlockId, Exit, Function};

/// The blocks that are reached from landing pads only, and those that are rare.
#[derive(Debug)]
pub(crate) struct Unlikely {
    /// Of each block; none where no block is.
    is_unlikely: Vec<bool>,
}

impl Unlikely {
    pub(crate) fn of(function: &Function) -> Unlikely {
        let blocks = function.blocks.iter();
        if !function.catches {
            let is_unlikely = match blocks.clone().any(|block| block.is_rare) {
                true => blocks.map(|block| block.is_rare).collect(),
                false => Vec::new(),
            };
            return Unlikely { is_unlikely };
        }
        let mut is_unlikely = vec![true; function.blocks.len()];
        is_unlikely[0] = false;
        // Back edges lead from blocks that are as unlikely as the loop's header, if not more so.
        for block in function.block_ids() {
            if is_unlikely[block.0 as usize] {
                continue;
            }
            let edges = function[block].exit.edges();
            let usual = match function[block].exit {
                Exit::Invoke(_) => &edges[..1],
                _ => edges,
            };
            for edge in usual {
                is_unlikely[edge.to.0 as usize] = function[edge.to].is_rare;
            }
        }
        Unlikely { is_unlikely }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.is_unlikely.is_empty()
    }

    pub(crate) fn contains(&self, block: BlockId) -> bool {
        self.is_unlikely.get(block.0 as usize) == Some(&true)
    }

    /// Puts these blocks behind the others, which stay in order as they do.
    pub(crate) fn move_behind(&self, order: &mut [BlockId]) {
        order.sort_by_key(|&block| self.contains(block));
    }

    /// How often a block runs: as was counted, else as far as can be seen, where a loop counts ten times what is
    /// outside.
    pub(crate) fn weight(&self, function: &Function, block: BlockId) -> f32 {
        if let Some(often) = function[block].often {
            return often.clamp(1e-3, 1e6);
        }
        let often = 10_f32.powi(function[block].loop_depth.min(6) as i32);
        if self.contains(block) {
            often / 1000.0
        } else {
            often
        }
    }
}
