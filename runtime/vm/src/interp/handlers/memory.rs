//! Loads and stores.
//!
//! The common forms address memory 0 with a 32-bit index: base and length are in registers, and
//! neither the effective address nor its end can overflow 64 bits. The general forms take any
//! memory, read its definition, and check every addition.

use super::ops::DestForms;
use crate::interp::machine::{
    A, Dest, HANDLER_WORDS, Handler, I, Ip, S, SlotValue, Source, dispatch, handler, slot, trap_at,
    word64,
};
use crate::interp::translate::operand::Form;
use crate::vmctx::VmContext;
use zwasm_core::TrapCode;
use zwasm_core::atomic::AtomicOp;
use zwasm_core::num::{self, V128};

const H: usize = HANDLER_WORDS;

/// What a load reads and how it widens.
pub(crate) trait Load {
    type Out: SlotValue;
    /// What lies in memory.
    type Raw: Copy;
    fn extend(raw: Self::Raw) -> Self::Out;
}

/// What a store takes and how it narrows.
pub(crate) trait Store {
    type In: SlotValue;
    /// What goes to memory.
    type Raw: Copy;
    fn narrow(value: Self::In) -> Self::Raw;
}

handler! {
    /// `dst = memory0[index + offset]`; operands: index, offset, dst.
    fn load<{L: Load, X: Source<i32>, D: Dest}>(ip, fp, cx, mem, len, acc, a32, a64) {
        let index = X::read(ip, H, fp, acc, a32, a64) as u32;
        let at = u64::from(index) + u64::from(*ip.add(H + X::WORDS));
        if at + size_of::<L::Raw>() as u64 > len as u64 {
            return trap_at(ip, fp, cx, TrapCode::MemoryOutOfBounds);
        }
        let value = L::extend(mem.add(at as usize).cast::<L::Raw>().read_unaligned());
        D::write(ip, H + X::WORDS + 1, fp, value);
        let (acc, a32, a64) = value.to_acc(acc, a32, a64);
        dispatch!(ip.add(H + X::WORDS + 2), fp, cx, mem, len, acc, a32, a64)
    }
}

handler! {
    /// `dst = memory0[(a + b) + offset]`, the sum in 32 bits; operands: a, b, offset, dst.
    fn load_sum<{L: Load, X: Source<i32>, Y: Source<i32>, D: Dest}>(ip, fp, cx, mem, len, acc, a32, a64) {
        let a = X::read(ip, H, fp, acc, a32, a64);
        let b = Y::read(ip, H + X::WORDS, fp, acc, a32, a64);
        let index = num::i32_add(a, b) as u32;
        let at = u64::from(index) + u64::from(*ip.add(H + X::WORDS + Y::WORDS));
        if at + size_of::<L::Raw>() as u64 > len as u64 {
            return trap_at(ip, fp, cx, TrapCode::MemoryOutOfBounds);
        }
        let value = L::extend(mem.add(at as usize).cast::<L::Raw>().read_unaligned());
        D::write(ip, H + X::WORDS + Y::WORDS + 1, fp, value);
        let (acc, a32, a64) = value.to_acc(acc, a32, a64);
        dispatch!(ip.add(H + X::WORDS + Y::WORDS + 2), fp, cx, mem, len, acc, a32, a64)
    }
}

handler! {
    /// `memory0[index + offset] = value`; operands: index, value, offset.
    fn store<{St: Store, X: Source<i32>, V: Source<St::In>}>(ip, fp, cx, mem, len, acc, a32, a64) {
        let index = X::read(ip, H, fp, acc, a32, a64) as u32;
        let value = V::read(ip, H + X::WORDS, fp, acc, a32, a64);
        let at = u64::from(index) + u64::from(*ip.add(H + X::WORDS + V::WORDS));
        if at + size_of::<St::Raw>() as u64 > len as u64 {
            return trap_at(ip, fp, cx, TrapCode::MemoryOutOfBounds);
        }
        mem.add(at as usize).cast::<St::Raw>().write_unaligned(St::narrow(value));
        dispatch!(ip.add(H + X::WORDS + V::WORDS + 1), fp, cx, mem, len, acc, a32, a64)
    }
}

