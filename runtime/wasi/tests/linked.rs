//! Guests in the text format that call WASI through the engine.
#![cfg(target_os = "linux")]

use std::time::{Duration, Instant};
use zwasm::{Engine, Error, Linker, Module, Store, TrapCode};
use zwasm_wasi::{
    DirPerms, FilePerms, I32Exit, MemoryOutput, WasiCtx, WasiCtxBuilder, add_to_linker,
};

/// Runs `_start` of a guest with what `grant` gives it; returns the outcome and the output.
fn run(text: &str, grant: impl FnOnce(&mut WasiCtxBuilder)) -> (Result<(), Error>, Vec<u8>) {
    let output = MemoryOutput::new(1 << 16);
    let mut builder = WasiCtx::builder();
    builder.stdout(output.clone());
    grant(&mut builder);
    let result = start(text, builder.build(), |_| {});
    (result, output.contents())
}

fn start(text: &str, ctx: WasiCtx, prepare: impl FnOnce(&mut Store<WasiCtx>)) -> Result<(), Error> {
    let engine = Engine::default();
    let module = Module::new(&engine, text)?;
    let mut linker = Linker::new(&engine);
    add_to_linker(&mut linker, |ctx: &mut WasiCtx| ctx)?;
    let mut store = Store::new(&engine, ctx);
    prepare(&mut store);
    let instance = linker.instantiate(&mut store, &module)?;
    let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
    start.call(&mut store, ())
}

const HELLO: &str = include_str!("guests/hello.wat");
const COPY: &str = include_str!("guests/copy.wat");
const SLEEP: &str = include_str!("guests/sleep.wat");

#[test]
fn hello_and_exit() {
    let (result, output) = run(HELLO, |_| {});
    let error = result.expect_err("the guest exits");
    assert_eq!(error.downcast_ref::<I32Exit>(), Some(&I32Exit(7)));
    assert_eq!(output, b"hello\n");
}

#[test]
fn a_file_is_copied_to_the_output() {
    let host = tempfile::tempdir().expect("a directory");
    std::fs::write(host.path().join("input"), "from the host").expect("a file");
    let (result, output) = run(COPY, |builder| {
        builder
            .preopened_dir(host.path(), "/", DirPerms::READ, FilePerms::READ)
            .expect("the directory exists");
    });
    result.expect("the guest returns");
    assert_eq!(output, b"from the host");
    // Without the directory the guest leaves with the error number of `path_open`.
    let (result, output) = run(COPY, |_| {});
    let error = result.expect_err("the guest exits");
    assert_eq!(error.downcast_ref::<I32Exit>(), Some(&I32Exit(8)));
    assert_eq!(output, b"");
}

#[test]
fn an_interruption_ends_a_sleep() {
    let begun = Instant::now();
    let result = start(SLEEP, WasiCtx::builder().build(), |store| {
        let handle = store.interrupt_handle();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            handle.interrupt();
        });
    });
    let error = result.expect_err("the guest is stopped");
    assert_eq!(error.trap_code(), Some(TrapCode::Interrupted));
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_guest_needs_a_memory() {
    let text = r#"(module
        (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
        (func (export "_start") (drop (call $yield))))"#;
    let (result, _) = run(text, |_| {});
    let error = result.expect_err("there is no memory");
    assert!(error.to_string().contains("memory"), "{error}");
}

/// Every function of the interface, with the types that the specification gives it.
#[test]
fn all_functions_are_there() {
    let mut text = String::from("(module\n");
    let functions = include_str!("guests/functions.txt");
    for line in functions.lines().filter(|line| !line.starts_with('#')) {
        let (name, types) = line.split_once(' ').expect("a name and types");
        text += &format!("(import \"wasi_snapshot_preview1\" \"{name}\" (func {types}))\n");
    }
    text += "(memory (export \"memory\") 1) (func (export \"_start\")))";
    let (result, _) = run(&text, |_| {});
    result.expect("all imports are found");
    let count = text.matches("(import").count();
    // 45 in the specification's last snapshot, and `sock_accept`, which came later.
    assert_eq!(count, 46);
}
