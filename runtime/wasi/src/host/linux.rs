//! The calls of Linux.

use super::{Entry, FileAdvice};
use crate::errno::Errno;
use crate::table::OpenDir;
use rustix::fs::{Advice, RawDir, SeekFrom};
use rustix::net::SendFlags;
use rustix::rand::{GetRandomFlags, getrandom};
use std::mem::MaybeUninit;
use std::num::NonZeroU64;
use std::os::fd::BorrowedFd;

/// A closed connection is an error number, not a signal.
pub(crate) const SEND_FLAGS: SendFlags = SendFlags::NOSIGNAL;

/// How much of a directory is read at a time.
const BUFFER_SIZE_BYTES: usize = 4096;

pub(crate) fn advise(
    file: BorrowedFd<'_>,
    offset: u64,
    size_bytes: u64,
    advice: FileAdvice,
) -> rustix::io::Result<()> {
    let advice = match advice {
        FileAdvice::Normal => Advice::Normal,
        FileAdvice::Sequential => Advice::Sequential,
        FileAdvice::Random => Advice::Random,
        FileAdvice::WillNeed => Advice::WillNeed,
        FileAdvice::DontNeed => Advice::DontNeed,
        FileAdvice::NoReuse => Advice::NoReuse,
    };
    rustix::fs::fadvise(file, offset, NonZeroU64::new(size_bytes), advice)
}

pub(crate) fn datasync(file: BorrowedFd<'_>) -> rustix::io::Result<()> {
    rustix::fs::fdatasync(file)
}

/// Fills a part of `target`; returns how much.
pub(crate) fn random(target: &mut [u8]) -> rustix::io::Result<usize> {
    getrandom(target, GetRandomFlags::empty())
}

/// Gives `visit` the entries from `cookie` on, until it returns false.
///
/// A cookie is the host's own position in the directory, so listing can go on at any entry, in any
/// order, after any change to the directory, and nothing is kept in memory between calls.
pub(crate) fn list(
    dir: &mut OpenDir,
    cookie: u64,
    mut visit: impl FnMut(BorrowedFd<'_>, Entry<'_>) -> bool,
) -> Result<(), Errno> {
    let reader = dir.reader()?;
    rustix::fs::seek(reader, SeekFrom::Start(cookie)).map_err(|_| Errno::Inval)?;
    let mut buffer = [const { MaybeUninit::uninit() }; BUFFER_SIZE_BYTES];
    let mut entries = RawDir::new(reader, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let entry = Entry {
            name: entry.file_name(),
            inode: entry.ino(),
            filetype: entry.file_type(),
            next_cookie: entry.next_entry_cookie(),
        };
        if !visit(reader, entry) {
            break;
        }
    }
    Ok(())
}
