//! The interpreter's machine: its registers, how an instruction is laid out, and how handlers
//! reach operands.
//!
//! Code is a stream of 32-bit words. An instruction is the address of its handler (two words)
//! followed by its operands, one word each, or two for a 64-bit immediate. A slot operand is the
//! byte offset of an 8-byte value slot from the frame base. Branch targets are signed distances in
//! words from the *start* of the branch instruction.
//!
//! The machine's registers travel as arguments from handler to handler, so that they live in
//! hardware registers: instruction pointer, frame base, VM context, memory 0's base and length,
//! and one accumulator per register class. An instruction that defines a value leaves it in the
//! accumulator of its class; the `A` form of an operand reads it from there, the `A` form of a
//! destination leaves it only there.
//!
//! A 32-bit value occupies the low half of its slot; the upper half is undefined.

use crate::activation::limits::{Registers, StoreLimits};
use crate::vmctx::VmContext;
use zwasm_core::num::V128;
use zwasm_core::{Outcome, TrapCode, ValType};

/// Instruction pointer.
pub(crate) type Ip = *const u32;
/// Frame base.
pub(crate) type Fp = *mut u64;

/// The signature of every handler. The order is that of the C ABI's argument registers. It returns once
/// the run is over, or, with loop dispatch, after every instruction.
pub(crate) type Handler = unsafe extern "C" fn(
    ip: Ip,
    fp: Fp,
    cx: *mut VmContext,
    mem: *mut u8,
    mem_len: usize,
    acc: u64,
    acc32: f32,
    acc64: f64,
) -> Outcome;

/// Words that a handler address takes.
pub(crate) const HANDLER_WORDS: usize = 2;

/// Reads the handler at `ip`.
///
/// # Safety
/// `ip` points at an instruction.
#[inline(always)]
pub(crate) unsafe fn handler_at(ip: Ip) -> Handler {
    // SAFETY: an instruction starts with the address of a `Handler`, written by the translator.
    unsafe { ip.cast::<Handler>().read_unaligned() }
}

/// The operand of two words at `ip + at`.
///
/// # Safety
/// There is one.
#[inline(always)]
pub(crate) unsafe fn word64(ip: Ip, at: usize) -> u64 {
    // SAFETY: forwarded.
    unsafe { ip.add(at).cast::<u64>().read_unaligned() }
}

/// Runs from `regs` until an outcome.
///
/// # Safety
/// The registers describe a frame that the translator and the store set up.
pub(crate) unsafe fn run(regs: Registers) -> Outcome {
    #[cfg(all(zwasm_tail_dispatch, not(debug_assertions)))]
    // SAFETY: forwarded.
    unsafe {
        handler_at(regs.ip)(
            regs.ip,
            regs.fp,
            regs.cx,
            regs.mem,
            regs.mem_len,
            regs.acc,
            regs.acc32,
            regs.acc64,
        )
    }
    #[cfg(any(debug_assertions, not(zwasm_tail_dispatch)))]
    // SAFETY: forwarded; a handler that returns `CONTINUE` has saved the registers.
    unsafe {
        let limits = (*regs.cx).limits;
        let mut regs = regs;
        loop {
            let outcome = handler_at(regs.ip)(
                regs.ip,
                regs.fp,
                regs.cx,
                regs.mem,
                regs.mem_len,
                regs.acc,
                regs.acc32,
                regs.acc64,
            );
            if outcome != Outcome::CONTINUE {
                return outcome;
            }
            regs = *(*limits).registers.get();
        }
    }
}

/// Goes on at `$ip` with the given registers.
#[cfg(all(zwasm_tail_dispatch, not(debug_assertions)))]
macro_rules! dispatch {
    ($ip:expr, $fp:expr, $cx:expr, $mem:expr, $len:expr, $acc:expr, $a32:expr, $a64:expr) => {{
        let ip: $crate::interp::machine::Ip = $ip;
        return $crate::interp::machine::handler_at(ip)(ip, $fp, $cx, $mem, $len, $acc, $a32, $a64);
    }};
}

