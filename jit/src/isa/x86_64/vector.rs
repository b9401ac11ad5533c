//! Vector arithmetic on x86_64, with SSE4.2.
//!
//! The legacy encodings have two operands: the sequences copy where the destination is not the first
//! one. Where there is AVX, that is when its encodings are used, which have three. Neither touches
//! the upper halves of 32-byte registers, so that mixing them costs nothing.
//!
//! Sequences that need more than the destination use `xmm14` and `xmm13`, which are never operands,
//! and write the destination after the last read of an operand. Masks are made from all ones by
//! shifting, or lie in the constant pool, whose entries of 16 bytes are aligned: no other operand
//! of legacy instructions is in memory.

use super::encode::{Cc, Group, Op, Rm, VecOp, VexOp};
use super::masm::X64Masm;
use super::regs::{XMM_PRIVATE as P, XMM_PRIVATE_2 as Q};
use crate::masm::vector::{VecBinary, VecShift, VecTernary, VecTest, VecUnary, VectorMasm};
use crate::masm::{
    FloatMasm, FloatPart, FloatUnary, FloatWidth, Fpr, Gpr, Masm, Mem, Operand, Width,
};

const F32: FloatWidth = FloatWidth::F32;
const F64: FloatWidth = FloatWidth::F64;

/// An integer instruction of SSE2 with three operands.
pub(super) const fn sse2(code: u8) -> VecOp {
    VecOp::three_operands(Op::two(code).with(0x66))
}

/// As `sse2`, with two operands.
pub(super) const fn sse2_two(code: u8) -> VecOp {
    VecOp::two_operands(Op::two(code).with(0x66))
}

/// An instruction of SSSE3 to SSE4.2 with three operands and no immediate.
pub(super) const fn sse4(code: u8) -> VecOp {
    VecOp::three_operands(Op::three_8(code))
}

/// As `sse4`, with two operands.
const fn sse4_two(code: u8) -> VecOp {
    VecOp::two_operands(Op::three_8(code))
}

/// The opcode of a packed float instruction.
const fn packed_code(code: u8, width: FloatWidth) -> Op {
    match width {
        FloatWidth::F32 => Op::two(code),
        FloatWidth::F64 => Op::two(code).with(0x66),
    }
}

/// A packed float instruction with three operands.
const fn packed(code: u8, width: FloatWidth) -> VecOp {
    VecOp::three_operands(packed_code(code, width))
}

/// As `packed`, with two operands.
const fn packed_two(code: u8, width: FloatWidth) -> VecOp {
    VecOp::two_operands(packed_code(code, width))
}

const PAND: VecOp = sse2(0xdb);
const PANDN: VecOp = sse2(0xdf);
pub(super) const POR: VecOp = sse2(0xeb);
pub(super) const PXOR: VecOp = sse2(0xef);
pub(super) const PSHUFB: VecOp = sse4(0x00);
const PTEST: VecOp = sse4_two(0x17);
const PMOVMSKB: VecOp = sse2_two(0xd7);
const CVTTPD2DQ: VecOp = sse2_two(0xe6);
const PADD: [VecOp; 4] = [sse2(0xfc), sse2(0xfd), sse2(0xfe), sse2(0xd4)];
const PSUB: [VecOp; 4] = [sse2(0xf8), sse2(0xf9), sse2(0xfa), sse2(0xfb)];
const PCMPEQ: [VecOp; 4] = [sse2(0x74), sse2(0x75), sse2(0x76), sse4(0x29)];
const PCMPGT: [VecOp; 4] = [sse2(0x64), sse2(0x65), sse2(0x66), sse4(0x37)];
const PMAXS: [VecOp; 3] = [sse4(0x3c), sse2(0xee), sse4(0x3d)];
const PMINS: [VecOp; 3] = [sse4(0x38), sse2(0xea), sse4(0x39)];
const PMAXU: [VecOp; 3] = [sse2(0xde), sse4(0x3e), sse4(0x3f)];
const PMINU: [VecOp; 3] = [sse2(0xda), sse4(0x3a), sse4(0x3b)];
const PMULLW: VecOp = sse2(0xd5);
const PMULHW: VecOp = sse2(0xe5);
const PMULHUW: VecOp = sse2(0xe4);
const PMULLD: VecOp = sse4(0x40);
const PMULUDQ: VecOp = sse2(0xf4);
const PMULDQ: VecOp = sse4(0x28);
const PMADDWD: VecOp = sse2(0xf5);
const PMADDUBSW: VecOp = sse4(0x04);
const PACKSSWB: VecOp = sse2(0x63);
const PACKUSWB: VecOp = sse2(0x67);
const PUNPCKHBW: VecOp = sse2(0x68);
const PUNPCKLBW: VecOp = sse2(0x60);
const PUNPCKLWD: VecOp = sse2(0x61);
const PUNPCKHWD: VecOp = sse2(0x69);
const PSHUFD: VecOp = sse2_two(0x70);
/// The extensions of low lanes, by the log of the lane's size in bytes.
pub(super) const PMOVSX: [VecOp; 3] = [sse4_two(0x20), sse4_two(0x23), sse4_two(0x25)];
pub(super) const PMOVZX: [VecOp; 3] = [sse4_two(0x30), sse4_two(0x33), sse4_two(0x35)];
/// The shuffle of dwords that moves the high half down.
const HIGH: u8 = 0xee;

const ADD: u8 = 0x58;
const MUL: u8 = 0x59;
const SUB: u8 = 0x5c;
const MIN: u8 = 0x5d;
const DIV: u8 = 0x5e;
const MAX: u8 = 0x5f;
const CMP: u8 = 0xc2;
pub(super) const SHUFPS: VecOp = VecOp::three_operands(Op::two(0xc6));
const UNPCKLPS: VecOp = VecOp::three_operands(Op::two(0x14));
const CVTTPS2DQ: VecOp = VecOp::two_operands(Op::two(0x5b).with(0xf3));
const CVTDQ2PS: VecOp = VecOp::two_operands(Op::two(0x5b));

