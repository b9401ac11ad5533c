//! Operators that call the runtime.
//!
//! The calling convention of every helper is that of the platform's C: `(context, operands,
//! immediate0, immediate1) -> status`, where `operands` is the address of the topmost operand's
//! lowest byte. Frame slots grow downwards, so the operands lie upwards from there, the last one
//! first; a vector takes two slots, its low half first. The results replace the operands, the first
//! one highest. The status is 0, or what [`RAISE`] is to end the activation with.
//!
//! The list is the contract with the runtime: its table has an entry per row, in this order.

use super::values::Loc;
use super::{Compiler, VALIDATED};
use crate::masm::{Cond, LoadOp, Masm, Mem, Operand, Width};
use wasmparser::Operator;
use zwasm_core::ValType;
use zwasm_core::module::NO_FUNC_REF;
use zwasm_core::vmctx::func_ref;

/// Entry 0 of the table: goes back to the host with the status in the result register.
pub const RAISE: u32 = 0;
/// Entry 1: compiles a function on its first call.
pub const COMPILE: u32 = 1;

/// Declares the helpers that are not numeric operators.
macro_rules! helpers {
    ($($name:ident, $doc:literal;)*) => {
        /// A helper of the runtime.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Helper {
            $(#[doc = $doc] $name,)*
        }

        impl Helper {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Helper] = &[$(Helper::$name,)*];
        }
    };
}

helpers! {
    MemoryGrow, "`memory.grow`; immediate 0: memory.";
    MemoryFill, "`memory.fill`; immediate 0: memory.";
    MemoryCopy, "`memory.copy`; immediates: destination, source.";
    MemoryInit, "`memory.init`; immediates: segment, memory.";
    DataDrop, "`data.drop`; immediate 0: segment.";
    ElemDrop, "`elem.drop`; immediate 0: segment.";
    TableGet, "`table.get`; immediate 0: table.";
    TableSet, "`table.set`; immediate 0: table.";
    TableGrow, "`table.grow`; immediate 0: table.";
    TableFill, "`table.fill`; immediate 0: table.";
    TableCopy, "`table.copy`; immediates: destination, source.";
    TableInit, "`table.init`; immediates: segment, table.";
    Throw, "`throw`; immediate 0: tag.";
    ThrowRef, "`throw_ref`.";
    Numeric, "A numeric operator; immediates: its number, lane numbers.";
}

/// Entries before the first helper.
pub const FIRST_HELPER: u32 = 2;

/// Declares the numbers of numeric operators that helpers implement.
macro_rules! count_rows {
    ($($name:ident $func:ident $args:tt -> $out:ty;)*) => {
        &[$(stringify!($name),)*]
    };
}

/// The numeric operators by group, in the order that numbers them.
pub const NUMERIC_GROUPS: &[&[&str]] = &[
    zwasm_core::for_each_unary!(count_rows),
    zwasm_core::for_each_unary_trapping!(count_rows),
];

impl<M: Masm> Compiler<'_, M> {
    pub(super) fn helper_operator(&mut self, _op: &Operator<'_>) -> bool {
        let _ = (Loc::Slot, VALIDATED, Cond::Eq, LoadOp::U8, Operand::Imm(0), Width::W32);
        let _ = (Mem::at(M::FILE.frame, 0), ValType::I32, NO_FUNC_REF, func_ref::SIZE);
        false
    }
}
