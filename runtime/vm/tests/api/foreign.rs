//! What belongs to one store or engine and meets another: an error, or a panic with a message, and
//! never anything else.

use crate::{engine, every_tier};
use std::panic::{AssertUnwindSafe, catch_unwind};
use zwasm::{
    Caller, Engine, Error, Extern, ExternRef, ExternType, Func, FuncType, Global, GlobalType,
    HeapType, Instance, Linker, Memory, MemoryType, Module, Mutability, Ref, RefType, Store, Table,
    TableType, Tag, Val, ValType,
};

/// What a panic says.
fn panics<R>(run: impl FnOnce() -> R) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(run)) else {
        panic!("should have panicked");
    };
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast::<&str>().expect("a message")).to_owned(),
    }
}

fn assert_says<R>(result: Result<R, Error>, words: &str) {
    let Err(error) = result else {
        panic!("should have been refused");
    };
    assert!(error.to_string().contains(words), "{error}");
}

/// A module whose one type is `(func (param i64))`, called through a `funcref`, with an export that
/// gives references away.
const TAKES_I64: &str = r#"(module
    (import "h" "f" (func $f (param i64)))
    (func (export "run") (call $f (i64.const 0x4141414141414141))))"#;

/// The first types of two engines have equal numbers and nothing else in common.
#[test]
fn host_functions_of_another_engine_do_not_become_imports() {
    every_tier(|config| {
        let (here, there) = (engine(&config), engine(&config));
        let mut linker = Linker::<()>::new(&there);
        linker.func_wrap("h", "f", |_: Option<Func>| ()).unwrap();
        let module = Module::new(&here, TAKES_I64).unwrap();
        let mut store = Store::new(&here, ());
        assert_says(linker.instantiate(&mut store, &module), "another engine");
        let foreign = Module::new(&there, TAKES_I64).unwrap();
        assert_says(linker.instantiate(&mut store, &foreign), "another engine");
        let said = panics(|| linker.get(&mut store, "h", "f"));
        assert!(said.contains("another engine"), "{said}");
        let said = panics(|| linker.get_func(&mut store, "h", "f"));
        assert!(said.contains("another engine"), "{said}");
        assert_says(
            linker.define_unknown_imports_as_traps(&module).map(drop),
            "another engine",
        );
        // In its own engine, the same is a mismatch of types.
        let mut own = Store::new(&there, ());
        assert_says(linker.instantiate(&mut own, &foreign), "incompatible");
    });
}

