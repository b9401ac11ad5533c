//! The macro-assembler of ARM64: its buffer, moves, memory accesses and control flow.
//!
//! Arithmetic is in [`super::int`], [`super::float`], [`super::vector`] and [`super::lanes`].

use std::collections::HashMap;

use dynasmrt::DynamicLabel;
use dynasmrt::aarch64::encode_floating_point_immediate;
use zwasm_core::TrapCode;
use zwasm_core::fuel::PIECE_UNITS_MAX;

use super::encode::{
    Access, AddImm, Assembler, Cc, LogicalImm, MoveWide, NEAR_BYTES, Test, Three, add_imm_word,
    double,
};
use super::regs::{FILE, FP, PRIVATE, PRIVATE_2, SP, X16, X17, ZERO};
use crate::masm::{
    AluOp, Charge, Clobbers, FloatPart, FloatWidth, Fpr, FrameSize, Gpr, Labels, LoadOp, Masm, Mem,
    RegisterFile, StackCheck, StoreOp, Target, Width,
};

const NOP: u32 = 0xd503_201f;
const BR: u32 = 0xd61f_0000;
const BLR: u32 = 0xd63f_0000;
/// `fmov` to a single; with both size bits, to a double.
const FMOV_TO_FLOAT: u32 = 0x1e27_0000;
const FMOV_FROM_FLOAT: u32 = 0x1e26_0000;

/// Generates ARM64 code.
pub struct A64Masm {
    pub(super) asm: Assembler,
    /// Words to be written at the end: offset, word.
    patches: Vec<(u32, u32)>,
    /// Where the stack pointer is to be set to the end of the frame, and what comes after.
    frame_ends: Vec<(u32, DynamicLabel)>,
    /// Entries of tables: where one is, where its table begins, where it leads.
    entries: Vec<(u32, u32, DynamicLabel)>,
    /// 16 bytes each, behind the code.
    literals: Vec<(u128, DynamicLabel)>,
    literal_labels: HashMap<u128, DynamicLabel>,
}

/// Integers of the size of a float.
const fn bits_width(width: FloatWidth) -> Width {
    match width {
        FloatWidth::F32 => Width::W32,
        FloatWidth::F64 => Width::W64,
    }
}

impl A64Masm {
    fn with(far_branches: bool) -> A64Masm {
        A64Masm {
            asm: Assembler::new(far_branches),
            patches: Vec::new(),
            frame_ends: Vec::new(),
            entries: Vec::new(),
            literals: Vec::new(),
            literal_labels: HashMap::new(),
        }
    }

    /// `dst = bits`, from behind the code unless that may be out of reach.
    pub(super) fn vector_literal(&mut self, dst: Fpr, bits: u128) {
        let (low, high) = (bits as u64, (bits >> 64) as u64);
        if self.asm.far_branches {
            self.vector_from_general(dst, low, high);
            return;
        }
        let label = match self.literal_labels.get(&bits) {
            Some(&label) => label,
            None => {
                let label = self.asm.label();
                self.literals.push((bits, label));
                self.literal_labels.insert(bits, label);
                label
            }
        };
        self.asm.load_literal(dst, label);
    }

    /// `dst = bits`, its halves through general registers.
    fn vector_from_general(&mut self, dst: Fpr, low: u64, high: u64) {
        self.imm(PRIVATE, low);
        if low == high {
            // dup v.2d, x
            self.asm
                .float_from_general(0x4e08_0c00, Width::W32, dst, PRIVATE);
            return;
        }
        self.float_from_bits(FloatWidth::F64, dst, PRIVATE);
        if high != 0 {
            self.imm(PRIVATE, high);
            // mov v.d[1], x
            self.asm
                .float_from_general(0x4e18_1c00, Width::W32, dst, PRIVATE);
        }
    }

    fn append_literals(&mut self) {
        if self.literals.is_empty() {
            return;
        }
        while !self.asm.offset().is_multiple_of(16) {
            self.asm.word(0);
        }
        for (bits, label) in std::mem::take(&mut self.literals) {
            self.asm.bind(label);
            self.asm.data(&bits.to_le_bytes());
        }
    }

    /// `x14` and `x15` are overwritten within operations.
    pub(super) fn check_operands(operands: &[Gpr]) {
        debug_assert!(
            operands
                .iter()
                .all(|&operand| operand != PRIVATE && operand != PRIVATE_2 && operand != SP),
            "x14, x15 and sp are no operands"
        );
    }

