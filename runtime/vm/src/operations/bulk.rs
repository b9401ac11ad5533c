//! Memories and tables as a whole: filling and copying. Each operation checks its ranges before it
//! changes anything, and looks for interruptions where it takes long.

use crate::memory::MemoryInst;
use crate::table::TableInst;
use crate::vmctx::{MemoryDef, TableDef, VmContext};
use core::ops::Range;
use zwasm_core::TrapCode;

/// Operations look for interruptions after this many bytes.
const CHUNK_BYTES: usize = 16 << 20;

/// Runs `step(start, length)` over a range in pieces.
///
/// # Errors
/// [`TrapCode::Interrupted`], when somebody wants the guest to stop.
///
/// # Safety
/// `cx` is live.
#[inline]
unsafe fn in_chunks(
    cx: *mut VmContext,
    total: usize,
    from_end: bool,
    mut step: impl FnMut(usize, usize),
) -> Result<(), TrapCode> {
    // SAFETY: the context's limits live as long as the store.
    let check = || match unsafe { (*(*cx).limits).is_interrupted() } {
        true => Err(TrapCode::Interrupted),
        false => Ok(()),
    };
    // Most are short.
    if total <= CHUNK_BYTES {
        step(0, total);
        return check();
    }
    let mut done = 0;
    while done < total {
        let length = CHUNK_BYTES.min(total - done);
        let start = if from_end {
            total - done - length
        } else {
            done
        };
        step(start, length);
        done += length;
        check()?;
    }
    Ok(())
}

/// Fills part of a memory with a byte.
///
/// # Safety
/// `cx` is live, and the range lies in that memory of its instance.
unsafe fn fill(
    cx: *mut VmContext,
    memory: *const MemoryDef,
    range: Range<usize>,
    value: u8,
) -> Result<(), TrapCode> {
    // SAFETY: forwarded; a memory's definition is the first field of its record.
    unsafe {
        in_chunks(cx, range.len(), false, |at, n| {
            let start = range.start + at;
            MemoryInst::fill(memory.cast(), start..start + n, value);
        })
    }
}

/// `memory.fill`.
///
/// # Errors
/// The trap.
///
/// # Safety
/// `cx` is live, and the memory is one of its instance.
pub(crate) unsafe fn memory_fill(
    cx: *mut VmContext,
    memory: *const MemoryDef,
    start: u64,
    value: u8,
    count: u64,
) -> Result<(), TrapCode> {
    // SAFETY: forwarded.
    unsafe {
        let range = (*memory).range(start, count)?;
        fill(cx, memory, range, value)
    }
}

/// `memory.copy`, from one memory to another or within one.
///
/// # Errors
/// The trap.
///
/// # Safety
/// `cx` is live, and the memories are of its instance.
pub(crate) unsafe fn memory_copy(
    cx: *mut VmContext,
    (to, dst): (*const MemoryDef, u64),
    (from, src): (*const MemoryDef, u64),
    count: u64,
) -> Result<(), TrapCode> {
    // SAFETY: forwarded; the ranges lie in the memories.
    unsafe {
        let target = (*to).range(dst, count)?;
        let source = (*from).range(src, count)?;
        let to = (*to).base.add(target.start);
        let from = (*from).base.add(source.start);
        // In pieces, the direction matters when the ranges overlap.
        in_chunks(cx, target.len(), to > from, |at, n| {
            core::ptr::copy(from.add(at), to.add(at), n);
        })
    }
}

/// Iterations of a loop that fills memory 0 upwards.
pub(crate) struct Iterations {
    /// The address, and how far behind it the first byte is.
    pub(crate) pointer: u64,
    pub(crate) low: u64,
    /// Whether the address has 64 bits.
    pub(crate) is_wide: bool,
    /// Bytes of an iteration, and of a store.
    pub(crate) stride: u32,
    pub(crate) width: u64,
    /// What each store stores.
    pub(crate) value: u64,
    pub(crate) count: u64,
}

/// Does iterations of a loop at once and says how many: none of those beyond the memory's end or that of
/// the address space, nor any where what is stored is not one byte repeated.
///
/// # Errors
/// [`TrapCode::Interrupted`].
///
/// # Safety
/// `cx` is live, and of an instance with a memory.
pub(crate) unsafe fn fill_iterations(
    cx: *mut VmContext,
    iterations: &Iterations,
) -> Result<u64, TrapCode> {
    let bytes = iterations.value.to_le_bytes();
    let stored = &bytes[..iterations.width as usize];
    if stored.iter().any(|&byte| byte != stored[0]) {
        return Ok(0);
    }
    let stride = u64::from(iterations.stride);
    // SAFETY: forwarded; the range of the iterations that are done is in the memory.
    unsafe {
        let memory = (*cx).memory0;
        let Some(start) = iterations.pointer.checked_add(iterations.low) else {
            return Ok(0);
        };
        let room = ((*memory).length_bytes as u64).saturating_sub(start);
        let before_wrap = match iterations.is_wide {
            true => u64::MAX,
            false => u64::from(u32::MAX) - iterations.pointer,
        };
        let done = iterations
            .count
            .min(room / stride)
            .min(before_wrap / stride);
        if done == 0 {
            return Ok(0);
        }
        let start = start as usize;
        let range = start..start + (done * stride) as usize;
        fill(cx, memory, range, stored[0])?;
        Ok(done)
    }
}

/// `table.fill`.
///
/// # Errors
/// The trap.
pub(crate) fn table_fill(
    table: &mut TableInst,
    start: u64,
    value: u64,
    count: u64,
) -> Result<(), TrapCode> {
    let range = table.def.range(start, count)?;
    table.elements_mut()[range].fill(value);
    Ok(())
}

/// `table.copy`, from one table to another or within one.
///
/// # Errors
/// The trap.
///
/// # Safety
/// The tables live.
pub(crate) unsafe fn table_copy(
    (to, dst): (*const TableDef, u64),
    (from, src): (*const TableDef, u64),
    count: u64,
) -> Result<(), TrapCode> {
    // SAFETY: forwarded; the ranges lie in the tables.
    unsafe {
        let target = (*to).range(dst, count)?;
        let source = (*from).range(src, count)?;
        let from = (*from).base.add(source.start);
        core::ptr::copy(from, (*to).base.add(target.start), target.len());
    }
    Ok(())
}
