//! The standard streams: the host's, a buffer in memory, or nothing at all.
//!
//! The host's streams belong to the whole process, so their flags are never changed: a guest's
//! `NONBLOCK` is emulated by asking before reading. Output is written through unless the embedder
//! asked for a buffer; then it is flushed before anything that waits, when the other stream is
//! written, at exit, and when the context is dropped.

use crate::errno::Errno;
use crate::guest::{Buffer, GuestMemory};
use crate::types::Filetype;
use crate::wait::wait_for;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::retry_on_intr;
use std::io::{IoSlice, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where a guest's standard input comes from.
pub(crate) enum Stdin {
    /// Always at its end.
    Empty,
    /// The host's standard input.
    Host,
    /// Fixed bytes.
    Memory { bytes: Vec<u8>, position: usize },
}

impl Stdin {
    pub(crate) fn filetype(&self) -> Filetype {
        match self {
            Self::Host if std::io::stdin().is_terminal() => Filetype::CharacterDevice,
            Self::Empty | Self::Host | Self::Memory { .. } => Filetype::Unknown,
        }
    }

    /// Fills the first of `buffers` as far as there is input, and returns how much that was.
    ///
    /// One buffer at most: waiting for a second line with the first one in hand would hang programs
    /// that answer line by line.
    pub(crate) fn read(
        &mut self,
        memory: &mut GuestMemory<'_>,
        buffers: &[Buffer],
        nonblocking: bool,
    ) -> Result<u32, Errno> {
        let Some(&buffer) = buffers.first() else {
            return Ok(0);
        };
        match self {
            Self::Empty => Ok(0),
            Self::Host => {
                let stdin = std::io::stdin();
                loop {
                    wait_for(memory, stdin.as_fd(), PollFlags::IN, nonblocking)?;
                    let target = memory.buffer_mut(buffer)?;
                    match retry_on_intr(|| rustix::io::read(&stdin, &mut *target)) {
                        Ok(count) => return Ok(count as u32),
                        // Whoever shares the stream made it non-blocking and was faster.
                        Err(rustix::io::Errno::AGAIN) if !nonblocking => {}
                        Err(error) => return Err(error.into()),
                    }
                }
            }
            Self::Memory { bytes, position } => {
                let target = memory.buffer_mut(buffer)?;
                let rest = &bytes[*position..];
                let count = rest.len().min(target.len());
                target[..count].copy_from_slice(&rest[..count]);
                *position += count;
                Ok(count as u32)
            }
        }
    }
}

/// Which of the host's streams.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostStream {
    Stdout,
    Stderr,
}

impl HostStream {
    fn write(self, slices: &[IoSlice<'_>]) -> Result<usize, Errno> {
        match self {
            Self::Stdout => write_to(std::io::stdout().as_fd(), slices),
            Self::Stderr => write_to(std::io::stderr().as_fd(), slices),
        }
    }

    fn write_all(self, mut bytes: &[u8]) -> Result<(), Errno> {
        while !bytes.is_empty() {
            let written = self.write(&[IoSlice::new(bytes)])?;
            if written == 0 {
                return Err(Errno::Io);
            }
            bytes = &bytes[written..];
        }
        Ok(())
    }

    fn is_terminal(self) -> bool {
        match self {
            Self::Stdout => std::io::stdout().is_terminal(),
            Self::Stderr => std::io::stderr().is_terminal(),
        }
    }
}

/// Writes, waiting for room if whoever shares the stream made it non-blocking.
fn write_to(fd: BorrowedFd<'_>, slices: &[IoSlice<'_>]) -> Result<usize, Errno> {
    loop {
        match retry_on_intr(|| rustix::io::writev(fd, slices)) {
            Err(rustix::io::Errno::AGAIN) => {
                let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
                retry_on_intr(|| poll(&mut fds, None))?;
            }
            result => return Ok(result?),
        }
    }
}

