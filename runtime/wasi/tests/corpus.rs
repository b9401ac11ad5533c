//! Every workload of the corpus and of the suites beside it at its small size, in this process, under every tier.
//!
//! `ZWASM_SPEC_RESERVATION_BYTES` says that this is an emulator: the interpreter is left out there.
#![cfg(target_os = "linux")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use zwasm::{Config, Engine, Error, Linker, Module, Store, Tier};
use zwasm_wasi::{I32Exit, MemoryOutput, WasiCtx, add_to_linker};
use zwasm_workloads::{Corpus, SUITES, Workload};

/// More than any workload writes.
const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// The guest's native stack lies on the thread that runs it.
const STACK_BYTES: usize = 4 << 20;

/// How a workload is run.
#[derive(Clone, Copy)]
enum Mode {
    /// Once, with its small inputs.
    Small,
    /// As `bench step small`, for two steps: of one kernel and of two.
    Steps,
}

fn run(corpus: &Corpus, workload: &Workload, tier: Tier, mode: Mode) -> Result<Vec<u8>, Error> {
    let engine = Engine::new(Config::new().tier(tier))?;
    let bytes = workload.read_verified(corpus);
    let module = Module::new(&engine, bytes.expect("the committed module"))?;
    let mut linker = Linker::new(&engine);
    add_to_linker(&mut linker, |ctx: &mut WasiCtx| ctx)?;
    let output = MemoryOutput::new(OUTPUT_BYTES_MAX);
    let mut ctx = WasiCtx::builder();
    ctx.stdout(output.clone()).arg(&workload.id);
    if let Mode::Steps = mode {
        ctx.args(["bench", "step"]).stdin([1, 2]);
    }
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

/// What two steps print, but for the times.
fn is_two_steps(output: &[u8], checksum: &str) -> bool {
    let text = String::from_utf8_lossy(output);
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(' ').collect()).collect();
    let is_step = |(number, line): (usize, &Vec<&str>)| match line[..] {
        ["iter", n, ns, sum] => {
            n == number.to_string() && ns.parse::<u64>().is_ok() && sum == checksum
        }
        _ => false,
    };
    lines.len() == 2 && lines.iter().enumerate().all(is_step)
}

/// The corpus, and the suites beside it.
fn all() -> Vec<Corpus> {
    let corpus = Corpus::load().expect("the committed corpus");
    let load = |suite| corpus.load_suite(suite).expect("a committed suite");
    let suites = SUITES.map(load);
    core::iter::once(corpus).chain(suites).collect()
}

fn check(corpus: &Corpus, tier: Tier, mode: Mode) {
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let work = || {
        while let Some(workload) = corpus.workloads.get(next.fetch_add(1, Ordering::Relaxed)) {
            let begun = Instant::now();
            let small = &workload.small;
            let is_right = |output: &[u8]| match mode {
                Mode::Small => output == small.expected.as_bytes(),
                Mode::Steps => is_two_steps(output, &small.checksum),
            };
            let failure = match run(corpus, workload, tier, mode) {
                Ok(output) if is_right(&output) => None,
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
        all()
            .iter()
            .for_each(|corpus| check(corpus, tier, Mode::Small));
    }
}

/// The harnesses of all source languages run an iteration for each byte that comes.
#[test]
fn every_workload_goes_step_by_step() {
    let tier = *Tier::ALL.last().expect("there is one");
    all()
        .iter()
        .for_each(|corpus| check(corpus, tier, Mode::Steps));
}
