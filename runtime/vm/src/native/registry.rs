//! From a code address to its function, for signals, backtraces and unwinding.
//!
//! One registry serves the whole process: a fault arrives with nothing but an address. The lock is
//! never held by a thread while it runs guest code, so a handler that waits for it waits for
//! another thread only.

use crate::module::ModuleInner;
use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};
use zwasm_core::TrapCode;
use zwasm_jit::baseline::{CatchRange, Site};

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

    /// The module offset of the operator that `pc`, or the call before it, belongs to.
    pub(crate) fn module_offset(&self, pc: usize) -> Option<usize> {
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
        let site = if found == offset {
            same.max_by_key(faults)
        } else {
            same.min_by_key(faults)
        };
        Some(site?.module_offset as usize)
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
