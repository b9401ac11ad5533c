//! For the lab: register allocation as a problem that another allocator can be given, and what our
//! own made of it.
//!
//! Both are counted by one model, which leaves out what costs every allocator the same: results of
//! calls and returned values (their registers are not allocatable), arguments on the stack, and
//! constants, which are made where they are used. An edge with arguments that leaves a block with
//! several edges out has a block of its own.

use crate::abi::{self, Place};
use crate::masm::RegisterFile;
use crate::opt::back::alloc::live::has_place;
use crate::opt::back::alloc::{Allocation, Home, Machine, clobbers, in_place};
use crate::opt::back::select::{Selected, takes_float_memory, takes_memory};
use crate::opt::form::ir::{Callee, Edge, Exit, Function, Node, Op, Ty, Value};
use std::collections::HashMap;
use zwasm_core::ValType;

/// A physical register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    /// Of floats and vectors.
    pub is_float: bool,
    /// Its number in its class.
    pub number: u8,
}

/// Where an operand has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// In a register or in memory.
    Anywhere,
    /// In a register.
    Register,
    /// In this one.
    Fixed(Register),
    /// Of a result: in the register of this operand.
    Reuses(usize),
}

/// An instruction.
#[derive(Clone, Debug, Default)]
pub struct Inst {
    /// Values read before anything is written.
    pub uses: Vec<(u32, Constraint)>,
    /// Values written at the end.
    pub defs: Vec<(u32, Constraint)>,
    /// Whether it overwrites all registers that callees do not preserve.
    pub is_call: bool,
    /// Registers overwritten besides.
    pub clobbers: Vec<Register>,
}

/// A basic block; its last instruction is its end.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// Values that it begins with.
    pub params: Vec<u32>,
    /// In order.
    pub insts: Vec<Inst>,
    /// Where it goes on, with arguments.
    pub edges: Vec<(u32, Vec<u32>)>,
    /// How many loops it is in.
    pub depth: u32,
}

/// A function before registers are allocated, and what our allocator made of it.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Block 0 is the entry; it has no parameters.
    pub blocks: Vec<Block>,
    /// Whether each value is a float or vector.
    pub is_float: Vec<bool>,
    /// What may be given: registers that callees do not preserve, and those that they do.
    pub temporary: Vec<Register>,
    /// See `temporary`.
    pub saved: Vec<Register>,
    /// What our allocator inserted.
    pub ours: Inserted,
}

/// What an allocator inserted: in the code, and weighted by ten for each loop around it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inserted {
    /// From register to register.
    pub moves: [f64; 2],
    /// From the frame to a register.
    pub reloads: [f64; 2],
    /// From a register to the frame.
    pub stores: [f64; 2],
    /// Operands that instructions read from the frame.
    pub memory_operands: [f64; 2],
}

/// The weight of an instruction in as many loops.
#[must_use]
pub fn weight(depth: u32) -> f64 {
    10_f64.powi(depth.min(6) as i32)
}

/// Adds one to a static and a weighted count.
pub fn count(counter: &mut [f64; 2], depth: u32) {
    counter[0] += 1.0;
    counter[1] += weight(depth);
}

/// The operands of which one is in the place of the result, where the instruction needs that.
fn reused<'n>(function: &Function, machine: Machine<'_>, node: &'n Node) -> &'n [Value] {
    if !machine.target.two_address {
        return &[];
    }
    match node.op {
        // Copies go anywhere.
        Op::ExtendU | Op::Narrow => &[],
        // Additions have a form with three operands.
        Op::Alu(crate::masm::AluOp::Add, _) => &[],
        // So have shifts by a register, unless these go to a register of their own.
        Op::Alu(op, _)
            if op.is_shift()
                && function.constant(node.args[1]).is_none()
                && clobbers(function, machine, node).is_empty() =>
        {
            &[]
        }
        _ => in_place(node),
    }
}

fn in_register(place: Place) -> Option<Register> {
    match place {
        Place::Gpr(gpr) => Some(Register {
            is_float: false,
            number: gpr.0,
        }),
        Place::Fpr(fpr) => Some(Register {
            is_float: true,
            number: fpr.0,
        }),
        Place::Stack(_) => None,
    }
}

