//! Everything that takes a path: opening, and changing the directory tree.
//!
//! Paths are resolved by `cap-std` below the directory of the descriptor: absolute paths, `..` that
//! leads out, and links that lead out fail with [`Errno::Perm`], whatever stands behind them.
//!
//! A path that ends in a slash, in `.` or in `..` names a directory and leads through a link in the
//! last place, asked to or not. Rust's `Path` does not see a `.` at the end, so [`Ending`] does. What
//! exists under such a name already cannot be created, and an entry cannot be removed or renamed by
//! it: those calls answer as Linux does.
//!
//! Creating, renaming, linking and removing entries needs the embedder's permission to change the
//! directories. Between two preopened directories nothing moves to where it would have more
//! permissions than where it was.

use crate::ctx::WasiCtx;
use crate::errno::Errno;
use crate::file::set_host_append;
use crate::guest::GuestMemory;
use crate::table::{Descriptor, Kind, OpenDir, OpenFile, Permissions};
use crate::types::{DirPerms, Fdflags, FilePerms, Filetype, Lookupflags, Oflags, Rights};
use crate::wait::pause;
use cap_fs_ext::{
    FollowSymlinks, OpenOptionsFollowExt, OpenOptionsMaybeDirExt, OpenOptionsSyncExt,
};
use cap_std::fs::{Dir, FileTypeExt, OpenOptions};
use rustix::fs::FileType;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What `path_open` is to do, decoded and checked.
struct Opening {
    follow: bool,
    oflags: Oflags,
    fdflags: Fdflags,
    readable: bool,
    writable: bool,
}

impl Opening {
    /// The rights on the directory that the flags call for.
    fn needed_rights(&self) -> Rights {
        let mut needed = Rights::PATH_OPEN;
        if self.oflags.contains(Oflags::CREAT) {
            needed = needed | Rights::PATH_CREATE_FILE;
        }
        if self.oflags.contains(Oflags::TRUNC) {
            needed = needed | Rights::PATH_FILESTAT_SET_SIZE;
        }
        needed
    }

    fn check_permissions(&self, permissions: Permissions) -> Result<(), Errno> {
        permissions.need_dir(DirPerms::READ)?;
        if self.oflags.contains(Oflags::CREAT) {
            permissions.need_dir(DirPerms::MUTATE)?;
        }
        if self.writable || self.oflags.contains(Oflags::TRUNC) {
            permissions.need_file(FilePerms::WRITE)?;
        }
        if self.readable && self.oflags.intersects(Oflags::CREAT | Oflags::TRUNC) {
            // Directories, which the right also names, cannot be meant.
            permissions.need_file(FilePerms::READ)?;
        }
        Ok(())
    }

    /// Opens the file or directory; a pipe opened for writing waits for its reader.
    ///
    /// A pipe opened for reading does not wait for its writer: its first read does.
    fn open(&self, dir: &Dir, path: &Path, memory: &GuestMemory<'_>) -> Result<File, Errno> {
        self.check_ending(dir, path)?;
        loop {
            let error = match self.open_now(dir, path) {
                Ok(file) => return Ok(file),
                Err(error) => Errno::from(error),
            };
            let is_pipe = || {
                dir.metadata(path)
                    .is_ok_and(|file| file.file_type().is_fifo())
            };
            if error != Errno::Nxio || self.fdflags.contains(Fdflags::NONBLOCK) || !is_pipe() {
                return Err(error);
            }
            pause(memory)?;
        }
    }

    /// Refuses what cannot be had of a directory, for a path that can only name one. The host does
    /// not see every such ending, and might cut or create the file that the rest of the path names.
    fn check_ending(&self, dir: &Dir, path: &Path) -> Result<(), Errno> {
        let (ending, before) = Ending::of(path);
        if ending == Ending::Name {
            if !wants_directory(path) || !self.oflags.contains(Oflags::CREAT) {
                return Ok(());
            }
            if !before.as_os_str().is_empty() {
                need_directory(dir, before)?;
            }
            return Err(Errno::Isdir);
        }
        if self.oflags.contains(Oflags::CREAT) {
            let exclusive = self.oflags.contains(Oflags::EXCL);
            let error = if exclusive {
                Errno::Exist
            } else {
                Errno::Isdir
            };
            need_name(dir, path, &Dots::both(error))?;
        }
        need_directory(dir, path)?;
        if self.writable || self.oflags.contains(Oflags::TRUNC) {
            return Err(Errno::Isdir);
        }
        Ok(())
    }

