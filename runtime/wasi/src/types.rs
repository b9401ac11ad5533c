//! The value types of WASI preview 1 and their layouts in guest memory.
//!
//! Every structure is encoded into an array that starts as zeros, so padding never carries bytes of
//! the host. Integers are little-endian.

use crate::errno::Errno;
use rustix::fs::FileType as HostFileType;

/// Generates a set of bits with named members; unknown bits are an error at the door.
macro_rules! bits {
    ($(#[$doc:meta])* $name:ident: $repr:ident { $($(#[$member_doc:meta])* $member:ident = $value:expr;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name(pub(crate) $repr);

        impl $name {
            $($(#[$member_doc])* pub const $member: Self = Self($value);)*

            /// No member.
            #[must_use]
            pub const fn empty() -> Self {
                Self(0)
            }

            /// Every member.
            #[must_use]
            pub const fn all() -> Self {
                Self(0 $(| $value)*)
            }

            /// The number that a guest sees.
            #[must_use]
            pub const fn bits(self) -> $repr {
                self.0
            }

            /// Whether all members of `other` are in `self`.
            #[must_use]
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Whether some member of `other` is in `self`.
            #[must_use]
            pub const fn intersects(self, other: Self) -> bool {
                self.0 & other.0 != 0
            }

            /// The members of either.
            #[must_use]
            pub const fn union(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// The members of both.
            #[must_use]
            pub const fn intersection(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }

            /// The members of `self` that are not in `other`.
            #[must_use]
            pub const fn difference(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }
        }

        impl std::ops::BitOr for $name {
            type Output = Self;
            fn bitor(self, other: Self) -> Self {
                self.union(other)
            }
        }
    };
}

/// Adds the conversion from a guest's number, which refuses unknown bits.
macro_rules! from_guest {
    ($($name:ident: $repr:ident;)*) => {$(
        impl $name {
            pub(crate) fn from_guest(bits: u32) -> Result<Self, Errno> {
                match $repr::try_from(bits) {
                    Ok(bits) if Self::all().contains(Self(bits)) => Ok(Self(bits)),
                    _ => Err(Errno::Inval),
                }
            }
        }
    )*};
}

bits! {
    /// What a guest may do with a descriptor.
    Rights: u64 {
        /// `fd_datasync`.
        FD_DATASYNC = 1 << 0;
        /// `fd_read`, `sock_recv`.
        FD_READ = 1 << 1;
        /// `fd_seek`; includes `fd_tell`.
        FD_SEEK = 1 << 2;
        /// `fd_fdstat_set_flags`.
        FD_FDSTAT_SET_FLAGS = 1 << 3;
        /// `fd_sync`.
        FD_SYNC = 1 << 4;
        /// `fd_tell`.
        FD_TELL = 1 << 5;
        /// `fd_write`, `sock_send`.
        FD_WRITE = 1 << 6;
        /// `fd_advise`.
        FD_ADVISE = 1 << 7;
        /// `fd_allocate`.
        FD_ALLOCATE = 1 << 8;
        /// `path_create_directory`.
        PATH_CREATE_DIRECTORY = 1 << 9;
        /// `path_open` with `O_CREAT`.
        PATH_CREATE_FILE = 1 << 10;
        /// `path_link` with the descriptor as source.
        PATH_LINK_SOURCE = 1 << 11;
        /// `path_link` with the descriptor as target.
        PATH_LINK_TARGET = 1 << 12;
        /// `path_open`.
        PATH_OPEN = 1 << 13;
        /// `fd_readdir`.
        FD_READDIR = 1 << 14;
        /// `path_readlink`.
        PATH_READLINK = 1 << 15;
        /// `path_rename` with the descriptor as source.
        PATH_RENAME_SOURCE = 1 << 16;
        /// `path_rename` with the descriptor as target.
        PATH_RENAME_TARGET = 1 << 17;
        /// `path_filestat_get`.
        PATH_FILESTAT_GET = 1 << 18;
        /// `path_open` with `O_TRUNC`.
        PATH_FILESTAT_SET_SIZE = 1 << 19;
        /// `path_filestat_set_times`.
        PATH_FILESTAT_SET_TIMES = 1 << 20;
        /// `fd_filestat_get`.
        FD_FILESTAT_GET = 1 << 21;
        /// `fd_filestat_set_size`.
        FD_FILESTAT_SET_SIZE = 1 << 22;
        /// `fd_filestat_set_times`.
        FD_FILESTAT_SET_TIMES = 1 << 23;
        /// `path_symlink`.
        PATH_SYMLINK = 1 << 24;
        /// `path_remove_directory`.
        PATH_REMOVE_DIRECTORY = 1 << 25;
        /// `path_unlink_file`.
        PATH_UNLINK_FILE = 1 << 26;
        /// `poll_oneoff` on the descriptor.
        POLL_FD_READWRITE = 1 << 27;
        /// `sock_shutdown`.
        SOCK_SHUTDOWN = 1 << 28;
        /// `sock_accept`.
        SOCK_ACCEPT = 1 << 29;
    }
}

impl Rights {
    /// What applies to a file.
    pub(crate) const FILE: Self = Self(
        Self::FD_DATASYNC.0
            | Self::FD_READ.0
            | Self::FD_SEEK.0
            | Self::FD_FDSTAT_SET_FLAGS.0
            | Self::FD_SYNC.0
            | Self::FD_TELL.0
            | Self::FD_WRITE.0
            | Self::FD_ADVISE.0
            | Self::FD_ALLOCATE.0
            | Self::FD_FILESTAT_GET.0
            | Self::FD_FILESTAT_SET_SIZE.0
            | Self::FD_FILESTAT_SET_TIMES.0
            | Self::POLL_FD_READWRITE.0,
    );
    /// What applies to a directory.
    pub(crate) const DIRECTORY: Self = Self(
        Self::FD_DATASYNC.0
            | Self::FD_SYNC.0
            | Self::FD_FDSTAT_SET_FLAGS.0
            | Self::PATH_CREATE_DIRECTORY.0
            | Self::PATH_CREATE_FILE.0
            | Self::PATH_LINK_SOURCE.0
            | Self::PATH_LINK_TARGET.0
            | Self::PATH_OPEN.0
            | Self::FD_READDIR.0
            | Self::PATH_READLINK.0
            | Self::PATH_RENAME_SOURCE.0
            | Self::PATH_RENAME_TARGET.0
            | Self::PATH_FILESTAT_GET.0
            | Self::PATH_FILESTAT_SET_SIZE.0
            | Self::PATH_FILESTAT_SET_TIMES.0
            | Self::FD_FILESTAT_GET.0
            | Self::FD_FILESTAT_SET_TIMES.0
            | Self::PATH_SYMLINK.0
            | Self::PATH_REMOVE_DIRECTORY.0
            | Self::PATH_UNLINK_FILE.0
            | Self::POLL_FD_READWRITE.0,
    );
    /// What applies to a standard stream, besides its one direction: no seeking, by which C
    /// libraries tell a terminal from a file.
    pub(crate) const STREAM: Self =
        Self(Self::FD_FDSTAT_SET_FLAGS.0 | Self::FD_FILESTAT_GET.0 | Self::POLL_FD_READWRITE.0);
    /// What applies to a listening socket.
    pub(crate) const LISTENER: Self = Self(Self::STREAM.0 | Self::SOCK_ACCEPT.0);
    /// What applies to a connected socket.
    pub(crate) const SOCKET: Self =
        Self(Self::STREAM.0 | Self::FD_READ.0 | Self::FD_WRITE.0 | Self::SOCK_SHUTDOWN.0);

    /// Unknown bits are dropped: programs ask for "everything" with all bits set.
    pub(crate) fn from_guest(bits: u64) -> Self {
        Self(bits).intersection(Self::all())
    }
}

bits! {
    /// Flags of a descriptor.
    Fdflags: u16 {
        /// Writes go to the end.
        APPEND = 1 << 0;
        /// Writes reach the device before they return, without metadata.
        DSYNC = 1 << 1;
        /// Operations that would block fail instead.
        NONBLOCK = 1 << 2;
        /// Reads wait for pending writes.
        RSYNC = 1 << 3;
        /// Writes reach the device before they return.
        SYNC = 1 << 4;
    }
}

bits! {
    /// How `path_open` opens.
    Oflags: u16 {
        /// Create the file if it does not exist.
        CREAT = 1 << 0;
        /// Fail if it is no directory.
        DIRECTORY = 1 << 1;
        /// Fail if it exists.
        EXCL = 1 << 2;
        /// Cut the file to no bytes.
        TRUNC = 1 << 3;
    }
}

bits! {
    /// How a path is resolved.
    Lookupflags: u32 {
        /// Follow a symbolic link in the last place.
        SYMLINK_FOLLOW = 1 << 0;
    }
}

bits! {
    /// Which times to set, and from where.
    Fstflags: u16 {
        /// Set the access time to the value given.
        ATIM = 1 << 0;
        /// Set the access time to now.
        ATIM_NOW = 1 << 1;
        /// Set the modification time to the value given.
        MTIM = 1 << 2;
        /// Set the modification time to now.
        MTIM_NOW = 1 << 3;
    }
}

bits! {
    /// Which directions of a socket to shut down.
    Sdflags: u8 {
        /// Further receiving.
        RD = 1 << 0;
        /// Further sending.
        WR = 1 << 1;
    }
}

bits! {
    /// How `sock_recv` receives.
    Riflags: u16 {
        /// Leave the data in the queue.
        PEEK = 1 << 0;
        /// Wait until the buffers are full.
        WAITALL = 1 << 1;
    }
}

from_guest! {
    Fdflags: u16;
    Oflags: u16;
    Lookupflags: u32;
    Fstflags: u16;
    Sdflags: u8;
    Riflags: u16;
}

bits! {
    /// What the embedder lets a guest do with the entries of a preopened directory.
    DirPerms: u8 {
        /// Open what is in it, list it, read its metadata.
        READ = 1 << 0;
        /// Create, rename, link and remove entries.
        MUTATE = 1 << 1;
    }
}

bits! {
    /// What the embedder lets a guest do with the contents of files in a preopened directory.
    FilePerms: u8 {
        /// Read them.
        READ = 1 << 0;
        /// Write, cut and extend them.
        WRITE = 1 << 1;
    }
}

/// The kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Filetype {
    /// Something else: a pipe, for one.
    Unknown = 0,
    /// A block device.
    BlockDevice = 1,
    /// A character device.
    CharacterDevice = 2,
    /// A directory.
    Directory = 3,
    /// A regular file.
    RegularFile = 4,
    /// A datagram socket.
    SocketDgram = 5,
    /// A stream socket.
    SocketStream = 6,
    /// A symbolic link.
    SymbolicLink = 7,
}

impl From<HostFileType> for Filetype {
    fn from(host: HostFileType) -> Self {
        match host {
            HostFileType::RegularFile => Self::RegularFile,
            HostFileType::Directory => Self::Directory,
            HostFileType::Symlink => Self::SymbolicLink,
            HostFileType::Socket => Self::SocketStream,
            HostFileType::CharacterDevice => Self::CharacterDevice,
            HostFileType::BlockDevice => Self::BlockDevice,
            HostFileType::Fifo | HostFileType::Unknown => Self::Unknown,
        }
    }
}

/// Copies the little-endian bytes of a number to an offset of an array.
macro_rules! put {
    ($array:ident[$offset:literal] = $value:expr) => {
        let bytes = $value.to_le_bytes();
        $array[$offset..$offset + bytes.len()].copy_from_slice(&bytes);
    };
}

/// `fdstat`, 24 bytes.
pub(crate) struct Fdstat {
    pub(crate) filetype: Filetype,
    pub(crate) flags: Fdflags,
    pub(crate) rights: Rights,
    pub(crate) inheriting: Rights,
}

impl Fdstat {
    pub(crate) fn encode(&self) -> [u8; 24] {
        let mut out = [0; 24];
        out[0] = self.filetype as u8;
        put!(out[2] = self.flags.0);
        put!(out[8] = self.rights.0);
        put!(out[16] = self.inheriting.0);
        out
    }
}

/// `filestat`, 64 bytes; times in nanoseconds since 1970.
pub(crate) struct Filestat {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) filetype: Filetype,
    pub(crate) links: u64,
    pub(crate) size_bytes: u64,
    pub(crate) accessed_ns: u64,
    pub(crate) modified_ns: u64,
    pub(crate) changed_ns: u64,
}

impl Filestat {
    /// The status of something that is no file of the host.
    pub(crate) fn of_stream(filetype: Filetype) -> Self {
        Self {
            device: 0,
            inode: 0,
            filetype,
            links: 0,
            size_bytes: 0,
            accessed_ns: 0,
            modified_ns: 0,
            changed_ns: 0,
        }
    }

    pub(crate) fn encode(&self) -> [u8; 64] {
        let mut out = [0; 64];
        put!(out[0] = self.device);
        put!(out[8] = self.inode);
        out[16] = self.filetype as u8;
        put!(out[24] = self.links);
        put!(out[32] = self.size_bytes);
        put!(out[40] = self.accessed_ns);
        put!(out[48] = self.modified_ns);
        put!(out[56] = self.changed_ns);
        out
    }
}

impl Filestat {
    /// The `filestat` of snapshot 0, 56 bytes: links are counted in 32 bits.
    pub(crate) fn encode_snapshot0(&self) -> Result<[u8; 56], Errno> {
        let links = u32::try_from(self.links).map_err(|_| Errno::Overflow)?;
        let mut out = [0; 56];
        put!(out[0] = self.device);
        put!(out[8] = self.inode);
        out[16] = self.filetype as u8;
        put!(out[20] = links);
        put!(out[24] = self.size_bytes);
        put!(out[32] = self.accessed_ns);
        put!(out[40] = self.modified_ns);
        put!(out[48] = self.changed_ns);
        Ok(out)
    }
}

/// `dirent`, 24 bytes, which the name follows.
pub(crate) struct Dirent {
    pub(crate) next_cookie: u64,
    pub(crate) inode: u64,
    pub(crate) name_size_bytes: u32,
    pub(crate) filetype: Filetype,
}

impl Dirent {
    pub(crate) fn encode(&self) -> [u8; 24] {
        let mut out = [0; 24];
        put!(out[0] = self.next_cookie);
        put!(out[8] = self.inode);
        put!(out[16] = self.name_size_bytes);
        out[20] = self.filetype as u8;
        out
    }
}

/// What an event of `poll_oneoff` is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Eventtype {
    Clock = 0,
    FdRead = 1,
    FdWrite = 2,
}

/// `event`, 32 bytes.
pub(crate) struct Event {
    pub(crate) userdata: u64,
    pub(crate) error: Option<Errno>,
    pub(crate) eventtype: Eventtype,
    pub(crate) available_bytes: u64,
    pub(crate) hangup: bool,
}

impl Event {
    pub(crate) const SIZE_BYTES: u32 = 32;

    pub(crate) fn encode(&self) -> [u8; Self::SIZE_BYTES as usize] {
        let mut out = [0; Self::SIZE_BYTES as usize];
        put!(out[0] = self.userdata);
        put!(out[8] = self.error.map_or(0, |errno| errno as u16));
        out[10] = self.eventtype as u8;
        put!(out[16] = self.available_bytes);
        put!(out[24] = u16::from(self.hangup));
        out
    }
}
