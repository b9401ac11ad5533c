//! Branches, returns, function entry, fuel and traps.

use crate::interp::machine::{
    A, HANDLER_WORDS, Handler, I, Ip, S, SlotValue, Source, dispatch, handler, slot, trap_at,
};
use crate::interp::translate::operand::Form;
use core::sync::atomic::Ordering;
use zwasm_core::{Outcome, TrapCode};

const H: usize = HANDLER_WORDS;

handler! {
    /// Enters a function, the accumulator holding the return address; operands: frame size in
    /// bytes, offset of the frame's header slot, first slot to zero, number of slots to zero.
    /// Functions that call others look for interruptions.
    fn enter<{const CALLS: bool}>(ip, fp, cx, mem, len, acc, a32, a64) {
        let limits = (*cx).limits;
        let end = fp as u64 + u64::from(*ip.add(H));
        if end > (*limits).cells.stack_limit.get() {
            return entry_trap(acc as Ip, fp, cx, TrapCode::StackOverflow);
        }
        if CALLS && (*limits).cells.interrupt.load(Ordering::Relaxed) != 0 {
            return entry_trap(acc as Ip, fp, cx, TrapCode::Interrupted);
        }
        *slot::<u64>(ip, H + 1, fp) = acc;
        let zero = slot::<u64>(ip, H + 2, fp);
        let count = *ip.add(H + 3) as usize;
        for i in 0..count {
            zero.add(i).write(0);
        }
        dispatch!(ip.add(H + 4), fp, cx, mem, len, acc, a32, a64)
    }
}

/// Traps on the way into a function, in the frame of its caller.
///
/// # Safety
/// `ret` is the return address of the call that was being entered at `fp`.
#[cold]
#[inline(never)]
unsafe extern "C" fn entry_trap(
    ret: Ip,
    fp: crate::interp::machine::Fp,
    cx: *mut crate::vmctx::VmContext,
    code: TrapCode,
) -> Outcome {
    // SAFETY: the word before a return address is the distance to the caller's frame.
    unsafe {
        let fp = fp.byte_sub(*ret.sub(1) as usize);
        trap_at(ret.sub(1), fp, cx, code)
    }
}

handler! {
    /// Goes to a target; operands: distance.
    fn branch<{const BACK: bool}>(ip, fp, cx, mem, len, acc, a32, a64) {
        if BACK && (*(*cx).limits).cells.interrupt.load(Ordering::Relaxed) != 0 {
            return trap_at(ip, fp, cx, TrapCode::Interrupted);
        }
        let distance = *ip.add(H) as i32 as isize;
        dispatch!(ip.offset(distance), fp, cx, mem, len, acc, a32, a64)
    }
}

handler! {
    /// Branches when the condition is non-zero (zero with `NEG`); operands: condition, distance.
    fn branch_if<{X: Source<i32>, const NEG: bool, const BACK: bool}>(ip, fp, cx, mem, len, acc, a32, a64) {
        let cond = X::read(ip, H, fp, acc, a32, a64);
        if (cond != 0) != NEG {
            if BACK && (*(*cx).limits).cells.interrupt.load(Ordering::Relaxed) != 0 {
                return trap_at(ip, fp, cx, TrapCode::Interrupted);
            }
            let distance = *ip.add(H + X::WORDS) as i32 as isize;
            dispatch!(ip.offset(distance), fp, cx, mem, len, acc, a32, a64)
        }
        dispatch!(ip.add(H + X::WORDS + 1), fp, cx, mem, len, acc, a32, a64)
    }
}

handler! {
    /// Branches when the reference is null (not null with `NEG`); operands: reference, distance.
    fn branch_null<{const NEG: bool, const BACK: bool}>(ip, fp, cx, mem, len, acc, a32, a64) {
        let null = *slot::<u64>(ip, H, fp) == 0;
        if null != NEG {
            if BACK && (*(*cx).limits).cells.interrupt.load(Ordering::Relaxed) != 0 {
                return trap_at(ip, fp, cx, TrapCode::Interrupted);
            }
            let distance = *ip.add(H + 1) as i32 as isize;
            dispatch!(ip.offset(distance), fp, cx, mem, len, acc, a32, a64)
        }
        dispatch!(ip.add(H + 2), fp, cx, mem, len, acc, a32, a64)
    }
}

handler! {
    /// Goes to the target that the index selects, or the last one; operands: index, number of
    /// targets less one, then a distance per target (from the start of this instruction).
    fn branch_table<{X: Source<i32>}>(ip, fp, cx, mem, len, acc, a32, a64) {
        let index = X::read(ip, H, fp, acc, a32, a64) as u32;
        let last = *ip.add(H + X::WORDS);
        let chosen = index.min(last) as usize;
        let distance = *ip.add(H + X::WORDS + 1 + chosen) as i32 as isize;
        // A loop that is nothing but this instruction has distance 0.
        if distance <= 0 && (*(*cx).limits).cells.interrupt.load(Ordering::Relaxed) != 0 {
            return trap_at(ip, fp, cx, TrapCode::Interrupted);
        }
        dispatch!(ip.offset(distance), fp, cx, mem, len, acc, a32, a64)
    }
}

