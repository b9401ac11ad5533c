//! Loops that count, with a few steps in them that may go on or leave early: what compilers unroll.

use super::body::{Body, Frame};
use wasm_encoder::Instruction as I;
use wasm_encoder::{BlockType, ValType};

/// The counter, by its distance from the first one.
const COUNT: u32 = 2;

impl Body<'_> {
    /// A loop of at most twenty turns.
    pub(super) fn counted_loop(&mut self) {
        let count = self.counters + COUNT;
        let asks_first = self.rng.bool();
        let turns = self.rng.i32(i32::from(!asks_first)..=20);
        self.emit(I::I32Const(turns));
        if self.rng.bool() {
            self.hide_top(ValType::I32);
        }
        self.emit(I::LocalSet(count));
        let height = self.stack.len();
        for start in [I::Block(BlockType::Empty), I::Loop(BlockType::Empty)] {
            self.emit(start);
            self.frames.push(Frame::plain(height));
        }
        if asks_first {
            self.emit(I::LocalGet(count));
            self.emit(I::I32Eqz);
            self.emit(I::BrIf(1));
            self.emit(I::LocalGet(count));
            self.emit(I::I32Const(1));
            self.emit(I::I32Sub);
            self.emit(I::LocalSet(count));
        } else {
            // Steps may go back before the end.
            self.count_fuel();
        }
        self.plain_steps();
        if self.rng.u8(..6) == 0 {
            let below = self.stack.len();
            self.emit(I::Block(BlockType::Empty));
            self.frames.push(Frame::plain(below));
            let depth = self.rng.usize(..self.frames.len());
            self.branch_table(depth);
            self.frames.pop();
            self.stack.truncate(below);
            self.emit(I::End);
            self.plain_steps();
        }
        for _ in height..self.stack.len() {
            self.emit(I::Drop);
        }
        self.stack.truncate(height);
        if asks_first {
            self.emit(I::Br(0));
        } else {
            self.emit(I::LocalGet(count));
            self.emit(I::I32Const(-1));
            self.emit(I::I32Add);
            self.emit(I::LocalTee(count));
            self.emit(I::BrIf(0));
        }
        for _ in 0..2 {
            self.emit(I::End);
            self.frames.pop();
        }
        if self.rng.bool() {
            self.emit(I::LocalGet(count));
            self.stack.push(ValType::I32);
        }
    }
}
