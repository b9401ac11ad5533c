//! The engine: configuration, and what all modules and stores made with it share.

use crate::code::Supply;
use crate::code::cache::{self, CodeCache};
use crate::code::retire::AllRuns;
use crate::code::tier_up::{Queue, TierUp};
use crate::error::{Error, Result};
use crate::sys::rlimit;
use crate::types::TypeRegistry;
use core::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use wasmparser::WasmFeatures;
use zwasm_jit::contract::{MAX_CODE_BYTES, Stress};

/// How functions are executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tier {
    /// The portable interpreter: functions are translated to register bytecode on first call.
    Interp,
    /// The baseline JIT: functions are compiled to machine code, in one pass, on first call.
    Baseline,
    /// Both JITs: functions begin in the baseline JIT's code, and those that run often get the optimizing
    /// one's, made on other threads, for their later calls and at the heads of their loops. The default on
    /// Linux.
    Auto,
    /// The optimizing JIT: functions are compiled to better machine code, more slowly, on first call
    /// or all at once ([`Module::compile_all`](crate::Module::compile_all)).
    Opt,
}

impl Tier {
    /// Whether the command compiles modules as a whole before they run in this tier.
    #[must_use]
    pub const fn compiles_ahead(self) -> bool {
        match self {
            Tier::Interp => false,
            Tier::Baseline | Tier::Auto => false,
            Tier::Opt => true,
        }
    }

    /// The tier's name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Tier::Interp => "interp",
            Tier::Baseline => "baseline",
            Tier::Auto => "auto",
            Tier::Opt => "opt",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl core::str::FromStr for Tier {
    type Err = String;

    fn from_str(name: &str) -> Result<Tier, String> {
        Tier::ALL
            .iter()
            .copied()
            .find(|tier| tier.name() == name)
            .ok_or_else(|| {
                let names: Vec<_> = Tier::ALL.iter().map(|tier| tier.name()).collect();
                format!(
                    "unknown tier '{name}' (this build has: {})",
                    names.join(", ")
                )
            })
    }
}

/// Who is told about machine code as it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profiler {
    /// Linux `perf`, by a file of names and addresses in `/tmp`.
    PerfMap,
    /// Linux `perf` with `inject`, by a file with the code, in the current directory.
    JitDump,
}

/// More than any guest needs, and little enough to look through for references.
const MAX_WASM_STACK_BYTES: usize = if usize::BITS > 32 { 4 << 30 } else { 1 << 30 };

/// How an [`Engine`] behaves.
#[derive(Clone, Debug)]
pub struct Config {
    tier: Option<Tier>,
    pub(crate) consume_fuel: bool,
    pub(crate) max_wasm_stack_bytes: usize,
    pub(crate) max_native_stack_bytes: usize,
    pub(crate) portable_code: bool,
    pub(crate) memory_reservation_bytes: Option<u64>,
    pub(crate) max_table_elements: u64,
    pub(crate) max_function_code_bytes: u32,
    pub(crate) tier_up: TierUp,
    pub(crate) stress: Stress,
    pub(crate) validation_threads: Option<usize>,
    pub(crate) profiler: Option<Profiler>,
    pub(crate) record_compilation: bool,
    pub(crate) code_cache: Option<CodeCache>,
    pub(crate) features: WasmFeatures,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            tier: None,
            consume_fuel: false,
            max_wasm_stack_bytes: 8 << 20,
            max_native_stack_bytes: 1 << 20,
            portable_code: false,
            memory_reservation_bytes: None,
            max_table_elements: 10_000_000,
            max_function_code_bytes: MAX_CODE_BYTES,
            tier_up: TierUp::default(),
            stress: Stress::default(),
            validation_threads: None,
            profiler: None,
            record_compilation: false,
            code_cache: None,
            features: WasmFeatures::WASM2
                | WasmFeatures::EXTENDED_CONST
                | WasmFeatures::TAIL_CALL
                | WasmFeatures::MULTI_MEMORY
                | WasmFeatures::MEMORY64
                | WasmFeatures::RELAXED_SIMD
                | WasmFeatures::FUNCTION_REFERENCES
                | WasmFeatures::EXCEPTIONS
                | WasmFeatures::WIDE_ARITHMETIC
                | WasmFeatures::CUSTOM_PAGE_SIZES
                | WasmFeatures::THREADS,
        }
    }
}

macro_rules! feature_switches {
    ($($method:ident $feature:ident $what:literal;)*) => {
        /// Which proposals modules may use. All are on by default.
        impl Config {
            $(
                #[doc = concat!("Allows ", $what, ".")]
                pub fn $method(&mut self, allow: bool) -> &mut Config {
                    self.features.set(WasmFeatures::$feature, allow);
                    self
                }
            )*
        }
    };
}
feature_switches! {
    wasm_extended_const EXTENDED_CONST "arithmetic in constant expressions";
    wasm_tail_call TAIL_CALL "tail calls";
    wasm_multi_memory MULTI_MEMORY "several memories in a module";
    wasm_memory64 MEMORY64 "64-bit memories and tables";
    wasm_simd SIMD "128-bit vectors (switch relaxed SIMD off first)";
    wasm_relaxed_simd RELAXED_SIMD "relaxed vector instructions";
    wasm_function_references FUNCTION_REFERENCES "typed function references";
    wasm_exceptions EXCEPTIONS "exceptions (`try_table`, `throw`, `exnref`)";
    wasm_wide_arithmetic WIDE_ARITHMETIC "128-bit integer arithmetic";
    wasm_custom_page_sizes CUSTOM_PAGE_SIZES "memories with pages of one byte";
    wasm_threads THREADS "atomic instructions; shared memories are not there yet";
}