    fn open_now(&self, dir: &Dir, path: &Path) -> io::Result<File> {
        let mut options = OpenOptions::new();
        // The host cuts files only for those who may write.
        let write = self.writable || self.oflags.contains(Oflags::TRUNC);
        options
            .read(self.readable || !write)
            .write(write)
            .truncate(self.oflags.contains(Oflags::TRUNC))
            .maybe_dir(true)
            .nonblock(true)
            .sync(self.fdflags.contains(Fdflags::SYNC))
            .dsync(self.fdflags.contains(Fdflags::DSYNC))
            .rsync(self.fdflags.contains(Fdflags::RSYNC))
            .follow(if self.follow {
                FollowSymlinks::Yes
            } else {
                FollowSymlinks::No
            });
        let open = |options: &OpenOptions| dir.open_with(path, options).map(|file| file.into_std());
        if !self.oflags.contains(Oflags::CREAT) {
            return open(&options);
        }
        let mut creating = options.clone();
        creating.write(true);
        if self.oflags.contains(Oflags::EXCL) {
            return open(creating.truncate(false).create_new(true));
        }
        if write {
            return open(creating.create(true));
        }
        // Creating for reading only: an existing file must not need the permission to write.
        match open(&options) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => return result,
        }
        match open(creating.create_new(true)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => return result,
        }
        match open(&options) {
            // A link to nothing, through which the file is created.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                open(creating.create_new(false).create(true))
            }
            // It came into being meanwhile.
            result => result,
        }
    }
}

/// How a path ends, besides slashes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Name,
    Dot,
    DotDot,
}

impl Ending {
    /// With the part in front of the last component: nothing if there is none.
    fn of(path: &Path) -> (Self, &Path) {
        let bytes = without_slashes(path).as_os_str().as_bytes();
        let start = bytes.iter().rposition(|&byte| byte == b'/');
        let (before, last) = bytes.split_at(start.map_or(0, |slash| slash + 1));
        let ending = match last {
            b"." => Self::Dot,
            b".." => Self::DotDot,
            _ => Self::Name,
        };
        (ending, Path::new(OsStr::from_bytes(before)))
    }
}

/// Whether the path ends so that it names a directory, through a link or not.
pub(crate) fn wants_directory(path: &Path) -> bool {
    path.as_os_str().as_bytes().ends_with(b"/") || Ending::of(path).0 != Ending::Name
}

/// The errors for `.` and `..` in the last place.
struct Dots {
    dot: Errno,
    dot_dot: Errno,
}

impl Dots {
    fn both(error: Errno) -> Self {
        let (dot, dot_dot) = (error, error);
        Self { dot, dot_dot }
    }
}

/// Refuses a path whose last component is no name, after looking at what it leads to.
fn need_name(dir: &Dir, path: &Path, dots: &Dots) -> Result<(), Errno> {
    let (ending, before) = Ending::of(path);
    let error = match ending {
        Ending::Name => return Ok(()),
        Ending::Dot => dots.dot,
        Ending::DotDot => dots.dot_dot,
    };
    if !before.as_os_str().is_empty() && !dir.metadata(before)?.is_dir() {
        return Err(Errno::Notdir);
    }
    dir.metadata(path)?;
    Err(error)
}

/// Checks what a path leads to that names a directory: [`Errno::Notdir`] if that is none.
pub(crate) fn need_directory(dir: &Dir, path: &Path) -> Result<(), Errno> {
    if dir.metadata(path)?.is_dir() {
        Ok(())
    } else {
        Err(Errno::Notdir)
    }
}

/// The path without the slashes at its end, except for the root.
pub(crate) fn without_slashes(path: &Path) -> &Path {
    let mut bytes = path.as_os_str().as_bytes();
    while let [rest @ .., b'/'] = bytes
        && !rest.is_empty()
    {
        bytes = rest;
    }
    Path::new(OsStr::from_bytes(bytes))
}

/// Whether a link with this text leads to an absolute place.
fn is_absolute(path: &Path) -> bool {
    path.as_os_str().as_bytes().starts_with(b"/")
}

