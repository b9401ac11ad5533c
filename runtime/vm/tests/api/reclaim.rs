//! What goes with the last module, store and linker that used it.

use crate::{engine, every_tier, every_tier_alone, resident_bytes};
use std::fmt::Write;
use zwasm::{
    Caller, Config, Engine, ExternType, Func, FuncType, Instance, Linker, Module, Store, Tag, Val,
    ValType,
};

/// A module with types that no other number gives, some of which mention others.
fn module_of(number: u32, types: u32) -> String {
    let mut text = String::from("(module");
    for i in 0..types {
        // The bits of the number as a list of parameters.
        let bits = number * types + i;
        let params: String = (0..32)
            .map(|bit| if bits >> bit & 1 == 0 { " i32" } else { " f64" })
            .collect();
        let _ = write!(text, "(type $t{i} (func (param{params})))");
        let _ = write!(
            text,
            "(type (func (param (ref null $t{i}) (ref $t{}))))",
            i / 2
        );
    }
    text.push_str("(func (export \"f\") (param (ref null $t0)))");
    text.push_str("(func (export \"g\") (result i32) (i32.const 1)))");
    text
}

#[test]
fn types_of_modules_that_are_gone_are_gone() {
    every_tier_alone(|config| {
        let engine = engine(&config);
        let kept = Module::new(&engine, module_of(0, 3)).unwrap();
        let before = engine.type_count();
        for number in 100..10_100 {
            let module = Module::new(&engine, module_of(number, 2)).unwrap();
            if number % 100 == 0 {
                assert!(engine.type_count() > before + 4);
                let mut store = Store::new(&engine, ());
                let instance = Instance::new(&mut store, &module, &[]).unwrap();
                let g = instance.get_typed_func::<(), i32>(&store, "g").unwrap();
                let f = instance.get_func(&store, "f").unwrap();
                drop(module);
                assert_eq!(g.call(&mut store, ()).unwrap(), 1);
                let null = Val::Ref(zwasm::Ref::Func(None));
                f.call(&mut store, &[null], &mut []).unwrap();
            }
        }
        assert_eq!(engine.type_count(), before);
        // A module that is refused leaves none either.
        let broken = module_of(7, 3).replace("(i32.const 1)", "(i64.const 1)");
        assert!(Module::new(&engine, broken).is_err());
        assert_eq!(engine.type_count(), before);
        drop(kept);
        assert_eq!(engine.type_count(), 0);
    });
}

/// Whoever still runs, names or may call a type keeps it: stores, linkers, functions in tables.
#[test]
fn types_stay_with_whoever_uses_them() {
    every_tier(|config| {
        let engine = engine(&config);
        let mut linker = Linker::<()>::new(&engine);
        linker
            .func_wrap("h", "f", |a: i32, b: f32| a + b as i32)
            .unwrap();
        assert_eq!(engine.type_count(), 1);
        let mut store = Store::new(&engine, ());
        let func = linker.get_func(&mut store, "h", "f").unwrap();
        drop(linker);
        assert_eq!(engine.type_count(), 1, "the store's function has it");
        assert_eq!(func.ty(&store).to_string(), "(i32, f32) -> (i32)");
        Tag::new(&mut store, &FuncType::new([ValType::I64], [])).unwrap();
        Tag::new(&mut store, &FuncType::new([ValType::I64], [])).unwrap();
        assert_eq!(engine.type_count(), 2);

        // A function in another instance's table, whose module nobody else has.
        let text = r#"(module (table (export "t") 2 funcref) (type $t (func (param i64 i64) (result i64)))
            (func (export "call") (param i64) (result i64)
              (call_indirect (type $t) (local.get 0) (i64.const 1) (i32.const 0))))"#;
        let module = Module::new(&engine, text).unwrap();
        let table = Instance::new(&mut store, &module, &[]).unwrap();
        drop(module);
        let text = r#"(module (import "" "" (table 2 funcref)) (type $f (func (param f64 f64)))
            (elem (i32.const 0) $add $other) (func $other (type $f))
            (func $add (param i64 i64) (result i64) (i64.add (local.get 0) (local.get 1))))"#;
        let filler = Module::new(&engine, text).unwrap();
        let item = table.get_export(&store, "t").unwrap();
        Instance::new(&mut store, &filler, &[item]).unwrap();
        drop(filler);
        let count = engine.type_count();
        // Numbers of types that are gone go to others meanwhile.
        for number in 0..50 {
            drop(Module::new(&engine, module_of(number, 3)).unwrap());
        }
        assert_eq!(engine.type_count(), count);
        let call = table.get_typed_func::<i64, i64>(&store, "call").unwrap();
        assert_eq!(call.call(&mut store, 41).unwrap(), 42);
        drop(store);
        assert_eq!(engine.type_count(), 0);
    });
}

