//! The scan before construction: which locals each construct assigns.

use super::{Unsupported, VALIDATED};
use wasmparser::{Operator, OperatorsReader};

/// The sets may hold this many locals in all, per operator and beyond this many: deep nests that
/// assign many locals would take memory without end.
const PER_OPERATOR: usize = 16;
const FREE: usize = 1 << 16;

/// The number of what is no construct and assigns nothing.
pub(super) const NO_CONSTRUCT: usize = usize::MAX;

/// For each construct, in the order of opening, the locals assigned in it, each once.
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

pub(super) fn scan(
    mut reader: OperatorsReader<'_>,
    locals: usize,
) -> Result<Assigned, Unsupported> {
    let mut assigned = Assigned::default();
    // Open constructs, with where in the next list begins what was assigned in them so far.
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut recent: Vec<u32> = Vec::new();
    // For each local the last construct, by the order of closing, that it was found to be in.
    let mut found_in = vec![0_u32; locals];
    let mut closed = 0;
    let mut operators = 0;
    while !reader.eof() {
        operators += 1;
        match reader.read().expect(VALIDATED) {
            Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::TryTable { .. } => {
                open.push((assigned.ranges.len(), recent.len()));
                assigned.ranges.push((0, 0));
            }
            Operator::ReturnCall { .. } => assigned.has_tail_calls = true,
            // The function itself is no construct.
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index }
                if !open.is_empty() =>
            {
                recent.push(local_index);
            }
            Operator::End => {
                let Some((construct, first)) = open.pop() else {
                    continue;
                };
                closed += 1;
                // What is left is the outer construct's as well.
                let mut kept = first;
                for at in first..recent.len() {
                    let local = recent[at];
                    let last = core::mem::replace(&mut found_in[local as usize], closed);
                    if last != closed {
                        recent[kept] = local;
                        kept += 1;
                    }
                }
                recent.truncate(kept);
                let start = assigned.locals.len();
                assigned.locals.extend_from_slice(&recent[first..]);
                let end = assigned.locals.len();
                if end > FREE + PER_OPERATOR * operators {
                    return Err(Unsupported::TooComplex);
                }
                assigned.ranges[construct] = (start as u32, end as u32);
                if open.is_empty() {
                    recent.clear();
                }
            }
            _ => {}
        }
    }
    Ok(assigned)
}
