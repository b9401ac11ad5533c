//! Whether all that a function names is there: values, blocks, calls, vectors.

use super::all;
use crate::opt::form::ir::{BlockId, Exit, Function, Node, Op, Ty, Value};

pub(super) fn check(function: &Function) -> Result<(), String> {
    if function.blocks.is_empty() {
        return Err("there is no entry".to_owned());
    }
    if function.origins.len() != function.nodes.len() {
        return Err("not every node has an origin".to_owned());
    }
    let mut is_made = vec![false; function.calls.len()];
    for block in function.block_ids() {
        for &value in &function[block].nodes {
            check_value(function, value)?;
            check_node(function, value, &mut is_made)?;
        }
        for &param in &function[block].params {
            check_value(function, param)?;
        }
        check_exit(function, block, &mut is_made)?;
    }
    Ok(())
}

fn check_value(function: &Function, value: Value) -> Result<(), String> {
    if value.0 as usize >= function.nodes.len() {
        return Err(format!("there is no {value}"));
    }
    match &function[value] {
        // The upper half is clear wherever it is.
        Node {
            op: Op::Const,
            ty: Ty::I32 | Ty::F32,
            imm,
            ..
        } if *imm > u64::from(u32::MAX) => Err(format!("{value}, a constant of 32 bits, has more")),
        Node {
            op: Op::VectorConst,
            ..
        } => check_vector(function, value),
        _ => Ok(()),
    }
}

fn check_vector(function: &Function, value: Value) -> Result<(), String> {
    match function.vectors.get(function[value].imm as usize) {
        Some(_) => Ok(()),
        None => Err(format!("there is no vector that {value} could be")),
    }
}

fn check_node(function: &Function, value: Value, is_made: &mut [bool]) -> Result<(), String> {
    let node = &function[value];
    match node.op {
        Op::Call => check_call(node.imm as usize, is_made)?,
        Op::Shuffle => check_vector(function, value)?,
        _ => {}
    }
    all(
        |f| function.for_each_arg(value, f),
        |arg| check_value(function, arg),
    )
}

/// Each call is made in one place: what changes its operands changes them for that.
fn check_call(number: usize, is_made: &mut [bool]) -> Result<(), String> {
    let Some(is_made) = is_made.get_mut(number) else {
        return Err(format!("there is no call {number}"));
    };
    match core::mem::replace(is_made, true) {
        true => Err(format!("call {number} is made in two places")),
        false => Ok(()),
    }
}

fn check_exit(function: &Function, block: BlockId, is_made: &mut [bool]) -> Result<(), String> {
    let exit = &function[block].exit;
    match exit {
        Exit::Open => return Err(format!("{block} has no end")),
        Exit::TailCall(call) => check_call(*call as usize, is_made)?,
        Exit::Table(_, edges) | Exit::Invoke(edges) if edges.is_empty() => {
            return Err(format!("{block} leads nowhere"));
        }
        _ => {}
    }
    for edge in exit.edges() {
        if edge.to.0 as usize >= function.blocks.len() {
            return Err(format!("{block} leads to {}, which is not there", edge.to));
        }
    }
    all(
        |f| function.for_each_exit_arg(block, f),
        |arg| check_value(function, arg),
    )
}