impl WasiCtx {
    /// `path_open`.
    ///
    /// Of the rights asked for, only those to read and to write count: they say how to open. The
    /// others come from the directory, asked for or not, because programs rely on it.
    ///
    /// # Errors
    /// [`Errno::Badf`], [`Errno::Notdir`] for a descriptor that is no directory,
    /// [`Errno::Notcapable`], [`Errno::Perm`] for what the embedder did not grant and for paths that
    /// lead out, [`Errno::Inval`], [`Errno::Ilseq`], [`Errno::Fault`], those of the host.
    #[allow(clippy::too_many_arguments, reason = "the interface prescribes them")]
    pub fn path_open(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        lookup: u32,
        path_pointer: u32,
        path_size_bytes: u32,
        oflags: u32,
        rights: u64,
        _inheriting: u64,
        fdflags: u32,
        fd_pointer: u32,
    ) -> Result<(), Errno> {
        memory.check(fd_pointer, 4)?;
        let asked = Rights::from_guest(rights).intersection(Rights::FD_READ | Rights::FD_WRITE);
        let oflags = Oflags::from_guest(oflags)?;
        let mut opening = Opening {
            follow: Lookupflags::from_guest(lookup)?.contains(Lookupflags::SYMLINK_FOLLOW),
            oflags,
            fdflags: Fdflags::from_guest(fdflags)?,
            readable: asked.contains(Rights::FD_READ),
            writable: asked.contains(Rights::FD_WRITE),
        };
        if opening.oflags.contains(Oflags::DIRECTORY)
            && opening
                .oflags
                .intersects(Oflags::CREAT | Oflags::EXCL | Oflags::TRUNC)
        {
            return Err(Errno::Inval);
        }
        let dir = self.table.dir(fd, opening.needed_rights())?;
        let inherited = self.table.get(fd)?.inheriting;
        let path = memory.path(path_pointer, path_size_bytes)?;
        if !inherited.contains(asked) {
            return Err(Errno::Notcapable);
        }
        opening.check_permissions(dir.permissions)?;
        self.table.check_room()?;

        opening.follow |= wants_directory(&path);
        let file = opening.open(&dir.dir, &path, memory)?;
        let stat = rustix::fs::fstat(&file)?;
        let filetype = Filetype::from(FileType::from_raw_mode(stat.st_mode));
        let refused = (Rights::FD_READ | Rights::FD_WRITE).difference(asked);
        let granted = inherited.difference(refused);
        let permissions = dir.permissions;
        let descriptor = if filetype == Filetype::Directory {
            if opening.oflags.contains(Oflags::CREAT) {
                return Err(Errno::Isdir);
            }
            Descriptor {
                kind: Kind::Dir(OpenDir {
                    dir: Dir::from_std_file(file),
                    permissions,
                    preopened_as: None,
                    reader: None,
                }),
                rights: inherited.intersection(Rights::DIRECTORY),
                inheriting: inherited,
                flags: Fdflags::empty(),
            }
        } else {
            if opening.oflags.contains(Oflags::DIRECTORY) || wants_directory(&path) {
                return Err(Errno::Notdir);
            }
            if opening.writable && opening.fdflags.contains(Fdflags::APPEND) {
                // Not when it is opened: together with cutting, the library refuses that.
                set_host_append(&file, true)?;
            }
            if opening.readable {
                permissions.need_file(FilePerms::READ)?;
            }
            Descriptor {
                kind: Kind::File(OpenFile {
                    file,
                    filetype,
                    readable: opening.readable,
                    writable: opening.writable,
                    permissions,
                }),
                rights: granted.intersection(Rights::FILE),
                inheriting: Rights::empty(),
                flags: opening.fdflags,
            }
        };
        let opened = self.table.insert(descriptor)?;
        memory.write_u32(fd_pointer, opened)
    }

    /// A directory that may be changed, and a path in it.
    fn changeable(
        &self,
        memory: &GuestMemory<'_>,
        fd: u32,
        needed: Rights,
        path_pointer: u32,
        path_size_bytes: u32,
    ) -> Result<(&OpenDir, std::path::PathBuf), Errno> {
        let dir = self.table.dir(fd, needed)?;
        let path = memory.path(path_pointer, path_size_bytes)?;
        dir.permissions.need_dir(DirPerms::MUTATE)?;
        Ok((dir, path))
    }

