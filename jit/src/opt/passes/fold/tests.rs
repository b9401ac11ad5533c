//! Folding against the semantics: functions before and after, on edge values.

use super::evaluate;
use crate::interruption::Watch;
use crate::masm::{AluOp, Cond, DivOp, IntUnary, Listed, Width};
use crate::opt::form::ir::{Exit, Function, Node, Op, Origin, Ty, Value};
use crate::opt::passes::gvn;
use zwasm_core::num;

const WIDTHS: [Width; 2] = [Width::W32, Width::W64];

/// A function of one parameter that returns what is built.
fn function(ty: Ty, build: impl FnOnce(&mut Function, Value) -> Value) -> Function {
    let mut function = Function::default();
    let block = function.add_block(0);
    let param = add(&mut function, Op::Param, ty, &[], 0);
    function[block].params.push(param);
    let result = build(&mut function, param);
    function[block].exit = Exit::Return(smallvec::smallvec![result]);
    function
}

fn add(function: &mut Function, op: Op, ty: Ty, args: &[Value], imm: u64) -> Value {
    let node = Node {
        imm,
        ..super::node(op, ty, args)
    };
    let value = function.add(node, Origin::default());
    if !matches!(op, Op::Const | Op::Param) {
        let block = crate::opt::form::ir::BlockId(0);
        function[block].nodes.push(value);
    }
    value
}

fn constant(function: &mut Function, ty: Ty, bits: u64) -> Value {
    add(function, Op::Const, ty, &[], bits)
}

/// What a function without memory or branches returns.
fn run(function: &Function, argument: u64) -> u64 {
    let block = &function.blocks[0];
    let mut values = vec![0; function.nodes.len()];
    for (i, node) in function.nodes.iter().enumerate() {
        match node.op {
            Op::Const => values[i] = node.imm,
            Op::Param => values[i] = argument,
            _ => {}
        }
    }
    for &value in &block.nodes {
        // The same node, with constants for operands.
        let mut scratch = Function::default();
        let mut node = function[value];
        for arg in node.args.iter_mut().filter(|arg| **arg != Value::NONE) {
            let bits = values[arg.0 as usize];
            *arg = constant(&mut scratch, function[*arg].ty, bits);
        }
        let result = match node.op {
            Op::Select => {
                let of = |i: usize| scratch[node.args[i]].imm;
                if of(0) != 0 { of(1) } else { of(2) }
            }
            _ => {
                evaluate::constant(&scratch, &node)
                    .expect("it does not trap")
                    .1
            }
        };
        values[value.0 as usize] = result;
    }
    let Exit::Return(results) = &block.exit else {
        panic!("it returns");
    };
    values[results[0].0 as usize]
}

fn divide(op: DivOp, width: Width, a: u64, b: u64) -> Option<u64> {
    match width {
        Width::W32 => {
            let (a, b) = (a as i32, b as i32);
            let result = match op {
                DivOp::DivS => num::i32_div_s(a, b),
                DivOp::DivU => num::i32_div_u(a, b),
                DivOp::RemS => num::i32_rem_s(a, b),
                DivOp::RemU => num::i32_rem_u(a, b),
            };
            result.ok().map(|value| u64::from(value as u32))
        }
        Width::W64 => {
            let (a, b) = (a as i64, b as i64);
            let result = match op {
                DivOp::DivS => num::i64_div_s(a, b),
                DivOp::DivU => num::i64_div_u(a, b),
                DivOp::RemS => num::i64_rem_s(a, b),
                DivOp::RemU => num::i64_rem_u(a, b),
            };
            result.ok().map(|value| value as u64)
        }
    }
}

/// Numbers that look random, the same on every run.
struct Numbers(u64);

/// One of several.
fn any<T: Copy>(numbers: &mut Numbers, of: &[T]) -> T {
    of[numbers.below(of.len())]
}

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 33) as usize % limit
    }
}

/// Around the powers of two and their negatives, and small ones.
fn edges(width: Width) -> Vec<u64> {
    let mut edges: Vec<u64> = (0..20).collect();
    for bit in 0..width.bits() {
        for offset in [-2_i64, -1, 0, 1, 2] {
            let power = 1_u64 << bit;
            edges.push(power.wrapping_add(offset as u64));
            edges.push(power.wrapping_neg().wrapping_add(offset as u64));
        }
    }
    edges.iter_mut().for_each(|edge| *edge &= width.ones());
    edges.sort_unstable();
    edges.dedup();
    edges
}