/// The address of `size` bytes in any memory, or `None` out of bounds. The operands at `ip + at`:
/// context offset of the memory, offset (two words), 1 for a 64-bit index; the index is in the
/// slot of the word before them.
///
/// # Safety
/// The operands have this form.
#[inline(always)]
pub(crate) unsafe fn general_address(
    ip: Ip,
    at: usize,
    fp: *mut u64,
    cx: *mut VmContext,
    size: usize,
) -> Option<*mut u8> {
    // SAFETY: the operands are as described.
    unsafe {
        let def = &*VmContext::memory(cx, *ip.add(at));
        let offset = word64(ip, at + 1);
        let index = *slot::<u64>(ip, at - 1, fp);
        let index = if *ip.add(at + 3) != 0 {
            index
        } else {
            u64::from(index as u32)
        };
        let start = index.checked_add(offset)?;
        let end = start.checked_add(size as u64)?;
        if end > def.length_bytes as u64 {
            return None;
        }
        Some(def.base.add(start as usize))
    }
}

/// Operand words of a general memory access, the index included.
pub(crate) const GENERAL_WORDS: usize = 5;

handler! {
    /// A load from any memory; operands: index, memory, offset (2), is64, dst.
    fn load_general<{L: Load, D: Dest}>(ip, fp, cx, mem, len, acc, a32, a64) {
        let Some(address) = general_address(ip, H + 1, fp, cx, size_of::<L::Raw>()) else {
            return trap_at(ip, fp, cx, TrapCode::MemoryOutOfBounds);
        };
        let value = L::extend(address.cast::<L::Raw>().read_unaligned());
        D::write(ip, H + GENERAL_WORDS, fp, value);
        let (acc, a32, a64) = value.to_acc(acc, a32, a64);
        dispatch!(ip.add(H + GENERAL_WORDS + 1), fp, cx, mem, len, acc, a32, a64)
    }
}

handler! {
    /// A store to any memory; operands: index, memory, offset (2), is64, value slot.
    fn store_general<{St: Store}>(ip, fp, cx, mem, len, acc, a32, a64) {
        let value = slot::<St::In>(ip, H + GENERAL_WORDS, fp).read_unaligned();
        let Some(address) = general_address(ip, H + 1, fp, cx, size_of::<St::Raw>()) else {
            return trap_at(ip, fp, cx, TrapCode::MemoryOutOfBounds);
        };
        address.cast::<St::Raw>().write_unaligned(St::narrow(value));
        dispatch!(ip.add(H + GENERAL_WORDS + 1), fp, cx, mem, len, acc, a32, a64)
    }
}

/// What an atomic instruction leaves, or the trap; operands as of [`atomic`].
///
/// # Safety
/// The operands have this form, and `cx` is live.
#[inline(never)]
unsafe fn perform_atomic(ip: Ip, fp: *mut u64, cx: *mut VmContext) -> Result<u64, TrapCode> {
    // SAFETY: forwarded.
    unsafe {
        let op = AtomicOp::ALL[*ip.add(H) as usize];
        let def = &*VmContext::memory(cx, *ip.add(H + 2));
        let offset = word64(ip, H + 3);
        let index = *slot::<u64>(ip, H + 1, fp);
        let index = if *ip.add(H + 5) != 0 {
            index
        } else {
            u64::from(index as u32)
        };
        let operands = [H + 6, H + 7].map(|at| *slot::<u64>(ip, at, fp));
        crate::operations::atomic::perform(def, op, index, offset, operands)
    }
}

handler! {
    /// An atomic instruction without a result; operands: number, index, memory, offset (2), is64, the
    /// two operands above the index.
    fn atomic_store(ip, fp, cx, mem, len, acc, a32, a64) {
        match perform_atomic(ip, fp, cx) {
            Ok(_) => dispatch!(ip.add(H + 8), fp, cx, mem, len, acc, a32, a64),
            Err(code) => trap_at(ip, fp, cx, code),
        }
    }
}

handler! {
    /// As [`atomic_store`], with the result's slot behind.
    fn atomic(ip, fp, cx, mem, len, _acc, a32, a64) {
        match perform_atomic(ip, fp, cx) {
            Ok(value) => {
                *slot::<u64>(ip, H + 8, fp) = value;
                dispatch!(ip.add(H + 9), fp, cx, mem, len, value, a32, a64)
            }
            Err(code) => trap_at(ip, fp, cx, code),
        }
    }
}

