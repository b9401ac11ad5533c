//! Listing directories.
//!
//! What a cookie is, the host decides (`host/`). `..` is listed with the inode of the directory
//! itself: what is above it is not the guest's business.

use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::guest::GuestMemory;
use crate::host::list;
use crate::table::Kind;
use crate::types::{DirPerms, Dirent, Filetype, Rights};
use rustix::fs::{AtFlags, FileType};

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
        let mut room = memory.bytes_mut(pointer, size_bytes)?;
        list(dir, cookie, |reader, entry| {
            let mut filetype = entry.filetype;
            if filetype == FileType::Unknown {
                // Not every file system tells. The entry may also be gone by now.
                let flags = AtFlags::SYMLINK_NOFOLLOW;
                if let Ok(stat) = rustix::fs::statat(reader, entry.name, flags) {
                    filetype = FileType::from_raw_mode(stat.st_mode);
                }
            }
            let name = entry.name.to_bytes();
            let dirent = Dirent {
                next_cookie: entry.next_cookie,
                inode: if name == b".." { inode } else { entry.inode },
                name_size_bytes: name.len() as u32,
                filetype: Filetype::from(filetype),
            };
            let rest = fill(std::mem::take(&mut room), &dirent.encode());
            room = fill(rest, name);
            !room.is_empty()
        })?;
        let unused = room.len() as u32;
        memory.write_u32(used_pointer, size_bytes - unused)
    }
}
