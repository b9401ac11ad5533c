//! The status of files and their times, by descriptor and by path.

use crate::clock::nanoseconds;
use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::guest::GuestMemory;
use crate::path::{need_directory, wants_directory};
use crate::table::Kind;
use crate::types::{DirPerms, FilePerms, Filestat, Fstflags, Lookupflags, Rights};
use cap_fs_ext::{DirExt, SystemTimeSpec};
use cap_std::fs::{Metadata, MetadataExt};
use cap_std::time::SystemTime;
use rustix::fs::{AtFlags, FileType, Stat, Timestamps, UTIME_NOW, UTIME_OMIT};
use rustix::time::Timespec;
use std::time::Duration;

/// Signed seconds and nanoseconds as WASI counts time; times before 1970 become zero.
fn time(seconds: i64, rest: i64) -> u64 {
    nanoseconds(Timespec {
        tv_sec: seconds,
        tv_nsec: rest as _,
    })
}

#[allow(
    clippy::unnecessary_cast,
    clippy::useless_conversion,
    reason = "the widths of the host's fields differ between hosts"
)]
fn from_stat(stat: &Stat) -> Filestat {
    Filestat {
        device: stat.st_dev as u64,
        inode: stat.st_ino as u64,
        filetype: FileType::from_raw_mode(stat.st_mode).into(),
        links: stat.st_nlink as u64,
        size_bytes: stat.st_size as u64,
        accessed_ns: time(stat.st_atime as i64, stat.st_atime_nsec as i64),
        modified_ns: time(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
        changed_ns: time(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
    }
}

fn from_metadata(metadata: &Metadata) -> Filestat {
    Filestat {
        device: metadata.dev(),
        inode: metadata.ino(),
        filetype: FileType::from_raw_mode(metadata.mode() as rustix::fs::RawMode).into(),
        links: metadata.nlink(),
        size_bytes: metadata.size(),
        accessed_ns: time(metadata.atime(), metadata.atime_nsec()),
        modified_ns: time(metadata.mtime(), metadata.mtime_nsec()),
        changed_ns: time(metadata.ctime(), metadata.ctime_nsec()),
    }
}

/// What to do with one of the two times.
#[derive(Clone, Copy)]
enum NewTime {
    Keep,
    Now,
    At(Duration),
}

impl NewTime {
    fn for_host(self) -> Timespec {
        let (seconds, rest) = match self {
            Self::Keep => (0, UTIME_OMIT as _),
            Self::Now => (0, UTIME_NOW as _),
            // 64 bits of nanoseconds are fewer seconds than fit.
            Self::At(since_1970) => (since_1970.as_secs() as i64, since_1970.subsec_nanos() as _),
        };
        Timespec {
            tv_sec: seconds,
            tv_nsec: rest,
        }
    }

    fn for_path(self) -> Result<Option<SystemTimeSpec>, Errno> {
        Ok(match self {
            Self::Keep => None,
            Self::Now => Some(SystemTimeSpec::SymbolicNow),
            Self::At(since_1970) => {
                let time = std::time::UNIX_EPOCH
                    .checked_add(since_1970)
                    .ok_or(Errno::Overflow)?;
                Some(SystemTimeSpec::Absolute(SystemTime::from_std(time)))
            }
        })
    }
}

/// What the flags say about the access and the modification time.
fn new_times(accessed_ns: u64, modified_ns: u64, flags: u32) -> Result<(NewTime, NewTime), Errno> {
    let flags = Fstflags::from_guest(flags)?;
    let choose =
        |at: Fstflags, now: Fstflags, ns: u64| match (flags.contains(at), flags.contains(now)) {
            (true, true) => Err(Errno::Inval),
            (true, false) => Ok(NewTime::At(Duration::from_nanos(ns))),
            (false, true) => Ok(NewTime::Now),
            (false, false) => Ok(NewTime::Keep),
        };
    Ok((
        choose(Fstflags::ATIM, Fstflags::ATIM_NOW, accessed_ns)?,
        choose(Fstflags::MTIM, Fstflags::MTIM_NOW, modified_ns)?,
    ))
}

impl WasiCtx {
    /// `fd_filestat_get`.
    ///
    /// # Errors
    /// [`Errno::Badf`], [`Errno::Notcapable`], [`Errno::Fault`], those of the host.
    pub fn fd_filestat_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        pointer: u32,
    ) -> Result<(), Errno> {
        memory.write(pointer, &self.filestat(fd)?.encode())
    }

    /// The status of what a descriptor stands for.
    pub(crate) fn filestat(&self, fd: u32) -> Result<Filestat, Errno> {
        let descriptor = self.table.get(fd)?;
        descriptor.need(Rights::FD_FILESTAT_GET)?;
        Ok(match &descriptor.kind {
            Kind::File(file) => from_stat(&rustix::fs::fstat(&file.file)?),
            Kind::Dir(dir) => from_stat(&rustix::fs::fstat(&dir.dir)?),
            _ => Filestat::of_stream(descriptor.filetype()),
        })
    }

    /// `fd_filestat_set_times`.
    ///
    /// # Errors
    /// [`Errno::Badf`], [`Errno::Notcapable`], [`Errno::Perm`], [`Errno::Inval`], those of the host.
    pub fn fd_filestat_set_times(
        &mut self,
        _: &mut GuestMemory<'_>,
        fd: u32,
        accessed_ns: u64,
        modified_ns: u64,
        flags: u32,
    ) -> Result<(), Errno> {
        let (accessed, modified) = new_times(accessed_ns, modified_ns, flags)?;
        let times = Timestamps {
            last_access: accessed.for_host(),
            last_modification: modified.for_host(),
        };
        let descriptor = self.table.get(fd)?;
        if let Kind::File(_) | Kind::Dir(_) = descriptor.kind {
            descriptor.need(Rights::FD_FILESTAT_SET_TIMES)?;
        }
        match &descriptor.kind {
            Kind::File(file) => {
                file.permissions.need_file(FilePerms::WRITE)?;
                rustix::fs::futimens(&file.file, &times)?;
            }
            Kind::Dir(dir) => {
                dir.permissions.need_dir(DirPerms::MUTATE)?;
                // The descriptor may be one that only names the directory.
                rustix::fs::utimensat(&dir.dir, ".", &times, AtFlags::empty())?;
            }
            _ => return Err(Errno::Badf),
        }
        Ok(())
    }

    /// `path_filestat_get`.
    ///
    /// # Errors
    /// Those of every path; see [`WasiCtx::path_open`].
    pub fn path_filestat_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        lookup: u32,
        path_pointer: u32,
        path_size_bytes: u32,
        pointer: u32,
    ) -> Result<(), Errno> {
        let filestat = self.filestat_at(memory, fd, lookup, path_pointer, path_size_bytes)?;
        memory.write(pointer, &filestat.encode())
    }

    /// The status of what a path leads to.
    pub(crate) fn filestat_at(
        &self,
        memory: &GuestMemory<'_>,
        fd: u32,
        lookup: u32,
        path_pointer: u32,
        path_size_bytes: u32,
    ) -> Result<Filestat, Errno> {
        let lookup = Lookupflags::from_guest(lookup)?;
        let dir = self.table.dir(fd, Rights::PATH_FILESTAT_GET)?;
        let path = memory.path(path_pointer, path_size_bytes)?;
        dir.permissions.need_dir(DirPerms::READ)?;
        let metadata = if lookup.contains(Lookupflags::SYMLINK_FOLLOW) || wants_directory(&path) {
            dir.dir.metadata(&path)?
        } else {
            dir.dir.symlink_metadata(&path)?
        };
        if wants_directory(&path) && !metadata.is_dir() {
            return Err(Errno::Notdir);
        }
        Ok(from_metadata(&metadata))
    }

    /// `path_filestat_set_times`.
    ///
    /// # Errors
    /// [`Errno::Inval`]; those of every path.
    #[allow(clippy::too_many_arguments, reason = "the interface prescribes them")]
    pub fn path_filestat_set_times(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        lookup: u32,
        path_pointer: u32,
        path_size_bytes: u32,
        accessed_ns: u64,
        modified_ns: u64,
        flags: u32,
    ) -> Result<(), Errno> {
        let lookup = Lookupflags::from_guest(lookup)?;
        let (accessed, modified) = new_times(accessed_ns, modified_ns, flags)?;
        let dir = self.table.dir(fd, Rights::PATH_FILESTAT_SET_TIMES)?;
        let path = memory.path(path_pointer, path_size_bytes)?;
        dir.permissions.need_dir(DirPerms::MUTATE)?;
        dir.permissions.need_file(FilePerms::WRITE)?;
        let (accessed, modified) = (accessed.for_path()?, modified.for_path()?);
        if wants_directory(&path) {
            need_directory(&dir.dir, &path)?;
        }
        if lookup.contains(Lookupflags::SYMLINK_FOLLOW) || wants_directory(&path) {
            DirExt::set_times(&dir.dir, path, accessed, modified)?;
        } else {
            DirExt::set_symlink_times(&dir.dir, path, accessed, modified)?;
        }
        Ok(())
    }
}
