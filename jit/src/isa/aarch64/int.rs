//! Integer arithmetic on ARM64.
//!
//! Three-operand instructions, so aliasing takes care of itself as long as nothing writes the
//! destination before the last read of an operand. Constants that no instruction can hold go
//! through `x15`, which is never an operand.

use dynasmrt::DynamicLabel;

use super::encode::{AddImm, Bitfield, Cc, LogicalImm, Test, Three, Two};
use super::masm::{A64Masm, folds_shift};
use super::regs::{FILE, FLOAT_PRIVATE, PRIVATE, PRIVATE_2, ZERO};
use crate::masm::{
    AluOp, Cond, DivOp, FloatWidth, Gpr, IntMasm, IntUnary, LoadOp, Masm, Mem, MulHigh, Operand,
    StoreOp, Width,
};

/// A constant as an operand of this width.
fn operand_bits(width: Width, value: i32) -> u64 {
    match width {
        Width::W32 => u64::from(value.cast_unsigned()),
        Width::W64 => i64::from(value).cast_unsigned(),
    }
}

const fn condition(cond: Cond) -> Cc {
    match cond {
        Cond::Eq => Cc::Eq,
        Cond::Ne => Cc::Ne,
        Cond::LtS => Cc::Lt,
        Cond::LtU => Cc::Lo,
        Cond::GtS => Cc::Gt,
        Cond::GtU => Cc::Hi,
        Cond::LeS => Cc::Le,
        Cond::LeU => Cc::Ls,
        Cond::GeS => Cc::Ge,
        Cond::GeU => Cc::Hs,
    }
}

impl A64Masm {
    /// A second operand out of memory.
    fn load_second(&mut self, width: Width, mem: Mem) -> Gpr {
        let op = match width {
            Width::W32 => LoadOp::U32,
            Width::W64 => LoadOp::U64,
        };
        self.load(op, PRIVATE_2, mem);
        PRIVATE_2
    }

    /// The instruction of an operation that has one.
    pub(super) const fn three_of(op: AluOp) -> Three {
        match op {
            AluOp::Add => Three::Add,
            AluOp::Sub => Three::Sub,
            AluOp::And => Three::And,
            AluOp::Or => Three::Orr,
            AluOp::Xor => Three::Eor,
            AluOp::Mul => Three::Mul,
            AluOp::Shl => Three::Lslv,
            AluOp::ShrS => Three::Asrv,
            AluOp::ShrU => Three::Lsrv,
            AluOp::Rotl | AluOp::Rotr => Three::Rorv,
        }
    }

    /// `dst = a op b`.
    fn alu_registers(&mut self, op: AluOp, width: Width, dst: Gpr, a: Gpr, b: Gpr) {
        let mut count = b;
        if op == AluOp::Rotl {
            // Left by n is right by -n, modulo the width.
            self.asm.three(Three::Sub, Width::W32, PRIVATE, ZERO, b);
            count = PRIVATE;
        }
        self.asm.three(Self::three_of(op), width, dst, a, count);
    }

    /// `dst = a op b`, in the cheapest way for `b`.
    fn alu_constant(&mut self, op: AluOp, width: Width, dst: Gpr, a: Gpr, b: i32) {
        Self::check_operands(&[dst, a]);
        match op {
            AluOp::Add => self.add_constant(width, dst, a, b),
            AluOp::Sub => match b.checked_neg() {
                Some(negative) => self.add_constant(width, dst, a, negative),
                None => self.through_register(op, width, dst, a, b),
            },
            AluOp::And => match b {
                0 => self.imm(dst, 0),
                -1 => self.mov(width, dst, a),
                b => self.logical_constant(LogicalImm::And, op, width, [dst, a], b),
            },
            AluOp::Or => match b {
                0 => self.mov(width, dst, a),
                b => self.logical_constant(LogicalImm::Orr, op, width, [dst, a], b),
            },
            AluOp::Xor => match b {
                0 => self.mov(width, dst, a),
                -1 => self.asm.three(Three::Orn, width, dst, ZERO, a),
                b => self.logical_constant(LogicalImm::Eor, op, width, [dst, a], b),
            },
            AluOp::Mul => self.multiply_constant(width, dst, a, b),
            AluOp::Shl | AluOp::ShrS | AluOp::ShrU | AluOp::Rotl | AluOp::Rotr => {
                self.shift_constant(op, width, dst, a, b);
            }
        }
    }

    fn through_register(&mut self, op: AluOp, width: Width, dst: Gpr, a: Gpr, b: i32) {
        self.imm(PRIVATE, operand_bits(width, b));
        self.alu_registers(op, width, dst, a, PRIVATE);
    }

