//! Whether a loop only copies or fills, and what has to be checked before.

use super::Shape;
use super::linear::{Body, Linear};
use crate::masm::{AluOp, Cond, FloatPart, LoadOp, Width};
use crate::opt::form::ir::{Alias, Effect, Function, Op, Ty, Value};
use zwasm_core::module::ModuleInfo;
use zwasm_core::vmctx::memory;

/// The largest number of bytes that an iteration of the new loop copies.
const COPY_CHUNK_MAX: u64 = 64;

/// The same for one that fills.
const FILL_CHUNK_MAX: u64 = 128;

/// With fewer bytes to handle, the loop runs as it was.
const BYTES_MIN: u64 = 16;

/// And so it does when the iterations that could be saved execute fewer nodes than this: about as many as
/// the checks have.
const NODES_MIN: u64 = 48;

/// Constant parts of addresses are below this.
const OFFSET_MAX: u64 = 1 << 32;

/// What is to be done.
pub(super) struct Plan {
    pub(super) body: Body,
    pub(super) trips: Trips,
    /// How far the loop must be from its end: the difference of what is compared.
    pub(super) left_min: u64,
    pub(super) target: Range,
    pub(super) source: Source,
    /// Bytes that an iteration of the loop handles.
    pub(super) stride: u64,
    /// Whether it goes down in memory.
    pub(super) is_down: bool,
    /// Bytes that an iteration of the new loop handles: whole vectors and whole iterations.
    pub(super) chunk: u64,
    /// The first store.
    pub(super) store: Value,
}

impl Plan {
    /// Whether what whole chunks leave can be done by a chunk that overlaps with the last one.
    pub(super) fn has_rest(&self) -> bool {
        self.chunk == 16 && self.stride < self.chunk
    }
}

/// What is written.
pub(super) enum Source {
    Fill(Value, u64),
    Copy {
        range: Range,
        /// Whether an iteration reads each place before it writes what is there, so that copying towards
        /// where the loop comes from is right at any distance.
        is_in_order: bool,
    },
}

/// How often the loop goes on.
pub(super) struct Trips {
    /// Goes on as long as this holds of the two.
    pub(super) when: Cond,
    pub(super) a: Linear,
    pub(super) b: Linear,
    /// What an iteration adds to `a - b`: a power of two or the negative of one.
    pub(super) step: i64,
    /// `b - a` in the first iteration, or `a - b` where that becomes less, if it is known.
    pub(super) known: Option<u64>,
}

/// The bytes that one iteration reads or writes.
pub(super) struct Range {
    /// Where in the context the pointer to the memory's definition is.
    pub(super) definition: u64,
    pub(super) is_first: bool,
    /// The index that the following offsets are relative to.
    pub(super) index: Linear,
    /// Offset of the lowest byte.
    pub(super) low: i64,
    /// Offset of what is behind the last byte that is accessed or checked for.
    pub(super) end: i64,
    /// The smallest offset of an index without its displacement; not above 0.
    pub(super) lowest_index: i64,
    /// The largest one; not below 0.
    pub(super) highest_index: i64,
    /// Whether an index can wrap around and be in the memory all the same, before and behind.
    pub(super) may_wrap: bool,
    /// Places of accesses with their sizes and their numbers in the order of execution.
    slots: Vec<Slot>,
    /// The most bytes that a check asks for.
    checked: u64,
}

#[derive(Clone, Copy)]
struct Slot {
    offset: i64,
    size: u64,
    order: usize,
    /// The load, or what is stored.
    value: Value,
}

/// An index with a constant that is added without wrapping.
struct Index {
    linear: Linear,
    offset: u64,
}

