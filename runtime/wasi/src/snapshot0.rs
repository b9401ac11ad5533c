//! `wasi_unstable`, the snapshot before preview 1, as an adapter: the calls whose numbers or
//! structures differ. All others are the same functions under both names.
//!
//! | what | snapshot 0 | preview 1 |
//! |---|---|---|
//! | `whence` | current, end, start | start, current, end |
//! | `filestat` | 56 bytes, 32 bits of links | 64 bytes, 64 bits of links |
//! | `subscription` | 56 bytes: a clock has an identifier of its own first | 48 bytes |
//! | `sock_accept` | absent | there |
//!
//! Source: the WASI repository, `legacy/preview0/witx/typenames.witx`.

use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::guest::GuestMemory;
use crate::poll::SUBSCRIPTION_SIZE_BYTES;

/// `subscription` of snapshot 0.
const SUBSCRIPTION_0_SIZE_BYTES: usize = 56;

/// The calls of `wasi_unstable` that are not those of preview 1 under another name.
pub struct Snapshot0<'c>(pub &'c mut WasiCtx);

impl Snapshot0<'_> {
    /// `fd_seek`: 0 counts from the current position, 1 from the end, 2 from the start.
    ///
    /// # Errors
    /// As [`WasiCtx::fd_seek`].
    pub fn fd_seek(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        offset: i64,
        whence: u32,
        position_pointer: u32,
    ) -> Result<(), Errno> {
        let whence = match whence {
            0 => 1,
            1 => 2,
            2 => 0,
            _ => return Err(Errno::Inval),
        };
        self.0.fd_seek(memory, fd, offset, whence, position_pointer)
    }

    /// `fd_filestat_get`.
    ///
    /// # Errors
    /// As [`WasiCtx::fd_filestat_get`]; [`Errno::Overflow`] for more links than fit.
    pub fn fd_filestat_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        pointer: u32,
    ) -> Result<(), Errno> {
        memory.write(pointer, &self.0.filestat(fd)?.encode_snapshot0()?)
    }

    /// `path_filestat_get`.
    ///
    /// # Errors
    /// As [`WasiCtx::path_filestat_get`]; [`Errno::Overflow`] for more links than fit.
    pub fn path_filestat_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        lookup: u32,
        path_pointer: u32,
        path_size_bytes: u32,
        pointer: u32,
    ) -> Result<(), Errno> {
        let filestat = self
            .0
            .filestat_at(memory, fd, lookup, path_pointer, path_size_bytes)?;
        memory.write(pointer, &filestat.encode_snapshot0()?)
    }

    /// `poll_oneoff`. The identifier of a clock says nothing: the subscription's own data is what
    /// comes back.
    ///
    /// # Errors
    /// As [`WasiCtx::poll_oneoff`].
    pub fn poll_oneoff(
        &mut self,
        memory: &mut GuestMemory<'_>,
        subscriptions_pointer: u32,
        events_pointer: u32,
        count: u32,
        count_pointer: u32,
    ) -> Result<(), Errno> {
        self.0.poll(
            memory,
            subscriptions_pointer,
            events_pointer,
            count,
            count_pointer,
            subscription,
        )
    }
}

/// A subscription in the layout of preview 1.
fn subscription(old: &[u8; SUBSCRIPTION_0_SIZE_BYTES]) -> [u8; SUBSCRIPTION_SIZE_BYTES] {
    const CLOCK: u8 = 0;
    let mut new = [0; SUBSCRIPTION_SIZE_BYTES];
    // User data and the tag; then what it is about, a descriptor's number at the same place.
    let about = if old[8] == CLOCK { 24 } else { 16 };
    new[..16].copy_from_slice(&old[..16]);
    new[16..].copy_from_slice(&old[about..][..SUBSCRIPTION_SIZE_BYTES - 16]);
    new
}
