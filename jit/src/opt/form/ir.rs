//! The intermediate form: SSA with block parameters, in dense arrays with 32-bit ids.
//!
//! A [`Value`] is the result of one [`Node`]. Nodes without result (stores, for example) have type
//! [`Ty::None`] and still an id, so that effects have an order: that of the node list of their
//! [`Block`]. Constants belong to no block; they are made again wherever they are used.
//!
//! Width invariant: a value of type [`Ty::I32`] has a clear upper half wherever it is held, so
//! that `i64.extend_i32_u` and addresses cost nothing.

use crate::contract::{InlinedCall, Scope};
use crate::masm::listed::listed;
use crate::masm::vector::{
    Extract, Lanes, VecBinary, VecLoad, VecShift, VecTernary, VecTest, VecUnary,
};
use crate::masm::{
    AluOp, Cond, DivOp, FloatCond, FloatOp, FloatPart, FloatUnary, FloatWidth, FromInt, IntUnary,
    LoadOp, MulHigh, StoreOp, ToInt, Width,
};
use core::hash::{Hash, Hasher};
use core::mem::discriminant;
use core::ops::{Index, IndexMut};
use smallvec::SmallVec;
use zwasm_core::{TrapCode, ValType};

/// A node and its result.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct Value(pub(crate) u32);

impl Value {
    /// No operand.
    pub(crate) const NONE: Value = Value(u32::MAX);
}

/// A basic block.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct BlockId(pub(crate) u32);

/// The operator that something was made for.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Origin {
    /// Its offset in the module.
    pub(crate) offset: u32,
    pub(crate) scope: Scope,
}

listed! {
    /// What a value is, as far as code cares.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub(crate) enum Ty {
        /// No value.
        None,
        I32,
        /// 64 bits: integers and references.
        I64,
        F32,
        F64,
        V128,
    }
}

impl Ty {
    pub(crate) fn of(ty: ValType) -> Ty {
        match ty {
            ValType::I32 => Ty::I32,
            ValType::I64 | ValType::Ref(_) => Ty::I64,
            ValType::F32 => Ty::F32,
            ValType::F64 => Ty::F64,
            ValType::V128 => Ty::V128,
        }
    }

    pub(crate) fn int(width: Width) -> Ty {
        match width {
            Width::W32 => Ty::I32,
            Width::W64 => Ty::I64,
        }
    }

    pub(crate) fn float(width: FloatWidth) -> Ty {
        match width {
            FloatWidth::F32 => Ty::F32,
            FloatWidth::F64 => Ty::F64,
        }
    }

    /// A type that is held like this.
    pub(crate) fn val_type(self) -> ValType {
        match self {
            Ty::None | Ty::I64 => ValType::I64,
            Ty::I32 => ValType::I32,
            Ty::F32 => ValType::F32,
            Ty::F64 => ValType::F64,
            Ty::V128 => ValType::V128,
        }
    }

    /// Whether it is held in float registers.
    pub(crate) fn is_float(self) -> bool {
        matches!(self, Ty::F32 | Ty::F64 | Ty::V128)
    }

    /// Frame slots of eight bytes.
    pub(crate) fn slots(self) -> u32 {
        if self == Ty::V128 { 2 } else { 1 }
    }

    pub(crate) fn width(self) -> Width {
        if self == Ty::I32 {
            Width::W32
        } else {
            Width::W64
        }
    }

    pub(crate) fn part(self) -> FloatPart {
        match self {
            Ty::F32 => FloatPart::F32,
            Ty::F64 => FloatPart::F64,
            _ => FloatPart::V128,
        }
    }
}

listed! {
    /// What a load or store may overlap with. Accesses of different classes never do.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub(crate) enum Alias {
        /// Never changes while the function runs: addresses of definitions, imported references.
        Fixed,
        /// The length of a memory: grows in helpers and calls.
        Length,
        /// Tables and function references behind them.
        Table,
        /// Globals, own and imported.
        Global,
        /// Linear memories; any two may be the same. Only these accesses may fault.
        Heap,
    }
}

/// How a call finds its callee.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Callee {
    /// A function of this module, by its index among those with a body.
    Defined(u32),
    /// The function reference that is the call's first operand; it is not null.
    Reference,
    /// As `Reference`, for an imported function: most are not of this instance.
    Imported,
    /// An entry of the runtime's helper table, with its two immediates.
    Helper(u32, [u64; 2]),
}

