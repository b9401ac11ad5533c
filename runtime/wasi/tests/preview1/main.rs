//! WASI preview 1 against plain bytes as guest memory: every call, and every way out that was tried.
#![cfg(target_os = "linux")]

mod endings;
mod escapes;
mod files;
mod hostile;
mod listing;
mod paths;
mod polling;
mod process;
mod rights;
mod snapshot0;
mod sockets;
mod streams;
mod world;