/// The predicates of float comparisons.
#[derive(Clone, Copy)]
enum Predicate {
    Eq = 0,
    Lt = 1,
    Le = 2,
    Unordered = 3,
    Ne = 4,
}

/// The shifts by immediates, by their number in the opcode.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum VecShiftImm {
    ShrU = 2,
    ShrS = 4,
    Shl = 6,
}
use VecShiftImm::{Shl, ShrS, ShrU};

/// A byte in all places.
const fn bytes(byte: u8) -> u128 {
    u128::from_ne_bytes([byte; 16])
}

/// A double in both lanes.
const fn doubles(value: f64) -> u128 {
    (value.to_bits() as u128) << 64 | value.to_bits() as u128
}

/// The instruction of an operation that has one, with the operands in the same order.
pub(super) const fn instruction(op: VecBinary) -> Option<VecOp> {
    use VecBinary as B;
    Some(match op {
        B::I8x16Eq => PCMPEQ[0],
        B::I16x8Eq => PCMPEQ[1],
        B::I32x4Eq => PCMPEQ[2],
        B::I64x2Eq => PCMPEQ[3],
        B::I8x16GtS => PCMPGT[0],
        B::I16x8GtS => PCMPGT[1],
        B::I32x4GtS => PCMPGT[2],
        B::I64x2GtS => PCMPGT[3],
        B::V128And => PAND,
        B::V128Or => POR,
        B::V128Xor => PXOR,
        B::I8x16NarrowI16x8S => PACKSSWB,
        B::I8x16NarrowI16x8U => PACKUSWB,
        B::I16x8NarrowI32x4S => sse2(0x6b),
        B::I16x8NarrowI32x4U => sse4(0x2b),
        B::I8x16Add => PADD[0],
        B::I16x8Add => PADD[1],
        B::I32x4Add => PADD[2],
        B::I64x2Add => PADD[3],
        B::I8x16Sub => PSUB[0],
        B::I16x8Sub => PSUB[1],
        B::I32x4Sub => PSUB[2],
        B::I64x2Sub => PSUB[3],
        B::I8x16AddSatS => sse2(0xec),
        B::I16x8AddSatS => sse2(0xed),
        B::I8x16AddSatU => sse2(0xdc),
        B::I16x8AddSatU => sse2(0xdd),
        B::I8x16SubSatS => sse2(0xe8),
        B::I16x8SubSatS => sse2(0xe9),
        B::I8x16SubSatU => sse2(0xd8),
        B::I16x8SubSatU => sse2(0xd9),
        B::I8x16MinS => PMINS[0],
        B::I16x8MinS => PMINS[1],
        B::I32x4MinS => PMINS[2],
        B::I8x16MinU => PMINU[0],
        B::I16x8MinU => PMINU[1],
        B::I32x4MinU => PMINU[2],
        B::I8x16MaxS => PMAXS[0],
        B::I16x8MaxS => PMAXS[1],
        B::I32x4MaxS => PMAXS[2],
        B::I8x16MaxU => PMAXU[0],
        B::I16x8MaxU => PMAXU[1],
        B::I32x4MaxU => PMAXU[2],
        B::I8x16AvgrU => sse2(0xe0),
        B::I16x8AvgrU => sse2(0xe3),
        B::I16x8Mul => PMULLW,
        B::I32x4Mul => PMULLD,
        B::I32x4DotI16x8S => PMADDWD,
        B::F32x4Add => packed(ADD, F32),
        B::F32x4Sub => packed(SUB, F32),
        B::F32x4Mul => packed(MUL, F32),
        B::F32x4Div => packed(DIV, F32),
        B::F64x2Add => packed(ADD, F64),
        B::F64x2Sub => packed(SUB, F64),
        B::F64x2Mul => packed(MUL, F64),
        B::F64x2Div => packed(DIV, F64),
        _ => return None,
    })
}

impl X64Masm {
    /// `dst = dst op src`.
    pub(super) fn vec(&mut self, op: VecOp, dst: Fpr, src: Fpr) {
        self.asm.vec_emit(op, Width::W32, dst.0, src);
    }

    /// `dst = a op b`. Without AVX, `b` is not the destination unless `a` is.
    pub(super) fn vec_three(
        &mut self,
        op: VecOp,
        width: Width,
        dst: Fpr,
        a: Fpr,
        b: impl Into<Rm>,
    ) {
        if self.asm.has_avx {
            self.asm.vec_emit_three(op, width, dst.0, a.0, b);
        } else {
            self.vec_copy(dst, a);
            self.asm.vec_emit(op, width, dst.0, b);
        }
    }

    /// `dst = a op constant`.
    pub(super) fn vec_constant(&mut self, op: VecOp, dst: Fpr, a: Fpr, bits: u128) {
        let constant = Rm::Constant(self.vector_constant(bits));
        self.vec_three(op, Width::W32, dst, a, constant);
    }

    /// `dst = constant`.
    pub(super) fn vec_load_constant(&mut self, dst: Fpr, bits: u128) {
        const MOVDQA: VecOp = sse2_two(0x6f);
        let constant = Rm::Constant(self.vector_constant(bits));
        self.asm.vec_emit(MOVDQA, Width::W32, dst.0, constant);
    }

    /// As `vec`, with an immediate.
    pub(super) fn vec_imm(&mut self, op: VecOp, dst: Fpr, src: Fpr, value: u8) {
        self.vec(op, dst, src);
        self.asm.immediate(value);
    }

    /// Shifts lanes of `2 << log_words` bytes.
    pub(super) fn shift_by_imm(
        &mut self,
        shift: VecShiftImm,
        log_words: u8,
        dst: Fpr,
        a: Fpr,
        count: u8,
    ) {
        let op = sse2(0x71 + log_words);
        // The register field is part of the opcode.
        if self.asm.has_avx {
            self.asm
                .vec_emit_three(op, Width::W32, shift as u8, dst.0, a);
        } else {
            self.vec_copy(dst, a);
            self.asm.vec_emit(op, Width::W32, shift as u8, dst);
        }
        self.asm.immediate(count);
    }

