//! The convention of calls that both compilers keep: how a callee is entered, and what a call leaves
//! of the pinned registers.

use crate::masm::{LoadOp, Masm, Mem};
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

/// Reads the base of memory 0 out of the context.
pub(crate) fn load_memory_base<M: Masm>(masm: &mut M) {
    let mem = Mem::at(M::FILE.context, context::offset::memory0_base as i32);
    masm.load(LoadOp::U64, M::FILE.memory_base, mem);
}
