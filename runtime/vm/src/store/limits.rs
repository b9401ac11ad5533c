//! The cells of a store that running code polls, and the handle that interrupts it.

use core::cell::{Cell, UnsafeCell};
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

#[cfg(not(zwasm_tail_dispatch))]
use crate::interp::machine::Registers;

/// State shared between a store, its running code and its [`InterruptHandle`]s.
///
/// The first fields are the contract of `zwasm_core::vmctx::limits`.
#[repr(C)]
#[derive(Debug, Default)]
pub(crate) struct StoreLimits {
    pub(crate) interrupt: AtomicU64,
    pub(crate) fuel: Cell<i64>,
    pub(crate) stack_limit: Cell<u64>,
    pub(crate) trap_pc: Cell<u64>,
    pub(crate) trap_fp: Cell<u64>,
    pub(crate) stack_top: Cell<u64>,
    pub(crate) native_stack_limit: AtomicU64,
    pub(crate) entry_frame: Cell<u64>,
    pub(crate) resume_pc: Cell<u64>,
    pub(crate) resume_frame: Cell<u64>,
    pub(crate) resume_stack: Cell<u64>,
    /// The context of the instance that trapped.
    pub(crate) trap_context: Cell<u64>,
    /// Loop dispatch saves the machine's registers here between two handlers.
    #[cfg(not(zwasm_tail_dispatch))]
    pub(crate) registers: UnsafeCell<Registers>,
    /// Keeps the type out of reach of accidental sharing.
    pub(crate) _not_sync: UnsafeCell<()>,
}

// SAFETY: other threads reach a `StoreLimits` only through `InterruptHandle`, which touches nothing
// but the atomic; every other cell belongs to the thread that has the store.
unsafe impl Send for StoreLimits {}
// SAFETY: as above.
unsafe impl Sync for StoreLimits {}

/// Stops the code that runs in a store, from any thread.
///
/// The guest ends with [`TrapCode::Interrupted`](crate::TrapCode::Interrupted) at its next loop
/// iteration or call. An interruption that arrives while no guest runs stops the next one.
#[derive(Clone, Debug)]
pub struct InterruptHandle {
    limits: Arc<StoreLimits>,
}

impl InterruptHandle {
    pub(crate) fn new(limits: Arc<StoreLimits>) -> InterruptHandle {
        InterruptHandle { limits }
    }

    /// Asks the guest to stop.
    pub fn interrupt(&self) {
        self.limits.interrupt.store(1, Ordering::SeqCst);
        // Native code compares its stack pointer with the limit in every prologue: no frame passes
        // this one, and the trap is told apart by the flag.
        self.limits
            .native_stack_limit
            .store(u64::MAX, Ordering::SeqCst);
    }

    /// Whether an interruption is on its way that has not been noticed yet.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.limits.interrupt.load(Ordering::Relaxed) != 0
    }

    /// Takes back an interruption that has not been noticed yet.
    pub fn clear(&self) {
        self.limits.interrupt.store(0, Ordering::Relaxed);
    }
}
