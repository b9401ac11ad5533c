//! Calls, tail calls and exceptions.
//!
//! Frames overlap: the callee's frame begins at the caller's first argument, and results come back
//! in the same place. The last operand word of every call is that distance in bytes, and the
//! return address is the word behind it, so a return finds the caller's frame without any saved
//! pointer. The accumulator carries the return address to the callee's `enter`.
//!
//! A call into another instance pushes the caller's context on the store's list of switches and
//! returns through [`SWITCH_BACK`]; calls within an instance pay nothing for that.

use super::bulk::memory0_len;
use crate::activation::Switch;
use crate::activation::limits::{Registers, StoreLimits};
use crate::code::FuncEntry;
use crate::error::Error;
use crate::func::HostCall;
use crate::interp::RETURN_TO_HOST;
use crate::interp::machine::{
    Fp, HANDLER_WORDS, Handler, Ip, dispatch, handler, record_pc, slot, trap_at,
};
use crate::interp::unwind::{self, Thrower, Unwound};
use crate::store::StoreOpaque;
use crate::table::TableInst;
use crate::tag::TagInst;
use crate::vmctx::{FuncRef, VmContext};
use core::ptr::NonNull;
use std::panic::{AssertUnwindSafe, catch_unwind};
use zwasm_core::{Outcome, TrapCode};

const H: usize = HANDLER_WORDS;

/// Code to return to, with the distance word in front of it.
#[repr(C)]
pub(crate) struct ReturnStub {
    _pad: u32,
    distance: u32,
    handler: Handler,
}

impl ReturnStub {
    pub(crate) const fn new(handler: Handler) -> ReturnStub {
        ReturnStub {
            _pad: 0,
            distance: 0,
            handler,
        }
    }

    /// The return address.
    pub(crate) fn ip(&'static self) -> Ip {
        let _ = self.distance;
        (&raw const self.handler).cast()
    }
}

/// Where calls into other instances return to.
pub(crate) static SWITCH_BACK: ReturnStub = ReturnStub::new(switch_back);

handler! {
    /// Goes back to the calling instance.
    fn switch_back(_ip, fp, cx, _mem, _len, acc, a32, a64) {
        let store = &mut *(*(*cx).instance).store;
        let Switch { ret, cx } = store.activations.switches.pop().expect("pushed by the call");
        let fp = fp.byte_sub(*ret.sub(1) as usize);
        dispatch!(ret, fp, cx, (*cx).memory0_base, memory0_len(cx), acc, a32, a64)
    }
}

handler! {
    /// Calls a function of the same module; operands: entry (2), distance.
    fn call(ip, fp, cx, mem, len, _acc, a32, a64) {
        let entry = ip.add(H).cast::<*const FuncEntry>().read_unaligned();
        let fp = fp.byte_add(*ip.add(H + 2) as usize);
        let ret = ip.add(H + 3);
        dispatch!((*entry).code(), fp, cx, mem, len, ret as u64, a32, a64)
    }
}

/// Enters whatever a function reference names.
macro_rules! call_func_ref {
    ($func:expr, $ip:ident, $ret:expr, $fp:ident, $cx:ident, $mem:ident, $len:ident, $a32:ident, $a64:ident) => {{
        let func: *const FuncRef = $func;
        let ret: Ip = $ret;
        let callee_fp = $fp.byte_add(*ret.sub(1) as usize);
        if (*func).context == $cx {
            dispatch!(
                (*(*func).entry).code(),
                callee_fp,
                $cx,
                $mem,
                $len,
                ret as u64,
                $a32,
                $a64
            )
        }
        go_on!($cx, call_elsewhere(func, $ip, ret, $fp, callee_fp, $cx))
    }};
}

/// Goes on where a function left it, or stops.
macro_rules! go_on {
    ($cx:ident, $next:expr) => {
        match $next {
            Ok(()) => {
                let r = (*(*$cx).limits).registers.get();
                dispatch!(
                    (*r).ip,
                    (*r).fp,
                    (*r).cx,
                    (*r).mem,
                    (*r).mem_len,
                    (*r).acc,
                    (*r).acc32,
                    (*r).acc64
                )
            }
            Err(outcome) => return outcome,
        }
    };
}

/// How a handler goes on after leaving its instance: where the store's registers say, or not at all.
///
/// Registers returned by value would be an object in the handler's frame, of which the callee has had
/// the address: the jump to the next handler would become a call that keeps the frame.
type Next = Result<(), Outcome>;