/// The arguments of a call with the registers that they travel in.
fn arguments(
    function: &Function,
    call: usize,
    file: &RegisterFile,
) -> Vec<(Value, Option<Register>)> {
    let site = &function.calls[call];
    let mut args = site.args.iter().copied();
    let mut placed = Vec::new();
    match site.callee {
        Callee::Helper(..) => return args.map(|arg| (arg, None)).collect(),
        Callee::Reference | Callee::Imported => {
            let reference = args.next().unwrap_or(Value::NONE);
            placed.push((reference, in_register(Place::Gpr(file.callee))));
        }
        Callee::Defined(_) => {}
    }
    let types: &[ValType] = &site.params;
    placed.extend(args.zip(abi::params(types, file).map(in_register)));
    placed
}

fn is_placed(function: &Selected, value: Value) -> bool {
    value != Value::NONE && has_place(function[value].op) && !function.is_sunk(value)
}

/// The problem that a function is before allocation.
pub(super) fn problem(function: &Selected, machine: Machine<'_>) -> Problem {
    let register = |is_float| move |number| Register { is_float, number };
    let file = machine.target.file;
    let general = file.temporary.iter().chain(file.rare).map(|gpr| gpr.0);
    let floats = file.float_temporary.iter().map(|fpr| fpr.0);
    let mut temporary: Vec<Register> = general.map(register(false)).collect();
    temporary.extend(floats.map(register(true)));
    let saved = file.saved.iter().map(|gpr| gpr.0);
    let is_float = |node: &Node| matches!(node.ty, Ty::F32 | Ty::F64 | Ty::V128);
    let mut builder = Builder {
        function,
        machine,
        blocks: vec![Block::default(); function.blocks.len()],
        from: HashMap::new(),
        is_float: function.nodes.iter().map(is_float).collect(),
    };
    builder.run();
    Problem {
        blocks: builder.blocks,
        is_float: builder.is_float,
        temporary,
        saved: saved.map(register(false)).collect(),
        ours: Inserted::default(),
    }
}

struct Builder<'b> {
    function: &'b Selected,
    machine: Machine<'b>,
    blocks: Vec<Block>,
    /// Where the blocks of edges come from.
    from: HashMap<usize, usize>,
    is_float: Vec<bool>,
}

