//! Rings of modules that call each other until the stack ends.
//!
//! Function *i* calls function *i - 1*, the first one the last: by import, by table, by way of the
//! host, by tail calls, with few and many parameters and locals. Nothing happens before the stack
//! has ended, so that the depth at which it does, which tiers decide differently, is not seen.

use super::world::some_types;
use fastrand::Rng;
use std::borrow::Cow;
use wasm_encoder::Instruction as I;
use wasm_encoder::{
    BlockType, Catch, CodeSection, ConstExpr, ElementSection, Elements, EntityType, ExportKind,
    ExportSection, Function, FunctionSection, GlobalSection, ImportSection, Module, TableSection,
    TypeSection, ValType,
};

/// The name of the recursive functions.
pub const OVER: &str = "over";

/// The name of the table that holds them.
pub const RING: &str = "ring";

/// The name of the host function that calls element *i* of the caller's ring is this and *i*.
pub const AGAIN: &str = "again";

/// The modules of a ring, the first of which becomes instance `first`.
pub(super) fn generate(rng: &mut Rng, vectors: bool, first: usize) -> Vec<Vec<u8>> {
    let count = rng.usize(1..=3);
    let types = some_types(vectors);
    let params: Vec<Vec<ValType>> = (0..count)
        .map(|_| {
            let most = [0, 3, 12, 40][rng.usize(..4)];
            (0..rng.usize(..=most))
                .map(|_| types[rng.usize(..types.len())])
                .collect()
        })
        .collect();
    let results: Vec<ValType> = (0..rng.usize(..3))
        .map(|_| types[rng.usize(..types.len())])
        .collect();
    (0..count)
        .map(|at| module(rng, &params, &results, at, first))
        .collect()
}

/// One module. Function 0 is the host's, function 1 the one before it in the ring, if it has one.
fn module(
    rng: &mut Rng,
    params: &[Vec<ValType>],
    results: &[ValType],
    at: usize,
    first: usize,
) -> Vec<u8> {
    let next = (at + params.len() - 1) % params.len();
    let mut types = TypeSection::new();
    for index in [at, next] {
        types
            .ty()
            .function(params[index].iter().copied(), results.iter().copied());
    }
    let mut imports = ImportSection::new();
    imports.import("host", &format!("{AGAIN}{next}"), EntityType::Function(1));
    let before = format!("w{}", (first + at).saturating_sub(1));
    let table = super::function_table(params.len() as u32);
    let mut tables = TableSection::new();
    if at == 0 {
        tables.table(table);
    } else {
        imports.import(&before, OVER, EntityType::Function(1));
        imports.import(&before, RING, table);
    }
    let own = if at == 0 { 1 } else { 2 };
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut globals = GlobalSection::new();
    globals.global(super::global_type(ValType::I32), &ConstExpr::i32_const(0));
    let mut exports = ExportSection::new();
    exports.export(OVER, ExportKind::Func, own);
    exports.export(RING, ExportKind::Table, 0);
    exports.export("sink", ExportKind::Global, 0);
    let mut elements = ElementSection::new();
    let slot = ConstExpr::i32_const(at as i32);
    elements.active(None, &slot, Elements::Functions(Cow::Owned(vec![own])));
    let mut code = CodeSection::new();
    code.function(&body(rng, &params[at], &params[next], results, at, next));
    let mut module = Module::new();
    module
        .section(&types)
        .section(&imports)
        .section(&functions)
        .section(&tables)
        .section(&globals)
        .section(&exports)
        .section(&elements)
        .section(&code);
    module.finish()
}

fn zero(ty: ValType) -> I<'static> {
    match ty {
        ValType::I64 => I::I64Const(0),
        ValType::F32 => I::F32Const(0.0.into()),
        ValType::F64 => I::F64Const(0.0.into()),
        ValType::V128 => I::V128Const(0),
        _ => I::I32Const(0),
    }
}

fn body(
    rng: &mut Rng,
    params: &[ValType],
    next_params: &[ValType],
    results: &[ValType],
    at: usize,
    next: usize,
) -> Function {
    // Locals that live across the call make the frame large.
    let locals = [0, 0, 6, 200][rng.usize(..4)];
    let mut function = Function::new([(locals, ValType::I32)]);
    let first = params.len() as u32;
    let mut emit = |instruction: I<'_>| {
        function.instruction(&instruction);
    };
    for local in first..first + locals {
        emit(I::GlobalGet(0));
        emit(I::LocalSet(local));
    }
    // One call in the ring is no tail call, or the stack would not end.
    let is_tail = at != 0 && rng.bool();
    let is_caught = !is_tail && rng.u8(..3) == 0;
    if is_caught {
        emit(I::Block(BlockType::Empty));
        let catches = vec![Catch::All { label: 0 }];
        emit(I::TryTable(BlockType::Empty, Cow::Owned(catches)));
    }
    for &ty in next_params {
        let same = params.iter().position(|other| *other == ty);
        match same {
            Some(param) if rng.bool() => emit(I::LocalGet(param as u32)),
            _ => emit(zero(ty)),
        }
    }
    let (type_index, table_index) = (1, 0);
    match (rng.u8(..4), is_tail) {
        (0, false) => emit(I::Call(0)),
        (0, true) => emit(I::ReturnCall(0)),
        (1, false) if at != 0 || next == at => emit(I::Call(1)),
        (1, true) => emit(I::ReturnCall(1)),
        (_, is_tail) => {
            emit(I::I32Const(next as i32));
            emit(if is_tail {
                I::ReturnCallIndirect {
                    type_index,
                    table_index,
                }
            } else {
                I::CallIndirect {
                    type_index,
                    table_index,
                }
            });
        }
    }
    if !is_tail {
        if is_caught {
            for _ in results {
                emit(I::Drop);
            }
            emit(I::End);
            emit(I::End);
            for &ty in results {
                emit(zero(ty));
            }
        }
        for local in first..first + locals {
            emit(I::LocalGet(local));
            emit(I::GlobalSet(0));
        }
    }
    emit(I::End);
    function
}
