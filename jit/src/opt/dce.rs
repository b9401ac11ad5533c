//! Removes nodes whose results nobody uses and that do nothing else.

use super::ir::{Effect, Function, Value};

pub(super) fn run(function: &mut Function) {
    let mut live = vec![false; function.nodes.len()];
    let mut work: Vec<Value> = Vec::new();
    for block in function.block_ids() {
        for &node in &function[block].nodes {
            if !matches!(function[node].op.effect(), Effect::Pure | Effect::Reads(_)) {
                work.push(node);
            }
        }
        function.for_each_exit_arg(block, |arg| work.push(arg));
    }
    while let Some(value) = work.pop() {
        if !core::mem::replace(&mut live[value.0 as usize], true) {
            function.for_each_arg(value, |arg| {
                if !live[arg.0 as usize] {
                    work.push(arg);
                }
            });
        }
    }
    for block in &mut function.blocks {
        block.nodes.retain(|node| live[node.0 as usize]);
    }
}
