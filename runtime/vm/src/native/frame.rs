//! Frames of machine code on a stack; [`zwasm_jit::frame`] says where things lie in them.

use crate::activation::limits::StoreLimits;
use crate::vmctx::VmContext;
use zwasm_jit::frame::{CALLER_FRAME, CONTEXT, RETURN_ADDRESS};

/// A frame, by its frame pointer. Stubs pass theirs as such.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(super) struct Frame(*const u8);

impl Frame {
    /// The frame with this frame pointer.
    pub(super) fn at(pointer: u64) -> Frame {
        Frame(pointer as *const u8)
    }

    /// Its frame pointer.
    pub(super) fn pointer(self) -> *const u8 {
        self.0
    }

    /// The caller's frame.
    ///
    /// # Safety
    /// The frame is in place.
    pub(super) unsafe fn caller(self) -> Frame {
        // SAFETY: every frame holds its caller's frame pointer there.
        Frame(unsafe {
            self.0
                .offset(CALLER_FRAME as isize)
                .cast::<*const u8>()
                .read()
        })
    }

    /// An address in the instruction that called the frame's function.
    ///
    /// # Safety
    /// The frame is in place.
    pub(super) unsafe fn call_address(self) -> usize {
        // SAFETY: every frame has the return address there.
        let behind = unsafe {
            self.0
                .offset(RETURN_ADDRESS as isize)
                .cast::<usize>()
                .read()
        };
        behind - 1
    }

    /// The context of the instance whose function it is.
    ///
    /// # Safety
    /// The frame is in place, and its function has begun.
    pub(super) unsafe fn context(self) -> *const VmContext {
        // SAFETY: prologues put it there.
        unsafe {
            self.0
                .offset(CONTEXT as isize)
                .cast::<*const VmContext>()
                .read()
        }
    }

    /// Says in the limits that the activation stands at the call of this frame's function.
    ///
    /// # Safety
    /// The frame is in place.
    pub(super) unsafe fn record_call(self, limits: &StoreLimits) {
        // SAFETY: forwarded.
        let (address, caller) = unsafe { (self.call_address(), self.caller()) };
        limits.trap_pc.set(address as u64);
        limits.trap_fp.set(caller.0 as u64);
    }
}
