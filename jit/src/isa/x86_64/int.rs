//! Integer arithmetic on x86_64.
//!
//! Two-operand instructions: the sequences below copy only where the destination is not the first
//! operand, and never write the destination before the last read of an operand it may alias.
//! Moves between the instruction that sets flags and the one that reads them use `mov`, which
//! leaves flags alone, never `imm`, which may be an `xor`.

use dynasmrt::DynamicLabel;

use super::encode::{Cc, Group, Op, Rm, Shift, Unary, VexOp};
use super::masm::{X64Masm, folds_shift};
use super::regs::{RAX, RCX, RDX};
use crate::masm::{
    AluOp, Cond, DivOp, Gpr, IntMasm, IntUnary, LoadOp, Masm, Mem, MulHigh, Operand, Width,
};

/// `base + index`, both scaled by 1.
const fn sum(base: Gpr, index: Gpr) -> Mem {
    Mem {
        base,
        index: Some(index),
        displacement: 0,
    }
}

const fn condition(cond: Cond) -> Cc {
    match cond {
        Cond::Eq => Cc::Equal,
        Cond::Ne => Cc::NotEqual,
        Cond::LtS => Cc::Less,
        Cond::LtU => Cc::Below,
        Cond::GtS => Cc::Greater,
        Cond::GtU => Cc::Above,
        Cond::LeS => Cc::LessEqual,
        Cond::LeU => Cc::BelowEqual,
        Cond::GeS => Cc::GreaterEqual,
        Cond::GeU => Cc::AboveEqual,
    }
}

/// `reg op= rm`, the direction that the memory operand needs.
const fn group_from_memory(group: Group) -> Op {
    Op::one((group as u8) << 3 | 3)
}

impl X64Masm {
    /// `dst = a op b`.
    fn alu_registers(&mut self, op: AluOp, width: Width, dst: Gpr, a: Gpr, b: Gpr) {
        match op {
            AluOp::Add => {
                if dst == a {
                    self.asm.group(Group::Add, width, dst, b);
                } else if dst == b {
                    self.asm.group(Group::Add, width, dst, a);
                } else {
                    self.asm.lea(width, dst, sum(a, b));
                }
            }
            AluOp::Sub => {
                if a == b {
                    self.asm.zero(dst);
                } else if dst == b {
                    self.asm.unary(Unary::Neg, width, dst);
                    self.asm.group(Group::Add, width, dst, a);
                } else {
                    self.mov(width, dst, a);
                    self.asm.group(Group::Sub, width, dst, b);
                }
            }
            AluOp::And => self.commutative(Group::And, width, dst, a, b),
            AluOp::Or => self.commutative(Group::Or, width, dst, a, b),
            AluOp::Xor => self.commutative(Group::Xor, width, dst, a, b),
            AluOp::Mul => {
                let other = if dst == b {
                    a
                } else {
                    self.mov(width, dst, a);
                    b
                };
                self.asm.emit(Op::two(0xaf), width, dst.0, other);
            }
            AluOp::Shl => self.shift(Shift::Shl, width, dst, a, b),
            AluOp::ShrS => self.shift(Shift::Sar, width, dst, a, b),
            AluOp::ShrU => self.shift(Shift::Shr, width, dst, a, b),
            AluOp::Rotl => self.shift(Shift::Rol, width, dst, a, b),
            AluOp::Rotr => self.shift(Shift::Ror, width, dst, a, b),
        }
    }

    /// `dst = a op [b]`.
    fn alu_memory(&mut self, op: AluOp, width: Width, dst: Gpr, a: Gpr, b: Mem) {
        let reads_dst = b.base == dst || b.index == Some(dst);
        if dst != a && reads_dst {
            let loaded = if op.commutes() { dst } else { self.private[0] };
            self.accesses_here();
            self.asm.emit(Op::one(0x8b), width, loaded.0, Rm::Mem(b));
            return self.alu_registers(op, width, dst, a, loaded);
        }
        self.mov(width, dst, a);
        let code = match op {
            AluOp::Add => group_from_memory(Group::Add),
            AluOp::Sub => group_from_memory(Group::Sub),
            AluOp::And => group_from_memory(Group::And),
            AluOp::Or => group_from_memory(Group::Or),
            AluOp::Xor => group_from_memory(Group::Xor),
            AluOp::Mul => Op::two(0xaf),
            AluOp::Shl | AluOp::ShrS | AluOp::ShrU | AluOp::Rotl | AluOp::Rotr => {
                unreachable!("counts are not in memory")
            }
        };
        self.accesses_here();
        self.asm.emit(code, width, dst.0, Rm::Mem(b));
        if op != AluOp::Mul {
            self.asm.sets_zero_flag(dst, width);
        }
    }

