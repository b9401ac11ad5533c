//! Exceptions: `try_table`, and what may throw in its body.
//!
//! A call in the body of a `try_table` ends its block: either it returns to the next one, or the
//! runtime goes on at one of the *landing pads* that the clauses around the call have. A pad takes the
//! payload and jumps to the clause's label, with the locals as they are at the call; calls that see
//! the same locals share one. So nothing happens on the way to a call and back. Callees in place of
//! calls are in the bodies that their calls were in.
//!
//! A `throw` whose clause is known jumps to its label, unless somebody may ask for the exception.

use super::counts::Count;
use super::{Builder, Kind};
use crate::opt::form::ir::{BlockId, Edge, Exit, Node, Op, Pad, Ty, Value, Values};
use foldhash::{HashSet, HashSetExt};
use wasmparser::{Catch, TryTable};

/// Locals that are compared for the time of an argument.
const LOOKS_PER_ARG: usize = 16;

/// An open `try_table`.
pub(super) struct Try {
    /// The number of its frame.
    frame: usize,
    clauses: Vec<Clause>,
}

/// A clause of an open `try_table`.
struct Clause {
    tag: Option<u32>,
    with_ref: bool,
    /// The frame of the label.
    label: usize,
    /// The last pad, with the locals, and operands below, that it goes on with.
    last: Option<(BlockId, Vec<Value>)>,
}

