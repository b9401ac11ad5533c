//! Lanes of vectors on x86_64: splats, extractions, shuffles, loads of less than a vector.
//!
//! Loads that fold memory read exactly the bytes of the access.

use super::encode::{Op, Rm, VecOp};
use super::masm::X64Masm;
use super::regs::XMM_PRIVATE as P;
use super::vector::{PMOVSX, PMOVZX, POR, PSHUFB, SHUFPS, sse2, sse2_two};
use crate::masm::vector::{Extract, LaneMasm, Lanes, VecLoad};
use crate::masm::{FloatPart, FloatWidth, Fpr, Gpr, IntMasm, IntUnary, Masm, Mem, Width};

const PSHUFD: VecOp = sse2_two(0x70);
const PSHUFLW: VecOp = VecOp::two_operands(Op::two(0x70).with(0xf2));
const PUNPCKLQDQ: VecOp = sse2(0x6c);
const MOVDDUP: VecOp = VecOp::two_operands(Op::two(0x12).with(0xf2));
const PALIGNR: VecOp = VecOp::three_operands(Op::three_a(0x0f));
const INSERTPS: VecOp = VecOp::three_operands(Op::three_a(0x21));
/// Between registers it keeps the upper half.
const MOVSD: VecOp = VecOp::three_operands(Op::two(0x10).with(0xf2));
const PBLENDW: VecOp = VecOp::three_operands(Op::three_a(0x0e));
/// Interleavings of the low and the high halves, by the log of the lane's size.
const PUNPCKL: [VecOp; 4] = [sse2(0x60), sse2(0x61), sse2(0x62), sse2(0x6c)];
const PUNPCKH: [VecOp; 4] = [sse2(0x68), sse2(0x69), sse2(0x6a), sse2(0x6d)];

/// The instruction that inserts a lane from a general register or memory.
const fn insertion(lanes: Lanes) -> (VecOp, Width) {
    match lanes {
        Lanes::I8x16 => (VecOp::three_operands(Op::three_a(0x20)), Width::W32),
        Lanes::I16x8 => (sse2(0xc4), Width::W32),
        Lanes::I32x4 => (VecOp::three_operands(Op::three_a(0x22)), Width::W32),
        Lanes::I64x2 => (VecOp::three_operands(Op::three_a(0x22)), Width::W64),
    }
}

/// The instruction that extracts a lane to a general register or memory.
const fn extraction(lanes: Lanes) -> (VecOp, Width) {
    match lanes {
        Lanes::I8x16 => (VecOp::two_operands(Op::three_a(0x14)), Width::W32),
        Lanes::I16x8 => (VecOp::two_operands(Op::three_a(0x15)), Width::W32),
        Lanes::I32x4 => (VecOp::two_operands(Op::three_a(0x16)), Width::W32),
        Lanes::I64x2 => (VecOp::two_operands(Op::three_a(0x16)), Width::W64),
    }
}

/// The numbers of groups of `N` bytes that stay together, if all do.
fn groups<const N: usize, const COUNT: usize>(bytes: [u8; 16]) -> Option<[u8; COUNT]> {
    let mut numbers = [0; COUNT];
    for (number, group) in numbers.iter_mut().zip(bytes.chunks_exact(N)) {
        let first = group[0];
        let follow = (first..)
            .zip(group)
            .all(|(expected, &byte)| byte == expected);
        if !usize::from(first).is_multiple_of(N) || !follow {
            return None;
        }
        *number = first / N as u8;
    }
    Some(numbers)
}

/// The bytes of an interleaving of the halves that begin at `half`, of lanes of `size` bytes.
fn interleaved(size: u8, half: u8) -> [u8; 16] {
    core::array::from_fn(|i| {
        let i = i as u8;
        let (lane, byte) = (i / size, i % size);
        (lane & 1) * 16 + half + lane / 2 * size + byte
    })
}

/// The selector of an instruction from four numbers below 4.
fn selector(numbers: [u8; 4]) -> u8 {
    (0..4).fold(0, |all, i| all | (numbers[i] & 3) << (2 * i))
}

impl X64Masm {
    /// Copies lane 0 of a register to all.
    fn spread(&mut self, lanes: Lanes, dst: Fpr) {
        match lanes {
            Lanes::I8x16 => {
                self.vec_zero(P);
                self.vec(PSHUFB, dst, P);
            }
            Lanes::I16x8 => {
                self.vec_imm(PSHUFLW, dst, dst, 0);
                self.vec(PUNPCKLQDQ, dst, dst);
            }
            Lanes::I32x4 => self.vec_imm(PSHUFD, dst, dst, 0),
            Lanes::I64x2 => self.vec(PUNPCKLQDQ, dst, dst),
        }
    }

