//! Instruction selection: which nodes are no instructions of their own, but parts of the one that
//! uses them.
//!
//! Such a node is *sunk*: a comparison into the branches, selections and traps that it decides, a load
//! into the operation that it feeds, a shift into additions. Its own operands are read there. Shifts
//! and comparisons may be done several times, if that leaves no use of their result in a register;
//! comparisons and loads are sunk within their block. Of what is done several times, each user gets a
//! copy, and so does each comparison with the number of a type, which can be a part of it. A load moves over nothing that it could be told from: what has no effect, and for loads that
//! cannot fault, what only traps.

use crate::masm::{AluOp, Cond, FloatPart, FloatWidth, LoadOp, Target, Width};
use crate::opt::form::ir::{Alias, BlockId, Effect, Exit, Function, Node, Op, Origin, Ty, Value};
use core::fmt;
use core::ops::{Deref, DerefMut, Range};
use foldhash::{HashMap, HashMapExt};

/// Whether operand 1 of an operation can be an integer in memory.
pub(crate) fn takes_memory(op: Op) -> bool {
    match op {
        Op::Alu(op, _) => !op.is_shift(),
        Op::Compare(..) => true,
        _ => false,
    }
}

/// Whether operand 1 of an operation can be a float or a vector in memory.
pub(crate) fn takes_float_memory(op: Op, target: &Target) -> bool {
    match op {
        Op::Float(op, _) => op.is_arithmetic(),
        Op::VecBinary(op) => (target.folds_vector)(op),
        _ => false,
    }
}

/// A function whose instructions are chosen: some of its nodes are sunk.
#[derive(Debug)]
pub(crate) struct Selected {
    function: Function,
    /// Of each node.
    sunk: Vec<bool>,
}

impl Selected {
    /// Every node is an instruction of its own.
    pub(crate) fn plain(function: Function) -> Selected {
        let sunk = vec![false; function.nodes.len()];
        Selected { function, sunk }
    }

    /// Whether a node is part of the instructions that use it.
    pub(crate) fn is_sunk(&self, value: Value) -> bool {
        self.sunk[value.0 as usize]
    }

    /// Adds a node to none of the blocks.
    pub(crate) fn add_selected(&mut self, node: Node, origin: Origin, is_sunk: bool) -> Value {
        self.sunk.push(is_sunk);
        self.function.add(node, origin)
    }
}

impl Deref for Selected {
    type Target = Function;

    fn deref(&self) -> &Function {
        &self.function
    }
}

/// For what adds no node: [`Selected::add_selected`] does.
impl DerefMut for Selected {
    fn deref_mut(&mut self) -> &mut Function {
        &mut self.function
    }
}

/// The function, and behind it the nodes that are sunk.
impl fmt::Display for Selected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}sunk:", self.function)?;
        let values = (0..self.sunk.len() as u32).map(Value);
        let mut sunk = values.filter(|&value| self.is_sunk(value));
        sunk.try_for_each(|value| write!(f, " {value}"))?;
        writeln!(f)
    }
}

/// Chooses the nodes that are sunk. Swaps operands where that makes one possible. At the offsets
/// `signatures` the context holds numbers of types that indirect calls name.
pub(crate) fn run(mut function: Function, target: &Target, signatures: Range<u64>) -> Selected {
    let mut selection = Selection {
        target,
        signatures,
        sunk: vec![false; function.nodes.len()],
        uses: function.uses(),
        home: vec![None; function.nodes.len()],
        seen: vec![Seen::default(); function.nodes.len()],
        now: Seen::default(),
        decided: Vec::new(),
        copies: Vec::new(),
    };
    for block in function.block_ids() {
        selection.comparisons(&mut function, block);
    }
    selection.shifts(&mut function);
    selection.signatures(&mut function);
    selection.insert_copies(&mut function);
    for block in function.block_ids() {
        selection.operands(&mut function, block);
    }
    let sunk = selection.sunk;
    Selected { function, sunk }
}

/// How often a comparison is done at most.
const COMPARISONS_MAX: usize = 4;

