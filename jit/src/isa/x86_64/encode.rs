//! The instruction formats of x86_64.
//!
//! An instruction is an [`Op`] (prefix, opcode map, opcode) applied to a register field and an
//! [`Rm`]; [`VecOp`] and [`VexOp`] say beside it whether it has a VEX prefix, and what that names.
//! Everything is emitted in its shortest form: no REX prefix where none is needed, 8-bit
//! displacements and immediates where they fit, 8-bit branches to places already known. This is why
//! the encoder is ours: dynasm's macros, given registers that are only known at run time, emit
//! every prefix and every displacement byte. Buffer, labels and relocations are dynasm's.

use dynasmrt::relocations::{Relocation, RelocationKind, RelocationSize};
use dynasmrt::x64::X64Relocation;
use dynasmrt::{DynamicLabel, DynasmApi, DynasmLabelApi, VecAssembler};

use super::regs::{RAX, RBP, RSP};
use crate::masm::{Fpr, Gpr, Mem, Width};

/// What comes before the opcode.
#[derive(Clone, Copy)]
enum Map {
    Primary,
    Secondary,
    Three8,
    ThreeA,
}

/// The fixed part of an instruction, in the legacy encoding or with a VEX prefix.
#[derive(Clone, Copy)]
pub(super) struct Op {
    /// A mandatory or operand-size prefix, 0 for none.
    prefix: u8,
    map: Map,
    code: u8,
}

impl Op {
    /// A one-byte opcode.
    pub(super) const fn one(code: u8) -> Op {
        Op {
            prefix: 0,
            map: Map::Primary,
            code,
        }
    }

    /// An opcode after `0F`.
    pub(super) const fn two(code: u8) -> Op {
        Op {
            prefix: 0,
            map: Map::Secondary,
            code,
        }
    }

    /// An opcode after `0F 38`, with the prefix of vectors.
    pub(super) const fn three_8(code: u8) -> Op {
        Op {
            prefix: 0x66,
            map: Map::Three8,
            code,
        }
    }

    /// An opcode after `0F 3A`, with the prefix of vectors.
    pub(super) const fn three_a(code: u8) -> Op {
        Op {
            prefix: 0x66,
            map: Map::ThreeA,
            code,
        }
    }

    /// The same with a prefix.
    pub(super) const fn with(self, prefix: u8) -> Op {
        Op { prefix, ..self }
    }
}

/// An instruction with a vector register as first operand. It has a legacy encoding, and one with a
/// VEX prefix where there is AVX.
#[derive(Clone, Copy)]
pub(super) struct VecOp {
    op: Op,
    operands: Operands,
}

/// What the legacy encoding does to its first operand, which is what a VEX prefix has to name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operands {
    /// It writes it, or reads it alone: a VEX prefix names no third register.
    Two,
    /// It reads and writes it, if only to keep a part: a VEX prefix names what is read.
    Three,
}

impl VecOp {
    /// `reg = op rm`, or a comparison, or a store of `reg`.
    pub(super) const fn two_operands(op: Op) -> VecOp {
        VecOp {
            op,
            operands: Operands::Two,
        }
    }

    /// `reg = reg op rm`, with a VEX prefix `reg = third op rm`.
    pub(super) const fn three_operands(op: Op) -> VecOp {
        VecOp {
            op,
            operands: Operands::Three,
        }
    }
}

/// An instruction that has a VEX prefix only, and names three registers, or two and number 0.
#[derive(Clone, Copy)]
pub(super) struct VexOp(Op);

