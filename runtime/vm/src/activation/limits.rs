//! The cells of a store that running code polls, and the handle that interrupts it.

use super::Runner;
use crate::code::retire::Runs;
use crate::error::{Error, Result};
use crate::layout::declare;
use crate::module::Module;
use crate::vmctx::VmContext;
use core::cell::{Cell, UnsafeCell};
use core::ops::Deref;
use core::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::Arc;
use zwasm_core::TrapCode;

/// The registers of the interpreter's machine, between two handlers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registers {
    pub(crate) ip: *const u32,
    pub(crate) fp: *mut u64,
    pub(crate) cx: *mut VmContext,
    pub(crate) mem: *mut u8,
    pub(crate) mem_len: usize,
    pub(crate) acc: u64,
    pub(crate) acc32: f32,
    pub(crate) acc64: f64,
}

impl Default for Registers {
    fn default() -> Registers {
        Registers {
            ip: core::ptr::null(),
            fp: core::ptr::null_mut(),
            cx: core::ptr::null_mut(),
            mem: core::ptr::null_mut(),
            mem_len: 0,
            acc: 0,
            acc32: 0.0,
            acc64: 0.0,
        }
    }
}

zwasm_core::vm_layout!(limits, declare);

/// State shared between a store, its running code and its [`InterruptHandle`]s.
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct StoreLimits {
    /// What machine code knows of it; first, so that a pointer to one is one to the other.
    pub(crate) cells: LimitCells,
    /// The context of the instance that trapped.
    pub(crate) trap_context: Cell<u64>,
    /// What `native_stack_limit` is when nobody interrupts.
    native_guest_limit: AtomicU64,
    /// The runs of native code, by which the engine knows what code is in use.
    runs: Arc<Runs>,
    /// The kernel's number of the thread that runs native code, else 0.
    pub(crate) thread: AtomicI32,
    /// Where the interpreter goes on, while a handler leaves that to a function of its own. Loop
    /// dispatch saves the machine's registers here between any two handlers.
    pub(crate) registers: UnsafeCell<Registers>,
    /// Keeps the type out of reach of accidental sharing.
    pub(crate) _not_sync: UnsafeCell<()>,
}

