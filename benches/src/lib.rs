//! What the benches of this crate share: engines per tier, guests from the corpus with their outputs
//! checked, a synthetic module, counters, and criterion's settings.
//!
//! Fixtures panic with a sentence when something is missing or wrong, because a bench that goes on
//! after that would measure something else. Nothing in here is timed by itself: benches decide what
//! is inside the clock, so every fixture splits into a part that prepares and a part that runs.
//!
//! Deliberately absent: statistics beyond criterion's. Comparing engines, or commits on a noisy
//! machine, is the business of `compare`, whose samples are processes.

mod calls;
pub mod counters;
mod guest;
mod synthetic;

pub use calls::{Calls, LOOP_CALLS};
pub use guest::{Command, Guest};
pub use synthetic::synthetic_module;

use criterion::Criterion;
use std::time::Duration;
use zwasm::{Config, Engine, Instance, Store, Tier, TypedFunc};
use zwasm_workloads::{CATEGORIES, Corpus, Workload};

/// The environment variable that chooses kernels: `all`, or ids separated by commas; without it,
/// one of each category.
pub const KERNELS_VARIABLE: &str = "ZWASM_BENCH_KERNELS";

/// Criterion, set so that all benches together take minutes: 10 samples in one second after a
/// warm-up of 0.3 s. Options on the command line still win.
pub fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        // Criterion's 100,000 resamples would take longer than the measurement.
        .nresamples(10_000)
        .without_plots()
        .configure_from_args()
}

/// An engine that executes in this tier, with all defaults otherwise.
pub fn engine(tier: Tier) -> Engine {
    Engine::new(Config::new().tier(tier)).expect("the defaults are valid")
}

/// The committed corpus, or the one that `ZWASM_WORKLOADS` names.
pub fn corpus() -> Corpus {
    Corpus::load().unwrap_or_else(|error| panic!("no corpus: {error}"))
}

/// A workload of the corpus.
pub fn workload<'c>(corpus: &'c Corpus, id: &str) -> &'c Workload {
    corpus
        .get(id)
        .unwrap_or_else(|| panic!("the corpus has no workload '{id}'"))
}

/// A workload's module, its checksum verified.
pub fn module_bytes(corpus: &Corpus, id: &str) -> Vec<u8> {
    workload(corpus, id)
        .read_verified(corpus)
        .unwrap_or_else(|error| panic!("{error}"))
}

/// The workloads whose kernels are run: what [`KERNELS_VARIABLE`] says, else the first of each
/// category. Start-up cases have no kernel worth running and are never among the latter.
pub fn kernels(corpus: &Corpus) -> Vec<&Workload> {
    match std::env::var(KERNELS_VARIABLE) {
        Ok(choice) => chosen(corpus, &choice),
        Err(_) => CATEGORIES
            .iter()
            .filter_map(|category| real(corpus).find(|w| w.category == *category))
            .collect(),
    }
}

fn chosen<'c>(corpus: &'c Corpus, choice: &str) -> Vec<&'c Workload> {
    match choice {
        "all" => real(corpus).collect(),
        ids => ids.split(',').map(|id| workload(corpus, id)).collect(),
    }
}

fn real(corpus: &Corpus) -> impl Iterator<Item = &Workload> {
    corpus.workloads.iter().filter(|w| !w.startup)
}

/// Everything that [`synthetic_module`] exports, ready to be called with one zero and one number.
///
/// The first call of a function translates all of it; the zero makes it return at once.
pub fn synthetic_exports<T: 'static>(
    store: &Store<T>,
    instance: &Instance,
) -> Vec<TypedFunc<(i32, i32), i32>> {
    instance
        .exports(store)
        .into_iter()
        .filter_map(|(_, item)| item.into_func())
        .map(|func| func.typed(store).expect("all functions have one type"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn one_kernel_of_each_category_that_has_one() {
        let corpus = corpus();
        let kernels: Vec<_> = CATEGORIES
            .iter()
            .filter_map(|category| real(&corpus).find(|w| w.category == *category))
            .collect();
        let categories: HashSet<_> = kernels.iter().map(|w| &w.category).collect();
        assert_eq!(categories.len(), kernels.len());
        assert_eq!(kernels.len(), CATEGORIES.len() - 1, "all but start-up");
    }

    #[test]
    fn kernels_are_chosen_by_id() {
        let corpus = corpus();
        let ids: Vec<_> = chosen(&corpus, "fib,nop").iter().map(|w| &w.id).collect();
        assert_eq!(ids, ["fib", "nop"]);
        assert!(chosen(&corpus, "all").len() > 20);
    }
}
