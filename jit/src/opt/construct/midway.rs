//! Code that is entered at a loop, with the state that code of the baseline compiler has there.
//!
//! What comes before the outermost loop around the entrance is built like anything else and then dropped:
//! all that counts is the types of the operands. The first block reads the state and goes to the head of
//! that loop. If the entrance is an inner loop, the form stays reducible, for every loop on the way is entered at
//! its head: a last parameter of the head says that it is passed only, and then a block leads straight to
//! the next loop on the way. Jumps back pass zero there, so after the first round nothing is left of this but
//! a test.
//!
//! ```text
//! block0: state…            jump head1(state…, 1)
//! head1(locals…, passes):   branch passes → hop, body1
//! hop: state…               jump before2(state…)
//! body1: …                  jump before2(locals…)       as in code that is called
//! before2(everything):      jump head2(…)
//! ```
//!
//! What a loop on the way sets before the next one is not known to a hop, so everything that may differ meets in
//! front of the inner loop: locals that the outer one assigns, and operands that lie in its body. The same is
//! so behind each construct between the two, because branches may lead there from both sides. They
//! count as assigning what the outer loop assigns, and have the operands below them among
//! the values that branches bring (`Frame::low`).

use super::counts::Count;
use super::scan::Assigned;
use super::{Builder, Frame, Kind, Unsupported, VALIDATED};
use crate::contract::midway::{Place, copy_offset};
use crate::masm::LoadOp;
use crate::opt::form::ir::{Alias, BlockId, Edge, Exit, Op, Ty, Value, Values};
use foldhash::{HashSet, HashSetExt};
use wasmparser::{BlockType, FunctionBody, Operator};
use zwasm_core::vmctx::{context, limits};

/// What is left to do until the code is entered.
pub(super) struct Midway {
    place: Place,
    /// The constructs around the entrance that are not open yet, innermost first, with whether they are
    /// loops: the innermost is the loop that is entered.
    around: Vec<(usize, bool)>,
    /// How many of them are loops. None, once the code is entered.
    loops: usize,
    /// Of the innermost loop that is open: the number of its frame, and where it leads on.
    outer: Option<(usize, BlockId)>,
    /// The first slots of the locals, and of the operands up to the height of that loop.
    locals: Vec<u32>,
    operands: Vec<u32>,
    /// The slots of all these.
    slots: u32,
    /// What the head of the loop that comes next is told.
    passes: Option<Value>,
    /// What may be inlined then.
    room_bytes: [usize; 2],
}

impl Midway {
    /// Finds the loop, and widens what the constructs on the way assign.
    pub(super) fn find(
        body: &FunctionBody<'_>,
        place: Place,
        assigned: &mut Assigned,
    ) -> Result<Midway, Unsupported> {
        let mut around: Vec<(usize, bool)> = Vec::new();
        let mut constructs = 0;
        let mut reader = body.get_operators_reader().expect(VALIDATED);
        loop {
            if reader.eof() {
                return Err(Unsupported::Operator);
            }
            let offset = reader.original_position() as u32;
            match reader.read().expect(VALIDATED) {
                Operator::Loop { .. } => {
                    around.push((constructs, true));
                    constructs += 1;
                    if offset == place.loop_offset {
                        break;
                    }
                }
                Operator::Block { .. } | Operator::If { .. } | Operator::TryTable { .. } => {
                    around.push((constructs, false));
                    constructs += 1;
                }
                Operator::End => {
                    around.pop();
                }
                _ => {}
            }
        }
        let mut outer = None;
        for &(construct, is_loop) in &around {
            match outer {
                _ if is_loop => outer = Some(construct),
                Some(outer) => assigned.widen(construct, outer),
                None => {}
            }
        }
        around.reverse();
        Ok(Midway {
            place,
            loops: around.iter().filter(|(_, is_loop)| *is_loop).count(),
            around,
            outer: None,
            locals: Vec::new(),
            operands: Vec::new(),
            slots: 0,
            passes: None,
            room_bytes: [0; 2],
        })
    }

    /// Whether the loop that is opened next is the entrance.
    fn is_last(&self) -> bool {
        self.loops == 1
    }

    /// Whether this construct comes next.
    fn is_next(&self, construct: usize) -> bool {
        matches!(self.around.last(), Some(&(next, _)) if next == construct)
    }
}

