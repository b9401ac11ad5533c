//! The native stack: how much is left, and the words on it.

/// An address close to the current top of the native stack.
#[inline(never)]
pub(crate) fn native_stack_pointer() -> usize {
    let marker = 0_u8;
    core::ptr::from_ref(&marker).addr()
}

/// Visits every word of this thread's stack from here up to `top`, and the registers that a callee
/// may have left unsaved: whatever guest code holds is among them.
#[inline(never)]
pub(crate) fn for_each_word(top: usize, mut visit: impl FnMut(u64)) {
    saved_registers().into_iter().for_each(&mut visit);
    let from = native_stack_pointer().next_multiple_of(8);
    let mut at = from as *const u64;
    while at.addr() < top {
        // SAFETY: the address lies on this thread's own stack, between its top and a frame that
        // is still active; volatile, because no Rust object is meant.
        visit(unsafe { at.read_volatile() });
        at = at.wrapping_add(1);
    }
}

/// The callee-saved registers that guest code may use.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn saved_registers() -> [u64; 3] {
    let (rbx, r12, r13): (u64, u64, u64);
    // SAFETY: reads registers and nothing else.
    unsafe {
        core::arch::asm!(
            "mov {0}, rbx", "mov {1}, r12", "mov {2}, r13",
            out(reg) rbx, out(reg) r12, out(reg) r13,
            options(nomem, nostack, preserves_flags)
        );
    }
    [rbx, r12, r13]
}

/// The callee-saved registers that guest code may use.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
fn saved_registers() -> [u64; 8] {
    let mut registers = [0_u64; 8];
    // SAFETY: stores registers into the array and nothing else.
    unsafe {
        core::arch::asm!(
            "stp x19, x20, [{0}]", "stp x21, x22, [{0}, #16]",
            "stp x23, x24, [{0}, #32]", "stp x25, x26, [{0}, #48]",
            in(reg) registers.as_mut_ptr(),
            options(nostack, preserves_flags)
        );
    }
    registers
}

/// The callee-saved registers that guest code may use: there is no native code here.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn saved_registers() -> [u64; 0] {
    []
}