impl Builder<'_> {
    fn run(&mut self) {
        let function = self.function;
        for id in function.block_ids() {
            let data = &function[id];
            let at = id.0 as usize;
            let mut insts = Vec::new();
            if at == 0 {
                let places = self.machine.params.iter();
                let def = |(&param, &place): (&Value, &Place)| {
                    let fixed = in_register(place).map(Constraint::Fixed);
                    (param.0, fixed.unwrap_or(Constraint::Anywhere))
                };
                insts.push(Inst {
                    defs: data.params.iter().zip(places).map(def).collect(),
                    ..Inst::default()
                });
            } else {
                self.blocks[at].params = data.params.iter().map(|param| param.0).collect();
            }
            for &node in &data.nodes {
                self.node(node, &mut insts);
            }
            self.exit(&data.exit, &mut insts);
            self.blocks[at].depth = data.loop_depth;
            self.blocks[at].insts = insts;
            self.edges(at, data.exit.edges());
        }
        self.order();
    }

    /// Puts each block of an edge behind the block that it comes from: allocators take back edges in
    /// the order of blocks for loops.
    fn order(&mut self) {
        let mut order: Vec<usize> = (0..self.blocks.len()).collect();
        order.sort_by_key(|&at| match self.from.get(&at) {
            Some(&from) => (from, at),
            None => (at, 0),
        });
        let mut number = vec![0; order.len()];
        for (new, &old) in order.iter().enumerate() {
            number[old] = new as u32;
        }
        let mut old: Vec<Block> = core::mem::take(&mut self.blocks);
        for at in order {
            let mut block = core::mem::take(&mut old[at]);
            for edge in &mut block.edges {
                edge.0 = number[edge.0 as usize];
            }
            self.blocks.push(block);
        }
    }

    /// Operands that must be in registers, also those of what is part of the instruction.
    fn operands(&self, node: Value, uses: &mut Vec<(u32, Constraint)>) {
        let function = self.function;
        let is_call = function[node].op == Op::Call;
        function.for_each_arg(node, |arg| {
            if self.function.is_sunk(arg) {
                self.operands(arg, uses);
            } else if has_place(function[arg].op) && !is_call {
                uses.push((arg.0, Constraint::Register));
            }
        });
    }

    fn node(&mut self, node: Value, insts: &mut Vec<Inst>) {
        let function = self.function;
        let data = &function[node];
        if self.function.is_sunk(node) {
            return;
        }
        let mut inst = Inst::default();
        match data.op {
            Op::Call => {
                self.call(data.imm as usize, &mut inst, insts);
                insts.push(inst);
                return;
            }
            Op::CallResult => {}
            _ => self.operands(node, &mut inst.uses),
        }
        let second = data.args[1];
        for clobber in clobbers(function, self.machine, data) {
            let register = Register {
                is_float: false,
                number: clobber.register.0,
            };
            if clobber.may_hold_second && is_placed(function, second) {
                let mut uses = inst.uses.iter_mut().rev();
                if let Some(one) = uses.find(|one| one.0 == second.0) {
                    // It stays there.
                    one.1 = Constraint::Fixed(register);
                    continue;
                }
            }
            inst.clobbers.push(register);
        }
        let folds = self.machine.target.folds_loads
            && (takes_memory(data.op) || takes_float_memory(data.op, self.machine.target))
            && is_placed(function, second)
            && data.args[0] != second;
        if folds && let Some(one) = inst.uses.iter_mut().rev().find(|one| one.0 == second.0) {
            one.1 = Constraint::Anywhere;
        }
        if data.ty != Ty::None {
            let reused = reused(function, self.machine, data);
            let is_constant = |value: &Value| !has_place(function[*value].op);
            // A constant comes to be in the result's register at once.
            let candidates = if reused.iter().any(is_constant) {
                &[]
            } else {
                reused
            };
            let at = candidates.iter().find_map(|&value| {
                let is_it =
                    |one: &(u32, Constraint)| one.0 == value.0 && one.1 == Constraint::Register;
                inst.uses.iter().position(is_it)
            });
            let constraint = at.map_or(Constraint::Register, Constraint::Reuses);
            inst.defs.push((node.0, constraint));
        }
        insts.push(inst);
    }

    fn call(&mut self, call: usize, inst: &mut Inst, insts: &mut Vec<Inst>) {
        inst.is_call = true;
        for (arg, register) in arguments(self.function, call, self.machine.target.file) {
            let constraint = register.map_or(Constraint::Anywhere, Constraint::Fixed);
            if has_place(self.function[arg].op) {
                inst.uses.push((arg.0, constraint));
            } else if register.is_some() {
                inst.uses.push((self.constant(arg, insts), constraint));
            }
        }
    }

    /// A constant in a register.
    fn constant(&mut self, value: Value, insts: &mut Vec<Inst>) -> u32 {
        let made = self.is_float.len() as u32;
        self.is_float.push(self.is_float[value.0 as usize]);
        insts.push(Inst {
            defs: vec![(made, Constraint::Register)],
            ..Inst::default()
        });
        made
    }

    fn exit(&mut self, exit: &Exit, insts: &mut Vec<Inst>) {
        let mut inst = Inst::default();
        match exit {
            Exit::Branch(cond, _) | Exit::Table(cond, _) => {
                if self.function.is_sunk(*cond) {
                    self.operands(*cond, &mut inst.uses);
                } else if has_place(self.function[*cond].op) {
                    inst.uses.push((cond.0, Constraint::Register));
                }
            }
            Exit::Return(values) => {
                let placed = values.iter().filter(|v| has_place(self.function[**v].op));
                inst.uses
                    .extend(placed.map(|v| (v.0, Constraint::Anywhere)));
            }
            Exit::TailCall(call) => {
                self.call(*call as usize, &mut inst, insts);
                inst.is_call = false;
            }
            Exit::Jump(_) | Exit::Invoke(_) | Exit::Trap(_) | Exit::Open => {}
        }
        insts.push(inst);
    }

    fn edges(&mut self, at: usize, edges: &[Edge]) {
        let depth = self.blocks[at].depth;
        for edge in edges {
            if edges.len() == 1 {
                let mut insts = core::mem::take(&mut self.blocks[at].insts);
                let end = insts.pop().unwrap_or_default();
                let args = self.edge_args(edge, &mut insts);
                insts.push(end);
                self.blocks[at].insts = insts;
                self.blocks[at].edges.push((edge.to.0, args));
                continue;
            }
            let mut between = Block {
                depth: depth.min(self.function[edge.to].loop_depth),
                ..Block::default()
            };
            let args = self.edge_args(edge, &mut between.insts);
            between.insts.push(Inst::default());
            between.edges.push((edge.to.0, args));
            let number = self.blocks.len() as u32;
            self.from.insert(self.blocks.len(), at);
            self.blocks.push(between);
            self.blocks[at].edges.push((number, Vec::new()));
        }
    }

    fn edge_args(&mut self, edge: &Edge, insts: &mut Vec<Inst>) -> Vec<u32> {
        let mut args = Vec::new();
        for &arg in &edge.args {
            if has_place(self.function[arg].op) {
                args.push(arg.0);
            } else {
                args.push(self.constant(arg, insts));
            }
        }
        args
    }
}

