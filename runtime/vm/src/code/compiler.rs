//! From a function of a module to machine code, for this machine or to be looked at.

use crate::engine::Tier;
use crate::error::{Error, Result};
use crate::module::{Module, ModuleInner, convert_val_type, scan};
use core::cell::OnceCell;
use core::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};
use wasmparser::{BinaryReader, FunctionBody};
use zwasm_core::TrapCode;
use zwasm_jit::baseline;
use zwasm_jit::contract::feedback::Observed;
use zwasm_jit::contract::midway::Place;
use zwasm_jit::contract::{CompileError, Compiled, Env, Usages};
use zwasm_jit::isa;
use zwasm_jit::masm::Masm;
use zwasm_jit::opt;
use zwasm_jit::opt::PassTimes;

/// An instruction set that zwasm compiles for; each is there on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Isa {
    /// 64-bit x86.
    X86_64,
    /// ARM64.
    Aarch64,
}

impl Isa {
    /// Every one.
    pub const ALL: [Isa; 2] = [Isa::X86_64, Isa::Aarch64];

    /// This machine's, if it is one of them.
    const HOST: Isa = if cfg!(target_arch = "aarch64") {
        Isa::Aarch64
    } else {
        Isa::X86_64
    };

    /// Its usual name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Isa::X86_64 => "x86_64",
            Isa::Aarch64 => "aarch64",
        }
    }
}

/// The machine code of one function, to be looked at.
#[derive(Clone, Debug)]
pub struct MachineCode {
    /// The code; it is position-independent.
    pub bytes: Vec<u8>,
    /// Where the code of each operator begins, in bytes, and the operator's offset in the module;
    /// ascending. What follows the last one's is traps and other cold paths.
    pub operators: Vec<(u32, u32)>,
    /// How long it took to make, with the operators noted.
    pub compile_time: Duration,
    /// What the passes of the optimizing compiler took and left; none of the baseline compiler.
    pub passes: PassTimes,
}

/// How one function was compiled; see [`Config::record_compilation`](crate::Config::record_compilation).
#[derive(Clone, Debug)]
pub struct Compilation {
    /// Index among all functions of the module.
    pub function: u32,
    /// On one thread.
    pub time: Duration,
    /// Size of the code.
    pub code_bytes: usize,
    /// What the passes of the optimizing compiler took and left; none of the baseline compiler.
    pub passes: PassTimes,
}

impl Module {
    /// What the baseline compiler makes of a function, given its index among those with a body.
    ///
    /// # Errors
    /// When there is no such function, or it is beyond a limit of the compiler.
    pub fn machine_code(&self, defined: u32, isa: Isa) -> Result<MachineCode> {
        self.machine_code_with(defined, isa, x86_64_features(self.inner()))
    }

    /// As [`Module::machine_code`], for processors that have everything zwasm knows of, so that the
    /// code is the same on every machine. For tests of the compilers.
    ///
    /// # Errors
    /// As there.
    #[doc(hidden)]
    pub fn machine_code_of_newest(&self, defined: u32, isa: Isa) -> Result<MachineCode> {
        self.machine_code_with(defined, isa, isa::x86_64::Features::ALL)
    }

    /// Compiles every function on this thread, for this machine, and drops the code: what the passes
    /// of the optimizing compiler take. Nothing, when the engine's tier is another.
    ///
    /// # Errors
    /// When a function is beyond a limit of the compiler.
    pub fn time_passes(&self) -> Result<PassTimes> {
        let mut times = PassTimes::default();
        let module = self.inner();
        if module.engine.tier() != Tier::Interp {
            let features = x86_64_features(module);
            for defined in 0..module.info.bodies.len() as u32 {
                compile_for(module, defined, Isa::HOST, features, false, &mut times)?;
            }
        }
        Ok(times)
    }

