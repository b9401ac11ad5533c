//! The registers that matter, in the kernel's record of an interrupted thread.

use libc::ucontext_t;
use zwasm_core::Outcome;

/// What the runtime reads and changes.
#[derive(Clone, Copy)]
enum Register {
    Pc,
    Stack,
    Frame,
    /// The VM context: `r14`, or `x28`.
    Context,
    /// Where functions return an integer.
    Result,
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn register(machine: &mut ucontext_t, which: Register) -> &mut u64 {
    let index = match which {
        Register::Pc => libc::REG_RIP,
        Register::Stack => libc::REG_RSP,
        Register::Frame => libc::REG_RBP,
        Register::Context => libc::REG_R14,
        Register::Result => libc::REG_RAX,
    };
    let word: &mut i64 = &mut machine.uc_mcontext.gregs[index as usize];
    // SAFETY: the same memory, as a number without a sign.
    unsafe { &mut *core::ptr::from_mut(word).cast::<u64>() }
}

#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
fn register(machine: &mut ucontext_t, which: Register) -> &mut u64 {
    let context = &mut machine.uc_mcontext;
    match which {
        Register::Pc => &mut context.pc,
        Register::Stack => &mut context.sp,
        Register::Frame => &mut context.regs[29],
        Register::Context => &mut context.regs[28],
        Register::Result => &mut context.regs[0],
    }
}

#[cfg(all(target_os = "macos", target_arch = "x86_64"))]
fn register(machine: &mut ucontext_t, which: Register) -> &mut u64 {
    // SAFETY: the kernel's record leads to its other part, which lives as long.
    let state = unsafe { &mut (*machine.uc_mcontext).__ss };
    match which {
        Register::Pc => &mut state.__rip,
        Register::Stack => &mut state.__rsp,
        Register::Frame => &mut state.__rbp,
        Register::Context => &mut state.__r14,
        Register::Result => &mut state.__rax,
    }
}

#[cfg(all(target_os = "macos", target_arch = "aarch64"))]
fn register(machine: &mut ucontext_t, which: Register) -> &mut u64 {
    // SAFETY: the kernel's record leads to its other part, which lives as long.
    let state = unsafe { &mut (*machine.uc_mcontext).__ss };
    match which {
        Register::Pc => &mut state.__pc,
        Register::Stack => &mut state.__sp,
        Register::Frame => &mut state.__fp,
        Register::Context => &mut state.__x[28],
        Register::Result => &mut state.__x[0],
    }
}

pub(super) fn pc(machine: &mut ucontext_t) -> usize {
    *register(machine, Register::Pc) as usize
}

pub(super) fn frame(machine: &mut ucontext_t) -> u64 {
    *register(machine, Register::Frame)
}

/// The VM context.
pub(super) fn context(machine: &mut ucontext_t) -> u64 {
    *register(machine, Register::Context)
}

/// Goes on at `pc` with `outcome` in the result register.
pub(super) fn go_to(machine: &mut ucontext_t, pc: usize, outcome: Outcome) {
    *register(machine, Register::Pc) = pc as u64;
    *register(machine, Register::Result) = outcome.number().into();
}

/// Gives up a frame in which nothing is stored yet, and which may not fit.
pub(super) fn drop_frame(machine: &mut ucontext_t) {
    *register(machine, Register::Stack) = frame(machine);
}

/// Makes the stack pointer what a call expects, at a place between two instructions. ARM64's is
/// aligned at all times.
pub(super) fn align_stack(machine: &mut ucontext_t) {
    *register(machine, Register::Stack) &= !15;
}