/// Goes on in a frame whose instance is `cx`, behind something that may have changed its memory 0.
///
/// # Safety
/// The registers describe a frame of the store of `cx`.
unsafe fn resume(ip: Ip, fp: Fp, cx: *mut VmContext, acc: u64, acc32: f32, acc64: f64) -> Next {
    // SAFETY: forwarded; only the running thread touches the cell.
    unsafe {
        (*(*cx).limits).registers.get().write(Registers {
            ip,
            fp,
            cx,
            mem: (*cx).memory0_base,
            mem_len: memory0_len(cx),
            acc,
            acc32,
            acc64,
        });
    }
    Ok(())
}

/// Calls a host function, or a function of another instance.
///
/// # Safety
/// The arguments are in place at `callee_fp`, and `ret` is the return address in the frame `fp`.
#[inline(never)]
unsafe fn call_elsewhere(
    func: *const FuncRef,
    ip: Ip,
    ret: Ip,
    fp: Fp,
    callee_fp: Fp,
    cx: *mut VmContext,
) -> Next {
    // SAFETY: function references live as long as the store.
    unsafe {
        if (*func).host.is_null() {
            let store = &mut *(*(*cx).instance).store;
            store.activations.switches.push(Switch { ret, cx });
            let cx = (*func).context;
            let acc = SWITCH_BACK.ip() as u64;
            return resume((*(*func).entry).code(), callee_fp, cx, acc, 0.0, 0.0);
        }
        match call_host(func, Thrower::Frame, ip, fp, callee_fp, cx) {
            Ok(()) => resume_with_result(ret, fp, callee_fp, cx),
            Err(next) => next,
        }
    }
}

/// Goes on at `ip` in the frame `fp`, with the first result of a call, at `result`, in the
/// accumulators.
///
/// # Safety
/// As for [`resume`]; at least a slot can be read at `result`.
unsafe fn resume_with_result(ip: Ip, fp: Fp, result: Fp, cx: *mut VmContext) -> Next {
    // SAFETY: forwarded.
    unsafe {
        let (acc32, acc64) = (result.cast::<f32>().read(), result.cast::<f64>().read());
        resume(ip, fp, cx, *result, acc32, acc64)
    }
}

/// Runs a host function on the slots at `callee_fp`. The error is how to go on, where that is not
/// behind the call; `thrower` is how the call was made, for exceptions of the function.
///
/// # Safety
/// As for [`call_elsewhere`].
unsafe fn call_host(
    func: *const FuncRef,
    thrower: Thrower,
    ip: Ip,
    fp: Fp,
    callee_fp: Fp,
    cx: *mut VmContext,
) -> Result<(), Next> {
    // SAFETY: forwarded; the store outlives the call, and no borrow of it is held across it.
    unsafe {
        let host = &*(*func).host;
        let limits: *const StoreLimits = (*cx).limits;
        let slots = host.param_slots.max(host.result_slots) as usize;
        let top = callee_fp.add(slots) as u64;
        if top > (*limits).cells.stack_limit.get() {
            return Err(Err(trap_at(ip, fp, cx, TrapCode::StackOverflow)));
        }
        let saved_top = (*limits).cells.stack_top.replace(top);
        let instance = (*cx).instance;
        let store = (*instance).store;
        let call = HostCall {
            store,
            caller: instance,
            slots: callee_fp,
        };
        // Handlers cannot unwind: a panic waits in the store until the run has ended.
        let result = catch_unwind(AssertUnwindSafe(|| host.call(call)));
        (*limits).cells.stack_top.set(saved_top);
        record_pc(limits, ip, fp, cx);
        let error = match result {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error,
            Err(panic) => {
                return Err(Err((*store).activations.panicked(panic)));
            }
        };
        // An exception of another store is an error like any other.
        if let crate::error::Kind::Exception { exn, store: of, .. } = error.kind()
            && *of == (*store).id()
        {
            return Err(raise(&mut *store, *exn, thrower, ip, fp, cx));
        }
        Err(Err((*store).activations.fail(error)))
    }
}

/// Goes to the handler of an exception, or out of this activation.
///
/// # Safety
/// `ip`, `fp` and `cx` describe the throwing frame, and `exn` is an exception of the store.
#[inline(never)]
unsafe fn raise(
    store: &mut StoreOpaque,
    exn: u64,
    thrower: Thrower,
    ip: Ip,
    fp: Fp,
    cx: *mut VmContext,
) -> Next {
    // SAFETY: forwarded.
    unsafe {
        record_pc((*cx).limits, ip, fp, cx);
        match unwind::unwind(store, exn, thrower, ip, fp, cx) {
            Unwound::Caught { ip, fp, cx } => resume(ip, fp, cx, 0, 0.0, 0.0),
            Unwound::Uncaught => {
                let hold = store.exceptions.get(exn).hold();
                let error = Error::exception(exn, store.id(), hold);
                Err(store.activations.leave_by_exception(error))
            }
        }
    }
}

