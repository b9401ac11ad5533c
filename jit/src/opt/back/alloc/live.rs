//! Where each value is live: intervals of positions in the linear order of blocks.
//!
//! A block takes positions from [`Positions::start`] on: its parameters are defined there, node *i* uses
//! its operands at `start + 2 (i + 1)` and defines its result one later, and the end uses its
//! operands at [`Positions::exit`]. So an operand that dies and a result of one node can share a
//! register.
//!
//! Most values are used in their own block only. For the others sets of bits flow backwards through
//! the blocks until nothing changes; what begins and ends to be live is then read off the sets of
//! one block after the other. Each set is of some values that are defined near each other, and
//! flows through the blocks only in which these may be live.
//!
//! Where that would take long, for there are many such values and many blocks, the others are said
//! to be live from their definition to their last use, or to the end of the outermost loop around a
//! use that they are not defined in: there may be places among these where they are not.

use crate::opt::form::ancestors::Ancestors;
use crate::opt::form::ir::{BlockId, Function, Op, Value};
use crate::opt::form::lists::Lists;
use crate::opt::form::loops::Loops;

/// Positions of the blocks.
#[derive(Debug)]
pub(crate) struct Positions {
    starts: Vec<u32>,
}

impl Positions {
    pub(crate) fn of(function: &Function) -> Positions {
        let mut next = 0;
        let mut starts = Vec::with_capacity(function.blocks.len() + 1);
        for block in &function.blocks {
            starts.push(next);
            next += 2 * (block.nodes.len() as u32 + 2);
        }
        starts.push(next);
        Positions { starts }
    }

    pub(crate) fn start(&self, block: BlockId) -> u32 {
        self.starts[block.0 as usize]
    }

    pub(crate) fn exit(&self, block: BlockId) -> u32 {
        self.starts[block.0 as usize + 1] - 2
    }

    /// The nodes of a block: where each uses its operands, and where its result comes to be.
    pub(crate) fn nodes<'f>(
        &self,
        function: &'f Function,
        block: BlockId,
    ) -> impl Iterator<Item = (Value, u32, u32)> + 'f {
        let mut at = self.start(block);
        let mut call_at = at;
        function[block].nodes.iter().map(move |&node| {
            at += 2;
            let from = match function[node].op {
                // The results of a call come to be at once.
                Op::CallResult => call_at,
                Op::Call => {
                    call_at = at;
                    at
                }
                _ => at,
            };
            (node, at, from + 1)
        })
    }

    /// The first position behind all blocks.
    pub(crate) fn end(&self) -> u32 {
        self.starts[self.starts.len() - 1]
    }
}

/// Positions from the first to before the second.
pub(crate) type Range = (u32, u32);

/// The positions at which each value is live: ascending, disjoint, half open, and not touching.
#[derive(Debug)]
pub(crate) struct LiveRanges {
    ranges: Lists<Range>,
}

impl LiveRanges {
    pub(crate) fn of(&self, value: Value) -> &[Range] {
        self.ranges.at(value.0)
    }
}

/// The edges between blocks.
#[derive(Debug)]
pub(crate) struct Graph {
    successors: Lists<u32>,
    /// Edges from blocks to those before them, or to themselves, in the order of the former.
    back_edges: Vec<(u32, u32)>,
    /// The last block that leads back to each.
    last_back_edge: Vec<u32>,
}

impl Graph {
    pub(crate) fn of(function: &Function) -> Graph {
        let count = function.blocks.len();
        let mut successors = Lists::with_capacity(count, 2 * count);
        let mut back_edges = Vec::new();
        let mut last_back_edge = vec![0; count];
        for block in function.block_ids() {
            for edge in function[block].exit.edges() {
                // Tables name few blocks often.
                let recent = successors.open().iter().rev().take(4);
                if recent.into_iter().any(|&other| other == edge.to.0) {
                    continue;
                }
                successors.push(edge.to.0);
                if edge.to <= block {
                    back_edges.push((block.0, edge.to.0));
                    last_back_edge[edge.to.0 as usize] = block.0;
                }
            }
            successors.close();
        }
        Graph {
            successors,
            back_edges,
            last_back_edge,
        }
    }
}

/// The last use of a value in a block that is not its own.
#[derive(Clone, Copy, Debug)]
struct Use {
    block: u32,
    value: Value,
    at: u32,
}

/// A value that is to get a range.
#[derive(Clone, Copy, Debug)]
struct Definition {
    block: BlockId,
    at: u32,
    /// Its last use in its block, or the definition.
    last: u32,
    /// The latest of its uses elsewhere.
    elsewhere: u32,
}

