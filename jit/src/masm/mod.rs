//! The macro-assembler: what a lowering may ask of an instruction set.
//!
//! Operations are enums without wildcard arms in the backends, so a missing encoding does not
//! compile. Three-operand forms throughout; a backend with two-operand instructions copies.
//!
//! Invariant, on both instruction sets: a 32-bit value in a general register has its upper half
//! clear. Backends only use 32-bit instructions that guarantee it, and every operation that takes
//! `Width::W32` may rely on it.
//!
//! Aliasing: a destination may be the same register as any source, unless a method says otherwise.
//!
//! What survives an operation: every register of the allocatable sets but the destination. Scratch
//! registers may be operands and destinations like others; an operation may overwrite those that
//! are not its destination, after reading them. Moves may not: `imm`, `mov`, `load`, `store`,
//! `address`, `vector_imm` and the `float_` forms of these change their destination only, so that
//! operands and arguments can be set up one after the other. They are also the only operations
//! that take argument and result registers outside of the other sets.
//!
//! Code is position-independent, may be followed by constants and is to be placed at a multiple of
//! 16 bytes.

mod target;
pub mod vector;

pub use target::{Clobbers, Target};

use self::vector::{LaneMasm, VectorMasm};
use zwasm_core::TrapCode;

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
    /// Temporaries that some operations overwrite: allocatable after [`Masm::allocate_rare`], by
    /// who asks [`Target::clobbers`] of each operation.
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

/// The width of an integer operation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Width {
    /// 32 bits; results have a clear upper half.
    W32,
    /// 64 bits.
    W64,
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
    /// A register shifted left, where [`Target::folds_shift`] allows it.
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

/// Integer operations that cannot trap.
#[allow(missing_docs, reason = "named after the instructions")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AluOp {
    Add,
    Sub,
    And,
    Or,
    Xor,
    Mul,
    Shl,
    ShrS,
    ShrU,
    Rotl,
    Rotr,
}

impl AluOp {
    /// Every operation.
    pub const ALL: [AluOp; 11] = [
        AluOp::Add,
        AluOp::Sub,
        AluOp::And,
        AluOp::Or,
        AluOp::Xor,
        AluOp::Mul,
        AluOp::Shl,
        AluOp::ShrS,
        AluOp::ShrU,
        AluOp::Rotl,
        AluOp::Rotr,
    ];

    /// Whether the operands may be swapped.
    #[must_use]
    pub const fn commutes(self) -> bool {
        matches!(
            self,
            AluOp::Add | AluOp::And | AluOp::Or | AluOp::Xor | AluOp::Mul
        )
    }

    /// Whether the second operand is a count.
    #[must_use]
    pub const fn is_shift(self) -> bool {
        match self {
            AluOp::Shl | AluOp::ShrS | AluOp::ShrU | AluOp::Rotl | AluOp::Rotr => true,
            AluOp::Add | AluOp::Sub | AluOp::And | AluOp::Or | AluOp::Xor | AluOp::Mul => false,
        }
    }
}

/// Integer divisions.
#[allow(missing_docs, reason = "named after the instructions")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DivOp {
    DivS,
    DivU,
    RemS,
    RemU,
}

/// Upper halves of products of 64-bit integers.
#[allow(missing_docs, reason = "named after what the operands are taken for")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MulHigh {
    Signed,
    Unsigned,
}

/// Integer operations with one operand.
#[allow(missing_docs, reason = "named after the instructions")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IntUnary {
    Clz,
    Ctz,
    Popcnt,
    SwapBytes,
    Extend8S,
    Extend16S,
    Extend32S,
    /// The low 32 bits, at either width; the one operation whose 32-bit form takes an operand with
    /// any upper half.
    Wrap,
}

/// Integer comparisons.
#[allow(missing_docs, reason = "named after the instructions")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Cond {
    Eq,
    Ne,
    LtS,
    LtU,
    GtS,
    GtU,
    LeS,
    LeU,
    GeS,
    GeU,
}

