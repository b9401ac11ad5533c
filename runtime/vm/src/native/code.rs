//! Machine code of functions, and what is asked of an address in it.
//!
//! One registry serves the whole process: a fault arrives with nothing but an address. Its lock is
//! never held by a thread while it runs guest code, so a handler that waits for it waits for
//! another thread only.

use super::NativeEngine;
use crate::code::artifact::{Kept, KeptFunction, Tables};
use crate::code::registry::Registry;
use crate::code::{Code, Draft};
use crate::error::Result;
use crate::module::ModuleInner;
use core::ops::Range;
use std::sync::{Arc, OnceLock};
use zwasm_core::TrapCode;
use zwasm_core::module::ModuleInfo;
use zwasm_jit::contract::{CatchRange, Compiled, Relocation, Scope, Site};
use zwasm_jit::opt::PassTimes;

/// The code of one function.
#[derive(Debug)]
pub(crate) struct NativeCode {
    pub(crate) start: usize,
    pub(crate) length_bytes: usize,
    pub(crate) func_index: u32,
    /// The module; frames of its code keep it alive.
    pub(crate) module: *const ModuleInner,
    pub(crate) frame_bytes: u32,
    pub(crate) prologue_bytes: u32,
    /// The operators whose cells it counts in.
    pub(crate) counted: Arc<[u32]>,
    pub(super) origin: Origin,
}

/// Where the code of a function comes from.
#[derive(Debug)]
pub(super) enum Origin {
    /// A compiler.
    Made {
        /// What was written into it when it was put in place.
        relocations: Vec<Relocation>,
        tables: Tables,
    },
    /// What was kept.
    Kept {
        kept: Arc<Kept>,
        defined: u32,
        /// Read when they are needed first, which they are seldom.
        tables: OnceLock<Tables>,
    },
}

// SAFETY: immutable; the module pointer is followed only while frames keep the module alive.
unsafe impl Send for NativeCode {}
// SAFETY: as above.
unsafe impl Sync for NativeCode {}

impl NativeCode {
    /// The offset of an address in the code.
    pub(crate) fn offset(&self, pc: usize) -> u32 {
        (pc - self.start) as u32
    }

    /// Its side tables. In a signal handler this may take memory, which is safe where guest code was interrupted.
    fn tables(&self) -> &Tables {
        match &self.origin {
            Origin::Made { tables, .. } => tables,
            Origin::Kept {
                kept,
                defined,
                tables,
                ..
            } => tables.get_or_init(|| kept.tables(*defined).unwrap_or_default()),
        }
    }

    pub(crate) fn catches(&self) -> &[CatchRange] {
        &self.tables().catches
    }

    /// As its compiler left it, unless it was kept; `read` gives bytes of the engine's memory.
    pub(super) fn compiled(&self, read: impl FnOnce(usize, usize) -> Vec<u8>) -> Option<Compiled> {
        let Origin::Made {
            relocations,
            tables,
        } = &self.origin
        else {
            return None;
        };
        let mut code = read(self.start, self.length_bytes);
        for relocation in relocations {
            code[relocation.offset as usize..][..4].fill(0);
        }
        Some(Compiled {
            code,
            relocations: relocations.clone(),
            sites: tables.sites.clone(),
            catches: tables.catches.clone(),
            inlined: tables.inlined.clone(),
            frame_bytes: self.frame_bytes,
            prologue_bytes: self.prologue_bytes,
            operators: Vec::new(),
            counted: self.counted.to_vec(),
        })
    }

    /// Why the instruction at `pc` faults, if it may.
    pub(crate) fn trap_at(&self, pc: usize) -> Option<TrapCode> {
        let offset = self.offset(pc);
        let sites = &self.tables().sites;
        let at = sites.partition_point(|site| site.offset < offset);
        sites[at..]
            .iter()
            .take_while(|site| site.offset == offset)
            .find_map(|site| site.trap)
    }

