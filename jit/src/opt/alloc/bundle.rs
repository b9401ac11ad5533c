//! Bundles: values that are one variable of the source, to be given one register together.
//!
//! A parameter and its arguments become one when they are never live together, those of inner loops
//! first, so that the ways around a loop need no moves. A bundle that finds no register is taken
//! apart again.

use super::live::{Ranges, overlap};
use crate::opt::ir::{Function, Value};

/// Values with more ranges than this in all stay apart: joining them takes time.
const RANGES_MAX: usize = 256;

/// Values to be placed together, and the positions at which one of them is live.
#[derive(Debug)]
pub(super) struct Bundle {
    pub(super) members: Vec<Value>,
    pub(super) ranges: Ranges,
}

/// Puts every value that has a range into a bundle, those of which `stays_alone` is true into their
/// own. Ascending by the lowest member.
pub(super) fn bundles<'f>(
    function: &Function,
    ranges: &[Ranges],
    in_place: impl Fn(Value) -> &'f [Value],
    stays_alone: impl Fn(Value) -> bool,
) -> Vec<Bundle> {
    let mut union = Union {
        parent: (0..function.nodes.len() as u32).collect(),
        joined: vec![None; function.nodes.len()],
        ranges,
    };
    for (param, arg) in pairs(function, ranges, in_place) {
        let joins = |value: Value| !ranges[value.0 as usize].is_empty() && !stays_alone(value);
        if joins(param) && joins(arg) && function[param].ty == function[arg].ty {
            union.join(param, arg);
        }
    }
    let mut place = vec![usize::MAX; function.nodes.len()];
    let mut bundles: Vec<Bundle> = Vec::new();
    for value in (0..function.nodes.len() as u32).map(Value) {
        if ranges[value.0 as usize].is_empty() {
            continue;
        }
        let root = union.root(value.0);
        let at = &mut place[root as usize];
        if *at == usize::MAX {
            *at = bundles.len();
            bundles.push(Bundle {
                members: Vec::new(),
                ranges: union.ranges_of(root).clone(),
            });
        }
        bundles[*at].members.push(value);
    }
    bundles
}

/// Parameters with their arguments, and results with operands in whose place they come to be; those
/// of the deepest loops first.
fn pairs<'f>(
    function: &Function,
    ranges: &[Ranges],
    in_place: impl Fn(Value) -> &'f [Value],
) -> Vec<(Value, Value)> {
    let mut pairs: Vec<(u32, Value, Value)> = Vec::new();
    for block in &function.blocks {
        for edge in block.exit.edges() {
            let params = &function[edge.to].params;
            let depth = block.loop_depth;
            pairs.extend(params.iter().zip(&edge.args).map(|(&p, &a)| (depth, p, a)));
        }
    }
    for block in &function.blocks {
        for &node in &block.nodes {
            for &operand in in_place(node) {
                if follows(ranges, operand, node) {
                    pairs.push((block.loop_depth, node, operand));
                }
            }
        }
    }
    pairs.sort_by_key(|pair| core::cmp::Reverse(pair.0));
    pairs
        .into_iter()
        .map(|(_, param, arg)| (param, arg))
        .collect()
}

/// Whether one value lives until the other comes to be, both without a break.
fn follows(ranges: &[Ranges], first: Value, second: Value) -> bool {
    let of = |value: Value| &ranges[value.0 as usize][..];
    matches!((of(first), of(second)), ([(_, end)], [(start, _)]) if end == start)
}

struct Union<'r> {
    parent: Vec<u32>,
    /// The ranges of roots that stand for several values.
    joined: Vec<Option<Ranges>>,
    ranges: &'r [Ranges],
}

impl Union<'_> {
    fn root(&mut self, mut value: u32) -> u32 {
        while self.parent[value as usize] != value {
            let above = self.parent[value as usize];
            self.parent[value as usize] = self.parent[above as usize];
            value = above;
        }
        value
    }

    fn ranges_of(&self, root: u32) -> &Ranges {
        let joined = self.joined[root as usize].as_ref();
        joined.unwrap_or(&self.ranges[root as usize])
    }

    fn join(&mut self, a: Value, b: Value) {
        let (a, b) = (self.root(a.0), self.root(b.0));
        if a == b {
            return;
        }
        let (first, second) = (self.ranges_of(a), self.ranges_of(b));
        if first.len() + second.len() > RANGES_MAX || overlap(first, second) {
            return;
        }
        let mut both: Ranges = first.iter().chain(second).copied().collect();
        both.sort_unstable();
        let (kept, gone) = (a.min(b), a.max(b));
        self.parent[gone as usize] = kept;
        self.joined[gone as usize] = None;
        self.joined[kept as usize] = Some(both);
    }
}
