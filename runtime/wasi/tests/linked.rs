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
/// A guest that imports every function under each of these names.
fn importing(modules: &[&str]) -> String {
    let mut text = String::from("(module\n");
    let functions = include_str!("guests/functions.txt");
    for line in functions.lines().filter(|line| !line.starts_with('#')) {
        let (name, types) = line.split_once(' ').expect("a name and types");
        for module in modules {
            // It came after the first snapshot.
            if (*module, name) != ("wasi_unstable", "sock_accept") {
                text += &format!("(import \"{module}\" \"{name}\" (func {types}))\n");
            }
        }
    }
    text + "(memory (export \"memory\") 1) (func (export \"_start\")))"
}

#[test]
fn all_functions_are_there() {
    let count = |text: &str| text.matches("(import").count();
    // 45 in the specification's last snapshot, and `sock_accept`, which came later.
    let new = importing(&["wasi_snapshot_preview1"]);
    assert_eq!(count(&new), 46);
    let old = importing(&["wasi_unstable"]);
    assert_eq!(count(&old), 45);
    let both = importing(&["wasi_snapshot_preview1", "wasi_unstable"]);
    assert_eq!(count(&both), 91);
    for text in [new, old, both] {
        let (result, _) = run(&text, |_| {});
        result.expect("all imports are found");
    }
}

#[test]
fn the_snapshot_before_runs_the_same_programs() {
    let (result, output) = run(
        &HELLO.replace("wasi_snapshot_preview1", "wasi_unstable"),
        |_| {},
    );
    let error = result.expect_err("the guest exits");
    assert_eq!(error.downcast_ref::<I32Exit>(), Some(&I32Exit(7)));
    assert_eq!(output, b"hello\n");
}

/// Opens a file by one snapshot, seeks and asks for its status by both, and ends with what the
/// descriptor's positions and sizes are.
#[test]
fn both_snapshots_share_descriptors_and_keep_their_layouts() {
    let text = r#"(module
        (import "wasi_unstable" "path_open"
          (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "wasi_unstable" "fd_seek" (func $seek_0 (param i32 i64 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_seek" (func $seek_1 (param i32 i64 i32 i32) (result i32)))
        (import "wasi_unstable" "fd_filestat_get" (func $stat_0 (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_filestat_get" (func $stat_1 (param i32 i32) (result i32)))
        (memory (export "memory") 1) (data (i32.const 0) "input")
        (func $check (param i32) (if (i32.eqz (local.get 0)) (then unreachable)))
        (func (export "_start") (local $fd i32)
          (call $check (i32.eqz (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 5)
            (i32.const 0) (i64.const -1) (i64.const -1) (i32.const 0) (i32.const 64))))
          (local.set $fd (i32.load (i32.const 64)))
          ;; 1 is the end in one and the current position in the other.
          (call $check (i32.eqz (call $seek_0 (local.get $fd) (i64.const -3) (i32.const 1) (i32.const 72))))
          (call $check (i64.eq (i64.load (i32.const 72)) (i64.const 10)))
          (call $check (i32.eqz (call $seek_1 (local.get $fd) (i64.const -3) (i32.const 1) (i32.const 72))))
          (call $check (i64.eq (i64.load (i32.const 72)) (i64.const 7)))
          (call $check (i32.eqz (call $stat_0 (local.get $fd) (i32.const 128))))
          (call $check (i64.eq (i64.load (i32.const 152)) (i64.const 13)))
          (call $check (i32.eqz (call $stat_1 (local.get $fd) (i32.const 256))))
          (call $check (i64.eq (i64.load (i32.const 288)) (i64.const 13)))))"#;
    let host = tempfile::tempdir().expect("a directory");
    std::fs::write(host.path().join("input"), "from the host").expect("a file");
    let (result, _) = run(text, |builder| {
        builder
            .preopened_dir(host.path(), "/", DirPerms::all(), FilePerms::all())
            .expect("the directory exists");
    });
    result.expect("every check holds");
}

#[test]
fn opening_a_pipe_without_a_reader_can_be_interrupted() {
    let host = tempfile::tempdir().expect("a directory");
    let pipe = host.path().join("input");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .expect("a pipe");
    let text = r#"(module
        (import "wasi_snapshot_preview1" "path_open"
          (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (memory (export "memory") 1) (data (i32.const 0) "input")
        (func (export "_start")
          (drop (call $open (i32.const 3) (i32.const 1) (i32.const 0) (i32.const 5)
            (i32.const 0) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 64)))))"#;
    let mut builder = WasiCtx::builder();
    builder
        .preopened_dir(host.path(), "/", DirPerms::all(), FilePerms::all())
        .expect("the directory exists");
    let begun = Instant::now();
    let result = start(text, builder.build(), |store| {
        let handle = store.interrupt_handle();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            handle.interrupt();
        });
    });
    let error = result.expect_err("interrupted");
    assert_eq!(error.trap_code(), Some(TrapCode::Interrupted));
    assert!(begun.elapsed() < Duration::from_secs(10));
}
