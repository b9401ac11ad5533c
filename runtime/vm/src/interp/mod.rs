//! The interpreter tier.
//!
//! [`translate`] turns a validated function, on its first call, into register code
//! ([`machine`] describes the form) that [`handlers`] execute. This file is the way in from the
//! host and back.
//!
//! Deliberately absent: any numeric semantics; those are `zwasm_core::num`'s.

pub(crate) mod code;
pub(crate) mod handlers;
pub(crate) mod machine;
pub(crate) mod translate;
pub(crate) mod unwind;

use crate::activation::limits::{Registers, StoreLimits};
use crate::activation::{Conclusion, HostReference, Runner};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::func::HostFunc;
use crate::store::StoreOpaque;
use crate::sys::stack;
use crate::vmctx::FuncRef;
use handlers::bulk::memory0_len;
use handlers::call::ReturnStub;
use std::sync::Arc;
use zwasm_core::{FuncType, TrapCode};

/// Where a call from the host returns to.
pub(crate) static RETURN_TO_HOST: ReturnStub = ReturnStub::new(handlers::control::exit);

/// The interpreter, as who runs functions.
#[derive(Debug)]
pub(crate) struct Interpreted;

impl Runner for Interpreted {
    fn call(&self, store: &mut StoreOpaque, func: &FuncRef, slots: &mut [u64]) -> Result<()> {
        call(store, func, slots)
    }

    fn helpers(&self, _: &Engine) -> *const u8 {
        core::ptr::null()
    }

    fn host_reference(&self, _: &Engine, _: &HostFunc, _: &FuncType) -> Result<HostReference> {
        Ok(HostReference {
            entry: core::ptr::null(),
            context: core::ptr::null_mut(),
            _keep: None,
        })
    }

    /// It looks for itself.
    fn stop(&self, _: &Arc<StoreLimits>) {}
}

fn call(store: &mut StoreOpaque, func: &FuncRef, slots: &mut [u64]) -> Result<()> {
    store.ensure_value_stack()?;
    // A leaf function does not look for interruptions itself: the host's calls must be enough.
    if store.limits.is_interrupted() {
        store.limits.clear_interrupt();
        return Err(Error::from(TrapCode::Interrupted));
    }
    let base = store.limits.stack_top.get();
    let end = base + (slots.len() as u64 + 1) * 8;
    if end > store.limits.stack_limit.get() {
        return Err(Error::from(TrapCode::StackOverflow));
    }
    let is_first_here = store.begin_activation(stack::frame_address())?;
    let fp = base as *mut u64;
    let cx = func.context;
    let switches = store.activations.switches.len();
    let store_pointer = core::ptr::from_mut(store);
    // SAFETY: the value stack has room for the arguments; the function belongs to this store, so
    // its context, entry and code are live; the callee checks the stack for its own frame. While
    // code runs it reaches the store through the same pointer.
    let outcome = unsafe {
        core::ptr::copy_nonoverlapping(slots.as_ptr(), fp, slots.len());
        let outcome = machine::run(Registers {
            ip: (*func.entry).code(),
            fp,
            cx,
            mem: (*cx).memory0_base,
            mem_len: memory0_len(cx),
            acc: RETURN_TO_HOST.ip() as u64,
            acc32: 0.0,
            acc64: 0.0,
        });
        core::ptr::copy_nonoverlapping(fp, slots.as_mut_ptr(), slots.len());
        outcome
    };
    // SAFETY: as above; the run is over.
    let store = unsafe { &mut *store_pointer };
    let conclusion = Conclusion::of(store, outcome, |store| {
        // SAFETY: the run ended just now, so its frames are still in place.
        unsafe { unwind::backtrace(store) }
    });
    store.activations.switches.truncate(switches);
    store.limits.stack_top.set(base);
    if is_first_here {
        store.activations.end();
    }
    conclusion.give()
}
