//! Bulk operations on memories whose length is a small constant, as compilers write for structures:
//! plain loads and stores instead of a call of the runtime.
//!
//! Nothing may be written when any byte is out of bounds. Loads come first; they also make copies of
//! overlapping ranges right. Of the stores, the one with the last byte is first: if that byte is in
//! the memory, so are the others.

use super::Builder;
use super::access::Place;
use crate::masm::vector::Lanes;
use crate::masm::{AluOp, FloatPart, LoadOp, StoreOp, Width};
use crate::opt::form::ir::{Alias, Op, Ty, Value};
use wasmparser::Operator;

/// Up to this many bytes are copied or filled in line: eight pieces.
const INLINE_BYTES_MAX: u64 = 128;

/// A part of the range, from its start on.
#[derive(Clone, Copy)]
struct Piece {
    offset: u64,
    size: Size,
}

#[derive(Clone, Copy)]
enum Size {
    B1,
    B2,
    B4,
    B8,
    B16,
}

impl Size {
    const ALL: [Size; 5] = [Size::B16, Size::B8, Size::B4, Size::B2, Size::B1];

    fn bytes(self) -> u64 {
        match self {
            Size::B1 => 1,
            Size::B2 => 2,
            Size::B4 => 4,
            Size::B8 => 8,
            Size::B16 => 16,
        }
    }

    fn load(self) -> (Op, Ty) {
        let int = |op| Op::Load(op, Alias::Heap);
        match self {
            Size::B1 => (int(LoadOp::U8), Ty::I32),
            Size::B2 => (int(LoadOp::U16), Ty::I32),
            Size::B4 => (int(LoadOp::U32), Ty::I32),
            Size::B8 => (int(LoadOp::U64), Ty::I64),
            Size::B16 => (Op::FloatLoad(FloatPart::V128, Alias::Heap), Ty::V128),
        }
    }

    fn store(self) -> Op {
        let int = |op| Op::Store(op, Alias::Heap);
        match self {
            Size::B1 => int(StoreOp::B1),
            Size::B2 => int(StoreOp::B2),
            Size::B4 => int(StoreOp::B4),
            Size::B8 => int(StoreOp::B8),
            Size::B16 => Op::FloatStore(FloatPart::V128, Alias::Heap),
        }
    }
}

/// The fewest pieces of a range of some bytes, in ascending order. The last two may overlap.
fn pieces(bytes: u64) -> Vec<Piece> {
    let fits = |size: &&Size| size.bytes() <= bytes;
    let Some(&size) = Size::ALL.iter().find(fits) else {
        return Vec::new();
    };
    let last = bytes - size.bytes();
    let offsets = (0..last).step_by(size.bytes() as usize).chain([last]);
    offsets.map(|offset| Piece { offset, size }).collect()
}

impl Builder<'_> {
    /// Copies and fills of a constant length; false for all other operators.
    pub(super) fn short_bulk_operator(&mut self, op: &Operator<'_>) -> bool {
        let &[.., bytes] = &self.stack[..] else {
            return false;
        };
        // Of no byte at all, the start must be in bounds nevertheless.
        let bytes = match self.function.constant(bytes) {
            Some(bytes @ 1..=INLINE_BYTES_MAX) => bytes,
            _ => return false,
        };
        match *op {
            Operator::MemoryCopy { dst_mem, src_mem } => {
                self.pop();
                self.short_copy(dst_mem, src_mem, bytes);
            }
            Operator::MemoryFill { mem } => {
                self.pop();
                self.short_fill(mem, bytes);
            }
            _ => return false,
        }
        true
    }

    fn short_copy(&mut self, to_memory: u32, from_memory: u32, bytes: u64) {
        let [to, from] = self.pop2();
        let to = self.place_in(to_memory, to, 0, bytes);
        let from = self.place_in(from_memory, from, 0, bytes);
        let pieces = pieces(bytes);
        let loaded: Vec<Value> = pieces
            .iter()
            .map(|piece| {
                let (op, ty) = piece.size.load();
                self.emit(op, ty, &from.args, from.displacement + piece.offset)
            })
            .collect();
        for (piece, value) in pieces.into_iter().zip(loaded).rev() {
            self.store_piece(&to, piece, value);
        }
    }

    fn short_fill(&mut self, memory: u32, bytes: u64) {
        let [to, value] = self.pop2();
        let to = self.place_in(memory, to, 0, bytes);
        for piece in pieces(bytes).into_iter().rev() {
            let value = self.filled(value, piece.size);
            self.store_piece(&to, piece, value);
        }
    }

    fn store_piece(&mut self, to: &Place, piece: Piece, value: Value) {
        let [base, index] = to.args;
        let displacement = to.displacement + piece.offset;
        self.emit(
            piece.size.store(),
            Ty::None,
            &[base, index, value],
            displacement,
        );
    }

    /// As many copies of the low byte as a piece has, or more.
    fn filled(&mut self, byte: Value, size: Size) -> Value {
        const ONES: u64 = 0x0101_0101_0101_0101;
        if let Some(byte) = self.function.constant(byte) {
            let bits = (byte & 0xff) * ONES;
            return match size {
                Size::B16 => self.vector_constant(bits, bits),
                Size::B8 => self.constant(Ty::I64, bits),
                Size::B4 | Size::B2 | Size::B1 => self.constant(Ty::I32, bits & 0xffff_ffff),
            };
        }
        match size {
            Size::B16 => self.emit(Op::Splat(Lanes::I8x16), Ty::V128, &[byte], 0),
            Size::B1 => byte,
            Size::B8 | Size::B4 | Size::B2 => {
                let low = self.constant(Ty::I32, 0xff);
                let low = self.emit(Op::Alu(AluOp::And, Width::W32), Ty::I32, &[byte, low], 0);
                let low = self.extend(low);
                let ones = self.constant(Ty::I64, ONES);
                self.alu64(AluOp::Mul, low, ones)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{INLINE_BYTES_MAX, pieces};

    #[test]
    fn pieces_cover_every_byte_and_no_other() {
        for bytes in 1..=INLINE_BYTES_MAX {
            let mut covered = vec![false; bytes as usize];
            let pieces = pieces(bytes);
            assert!(pieces.len() <= 8);
            for piece in &pieces {
                let range = piece.offset..piece.offset + piece.size.bytes();
                covered[range.start as usize..range.end as usize].fill(true);
            }
            assert!(covered.into_iter().all(|byte| byte), "{bytes}");
            let last = pieces.last().expect("there is a byte");
            assert_eq!(last.offset + last.size.bytes(), bytes);
        }
    }
}
