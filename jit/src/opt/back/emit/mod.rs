//! From allocated SSA form to machine code.
//!
//! Blocks are emitted in the order of [`layout`]. A conditional edge whose target wants moves goes through a
//! piece of code behind the function, so that the other edge pays nothing.
//!
//! Slots of a [`Frame`] are those of spilled values, then operands of helpers, then spare places for
//! cycles of moves.

mod calls;
mod catches;
mod nodes;

use super::alloc::{Allocation, Home};
use super::layout;
use super::moves::{self, Move, Moves, Source, Target};
use super::unlikely::Unlikely;
use crate::abi::{Abi, Place};
use crate::contract::{CODE_ALIGN_BYTES, Compiled, Relocation, Site};
use crate::frame::{self, Frame, Prologue};
use crate::masm::{AluOp, Cond, FloatSource, Fpr, Gpr, LoadOp, Masm, Mem, Operand, StoreOp, Width};
use crate::opt::back::select::Selected;
use crate::opt::form::ir::{Alias, BlockId, Edge, Exit, Op, Origin, Ty, Value};
use crate::truncate::Slow;
use catches::Covered;
use zwasm_core::{FuncType, TrapCode};

/// Code behind the function.
enum Cold<'f, L> {
    /// An edge with moves.
    Edge { start: L, edge: &'f Edge },
    Trap {
        start: L,
        code: TrapCode,
        origin: Origin,
    },
    /// What the fast path of a truncation leaves.
    Truncation(Slow<L>),
    /// A reference is of another instance.
    Elsewhere {
        start: L,
        back: L,
        origin: Origin,
        /// The block that the call ends, if it may lead to landing pads.
        invoking: Option<BlockId>,
    },
    /// A helper failed.
    Raise { start: L, origin: Origin },
}

/// What else there is to know.
#[derive(Clone, Copy)]
pub(crate) struct Options {
    /// Fill [`Compiled::operators`].
    pub(crate) record_operators: bool,
    /// No function of the module leaves its instance by a tail call.
    pub(crate) callees_return_here: bool,
    /// No function of the module has tail calls.
    pub(crate) callees_keep_stack: bool,
    /// The function's index among the defined ones, if this is the code that calls of it enter.
    pub(crate) own: Option<u32>,
    /// Where in the context the numbers of types begin that indirect calls name.
    pub(crate) called_types: u32,
}

pub(crate) struct Emitter<'f, M: Masm> {
    function: &'f Selected,
    allocation: &'f Allocation,
    masm: M,
    abi: Abi,
    frame: Frame,
    own: Option<u32>,
    called_types: u32,
    relocations: Vec<Relocation>,
    /// Where the function begins.
    entry: M::Label,
    labels: Vec<M::Label>,
    /// Where a jump to each block goes on: elsewhere if the block has no code but a jump.
    landings: Vec<BlockId>,
    /// How many blocks come before each.
    positions: Vec<u32>,
    cold: Vec<Cold<'f, M::Label>>,
    sites: Vec<Site>,
    /// Where the code of each block begins, in bytes.
    offsets: Vec<u32>,
    covered: Vec<Covered>,
    /// The block that is being emitted.
    current: BlockId,
    /// The block whose last call is being emitted, if that may lead to landing pads.
    invoking: Option<BlockId>,
    /// Slots for the operands of helpers, and for what landing pads are given.
    helper_slots: u32,
    /// Registers that helpers change, of those that values are in; known where it matters.
    volatile: Vec<Home>,
    spares: u32,
    outgoing_bytes: u32,
    /// The operator whose code is being made.
    origin: Origin,
    prologue_bytes: u32,
    callees_return_here: bool,
    callees_keep_stack: bool,
    /// Offsets of code and of the operators that it came from, when asked for.
    operators: Option<Vec<(u32, u32)>>,
    /// Moves that are to be done at once.
    moves: Moves,
}

