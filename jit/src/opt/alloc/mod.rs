//! Register allocation on SSA form.
//!
//! Values are given registers in the order of their weight: how often they are defined and used,
//! loops counted, per position at which they are live. A value that finds no register free for all
//! of its life is *spilled*: it is stored once, where it is defined, and its uses read it again by
//! [`Op::Reload`] nodes, which are values like others and are allocated in the next round. First one
//! reload serves all uses of a block up to the next call; one that finds no register either is
//! taken apart into a reload per use, and those always find one. Operands of calls, of returns and
//! of edges are read from where they are and need no register.
//!
//! Every value has one place for its whole life, and never a register shared with another that is
//! live: [`check`] replays that.

pub(crate) mod check;
mod fixed;
pub(crate) mod live;

use super::ir::{BlockId, Exit, Function, Node, Op, Ty, Value};
use super::select;
use crate::abi::Place;
use crate::masm::{Clobber, FixedRoles, Fpr, Gpr, RegisterFile};
use fixed::Clobbered;
pub(crate) use fixed::clobbers;
use live::{Lines, Ranges, Uses, crosses, has_place, overlap};

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

/// How far the reloads of a spilled value are taken apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Spill {
    No,
    /// One per block and stretch without calls.
    PerStretch,
    /// One per use.
    PerUse,
}

/// What the allocator is to know of the instruction set, and of the function.
#[derive(Clone, Copy)]
pub(crate) struct Machine<'m> {
    pub(crate) file: &'m RegisterFile,
    /// What operations do to rare registers.
    pub(crate) clobbers: &'m dyn Fn(FixedRoles) -> &'static [Clobber],
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
    if limits.spill_all {
        let all: Vec<Value> = spillable(function, sunk);
        for &value in &all {
            spills[value.0 as usize] = Spill::PerUse;
        }
        rewrite(function, sunk, &mut spills, &all, machine);
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
            let (slots, slot_count) = assign_slots(function, &lines, sunk, &spills);
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
                (Spill::No, Op::Reload) => Spill::PerUse,
                (Spill::No, _) => Spill::PerStretch,
                _ => Spill::PerUse,
            };
        }
        rewrite(function, sunk, &mut spills, &failed, machine);
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
        self.spills[value.0 as usize] != Spill::No && self.function[value].op != Op::Reload
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
    taken: Vec<Ranges>,
    /// What operations do to each register of `gprs`.
    clobbered: Vec<Clobbered>,
    /// Values that would like the same register.
    hints: Vec<Vec<Value>>,
    /// Registers that values would like.
    wishes: Vec<Vec<Home>>,
    weights: Vec<f32>,
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
        let taken = vec![Ranges::new(); gprs.len() + fprs.len()];
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
        }
    }

    /// Gives registers; returns the values that found none.
    fn run(&mut self, function: &Function, sunk: &[bool], spills: &[Spill]) -> Vec<Value> {
        self.weights = weights(function, sunk);
        let mut order: Vec<Value> = (0..function.nodes.len() as u32)
            .map(Value)
            .filter(|value| !self.ranges[value.0 as usize].is_empty())
            .collect();
        let density = |value: &Value| {
            let at = value.0 as usize;
            let length: u32 = self.ranges[at].iter().map(|range| range.1 - range.0).sum();
            let is_atom = match function[*value].op {
                Op::Reload => spills[at] == Spill::PerUse,
                _ => spills[at] == Spill::PerUse || length <= 1,
            };
            if is_atom {
                f32::INFINITY
            } else {
                self.weights[at] / length as f32
            }
        };
        let keys: Vec<f32> = order.iter().map(density).collect();
        let mut sorted: Vec<usize> = (0..order.len()).collect();
        sorted.sort_by(|&a, &b| keys[b].total_cmp(&keys[a]).then(a.cmp(&b)));
        order = sorted.into_iter().map(|i| order[i]).collect();
        let mut failed = Vec::new();
        for value in order {
            if !self.place(function, value) {
                failed.push(value);
            }
        }
        failed
    }

    fn place(&mut self, function: &Function, value: Value) -> bool {
        let ranges = &self.ranges[value.0 as usize];
        let is_float = function[value].ty.is_float();
        let crosses = crosses(ranges, &self.calls);
        let candidates = if is_float {
            self.gprs.len()..self.taken.len()
        } else {
            0..self.gprs.len()
        };
        let is_free = |this: &Self, register: usize| {
            let survives = !is_float && this.gprs[register].1;
            (!crosses || survives)
                && !overlap(ranges, &this.taken[register])
                && (is_float || !this.clobbered[register].forbids(value, ranges))
        };
        let wishes = self.wishes[value.0 as usize].iter().copied();
        let hinted = wishes
            .chain(
                self.hints[value.0 as usize]
                    .iter()
                    .map(|&other| self.homes[other.0 as usize]),
            )
            .filter_map(|home| self.register(home))
            .filter(|register| candidates.contains(register))
            .find(|&register| is_free(self, register));
        let Some(register) = hinted.or_else(|| candidates.clone().find(|&r| is_free(self, r)))
        else {
            return false;
        };
        self.homes[value.0 as usize] = if is_float {
            Home::Fpr(self.fprs[register - self.gprs.len()])
        } else {
            Home::Gpr(self.gprs[register].0)
        };
        let taken = &mut self.taken[register];
        for &range in ranges {
            let at = taken.partition_point(|other| other.0 < range.0);
            taken.insert(at, range);
        }
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

/// Everything that may be spilled.
fn spillable(function: &Function, sunk: &[bool]) -> Vec<Value> {
    let in_block = function
        .blocks
        .iter()
        .flat_map(|block| block.params.iter().chain(&block.nodes));
    in_block
        .copied()
        .filter(|&value| {
            let node = &function[value];
            node.ty != Ty::None
                && has_place(node.op)
                && node.op != Op::Materialize
                && !sunk[value.0 as usize]
        })
        .collect()
}

/// Adds reloads for the values that were spilled just now.
fn rewrite(
    function: &mut Function,
    sunk: &mut Vec<bool>,
    spills: &mut Vec<Spill>,
    newly: &[Value],
    machine: Machine<'_>,
) {
    let mut is_new = vec![false; function.nodes.len()];
    newly
        .iter()
        .for_each(|value| is_new[value.0 as usize] = true);
    let mut rewriter = Rewriter {
        sunk,
        spills,
        is_new,
        folds_loads: machine.folds_loads,
        current: std::collections::HashMap::new(),
        nodes: Vec::new(),
    };
    for block in function.block_ids() {
        rewriter.block(function, block);
    }
}

struct Rewriter<'s> {
    sunk: &'s mut Vec<bool>,
    spills: &'s mut Vec<Spill>,
    is_new: Vec<bool>,
    folds_loads: bool,
    /// What holds a spilled value in a register since the last call.
    current: std::collections::HashMap<Value, Value>,
    /// The block's nodes so far.
    nodes: Vec<Value>,
}