/// Goes back to the caller: the return address is in the header slot, and the word before it is
/// the distance between the frames.
macro_rules! return_to_caller {
    ($header:expr, $fp:ident, $cx:ident, $mem:ident, $len:ident, $acc:expr, $a32:expr, $a64:expr) => {{
        let ret = $header as Ip;
        let caller = $fp.byte_sub(*ret.sub(1) as usize);
        dispatch!(ret, caller, $cx, $mem, $len, $acc, $a32, $a64)
    }};
}

handler! {
    /// Returns nothing; operands: header slot.
    fn return_none(ip, fp, cx, mem, len, acc, a32, a64) {
        let header = *slot::<u64>(ip, H, fp);
        return_to_caller!(header, fp, cx, mem, len, acc, a32, a64)
    }
}

handler! {
    /// Returns one value; operands: value, header slot.
    fn return_one<{T: SlotValue, X: Source<T>}>(ip, fp, cx, mem, len, acc, a32, a64) {
        let value = X::read(ip, H, fp, acc, a32, a64);
        let header = *slot::<u64>(ip, H + X::WORDS, fp);
        fp.cast::<T>().write_unaligned(value);
        let (acc, a32, a64) = value.to_acc(acc, a32, a64);
        return_to_caller!(header, fp, cx, mem, len, acc, a32, a64)
    }
}

handler! {
    /// Returns values that lie in consecutive slots; operands: first slot, count, header slot.
    fn return_many(ip, fp, cx, mem, len, acc, a32, a64) {
        let from = slot::<u64>(ip, H, fp);
        let count = *ip.add(H + 1) as usize;
        let header = *slot::<u64>(ip, H + 2, fp);
        core::ptr::copy(from, fp, count);
        return_to_caller!(header, fp, cx, mem, len, acc, a32, a64)
    }
}

handler! {
    /// Leaves the interpreter.
    fn exit(_ip, _fp, _cx, _mem, _len, _acc, _a32, _a64) {
        Outcome::DONE
    }
}

handler! {
    /// Traps; operands: trap code.
    fn trap(ip, fp, cx, _mem, _len, _acc, _a32, _a64) {
        let code = TrapCode::from_number(*ip.add(H) as u8).expect("a number the translator wrote");
        trap_at(ip, fp, cx, code)
    }
}

handler! {
    /// Traps when the reference is null; operands: reference, trap code.
    fn trap_if_null(ip, fp, cx, mem, len, acc, a32, a64) {
        if *slot::<u64>(ip, H, fp) == 0 {
            let code = TrapCode::from_number(*ip.add(H + 1) as u8).expect("a number the translator wrote");
            return trap_at(ip, fp, cx, code);
        }
        dispatch!(ip.add(H + 2), fp, cx, mem, len, acc, a32, a64)
    }
}

handler! {
    /// Takes fuel; operands: units.
    fn fuel(ip, fp, cx, mem, len, acc, a32, a64) {
        let cell = &(*(*cx).limits).cells.fuel;
        let left = cell.get() - i64::from(*ip.add(H));
        if left < 0 {
            cell.set(0);
            return trap_at(ip, fp, cx, TrapCode::OutOfFuel);
        }
        cell.set(left);
        dispatch!(ip.add(H + 1), fp, cx, mem, len, acc, a32, a64)
    }
}

/// The handler that branches on an `i32`.
pub(crate) fn pick_branch_if(cond: Form, neg: bool, back: bool) -> Handler {
    match (cond, neg, back) {
        (Form::Slot, false, false) => branch_if::<S, false, false>,
        (Form::Slot, false, true) => branch_if::<S, false, true>,
        (Form::Slot, true, false) => branch_if::<S, true, false>,
        (Form::Slot, true, true) => branch_if::<S, true, true>,
        (Form::Acc, false, false) => branch_if::<A, false, false>,
        (Form::Acc, false, true) => branch_if::<A, false, true>,
        (Form::Acc, true, false) => branch_if::<A, true, false>,
        (Form::Acc, true, true) => branch_if::<A, true, true>,
        (Form::Imm, false, false) => branch_if::<I, false, false>,
        (Form::Imm, false, true) => branch_if::<I, false, true>,
        (Form::Imm, true, false) => branch_if::<I, true, false>,
        (Form::Imm, true, true) => branch_if::<I, true, true>,
    }
}

/// The handler that returns one value.
pub(crate) fn pick_return_one<T: SlotValue>(value: Form) -> Handler {
    match value {
        Form::Slot => return_one::<T, S>,
        Form::Acc => return_one::<T, A>,
        Form::Imm => return_one::<T, I>,
    }
}

/// The handler of `br_table`.
pub(crate) fn pick_branch_table(index: Form) -> Handler {
    match index {
        Form::Slot => branch_table::<S>,
        Form::Acc => branch_table::<A>,
        Form::Imm => branch_table::<I>,
    }
}

/// The handler that branches on a reference.
pub(crate) fn pick_branch_null(neg: bool, back: bool) -> Handler {
    match (neg, back) {
        (false, false) => branch_null::<false, false>,
        (false, true) => branch_null::<false, true>,
        (true, false) => branch_null::<true, false>,
        (true, true) => branch_null::<true, true>,
    }
}