impl Config {
    /// The default configuration.
    #[must_use]
    pub fn new() -> Config {
        Config::default()
    }

    /// Chooses how functions are executed. Default: [`Tier::default()`].
    pub fn tier(&mut self, tier: Tier) -> &mut Config {
        self.tier = Some(tier);
        self
    }

    /// Counts deterministic fuel: every operator that is executed costs one unit, and a store whose
    /// fuel is used up traps. Off by default, when code is made without any counting.
    ///
    /// Operators are charged ahead, up to the next branch, call or end of a block, and at most
    /// 4095 at a time: code traps before operators that the fuel left does not pay for, and one
    /// that traps for another reason has paid for those that would have followed. Amounts and
    /// places are the same in every tier.
    pub fn consume_fuel(&mut self, yes: bool) -> &mut Config {
        self.consume_fuel = yes;
        self
    }

    /// Limits the value stack of the interpreter, in bytes: at least 4096, at most 4 GiB.
    /// Default: 8 MiB.
    pub fn max_wasm_stack(&mut self, bytes: usize) -> &mut Config {
        self.max_wasm_stack_bytes = bytes;
        self
    }

    /// Limits how much native stack the nesting of host and guest calls may use, in bytes; in
    /// native tiers that is also the guest's own stack.
    /// Default: 1 MiB; keep it below the stack size of the threads that run guests.
    pub fn max_native_stack(&mut self, bytes: usize) -> &mut Config {
        self.max_native_stack_bytes = bytes;
        self
    }

    /// Makes native tiers leave alone the instructions that only some processors of the instruction
    /// set have, whatever this one has: to reproduce what happens elsewhere. Off by default. On
    /// x86-64 all code then calls the runtime for vector operations; on ARM64 nothing changes.
    pub fn portable_code(&mut self, yes: bool) -> &mut Config {
        self.portable_code = yes;
        self
    }

    /// Reserves only this much address space for each memory instead of the whole 32-bit range,
    /// for hosts (and tools such as valgrind) that cannot reserve gigabytes. A memory cannot grow
    /// past its reservation, or its initial size where that is larger: `memory.grow` returns -1.
    /// Where the system has less, less is reserved.
    ///
    /// Default: the whole range, if the address space of the process has room for many such memories;
    /// where a limit (`ulimit -v`) leaves less, a quarter of that. Code for memories without the whole
    /// range compares addresses with the memory's size.
    pub fn memory_reservation(&mut self, bytes: u64) -> &mut Config {
        self.memory_reservation_bytes = Some(bytes);
        self
    }

    /// Limits the elements of each table. Default: 10,000,000.
    pub fn max_table_elements(&mut self, elements: u64) -> &mut Config {
        self.max_table_elements = elements;
        self
    }

    /// Limits the machine code of each function, in bytes. Calling a function that would need more
    /// ends with an error. Default, and most: 64 MiB.
    pub fn max_function_code(&mut self, bytes: u32) -> &mut Config {
        self.max_function_code_bytes = bytes;
        self
    }

    /// In tier [`Tier::Auto`]: how many iterations of loops a function does before it is to have better
    /// code; a call of it counts as ten. Default: 20,000.
    pub fn tier_up_after(&mut self, iterations: u32) -> &mut Config {
        self.tier_up.units = iterations;
        self
    }

    /// In tier [`Tier::Auto`]: whether other threads make the better code. Otherwise the guest waits for
    /// it, and when it has it depends on nothing but what it does. Default: yes.
    pub fn tier_up_in_background(&mut self, yes: bool) -> &mut Config {
        self.tier_up.in_background = yes;
        self
    }

    /// In tier [`Tier::Auto`]: whether calls get better code, too, or only loops that run, so that every
    /// call comes there in the code it had first; for tests. Default: yes.
    #[doc(hidden)]
    pub fn tier_up_of_calls(&mut self, yes: bool) -> &mut Config {
        self.tier_up.of_calls = yes;
        self
    }

    /// Makes native tiers take detours that are rare otherwise, for tests of the compiler.
    #[doc(hidden)]
    pub fn stress(&mut self, stress: Stress) -> &mut Config {
        self.stress = stress;
        self
    }

    /// Tells a profiler about machine code; the interpreter has none to tell of. Default: nobody.
    pub fn profiler(&mut self, profiler: Profiler) -> &mut Config {
        self.profiler = Some(profiler);
        self
    }

    /// Keeps how long each function took to compile, by pass, for
    /// [`Module::compilations`](crate::Module::compilations). Default: off.
    pub fn record_compilation(&mut self, yes: bool) -> &mut Config {
        self.record_compilation = yes;
        self
    }

