//! Machine code that goes before its engine does: stubs, each for as long as its signature is a type
//! of the engine, and functions of modules.

use super::code::REGISTRY;
use super::{NativeEngine, no_code_memory};
use crate::code::Code;
use crate::error::Result;
use core::ops::Range;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use zwasm_core::SigId;

/// Stubs by signature: address and length.
pub(super) type Stubs = Mutex<HashMap<SigId, (usize, usize)>>;

impl NativeEngine {
    /// The stub for a signature, which somebody holds as long as the stub is used.
    pub(super) fn stub(
        &self,
        stubs: &Stubs,
        sig: SigId,
        make: impl FnOnce() -> Vec<u8>,
    ) -> Result<usize> {
        let mut stubs = stubs.lock().expect("no panic while locked");
        if let Some(&(stub, _)) = stubs.get(&sig) {
            return Ok(stub);
        }
        let code = make();
        let stub = self.publish(&code)? as usize;
        stubs.insert(sig, (stub, code.len()));
        Ok(stub)
    }

    pub(super) fn publish(&self, code: &[u8]) -> Result<*const u8> {
        let mut memory = self.memory.lock().expect("no panic while locked");
        memory.publish(code).map_err(no_code_memory)
    }

    /// Frees the stubs of types that are gone.
    pub(super) fn forget_stubs(&self, types: &[SigId]) {
        for stubs in [&self.entry_stubs, &self.host_stubs] {
            let mut stubs = stubs.lock().expect("no panic while locked");
            let gone = types.iter().filter_map(|ty| stubs.remove(ty));
            let gone: Vec<Range<usize>> = gone.map(|(at, length)| at..at + length).collect();
            drop(stubs);
            self.free(gone);
        }
    }

    /// Frees the code of functions that nothing runs.
    pub(super) fn unpublish(&self, functions: &[Arc<dyn Code>]) {
        let ranges: Vec<Range<usize>> = functions.iter().map(|code| code.range()).collect();
        ranges
            .iter()
            .for_each(|range| REGISTRY.unregister(range.start));
        // A perf map has no way to say that code is gone.
        if self.profile.is_none() {
            self.free(ranges);
        }
    }

    fn free(&self, ranges: Vec<Range<usize>>) {
        if ranges.is_empty() {
            return;
        }
        let mut memory = self.memory.lock().expect("no panic while locked");
        for range in ranges {
            memory.free(range.start, range.len());
        }
    }
}
