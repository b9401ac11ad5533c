//! Modules that are compiled once and run from then on without a compiler.

use super::{Module, decode, to_binary};
use crate::code::artifact::{self, Head, Kept, MAGIC, Setting, Source, strip};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::parallel;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex};
use zwasm_jit::contract::Compiled;

impl Engine {
    /// Compiles a module, in binary or text form, as the engine's tier does at best, on all cores, to
    /// bytes that [`Module::deserialize`] makes the module of again.
    ///
    /// They run in engines of native tiers with the same settings, in this version of zwasm, on
    /// processors with the same instruction set and features.
    ///
    /// # Errors
    /// As [`Module::new`] and [`Module::compile_all`]; and when the engine's tier makes no machine
    /// code.
    pub fn precompile_module(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        let setting = setting(self)?;
        let binary = to_binary(bytes.to_vec())?;
        let module = Module::from_vec(self, binary.clone())?;
        let functions = compile_all(&module)?;
        let info = &module.inner().info;
        let head = Head {
            module: strip(&binary)?,
            leaves_by_tail_call: info.leaves_by_tail_call,
            has_tail_calls: info.has_tail_calls,
            called_types: info.called_types.clone(),
        };
        artifact::write(&setting, &head, &functions)
    }
}

impl Module {
    /// A module as [`Engine::precompile_module`] has left it: its functions are neither validated nor
    /// compiled again. Each is checked and put in place when it is called first.
    ///
    /// # Safety
    /// The bytes are what [`Engine::precompile_module`] returned, unchanged: they contain machine code,
    /// which runs with all rights of the process. Whether they were made by this version, for this
    /// processor and these settings, and whether they were cut off or altered by accident, is checked: of
    /// functions when they are called first, which ends the call with an error.
    ///
    /// # Errors
    /// When that check fails, or the system has no memory for the code; in one line.
    pub unsafe fn deserialize(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<Module> {
        let bytes = bytes.as_ref().to_vec();
        open(engine, Source::Memory(bytes))
    }

    /// As [`Module::deserialize`], from a file, which stays open: of functions that nobody calls
    /// nothing is read.
    ///
    /// # Safety
    /// As there.
    ///
    /// # Errors
    /// As there, and when the file cannot be read.
    pub unsafe fn deserialize_file(engine: &Engine, path: impl AsRef<Path>) -> Result<Module> {
        let path = path.as_ref();
        let file = File::open(path)
            .map_err(|e| Error::usage(format!("cannot read {}: {e}", path.display())))?;
        open(engine, Source::File(file))
    }

    /// Whether bytes begin like what [`Engine::precompile_module`] returns.
    #[must_use]
    pub fn is_precompiled(bytes: &[u8]) -> bool {
        bytes.starts_with(MAGIC)
    }
}

fn open(engine: &Engine, source: Source) -> Result<Module> {
    let (head, kept) = Kept::open(source, &setting(engine)?)?;
    let inner = decode::decode_compiled(engine, head, kept)?;
    Ok(Module {
        inner: Arc::new(inner),
    })
}

/// What code of an engine is made for.
fn setting(engine: &Engine) -> Result<Setting> {
    let supply = engine.supply();
    supply.setting(engine).ok_or_else(|| {
        Error::usage(format!(
            "tier '{}' runs no machine code, so there is nothing to compile ahead",
            engine.tier()
        ))
    })
}

/// The machine code of all functions, in order.
fn compile_all(module: &Module) -> Result<Vec<Compiled>> {
    let inner = module.inner();
    let supply = inner.engine.supply();
    let count = inner.info.bodies.len();
    let next = AtomicUsize::new(0);
    let compiled: Mutex<Vec<(usize, Result<Compiled>)>> = Mutex::default();
    let threads = parallel::threads(inner.engine.config().validation_threads, count);
    parallel::run(threads, || {
        loop {
            let defined = next.fetch_add(1, Ordering::Relaxed);
            if defined >= count {
                return;
            }
            let made = supply.compiled(inner, defined as u32);
            let mut compiled = compiled.lock().expect("no panic while locked");
            if made.is_err() {
                // The others are of no use.
                next.store(count, Ordering::Relaxed);
            }
            compiled.push((defined, made));
        }
    });
    let mut compiled = compiled.into_inner().expect("no panic while locked");
    compiled.sort_unstable_by_key(|one| one.0);
    compiled.into_iter().map(|one| one.1).collect()
}