impl VexOp {
    /// `reg = !third & rm`.
    pub(super) const ANDN: VexOp = VexOp(Op::three_8(0xf2).with(0));
    /// `reg = rm << third`.
    pub(super) const SHLX: VexOp = VexOp(Op::three_8(0xf7));
    pub(super) const SARX: VexOp = VexOp(Op::three_8(0xf7).with(0xf3));
    pub(super) const SHRX: VexOp = VexOp(Op::three_8(0xf7).with(0xf2));
    /// `reg = rm` rotated right by an immediate; the third is number 0.
    pub(super) const RORX: VexOp = VexOp(Op::three_a(0xf0).with(0xf2));
    /// `reg += third * rm`, of packed floats.
    pub(super) const FMADD: VexOp = VexOp(Op::three_8(0xb8));
    /// `reg -= third * rm`, of packed floats.
    pub(super) const FNMADD: VexOp = VexOp(Op::three_8(0xbc));
}

/// The operand that may be in memory.
#[derive(Clone, Copy)]
pub(super) enum Rm {
    /// A register of the operation's size.
    Reg(u8),
    /// The low byte of a register.
    Byte(u8),
    /// Memory.
    Mem(Mem),
    /// `base + (index << log2) + displacement`.
    Scaled {
        base: Gpr,
        index: Gpr,
        log2: u8,
        displacement: i32,
    },
    /// A constant behind the code.
    Constant(DynamicLabel),
}

impl From<Gpr> for Rm {
    fn from(register: Gpr) -> Rm {
        Rm::Reg(register.0)
    }
}

impl From<Fpr> for Rm {
    fn from(register: Fpr) -> Rm {
        Rm::Reg(register.0)
    }
}

/// The condition code of branches, `setcc` and `cmovcc`, by its encoding.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cc {
    Overflow = 0x0,
    NotOverflow = 0x1,
    Below = 0x2,
    AboveEqual = 0x3,
    Equal = 0x4,
    NotEqual = 0x5,
    BelowEqual = 0x6,
    Above = 0x7,
    Sign = 0x8,
    NotSign = 0x9,
    Parity = 0xa,
    NotParity = 0xb,
    Less = 0xc,
    GreaterEqual = 0xd,
    LessEqual = 0xe,
    Greater = 0xf,
}

impl Cc {
    /// The condition that holds exactly when this one does not.
    pub(super) const fn negate(self) -> Cc {
        match self {
            Cc::Overflow => Cc::NotOverflow,
            Cc::NotOverflow => Cc::Overflow,
            Cc::Below => Cc::AboveEqual,
            Cc::AboveEqual => Cc::Below,
            Cc::Equal => Cc::NotEqual,
            Cc::NotEqual => Cc::Equal,
            Cc::BelowEqual => Cc::Above,
            Cc::Above => Cc::BelowEqual,
            Cc::Sign => Cc::NotSign,
            Cc::NotSign => Cc::Sign,
            Cc::Parity => Cc::NotParity,
            Cc::NotParity => Cc::Parity,
            Cc::Less => Cc::GreaterEqual,
            Cc::GreaterEqual => Cc::Less,
            Cc::LessEqual => Cc::Greater,
            Cc::Greater => Cc::LessEqual,
        }
    }
}

/// The operations that share one pattern of opcodes.
#[derive(Clone, Copy)]
pub(super) enum Group {
    Add = 0,
    Or = 1,
    And = 4,
    Sub = 5,
    Xor = 6,
    Cmp = 7,
}

/// The shifts, by their number in the opcode.
#[derive(Clone, Copy)]
pub(super) enum Shift {
    Rol = 0,
    Ror = 1,
    Shl = 4,
    Shr = 5,
    Sar = 7,
}

/// The operations with one operand that share opcode `F7`.
#[derive(Clone, Copy)]
pub(super) enum Unary {
    Not = 2,
    Neg = 3,
    Mul = 4,
    Imul = 5,
    Div = 6,
    Idiv = 7,
}

const fn is_wide(width: Width) -> bool {
    match width {
        Width::W32 => false,
        Width::W64 => true,
    }
}

/// The 8-bit form of a constant, if it has one.
fn short(value: i32) -> Option<i8> {
    i8::try_from(value).ok()
}