/// A number that a type leaves may be another type's at once: ways in and out of functions are those
/// of the new one.
#[test]
fn numbers_of_types_that_are_gone_carry_nothing_over() {
    every_tier(|config| {
        let engine = engine(&config);
        for round in 0..60_usize {
            let of = |count: usize, ty: ValType| vec![ty; count];
            let params = of(
                round % 7,
                [ValType::I64, ValType::F64, ValType::V128][round % 3],
            );
            let results = of(round % 5, [ValType::F64, ValType::I64][round % 2]);
            let ty = FuncType::new(params.clone(), results.clone());
            let list =
                |types: &[ValType]| types.iter().map(|ty| format!(" {ty}")).collect::<String>();
            let (p, r) = (list(&params), list(&results));
            let gets: String = (0..params.len())
                .map(|i| format!("(local.get {i})"))
                .collect();
            let text = format!(
                r#"(module (import "" "" (func $h (param{p}) (result{r})))
                (func (export "f") (param{p}) (result{r}) (call $h {gets})))"#
            );
            let mut store = Store::new(&engine, ());
            let expected = ty.clone();
            let func = Func::new(&mut store, ty, move |_: Caller<'_, ()>, args, results| {
                assert_eq!(args.len(), expected.params().len());
                let sum: u64 = args.iter().map(low).sum();
                for (i, (result, &ty)) in results.iter_mut().zip(expected.results()).enumerate() {
                    *result = value(ty, sum + i as u64);
                }
                Ok(())
            });
            let module = Module::new(&engine, text).unwrap();
            let instance = Instance::new(&mut store, &module, &[func.into()]).unwrap();
            drop(module);
            let f = instance.get_func(&store, "f").unwrap();
            let args: Vec<Val> = params
                .iter()
                .zip(1..)
                .map(|(&ty, i)| value(ty, i))
                .collect();
            let mut got = vec![Val::I32(0); results.len()];
            f.call(&mut store, &args, &mut got).unwrap();
            let sum: u64 = args.iter().map(low).sum();
            for (i, got) in got.iter().enumerate() {
                assert_eq!(low(got), sum + i as u64, "round {round}");
            }
        }
        assert_eq!(engine.type_count(), 0);
    });
}

fn value(ty: ValType, bits: u64) -> Val {
    match ty {
        ValType::I64 => Val::I64(bits as i64),
        ValType::F64 => Val::F64(bits),
        _ => Val::V128(bits.into()),
    }
}

fn low(value: &Val) -> u64 {
    match *value {
        Val::I64(v) => v as u64,
        Val::F64(bits) => bits,
        Val::V128(v) => v as u64,
        _ => panic!("no such argument"),
    }
}

/// Modules come and go while others of the engine run: memory stays flat.
#[cfg_attr(
    target_arch = "aarch64",
    ignore = "code is not put where other code was"
)]
#[test]
fn memory_of_modules_that_are_gone_is_used_again() {
    every_tier_alone(|config| {
        let engine = engine(&config);
        let wasm = Module::to_binary(many_functions(100).into_bytes()).unwrap();
        let round = |engine: &Engine| {
            let module = Module::new(engine, &wasm).unwrap();
            module.compile_all().unwrap();
            let mut store = Store::new(engine, ());
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            drop(module);
            let run = instance.get_typed_func::<i32, i32>(&store, "run").unwrap();
            assert_eq!(run.call(&mut store, 3).unwrap(), 103);
        };
        (0..20).for_each(|_| round(&engine));
        let Some(before) = resident_bytes() else {
            println!("skipped: the system does not tell how much memory is used");
            return;
        };
        (0..100).for_each(|_| round(&engine));
        let after = resident_bytes().expect("as before");
        let grown = after.saturating_sub(before);
        assert!(grown < 2 << 20, "{} grew by {grown} bytes", engine.tier());
    });
}

/// Functions that call each other in a row, and are too long to be inlined.
fn many_functions(count: usize) -> String {
    let mut text = String::from("(module (memory 1)");
    for i in 0..count {
        let next = if i + 1 < count {
            format!("(call $f{} (local.get 0))", i + 1)
        } else {
            String::from("(local.get 0)")
        };
        let stores = "(i32.store (i32.and (local.get 0) (i32.const 1023)) (i32.mul (local.get 0) (i32.const 77)))";
        let _ = write!(
            text,
            "(func $f{i} (param i32) (result i32) {} (i32.add {next} (i32.const 1)))",
            stores.repeat(10)
        );
    }
    text.push_str("(export \"run\" (func $f0)))");
    text
}

