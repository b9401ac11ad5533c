//! How engines are configured: tiers, reservations, fuel, and the detours of the compiler.

use fastrand::Rng;
use zwasm::{Config, Engine, Stress, Tier};

/// An engine keeps the code of all its modules: it is replaced after this many.
const MODULES_PER_ENGINE: u32 = 500;

/// Enough of the interpreter's stack for all that does not recurse without end: the rest takes time only.
const WASM_STACK_BYTES: usize = 1 << 20;

/// Enough native stack for the same, with the largest frames that detours make; threads that run guests need more.
const NATIVE_STACK_BYTES: usize = 16 << 20;
const SMALL_FRAMES_STACK_BYTES: usize = 4 << 20;

/// How much stack a thread needs to run modules, in bytes.
pub const THREAD_STACK_BYTES: usize = 64 << 20;

/// What a memory may grow to where there are no guard regions, in bytes.
const SMALL_RESERVATION_BYTES: u64 = 1 << 20;

/// When tier `auto` replaces code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TierUp {
    /// After how many iterations; a call counts as ten.
    pub after: u32,
    /// Whether other threads make the code that comes then.
    pub in_background: bool,
    /// Whether calls get it, or loops only: then every call comes to its loops in the first code.
    pub of_calls: bool,
}

/// One configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Setup {
    /// The tier under test.
    pub tier: Tier,
    /// When it replaces code, if it does.
    pub tier_up: Option<TierUp>,
    /// Whether both engines count fuel.
    pub fuel: bool,
    /// Whether memories have guard regions.
    pub guarded: bool,
    /// Whether the stack is so small that calls end early.
    pub small_stack: bool,
    /// Whether code must do without what only some processors have.
    pub portable: bool,
    /// The compiler's detours.
    pub stress: Stress,
}

/// The detours worth trying: each alone, and some together.
pub const STRESSES: &[Stress] = &[
    NONE,
    Stress {
        spill: true,
        ..NONE
    },
    Stress {
        few_registers: true,
        ..NONE
    },
    Stress {
        no_fold: true,
        ..NONE
    },
    Stress {
        far_branches: true,
        ..NONE
    },
    // Beyond the offsets that short instruction forms hold.
    Stress {
        frame_padding_bytes: 40_000,
        ..NONE
    },
    Stress {
        few_registers: true,
        no_fold: true,
        ..NONE
    },
    Stress {
        spill: true,
        few_registers: true,
        no_fold: true,
        frame_padding_bytes: 4_080,
        far_branches: true,
        inline: false,
    },
];

/// When functions of tier `auto` are to have better code: a call takes ten units.
const TIER_UPS: [u32; 5] = [0, 10, 25, 100, 1000];

const NONE: Stress = Stress {
    spill: false,
    few_registers: false,
    no_fold: false,
    frame_padding_bytes: 0,
    far_branches: false,
    inline: false,
};

impl Setup {
    /// Chooses one: the compiler takes detours in about half of them.
    pub fn choose(rng: &mut Rng) -> Setup {
        let tier = match rng.u8(..8) {
            // With the interpreter alone there is nothing to compare it with but itself.
            _ if Tier::ALL == [Tier::Interp] => Tier::Interp,
            0 => Tier::Baseline,
            1..4 => Tier::Auto,
            _ => Tier::Opt,
        };
        let tier_up = (tier == Tier::Auto).then(|| TierUp {
            after: TIER_UPS[rng.usize(..TIER_UPS.len())],
            // What other threads do is not the same the next time.
            in_background: rng.u8(..8) == 0,
            of_calls: rng.bool(),
        });
        let mut setup = Setup {
            tier,
            tier_up,
            fuel: rng.u8(..8) == 0,
            guarded: rng.bool(),
            small_stack: rng.u8(..16) == 0,
            portable: rng.u8(..4) == 0,
            stress: if rng.bool() {
                NONE
            } else {
                STRESSES[rng.usize(..STRESSES.len())]
            },
        };
        // Most callees are larger than what is inlined otherwise.
        setup.stress.inline |= rng.u8(..3) == 0;
        setup
    }

    /// The configuration of the interpreter or of the tier under test.
    fn config(self, tier: Tier) -> Config {
        let mut config = Config::new();
        let native_stack_bytes = match self.stress.frame_padding_bytes {
            0 => SMALL_FRAMES_STACK_BYTES,
            _ => NATIVE_STACK_BYTES,
        };
        config
            .tier(tier)
            .consume_fuel(self.fuel)
            .max_wasm_stack(WASM_STACK_BYTES)
            .max_native_stack(native_stack_bytes)
            .max_table_elements(20_000)
            .validation_threads(1)
            .portable_code(self.portable)
            .stress(self.stress);
        if let Some(TierUp {
            after,
            in_background,
            of_calls,
        }) = self.tier_up
        {
            config
                .tier_up_after(after)
                .tier_up_in_background(in_background)
                .tier_up_of_calls(of_calls);
        }
        if !self.guarded {
            config.memory_reservation(SMALL_RESERVATION_BYTES);
        }
        if self.small_stack && tier != Tier::Interp {
            config.max_native_stack(64 << 10);
        }
        config
    }
}

/// The interpreter and the tier to compare with it.
#[derive(Debug)]
pub struct Pair {
    /// The oracle.
    pub interpreter: Engine,
    /// The tier under test.
    pub native: Engine,
    /// Whether both count fuel.
    pub fuel: bool,
    uses: u32,
}

/// Engines, made when they are needed and used again.
#[derive(Debug)]
pub struct Engines {
    guards: bool,
    pairs: Vec<(Setup, Pair)>,
}

impl Engines {
    /// No engines yet.
    #[must_use]
    pub fn new() -> Engines {
        Engines {
            guards: true,
            pairs: Vec::new(),
        }
    }

    /// Leaves guard regions out, for emulators, which keep a record of every reserved page.
    pub fn without_guards(&mut self) {
        self.guards = false;
    }

    /// Whether address space may be used freely.
    #[must_use]
    pub fn have_guards(&self) -> bool {
        self.guards
    }

    /// The engines of a configuration.
    pub fn pair(&mut self, mut setup: Setup) -> &Pair {
        setup.guarded &= self.guards;
        let at = self.pairs.iter().position(|(of, _)| *of == setup);
        let at = at.unwrap_or_else(|| {
            self.pairs.push((setup, Pair::new(setup)));
            self.pairs.len() - 1
        });
        let pair = &mut self.pairs[at].1;
        pair.uses += 1;
        if pair.uses > MODULES_PER_ENGINE {
            *pair = Pair::new(setup);
        }
        pair
    }
}

impl Default for Engines {
    fn default() -> Engines {
        Engines::new()
    }
}

impl Pair {
    fn new(setup: Setup) -> Pair {
        let engine = |tier| Engine::new(&setup.config(tier)).expect("a valid configuration");
        Pair {
            interpreter: engine(Tier::Interp),
            native: engine(setup.tier),
            fuel: setup.fuel,
            uses: 0,
        }
    }
}