macro_rules! loads {
    ($($name:ident $raw:ty => $out:ty, |$v:ident| $extend:expr;)*) => {$(
        pub(crate) struct $name;
        impl Load for $name {
            type Out = $out;
            type Raw = $raw;
            #[inline(always)]
            fn extend($v: $raw) -> $out {
                $extend
            }
        }
    )*};
}
loads! {
    I32Load i32 => i32, |v| v;
    I64Load i64 => i64, |v| v;
    F32Load f32 => f32, |v| v;
    F64Load f64 => f64, |v| v;
    V128Load V128 => V128, |v| v;
    I32Load8S i8 => i32, |v| i32::from(v);
    I32Load8U u8 => i32, |v| i32::from(v);
    I32Load16S i16 => i32, |v| i32::from(v);
    I32Load16U u16 => i32, |v| i32::from(v);
    I64Load8S i8 => i64, |v| i64::from(v);
    I64Load8U u8 => i64, |v| i64::from(v);
    I64Load16S i16 => i64, |v| i64::from(v);
    I64Load16U u16 => i64, |v| i64::from(v);
    I64Load32S i32 => i64, |v| i64::from(v);
    I64Load32U u32 => i64, |v| i64::from(v);
}

macro_rules! vector_loads {
    ($($name:ident $func:ident ($raw:ty) -> V128;)*) => {
        loads! { $($name $raw => V128, |v| num::$func(v);)* }
    };
}
zwasm_core::for_each_v128_load_extend!(vector_loads);
zwasm_core::for_each_v128_load_splat!(vector_loads);
zwasm_core::for_each_v128_load_zero!(vector_loads);

macro_rules! stores {
    ($($name:ident $value:ty => $raw:ty, |$v:ident| $narrow:expr;)*) => {$(
        pub(crate) struct $name;
        impl Store for $name {
            type In = $value;
            type Raw = $raw;
            #[inline(always)]
            fn narrow($v: $value) -> $raw {
                $narrow
            }
        }
    )*};
}
stores! {
    I32Store i32 => i32, |v| v;
    I64Store i64 => i64, |v| v;
    F32Store f32 => f32, |v| v;
    F64Store f64 => f64, |v| v;
    V128Store V128 => V128, |v| v;
    I32Store8 i32 => u8, |v| v as u8;
    I32Store16 i32 => u16, |v| v as u16;
    I64Store8 i64 => u8, |v| v as u8;
    I64Store16 i64 => u16, |v| v as u16;
    I64Store32 i64 => u32, |v| v as u32;
}

/// The handler of a load from memory 0.
pub(crate) fn pick_load<L: Load>(index: Form) -> DestForms {
    match index {
        Form::Slot => DestForms {
            slot: load::<L, S, S>,
            acc: load::<L, S, A>,
        },
        Form::Acc => DestForms {
            slot: load::<L, A, S>,
            acc: load::<L, A, A>,
        },
        Form::Imm => DestForms {
            slot: load::<L, I, S>,
            acc: load::<L, I, A>,
        },
    }
}

/// The handler of a load from memory 0 at the sum of two operands, for the forms that have one.
pub(crate) fn pick_load_sum<L: Load>(a: Form, b: Form) -> Option<DestForms> {
    macro_rules! forms {
        ($x:ty, $y:ty) => {
            DestForms {
                slot: load_sum::<L, $x, $y, S>,
                acc: load_sum::<L, $x, $y, A>,
            }
        };
    }
    Some(match (a, b) {
        (Form::Slot, Form::Slot) => forms!(S, S),
        (Form::Slot, Form::Acc) => forms!(S, A),
        (Form::Slot, Form::Imm) => forms!(S, I),
        (Form::Acc, Form::Slot) => forms!(A, S),
        (Form::Acc, Form::Imm) => forms!(A, I),
        _ => return None,
    })
}

/// The handler of a load from any memory.
pub(crate) fn pick_load_general<L: Load>() -> DestForms {
    DestForms {
        slot: load_general::<L, S>,
        acc: load_general::<L, A>,
    }
}

/// The handler of a store to memory 0.
pub(crate) fn pick_store<St: Store>(index: Form, value: Form) -> Handler {
    match (index, value) {
        (Form::Slot, Form::Slot) => store::<St, S, S>,
        (Form::Slot, Form::Acc) => store::<St, S, A>,
        (Form::Slot, Form::Imm) => store::<St, S, I>,
        (Form::Acc, Form::Slot) => store::<St, A, S>,
        (Form::Acc, Form::Acc) => store::<St, A, A>,
        (Form::Acc, Form::Imm) => store::<St, A, I>,
        (Form::Imm, Form::Slot) => store::<St, I, S>,
        (Form::Imm, Form::Acc) => store::<St, I, A>,
        (Form::Imm, Form::Imm) => store::<St, I, I>,
    }
}
