//! Errors that are meant for the user: one line, and the exit code that goes with it.

use std::fmt;

/// A one-line message with its exit code.
#[derive(Debug)]
pub(crate) struct Fail {
    /// 2 for usage, 1 for everything else.
    pub(crate) code: u8,
    message: String,
}

impl Fail {
    /// The command line asks for something that does not exist.
    pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
        Fail {
            code: 2,
            message: message.into(),
        }
        .into()
    }

    /// Something outside went wrong.
    pub(crate) fn error(message: impl Into<String>) -> anyhow::Error {
        Fail {
            code: 1,
            message: message.into(),
        }
        .into()
    }
}

impl fmt::Display for Fail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fail {}