/// Emits a function. `None` when branches do not reach: it is to be done again with far ones.
pub(crate) fn emit<M: Masm>(
    masm: M,
    signature: &FuncType,
    function: &Selected,
    allocation: &Allocation,
    options: Options,
) -> Option<Compiled> {
    let mut masm = masm;
    let labels = function.blocks.iter().map(|_| masm.label()).collect();
    let entry = masm.label();
    let volatile = calls::volatile(function, allocation, M::FILE);
    let helper_slots = calls::helper_slots(function, &volatile);
    let emitter = Emitter {
        function,
        allocation,
        masm,
        abi: Abi::of(signature, M::FILE),
        frame: Frame::new(M::FILE, allocation.saved.len(), 0),
        labels,
        landings: Vec::new(),
        positions: Vec::new(),
        cold: Vec::new(),
        sites: Vec::new(),
        offsets: vec![0; function.blocks.len()],
        covered: Vec::new(),
        current: BlockId(0),
        invoking: None,
        helper_slots,
        volatile,
        spares: 0,
        outgoing_bytes: 0,
        origin: Origin::default(),
        prologue_bytes: 0,
        operators: options.record_operators.then(Vec::new),
        callees_return_here: options.callees_return_here,
        callees_keep_stack: options.callees_keep_stack,
        own: options.own,
        called_types: options.called_types,
        relocations: Vec::new(),
        entry,
        moves: Moves::default(),
    };
    emitter.run()
}

impl<'f, M: Masm> Emitter<'f, M> {
    fn run(mut self) -> Option<Compiled> {
        let prologue = self.prologue();
        self.landings = self.landings();
        let mut order = layout::order(self.function);
        let unlikely = Unlikely::of(self.function);
        if !unlikely.is_empty() {
            unlikely.move_behind(&mut order);
        }
        self.positions = vec![0; order.len()];
        for (position, block) in (0..).zip(&order) {
            self.positions[block.0 as usize] = position;
        }
        let coded = order.into_iter();
        let coded: Vec<BlockId> = coded.filter(|&it| self.landing(it) == it).collect();
        let is_dispatch_head = layout::dispatch_heads(self.function);
        for (i, &block) in coded.iter().enumerate() {
            if is_dispatch_head[block.0 as usize] {
                self.masm.align(CODE_ALIGN_BYTES);
            }
            self.block(block, coded.get(i + 1).copied());
        }
        self.finish_cold(prologue.overflow());
        let slots = self.allocation.slot_count + self.helper_slots + 2 * self.spares;
        let frame_bytes = self.frame.bytes(slots, self.outgoing_bytes);
        prologue.finish(&mut self.masm, frame_bytes);
        Site::sort(&mut self.sites);
        let catches = self.catches();
        self.masm.in_reach().then(|| Compiled {
            code: self.masm.finish(),
            sites: self.sites,
            catches,
            frame_bytes,
            prologue_bytes: self.prologue_bytes,
            operators: self.operators.unwrap_or_default(),
            counted: Vec::new(),
            inlined: self.function.inlined.clone(),
            relocations: self.relocations,
        })
    }

    // --- frame ---

    /// The memory of frame slot `slot`, of a value of this type; its low half is lowest.
    fn slot_mem(&self, slot: u32, ty: Ty) -> Mem {
        self.frame.slot(slot, ty.slots())
    }

    fn prologue(&mut self) -> Prologue<M::Label> {
        self.masm.bind(self.entry);
        let prologue = Prologue::begin(&mut self.masm, self.frame, &self.allocation.saved);
        let params = &self.function.blocks[0].params;
        for (&param, place) in params.iter().zip(self.abi.params.clone()) {
            let from = match place {
                Place::Gpr(gpr) => Source::Gpr(gpr),
                Place::Fpr(fpr) => Source::Fpr(fpr),
                Place::Stack(at) => Source::Memory(self.frame.stack_area(at)),
            };
            let one = self.param_move(param, from);
            one.into_iter().for_each(|one| self.moves.push(one));
        }
        self.emit_moves();
        self.prologue_bytes = self.masm.offset();
        prologue
    }

    fn epilogue(&mut self) {
        frame::restore_saved(&mut self.masm, self.frame, &self.allocation.saved);
        self.masm.leave();
    }

    // --- places ---

