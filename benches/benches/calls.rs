//! The cost of a call from the host, and of calls from a guest to itself and to the host.
//!
//! Guest-side numbers are for a loop of 1,000 calls; criterion shows calls per second. The loop
//! itself is in them, and is measured alone as `empty-loop`.

use criterion::{BenchmarkId, Criterion, Throughput};
use std::hint::black_box;
use zwasm::Tier;
use zwasm_benches::{Calls, LOOP_CALLS, engine};

fn from_host(c: &mut Criterion) {
    let mut group = c.benchmark_group("host-to-wasm");
    for &tier in Tier::ALL {
        let mut calls = Calls::new(&engine(tier));
        group.bench_function(BenchmarkId::new(tier.name(), "typed-nop"), |b| {
            b.iter(|| calls.nop.call(&mut calls.store, ()).expect("it returns"));
        });
        group.bench_function(BenchmarkId::new(tier.name(), "typed-add"), |b| {
            b.iter(|| {
                let args = black_box((2, 3));
                calls.add.call(&mut calls.store, args).expect("it returns")
            });
        });
        group.bench_function(BenchmarkId::new(tier.name(), "untyped-add"), |b| {
            b.iter(|| calls.add_untyped(black_box(2), black_box(3)));
        });
    }
    group.finish();
}

fn from_guest(c: &mut Criterion) {
    let mut group = c.benchmark_group("from-wasm");
    group.throughput(Throughput::Elements(LOOP_CALLS.unsigned_abs().into()));
    for &tier in Tier::ALL {
        let mut calls = Calls::new(&engine(tier));
        for (name, run) in &calls.loops {
            group.bench_function(BenchmarkId::new(tier.name(), *name), |b| {
                b.iter(|| {
                    let count = black_box(LOOP_CALLS);
                    run.call(&mut calls.store, count).expect("it returns")
                });
            });
        }
    }
    group.finish();
}

fn main() {
    let mut criterion = zwasm_benches::criterion();
    from_host(&mut criterion);
    from_guest(&mut criterion);
    criterion.final_summary();
}
