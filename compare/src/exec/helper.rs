//! The helper process, and how it runs one process.

use super::{DuetOutcome, Exit, Invocation, Outcome, Request, duet};
use crate::sys;
use serde::Serialize;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Output beyond this is read and thrown away; the outcome says so.
const OUTPUT_MAX_BYTES: usize = 4 << 20;

impl Outcome {
    /// Takes up how the process ended and what it used.
    pub(super) fn note_end(&mut self, reaped: &sys::Reaped) {
        self.user_ns = reaped.user_ns;
        self.system_ns = reaped.system_ns;
        self.peak_rss_bytes = reaped.peak_rss_bytes;
        self.involuntary_switches = reaped.involuntary_switches;
        self.exit = match (reaped.code, reaped.signal) {
            (Some(code), _) => Exit::Code(code),
            (None, signal) => Exit::Signal(signal.unwrap_or(0)),
        };
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
        // A request that cannot be read was not written by this program.
        let Ok(request) = serde_json::from_str::<Request>(&line) else {
            return;
        };
        let reply = match request {
            Request::Run(invocation) => reply(measure(&invocation, &send, &events)),
            Request::Perform(duet) => reply(duet::perform(duet, &send, &events)),
        };
        let Some(reply) = reply else { return };
        if writeln!(stdout, "{reply}")
            .and_then(|()| stdout.flush())
            .is_err()
        {
            return;
        }
    }
}

/// A reply as a line; `None` for none.
fn reply(outcome: Option<impl Serialize>) -> Option<String> {
    serde_json::to_string(&outcome?).ok()
}

/// What can happen while a process runs.
pub(super) enum Event {
    Request(String),
    InputClosed,
    /// The child with this pid was reaped at this instant.
    Ended(u32, Instant, std::io::Result<sys::Reaped>),
    /// An output (0 = stdout, 1 = stderr) of the child with this pid was closed.
    Output(u32, usize, Captured),
    /// A duet is over.
    Performed(DuetOutcome),
}

/// What was read of an output.
#[derive(Default)]
pub(super) struct Captured {
    pub(super) text: String,
    pub(super) first_byte: Option<Instant>,
}

/// The command of an invocation, in a group of its own, without its input.
pub(super) fn command(invocation: &Invocation) -> Command {
    let mut command = Command::new(&invocation.program);
    command
        .args(&invocation.args)
        // Every process is a cold start; an option that says so would be unknown to older builds.
        .env("ZWASM_CACHE", "n")
        .envs(invocation.env.iter().map(|(k, v)| (k, v)))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    if let Some(dir) = &invocation.dir {
        command.current_dir(dir);
    }
    command
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
    let mut command = command(invocation);
    command.stdin(stdin);
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
            let captured = output.map_or_else(Captured::default, capture);
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
        outcome.note_end(&reaped);
    }
    if timed_out {
        outcome.exit = Exit::Timeout;
    }
    Some(outcome)
}

/// Reads an output to its end, keeping the first [`OUTPUT_MAX_BYTES`].
pub(super) fn capture(mut output: impl Read) -> Captured {
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
