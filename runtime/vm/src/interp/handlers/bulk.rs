//! Memories and tables as a whole: size, growth, bulk copies, and references.
//!
//! All operands are slots. Index operands come with the address width where it varies; a 32-bit
//! index occupies the low half of its slot.

use crate::interp::machine::{HANDLER_WORDS, Ip, dispatch, handler, slot, trap_at, word64};
use crate::memory::MemoryInst;
use crate::operations::bulk::{self, Iterations};
use crate::table::TableInst;
use crate::vmctx::{TableDef, VmContext};
use core::ptr::NonNull;
use zwasm_core::{Outcome, TrapCode};

const H: usize = HANDLER_WORDS;

/// The index in the slot of the word at `ip + at`.
///
/// # Safety
/// The word is a slot.
#[inline(always)]
unsafe fn index(ip: Ip, at: usize, fp: *mut u64, is_64: bool) -> u64 {
    // SAFETY: forwarded.
    let raw = unsafe { *slot::<u64>(ip, at, fp) };
    if is_64 { raw } else { u64::from(raw as u32) }
}

/// Writes the size of a memory or table, or the -1 of a failed growth, in the index type.
///
/// # Safety
/// The word at `ip + at` is a slot.
unsafe fn write_index(ip: Ip, at: usize, fp: *mut u64, is_64: bool, value: u64) {
    // SAFETY: forwarded.
    unsafe {
        *slot::<u64>(ip, at, fp) = if is_64 {
            value
        } else {
            u64::from(value as u32)
        }
    };
}

/// The accumulator after a handler that wrote a slot with the translator's plain `define`.
macro_rules! next_with_acc {
    ($ip:expr, $dst:expr, $fp:ident, $cx:ident, $mem:ident, $len:expr, $a32:ident, $a64:ident) => {{
        let acc = *slot::<u64>($dst.0, $dst.1, $fp);
        dispatch!($ip, $fp, $cx, $mem, $len, acc, $a32, $a64)
    }};
}

