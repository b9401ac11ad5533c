//! What a store may hold, and the small reservation of address space.

use crate::{engine, every_tier};
use zwasm::{
    Engine, Instance, Limits, Memory, MemoryType, Module, Ref, RefType, ResourceLimiter, Store,
    Table, TableType, TrapCode,
};

const GROWS: &str = r#"(module
    (memory (export "m") 1) (table (export "t") 2 funcref)
    (func (export "memory") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "table") (param i32) (result i32) (table.grow (ref.null func) (local.get 0))))"#;

#[test]
fn limits_refuse_growth_with_minus_one_and_creation_with_an_error() {
    every_tier(|config| {
        let engine = engine(&config);
        let module = Module::new(&engine, GROWS).unwrap();
        let limits = Limits::new()
            .max_memory_bytes(3 << 16)
            .max_table_elements(5);
        let mut store = Store::new(&engine, limits);
        store.limiter(|limits| limits);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let memory = instance
            .get_typed_func::<i32, i32>(&store, "memory")
            .unwrap();
        let table = instance
            .get_typed_func::<i32, i32>(&store, "table")
            .unwrap();
        assert_eq!(memory.call(&mut store, 2).unwrap(), 1);
        assert_eq!(memory.call(&mut store, 1).unwrap(), -1);
        assert_eq!(memory.call(&mut store, -1).unwrap(), -1);
        assert_eq!(memory.call(&mut store, 0).unwrap(), 3);
        assert_eq!(table.call(&mut store, 3).unwrap(), 2);
        assert_eq!(table.call(&mut store, 1).unwrap(), -1);
        assert_eq!(table.call(&mut store, -1).unwrap(), -1);

        assert!(Memory::new(&mut store, MemoryType::new(4, None)).is_err());
        let ty = TableType {
            minimum: 6,
            ..instance.get_table(&store, "t").unwrap().ty(&store)
        };
        assert!(Table::new(&mut store, ty, Ref::Func(None)).is_err());
        let large = Module::new(&engine, "(module (memory 4))").unwrap();
        assert!(Instance::new(&mut store, &large, &[]).is_err());
        let large = Module::new(&engine, "(module (table 6 externref))").unwrap();
        assert!(Instance::new(&mut store, &large, &[]).is_err());
    });
}

/// Counts what it is asked.
#[derive(Default)]
struct Recorder(Vec<(usize, usize, Option<usize>)>);

impl ResourceLimiter for Recorder {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> bool {
        self.0.push((current, desired, maximum));
        true
    }
    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> bool {
        self.0.push((current, desired, maximum));
        true
    }
}

#[test]
fn a_limiter_is_asked_with_sizes_in_bytes_and_elements() {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module (memory 1 4) (table 2 9 funcref)
        (func (export "run") (drop (memory.grow (i32.const 1))) (drop (table.grow (ref.null func) (i32.const 3)))))"#,
    )
    .unwrap();
    let mut store = Store::new(&engine, Recorder::default());
    store.limiter(|recorder| recorder);
    let instance = Instance::new(&mut store, &module, &[]).unwrap();
    instance
        .get_typed_func::<(), ()>(&store, "run")
        .unwrap()
        .call(&mut store, ())
        .unwrap();
    let page = 1 << 16;
    assert_eq!(
        store.data().0,
        [
            (0, page, Some(4 * page)),
            (0, 2, Some(9)),
            (page, 2 * page, Some(4 * page)),
            (2, 5, Some(9)),
        ]
    );
}

#[test]
fn absurd_sizes_are_errors_not_allocations() {
    let engine = Engine::default();
    for text in [
        "(module (memory 65536) (memory 65536) (memory i64 0x1000000000000))",
        "(module (memory i64 0xffffffffffff))",
        "(module (table 4294967295 funcref))",
        "(module (table i64 0xffffffffffffffff funcref))",
    ] {
        let Ok(module) = Module::new(&engine, text) else {
            continue;
        };
        let mut store = Store::new(&engine, ());
        assert!(Instance::new(&mut store, &module, &[]).is_err(), "{text}");
    }
    let (mut store, instance) = crate::instance(
        engine.config(),
        r#"(module (memory i64 1) (table $t i64 1 externref)
        (func (export "m") (param i64) (result i64) (memory.grow (local.get 0)))
        (func (export "t") (param i64) (result i64) (table.grow $t (ref.null extern) (local.get 0))))"#,
    );
    for name in ["m", "t"] {
        let grow = instance.get_typed_func::<i64, i64>(&store, name).unwrap();
        for delta in [i64::MAX, -1, 1 << 48, (1 << 47) - 1, i64::MIN] {
            assert_eq!(grow.call(&mut store, delta).unwrap(), -1, "{name} {delta}");
        }
        assert_eq!(grow.call(&mut store, 1).unwrap(), 1);
    }
}

