//! Random bytes from the system's generator.

use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::guest::GuestMemory;
use crate::host::random;

/// How much is filled between two looks at the interrupt.
const CHUNK_SIZE_BYTES: usize = 1 << 20;

impl WasiCtx {
    /// `random_get`.
    ///
    /// # Errors
    /// [`Errno::Fault`]; [`Errno::Intr`] when interrupted.
    pub fn random_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        pointer: u32,
        size_bytes: u32,
    ) -> Result<(), Errno> {
        let mut filled = 0;
        loop {
            let rest = &mut memory.bytes_mut(pointer, size_bytes)?[filled..];
            if rest.is_empty() {
                return Ok(());
            }
            let size_bytes = rest.len().min(CHUNK_SIZE_BYTES);
            match random(&mut rest[..size_bytes]) {
                Ok(count) => filled += count,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            if memory.is_interrupted() {
                return Err(Errno::Intr);
            }
        }
    }
}
