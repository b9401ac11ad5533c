//! The shapes themselves.

use super::{Body, MANY, Shape, funcs, types};
use wasm_encoder::{BlockType, Catch, InstructionSink, MemArg, MemArgTarget, ValType};

/// Locals that every body has: the parameters, and the first ones of each type.
const A: u32 = 0;
const B: u32 = 1;
const I32S: u32 = 2;
const I64S: u32 = 34;
const F64S: u32 = 66;
const V128S: u32 = 98;
const FUNC: u32 = 130;

/// Types of blocks.
const EMPTY: BlockType = BlockType::Empty;
const I32: BlockType = BlockType::Result(ValType::I32);
const EIGHT: BlockType = BlockType::FunctionType(types::EIGHT);

macro_rules! shapes {
    ($($name:literal => $make:ident,)*) => {
        /// All of them.
        pub const SHAPES: &[Shape] = &[$(Shape { name: $name, make: $make },)*];
    };
}

shapes! {
    "locals alive at once" => locals_alive,
    "operands alive at once" => operands_alive,
    "values alive across calls" => alive_across_calls,
    "values alive across blocks" => alive_across_blocks,
    "values alive through a loop" => alive_through_loop,
    "a chain of sums" => chain,
    "trees of expressions" => trees,
    "operators without control flow" => straight,
    "float operators" => floats,
    "vector operators" => vectors,
    "selections" => selections,
    "constants" => constants,
    "divisions by constants" => divisions,
    "locals set" => sets,
    "branches to one label" => branches,
    "branches back to one loop" => branches_back,
    "branches with values" => branches_with_values,
    "returns" => returns,
    "blocks in each other" => nested_blocks,
    "blocks in each other, left at once" => nested_left,
    "loops in each other" => nested_loops,
    "conditions in each other" => nested_ifs,
    "conditions, each else of the one before" => else_chain,
    "conditions that assign" => ladder,
    "conditions that assign many locals" => wide_ladder,
    "small loops" => small_loops,
    "loops that count" => counted_loops,
    "loops that copy" => copy_loops,
    "loops of many variables" => many_variables,
    "a loop of many variables" => one_loop_of_many,
    "a table of branches" => one_table,
    "a switch of many cases" => switch,
    "tables to the same blocks" => tables,
    "tables to blocks that take locals" => tables_with_locals,
    "loads" => loads,
    "stores" => stores,
    "checked accesses" => checked,
    "globals" => globals,
    "tables of references" => references,
    "short copies and fills" => bulk,
    "growth of memory" => growth,
    "calls" => calls,
    "calls with eight values" => calls_of_eight,
    "calls with a thousand results" => calls_of_many,
    "indirect calls" => indirect,
    "calls to be inlined" => inlined,
    "tail calls" => tail_calls,
    "blocks with eight values" => blocks_of_eight,
    "references that may be null" => nulls,
    "bodies of try" => tries,
    "calls in one try" => calls_in_try,
    "tries in each other" => nested_tries,
    "throws" => throws,
    "unreachable operators" => unreachable,
}

fn at(memory: u32, offset: u64) -> MemArg {
    MemArg {
        offset,
        align: 0,
        target: MemArgTarget::Memory(memory),
        ordering: None,
    }
}

/// The first so many values on the stack become their sum.
fn sum(code: &mut InstructionSink<'_>, count: u32) {
    for _ in 1..count {
        code.i32_add();
    }
}

/// A condition that nobody knows.
fn question(code: &mut InstructionSink<'_>, number: u32) {
    code.local_get(A).i32_const(number as i32).i32_eq();
}

fn locals_alive(body: &mut Body) {
    let count = body.count(36);
    let first = body.locals(count, ValType::I32);
    let mut code = body.code();
    for local in first..first + count {
        code.local_get(A).i32_const(local as i32).i32_mul();
        code.local_get(B).i32_add();
        code.i32_const(5).i32_xor().i32_const(3).i32_rotl();
        code.local_get(B).i32_sub().local_set(local);
    }
    code.local_get(A);
    for local in first..first + count {
        code.local_get(local).i32_add();
        code.i32_const(7).i32_mul().local_get(A).i32_xor();
    }
}

