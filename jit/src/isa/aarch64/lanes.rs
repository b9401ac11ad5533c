//! Lanes of vectors on ARM64: splats, extractions, shuffles, loads of less than a vector.

use super::masm::A64Masm;
use super::regs::{FLOAT_PRIVATE as P, FLOAT_PRIVATE_2 as Q, PRIVATE};
use super::vector::TBL;
use crate::masm::vector::{Extract, LaneMasm, Lanes, VecLoad};
use crate::masm::{FloatPart, FloatWidth, Fpr, Gpr, Masm, Mem, Width};

/// Copies a general register to all lanes.
const DUP_GENERAL: u32 = 0x4e00_0c00;
/// Copies a lane to all lanes.
const DUP_LANE: u32 = 0x4e00_0400;
/// Copies a lane to the low bits and clears the others.
const DUP_SCALAR: u32 = 0x5e00_0400;
const INS_GENERAL: u32 = 0x4e00_1c00;
const INS_LANE: u32 = 0x6e00_0400;
const SMOV_32: u32 = 0x0e00_2c00;
const UMOV_32: u32 = 0x0e00_3c00;
const UMOV_64: u32 = 0x4e00_3c00;
/// Bytes from a number on, of two registers.
const EXT: u32 = 0x6e00_0000;
/// Looks bytes up in two consecutive registers.
const TBL_2: u32 = TBL | 1 << 13;
/// Permutations of lanes, by the field of that name: words for bytes.
const PERMUTATIONS: [(Permutation, u32); 6] = [
    (Permutation::Zip1, 0x4e00_3800),
    (Permutation::Zip2, 0x4e00_7800),
    (Permutation::Uzp1, 0x4e00_1800),
    (Permutation::Uzp2, 0x4e00_5800),
    (Permutation::Trn1, 0x4e00_2800),
    (Permutation::Trn2, 0x4e00_6800),
];

/// A permutation of the lanes of two vectors.
#[derive(Clone, Copy)]
enum Permutation {
    /// The low halves interleaved.
    Zip1,
    Zip2,
    /// The even lanes of both.
    Uzp1,
    Uzp2,
    /// The even lanes of both, in turn.
    Trn1,
    Trn2,
}

impl Permutation {
    /// The bytes of the result, for lanes of `size` bytes.
    fn bytes(self, size: u8) -> [u8; 16] {
        let count = 16 / size;
        core::array::from_fn(|i| {
            let (lane, byte) = (i as u8 / size, i as u8 % size);
            let from_second = (lane & 1) * count;
            let source = match self {
                Permutation::Zip1 => from_second + lane / 2,
                Permutation::Zip2 => from_second + count / 2 + lane / 2,
                Permutation::Uzp1 => 2 * lane,
                Permutation::Uzp2 => 2 * lane + 1,
                Permutation::Trn1 => from_second + (lane & !1),
                Permutation::Trn2 => from_second + (lane | 1),
            };
            source * size + byte
        })
    }
}

/// The field that names a lane and its size.
fn lane_field(lanes: Lanes, lane: u8) -> u32 {
    ((u32::from(lane) * 2 + 1) * u32::from(lanes.bytes())) << 16
}

/// The lanes of floats of a width.
const fn float_lanes(width: FloatWidth) -> Lanes {
    match width {
        FloatWidth::F32 => Lanes::I32x4,
        FloatWidth::F64 => Lanes::I64x2,
    }
}

/// The word that loads or stores a lane.
fn lane_access(lanes: Lanes, lane: u8, load: u32) -> u32 {
    let lane = u32::from(lane);
    // The number of the lane lies across three fields, which the larger ones use in part.
    let (opcode, number) = match lanes {
        Lanes::I8x16 => (0b000, lane),
        Lanes::I16x8 => (0b010, lane << 1),
        Lanes::I32x4 => (0b100, lane << 2),
        Lanes::I64x2 => (0b100, lane << 3 | 1),
    };
    let fields = (number >> 3) << 30 | (number & 7) << 10;
    0x0d00_0000 | load << 22 | opcode << 13 | fields
}

impl A64Masm {
    /// A register that holds the address.
    fn plain_address(&mut self, mem: Mem) -> Gpr {
        if mem.index.is_none() && mem.displacement == 0 {
            return mem.base;
        }
        self.address(PRIVATE, mem);
        PRIVATE
    }

    /// The patterns that an instruction has. `same` says that both registers are one.
    fn shuffle_short(&mut self, bytes: [u8; 16], same: bool, dst: Fpr, a: Fpr, b: Fpr) -> bool {
        let mask = if same { 15 } else { 31 };
        let matches = |pattern: [u8; 16]| pattern.map(|byte| byte & mask) == bytes;
        for (log, size) in [(3, 8), (2, 4), (1, 2), (0, 1)] {
            for (permutation, word) in PERMUTATIONS {
                if matches(permutation.bytes(size)) {
                    self.asm.vector(word | log << 22, dst, a, b);
                    return true;
                }
            }
        }
        let first = bytes[0];
        if first < 16 && matches(core::array::from_fn(|i| first + i as u8)) {
            self.asm.vector(EXT | u32::from(first) << 11, dst, a, b);
            return true;
        }
        false
    }

