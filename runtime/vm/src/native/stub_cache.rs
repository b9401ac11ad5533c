//! Machine code that goes before its engine does: stubs, each for as long as its signature is a type
//! of the engine, and functions of modules.

use super::registry::{self, NativeCode};
use super::{NativeEngine, no_code_memory};
use crate::error::Result;
use std::collections::HashMap;
use std::sync::Mutex;
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
    pub(crate) fn forget(&self, types: &[SigId]) {
        for stubs in [&self.entry_stubs, &self.host_stubs] {
            let mut stubs = stubs.lock().expect("no panic while locked");
            let gone = types.iter().filter_map(|ty| stubs.remove(ty)).collect();
            drop(stubs);
            self.free(gone);
        }
    }

    /// Frees the code of a module that is gone: no store has an instance of it, so nothing runs it.
    pub(crate) fn unpublish(&self, functions: &[std::sync::Arc<NativeCode>]) {
        functions
            .iter()
            .for_each(|code| registry::unregister(code.start));
        // A perf map has no way to say that code is gone.
        if self.profile.is_none() {
            let ranges = functions.iter().map(|code| (code.start, code.length_bytes));
            self.free(ranges.collect());
        }
    }

    fn free(&self, ranges: Vec<(usize, usize)>) {
        if ranges.is_empty() {
            return;
        }
        let mut memory = self.memory.lock().expect("no panic while locked");
        for (address, length) in ranges {
            memory.free(address, length);
        }
    }
}