/// A handler whose work is a function of its own: what that keeps on the native stack is gone before
/// the next handler is entered. In a handler, an object of which somebody has had the address would
/// keep its frame alive, and the jump to the next handler would be a call.
///
/// The operands take the given number of words. After a result, the accumulator holds it too; its slot
/// is the given word. Memory 0 may have grown.
macro_rules! out_of_line {
    ($(#[$meta:meta])* fn $name:ident($ip:ident, $fp:ident, $cx:ident) -> next($words:literal) $body:block) => {
        handler! {
            $(#[$meta])*
            fn $name($ip, $fp, $cx, mem, len, acc, a32, a64) {
                out_of_line!(@work $ip, $fp, $cx, $body);
                dispatch!($ip.add(H + $words), $fp, $cx, mem, len, acc, a32, a64)
            }
        }
    };
    ($(#[$meta:meta])* fn $name:ident($ip:ident, $fp:ident, $cx:ident) -> next($words:literal), result($dst:literal) $body:block) => {
        handler! {
            $(#[$meta])*
            fn $name($ip, $fp, $cx, mem, _len, _acc, a32, a64) {
                out_of_line!(@work $ip, $fp, $cx, $body);
                let len = memory0_len($cx);
                next_with_acc!($ip.add(H + $words), ($ip, H + $dst), $fp, $cx, mem, len, a32, a64)
            }
        }
    };
    (@work $ip:ident, $fp:ident, $cx:ident, $body:block) => {
        #[inline(never)]
        #[allow(unused_variables, reason = "some have no operand in a slot")]
        unsafe fn work($ip: Ip, $fp: *mut u64, $cx: *mut VmContext) -> Result<(), Outcome> {
            // SAFETY: as for the handler, whose operands these are.
            unsafe { $body }
        }
        if let Err(outcome) = work($ip, $fp, $cx) {
            return outcome;
        }
    };
}

/// Current length of memory 0, for the register after a call or growth.
///
/// # Safety
/// `cx` is live.
#[inline(always)]
pub(crate) unsafe fn memory0_len(cx: *mut VmContext) -> usize {
    // SAFETY: the pointer is null or the instance's memory 0.
    unsafe { (*cx).memory0.as_ref().map_or(0, |def| def.length_bytes) }
}

handler! {
    /// `dst = memory.size`; operands: memory, page size log2, is64, dst.
    fn memory_size(ip, fp, cx, mem, len, _acc, a32, a64) {
        let bytes = (*VmContext::memory(cx, *ip.add(H))).length_bytes as u64;
        write_index(ip, H + 3, fp, *ip.add(H + 2) != 0, bytes >> *ip.add(H + 1));
        next_with_acc!(ip.add(H + 4), (ip, H + 3), fp, cx, mem, len, a32, a64)
    }
}

out_of_line! {
    /// `dst = memory.grow(delta)`; operands: delta, memory, is64, dst.
    fn memory_grow(ip, fp, cx) -> next(4), result(3) {
        let is_64 = *ip.add(H + 2) != 0;
        let delta = index(ip, H, fp, is_64);
        let memory = NonNull::new_unchecked(VmContext::memory(cx, *ip.add(H + 1)).cast::<MemoryInst>());
        let store = &mut *(*(*cx).instance).store;
        let Some(old) = store.without_unwinding(|store| store.grow_memory(memory, delta)) else {
            return Err(Outcome::HOST_PANIC);
        };
        write_index(ip, H + 3, fp, is_64, old.unwrap_or(u64::MAX));
        Ok(())
    }
}

/// In the first operand of [`fill_loop`]: the address has 64 bits.
pub(crate) const FILL_WIDE_ADDRESS: u32 = 1;
/// The counter has 64 bits.
pub(crate) const FILL_WIDE_COUNTER: u32 = 2;
/// The counter and its bound are signed.
pub(crate) const FILL_SIGNED: u32 = 4;
/// The counter goes down.
pub(crate) const FILL_COUNTS_DOWN: u32 = 8;
/// No slot: the constant counts alone.
pub(crate) const FILL_NO_SLOT: u32 = u32::MAX;

/// The sum of the slot at `ip + at`, if there is one, and of the constant behind it.
///
/// # Safety
/// The word is a slot or none, and two words follow.
unsafe fn sum(ip: Ip, at: usize, fp: *mut u64) -> u64 {
    // SAFETY: forwarded.
    unsafe {
        let constant = word64(ip, at + 1);
        match *ip.add(at) {
            FILL_NO_SLOT => constant,
            _ => (*slot::<u64>(ip, at, fp)).wrapping_add(constant),
        }
    }
}

out_of_line! {
    /// All iterations but the last ones of a loop that fills memory 0, if there are many; operands: flags,
    /// least distance, bytes of an iteration, bytes of a store, what to add to the address (two words),
    /// address, logarithm of the counter's step, counter, bound (a slot and a constant), what is
    /// stored (the same), number of locals that change, and of three the slot and the step.
    fn fill_loop(ip, fp, cx) -> next(25) {
        let flags = *ip.add(H);
        let is = |flag: u32| flags & flag != 0;
        let cut = |value: u64| if is(FILL_WIDE_COUNTER) { value } else { u64::from(value as u32) };
        let counter = cut(*slot::<u64>(ip, H + 8, fp));
        let bound = cut(sum(ip, H + 9, fp));
        let (low, high) = if is(FILL_COUNTS_DOWN) { (bound, counter) } else { (counter, bound) };
        let distance = cut(high.wrapping_sub(low));
        let is_ahead = match (is(FILL_SIGNED), is(FILL_WIDE_COUNTER)) {
            (false, _) => low < high,
            (true, false) => (low as i32) < high as i32,
            (true, true) => (low as i64) < high as i64,
        };
        if !is_ahead || distance <= u64::from(*ip.add(H + 1)) {
            return Ok(());
        }
        let iterations = Iterations {
            pointer: index(ip, H + 6, fp, is(FILL_WIDE_ADDRESS)),
            low: word64(ip, H + 4),
            is_wide: is(FILL_WIDE_ADDRESS),
            stride: *ip.add(H + 2),
            width: u64::from(*ip.add(H + 3)),
            value: sum(ip, H + 12, fp),
            // The last iteration is the loop's.
            count: (distance - 1) >> *ip.add(H + 7),
        };
        let done = bulk::fill_iterations(cx, &iterations).map_err(|code| trap_at(ip, fp, cx, code))?;
        for at in (0..*ip.add(H + 15) as usize).map(|step| H + 16 + 3 * step) {
            // Of an integer of 32 bits, the upper half of its slot does not count.
            let local = slot::<u64>(ip, at, fp);
            *local = (*local).wrapping_add(done.wrapping_mul(word64(ip, at + 1)));
        }
        Ok(())
    }
}

out_of_line! {
    /// `memory.fill`; operands: start, value, length, memory, is64.
    fn memory_fill(ip, fp, cx) -> next(5) {
        let is_64 = *ip.add(H + 4) != 0;
        let memory = VmContext::memory(cx, *ip.add(H + 3));
        let (start, count) = (index(ip, H, fp, is_64), index(ip, H + 2, fp, is_64));
        let value = *slot::<u64>(ip, H + 1, fp) as u8;
        let done = bulk::memory_fill(cx, memory, start, value, count);
        done.map_err(|code| trap_at(ip, fp, cx, code))
    }
}

out_of_line! {
    /// `memory.copy`; operands: dst, src, length, dst memory, src memory, dst is64, src is64.
    fn memory_copy(ip, fp, cx) -> next(7) {
        let (dst_64, src_64) = (*ip.add(H + 5) != 0, *ip.add(H + 6) != 0);
        let to = VmContext::memory(cx, *ip.add(H + 3)).cast_const();
        let from = VmContext::memory(cx, *ip.add(H + 4)).cast_const();
        let count = index(ip, H + 2, fp, dst_64 && src_64);
        let (dst, src) = (index(ip, H, fp, dst_64), index(ip, H + 1, fp, src_64));
        let done = bulk::memory_copy(cx, (to, dst), (from, src), count);
        done.map_err(|code| trap_at(ip, fp, cx, code))
    }
}

out_of_line! {
    /// `memory.init`; operands: dst, src, length, segment, memory, is64.
    fn memory_init(ip, fp, cx) -> next(6) {
        let dst = index(ip, H, fp, *ip.add(H + 5) != 0);
        let (src, count) = (index(ip, H + 1, fp, false), index(ip, H + 2, fp, false));
        let instance = &*(*cx).instance;
        let memory = VmContext::memory(cx, *ip.add(H + 4));
        let done = instance.memory_init(*ip.add(H + 3), memory, dst, src, count);
        done.map_err(|code| trap_at(ip, fp, cx, code))
    }
}

out_of_line! {
    /// `data.drop`; operands: segment.
    fn data_drop(ip, fp, cx) -> next(1) {
        let instance = &mut *(*cx).instance;
        instance.drop_data(*ip.add(H));
        Ok(())
    }
}

out_of_line! {
    /// `elem.drop`; operands: segment.
    fn elem_drop(ip, fp, cx) -> next(1) {
        let instance = &mut *(*cx).instance;
        instance.dropped_elements[*ip.add(H) as usize] = true;
        Ok(())
    }
}

/// The table whose context offset is the word at `ip + at`.
///
/// # Safety
/// The word is the offset of a table pointer.
#[inline(always)]
unsafe fn table<'a>(ip: Ip, at: usize, cx: *mut VmContext) -> &'a mut TableInst {
    // SAFETY: forwarded; nobody else borrows the table while the guest runs.
    unsafe { &mut **VmContext::at::<*mut TableInst>(cx, *ip.add(at)) }
}

handler! {
    /// `dst = table[index]`; operands: index, table, is64, dst.
    fn table_get(ip, fp, cx, mem, len, _acc, a32, a64) {
        let def: &TableDef = &table(ip, H + 1, cx).def;
        let at = index(ip, H, fp, *ip.add(H + 2) != 0);
        if at >= def.length {
            return trap_at(ip, fp, cx, TrapCode::TableOutOfBounds);
        }
        *slot::<u64>(ip, H + 3, fp) = *def.base.add(at as usize);
        next_with_acc!(ip.add(H + 4), (ip, H + 3), fp, cx, mem, len, a32, a64)
    }
}

handler! {
    /// `table[index] = value`; operands: index, value, table, is64.
    fn table_set(ip, fp, cx, mem, len, acc, a32, a64) {
        let def: &TableDef = &table(ip, H + 2, cx).def;
        let at = index(ip, H, fp, *ip.add(H + 3) != 0);
        if at >= def.length {
            return trap_at(ip, fp, cx, TrapCode::TableOutOfBounds);
        }
        *def.base.add(at as usize) = *slot::<u64>(ip, H + 1, fp);
        dispatch!(ip.add(H + 4), fp, cx, mem, len, acc, a32, a64)
    }
}

handler! {
    /// `dst = table.size`; operands: table, is64, dst.
    fn table_size(ip, fp, cx, mem, len, _acc, a32, a64) {
        let size = table(ip, H, cx).len();
        write_index(ip, H + 2, fp, *ip.add(H + 1) != 0, size);
        next_with_acc!(ip.add(H + 3), (ip, H + 2), fp, cx, mem, len, a32, a64)
    }
}

out_of_line! {
    /// `dst = table.grow(value, delta)`; operands: value, delta, table, is64, dst.
    fn table_grow(ip, fp, cx) -> next(5), result(4) {
        let is_64 = *ip.add(H + 3) != 0;
        let delta = index(ip, H + 1, fp, is_64);
        let value = *slot::<u64>(ip, H, fp);
        let pointer = NonNull::from(table(ip, H + 2, cx));
        let store = &mut *(*(*cx).instance).store;
        let Some(old) = store.without_unwinding(|store| store.grow_table(pointer, delta, value)) else {
            return Err(Outcome::HOST_PANIC);
        };
        write_index(ip, H + 4, fp, is_64, old.unwrap_or(u64::MAX));
        Ok(())
    }
}

out_of_line! {
    /// `table.fill`; operands: start, value, length, table, is64.
    fn table_fill(ip, fp, cx) -> next(5) {
        let is_64 = *ip.add(H + 4) != 0;
        let table = table(ip, H + 3, cx);
        let (start, count) = (index(ip, H, fp, is_64), index(ip, H + 2, fp, is_64));
        let done = bulk::table_fill(table, start, *slot::<u64>(ip, H + 1, fp), count);
        done.map_err(|code| trap_at(ip, fp, cx, code))
    }
}

out_of_line! {
    /// `table.copy`; operands: dst, src, length, dst table, src table, dst is64, src is64.
    fn table_copy(ip, fp, cx) -> next(7) {
        let (dst_64, src_64) = (*ip.add(H + 5) != 0, *ip.add(H + 6) != 0);
        let count = index(ip, H + 2, fp, dst_64 && src_64);
        let to: *const TableDef = &raw const table(ip, H + 3, cx).def;
        let from: *const TableDef = &raw const table(ip, H + 4, cx).def;
        let (dst, src) = (index(ip, H, fp, dst_64), index(ip, H + 1, fp, src_64));
        let done = bulk::table_copy((to, dst), (from, src), count);
        done.map_err(|code| trap_at(ip, fp, cx, code))
    }
}

out_of_line! {
    /// `table.init`; operands: dst, src, length, segment, table index, is64.
    fn table_init(ip, fp, cx) -> next(6) {
        let dst = index(ip, H, fp, *ip.add(H + 5) != 0);
        let (src, count) = (index(ip, H + 1, fp, false), index(ip, H + 2, fp, false));
        let instance = &mut *(*cx).instance;
        let done = instance.table_init(*ip.add(H + 3), *ip.add(H + 4), dst, src, count);
        done.map_err(|code| trap_at(ip, fp, cx, code))
    }
}

handler! {
    /// `dst = ref.func`; operands: context offset of the reference, or with `IMPORTED` of a
    /// pointer to it; dst.
    fn ref_func<{const IMPORTED: bool}>(ip, fp, cx, mem, len, _acc, a32, a64) {
        let at = VmContext::at::<u64>(cx, *ip.add(H));
        *slot::<u64>(ip, H + 1, fp) = if IMPORTED { *at } else { at as u64 };
        next_with_acc!(ip.add(H + 2), (ip, H + 1), fp, cx, mem, len, a32, a64)
    }
}

handler! {
    /// `dst = a is null`; operands: a, dst.
    fn ref_is_null(ip, fp, cx, mem, len, _acc, a32, a64) {
        let null = u64::from(*slot::<u64>(ip, H, fp) == 0);
        *slot::<u64>(ip, H + 1, fp) = null;
        next_with_acc!(ip.add(H + 2), (ip, H + 1), fp, cx, mem, len, a32, a64)
    }
}
