//! The guest's memory as the calls see it: every access checked, nothing trusted.
//!
//! Pointers and lengths are 32 bits and come from the guest. An access outside of the memory is
//! [`Errno::Fault`]; nothing is allocated in proportion to a guest's number before that number was
//! checked against the memory or a fixed limit. Misaligned pointers are accepted.
//!
//! The view also carries the hook that asks whether the embedder wants the guest stopped, because
//! every call that can block needs both.

use crate::errno::Errno;
use std::path::PathBuf;

/// How many buffers one call may name, as `IOV_MAX` of POSIX systems.
const IOVECS_MAX: u32 = 1024;

/// The longest path a guest may pass; the host's own limit is lower.
const PATH_SIZE_BYTES_MAX: u32 = 64 * 1024;

/// A guest's linear memory during one call.
pub struct GuestMemory<'a> {
    bytes: &'a mut [u8],
    interrupted: &'a dyn Fn() -> bool,
}

/// A buffer that the guest named and that lies inside of its memory.
#[derive(Clone, Copy)]
pub(crate) struct Buffer {
    pub(crate) pointer: u32,
    pub(crate) size_bytes: u32,
}

impl<'a> GuestMemory<'a> {
    /// A view on `bytes` for a guest that nobody interrupts.
    pub fn new(bytes: &'a mut [u8]) -> Self {
        Self::with_interrupt(bytes, &|| false)
    }

    /// A view on `bytes`; a blocking call asks `interrupted` every few milliseconds and fails with
    /// [`Errno::Intr`] when that returns true.
    pub fn with_interrupt(bytes: &'a mut [u8], interrupted: &'a dyn Fn() -> bool) -> Self {
        Self { bytes, interrupted }
    }

    pub(crate) fn is_interrupted(&self) -> bool {
        (self.interrupted)()
    }

    /// The `size_bytes` at `pointer`.
    pub(crate) fn bytes(&self, pointer: u32, size_bytes: u32) -> Result<&[u8], Errno> {
        self.bytes
            .get(pointer as usize..)
            .and_then(|rest| rest.get(..size_bytes as usize))
            .ok_or(Errno::Fault)
    }

    /// The `size_bytes` at `pointer`.
    pub(crate) fn bytes_mut(&mut self, pointer: u32, size_bytes: u32) -> Result<&mut [u8], Errno> {
        self.bytes
            .get_mut(pointer as usize..)
            .and_then(|rest| rest.get_mut(..size_bytes as usize))
            .ok_or(Errno::Fault)
    }

    /// Fails unless the range is inside of the memory: for results, before anything has happened.
    pub(crate) fn check(&self, pointer: u32, size_bytes: u32) -> Result<(), Errno> {
        self.bytes(pointer, size_bytes).map(|_| ())
    }

    pub(crate) fn write(&mut self, pointer: u32, bytes: &[u8]) -> Result<(), Errno> {
        let size_bytes = u32::try_from(bytes.len()).map_err(|_| Errno::Fault)?;
        self.bytes_mut(pointer, size_bytes)?.copy_from_slice(bytes);
        Ok(())
    }

    pub(crate) fn write_u16(&mut self, pointer: u32, value: u16) -> Result<(), Errno> {
        self.write(pointer, &value.to_le_bytes())
    }

    pub(crate) fn write_u32(&mut self, pointer: u32, value: u32) -> Result<(), Errno> {
        self.write(pointer, &value.to_le_bytes())
    }

    pub(crate) fn write_u64(&mut self, pointer: u32, value: u64) -> Result<(), Errno> {
        self.write(pointer, &value.to_le_bytes())
    }

    /// A path: UTF-8 without a NUL.
    pub(crate) fn path(&self, pointer: u32, size_bytes: u32) -> Result<PathBuf, Errno> {
        let bytes = self.bytes(pointer, size_bytes)?;
        if size_bytes > PATH_SIZE_BYTES_MAX {
            return Err(Errno::Nametoolong);
        }
        if bytes.contains(&0) {
            return Err(Errno::Inval);
        }
        let path = std::str::from_utf8(bytes).map_err(|_| Errno::Ilseq)?;
        Ok(PathBuf::from(path))
    }

    /// The non-empty buffers of an array of `count` (pointer, length) pairs.
    ///
    /// All of them are inside of the memory; their lengths add up to less than 2³². They may
    /// overlap.
    pub(crate) fn buffers(&self, pointer: u32, count: u32) -> Result<Vec<Buffer>, Errno> {
        if count > IOVECS_MAX {
            return Err(Errno::Inval);
        }
        let (pairs, _) = self.bytes(pointer, count * 8)?.as_chunks::<4>();
        let mut total_bytes = 0u32;
        let mut buffers = Vec::with_capacity(count as usize);
        for pair in pairs.chunks_exact(2) {
            let buffer = Buffer {
                pointer: u32::from_le_bytes(pair[0]),
                size_bytes: u32::from_le_bytes(pair[1]),
            };
            if buffer.size_bytes == 0 {
                continue;
            }
            self.check(buffer.pointer, buffer.size_bytes)?;
            total_bytes = total_bytes
                .checked_add(buffer.size_bytes)
                .ok_or(Errno::Inval)?;
            buffers.push(buffer);
        }
        Ok(buffers)
    }

    pub(crate) fn buffer(&self, buffer: Buffer) -> Result<&[u8], Errno> {
        self.bytes(buffer.pointer, buffer.size_bytes)
    }

    pub(crate) fn buffer_mut(&mut self, buffer: Buffer) -> Result<&mut [u8], Errno> {
        self.bytes_mut(buffer.pointer, buffer.size_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_access_is_checked() {
        let mut bytes = vec![0; 64];
        let mut memory = GuestMemory::new(&mut bytes);
        assert_eq!(memory.bytes(0, 65), Err(Errno::Fault));
        assert_eq!(memory.bytes(65, 0), Err(Errno::Fault));
        assert_eq!(memory.bytes(64, 0), Ok(&[][..]));
        assert_eq!(memory.bytes(u32::MAX, u32::MAX), Err(Errno::Fault));
        assert_eq!(memory.write_u64(57, 0), Err(Errno::Fault));
        assert_eq!(memory.write_u64(56, 0), Ok(()));
    }

    #[test]
    fn buffers_are_bounded() {
        let mut bytes = vec![0; 16 * 1024];
        let mut memory = GuestMemory::new(&mut bytes);
        assert_eq!(memory.buffers(0, 1025).err(), Some(Errno::Inval));
        assert_eq!(memory.buffers(0, u32::MAX).err(), Some(Errno::Inval));
        assert_eq!(memory.buffers(16 * 1024 - 7, 1).err(), Some(Errno::Fault));
        memory.write_u32(0, 16).expect("inside");
        memory.write_u32(4, 16 * 1024).expect("inside");
        assert_eq!(memory.buffers(0, 1).err(), Some(Errno::Fault));
        memory.write_u32(4, 8).expect("inside");
        assert_eq!(memory.buffers(0, 2).map(|buffers| buffers.len()), Ok(1));
    }

    #[test]
    fn paths_are_text() {
        let mut bytes = b"a/b\0\xff".to_vec();
        let memory = GuestMemory::new(&mut bytes);
        assert_eq!(memory.path(0, 3), Ok(PathBuf::from("a/b")));
        assert_eq!(memory.path(0, 4), Err(Errno::Inval));
        assert_eq!(memory.path(4, 1), Err(Errno::Ilseq));
        assert_eq!(memory.path(0, 6), Err(Errno::Fault));
    }
}
