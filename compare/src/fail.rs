//! What can go wrong: errors that are meant for the user, and measurements that cannot be had.

use anyhow::Error;
use std::fmt;
use zwasm_reports::schema::CellStatus;

/// A one-line message with its exit code.
#[derive(Debug)]
pub(crate) struct Fail {
    /// 2 for usage, 1 for everything else.
    pub(crate) code: u8,
    message: String,
}

impl Fail {
    /// The command line asks for something that does not exist.
    pub(crate) fn usage(message: impl Into<String>) -> Error {
        Fail {
            code: 2,
            message: message.into(),
        }
        .into()
    }

    /// Something outside went wrong.
    pub(crate) fn error(message: impl Into<String>) -> Error {
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

/// What was measured, or why it was not. `Why` is what is said of the gap: for a cell of the results
/// its status, for a row of a table a reason in words.
pub(crate) type Measured<T, Why = CellStatus> = Result<T, Unmeasured<Why>>;

/// Why something was not measured.
#[derive(Debug)]
pub(crate) enum Unmeasured<Why> {
    /// It cannot be; everything else goes on.
    Skip(Why),
    /// The run ends: it was interrupted, or the machinery failed.
    Abort(Error),
}

impl<Why> From<Error> for Unmeasured<Why> {
    fn from(error: Error) -> Self {
        Unmeasured::Abort(error)
    }
}

impl<Why> From<std::io::Error> for Unmeasured<Why> {
    fn from(error: std::io::Error) -> Self {
        Unmeasured::Abort(error.into())
    }
}

impl From<CellStatus> for Unmeasured<CellStatus> {
    fn from(status: CellStatus) -> Self {
        Unmeasured::Skip(status)
    }
}

impl From<CellStatus> for Unmeasured<String> {
    fn from(status: CellStatus) -> Self {
        Unmeasured::Skip(format!("{}: {}", status.word(), status.reason()))
    }
}

/// What is done with something that may not have been measured.
pub(crate) trait OrSkip<T, Why> {
    /// What was measured; or nothing, after `record` has noted why.
    ///
    /// # Errors
    /// The run ends.
    fn or_skip(self, record: impl FnOnce(Why)) -> anyhow::Result<Option<T>>;

    /// The same, with other words for why it is skipped.
    fn skip_because<Other>(self, explain: impl FnOnce(Why) -> Other) -> Measured<T, Other>;
}

impl<T, Why> OrSkip<T, Why> for Measured<T, Why> {
    fn or_skip(self, record: impl FnOnce(Why)) -> anyhow::Result<Option<T>> {
        match self {
            Ok(measured) => Ok(Some(measured)),
            Err(Unmeasured::Skip(why)) => {
                record(why);
                Ok(None)
            }
            Err(Unmeasured::Abort(error)) => Err(error),
        }
    }

    fn skip_because<Other>(self, explain: impl FnOnce(Why) -> Other) -> Measured<T, Other> {
        self.map_err(|unmeasured| match unmeasured {
            Unmeasured::Skip(why) => Unmeasured::Skip(explain(why)),
            Unmeasured::Abort(error) => Unmeasured::Abort(error),
        })
    }
}

/// Skips a row for this reason.
pub(crate) fn skip<T>(why: impl Into<String>) -> Measured<T, String> {
    Err(Unmeasured::Skip(why.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_is_recorded_and_an_abort_is_not() {
        let mut noted = Vec::new();
        let mut take = |measured: Measured<u32, String>| measured.or_skip(|why| noted.push(why));
        assert_eq!(take(Ok(7)).unwrap(), Some(7));
        assert_eq!(take(skip("too small")).unwrap(), None);
        assert!(take(Err(Fail::error("stopped").into())).is_err());
        assert_eq!(noted, ["too small"]);
    }

    #[test]
    fn a_status_becomes_words_where_words_are_wanted() {
        fn row() -> Measured<(), String> {
            Err(CellStatus::Crash("signal 11".to_owned()))?;
            Ok(())
        }
        let mut said = String::new();
        let explained = row().skip_because(|why| format!("the peer: {why}"));
        explained.or_skip(|why| said = why).unwrap();
        assert_eq!(said, "the peer: crash: signal 11");
    }
}
