//! What the translator knows of values: where each lies, and the forms in which instructions can
//! take it.

use zwasm_core::ValType;

/// The form of an operand in an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// In a slot.
    Slot,
    /// In the accumulator of its class.
    Acc,
    /// In the instruction.
    Imm,
}

/// Where a value of the operand stack lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// Nowhere yet: it is a constant.
    Const { low: u64, high: u64 },
    /// In the slot of a local that has not been assigned since.
    Local(u32),
    /// In the canonical slot of its height.
    Canonical,
}

/// A value of the operand stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StackValue {
    pub(crate) ty: ValType,
    pub(crate) place: Place,
    /// The canonical slot of its height.
    pub(crate) slot: u32,
}

/// An operand ready to be written into an instruction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operand {
    pub(crate) form: Form,
    pub(crate) slot: u32,
    pub(crate) low: u64,
    pub(crate) high: u64,
    pub(crate) ty: ValType,
}