#[test]
fn linkers_take_definitions_of_their_engine_and_the_named_store_only() {
    every_tier(|config| {
        let (here, there) = (engine(&config), engine(&config));
        let mut store = Store::new(&here, ());
        let mut sibling = Store::new(&here, ());
        let mut foreign = Store::new(&there, ());
        let mut linker = Linker::<()>::new(&here);
        let func = Func::wrap(&mut foreign, || {});
        assert_says(linker.define(&foreign, "h", "f", func), "another engine");
        assert_says(linker.define(&store, "h", "f", func), "another store");
        let memory = Memory::new(&mut sibling, MemoryType::new(1, None)).unwrap();
        assert_says(linker.define(&store, "h", "m", memory), "another store");

        // Defined for its own store, it is refused in others.
        linker.define(&sibling, "h", "m", memory).unwrap();
        let module = Module::new(&here, r#"(module (import "h" "m" (memory 1)))"#).unwrap();
        assert!(linker.instantiate(&mut sibling, &module).is_ok());
        assert_says(linker.instantiate(&mut store, &module), "another store");

        let exports = Module::new(&there, r#"(module (func (export "f")))"#).unwrap();
        let instance = Instance::new(&mut foreign, &exports, &[]).unwrap();
        assert_says(linker.instance(&foreign, "x", instance), "another engine");
        let said = panics(|| linker.instance(&store, "x", instance).map(drop));
        assert!(said.contains("does not belong"), "{said}");
    });
}

#[test]
fn imports_of_each_kind_of_another_store_panic() {
    every_tier(|config| {
        let engine = engine(&config);
        let mut one = Store::new(&engine, ());
        let mut other = Store::new(&engine, ());
        let i32_const = GlobalType {
            content: ValType::I32,
            mutability: Mutability::Const,
        };
        let items: [(&str, Extern); 5] = [
            ("(func)", Func::wrap(&mut one, || {}).into()),
            (
                "(memory 1)",
                Memory::new(&mut one, MemoryType::new(1, None))
                    .unwrap()
                    .into(),
            ),
            (
                "(table 1 funcref)",
                Table::new(&mut one, funcrefs(1), Ref::Func(None))
                    .unwrap()
                    .into(),
            ),
            (
                "(global i32)",
                Global::new(&mut one, i32_const, Val::I32(1))
                    .unwrap()
                    .into(),
            ),
            (
                "(tag)",
                Tag::new(&mut one, &FuncType::new([], [])).unwrap().into(),
            ),
        ];
        for (ty, item) in items {
            let text = format!(r#"(module (import "" "" {ty}))"#);
            let module = Module::new(&engine, text).unwrap();
            Instance::new(&mut one, &module, &[item]).unwrap();
            let said = panics(|| Instance::new(&mut other, &module, &[item]));
            assert!(said.contains("another store"), "{ty}: {said}");
            let said = panics(|| item.ty(&other));
            assert!(said.contains("does not belong"), "{ty}: {said}");
        }
    });
}

fn funcrefs(minimum: u64) -> TableType {
    TableType {
        element: RefType::FUNCREF,
        minimum,
        maximum: None,
        table64: false,
    }
}

/// Everything that a handle can be asked for.
#[test]
fn handles_panic_with_another_store() {
    every_tier(|config| {
        let engine = engine(&config);
        let text = r#"(module (memory (export "m") 1) (table (export "t") 1 funcref)
            (global (export "g") (mut i32) (i32.const 0)) (tag (export "e"))
            (func (export "f") (param i32) (result i32) (local.get 0)))"#;
        let module = Module::new(&engine, text).unwrap();
        let mut one = Store::new(&engine, ());
        let mut other = Store::new(&engine, ());
        let instance = Instance::new(&mut one, &module, &[]).unwrap();
        let [memory, table, global, func] =
            ["m", "t", "g", "f"].map(|name| instance.get_export(&one, name).unwrap());
        let (memory, table) = (memory.into_memory().unwrap(), table.into_table().unwrap());
        let (global, func) = (global.into_global().unwrap(), func.into_func().unwrap());
        let typed = func.typed::<i32, i32>(&one).unwrap();
        let object = ExternRef::new(&mut one, 1);
        let null = Ref::Func(None);
        let mut result = [Val::I32(0)];
        let said = [
            panics(|| instance.get_export(&other, "m")),
            panics(|| instance.exports(&other)),
            panics(|| instance.module(&other)),
            panics(|| memory.data(&other).len()),
            panics(|| memory.data_mut(&mut other).len()),
            panics(|| memory.size(&other)),
            panics(|| memory.data_size(&other)),
            panics(|| memory.grow(&mut other, 1).map(drop)),
            panics(|| memory.read(&other, 0, &mut [0]).map(drop)),
            panics(|| memory.write(&mut other, 0, &[0]).map(drop)),
            panics(|| table.get(&other, 0)),
            panics(|| table.size(&other)),
            panics(|| table.set(&mut other, 0, null).map(drop)),
            panics(|| table.grow(&mut other, 1, null).map(drop)),
            panics(|| global.get(&other)),
            panics(|| global.set(&mut other, Val::I32(1)).map(drop)),
            panics(|| func.call(&mut other, &[Val::I32(1)], &mut result).map(drop)),
            panics(|| func.ty(&other)),
            panics(|| func.typed::<i32, i32>(&other).map(drop)),
            panics(|| typed.call(&mut other, 1).map(drop)),
        ];
        for said in said {
            assert!(said.contains("does not belong"), "{said}");
        }
        let said = panics(|| object.data(&other).is::<i32>());
        assert!(said.contains("another store"), "{said}");
        assert_eq!(typed.call(&mut one, 5).unwrap(), 5, "its own still works");
    });
}

/// References of another store where values go: arguments, results, elements, initial values.
#[test]
fn references_of_another_store_are_errors() {
    every_tier(|config| {
        let engine = engine(&config);
        let mut one = Store::new(&engine, ());
        let mut other = Store::new(&engine, ());
        let func = Func::wrap(&mut one, || {});
        let object = ExternRef::new(&mut one, "object");
        let text = r#"(module
            (import "h" "f" (func $f (result funcref))) (import "h" "e" (func $e (result externref)))
            (table (export "t") 1 funcref)
            (func (export "take") (param funcref externref))
            (func (export "f") (drop (call $f))) (func (export "e") (drop (call $e))))"#;
        let module = Module::new(&engine, text).unwrap();
        let mut linker = Linker::new(&engine);
        linker.func_wrap("h", "f", move || Some(func)).unwrap();
        let ty = FuncType::new([], [ValType::EXTERNREF]);
        linker
            .func_new("h", "e", ty, move |_: Caller<'_, ()>, _, results| {
                results[0] = object.into();
                Ok(())
            })
            .unwrap();
        let instance = linker.instantiate(&mut other, &module).unwrap();
        for name in ["f", "e"] {
            let run = instance.get_typed_func::<(), ()>(&other, name).unwrap();
            assert_says(run.call(&mut other, ()), "another store");
        }
        let take = instance.get_func(&other, "take").unwrap();
        let null = Val::Ref(Ref::Extern(None));
        assert_says(
            take.call(&mut other, &[func.into(), null], &mut []),
            "another store",
        );
        let null = Val::Ref(Ref::Func(None));
        assert_says(
            take.call(&mut other, &[null, object.into()], &mut []),
            "another store",
        );
        let typed = take
            .typed::<(Option<Func>, Option<ExternRef>), ()>(&other)
            .unwrap();
        assert_says(typed.call(&mut other, (Some(func), None)), "another store");
        assert_says(
            typed.call(&mut other, (None, Some(object))),
            "another store",
        );
        typed.call(&mut other, (None, None)).unwrap();

        let reference = Ref::Func(Some(func));
        let table = instance.get_table(&other, "t").unwrap();
        assert_says(table.set(&mut other, 0, reference), "another store");
        assert_says(table.grow(&mut other, 1, reference), "another store");
        assert_says(
            Table::new(&mut other, funcrefs(1), reference),
            "another store",
        );
        let ty = GlobalType {
            content: ValType::FUNCREF,
            mutability: Mutability::Var,
        };
        assert_says(Global::new(&mut other, ty, func.into()), "another store");
        let global = Global::new(&mut other, ty, null).unwrap();
        assert_says(global.set(&mut other, func.into()), "another store");
    });
}

