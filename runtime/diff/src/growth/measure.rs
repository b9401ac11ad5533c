//! How long each tier takes for a shape at several sizes.

use super::Shape;
use anyhow::Result;
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;
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

/// The time that this thread has had a processor to itself: other programs do not count.
fn own_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.try_into().expect("a thread's time is not negative")
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
    let start = own_time();
    let module = Module::new(&engine, module)?;
    let loaded = own_time();
    if stage == Stage::Load {
        return Ok(loaded - start);
    }
    module.compile_all()?;
    Ok(own_time() - loaded)
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
    /// Of the smaller one, in the mean of all pairs.
    pub small: Duration,
    /// Of the larger one, in the mean of all pairs; of one in between if that took too long already.
    pub large: Duration,
    /// How much longer the larger one took, in the median of pairs; of one in between, at least so
    /// much longer.
    pub ratio: f64,
}

/// How much larger the larger body is.
pub const FACTOR: usize = 16;

/// How much longer it may take.
pub const RATIO_MAX: f64 = 24.0;

/// How many pairs are measured at least and at most, and how long the larger bodies may take in all
/// once there are enough.
const PAIRS: std::ops::RangeInclusive<usize> = 3..=15;
const PAIRS_TIME: Duration = Duration::from_millis(400);

/// Measures a shape.
///
/// # Errors
/// When a module is refused.
pub fn growth(shape: &Shape, stage: Stage, bytes: usize) -> Result<Growth> {
    let small = shape.module(bytes);
    let by = |factor| pairs(stage, &small, &shape.module(bytes * factor), factor);
    // Who is far off for a quarter of the size is not asked for more.
    let quarter = by(FACTOR / 4)?;
    if quarter.ratio > RATIO_MAX {
        return Ok(quarter);
    }
    by(FACTOR)
}

/// Measures in pairs, as many bytes in smaller bodies, one after another, as in the larger one that
/// comes right after them: a machine that others use is as fast for both.
fn pairs(stage: Stage, small: &[u8], large: &[u8], factor: usize) -> Result<Growth> {
    let (mut all_small, mut all_large) = (Duration::ZERO, Duration::ZERO);
    let mut ratios = Vec::new();
    while ratios.len() < *PAIRS.start() || ratios.len() < *PAIRS.end() && all_large < PAIRS_TIME {
        let mut together = Duration::ZERO;
        for _ in 0..factor {
            together += time(stage, small)?;
        }
        let large = time(stage, large)?;
        ratios.push(large.as_secs_f64() * factor as f64 / together.as_secs_f64());
        all_small += together;
        all_large += large;
    }
    ratios.sort_by(f64::total_cmp);
    let pairs = ratios.len();
    Ok(Growth {
        small: all_small / (pairs * factor) as u32,
        large: all_large / pairs as u32,
        ratio: ratios[pairs / 2],
    })
}