    fn commutative(&mut self, group: Group, width: Width, dst: Gpr, a: Gpr, b: Gpr) {
        if dst == b {
            self.asm.group(group, width, dst, a);
        } else {
            self.mov(width, dst, a);
            self.asm.group(group, width, dst, b);
        }
    }

    fn shift(&mut self, shift: Shift, width: Width, dst: Gpr, a: Gpr, count: Gpr) {
        if self.features.bmi2 {
            let op = match shift {
                Shift::Shl => Some(VexOp::SHLX),
                Shift::Sar => Some(VexOp::SARX),
                Shift::Shr => Some(VexOp::SHRX),
                Shift::Rol | Shift::Ror => None,
            };
            if let Some(op) = op {
                self.asm.vex(op, width, dst.0, count.0, a);
                return;
            }
        }
        debug_assert!(dst != RCX && a != RCX || a == count, "it holds the count");
        self.mov(Width::W32, RCX, count);
        self.mov(width, dst, a);
        self.asm.shift_cl(shift, width, dst);
    }

    /// `dst = a op b`, in the cheapest way for `b`.
    fn alu_constant(&mut self, op: AluOp, width: Width, dst: Gpr, a: Gpr, b: i32) {
        match op {
            AluOp::Add => self.add_constant(width, dst, a, b),
            AluOp::Sub => match b.checked_neg() {
                Some(negative) => self.add_constant(width, dst, a, negative),
                None => {
                    self.mov(width, dst, a);
                    self.asm.group_imm(Group::Sub, width, dst, b);
                }
            },
            AluOp::And => self.and_constant(width, dst, a, b),
            AluOp::Or => match b {
                0 => self.mov(width, dst, a),
                b => {
                    self.mov(width, dst, a);
                    self.asm.group_imm(Group::Or, width, dst, b);
                }
            },
            AluOp::Xor => {
                self.mov(width, dst, a);
                match b {
                    0 => {}
                    -1 => self.asm.unary(Unary::Not, width, dst),
                    b => self.asm.group_imm(Group::Xor, width, dst, b),
                }
            }
            AluOp::Mul => self.multiply_constant(width, dst, a, b),
            AluOp::Shl => self.shift_constant(Shift::Shl, width, dst, a, b),
            AluOp::ShrS => self.shift_constant(Shift::Sar, width, dst, a, b),
            AluOp::ShrU => self.shift_constant(Shift::Shr, width, dst, a, b),
            AluOp::Rotl => self.shift_constant(Shift::Rol, width, dst, a, b),
            AluOp::Rotr => self.shift_constant(Shift::Ror, width, dst, a, b),
        }
    }

    fn add_constant(&mut self, width: Width, dst: Gpr, a: Gpr, b: i32) {
        if b == 0 {
            self.mov(width, dst, a);
        } else if dst != a {
            self.asm.lea(width, dst, Mem::at(a, b));
        } else if b == 128 {
            // -128 has an 8-bit form.
            self.asm.group_imm(Group::Sub, width, dst, -128);
        } else {
            self.asm.group_imm(Group::Add, width, dst, b);
        }
    }

    fn and_constant(&mut self, width: Width, dst: Gpr, a: Gpr, b: i32) {
        match b {
            0 => self.asm.zero(dst),
            -1 => self.mov(width, dst, a),
            0xff => self
                .asm
                .emit(Op::two(0xb6), Width::W32, dst.0, Rm::Byte(a.0)),
            0xffff => self.asm.emit(Op::two(0xb7), Width::W32, dst.0, a),
            1.. => {
                // The upper half comes out clear either way.
                self.mov(Width::W32, dst, a);
                self.asm.group_imm(Group::And, Width::W32, dst, b);
            }
            ..-1 => {
                self.mov(width, dst, a);
                self.asm.group_imm(Group::And, width, dst, b);
            }
        }
    }

    fn multiply_constant(&mut self, width: Width, dst: Gpr, a: Gpr, b: i32) {
        match b {
            0 => self.asm.zero(dst),
            1 => self.mov(width, dst, a),
            -1 => {
                self.mov(width, dst, a);
                self.asm.unary(Unary::Neg, width, dst);
            }
            2 => self.alu_registers(AluOp::Add, width, dst, a, a),
            3 | 5 | 9 => {
                let log2 = (b - 1).trailing_zeros() as u8;
                let sum = Rm::Scaled {
                    base: a,
                    index: a,
                    log2,
                    displacement: 0,
                };
                self.asm.emit(Op::one(0x8d), width, dst.0, sum);
            }
            b if b > 0 && b.count_ones() == 1 => {
                self.mov(width, dst, a);
                self.asm
                    .shift_imm(Shift::Shl, width, dst, b.trailing_zeros() as u8);
            }
            b => self.asm.multiply_imm(width, dst, a, b),
        }
    }

