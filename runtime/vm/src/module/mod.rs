//! Modules: validated, decoded, shared between instances and threads.

mod bytes;
mod decode;
mod image;
mod names;
mod precompiled;
pub(crate) mod sections;
mod validate;

pub(crate) use decode::{convert_heap_type, convert_val_type};
pub(crate) use image::{Image, Images, Run};
pub(crate) use validate::scan;

use crate::backtrace::Names;
use crate::code::ModuleCode;
use crate::code::artifact::Kept;
use crate::code::cache::Entry;
use crate::code::compiler::Compilation;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::types::HeldTypes;
use bytes::ModuleBytes;
use names::ModuleNames;
use std::path::Path;
use std::sync::Arc;
use validate::Found;
use zwasm_core::module::{ExternIndex, ModuleInfo};
use zwasm_core::{FuncType, GlobalType, MemoryType, TableType};

/// A validated module; cheap to clone.
#[derive(Clone, Debug)]
pub struct Module {
    inner: Arc<ModuleInner>,
}

pub(crate) struct ModuleInner {
    pub(crate) engine: Engine,
    pub(crate) info: Arc<ModuleInfo>,
    /// The types by type index.
    pub(crate) types: Vec<Arc<FuncType>>,
    _held: HeldTypes,
    /// What validation found in the bodies, if there are any.
    found: Option<Found>,
    /// Machine code that was made before: of all functions, in place of bodies, or of some, beside them.
    pub(crate) kept: Option<Arc<Kept>>,
    /// Its place in the engine's cache, if it has one.
    pub(crate) cached: Option<Entry>,
    pub(crate) bytes: Arc<ModuleBytes>,
    /// What active data segments leave in memories, unless they are copied one by one.
    pub(crate) images: Option<Images>,
    pub(crate) code: ModuleCode,
    pub(crate) names: Arc<ModuleNames>,
}

impl core::fmt::Debug for ModuleInner {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Module")
            .field("functions", &self.info.funcs.len())
            .field("bytes", &self.bytes.module_bytes())
            .finish_non_exhaustive()
    }
}

/// An import of a module.
#[derive(Clone, Debug)]
pub struct ImportType<'a> {
    /// Module name.
    pub module: &'a str,
    /// Item name.
    pub name: &'a str,
    /// What it must be.
    pub ty: ExternType,
}

/// An export of a module.
#[derive(Clone, Debug)]
pub struct ExportType<'a> {
    /// Name.
    pub name: &'a str,
    /// What it is.
    pub ty: ExternType,
}

impl Module {
    /// Validates and decodes a module in binary form, or in text form when it does not begin with
    /// the binary magic (and the `wat` feature is on).
    ///
    /// # Errors
    /// When the module is malformed or invalid, or needs a feature that zwasm lacks; the message
    /// has the byte offset.
    pub fn new(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<Module> {
        Module::from_vec(engine, bytes.as_ref().to_vec())
    }

    /// As [`Module::new`], without copying the bytes.
    ///
    /// # Errors
    /// As [`Module::new`].
    pub fn from_vec(engine: &Engine, bytes: Vec<u8>) -> Result<Module> {
        let bytes = to_binary(bytes)?;
        decode::decode(engine, bytes).map(|inner| Module {
            inner: Arc::new(inner),
        })
    }

    /// Reads a module from a file.
    ///
    /// # Errors
    /// As [`Module::new`], and when the file cannot be read.
    pub fn from_file(engine: &Engine, path: impl AsRef<Path>) -> Result<Module> {
        let path = path.as_ref();
        let bytes = std::fs::read(path)
            .map_err(|e| Error::usage(format!("cannot read {}: {e}", path.display())))?;
        Module::from_vec(engine, bytes)
    }

    /// Checks a module without keeping it.
    ///
    /// # Errors
    /// As [`Module::new`].
    pub fn validate(engine: &Engine, bytes: impl AsRef<[u8]>) -> Result<()> {
        Module::new(engine, bytes).map(drop)
    }

    /// The binary form of a module in either form, as [`Module::new`] takes them. A [`Module`] does
    /// not keep all of it.
    ///
    /// # Errors
    /// When the bytes are neither the beginning of a binary module nor well-formed text.
    pub fn to_binary(bytes: Vec<u8>) -> Result<Vec<u8>> {
        to_binary(bytes)
    }

    /// Makes the code of every function now, on all cores, instead of each on its first call.
    ///
    /// # Errors
    /// When a function is beyond a limit of the compiler, or there is no memory for its code.
    pub fn compile_all(&self) -> Result<()> {
        self.inner.code.ensure_all(&self.inner, None, |_| true)
    }

    /// Writes what was compiled so far to the engine's cache, if it has one
    /// ([`Config::code_cache`](crate::Config::code_cache)) and it is worth it. That also happens when
    /// the module goes. Whatever fails, there is no cache then.
    pub fn update_code_cache(&self) {
        self.inner.update_cache();
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.inner.engine
    }

    /// How many functions are imported; the others have a body and follow them.
    #[must_use]
    pub fn imported_functions(&self) -> u32 {
        self.inner.info.imported_funcs
    }

    /// Where the body of a function lies in the module, given its index among those that have one. A
    /// precompiled module keeps none.
    #[must_use]
    pub fn function_body(&self, defined: u32) -> Option<core::ops::Range<usize>> {
        if !self.inner.has_bodies() {
            return None;
        }
        self.inner.info.bodies.get(defined as usize).cloned()
    }

    /// The name that the module gives to a function for people to read.
    #[must_use]
    pub fn function_name(&self, func: u32) -> Option<String> {
        self.inner.func_name(func).map(str::to_owned)
    }

    /// The imports, in order.
    pub fn imports(&self) -> impl ExactSizeIterator<Item = ImportType<'_>> {
        self.inner.info.imports.iter().map(|import| ImportType {
            module: &import.module,
            name: &import.name,
            ty: self.inner.extern_type(import.index),
        })
    }

