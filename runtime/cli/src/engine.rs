//! Options that every command which runs code shares.

use crate::units;
use anyhow::Context;
use zwasm::{Config, Engine, Profiler, Tier};

/// How code is executed.
#[derive(Debug, clap::Args)]
pub(crate) struct EngineOptions {
    /// How functions are executed
    #[arg(long, value_name = "TIER", help = tier_help())]
    tier: Option<Tier>,

    /// Reserve only this much address space for each memory, which cannot grow further (65536, 64K,
    /// 512M, 2G) [default: all it may need; a part of it under `ulimit -v`]
    #[arg(long, value_name = "BYTES", value_parser = units::bytes)]
    memory_reservation: Option<usize>,

    /// Tell a profiler about machine code: `perfmap` or `jitdump`, for Linux perf
    #[arg(long, value_name = "FORMAT")]
    profile: Option<ProfileFormat>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum ProfileFormat {
    Perfmap,
    Jitdump,
}

/// Says when tier `auto` replaces code: `20000`, an amount of iterations, or `20000,wait`, and then the guest
/// waits for the better code.
const TIER_UP: &str = "ZWASM_TIER_UP";

fn tier_up(text: &str, config: &mut Config) -> anyhow::Result<()> {
    let waiting = text.strip_suffix(",wait");
    let iterations = waiting.unwrap_or(text).parse();
    let iterations = iterations.context("expected a number of iterations, or that with `,wait`")?;
    config.tier_up_after(iterations);
    config.tier_up_in_background(waiting.is_none());
    Ok(())
}

fn tier_help() -> String {
    let names: Vec<_> = Tier::ALL.iter().map(|tier| tier.name()).collect();
    let default = Tier::default();
    format!(
        "How functions are executed: {} [default: {default}]",
        names.join(", ")
    )
}

impl EngineOptions {
    pub(crate) fn config(&self) -> anyhow::Result<Config> {
        self.config_with(Tier::default())
    }

    /// With this tier unless another one is asked for.
    pub(crate) fn config_with(&self, default: Tier) -> anyhow::Result<Config> {
        let mut config = Config::new();
        if let Ok(text) = std::env::var(TIER_UP) {
            let said = tier_up(&text, &mut config);
            said.with_context(|| format!("the variable {TIER_UP}"))?;
        }
        config.tier(self.tier.unwrap_or(default));
        if let Some(bytes) = self.memory_reservation {
            config.memory_reservation(bytes as u64);
        }
        if let Some(format) = self.profile {
            config.profiler(match format {
                ProfileFormat::Perfmap => Profiler::PerfMap,
                ProfileFormat::Jitdump => Profiler::JitDump,
            });
        }
        Ok(config)
    }

    pub(crate) fn engine(&self) -> anyhow::Result<Engine> {
        Ok(Engine::new(&self.config()?)?)
    }
}
