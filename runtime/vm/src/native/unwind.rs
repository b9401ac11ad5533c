//! Walking native frames: backtraces, and the search for exception handlers.
//!
//! Frames are linked by their frame pointers ([`Frame`]). The walk ends at the first return address
//! that is no function's: the entry stub's.

use super::code::{NativeCode, REGISTRY};
use super::frame::Frame;
use crate::backtrace::{self, WasmBacktrace};
use crate::error::Error;
use crate::store::StoreOpaque;
use std::sync::Arc;
use zwasm_core::{FuncType, Outcome};

/// The frames from where the store's limits say, innermost first.
struct Frames {
    /// An address in the next frame's function.
    pc: usize,
    frame: Frame,
}

impl Frames {
    /// # Safety
    /// The frames are in place as long as the iterator lives.
    unsafe fn of(store: &StoreOpaque) -> Frames {
        Frames {
            pc: store.limits.trap_pc.get() as usize,
            frame: Frame::at(store.limits.trap_fp.get()),
        }
    }
}

impl Iterator for Frames {
    /// An address in the function, its code and its frame.
    type Item = (usize, Arc<NativeCode>, Frame);

    fn next(&mut self) -> Option<Self::Item> {
        let code = REGISTRY.find(self.pc)?;
        let item = (self.pc, code, self.frame);
        // SAFETY: the frames are in place.
        (self.pc, self.frame) = unsafe { (self.frame.call_address(), self.frame.caller()) };
        Some(item)
    }
}

/// The wasm frames from the place that the store recorded last.
///
/// # Safety
/// The frames are still in place.
pub(super) unsafe fn backtrace(store: &StoreOpaque) -> WasmBacktrace {
    let mut trace = WasmBacktrace::default();
    // SAFETY: forwarded.
    for (pc, code, _) in unsafe { Frames::of(store) } {
        for (func_index, module_offset) in code.frames(pc) {
            if trace.is_full() {
                trace.omit_one();
                continue;
            }
            // SAFETY: the frame keeps its module alive.
            let module = unsafe { &*code.module };
            trace.push(backtrace::Frame {
                func_index,
                names: module.names.clone(),
                module_offset,
            });
        }
    }
    trace
}

/// Finds the handler of an exception, from the recorded place on. Returns the outcome that makes
/// the caller's code go there, or out of the activation.
///
/// # Safety
/// The recorded frames are in place.
pub(super) unsafe fn raise_exception(store: &mut StoreOpaque, exn: u64) -> Outcome {
    let exception = store.exceptions.get(exn);
    // SAFETY: forwarded.
    for (pc, code, frame) in unsafe { Frames::of(store) } {
        let fp = frame.pointer().cast::<u64>();
        let offset = code.offset(pc);
        // SAFETY: the frame is in place, and its instance is live.
        let instance = unsafe { &*(*frame.context()).instance };
        let clause = code
            .catches()
            .iter()
            .filter(|range| range.start <= offset && offset < range.end)
            .flat_map(|range| &range.clauses)
            .find(|clause| {
                clause
                    .tag
                    .is_none_or(|tag| instance.tags[tag as usize] == exception.tag)
            });
        let Some(clause) = clause else { continue };
        // SAFETY: the frame has room for the payload below that point.
        unsafe {
            let mut next = fp.byte_sub(clause.payload_below_frame as usize).cast_mut();
            if let Some(tag) = clause.tag {
                let ty: &FuncType = instance.inner().tag_type(tag);
                let mut words = exception.payload.iter();
                for ty in ty.params() {
                    // Slots grow downwards; the low half of a vector is lowest.
                    let count = ty.slots() as usize;
                    next = next.sub(count);
                    for i in 0..count {
                        *next.add(i) = *words.next().expect("the payload has the tag's type");
                    }
                }
            }
            if clause.with_ref {
                next = next.sub(1);
                *next = exn;
            }
        }
        let limits = &store.limits;
        limits
            .resume_pc
            .set((code.start + clause.target as usize) as u64);
        limits.resume_frame.set(fp as u64);
        limits
            .resume_stack
            .set(fp as u64 - u64::from(code.frame_bytes));
        return Outcome::RESUME;
    }
    let hold = exception.hold();
    // SAFETY: forwarded.
    let trace = unsafe { backtrace(store) };
    store.activations.set_trace(trace);
    let error = Error::exception(exn, store.id(), hold);
    store.activations.leave_by_exception(error)
}
