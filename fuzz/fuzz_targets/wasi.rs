//! Every call of the interface with numbers from the input, on a memory filled from it.
//!
//! The guest's module imports all functions and offers one export per function, so the calls pass
//! through the linker as a real guest's do.
#![no_main]

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use zwasm::{Engine, Func, Instance, Linker, Memory, Module, Store, Val, ValType};
use zwasm_wasi::{DirPerms, FilePerms, MemoryOutput, WasiCtx, add_to_linker};

const FUNCTIONS: &str = include_str!("../../runtime/wasi/tests/guests/functions.txt");

struct Guest {
    module: Module,
    engine: Engine,
    host: tempfile::TempDir,
}

fn guest() -> Guest {
    let mut imports = String::new();
    let mut exports = String::new();
    for (i, line) in FUNCTIONS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .enumerate()
    {
        let (name, types) = line.split_once(' ').expect("a name and types");
        imports += &format!("(import \"wasi_snapshot_preview1\" \"{name}\" (func {types}))\n");
        exports += &format!("(export \"f{i}\" (func {i}))\n");
    }
    let text = format!("(module {imports} (memory (export \"memory\") 1) {exports})");
    let engine = Engine::default();
    let module = Module::new(&engine, text).expect("a valid module");
    let host = tempfile::tempdir().expect("a directory");
    Guest {
        module,
        engine,
        host,
    }
}

thread_local! {
    static GUEST: RefCell<Option<Guest>> = const { RefCell::new(None) };
}

fn start(guest: &Guest) -> (Store<WasiCtx>, Memory, Vec<Func>) {
    let _ = std::fs::write(guest.host.path().join("a"), "content");
    let mut builder = WasiCtx::builder();
    builder
        .args(["a", "b"])
        .env("c", "d")
        .stdout(MemoryOutput::new(1 << 12))
        .stderr(MemoryOutput::new(1 << 12))
        .max_descriptors(32)
        .preopened_dir(guest.host.path(), "/", DirPerms::all(), FilePerms::all())
        .expect("the directory exists");
    let mut store = Store::new(&guest.engine, builder.build());
    let mut linker = Linker::new(&guest.engine);
    add_to_linker(&mut linker, |ctx: &mut WasiCtx| ctx).expect("free names");
    let instance: Instance = linker
        .instantiate(&mut store, &guest.module)
        .expect("all is there");
    let memory = instance.get_memory(&store, "memory").expect("exported");
    let exports = instance.exports(&store);
    let funcs = exports
        .into_iter()
        .filter_map(|(_, item)| item.into_func())
        .collect();
    (store, memory, funcs)
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    GUEST.with_borrow_mut(|slot| {
        let guest = slot.get_or_insert_with(guest);
        let (mut store, memory, funcs) = start(guest);
        // A pattern of the input all over the memory, so that wild pointers find hostile contents.
        if let Some((&first, _)) = input.split_first() {
            for (i, byte) in memory.data_mut(&mut store).iter_mut().enumerate() {
                *byte = if first & 1 == 0 {
                    input[i % input.len()]
                } else {
                    (i / 7) as u8
                };
            }
        }
        // Calls that wait are stopped almost at once.
        let running = Arc::new(AtomicBool::new(true));
        let handle = store.interrupt_handle();
        let watch = running.clone();
        let watcher = std::thread::spawn(move || {
            while watch.load(Ordering::Relaxed) {
                std::thread::park_timeout(std::time::Duration::from_millis(5));
                handle.interrupt();
            }
        });
        let mut bytes = input.iter().copied();
        let mut number = || {
            // A shape, then what it needs: small, near the end of memory, or anything.
            Some(match bytes.next()? {
                shape @ 0..=127 => u64::from(shape),
                128..=159 => 65536 - u64::from(bytes.next()?),
                160..=191 => u64::from(bytes.next()?) << 8,
                192..=223 => u64::MAX - u64::from(bytes.next()?),
                _ => (0..8).try_fold(0, |n, _| Some(n << 8 | u64::from(bytes.next()?)))?,
            })
        };
        for _ in 0..20 {
            let Some(which) = number() else { break };
            let func = funcs[which as usize % funcs.len()];
            let ty = func.ty(&store);
            let args: Option<Vec<Val>> = ty
                .params()
                .iter()
                .map(|ty| {
                    let n = number()?;
                    Some(if *ty == ValType::I64 {
                        Val::I64(n as i64)
                    } else {
                        Val::I32(n as i32)
                    })
                })
                .collect();
            let Some(args) = args else { break };
            let mut results = vec![Val::I32(0); ty.results().len()];
            let _ = func.call(&mut store, &args, &mut results);
        }
        running.store(false, Ordering::Relaxed);
        watcher.thread().unpark();
        watcher.join().expect("the watcher does not panic");
    });
});
