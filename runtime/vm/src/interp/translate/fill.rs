//! Loops that only fill memory: an instruction in front of them does all iterations but the last ones.

use super::Translator;
use crate::interp::handlers::bulk;
use zwasm_core::fill::{FillLoop, Filling, MAX_STEPS, Operand};

impl Translator<'_> {
    /// At the start of a loop, given the bytes behind its opcode.
    pub(super) fn fill_loop(&mut self, behind_opcode: &[u8]) {
        // Fuel is charged iteration by iteration.
        if self.consume_fuel {
            return;
        }
        let Some(fill) = FillLoop::of(behind_opcode) else {
            return;
        };
        // Values of locals that are about to change.
        self.settle_locals(None);
        self.forget_accumulators();
        let counter = fill.counter;
        let flags = [
            (
                self.module.info.memories[0].memory64,
                bulk::FILL_WIDE_ADDRESS,
            ),
            (counter.is_wide, bulk::FILL_WIDE_COUNTER),
            (counter.is_signed, bulk::FILL_SIGNED),
            (counter.step < 0, bulk::FILL_COUNTS_DOWN),
        ];
        let flags = flags.iter().filter(|(is_set, _)| *is_set);
        self.begin_trapping(bulk::fill_loop);
        self.word(flags.map(|&(_, flag)| flag).sum());
        self.word(fill.min_distance());
        self.word(fill.stride);
        self.word(fill.width);
        self.word64(fill.low);
        self.local_word(fill.pointer);
        self.word(counter.step.trailing_zeros());
        self.local_word(counter.local);
        self.sum_words(counter.bound);
        self.sum_words(match fill.filling {
            Filling::Local(local) => (Some(local), 0),
            Filling::Const(value) => (None, value),
        });
        self.word(fill.steps.len() as u32);
        for step in 0..MAX_STEPS {
            match fill.steps.get(step) {
                Some(&(local, step)) => self.sum_words((Some(local), step)),
                None => self.sum_words((None, 0)),
            }
        }
    }

    fn local_word(&mut self, local: u32) {
        self.slot_word(self.locals[local as usize].slot);
    }

    fn sum_words(&mut self, (local, constant): Operand) {
        match local {
            Some(local) => self.local_word(local),
            None => self.word(bulk::FILL_NO_SLOT),
        }
        self.word64(constant as u64);
    }
}
