//! The helper table: what machine code calls for operators that it does not do inline.
//!
//! The calling convention is described in `zwasm_jit::contract::helpers`. Numeric helpers are one
//! generic function per shape over the operators that the interpreter has, so the tiers cannot disagree.

use super::unwind;
use crate::instance::InstanceData;
use crate::operations::numeric::{self, Binary, ExtractLane, ReplaceLane, Ternary, Unary};
use crate::operations::{self, bulk};
use crate::store::StoreOpaque;
use crate::vmctx::{MemoryDef, VmContext};
use zwasm_core::atomic::AtomicOp;
use zwasm_core::num::{self, V128};
use zwasm_core::{FuncType, Outcome, TrapCode};
use zwasm_jit::contract::helpers::{FILL_WIDE_ADDRESS, FILL_WIDE_COUNT, Helper, WIDE_OPERANDS};

type Call = unsafe extern "C" fn(*mut VmContext, *mut u64, u64, u64) -> Outcome;

/// The table: the given first entries, then one per helper, then one per numeric operator.
pub(super) fn table(first: [usize; 4], last: [usize; 2]) -> Box<[usize]> {
    let mut table = first.to_vec();
    table.extend(
        Helper::ALL
            .iter()
            .map(|&helper| runtime_helper(helper) as usize),
    );
    table.extend(numeric_helpers().iter().map(|(_, call)| *call as usize));
    table.extend(last);
    table.into()
}

fn runtime_helper(helper: Helper) -> Call {
    match helper {
        Helper::MemoryGrow => memory_grow,
        Helper::MemoryFill => memory_fill,
        Helper::MemoryCopy => memory_copy,
        Helper::MemoryInit => memory_init,
        Helper::DataDrop => data_drop,
        Helper::ElemDrop => elem_drop,
        Helper::TableGet => table_get,
        Helper::TableSet => table_set,
        Helper::TableGrow => table_grow,
        Helper::TableFill => table_fill,
        Helper::TableCopy => table_copy,
        Helper::TableInit => table_init,
        Helper::Atomic => self::atomic,
        Helper::Throw => throw,
        Helper::ThrowRef => throw_ref,
        Helper::FillLoop => fill_loop,
    }
}

// --- operands ---

/// A value in operand slots.
trait Slot: Copy {
    const SLOTS: usize;
}
macro_rules! slot {
    ($($ty:ty => $slots:literal;)*) => {
        $(impl Slot for $ty { const SLOTS: usize = $slots; })*
    };
}
slot! { i32 => 1; i64 => 1; f32 => 1; f64 => 1; u8 => 1; u16 => 1; u32 => 1; u64 => 1; V128 => 2; }

/// Reads the operand that lies `above` slots above the topmost one's lowest byte.
///
/// # Safety
/// An operand of the type lies there.
unsafe fn read<T: Slot>(operands: *const u64, above: usize) -> T {
    // SAFETY: forwarded; vectors are only 8-byte aligned.
    unsafe { operands.add(above).cast::<T>().read_unaligned() }
}

/// Writes the only result, in place of operands of `taken` slots in total.
///
/// # Safety
/// The frame has those slots, and those of the result.
unsafe fn write<T: Slot>(operands: *mut u64, taken: usize, value: T) {
    // SAFETY: forwarded. The upper half of a 32-bit value must be clear.
    unsafe {
        let at = operands.offset(taken as isize - T::SLOTS as isize);
        if T::SLOTS == 1 {
            at.write(0);
        }
        at.cast::<T>().write_unaligned(value);
    }
}

/// The outcome of an operation.
fn outcome(done: Result<(), TrapCode>) -> Outcome {
    done.err().map_or(Outcome::DONE, Outcome::trap)
}

// --- numeric operators ---

unsafe extern "C" fn unary<O: Unary>(
    _: *mut VmContext,
    operands: *mut u64,
    _: u64,
    _: u64,
) -> Outcome
where
    O::In: Slot,
    O::Out: Slot,
{
    // SAFETY: the compiler puts one operand there.
    unsafe {
        match O::eval(read(operands, 0)) {
            Ok(value) => {
                write::<O::Out>(operands, <O::In as Slot>::SLOTS, value);
                Outcome::DONE
            }
            Err(code) => Outcome::trap(code),
        }
    }
}

