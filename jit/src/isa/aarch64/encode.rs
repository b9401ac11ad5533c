//! The instruction formats of ARM64.
//!
//! An instruction is a word: a constant with the register numbers in bits 0 to 4 (destination), 5
//! to 9 and 16 to 20 (sources), bit 31 for 64-bit operations and bit 22 for double precision.
//! Constants are checked against what a format can hold before anything is emitted; the methods
//! that return `bool` emit nothing when they return false. Buffer, labels and relocations are
//! dynasm's.

use dynasmrt::aarch64::{
    Aarch64Relocation, encode_logical_immediate_32bit, encode_logical_immediate_64bit,
};
use dynasmrt::relocations::Relocation;
use dynasmrt::{DynamicLabel, DynasmApi, DynasmLabelApi, VecAssembler};

use super::regs::{SP, ZERO};
use crate::masm::{FloatWidth, Fpr, Gpr, Width};

/// Operations on registers: `dst = first op second`.
#[derive(Clone, Copy)]
pub(super) enum Three {
    Add = 0x0b00_0000,
    Sub = 0x4b00_0000,
    /// `sub` that sets the flags.
    Subs = 0x6b00_0000,
    And = 0x0a00_0000,
    Orr = 0x2a00_0000,
    Eor = 0x4a00_0000,
    /// `first & !second`.
    Bic = 0x0a20_0000,
    /// `first | !second`.
    Orn = 0x2a20_0000,
    Mul = 0x1b00_7c00,
    /// Upper half of the product, 64-bit operands only.
    Smulh = 0x1b40_7c00,
    Umulh = 0x1bc0_7c00,
    Udiv = 0x1ac0_0800,
    Sdiv = 0x1ac0_0c00,
    Lslv = 0x1ac0_2000,
    Lsrv = 0x1ac0_2400,
    Asrv = 0x1ac0_2800,
    Rorv = 0x1ac0_2c00,
}

/// Operations on one register.
#[derive(Clone, Copy)]
pub(super) enum Two {
    Rbit = 0x5ac0_0000,
    /// The bytes of words in reverse.
    Rev32 = 0x5ac0_0800,
    /// The bytes of double words in reverse.
    Rev64 = 0x5ac0_0c00,
    Clz = 0x5ac0_1000,
}

/// Additions of constants of 12 bits, possibly shifted by 12.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum AddImm {
    Add = 0x1100_0000,
    Sub = 0x5100_0000,
    /// `add` that sets the flags.
    Adds = 0x3100_0000,
    /// `sub` that sets the flags.
    Subs = 0x7100_0000,
}

/// Bitwise operations with repeating patterns.
#[derive(Clone, Copy)]
pub(super) enum LogicalImm {
    And = 0x1200_0000,
    Orr = 0x3200_0000,
    Eor = 0x5200_0000,
}

/// Moves of 16 bits.
#[derive(Clone, Copy)]
pub(super) enum MoveWide {
    /// All other bits set, the given ones inverted.
    Movn = 0x1280_0000,
    /// All other bits clear.
    Movz = 0x5280_0000,
    /// All other bits kept.
    Movk = 0x7280_0000,
}

/// Moves of bit fields.
#[derive(Clone, Copy)]
pub(super) enum Bitfield {
    Signed = 0x1300_0000,
    Unsigned = 0x5300_0000,
}

/// The condition code of branches and selections, by its encoding.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cc {
    Eq = 0x0,
    Ne = 0x1,
    Hs = 0x2,
    Lo = 0x3,
    Mi = 0x4,
    Pl = 0x5,
    Vs = 0x6,
    Vc = 0x7,
    Hi = 0x8,
    Ls = 0x9,
    Ge = 0xa,
    Lt = 0xb,
    Gt = 0xc,
    Le = 0xd,
}

