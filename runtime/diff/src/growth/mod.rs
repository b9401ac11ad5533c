//! Functions of one shape each, as large as one likes: compilers must take time in proportion.
//!
//! Each shape repeats something that a step of compilation could look at again for every other one:
//! values alive at once, branches to one label, targets of tables, constructs in each other. The
//! bodies are valid and do nothing worth running; [`measure`] times what becomes of them.

pub mod measure;
mod shapes;

pub use shapes::SHAPES;

use wasm_encoder::{
    CodeSection, ElementSection, Elements, ExportKind, ExportSection, Function, FunctionSection,
    GlobalSection, GlobalType, InstructionSink, MemorySection, MemoryType, Module, RefType,
    TableSection, TableType, TagKind, TagSection, TagType, TypeSection, ValType,
};

/// Results of the function that has most, which is as many as engines allow.
pub const MANY: u32 = 1000;

/// Locals of each type that every body has beside its own: `i32` from 2 on, `i64` from 34,
/// `f64` from 66, `v128` from 98, and a function reference.
const LOCALS: [(u32, ValType); 5] = [
    (32, ValType::I32),
    (32, ValType::I64),
    (32, ValType::F64),
    (32, ValType::V128),
    (1, ValType::FUNCREF),
];

/// Numbers of types.
mod types {
    pub(super) const MAIN: u32 = 0;
    pub(super) const NOTHING: u32 = 1;
    pub(super) const UNARY: u32 = 2;
    pub(super) const EIGHT: u32 = 3;
    pub(super) const MANY: u32 = 4;
    pub(super) const TAG: u32 = 5;
}

/// Numbers of functions.
mod funcs {
    pub(super) const NOTHING: u32 = 0;
    /// Small enough to be inlined.
    pub(super) const SMALL: u32 = 1;
    pub(super) const EIGHT: u32 = 2;
    pub(super) const MANY: u32 = 3;
    /// Calls the small one twice.
    pub(super) const TWICE: u32 = 4;
    /// Calls the one before twice.
    pub(super) const FOUR_TIMES: u32 = 5;
    pub(super) const MAIN: u32 = 6;
}

/// A shape.
#[derive(Clone, Copy)]
pub struct Shape {
    /// What is there often.
    pub name: &'static str,
    make: fn(&mut Body),
}

impl Shape {
    /// A module whose largest body has about so many bytes.
    #[must_use]
    pub fn module(&self, bytes: usize) -> Vec<u8> {
        let mut body = Body {
            bytes,
            own: Vec::new(),
            code: Vec::new(),
        };
        (self.make)(&mut body);
        module(body)
    }
}

/// The body of a function `[i32 i32] -> [i32]` that is being written.
struct Body {
    /// How large it is to become.
    bytes: usize,
    /// Locals of this shape, which come behind [`LOCALS`].
    own: Vec<(u32, ValType)>,
    code: Vec<u8>,
}

impl Body {
    fn code(&mut self) -> InstructionSink<'_> {
        InstructionSink::new(&mut self.code)
    }

    /// The first of so many locals more.
    fn locals(&mut self, count: u32, ty: ValType) -> u32 {
        let before = LOCALS.iter().chain(&self.own).map(|group| group.0);
        let first = 2 + before.sum::<u32>();
        self.own.push((count, ty));
        first
    }

    /// Writes parts, which are given their numbers, until there are as many bytes as wanted.
    fn fill(&mut self, mut part: impl FnMut(&mut InstructionSink<'_>, u32)) -> u32 {
        let mut number = 0;
        while self.code.len() < self.bytes {
            part(&mut InstructionSink::new(&mut self.code), number);
            number += 1;
        }
        number
    }

    /// How many of something that takes so many bytes there may be.
    fn count(&self, bytes_each: usize) -> u32 {
        (self.bytes / bytes_each).max(1) as u32
    }
}

fn module(body: Body) -> Vec<u8> {
    use ValType::I32;
    let mut types = TypeSection::new();
    types.ty().function([I32; 2], [I32]);
    types.ty().function([], []);
    types.ty().function([I32], [I32]);
    types.ty().function([I32; 8], [I32; 8]);
    types.ty().function([], [I32; MANY as usize]);
    types.ty().function([I32], []);

    let mut code = CodeSection::new();
    let mut signatures = FunctionSection::new();
    let mut add = |ty: u32, locals: Vec<(u32, ValType)>, bytes: &[u8]| {
        signatures.function(ty);
        let mut function = Function::new(locals);
        function.raw(bytes.iter().copied());
        function.instructions().end();
        code.function(&function);
    };
    let written = |write: &dyn Fn(&mut InstructionSink<'_>)| {
        let mut bytes = Vec::new();
        write(&mut InstructionSink::new(&mut bytes));
        bytes
    };
    add(types::NOTHING, vec![], &[]);
    let small = written(&|code| {
        code.local_get(0).i32_const(3).i32_mul();
    });
    add(types::UNARY, vec![], &small);
    let eight = written(&|code| {
        (1..8).chain([0]).for_each(|local| {
            code.local_get(local);
        });
    });
    add(types::EIGHT, vec![], &eight);
    let many = written(&|code| {
        (0..MANY as i32).for_each(|value| {
            code.i32_const(value);
        });
    });
    add(types::MANY, vec![], &many);
    for callee in [funcs::SMALL, funcs::TWICE] {
        let twice = written(&|code| {
            code.local_get(0).call(callee).call(callee);
        });
        add(types::UNARY, vec![], &twice);
    }
    let locals = LOCALS.iter().chain(&body.own).copied().collect();
    add(types::MAIN, locals, &body.code);

    let mut memories = MemorySection::new();
    for memory64 in [false, true] {
        memories.memory(MemoryType {
            minimum: 1,
            maximum: None,
            memory64,
            shared: false,
            page_size_log2: None,
        });
    }
    let mut tables = TableSection::new();
    tables.table(TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum: 16,
        maximum: None,
        shared: false,
    });
    let mut elements = ElementSection::new();
    let offset = wasm_encoder::ConstExpr::i32_const(0);
    let in_table = [funcs::SMALL, funcs::NOTHING, funcs::EIGHT];
    elements.active(None, &offset, Elements::Functions(in_table[..].into()));
    let mut globals = GlobalSection::new();
    for _ in 0..8 {
        let ty = GlobalType {
            val_type: I32,
            mutable: true,
            shared: false,
        };
        globals.global(ty, &wasm_encoder::ConstExpr::i32_const(1));
    }
    let mut tags = TagSection::new();
    for func_type_idx in [types::TAG, types::NOTHING] {
        tags.tag(TagType {
            kind: TagKind::Exception,
            func_type_idx,
        });
    }
    let mut exports = ExportSection::new();
    exports.export("main", ExportKind::Func, funcs::MAIN);

    let mut module = Module::new();
    module
        .section(&types)
        .section(&signatures)
        .section(&tables)
        .section(&memories)
        .section(&tags)
        .section(&globals)
        .section(&exports)
        .section(&elements)
        .section(&code);
    module.finish()
}
