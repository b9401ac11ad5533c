//! Removes blocks that nothing leads to, and joins blocks with their only successors.

use crate::opt::form::ir::{Block, BlockId, Exit, Function, Value};

pub(crate) fn run(function: &mut Function) {
    let reached = reached(function);
    join(function, &reached);
    renumber(function);
}

fn reached(function: &Function) -> Vec<bool> {
    let mut reached = vec![false; function.blocks.len()];
    let mut work = vec![BlockId(0)];
    while let Some(block) = work.pop() {
        if !core::mem::replace(&mut reached[block.0 as usize], true) {
            work.extend(function[block].exit.edges().iter().map(|edge| edge.to));
        }
    }
    reached
}

/// Appends blocks that have one edge in, from a block that only jumps there. Their parameters are
/// the arguments.
fn join(function: &mut Function, reached: &[bool]) {
    let count = function.blocks.len();
    let mut edges_in = vec![0_u32; count];
    for block in function
        .block_ids()
        .filter(|block| reached[block.0 as usize])
    {
        for edge in function[block].exit.edges() {
            edges_in[edge.to.0 as usize] += 1;
        }
    }
    let mut replaced: Vec<Value> = (0..function.nodes.len() as u32).map(Value).collect();
    let mut any = false;
    for block in function
        .block_ids()
        .filter(|block| reached[block.0 as usize])
    {
        while let Exit::Jump(edge) = &function[block].exit
            && edges_in[edge.to.0 as usize] == 1
            && edge.to > block
        {
            let edge = edge.clone();
            let next = &mut function[edge.to];
            let params = core::mem::take(&mut next.params);
            let nodes = core::mem::take(&mut next.nodes);
            let exit = core::mem::replace(&mut next.exit, Exit::Open);
            let origin = next.exit_origin;
            for (param, arg) in params.into_iter().zip(edge.args) {
                replaced[param.0 as usize] = arg;
                any = true;
            }
            let data = &mut function[block];
            data.nodes.extend(nodes);
            data.exit = exit;
            data.exit_origin = origin;
        }
    }
    if any {
        function.map_args(|mut value| {
            while replaced[value.0 as usize] != value {
                value = replaced[value.0 as usize];
            }
            value
        });
    }
}

/// Drops what cannot be reached, in the order that there is.
fn renumber(function: &mut Function) {
    let reached = reached(function);
    let mut next = 0;
    let numbers: Vec<BlockId> = reached
        .iter()
        .map(|&is_reached| {
            let number = BlockId(next);
            next += u32::from(is_reached);
            number
        })
        .collect();
    let blocks = core::mem::take(&mut function.blocks);
    let kept = blocks
        .into_iter()
        .zip(&reached)
        .filter(|(_, is_reached)| **is_reached);
    function.blocks = kept
        .map(|(mut block, _): (Block, _)| {
            for edge in block.exit.edges_mut() {
                edge.to = numbers[edge.to.0 as usize];
            }
            block
        })
        .collect();
}
