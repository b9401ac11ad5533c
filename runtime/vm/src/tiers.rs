//! Where tiers meet what they run: the only file that names all of them.
//!
//! An engine holds who supplies code ([`Supply`]), a store who runs it ([`Runner`]). A build without
//! native tiers differs in this file and in which of its modules there are.

use crate::activation::Runner;
use crate::code::Supply;
use crate::engine::{Config, Engine, Tier};
use crate::error::Result;
use crate::interp::Interpreted;
use crate::interp::code::Translations;
use crate::store::Store;

impl Tier {
    /// Every tier of this build, from the slowest to the fastest.
    pub const ALL: &'static [Tier] = if cfg!(zwasm_native) {
        &[Tier::Interp, Tier::Baseline, Tier::Auto, Tier::Opt]
    } else {
        &[Tier::Interp]
    };
}

impl Default for Tier {
    /// Both JITs where they have been tried, else the interpreter.
    fn default() -> Tier {
        if cfg!(zwasm_native_by_default) {
            Tier::Auto
        } else {
            Tier::Interp
        }
    }
}

impl Engine {
    /// An engine with this configuration.
    ///
    /// # Errors
    /// When a limit makes no sense, or this build does not have the tier.
    pub fn new(config: &Config) -> Result<Engine> {
        Engine::with_supply(config, supply)
    }
}

impl<T: 'static> Store<T> {
    /// An empty store.
    pub fn new(engine: &Engine, data: T) -> Store<T> {
        Store::with_runner(engine, data, runner(engine.tier()))
    }
}

fn supply(tier: Tier, config: &Config) -> Result<Box<dyn Supply>> {
    match tier {
        Tier::Interp => Ok(Box::new(Translations)),
        #[cfg(zwasm_native)]
        Tier::Baseline | Tier::Auto | Tier::Opt => {
            Ok(Box::new(crate::native::NativeEngine::new(tier, config)?))
        }
        #[cfg(not(zwasm_native))]
        Tier::Baseline | Tier::Auto | Tier::Opt => {
            let _ = config;
            Err(crate::error::Error::usage(format!(
                "this build has no tier '{tier}'"
            )))
        }
    }
}

fn runner(tier: Tier) -> &'static dyn Runner {
    match tier {
        #[cfg(zwasm_native)]
        Tier::Baseline | Tier::Auto | Tier::Opt => &crate::native::NativeCalls,
        _ => &Interpreted,
    }
}