fn operands_alive(body: &mut Body) {
    let count = body.count(12);
    let mut code = body.code();
    for number in 0..count {
        code.local_get(A).i32_const(number as i32).i32_mul();
        code.local_get(B).i32_xor();
    }
    sum(&mut code, count);
}

fn alive_across_calls(body: &mut Body) {
    let count = body.count(36);
    let first = body.locals(count, ValType::I32);
    let mut code = body.code();
    for local in first..first + count {
        code.local_get(A).i32_const(local as i32).i32_mul();
        code.local_get(B).i32_add().local_set(local);
        code.call(funcs::NOTHING).call(funcs::NOTHING);
        code.call(funcs::NOTHING).call(funcs::NOTHING);
    }
    code.local_get(A);
    for local in first..first + count {
        code.local_get(local).i32_add().call(funcs::NOTHING);
    }
}

fn alive_across_blocks(body: &mut Body) {
    let count = body.count(48);
    let first = body.locals(count, ValType::I32);
    let mut code = body.code();
    for local in first..first + count {
        code.local_get(A).i32_const(local as i32).i32_mul();
        code.local_get(B).i32_add().local_set(local);
        code.local_get(local).if_(EMPTY);
        code.local_get(B).i32_const(1).i32_add().local_set(B).end();
    }
    code.local_get(A);
    for local in first..first + count {
        code.local_get(local).i32_add();
        code.local_get(local).if_(EMPTY);
        code.local_get(B).i32_const(1).i32_add().local_set(B).end();
    }
}

fn alive_through_loop(body: &mut Body) {
    let count = body.count(36);
    let first = body.locals(count, ValType::I32);
    let mut code = body.code();
    for local in first..first + count {
        code.local_get(A).i32_const(local as i32).i32_mul();
        code.local_get(B).i32_add().local_set(local);
    }
    code.loop_(EMPTY);
    for local in first..first + count {
        code.local_get(B).local_get(local).i32_add().local_set(B);
    }
    code.local_get(B).br_if(0).end().local_get(A);
    for local in first..first + count {
        code.local_get(local).i32_add();
    }
}

fn chain(body: &mut Body) {
    body.code().local_get(A);
    body.fill(|code, number| {
        code.i32_const(number as i32).i32_add();
        code.local_get(B).i32_mul();
    });
}

fn trees(body: &mut Body) {
    fn tree(code: &mut InstructionSink<'_>, depth: u32, number: u32) {
        if depth == 0 {
            code.local_get(number % 2);
            return;
        }
        tree(code, depth - 1, number);
        tree(code, depth - 1, number + depth);
        match (number + depth) % 4 {
            0 => code.i32_add(),
            1 => code.i32_xor(),
            2 => code.i32_mul(),
            _ => code.i32_sub(),
        };
    }
    body.code().i32_const(0);
    body.fill(|code, number| {
        tree(code, 8, number);
        code.i32_add();
    });
}

fn straight(body: &mut Body) {
    let mut random = fastrand::Rng::with_seed(7);
    body.fill(|code, _| {
        let mut any = || I32S + random.u32(0..32);
        code.local_get(any()).local_get(any());
        match any() % 6 {
            0 => code.i32_add(),
            1 => code.i32_sub(),
            2 => code.i32_shl(),
            3 => code.i32_and(),
            4 => code.i32_lt_s(),
            _ => code.i32_mul(),
        };
        code.local_get(A).i32_add().local_set(any());
    });
    body.code().local_get(I32S);
}

fn floats(body: &mut Body) {
    let mut random = fastrand::Rng::with_seed(7);
    body.fill(|code, number| {
        let mut any = || F64S + random.u32(0..32);
        code.local_get(any()).local_get(any()).f64_add();
        code.f64_const(f64::from(number).into()).f64_mul();
        code.local_set(any());
    });
    body.code().local_get(F64S).i32_trunc_sat_f64_s();
}