    /// The register of a value that has one.
    fn gpr(&self, value: Value) -> Gpr {
        match self.function[value].op {
            Op::Context => M::FILE.context,
            Op::MemoryBase => M::FILE.memory_base,
            _ => match self.allocation.homes[value.0 as usize] {
                Home::Gpr(gpr) => gpr,
                other => unreachable!("{value} is in {other:?}"),
            },
        }
    }

    fn fpr(&self, value: Value) -> Fpr {
        match self.allocation.homes[value.0 as usize] {
            Home::Fpr(fpr) => fpr,
            other => unreachable!("{value} is in {other:?}"),
        }
    }

    /// A second operand: a register, a constant that instructions hold, or what was sunk.
    fn operand(&self, value: Value) -> Operand {
        if self.function.is_sunk(value) {
            let node = &self.function[value];
            let [a, b, _] = node.args;
            return match node.op {
                Op::Alu(AluOp::Shl, _) => {
                    let count = self.function.constant(b).expect("sunk for its count");
                    Operand::Shl(self.gpr(a), count as u8)
                }
                _ => Operand::Mem(self.sunk_mem(value)),
            };
        }
        match self.function.constant(value) {
            Some(bits) if self.function[value].ty == Ty::I32 => Operand::Imm(bits as i32),
            Some(bits) => Operand::Imm(bits as i64 as i32),
            None => Operand::Reg(self.gpr(value)),
        }
    }

    /// A second operand of a float operation that is in no register.
    fn float_source(&self, value: Value) -> Option<FloatSource> {
        if let Some(bits) = self.function.constant(value) {
            return Some(FloatSource::Constant(bits));
        }
        let is_sunk = self.function.is_sunk(value);
        is_sunk.then(|| FloatSource::Mem(self.sunk_mem(value)))
    }

    /// The memory that a load or a reload reads, which is part of another instruction.
    fn sunk_mem(&self, value: Value) -> Mem {
        let node = &self.function[value];
        let [a, b, _] = node.args;
        match node.op {
            Op::Load(..) | Op::FloatLoad(..) => self.mem(a, b, node.imm),
            Op::Reload => {
                let slot = self.allocation.slots[a.0 as usize].expect("it was spilled");
                self.slot_mem(slot, node.ty)
            }
            other => unreachable!("{other:?} is no operand in memory"),
        }
    }

    /// After an instruction: whether a load that is part of it may have faulted there.
    fn sunk_fault(&mut self, node: Value) {
        let function = self.function;
        let second = function[node].args[1];
        if second == Value::NONE || !self.function.is_sunk(second) {
            return;
        }
        if let Op::Load(_, Alias::Heap) | Op::FloatLoad(_, Alias::Heap) = function[second].op {
            let offset = self.masm.last_access();
            let trap = Some(TrapCode::MemoryOutOfBounds);
            let origin = function.origins[second.0 as usize];
            self.sites.push(site(offset, trap, origin));
        }
    }

    /// Where a value can be read: its slot if it was spilled, for its register may hold another by
    /// now.
    fn source(&self, value: Value) -> Source {
        let node = &self.function[value];
        match node.op {
            Op::Const => return Source::Constant(node.imm, 0),
            Op::VectorConst => {
                let [low, high] = self.function.vectors[node.imm as usize];
                return Source::Constant(low, high);
            }
            Op::Context => return Source::Gpr(M::FILE.context),
            Op::MemoryBase => return Source::Gpr(M::FILE.memory_base),
            _ => {}
        }
        if let Some(slot) = self.allocation.slots[value.0 as usize] {
            return Source::Memory(self.slot_mem(slot, node.ty));
        }
        match self.allocation.homes[value.0 as usize] {
            Home::Gpr(gpr) => Source::Gpr(gpr),
            Home::Fpr(fpr) => Source::Fpr(fpr),
            Home::None => unreachable!("{value} is nowhere"),
        }
    }

