//! The macro-assembler of x86_64: its buffer, moves, memory accesses and control flow.
//!
//! Constants of floats and vectors and the tables of `jump_table` lie behind the code and are
//! addressed from the instruction pointer, so that a function is one relocatable block of bytes.
//! Arithmetic is in [`super::int`], [`super::float`], [`super::vector`] and [`super::lanes`].

use std::collections::HashMap;

use dynasmrt::x64::X64Relocation;
use dynasmrt::{DynamicLabel, DynasmApi, DynasmLabelApi, VecAssembler};
use zwasm_core::TrapCode;
use zwasm_core::fuel::PIECE_UNITS_MAX;

use super::encode::{Cc, Group, Op, Rm, Unary};
use super::float::arithmetic;
use super::regs::{FILE, R11, RAX, RBP, RCX, RDX, RSP};
use super::vector::instruction;
use crate::masm::{
    AluOp, Charge, Clobber, Clobbers, Cond, DivOp, FloatCond, FloatOp, FloatPart, FloatSource,
    FloatUnary, FloatWidth, Fpr, FrameSize, FromInt, Gpr, IntUnary, LoadOp, Masm, Mem, MulHigh,
    Operand, RegisterFile, StackCheck, StoreOp, Target, ToInt, Width,
};

/// Instructions beyond the baseline that the processor has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// `lzcnt`.
    pub lzcnt: bool,
    /// `tzcnt`, `andn`.
    pub bmi1: bool,
    /// `shlx`, `shrx`, `sarx`, `rorx`.
    pub bmi2: bool,
    /// `popcnt`.
    pub popcnt: bool,
    /// `shld` and `shrd` are a single operation.
    pub fast_shld: bool,
    /// SSE up to 4.2: the vector operations, and roundings of floats.
    pub sse42: bool,
    /// The encodings with three operands, of vectors of 16 bytes.
    pub avx: bool,
    /// Multiplication and addition rounded once; there is AVX then.
    pub fma: bool,
}

impl Features {
    /// Everything that the backend can use.
    pub const ALL: Features = Features {
        lzcnt: true,
        bmi1: true,
        bmi2: true,
        popcnt: true,
        fast_shld: true,
        sse42: true,
        avx: true,
        fma: true,
    };
}

/// A constant behind the code.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Constant {
    bits: u128,
    /// Whether all 16 bytes are stored; otherwise the low 8 are, the others being clear.
    is_vector: bool,
}

/// Generates x86_64 code.
pub struct X64Masm {
    pub(super) asm: VecAssembler<X64Relocation>,
    pub(super) features: Features,
    /// What operations may overwrite.
    pub(super) private: [Gpr; 2],
    /// Frame sizes and charges to be written at the end: offset, immediate.
    patches: Vec<(u32, u32)>,
    /// Where displacements from the frame pointer to the end of the frame are to be written.
    frame_ends: Vec<u32>,
    constants: Vec<(Constant, DynamicLabel)>,
    constant_labels: HashMap<Constant, DynamicLabel>,
    tables: Vec<(DynamicLabel, Vec<DynamicLabel>)>,
    last_access: u32,
    /// Behind which instruction the zero flag is that of which register.
    zero_flag: Option<(u32, Gpr, Width)>,
}

/// The prefix of the scalar instructions of a precision.
pub(super) const fn scalar(width: FloatWidth) -> u8 {
    match width {
        FloatWidth::F32 => 0xf3,
        FloatWidth::F64 => 0xf2,
    }
}

/// Integers of the size of a float.
const fn bits_width(width: FloatWidth) -> Width {
    match width {
        FloatWidth::F32 => Width::W32,
        FloatWidth::F64 => Width::W64,
    }
}

impl X64Masm {
    /// The private registers are overwritten within operations; the second one, where it is
    /// allocated, within few ([`Masm::clobbers`]).
    pub(super) fn check_operands(&self, operands: &[Gpr]) {
        let is_private = |operand: Gpr| {
            operand == self.private[0] || operand == self.private[1] && operand != R11
        };
        debug_assert!(
            operands
                .iter()
                .all(|&operand| !is_private(operand) && operand != RSP),
            "the private registers and rsp are operands of moves only"
        );
    }

    /// 16 bytes behind the code, at an address that is a multiple of 16.
    pub(super) fn vector_constant(&mut self, bits: u128) -> DynamicLabel {
        self.constant(Constant {
            bits,
            is_vector: true,
        })
    }

