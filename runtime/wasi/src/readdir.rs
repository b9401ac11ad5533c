//! Listing directories.
//!
//! A cookie is the host's own position in the directory, so listing can go on at any entry, in any
//! order, after any change to the directory, and nothing is kept in memory between calls. `..` is
//! listed with the inode of the directory itself: what is above it is not the guest's business.

use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::guest::GuestMemory;
use crate::table::Kind;
use crate::types::{DirPerms, Dirent, Filetype, Rights};
use rustix::fs::{AtFlags, FileType, RawDir, SeekFrom};
use std::mem::MaybeUninit;

/// How much of a directory is read from the host at a time.
const HOST_BUFFER_SIZE_BYTES: usize = 4096;

/// Copies what fits of `bytes` to the start of `room`; returns the rest of the room.
fn fill<'r>(room: &'r mut [u8], bytes: &[u8]) -> &'r mut [u8] {
    let count = room.len().min(bytes.len());
    let (target, rest) = room.split_at_mut(count);
    target.copy_from_slice(&bytes[..count]);
    rest
}

impl WasiCtx {
    /// `fd_readdir`: writes entries from `cookie` on, the last one cut where the buffer ends.
    ///
    /// Fewer bytes than the buffer has mean that the directory is at its end.
    ///
    /// # Errors
    /// [`Errno::Badf`], [`Errno::Notdir`], [`Errno::Notcapable`], [`Errno::Perm`], [`Errno::Inval`]
    /// for an impossible cookie, [`Errno::Fault`], those of the host.
    pub fn fd_readdir(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        pointer: u32,
        size_bytes: u32,
        cookie: u64,
        used_pointer: u32,
    ) -> Result<(), Errno> {
        memory.check(used_pointer, 4)?;
        let descriptor = self.table.get_mut(fd)?;
        if let Kind::Dir(_) = descriptor.kind {
            descriptor.need(Rights::FD_READDIR)?;
        }
        let Kind::Dir(dir) = &mut descriptor.kind else {
            return Err(Errno::Notdir);
        };
        dir.permissions.need_dir(DirPerms::READ)?;
        let inode = rustix::fs::fstat(&dir.dir)?.st_ino;
        let reader = dir.reader()?;
        rustix::fs::seek(reader, SeekFrom::Start(cookie)).map_err(|_| Errno::Inval)?;

        let mut room = memory.bytes_mut(pointer, size_bytes)?;
        let mut host_buffer = [const { MaybeUninit::uninit() }; HOST_BUFFER_SIZE_BYTES];
        let mut entries = RawDir::new(reader, &mut host_buffer);
        while !room.is_empty() {
            let Some(entry) = entries.next() else { break };
            let entry = entry?;
            let name = entry.file_name();
            let mut filetype = entry.file_type();
            if filetype == FileType::Unknown {
                // Not every file system tells. The entry may also be gone by now.
                if let Ok(stat) = rustix::fs::statat(reader, name, AtFlags::SYMLINK_NOFOLLOW) {
                    filetype = FileType::from_raw_mode(stat.st_mode);
                }
            }
            let name = name.to_bytes();
            let dirent = Dirent {
                next_cookie: entry.next_entry_cookie(),
                inode: if name == b".." { inode } else { entry.ino() },
                name_size_bytes: name.len() as u32,
                filetype: Filetype::from(filetype),
            };
            room = fill(room, &dirent.encode());
            room = fill(room, name);
        }
        let unused = room.len() as u32;
        memory.write_u32(used_pointer, size_bytes - unused)
    }
}