pub(super) fn plan(function: &Function, shape: &Shape, info: &ModuleInfo) -> Option<Plan> {
    let params = &function[shape.header].params;
    let (first, next) = (shape.first(function), shape.next(function));
    let body = Body::of(function, params, first, next, shape.nodes(function))?;
    let finder = Finder {
        function,
        body: &body,
        info,
    };
    let mut stores = Vec::new();
    let mut loads = Vec::new();
    let mut checks = Vec::new();
    let mut store = None;
    for (order, node) in shape.nodes(function).enumerate() {
        match function[node].op.effect() {
            Effect::Pure | Effect::Reads(_) => {}
            Effect::MayTrap => match function[node].op {
                Op::TrapIf(_) => checks.push(function[node].args[0]),
                _ => return None,
            },
            Effect::ReadsAndMayTrap => finder.access(&mut loads, node, order)?,
            Effect::Writes(Alias::Heap) => {
                finder.access(&mut stores, node, order)?;
                store = store.or(Some(node));
            }
            Effect::Writes(_) | Effect::Calls => return None,
        }
    }
    for cond in &checks {
        finder.check(&mut stores, &mut loads, *cond)?;
    }
    for cond in checks {
        finder.short_check(&stores, &loads, cond)?;
    }
    let [mut target]: [Range; 1] = stores.try_into().ok()?;
    let stride = target.settle()?;
    let step = body.step(&target.index);
    let source = match <[Range; 1]>::try_from(loads) {
        Ok([mut range]) => {
            if range.settle()? != stride || body.step(&range.index) != step {
                return None;
            }
            let is_in_order = target.matches(&range, step < 0)?;
            Source::Copy { range, is_in_order }
        }
        Err(loads) if loads.is_empty() => finder.fill(&target)?,
        Err(_) => return None,
    };
    // Whole vectors and whole iterations.
    let chunk = stride * (16 >> stride.trailing_zeros().min(4));
    let chunk_max = match source {
        Source::Fill(..) => FILL_CHUNK_MAX,
        Source::Copy { .. } => COPY_CHUNK_MAX,
    };
    if step.unsigned_abs() != stride || chunk > chunk_max {
        return None;
    }
    let trips = finder.trips(shape)?;
    let nodes = shape.nodes(function).count() as u64;
    let iterations_min = BYTES_MIN.max(chunk).div_ceil(stride);
    let iterations_min = iterations_min.max(NODES_MIN.div_ceil(nodes));
    let left_min = iterations_min.checked_mul(trips.step.unsigned_abs())?;
    if trips.known.unwrap_or(trips.a.mask(u64::MAX)) < left_min {
        return None;
    }
    Some(Plan {
        trips,
        left_min,
        target,
        source,
        stride,
        is_down: step < 0,
        chunk,
        store: store?,
        body,
    })
}

/// Whether what is written is zero.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Clears {
    Always,
    /// If these bits of an integer are.
    If(Value, u64),
    /// It is not, or cannot easily be told.
    Never,
}

pub(super) fn clears(function: &Function, source: &Source) -> Clears {
    let &Source::Fill(value, size) = source else {
        return Clears::Never;
    };
    let value = match function[value].op {
        Op::Materialize => function[value].args[0],
        _ => value,
    };
    let node = &function[value];
    let bits = match node.op {
        Op::Const => node.imm,
        Op::VectorConst => {
            let [low, high] = function.vectors[node.imm as usize];
            low | high
        }
        _ => match node.ty {
            Ty::I32 | Ty::I64 => {
                let bytes = size.min(node.ty.width().bits() as u64 / 8);
                return Clears::If(value, u64::MAX >> (64 - 8 * bytes));
            }
            Ty::F32 | Ty::F64 | Ty::V128 | Ty::None => return Clears::Never,
        },
    };
    match bits & (u64::MAX >> (64 - 8 * size.min(8))) {
        0 => Clears::Always,
        _ => Clears::Never,
    }
}

struct Finder<'p> {
    function: &'p Function,
    body: &'p Body,
    info: &'p ModuleInfo,
}

