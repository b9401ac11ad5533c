//! Calls, their results, and the landing pads that exceptions lead to.

use crate::opt::form::ir::{BlockId, Exit, Function, Op, Value};
use crate::opt::form::predecessors::Predecessors;

pub(super) fn check(function: &Function, predecessors: &Predecessors) -> Result<(), String> {
    for block in function.block_ids() {
        check_results(function, block)?;
        check_pad(function, block)?;
        check_throws(function, block)?;
        if let Exit::Invoke(edges) = &function[block].exit
            && predecessors.to(edges[0].to).len() != 1
        {
            return Err(format!("{block} shares {} with others", edges[0].to));
        }
    }
    Ok(())
}

/// The results of a call come to be with it: right behind it.
fn check_results(function: &Function, block: BlockId) -> Result<(), String> {
    let mut call = None;
    for &value in &function[block].nodes {
        match function[value].op {
            Op::Call => call = Some(value),
            Op::CallResult if call != Some(function[value].args[0]) => {
                return Err(format!("{value} is not behind its call"));
            }
            Op::CallResult => {}
            _ => call = None,
        }
    }
    Ok(())
}

/// A landing pad has no parameters: only the runtime leads there. What it caught is what it begins with.
fn check_pad(function: &Function, block: BlockId) -> Result<(), String> {
    let data = &function[block];
    if data.pad.is_some() && (!data.params.is_empty() || !function.catches) {
        return Err(format!("the landing pad {block} is none"));
    }
    let is_caught = |node: &&Value| function[**node].op == Op::Caught;
    let caught = data.nodes.iter().filter(is_caught).count();
    let first = data.nodes.iter().take_while(is_caught).count();
    if caught != first || (caught > 0 && data.pad.is_none()) {
        return Err(format!(
            "{block} catches in its middle, or is no landing pad"
        ));
    }
    Ok(())
}

/// Exceptions, and nothing else, lead to landing pads, from a call with which a block ends.
fn check_throws(function: &Function, block: BlockId) -> Result<(), String> {
    let data = &function[block];
    let is_invoke = matches!(data.exit, Exit::Invoke(_));
    for (i, edge) in data.exit.edges().iter().enumerate() {
        if (is_invoke && i > 0) != function[edge.to].pad.is_some() {
            return Err(format!("{block} and {} disagree about throwing", edge.to));
        }
    }
    if !is_invoke {
        return Ok(());
    }
    let call = function.invoked(block);
    let call = call.ok_or_else(|| format!("{block} has no call that throws"))?;
    let is_more = |node: &&Value| function[**node].op != Op::CallResult;
    match data.nodes[call + 1..].iter().find(is_more) {
        Some(node) => Err(format!("{node} is behind the call that ends {block}")),
        None => Ok(()),
    }
}