    /// The wasm frames of an activation that stands at `pc`, or at the call before it, innermost
    /// first: functions with the module offset of the operator, where it is known.
    pub(crate) fn frames(&self, pc: usize) -> impl Iterator<Item = (u32, Option<usize>)> + '_ {
        let site = self.site(pc);
        let innermost = site.map(|site| (site.scope, site.module_offset));
        let mut next = Some(innermost.unzip());
        core::iter::from_fn(move || {
            let (scope, offset) = next.take()?;
            let number = scope.and_then(Scope::number);
            let func = match number.map(|number| &self.tables().inlined[number]) {
                Some(call) => {
                    let outer = call.caller;
                    next = outer.map(|scope| (Some(scope), Some(call.call_offset)));
                    call.func
                }
                None => self.func_index,
            };
            Some((func, offset.map(|offset| offset as usize)))
        })
    }

    /// The site that `pc`, or the call before it, is.
    fn site(&self, pc: usize) -> Option<&Site> {
        // A fault, or a place that code recorded, is at its site; a call is just before the return
        // address that is its site. Both may be at one offset, the call's first.
        let offset = self.offset(pc);
        let sites = &self.tables().sites;
        let at = sites.partition_point(|site| site.offset < offset);
        let found = sites.get(at)?.offset;
        if found - offset > 1 {
            return None;
        }
        let same = sites[at..].iter().take_while(|site| site.offset == found);
        let faults = |site: &&Site| site.trap.is_some();
        if found == offset {
            same.max_by_key(faults)
        } else {
            same.min_by_key(faults)
        }
    }
}

impl Code for NativeCode {
    fn func_index(&self) -> u32 {
        self.func_index
    }

    fn range(&self) -> Range<usize> {
        self.start..self.start + self.length_bytes
    }
}

/// Writes the numbers that types have in this engine.
fn relocate(code: &mut [u8], relocations: &[Relocation], info: &ModuleInfo) {
    for &Relocation {
        offset,
        called_type,
    } in relocations
    {
        let ty = info.called_types[called_type as usize];
        let number = info.types[ty as usize].number();
        let at = offset as usize;
        code[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }
}

/// Of all engines.
pub(super) static REGISTRY: Registry<NativeCode> = Registry::new();

/// A function that was compiled.
pub(super) struct CompiledFunc {
    pub(super) defined: u32,
    pub(super) compiled: Compiled,
    pub(super) passes: Option<PassTimes>,
}

/// A function that was kept.
pub(super) struct KeptFunc {
    pub(super) defined: u32,
    pub(super) kept: Arc<Kept>,
    pub(super) function: KeptFunction,
}

impl Draft for CompiledFunc {
    fn take_passes(&mut self) -> Option<PassTimes> {
        self.passes.take()
    }

    fn publish(self: Box<Self>, module: &ModuleInner) -> Result<Arc<dyn Code>> {
        let mut compiled = self.compiled;
        relocate(&mut compiled.code, &compiled.relocations, &module.info);
        let origin = Origin::Made {
            relocations: core::mem::take(&mut compiled.relocations),
            tables: Tables {
                sites: core::mem::take(&mut compiled.sites),
                catches: core::mem::take(&mut compiled.catches),
                inlined: core::mem::take(&mut compiled.inlined),
            },
        };
        let code = core::mem::take(&mut compiled.code);
        publish(module, self.defined, &code, compiled, origin)
    }
}

impl Draft for KeptFunc {
    fn is_fresh(&self) -> bool {
        false
    }

    fn publish(self: Box<Self>, module: &ModuleInner) -> Result<Arc<dyn Code>> {
        let mut function = self.function;
        let facts = core::mem::take(&mut function.facts);
        relocate(function.code_mut(), &facts.relocations, &module.info);
        let origin = Origin::Kept {
            kept: self.kept.clone(),
            defined: self.defined,
            tables: OnceLock::new(),
        };
        let code = publish(module, self.defined, function.code(), facts, origin);
        self.kept.give_back(function);
        code
    }
}

/// Puts code in place and makes it known; `facts` has what is needed to run it.
fn publish(
    module: &ModuleInner,
    defined: u32,
    code: &[u8],
    facts: Compiled,
    origin: Origin,
) -> Result<Arc<dyn Code>> {
    let native = NativeEngine::of(&module.engine);
    let start = native.publish(code)? as usize;
    let func_index = module.info.imported_funcs + defined;
    if let Some(profile) = &native.profile {
        // Names may be missing or the same; the index tells functions apart.
        let index = format!("wasm function {func_index}");
        let name = module.func_name(func_index);
        let name = name.map_or(index.clone(), |name| format!("{name} ({index})"));
        profile.add(start, code, &name);
    }
    let counted: Arc<[u32]> = facts.counted.into();
    module.code.begin_counting(defined, &counted);
    let code = Arc::new(NativeCode {
        start,
        length_bytes: code.len(),
        func_index,
        module: core::ptr::from_ref(module),
        frame_bytes: facts.frame_bytes,
        prologue_bytes: facts.prologue_bytes,
        counted,
        origin,
    });
    REGISTRY.register(code.clone());
    Ok(code)
}
