//! Spilling: reloads in front of the uses of values that found no register.
//!
//! One reload serves a whole loop without calls, from the end of the block before it; elsewhere one
//! serves all uses in a block up to the next call. A reload that finds no register is taken apart
//! into one per use, which is an operand in memory where instructions have these.

use super::Machine;
use super::live::has_place;
use super::loops::{CallFreeLoop, CallFreeLoops};
use crate::masm::Target;
use crate::opt::back::select;
use crate::opt::back::select::Selected;
use crate::opt::form::ir::{BlockId, Function, Node, Op, Origin, Ty, Value};
use foldhash::{HashMap, HashMapExt};

/// How far the reloads of a spilled value are taken apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Spill {
    No,
    /// One per loop without calls, and per block and stretch without calls elsewhere.
    PerStretch,
    /// One for uses that are close together.
    PerWindow,
    /// One per use.
    PerUse,
}

/// Uses with no more nodes between them than this are close together.
const WINDOW_NODES: usize = 8;

/// Whether a value is in a slot. Reloads never are, however far they are taken apart.
pub(super) fn is_spilled(function: &Function, spills: &[Spill], value: Value) -> bool {
    spills[value.0 as usize] != Spill::No && function[value].op != Op::Reload
}

/// Whether a value comes to be in its slot and needs no register for that: a spilled parameter, and
/// the result of a call that nothing uses until it is read again.
pub(super) fn arrives_in_slot(function: &Function, spills: &[Spill], value: Value) -> bool {
    match function[value].op {
        Op::Param => is_spilled(function, spills, value),
        Op::CallResult => spills[value.0 as usize] == Spill::PerUse,
        _ => false,
    }
}

/// Everything that may be spilled.
pub(super) fn spillable(function: &Selected) -> Vec<Value> {
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
                && !function.is_sunk(value)
        })
        .collect()
}

/// Adds reloads for the values that were spilled just now.
pub(super) fn rewrite(
    function: &mut Selected,
    spills: &mut Vec<Spill>,
    newly: &[Value],
    machine: Machine<'_>,
    loops: &CallFreeLoops,
) {
    let mut is_new = vec![false; function.nodes.len()];
    newly
        .iter()
        .for_each(|value| is_new[value.0 as usize] = true);
    let mut rewriter = Rewriter {
        block: BlockId(0),
        loops,
        home: function.definitions(),
        in_loops: HashMap::new(),
        spills,
        is_new,
        target: machine.target,
        current: vec![(Value::NONE, 0); function.nodes.len()],
        held: Vec::new(),
        nodes: Vec::new(),
    };
    for block in function.block_ids() {
        rewriter.block(function, block);
    }
    // In the order in which they were made.
    let mut in_loops: Vec<(CallFreeLoop, Value)> = rewriter
        .in_loops
        .iter()
        .map(|(key, &reload)| (key.0, reload))
        .collect();
    in_loops.sort_unstable_by_key(|entry| entry.1);
    for (one, reload) in in_loops {
        function[one.before].nodes.push(reload);
    }
}

struct Rewriter<'s> {
    target: &'s Target,
    /// The block that is being rewritten.
    block: BlockId,
    loops: &'s CallFreeLoops,
    /// Where each value is defined; reloads of this round are not among them.
    home: Vec<BlockId>,
    /// What holds a value in a loop.
    in_loops: HashMap<(CallFreeLoop, Value), Value>,
    spills: &'s mut Vec<Spill>,
    is_new: Vec<bool>,
    /// What holds each spilled value in a register since the last call, and the number of nodes
    /// before its last use.
    current: Vec<(Value, usize)>,
    /// The values of which something is current.
    held: Vec<Value>,
    /// The block's nodes so far.
    nodes: Vec<Value>,
}

