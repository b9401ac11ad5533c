//! The linker, and what does not fit.

use zwasm::{Engine, Func, Instance, Linker, Memory, MemoryType, Module, Store};

#[test]
fn names_are_taken_once_unless_shadowing_is_allowed() {
    let engine = Engine::default();
    let mut linker = Linker::<()>::new(&engine);
    linker.func_wrap("m", "f", || 1_i32).unwrap();
    let error = linker.func_wrap("m", "f", || 2_i32).unwrap_err();
    assert!(error.to_string().contains("'m'.'f'"), "{error}");
    linker.func_wrap("n", "f", || 3_i32).unwrap();
    linker
        .allow_shadowing(true)
        .func_wrap("m", "f", || 2_i32)
        .unwrap();
    let mut store = Store::new(&engine, ());
    let f = linker.get_func(&mut store, "m", "f").unwrap();
    assert_eq!(
        f.typed::<(), i32>(&store)
            .unwrap()
            .call(&mut store, ())
            .unwrap(),
        2
    );
    assert!(linker.get(&mut store, "m", "g").is_none());
}

const IMPORTS: &str = r#"(module
    (import "env" "a" (func $a (param i32) (result i64)))
    (import "env" "b" (func))
    (func (export "run") (result i64) (call $a (i32.const 1))))"#;

#[test]
fn all_unknown_imports_are_named_at_once() {
    let engine = Engine::default();
    let module = Module::new(&engine, IMPORTS).unwrap();
    let mut store = Store::new(&engine, ());
    let error = Linker::new(&engine)
        .instantiate(&mut store, &module)
        .unwrap_err();
    assert!(error.is_link());
    let text = error.to_string();
    assert!(
        text.contains("'env'.'a'") && text.contains("'env'.'b'"),
        "{text}"
    );
}

#[test]
fn unknown_imports_may_become_failures_at_the_call() {
    let engine = Engine::default();
    let module = Module::new(&engine, IMPORTS).unwrap();
    let mut store = Store::new(&engine, ());
    let mut linker = Linker::new(&engine);
    linker.func_wrap("env", "b", || {}).unwrap();
    linker.define_unknown_imports_as_traps(&module).unwrap();
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let run = instance.get_typed_func::<(), i64>(&store, "run").unwrap();
    let error = run.call(&mut store, ()).unwrap_err();
    assert!(error.to_string().contains("'env'.'a'"), "{error}");
}

#[test]
fn mismatched_imports_say_what_was_expected_and_found() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let func = Func::wrap(&mut store, |a: i32| a);
    let memory = Memory::new(&mut store, MemoryType::new(1, None)).unwrap();
    for (text, import, words) in [
        (
            r#"(module (import "a" "b" (func (param i64))))"#,
            func.into(),
            ["i64", "i32"],
        ),
        (
            r#"(module (import "a" "b" (func)))"#,
            memory.into(),
            ["function", "memory"],
        ),
        (
            r#"(module (import "a" "b" (memory 2)))"#,
            memory.into(),
            ["2..", "1.."],
        ),
        (
            r#"(module (import "a" "b" (memory 1 3)))"#,
            memory.into(),
            ["1..3", "1.."],
        ),
        (
            r#"(module (import "a" "b" (memory i64 1)))"#,
            memory.into(),
            ["64-bit", "memory"],
        ),
    ] {
        let module = Module::new(&engine, text).unwrap();
        let error = Instance::new(&mut store, &module, &[import]).unwrap_err();
        assert!(error.is_link());
        let message = error.to_string();
        assert!(
            words.iter().all(|word| message.contains(word)),
            "{text}: {message}"
        );
    }
    let module = Module::new(&engine, r#"(module (import "a" "b" (func)))"#).unwrap();
    assert!(
        Instance::new(&mut store, &module, &[])
            .unwrap_err()
            .is_link()
    );
}

#[test]
#[should_panic(expected = "does not belong")]
fn a_function_of_another_store_panics() {
    let engine = Engine::default();
    let mut one = Store::new(&engine, ());
    let mut other = Store::new(&engine, ());
    let func = Func::wrap(&mut one, || {});
    let _ = func.call(&mut other, &[], &mut []);
}

#[test]
#[should_panic(expected = "another store")]
fn an_import_of_another_store_panics() {
    let engine = Engine::default();
    let mut one = Store::new(&engine, ());
    let mut other = Store::new(&engine, ());
    let func = Func::wrap(&mut one, || {});
    let module = Module::new(&engine, r#"(module (import "" "" (func)))"#).unwrap();
    let _ = Instance::new(&mut other, &module, &[func.into()]);
}

#[test]
#[should_panic(expected = "does not belong")]
fn a_memory_of_another_store_panics() {
    let engine = Engine::default();
    let mut one = Store::new(&engine, ());
    let other = Store::new(&engine, ());
    let memory = Memory::new(&mut one, MemoryType::new(1, None)).unwrap();
    let _ = memory.data(&other);
}

#[test]
fn a_module_of_another_engine_is_refused() {
    let module = Module::new(&Engine::default(), "(module)").unwrap();
    let mut store = Store::new(&Engine::default(), ());
    let error = Instance::new(&mut store, &module, &[]).unwrap_err();
    assert!(error.to_string().contains("another engine"), "{error}");
}

#[test]
fn typed_functions_check_their_signature() {
    let (store, instance) = crate::instance(
        &zwasm::Config::new(),
        r#"(module (func (export "f") (param i32) (result i64) (i64.const 0)))"#,
    );
    assert!(instance.get_typed_func::<i32, i64>(&store, "f").is_ok());
    assert!(instance.get_typed_func::<u32, u64>(&store, "f").is_ok());
    for error in [
        instance
            .get_typed_func::<i32, i32>(&store, "f")
            .map(drop)
            .unwrap_err(),
        instance
            .get_typed_func::<(), i64>(&store, "f")
            .map(drop)
            .unwrap_err(),
        instance
            .get_typed_func::<(i32, i32), i64>(&store, "f")
            .map(drop)
            .unwrap_err(),
        instance
            .get_typed_func::<i32, ()>(&store, "f")
            .map(drop)
            .unwrap_err(),
        instance
            .get_typed_func::<i32, i64>(&store, "g")
            .map(drop)
            .unwrap_err(),
    ] {
        assert!(!error.to_string().is_empty());
    }
}
