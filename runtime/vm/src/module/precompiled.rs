//! Modules that are compiled once and run from then on without a compiler.

use super::bytes::around_images;
use super::image::{Images, Run};
use super::{Module, ModuleInner, decode, sections, to_binary};
use crate::code::artifact::{self, Facts, Kept, MAGIC, Opened, Plan, Setting, Source, Whose};
use crate::engine::{Engine, Tier};
use crate::error::{Error, Result};
use crate::parallel;
use crate::sys::sealed::SealedFile;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use zwasm_core::module::ModuleInfo;
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
        let module = stripped(inner);
        let images = inner.images.as_ref().map(Images::contents).transpose();
        let images = images.map_err(|e| Error::resource(format!("data cannot be read: {e}")))?;
        let (runs, pages) = images.unwrap_or_default();
        let names = inner.info.name_section.as_ref();
        let plan = Plan {
            setting: &setting,
            whose: Whose::Within(&module),
            names: names.map_or(&[], |range| inner.bytes.get(range)),
            images: (runs, &pages),
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
        let source = Source::Memory(bytes.as_ref().to_vec());
        // SAFETY: the caller has promised it.
        unsafe { open(engine, source) }
    }

    /// As [`Module::deserialize`], from a file, which stays open: of functions that nobody calls
    /// and pages of data that nobody touches nothing is read. Processes share pages of data until they
    /// write to them.
    ///
    /// # Safety
    /// As there; and nobody writes to the file or shortens it as long as the module or an instance of it is
    /// there, as with a shared library. To put another one in its place, by renaming, is no such thing.
    ///
    /// # Errors
    /// As there, and when the file cannot be read.
    pub unsafe fn deserialize_file(engine: &Engine, path: impl AsRef<Path>) -> Result<Module> {
        let path = path.as_ref();
        let file = File::open(path).and_then(Source::file);
        let file =
            file.map_err(|e| Error::usage(format!("cannot read {}: {e}", path.display())))?;
        // SAFETY: the caller has promised it.
        unsafe { open(engine, file) }
    }

    /// Whether bytes begin like what [`Module::serialize`] returns.
    #[must_use]
    pub fn is_precompiled(bytes: &[u8]) -> bool {
        bytes.starts_with(MAGIC)
    }
}

/// # Safety
/// The bytes are what [`Module::serialize`] returned, and those of a file stay so.
unsafe fn open(engine: &Engine, source: Source) -> Result<Module> {
    let Opened {
        whose,
        runs,
        facts,
        kept,
    } = Kept::open(source, &setting(engine)?)?;
    let Whose::Within(module) = whose else {
        return Err(Error::usage("this is code of a cache, without its module"));
    };
    let inner = decode::decode_compiled(engine, module, &facts, kept, |info, kept| {
        // SAFETY: forwarded.
        unsafe { images(runs, info, kept) }
    })?;
    Ok(Module {
        inner: Arc::new(inner),
    })
}

/// The images that are kept, mapped from their file.
///
/// # Safety
/// That file stays as it is.
unsafe fn images(runs: Vec<Run>, info: &ModuleInfo, kept: &Kept) -> Result<Option<Images>> {
    if runs.is_empty() {
        return Ok(None);
    }
    let no_file = |error| Error::resource(format!("the system has no file for data: {error}"));
    let (source, range) = kept.images();
    let (file, start) = match source {
        Source::File(file, _) => {
            let file = file.try_clone().map_err(no_file)?;
            // SAFETY: forwarded.
            (unsafe { SealedFile::promised(file) }, range.start)
        }
        Source::Memory(bytes) => {
            let pages = &bytes[range.start as usize..range.end as usize];
            let file = SealedFile::new(pages.len(), |file| file.write_all(pages));
            (file.map_err(no_file)?, 0)
        }
    };
    let images = Images::kept(file, start, runs, info);
    let another = || Error::usage("this precompiled module cannot run: its data does not fit");
    images.map(Some).ok_or_else(another)
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
    let (mut there, mut kept) = (module.code.newest(module), module.kept.as_ref());
    // It may be the first code, with counts in it.
    if module.engine.tier() == Tier::Auto {
        there.fill(None);
        kept = None;
    }
    let kept = |defined| kept.filter(|kept| kept.has(defined))?.compiled(defined);
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
            let code = code.and_then(|code| supply.as_compiled(code));
            let made = match code.or_else(|| kept(defined as u32)) {
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

/// A module as it is kept with its machine code: its bodies only trap, segments that are in images are empty,
/// and it has no custom sections.
fn stripped(module: &ModuleInner) -> Vec<u8> {
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
        let has_images = module.images.is_some();
        let mut ranges = around_images(&module.info, has_images).peekable();
        while let Some(range) = ranges.next() {
            if !range.is_empty() {
                contents.extend_from_slice(module.bytes.get(&range));
            }
            // A segment follows: of none of its bytes. The last byte of a length is less than 0x80.
            if ranges.peek().is_some() {
                contents.pop();
                while contents.last().is_some_and(|&byte| byte >= 0x80) {
                    contents.pop();
                }
                contents.push(0);
            }
        }
        sections::add(&mut out, sections::DATA, &contents);
    }
    out
}
