//! The scan before compilation: how often each local is used, and what the function needs.
//!
//! It visits operators without making values of them, for it reads every body a second time.

use wasmparser::{
    BlockType, FrameKind, FrameStack, FunctionBody, VisitOperator, VisitSimdOperator,
};

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
    /// Scans a body that declares `locals` locals, parameters included.
    pub(super) fn of(body: &FunctionBody<'_>, locals: usize) -> Scan {
        let mut scanner = Scanner {
            scan: Scan {
                weights: vec![0; locals],
                ..Scan::default()
            },
            blocks: Vec::new(),
            weight: 1,
        };
        let reader = body.get_operators_reader().expect(super::VALIDATED);
        let mut reader = reader.get_binary_reader();
        while !reader.eof() {
            let visited = reader.visit_operator(&mut scanner);
            visited.expect(super::VALIDATED);
        }
        scanner.scan
    }
}

struct Scanner {
    scan: Scan,
    /// For each open block, the weight to go back to at its end.
    blocks: Vec<u32>,
    weight: u32,
}

impl Scanner {
    fn local(&mut self, index: u32) {
        let uses = &mut self.scan.weights[index as usize];
        *uses = uses.saturating_add(self.weight);
    }
}

impl FrameStack for Scanner {
    /// Only asked whether an `else` has an `if`, which validation knows.
    fn current_frame(&self) -> Option<FrameKind> {
        Some(FrameKind::If)
    }
}

/// A visitor's method: for the operators that count, what they count as.
macro_rules! method {
    (visit_local_get $($rest:tt)*) => {
        fn visit_local_get(&mut self, index: u32) { self.local(index); }
    };
    (visit_local_set $($rest:tt)*) => {
        fn visit_local_set(&mut self, index: u32) { self.local(index); }
    };
    (visit_local_tee $($rest:tt)*) => {
        fn visit_local_tee(&mut self, index: u32) { self.local(index); }
    };
    (visit_loop $($rest:tt)*) => {
        fn visit_loop(&mut self, _: BlockType) {
            self.blocks.push(self.weight);
            self.weight = (self.weight * LOOP_FACTOR).min(MAX_FACTOR);
        }
    };
    (visit_block $($rest:tt)*) => {
        fn visit_block(&mut self, _: BlockType) { self.blocks.push(self.weight); }
    };
    (visit_if $($rest:tt)*) => {
        fn visit_if(&mut self, _: BlockType) { self.blocks.push(self.weight); }
    };
    (visit_try_table $arg:ident $argty:ty) => {
        fn visit_try_table(&mut self, _: $argty) {
            self.blocks.push(self.weight);
            self.scan.has_try = true;
        }
    };
    (visit_end) => {
        fn visit_end(&mut self) { self.weight = self.blocks.pop().unwrap_or(self.weight); }
    };
    (visit_call $($rest:tt)*) => { method!(calls visit_call $($rest)*); };
    (visit_call_indirect $($rest:tt)*) => { method!(calls visit_call_indirect $($rest)*); };
    (visit_call_ref $($rest:tt)*) => { method!(calls visit_call_ref $($rest)*); };
    (visit_return_call $($rest:tt)*) => { method!(calls visit_return_call $($rest)*); };
    (visit_return_call_indirect $($rest:tt)*) => {
        method!(calls visit_return_call_indirect $($rest)*);
    };
    (visit_return_call_ref $($rest:tt)*) => { method!(calls visit_return_call_ref $($rest)*); };
    (calls $visit:ident $($arg:ident $argty:ty),*) => {
        fn $visit(&mut self, $(_: $argty),*) { self.scan.has_calls = true; }
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

impl<'a> VisitOperator<'a> for Scanner {
    type Output = ();

    fn simd_visitor(&mut self) -> Option<&mut dyn VisitSimdOperator<'a, Output = ()>> {
        Some(self)
    }

    wasmparser::for_each_visit_operator!(methods);
}

impl<'a> VisitSimdOperator<'a> for Scanner {
    wasmparser::for_each_visit_simd_operator!(methods);
}
