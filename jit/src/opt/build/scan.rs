//! The scan before construction: which locals each construct assigns.

use super::{Unsupported, VALIDATED};
use wasmparser::{Operator, OperatorsReader};

/// The sets may hold this many locals in all, per operator and beyond this many: deep nests that
/// assign many locals would take memory without end.
const PER_OPERATOR: usize = 16;
const FREE: usize = 1 << 16;

/// The number of what is no construct and assigns nothing.
pub(super) const NO_CONSTRUCT: usize = usize::MAX;

/// For each construct, in the order of opening, the locals assigned in it, ascending.
#[derive(Debug, Default)]
pub(super) struct Assigned {
    locals: Vec<u32>,
    /// Of each construct in `locals`.
    ranges: Vec<(u32, u32)>,
    /// Whether there are direct tail calls.
    pub(super) has_tail_calls: bool,
}

impl Assigned {
    pub(super) fn of(&self, construct: usize) -> &[u32] {
        if construct == NO_CONSTRUCT {
            return &[];
        }
        let (start, end) = self.ranges[construct];
        &self.locals[start as usize..end as usize]
    }
}

pub(super) fn scan(mut reader: OperatorsReader<'_>) -> Result<Assigned, Unsupported> {
    let mut assigned = Assigned::default();
    // Open constructs with what was assigned in them so far; the function has none.
    let mut open: Vec<(usize, Vec<u32>)> = Vec::new();
    let mut operators = 0;
    while !reader.eof() {
        operators += 1;
        match reader.read().expect(VALIDATED) {
            Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::TryTable { .. } => {
                open.push((assigned.ranges.len(), Vec::new()));
                assigned.ranges.push((0, 0));
            }
            Operator::ReturnCall { .. } => assigned.has_tail_calls = true,
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                if let Some((_, locals)) = open.last_mut() {
                    locals.push(local_index);
                }
            }
            Operator::End => {
                let Some((construct, mut locals)) = open.pop() else {
                    continue;
                };
                locals.sort_unstable();
                locals.dedup();
                let start = assigned.locals.len();
                assigned.locals.extend_from_slice(&locals);
                let end = assigned.locals.len();
                if end > FREE + PER_OPERATOR * operators {
                    return Err(Unsupported::TooComplex);
                }
                assigned.ranges[construct] = (start as u32, end as u32);
                if let Some((_, outer)) = open.last_mut() {
                    outer.extend(locals);
                }
            }
            _ => {}
        }
    }
    Ok(assigned)
}