impl Finder<'_> {
    /// Adds an access to the range that it is part of.
    fn access(&self, ranges: &mut Vec<Range>, node: Value, order: usize) -> Option<()> {
        let data = &self.function[node];
        let (size, is_store) = match data.op {
            Op::Load(op, Alias::Heap) => (op.bytes(), false),
            Op::FloatLoad(part, Alias::Heap) => (lane_size(part)?, false),
            Op::Store(op, Alias::Heap) => (op.bytes(), true),
            Op::FloatStore(part, Alias::Heap) => (part.bytes(), true),
            _ => return None,
        };
        let (definition, is_first) = self.memory(data.args[0])?;
        let index = self.index(data.args[1])?;
        let displacement = index.offset.checked_add(data.imm)?;
        if displacement >= OFFSET_MAX {
            return None;
        }
        let same = |range: &&mut Range| range.is_of(definition, &index.linear);
        let range = match ranges.iter_mut().find(same) {
            Some(range) => range,
            None => {
                let linear = index.linear.clone();
                let may_wrap = self.may_wrap(definition, &linear);
                ranges.push(Range::new(definition, is_first, linear, may_wrap));
                ranges.last_mut().expect("pushed")
            }
        };
        let distance = range.add_index(&index.linear)?;
        range.slots.push(Slot {
            offset: distance + displacement as i64,
            size,
            order,
            value: if is_store { data.args[2] } else { node },
        });
        Some(())
    }

    /// The memory whose base a value is: where the pointer to its definition is, and whether it is
    /// the one whose base is in a register.
    fn memory(&self, base: Value) -> Option<(u64, bool)> {
        let node = &self.function[base];
        match node.op {
            Op::MemoryBase => Some((u64::from(self.info.offsets.memories), true)),
            Op::Load(LoadOp::U64, Alias::Fixed)
                if node.imm == u64::from(memory::offset::base) && node.args[1] == Value::NONE =>
            {
                Some((self.definition(node.args[0])?, false))
            }
            _ => None,
        }
    }

    /// Where in the context the pointer to a memory's definition is, if a value is one.
    fn definition(&self, value: Value) -> Option<u64> {
        let node = &self.function[value];
        let first = u64::from(self.info.offsets.memories);
        let memories = first..first + 8 * self.info.memories.len() as u64;
        let is_field = node.op == Op::Load(LoadOp::U64, Alias::Fixed)
            && node.args[1] == Value::NONE
            && self.function[node.args[0]].op == Op::Context;
        (is_field && memories.contains(&node.imm)).then_some(node.imm)
    }

    /// Whether indices of 32 bits can wrap around in a memory, which is larger than these reach then.
    fn may_wrap(&self, definition: u64, index: &Linear) -> bool {
        let number = (definition - u64::from(self.info.offsets.memories)) / 8;
        let ty = self.info.memories[number as usize];
        let reached = 1 << (32 - ty.page_size_log2);
        let is_larger = ty.maximum.is_none_or(|pages| pages > reached);
        index.width == Width::W32 && ty.memory64 && is_larger
    }

    fn index(&self, value: Value) -> Option<Index> {
        if value == Value::NONE {
            return None;
        }
        let node = &self.function[value];
        let (inner, offset) = match node.op {
            Op::ExtendU => (node.args[0], 0),
            Op::Alu(AluOp::Add, Width::W64)
                if self.function[node.args[0]].op == Op::ExtendU
                    && self.function.constant(node.args[1]).is_some() =>
            {
                let offset = self.function[node.args[1]].imm;
                (self.function[node.args[0]].args[0], offset)
            }
            _ => (value, 0),
        };
        let linear = self.body.linear(self.function, inner)?;
        Some(Index { linear, offset })
    }

    /// The length of a memory: where in the context the pointer to its definition is.
    fn length(&self, value: Value) -> Option<u64> {
        let node = &self.function[value];
        let is_length = node.op == Op::Load(LoadOp::U64, Alias::Length)
            && node.imm == u64::from(memory::offset::length_bytes)
            && node.args[1] == Value::NONE;
        is_length.then(|| self.definition(node.args[0]))?
    }

    /// A check of bounds that the checks before the loop are to make superfluous.
    fn check(&self, stores: &mut [Range], loads: &mut [Range], cond: Value) -> Option<()> {
        let node = &self.function[cond];
        let [index, room, _] = node.args;
        match node.op {
            Op::Compare(Cond::GtU, Width::W64) => {}
            // See `short_check`.
            Op::Compare(Cond::LtU, Width::W64) => return Some(()),
            _ => return None,
        }
        let room = &self.function[room];
        if room.op != Op::Alu(AluOp::Add, Width::W64) {
            return None;
        }
        let definition = self.length(room.args[0])?;
        let bytes = self.function.constant(room.args[1])?.wrapping_neg();
        let index = self.index(index)?;
        if bytes >= OFFSET_MAX || index.offset >= OFFSET_MAX {
            return None;
        }
        let mut ranges = stores.iter_mut().chain(loads);
        let range = ranges.find(|range| range.is_of(definition, &index.linear))?;
        let distance = range.add_index(&index.linear)?;
        range.end = range.end.max(distance + (index.offset + bytes) as i64);
        range.checked = range.checked.max(bytes);
        Some(())
    }

    /// A check that a memory has some bytes at all: no less than another check asks for.
    fn short_check(&self, stores: &[Range], loads: &[Range], cond: Value) -> Option<()> {
        let node = &self.function[cond];
        let Op::Compare(Cond::LtU, _) = node.op else {
            return Some(());
        };
        let definition = self.length(node.args[0])?;
        let bytes = self.function.constant(node.args[1])?;
        let mut ranges = stores.iter().chain(loads);
        let is_covered = |range: &Range| range.definition == definition && range.checked >= bytes;
        ranges.any(is_covered).then_some(())
    }

    /// What all stores write, if that is the same in all iterations.
    fn fill(&self, target: &Range) -> Option<Source> {
        let Slot { value, size, .. } = target.slots[0];
        let is_same = |slot: &Slot| slot.value == value && slot.size == size;
        let is_fill = target.slots.iter().all(is_same) && self.body.is_outside(value);
        // Vectors are there already: they are of interest where the runtime can do without them.
        let is_vector = self.function[value].ty == Ty::V128;
        let source = Source::Fill(value, size);
        (is_fill && (!is_vector || clears(self.function, &source) == Clears::Always))
            .then_some(source)
    }

    /// How often the loop goes on at least.
    fn trips(&self, shape: &Shape) -> Option<Trips> {
        let node = &self.function[shape.condition];
        let (when, a, b) = match node.op {
            Op::Compare(when, _) => {
                let [a, b, _] = node.args;
                let when = if shape.goes_on_when {
                    when
                } else {
                    when.negate()
                };
                let a = self.body.linear(self.function, a)?;
                (when, a, self.body.linear(self.function, b)?)
            }
            _ if shape.goes_on_when => {
                let a = self.body.linear(self.function, shape.condition)?;
                let zero = Linear {
                    width: Width::W32,
                    constant: 0,
                    terms: Vec::new(),
                };
                (Cond::Ne, a, zero)
            }
            _ => return None,
        };
        let (step_a, step_b) = (self.body.step(&a), self.body.step(&b));
        let (when, a, b, step) = match (step_a, step_b) {
            (step, 0) => (when, a, b, step),
            (0, step) => (when.swap(), b, a, step),
            _ => return None,
        };
        let is_towards = match when {
            Cond::Ne => true,
            Cond::LtS | Cond::LtU | Cond::LeS | Cond::LeU => step > 0,
            Cond::GtS | Cond::GtU | Cond::GeS | Cond::GeU => step < 0,
            Cond::Eq => false,
        };
        let is_known = is_towards && step.unsigned_abs().is_power_of_two();
        if !is_known {
            return None;
        }
        let first = |linear| self.body.known(self.function, linear);
        let known = first(&a).zip(first(&b)).map(|(first_a, first_b)| {
            let left = first_b.wrapping_sub(first_a);
            a.mask(if step > 0 { left } else { left.wrapping_neg() })
        });
        Some(Trips {
            when,
            a,
            b,
            step,
            known,
        })
    }
}