unsafe extern "C" fn binary<O: Binary>(
    _: *mut VmContext,
    operands: *mut u64,
    _: u64,
    _: u64,
) -> Outcome
where
    O::L: Slot,
    O::R: Slot,
    O::Out: Slot,
{
    // SAFETY: the compiler puts two operands there, the second one topmost.
    unsafe {
        let b: O::R = read(operands, 0);
        let a: O::L = read(operands, <O::R as Slot>::SLOTS);
        match O::eval(a, b) {
            Ok(value) => {
                let taken = <O::L as Slot>::SLOTS + <O::R as Slot>::SLOTS;
                write::<O::Out>(operands, taken, value);
                Outcome::DONE
            }
            Err(code) => Outcome::trap(code),
        }
    }
}

unsafe extern "C" fn ternary<O: Ternary>(
    _: *mut VmContext,
    operands: *mut u64,
    _: u64,
    _: u64,
) -> Outcome {
    // SAFETY: the compiler puts three vectors there.
    unsafe {
        let value = O::eval(read(operands, 4), read(operands, 2), read(operands, 0));
        write(operands, 6, value);
    }
    Outcome::DONE
}

unsafe extern "C" fn extract_lane<O: ExtractLane>(
    _: *mut VmContext,
    operands: *mut u64,
    lane: u64,
    _: u64,
) -> Outcome
where
    O::Out: Slot,
{
    // SAFETY: the compiler puts a vector there.
    unsafe { write::<O::Out>(operands, 2, O::eval(read(operands, 0), lane as u8)) };
    Outcome::DONE
}

unsafe extern "C" fn replace_lane<O: ReplaceLane>(
    _: *mut VmContext,
    operands: *mut u64,
    lane: u64,
    _: u64,
) -> Outcome
where
    O::In: Slot,
{
    // SAFETY: the compiler puts a vector and a scalar there.
    unsafe {
        write(
            operands,
            3,
            O::eval(read(operands, 1), lane as u8, read(operands, 0)),
        )
    };
    Outcome::DONE
}

unsafe extern "C" fn shuffle(
    _: *mut VmContext,
    operands: *mut u64,
    low: u64,
    high: u64,
) -> Outcome {
    let lanes = (u128::from(low) | u128::from(high) << 64).to_le_bytes();
    // SAFETY: the compiler puts two vectors there.
    unsafe {
        write(
            operands,
            4,
            num::i8x16_shuffle(read(operands, 2), read(operands, 0), lanes),
        )
    };
    Outcome::DONE
}

/// Writes the halves of a 128-bit result: the low one is the first result, hence higher.
///
/// # Safety
/// As for [`write`].
unsafe fn write_wide(operands: *mut u64, taken: usize, (low, high): (i64, i64)) {
    // SAFETY: forwarded.
    unsafe {
        *operands.add(taken - 1) = low as u64;
        *operands.add(taken - 2) = high as u64;
    }
}

macro_rules! wide_helper {
    ($name:ident, 4) => {{
        unsafe extern "C" fn helper(_: *mut VmContext, p: *mut u64, _: u64, _: u64) -> Outcome {
            // SAFETY: the compiler puts four operands there.
            unsafe {
                let value = num::$name(read(p, 3), read(p, 2), read(p, 1), read(p, 0));
                write_wide(p, 4, value);
            }
            Outcome::DONE
        }
        helper as Call
    }};
    ($name:ident, 2) => {{
        unsafe extern "C" fn helper(_: *mut VmContext, p: *mut u64, _: u64, _: u64) -> Outcome {
            // SAFETY: the compiler puts two operands there.
            unsafe { write_wide(p, 2, num::$name(read(p, 1), read(p, 0))) };
            Outcome::DONE
        }
        helper as Call
    }};
}

/// Loads of vectors leave what they read in a slot; this is the rest.
macro_rules! load_rows {
    ($($name:ident $func:ident ($raw:ty) -> V128;)*) => {
        vec![$((stringify!($name), {
            unsafe extern "C" fn helper(_: *mut VmContext, p: *mut u64, _: u64, _: u64) -> Outcome {
                // SAFETY: the compiler puts what it loaded there.
                unsafe { write(p, 1, num::$func(read::<$raw>(p, 0))) };
                Outcome::DONE
            }
            helper as Call
        }),)*]
    };
}