impl Cond {
    /// Every comparison.
    pub const ALL: [Cond; 10] = [
        Cond::Eq,
        Cond::Ne,
        Cond::LtS,
        Cond::LtU,
        Cond::GtS,
        Cond::GtU,
        Cond::LeS,
        Cond::LeU,
        Cond::GeS,
        Cond::GeU,
    ];

    /// The comparison that holds exactly when this one does not.
    #[must_use]
    pub const fn negate(self) -> Cond {
        match self {
            Cond::Eq => Cond::Ne,
            Cond::Ne => Cond::Eq,
            Cond::LtS => Cond::GeS,
            Cond::LtU => Cond::GeU,
            Cond::GtS => Cond::LeS,
            Cond::GtU => Cond::LeU,
            Cond::LeS => Cond::GtS,
            Cond::LeU => Cond::GtU,
            Cond::GeS => Cond::LtS,
            Cond::GeU => Cond::LtU,
        }
    }

    /// The same comparison of numbers that are not negative.
    #[must_use]
    pub const fn unsigned(self) -> Cond {
        match self {
            Cond::LtS => Cond::LtU,
            Cond::GtS => Cond::GtU,
            Cond::LeS => Cond::LeU,
            Cond::GeS => Cond::GeU,
            Cond::Eq | Cond::Ne | Cond::LtU | Cond::GtU | Cond::LeU | Cond::GeU => self,
        }
    }

    /// The comparison of the swapped operands.
    #[must_use]
    pub const fn swap(self) -> Cond {
        match self {
            Cond::Eq => Cond::Eq,
            Cond::Ne => Cond::Ne,
            Cond::LtS => Cond::GtS,
            Cond::LtU => Cond::GtU,
            Cond::GtS => Cond::LtS,
            Cond::GtU => Cond::LtU,
            Cond::LeS => Cond::GeS,
            Cond::LeU => Cond::GeU,
            Cond::GeS => Cond::LeS,
            Cond::GeU => Cond::LeU,
        }
    }
}

/// Float comparisons; all but `Ne` are false on NaN.
#[allow(missing_docs, reason = "named after the instructions")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FloatCond {
    Eq,
    Ne,
    Lt,
    Gt,
    Le,
    Ge,
}

/// Float operations with two operands.
#[allow(missing_docs, reason = "named after the instructions")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FloatOp {
    Add,
    Sub,
    Mul,
    Div,
    Min,
    Max,
    Copysign,
}

impl FloatOp {
    /// Whether it is one of the four operations of arithmetic.
    #[must_use]
    pub const fn is_arithmetic(self) -> bool {
        match self {
            FloatOp::Add | FloatOp::Sub | FloatOp::Mul | FloatOp::Div => true,
            FloatOp::Min | FloatOp::Max | FloatOp::Copysign => false,
        }
    }

    /// Whether the operands may be swapped: which NaN comes out of two is not fixed.
    #[must_use]
    pub const fn commutes(self) -> bool {
        matches!(self, FloatOp::Add | FloatOp::Mul)
    }
}

/// Float operations with one operand.
#[allow(missing_docs, reason = "named after the instructions")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FloatUnary {
    Abs,
    Neg,
    Sqrt,
    Ceil,
    Floor,
    Trunc,
    Nearest,
}

/// Conversions from integers to floats.
#[allow(missing_docs, reason = "named after the instructions")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FromInt {
    I32S,
    I32U,
    I64S,
    I64U,
}

/// Truncations from floats to integers.
#[allow(missing_docs, reason = "named after the instructions")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ToInt {
    I32S,
    I32U,
    I64S,
    I64U,
}

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

/// How much of a register is stored, in bytes.
#[allow(missing_docs, reason = "named after the sizes")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StoreOp {
    B1,
    B2,
    B4,
    B8,
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

