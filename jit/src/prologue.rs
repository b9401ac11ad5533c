//! How functions of both compilers begin: the frame, the comparison with the stack's limit, and the
//! context in its place.
//!
//! A frame of less than a page is taken first and compared afterwards, which costs least: so much is
//! always free below the limit. A larger one may lead anywhere, beyond guard pages too, so its size
//! is compared before the stack pointer moves, by code behind the function.

use crate::masm::{FrameSize, Masm, Mem, SMALL_FRAME_BYTES, StackCheck, StoreOp};
use zwasm_core::vmctx::{context, limits};

/// A prologue whose frame has no size yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prologue<L> {
    frame: FrameSize,
    check: StackCheck<L>,
    /// Behind the comparison.
    checked: L,
}

impl<L: Copy> Prologue<L> {
    /// Begins a function.
    pub(crate) fn begin<M: Masm<Label = L>>(masm: &mut M) -> Prologue<L> {
        let file = M::FILE;
        let frame = masm.enter();
        let (slow, checked) = (masm.label(), masm.label());
        let check = StackCheck {
            limits_offset: context::offset::limits as i32,
            limit_offset: limits::offset::native_stack_limit as i32,
            slow,
        };
        masm.check_stack(check);
        masm.bind(checked);
        masm.store(StoreOp::B8, file.context, Mem::at(file.frame, -8));
        Prologue {
            frame,
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
            masm.set_frame_size(self.frame, frame_bytes);
        } else {
            masm.set_large_frame_size(self.frame, frame_bytes, self.check, self.checked);
        }
    }
}
