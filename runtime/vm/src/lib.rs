//! A WebAssembly runtime: engine, module, store, linker and the interpreter tier.
