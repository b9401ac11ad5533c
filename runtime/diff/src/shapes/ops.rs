//! The operators that take values and leave one, by signature.

use fastrand::Rng;
use wasm_encoder::Instruction as I;
use wasm_encoder::ValType::{self, F32, F64, I32, I64, V128};

/// What a NaN in an operator's operands or result asks for. The specification leaves the bits of
/// most NaNs open, so they must not be seen as integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nan {
    /// Nothing.
    Hidden,
    /// The topmost operand's bits become visible: it is made canonical before.
    Seen,
    /// The result is a vector of which all bits are visible: its lanes are made canonical, 32-bit
    /// ones or 64-bit ones.
    Lanes32,
    Lanes64,
}

/// An operator.
#[derive(Clone, Debug)]
pub(super) struct Op {
    pub(super) instruction: I<'static>,
    pub(super) params: &'static [ValType],
    pub(super) result: ValType,
    pub(super) nan: Nan,
}

type Group = (&'static [ValType], ValType, Nan, &'static [I<'static>]);

#[rustfmt::skip]
static SCALARS: &[Group] = &[
    (&[I32], I32, Nan::Hidden, &[
        I::I32Clz, I::I32Ctz, I::I32Popcnt, I::I32Extend8S, I::I32Extend16S, I::I32Eqz, I::I32Eqz,
    ]),
    (&[I32, I32], I32, Nan::Hidden, &[
        I::I32Add, I::I32Sub, I::I32Mul, I::I32And, I::I32Or, I::I32Xor, I::I32Shl, I::I32ShrS,
        I::I32ShrU, I::I32Rotl, I::I32Rotr, I::I32Add, I::I32Sub,
    ]),
    (&[I32, I32], I32, Nan::Hidden, &[
        I::I32Eq, I::I32Ne, I::I32LtS, I::I32LtU, I::I32GtS, I::I32GtU, I::I32LeS, I::I32LeU,
        I::I32GeS, I::I32GeU,
    ]),
    (&[I64], I64, Nan::Hidden, &[
        I::I64Clz, I::I64Ctz, I::I64Popcnt, I::I64Extend8S, I::I64Extend16S, I::I64Extend32S,
    ]),
    (&[I64, I64], I64, Nan::Hidden, &[
        I::I64Add, I::I64Sub, I::I64Mul, I::I64And, I::I64Or, I::I64Xor, I::I64Shl, I::I64ShrS,
        I::I64ShrU, I::I64Rotl, I::I64Rotr,
    ]),
    (&[I64, I64], I32, Nan::Hidden, &[
        I::I64Eq, I::I64Ne, I::I64LtS, I::I64LtU, I::I64GtS, I::I64GtU, I::I64LeS, I::I64LeU,
        I::I64GeS, I::I64GeU,
    ]),
    (&[I64], I32, Nan::Hidden, &[I::I64Eqz, I::I32WrapI64, I::I32WrapI64]),
    (&[I32], I64, Nan::Hidden, &[I::I64ExtendI32S, I::I64ExtendI32U, I::I64ExtendI32U]),
    (&[F32], F32, Nan::Hidden, &[
        I::F32Abs, I::F32Neg, I::F32Ceil, I::F32Floor, I::F32Trunc, I::F32Nearest, I::F32Sqrt,
    ]),
    (&[F32, F32], F32, Nan::Hidden, &[
        I::F32Add, I::F32Sub, I::F32Mul, I::F32Div, I::F32Min, I::F32Max,
    ]),
    (&[F32, F32], F32, Nan::Seen, &[I::F32Copysign]),
    (&[F32, F32], I32, Nan::Hidden, &[
        I::F32Eq, I::F32Ne, I::F32Lt, I::F32Gt, I::F32Le, I::F32Ge,
    ]),
    (&[F64], F64, Nan::Hidden, &[
        I::F64Abs, I::F64Neg, I::F64Ceil, I::F64Floor, I::F64Trunc, I::F64Nearest, I::F64Sqrt,
    ]),
    (&[F64, F64], F64, Nan::Hidden, &[
        I::F64Add, I::F64Sub, I::F64Mul, I::F64Div, I::F64Min, I::F64Max,
    ]),
    (&[F64, F64], F64, Nan::Seen, &[I::F64Copysign]),
    (&[F64, F64], I32, Nan::Hidden, &[
        I::F64Eq, I::F64Ne, I::F64Lt, I::F64Gt, I::F64Le, I::F64Ge,
    ]),
    (&[F32], I32, Nan::Hidden, &[I::I32TruncSatF32S, I::I32TruncSatF32U]),
    (&[F64], I32, Nan::Hidden, &[I::I32TruncSatF64S, I::I32TruncSatF64U]),
    (&[F32], I64, Nan::Hidden, &[I::I64TruncSatF32S, I::I64TruncSatF32U]),
    (&[F64], I64, Nan::Hidden, &[I::I64TruncSatF64S, I::I64TruncSatF64U]),
    (&[I32], F32, Nan::Hidden, &[I::F32ConvertI32S, I::F32ConvertI32U, I::F32ReinterpretI32]),
    (&[I64], F32, Nan::Hidden, &[I::F32ConvertI64S, I::F32ConvertI64U]),
    (&[I32], F64, Nan::Hidden, &[I::F64ConvertI32S, I::F64ConvertI32U]),
    (&[I64], F64, Nan::Hidden, &[I::F64ConvertI64S, I::F64ConvertI64U, I::F64ReinterpretI64]),
    (&[F64], F32, Nan::Hidden, &[I::F32DemoteF64]),
    (&[F32], F64, Nan::Hidden, &[I::F64PromoteF32]),
    (&[F32], I32, Nan::Seen, &[I::I32ReinterpretF32]),
    (&[F64], I64, Nan::Seen, &[I::I64ReinterpretF64]),
];

/// Those that trap now and then.
#[rustfmt::skip]
static TRAPPING: &[Group] = &[
    (&[I32, I32], I32, Nan::Hidden, &[I::I32DivS, I::I32DivU, I::I32RemS, I::I32RemU]),
    (&[I64, I64], I64, Nan::Hidden, &[I::I64DivS, I::I64DivU, I::I64RemS, I::I64RemU]),
    (&[F32], I32, Nan::Hidden, &[I::I32TruncF32S, I::I32TruncF32U]),
    (&[F64], I32, Nan::Hidden, &[I::I32TruncF64S, I::I32TruncF64U]),
    (&[F32], I64, Nan::Hidden, &[I::I64TruncF32S, I::I64TruncF32U]),
    (&[F64], I64, Nan::Hidden, &[I::I64TruncF64S, I::I64TruncF64U]),
];

#[rustfmt::skip]
static VECTORS: &[Group] = &[
    (&[V128], V128, Nan::Hidden, &[
        I::V128Not, I::I8x16Abs, I::I8x16Neg, I::I8x16Popcnt, I::I16x8Abs, I::I16x8Neg,
        I::I32x4Abs, I::I32x4Neg, I::I64x2Abs, I::I64x2Neg, I::F32x4Abs, I::F32x4Neg, I::F64x2Abs,
        I::F64x2Neg, I::I16x8ExtAddPairwiseI8x16S, I::I16x8ExtAddPairwiseI8x16U,
        I::I32x4ExtAddPairwiseI16x8S, I::I32x4ExtAddPairwiseI16x8U, I::I16x8ExtendLowI8x16S,
        I::I16x8ExtendHighI8x16S, I::I16x8ExtendLowI8x16U, I::I16x8ExtendHighI8x16U,
        I::I32x4ExtendLowI16x8S, I::I32x4ExtendHighI16x8S, I::I32x4ExtendLowI16x8U,
        I::I32x4ExtendHighI16x8U, I::I64x2ExtendLowI32x4S, I::I64x2ExtendHighI32x4S,
        I::I64x2ExtendLowI32x4U, I::I64x2ExtendHighI32x4U, I::I32x4TruncSatF32x4S,
        I::I32x4TruncSatF32x4U, I::I32x4TruncSatF64x2SZero, I::I32x4TruncSatF64x2UZero,
        I::F32x4ConvertI32x4S, I::F32x4ConvertI32x4U, I::F64x2ConvertLowI32x4S,
        I::F64x2ConvertLowI32x4U, I::I32x4RelaxedTruncF32x4S, I::I32x4RelaxedTruncF32x4U,
        I::I32x4RelaxedTruncF64x2SZero, I::I32x4RelaxedTruncF64x2UZero,
    ]),
    (&[V128, V128], V128, Nan::Hidden, &[
        I::I8x16Swizzle, I::I8x16RelaxedSwizzle, I::V128And, I::V128AndNot, I::V128Or, I::V128Xor, I::I8x16Eq, I::I8x16Ne,
        I::I8x16LtS, I::I8x16LtU, I::I8x16GtS, I::I8x16GtU, I::I8x16LeS, I::I8x16LeU, I::I8x16GeS,
        I::I8x16GeU, I::I16x8Eq, I::I16x8Ne, I::I16x8LtS, I::I16x8LtU, I::I16x8GtS, I::I16x8GtU,
        I::I16x8LeS, I::I16x8LeU, I::I16x8GeS, I::I16x8GeU, I::I32x4Eq, I::I32x4Ne, I::I32x4LtS,
        I::I32x4LtU, I::I32x4GtS, I::I32x4GtU, I::I32x4LeS, I::I32x4LeU, I::I32x4GeS, I::I32x4GeU,
        I::I64x2Eq, I::I64x2Ne, I::I64x2LtS, I::I64x2GtS, I::I64x2LeS, I::I64x2GeS, I::F32x4Eq,
        I::F32x4Ne, I::F32x4Lt, I::F32x4Gt, I::F32x4Le, I::F32x4Ge, I::F64x2Eq, I::F64x2Ne,
        I::F64x2Lt, I::F64x2Gt, I::F64x2Le, I::F64x2Ge, I::F32x4PMin, I::F32x4PMax, I::F64x2PMin,
        I::F64x2PMax,
    ]),
    (&[V128, V128], V128, Nan::Hidden, &[
        I::I8x16NarrowI16x8S, I::I8x16NarrowI16x8U, I::I8x16Add, I::I8x16AddSatS, I::I8x16AddSatU,
        I::I8x16Sub, I::I8x16SubSatS, I::I8x16SubSatU, I::I8x16MinS, I::I8x16MinU, I::I8x16MaxS,
        I::I8x16MaxU, I::I8x16AvgrU, I::I16x8Q15MulrSatS, I::I16x8NarrowI32x4S,
        I::I16x8NarrowI32x4U, I::I16x8Add, I::I16x8AddSatS, I::I16x8AddSatU, I::I16x8Sub,
        I::I16x8SubSatS, I::I16x8SubSatU, I::I16x8Mul, I::I16x8MinS, I::I16x8MinU, I::I16x8MaxS,
        I::I16x8MaxU, I::I16x8AvgrU, I::I16x8ExtMulLowI8x16S, I::I16x8ExtMulHighI8x16S,
        I::I16x8ExtMulLowI8x16U, I::I16x8ExtMulHighI8x16U, I::I32x4Add, I::I32x4Sub, I::I32x4Mul,
        I::I32x4MinS, I::I32x4MinU, I::I32x4MaxS, I::I32x4MaxU, I::I32x4DotI16x8S,
        I::I32x4ExtMulLowI16x8S, I::I32x4ExtMulHighI16x8S, I::I32x4ExtMulLowI16x8U,
        I::I32x4ExtMulHighI16x8U, I::I64x2Add, I::I64x2Sub, I::I64x2Mul, I::I64x2ExtMulLowI32x4S,
        I::I64x2ExtMulHighI32x4S, I::I64x2ExtMulLowI32x4U, I::I64x2ExtMulHighI32x4U,
        I::I16x8RelaxedQ15mulrS, I::I16x8RelaxedDotI8x16I7x16S,
    ]),
    (&[V128, V128, V128], V128, Nan::Hidden, &[
        I::V128Bitselect, I::I8x16RelaxedLaneselect, I::I16x8RelaxedLaneselect,
        I::I32x4RelaxedLaneselect, I::I64x2RelaxedLaneselect,
        I::I32x4RelaxedDotI8x16I7x16AddS,
    ]),
    (&[V128, V128, V128], V128, Nan::Lanes32, &[I::F32x4RelaxedMadd, I::F32x4RelaxedNmadd]),
    (&[V128, V128, V128], V128, Nan::Lanes64, &[I::F64x2RelaxedMadd, I::F64x2RelaxedNmadd]),
    (&[V128, I32], V128, Nan::Hidden, &[
        I::I8x16Shl, I::I8x16ShrS, I::I8x16ShrU, I::I16x8Shl, I::I16x8ShrS, I::I16x8ShrU,
        I::I32x4Shl, I::I32x4ShrS, I::I32x4ShrU, I::I64x2Shl, I::I64x2ShrS, I::I64x2ShrU,
    ]),
    (&[V128], I32, Nan::Hidden, &[
        I::V128AnyTrue, I::I8x16AllTrue, I::I8x16Bitmask, I::I16x8AllTrue, I::I16x8Bitmask,
        I::I32x4AllTrue, I::I32x4Bitmask, I::I64x2AllTrue, I::I64x2Bitmask,
    ]),
    (&[I32], V128, Nan::Hidden, &[I::I8x16Splat, I::I16x8Splat, I::I32x4Splat]),
    (&[I64], V128, Nan::Hidden, &[I::I64x2Splat]),
    (&[F32], V128, Nan::Seen, &[I::F32x4Splat]),
    (&[F64], V128, Nan::Seen, &[I::F64x2Splat]),
    (&[V128], V128, Nan::Lanes32, &[
        I::F32x4Ceil, I::F32x4Floor, I::F32x4Trunc, I::F32x4Nearest, I::F32x4Sqrt,
        I::F32x4DemoteF64x2Zero,
    ]),
    (&[V128], V128, Nan::Lanes64, &[
        I::F64x2Ceil, I::F64x2Floor, I::F64x2Trunc, I::F64x2Nearest, I::F64x2Sqrt,
        I::F64x2PromoteLowF32x4,
    ]),
    (&[V128, V128], V128, Nan::Lanes32, &[
        I::F32x4Add, I::F32x4Sub, I::F32x4Mul, I::F32x4Div, I::F32x4Min, I::F32x4Max,
        I::F32x4RelaxedMin, I::F32x4RelaxedMax,
    ]),
    (&[V128, V128], V128, Nan::Lanes64, &[
        I::F64x2Add, I::F64x2Sub, I::F64x2Mul, I::F64x2Div, I::F64x2Min, I::F64x2Max,
        I::F64x2RelaxedMin, I::F64x2RelaxedMax,
    ]),
];

/// A random operator; of vectors only where a module has them.
pub(super) fn random(rng: &mut Rng, vectors: bool) -> Op {
    let groups = match rng.u8(..20) {
        0 => TRAPPING,
        1..=5 if vectors => VECTORS,
        6..=7 if vectors => return with_lane(rng),
        _ => SCALARS,
    };
    let (params, result, nan, instructions) = &groups[rng.usize(..groups.len())];
    Op {
        instruction: instructions[rng.usize(..instructions.len())].clone(),
        params,
        result: *result,
        nan: *nan,
    }
}

/// A comparison, for branches to wait for.
pub(super) fn comparison(rng: &mut Rng) -> Op {
    loop {
        let (params, result, nan, instructions) = &SCALARS[rng.usize(..SCALARS.len())];
        let compares = matches!(
            instructions[0],
            I::I32Eq | I::I64Eq | I::F32Eq | I::F64Eq | I::I64Eqz
        );
        let at = if compares && !matches!(instructions[0], I::I64Eqz) {
            rng.usize(..instructions.len())
        } else {
            0
        };
        if compares {
            return Op {
                instruction: instructions[at].clone(),
                params,
                result: *result,
                nan: *nan,
            };
        }
    }
}

fn with_lane(rng: &mut Rng) -> Op {
    const V: &[ValType] = &[V128];
    let lane = rng.u8(..16);
    let (instruction, params, result, nan): (_, &'static [ValType], _, _) = match rng.u8(..15) {
        0 => (I::I8x16ExtractLaneS(lane), V, I32, Nan::Hidden),
        1 => (I::I8x16ExtractLaneU(lane), V, I32, Nan::Hidden),
        2 => (I::I16x8ExtractLaneS(lane / 2), V, I32, Nan::Hidden),
        3 => (I::I16x8ExtractLaneU(lane / 2), V, I32, Nan::Hidden),
        4 => (I::I32x4ExtractLane(lane / 4), V, I32, Nan::Hidden),
        5 => (I::I64x2ExtractLane(lane / 8), V, I64, Nan::Hidden),
        6 => (I::F32x4ExtractLane(lane / 4), V, F32, Nan::Hidden),
        7 => (I::F64x2ExtractLane(lane / 8), V, F64, Nan::Hidden),
        8 => (I::I8x16ReplaceLane(lane), &[V128, I32], V128, Nan::Hidden),
        9 => (
            I::I16x8ReplaceLane(lane / 2),
            &[V128, I32],
            V128,
            Nan::Hidden,
        ),
        10 => (
            I::I32x4ReplaceLane(lane / 4),
            &[V128, I32],
            V128,
            Nan::Hidden,
        ),
        11 => (
            I::I64x2ReplaceLane(lane / 8),
            &[V128, I64],
            V128,
            Nan::Hidden,
        ),
        12 => (I::F32x4ReplaceLane(lane / 4), &[V128, F32], V128, Nan::Seen),
        13 => (I::F64x2ReplaceLane(lane / 8), &[V128, F64], V128, Nan::Seen),
        _ => {
            let lanes = core::array::from_fn(|_| rng.u8(..32));
            (I::I8x16Shuffle(lanes), &[V128, V128], V128, Nan::Hidden)
        }
    };
    Op {
        instruction,
        params,
        result,
        nan,
    }
}