/// Operations that may need registers in fixed roles.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FixedRoles {
    /// A shift or rotation by a register.
    Shift(AluOp),
    /// A division.
    Div,
    /// The upper half of a product.
    MulHigh,
    /// An operation on one integer.
    Unary(IntUnary),
    /// A conversion of an integer to a float.
    FromInt(FromInt),
}

/// What an operation does to a register beside its result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clobber {
    /// The register, one of [`RegisterFile::rare`].
    pub register: Gpr,
    /// Its second operand, and no other, may be there.
    pub may_hold_second: bool,
    /// Its result may be there.
    pub may_hold_result: bool,
}

/// Generates machine code of one instruction set.
pub trait Masm: Sized + VectorMasm + LaneMasm {
    /// A place in the code.
    type Label: Copy;
    /// What processors of this instruction set may have beyond the baseline; the default is none.
    type Features: Copy + Default + core::fmt::Debug;

    /// The instruction set's registers.
    const FILE: &'static RegisterFile;

    /// An empty buffer for code that runs on every processor.
    fn new() -> Self;
    /// An empty buffer for code that uses these features.
    fn with_features(features: Self::Features) -> Self;
    /// As `with_features`, for a function whose code turned out too large for the shortest branches.
    fn with_far_branches(features: Self::Features) -> Self;
    /// The features that the code uses.
    fn features(&self) -> Self::Features;
    /// What code for these features may consist of.
    fn target(features: Self::Features) -> Target;

    /// Makes room for this many bytes of code, so that the buffer need not grow; a guess.
    fn reserve(&mut self, bytes: usize);

    /// The lowering allocates the rare registers, too: operations leave them alone but for
    /// [`Target::clobbers`], and use both scratch registers, which then are operands of moves,
    /// additions and bitwise operations only.
    fn allocate_rare(&mut self);
    /// Whether all branches reach; if not, the function has to be assembled again, with far ones.
    fn in_reach(&self) -> bool;
    /// A new unbound label.
    fn label(&mut self) -> Self::Label;
    /// Binds a label here.
    fn bind(&mut self, label: Self::Label);
    /// The number of bytes so far.
    fn offset(&self) -> u32;
    /// The code, with all labels resolved.
    fn finish(self) -> Vec<u8>;

    /// `push frame; frame = stack; stack -= size`, the size to be given later.
    fn enter(&mut self) -> FrameSize;
    /// Gives the size of the frame: a multiple of 16 below [`SMALL_FRAME_BYTES`], or a multiple of
    /// that below 16 MiB.
    fn set_frame_size(&mut self, at: FrameSize, size_bytes: u32);
    /// Gives `enter` the size of a frame, any multiple of 16, to be compared before the stack pointer
    /// moves: it goes to code that begins here, compares first as [`Masm::check_stack`] does, lowers
    /// the stack pointer then, and goes on at `back`.
    fn set_large_frame_size(
        &mut self,
        at: FrameSize,
        size_bytes: u32,
        check: StackCheck<Self::Label>,
        back: Self::Label,
    );
    /// `stack = frame - size`, as `enter` left it: the size is what `enter` is given later.
    fn restore_stack(&mut self);
    /// Undoes `enter` and returns.
    fn leave(&mut self);
    /// Undoes `enter` and goes to the address stored at `mem`, whose base is not the frame pointer.
    fn leave_to(&mut self, mem: Mem);
    /// Compares the stack pointer (after `enter`) with the limit. Clobbers a scratch register.
    fn check_stack(&mut self, check: StackCheck<Self::Label>);

    /// Takes an amount, to be given later, from a signed 64-bit counter, and goes to `empty` when
    /// less was left. The counter lies `counter_offset` bytes into the structure whose address lies
    /// `limits_offset` bytes into the context. Clobbers the scratch registers.
    fn charge(&mut self, limits_offset: i32, counter_offset: i32, empty: Self::Label) -> Charge;
    /// Gives the amount of a charge, at most [`PIECE_UNITS_MAX`](zwasm_core::fuel::PIECE_UNITS_MAX).
    fn set_charge(&mut self, at: Charge, amount: u32);