    /// Eight bytes behind the code.
    pub(super) fn scalar_constant(&mut self, bits: u64) -> DynamicLabel {
        self.constant(Constant {
            bits: bits.into(),
            is_vector: false,
        })
    }

    fn constant(&mut self, constant: Constant) -> DynamicLabel {
        if let Some(&label) = self.constant_labels.get(&constant) {
            return label;
        }
        let label = self.asm.new_dynamic_label();
        self.constants.push((constant, label));
        self.constant_labels.insert(constant, label);
        label
    }

    /// Binds a label: what comes here may come from elsewhere.
    pub(super) fn bind_here(&mut self, label: DynamicLabel) {
        self.zero_flag = None;
        self.asm.dynamic_label(label);
    }

    /// The instruction just emitted sets the zero flag by its result in a register.
    pub(super) fn sets_zero_flag(&mut self, register: Gpr, width: Width) {
        self.zero_flag = Some((self.offset(), register, width));
    }

    /// Whether the zero flag says if a register is zero.
    pub(super) fn has_zero_flag(&self, register: Gpr, width: Width) -> bool {
        self.zero_flag == Some((self.offset(), register, width))
    }

    /// The next instruction is the one that accesses memory.
    pub(super) fn accesses_here(&mut self) {
        self.last_access = self.offset();
    }

    /// Goes to the slow path when an address is below the limit in the structure at `limits`.
    fn compare_with_limit(&mut self, address: Gpr, limits: Gpr, check: StackCheck<DynamicLabel>) {
        let limit = Rm::Mem(Mem::at(limits, check.limit_offset));
        self.emit(
            Op::one((Group::Cmp as u8) << 3 | 3),
            Width::W64,
            address.0,
            limit,
        );
        self.jump_near_or_far(Some(Cc::Below), check.slow);
    }

    fn set_frame_end(&mut self, size_bytes: u32) {
        assert!(
            size_bytes.is_multiple_of(16) && size_bytes <= i32::MAX as u32,
            "a frame is a multiple of 16 bytes and below 2 GiB"
        );
        let displacement = (size_bytes as i32).wrapping_neg().cast_unsigned();
        let ends = std::mem::take(&mut self.frame_ends);
        self.patches
            .extend(ends.into_iter().map(|at| (at, displacement)));
    }

    /// Appends the constants: those of 16 bytes first, so that padding occurs once.
    fn append_constants(&mut self) {
        let constants = std::mem::take(&mut self.constants);
        let (large, small): (Vec<_>, Vec<_>) = constants
            .into_iter()
            .partition(|&(constant, _)| constant.is_vector);
        if !large.is_empty() {
            self.asm.align(16, 0xcc);
        }
        for (constant, label) in large {
            self.asm.dynamic_label(label);
            self.asm.extend(constant.bits.to_le_bytes());
        }
        if !small.is_empty() {
            self.asm.align(8, 0xcc);
        }
        for (constant, label) in small {
            self.asm.dynamic_label(label);
            self.asm.extend((constant.bits as u64).to_le_bytes());
        }
    }

    /// Appends the tables: offsets of the targets from the entries themselves, in 8 bytes.
    fn append_tables(&mut self) {
        for (label, targets) in std::mem::take(&mut self.tables) {
            self.asm.align(8, 0xcc);
            self.asm.dynamic_label(label);
            for target in targets {
                let bound = self.asm.labels().resolve_dynamic(target);
                let bound = bound.expect("every target of a table is bound").0 as i64;
                self.asm.push_i64(bound - self.asm.offset().0 as i64);
            }
        }
    }
}

/// `lea` alone shifts.
fn folds_shift(op: AluOp, count: u64) -> bool {
    op == AluOp::Add && matches!(count, 1..=3)
}

impl Masm for X64Masm {
    type Label = DynamicLabel;
    type Features = Features;

    const FILE: &'static RegisterFile = &FILE;

    fn new() -> X64Masm {
        X64Masm::with_features(Features::default())
    }

    fn with_features(features: Features) -> X64Masm {
        X64Masm {
            asm: VecAssembler::new(0),
            features,
            private: [RCX, RDX],
            patches: Vec::new(),
            frame_ends: Vec::new(),
            constants: Vec::new(),
            constant_labels: HashMap::new(),
            tables: Vec::new(),
            last_access: 0,
            zero_flag: None,
        }
    }