fn vectors(body: &mut Body) {
    let mut random = fastrand::Rng::with_seed(7);
    body.fill(|code, number| {
        let mut any = || V128S + random.u32(0..32);
        code.local_get(any()).local_get(any()).i32x4_add();
        if number % 4 == 0 {
            code.v128_const(number.into()).i8x16_sub();
        }
        code.local_get(any()).v128_xor().local_set(any());
    });
    body.code().local_get(V128S).i32x4_extract_lane(0);
}

fn selections(body: &mut Body) {
    body.code().local_get(A);
    body.fill(|code, number| {
        code.local_get(B);
        question(code, number);
        code.select();
    });
}

fn constants(body: &mut Body) {
    body.fill(|code, number| {
        let bits = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let local = I64S + number % 32;
        code.local_get(local).i64_const(bits as i64).i64_add();
        code.local_set(local);
    });
    body.code().local_get(I64S).i32_wrap_i64();
}

fn divisions(body: &mut Body) {
    body.fill(|code, number| {
        let local = I32S + number % 32;
        code.local_get(local);
        code.i32_const(number as i32 + 3).i32_div_s();
        code.i32_const(number as i32 + 5).i32_rem_u();
        code.local_get(B).i32_add().local_set(local);
    });
    body.code().local_get(I32S);
}

fn sets(body: &mut Body) {
    body.fill(|code, number| {
        code.local_get(I32S + number % 32);
        code.local_tee(I32S + (number + 5) % 32);
        code.local_set(I32S + (number * 7) % 32);
    });
    body.code().local_get(I32S);
}

fn branches(body: &mut Body) {
    body.code().block(EMPTY);
    body.fill(|code, number| {
        question(code, number);
        code.br_if(0);
    });
    body.code().end().local_get(B);
}

fn branches_back(body: &mut Body) {
    body.code().loop_(EMPTY);
    body.fill(|code, number| {
        code.local_get(A).i32_const(1).i32_add().local_set(A);
        question(code, number);
        code.br_if(0);
    });
    body.code().end().local_get(A);
}

fn branches_with_values(body: &mut Body) {
    body.code().block(I32);
    body.fill(|code, number| {
        code.local_get(B).i32_const(number as i32).i32_add();
        code.local_tee(I32S + number % 32);
        question(code, number);
        code.br_if(0).drop();
    });
    body.code().local_get(B).end();
}

fn returns(body: &mut Body) {
    body.fill(|code, number| {
        question(code, number);
        code.if_(EMPTY)
            .local_get(I32S + number % 32)
            .return_()
            .end();
        code.local_get(B).local_set(I32S + number * 7 % 32);
    });
    body.code().local_get(B);
}

fn nested_blocks(body: &mut Body) {
    let count = body.count(18);
    let mut code = body.code();
    for _ in 0..count {
        code.block(EMPTY);
    }
    for number in 0..count {
        question(&mut code, number);
        code.br_if(number % 3 * (count - number - 1) / 3);
        code.local_get(A).local_set(B).end();
    }
    code.local_get(B);
}

fn nested_left(body: &mut Body) {
    let count = body.count(16);
    let mut code = body.code();
    for number in 0..count {
        code.block(EMPTY);
        question(&mut code, number);
        code.br_if(number);
    }
    for _ in 0..count {
        code.local_get(A).local_set(B).end();
    }
    code.local_get(B);
}

fn nested_loops(body: &mut Body) {
    let count = body.count(24);
    let mut code = body.code();
    for _ in 0..count {
        code.loop_(EMPTY);
        code.local_get(A).i32_const(1).i32_add().local_set(A);
    }
    for number in 0..count {
        question(&mut code, number);
        code.br_if(0).end();
    }
    code.local_get(A);
}

fn nested_ifs(body: &mut Body) {
    let count = body.count(24);
    let mut code = body.code();
    for number in 0..count {
        question(&mut code, number);
        code.if_(EMPTY);
        code.local_get(A)
            .i32_const(1)
            .i32_add()
            .local_set(I32S + number % 4);
    }
    for _ in 0..count {
        code.local_get(I32S).local_set(B).end();
    }
    code.local_get(B);
}

