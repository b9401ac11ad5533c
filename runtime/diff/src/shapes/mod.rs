//! Modules of our own making: the shapes in which compilers go wrong.
//!
//! Many values live across merges, loops and calls; branches that wait for comparisons; blocks with
//! parameters; long argument lists with vectors among them; accesses at the ends of memories;
//! divisions and shifts by edge constants; loops that copy and fill memory, and loops that count.
//! Every function, and every loop that has no counter of its own, counts fuel in the exported global
//! [`FUEL`], so that everything ends.

mod access;
mod atomics;
mod body;
mod bulk_loop;
mod counted_loop;
mod ops;
pub mod recursion;
pub mod world;

use body::Body;
use fastrand::Rng;
use std::borrow::Cow;
use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, ElementSection, Elements, EntityType, ExportKind,
    ExportSection, FunctionSection, GlobalSection, GlobalType, HeapType, ImportSection,
    MemorySection, MemoryType, Module, NameMap, NameSection, RefType, TableSection, TableType,
    TagKind, TagSection, TagType, TypeSection, ValType,
};

/// The name of the global that counts down; it may be set before a call.
pub const FUEL: &str = "fuel";

/// Calls and loop iterations that a call from outside has.
pub const FUEL_PER_CALL: i32 = 60;

/// Memories of this many bytes are looked at in places only.
const GROWN_BYTES: u64 = 1 << 32;

/// What marks a small memory that may grow beyond 4 GiB, as its maximum.
const GROWN_PAGES: u64 = 0x1_0011;

type Signature = (Vec<ValType>, Vec<ValType>);

/// What a world counts, by the index of an imported global.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Not an event: calls and iterations left. See [`FUEL`].
    Fuel,
    /// Not an event: the instance whose function was entered last.
    LastInstance,
    /// A function was entered after one of another instance.
    Crossed,
    /// A host function was called by a tail call.
    HostTailCalled,
    /// A loop began close to where its 32-bit index into a 64-bit memory wraps.
    Wrapped,
}

impl Event {
    /// The names of the globals, in the order of their indices.
    pub const NAMES: [&str; 5] = [FUEL, "last", "crossed", "tailed", "wrapped"];
}

/// Where an import comes from: a module's name and its export's.
type Origin = (String, String);

/// What is imported, in the order of the indices.
#[derive(Default)]
struct Origins {
    funcs: Vec<Origin>,
    table: Option<Origin>,
    memories: Vec<Origin>,
    /// With the type index.
    references: Vec<(Origin, u32)>,
    globals: Vec<Origin>,
    tags: Vec<Origin>,
}

/// What a module has beside others of a world.
struct Place {
    /// The number of its instance.
    id: u32,
    /// The types of the shared table's elements, and whether they are host functions.
    slots: Vec<(u32, bool)>,
    /// Where its own functions start there.
    first_slot: u32,
    /// Globals with a reference to a function, and its type.
    references: Vec<(u32, u32)>,
    /// The functions that references of its own are to.
    referred: Vec<u32>,
}

/// What function bodies may use.
struct Shape {
    /// By type index; block types are added as they come up.
    types: Vec<Signature>,
    /// The type index of each function, imported ones first.
    funcs: Vec<u32>,
    /// Whether a function is the host's, if only by way of other instances.
    is_host: Vec<bool>,
    origins: Origins,
    /// The types of globals that bodies use, from `first_global`.
    globals: Vec<ValType>,
    first_global: u32,
    /// The index of the global that counts down.
    fuel: u32,
    memories: Vec<MemoryType>,
    /// The type indices of tags.
    tags: Vec<u32>,
    /// Elements of table 0; of a module alone, function *i* is element *i*.
    table_size: u32,
    vectors: bool,
    references: bool,
    place: Option<Place>,
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

    fn imported_funcs(&self) -> u32 {
        self.origins.funcs.len() as u32
    }

    /// Where accesses to a memory of 4 GiB and more are worth trying.
    fn edges(&self, memory: u32) -> Option<[u64; 5]> {
        let ty = self.memories[memory as usize];
        let end = ty.minimum << 16;
        (end >= GROWN_BYTES || ty.maximum == Some(GROWN_PAGES)).then_some([
            0,
            1 << 32,
            1 << 32,
            1 << 31,
            end,
        ])
    }

    /// Whether there is such a memory.
    fn is_vast(&self) -> bool {
        (0..self.memories.len() as u32).any(|memory| self.edges(memory).is_some())
    }

