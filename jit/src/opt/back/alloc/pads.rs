//! What landing pads find: only what is in the frame.
//!
//! The runtime goes on at a pad with the registers of whoever threw. So every value that is live
//! there is spilled, before anything else is: it goes to its slot where it is defined, and thus before
//! each call that may lead to the pad.

use super::live::{LiveRanges, Positions};
use super::spill::{self, Spill};
use crate::opt::back::unlikely::Unlikely;
use crate::opt::form::ir::{Function, Value};

/// The values that are live at the start of a landing pad, ascending.
pub(super) fn live_in(function: &Function, positions: &Positions, live: &LiveRanges) -> Vec<Value> {
    let pads = function.block_ids();
    let pads = pads.filter(|&block| function[block].pad.is_some());
    let starts: Vec<u32> = pads.map(|block| positions.start(block)).collect();
    // Nothing is defined at the start of a pad.
    let holds_pad = |&(start, end): &(u32, u32)| {
        let first = starts.partition_point(|&at| at < start);
        starts.get(first).is_some_and(|&at| at < end)
    };
    let values = (0..function.nodes.len() as u32).map(Value);
    values
        .filter(|&value| live.of(value).iter().any(holds_pad))
        .collect()
}

/// Rounds in which parameters join those around them.
const ROUNDS_MAX: u32 = 4;

/// Spills the parameters too that stand between spilled values more often than they are used
/// otherwise: from slot to slot, there is mostly nothing to do.
pub(super) fn spill_between(
    function: &Function,
    unlikely: &Unlikely,
    spills: &mut [Spill],
    spilled: &mut Vec<Value>,
) {
    for _ in 0..ROUNDS_MAX {
        let mut gains = vec![0.0_f32; function.nodes.len()];
        let is_spilled = |value: Value| spill::is_spilled(function, spills, value);
        for block in function.block_ids() {
            let weight = unlikely.weight(function, block);
            for &node in &function[block].nodes {
                function.for_each_arg(node, |arg| gains[arg.0 as usize] -= weight);
            }
            let exit = &function[block].exit;
            if let Some(cond) = exit.condition() {
                gains[cond.0 as usize] -= weight;
            }
            for edge in exit.edges() {
                for (&param, &arg) in function[edge.to].params.iter().zip(&edge.args) {
                    if is_spilled(param) != is_spilled(arg) {
                        gains[param.0 as usize] += weight;
                        gains[arg.0 as usize] += weight;
                    }
                }
            }
        }
        let params = function
            .blocks
            .iter()
            .skip(1)
            .flat_map(|block| &block.params);
        let joins = |param: &&Value| !is_spilled(**param) && gains[param.0 as usize] > 0.0;
        let joining: Vec<Value> = params.filter(joins).copied().collect();
        if joining.is_empty() {
            return;
        }
        for &param in &joining {
            spills[param.0 as usize] = Spill::PerStretch;
        }
        spilled.extend(joining);
    }
}
