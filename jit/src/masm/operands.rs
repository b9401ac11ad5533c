//! Operands of instructions: registers, widths, memory.

use super::listed::listed;

/// A general register, by its hardware number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Gpr(pub u8);

/// A float and vector register, by its hardware number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Fpr(pub u8);

/// The registers of an instruction set and what each is for.
#[derive(Debug)]
pub struct RegisterFile {
    /// The pinned VM context; callees preserve it.
    pub context: Gpr,
    /// The pinned base of memory 0; callees preserve it.
    pub memory_base: Gpr,
    /// The frame pointer.
    pub frame: Gpr,
    /// The stack pointer.
    pub stack: Gpr,
    /// Free for the backend inside of one operation, and for the lowering between two.
    pub scratch: [Gpr; 2],
    /// As `scratch`, for floats.
    pub float_scratch: Fpr,
    /// What C code expects back from a call, of the registers that wasm code changes.
    pub c_saved: &'static [Gpr],
    /// The same for floats: their low 64 bits.
    pub c_float_saved: &'static [Fpr],
    /// Temporaries that some operations overwrite: allocatable after [`Masm::allocate_rare`](super::Masm::allocate_rare), by
    /// who asks [`Target::clobbers`](super::Target::clobbers) of each operation.
    pub rare: &'static [Gpr],
    /// Preserved by callees: for locals that live across calls.
    pub saved: &'static [Gpr],
    /// Not preserved: for temporaries first, then for locals of functions without calls.
    pub temporary: &'static [Gpr],
    /// Float registers, none preserved.
    pub float_temporary: &'static [Fpr],
    /// Integer arguments in order.
    pub arguments: &'static [Gpr],
    /// Float and vector arguments in order.
    pub float_arguments: &'static [Fpr],
    /// The first integer result. Not allocatable: it is one of the scratch registers, or an
    /// argument register that is no temporary.
    pub result: Gpr,
    /// Holds the function reference across argument set-up: a temporary that is no argument.
    pub callee: Gpr,
    /// Holds the caller's context when a function of a reference begins: no argument, and nothing
    /// that calls and jumps through memory overwrite.
    pub caller: Gpr,
    /// The first float or vector result.
    pub float_result: Fpr,
}

listed! {
    /// The width of an integer operation.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum Width {
        /// 32 bits; results have a clear upper half.
        W32,
        /// 64 bits.
        W64,
    }
}

impl Width {
    /// The number of bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Width::W32 => 32,
            Width::W64 => 64,
        }
    }

    /// All bits of the width.
    #[must_use]
    pub const fn ones(self) -> u64 {
        u64::MAX >> (64 - self.bits())
    }
}

listed! {
    /// The width of a float operation.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum FloatWidth {
        /// Single precision.
        F32,
        /// Double precision.
        F64,
    }

    /// How much of a float register is moved.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum FloatPart {
        /// The low 32 bits.
        F32,
        /// The low 64 bits.
        F64,
        /// All 128 bits.
        V128,
    }
}

impl FloatPart {
    /// The size in memory, in bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            FloatPart::F32 => 4,
            FloatPart::F64 => 8,
            FloatPart::V128 => 16,
        }
    }
}

/// The second operand of an integer operation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Operand {
    /// A register.
    Reg(Gpr),
    /// A constant, sign-extended to the operation's width.
    Imm(i32),
    /// Memory of the operation's width. No count of a shift.
    Mem(Mem),
    /// A register shifted left, where [`Target::folds_shift`](super::Target::folds_shift) allows it.
    Shl(Gpr, u8),
}

/// A second operand of a float operation that is in no register.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FloatSource {
    /// Memory of the operation's width.
    Mem(Mem),
    /// A constant, as bits.
    Constant(u64),
}

/// A memory operand: `base + index + displacement`, in 64 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Mem {
    /// Base register.
    pub base: Gpr,
    /// Index register, unscaled.
    pub index: Option<Gpr>,
    /// Displacement in bytes.
    pub displacement: i32,
}

impl Mem {
    /// `base + displacement`.
    #[must_use]
    pub const fn at(base: Gpr, displacement: i32) -> Mem {
        Mem {
            base,
            index: None,
            displacement,
        }
    }
}

listed! {
    /// What a load reads and how it widens.
    #[allow(missing_docs, reason = "named after the instructions")]
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum LoadOp {
        U8,
        U16,
        U32,
        U64,
        S8To32,
        S16To32,
        S8To64,
        S16To64,
        S32To64,
    }
}

impl LoadOp {
    /// How much is read, in bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            LoadOp::U8 | LoadOp::S8To32 | LoadOp::S8To64 => 1,
            LoadOp::U16 | LoadOp::S16To32 | LoadOp::S16To64 => 2,
            LoadOp::U32 | LoadOp::S32To64 => 4,
            LoadOp::U64 => 8,
        }
    }
}

listed! {
    /// How much of a register is stored, in bytes.
    #[allow(missing_docs, reason = "named after the sizes")]
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum StoreOp {
        B1,
        B2,
        B4,
        B8,
    }
}

impl StoreOp {
    /// How much is written, in bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            StoreOp::B1 => 1,
            StoreOp::B2 => 2,
            StoreOp::B4 => 4,
            StoreOp::B8 => 8,
        }
    }
}
