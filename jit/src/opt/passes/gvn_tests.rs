//! What is known of memory, conditions and bounds; what leaves loops.

use super::{dce, gvn, hoist, prune};
use crate::interruption::Watch;
use crate::isa::x86_64::X64Masm;
use crate::masm::Masm;
use crate::masm::{AluOp, Cond, LoadOp, StoreOp, Width};
use crate::opt::form::ir::{
    Alias, BlockId, CallSite, Callee, Edge, Exit, Function, Node, Op, Origin, Ty, Types, Value,
    Values,
};
use crate::opt::form::verify;
use smallvec::smallvec;
use zwasm_core::TrapCode;

struct Builder {
    function: Function,
    context: Value,
    block: BlockId,
}

impl Builder {
    /// In the entry, which has one parameter.
    fn new() -> Builder {
        let mut function = Function::default();
        let block = function.add_block(0);
        let mut builder = Builder {
            function,
            context: Value::NONE,
            block,
        };
        builder.context = builder.make(Op::Context, Ty::I64, &[], 0);
        builder
    }

    fn make(&mut self, op: Op, ty: Ty, args: &[Value], imm: u64) -> Value {
        self.function
            .add(Node::new(op, ty, args, imm), Origin::default())
    }

    fn node(&mut self, op: Op, ty: Ty, args: &[Value], imm: u64) -> Value {
        let value = self.make(op, ty, args, imm);
        let block = self.block;
        self.function[block].nodes.push(value);
        value
    }

    fn param(&mut self, ty: Ty) -> Value {
        let number = self.function[self.block].params.len() as u64;
        let value = self.make(Op::Param, ty, &[], number);
        let block = self.block;
        self.function[block].params.push(value);
        value
    }

    fn i64(&mut self, bits: u64) -> Value {
        self.make(Op::Const, Ty::I64, &[], bits)
    }

    fn global(&mut self) -> Value {
        let (op, context) = (Op::Load(LoadOp::U64, Alias::Global), self.context);
        self.node(op, Ty::I64, &[context], 64)
    }

    fn set_global(&mut self, value: Value) {
        let (op, context) = (Op::Store(StoreOp::B8, Alias::Global), self.context);
        self.node(op, Ty::None, &[context, Value::NONE, value], 128);
    }

    fn call(&mut self) {
        self.function.calls.push(CallSite {
            callee: Callee::Defined(0),
            params: Types::new(),
            results: Types::new(),
            args: Values::new(),
        });
        let site = self.function.calls.len() as u64 - 1;
        self.node(Op::Call, Ty::None, &[], site);
    }

    fn exit(&mut self, exit: Exit) {
        let block = self.block;
        self.function[block].exit = exit;
    }

    fn start(&mut self, loop_depth: u32) -> BlockId {
        self.block = self.function.add_block(loop_depth);
        self.block
    }

    /// The function with passes run.
    fn finish(mut self) -> Function {
        verify::verify(&self.function, "construction");
        gvn::run(&mut self.function, &Watch::of(None));
        prune::run(&mut self.function);
        dce::run(&mut self.function);
        verify::verify(&self.function, "value numbering");
        let target = X64Masm::target(Default::default());
        hoist::run(&mut self.function, &target);
        verify::verify(&self.function, "hoisting");
        self.function
    }
}

fn edge(to: BlockId) -> Edge {
    Edge {
        to,
        args: Values::new(),
    }
}

fn is_global(op: Op) -> bool {
    matches!(op, Op::Load(_, Alias::Global))
}

/// How many nodes of a block are as asked for.
fn count(function: &Function, block: usize, is: impl Fn(Op) -> bool) -> usize {
    let nodes = function.blocks[block].nodes.iter();
    nodes.filter(|&&node| is(function[node].op)).count()
}

/// A global read before a loop, in it, and behind it; `within` fills the loop.
fn around_a_loop(within: impl FnOnce(&mut Builder, Value)) -> Function {
    let mut b = Builder::new();
    let n = b.param(Ty::I32);
    let before = b.global();
    b.exit(Exit::Jump(edge(BlockId(1))));
    let header = b.start(1);
    b.function[header].is_loop_header = true;
    let inside = b.global();
    let sum = b.node(
        Op::Alu(AluOp::Add, Width::W64),
        Ty::I64,
        &[before, inside],
        0,
    );
    within(&mut b, sum);
    b.exit(Exit::Branch(n, [edge(header), edge(BlockId(2))]));
    b.start(0);
    let behind = b.global();
    let sum = b.node(Op::Alu(AluOp::Mul, Width::W64), Ty::I64, &[sum, behind], 0);
    b.exit(Exit::Return(smallvec![sum]));
    b.finish()
}

#[test]
fn loops_keep_what_they_do_not_write() {
    let function = around_a_loop(|_, _| {});
    let globals = (0..3).map(|block| count(&function, block, is_global));
    assert_eq!(globals.collect::<Vec<_>>(), [1, 0, 0], "{function}");
}

