//! Register allocation on SSA form.
//!
//! Values are given registers in the order of their weight: how often they are defined and used,
//! loops counted, per position at which they are live. A value that finds no register free for all
//! of its life is *spilled*: it is stored once, where it is defined, and its uses read it again by
//! [`Op::Reload`] nodes, which are values like others and are allocated in the next round ([`spill`]).
//! Operands of calls, of returns and of edges are read from where they are and need no register.
//!
//! Every value has one place for its whole life, and never a register shared with another that is
//! live: [`check`] replays that.

mod bundle;
pub(crate) mod check;
mod fixed;
pub(crate) mod live;
mod loops;
mod slots;
mod spill;

use super::ir::{BlockId, Function, Node, Op, Ty, Value};
use crate::abi::Place;
use crate::masm::{AluOp, Clobber, FixedRoles, Fpr, Gpr, RegisterFile};
use bundle::Bundle;
use core::cmp::{Ordering, Reverse};
use fixed::Clobbered;
pub(crate) use fixed::clobbers;
use live::{Lines, Ranges, Taken, Uses, crosses, has_place};
use loops::Loops;
use spill::Spill;
use std::collections::BinaryHeap;

/// Where a value is during its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Home {
    /// It needs none, or is spilled.
    None,
    Gpr(Gpr),
    Fpr(Fpr),
}

/// The outcome.
#[derive(Debug)]
pub(crate) struct Allocation {
    /// Register of each value.
    pub(crate) homes: Vec<Home>,
    /// First frame slot of each spilled value.
    pub(crate) slots: Vec<Option<u32>>,
    pub(crate) slot_count: u32,
    /// The registers of the caller that are used.
    pub(crate) saved: Vec<Gpr>,
}

/// What the allocator is to know of the instruction set, and of the function.
#[derive(Clone, Copy)]
pub(crate) struct Machine<'m> {
    pub(crate) file: &'m RegisterFile,
    /// What operations do to rare registers.
    pub(crate) clobbers: &'m dyn Fn(FixedRoles) -> &'static [Clobber],
    /// Whether results take the place of an operand.
    pub(crate) two_address: bool,
    /// Whether operands in memory are as good as registers.
    pub(crate) folds_loads: bool,
    /// Where the function's parameters arrive.
    pub(crate) params: &'m [Place],
}

/// What restricts the allocator, in tests.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    /// Only this many registers of each class.
    pub(crate) registers: Option<usize>,
    /// Spill everything that can be spilled.
    pub(crate) spill_all: bool,
}

/// Rounds after which a function is left to the baseline compiler; a handful is usual.
const ROUNDS_MAX: u32 = 32;

/// Allocates; adds reloads to the function. `sunk` says which comparisons are emitted where they
/// are used. `None` when it does not come to an end.
pub(crate) fn allocate(
    function: &mut Function,
    sunk: &mut Vec<bool>,
    machine: Machine<'_>,
    limits: Limits,
) -> Option<Allocation> {
    let mut spills = vec![Spill::No; function.nodes.len()];
    let loops = Loops::of(function);
    if limits.spill_all {
        let all: Vec<Value> = spill::spillable(function, sunk);
        for &value in &all {
            spills[value.0 as usize] = Spill::PerUse;
        }
        spill::rewrite(function, sunk, &mut spills, &all, machine, &loops);
    }
    for _ in 0..ROUNDS_MAX {
        let lines = Lines::of(function);
        let uses = InRegisters {
            function,
            sunk,
            spills: &spills,
        };
        let ranges = live::ranges(function, &lines, &uses);
        let mut round = Round::new(function, &lines, &ranges, machine, limits);
        let failed = round.run(function, sunk, &spills);
        if failed.is_empty() {
            let homes = round.homes;
            let (slots, slot_count) = slots::assign(function, &lines, sunk, &spills);
            let used = |gpr: &&Gpr| homes.contains(&Home::Gpr(**gpr));
            let saved = machine.file.saved.iter().filter(used).copied().collect();
            return Some(Allocation {
                homes,
                slots,
                slot_count,
                saved,
            });
        }
        for &value in &failed {
            let spill = &mut spills[value.0 as usize];
            *spill = match (*spill, function[value].op) {
                (Spill::No, Op::Reload) => Spill::PerWindow,
                (Spill::No, _) => Spill::PerStretch,
                (Spill::PerStretch, _) => Spill::PerWindow,
                _ => Spill::PerUse,
            };
        }
        spill::rewrite(function, sunk, &mut spills, &failed, machine, &loops);
    }
    None
}

