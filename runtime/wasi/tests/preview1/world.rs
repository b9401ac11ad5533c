//! A guest without a program: a context, a memory, and calls that take and return Rust values.

use std::path::Path;
use tempfile::TempDir;
use zwasm_wasi::{
    DirPerms, Errno, FilePerms, GuestMemory, MemoryOutput, Rights, WasiCtx, WasiCtxBuilder,
};

/// Where results are written.
pub(crate) const OUT: u32 = 0;
/// Where arrays of buffers are put.
pub(crate) const IOVS: u32 = 0x100;
/// Where the first path is put.
pub(crate) const PATH: u32 = 0x1000;
/// Where the second path is put.
pub(crate) const PATH_2: u32 = 0x2000;
/// Where data is put.
pub(crate) const DATA: u32 = 0x4000;
/// The size of the memory.
pub(crate) const SIZE: u32 = 0x10000;

pub(crate) const FOLLOW: u32 = 1;
pub(crate) const CREAT: u32 = 1;
pub(crate) const DIRECTORY: u32 = 2;
pub(crate) const EXCL: u32 = 4;
pub(crate) const TRUNC: u32 = 8;
pub(crate) const APPEND: u32 = 1;
pub(crate) const NONBLOCK: u32 = 4;

/// The first preopened directory.
pub(crate) const DIR: u32 = 3;

pub(crate) struct World {
    pub(crate) ctx: WasiCtx,
    pub(crate) bytes: Vec<u8>,
    /// The host's side of the preopened directory; `inside` is what the guest gets.
    pub(crate) host: TempDir,
    pub(crate) stdout: MemoryOutput,
}

/// The rights of a file opened for reading and writing.
pub(crate) fn read_write() -> u64 {
    Rights::all().bits()
}

pub(crate) fn read_only() -> u64 {
    Rights::all().difference(Rights::FD_WRITE).bits()
}

pub(crate) fn write_only() -> u64 {
    Rights::all().difference(Rights::FD_READ).bits()
}

impl World {
    /// A guest with the directory `inside` as `/` and everything allowed in it.
    pub(crate) fn new() -> Self {
        Self::with(|_, _| {})
    }

    /// As `new`, with more granted by `grant`, which gets the host's directory around `inside`.
    pub(crate) fn with(grant: impl FnOnce(&mut WasiCtxBuilder, &Path)) -> Self {
        let host = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir(host.path().join("inside")).expect("a directory");
        std::fs::write(host.path().join("secret"), "secret").expect("a file");
        let stdout = MemoryOutput::new(1 << 16);
        let mut builder = WasiCtx::builder();
        builder.stdout(stdout.clone());
        let inside = host.path().join("inside");
        let (dir_perms, file_perms) = (DirPerms::all(), FilePerms::all());
        builder
            .preopened_dir(inside, "/", dir_perms, file_perms)
            .expect("the directory exists");
        grant(&mut builder, host.path());
        Self {
            ctx: builder.build(),
            bytes: vec![0; SIZE as usize],
            host,
            stdout,
        }
    }

    /// The host's path of a name inside of the preopened directory.
    pub(crate) fn inside(&self, name: &str) -> std::path::PathBuf {
        self.host.path().join("inside").join(name)
    }

