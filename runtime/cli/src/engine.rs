//! Options that every command which runs code shares.

use zwasm::{Config, Engine, Tier};

/// How code is executed.
#[derive(Debug, clap::Args)]
pub(crate) struct EngineOptions {
    /// How functions are executed.
    #[arg(long, value_name = "TIER", default_value_t = Tier::default(), help = tier_help())]
    pub(crate) tier: Tier,
}

fn tier_help() -> String {
    let names: Vec<_> = Tier::ALL.iter().map(|tier| tier.name()).collect();
    format!("How functions are executed: {}", names.join(", "))
}

impl EngineOptions {
    pub(crate) fn config(&self) -> Config {
        let mut config = Config::new();
        config.tier(self.tier);
        config
    }

    pub(crate) fn engine(&self) -> anyhow::Result<Engine> {
        Ok(Engine::new(&self.config())?)
    }
}
