//! Replays an allocation: which value each register and slot holds, on every path through the
//! function, and that each use finds the value that it asks for.
//!
//! Runs after every allocation in debug builds and tests. It knows nothing of live ranges: it
//! follows what the code will do.

use super::{Allocation, Home, Machine, clobbers};
use crate::opt::back::select::Selected;
use crate::opt::form::ir::{BlockId, Edge, Op, Ty, Value};
use std::collections::HashMap;

/// A place: a register by class and number, or a slot.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Place {
    Gpr(u8),
    Fpr(u8),
    Slot(u32),
}

/// What is known to be where.
type State = HashMap<Place, Value>;

/// Says which use finds something else than its value.
pub(crate) fn check(
    function: &Selected,
    machine: Machine<'_>,
    allocation: &Allocation,
) -> Result<(), String> {
    let checker = Checker {
        function,
        machine,
        allocation,
    };
    let mut at_start: Vec<Option<State>> = vec![None; function.blocks.len()];
    let mut entry = State::new();
    for &param in &function.blocks[0].params {
        checker.define(&mut entry, param);
    }
    at_start[0] = Some(entry);
    let mut work = vec![BlockId(0)];
    while let Some(block) = work.pop() {
        let mut state = at_start[block.0 as usize].clone().expect("reached");
        let thrown = checker.block(block, &mut state)?;
        for edge in function[block].exit.edges() {
            let before = match function[edge.to].pad {
                Some(_) => thrown.as_ref().expect("a pad is behind a call"),
                None => &state,
            };
            let after = checker.edge(block, edge, before)?;
            let known = &mut at_start[edge.to.0 as usize];
            let merged = match known {
                None => after,
                Some(before) => {
                    let mut merged = before.clone();
                    merged.retain(|place, value| after.get(place) == Some(value));
                    if merged.len() == before.len() {
                        continue;
                    }
                    merged
                }
            };
            *known = Some(merged);
            work.push(edge.to);
        }
    }
    Ok(())
}

struct Checker<'c> {
    function: &'c Selected,
    machine: Machine<'c>,
    allocation: &'c Allocation,
}

