//! Registers in fixed roles: those that an operation overwrites, and those in which arguments
//! arrive and leave.

use super::live::{Lines, Ranges};
use super::{Home, Machine};
use crate::abi::{Abi, Place};
use crate::masm::{Clobber, FixedRoles, Gpr};
use crate::opt::ir::{Callee, Exit, Function, Node, Op, Value};

/// What a node does to rare registers.
pub(crate) fn clobbers(
    function: &Function,
    machine: Machine<'_>,
    node: &Node,
) -> &'static [Clobber] {
    match node.op {
        Op::Alu(op, _) if op.is_shift() && function.constant(node.args[1]).is_none() => {
            (machine.clobbers)(FixedRoles::Shift(op))
        }
        Op::Div(..) => (machine.clobbers)(FixedRoles::Div),
        Op::MulHigh(_) => (machine.clobbers)(FixedRoles::MulHigh),
        _ => &[],
    }
}

/// A place where a register is overwritten.
#[derive(Debug)]
struct Clobbering {
    start: u32,
    end: u32,
    /// The value that may be there all the same.
    exempt: Value,
    /// The value that comes to be there meanwhile, if it must not have the register.
    result: Value,
}

/// Where one register is overwritten.
#[derive(Debug, Default)]
pub(super) struct Clobbered {
    /// Positions, half open and ascending.
    places: Vec<Clobbering>,
}

impl Clobbered {
    /// Whether values that are live in these ranges, one at a time, cannot have the register.
    pub(super) fn forbids(&self, values: &[Value], ranges: &Ranges) -> bool {
        ranges.iter().any(|&(start, end)| {
            let first = self.places.partition_point(|place| place.end <= start);
            self.places[first..]
                .iter()
                .take_while(|place| place.start < end)
                .any(|place| !values.contains(&place.exempt) || values.contains(&place.result))
        })
    }
}

/// Where a register is overwritten.
pub(super) fn clobbered(
    function: &Function,
    lines: &Lines,
    machine: Machine<'_>,
    register: Gpr,
) -> Clobbered {
    let mut clobbered = Clobbered::default();
    if !machine.file.rare.contains(&register) {
        return clobbered;
    }
    for block in function.block_ids() {
        for (i, &node) in function[block].nodes.iter().enumerate() {
            let data = &function[node];
            let clobbers = clobbers(function, machine, data);
            for clobber in clobbers.iter().filter(|c| c.register == register) {
                let at = lines.node(block, i);
                let (end, result) = if clobber.may_hold_result {
                    (at + 1, Value::NONE)
                } else {
                    (at + 2, node)
                };
                // An operand that is both is read too late.
                let is_second = clobber.may_hold_second && data.args[0] != data.args[1];
                let exempt = if is_second { data.args[1] } else { Value::NONE };
                clobbered.places.push(Clobbering {
                    start: at,
                    end,
                    exempt,
                    result,
                });
            }
        }
    }
    clobbered
}

/// The registers that calls and the function's own convention would put values into.
pub(super) fn wishes(function: &Function, machine: Machine<'_>) -> Vec<Vec<Home>> {
    let mut wishes: Vec<Vec<Home>> = vec![Vec::new(); function.nodes.len()];
    let mut wish = |value: Value, place: Place| match place {
        Place::Gpr(gpr) => wishes[value.0 as usize].push(Home::Gpr(gpr)),
        Place::Fpr(fpr) => wishes[value.0 as usize].push(Home::Fpr(fpr)),
        Place::Stack(_) => {}
    };
    for (&param, &place) in function.blocks[0].params.iter().zip(machine.params) {
        wish(param, place);
    }
    let mut call = |index: usize| {
        let site = &function.calls[index];
        if matches!(site.callee, Callee::Helper(..)) {
            return;
        }
        let args = match site.callee {
            Callee::Reference | Callee::Imported => {
                wish(site.args[0], Place::Gpr(machine.file.callee));
                &site.args[1..]
            }
            Callee::Defined(_) | Callee::Helper(..) => &site.args,
        };
        for (&arg, place) in args
            .iter()
            .zip(Abi::of(&site.signature(), machine.file).params)
        {
            wish(arg, place);
        }
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
    for block in &function.blocks {
        for &node in &block.nodes {
            let data = &function[node];
            for clobber in clobbers(function, machine, data) {
                if clobber.may_hold_second {
                    wishes[data.args[1].0 as usize].push(Home::Gpr(clobber.register));
                }
            }
        }
    }
    wishes
}
