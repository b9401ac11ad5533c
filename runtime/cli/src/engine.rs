//! Options that every command which runs code shares.

use zwasm::{Config, Engine, Tier};

/// How code is executed.
#[derive(Debug, clap::Args)]
pub(crate) struct EngineOptions {
    /// How functions are executed
    #[arg(long, value_name = "TIER", help = tier_help())]
    tier: Option<Tier>,
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
    pub(crate) fn config(&self) -> Config {
        let mut config = Config::new();
        if let Some(tier) = self.tier {
            config.tier(tier);
        }
        config
    }

    pub(crate) fn engine(&self) -> anyhow::Result<Engine> {
        Ok(Engine::new(&self.config())?)
    }
}
