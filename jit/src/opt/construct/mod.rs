//! From validated operators to SSA, in one pass after a scan.
//!
//! Structured control flow makes this simple: a join gets a parameter for each local that its
//! construct assigns ([`scan`]) and for each result; a loop's header for each local assigned in the
//! loop. Parameters that turn out to be one value are removed afterwards. Unreachable operators
//! leave nothing. Code that is entered at a loop is [`midway`]'s.

mod access;
mod bulk;
mod calls;
mod counts;
mod exceptions;
mod inline;
mod midway;
mod numeric;
mod scan;

use crate::contract::Env;
use crate::interruption::Watch;
use crate::masm::{Cond, Width};
use crate::opt::form::ir::{
    Alias, BlockId, Edge, Exit, Function, Node, Op, Origin, Ty, Value, Values,
};
use crate::opt::form::params;
use counts::{Count, Counted};
use exceptions::Try;
use foldhash::{HashMap, HashMapExt};
use inline::{Inlining, Start};
use midway::Midway;
use scan::{Assigned, NO_CONSTRUCT};
use std::sync::Arc;
use wasmparser::{BlockType, BrTable, FunctionBody, Operator};
use zwasm_core::{BlockSignature, FuncType, TrapCode, ValType};

/// Why reading a body cannot fail.
const VALIDATED: &str = "the body was validated when the module was loaded";

/// Why this tier makes no code of a function; the baseline compiler may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsupported {
    /// More merges of locals than are worth the memory.
    TooComplex,
    /// An operator without a form in the intermediate representation.
    Operator,
    /// Nothing: compilation is to end.
    Interrupted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Function,
    Block,
    Loop,
    If,
}

/// An open construct.
struct Frame {
    kind: Kind,
    signature: BlockSignature,
    /// Height of the operand stack below the parameters.
    height: usize,
    /// Operands from here up to `height` are what they are behind the end, too, but differ from branch to
    /// branch; see [`midway`].
    low: usize,
    /// Whether the head of this loop is told, last, whether it is only passed on the way to an inner one.
    passes: bool,
    /// The construct's number, in the order of opening.
    construct: usize,
    /// Where branches lead: a loop's header, else the block behind the end.
    target: BlockId,
    /// Of an `if` without `else` so far: the block, with the locals and parameters at its start.
    to_else: Option<(BlockId, Values, Values)>,
    /// How often code comes to the label so far, forwards, and to the `else`.
    comes: Count,
    comes_to_else: Count,
    /// Whether a branch leads behind the end.
    used: bool,
    /// What all branches behind the end bring for each result and each local that the construct
    /// assigns; [`Value::NONE`] where they differ.
    agreed: Values,
}

impl Frame {
    fn new(
        kind: Kind,
        signature: BlockSignature,
        target: BlockId,
        (height, construct): (usize, usize),
    ) -> Frame {
        Frame {
            kind,
            signature,
            height,
            low: height,
            passes: false,
            construct,
            target,
            to_else: None,
            comes: Count::NEVER,
            comes_to_else: Count::NEVER,
            used: false,
            agreed: Values::new(),
        }
    }

    /// A branch leads to the label so often.
    fn branch_to(&mut self, args: &[Value], count: Count) {
        self.comes = self.comes.plus(count);
        if self.kind == Kind::Loop {
            return;
        }
        if !core::mem::replace(&mut self.used, true) {
            self.agreed = args.into();
            return;
        }
        for (agreed, arg) in self.agreed.iter_mut().zip(args) {
            if agreed != arg {
                *agreed = Value::NONE;
            }
        }
    }

    fn label_types(&self) -> &[ValType] {
        match self.kind {
            Kind::Loop => self.signature.params(),
            _ => self.signature.results(),
        }
    }
}

