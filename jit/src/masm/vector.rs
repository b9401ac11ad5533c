//! What a lowering may ask of an instruction set with vectors.
//!
//! The operations are those of WebAssembly, one by one: the enums come out of the tables of
//! `zwasm_core`, from which the interpreter and the tests come as well. The rules of
//! [`crate::masm`] hold: any registers may alias, and all but the destination survive. Float
//! operations other than moves, `Abs`, `Neg`, `PMin` and `PMax` may choose among the NaNs that the
//! specification allows.

use crate::masm::listed::listed;
use crate::masm::{FloatWidth, Fpr, Gpr, Mem, Operand};
use wasmparser::Operator;

/// Declares the operations of a table: all of them, and which one an operator is.
macro_rules! operations {
    ($doc:literal $name:ident: $($op:ident $func:ident $args:tt -> $out:ty;)*) => {
        listed! {
            #[doc = $doc]
            #[allow(missing_docs, reason = "named after the operators")]
            #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
            pub enum $name {
                $($op,)*
            }
        }

        impl $name {
            /// The operation of an operator.
            #[must_use]
            pub fn of(op: &Operator<'_>) -> Option<$name> {
                match op {
                    $(Operator::$op { .. } => Some($name::$op),)*
                    _ => None,
                }
            }
        }
    };
}

macro_rules! unary {
    ($($rows:tt)*) => { operations! { "`dst = op a`." VecUnary: $($rows)* } };
}
zwasm_core::for_each_v128_unary!(unary);

macro_rules! binary {
    ($($rows:tt)*) => { operations! { "`dst = a op b`." VecBinary: $($rows)* } };
}
zwasm_core::for_each_v128_binary!(binary);

impl VecBinary {
    /// Whether the operands may be swapped.
    #[must_use]
    pub const fn commutes(self) -> bool {
        use VecBinary as B;
        matches!(
            self,
            B::I8x16Eq
                | B::I16x8Eq
                | B::I32x4Eq
                | B::I64x2Eq
                | B::V128And
                | B::V128Or
                | B::V128Xor
                | B::I8x16Add
                | B::I16x8Add
                | B::I32x4Add
                | B::I64x2Add
                | B::I8x16AddSatS
                | B::I16x8AddSatS
                | B::I8x16AddSatU
                | B::I16x8AddSatU
                | B::I8x16MinS
                | B::I16x8MinS
                | B::I32x4MinS
                | B::I8x16MinU
                | B::I16x8MinU
                | B::I32x4MinU
                | B::I8x16MaxS
                | B::I16x8MaxS
                | B::I32x4MaxS
                | B::I8x16MaxU
                | B::I16x8MaxU
                | B::I32x4MaxU
                | B::I8x16AvgrU
                | B::I16x8AvgrU
                | B::I16x8Mul
                | B::I32x4Mul
                | B::I32x4DotI16x8S
                | B::F32x4Add
                | B::F32x4Mul
                | B::F64x2Add
                | B::F64x2Mul
        )
    }
}

macro_rules! ternary {
    ($($rows:tt)*) => { operations! { "`dst = op(a, b, c)`." VecTernary: $($rows)* } };
}
zwasm_core::for_each_v128_ternary!(ternary);

impl VecTernary {
    /// Whether it multiplies and adds, rounding once.
    #[must_use]
    pub const fn is_fused(self) -> bool {
        match self {
            VecTernary::F32x4RelaxedMadd
            | VecTernary::F32x4RelaxedNmadd
            | VecTernary::F64x2RelaxedMadd
            | VecTernary::F64x2RelaxedNmadd => true,
            VecTernary::V128Bitselect
            | VecTernary::I8x16RelaxedLaneselect
            | VecTernary::I16x8RelaxedLaneselect
            | VecTernary::I32x4RelaxedLaneselect
            | VecTernary::I64x2RelaxedLaneselect
            | VecTernary::I32x4RelaxedDotI8x16I7x16AddS => false,
        }
    }
}

macro_rules! shift {
    ($($rows:tt)*) => { operations! { "`dst = a op count`." VecShift: $($rows)* } };
}
zwasm_core::for_each_v128_shift!(shift);

macro_rules! test {
    ($($rows:tt)*) => { operations! { "From a vector to an integer." VecTest: $($rows)* } };
}
zwasm_core::for_each_v128_test!(test);

listed! {
    /// Lanes of integers.
    #[allow(missing_docs, reason = "named after the shapes")]
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum Lanes {
        I8x16,
        I16x8,
        I32x4,
        I64x2,
    }
}