    fn with_far_branches(features: Features) -> X64Masm {
        X64Masm::with_features(features)
    }

    fn features(&self) -> Features {
        self.features
    }

    fn target(features: Features) -> Target {
        // The count goes to `rcx` first.
        const COUNT: &[Clobber] = &[Clobber {
            register: RCX,
            may_hold_second: true,
            may_hold_result: false,
        }];
        // Dividend and remainder, or product.
        const UPPER: &[Clobber] = &[Clobber {
            register: RDX,
            may_hold_second: false,
            may_hold_result: true,
        }];
        const SECOND_SCRATCH: &[Clobber] = &[Clobber {
            register: R11,
            may_hold_second: false,
            may_hold_result: false,
        }];
        Target {
            file: &FILE,
            has_vectors: features.sse42,
            has_fused: features.fma,
            has_sums: true,
            has_funnel_shift: features.fast_shld,
            two_address: true,
            folds_loads: true,
            folds_vector: if features.avx {
                |op| instruction(op).is_some()
            } else {
                |_| false
            },
            folds_shift,
            // Constants of 16 bits make decoders stall.
            stores_constant: |op, _| op != StoreOp::B2,
            clobbers: Clobbers {
                shift: if features.bmi2 { &[] } else { COUNT },
                rotate: COUNT,
                wide: UPPER,
                popcnt: if features.popcnt { &[] } else { SECOND_SCRATCH },
                from_u64: SECOND_SCRATCH,
            },
        }
    }

    fn reserve(&mut self, bytes: usize) {
        self.asm.reserve_ops(bytes);
    }

    fn allocate_rare(&mut self) {
        self.private = FILE.scratch;
    }

    fn in_reach(&self) -> bool {
        // Branches reach 2 GiB.
        true
    }

    fn label(&mut self) -> DynamicLabel {
        self.asm.new_dynamic_label()
    }

    fn bind(&mut self, label: DynamicLabel) {
        self.bind_here(label);
    }

    fn offset(&self) -> u32 {
        self.asm.offset().0 as u32
    }

    fn finish(mut self) -> Vec<u8> {
        self.append_constants();
        self.append_tables();
        let mut code = self.asm.finalize().expect("every label is bound once");
        for (offset, immediate) in self.patches {
            let at = offset as usize;
            code[at..at + 4].copy_from_slice(&immediate.to_le_bytes());
        }
        code
    }

    fn enter(&mut self) -> FrameSize {
        self.asm.push(0x55);
        self.mov_always(Width::W64, RBP, RSP);
        // The 32-bit form, whatever the size will be.
        self.emit(Op::one(0x81), Width::W64, Group::Sub as u8, RSP);
        let at = FrameSize(self.offset());
        self.asm.push_i32(0);
        at
    }

    fn set_frame_size(&mut self, at: FrameSize, size_bytes: u32) {
        self.patches.push((at.0, size_bytes));
        self.set_frame_end(size_bytes);
    }

    fn set_large_frame_size(
        &mut self,
        at: FrameSize,
        size_bytes: u32,
        check: StackCheck<DynamicLabel>,
        back: DynamicLabel,
    ) {
        // In place of `sub rsp, size`: a jump of five bytes, and nothing of two.
        let begin = at.0 - 3;
        let jump = self.offset().wrapping_sub(begin + 5).to_le_bytes();
        let [a, b, c, d] = jump;
        self.patches
            .push((begin, u32::from_le_bytes([0xe9, a, b, c])));
        self.patches
            .push((at.0, u32::from_le_bytes([c, d, 0x66, 0x90])));
        self.load(LoadOp::U64, R11, Mem::at(FILE.context, check.limits_offset));
        self.lea(Width::W64, RAX, Mem::at(RSP, -(size_bytes as i32)));
        self.compare_with_limit(RAX, R11, check);
        self.mov_always(Width::W64, RSP, RAX);
        self.jump(back);
        self.set_frame_end(size_bytes);
    }

    fn restore_stack(&mut self) {
        // lea rsp, [rbp + displacement], the 32-bit form, whatever it will be.
        for byte in [0x48, 0x8d, 0xa5] {
            self.asm.push(byte);
        }
        self.frame_ends.push(self.offset());
        self.asm.push_i32(0);
    }

