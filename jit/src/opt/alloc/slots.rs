//! Frame slots of spilled values.

use super::hints;
use super::live::{self, Lines, Taken, Uses};
use super::spill::{self, Spill};
use crate::opt::ir::{BlockId, Function, Op, Value};

/// What is in slots.
struct InSlots<'f> {
    function: &'f Function,
    sunk: &'f [bool],
    spills: &'f [Spill],
}

impl InSlots<'_> {
    fn is_spilled(&self, value: Value) -> bool {
        spill::is_spilled(self.function, self.spills, value)
    }

    /// What a node reads from slots for those that are part of it.
    fn sunk_uses(&self, node: Value, f: &mut dyn FnMut(Value)) {
        self.function.for_each_arg(node, |arg| {
            if self.sunk[arg.0 as usize] {
                match self.function[arg].op {
                    Op::Reload => f(self.function[arg].args[0]),
                    _ => self.sunk_uses(arg, f),
                }
            }
        });
    }
}

impl Uses for InSlots<'_> {
    fn is_placed(&self, value: Value) -> bool {
        self.is_spilled(value)
    }

    fn node_uses(&self, node: Value, f: &mut dyn FnMut(Value)) {
        if self.sunk[node.0 as usize] {
            return;
        }
        match self.function[node].op {
            Op::Reload | Op::Call => self.function.for_each_arg(node, |arg| {
                if self.is_spilled(arg) {
                    f(arg);
                }
            }),
            _ => self.sunk_uses(node, f),
        }
    }

    fn exit_uses(&self, block: BlockId, f: &mut dyn FnMut(Value)) {
        self.function.for_each_exit_arg(block, |arg| {
            if self.is_spilled(arg) {
                f(arg);
            }
        });
        if let Some(cond) = self.function[block].exit.condition()
            && self.sunk[cond.0 as usize]
        {
            self.sunk_uses(cond, f);
        }
    }
}

/// Gives frame slots to the spilled values: shared by those that are never live together, and the
/// same for parameters and their arguments where that is possible.
pub(super) fn assign(
    function: &Function,
    lines: &Lines,
    sunk: &[bool],
    spills: &[Spill],
) -> (Vec<Option<u32>>, u32) {
    let uses = InSlots {
        function,
        sunk,
        spills,
    };
    let ranges = live::ranges(function, lines, &uses);
    let hints = hints(function);
    let mut slots: Vec<Option<u32>> = vec![None; function.nodes.len()];
    // What is taken of each slot.
    let mut taken: Vec<Taken> = Vec::new();
    for value in (0..function.nodes.len() as u32).map(Value) {
        let ranges = &ranges[value.0 as usize];
        if ranges.is_empty() {
            continue;
        }
        let width = function[value].ty.slots() as usize;
        let is_free = |taken: &[Taken], at: usize| {
            (at..at + width).all(|slot| taken.get(slot).is_none_or(|t| t.is_free(ranges)))
        };
        let hinted = hints[value.0 as usize]
            .iter()
            .filter_map(|other| slots[other.0 as usize])
            .map(|slot| slot as usize)
            .find(|&slot| is_free(&taken, slot));
        let slot = hinted.or_else(|| (0..taken.len()).find(|&slot| is_free(&taken, slot)));
        let slot = slot.unwrap_or(taken.len());
        taken.resize(taken.len().max(slot + width), Taken::default());
        for slot in &mut taken[slot..slot + width] {
            slot.take(ranges);
        }
        slots[value.0 as usize] = Some(slot as u32);
    }
    (slots, taken.len() as u32)
}