listed! {
    /// What a node computes from its operands.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub(crate) enum Op {
        /// `imm`, as bits.
        Const,
        /// Entry `imm` of [`Function::vectors`].
        VectorConst,
        /// Parameter `imm` of its block.
        Param,
        /// The VM context, in its register.
        Context,
        /// The base of memory 0, in its register.
        MemoryBase,
        Alu(AluOp, Width),
        Div(DivOp, Width),
        /// Operand 0 without the bits of operand 1.
        AndNot(Width),
        /// Operand 0 shifted left by `imm`, with the upper bits of operand 1 below: by one to all but one
        /// of the bits.
        Funnel(Width),
        /// Operand 0 + operand 1 + `imm`, which is sign-extended from 32 bits.
        Sum(Width),
        /// The upper half of a product of two `i64`.
        MulHigh(MulHigh),
        IntUnary(IntUnary, Width),
        /// The same bits as an `i64`.
        ExtendU,
        /// The same bits as an `i32`: the upper half is clear.
        Narrow,
        Compare(Cond, Width),
        /// Operand 0 (an `i32`) is not zero: operand 1, else operand 2.
        Select,
        Float(FloatOp, FloatWidth),
        FloatUnary(FloatUnary, FloatWidth),
        FloatCompare(FloatCond, FloatWidth),
        FromInt(FromInt, FloatWidth),
        FloatConvert(FloatWidth),
        ToBits(FloatWidth),
        FromBits(FloatWidth),
        Truncate(ToInt, FloatWidth),
        TruncateSaturating(ToInt, FloatWidth),
        VecUnary(VecUnary),
        VecBinary(VecBinary),
        VecTernary(VecTernary),
        VecShift(VecShift),
        VecTest(VecTest),
        Splat(Lanes),
        FloatSplat(FloatWidth),
        ExtractLane(Extract, u8),
        FloatExtractLane(FloatWidth, u8),
        ReplaceLane(Lanes, u8),
        FloatReplaceLane(FloatWidth, u8),
        /// Entry `imm` of [`Function::vectors`] says which bytes.
        Shuffle,
        /// Of `[operand 0 + operand 1 + imm]`; operand 1 may be absent.
        Load(LoadOp, Alias),
        FloatLoad(FloatPart, Alias),
        VecLoad(VecLoad),
        /// Operand 2 with one lane replaced.
        LoadLane(Lanes, u8),
        /// Operand 2 to `[operand 0 + operand 1 + imm]`.
        Store(StoreOp, Alias),
        FloatStore(FloatPart, Alias),
        StoreLane(Lanes, u8),
        /// Clears as many bytes as operand 1 says from the index that operand 0 is (both are `i64`), in the
        /// memory that `imm` is the helpers' word for. The runtime does it, but all registers are kept; it
        /// is worth that only for many bytes.
        Clear,
        /// `[operand 0 + imm]` as an address.
        Address,
        /// Traps when operand 0 (an `i32`) is not zero.
        TrapIf(TrapCode),
        /// Call `imm` of [`Function::calls`].
        Call,
        /// Result `imm` of the call that is operand 0.
        CallResult,
        /// Of what the runtime left for a landing pad, the value that begins at slot `imm`. Comes first
        /// in its block.
        Caught,
        /// Operand 0, a constant, in a register.
        Materialize,
        /// Operand 0, from where it was spilled to. Made by the register allocator.
        Reload,
    }
}

/// What keeps a node in its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    /// Nothing: it may be moved, merged and removed.
    Pure,
    /// It reads what the class names: as pure where nothing writes that.
    Reads(Alias),
    /// It may trap, and does nothing else: merged with an equal one before it, never removed.
    MayTrap,
    /// It reads linear memory and may fault.
    ReadsAndMayTrap,
    /// It writes, and may fault when it is linear memory.
    Writes(Alias),
    /// It may do anything.
    Calls,
}

