//! One attempt at giving every value a register.
//!
//! The most urgent come first. A bundle that finds no register is taken apart, and its members wait
//! for their turn.

use super::bundle::{Bundles, InPlace};
use super::live::{LiveRanges, Range};
use super::scan::{NO_REGISTER, Registers, Start};
use super::spill::Spill;
use super::taken::Taken;
use super::{Fixed, Home};
use crate::interruption::Watch;
use crate::masm::{AluOp, IntUnary};
use crate::opt::form::ir::{Function, Node, Op, Value};
use std::collections::BinaryHeap;

/// One attempt.
pub(super) struct Round<'r> {
    live: &'r LiveRanges,
    start: &'r Start,
    registers: &'r Registers,
    watch: &'r Watch<'r>,
    /// The number of each value's register, or [`NO_REGISTER`].
    placed: Vec<u8>,
    /// Which registers are taken.
    taken: Taken,
}

impl<'r> Round<'r> {
    /// Nothing of `count` values is placed; positions end at `end`.
    pub(super) fn new(
        start: &'r Start,
        registers: &'r Registers,
        (count, end): (usize, u32),
        watch: &'r Watch<'r>,
    ) -> Round<'r> {
        Round {
            live: &start.live,
            start,
            registers,
            watch,
            placed: vec![NO_REGISTER; count],
            taken: Taken::new(end),
        }
    }

    pub(super) fn homes(&self) -> impl Iterator<Item = Home> {
        let home = |&number: &u8| self.registers.homes.get(number as usize).copied();
        self.placed
            .iter()
            .map(move |n| home(n).unwrap_or(Home::None))
    }

    /// Which register each value has, for the next round.
    pub(super) fn into_placed(self) -> Vec<u8> {
        self.placed
    }

    /// Leaves the values where the round before placed them, and gives registers to the others
    /// where that is possible without taking one away. Whether all found one, in time.
    pub(super) fn fit(&mut self, function: &Function, spills: &[Spill], before: &[u8]) -> bool {
        let mut waiting: Vec<Waiting> = Vec::new();
        for value in (0..self.placed.len() as u32).map(Value) {
            let ranges = self.live.of(value);
            if ranges.is_empty() {
                continue;
            }
            let number = before.get(value.0 as usize).copied();
            match number.filter(|&number| number != NO_REGISTER) {
                Some(number) => {
                    self.placed[value.0 as usize] = number;
                    self.taken.take(ranges, 1 << number);
                }
                None => waiting.push(self.alone(function, spills, value)),
            }
        }
        waiting.sort_unstable();
        waiting
            .into_iter()
            .rev()
            .all(|next| !self.watch.step() && self.place_alone(function, next.first()))
    }

    /// Gives registers; returns the values that found none. Stops when compilation is to end.
    pub(super) fn run(
        &mut self,
        function: &Function,
        spills: &[Spill],
        fixed: &Fixed<'_>,
    ) -> Vec<Value> {
        // What must find a register does not depend on others.
        let stays_alone = |value: Value| spills[value.0 as usize] == Spill::PerUse;
        let in_place = |node: Value| {
            let data = &function[node];
            // A sum with a constant gets to the register that it should be in from anywhere.
            let is_offset = matches!(data.op, Op::Alu(AluOp::Add, _))
                && function.constant(data.args[1]).is_some();
            let moves_freely = is_offset && !self.start.wishes.at(node.0).is_empty();
            let is_copy = matches!(data.op, Op::ExtendU | Op::Narrow);
            if is_copy || fixed.machine.target.two_address && !moves_freely {
                in_place(data)
            } else {
                &[]
            }
        };
        let in_place = InPlace::of(function, self.live, in_place);
        let count = self.placed.len();
        let bundles = Bundles::of(count, &fixed.pairs, &in_place, self.live, stays_alone);
        let mut together: Vec<Waiting> = bundles
            .firsts()
            .iter()
            .map(|&first| {
                let members = bundles.members(first);
                if members.is_empty() {
                    self.alone(function, spills, first)
                } else {
                    self.waiting(bundles.ranges(first, self.live), members, false)
                }
            })
            .collect();
        together.sort_unstable();
        // What was taken apart.
        let mut apart: BinaryHeap<Waiting> = BinaryHeap::new();
        let mut failed = Vec::new();
        while !self.watch.step() {
            if apart.peek() > together.last() {
                let first = apart.pop().expect("just seen").first();
                if !self.place_alone(function, first) {
                    failed.push(first);
                }
                continue;
            }
            let Some(next) = together.pop() else { break };
            let first = next.first();
            let members = bundles.members(first);
            if members.is_empty() {
                if !self.place_alone(function, first) {
                    failed.push(first);
                }
                continue;
            }
            let is_member = |value| value != Value::NONE && bundles.of_value(value) == first;
            if !self.place(
                function,
                members,
                bundles.ranges(first, self.live),
                is_member,
            ) {
                let members = members.iter();
                apart.extend(members.map(|&member| self.alone(function, spills, member)));
            }
        }
        failed.sort_unstable();
        failed
    }

    /// How urgently a value wants a register that is in no bundle with others.
    fn alone(&self, function: &Function, spills: &[Spill], value: Value) -> Waiting {
        let ranges = self.live.of(value);
        let is_short = length(ranges) <= 1 && function[value].op != Op::Reload;
        let is_atom = is_short || spills[value.0 as usize] == Spill::PerUse;
        self.waiting(ranges, &[value], is_atom)
    }

    fn waiting(&self, ranges: &[Range], members: &[Value], is_atom: bool) -> Waiting {
        let weight = |value: &Value| self.start.weights[value.0 as usize];
        let density = if is_atom {
            f32::INFINITY
        } else {
            members.iter().map(weight).sum::<f32>() / length(ranges) as f32
        };
        Waiting::new(density, members[0])
    }

    fn place_alone(&mut self, function: &Function, value: Value) -> bool {
        self.place(function, &[value], self.live.of(value), |other| {
            other == value
        })
    }

    fn place(
        &mut self,
        function: &Function,
        members: &[Value],
        ranges: &[Range],
        is_member: impl Fn(Value) -> bool,
    ) -> bool {
        let is_float = function[members[0]].ty.is_float();
        let mut candidates = self.registers.class(is_float);
        if self.start.calls.crossed_by(ranges) {
            candidates &= self.registers.saved;
        }
        candidates &= !self.taken.within(ranges, candidates);
        if candidates == 0 {
            return false;
        }
        let mut is_free = |number: u8| {
            if number == NO_REGISTER || candidates & (1 << number) == 0 {
                return false;
            }
            let is_forbidden = match self.registers.homes[number as usize] {
                Home::Gpr(gpr) => self.start.clobbered.forbids(gpr, &is_member, ranges),
                Home::Fpr(_) | Home::None => false,
            };
            if is_forbidden {
                candidates &= !(1 << number);
            }
            !is_forbidden
        };
        let mut wishes = members.iter().flat_map(|member| {
            let others = self.start.hints.at(member.0).iter();
            let places = others.map(|&other| self.placed[other.0 as usize]);
            self.start.wishes.at(member.0).iter().copied().chain(places)
        });
        let wished = wishes.find(|&number| is_free(number));
        let all = self.registers.homes.len() as u8;
        let Some(number) = wished.or_else(|| (0..all).find(|&number| is_free(number))) else {
            return false;
        };
        for &member in members {
            self.placed[member.0 as usize] = number;
        }
        self.taken.take(ranges, 1 << number);
        true
    }
}