    fn logical_constant(
        &mut self,
        imm: LogicalImm,
        op: AluOp,
        width: Width,
        [dst, a]: [Gpr; 2],
        b: i32,
    ) {
        if !self
            .asm
            .logical_imm(imm, width, dst, a, operand_bits(width, b))
        {
            self.through_register(op, width, dst, a, b);
        }
    }

    fn multiply_constant(&mut self, width: Width, dst: Gpr, a: Gpr, b: i32) {
        match b {
            0 => self.imm(dst, 0),
            1 => self.mov(width, dst, a),
            -1 => self.asm.three(Three::Sub, width, dst, ZERO, a),
            b if b > 0 && b.count_ones() == 1 => {
                self.shift_constant(AluOp::Shl, width, dst, a, b.trailing_zeros() as i32);
            }
            b if b > 0 && (b - 1).count_ones() == 1 => {
                let count = (b - 1).trailing_zeros();
                self.asm
                    .three_shifted(Three::Add, width, [dst, a, a], count);
            }
            b => self.through_register(AluOp::Mul, width, dst, a, b),
        }
    }

    fn shift_constant(&mut self, op: AluOp, width: Width, dst: Gpr, a: Gpr, count: i32) {
        let bits = width.bits();
        let count = count.cast_unsigned() & (bits - 1);
        if count == 0 {
            self.mov(width, dst, a);
            return;
        }
        match op {
            AluOp::Shl => {
                let rotate = bits - count;
                self.asm
                    .bitfield(Bitfield::Unsigned, width, [dst, a], rotate, rotate - 1);
            }
            AluOp::ShrU => self
                .asm
                .bitfield(Bitfield::Unsigned, width, [dst, a], count, bits - 1),
            AluOp::ShrS => self
                .asm
                .bitfield(Bitfield::Signed, width, [dst, a], count, bits - 1),
            AluOp::Rotl => self.asm.rotate_imm(width, dst, a, bits - count),
            AluOp::Rotr => self.asm.rotate_imm(width, dst, a, count),
            AluOp::Add | AluOp::Sub | AluOp::And | AluOp::Or | AluOp::Xor | AluOp::Mul => {
                unreachable!("the caller passes shifts only")
            }
        }
    }

    /// Sets the flags of `a - b` and says which condition is `cond`.
    fn flags(&mut self, cond: Cond, width: Width, a: Gpr, b: Operand) -> Cc {
        match b {
            Operand::Reg(b) => self.asm.three(Three::Subs, width, ZERO, a, b),
            Operand::Imm(b) => {
                // Adding the negative sets the same flags, but for 0.
                let op = if b < 0 { AddImm::Adds } else { AddImm::Subs };
                if !self.asm.add_imm(op, width, ZERO, a, b.unsigned_abs()) {
                    self.imm(PRIVATE, operand_bits(width, b));
                    self.asm.three(Three::Subs, width, ZERO, a, PRIVATE);
                }
            }
            Operand::Mem(b) => {
                let b = self.load_second(width, b);
                self.asm.three(Three::Subs, width, ZERO, a, b);
            }
            Operand::Shl(..) => unreachable!("comparisons do not shift"),
        }
        condition(cond)
    }

    /// As `flags`, for a branch.
    fn test(&mut self, cond: Cond, width: Width, a: Gpr, b: Operand) -> Test {
        match (cond, b) {
            (Cond::Eq, Operand::Imm(0)) => Test::Zero(width, a),
            (Cond::Ne, Operand::Imm(0)) => Test::NotZero(width, a),
            (cond, b) => Test::Flags(self.flags(cond, width, a, b)),
        }
    }
}

impl IntMasm for A64Masm {
    fn alu(&mut self, op: AluOp, width: Width, dst: Gpr, a: Gpr, b: Operand) {
        match b {
            Operand::Reg(b) => self.alu_registers(op, width, dst, a, b),
            Operand::Imm(b) => self.alu_constant(op, width, dst, a, b),
            Operand::Mem(b) => {
                let b = self.load_second(width, b);
                self.alu_registers(op, width, dst, a, b);
            }
            Operand::Shl(b, count) => {
                assert!(folds_shift(op, count.into()), "{op:?} does not shift");
                let op = Self::three_of(op);
                self.asm.three_shifted(op, width, [dst, a, b], count.into());
            }
        }
    }

    fn and_not(&mut self, width: Width, dst: Gpr, a: Gpr, b: Gpr) {
        self.asm.three(Three::Bic, width, dst, a, b);
    }

    fn funnel_shift(&mut self, width: Width, dst: Gpr, a: Gpr, b: Gpr, count: u32) {
        self.asm.extract(width, [dst, a, b], width.bits() - count);
    }

    fn sum(&mut self, width: Width, dst: Gpr, a: Gpr, b: Operand, c: i32) {
        self.alu(AluOp::Add, width, dst, a, b);
        self.alu(AluOp::Add, width, dst, dst, Operand::Imm(c));
    }