/// Every numeric helper with the operator's name, in the order of the compiler's groups.
fn numeric_helpers() -> Vec<(&'static str, Call)> {
    macro_rules! rows {
        ($shape:ident: $($name:ident $func:ident $args:tt -> $out:ty;)*) => {
            vec![$((stringify!($name), $shape::<numeric::$name> as Call),)*]
        };
    }
    macro_rules! unary_rows {
        ($($rows:tt)*) => { rows! { unary: $($rows)* } };
    }
    macro_rules! binary_rows {
        ($($rows:tt)*) => { rows! { binary: $($rows)* } };
    }
    macro_rules! ternary_rows {
        ($($rows:tt)*) => { rows! { ternary: $($rows)* } };
    }
    macro_rules! extract_rows {
        ($($rows:tt)*) => { rows! { extract_lane: $($rows)* } };
    }
    macro_rules! replace_rows {
        ($($rows:tt)*) => { rows! { replace_lane: $($rows)* } };
    }
    [
        zwasm_core::for_each_unary!(unary_rows),
        zwasm_core::for_each_unary_trapping!(unary_rows),
        zwasm_core::for_each_v128_unary!(unary_rows),
        zwasm_core::for_each_v128_binary!(binary_rows),
        zwasm_core::for_each_v128_ternary!(ternary_rows),
        zwasm_core::for_each_v128_shift!(binary_rows),
        zwasm_core::for_each_v128_test!(unary_rows),
        zwasm_core::for_each_v128_splat!(unary_rows),
        zwasm_core::for_each_v128_extract_lane!(extract_rows),
        zwasm_core::for_each_v128_replace_lane!(replace_rows),
        vec![("I8x16Shuffle", shuffle as Call)],
        zwasm_core::for_each_v128_load_extend!(load_rows),
        zwasm_core::for_each_v128_load_splat!(load_rows),
        zwasm_core::for_each_v128_load_zero!(load_rows),
        vec![
            ("I64Add128", wide_helper!(i64_add128, 4)),
            ("I64Sub128", wide_helper!(i64_sub128, 4)),
            ("I64MulWideS", wide_helper!(i64_mul_wide_s, 2)),
            ("I64MulWideU", wide_helper!(i64_mul_wide_u, 2)),
        ],
    ]
    .concat()
}

// --- memories and tables ---

/// The running instance.
///
/// # Safety
/// `cx` is the running instance's context, and nothing else borrows the instance.
unsafe fn instance<'a>(cx: *mut VmContext) -> &'a mut InstanceData {
    // SAFETY: forwarded.
    unsafe { &mut *(*cx).instance }
}

/// The store.
///
/// # Safety
/// As for [`instance`].
unsafe fn store<'a>(cx: *mut VmContext) -> &'a mut StoreOpaque {
    // SAFETY: forwarded.
    unsafe { &mut *(*(*cx).instance).store }
}

/// The outcome of an operation that does not look for interruptions: one that was done is interrupted
/// now. A loop around a helper that takes long is hardly ever seen in its own code.
///
/// # Safety
/// As for [`instance`].
unsafe fn on_the_way_out(cx: *mut VmContext, done: Result<(), TrapCode>) -> Outcome {
    // SAFETY: the limits live as long as the store.
    let is_interrupted = || unsafe { &*(*cx).limits }.is_interrupted();
    match done {
        Ok(()) if is_interrupted() => Outcome::trap(TrapCode::Interrupted),
        done => outcome(done),
    }
}

/// An index operand of a memory or table.
///
/// # Safety
/// As for [`read`].
unsafe fn index(operands: *const u64, above: usize, is_64: bool) -> u64 {
    // SAFETY: forwarded.
    let raw = unsafe { *operands.add(above) };
    if is_64 { raw } else { u64::from(raw as u32) }
}

/// A size, or -1, in an index type.
fn size_or_minus_one(size: Option<u64>, is_64: bool) -> u64 {
    let size = size.unwrap_or(u64::MAX);
    if is_64 { size } else { u64::from(size as u32) }
}

unsafe extern "C" fn memory_grow(cx: *mut VmContext, p: *mut u64, memory: u64, _: u64) -> Outcome {
    // SAFETY: the running code's own context and operands.
    unsafe {
        let memory = instance(cx).memories[memory as usize];
        let is_64 = memory.as_ref().ty.memory64;
        let delta = index(p, 0, is_64);
        let Some(old) = store(cx).without_unwinding(|store| store.grow_memory(memory, delta))
        else {
            return Outcome::HOST_PANIC;
        };
        *p = size_or_minus_one(old, is_64);
    }
    Outcome::DONE
}

/// A memory's definition, and whether its indices have 64 bits, from an immediate that is
/// [`zwasm_jit::contract::helpers`]' word for it.
///
/// # Safety
/// The immediate is what the compiler passes for a memory of the module of `cx`.
unsafe fn memory_of(cx: *mut VmContext, word: u64) -> (*const MemoryDef, bool) {
    // SAFETY: forwarded.
    let def = unsafe { VmContext::memory(cx, word as u32 & !WIDE_OPERANDS) };
    (def, word as u32 & WIDE_OPERANDS != 0)
}