/// An exception that left a guest of one store is an error like any other in another store, and a
/// reference to it no value there.
#[test]
fn exceptions_stay_in_their_store() {
    every_tier(|config| {
        let engine = engine(&config);
        let thrower = r#"(module (tag $e (export "e") (param i32))
            (func (export "throw") (throw $e (i32.const 1)))
            (func (export "give") (result exnref)
              (block $h (result exnref) (try_table (catch_all_ref $h) (throw $e (i32.const 2))) (unreachable)))
            (func (export "take") (param exnref)))"#;
        let module = Module::new(&engine, thrower).unwrap();
        let mut inner = Store::new(&engine, ());
        let throws = Instance::new(&mut inner, &module, &[]).unwrap();
        let throw = throws.get_typed_func::<(), ()>(&inner, "throw").unwrap();
        let mut given = [Val::I32(0)];
        let give = throws.get_func(&inner, "give").unwrap();
        give.call(&mut inner, &[], &mut given).unwrap();

        let mut outer = Store::new(&engine, inner);
        let relay = Func::wrap(&mut outer, move |mut caller: Caller<'_, Store<()>>| {
            throw.call(caller.data_mut(), ())
        });
        let catcher = r#"(module (import "" "" (func $relay))
            (func (export "run") (result i32)
              (block $h (try_table (catch_all $h) (call $relay)) (return (i32.const 0)))
              (i32.const 1)))"#;
        let catcher = Module::new(&engine, catcher).unwrap();
        let catches = Instance::new(&mut outer, &catcher, &[relay.into()]).unwrap();
        let run = catches.get_typed_func::<(), i32>(&outer, "run").unwrap();
        let error = run.call(&mut outer, ()).unwrap_err();
        assert!(error.is_exception(), "it is not caught: {error}");

        let same = Instance::new(&mut outer, &module, &[]).unwrap();
        let take = same.get_func(&outer, "take").unwrap();
        assert_says(take.call(&mut outer, &given, &mut []), "another store");
    });
}