    fn shift_constant(&mut self, shift: Shift, width: Width, dst: Gpr, a: Gpr, count: i32) {
        let bits = width.bits() as u8;
        let count = count as u8 & (bits - 1);
        if count == 0 {
            self.mov(width, dst, a);
            return;
        }
        if dst != a && self.features.bmi2 {
            let right = match shift {
                Shift::Rol => Some(bits - count),
                Shift::Ror => Some(count),
                Shift::Shl | Shift::Shr | Shift::Sar => None,
            };
            if let Some(right) = right {
                self.asm.vex(VexOp::RORX, width, dst.0, 0, a);
                self.asm.immediate(right);
                return;
            }
        }
        self.mov(width, dst, a);
        self.asm.shift_imm(shift, width, dst, count);
    }

    /// A counting instruction; some processors make it wait for the destination.
    fn count(&mut self, op: Op, width: Width, dst: Gpr, a: Gpr) {
        if dst != a {
            self.asm.zero(dst);
        }
        self.asm.emit(op, width, dst.0, a);
    }

    /// Sums of 1, 2 and 4 bits side by side, then of all bytes by a multiplication.
    fn count_ones_by_halves(&mut self, width: Width, dst: Gpr, a: Gpr) {
        let [sum, part] = self.private;
        let [twos, fours, halves, ones] =
            [0x55, 0x33, 0x0f, 0x01].map(|byte| Rm::Constant(self.repeated(byte)));
        let and = group_from_memory(Group::And);
        self.asm.mov_always(width, sum, a);
        self.asm.mov_always(width, part, sum);
        self.asm.shift_imm(Shift::Shr, width, part, 1);
        self.asm.emit(and, width, part.0, twos);
        self.asm.group(Group::Sub, width, sum, part);
        self.asm.mov_always(width, part, sum);
        self.asm.shift_imm(Shift::Shr, width, part, 2);
        self.asm.emit(and, width, sum.0, fours);
        self.asm.emit(and, width, part.0, fours);
        self.asm.group(Group::Add, width, sum, part);
        self.asm.mov_always(width, part, sum);
        self.asm.shift_imm(Shift::Shr, width, part, 4);
        self.asm.group(Group::Add, width, sum, part);
        self.asm.emit(and, width, sum.0, halves);
        self.asm.emit(Op::two(0xaf), width, sum.0, ones);
        self.asm.mov_always(width, dst, sum);
        self.asm
            .shift_imm(Shift::Shr, width, dst, width.bits() as u8 - 8);
    }

    /// A byte in all places.
    fn repeated(&mut self, byte: u8) -> DynamicLabel {
        self.scalar_constant(u64::from_ne_bytes([byte; 8]))
    }

    /// Sets the flags of `a - b` and says which condition is `cond`.
    fn flags(&mut self, cond: Cond, width: Width, a: Gpr, b: Operand) -> Cc {
        match b {
            Operand::Reg(b) => self.asm.group(Group::Cmp, width, a, b),
            Operand::Imm(0) => {
                let is_known =
                    matches!(cond, Cond::Eq | Cond::Ne) && self.asm.has_zero_flag(a, width);
                if !is_known {
                    self.asm.test(width, a);
                }
            }
            Operand::Imm(b) => self.asm.group_imm(Group::Cmp, width, a, b),
            Operand::Mem(b) => {
                self.accesses_here();
                self.asm
                    .emit(group_from_memory(Group::Cmp), width, a.0, Rm::Mem(b));
            }
            Operand::Shl(..) => unreachable!("comparisons do not shift"),
        }
        condition(cond)
    }
}

impl IntMasm for X64Masm {
    fn alu(&mut self, op: AluOp, width: Width, dst: Gpr, a: Gpr, b: Operand) {
        match b {
            Operand::Reg(b) => self.alu_registers(op, width, dst, a, b),
            Operand::Imm(b) => self.alu_constant(op, width, dst, a, b),
            Operand::Mem(b) => self.alu_memory(op, width, dst, a, b),
            Operand::Shl(_, log2) => {
                assert!(folds_shift(op, log2.into()), "only `lea` shifts");
                self.sum(width, dst, a, b, 0);
            }
        }
    }