#[test]
fn loops_forget_what_they_write() {
    for is_call in [false, true] {
        let function = around_a_loop(|b, sum| {
            if is_call {
                b.call();
            } else {
                b.set_global(sum);
            }
        });
        let globals = (0..3).map(|block| count(&function, block, is_global));
        assert_eq!(globals.collect::<Vec<_>>(), [1, 1, 1], "{function}");
    }
}

#[test]
fn joins_know_what_all_ways_agree_on() {
    for writes in [false, true] {
        let mut b = Builder::new();
        let cond = b.param(Ty::I32);
        let before = b.global();
        b.exit(Exit::Branch(cond, [edge(BlockId(1)), edge(BlockId(2))]));
        b.start(0);
        if writes {
            b.set_global(before);
        }
        b.exit(Exit::Jump(edge(BlockId(3))));
        b.start(0);
        b.exit(Exit::Jump(edge(BlockId(3))));
        b.start(0);
        let behind = b.global();
        let sum = b.node(
            Op::Alu(AluOp::Add, Width::W64),
            Ty::I64,
            &[before, behind],
            0,
        );
        b.exit(Exit::Return(smallvec![sum]));
        let function = b.finish();
        let left = count(&function, 3, is_global);
        assert_eq!(left, usize::from(writes), "{function}");
    }
}

#[test]
fn branches_decide_conditions() {
    let mut b = Builder::new();
    let x = b.param(Ty::I64);
    let five = b.i64(5);
    let cond = b.node(Op::Compare(Cond::LtU, Width::W64), Ty::I32, &[x, five], 0);
    b.exit(Exit::Branch(cond, [edge(BlockId(1)), edge(BlockId(2))]));
    b.start(0);
    // The opposite does not hold here.
    let opposite = b.node(Op::Compare(Cond::GeU, Width::W64), Ty::I32, &[x, five], 0);
    b.node(
        Op::TrapIf(TrapCode::MemoryOutOfBounds),
        Ty::None,
        &[opposite],
        0,
    );
    let chosen = b.node(Op::Select, Ty::I64, &[cond, x, five], 0);
    b.exit(Exit::Return(smallvec![chosen]));
    b.start(0);
    b.node(
        Op::TrapIf(TrapCode::MemoryOutOfBounds),
        Ty::None,
        &[cond],
        0,
    );
    b.exit(Exit::Return(smallvec![x]));
    let function = b.finish();
    assert_eq!(function.blocks[1].nodes, [], "{function}");
    assert_eq!(function.blocks[2].nodes, [], "{function}");
}

/// The address of a memory's definition, and its length less some bytes.
fn room(b: &mut Builder, bytes: u64) -> Value {
    let context = b.context;
    let def = b.node(Op::Load(LoadOp::U64, Alias::Fixed), Ty::I64, &[context], 56);
    let length = b.node(Op::Load(LoadOp::U64, Alias::Length), Ty::I64, &[def], 8);
    let bytes = b.i64(bytes);
    b.node(
        Op::Alu(AluOp::Sub, Width::W64),
        Ty::I64,
        &[length, bytes],
        0,
    )
}

fn check(b: &mut Builder, address: Value, bytes: u64) {
    let room = room(b, bytes);
    let op = Op::Compare(Cond::GtU, Width::W64);
    let beyond = b.node(op, Ty::I32, &[address, room], 0);
    b.node(
        Op::TrapIf(TrapCode::MemoryOutOfBounds),
        Ty::None,
        &[beyond],
        0,
    );
}

fn is_check(op: Op) -> bool {
    matches!(op, Op::TrapIf(_))
}

#[test]
fn checks_imply_smaller_ones() {
    let mut b = Builder::new();
    let (x, y) = (b.param(Ty::I64), b.param(Ty::I64));
    check(&mut b, x, 16);
    check(&mut b, x, 8);
    check(&mut b, x, 16);
    check(&mut b, y, 8);
    check(&mut b, x, 17);
    check(&mut b, x, 12);
    b.exit(Exit::Return(Values::new()));
    let function = b.finish();
    assert_eq!(count(&function, 0, is_check), 3, "{function}");
}

#[test]
fn lengths_leave_loops_without_calls() {
    for has_call in [false, true] {
        let mut b = Builder::new();
        let x = b.param(Ty::I64);
        b.exit(Exit::Jump(edge(BlockId(1))));
        let header = b.start(1);
        b.function[header].is_loop_header = true;
        check(&mut b, x, 8);
        if has_call {
            b.call();
        }
        let global = b.global();
        let op = Op::Compare(Cond::LtU, Width::W64);
        let again = b.node(op, Ty::I32, &[global, x], 0);
        b.exit(Exit::Branch(again, [edge(header), edge(BlockId(2))]));
        b.start(0);
        b.exit(Exit::Return(Values::new()));
        let function = b.finish();
        let loads = count(&function, 1, |op| matches!(op, Op::Load(..)));
        assert_eq!(loads, if has_call { 3 } else { 0 }, "{function}");
        assert_eq!(count(&function, 1, is_check), 1, "{function}");
    }
}