handler! {
    /// Calls an imported function; operands: context offset of its reference, distance.
    fn call_import(ip, fp, cx, mem, len, _acc, a32, a64) {
        let func = *VmContext::at::<*const FuncRef>(cx, *ip.add(H));
        call_func_ref!(func, ip, ip.add(H + 2), fp, cx, mem, len, a32, a64)
    }
}

/// The callee of an indirect call, or the trap.
///
/// # Safety
/// The operands at `ip + H` are: index, table, is64, signature.
#[inline(always)]
unsafe fn indirect_callee(ip: Ip, fp: Fp, cx: *mut VmContext) -> Result<*const FuncRef, TrapCode> {
    // SAFETY: forwarded.
    unsafe {
        let index = *slot::<u64>(ip, H, fp);
        let index = if *ip.add(H + 2) != 0 {
            index
        } else {
            u64::from(index as u32)
        };
        let table = &**VmContext::at::<*const TableInst>(cx, *ip.add(H + 1));
        if index >= table.def.length {
            return Err(TrapCode::UndefinedElement);
        }
        let func = *table.def.base.add(index as usize) as *const FuncRef;
        if func.is_null() {
            return Err(TrapCode::UninitializedElement);
        }
        if (*func).signature as u32 != *ip.add(H + 3) {
            return Err(TrapCode::IndirectCallTypeMismatch);
        }
        Ok(func)
    }
}

handler! {
    /// `call_indirect`; operands: index, table, is64, signature, distance.
    fn call_indirect(ip, fp, cx, mem, len, _acc, a32, a64) {
        match indirect_callee(ip, fp, cx) {
            Ok(func) => call_func_ref!(func, ip, ip.add(H + 5), fp, cx, mem, len, a32, a64),
            Err(code) => trap_at(ip, fp, cx, code),
        }
    }
}

handler! {
    /// `call_ref`; operands: reference, distance.
    fn call_ref(ip, fp, cx, mem, len, _acc, a32, a64) {
        let func = *slot::<u64>(ip, H, fp) as *const FuncRef;
        if func.is_null() {
            return trap_at(ip, fp, cx, TrapCode::NullFunctionReference);
        }
        call_func_ref!(func, ip, ip.add(H + 2), fp, cx, mem, len, a32, a64)
    }
}

handler! {
    /// Tail-calls a function of the same module; operands: entry (2), first argument, argument
    /// slots, header slot.
    fn return_call(ip, fp, cx, mem, len, _acc, a32, a64) {
        let entry = ip.add(H).cast::<*const FuncEntry>().read_unaligned();
        let args = slot::<u64>(ip, H + 2, fp);
        let ret = *slot::<u64>(ip, H + 4, fp);
        core::ptr::copy(args, fp, *ip.add(H + 3) as usize);
        dispatch!((*entry).code(), fp, cx, mem, len, ret, a32, a64)
    }
}

/// Tail-calls whatever a function reference names; the operands at `$at`: first argument,
/// argument slots, header slot.
macro_rules! return_call_func_ref {
    ($func:expr, $ip:ident, $at:expr, $fp:ident, $cx:ident, $mem:ident, $len:ident, $acc:ident, $a32:ident, $a64:ident) => {{
        let func: *const FuncRef = $func;
        let args = slot::<u64>($ip, $at, $fp);
        let count = *$ip.add($at + 1) as usize;
        let ret = *slot::<u64>($ip, $at + 2, $fp);
        if (*func).context == $cx {
            core::ptr::copy(args, $fp, count);
            dispatch!(
                (*(*func).entry).code(),
                $fp,
                $cx,
                $mem,
                $len,
                ret,
                $a32,
                $a64
            )
        }
        if (*func).host.is_null() {
            core::ptr::copy(args, $fp, count);
            if ret as Ip != SWITCH_BACK.ip() {
                let store = &mut *(*(*$cx).instance).store;
                store.activations.switches.push(Switch {
                    ret: ret as Ip,
                    cx: $cx,
                });
            }
            let cx = (*func).context;
            let acc = SWITCH_BACK.ip() as u64;
            dispatch!(
                (*(*func).entry).code(),
                $fp,
                cx,
                (*cx).memory0_base,
                memory0_len(cx),
                acc,
                $a32,
                $a64
            )
        }
        go_on!($cx, tail_call_host(func, $ip, $fp, args, $cx, ret as Ip))
    }};
}

