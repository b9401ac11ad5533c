//! What the compiler knows of a body before it reads it: which locals deserve registers, and what
//! the function needs.
//!
//! Found while bodies are validated, by a visitor beside the validator's, so that compilation reads
//! every body once.

use smallvec::SmallVec;
use wasmparser::{BlockType, VisitOperator, VisitSimdOperator};

/// What was found in a body.
#[derive(Clone, Copy, Debug)]
pub struct Usage<'u> {
    /// Whether the function calls other functions; helpers do not count.
    pub has_calls: bool,
    /// Whether it catches exceptions: locals live in slots then, where a handler finds them.
    pub has_try: bool,
    /// The most used locals of integer and reference types, weighted by loop depth; the most used
    /// one first.
    pub integers: &'u [u16],
    /// As `integers`, of float and vector types.
    pub floats: &'u [u16],
}

/// As many locals of a class are ranked: at least as many as any instruction set has registers.
const RANKED_MAX: usize = 32;

const HAS_CALLS: u16 = 1 << 0;
const HAS_TRY: u16 = 1 << 1;
const INTEGERS_SHIFT: u32 = 2;

/// What was found in a sequence of bodies, kept small: a module has tens of thousands.
#[derive(Debug, Default)]
pub struct Usages {
    /// Where each record begins.
    starts: Vec<u32>,
    /// Records: the flags and the number of integers, then the locals.
    words: Vec<u16>,
}

impl Usages {
    /// What was found in a body, by its place in the sequence.
    ///
    /// # Panics
    /// When there is no such body.
    #[must_use]
    pub fn get(&self, index: usize) -> Usage<'_> {
        let end = self.starts.get(index + 1).copied();
        let end = end.map_or(self.words.len(), |end| end as usize);
        let record = &self.words[self.starts[index] as usize..end];
        let (head, locals) = (record[0], &record[1..]);
        let (integers, floats) = locals.split_at(usize::from(head >> INTEGERS_SHIFT));
        Usage {
            has_calls: head & HAS_CALLS != 0,
            has_try: head & HAS_TRY != 0,
            integers,
            floats,
        }
    }
}

/// A use in a loop counts this many times as much as one outside.
const LOOP_FACTOR: u32 = 8;
const MAX_FACTOR: u32 = LOOP_FACTOR.pow(4);

/// A set of type indices.
#[derive(Clone, Debug, Default)]
pub struct TypeSet(Vec<u64>);

/// No valid module has as many types.
const TYPES_MAX: u32 = 1 << 20;

impl TypeSet {
    /// Adds an index that validation is still to look at: one that is too large for any module is
    /// none.
    fn insert(&mut self, index: u32) {
        if index < TYPES_MAX {
            let word = index as usize / 64;
            if word >= self.0.len() {
                self.0.resize(word + 1, 0);
            }
            self.0[word] |= 1 << (index % 64);
        }
    }

    /// Adds all that another set has.
    pub fn extend(&mut self, other: &TypeSet) {
        if other.0.len() > self.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word |= other;
        }
    }

    /// The indices, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        let words = (0..).step_by(64).zip(&self.0);
        words.flat_map(|(first, &word)| {
            (0..64)
                .filter(move |bit| word >> bit & 1 != 0)
                .map(move |bit| first + bit)
        })
    }
}

/// Looks at the operators of one body after the other.
#[derive(Debug)]
pub struct Scanner {
    imported_funcs: u32,
    leaves_by_tail_call: bool,
    has_tail_calls: bool,
    called_types: TypeSet,
    flags: u16,
    /// Uses of each local, weighted by loop depth; all 0 between bodies.
    weights: Vec<u32>,
    /// The locals that are used.
    used: Vec<u16>,
    /// For each open block, the weight to go back to at its end.
    blocks: Vec<u32>,
    weight: u32,
}

impl Scanner {
    /// For a module with this many imported functions.
    #[must_use]
    pub fn new(imported_funcs: u32) -> Scanner {
        Scanner {
            imported_funcs,
            leaves_by_tail_call: false,
            has_tail_calls: false,
            called_types: TypeSet::default(),
            flags: 0,
            weights: Vec::new(),
            used: Vec::new(),
            blocks: Vec::new(),
            weight: 1,
        }
    }

    /// Whether any function so far may leave the instance by a tail call: through a table or a
    /// reference, or of an import.
    #[must_use]
    pub fn leaves_by_tail_call(&self) -> bool {
        self.leaves_by_tail_call
    }

    /// Whether there are tail calls in any body so far.
    #[must_use]
    pub fn has_tail_calls(&self) -> bool {
        self.has_tail_calls
    }

    /// The types that indirect calls name, of the valid bodies among those so far.
    #[must_use]
    pub fn called_types(&self) -> &TypeSet {
        &self.called_types
    }

