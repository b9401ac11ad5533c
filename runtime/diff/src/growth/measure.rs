//! How long each tier takes for a shape at several sizes.

use super::Shape;
use anyhow::Result;
use std::time::{Duration, Instant};
use zwasm::{Config, Engine, Module, Tier};

/// What is timed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Decoding and validation.
    Load,
    /// All code of a tier.
    Compile(Tier),
}

impl Stage {
    /// Every one.
    #[must_use]
    pub fn all() -> Vec<Stage> {
        let tiers = Tier::ALL.iter().copied().map(Stage::Compile);
        [Stage::Load].into_iter().chain(tiers).collect()
    }

    /// A short name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Stage::Load => "load",
            Stage::Compile(tier) => tier.name(),
        }
    }
}

/// The time that this thread has had a processor to itself: other programs do not count. Where the
/// system does not say, that which has passed.
fn own_time(since: Instant) -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ran = text.split(' ').next().and_then(|ns| ns.parse().ok());
    ran.map_or_else(|| since.elapsed(), Duration::from_nanos)
}

/// Runs a stage on a module, on one thread, and says how long it took.
///
/// # Errors
/// When the module is refused.
pub fn time(stage: Stage, module: &[u8]) -> Result<Duration> {
    let tier = match stage {
        Stage::Load => Tier::Interp,
        Stage::Compile(tier) => tier,
    };
    let mut config = Config::new();
    config.tier(tier).validation_threads(1);
    let engine = Engine::new(&config)?;
    let began = Instant::now();
    let start = own_time(began);
    let module = Module::new(&engine, module)?;
    let loaded = own_time(began);
    if stage == Stage::Load {
        return Ok(loaded - start);
    }
    module.compile_all()?;
    Ok(own_time(began) - loaded)
}

/// What the passes of the optimizing tier took for a module, in milliseconds, the longest first.
///
/// # Errors
/// When the module is refused.
pub fn passes(module: &[u8]) -> Result<Vec<(&'static str, u64, f64)>> {
    let mut config = Config::new();
    config.tier("opt".parse().map_err(anyhow::Error::msg)?);
    let module = Module::new(&Engine::new(&config)?, module)?;
    let times = module.time_passes()?;
    let passes = times.passes.iter();
    let mut passes: Vec<_> = passes
        .map(|pass| (pass.name, pass.runs, pass.time.as_secs_f64() * 1e3))
        .collect();
    passes.sort_by(|a, b| b.2.total_cmp(&a.2));
    if times.left_to_baseline > 0 {
        passes.push(("left to the baseline compiler", times.left_to_baseline, 0.0));
    }
    Ok(passes)
}

/// The times of a stage for bodies of a size, and of sixteen times that.
#[derive(Clone, Copy, Debug)]
pub struct Growth {
    /// Of the smaller one.
    pub small: Duration,
    /// Of the larger one; of one in between if that took too long already.
    pub large: Duration,
    /// How much longer the larger one took; of one in between, at least so much longer.
    pub ratio: f64,
}

/// How much larger the larger body is.
pub const FACTOR: usize = 16;

/// How much longer it may take.
pub const RATIO_MAX: f64 = 24.0;

/// How often a small body is measured at most, and for how long: the system counts a thread's time
/// in steps of some milliseconds.
const RUNS_MAX: u32 = 40;
const RUNS_TIME: Duration = Duration::from_millis(200);

/// The mean of several runs.
fn mean(stage: Stage, module: &[u8]) -> Result<Duration> {
    let (mut all, mut runs) = (Duration::ZERO, 0);
    while runs < RUNS_MAX && all < RUNS_TIME {
        all += time(stage, module)?;
        runs += 1;
    }
    Ok(all / runs)
}

/// Measures a shape.
///
/// # Errors
/// When a module is refused.
pub fn growth(shape: &Shape, stage: Stage, bytes: usize) -> Result<Growth> {
    let small = mean(stage, &shape.module(bytes))?;
    // Who is far off for a quarter of the size is not asked for more.
    let mut growth = Growth {
        small,
        large: small,
        ratio: 1.0,
    };
    for factor in [FACTOR / 4, FACTOR] {
        let module = shape.module(bytes * factor);
        let mut large = mean(stage, &module)?;
        let ratio = |large: Duration| large.as_secs_f64() / small.as_secs_f64();
        for _ in 0..2 {
            // Caches are others' as well.
            if factor == FACTOR && ratio(large) > RATIO_MAX * 0.7 {
                large = large.min(mean(stage, &module)?);
            }
        }
        growth.large = large;
        growth.ratio = ratio(large);
        if growth.ratio > RATIO_MAX {
            break;
        }
    }
    Ok(growth)
}