const NOWHERE: Definition = Definition {
    block: BlockId(u32::MAX),
    at: 0,
    last: 0,
    elsewhere: u32::MAX,
};

/// Definitions and uses, told in the order of positions, to find live ranges from.
#[derive(Debug)]
pub(crate) struct Uses {
    defined: Vec<Definition>,
    elsewhere: Vec<Use>,
}

impl Uses {
    /// Of this many values.
    pub(crate) fn new(count: usize) -> Uses {
        Uses {
            defined: vec![NOWHERE; count],
            elsewhere: Vec::with_capacity(count),
        }
    }

    /// A value that is to get a range is defined.
    pub(crate) fn define(&mut self, value: Value, block: BlockId, at: u32) {
        self.defined[value.0 as usize] = Definition {
            block,
            at,
            last: at,
            elsewhere: u32::MAX,
        };
    }

    /// A value is read; nothing happens if it gets no range.
    pub(crate) fn note(&mut self, value: Value, block: BlockId, at: u32) {
        let definition = &mut self.defined[value.0 as usize];
        if definition.block == block {
            definition.last = definition.last.max(at);
            return;
        }
        if definition.block == NOWHERE.block {
            return;
        }
        match self.elsewhere.get_mut(definition.elsewhere as usize) {
            Some(last) if last.block == block.0 => last.at = at,
            _ => {
                definition.elsewhere = self.elsewhere.len() as u32;
                let block = block.0;
                self.elsewhere.push(Use { block, value, at });
            }
        }
    }

    /// Computes the live ranges.
    pub(crate) fn ranges(
        self,
        function: &Function,
        graph: &Graph,
        positions: &Positions,
    ) -> LiveRanges {
        let Uses {
            mut defined,
            elsewhere,
        } = self;
        let count = defined.len();
        let mut ranges: Vec<(u32, Range)> = Vec::with_capacity(count);
        // Values that are used elsewhere: those that are soon dead, and others.
        let (mut near, mut far) = (Vec::new(), Vec::new());
        for block in &function.blocks {
            for &value in block.params.iter().chain(&block.nodes) {
                let definition = &defined[value.0 as usize];
                if let Some(last) = elsewhere.get(definition.elsewhere as usize) {
                    let is_near = last.block - definition.block.0 <= NEAR;
                    let list = if is_near { &mut near } else { &mut far };
                    list.push(value);
                } else if definition.block != NOWHERE.block {
                    ranges.push((value.0, (definition.at, definition.last + 1)));
                }
            }
        }
        if elsewhere.is_empty() {
            return LiveRanges {
                ranges: Lists::of(count, &ranges),
            };
        }
        let globals = near.iter().chain(&far);
        for (number, value) in globals.enumerate() {
            defined[value.0 as usize].elsewhere = number as u32;
        }
        let number = |one: &Use| {
            let number = defined[one.value.0 as usize].elsewhere;
            (number, (one.block, one.at))
        };
        let numbered: Vec<(u32, (u32, u32))> = elsewhere.iter().map(number).collect();
        let blocks = function.blocks.len();
        let mut flow = Flow {
            graph,
            positions,
            defined: &defined,
            uses: Lists::of(near.len() + far.len(), &numbered),
            live_in: vec![EMPTY; blocks],
            live_out: vec![EMPTY; blocks],
            own: vec![EMPTY; blocks],
        };
        let mut first = 0;
        // Blocks that sets may still flow through.
        let mut patience = BLOCKS_FREE + BLOCKS_PER_BLOCK * blocks;
        let mut roughly: Option<Roughly<'_>> = None;
        for values in near.chunks(SET_BITS).chain(far.chunks(SET_BITS)) {
            if !flow.run(values, first, &mut ranges, &mut patience) {
                let roughly = roughly.get_or_insert_with(|| Roughly::of(function, positions));
                for (number, &value) in (first..).zip(values) {
                    let definition = &defined[value.0 as usize];
                    let range = roughly.range(definition, flow.uses.at(number));
                    ranges.push((value.0, range));
                }
            }
            first += values.len() as u32;
        }
        LiveRanges {
            ranges: Lists::of(count, &ranges),
        }
    }
}

/// How many blocks behind its own the last block may be that uses a value which is soon dead.
const NEAR: u32 = 64;

/// How many blocks sets flow through at most: so many, and so many times those that there are.
const BLOCKS_FREE: usize = 1 << 20;
const BLOCKS_PER_BLOCK: usize = 4;

