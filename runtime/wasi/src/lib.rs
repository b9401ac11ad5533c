//! WASI preview 1 for zwasm over a capability-based file-system library.
