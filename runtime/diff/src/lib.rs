//! Differential fuzzing: a module made from a seed runs under the interpreter and under a native
//! tier, and everything that can be observed must be the same afterwards.
//!
//! A seed decides everything: the generator ([`smith`] or [`shapes`]), the module, how the engines
//! are configured ([`setup`]), the arguments. [`check_seed`] is what the bounded test, the long-run
//! command and the fuzz target share; [`compare`] says what is compared.

#![forbid(unsafe_code)]

pub mod compare;
pub mod growth;
pub mod setup;
pub mod shapes;
pub mod smith;
mod values;

use fastrand::Rng;
use setup::{Engines, Setup};

/// What running a module showed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Modules looked at.
    pub modules: u64,
    /// Those that could be instantiated.
    pub instantiated: u64,
    /// Calls that returned, equally.
    pub returned: u64,
    /// Calls that trapped or threw, equally.
    pub trapped: u64,
    /// Modules given up because a stack ended, which tiers do at different depths.
    pub exhausted: u64,
}

impl Summary {
    /// Adds what others showed.
    pub fn add(&mut self, other: Summary) {
        self.modules += other.modules;
        self.instantiated += other.instantiated;
        self.returned += other.returned;
        self.trapped += other.trapped;
        self.exhausted += other.exhausted;
    }
}

/// Two tiers did not do the same.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// What the module was made from.
    pub seed: u64,
    /// How the native engine was configured.
    pub setup: Setup,
    /// What was different.
    pub what: String,
    /// The module.
    pub wasm: Vec<u8>,
}

/// The module of a seed.
#[must_use]
pub fn generate(seed: u64) -> Vec<u8> {
    let mut rng = Rng::with_seed(seed);
    if is_shape(&mut rng) {
        shapes::generate(&mut rng)
    } else {
        smith::generate(&mut rng)
    }
}

fn is_shape(rng: &mut Rng) -> bool {
    rng.u8(..4) != 0
}

/// Runs the module of a seed everywhere.
///
/// # Errors
/// When the tiers differ.
pub fn check_seed(engines: &mut Engines, seed: u64) -> Result<Summary, Box<Mismatch>> {
    check_module(engines, seed, generate(seed))
}

/// Runs a module everywhere, with the configuration and the arguments of a seed.
///
/// # Errors
/// When the tiers differ.
pub fn check_module(
    engines: &mut Engines,
    seed: u64,
    wasm: Vec<u8>,
) -> Result<Summary, Box<Mismatch>> {
    let mut rng = Rng::with_seed(seed ^ 0x5eed);
    let setup = Setup::choose(&mut rng);
    let pair = engines.pair(setup);
    compare::run(pair, &wasm, rng.u64(..)).map_err(|what| {
        Box::new(Mismatch {
            seed,
            setup,
            what,
            wasm,
        })
    })
}
