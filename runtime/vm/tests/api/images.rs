//! Modules with so much data that instances map it: nobody can tell.

use crate::{engine, every_tier};
use zwasm::{
    Config, Engine, Error, Instance, Linker, Memory, Module, Ref, Store, Table, TrapCode, Val,
};

/// Enough for an image.
const LARGE: usize = (1 << 20) + 12_345;

/// A string of that many bytes, none of them zero.
fn text(bytes: usize) -> String {
    (0..bytes)
        .map(|i| char::from(b'a' + (i % 23) as u8))
        .collect()
}

fn expected(i: usize) -> u8 {
    b'a' + (i % 23) as u8
}

/// Runs a test with guard regions and with explicit checks, under every tier.
fn every_configuration(test: impl Fn(&Engine)) {
    every_tier(|mut config: Config| {
        test(&engine(&config));
        test(&engine(config.memory_reservation(8 << 20)));
    });
}

fn memory(store: &Store<()>, instance: Instance) -> Memory {
    instance.get_memory(store, "memory").expect("exported")
}

fn trap_code(error: &Error) -> Option<TrapCode> {
    error.trap_code()
}

#[test]
fn instances_start_with_the_data_and_are_apart() {
    let module = format!(
        r#"(module
            (memory (export "memory") 30 90)
            (data $first (i32.const 1000) "{}")
            (data $passive "passive")
            (data $far (i32.const 1900000) "far")
            (data (i32.const 1966080) "")
            (func (export "init far") (param i32)
                (memory.init $far (i32.const 0) (i32.const 0) (local.get 0)))
            (func (export "init passive")
                (memory.init $passive (i32.const 1001) (i32.const 1) (i32.const 3)))
            (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
            (func (export "store") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
            (func (export "grow") (result i32) (memory.grow (i32.const 1))))"#,
        text(LARGE)
    );
    let binary = Module::to_binary(module.into_bytes()).unwrap();
    every_configuration(|engine| {
        let module = Module::new(engine, &binary).unwrap();
        assert_eq!(module.stats().wasm_bytes, binary.len());
        let mut store = Store::new(engine, ());
        let instances = [(); 3].map(|()| Instance::new(&mut store, &module, &[]).unwrap());
        let check = |store: &Store<()>, instance: Instance| {
            let bytes = memory(store, instance).data(store);
            for (i, &byte) in bytes[..1000 + LARGE + 1].iter().enumerate() {
                let inside = (1000..1000 + LARGE).contains(&i);
                assert_eq!(byte, if inside { expected(i - 1000) } else { 0 }, "at {i}");
            }
            assert_eq!(&bytes[1_899_999..1_900_004], b"\0far\0");
            assert!(bytes[1_900_003..].iter().all(|&byte| byte == 0));
        };
        // The first is changed by its code, the second by the host.
        let [by_code, by_host, untouched] = instances;
        let store_byte = by_code
            .get_typed_func::<(i32, i32), ()>(&store, "store")
            .unwrap();
        let load = |instance: Instance, store: &mut Store<()>, at: i32| {
            let load = instance
                .get_typed_func::<i32, i32>(&*store, "load")
                .unwrap();
            load.call(store, at)
        };
        store_byte.call(&mut store, (5000, 7)).unwrap();
        memory(&store, by_host).data_mut(&mut store)[..2000].fill(9);
        assert_eq!(load(by_code, &mut store, 5000).unwrap(), 7);
        assert_eq!(load(by_host, &mut store, 1999).unwrap(), 9);
        assert_eq!(
            load(by_host, &mut store, 2000).unwrap(),
            expected(1000).into()
        );
        check(&store, untouched);

        // Growth, and the end of the memory before and behind it.
        let end = 30 << 16;
        let error = load(by_code, &mut store, end).unwrap_err();
        assert_eq!(trap_code(&error), Some(TrapCode::MemoryOutOfBounds));
        let grow = by_code.get_typed_func::<(), i32>(&store, "grow").unwrap();
        assert_eq!(grow.call(&mut store, ()).unwrap(), 30);
        assert_eq!(load(by_code, &mut store, end).unwrap(), 0);
        assert_eq!(load(by_code, &mut store, 1_900_001).unwrap(), b'a'.into());
        assert!(load(by_code, &mut store, end + (1 << 16)).is_err());

        // Active segments are dropped, passive ones are there.
        let init_far = by_code
            .get_typed_func::<i32, ()>(&store, "init far")
            .unwrap();
        init_far.call(&mut store, 0).unwrap();
        let error = init_far.call(&mut store, 1).unwrap_err();
        assert_eq!(trap_code(&error), Some(TrapCode::MemoryOutOfBounds));
        let init = by_code.get_func(&store, "init passive").unwrap();
        init.call(&mut store, &[], &mut []).unwrap();
        assert_eq!(&memory(&store, by_code).data(&store)[1000..1004], b"aass");
        assert_eq!(memory(&store, by_code).data(&store)[1004], expected(4));

        // A later instance, in another store that outlives the module.
        let mut other = Store::new(engine, ());
        let last = Instance::new(&mut other, &module, &[]).unwrap();
        drop((store, module));
        check(&other, last);
    });
}

#[test]
fn later_segments_cover_earlier_ones_and_memories_have_their_own() {
    let module = format!(
        r#"(module
            (memory (export "memory") 20)
            (memory (export "other") i64 20)
            (data (i32.const 10) "{0}")
            (data (memory 1) (i64.const 131072) "{0}")
            (data (i32.const 9) "{1}"))"#,
        text(LARGE),
        "%OVER%"
    );
    for (over, at_10) in [("x", b'a'), ("xy", b'y')] {
        let text = module.replace("%OVER%", over);
        let binary = Module::to_binary(text.into_bytes()).unwrap();
        every_configuration(|engine| {
            let module = Module::new(engine, &binary).unwrap();
            let mut store = Store::new(engine, ());
            for _ in 0..2 {
                let instance = Instance::new(&mut store, &module, &[]).unwrap();
                let bytes = memory(&store, instance).data(&store);
                assert_eq!(bytes[8..12], [0, b'x', at_10, b'b']);
                assert_eq!(bytes[10 + LARGE - 1..][..2], [expected(LARGE - 1), 0]);
                let other = instance.get_memory(&store, "other").unwrap();
                let bytes = other.data(&store);
                assert_eq!(bytes[131_071..131_074], [0, b'a', b'b']);
                assert_eq!(bytes[131_072 + LARGE..][..2], [0, 0]);
            }
        });
    }
}

