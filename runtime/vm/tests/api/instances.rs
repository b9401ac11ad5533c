//! Instances that call each other and share memories, tables, globals and functions.

use crate::{engine, every_tier, every_tier_alone, resident_bytes};
use zwasm::{Extern, Instance, Linker, Module, Ref, Store, TrapCode, Val};

/// Instantiates modules in order; each finds the exports of the earlier ones under its number.
fn chain(config: &zwasm::Config, texts: &[&str]) -> (Store<()>, Vec<Instance>) {
    let engine = engine(config);
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    let mut instances = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        let module = Module::new(&engine, text).expect("a valid module");
        let instance = linker
            .instantiate(&mut store, &module)
            .expect("instantiates");
        linker
            .instance(&store, &number.to_string(), instance)
            .unwrap();
        instances.push(instance);
    }
    (store, instances)
}

#[test]
fn a_call_into_another_instance_uses_its_memory_and_comes_back_to_ours() {
    every_tier(|config| {
        let (mut store, instances) = chain(
            &config,
            &[
                r#"(module (memory 1) (data (i32.const 0) "\2a") (global $g (mut i32) (i32.const 0))
                (func (export "peek") (param i32) (result i32)
                  (global.set $g (i32.add (global.get $g) (i32.const 1)))
                  (i32.add (i32.load8_u (local.get 0)) (global.get $g)))
                (func (export "trap") (drop (i32.load (i32.const -1)))))"#,
                r#"(module (import "0" "peek" (func $peek (param i32) (result i32)))
                (import "0" "trap" (func $trap))
                (memory 3) (data (i32.const 0) "\01")
                (func (export "run") (result i32)
                  (i32.add (i32.mul (call $peek (i32.const 0)) (i32.const 1000))
                    (i32.add (i32.load8_u (i32.const 0)) (memory.size))))
                (func $inner (call $trap))
                (func (export "trap") (call $inner)))"#,
            ],
        );
        let run = instances[1]
            .get_typed_func::<(), i32>(&store, "run")
            .unwrap();
        assert_eq!(run.call(&mut store, ()).unwrap(), 43_004);
        assert_eq!(run.call(&mut store, ()).unwrap(), 44_004);
        let trap = instances[1]
            .get_typed_func::<(), ()>(&store, "trap")
            .unwrap();
        for _ in 0..3 {
            let error = trap.call(&mut store, ()).unwrap_err();
            assert_eq!(error.trap_code(), Some(TrapCode::MemoryOutOfBounds));
            let names: Vec<_> = error
                .backtrace()
                .iter()
                .map(|f| f.name().unwrap())
                .collect();
            assert_eq!(names, ["trap", "inner", "trap"]);
        }
        assert_eq!(run.call(&mut store, ()).unwrap(), 45_004);
    });
}

#[test]
fn recursion_across_instances_ends_in_a_trap() {
    every_tier(|config| {
        let (mut store, instances) = chain(
            &config,
            &[
                r#"(module (table (export "t") 2 funcref) (type $f (func (param i32) (result i32)))
                (func $ping (export "ping") (param i32) (result i32)
                  (i32.add (i32.const 1) (call_indirect (type $f) (local.get 0) (i32.const 1))))
                (elem (i32.const 0) $ping))"#,
                r#"(module (import "0" "t" (table 2 funcref)) (type $f (func (param i32) (result i32)))
                (func $pong (param i32) (result i32)
                  (if (result i32) (local.get 0)
                    (then (call_indirect (type $f) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)))
                    (else (i32.const 0))))
                (elem (i32.const 1) $pong))"#,
            ],
        );
        let ping = instances[0]
            .get_typed_func::<i32, i32>(&store, "ping")
            .unwrap();
        assert_eq!(ping.call(&mut store, 100).unwrap(), 101);
        for _ in 0..2 {
            let error = ping.call(&mut store, i32::MAX).unwrap_err();
            assert_eq!(error.trap_code(), Some(TrapCode::StackOverflow));
        }
        assert_eq!(ping.call(&mut store, 1000).unwrap(), 1001);
    });
}