    fn multiply_high(&mut self, op: MulHigh, dst: Gpr, a: Gpr, b: Gpr) {
        let op = match op {
            MulHigh::Signed => Three::Smulh,
            MulHigh::Unsigned => Three::Umulh,
        };
        self.asm.three(op, Width::W64, dst, a, b);
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
        Self::check_operands(&[dst, a, b]);
        self.asm.branch_when(Test::Zero(width, b), by_zero);
        match op {
            DivOp::DivS => {
                // b == -1 and then a - 1 overflows: a is the least value.
                self.asm.add_imm(AddImm::Adds, width, ZERO, b, 1);
                self.asm.ccmp_1(Cc::Eq, width, a, 0);
                self.asm.branch_when(Test::Flags(Cc::Vs), overflow);
                self.asm.three(Three::Sdiv, width, dst, a, b);
            }
            DivOp::DivU => self.asm.three(Three::Udiv, width, dst, a, b),
            // The least value by -1 gives itself, and the remainder comes out as 0.
            DivOp::RemS => {
                self.asm.three(Three::Sdiv, width, PRIVATE, a, b);
                self.asm.multiply_subtract(width, [dst, PRIVATE, b, a]);
            }
            DivOp::RemU => {
                self.asm.three(Three::Udiv, width, PRIVATE, a, b);
                self.asm.multiply_subtract(width, [dst, PRIVATE, b, a]);
            }
        }
    }

    fn int_unary(&mut self, op: IntUnary, width: Width, dst: Gpr, a: Gpr) {
        match op {
            IntUnary::Clz => self.asm.two(Two::Clz, width, dst, a),
            IntUnary::Ctz => {
                self.asm.two(Two::Rbit, width, dst, a);
                self.asm.two(Two::Clz, width, dst, dst);
            }
            IntUnary::Popcnt => {
                // Only the vector unit counts; the upper half of a 32-bit value is clear.
                self.float_from_bits(FloatWidth::F64, FLOAT_PRIVATE, a);
                // cnt v.8b; addv b, v.8b
                self.asm
                    .float_two(0x0e20_5800, FloatWidth::F32, FLOAT_PRIVATE, FLOAT_PRIVATE);
                self.asm
                    .float_two(0x0e31_b800, FloatWidth::F32, FLOAT_PRIVATE, FLOAT_PRIVATE);
                self.float_to_bits(FloatWidth::F32, dst, FLOAT_PRIVATE);
            }
            IntUnary::SwapBytes => match width {
                Width::W32 => self.asm.two(Two::Rev32, width, dst, a),
                Width::W64 => self.asm.two(Two::Rev64, width, dst, a),
            },
            IntUnary::Extend8S => self.asm.bitfield(Bitfield::Signed, width, [dst, a], 0, 7),
            IntUnary::Extend16S => self.asm.bitfield(Bitfield::Signed, width, [dst, a], 0, 15),
            IntUnary::Extend32S => match width {
                Width::W32 => self.mov(width, dst, a),
                Width::W64 => self.asm.bitfield(Bitfield::Signed, width, [dst, a], 0, 31),
            },
            // Also when both are one register.
            IntUnary::Wrap => self.asm.mov_always(Width::W32, dst, a),
        }
    }

    fn compare(&mut self, cond: Cond, width: Width, dst: Gpr, a: Gpr, b: Operand) {
        let cc = self.flags(cond, width, a, b);
        self.asm.cset(cc, dst);
    }

    fn branch_if(&mut self, cond: Cond, width: Width, a: Gpr, b: Operand, target: DynamicLabel) {
        let test = self.test(cond, width, a, b);
        self.asm.branch_when(test, target);
    }

    fn increment(&mut self, mem: Mem) {
        let [first, second] = FILE.scratch;
        let value = if mem.base == first { second } else { first };
        self.load(LoadOp::U32, value, mem);
        self.alu(AluOp::Add, Width::W32, value, value, Operand::Imm(1));
        self.store(StoreOp::B4, value, mem);
    }

    fn branch_if_memory(&mut self, cond: Cond, load: LoadOp, a: Mem, b: i32, target: DynamicLabel) {
        let width = match load {
            LoadOp::U64 => Width::W64,
            _ => Width::W32,
        };
        self.load(load, PRIVATE, a);
        let test = self.test(cond, width, PRIVATE, Operand::Imm(b));
        self.asm.branch_when(test, target);
    }

    fn branch_if_memory_later(&mut self, _: Cond, _: Mem, _: DynamicLabel) -> u32 {
        unreachable!("a load costs as much as a constant that is written later")
    }

    fn select(&mut self, cond: Cond, width: Width, a: Gpr, b: Operand, dst: Gpr, x: Gpr, y: Gpr) {
        let cc = self.flags(cond, width, a, b);
        self.asm.csel(cc, dst, x, y);
    }
}
