//! Differential fuzzing: a module made from a seed, or several that import each other (a *world*),
//! run under the interpreter and under a native tier, and everything that can be observed must be
//! the same afterwards.
//!
//! A seed decides everything: the generator ([`smith`], [`shapes`] or, for a third of the seeds,
//! [`shapes::world`]), the modules, what the host does when it is called, how the engines
//! are configured ([`setup`]), the arguments. [`check_seed`] is what the bounded test, the long-run
//! command and the fuzz target share; [`compare`] says what is compared.

#![forbid(unsafe_code)]

pub mod compare;
pub mod growth;
mod host;
pub mod setup;
pub mod shapes;
pub mod smith;
mod values;

use fastrand::Rng;
use setup::{Engines, Setup};
use shapes::world::{self, Plan};

/// What running a module showed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Modules looked at, where a world is one.
    pub modules: u64,
    /// Those that could be instantiated.
    pub instantiated: u64,
    /// Calls that returned, equally.
    pub returned: u64,
    /// Calls that trapped or threw, equally.
    pub trapped: u64,
    /// Modules given up because a stack ended, which tiers do at different depths.
    pub exhausted: u64,
    /// Seeds passed over because their memories are too large for the emulator.
    pub skipped: u64,
    /// Worlds among the modules.
    pub worlds: u64,
    /// Functions entered after one of another instance.
    pub crossed: u64,
    /// Host functions called by tail calls.
    pub hosts_tail_called: u64,
    /// Loops begun close to where their 32-bit index into a 64-bit memory of 4 GiB wraps.
    pub wrapped: u64,
    /// Calls of recursive functions, ended by the stack's end in both tiers.
    pub overflowed: u64,
    /// Calls from another thread than the one that made the store.
    pub threads: u64,
    /// Calls of host functions back into guests.
    pub reentered: u64,
    /// Those of them from another thread than the guest's.
    pub host_threads: u64,
}

impl Summary {
    /// Adds what others showed.
    pub fn add(&mut self, other: Summary) {
        self.modules += other.modules;
        self.instantiated += other.instantiated;
        self.returned += other.returned;
        self.trapped += other.trapped;
        self.exhausted += other.exhausted;
        self.skipped += other.skipped;
        self.worlds += other.worlds;
        self.crossed += other.crossed;
        self.hosts_tail_called += other.hosts_tail_called;
        self.wrapped += other.wrapped;
        self.overflowed += other.overflowed;
        self.threads += other.threads;
        self.reentered += other.reentered;
        self.host_threads += other.host_threads;
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
    /// The module, or those of the world.
    pub modules: Vec<Vec<u8>>,
}

/// The module of a seed, or the modules of its world.
#[must_use]
pub fn generate(seed: u64) -> Vec<Vec<u8>> {
    let mut rng = Rng::with_seed(seed);
    match world_plan(seed) {
        Some(plan) => world::generate(&mut rng, plan),
        None if is_shape(&mut rng) => vec![shapes::generate(&mut rng)],
        None => vec![smith::generate(&mut rng)],
    }
}

/// Whether a seed makes a world, and of which kind.
fn world_plan(seed: u64) -> Option<Plan> {
    let mut rng = Rng::with_seed(seed ^ 0x0077_01d5);
    (rng.u8(..3) == 0).then(|| Plan::choose(&mut rng))
}

fn is_shape(rng: &mut Rng) -> bool {
    rng.u8(..4) != 0
}

/// Runs the module of a seed everywhere.
///
/// # Errors
/// When the tiers differ.
pub fn check_seed(engines: &mut Engines, seed: u64) -> Result<Summary, Box<Mismatch>> {
    if !engines.have_guards() && world_plan(seed).is_some_and(|plan| plan.is_vast) {
        return Ok(Summary {
            skipped: 1,
            ..Summary::default()
        });
    }
    check_modules(engines, seed, generate(seed))
}

/// Runs a module, or a world, everywhere, with the configuration and the arguments of a seed.
///
/// # Errors
/// When the tiers differ.
pub fn check_modules(
    engines: &mut Engines,
    seed: u64,
    modules: Vec<Vec<u8>>,
) -> Result<Summary, Box<Mismatch>> {
    let mut rng = Rng::with_seed(seed ^ 0x5eed);
    let setup = Setup::choose(&mut rng);
    let pair = engines.pair(setup);
    compare::run(pair, &modules, rng.u64(..)).map_err(|what| {
        Box::new(Mismatch {
            seed,
            setup,
            what,
            modules,
        })
    })
}