    fn random_types(&self, rng: &mut Rng, most: usize) -> Vec<ValType> {
        let count = rng.usize(..=most);
        (0..count).map(|_| self.random_type(rng)).collect()
    }
}

/// A module.
pub fn generate(rng: &mut Rng) -> Vec<u8> {
    let mut shape = outline(rng);
    finish(rng, &mut shape)
}

/// The bodies, and the whole.
fn finish(rng: &mut Rng, shape: &mut Shape) -> Vec<u8> {
    let defined = shape.imported_funcs()..shape.funcs.len() as u32;
    let mut code = CodeSection::new();
    for func in defined {
        code.function(&Body::generate(rng, shape, func));
    }
    encode(rng, shape, &code)
}

/// Everything but the bodies.
fn outline(rng: &mut Rng) -> Shape {
    let is_importing = rng.u8(..3) == 0;
    let mut shape = Shape::new(rng.bool(), rng.u8(..4) == 0);
    if is_importing {
        let origin = ("host".to_owned(), "f".to_owned());
        shape.origins.funcs.push(origin);
    }
    for index in 0..rng.usize(2..=7) + usize::from(is_importing) {
        let most = [2, 5, 12, 24][rng.usize(..4)];
        let params = shape.random_types(rng, most);
        let most = [1, 1, 2, 8][rng.usize(..4)];
        let results = shape.random_types(rng, most);
        let ty = shape.type_index((params, results));
        shape.funcs.push(ty);
        shape.is_host.push(is_importing && index == 0);
    }
    for _ in 0..rng.usize(..5) {
        let ty = shape.random_type(rng);
        shape.globals.push(ty);
    }
    shape.fuel = shape.globals.len() as u32;
    for _ in 0..[1, 1, 2][rng.usize(..3)] {
        shape.memories.push(small_memory(rng));
    }
    for _ in 0..[0, 1, 2, 3][rng.usize(..4)] {
        let payload = shape.random_types(rng, 3);
        let ty = shape.type_index((payload, Vec::new()));
        shape.tags.push(ty);
    }
    shape.table_size = shape.funcs.len() as u32 + 2;
    shape
}

impl Shape {
    fn new(vectors: bool, references: bool) -> Shape {
        Shape {
            types: Vec::new(),
            funcs: Vec::new(),
            is_host: Vec::new(),
            origins: Origins::default(),
            globals: Vec::new(),
            first_global: 0,
            fuel: 0,
            memories: Vec::new(),
            tags: Vec::new(),
            table_size: 0,
            vectors,
            references,
            place: None,
        }
    }
}

fn small_memory(rng: &mut Rng) -> MemoryType {
    MemoryType {
        minimum: rng.u64(0..=2),
        maximum: rng.bool().then_some(4),
        memory64: rng.u8(..4) == 0,
        shared: false,
        page_size_log2: None,
    }
}

fn function_table(minimum: u32) -> TableType {
    TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: u64::from(minimum),
        maximum: None,
        shared: false,
    }
}

fn reference_to(ty: u32) -> GlobalType {
    GlobalType {
        val_type: ValType::Ref(RefType {
            nullable: true,
            heap_type: HeapType::Concrete(ty),
        }),
        mutable: false,
        shared: false,
    }
}

fn tag_type(func_type_idx: u32) -> TagType {
    TagType {
        kind: TagKind::Exception,
        func_type_idx,
    }
}

fn import_section(shape: &Shape) -> ImportSection {
    let mut imports = ImportSection::new();
    let origins = &shape.origins;
    let mut import = |(module, name): &Origin, ty: EntityType| {
        imports.import(module, name, ty);
    };
    for (origin, &ty) in origins.funcs.iter().zip(&shape.funcs) {
        import(origin, EntityType::Function(ty));
    }
    if let Some(origin) = &origins.table {
        import(origin, function_table(shape.table_size).into());
    }
    for (origin, &ty) in origins.memories.iter().zip(&shape.memories) {
        import(origin, ty.into());
    }
    if shape.place.is_some() {
        for name in Event::NAMES {
            let origin = ("host".to_owned(), name.to_owned());
            import(&origin, global_type(ValType::I32).into());
        }
    }
    for (origin, ty) in &origins.references {
        import(origin, reference_to(*ty).into());
    }
    for (origin, &ty) in origins.globals.iter().zip(&shape.globals) {
        import(origin, global_type(ty).into());
    }
    for (origin, &ty) in origins.tags.iter().zip(&shape.tags) {
        import(origin, tag_type(ty).into());
    }
    imports
}

