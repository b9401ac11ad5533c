//! Callees in place of calls.
//!
//! A callee's operators are built where the call is, with locals of their own; its end and its
//! returns lead to a join. What it reads and writes is of the same instance, so nothing else is
//! different. Every node says whose operator it came from, so that backtraces show the callee as if
//! it had been called.
//!
//! Whether a callee is worth its room is decided by the size of its body: small ones cost no more than their
//! calls, larger ones are let in where the call is in a loop, or was counted to run often; where it was counted
//! to run hardly ever, none is. What a function may grow by is bounded by its own size, so that the time to
//! compile it stays in proportion.
//!
//! A callee, or the function itself, that ends by a tail call is gone at that point. If what it calls
//! can be inlined, backtraces do not show it any more; if not, a callee's tail call is a call from
//! where the callee was called. A tail call of a function that is gone already is a back edge to its
//! start: functions that call each other like this become loops.

use super::counts::Heat;
use super::{Body, Builder, Frame, Kind, Unsupported, VALIDATED, local_types, scan};
use crate::contract::{Env, InlinedCall, Scope};
use crate::opt::form::ir::{BlockId, Edge, Exit, Origin, Ty};
use scan::NO_CONSTRUCT;
use wasmparser::{BinaryReader, FunctionBody};
use zwasm_core::BlockSignature;

/// Callees in callees, the outermost counted.
const DEPTH_MAX: usize = 3;
/// Bytes of the body of a callee: of any, and of one that is called in a loop.
const BYTES_MAX: usize = 24;
const BYTES_MAX_IN_LOOP: usize = 160;
/// The same of one whose call was counted to run as often as anything in the function.
const BYTES_MAX_HOT: usize = 480;
/// Bytes of a body that may stand in itself once; one of half as many may twice.
const BYTES_MAX_RECURSIVE: usize = 64;
/// Bytes of callees' bodies in a function, beyond a part of as many as it has itself: long ones
/// would take the most time, for the least effect.
const GROWTH_BYTES: usize = 256;
const GROWTH_DIVISOR: usize = 4;
/// The same of those whose calls were counted to run as often as anything: beyond as many as the function has
/// itself, but for what large ones have.
const HOT_GROWTH_BYTES: usize = 1024;
const HOT_GROWTH_OWN_MAX: usize = 4096;
/// Locals that a callee declares: a short body may have many.
const LOCALS_MAX: u64 = 64;

/// What is tried for tests: nearly everything that can be inlined.
const STRESS_BYTES_MAX: usize = 4_000;
const STRESS_GROWTH_BYTES: usize = 20_000;

/// The first block of a body, behind its parameters.
pub(super) struct Start {
    block: BlockId,
    /// Whether a tail call leads there.
    used: bool,
}

/// What may still be inlined.
pub(super) struct Inlining {
    /// Bytes of bodies that may still come in.
    room_bytes: usize,
    /// The same of callees that are called as often as anything is done.
    hot_room_bytes: usize,
    /// The functions whose bodies are open, by their index in the module, outermost first.
    open: Vec<u32>,
}

impl Inlining {
    pub(super) fn new(env: Env<'_>, func: u32, body: &FunctionBody<'_>, allowed: bool) -> Inlining {
        let own_bytes = body.as_bytes().len();
        let (room_bytes, hot_room_bytes) = match (allowed, env.stress.inline) {
            (false, _) => (0, 0),
            (true, false) => (
                GROWTH_BYTES + own_bytes / GROWTH_DIVISOR,
                HOT_GROWTH_BYTES + own_bytes.min(HOT_GROWTH_OWN_MAX),
            ),
            (true, true) => (STRESS_GROWTH_BYTES, STRESS_GROWTH_BYTES),
        };
        Inlining {
            room_bytes,
            hot_room_bytes,
            open: vec![func],
        }
    }
}

impl Inlining {
    /// Changes what may come in; answers what might before.
    pub(super) fn exchange_room(&mut self, [usual, hot]: [usize; 2]) -> [usize; 2] {
        let usual = core::mem::replace(&mut self.room_bytes, usual);
        let hot = core::mem::replace(&mut self.hot_room_bytes, hot);
        [usual, hot]
    }

    /// How many bytes may still come in where a call is this hot.
    fn room(&mut self, heat: Heat) -> &mut usize {
        match heat {
            Heat::Hot => &mut self.hot_room_bytes,
            Heat::Usual | Heat::Cold => &mut self.room_bytes,
        }
    }
}

impl<'m> Builder<'m> {
    /// Builds the callee of a direct call in its place, if that is allowed and seems to pay.
    pub(super) fn inline_call(&mut self, func: u32) -> Result<bool, Unsupported> {
        self.inline(func, Some(self.origin), false)
    }

    /// The same for a direct tail call: what it leaves is gone. One of a function that is gone
    /// already, or is just being left, starts that one again.
    pub(super) fn inline_tail_call(&mut self, func: u32) -> Result<bool, Unsupported> {
        if self.start_again(func) {
            return Ok(true);
        }
        let is_inlined = self.inline(func, self.body.call, true)?;
        if is_inlined {
            self.leave_body();
        }
        Ok(is_inlined)
    }

