//! Every workload of the corpus at its small size, in this process, under every tier.
//!
//! `ZWASM_SPEC_RESERVATION_BYTES` says that this is an emulator: the interpreter is left out there.
#![cfg(target_os = "linux")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use zwasm::{Config, Engine, Error, Linker, Module, Store, Tier};
use zwasm_wasi::{I32Exit, MemoryOutput, WasiCtx, add_to_linker};
use zwasm_workloads::{Corpus, Workload};

/// More than any workload writes.
const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// The guest's native stack lies on the thread that runs it.
const STACK_BYTES: usize = 4 << 20;

fn run(corpus: &Corpus, workload: &Workload, tier: Tier) -> Result<Vec<u8>, Error> {
    let engine = Engine::new(Config::new().tier(tier))?;
    let bytes = workload.read_verified(corpus);
    let module = Module::new(&engine, bytes.expect("the committed module"))?;
    let mut linker = Linker::new(&engine);
    add_to_linker(&mut linker, |ctx: &mut WasiCtx| ctx)?;
    let output = MemoryOutput::new(OUTPUT_BYTES_MAX);
    let mut ctx = WasiCtx::builder();
    ctx.stdout(output.clone()).arg(&workload.id);
    for arg in &workload.small.args {
        ctx.arg(arg);
    }
    let mut store = Store::new(&engine, ctx.build());
    let instance = linker.instantiate(&mut store, &module)?;
    let start = instance.get_typed_func::<(), ()>(&store, "_start")?;
    match start.call(&mut store, ()) {
        Err(error) if error.downcast_ref() == Some(&I32Exit(0)) => {}
        result => result?,
    }
    Ok(output.contents())
}

fn check(tier: Tier) {
    let corpus = Corpus::load().expect("the committed corpus");
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let work = || {
        while let Some(workload) = corpus.workloads.get(next.fetch_add(1, Ordering::Relaxed)) {
            let begun = Instant::now();
            let failure = match run(&corpus, workload, tier) {
                Ok(output) if output == workload.small.expected.as_bytes() => None,
                Ok(output) => Some(String::from_utf8_lossy(&output).into_owned()),
                Err(error) => Some(error.to_string()),
            };
            println!("{tier} {:<24} {:>8.1?}", workload.id, begun.elapsed());
            if let Some(failure) = failure {
                let mut failures = failures.lock().expect("no panic while locked");
                failures.push(format!("{}: {failure}", workload.id));
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
            thread.spawn_scoped(scope, work).expect("a thread");
        }
    });
    let failures = failures.into_inner().expect("no panic while locked");
    assert!(failures.is_empty(), "{tier}: {}", failures.join("\n"));
}

#[test]
fn every_tier_prints_what_the_manifest_says() {
    let is_emulator =
        std::env::var("ZWASM_SPEC_RESERVATION_BYTES").is_ok_and(|bytes| !bytes.is_empty());
    for &tier in Tier::ALL {
        if tier == Tier::Interp && is_emulator && Tier::ALL.len() > 1 {
            println!("skipped: the interpreter under an emulator");
            continue;
        }
        check(tier);
    }
}