    /// The exports, in order.
    pub fn exports(&self) -> impl ExactSizeIterator<Item = ExportType<'_>> {
        self.inner
            .info
            .exports
            .iter()
            .map(|(name, index)| ExportType {
                name,
                ty: self.inner.extern_type(*index),
            })
    }

    /// Sizes, for tools.
    #[must_use]
    pub fn stats(&self) -> ModuleStats {
        let info = &self.inner.info;
        let code = self.inner.code.stats();
        ModuleStats {
            wasm_bytes: self.inner.bytes.module_bytes(),
            code_section_bytes: info.bodies.iter().map(|body| body.len()).sum(),
            functions: info.bodies.len(),
            functions_compiled: code.functions,
            compiled_body_bytes: code.body_bytes,
            functions_tiered_up: code.tiered_up,
            loops_tiered_up: code.loops,
            code_bytes: code.code_bytes,
            compile_time: self.inner.code.making_time(),
            data_bytes: info.data.iter().map(|segment| segment.bytes.len()).sum(),
        }
    }

    /// How each function was compiled so far, in that order; nothing unless
    /// [`Config::record_compilation`](crate::Config::record_compilation) is on, or without machine code.
    #[must_use]
    pub fn compilations(&self) -> Vec<Compilation> {
        self.inner.code.compilations()
    }

    pub(crate) fn inner(&self) -> &Arc<ModuleInner> {
        &self.inner
    }
}

/// The type of an [`Extern`](crate::Extern).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExternType {
    /// Of a function.
    Func(FuncType),
    /// Of a table.
    Table(TableType),
    /// Of a memory.
    Memory(MemoryType),
    /// Of a global.
    Global(GlobalType),
    /// Of an exception tag.
    Tag(FuncType),
}

/// Sizes of a module and of the code made from it so far.
#[derive(Clone, Copy, Debug)]
pub struct ModuleStats {
    /// Size of the module in bytes; of a precompiled one, of what is kept of it beside its code, as the
    /// sizes of bodies below.
    pub wasm_bytes: usize,
    /// Bytes of function bodies.
    pub code_section_bytes: usize,
    /// Number of functions with a body.
    pub functions: usize,
    /// How many of them were translated.
    pub functions_compiled: usize,
    /// Bytes of the bodies of those.
    pub compiled_body_bytes: usize,
    /// How many of them have better code since than they had first.
    pub functions_tiered_up: usize,
    /// Loops that calls which ran already went on at in such code.
    pub loops_tiered_up: usize,
    /// Bytes of code made from them, that which was replaced included.
    pub code_bytes: usize,
    /// Time spent translating, on all threads together.
    pub compile_time: std::time::Duration,
    /// Bytes of data segments; of a precompiled module, of those that are not in pages.
    pub data_bytes: usize,
}

/// What a component is called in errors, in either form.
const COMPONENT: &str = "components: this is a component, not a core module";

#[cfg(feature = "wat")]
fn to_binary(bytes: Vec<u8>) -> Result<Vec<u8>> {
    if bytes.starts_with(b"\0asm") {
        return Ok(bytes);
    }
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if !matches!(first, Some(b'(' | b';')) {
        return Err(Error::module(
            "neither the magic of a binary module nor text",
            0,
        ));
    }
    wat::parse_bytes(&bytes)
        .map(|binary| binary.into_owned())
        .map_err(|e| {
            let message = e.to_string();
            // The parser knows of components, and was built without them.
            if message.starts_with("support for parsing components disabled") {
                return Error::unsupported(COMPONENT);
            }
            Error::text(message)
        })
}

#[cfg(not(feature = "wat"))]
fn to_binary(bytes: Vec<u8>) -> Result<Vec<u8>> {
    Ok(bytes)
}

impl Drop for ModuleInner {
    fn drop(&mut self) {
        self.update_cache();
        self.code.give_up(self.engine.supply());
    }
}

impl ModuleInner {
    /// Whether it has its bodies, so that it can be compiled.
    pub(crate) fn has_bodies(&self) -> bool {
        self.found.is_some()
    }

    /// What validation found in the bodies.
    ///
    /// # Errors
    /// When the module is precompiled, and has none.
    pub(crate) fn found(&self) -> Result<&Found> {
        let none = || Error::usage("a precompiled module has no bodies to compile");
        self.found.as_ref().ok_or_else(none)
    }

    pub(crate) fn func_type(&self, func: u32) -> &Arc<FuncType> {
        &self.types[self.info.funcs[func as usize] as usize]
    }

    pub(crate) fn tag_type(&self, tag: u32) -> &Arc<FuncType> {
        &self.types[self.info.tags[tag as usize] as usize]
    }

    pub(crate) fn extern_type(&self, index: ExternIndex) -> ExternType {
        let info = &self.info;
        match index {
            ExternIndex::Func(i) => ExternType::Func((**self.func_type(i)).clone()),
            ExternIndex::Table(i) => ExternType::Table(info.tables[i as usize].ty),
            ExternIndex::Memory(i) => ExternType::Memory(info.memories[i as usize]),
            ExternIndex::Global(i) => ExternType::Global(info.globals[i as usize].ty),
            ExternIndex::Tag(i) => ExternType::Tag((**self.tag_type(i)).clone()),
        }
    }

    /// The name of a function in the name section, or the name it is exported under.
    pub(crate) fn func_name(&self, func: u32) -> Option<&str> {
        self.names.function(func)
    }
}