    fn and_not(&mut self, width: Width, dst: Gpr, a: Gpr, b: Gpr) {
        self.check_operands(&[dst, a, b]);
        if self.features.bmi1 {
            self.asm.vex(VexOp::ANDN, width, dst.0, b.0, a);
            return;
        }
        let negated = if dst == a { self.private[0] } else { dst };
        self.mov(width, negated, b);
        self.asm.unary(Unary::Not, width, negated);
        let other = if dst == a { negated } else { a };
        self.asm.group(Group::And, width, dst, other);
    }

    fn funnel_shift(&mut self, width: Width, dst: Gpr, a: Gpr, b: Gpr, count: u32) {
        const SHLD: Op = Op::two(0xa4);
        const SHRD: Op = Op::two(0xac);
        self.check_operands(&[dst, a, b]);
        let (op, other, count) = if dst == b && dst != a {
            (SHRD, a, width.bits() - count)
        } else {
            self.mov(width, dst, a);
            (SHLD, b, count)
        };
        self.asm.emit(op, width, other.0, dst);
        self.asm.immediate(count as u8);
    }

    fn sum(&mut self, width: Width, dst: Gpr, a: Gpr, b: Operand, c: i32) {
        let sum = match b {
            Operand::Reg(index) => Rm::Mem(Mem {
                base: a,
                index: Some(index),
                displacement: c,
            }),
            Operand::Shl(index, log2) => Rm::Scaled {
                base: a,
                index,
                log2,
                displacement: c,
            },
            Operand::Imm(_) | Operand::Mem(_) => unreachable!("the operand is a register"),
        };
        self.asm.emit(Op::one(0x8d), width, dst.0, sum);
    }

    fn multiply_high(&mut self, op: MulHigh, dst: Gpr, a: Gpr, b: Gpr) {
        self.check_operands(&[dst, a, b]);
        let other = if b == RAX {
            a
        } else {
            self.mov(Width::W64, RAX, a);
            b
        };
        let op = match op {
            MulHigh::Signed => Unary::Imul,
            MulHigh::Unsigned => Unary::Mul,
        };
        self.asm.unary(op, Width::W64, other);
        self.mov(Width::W64, dst, RDX);
    }

    fn div(
        &mut self,
        op: DivOp,
        width: Width,
        dst: Gpr,
        a: Gpr,
        b: Gpr,
        by_zero: DynamicLabel,
        overflow: DynamicLabel,
    ) {
        self.check_operands(&[dst, a, b]);
        self.asm.test(width, b);
        self.asm.jump_near_or_far(Some(Cc::Equal), by_zero);
        let done = self.asm.label();
        let ordinary = self.asm.label();
        match op {
            DivOp::DivS => {
                self.asm.group_imm(Group::Cmp, width, b, -1);
                self.asm.jump_short(Cc::NotEqual, ordinary);
                // Only the least value overflows when negated.
                let [negated, _] = self.private;
                self.asm.mov_always(width, negated, a);
                self.asm.unary(Unary::Neg, width, negated);
                self.asm.jump_near_or_far(Some(Cc::Overflow), overflow);
                self.asm.bind(ordinary);
            }
            DivOp::RemS => {
                // The processor would fault on the least value; the result is 0 for all.
                self.asm.group_imm(Group::Cmp, width, b, -1);
                self.asm.jump_short(Cc::NotEqual, ordinary);
                self.asm.zero(dst);
                self.asm.jump_always_short(done);
                self.asm.bind(ordinary);
            }
            DivOp::DivU | DivOp::RemU => self.asm.bind(ordinary),
        }
        let divisor = if b == RAX {
            self.asm.mov_always(width, RCX, RAX);
            RCX
        } else {
            b
        };
        self.mov(width, RAX, a);
        match op {
            DivOp::DivS | DivOp::RemS => {
                self.asm.extend_dividend(width);
                self.asm.unary(Unary::Idiv, width, divisor);
            }
            DivOp::DivU | DivOp::RemU => {
                self.asm.zero(RDX);
                self.asm.unary(Unary::Div, width, divisor);
            }
        }
        let result = match op {
            DivOp::DivS | DivOp::DivU => RAX,
            DivOp::RemS | DivOp::RemU => RDX,
        };
        self.mov(width, dst, result);
        self.asm.bind(done);
    }