    pub(crate) fn call<R>(&mut self, f: impl FnOnce(&mut WasiCtx, &mut GuestMemory<'_>) -> R) -> R {
        f(&mut self.ctx, &mut GuestMemory::new(&mut self.bytes))
    }

    pub(crate) fn put(&mut self, pointer: u32, bytes: &[u8]) -> u32 {
        let start = pointer as usize;
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
        bytes.len() as u32
    }

    pub(crate) fn get(&self, pointer: u32, size: u32) -> &[u8] {
        &self.bytes[pointer as usize..][..size as usize]
    }

    pub(crate) fn u16(&self, pointer: u32) -> u16 {
        u16::from_le_bytes(self.get(pointer, 2).try_into().expect("two bytes"))
    }

    pub(crate) fn u32(&self, pointer: u32) -> u32 {
        u32::from_le_bytes(self.get(pointer, 4).try_into().expect("four bytes"))
    }

    pub(crate) fn u64(&self, pointer: u32) -> u64 {
        u64::from_le_bytes(self.get(pointer, 8).try_into().expect("eight bytes"))
    }

    /// Puts an array of (pointer, length) pairs.
    pub(crate) fn iovs(&mut self, buffers: &[(u32, u32)]) -> u32 {
        let mut at = IOVS;
        for (pointer, size) in buffers {
            self.put(at, &pointer.to_le_bytes());
            self.put(at + 4, &size.to_le_bytes());
            at += 8;
        }
        buffers.len() as u32
    }

    pub(crate) fn open_with(
        &mut self,
        dir: u32,
        path: &str,
        lookup: u32,
        oflags: u32,
        rights: u64,
        fdflags: u32,
    ) -> Result<u32, Errno> {
        let size = self.put(PATH, path.as_bytes());
        self.call(|ctx, memory| {
            ctx.path_open(
                memory,
                dir,
                lookup,
                PATH,
                size,
                oflags,
                rights,
                u64::MAX,
                fdflags,
                OUT,
            )
        })?;
        Ok(self.u32(OUT))
    }

    pub(crate) fn open(&mut self, path: &str, oflags: u32) -> Result<u32, Errno> {
        self.open_with(DIR, path, FOLLOW, oflags, read_write(), 0)
    }

    /// Opens a file for reading.
    pub(crate) fn open_read(&mut self, path: &str) -> Result<u32, Errno> {
        self.open_with(DIR, path, FOLLOW, 0, read_only(), 0)
    }

    pub(crate) fn open_dir(&mut self, path: &str) -> Result<u32, Errno> {
        self.open_with(DIR, path, FOLLOW, DIRECTORY, read_only(), 0)
    }

    pub(crate) fn close(&mut self, fd: u32) -> Result<(), Errno> {
        self.call(|ctx, memory| ctx.fd_close(memory, fd))
    }

    pub(crate) fn write(&mut self, fd: u32, bytes: &[u8]) -> Result<u32, Errno> {
        let size = self.put(DATA, bytes);
        let count = self.iovs(&[(DATA, size)]);
        self.call(|ctx, memory| ctx.fd_write(memory, fd, IOVS, count, OUT))?;
        Ok(self.u32(OUT))
    }

    pub(crate) fn pwrite(&mut self, fd: u32, bytes: &[u8], offset: u64) -> Result<u32, Errno> {
        let size = self.put(DATA, bytes);
        let count = self.iovs(&[(DATA, size)]);
        self.call(|ctx, memory| ctx.fd_pwrite(memory, fd, IOVS, count, offset, OUT))?;
        Ok(self.u32(OUT))
    }

    pub(crate) fn read(&mut self, fd: u32, size: u32) -> Result<Vec<u8>, Errno> {
        let count = self.iovs(&[(DATA, size)]);
        self.call(|ctx, memory| ctx.fd_read(memory, fd, IOVS, count, OUT))?;
        Ok(self.get(DATA, self.u32(OUT)).to_vec())
    }

    pub(crate) fn pread(&mut self, fd: u32, size: u32, offset: u64) -> Result<Vec<u8>, Errno> {
        let count = self.iovs(&[(DATA, size)]);
        self.call(|ctx, memory| ctx.fd_pread(memory, fd, IOVS, count, offset, OUT))?;
        Ok(self.get(DATA, self.u32(OUT)).to_vec())
    }

    pub(crate) fn seek(&mut self, fd: u32, offset: i64, whence: u32) -> Result<u64, Errno> {
        self.call(|ctx, memory| ctx.fd_seek(memory, fd, offset, whence, OUT))?;
        Ok(self.u64(OUT))
    }

    /// (type, flags, rights, inherited rights)
    pub(crate) fn fdstat(&mut self, fd: u32) -> Result<(u8, u16, u64, u64), Errno> {
        self.call(|ctx, memory| ctx.fd_fdstat_get(memory, fd, OUT))?;
        let filetype = self.get(OUT, 1)[0];
        Ok((
            filetype,
            self.u16(OUT + 2),
            self.u64(OUT + 8),
            self.u64(OUT + 16),
        ))
    }

    /// Calls a function that takes a directory and one path.
    pub(crate) fn at(
        &mut self,
        path: &str,
        f: impl FnOnce(&mut WasiCtx, &mut GuestMemory<'_>, u32, u32, u32) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let size = self.put(PATH, path.as_bytes());
        self.call(|ctx, memory| f(ctx, memory, DIR, PATH, size))
    }

    pub(crate) fn mkdir(&mut self, path: &str) -> Result<(), Errno> {
        self.at(path, WasiCtx::path_create_directory)
    }

    pub(crate) fn rmdir(&mut self, path: &str) -> Result<(), Errno> {
        self.at(path, WasiCtx::path_remove_directory)
    }

    pub(crate) fn unlink(&mut self, path: &str) -> Result<(), Errno> {
        self.at(path, WasiCtx::path_unlink_file)
    }

    pub(crate) fn symlink(&mut self, target: &str, path: &str) -> Result<(), Errno> {
        let target_size = self.put(PATH_2, target.as_bytes());
        self.at(path, |ctx, memory, dir, path, size| {
            ctx.path_symlink(memory, PATH_2, target_size, dir, path, size)
        })
    }

    pub(crate) fn readlink(&mut self, path: &str, room: u32) -> Result<String, Errno> {
        self.at(path, |ctx, memory, dir, path, size| {
            ctx.path_readlink(memory, dir, path, size, DATA, room, OUT)
        })?;
        Ok(String::from_utf8_lossy(self.get(DATA, self.u32(OUT))).into_owned())
    }

    pub(crate) fn rename(&mut self, old: &str, new: &str) -> Result<(), Errno> {
        self.rename_to(old, DIR, new)
    }

    pub(crate) fn rename_to(&mut self, old: &str, new_dir: u32, new: &str) -> Result<(), Errno> {
        let new_size = self.put(PATH_2, new.as_bytes());
        self.at(old, |ctx, memory, dir, path, size| {
            ctx.path_rename(memory, dir, path, size, new_dir, PATH_2, new_size)
        })
    }

    pub(crate) fn link(&mut self, old: &str, new: &str) -> Result<(), Errno> {
        self.link_to(old, 0, DIR, new)
    }

    pub(crate) fn link_to(
        &mut self,
        old: &str,
        lookup: u32,
        new_dir: u32,
        new: &str,
    ) -> Result<(), Errno> {
        let new_size = self.put(PATH_2, new.as_bytes());
        self.at(old, |ctx, memory, dir, path, size| {
            ctx.path_link(memory, dir, lookup, path, size, new_dir, PATH_2, new_size)
        })
    }

    /// (type, size, links, modification time)
    pub(crate) fn stat(&mut self, path: &str, lookup: u32) -> Result<(u8, u64, u64, u64), Errno> {
        self.at(path, |ctx, memory, dir, path, size| {
            ctx.path_filestat_get(memory, dir, lookup, path, size, OUT)
        })?;
        Ok(self.filestat())
    }

    /// The structure that was written last, as `stat`.
    pub(crate) fn filestat(&self) -> (u8, u64, u64, u64) {
        (
            self.get(OUT + 16, 1)[0],
            self.u64(OUT + 32),
            self.u64(OUT + 24),
            self.u64(OUT + 48),
        )
    }
}