impl Cc {
    /// The condition that holds exactly when this one does not.
    pub(super) const fn negate(self) -> Cc {
        match self {
            Cc::Eq => Cc::Ne,
            Cc::Ne => Cc::Eq,
            Cc::Hs => Cc::Lo,
            Cc::Lo => Cc::Hs,
            Cc::Mi => Cc::Pl,
            Cc::Pl => Cc::Mi,
            Cc::Vs => Cc::Vc,
            Cc::Vc => Cc::Vs,
            Cc::Hi => Cc::Ls,
            Cc::Ls => Cc::Hi,
            Cc::Ge => Cc::Lt,
            Cc::Lt => Cc::Ge,
            Cc::Gt => Cc::Le,
            Cc::Le => Cc::Gt,
        }
    }
}

/// What a conditional branch looks at.
#[derive(Clone, Copy)]
pub(super) enum Test {
    Flags(Cc),
    Zero(Width, Gpr),
    NotZero(Width, Gpr),
}

impl Test {
    const fn negate(self) -> Test {
        match self {
            Test::Flags(cc) => Test::Flags(cc.negate()),
            Test::Zero(width, register) => Test::NotZero(width, register),
            Test::NotZero(width, register) => Test::Zero(width, register),
        }
    }

    fn word(self) -> u32 {
        match self {
            Test::Flags(cc) => 0x5400_0000 | cc as u32,
            Test::Zero(width, register) => 0x3400_0000 | sf(width) | u32::from(register.0),
            Test::NotZero(width, register) => 0x3500_0000 | sf(width) | u32::from(register.0),
        }
    }
}

/// The relocation of conditional branches, by dynasm's number.
const NEAR: u8 = 5;
/// The relocation of `b`.
const FAR: u8 = 4;
/// The relocation of `adr`.
const ADR: u8 = 6;

/// The bit of 64-bit operations.
pub(super) const fn sf(width: Width) -> u32 {
    match width {
        Width::W32 => 0,
        Width::W64 => 1 << 31,
    }
}

/// The bit of double precision.
pub(super) const fn double(width: FloatWidth) -> u32 {
    match width {
        FloatWidth::F32 => 0,
        FloatWidth::F64 => 1 << 22,
    }
}

fn d(register: u8) -> u32 {
    u32::from(register)
}

fn n(register: u8) -> u32 {
    u32::from(register) << 5
}

fn m(register: u8) -> u32 {
    u32::from(register) << 16
}

/// The word of `dst = a op value`, if the value has at most 12 bits or ends in 12 clear ones.
pub(super) fn add_imm_word(op: AddImm, width: Width, dst: Gpr, a: Gpr, value: u32) -> Option<u32> {
    let field = if value < 0x1000 {
        value << 10
    } else if value & 0xfff == 0 && value < 0x100_0000 {
        1 << 22 | (value >> 12) << 10
    } else {
        return None;
    };
    Some(op as u32 | sf(width) | field | d(dst.0) | n(a.0))
}

/// How far conditional branches reach.
pub(super) const NEAR_BYTES: usize = 1 << 20;

/// Puts instructions into a buffer, one per call.
pub(super) struct Assembler {
    buffer: VecAssembler<Aarch64Relocation>,
    /// Whether conditional branches to places not known to be near take two instructions.
    pub(super) far_branches: bool,
    /// The offset of the latest load or store.
    pub(super) last_access: u32,
}

impl Assembler {
    pub(super) fn new(far_branches: bool) -> Assembler {
        Assembler {
            buffer: VecAssembler::new(0),
            far_branches,
            last_access: 0,
        }
    }

    /// Makes room for this many bytes.
    pub(super) fn reserve(&mut self, bytes: usize) {
        self.buffer.reserve_ops(bytes);
    }

    /// The number of bytes so far.
    pub(super) fn offset(&self) -> u32 {
        self.buffer.offset().0 as u32
    }

    /// A new unbound label.
    pub(super) fn label(&mut self) -> DynamicLabel {
        self.buffer.new_dynamic_label()
    }

    /// Binds a label here.
    pub(super) fn bind(&mut self, label: DynamicLabel) {
        self.buffer.dynamic_label(label);
    }

    /// Where a label is bound, if it is.
    pub(super) fn bound(&self, label: DynamicLabel) -> Option<u32> {
        let bound = self.buffer.labels().resolve_dynamic(label).ok()?;
        Some(bound.0 as u32)
    }

