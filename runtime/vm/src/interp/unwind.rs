//! Walking the frames of the interpreter: backtraces, and the search for exception handlers.
//!
//! A frame's header slot holds its return address, and the word before a return address is the
//! distance to the caller's frame; where the header lies is known per function, which the code
//! address finds. Calls that crossed instances are on the store's list of switches.

use super::code::{self, FuncCode};
use super::handlers::call::{SWITCH_BACK, is_return_to_host};
use super::machine::{Fp, Ip};
use crate::backtrace::{Frame, WasmBacktrace};
use crate::store::StoreOpaque;
use crate::vmctx::VmContext;
use std::sync::Arc;

/// One step of a walk.
struct Walker<'s> {
    store: &'s StoreOpaque,
    ip: Ip,
    fp: Fp,
    cx: *mut VmContext,
    /// Switches left to pop.
    switches: usize,
}

impl Walker<'_> {
    /// The function of the current frame.
    fn code(&self) -> Option<Arc<FuncCode>> {
        code::find(self.ip)
    }

    /// Goes to the caller's frame; false at the host's.
    ///
    /// # Safety
    /// The walker describes a live frame whose function is `header`'s.
    unsafe fn step(&mut self, header: u32) -> bool {
        // SAFETY: the header slot of a live frame holds a return address.
        unsafe {
            let mut ret = *self.fp.byte_add(header as usize) as Ip;
            if is_return_to_host(ret) {
                return false;
            }
            if ret == SWITCH_BACK.ip() {
                self.switches -= 1;
                let switch = &self.store.activations.switches[self.switches];
                ret = switch.ret;
                self.cx = switch.cx;
                if is_return_to_host(ret) {
                    return false;
                }
            }
            self.fp = self.fp.byte_sub(*ret.sub(1) as usize);
            // The last word of the call: inside of whatever range covers it.
            self.ip = ret.sub(1);
            true
        }
    }
}

/// The wasm frames from the place that the store recorded last.
///
/// # Safety
/// The frames are still in place.
pub(crate) unsafe fn backtrace(store: &StoreOpaque) -> WasmBacktrace {
    let limits = &store.limits;
    let mut walker = Walker {
        store,
        ip: limits.trap_pc.get() as Ip,
        fp: limits.trap_fp.get() as Fp,
        cx: limits.trap_context.get() as *mut VmContext,
        switches: store.activations.switches.len(),
    };
    let mut trace = WasmBacktrace::default();
    while let Some(code) = walker.code() {
        if trace.is_full() {
            trace.omit_one();
        } else {
            // SAFETY: the module owns the code.
            let module = unsafe { &*code.module };
            trace.push(Frame {
                func_index: code.func_index,
                names: module.names.clone(),
                module_offset: code.module_offset(code.word_of(walker.ip)),
            });
        }
        let header = code.header;
        // SAFETY: forwarded.
        if !unsafe { walker.step(header) } {
            break;
        }
    }
    trace
}

/// Where an exception goes.
pub(crate) enum Unwound {
    /// To a handler; its payload is in place.
    Caught { ip: Ip, fp: Fp, cx: *mut VmContext },
    /// Out of this activation.
    Uncaught,
}

/// Whose handlers are the first to be asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thrower {
    /// Those of the frame itself.
    Frame,
    /// Its caller's: a tail call left the frame, and it is there only for backtraces.
    Left,
}

/// Finds the handler of an exception and puts the payload in place.
///
/// # Safety
/// `ip`, `fp` and `cx` describe the throwing frame of the running activation.
///
/// Spec: execution, `throw_ref`.
pub(crate) unsafe fn unwind(
    store: &mut StoreOpaque,
    exn: u64,
    thrower: Thrower,
    ip: Ip,
    fp: Fp,
    cx: *mut VmContext,
) -> Unwound {
    let exception = store.exceptions.get(exn);
    let mut walker = Walker {
        store,
        ip,
        fp,
        cx,
        switches: store.activations.switches.len(),
    };
    let mut is_left = thrower == Thrower::Left;
    let found = loop {
        let Some(code) = walker.code() else {
            break None;
        };
        let word = code.word_of(walker.ip);
        // SAFETY: the context is live.
        let tags = unsafe { &(*(*walker.cx).instance).tags };
        let clause = code
            .catches
            .iter()
            .filter(|range| !is_left && range.start <= word && word < range.end)
            .flat_map(|range| &range.clauses)
            .find(|clause| {
                clause
                    .tag
                    .is_none_or(|tag| tags[tag as usize] == exception.tag)
            });
        if let Some(clause) = clause {
            // SAFETY: the frame is live and has room for the payload.
            unsafe {
                let mut slot = walker.fp.byte_add(clause.payload as usize);
                if clause.tag.is_some() {
                    let payload = &exception.payload;
                    core::ptr::copy_nonoverlapping(payload.as_ptr(), slot, payload.len());
                    slot = slot.add(payload.len());
                }
                if clause.with_ref {
                    *slot = exn;
                }
                break Some((
                    code.words.as_ptr().add(clause.target as usize),
                    walker.fp,
                    walker.cx,
                ));
            }
        }
        is_left = false;
        let header = code.header;
        // SAFETY: as above.
        if !unsafe { walker.step(header) } {
            break None;
        }
    };
    let switches = walker.switches;
    match found {
        Some((ip, fp, cx)) => {
            store.activations.switches.truncate(switches);
            Unwound::Caught { ip, fp, cx }
        }
        None => Unwound::Uncaught,
    }
}