unsafe extern "C" fn memory_fill(cx: *mut VmContext, p: *mut u64, memory: u64, _: u64) -> Outcome {
    // SAFETY: the running code's own context and operands.
    unsafe {
        let (memory, is_64) = memory_of(cx, memory);
        let (start, count) = (index(p, 2, is_64), index(p, 0, is_64));
        outcome(bulk::memory_fill(cx, memory, start, *p.add(1) as u8, count))
    }
}

unsafe extern "C" fn fill_loop(cx: *mut VmContext, p: *mut u64, low: u64, shape: u64) -> Outcome {
    let is_wide = shape & FILL_WIDE_ADDRESS != 0;
    // SAFETY: the running code's own context and operands; a module with such loops has a memory.
    unsafe {
        let iterations = bulk::Iterations {
            pointer: index(p, 2, is_wide),
            low,
            is_wide,
            stride: shape as u32 >> 8,
            width: shape & 0xff,
            value: *p,
            count: index(p, 1, shape & FILL_WIDE_COUNT != 0),
        };
        let done = bulk::fill_iterations(cx, &iterations);
        outcome(done.map(|done| core::slice::from_raw_parts_mut(p, 3).fill(done)))
    }
}

unsafe extern "C" fn memory_copy(cx: *mut VmContext, p: *mut u64, dst: u64, src: u64) -> Outcome {
    // SAFETY: the running code's own context and operands.
    unsafe {
        let ((to, to_64), (from, from_64)) = (memory_of(cx, dst), memory_of(cx, src));
        let count = index(p, 0, to_64 && from_64);
        let (dst, src) = (index(p, 2, to_64), index(p, 1, from_64));
        outcome(bulk::memory_copy(cx, (to, dst), (from, src), count))
    }
}

unsafe extern "C" fn memory_init(
    cx: *mut VmContext,
    p: *mut u64,
    segment: u64,
    memory: u64,
) -> Outcome {
    // SAFETY: the running code's own context and operands.
    unsafe {
        let (memory, is_64) = memory_of(cx, memory);
        let (dst, src, count) = (index(p, 2, is_64), index(p, 1, false), index(p, 0, false));
        let done = instance(cx).memory_init(segment as u32, memory, dst, src, count);
        on_the_way_out(cx, done)
    }
}

unsafe extern "C" fn atomic(cx: *mut VmContext, p: *mut u64, op: u64, offset: u64) -> Outcome {
    // SAFETY: the running code's own context and operands; the number and the memory are of its module.
    unsafe {
        let (memory, is_64) = memory_of(cx, op >> 32);
        let op = AtomicOp::ALL[op as u32 as usize];
        // The last operand is lowest.
        let above = op.operands() - 1;
        let at = index(p, above, is_64);
        let operand = |i: usize| if i < above { *p.add(above - 1 - i) } else { 0 };
        match operations::atomic::perform(&*memory, op, at, offset, [operand(0), operand(1)]) {
            Ok(result) => {
                if op.result().is_some() {
                    *p.add(above) = result;
                }
                Outcome::DONE
            }
            Err(code) => Outcome::trap(code),
        }
    }
}

unsafe extern "C" fn data_drop(cx: *mut VmContext, _: *mut u64, segment: u64, _: u64) -> Outcome {
    // SAFETY: the running code's own context.
    unsafe { instance(cx) }.drop_data(segment as u32);
    Outcome::DONE
}

unsafe extern "C" fn elem_drop(cx: *mut VmContext, _: *mut u64, segment: u64, _: u64) -> Outcome {
    // SAFETY: the running code's own context.
    unsafe { instance(cx) }.dropped_elements[segment as usize] = true;
    Outcome::DONE
}

unsafe extern "C" fn table_get(cx: *mut VmContext, p: *mut u64, table: u64, _: u64) -> Outcome {
    // SAFETY: the running code's own context and operands.
    unsafe {
        let table = instance(cx).tables[table as usize].as_ref();
        let at = index(p, 0, table.ty.table64);
        let element = usize::try_from(at)
            .ok()
            .and_then(|at| table.elements().get(at));
        let Some(&element) = element else {
            return Outcome::trap(TrapCode::TableOutOfBounds);
        };
        *p = element;
    }
    Outcome::DONE
}

