//! Bundles: values that are one variable of the source, to be given one register together.
//!
//! A parameter and its arguments become one when they are never live together, those of inner loops
//! first, so that the back edges of a loop need no moves. So do a result and the operand in whose place
//! its instruction leaves it. A bundle that finds no register is taken apart again.

use super::live::{LiveRanges, Range, lower, overlap};
use crate::opt::form::ir::{Function, Value};
use crate::opt::form::lists::Lists;
use core::cmp::Reverse;

/// Values with more ranges than this in all stay apart: joining them takes time.
const RANGES_MAX: usize = 256;

/// Values to be placed together, and the positions at which one of them is live.
pub(super) struct Bundles {
    /// The lowest member of each.
    firsts: Vec<Value>,
    members: Lists<Value>,
    /// The bundle of each value that is in one with others.
    union: Union,
}

impl Bundles {
    /// Puts every value of `count` that has a range into a bundle, those of which `stays_alone` is
    /// true into their own. Ascending by the lowest member.
    pub(super) fn of(
        count: usize,
        pairs: &Pairs,
        in_place: &InPlace,
        live: &LiveRanges,
        stays_alone: impl Fn(Value) -> bool,
    ) -> Bundles {
        let count = count as u32;
        let mut union = Union {
            parent: (0..count).collect(),
            joined: vec![(0, 0); count as usize],
            pool: Vec::with_capacity(count as usize),
            both: Vec::new(),
        };
        let joins = |value: Value| !live.of(value).is_empty() && !stays_alone(value);
        let mut edges = pairs.0.iter().peekable();
        for &(depth, result, operand) in &in_place.0 {
            while let Some(&(_, param, arg)) = edges.next_if(|edge| edge.0 >= depth) {
                if joins(param) && joins(arg) {
                    union.join(param, arg, live);
                }
            }
            if joins(result) && joins(operand) {
                union.join(result, operand, live);
            }
        }
        for &(_, param, arg) in edges {
            if joins(param) && joins(arg) {
                union.join(param, arg, live);
            }
        }
        let mut firsts = Vec::with_capacity(count as usize);
        let mut members = Vec::new();
        for value in (0..count).map(Value) {
            if live.of(value).is_empty() {
                continue;
            }
            // Roots are the lowest of their bundles.
            let root = union.root(value.0);
            if root == value.0 {
                firsts.push(value);
            }
            if union.joined[root as usize].1 != 0 {
                members.push((root, value));
            }
        }
        let members = Lists::of(count as usize, &members);
        Bundles {
            firsts,
            members,
            union,
        }
    }

    /// The lowest member of each bundle, by which they are known; ascending.
    pub(super) fn firsts(&self) -> &[Value] {
        &self.firsts
    }

    /// The values of the bundle with this lowest member; none when it is alone.
    pub(super) fn members(&self, first: Value) -> &[Value] {
        self.members.at(first.0)
    }

    /// The bundle that a value is in with others, or would be alone.
    pub(super) fn of_value(&self, value: Value) -> Value {
        Value(self.union.root_of(value.0))
    }

    /// Where one of the members is live.
    pub(super) fn ranges<'r>(&'r self, first: Value, live: &'r LiveRanges) -> &'r [Range] {
        self.union.ranges_of(first.0, live)
    }
}

/// Parameters with their arguments of the same type, those of the deepest loops first.
pub(super) struct Pairs(Vec<(u32, Value, Value)>);

impl Pairs {
    pub(super) fn of(function: &Function) -> Pairs {
        let mut pairs: Vec<(u32, Value, Value)> = Vec::new();
        for block in &function.blocks {
            for edge in block.exit.edges() {
                let params = &function[edge.to].params;
                let depth = block.loop_depth;
                let same_type = params
                    .iter()
                    .zip(&edge.args)
                    .filter(|&(&param, &arg)| function[param].ty == function[arg].ty);
                pairs.extend(same_type.map(|(&param, &arg)| (depth, param, arg)));
            }
        }
        deepest_first(&mut pairs);
        Pairs(pairs)
    }
}

