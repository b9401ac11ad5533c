//! Float arithmetic and conversions on x86_64.
//!
//! Scalar instructions merge into the upper half of their destination, so those that do not read
//! it otherwise would wait for whatever wrote it last: [`X64Masm::scalar_unary`] breaks that.
//! Sequences that need a second register use `xmm14`, which is never an operand.

use dynasmrt::DynamicLabel;

use super::encode::{Cc, Group, Op, Rm, Shift, VecOp};
use super::masm::{X64Masm, scalar};
use super::regs::XMM_PRIVATE;
use crate::masm::{
    FloatCond, FloatMasm, FloatOp, FloatPart, FloatSource, FloatUnary, FloatWidth, Fpr, FromInt,
    Gpr, Masm, ToInt, Width,
};

/// The prefix of the packed instructions of a precision.
const fn packed(width: FloatWidth) -> u8 {
    match width {
        FloatWidth::F32 => 0,
        FloatWidth::F64 => 0x66,
    }
}

/// The sign bits of all lanes.
const fn signs(width: FloatWidth) -> u128 {
    match width {
        FloatWidth::F32 => 0x8000_0000_8000_0000_8000_0000_8000_0000,
        FloatWidth::F64 => 0x8000_0000_0000_0000_8000_0000_0000_0000,
    }
}

/// A scalar instruction with three operands: it keeps the upper half of the first.
const fn scalar_three(code: u8, width: FloatWidth) -> VecOp {
    VecOp::three_operands(Op::two(code).with(scalar(width)))
}

/// A bitwise operation on whole registers; the form for singles is the shortest.
const fn bitwise(code: u8) -> VecOp {
    VecOp::three_operands(Op::two(code))
}

/// Opcodes after `0F`.
const AND: u8 = 0x54;
const OR: u8 = 0x56;
const XOR: u8 = 0x57;
const ADD: u8 = 0x58;
const MUL: u8 = 0x59;
const SUB: u8 = 0x5c;
const MIN: u8 = 0x5d;
const DIV: u8 = 0x5e;
const MAX: u8 = 0x5f;

/// The instruction of an operation that has one, on the low lane.
pub(super) const fn arithmetic(op: FloatOp, width: FloatWidth) -> VecOp {
    let code = match op {
        FloatOp::Add => ADD,
        FloatOp::Sub => SUB,
        FloatOp::Mul => MUL,
        FloatOp::Div => DIV,
        FloatOp::Min | FloatOp::Max | FloatOp::Copysign => panic!("takes several instructions"),
    };
    scalar_three(code, width)
}

/// What a float comparison comes to: `ucomis` with the operands as given or swapped, then a
/// condition that is false when the comparison is unordered; equality takes two.
enum Comparison {
    Flags { swapped: bool, cc: Cc },
    Equal,
    NotEqual,
}

const fn comparison(cond: FloatCond) -> Comparison {
    match cond {
        FloatCond::Eq => Comparison::Equal,
        FloatCond::Ne => Comparison::NotEqual,
        FloatCond::Lt => Comparison::Flags {
            swapped: true,
            cc: Cc::Above,
        },
        FloatCond::Gt => Comparison::Flags {
            swapped: false,
            cc: Cc::Above,
        },
        FloatCond::Le => Comparison::Flags {
            swapped: true,
            cc: Cc::AboveEqual,
        },
        FloatCond::Ge => Comparison::Flags {
            swapped: false,
            cc: Cc::AboveEqual,
        },
    }
}

impl X64Masm {
    fn scalar_op(&mut self, code: u8, width: FloatWidth, dst: Fpr, src: Fpr) {
        self.asm
            .vec_emit(scalar_three(code, width), Width::W32, dst.0, src);
    }

    /// `dst = dst op src`, bit by bit.
    fn bitwise(&mut self, code: u8, dst: Fpr, src: Fpr) {
        self.asm.vec_emit(bitwise(code), Width::W32, dst.0, src);
    }

    fn copy(&mut self, dst: Fpr, src: Fpr) {
        self.float_mov(FloatPart::V128, dst, src);
    }

    /// `dst = op src`, a scalar instruction that waits for nothing but `src`.
    fn scalar_unary(&mut self, op: VecOp, dst: Fpr, src: Fpr) {
        if dst != src && self.asm.has_avx {
            self.asm.vec_emit_three(op, Width::W32, dst.0, src.0, src);
        } else {
            if dst != src {
                self.bitwise(XOR, dst, dst);
            }
            self.asm.vec_emit(op, Width::W32, dst.0, src);
        }
    }

    /// Sets the flags of an unordered comparison.
    fn unordered_compare(&mut self, width: FloatWidth, a: Fpr, b: Fpr) {
        self.asm.vec_emit(
            VecOp::two_operands(Op::two(0x2e).with(packed(width))),
            Width::W32,
            a.0,
            Rm::Reg(b.0),
        );
    }