impl Builder<'_> {
    pub(super) fn try_table(&mut self, try_table: &TryTable) {
        let signature = self.signature(try_table.ty);
        let clause = |catch: &Catch| {
            let (tag, with_ref, depth) = match *catch {
                Catch::One { tag, label } => (Some(tag), false, label),
                Catch::OneRef { tag, label } => (Some(tag), true, label),
                Catch::All { label } => (None, false, label),
                Catch::AllRef { label } => (None, true, label),
            };
            Clause {
                tag,
                with_ref,
                label: self.control.len() - 1 - depth as usize,
                last: None,
            }
        };
        let clauses: Vec<Clause> = try_table.catches.iter().map(clause).collect();
        let target = self.function.add_block(self.loop_depth);
        self.push_frame(Kind::Block, signature, target);
        let frame = self.control.len() - 1;
        if !clauses.is_empty() {
            self.tries.push(Try { frame, clauses });
        }
    }

    /// The clauses around the current operator, by their precedence, as numbers in
    /// [`Builder::tries`] and there. With `is_left`, the innermost body was left by a tail call.
    fn clauses(&mut self, mut is_left: bool) -> Vec<(usize, usize)> {
        let mut clauses = Vec::new();
        let mut body = &self.body;
        for (at, open) in self.tries.iter().enumerate().rev() {
            while open.frame < body.frame {
                is_left = body.is_outer_left;
                body = body.outer.as_ref().expect("the outermost has all frames");
            }
            if !is_left {
                clauses.extend((0..open.clauses.len()).map(|number| (at, number)));
            }
        }
        self.edge_args += clauses.len();
        clauses
    }

    /// Edges to the landing pads of a call that is made now.
    pub(super) fn pad_edges(&mut self, is_left: bool) -> Vec<Edge> {
        let mut edges = Vec::new();
        if self.tries.is_empty() {
            return edges;
        }
        let mut tags = HashSet::new();
        for (at, number) in self.clauses(is_left) {
            let tag = self.tries[at].clauses[number].tag;
            if tag.is_some_and(|tag| !tags.insert(tag)) {
                continue;
            }
            edges.push(Edge {
                to: self.pad(at, number),
                args: Values::new(),
            });
            if tag.is_none() {
                break;
            }
        }
        edges
    }

    /// The locals that a label takes, as they are now.
    fn locals_for(&self, label: usize) -> Vec<Value> {
        let mut body = &self.body;
        while label < body.frame {
            body = body.outer.as_ref().expect("the outermost has all frames");
        }
        body.assigned_values(self.control[label].construct)
            .collect()
    }

    fn pad(&mut self, at: usize, number: usize) -> BlockId {
        let Clause {
            tag,
            with_ref,
            label,
            ref last,
        } = self.tries[at].clauses[number];
        let mut seen = self.locals_for(label);
        seen.extend(self.operands_below(label));
        self.edge_args += seen.len() / LOOKS_PER_ARG;
        if let Some((pad, same)) = last
            && *same == seen
        {
            return *pad;
        }
        // Back edges come last in a loop, others before what they lead to.
        let is_ahead = !matches!(self.control[label].kind, Kind::Loop | Kind::Function);
        let place = if is_ahead {
            label
        } else {
            self.tries[at].frame
        };
        let next = self.control[place].target;
        let pad = self.function.add_block(self.function[next].loop_depth);
        self.function.catches = true;
        self.pads.entry(place).or_default().push(pad);
        let mut args = Values::new();
        let mut slots = 0;
        let mut caught = |builder: &mut Self, ty: Ty| {
            let node = Node::new(Op::Caught, ty, &[], u64::from(slots));
            slots += ty.slots();
            let value = builder.function.add(node, builder.origin);
            builder.function[pad].nodes.push(value);
            args.push(value);
        };
        if let Some(tag) = tag {
            let info = self.env.info;
            let ty = self.env.types[info.tags[tag as usize] as usize].clone();
            for &param in ty.params() {
                caught(self, Ty::of(param));
            }
        }
        if with_ref {
            caught(self, Ty::I64);
        }
        let exit = self.jump_with(label, args);
        let block = &mut self.function[pad];
        block.exit = exit;
        block.pad = Some(Pad {
            tag,
            with_ref,
            slots,
        });
        self.tries[at].clauses[number].last = Some((pad, seen));
        pad
    }

    /// Forgets all pads: nothing leads there.
    pub(super) fn forget_pads(&mut self) {
        self.pads.clear();
        let clauses = self.tries.iter_mut().flat_map(|open| &mut open.clauses);
        clauses.for_each(|clause| clause.last = None);
    }

    /// At the end of a frame, which is closed: its landing pads come here in the order of blocks.
    pub(super) fn settle_pads(&mut self) {
        let frame = self.control.len();
        if let Some(here) = self.pads.remove(&frame) {
            self.order.extend(here);
        }
        if self.tries.last().is_some_and(|open| open.frame == frame) {
            self.tries.pop();
        }
    }

    /// Jumps to the label of the clause that a `throw` of a tag ends at, if that is known.
    pub(super) fn jump_to_clause(&mut self, tag: u32) -> bool {
        let info = self.env.info;
        let is_imported = |tag: u32| tag < info.imported_tags;
        for (at, number) in self.clauses(false) {
            let clause = &self.tries[at].clauses[number];
            match clause.tag {
                // Two imports may be one tag.
                Some(other) if other != tag => {
                    if is_imported(other) && is_imported(tag) {
                        return false;
                    }
                }
                _ if clause.with_ref => return false,
                caught => {
                    let label = clause.label;
                    let ty = &self.env.types[info.tags[tag as usize] as usize];
                    let payload = self.pop_many(ty.params().len());
                    let args = if caught.is_some() {
                        payload
                    } else {
                        Values::new()
                    };
                    let exit = self.jump_with(label, args);
                    self.close(exit);
                    return true;
                }
            }
        }
        false
    }

    /// A jump to a label of this body or one around it, with these values.
    fn jump_with(&mut self, label: usize, values: Values) -> Exit {
        if self.control[label].kind == Kind::Function {
            return Exit::Return(values);
        }
        let mut args = self.operands_below(label);
        args.extend(values);
        args.extend(self.locals_for(label));
        args.extend(self.not_passing(label));
        self.edge_args += args.len();
        let target = &mut self.control[label];
        // Labels of clauses are counted where they are.
        target.branch_to(&args, Count::UNKNOWN);
        let to = target.target;
        Exit::Jump(Edge { to, args })
    }
}
