//! The convention of calls that both compilers keep: how a callee is entered, and what a call leaves
//! of the pinned registers.

use crate::masm::{FloatPart, LoadOp, Masm, Mem, StoreOp, Width};
use zwasm_core::vmctx::{context, func_ref};

/// Bytes of one function entry in the runtime's array.
const ENTRY_BYTES: i32 = 16;

/// Whom a call goes to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Callee {
    /// A function of this module, by its index among the defined ones.
    Defined(u32),
    /// Whatever the function reference in the callee register names.
    Reference,
}

/// Puts the callee's entry into the callee register, and its context and memory base into theirs
/// when they may differ. Returns where the code address lies.
pub(crate) fn enter_callee<M: Masm>(masm: &mut M, callee: Callee) -> Mem {
    let (context, target) = (M::FILE.context, M::FILE.callee);
    match callee {
        Callee::Defined(index) => {
            let entries = Mem::at(context, context::offset::entries as i32);
            masm.load(LoadOp::U64, target, entries);
            let offset = i32::try_from(i64::from(index) * i64::from(ENTRY_BYTES));
            let offset = offset.expect("fewer than 2^27 functions");
            // The first call of a function finds its entry there.
            masm.address(target, Mem::at(target, offset));
        }
        Callee::Reference => {
            let field = |offset: u32| Mem::at(target, offset as i32);
            // A host function works on its caller's instance. The frames do not tell which that is
            // when the caller has left by a tail call.
            masm.mov(Width::W64, M::FILE.caller, context);
            masm.load(LoadOp::U64, context, field(func_ref::offset::context));
            load_memory_base(masm);
            masm.load(LoadOp::U64, target, field(func_ref::offset::entry));
        }
    }
    Mem::at(target, 0)
}

/// Puts the pinned registers back after a call that may have changed them: the frame holds the
/// context.
pub(crate) fn restore_context<M: Masm>(masm: &mut M) {
    masm.load(LoadOp::U64, M::FILE.context, Mem::at(M::FILE.frame, -8));
    load_memory_base(masm);
}

/// Bytes of the outgoing area that a tail call by [`replace_frame`] needs, its own included: the
/// arguments wait there, out of the way of the frame that takes their function's place.
pub(crate) fn replacement_bytes(own_area_bytes: u32, callee_area_bytes: u32) -> u32 {
    16 + callee_area_bytes + callee_area_bytes.saturating_sub(own_area_bytes)
}

/// Gives up a frame for a callee whose area of stack arguments has another size than the
/// function's own, and goes to the callee, whose arguments wait where those of a call would.
///
/// The areas end at the same address. So the stack is as high as before when calls go back and
/// forth between such functions, and results on the stack are where the caller looks for them.
/// What moves are the return address and the caller's frame pointer; an activation can be walked
/// from the frame pointer between any two instructions, since interruptions come anywhere.
pub(crate) fn replace_frame<M: Masm>(
    masm: &mut M,
    own_area_bytes: u32,
    callee_area_bytes: u32,
    entry: Mem,
) {
    // Not the other one, which may be the caller register: a host function is told its caller there.
    let (frame, stack, scratch) = (M::FILE.frame, M::FILE.stack, M::FILE.scratch[1]);
    debug_assert_ne!(scratch, M::FILE.caller);
    let shift = own_area_bytes as i32 - callee_area_bytes as i32;
    for word in [0, 8] {
        masm.load(LoadOp::U64, scratch, Mem::at(frame, word));
        masm.store(StoreOp::B8, scratch, Mem::at(frame, shift + word));
    }
    masm.address(frame, Mem::at(frame, shift));
    let float = M::FILE.float_scratch;
    for at in (0..callee_area_bytes as i32).step_by(16) {
        masm.float_load(FloatPart::V128, float, Mem::at(stack, at));
        masm.float_store(FloatPart::V128, float, Mem::at(frame, 16 + at));
    }
    masm.leave_to(entry);
}

/// Reads the base of memory 0 out of the context.
pub(crate) fn load_memory_base<M: Masm>(masm: &mut M) {
    let mem = Mem::at(M::FILE.context, context::offset::memory0_base as i32);
    masm.load(LoadOp::U64, M::FILE.memory_base, mem);
}