/// What is in registers.
struct InRegisters<'f> {
    function: &'f Function,
    sunk: &'f [bool],
    spills: &'f [Spill],
}

impl InRegisters<'_> {
    fn is_spilled(&self, value: Value) -> bool {
        spill::is_spilled(self.function, self.spills, value)
    }

    fn operand(&self, value: Value, f: &mut dyn FnMut(Value)) {
        if self.sunk[value.0 as usize] {
            if self.function[value].op != Op::Reload {
                self.function
                    .for_each_arg(value, |arg| self.operand(arg, f));
            }
        } else if has_place(self.function[value].op) {
            f(value);
        }
    }

    /// Operands that are read from wherever they are.
    fn anywhere(&self, value: Value, f: &mut dyn FnMut(Value)) {
        if has_place(self.function[value].op) && !self.is_spilled(value) {
            f(value);
        }
    }
}

impl Uses for InRegisters<'_> {
    fn is_placed(&self, value: Value) -> bool {
        let node = &self.function[value];
        let is_result = node.ty != Ty::None && has_place(node.op) && !self.sunk[value.0 as usize];
        // A spilled parameter arrives in its slot.
        is_result && !(node.op == Op::Param && self.is_spilled(value))
    }

    fn node_uses(&self, node: Value, f: &mut dyn FnMut(Value)) {
        if self.sunk[node.0 as usize] {
            return;
        }
        match self.function[node].op {
            Op::Reload | Op::CallResult => {}
            Op::Call => self
                .function
                .for_each_arg(node, |arg| self.anywhere(arg, f)),
            _ => self.function.for_each_arg(node, |arg| self.operand(arg, f)),
        }
    }

    fn exit_uses(&self, block: BlockId, f: &mut dyn FnMut(Value)) {
        let condition = self.function[block].exit.condition();
        self.function.for_each_exit_arg(block, |arg| {
            if condition == Some(arg) {
                self.operand(arg, f);
            } else {
                self.anywhere(arg, f);
            }
        });
    }
}

/// One attempt.
struct Round<'r> {
    ranges: &'r [Ranges],
    /// Positions of calls.
    calls: Vec<u32>,
    homes: Vec<Home>,
    gprs: Vec<(Gpr, bool)>,
    fprs: Vec<Fpr>,
    /// What is taken of each register, in the order of `gprs` and then `fprs`.
    taken: Vec<Taken>,
    /// What operations do to each register of `gprs`.
    clobbered: Vec<Clobbered>,
    /// Values that would like the same register.
    hints: Vec<Vec<Value>>,
    /// Registers that values would like.
    wishes: Vec<Vec<Home>>,
    weights: Vec<f32>,
    two_address: bool,
}