    fn int_unary(&mut self, op: IntUnary, width: Width, dst: Gpr, a: Gpr) {
        self.check_operands(&[dst, a]);
        match op {
            IntUnary::Clz => {
                if self.features.lzcnt {
                    self.count(Op::two(0xbd).with(0xf3), width, dst, a);
                } else {
                    // The highest bit's number, inverted; 2 * bits - 1 becomes bits.
                    let highest = width.bits() as i32 - 1;
                    let [none, _] = self.private;
                    self.imm(none, highest as u64 * 2 + 1);
                    self.asm.emit(Op::two(0xbd), width, dst.0, a);
                    self.asm.cmov(Cc::Equal, width, dst, none);
                    self.asm.group_imm(Group::Xor, Width::W32, dst, highest);
                }
            }
            IntUnary::Ctz => {
                if self.features.bmi1 {
                    self.count(Op::two(0xbc).with(0xf3), width, dst, a);
                } else {
                    let [none, _] = self.private;
                    self.imm(none, width.bits().into());
                    self.asm.emit(Op::two(0xbc), width, dst.0, a);
                    self.asm.cmov(Cc::Equal, width, dst, none);
                }
            }
            IntUnary::Popcnt => {
                if self.features.popcnt {
                    self.count(Op::two(0xb8).with(0xf3), width, dst, a);
                } else {
                    self.count_ones_by_halves(width, dst, a);
                }
            }
            IntUnary::SwapBytes => {
                self.mov(width, dst, a);
                self.asm.swap_bytes(width, dst);
            }
            IntUnary::Extend8S => self.asm.emit(Op::two(0xbe), width, dst.0, Rm::Byte(a.0)),
            IntUnary::Extend16S => self.asm.emit(Op::two(0xbf), width, dst.0, a),
            IntUnary::Extend32S => match width {
                Width::W32 => self.mov(width, dst, a),
                Width::W64 => self.asm.emit(Op::one(0x63), width, dst.0, a),
            },
            // Also when both are one register.
            IntUnary::Wrap => self.asm.mov_always(Width::W32, dst, a),
        }
    }

    fn compare(&mut self, cond: Cond, width: Width, dst: Gpr, a: Gpr, b: Operand) {
        let reads_dst = match b {
            Operand::Reg(b) => b == dst,
            Operand::Mem(b) => b.base == dst || b.index == Some(dst),
            Operand::Imm(_) | Operand::Shl(..) => false,
        };
        if dst == a || reads_dst {
            let cc = self.flags(cond, width, a, b);
            self.asm.set(cc, dst);
            self.asm
                .emit(Op::two(0xb6), Width::W32, dst.0, Rm::Byte(dst.0));
        } else {
            self.asm.zero(dst);
            let cc = self.flags(cond, width, a, b);
            self.asm.set(cc, dst);
        }
    }

    fn branch_if(&mut self, cond: Cond, width: Width, a: Gpr, b: Operand, target: DynamicLabel) {
        let cc = self.flags(cond, width, a, b);
        self.asm.jump_near_or_far(Some(cc), target);
    }

    fn increment(&mut self, mem: Mem) {
        self.accesses_here();
        self.asm.increment(mem);
    }

    fn branch_if_memory(&mut self, cond: Cond, load: LoadOp, a: Mem, b: i32, target: DynamicLabel) {
        self.accesses_here();
        let cond = match load {
            LoadOp::U8 => {
                self.asm.compare_byte(a, b as u8);
                // Of bytes that are not negative.
                cond.unsigned()
            }
            LoadOp::U64 => {
                self.asm
                    .group_imm_any(Group::Cmp, Width::W64, Rm::Mem(a), b);
                cond
            }
            _ => {
                self.asm
                    .group_imm_any(Group::Cmp, Width::W32, Rm::Mem(a), b);
                cond
            }
        };
        self.asm.jump_near_or_far(Some(condition(cond)), target);
    }

    fn branch_if_memory_later(&mut self, cond: Cond, a: Mem, target: DynamicLabel) -> u32 {
        self.accesses_here();
        let at = self.asm.group_imm_later(Group::Cmp, Width::W32, Rm::Mem(a));
        self.asm.jump_near_or_far(Some(condition(cond)), target);
        at
    }

    fn select(&mut self, cond: Cond, width: Width, a: Gpr, b: Operand, dst: Gpr, x: Gpr, y: Gpr) {
        let cc = self.flags(cond, width, a, b);
        if x == y {
            self.mov(Width::W64, dst, x);
        } else if dst == x {
            self.asm.cmov(cc.negate(), Width::W64, dst, y);
        } else {
            self.mov(Width::W64, dst, y);
            self.asm.cmov(cc, Width::W64, dst, x);
        }
    }
}