    /// Compiles a function for this machine's instruction set: register allocation as a problem for
    /// other allocators, and what the passes took. For a bench.
    ///
    /// # Errors
    /// As [`Module::machine_code`].
    #[cfg(feature = "lab")]
    #[doc(hidden)]
    pub fn allocation_problem(&self, defined: u32) -> Result<PassTimes> {
        let mut passes = PassTimes::with_problem();
        let features = x86_64_features(self.inner());
        compile_for(
            self.inner(),
            defined,
            Isa::HOST,
            features,
            true,
            &mut passes,
        )?;
        Ok(passes)
    }

    fn machine_code_with(
        &self,
        defined: u32,
        isa: Isa,
        x86_64: isa::x86_64::Features,
    ) -> Result<MachineCode> {
        let module = self.inner();
        if defined as usize >= module.info.bodies.len() {
            return Err(Error::usage(format!("there is no function {defined}")));
        }
        let mut passes = PassTimes::default();
        let start = Instant::now();
        let compiled = compile_for(module, defined, isa, x86_64, true, &mut passes)?;
        Ok(MachineCode {
            bytes: compiled.code,
            operators: compiled.operators,
            compile_time: start.elapsed(),
            passes,
        })
    }

    /// The intermediate form of the optimizing compiler as it is after a pass (the names are those of
    /// [`PassTimes`], spaces may be `-`), as text. Several when the pass runs again, as
    /// allocation does after spilling; the last is what went on.
    ///
    /// # Errors
    /// When there is no such function or pass, the engine's tier is another, or the function is left
    /// to the baseline compiler before that pass.
    pub fn dump(&self, defined: u32, isa: Isa, pass: &str) -> Result<Vec<String>> {
        let module = self.inner();
        if defined as usize >= module.info.bodies.len() {
            return Err(Error::usage(format!("there is no function {defined}")));
        }
        let pass = pass.replace('-', " ");
        let mut passes = PassTimes::dumping(&pass);
        compile_for(
            module,
            defined,
            isa,
            x86_64_features(module),
            true,
            &mut passes,
        )?;
        if passes.dumps.is_empty() {
            let known: Vec<&str> = passes.passes.iter().map(|pass| pass.name).collect();
            return Err(Error::usage(if known.is_empty() {
                "only the optimizing compiler has passes (tier opt)".to_owned()
            } else {
                format!("no pass '{pass}' ran; those that did: {}", known.join(", "))
            }));
        }
        Ok(passes.dumps)
    }
}

/// This machine's, if it has any, else none.
fn x86_64_features(module: &ModuleInner) -> isa::x86_64::Features {
    module.engine.supply().x86_64_features()
}

/// Compiles a function for an instruction set, on request with the offsets of operators.
fn compile_for(
    module: &ModuleInner,
    defined: u32,
    isa: Isa,
    x86_64: isa::x86_64::Features,
    record_operators: bool,
    passes: &mut PassTimes,
) -> Result<Compiled> {
    let wanted = Wanted {
        record_operators,
        ..Wanted::new(module, defined, None)
    };
    match isa {
        Isa::X86_64 => wanted.compile::<isa::x86_64::X64Masm>(x86_64, Some(passes)),
        Isa::Aarch64 => wanted.compile::<isa::aarch64::A64Masm>((), Some(passes)),
    }
}

/// A function that is to be compiled, and how.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'m> {
    module: &'m ModuleInner,
    defined: u32,
    /// Whether with the offset of each operator's code.
    record_operators: bool,
    /// Once it is other than zero, compilation ends with the trap [`TrapCode::Interrupted`].
    interrupt: Option<&'m AtomicU64>,
}