    /// `dst = value`.
    fn imm(&mut self, dst: Gpr, value: u64);
    /// `dst = src`.
    fn mov(&mut self, width: Width, dst: Gpr, src: Gpr);
    /// `dst = src`.
    fn float_mov(&mut self, part: FloatPart, dst: Fpr, src: Fpr);
    /// Copies bits from a general register.
    fn float_from_bits(&mut self, width: FloatWidth, dst: Fpr, src: Gpr);
    /// Copies bits to a general register.
    fn float_to_bits(&mut self, width: FloatWidth, dst: Gpr, src: Fpr);
    /// `dst = bits`.
    fn vector_imm(&mut self, dst: Fpr, low: u64, high: u64);

    /// A load.
    fn load(&mut self, op: LoadOp, dst: Gpr, mem: Mem);
    /// A store.
    fn store(&mut self, op: StoreOp, src: Gpr, mem: Mem);
    /// Stores a constant, sign-extended to eight bytes, where [`Target::stores_constant`] allows it.
    fn store_constant(&mut self, op: StoreOp, value: i32, mem: Mem);
    /// A float load; the upper bits of the register are clear or undefined.
    fn float_load(&mut self, part: FloatPart, dst: Fpr, mem: Mem);
    /// A float store.
    fn float_store(&mut self, part: FloatPart, src: Fpr, mem: Mem);
    /// The offset of the instruction with which the latest load or store accesses memory, and at
    /// which it faults: others may come before it.
    fn last_access(&self) -> u32;
    /// `dst = address`.
    fn address(&mut self, dst: Gpr, mem: Mem);

    /// `dst =` the address of this very instruction.
    fn here(&mut self, dst: Gpr);

    /// `dst = a op b`. Shift counts are taken modulo the width.
    fn alu(&mut self, op: AluOp, width: Width, dst: Gpr, a: Gpr, b: Operand);
    /// `dst = a & !b`.
    fn and_not(&mut self, width: Width, dst: Gpr, a: Gpr, b: Gpr);
    /// `dst = a << count | b >> (bits - count)`, by one to all but one of the width's bits.
    fn funnel_shift(&mut self, width: Width, dst: Gpr, a: Gpr, b: Gpr, count: u32);
    /// `dst = a + b + c`; `b` is a register, maybe shifted.
    fn sum(&mut self, width: Width, dst: Gpr, a: Gpr, b: Operand, c: i32);
    /// `dst =` the upper 64 bits of `a * b`.
    fn multiply_high(&mut self, op: MulHigh, dst: Gpr, a: Gpr, b: Gpr);
    /// `dst = a op b`, branching to `by_zero`, or to `overflow` for `MIN / -1`.
    #[allow(clippy::too_many_arguments, reason = "one instruction's operands")]
    fn div(
        &mut self,
        op: DivOp,
        width: Width,
        dst: Gpr,
        a: Gpr,
        b: Gpr,
        by_zero: Self::Label,
        overflow: Self::Label,
    );
    /// `dst = op a`.
    fn int_unary(&mut self, op: IntUnary, width: Width, dst: Gpr, a: Gpr);
    /// `dst = a cond b`.
    fn compare(&mut self, cond: Cond, width: Width, dst: Gpr, a: Gpr, b: Operand);
    /// Branches when `a cond b`.
    fn branch_if(&mut self, cond: Cond, width: Width, a: Gpr, b: Operand, target: Self::Label);
    /// `dst = a cond b ? x : y`.
    #[allow(clippy::too_many_arguments, reason = "one instruction's operands")]
    fn select(&mut self, cond: Cond, width: Width, a: Gpr, b: Operand, dst: Gpr, x: Gpr, y: Gpr);

