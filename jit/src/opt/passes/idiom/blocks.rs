//! The loop over vectors, with its checks, before the loop that it does iterations of:
//!
//! ```text
//! before ── checks ── large? ── vectors ── rest ── advanced ─┐
//!    │         │         └─────── clear ────────────┘          │
//!    └─────────┴───────── fallback ─────────────────────────  join ── header
//! ```
//!
//! The rest is one more vector, which ends where the iterations to be done end and overlaps with the one
//! before it. A copy may read there what was written already, if that is what the loop would read:
//! not when the target is less than a vector behind the source; then there is no rest.

use super::Shape;
use super::linear::Linear;
use super::plan::{Clears, Plan, Range, Source, clears};
use crate::masm::vector::Lanes;
use crate::masm::{AluOp, Cond, FloatPart, FloatWidth, IntUnary, LoadOp, Width};
use crate::opt::form::ir::{
    Alias, BlockId, Edge, Effect, Exit, Function, Node, Op, Origin, Ty, Value, Values,
};
use crate::opt::passes::fold;
use zwasm_core::fill::MIN_CLEARED_BYTES;
use zwasm_core::vmctx::memory;

/// Counters of 64 bits that are further from their end are not looked at: what is computed from the
/// number of iterations stays far below 2⁶⁴.
const ITERATIONS_MAX: u64 = 1 << 40;

/// Adds the blocks at the end of the function, in their order.
pub(super) fn insert(function: &mut Function, shape: &Shape, plan: &Plan) {
    let origin = function.origins[plan.store.0 as usize];
    let first = shape.first(function).to_vec();
    let params = function[shape.header].params.clone();
    let mut maker = Maker {
        depth: function[shape.header].loop_depth - 1,
        function,
        plan,
        block: shape.before,
        origin,
        made: Vec::new(),
        checks: Vec::new(),
    };
    let left = maker.left();
    let iterations = maker.iterations(left);
    let bytes = maker.alu_constant(AluOp::Mul, iterations, plan.stride);
    let mut target = maker.start(&plan.target, bytes);
    let (mut source, iterations) = match &plan.source {
        Source::Fill(value, size) => (Vector::Filling(maker.filling(*value, *size)), iterations),
        Source::Copy { range, is_in_order } => {
            let source = maker.start(range, bytes);
            let iterations = maker.overlap(target, source, *is_in_order, iterations);
            (Vector::Loaded(source), iterations)
        }
    };
    let bytes = maker.alu_constant(AluOp::Mul, iterations, plan.stride);
    if plan.is_down {
        // From where the last iteration ends, so that indices go down to zero.
        target = maker.alu(AluOp::Sub, target, bytes);
        if let Vector::Loaded(source) = &mut source {
            *source = maker.alu(AluOp::Sub, *source, bytes);
        }
    }
    let rest = match plan.has_rest() {
        true => maker.alu_constant(AluOp::And, bytes, plan.chunk - 1),
        false => maker.constant(Ty::I64, 0),
    };
    // Where the index begins, and where it ends.
    let (begin, end) = match plan.is_down {
        false => (
            maker.constant(Ty::I64, 0),
            maker.alu(AluOp::Sub, bytes, rest),
        ),
        true => (bytes, rest),
    };
    let last = maker.block;
    let checks = core::mem::take(&mut maker.checks);
    // From here on values are not there on all edges.
    maker.made.clear();
    let large = maker.large(last, target, bytes);
    let vectors = maker.add_block();
    match &large {
        Some(large) => maker.branch_to_large(large, last, vectors, begin),
        None => maker.jump(last, vectors, vec![begin]),
    }
    let behind = maker.add_block();
    maker.vectors(vectors, behind, target, &source, end);
    maker.block = behind;
    if maker.function.constant(rest) != Some(0) {
        maker.rest(target, &source, bytes, rest);
    }
    let advanced = maker.block;
    if let Some(large) = large {
        maker.jump(large.clear, advanced, Vec::new());
    }
    let after = params
        .iter()
        .map(|&param| maker.advanced(param, iterations, bytes))
        .collect();
    let fallback = maker.add_block();
    let join = maker.add_block();
    maker.jump(advanced, join, after);
    maker.jump(fallback, join, first);
    maker.block = join;
    let joined = params
        .iter()
        .map(|&param| maker.param(maker.function[param].ty))
        .collect();
    maker.jump(join, shape.header, joined);
    for (from, fails, next) in checks {
        let edges = [edge(fallback, Vec::new()), edge(next, Vec::new())];
        maker.end(from, Exit::Branch(fails, edges));
    }
}