impl<'m> Wanted<'m> {
    /// Nothing but the code, unless `interrupt` says so.
    pub(crate) fn new(
        module: &'m ModuleInner,
        defined: u32,
        interrupt: Option<&'m AtomicU64>,
    ) -> Wanted<'m> {
        Wanted {
            module,
            defined,
            record_operators: false,
            interrupt,
        }
    }

    /// The best code of the engine's tier; adds to `times` what the passes of the optimizing compiler
    /// took.
    pub(crate) fn compile<M: Masm>(
        self,
        cpu: M::Features,
        mut times: Option<&mut PassTimes>,
    ) -> Result<Compiled> {
        match self.module.engine.tier() {
            Tier::Interp | Tier::Baseline => return self.baseline::<M>(cpu, false),
            Tier::Auto | Tier::Opt => {}
        }
        if let Some(compiled) =
            self.optimised::<M>(cpu, Place::START, None, times.as_deref_mut())?
        {
            return Ok(compiled);
        }
        if let Some(times) = times {
            times.left_to_baseline += 1;
        }
        self.baseline::<M>(cpu, false)
    }

    /// What the baseline compiler makes of it, with counts in it if it `tiers_up`.
    pub(crate) fn baseline<M: Masm>(self, cpu: M::Features, tiers_up: bool) -> Result<Compiled> {
        let scanned = OnceCell::new();
        let (env, body) = self.env(tiers_up, &scanned)?;
        let compiled = baseline::compile::<M>(env, cpu, self.func_index(), &body);
        compiled.map_err(|reason| self.error(reason))
    }

    /// What the optimizing compiler makes of it from this place on, with what was `observed`, if it does not
    /// decline; adds to `times` what its passes took.
    pub(crate) fn optimised<M: Masm>(
        self,
        cpu: M::Features,
        place: Place,
        observed: Option<&'m dyn Observed>,
        times: Option<&mut PassTimes>,
    ) -> Result<Option<Compiled>> {
        let scanned = OnceCell::new();
        let (mut env, body) = self.env(false, &scanned)?;
        env.enter_at = (place != Place::START).then_some(place);
        env.observed = observed;
        match opt::compile::<M>(env, cpu, self.func_index(), &body, times) {
            Ok(compiled) => Ok(Some(compiled)),
            Err(CompileError::Declined) => Ok(None),
            Err(reason) => Err(self.error(reason)),
        }
    }

    fn func_index(self) -> u32 {
        self.module.info.imported_funcs + self.defined
    }

    /// `scanned` is for what validation has not found, since it was not asked.
    fn env<'e>(
        self,
        tiers_up: bool,
        scanned: &'e OnceCell<Usages>,
    ) -> Result<(Env<'e>, FunctionBody<'e>)>
    where
        'm: 'e,
    {
        let module = self.module;
        let config = module.engine.config();
        let features = module.engine.features();
        let range = module.info.bodies[self.defined as usize].clone();
        let bytes = module.bytes.get(&range);
        let reader = BinaryReader::new_features(bytes, range.start as u64, features);
        let body = FunctionBody::new(reader);
        let usage = match module.found()?.usage(self.defined) {
            Some(usage) => usage,
            None => {
                let ty = module.func_type(self.func_index());
                let found = scan(&body, module.info.imported_funcs, ty.params());
                let found = found.map_err(|e| Error::module(e.message(), e.offset() as usize))?;
                scanned.get_or_init(|| found).get(0)
            }
        };
        let env = Env {
            info: &module.info,
            bytes: module.bytes.with_bodies(),
            features,
            types: &module.types,
            val_type: |ty, info| convert_val_type(ty, &info.types, usize::MAX),
            guarded: config.memory_reservation_bytes.is_none(),
            max_code_bytes: config.max_function_code_bytes,
            usage,
            consume_fuel: config.consume_fuel,
            tiers_up,
            observed: None,
            enter_at: None,
            stress: config.stress,
            record_operators: self.record_operators,
            interrupt: self.interrupt,
        };
        Ok((env, body))
    }

    fn error(self, reason: CompileError) -> Error {
        if reason == CompileError::Interrupted {
            return Error::from(TrapCode::Interrupted);
        }
        let func_index = self.func_index();
        let name = self.module.func_name(func_index);
        let name = name.map_or_else(String::new, |name| format!(" ({name})"));
        Error::resource(format!(
            "function {func_index}{name} cannot be compiled: {reason}"
        ))
    }
}
