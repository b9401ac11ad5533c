//! Frame slots of spilled values.

use super::Fixed;
use super::bundle::{Bundles, InPlace};
use super::live::{Positions, Range, Uses};
use super::scan::Start;
use super::spill::{self, Spill};
use super::taken::Taken;
use crate::opt::back::select::Selected;
use crate::opt::form::ir::{BlockId, Op, Value};
use core::cmp::Reverse;
use std::collections::BinaryHeap;

/// Groups of slots in which a place is searched for; see [`Beyond`].
const GROUPS_MAX: usize = 4;

/// Where spilled values are defined, and read from their slots.
struct Scan<'f> {
    function: &'f Selected,
    spills: &'f [Spill],
    block: BlockId,
    uses: Uses,
}

impl Scan<'_> {
    fn is_spilled(&self, value: Value) -> bool {
        spill::is_spilled(self.function, self.spills, value)
    }

    fn define(&mut self, value: Value, at: u32) {
        if self.is_spilled(value) {
            self.uses.define(value, self.block, at);
        }
    }

    /// What a node reads from slots for those that are part of it.
    fn sunk_uses(&mut self, node: Value, at: u32) {
        let function = self.function;
        function.for_each_arg(node, |arg| {
            if self.function.is_sunk(arg) {
                match function[arg].op {
                    Op::Reload => self.uses.note(function[arg].args[0], self.block, at),
                    _ => self.sunk_uses(arg, at),
                }
            }
        });
    }

    fn node(&mut self, node: Value, at: u32) {
        if self.function.is_sunk(node) {
            return;
        }
        let function = self.function;
        match function[node].op {
            Op::Reload | Op::Call => {
                let (uses, block) = (&mut self.uses, self.block);
                function.for_each_arg(node, |arg| uses.note(arg, block, at));
            }
            _ => self.sunk_uses(node, at),
        }
    }

    fn exit(&mut self, at: u32) {
        let (uses, block) = (&mut self.uses, self.block);
        self.function
            .for_each_exit_arg(block, |arg| uses.note(arg, block, at));
        if let Some(cond) = self.function[block].exit.condition()
            && self.function.is_sunk(cond)
        {
            self.sunk_uses(cond, at);
        }
    }
}

fn uses(function: &Selected, positions: &Positions, spills: &[Spill]) -> Uses {
    let mut scan = Scan {
        function,
        spills,
        block: BlockId(0),
        uses: Uses::new(function.nodes.len()),
    };
    for block in function.block_ids() {
        scan.block = block;
        for &param in &function[block].params {
            scan.define(param, positions.start(block));
        }
        for (node, at, defined_at) in positions.nodes(function, block) {
            scan.node(node, at);
            scan.define(node, defined_at);
        }
        scan.exit(positions.exit(block));
    }
    scan.uses
}

/// Gives frame slots to the spilled values: shared by those that are never live together. Parameters
/// and their arguments have the same where that is possible, so that nothing is moved; what is used
/// most comes first, where short offsets reach.
pub(super) fn assign(
    function: &Selected,
    fixed: &Fixed<'_>,
    positions: &Positions,
    start: &Start,
    spills: &[Spill],
) -> (Vec<Option<u32>>, u32) {
    let count = function.nodes.len();
    let mut slots: Vec<Option<u32>> = vec![None; count];
    if spills.iter().all(|&spill| spill == Spill::No) {
        return (slots, 0);
    }
    let live = uses(function, positions, spills).ranges(function, &fixed.graph, positions);
    let bundles = Bundles::of(count, &fixed.pairs, &InPlace::default(), &live, |_| false);
    let mut frame = Frame {
        groups: Vec::new(),
        end: positions.end(),
        count: 0,
    };
    let mut order: Vec<(f32, &[Value])> = bundles
        .firsts()
        .iter()
        .map(|first| {
            let members = match bundles.members(*first) {
                [] => core::slice::from_ref(first),
                members => members,
            };
            let weights = members
                .iter()
                .map(|member| start.weights[member.0 as usize]);
            (weights.sum(), members)
        })
        .collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut beyond: Vec<(Range, &[Value])> = Vec::new();
    for (_, members) in order {
        let first = members[0];
        let ranges = bundles.ranges(first, &live);
        let is_wide = function[first].ty.slots() == 2;
        let hinted = members
            .iter()
            .flat_map(|member| start.hints.at(member.0))
            .filter_map(|other| slots[other.0 as usize])
            .find(|&slot| frame.is_free(slot, is_wide, ranges));
        let Some(slot) = hinted.or_else(|| frame.first_free(is_wide, ranges)) else {
            let whole = (ranges[0].0, ranges[ranges.len() - 1].1);
            beyond.push((whole, members));
            continue;
        };
        frame.take(slot, is_wide, ranges);
        for member in members {
            slots[member.0 as usize] = Some(slot);
        }
    }
    beyond.sort_by_key(|one| one.0);
    let mut others = Beyond::from(frame.count);
    for (range, members) in beyond {
        let slot = others.take(range, function[members[0]].ty.slots());
        for member in members {
            slots[member.0 as usize] = Some(slot);
        }
    }
    (slots, others.count)
}

