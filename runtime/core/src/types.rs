//! Types of the specification, after canonicalisation.
//!
//! A module's type indices never leave its decoder: concrete reference types name a [`SigId`],
//! the name of a function type in its engine, so two modules agree on a type exactly when the
//! names are equal. Deliberately absent until their proposals land: struct and array types.
//!
//! Spec: structure, types; validation, matching.

use core::fmt;
use std::sync::Arc;

/// The name of a canonical function type.
///
/// The number is unique among the types that an engine has at a time, and all that running code
/// compares: within a store, types are equal exactly when their numbers are. Numbers are used again
/// when a type is gone, and other engines have the same ones, so a name has a serial besides, which
/// no other type of the process has: a name that outlived its type, or is another engine's, is no
/// other type's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SigId {
    number: u32,
    serial: u32,
}

impl SigId {
    /// The name of the type with this number and serial.
    #[must_use]
    pub const fn new(number: u32, serial: u32) -> SigId {
        SigId { number, serial }
    }

    /// What running code compares.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.number
    }

    /// Both parts in a word, the number in its lower half.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.number as u64 | (self.serial as u64) << 32
    }

    /// The reverse of [`SigId::to_bits`].
    #[must_use]
    pub const fn from_bits(bits: u64) -> SigId {
        SigId::new(bits as u32, (bits >> 32) as u32)
    }
}

/// What a reference may point to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeapType {
    /// Any function.
    Func,
    /// Any host object.
    Extern,
    /// Any exception.
    Exn,
    /// The bottom of the function types: only null.
    NoFunc,
    /// The bottom of the host object types: only null.
    NoExtern,
    /// The bottom of the exception types: only null.
    NoExn,
    /// A function of exactly this type.
    Concrete(SigId),
}

impl HeapType {
    /// The top of this type's hierarchy.
    #[must_use]
    pub const fn top(self) -> HeapType {
        match self {
            HeapType::Func | HeapType::NoFunc | HeapType::Concrete(_) => HeapType::Func,
            HeapType::Extern | HeapType::NoExtern => HeapType::Extern,
            HeapType::Exn | HeapType::NoExn => HeapType::Exn,
        }
    }

    /// Whether every value of `self` is one of `other`.
    #[must_use]
    pub fn matches(self, other: HeapType) -> bool {
        match (self, other) {
            (a, b) if a == b => true,
            (HeapType::Concrete(_), HeapType::Func) => true,
            (HeapType::NoFunc, HeapType::Func | HeapType::Concrete(_)) => true,
            (HeapType::NoExtern, HeapType::Extern) | (HeapType::NoExn, HeapType::Exn) => true,
            _ => false,
        }
    }
}

/// A reference type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RefType {
    /// Whether null is a value of the type.
    pub nullable: bool,
    /// What it points to.
    pub heap: HeapType,
}

impl RefType {
    /// `funcref`.
    pub const FUNCREF: RefType = RefType {
        nullable: true,
        heap: HeapType::Func,
    };
    /// `externref`.
    pub const EXTERNREF: RefType = RefType {
        nullable: true,
        heap: HeapType::Extern,
    };
    /// `exnref`.
    pub const EXNREF: RefType = RefType {
        nullable: true,
        heap: HeapType::Exn,
    };

    /// Whether every value of `self` is one of `other`.
    #[must_use]
    pub fn matches(self, other: RefType) -> bool {
        (!self.nullable || other.nullable) && self.heap.matches(other.heap)
    }
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValType {
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// 128-bit vector.
    V128,
    /// Reference.
    Ref(RefType),
}

impl ValType {
    /// `funcref`.
    pub const FUNCREF: ValType = ValType::Ref(RefType::FUNCREF);
    /// `externref`.
    pub const EXTERNREF: ValType = ValType::Ref(RefType::EXTERNREF);
    /// `exnref`.
    pub const EXNREF: ValType = ValType::Ref(RefType::EXNREF);

    /// How many 8-byte value slots the type takes: 2 for `v128`, else 1.
    #[must_use]
    pub const fn slots(self) -> u32 {
        match self {
            ValType::V128 => 2,
            _ => 1,
        }
    }

    /// Whether every value of `self` is one of `other`.
    #[must_use]
    pub fn matches(self, other: ValType) -> bool {
        match (self, other) {
            (ValType::Ref(a), ValType::Ref(b)) => a.matches(b),
            (a, b) => a == b,
        }
    }

