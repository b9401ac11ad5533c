//! Modules that are compiled once and run from then on without a compiler.

use super::bytes::{around_images, is_in_image};
use super::{Module, ModuleInner, decode, sections, to_binary};
use crate::code::artifact::{self, Facts, Kept, MAGIC, Opened, Plan, Setting, Source, Whose};
use crate::engine::{Engine, Tier};
use crate::error::{Error, Result};
use crate::parallel;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex};
use zwasm_jit::contract::Compiled;

impl Engine {
    /// Compiles a module, in binary or text form, to bytes that [`Module::deserialize`] makes the module
    /// of again: [`Module::serialize`].
    ///
    /// # Errors
    /// As [`Module::new`] and [`Module::serialize`].
    pub fn precompile_module(&self, bytes: &[u8]) -> Result<Vec<u8>> {
        setting(self)?;
        Module::from_vec(self, to_binary(bytes.to_vec())?)?.serialize()
    }
}

impl Module {
    /// The module with machine code of all its functions, as bytes that [`Module::deserialize`] makes
    /// the module of again. What is not compiled yet is compiled for that, as the engine's tier does at
    /// best, on all cores.
    ///
    /// They run in engines of native tiers with the same settings, in this build of zwasm, on
    /// processors with the same instruction set and features.
    ///
    /// # Errors
    /// As [`Module::compile_all`]; and when the engine's tier makes no machine code.
    pub fn serialize(&self) -> Result<Vec<u8>> {
        let inner = self.inner();
        let setting = setting(&inner.engine)?;
        if let Some(kept) = inner.kept.as_ref().filter(|_| !inner.has_bodies()) {
            return kept.all();
        }
        let functions = all_code(inner)?;
        let module = stripped(inner)?;
        let names = inner.info.name_section.as_ref();
        let plan = Plan {
            setting: &setting,
            whose: Whose::Within(&module),
            names: names.map_or(&[], |range| inner.bytes.get(range)),
            facts: Facts::of(&inner.info),
            functions: functions.len() as u32,
        };
        artifact::to_vec(plan, &functions)
    }

    /// A module as [`Module::serialize`] has left it: its functions are neither validated nor
    /// compiled again. Each is checked and put in place when it is called first.
    ///
    /// # Safety
    /// The bytes are what [`Module::serialize`] returned, unchanged: they contain machine code,
    /// which runs with all rights of the process. Whether they were made by this build, for this
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
        let file = File::open(path).and_then(Source::file);
        let file =
            file.map_err(|e| Error::usage(format!("cannot read {}: {e}", path.display())))?;
        open(engine, file)
    }

    /// Whether bytes begin like what [`Module::serialize`] returns.
    #[must_use]
    pub fn is_precompiled(bytes: &[u8]) -> bool {
        bytes.starts_with(MAGIC)
    }
}

fn open(engine: &Engine, source: Source) -> Result<Module> {
    let Opened { whose, facts, kept } = Kept::open(source, &setting(engine)?)?;
    let Whose::Within(module) = whose else {
        return Err(Error::usage("this is code of a cache, without its module"));
    };
    let inner = decode::decode_compiled(engine, module, &facts, kept)?;
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

/// The best machine code of all functions, in order.
fn all_code(module: &ModuleInner) -> Result<Vec<Compiled>> {
    let supply = module.engine.supply();
    let mut there = module.code.newest(module);
    // It may be the first code, with counts in it.
    if module.engine.tier() == Tier::Auto {
        there.fill(None);
    }
    let count = there.len();
    let next = AtomicUsize::new(0);
    let all: Mutex<Vec<(usize, Result<Compiled>)>> = Mutex::default();
    let threads = parallel::threads(module.engine.config().validation_threads, count);
    parallel::run(threads, || {
        loop {
            let defined = next.fetch_add(1, Ordering::Relaxed);
            if defined >= count {
                return;
            }
            let code = there[defined].as_deref();
            let made = match code.and_then(|code| supply.as_compiled(code)) {
                Some(compiled) => Ok(compiled),
                None => supply.compiled(module, defined as u32),
            };
            let mut all = all.lock().expect("no panic while locked");
            if made.is_err() {
                // The others are of no use.
                next.store(count, Ordering::Relaxed);
            }
            all.push((defined, made));
        }
    });
    let mut all = all.into_inner().expect("no panic while locked");
    all.sort_unstable_by_key(|one| one.0);
    all.into_iter().map(|one| one.1).collect()
}

/// A module as it is kept with its machine code: its bodies only trap, and it has no custom sections.
fn stripped(module: &ModuleInner) -> Result<Vec<u8>> {
    /// No locals, `unreachable`, `end`; with its size.
    const BODY: [u8; 4] = [3, 0, 0x00, 0x0b];
    let end = module.info.bodies_end.max(sections::HEADER_BYTES);
    let bytes = &module.bytes.with_bodies()[..end];
    let mut out = bytes[..sections::HEADER_BYTES].to_vec();
    for (id, range) in sections::sections(bytes) {
        match id {
            sections::CODE => {
                let mut contents = Vec::new();
                let count = module.info.bodies.len();
                sections::add_length(&mut contents, count);
                (0..count).for_each(|_| contents.extend(BODY));
                sections::add(&mut out, id, &contents);
            }
            sections::CUSTOM => {}
            _ => sections::add(&mut out, id, &bytes[range]),
        }
    }
    if let Some(section) = &module.info.data_section {
        let mut contents = Vec::with_capacity(section.len());
        let images = module.images.as_ref();
        let segments = module.info.data.iter();
        let mut imaged = segments.filter(|segment| is_in_image(segment, images.is_some()));
        for range in around_images(&module.info, images.is_some()) {
            if !range.is_empty() {
                contents.extend_from_slice(module.bytes.get(&range));
            }
            if let (Some(images), Some(segment)) = (images, imaged.next()) {
                let read = images.read(segment, &mut contents);
                read.map_err(|error| Error::resource(format!("data cannot be read: {error}")))?;
            }
        }
        sections::add(&mut out, sections::DATA, &contents);
    }
    Ok(out)
}
