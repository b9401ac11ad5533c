//! The frame of a function or stub, and how functions begin.
//!
//! | bytes from the frame pointer | what |
//! |---|---|
//! | from [`STACK_AREA`] up | stack arguments and results, in the caller's frame |
//! | [`RETURN_ADDRESS`] | where the caller goes on |
//! | [`CALLER_FRAME`] | the caller's frame pointer |
//! | [`CONTEXT`] | the instance's context, by which a walk knows whose frame it is |
//! | below | saved registers, 8 bytes each |
//! | below | slots, 8 bytes each; a value's lowest byte is in its last slot |
//! | down to the stack pointer | stack arguments and results of callees |
//!
//! Both compilers and all stubs make such frames; what a compiler does with its slots is its own
//! business.
//!
//! A frame of less than a page is taken first and compared with the stack's limit afterwards, which
//! costs least: so much is always free below the limit. A larger one may lead anywhere, beyond guard
//! pages too, so its size is compared before the stack pointer moves, by code behind the function.

use crate::masm::{
    FrameSize, Gpr, LoadOp, Masm, Mem, RegisterFile, SMALL_FRAME_BYTES, StackCheck, StoreOp,
};
use zwasm_core::vmctx::{context, limits};

/// Where the caller's frame pointer lies, in bytes from the frame pointer.
pub const CALLER_FRAME: i32 = 0;

/// Where the return address lies, in bytes from the frame pointer.
pub const RETURN_ADDRESS: i32 = 8;

/// Where the context lies, in bytes from the frame pointer.
pub const CONTEXT: i32 = -8;

/// Where the stack arguments begin, in bytes from the frame pointer.
pub const STACK_AREA: i32 = 16;

/// Where things lie in a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pointer: Gpr,
    /// Bytes below the frame pointer down to the slots.
    head_bytes: u32,
}

impl Frame {
    /// A frame that keeps so many registers for the caller, and so many bytes unused above its slots.
    pub(crate) fn new(file: &RegisterFile, saved_registers: usize, padding_bytes: u32) -> Frame {
        Frame {
            pointer: file.frame,
            head_bytes: CONTEXT.unsigned_abs() + 8 * saved_registers as u32 + padding_bytes,
        }
    }

    /// The home of the context.
    pub(crate) fn context(self) -> Mem {
        Mem::at(self.pointer, CONTEXT)
    }

    /// The home of a saved register.
    pub(crate) fn saved(self, index: usize) -> Mem {
        Mem::at(self.pointer, CONTEXT - 8 * (index as i32 + 1))
    }

    /// The memory of a value of so many slots, from this one on; its lowest byte.
    pub(crate) fn slot(self, slot: u32, slots: u32) -> Mem {
        self.below(slot + slots)
    }

    /// The memory below so many slots: the lowest byte of the last.
    pub(crate) fn below(self, slots: u32) -> Mem {
        Mem::at(self.pointer, -(self.distance(slots) as i32))
    }

    /// Bytes from the frame pointer down to the end of so many slots.
    pub(crate) fn distance(self, slots: u32) -> u32 {
        self.head_bytes + 8 * slots
    }

    /// An argument or result on the stack, at this offset in the area that callers keep for it.
    pub(crate) fn stack_area(self, at: u32) -> Mem {
        Mem::at(self.pointer, STACK_AREA + at as i32)
    }

    /// The size of a frame with so many slots and so large an area for callees, in bytes.
    pub(crate) fn bytes(self, slots: u32, outgoing_bytes: u32) -> u32 {
        (self.distance(slots) + outgoing_bytes).next_multiple_of(16)
    }
}

/// A prologue whose frame has no size yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prologue<L> {
    size: FrameSize,
    check: StackCheck<L>,
    /// Behind the comparison.
    checked: L,
}

impl<L: Copy> Prologue<L> {
    /// Begins a function: links the frames, compares with the stack's limit, and puts the context and
    /// the registers that callers want back into their places.
    pub(crate) fn begin<M: Masm<Label = L>>(
        masm: &mut M,
        frame: Frame,
        saved: &[Gpr],
    ) -> Prologue<L> {
        let size = masm.enter();
        let (slow, checked) = (masm.label(), masm.label());
        let check = StackCheck {
            limits_offset: context::offset::limits as i32,
            limit_offset: limits::offset::native_stack_limit as i32,
            slow,
        };
        masm.check_stack(check);
        masm.bind(checked);
        masm.store(StoreOp::B8, M::FILE.context, frame.context());
        for (index, &register) in saved.iter().enumerate() {
            masm.store(StoreOp::B8, register, frame.saved(index));
        }
        Prologue {
            size,
            check,
            checked,
        }
    }

    /// Where a frame goes that does not fit.
    pub(crate) fn overflow(&self) -> L {
        self.check.slow
    }

    /// Gives the frame its size, behind the function's code.
    pub(crate) fn finish<M: Masm<Label = L>>(self, masm: &mut M, frame_bytes: u32) {
        if frame_bytes < SMALL_FRAME_BYTES {
            masm.set_frame_size(self.size, frame_bytes);
        } else {
            masm.set_large_frame_size(self.size, frame_bytes, self.check, self.checked);
        }
    }
}

/// Puts back what [`Prologue::begin`] saved.
pub(crate) fn restore_saved<M: Masm>(masm: &mut M, frame: Frame, saved: &[Gpr]) {
    for (index, &register) in saved.iter().enumerate() {
        masm.load(LoadOp::U64, register, frame.saved(index));
    }
}
