//! How code of both compilers and the stubs reach the runtime: through the table that the context
//! points to ([`helpers`](crate::contract::helpers)), and through the limits that it shares with it.

use crate::contract::helpers::RAISE;
use crate::masm::{Gpr, LoadOp, Masm, Mem, StoreOp, Width};
use zwasm_core::vmctx::{context, limits};

/// A field of the context.
pub(crate) fn context_field<M: Masm>(offset: u32) -> Mem {
    Mem::at(M::FILE.context, offset as i32)
}

/// Reads the address of the table and gives the memory of an entry.
fn table_entry<M: Masm>(masm: &mut M, entry: u32, table: Gpr) -> Mem {
    let table_at = context_field::<M>(context::offset::helpers);
    masm.load(LoadOp::U64, table, table_at);
    Mem::at(table, entry as i32 * 8)
}

/// Calls an entry of the table with the arguments that the registers of C's convention hold.
pub(crate) fn call_table<M: Masm>(masm: &mut M, entry: u32) {
    let entry = table_entry(masm, entry, M::FILE.callee);
    masm.call(entry);
}

/// Calls a helper whose operands lie from this memory upwards.
pub(crate) fn call_helper<M: Masm>(masm: &mut M, entry: u32, operands: Mem, immediates: [u64; 2]) {
    let file = M::FILE;
    let [context, pointer, first, second] = file.arguments[..4] else {
        unreachable!("C passes four arguments in registers everywhere")
    };
    masm.address(pointer, operands);
    masm.mov(Width::W64, context, file.context);
    masm.imm(first, immediates[0]);
    masm.imm(second, immediates[1]);
    call_table(masm, entry);
}

/// Ends the activation, or goes on elsewhere, with the outcome in the result register.
pub(crate) fn raise<M: Masm>(masm: &mut M) {
    let entry = table_entry(masm, RAISE, M::FILE.scratch[1]);
    masm.jump_to(entry);
}

/// Tells the runtime the frame in which the activation stands, for backtraces and unwinding; keeps
/// the result and the callee register.
pub(crate) fn record_frame<M: Masm>(masm: &mut M) {
    let state = M::FILE.scratch[1];
    masm.load(
        LoadOp::U64,
        state,
        context_field::<M>(context::offset::limits),
    );
    let frame = Mem::at(state, limits::offset::trap_fp as i32);
    masm.store(StoreOp::B8, M::FILE.frame, frame);
}

/// Tells it the address in the callee register as the place in that frame, behind [`record_frame`].
pub(crate) fn record_address<M: Masm>(masm: &mut M) {
    let address = Mem::at(M::FILE.scratch[1], limits::offset::trap_pc as i32);
    masm.store(StoreOp::B8, M::FILE.callee, address);
}