fn else_chain(body: &mut Body) {
    let count = body.count(22);
    let mut code = body.code();
    for number in 0..count {
        question(&mut code, number);
        code.if_(EMPTY)
            .i32_const(number as i32)
            .local_set(B)
            .else_();
    }
    for _ in 0..count {
        code.end();
    }
    code.local_get(B);
}

fn ladder(body: &mut Body) {
    body.fill(|code, number| {
        let local = I32S + number % 32;
        question(code, number);
        code.if_(EMPTY).i32_const(number as i32).local_set(local);
        code.else_().local_get(B).local_set(local).end();
        code.local_get(local).local_get(B).i32_add().local_set(B);
    });
    body.code().local_get(B);
}

fn wide_ladder(body: &mut Body) {
    body.fill(|code, number| {
        question(code, number);
        code.if_(EMPTY);
        for local in I32S..I32S + 32 {
            let other = I32S + (local + number) % 32;
            code.local_get(other).local_set(local);
        }
        code.end();
    });
    body.code().local_get(I32S);
}

fn small_loops(body: &mut Body) {
    body.fill(|code, number| {
        code.loop_(EMPTY);
        code.local_get(A)
            .i32_const(number as i32)
            .i32_add()
            .local_tee(A);
        code.i32_load(at(0, 0)).local_tee(B).br_if(0).end();
    });
    body.code().local_get(B);
}

fn counted_loops(body: &mut Body) {
    body.fill(|code, number| {
        code.i32_const(100).local_set(I32S).loop_(EMPTY);
        code.local_get(B).local_get(A).i32_xor();
        code.i32_const(number as i32).i32_mul().local_set(B);
        code.local_get(I32S).i32_const(1).i32_sub().local_tee(I32S);
        code.br_if(0).end();
    });
    body.code().local_get(B);
}

fn copy_loops(body: &mut Body) {
    body.fill(|code, number| {
        code.i32_const(100).local_set(I32S).loop_(EMPTY);
        code.local_get(A);
        match number % 2 {
            0 => code.local_get(B).i32_load8_u(at(0, 0)),
            _ => code.i32_const(5),
        };
        code.i32_store8(at(0, 0));
        code.local_get(A).i32_const(1).i32_add().local_set(A);
        code.local_get(B).i32_const(1).i32_add().local_set(B);
        code.local_get(I32S).i32_const(1).i32_sub().local_tee(I32S);
        code.br_if(0).end();
    });
    body.code().local_get(B);
}

fn many_variables(body: &mut Body) {
    body.fill(|code, number| {
        code.loop_(EMPTY);
        for local in I32S..I32S + 32 {
            let other = I32S + (local + number) % 32;
            code.local_get(local)
                .local_get(other)
                .i32_add()
                .local_set(local);
        }
        code.local_get(I32S).br_if(0).end();
    });
    body.code().local_get(I32S);
}

fn one_loop_of_many(body: &mut Body) {
    let count = body.count(34);
    let first = body.locals(count, ValType::I32);
    let mut code = body.code();
    code.loop_(EMPTY);
    for local in first..first + count {
        code.local_get(local).local_get(A).i32_add();
        code.local_get(B).i32_xor().i32_const(3).i32_rotl();
        code.local_get(A).i32_sub().local_get(B).i32_mul();
        code.local_set(first + (local - first + 1) % count);
    }
    code.local_get(first).br_if(0).end().local_get(A);
    for local in first..first + count {
        code.local_get(local).i32_add();
    }
}

fn one_table(body: &mut Body) {
    let count = body.bytes;
    let mut code = body.code();
    for _ in 0..8 {
        code.block(EMPTY);
    }
    code.local_get(A);
    code.br_table((0..count).map(|target| target as u32 % 8), 7);
    for number in 0..8 {
        code.end()
            .i32_const(number)
            .local_get(B)
            .i32_add()
            .local_set(B);
    }
    code.local_get(B);
}