    fn leave(&mut self) {
        self.mov_always(Width::W64, RSP, RBP);
        self.asm.push(0x5d);
        self.ret();
    }

    fn here(&mut self, dst: Gpr) {
        // lea dst, [rip - 7]: the instruction is seven bytes long.
        self.asm.push(0x48 | (dst.0 >> 3) << 2);
        self.asm.push(0x8d);
        self.asm.push((dst.0 & 7) << 3 | 0b101);
        self.asm.push_i32(-7);
    }

    fn leave_to(&mut self, mem: Mem) {
        self.mov_always(Width::W64, RSP, RBP);
        self.asm.push(0x5d);
        self.jump_to(mem);
    }

    fn check_stack(&mut self, check: StackCheck<DynamicLabel>) {
        self.load(LoadOp::U64, R11, Mem::at(FILE.context, check.limits_offset));
        self.compare_with_limit(RSP, R11, check);
    }

    fn charge(&mut self, limits_offset: i32, counter_offset: i32, empty: DynamicLabel) -> Charge {
        self.load(LoadOp::U64, R11, Mem::at(FILE.context, limits_offset));
        let counter = Rm::Mem(Mem::at(R11, counter_offset));
        // The 32-bit form, whatever the amount will be.
        self.emit(Op::one(0x81), Width::W64, Group::Sub as u8, counter);
        let at = Charge(self.offset());
        self.asm.push_i32(0);
        self.jump_near_or_far(Some(Cc::Less), empty);
        at
    }

    fn set_charge(&mut self, at: Charge, amount: u32) {
        assert!(amount <= PIECE_UNITS_MAX, "pieces are short");
        self.patches.push((at.0, amount));
    }

    fn imm(&mut self, dst: Gpr, value: u64) {
        if value == 0 {
            self.zero(dst);
        } else if let Ok(value) = u32::try_from(value) {
            if dst.0 >= 8 {
                self.asm.push(0x41);
            }
            self.asm.push(0xb8 | dst.0 & 7);
            self.asm.push_u32(value);
        } else if let Ok(value) = i32::try_from(value.cast_signed()) {
            self.emit(Op::one(0xc7), Width::W64, 0, dst);
            self.asm.push_i32(value);
        } else {
            self.asm.push(0x48 | dst.0 >> 3);
            self.asm.push(0xb8 | dst.0 & 7);
            self.asm.push_u64(value);
        }
    }

    fn mov(&mut self, width: Width, dst: Gpr, src: Gpr) {
        // The upper half of a 32-bit value is clear already.
        if dst != src {
            self.mov_always(width, dst, src);
        }
    }

    fn float_mov(&mut self, part: FloatPart, dst: Fpr, src: Fpr) {
        match part {
            // Scalar moves between registers would merge with what the destination held.
            FloatPart::F32 | FloatPart::F64 | FloatPart::V128 => {
                if dst != src {
                    self.vec_emit(Op::two(0x28), Width::W32, dst.0, src);
                }
            }
        }
    }

    fn float_from_bits(&mut self, width: FloatWidth, dst: Fpr, src: Gpr) {
        self.vec_emit(Op::two(0x6e).with(0x66), bits_width(width), dst.0, src);
    }

    fn float_to_bits(&mut self, width: FloatWidth, dst: Gpr, src: Fpr) {
        self.vec_emit(Op::two(0x7e).with(0x66), bits_width(width), src.0, dst);
    }

    fn vector_imm(&mut self, dst: Fpr, low: u64, high: u64) {
        let bits = u128::from(high) << 64 | u128::from(low);
        if bits == 0 {
            self.vec_emit(Op::two(0x57), Width::W32, dst.0, dst);
        } else if bits == u128::MAX {
            self.vec_emit(Op::two(0x76).with(0x66), Width::W32, dst.0, dst);
        } else {
            let is_vector = high != 0;
            let constant = Rm::Constant(self.constant(Constant { bits, is_vector }));
            let op = if high == 0 {
                Op::two(0x10).with(scalar(FloatWidth::F64))
            } else {
                Op::two(0x10)
            };
            self.vec_emit(op, Width::W32, dst.0, constant);
        }
    }