/// Loads and stores of each width at the end of a memory, with and without reserved address space.
#[test]
fn accesses_at_the_end_of_a_memory_trap_under_every_reservation() {
    every_tier(|mut config| {
        for reservation in [None, Some(0), Some(1 << 16), Some(1 << 20)] {
            if let Some(bytes) = reservation {
                config.memory_reservation(bytes);
            }
            let (mut store, instance) = crate::instance(
                &config,
                r#"(module (memory (export "m") 1)
                (func (export "l1") (param i32) (drop (i32.load8_u (local.get 0))))
                (func (export "l2") (param i32) (drop (i32.load16_u offset=4 (local.get 0))))
                (func (export "l4") (param i32) (drop (i32.load (local.get 0))))
                (func (export "l8") (param i32) (drop (i64.load offset=65535 (local.get 0))))
                (func (export "l16") (param i32) (drop (v128.load (local.get 0))))
                (func (export "far") (param i32) (drop (i32.load8_u offset=4294967295 (local.get 0))))
                (func (export "s4") (param i32) (i32.store offset=1 (local.get 0) (i32.const -1)))
                (func (export "s16") (param i32) (v128.store (local.get 0) (v128.const i64x2 1 1)))
                (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))"#,
            );
            // (name, largest address that works)
            let bounds = [
                ("l1", 65535),
                ("l2", 65530),
                ("l4", 65532),
                ("l16", 65520),
                ("s4", 65531),
                ("s16", 65520),
            ];
            for (name, last) in bounds {
                let access = instance.get_typed_func::<u32, ()>(&store, name).unwrap();
                access.call(&mut store, last).unwrap();
                for address in [last + 1, 65536, 1 << 31, u32::MAX - 15, u32::MAX] {
                    let error = access.call(&mut store, address).unwrap_err();
                    assert_eq!(
                        error.trap_code(),
                        Some(TrapCode::MemoryOutOfBounds),
                        "{name} {address} {reservation:?}"
                    );
                }
            }
            for name in ["l8", "far"] {
                let access = instance.get_typed_func::<u32, ()>(&store, name).unwrap();
                for address in [0, 1, u32::MAX] {
                    assert!(
                        access.call(&mut store, address).is_err(),
                        "{name} {address}"
                    );
                }
            }
            let grow = instance.get_typed_func::<i32, i32>(&store, "grow").unwrap();
            let grown = grow.call(&mut store, 1).unwrap();
            match reservation {
                Some(bytes) if bytes < 2 << 16 => assert_eq!(grown, -1),
                _ => {
                    assert_eq!(grown, 1);
                    let access = instance.get_typed_func::<u32, ()>(&store, "l4").unwrap();
                    access.call(&mut store, 65533).unwrap();
                    access.call(&mut store, 131_068).unwrap();
                    assert!(access.call(&mut store, 131_069).is_err());
                }
            }
        }
    });
}

#[test]
fn a_small_value_stack_is_enough_or_a_trap() {
    every_tier(|mut config| {
        config.max_wasm_stack(4096);
        let (mut store, instance) = crate::instance(
            &config,
            r#"(module (func $f (export "f") (param i32) (result i32)
                (if (result i32) (local.get 0)
                  (then (i32.add (i32.const 1) (call $f (i32.sub (local.get 0) (i32.const 1)))))
                  (else (i32.const 0)))))"#,
        );
        let f = instance.get_typed_func::<i32, i32>(&store, "f").unwrap();
        assert_eq!(f.call(&mut store, 20).unwrap(), 20);
        let error = f.call(&mut store, 100_000).unwrap_err();
        assert_eq!(error.trap_code(), Some(TrapCode::StackOverflow));
    });
    let mut config = zwasm::Config::new();
    config.max_wasm_stack(1);
    assert!(Engine::new(&config).is_err());
    let _ = RefType::FUNCREF;
}

/// A frame larger than the whole stack is a trap of the call, not an overflow of anything.
#[test]
fn enormous_frames_are_traps() {
    every_tier(|config| {
        let text = large_frame(5_000);
        let mut small = config.clone();
        small.max_wasm_stack(64 << 10);
        let (mut store, instance) = crate::instance(&small, &text);
        let f = instance.get_typed_func::<(), i64>(&store, "f").unwrap();
        let error = f.call(&mut store, ()).unwrap_err();
        assert_eq!(error.trap_code(), Some(TrapCode::StackOverflow));
        let (mut store, instance) = crate::instance(&config, &text);
        let f = instance.get_typed_func::<(), i64>(&store, "f").unwrap();
        assert_eq!(f.call(&mut store, ()).unwrap(), 0);
    });
}

/// A function `f` with as many vectors that live across a call: no tier does without 16 bytes of
/// frame for each.
pub(crate) fn large_frame(vectors: usize) -> String {
    use std::fmt::Write;
    let mut text =
        String::from("(module (memory 2) (func $none) (func (export \"f\") (result i64)");
    let _ = write!(text, "(local{})", " v128".repeat(vectors));
    for i in 0..vectors {
        let _ = write!(text, "(local.set {i} (v128.load offset={i} (i32.const 0)))");
    }
    text.push_str("(call $none) (local.get 0)");
    for i in 1..vectors {
        let _ = write!(text, "(v128.xor (local.get {i}))");
    }
    text.push_str("(i64x2.extract_lane 0)))");
    text
}
