//! A decoded module: everything but the code bodies, indexed as the specification indexes it.
//!
//! Produced once by the runtime's decoder from validated bytes, then read by every tier. Imports
//! come first in each index space. Type indices are already canonical ([`SigId`]).

use crate::types::{GlobalType, MemoryType, RefType, SigId, TableType};
use crate::vmctx::VmOffsets;
use core::ops::Range;
use std::collections::HashMap;

/// What kind of thing an import or export names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExternIndex {
    /// Function index.
    Func(u32),
    /// Table index.
    Table(u32),
    /// Memory index.
    Memory(u32),
    /// Global index.
    Global(u32),
    /// Tag index.
    Tag(u32),
}

/// One import.
#[derive(Clone, Debug)]
pub struct Import {
    /// Module name.
    pub module: Box<str>,
    /// Item name.
    pub name: Box<str>,
    /// The index it takes in its index space.
    pub index: ExternIndex,
}

/// One instruction of a constant expression.
///
/// Spec: validation, constant expressions, with the extended-const proposal.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs, reason = "named after the instructions")]
pub enum ConstOp {
    I32Const(i32),
    I64Const(i64),
    F32Const(u32),
    F64Const(u64),
    V128Const([u8; 16]),
    GlobalGet(u32),
    RefNull,
    RefFunc(u32),
    I32Add,
    I32Sub,
    I32Mul,
    I64Add,
    I64Sub,
    I64Mul,
}

/// A constant expression.
#[derive(Clone, Debug, PartialEq)]
pub struct ConstExpr(pub Box<[ConstOp]>);

/// Where a segment goes.
#[derive(Clone, Debug)]
pub enum SegmentMode {
    /// Copied by `memory.init` or `table.init` only.
    Passive,
    /// Copied at instantiation.
    Active {
        /// Memory or table index.
        index: u32,
        /// Start offset.
        offset: ConstExpr,
    },
    /// Only declares function references.
    Declared,
}

/// The values of an element segment.
#[derive(Clone, Debug)]
pub enum ElementItems {
    /// Function indices.
    Funcs(Box<[u32]>),
    /// Constant expressions.
    Exprs(Box<[ConstExpr]>),
}

impl ElementItems {
    /// The number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            ElementItems::Funcs(items) => items.len(),
            ElementItems::Exprs(items) => items.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An element segment.
#[derive(Clone, Debug)]
pub struct ElementSegment {
    /// Where it goes.
    pub mode: SegmentMode,
    /// Type of the elements.
    pub ty: RefType,
    /// The elements.
    pub items: ElementItems,
}

/// A data segment.
#[derive(Clone, Debug)]
pub struct DataSegment {
    /// Where it goes.
    pub mode: SegmentMode,
    /// Its bytes, as a range of the module's bytes.
    pub bytes: Range<usize>,
}

/// A table with its optional initialiser.
#[derive(Clone, Debug)]
pub struct TableDecl {
    /// Its type.
    pub ty: TableType,
    /// Initial value of each element; null when absent. Always absent on imports.
    pub init: Option<ConstExpr>,
}

/// A global with its initialiser.
#[derive(Clone, Debug)]
pub struct GlobalDecl {
    /// Its type.
    pub ty: GlobalType,
    /// Absent on imports.
    pub init: Option<ConstExpr>,
}

/// Marks a function without a slot in [`VmOffsets::func_refs`].
pub const NO_FUNC_REF: u32 = u32::MAX;

/// A decoded module without its bytes.
#[derive(Debug, Default)]
pub struct ModuleInfo {
    /// Canonical number of each type.
    pub types: Vec<SigId>,
    /// Imports in order.
    pub imports: Vec<Import>,
    /// Exports by name.
    pub exports: Vec<(Box<str>, ExternIndex)>,
    /// Position in `exports` by name.
    pub export_names: HashMap<Box<str>, usize>,
    /// Type index of each function, imports first.
    pub funcs: Vec<u32>,
    /// Tables, imports first.
    pub tables: Vec<TableDecl>,
    /// Memories, imports first.
    pub memories: Vec<MemoryType>,
    /// Globals, imports first.
    pub globals: Vec<GlobalDecl>,
    /// Type index of each tag, imports first.
    pub tags: Vec<u32>,
    /// How many of the functions are imported.
    pub imported_funcs: u32,
    /// How many of the tables are imported.
    pub imported_tables: u32,
    /// How many of the memories are imported.
    pub imported_memories: u32,
    /// How many of the globals are imported.
    pub imported_globals: u32,
    /// How many of the tags are imported.
    pub imported_tags: u32,
    /// Element segments.
    pub elements: Vec<ElementSegment>,
    /// Data segments.
    pub data: Vec<DataSegment>,
    /// The start function.
    pub start: Option<u32>,
    /// Where the section of data segments is, if there is one.
    pub data_section: Option<Range<usize>>,
    /// Where the sections end that come before data segments, that of bodies the last of them; without
    /// custom sections behind.
    pub bodies_end: usize,
    /// Bodies of the defined functions, as ranges of the module's bytes.
    pub bodies: Vec<Range<usize>>,
    /// Slot of each function in the context's function references, or [`NO_FUNC_REF`].
    pub func_ref_slots: Vec<u32>,
    /// Whether a function may end by a tail call out of its instance. If none does, a call of a
    /// function of the same instance leaves the pinned registers as they are.
    pub leaves_by_tail_call: bool,
    /// Whether any function has a tail call. If none does, a call of a function of the same instance
    /// leaves the stack pointer as it was.
    pub has_tail_calls: bool,
    /// The number of function reference slots.
    pub func_ref_count: u32,
    /// The types that indirect calls name, ascending: the context holds their canonical numbers in
    /// this order, so that code is the same in every engine.
    pub called_types: Vec<u32>,
    /// The range of the `name` section's function names, parsed when a backtrace needs it.
    pub name_section: Option<Range<usize>>,
    /// Layout of the instance's VM context.
    pub offsets: VmOffsets,
}

impl ModuleInfo {
    /// The canonical signature of a function.
    #[must_use]
    pub fn func_sig(&self, func: u32) -> SigId {
        self.types[self.funcs[func as usize] as usize]
    }

    /// The index of a function among the defined ones, or `None` when it is imported.
    #[must_use]
    pub fn defined_func(&self, func: u32) -> Option<u32> {
        func.checked_sub(self.imported_funcs)
    }

    /// Where the context holds the number of a type that an indirect call names, in bytes.
    ///
    /// # Panics
    /// When no call names the type.
    #[must_use]
    pub fn called_type_offset(&self, type_index: u32) -> u32 {
        let slot = self.called_types.binary_search(&type_index);
        let slot = slot.expect("validation has seen the call");
        self.offsets.called_types + slot as u32 * 8
    }

    /// The canonical signature of a tag.
    #[must_use]
    pub fn tag_sig(&self, tag: u32) -> SigId {
        self.types[self.tags[tag as usize] as usize]
    }
}
