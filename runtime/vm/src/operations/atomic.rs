//! Atomic instructions on memories that belong to one store, and so to one thread at a time: what is
//! atomic about them is that nobody looks.
//!
//! Deliberately absent: shared memories, which modules cannot declare yet.

use crate::vmctx::MemoryDef;
use zwasm_core::TrapCode;
use zwasm_core::atomic::{AtomicKind, AtomicOp};

/// Does an atomic instruction at `index + offset`, with the operands above the address, and returns
/// its result.
///
/// # Errors
/// The trap. An address that is not aligned is no address, wherever it leads.
///
/// # Safety
/// `memory` describes a memory that nobody else uses meanwhile.
pub(crate) unsafe fn perform(
    memory: &MemoryDef,
    op: AtomicOp,
    index: u64,
    offset: u64,
    operands: [u64; 2],
) -> Result<u64, TrapCode> {
    let bytes = u64::from(op.bytes);
    if !index.wrapping_add(offset).is_multiple_of(bytes) {
        return Err(TrapCode::UnalignedAtomic);
    }
    let start = index.checked_add(offset);
    let start = start
        .filter(|start| {
            let end = start.checked_add(bytes);
            end.is_some_and(|end| end <= memory.length_bytes as u64)
        })
        .ok_or(TrapCode::MemoryOutOfBounds)?;
    match op.kind {
        // Nobody waits.
        AtomicKind::Notify => return Ok(0),
        AtomicKind::Wait => return Err(TrapCode::ExpectedSharedMemory),
        _ => {}
    }
    let mut value = [0; 8];
    // SAFETY: the bytes lie in the memory, as compared above.
    unsafe {
        let at = memory.base.add(start as usize);
        let width = usize::from(op.bytes);
        core::ptr::copy_nonoverlapping(at, value.as_mut_ptr(), width);
        let old = u64::from_le_bytes(value);
        if let Some(new) = op.written(old, operands) {
            core::ptr::copy_nonoverlapping(new.to_le_bytes().as_ptr(), at, width);
        }
        Ok(old)
    }
}