    /// Shifts lanes by the low half of a register other than the destination.
    fn shift_by_register(
        &mut self,
        shift: VecShiftImm,
        log_words: u8,
        dst: Fpr,
        a: Fpr,
        count: Fpr,
    ) {
        let base = match shift {
            ShrU => 0xd1,
            ShrS => 0xe1,
            Shl => 0xf1,
        };
        self.vec_three(sse2(base + log_words), Width::W32, dst, a, count);
    }

    pub(super) fn vec_copy(&mut self, dst: Fpr, src: Fpr) {
        self.float_mov(FloatPart::V128, dst, src);
    }

    pub(super) fn vec_zero(&mut self, dst: Fpr) {
        self.vec(PXOR, dst, dst);
    }

    fn vec_ones(&mut self, dst: Fpr) {
        self.vec(PCMPEQ[2], dst, dst);
    }

    fn invert(&mut self, dst: Fpr) {
        self.vec_ones(P);
        self.vec(PXOR, dst, P);
    }

    pub(super) fn commutative_vec(&mut self, op: VecOp, dst: Fpr, a: Fpr, b: Fpr) {
        let (a, b) = if dst == b { (b, a) } else { (a, b) };
        self.vec_three(op, Width::W32, dst, a, b);
    }

    /// `dst = a op b`, the operands in this order.
    pub(super) fn ordered_vec(&mut self, op: VecOp, dst: Fpr, a: Fpr, b: Fpr) {
        let b = if dst == b && dst != a && !self.asm.has_avx {
            self.vec_copy(P, b);
            P
        } else {
            b
        };
        self.vec_three(op, Width::W32, dst, a, b);
    }

    fn not_equal(&mut self, size: usize, dst: Fpr, a: Fpr, b: Fpr) {
        self.commutative_vec(PCMPEQ[size], dst, a, b);
        self.invert(dst);
    }

    /// `a` compared with the extremum of both.
    fn is_extremum(&mut self, extremum: VecOp, size: usize, dst: Fpr, a: Fpr, b: Fpr) {
        self.vec_three(extremum, Width::W32, P, a, b);
        self.vec_three(PCMPEQ[size], Width::W32, dst, a, P);
    }

    fn is_no_extremum(&mut self, extremum: VecOp, size: usize, dst: Fpr, a: Fpr, b: Fpr) {
        self.is_extremum(extremum, size, dst, a, b);
        self.invert(dst);
    }

    fn float_comparison(&mut self, is: Predicate, width: FloatWidth, dst: Fpr, a: Fpr, b: Fpr) {
        self.ordered_vec(packed(CMP, width), dst, a, b);
        self.asm.immediate(is as u8);
    }

    /// `dst = a & !b`.
    fn and_not(&mut self, dst: Fpr, a: Fpr, b: Fpr) {
        self.ordered_vec(PANDN, dst, b, a);
    }

    /// Products of bytes as words.
    fn multiply_bytes(&mut self, extend: VecOp, high: bool, dst: Fpr, a: Fpr, b: Fpr) {
        if high {
            self.vec_imm(PSHUFD, P, a, HIGH);
            self.vec_imm(PSHUFD, Q, b, HIGH);
            self.vec(extend, P, P);
            self.vec(extend, dst, Q);
        } else {
            self.vec(extend, P, a);
            self.vec(extend, dst, b);
        }
        self.vec(PMULLW, dst, P);
    }

    /// Products of words as dwords, from their halves.
    fn multiply_words(&mut self, upper: VecOp, interleave: VecOp, dst: Fpr, a: Fpr, b: Fpr) {
        self.vec_three(upper, Width::W32, P, a, b);
        self.commutative_vec(PMULLW, dst, a, b);
        self.vec(interleave, dst, P);
    }

    /// Products of dwords as qwords: the even lanes are multiplied.
    fn multiply_dwords(&mut self, multiply: VecOp, high: bool, dst: Fpr, a: Fpr, b: Fpr) {
        let spread = if high { 0xfa } else { 0x50 };
        self.vec_imm(PSHUFD, P, a, spread);
        self.vec_imm(PSHUFD, dst, b, spread);
        self.vec(multiply, dst, P);
    }

    /// From the products of the halves; that of the upper ones lies outside of the result.
    fn multiply_qwords(&mut self, dst: Fpr, a: Fpr, b: Fpr) {
        self.shift_by_imm(ShrU, 2, P, a, 32);
        self.vec(PMULUDQ, P, b);
        self.shift_by_imm(ShrU, 2, Q, b, 32);
        self.vec(PMULUDQ, Q, a);
        self.vec(PADD[3], P, Q);
        self.shift_by_imm(Shl, 2, P, P, 32);
        self.commutative_vec(PMULUDQ, dst, a, b);
        self.vec(PADD[3], dst, P);
    }

    /// The instruction answers the least value for -1 × -1, which nothing else gives.
    fn multiply_fractions(&mut self, dst: Fpr, a: Fpr, b: Fpr) {
        self.commutative_vec(sse4(0x0b), dst, a, b);
        let least = u128::from_ne_bytes([
            0, 0x80, 0, 0x80, 0, 0x80, 0, 0x80, 0, 0x80, 0, 0x80, 0, 0x80, 0, 0x80,
        ]);
        self.vec_constant(PCMPEQ[1], P, dst, least);
        self.vec(PXOR, dst, P);
    }

    /// Sums of the products of neighbouring signed bytes, those of odd numbers first. Even ones
    /// are multiplied as the high bytes of words, so that the high words are the products.
    fn dot_bytes(&mut self, dst: Fpr, a: Fpr, b: Fpr) {
        // The first operand's bytes are unsigned.
        self.ordered_vec(PMADDUBSW, dst, b, a);
    }

