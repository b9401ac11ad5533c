//! Vector arithmetic on ARM64.
//!
//! Most operations are one instruction, NaN, saturation and minima included. Those that need more
//! than the destination use `v29` and `v30`, which are never operands, and write the destination
//! after the last read of an operand.

use super::encode::{LogicalImm, Three};
use super::masm::A64Masm;
use super::regs::{FLOAT_PRIVATE as P, FLOAT_PRIVATE_2 as Q, PRIVATE, ZERO};
use crate::masm::vector::{VecBinary, VecShift, VecTernary, VecTest, VecUnary, VectorMasm};
use crate::masm::{Cond, FloatPart, FloatWidth, Fpr, Gpr, IntMasm, Masm, Mem, Operand, Width};

/// The sizes of lanes as instructions encode them.
const B: u32 = 0;
const H: u32 = 1;
const S: u32 = 2;
const D: u32 = 3;
/// Single and double precision in the size field, and the bit above that some operations add.
const F32: u32 = 0;
const F64: u32 = 1;
const UPPER: u32 = 2;

/// `dst = a op b` on all 128 bits; `u` is 1 for the unsigned or second set of operations.
const fn same(u: u32, size: u32, opcode: u32) -> u32 {
    0x4e20_0400 | u << 29 | size << 22 | opcode << 11
}

/// `dst = a op b` with lanes of the result twice as wide; `half` is 1 for the high operands.
const fn widening(half: u32, u: u32, size: u32, opcode: u32) -> u32 {
    0x0e20_0000 | half << 30 | u << 29 | size << 22 | opcode << 12
}

/// `dst = op a` on all 128 bits.
const fn misc(u: u32, size: u32, opcode: u32) -> u32 {
    0x4e20_0800 | u << 29 | size << 22 | opcode << 12
}

/// As `misc`, with a result of 64 bits or from the low half of the operand.
const fn half(word: u32) -> u32 {
    word & !(1 << 30)
}

/// A shift by an immediate: `field` is the lane's width plus or minus the count.
const fn shift_imm(u: u32, field: u32, opcode: u32) -> u32 {
    0x4f00_0400 | u << 29 | field << 16 | opcode << 11
}

const fn extend(high: u32, u: u32, size: u32) -> u32 {
    0x0f00_a400 | high << 30 | u << 29 | (8 << size) << 16
}

const fn add(size: u32) -> u32 {
    same(0, size, 0b10000)
}
const fn sub(size: u32) -> u32 {
    same(1, size, 0b10000)
}
const fn equal(size: u32) -> u32 {
    same(1, size, 0b10001)
}
const fn greater(u: u32, size: u32) -> u32 {
    same(u, size, 0b00110)
}
const fn greater_or_equal(u: u32, size: u32) -> u32 {
    same(u, size, 0b00111)
}
const fn maximum(u: u32, size: u32) -> u32 {
    same(u, size, 0b01100)
}
const fn minimum(u: u32, size: u32) -> u32 {
    same(u, size, 0b01101)
}
const fn multiply(size: u32) -> u32 {
    same(0, size, 0b10011)
}
const fn add_pairs(size: u32) -> u32 {
    same(0, size, 0b10111)
}
const fn add_long_pairs(u: u32, size: u32) -> u32 {
    misc(u, size, 0b00010)
}
const fn multiply_long(half: u32, u: u32, size: u32) -> u32 {
    widening(half, u, size, 0b1100)
}
const fn float_greater(width: u32) -> u32 {
    same(1, UPPER | width, 0b11100)
}

const AND: u32 = same(0, 0, 0b00011);
const BIC: u32 = same(0, 1, 0b00011);
const ORR: u32 = same(0, 2, 0b00011);
const EOR: u32 = same(1, 0, 0b00011);
const BSL: u32 = same(1, 1, 0b00011);
const BIT: u32 = same(1, 2, 0b00011);
const BIF: u32 = same(1, 3, 0b00011);
const NOT: u32 = misc(1, 0, 0b00101);
const UMAXP_4S: u32 = same(1, S, 0b10100);
/// Looks bytes up in one register.
pub(super) const TBL: u32 = 0x4e00_0000;
const REV64_4S: u32 = misc(0, S, 0b00000);
const XTN_2S: u32 = half(misc(0, S, 0b10010));
const UMLAL_2D: u32 = widening(0, 1, S, 0b1000);
/// Narrowing with saturation: signed to signed, signed to unsigned, unsigned to unsigned.
const SQXTN: u32 = 0b10100;
const SQXTUN: u32 = 0b10010;
const UQXTN: u32 = 0b10100;
/// Adds all lanes of a vector.
const fn sum(size: u32) -> u32 {
    0x4e31_b800 | size << 22
}