/// What is seen of a failed instance through a function that it left in an imported table.
fn failed(engine: &Engine, table: &str, segments: &str) -> (TrapCode, i32) {
    let mut store = Store::new(engine, ());
    let mut linker = Linker::new(engine);
    let host = Module::new(engine, r#"(module (table (export "table") 4 funcref))"#).unwrap();
    let host = linker.instantiate(&mut store, &host).unwrap();
    linker.instance(&store, "host", host).unwrap();
    let text = format!(
        r#"(module {table} (memory 20)
            (elem (i32.const 0) func $peek)
            {segments}
            (data (i32.const 0) "{}")
            (func $peek (result i32) (i32.load8_u (i32.const 1))))"#,
        text(LARGE)
    );
    let module = Module::new(engine, text).unwrap();
    let error = linker.instantiate(&mut store, &module).unwrap_err();
    let table: Table = host.get_table(&store, "table").unwrap();
    let Some(Ref::Func(Some(peek))) = table.get(&store, 0) else {
        panic!("the first element segment fits");
    };
    let mut seen = [Val::I32(-1)];
    peek.call(&mut store, &[], &mut seen).unwrap();
    let Val::I32(seen) = seen[0] else {
        panic!("declared so");
    };
    (trap_code(&error).unwrap(), seen)
}

#[test]
fn a_failed_instance_shows_what_was_written_before() {
    const TABLE: &str = r#"(import "host" "table" (table 2 funcref))"#;
    every_tier(|config| {
        let engine = engine(&config);
        let elements = "(elem (i32.const 4) func $peek)";
        let seen = failed(&engine, TABLE, elements);
        assert_eq!(seen, (TrapCode::TableOutOfBounds, 0));
        let before = r#"(data (i32.const 1310720) "x")"#;
        let seen = failed(&engine, TABLE, before);
        assert_eq!(seen, (TrapCode::MemoryOutOfBounds, 0));
        let empty = r#"(data (i32.const 1) "yz") (data (i32.const 1310721) "")"#;
        let seen = failed(&engine, TABLE, empty);
        assert_eq!(seen, (TrapCode::MemoryOutOfBounds, b'y'.into()));
    });
}

#[test]
fn functions_keep_their_names_and_bodies() {
    let text = format!(
        r#"(module (memory 20) (data (i32.const 0) "{}")
            (func $inner (unreachable))
            (func (export "run") (call $inner)))"#,
        text(LARGE)
    );
    let binary = Module::to_binary(text.into_bytes()).unwrap();
    every_configuration(|engine| {
        let module = Module::new(engine, &binary).unwrap();
        assert_eq!(module.stats().data_bytes, LARGE);
        assert_eq!(module.function_name(0).as_deref(), Some("inner"));
        let mut store = Store::new(engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let run = instance.get_typed_func::<(), ()>(&store, "run").unwrap();
        let error = run.call(&mut store, ()).unwrap_err();
        assert_eq!(error.backtrace()[0].name(), Some("inner"));
    });
}
