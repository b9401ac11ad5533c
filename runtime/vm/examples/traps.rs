//! Tells a guest's fault from a host's error.
//!
//! `cargo run -p zwasm --example traps`

use zwasm::{Engine, Error, Linker, Module, Result, Store, TrapCode};

#[derive(Debug)]
struct NotToday;

impl std::fmt::Display for NotToday {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not today")
    }
}

impl std::error::Error for NotToday {}

fn main() -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module
            (import "host" "refuse" (func $refuse))
            (func $divide (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0)))
            (func (export "fault") (result i32) (call $divide (i32.const 0)))
            (func (export "ask") (call $refuse)))"#,
    )?;
    let mut linker = Linker::new(&engine);
    linker.func_wrap("host", "refuse", || -> Result<()> {
        Err(Error::host(NotToday))
    })?;
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module)?;

    // A trap has a code and the wasm frames, innermost first.
    let fault = instance.get_typed_func::<(), i32>(&store, "fault")?;
    let error = fault.call(&mut store, ()).unwrap_err();
    let trap = error.as_trap().expect("a division by zero");
    assert_eq!(trap.code(), TrapCode::IntegerDivisionByZero);
    for frame in trap.backtrace().frames() {
        println!("{} in {}", trap.code(), frame.name().unwrap_or("?"));
    }

    // An error of the host passes through the guest and is the same error outside.
    let ask = instance.get_typed_func::<(), ()>(&store, "ask")?;
    let error = ask.call(&mut store, ()).unwrap_err();
    assert!(error.as_trap().is_none());
    println!(
        "the host said: {}",
        error.downcast_ref::<NotToday>().expect("ours")
    );
    Ok(())
}
