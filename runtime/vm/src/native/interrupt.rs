//! Stopping native code from another thread, at no cost to code that nobody stops.
//!
//! Code does not look for interruptions. Whoever interrupts a store moves its stack limit, which
//! every prologue compares with, raises its flag, and sends the thread that runs it a signal. The
//! handler acts when the thread is in wasm code: it makes it go on in the engine's `raise` stub.
//! Elsewhere, in a helper or a host function, it does nothing, and a thread of ours sends the
//! signal again every millisecond until the run has ended or has noticed.

use super::code::REGISTRY;
use super::{registers, thread};
use crate::activation::limits::StoreLimits;
use crate::sys::fork;
use crate::vmctx::VmContext;
use core::cell::Cell;
use core::ffi::c_void;
use core::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use zwasm_core::{Outcome, TrapCode};
use zwasm_jit::contract::helpers::RAISE;

/// Ignored by default, and sent by the kernel for urgent data on sockets only.
pub(super) const SIGNAL: i32 = libc::SIGURG;

/// Time between two signals.
const AGAIN: Duration = Duration::from_millis(1);

/// The kernel's number of this thread.
pub(super) fn current_thread() -> i32 {
    // A child's thread has another number than its parent's had.
    thread_local!(static ID: Cell<(u32, i32)> = const { Cell::new((0, 0)) });
    let epoch = fork::epoch();
    let (of, id) = ID.get();
    if id != 0 && of == epoch {
        return id;
    }
    let id = thread::number();
    ID.set((epoch, id));
    id
}

/// The way to the thread that signals again, and in which epoch it was started: a child has none of
/// its parent's threads.
struct Retry {
    epoch: u32,
    send: Sender<Weak<StoreLimits>>,
}

/// Stops the native code that runs with these limits, if any does. The flag is up already.
pub(crate) fn stop(limits: &Arc<StoreLimits>) {
    static RETRY: Mutex<Option<Retry>> = Mutex::new(None);
    if !signal(limits) {
        return;
    }
    let mut retry = RETRY.lock().expect("no panic while locked");
    let epoch = fork::epoch();
    if retry.as_ref().is_none_or(|retry| retry.epoch != epoch) {
        let (send, receive) = channel();
        let thread = std::thread::Builder::new().name("zwasm-interrupt".to_owned());
        let started = thread.spawn(move || signal_again(&receive));
        // A parent's thread goes on until it has nothing to do, since the way to it is gone now.
        *retry = started.is_ok().then_some(Retry { epoch, send });
    }
    if let Some(retry) = &*retry {
        // The thread lives as long as there is a way to it.
        let _ = retry.send.send(Arc::downgrade(limits));
    }
}

/// Signals the thread that runs; false when there is none, or it has noticed.
fn signal(limits: &StoreLimits) -> bool {
    let running = limits.thread.load(Ordering::Acquire);
    if running == 0 || limits.interrupt.load(Ordering::Acquire) == 0 {
        return false;
    }
    if !thread::signal(running, SIGNAL) && fork::epoch() != 0 {
        // A child that was made in the middle of a run: its thread, the only one then, has the
        // process's number now.
        thread::signal(std::process::id().cast_signed(), SIGNAL);
    }
    true
}

fn still_runs(limits: &Weak<StoreLimits>) -> bool {
    limits.upgrade().is_some_and(|limits| signal(&limits))
}

fn signal_again(stores: &Receiver<Weak<StoreLimits>>) {
    let mut waiting: Vec<Weak<StoreLimits>> = Vec::new();
    loop {
        let next = if waiting.is_empty() {
            stores.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            stores.recv_timeout(AGAIN)
        };
        match next {
            Ok(limits) => waiting.push(limits),
            Err(RecvTimeoutError::Timeout) => {
                waiting.retain(still_runs);
            }
            // The way to this thread is gone.
            Err(RecvTimeoutError::Disconnected) if waiting.is_empty() => return,
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(AGAIN);
                waiting.retain(still_runs);
            }
        }
    }
}

/// The handler of [`SIGNAL`]: whether it was meant for the code that the thread is in.
pub(super) fn divert(machine: &mut libc::ucontext_t) -> bool {
    let pc = registers::pc(machine);
    let Some(code) = REGISTRY.try_find(pc) else {
        return false;
    };
    // The prologue looks for itself, and its frame is not in place yet.
    if pc < code.start + code.prologue_bytes as usize {
        return false;
    }
    let cx = registers::context(machine) as *mut VmContext;
    // SAFETY: in guest code the context register holds the running instance's context, or its
    // callee's; that of host functions has no limits.
    let raise = unsafe {
        let Some(limits) = (*cx).limits.as_ref() else {
            return false;
        };
        if limits.interrupt.load(Ordering::Acquire) == 0 {
            return false;
        }
        limits.trap_pc.set(pc as u64);
        limits.trap_fp.set(registers::frame(machine));
        *(*cx).helpers.cast::<usize>().add(RAISE as usize)
    };
    registers::align_stack(machine);
    registers::go_to(machine, raise, Outcome::trap(TrapCode::Interrupted));
    true
}

/// # Safety
/// Called by the kernel with a valid context.
pub(super) unsafe extern "C" fn handle(
    signal: i32,
    info: *mut libc::siginfo_t,
    context: *mut c_void,
) {
    // SAFETY: the kernel passes a `ucontext_t`.
    let machine = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    if !divert(machine) {
        // SAFETY: forwarded.
        unsafe { super::signals::chain(signal, info, context) }
    }
}