    /// Accesses memory through the registers that are never operands.
    fn access_memory(&mut self, access: Access, register: u8, mem: Mem) {
        let Mem {
            base,
            index,
            displacement,
        } = mem;
        let base = match index {
            None => base,
            Some(index) if displacement == 0 => {
                self.asm.access_indexed(access, register, base, index);
                return;
            }
            Some(index) => {
                self.add_registers(PRIVATE, base, index);
                PRIVATE
            }
        };
        if let Some(word) = access.at(displacement) {
            self.asm.access(word, register, base);
            return;
        }
        // A displacement of 24 bits is split between an addition and the access, if that can hold
        // its part.
        let (upper, lower) = (displacement & !0xfff, displacement & 0xfff);
        match access.at(lower) {
            Some(word)
                if upper > 0
                    && self
                        .asm
                        .add_imm(AddImm::Add, Width::W64, PRIVATE, base, upper as u32) =>
            {
                self.asm.access(word, register, PRIVATE);
            }
            Some(_) | None => {
                self.imm(PRIVATE_2, i64::from(displacement) as u64);
                self.asm.access_indexed(access, register, base, PRIVATE_2);
            }
        }
    }

    /// `dst = base + index`; the base may be the stack pointer.
    fn add_registers(&mut self, dst: Gpr, base: Gpr, index: Gpr) {
        if base == SP {
            self.asm.three_with_stack(Three::Add, dst, base, index);
        } else {
            self.asm.three(Three::Add, Width::W64, dst, base, index);
        }
    }

    /// `dst = a + value`; `a` may be the stack pointer.
    pub(super) fn add_constant(&mut self, width: Width, dst: Gpr, a: Gpr, value: i32) {
        let op = if value < 0 { AddImm::Sub } else { AddImm::Add };
        let magnitude = value.unsigned_abs();
        if value == 0 && a != SP {
            self.mov(width, dst, a);
        } else if self.asm.add_imm(op, width, dst, a, magnitude) {
        } else if magnitude < 0x100_0000 {
            let fits = self.asm.add_imm(op, width, dst, a, magnitude & !0xfff)
                && self.asm.add_imm(op, width, dst, dst, magnitude & 0xfff);
            assert!(fits, "two parts of 12 bits");
        } else {
            self.imm(PRIVATE_2, i64::from(value) as u64);
            match width {
                Width::W32 => self.asm.three(Three::Add, width, dst, a, PRIVATE_2),
                Width::W64 => self.add_registers(dst, a, PRIVATE_2),
            }
        }
    }

    /// Undoes `enter`.
    fn drop_frame(&mut self) {
        self.asm.add_imm(AddImm::Add, Width::W64, SP, FP, 0);
        // ldp x29, x30, [sp], #16
        self.asm.word(0xa8c1_7bfd);
    }

    /// The word of `sp = base - size_bytes`, if there is one.
    fn lower_stack(base: Gpr, size_bytes: u32) -> Option<u32> {
        add_imm_word(AddImm::Sub, Width::W64, SP, base, size_bytes)
    }

    /// `dst = fp - size_bytes`, which no instruction holds.
    fn end_of_frame(&mut self, dst: Gpr, size_bytes: u32) {
        self.imm(dst, size_bytes.into());
        self.asm.three(Three::Sub, Width::W64, dst, FP, dst);
    }

    /// Makes the word at an offset branch to the code that begins here.
    fn branch_from(&mut self, offset: u32) {
        let words = (self.offset() - offset) / 4;
        assert!(words < 1 << 25, "functions are shorter than 128 MiB");
        self.patches.push((offset, 0x1400_0000 | words));
    }

    /// Writes where the frame ends into the places that ask for it.
    fn set_frame_end(&mut self, size_bytes: u32) {
        assert!(
            size_bytes.is_multiple_of(16) && size_bytes <= i32::MAX as u32,
            "a frame is a multiple of 16 bytes and below 2 GiB"
        );
        for (at, back) in std::mem::take(&mut self.frame_ends) {
            if let Some(word) = Self::lower_stack(FP, size_bytes) {
                self.patches.push((at, word));
                continue;
            }
            self.branch_from(at);
            self.end_of_frame(X17, size_bytes);
            self.asm.add_imm(AddImm::Add, Width::W64, SP, X17, 0);
            self.jump(back);
        }
    }

    /// The first `count` 16-bit pieces of the value that differ from `piece`, and their positions.
    fn pieces(value: u64, count: u32, piece: u16) -> impl Iterator<Item = (u32, u16)> {
        (0..count)
            .map(move |position| (position, (value >> (16 * position)) as u16))
            .filter(move |&(_, bits)| bits != piece)
    }

