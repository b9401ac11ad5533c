//! Calls an exported function with typed arguments.
//!
//! `cargo run -p zwasm --example hello`

use zwasm::{Engine, Instance, Module, Result, Store};

fn main() -> Result<()> {
    // An engine is shared by everything; modules may be binary or text.
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module
            (func (export "gcd") (param i64 i64) (result i64)
                (local i64)
                (loop $again
                    (if (i64.ne (local.get 1) (i64.const 0)) (then
                        (local.set 2 (i64.rem_u (local.get 0) (local.get 1)))
                        (local.set 0 (local.get 1))
                        (local.set 1 (local.get 2))
                        (br $again))))
                (local.get 0)))"#,
    )?;
    // A store owns what runs, and data of ours: here none.
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    // The signature is checked once, here; calls convert nothing but the numbers.
    let gcd = instance.get_typed_func::<(u64, u64), u64>(&store, "gcd")?;
    println!("gcd(1071, 462) = {}", gcd.call(&mut store, (1071, 462))?);
    Ok(())
}