    /// The instruction answers its second operand for NaN and equal zeros. Both orders together
    /// have the sign of zero and say which lanes are NaN, whose payloads are then cut.
    fn float_minimum(&mut self, width: FloatWidth, dst: Fpr, a: Fpr, b: Fpr) {
        self.vec_three(packed(MIN, width), Width::W32, P, a, b);
        self.vec_three(packed(MIN, width), Width::W32, Q, b, a);
        self.vec(POR, P, Q);
        self.cut_payloads(width, dst);
    }

    /// As the minimum; where the orders differ, a subtraction makes +0 of zeros, and quiet NaNs.
    fn float_maximum(&mut self, width: FloatWidth, dst: Fpr, a: Fpr, b: Fpr) {
        self.vec_three(packed(MAX, width), Width::W32, P, a, b);
        self.vec_three(packed(MAX, width), Width::W32, Q, b, a);
        self.vec(PXOR, Q, P);
        self.vec(POR, P, Q);
        self.vec(packed(SUB, width), P, Q);
        self.cut_payloads(width, dst);
    }

    /// `dst` = the first private register with NaNs made canonical.
    fn cut_payloads(&mut self, width: FloatWidth, dst: Fpr) {
        let (log_words, kept) = match width {
            FloatWidth::F32 => (1, 10),
            FloatWidth::F64 => (2, 13),
        };
        self.vec_three(packed(CMP, width), Width::W32, Q, P, P);
        self.asm.immediate(Predicate::Unordered as u8);
        // A NaN with the quiet bit clear gets it from all ones.
        self.vec(POR, P, Q);
        self.shift_by_imm(ShrU, log_words, Q, Q, kept);
        self.vec_three(PANDN, Width::W32, dst, Q, P);
    }

    fn swizzle(&mut self, dst: Fpr, a: Fpr, b: Fpr) {
        // Numbers from 16 on get bit 7, which gives 0.
        self.vec_constant(sse2(0xdc), P, b, bytes(0x70));
        self.vec_three(PSHUFB, Width::W32, dst, a, P);
    }

    fn absolute_qwords(&mut self, dst: Fpr, a: Fpr) {
        self.vec_zero(P);
        self.vec(PCMPGT[3], P, a);
        self.vec_three(PXOR, Width::W32, dst, a, P);
        self.vec(PSUB[3], dst, P);
    }

    fn negate(&mut self, size: usize, dst: Fpr, a: Fpr) {
        if dst == a {
            self.vec_zero(P);
            self.vec(PSUB[size], P, a);
            self.vec_copy(dst, P);
        } else {
            self.vec_zero(dst);
            self.vec(PSUB[size], dst, a);
        }
    }

    /// Both halves of each byte are looked up.
    fn count_bits(&mut self, dst: Fpr, a: Fpr) {
        let counts = u128::from_le_bytes([0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4]);
        self.shift_by_imm(ShrU, 0, P, a, 4);
        self.vec_constant(PAND, P, P, bytes(0x0f));
        self.vec_load_constant(Q, counts);
        self.vec(PSHUFB, Q, P);
        self.vec_constant(PAND, P, a, bytes(0x0f));
        self.vec_load_constant(dst, counts);
        self.vec(PSHUFB, dst, P);
        self.vec(PADD[0], dst, Q);
    }

    fn extend_high(&mut self, extend: VecOp, dst: Fpr, a: Fpr) {
        self.vec_imm(PSHUFD, dst, a, HIGH);
        self.vec(extend, dst, dst);
    }

    /// The sums of neighbouring signed bytes: multiplied by unsigned ones.
    fn add_signed_byte_pairs(&mut self, dst: Fpr, a: Fpr) {
        let target = if dst == a { P } else { dst };
        self.vec_load_constant(target, bytes(1));
        self.vec(PMADDUBSW, target, a);
        self.vec_copy(dst, target);
    }

    fn add_unsigned_word_pairs(&mut self, dst: Fpr, a: Fpr) {
        let low = u128::from_ne_bytes([
            0xff, 0xff, 0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff, 0, 0,
        ]);
        self.shift_by_imm(ShrU, 1, P, a, 16);
        self.vec_constant(PAND, dst, a, low);
        self.vec(PADD[2], dst, P);
    }

    fn round_lanes(&mut self, mode: u8, width: FloatWidth, dst: Fpr, a: Fpr) {
        let code = match width {
            FloatWidth::F32 => 0x08,
            FloatWidth::F64 => 0x09,
        };
        self.vec_imm(VecOp::two_operands(Op::three_a(code)), dst, a, mode);
    }

    /// The instruction answers the least integer for what does not fit: the sign of the operand
    /// tells where that is wrong. NaN becomes 0 before.
    fn truncate_singles(&mut self, dst: Fpr, a: Fpr) {
        self.vec_three(packed(CMP, F32), Width::W32, P, a, a);
        self.asm.immediate(Predicate::Eq as u8);
        self.vec_three(PAND, Width::W32, dst, a, P);
        self.vec(PXOR, P, dst);
        self.vec(CVTTPS2DQ, dst, dst);
        self.vec(PAND, P, dst);
        self.shift_by_imm(ShrS, 1, P, P, 31);
        self.vec(PXOR, dst, P);
    }

    /// What is above 2^31 is truncated in two parts.
    fn truncate_singles_unsigned(&mut self, dst: Fpr, a: Fpr) {
        // The second operand where the first is NaN: 0.
        self.vec_zero(P);
        self.vec_three(packed(MAX, F32), Width::W32, dst, a, P);
        // 2^31, rounded from 2^31 - 1.
        self.vec_ones(P);
        self.shift_by_imm(ShrU, 1, P, P, 1);
        self.vec(CVTDQ2PS, P, P);
        self.vec_three(packed(SUB, F32), Width::W32, Q, dst, P);
        self.vec(CVTTPS2DQ, dst, dst);
        self.vec_imm(packed(CMP, F32), P, Q, Predicate::Le as u8);
        self.vec(CVTTPS2DQ, Q, Q);
        // The greatest signed value where that overflows too.
        self.vec(PXOR, Q, P);
        self.vec_zero(P);
        self.vec(PMAXS[2], Q, P);
        self.vec(PADD[2], dst, Q);
    }

