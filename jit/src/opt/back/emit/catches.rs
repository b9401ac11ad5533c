//! The table of handlers: which calls lead to which landing pads.
//!
//! The runtime finds the clauses of a call by the address behind it, writes the payload into the frame
//! where operands of helpers go, and goes on at the pad. Of registers a pad finds the pinned ones and
//! the frame's only; those that callers want back, the function has saved.

use super::Emitter;
use crate::contract::{CatchClause, CatchRange};
use crate::masm::Masm;
use crate::opt::form::ir::{BlockId, Value};

/// The code of a call that may lead to landing pads.
#[derive(Clone, Copy)]
pub(super) struct Covered {
    /// First byte and first byte behind.
    range: (u32, u32),
    /// The block that the call ends.
    block: BlockId,
}

impl<M: Masm> Emitter<'_, M> {
    /// The current block, if it ends with this call and that may lead to landing pads.
    pub(super) fn invoked_by(&self, call: Value) -> Option<BlockId> {
        let function = self.function;
        let last = function.invoked(self.current)?;
        (function[self.current].nodes[last] == call).then_some(self.current)
    }

    /// What was emitted since `start` may lead to pads, if the call that is being emitted may.
    pub(super) fn cover(&mut self, start: u32) {
        if let Some(block) = self.invoking {
            let range = (start, self.masm.offset());
            self.covered.push(Covered { range, block });
        }
    }

    /// The table, once all blocks have their places.
    pub(super) fn catches(&self) -> Vec<CatchRange> {
        let function = self.function;
        let payload_below_frame = self.frame.distance(self.allocation.slot_count);
        let clause = |to: BlockId| {
            let pad = function[to].pad.expect("only pads are behind the first");
            CatchClause {
                tag: pad.tag,
                with_ref: pad.with_ref,
                target: self.offsets[self.landing(to).0 as usize],
                payload_below_frame,
            }
        };
        let ranges = self.covered.iter().map(|covered| {
            let edges = function[covered.block].exit.edges();
            CatchRange {
                start: covered.range.0,
                end: covered.range.1,
                clauses: edges[1..].iter().map(|edge| clause(edge.to)).collect(),
            }
        });
        ranges.collect()
    }
}