/// Calls a host function on the arguments where they are, for a trap in it still belongs to this
/// frame, and returns its results to the caller of the frame; exceptions pass by the frame's handlers.
///
/// # Safety
/// As for [`call_elsewhere`], with the arguments at `args` and `ret` from the frame's header.
#[inline(never)]
unsafe fn tail_call_host(
    func: *const FuncRef,
    ip: Ip,
    fp: Fp,
    args: Fp,
    cx: *mut VmContext,
    ret: Ip,
) -> Next {
    // SAFETY: forwarded; the word before a return address is the distance between the frames.
    unsafe {
        if let Err(next) = call_host(func, Thrower::Left, ip, fp, args, cx) {
            return next;
        }
        core::ptr::copy(args, fp, (*(*func).host).result_slots as usize);
        let caller = fp.byte_sub(*ret.sub(1) as usize);
        resume_with_result(ret, caller, fp, cx)
    }
}

handler! {
    /// Tail-calls an imported function; operands: context offset of its reference, first
    /// argument, argument slots, header slot.
    fn return_call_import(ip, fp, cx, mem, len, _acc, a32, a64) {
        let func = *VmContext::at::<*const FuncRef>(cx, *ip.add(H));
        return_call_func_ref!(func, ip, H + 1, fp, cx, mem, len, acc, a32, a64)
    }
}

handler! {
    /// `return_call_indirect`; operands: index, table, is64, signature, first argument, argument
    /// slots, header slot.
    fn return_call_indirect(ip, fp, cx, mem, len, _acc, a32, a64) {
        match indirect_callee(ip, fp, cx) {
            Ok(func) => return_call_func_ref!(func, ip, H + 4, fp, cx, mem, len, acc, a32, a64),
            Err(code) => trap_at(ip, fp, cx, code),
        }
    }
}

handler! {
    /// `return_call_ref`; operands: reference, first argument, argument slots, header slot.
    fn return_call_ref(ip, fp, cx, mem, len, _acc, a32, a64) {
        let func = *slot::<u64>(ip, H, fp) as *const FuncRef;
        if func.is_null() {
            return trap_at(ip, fp, cx, TrapCode::NullFunctionReference);
        }
        return_call_func_ref!(func, ip, H + 1, fp, cx, mem, len, acc, a32, a64)
    }
}

/// Throws a new exception.
///
/// # Safety
/// The operands at `ip + H` are those of [`throw`].
#[inline(never)]
unsafe fn throw_new(ip: Ip, fp: Fp, cx: *mut VmContext) -> Next {
    // SAFETY: forwarded; the store outlives its code.
    unsafe {
        let store = &mut *(*(*cx).instance).store;
        let tag = *VmContext::at::<NonNull<TagInst>>(cx, *ip.add(H));
        let count = *ip.add(H + 2) as usize;
        let payload: Box<[u64]> =
            core::slice::from_raw_parts(slot::<u64>(ip, H + 1, fp), count).into();
        match store.without_unwinding(|store| store.new_exception(tag, payload)) {
            Some(Ok(exn)) => raise(store, exn, Thrower::Frame, ip, fp, cx),
            Some(Err(code)) => Err(trap_at(ip, fp, cx, code)),
            None => Err(Outcome::HOST_PANIC),
        }
    }
}

handler! {
    /// `throw`; operands: context offset of the tag, first payload slot, payload slots.
    fn throw(ip, fp, cx, _mem, _len, _acc, _a32, _a64) {
        go_on!(cx, throw_new(ip, fp, cx))
    }
}

handler! {
    /// `throw_ref`; operands: exception.
    fn throw_ref(ip, fp, cx, _mem, _len, _acc, _a32, _a64) {
        let exn = *slot::<u64>(ip, H, fp);
        if exn == 0 {
            return trap_at(ip, fp, cx, TrapCode::NullExceptionReference);
        }
        let store = &mut *(*(*cx).instance).store;
        go_on!(cx, raise(store, exn, Thrower::Frame, ip, fp, cx))
    }
}

handler! {
    /// The code of a function that was not called yet: translates it, then enters it.
    fn translate_first(ip, fp, cx, mem, len, acc, a32, a64) {
        let code = crate::interp::code::translate_entry(cx, ip);
        dispatch!(code, fp, cx, mem, len, acc, a32, a64)
    }
}

/// Where calls from the host return to; see [`RETURN_TO_HOST`].
pub(crate) fn is_return_to_host(ret: Ip) -> bool {
    ret == RETURN_TO_HOST.ip()
}