/// Goes on at `$ip` with the given registers.
#[cfg(any(debug_assertions, not(zwasm_tail_dispatch)))]
macro_rules! dispatch {
    ($ip:expr, $fp:expr, $cx:expr, $mem:expr, $len:expr, $acc:expr, $a32:expr, $a64:expr) => {{
        let cx = $cx;
        (*(*cx).limits)
            .registers
            .get()
            .write($crate::activation::limits::Registers {
                ip: $ip,
                fp: $fp,
                cx,
                mem: $mem,
                mem_len: $len,
                acc: $acc,
                acc32: $a32,
                acc64: $a64,
            });
        return zwasm_core::Outcome::CONTINUE;
    }};
}
pub(crate) use dispatch;

/// Declares a handler (generic or not). The body is `unsafe` and has the machine's registers under
/// the names given.
macro_rules! handler {
    ($(#[$meta:meta])* fn $name:ident $(<{$($generics:tt)*}>)? ($ip:ident, $fp:ident, $cx:ident, $mem:ident, $len:ident, $acc:ident, $a32:ident, $a64:ident) $body:block) => {
        $(#[$meta])*
        pub(crate) unsafe extern "C" fn $name $(<$($generics)*>)? (
            $ip: $crate::interp::machine::Ip,
            $fp: $crate::interp::machine::Fp,
            $cx: *mut $crate::vmctx::VmContext,
            $mem: *mut u8,
            $len: usize,
            $acc: u64,
            $a32: f32,
            $a64: f64,
        ) -> zwasm_core::Outcome {
            #[allow(unused_unsafe, reason = "some handlers need none")]
            // SAFETY: handlers are reached through code that the translator emitted for a
            // validated function, so operands are in bounds of the frame and of the code.
            unsafe { $body }
        }
    };
}
pub(crate) use handler;

/// Ends the run with a trap at `ip`.
///
/// # Safety
/// `cx` is the running instance's context.
#[cold]
#[inline(never)]
pub(crate) unsafe extern "C" fn trap_at(
    ip: Ip,
    fp: Fp,
    cx: *mut VmContext,
    code: TrapCode,
) -> Outcome {
    // SAFETY: the context's limits live as long as the store.
    unsafe { record_pc((*cx).limits, ip, fp, cx) };
    Outcome::trap(code)
}

/// Remembers where the run stands, for backtraces and unwinding.
///
/// # Safety
/// `limits` is the running store's.
#[inline(always)]
pub(crate) unsafe fn record_pc(limits: *const StoreLimits, ip: Ip, fp: Fp, cx: *mut VmContext) {
    // SAFETY: only the running thread touches these cells.
    unsafe {
        (*limits).cells.trap_pc.set(ip as u64);
        (*limits).cells.trap_fp.set(fp as u64);
        (*limits).trap_context.set(cx as u64);
    }
}

/// A value that fits a slot (or two).
pub(crate) trait SlotValue: Copy {
    /// Words of an immediate of this type.
    const IMM_WORDS: usize;
    /// The accumulator class of the type.
    const CLASS: Class;
    /// The value type it stands for (`i64` stands for references too).
    const TYPE: ValType;
    /// Reads it from the accumulators.
    fn from_acc(acc: u64, acc32: f32, acc64: f64) -> Self;
    /// Replaces the accumulator of its class.
    fn to_acc(self, acc: u64, acc32: f32, acc64: f64) -> (u64, f32, f64);
}

/// The accumulator that holds values of a type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    /// Integers and references.
    Int,
    /// `f32`.
    F32,
    /// `f64`.
    F64,
    /// `v128` has no accumulator.
    None,
}

macro_rules! slot_value {
    ($ty:ty, $words:literal, $class:ident, $val:ident, |$acc:ident, $a32:ident, $a64:ident| $from:expr, |$v:ident| $to:expr) => {
        impl SlotValue for $ty {
            const IMM_WORDS: usize = $words;
            const CLASS: Class = Class::$class;
            const TYPE: ValType = ValType::$val;
            #[inline(always)]
            #[allow(unused_variables, reason = "each type reads one accumulator")]
            fn from_acc($acc: u64, $a32: f32, $a64: f64) -> Self {
                $from
            }
            #[inline(always)]
            #[allow(unused_variables, reason = "each type replaces one accumulator")]
            fn to_acc(self, $acc: u64, $a32: f32, $a64: f64) -> (u64, f32, f64) {
                let $v = self;
                $to
            }
        }
    };
}
slot_value!(i32, 1, Int, I32, |acc, a32, a64| acc as i32, |v| (
    v as u32 as u64,
    a32,
    a64
));
slot_value!(i64, 2, Int, I64, |acc, a32, a64| acc as i64, |v| (
    v as u64, a32, a64
));
slot_value!(f32, 1, F32, F32, |acc, a32, a64| a32, |v| (acc, v, a64));
slot_value!(f64, 2, F64, F64, |acc, a32, a64| a64, |v| (acc, a32, v));
slot_value!(
    V128,
    4,
    None,
    V128,
    |acc, a32, a64| unreachable!("v128 has no accumulator"),
    |v| {
        let _ = v;
        (acc, a32, a64)
    }
);

/// Where an operand comes from.
pub(crate) trait Source<T: SlotValue> {
    /// Operand words.
    const WORDS: usize;
    /// Reads the operand, whose words start at `ip + at`.
    ///
    /// # Safety
    /// The operand at `ip + at` is of this form, and its slot lies in the frame.
    unsafe fn read(ip: Ip, at: usize, fp: Fp, acc: u64, acc32: f32, acc64: f64) -> T;
}

/// A slot operand.
pub(crate) struct S;
/// The accumulator.
pub(crate) struct A;
/// An immediate.
pub(crate) struct I;

/// Reads the slot whose offset is the word at `ip + at`.
///
/// # Safety
/// As for [`Source::read`].
#[inline(always)]
pub(crate) unsafe fn slot<T>(ip: Ip, at: usize, fp: Fp) -> *mut T {
    // SAFETY: the caller vouches for the operand.
    unsafe { fp.byte_add(*ip.add(at) as usize).cast() }
}

impl<T: SlotValue> Source<T> for S {
    const WORDS: usize = 1;
    #[inline(always)]
    unsafe fn read(ip: Ip, at: usize, fp: Fp, _: u64, _: f32, _: f64) -> T {
        // SAFETY: the operand is a slot that holds a `T`; a `v128` is only 8-byte aligned.
        unsafe { slot::<T>(ip, at, fp).read_unaligned() }
    }
}
impl<T: SlotValue> Source<T> for A {
    const WORDS: usize = 0;
    #[inline(always)]
    unsafe fn read(_: Ip, _: usize, _: Fp, acc: u64, acc32: f32, acc64: f64) -> T {
        T::from_acc(acc, acc32, acc64)
    }
}
impl<T: SlotValue> Source<T> for I {
    const WORDS: usize = T::IMM_WORDS;
    #[inline(always)]
    unsafe fn read(ip: Ip, at: usize, _: Fp, _: u64, _: f32, _: f64) -> T {
        // SAFETY: the operand is an immediate of type `T`.
        unsafe { ip.add(at).cast::<T>().read_unaligned() }
    }
}

/// Where a result goes. Both forms take one operand word, so that the translator can turn a slot
/// destination into the accumulator by replacing only the handler.
pub(crate) trait Dest {
    /// Writes `value` to the destination whose word is at `ip + at`.
    ///
    /// # Safety
    /// The destination at `ip + at` is of this form, and its slot lies in the frame.
    unsafe fn write<T: SlotValue>(ip: Ip, at: usize, fp: Fp, value: T);
}
impl Dest for S {
    #[inline(always)]
    unsafe fn write<T: SlotValue>(ip: Ip, at: usize, fp: Fp, value: T) {
        // SAFETY: the destination is a slot of the frame.
        unsafe { slot::<T>(ip, at, fp).write_unaligned(value) }
    }
}
impl Dest for A {
    #[inline(always)]
    unsafe fn write<T: SlotValue>(_: Ip, _: usize, _: Fp, _: T) {}
}