    /// Bytes of one register: a lane everywhere, lanes in reverse order, or whatever.
    fn shuffle_one(&mut self, bytes: [u8; 16], dst: Fpr, a: Fpr) {
        if bytes == core::array::from_fn(|i| i as u8) {
            self.vec_copy(dst, a);
            return;
        }
        for lanes in [Lanes::I8x16, Lanes::I16x8, Lanes::I32x4, Lanes::I64x2] {
            let size = lanes.bytes();
            let first = bytes[0];
            if first.is_multiple_of(size)
                && bytes == core::array::from_fn(|i| first + i as u8 % size)
            {
                let field = lane_field(lanes, first / size);
                self.vec1(DUP_LANE | field, dst, a);
                return;
            }
            // Words that reverse lanes within 64, 32 and 16 bits.
            let log = u32::from(size.trailing_zeros() as u8);
            for (group, word) in [(8, 0x4e20_0800), (4, 0x6e20_0800), (2, 0x4e20_1800)] {
                let reversed = |i: usize| i as u8 ^ (group - 1) ^ (size - 1);
                if size < group && bytes == core::array::from_fn(reversed) {
                    self.vec1(word | log << 22, dst, a);
                    return;
                }
            }
        }
        if !self.shuffle_short(bytes, true, dst, a, a) {
            self.vector_literal(P, u128::from_le_bytes(bytes));
            self.asm.vector(TBL, dst, a, P);
        }
    }
}

impl LaneMasm for A64Masm {
    fn splat(&mut self, lanes: Lanes, dst: Fpr, src: Gpr) {
        let word = DUP_GENERAL | lane_field(lanes, 0);
        self.asm.float_from_general(word, Width::W32, dst, src);
    }

    fn float_splat(&mut self, width: FloatWidth, dst: Fpr, src: Fpr) {
        self.vec1(DUP_LANE | lane_field(float_lanes(width), 0), dst, src);
    }

    fn extract_lane(&mut self, op: Extract, lane: u8, dst: Gpr, a: Fpr) {
        let (word, lanes) = match op {
            Extract::I8S => (SMOV_32, Lanes::I8x16),
            Extract::I8U => (UMOV_32, Lanes::I8x16),
            Extract::I16S => (SMOV_32, Lanes::I16x8),
            Extract::I16U => (UMOV_32, Lanes::I16x8),
            Extract::I32 => (UMOV_32, Lanes::I32x4),
            Extract::I64 => (UMOV_64, Lanes::I64x2),
        };
        self.asm
            .general_from_float(word | lane_field(lanes, lane), Width::W32, dst, a);
    }

    fn float_extract_lane(&mut self, width: FloatWidth, lane: u8, dst: Fpr, a: Fpr) {
        if lane == 0 {
            self.vec_copy(dst, a);
        } else {
            self.vec1(DUP_SCALAR | lane_field(float_lanes(width), lane), dst, a);
        }
    }

    fn replace_lane(&mut self, lanes: Lanes, lane: u8, dst: Fpr, a: Fpr, value: Gpr) {
        self.vec_copy(dst, a);
        let word = INS_GENERAL | lane_field(lanes, lane);
        self.asm.float_from_general(word, Width::W32, dst, value);
    }

    fn float_replace_lane(&mut self, width: FloatWidth, lane: u8, dst: Fpr, a: Fpr, value: Fpr) {
        let value = if dst == value && dst != a {
            self.vec_copy(P, value);
            P
        } else {
            value
        };
        self.vec_copy(dst, a);
        let field = lane_field(float_lanes(width), lane);
        self.vec1(INS_LANE | field, dst, value);
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
        if self.shuffle_short(bytes, false, dst, a, b)
            || self.shuffle_short(swapped, false, dst, b, a)
        {
            return;
        }
        // The private registers are consecutive.
        self.vec_copy(Q, a);
        self.vec_copy(P, b);
        self.vector_literal(dst, u128::from_le_bytes(bytes));
        self.asm.vector(TBL_2, dst, Q, dst);
    }

    fn vec_load(&mut self, op: VecLoad, dst: Fpr, mem: Mem) {
        // Bits 29 and 19 to 22: unsigned, and the width of the lanes before.
        let extension = match op {
            VecLoad::Extend8x8S => 0x0f08_a400,
            VecLoad::Extend8x8U => 0x2f08_a400,
            VecLoad::Extend16x4S => 0x0f10_a400,
            VecLoad::Extend16x4U => 0x2f10_a400,
            VecLoad::Extend32x2S => 0x0f20_a400,
            VecLoad::Extend32x2U => 0x2f20_a400,
            VecLoad::Splat(lanes) => {
                let base = self.plain_address(mem);
                let log = lanes.bytes().trailing_zeros();
                self.asm.access(0x4d40_c000 | log << 10, dst.0, base);
                return;
            }
            VecLoad::Zero32 => return self.float_load(FloatPart::F32, dst, mem),
            VecLoad::Zero64 => return self.float_load(FloatPart::F64, dst, mem),
        };
        self.float_load(FloatPart::F64, dst, mem);
        self.vec1(extension, dst, dst);
    }

    fn load_lane(&mut self, lanes: Lanes, lane: u8, dst: Fpr, a: Fpr, mem: Mem) {
        self.vec_copy(dst, a);
        let base = self.plain_address(mem);
        self.asm.access(lane_access(lanes, lane, 1), dst.0, base);
    }

    fn store_lane(&mut self, lanes: Lanes, lane: u8, src: Fpr, mem: Mem) {
        match (lanes, lane) {
            (Lanes::I32x4, 0) => self.float_store(FloatPart::F32, src, mem),
            (Lanes::I64x2, 0) => self.float_store(FloatPart::F64, src, mem),
            (lanes, lane) => {
                let base = self.plain_address(mem);
                self.asm.access(lane_access(lanes, lane, 0), src.0, base);
            }
        }
    }
}
