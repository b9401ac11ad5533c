//! Loads and stores: most in bounds, many at the very end, some far outside.

use super::body::Body;
use crate::values::integer;
use wasm_encoder::Instruction as I;
use wasm_encoder::{MemArg, MemArgTarget, ValType};

impl Body<'_> {
    /// A memory; a large one rather.
    pub(super) fn some_memory(&mut self) -> u32 {
        let count = self.shape.memories.len() as u32;
        let memory = self.rng.u32(..count);
        if self.shape.edges(memory).is_none() && self.shape.is_vast() {
            return self.rng.u32(..count);
        }
        memory
    }

    /// The type of a memory's indices.
    pub(super) fn index_type(&self, memory: u32) -> ValType {
        if self.shape.memories[memory as usize].memory64 {
            ValType::I64
        } else {
            ValType::I32
        }
    }

    /// Pushes an address and gives the rest of the access.
    pub(super) fn address(&mut self) -> MemArg {
        let memory = self.some_memory();
        let ty = self.shape.memories[memory as usize];
        let end = match self.shape.edges(memory) {
            Some(edges) => edges[self.rng.usize(..edges.len())],
            None => ty.minimum << 16,
        };
        let near_end = end.saturating_sub(self.rng.u64(..20));
        let (index, offset) = match self.rng.u8(..16) {
            // The sum is the end, or close to it.
            0 => (near_end, 0),
            1 => (0, near_end),
            2 => {
                let index = self.rng.u64(..=near_end);
                (index, near_end - index)
            }
            3 => (self.rng.u64(..=end), self.rng.u64(..16)),
            // Far outside, with sums that do not fit 32 or 64 bits.
            4 => (u64::MAX - self.rng.u64(..20), self.rng.u64(..40)),
            5 => (
                integer(self.rng) as u64,
                0xffff_ffff - self.rng.u64(..20) * self.rng.u64(..2),
            ),
            6 if ty.memory64 => (integer(self.rng) as u64, u64::MAX - self.rng.u64(..20)),
            7 if ty.memory64 => (self.rng.u64(..64), integer(self.rng) as u64),
            7 => (self.rng.u64(..64), u64::from(integer(self.rng) as u32)),
            // Computed.
            kind => {
                let index_type = self.index_type(memory);
                if ty.memory64 && kind == 14 {
                    // 32 bits that wrap before they are extended.
                    self.value(ValType::I32, 2);
                    self.constant_integer(ValType::I32, -8);
                    self.emit(I::I32Or);
                    let beyond = self.rng.i64(0..20);
                    self.constant_integer(ValType::I32, beyond);
                    self.emit(I::I32Add);
                    self.emit(I::I64ExtendI32U);
                    self.stack.truncate(self.stack.len() - 3);
                    self.stack.push(ValType::I64);
                    return memarg(memory, self.rng.u64(..32));
                }
                self.want(&[index_type]);
                if kind < 15 {
                    let mask = 0xfff;
                    self.constant_integer(index_type, mask);
                    let and = if ty.memory64 { I::I64And } else { I::I32And };
                    self.emit(and);
                    self.stack.pop();
                }
                let offset = self.rng.u64(..32);
                return memarg(memory, offset);
            }
        };
        let index_type = self.index_type(memory);
        self.constant_integer(index_type, index as i64);
        if self.rng.bool() {
            // Out of the compiler's sight.
            self.hide_top(index_type);
        }
        memarg(memory, offset)
    }

    /// A load.
    pub(super) fn load(&mut self) {
        let memarg = self.address();
        self.stack.pop();
        let (instruction, ty) = match self.rng.u8(..if self.shape.vectors { 28 } else { 16 }) {
            0 => (I::I32Load(memarg), ValType::I32),
            1 => (I::I32Load8U(memarg), ValType::I32),
            2 => (I::I32Load8S(memarg), ValType::I32),
            3 => (I::I32Load16U(memarg), ValType::I32),
            4 => (I::I32Load16S(memarg), ValType::I32),
            5 => (I::I64Load(memarg), ValType::I64),
            6 => (I::I64Load8U(memarg), ValType::I64),
            7 => (I::I64Load8S(memarg), ValType::I64),
            8 => (I::I64Load16U(memarg), ValType::I64),
            9 => (I::I64Load16S(memarg), ValType::I64),
            10 => (I::I64Load32U(memarg), ValType::I64),
            11 => (I::I64Load32S(memarg), ValType::I64),
            12 | 13 => (I::F32Load(memarg), ValType::F32),
            14 | 15 => (I::F64Load(memarg), ValType::F64),
            16 => (I::V128Load8x8S(memarg), ValType::V128),
            17 => (I::V128Load8x8U(memarg), ValType::V128),
            18 => (I::V128Load16x4S(memarg), ValType::V128),
            19 => (I::V128Load16x4U(memarg), ValType::V128),
            20 => (I::V128Load32x2S(memarg), ValType::V128),
            21 => (I::V128Load8Splat(memarg), ValType::V128),
            22 => (I::V128Load16Splat(memarg), ValType::V128),
            23 => (I::V128Load32Splat(memarg), ValType::V128),
            24 => (I::V128Load64Splat(memarg), ValType::V128),
            25 => (I::V128Load32Zero(memarg), ValType::V128),
            26 => (I::V128Load64Zero(memarg), ValType::V128),
            _ => (I::V128Load(memarg), ValType::V128),
        };
        self.emit(instruction);
        self.stack.push(ty);
    }

    /// A store: the value is computed behind the address.
    pub(super) fn store(&mut self) {
        let memarg = self.address();
        let height = self.stack.len();
        let ty = match self.rng.u8(..10) {
            0..=3 => ValType::I32,
            4..=6 => ValType::I64,
            7 => ValType::F32,
            8 => ValType::F64,
            _ if self.shape.vectors => ValType::V128,
            _ => ValType::I32,
        };
        self.value(ty, 2);
        self.make_canonical(ty);
        let instruction = match (ty, self.rng.u8(..4)) {
            (ValType::I32, 0) => I::I32Store8(memarg),
            (ValType::I32, 1) => I::I32Store16(memarg),
            (ValType::I32, _) => I::I32Store(memarg),
            (ValType::I64, 0) => I::I64Store8(memarg),
            (ValType::I64, 1) => I::I64Store16(memarg),
            (ValType::I64, 2) => I::I64Store32(memarg),
            (ValType::I64, _) => I::I64Store(memarg),
            (ValType::F32, _) => I::F32Store(memarg),
            (ValType::F64, _) => I::F64Store(memarg),
            (_, 0) => I::V128Store8Lane {
                memarg,
                lane: self.rng.u8(..16),
            },
            (_, 1) => I::V128Store64Lane {
                memarg,
                lane: self.rng.u8(..2),
            },
            _ => I::V128Store(memarg),
        };
        self.emit(instruction);
        self.stack.truncate(height - 1);
    }

    /// A lane of a vector from memory.
    pub(super) fn load_lane(&mut self) {
        let memarg = self.address();
        let height = self.stack.len();
        self.value(ValType::V128, 1);
        let lane = self.rng.u8(..16);
        let instruction = match self.rng.u8(..4) {
            0 => I::V128Load8Lane { memarg, lane },
            1 => I::V128Load16Lane {
                memarg,
                lane: lane / 2,
            },
            2 => I::V128Load32Lane {
                memarg,
                lane: lane / 4,
            },
            _ => I::V128Load64Lane {
                memarg,
                lane: lane / 8,
            },
        };
        self.emit(instruction);
        self.stack.truncate(height - 1);
        self.stack.push(ValType::V128);
    }

    /// Growth, sizes, and small fills and copies.
    pub(super) fn bulk(&mut self) {
        let memory = self.some_memory();
        let index_type = self.index_type(memory);
        let edges = self.shape.edges(memory);
        let constant = |this: &mut Self, most: u64| {
            let value = match &edges {
                Some(edges) if most > 0x1_0000 => edges[this.rng.usize(..edges.len())]
                    .wrapping_sub(20)
                    .wrapping_add(this.rng.u64(..40)),
                _ => this.rng.u64(..=most),
            };
            this.constant_integer(index_type, value as i64);
        };
        match self.rng.u8(..4) {
            0 => {
                if edges.is_some() && self.rng.bool() {
                    self.constant_integer(index_type, 0x1_0000);
                } else {
                    constant(self, 1);
                }
                self.emit(I::MemoryGrow(memory));
            }
            1 => {
                self.emit(I::MemorySize(memory));
                self.stack.push(index_type);
            }
            2 => {
                constant(self, 0x1_0010);
                self.constant_integer(ValType::I32, 0xa5);
                constant(self, 40);
                self.emit(I::MemoryFill(memory));
                self.stack.truncate(self.stack.len() - 3);
            }
            _ => {
                constant(self, 0x1_0010);
                constant(self, 0x1_0010);
                constant(self, 40);
                self.emit(I::MemoryCopy {
                    src_mem: memory,
                    dst_mem: memory,
                });
                self.stack.truncate(self.stack.len() - 3);
            }
        }
    }
}

pub(super) fn memarg(memory: u32, offset: u64) -> MemArg {
    MemArg {
        offset,
        align: 0,
        target: MemArgTarget::Memory(memory),
        ordering: None,
    }
}