impl Lanes {
    /// The size of a lane, in bytes.
    #[must_use]
    pub const fn bytes(self) -> u8 {
        match self {
            Lanes::I8x16 => 1,
            Lanes::I16x8 => 2,
            Lanes::I32x4 => 4,
            Lanes::I64x2 => 8,
        }
    }
}

listed! {
    /// How an integer lane is widened to a general register.
    #[allow(missing_docs, reason = "named after the instructions")]
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum Extract {
        I8S,
        I8U,
        I16S,
        I16U,
        I32,
        I64,
    }

    /// Loads of less than a vector.
    #[allow(missing_docs, reason = "named after the instructions")]
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum VecLoad {
        Extend8x8S,
        Extend8x8U,
        Extend16x4S,
        Extend16x4U,
        Extend32x2S,
        Extend32x2U,
        Splat(Lanes),
        /// The low 32 bits; the others are clear.
        Zero32,
        /// The low 64 bits; the others are clear.
        Zero64,
    }
}

impl VecLoad {
    /// How much is read, in bytes.
    #[must_use]
    pub const fn bytes(self) -> u8 {
        match self {
            VecLoad::Extend8x8S
            | VecLoad::Extend8x8U
            | VecLoad::Extend16x4S
            | VecLoad::Extend16x4U
            | VecLoad::Extend32x2S
            | VecLoad::Extend32x2U
            | VecLoad::Zero64 => 8,
            VecLoad::Zero32 => 4,
            VecLoad::Splat(lanes) => lanes.bytes(),
        }
    }
}

/// Operations on whole vectors. None may be asked for without
/// [`Target::has_vectors`](crate::masm::Target::has_vectors), nor `Madd` and `Nmadd` without
/// [`Target::has_fused`](crate::masm::Target::has_fused).
pub trait VectorMasm {
    /// `dst = op a`.
    fn vec_unary(&mut self, op: VecUnary, dst: Fpr, a: Fpr);
    /// `dst = a op b`.
    fn vec_binary(&mut self, op: VecBinary, dst: Fpr, a: Fpr, b: Fpr);
    /// `dst = a op b`, for operations that [`Target::folds_vector`](crate::masm::Target::folds_vector)
    /// names.
    fn vec_binary_from(&mut self, op: VecBinary, dst: Fpr, a: Fpr, b: Mem);
    /// `dst = op(a, b, c)`.
    fn vec_ternary(&mut self, op: VecTernary, dst: Fpr, a: Fpr, b: Fpr, c: Fpr);
    /// `dst = a op count`, the count modulo the width of a lane.
    fn vec_shift(&mut self, op: VecShift, dst: Fpr, a: Fpr, count: Operand);
    /// `dst = op a`.
    fn vec_test(&mut self, op: VecTest, dst: Gpr, a: Fpr);
}

/// Operations that move lanes. None may be asked for without
/// [`Target::has_vectors`](crate::masm::Target::has_vectors).
pub trait LaneMasm {
    /// All lanes of `dst` = the low bits of `src`.
    fn splat(&mut self, lanes: Lanes, dst: Fpr, src: Gpr);
    /// All lanes of `dst` = `src`.
    fn float_splat(&mut self, width: FloatWidth, dst: Fpr, src: Fpr);
    /// `dst` = a lane of `a`.
    fn extract_lane(&mut self, op: Extract, lane: u8, dst: Gpr, a: Fpr);
    /// `dst` = a lane of `a`.
    fn float_extract_lane(&mut self, width: FloatWidth, lane: u8, dst: Fpr, a: Fpr);
    /// `dst = a`, but for one lane.
    fn replace_lane(&mut self, lanes: Lanes, lane: u8, dst: Fpr, a: Fpr, value: Gpr);
    /// `dst = a`, but for one lane.
    fn float_replace_lane(&mut self, width: FloatWidth, lane: u8, dst: Fpr, a: Fpr, value: Fpr);
    /// The bytes of `a` and then `b` with the given numbers, which are below 32.
    fn shuffle(&mut self, bytes: [u8; 16], dst: Fpr, a: Fpr, b: Fpr);
    /// A load of exactly [`VecLoad::bytes`].
    fn vec_load(&mut self, op: VecLoad, dst: Fpr, mem: Mem);
    /// `dst = a`, but for one lane, which is loaded.
    fn load_lane(&mut self, lanes: Lanes, lane: u8, dst: Fpr, a: Fpr, mem: Mem);
    /// Stores one lane.
    fn store_lane(&mut self, lanes: Lanes, lane: u8, src: Fpr, mem: Mem);
}