    /// `path_create_directory`.
    ///
    /// # Errors
    /// Those of every path.
    pub fn path_create_directory(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        path_pointer: u32,
        path_size_bytes: u32,
    ) -> Result<(), Errno> {
        let needed = Rights::PATH_CREATE_DIRECTORY;
        let (dir, path) = self.changeable(memory, fd, needed, path_pointer, path_size_bytes)?;
        need_name(&dir.dir, &path, &Dots::both(Errno::Exist))?;
        Ok(dir.dir.create_dir(path)?)
    }

    /// `path_remove_directory`.
    ///
    /// # Errors
    /// [`Errno::Notempty`]; those of every path.
    pub fn path_remove_directory(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        path_pointer: u32,
        path_size_bytes: u32,
    ) -> Result<(), Errno> {
        let needed = Rights::PATH_REMOVE_DIRECTORY;
        let (dir, path) = self.changeable(memory, fd, needed, path_pointer, path_size_bytes)?;
        let dots = Dots {
            dot: Errno::Inval,
            dot_dot: Errno::Notempty,
        };
        need_name(&dir.dir, &path, &dots)?;
        // A link does not become a directory by a slash here, so the slash says nothing.
        Ok(dir.dir.remove_dir(without_slashes(&path))?)
    }

    /// `path_unlink_file`.
    ///
    /// # Errors
    /// [`Errno::Isdir`]; those of every path.
    pub fn path_unlink_file(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        path_pointer: u32,
        path_size_bytes: u32,
    ) -> Result<(), Errno> {
        let needed = Rights::PATH_UNLINK_FILE;
        let (dir, path) = self.changeable(memory, fd, needed, path_pointer, path_size_bytes)?;
        need_name(&dir.dir, &path, &Dots::both(Errno::Isdir))?;
        Ok(dir.dir.remove_file(path)?)
    }

    /// `path_symlink`. A link to an absolute place is refused, since it could not be followed.
    ///
    /// # Errors
    /// Those of every path.
    pub fn path_symlink(
        &mut self,
        memory: &mut GuestMemory<'_>,
        target_pointer: u32,
        target_size_bytes: u32,
        fd: u32,
        path_pointer: u32,
        path_size_bytes: u32,
    ) -> Result<(), Errno> {
        let needed = Rights::PATH_SYMLINK;
        let (dir, path) = self.changeable(memory, fd, needed, path_pointer, path_size_bytes)?;
        let target = memory.path(target_pointer, target_size_bytes)?;
        if is_absolute(&target) {
            return Err(Errno::Perm);
        }
        need_name(&dir.dir, &path, &Dots::both(Errno::Exist))?;
        Ok(dir.dir.symlink(target, path)?)
    }

    /// `path_readlink`: writes as much of the link's text as fits.
    ///
    /// # Errors
    /// [`Errno::Inval`] for what is no link, [`Errno::Perm`] for a link to an absolute place; those
    /// of every path.
    #[allow(clippy::too_many_arguments, reason = "the interface prescribes them")]
    pub fn path_readlink(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        path_pointer: u32,
        path_size_bytes: u32,
        pointer: u32,
        size_bytes: u32,
        used_pointer: u32,
    ) -> Result<(), Errno> {
        let dir = self.table.dir(fd, Rights::PATH_READLINK)?;
        let path = memory.path(path_pointer, path_size_bytes)?;
        dir.permissions.need_dir(DirPerms::READ)?;
        if wants_directory(&path) {
            need_directory(&dir.dir, &path)?;
            return Err(Errno::Inval);
        }
        let target = dir.dir.read_link(path)?;
        let bytes = target.as_os_str().as_bytes();
        let room = memory.bytes_mut(pointer, size_bytes)?;
        let used = bytes.len().min(room.len());
        room[..used].copy_from_slice(&bytes[..used]);
        memory.write_u32(used_pointer, used as u32)
    }

