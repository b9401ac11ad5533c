//! The native stack: how much is left, and the words on it.

use core::cell::Cell;
use core::ops::Range;

/// An address in the frame of the function that asks: whatever that calls lies below.
///
/// It is the stack pointer and no local's address, for a sanitizer may keep locals elsewhere.
#[inline(always)]
pub(crate) fn frame_address() -> usize {
    let address: usize;
    // SAFETY: the instruction only reads the stack pointer.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        core::arch::asm!("mov {}, rsp", out(reg) address, options(nomem, nostack, preserves_flags));
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        core::arch::asm!("mov {}, sp", out(reg) address, options(nomem, nostack, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        let marker = 0_u8;
        address = core::ptr::from_ref(&marker).addr();
    }
    address
}

/// An address below the frame of the function that asks.
#[inline(never)]
pub(crate) fn native_stack_pointer() -> usize {
    frame_address()
}

/// Tells threads apart that live at the same time.
#[inline]
pub(crate) fn current_thread() -> usize {
    thread_local!(static MARKER: Cell<u8> = const { Cell::new(0) });
    MARKER.with(|marker| core::ptr::from_ref(marker).addr())
}

/// The stack that the system gave to this thread, when `here` lies on it. It does not where a program
/// runs on stacks of its own, of which nobody knows how large they are.
#[inline]
pub(crate) fn thread_stack(here: usize) -> Option<Range<usize>> {
    thread_local!(static STACK: Cell<Option<(usize, usize)>> = const { Cell::new(None) });
    let (low, high) = STACK.with(|stack| match stack.get() {
        Some(stack) => stack,
        None => {
            let found = find_thread_stack().unwrap_or((0, 0));
            stack.set(Some(found));
            found
        }
    });
    (low <= here && here < high).then_some(low..high)
}

/// The lowest usable address of this thread's stack, and its end.
#[cfg(target_os = "linux")]
fn find_thread_stack() -> Option<(usize, usize)> {
    let mut attributes = core::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: the calls write to locals; the attributes are initialised once the first has succeeded,
    // and destroyed once.
    unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return None;
        }
        let (mut low, mut size, mut guard) = (core::ptr::null_mut(), 0, 0);
        let found = libc::pthread_attr_getstack(attributes.as_ptr(), &mut low, &mut size) == 0
            && libc::pthread_attr_getguardsize(attributes.as_ptr(), &mut guard) == 0;
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        // Some versions of the C library count the guard as a part of the stack.
        found.then(|| (low.addr() + guard.min(size), low.addr() + size))
    }
}

/// The lowest usable address of this thread's stack, and its end.
#[cfg(target_os = "macos")]
fn find_thread_stack() -> Option<(usize, usize)> {
    // SAFETY: the calls have no preconditions.
    unsafe {
        let thread = libc::pthread_self();
        let high = libc::pthread_get_stackaddr_np(thread).addr();
        Some((high - libc::pthread_get_stacksize_np(thread), high))
    }
}

/// The lowest usable address of this thread's stack, and its end: not known here.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn find_thread_stack() -> Option<(usize, usize)> {
    None
}

/// What compilers may use of a stack; they do not recurse over what they compile.
pub(crate) const COMPILER_BYTES: usize = 1 << 20;

/// Runs a compiler, which a guest may call for with hardly any of its stack left, where it has enough:
/// here, or on a stack made for it.
pub(crate) fn with_room_for_compiler<R>(compile: impl FnOnce() -> R) -> R {
    let here = native_stack_pointer();
    let left = thread_stack(here).map_or(0, |stack| here - stack.start);
    if left >= COMPILER_BYTES {
        compile()
    } else {
        stacker::grow(2 * COMPILER_BYTES, compile)
    }
}

/// Visits every word of this thread's stack from here up to `top`, and the registers that a callee
/// may have left unsaved: whatever guest code holds is among them.
#[inline(never)]
pub(crate) fn for_each_word(top: usize, mut visit: impl FnMut(u64)) {
    saved_registers().into_iter().for_each(&mut visit);
    // SAFETY: between its top and a frame that is still active lies this thread's own stack.
    unsafe { for_each_word_of(native_stack_pointer()..top, visit) };
}

/// Visits every word in a range of a stack.
///
/// # Safety
/// The range lies on a stack, above a frame that is active.
pub(crate) unsafe fn for_each_word_of(range: Range<usize>, mut visit: impl FnMut(u64)) {
    let mut at = range.start.next_multiple_of(8) as *const u64;
    while at.addr() < range.end {
        // SAFETY: by the contract above; volatile, because no Rust object is meant.
        visit(unsafe { at.read_volatile() });
        at = at.wrapping_add(1);
    }
}

/// The callee-saved registers that guest code may use.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn saved_registers() -> [u64; 3] {
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
pub(crate) fn saved_registers() -> [u64; 8] {
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
pub(crate) fn saved_registers() -> [u64; 0] {
    []
}
