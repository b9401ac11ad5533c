//! What every Unix has; used on macOS.
//!
//! Compiled but not run by the tests of this repository, whose machines run Linux.

use super::{Entry, FileAdvice};
use crate::errno::Errno;
use crate::table::OpenDir;
use rustix::net::SendFlags;
use std::io::Read;
use std::os::fd::BorrowedFd;

/// No flag: the Rust runtime ignores the signal of a closed connection for the whole process.
pub(crate) const SEND_FLAGS: SendFlags = SendFlags::empty();

/// Advice may be ignored.
pub(crate) fn advise(
    _: BorrowedFd<'_>,
    _offset: u64,
    _size_bytes: u64,
    _: FileAdvice,
) -> rustix::io::Result<()> {
    Ok(())
}

/// Synchronises more than the data.
pub(crate) fn datasync(file: BorrowedFd<'_>) -> rustix::io::Result<()> {
    rustix::fs::fsync(file)
}

/// Fills `target`; returns its length.
pub(crate) fn random(target: &mut [u8]) -> rustix::io::Result<usize> {
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(target))
        .map_err(|_| rustix::io::Errno::IO)?;
    Ok(target.len())
}

/// Gives `visit` the entries from `cookie` on, until it returns false.
///
/// A cookie is the number of entries before: positions of the host are only good for the stream
/// that gave them. An entry that goes away between two calls can therefore hide another.
pub(crate) fn list(
    dir: &mut OpenDir,
    cookie: u64,
    mut visit: impl FnMut(BorrowedFd<'_>, Entry<'_>) -> bool,
) -> Result<(), Errno> {
    let reader = dir.reader()?;
    let skip = usize::try_from(cookie).map_err(|_| Errno::Inval)?;
    let entries = rustix::fs::Dir::read_from(reader)?;
    for (number, entry) in entries.enumerate().skip(skip) {
        let entry = entry?;
        let entry = Entry {
            name: entry.file_name(),
            inode: entry.ino(),
            filetype: entry.file_type(),
            next_cookie: number as u64 + 1,
        };
        if !visit(reader, entry) {
            break;
        }
    }
    Ok(())
}