    /// `path_rename`.
    ///
    /// # Errors
    /// [`Errno::Perm`] if the target would have more permissions; those of every path.
    #[allow(clippy::too_many_arguments, reason = "the interface prescribes them")]
    pub fn path_rename(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        path_pointer: u32,
        path_size_bytes: u32,
        new_fd: u32,
        new_path_pointer: u32,
        new_path_size_bytes: u32,
    ) -> Result<(), Errno> {
        let needed = Rights::PATH_RENAME_SOURCE;
        let (old_dir, old_path) =
            self.changeable(memory, fd, needed, path_pointer, path_size_bytes)?;
        let needed = Rights::PATH_RENAME_TARGET;
        let (new_dir, new_path) = self.changeable(
            memory,
            new_fd,
            needed,
            new_path_pointer,
            new_path_size_bytes,
        )?;
        if !old_dir.permissions.covers(new_dir.permissions) {
            return Err(Errno::Perm);
        }
        need_name(&old_dir.dir, &old_path, &Dots::both(Errno::Busy))?;
        need_name(&new_dir.dir, &new_path, &Dots::both(Errno::Busy))?;
        let (old, new) = (without_slashes(&old_path), without_slashes(&new_path));
        if (wants_directory(&old_path) || wants_directory(&new_path))
            && !old_dir.dir.symlink_metadata(old)?.is_dir()
        {
            return Err(Errno::Notdir);
        }
        Ok(old_dir.dir.rename(old, &new_dir.dir, new)?)
    }

    /// `path_link`. Links are made to links, not through them.
    ///
    /// # Errors
    /// [`Errno::Inval`] if the link should be followed, [`Errno::Perm`] if the target would have
    /// more permissions; those of every path.
    #[allow(clippy::too_many_arguments, reason = "the interface prescribes them")]
    pub fn path_link(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        lookup: u32,
        path_pointer: u32,
        path_size_bytes: u32,
        new_fd: u32,
        new_path_pointer: u32,
        new_path_size_bytes: u32,
    ) -> Result<(), Errno> {
        let needed = Rights::PATH_LINK_SOURCE;
        let (old_dir, old_path) =
            self.changeable(memory, fd, needed, path_pointer, path_size_bytes)?;
        let needed = Rights::PATH_LINK_TARGET;
        let (new_dir, new_path) = self.changeable(
            memory,
            new_fd,
            needed,
            new_path_pointer,
            new_path_size_bytes,
        )?;
        if Lookupflags::from_guest(lookup)? != Lookupflags::empty() {
            return Err(Errno::Inval);
        }
        if !old_dir.permissions.covers(new_dir.permissions) {
            return Err(Errno::Perm);
        }
        need_name(&new_dir.dir, &new_path, &Dots::both(Errno::Exist))?;
        if wants_directory(&old_path) {
            need_directory(&old_dir.dir, &old_path)?;
            // Directories have one name.
            return Err(Errno::Perm);
        }
        Ok(old_dir.dir.hard_link(old_path, &new_dir.dir, new_path)?)
    }

    /// `fd_prestat_get`: the kind of a preopened descriptor and the length of its name.
    ///
    /// # Errors
    /// [`Errno::Badf`] for what is not preopened, [`Errno::Fault`].
    pub fn fd_prestat_get(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        pointer: u32,
    ) -> Result<(), Errno> {
        let size_bytes = self.preopened_name(fd)?.len() as u64;
        // The tag of a directory is zero, and padding follows it.
        memory.write_u64(pointer, size_bytes << 32)
    }

    /// `fd_prestat_dir_name`.
    ///
    /// # Errors
    /// [`Errno::Badf`] for what is not preopened, [`Errno::Nametoolong`] if it does not fit,
    /// [`Errno::Fault`].
    pub fn fd_prestat_dir_name(
        &mut self,
        memory: &mut GuestMemory<'_>,
        fd: u32,
        pointer: u32,
        size_bytes: u32,
    ) -> Result<(), Errno> {
        let name = self.preopened_name(fd)?;
        if name.len() > size_bytes as usize {
            return Err(Errno::Nametoolong);
        }
        memory.write(pointer, name.as_bytes())
    }

    fn preopened_name(&self, fd: u32) -> Result<&str, Errno> {
        match &self.table.get(fd)?.kind {
            Kind::Dir(dir) => dir.preopened_as.as_deref().ok_or(Errno::Badf),
            _ => Err(Errno::Badf),
        }
    }
}
