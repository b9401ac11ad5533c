//! How large a function's code and frame may become.
//!
//! A body is at most a few megabytes, but one operator may stand for thousands of moves: a call or
//! a branch with a thousand values. What such a body costs is bounded here, by errors.

use core::fmt;

/// The most code that a function may have, in bytes: with what follows the operators, traps and
/// constants, it stays within the reach of every branch (128 MiB on ARM64).
pub const MAX_CODE_BYTES: u32 = 64 << 20;

/// The most that a frame may take, in bytes: more than any native stack has, and little enough that
/// every slot has an offset of 32 bits.
pub const MAX_FRAME_BYTES: u32 = 64 << 20;

/// Why a valid function has no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompileError {
    /// Its code would exceed so many bytes.
    CodeTooLarge(u32),
    /// Its frame would exceed so many bytes.
    FrameTooLarge(u32),
    /// Somebody wanted compilation to end: [`Env::interrupt`](super::Env::interrupt).
    Interrupted,
    /// The optimizing compiler does not take it on: it has no words for what the function needs, or
    /// the function is beyond a limit of its own. The baseline compiler may make its code.
    Declined,
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CompileError::CodeTooLarge(bytes) => {
                write!(
                    f,
                    "its machine code would exceed the limit of {bytes} bytes"
                )
            }
            CompileError::FrameTooLarge(bytes) => {
                write!(f, "its stack frame would exceed the limit of {bytes} bytes")
            }
            CompileError::Interrupted => f.write_str("compilation was interrupted"),
            CompileError::Declined => f.write_str("the optimizing compiler does not take it on"),
        }
    }
}

impl core::error::Error for CompileError {}
