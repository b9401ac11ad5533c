//! The macro-assembler of x86_64: its buffer, moves, memory accesses and control flow.
//!
//! Constants of floats and vectors and the tables of `jump_table` lie behind the code and are
//! addressed from the instruction pointer, so that a function is one relocatable block of bytes.
//! Arithmetic is in [`super::int`], [`super::float`], [`super::vector`] and [`super::lanes`].

use std::collections::HashMap;

use dynasmrt::DynamicLabel;
use zwasm_core::TrapCode;
use zwasm_core::fuel::PIECE_UNITS_MAX;

use super::encode::{Assembler, Cc, Group, Op, Rm, VecOp};
use super::regs::{FILE, R11, RAX, RBP, RCX, RDX, RSP};
use super::vector::{instruction, sse2, sse2_two};
use crate::masm::{
    AluOp, Charge, Clobber, Clobbers, FloatPart, FloatWidth, Fpr, FrameSize, Gpr, Labels, LoadOp,
    Masm, Mem, RegisterFile, StackCheck, StoreOp, Target, Width,
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
    pub(super) asm: Assembler,
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
        let label = self.asm.label();
        self.constants.push((constant, label));
        self.constant_labels.insert(constant, label);
        label
    }

    /// The next instruction is the one that accesses memory.
    pub(super) fn accesses_here(&mut self) {
        self.last_access = self.offset();
    }

    /// Goes to the slow path when an address is below the limit in the structure at `limits`.
    fn compare_with_limit(&mut self, address: Gpr, limits: Gpr, check: StackCheck<DynamicLabel>) {
        let limit = Rm::Mem(Mem::at(limits, check.limit_offset));
        self.asm.emit(
            Op::one((Group::Cmp as u8) << 3 | 3),
            Width::W64,
            address.0,
            limit,
        );
        self.asm.jump_near_or_far(Some(Cc::Below), check.slow);
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
            self.asm.align(16);
        }
        for (constant, label) in large {
            self.asm.bind(label);
            self.asm.data(&constant.bits.to_le_bytes());
        }
        if !small.is_empty() {
            self.asm.align(8);
        }
        for (constant, label) in small {
            self.asm.bind(label);
            self.asm.data(&(constant.bits as u64).to_le_bytes());
        }
    }

    /// Appends the tables: offsets of the targets from the entries themselves, in 8 bytes.
    fn append_tables(&mut self) {
        for (label, targets) in std::mem::take(&mut self.tables) {
            self.asm.align(8);
            self.asm.bind(label);
            for target in targets {
                let bound = self.asm.bound(target);
                let bound = i64::from(bound.expect("every target of a table is bound"));
                let offset = bound - i64::from(self.offset());
                self.asm.data(&offset.to_le_bytes());
            }
        }
    }
}

/// `lea` alone shifts.
pub(super) fn folds_shift(op: AluOp, count: u64) -> bool {
    op == AluOp::Add && matches!(count, 1..=3)
}

impl Labels for X64Masm {
    type Label = DynamicLabel;

    fn label(&mut self) -> DynamicLabel {
        self.asm.label()
    }

    fn bind(&mut self, label: DynamicLabel) {
        self.asm.bind(label);
    }

    fn align(&mut self, bytes: usize) {
        self.asm.align_with_nops(bytes);
    }
}

impl Masm for X64Masm {
    type Features = Features;

    const FILE: &'static RegisterFile = &FILE;

    fn new() -> X64Masm {
        X64Masm::with_features(Features::default())
    }