    /// From the lower 16 bits and half of the upper ones, both of which are exact.
    fn convert_dwords_unsigned(&mut self, dst: Fpr, a: Fpr) {
        self.shift_by_imm(Shl, 1, P, a, 16);
        self.shift_by_imm(ShrU, 1, P, P, 16);
        self.vec_three(PSUB[2], Width::W32, dst, a, P);
        self.vec(CVTDQ2PS, P, P);
        self.shift_by_imm(ShrU, 1, dst, dst, 1);
        self.vec(CVTDQ2PS, dst, dst);
        self.vec(packed(ADD, F32), dst, dst);
        self.vec(packed(ADD, F32), dst, P);
    }

    /// NaN becomes 0, and what is too great the greatest value, before.
    fn truncate_doubles(&mut self, dst: Fpr, a: Fpr) {
        self.vec_three(packed(CMP, F64), Width::W32, P, a, a);
        self.asm.immediate(Predicate::Eq as u8);
        self.vec_constant(PAND, P, P, doubles(i32::MAX as f64));
        self.vec_three(packed(MIN, F64), Width::W32, dst, a, P);
        self.vec(CVTTPD2DQ, dst, dst);
    }

    /// Adding 2^52 leaves the integer in the low bits.
    fn truncate_doubles_unsigned(&mut self, dst: Fpr, a: Fpr) {
        self.vec_zero(P);
        self.vec_three(packed(MAX, F64), Width::W32, dst, a, P);
        self.vec_constant(packed(MIN, F64), dst, dst, doubles(u32::MAX as f64));
        self.round_lanes(11, F64, dst, dst);
        self.vec_constant(packed(ADD, F64), dst, dst, doubles(TWO_TO_52));
        self.vec_imm(SHUFPS, dst, P, 0x88);
    }

    /// The integer as the low bits of 2^52 and more, minus 2^52.
    fn convert_low_unsigned(&mut self, dst: Fpr, a: Fpr) {
        let upper = TWO_TO_52.to_bits() >> 32;
        let upper = u128::from(upper << 32 | upper);
        self.vec_constant(UNPCKLPS, dst, a, upper << 64 | upper);
        self.vec_constant(packed(SUB, F64), dst, dst, doubles(TWO_TO_52));
    }

    /// Fused: `c + a * b`, or `c - a * b` for the other opcode.
    fn fused(&mut self, op: VexOp, width: FloatWidth, dst: Fpr, [a, b, c]: [Fpr; 3]) {
        let target = if dst == a || dst == b { P } else { dst };
        self.vec_copy(target, c);
        let wide = match width {
            FloatWidth::F32 => Width::W32,
            FloatWidth::F64 => Width::W64,
        };
        self.asm.vex(op, wide, target.0, a.0, b);
        self.vec_copy(dst, target);
    }

    fn dot_bytes_and_add(&mut self, dst: Fpr, [a, b, c]: [Fpr; 3]) {
        let ones = u128::from_ne_bytes([1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0]);
        self.dot_bytes(Q, a, b);
        self.vec_constant(PMADDWD, Q, Q, ones);
        self.vec_three(PADD[2], Width::W32, dst, c, Q);
    }

    fn shift_bytes_by_imm(&mut self, shift: VecShiftImm, dst: Fpr, a: Fpr, count: u8) {
        match shift {
            Shl | ShrU => {
                self.shift_by_imm(shift, 0, dst, a, count);
                let mask = if shift == Shl {
                    0xff << count
                } else {
                    0xff >> count
                };
                self.vec_constant(PAND, dst, dst, bytes(mask));
            }
            ShrS => {
                self.vec_three(PUNPCKHBW, Width::W32, P, a, a);
                self.shift_by_imm(ShrS, 0, P, P, count + 8);
                self.vec_three(PUNPCKLBW, Width::W32, dst, a, a);
                self.shift_by_imm(ShrS, 0, dst, dst, count + 8);
                self.vec(PACKSSWB, dst, P);
            }
        }
    }

    /// The count is in the first private register.
    fn shift_bytes(&mut self, shift: VecShiftImm, dst: Fpr, a: Fpr) {
        if shift == ShrS {
            self.asm
                .group_imm(Group::Add, Width::W32, self.private[0], 8);
        }
        self.float_from_bits(F32, P, self.private[0]);
        match shift {
            Shl => {
                // -1 << count fits in a byte.
                self.vec_ones(Q);
                self.shift_by_register(Shl, 0, Q, Q, P);
                self.vec(PACKSSWB, Q, Q);
                self.shift_by_register(Shl, 0, dst, a, P);
                self.vec(PAND, dst, Q);
            }
            ShrU => {
                self.vec_ones(Q);
                self.shift_by_imm(ShrU, 0, Q, Q, 8);
                self.shift_by_register(ShrU, 0, Q, Q, P);
                self.vec(PACKUSWB, Q, Q);
                self.shift_by_register(ShrU, 0, dst, a, P);
                self.vec(PAND, dst, Q);
            }
            ShrS => {
                self.vec_three(PUNPCKHBW, Width::W32, Q, a, a);
                self.shift_by_register(ShrS, 0, Q, Q, P);
                self.vec_three(PUNPCKLBW, Width::W32, dst, a, a);
                self.shift_by_register(ShrS, 0, dst, dst, P);
                self.vec(PACKSSWB, dst, Q);
            }
        }
    }

    /// There is no arithmetic shift of qwords: the sign bit is moved along and extended.
    fn shift_qwords_signed(&mut self, dst: Fpr, a: Fpr, count: Option<u8>) {
        self.vec_ones(Q);
        self.shift_by_imm(Shl, 2, Q, Q, 63);
        match count {
            Some(count) => {
                self.shift_by_imm(ShrU, 2, Q, Q, count);
                self.shift_by_imm(ShrU, 2, dst, a, count);
            }
            None => {
                self.shift_by_register(ShrU, 2, Q, Q, P);
                self.shift_by_register(ShrU, 2, dst, a, P);
            }
        }
        self.vec(PXOR, dst, Q);
        self.vec(PSUB[3], dst, Q);
    }

