//! The scan before compilation: how often each local is used, and what the function needs.

use wasmparser::{Operator, OperatorsReader};

/// What the scan found.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Uses of each local, weighted by loop depth.
    pub(super) weights: Vec<u32>,
    /// Whether the function calls other functions; helpers do not count.
    pub(super) has_calls: bool,
    /// Whether it catches exceptions: locals live in slots then, where a handler finds them.
    pub(super) has_try: bool,
}

/// A use in a loop counts this many times as much as one outside.
const LOOP_FACTOR: u32 = 8;
const MAX_FACTOR: u32 = LOOP_FACTOR.pow(4);

impl Scan {
    pub(super) fn of(mut reader: OperatorsReader<'_>, locals: usize) -> Scan {
        let mut scan = Scan {
            weights: vec![0; locals],
            ..Scan::default()
        };
        // For each open block, the weight to go back to at its end.
        let mut blocks = Vec::new();
        let mut weight = 1_u32;
        while !reader.eof() {
            match reader.read().expect(super::VALIDATED) {
                Operator::LocalGet { local_index }
                | Operator::LocalSet { local_index }
                | Operator::LocalTee { local_index } => {
                    let uses = &mut scan.weights[local_index as usize];
                    *uses = uses.saturating_add(weight);
                }
                Operator::Loop { .. } => {
                    blocks.push(weight);
                    weight = (weight * LOOP_FACTOR).min(MAX_FACTOR);
                }
                Operator::Block { .. } | Operator::If { .. } => blocks.push(weight),
                Operator::TryTable { .. } => {
                    blocks.push(weight);
                    scan.has_try = true;
                }
                Operator::End => weight = blocks.pop().unwrap_or(weight),
                Operator::Call { .. }
                | Operator::CallIndirect { .. }
                | Operator::CallRef { .. }
                | Operator::ReturnCall { .. }
                | Operator::ReturnCallIndirect { .. }
                | Operator::ReturnCallRef { .. } => scan.has_calls = true,
                _ => {}
            }
        }
        scan
    }
}