    /// Bytes of one register.
    fn shuffle_one(&mut self, bytes: [u8; 16], dst: Fpr, a: Fpr) {
        match groups::<4, 4>(bytes) {
            Some([0, 1, 2, 3]) => self.vec_copy(dst, a),
            Some(numbers) => self.vec_imm(PSHUFD, dst, a, selector(numbers)),
            None => {
                self.vec_constant(PSHUFB, dst, a, u128::from_le_bytes(bytes));
            }
        }
    }

    /// Bytes of two registers in one or two instructions, if there are such for the pattern.
    fn shuffle_short(&mut self, bytes: [u8; 16], dst: Fpr, a: Fpr, b: Fpr) -> bool {
        for (log, size) in [(0, 1), (1, 2), (2, 4), (3, 8)] {
            if bytes == interleaved(size, 0) {
                self.ordered_vec(PUNPCKL[log], dst, a, b);
                return true;
            }
            if bytes == interleaved(size, 8) {
                self.ordered_vec(PUNPCKH[log], dst, a, b);
                return true;
            }
        }
        let first = bytes[0];
        if first < 16
            && (first..)
                .zip(bytes)
                .all(|(expected, byte)| byte == expected)
        {
            // The second register is the high half of what is shifted.
            self.ordered_vec(PALIGNR, dst, b, a);
            self.asm.immediate(first);
            return true;
        }
        if let Some([x, y, z, w]) = groups::<4, 4>(bytes)
            && x < 4
            && y < 4
            && z >= 4
            && w >= 4
        {
            self.ordered_vec(SHUFPS, dst, a, b);
            self.asm.immediate(selector([x, y, z, w]));
            return true;
        }
        if let Some(words) = groups::<2, 8>(bytes)
            && (0..8).zip(words).all(|(i, word)| word & 7 == i)
        {
            let from_b = (0..8).fold(0, |all, i| all | (words[i] >> 3) << i);
            self.ordered_vec(PBLENDW, dst, a, b);
            self.asm.immediate(from_b);
            return true;
        }
        false
    }
}

impl LaneMasm for X64Masm {
    fn splat(&mut self, lanes: Lanes, dst: Fpr, src: Gpr) {
        let width = match lanes {
            Lanes::I8x16 | Lanes::I16x8 | Lanes::I32x4 => FloatWidth::F32,
            Lanes::I64x2 => FloatWidth::F64,
        };
        self.float_from_bits(width, dst, src);
        self.spread(lanes, dst);
    }

    fn float_splat(&mut self, width: FloatWidth, dst: Fpr, src: Fpr) {
        match width {
            FloatWidth::F32 => self.vec_imm(PSHUFD, dst, src, 0),
            FloatWidth::F64 => self.vec(MOVDDUP, dst, src),
        }
    }

    fn extract_lane(&mut self, op: Extract, lane: u8, dst: Gpr, a: Fpr) {
        let (lanes, extension) = match op {
            Extract::I8S => (Lanes::I8x16, Some(IntUnary::Extend8S)),
            Extract::I8U => (Lanes::I8x16, None),
            Extract::I16S => (Lanes::I16x8, Some(IntUnary::Extend16S)),
            Extract::I16U => (Lanes::I16x8, None),
            Extract::I32 if lane == 0 => return self.float_to_bits(FloatWidth::F32, dst, a),
            Extract::I32 => (Lanes::I32x4, None),
            Extract::I64 if lane == 0 => return self.float_to_bits(FloatWidth::F64, dst, a),
            Extract::I64 => (Lanes::I64x2, None),
        };
        let (op, width) = extraction(lanes);
        self.asm.vec_emit(op, width, a.0, dst);
        self.asm.immediate(lane);
        if let Some(extension) = extension {
            self.int_unary(extension, Width::W32, dst, dst);
        }
    }

    fn float_extract_lane(&mut self, width: FloatWidth, lane: u8, dst: Fpr, a: Fpr) {
        match (width, lane) {
            (_, 0) => self.vec_copy(dst, a),
            (FloatWidth::F32, lane) => self.vec_imm(PSHUFD, dst, a, lane),
            (FloatWidth::F64, _) => self.vec_imm(PSHUFD, dst, a, 0xee),
        }
    }