/// Two instances that tail-call each other three million times, and then return through both.
#[test]
fn tail_calls_across_instances_grow_nothing() {
    every_tier_alone(|config| {
        let (mut store, instances) = chain(
            &config,
            &[
                r#"(module (table (export "t") 2 funcref) (type $f (func (param i32 i64) (result i64)))
                (memory 1) (data (i32.const 0) "\01")
                (func $ping (export "ping") (param i32 i64) (result i64)
                  (return_call_indirect (type $f)
                    (local.get 0) (i64.add (local.get 1) (i64.load8_u (i32.const 0))) (i32.const 1)))
                (func (export "run") (param i32) (result i64)
                  (i64.add (call $ping (local.get 0) (i64.const 0)) (i64.load8_u (i32.const 0))))
                (elem (i32.const 0) $ping))"#,
                r#"(module (import "0" "t" (table 2 funcref)) (type $f (func (param i32 i64) (result i64)))
                (memory 1) (data (i32.const 0) "\03")
                (func $pong (param i32 i64) (result i64)
                  (if (local.get 0) (then (return_call_indirect (type $f)
                    (i32.sub (local.get 0) (i32.const 1))
                    (i64.add (local.get 1) (i64.load8_u (i32.const 0))) (i32.const 0))))
                  (local.get 1))
                (elem (i32.const 1) $pong))"#,
            ],
        );
        let run = instances[0]
            .get_typed_func::<i32, i64>(&store, "run")
            .unwrap();
        assert_eq!(run.call(&mut store, 10).unwrap(), 10 * 4 + 2);
        let before = resident_bytes();
        assert_eq!(run.call(&mut store, 3_000_000).unwrap(), 3_000_000 * 4 + 2);
        if let (Some(before), Some(after)) = (before, resident_bytes()) {
            assert!(after < before + (48 << 20), "{before} grew to {after}");
        }
    });
}

#[test]
fn memories_tables_and_globals_are_shared_not_copied() {
    every_tier(|config| {
        let (mut store, instances) = chain(
            &config,
            &[
                r#"(module (memory (export "m") 1 4) (table (export "t") 1 8 funcref)
                (global (export "g") (mut i64) (i64.const 5)) (global (export "v") (mut v128) (v128.const i64x2 1 2))
                (func (export "size") (result i32) (i32.add (memory.size) (table.size 0)))
                (func (export "get") (result i64) (i64.add (global.get 0) (i64.load (i32.const 8)))))"#,
                r#"(module (import "0" "m" (memory 1 4)) (import "0" "t" (table 1 8 funcref))
                (import "0" "g" (global $g (mut i64))) (import "0" "v" (global $v (mut v128)))
                (func $f (export "f"))
                (func (export "change")
                  (i64.store (i32.const 8) (i64.const 37))
                  (global.set $g (i64.const 100))
                  (global.set $v (i64x2.add (global.get $v) (v128.const i64x2 10 20)))
                  (drop (memory.grow (i32.const 1)))
                  (drop (table.grow (ref.func $f) (i32.const 2))))
                (export "again" (memory 0)) (export "g2" (global $g)))"#,
            ],
        );
        let change = instances[1]
            .get_typed_func::<(), ()>(&store, "change")
            .unwrap();
        change.call(&mut store, ()).unwrap();
        let get = instances[0]
            .get_typed_func::<(), i64>(&store, "get")
            .unwrap();
        assert_eq!(get.call(&mut store, ()).unwrap(), 137);
        let size = instances[0]
            .get_typed_func::<(), i32>(&store, "size")
            .unwrap();
        assert_eq!(size.call(&mut store, ()).unwrap(), 5);
        let v = instances[0].get_global(&store, "v").unwrap();
        assert_eq!(v.get(&store).v128(), Some(11 | (22 << 64)));
        // Exports of imports are the very same things.
        assert_eq!(
            instances[1].get_memory(&store, "again"),
            instances[0].get_memory(&store, "m")
        );
        let g = instances[0].get_global(&store, "g").unwrap();
        assert_eq!(instances[1].get_global(&store, "g2"), Some(g));
        g.set(&mut store, Val::I64(1)).unwrap();
        assert_eq!(get.call(&mut store, ()).unwrap(), 38);
        // Function references keep their identity through the table.
        let table = instances[0].get_table(&store, "t").unwrap();
        let f = instances[1].get_func(&store, "f").unwrap();
        assert_eq!(table.get(&store, 1), Some(Ref::Func(Some(f))));
        assert_eq!(table.get(&store, 0), Some(Ref::Func(None)));
        assert_eq!(table.get(&store, 3), None);
    });
}

