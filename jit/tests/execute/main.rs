//! Runs what the macro-assembler of this host emits and compares it with `zwasm_core::num`.
//!
//! Every operation is assembled once per combination of registers, so that every way in which a
//! destination and the sources may alias occurs, scratch registers included, and run on every
//! combination of edge values. A run loads all registers from a [`harness::State`] and stores them
//! back, and the checks compare all of them: an operation that overwrites a register it does not
//! own fails here, not in a program. Tests of the other instruction set need its hardware or an
//! emulator; the golden tests beside this cover the bytes of both on any host.

#![cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]

mod control;
mod float;
mod folded;
mod harness;
mod int;
mod lanes;
mod memory;
mod vector;