impl A64Masm {
    /// `dst = op a`.
    pub(super) fn vec1(&mut self, op: u32, dst: Fpr, a: Fpr) {
        self.asm.vector(op, dst, a, Fpr(0));
    }

    pub(super) fn vec_copy(&mut self, dst: Fpr, src: Fpr) {
        self.float_mov(FloatPart::V128, dst, src);
    }

    fn not_equal(&mut self, op: u32, dst: Fpr, a: Fpr, b: Fpr) {
        self.asm.vector(op, dst, a, b);
        self.vec1(NOT, dst, dst);
    }

    /// The second instruction writes the high half and keeps the low one.
    fn narrow(&mut self, u: u32, size: u32, opcode: u32, dst: Fpr, [a, b]: [Fpr; 2]) {
        let word = misc(u, size, opcode);
        let target = if dst == b { P } else { dst };
        self.vec1(half(word), target, a);
        self.vec1(word, target, b);
        self.vec_copy(dst, target);
    }

    /// Cross products of the halves, then the product of the lower ones.
    fn multiply_qwords(&mut self, dst: Fpr, a: Fpr, b: Fpr) {
        self.vec1(REV64_4S, P, b);
        self.asm.vector(multiply(S), P, P, a);
        self.vec1(add_long_pairs(1, S), P, P);
        self.vec1(shift_imm(0, 64 + 32, 0b01010), P, P);
        self.vec1(XTN_2S, Q, b);
        self.vec1(XTN_2S, dst, a);
        self.asm.vector(UMLAL_2D, P, dst, Q);
        self.vec_copy(dst, P);
    }

    /// The products' pairs are added across both halves.
    fn dot(&mut self, size: u32, dst: Fpr, a: Fpr, b: Fpr) {
        self.asm.vector(multiply_long(0, 0, size), P, a, b);
        self.asm.vector(multiply_long(1, 0, size), Q, a, b);
        self.asm.vector(add_pairs(size + 1), dst, P, Q);
    }

    /// `b` where `greater > less`, else `a`.
    fn choose(&mut self, width: u32, dst: Fpr, [greater, less]: [Fpr; 2], [a, b]: [Fpr; 2]) {
        self.asm.vector(float_greater(width), P, greater, less);
        if dst == b {
            self.asm.vector(BIF, dst, a, P);
        } else {
            self.vec_copy(dst, a);
            self.asm.vector(BIT, dst, b, P);
        }
    }

    /// `dst = op(c, a, b)` for instructions that change their destination.
    fn accumulate(&mut self, op: u32, dst: Fpr, [a, b, c]: [Fpr; 3]) {
        let target = if dst != c && (dst == a || dst == b) {
            P
        } else {
            dst
        };
        self.vec_copy(target, c);
        self.asm.vector(op, target, a, b);
        self.vec_copy(dst, target);
    }

    /// Shifts to the left by a register of counts, to the right where they are negative.
    fn shift(&mut self, op: VecShift, dst: Fpr, a: Fpr, count: Operand) {
        use VecShift as V;
        let (size, u, is_left) = match op {
            V::I8x16Shl => (B, 0, true),
            V::I8x16ShrS => (B, 0, false),
            V::I8x16ShrU => (B, 1, false),
            V::I16x8Shl => (H, 0, true),
            V::I16x8ShrS => (H, 0, false),
            V::I16x8ShrU => (H, 1, false),
            V::I32x4Shl => (S, 0, true),
            V::I32x4ShrS => (S, 0, false),
            V::I32x4ShrU => (S, 1, false),
            V::I64x2Shl => (D, 0, true),
            V::I64x2ShrS => (D, 0, false),
            V::I64x2ShrU => (D, 1, false),
        };
        let width = 8_u32 << size;
        match count {
            Operand::Imm(count) => match count as u32 & (width - 1) {
                0 => self.vec_copy(dst, a),
                count if is_left => self.vec1(shift_imm(0, width + count, 0b01010), dst, a),
                count => self.vec1(shift_imm(u, 2 * width - count, 0b00000), dst, a),
            },
            Operand::Mem(_) | Operand::Shl(..) => {
                unreachable!("counts are registers or constants")
            }
            Operand::Reg(count) => {
                Self::check_operands(&[count]);
                let mask = u64::from(width - 1);
                self.asm
                    .logical_imm(LogicalImm::And, Width::W32, PRIVATE, count, mask);
                if !is_left {
                    self.asm
                        .three(Three::Sub, Width::W32, PRIVATE, ZERO, PRIVATE);
                }
                // The low byte of each lane counts.
                self.asm
                    .float_from_general(0x4e01_0c00, Width::W32, P, PRIVATE);
                self.asm.vector(same(u, size, 0b01000), dst, a, P);
            }
        }
    }