    /// Builds a callee in place; `call` is what backtraces have behind it.
    fn inline(
        &mut self,
        func: u32,
        call: Option<Origin>,
        is_tail_call: bool,
    ) -> Result<bool, Unsupported> {
        let heat = self.heat();
        let Some(body) = self.candidate(func, heat) else {
            return Ok(false);
        };
        let signature = self.env.types[self.env.info.funcs[func as usize] as usize].clone();
        let types = local_types(self.env, &signature, &body);
        let reader = body.get_operators_reader().expect(VALIDATED);
        let Ok(assigned) = scan::scan(reader, types.len()) else {
            return Ok(false);
        };
        let Some(scope) = Scope::inlined(self.function.inlined.len()) else {
            return Ok(false);
        };
        let here = self.origin;
        let place = call.unwrap_or_else(|| self.function.outermost(here));
        self.function.inlined.push(InlinedCall {
            func,
            call_offset: place.offset,
            caller: call.map(|call| call.scope),
        });
        *self.inlining.room(heat) -= body.as_bytes().len();
        self.inlining.open.push(func);
        let count = self.count;
        let mut own = Body::new(func, types, assigned);
        own.counted = self.counted(func, count);
        own.locals = self.pop_many(signature.params().len()).into_vec();
        own.frame = self.control.len();
        own.call = call;
        own.is_outer_left = is_tail_call;
        let outer = core::mem::replace(&mut self.body, own);
        self.body.outer = Some(Box::new(outer));
        self.origin = Origin { scope, ..here };
        let target = self.function.add_block(self.loop_depth);
        self.control.push(Frame::new(
            Kind::Block,
            BlockSignature::Func(signature),
            target,
            (self.stack.len(), NO_CONSTRUCT),
        ));
        self.open_start();
        self.zero_locals();
        self.operators(&body)?;
        self.settle_start();
        self.inlining.open.pop();
        self.body = *self.body.outer.take().expect("kept above");
        self.origin = here;
        self.count = count;
        Ok(true)
    }

    // --- tail calls of what is gone ---

    /// Begins a block that tail calls of this body's function may lead back to, if it has any tail
    /// calls.
    pub(super) fn open_start(&mut self) {
        if !self.body.assigned.has_tail_calls {
            return;
        }
        self.loop_depth += 1;
        let block = self.function.add_block(self.loop_depth);
        let args = core::mem::take(&mut self.body.locals);
        let count = args.len();
        let args = args.into();
        self.finish_block(Exit::Jump(Edge { to: block, args }));
        self.start(block);
        self.body.locals = (0..count)
            .map(|local| self.param(block, Ty::of(self.body.local_types[local])))
            .collect();
        self.body.start = Some(Start { block, used: false });
    }

    /// Jumps to the start of a function that is being left by a tail call of it, or that was left
    /// before by one that led here.
    fn start_again(&mut self, func: u32) -> bool {
        let mut body = &mut self.body;
        while body.func != func {
            if !body.is_outer_left {
                return false;
            }
            body = body.outer.as_mut().expect("it was left");
        }
        let params = self.env.types[self.env.info.funcs[func as usize] as usize].params();
        let Some(start) = &mut body.start else {
            return false;
        };
        start.used = true;
        let to = start.block;
        let args = self.pop_many(params.len());
        self.edge_args += args.len();
        self.close(Exit::Jump(Edge { to, args }));
        true
    }

    /// At the end of a body: says whether its start became that of a loop.
    pub(super) fn settle_start(&mut self) {
        let Some(start) = &self.body.start else {
            return;
        };
        self.loop_depth -= 1;
        self.function[start.block].is_loop_header = start.used;
        if !start.used {
            // Of all blocks made since, but for landing pads of clauses outside.
            let since = &mut self.function.blocks[start.block.0 as usize..];
            let depth = self.loop_depth;
            let inside = since.iter_mut().filter(|block| block.loop_depth > depth);
            inside.for_each(|block| block.loop_depth -= 1);
        }
    }

    /// The body of a callee that is small enough.
    fn candidate(&mut self, func: u32, heat: Heat) -> Option<FunctionBody<'m>> {
        let info = self.env.info;
        let range = info.bodies[info.defined_func(func)? as usize].clone();
        let room_bytes = *self.inlining.room(heat);
        let open = &self.inlining.open;
        let repeated = open.iter().filter(|&&it| it == func).count();
        let most = if self.env.stress.inline && repeated <= 1 {
            STRESS_BYTES_MAX
        } else if repeated > 0 {
            BYTES_MAX_RECURSIVE >> (repeated - 1)
        } else {
            match heat {
                Heat::Cold => 0,
                Heat::Hot => BYTES_MAX_HOT,
                Heat::Usual if self.loop_depth > 0 => BYTES_MAX_IN_LOOP,
                Heat::Usual => BYTES_MAX,
            }
        };
        if range.len() > most.min(room_bytes) || open.len() > DEPTH_MAX {
            return None;
        }
        let (bytes, start) = (&self.env.bytes[range.clone()], range.start as u64);
        let reader = BinaryReader::new_features(bytes, start, self.env.features);
        let body = FunctionBody::new(reader);
        let groups = body.get_locals_reader().expect(VALIDATED).into_iter();
        let locals: u64 = groups
            .map(|group| u64::from(group.expect(VALIDATED).0))
            .sum();
        (locals <= LOCALS_MAX).then_some(body)
    }
}