    /// `min` and `max`: the instruction is right for operands that differ; equal ones are combined
    /// bit by bit, for the sign of zero; an addition makes a quiet NaN of unordered ones.
    fn extremum(&mut self, code: u8, when_equal: u8, width: FloatWidth, [dst, a, b]: [Fpr; 3]) {
        let differ = self.asm.label();
        let unordered = self.asm.label();
        let done = self.asm.label();
        let (target, other) = if dst == b && dst != a {
            // Both are symmetric once NaN and zeros are taken care of.
            (dst, a)
        } else {
            self.copy(dst, a);
            (dst, b)
        };
        self.unordered_compare(width, target, other);
        self.asm.jump_short(Cc::NotEqual, differ);
        self.asm.jump_short(Cc::Parity, unordered);
        self.bitwise(when_equal, target, other);
        self.asm.jump_always_short(done);
        self.asm.bind(unordered);
        self.scalar_op(ADD, width, target, other);
        self.asm.jump_always_short(done);
        self.asm.bind(differ);
        self.scalar_op(code, width, target, other);
        self.asm.bind(done);
    }

    fn round(&mut self, mode: u8, width: FloatWidth, dst: Fpr, a: Fpr) {
        let code = match width {
            FloatWidth::F32 => 0x0a,
            FloatWidth::F64 => 0x0b,
        };
        self.scalar_unary(VecOp::three_operands(Op::three_a(code)), dst, a);
        self.asm.immediate(mode);
    }
}

impl FloatMasm for X64Masm {
    fn float(&mut self, op: FloatOp, width: FloatWidth, dst: Fpr, a: Fpr, b: Fpr) {
        match op {
            FloatOp::Add | FloatOp::Mul => {
                let op = arithmetic(op, width);
                self.commutative_vec(op, dst, a, b);
            }
            FloatOp::Sub | FloatOp::Div => {
                let op = arithmetic(op, width);
                self.ordered_vec(op, dst, a, b);
            }
            // Zeros of either sign compare equal: the signs of both decide.
            FloatOp::Min => self.extremum(MIN, OR, width, [dst, a, b]),
            FloatOp::Max => self.extremum(MAX, AND, width, [dst, a, b]),
            FloatOp::Copysign => {
                // The sign is taken before the destination, which may be `b`, is written.
                self.vec_constant(bitwise(AND), XMM_PRIVATE, b, signs(width));
                self.vec_constant(bitwise(AND), dst, a, !signs(width));
                self.bitwise(OR, dst, XMM_PRIVATE);
            }
        }
    }

    fn float_from(&mut self, op: FloatOp, width: FloatWidth, dst: Fpr, a: Fpr, b: FloatSource) {
        let b = match b {
            FloatSource::Mem(mem) => Rm::Mem(mem),
            FloatSource::Constant(bits) => Rm::Constant(self.scalar_constant(bits)),
        };
        let a = if self.asm.has_avx {
            a
        } else {
            self.float_mov(FloatPart::F64, dst, a);
            dst
        };
        self.accesses_here();
        self.vec_three(arithmetic(op, width), Width::W32, dst, a, b);
    }

    fn float_unary(&mut self, op: FloatUnary, width: FloatWidth, dst: Fpr, a: Fpr) {
        match op {
            FloatUnary::Abs => self.vec_constant(bitwise(AND), dst, a, !signs(width)),
            FloatUnary::Neg => self.vec_constant(bitwise(XOR), dst, a, signs(width)),
            FloatUnary::Sqrt => {
                self.scalar_unary(scalar_three(0x51, width), dst, a);
            }
            // Bit 3 suppresses the precision exception.
            FloatUnary::Nearest => self.round(8, width, dst, a),
            FloatUnary::Floor => self.round(9, width, dst, a),
            FloatUnary::Ceil => self.round(10, width, dst, a),
            FloatUnary::Trunc => self.round(11, width, dst, a),
        }
    }

