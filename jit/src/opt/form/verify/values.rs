//! Where values are: each in one place, and used only where every path comes from there.

use super::all;
use crate::opt::form::dominators::Dominators;
use crate::opt::form::ir::{BlockId, Exit, Function, Op, Value};

/// The place of a value: a block, and 0 for its parameters, or the number of the node, from 1 on.
type Place = (BlockId, usize);

pub(super) fn check(function: &Function, dominators: &Dominators) -> Result<(), String> {
    let values = Values {
        function,
        dominators,
        places: places(function)?,
    };
    for block in function.block_ids() {
        let data = &function[block];
        for (i, &node) in data.nodes.iter().enumerate() {
            let check = |arg| values.check(arg, (block, i + 1));
            let checked = all(|f| function.for_each_arg(node, f), check);
            checked.map_err(|why| format!("{node} in {block} uses {why}"))?;
        }
        let check = |arg| values.check(arg, (block, data.nodes.len() + 1));
        let checked = all(|f| function.for_each_exit_arg(block, f), check);
        checked.map_err(|why| format!("the end of {block} uses {why}"))?;
    }
    Ok(())
}

/// What is everywhere, and so in no block.
fn is_everywhere(op: Op) -> bool {
    matches!(
        op,
        Op::Const | Op::VectorConst | Op::Context | Op::MemoryBase
    )
}

fn places(function: &Function) -> Result<Vec<Option<Place>>, String> {
    let mut places: Vec<Option<Place>> = vec![None; function.nodes.len()];
    let mut put = |value: Value, place| match places[value.0 as usize].replace(place) {
        Some(_) => Err(format!("{value} is in two places")),
        None => Ok(()),
    };
    for block in function.block_ids() {
        let data = &function[block];
        for (i, &param) in data.params.iter().enumerate() {
            let node = &function[param];
            if node.op != Op::Param || node.imm != i as u64 {
                return Err(format!("{param} is not parameter {i} of {block}"));
            }
            put(param, (block, 0))?;
        }
        for (i, &node) in data.nodes.iter().enumerate() {
            put(node, (block, i + 1))?;
        }
    }
    Ok(places)
}

struct Values<'f> {
    function: &'f Function,
    dominators: &'f Dominators,
    places: Vec<Option<Place>>,
}

impl Values<'_> {
    /// Whether a value is there at a place.
    fn check(&self, value: Value, at: Place) -> Result<(), String> {
        let is_there = match self.places[value.0 as usize] {
            None => is_everywhere(self.function[value].op),
            Some(place) if place.0 == at.0 => place.1 < at.1,
            Some(place) => {
                let dominates = |block| self.dominators.dominates(block, at.0);
                dominates(place.0) && dominates(self.available_from(place))
            }
        };
        if is_there {
            Ok(())
        } else {
            Err(format!("{value}, which is not available"))
        }
    }

    /// The block from which on a value is there: what comes behind a call that throws is not at landing
    /// pads.
    fn available_from(&self, (block, number): Place) -> BlockId {
        let is_behind = |call| number > call + 1;
        match &self.function[block].exit {
            Exit::Invoke(edges) if self.function.invoked(block).is_some_and(is_behind) => {
                edges[0].to
            }
            _ => block,
        }
    }
}
