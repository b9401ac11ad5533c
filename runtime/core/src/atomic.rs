//! Atomic instructions: which there are, and what they make of a value in memory.
//!
//! Spec: threads proposal, atomic memory instructions.

use crate::ValType;

/// What an atomic instruction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "named after the instructions")]
pub enum AtomicKind {
    Load,
    Store,
    Add,
    Sub,
    And,
    Or,
    Xor,
    Xchg,
    Cmpxchg,
    Notify,
    Wait,
}

/// An atomic instruction that accesses memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtomicOp {
    /// What it does.
    pub kind: AtomicKind,
    /// Bytes in memory: 1, 2, 4 or 8. The address is a multiple of it.
    pub bytes: u8,
    /// The type of the values: the result's, and that of the operands above the address but for the
    /// count of `notify` and the timeout of `wait`.
    pub ty: ValType,
}

/// Calls a macro with the rows `Name kind bytes type;` of all atomic instructions that access memory.
///
/// The names are those of `wasmparser::Operator`.
#[macro_export]
macro_rules! for_each_atomic {
    ($m:ident) => {
        $m! {
            MemoryAtomicNotify Notify 4 I32;
            MemoryAtomicWait32 Wait 4 I32;
            MemoryAtomicWait64 Wait 8 I64;
            I32AtomicLoad Load 4 I32;
            I32AtomicLoad8U Load 1 I32;
            I32AtomicLoad16U Load 2 I32;
            I64AtomicLoad Load 8 I64;
            I64AtomicLoad8U Load 1 I64;
            I64AtomicLoad16U Load 2 I64;
            I64AtomicLoad32U Load 4 I64;
            I32AtomicStore Store 4 I32;
            I32AtomicStore8 Store 1 I32;
            I32AtomicStore16 Store 2 I32;
            I64AtomicStore Store 8 I64;
            I64AtomicStore8 Store 1 I64;
            I64AtomicStore16 Store 2 I64;
            I64AtomicStore32 Store 4 I64;
            I32AtomicRmwAdd Add 4 I32;
            I32AtomicRmw8AddU Add 1 I32;
            I32AtomicRmw16AddU Add 2 I32;
            I64AtomicRmwAdd Add 8 I64;
            I64AtomicRmw8AddU Add 1 I64;
            I64AtomicRmw16AddU Add 2 I64;
            I64AtomicRmw32AddU Add 4 I64;
            I32AtomicRmwSub Sub 4 I32;
            I32AtomicRmw8SubU Sub 1 I32;
            I32AtomicRmw16SubU Sub 2 I32;
            I64AtomicRmwSub Sub 8 I64;
            I64AtomicRmw8SubU Sub 1 I64;
            I64AtomicRmw16SubU Sub 2 I64;
            I64AtomicRmw32SubU Sub 4 I64;
            I32AtomicRmwAnd And 4 I32;
            I32AtomicRmw8AndU And 1 I32;
            I32AtomicRmw16AndU And 2 I32;
            I64AtomicRmwAnd And 8 I64;
            I64AtomicRmw8AndU And 1 I64;
            I64AtomicRmw16AndU And 2 I64;
            I64AtomicRmw32AndU And 4 I64;
            I32AtomicRmwOr Or 4 I32;
            I32AtomicRmw8OrU Or 1 I32;
            I32AtomicRmw16OrU Or 2 I32;
            I64AtomicRmwOr Or 8 I64;
            I64AtomicRmw8OrU Or 1 I64;
            I64AtomicRmw16OrU Or 2 I64;
            I64AtomicRmw32OrU Or 4 I64;
            I32AtomicRmwXor Xor 4 I32;
            I32AtomicRmw8XorU Xor 1 I32;
            I32AtomicRmw16XorU Xor 2 I32;
            I64AtomicRmwXor Xor 8 I64;
            I64AtomicRmw8XorU Xor 1 I64;
            I64AtomicRmw16XorU Xor 2 I64;
            I64AtomicRmw32XorU Xor 4 I64;
            I32AtomicRmwXchg Xchg 4 I32;
            I32AtomicRmw8XchgU Xchg 1 I32;
            I32AtomicRmw16XchgU Xchg 2 I32;
            I64AtomicRmwXchg Xchg 8 I64;
            I64AtomicRmw8XchgU Xchg 1 I64;
            I64AtomicRmw16XchgU Xchg 2 I64;
            I64AtomicRmw32XchgU Xchg 4 I64;
            I32AtomicRmwCmpxchg Cmpxchg 4 I32;
            I32AtomicRmw8CmpxchgU Cmpxchg 1 I32;
            I32AtomicRmw16CmpxchgU Cmpxchg 2 I32;
            I64AtomicRmwCmpxchg Cmpxchg 8 I64;
            I64AtomicRmw8CmpxchgU Cmpxchg 1 I64;
            I64AtomicRmw16CmpxchgU Cmpxchg 2 I64;
            I64AtomicRmw32CmpxchgU Cmpxchg 4 I64;
        }
    };
}

