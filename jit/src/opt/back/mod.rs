//! From the intermediate form to code: legalisation, instruction selection, register allocation, the
//! order of blocks, emission.
//!
//! From selection on, a function is a [`select::Selected`].

pub(crate) mod alloc;
pub(crate) mod emit;
mod layout;
pub(crate) mod legalise;
mod moves;
pub(crate) mod observer;
pub(crate) mod select;
mod unlikely;
