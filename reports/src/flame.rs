//! Where a workload spends its time: stacks that a sampling profiler saw, as a tree.
//!
//! In: stacks of frames, outermost first. Out: the tree of calls with samples, and per function its own
//! samples and those with what it calls.

use crate::schema::Commit;
use std::collections::{BTreeMap, BTreeSet};

/// What a frame is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A function of the module.
    Wasm,
    /// The engine or a library.
    Native,
    /// The kernel.
    Kernel,
}

impl Kind {
    /// In one word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Kind::Wasm => "wasm",
            Kind::Native => "native",
            Kind::Kernel => "kernel",
        }
    }
}

/// A frame of a stack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Frame {
    /// What the function is called.
    pub name: String,
    /// What it is of.
    pub kind: Kind,
}

/// What was sampled.
#[derive(Clone, Debug)]
pub struct Flame {
    /// The workload.
    pub workload: String,
    /// The tier of zwasm.
    pub tier: String,
    /// The commit of zwasm.
    pub commit: Commit,
    /// Iterations that the process ran.
    pub iterations: u32,
    /// Samples per second.
    pub frequency_hz: u32,
    /// Calls by what calls them.
    pub root: Node,
    /// Most own samples first.
    pub functions: Vec<Function>,
}

/// Samples with a stack that begins alike.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// All samples below.
    pub samples: u64,
    /// What is called from here.
    pub calls: BTreeMap<Frame, Node>,
}

/// A function over all stacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Which.
    pub frame: Frame,
    /// Samples in itself.
    pub own: u64,
    /// Samples in itself or in what it calls; a stack that has it several times counts once.
    pub total: u64,
}

/// The tree of stacks, outermost frame first.
#[must_use]
pub fn tree(stacks: &[Vec<Frame>]) -> Node {
    let mut root = Node::default();
    for stack in stacks {
        root.samples += 1;
        let mut node = &mut root;
        for frame in stack {
            node = node.calls.entry(frame.clone()).or_default();
            node.samples += 1;
        }
    }
    root
}

/// What each function of the stacks took, most own samples first.
#[must_use]
pub fn functions(stacks: &[Vec<Frame>]) -> Vec<Function> {
    let mut by_frame: BTreeMap<&Frame, [u64; 2]> = BTreeMap::new();
    for stack in stacks {
        for frame in stack.iter().collect::<BTreeSet<_>>() {
            by_frame.entry(frame).or_default()[1] += 1;
        }
        if let Some(last) = stack.last() {
            by_frame.entry(last).or_default()[0] += 1;
        }
    }
    let function = |(frame, [own, total]): (&Frame, [u64; 2])| Function {
        frame: frame.clone(),
        own,
        total,
    };
    let mut functions: Vec<Function> = by_frame.into_iter().map(function).collect();
    functions.sort_by_key(|f| std::cmp::Reverse((f.own, f.total)));
    functions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(names: &str) -> Vec<Frame> {
        let frame = |name: &str| Frame {
            name: name.to_owned(),
            kind: Kind::Wasm,
        };
        names.split_whitespace().map(frame).collect()
    }

    #[test]
    fn stacks_that_begin_alike_are_one_branch() {
        let root = tree(&[stack("a b"), stack("a b c"), stack("a"), stack("d")]);
        assert_eq!(root.samples, 4);
        let names: Vec<&str> = root.calls.keys().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["a", "d"]);
        let a = &root.calls[&stack("a")[0]];
        assert_eq!((a.samples, a.calls[&stack("b")[0]].samples), (3, 2));
    }

    #[test]
    fn a_function_that_calls_itself_counts_once_per_stack() {
        let found = functions(&[stack("f f f"), stack("f g"), Vec::new()]);
        let counts: Vec<(&str, u64, u64)> = found
            .iter()
            .map(|f| (f.frame.name.as_str(), f.own, f.total))
            .collect();
        assert_eq!(counts, [("f", 1, 2), ("g", 1, 1)]);
    }
}