impl Builder<'_> {
    /// Begins what is not to stay: the code before the loop.
    pub(super) fn begin_midway(&mut self, mut midway: Midway) {
        // The first block is for the state.
        self.block = self.function.add_block(0);
        midway.room_bytes = self.inlining.exchange_room([0; 2]);
        for &ty in &self.body.local_types {
            midway.locals.push(midway.slots);
            midway.slots += ty.slots();
        }
        self.midway = Some(midway);
    }

    /// Whether the entrance was there.
    pub(super) fn has_entered(&self) -> Result<(), Unsupported> {
        match &self.midway {
            Some(midway) if midway.loops > 0 => Err(Unsupported::Operator),
            Some(_) | None => Ok(()),
        }
    }

    /// Takes what is left to do if a construct that comes now is on the way to the entrance.
    fn take_midway(&mut self, construct: usize) -> Option<Midway> {
        if self.body.outer.is_some() {
            return None;
        }
        self.midway.take_if(|midway| midway.is_next(construct))
    }

    /// Before a loop of this type is opened: enters here, or lets come in who is on the way.
    pub(super) fn enter_midway(&mut self, ty: BlockType) -> Result<(), Unsupported> {
        let construct = self.body.next_construct;
        let Some(mut midway) = self.take_midway(construct) else {
            return Ok(());
        };
        let params = self.signature(ty).params().len();
        self.place_operands(&mut midway);
        let entered = match midway.outer {
            None => self.enter_outermost(&midway, params),
            Some((outer, hop)) => self.enter_inner(&midway, params, outer, hop),
        };
        midway.passes = entered?;
        self.midway = Some(midway);
        Ok(())
    }

    /// Finds the slots of the operands above the last loop on the way.
    fn place_operands(&self, midway: &mut Midway) {
        let height = midway
            .outer
            .map_or(0, |(outer, _)| self.control[outer].height);
        if let Some(&slot) = midway.operands.get(height) {
            midway.slots = slot;
            midway.operands.truncate(height);
        }
        for &operand in &self.stack[height..] {
            midway.operands.push(midway.slots);
            midway.slots += self.function[operand].ty.slots();
        }
    }

    /// Forgets what came before the outermost loop, and goes on in the first block with the state.
    /// Returns what the loop's head is told.
    fn enter_outermost(
        &mut self,
        midway: &Midway,
        params: usize,
    ) -> Result<Option<Value>, Unsupported> {
        self.nodes.clear();
        self.order.truncate(1);
        self.block = self.order[0];
        for frame in &mut self.control {
            frame.used = false;
            frame.agreed.clear();
            frame.to_else = None;
        }
        self.forget_pads();
        self.inlining.exchange_room(midway.room_bytes);
        self.count = Count::ONCE;
        let locals: Vec<u32> = (0..self.body.locals.len() as u32).collect();
        let (locals, operands) = self.read_state(midway, params, &locals, 0)?;
        self.body.locals = locals.into_vec();
        self.stack = operands.into_vec();
        Ok((!midway.is_last()).then(|| self.i32(1)))
    }

    /// Lets the way that comes from the head of an outer loop meet what comes from its body. Returns what the
    /// loop's head is told.
    fn enter_inner(
        &mut self,
        midway: &Midway,
        params: usize,
        outer: usize,
        hop: BlockId,
    ) -> Result<Option<Value>, Unsupported> {
        let Frame {
            height, construct, ..
        } = self.control[outer];
        let differ = self.body.assigned.of(construct).to_vec();
        let is_last = midway.is_last();
        let before = self.function.add_block(self.loop_depth);
        let mut args: Values = self.stack[height..].into();
        args.extend(differ.iter().map(|&local| self.body.locals[local as usize]));
        args.extend((!is_last).then(|| self.i32(0)));
        self.edge_args += 2 * args.len();
        let types: Vec<Ty> = args.iter().map(|&arg| self.function[arg].ty).collect();
        self.finish_block(Exit::Jump(Edge { to: before, args }));

        self.block = hop;
        let (locals, mut args) = self.read_state(midway, params, &differ, height)?;
        args.extend(locals);
        args.extend((!is_last).then(|| self.i32(1)));
        self.finish_block(Exit::Jump(Edge { to: before, args }));

        self.start(before);
        let merged: Values = types.iter().map(|&ty| self.param(before, ty)).collect();
        let mut merged = merged.into_iter();
        for operand in &mut self.stack[height..] {
            *operand = merged.next().expect("one of each");
        }
        for local in differ {
            self.body.locals[local as usize] = merged.next().expect("one of each");
        }
        Ok(merged.next())
    }

    /// Adds to the current block what these locals are, and the operands from this height on, on the way to the
    /// entrance, at a loop with so many parameters. What is set before the entrance again is zero until
    /// then.
    fn read_state(
        &mut self,
        midway: &Midway,
        params: usize,
        locals: &[u32],
        height: usize,
    ) -> Result<(Values, Values), Unsupported> {
        let is_last = midway.is_last();
        let slots = midway.place.slots;
        if midway.slots > slots || is_last && midway.slots != slots {
            return Err(Unsupported::Operator);
        }
        let limits = self.context_load(context::offset::limits, Alias::Fixed);
        let copy = Op::Load(LoadOp::U64, Alias::Table);
        let at = u64::from(limits::offset::resume_stack);
        let copy = self.emit(copy, Ty::I64, &[limits], at);
        let value = |builder: &mut Self, slot: u32, ty: Ty, is_known: bool| match is_known {
            true => builder.read_slot(copy, copy_offset(slots, slot, ty.slots()), ty),
            false => builder.zero(ty),
        };
        let mut assigned: HashSet<u32> = HashSet::new();
        if !is_last {
            let construct = self.body.next_construct;
            assigned.extend(self.body.assigned.of(construct));
        }
        let locals = locals.iter().map(|&local| {
            let ty = Ty::of(self.body.local_types[local as usize]);
            let slot = midway.locals[local as usize];
            value(self, slot, ty, !assigned.contains(&local))
        });
        let locals = locals.collect();
        let known = self.stack.len() - if is_last { 0 } else { params };
        let operands = (height..self.stack.len()).map(|at| {
            let ty = self.function[self.stack[at]].ty;
            value(self, midway.operands[at], ty, at < known)
        });
        Ok((locals, operands.collect()))
    }

    /// Reads a value of the state.
    fn read_slot(&mut self, copy: Value, at: u32, ty: Ty) -> Value {
        let op = match ty {
            Ty::I32 => Op::Load(LoadOp::U32, Alias::Table),
            Ty::None | Ty::I64 => Op::Load(LoadOp::U64, Alias::Table),
            Ty::F32 | Ty::F64 | Ty::V128 => Op::FloatLoad(ty.part(), Alias::Table),
        };
        self.emit(op, ty, &[copy], u64::from(at))
    }

    /// A frame is opened: it may be on the way to the entrance.
    pub(super) fn mark_midway(&mut self, frame: &mut Frame) {
        let Some(mut midway) = self.take_midway(frame.construct) else {
            return;
        };
        midway.around.pop();
        if frame.kind == Kind::Loop {
            frame.passes = !midway.is_last();
            midway.loops -= 1;
            midway.outer = None;
        } else if let Some((outer, _)) = midway.outer {
            frame.low = self.control[outer].height;
            // What it holds on to, whether branches lead there or not.
            self.edge_args += frame.height - frame.low;
            self.edge_args += self.body.assigned.of(frame.construct).len();
        }
        self.midway = Some(midway);
    }

    /// What a loop's head is told that is about to be entered from above.
    pub(super) fn passing(&mut self) -> Option<Value> {
        self.midway.as_mut().and_then(|midway| midway.passes.take())
    }

    /// What a jump back to the head of a loop tells it.
    pub(super) fn not_passing(&mut self, frame: usize) -> Option<Value> {
        self.control[frame].passes.then(|| self.i32(0))
    }

    /// At the head of a loop: leads on who is on the way.
    pub(super) fn pass_midway(&mut self) {
        let frame = self.control.len() - 1;
        if !self.control[frame].passes {
            return;
        }
        let passes = self.param(self.block, Ty::I32);
        let [hop, body] = [0; 2].map(|_| self.function.add_block(self.loop_depth));
        let edge = |to| Edge {
            to,
            args: Values::new(),
        };
        self.finish_block(Exit::Branch(passes, [edge(hop), edge(body)]));
        self.order.push(hop);
        self.start(body);
        let midway = self.midway.as_mut().expect("its loop passes");
        midway.outer = Some((frame, hop));
    }

    /// Operands below a construct that branches to its label bring with them.
    pub(super) fn operands_below(&self, frame: usize) -> Values {
        let Frame { low, height, .. } = self.control[frame];
        self.stack[low..height].into()
    }
}
