//! A stack for signal handlers, on each thread that runs machine code.
//!
//! Without one the kernel writes its record of an interrupted thread, several kilobytes, below the
//! stack pointer: beyond the end of the stack, if the guest has used all that it may. Rust gives its
//! threads a signal stack with hardly more room than for two such records; threads that Rust has not
//! started have none.

use core::cell::Cell;
use std::io;
use std::ptr::NonNull;

/// Smaller ones are replaced: room for nested signals, and for handlers of others that come after ours.
const MIN_BYTES: usize = 64 << 10;
const BYTES: usize = 128 << 10;
/// In front of the stack, which grows down. Pages are not larger anywhere.
const GUARD_BYTES: usize = 64 << 10;

/// Makes sure that this thread has a signal stack.
///
/// # Errors
/// The system's, when it has no memory.
#[inline]
pub(super) fn ensure() -> io::Result<()> {
    thread_local!(static IS_THERE: Cell<bool> = const { Cell::new(false) });
    if IS_THERE.get() {
        return Ok(());
    }
    install()?;
    IS_THERE.set(true);
    Ok(())
}

#[cold]
fn install() -> io::Result<()> {
    thread_local!(static OWN: Cell<Option<SignalStack>> = const { Cell::new(None) });
    let current = current();
    if current.ss_flags & libc::SS_DISABLE == 0 && current.ss_size >= MIN_BYTES {
        return Ok(());
    }
    let stack = SignalStack::new()?;
    stack.set()?;
    // A thread that is ending keeps none; it has run its own code to the end.
    let kept = OWN.try_with(|own| own.set(Some(stack)));
    kept.map_err(|_| io::Error::other("the thread is ending"))
}

/// The signal stack of this thread.
fn current() -> libc::stack_t {
    let mut current = libc::stack_t {
        ss_sp: core::ptr::null_mut(),
        ss_flags: libc::SS_DISABLE,
        ss_size: 0,
    };
    // SAFETY: asks only, and writes to a local.
    unsafe { libc::sigaltstack(core::ptr::null(), &mut current) };
    current
}

/// The pages of a signal stack, with a guard in front.
struct SignalStack {
    base: NonNull<u8>,
}

impl SignalStack {
    fn new() -> io::Result<SignalStack> {
        // SAFETY: an anonymous mapping at an address of the kernel's choice touches nothing.
        let base = unsafe {
            libc::mmap(
                core::ptr::null_mut(),
                GUARD_BYTES + BYTES,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANON,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).expect("the kernel never maps address zero");
        let stack = SignalStack { base };
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: the pages behind the guard are this mapping's, and nobody uses them yet.
        let made = unsafe { libc::mprotect(stack.start().as_ptr().cast(), BYTES, access) };
        if made != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(stack)
    }

    /// The lowest address that handlers may use.
    fn start(&self) -> NonNull<u8> {
        // SAFETY: in the mapping.
        unsafe { self.base.add(GUARD_BYTES) }
    }

    /// Makes it this thread's.
    fn set(&self) -> io::Result<()> {
        let stack = libc::stack_t {
            ss_sp: self.start().as_ptr().cast(),
            ss_flags: 0,
            ss_size: BYTES,
        };
        // SAFETY: the pages stay mapped until `drop`, which takes them away from the thread first.
        if unsafe { libc::sigaltstack(&stack, core::ptr::null_mut()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }
}

impl Drop for SignalStack {
    fn drop(&mut self) {
        if current().ss_sp == self.start().as_ptr().cast() {
            let none = libc::stack_t {
                ss_sp: core::ptr::null_mut(),
                ss_flags: libc::SS_DISABLE,
                ss_size: BYTES,
            };
            // SAFETY: this thread, which is ending, has no signal stack from now on. What it had before is
            // not put back: whoever made it may have freed it by now.
            unsafe { libc::sigaltstack(&none, core::ptr::null_mut()) };
        }
        // SAFETY: the mapping is ours, and no handler runs on it.
        unsafe { libc::munmap(self.base.as_ptr().cast(), GUARD_BYTES + BYTES) };
    }
}