    /// The code, with all labels resolved.
    pub(super) fn finish(self) -> Vec<u8> {
        let code = self.buffer.finalize();
        code.expect("every label is bound once and in reach")
    }

    /// Data.
    pub(super) fn data(&mut self, bytes: &[u8]) {
        self.buffer.extend(bytes);
    }

    /// Emits a word.
    pub(super) fn word(&mut self, word: u32) {
        self.buffer.push_u32(word);
    }

    pub(super) fn three(&mut self, op: Three, width: Width, dst: Gpr, a: Gpr, b: Gpr) {
        self.word(op as u32 | sf(width) | d(dst.0) | n(a.0) | m(b.0));
    }

    /// `dst = a op (b << count)`; not for multiplications, divisions and shifts.
    pub(super) fn three_shifted(
        &mut self,
        op: Three,
        width: Width,
        [dst, a, b]: [Gpr; 3],
        count: u32,
    ) {
        debug_assert!(count < 64);
        self.word(op as u32 | sf(width) | d(dst.0) | n(a.0) | m(b.0) | count << 10);
    }

    /// As `three` for additions and subtractions, but number 31 is the stack pointer in `dst` and
    /// `a`, for those that set flags in `a` only.
    pub(super) fn three_with_stack(&mut self, op: Three, dst: Gpr, a: Gpr, b: Gpr) {
        self.word(op as u32 | 0x8020_6000 | d(dst.0) | n(a.0) | m(b.0));
    }

    /// `dst = src ^ (src >> 63)`, the shift being arithmetic.
    pub(super) fn xor_with_sign(&mut self, dst: Gpr, src: Gpr) {
        let word = Three::Eor as u32 | sf(Width::W64) | 2 << 22 | 63 << 10;
        self.word(word | d(dst.0) | n(src.0) | m(src.0));
    }

    /// `dst = minuend - a * b`.
    pub(super) fn multiply_subtract(&mut self, width: Width, [dst, a, b, minuend]: [Gpr; 4]) {
        let word = 0x1b00_8000 | u32::from(minuend.0) << 10;
        self.word(word | sf(width) | d(dst.0) | n(a.0) | m(b.0));
    }

    pub(super) fn two(&mut self, op: Two, width: Width, dst: Gpr, a: Gpr) {
        self.word(op as u32 | sf(width) | d(dst.0) | n(a.0));
    }

    /// `dst = src`, also when that changes nothing.
    pub(super) fn mov_always(&mut self, width: Width, dst: Gpr, src: Gpr) {
        self.three(Three::Orr, width, dst, ZERO, src);
    }

    /// `dst = a op value`, if [`add_imm_word`] has an instruction for it.
    pub(super) fn add_imm(
        &mut self,
        op: AddImm,
        width: Width,
        dst: Gpr,
        a: Gpr,
        value: u32,
    ) -> bool {
        let word = add_imm_word(op, width, dst, a, value);
        if let Some(word) = word {
            self.word(word);
        }
        word.is_some()
    }

    /// `dst = a op value`, if the value is a repeating pattern; neither 0 nor all ones is.
    pub(super) fn logical_imm(
        &mut self,
        op: LogicalImm,
        width: Width,
        dst: Gpr,
        a: Gpr,
        value: u64,
    ) -> bool {
        let field = match width {
            Width::W32 => encode_logical_immediate_32bit(value as u32),
            Width::W64 => encode_logical_immediate_64bit(value),
        };
        match field {
            Some(field) => {
                let word = op as u32 | sf(width) | u32::from(field) << 10;
                self.word(word | d(dst.0) | n(a.0));
                true
            }
            None => false,
        }
    }

    /// Moves 16 bits to bit `16 * position`.
    pub(super) fn move_wide(
        &mut self,
        op: MoveWide,
        width: Width,
        dst: Gpr,
        bits: u16,
        position: u32,
    ) {
        let word = op as u32 | sf(width) | position << 21 | u32::from(bits) << 5;
        self.word(word | d(dst.0));
    }