    fn replace_lane(&mut self, lanes: Lanes, lane: u8, dst: Fpr, a: Fpr, value: Gpr) {
        let (op, width) = insertion(lanes);
        self.vec_three(op, width, dst, a, value);
        self.asm.immediate(lane);
    }

    fn float_replace_lane(&mut self, width: FloatWidth, lane: u8, dst: Fpr, a: Fpr, value: Fpr) {
        match (width, lane) {
            (FloatWidth::F32, lane) => {
                self.ordered_vec(INSERTPS, dst, a, value);
                self.asm.immediate(lane << 4);
            }
            (FloatWidth::F64, 0) => self.ordered_vec(MOVSD, dst, a, value),
            (FloatWidth::F64, _) => self.ordered_vec(PUNPCKLQDQ, dst, a, value),
        }
    }

    fn shuffle(&mut self, bytes: [u8; 16], dst: Fpr, a: Fpr, b: Fpr) {
        let low = bytes.map(|byte| byte & 15);
        if a == b || bytes.iter().all(|&byte| byte < 16) {
            return self.shuffle_one(low, dst, a);
        }
        if bytes.iter().all(|&byte| byte >= 16) {
            return self.shuffle_one(low, dst, b);
        }
        let swapped = bytes.map(|byte| byte ^ 16);
        if self.shuffle_short(bytes, dst, a, b) || self.shuffle_short(swapped, dst, b, a) {
            return;
        }
        // Numbers with bit 7 give 0.
        let of = |bytes: [u8; 16]| {
            let numbers = bytes.map(|byte| if byte < 16 { byte } else { 0x80 });
            u128::from_le_bytes(numbers)
        };
        self.vec_constant(PSHUFB, P, a, of(bytes));
        self.vec_constant(PSHUFB, dst, b, of(swapped));
        self.vec(POR, dst, P);
    }

    fn vec_load(&mut self, op: VecLoad, dst: Fpr, mem: Mem) {
        let extend = |op: VecOp| (op, None);
        let (op, lane) = match op {
            VecLoad::Extend8x8S => extend(PMOVSX[0]),
            VecLoad::Extend8x8U => extend(PMOVZX[0]),
            VecLoad::Extend16x4S => extend(PMOVSX[1]),
            VecLoad::Extend16x4U => extend(PMOVZX[1]),
            VecLoad::Extend32x2S => extend(PMOVSX[2]),
            VecLoad::Extend32x2U => extend(PMOVZX[2]),
            VecLoad::Splat(Lanes::I64x2) => (MOVDDUP, None),
            VecLoad::Splat(Lanes::I32x4) => {
                self.float_load(FloatPart::F32, dst, mem);
                return self.spread(Lanes::I32x4, dst);
            }
            VecLoad::Splat(lanes @ (Lanes::I8x16 | Lanes::I16x8)) => {
                // The insertion would wait for what the register held.
                self.vec_zero(dst);
                (insertion(lanes).0, Some(lanes))
            }
            VecLoad::Zero32 => return self.float_load(FloatPart::F32, dst, mem),
            VecLoad::Zero64 => return self.float_load(FloatPart::F64, dst, mem),
        };
        self.accesses_here();
        self.asm.vec_emit(op, Width::W32, dst.0, Rm::Mem(mem));
        if let Some(lanes) = lane {
            self.asm.immediate(0);
            self.spread(lanes, dst);
        }
    }

    fn load_lane(&mut self, lanes: Lanes, lane: u8, dst: Fpr, a: Fpr, mem: Mem) {
        self.vec_copy(dst, a);
        let (op, width) = insertion(lanes);
        self.accesses_here();
        self.asm.vec_emit(op, width, dst.0, Rm::Mem(mem));
        self.asm.immediate(lane);
    }

    fn store_lane(&mut self, lanes: Lanes, lane: u8, src: Fpr, mem: Mem) {
        match (lanes, lane) {
            (Lanes::I32x4, 0) => self.float_store(FloatPart::F32, src, mem),
            (Lanes::I64x2, 0) => self.float_store(FloatPart::F64, src, mem),
            (lanes, lane) => {
                let (op, width) = extraction(lanes);
                self.accesses_here();
                self.asm.vec_emit(op, width, src.0, Rm::Mem(mem));
                self.asm.immediate(lane);
            }
        }
    }
}