/// What our allocator inserted into the function that it is done with.
pub(super) fn inserted(
    function: &Selected,
    machine: Machine<'_>,
    allocation: &Allocation,
) -> Inserted {
    let mut counter = Counter {
        function,
        machine,
        allocation,
        inserted: Inserted::default(),
    };
    counter.run();
    counter.inserted
}

struct Counter<'c> {
    function: &'c Selected,
    machine: Machine<'c>,
    allocation: &'c Allocation,
    inserted: Inserted,
}

impl Counter<'_> {
    fn register(&self, value: Value) -> Option<Register> {
        match self.allocation.homes[value.0 as usize] {
            Home::None => None,
            Home::Gpr(gpr) => in_register(Place::Gpr(gpr)),
            Home::Fpr(fpr) => in_register(Place::Fpr(fpr)),
        }
    }

    fn is_spilled(&self, value: Value) -> bool {
        self.allocation.slots[value.0 as usize].is_some()
    }

    fn run(&mut self) {
        let function = self.function;
        for (&param, &place) in function.blocks[0].params.iter().zip(self.machine.params) {
            match (in_register(place), self.register(param)) {
                (Some(from), Some(to)) if from != to => count(&mut self.inserted.moves, 0),
                (None, Some(_)) => count(&mut self.inserted.reloads, 0),
                (Some(_), None) if self.is_spilled(param) => count(&mut self.inserted.stores, 0),
                _ => {}
            }
        }
        for id in function.block_ids() {
            let block = &function[id];
            for &node in &block.nodes {
                self.node(node, block.loop_depth);
            }
            if let Exit::TailCall(call) = block.exit {
                self.call(call as usize, block.loop_depth);
            }
            for edge in block.exit.edges() {
                self.edge(edge, block.loop_depth.min(function[edge.to].loop_depth));
            }
        }
        // Saved registers are stored and read again.
        for _ in &self.allocation.saved {
            count(&mut self.inserted.stores, 0);
            count(&mut self.inserted.reloads, 0);
        }
    }

    fn node(&mut self, node: Value, depth: u32) {
        let function = self.function;
        let data = &function[node];
        let is_sunk = self.function.is_sunk(node);
        if data.op == Op::Reload {
            let counter = if is_sunk {
                &mut self.inserted.memory_operands
            } else {
                &mut self.inserted.reloads
            };
            count(counter, depth);
            return;
        }
        if is_sunk {
            return;
        }
        if data.op == Op::Call {
            self.call(data.imm as usize, depth);
        }
        if data.ty == Ty::None {
            return;
        }
        if self.is_spilled(node) {
            count(&mut self.inserted.stores, depth);
        }
        let reused = reused(function, self.machine, data);
        let is_there = |&value: &Value| {
            !has_place(function[value].op)
                || self.function.is_sunk(value)
                || self.register(value) == self.register(node)
        };
        if !reused.is_empty() && self.register(node).is_some() && !reused.iter().any(is_there) {
            count(&mut self.inserted.moves, depth);
        }
    }

    fn call(&mut self, call: usize, depth: u32) {
        for (arg, register) in arguments(self.function, call, self.machine.target.file) {
            if register.is_none() || !has_place(self.function[arg].op) {
                continue;
            }
            if self.is_spilled(arg) {
                count(&mut self.inserted.reloads, depth);
            } else if self.register(arg) != register {
                count(&mut self.inserted.moves, depth);
            }
        }
    }

    fn edge(&mut self, edge: &Edge, depth: u32) {
        for (&param, &arg) in self.function[edge.to].params.iter().zip(&edge.args) {
            let slot = |value: Value| self.allocation.slots[value.0 as usize];
            let is_used = self.is_spilled(param) || self.register(param).is_some();
            if !is_used {
                continue;
            }
            if !has_place(self.function[arg].op) {
                if self.is_spilled(param) {
                    count(&mut self.inserted.stores, depth);
                }
                continue;
            }
            match (self.is_spilled(arg), self.is_spilled(param)) {
                (true, true) if slot(arg) == slot(param) => {}
                (true, true) => {
                    count(&mut self.inserted.reloads, depth);
                    count(&mut self.inserted.stores, depth);
                }
                (true, false) => count(&mut self.inserted.reloads, depth),
                (false, true) => count(&mut self.inserted.stores, depth),
                (false, false) if self.register(arg) != self.register(param) => {
                    count(&mut self.inserted.moves, depth);
                }
                (false, false) => {}
            }
        }
    }
}