    /// `dst = value` by a chain that starts with `first`, whose other bits are those of `piece`.
    fn chain(&mut self, first: MoveWide, width: Width, dst: Gpr, value: u64, piece: u16) {
        let count = match width {
            Width::W32 => 2,
            Width::W64 => 4,
        };
        let mut pieces = Self::pieces(value, count, piece);
        // All pieces alike: one of them starts the chain.
        let (position, bits) = pieces.next().unwrap_or((0, piece));
        self.asm
            .move_wide(first, width, dst, bits ^ piece, position);
        for (position, bits) in pieces {
            self.asm
                .move_wide(MoveWide::Movk, width, dst, bits, position);
        }
    }
}

pub(super) fn folds_shift(op: AluOp, count: u64) -> bool {
    let shifts = matches!(
        op,
        AluOp::Add | AluOp::Sub | AluOp::And | AluOp::Or | AluOp::Xor
    );
    shifts && count < 32
}

impl Labels for A64Masm {
    type Label = DynamicLabel;

    fn label(&mut self) -> DynamicLabel {
        self.asm.label()
    }

    fn bind(&mut self, label: DynamicLabel) {
        self.asm.bind(label);
    }

    fn align(&mut self, bytes: usize) {
        while !(self.offset() as usize).is_multiple_of(bytes) {
            self.asm.word(NOP);
        }
    }
}

impl Masm for A64Masm {
    /// The first version of the architecture has all that the backend uses.
    type Features = ();

    const FILE: &'static RegisterFile = &FILE;

    fn new() -> A64Masm {
        A64Masm::with(false)
    }

    fn with_features((): ()) -> A64Masm {
        A64Masm::with(false)
    }

    fn with_far_branches((): ()) -> A64Masm {
        A64Masm::with(true)
    }

    fn features(&self) {}

    fn target((): ()) -> Target {
        Target {
            file: &FILE,
            has_vectors: true,
            has_fused: true,
            has_sums: false,
            has_funnel_shift: true,
            two_address: false,
            folds_loads: false,
            compares_later: false,
            folds_vector: |_| false,
            folds_shift,
            stores_constant: |_, value| value == 0,
            // Three operands everywhere, and registers of the backend's own.
            clobbers: Clobbers::default(),
        }
    }

    fn reserve(&mut self, bytes: usize) {
        self.asm.reserve(bytes);
    }

    fn allocate_rare(&mut self) {}

    fn in_reach(&self) -> bool {
        // The literals follow at a multiple of their size.
        self.asm.far_branches
            || self.asm.offset() as usize + 16 * self.literals.len() + 16 < NEAR_BYTES
    }

    fn offset(&self) -> u32 {
        self.asm.offset()
    }

