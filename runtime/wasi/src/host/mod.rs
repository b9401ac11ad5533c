//! What hosts do differently, behind one set of functions: `linux.rs` with the calls that only
//! Linux has, `portable.rs` with what every Unix has.
//!
//! Both define `advise`, `datasync`, `random`, `SEND_FLAGS` and `list`, with the same signatures.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::{SEND_FLAGS, advise, datasync, list, random};

#[cfg(not(target_os = "linux"))]
mod portable;
#[cfg(not(target_os = "linux"))]
pub(crate) use portable::{SEND_FLAGS, advise, datasync, list, random};

use rustix::fs::FileType;
use std::ffi::CStr;

/// How a guest means to use a part of a file; the numbers are WASI's.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FileAdvice {
    Normal,
    Sequential,
    Random,
    WillNeed,
    DontNeed,
    NoReuse,
}

impl FileAdvice {
    pub(crate) fn from_number(number: u32) -> Option<FileAdvice> {
        Some(match number {
            0 => FileAdvice::Normal,
            1 => FileAdvice::Sequential,
            2 => FileAdvice::Random,
            3 => FileAdvice::WillNeed,
            4 => FileAdvice::DontNeed,
            5 => FileAdvice::NoReuse,
            _ => return None,
        })
    }
}

/// One entry of a directory.
pub(crate) struct Entry<'e> {
    pub(crate) name: &'e CStr,
    pub(crate) inode: u64,
    /// `Unknown` where the file system does not tell.
    pub(crate) filetype: FileType,
    /// Where listing goes on after this entry.
    pub(crate) next_cookie: u64,
}
