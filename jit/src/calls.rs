//! The convention of calls that both compilers keep: how a callee is entered, and what a call leaves
//! of the pinned registers.

use crate::abi::Abi;
use crate::frame::{self, CALLER_FRAME, Frame, RETURN_ADDRESS, STACK_AREA};
use crate::masm::{FloatPart, Gpr, LoadOp, Masm, Mem, StoreOp, Width};
use crate::runtime::context_field;
use zwasm_core::vmctx::{context, func_entry, func_ref};

/// How a callee is entered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entrance {
    /// A function of this module, by its index among the defined ones.
    Defined(u32),
    /// Whatever the function reference in the callee register names.
    Reference,
}

/// Puts the callee's entry into the callee register, and its context and memory base into theirs
/// when they may differ. Returns where the code address lies.
pub(crate) fn enter_callee<M: Masm>(masm: &mut M, callee: Entrance) -> Mem {
    let (context, target) = (M::FILE.context, M::FILE.callee);
    match callee {
        Entrance::Defined(index) => {
            masm.load(
                LoadOp::U64,
                target,
                context_field::<M>(context::offset::entries),
            );
            let offset = i32::try_from(i64::from(index) * i64::from(func_entry::SIZE));
            let offset = offset.expect("fewer than 2^27 functions");
            // The first call of a function finds its entry there.
            masm.address(target, Mem::at(target, offset));
        }
        Entrance::Reference => {
            let field = |offset: u32| Mem::at(target, offset as i32);
            // A host function works on its caller's instance. The frames do not tell which that is
            // when the caller has left by a tail call.
            masm.mov(Width::W64, M::FILE.caller, context);
            masm.load(LoadOp::U64, context, field(func_ref::offset::context));
            load_memory_base(masm);
            masm.load(LoadOp::U64, target, field(func_ref::offset::entry));
        }
    }
    entry_code::<M>()
}

/// Where the code address lies, of the entry in the callee register.
pub(crate) fn entry_code<M: Masm>() -> Mem {
    Mem::at(M::FILE.callee, func_entry::offset::code as i32)
}

/// Puts the pinned registers back after a call that may have changed them: the frame holds the
/// context.
pub(crate) fn restore_context<M: Masm>(masm: &mut M) {
    masm.load(
        LoadOp::U64,
        M::FILE.context,
        Mem::at(M::FILE.frame, frame::CONTEXT),
    );
    load_memory_base(masm);
}

/// A tail call: the callee's frame takes the place of its caller's.
///
/// The callee's area of stack arguments ends where the function's own did. So the stack is as high as
/// before when calls go back and forth between functions with areas of different sizes, and results on
/// the stack are where the caller looks for them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TailCall {
    own_bytes: u32,
    callee_bytes: u32,
}

impl TailCall {
    /// From a function to a callee with these places.
    pub(crate) fn new(own: &Abi, callee: &Abi) -> TailCall {
        TailCall {
            own_bytes: own.stack_bytes,
            callee_bytes: callee.stack_bytes,
        }
    }

    /// Where stack arguments go before the call: to their places at once where the areas are as
    /// large, else where those of a call would wait, out of the way of the frame that is replaced.
    pub(crate) fn area<M: Masm>(self) -> Mem {
        if self.own_bytes == self.callee_bytes {
            Mem::at(M::FILE.frame, STACK_AREA)
        } else {
            Mem::at(M::FILE.stack, 0)
        }
    }

    /// Bytes of the frame's area for callees that this takes.
    pub(crate) fn outgoing_bytes(self) -> u32 {
        let (own, callee) = (self.own_bytes, self.callee_bytes);
        if own == callee {
            return 0;
        }
        STACK_AREA as u32 + callee + callee.saturating_sub(own)
    }

    /// Gives up the frame and goes to the callee, once the arguments are in place.
    pub(crate) fn go<M: Masm>(self, masm: &mut M, frame: Frame, saved: &[Gpr], callee: Entrance) {
        let entry = enter_callee(masm, callee);
        frame::restore_saved(masm, frame, saved);
        if self.own_bytes != self.callee_bytes {
            self.replace_frame(masm);
        }
        masm.leave_to(entry);
    }

    /// Makes the frame that of a function with the callee's area.
    ///
    /// What moves are the return address and the caller's frame pointer; an activation can be walked
    /// from the frame pointer between any two instructions, since interruptions come anywhere.
    fn replace_frame<M: Masm>(self, masm: &mut M) {
        // Not the other one, which may be the caller register: a host function is told its caller
        // there.
        let (frame, stack, scratch) = (M::FILE.frame, M::FILE.stack, M::FILE.scratch[1]);
        debug_assert_ne!(scratch, M::FILE.caller);
        let shift = self.own_bytes as i32 - self.callee_bytes as i32;
        for word in [CALLER_FRAME, RETURN_ADDRESS] {
            masm.load(LoadOp::U64, scratch, Mem::at(frame, word));
            masm.store(StoreOp::B8, scratch, Mem::at(frame, shift + word));
        }
        masm.address(frame, Mem::at(frame, shift));
        let float = M::FILE.float_scratch;
        for at in (0..self.callee_bytes as i32).step_by(16) {
            masm.float_load(FloatPart::V128, float, Mem::at(stack, at));
            masm.float_store(FloatPart::V128, float, Mem::at(frame, STACK_AREA + at));
        }
    }
}

/// Reads the base of memory 0 out of the context.
pub(crate) fn load_memory_base<M: Masm>(masm: &mut M) {
    let base = context_field::<M>(context::offset::memory0_base);
    masm.load(LoadOp::U64, M::FILE.memory_base, base);
}