    /// `dst = a op b`.
    fn float(&mut self, op: FloatOp, width: FloatWidth, dst: Fpr, a: Fpr, b: Fpr);
    /// `dst = a op b`, for additions, subtractions, multiplications and divisions.
    fn float_from(&mut self, op: FloatOp, width: FloatWidth, dst: Fpr, a: Fpr, b: FloatSource);
    /// `dst = op a`.
    fn float_unary(&mut self, op: FloatUnary, width: FloatWidth, dst: Fpr, a: Fpr);
    /// `dst = a cond b`.
    fn float_compare(&mut self, cond: FloatCond, width: FloatWidth, dst: Gpr, a: Fpr, b: Fpr);
    /// Branches when `(a cond b) != negated`.
    fn float_branch_if(
        &mut self,
        cond: FloatCond,
        negated: bool,
        width: FloatWidth,
        a: Fpr,
        b: Fpr,
        target: Self::Label,
    );
    /// Converts an integer.
    fn float_from_int(&mut self, from: FromInt, width: FloatWidth, dst: Fpr, src: Gpr);
    /// `f32.demote_f64` or `f64.promote_f32`, to the given width.
    fn float_convert(&mut self, to: FloatWidth, dst: Fpr, src: Fpr);

    /// `dst = trunc(src)`. Branches to `slow`, leaving `src` as it is, whenever the value is NaN or
    /// might not fit; it may do so for a few values that fit.
    fn truncate(&mut self, to: ToInt, from: FloatWidth, dst: Gpr, src: Fpr, slow: Self::Label);
    /// As `truncate`, for results that saturate. Returns whether it never branches.
    fn truncate_saturating(
        &mut self,
        to: ToInt,
        from: FloatWidth,
        dst: Gpr,
        src: Fpr,
        slow: Self::Label,
    ) -> bool;

    /// Goes to a label.
    fn jump(&mut self, target: Self::Label);
    /// Goes to a label when a comparison of memory, read by `load`, with a constant holds. `load` is
    /// one of four or eight bytes, or of one without sign, and `b` is not negative then.
    fn branch_if_memory(&mut self, cond: Cond, load: LoadOp, a: Mem, b: i32, target: Self::Label);
    /// Goes to the target that `index` selects; it is in range. Clobbers the scratch registers.
    fn jump_table(&mut self, index: Gpr, targets: &[Self::Label]);
    /// An instruction that faults.
    fn trap(&mut self, code: TrapCode);
    /// Calls a place in this function's code: its start.
    fn call_label(&mut self, target: Self::Label);
    /// Calls the address stored at `mem`.
    fn call(&mut self, mem: Mem);
    /// Goes to the address stored at `mem`.
    fn jump_to(&mut self, mem: Mem);
    /// Returns to the address at the top of the stack (x86_64) or in the link register (ARM64),
    /// without touching the frame pointer.
    fn ret(&mut self);
}

/// Frames below this size may be entered before the stack pointer is compared with the limit: what
/// is kept free below the limit is much more. One instruction of any instruction set enters them.
pub const SMALL_FRAME_BYTES: u32 = 4096;

/// A comparison with the lowest address that a frame may reach.
#[derive(Clone, Copy, Debug)]
pub struct StackCheck<L> {
    /// Where the context keeps the address of the structure with the limit, in bytes.
    pub limits_offset: i32,
    /// Where that structure keeps the 64-bit limit, in bytes.
    pub limit_offset: i32,
    /// Where code goes on that finds itself below the limit, by an unsigned comparison.
    pub slow: L,
}

/// Where the size of a frame is to be written.
#[derive(Clone, Copy, Debug)]
pub struct FrameSize(pub u32);

/// Where the amount of a charge is to be written.
#[derive(Clone, Copy, Debug)]
pub struct Charge(pub u32);
