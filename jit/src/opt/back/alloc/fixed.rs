//! Registers in fixed roles: those that an operation overwrites, and those in which arguments
//! arrive and leave.

use super::live::Range;
use super::{Home, Machine};
use crate::abi::{self, Place};
use crate::masm::{Clobber, FixedRoles, Gpr};
use crate::opt::form::ir::{Callee, Exit, Function, Node, Op, Value};

/// What a node does to rare registers.
pub(crate) fn clobbers(
    function: &Function,
    machine: Machine<'_>,
    node: &Node,
) -> &'static [Clobber] {
    match node.op {
        Op::Alu(op, _) if op.is_shift() && function.constant(node.args[1]).is_none() => {
            machine.target.clobbers.of(FixedRoles::Shift(op))
        }
        Op::Div(..) => machine.target.clobbers.of(FixedRoles::Div),
        Op::MulHigh(_) => machine.target.clobbers.of(FixedRoles::MulHigh),
        Op::IntUnary(op, _) => machine.target.clobbers.of(FixedRoles::Unary(op)),
        Op::FromInt(from, _) => machine.target.clobbers.of(FixedRoles::FromInt(from)),
        _ => &[],
    }
}

/// A place where a register is overwritten.
#[derive(Clone, Copy, Debug)]
struct Clobbering {
    start: u32,
    end: u32,
    /// The value that may be there all the same.
    exempt: Value,
    /// The value that comes to be there meanwhile, if it must not have the register.
    result: Value,
}

/// Where registers are overwritten.
#[derive(Debug)]
pub(super) struct Clobbered {
    /// By the number of the register; positions are half open and ascending.
    places: Vec<(Gpr, Vec<Clobbering>)>,
}

impl Clobbered {
    pub(super) fn new(machine: Machine<'_>) -> Clobbered {
        let rare = machine.target.file.rare.iter();
        Clobbered {
            places: rare.map(|&gpr| (gpr, Vec::new())).collect(),
        }
    }

    /// Notes what a node overwrites at a position. Calls `wish` with the values that may be in a
    /// register all the same.
    pub(super) fn note(
        &mut self,
        function: &Function,
        machine: Machine<'_>,
        (node, at): (Value, u32),
        mut wish: impl FnMut(Value, Gpr),
    ) {
        let data = &function[node];
        for clobber in clobbers(function, machine, data) {
            if clobber.may_hold_second {
                wish(data.args[1], clobber.register);
            }
            let mut places = self.places.iter_mut();
            let Some((_, places)) = places.find(|entry| entry.0 == clobber.register) else {
                continue;
            };
            let (end, result) = if clobber.may_hold_result {
                (at + 1, Value::NONE)
            } else {
                (at + 2, node)
            };
            // An operand that is both is read too late.
            let is_second = clobber.may_hold_second && data.args[0] != data.args[1];
            places.push(Clobbering {
                start: at,
                end,
                exempt: if is_second { data.args[1] } else { Value::NONE },
                result,
            });
        }
    }

    /// Whether values that are live in these ranges, one at a time, cannot have the register.
    pub(super) fn forbids(
        &self,
        register: Gpr,
        is_member: impl Fn(Value) -> bool,
        ranges: &[Range],
    ) -> bool {
        let Some((_, places)) = self.places.iter().find(|entry| entry.0 == register) else {
            return false;
        };
        !places.is_empty()
            && ranges.iter().any(|&(start, end)| {
                let first = places.partition_point(|place| place.end <= start);
                places[first..]
                    .iter()
                    .take_while(|place| place.start < end)
                    .any(|place| !is_member(place.exempt) || is_member(place.result))
            })
    }
}

/// The registers that calls and the function's own convention would put values into.
pub(super) fn wishes(function: &Function, machine: Machine<'_>) -> Vec<(u32, Home)> {
    let mut wishes = Vec::new();
    let mut wish = |value: Value, place: Place| match place {
        Place::Gpr(gpr) => wishes.push((value.0, Home::Gpr(gpr))),
        Place::Fpr(fpr) => wishes.push((value.0, Home::Fpr(fpr))),
        Place::Stack(_) => {}
    };
    for (&param, &place) in function.blocks[0].params.iter().zip(machine.params) {
        wish(param, place);
    }
    let mut call = |index: usize| {
        let site = &function.calls[index];
        let args = match site.callee {
            Callee::Helper(..) => return,
            Callee::Reference | Callee::Imported => {
                wish(site.args[0], Place::Gpr(machine.target.file.callee));
                &site.args[1..]
            }
            Callee::Defined(_) => &site.args,
        };
        let places = abi::params(&site.params, machine.target.file);
        args.iter()
            .zip(places)
            .for_each(|(&arg, place)| wish(arg, place));
    };
    for block in &function.blocks {
        for &node in &block.nodes {
            let data = &function[node];
            if data.op == Op::Call {
                call(data.imm as usize);
            }
        }
        if let Exit::TailCall(index) = block.exit {
            call(index as usize);
        }
    }
    wishes
}