    /// Whether a local of this type needs no initialisation.
    #[must_use]
    pub const fn is_defaultable(self) -> bool {
        !matches!(
            self,
            ValType::Ref(RefType {
                nullable: false,
                ..
            })
        )
    }
}

impl fmt::Display for ValType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValType::I32 => f.write_str("i32"),
            ValType::I64 => f.write_str("i64"),
            ValType::F32 => f.write_str("f32"),
            ValType::F64 => f.write_str("f64"),
            ValType::V128 => f.write_str("v128"),
            ValType::Ref(RefType {
                nullable: true,
                heap: HeapType::Func,
            }) => f.write_str("funcref"),
            ValType::Ref(RefType {
                nullable: true,
                heap: HeapType::Extern,
            }) => f.write_str("externref"),
            ValType::Ref(RefType {
                nullable: true,
                heap: HeapType::Exn,
            }) => f.write_str("exnref"),
            ValType::Ref(RefType { nullable, heap }) => {
                f.write_str(if *nullable { "(ref null " } else { "(ref " })?;
                match heap {
                    HeapType::Func => f.write_str("func)"),
                    HeapType::Extern => f.write_str("extern)"),
                    HeapType::Exn => f.write_str("exn)"),
                    HeapType::NoFunc => f.write_str("nofunc)"),
                    HeapType::NoExtern => f.write_str("noextern)"),
                    HeapType::NoExn => f.write_str("noexn)"),
                    HeapType::Concrete(sig) => write!(f, "$type{})", sig.number()),
                }
            }
        }
    }
}

/// The type of a function: parameters and results.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FuncType {
    types: Box<[ValType]>,
    param_count: usize,
}

impl FuncType {
    /// A function type with these parameters and results.
    pub fn new(
        params: impl IntoIterator<Item = ValType>,
        results: impl IntoIterator<Item = ValType>,
    ) -> FuncType {
        let mut types: Vec<ValType> = params.into_iter().collect();
        let param_count = types.len();
        types.extend(results);
        FuncType {
            types: types.into(),
            param_count,
        }
    }

    /// The types of the parameters.
    #[must_use]
    pub fn params(&self) -> &[ValType] {
        &self.types[..self.param_count]
    }

    /// The types of the results.
    #[must_use]
    pub fn results(&self) -> &[ValType] {
        &self.types[self.param_count..]
    }

    /// The number of 8-byte slots that the parameters take.
    #[must_use]
    pub fn param_slots(&self) -> u32 {
        self.params().iter().map(|ty| ty.slots()).sum()
    }

    /// The number of 8-byte slots that the results take.
    #[must_use]
    pub fn result_slots(&self) -> u32 {
        self.results().iter().map(|ty| ty.slots()).sum()
    }
}

impl fmt::Display for FuncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, types: &[ValType]| {
            for (i, ty) in types.iter().enumerate() {
                write!(f, "{}{ty}", if i == 0 { "" } else { ", " })?;
            }
            Ok(())
        };
        f.write_str("(")?;
        list(f, self.params())?;
        f.write_str(") -> (")?;
        list(f, self.results())?;
        f.write_str(")")
    }
}

/// The type of a block: what it takes from the operand stack and leaves there.
///
/// Spec: structure, control instructions, block types.
#[derive(Clone, Debug)]
pub enum BlockSignature {
    /// Nothing.
    Empty,
    /// One result.
    Result(ValType),
    /// As a function of this type.
    Func(Arc<FuncType>),
}

impl BlockSignature {
    /// The types of the parameters.
    #[must_use]
    pub fn params(&self) -> &[ValType] {
        match self {
            BlockSignature::Empty | BlockSignature::Result(_) => &[],
            BlockSignature::Func(ty) => ty.params(),
        }
    }

    /// The types of the results.
    #[must_use]
    pub fn results(&self) -> &[ValType] {
        match self {
            BlockSignature::Empty => &[],
            BlockSignature::Result(ty) => core::slice::from_ref(ty),
            BlockSignature::Func(ty) => ty.results(),
        }
    }
}

/// Whether a global may be assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mutability {
    /// Constant after initialisation.
    Const,
    /// Assignable.
    Var,
}

/// The type of a global.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GlobalType {
    /// The type of its value.
    pub content: ValType,
    /// Whether it may be assigned.
    pub mutability: Mutability,
}

/// The type of a table. Sizes are in elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TableType {
    /// The type of its elements.
    pub element: RefType,
    /// Elements at instantiation.
    pub minimum: u64,
    /// Elements it may grow to.
    pub maximum: Option<u64>,
    /// Whether indices are 64-bit.
    pub table64: bool,
}

/// The type of a linear memory. Sizes are in pages of `1 << page_size_log2` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MemoryType {
    /// Pages at instantiation.
    pub minimum: u64,
    /// Pages it may grow to.
    pub maximum: Option<u64>,
    /// Whether addresses are 64-bit.
    pub memory64: bool,
    /// 16 (64 KiB), or 0 (1 byte) with custom page sizes.
    pub page_size_log2: u8,
}

impl MemoryType {
    /// A 32-bit memory with 64 KiB pages.
    #[must_use]
    pub const fn new(minimum: u64, maximum: Option<u64>) -> MemoryType {
        MemoryType {
            minimum,
            maximum,
            memory64: false,
            page_size_log2: 16,
        }
    }
}