    /// `dst` = whether any bit of the private register is set, or none.
    fn test_bits(&mut self, cond: Cond, dst: Gpr, a: Fpr) {
        self.asm.vector(UMAXP_4S, P, a, a);
        self.float_to_bits(FloatWidth::F64, dst, P);
        self.compare(cond, Width::W64, dst, dst, Operand::Imm(0));
    }

    fn all_true(&mut self, size: u32, dst: Gpr, a: Fpr) {
        // Equal to zero.
        self.vec1(misc(0, size, 0b01001), P, a);
        self.test_bits(Cond::Eq, dst, P);
    }

    /// Signs become bits of their own, which are added.
    fn bitmask(&mut self, size: u32, bits: u128, dst: Gpr, a: Fpr) {
        let width = 8 << size;
        self.vector_literal(Q, bits);
        self.vec1(shift_imm(0, width + 1, 0b00000), P, a);
        self.asm.vector(AND, P, P, Q);
        match size {
            B => {
                // Bytes of both halves side by side.
                self.asm.vector(0x6e00_4000, Q, P, P);
                self.asm.vector(0x4e00_3800, P, P, Q);
                self.vec1(sum(H), P, P);
            }
            H => self.vec1(sum(H), P, P),
            S => self.vec1(sum(S), P, P),
            // The sum of a pair.
            _ => self.vec1(0x5ef1_b800, P, P),
        }
        self.float_to_bits(FloatWidth::F32, dst, P);
    }
}

impl VectorMasm for A64Masm {
    fn vec_unary(&mut self, op: VecUnary, dst: Fpr, a: Fpr) {
        use VecUnary as U;
        let word = match op {
            U::V128Not => NOT,
            U::I8x16Abs => misc(0, B, 0b01011),
            U::I16x8Abs => misc(0, H, 0b01011),
            U::I32x4Abs => misc(0, S, 0b01011),
            U::I64x2Abs => misc(0, D, 0b01011),
            U::I8x16Neg => misc(1, B, 0b01011),
            U::I16x8Neg => misc(1, H, 0b01011),
            U::I32x4Neg => misc(1, S, 0b01011),
            U::I64x2Neg => misc(1, D, 0b01011),
            U::I8x16Popcnt => misc(0, B, 0b00101),
            U::I16x8ExtAddPairwiseI8x16S => add_long_pairs(0, B),
            U::I16x8ExtAddPairwiseI8x16U => add_long_pairs(1, B),
            U::I32x4ExtAddPairwiseI16x8S => add_long_pairs(0, H),
            U::I32x4ExtAddPairwiseI16x8U => add_long_pairs(1, H),
            U::I16x8ExtendLowI8x16S => extend(0, 0, B),
            U::I16x8ExtendHighI8x16S => extend(1, 0, B),
            U::I16x8ExtendLowI8x16U => extend(0, 1, B),
            U::I16x8ExtendHighI8x16U => extend(1, 1, B),
            U::I32x4ExtendLowI16x8S => extend(0, 0, H),
            U::I32x4ExtendHighI16x8S => extend(1, 0, H),
            U::I32x4ExtendLowI16x8U => extend(0, 1, H),
            U::I32x4ExtendHighI16x8U => extend(1, 1, H),
            U::I64x2ExtendLowI32x4S => extend(0, 0, S),
            U::I64x2ExtendHighI32x4S => extend(1, 0, S),
            U::I64x2ExtendLowI32x4U => extend(0, 1, S),
            U::I64x2ExtendHighI32x4U => extend(1, 1, S),
            U::F32x4Ceil => misc(0, UPPER | F32, 0b11000),
            U::F32x4Floor => misc(0, F32, 0b11001),
            U::F32x4Trunc => misc(0, UPPER | F32, 0b11001),
            U::F32x4Nearest => misc(0, F32, 0b11000),
            U::F64x2Ceil => misc(0, UPPER | F64, 0b11000),
            U::F64x2Floor => misc(0, F64, 0b11001),
            U::F64x2Trunc => misc(0, UPPER | F64, 0b11001),
            U::F64x2Nearest => misc(0, F64, 0b11000),
            U::F32x4Abs => misc(0, UPPER | F32, 0b01111),
            U::F32x4Neg => misc(1, UPPER | F32, 0b01111),
            U::F32x4Sqrt => misc(1, UPPER | F32, 0b11111),
            U::F64x2Abs => misc(0, UPPER | F64, 0b01111),
            U::F64x2Neg => misc(1, UPPER | F64, 0b01111),
            U::F64x2Sqrt => misc(1, UPPER | F64, 0b11111),
            U::I32x4TruncSatF32x4S | U::I32x4RelaxedTruncF32x4S => misc(0, UPPER | F32, 0b11011),
            U::I32x4TruncSatF32x4U | U::I32x4RelaxedTruncF32x4U => misc(1, UPPER | F32, 0b11011),
            U::F32x4ConvertI32x4S => misc(0, F32, 0b11101),
            U::F32x4ConvertI32x4U => misc(1, F32, 0b11101),
            U::I32x4TruncSatF64x2SZero | U::I32x4RelaxedTruncF64x2SZero => {
                self.vec1(misc(0, UPPER | F64, 0b11011), dst, a);
                return self.vec1(half(misc(0, S, SQXTN)), dst, dst);
            }
            U::I32x4TruncSatF64x2UZero | U::I32x4RelaxedTruncF64x2UZero => {
                self.vec1(misc(1, UPPER | F64, 0b11011), dst, a);
                return self.vec1(half(misc(1, S, UQXTN)), dst, dst);
            }
            U::F64x2ConvertLowI32x4S => {
                self.vec1(extend(0, 0, S), dst, a);
                return self.vec1(misc(0, F64, 0b11101), dst, dst);
            }
            U::F64x2ConvertLowI32x4U => {
                self.vec1(extend(0, 1, S), dst, a);
                return self.vec1(misc(1, F64, 0b11101), dst, dst);
            }
            U::F32x4DemoteF64x2Zero => half(misc(0, F64, 0b10110)),
            U::F64x2PromoteLowF32x4 => half(misc(0, F64, 0b10111)),
        };
        self.vec1(word, dst, a);
    }

