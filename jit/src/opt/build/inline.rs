//! Callees in place of calls.
//!
//! A callee's operators are built where the call is, with locals of their own; its end and its
//! returns lead to a join. What it reads and writes is of the same instance, so nothing else is
//! different. Every node says whose operator it came from, so that backtraces show the callee as if
//! it had been called.
//!
//! Whether a callee is worth its room is decided by the size of its body alone: small ones cost no
//! more than their calls, larger ones are let in where the call is in a loop. What a function may
//! grow by is bounded by its own size, so that the time to compile it stays in proportion. Callees
//! that handle exceptions are called. One that ends by a tail call is left at that point: what
//! follows is a call from where the callee was called.

use super::{Body, Builder, Frame, Kind, Unsupported, VALIDATED, local_types, scan};
use crate::baseline::{Env, InlinedCall, Scope};
use crate::opt::ir::Origin;
use scan::NO_CONSTRUCT;
use wasmparser::{BinaryReader, FunctionBody};
use zwasm_core::BlockSignature;

/// Callees in callees, the outermost counted.
const DEPTH_MAX: usize = 3;
/// Bytes of the body of a callee: of any, and of one that is called in a loop.
const BYTES_MAX: usize = 24;
const BYTES_MAX_IN_LOOP: usize = 160;
/// Bytes of a body that may stand in itself once; one of half as many may twice.
const BYTES_MAX_RECURSIVE: usize = 64;
/// Bytes of callees' bodies in a function, beyond a part of as many as it has itself: long ones
/// would take the most time, for the least effect.
const GROWTH_BYTES: usize = 256;
const GROWTH_DIVISOR: usize = 4;
/// Locals of a callee: a short body may declare many.
const LOCALS_MAX: usize = 64;

/// What is tried for tests: nearly everything that can be inlined.
const STRESS_BYTES_MAX: usize = 4_000;
const STRESS_GROWTH_BYTES: usize = 20_000;

/// What may still be inlined.
pub(super) struct Inlining {
    /// Bytes of bodies that may still come in.
    room_bytes: usize,
    /// The functions whose bodies are open, by their index in the module, outermost first.
    open: Vec<u32>,
}

impl Inlining {
    pub(super) fn new(env: Env<'_>, func: u32, body: &FunctionBody<'_>, allowed: bool) -> Inlining {
        let room_bytes = match (allowed, env.stress.inline) {
            (false, _) => 0,
            (true, false) => GROWTH_BYTES + body.as_bytes().len() / GROWTH_DIVISOR,
            (true, true) => STRESS_GROWTH_BYTES,
        };
        Inlining {
            room_bytes,
            open: vec![func],
        }
    }
}

impl<'m> Builder<'m> {
    /// Builds the callee of a direct call in its place, if that is allowed and seems to pay.
    pub(super) fn inline(&mut self, func: u32) -> Result<bool, Unsupported> {
        let Some(body) = self.candidate(func) else {
            return Ok(false);
        };
        let signature = self.env.types[self.env.info.funcs[func as usize] as usize].clone();
        let types = local_types(self.env, &signature, &body);
        let reader = body.get_operators_reader().expect(VALIDATED);
        let Some(assigned) = scan::scan(reader)
            .ok()
            .filter(|_| types.len() <= LOCALS_MAX)
        else {
            return Ok(false);
        };
        let Some(scope) = Scope::inlined(self.function.inlined.len()) else {
            return Ok(false);
        };
        let call = self.origin;
        self.function.inlined.push(InlinedCall {
            func,
            call_offset: call.offset,
            caller: call.scope,
        });
        self.inlining.room_bytes -= body.as_bytes().len();
        self.inlining.open.push(func);
        let args = self.pop_many(signature.params().len());
        let mut own = Body::new(types, args, assigned);
        own.frame = self.control.len();
        own.call = call;
        let outer = core::mem::replace(&mut self.body, own);
        self.origin = Origin { scope, ..call };
        self.zero_locals();
        let target = self.function.add_block(self.loop_depth);
        self.control.push(Frame {
            kind: Kind::Block,
            signature: BlockSignature::Func(signature),
            height: self.stack.len(),
            construct: NO_CONSTRUCT,
            target,
            to_else: None,
            used: false,
        });
        self.operators(&body)?;
        self.inlining.open.pop();
        self.body = outer;
        self.origin = call;
        Ok(true)
    }

    /// Whether the body that is being read is a callee's.
    pub(super) fn is_inlined(&self) -> bool {
        self.body.frame > 0
    }

    /// Does what a callee leaves to be done in its place by a tail call.
    pub(super) fn in_callers_place<T>(&mut self, act: impl FnOnce(&mut Self) -> T) -> T {
        let origin = core::mem::replace(&mut self.origin, self.body.call);
        let result = act(self);
        self.origin = origin;
        result
    }

    /// The body of a callee that is small enough.
    fn candidate(&self, func: u32) -> Option<FunctionBody<'m>> {
        let info = self.env.info;
        let range = info.bodies[info.defined_func(func)? as usize].clone();
        let Inlining { room_bytes, open } = &self.inlining;
        let repeated = open.iter().filter(|&&it| it == func).count();
        let most = if self.env.stress.inline && repeated <= 1 {
            STRESS_BYTES_MAX
        } else if repeated > 0 {
            BYTES_MAX_RECURSIVE >> (repeated - 1)
        } else if self.loop_depth > 0 {
            BYTES_MAX_IN_LOOP
        } else {
            BYTES_MAX
        };
        if range.len() > most.min(*room_bytes) || open.len() > DEPTH_MAX {
            return None;
        }
        let (bytes, start) = (&self.env.bytes[range.clone()], range.start as u64);
        let reader = BinaryReader::new_features(bytes, start, self.env.features);
        Some(FunctionBody::new(reader))
    }
}
