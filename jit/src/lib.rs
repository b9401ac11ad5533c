//! Machine code for x86_64 and ARM64 from validated WebAssembly functions.