    fn vec_binary(&mut self, op: VecBinary, dst: Fpr, a: Fpr, b: Fpr) {
        use VecBinary as V;
        let word = match op {
            V::I8x16Swizzle | V::I8x16RelaxedSwizzle => TBL,
            V::I8x16Eq => equal(B),
            V::I16x8Eq => equal(H),
            V::I32x4Eq => equal(S),
            V::I64x2Eq => equal(D),
            V::I8x16Ne => return self.not_equal(equal(B), dst, a, b),
            V::I16x8Ne => return self.not_equal(equal(H), dst, a, b),
            V::I32x4Ne => return self.not_equal(equal(S), dst, a, b),
            V::I64x2Ne => return self.not_equal(equal(D), dst, a, b),
            V::I8x16GtS => greater(0, B),
            V::I16x8GtS => greater(0, H),
            V::I32x4GtS => greater(0, S),
            V::I64x2GtS => greater(0, D),
            V::I8x16GtU => greater(1, B),
            V::I16x8GtU => greater(1, H),
            V::I32x4GtU => greater(1, S),
            V::I8x16GeS => greater_or_equal(0, B),
            V::I16x8GeS => greater_or_equal(0, H),
            V::I32x4GeS => greater_or_equal(0, S),
            V::I64x2GeS => greater_or_equal(0, D),
            V::I8x16GeU => greater_or_equal(1, B),
            V::I16x8GeU => greater_or_equal(1, H),
            V::I32x4GeU => greater_or_equal(1, S),
            V::I8x16LtS => return self.asm.vector(greater(0, B), dst, b, a),
            V::I16x8LtS => return self.asm.vector(greater(0, H), dst, b, a),
            V::I32x4LtS => return self.asm.vector(greater(0, S), dst, b, a),
            V::I64x2LtS => return self.asm.vector(greater(0, D), dst, b, a),
            V::I8x16LtU => return self.asm.vector(greater(1, B), dst, b, a),
            V::I16x8LtU => return self.asm.vector(greater(1, H), dst, b, a),
            V::I32x4LtU => return self.asm.vector(greater(1, S), dst, b, a),
            V::I8x16LeS => return self.asm.vector(greater_or_equal(0, B), dst, b, a),
            V::I16x8LeS => return self.asm.vector(greater_or_equal(0, H), dst, b, a),
            V::I32x4LeS => return self.asm.vector(greater_or_equal(0, S), dst, b, a),
            V::I64x2LeS => return self.asm.vector(greater_or_equal(0, D), dst, b, a),
            V::I8x16LeU => return self.asm.vector(greater_or_equal(1, B), dst, b, a),
            V::I16x8LeU => return self.asm.vector(greater_or_equal(1, H), dst, b, a),
            V::I32x4LeU => return self.asm.vector(greater_or_equal(1, S), dst, b, a),
            V::F32x4Eq => same(0, F32, 0b11100),
            V::F64x2Eq => same(0, F64, 0b11100),
            V::F32x4Ne => return self.not_equal(same(0, F32, 0b11100), dst, a, b),
            V::F64x2Ne => return self.not_equal(same(0, F64, 0b11100), dst, a, b),
            V::F32x4Gt => float_greater(F32),
            V::F64x2Gt => float_greater(F64),
            V::F32x4Ge => same(1, F32, 0b11100),
            V::F64x2Ge => same(1, F64, 0b11100),
            V::F32x4Lt => return self.asm.vector(float_greater(F32), dst, b, a),
            V::F64x2Lt => return self.asm.vector(float_greater(F64), dst, b, a),
            V::F32x4Le => return self.asm.vector(same(1, F32, 0b11100), dst, b, a),
            V::F64x2Le => return self.asm.vector(same(1, F64, 0b11100), dst, b, a),
            V::V128And => AND,
            V::V128AndNot => BIC,
            V::V128Or => ORR,
            V::V128Xor => EOR,
            V::I8x16NarrowI16x8S => return self.narrow(0, B, SQXTN, dst, [a, b]),
            V::I8x16NarrowI16x8U => return self.narrow(1, B, SQXTUN, dst, [a, b]),
            V::I16x8NarrowI32x4S => return self.narrow(0, H, SQXTN, dst, [a, b]),
            V::I16x8NarrowI32x4U => return self.narrow(1, H, SQXTUN, dst, [a, b]),
            V::I8x16Add => add(B),
            V::I16x8Add => add(H),
            V::I32x4Add => add(S),
            V::I64x2Add => add(D),
            V::I8x16Sub => sub(B),
            V::I16x8Sub => sub(H),
            V::I32x4Sub => sub(S),
            V::I64x2Sub => sub(D),
            V::I8x16AddSatS => same(0, B, 0b00001),
            V::I16x8AddSatS => same(0, H, 0b00001),
            V::I8x16AddSatU => same(1, B, 0b00001),
            V::I16x8AddSatU => same(1, H, 0b00001),
            V::I8x16SubSatS => same(0, B, 0b00101),
            V::I16x8SubSatS => same(0, H, 0b00101),
            V::I8x16SubSatU => same(1, B, 0b00101),
            V::I16x8SubSatU => same(1, H, 0b00101),
            V::I8x16MinS => minimum(0, B),
            V::I16x8MinS => minimum(0, H),
            V::I32x4MinS => minimum(0, S),
            V::I8x16MinU => minimum(1, B),
            V::I16x8MinU => minimum(1, H),
            V::I32x4MinU => minimum(1, S),
            V::I8x16MaxS => maximum(0, B),
            V::I16x8MaxS => maximum(0, H),
            V::I32x4MaxS => maximum(0, S),
            V::I8x16MaxU => maximum(1, B),
            V::I16x8MaxU => maximum(1, H),
            V::I32x4MaxU => maximum(1, S),
            V::I8x16AvgrU => same(1, B, 0b00010),
            V::I16x8AvgrU => same(1, H, 0b00010),
            V::I16x8Mul => multiply(H),
            V::I32x4Mul => multiply(S),
            V::I64x2Mul => return self.multiply_qwords(dst, a, b),
            V::I16x8Q15MulrSatS | V::I16x8RelaxedQ15mulrS => same(1, H, 0b10110),
            V::I32x4DotI16x8S => return self.dot(H, dst, a, b),
            V::I16x8RelaxedDotI8x16I7x16S => return self.dot(B, dst, a, b),
            V::I16x8ExtMulLowI8x16S => multiply_long(0, 0, B),
            V::I16x8ExtMulHighI8x16S => multiply_long(1, 0, B),
            V::I16x8ExtMulLowI8x16U => multiply_long(0, 1, B),
            V::I16x8ExtMulHighI8x16U => multiply_long(1, 1, B),
            V::I32x4ExtMulLowI16x8S => multiply_long(0, 0, H),
            V::I32x4ExtMulHighI16x8S => multiply_long(1, 0, H),
            V::I32x4ExtMulLowI16x8U => multiply_long(0, 1, H),
            V::I32x4ExtMulHighI16x8U => multiply_long(1, 1, H),
            V::I64x2ExtMulLowI32x4S => multiply_long(0, 0, S),
            V::I64x2ExtMulHighI32x4S => multiply_long(1, 0, S),
            V::I64x2ExtMulLowI32x4U => multiply_long(0, 1, S),
            V::I64x2ExtMulHighI32x4U => multiply_long(1, 1, S),
            V::F32x4Add => same(0, F32, 0b11010),
            V::F64x2Add => same(0, F64, 0b11010),
            V::F32x4Sub => same(0, UPPER | F32, 0b11010),
            V::F64x2Sub => same(0, UPPER | F64, 0b11010),
            V::F32x4Mul => same(1, F32, 0b11011),
            V::F64x2Mul => same(1, F64, 0b11011),
            V::F32x4Div => same(1, F32, 0b11111),
            V::F64x2Div => same(1, F64, 0b11111),
            V::F32x4Min | V::F32x4RelaxedMin => same(0, UPPER | F32, 0b11110),
            V::F64x2Min | V::F64x2RelaxedMin => same(0, UPPER | F64, 0b11110),
            V::F32x4Max | V::F32x4RelaxedMax => same(0, F32, 0b11110),
            V::F64x2Max | V::F64x2RelaxedMax => same(0, F64, 0b11110),
            V::F32x4PMin => return self.choose(F32, dst, [a, b], [a, b]),
            V::F64x2PMin => return self.choose(F64, dst, [a, b], [a, b]),
            V::F32x4PMax => return self.choose(F32, dst, [b, a], [a, b]),
            V::F64x2PMax => return self.choose(F64, dst, [b, a], [a, b]),
        };
        self.asm.vector(word, dst, a, b);
    }