    fn shift_lanes_by(&mut self, shift: VecShiftImm, size: u8, dst: Fpr, a: Fpr, count: Operand) {
        let mask = (8 << size) - 1;
        match count {
            Operand::Imm(count) => {
                let count = count as u8 & mask;
                match (size, shift) {
                    (_, _) if count == 0 => self.vec_copy(dst, a),
                    (0, _) => self.shift_bytes_by_imm(shift, dst, a, count),
                    (3, ShrS) => self.shift_qwords_signed(dst, a, Some(count)),
                    (_, _) => self.shift_by_imm(shift, size - 1, dst, a, count),
                }
            }
            Operand::Mem(_) | Operand::Shl(..) => {
                unreachable!("counts are registers or constants")
            }
            Operand::Reg(count) => {
                self.check_operands(&[count]);
                let [masked, _] = self.private;
                self.asm.mov_always(Width::W32, masked, count);
                self.asm
                    .group_imm(Group::And, Width::W32, masked, i32::from(mask));
                if size == 0 {
                    self.shift_bytes(shift, dst, a);
                    return;
                }
                self.float_from_bits(F32, P, masked);
                if size == 3 && shift == ShrS {
                    self.shift_qwords_signed(dst, a, None);
                } else {
                    self.shift_by_register(shift, size - 1, dst, a, P);
                }
            }
        }
    }

    fn all_true(&mut self, size: usize, dst: Gpr, a: Fpr) {
        self.vec_zero(P);
        self.vec(PCMPEQ[size], P, a);
        self.asm.zero(dst);
        self.vec(PTEST, P, P);
        self.asm.set(Cc::Equal, dst);
    }
}

/// 2 to the power of 52: the last bit weighs one.
const TWO_TO_52: f64 = 4503599627370496.0;

impl VectorMasm for X64Masm {
    fn vec_unary(&mut self, op: VecUnary, dst: Fpr, a: Fpr) {
        use VecUnary as U;
        match op {
            U::V128Not => {
                let ones = if dst == a { P } else { dst };
                self.vec_ones(ones);
                self.commutative_vec(PXOR, dst, a, ones);
            }
            U::I8x16Abs => self.vec(sse4_two(0x1c), dst, a),
            U::I16x8Abs => self.vec(sse4_two(0x1d), dst, a),
            U::I32x4Abs => self.vec(sse4_two(0x1e), dst, a),
            U::I64x2Abs => self.absolute_qwords(dst, a),
            U::I8x16Neg => self.negate(0, dst, a),
            U::I16x8Neg => self.negate(1, dst, a),
            U::I32x4Neg => self.negate(2, dst, a),
            U::I64x2Neg => self.negate(3, dst, a),
            U::I8x16Popcnt => self.count_bits(dst, a),
            U::I16x8ExtAddPairwiseI8x16S => self.add_signed_byte_pairs(dst, a),
            U::I16x8ExtAddPairwiseI8x16U => {
                self.vec_constant(PMADDUBSW, dst, a, bytes(1));
            }
            U::I32x4ExtAddPairwiseI16x8S => {
                let ones = u128::from_ne_bytes([1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0]);
                self.vec_constant(PMADDWD, dst, a, ones);
            }
            U::I32x4ExtAddPairwiseI16x8U => self.add_unsigned_word_pairs(dst, a),
            U::I16x8ExtendLowI8x16S => self.vec(PMOVSX[0], dst, a),
            U::I16x8ExtendLowI8x16U => self.vec(PMOVZX[0], dst, a),
            U::I32x4ExtendLowI16x8S => self.vec(PMOVSX[1], dst, a),
            U::I32x4ExtendLowI16x8U => self.vec(PMOVZX[1], dst, a),
            U::I64x2ExtendLowI32x4S => self.vec(PMOVSX[2], dst, a),
            U::I64x2ExtendLowI32x4U => self.vec(PMOVZX[2], dst, a),
            U::I16x8ExtendHighI8x16S => self.extend_high(PMOVSX[0], dst, a),
            U::I16x8ExtendHighI8x16U => self.extend_high(PMOVZX[0], dst, a),
            U::I32x4ExtendHighI16x8S => self.extend_high(PMOVSX[1], dst, a),
            U::I32x4ExtendHighI16x8U => self.extend_high(PMOVZX[1], dst, a),
            U::I64x2ExtendHighI32x4S => self.extend_high(PMOVSX[2], dst, a),
            U::I64x2ExtendHighI32x4U => self.extend_high(PMOVZX[2], dst, a),
            U::F32x4Ceil => self.round_lanes(10, F32, dst, a),
            U::F32x4Floor => self.round_lanes(9, F32, dst, a),
            U::F32x4Trunc => self.round_lanes(11, F32, dst, a),
            U::F32x4Nearest => self.round_lanes(8, F32, dst, a),
            U::F64x2Ceil => self.round_lanes(10, F64, dst, a),
            U::F64x2Floor => self.round_lanes(9, F64, dst, a),
            U::F64x2Trunc => self.round_lanes(11, F64, dst, a),
            U::F64x2Nearest => self.round_lanes(8, F64, dst, a),
            // These change all lanes of a register.
            U::F32x4Abs => self.float_unary(FloatUnary::Abs, F32, dst, a),
            U::F32x4Neg => self.float_unary(FloatUnary::Neg, F32, dst, a),
            U::F64x2Abs => self.float_unary(FloatUnary::Abs, F64, dst, a),
            U::F64x2Neg => self.float_unary(FloatUnary::Neg, F64, dst, a),
            U::F32x4Sqrt => self.vec(packed_two(0x51, F32), dst, a),
            U::F64x2Sqrt => self.vec(packed_two(0x51, F64), dst, a),
            U::I32x4TruncSatF32x4S | U::I32x4RelaxedTruncF32x4S => self.truncate_singles(dst, a),
            U::I32x4TruncSatF32x4U | U::I32x4RelaxedTruncF32x4U => {
                self.truncate_singles_unsigned(dst, a);
            }
            U::F32x4ConvertI32x4S => self.vec(CVTDQ2PS, dst, a),
            U::F32x4ConvertI32x4U => self.convert_dwords_unsigned(dst, a),
            U::I32x4TruncSatF64x2SZero | U::I32x4RelaxedTruncF64x2SZero => {
                self.truncate_doubles(dst, a);
            }
            U::I32x4TruncSatF64x2UZero | U::I32x4RelaxedTruncF64x2UZero => {
                self.truncate_doubles_unsigned(dst, a);
            }
            U::F64x2ConvertLowI32x4S => {
                self.vec(VecOp::two_operands(Op::two(0xe6).with(0xf3)), dst, a)
            }
            U::F64x2ConvertLowI32x4U => self.convert_low_unsigned(dst, a),
            U::F32x4DemoteF64x2Zero => self.vec(packed_two(0x5a, F64), dst, a),
            U::F64x2PromoteLowF32x4 => self.vec(packed_two(0x5a, F32), dst, a),
        }
    }