pub(super) struct Builder<'m> {
    env: Env<'m>,
    watch: &'m Watch<'m>,
    function: Function,
    constants: HashMap<(Ty, u64), Value>,
    /// Numbers in [`Function::vectors`], and constants.
    vectors: HashMap<[u64; 2], (u64, Option<Value>)>,
    context: Value,
    memory_base: Value,
    body: Body,
    inlining: Inlining,
    stack: Vec<Value>,
    control: Vec<Frame>,
    /// Of the frames that have clauses, ascending.
    tries: Vec<Try>,
    /// Landing pads that come before what follows the end of a frame, by the number of the frame.
    pads: HashMap<usize, Vec<BlockId>>,
    /// The block that is being filled, and its nodes so far.
    block: BlockId,
    nodes: Vec<Value>,
    /// All blocks in the order of the source: each after those that dominate it, loops in one
    /// piece.
    order: Vec<BlockId>,
    loop_depth: u32,
    /// How often what is being built runs, and the largest count up to each loop around it, the function's first.
    count: Count,
    around: Vec<Count>,
    /// Counted calls, one at least, and the largest count of the function.
    calls: f32,
    most: f32,
    reachable: bool,
    skipped_blocks: u32,
    /// The operator that is being read.
    origin: Origin,
    /// Of all edges so far.
    edge_args: usize,
    /// What is left to do where code is entered at a loop.
    midway: Option<Midway>,
    /// Of blocks that need fewer parameters than the edges there have arguments: which stay.
    stays: Vec<(BlockId, Vec<bool>)>,
}

/// The body that is being read: the function's, or that of a callee in place of a call.
struct Body {
    local_types: Vec<ValType>,
    locals: Vec<Value>,
    assigned: Assigned,
    next_construct: usize,
    /// Its outermost frame in [`Builder::control`].
    frame: usize,
    /// The function's index in the module.
    func: u32,
    /// The call that a callee is in place of; none of the function itself, and where it was left by
    /// a tail call.
    call: Option<Origin>,
    /// Where a tail call of the same function leads.
    start: Option<Start>,
    /// The body that a callee is in, and whether that was left by a tail call.
    outer: Option<Box<Body>>,
    is_outer_left: bool,
    counted: Option<Counted>,
}

impl Body {
    fn new(func: u32, local_types: Vec<ValType>, assigned: Assigned) -> Body {
        Body {
            func,
            local_types,
            locals: Vec::new(),
            assigned,
            next_construct: 0,
            frame: 0,
            call: None,
            start: None,
            outer: None,
            is_outer_left: false,
            counted: None,
        }
    }

    /// The values of the locals that a construct assigns.
    fn assigned_values(&self, construct: usize) -> impl Iterator<Item = Value> {
        let assigned = self.assigned.of(construct);
        assigned.iter().map(|&local| self.locals[local as usize])
    }
}

/// Edges may have this many arguments in all: valid functions could have billions.
const EDGE_ARGS_MAX: usize = 1 << 22;

/// Builds the intermediate form of a function; callees stand in place of calls where that is
/// allowed and seems to pay.
pub(crate) fn construct<'m>(
    env: Env<'m>,
    func: u32,
    body: &FunctionBody<'_>,
    may_inline: bool,
    watch: &'m Watch<'m>,
) -> Result<Function, Unsupported> {
    let signature = env.types[env.info.funcs[func as usize] as usize].clone();
    let local_types = local_types(env, &signature, body);
    let reader = body.get_operators_reader().expect(VALIDATED);
    let mut assigned = scan::scan(reader, local_types.len())?;
    let midway = match env.enter_at {
        Some(place) => Some(Midway::find(body, place, &mut assigned)?),
        None => None,
    };
    let inlining = Inlining::new(env, func, body, may_inline);
    let own = Body::new(func, local_types, assigned);
    let mut builder = Builder::new(env, own, inlining, body.as_bytes().len(), watch);
    builder.begin_counts(func);
    let may_start_again = may_inline && midway.is_none();
    if let Some(midway) = midway {
        builder.begin_midway(midway);
    }
    builder.enter(&signature, may_start_again);
    builder.operators(body)?;
    builder.settle_start();
    builder.has_entered()?;
    Ok(builder.finish())
}

/// The types of parameters and other locals.
fn local_types(env: Env<'_>, signature: &FuncType, body: &FunctionBody<'_>) -> Vec<ValType> {
    let mut types = signature.params().to_vec();
    for group in body.get_locals_reader().expect(VALIDATED) {
        let (count, ty) = group.expect(VALIDATED);
        let ty = (env.val_type)(ty, env.info);
        types.extend((0..count).map(|_| ty));
    }
    types
}