impl Rewriter<'_> {
    fn block(&mut self, function: &mut Function, block: BlockId) {
        self.current.clear();
        let nodes = core::mem::take(&mut function[block].nodes);
        for node in nodes {
            if function[node].op == Op::Reload && self.is_new(node) {
                // Taken apart.
                continue;
            }
            if !self.sunk[node.0 as usize]
                && !matches!(function[node].op, Op::Call | Op::CallResult | Op::Reload)
            {
                self.operands(function, node);
            }
            self.nodes.push(node);
            if function[node].op == Op::Call {
                self.current.clear();
            } else if self.is_new(node) && self.spills[node.0 as usize] == Spill::PerStretch {
                // Until the next call it is where it was defined.
                self.current.insert(node, node);
            }
        }
        if let Some(cond) = function[block].exit.condition() {
            if self.sunk[cond.0 as usize] {
                self.operands(function, cond);
            } else {
                let replaced = self.operand(function, cond);
                match &mut function[block].exit {
                    Exit::Branch(cond, _) | Exit::Table(cond, _) => *cond = replaced,
                    _ => unreachable!("only these have a condition"),
                }
            }
        }
        // Arguments of edges and returns are read from where the spilled value is.
        function[block].nodes = core::mem::take(&mut self.nodes);
    }

    fn is_new(&self, value: Value) -> bool {
        self.is_new.get(value.0 as usize).copied().unwrap_or(false)
    }

    fn operands(&mut self, function: &mut Function, node: Value) {
        if self.folds_loads {
            self.prefer_second(function, node);
        }
        for i in 0..3 {
            let arg = function[node].args[i];
            if arg == Value::NONE {
                continue;
            }
            if self.sunk[arg.0 as usize] {
                // A reload of an earlier round reads the slot, however often its value fails.
                if function[arg].op != Op::Reload {
                    self.operands(function, arg);
                }
            } else if i == 1 && self.folds(function, node, arg) {
                function[node].args[i] = self.reload(function, arg, true);
            } else {
                function[node].args[i] = self.operand(function, arg);
            }
        }
    }

    /// Whether a spilled operand is read from its slot by the operation itself.
    fn folds(&self, function: &Function, node: Value, arg: Value) -> bool {
        let op = function[node].op;
        let held = match function[arg].op {
            Op::Reload => None,
            _ => self.current.get(&arg),
        };
        self.folds_loads
            && self.is_new(arg)
            && held.is_none()
            && (select::takes_memory(op) || select::takes_float_memory(op))
            && function[node].args[0] != arg
    }

    /// Swaps operands if only the first is spilled.
    fn prefer_second(&self, function: &mut Function, node: Value) {
        let data = function[node];
        let [a, b, _] = data.args;
        let is_second = |arg: Value| arg != Value::NONE && self.is_new(arg);
        if !is_second(a) || is_second(b) || b == Value::NONE || self.sunk[b.0 as usize] {
            return;
        }
        if !has_place(function[b].op) || self.current.contains_key(&a) {
            return;
        }
        let swapped = match data.op {
            Op::Alu(op, _) if op.commutes() => data.op,
            Op::Float(op, _) if op.commutes() => data.op,
            Op::Compare(cond, width) => Op::Compare(cond.swap(), width),
            _ => return,
        };
        function[node].op = swapped;
        function[node].args[..2].copy_from_slice(&[b, a]);
    }

    fn operand(&mut self, function: &mut Function, value: Value) -> Value {
        if !self.is_new(value) {
            return value;
        }
        // A reload that is taken apart is of the value that it reloads.
        let (origin, per_use) = match function[value].op {
            Op::Reload => (function[value].args[0], true),
            _ => (value, self.spills[value.0 as usize] == Spill::PerUse),
        };
        if !per_use && let Some(&held) = self.current.get(&origin) {
            return held;
        }
        let reload = self.reload(function, origin, false);
        if per_use {
            self.spills[reload.0 as usize] = Spill::PerUse;
        } else {
            self.current.insert(origin, reload);
        }
        reload
    }

    /// A node that reads a spilled value again, or is the operand in memory of the next one.
    fn reload(&mut self, function: &mut Function, value: Value, is_sunk: bool) -> Value {
        let origin = match function[value].op {
            Op::Reload => function[value].args[0],
            _ => value,
        };
        let reload = function.add(
            Node {
                op: Op::Reload,
                ty: function[origin].ty,
                args: [origin, Value::NONE, Value::NONE],
                imm: 0,
            },
            0,
        );
        self.sunk.push(is_sunk);
        self.is_new.push(false);
        self.spills.push(Spill::No);
        self.nodes.push(reload);
        reload
    }
}