    fn vec_binary(&mut self, op: VecBinary, dst: Fpr, a: Fpr, b: Fpr) {
        use Predicate as Is;
        use VecBinary as B;
        if let Some(instruction) = instruction(op) {
            return if op.commutes() {
                self.commutative_vec(instruction, dst, a, b);
            } else {
                self.ordered_vec(instruction, dst, a, b);
            };
        }
        match op {
            B::I8x16Swizzle | B::I8x16RelaxedSwizzle => self.swizzle(dst, a, b),
            B::I8x16Ne => self.not_equal(0, dst, a, b),
            B::I16x8Ne => self.not_equal(1, dst, a, b),
            B::I32x4Ne => self.not_equal(2, dst, a, b),
            B::I64x2Ne => self.not_equal(3, dst, a, b),
            B::I8x16LtS => self.ordered_vec(PCMPGT[0], dst, b, a),
            B::I16x8LtS => self.ordered_vec(PCMPGT[1], dst, b, a),
            B::I32x4LtS => self.ordered_vec(PCMPGT[2], dst, b, a),
            B::I64x2LtS => self.ordered_vec(PCMPGT[3], dst, b, a),
            B::I8x16GeS => self.is_extremum(PMAXS[0], 0, dst, a, b),
            B::I16x8GeS => self.is_extremum(PMAXS[1], 1, dst, a, b),
            B::I32x4GeS => self.is_extremum(PMAXS[2], 2, dst, a, b),
            B::I64x2GeS => {
                self.ordered_vec(PCMPGT[3], dst, b, a);
                self.invert(dst);
            }
            B::I8x16LeS => self.is_extremum(PMINS[0], 0, dst, a, b),
            B::I16x8LeS => self.is_extremum(PMINS[1], 1, dst, a, b),
            B::I32x4LeS => self.is_extremum(PMINS[2], 2, dst, a, b),
            B::I64x2LeS => {
                self.ordered_vec(PCMPGT[3], dst, a, b);
                self.invert(dst);
            }
            B::I8x16GeU => self.is_extremum(PMAXU[0], 0, dst, a, b),
            B::I16x8GeU => self.is_extremum(PMAXU[1], 1, dst, a, b),
            B::I32x4GeU => self.is_extremum(PMAXU[2], 2, dst, a, b),
            B::I8x16LeU => self.is_extremum(PMINU[0], 0, dst, a, b),
            B::I16x8LeU => self.is_extremum(PMINU[1], 1, dst, a, b),
            B::I32x4LeU => self.is_extremum(PMINU[2], 2, dst, a, b),
            B::I8x16GtU => self.is_no_extremum(PMINU[0], 0, dst, a, b),
            B::I16x8GtU => self.is_no_extremum(PMINU[1], 1, dst, a, b),
            B::I32x4GtU => self.is_no_extremum(PMINU[2], 2, dst, a, b),
            B::I8x16LtU => self.is_no_extremum(PMAXU[0], 0, dst, a, b),
            B::I16x8LtU => self.is_no_extremum(PMAXU[1], 1, dst, a, b),
            B::I32x4LtU => self.is_no_extremum(PMAXU[2], 2, dst, a, b),
            B::F32x4Eq => self.float_comparison(Is::Eq, F32, dst, a, b),
            B::F32x4Ne => self.float_comparison(Is::Ne, F32, dst, a, b),
            B::F32x4Lt => self.float_comparison(Is::Lt, F32, dst, a, b),
            B::F32x4Gt => self.float_comparison(Is::Lt, F32, dst, b, a),
            B::F32x4Le => self.float_comparison(Is::Le, F32, dst, a, b),
            B::F32x4Ge => self.float_comparison(Is::Le, F32, dst, b, a),
            B::F64x2Eq => self.float_comparison(Is::Eq, F64, dst, a, b),
            B::F64x2Ne => self.float_comparison(Is::Ne, F64, dst, a, b),
            B::F64x2Lt => self.float_comparison(Is::Lt, F64, dst, a, b),
            B::F64x2Gt => self.float_comparison(Is::Lt, F64, dst, b, a),
            B::F64x2Le => self.float_comparison(Is::Le, F64, dst, a, b),
            B::F64x2Ge => self.float_comparison(Is::Le, F64, dst, b, a),
            B::V128AndNot => self.and_not(dst, a, b),
            B::I64x2Mul => self.multiply_qwords(dst, a, b),
            B::I16x8Q15MulrSatS | B::I16x8RelaxedQ15mulrS => self.multiply_fractions(dst, a, b),
            B::I16x8RelaxedDotI8x16I7x16S => self.dot_bytes(dst, a, b),
            B::I16x8ExtMulLowI8x16S => self.multiply_bytes(PMOVSX[0], false, dst, a, b),
            B::I16x8ExtMulHighI8x16S => self.multiply_bytes(PMOVSX[0], true, dst, a, b),
            B::I16x8ExtMulLowI8x16U => self.multiply_bytes(PMOVZX[0], false, dst, a, b),
            B::I16x8ExtMulHighI8x16U => self.multiply_bytes(PMOVZX[0], true, dst, a, b),
            B::I32x4ExtMulLowI16x8S => self.multiply_words(PMULHW, PUNPCKLWD, dst, a, b),
            B::I32x4ExtMulHighI16x8S => self.multiply_words(PMULHW, PUNPCKHWD, dst, a, b),
            B::I32x4ExtMulLowI16x8U => self.multiply_words(PMULHUW, PUNPCKLWD, dst, a, b),
            B::I32x4ExtMulHighI16x8U => self.multiply_words(PMULHUW, PUNPCKHWD, dst, a, b),
            B::I64x2ExtMulLowI32x4S => self.multiply_dwords(PMULDQ, false, dst, a, b),
            B::I64x2ExtMulHighI32x4S => self.multiply_dwords(PMULDQ, true, dst, a, b),
            B::I64x2ExtMulLowI32x4U => self.multiply_dwords(PMULUDQ, false, dst, a, b),
            B::I64x2ExtMulHighI32x4U => self.multiply_dwords(PMULUDQ, true, dst, a, b),
            B::F32x4Min | B::F32x4RelaxedMin => self.float_minimum(F32, dst, a, b),
            B::F32x4Max | B::F32x4RelaxedMax => self.float_maximum(F32, dst, a, b),
            // The instructions answer their second operand unless the comparison holds.
            B::F32x4PMin => self.ordered_vec(packed(MIN, F32), dst, b, a),
            B::F32x4PMax => self.ordered_vec(packed(MAX, F32), dst, b, a),
            B::F64x2Min | B::F64x2RelaxedMin => self.float_minimum(F64, dst, a, b),
            B::F64x2Max | B::F64x2RelaxedMax => self.float_maximum(F64, dst, a, b),
            B::F64x2PMin => self.ordered_vec(packed(MIN, F64), dst, b, a),
            B::F64x2PMax => self.ordered_vec(packed(MAX, F64), dst, b, a),
            other => unreachable!("{other:?} is one instruction"),
        }
    }

