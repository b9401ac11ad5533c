//! Runs of a guest, in whatever tier: the stacks that they use, how the host enters and leaves them,
//! and what waits in the store while an outcome is on its way to the host.
//!
//! Neither handlers of the interpreter nor machine code can unwind. An error, a panic or an exception
//! is left here, an [`Outcome`] says so, and whoever entered the guest takes it up again.

pub(crate) mod limits;
mod stays;

use crate::backtrace::WasmBacktrace;
use crate::code::FuncEntry;
use crate::engine::{Config, Engine};
use crate::error::{Error, Result};
use crate::func::HostFunc;
use crate::store::StoreOpaque;
use crate::sys::mmap::Reservation;
use crate::vmctx::{FuncRef, VmContext};
use core::any::Any;
use core::fmt::Debug;
use limits::StoreLimits;
use stays::Stays;
use std::sync::Arc;
use zwasm_core::{FuncType, Outcome, TrapCode};

/// Who runs the functions of a store.
pub(crate) trait Runner: Debug + Sync {
    /// Calls a wasm function with raw arguments in `slots`, where the results end up.
    fn call(&self, store: &mut StoreOpaque, func: &FuncRef, slots: &mut [u64]) -> Result<()>;

    /// What the `helpers` field of contexts points to.
    fn helpers(&self, engine: &Engine) -> *const u8;

    /// What references to a host function of this type say besides.
    fn host_reference(
        &self,
        engine: &Engine,
        func: &HostFunc,
        ty: &FuncType,
    ) -> Result<HostReference>;

    /// Stops the thread that runs code of the store, which has been told.
    fn stop(&self, limits: &Arc<StoreLimits>);
}

/// Where code of a guest enters a host function.
#[derive(Debug)]
pub(crate) struct HostReference {
    pub(crate) entry: *const FuncEntry,
    pub(crate) context: *mut VmContext,
    /// What the entry points to.
    pub(crate) _keep: Option<Box<dyn Any + Send + Sync>>,
}

/// A caller of the interpreter to go back to after a call into another instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Switch {
    /// The return address.
    pub(crate) ret: *const u32,
    /// The caller's context.
    pub(crate) cx: *mut VmContext,
}

/// What a store knows of the runs of its guest.
#[derive(Debug, Default)]
pub(crate) struct Activations {
    /// The threads' stacks that the guest is on.
    stays: Stays,
    /// The interpreter's stack, from its first run on.
    value_stack: Option<Reservation>,
    /// The interpreter's calls into other instances.
    pub(crate) switches: Vec<Switch>,
    error: Option<Error>,
    panic: Option<Box<dyn Any + Send>>,
    trace: Option<WasmBacktrace>,
    /// The state of a call that is about to go on in better code.
    state: Vec<u64>,
}

impl Activations {
    /// Makes sure that the interpreter's stack exists.
    pub(crate) fn ensure_value_stack(
        &mut self,
        config: &Config,
        limits: &StoreLimits,
    ) -> Result<()> {
        if self.value_stack.is_none() {
            let bytes = config.max_wasm_stack_bytes.next_multiple_of(16);
            let out_of_memory = |_| Error::resource("the host has no memory for the value stack");
            let mut stack = Reservation::new(bytes).map_err(out_of_memory)?;
            stack.make_accessible(0, bytes).map_err(out_of_memory)?;
            let base = stack.base() as u64;
            limits.stack_limit.set(base + bytes as u64);
            limits.stack_top.set(base);
            self.value_stack = Some(stack);
        }
        Ok(())
    }

    /// Copies the state of a call, until the next one comes; none where the host has no memory for it.
    pub(crate) fn keep_state(&mut self, slots: &[u64]) -> Option<*const u64> {
        self.state.clear();
        self.state.try_reserve(slots.len()).ok()?;
        self.state.extend_from_slice(slots);
        Some(self.state.as_ptr())
    }

