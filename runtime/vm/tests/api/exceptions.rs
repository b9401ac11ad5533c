//! Exceptions where instances, hosts and stores meet.

use crate::{engine, every_tier, every_tier_alone, resident_bytes};
use zwasm::{Caller, Error, Extern, Func, Instance, Linker, Module, Store};

const THROWER: &str = r#"(module
    (tag $e (export "e") (param i32 i64))
    (func (export "throw") (param i32)
      (throw $e (local.get 0) (i64.const 7))))"#;

const CATCHER: &str = r#"(module
    (import "t" "e" (tag $e (param i32 i64)))
    (import "t" "throw" (func $throw (param i32)))
    (tag $other)
    (func (export "catch") (param i32) (result i32)
      (block $h (result i32 i64)
        (try_table (catch $other $skip) (catch $e $h) (call $throw (local.get 0)))
        (return (i32.const -1)))
      (i32.wrap_i64) (i32.add))
    (func $skip))"#;

#[test]
fn an_exception_of_another_instance_is_caught_by_its_tag() {
    every_tier(|config| {
        let engine = engine(&config);
        let mut store = Store::new(&engine, ());
        let mut linker = Linker::new(&engine);
        let thrower = Module::new(&engine, THROWER).unwrap();
        let thrower = linker.instantiate(&mut store, &thrower).unwrap();
        linker.instance(&store, "t", thrower).unwrap();
        let text = CATCHER
            .replace("(catch $other $skip) ", "")
            .replace("(func $skip)", "");
        let catcher = Module::new(&engine, text).unwrap();
        let catcher = linker.instantiate(&mut store, &catcher).unwrap();
        let catch = catcher.get_typed_func::<i32, i32>(&store, "catch").unwrap();
        for n in 0..100 {
            assert_eq!(catch.call(&mut store, n).unwrap(), n + 7);
        }
        let throw = thrower.get_typed_func::<i32, ()>(&store, "throw").unwrap();
        let error = throw.call(&mut store, 1).unwrap_err();
        assert!(error.is_exception() && error.as_trap().is_none());
        assert_eq!(error.backtrace()[0].name(), Some("throw"));
    });
}

const LOOPS: &str = r#"(module
    (import "h" "relay" (func $relay))
    (tag $e (param i64 i64 i64 i64))
    (func $throw (export "throw") (throw $e (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4)))
    (func (export "local") (param i32)
      (loop $l
        (block $h (result i64 i64 i64 i64 exnref)
          (try_table (catch_ref $e $h) (call $throw)) (unreachable))
        (drop) (drop) (drop) (drop) (drop)
        (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
    (func (export "relayed") (param i32)
      (loop $l
        (block $h (try_table (catch_all $h) (call $relay)) (unreachable))
        (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
    (func (export "rethrown") (param i32)
      (loop $l
        (block $h
          (try_table (catch_all $h)
            (block $i (result exnref) (try_table (catch_all_ref $i) (call $throw)) (unreachable))
            (throw_ref)))
        (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#;

/// A million exceptions, caught in the guest, on the way through a host frame, after a rethrow,
/// and as errors of the host.
#[test]
fn exceptions_do_not_accumulate() {
    every_tier_alone(|config| {
        let engine = engine(&config);
        let mut linker = Linker::<()>::new(&engine);
        linker
            .func_wrap(
                "h",
                "relay",
                |mut caller: Caller<'_, ()>| -> Result<(), Error> {
                    let throw = caller
                        .get_export("throw")
                        .and_then(Extern::into_func)
                        .unwrap();
                    throw.typed::<(), ()>(&caller)?.call(&mut caller, ())
                },
            )
            .unwrap();
        let module = Module::new(&engine, LOOPS).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).unwrap();
        let rounds = |name: &str, store: &mut Store<()>, count: i32| {
            let run = instance.get_typed_func::<i32, ()>(&*store, name).unwrap();
            run.call(store, count).unwrap();
        };
        for name in ["local", "relayed", "rethrown"] {
            rounds(name, &mut store, 20_000);
        }
        let before = resident_bytes();
        for name in ["local", "relayed", "rethrown"] {
            rounds(
                name,
                &mut store,
                if name == "local" { 1_000_000 } else { 300_000 },
            );
        }
        let throw = instance.get_typed_func::<(), ()>(&store, "throw").unwrap();
        for _ in 0..100_000 {
            assert!(throw.call(&mut store, ()).unwrap_err().is_exception());
        }
        if let (Some(before), Some(after)) = (before, resident_bytes()) {
            assert!(after < before + (64 << 20), "{before} grew to {after}");
        }
    });
}

/// The number of an exception means something in its own store only.
#[test]
fn an_exception_of_another_store_is_an_error_like_any_other() {
    every_tier(|config| {
        let engine = engine(&config);
        let inner_module = Module::new(&engine, THROWER).unwrap();
        let mut store = Store::new(&engine, ());
        let bridge = Func::wrap(&mut store, move || -> Result<(), Error> {
            let mut inner = Store::new(inner_module.engine(), ());
            let instance = Instance::new(&mut inner, &inner_module, &[])?;
            instance
                .get_typed_func::<i32, ()>(&inner, "throw")?
                .call(&mut inner, 1)
        });
        let module = Module::new(
            &engine,
            r#"(module (import "h" "bridge" (func $bridge))
            (func (export "run") (block $h (try_table (catch_all $h) (call $bridge)))))"#,
        )
        .unwrap();
        let instance = Instance::new(&mut store, &module, &[bridge.into()]).unwrap();
        let run = instance.get_typed_func::<(), ()>(&store, "run").unwrap();
        let error = run.call(&mut store, ()).unwrap_err();
        assert!(error.is_exception(), "{error}");
    });
}

#[test]
fn a_trap_is_no_exception() {
    every_tier(|config| {
        let (mut store, instance) = crate::instance(
            &config,
            r#"(module (func (export "f") (block $h (try_table (catch_all $h) (unreachable)))))"#,
        );
        let f = instance.get_typed_func::<(), ()>(&store, "f").unwrap();
        assert!(f.call(&mut store, ()).unwrap_err().as_trap().is_some());
    });
}