    fn finish(mut self) -> Vec<u8> {
        self.append_literals();
        for (at, table, target) in std::mem::take(&mut self.entries) {
            let bound = self.asm.bound(target);
            let bound = bound.expect("every target of a table is bound");
            self.patches.push((at, bound.wrapping_sub(table)));
        }
        let mut code = self.asm.finish();
        for (offset, word) in self.patches {
            let at = offset as usize;
            code[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
        code
    }

    fn enter(&mut self) -> FrameSize {
        // stp x29, x30, [sp, #-16]!
        self.asm.word(0xa9bf_7bfd);
        self.asm.add_imm(AddImm::Add, Width::W64, FP, SP, 0);
        let at = FrameSize(self.offset());
        self.asm.word(NOP);
        at
    }

    fn set_frame_size(&mut self, at: FrameSize, size_bytes: u32) {
        if size_bytes != 0 {
            let word = Self::lower_stack(SP, size_bytes);
            let word = word.expect("a small frame, or one of whole pages");
            self.patches.push((at.0, word));
        }
        self.set_frame_end(size_bytes);
    }

    fn set_large_frame_size(
        &mut self,
        at: FrameSize,
        size_bytes: u32,
        check: StackCheck<DynamicLabel>,
        back: DynamicLabel,
    ) {
        self.branch_from(at.0);
        self.end_of_frame(X17, size_bytes);
        self.load(LoadOp::U64, X16, Mem::at(FILE.context, check.limits_offset));
        self.load(LoadOp::U64, X16, Mem::at(X16, check.limit_offset));
        self.asm.three(Three::Subs, Width::W64, ZERO, X17, X16);
        self.asm.branch_when(Test::Flags(Cc::Lo), check.slow);
        self.asm.add_imm(AddImm::Add, Width::W64, SP, X17, 0);
        self.jump(back);
        self.set_frame_end(size_bytes);
    }

    fn restore_stack(&mut self) {
        let back = self.asm.label();
        self.frame_ends.push((self.offset(), back));
        self.asm.word(NOP);
        self.asm.bind(back);
    }

    fn leave(&mut self) {
        self.drop_frame();
        self.ret();
    }

    fn leave_to(&mut self, mem: Mem) {
        self.drop_frame();
        self.jump_to(mem);
    }

    fn here(&mut self, dst: Gpr) {
        // adr dst, #0
        self.asm.word(0x1000_0000 | u32::from(dst.0));
    }

    fn check_stack(&mut self, check: StackCheck<DynamicLabel>) {
        self.load(LoadOp::U64, X16, Mem::at(FILE.context, check.limits_offset));
        self.load(LoadOp::U64, X16, Mem::at(X16, check.limit_offset));
        self.asm.three_with_stack(Three::Subs, ZERO, SP, X16);
        self.asm.branch_when(Test::Flags(Cc::Lo), check.slow);
    }

    fn charge(&mut self, limits_offset: i32, counter_offset: i32, empty: DynamicLabel) -> Charge {
        let counter = Mem::at(X16, counter_offset);
        self.load(LoadOp::U64, X16, Mem::at(FILE.context, limits_offset));
        self.load(LoadOp::U64, X17, counter);
        let at = Charge(self.offset());
        self.asm.word(NOP);
        self.store(StoreOp::B8, X17, counter);
        self.asm.branch_when(Test::Flags(Cc::Lt), empty);
        at
    }

    fn set_charge(&mut self, at: Charge, amount: u32) {
        assert!(amount <= PIECE_UNITS_MAX, "pieces are short");
        let word = add_imm_word(AddImm::Subs, Width::W64, X17, X17, amount);
        let word = word.expect("pieces are short");
        self.patches.push((at.0, word));
    }

    fn imm(&mut self, dst: Gpr, value: u64) {
        let zeros = Self::pieces(value, 4, 0).count();
        let ones = Self::pieces(value, 4, 0xffff).count();
        let is_narrow = value >> 32 == 0;
        if zeros <= 1 {
            self.chain(MoveWide::Movz, Width::W64, dst, value, 0);
        } else if ones <= 1 {
            self.chain(MoveWide::Movn, Width::W64, dst, value, 0xffff);
        } else if is_narrow && Self::pieces(value, 2, 0xffff).count() <= 1 {
            self.chain(MoveWide::Movn, Width::W32, dst, value, 0xffff);
        } else if self
            .asm
            .logical_imm(LogicalImm::Orr, Width::W64, dst, ZERO, value)
            || is_narrow
                && self
                    .asm
                    .logical_imm(LogicalImm::Orr, Width::W32, dst, ZERO, value)
        {
        } else if zeros <= ones {
            self.chain(MoveWide::Movz, Width::W64, dst, value, 0);
        } else {
            self.chain(MoveWide::Movn, Width::W64, dst, value, 0xffff);
        }
    }

    fn mov(&mut self, width: Width, dst: Gpr, src: Gpr) {
        if dst == src {
            // The upper half of a 32-bit value is clear already.
        } else if dst == SP || src == SP {
            self.asm.add_imm(AddImm::Add, Width::W64, dst, src, 0);
        } else {
            self.asm.mov_always(width, dst, src);
        }
    }

    fn float_mov(&mut self, part: FloatPart, dst: Fpr, src: Fpr) {
        match part {
            // orr v.16b: moves of whole registers are renamed away.
            FloatPart::F32 | FloatPart::F64 | FloatPart::V128 => {
                if dst != src {
                    self.asm.vector(0x4ea0_1c00, dst, src, src);
                }
            }
        }
    }

    fn float_from_bits(&mut self, width: FloatWidth, dst: Fpr, src: Gpr) {
        self.asm
            .float_from_general(FMOV_TO_FLOAT | double(width), bits_width(width), dst, src);
    }

    fn float_to_bits(&mut self, width: FloatWidth, dst: Gpr, src: Fpr) {
        self.asm
            .general_from_float(FMOV_FROM_FLOAT | double(width), bits_width(width), dst, src);
    }

    fn vector_imm(&mut self, dst: Fpr, low: u64, high: u64) {
        if low == high && (low == 0 || low == u64::MAX) {
            // movi v.2d, all bits alike.
            let pattern = if low == 0 { 0 } else { 0x0007_03e0 };
            self.asm.word(0x6f00_e400 | pattern | u32::from(dst.0));
            return;
        }
        let short = match u32::try_from(low) {
            Ok(single) => encode_floating_point_immediate(f32::from_bits(single))
                .map(|field| (FloatWidth::F32, field)),
            // The doubles with a short form are singles, too.
            Err(_) => {
                let value = f64::from_bits(low);
                encode_floating_point_immediate(value as f32)
                    .filter(|_| f64::from(value as f32) == value)
                    .map(|field| (FloatWidth::F64, field))
            }
        };
        match short {
            _ if low == high => self.vector_from_general(dst, low, high),
            _ if high != 0 => self.vector_literal(dst, u128::from(high) << 64 | u128::from(low)),
            Some((width, field)) => {
                let word = 0x1e20_1000 | double(width) | u32::from(field) << 13;
                self.asm.word(word | u32::from(dst.0));
            }
            None => self.vector_from_general(dst, low, 0),
        }
    }

    fn load(&mut self, op: LoadOp, dst: Gpr, mem: Mem) {
        let access = match op {
            LoadOp::U8 => Access::general(0, 1),
            LoadOp::U16 => Access::general(1, 1),
            LoadOp::U32 => Access::general(2, 1),
            LoadOp::U64 => Access::general(3, 1),
            LoadOp::S8To64 => Access::general(0, 2),
            LoadOp::S16To64 => Access::general(1, 2),
            LoadOp::S32To64 => Access::general(2, 2),
            LoadOp::S8To32 => Access::general(0, 3),
            LoadOp::S16To32 => Access::general(1, 3),
        };
        self.access_memory(access, dst.0, mem);
    }

    fn store(&mut self, op: StoreOp, src: Gpr, mem: Mem) {
        let access = match op {
            StoreOp::B1 => Access::general(0, 0),
            StoreOp::B2 => Access::general(1, 0),
            StoreOp::B4 => Access::general(2, 0),
            StoreOp::B8 => Access::general(3, 0),
        };
        self.access_memory(access, src.0, mem);
    }

    fn store_constant(&mut self, op: StoreOp, value: i32, mem: Mem) {
        assert!(value == 0, "only the zero register is stored as it is");
        self.store(op, ZERO, mem);
    }

    fn float_load(&mut self, part: FloatPart, dst: Fpr, mem: Mem) {
        let access = match part {
            FloatPart::F32 => Access::float(2, 1, 2),
            FloatPart::F64 => Access::float(3, 1, 3),
            FloatPart::V128 => Access::float(0, 3, 4),
        };
        self.access_memory(access, dst.0, mem);
    }

    fn float_store(&mut self, part: FloatPart, src: Fpr, mem: Mem) {
        let access = match part {
            FloatPart::F32 => Access::float(2, 0, 2),
            FloatPart::F64 => Access::float(3, 0, 3),
            FloatPart::V128 => Access::float(0, 2, 4),
        };
        self.access_memory(access, src.0, mem);
    }

    fn last_access(&self) -> u32 {
        self.asm.last_access
    }

    fn address(&mut self, dst: Gpr, mem: Mem) {
        match mem.index {
            None => self.add_constant(Width::W64, dst, mem.base, mem.displacement),
            Some(index) => {
                self.add_registers(dst, mem.base, index);
                self.add_constant(Width::W64, dst, dst, mem.displacement);
            }
        }
    }

    fn jump(&mut self, target: DynamicLabel) {
        self.asm.branch_always(target);
    }

    fn jump_table(&mut self, index: Gpr, targets: &[DynamicLabel]) {
        Self::check_operands(&[index]);
        let table = self.asm.label();
        self.asm.address_of(PRIVATE, table);
        self.asm.load_entry(PRIVATE_2, PRIVATE, index);
        self.asm
            .three(Three::Add, Width::W64, PRIVATE, PRIVATE, PRIVATE_2);
        self.asm.branch_register(BR, PRIVATE);
        self.asm.bind(table);
        let start = self.offset();
        for &target in targets {
            let at = self.offset();
            self.entries.push((at, start, target));
            self.asm.word(0);
        }
    }

    fn trap(&mut self, code: TrapCode) {
        // brk; the handler finds the code in the side table, the operand is for debuggers.
        self.asm.word(0xd420_0000 | (code as u32) << 5);
    }

    fn call_label(&mut self, target: DynamicLabel) {
        self.asm.call_near(target);
    }

    fn call(&mut self, mem: Mem) {
        self.load(LoadOp::U64, X16, mem);
        self.asm.branch_register(BLR, X16);
    }

    fn jump_to(&mut self, mem: Mem) {
        self.load(LoadOp::U64, X16, mem);
        self.asm.branch_register(BR, X16);
    }

    fn ret(&mut self) {
        self.asm.word(0xd65f_03c0);
    }
}