#[test]
fn divisions_by_constants() {
    let mut numbers = Numbers(1);
    for width in WIDTHS {
        let ty = Ty::int(width);
        let mut divisors = edges(width);
        divisors.extend(20..300);
        divisors.extend([641, 1000, 10_000, 86_400, 1_000_000_007, 6_700_417]);
        divisors.extend((0..300).map(|_| (numbers.next() >> (numbers.next() % 64)) & width.ones()));
        for op in [DivOp::DivS, DivOp::DivU, DivOp::RemS, DivOp::RemU] {
            for &divisor in &divisors {
                let mut function = function(ty, |function, param| {
                    let divisor = constant(function, ty, divisor);
                    add(function, Op::Div(op, width), ty, &[param, divisor], 0)
                });
                gvn::run(&mut function, &Watch::of(None));
                let is_left = function.blocks[0]
                    .nodes
                    .iter()
                    .any(|&node| matches!(function[node].op, Op::Div(..)));
                let may_trap = divisor == 0 || op == DivOp::DivS && divisor == width.ones();
                assert_eq!(is_left, may_trap, "{op:?} {width:?} {divisor}");
                if is_left {
                    continue;
                }
                let mut dividends = edges(width);
                for _ in 0..20 {
                    let multiple = numbers.next().wrapping_mul(divisor);
                    dividends.extend([numbers.next(), multiple, multiple.wrapping_sub(1)]);
                }
                // The largest multiples, where errors are largest.
                for most in [width.ones(), width.ones() >> 1] {
                    let multiple = most - most % divisor;
                    let below = multiple.wrapping_sub(1);
                    dividends.extend([multiple, below, multiple.wrapping_neg()]);
                }
                for dividend in dividends {
                    let dividend = dividend & width.ones();
                    assert_eq!(
                        Some(run(&function, dividend)),
                        divide(op, width, dividend, divisor),
                        "{op:?} {width:?} {dividend:#x} {divisor:#x}\n{function}"
                    );
                }
            }
        }
    }
}

/// A random operation on values that are there; none that traps.
fn random_node(function: &mut Function, values: &[Value], numbers: &mut Numbers) -> Value {
    const UNARY: [IntUnary; 7] = [
        IntUnary::Clz,
        IntUnary::Ctz,
        IntUnary::Popcnt,
        IntUnary::SwapBytes,
        IntUnary::Extend8S,
        IntUnary::Extend16S,
        IntUnary::Extend32S,
    ];
    let width = WIDTHS[numbers.below(2)];
    let ty = Ty::int(width);
    let operand = |function: &mut Function, numbers: &mut Numbers, ty: Ty| {
        let fitting: Vec<Value> = values
            .iter()
            .copied()
            .filter(|&value| function[value].ty == ty)
            .collect();
        if !fitting.is_empty() && numbers.below(3) > 0 {
            // The latest ones most: chains are what is simplified.
            let back = numbers
                .below(fitting.len())
                .min(numbers.below(fitting.len()));
            return fitting[fitting.len() - 1 - back];
        }
        let width = if ty == Ty::I32 {
            Width::W32
        } else {
            Width::W64
        };
        let edges = edges(width);
        let bits = match numbers.below(3) {
            0 => edges[numbers.below(edges.len())],
            1 => numbers.below(66) as u64,
            _ => [0xff, 0xffff, 0xffff_ffff, 24, 16, 32, 48, 56][numbers.below(8)],
        };
        constant(function, ty, bits & width.ones())
    };
    let mut of = |function: &mut Function, ty| operand(function, numbers, ty);
    let (a, b) = (of(function, ty), of(function, ty));
    let (narrow, wide) = (of(function, Ty::I32), of(function, Ty::I64));
    match numbers.below(12) {
        0..4 => {
            let op = any(numbers, &AluOp::list());
            add(function, Op::Alu(op, width), ty, &[a, b], 0)
        }
        4..6 => {
            let op = [AluOp::Shl, AluOp::ShrS, AluOp::ShrU][numbers.below(3)];
            let count = [8, 16, 24, 32, 48, 56][numbers.below(6)];
            let count = constant(function, ty, count);
            add(function, Op::Alu(op, width), ty, &[a, count], 0)
        }
        6..8 => {
            let cond = any(numbers, &Cond::list());
            add(function, Op::Compare(cond, width), Ty::I32, &[a, b], 0)
        }
        8 => {
            let op = any(numbers, &UNARY);
            add(function, Op::IntUnary(op, width), ty, &[a], 0)
        }
        9 => {
            let op = Op::IntUnary(IntUnary::Wrap, Width::W32);
            add(function, op, Ty::I32, &[wide], 0)
        }
        10 => {
            let extend = Op::IntUnary(IntUnary::Extend32S, Width::W64);
            let op = [Op::ExtendU, extend][numbers.below(2)];
            add(function, op, Ty::I64, &[narrow], 0)
        }
        _ => add(function, Op::Select, ty, &[narrow, a, b], 0),
    }
}

#[test]
fn random_expressions() {
    let mut numbers = Numbers(7);
    let mut shorter = 0;
    for round in 0..8_000 {
        let ty = [Ty::I32, Ty::I64][round % 2];
        let width = if ty == Ty::I32 {
            Width::W32
        } else {
            Width::W64
        };
        let before = function(ty, |function, param| {
            let mut values = vec![param];
            for _ in 0..8 {
                let node = random_node(function, &values, &mut numbers);
                values.push(node);
            }
            values[8]
        });
        let mut after = before.clone();
        gvn::run(&mut after, &Watch::of(None));
        crate::opt::form::verify::verify(&after, "folding");
        crate::opt::passes::dce::run(&mut after);
        shorter += usize::from(after.blocks[0].nodes.len() < before.blocks[0].nodes.len());
        for _ in 0..12 {
            let argument = match numbers.below(2) {
                0 => numbers.next(),
                _ => {
                    let edges = edges(width);
                    edges[numbers.below(edges.len())]
                }
            } & width.ones();
            assert_eq!(
                run(&before, argument),
                run(&after, argument),
                "of {argument:#x}\n{before}\n{after}"
            );
        }
    }
    assert!(shorter > 4_000, "{shorter} were simplified");
}
