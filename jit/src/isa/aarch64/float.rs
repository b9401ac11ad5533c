//! Float arithmetic and conversions on ARM64.
//!
//! The instructions have WebAssembly's semantics, minima and maxima included; only truncations
//! need help, since the instructions saturate and answer 0 for NaN.

use dynasmrt::DynamicLabel;

use super::encode::{Bitfield, Cc, Test, double};
use super::masm::A64Masm;
use super::regs::{FLOAT_PRIVATE, PRIVATE, PRIVATE_2};
use crate::masm::{
    FloatCond, FloatMasm, FloatOp, FloatPart, FloatSource, FloatUnary, FloatWidth, Fpr, FromInt,
    Gpr, Masm, ToInt, Width,
};

const FNEG: u32 = 0x1e21_4000;
const FCMP: u32 = 0x1e20_2000;
const SCVTF: u32 = 0x1e22_0000;
const UCVTF: u32 = 0x1e23_0000;
const FCVTZS: u32 = 0x1e38_0000;
const FCVTZU: u32 = 0x1e39_0000;
/// Insert the bits of the first operand where the second has a one.
const BIT: u32 = 0x2ea0_1c00;
/// Insert the bits of the first operand where the second has a zero.
const BIF: u32 = 0x2ee0_1c00;
/// The flags in which the condition `lt` holds, and those in which `vs` holds.
const FLAGS_LT: u32 = 0b1000;
const FLAGS_VS: u32 = 0b0001;

impl A64Masm {
    /// Sets the flags of a comparison and says which condition is `cond`; the opposite condition
    /// holds whenever `cond` does not, unordered operands included.
    fn float_flags(&mut self, cond: FloatCond, width: FloatWidth, a: Fpr, b: Fpr) -> Cc {
        self.float_compare_registers(width, a, b);
        match cond {
            FloatCond::Eq => Cc::Eq,
            FloatCond::Ne => Cc::Ne,
            FloatCond::Lt => Cc::Mi,
            FloatCond::Gt => Cc::Gt,
            FloatCond::Le => Cc::Ls,
            FloatCond::Ge => Cc::Ge,
        }
    }

    fn float_compare_registers(&mut self, width: FloatWidth, a: Fpr, b: Fpr) {
        self.asm.float_three(FCMP, width, Fpr(0), a, b);
    }
}

impl FloatMasm for A64Masm {
    fn float(&mut self, op: FloatOp, width: FloatWidth, dst: Fpr, a: Fpr, b: Fpr) {
        let word = match op {
            FloatOp::Add => 0x1e20_2800,
            FloatOp::Sub => 0x1e20_3800,
            FloatOp::Mul => 0x1e20_0800,
            FloatOp::Div => 0x1e20_1800,
            FloatOp::Min => 0x1e20_5800,
            FloatOp::Max => 0x1e20_4800,
            FloatOp::Copysign => {
                // The sign bit alone is minus zero.
                self.vector_imm(FLOAT_PRIVATE, 0, 0);
                self.asm
                    .float_two(FNEG, width, FLOAT_PRIVATE, FLOAT_PRIVATE);
                if dst == b {
                    self.asm.vector(BIF, dst, a, FLOAT_PRIVATE);
                } else {
                    self.float_mov(FloatPart::F64, dst, a);
                    self.asm.vector(BIT, dst, b, FLOAT_PRIVATE);
                }
                return;
            }
        };
        self.asm.float_three(word, width, dst, a, b);
    }

    fn float_from(&mut self, op: FloatOp, width: FloatWidth, dst: Fpr, a: Fpr, b: FloatSource) {
        let part = match width {
            FloatWidth::F32 => FloatPart::F32,
            FloatWidth::F64 => FloatPart::F64,
        };
        match b {
            FloatSource::Mem(mem) => self.float_load(part, FLOAT_PRIVATE, mem),
            FloatSource::Constant(bits) => self.vector_imm(FLOAT_PRIVATE, bits, 0),
        }
        self.float(op, width, dst, a, FLOAT_PRIVATE);
    }

    fn float_unary(&mut self, op: FloatUnary, width: FloatWidth, dst: Fpr, a: Fpr) {
        let word = match op {
            FloatUnary::Abs => 0x1e20_c000,
            FloatUnary::Neg => FNEG,
            FloatUnary::Sqrt => 0x1e21_c000,
            FloatUnary::Ceil => 0x1e24_c000,
            FloatUnary::Floor => 0x1e25_4000,
            FloatUnary::Trunc => 0x1e25_c000,
            FloatUnary::Nearest => 0x1e24_4000,
        };
        self.asm.float_two(word, width, dst, a);
    }