/// Slots beyond those in which places are searched for. What is there has its slot from where it is
/// live first to where it is live last, so that a list of free ones is enough.
struct Beyond {
    count: u32,
    /// Free slots of values that take one, and of those that take two.
    free: [Vec<u32>; 2],
    /// What ends first, with its slot and how many it takes.
    taken: BinaryHeap<Reverse<(u32, u32, u32)>>,
}

impl Beyond {
    /// No slot before this one.
    fn from(count: u32) -> Beyond {
        Beyond {
            count,
            free: [Vec::new(), Vec::new()],
            taken: BinaryHeap::new(),
        }
    }

    /// A slot, or two, for a range that starts no earlier than those before it.
    fn take(&mut self, (start, end): Range, slots: u32) -> u32 {
        while let Some(&Reverse((ended, slot, slots))) = self.taken.peek()
            && ended <= start
        {
            self.taken.pop();
            self.free[slots as usize - 1].push(slot);
        }
        let slot = self.free[slots as usize - 1].pop().unwrap_or_else(|| {
            self.count += slots;
            self.count - slots
        });
        self.taken.push(Reverse((end, slot, slots)));
        slot
    }
}

/// What is taken of each slot, in groups of 64.
struct Frame {
    groups: Vec<Taken>,
    /// The position behind all others.
    end: u32,
    /// How many slots there are so far.
    count: u32,
}

impl Frame {
    /// The free slots of a group, or, for wide values, those with a free one above.
    fn free(&self, group: usize, is_wide: bool, ranges: &[Range]) -> u64 {
        let within = |group: usize| {
            let taken = self.groups.get(group);
            taken.map_or(0, |taken| taken.within(ranges, u64::MAX))
        };
        let taken = within(group);
        if is_wide {
            !(taken | taken >> 1 | within(group + 1) << 63)
        } else {
            !taken
        }
    }

    fn is_free(&self, slot: u32, is_wide: bool, ranges: &[Range]) -> bool {
        self.free(slot as usize / 64, is_wide, ranges) >> (slot % 64) & 1 == 1
    }

    /// None if all groups are full.
    fn first_free(&self, is_wide: bool, ranges: &[Range]) -> Option<u32> {
        let found = (0..self.groups.len()).find_map(|group| {
            let free = self.free(group, is_wide, ranges);
            (free != 0).then(|| 64 * group as u32 + free.trailing_zeros())
        });
        let is_room = self.groups.len() < GROUPS_MAX;
        found.or_else(|| is_room.then_some(64 * self.groups.len() as u32))
    }

    fn take(&mut self, slot: u32, is_wide: bool, ranges: &[Range]) {
        for slot in slot..=slot + u32::from(is_wide) {
            let group = slot as usize / 64;
            if group == self.groups.len() {
                self.groups.push(Taken::new(self.end));
            }
            self.groups[group].take(ranges, 1 << (slot % 64));
            self.count = self.count.max(slot + 1);
        }
    }
}