impl Op {
    pub(crate) fn effect(self) -> Effect {
        match self {
            Op::Const
            | Op::VectorConst
            | Op::Param
            | Op::Context
            | Op::MemoryBase
            | Op::Alu(..)
            | Op::AndNot(_)
            | Op::Funnel(_)
            | Op::Sum(_)
            | Op::MulHigh(_)
            | Op::IntUnary(..)
            | Op::ExtendU
            | Op::Narrow
            | Op::Compare(..)
            | Op::Select
            | Op::Float(..)
            | Op::FloatUnary(..)
            | Op::FloatCompare(..)
            | Op::FromInt(..)
            | Op::FloatConvert(..)
            | Op::ToBits(..)
            | Op::FromBits(..)
            | Op::TruncateSaturating(..)
            | Op::VecUnary(..)
            | Op::VecBinary(..)
            | Op::VecTernary(..)
            | Op::VecShift(..)
            | Op::VecTest(..)
            | Op::Splat(..)
            | Op::FloatSplat(..)
            | Op::ExtractLane(..)
            | Op::FloatExtractLane(..)
            | Op::ReplaceLane(..)
            | Op::FloatReplaceLane(..)
            | Op::Shuffle
            | Op::Address
            | Op::CallResult
            | Op::Caught
            | Op::Materialize
            | Op::Reload => Effect::Pure,
            Op::Div(..) | Op::Truncate(..) | Op::TrapIf(_) => Effect::MayTrap,
            Op::Load(_, Alias::Heap)
            | Op::FloatLoad(_, Alias::Heap)
            | Op::VecLoad(_)
            | Op::LoadLane(..) => Effect::ReadsAndMayTrap,
            Op::Load(_, Alias::Fixed) | Op::FloatLoad(_, Alias::Fixed) => Effect::Pure,
            Op::Load(_, alias) | Op::FloatLoad(_, alias) => Effect::Reads(alias),
            Op::Store(_, alias) | Op::FloatStore(_, alias) => Effect::Writes(alias),
            Op::StoreLane(..) | Op::Clear => Effect::Writes(Alias::Heap),
            Op::Call => Effect::Calls,
        }
    }
}

/// An operation with its operands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Node {
    pub(crate) op: Op,
    pub(crate) ty: Ty,
    /// Absent ones are [`Value::NONE`].
    pub(crate) args: [Value; 3],
    pub(crate) imm: u64,
}

impl Hash for Node {
    /// Of the operation only which one it is: what differs in nothing else is rare.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [a, b, c] = self.args.map(|arg| u64::from(arg.0));
        state.write_u64(a | b << 32);
        state.write_u64(c ^ self.imm.rotate_left(32));
        discriminant(&self.op).hash(state);
    }
}

impl Callee {
    /// Whether the call's first operand is a function reference.
    pub(crate) fn is_reference(self) -> bool {
        matches!(self, Callee::Reference | Callee::Imported)
    }
}

impl Node {
    pub(crate) fn constant(ty: Ty, bits: u64) -> Node {
        Node::new(Op::Const, ty, &[], bits)
    }

    /// A node with up to three operands.
    pub(crate) fn new(op: Op, ty: Ty, operands: &[Value], imm: u64) -> Node {
        let mut args = [Value::NONE; 3];
        args[..operands.len()].copy_from_slice(operands);
        Node { op, ty, args, imm }
    }

    /// The same with the first two operands the other way round, if there is such an operation.
    pub(crate) fn swapped(mut self) -> Option<Node> {
        match self.op {
            Op::Alu(op, _) if op.commutes() => {}
            Op::Float(op, _) if op.commutes() => {}
            Op::VecBinary(op) if op.commutes() => {}
            Op::Compare(cond, width) => self.op = Op::Compare(cond.swap(), width),
            _ => return None,
        }
        self.args.swap(0, 1);
        Some(self)
    }
}

/// Lists of values that are short more often than not.
pub(crate) type Values = SmallVec<[Value; 4]>;

/// Types of what is passed to a callee or comes back.
pub(crate) type Types = SmallVec<[ValType; 4]>;

/// A call with as many operands as it needs.
#[derive(Clone, Debug)]
pub(crate) struct CallSite {
    pub(crate) callee: Callee,
    /// Parameter and result types; of a helper, those of its operands and results.
    pub(crate) params: Types,
    pub(crate) results: Types,
    /// A function reference first, where the callee is one.
    pub(crate) args: Values,
}

/// An edge from the end of a block to the start of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) to: BlockId,
    /// One per parameter of the target.
    pub(crate) args: Values,
}

/// How a block ends.
#[derive(Clone, Debug)]
pub(crate) enum Exit {
    /// Not known yet.
    Open,
    Jump(Edge),
    /// The first edge when the `i32` is not zero.
    Branch(Value, [Edge; 2]),
    /// The edge with the number of the `i32`, or the last one.
    Table(Value, Vec<Edge>),
    Return(Values),
    Trap(TrapCode),
    /// Call number of [`Function::calls`].
    TailCall(u32),
    /// The first edge when the block's last call, behind which are only its results, returns. The
    /// others lead to landing pads, by their precedence, and have no arguments: a value that is live
    /// there was known before the call, and is in the frame.
    Invoke(Vec<Edge>),
}

impl Exit {
    pub(crate) fn edges(&self) -> &[Edge] {
        match self {
            Exit::Jump(edge) => core::slice::from_ref(edge),
            Exit::Branch(_, edges) => edges,
            Exit::Table(_, edges) | Exit::Invoke(edges) => edges,
            Exit::Open | Exit::Return(_) | Exit::Trap(_) | Exit::TailCall(_) => &[],
        }
    }