    /// `ubfm` and `sbfm`.
    pub(super) fn bitfield(
        &mut self,
        op: Bitfield,
        width: Width,
        [dst, src]: [Gpr; 2],
        rotate: u32,
        last: u32,
    ) {
        // Bit 22 must equal bit 31.
        let wide = sf(width) | sf(width) >> 9;
        self.word(op as u32 | wide | rotate << 16 | last << 10 | d(dst.0) | n(src.0));
    }

    /// `dst` = the low half of both registers together, the first one above the second, shifted right.
    pub(super) fn extract(&mut self, width: Width, [dst, a, b]: [Gpr; 3], count: u32) {
        let wide = sf(width) | sf(width) >> 9;
        self.word(0x1380_0000 | wide | count << 10 | d(dst.0) | n(a.0) | m(b.0));
    }

    /// `dst = src` rotated right.
    pub(super) fn rotate_imm(&mut self, width: Width, dst: Gpr, src: Gpr, count: u32) {
        self.extract(width, [dst, src, src], count);
    }

    /// `dst = cc ? a : b`.
    pub(super) fn csel(&mut self, cc: Cc, dst: Gpr, a: Gpr, b: Gpr) {
        self.word(0x9a80_0000 | (cc as u32) << 12 | d(dst.0) | n(a.0) | m(b.0));
    }

    /// `dst = cc`.
    pub(super) fn cset(&mut self, cc: Cc, dst: Gpr) {
        let negated = cc.negate() as u32;
        self.word(0x1a80_0400 | negated << 12 | d(dst.0) | n(ZERO.0) | m(ZERO.0));
    }

    /// If `cc`, compares `a` with a register, else sets the flags to `otherwise`.
    pub(super) fn ccmp(&mut self, cc: Cc, width: Width, a: Gpr, b: Gpr, otherwise: u32) {
        let word = 0x7a40_0000 | (cc as u32) << 12 | otherwise;
        self.word(word | sf(width) | n(a.0) | m(b.0));
    }

    /// If `cc`, compares `a` with 1, else sets the flags to `otherwise`.
    pub(super) fn ccmp_1(&mut self, cc: Cc, width: Width, a: Gpr, otherwise: u32) {
        let word = 0x7a40_0800 | 1 << 16 | (cc as u32) << 12 | otherwise;
        self.word(word | sf(width) | n(a.0));
    }

    /// If `cc`, compares `a` with -1, else sets the flags to `otherwise`.
    pub(super) fn ccmn_1(&mut self, cc: Cc, width: Width, a: Gpr, otherwise: u32) {
        let word = 0x3a40_0800 | 1 << 16 | (cc as u32) << 12 | otherwise;
        self.word(word | sf(width) | n(a.0));
    }

    /// A scalar float instruction with two operands.
    pub(super) fn float_three(&mut self, op: u32, width: FloatWidth, dst: Fpr, a: Fpr, b: Fpr) {
        self.word(op | double(width) | d(dst.0) | n(a.0) | m(b.0));
    }

    /// A scalar float instruction with one operand.
    pub(super) fn float_two(&mut self, op: u32, width: FloatWidth, dst: Fpr, a: Fpr) {
        self.word(op | double(width) | d(dst.0) | n(a.0));
    }

    /// A vector instruction, all of whose size bits are part of `op`.
    pub(super) fn vector(&mut self, op: u32, dst: Fpr, a: Fpr, b: Fpr) {
        self.word(op | d(dst.0) | n(a.0) | m(b.0));
    }

    /// An instruction from a general to a float register.
    pub(super) fn float_from_general(&mut self, op: u32, width: Width, dst: Fpr, src: Gpr) {
        self.word(op | sf(width) | d(dst.0) | n(src.0));
    }

    /// An instruction from a float to a general register.
    pub(super) fn general_from_float(&mut self, op: u32, width: Width, dst: Gpr, src: Fpr) {
        self.word(op | sf(width) | d(dst.0) | n(src.0));
    }