    fn vec_binary_from(&mut self, op: VecBinary, dst: Fpr, a: Fpr, b: Mem) {
        let instruction = instruction(op).expect("asked for by `folds_vector`");
        // The legacy encoding demands that memory is aligned.
        self.accesses_here();
        self.asm
            .vec_emit_three(instruction, Width::W32, dst.0, a.0, Rm::Mem(b));
    }

    fn vec_ternary(&mut self, op: VecTernary, dst: Fpr, a: Fpr, b: Fpr, c: Fpr) {
        use VecTernary as T;
        match op {
            T::V128Bitselect
            | T::I8x16RelaxedLaneselect
            | T::I16x8RelaxedLaneselect
            | T::I32x4RelaxedLaneselect
            | T::I64x2RelaxedLaneselect => {
                self.vec_three(PXOR, Width::W32, P, a, b);
                self.vec(PAND, P, c);
                self.vec_three(PXOR, Width::W32, dst, b, P);
            }
            T::F32x4RelaxedMadd => self.fused(VexOp::FMADD, F32, dst, [a, b, c]),
            T::F32x4RelaxedNmadd => self.fused(VexOp::FNMADD, F32, dst, [a, b, c]),
            T::F64x2RelaxedMadd => self.fused(VexOp::FMADD, F64, dst, [a, b, c]),
            T::F64x2RelaxedNmadd => self.fused(VexOp::FNMADD, F64, dst, [a, b, c]),
            T::I32x4RelaxedDotI8x16I7x16AddS => self.dot_bytes_and_add(dst, [a, b, c]),
        }
    }

    fn vec_shift(&mut self, op: VecShift, dst: Fpr, a: Fpr, count: Operand) {
        use VecShift as S;
        let (shift, size) = match op {
            S::I8x16Shl => (Shl, 0),
            S::I8x16ShrS => (ShrS, 0),
            S::I8x16ShrU => (ShrU, 0),
            S::I16x8Shl => (Shl, 1),
            S::I16x8ShrS => (ShrS, 1),
            S::I16x8ShrU => (ShrU, 1),
            S::I32x4Shl => (Shl, 2),
            S::I32x4ShrS => (ShrS, 2),
            S::I32x4ShrU => (ShrU, 2),
            S::I64x2Shl => (Shl, 3),
            S::I64x2ShrS => (ShrS, 3),
            S::I64x2ShrU => (ShrU, 3),
        };
        self.shift_lanes_by(shift, size, dst, a, count);
    }

    fn vec_test(&mut self, op: VecTest, dst: Gpr, a: Fpr) {
        use VecTest as T;
        self.check_operands(&[dst]);
        match op {
            T::V128AnyTrue => {
                self.asm.zero(dst);
                self.vec(PTEST, a, a);
                self.asm.set(Cc::NotEqual, dst);
            }
            T::I8x16AllTrue => self.all_true(0, dst, a),
            T::I16x8AllTrue => self.all_true(1, dst, a),
            T::I32x4AllTrue => self.all_true(2, dst, a),
            T::I64x2AllTrue => self.all_true(3, dst, a),
            T::I8x16Bitmask => self.asm.vec_emit(PMOVMSKB, Width::W32, dst.0, Rm::Reg(a.0)),
            T::I16x8Bitmask => {
                // The low half of the bytes is that of the other operand.
                self.vec_zero(P);
                self.vec(PACKSSWB, P, a);
                self.asm.vec_emit(PMOVMSKB, Width::W32, dst.0, Rm::Reg(P.0));
                self.asm
                    .shift_imm(super::encode::Shift::Shr, Width::W32, dst, 8);
            }
            T::I32x4Bitmask => {
                self.asm
                    .vec_emit(packed_two(0x50, F32), Width::W32, dst.0, Rm::Reg(a.0))
            }
            T::I64x2Bitmask => {
                self.asm
                    .vec_emit(packed_two(0x50, F64), Width::W32, dst.0, Rm::Reg(a.0))
            }
        }
    }
}