    fn load(&mut self, op: LoadOp, dst: Gpr, mem: Mem) {
        let (code, width) = match op {
            LoadOp::U8 => (Op::two(0xb6), Width::W32),
            LoadOp::U16 => (Op::two(0xb7), Width::W32),
            LoadOp::U32 => (Op::one(0x8b), Width::W32),
            LoadOp::U64 => (Op::one(0x8b), Width::W64),
            LoadOp::S8To32 => (Op::two(0xbe), Width::W32),
            LoadOp::S16To32 => (Op::two(0xbf), Width::W32),
            LoadOp::S8To64 => (Op::two(0xbe), Width::W64),
            LoadOp::S16To64 => (Op::two(0xbf), Width::W64),
            LoadOp::S32To64 => (Op::one(0x63), Width::W64),
        };
        self.last_access = self.offset();
        self.emit(code, width, dst.0, Rm::Mem(mem));
    }

    fn store(&mut self, op: StoreOp, src: Gpr, mem: Mem) {
        self.last_access = self.offset();
        let mem = Rm::Mem(mem);
        match op {
            StoreOp::B1 => self.emit_byte(Op::one(0x88), src.0, mem),
            StoreOp::B2 => self.emit(Op::one(0x89).with(0x66), Width::W32, src.0, mem),
            StoreOp::B4 => self.emit(Op::one(0x89), Width::W32, src.0, mem),
            StoreOp::B8 => self.emit(Op::one(0x89), Width::W64, src.0, mem),
        }
    }

    fn store_constant(&mut self, op: StoreOp, value: i32, mem: Mem) {
        self.last_access = self.offset();
        let mem = Rm::Mem(mem);
        match op {
            StoreOp::B1 => {
                self.emit(Op::one(0xc6), Width::W32, 0, mem);
                self.asm.push_i8(value as i8);
            }
            StoreOp::B2 => unreachable!("not as a constant"),
            StoreOp::B4 | StoreOp::B8 => {
                let width = if op == StoreOp::B8 {
                    Width::W64
                } else {
                    Width::W32
                };
                self.emit(Op::one(0xc7), width, 0, mem);
                self.asm.push_i32(value);
            }
        }
    }

    fn float_load(&mut self, part: FloatPart, dst: Fpr, mem: Mem) {
        self.last_access = self.offset();
        self.vec_emit(float_access(part, 0x10), Width::W32, dst.0, Rm::Mem(mem));
    }

    fn float_store(&mut self, part: FloatPart, src: Fpr, mem: Mem) {
        self.last_access = self.offset();
        self.vec_emit(float_access(part, 0x11), Width::W32, src.0, Rm::Mem(mem));
    }

    fn last_access(&self) -> u32 {
        self.last_access
    }

