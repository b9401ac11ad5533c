//! What every tier must do alike, with and without guard regions: places where compilers go wrong.

mod atomics;
mod big_memories;
mod boundaries;
mod bulk;
mod bytes;
mod clears;
mod exceptions;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod feedback;
mod fill_loops;
mod fuel;
mod idioms;
mod inline;
mod limits;
mod memory_state;
mod regressions;
mod same_code;
mod tail_calls;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod tier_up;
mod unroll;

use zwasm::{Config, Engine, Instance, Module, Store, Tier};

/// Every tier of this build, with guard regions and with explicit checks; with these only where
/// `ZWASM_SPEC_RESERVATION_BYTES` says that reserving is dear. Tier `auto` changes code as early as may be,
/// that of calls and loops, or of loops only.
fn configurations() -> Vec<(Config, String)> {
    let is_dear = std::env::var("ZWASM_SPEC_RESERVATION_BYTES").is_ok_and(|it| !it.is_empty());
    let reservations: &[Option<u64>] = if is_dear {
        &[Some(1 << 20)]
    } else {
        &[None, Some(1 << 20)]
    };
    let mut all = Vec::new();
    for &tier in Tier::ALL {
        for &reservation in reservations {
            let mut config = Config::new();
            config.tier(tier).validation_threads(1);
            let mut name = format!("{tier}, reservation {reservation:?}");
            if let Some(bytes) = reservation {
                config.memory_reservation(bytes);
            }
            if tier == Tier::Auto {
                // No matter how fast other threads are.
                config.tier_up_after(0).tier_up_in_background(false);
                all.push((config.clone(), name.clone()));
                config.tier_up_of_calls(false);
                name += ", of loops";
            }
            all.push((config, name));
        }
    }
    all
}

/// An instance of a module without imports.
fn instantiate(config: &Config, module: impl AsRef<[u8]>) -> (Store<()>, Instance) {
    let engine = Engine::new(config).expect("a valid configuration");
    let module = Module::new(&engine, module).expect("a valid module");
    let mut store = Store::new(&engine, ());
    let instance = Instance::new(&mut store, &module, &[]).expect("no start function");
    (store, instance)
}

/// An instance that does all turns of loops one by one, as the source says: fuel is charged for each.
fn turn_by_turn(module: &str) -> (Store<()>, Instance) {
    let mut config = Config::new();
    config.tier(Tier::Interp).consume_fuel(true);
    let (mut store, instance) = instantiate(&config, module);
    store.set_fuel(u64::MAX).expect("on");
    (store, instance)
}
