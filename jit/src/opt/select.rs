//! Instruction selection: which nodes are no instructions of their own, but parts of the one that
//! uses them.
//!
//! Such a node is *sunk*: a comparison into the branch, selection or trap that it decides, a load into
//! the operation that it feeds, a shift into an addition. It has one use, in its block, and its own
//! operands are read there. A load moves over nothing that it could be told from: what has no effect,
//! and for loads that cannot fault, what only traps.

use super::ir::{Alias, BlockId, Effect, Exit, Function, Op, Ty, Value};
use crate::masm::{FloatPart, FloatWidth, LoadOp, Masm, Width};

/// Whether operand 1 of an operation can be an integer in memory.
pub(super) fn takes_memory(op: Op) -> bool {
    match op {
        Op::Alu(op, _) => !op.is_shift(),
        Op::Compare(..) => true,
        _ => false,
    }
}

/// Whether operand 1 of an operation can be a float in memory.
pub(super) fn takes_float_memory(op: Op) -> bool {
    matches!(op, Op::Float(op, _) if op.is_arithmetic())
}

/// Chooses the nodes that are sunk. Swaps operands where that makes one possible.
pub(super) fn run<M: Masm>(function: &mut Function) -> Vec<bool> {
    let mut selection = Selection {
        sunk: vec![false; function.nodes.len()],
        uses: uses(function),
        home: vec![None; function.nodes.len()],
        seen: vec![Seen::default(); function.nodes.len()],
        now: Seen::default(),
    };
    for block in function.block_ids() {
        selection.comparisons(function, block);
    }
    for block in function.block_ids() {
        selection.operands::<M>(function, block);
    }
    selection.sunk
}

/// How often each value is used.
pub(super) fn uses(function: &Function) -> Vec<u32> {
    let mut uses = vec![0; function.nodes.len()];
    for block in function.block_ids() {
        for &node in &function[block].nodes {
            function.for_each_arg(node, |arg| uses[arg.0 as usize] += 1);
        }
        function.for_each_exit_arg(block, |arg| uses[arg.0 as usize] += 1);
    }
    uses
}

/// How much has happened, of what loads must not move over.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Seen {
    /// Writes, calls.
    writes: u32,
    /// These, and what may trap.
    traps: u32,
}

struct Selection {
    sunk: Vec<bool>,
    uses: Vec<u32>,
    /// The block of each node so far.
    home: Vec<Option<BlockId>>,
    /// What had happened when a load was executed.
    seen: Vec<Seen>,
    now: Seen,
}

impl Selection {
    /// Comparisons that decide something in their block, and nothing else.
    fn comparisons(&mut self, function: &Function, block: BlockId) {
        for &node in &function[block].nodes {
            let data = &function[node];
            if matches!(data.op, Op::Compare(..) | Op::FloatCompare(..)) {
                self.home[node.0 as usize] = Some(block);
            }
            if matches!(data.op, Op::Select | Op::TrapIf(_)) {
                self.sink_comparison(block, data.args[0]);
            }
        }
        if let Exit::Branch(cond, _) = function[block].exit {
            self.sink_comparison(block, cond);
        }
    }

    fn sink_comparison(&mut self, block: BlockId, cond: Value) {
        let at = cond.0 as usize;
        self.sunk[at] = self.uses[at] == 1 && self.home[at] == Some(block);
    }

    /// Loads and shifts that feed one operation.
    fn operands<M: Masm>(&mut self, function: &mut Function, block: BlockId) {
        for i in 0..function[block].nodes.len() {
            let node = function[block].nodes[i];
            self.home[node.0 as usize] = Some(block);
            if self.sunk[node.0 as usize] {
                // Its operands are read where it is used.
                continue;
            }
            self.second_operand::<M>(function, block, node);
            let cond = function[node].args[0];
            if cond != Value::NONE && self.sunk[cond.0 as usize] {
                self.second_operand::<M>(function, block, cond);
            }
            match function[node].op.effect() {
                Effect::Pure | Effect::Reads(_) => {}
                Effect::MayTrap | Effect::ReadsAndMayTrap => self.now.traps += 1,
                Effect::Writes(_) | Effect::Calls => {
                    self.now.traps += 1;
                    self.now.writes += 1;
                }
            }
            self.seen[node.0 as usize] = self.now;
        }
        if let Exit::Branch(cond, _) = function[block].exit
            && self.sunk[cond.0 as usize]
        {
            self.second_operand::<M>(function, block, cond);
        }
    }

    /// Sinks what feeds a node as its second operand, or as its first if these can be swapped.
    fn second_operand<M: Masm>(&mut self, function: &mut Function, block: BlockId, node: Value) {
        let data = function[node];
        let [a, b, _] = data.args;
        if a == b || a == Value::NONE || b == Value::NONE {
            return;
        }
        if self.sinks::<M>(function, block, data.op, b) {
            self.sunk[b.0 as usize] = true;
            return;
        }
        let swapped = match data.op {
            // A constant is best where it is.
            _ if function.constant(b).is_some() => None,
            Op::Alu(op, _) if op.commutes() => Some(data.op),
            Op::Float(op, _) if op.commutes() => Some(data.op),
            Op::Compare(cond, width) => Some(Op::Compare(cond.swap(), width)),
            _ => None,
        };
        if let Some(op) = swapped
            && self.sinks::<M>(function, block, data.op, a)
        {
            self.sunk[a.0 as usize] = true;
            function[node].op = op;
            function[node].args[..2].copy_from_slice(&[b, a]);
        }
    }

    fn sinks<M: Masm>(&self, function: &Function, block: BlockId, into: Op, arg: Value) -> bool {
        let at = arg.0 as usize;
        if self.uses[at] != 1 || self.home[at] != Some(block) || self.sunk[at] {
            return false;
        }
        let data = &function[arg];
        match data.op {
            Op::Load(op, alias) => {
                let fits = match (op, into) {
                    (LoadOp::U32, Op::Alu(_, Width::W32) | Op::Compare(_, Width::W32)) => {
                        data.ty == Ty::I32
                    }
                    (LoadOp::U64, Op::Alu(_, Width::W64) | Op::Compare(_, Width::W64)) => true,
                    _ => false,
                };
                M::FOLDS_LOADS && fits && takes_memory(into) && self.stays(arg, alias)
            }
            Op::FloatLoad(part, alias) => {
                let fits = match into {
                    Op::Float(_, FloatWidth::F32) => part == FloatPart::F32,
                    Op::Float(_, FloatWidth::F64) => part == FloatPart::F64,
                    _ => false,
                };
                M::FOLDS_LOADS && fits && takes_float_memory(into) && self.stays(arg, alias)
            }
            Op::Alu(crate::masm::AluOp::Shl, width) => {
                match (into, function.constant(data.args[1])) {
                    (Op::Alu(op, into_width), Some(count)) => {
                        into_width == width && M::folds_shift(op, count)
                    }
                    _ => false,
                }
            }
            _ => false,
        }
    }

    /// Whether a load can be executed now instead of where it is.
    fn stays(&self, load: Value, alias: Alias) -> bool {
        let then = self.seen[load.0 as usize];
        match alias {
            Alias::Fixed => true,
            Alias::Heap => then == self.now,
            Alias::Length | Alias::Table | Alias::Global => then.writes == self.now.writes,
        }
    }
}