fn switch(body: &mut Body) {
    let count = body.count(16);
    let mut code = body.code();
    for _ in 0..=count {
        code.block(EMPTY);
    }
    code.local_get(A).br_table(0..count, count).end();
    for number in 0..count {
        code.i32_const(number as i32).local_get(B).i32_add();
        code.local_set(B).br(count - number - 1).end();
    }
    code.local_get(B);
}

fn tables(body: &mut Body) {
    for _ in 0..64 {
        body.code().block(EMPTY);
    }
    body.fill(|code, number| {
        code.block(EMPTY)
            .local_get(A)
            .i32_const(number as i32)
            .i32_add();
        code.br_table(0..64, 0).end();
    });
    for _ in 0..64 {
        body.code().end().local_get(A).local_set(B);
    }
    body.code().local_get(B);
}

fn tables_with_locals(body: &mut Body) {
    for _ in 0..64 {
        body.code().block(EMPTY);
    }
    body.fill(|code, number| {
        code.local_get(A).i32_const(number as i32).i32_add();
        code.local_set(I32S + number % 32);
        code.block(EMPTY).local_get(I32S + number % 32);
        code.br_table(0..64, 0).end();
    });
    for _ in 0..64 {
        body.code().end().local_get(A).local_set(B);
    }
    body.code().local_get(B);
}

fn loads(body: &mut Body) {
    body.code().local_get(B);
    body.fill(|code, number| {
        code.local_get(A).i32_load(at(0, 4 * u64::from(number)));
        code.i32_add();
    });
}

fn stores(body: &mut Body) {
    body.fill(|code, number| {
        let offset = 4 * u64::from(number);
        code.local_get(A).local_get(B).i32_store(at(0, offset));
        if number % 3 == 0 {
            code.local_get(A).i32_load(at(0, offset / 2)).local_set(B);
        }
    });
    body.code().local_get(B);
}

fn checked(body: &mut Body) {
    body.fill(|code, number| {
        code.local_get(I64S + number % 32);
        code.local_get(I64S + number * 5 % 32);
        code.i64_load(at(1, number.into())).i64_store(at(1, 8));
        code.local_get(I64S).i64_const(8).i64_add();
        code.local_set(I64S + number * 3 % 32);
    });
    body.code().local_get(B);
}

fn globals(body: &mut Body) {
    body.fill(|code, number| {
        code.global_get(number % 8).local_get(A).i32_add();
        code.global_set(number * 3 % 8);
    });
    body.code().local_get(B);
}

fn references(body: &mut Body) {
    body.fill(|code, number| {
        code.local_get(A).i32_const(number as i32).i32_add();
        code.local_get(B).table_get(0).table_set(0);
        code.table_size(0).local_set(B);
    });
    body.code().local_get(B);
}

fn bulk(body: &mut Body) {
    body.fill(|code, number| {
        let bytes = 8 + number as i32 % 64;
        code.local_get(A)
            .local_get(B)
            .i32_const(bytes)
            .memory_copy(0, 0);
        code.local_get(A)
            .i32_const(0)
            .i32_const(bytes)
            .memory_fill(0);
        code.local_get(A).i32_const(bytes).i32_add().local_set(A);
    });
    body.code().local_get(B);
}

fn growth(body: &mut Body) {
    body.fill(|code, number| {
        code.memory_size(0)
            .memory_grow(0)
            .local_set(I32S + number % 32);
        code.local_get(A).i32_load(at(0, 16)).local_set(A);
    });
    body.code().local_get(A);
}

fn calls(body: &mut Body) {
    body.fill(|code, number| {
        code.local_get(I32S + number % 32);
        code.local_get(I32S + number * 5 % 32);
        code.call(funcs::MAIN).local_set(I32S + number * 3 % 32);
    });
    body.code().local_get(I32S);
}

fn calls_of_eight(body: &mut Body) {
    for local in 0..8 {
        body.code().local_get(local);
    }
    body.fill(|code, _| {
        code.call(funcs::EIGHT);
        code.i32_const(1).i32_add();
    });
    sum(&mut body.code(), 8);
}

fn calls_of_many(body: &mut Body) {
    body.code().local_get(A);
    body.fill(|code, _| {
        code.call(funcs::MANY);
        sum(code, MANY + 1);
    });
}