fn edge(to: BlockId, args: impl Into<Values>) -> Edge {
    let args = args.into();
    Edge { to, args }
}

/// Where vectors come from.
enum Vector {
    Filling(Value),
    /// From memory, at this address.
    Loaded(Value),
}

/// What is done with much to be cleared.
struct Large {
    /// In the block before: whether it is much.
    is_large: Value,
    /// The block that asks whether what is stored is zero, with what it asks for, if it must.
    asks: Option<(BlockId, Value)>,
    /// The block that has the runtime do it.
    clear: BlockId,
}

struct Maker<'f> {
    function: &'f mut Function,
    plan: &'f Plan,
    /// Where nodes go.
    block: BlockId,
    /// That of the loop's first store.
    origin: Origin,
    /// Depth of the blocks around the loop.
    depth: u32,
    /// What was made before the loop over vectors: equal nodes are made once.
    made: Vec<Value>,
    /// The checks: each ends a block, and leads to the fallback or to the next one.
    checks: Vec<(BlockId, Value, BlockId)>,
}

impl Maker<'_> {
    // --- the checks ---

    /// How far the loop is from its end.
    fn left(&mut self) -> Value {
        let trips = &self.plan.trips;
        let width = trips.a.width;
        let ty = Ty::int(width);
        if let Some(known) = trips.known
            && trips.when == Cond::Ne
        {
            return self.constant(ty, known);
        }
        let (a, b) = (self.first(&trips.a), self.first(&trips.b));
        let left = match trips.step > 0 {
            true => self.alu(AluOp::Sub, b, a),
            false => self.alu(AluOp::Sub, a, b),
        };
        let least = self.constant(ty, self.plan.left_min);
        self.refuse_if(Cond::LtU, width, left, least);
        if trips.when != Cond::Ne {
            self.refuse_if(trips.when.negate(), width, a, b);
        }
        left
    }

    /// The loop runs as it was if a comparison holds; what follows is for the other case.
    fn refuse_if(&mut self, cond: Cond, width: Width, a: Value, b: Value) {
        let before = self.made.len();
        let fails = self.compare(cond, width, a, b);
        if self.made.len() > before {
            let next = self.add_block();
            self.checks.push((self.block, fails, next));
            self.block = next;
        }
    }

    /// The number of iterations to do, from what is left to the end of the loop.
    fn iterations(&mut self, left: Value) -> Value {
        let trips = &self.plan.trips;
        let shift = trips.step.trailing_zeros();
        let iterations = self.alu_constant(AluOp::ShrU, left, shift.into());
        let iterations = match trips.a.width {
            Width::W32 => self.extend(iterations),
            Width::W64 => {
                let most = self.constant(Ty::I64, ITERATIONS_MAX);
                self.refuse_if(Cond::GtU, Width::W64, iterations, most);
                iterations
            }
        };
        match self.plan.has_rest() {
            true => iterations,
            false => self.whole_chunks(iterations),
        }
    }

    /// As many iterations as make up whole chunks.
    fn whole_chunks(&mut self, iterations: Value) -> Value {
        let chunk = self.plan.chunk / self.plan.stride;
        debug_assert!(chunk.is_power_of_two());
        self.alu_constant(AluOp::And, iterations, !(chunk - 1))
    }

    /// The address at which the first vector begins, or ends when it goes down. All bytes must be in
    /// the memory, and the indices must not wrap: they are in the memory as well, and where those of
    /// 32 bits may be so on both sides of 2³², that is asked too.
    fn start(&mut self, range: &Range, bytes: Value) -> Value {
        let definition = self.definition(range.definition);
        let length = self.field(definition, memory::offset::length_bytes, Alias::Length);
        let index = self.first(&range.index);
        let index = match range.index.width {
            Width::W32 => self.extend(index),
            Width::W64 => {
                self.refuse_if(Cond::GtU, Width::W64, index, length);
                index
            }
        };
        let stride = self.plan.stride as i64;
        // Behind the last of the bytes, and the largest index.
        let (reach, largest) = if self.plan.is_down {
            let room = self.add(index, range.lowest_index + stride);
            self.refuse_if(Cond::LtS, Width::W64, room, bytes);
            (self.add(index, range.end), (index, range.highest_index))
        } else {
            if range.lowest_index < 0 {
                let least = self.constant(Ty::I64, range.lowest_index.unsigned_abs());
                self.refuse_if(Cond::LtU, Width::W64, index, least);
            }
            let behind = self.alu(AluOp::Add, index, bytes);
            let reach = self.add(behind, range.end - stride);
            (reach, (behind, range.highest_index - stride))
        };
        self.refuse_if(Cond::GtU, Width::W64, reach, length);
        // An index of 32 bits that goes down is the largest there is, unless something is added to it.
        if range.may_wrap && (range.highest_index > 0 || !self.plan.is_down) {
            let largest = self.add(largest.0, largest.1);
            let most = self.constant(Ty::I64, Width::W32.ones());
            self.refuse_if(Cond::GtU, Width::W64, largest, most);
        }
        let base = self.base(range.definition, range.is_first);
        let address = self.alu(AluOp::Add, base, index);
        if self.plan.is_down {
            self.add(address, range.low + stride)
        } else {
            self.add(address, range.low)
        }
    }

    /// Refuses copies to where they would read within a chunk; the iterations to do in other cases.
    fn overlap(
        &mut self,
        target: Value,
        source: Value,
        is_in_order: bool,
        iterations: Value,
    ) -> Value {
        let ahead = match self.plan.is_down {
            false => self.alu(AluOp::Sub, target, source),
            true => self.alu(AluOp::Sub, source, target),
        };
        let chunk = self.plan.chunk;
        let shifted = self.add(ahead, chunk as i64 - 1);
        if !is_in_order {
            // Not on the other side either.
            let least = self.constant(Ty::I64, 2 * chunk - 1);
            self.refuse_if(Cond::LtU, Width::W64, shifted, least);
            return iterations;
        }
        let least = self.constant(Ty::I64, chunk);
        self.refuse_if(Cond::LtU, Width::W64, ahead, least);
        if !self.plan.has_rest() {
            return iterations;
        }
        let least = self.constant(Ty::I64, chunk - 1);
        let is_close = self.compare(Cond::LtU, Width::W64, shifted, least);
        let whole = self.whole_chunks(iterations);
        self.node(Op::Select, Ty::I64, &[is_close, whole, iterations], 0)
    }

    /// The pointer to a memory's definition, from its place in the context.
    fn definition(&mut self, at: u64) -> Value {
        let context = self.pinned(Op::Context);
        let load = Op::Load(LoadOp::U64, Alias::Fixed);
        self.node(load, Ty::I64, &[context], at)
    }

    /// The base of the memory with the definition at this place.
    fn base(&mut self, at: u64, is_first: bool) -> Value {
        if is_first {
            return self.pinned(Op::MemoryBase);
        }
        let definition = self.definition(at);
        self.field(definition, memory::offset::base, Alias::Fixed)
    }

    // --- large blocks ---

    /// Blocks for much to be cleared, if it may be so; `last` is the one that leads to them.
    fn large(&mut self, last: BlockId, target: Value, bytes: Value) -> Option<Large> {
        const MIN: u64 = MIN_CLEARED_BYTES as u64;
        let clears = clears(self.function, &self.plan.source);
        let known = self.function.constant(bytes);
        if clears == Clears::Never || known.is_some_and(|bytes| bytes < MIN) {
            return None;
        }
        self.block = last;
        let min = self.constant(Ty::I64, MIN);
        let is_large = self.compare(Cond::GeU, Width::W64, bytes, min);
        self.made.clear();
        let asks = match clears {
            Clears::If(value, mask) => {
                self.block = self.add_rare_block();
                let width = self.function[value].ty.width();
                let bits = match mask & width.ones() {
                    mask if mask == width.ones() => value,
                    mask => self.alu_constant(AluOp::And, value, mask),
                };
                let zero = self.constant(Ty::int(width), 0);
                let is_zero = self.compare(Cond::Eq, width, bits, zero);
                Some((self.block, is_zero))
            }
            Clears::Always | Clears::Never => None,
        };
        self.made.clear();
        let clear = self.add_rare_block();
        self.block = clear;
        let Range {
            definition,
            is_first,
            ..
        } = self.plan.target;
        let base = self.base(definition, is_first);
        let start = self.alu(AluOp::Sub, target, base);
        self.node(Op::Clear, Ty::None, &[start, bytes], definition);
        self.made.clear();
        Some(Large {
            is_large,
            asks,
            clear,
        })
    }

    fn branch_to_large(&mut self, large: &Large, last: BlockId, vectors: BlockId, begin: Value) {
        let small = edge(vectors, vec![begin]);
        let first = large.asks.map_or(large.clear, |(block, _)| block);
        let edges = [edge(first, Vec::new()), small.clone()];
        self.end(last, Exit::Branch(large.is_large, edges));
        if let Some((block, is_zero)) = large.asks {
            let edges = [edge(large.clear, Vec::new()), small];
            self.end(block, Exit::Branch(is_zero, edges));
        }
    }

    fn add_rare_block(&mut self) -> BlockId {
        let block = self.add_block();
        self.function[block].is_rare = true;
        block
    }

    // --- the loop ---

    /// A vector full of a value of `size` bytes.
    fn filling(&mut self, value: Value, size: u64) -> Value {
        let value = match self.function[value].op {
            Op::Materialize => self.function[value].args[0],
            _ => value,
        };
        let ty = self.function[value].ty;
        if self.function[value].op == Op::VectorConst {
            return self.node(Op::Materialize, Ty::V128, &[value], 0);
        }
        if let Some(bits) = self.function.constant(value) {
            let ones = u64::MAX / (u64::MAX >> (64 - 8 * size));
            let low = bits & (u64::MAX >> (64 - 8 * size));
            let number = self.function.vectors.len() as u64;
            self.function.vectors.push([low * ones; 2]);
            let constant = self.outside(Node::new(Op::VectorConst, Ty::V128, &[], number));
            return self.node(Op::Materialize, Ty::V128, &[constant], 0);
        }
        let (op, value) = match (size, ty) {
            (_, Ty::F32) => (Op::FloatSplat(FloatWidth::F32), value),
            (_, Ty::F64) => (Op::FloatSplat(FloatWidth::F64), value),
            (8, Ty::I32) => (Op::Splat(Lanes::I64x2), self.extend(value)),
            (8, _) => (Op::Splat(Lanes::I64x2), value),
            (_, Ty::I64) => (Op::Splat(lanes(size)), self.wrap(value)),
            (_, _) => (Op::Splat(lanes(size)), value),
        };
        self.node(op, Ty::V128, &[value], 0)
    }

    fn vectors(
        &mut self,
        vectors: BlockId,
        behind: BlockId,
        target: Value,
        source: &Vector,
        end: Value,
    ) {
        self.function[vectors].is_loop_header = true;
        self.function[vectors].loop_depth += 1;
        self.block = vectors;
        let index = self.param(Ty::I64);
        let chunk = self.plan.chunk;
        let next = self.plan.is_down.then(|| self.add(index, -(chunk as i64)));
        let at = next.unwrap_or(index);
        self.chunk(target, source, at);
        let next = match next {
            Some(next) => next,
            None => self.add(index, chunk as i64),
        };
        let goes_on = self.compare(Cond::Ne, Width::W64, next, end);
        let edges = [edge(vectors, vec![next]), edge(behind, Vec::new())];
        self.end(vectors, Exit::Branch(goes_on, edges));
    }

    /// The vector at the end of the iterations, unless nothing is left.
    fn rest(&mut self, target: Value, source: &Vector, bytes: Value, rest: Value) {
        let (vector, behind) = (self.add_block(), self.add_block());
        let zero = self.constant(Ty::I64, 0);
        let is_done = self.compare(Cond::Eq, Width::W64, rest, zero);
        let edges = [edge(behind, Vec::new()), edge(vector, Vec::new())];
        self.end(self.block, Exit::Branch(is_done, edges));
        self.block = vector;
        self.made.clear();
        let at = match self.plan.is_down {
            false => self.add(bytes, -(self.plan.chunk as i64)),
            true => zero,
        };
        self.chunk(target, source, at);
        self.jump(vector, behind, Vec::new());
        self.block = behind;
        self.made.clear();
    }

    /// Loads and stores what one iteration of the new loop does.
    fn chunk(&mut self, target: Value, source: &Vector, at: Value) {
        let pieces = (0..self.plan.chunk).step_by(16);
        let op = Op::FloatLoad(FloatPart::V128, Alias::Heap);
        let loaded: Vec<Value> = pieces
            .clone()
            .map(|piece| match *source {
                Vector::Filling(value) => value,
                Vector::Loaded(source) => self.node(op, Ty::V128, &[source, at], piece),
            })
            .collect();
        let op = Op::FloatStore(FloatPart::V128, Alias::Heap);
        for (piece, vector) in pieces.zip(loaded) {
            self.node(op, Ty::None, &[target, at, vector], piece);
        }
    }

    /// A parameter of the header, some iterations later.
    fn advanced(&mut self, param: Value, iterations: Value, bytes: Value) -> Value {
        let induction = self.plan.body.inductions[&param];
        let ty = self.function[param].ty;
        let step = match ty {
            Ty::I32 => i64::from(induction.step as u32 as i32),
            _ => induction.step as i64,
        };
        let by = match step.unsigned_abs() {
            by if by == self.plan.stride => bytes,
            by => self.alu_constant(AluOp::Mul, iterations, by),
        };
        let by = if ty == Ty::I32 { self.wrap(by) } else { by };
        let op = if step < 0 { AluOp::Sub } else { AluOp::Add };
        self.alu(op, induction.first, by)
    }

    // --- nodes ---

    /// What a sum is in the first iteration.
    fn first(&mut self, linear: &Linear) -> Value {
        let ty = Ty::int(linear.width);
        let mut constant = linear.constant;
        let mut sum: Option<Value> = None;
        for &(term, factor) in &linear.terms {
            let induction = self.plan.body.inductions.get(&term);
            let term = induction.map_or(term, |induction| induction.first);
            if let Some(bits) = self.function.constant(term) {
                constant = constant.wrapping_add(bits.wrapping_mul(factor));
                continue;
            }
            let is_negative = linear.signed(factor) < 0;
            let factor = linear.signed(factor).unsigned_abs();
            let term = self.alu_constant(AluOp::Mul, term, factor);
            sum = Some(match (sum, is_negative) {
                (None, false) => term,
                (None, true) => {
                    let zero = self.constant(ty, 0);
                    self.alu(AluOp::Sub, zero, term)
                }
                (Some(sum), false) => self.alu(AluOp::Add, sum, term),
                (Some(sum), true) => self.alu(AluOp::Sub, sum, term),
            });
        }
        let constant = linear.mask(constant);
        match sum {
            Some(sum) => self.alu_constant(AluOp::Add, sum, constant),
            None => self.constant(ty, constant),
        }
    }

    fn node(&mut self, op: Op, ty: Ty, args: &[Value], imm: u64) -> Value {
        let node = Node::new(op, ty, args, imm);
        if let Some(equal) = self.equal(&node) {
            return equal;
        }
        let value = self.function.add(node, self.origin);
        self.made.push(value);
        let block = self.block;
        self.function[block].nodes.push(value);
        value
    }

    /// A node that is in no block's list.
    fn outside(&mut self, node: Node) -> Value {
        if let Some(equal) = self.equal(&node) {
            return equal;
        }
        let value = self.function.add(node, Origin::default());
        self.made.push(value);
        value
    }

    fn equal(&self, node: &Node) -> Option<Value> {
        let can_be = matches!(
            node.op.effect(),
            Effect::Pure | Effect::Reads(Alias::Length)
        ) && node.op != Op::Param;
        let mut made = self.made.iter().copied();
        made.find(|&value| can_be && self.function[value] == *node)
    }

    fn pinned(&mut self, op: Op) -> Value {
        self.outside(Node::new(op, Ty::I64, &[], 0))
    }

    fn constant(&mut self, ty: Ty, bits: u64) -> Value {
        self.outside(Node::constant(ty, bits))
    }

    fn param(&mut self, ty: Ty) -> Value {
        let index = self.function[self.block].params.len() as u64;
        let param = self.outside(Node::new(Op::Param, ty, &[], index));
        let block = self.block;
        self.function[block].params.push(param);
        param
    }

    fn field(&mut self, base: Value, offset: u32, alias: Alias) -> Value {
        let op = Op::Load(LoadOp::U64, alias);
        self.node(op, Ty::I64, &[base], u64::from(offset))
    }

    /// An operation; constants come second where that is possible.
    fn alu(&mut self, op: AluOp, a: Value, b: Value) -> Value {
        let ty = self.function[a].ty;
        if let Some(constant) = self.function.constant(b) {
            return self.alu_constant(op, a, constant);
        }
        let is_constant = self.function.constant(a).is_some();
        let (a, b) = match is_constant && op.commutes() {
            true => return self.alu(op, b, a),
            false => (a, b),
        };
        self.node(Op::Alu(op, ty.width()), ty, &[a, b], 0)
    }

    /// `a op constant`, unless that is `a`.
    fn alu_constant(&mut self, op: AluOp, a: Value, constant: u64) -> Value {
        let ty = self.function[a].ty;
        if let Some(known) = self.function.constant(a) {
            return self.constant(ty, fold::alu(op, ty.width(), known, constant));
        }
        let (op, constant) = match (op, constant) {
            (AluOp::Mul, 1) | (AluOp::And, u64::MAX) => return a,
            (AluOp::Add | AluOp::Sub | AluOp::ShrU, 0) => return a,
            (AluOp::Mul, factor) if factor.is_power_of_two() => {
                (AluOp::Shl, factor.trailing_zeros().into())
            }
            same => same,
        };
        let constant = self.constant(ty, constant);
        self.node(Op::Alu(op, ty.width()), ty, &[a, constant], 0)
    }

    /// `a + constant`, in 64 bits.
    fn add(&mut self, a: Value, constant: i64) -> Value {
        self.alu_constant(AluOp::Add, a, constant as u64)
    }

    fn compare(&mut self, cond: Cond, width: Width, a: Value, b: Value) -> Value {
        self.node(Op::Compare(cond, width), Ty::I32, &[a, b], 0)
    }

    fn extend(&mut self, value: Value) -> Value {
        match self.function.constant(value) {
            Some(bits) => self.constant(Ty::I64, bits),
            None => self.node(Op::ExtendU, Ty::I64, &[value], 0),
        }
    }

    fn wrap(&mut self, value: Value) -> Value {
        if let Some(bits) = self.function.constant(value) {
            return self.constant(Ty::I32, bits & 0xffff_ffff);
        }
        let op = Op::IntUnary(IntUnary::Wrap, Width::W32);
        self.node(op, Ty::I32, &[value], 0)
    }

    // --- blocks ---

    fn add_block(&mut self) -> BlockId {
        self.function.add_block(self.depth)
    }

    fn jump(&mut self, from: BlockId, to: BlockId, args: Vec<Value>) {
        self.end(from, Exit::Jump(edge(to, args)));
    }

    fn end(&mut self, block: BlockId, exit: Exit) {
        let origin = self.origin;
        let block = &mut self.function[block];
        block.exit = exit;
        block.exit_origin = origin;
    }
}

/// Lanes of `size` bytes that are held in 32 bits.
fn lanes(size: u64) -> Lanes {
    match size {
        1 => Lanes::I8x16,
        2 => Lanes::I16x8,
        _ => Lanes::I32x4,
    }
}