    pub(crate) fn edges_mut(&mut self) -> &mut [Edge] {
        match self {
            Exit::Jump(edge) => core::slice::from_mut(edge),
            Exit::Branch(_, edges) => edges,
            Exit::Table(_, edges) | Exit::Invoke(edges) => edges,
            Exit::Open | Exit::Return(_) | Exit::Trap(_) | Exit::TailCall(_) => &mut [],
        }
    }

    /// Replaces the value that chooses the edge.
    pub(crate) fn set_condition(&mut self, value: Value) {
        if let Exit::Branch(cond, _) | Exit::Table(cond, _) = self {
            *cond = value;
        }
    }

    /// The value that chooses the edge.
    pub(crate) fn condition(&self) -> Option<Value> {
        match self {
            Exit::Branch(value, _) | Exit::Table(value, _) => Some(*value),
            _ => None,
        }
    }
}

/// What makes a block a landing pad: only the runtime leads there, with an exception that fits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Pad {
    /// The tag's index, or any.
    pub(crate) tag: Option<u32>,
    /// Whether the exception itself follows the payload.
    pub(crate) with_ref: bool,
    /// Frame slots that the payload and the exception take.
    pub(crate) slots: u32,
}

/// A basic block.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) params: Values,
    /// In order of execution; constants are in none.
    pub(crate) nodes: Vec<Value>,
    pub(crate) exit: Exit,
    /// The operator that ends it.
    pub(crate) exit_origin: Origin,
    /// How many loops it is in.
    pub(crate) loop_depth: u32,
    pub(crate) is_loop_header: bool,
    /// Whether it runs seldom, whatever leads to it.
    pub(crate) is_rare: bool,
    /// How often it runs for each call of the function, where that was counted.
    pub(crate) often: Option<f32>,
    pub(crate) pad: Option<Pad>,
}

/// A function in intermediate form. Block 0 is the entry; its parameters are the function's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Function {
    pub(crate) nodes: Vec<Node>,
    /// The operator that each node came from; nobody asks for that of nodes that cannot trap.
    pub(crate) origins: Vec<Origin>,
    /// In the order of the source: each comes after those that dominate it, loops are in one piece. What
    /// else that means, the verifier says.
    pub(crate) blocks: Vec<Block>,
    pub(crate) calls: Vec<CallSite>,
    pub(crate) vectors: Vec<[u64; 2]>,
    /// The calls in whose place their callees are, by the number of their scope.
    pub(crate) inlined: Vec<InlinedCall>,
    /// Whether there are landing pads.
    pub(crate) catches: bool,
}

impl Index<Value> for Function {
    type Output = Node;
    fn index(&self, value: Value) -> &Node {
        &self.nodes[value.0 as usize]
    }
}

impl IndexMut<Value> for Function {
    fn index_mut(&mut self, value: Value) -> &mut Node {
        &mut self.nodes[value.0 as usize]
    }
}

impl Index<BlockId> for Function {
    type Output = Block;
    fn index(&self, block: BlockId) -> &Block {
        &self.blocks[block.0 as usize]
    }
}

impl IndexMut<BlockId> for Function {
    fn index_mut(&mut self, block: BlockId) -> &mut Block {
        &mut self.blocks[block.0 as usize]
    }
}

impl Function {
    /// Adds a node that is in no block yet.
    pub(crate) fn add(&mut self, node: Node, origin: Origin) -> Value {
        let value = Value(self.nodes.len() as u32);
        self.nodes.push(node);
        self.origins.push(origin);
        value
    }

    pub(crate) fn add_block(&mut self, loop_depth: u32) -> BlockId {
        let block = BlockId(self.blocks.len() as u32);
        self.blocks.push(Block {
            params: Values::new(),
            nodes: Vec::new(),
            exit: Exit::Open,
            exit_origin: Origin::default(),
            loop_depth,
            is_loop_header: false,
            is_rare: false,
            often: None,
            pad: None,
        });
        block
    }

    /// Takes nodes, which nothing uses any more, out of their blocks.
    pub(crate) fn remove(&mut self, mut gone: Vec<Value>) {
        if gone.is_empty() {
            return;
        }
        gone.sort_unstable();
        for block in &mut self.blocks {
            block.nodes.retain(|node| gone.binary_search(node).is_err());
        }
    }

    /// Whether there are loops.
    pub(crate) fn has_loops(&self) -> bool {
        self.blocks.iter().any(|block| block.is_loop_header)
    }

