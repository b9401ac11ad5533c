//! The embedding API, behaviour by behaviour. Guests are inline text.

mod exceptions;
mod host;
mod instances;
mod interrupt;
mod limits;
mod linking;
mod threads;
mod values;

use zwasm::{Config, Engine, Instance, Module, Store, Tier};

/// Runs a test under every tier of this build.
fn every_tier(test: impl Fn(Config)) {
    for &tier in Tier::ALL {
        let mut config = Config::new();
        config.tier(tier);
        test(config);
    }
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

/// The resident memory of this process, where the system tells.
fn resident_bytes() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}