    /// Begins a run, by a function that has a frame at `here`: all frames of the guest lie below.
    /// Returns whether it is the first on this thread's stack, so that [`Activations::end`] is to
    /// end it.
    ///
    /// # Errors
    /// [`TrapCode::StackOverflow`], when too little of the stack is left.
    pub(crate) fn begin(&mut self, config: &Config, here: usize) -> Result<bool, TrapCode> {
        self.stays.begin(config, here)
    }

    /// Ends the first run on this thread's stack.
    pub(crate) fn end(&mut self) {
        self.stays.end();
    }

    /// The lowest address that frames of machine code may reach; `None` outside of any run.
    pub(crate) fn guest_limit(&self) -> Option<usize> {
        self.stays.guest_limit()
    }

    /// Says below which address nothing of the guest lies, as long as a host function runs that it
    /// called. Returns what to say when that has ended.
    pub(crate) fn set_bottom(&mut self, address: usize) -> usize {
        self.stays.set_bottom(address)
    }

    /// Visits every word that the guest may have on stacks and in registers: the interpreter has all
    /// of them on its own stack.
    pub(crate) fn for_each_word(&self, mut visit: impl FnMut(u64)) {
        if let Some(stack) = &self.value_stack {
            // The extent of the running frame is not known here: the whole stack counts.
            let base = stack.base().cast::<u64>().cast_const();
            // SAFETY: the stack is accessible over its whole length, and only this thread writes it.
            let words = unsafe { core::slice::from_raw_parts(base, stack.length_bytes() / 8) };
            words.iter().for_each(|&word| visit(word));
        } else {
            self.stays.for_each_word(visit);
        }
    }

    // --- what waits for the host ---

    /// A host function has failed.
    pub(crate) fn fail(&mut self, error: Error) -> Outcome {
        self.error = Some(error);
        Outcome::HOST_ERROR
    }

    /// An exception, which this error holds, leaves the run.
    pub(crate) fn leave_by_exception(&mut self, error: Error) -> Outcome {
        self.error = Some(error);
        Outcome::EXCEPTION
    }

    /// A host function has panicked.
    pub(crate) fn panicked(&mut self, payload: Box<dyn Any + Send>) -> Outcome {
        self.panic = Some(payload);
        Outcome::HOST_PANIC
    }

    /// The backtrace of the outcome that is on its way, for a tier whose frames are gone when the
    /// host sees it.
    pub(crate) fn set_trace(&mut self, trace: WasmBacktrace) {
        self.trace = Some(trace);
    }

    /// What [`Activations::set_trace`] has left, or an empty one.
    pub(crate) fn take_trace(&mut self) -> WasmBacktrace {
        self.trace.take().unwrap_or_default()
    }
}

/// What the host is told of a run that is over.
#[must_use]
pub(crate) struct Conclusion(core::result::Result<Result<()>, Box<dyn Any + Send>>);

impl Conclusion {
    /// Takes up what an outcome has left in the store; `trace` gives the backtrace of one that is no
    /// success.
    pub(crate) fn of(
        store: &mut StoreOpaque,
        outcome: Outcome,
        trace: impl FnOnce(&mut StoreOpaque) -> WasmBacktrace,
    ) -> Conclusion {
        const LEFT: &str = "left by whoever ended the run";
        Conclusion(match outcome {
            Outcome::DONE => Ok(Ok(())),
            Outcome::HOST_PANIC => Err(store.activations.panic.take().expect(LEFT)),
            Outcome::HOST_ERROR | Outcome::EXCEPTION => {
                let trace = trace(store);
                let mut error = store.activations.error.take().expect(LEFT);
                error.set_backtrace(trace);
                Ok(Err(error))
            }
            trap => {
                let code = trap.trap_code().expect("every other outcome is a trap");
                let trace = trace(store);
                if code == TrapCode::Interrupted {
                    store.limits.clear_interrupt();
                }
                Ok(Err(Error::trap(code, trace)))
            }
        })
    }

    /// Goes on in the host: a panic goes on there as one, once the run has been left in order.
    pub(crate) fn give(self) -> Result<()> {
        self.0
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}
