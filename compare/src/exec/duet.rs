//! Processes that are alive together and take steps in turn.
//!
//! Each process waits for a byte on its stdin, does as much as the byte says, and writes a line; that is
//! all that is known of it here. So nobody runs beside the one that works, and what the machine's clock
//! does in a round, it does to all of them. A round goes through them in a random order and back, on one
//! processor, which chance chooses.

use super::helper::{Captured, Event, capture, command};
use super::{Exit, Invocation, Outcome};
use crate::sys;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use zwasm_reports::schema::Pace;
use zwasm_reports::stats::Rng;

/// Fewest rounds, however long they take.
pub(crate) const ROUNDS_MIN: u32 = 3;
/// Fewest steps before the first round.
const WARM_UP_STEPS_MIN: u32 = 3;
/// A line that is longer is none of the protocol.
const LINE_MAX_BYTES: u64 = 1 << 10;

/// Processes to take steps in turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Duet {
    pub(crate) performers: Vec<Performer>,
    pub(crate) pace: Pace,
    /// Of the orders of the rounds.
    pub(crate) seed: u64,
    /// All are killed after this long.
    pub(crate) timeout_ms: u64,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Performer {
    pub(crate) invocation: Invocation,
    /// It takes steps for this long before the first round.
    pub(crate) warm_up_ns: u64,
}

/// What they did. The lines are in the outcomes: first those of the warm-up, then two per round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DuetOutcome {
    /// As many as there are performers, unless one of them failed.
    pub(crate) played: Vec<Played>,
    pub(crate) rounds: u32,
    /// The one that failed, which is among those above; they all ended then.
    pub(crate) failed: Option<usize>,
}

/// What one of them did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Played {
    pub(crate) outcome: Outcome,
    /// Lines of the warm-up.
    pub(crate) warm_up: u32,
    /// The byte of each step after it.
    pub(crate) kernels: u8,
}

/// Performs; `None` when our own input ended meanwhile (the processes were killed).
pub(super) fn perform(
    duet: Duet,
    send: &Sender<Event>,
    events: &Receiver<Event>,
) -> Option<DuetOutcome> {
    let limit = Instant::now() + Duration::from_millis(duet.timeout_ms);
    let alive = Alive::default();
    let (theirs, send) = (alive.clone(), send.clone());
    std::thread::spawn(move || {
        let outcome = conduct(&duet, &theirs);
        let _ = send.send(Event::Performed(outcome));
    });
    let mut timed_out = false;
    loop {
        // Once all are killed, every read ends.
        let left = if timed_out {
            Duration::from_secs(60)
        } else {
            limit.saturating_duration_since(Instant::now())
        };
        match events.recv_timeout(left) {
            Ok(Event::Performed(mut outcome)) => {
                if let Some(failed) = outcome.failed.filter(|_| timed_out) {
                    outcome.played[failed].outcome.exit = Exit::Timeout;
                }
                return Some(outcome);
            }
            Ok(Event::InputClosed) => {
                alive.kill();
                return None;
            }
            Ok(_) => {}
            Err(_) if timed_out => return None,
            Err(_) => {
                timed_out = true;
                alive.kill();
            }
        }
    }
}

/// The processes that can be killed, by their groups.
#[derive(Clone, Default)]
struct Alive(Arc<Mutex<(Vec<u32>, bool)>>);

impl Alive {
    /// Takes up a process; kills it at once where all were killed before.
    fn add(&self, pid: u32) {
        let mut alive = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if alive.1 {
            sys::kill_group(pid);
        }
        alive.0.push(pid);
    }

    fn remove(&self, pid: u32) {
        let mut alive = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        alive.0.retain(|&p| p != pid);
    }

    /// Kills all that there are and will be.
    fn kill(&self) {
        let mut alive = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        alive.1 = true;
        for &pid in &alive.0 {
            sys::kill_group(pid);
        }
    }
}

