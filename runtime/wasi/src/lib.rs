//! WASI preview 1 for zwasm over a capability-based file-system library.
//!
//! A guest gets what its [`WasiCtx`] grants and nothing else. The calls of the interface are methods
//! of the context on a [`GuestMemory`], a checked view on plain bytes, so they work and are tested
//! without an engine; `linker.rs` is the only file that knows one.
//!
//! | file | calls |
//! |---|---|
//! | `process.rs` | arguments, environment, exit, signals, yielding |
//! | `clock.rs`, `random.rs` | clocks; random bytes |
//! | `file.rs` | reading, writing, seeking, flags and rights of descriptors |
//! | `metadata.rs` | status and times |
//! | `path.rs`, `readdir.rs` | everything with a path; listing |
//! | `poll.rs`, `sock.rs` | waiting; stream sockets |
//! | `snapshot0.rs` | what `wasi_unstable`, the snapshot before, does differently |
//!
//! Invariant: a number from the guest is checked before it is used, and no call panics, allocates
//! without a bound or waits without asking whether to stop. The exceptions to the last are writing
//! to the standard output of the process and reading and writing regular files, which wait for the
//! host as long as the host takes.
//!
//! Hosts: Unix; `host/` holds what Linux has and others lack.
//!
//! Deliberately absent: Windows.
#![forbid(unsafe_code)]
#![cfg(unix)]

mod clock;
mod ctx;
mod errno;
mod file;
mod guest;
mod host;
mod linker;
mod metadata;
mod path;
mod poll;
mod process;
mod random;
mod readdir;
mod snapshot0;
mod sock;
mod stdio;
mod table;
mod types;
mod wait;

pub use ctx::{WasiCtx, WasiCtxBuilder};
pub use errno::Errno;
pub use guest::GuestMemory;
pub use linker::add_to_linker;
pub use process::I32Exit;
pub use snapshot0::Snapshot0;
pub use stdio::MemoryOutput;
pub use types::{
    DirPerms, Fdflags, FilePerms, Filetype, Fstflags, Lookupflags, Oflags, Riflags, Rights, Sdflags,
};
