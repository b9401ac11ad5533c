//! Bounds what a guest may allocate.
//!
//! `cargo run -p zwasm --example limits`

use zwasm::{Engine, Instance, Limits, Module, Result, Store};

fn main() -> Result<()> {
    let engine = Engine::default();
    let module = Module::new(
        &engine,
        r#"(module (memory 1)
            (func (export "hoard") (result i32)
                (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
                (memory.size)))"#,
    )?;
    // The limits are part of the store's data; any `ResourceLimiter` will do.
    let mut store = Store::new(&engine, Limits::new().max_memory_bytes(1 << 20));
    store.limiter(|limits| limits);
    let instance = Instance::new(&mut store, &module, &[])?;
    let hoard = instance.get_typed_func::<(), u32>(&store, "hoard")?;
    let pages = hoard.call(&mut store, ())?;
    println!("the guest got {pages} pages of 64 KiB");
    assert_eq!(pages, 16);

    let greedy = Module::new(&engine, "(module (memory 17))")?;
    println!("{}", Instance::new(&mut store, &greedy, &[]).unwrap_err());
    Ok(())
}