impl Rewriter<'_> {
    fn block(&mut self, function: &mut Selected, block: BlockId) {
        self.forget();
        self.block = block;
        let mut nodes = core::mem::take(&mut function[block].nodes);
        for &node in &nodes {
            if function[node].op == Op::Reload && self.is_new(node) {
                // Taken apart.
                continue;
            }
            if !function.is_sunk(node)
                && !matches!(function[node].op, Op::Call | Op::CallResult | Op::Reload)
            {
                self.operands(function, node, false);
            }
            self.nodes.push(node);
            if function[node].op == Op::Call {
                self.forget();
            } else if self.is_new(node)
                && matches!(
                    self.spills[node.0 as usize],
                    Spill::PerStretch | Spill::PerWindow
                )
            {
                // Until the next call it is where it was defined.
                self.hold(node, node);
            }
        }
        if let Some(cond) = function[block].exit.condition() {
            if function.is_sunk(cond) {
                self.operands(function, cond, true);
            } else {
                let replaced = self.operand(function, cond);
                function[block].exit.set_condition(replaced);
            }
        }
        // Arguments of edges and returns are read from where the spilled value is.
        nodes.clear();
        nodes.append(&mut self.nodes);
        function[block].nodes = nodes;
    }

    fn forget(&mut self) {
        for value in self.held.drain(..) {
            self.current[value.0 as usize] = (Value::NONE, 0);
        }
    }

    fn hold(&mut self, value: Value, register: Value) {
        let before = core::mem::replace(
            &mut self.current[value.0 as usize],
            (register, self.nodes.len()),
        );
        if before.0 == Value::NONE {
            self.held.push(value);
        }
    }

    /// What holds a spilled value here, if its uses share reloads.
    fn held(&self, origin: Value, spill: Spill) -> Option<Value> {
        // Reloads of this round are never spilled in it.
        let &(held, last_use) = self.current.get(origin.0 as usize)?;
        let is_shared = match spill {
            Spill::No | Spill::PerStretch => true,
            Spill::PerWindow => self.nodes.len() - last_use <= WINDOW_NODES,
            Spill::PerUse => false,
        };
        (is_shared && held != Value::NONE).then_some(held)
    }

    fn is_new(&self, value: Value) -> bool {
        self.is_new.get(value.0 as usize).copied().unwrap_or(false)
    }

    /// `is_branch` says that the node is a comparison that a branch makes.
    fn operands(&mut self, function: &mut Selected, node: Value, is_branch: bool) {
        if self.target.folds_loads {
            self.prefer_second(function, node, is_branch);
        }
        for i in 0..3 {
            let arg = function[node].args[i];
            if arg == Value::NONE {
                continue;
            }
            if function.is_sunk(arg) {
                // A reload of an earlier round reads the slot, however often its value fails.
                if function[arg].op != Op::Reload {
                    let is_branch = matches!(function[node].op, Op::TrapIf(_));
                    self.operands(function, arg, is_branch);
                }
            } else if i == 1 && self.folds(function, node, arg) {
                function[node].args[i] = self.reload(function, arg, true);
            } else {
                function[node].args[i] = self.operand(function, arg);
            }
        }
    }

    /// Whether a spilled operand is read from its slot by the operation itself.
    fn folds(&self, function: &Selected, node: Value, arg: Value) -> bool {
        let op = function[node].op;
        let held = match function[arg].op {
            Op::Reload => None,
            _ => self.held(arg, self.spills[arg.0 as usize]),
        };
        self.target.folds_loads
            && self.is_new(arg)
            && held.is_none()
            && self.loop_for(function, arg).is_none()
            && (select::takes_memory(op) || select::takes_float_memory(op, self.target))
            && function[node].args[0] != arg
    }

    /// Swaps operands if only the first is spilled.
    fn prefer_second(&self, function: &mut Selected, node: Value, is_branch: bool) {
        let data = function[node];
        let [a, b, _] = data.args;
        let is_second = |arg: Value| arg != Value::NONE && self.is_new(arg);
        if !is_second(a) || is_second(b) || b == Value::NONE || function.is_sunk(b) {
            return;
        }
        // Branches compare memory with constants, too.
        let may_come_first = has_place(function[b].op) || is_branch;
        if !may_come_first || self.held(a, self.spills[a.0 as usize]).is_some() {
            return;
        }
        if let Some(swapped) = data.swapped() {
            function[node] = swapped;
        }
    }

    fn operand(&mut self, function: &mut Selected, value: Value) -> Value {
        if !self.is_new(value) {
            return value;
        }
        // A reload that is taken apart is of the value that it reloads.
        let spill = self.spills[value.0 as usize];
        let origin = match function[value].op {
            Op::Reload => function[value].args[0],
            _ => value,
        };
        if let Some(held) = self.held(origin, spill) {
            self.hold(origin, held);
            return held;
        }
        if let Some(around) = self.loop_for(function, value) {
            if let Some(&held) = self.in_loops.get(&(around, origin)) {
                return held;
            }
            let reload = self.reload(function, origin, false);
            self.nodes.pop();
            self.in_loops.insert((around, origin), reload);
            return reload;
        }
        let reload = self.reload(function, origin, false);
        if spill != Spill::PerStretch {
            self.spills[reload.0 as usize] = spill;
        }
        if spill != Spill::PerUse {
            self.hold(origin, reload);
        }
        reload
    }

    /// The loop that one reload of a value serves.
    fn loop_for(&self, function: &Selected, value: Value) -> Option<CallFreeLoop> {
        let is_first = self.spills[value.0 as usize] == Spill::PerStretch;
        if !is_first || function[value].op == Op::Reload {
            return None;
        }
        let home = self.home[value.0 as usize];
        let around = self.loops.around(self.block)?;
        (self.loops.around(home) != Some(around)).then_some(around)
    }

    /// A node that reads a spilled value again, or is the operand in memory of the next one.
    fn reload(&mut self, function: &mut Selected, value: Value, is_sunk: bool) -> Value {
        let origin = match function[value].op {
            Op::Reload => function[value].args[0],
            _ => value,
        };
        let node = Node::new(Op::Reload, function[origin].ty, &[origin], 0);
        let reload = function.add_selected(node, Origin::default(), is_sunk);
        self.is_new.push(false);
        self.spills.push(Spill::No);
        self.nodes.push(reload);
        reload
    }
}
