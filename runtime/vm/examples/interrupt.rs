//! Stops a guest that would run for ever.
//!
//! `cargo run -p zwasm --example interrupt`

use std::time::Duration;
use zwasm::{Engine, Instance, Module, Result, Store, TrapCode};

fn main() -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module (func (export "spin") (loop $for_ever (br $for_ever))))"#,
    )?;
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[])?;
    let spin = instance.get_typed_func::<(), ()>(&store, "spin")?;

    // A handle works from any thread, and may outlive the store.
    let handle = store.interrupt_handle();
    let timer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        handle.interrupt();
    });
    let error = spin.call(&mut store, ()).unwrap_err();
    timer.join().expect("the timer does not panic");
    println!("{error}");
    assert_eq!(error.trap_code(), Some(TrapCode::Interrupted));
    Ok(())
}
