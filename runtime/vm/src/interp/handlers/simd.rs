//! Vector handlers whose shape the numeric ones do not cover: three operands, lane numbers, lanes
//! in memory. Vectors have no accumulator: operands and results are slots.

use super::memory::{GENERAL_WORDS, general_address};
use super::ops::DestForms;
use crate::interp::machine::{
    A, Dest, HANDLER_WORDS, S, SlotValue, dispatch, handler, slot, trap_at,
};
use crate::operations::numeric::{ExtractLane, LoadLane, ReplaceLane, StoreLane, Ternary};
use zwasm_core::TrapCode;
use zwasm_core::num::{self, V128};

const H: usize = HANDLER_WORDS;

handler! {
    /// `dst = op(a, b, c)`; operands: a, b, c, dst.
    fn ternary<{O: Ternary}>(ip, fp, cx, mem, len, acc, a32, a64) {
        let read = |at: usize| slot::<V128>(ip, H + at, fp).read_unaligned();
        let value = O::eval(read(0), read(1), read(2));
        slot::<V128>(ip, H + 3, fp).write_unaligned(value);
        dispatch!(ip.add(H + 4), fp, cx, mem, len, acc, a32, a64)
    }
}

handler! {
    /// `dst = a[lane]`; operands: a, lane, dst.
    fn extract_lane<{O: ExtractLane<Out: SlotValue>, D: Dest}>(ip, fp, cx, mem, len, acc, a32, a64) {
        let a = slot::<V128>(ip, H, fp).read_unaligned();
        let value = O::eval(a, *ip.add(H + 1) as u8);
        D::write(ip, H + 2, fp, value);
        let (acc, a32, a64) = value.to_acc(acc, a32, a64);
        dispatch!(ip.add(H + 3), fp, cx, mem, len, acc, a32, a64)
    }
}

handler! {
    /// `dst = a with [lane] = value`; operands: a, lane, value slot, dst.
    fn replace_lane<{O: ReplaceLane}>(ip, fp, cx, mem, len, acc, a32, a64) {
        let a = slot::<V128>(ip, H, fp).read_unaligned();
        let value = slot::<O::In>(ip, H + 2, fp).read_unaligned();
        slot::<V128>(ip, H + 3, fp).write_unaligned(O::eval(a, *ip.add(H + 1) as u8, value));
        dispatch!(ip.add(H + 4), fp, cx, mem, len, acc, a32, a64)
    }
}

handler! {
    /// `dst = shuffle(a, b, lanes)`; operands: a, b, lanes (4), dst.
    fn shuffle(ip, fp, cx, mem, len, acc, a32, a64) {
        let a = slot::<V128>(ip, H, fp).read_unaligned();
        let b = slot::<V128>(ip, H + 1, fp).read_unaligned();
        let lanes = ip.add(H + 2).cast::<[u8; 16]>().read();
        slot::<V128>(ip, H + 6, fp).write_unaligned(num::i8x16_shuffle(a, b, lanes));
        dispatch!(ip.add(H + 7), fp, cx, mem, len, acc, a32, a64)
    }
}

handler! {
    /// Loads a lane from any memory; operands: index, memory, offset (2), is64, vector, lane, dst.
    fn load_lane<{O: LoadLane}>(ip, fp, cx, mem, len, acc, a32, a64) {
        let Some(address) = general_address(ip, H + 1, fp, cx, size_of::<O::Raw>()) else {
            return trap_at(ip, fp, cx, TrapCode::MemoryOutOfBounds);
        };
        let a = slot::<V128>(ip, H + GENERAL_WORDS, fp).read_unaligned();
        let raw = address.cast::<O::Raw>().read_unaligned();
        let value = O::eval(a, *ip.add(H + GENERAL_WORDS + 1) as u8, raw);
        slot::<V128>(ip, H + GENERAL_WORDS + 2, fp).write_unaligned(value);
        dispatch!(ip.add(H + GENERAL_WORDS + 3), fp, cx, mem, len, acc, a32, a64)
    }
}

handler! {
    /// Stores a lane to any memory; operands: index, memory, offset (2), is64, vector, lane.
    fn store_lane<{O: StoreLane}>(ip, fp, cx, mem, len, acc, a32, a64) {
        let Some(address) = general_address(ip, H + 1, fp, cx, size_of::<O::Raw>()) else {
            return trap_at(ip, fp, cx, TrapCode::MemoryOutOfBounds);
        };
        let a = slot::<V128>(ip, H + GENERAL_WORDS, fp).read_unaligned();
        let raw = O::eval(a, *ip.add(H + GENERAL_WORDS + 1) as u8);
        address.cast::<O::Raw>().write_unaligned(raw);
        dispatch!(ip.add(H + GENERAL_WORDS + 2), fp, cx, mem, len, acc, a32, a64)
    }
}

/// The handler of an `extract_lane`.
pub(crate) fn pick_extract_lane<O: ExtractLane<Out: SlotValue>>() -> DestForms {
    DestForms {
        slot: extract_lane::<O, S>,
        acc: extract_lane::<O, A>,
    }
}
