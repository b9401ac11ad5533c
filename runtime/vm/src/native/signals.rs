//! Hardware faults in guest code become traps.
//!
//! The handler acts only when the faulting instruction is in a function of ours, the side table names
//! a trap for it, and an address that it could not access belongs to a memory of the instance: it
//! records the place and makes the thread go on in the engine's `raise` stub, which leaves the
//! activation. Any other fault goes to whoever handled it before, and so does a signal that somebody
//! has sent.

use super::code::REGISTRY;
use super::{interrupt, registers};
use crate::vmctx::VmContext;
use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::mem::MaybeUninit;
use std::sync::Once;
use zwasm_core::{Outcome, TrapCode};
use zwasm_jit::contract::helpers::RAISE;

const SIGNALS: [i32; 6] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGTRAP,
    interrupt::SIGNAL,
];

struct Previous(UnsafeCell<[MaybeUninit<libc::sigaction>; SIGNALS.len()]>);
// SAFETY: written once before the handler can run, then only read.
unsafe impl Sync for Previous {}
static PREVIOUS: Previous = Previous(UnsafeCell::new([const { MaybeUninit::uninit() }; 6]));

/// Installs the handler, once per process.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        for (i, &signal) in SIGNALS.iter().enumerate() {
            // SAFETY: a zeroed `sigaction` is valid, the handler has the signature that
            // `SA_SIGINFO` asks for, and `PREVIOUS` is written before its signal is handled.
            unsafe {
                let mut action: libc::sigaction = core::mem::zeroed();
                action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
                libc::sigemptyset(&mut action.sa_mask);
                libc::sigaddset(&mut action.sa_mask, interrupt::SIGNAL);
                if signal == interrupt::SIGNAL {
                    action.sa_sigaction = interrupt::handle as *const () as usize;
                    // It arrives in the middle of system calls of host functions.
                    action.sa_flags |= libc::SA_RESTART;
                } else {
                    action.sa_sigaction = handle as *const () as usize;
                    action.sa_flags |= libc::SA_NODEFER;
                }
                let previous = (*PREVIOUS.0.get())[i].as_mut_ptr();
                let result = libc::sigaction(signal, &action, previous);
                assert!(result == 0, "sigaction accepts these signals");
            }
        }
    });
}

/// # Safety
/// Called by the kernel with a valid context.
unsafe extern "C" fn handle(signal: i32, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes a record of the signal and a `ucontext_t`.
    let (fault, machine) = unsafe { (Fault::of(signal, &*info), &mut *context.cast()) };
    if fault.is_some_and(|fault| divert(fault, machine)) {
        return;
    }
    // SAFETY: forwarded.
    unsafe { chain(signal, info, context) }
}

/// What an instruction did that the processor refuses.
#[derive(Clone, Copy)]
enum Fault {
    /// It accessed memory at this address.
    Access(usize),
    /// Anything else.
    Other,
}

impl Fault {
    /// `None` when a process has sent the signal.
    fn of(signal: i32, info: &libc::siginfo_t) -> Option<Fault> {
        if info.si_code <= 0 {
            return None;
        }
        Some(match signal {
            // SAFETY: the kernel's records of these faults have an address.
            libc::SIGSEGV | libc::SIGBUS => Fault::Access(unsafe { info.si_addr() }.addr()),
            _ => Fault::Other,
        })
    }
}

/// Sends a faulting thread to the `raise` stub; false when the fault is not the guest's.
fn divert(fault: Fault, machine: &mut libc::ucontext_t) -> bool {
    let pc = registers::pc(machine);
    let Some(code) = REGISTRY.find(pc) else {
        return false;
    };
    let Some(trap) = code.trap_at(pc) else {
        return false;
    };
    let cx = registers::context(machine) as *mut VmContext;
    if let Fault::Access(address) = fault {
        // Accesses that trap are of memories only; everything else is compared first.
        if trap != TrapCode::MemoryOutOfBounds {
            return false;
        }
        // SAFETY: in guest code the context register holds the running instance's context.
        if !unsafe { (*(*cx).instance).memory_may_fault_at(address) } {
            return false;
        }
    }
    // SAFETY: as above.
    let raise = unsafe {
        let limits = &*(*cx).limits;
        limits.trap_pc.set(pc as u64);
        limits.trap_fp.set(registers::frame(machine));
        *(*cx).helpers.cast::<usize>().add(RAISE as usize)
    };
    if trap == TrapCode::StackOverflow {
        // The stack pointer may be below the limit, by less than a page.
        registers::drop_frame(machine);
    }
    registers::go_to(machine, raise, Outcome::trap(trap));
    true
}

/// Passes a signal on.
///
/// # Safety
/// The arguments are the kernel's.
pub(super) unsafe fn chain(signal: i32, info: *mut libc::siginfo_t, context: *mut c_void) {
    let index = SIGNALS
        .iter()
        .position(|&s| s == signal)
        .expect("we handle only these");
    // SAFETY: written when the handler was installed.
    let previous = unsafe { (*PREVIOUS.0.get())[index].assume_init_ref() };
    // SAFETY: the kernel passes a valid record.
    let is_sent = unsafe { (*info).si_code } <= 0;
    match previous.sa_sigaction {
        // By default it is ignored, and not a fault that repeats.
        libc::SIG_DFL | libc::SIG_IGN if signal == interrupt::SIGNAL => {}
        libc::SIG_IGN if is_sent => {}
        libc::SIG_DFL | libc::SIG_IGN => {
            // SAFETY: restores the default, under which a fault repeats and ends the process.
            unsafe { libc::sigaction(signal, previous, core::ptr::null_mut()) };
        }
        handler if previous.sa_flags & libc::SA_SIGINFO != 0 => {
            type Full = unsafe extern "C" fn(i32, *mut libc::siginfo_t, *mut c_void);
            // SAFETY: the flag says that the handler has this signature.
            unsafe { core::mem::transmute::<usize, Full>(handler)(signal, info, context) }
        }
        handler => {
            // SAFETY: without the flag it has this one.
            unsafe { core::mem::transmute::<usize, extern "C" fn(i32)>(handler)(signal) }
        }
    }
    if is_sent && signal != interrupt::SIGNAL {
        // SAFETY: asks only, and writes to a local; the signal goes to this thread.
        unsafe {
            let mut now: libc::sigaction = core::mem::zeroed();
            libc::sigaction(signal, core::ptr::null(), &mut now);
            // A signal that a process has sent does not repeat: whoever gave way to the default means
            // it to act now. It does once it is not blocked.
            if now.sa_sigaction == libc::SIG_DFL {
                libc::raise(signal);
            }
        }
    }
}