impl<'m> Builder<'m> {
    /// For a body of this many bytes.
    fn new(
        env: Env<'m>,
        body: Body,
        inlining: Inlining,
        bytes: usize,
        watch: &'m Watch<'m>,
    ) -> Builder<'m> {
        let mut function = Function::default();
        // About as many as large bodies get.
        function.nodes.reserve(bytes / 3);
        function.origins.reserve(bytes / 3);
        let block = function.add_block(0);
        let pinned = |op| Node::new(op, Ty::I64, &[], 0);
        let context = function.add(pinned(Op::Context), Origin::default());
        let memory_base = function.add(pinned(Op::MemoryBase), Origin::default());
        Builder {
            env,
            watch,
            function,
            constants: HashMap::new(),
            vectors: HashMap::new(),
            context,
            memory_base,
            body,
            inlining,
            stack: Vec::new(),
            control: Vec::new(),
            tries: Vec::new(),
            pads: HashMap::new(),
            block,
            nodes: Vec::new(),
            order: vec![block],
            loop_depth: 0,
            count: Count::UNKNOWN,
            around: Vec::new(),
            calls: 1.0,
            most: 0.0,
            reachable: true,
            skipped_blocks: 0,
            origin: Origin::default(),
            edge_args: 0,
            midway: None,
            stays: Vec::new(),
        }
    }

    fn enter(&mut self, signature: &Arc<FuncType>, may_loop: bool) {
        let params = signature.params().iter();
        let params = params
            .map(|&ty| self.param(self.block, Ty::of(ty)))
            .collect();
        self.body.locals = params;
        if may_loop {
            self.open_start();
        }
        self.zero_locals();
        self.control.push(Frame::new(
            Kind::Function,
            BlockSignature::Func(signature.clone()),
            self.block,
            (0, NO_CONSTRUCT),
        ));
    }

    /// Gives the locals that are no parameters their first values.
    fn zero_locals(&mut self) {
        for index in self.body.locals.len()..self.body.local_types.len() {
            let zero = self.zero(Ty::of(self.body.local_types[index]));
            self.body.locals.push(zero);
        }
    }

    /// Reads a body, whose outermost frame is open.
    fn operators(&mut self, body: &FunctionBody<'_>) -> Result<(), Unsupported> {
        let mut reader = body.get_operators_reader().expect(VALIDATED);
        while !reader.eof() {
            self.origin.offset = reader.original_position() as u32;
            let op = reader.read().expect(VALIDATED);
            if self.reachable {
                self.operator(&op)?;
            } else {
                self.skip(&op);
            }
        }
        Ok(())
    }

    // --- nodes ---

    /// Adds a node at the end of the current block.
    fn emit(&mut self, op: Op, ty: Ty, args: &[Value], imm: u64) -> Value {
        self.add(Node::new(op, ty, args, imm))
    }

    fn add(&mut self, node: Node) -> Value {
        let value = self.function.add(node, self.origin);
        self.nodes.push(value);
        value
    }

    fn param(&mut self, block: BlockId, ty: Ty) -> Value {
        let index = self.function[block].params.len() as u64;
        let node = Node::new(Op::Param, ty, &[], index);
        let value = self.function.add(node, self.origin);
        self.function[block].params.push(value);
        value
    }

    fn constant(&mut self, ty: Ty, bits: u64) -> Value {
        let function = &mut self.function;
        *self
            .constants
            .entry((ty, bits))
            .or_insert_with(|| function.add(Node::constant(ty, bits), Origin::default()))
    }

    /// The number of these bytes in [`Function::vectors`].
    fn vector(&mut self, bytes: [u64; 2]) -> u64 {
        let vectors = &mut self.function.vectors;
        let entry = self.vectors.entry(bytes).or_insert_with(|| {
            vectors.push(bytes);
            (vectors.len() as u64 - 1, None)
        });
        entry.0
    }

    fn vector_constant(&mut self, low: u64, high: u64) -> Value {
        let number = self.vector([low, high]);
        let function = &mut self.function;
        let entry = self.vectors.get_mut(&[low, high]).expect("numbered above");
        *entry.1.get_or_insert_with(|| {
            let node = Node::new(Op::VectorConst, Ty::V128, &[], number);
            function.add(node, Origin::default())
        })
    }

    fn zero(&mut self, ty: Ty) -> Value {
        match ty {
            Ty::V128 => self.vector_constant(0, 0),
            ty => self.constant(ty, 0),
        }
    }

    fn i32(&mut self, bits: u32) -> Value {
        self.constant(Ty::I32, u64::from(bits))
    }

    fn pop(&mut self) -> Value {
        self.stack.pop().expect(VALIDATED)
    }

    fn pop2(&mut self) -> [Value; 2] {
        let b = self.pop();
        [self.pop(), b]
    }

    fn pop_many(&mut self, count: usize) -> Values {
        self.stack.drain(self.stack.len() - count..).collect()
    }

    /// The values on top of the stack.
    fn top(&self, count: usize) -> Values {
        self.stack[self.stack.len() - count..].into()
    }

    /// Adds a node whose operands are on the stack, where its result goes.
    fn operate(&mut self, op: Op, ty: Ty, operands: usize, imm: u64) {
        let first = self.stack.len() - operands;
        let node = Node::new(op, ty, &self.stack[first..], imm);
        self.stack.truncate(first);
        let value = self.add(node);
        self.stack.push(value);
    }

    // --- operators ---

    fn operator(&mut self, op: &Operator<'_>) -> Result<(), Unsupported> {
        if self.edge_args > EDGE_ARGS_MAX {
            return Err(Unsupported::TooComplex);
        }
        if self.watch.step() {
            return Err(Unsupported::Interrupted);
        }
        if self.control_operator(op)?
            || self.access_operator(op)?
            || self.numeric_operator(op)
            || self.short_bulk_operator(op)
            || self.call_operator(op)?
        {
            return Ok(());
        }
        Err(Unsupported::Operator)
    }

    /// An operator in unreachable code: only block structure counts.
    fn skip(&mut self, op: &Operator<'_>) {
        match op {
            Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::TryTable { .. } => {
                self.body.next_construct += 1;
                self.skipped_blocks += 1;
            }
            Operator::End if self.skipped_blocks > 0 => self.skipped_blocks -= 1,
            Operator::End => self.end(),
            Operator::Else if self.skipped_blocks == 0 => self.else_(),
            _ => {}
        }
    }

    fn control_operator(&mut self, op: &Operator<'_>) -> Result<bool, Unsupported> {
        match *op {
            Operator::Nop => {}
            Operator::Unreachable => self.close(Exit::Trap(TrapCode::Unreachable)),
            Operator::LocalGet { local_index } => {
                self.stack.push(self.body.locals[local_index as usize]);
            }
            Operator::LocalSet { local_index } => {
                self.body.locals[local_index as usize] = self.pop();
            }
            Operator::LocalTee { local_index } => {
                self.body.locals[local_index as usize] = *self.stack.last().expect(VALIDATED);
            }
            Operator::Drop => {
                self.pop();
            }
            Operator::Select | Operator::TypedSelect { .. } => {
                let cond = self.pop();
                let [a, b] = self.pop2();
                let ty = self.function[a].ty;
                let value = self.emit(Op::Select, ty, &[cond, a, b], 0);
                self.stack.push(value);
            }
            Operator::Block { blockty } => self.block(blockty),
            Operator::Loop { blockty } => self.loop_(blockty)?,
            Operator::If { blockty } => self.if_(blockty),
            Operator::Else => self.else_(),
            Operator::End => self.end(),
            Operator::TryTable { ref try_table } => self.try_table(try_table),
            Operator::Br { relative_depth } => {
                let exit = self.branch_exit(relative_depth);
                self.close(exit);
            }
            Operator::BrIf { relative_depth } => {
                let cond = self.pop();
                self.branch_if(cond, relative_depth);
            }
            Operator::BrTable { ref targets } => self.br_table(targets),
            Operator::BrOnNull { relative_depth } => {
                let reference = self.pop();
                let is_null = self.is_null(reference);
                self.branch_if(is_null, relative_depth);
                self.stack.push(reference);
            }
            Operator::BrOnNonNull { relative_depth } => {
                let reference = *self.stack.last().expect(VALIDATED);
                let zero = self.constant(Ty::I64, 0);
                let op = Op::Compare(Cond::Ne, Width::W64);
                let is_some = self.emit(op, Ty::I32, &[reference, zero], 0);
                self.branch_if(is_some, relative_depth);
                self.pop();
            }
            Operator::RefNull { .. } => {
                let null = self.constant(Ty::I64, 0);
                self.stack.push(null);
            }
            Operator::RefIsNull => {
                let reference = self.pop();
                let is_null = self.is_null(reference);
                self.stack.push(is_null);
            }
            Operator::RefAsNonNull => {
                let reference = *self.stack.last().expect(VALIDATED);
                self.trap_if_null(reference, TrapCode::NullReference);
            }
            Operator::Return => {
                self.leave_body();
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn is_null(&mut self, reference: Value) -> Value {
        let zero = self.constant(Ty::I64, 0);
        let op = Op::Compare(Cond::Eq, Width::W64);
        self.emit(op, Ty::I32, &[reference, zero], 0)
    }

    fn trap_if(&mut self, cond: Value, code: TrapCode) {
        self.emit(Op::TrapIf(code), Ty::None, &[cond], 0);
    }

    fn trap_if_null(&mut self, reference: Value, code: TrapCode) {
        let is_null = self.is_null(reference);
        self.trap_if(is_null, code);
    }

    // --- control flow ---

    /// Goes on in a block that is complete but for its nodes.
    fn start(&mut self, block: BlockId) {
        self.note_count(block);
        self.block = block;
        self.order.push(block);
    }

    /// Adds a block that only leaves again, and runs so often.
    fn edge_block(&mut self, exit: Exit, count: Count) -> BlockId {
        let block = self.function.add_block(self.loop_depth);
        let here = core::mem::replace(&mut self.count, count);
        self.note_count(block);
        self.count = here;
        self.function[block].exit = exit;
        self.function[block].exit_origin = self.origin;
        self.order.push(block);
        block
    }

    /// Numbers the blocks in the order of the source; those that nothing leads to fall away.
    fn finish(mut self) -> Function {
        let mut number = vec![BlockId(u32::MAX); self.function.blocks.len()];
        for (new, &old) in self.order.iter().enumerate() {
            number[old.0 as usize] = BlockId(new as u32);
        }
        if !self.stays.is_empty() {
            self.retain_arguments();
        }
        let blocks = &mut self.function.blocks;
        for &id in &self.order {
            for edge in blocks[id.0 as usize].exit.edges_mut() {
                edge.to = number[edge.to.0 as usize];
            }
        }
        // In place: the blocks are what takes most memory.
        let count = self.order.len();
        drop(core::mem::take(&mut self.order));
        for at in 0..number.len() {
            while (number[at].0 as usize) < count && number[at].0 as usize != at {
                let to = number[at].0 as usize;
                blocks.swap(at, to);
                number.swap(at, to);
            }
        }
        blocks.truncate(count);
        self.function
    }

    /// Drops the arguments of parameters that did not stay.
    fn retain_arguments(&mut self) {
        let stays: HashMap<BlockId, &[bool]> = self
            .stays
            .iter()
            .map(|(block, of_block)| (*block, &of_block[..]))
            .collect();
        for &id in &self.order {
            for edge in self.function[id].exit.edges_mut() {
                if let Some(stays) = stays.get(&edge.to) {
                    params::retain(&mut edge.args, stays);
                }
            }
        }
    }

    /// Ends the current block; what follows is unreachable.
    fn close(&mut self, exit: Exit) {
        self.finish_block(exit);
        self.reachable = false;
    }

    fn finish_block(&mut self, exit: Exit) {
        let (block, origin) = (self.block, self.origin);
        let block = &mut self.function[block];
        debug_assert!(matches!(block.exit, Exit::Open), "a block ends once");
        block.nodes = self.nodes.clone();
        self.nodes.clear();
        block.exit = exit;
        block.exit_origin = origin;
    }

    fn signature(&self, ty: BlockType) -> BlockSignature {
        match ty {
            BlockType::Empty => BlockSignature::Empty,
            BlockType::Type(ty) => BlockSignature::Result((self.env.val_type)(ty, self.env.info)),
            BlockType::FuncType(index) => {
                BlockSignature::Func(self.env.types[index as usize].clone())
            }
        }
    }

    fn push_frame(&mut self, kind: Kind, signature: BlockSignature, target: BlockId) {
        let height = self.stack.len() - signature.params().len();
        let construct = self.body.next_construct;
        let place = (height, construct);
        let mut frame = Frame::new(kind, signature, target, place);
        self.body.next_construct += 1;
        self.mark_midway(&mut frame);
        self.control.push(frame);
    }

    /// Makes parameters of a block for values of these types and for the locals that the construct
    /// assigns, which they become; where all edges bring one value, `agreed` says which, and that is
    /// taken instead.
    fn merge(
        &mut self,
        block: BlockId,
        types: impl Iterator<Item = Ty>,
        construct: usize,
        agreed: &[Value],
    ) {
        let mut agreed = agreed.iter().copied();
        let mut value = |builder: &mut Self, ty| match agreed.next() {
            Some(value) if value != Value::NONE => value,
            _ => builder.param(block, ty),
        };
        for ty in types {
            let value = value(self, ty);
            self.stack.push(value);
        }
        for at in 0..self.body.assigned.of(construct).len() {
            let local = self.body.assigned.of(construct)[at] as usize;
            self.body.locals[local] = value(self, Ty::of(self.body.local_types[local]));
        }
    }

    /// Begins what lies behind a construct, which branches lead to.
    fn merge_behind(&mut self, frame: Frame) {
        self.start(frame.target);
        let below = self.stack.split_off(frame.low);
        let below = below.iter().map(|&value| self.function[value].ty);
        let results = frame.signature.results();
        let types: Vec<Ty> = below.chain(results.iter().copied().map(Ty::of)).collect();
        let types = types.into_iter();
        self.merge(frame.target, types, frame.construct, &frame.agreed);
        if frame.agreed.iter().any(|&value| value != Value::NONE) {
            let stays = frame.agreed.iter().map(|&value| value == Value::NONE);
            self.stays.push((frame.target, stays.collect()));
        }
    }

    fn block(&mut self, ty: BlockType) {
        let signature = self.signature(ty);
        let target = self.function.add_block(self.loop_depth);
        self.push_frame(Kind::Block, signature, target);
    }

    fn loop_(&mut self, ty: BlockType) -> Result<(), Unsupported> {
        self.enter_midway(ty)?;
        let signature = self.signature(ty);
        let construct = self.body.next_construct;
        self.loop_depth += 1;
        let header = self.function.add_block(self.loop_depth);
        self.function[header].is_loop_header = true;
        let params = signature.params().to_vec();
        self.push_frame(Kind::Loop, signature, header);
        let mut args = self.pop_many(params.len());
        args.extend(self.body.assigned_values(construct));
        args.extend(self.passing());
        self.finish_block(Exit::Jump(Edge { to: header, args }));
        self.open_counted_loop();
        self.start(header);
        let params = params.into_iter().map(Ty::of);
        self.merge(header, params, construct, &[]);
        self.pass_midway();
        Ok(())
    }

    fn if_(&mut self, ty: BlockType) {
        let signature = self.signature(ty);
        let cond = self.pop();
        let construct = self.body.next_construct;
        let then = self.function.add_block(self.loop_depth);
        let other = self.function.add_block(self.loop_depth);
        let target = self.function.add_block(self.loop_depth);
        let edge = |to| Edge {
            to,
            args: Values::new(),
        };
        self.finish_block(Exit::Branch(cond, [edge(then), edge(other)]));
        let comes_to_else = self.pass_condition();
        self.start(then);
        self.push_frame(Kind::If, signature, target);
        let params = self.stack[self.control.last().expect("pushed").low..].into();
        let locals = self.body.assigned_values(construct).collect();
        let frame = self.control.last_mut().expect("pushed");
        frame.to_else = Some((other, locals, params));
        frame.comes_to_else = comes_to_else;
    }

    fn else_(&mut self) {
        if self.reachable {
            let exit = self.branch_exit(0);
            self.finish_block(exit);
        }
        let frame = self.control.last_mut().expect(VALIDATED);
        let (low, construct) = (frame.low, frame.construct);
        let comes_to_else = frame.comes_to_else;
        let Some((block, locals, params)) = frame.to_else.take() else {
            // Code that is entered behind the condition.
            self.reachable = false;
            return;
        };
        self.stack.truncate(low);
        self.stack.extend(params);
        self.count = comes_to_else;
        self.restore(construct, &locals);
        self.start(block);
        self.reachable = true;
    }

    fn restore(&mut self, construct: usize, values: &[Value]) {
        for (at, &value) in values.iter().enumerate() {
            let local = self.body.assigned.of(construct)[at] as usize;
            self.body.locals[local] = value;
        }
    }

    fn end(&mut self) {
        if self.control.last().expect(VALIDATED).kind == Kind::Function {
            if self.reachable {
                let exit = self.return_exit();
                self.close(exit);
            }
            self.control.pop();
            return;
        }
        if self.reachable && self.control.last().expect(VALIDATED).kind != Kind::Loop {
            let exit = self.branch_exit(0);
            self.finish_block(exit);
        }
        let mut frame = self.control.pop().expect(VALIDATED);
        if let Some((block, locals, params)) = frame.to_else.take() {
            // Without `else`, what came in goes out.
            self.count = frame.comes_to_else;
            self.start(block);
            let mut args = params;
            args.extend(locals);
            frame.branch_to(&args, self.count);
            self.finish_block(Exit::Jump(Edge {
                to: frame.target,
                args,
            }));
        }
        self.settle_pads();
        if frame.kind == Kind::Loop {
            // Falling out of a loop goes on in the same block.
            self.loop_depth -= 1;
            self.around.pop();
            if self.reachable {
                let next = self.function.add_block(self.loop_depth);
                self.finish_block(Exit::Jump(Edge {
                    to: next,
                    args: Values::new(),
                }));
                self.start(next);
            }
            return;
        }
        self.stack.truncate(frame.height);
        self.reachable = frame.used;
        self.count = self.passages().or(frame.comes);
        if frame.used {
            self.merge_behind(frame);
        }
    }

    /// A jump to a label, with the operand stack as it is.
    fn branch_exit(&mut self, depth: u32) -> Exit {
        let index = self.control.len() - 1 - depth as usize;
        if self.control[index].kind == Kind::Function {
            return self.return_exit();
        }
        Exit::Jump(self.edge(index, self.count))
    }

    /// A branch to a label that is taken so often.
    fn edge(&mut self, index: usize, count: Count) -> Edge {
        let top = self.top(self.control[index].label_types().len());
        let mut args = self.operands_below(index);
        args.extend(top);
        args.extend(self.body.assigned_values(self.control[index].construct));
        args.extend(self.not_passing(index));
        let frame = &mut self.control[index];
        self.edge_args += args.len();
        frame.branch_to(&args, count);
        Edge {
            to: frame.target,
            args,
        }
    }

    fn return_exit(&self) -> Exit {
        let count = self.control[0].signature.results().len();
        Exit::Return(self.top(count))
    }

    /// Leaves the body with the results on the stack, if it gets there.
    fn leave_body(&mut self) {
        if !self.reachable {
            return;
        }
        let depth = self.control.len() - 1 - self.body.frame;
        let exit = self.branch_exit(depth as u32);
        self.close(exit);
    }

    /// An edge to a label; one to the function's end leads through a block that returns.
    fn edge_to_label(&mut self, depth: u32, count: Count) -> Edge {
        let index = self.control.len() - 1 - depth as usize;
        if self.control[index].kind != Kind::Function {
            return self.edge(index, count);
        }
        let exit = self.return_exit();
        Edge {
            to: self.edge_block(exit, count),
            args: Values::new(),
        }
    }

    fn branch_if(&mut self, cond: Value, depth: u32) {
        let count = self.pass_condition();
        let taken = self.edge_to_label(depth, count);
        let next = self.function.add_block(self.loop_depth);
        let not_taken = Edge {
            to: next,
            args: Values::new(),
        };
        self.finish_block(Exit::Branch(cond, [taken, not_taken]));
        self.start(next);
    }

    fn br_table(&mut self, targets: &BrTable<'_>) {
        let index = self.pop();
        let depths: Vec<u32> = targets
            .targets()
            .chain([Ok(targets.default())])
            .collect::<Result<_, _>>()
            .expect(VALIDATED);
        // Equal targets share a block that leads there, so that long tables stay small.
        let mut blocks: HashMap<u32, BlockId> = HashMap::new();
        let mut edges = Vec::with_capacity(depths.len());
        for depth in depths {
            let to = match blocks.get(&depth) {
                Some(&to) => to,
                None => {
                    // Labels that tables name are counted where they are.
                    let edge = self.edge_to_label(depth, Count::UNKNOWN);
                    let to = if edge.args.is_empty() {
                        edge.to
                    } else {
                        self.edge_block(Exit::Jump(edge), Count::UNKNOWN)
                    };
                    blocks.insert(depth, to);
                    to
                }
            };
            edges.push(Edge {
                to,
                args: Values::new(),
            });
        }
        self.close(Exit::Table(index, edges));
    }

    /// A field of the context.
    fn context_load(&mut self, offset: u32, alias: Alias) -> Value {
        let op = Op::Load(crate::masm::LoadOp::U64, alias);
        self.emit(op, Ty::I64, &[self.context], u64::from(offset))
    }
}
