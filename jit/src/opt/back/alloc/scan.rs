//! What a round of register allocation is to know of a function, from one walk over it.

use super::fixed::Clobbered;
use super::live::{Calls, LiveRanges, Positions, Uses, has_place};
use super::spill::{self, Spill};
use super::{Fixed, Home, Limits};
use crate::masm::RegisterFile;
use crate::opt::back::select::Selected;
use crate::opt::form::ir::{BlockId, Op, Ty, Value};
use crate::opt::form::lists::Lists;

/// Of a value without a register.
pub(super) const NO_REGISTER: u8 = u8::MAX;

/// The registers that are given: general ones first, by which they are numbered.
pub(super) struct Registers {
    pub(super) homes: Vec<Home>,
    generals: usize,
    /// Those that callees preserve, by their bits.
    pub(super) saved: u64,
}

impl Registers {
    pub(super) fn of(file: &RegisterFile, limits: Limits) -> Registers {
        let most = limits.registers.unwrap_or(usize::MAX);
        let temporary = file.temporary.iter().chain(file.rare);
        let generals = temporary.chain(file.saved).take(most);
        let mut homes: Vec<Home> = generals.map(|&gpr| Home::Gpr(gpr)).collect();
        let generals = homes.len();
        let floats = file.float_temporary.iter().take(most);
        homes.extend(floats.map(|&fpr| Home::Fpr(fpr)));
        assert!(homes.len() <= 64, "a register has a bit");
        let temporaries = (file.temporary.len() + file.rare.len()).min(generals);
        Registers {
            homes,
            generals,
            saved: bits(temporaries, generals),
        }
    }

    fn number(&self, home: Home) -> u8 {
        let number = self.homes.iter().position(|&other| other == home);
        number.map_or(NO_REGISTER, |number| number as u8)
    }

    /// The bits of a class.
    pub(super) fn class(&self, is_float: bool) -> u64 {
        if is_float {
            bits(self.generals, self.homes.len())
        } else {
            bits(0, self.generals)
        }
    }
}

/// The bits from `first` to before `last`.
fn bits(first: usize, last: usize) -> u64 {
    let below = |end: usize| (1_u128 << end) - 1;
    (below(last) & !below(first)) as u64
}

/// Walks over a function and collects what a round wants to know.
struct Scan<'s> {
    function: &'s Selected,
    spills: &'s [Spill],
    block: BlockId,
    uses: Uses,
    hints: Vec<(u32, Value)>,
    weights: Vec<f32>,
}

impl Scan<'_> {
    fn is_spilled(&self, value: Value) -> bool {
        spill::is_spilled(self.function, self.spills, value)
    }

    fn define(&mut self, value: Value, at: u32) {
        let node = &self.function[value];
        let is_placed = node.ty != Ty::None
            && has_place(node.op)
            && !self.function.is_sunk(value)
            && !spill::arrives_in_slot(self.function, self.spills, value);
        if is_placed {
            self.uses.define(value, self.block, at);
        }
    }

    /// An operand, which is in a register.
    fn operand(&mut self, value: Value, at: u32) {
        if !self.function.is_sunk(value) {
            self.uses.note(value, self.block, at);
        } else if self.function[value].op != Op::Reload {
            let function = self.function;
            function.for_each_arg(value, |arg| self.operand(arg, at));
        }
    }

    /// An operand that is read from wherever it is.
    fn anywhere(&mut self, value: Value, at: u32) {
        if !self.is_spilled(value) {
            self.uses.note(value, self.block, at);
        }
    }

    fn node(&mut self, node: Value, at: u32, weight: f32) {
        let function = self.function;
        let data = &function[node];
        let weights = &mut self.weights;
        weights[node.0 as usize] += weight;
        function.for_each_arg(node, |arg| weights[arg.0 as usize] += weight);
        // Results like the registers of first operands.
        let first = data.args[0];
        if first != Value::NONE {
            let first_data = &function[first];
            if first_data.ty == data.ty && has_place(first_data.op) {
                self.hints.push((node.0, first));
                self.hints.push((first.0, node));
            }
        }
        if self.function.is_sunk(node) {
            return;
        }
        match data.op {
            Op::Reload | Op::CallResult => {}
            Op::Call => function.for_each_arg(node, |arg| self.anywhere(arg, at)),
            _ => function.for_each_arg(node, |arg| self.operand(arg, at)),
        }
    }

    /// Parameters like the registers of their arguments.
    fn edges(&mut self) {
        let function = self.function;
        for edge in function[self.block].exit.edges() {
            for (&param, &arg) in function[edge.to].params.iter().zip(&edge.args) {
                self.hints.push((param.0, arg));
                self.hints.push((arg.0, param));
            }
        }
    }

    fn exit(&mut self, at: u32, weight: f32) {
        let function = self.function;
        let condition = function[self.block].exit.condition();
        function.for_each_exit_arg(self.block, |arg| {
            self.weights[arg.0 as usize] += weight;
            if condition == Some(arg) {
                self.operand(arg, at);
            } else {
                self.anywhere(arg, at);
            }
        });
        if let Some(cond) = condition.filter(|&cond| self.function.is_sunk(cond)) {
            let weights = &mut self.weights;
            function.for_each_arg(cond, |arg| weights[arg.0 as usize] += weight);
        }
    }
}

/// What a round starts with.
pub(super) struct Start {
    pub(super) live: LiveRanges,
    pub(super) calls: Calls,
    pub(super) clobbered: Clobbered,
    /// Values that would like the same register.
    pub(super) hints: Lists<Value>,
    /// Numbers of registers that values would like.
    pub(super) wishes: Lists<u8>,
    /// How often each value is defined and used: a loop counts ten times what is outside.
    pub(super) weights: Vec<f32>,
}

impl Start {
    pub(super) fn of(
        function: &Selected,
        positions: &Positions,
        spills: &[Spill],
        fixed: &Fixed<'_>,
    ) -> Start {
        let count = function.nodes.len();
        let mut calls = Calls::default();
        let mut clobbered = Clobbered::new(fixed.machine);
        let number = |&(value, home): &(u32, Home)| (value, fixed.registers.number(home));
        let mut wishes: Vec<(u32, u8)> = fixed.wishes.iter().map(number).collect();
        let mut scan = Scan {
            function,
            spills,
            block: BlockId(0),
            uses: Uses::new(count),
            hints: Vec::with_capacity(2 * count),
            weights: vec![0.0; count],
        };
        for id in function.block_ids() {
            let block = &function[id];
            scan.block = id;
            scan.edges();
            let weight = fixed.unlikely.weight(function, id);
            for &param in &block.params {
                scan.weights[param.0 as usize] += weight;
                scan.define(param, positions.start(id));
            }
            for (node, at, defined_at) in positions.nodes(function, id) {
                scan.node(node, at, weight);
                scan.define(node, defined_at);
                if function[node].op == Op::Call {
                    calls.push(at);
                }
                clobbered.note(function, fixed.machine, (node, at), |value, gpr| {
                    wishes.push((value.0, fixed.registers.number(Home::Gpr(gpr))));
                });
            }
            scan.exit(positions.exit(id), weight);
        }
        Start {
            live: scan.uses.ranges(function, &fixed.graph, positions),
            calls,
            clobbered,
            hints: Lists::of(count, &scan.hints),
            wishes: Lists::of(count, &wishes),
            weights: scan.weights,
        }
    }
}
