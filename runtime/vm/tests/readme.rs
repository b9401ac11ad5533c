//! The snippet in README.md, compiled and run, and compared with the text there.

fn snippet() -> zwasm::Result<()> {
    // begin
    use zwasm::{Caller, Engine, Linker, Module, Store};
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module
        (import "host" "count" (func $count (param i32)))
        (func (export "run") (param i32)
            (loop $again
                (call $count (local.get 0))
                (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#,
    )?;

    let mut linker = Linker::new(&engine);
    linker.func_wrap("host", "count", |mut caller: Caller<'_, i64>, n: i32| {
        *caller.data_mut() += i64::from(n);
    })?;

    let mut store = Store::new(&engine, 0_i64);
    let instance = linker.instantiate(&mut store, &module)?;
    instance
        .get_typed_func::<i32, ()>(&store, "run")?
        .call(&mut store, 10)?;
    assert_eq!(*store.data(), 55);
    // end
    Ok(())
}

#[test]
fn the_snippet_works_and_is_the_one_in_the_readme() {
    snippet().expect("the snippet runs");
    let words = |text: &str| {
        text.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let own = include_str!("readme.rs");
    let own = own
        .split("// begin")
        .nth(1)
        .and_then(|rest| rest.split("// end").next());
    let readme = include_str!("../../../README.md");
    let shown = readme
        .split("```rust")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let (own, shown) = (own.expect("marked"), shown.expect("a block"));
    assert_eq!(words(own), words(shown));
}