    /// The move that gives a parameter its value: to its register or its slot. One that is neither
    /// used nor spilled has none.
    fn param_move(&self, param: Value, from: Source) -> Option<Move> {
        let ty = self.function[param].ty;
        let to = match self.allocation.homes[param.0 as usize] {
            Home::Gpr(gpr) => Target::Gpr(gpr),
            Home::Fpr(fpr) => Target::Fpr(fpr),
            Home::None => {
                let slot = self.allocation.slots[param.0 as usize]?;
                Target::Memory(self.slot_mem(slot, ty))
            }
        };
        Some(Move { to, from, ty })
    }

    /// Emits what is in [`Self::moves`].
    fn emit_moves(&mut self) {
        let mut spares = 0;
        let first = self.allocation.slot_count + self.helper_slots;
        let frame = self.frame;
        self.moves.emit(&mut self.masm, |index| {
            spares = spares.max(index + 1);
            frame.slot(first + 2 * index, 2)
        });
        self.spares = self.spares.max(spares);
    }

    /// After a definition: a spilled value goes to its slot.
    fn spill(&mut self, value: Value) {
        let Some(slot) = self.allocation.slots[value.0 as usize] else {
            return;
        };
        let ty = self.function[value].ty;
        let mem = self.slot_mem(slot, ty);
        match self.allocation.homes[value.0 as usize] {
            Home::Gpr(gpr) => self.masm.store(StoreOp::B8, gpr, mem),
            Home::Fpr(fpr) => self.masm.float_store(ty.part(), fpr, mem),
            Home::None => {}
        }
    }

    // --- traps ---

    fn trap_label(&mut self, code: TrapCode) -> M::Label {
        let start = self.masm.label();
        let origin = self.origin;
        self.cold.push(Cold::Trap {
            start,
            code,
            origin,
        });
        start
    }

    fn site(&mut self, offset: u32, trap: Option<TrapCode>) {
        self.sites.push(site(offset, trap, self.origin));
    }

    // --- blocks ---

    /// Edges through blocks without code end where these blocks lead.
    fn landings(&self) -> Vec<BlockId> {
        let function = self.function;
        let mut landings: Vec<BlockId> = function.block_ids().collect();
        // What is ahead is known; back lead only edges to the heads of loops.
        for block in (1..landings.len() as u32).rev().map(BlockId) {
            let data = &function[block];
            let is_empty = data.nodes.iter().all(|&node| self.function.is_sunk(node));
            if let Exit::Jump(edge) = &data.exit
                && is_empty
                && !data.is_loop_header
                && !self.has_moves(edge)
            {
                landings[block.0 as usize] = landings[edge.to.0 as usize];
            }
        }
        landings
    }

    fn landing(&self, block: BlockId) -> BlockId {
        self.landings[block.0 as usize]
    }

    /// Where a jump to a block goes.
    fn label(&self, block: BlockId) -> M::Label {
        self.labels[self.landing(block).0 as usize]
    }

    /// Emits a block; `next` comes behind it.
    fn block(&mut self, block: BlockId, next: Option<BlockId>) {
        let label = self.labels[block.0 as usize];
        self.masm.bind(label);
        self.offsets[block.0 as usize] = self.masm.offset();
        let function = self.function;
        self.current = block;
        for &node in &function[block].nodes {
            if !self.function.is_sunk(node) {
                self.origin = function.origins[node.0 as usize];
                self.record_operator();
                self.node(node);
            }
        }
        self.origin = function[block].exit_origin;
        self.record_operator();
        match &function[block].exit {
            Exit::Open => unreachable!("verified"),
            Exit::Jump(edge) => self.follow(edge, next),
            Exit::Branch(cond, [yes, no]) => self.branch(block, *cond, [yes, no], next),
            Exit::Table(index, edges) => self.table(*index, edges),
            Exit::Return(values) => self.return_(values),
            Exit::Trap(code) => {
                self.site(self.masm.offset(), Some(*code));
                self.masm.trap(*code);
            }
            Exit::TailCall(call) => self.tail_call(*call),
            Exit::Invoke(edges) => self.follow(&edges[0], next),
        }
    }

    fn record_operator(&mut self) {
        // Constants and reloads are no operator's.
        if self.origin.offset != 0
            && let Some(operators) = &mut self.operators
        {
            let origin = self.function.outermost(self.origin);
            operators.push((self.masm.offset(), origin.offset));
        }
    }