/// Modules of one engine that are made, run and dropped on several threads at once.
#[test]
fn modules_come_and_go_on_several_threads() {
    every_tier(|config| {
        let engine = engine(&config);
        std::thread::scope(|scope| {
            for thread in 0..3 {
                let engine = &engine;
                scope.spawn(move || {
                    for round in 0..15 {
                        let count = 1 + (thread * 7 + round) % 20;
                        let module = Module::new(engine, many_functions(count)).unwrap();
                        let mut store = Store::new(engine, ());
                        let instance = Instance::new(&mut store, &module, &[]).unwrap();
                        drop(module);
                        let run = instance.get_typed_func::<i32, i32>(&store, "run").unwrap();
                        assert_eq!(run.call(&mut store, 1).unwrap(), 1 + count as i32);
                    }
                });
            }
        });
        assert_eq!(engine.type_count(), 0);
    });
}

/// The embedder's types are values: equal ones are one type.
#[test]
fn equal_types_of_modules_and_hosts_are_one() {
    let engine = Engine::new(&Config::new()).unwrap();
    let text = r#"(module (func (export "f") (param i32 i64) (result f32) (f32.const 0)))"#;
    let one = Module::new(&engine, text).unwrap();
    let other = Module::new(&engine, text).unwrap();
    let ExternType::Func(ty) = one.exports().next().unwrap().ty else {
        panic!("a function");
    };
    let mut linker = Linker::<()>::new(&engine);
    linker.func_new("a", "b", ty, |_, _, _| Ok(())).unwrap();
    assert_eq!(engine.type_count(), 1);
    drop((one, other));
    assert_eq!(engine.type_count(), 1);
    drop(linker);
    assert_eq!(engine.type_count(), 0);
}

/// Panics when it goes.
struct Unruly;

impl Drop for Unruly {
    fn drop(&mut self) {
        panic!("what goes panics");
    }
}

/// What the embedder gave to a store panics as it goes: the rest goes all the same.
#[test]
fn a_panic_of_what_a_store_drops_leaves_nothing_behind() {
    every_tier(|config| {
        let engine = engine(&config);
        let drops = |what: Box<dyn FnOnce() + '_>| {
            let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(what));
            let panic = dropped.expect_err("it panics");
            assert_eq!(panic.downcast_ref::<&str>(), Some(&"what goes panics"));
            assert_eq!(engine.type_count(), 0);
        };
        let text = r#"(module (memory 1) (func (export "f") (param f32 f64)))"#;
        drops(Box::new(|| {
            let mut store = Store::new(&engine, Unruly);
            let module = Module::new(&engine, text).unwrap();
            Instance::new(&mut store, &module, &[]).unwrap();
        }));
        drops(Box::new(|| {
            let mut store = Store::new(&engine, ());
            zwasm::ExternRef::new(&mut store, Unruly);
            let module = Module::new(&engine, text).unwrap();
            Instance::new(&mut store, &module, &[]).unwrap();
        }));
        drops(Box::new(|| {
            let mut store = Store::new(&engine, ());
            let unruly = Unruly;
            Func::wrap(&mut store, move |_: i64| {
                let _ = &unruly;
            });
        }));
        drops(Box::new(|| {
            let mut linker = Linker::<()>::new(&engine);
            let unruly = Unruly;
            linker
                .func_wrap("h", "f", move || {
                    let _ = &unruly;
                })
                .unwrap();
        }));
        drops(Box::new(|| {
            let mut store = Store::new(&engine, zwasm::Limits::new());
            let unruly = Unruly;
            store.limiter(move |limits| {
                let _ = &unruly;
                limits
            });
        }));
        // In a host function, it is one that panics.
        let (mut store, unruly) = (Store::new(&engine, ()), std::sync::Mutex::new(Some(Unruly)));
        let func = Func::wrap(&mut store, move || drop(unruly.lock().unwrap().take()));
        let text = r#"(module (import "" "" (func $h)) (func (export "f") (call $h)))"#;
        let module = Module::new(&engine, text).unwrap();
        let instance = Instance::new(&mut store, &module, &[func.into()]).unwrap();
        let f = instance.get_typed_func::<(), ()>(&store, "f").unwrap();
        let call = std::panic::AssertUnwindSafe(|| f.call(&mut store, ()));
        assert!(std::panic::catch_unwind(call).is_err());
    });
}