/// How many ranges the values of a set may have.
const SET_RANGES_MAX: usize = 1 << 16;

/// Values in a set.
const SET_BITS: usize = 64 * EMPTY.len();

/// A bit per value.
type Set = [u64; 4];

const EMPTY: Set = [0; 4];

/// What is needed to find where the values are live that are used in several blocks.
struct Flow<'f> {
    graph: &'f Graph,
    positions: &'f Positions,
    defined: &'f [Definition],
    /// The block and the position of the last use there, by the number of the value.
    uses: Lists<(u32, u32)>,
    /// Of each block; empty between two runs, as are the next two.
    live_in: Vec<Set>,
    live_out: Vec<Set>,
    /// What each block defines.
    own: Vec<Set>,
}

impl Flow<'_> {
    /// Adds the ranges of some values, which are numbered from `first` on; takes the blocks that
    /// these may be live in from `patience`. False, and nothing, if that is not enough, or if there
    /// would be too many ranges.
    fn run(
        &mut self,
        values: &[Value],
        first: u32,
        ranges: &mut Vec<(u32, Range)>,
        patience: &mut usize,
    ) -> bool {
        if *patience == 0 {
            return false;
        }
        let mut start = u32::MAX;
        let mut last = 0;
        for (bit, &value) in values.iter().enumerate() {
            let block = self.defined[value.0 as usize].block.0;
            start = start.min(block);
            self.own[block as usize][bit / 64] |= 1 << (bit % 64);
            for &(block, _) in self.uses.at(first + bit as u32) {
                last = last.max(block);
                self.live_in[block as usize][bit / 64] |= 1 << (bit % 64);
            }
        }
        // What is live in a loop, but not from it, is live until its end.
        let mut block = start + 1;
        while block <= last {
            last = last.max(self.graph.last_back_edge[block as usize]);
            block += 1;
        }
        *patience = patience.saturating_sub((last - start) as usize + 1);
        let before = ranges.len();
        let is_done = *patience > 0 && {
            self.backwards(start, last);
            self.read(values, first, (start, last), ranges)
        };
        if !is_done {
            ranges.truncate(before);
        }
        let blocks = start as usize..=last as usize;
        for sets in [&mut self.live_in, &mut self.live_out, &mut self.own] {
            sets[blocks.clone()].fill(EMPTY);
        }
        is_done
    }

    /// Finds what is live in the blocks from `start` to `last`.
    fn backwards(&mut self, start: u32, last: u32) {
        let back_edges = &self.graph.back_edges;
        let from = back_edges.partition_point(|edge| edge.0 < start);
        let to = back_edges.partition_point(|edge| edge.0 <= last);
        let back_edges = &back_edges[from..to];
        loop {
            for block in (start..=last).rev() {
                let mut out = EMPTY;
                for &to in self.graph.successors.at(block) {
                    if (start..=last).contains(&to) {
                        let live = &self.live_in[to as usize];
                        out.iter_mut()
                            .zip(live)
                            .for_each(|(out, live)| *out |= live);
                    }
                }
                let live = &mut self.live_in[block as usize];
                let own = &self.own[block as usize];
                for ((live, out), own) in live.iter_mut().zip(&out).zip(own) {
                    *live |= out & !own;
                }
                self.live_out[block as usize] = out;
            }
            // Back edges bring what is live in a loop's header to blocks behind it.
            let is_known = |&(from, to): &(u32, u32)| {
                let (live, out) = (&self.live_in[to as usize], &self.live_out[from as usize]);
                live.iter().zip(out).all(|(live, out)| live & !out == 0)
            };
            if back_edges
                .iter()
                .filter(|edge| edge.1 >= start)
                .all(is_known)
            {
                return;
            }
        }
    }

    /// Walks over the blocks and notes where each value begins and ends to be live, unless that is
    /// too often.
    fn read(
        &self,
        values: &[Value],
        first: u32,
        (start, last): (u32, u32),
        ranges: &mut Vec<(u32, Range)>,
    ) -> bool {
        let most = ranges.len() + SET_RANGES_MAX;
        // Since when each is live, and how many of its uses lie behind.
        let mut since = [0_u32; SET_BITS];
        let mut used = [0_u32; SET_BITS];
        let mut open = EMPTY;
        for block in start..=last {
            if ranges.len() > most {
                return false;
            }
            let (live, out) = (
                &self.live_in[block as usize],
                &self.live_out[block as usize],
            );
            let own = &self.own[block as usize];
            let at = self.positions.starts[block as usize];
            for word in 0..open.len() {
                let begin = 64 * word;
                each_bit(open[word] & !live[word], |bit| {
                    ranges.push((values[begin + bit].0, (since[begin + bit], at)));
                });
                each_bit(live[word] & !open[word], |bit| since[begin + bit] = at);
                each_bit(live[word] & !out[word], |bit| {
                    let bit = begin + bit;
                    let uses = self.uses.at(first + bit as u32);
                    let used = &mut used[bit];
                    while uses[*used as usize].0 < block {
                        *used += 1;
                    }
                    let end = uses[*used as usize].1 + 1;
                    ranges.push((values[bit].0, (since[bit], end)));
                });
                // They are live at the end, or nothing could use them elsewhere.
                each_bit(own[word], |bit| {
                    let definition = &self.defined[values[begin + bit].0 as usize];
                    since[begin + bit] = definition.at;
                });
                open[word] = out[word];
            }
        }
        let end = self.positions.starts[last as usize + 1];
        for (word, &open) in open.iter().enumerate() {
            each_bit(open, |bit| {
                let bit = 64 * word + bit;
                ranges.push((values[bit].0, (since[bit], end)));
            });
        }
        true
    }
}

