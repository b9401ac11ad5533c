//! Atomic instructions, on memories that are not shared: most aligned, some not, which traps.

use super::body::Body;
use wasm_encoder::Instruction as I;
use wasm_encoder::{MemArg, ValType};

type Make = fn(MemArg) -> I<'static>;

/// Instructions of one value type and one access size, by the logarithm of its bytes.
struct Group {
    ty: ValType,
    align: u32,
    load: Make,
    store: Make,
    /// Read-modify-write with one operand.
    modify: &'static [Make],
    exchange: Make,
}

macro_rules! group {
    ($ty:ident, $align:literal, $load:ident, $store:ident, $exchange:ident, $($modify:ident),*) => {
        Group {
            ty: ValType::$ty,
            align: $align,
            load: I::$load,
            store: I::$store,
            modify: &[$(I::$modify),*],
            exchange: I::$exchange,
        }
    };
}

#[rustfmt::skip]
static GROUPS: &[Group] = &[
    group!(I32, 0, I32AtomicLoad8U, I32AtomicStore8, I32AtomicRmw8CmpxchgU, I32AtomicRmw8AddU,
        I32AtomicRmw8SubU, I32AtomicRmw8AndU, I32AtomicRmw8OrU, I32AtomicRmw8XorU, I32AtomicRmw8XchgU),
    group!(I32, 1, I32AtomicLoad16U, I32AtomicStore16, I32AtomicRmw16CmpxchgU, I32AtomicRmw16AddU,
        I32AtomicRmw16SubU, I32AtomicRmw16AndU, I32AtomicRmw16OrU, I32AtomicRmw16XorU, I32AtomicRmw16XchgU),
    group!(I32, 2, I32AtomicLoad, I32AtomicStore, I32AtomicRmwCmpxchg, I32AtomicRmwAdd,
        I32AtomicRmwSub, I32AtomicRmwAnd, I32AtomicRmwOr, I32AtomicRmwXor, I32AtomicRmwXchg),
    group!(I64, 0, I64AtomicLoad8U, I64AtomicStore8, I64AtomicRmw8CmpxchgU, I64AtomicRmw8AddU,
        I64AtomicRmw8SubU, I64AtomicRmw8AndU, I64AtomicRmw8OrU, I64AtomicRmw8XorU, I64AtomicRmw8XchgU),
    group!(I64, 1, I64AtomicLoad16U, I64AtomicStore16, I64AtomicRmw16CmpxchgU, I64AtomicRmw16AddU,
        I64AtomicRmw16SubU, I64AtomicRmw16AndU, I64AtomicRmw16OrU, I64AtomicRmw16XorU, I64AtomicRmw16XchgU),
    group!(I64, 2, I64AtomicLoad32U, I64AtomicStore32, I64AtomicRmw32CmpxchgU, I64AtomicRmw32AddU,
        I64AtomicRmw32SubU, I64AtomicRmw32AndU, I64AtomicRmw32OrU, I64AtomicRmw32XorU, I64AtomicRmw32XchgU),
    group!(I64, 3, I64AtomicLoad, I64AtomicStore, I64AtomicRmwCmpxchg, I64AtomicRmwAdd,
        I64AtomicRmwSub, I64AtomicRmwAnd, I64AtomicRmwOr, I64AtomicRmwXor, I64AtomicRmwXchg),
];

impl Body<'_> {
    /// One atomic instruction with its operands.
    pub(super) fn atomic(&mut self) {
        let height = self.stack.len();
        let group = &GROUPS[self.rng.usize(..GROUPS.len())];
        let choice = self.rng.u8(..16);
        let align = match choice {
            0 | 1 => 2,
            2 => 3,
            _ => group.align,
        };
        let memarg = self.atomic_address(align);
        let (operands, instruction, result): (&[ValType], _, _) = match choice {
            0 => (
                &[ValType::I32],
                I::MemoryAtomicNotify(memarg),
                Some(ValType::I32),
            ),
            // These trap: nobody could wake them.
            1 => (
                &[ValType::I32, ValType::I64],
                I::MemoryAtomicWait32(memarg),
                Some(ValType::I32),
            ),
            2 => (
                &[ValType::I64, ValType::I64],
                I::MemoryAtomicWait64(memarg),
                Some(ValType::I32),
            ),
            3..=5 => (&[], (group.load)(memarg), Some(group.ty)),
            6..=8 => (&[group.ty], (group.store)(memarg), None),
            9..=10 => (
                &[group.ty, group.ty],
                (group.exchange)(memarg),
                Some(group.ty),
            ),
            _ => {
                let make = group.modify[self.rng.usize(..group.modify.len())];
                (&[group.ty], make(memarg), Some(group.ty))
            }
        };
        for &ty in operands {
            self.value(ty, 1);
        }
        self.emit(instruction);
        self.stack.truncate(height);
        self.stack.extend(result);
    }

    /// An address like that of any access, or an aligned one within the first page.
    fn atomic_address(&mut self, align: u32) -> MemArg {
        if self.rng.u8(..6) == 0 {
            let memarg = self.address();
            return MemArg { align, ..memarg };
        }
        let memory = self.some_memory();
        let index_type = self.index_type(memory);
        self.value(index_type, 1);
        self.constant_integer(index_type, 0x7f8);
        self.emit(if index_type == ValType::I64 {
            I::I64And
        } else {
            I::I32And
        });
        self.stack.pop();
        let offset = self.rng.u64(..8) * 8;
        MemArg {
            align,
            ..super::access::memarg(memory, offset)
        }
    }
}
