//! The context of one guest, and the builder with which an embedder says what that guest gets.
//!
//! Nothing is given by default: no arguments, no environment, no files, no sockets, an empty
//! standard input, and outputs that are dropped.

use crate::errno::Errno;
use crate::stdio::{HostStream, MemoryOutput, Output, Stdin};
use crate::table::{Descriptor, Kind, OpenDir, Permissions, Table};
use crate::types::{DirPerms, Fdflags, FilePerms, Rights};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Instant;

/// How many descriptors a guest may have open unless the embedder says otherwise.
const DESCRIPTORS_MAX: usize = 1024;

/// The state of WASI for one guest: its arguments, environment, clocks and descriptors.
///
/// Each call of the interface is a method that takes the guest's memory and the guest's numbers.
pub struct WasiCtx {
    pub(crate) args: Vec<Vec<u8>>,
    pub(crate) env: Vec<Vec<u8>>,
    pub(crate) table: Table,
    /// The zero of the guest's monotonic clock.
    pub(crate) started: Instant,
}

impl WasiCtx {
    /// A builder that grants nothing yet.
    #[must_use]
    pub fn builder() -> WasiCtxBuilder {
        WasiCtxBuilder::new()
    }

    /// Writes buffered output to the host.
    ///
    /// # Errors
    /// The first failure; the other streams are flushed all the same.
    pub fn flush(&mut self) -> Result<(), Errno> {
        let mut result = Ok(());
        for descriptor in self.table.iter_mut() {
            if let Kind::Output(output) = &mut descriptor.kind {
                result = result.and(output.flush());
            }
        }
        result
    }
}

impl Drop for WasiCtx {
    fn drop(&mut self) {
        // There is nobody left to tell about a failure.
        let _ = self.flush();
    }
}

/// Says what a guest gets; see [`WasiCtx`].
pub struct WasiCtxBuilder {
    args: Vec<Vec<u8>>,
    env: Vec<Vec<u8>>,
    stdin: Stdin,
    stdout: Output,
    stderr: Output,
    dirs: Vec<OpenDir>,
    listeners: Vec<OwnedFd>,
    descriptors_max: usize,
}

impl Default for WasiCtxBuilder {
    fn default() -> Self {
        Self {
            args: Vec::new(),
            env: Vec::new(),
            stdin: Stdin::Empty,
            stdout: Output::Discard,
            stderr: Output::Discard,
            dirs: Vec::new(),
            listeners: Vec::new(),
            descriptors_max: DESCRIPTORS_MAX,
        }
    }
}

/// The bytes up to a NUL, where a string of the guest would end anyway.
fn until_nul(text: &str) -> &[u8] {
    text.split('\0').next().unwrap_or("").as_bytes()
}

impl WasiCtxBuilder {
    /// A builder that grants nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an argument; the first one is the program's name.
    pub fn arg(&mut self, arg: impl AsRef<str>) -> &mut Self {
        self.args.push(until_nul(arg.as_ref()).to_vec());
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, args: impl IntoIterator<Item = impl AsRef<str>>) -> &mut Self {
        for arg in args {
            self.arg(arg);
        }
        self
    }