impl<'r> Round<'r> {
    fn new(
        function: &Function,
        lines: &Lines,
        ranges: &'r [Ranges],
        machine: Machine<'_>,
        limits: Limits,
    ) -> Round<'r> {
        let file = machine.file;
        let most = limits.registers.unwrap_or(usize::MAX);
        let temporaries = file.temporary.iter().chain(file.rare);
        let gprs: Vec<(Gpr, bool)> = temporaries
            .map(|&gpr| (gpr, false))
            .chain(file.saved.iter().map(|&gpr| (gpr, true)))
            .take(most)
            .collect();
        let fprs: Vec<Fpr> = file.float_temporary.iter().copied().take(most).collect();
        let mut calls = Vec::new();
        for block in function.block_ids() {
            for (i, &node) in function[block].nodes.iter().enumerate() {
                if function[node].op == Op::Call {
                    calls.push(lines.node(block, i));
                }
            }
        }
        let taken = vec![Taken::default(); gprs.len() + fprs.len()];
        let clobbered = gprs
            .iter()
            .map(|&(gpr, _)| fixed::clobbered(function, lines, machine, gpr))
            .collect();
        Round {
            ranges,
            calls,
            homes: vec![Home::None; function.nodes.len()],
            gprs,
            fprs,
            taken,
            clobbered,
            hints: hints(function),
            wishes: fixed::wishes(function, machine),
            weights: Vec::new(),
            two_address: machine.two_address,
        }
    }

    /// Gives registers; returns the values that found none.
    fn run(&mut self, function: &Function, sunk: &[bool], spills: &[Spill]) -> Vec<Value> {
        self.weights = weights(function, sunk);
        // What must find a register does not depend on others.
        let stays_alone = |value: Value| spills[value.0 as usize] == Spill::PerUse;
        let in_place = |node: Value| {
            let data = &function[node];
            // A sum with a constant gets to the register that it should be in from anywhere.
            let is_offset = matches!(data.op, Op::Alu(AluOp::Add, _))
                && function.constant(data.args[1]).is_some();
            let moves_freely = is_offset && !self.wishes[node.0 as usize].is_empty();
            if self.two_address && !moves_freely {
                in_place(data)
            } else {
                &[]
            }
        };
        let mut waiting: BinaryHeap<Waiting> =
            bundle::bundles(function, self.ranges, in_place, stays_alone)
                .into_iter()
                .map(|bundle| self.waiting(function, spills, bundle))
                .collect();
        let mut failed = Vec::new();
        while let Some(Waiting { bundle, .. }) = waiting.pop() {
            if self.place(function, &bundle) {
                continue;
            }
            match bundle.members[..] {
                [one] => failed.push(one),
                _ => waiting.extend(bundle.members.iter().map(|&member| {
                    let alone = Bundle {
                        members: vec![member],
                        ranges: self.ranges[member.0 as usize].clone(),
                    };
                    self.waiting(function, spills, alone)
                })),
            }
        }
        failed.sort_unstable();
        failed
    }

    fn waiting(&self, function: &Function, spills: &[Spill], bundle: Bundle) -> Waiting {
        let length: u32 = bundle.ranges.iter().map(|range| range.1 - range.0).sum();
        let is_atom = match bundle.members[..] {
            [one] => {
                let is_short = length <= 1 && function[one].op != Op::Reload;
                is_short || spills[one.0 as usize] == Spill::PerUse
            }
            _ => false,
        };
        let weight = |value: &Value| self.weights[value.0 as usize];
        let density = if is_atom {
            f32::INFINITY
        } else {
            bundle.members.iter().map(weight).sum::<f32>() / length as f32
        };
        Waiting { density, bundle }
    }

    fn place(&mut self, function: &Function, bundle: &Bundle) -> bool {
        let ranges = &bundle.ranges;
        let is_float = function[bundle.members[0]].ty.is_float();
        let crosses = crosses(ranges, &self.calls);
        let candidates = if is_float {
            self.gprs.len()..self.taken.len()
        } else {
            0..self.gprs.len()
        };
        let is_free = |this: &Self, register: usize| {
            let survives = !is_float && this.gprs[register].1;
            (!crosses || survives)
                && this.taken[register].is_free(ranges)
                && (is_float || !this.clobbered[register].forbids(&bundle.members, ranges))
        };
        let wishes = bundle.members.iter().flat_map(|member| {
            let others = self.hints[member.0 as usize].iter();
            let homes = others.map(|&other| self.homes[other.0 as usize]);
            self.wishes[member.0 as usize].iter().copied().chain(homes)
        });
        let hinted = wishes
            .filter_map(|home| self.register(home))
            .filter(|register| candidates.contains(register))
            .find(|&register| is_free(self, register));
        let Some(register) = hinted.or_else(|| candidates.clone().find(|&r| is_free(self, r)))
        else {
            return false;
        };
        let home = if is_float {
            Home::Fpr(self.fprs[register - self.gprs.len()])
        } else {
            Home::Gpr(self.gprs[register].0)
        };
        for &member in &bundle.members {
            self.homes[member.0 as usize] = home;
        }
        self.taken[register].take(ranges);
        true
    }

    fn register(&self, home: Home) -> Option<usize> {
        match home {
            Home::None => None,
            Home::Gpr(gpr) => self.gprs.iter().position(|entry| entry.0 == gpr),
            Home::Fpr(fpr) => {
                let at = self.fprs.iter().position(|&entry| entry == fpr)?;
                Some(self.gprs.len() + at)
            }
        }
    }
}

