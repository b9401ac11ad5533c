//! Handles: `Copy` names of things that a store owns.
//!
//! A store keeps its records in an [`Arena`], where they never move and live until the store is
//! dropped. A handle is the record's address together with the store's number; every access names
//! the store, and the numbers are compared first. That comparison is what makes the dereference
//! sound.

use core::marker::PhantomData;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};

/// The number of a store, unique in the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StoreId(u64);

impl StoreId {
    pub(crate) fn next() -> StoreId {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        StoreId(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// A record of a store, by address.
#[derive(Debug)]
pub(crate) struct Stored<R> {
    store: StoreId,
    pointer: NonNull<R>,
}

impl<R> Clone for Stored<R> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<R> Copy for Stored<R> {}
impl<R> PartialEq for Stored<R> {
    fn eq(&self, other: &Self) -> bool {
        // Another store may have its record where one was that is gone.
        self.pointer == other.pointer && self.store == other.store
    }
}
impl<R> Eq for Stored<R> {}

// SAFETY: a handle is a number until it is used, and using it takes a borrow of its store.
unsafe impl<R> Send for Stored<R> {}
// SAFETY: as above.
unsafe impl<R> Sync for Stored<R> {}

impl<R> Stored<R> {
    /// Names a record of the store.
    ///
    /// # Safety
    /// `pointer` is a record that lives as long as the store `store` and is only accessed under a
    /// borrow of that store.
    pub(crate) unsafe fn new(store: StoreId, pointer: NonNull<R>) -> Stored<R> {
        Stored { store, pointer }
    }

    /// The record's address, after checking that it belongs to the store.
    ///
    /// # Panics
    /// When the handle belongs to another store: an error in the embedder's program.
    #[track_caller]
    pub(crate) fn pointer(self, store: StoreId) -> NonNull<R> {
        assert!(
            self.store == store,
            "a handle was used with a store it does not belong to"
        );
        self.pointer
    }

    pub(crate) fn belongs_to(self, store: StoreId) -> bool {
        self.store == store
    }
}

/// Owns records at fixed addresses.
#[derive(Debug)]
pub(crate) struct Arena<R> {
    records: Vec<NonNull<R>>,
    owns: PhantomData<R>,
}

// SAFETY: an arena owns its records as a `Vec<Box<R>>` would.
unsafe impl<R: Send> Send for Arena<R> {}
// SAFETY: as above.
unsafe impl<R: Sync> Sync for Arena<R> {}

impl<R> Arena<R> {
    pub(crate) const fn new() -> Arena<R> {
        Arena {
            records: Vec::new(),
            owns: PhantomData,
        }
    }

    pub(crate) fn alloc(&mut self, record: R) -> NonNull<R> {
        let pointer = NonNull::from(Box::leak(Box::new(record)));
        self.records.push(pointer);
        pointer
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = NonNull<R>> + '_ {
        self.records.iter().copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }
}

impl<R> Drop for Arena<R> {
    fn drop(&mut self) {
        for pointer in self.records.drain(..) {
            // SAFETY: made by `Box::leak` in `alloc`, and dropped only here.
            drop(unsafe { Box::from_raw(pointer.as_ptr()) });
        }
    }
}
