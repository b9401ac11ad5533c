//! The descriptor table: what each of the guest's descriptor numbers stands for, and what the guest
//! may do with it.
//!
//! Two independent limits apply. *Rights* are the guest's own bookkeeping: it may give them up, and
//! descriptors it opens get what their directory passes on. *Permissions*
//! ([`DirPerms`], [`FilePerms`]) are what the embedder granted to a preopened directory; everything
//! opened below inherits them, and the guest cannot see or change them. Lacking a right is
//! [`Errno::Notcapable`], lacking a permission is [`Errno::Perm`].
//!
//! Numbers are given out lowest first, as POSIX does. The table is bounded, so that a guest cannot
//! use up the descriptors of the host process.

use crate::errno::Errno;
use crate::stdio::{Output, Stdin};
use crate::types::{DirPerms, Fdflags, FilePerms, Filetype, Rights};
use cap_std::fs::Dir;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// An open file of the host that is no directory.
pub(crate) struct OpenFile {
    /// Opened without blocking, so that a pipe or device can be waited for in slices.
    pub(crate) file: File,
    pub(crate) filetype: Filetype,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    pub(crate) permissions: Permissions,
}

impl OpenFile {
    /// Whether reads and writes return without waiting for anybody.
    pub(crate) fn is_regular(&self) -> bool {
        self.filetype == Filetype::RegularFile
    }
}

/// What the embedder lets the guest do below a preopened directory.
#[derive(Clone, Copy)]
pub(crate) struct Permissions {
    pub(crate) dir: DirPerms,
    pub(crate) file: FilePerms,
}

impl Permissions {
    pub(crate) fn need_dir(self, needed: DirPerms) -> Result<(), Errno> {
        if self.dir.contains(needed) {
            Ok(())
        } else {
            Err(Errno::Perm)
        }
    }

    pub(crate) fn need_file(self, needed: FilePerms) -> Result<(), Errno> {
        if self.file.contains(needed) {
            Ok(())
        } else {
            Err(Errno::Perm)
        }
    }

    /// Whether something under `self` may come under `target` without gaining anything.
    pub(crate) fn covers(self, target: Self) -> bool {
        self.dir.contains(target.dir) && self.file.contains(target.file)
    }
}

/// An open directory of the host.
pub(crate) struct OpenDir {
    pub(crate) dir: Dir,
    pub(crate) permissions: Permissions,
    /// The name under which the guest was given it.
    pub(crate) preopened_as: Option<String>,
    /// The same directory opened for listing, which `dir` may not be.
    pub(crate) reader: Option<OwnedFd>,
}

impl OpenDir {
    /// The directory opened for listing.
    pub(crate) fn reader(&mut self) -> Result<BorrowedFd<'_>, Errno> {
        if self.reader.is_none() {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let reader = rustix::fs::openat(&self.dir, ".", flags, Mode::empty())?;
            self.reader = Some(reader);
        }
        self.reader.as_ref().map(AsFd::as_fd).ok_or(Errno::Badf)
    }
}

/// What a descriptor stands for.
pub(crate) enum Kind {
    Stdin(Stdin),
    Output(Output),
    File(OpenFile),
    Dir(OpenDir),
    Listener(OwnedFd),
    Socket(OwnedFd),
}

/// One entry of the table.
pub(crate) struct Descriptor {
    pub(crate) kind: Kind,
    pub(crate) rights: Rights,
    pub(crate) inheriting: Rights,
    pub(crate) flags: Fdflags,
}

impl Descriptor {
    /// Fails unless the guest kept all of `needed`.
    pub(crate) fn need(&self, needed: Rights) -> Result<(), Errno> {
        if self.rights.contains(needed) {
            Ok(())
        } else {
            Err(Errno::Notcapable)
        }
    }

    pub(crate) fn nonblocking(&self) -> bool {
        self.flags.contains(Fdflags::NONBLOCK)
    }

    pub(crate) fn filetype(&self) -> Filetype {
        match &self.kind {
            Kind::Stdin(stdin) => stdin.filetype(),
            Kind::Output(output) => output.filetype(),
            Kind::File(file) => file.filetype,
            Kind::Dir(_) => Filetype::Directory,
            Kind::Listener(_) | Kind::Socket(_) => Filetype::SocketStream,
        }
    }
}

/// The descriptors of one guest.
pub(crate) struct Table {
    slots: Vec<Option<Descriptor>>,
    capacity: usize,
}

impl Table {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            slots: Vec::new(),
            capacity,
        }
    }

    /// Adds a descriptor under the lowest free number.
    pub(crate) fn insert(&mut self, descriptor: Descriptor) -> Result<u32, Errno> {
        let free = self.slots.iter().position(Option::is_none);
        let index = free.unwrap_or(self.slots.len());
        if index >= self.capacity {
            return Err(Errno::Mfile);
        }
        if free.is_none() {
            self.slots.push(None);
        }
        self.slots[index] = Some(descriptor);
        u32::try_from(index).map_err(|_| Errno::Mfile)
    }

    /// Fails if `insert` would.
    pub(crate) fn check_room(&self) -> Result<(), Errno> {
        if self.slots.len() < self.capacity || self.slots.iter().any(Option::is_none) {
            Ok(())
        } else {
            Err(Errno::Mfile)
        }
    }

    pub(crate) fn get(&self, fd: u32) -> Result<&Descriptor, Errno> {
        self.slots
            .get(fd as usize)
            .and_then(Option::as_ref)
            .ok_or(Errno::Badf)
    }

    pub(crate) fn get_mut(&mut self, fd: u32) -> Result<&mut Descriptor, Errno> {
        self.slots
            .get_mut(fd as usize)
            .and_then(Option::as_mut)
            .ok_or(Errno::Badf)
    }

    pub(crate) fn remove(&mut self, fd: u32) -> Result<Descriptor, Errno> {
        self.slots
            .get_mut(fd as usize)
            .and_then(Option::take)
            .ok_or(Errno::Badf)
    }

    /// Moves `from` to `to`, closing what `to` was. Both have to be open.
    pub(crate) fn renumber(&mut self, from: u32, to: u32) -> Result<(), Errno> {
        self.get(from)?;
        self.get(to)?;
        if from != to {
            let moved = self.remove(from)?;
            *self.get_mut(to)? = moved;
        }
        Ok(())
    }

    /// The directory behind `fd`, if the guest kept the rights `needed`.
    pub(crate) fn dir(&self, fd: u32, needed: Rights) -> Result<&OpenDir, Errno> {
        let descriptor = self.get(fd)?;
        match &descriptor.kind {
            Kind::Dir(dir) => {
                descriptor.need(needed)?;
                Ok(dir)
            }
            _ => Err(Errno::Notdir),
        }
    }

    /// The file behind `fd`, if the guest kept the rights `needed`.
    pub(crate) fn file(&self, fd: u32, needed: Rights) -> Result<&OpenFile, Errno> {
        let descriptor = self.get(fd)?;
        match &descriptor.kind {
            Kind::File(file) => {
                descriptor.need(needed)?;
                Ok(file)
            }
            Kind::Dir(_) => Err(Errno::Badf),
            Kind::Stdin(_) | Kind::Output(_) | Kind::Listener(_) | Kind::Socket(_) => {
                Err(Errno::Spipe)
            }
        }
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Descriptor> {
        self.slots.iter_mut().flatten()
    }
}