fn indirect(body: &mut Body) {
    body.code().local_get(A);
    body.fill(|code, number| {
        code.i32_const(number as i32 % 16);
        code.call_indirect(0, types::UNARY);
        code.local_get(B).i32_xor();
    });
}

fn inlined(body: &mut Body) {
    body.code().local_get(A);
    body.fill(|code, number| {
        let callees = [funcs::SMALL, funcs::TWICE, funcs::FOUR_TIMES];
        code.call(callees[number as usize % 3]);
    });
}

fn tail_calls(body: &mut Body) {
    body.fill(|code, number| {
        question(code, number);
        code.if_(EMPTY).local_get(B).i32_const(number as i32);
        code.return_call(funcs::MAIN).end();
    });
    body.code().local_get(B);
}

fn blocks_of_eight(body: &mut Body) {
    for local in 0..8 {
        body.code().local_get(local);
    }
    body.fill(|code, number| {
        if number % 2 == 0 {
            code.block(EIGHT);
        } else {
            code.loop_(EIGHT);
        }
        code.i32_const(number as i32).i32_add();
        question(code, number);
        code.br_if(0).local_set(I32S + 9).i32_add();
        code.local_get(I32S + 9).local_get(A).end();
    });
    sum(&mut body.code(), 8);
}

fn nulls(body: &mut Body) {
    body.code().block(EMPTY);
    body.fill(|code, number| {
        code.local_get(FUNC).br_on_null(0);
        match number % 2 {
            0 => code.ref_is_null().local_set(B),
            _ => code.drop(),
        };
        code.local_get(A).table_get(0).local_set(FUNC);
    });
    body.code().end().local_get(B);
}

/// The type of what the tag of number 0 carries.
const CAUGHT: BlockType = I32;

fn tries(body: &mut Body) {
    body.fill(|code, number| {
        code.block(CAUGHT);
        code.try_table(EMPTY, [Catch::One { tag: 0, label: 0 }]);
        code.local_get(A).i32_const(number as i32).call(funcs::MAIN);
        code.local_set(I32S + number % 32);
        code.end()
            .i32_const(0)
            .end()
            .local_set(I32S + number * 3 % 32);
    });
    body.code().local_get(I32S);
}

fn calls_in_try(body: &mut Body) {
    let mut code = body.code();
    code.block(CAUGHT).block(EMPTY);
    let clauses = [
        Catch::One { tag: 0, label: 1 },
        Catch::One { tag: 1, label: 0 },
        Catch::All { label: 0 },
    ];
    code.try_table(EMPTY, clauses);
    body.fill(|code, number| {
        code.local_get(A).local_get(B).call(funcs::MAIN);
        code.local_set(I32S + number % 32);
    });
    let mut code = body.code();
    code.end().end().local_get(I32S).end();
}

fn nested_tries(body: &mut Body) {
    let count = body.count(26);
    let mut code = body.code();
    for _ in 0..count {
        code.block(CAUGHT);
        code.try_table(EMPTY, [Catch::One { tag: 0, label: 0 }]);
    }
    for number in 0..count {
        code.local_get(A).i32_const(number as i32).call(funcs::MAIN);
        code.drop().end().i32_const(number as i32).end().drop();
    }
    code.local_get(B);
}

fn throws(body: &mut Body) {
    let mut code = body.code();
    code.block(CAUGHT);
    code.try_table(EMPTY, [Catch::One { tag: 0, label: 0 }]);
    body.fill(|code, number| {
        question(code, number);
        code.if_(EMPTY).i32_const(number as i32);
        code.throw(0).end();
        question(code, number + 1);
        code.if_(EMPTY).throw(1).end();
    });
    body.code().end().local_get(B).end();
}

fn unreachable(body: &mut Body) {
    body.fill(|code, number| {
        code.block(EMPTY).br(0);
        code.local_get(A)
            .i32_const(number as i32)
            .i32_add()
            .local_set(B);
        code.block(EMPTY).end().end();
        question(code, number);
        code.if_(EMPTY).unreachable().end();
    });
    body.code().local_get(B);
}