/// Finds one range for each value.
struct Roughly<'f> {
    positions: &'f Positions,
    loops: Loops,
    /// Loops around loops.
    nest: Ancestors,
}

impl Roughly<'_> {
    fn of<'f>(function: &Function, positions: &'f Positions) -> Roughly<'f> {
        let loops = Loops::of(function);
        let count = loops.ranges().len() as u32;
        let mut nest = Ancestors::new(count as usize);
        for which in 0..count {
            if let Some(parent) = loops.parent(which) {
                nest.put(which, parent);
            }
        }
        Roughly {
            positions,
            loops,
            nest,
        }
    }

    /// From a definition to the last of its uses in other blocks, or in a loop around one of these.
    fn range(&self, definition: &Definition, uses: &[(u32, u32)]) -> Range {
        let mut end = definition.last + 1;
        for &(block, at) in uses {
            end = end.max(at + 1);
            // The definition comes before the header of loops that it is not in.
            let is_outside = |which: u32| {
                let (header, _) = self.loops.ranges()[which as usize];
                header > definition.block
            };
            if let Some(around) = self.loops.around(BlockId(block))
                && is_outside(around)
            {
                let outermost = self.nest.last(around, is_outside);
                let (_, last) = self.loops.ranges()[outermost as usize];
                end = end.max(self.positions.starts[last.0 as usize + 1]);
            }
        }
        (definition.at, end)
    }
}

fn each_bit(mut word: u64, mut f: impl FnMut(usize)) {
    while word != 0 {
        f(word.trailing_zeros() as usize);
        word &= word - 1;
    }
}

/// Whether two lists of ranges have a position in common; is quick if one of them is short.
pub(crate) fn overlap(a: &[Range], b: &[Range]) -> bool {
    let (short, mut long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    for &(start, end) in short {
        long = &long[lower(long, |other| other.1 <= start)..];
        match long.first() {
            Some(next) if next.0 < end => return true,
            Some(_) => {}
            None => return false,
        }
    }
    false
}

/// How many ranges come before all others, looking far only if there are many.
pub(crate) fn lower(ranges: &[Range], is_before: impl Fn(Range) -> bool) -> usize {
    let mut step = 1;
    while step < ranges.len() && is_before(ranges[step - 1]) {
        step *= 2;
    }
    let first = step / 2;
    let last = step.min(ranges.len());
    first + ranges[first..last].partition_point(|&range| is_before(range))
}

/// The positions of calls, ascending.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    positions: Vec<u32>,
}

impl Calls {
    /// Adds a call behind all others.
    pub(crate) fn push(&mut self, at: u32) {
        self.positions.push(at);
    }

    /// Whether a value that is live in these ranges is so across a call: before and after it.
    pub(crate) fn crossed_by(&self, ranges: &[Range]) -> bool {
        ranges.iter().any(|&(start, end)| {
            let first = self.positions.partition_point(|&at| at < start);
            // At the last position it is not live after a call.
            self.positions.get(first).is_some_and(|&at| at < end - 1)
        })
    }
}

/// Constants and pinned registers have no place of their own.
pub(crate) fn has_place(op: Op) -> bool {
    !matches!(
        op,
        Op::Const | Op::VectorConst | Op::Context | Op::MemoryBase
    )
}
