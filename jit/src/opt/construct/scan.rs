//! The scan before construction: which locals each construct assigns.

use super::{Unsupported, VALIDATED};
use wasmparser::{BlockType, OperatorsReader, VisitOperator, VisitSimdOperator};

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
    /// Has a construct assign what another one around it does.
    pub(super) fn widen(&mut self, construct: usize, around: usize) {
        self.ranges[construct] = self.ranges[around];
    }

    pub(super) fn of(&self, construct: usize) -> &[u32] {
        if construct == NO_CONSTRUCT {
            return &[];
        }
        let (start, end) = self.ranges[construct];
        &self.locals[start as usize..end as usize]
    }
}

/// Scans a body, `count` locals of which exist, parameters counted.
pub(super) fn scan(mut reader: OperatorsReader<'_>, count: usize) -> Result<Assigned, Unsupported> {
    let mut scan = Scan {
        assigned: Assigned::default(),
        open: Vec::new(),
        recent: Vec::new(),
        found_in: vec![0; count],
        closed: 0,
    };
    let mut operators = 0;
    while !reader.eof() {
        operators += 1;
        reader.visit_operator(&mut scan).expect(VALIDATED);
        if scan.assigned.locals.len() > FREE + PER_OPERATOR * operators {
            return Err(Unsupported::TooComplex);
        }
    }
    Ok(scan.assigned)
}

struct Scan {
    assigned: Assigned,
    /// Open constructs, with where in `recent` begins what was assigned in them so far.
    open: Vec<(usize, usize)>,
    recent: Vec<u32>,
    /// For each local the last construct, by the order of closing, that it was found in.
    found_in: Vec<u32>,
    closed: u32,
}

impl Scan {
    fn construct(&mut self) {
        self.open
            .push((self.assigned.ranges.len(), self.recent.len()));
        self.assigned.ranges.push((0, 0));
    }

    fn assign(&mut self, local: u32) {
        // The function itself is no construct.
        if !self.open.is_empty() {
            self.recent.push(local);
        }
    }

    fn end(&mut self) {
        let Some((construct, first)) = self.open.pop() else {
            return;
        };
        self.closed += 1;
        // What is left is the outer construct's as well.
        let mut kept = first;
        for at in first..self.recent.len() {
            let local = self.recent[at];
            let last = &mut self.found_in[local as usize];
            if core::mem::replace(last, self.closed) != self.closed {
                self.recent[kept] = local;
                kept += 1;
            }
        }
        self.recent.truncate(kept);
        let locals = &mut self.assigned.locals;
        let start = locals.len() as u32;
        locals.extend_from_slice(&self.recent[first..]);
        self.assigned.ranges[construct] = (start, locals.len() as u32);
        if self.open.is_empty() {
            self.recent.clear();
        }
    }
}

/// A visitor's method: for the few operators that count, what is done.
macro_rules! method {
    (visit_local_set $($rest:tt)*) => {
        fn visit_local_set(&mut self, index: u32) { self.assign(index); }
    };
    (visit_local_tee $($rest:tt)*) => {
        fn visit_local_tee(&mut self, index: u32) { self.assign(index); }
    };
    (visit_block $($rest:tt)*) => {
        fn visit_block(&mut self, _: BlockType) { self.construct(); }
    };
    (visit_loop $($rest:tt)*) => {
        fn visit_loop(&mut self, _: BlockType) { self.construct(); }
    };
    (visit_if $($rest:tt)*) => {
        fn visit_if(&mut self, _: BlockType) { self.construct(); }
    };
    (visit_try_table $arg:ident $argty:ty) => {
        fn visit_try_table(&mut self, _: $argty) { self.construct(); }
    };
    (visit_end) => {
        fn visit_end(&mut self) { self.end(); }
    };
    (visit_return_call $($rest:tt)*) => {
        fn visit_return_call(&mut self, _: u32) { self.assigned.has_tail_calls = true; }
    };
    ($visit:ident $($arg:ident $argty:ty),*) => {
        fn $visit(&mut self, $(_: $argty),*) {}
    };
}

macro_rules! methods {
    ($(@$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident
        ($($ann:tt)*))*) => {
        $(method!($visit $($($arg $argty),*)?);)*
    };
}

impl<'a> VisitOperator<'a> for Scan {
    type Output = ();

    fn simd_visitor(&mut self) -> Option<&mut dyn VisitSimdOperator<'a, Output = ()>> {
        Some(self)
    }

    wasmparser::for_each_visit_operator!(methods);
}

impl<'a> VisitSimdOperator<'a> for Scan {
    wasmparser::for_each_visit_simd_operator!(methods);
}