    /// Puts the blocks, each of which is named once, into an order.
    pub(crate) fn reorder(&mut self, order: &[BlockId]) {
        debug_assert_eq!(order.len(), self.blocks.len());
        let mut numbers = vec![BlockId(0); order.len()];
        for (new, &old) in (0..).zip(order) {
            numbers[old.0 as usize] = BlockId(new);
        }
        let mut blocks: Vec<_> = core::mem::take(&mut self.blocks)
            .into_iter()
            .map(Some)
            .collect();
        self.blocks = order
            .iter()
            .map(|&old| {
                let mut block = blocks[old.0 as usize].take().expect("each comes once");
                for edge in block.exit.edges_mut() {
                    edge.to = numbers[edge.to.0 as usize];
                }
                block
            })
            .collect();
    }

    pub(crate) fn block_ids(&self) -> impl Iterator<Item = BlockId> + use<> {
        (0..self.blocks.len() as u32).map(BlockId)
    }

    /// The operator of the function itself: an inlined callee's belong to its call.
    pub(crate) fn outermost(&self, mut origin: Origin) -> Origin {
        while let Some(number) = origin.scope.number() {
            let InlinedCall {
                call_offset,
                caller,
                ..
            } = self.inlined[number];
            origin = Origin {
                offset: call_offset,
                scope: caller.unwrap_or(Scope::FUNCTION),
            };
        }
        origin
    }

    /// The block of each value; constants, which are everywhere, are said to be in the entry.
    pub(crate) fn definitions(&self) -> Vec<BlockId> {
        let mut defined = vec![BlockId(0); self.nodes.len()];
        for block in self.block_ids() {
            let data = &self[block];
            for &value in data.params.iter().chain(&data.nodes) {
                defined[value.0 as usize] = block;
            }
        }
        defined
    }

    /// Where in the nodes of a block the call is that may lead to landing pads.
    pub(crate) fn invoked(&self, block: BlockId) -> Option<usize> {
        let data = &self[block];
        let is_call = |&node: &Value| self[node].op == Op::Call;
        match data.exit {
            Exit::Invoke(_) => data.nodes.iter().rposition(is_call),
            _ => None,
        }
    }

    /// The constant that a value is.
    pub(crate) fn constant(&self, value: Value) -> Option<u64> {
        let node = &self[value];
        (node.op == Op::Const).then_some(node.imm)
    }

    /// Calls `f` with every operand of a node.
    pub(crate) fn for_each_arg(&self, value: Value, mut f: impl FnMut(Value)) {
        let node = &self[value];
        node.args
            .iter()
            .filter(|&&arg| arg != Value::NONE)
            .for_each(|&arg| f(arg));
        if node.op == Op::Call {
            self.calls[node.imm as usize]
                .args
                .iter()
                .for_each(|&arg| f(arg));
        }
    }

    /// Calls `f` with every value that the end of a block uses.
    pub(crate) fn for_each_exit_arg(&self, block: BlockId, mut f: impl FnMut(Value)) {
        let exit = &self[block].exit;
        exit.condition().into_iter().for_each(&mut f);
        for edge in exit.edges() {
            edge.args.iter().for_each(|&arg| f(arg));
        }
        match exit {
            Exit::Return(values) => values.iter().for_each(|&value| f(value)),
            Exit::TailCall(call) => self.calls[*call as usize]
                .args
                .iter()
                .for_each(|&arg| f(arg)),
            _ => {}
        }
    }

    /// How often each value is used.
    pub(crate) fn uses(&self) -> Vec<u32> {
        let mut uses = vec![0; self.nodes.len()];
        for block in self.block_ids() {
            for &node in &self[block].nodes {
                self.for_each_arg(node, |arg| uses[arg.0 as usize] += 1);
            }
            self.for_each_exit_arg(block, |arg| uses[arg.0 as usize] += 1);
        }
        uses
    }

    /// Replaces every operand by what `f` says of it.
    pub(crate) fn map_args(&mut self, mut f: impl FnMut(Value) -> Value) {
        for node in &mut self.nodes {
            for arg in node.args.iter_mut().filter(|arg| **arg != Value::NONE) {
                *arg = f(*arg);
            }
        }
        for call in &mut self.calls {
            call.args.iter_mut().for_each(|arg| *arg = f(*arg));
        }
        for block in &mut self.blocks {
            match &mut block.exit {
                Exit::Branch(value, _) | Exit::Table(value, _) => *value = f(*value),
                Exit::Return(values) => values.iter_mut().for_each(|value| *value = f(*value)),
                _ => {}
            }
            for edge in block.exit.edges_mut() {
                edge.args.iter_mut().for_each(|arg| *arg = f(*arg));
            }
        }
    }
}
