//! Machine code from validated WebAssembly functions, for x86_64 and ARM64.
//!
//! What comes in is a validated function body and the decoded module around it; what goes out is
//! position-independent code with its side tables: bytes, trap sites, return addresses. Nothing
//! here maps memory, runs code or knows the runtime's types; every address that code needs comes
//! from the VM context, whose layout is `zwasm_core::vmctx`.
//!
//! Both instruction sets are always compiled, so that golden tests of either run on any host.

#![forbid(unsafe_code)]

pub mod abi;
pub mod baseline;
mod calls;
pub mod contract;
pub mod frame;
mod interruption;
pub mod isa;
pub mod masm;
pub mod moves;
pub mod opt;
mod runtime;
pub mod stubs;
mod truncate;

/// A number of this crate's sources. Machine code that was kept fits where it is the same.
pub const SOURCES: &str = env!("ZWASM_SOURCES");
