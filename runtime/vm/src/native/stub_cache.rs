//! Stubs by signature, for as long as the signature is a type of the engine.

use super::NativeEngine;
use zwasm_core::SigId;

impl NativeEngine {
    /// Forgets the stubs of types that are gone.
    pub(crate) fn forget(&self, types: &[SigId]) {
        for stubs in [&self.entry_stubs, &self.host_stubs] {
            let mut stubs = stubs.lock().expect("no panic while locked");
            if !stubs.is_empty() {
                for ty in types {
                    stubs.remove(ty);
                }
            }
        }
    }
}