/// A structure whose fields are all zero.
macro_rules! default {
    ($module:ident $name:ident { $($(#[$doc:meta])* $field:ident: $ty:ty,)* }) => {
        impl Default for $name {
            fn default() -> $name {
                $name { $($field: Default::default(),)* }
            }
        }
    };
}
zwasm_core::vm_layout!(limits, default);

impl Deref for StoreLimits {
    type Target = LimitCells;

    #[inline(always)]
    fn deref(&self) -> &LimitCells {
        &self.cells
    }
}

// SAFETY: other threads reach a `StoreLimits` only through `InterruptHandle`, which touches nothing
// but the atomics; every other cell belongs to the thread that has the store.
unsafe impl Send for StoreLimits {}
// SAFETY: as above.
unsafe impl Sync for StoreLimits {}

/// Where native code runs, and how far down it may go: nowhere, by default.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NativeRun {
    guest_limit: u64,
    thread: i32,
}

/// No stack address is above it, so that no frame of native code passes.
const MOVED: u64 = u64::MAX;

impl StoreLimits {
    /// Of a store with these runs.
    pub(crate) fn new(runs: Arc<Runs>) -> StoreLimits {
        StoreLimits {
            runs,
            ..StoreLimits::default()
        }
    }

    /// The runs of native code.
    pub(crate) fn runs(&self) -> &Runs {
        &self.runs
    }

    /// An interruption that came between two runs, or comes now, is taken: it stops this run.
    pub(crate) fn begin_native(&self, stack_limit: u64, thread: i32) -> bool {
        self.native_guest_limit
            .store(stack_limit, Ordering::Relaxed);
        self.native_stack_limit
            .store(stack_limit, Ordering::Relaxed);
        self.thread.store(thread, Ordering::Relaxed);
        // Both sides exchange the flag last: either this sees the interruption, or whoever
        // interrupts sees the thread, and its limit comes after ours.
        self.interrupt.swap(0, Ordering::AcqRel) != 0
    }

    /// What [`StoreLimits::begin_native`] has set, for [`StoreLimits::end_native`].
    pub(crate) fn native_run(&self) -> NativeRun {
        NativeRun {
            guest_limit: self.native_guest_limit.load(Ordering::Relaxed),
            thread: self.thread.load(Ordering::Relaxed),
        }
    }

    /// Goes back to the run around the one that has ended, or to none.
    pub(crate) fn end_native(&self, outer: NativeRun) {
        self.native_guest_limit
            .store(outer.guest_limit, Ordering::Relaxed);
        self.thread.store(outer.thread, Ordering::Relaxed);
        if outer.thread != 0 {
            self.native_stack_limit
                .store(outer.guest_limit, Ordering::Release);
            // The flag goes up last: whoever put it up before has seen the other thread only.
            if self.interrupt.load(Ordering::Acquire) != 0 {
                self.native_stack_limit.store(MOVED, Ordering::Release);
            }
        }
    }

    /// Whether a frame does not fit because of an interruption.
    pub(crate) fn stack_limit_moved(&self) -> bool {
        self.native_stack_limit.load(Ordering::Acquire) == MOVED
    }

    #[inline]
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupt.load(Ordering::Relaxed) != 0
    }

    pub(crate) fn clear_interrupt(&self) {
        self.interrupt.store(0, Ordering::Release);
        let limit = self.native_guest_limit.load(Ordering::Relaxed);
        self.native_stack_limit.store(limit, Ordering::Release);
    }
}

/// Stops the code that runs in a store, from any thread.
///
/// The guest ends with [`TrapCode::Interrupted`](crate::TrapCode::Interrupted): the interpreter at
/// its next loop iteration or call, native code at once, and so does the compilation of a function
/// that it calls first. An interruption that arrives while no guest runs stops the next one.
#[derive(Clone, Debug)]
pub struct InterruptHandle {
    limits: Arc<StoreLimits>,
    runner: &'static dyn Runner,
}

impl InterruptHandle {
    pub(crate) fn new(limits: Arc<StoreLimits>, runner: &'static dyn Runner) -> InterruptHandle {
        InterruptHandle { limits, runner }
    }

    /// Asks the guest to stop.
    pub fn interrupt(&self) {
        // Native code compares its stack pointer with the limit in every prologue.
        self.limits
            .native_stack_limit
            .store(MOVED, Ordering::Release);
        self.limits.interrupt.swap(1, Ordering::AcqRel);
        self.runner.stop(&self.limits);
    }

    /// Whether an interruption is on its way that has not been noticed yet.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.limits.is_interrupted()
    }

    /// Takes back an interruption that has not been noticed yet.
    pub fn clear(&self) {
        self.limits.clear_interrupt();
    }
}

impl Module {
    /// As [`Module::compile_all`], until the store of the handle is interrupted. What has been compiled
    /// until then stays, and the rest can be compiled later.
    ///
    /// # Errors
    /// As [`Module::compile_all`]; the trap [`TrapCode::Interrupted`](crate::TrapCode::Interrupted),
    /// with which the interruption has been noticed.
    pub fn compile_all_until(&self, handle: &InterruptHandle) -> Result<()> {
        self.compile_until(handle, |_| true)
    }

    /// As [`Module::compile_all_until`], without functions whose code was kept, by
    /// [`Module::serialize`] or in the engine's cache: that is put in place when they are called first.
    ///
    /// # Errors
    /// As there.
    pub fn compile_missing_until(&self, handle: &InterruptHandle) -> Result<()> {
        let kept = self.inner().kept.as_ref();
        self.compile_until(handle, |defined| kept.is_none_or(|kept| !kept.has(defined)))
    }

    fn compile_until(
        &self,
        handle: &InterruptHandle,
        which: impl Fn(u32) -> bool + Sync,
    ) -> Result<()> {
        let interrupt = &handle.limits.interrupt;
        let code = &self.inner().code;
        let result = code.ensure_all(self.inner(), Some(interrupt), which);
        let code = result.as_ref().err().and_then(Error::trap_code);
        if code == Some(TrapCode::Interrupted) {
            handle.clear();
        }
        result
    }
}
