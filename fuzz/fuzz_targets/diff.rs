//! The interpreter and the native tier on modules of the differential fuzzer, from seeds.
#![no_main]

use std::cell::RefCell;
use zwasm_diff::check_seed;
use zwasm_diff::setup::Engines;

thread_local! {
    static ENGINES: RefCell<Engines> = RefCell::new(Engines::new());
}

libfuzzer_sys::fuzz_target!(|seed: u64| {
    ENGINES.with_borrow_mut(|engines| {
        if let Err(mismatch) = check_seed(engines, seed) {
            panic!("seed {seed}: {} ({:?})", mismatch.what, mismatch.setup);
        }
    });
});
