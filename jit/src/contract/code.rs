//! The code of a function, and what the runtime asks of an address in it.

use super::scope::{InlinedCall, Scope};
use zwasm_core::TrapCode;

/// At multiples of this many bytes the code of a function is put: what it aligns within itself stays so. A line of the
/// caches of nearly all processors.
pub const CODE_ALIGN_BYTES: usize = 64;

/// An instruction that may fault, or that a call returns to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// Offset in the code, in bytes.
    pub offset: u32,
    /// Why it faults; `None` for return addresses.
    pub trap: Option<TrapCode>,
    /// Offset of the operator in the module, in bytes.
    pub module_offset: u32,
    /// Whose operator it is.
    pub scope: Scope,
}

impl Site {
    /// In the order in which the runtime looks for them. Here once, not in each compiler for each
    /// instruction set.
    pub(crate) fn sort(sites: &mut [Site]) {
        sites.sort_by_key(|site| site.offset);
    }
}

/// The handlers of a `try_table`, in code offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatchRange {
    /// First byte covered.
    pub start: u32,
    /// First byte behind.
    pub end: u32,
    /// In order of precedence.
    pub clauses: Vec<CatchClause>,
}

/// One handler of a `try_table`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CatchClause {
    /// The tag index, or any.
    pub tag: Option<u32>,
    /// Whether the exception itself follows the payload.
    pub with_ref: bool,
    /// Where execution goes on.
    pub target: u32,
    /// Where the payload begins: distance below the frame pointer, of its first slot.
    pub payload_below_frame: u32,
}

/// A constant that is written when the code is put in place: the canonical number of a type, which
/// differs from engine to engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relocation {
    /// Offset of its four bytes in the code.
    pub offset: u32,
    /// The place of the type in [`ModuleInfo::called_types`](zwasm_core::module::ModuleInfo::called_types).
    pub called_type: u32,
}

/// The code of a function and its side tables.
#[derive(Debug, Default)]
pub struct Compiled {
    /// Position-independent machine code.
    pub code: Vec<u8>,
    /// Numbers of types in it.
    pub relocations: Vec<Relocation>,
    /// Ascending by offset.
    pub sites: Vec<Site>,
    /// Innermost first.
    pub catches: Vec<CatchRange>,
    /// Distance from the frame pointer down to the stack pointer.
    pub frame_bytes: u32,
    /// Bytes of code before the frame is in place and the parameters are where they stay.
    pub prologue_bytes: u32,
    /// Offsets of the operators' code and of the operators in the module, when asked for. The code
    /// of an inlined callee is its call's.
    pub operators: Vec<(u32, u32)>,
    /// The calls that code of their callees replaces, by the number of its scope.
    pub inlined: Vec<InlinedCall>,
    /// The operators that cells belong to which the code counts in; see [`feedback`](super::feedback).
    pub counted: Vec<u32>,
}
