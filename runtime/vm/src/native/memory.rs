//! Memory for machine code. Nothing is moved or freed before the engine goes.

use super::pages::Pages;
use crate::sys::fork;
use std::io;

/// Size of one mapping, in bytes. A module with more code gets several.
const CHUNK_BYTES: usize = 16 << 20;
const ALIGN: usize = 16;

#[derive(Debug)]
struct Chunk {
    pages: Pages,
    used_bytes: usize,
}

/// All code of an engine.
#[derive(Debug, Default)]
pub(crate) struct CodeMemory {
    chunks: Vec<Chunk>,
    /// When the last chunk was made: pages from before a fork belong to two processes, of which
    /// neither writes to them any more.
    epoch: u32,
}

impl CodeMemory {
    /// Copies code in and returns its executable address, 16-byte aligned.
    ///
    /// # Errors
    /// The system's, when it has no memory.
    pub(crate) fn publish(&mut self, code: &[u8]) -> io::Result<*const u8> {
        let fits = |chunk: &Chunk| chunk.pages.length_bytes() - chunk.used_bytes >= code.len();
        let epoch = fork::epoch();
        if self.epoch != epoch || !self.chunks.last().is_some_and(fits) {
            let length = code.len().next_multiple_of(4096).max(CHUNK_BYTES);
            self.chunks.push(Chunk {
                pages: Pages::new(length)?,
                used_bytes: 0,
            });
            self.epoch = epoch;
        }
        let chunk = self.chunks.last_mut().expect("pushed just now");
        let at = chunk.used_bytes;
        let address = chunk.pages.write(at, code);
        chunk.used_bytes = (at + code.len())
            .next_multiple_of(ALIGN)
            .min(chunk.pages.length_bytes());
        Ok(address)
    }
}