unsafe extern "C" fn table_set(cx: *mut VmContext, p: *mut u64, table: u64, _: u64) -> Outcome {
    // SAFETY: the running code's own context and operands.
    unsafe {
        let table = instance(cx).tables[table as usize].as_mut();
        let at = index(p, 1, table.ty.table64);
        let element = usize::try_from(at)
            .ok()
            .and_then(|at| table.elements_mut().get_mut(at));
        let Some(element) = element else {
            return Outcome::trap(TrapCode::TableOutOfBounds);
        };
        *element = *p;
    }
    Outcome::DONE
}

unsafe extern "C" fn table_grow(cx: *mut VmContext, p: *mut u64, table: u64, _: u64) -> Outcome {
    // SAFETY: the running code's own context and operands.
    unsafe {
        let table = instance(cx).tables[table as usize];
        let is_64 = table.as_ref().ty.table64;
        let (delta, value) = (index(p, 0, is_64), *p.add(1));
        let old = store(cx).without_unwinding(|store| store.grow_table(table, delta, value));
        let Some(old) = old else {
            return Outcome::HOST_PANIC;
        };
        *p.add(1) = size_or_minus_one(old, is_64);
    }
    Outcome::DONE
}

unsafe extern "C" fn table_fill(cx: *mut VmContext, p: *mut u64, table: u64, _: u64) -> Outcome {
    // SAFETY: the running code's own context and operands.
    unsafe {
        let table = instance(cx).tables[table as usize].as_mut();
        let is_64 = table.ty.table64;
        let (start, count) = (index(p, 2, is_64), index(p, 0, is_64));
        on_the_way_out(cx, bulk::table_fill(table, start, *p.add(1), count))
    }
}

unsafe extern "C" fn table_copy(cx: *mut VmContext, p: *mut u64, dst: u64, src: u64) -> Outcome {
    // SAFETY: the running code's own context and operands.
    unsafe {
        let tables = &instance(cx).tables;
        let to = tables[dst as usize].as_ref();
        let from = tables[src as usize].as_ref();
        let (to_64, from_64) = (to.ty.table64, from.ty.table64);
        let count = index(p, 0, to_64 && from_64);
        let (dst, src) = (index(p, 2, to_64), index(p, 1, from_64));
        let (to, from) = (&raw const to.def, &raw const from.def);
        on_the_way_out(cx, bulk::table_copy((to, dst), (from, src), count))
    }
}

unsafe extern "C" fn table_init(
    cx: *mut VmContext,
    p: *mut u64,
    segment: u64,
    table: u64,
) -> Outcome {
    // SAFETY: the running code's own context and operands.
    unsafe {
        let instance = instance(cx);
        let is_64 = instance.tables[table as usize].as_ref().ty.table64;
        let (dst, src, count) = (index(p, 2, is_64), index(p, 1, false), index(p, 0, false));
        let done = instance.table_init(segment as u32, table as u32, dst, src, count);
        on_the_way_out(cx, done)
    }
}

// --- exceptions ---

unsafe extern "C" fn throw(cx: *mut VmContext, p: *mut u64, tag: u64, slots: u64) -> Outcome {
    // SAFETY: the running code's own context and operands; it has recorded its place.
    unsafe {
        let instance = instance(cx);
        let ty: &FuncType = instance.inner().tag_type(tag as u32);
        // The first value is highest; each is stored low half first.
        let mut next = p.add(slots as usize);
        let mut payload = Vec::with_capacity(slots as usize);
        for ty in ty.params() {
            let count = ty.slots() as usize;
            next = next.sub(count);
            payload.extend((0..count).map(|i| *next.add(i)));
        }
        let tag = instance.tags[tag as usize];
        let store = store(cx);
        match store.without_unwinding(|store| store.new_exception(tag, payload.into())) {
            Some(Ok(exn)) => unwind::raise_exception(store, exn),
            Some(Err(code)) => Outcome::trap(code),
            None => Outcome::HOST_PANIC,
        }
    }
}

unsafe extern "C" fn throw_ref(cx: *mut VmContext, p: *mut u64, _: u64, _: u64) -> Outcome {
    // SAFETY: the running code's own context and operand; it has recorded its place.
    unsafe {
        if *p == 0 {
            return Outcome::trap(TrapCode::NullExceptionReference);
        }
        unwind::raise_exception(store(cx), *p)
    }
}

#[cfg(test)]
mod tests {
    use super::numeric_helpers;
    use zwasm_jit::contract::helpers::numeric_groups;

    #[test]
    fn the_compiler_and_the_runtime_number_operators_alike() {
        let rows: Vec<&str> = numeric_groups().flatten().map(|row| row.name).collect();
        let helpers = numeric_helpers();
        let names: Vec<&str> = helpers.iter().map(|(name, _)| *name).collect();
        assert_eq!(rows, names);
    }
}