macro_rules! all {
    ($($name:ident $kind:ident $bytes:literal $ty:ident;)*) => {
        &[$(AtomicOp {
            kind: AtomicKind::$kind,
            bytes: $bytes,
            ty: ValType::$ty,
        },)*]
    };
}

impl AtomicOp {
    /// All of them, in the order of [`for_each_atomic`]: code names one by its
    /// position.
    pub const ALL: &'static [AtomicOp] = for_each_atomic!(all);

    /// The number of operands on the stack, the address included.
    #[must_use]
    pub const fn operands(self) -> usize {
        match self.kind {
            AtomicKind::Load => 1,
            AtomicKind::Cmpxchg | AtomicKind::Wait => 3,
            _ => 2,
        }
    }

    /// The type of the result, if there is one.
    #[must_use]
    pub fn result(self) -> Option<ValType> {
        match self.kind {
            AtomicKind::Store => None,
            AtomicKind::Notify | AtomicKind::Wait => Some(ValType::I32),
            _ => Some(self.ty),
        }
    }

    /// The bits of a value that memory holds.
    #[must_use]
    pub const fn mask(self) -> u64 {
        u64::MAX >> (64 - 8 * self.bytes as u32)
    }

    /// What is in memory after the instruction, if it writes: given what was there before, its upper
    /// bits clear, and the operands above the address. Bits beyond the width do not matter.
    #[must_use]
    pub fn written(self, old: u64, operands: [u64; 2]) -> Option<u64> {
        let [first, second] = operands;
        match self.kind {
            AtomicKind::Load | AtomicKind::Notify | AtomicKind::Wait => None,
            AtomicKind::Store | AtomicKind::Xchg => Some(first),
            AtomicKind::Add => Some(old.wrapping_add(first)),
            AtomicKind::Sub => Some(old.wrapping_sub(first)),
            AtomicKind::And => Some(old & first),
            AtomicKind::Or => Some(old | first),
            AtomicKind::Xor => Some(old ^ first),
            AtomicKind::Cmpxchg => (old == first & self.mask()).then_some(second),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AtomicKind, AtomicOp};
    use crate::ValType;

    #[test]
    fn each_is_there_once() {
        for (i, op) in AtomicOp::ALL.iter().enumerate() {
            assert!(!AtomicOp::ALL[..i].contains(op), "{op:?}");
        }
        assert_eq!(AtomicOp::ALL.len(), 3 + 7 * 9);
    }

    #[test]
    fn exchanges_compare_what_memory_holds() {
        let narrow = AtomicOp {
            kind: AtomicKind::Cmpxchg,
            bytes: 1,
            ty: ValType::I32,
        };
        assert_eq!(narrow.written(5, [5, 9]), Some(9));
        assert_eq!(narrow.written(5, [6, 9]), None);
        assert_eq!(narrow.written(5, [0x105, 9]), Some(9), "wrapped to a byte");
    }
}
