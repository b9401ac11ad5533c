//! Machine code of functions, and what is asked of an address in it.
//!
//! One registry serves the whole process: a fault arrives with nothing but an address. Its lock is
//! never held by a thread while it runs guest code, so a handler that waits for it waits for
//! another thread only.

use super::NativeEngine;
use crate::code::registry::Registry;
use crate::code::{Code, Draft};
use crate::error::Result;
use crate::module::ModuleInner;
use core::ops::Range;
use std::sync::Arc;
use zwasm_core::TrapCode;
use zwasm_core::module::ModuleInfo;
use zwasm_jit::contract::{CatchRange, Compiled, InlinedCall, Relocation, Scope, Site};
use zwasm_jit::opt::PassTimes;

/// The code of one function.
#[derive(Debug)]
pub(crate) struct NativeCode {
    pub(crate) start: usize,
    pub(crate) length_bytes: usize,
    pub(crate) func_index: u32,
    /// The module; frames of its code keep it alive.
    pub(crate) module: *const ModuleInner,
    /// What was written into it when it was put in place.
    pub(crate) relocations: Vec<Relocation>,
    pub(crate) sites: Vec<Site>,
    pub(crate) catches: Vec<CatchRange>,
    /// Calls that code of their callees replaces.
    pub(crate) inlined: Vec<InlinedCall>,
    pub(crate) frame_bytes: u32,
    pub(crate) prologue_bytes: u32,
    /// The operators whose cells it counts in.
    pub(crate) counted: Arc<[u32]>,
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

    /// Why the instruction at `pc` faults, if it may.
    pub(crate) fn trap_at(&self, pc: usize) -> Option<TrapCode> {
        let offset = self.offset(pc);
        let at = self.sites.partition_point(|site| site.offset < offset);
        self.sites[at..]
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
            let func = match number.map(|number| &self.inlined[number]) {
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
        let at = self.sites.partition_point(|site| site.offset < offset);
        let found = self.sites.get(at)?.offset;
        if found - offset > 1 {
            return None;
        }
        let same = self.sites[at..]
            .iter()
            .take_while(|site| site.offset == found);
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
fn relocate(compiled: &mut Compiled, info: &ModuleInfo) {
    for &Relocation {
        offset,
        called_type,
    } in &compiled.relocations
    {
        let ty = info.called_types[called_type as usize];
        let number = info.types[ty as usize].number();
        let at = offset as usize;
        compiled.code[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }
}

/// Of all engines.
pub(super) static REGISTRY: Registry<NativeCode> = Registry::new();

/// A function that was compiled.
pub(super) struct CompiledFunc {
    pub(super) defined: u32,
    pub(super) compiled: Compiled,
    pub(super) passes: Option<PassTimes>,
    /// Whether it was made now, and not kept before.
    pub(super) is_fresh: bool,
}

impl Draft for CompiledFunc {
    fn take_passes(&mut self) -> Option<PassTimes> {
        self.passes.take()
    }

    fn is_fresh(&self) -> bool {
        self.is_fresh
    }

    fn publish(self: Box<Self>, module: &ModuleInner) -> Result<Arc<dyn Code>> {
        let mut compiled = self.compiled;
        relocate(&mut compiled, &module.info);
        let native = NativeEngine::of(&module.engine);
        let start = native.publish(&compiled.code)? as usize;
        let counted: Arc<[u32]> = compiled.counted.into();
        module.code.begin_counting(self.defined, &counted);
        let code = Arc::new(NativeCode {
            start,
            length_bytes: compiled.code.len(),
            func_index: module.info.imported_funcs + self.defined,
            module: core::ptr::from_ref(module),
            relocations: compiled.relocations,
            sites: compiled.sites,
            catches: compiled.catches,
            inlined: compiled.inlined,
            frame_bytes: compiled.frame_bytes,
            prologue_bytes: compiled.prologue_bytes,
            counted,
        });
        REGISTRY.register(code.clone());
        if let Some(profile) = &native.profile {
            // Names may be missing or the same; the index tells functions apart.
            let index = format!("wasm function {}", code.func_index);
            let name = module.func_name(code.func_index);
            let name = name.map_or(index.clone(), |name| format!("{name} ({index})"));
            profile.add(start, &compiled.code, &name);
        }
        Ok(code)
    }
}
