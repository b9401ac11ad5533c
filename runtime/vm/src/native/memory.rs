//! Memory for machine code. Nothing is moved; what is given back is used again, on ARM64 once all of its
//! mapping was.

use super::pages::{Pages, forget_fetched};
use crate::sys::fork;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use zwasm_jit::contract::CODE_ALIGN_BYTES;

/// Size of the first mapping, in bytes.
const FIRST_CHUNK_BYTES: usize = 1 << 20;
/// Each following one is twice as large, up to this.
const MAX_CHUNK_BYTES: usize = 16 << 20;
/// Whether new code may lie where other code has run. On ARM64 it does not: the emulator that tests run
/// under keeps what it has translated, by the address where it was executed, and is not told that a
/// write through the other address has changed it. There a mapping goes when all its code has gone.
const REUSES_ADDRESSES: bool = cfg!(not(target_arch = "aarch64"));

/// A mapping, and what of it is free.
#[derive(Debug)]
struct Chunk {
    pages: Pages,
    /// Lengths by offset. No two ranges touch.
    by_offset: BTreeMap<usize, usize>,
    /// The same as (length, offset).
    by_length: BTreeSet<(usize, usize)>,
    /// Behind it nothing was ever written.
    fresh_from: usize,
    /// Pieces of code that are there.
    live: usize,
    /// When it was made: pages from before a fork belong to two processes, of which neither writes to
    /// them any more.
    epoch: u32,
}

impl Chunk {
    fn new(pages: Pages) -> Chunk {
        let length = pages.length_bytes();
        Chunk {
            pages,
            by_offset: BTreeMap::from([(0, length)]),
            by_length: BTreeSet::from([(length, 0)]),
            fresh_from: 0,
            live: 0,
            epoch: fork::epoch(),
        }
    }

    fn remove(&mut self, offset: usize, length: usize) {
        self.by_offset.remove(&offset);
        self.by_length.remove(&(length, offset));
    }

    fn insert(&mut self, offset: usize, length: usize) {
        self.by_offset.insert(offset, length);
        self.by_length.insert((length, offset));
    }

    /// The smallest free range that is long enough, if there is any.
    fn take(&mut self, wanted: usize) -> Option<usize> {
        let &(length, offset) = self.by_length.range((wanted, 0)..).next()?;
        self.remove(offset, length);
        if length > wanted {
            self.insert(offset + wanted, length - wanted);
        }
        Some(offset)
    }

    /// Makes a range free, one with those around it.
    fn give_back(&mut self, mut offset: usize, mut length: usize) {
        if let Some((&before, &its_length)) = self.by_offset.range(..offset).next_back()
            && before + its_length == offset
        {
            self.remove(before, its_length);
            (offset, length) = (before, its_length + length);
        }
        if let Some(&after_length) = self.by_offset.get(&(offset + length)) {
            self.remove(offset + length, after_length);
            length += after_length;
        }
        self.insert(offset, length);
    }

    fn is_free(&self) -> bool {
        self.live == 0
    }
}

/// All code of an engine.
#[derive(Debug, Default)]
pub(crate) struct CodeMemory {
    chunks: Vec<Chunk>,
}

/// What code takes in memory.
fn rounded(code_bytes: usize) -> usize {
    code_bytes.max(1).next_multiple_of(CODE_ALIGN_BYTES)
}

impl CodeMemory {
    /// Copies code in and returns its executable address, a multiple of [`CODE_ALIGN_BYTES`].
    ///
    /// # Errors
    /// The system's, when it has no memory.
    pub(crate) fn publish(&mut self, code: &[u8]) -> io::Result<*const u8> {
        let wanted = rounded(code.len());
        let epoch = fork::epoch();
        let take = |(i, chunk): (usize, &mut Chunk)| {
            let is_ours = chunk.epoch == epoch;
            Some((i, is_ours.then(|| chunk.take(wanted))??))
        };
        let (i, offset) = match self.chunks.iter_mut().enumerate().find_map(take) {
            Some(found) => found,
            None => {
                self.chunks.push(Chunk::new(self.new_pages(wanted)?));
                let last = self.chunks.len() - 1;
                (last, self.chunks[last].take(wanted).expect("made for it"))
            }
        };
        let chunk = &mut self.chunks[i];
        chunk.live += 1;
        let address = chunk.pages.write(offset, code);
        if offset < chunk.fresh_from {
            forget_fetched();
        }
        chunk.fresh_from = chunk.fresh_from.max(offset + wanted);
        Ok(address)
    }

