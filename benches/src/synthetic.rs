//! A module of many functions of mixed size, the same on every call: arithmetic on two widths,
//! memory, branches, loops and calls, in the proportions of no particular program.
//!
//! Every function is exported and returns at once when its first parameter is zero, so that a host
//! can have all of them translated without running them. They also end when it is not zero: loops
//! count down, and calls pass a zero.

use wasm_encoder::{
    BlockType, CodeSection, ExportKind, ExportSection, Function, FunctionSection, InstructionSink,
    MemArg, MemArgTarget, MemorySection, MemoryType, Module, TypeSection, ValType,
};

/// Parameters 0 and 1, then four locals of which the last counts a loop down.
const LOCALS: u32 = 5;
const COUNTER: u32 = 5;
const WIDE: u32 = 6;

/// A module with this many functions, each of type `(i32, i32) -> i32`, about 160 bytes long and
/// exported under its index.
pub fn synthetic_module(functions: u32) -> Vec<u8> {
    let mut types = TypeSection::new();
    types
        .ty()
        .function([ValType::I32, ValType::I32], [ValType::I32]);
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: 1,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut declared = FunctionSection::new();
    let mut exports = ExportSection::new();
    let mut code = CodeSection::new();
    let mut random = Random(functions.into());
    for index in 0..functions {
        declared.function(0);
        exports.export(&index.to_string(), ExportKind::Func, index);
        let mut function = Function::new([(4, ValType::I32), (1, ValType::I64)]);
        let callee = index + 1 + random.below(functions - index);
        let mut body = Body {
            sink: function.instructions(),
            random: &mut random,
        };
        body.whole((callee < functions).then_some(callee));
        code.function(&function);
    }
    let mut module = Module::new();
    module
        .section(&types)
        .section(&declared)
        .section(&memories)
        .section(&exports)
        .section(&code);
    module.finish()
}

/// Knuth's MMIX generator; its high bits are good enough for shapes.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(bound)) as u32
    }
}

struct Body<'a> {
    sink: InstructionSink<'a>,
    random: &'a mut Random,
}

impl Body<'_> {
    fn whole(&mut self, callee: Option<u32>) {
        self.sink.local_get(0).i32_eqz().if_(BlockType::Empty);
        self.sink.local_get(1).return_().end();
        for _ in 0..1 + self.random.below(8) {
            self.statement(2);
        }
        if let Some(callee) = callee {
            self.sink.i32_const(0);
            self.expression(1);
            self.sink.call(callee).local_set(2);
        }
        self.sink.local_get(2).local_get(WIDE).i32_wrap_i64();
        self.sink.i32_xor().end();
    }

    fn statement(&mut self, depth: u32) {
        match self.random.below(6) {
            0 if depth > 0 => {
                self.expression(1);
                self.sink.if_(BlockType::Empty);
                self.statement(depth - 1);
                self.sink.else_();
                self.statement(depth - 1);
                self.sink.end();
            }
            1 if depth > 0 => {
                let times = 1 + self.random.below(7);
                self.sink.i32_const(times.cast_signed()).local_set(COUNTER);
                self.sink.loop_(BlockType::Empty);
                self.statement(0);
                self.sink.local_get(COUNTER).i32_const(1).i32_sub();
                self.sink.local_tee(COUNTER).br_if(0).end();
            }
            2 => {
                self.address();
                self.expression(1);
                self.sink.i32_store(word());
            }
            3 => {
                self.sink.local_get(WIDE);
                self.expression(1);
                self.sink.i64_extend_i32_u().i64_mul().local_set(WIDE);
            }
            _ => {
                self.expression(2);
                let local = self.random.below(LOCALS);
                self.sink.local_set(local);
            }
        }
    }

    /// Leaves an `i32`.
    fn expression(&mut self, depth: u32) {
        match self.random.below(8) {
            0 if depth > 0 => {
                self.address();
                self.sink.i32_load(word());
            }
            1 if depth > 0 => {
                for _ in 0..3 {
                    self.expression(depth - 1);
                }
                self.sink.select();
            }
            _ if depth > 0 => {
                self.expression(depth - 1);
                self.expression(depth - 1);
                match self.random.below(8) {
                    0 => self.sink.i32_add(),
                    1 => self.sink.i32_sub(),
                    2 => self.sink.i32_mul(),
                    3 => self.sink.i32_and(),
                    4 => self.sink.i32_xor(),
                    5 => self.sink.i32_shl(),
                    6 => self.sink.i32_rotl(),
                    _ => self.sink.i32_lt_u(),
                };
            }
            0..=2 => {
                let value = self.random.below(100_000);
                self.sink.i32_const(value.cast_signed());
            }
            _ => {
                let local = self.random.below(LOCALS);
                self.sink.local_get(local);
            }
        }
    }

    /// Leaves the address of a word inside the memory's only page.
    fn address(&mut self) {
        let local = self.random.below(LOCALS);
        self.sink.local_get(local).i32_const(0xfffc).i32_and();
    }
}

fn word() -> MemArg {
    MemArg {
        offset: 0,
        align: 2,
        target: MemArgTarget::Memory(0),
        ordering: None,
    }
}

#[cfg(test)]
mod tests {
    use super::synthetic_module;
    use crate::{engine, synthetic_exports};
    use zwasm::{Instance, Module, Store, Tier};

    #[test]
    fn all_functions_are_translated_by_calls_that_return_at_once() {
        let bytes = synthetic_module(200);
        assert_eq!(bytes, synthetic_module(200));
        for &tier in Tier::ALL {
            let engine = engine(tier);
            let module = Module::new(&engine, &bytes).expect("valid");
            let mut store = Store::new(&engine, ());
            let instance = Instance::new(&mut store, &module, &[]).expect("no imports");
            let exports = synthetic_exports(&store, &instance);
            assert_eq!(exports.len(), 200);
            for (number, export) in (0..).zip(&exports) {
                assert_eq!(export.call(&mut store, (0, number)).unwrap(), number);
            }
            assert_eq!(module.stats().functions_compiled, 200);
            for export in &exports {
                export.call(&mut store, (3, 4)).expect("bodies end too");
            }
        }
    }

    #[test]
    fn functions_have_the_advertised_size() {
        let length = synthetic_module(10_000).len();
        assert!((1_500_000..1_800_000).contains(&length), "{length} bytes");
    }
}
