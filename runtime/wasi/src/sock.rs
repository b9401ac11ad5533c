//! Stream sockets: accepting on preopened listeners, receiving, sending, shutting down.
//!
//! The host's sockets never block; waiting is done in slices, as for every other descriptor.

use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::guest::{Buffer, GuestMemory};
use crate::host::SEND_FLAGS;
use crate::table::{Descriptor, Kind};
use crate::types::{Fdflags, Riflags, Rights, Sdflags};
use crate::wait::wait_for;
use rustix::event::PollFlags;
use rustix::io::{FdFlags, retry_on_intr};
use rustix::net::{RecvFlags, Shutdown};
use std::os::fd::BorrowedFd;

/// Receives into `buffers`: into the first one only, unless all are to be filled.
pub(crate) fn receive(
    socket: BorrowedFd<'_>,
    memory: &mut GuestMemory<'_>,
    buffers: &[Buffer],
    flags: RecvFlags,
    nonblocking: bool,
) -> Result<u32, Errno> {
    let wait_all = flags.contains(RecvFlags::WAITALL);
    // The host's flag does not wait on a socket that never blocks, and would not see an interrupt.
    let flags = flags.difference(RecvFlags::WAITALL);
    let mut total = 0;
    for &buffer in buffers {
        let mut filled = 0;
        while filled < buffer.size_bytes {
            let waited = wait_for(memory, socket, PollFlags::IN, nonblocking);
            let target = &mut memory.buffer_mut(buffer)?[filled as usize..];
            let received = waited.and_then(|()| {
                retry_on_intr(|| rustix::net::recv(socket, &mut *target, flags))
                    .map(|(count, _)| count as u32)
                    .map_err(Errno::from)
            });
            match received {
                Err(Errno::Again) if !nonblocking => continue,
                Err(_) if total > 0 => return Ok(total),
                Err(error) => return Err(error),
                Ok(0) => return Ok(total),
                Ok(count) => {
                    filled += count;
                    total += count;
                }
            }
            // A second look at the queue would see the same bytes again.
            if !wait_all || flags.contains(RecvFlags::PEEK) {
                return Ok(total);
            }
        }
    }
    Ok(total)
}

/// Sends the first of `buffers`, or as much of it as the host takes.
pub(crate) fn transmit(
    socket: BorrowedFd<'_>,
    memory: &GuestMemory<'_>,
    buffers: &[Buffer],
    nonblocking: bool,
) -> Result<u32, Errno> {
    let Some(&buffer) = buffers.first() else {
        return Ok(0);
    };
    let bytes = memory.buffer(buffer)?;
    loop {
        wait_for(memory, socket, PollFlags::OUT, nonblocking)?;
        match retry_on_intr(|| rustix::net::send(socket, bytes, SEND_FLAGS)) {
            Ok(count) => return Ok(count as u32),
            Err(rustix::io::Errno::AGAIN) if !nonblocking => {}
            Err(error) => return Err(error.into()),
        }
    }
}

impl WasiCtx {
    /// The socket behind `fd` and whether the guest wants it not to block.
    fn socket(&self, fd: u32, needed: Rights) -> Result<(BorrowedFd<'_>, bool), Errno> {
        use std::os::fd::AsFd;
        let descriptor = self.table.get(fd)?;
        match &descriptor.kind {
            Kind::Socket(socket) => {
                descriptor.need(needed)?;
                Ok((socket.as_fd(), descriptor.nonblocking()))
            }
            Kind::Listener(_) => Err(Errno::Notconn),
            _ => Err(Errno::Notsock),
        }
    }

