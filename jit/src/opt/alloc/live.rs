//! Where each value is live: intervals of positions in the linear order of blocks.
//!
//! A block takes positions from [`Lines::start`] on: its parameters are defined there, node *i* uses
//! its operands at `start + 2 (i + 1)` and defines its result one later, and the end uses its
//! operands at [`Lines::exit`]. So an operand that dies and a result of one node can share a
//! register.

use crate::opt::ir::{BlockId, Function, Op, Value};
use std::collections::BTreeMap;

/// Positions of the blocks.
#[derive(Debug)]
pub(crate) struct Lines {
    starts: Vec<u32>,
}

impl Lines {
    pub(crate) fn of(function: &Function) -> Lines {
        let mut next = 0;
        let mut starts = Vec::with_capacity(function.blocks.len() + 1);
        for block in &function.blocks {
            starts.push(next);
            next += 2 * (block.nodes.len() as u32 + 2);
        }
        starts.push(next);
        Lines { starts }
    }

    pub(crate) fn start(&self, block: BlockId) -> u32 {
        self.starts[block.0 as usize]
    }

    /// Where node `i` of a block uses its operands.
    pub(crate) fn node(&self, block: BlockId, i: usize) -> u32 {
        self.start(block) + 2 * (i as u32 + 1)
    }

    pub(crate) fn exit(&self, block: BlockId) -> u32 {
        self.starts[block.0 as usize + 1] - 2
    }

    /// The first position behind a block.
    pub(crate) fn end(&self, block: BlockId) -> u32 {
        self.starts[block.0 as usize + 1]
    }
}

/// The positions at which a value is live: ascending, disjoint, half open.
pub(crate) type Ranges = Vec<(u32, u32)>;

/// What is asked of the live ranges: which values have one, and what nodes really use.
pub(crate) trait Uses {
    /// Whether a value needs a place while it is live.
    fn is_placed(&self, value: Value) -> bool;
    /// Calls `f` with every value that a node reads when it is emitted.
    fn node_uses(&self, node: Value, f: &mut dyn FnMut(Value));
    /// The same for the end of a block, arguments of edges included.
    fn exit_uses(&self, block: BlockId, f: &mut dyn FnMut(Value));
}

/// Computes the live ranges of all values.
pub(crate) fn ranges(function: &Function, lines: &Lines, uses: &dyn Uses) -> Vec<Ranges> {
    let count = function.nodes.len();
    // Last use per value and block, in the order of blocks.
    let mut used_in: Vec<Vec<(BlockId, u32)>> = vec![Vec::new(); count];
    let mut defined: Vec<(BlockId, u32)> = vec![(BlockId(u32::MAX), 0); count];
    for block in function.block_ids() {
        let data = &function[block];
        for &param in &data.params {
            defined[param.0 as usize] = (block, lines.start(block));
        }
        let mut note = |value: Value, at: u32| {
            let list = &mut used_in[value.0 as usize];
            match list.last_mut() {
                Some(last) if last.0 == block => last.1 = at,
                _ => list.push((block, at)),
            }
        };
        for (i, &node) in data.nodes.iter().enumerate() {
            let at = lines.node(block, i);
            uses.node_uses(node, &mut |value| note(value, at));
        }
        let at = lines.exit(block);
        uses.exit_uses(block, &mut |value| note(value, at));
        let mut call_at = 0;
        for (i, &node) in data.nodes.iter().enumerate() {
            let at = lines.node(block, i) + 1;
            if function[node].op == Op::Call {
                call_at = at;
            }
            // The results of a call come to be at once.
            let is_result = function[node].op == Op::CallResult;
            defined[node.0 as usize] = (block, if is_result { call_at } else { at });
        }
    }
    let mut predecessors: Vec<Vec<BlockId>> = vec![Vec::new(); function.blocks.len()];
    for block in function.block_ids() {
        for edge in function[block].exit.edges() {
            let list = &mut predecessors[edge.to.0 as usize];
            if list.last() != Some(&block) {
                list.push(block);
            }
        }
    }
    let mut ranges = vec![Ranges::new(); count];
    // Which value each block was last found to be live into, and out of.
    let mut live_in = vec![u32::MAX; function.blocks.len()];
    let mut work: Vec<BlockId> = Vec::new();
    for value in (0..count as u32).map(Value) {
        let (home, start) = defined[value.0 as usize];
        if home.0 == u32::MAX || !uses.is_placed(value) {
            continue;
        }
        let mut last_at_home = start + 1;
        let mut leaves_home = false;
        let list = &mut ranges[value.0 as usize];
        for &(block, at) in &used_in[value.0 as usize] {
            if block == home && at >= start {
                last_at_home = last_at_home.max(at + 1);
                continue;
            }
            list.push((lines.start(block), at + 1));
            if core::mem::replace(&mut live_in[block.0 as usize], value.0) != value.0 {
                work.push(block);
            }
        }
        while let Some(block) = work.pop() {
            for &from in &predecessors[block.0 as usize] {
                if from == home {
                    leaves_home = true;
                    continue;
                }
                list.push((lines.start(from), lines.end(from)));
                if core::mem::replace(&mut live_in[from.0 as usize], value.0) != value.0 {
                    work.push(from);
                }
            }
        }
        let end = if leaves_home {
            lines.end(home)
        } else {
            last_at_home
        };
        list.push((start, end));
        normalise(list);
    }
    ranges
}

/// Sorts ranges and joins those that touch.
fn normalise(ranges: &mut Ranges) {
    ranges.sort_unstable();
    let mut kept = 0;
    for i in 1..ranges.len() {
        let (start, end) = ranges[i];
        if start <= ranges[kept].1 {
            ranges[kept].1 = ranges[kept].1.max(end);
        } else {
            kept += 1;
            ranges[kept] = (start, end);
        }
    }
    ranges.truncate(kept + 1);
}

/// The positions at which a register or slot is taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken {
    /// Ends of ranges by their starts; they are disjoint.
    ranges: BTreeMap<u32, u32>,
}

impl Taken {
    pub(crate) fn is_free(&self, ranges: &Ranges) -> bool {
        ranges.iter().all(|&(start, end)| {
            let before = self.ranges.range(..end).next_back();
            before.is_none_or(|(_, &taken)| taken <= start)
        })
    }

    /// Takes ranges that are free.
    pub(crate) fn take(&mut self, ranges: &Ranges) {
        self.ranges.extend(ranges.iter().copied());
    }
}

/// Whether two lists of ranges have a position in common.
pub(crate) fn overlap(a: &[(u32, u32)], b: &[(u32, u32)]) -> bool {
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        if a[i].1 <= b[j].0 {
            i += 1;
        } else if b[j].1 <= a[i].0 {
            j += 1;
        } else {
            return true;
        }
    }
    false
}

/// Whether a value is live across one of these positions, of calls.
pub(crate) fn crosses(ranges: &[(u32, u32)], calls: &[u32]) -> bool {
    ranges.iter().any(|&(start, end)| {
        // A call at `c` is crossed when the value is live before and after it.
        let first = calls.partition_point(|&call| call < start);
        calls.get(first).is_some_and(|&call| call + 1 < end)
    })
}

/// Constants and pinned registers have no place of their own.
pub(crate) fn has_place(op: Op) -> bool {
    !matches!(
        op,
        Op::Const | Op::VectorConst | Op::Context | Op::MemoryBase
    )
}
