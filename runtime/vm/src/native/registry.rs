//! From a code address to its function, for signals, backtraces and unwinding.
//!
//! One registry serves the whole process: a fault arrives with nothing but an address. The lock is
//! never held by a thread while it runs guest code, so a handler that waits for it waits for
//! another thread only.

use crate::module::ModuleInner;
use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};
use zwasm_core::TrapCode;
use zwasm_jit::contract::{CatchRange, InlinedCall, Scope, Site};

/// The code of one function.
#[derive(Debug)]
pub(crate) struct NativeCode {
    pub(crate) start: usize,
    pub(crate) length_bytes: usize,
    pub(crate) func_index: u32,
    /// The module; frames of its code keep it alive.
    pub(crate) module: *const ModuleInner,
    pub(crate) sites: Vec<Site>,
    pub(crate) catches: Vec<CatchRange>,
    /// Calls that code of their callees replaces.
    pub(crate) inlined: Vec<InlinedCall>,
    pub(crate) frame_bytes: u32,
    pub(crate) prologue_bytes: u32,
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

static REGISTRY: RwLock<BTreeMap<usize, Arc<NativeCode>>> = RwLock::new(BTreeMap::new());

pub(crate) fn register(code: Arc<NativeCode>) {
    REGISTRY
        .write()
        .expect("no panic while locked")
        .insert(code.start, code);
}

pub(crate) fn unregister(start: usize) {
    REGISTRY
        .write()
        .expect("no panic while locked")
        .remove(&start);
}

pub(crate) fn find(pc: usize) -> Option<Arc<NativeCode>> {
    find_in(&REGISTRY.read().expect("no panic while locked"), pc)
}

/// [`find`] for a signal that arrives anywhere: also in a thread that holds the lock.
pub(crate) fn try_find(pc: usize) -> Option<Arc<NativeCode>> {
    find_in(&*REGISTRY.try_read().ok()?, pc)
}

fn find_in(map: &BTreeMap<usize, Arc<NativeCode>>, pc: usize) -> Option<Arc<NativeCode>> {
    let (_, code) = map.range(..=pc).next_back()?;
    (pc < code.start + code.length_bytes).then(|| code.clone())
}