/// Starts, warms up, goes round, ends.
fn conduct(duet: &Duet, alive: &Alive) -> DuetOutcome {
    let mut players: Vec<Player> = Vec::new();
    let mut not_started = None;
    let mut rounds = 0;
    let mut failed = None;
    for (place, performer) in duet.performers.iter().enumerate() {
        let ready = match Player::start(&performer.invocation, alive) {
            Ok(mut player) => {
                let warm = player.warm_up(duet.pace.step_ns, performer.warm_up_ns);
                players.push(player);
                warm.is_ok()
            }
            Err(error) => {
                let program = performer.invocation.program.display();
                not_started = Some(Played {
                    outcome: Outcome::not_started(format!("{program}: {error}")),
                    warm_up: 0,
                    kernels: 0,
                });
                false
            }
        };
        if !ready {
            failed = Some(place);
            break;
        }
    }
    if failed.is_none() {
        (rounds, failed) = go_round(duet, &mut players);
    }
    let ended = players.into_iter().map(|player| player.end(alive));
    DuetOutcome {
        played: ended.chain(not_started).collect(),
        rounds,
        failed,
    }
}

/// The rounds: how many there were, and who failed.
fn go_round(duet: &Duet, players: &mut [Player]) -> (u32, Option<usize>) {
    let mut rng = Rng::new(duet.seed);
    // Processors differ (caches, neighbours), and a process that moves has to warm up again. Only now: what
    // the warm-up has other threads do may use all of them.
    let processors = sys::processors();
    if !processors.is_empty() {
        let processor = processors[rng.below(processors.len())];
        for player in &*players {
            sys::keep_on(player.child.id(), processor);
        }
    }
    let mut order: Vec<usize> = (0..players.len()).collect();
    let limit = Duration::from_nanos(duet.pace.limit_ns);
    let begun = Instant::now();
    for round in 0..duet.pace.rounds.max(ROUNDS_MIN) {
        if round >= ROUNDS_MIN && begun.elapsed() > limit {
            return (round, None);
        }
        rng.shuffle(&mut order);
        for &place in order.iter().chain(order.iter().rev()) {
            if players[place].step().is_err() {
                return (round, Some(place));
            }
        }
    }
    (duet.pace.rounds.max(ROUNDS_MIN), None)
}

/// A process that takes steps.
struct Player {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    stderr: JoinHandle<Captured>,
    start: Instant,
    first_byte_ns: Option<u64>,
    text: String,
    warm_up: u32,
    kernels: u8,
}

