//! Reading, writing and positioning: the `fd_*` calls on open files and streams.
//!
//! A descriptor that was not opened for a direction answers [`Errno::Badf`], as POSIX does; one
//! whose right the guest gave up answers [`Errno::Notcapable`].

use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::guest::{Buffer, GuestMemory};
use crate::host::{self, FileAdvice};
use crate::sock;
use crate::stdio::slices;
use crate::table::{Kind, OpenFile, Table};
use crate::types::{Fdflags, Fdstat, Rights};
use crate::wait::wait_for;
use rustix::event::PollFlags;
use rustix::fs::{FallocateFlags, OFlags, SeekFrom};
use rustix::io::retry_on_intr;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};

/// Fills `buffers` in order with what `read` gives at each distance from the start.
///
/// It stops at the first short read. An error after something was read is left for the next call.
fn scatter(
    memory: &mut GuestMemory<'_>,
    buffers: &[Buffer],
    mut read: impl FnMut(&mut [u8], u64) -> rustix::io::Result<usize>,
) -> Result<u32, Errno> {
    let mut total = 0u32;
    for &buffer in buffers {
        let target = memory.buffer_mut(buffer)?;
        match retry_on_intr(|| read(target, u64::from(total))) {
            Ok(count) => {
                total += count as u32;
                if count < target.len() {
                    break;
                }
            }
            Err(_) if total > 0 => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(total)
}

fn read_file(
    file: &OpenFile,
    memory: &mut GuestMemory<'_>,
    buffers: &[Buffer],
    nonblocking: bool,
) -> Result<u32, Errno> {
    if !file.readable {
        return Err(Errno::Badf);
    }
    if file.is_regular() {
        return scatter(memory, buffers, |target, _| {
            rustix::io::read(&file.file, target)
        });
    }
    let Some(&buffer) = buffers.first() else {
        return Ok(0);
    };
    loop {
        wait_for(memory, file.file.as_fd(), PollFlags::IN, nonblocking)?;
        let target = memory.buffer_mut(buffer)?;
        match retry_on_intr(|| rustix::io::read(&file.file, &mut *target)) {
            Ok(count) => return Ok(count as u32),
            // Somebody else was faster.
            Err(rustix::io::Errno::AGAIN) if !nonblocking => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn write_file(
    file: &OpenFile,
    memory: &GuestMemory<'_>,
    buffers: &[Buffer],
    nonblocking: bool,
) -> Result<u32, Errno> {
    if !file.writable {
        return Err(Errno::Badf);
    }
    if buffers.is_empty() {
        return Ok(0);
    }
    let slices = slices(memory, buffers)?;
    loop {
        if !file.is_regular() {
            wait_for(memory, file.file.as_fd(), PollFlags::OUT, nonblocking)?;
        }
        match retry_on_intr(|| rustix::io::writev(&file.file, &slices)) {
            Ok(count) => return Ok(count as u32),
            Err(rustix::io::Errno::AGAIN) if !nonblocking => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A file that may be resized with the right `needed`; `unwritable` is the error for one that was
/// not opened for writing.
fn resizable(
    table: &Table,
    fd: u32,
    needed: Rights,
    unwritable: Errno,
) -> Result<&OpenFile, Errno> {
    let file = match table.file(fd, Rights::empty()) {
        Err(Errno::Spipe) => return Err(Errno::Inval),
        other => other?,
    };
    if !file.writable {
        return Err(unwritable);
    }
    table.get(fd)?.need(needed)?;
    Ok(file)
}

impl WasiCtx {
    /// `fd_read`.
    ///
    /// # Errors
    /// [`Errno::Badf`], [`Errno::Notcapable`], [`Errno::Fault`], [`Errno::Inval`], those of the host.
    pub fn fd_read(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        read_pointer: u32,
    ) -> Result<(), Errno> {
        memory.check(read_pointer, 4)?;
        let buffers = memory.buffers(iovs, iovs_len)?;
        if !matches!(self.table.get(fd)?.kind, Kind::File(_)) {
            self.flush()?;
        }
        let descriptor = self.table.get_mut(fd)?;
        let nonblocking = descriptor.nonblocking();
        if let Kind::Output(_) | Kind::Dir(_) | Kind::Listener(_) = descriptor.kind {
            return Err(Errno::Badf);
        }
        if let Kind::File(OpenFile {
            readable: false, ..
        }) = descriptor.kind
        {
            return Err(Errno::Badf);
        }
        descriptor.need(Rights::FD_READ)?;
        let read = match &mut descriptor.kind {
            Kind::Stdin(stdin) => stdin.read(memory, &buffers, nonblocking)?,
            Kind::File(file) => read_file(file, memory, &buffers, nonblocking)?,
            Kind::Socket(socket) => {
                let flags = rustix::net::RecvFlags::empty();
                sock::receive(socket.as_fd(), memory, &buffers, flags, nonblocking)?
            }
            Kind::Output(_) | Kind::Dir(_) | Kind::Listener(_) => return Err(Errno::Badf),
        };
        memory.write_u32(read_pointer, read)
    }

    /// `fd_pread`.
    ///
    /// # Errors
    /// As `fd_read`; [`Errno::Spipe`] for what has no position.
    pub fn fd_pread(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        offset: u64,
        read_pointer: u32,
    ) -> Result<(), Errno> {
        memory.check(read_pointer, 4)?;
        let buffers = memory.buffers(iovs, iovs_len)?;
        let file = self.table.file(fd, Rights::empty())?;
        if !file.readable {
            return Err(Errno::Badf);
        }
        // Reading elsewhere without moving is as good as seeking there and back.
        self.table
            .get(fd)?
            .need(Rights::FD_READ | Rights::FD_SEEK)?;
        let read = scatter(memory, &buffers, |target, distance| {
            rustix::io::pread(&file.file, target, offset.saturating_add(distance))
        })?;
        memory.write_u32(read_pointer, read)
    }

    /// `fd_write`.
    ///
    /// # Errors
    /// [`Errno::Badf`], [`Errno::Notcapable`], [`Errno::Fault`], [`Errno::Inval`], those of the host.
    pub fn fd_write(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        written_pointer: u32,
    ) -> Result<(), Errno> {
        memory.check(written_pointer, 4)?;
        let buffers = memory.buffers(iovs, iovs_len)?;
        if fd != 1 && !matches!(self.table.get(fd)?.kind, Kind::File(_)) {
            // Whoever reads both streams on one terminal sees them in the order of the writes.
            self.flush()?;
        }
        let descriptor = self.table.get_mut(fd)?;
        let nonblocking = descriptor.nonblocking();
        if let Kind::Stdin(_) | Kind::Dir(_) | Kind::Listener(_) = descriptor.kind {
            return Err(Errno::Badf);
        }
        if let Kind::File(OpenFile {
            writable: false, ..
        }) = descriptor.kind
        {
            return Err(Errno::Badf);
        }
        descriptor.need(Rights::FD_WRITE)?;
        let written = match &mut descriptor.kind {
            Kind::Output(output) => output.write(memory, &buffers)?,
            Kind::File(file) => write_file(file, memory, &buffers, nonblocking)?,
            Kind::Socket(socket) => sock::transmit(socket.as_fd(), memory, &buffers, nonblocking)?,
            Kind::Stdin(_) | Kind::Dir(_) | Kind::Listener(_) => return Err(Errno::Badf),
        };
        memory.write_u32(written_pointer, written)
    }

    /// `fd_pwrite`. A file opened for appending is appended to, whatever the offset, and the position
    /// stays: so do Linux and wasmtime, against POSIX. The official test suite takes either.
    ///
    /// # Errors
    /// As `fd_write`; [`Errno::Spipe`] for what has no position.
    pub fn fd_pwrite(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        iovs: u32,
        iovs_len: u32,
        offset: u64,
        written_pointer: u32,
    ) -> Result<(), Errno> {
        memory.check(written_pointer, 4)?;
        let buffers = memory.buffers(iovs, iovs_len)?;
        let file = self.table.file(fd, Rights::empty())?;
        if !file.writable {
            return Err(Errno::Badf);
        }
        let descriptor = self.table.get(fd)?;
        descriptor.need(Rights::FD_WRITE | Rights::FD_SEEK)?;
        let slices = slices(memory, &buffers)?;
        let written = retry_on_intr(|| rustix::io::pwritev(&file.file, &slices, offset))?;
        memory.write_u32(written_pointer, written as u32)
    }

    /// `fd_seek`.
    ///
    /// # Errors
    /// [`Errno::Badf`], [`Errno::Spipe`], [`Errno::Notcapable`], [`Errno::Inval`], [`Errno::Fault`].
    pub fn fd_seek(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        offset: i64,
        whence: u32,
        position_pointer: u32,
    ) -> Result<(), Errno> {
        memory.check(position_pointer, 8)?;
        let (target, needed) = match whence {
            0 => {
                let offset = u64::try_from(offset).map_err(|_| Errno::Inval)?;
                (SeekFrom::Start(offset), Rights::FD_SEEK)
            }
            // Asking for the position is not moving.
            1 if offset == 0 => (SeekFrom::Current(0), Rights::empty()),
            1 => (SeekFrom::Current(offset), Rights::FD_SEEK),
            2 => (SeekFrom::End(offset), Rights::FD_SEEK),
            _ => return Err(Errno::Inval),
        };
        let file = self.table.file(fd, needed)?;
        if needed == Rights::empty() {
            self.need_tell(fd)?;
        }
        let position = rustix::fs::seek(&file.file, target)?;
        memory.write_u64(position_pointer, position)
    }

    /// `fd_tell`.
    ///
    /// # Errors
    /// [`Errno::Badf`], [`Errno::Spipe`], [`Errno::Notcapable`], [`Errno::Fault`].
    pub fn fd_tell(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        position_pointer: u32,
    ) -> Result<(), Errno> {
        let file = self.table.file(fd, Rights::empty())?;
        self.need_tell(fd)?;
        memory.write_u64(position_pointer, rustix::fs::tell(&file.file)?)
    }

    fn need_tell(&self, fd: u32) -> Result<(), Errno> {
        let either = Rights::FD_TELL | Rights::FD_SEEK;
        if self.table.get(fd)?.rights.intersects(either) {
            Ok(())
        } else {
            Err(Errno::Notcapable)
        }
    }

    /// `fd_close`.
    ///
    /// # Errors
    /// [`Errno::Badf`]; a failure to write what was buffered.
    pub fn fd_close(&mut self, _: &mut GuestMemory<'_>, fd: u32) -> Result<(), Errno> {
        match self.table.remove(fd)?.kind {
            Kind::Output(mut output) => output.flush(),
            _ => Ok(()),
        }
    }

    /// `fd_renumber`: moves a descriptor onto another open one.
    ///
    /// # Errors
    /// [`Errno::Badf`] if either is not open.
    pub fn fd_renumber(
        &mut self,
        _: &mut GuestMemory<'_>,
        from: u32,
        to: u32,
    ) -> Result<(), Errno> {
        self.flush()?;
        self.table.renumber(from, to)
    }

    /// `fd_advise`.
    ///
    /// # Errors
    /// [`Errno::Badf`], [`Errno::Spipe`], [`Errno::Notcapable`], [`Errno::Inval`].
    pub fn fd_advise(
        &mut self,
        _: &mut GuestMemory<'_>,
        fd: u32,
        offset: u64,
        size_bytes: u64,
        advice: u32,
    ) -> Result<(), Errno> {
        let advice = FileAdvice::from_number(advice).ok_or(Errno::Inval)?;
        let file = self.table.file(fd, Rights::FD_ADVISE)?;
        if i64::try_from(offset).is_err() || i64::try_from(size_bytes).is_err() {
            return Err(Errno::Inval);
        }
        host::advise(file.file.as_fd(), offset, size_bytes, advice)?;
        Ok(())
    }

    /// `fd_allocate`: makes sure that the range exists and has room on the device.
    ///
    /// # Errors
    /// [`Errno::Badf`], [`Errno::Notcapable`], [`Errno::Inval`], those of the host.
    pub fn fd_allocate(
        &mut self,
        _: &mut GuestMemory<'_>,
        fd: u32,
        offset: u64,
        size_bytes: u64,
    ) -> Result<(), Errno> {
        let file = resizable(&self.table, fd, Rights::FD_ALLOCATE, Errno::Badf)?;
        let flags = FallocateFlags::empty();
        retry_on_intr(|| rustix::fs::fallocate(&file.file, flags, offset, size_bytes))?;
        Ok(())
    }

    /// `fd_filestat_set_size`.
    ///
    /// # Errors
    /// [`Errno::Badf`], [`Errno::Notcapable`], [`Errno::Inval`], those of the host.
    pub fn fd_filestat_set_size(
        &mut self,
        _: &mut GuestMemory<'_>,
        fd: u32,
        size_bytes: u64,
    ) -> Result<(), Errno> {
        let file = resizable(&self.table, fd, Rights::FD_FILESTAT_SET_SIZE, Errno::Inval)?;
        retry_on_intr(|| rustix::fs::ftruncate(&file.file, size_bytes))?;
        Ok(())
    }

    /// `fd_datasync`.
    ///
    /// # Errors
    /// [`Errno::Badf`], [`Errno::Inval`] for a stream, [`Errno::Notcapable`], those of the host.
    pub fn fd_datasync(&mut self, _: &mut GuestMemory<'_>, fd: u32) -> Result<(), Errno> {
        self.sync(fd, Rights::FD_DATASYNC, host::datasync)
    }

    /// `fd_sync`.
    ///
    /// # Errors
    /// As `fd_datasync`.
    pub fn fd_sync(&mut self, _: &mut GuestMemory<'_>, fd: u32) -> Result<(), Errno> {
        self.sync(fd, Rights::FD_SYNC, |fd| rustix::fs::fsync(fd))
    }

    /// Directories cannot be synchronised, although Linux could: no other runtime lets a guest.
    fn sync(
        &self,
        fd: u32,
        needed: Rights,
        sync: impl Fn(BorrowedFd<'_>) -> rustix::io::Result<()>,
    ) -> Result<(), Errno> {
        match self.table.file(fd, needed) {
            Ok(file) => Ok(sync(file.file.as_fd())?),
            Err(Errno::Spipe) => Err(Errno::Inval),
            Err(error) => Err(error),
        }
    }

    /// `fd_fdstat_get`.
    ///
    /// # Errors
    /// [`Errno::Badf`], [`Errno::Fault`].
    pub fn fd_fdstat_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        pointer: u32,
    ) -> Result<(), Errno> {
        let descriptor = self.table.get(fd)?;
        let fdstat = Fdstat {
            filetype: descriptor.filetype(),
            flags: descriptor.flags,
            rights: descriptor.rights,
            inheriting: descriptor.inheriting,
        };
        memory.write(pointer, &fdstat.encode())
    }

    /// `fd_fdstat_set_flags`: appending and not blocking can be changed, synchronisation cannot.
    ///
    /// # Errors
    /// [`Errno::Badf`], [`Errno::Inval`], [`Errno::Notcapable`], those of the host.
    pub fn fd_fdstat_set_flags(
        &mut self,
        _: &mut GuestMemory<'_>,
        fd: u32,
        flags: u32,
    ) -> Result<(), Errno> {
        let flags = Fdflags::from_guest(flags)?;
        let descriptor = self.table.get_mut(fd)?;
        let fixed = Fdflags::DSYNC | Fdflags::RSYNC | Fdflags::SYNC;
        if flags.intersection(fixed) != descriptor.flags.intersection(fixed)
            && flags.intersects(fixed)
        {
            return Err(Errno::Inval);
        }
        if let Kind::Dir(_) = descriptor.kind {
            return Err(Errno::Badf);
        }
        descriptor.need(Rights::FD_FDSTAT_SET_FLAGS)?;
        if let Kind::File(file) = &descriptor.kind {
            set_host_append(&file.file, flags.contains(Fdflags::APPEND))?;
        }
        let kept = descriptor.flags.intersection(fixed);
        descriptor.flags = flags.difference(fixed) | kept;
        Ok(())
    }

    /// `fd_fdstat_set_rights`: gives rights up.
    ///
    /// # Errors
    /// [`Errno::Badf`]; [`Errno::Notcapable`] for a right that the descriptor does not have.
    pub fn fd_fdstat_set_rights(
        &mut self,
        _: &mut GuestMemory<'_>,
        fd: u32,
        rights: u64,
        inheriting: u64,
    ) -> Result<(), Errno> {
        let descriptor = self.table.get_mut(fd)?;
        let kept = (Rights(rights), Rights(inheriting));
        if !descriptor.rights.contains(kept.0) || !descriptor.inheriting.contains(kept.1) {
            return Err(Errno::Notcapable);
        }
        (descriptor.rights, descriptor.inheriting) = kept;
        Ok(())
    }
}

/// Turns the host's append flag of a file on or off. The file is this guest's alone.
pub(crate) fn set_host_append(file: &File, append: bool) -> Result<(), Errno> {
    let old = rustix::fs::fcntl_getfl(file)?;
    let mut new = old;
    new.set(OFlags::APPEND, append);
    if new != old {
        rustix::fs::fcntl_setfl(file, new)?;
    }
    Ok(())
}
