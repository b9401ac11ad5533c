//! From a code address to its function, for faults, backtraces and unwinding.

use super::Code;
use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

/// Code by address.
#[derive(Debug)]
pub(crate) struct Registry<C> {
    by_start: RwLock<BTreeMap<usize, Arc<C>>>,
}

impl<C: Code> Registry<C> {
    /// An empty one.
    pub(crate) const fn new() -> Registry<C> {
        Registry {
            by_start: RwLock::new(BTreeMap::new()),
        }
    }

    /// Makes code known.
    pub(crate) fn register(&self, code: Arc<C>) {
        let mut map = self.by_start.write().expect("no panic while locked");
        map.insert(code.range().start, code);
    }

    /// Forgets the code that starts there.
    pub(crate) fn unregister(&self, start: usize) {
        let mut map = self.by_start.write().expect("no panic while locked");
        map.remove(&start);
    }

    /// The code that contains an address.
    pub(crate) fn find(&self, address: usize) -> Option<Arc<C>> {
        let map = self.by_start.read().expect("no panic while locked");
        Self::find_in(&map, address)
    }

    /// [`Registry::find`] for a signal that arrives anywhere: also in a thread that holds the lock.
    pub(crate) fn try_find(&self, address: usize) -> Option<Arc<C>> {
        Self::find_in(&*self.by_start.try_read().ok()?, address)
    }

    fn find_in(map: &BTreeMap<usize, Arc<C>>, address: usize) -> Option<Arc<C>> {
        let (_, code) = map.range(..=address).next_back()?;
        code.range().contains(&address).then(|| code.clone())
    }
}
