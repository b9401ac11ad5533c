//! Copies iterations of a loop. What a copy executes comes from the operators that the loop came from, so
//! that traps and backtraces are those of the loop.

use super::Unrollable;
use crate::opt::form::ir::{Block, BlockId, Function, Origin, Value, Values};
use foldhash::{HashMap, HashMapExt};

/// Adds iterations behind a loop's own. Returns the blocks of all iterations in their order.
pub(super) fn unroll(function: &mut Function, one: &Unrollable) -> Vec<BlockId> {
    let template: Vec<Block> = one
        .blocks
        .iter()
        .map(|&block| function[block].clone())
        .collect();
    let mut all = one.blocks.clone();
    let mut iteration = one.blocks.clone();
    for _ in 1..one.iterations() {
        // What the only back edge gives are the next iteration's variables.
        let given = match one.back[..] {
            [(from, edge)] => {
                let from = counterpart(one, &iteration, from);
                let edge = &mut function[from].exit.edges_mut()[edge as usize];
                Some(core::mem::take(&mut edge.args))
            }
            _ => None,
        };
        let next = copy(function, one, &template, given);
        for &(from, edge) in &one.back {
            let from = counterpart(one, &iteration, from);
            function[from].exit.edges_mut()[edge as usize].to = next[0];
        }
        all.extend(&next);
        iteration = next;
    }
    all
}

/// Adds an iteration that leads back to the loop's header. Its first block has no parameters if those of
/// the header are `given`.
fn copy(
    function: &mut Function,
    one: &Unrollable,
    template: &[Block],
    given: Option<Values>,
) -> Vec<BlockId> {
    let copies: Vec<BlockId> = template
        .iter()
        .map(|block| {
            let copy = function.add_block(block.loop_depth);
            function[copy].is_rare = block.is_rare;
            function[copy].often = block.often;
            copy
        })
        .collect();
    let mut map: HashMap<Value, Value> = HashMap::new();
    let is_given = given.is_some();
    let params = template[0].params.iter().copied();
    map.extend(params.zip(given.into_iter().flatten()));
    for (block, &copy) in template.iter().zip(&copies).skip(usize::from(is_given)) {
        for &param in &block.params {
            let made = function.add(function[param], Origin::default());
            function[copy].params.push(made);
            map.insert(param, made);
        }
    }
    for (block, &copy) in template.iter().zip(&copies) {
        for &node in &block.nodes {
            let mut data = function[node];
            for arg in &mut data.args {
                *arg = map.get(arg).copied().unwrap_or(*arg);
            }
            let made = function.add(data, function.origins[node.0 as usize]);
            function[copy].nodes.push(made);
            map.insert(node, made);
        }
        let mapped = |value: Value| map.get(&value).copied().unwrap_or(value);
        let mut exit = block.exit.clone();
        if let Some(cond) = exit.condition() {
            exit.set_condition(mapped(cond));
        }
        for edge in exit.edges_mut() {
            edge.args.iter_mut().for_each(|arg| *arg = mapped(*arg));
            if edge.to != one.header {
                edge.to = counterpart(one, &copies, edge.to);
            }
        }
        let copy = &mut function[copy];
        copy.exit = exit;
        copy.exit_origin = block.exit_origin;
    }
    copies
}

/// The block of an iteration that stands for one of the loop's; others stand for themselves.
fn counterpart(one: &Unrollable, iteration: &[BlockId], block: BlockId) -> BlockId {
    let at = one.blocks.iter().position(|&other| other == block);
    at.map_or(block, |at| iteration[at])
}
