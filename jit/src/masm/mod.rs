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

mod float;
mod int;
pub(crate) mod listed;
mod operands;
mod target;
pub mod vector;

pub use float::{FloatCond, FloatMasm, FloatOp, FloatUnary, FromInt, ToInt};
pub use int::{AluOp, Cond, DivOp, IntMasm, IntUnary, MulHigh};
pub use listed::Listed;
pub use operands::{
    FloatPart, FloatSource, FloatWidth, Fpr, Gpr, LoadOp, Mem, Operand, RegisterFile, StoreOp,
    Width,
};
pub use target::{Clobber, Clobbers, FixedRoles, Target};

use self::vector::{LaneMasm, VectorMasm};
use zwasm_core::TrapCode;

/// Places in code.
pub trait Labels {
    /// A place in the code.
    type Label: Copy;

    /// A new unbound label.
    fn label(&mut self) -> Self::Label;
    /// Binds a label here.
    fn bind(&mut self, label: Self::Label);
    /// Goes on at the next offset that is a multiple of `bytes`, a power of two from 4 on, over instructions that do
    /// nothing.
    fn align(&mut self, bytes: usize);
}

/// Generates machine code of one instruction set.
pub trait Masm: Sized + IntMasm + FloatMasm + VectorMasm + LaneMasm {
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

    /// Goes to a label.
    fn jump(&mut self, target: Self::Label);
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