/// Parameters like the registers of their arguments, and results those of first operands.
fn hints(function: &Function) -> Vec<Vec<Value>> {
    let mut hints: Vec<Vec<Value>> = vec![Vec::new(); function.nodes.len()];
    for block in &function.blocks {
        for edge in block.exit.edges() {
            for (&param, &arg) in function[edge.to].params.iter().zip(&edge.args) {
                hints[param.0 as usize].push(arg);
                hints[arg.0 as usize].push(param);
            }
        }
        for &node in &block.nodes {
            let data = &function[node];
            let first = data.args[0];
            if first != Value::NONE && function[first].ty == data.ty {
                hints[node.0 as usize].push(first);
                hints[first.0 as usize].push(node);
            }
        }
    }
    hints
}

/// The operands whose register the instruction for a node overwrites with the result, or may, as
/// they can be swapped.
fn in_place(node: &Node) -> &[Value] {
    match node.op {
        Op::Alu(op, _) if op.commutes() => &node.args[..2],
        Op::Float(op, _) if op.commutes() => &node.args[..2],
        Op::Select => &node.args[1..],
        Op::Alu(..)
        | Op::Float(..)
        | Op::VecBinary(_)
        | Op::VecShift(_)
        | Op::ReplaceLane(..)
        | Op::FloatReplaceLane(..) => &node.args[..1],
        _ => &[],
    }
}

/// A bundle and how urgently it wants a register.
struct Waiting {
    density: f32,
    bundle: Bundle,
}

impl Ord for Waiting {
    /// Of two that are as urgent, the one that is defined first.
    fn cmp(&self, other: &Waiting) -> Ordering {
        let first = |waiting: &Waiting| Reverse(waiting.bundle.members[0]);
        let order = self.density.total_cmp(&other.density);
        order.then(first(self).cmp(&first(other)))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Waiting) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Waiting) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Waiting {}

/// How often each value is defined and used: a loop counts ten times what is outside.
fn weights(function: &Function, sunk: &[bool]) -> Vec<f32> {
    let mut weights = vec![0.0; function.nodes.len()];
    for id in function.block_ids() {
        let block = &function[id];
        let weight = 10_f32.powi(block.loop_depth.min(6) as i32);
        let mut add = |value: Value| weights[value.0 as usize] += weight;
        block.params.iter().for_each(|&param| add(param));
        for &node in &block.nodes {
            add(node);
            function.for_each_arg(node, &mut add);
        }
        function.for_each_exit_arg(id, &mut add);
        let condition = block.exit.condition();
        if let Some(cond) = condition.filter(|cond| sunk[cond.0 as usize]) {
            function.for_each_arg(cond, &mut add);
        }
    }
    weights
}