fn encode(rng: &mut Rng, shape: &Shape, code: &CodeSection) -> Vec<u8> {
    let origins = &shape.origins;
    let mut types = TypeSection::new();
    for (params, results) in &shape.types {
        let (params, results) = (params.iter().copied(), results.iter().copied());
        types.ty().function(params, results);
    }
    let mut functions = FunctionSection::new();
    let mut exports = ExportSection::new();
    for (func, &ty) in (0..).zip(&shape.funcs) {
        let is_import = func < shape.imported_funcs();
        if !is_import {
            functions.function(ty);
        }
        if !is_import || shape.place.is_some() {
            exports.export(&format!("f{func}"), ExportKind::Func, func);
        }
    }
    let mut tables = TableSection::new();
    if origins.table.is_none() {
        tables.table(function_table(shape.table_size));
    }
    exports.export("table", ExportKind::Table, 0);
    let mut memories = MemorySection::new();
    for (index, &memory) in (0..).zip(&shape.memories) {
        if index as usize >= origins.memories.len() {
            memories.memory(memory);
        }
        exports.export(&format!("m{index}"), ExportKind::Memory, index);
    }
    let mut tags = TagSection::new();
    for (index, &ty) in (0..).zip(&shape.tags) {
        if index as usize >= origins.tags.len() {
            tags.tag(tag_type(ty));
        }
        if shape.place.is_some() {
            exports.export(&format!("t{index}"), ExportKind::Tag, index);
        }
    }
    let mut globals = GlobalSection::new();
    for (index, &ty) in (0..).zip(&shape.globals) {
        if index as usize >= origins.globals.len() {
            globals.global(global_type(ty), &body::constant_expression(rng, ty));
        }
        let global = shape.first_global + index;
        exports.export(&format!("g{index}"), ExportKind::Global, global);
    }
    let mut elements = ElementSection::new();
    let all: Vec<u32> = (0..shape.funcs.len() as u32).collect();
    let all = Elements::Functions(Cow::Owned(all));
    match &shape.place {
        None => {
            globals.global(
                global_type(ValType::I32),
                &ConstExpr::i32_const(FUEL_PER_CALL),
            );
            exports.export(FUEL, ExportKind::Global, shape.fuel);
            elements.active(None, &ConstExpr::i32_const(0), all);
        }
        Some(place) => {
            for (index, &(global, ty)) in (0..).zip(&place.references) {
                let own = (index as usize).checked_sub(origins.references.len());
                if let Some(own) = own {
                    let referred = ConstExpr::ref_func(place.referred[own]);
                    globals.global(reference_to(ty), &referred);
                }
                exports.export(&format!("r{index}"), ExportKind::Global, global);
            }
            globals.global(
                GlobalType {
                    mutable: false,
                    ..global_type(ValType::I32)
                },
                &ConstExpr::i32_const(place.id as i32),
            );
            let id = shape.first_global + (shape.globals.len() + place.referred.len()) as u32;
            exports.export(world::ID, ExportKind::Global, id);
            tables.table(function_table(shape.table_size));
            exports.export("own", ExportKind::Table, 1);
            let first = ConstExpr::i32_const(place.first_slot as i32);
            elements.active(None, &first, all.clone());
            elements.active(Some(1), &ConstExpr::i32_const(0), all);
        }
    }
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
        .section(&import_section(shape))
        .section(&functions)
        .section(&tables)
        .section(&memories)
        .section(&tags)
        .section(&globals)
        .section(&exports)
        .section(&elements)
        .section(code)
        .section(&data);
    if let Some(place) = &shape.place {
        module.section(&name_section(place.id, shape.funcs.len() as u32));
    }
    module.finish()
}

/// Names that tell functions of different instances apart in backtraces.
fn name_section(instance: u32, functions: u32) -> NameSection {
    let mut names = NameMap::new();
    for func in 0..functions {
        names.append(func, &format!("w{instance}.f{func}"));
    }
    let mut section = NameSection::new();
    section.functions(&names);
    section
}

fn global_type(val_type: ValType) -> GlobalType {
    GlobalType {
        val_type,
        mutable: true,
        shared: false,
    }
}