/// The operands whose register the instruction for a node overwrites with the result, or may, as
/// they can be swapped.
pub(in crate::opt) fn in_place(node: &Node) -> &[Value] {
    match node.op {
        Op::Alu(op, _) if op.commutes() => &node.args[..2],
        Op::Float(op, _) if op.commutes() => &node.args[..2],
        Op::Select => &node.args[1..],
        Op::Alu(..)
        | Op::ExtendU
        | Op::Narrow
        | Op::IntUnary(IntUnary::SwapBytes, _)
        | Op::Float(..)
        | Op::VecBinary(_)
        | Op::VecShift(_)
        | Op::ReplaceLane(..)
        | Op::FloatReplaceLane(..) => &node.args[..1],
        _ => &[],
    }
}

fn length(ranges: &[Range]) -> u32 {
    ranges.iter().map(|range| range.1 - range.0).sum()
}

/// A bundle by its lowest member, and how urgently it wants a register.
///
/// As a number: densities are not negative, so that they are in the order of their bits. Of two
/// that are as urgent, the one that is defined first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Waiting(u64);

impl Waiting {
    fn new(density: f32, first: Value) -> Waiting {
        Waiting(u64::from(density.to_bits()) << 32 | u64::from(!first.0))
    }

    fn first(self) -> Value {
        Value(!(self.0 as u32))
    }
}
