//! Loops that only fill memory: all but the last of their iterations are left to the runtime.
//!
//! [`FillLoop`] recognises them by their operators, before any of these is compiled. Code in front of
//! such a loop asks the runtime, when the loop has many iterations to go, to do some of them at once; the
//! loop itself stays and does the rest.

use super::Compiler;
use super::Next;
use crate::abi::width_of;
use crate::contract::helpers::{FILL_WIDE_ADDRESS, FILL_WIDE_COUNT, Helper};
use crate::masm::{AluOp, Cond, Masm, Width};
use smallvec::SmallVec;
use wasmparser::BlockType;
use zwasm_core::ValType;
use zwasm_core::fill::{Counter, FillLoop, Filling, MAX_STEPS};

impl<M: Masm> Compiler<'_, M> {
    /// At the start of a loop: if it only fills memory, code that has the runtime do the better part
    /// of it.
    pub(super) fn fill_loop(&mut self) {
        if self.env.consume_fuel {
            return;
        }
        let Some(memory) = self.env.info.memories.first() else {
            return;
        };
        let Some(fill) = FillLoop::of(self.behind_opcode) else {
            return;
        };
        let counter = &fill.counter;
        let width = counter_width(counter);
        // The distance that the counter has to go.
        self.push_distance(counter);
        self.push_const(counter.ty(), fill.min_distance().into());
        self.compare(Cond::GtU, width, Next::Condition);
        self.if_(BlockType::Empty);
        // A counter beyond the bound would seem to be far from it.
        self.local_get(counter.local);
        self.push_bound(counter);
        let ahead = match (counter.step > 0, counter.is_signed) {
            (true, false) => Cond::LtU,
            (true, true) => Cond::LtS,
            (false, false) => Cond::GtU,
            (false, true) => Cond::GtS,
        };
        self.compare(ahead, width, Next::Condition);
        self.if_(BlockType::Empty);

        self.local_get(fill.pointer);
        // The last iteration is the loop's.
        self.push_distance(counter);
        self.push_const(counter.ty(), 1);
        self.alu(AluOp::Sub, width, Next::Other);
        self.push_const(counter.ty(), counter.step.trailing_zeros().into());
        self.alu(AluOp::ShrU, width, Next::Other);
        match fill.filling {
            Filling::Local(local) => self.local_get(local),
            Filling::Const(value) => self.push_const(ValType::I64, value as u64),
        }
        let mut shape = u64::from(fill.stride << 8 | fill.width);
        if memory.memory64 {
            shape |= FILL_WIDE_ADDRESS;
        }
        if counter.is_wide {
            shape |= FILL_WIDE_COUNT;
        }
        let types: SmallVec<[ValType; MAX_STEPS]> = fill
            .steps
            .iter()
            .map(|&(local, _)| self.locals[local as usize].ty)
            .collect();
        let entry = Helper::FillLoop.entry();
        self.call_helper(entry, 3, [fill.low, shape], &types);
        for (&(local, step), ty) in fill.steps.iter().zip(types).rev() {
            let width = width_of(ty);
            self.push_const(ty, step as u64 & width.ones());
            self.alu(AluOp::Mul, width, Next::Other);
            self.local_get(local);
            self.alu(AluOp::Add, width, Next::Local(local));
            self.local_set(local);
        }
        self.end();
        self.end();
    }

    fn push_bound(&mut self, counter: &Counter) {
        let width = counter_width(counter);
        let (local, plus) = counter.bound;
        let constant = plus as u64 & width.ones();
        let Some(local) = local else {
            return self.push_const(counter.ty(), constant);
        };
        self.local_get(local);
        if plus != 0 {
            self.push_const(counter.ty(), constant);
            self.alu(AluOp::Add, width, Next::Other);
        }
    }

    /// How far the counter is from its bound.
    fn push_distance(&mut self, counter: &Counter) {
        let width = counter_width(counter);
        if counter.step > 0 {
            self.push_bound(counter);
            self.local_get(counter.local);
            self.alu(AluOp::Sub, width, Next::Other);
        } else {
            self.local_get(counter.local);
            if counter.bound != (None, 0) {
                self.push_bound(counter);
                self.alu(AluOp::Sub, width, Next::Other);
            }
        }
    }
}

fn counter_width(counter: &Counter) -> Width {
    width_of(counter.ty())
}
