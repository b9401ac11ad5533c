//! Counts and bounds the work of a guest, the same on every run and machine.
//!
//! `cargo run -p zwasm --example fuel`

use zwasm::{Config, Engine, Instance, Module, Result, Store, TrapCode};

fn main() -> Result<()> {
    let engine = Engine::new(Config::new().consume_fuel(true))?;
    let module = Module::new(
        &engine,
        r#"(module (func $fib (export "fib") (param i32) (result i32)
            (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
                (then (local.get 0))
                (else (i32.add
                    (call $fib (i32.sub (local.get 0) (i32.const 1)))
                    (call $fib (i32.sub (local.get 0) (i32.const 2))))))))"#,
    )?;
    let mut store = Store::new(&engine, ());
    store.set_fuel(10_000)?;
    let instance = Instance::new(&mut store, &module, &[])?;
    let fib = instance.get_typed_func::<u32, u32>(&store, "fib")?;
    for n in [5, 10, 20] {
        let before = store.get_fuel()?;
        match fib.call(&mut store, n) {
            Ok(value) => println!("fib({n}) = {value}, fuel {}", before - store.get_fuel()?),
            Err(error) => {
                println!(
                    "fib({n}) stopped after fuel {before}: {}",
                    error.trap_code().unwrap()
                );
                assert_eq!(error.trap_code(), Some(TrapCode::OutOfFuel));
            }
        }
    }
    Ok(())
}
