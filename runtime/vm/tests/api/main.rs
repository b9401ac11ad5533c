//! The embedding API, behaviour by behaviour. Guests are inline text.

mod cache;
#[cfg(target_os = "linux")]
mod denied;
mod exceptions;
mod foreign;
mod host;
mod images;
mod instances;
mod interrupt;
mod limits;
mod linking;
mod numbers;
mod precompiled;
mod reclaim;
mod threads;
mod values;

use std::sync::{PoisonError, RwLock};
use zwasm::{Config, Engine, Instance, Module, Store, Tier};

/// Tests share a process; one that measures its memory must be alone in it.
static MEMORY: RwLock<()> = RwLock::new(());

/// Runs a test under every tier of this build.
fn every_tier(test: impl Fn(Config)) {
    let _shared = MEMORY.read().unwrap_or_else(PoisonError::into_inner);
    under_every_tier(test);
}

/// As [`every_tier`], while no other test runs.
fn every_tier_alone(test: impl Fn(Config)) {
    let _alone = MEMORY.write().unwrap_or_else(PoisonError::into_inner);
    under_every_tier(test);
}

fn under_every_tier(test: impl Fn(Config)) {
    for &tier in Tier::ALL {
        if tier == Tier::Auto && reservations_are_dear() {
            // Each tier takes gigabytes of an emulator's memory, and this one runs code of two others.
            continue;
        }
        let mut config = Config::new();
        config.tier(tier);
        test(config);
    }
}

/// Runs a test under every tier, with fuel on.
fn every_tier_with_fuel(test: impl Fn(Config)) {
    every_tier(|mut config| {
        config.consume_fuel(true);
        test(config);
    });
}

fn engine(config: &Config) -> Engine {
    Engine::new(config).expect("a valid configuration")
}

/// An instance of a module without imports in a store of its own.
fn instance(config: &Config, text: &str) -> (Store<()>, Instance) {
    let engine = engine(config);
    let module = Module::new(&engine, text).expect("a valid module");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("instantiates");
    (store, instance)
}

/// Whether address space costs memory, as under an emulator: `ZWASM_SPEC_RESERVATION_BYTES` says so.
fn reservations_are_dear() -> bool {
    std::env::var("ZWASM_SPEC_RESERVATION_BYTES").is_ok_and(|it| !it.is_empty())
}

/// The resident memory of this process, where the system tells.
fn resident_bytes() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}
