//! Integers as sums of other values with factors, and what an iteration of a loop adds to them.

use crate::masm::{AluOp, Width};
use crate::opt::form::ir::{Function, Op, Value};
use foldhash::{HashMap, HashMapExt};

/// How far a sum is looked into.
const DEPTH: u32 = 6;

/// How many terms a sum may have.
const TERMS_MAX: usize = 4;

/// What a parameter of a loop's header is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Induction {
    /// Its value in the first iteration.
    pub(super) first: Value,
    /// What an iteration adds, modulo the width.
    pub(super) step: u64,
}

/// A loop, as far as sums are concerned.
pub(super) struct Body {
    /// The nodes in it.
    inside: HashMap<Value, ()>,
    /// All parameters of its header.
    pub(super) inductions: HashMap<Value, Induction>,
}

impl Body {
    /// A loop with these parameters, their arguments from outside and from inside, and these nodes.
    /// `None` when an iteration does something else to a parameter than adding a constant.
    pub(super) fn of(
        function: &Function,
        params: &[Value],
        first: &[Value],
        next: &[Value],
        nodes: impl Iterator<Item = Value>,
    ) -> Option<Body> {
        let mut body = Body {
            inside: nodes.map(|node| (node, ())).collect(),
            inductions: HashMap::with_capacity(params.len()),
        };
        for ((&param, &first), &next) in params.iter().zip(first).zip(next) {
            // What it is does not matter yet, but that it is one; nothing is known of its bits.
            body.inductions.insert(param, Induction { first, step: 1 });
            let width = function[param].ty;
            if width.is_float() {
                return None;
            }
            let next = body.linear(function, next)?;
            if next.terms[..] != [(param, 1)] {
                return None;
            }
            let step = next.constant;
            body.inductions.insert(param, Induction { first, step });
        }
        Some(body)
    }

    /// A value as a sum of parameters and of values from outside of the loop.
    pub(super) fn linear(&self, function: &Function, value: Value) -> Option<Linear> {
        let mut linear = Linear {
            width: function[value].ty.width(),
            constant: 0,
            terms: Vec::new(),
        };
        self.add(function, &mut linear, value, 1, DEPTH)?;
        linear.terms.retain(|&(_, factor)| factor != 0);
        linear.terms.sort_unstable();
        (linear.terms.len() <= TERMS_MAX).then_some(linear)
    }

    fn add(
        &self,
        function: &Function,
        to: &mut Linear,
        value: Value,
        factor: u64,
        depth: u32,
    ) -> Option<()> {
        let node = &function[value];
        let is_inside = self.inside.contains_key(&value);
        if node.op == Op::Const {
            to.constant = to.mask(to.constant.wrapping_add(node.imm.wrapping_mul(factor)));
            return Some(());
        }
        if let (Op::Alu(op, width), Some(depth)) = (node.op, depth.checked_sub(1))
            && width == to.width
        {
            let [a, b, _] = node.args;
            let constant = function.constant(b);
            match (op, constant) {
                // Outside, the sum is there; only what sets it apart from others counts.
                (AluOp::Add, _) if is_inside || constant.is_some() => {
                    self.add(function, to, a, factor, depth)?;
                    return self.add(function, to, b, factor, depth);
                }
                // A sum, where no bit of the constant is one of the other operand.
                (AluOp::Or, Some(constant))
                    if is_inside && constant < 1 << self.zeros(function, a, depth) =>
                {
                    self.add(function, to, a, factor, depth)?;
                    return self.add(function, to, b, factor, depth);
                }
                (AluOp::Sub, _) if is_inside => {
                    self.add(function, to, a, factor, depth)?;
                    return self.add(function, to, b, to.mask(factor.wrapping_neg()), depth);
                }
                (AluOp::Mul, Some(constant)) if is_inside => {
                    let factor = to.mask(factor.wrapping_mul(constant));
                    return self.add(function, to, a, factor, depth);
                }
                (AluOp::Shl, Some(count)) if is_inside => {
                    let count = count as u32 & (to.width.bits() - 1);
                    return self.add(function, to, a, to.mask(factor << count), depth);
                }
                _ => {}
            }
        }
        if is_inside {
            return None;
        }
        match to.terms.iter().position(|&(term, _)| term == value) {
            Some(at) => to.terms[at].1 = to.mask(to.terms[at].1.wrapping_add(factor)),
            None => to.terms.push((value, factor)),
        }
        Some(())
    }

    /// How many of the lowest bits of a value are clear in all iterations, at least; below 32.
    fn zeros(&self, function: &Function, value: Value, depth: u32) -> u32 {
        let node = &function[value];
        if node.op == Op::Const {
            return node.imm.trailing_zeros().min(31);
        }
        let Some(depth) = depth.checked_sub(1) else {
            return 0;
        };
        if let Some(induction) = self.inductions.get(&value) {
            let first = self.zeros(function, induction.first, depth);
            return first.min(induction.step.trailing_zeros());
        }
        let [a, b, _] = node.args;
        let Op::Alu(op, _) = node.op else {
            return 0;
        };
        match (op, function.constant(b)) {
            (AluOp::Shl, Some(count)) if count < 32 => {
                (self.zeros(function, a, depth) + count as u32).min(31)
            }
            (AluOp::Add | AluOp::Or, Some(constant)) => {
                let constant = constant.trailing_zeros();
                self.zeros(function, a, depth).min(constant)
            }
            _ => 0,
        }
    }

    /// What a sum is in the first iteration, if that is known.
    pub(super) fn known(&self, function: &Function, linear: &Linear) -> Option<u64> {
        let mut sum = linear.constant;
        for (term, factor) in &linear.terms {
            let first = function.constant(self.inductions.get(term)?.first)?;
            sum = sum.wrapping_add(first.wrapping_mul(*factor));
        }
        Some(linear.mask(sum))
    }

    /// What an iteration adds to a sum.
    pub(super) fn step(&self, linear: &Linear) -> i64 {
        let steps = linear.terms.iter().map(|(term, factor)| {
            let step = self.inductions.get(term).map_or(0, |param| param.step);
            step.wrapping_mul(*factor)
        });
        linear.signed(steps.fold(0, u64::wrapping_add))
    }

    /// Whether a value is the same in all iterations, and there before the loop.
    pub(super) fn is_outside(&self, value: Value) -> bool {
        !self.inside.contains_key(&value) && !self.inductions.contains_key(&value)
    }
}

/// A sum, modulo 2³² or 2⁶⁴ by its width.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Linear {
    pub(super) width: Width,
    pub(super) constant: u64,
    /// Values with their factors, ascending.
    pub(super) terms: Vec<(Value, u64)>,
}

impl Linear {
    pub(super) fn mask(&self, bits: u64) -> u64 {
        bits & self.width.ones()
    }

    /// A number of the sum's width as a signed one.
    pub(super) fn signed(&self, bits: u64) -> i64 {
        match self.width {
            Width::W32 => i64::from(bits as u32 as i32),
            Width::W64 => bits as i64,
        }
    }

    /// What a sum that differs in its constant only is more than this one.
    pub(super) fn distance(&self, other: &Linear) -> i64 {
        self.signed(other.constant.wrapping_sub(self.constant))
    }
}