    fn float_compare(&mut self, cond: FloatCond, width: FloatWidth, dst: Gpr, a: Fpr, b: Fpr) {
        let cc = self.float_flags(cond, width, a, b);
        self.asm.cset(cc, dst);
    }

    fn float_branch_if(
        &mut self,
        cond: FloatCond,
        negated: bool,
        width: FloatWidth,
        a: Fpr,
        b: Fpr,
        target: DynamicLabel,
    ) {
        let cc = self.float_flags(cond, width, a, b);
        let cc = if negated { cc.negate() } else { cc };
        self.asm.branch_when(Test::Flags(cc), target);
    }

    fn float_from_int(&mut self, from: FromInt, width: FloatWidth, dst: Fpr, src: Gpr) {
        let (word, from) = match from {
            FromInt::I32S => (SCVTF, Width::W32),
            FromInt::I32U => (UCVTF, Width::W32),
            FromInt::I64S => (SCVTF, Width::W64),
            FromInt::I64U => (UCVTF, Width::W64),
        };
        self.asm
            .float_from_general(word | double(width), from, dst, src);
    }

    fn float_convert(&mut self, to: FloatWidth, dst: Fpr, src: Fpr) {
        let word = match to {
            FloatWidth::F32 => 0x1e62_4000,
            FloatWidth::F64 => 0x1e22_c000,
        };
        self.asm.float_two(word, FloatWidth::F32, dst, src);
    }

    fn truncate(&mut self, to: ToInt, from: FloatWidth, dst: Gpr, src: Fpr, slow: DynamicLabel) {
        // Everything goes through the signed 64-bit conversion: 32-bit results fit if they extend
        // back to it, 64-bit ones if it did not saturate. A comparison of the float with itself
        // tells NaN from 0, and the comparison of integers happens only if that was ordered, so
        // that one branch is enough.
        Self::check_operands(&[dst]);
        let convert = FCVTZS | double(from);
        match to {
            ToInt::I32S => {
                self.asm
                    .general_from_float(convert, Width::W64, PRIVATE, src);
                let extended = [PRIVATE_2, PRIVATE];
                self.asm
                    .bitfield(Bitfield::Signed, Width::W64, extended, 0, 31);
                self.float_compare_registers(from, src, src);
                self.asm.ccmp(Cc::Vc, Width::W64, PRIVATE_2, PRIVATE, 0);
                self.asm.branch_when(Test::Flags(Cc::Ne), slow);
                self.asm.mov_always(Width::W32, dst, PRIVATE);
            }
            ToInt::I32U => {
                self.asm
                    .general_from_float(convert, Width::W64, PRIVATE, src);
                self.asm.mov_always(Width::W32, dst, PRIVATE);
                self.float_compare_registers(from, src, src);
                self.asm.ccmp(Cc::Vc, Width::W64, dst, PRIVATE, 0);
                self.asm.branch_when(Test::Flags(Cc::Ne), slow);
            }
            ToInt::I64S => {
                self.asm.general_from_float(convert, Width::W64, dst, src);
                // Both ends of the range become the greatest value, and only that plus 1 overflows.
                self.asm.xor_with_sign(PRIVATE, dst);
                self.float_compare_registers(from, src, src);
                self.asm.ccmn_1(Cc::Vc, Width::W64, PRIVATE, FLAGS_VS);
                self.asm.branch_when(Test::Flags(Cc::Vs), slow);
            }
            ToInt::I64U => {
                self.asm.general_from_float(convert, Width::W64, dst, src);
                // What is negative or saturated is less than 1 after adding 1.
                self.add_constant(Width::W64, PRIVATE, dst, 1);
                self.float_compare_registers(from, src, src);
                self.asm.ccmp_1(Cc::Vc, Width::W64, PRIVATE, FLAGS_LT);
                self.asm.branch_when(Test::Flags(Cc::Lt), slow);
            }
        }
    }

    fn truncate_saturating(
        &mut self,
        to: ToInt,
        from: FloatWidth,
        dst: Gpr,
        src: Fpr,
        _slow: DynamicLabel,
    ) -> bool {
        // The nearest integer if it does not fit, 0 for NaN.
        Self::check_operands(&[dst]);
        let (word, width) = match to {
            ToInt::I32S => (FCVTZS, Width::W32),
            ToInt::I32U => (FCVTZU, Width::W32),
            ToInt::I64S => (FCVTZS, Width::W64),
            ToInt::I64U => (FCVTZU, Width::W64),
        };
        self.asm
            .general_from_float(word | double(from), width, dst, src);
        true
    }
}
