//! Everything that talks to the operating system.

pub(crate) mod cpu;
pub(crate) mod fork;
pub(crate) mod mmap;
pub(crate) mod rlimit;
pub(crate) mod sealed;
pub(crate) mod stack;
