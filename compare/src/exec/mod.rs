//! Running processes and measuring them.
//!
//! In: an [`Invocation`]. Out: an [`Outcome`] with output, wall time, time of the first byte,
//! CPU time and peak memory. Several processes that take steps in turn are a [`Duet`]. The [`Executor`]
//! trait is the seam that lets the runner be tested without processes.
//!
//! Processes are started by a small helper process (this same binary, `__launch`), one request per
//! line. Two reasons: the kernel counts the memory of the process that forks into the peak of the
//! child, so a large parent would be measured instead of a small engine; and the helper sees the end
//! of its input whenever `compare` dies, however it dies, and then kills what it started.

mod duet;
mod helper;

#[cfg(test)]
pub(crate) use duet::Played;
pub(crate) use duet::{Duet, DuetOutcome, Performer, ROUNDS_MIN};
pub(crate) use helper::launcher_main;

use crate::sys;
use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// The hidden subcommand of the helper process.
pub(crate) const LAUNCH: &str = "__launch";

/// One process to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Invocation {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    /// The file on its stdin; nothing without one.
    pub(crate) stdin: Option<PathBuf>,
    /// Where it works; else where this program does.
    pub(crate) dir: Option<PathBuf>,
    /// It is killed, with its group, after this long.
    pub(crate) timeout_ms: u64,
}

impl Invocation {
    pub(crate) fn new(program: impl Into<PathBuf>, args: Vec<String>) -> Invocation {
        Invocation {
            program: program.into(),
            args,
            env: Vec::new(),
            stdin: None,
            dir: None,
            timeout_ms: 60_000,
        }
    }

    pub(crate) fn timeout(mut self, limit: Duration) -> Invocation {
        self.timeout_ms = limit.as_millis() as u64;
        self
    }
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Exit {
    Code(i32),
    Signal(i32),
    /// Killed by us at its time limit.
    Timeout,
    /// Could not be started.
    NotStarted(String),
}

/// What a process did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) exit: Exit,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// Spawn to reaped.
    pub(crate) wall_ns: u64,
    /// Spawn to first byte on stdout.
    pub(crate) first_byte_ns: Option<u64>,
    pub(crate) user_ns: u64,
    pub(crate) system_ns: u64,
    pub(crate) peak_rss_bytes: u64,
    pub(crate) involuntary_switches: u64,
}

impl Outcome {
    pub(crate) fn not_started(why: String) -> Outcome {
        Outcome {
            exit: Exit::NotStarted(why),
            stdout: String::new(),
            stderr: String::new(),
            wall_ns: 0,
            first_byte_ns: None,
            user_ns: 0,
            system_ns: 0,
            peak_rss_bytes: 0,
            involuntary_switches: 0,
        }
    }
}

/// The user pressed Ctrl-C (or the process was asked to terminate).
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub(crate) struct Interrupted;

/// Whether an error only says that the user stopped the run.
pub(crate) fn is_interrupt(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Interrupted>().is_some()
}

/// Something that runs processes.
pub(crate) trait Executor {
    /// Runs to the end, or to the time limit.
    ///
    /// # Errors
    /// [`Interrupted`], or the machinery itself failed; a failing process is an `Ok` outcome.
    fn run(&mut self, invocation: &Invocation) -> Result<Outcome>;

    /// Has processes take steps in turn.
    ///
    /// # Errors
    /// The same; processes that fail are an `Ok` outcome that says so.
    fn perform(&mut self, duet: &Duet) -> Result<DuetOutcome>;
}

/// What the helper is asked for.
#[derive(Serialize, Deserialize)]
enum Request {
    Run(Invocation),
    Perform(Duet),
}

/// Runs processes through helpers.
pub(crate) struct Launcher {
    /// Of single processes.
    single: Helper,
    /// Of duets, from the first one on: what it reads and keeps makes it larger, and the memory of single
    /// processes is measured.
    duets: Option<Helper>,
}

impl Launcher {
    /// Starts the helper.
    pub(crate) fn start() -> Result<Launcher> {
        Ok(Launcher {
            single: Helper::start()?,
            duets: None,
        })
    }
}

/// A helper process, as seen from here.
struct Helper {
    child: Child,
    replies: Receiver<String>,
}

impl Helper {
    fn start() -> Result<Helper> {
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let mut child = Command::new(program)
            .arg(LAUNCH)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Of its own group, so that Ctrl-C in a terminal reaches only `compare`.
            .process_group(0)
            .spawn()
            .context("cannot start the helper process")?;
        let stdout = child.stdout.take().context("the helper has no output")?;
        let (send, replies) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Helper { child, replies })
    }

    /// Sends a request and waits for its reply.
    fn ask<Reply: DeserializeOwned>(&mut self, request: &Request) -> Result<Reply> {
        if sys::interrupted() {
            return Err(Interrupted.into());
        }
        let mut line = serde_json::to_string(request)?;
        line.push('\n');
        let stdin = self.child.stdin.as_mut().context("the helper is gone")?;
        stdin
            .write_all(line.as_bytes())
            .context("the helper process ended unexpectedly")?;
        loop {
            match self.replies.recv_timeout(Duration::from_millis(50)) {
                Ok(line) => return Ok(serde_json::from_str(&line)?),
                Err(RecvTimeoutError::Timeout) if sys::interrupted() => {
                    return Err(Interrupted.into());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("the helper process ended unexpectedly")
                }
            }
        }
    }
}

impl Executor for Launcher {
    fn run(&mut self, invocation: &Invocation) -> Result<Outcome> {
        self.single.ask(&Request::Run(invocation.clone()))
    }

    fn perform(&mut self, duet: &Duet) -> Result<DuetOutcome> {
        let helper = match &mut self.duets {
            Some(helper) => helper,
            none => none.insert(Helper::start()?),
        };
        helper.ask(&Request::Perform(duet.clone()))
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // The end of its input makes the helper kill what runs and leave.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The first line that a `--version`-like command wrote.
pub(crate) fn first_line(outcome: &Outcome) -> String {
    let text = if outcome.stdout.trim().is_empty() {
        &outcome.stderr
    } else {
        &outcome.stdout
    };
    text.trim()
        .lines()
        .next()
        .unwrap_or_default()
        .trim()
        .to_owned()
}