/// Signatures are equal by structure in the whole engine, not by index in a module.
#[test]
fn types_are_compared_by_structure_across_modules() {
    every_tier(|config| {
        let (mut store, instances) = chain(
            &config,
            &[
                r#"(module (type (func)) (type $f (func (param i32) (result i64)))
                (table (export "t") 2 funcref)
                (func $f (type $f) (i64.extend_i32_s (local.get 0)))
                (func $n) (elem (i32.const 0) $f $n))"#,
                r#"(module (type $f (func (param i32) (result i64))) (import "0" "t" (table 2 funcref))
                (func (export "call") (param i32) (result i64)
                  (call_indirect (type $f) (i32.const -3) (local.get 0))))"#,
            ],
        );
        let call = instances[1]
            .get_typed_func::<i32, i64>(&store, "call")
            .unwrap();
        assert_eq!(call.call(&mut store, 0).unwrap(), -3);
        let code = |result: zwasm::Result<i64>| result.unwrap_err().trap_code();
        assert_eq!(
            code(call.call(&mut store, 1)),
            Some(TrapCode::IndirectCallTypeMismatch)
        );
        assert_eq!(
            code(call.call(&mut store, 2)),
            Some(TrapCode::UndefinedElement)
        );
    });
}

#[test]
fn an_instance_outlives_its_module_and_failed_instances_leave_callable_functions() {
    every_tier(|config| {
        let engine = engine(&config);
        let mut store = Store::new(&engine, ());
        let run = {
            let module = Module::new(
                &engine,
                r#"(module (func $a (result i32) (i32.const 4)) (func (export "run") (result i32) (call $a)))"#,
            )
            .unwrap();
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            instance.get_typed_func::<(), i32>(&store, "run").unwrap()
        };
        assert_eq!(run.call(&mut store, ()).unwrap(), 4);
        // The second segment does not fit: instantiation fails, but the first stays.
        let table = {
            let module =
                Module::new(&engine, r#"(module (table (export "t") 1 funcref))"#).unwrap();
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            instance.get_table(&store, "t").unwrap()
        };
        {
            let module = Module::new(
                &engine,
                r#"(module (import "" "t" (table 1 funcref)) (func $f (result i32) (i32.const 8))
                (elem (i32.const 0) $f) (elem (i32.const 1) $f))"#,
            )
            .unwrap();
            let error = Instance::new(&mut store, &module, &[table.into()]).unwrap_err();
            assert_eq!(error.trap_code(), Some(TrapCode::TableOutOfBounds));
        }
        let Some(Ref::Func(Some(f))) = table.get(&store, 0) else {
            panic!("the first segment was copied");
        };
        assert_eq!(
            f.typed::<(), i32>(&store)
                .unwrap()
                .call(&mut store, ())
                .unwrap(),
            8
        );
    });
}

#[test]
fn a_start_function_runs_once_and_may_fail() {
    every_tier(|config| {
        let engine = engine(&config);
        let mut store = Store::new(&engine, 0);
        let mut linker = Linker::<i32>::new(&engine);
        linker
            .func_wrap("h", "tick", |mut caller: zwasm::Caller<'_, i32>| {
                *caller.data_mut() += 1
            })
            .unwrap();
        let good = Module::new(
            &engine,
            r#"(module (import "h" "tick" (func $t)) (func $s (call $t)) (start $s))"#,
        )
        .unwrap();
        let direct = Module::new(
            &engine,
            r#"(module (import "h" "tick" (func $t)) (start $t))"#,
        )
        .unwrap();
        let bad = Module::new(
            &engine,
            r#"(module (import "h" "tick" (func $t)) (func $s (call $t) (unreachable)) (start $s))"#,
        )
        .unwrap();
        linker.instantiate(&mut store, &good).unwrap();
        linker.instantiate(&mut store, &direct).unwrap();
        let error = linker.instantiate(&mut store, &bad).unwrap_err();
        assert_eq!(error.trap_code(), Some(TrapCode::Unreachable));
        assert_eq!(error.backtrace()[0].name(), Some("s"));
        assert_eq!(*store.data(), 3);
    });
}

#[test]
fn exports_are_listed_in_order_with_their_types() {
    let (store, instance) = crate::instance(
        &zwasm::Config::new(),
        r#"(module (func (export "b") (param i32)) (memory (export "a") 1) (export "c" (func 0)))"#,
    );
    let names: Vec<_> = instance
        .exports(&store)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["b", "a", "c"]);
    let b = instance.get_export(&store, "b").and_then(Extern::into_func);
    assert_eq!(b, instance.get_func(&store, "c"));
}