/// Results with operands in whose place they come to be, in the order of [`Pairs`].
#[derive(Default)]
pub(super) struct InPlace(Vec<(u32, Value, Value)>);

impl InPlace {
    pub(super) fn of<'f>(
        function: &'f Function,
        live: &LiveRanges,
        in_place: impl Fn(Value) -> &'f [Value],
    ) -> InPlace {
        let mut pairs = Vec::new();
        for block in &function.blocks {
            for &node in &block.nodes {
                for &operand in in_place(node) {
                    if function[node].ty == function[operand].ty && follows(live, operand, node) {
                        pairs.push((block.loop_depth, node, operand));
                    }
                }
            }
        }
        deepest_first(&mut pairs);
        InPlace(pairs)
    }
}

fn deepest_first(pairs: &mut [(u32, Value, Value)]) {
    pairs.sort_by_key(|pair| Reverse(pair.0));
}

/// Whether one value lives until the other comes to be, both without a break.
fn follows(live: &LiveRanges, first: Value, second: Value) -> bool {
    matches!((live.of(first), live.of(second)), ([(_, end)], [(start, _)]) if end == start)
}

struct Union {
    parent: Vec<u32>,
    /// The ranges of roots that stand for several values: where they begin in `pool`, and how many.
    joined: Vec<(u32, u32)>,
    pool: Vec<Range>,
    /// Where two lists are put together.
    both: Vec<Range>,
}

impl Union {
    fn root(&mut self, mut value: u32) -> u32 {
        while self.parent[value as usize] != value {
            let above = self.parent[value as usize];
            self.parent[value as usize] = self.parent[above as usize];
            value = above;
        }
        value
    }

    fn root_of(&self, mut value: u32) -> u32 {
        while self.parent[value as usize] != value {
            value = self.parent[value as usize];
        }
        value
    }

    fn ranges_of<'r>(&'r self, root: u32, live: &'r LiveRanges) -> &'r [Range] {
        match self.joined[root as usize] {
            (_, 0) => live.of(Value(root)),
            (start, count) => &self.pool[start as usize..(start + count) as usize],
        }
    }

    fn join(&mut self, a: Value, b: Value, live: &LiveRanges) {
        let (a, b) = (self.root(a.0), self.root(b.0));
        if a == b {
            return;
        }
        let mut both = core::mem::take(&mut self.both);
        let (first, second) = (self.ranges_of(a, live), self.ranges_of(b, live));
        if first.len() + second.len() <= RANGES_MAX && !overlap(first, second) {
            merge(first, second, &mut both);
            let (kept, gone) = (a.min(b), a.max(b));
            // A list at the end of the pool gives way to the longer one, as in a chain of joins.
            for root in [a, b] {
                let (start, count) = self.joined[root as usize];
                if count != 0 && (start + count) as usize == self.pool.len() {
                    self.pool.truncate(start as usize);
                }
            }
            let start = self.pool.len() as u32;
            self.pool.extend_from_slice(&both);
            self.parent[gone as usize] = kept;
            self.joined[kept as usize] = (start, both.len() as u32);
        }
        self.both = both;
    }
}

/// Puts two ascending lists into one; is quick if one of them is short.
fn merge(first: &[Range], second: &[Range], both: &mut Vec<Range>) {
    let (short, mut long) = if first.len() < second.len() {
        (first, second)
    } else {
        (second, first)
    };
    both.clear();
    for &range in short {
        let (before, after) = long.split_at(lower(long, |other| other < range));
        append(before, both);
        append(&[range], both);
        long = after;
    }
    append(long, both);
}

/// Adds what follows, which has no two ranges that touch. The first may touch the last so far, or
/// begin with a block at whose predecessor's end that one ends: nothing is between these.
fn append(ranges: &[Range], both: &mut Vec<Range>) {
    let Some((&first, rest)) = ranges.split_first() else {
        return;
    };
    match both.last_mut() {
        Some(last) if first.0 - last.1 <= 1 => last.1 = first.1,
        _ => both.push(first),
    }
    both.extend_from_slice(rest);
}
