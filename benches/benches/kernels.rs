//! Workloads of the corpus at small size, per tier.
//!
//! A sample is a whole run of the program in a fresh instance: it builds its input, runs its kernel
//! once and prints. Making the instance and comparing the output with the manifest are outside the
//! clock; translation is too, because a first run translates what the later ones reach.
//!
//! All samples come from one process, so these numbers find large changes quickly; conclusions
//! belong to `compare`, which takes the median iteration of many processes at standard size.

use criterion::{BenchmarkId, Criterion, SamplingMode};
use std::time::{Duration, Instant};
use zwasm::Tier;
use zwasm_benches::{Command, corpus, engine, kernels};

fn run(c: &mut Criterion) {
    let corpus = corpus();
    let mut group = c.benchmark_group("kernels");
    group.sampling_mode(SamplingMode::Flat);
    for &tier in Tier::ALL {
        let engine = engine(tier);
        for workload in kernels(&corpus) {
            let command = Command::load(&engine, &corpus, workload);
            group.bench_function(BenchmarkId::new(tier.name(), &workload.id), |b| {
                command.run_checked();
                b.iter_custom(|iterations| {
                    let mut elapsed = Duration::ZERO;
                    for _ in 0..iterations {
                        let mut guest = command.instantiate();
                        let start = Instant::now();
                        guest.run();
                        elapsed += start.elapsed();
                        guest.check();
                    }
                    elapsed
                });
            });
        }
    }
    group.finish();
}

fn main() {
    let mut criterion = zwasm_benches::criterion();
    run(&mut criterion);
    criterion.final_summary();
}