    /// An indirect branch: `br` or `blr`.
    pub(super) fn branch_register(&mut self, op: u32, target: Gpr) {
        self.word(op | n(target.0));
    }

    /// Goes to a label.
    pub(super) fn branch_always(&mut self, target: DynamicLabel) {
        self.relocated(0x1400_0000, target, FAR);
    }

    /// Calls a label.
    pub(super) fn call_near(&mut self, target: DynamicLabel) {
        self.relocated(0x9400_0000, target, FAR);
    }

    /// Branches to a label. Conditional branches reach 1 MiB; with `far_branches`, those to places
    /// not known to be nearer go around an unconditional one, which reaches 128 MiB.
    pub(super) fn branch_when(&mut self, test: Test, target: DynamicLabel) {
        if self.far_branches && !self.is_near(target) {
            // Over this instruction and the next.
            self.word(test.negate().word() | 2 << 5);
            self.branch_always(target);
        } else {
            self.relocated(test.word(), target, NEAR);
        }
    }

    fn is_near(&self, target: DynamicLabel) -> bool {
        let bound = self.bound(target);
        bound.is_some_and(|bound| ((self.offset() - bound) as usize) < NEAR_BYTES)
    }

    /// `dst` = the address of a label within 1 MiB.
    pub(super) fn address_of(&mut self, dst: Gpr, target: DynamicLabel) {
        self.relocated(0x1000_0000 | d(dst.0), target, ADR);
    }

    /// `dst` = the 16 bytes at a label within 1 MiB.
    pub(super) fn load_literal(&mut self, dst: Fpr, target: DynamicLabel) {
        // The distance lies where conditional branches have theirs.
        self.relocated(0x9c00_0000 | d(dst.0), target, NEAR);
    }

    fn relocated(&mut self, word: u32, target: DynamicLabel, kind: u8) {
        self.word(word);
        let kind = Aarch64Relocation::from_encoding(kind);
        self.buffer.dynamic_relocation(target, 0, 4, 4, kind);
    }
}

/// A memory access: the word of its form with a scaled constant offset, and its size.
#[derive(Clone, Copy)]
pub(super) struct Access {
    word: u32,
    log_size: u32,
}

impl Access {
    /// `size` and `opcode` are the fields of that name.
    pub(super) const fn general(size: u32, opcode: u32) -> Access {
        Access {
            word: 0x3900_0000 | size << 30 | opcode << 22,
            log_size: size,
        }
    }

    /// As `general`, for the register's size.
    pub(super) const fn float(size: u32, opcode: u32, log_size: u32) -> Access {
        Access {
            word: 0x3d00_0000 | size << 30 | opcode << 22,
            log_size,
        }
    }

    /// The word that accesses `base + displacement`, if an instruction can hold it.
    pub(super) fn at(self, displacement: i32) -> Option<u32> {
        let scaled = displacement >> self.log_size;
        if scaled << self.log_size == displacement && (0..0x1000).contains(&scaled) {
            Some(self.word | (scaled as u32) << 10)
        } else if (-256..256).contains(&displacement) {
            Some(self.word & !(1 << 24) | (displacement as u32 & 0x1ff) << 12)
        } else {
            None
        }
    }
}

impl Assembler {
    /// Accesses what `word`, from [`Access::at`], holds.
    pub(super) fn access(&mut self, word: u32, register: u8, base: Gpr) {
        self.last_access = self.offset();
        self.word(word | d(register) | n(base.0));
    }

    /// Accesses `base + index`.
    pub(super) fn access_indexed(&mut self, access: Access, register: u8, base: Gpr, index: Gpr) {
        debug_assert!(index != SP, "the stack pointer cannot be an index");
        let word = access.word & !(1 << 24) | 0x0020_6800;
        self.last_access = self.offset();
        self.word(word | d(register) | n(base.0) | m(index.0));
    }

    /// `dst` = the signed 32-bit word at `base + 4 * index`.
    pub(super) fn load_entry(&mut self, dst: Gpr, base: Gpr, index: Gpr) {
        self.word(0xb8a0_7800 | d(dst.0) | n(base.0) | m(index.0));
    }
}
