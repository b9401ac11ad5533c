//! Loops that copy and fill memory, which compilers do by other means: most of them plain, a few
//! with something that must keep compilers from it.

use super::Event;
use super::body::Body;
use wasm_encoder::Instruction as I;
use wasm_encoder::{BlockType, MemArg, MemArgTarget, ValType};

/// The locals, by their distance from the first counter of their type.
const TO: u32 = 0;
const FROM: u32 = 1;
const COUNT: u32 = 2;
const END: u32 = 3;

/// Loads and stores of one size.
#[derive(Clone, Copy)]
enum Access {
    Byte,
    Half,
    Word,
    Single,
    Long,
    Double,
    LongByte,
    Vector,
}

impl Access {
    const ALL: [Access; 8] = [
        Access::Byte,
        Access::Half,
        Access::Word,
        Access::Single,
        Access::Long,
        Access::Double,
        Access::LongByte,
        Access::Vector,
    ];

    fn bytes(self) -> u64 {
        match self {
            Access::Byte | Access::LongByte => 1,
            Access::Half => 2,
            Access::Word | Access::Single => 4,
            Access::Long | Access::Double => 8,
            Access::Vector => 16,
        }
    }

    fn ty(self) -> ValType {
        match self {
            Access::Byte | Access::Half | Access::Word => ValType::I32,
            Access::Long | Access::LongByte => ValType::I64,
            Access::Single => ValType::F32,
            Access::Double => ValType::F64,
            Access::Vector => ValType::V128,
        }
    }

    fn load(self, memarg: MemArg) -> I<'static> {
        match self {
            Access::Byte => I::I32Load8U(memarg),
            Access::Half => I::I32Load16S(memarg),
            Access::Word => I::I32Load(memarg),
            Access::Single => I::F32Load(memarg),
            Access::Long => I::I64Load(memarg),
            Access::Double => I::F64Load(memarg),
            Access::LongByte => I::I64Load8S(memarg),
            Access::Vector => I::V128Load(memarg),
        }
    }

    fn store(self, memarg: MemArg) -> I<'static> {
        match self {
            Access::Byte => I::I32Store8(memarg),
            Access::Half => I::I32Store16(memarg),
            Access::Word => I::I32Store(memarg),
            Access::Single => I::F32Store(memarg),
            Access::Long => I::I64Store(memarg),
            Access::Double => I::F64Store(memarg),
            Access::LongByte => I::I64Store8(memarg),
            Access::Vector => I::V128Store(memarg),
        }
    }
}

/// Instructions for indices of one type.
#[derive(Clone, Copy)]
struct Indices {
    ty: ValType,
    first: u32,
    /// Indices of 32 bits, which wrap, for a memory of 64.
    extended: bool,
}

impl Indices {
    fn pick(self, narrow: I<'static>, wide: I<'static>) -> I<'static> {
        if self.ty == ValType::I64 {
            wide
        } else {
            narrow
        }
    }
}