    /// Keeps machine code of modules in files of this folder, and takes what it finds there in place of
    /// validating and compiling once more; small modules are quicker without. Files are written by
    /// [`Module::update_code_cache`](crate::Module::update_code_cache) and when modules go; code is
    /// never that of another build, setting or processor. The oldest files go when all have more than a
    /// gibibyte.
    ///
    /// What is in the folder is executed: it is made for its user alone, and is not used if it is another
    /// user's, or others may write there. Whatever goes wrong, there is no cache then.
    ///
    /// Default: none. [`Config::user_code_cache`] is where the command has its own.
    pub fn code_cache(&mut self, folder: impl Into<PathBuf>) -> &mut Config {
        self.code_cache = Some(CodeCache::new(folder.into()));
        self
    }

    /// Lets the files of the cache have another size together, in bytes, if there is one. Default: a
    /// gibibyte.
    pub fn code_cache_size(&mut self, bytes: u64) -> &mut Config {
        if let Some(cache) = &mut self.code_cache {
            cache.most_bytes = bytes;
        }
        self
    }

    /// The folder for machine code among the user's caches: `zwasm` in `$XDG_CACHE_HOME`, or else in
    /// `~/.cache`; none if neither is known.
    #[must_use]
    pub fn user_code_cache() -> Option<PathBuf> {
        cache::user_folder()
    }

    /// Validates function bodies, and makes all code when asked to, on this many threads. Default:
    /// one per core.
    pub fn validation_threads(&mut self, threads: usize) -> &mut Config {
        self.validation_threads = Some(threads);
        self
    }
}

/// With less address space, memories are not reserved as a whole: room for 64 of them.
const ROOMY_ADDRESS_SPACE_BYTES: u64 = 512 << 30;

/// What to reserve for each memory where the address space is limited.
fn reservation_of_limited_host() -> Option<u64> {
    let bytes = rlimit::address_space_bytes();
    (bytes < ROOMY_ADDRESS_SPACE_BYTES).then_some(bytes / 4)
}

/// Shared by modules and stores; cheap to clone.
#[derive(Clone, Debug)]
pub struct Engine {
    inner: Arc<EngineInner>,
}

#[derive(Debug)]
pub(crate) struct EngineInner {
    pub(crate) config: Config,
    tier: Tier,
    pub(crate) types: TypeRegistry,
    supply: Box<dyn Supply>,
    tier_ups: Queue,
    runs: AllRuns,
}

impl Default for Engine {
    fn default() -> Engine {
        Engine::new(&Config::default()).expect("the default configuration is valid")
    }
}

impl Engine {
    /// An engine with this configuration, whose code comes from what `supply` gives.
    pub(crate) fn with_supply(
        config: &Config,
        supply: fn(Tier, &Config) -> Result<Box<dyn Supply>>,
    ) -> Result<Engine> {
        if !(4096..=MAX_WASM_STACK_BYTES).contains(&config.max_wasm_stack_bytes) {
            return Err(Error::usage(
                "max_wasm_stack must be at least 4096 bytes and at most 4 GiB",
            ));
        }
        let tier = config.tier.unwrap_or_default();
        if config.validation_threads == Some(0) {
            return Err(Error::usage("validation_threads must be at least 1"));
        }
        let mut config = config.clone();
        let reservation = config.memory_reservation_bytes;
        config.memory_reservation_bytes = reservation.or_else(reservation_of_limited_host);
        Ok(Engine {
            inner: Arc::new(EngineInner {
                tier,
                types: TypeRegistry::default(),
                supply: supply(tier, &config)?,
                tier_ups: Queue::default(),
                runs: AllRuns::default(),
                config,
            }),
        })
    }

    /// The engine's configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// The tier that executes functions.
    #[must_use]
    pub fn tier(&self) -> Tier {
        self.inner.tier
    }

    /// Who makes the code of functions.
    pub(crate) fn supply(&self) -> &dyn Supply {
        &*self.inner.supply
    }

    /// The runs of its stores.
    pub(crate) fn runs(&self) -> &AllRuns {
        &self.inner.runs
    }

    /// The functions that wait for better code.
    pub(crate) fn tier_ups(&self) -> &Queue {
        &self.inner.tier_ups
    }

    /// How many function types the engine knows: those that its modules, host functions and stores
    /// use.
    #[must_use]
    pub fn type_count(&self) -> usize {
        self.inner.types.count()
    }

    pub(crate) fn inner(&self) -> &EngineInner {
        &self.inner
    }

    pub(crate) fn same(a: &Engine, b: &Engine) -> bool {
        Arc::ptr_eq(&a.inner, &b.inner)
    }

    /// The features of WebAssembly that modules may use.
    pub(crate) fn features(&self) -> WasmFeatures {
        self.inner.config.features
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tier_names_round_trip() {
        for &tier in Tier::ALL {
            assert_eq!(tier.name().parse::<Tier>(), Ok(tier));
        }
        assert!("warp".parse::<Tier>().unwrap_err().contains("interp"));
    }
}