    fn address(&mut self, dst: Gpr, mem: Mem) {
        match mem {
            Mem {
                base,
                index: None,
                displacement: 0,
            } => self.mov(Width::W64, dst, base),
            mem => self.lea(Width::W64, dst, mem),
        }
    }

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
        self.emit(Op::one(0x8d), width, dst.0, sum);
    }

    fn and_not(&mut self, width: Width, dst: Gpr, a: Gpr, b: Gpr) {
        self.check_operands(&[dst, a, b]);
        if self.features.bmi1 {
            self.vex(Op::ANDN, width, dst.0, b.0, a);
            return;
        }
        let negated = if dst == a { self.private[0] } else { dst };
        self.mov(width, negated, b);
        self.unary(Unary::Not, width, negated);
        let other = if dst == a { negated } else { a };
        self.group(Group::And, width, dst, other);
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
        self.emit(op, width, other.0, dst);
        self.asm.push(count as u8);
    }

    fn multiply_high(&mut self, op: MulHigh, dst: Gpr, a: Gpr, b: Gpr) {
        self.multiply_wide(op, dst, a, b);
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
        self.divide(op, width, [dst, a, b], by_zero, overflow);
    }

    fn int_unary(&mut self, op: IntUnary, width: Width, dst: Gpr, a: Gpr) {
        self.count_or_extend(op, width, dst, a);
    }

    fn compare(&mut self, cond: Cond, width: Width, dst: Gpr, a: Gpr, b: Operand) {
        self.compare_to_register(cond, width, dst, a, b);
    }

    fn branch_if(&mut self, cond: Cond, width: Width, a: Gpr, b: Operand, target: DynamicLabel) {
        let cc = self.flags(cond, width, a, b);
        self.jump_near_or_far(Some(cc), target);
    }

    fn branch_if_memory(&mut self, cond: Cond, load: LoadOp, a: Mem, b: i32, target: DynamicLabel) {
        let cc = self.memory_flags(cond, load, a, b);
        self.jump_near_or_far(Some(cc), target);
    }

    fn select(&mut self, cond: Cond, width: Width, a: Gpr, b: Operand, dst: Gpr, x: Gpr, y: Gpr) {
        let cc = self.flags(cond, width, a, b);
        self.select_by_flags(cc, [dst, x, y]);
    }

    fn float(&mut self, op: FloatOp, width: FloatWidth, dst: Fpr, a: Fpr, b: Fpr) {
        self.float_binary(op, width, dst, a, b);
    }

    fn float_from(&mut self, op: FloatOp, width: FloatWidth, dst: Fpr, a: Fpr, b: FloatSource) {
        let b = match b {
            FloatSource::Mem(mem) => Rm::Mem(mem),
            FloatSource::Constant(bits) => Rm::Constant(self.scalar_constant(bits)),
        };
        let a = if self.features.avx {
            a
        } else {
            self.float_mov(FloatPart::F64, dst, a);
            dst
        };
        self.accesses_here();
        self.vec_three(arithmetic(op, width), Width::W32, dst, a, b);
    }

    fn float_unary(&mut self, op: FloatUnary, width: FloatWidth, dst: Fpr, a: Fpr) {
        self.float_one_operand(op, width, dst, a);
    }

    fn float_compare(&mut self, cond: FloatCond, width: FloatWidth, dst: Gpr, a: Fpr, b: Fpr) {
        self.float_compare_to_register(cond, width, dst, a, b);
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
        self.float_branch(cond, negated, width, [a, b], target);
    }

    fn float_from_int(&mut self, from: FromInt, width: FloatWidth, dst: Fpr, src: Gpr) {
        self.convert_from_int(from, width, dst, src);
    }

    fn float_convert(&mut self, to: FloatWidth, dst: Fpr, src: Fpr) {
        self.convert_float(to, dst, src);
    }

    fn truncate(&mut self, to: ToInt, from: FloatWidth, dst: Gpr, src: Fpr, slow: DynamicLabel) {
        self.truncate_or_leave(to, from, dst, src, slow);
    }

    fn truncate_saturating(
        &mut self,
        to: ToInt,
        from: FloatWidth,
        dst: Gpr,
        src: Fpr,
        slow: DynamicLabel,
    ) -> bool {
        self.truncate_or_leave(to, from, dst, src, slow);
        false
    }

    fn jump(&mut self, target: DynamicLabel) {
        self.jump_near_or_far(None, target);
    }

    fn jump_table(&mut self, index: Gpr, targets: &[DynamicLabel]) {
        self.check_operands(&[index]);
        let [entry, _] = self.private;
        let table = self.asm.new_dynamic_label();
        self.tables.push((table, targets.to_vec()));
        let lea = Op::one(0x8d);
        self.emit(lea, Width::W64, entry.0, Rm::Constant(table));
        let place = Rm::Scaled {
            displacement: 0,
            base: entry,
            index,
            log2: 3,
        };
        self.emit(lea, Width::W64, entry.0, place);
        let offset = Rm::Mem(Mem::at(entry, 0));
        self.emit(Op::one(0x03), Width::W64, entry.0, offset);
        self.emit(Op::one(0xff), Width::W32, 4, entry);
    }

    fn trap(&mut self, _code: TrapCode) {
        // Which trap it is comes from the side table of trap sites.
        self.asm.extend([0x0f, 0x0b]);
    }

    fn call_label(&mut self, target: DynamicLabel) {
        self.asm.push(0xe8);
        self.relocation_32(target);
    }

    fn call(&mut self, mem: Mem) {
        self.emit(Op::one(0xff), Width::W32, 2, Rm::Mem(mem));
    }

    fn jump_to(&mut self, mem: Mem) {
        self.emit(Op::one(0xff), Width::W32, 4, Rm::Mem(mem));
    }

    fn ret(&mut self) {
        self.asm.push(0xc3);
    }
}

/// The move between memory and a float register whose unaligned vector form has opcode `code`.
const fn float_access(part: FloatPart, code: u8) -> Op {
    match part {
        FloatPart::F32 => Op::two(code).with(scalar(FloatWidth::F32)),
        FloatPart::F64 => Op::two(code).with(scalar(FloatWidth::F64)),
        FloatPart::V128 => Op::two(code),
    }
}
