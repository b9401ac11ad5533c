//! Running one process and measuring it.
//!
//! In: an [`Invocation`]. Out: an [`Outcome`] with output, wall time, time of the first byte,
//! CPU time and peak memory. The [`Executor`] trait is the seam that lets the runner be tested
//! without processes.
//!
//! Processes are started by a small helper process (this same binary, `__launch`), one request per
//! line. Two reasons: the kernel counts the memory of the process that forks into the peak of the
//! child, so a large parent would be measured instead of a small engine; and the helper sees the end
//! of its input whenever `compare` dies, however it dies, and then kills what it started.

use crate::sys;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// Output beyond this is read and thrown away; the outcome says so.
const OUTPUT_MAX_BYTES: usize = 4 << 20;

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
    fn not_started(why: String) -> Outcome {
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
}

/// Runs processes through the helper.
pub(crate) struct Launcher {
    child: Child,
    replies: Receiver<String>,
}

impl Launcher {
    /// Starts the helper.
    pub(crate) fn start() -> Result<Launcher> {
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
        Ok(Launcher { child, replies })
    }
}

impl Executor for Launcher {
    fn run(&mut self, invocation: &Invocation) -> Result<Outcome> {
        if sys::interrupted() {
            return Err(Interrupted.into());
        }
        let mut request = serde_json::to_string(invocation)?;
        request.push('\n');
        let stdin = self.child.stdin.as_mut().context("the helper is gone")?;
        stdin
            .write_all(request.as_bytes())
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

impl Drop for Launcher {
    fn drop(&mut self) {
        // The end of its input makes the helper kill what runs and leave.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The helper process: requests on stdin, replies on stdout, until the input ends.
pub(crate) fn launcher_main() {
    let (send, events) = channel();
    let input = send.clone();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            let _ = input.send(Event::Request(line));
        }
        let _ = input.send(Event::InputClosed);
    });
    let mut stdout = std::io::stdout();
    while let Ok(event) = events.recv() {
        let line = match event {
            Event::Request(line) => line,
            Event::InputClosed => return,
            // What a killed group's pipes still deliver after its outcome was sent.
            _ => continue,
        };
        let outcome = match serde_json::from_str::<Invocation>(&line) {
            Ok(invocation) => measure(&invocation, &send, &events),
            Err(e) => Some(Outcome::not_started(format!("bad request: {e}"))),
        };
        let Some(outcome) = outcome else { return };
        let reply = serde_json::to_string(&outcome).unwrap_or_default();
        if writeln!(stdout, "{reply}")
            .and_then(|()| stdout.flush())
            .is_err()
        {
            return;
        }
    }
}

/// What can happen while a process runs.
enum Event {
    Request(String),
    InputClosed,
    /// The child with this pid was reaped at this instant.
    Ended(u32, Instant, std::io::Result<sys::Reaped>),
    /// An output (0 = stdout, 1 = stderr) of the child with this pid was closed.
    Output(u32, usize, Captured),
}

struct Captured {
    text: String,
    first_byte: Option<Instant>,
}

/// Runs one process; `None` when our own input ended meanwhile (the process was killed).
fn measure(
    invocation: &Invocation,
    send: &Sender<Event>,
    events: &Receiver<Event>,
) -> Option<Outcome> {
    let stdin = match invocation
        .stdin
        .as_ref()
        .map(|path| (path, File::open(path)))
    {
        None => Stdio::null(),
        Some((_, Ok(file))) => file.into(),
        Some((path, Err(e))) => {
            return Some(Outcome::not_started(format!("{}: {e}", path.display())));
        }
    };
    let mut command = Command::new(&invocation.program);
    command
        .args(&invocation.args)
        // Every process is a cold start; an option that says so would be unknown to older builds.
        .env("ZWASM_CACHE", "n")
        .envs(invocation.env.iter().map(|(k, v)| (k, v)))
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    if let Some(dir) = &invocation.dir {
        command.current_dir(dir);
    }
    let start = Instant::now();
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(e) => {
            let program = invocation.program.display();
            return Some(Outcome::not_started(format!("{program}: {e}")));
        }
    };
    let pid = child.id();
    let outputs: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|o| Box::new(o) as _),
        child.stderr.take().map(|o| Box::new(o) as _),
    ];
    for (which, output) in outputs.into_iter().enumerate() {
        let send = send.clone();
        std::thread::spawn(move || {
            let captured = output.map_or_else(
                || Captured {
                    text: String::new(),
                    first_byte: None,
                },
                capture,
            );
            let _ = send.send(Event::Output(pid, which, captured));
        });
    }
    let waiter = send.clone();
    std::thread::spawn(move || {
        let reaped = sys::wait(pid);
        let _ = waiter.send(Event::Ended(pid, Instant::now(), reaped));
    });

    let limit = start + Duration::from_millis(invocation.timeout_ms);
    let mut timed_out = false;
    let mut ended = None;
    let mut texts: [Option<Captured>; 2] = [None, None];
    // After the end, what the process left running is killed and its pipes close at once; only a
    // process that moved to another session could keep them open, and it is not waited for long.
    let mut grace = None;
    while ended.is_none() || texts.iter().any(Option::is_none) {
        let until = grace.unwrap_or(limit);
        match events.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Event::Ended(who, at, reaped)) if who == pid => {
                sys::kill_group(pid);
                ended = Some((at, reaped));
                grace = Some(Instant::now() + Duration::from_secs(1));
            }
            Ok(Event::Output(who, which, captured)) if who == pid => {
                texts[which] = Some(captured);
            }
            Ok(Event::InputClosed) => {
                if ended.is_none() {
                    sys::kill_group(pid);
                }
                return None;
            }
            Ok(_) => {}
            Err(_) if ended.is_some() => break,
            Err(_) => {
                timed_out = true;
                sys::kill_group(pid);
                grace = Some(Instant::now() + Duration::from_secs(5));
                if Instant::now() > limit + Duration::from_secs(30) {
                    break;
                }
            }
        }
    }
    let [out, err] = texts;
    let first_byte = out.as_ref().and_then(|o| o.first_byte);
    let mut outcome = Outcome::not_started("it vanished".to_owned());
    outcome.stdout = out.map(|o| o.text).unwrap_or_default();
    outcome.stderr = err.map(|e| e.text).unwrap_or_default();
    outcome.first_byte_ns = first_byte.map(|at| (at - start).as_nanos() as u64);
    if let Some((at, Ok(reaped))) = ended {
        outcome.wall_ns = (at - start).as_nanos() as u64;
        outcome.user_ns = reaped.user_ns;
        outcome.system_ns = reaped.system_ns;
        outcome.peak_rss_bytes = reaped.peak_rss_bytes;
        outcome.involuntary_switches = reaped.involuntary_switches;
        outcome.exit = match (reaped.code, reaped.signal) {
            (Some(code), _) => Exit::Code(code),
            (None, signal) => Exit::Signal(signal.unwrap_or(0)),
        };
    }
    if timed_out {
        outcome.exit = Exit::Timeout;
    }
    Some(outcome)
}

/// Reads an output to its end, keeping the first [`OUTPUT_MAX_BYTES`].
fn capture(mut output: Box<dyn Read + Send>) -> Captured {
    let mut bytes = Vec::new();
    let mut first_byte = None;
    let mut buffer = [0; 16 << 10];
    loop {
        match output.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                first_byte.get_or_insert_with(Instant::now);
                if bytes.len() < OUTPUT_MAX_BYTES {
                    bytes.extend_from_slice(&buffer[..n]);
                }
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    if bytes.len() >= OUTPUT_MAX_BYTES {
        bytes.extend_from_slice(b"\n(output cut here)\n");
    }
    Captured {
        text: String::from_utf8_lossy(&bytes).into_owned(),
        first_byte,
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