impl Body<'_> {
    /// A loop of at most about a hundred turns, and what its counters are behind it.
    pub(super) fn bulk_loop(&mut self) {
        let memory = self.some_memory();
        let is_64 = self.shape.memories[memory as usize].memory64;
        let extended = is_64 && self.rng.u8(..5) < 2;
        let is_wide = is_64 && !extended;
        let indices = Indices {
            ty: if is_wide { ValType::I64 } else { ValType::I32 },
            first: self.counters + if is_wide { 4 } else { 0 },
            extended,
        };
        let accesses = Access::ALL.len() - usize::from(!self.shape.vectors);
        let access = Access::ALL[self.rng.usize(..accesses)];
        let unrolled = [1, 1, 2, 4, 8][self.rng.usize(..5)];
        let is_copy = self.rng.bool();
        let is_down = self.rng.u8(..3) == 0;
        let filling = self.rng.u8(..5);
        let mut stride = (access.bytes() * unrolled) as i64;
        if self.rng.u8(..12) == 0 {
            // With gaps, or over itself.
            stride += self.rng.i64(-2..=2);
        }
        let step = if is_down { -stride } else { stride };
        self.bulk_start(indices, memory);
        // How many turns: at least one, so that what counts to zero ends.
        let turns = self.rng.i64(1..=100);
        self.constant_integer(indices.ty, turns);
        self.stack.pop();
        if self.rng.bool() {
            self.hide_top(indices.ty);
        }
        self.emit(I::LocalSet(indices.first + COUNT));
        // The end of the first pointer.
        self.counter(indices, TO);
        self.counter(indices, COUNT);
        self.index_constant(indices, step);
        self.emit(indices.pick(I::I32Mul, I::I64Mul));
        self.emit(indices.pick(I::I32Add, I::I64Add));
        self.emit(I::LocalSet(indices.first + END));
        let form = self.rng.u8(..7);
        if form < 2 {
            self.emit(I::Block(BlockType::Empty));
        }
        self.emit(I::Loop(BlockType::Empty));
        if form == 0 {
            self.counter(indices, COUNT);
            self.emit(indices.pick(I::I32Eqz, I::I64Eqz));
            self.emit(I::BrIf(1));
        } else if form == 1 {
            self.counter(indices, TO);
            self.counter(indices, END);
            let above = indices.pick(I::I32GeU, I::I64GeU);
            let below = indices.pick(I::I32LeU, I::I64LeU);
            self.emit(if is_down { below } else { above });
            self.emit(I::BrIf(1));
        }
        let displacement = self.rng.u64(..3) * 8;
        let offsets = (0..unrolled).map(|slot| displacement + slot * access.bytes());
        for offset in offsets {
            self.place(indices, TO, offset, memory, |body, memarg, offset| {
                if is_copy {
                    body.place(indices, FROM, offset, memory, |body, memarg, _| {
                        body.emit(access.load(memarg));
                    });
                } else {
                    body.filling(access.ty(), filling);
                }
                body.emit(access.store(memarg));
            });
        }
        self.advance(indices, TO, step);
        self.advance(indices, FROM, step);
        self.advance(indices, COUNT, -1);
        match form {
            0 | 1 => self.emit(I::Br(0)),
            2 => {
                self.counter(indices, TO);
                self.counter(indices, END);
                self.emit(indices.pick(I::I32Ne, I::I64Ne));
                self.emit(I::BrIf(0));
            }
            3 => {
                self.counter(indices, COUNT);
                self.index_constant(indices, 0);
                self.emit(indices.pick(I::I32GtS, I::I64GtS));
                self.emit(I::BrIf(0));
            }
            4 => {
                self.counter(indices, TO);
                self.counter(indices, END);
                let below = indices.pick(I::I32LtU, I::I64LtU);
                let above = indices.pick(I::I32GtU, I::I64GtU);
                self.emit(if is_down { above } else { below });
                self.emit(I::BrIf(0));
            }
            _ => {
                self.counter(indices, COUNT);
                self.index_constant(indices, 0);
                self.emit(indices.pick(I::I32Ne, I::I64Ne));
                self.emit(I::BrIf(0));
            }
        }
        self.emit(I::End);
        if form < 2 {
            self.emit(I::End);
        }
        for local in [TO, FROM, COUNT] {
            if self.rng.bool() {
                self.counter(indices, local);
                self.stack.push(indices.ty);
            }
        }
    }

    /// Sets the two pointers: near the start, near the end, around zero, near each other.
    fn bulk_start(&mut self, indices: Indices, memory: u32) {
        let end = (self.shape.memories[memory as usize].minimum << 16) as i64;
        let edges = self.shape.edges(memory);
        let mut last = 0;
        for local in [TO, FROM] {
            let at = match (self.rng.u8(..8), &edges) {
                (5.., Some(edges)) => {
                    let edge = edges[self.rng.usize(..edges.len())] as i64;
                    if indices.extended && edge == 1 << 32 {
                        self.note(Event::Wrapped);
                    }
                    edge + self.rng.i64(-300..300)
                }
                (0, _) => self.rng.i64(-300..20),
                (1, _) => end - self.rng.i64(0..900),
                (2..=4, _) => last + self.rng.i64(-70..=70),
                (_, _) => self.rng.i64(300..2000),
            };
            last = at;
            self.index_constant(indices, at);
            if self.rng.bool() {
                self.hide_top(indices.ty);
            }
            self.emit(I::LocalSet(indices.first + local));
        }
    }

    fn counter(&mut self, indices: Indices, local: u32) {
        self.emit(I::LocalGet(indices.first + local));
    }

    fn index_constant(&mut self, indices: Indices, value: i64) {
        self.constant_integer(indices.ty, value);
        self.stack.pop();
    }

    fn advance(&mut self, indices: Indices, local: u32, step: i64) {
        self.counter(indices, local);
        self.index_constant(indices, step);
        self.emit(indices.pick(I::I32Add, I::I64Add));
        self.emit(I::LocalSet(indices.first + local));
    }

    /// The address of an access, with its offset in the sum or beside it.
    fn place(
        &mut self,
        indices: Indices,
        local: u32,
        offset: u64,
        memory: u32,
        access: impl FnOnce(&mut Self, MemArg, u64),
    ) {
        self.counter(indices, local);
        let beside = if self.rng.u8(..4) == 0 {
            self.index_constant(indices, offset as i64);
            self.emit(indices.pick(I::I32Add, I::I64Add));
            0
        } else {
            offset
        };
        if indices.extended {
            self.emit(I::I64ExtendI32U);
        }
        let memarg = MemArg {
            offset: beside,
            align: 0,
            target: MemArgTarget::Memory(memory),
            ordering: None,
        };
        access(self, memarg, offset);
    }

    /// What every turn stores: zero, one byte repeated, another constant, or a pointer that stays.
    fn filling(&mut self, ty: ValType, which: u8) {
        let byte = if which == 2 { 0xa5 } else { 0 };
        let same = u64::from_le_bytes([byte; 8]);
        match (ty, which) {
            (ValType::I32, ..3) => self.emit(I::I32Const(same as i32)),
            (ValType::I64, ..3) => self.emit(I::I64Const(same as i64)),
            (ValType::F32, ..3) => self.emit(I::F32Const(f32::from_bits(same as u32).into())),
            (ValType::F64, ..3) => self.emit(I::F64Const(f64::from_bits(same).into())),
            (ValType::I32, 3) => self.emit(I::LocalGet(self.counters + END)),
            (ValType::I32, _) => self.emit(I::I32Const(0x1234_a5a5)),
            (ValType::I64, _) => self.emit(I::LocalGet(self.counters + 4 + END)),
            (ValType::F32, _) => self.emit(I::F32Const(1.5_f32.into())),
            (ValType::V128, ..3) => {
                let bits = u128::from(same) << 64 | u128::from(same);
                self.emit(I::V128Const(bits as i128));
            }
            (ValType::V128, _) => self.emit(I::V128Const(0x1234 << 90 | 0x56)),
            (_, _) => self.emit(I::F64Const((-0.75_f64).into())),
        }
    }
}
