//! The registers that matter, in the kernel's record of an interrupted thread.

pub(super) use isa::*;

#[cfg(target_arch = "x86_64")]
mod isa {
    use libc::ucontext_t;

    pub(in crate::native) fn pc(machine: &ucontext_t) -> usize {
        machine.uc_mcontext.gregs[libc::REG_RIP as usize] as usize
    }

    pub(in crate::native) fn frame(machine: &ucontext_t) -> u64 {
        machine.uc_mcontext.gregs[libc::REG_RBP as usize] as u64
    }

    /// The VM context: `r14`.
    pub(in crate::native) fn context(machine: &ucontext_t) -> u64 {
        machine.uc_mcontext.gregs[libc::REG_R14 as usize] as u64
    }

    /// Goes on at `pc` with `result` in the result register.
    pub(in crate::native) fn go_to(machine: &mut ucontext_t, pc: usize, result: u64) {
        machine.uc_mcontext.gregs[libc::REG_RIP as usize] = pc as i64;
        machine.uc_mcontext.gregs[libc::REG_RAX as usize] = result as i64;
    }

    /// Gives up a frame in which nothing is stored yet, and which may not fit.
    pub(in crate::native) fn drop_frame(machine: &mut ucontext_t) {
        machine.uc_mcontext.gregs[libc::REG_RSP as usize] = frame(machine) as i64;
    }

    /// Makes the stack pointer what a call expects, at a place between two instructions.
    pub(in crate::native) fn align_stack(machine: &mut ucontext_t) {
        machine.uc_mcontext.gregs[libc::REG_RSP as usize] &= !15;
    }
}

#[cfg(target_arch = "aarch64")]
mod isa {
    use libc::ucontext_t;

    pub(in crate::native) fn pc(machine: &ucontext_t) -> usize {
        machine.uc_mcontext.pc as usize
    }

    pub(in crate::native) fn frame(machine: &ucontext_t) -> u64 {
        machine.uc_mcontext.regs[29]
    }

    /// The VM context: `x28`.
    pub(in crate::native) fn context(machine: &ucontext_t) -> u64 {
        machine.uc_mcontext.regs[28]
    }

    /// Goes on at `pc` with `result` in the result register.
    pub(in crate::native) fn go_to(machine: &mut ucontext_t, pc: usize, result: u64) {
        machine.uc_mcontext.pc = pc as u64;
        machine.uc_mcontext.regs[0] = result;
    }

    /// Gives up a frame in which nothing is stored yet, and which may not fit.
    pub(in crate::native) fn drop_frame(machine: &mut ucontext_t) {
        machine.uc_mcontext.sp = frame(machine);
    }

    /// The stack pointer is aligned at all times.
    pub(in crate::native) fn align_stack(_machine: &mut ucontext_t) {}
}