    /// Pages with room for that much: as many as usual, or only those where the system has no more.
    fn new_pages(&self, wanted: usize) -> io::Result<Pages> {
        let needed = wanted.next_multiple_of(crate::sys::mmap::page_size());
        let usual = FIRST_CHUNK_BYTES << self.chunks.len().min(8);
        Pages::new(needed.max(usual.min(MAX_CHUNK_BYTES))).or_else(|_| Pages::new(needed))
    }

    /// The chunk that has an executable address, and where in it.
    fn place_of(&self, address: usize) -> (usize, usize) {
        let places = self
            .chunks
            .iter()
            .map(|chunk| chunk.pages.offset_of(address));
        let place = places
            .enumerate()
            .find_map(|(i, offset)| Some((i, offset?)));
        place.expect("it was published")
    }

    /// A copy of code that was published.
    pub(crate) fn read(&self, address: usize, code_bytes: usize) -> Vec<u8> {
        let (i, offset) = self.place_of(address);
        self.chunks[i].pages.read(offset, code_bytes)
    }

    /// Takes back code that nobody runs, nor has the address of.
    pub(crate) fn free(&mut self, address: usize, code_bytes: usize) {
        let (i, offset) = self.place_of(address);
        let chunk = &mut self.chunks[i];
        chunk.live -= 1;
        if cfg!(debug_assertions) && chunk.epoch == fork::epoch() {
            // Who runs it all the same is to be found: these bytes are no instructions that go on.
            let trap = if cfg!(target_arch = "x86_64") {
                0xcc
            } else {
                0
            };
            chunk.pages.write(offset, &vec![trap; rounded(code_bytes)]);
        }
        if REUSES_ADDRESSES {
            chunk.give_back(offset, rounded(code_bytes));
        }
        // One that is empty is enough for what comes next.
        let epoch = fork::epoch();
        let is_free = |chunk: &&Chunk| chunk.is_free() && chunk.epoch == epoch;
        let is_spare = |chunk: &Chunk| {
            !REUSES_ADDRESSES
                || chunk.epoch != epoch
                || self.chunks.iter().filter(is_free).count() > 1
        };
        if self.chunks[i].is_free() && is_spare(&self.chunks[i]) {
            self.chunks.swap_remove(i);
        }
    }
}

#[cfg(all(test, not(target_arch = "aarch64")))]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_is_used_again() {
        let mut memory = CodeMemory::default();
        let sizes = [1, 16, 17, 100, 5000, 64, 33];
        let mut published = Vec::new();
        for round in 0..200 {
            let code = vec![round as u8; sizes[round % sizes.len()]];
            published.push((memory.publish(&code).unwrap() as usize, code));
            if round % 3 == 2 {
                let (address, code) = published.swap_remove(round * 7 % published.len());
                memory.free(address, code.len());
            }
        }
        for (address, code) in &published {
            assert!(address.is_multiple_of(CODE_ALIGN_BYTES));
            // SAFETY: the code is where it was published, and readable.
            let there = unsafe { core::slice::from_raw_parts(*address as *const u8, code.len()) };
            assert_eq!(there, &code[..]);
        }
        let first = memory.chunks[0].pages.length_bytes();
        published
            .drain(..)
            .for_each(|(address, code)| memory.free(address, code.len()));
        assert!(memory.chunks[0].is_free());
        let all = memory.publish(&vec![7; first]).unwrap();
        memory.free(all as usize, first);
        assert_eq!(memory.chunks.len(), 1, "the pieces became one again");
    }

    #[test]
    fn chunks_grow_and_go() {
        let mut memory = CodeMemory::default();
        let code = vec![1; 600 << 10];
        let published: Vec<_> = (0..40).map(|_| memory.publish(&code).unwrap()).collect();
        let lengths = |memory: &CodeMemory| -> Vec<usize> {
            let chunks = memory.chunks.iter();
            chunks
                .map(|chunk| chunk.pages.length_bytes() >> 20)
                .collect()
        };
        assert_eq!(lengths(&memory), [1, 2, 4, 8, 16]);
        for address in published {
            memory.free(address as usize, code.len());
        }
        assert_eq!(memory.chunks.len(), 1);
        let large = vec![2; (40 << 20) + 5];
        let address = memory.publish(&large).unwrap();
        memory.free(address as usize, large.len());
    }
}