    /// Ends a body, whose locals `is_float` tells apart, and adds what was found.
    pub fn finish(&mut self, is_float: impl Fn(u16) -> bool, usages: &mut Usages) {
        let weights = &self.weights;
        self.used
            .sort_unstable_by_key(|&local| (u32::MAX - weights[usize::from(local)], local));
        let head = usages.words.len();
        usages.starts.push(head as u32);
        usages.words.push(0);
        let ranked = |class: bool| {
            let used = self.used.iter().copied();
            used.filter(|&local| is_float(local) == class)
                .take(RANKED_MAX)
                .collect::<SmallVec<[u16; RANKED_MAX]>>()
        };
        usages.words.extend(ranked(false));
        let integers = usages.words.len() - head - 1;
        usages.words.extend(ranked(true));
        usages.words[head] = self.flags | (integers as u16) << INTEGERS_SHIFT;
        for local in self.used.drain(..) {
            self.weights[usize::from(local)] = 0;
        }
        self.flags = 0;
        self.blocks.clear();
        self.weight = 1;
    }

    fn local(&mut self, index: u32) {
        // Validation allows 50,000 locals.
        let Ok(local) = u16::try_from(index) else {
            return;
        };
        if index as usize >= self.weights.len() {
            self.weights.resize(index as usize + 1, 0);
        }
        let uses = &mut self.weights[index as usize];
        if *uses == 0 {
            self.used.push(local);
        }
        *uses = uses.saturating_add(self.weight);
    }

    fn tail_call(&mut self, leaves: bool) {
        self.flags |= HAS_CALLS;
        self.leaves_by_tail_call |= leaves;
        self.has_tail_calls = true;
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
            self.flags |= HAS_TRY;
        }
    };
    (visit_end) => {
        fn visit_end(&mut self) { self.weight = self.blocks.pop().unwrap_or(self.weight); }
    };
    (visit_call $($rest:tt)*) => {
        fn visit_call(&mut self, _: u32) { self.flags |= HAS_CALLS; }
    };
    (visit_call_indirect $($rest:tt)*) => {
        fn visit_call_indirect(&mut self, ty: u32, _: u32) {
            self.flags |= HAS_CALLS;
            self.called_types.insert(ty);
        }
    };
    (visit_call_ref $($rest:tt)*) => {
        fn visit_call_ref(&mut self, _: u32) { self.flags |= HAS_CALLS; }
    };
    (visit_return_call $($rest:tt)*) => {
        fn visit_return_call(&mut self, callee: u32) {
            self.tail_call(callee < self.imported_funcs);
        }
    };
    (visit_return_call_indirect $($rest:tt)*) => {
        fn visit_return_call_indirect(&mut self, ty: u32, _: u32) {
            self.tail_call(true);
            self.called_types.insert(ty);
        }
    };
    (visit_return_call_ref $($rest:tt)*) => {
        fn visit_return_call_ref(&mut self, _: u32) { self.tail_call(true); }
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

#[cfg(test)]
mod tests {
    use super::{Scanner, Usages};
    use wasmparser::{BlockType, VisitOperator};

    #[test]
    fn locals_by_weight_and_class() {
        let mut scanner = Scanner::new(2);
        let mut usages = Usages::default();
        scanner.visit_local_get(7);
        scanner.visit_local_get(3);
        scanner.visit_local_get(3);
        scanner.visit_loop(BlockType::Empty);
        scanner.visit_local_set(40_000);
        scanner.visit_end();
        scanner.visit_local_tee(1);
        scanner.visit_end();
        scanner.finish(|local| local == 3, &mut usages);
        scanner.visit_local_get(2);
        scanner.visit_call(0);
        assert!(!scanner.has_tail_calls());
        scanner.visit_return_call(2);
        scanner.finish(|_| false, &mut usages);
        let first = usages.get(0);
        assert_eq!(first.integers, [40_000, 1, 7], "of equal weight, the lower");
        assert_eq!(first.floats, [3]);
        assert!(!first.has_calls && !first.has_try);
        let second = usages.get(1);
        assert_eq!(second.integers, [2], "bodies do not see each other");
        assert!(second.floats.is_empty() && second.has_calls);
        assert!(scanner.has_tail_calls() && !scanner.leaves_by_tail_call());
        scanner.visit_return_call(1);
        assert!(scanner.leaves_by_tail_call(), "of an imported function");
    }

    #[test]
    fn types_of_indirect_calls() {
        let mut scanner = Scanner::new(0);
        for ty in [200, 3, 64, 3, u32::MAX] {
            scanner.visit_call_indirect(ty, 0);
        }
        let mut types = scanner.called_types().clone();
        let mut other = Scanner::new(0);
        other.visit_return_call_indirect(1000, 0);
        types.extend(other.called_types());
        assert!(types.iter().eq([3, 64, 200, 1000]));
    }
}
