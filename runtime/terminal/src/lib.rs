//! How commands read their arguments and write their output: standard output, standard error, help
//! texts and the last word at the end.
//!
//! The rules, for every command of this repository:
//! - A reader that has seen enough (`zwasm inspect app.wasm | head -1`) is no failure: a command whose
//!   standard output is a closed pipe stops quietly, with exit code 0, as well-behaved commands do.
//! - Output that cannot be written for another reason, such as a full disk, is an error: one line on
//!   standard error and exit code 1.
//! - What cannot be told on standard error is not told; the exit code says it all the same.
//! - Nothing is written that a terminal would obey: see [`Printable`].
//!
//! `print!` and its relatives panic where these rules want something else, which is why a lint
//! refuses them in the commands.

#![forbid(unsafe_code)]
#![deny(clippy::print_stdout, clippy::print_stderr)]

use anyhow::Context;
use clap::Parser;
use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use zwasm_core::Printable;

/// Standard output could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output: {0}")]
pub struct OutputError(io::Error);

impl OutputError {
    fn is_closed(&self) -> bool {
        self.0.kind() == ErrorKind::BrokenPipe
    }
}

/// Writes lines to standard output, all of them before it returns.
///
/// # Errors
/// When they cannot be written; [`end`] knows what that means for the command.
pub fn print(text: &str) -> Result<(), OutputError> {
    write(&mut io::stdout().lock(), &Printable::text(text).to_string()).map_err(OutputError)
}

/// As [`print()`], for a document of JSON: an escape in it has to be one of JSON.
///
/// # Errors
/// As [`print()`].
pub fn print_json(text: &str) -> Result<(), OutputError> {
    write(&mut io::stdout().lock(), &Printable::json(text).to_string()).map_err(OutputError)
}

/// Writes lines to standard error that were asked for, so that it is a failure if they get lost. That
/// nobody reads them is none.
///
/// # Errors
/// When they cannot be written.
pub fn report(text: &str) -> anyhow::Result<()> {
    asked_for(&Printable::text(text).to_string())
}

/// As [`report`], for a document of JSON.
///
/// # Errors
/// As [`report`].
pub fn report_json(text: &str) -> anyhow::Result<()> {
    asked_for(&Printable::json(text).to_string())
}

fn asked_for(text: &str) -> anyhow::Result<()> {
    match write(&mut io::stderr().lock(), text) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to standard error"),
    }
}

/// Writes a line to standard error: a message, which is lost if it cannot be written.
pub fn say(line: &str) {
    let _ = write(
        &mut io::stderr().lock(),
        &format!("{}\n", Printable::text(line)),
    );
}

/// Writes everything.
fn write(stream: &mut impl Write, text: &str) -> io::Result<()> {
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        match patiently(|| stream.write(rest))? {
            0 => return Err(ErrorKind::WriteZero.into()),
            count => rest = &rest[count..],
        }
    }
    patiently(|| stream.flush())
}

/// Waits for room if whoever shares the stream made it non-blocking.
fn patiently<R>(mut operation: impl FnMut() -> io::Result<R>) -> io::Result<R> {
    loop {
        match operation() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                std::thread::sleep(Duration::from_millis(1));
            }
            result => return result,
        }
    }
}

/// Reads the arguments, the command's name among them.
///
/// # Errors
/// With the exit code when there is nothing more to do: 0 after a help text, 2 after wrong usage,
/// both of which have been printed, 1 when the help text could not be.
pub fn parse<C: Parser>(args: impl IntoIterator<Item = OsString>) -> Result<C, ExitCode> {
    let args: Vec<OsString> = args.into_iter().collect();
    C::try_parse_from(&args).map_err(|error| {
        if error.use_stderr() {
            // What was wrong is quoted, and may hold anything: so it is said about the arguments as
            // they can be shown, if it is still wrong then, and without colours.
            let shown = args.iter().map(|arg| path(Path::new(arg)));
            let error = C::try_parse_from(shown).err().unwrap_or(error);
            say(error.render().to_string().trim_end());
            return ExitCode::from(2);
        }
        let printed = error
            .print()
            .and_then(|()| io::stdout().flush())
            .map_err(|error| OutputError(error).into());
        end(printed.map(|()| ExitCode::SUCCESS))
    })
}

/// The exit code of a command, after saying what went wrong.
#[must_use]
pub fn end(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    match outcome {
        Ok(code) => code,
        Err(error) if nobody_reads(&error) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Whether a command stopped because its standard output is a closed pipe.
#[must_use]
pub fn nobody_reads(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<OutputError>()
        .is_some_and(OutputError::is_closed)
}

/// Nothing in place of a closed pipe, for a command that goes on because its exit code is an answer
/// too.
///
/// # Errors
/// All others.
pub fn unless_closed(result: Result<(), OutputError>) -> Result<(), OutputError> {
    match result {
        Err(error) if error.is_closed() => Ok(()),
        result => result,
    }
}

/// A path as part of a message, where an empty one is seen too.
#[must_use]
pub fn path(path: &Path) -> String {
    if path.as_os_str().is_empty() {
        return "''".to_owned();
    }
    Printable::name(&path.to_string_lossy()).to_string()
}