/// What is in slots.
struct InSlots<'f> {
    function: &'f Function,
    sunk: &'f [bool],
    spills: &'f [Spill],
}

impl InSlots<'_> {
    fn is_spilled(&self, value: Value) -> bool {
        self.spills[value.0 as usize] != Spill::No && self.function[value].op != Op::Reload
    }

    /// What a node reads from slots for those that are part of it.
    fn sunk_uses(&self, node: Value, f: &mut dyn FnMut(Value)) {
        self.function.for_each_arg(node, |arg| {
            if self.sunk[arg.0 as usize] {
                match self.function[arg].op {
                    Op::Reload => f(self.function[arg].args[0]),
                    _ => self.sunk_uses(arg, f),
                }
            }
        });
    }
}

impl Uses for InSlots<'_> {
    fn is_placed(&self, value: Value) -> bool {
        self.is_spilled(value)
    }

    fn node_uses(&self, node: Value, f: &mut dyn FnMut(Value)) {
        if self.sunk[node.0 as usize] {
            return;
        }
        match self.function[node].op {
            Op::Reload | Op::Call => self.function.for_each_arg(node, |arg| {
                if self.is_spilled(arg) {
                    f(arg);
                }
            }),
            _ => self.sunk_uses(node, f),
        }
    }

    fn exit_uses(&self, block: BlockId, f: &mut dyn FnMut(Value)) {
        self.function.for_each_exit_arg(block, |arg| {
            if self.is_spilled(arg) {
                f(arg);
            }
        });
        if let Some(cond) = self.function[block].exit.condition()
            && self.sunk[cond.0 as usize]
        {
            self.sunk_uses(cond, f);
        }
    }
}

/// Gives frame slots to the spilled values: shared by those that are never live together, and the
/// same for parameters and their arguments where that is possible.
fn assign_slots(
    function: &Function,
    lines: &Lines,
    sunk: &[bool],
    spills: &[Spill],
) -> (Vec<Option<u32>>, u32) {
    let uses = InSlots {
        function,
        sunk,
        spills,
    };
    let ranges = live::ranges(function, lines, &uses);
    let hints = hints(function);
    let mut slots: Vec<Option<u32>> = vec![None; function.nodes.len()];
    // What is taken of each slot.
    let mut taken: Vec<Ranges> = Vec::new();
    for value in (0..function.nodes.len() as u32).map(Value) {
        let ranges = &ranges[value.0 as usize];
        if ranges.is_empty() {
            continue;
        }
        let width = function[value].ty.slots() as usize;
        let is_free = |taken: &[Ranges], at: usize| {
            (at..at + width).all(|slot| taken.get(slot).is_none_or(|t| !overlap(ranges, t)))
        };
        let hinted = hints[value.0 as usize]
            .iter()
            .filter_map(|other| slots[other.0 as usize])
            .map(|slot| slot as usize)
            .find(|&slot| is_free(&taken, slot));
        let slot = hinted.or_else(|| (0..taken.len()).find(|&slot| is_free(&taken, slot)));
        let slot = slot.unwrap_or(taken.len());
        taken.resize(taken.len().max(slot + width), Ranges::new());
        for slot in &mut taken[slot..slot + width] {
            slot.extend_from_slice(ranges);
            slot.sort_unstable();
        }
        slots[value.0 as usize] = Some(slot as u32);
    }
    (slots, taken.len() as u32)
}