    fn vec_binary_from(&mut self, op: VecBinary, _dst: Fpr, _a: Fpr, _b: Mem) {
        unreachable!("{op:?} takes registers")
    }

    fn vec_ternary(&mut self, op: VecTernary, dst: Fpr, a: Fpr, b: Fpr, c: Fpr) {
        use VecTernary as V;
        let word = match op {
            V::V128Bitselect
            | V::I8x16RelaxedLaneselect
            | V::I16x8RelaxedLaneselect
            | V::I32x4RelaxedLaneselect
            | V::I64x2RelaxedLaneselect => BSL,
            V::F32x4RelaxedMadd => same(0, F32, 0b11001),
            V::F64x2RelaxedMadd => same(0, F64, 0b11001),
            V::F32x4RelaxedNmadd => same(0, UPPER | F32, 0b11001),
            V::F64x2RelaxedNmadd => same(0, UPPER | F64, 0b11001),
            V::I32x4RelaxedDotI8x16I7x16AddS => {
                self.dot(B, P, a, b);
                self.vec1(add_long_pairs(0, H), P, P);
                return self.asm.vector(add(S), dst, P, c);
            }
        };
        self.accumulate(word, dst, [a, b, c]);
    }

    fn vec_shift(&mut self, op: VecShift, dst: Fpr, a: Fpr, count: Operand) {
        self.shift(op, dst, a, count);
    }

    fn vec_test(&mut self, op: VecTest, dst: Gpr, a: Fpr) {
        use VecTest as V;
        Self::check_operands(&[dst]);
        match op {
            V::V128AnyTrue => self.test_bits(Cond::Ne, dst, a),
            V::I8x16AllTrue => self.all_true(B, dst, a),
            V::I16x8AllTrue => self.all_true(H, dst, a),
            V::I32x4AllTrue => self.all_true(S, dst, a),
            V::I64x2AllTrue => self.all_true(D, dst, a),
            V::I8x16Bitmask => {
                let bits = 0x8040_2010_0804_0201;
                self.bitmask(B, bits << 64 | bits, dst, a);
            }
            V::I16x8Bitmask => {
                self.bitmask(H, 0x0080_0040_0020_0010_0008_0004_0002_0001, dst, a);
            }
            V::I32x4Bitmask => {
                self.bitmask(S, 8 << 96 | 4 << 64 | 2 << 32 | 1, dst, a);
            }
            V::I64x2Bitmask => self.bitmask(D, 2 << 64 | 1, dst, a),
        }
    }
}