/// The arithmetic that an operation does with its two operands.
fn arithmetic(op: Op) -> Option<(AluOp, Width)> {
    match op {
        Op::Alu(op, width) => Some((op, width)),
        Op::Sum(width) => Some((AluOp::Add, width)),
        _ => None,
    }
}

/// Whether an operand of a node is a shift that the node could do itself.
fn is_shift_for(function: &Function, target: &Target, node: Value, arg: Value) -> bool {
    let (data, shift) = (&function[node], &function[arg]);
    match (arithmetic(data.op), shift.op) {
        (Some((op, width)), Op::Alu(AluOp::Shl, shift_width)) => {
            let count = function.constant(shift.args[1]);
            width == shift_width && count.is_some_and(|count| (target.folds_shift)(op, count))
        }
        _ => false,
    }
}

/// How much has happened, of what loads must not move over.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Seen {
    /// Writes, calls.
    writes: u32,
    /// These, and what may trap.
    traps: u32,
}

struct Selection<'t> {
    target: &'t Target,
    signatures: Range<u64>,
    sunk: Vec<bool>,
    uses: Vec<u32>,
    /// The block of each node so far.
    home: Vec<Option<BlockId>>,
    /// What had happened when a load was executed.
    seen: Vec<Seen>,
    now: Seen,
    /// What conditions decide in a block, with the node that asks, or none for the end of the block;
    /// empty between two blocks.
    decided: Vec<(Value, Option<Value>)>,
    /// Copies, with the nodes that use them.
    copies: Vec<(Value, Value)>,
}

