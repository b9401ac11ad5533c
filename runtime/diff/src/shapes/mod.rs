//! Modules of our own making: the shapes in which compilers go wrong.
//!
//! Many values live across merges, loops and calls; branches that wait for comparisons; blocks with
//! parameters; long argument lists with vectors among them; accesses at the ends of memories;
//! divisions and shifts by edge constants; loops that copy and fill memory, and loops that count.
//! Every function, and every loop that has no counter of its own, counts fuel in the exported global
//! [`FUEL`], so that everything ends.

mod access;
mod body;
mod bulk_loop;
mod counted_loop;
mod ops;

use body::Body;
use fastrand::Rng;
use std::borrow::Cow;
use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, ElementSection, Elements, EntityType, ExportKind,
    ExportSection, FunctionSection, GlobalSection, GlobalType, ImportSection, MemorySection,
    MemoryType, Module, RefType, TableSection, TableType, TagKind, TagSection, TagType,
    TypeSection, ValType,
};

/// The name of the global that counts down; it may be set before a call.
pub const FUEL: &str = "fuel";

/// Calls and loop iterations that a call from outside has.
pub const FUEL_PER_CALL: i32 = 60;

type Signature = (Vec<ValType>, Vec<ValType>);

/// What function bodies may use.
struct Shape {
    /// By type index; block types are added as they come up.
    types: Vec<Signature>,
    /// The type index of each function, imported ones first.
    funcs: Vec<u32>,
    imported_funcs: u32,
    globals: Vec<ValType>,
    /// The index of the global that counts down.
    fuel: u32,
    memories: Vec<MemoryType>,
    /// The type indices of tags.
    tags: Vec<u32>,
    /// Elements of table 0; function *i* is its element *i* where `is_hole` does not say null.
    table_size: u32,
    vectors: bool,
    references: bool,
}

impl Shape {
    fn type_index(&mut self, signature: Signature) -> u32 {
        let at = self.types.iter().position(|ty| *ty == signature);
        at.unwrap_or_else(|| {
            self.types.push(signature);
            self.types.len() - 1
        }) as u32
    }

    fn signature(&self, func: u32) -> &Signature {
        &self.types[self.funcs[func as usize] as usize]
    }

    fn random_type(&self, rng: &mut Rng) -> ValType {
        match rng.u8(..24) {
            0..=9 => ValType::I32,
            10..=14 => ValType::I64,
            15..=16 => ValType::F32,
            17..=19 => ValType::F64,
            20..=22 if self.vectors => ValType::V128,
            23 if self.references => ValType::FUNCREF,
            _ => ValType::I32,
        }
    }

    fn random_types(&self, rng: &mut Rng, most: usize) -> Vec<ValType> {
        let count = rng.usize(..=most);
        (0..count).map(|_| self.random_type(rng)).collect()
    }
}

/// A module.
pub fn generate(rng: &mut Rng) -> Vec<u8> {
    let mut shape = outline(rng);
    let defined = shape.imported_funcs..shape.funcs.len() as u32;
    let mut code = CodeSection::new();
    for func in defined {
        code.function(&Body::generate(rng, &mut shape, func));
    }
    encode(rng, &shape, &code)
}

/// Everything but the bodies.
fn outline(rng: &mut Rng) -> Shape {
    let mut shape = Shape {
        types: Vec::new(),
        funcs: Vec::new(),
        imported_funcs: u32::from(rng.u8(..3) == 0),
        globals: Vec::new(),
        fuel: 0,
        memories: Vec::new(),
        tags: Vec::new(),
        table_size: 0,
        vectors: rng.bool(),
        references: rng.u8(..4) == 0,
    };
    for _ in 0..rng.usize(2..=7) + shape.imported_funcs as usize {
        let most = [2, 5, 12, 24][rng.usize(..4)];
        let params = shape.random_types(rng, most);
        let most = [1, 1, 2, 8][rng.usize(..4)];
        let results = shape.random_types(rng, most);
        let ty = shape.type_index((params, results));
        shape.funcs.push(ty);
    }
    for _ in 0..rng.usize(..5) {
        let ty = shape.random_type(rng);
        shape.globals.push(ty);
    }
    shape.fuel = shape.globals.len() as u32;
    for _ in 0..[1, 1, 2][rng.usize(..3)] {
        shape.memories.push(MemoryType {
            minimum: rng.u64(0..=2),
            maximum: rng.bool().then_some(4),
            memory64: rng.u8(..4) == 0,
            shared: false,
            page_size_log2: None,
        });
    }
    for _ in 0..[0, 1, 2, 3][rng.usize(..4)] {
        let payload = shape.random_types(rng, 3);
        let ty = shape.type_index((payload, Vec::new()));
        shape.tags.push(ty);
    }
    shape.table_size = shape.funcs.len() as u32 + 2;
    shape
}

fn encode(rng: &mut Rng, shape: &Shape, code: &CodeSection) -> Vec<u8> {
    let mut types = TypeSection::new();
    for (params, results) in &shape.types {
        let (params, results) = (params.iter().copied(), results.iter().copied());
        types.ty().function(params, results);
    }
    let mut imports = ImportSection::new();
    let mut functions = FunctionSection::new();
    let mut exports = ExportSection::new();
    for (func, &ty) in (0..).zip(&shape.funcs) {
        if func < shape.imported_funcs {
            imports.import("host", "f", EntityType::Function(ty));
        } else {
            functions.function(ty);
            exports.export(&format!("f{func}"), ExportKind::Func, func);
        }
    }
    let mut tables = TableSection::new();
    tables.table(TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: u64::from(shape.table_size),
        maximum: None,
        shared: false,
    });
    exports.export("table", ExportKind::Table, 0);
    let mut memories = MemorySection::new();
    for (index, &memory) in (0..).zip(&shape.memories) {
        memories.memory(memory);
        exports.export(&format!("m{index}"), ExportKind::Memory, index);
    }
    let mut tags = TagSection::new();
    for &ty in &shape.tags {
        tags.tag(TagType {
            kind: TagKind::Exception,
            func_type_idx: ty,
        });
    }
    let mut globals = GlobalSection::new();
    for (index, &ty) in (0..).zip(&shape.globals) {
        globals.global(global_type(ty), &body::constant_expression(rng, ty));
        exports.export(&format!("g{index}"), ExportKind::Global, index);
    }
    globals.global(
        global_type(ValType::I32),
        &ConstExpr::i32_const(FUEL_PER_CALL),
    );
    exports.export(FUEL, ExportKind::Global, shape.fuel);
    let mut elements = ElementSection::new();
    let all: Vec<u32> = (0..shape.funcs.len() as u32).collect();
    let all = Elements::Functions(Cow::Owned(all));
    elements.active(None, &ConstExpr::i32_const(0), all);
    let mut data = DataSection::new();
    for (index, memory) in (0..).zip(&shape.memories) {
        if memory.minimum > 0 {
            let start = if memory.memory64 {
                ConstExpr::i64_const(0)
            } else {
                ConstExpr::i32_const(0)
            };
            data.active(index, &start, (0..64).map(|_| rng.u8(..)));
        }
    }
    let mut module = Module::new();
    module
        .section(&types)
        .section(&imports)
        .section(&functions)
        .section(&tables)
        .section(&memories)
        .section(&tags)
        .section(&globals)
        .section(&exports)
        .section(&elements)
        .section(code)
        .section(&data);
    module.finish()
}

fn global_type(val_type: ValType) -> GlobalType {
    GlobalType {
        val_type,
        mutable: true,
        shared: false,
    }
}
