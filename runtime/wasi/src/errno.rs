//! The error numbers of WASI and how errors of the host become one of them.
//!
//! An error that has no counterpart becomes [`Errno::Io`]: the guest learns that something failed,
//! nothing about the host.

use rustix::io::Errno as HostErrno;
use std::io;

/// Generates the enumeration, and the mapping from the host's constant where there is one.
macro_rules! errno {
    ($($(#[$doc:meta])* $name:ident = $value:literal $(from $($host:ident)|+)?;)*) => {
        /// Why a call failed, as the guest sees it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
        #[repr(u16)]
        #[non_exhaustive]
        #[error("{self:?}")]
        pub enum Errno {
            $($(#[$doc])* $name = $value,)*
        }

        impl From<HostErrno> for Errno {
            fn from(error: HostErrno) -> Self {
                // Some hosts give two names to one number, so this cannot be a `match`.
                $($($(if error == HostErrno::$host {
                    return Self::$name;
                })+)?)*
                Self::Io
            }
        }
    };
}

errno! {
    /// Argument list too long.
    TooBig = 1 from TOOBIG;
    /// Permission denied.
    Acces = 2 from ACCESS;
    /// Address in use.
    Addrinuse = 3 from ADDRINUSE;
    /// Address not available.
    Addrnotavail = 4 from ADDRNOTAVAIL;
    /// Address family not supported.
    Afnosupport = 5 from AFNOSUPPORT;
    /// Resource unavailable, or the operation would block.
    Again = 6 from AGAIN | WOULDBLOCK;
    /// Connection already in progress.
    Already = 7 from ALREADY;
    /// Bad file descriptor.
    Badf = 8 from BADF;
    /// Bad message.
    Badmsg = 9 from BADMSG;
    /// Device or resource busy.
    Busy = 10 from BUSY;
    /// Operation canceled.
    Canceled = 11 from CANCELED;
    /// No child processes.
    Child = 12 from CHILD;
    /// Connection aborted.
    Connaborted = 13 from CONNABORTED;
    /// Connection refused.
    Connrefused = 14 from CONNREFUSED;
    /// Connection reset.
    Connreset = 15 from CONNRESET;
    /// Resource deadlock would occur.
    Deadlk = 16 from DEADLK;
    /// Destination address required.
    Destaddrreq = 17 from DESTADDRREQ;
    /// Mathematics argument out of domain.
    Dom = 18 from DOM;
    /// Quota exceeded.
    Dquot = 19 from DQUOT;
    /// File exists.
    Exist = 20 from EXIST;
    /// Bad address.
    Fault = 21 from FAULT;
    /// File too large.
    Fbig = 22 from FBIG;
    /// Host is unreachable.
    Hostunreach = 23 from HOSTUNREACH;
    /// Identifier removed.
    Idrm = 24 from IDRM;
    /// Illegal byte sequence.
    Ilseq = 25 from ILSEQ;
    /// Operation in progress.
    Inprogress = 26 from INPROGRESS;
    /// Interrupted.
    Intr = 27 from INTR;
    /// Invalid argument.
    Inval = 28 from INVAL;
    /// Input or output error.
    Io = 29 from IO;
    /// Socket is connected.
    Isconn = 30 from ISCONN;
    /// Is a directory.
    Isdir = 31 from ISDIR;
    /// Too many levels of symbolic links.
    Loop = 32 from LOOP;
    /// File descriptor value too large.
    Mfile = 33 from MFILE;
    /// Too many links.
    Mlink = 34 from MLINK;
    /// Message too large.
    Msgsize = 35 from MSGSIZE;
    /// Multihop attempted.
    Multihop = 36;
    /// Filename too long.
    Nametoolong = 37 from NAMETOOLONG;
    /// Network is down.
    Netdown = 38 from NETDOWN;
    /// Connection aborted by network.
    Netreset = 39 from NETRESET;
    /// Network unreachable.
    Netunreach = 40 from NETUNREACH;
    /// Too many files open in system.
    Nfile = 41 from NFILE;
    /// No buffer space available.
    Nobufs = 42 from NOBUFS;
    /// No such device.
    Nodev = 43 from NODEV;
    /// No such file or directory.
    Noent = 44 from NOENT;
    /// Executable file format error.
    Noexec = 45 from NOEXEC;
    /// No locks available.
    Nolck = 46 from NOLCK;
    /// Link severed.
    Nolink = 47;
    /// Not enough space.
    Nomem = 48 from NOMEM;
    /// No message of the desired type.
    Nomsg = 49 from NOMSG;
    /// Protocol not available.
    Noprotoopt = 50 from NOPROTOOPT;
    /// No space left on device.
    Nospc = 51 from NOSPC;
    /// Function not supported.
    Nosys = 52 from NOSYS;
    /// The socket is not connected.
    Notconn = 53 from NOTCONN;
    /// Not a directory, or a symbolic link to one.
    Notdir = 54 from NOTDIR;
    /// Directory not empty.
    Notempty = 55 from NOTEMPTY;
    /// State not recoverable.
    Notrecoverable = 56 from NOTRECOVERABLE;
    /// Not a socket.
    Notsock = 57 from NOTSOCK;
    /// Not supported.
    Notsup = 58 from NOTSUP | OPNOTSUPP;
    /// Inappropriate I/O control operation.
    Notty = 59 from NOTTY;
    /// No such device or address.
    Nxio = 60 from NXIO;
    /// Value too large to be stored.
    Overflow = 61 from OVERFLOW;
    /// Previous owner died.
    Ownerdead = 62 from OWNERDEAD;
    /// Operation not permitted.
    Perm = 63 from PERM;
    /// Broken pipe.
    Pipe = 64 from PIPE;
    /// Protocol error.
    Proto = 65 from PROTO;
    /// Protocol not supported.
    Protonosupport = 66 from PROTONOSUPPORT;
    /// Protocol wrong type for socket.
    Prototype = 67 from PROTOTYPE;
    /// Result too large.
    Range = 68 from RANGE;
    /// Read-only file system.
    Rofs = 69 from ROFS;
    /// Invalid seek.
    Spipe = 70 from SPIPE;
    /// No such process.
    Srch = 71 from SRCH;
    /// Stale file handle.
    Stale = 72 from STALE;
    /// Connection timed out.
    Timedout = 73 from TIMEDOUT;
    /// Text file busy.
    Txtbsy = 74 from TXTBSY;
    /// Cross-device link.
    Xdev = 75 from XDEV;
    /// The descriptor's rights do not cover the operation.
    Notcapable = 76;
}

impl From<io::Error> for Errno {
    fn from(error: io::Error) -> Self {
        if let Some(host) = HostErrno::from_io_error(&error) {
            return host.into();
        }
        // `cap-std` makes its own errors: an escape from a directory is `PermissionDenied`.
        match error.kind() {
            io::ErrorKind::PermissionDenied => Self::Perm,
            io::ErrorKind::NotFound => Self::Noent,
            io::ErrorKind::AlreadyExists => Self::Exist,
            io::ErrorKind::InvalidInput => Self::Inval,
            io::ErrorKind::InvalidData => Self::Ilseq,
            io::ErrorKind::Unsupported => Self::Notsup,
            io::ErrorKind::OutOfMemory => Self::Nomem,
            io::ErrorKind::Interrupted => Self::Intr,
            io::ErrorKind::WouldBlock => Self::Again,
            io::ErrorKind::BrokenPipe => Self::Pipe,
            _ => Self::Io,
        }
    }
}