impl Checker<'_> {
    fn register(&self, value: Value) -> Option<Place> {
        match self.allocation.homes[value.0 as usize] {
            Home::None => None,
            Home::Gpr(gpr) => Some(Place::Gpr(gpr.0)),
            Home::Fpr(fpr) => Some(Place::Fpr(fpr.0)),
        }
    }

    fn slot(&self, value: Value) -> Option<Place> {
        self.allocation.slots[value.0 as usize].map(Place::Slot)
    }

    /// A value comes to be, in its register and its slot.
    fn define(&self, state: &mut State, value: Value) {
        let places = self.register(value).into_iter().chain(self.slot(value));
        for place in places {
            // A vector's upper half overwrites what is in the slot above.
            if let (Place::Slot(slot), Ty::V128) = (place, self.function[value].ty) {
                state.remove(&Place::Slot(slot + 1));
            }
            if let Place::Slot(slot) = place {
                let below = slot.checked_sub(1).map(Place::Slot);
                let is_vector = |v: &Value| self.function[*v].ty == Ty::V128;
                if let Some(below) = below
                    && state.get(&below).is_some_and(is_vector)
                {
                    state.remove(&below);
                }
            }
            state.insert(place, value);
        }
    }

    /// A value that is read from its slot.
    fn slot_of(&self, state: &State, value: Value, what: &str) -> Result<(), String> {
        let slot = self.slot(value);
        let slot = slot.ok_or_else(|| format!("{what}: {value} was not spilled"))?;
        self.holds(state, slot, value, what)
    }

    fn is_constant(&self, value: Value) -> bool {
        !super::live::has_place(self.function[value].op)
    }

    /// An operand that has to be in its register.
    fn operand(&self, state: &State, value: Value, what: &str) -> Result<(), String> {
        if self.function.is_sunk(value) && self.function[value].op == Op::Reload {
            return self.slot_of(state, self.function[value].args[0], what);
        }
        if self.function.is_sunk(value) {
            let mut result = Ok(());
            self.function.for_each_arg(value, |arg| {
                if result.is_ok() {
                    result = self.operand(state, arg, what);
                }
            });
            return result;
        }
        if self.is_constant(value) {
            return Ok(());
        }
        let place = self
            .register(value)
            .ok_or_else(|| format!("{what}: {value} has no register"))?;
        self.holds(state, place, value, what)
    }

    /// An operand that is read from its register or its slot.
    fn anywhere(&self, state: &State, value: Value, what: &str) -> Result<(), String> {
        if self.is_constant(value) {
            return Ok(());
        }
        match self.slot(value).or(self.register(value)) {
            Some(place) => self.holds(state, place, value, what),
            None => Err(format!("{what}: {value} is nowhere")),
        }
    }

    fn holds(&self, state: &State, place: Place, value: Value, what: &str) -> Result<(), String> {
        match state.get(&place) {
            Some(&held) if held == value => Ok(()),
            Some(held) => Err(format!("{what}: {place:?} holds {held}, not {value}")),
            None => Err(format!(
                "{what}: nothing is known of {place:?}, for {value}"
            )),
        }
    }

    /// Gives back what is known when the call at the end throws, if that may lead to landing pads.
    fn block(&self, block: BlockId, state: &mut State) -> Result<Option<State>, String> {
        let invoked = self.function.invoked(block);
        let mut thrown = None;
        for (i, &node) in self.function[block].nodes.iter().enumerate() {
            if self.function.is_sunk(node) {
                continue;
            }
            let what = format!("{node} in {block}");
            let data = &self.function[node];
            match data.op {
                Op::Call => {
                    let call = &self.function.calls[data.imm as usize];
                    for &arg in &call.args {
                        self.anywhere(state, arg, &what)?;
                    }
                    let saved = |place: &Place| match place {
                        Place::Gpr(gpr) => {
                            self.machine.target.file.saved.iter().any(|s| s.0 == *gpr)
                        }
                        Place::Fpr(_) => false,
                        Place::Slot(_) => true,
                    };
                    state.retain(|place, _| saved(place));
                    if invoked == Some(i) {
                        // The runtime puts no registers back.
                        let mut left = state.clone();
                        left.retain(|place, _| matches!(place, Place::Slot(_)));
                        thrown = Some(left);
                    }
                }
                Op::CallResult => {}
                Op::Reload => {
                    self.slot_of(state, data.args[0], &what)?;
                }
                _ => {
                    let mut result = Ok(());
                    self.function.for_each_arg(node, |arg| {
                        if result.is_ok() {
                            result = self.operand(state, arg, &what);
                        }
                    });
                    result?;
                }
            }
            self.clobber(node, state, &what)?;
            if data.ty != Ty::None {
                self.define(state, node);
            }
        }
        let what = format!("the end of {block}");
        let exit = &self.function[block].exit;
        if let Some(cond) = exit.condition() {
            self.operand(state, cond, &what)?;
        }
        match exit {
            crate::opt::form::ir::Exit::Return(values) => values
                .iter()
                .try_for_each(|&value| self.anywhere(state, value, &what)),
            crate::opt::form::ir::Exit::TailCall(call) => {
                let args = &self.function.calls[*call as usize].args;
                args.iter()
                    .try_for_each(|&value| self.anywhere(state, value, &what))
            }
            _ => Ok(()),
        }?;
        Ok(thrown)
    }

    /// What the node overwrites beside its result. Operands and result must not be there, but for
    /// those that the operation allows.
    fn clobber(&self, node: Value, state: &mut State, what: &str) -> Result<(), String> {
        let data = &self.function[node];
        for clobber in clobbers(self.function, self.machine, data) {
            let register = Some(Place::Gpr(clobber.register.0));
            let is_there = |arg: Value| arg != Value::NONE && self.register(arg) == register;
            let [a, b, _] = data.args;
            if is_there(a) || (is_there(b) && !clobber.may_hold_second) {
                return Err(format!("{what}: an operand is in {register:?}"));
            }
            if self.register(node) == register && !clobber.may_hold_result {
                return Err(format!("{what}: the result is in {register:?}"));
            }
            if !is_there(b) {
                state.remove(&Place::Gpr(clobber.register.0));
            }
        }
        Ok(())
    }

    /// All arguments are read before a parameter is written.
    fn edge(&self, from: BlockId, edge: &Edge, state: &State) -> Result<State, String> {
        let what = format!("the edge from {from} to {}", edge.to);
        for &arg in &edge.args {
            self.anywhere(state, arg, &what)?;
        }
        let mut after = state.clone();
        for &param in &self.function[edge.to].params {
            self.define(&mut after, param);
        }
        Ok(after)
    }
}