/// Where a guest's standard output or error goes.
pub(crate) enum Output {
    /// Accepted and dropped.
    Discard,
    /// The host's stream, through a buffer that holds up to `buffer_size_bytes`.
    Host {
        stream: HostStream,
        buffer: Vec<u8>,
        buffer_size_bytes: usize,
    },
    /// Kept for the embedder.
    Memory(MemoryOutput),
}

impl Output {
    pub(crate) fn filetype(&self) -> Filetype {
        match self {
            Self::Host { stream, .. } if stream.is_terminal() => Filetype::CharacterDevice,
            Self::Discard | Self::Host { .. } | Self::Memory(_) => Filetype::Unknown,
        }
    }

    /// Takes as much of `buffers` as it can and returns how much that was.
    pub(crate) fn write(
        &mut self,
        memory: &GuestMemory<'_>,
        buffers: &[Buffer],
    ) -> Result<u32, Errno> {
        let total_bytes: u32 = buffers.iter().map(|buffer| buffer.size_bytes).sum();
        match self {
            Self::Discard => Ok(total_bytes),
            Self::Host {
                stream,
                buffer,
                buffer_size_bytes,
            } => {
                if buffer.len() + total_bytes as usize > *buffer_size_bytes {
                    flush(*stream, buffer)?;
                }
                if total_bytes as usize > *buffer_size_bytes {
                    let slices = slices(memory, buffers)?;
                    return Ok(stream.write(&slices)? as u32);
                }
                for &part in buffers {
                    buffer.extend_from_slice(memory.buffer(part)?);
                }
                Ok(total_bytes)
            }
            Self::Memory(output) => {
                let mut written = 0;
                for &part in buffers {
                    let bytes = memory.buffer(part)?;
                    let taken = output.push(bytes);
                    written += taken as u32;
                    if taken < bytes.len() {
                        break;
                    }
                }
                if written == 0 && total_bytes > 0 {
                    return Err(Errno::Nospc);
                }
                Ok(written)
            }
        }
    }

    /// Writes what is buffered.
    pub(crate) fn flush(&mut self) -> Result<(), Errno> {
        match self {
            Self::Host { stream, buffer, .. } => flush(*stream, buffer),
            Self::Discard | Self::Memory(_) => Ok(()),
        }
    }
}

/// Writes and empties `buffer`; on an error its contents are lost, as they would have been unbuffered.
fn flush(stream: HostStream, buffer: &mut Vec<u8>) -> Result<(), Errno> {
    if buffer.is_empty() {
        return Ok(());
    }
    let result = stream.write_all(buffer);
    buffer.clear();
    result
}

/// The guest's buffers for one gathering write of the host.
pub(crate) fn slices<'m>(
    memory: &'m GuestMemory<'_>,
    buffers: &[Buffer],
) -> Result<Vec<IoSlice<'m>>, Errno> {
    buffers
        .iter()
        .map(|&buffer| memory.buffer(buffer).map(IoSlice::new))
        .collect()
}

/// A bounded buffer that collects a guest's output.
///
/// Clones share the contents. When it is full, further writes fail with [`Errno::Nospc`].
#[derive(Clone, Debug)]
pub struct MemoryOutput {
    bytes: Arc<Mutex<Vec<u8>>>,
    capacity_bytes: usize,
}

impl MemoryOutput {
    /// An empty buffer for up to `capacity_bytes`.
    #[must_use]
    pub fn new(capacity_bytes: usize) -> Self {
        Self {
            bytes: Arc::default(),
            capacity_bytes,
        }
    }

    /// What was written so far.
    #[must_use]
    pub fn contents(&self) -> Vec<u8> {
        self.lock().clone()
    }

    fn push(&self, bytes: &[u8]) -> usize {
        let mut contents = self.lock();
        let room = self.capacity_bytes.saturating_sub(contents.len());
        let taken = room.min(bytes.len());
        contents.extend_from_slice(&bytes[..taken]);
        taken
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
