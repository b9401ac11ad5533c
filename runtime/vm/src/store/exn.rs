//! The exceptions of a store.

use crate::error::Hold;
use crate::tag::TagInst;
use core::cell::{Cell, RefCell};
use core::ptr::NonNull;
use std::sync::{Arc, Weak};

/// A thrown exception: its tag and the raw slots of its values.
#[derive(Debug)]
pub(crate) struct Exception {
    pub(crate) tag: NonNull<TagInst>,
    pub(crate) payload: Box<[u64]>,
    /// Whether the host was given it as a value: it is never collected then.
    pub(crate) pinned: Cell<bool>,
    /// Alive while an error of the host holds it.
    held: RefCell<Weak<()>>,
}

impl Exception {
    pub(crate) fn new(tag: NonNull<TagInst>, payload: Box<[u64]>) -> Exception {
        Exception {
            tag,
            payload,
            pinned: Cell::new(false),
            held: RefCell::new(Weak::new()),
        }
    }

    /// Keeps the exception alive for as long as the result lives.
    pub(crate) fn hold(&self) -> Hold {
        let mut held = self.held.borrow_mut();
        let token = held.upgrade().unwrap_or_else(|| {
            let token = Arc::new(());
            *held = Arc::downgrade(&token);
            token
        });
        Hold::new(token)
    }

    fn belongs_to_host(&self) -> bool {
        self.pinned.get() || self.held.borrow().strong_count() > 0
    }
}

/// Exceptions by number. A raw `exnref` is the number plus one.
#[derive(Debug, Default)]
pub(crate) struct Exceptions {
    slots: Vec<Option<Exception>>,
    free: Vec<u32>,
    live: usize,
    /// What all take, slots that are free included.
    bytes: usize,
    /// Collect when this many are alive.
    threshold: usize,
    /// Collect when they take this much.
    threshold_bytes: usize,
}

const FIRST_THRESHOLD: usize = 4096;
const FIRST_THRESHOLD_BYTES: usize = 1 << 20;
const SLOT_BYTES: usize = size_of::<Option<Exception>>();

impl Exceptions {
    /// What all exceptions take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What they take with one more.
    pub(crate) fn bytes_with(&self, payload: &[u64]) -> usize {
        let slot = if self.free.is_empty() { SLOT_BYTES } else { 0 };
        self.bytes + slot + size_of_val(payload)
    }

    pub(crate) fn insert(&mut self, exception: Exception) -> u64 {
        self.live += 1;
        self.bytes = self.bytes_with(&exception.payload);
        let index = match self.free.pop() {
            Some(index) => {
                self.slots[index as usize] = Some(exception);
                index
            }
            None => {
                self.slots.push(Some(exception));
                u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 live exceptions")
            }
        };
        u64::from(index) + 1
    }

    pub(crate) fn get(&self, raw: u64) -> &Exception {
        let index = usize::try_from(raw - 1).expect("an exception of this store");
        self.slots[index].as_ref().expect("a live exception")
    }

    /// Whether enough exceptions are alive to look for garbage.
    pub(crate) fn wants_collection(&self) -> bool {
        self.live >= self.threshold.max(FIRST_THRESHOLD)
            || self.bytes >= self.threshold_bytes.max(FIRST_THRESHOLD_BYTES)
    }

    /// Frees every exception that none of the words, which are every place of the store that may
    /// hold a reference, could mean. Conservative: an integer that looks like a reference keeps
    /// its exception.
    pub(crate) fn collect(&mut self, roots: impl Iterator<Item = u64>) {
        let mut marked = vec![false; self.slots.len()];
        let mut work: Vec<u64> = roots.collect();
        let pinned =
            |slot: &Option<Exception>| slot.as_ref().is_some_and(Exception::belongs_to_host);
        work.extend(
            self.slots
                .iter()
                .zip(1..)
                .filter(|(slot, _)| pinned(slot))
                .map(|(_, raw)| raw),
        );
        while let Some(word) = work.pop() {
            let Some(index) = word.checked_sub(1).and_then(|i| usize::try_from(i).ok()) else {
                continue;
            };
            if let (Some(mark @ false), Some(Some(exception))) =
                (marked.get_mut(index), self.slots.get(index))
            {
                *mark = true;
                work.extend_from_slice(&exception.payload);
            }
        }
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if !marked[index]
                && let Some(exception) = slot.take()
            {
                self.live -= 1;
                self.bytes -= size_of_val(&*exception.payload);
                self.free.push(u32::try_from(index).expect("as inserted"));
            }
        }
        while self.slots.pop_if(|slot| slot.is_none()).is_some() {
            self.bytes -= SLOT_BYTES;
        }
        let slots = self.slots.len();
        self.slots.shrink_to(2 * slots);
        self.free.retain(|&index| (index as usize) < slots);
        self.threshold = self.live * 2;
        self.threshold_bytes = self.bytes * 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collection_keeps_what_a_root_reaches() {
        let mut exceptions = Exceptions::default();
        let exception = |payload: Vec<u64>| Exception::new(NonNull::dangling(), payload.into());
        let inner = exceptions.insert(exception(vec![]));
        let outer = exceptions.insert(exception(vec![inner]));
        let garbage = exceptions.insert(exception(vec![7]));
        exceptions.collect([outer, 0, u64::MAX].into_iter());
        assert_eq!(exceptions.live, 2);
        assert_eq!(exceptions.get(outer).payload[0], inner);
        let reused = exceptions.insert(exception(vec![]));
        assert_eq!(reused, garbage, "its number is free again");
        let behind = exceptions.insert(exception(vec![]));
        let hold = exceptions.get(reused).hold();
        exceptions.collect([outer, behind].into_iter());
        assert_eq!(exceptions.live, 4, "an error holds it");
        drop(hold);
        exceptions.collect([outer].into_iter());
        assert_eq!(exceptions.live, 2);
        assert_eq!(exceptions.bytes(), 2 * SLOT_BYTES + 8);
    }

    #[test]
    fn large_exceptions_are_collected_before_there_are_many() {
        let mut exceptions = Exceptions::default();
        let mut count = 0;
        while !exceptions.wants_collection() {
            let payload = vec![0; 1000].into();
            exceptions.insert(Exception::new(NonNull::dangling(), payload));
            count += 1;
        }
        assert!(count < 150, "{count} of 8 KB");
        exceptions.collect([].into_iter());
        assert!(!exceptions.wants_collection());
        assert_eq!(exceptions.bytes(), 0);
    }
}