    /// What gives the parameters of an edge's target their values.
    fn edge_moves<'e>(&'e self, edge: &'e Edge) -> impl Iterator<Item = Move> {
        let params = self.function[edge.to].params.iter();
        let is_held = |param: Value| {
            self.allocation.homes[param.0 as usize] != Home::None
                || self.allocation.slots[param.0 as usize].is_some()
        };
        params
            .zip(&edge.args)
            .filter(move |&(&param, _)| is_held(param))
            .filter_map(|(&param, &arg)| self.param_move(param, self.source(arg)))
    }

    fn has_moves(&self, edge: &Edge) -> bool {
        self.edge_moves(edge).any(|one| !one.is_nothing())
    }

    fn emit_edge_moves(&mut self, edge: &Edge) {
        let mut moves = core::mem::take(&mut self.moves);
        self.edge_moves(edge).for_each(|one| moves.push(one));
        self.moves = moves;
        self.emit_moves();
    }

    /// Goes along an edge, by falling through where that is possible.
    fn follow(&mut self, edge: &Edge, next: Option<BlockId>) {
        self.emit_edge_moves(edge);
        if Some(self.landing(edge.to)) != next {
            self.masm.jump(self.label(edge.to));
        }
    }

    /// The label that a conditional edge leads to.
    fn edge_label(&mut self, edge: &'f Edge) -> M::Label {
        if !self.has_moves(edge) {
            return self.label(edge.to);
        }
        let start = self.masm.label();
        self.cold.push(Cold::Edge { start, edge });
        start
    }

    fn branch(
        &mut self,
        block: BlockId,
        cond: Value,
        [yes, no]: [&'f Edge; 2],
        next: Option<BlockId>,
    ) {
        // The edge that goes on here pays for its moves in place, and so does one back to a loop's
        // start: it is taken more often than not.
        let (taken, other, negated) = if Some(self.landing(yes.to)) == next {
            (no, yes, true)
        } else {
            (yes, no, false)
        };
        let position = |block: BlockId| self.positions[block.0 as usize];
        let leads_back = position(self.landing(taken.to)) <= position(block);
        if leads_back && self.has_moves(taken) {
            let leaves = self.masm.label();
            self.branch_if(cond, !negated, leaves);
            self.follow(taken, next);
            self.masm.bind(leaves);
        } else {
            let label = self.edge_label(taken);
            self.branch_if(cond, negated, label);
        }
        self.follow(other, next);
    }

    /// Goes to a label when a condition holds, or when it does not.
    fn branch_if(&mut self, cond: Value, negated: bool, label: M::Label) {
        let (cond_value, node) = (cond, self.function[cond]);
        if self.function.is_sunk(cond) {
            let [a, b, _] = node.args;
            match node.op {
                Op::Compare(cond, width) => {
                    let cond = if negated { cond.negate() } else { cond };
                    match self.function.constant(a) {
                        // Memory comes second as long as it is a node.
                        Some(constant) => {
                            let (cond, constant) = (cond.swap(), constant as i32);
                            self.branch_if_constant(cond, width, b, constant, label);
                        }
                        None if self.function.is_sunk(a) => {
                            self.branch_if_signature(cond.swap(), a, b, label);
                        }
                        None => {
                            let (a, b) = (self.gpr(a), self.operand(b));
                            self.masm.branch_if(cond, width, a, b, label);
                        }
                    }
                    self.sunk_fault(cond_value);
                }
                Op::FloatCompare(cond, width) => {
                    let (a, b) = (self.fpr(a), self.fpr(b));
                    self.masm.float_branch_if(cond, negated, width, a, b, label);
                }
                other => unreachable!("{other:?} is no comparison"),
            }
            return;
        }
        let when = if negated { Cond::Eq } else { Cond::Ne };
        let register = self.gpr(cond);
        self.masm
            .branch_if(when, Width::W32, register, Operand::Imm(0), label);
    }

    /// Goes to a label when a comparison with a constant holds.
    fn branch_if_constant(&mut self, cond: Cond, width: Width, a: Value, b: i32, label: M::Label) {
        if !self.function.is_sunk(a) {
            let a = self.gpr(a);
            return self.masm.branch_if(cond, width, a, Operand::Imm(b), label);
        }
        let load = match (self.function[a].op, width) {
            (Op::Load(op, _), _) => op,
            (_, Width::W32) => LoadOp::U32,
            (_, Width::W64) => LoadOp::U64,
        };
        let mem = self.sunk_mem(a);
        self.masm.branch_if_memory(cond, load, mem, b, label);
    }

    /// Goes to a label when a comparison of memory with the number of a type holds.
    fn branch_if_signature(&mut self, cond: Cond, number: Value, of: Value, label: M::Label) {
        let mem = self.sunk_mem(of);
        let offset = self.masm.branch_if_memory_later(cond, mem, label);
        let at = self.function[number].imm as u32 - self.called_types;
        self.relocations.push(Relocation {
            offset,
            called_type: at / 8,
        });
    }

    fn table(&mut self, index: Value, edges: &'f [Edge]) {
        let index = self.gpr(index);
        let (last, rest) = edges.split_last().expect("the default is there");
        let default = self.edge_label(last);
        let count = Operand::Imm(rest.len() as i32);
        self.masm
            .branch_if(Cond::GeU, Width::W32, index, count, default);
        if !rest.is_empty() {
            let targets: Vec<M::Label> = rest.iter().map(|edge| self.edge_label(edge)).collect();
            self.masm.jump_table(index, &targets);
        }
    }

    fn return_(&mut self, values: &[Value]) {
        let places = self.abi.results.clone();
        self.pass(values, &places, self.frame.stack_area(0));
        self.epilogue();
    }

    /// Moves values to where a caller or callee expects them: those on the stack first, which need
    /// scratch registers.
    fn pass(&mut self, values: &[Value], places: &[Place], area: Mem) {
        for (&value, &place) in values.iter().zip(places) {
            let (from, ty) = (self.source(value), self.function[value].ty);
            let to = match place {
                Place::Gpr(gpr) => Target::Gpr(gpr),
                Place::Fpr(fpr) => Target::Fpr(fpr),
                Place::Stack(at) => {
                    let mem = Mem::at(area.base, area.displacement + at as i32);
                    let to = Target::Memory(mem);
                    moves::emit_one(&mut self.masm, Move { to, from, ty });
                    continue;
                }
            };
            self.moves.push(Move { to, from, ty });
        }
        self.emit_moves();
    }

    fn finish_cold(&mut self, overflow: M::Label) {
        let mut next = 0;
        while next < self.cold.len() {
            let one = core::mem::replace(
                &mut self.cold[next],
                Cold::Trap {
                    start: overflow,
                    code: TrapCode::StackOverflow,
                    origin: Origin::default(),
                },
            );
            next += 1;
            match one {
                Cold::Edge { start, edge } => {
                    self.masm.bind(start);
                    self.emit_edge_moves(edge);
                    self.masm.jump(self.label(edge.to));
                }
                Cold::Trap {
                    start,
                    code,
                    origin,
                } => {
                    self.masm.bind(start);
                    self.origin = origin;
                    self.site(self.masm.offset(), Some(code));
                    self.masm.trap(code);
                }
                Cold::Truncation(slow) => slow.emit(&mut self.masm),
                Cold::Elsewhere {
                    start,
                    back,
                    origin,
                    invoking,
                } => {
                    self.masm.bind(start);
                    self.origin = origin;
                    self.invoking = invoking;
                    self.call_elsewhere(back);
                }
                Cold::Raise { start, origin } => {
                    self.masm.bind(start);
                    self.origin = origin;
                    self.raise();
                }
            }
        }
        self.masm.bind(overflow);
        // No callee has begun yet.
        self.origin = self.function.outermost(self.origin);
        self.site(self.masm.offset(), Some(TrapCode::StackOverflow));
        self.masm.trap(TrapCode::StackOverflow);
    }
}

fn site(offset: u32, trap: Option<TrapCode>, origin: Origin) -> Site {
    Site {
        offset,
        trap,
        module_offset: origin.offset,
        scope: origin.scope,
    }
}