impl Selection<'_> {
    /// Comparisons that decide something in their block, and nothing else.
    fn comparisons(&mut self, function: &mut Function, block: BlockId) {
        let mut decided = core::mem::take(&mut self.decided);
        for &node in &function[block].nodes {
            let data = &function[node];
            if matches!(data.op, Op::Compare(..) | Op::FloatCompare(..)) {
                self.home[node.0 as usize] = Some(block);
            }
            // A selection may have the comparison as a value, too: that use is not counted.
            if matches!(data.op, Op::Select | Op::TrapIf(_)) {
                decided.push((data.args[0], Some(node)));
            }
        }
        if let Exit::Branch(cond, _) = function[block].exit {
            decided.push((cond, None));
        }
        decided.sort_by_key(|entry| entry.0);
        for same in decided.chunk_by(|a, b| a.0 == b.0) {
            let cond = same[0].0;
            let most = match function[cond].op {
                Op::Compare(..) => COMPARISONS_MAX,
                _ => 1,
            };
            let at = cond.0 as usize;
            let in_place = self.home[at] == Some(block) && self.uses[at] as usize == same.len();
            if !in_place || same.len() > most {
                continue;
            }
            self.sunk[at] = true;
            for &(_, user) in &same[1..] {
                let copy = self.copy(function, cond);
                match user {
                    Some(user) => {
                        function[user].args[0] = copy;
                        self.copies.push((user, copy));
                    }
                    None => {
                        function[block].exit.set_condition(copy);
                        function[block].nodes.push(copy);
                    }
                }
            }
        }
        decided.clear();
        self.decided = decided;
    }

    /// The same node once more, to be done in another place.
    fn copy(&mut self, function: &mut Function, value: Value) -> Value {
        let copy = function.add(function[value], function.origins[value.0 as usize]);
        self.sunk.push(true);
        self.uses.push(1);
        self.uses[value.0 as usize] -= 1;
        function.for_each_arg(copy, |arg| self.uses[arg.0 as usize] += 1);
        self.home.push(self.home[value.0 as usize]);
        self.seen.push(Seen::default());
        copy
    }

    /// Puts copies in front of the nodes that use them.
    fn insert_copies(&mut self, function: &mut Function) {
        if self.copies.is_empty() {
            return;
        }
        let copies: HashMap<Value, Value> = self.copies.drain(..).collect();
        for block in &mut function.blocks {
            let before = core::mem::take(&mut block.nodes);
            for node in before {
                block.nodes.extend(copies.get(&node));
                block.nodes.push(node);
            }
        }
    }

    /// Shifts all of whose uses are operations that shift an operand.
    fn shifts(&mut self, function: &mut Function) {
        let mut folded: HashMap<Value, Vec<Value>> = HashMap::new();
        for block in function.block_ids() {
            for &node in &function[block].nodes {
                let data = &function[node];
                let [a, b, _] = data.args;
                let Some((op, _)) = arithmetic(data.op) else {
                    continue;
                };
                if a == b || function.constant(b).is_some() {
                    continue;
                }
                if is_shift_for(function, self.target, node, b) {
                    folded.entry(b).or_default().push(node);
                } else if op.commutes() && is_shift_for(function, self.target, node, a) {
                    folded.entry(a).or_default().push(node);
                }
            }
        }
        let mut folded: Vec<(Value, Vec<Value>)> = folded.into_iter().collect();
        folded.sort_unstable();
        for (shift, nodes) in folded {
            if self.uses[shift.0 as usize] as usize != nodes.len() {
                continue;
            }
            self.sunk[shift.0 as usize] = true;
            for (i, node) in nodes.into_iter().enumerate() {
                let second = if i == 0 {
                    shift
                } else {
                    let copy = self.copy(function, shift);
                    self.copies.push((node, copy));
                    copy
                };
                let args = &mut function[node].args;
                if args[0] == shift {
                    args.swap(0, 1);
                }
                args[1] = second;
            }
        }
    }

    /// Loads that feed one operation.
    fn operands(&mut self, function: &mut Function, block: BlockId) {
        for i in 0..function[block].nodes.len() {
            let node = function[block].nodes[i];
            self.home[node.0 as usize] = Some(block);
            if self.sunk[node.0 as usize] {
                // Its operands are read where it is used.
                continue;
            }
            self.second_operand(function, block, node);
            let cond = function[node].args[0];
            if cond != Value::NONE && self.sunk[cond.0 as usize] {
                let is_trap = matches!(function[node].op, Op::TrapIf(_));
                if is_trap {
                    self.compared_signature(function, block, cond);
                }
                self.second_operand(function, block, cond);
                if is_trap {
                    self.compared_memory(function, block, cond);
                }
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
            self.second_operand(function, block, cond);
            self.compared_memory(function, block, cond);
        }
    }

    /// Gives each comparison with the number of a type, of those that trap, a number of its own: it
    /// costs an instruction at most, which is less than to keep it over calls.
    fn signatures(&mut self, function: &mut Function) {
        if self.signatures.is_empty() {
            return;
        }
        // Comparisons that are copies stand in no block yet.
        let originals = function.nodes.len() as u32;
        for block in function.block_ids() {
            for i in 0..function[block].nodes.len() {
                let node = &function[function[block].nodes[i]];
                let cond = node.args[0];
                let is_trap = matches!(node.op, Op::TrapIf(_));
                if !is_trap || cond.0 >= originals || !self.sunk[cond.0 as usize] {
                    continue;
                }
                let Some(at) = self.signature_operand(function, cond) else {
                    continue;
                };
                let number = function[cond].args[at];
                let copy = self.copy(function, number);
                // Whether it is a part of the instruction is not known yet.
                self.sunk[copy.0 as usize] = false;
                self.sunk[number.0 as usize] |= self.uses[number.0 as usize] == 0;
                function[cond].args[at] = copy;
                self.copies.push((cond, copy));
            }
        }
    }

    /// The operand of an equality of 32 bits that is the number of a type, if one is.
    fn signature_operand(&self, function: &Function, cond: Value) -> Option<usize> {
        let data = &function[cond];
        let is_equality = matches!(data.op, Op::Compare(Cond::Eq | Cond::Ne, Width::W32));
        let is_signature = |&at: &usize| self.is_signature(function, data.args[at]);
        is_equality.then(|| (0..2).find(is_signature))?
    }

    /// Sinks both operands of a comparison with the number of a type, which becomes the first one: it
    /// is part of the instruction, and written when the code is put in place.
    fn compared_signature(&mut self, function: &mut Function, block: BlockId, cond: Value) {
        let Some(at) = self.signature_operand(function, cond) else {
            return;
        };
        if !self.target.compares_later {
            return;
        }
        let data = function[cond];
        let (number, other) = (data.args[at], data.args[1 - at]);
        if self.is_movable(block, number) && self.sinks(function, block, data.op, other) {
            self.sunk[number.0 as usize] = true;
            self.sunk[other.0 as usize] = true;
            function[cond].args = [number, other, Value::NONE];
        }
    }

    /// Whether a value is the number of a type, out of the context.
    fn is_signature(&self, function: &Function, value: Value) -> bool {
        let data = &function[value];
        matches!(data.op, Op::Load(LoadOp::U32, Alias::Fixed))
            && function[data.args[0]].op == Op::Context
            && data.args[1] == Value::NONE
            && self.signatures.contains(&data.imm)
    }

    /// Sinks a load that a branch compares with a constant, which becomes the first operand.
    fn compared_memory(&mut self, function: &mut Function, block: BlockId, cond: Value) {
        let data = function[cond];
        let [a, b, _] = data.args;
        let (Op::Compare(..), Some(constant)) = (data.op, function.constant(b)) else {
            return;
        };
        let is_byte = matches!(function[a].op, Op::Load(LoadOp::U8, _));
        let sinks = if is_byte {
            constant <= u64::from(u8::MAX) && self.sinks_byte(function, block, a)
        } else {
            self.sinks(function, block, data.op, a)
        };
        if sinks && let Some(swapped) = data.swapped() {
            self.sunk[a.0 as usize] = true;
            function[cond] = swapped;
        }
    }

    /// Whether a load of a byte can be part of a comparison.
    fn sinks_byte(&self, function: &Function, block: BlockId, arg: Value) -> bool {
        let Op::Load(_, alias) = function[arg].op else {
            return false;
        };
        self.target.folds_loads && self.is_movable(block, arg) && self.stays(arg, alias)
    }

    /// Whether a node is in this block for one use only, and not part of another yet.
    fn is_movable(&self, block: BlockId, arg: Value) -> bool {
        let at = arg.0 as usize;
        self.uses[at] == 1 && self.home[at] == Some(block) && !self.sunk[at]
    }

    /// Sinks what feeds a node as its second operand, or as its first if these can be swapped.
    fn second_operand(&mut self, function: &mut Function, block: BlockId, node: Value) {
        let data = function[node];
        let [a, b, _] = data.args;
        if a == b || a == Value::NONE || b == Value::NONE {
            return;
        }
        if self.sunk[b.0 as usize] {
            return;
        }
        if self.sinks(function, block, data.op, b) {
            self.sunk[b.0 as usize] = true;
            return;
        }
        // A constant is best where it is.
        if function.constant(b).is_none()
            && let Some(swapped) = data.swapped()
            && self.sinks(function, block, data.op, a)
        {
            self.sunk[a.0 as usize] = true;
            function[node] = swapped;
        }
    }

    fn sinks(&self, function: &Function, block: BlockId, into: Op, arg: Value) -> bool {
        if !self.is_movable(block, arg) {
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
                self.target.folds_loads && fits && takes_memory(into) && self.stays(arg, alias)
            }
            Op::FloatLoad(part, alias) => {
                let fits = match into {
                    Op::Float(_, FloatWidth::F32) => part == FloatPart::F32,
                    Op::Float(_, FloatWidth::F64) => part == FloatPart::F64,
                    Op::VecBinary(_) => part == FloatPart::V128,
                    _ => false,
                };
                let takes = || takes_float_memory(into, self.target);
                // With an index, processors split the load off again, and do worse than with two
                // instructions.
                let is_indexed = data.args[1] != Value::NONE;
                self.target.folds_loads && !is_indexed && fits && takes() && self.stays(arg, alias)
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