impl Range {
    fn new(definition: u64, is_first: bool, index: Linear, may_wrap: bool) -> Range {
        Range {
            definition,
            is_first,
            index,
            low: 0,
            end: 0,
            lowest_index: 0,
            highest_index: 0,
            may_wrap,
            slots: Vec::new(),
            checked: 0,
        }
    }

    /// Whether an index differs from the range's by a constant only.
    fn is_of(&self, definition: u64, index: &Linear) -> bool {
        self.definition == definition
            && self.index.width == index.width
            && self.index.terms == index.terms
    }

    /// How much an index is more than the range's.
    fn add_index(&mut self, index: &Linear) -> Option<i64> {
        let distance = self.index.distance(index);
        self.lowest_index = self.lowest_index.min(distance);
        self.highest_index = self.highest_index.max(distance);
        (distance.unsigned_abs() < OFFSET_MAX).then_some(distance)
    }

    /// Sorts the accesses; the sum of their sizes, if there is nothing between them.
    fn settle(&mut self) -> Option<u64> {
        self.slots.sort_unstable_by_key(|slot| slot.offset);
        self.low = self.slots[0].offset;
        let mut end = self.low;
        for slot in &self.slots {
            if slot.offset != end {
                return None;
            }
            end += slot.size as i64;
        }
        self.end = self.end.max(end);
        Some((end - self.low) as u64)
    }

    /// Whether each store is of what the load at the same place of `source` gave; if so, whether
    /// the order is right for ranges that overlap.
    fn matches(&self, source: &Range, is_down: bool) -> Option<bool> {
        if self.slots.len() != source.slots.len() {
            return None;
        }
        for (store, load) in self.slots.iter().zip(&source.slots) {
            let is_at_same = store.offset - self.low == load.offset - source.low;
            if store.value != load.value || store.size != load.size || !is_at_same {
                return None;
            }
        }
        // What a store may overwrite is read already: places up to its own, as seen by the loop.
        let orders = || self.slots.iter().zip(&source.slots);
        let mut latest = None;
        let mut is_right = |(store, load): (&Slot, &Slot)| {
            latest = latest.max(Some(load.order));
            latest < Some(store.order)
        };
        Some(match is_down {
            false => orders().all(&mut is_right),
            true => orders().rev().all(&mut is_right),
        })
    }
}

/// Of what is no vector already.
fn lane_size(part: FloatPart) -> Option<u64> {
    (part != FloatPart::V128).then(|| part.bytes())
}