    /// Adds an environment variable.
    pub fn env(&mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> &mut Self {
        let mut pair = until_nul(name.as_ref()).to_vec();
        pair.push(b'=');
        pair.extend_from_slice(until_nul(value.as_ref()));
        self.env.push(pair);
        self
    }

    /// Adds environment variables.
    pub fn envs(
        &mut self,
        envs: impl IntoIterator<Item = (impl AsRef<str>, impl AsRef<str>)>,
    ) -> &mut Self {
        for (name, value) in envs {
            self.env(name, value);
        }
        self
    }

    /// Connects the three standard streams with those of the process.
    pub fn inherit_stdio(&mut self) -> &mut Self {
        self.inherit_stdin().inherit_stdout().inherit_stderr()
    }

    /// Connects standard input with that of the process.
    pub fn inherit_stdin(&mut self) -> &mut Self {
        self.stdin = Stdin::Host;
        self
    }

    /// Connects standard output with that of the process, each write passed on at once.
    pub fn inherit_stdout(&mut self) -> &mut Self {
        self.inherit_stdout_buffered(0)
    }

    /// Connects standard output with that of the process through a buffer.
    ///
    /// It is written when it is full, before the guest waits for anything or writes to standard
    /// error, at `proc_exit`, by [`WasiCtx::flush`] and when the context is dropped. An embedder
    /// that ends the process without dropping the context has to call `flush`.
    pub fn inherit_stdout_buffered(&mut self, buffer_size_bytes: usize) -> &mut Self {
        self.stdout = Output::Host {
            stream: HostStream::Stdout,
            buffer: Vec::with_capacity(buffer_size_bytes),
            buffer_size_bytes,
        };
        self
    }

    /// Connects standard error with that of the process.
    pub fn inherit_stderr(&mut self) -> &mut Self {
        self.stderr = Output::Host {
            stream: HostStream::Stderr,
            buffer: Vec::new(),
            buffer_size_bytes: 0,
        };
        self
    }

    /// Lets standard input be these bytes.
    pub fn stdin(&mut self, bytes: impl Into<Vec<u8>>) -> &mut Self {
        self.stdin = Stdin::Memory {
            bytes: bytes.into(),
            position: 0,
        };
        self
    }

    /// Collects standard output.
    pub fn stdout(&mut self, output: MemoryOutput) -> &mut Self {
        self.stdout = Output::Memory(output);
        self
    }

    /// Collects standard error.
    pub fn stderr(&mut self, output: MemoryOutput) -> &mut Self {
        self.stderr = Output::Memory(output);
        self
    }

    /// Gives the guest the directory at `host_path` under the name `guest_path`.
    ///
    /// # Errors
    /// If there is no such directory or it cannot be opened.
    pub fn preopened_dir(
        &mut self,
        host_path: impl AsRef<Path>,
        guest_path: impl AsRef<str>,
        dir_perms: DirPerms,
        file_perms: FilePerms,
    ) -> io::Result<&mut Self> {
        let dir = Dir::open_ambient_dir(host_path, ambient_authority())?;
        let name = until_nul(guest_path.as_ref());
        self.dirs.push(OpenDir {
            dir,
            permissions: Permissions {
                dir: dir_perms,
                file: file_perms,
            },
            preopened_as: Some(String::from_utf8_lossy(name).into_owned()),
            reader: None,
        });
        Ok(self)
    }

    /// Gives the guest a listening stream socket, of TCP or a local one.
    ///
    /// Listeners come after the directories in the table, because C libraries stop looking for
    /// directories at the first descriptor that is none.
    ///
    /// # Errors
    /// If the socket cannot be made non-blocking.
    pub fn preopened_listener(&mut self, listener: impl Into<OwnedFd>) -> io::Result<&mut Self> {
        let listener = listener.into();
        rustix::io::ioctl_fionbio(&listener, true)?;
        self.listeners.push(listener);
        Ok(self)
    }

    /// Limits how many descriptors the guest may have open, the preopened ones included.
    pub fn max_descriptors(&mut self, count: usize) -> &mut Self {
        self.descriptors_max = count;
        self
    }

    /// The context; the builder is as new afterwards.
    pub fn build(&mut self) -> WasiCtx {
        let granted = std::mem::take(self);
        let preopened = 3 + granted.dirs.len() + granted.listeners.len();
        let mut table = Table::new(granted.descriptors_max.max(preopened));
        let mut insert = |kind, rights, inheriting| {
            let descriptor = Descriptor {
                kind,
                rights,
                inheriting,
                flags: Fdflags::empty(),
            };
            table
                .insert(descriptor)
                .expect("the table has room for what is preopened");
        };
        let none = Rights::empty();
        let readable = Rights::STREAM | Rights::FD_READ;
        let writable = Rights::STREAM | Rights::FD_WRITE;
        insert(Kind::Stdin(granted.stdin), readable, none);
        insert(Kind::Output(granted.stdout), writable, none);
        insert(Kind::Output(granted.stderr), writable, none);
        for dir in granted.dirs {
            let inheriting = Rights::DIRECTORY | Rights::FILE;
            insert(Kind::Dir(dir), Rights::DIRECTORY, inheriting);
        }
        for listener in granted.listeners {
            let kind = Kind::Listener(listener);
            insert(kind, Rights::LISTENER, Rights::SOCKET);
        }
        WasiCtx {
            args: granted.args,
            env: granted.env,
            table,
            started: Instant::now(),
        }
    }
}