impl Player {
    fn start(invocation: &Invocation, alive: &Alive) -> io::Result<Player> {
        let start = Instant::now();
        let mut child = command(invocation).stdin(Stdio::piped()).spawn()?;
        alive.add(child.id());
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(io::Error::other("it has no pipes"));
        };
        Ok(Player {
            child,
            stdin,
            stdout: BufReader::new(stdout),
            stderr: std::thread::spawn(move || capture(stderr)),
            start,
            first_byte_ns: None,
            text: String::new(),
            warm_up: 0,
            kernels: 1,
        })
    }

    /// A byte in, a line out; how long that took.
    fn step(&mut self) -> io::Result<Duration> {
        let begun = Instant::now();
        self.stdin.write_all(&[self.kernels])?;
        let read = (&mut self.stdout)
            .take(LINE_MAX_BYTES)
            .read_line(&mut self.text)?;
        if read == 0 || !self.text.ends_with('\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let since_start = self.start.elapsed().as_nanos() as u64;
        self.first_byte_ns.get_or_insert(since_start);
        Ok(begun.elapsed())
    }

    /// Steps for at least so long, in which the number of kernels grows until a step is long enough.
    fn warm_up(&mut self, step_ns: u64, warm_up_ns: u64) -> io::Result<()> {
        let (step, warm_up) = (
            Duration::from_nanos(step_ns),
            Duration::from_nanos(warm_up_ns),
        );
        let mut spent = Duration::ZERO;
        loop {
            let took = self.step()?;
            spent += took;
            self.warm_up += 1;
            let kernel = took.as_secs_f64() / f64::from(self.kernels);
            let wanted = (step.as_secs_f64() / kernel).ceil().clamp(1.0, 255.0) as u8;
            // Early steps are slower than later ones: the number is approached from below.
            let before = self.kernels;
            self.kernels = wanted.min(before.saturating_mul(2));
            let has_settled = self.kernels <= before;
            if has_settled && self.warm_up >= WARM_UP_STEPS_MIN && spent >= warm_up {
                return Ok(());
            }
        }
    }

    /// Ends its input, and waits for its end.
    fn end(self, alive: &Alive) -> Played {
        let Player {
            child,
            stdin,
            mut stdout,
            stderr,
            mut text,
            ..
        } = self;
        drop(stdin);
        let pid = child.id();
        // What it still says; a line too many is seen by who counts them.
        let mut rest = Vec::new();
        let _ = (&mut stdout).take(LINE_MAX_BYTES).read_to_end(&mut rest);
        text.push_str(&String::from_utf8_lossy(&rest));
        drop(stdout);
        let reaped = sys::wait(pid);
        sys::kill_group(pid);
        alive.remove(pid);
        let mut outcome = Outcome::not_started("it vanished".to_owned());
        outcome.wall_ns = self.start.elapsed().as_nanos() as u64;
        if let Ok(reaped) = reaped {
            outcome.note_end(&reaped);
        }
        outcome.stdout = text;
        outcome.stderr = stderr.join().unwrap_or_default().text;
        outcome.first_byte_ns = self.first_byte_ns;
        Played {
            outcome,
            warm_up: self.warm_up,
            kernels: self.kernels,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    /// Takes a step per byte; `more` is what else it does after step `$i`.
    fn stepper(more: &str) -> Invocation {
        let script = format!(
            "i=0; while [ -n \"$(dd bs=1 count=1 2>/dev/null | od -An -tu1)\" ]; do \
             echo \"iter $i 1000 0123\"; {more}; i=$((i+1)); done"
        );
        Invocation::new("/bin/sh", vec!["-c".to_owned(), script])
    }

    fn played(invocations: Vec<Invocation>, timeout_ms: u64) -> DuetOutcome {
        let performer = |invocation| Performer {
            invocation,
            warm_up_ns: 1,
        };
        let duet = Duet {
            performers: invocations.into_iter().map(performer).collect(),
            pace: Pace {
                step_ns: 1,
                warm_up_ns: 1,
                rounds: 4,
                limit_ns: u64::MAX,
            },
            seed: 7,
            timeout_ms,
        };
        let (send, events) = channel();
        perform(duet, &send, &events).unwrap()
    }

    #[test]
    fn every_process_takes_two_steps_per_round() {
        let outcome = played(vec![stepper(":"), stepper(":")], 60_000);
        assert_eq!((outcome.rounds, outcome.failed), (4, None));
        for played in outcome.played {
            assert_eq!(played.outcome.exit, Exit::Code(0));
            assert_eq!((played.warm_up, played.kernels), (WARM_UP_STEPS_MIN, 1));
            let lines = played.outcome.stdout.lines();
            assert!(lines.clone().all(|line| line.starts_with("iter ")));
            assert_eq!(lines.count() as u32, played.warm_up + 2 * 4);
            assert!(played.outcome.first_byte_ns.unwrap() <= played.outcome.wall_ns);
        }
    }

    #[test]
    fn who_fails_is_known_and_nobody_is_left() {
        let ends = stepper("[ $i -lt 5 ] || exit 3");
        let outcome = played(vec![stepper(":"), ends], 60_000);
        assert_eq!((outcome.failed, outcome.played.len()), (Some(1), 2));
        let exits: Vec<&Exit> = outcome.played.iter().map(|p| &p.outcome.exit).collect();
        assert_eq!(exits, [&Exit::Code(0), &Exit::Code(3)]);

        let missing = Invocation::new("/no/such/program", Vec::new());
        let outcome = played(vec![stepper(":"), missing, stepper(":")], 60_000);
        assert_eq!((outcome.failed, outcome.played.len()), (Some(1), 2));
        let exit = &outcome.played[1].outcome.exit;
        assert!(matches!(exit, Exit::NotStarted(_)), "{exit:?}");
    }

    #[test]
    fn a_process_that_hangs_is_killed_with_the_others() {
        let hangs = stepper("[ $i -lt 5 ] || sleep 1000");
        let begun = Instant::now();
        let outcome = played(vec![hangs, stepper(":")], 2_000);
        assert_eq!(outcome.failed, Some(0));
        assert_eq!(outcome.played[0].outcome.exit, Exit::Timeout);
        assert!(begun.elapsed() < Duration::from_secs(500));
    }
}
