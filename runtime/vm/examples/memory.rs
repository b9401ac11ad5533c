//! Reads and writes a guest's memory from outside, and grows it.
//!
//! `cargo run -p zwasm --example memory`

use zwasm::{Engine, Instance, Module, Result, Store};

fn main() -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module
            (memory (export "memory") 1 4)
            (func (export "sum") (param i32 i32) (result i32) (local i32)
                (loop $next
                    (local.set 2 (i32.add (local.get 2) (i32.load8_u (local.get 0))))
                    (local.set 0 (i32.add (local.get 0) (i32.const 1)))
                    (br_if $next (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
                (local.get 2)))"#,
    )?;
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    let memory = instance
        .get_memory(&store, "memory")
        .expect("the module exports it");
    let sum = instance.get_typed_func::<(u32, u32), u32>(&store, "sum")?;

    // The whole contents as a slice, for as long as the store is borrowed.
    memory.data_mut(&mut store)[..4].copy_from_slice(&[10, 20, 30, 40]);
    println!("sum = {}", sum.call(&mut store, (0, 4))?);

    // Sizes are in pages of 64 KiB; the guest sees the new size at once.
    let before = memory.grow(&mut store, 2)?;
    println!("grew from {before} to {} pages", memory.size(&store));
    memory.write(&mut store, 3 * 65536 - 2, &[1, 2])?;
    println!("sum = {}", sum.call(&mut store, (3 * 65536 - 2, 2))?);
    println!(
        "beyond its maximum: {}",
        memory.grow(&mut store, 2).unwrap_err()
    );
    Ok(())
}
