//! Gives a guest a function of the host, which reads the guest's memory and changes our data.
//!
//! `cargo run -p zwasm --example host_function`

use zwasm::{Caller, Engine, Error, Extern, Linker, Module, Result, Store};

fn main() -> Result<()> {
    let engine = Engine::default();
    // The store's data: what the guest has logged.
    let mut store = Store::new(&engine, Vec::<String>::new());
    let mut linker = Linker::new(&engine);
    linker.func_wrap(
        "host",
        "log",
        |mut caller: Caller<'_, Vec<String>>, pointer: u32, length: u32| -> Result<u32> {
            let memory = caller
                .get_export("memory")
                .and_then(Extern::into_memory)
                .ok_or_else(|| Error::message("the guest exports no memory"))?;
            // The guest's numbers are not to be trusted: `read` checks them.
            let mut bytes = vec![0; usize::min(length as usize, 1024)];
            memory.read(&caller, pointer as usize, &mut bytes)?;
            caller
                .data_mut()
                .push(String::from_utf8_lossy(&bytes).into_owned());
            Ok(bytes.len() as u32)
        },
    )?;
    let module = Module::new(
        &engine,
        r#"(module
            (import "host" "log" (func $log (param i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 100) "hello from the guest")
            (func (export "run")
                (drop (call $log (i32.const 100) (i32.const 20)))
                (drop (call $log (i32.const 111) (i32.const 9)))))"#,
    )?;
    let instance = linker.instantiate(&mut store, &module)?;
    instance
        .get_typed_func::<(), ()>(&store, "run")?
        .call(&mut store, ())?;
    println!("{:?}", store.data());
    assert_eq!(store.data().len(), 2);
    Ok(())
}