/// The type of the function that `text` exports as `f`.
fn type_of(engine: &Engine, text: &str) -> FuncType {
    let module = Module::new(engine, text).unwrap();
    let ty = module
        .exports()
        .find(|export| export.name == "f")
        .unwrap()
        .ty;
    match ty {
        ExternType::Func(ty) => ty,
        other => panic!("{other:?} is no function"),
    }
}

/// Types are plain values; those that mention others mean nothing in another engine, nor after all
/// that had them are gone.
#[test]
fn types_that_mention_foreign_types_are_refused() {
    every_tier(|config| {
        let (here, there) = (engine(&config), engine(&config));
        let text =
            r#"(module (type $t (func (param i32))) (func (export "f") (param (ref null $t))))"#;
        let kept = Module::new(&there, text).unwrap();
        let foreign = type_of(&there, text);
        let gone = type_of(&here, text);
        assert_eq!(here.type_count(), 0);
        // The same numbers, of other types.
        let occupied = Module::new(
            &here,
            r#"(module (type (func (result f64))) (type (func (result f32))))"#,
        );
        for ty in [foreign.clone(), gone] {
            let mut store = Store::new(&here, ());
            let mut linker = Linker::<()>::new(&here);
            let refused = linker.func_new("h", "f", ty.clone(), |_, _, _| Ok(()));
            assert_says(refused, "another engine");
            let said =
                panics(|| Func::new(&mut store, ty.clone(), |_: Caller<'_, ()>, _, _| Ok(())));
            assert!(said.contains("another engine"), "{said}");
            assert_says(Tag::new(&mut store, &ty), "another engine");
            let ValType::Ref(element) = ty.params()[0] else {
                panic!("a reference");
            };
            assert!(matches!(element.heap, HeapType::Concrete(_)));
            let table = TableType {
                element,
                ..funcrefs(1)
            };
            assert_says(
                Table::new(&mut store, table, Ref::Func(None)),
                "another engine",
            );
            let global = GlobalType {
                content: ty.params()[0],
                mutability: Mutability::Var,
            };
            let null = Val::Ref(Ref::Func(None));
            assert_says(Global::new(&mut store, global, null), "another engine");
        }
        drop((occupied, kept));

        // Where they are known, they are taken, and stay.
        let kept = Module::new(&there, text).unwrap();
        let again = type_of(&there, text);
        let mut store = Store::new(&there, ());
        let func = Func::new(&mut store, again.clone(), |_: Caller<'_, ()>, _, _| Ok(()));
        drop(kept);
        assert_eq!(func.ty(&store), again);
        drop(store);
        assert_eq!(there.type_count(), 0);
    });
}

/// A handle of a store that is gone is not one of a store whose records lie where its were.
#[test]
fn handles_of_stores_that_are_gone_are_nobodys() {
    let engine = Engine::default();
    let mut seen = Vec::new();
    for _ in 0..50 {
        let mut store = Store::new(&engine, ());
        let func = Func::wrap(&mut store, || {});
        assert!(!seen.contains(&func));
        for &old in &seen {
            let old: Func = old;
            let said = panics(|| old.ty(&store));
            assert!(said.contains("does not belong"), "{said}");
        }
        seen.push(func);
    }
}

/// Interrupting one store stops no other.
#[test]
fn interruptions_reach_their_store_only() {
    every_tier(|config| {
        let text = r#"(module (func (export "f") (result i32) (i32.const 7)))"#;
        let (one, _) = crate::instance(&config, text);
        let (mut other, instance) = crate::instance(&config, text);
        let handle = one.interrupt_handle();
        handle.interrupt();
        drop(one);
        handle.interrupt();
        let f = instance.get_typed_func::<(), i32>(&other, "f").unwrap();
        assert_eq!(f.call(&mut other, ()).unwrap(), 7);
        assert!(handle.is_interrupted());
    });
}