    /// `sock_accept`.
    ///
    /// # Errors
    /// [`Errno::Badf`], [`Errno::Notsock`], [`Errno::Inval`], [`Errno::Notcapable`],
    /// [`Errno::Again`], [`Errno::Mfile`], [`Errno::Fault`], those of the host.
    pub fn sock_accept(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        flags: u32,
        fd_pointer: u32,
    ) -> Result<(), Errno> {
        memory.check(fd_pointer, 4)?;
        let flags = Fdflags::from_guest(flags)?;
        if !Fdflags::NONBLOCK.contains(flags) {
            return Err(Errno::Inval);
        }
        self.flush()?;
        self.table.check_room()?;
        let descriptor = self.table.get(fd)?;
        let listener = match &descriptor.kind {
            Kind::Listener(listener) => listener,
            Kind::Socket(_) => return Err(Errno::Inval),
            _ => return Err(Errno::Notsock),
        };
        descriptor.need(Rights::SOCK_ACCEPT)?;
        let nonblocking = descriptor.nonblocking();
        let inheriting = descriptor.inheriting;
        let socket = loop {
            use std::os::fd::AsFd;
            wait_for(memory, listener.as_fd(), PollFlags::IN, nonblocking)?;
            match retry_on_intr(|| rustix::net::accept(listener)) {
                Ok(socket) => break socket,
                // The peer went away again.
                Err(rustix::io::Errno::AGAIN) if !nonblocking => {}
                Err(error) => return Err(error.into()),
            }
        };
        rustix::io::fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&socket, true)?;
        let accepted = self.table.insert(Descriptor {
            kind: Kind::Socket(socket),
            rights: Rights::SOCKET.intersection(inheriting),
            inheriting: Rights::empty(),
            flags,
        })?;
        memory.write_u32(fd_pointer, accepted)
    }

    /// `sock_recv`.
    ///
    /// # Errors
    /// [`Errno::Badf`], [`Errno::Notsock`], [`Errno::Inval`], [`Errno::Notcapable`],
    /// [`Errno::Again`], [`Errno::Fault`], those of the host.
    #[allow(clippy::too_many_arguments, reason = "the interface prescribes them")]
    pub fn sock_recv(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        flags: u32,
        received_pointer: u32,
        flags_pointer: u32,
    ) -> Result<(), Errno> {
        memory.check(received_pointer, 4)?;
        memory.check(flags_pointer, 2)?;
        let guest_flags = Riflags::from_guest(flags)?;
        self.flush()?;
        let (socket, nonblocking) = self.socket(fd, Rights::FD_READ)?;
        let buffers = memory.buffers(iovs, iovs_len)?;
        let mut flags = RecvFlags::empty();
        flags.set(RecvFlags::PEEK, guest_flags.contains(Riflags::PEEK));
        flags.set(RecvFlags::WAITALL, guest_flags.contains(Riflags::WAITALL));
        let received = receive(socket, memory, &buffers, flags, nonblocking)?;
        memory.write_u32(received_pointer, received)?;
        // Only datagrams are ever cut.
        memory.write_u16(flags_pointer, 0)
    }

    /// `sock_send`. There are no flags.
    ///
    /// # Errors
    /// As `sock_recv`.
    pub fn sock_send(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        flags: u32,
        sent_pointer: u32,
    ) -> Result<(), Errno> {
        memory.check(sent_pointer, 4)?;
        if flags != 0 {
            return Err(Errno::Inval);
        }
        self.flush()?;
        let (socket, nonblocking) = self.socket(fd, Rights::FD_WRITE)?;
        let buffers = memory.buffers(iovs, iovs_len)?;
        let sent = transmit(socket, memory, &buffers, nonblocking)?;
        memory.write_u32(sent_pointer, sent)
    }

    /// `sock_shutdown`.
    ///
    /// # Errors
    /// [`Errno::Badf`], [`Errno::Notsock`], [`Errno::Inval`], [`Errno::Notcapable`], those of the
    /// host.
    pub fn sock_shutdown(
        &mut self,
        _: &mut GuestMemory<'_>,
        fd: u32,
        how: u32,
    ) -> Result<(), Errno> {
        let how = Sdflags::from_guest(how)?;
        let (socket, _) = self.socket(fd, Rights::SOCK_SHUTDOWN)?;
        let how = match (how.contains(Sdflags::RD), how.contains(Sdflags::WR)) {
            (true, true) => Shutdown::Both,
            (true, false) => Shutdown::Read,
            (false, true) => Shutdown::Write,
            (false, false) => return Err(Errno::Inval),
        };
        rustix::net::shutdown(socket, how)?;
        Ok(())
    }
}