    fn with_features(features: Features) -> X64Masm {
        X64Masm {
            asm: Assembler::new(features.avx),
            features,
            private: [RCX, RDX],
            patches: Vec::new(),
            frame_ends: Vec::new(),
            constants: Vec::new(),
            constant_labels: HashMap::new(),
            tables: Vec::new(),
            last_access: 0,
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
            compares_later: true,
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
        self.asm.reserve(bytes);
    }

    fn allocate_rare(&mut self) {
        self.private = FILE.scratch;
    }

    fn in_reach(&self) -> bool {
        // Branches reach 2 GiB.
        true
    }

    fn offset(&self) -> u32 {
        self.asm.offset()
    }

    fn finish(mut self) -> Vec<u8> {
        self.append_constants();
        self.append_tables();
        let mut code = self.asm.finish();
        for (offset, immediate) in self.patches {
            let at = offset as usize;
            code[at..at + 4].copy_from_slice(&immediate.to_le_bytes());
        }
        code
    }

    fn enter(&mut self) -> FrameSize {
        self.asm.push_frame();
        self.asm.mov_always(Width::W64, RBP, RSP);
        FrameSize(self.asm.group_imm_later(Group::Sub, Width::W64, RSP))
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
        self.asm
            .lea(Width::W64, RAX, Mem::at(RSP, -(size_bytes as i32)));
        self.compare_with_limit(RAX, R11, check);
        self.asm.mov_always(Width::W64, RSP, RAX);
        self.jump(back);
        self.set_frame_end(size_bytes);
    }

    fn restore_stack(&mut self) {
        let at = self.asm.stack_from_frame_later();
        self.frame_ends.push(at);
    }

    fn leave(&mut self) {
        self.asm.mov_always(Width::W64, RSP, RBP);
        self.asm.pop_frame();
        self.ret();
    }

    fn here(&mut self, dst: Gpr) {
        self.asm.here(dst);
    }

    fn leave_to(&mut self, mem: Mem) {
        self.asm.mov_always(Width::W64, RSP, RBP);
        self.asm.pop_frame();
        self.jump_to(mem);
    }

    fn check_stack(&mut self, check: StackCheck<DynamicLabel>) {
        self.load(LoadOp::U64, R11, Mem::at(FILE.context, check.limits_offset));
        self.compare_with_limit(RSP, R11, check);
    }

    fn charge(&mut self, limits_offset: i32, counter_offset: i32, empty: DynamicLabel) -> Charge {
        self.load(LoadOp::U64, R11, Mem::at(FILE.context, limits_offset));
        let counter = Rm::Mem(Mem::at(R11, counter_offset));
        let at = Charge(self.asm.group_imm_later(Group::Sub, Width::W64, counter));
        self.asm.jump_near_or_far(Some(Cc::Less), empty);
        at
    }

    fn set_charge(&mut self, at: Charge, amount: u32) {
        assert!(amount <= PIECE_UNITS_MAX, "pieces are short");
        self.patches.push((at.0, amount));
    }

    fn imm(&mut self, dst: Gpr, value: u64) {
        if value == 0 {
            self.asm.zero(dst);
        } else {
            self.asm.mov_imm(dst, value);
        }
    }

    fn mov(&mut self, width: Width, dst: Gpr, src: Gpr) {
        // The upper half of a 32-bit value is clear already.
        if dst != src {
            self.asm.mov_always(width, dst, src);
        }
    }

    fn float_mov(&mut self, part: FloatPart, dst: Fpr, src: Fpr) {
        match part {
            // Scalar moves between registers would merge with what the destination held.
            FloatPart::F32 | FloatPart::F64 | FloatPart::V128 => {
                if dst != src {
                    self.asm
                        .vec_emit(VecOp::two_operands(Op::two(0x28)), Width::W32, dst.0, src);
                }
            }
        }
    }

    fn float_from_bits(&mut self, width: FloatWidth, dst: Fpr, src: Gpr) {
        self.asm
            .vec_emit(sse2_two(0x6e), bits_width(width), dst.0, src);
    }

    fn float_to_bits(&mut self, width: FloatWidth, dst: Gpr, src: Fpr) {
        self.asm
            .vec_emit(sse2_two(0x7e), bits_width(width), src.0, dst);
    }

    fn vector_imm(&mut self, dst: Fpr, low: u64, high: u64) {
        let bits = u128::from(high) << 64 | u128::from(low);
        if bits == 0 {
            self.asm
                .vec_emit(VecOp::three_operands(Op::two(0x57)), Width::W32, dst.0, dst);
        } else if bits == u128::MAX {
            self.asm.vec_emit(sse2(0x76), Width::W32, dst.0, dst);
        } else {
            let is_vector = high != 0;
            let constant = Rm::Constant(self.constant(Constant { bits, is_vector }));
            let part = if high == 0 {
                FloatPart::F64
            } else {
                FloatPart::V128
            };
            let op = float_access(part, 0x10);
            self.asm.vec_emit(op, Width::W32, dst.0, constant);
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
        self.asm.emit(code, width, dst.0, Rm::Mem(mem));
    }

    fn store(&mut self, op: StoreOp, src: Gpr, mem: Mem) {
        self.last_access = self.offset();
        let mem = Rm::Mem(mem);
        match op {
            StoreOp::B1 => self.asm.emit_byte(Op::one(0x88), src.0, mem),
            StoreOp::B2 => self
                .asm
                .emit(Op::one(0x89).with(0x66), Width::W32, src.0, mem),
            StoreOp::B4 => self.asm.emit(Op::one(0x89), Width::W32, src.0, mem),
            StoreOp::B8 => self.asm.emit(Op::one(0x89), Width::W64, src.0, mem),
        }
    }

    fn store_constant(&mut self, op: StoreOp, value: i32, mem: Mem) {
        self.last_access = self.offset();
        match op {
            StoreOp::B1 => self.asm.store_byte_imm(mem, value as u8),
            StoreOp::B2 => unreachable!("not as a constant"),
            StoreOp::B4 => self.asm.store_imm(Width::W32, Rm::Mem(mem), value),
            StoreOp::B8 => self.asm.store_imm(Width::W64, Rm::Mem(mem), value),
        }
    }

    fn float_load(&mut self, part: FloatPart, dst: Fpr, mem: Mem) {
        self.last_access = self.offset();
        self.asm
            .vec_emit(float_access(part, 0x10), Width::W32, dst.0, Rm::Mem(mem));
    }

    fn float_store(&mut self, part: FloatPart, src: Fpr, mem: Mem) {
        self.last_access = self.offset();
        self.asm
            .vec_emit(float_access(part, 0x11), Width::W32, src.0, Rm::Mem(mem));
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
            mem => self.asm.lea(Width::W64, dst, mem),
        }
    }

    fn jump(&mut self, target: DynamicLabel) {
        self.asm.jump_near_or_far(None, target);
    }

    fn jump_table(&mut self, index: Gpr, targets: &[DynamicLabel]) {
        self.check_operands(&[index]);
        let [entry, _] = self.private;
        let table = self.asm.label();
        self.tables.push((table, targets.to_vec()));
        let lea = Op::one(0x8d);
        self.asm.emit(lea, Width::W64, entry.0, Rm::Constant(table));
        let place = Rm::Scaled {
            displacement: 0,
            base: entry,
            index,
            log2: 3,
        };
        self.asm.emit(lea, Width::W64, entry.0, place);
        let offset = Rm::Mem(Mem::at(entry, 0));
        self.asm.emit(Op::one(0x03), Width::W64, entry.0, offset);
        self.asm.jump_to(entry);
    }

    fn trap(&mut self, _code: TrapCode) {
        // Which trap it is comes from the side table of trap sites.
        self.asm.undefined();
    }

    fn call_label(&mut self, target: DynamicLabel) {
        self.asm.call_label(target);
    }

    fn call(&mut self, mem: Mem) {
        self.asm.call(Rm::Mem(mem));
    }

    fn jump_to(&mut self, mem: Mem) {
        self.asm.jump_to(Rm::Mem(mem));
    }

    fn ret(&mut self) {
        self.asm.ret();
    }
}

/// The move between memory and a float register whose unaligned vector form has opcode `code`.
const fn float_access(part: FloatPart, code: u8) -> VecOp {
    let op = Op::two(code);
    VecOp::two_operands(match part {
        FloatPart::F32 => op.with(scalar(FloatWidth::F32)),
        FloatPart::F64 => op.with(scalar(FloatWidth::F64)),
        FloatPart::V128 => op,
    })
}
