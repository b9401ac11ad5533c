//! A few thousand modules, the same every time. The long run is the crate's command.
//!
//! `ZWASM_DIFF_MODULES=n` sets their number, `ZWASM_DIFF_SEED=n` the first seed,
//! `ZWASM_DIFF_NO_GUARDS=1` leaves guard regions out, for emulators.

use zwasm_diff::setup::{Engines, THREAD_STACK_BYTES};
use zwasm_diff::{Summary, check_seed};

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

#[test]
fn tiers_agree() {
    let count = number("ZWASM_DIFF_MODULES", 2_500);
    let first = number("ZWASM_DIFF_SEED", 0);
    // Each thread has engines of its own, and the same seeds every time on a machine.
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let run = |thread: usize| {
        let mut engines = Engines::new();
        if number("ZWASM_DIFF_NO_GUARDS", 0) == 1 {
            engines.without_guards();
        }
        let mut total = Summary::default();
        for seed in (first..first + count).skip(thread).step_by(threads) {
            match check_seed(&mut engines, seed) {
                Ok(summary) => total.add(summary),
                Err(mismatch) => panic!(
                    "seed {seed}: {} ({:?}); reproduce: cargo run -p zwasm-diff -- --seed {seed} \
                     --count 1",
                    mismatch.what, mismatch.setup
                ),
            }
        }
        total
    };
    let mut total = Summary::default();
    std::thread::scope(|scope| {
        let start = |index| {
            let thread = std::thread::Builder::new().stack_size(THREAD_STACK_BYTES);
            let thread = thread.spawn_scoped(scope, move || run(index));
            thread.expect("a thread")
        };
        let threads: Vec<_> = (0..threads).map(start).collect();
        for thread in threads {
            total.add(thread.join().expect("the message is above"));
        }
    });
    println!("{total:?}");
    assert!(total.instantiated + total.skipped > count * 9 / 10);
    assert!(total.returned > count && total.trapped > count);
    assert!(total.exhausted < count / 20);
    // What worlds are there for is reached, too.
    assert!(total.worlds > count / 5 && total.crossed > count);
    assert!(total.reentered > count / 20 && total.overflowed > count / 10);
    assert!(total.threads > count / 10 && total.host_threads > 0);
    assert!(total.hosts_tail_called > 0);
    // The emulator goes without the memories in which indices wrap.
    assert!(total.wrapped > 0 || total.skipped > 0);
}