/// An instruction without immediates, put together before it goes to the buffer: asking the buffer
/// for room once per byte takes several times as long.
#[derive(Default)]
struct Bytes {
    /// The first byte lowest.
    bytes: u128,
    length: u32,
}

impl Bytes {
    #[inline(always)]
    fn push(&mut self, byte: u8) {
        self.bytes |= u128::from(byte) << (8 * self.length);
        self.length += 1;
    }

    /// Prefixes and opcode. `extensions` are the bits of the REX prefix for the operand.
    #[inline(always)]
    fn opcode(&mut self, op: Op, field: Field, extensions: u8, needs_rex: bool) {
        if let Some(third) = field.third {
            return self.vex_opcode(op, field, third, extensions);
        }
        if op.prefix != 0 {
            self.push(op.prefix);
        }
        let rex = 0x40 | u8::from(field.wide) << 3 | (field.reg >> 3) << 2 | extensions;
        // Without a REX prefix, byte registers 4 to 7 would be ah, ch, dh and bh.
        if rex != 0x40 || needs_rex || field.byte && field.reg >= 4 {
            self.push(rex);
        }
        match op.map {
            Map::Primary => {}
            Map::Secondary => self.push(0x0f),
            Map::Three8 => {
                self.push(0x0f);
                self.push(0x38);
            }
            Map::ThreeA => {
                self.push(0x0f);
                self.push(0x3a);
            }
        }
        self.push(op.code);
    }

    /// The same with a VEX prefix, of two bytes if that is enough (Intel's manual, volume 2, 2.3.5).
    fn vex_opcode(&mut self, op: Op, field: Field, third: u8, extensions: u8) {
        let prefix = match op.prefix {
            0x66 => 1,
            0xf3 => 2,
            0xf2 => 3,
            _ => 0,
        };
        let map = match op.map {
            Map::Primary => unreachable!("opcodes of one byte have no VEX form"),
            Map::Secondary => 1,
            Map::Three8 => 2,
            Map::ThreeA => 3,
        };
        let last = (!third & 15) << 3 | prefix;
        let reg = (!field.reg & 8) << 4;
        if extensions == 0 && !field.wide && map == 1 {
            self.push(0xc5);
            self.push(reg | last);
        } else {
            self.push(0xc4);
            self.push(reg | (!extensions & 3) << 5 | map);
            self.push(u8::from(field.wide) << 7 | last);
        }
        self.push(op.code);
    }

    /// ModRM byte, index byte and displacement of an operand in memory.
    #[inline(always)]
    fn push_address(&mut self, reg: u8, base: Gpr, index: Option<(Gpr, u8)>, displacement: i32) {
        // Mode 0 with base 5 (rbp, r13) means something else.
        let mode = match short(displacement) {
            Some(0) if base.0 & 7 != 5 => 0,
            Some(_) => 1,
            None => 2,
        };
        match index {
            Some((index, log2)) => {
                assert!(index != RSP, "the stack pointer cannot be an index");
                self.push(modrm(mode, reg, 4));
                self.push(modrm(log2, index.0, base.0));
            }
            // Base 4 (rsp, r12) takes an index byte; index 4 is none.
            None if base.0 & 7 == 4 => {
                self.push(modrm(mode, reg, 4));
                self.push(modrm(0, 4, base.0));
            }
            None => self.push(modrm(mode, reg, base.0)),
        }
        if mode != 0 {
            let length = if mode == 1 { 1 } else { 4 };
            let displacement = displacement as u32 & (u32::MAX >> (32 - 8 * length));
            self.bytes |= u128::from(displacement) << (8 * self.length);
            self.length += length;
        }
    }
}

/// The register operand.
#[derive(Clone, Copy)]
struct Field {
    reg: u8,
    /// Whether the operation is on 64 bits.
    wide: bool,
    /// Whether it is the low byte of the register.
    byte: bool,
    /// The register that a VEX prefix names, 0 if the instruction takes none.
    third: Option<u8>,
}

