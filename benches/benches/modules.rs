//! From bytes to an instance: decoding and validating, translating, instantiating.
//!
//! *Decoding and validating* is what `Module::from_vec` does, in bytes of module per second; the
//! tiers share it, so only one is measured, on one thread and on as many as the engine takes.
//!
//! *Translating* is lazy and has no call of its own. Every function of the synthetic module is
//! called once in a way that returns at once, and the time is the engine's own account of it,
//! `ModuleStats::compile_time`, in bytes of function bodies per second. Real programs cannot be
//! made to call everything; there the functions that one small run reaches are counted per second.
//!
//! *Instantiating* is the life of an instance that never runs: a store, linking, memories, tables
//! and segments, and the dropping of it all.

use criterion::{BatchSize, BenchmarkId, Criterion, SamplingMode, Throughput};
use std::hint::black_box;
use std::time::Duration;
use zwasm::{Config, Engine, Instance, Module, Store, Tier};
use zwasm_benches::{
    Command, corpus, engine, module_bytes, synthetic_exports, synthetic_module, workload,
};

/// Enough for the work of all cores to outweigh starting threads.
const SYNTHETIC_FUNCTIONS: u32 = 10_000;

fn decode_and_validate(c: &mut Criterion) {
    let corpus = corpus();
    let modules = [
        ("synthetic", synthetic_module(SYNTHETIC_FUNCTIONS)),
        ("many-functions", module_bytes(&corpus, "many-functions")),
        ("json", module_bytes(&corpus, "json")),
        // Hardly any code: what a byte of data costs.
        ("data-segments", module_bytes(&corpus, "data-segments")),
    ];
    let mut group = c.benchmark_group("decode+validate");
    // Tens of milliseconds: growing samples would not fit into the measurement.
    group.sampling_mode(SamplingMode::Flat);
    for (name, bytes) in &modules {
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        let mut one_thread = Config::new();
        one_thread.validation_threads(1);
        for (threads, config) in [("1-thread", one_thread), ("all-cores", Config::new())] {
            let engine = Engine::new(&config).expect("the configuration is valid");
            group.bench_function(BenchmarkId::new(threads, name), |b| {
                b.iter_batched(
                    || bytes.clone(),
                    |bytes| Module::from_vec(&engine, bytes).expect("the module is valid"),
                    BatchSize::LargeInput,
                );
            });
        }
    }
    group.finish();
}

fn translate(c: &mut Criterion) {
    let mut group = c.benchmark_group("translate");
    // An iteration makes a new module and calls all its functions, most of which is not measured.
    group.sampling_mode(SamplingMode::Flat);
    let bytes = synthetic_module(SYNTHETIC_FUNCTIONS / 10);
    for &tier in Tier::ALL {
        let engine = engine(tier);
        let once = || {
            let module = Module::new(&engine, &bytes).expect("the module is valid");
            let mut store = Store::new(&engine, ());
            let instance = Instance::new(&mut store, &module, &[]).expect("it imports nothing");
            for export in synthetic_exports(&store, &instance) {
                export.call(&mut store, (0, 0)).expect("it returns at once");
            }
            let stats = module.stats();
            assert_eq!(stats.functions_compiled, stats.functions);
            stats
        };
        group.throughput(Throughput::Bytes(once().code_section_bytes as u64));
        group.bench_function(BenchmarkId::new(tier.name(), "synthetic"), |b| {
            b.iter_custom(|iterations| {
                (0..iterations)
                    .map(|_| once().compile_time)
                    .sum::<Duration>()
            });
        });

        let corpus = corpus();
        for id in ["json", "lz-huffman"] {
            let workload = workload(&corpus, id);
            let once = || {
                let command = Command::load(&engine, &corpus, workload);
                command.run_checked();
                command.module().stats()
            };
            group.throughput(Throughput::Elements(once().functions_compiled as u64));
            group.bench_function(BenchmarkId::new(tier.name(), id), |b| {
                b.iter_custom(|iterations| {
                    (0..iterations)
                        .map(|_| once().compile_time)
                        .sum::<Duration>()
                });
            });
        }
    }
    group.finish();
}

fn instantiate(c: &mut Criterion) {
    let corpus = corpus();
    let mut group = c.benchmark_group("instantiate");
    for &tier in Tier::ALL {
        let engine = engine(tier);
        for id in ["nop", "json", "many-functions", "data-segments"] {
            let command = Command::load(&engine, &corpus, workload(&corpus, id));
            group.bench_function(BenchmarkId::new(tier.name(), id), |b| {
                b.iter(|| black_box(command.instantiate()));
            });
        }
    }
    group.finish();
}

fn main() {
    let mut criterion = zwasm_benches::criterion();
    decode_and_validate(&mut criterion);
    translate(&mut criterion);
    instantiate(&mut criterion);
    criterion.final_summary();
}