    fn float_compare(&mut self, cond: FloatCond, width: FloatWidth, dst: Gpr, a: Fpr, b: Fpr) {
        self.check_operands(&[dst]);
        let [other, _] = self.private;
        match comparison(cond) {
            Comparison::Flags { swapped, cc } => {
                let (a, b) = if swapped { (b, a) } else { (a, b) };
                self.asm.zero(dst);
                self.unordered_compare(width, a, b);
                self.asm.set(cc, dst);
            }
            Comparison::Equal => {
                self.asm.zero(other);
                self.asm.zero(dst);
                self.unordered_compare(width, a, b);
                self.asm.set(Cc::NotParity, dst);
                self.asm.cmov(Cc::NotEqual, Width::W32, dst, other);
            }
            Comparison::NotEqual => {
                self.imm(other, 1);
                self.asm.zero(dst);
                self.unordered_compare(width, a, b);
                self.asm.set(Cc::Parity, dst);
                self.asm.cmov(Cc::NotEqual, Width::W32, dst, other);
            }
        }
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
        match (comparison(cond), negated) {
            (Comparison::Flags { swapped, cc }, negated) => {
                let (a, b) = if swapped { (b, a) } else { (a, b) };
                self.unordered_compare(width, a, b);
                let cc = if negated { cc.negate() } else { cc };
                self.asm.jump_near_or_far(Some(cc), target);
            }
            (Comparison::Equal, false) | (Comparison::NotEqual, true) => {
                let unordered = self.asm.label();
                self.unordered_compare(width, a, b);
                self.asm.jump_short(Cc::Parity, unordered);
                self.asm.jump_near_or_far(Some(Cc::Equal), target);
                self.asm.bind(unordered);
            }
            (Comparison::Equal, true) | (Comparison::NotEqual, false) => {
                self.unordered_compare(width, a, b);
                self.asm.jump_near_or_far(Some(Cc::Parity), target);
                self.asm.jump_near_or_far(Some(Cc::NotEqual), target);
            }
        }
    }

    fn float_from_int(&mut self, from: FromInt, width: FloatWidth, dst: Fpr, src: Gpr) {
        self.check_operands(&[src]);
        self.bitwise(XOR, dst, dst);
        let convert = scalar_three(0x2a, width);
        match from {
            FromInt::I32S => self.asm.vec_emit(convert, Width::W32, dst.0, src),
            // The upper half is clear: the value is the same as a signed 64-bit integer.
            FromInt::I32U | FromInt::I64S => self.asm.vec_emit(convert, Width::W64, dst.0, src),
            FromInt::I64U => {
                let large = self.asm.label();
                let done = self.asm.label();
                self.asm.test(Width::W64, src);
                self.asm.jump_short(Cc::Sign, large);
                self.asm.vec_emit(convert, Width::W64, dst.0, src);
                self.asm.jump_always_short(done);
                self.asm.bind(large);
                // Half of it, odd if a bit got lost, rounds as the whole would; doubling is exact.
                let [half, lost] = self.private;
                self.asm.mov_always(Width::W64, half, src);
                self.asm.mov_always(Width::W32, lost, src);
                self.asm.shift_imm(Shift::Shr, Width::W64, half, 1);
                self.asm.group_imm(Group::And, Width::W32, lost, 1);
                self.asm.group(Group::Or, Width::W64, half, lost);
                self.asm.vec_emit(convert, Width::W64, dst.0, half);
                self.scalar_op(ADD, width, dst, dst);
                self.asm.bind(done);
            }
        }
    }

    fn float_convert(&mut self, to: FloatWidth, dst: Fpr, src: Fpr) {
        let from = match to {
            FloatWidth::F32 => FloatWidth::F64,
            FloatWidth::F64 => FloatWidth::F32,
        };
        self.scalar_unary(scalar_three(0x5a, from), dst, src);
    }

    fn truncate(&mut self, to: ToInt, from: FloatWidth, dst: Gpr, src: Fpr, slow: DynamicLabel) {
        // The instructions answer the least integer when the value does not fit; where that is a
        // legal result, it is left to the slow path as well.
        self.check_operands(&[dst]);
        let truncate = VecOp::two_operands(Op::two(0x2c).with(scalar(from)));
        match to {
            ToInt::I32S | ToInt::I64S => {
                let width = match to {
                    ToInt::I32S | ToInt::I32U => Width::W32,
                    ToInt::I64S | ToInt::I64U => Width::W64,
                };
                self.asm.vec_emit(truncate, width, dst.0, Rm::Reg(src.0));
                // Only the least integer overflows here.
                self.asm.group_imm(Group::Cmp, width, dst, 1);
                self.asm.jump_near_or_far(Some(Cc::Overflow), slow);
            }
            ToInt::I32U => {
                // Whatever does not fit has a bit in the upper half of the 64-bit result.
                self.asm
                    .vec_emit(truncate, Width::W64, dst.0, Rm::Reg(src.0));
                let [low, _] = self.private;
                self.asm.mov_always(Width::W32, low, dst);
                self.asm.group(Group::Cmp, Width::W64, low, dst);
                self.asm.jump_near_or_far(Some(Cc::NotEqual), slow);
            }
            ToInt::I64U => {
                self.asm
                    .vec_emit(truncate, Width::W64, dst.0, Rm::Reg(src.0));
                self.asm.test(Width::W64, dst);
                self.asm.jump_near_or_far(Some(Cc::Sign), slow);
            }
        }
    }

    fn truncate_saturating(
        &mut self,
        to: ToInt,
        from: FloatWidth,
        dst: Gpr,
        src: Fpr,
        slow: DynamicLabel,
    ) -> bool {
        self.truncate(to, from, dst, src, slow);
        false
    }
}