impl Field {
    const fn new(reg: u8, width: Width) -> Field {
        Field {
            reg,
            wide: is_wide(width),
            byte: false,
            third: None,
        }
    }
}

const fn modrm(mode: u8, reg: u8, rm: u8) -> u8 {
    mode << 6 | (reg & 7) << 3 | rm & 7
}

/// Puts instructions into a buffer, one per call.
pub(super) struct Assembler {
    buffer: VecAssembler<X64Relocation>,
    /// Whether vector instructions have a VEX prefix.
    pub(super) has_avx: bool,
    /// Behind which instruction the zero flag is that of which register.
    zero_flag: Option<(u32, Gpr, Width)>,
}

/// Instructions that do nothing, of each length (Intel's manual, volume 2, NOP).
const NOPS: [&[u8]; 9] = [
    &[0x90],
    &[0x66, 0x90],
    &[0x0f, 0x1f, 0x00],
    &[0x0f, 0x1f, 0x40, 0],
    &[0x0f, 0x1f, 0x44, 0, 0],
    &[0x66, 0x0f, 0x1f, 0x44, 0, 0],
    &[0x0f, 0x1f, 0x80, 0, 0, 0, 0],
    &[0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
    &[0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
];

impl Assembler {
    pub(super) fn new(has_avx: bool) -> Assembler {
        Assembler {
            buffer: VecAssembler::new(0),
            has_avx,
            zero_flag: None,
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

    /// Binds a label: what comes here may come from elsewhere.
    pub(super) fn bind(&mut self, label: DynamicLabel) {
        self.zero_flag = None;
        self.buffer.dynamic_label(label);
    }

    /// Where a label is bound, if it is.
    pub(super) fn bound(&self, label: DynamicLabel) -> Option<u32> {
        let bound = self.buffer.labels().resolve_dynamic(label).ok()?;
        Some(bound.0 as u32)
    }

    /// The code, with all labels resolved.
    pub(super) fn finish(self) -> Vec<u8> {
        self.buffer.finalize().expect("every label is bound once")
    }

    /// The next address that is a multiple of `bytes`, over bytes that fault when executed.
    pub(super) fn align(&mut self, bytes: usize) {
        self.buffer.align(bytes, 0xcc);
    }

    /// The same over instructions that do nothing, as few as possible.
    pub(super) fn align_with_nops(&mut self, bytes: usize) {
        let here = self.buffer.offset().0;
        let mut missing = here.next_multiple_of(bytes) - here;
        while missing > 0 {
            let nop = NOPS[missing.min(NOPS.len()) - 1];
            self.buffer.extend(nop);
            missing -= nop.len();
        }
    }

    /// Data.
    pub(super) fn data(&mut self, bytes: &[u8]) {
        self.buffer.extend(bytes);
    }

    /// The last operand of an instruction: a constant of 8 bits.
    pub(super) fn immediate(&mut self, value: u8) {
        self.buffer.push(value);
    }

    /// As `immediate`, of 32 bits.
    fn immediate_32(&mut self, value: i32) {
        self.buffer.push_i32(value);
    }

    /// The instruction just emitted sets the zero flag by its result in a register.
    pub(super) fn sets_zero_flag(&mut self, register: Gpr, width: Width) {
        self.zero_flag = Some((self.offset(), register, width));
    }

    /// Whether the zero flag says if a register is zero.
    pub(super) fn has_zero_flag(&self, register: Gpr, width: Width) -> bool {
        self.zero_flag == Some((self.offset(), register, width))
    }

    /// Emits `op`, with `reg` in the register field.
    #[inline(always)]
    pub(super) fn emit(&mut self, op: Op, width: Width, reg: u8, rm: impl Into<Rm>) {
        self.emit_field(op, Field::new(reg, width), rm.into());
    }

    /// Emits `op`, which has a VEX prefix only.
    pub(super) fn vex(&mut self, op: VexOp, width: Width, reg: u8, third: u8, rm: impl Into<Rm>) {
        self.emit_vex(op.0, width, reg, third, rm.into());
    }

    fn emit_vex(&mut self, op: Op, width: Width, reg: u8, third: u8, rm: Rm) {
        let field = Field {
            third: Some(third),
            ..Field::new(reg, width)
        };
        self.emit_field(op, field, rm);
    }

    /// Emits a vector instruction; if it has three operands, the first is read and written.
    ///
    /// Where there is AVX, with a VEX prefix: the older forms leave the upper halves of registers
    /// alone, so that even loads may have to wait for what wrote a register last, and processors do
    /// badly at both forms in one loop.
    pub(super) fn vec_emit(&mut self, op: VecOp, width: Width, reg: u8, rm: impl Into<Rm>) {
        if self.has_avx {
            let third = match op.operands {
                Operands::Two => 0,
                Operands::Three => reg,
            };
            self.emit_vex(op.op, width, reg, third, rm.into());
        } else {
            self.emit(op.op, width, reg, rm);
        }
    }

    /// Emits a vector instruction of three operands with a VEX prefix: there is AVX.
    pub(super) fn vec_emit_three(
        &mut self,
        op: VecOp,
        width: Width,
        reg: u8,
        third: u8,
        rm: impl Into<Rm>,
    ) {
        debug_assert!(self.has_avx && op.operands == Operands::Three);
        self.emit_vex(op.op, width, reg, third, rm.into());
    }

    /// As `emit`, the register field being the low byte of a register.
    pub(super) fn emit_byte(&mut self, op: Op, reg: u8, rm: Rm) {
        let field = Field {
            byte: true,
            ..Field::new(reg, Width::W32)
        };
        self.emit_field(op, field, rm);
    }

    /// Inlined, and operands in memory taken apart, so that none is put together just to be read.
    #[inline(always)]
    fn emit_field(&mut self, op: Op, field: Field, rm: Rm) {
        match rm {
            Rm::Reg(register) => self.emit_register(op, field, register, false),
            Rm::Byte(register) => self.emit_register(op, field, register, register >= 4),
            Rm::Mem(Mem {
                base,
                index,
                displacement,
            }) => match index {
                Some(index) => self.emit_indexed(op, field, base, index, displacement),
                None => self.emit_based(op, field, base, displacement),
            },
            Rm::Scaled {
                base,
                index,
                log2,
                displacement,
            } => {
                let mut bytes = Bytes::default();
                bytes.opcode(op, field, base.0 >> 3 | (index.0 >> 3) << 1, false);
                bytes.push_address(field.reg, base, Some((index, log2)), displacement);
                self.append(&bytes);
            }
            Rm::Constant(label) => {
                let mut bytes = Bytes::default();
                bytes.opcode(op, field, 0, false);
                bytes.push(modrm(0, field.reg, 5));
                self.append(&bytes);
                self.relocation_32(label);
            }
        }
    }

    fn emit_register(&mut self, op: Op, field: Field, register: u8, needs_rex: bool) {
        let mut bytes = Bytes::default();
        bytes.opcode(op, field, register >> 3, needs_rex);
        bytes.push(modrm(3, field.reg, register));
        self.append(&bytes);
    }

    fn emit_based(&mut self, op: Op, field: Field, base: Gpr, displacement: i32) {
        let mut bytes = Bytes::default();
        bytes.opcode(op, field, base.0 >> 3, false);
        bytes.push_address(field.reg, base, None, displacement);
        self.append(&bytes);
    }

    fn emit_indexed(&mut self, op: Op, field: Field, base: Gpr, index: Gpr, displacement: i32) {
        let (base, index) = cheaper_base(base, index, displacement);
        let mut bytes = Bytes::default();
        bytes.opcode(op, field, base.0 >> 3 | (index.0 >> 3) << 1, false);
        bytes.push_address(field.reg, base, Some((index, 0)), displacement);
        self.append(&bytes);
    }

    /// Copies of lengths that the compiler knows are a store or two.
    fn append(&mut self, bytes: &Bytes) {
        let all = bytes.bytes.to_le_bytes();
        match bytes.length {
            2 => self.buffer.extend(&all[..2]),
            3 => self.buffer.extend(&all[..3]),
            4 => self.buffer.extend(&all[..4]),
            5 => self.buffer.extend(&all[..5]),
            7 => self.buffer.extend(&all[..7]),
            8 => self.buffer.extend(&all[..8]),
            length => self.buffer.extend(&all[..length as usize]),
        }
    }

    /// `dst op= src`, or a comparison.
    pub(super) fn group(&mut self, group: Group, width: Width, dst: Gpr, src: Gpr) {
        self.emit(Op::one((group as u8) << 3 | 1), width, src.0, dst);
        self.note_zero_flag(group, width, dst);
    }

    fn note_zero_flag(&mut self, group: Group, width: Width, dst: Gpr) {
        match group {
            Group::Cmp => {}
            Group::Add | Group::Or | Group::And | Group::Sub | Group::Xor => {
                self.sets_zero_flag(dst, width);
            }
        }
    }

    /// `dst op= value`, or a comparison.
    pub(super) fn group_imm(&mut self, group: Group, width: Width, dst: Gpr, value: i32) {
        if dst == RAX && short(value).is_none() {
            if is_wide(width) {
                self.buffer.push(0x48);
            }
            self.buffer.push((group as u8) << 3 | 5);
            self.immediate_32(value);
        } else {
            self.group_imm_any(group, width, dst, value);
        }
        self.note_zero_flag(group, width, dst);
    }

    /// `rm op= value`, or a comparison, in the form that every operand has.
    pub(super) fn group_imm_any(
        &mut self,
        group: Group,
        width: Width,
        rm: impl Into<Rm>,
        value: i32,
    ) {
        if let Some(value) = short(value) {
            self.emit(Op::one(0x83), width, group as u8, rm);
            self.immediate(value.cast_unsigned());
        } else {
            self.emit(Op::one(0x81), width, group as u8, rm);
            self.immediate_32(value);
        }
    }

    /// Sets the flags of `a & a`, which are those of a comparison with 0.
    pub(super) fn test(&mut self, width: Width, a: Gpr) {
        self.emit(Op::one(0x85), width, a.0, a);
    }

    /// `dst op= count`.
    pub(super) fn shift_imm(&mut self, shift: Shift, width: Width, dst: Gpr, count: u8) {
        if count == 1 {
            self.emit(Op::one(0xd1), width, shift as u8, dst);
        } else {
            self.emit(Op::one(0xc1), width, shift as u8, dst);
            self.immediate(count);
        }
    }

    /// `dst op= cl`.
    pub(super) fn shift_cl(&mut self, shift: Shift, width: Width, dst: Gpr) {
        self.emit(Op::one(0xd3), width, shift as u8, dst);
    }

    /// `dst = op dst`, or a division of `rdx:rax` by `dst`.
    pub(super) fn unary(&mut self, op: Unary, width: Width, dst: Gpr) {
        self.emit(Op::one(0xf7), width, op as u8, dst);
    }

    /// `dst` with its bytes in reverse. The register is part of the opcode.
    pub(super) fn swap_bytes(&mut self, width: Width, dst: Gpr) {
        let rex = 0x40 | u8::from(width == Width::W64) << 3 | dst.0 >> 3;
        if rex != 0x40 {
            self.buffer.push(rex);
        }
        self.buffer.push(0x0f);
        self.buffer.push(0xc8 | dst.0 & 7);
    }

    /// `dst = src`, also when that changes nothing.
    pub(super) fn mov_always(&mut self, width: Width, dst: Gpr, src: Gpr) {
        self.emit(Op::one(0x8b), width, dst.0, src);
    }

    /// `dst = 0`, without waiting for what it held; sets the flags.
    pub(super) fn zero(&mut self, dst: Gpr) {
        self.group(Group::Xor, Width::W32, dst, dst);
    }

    /// `dst = address`.
    pub(super) fn lea(&mut self, width: Width, dst: Gpr, mem: Mem) {
        self.emit(Op::one(0x8d), width, dst.0, Rm::Mem(mem));
    }

    /// `dst = condition`, the low byte only.
    pub(super) fn set(&mut self, cc: Cc, dst: Gpr) {
        self.emit(Op::two(0x90 | cc as u8), Width::W32, 0, Rm::Byte(dst.0));
    }

    /// `if condition { dst = src }`.
    pub(super) fn cmov(&mut self, cc: Cc, width: Width, dst: Gpr, src: Gpr) {
        self.emit(Op::two(0x40 | cc as u8), width, dst.0, src);
    }

    /// `rm op= constant`, which is written later: at the offset that comes back, in 32 bits.
    pub(super) fn group_imm_later(&mut self, group: Group, width: Width, rm: impl Into<Rm>) -> u32 {
        self.emit(Op::one(0x81), width, group as u8, rm);
        let at = self.offset();
        self.immediate_32(0);
        at
    }

    /// Adds one to 32 bits of memory.
    pub(super) fn increment(&mut self, mem: Mem) {
        self.emit(Op::one(0xff), Width::W32, 0, Rm::Mem(mem));
    }

    /// Compares a byte of memory.
    pub(super) fn compare_byte(&mut self, mem: Mem, value: u8) {
        self.emit(Op::one(0x80), Width::W32, Group::Cmp as u8, Rm::Mem(mem));
        self.immediate(value);
    }

    /// `dst = value`, which is not 0, in the shortest form; leaves the flags alone.
    pub(super) fn mov_imm(&mut self, dst: Gpr, value: u64) {
        if let Ok(value) = u32::try_from(value) {
            if dst.0 >= 8 {
                self.buffer.push(0x41);
            }
            self.buffer.push(0xb8 | dst.0 & 7);
            self.buffer.push_u32(value);
        } else if let Ok(value) = i32::try_from(value.cast_signed()) {
            self.store_imm(Width::W64, dst, value);
        } else {
            self.buffer.push(0x48 | dst.0 >> 3);
            self.buffer.push(0xb8 | dst.0 & 7);
            self.buffer.push_u64(value);
        }
    }

    /// `rm = value`, sign-extended.
    pub(super) fn store_imm(&mut self, width: Width, rm: impl Into<Rm>, value: i32) {
        self.emit(Op::one(0xc7), width, 0, rm);
        self.immediate_32(value);
    }

    /// A byte in memory `= value`.
    pub(super) fn store_byte_imm(&mut self, mem: Mem, value: u8) {
        self.emit(Op::one(0xc6), Width::W32, 0, Rm::Mem(mem));
        self.immediate(value);
    }

    /// `dst = a * b`, the constant in its shortest form.
    pub(super) fn multiply_imm(&mut self, width: Width, dst: Gpr, a: Gpr, b: i32) {
        if let Some(b) = short(b) {
            self.emit(Op::one(0x6b), width, dst.0, a);
            self.immediate(b.cast_unsigned());
        } else {
            self.emit(Op::one(0x69), width, dst.0, a);
            self.immediate_32(b);
        }
    }

    /// `rdx = rax >> (bits - 1)`: the sign of the dividend.
    pub(super) fn extend_dividend(&mut self, width: Width) {
        if is_wide(width) {
            self.buffer.push(0x48);
        }
        self.buffer.push(0x99);
    }

    /// Pushes the frame pointer.
    pub(super) fn push_frame(&mut self) {
        self.buffer.push(0x50 | RBP.0);
    }

    /// Pops the frame pointer.
    pub(super) fn pop_frame(&mut self) {
        self.buffer.push(0x58 | RBP.0);
    }

    /// `rsp = rbp + displacement`, which is written later: at the offset that comes back, in 32 bits.
    pub(super) fn stack_from_frame_later(&mut self) -> u32 {
        self.buffer.extend([0x48, 0x8d, 0xa5]);
        let at = self.offset();
        self.immediate_32(0);
        at
    }

    /// `dst =` the address of this very instruction, which is seven bytes long.
    pub(super) fn here(&mut self, dst: Gpr) {
        self.buffer.push(0x48 | (dst.0 >> 3) << 2);
        self.buffer.push(0x8d);
        self.buffer.push(modrm(0, dst.0, 5));
        self.immediate_32(-7);
    }

    /// The instruction that no processor knows.
    pub(super) fn undefined(&mut self) {
        self.buffer.extend([0x0f, 0x0b]);
    }

    /// Calls a label.
    pub(super) fn call_label(&mut self, target: DynamicLabel) {
        self.buffer.push(0xe8);
        self.relocation_32(target);
    }

    /// Calls what an operand holds.
    pub(super) fn call(&mut self, rm: impl Into<Rm>) {
        self.emit(Op::one(0xff), Width::W32, 2, rm);
    }

    /// Goes to what an operand holds.
    pub(super) fn jump_to(&mut self, rm: impl Into<Rm>) {
        self.emit(Op::one(0xff), Width::W32, 4, rm);
    }

    pub(super) fn ret(&mut self) {
        self.buffer.push(0xc3);
    }

    /// Goes to a label, in two bytes if it is bound and near.
    pub(super) fn jump_near_or_far(&mut self, cc: Option<Cc>, target: DynamicLabel) {
        // The displacement counts from behind the two-byte form.
        let here = i64::from(self.offset()) + 2;
        let bound = self.bound(target);
        let distance = bound.and_then(|bound| i8::try_from(i64::from(bound) - here).ok());
        match (cc, distance) {
            (Some(cc), Some(_)) => self.jump_short(cc, target),
            (None, Some(distance)) => {
                self.buffer.push(0xeb);
                self.immediate(distance.cast_unsigned());
            }
            (Some(cc), None) => {
                self.buffer.push(0x0f);
                self.buffer.push(0x80 | cc as u8);
                self.relocation_32(target);
            }
            (None, None) => {
                self.buffer.push(0xe9);
                self.relocation_32(target);
            }
        }
    }

    /// Branches to a label that is known to be within 127 bytes.
    pub(super) fn jump_short(&mut self, cc: Cc, target: DynamicLabel) {
        self.buffer.push(0x70 | cc as u8);
        self.relocation_8(target);
    }

    /// Goes to a label that is known to be within 127 bytes.
    pub(super) fn jump_always_short(&mut self, target: DynamicLabel) {
        self.buffer.push(0xeb);
        self.relocation_8(target);
    }

    fn relocation_32(&mut self, target: DynamicLabel) {
        self.immediate_32(0);
        let kind = X64Relocation::from_size(RelocationKind::Relative, RelocationSize::DWord);
        self.buffer.dynamic_relocation(target, 0, 4, 0, kind);
    }

    fn relocation_8(&mut self, target: DynamicLabel) {
        self.immediate(0);
        let kind = X64Relocation::from_size(RelocationKind::Relative, RelocationSize::Byte);
        self.buffer.dynamic_relocation(target, 0, 1, 0, kind);
    }
}

/// The same sum without the displacement byte that base 5 (rbp, r13) costs, if possible.
fn cheaper_base(base: Gpr, index: Gpr, displacement: i32) -> (Gpr, Gpr) {
    if displacement == 0 && base.0 & 7 == 5 && index.0 & 7 != 5 {
        (index, base)
    } else {
        (base, index)
    }
}
