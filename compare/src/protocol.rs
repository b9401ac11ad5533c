//! The bench protocol of workloads, as seen from outside, and what counts as right output.
//!
//! `bench N` prints `iter <i> <ns> <checksum>` N times; `bench step` prints such a line for each byte of
//! its input, after as many kernels as the byte says, whose time together it is. Anything else in the output, another count
//! or another checksum is a wrong output: a run that is not right is not a sample.

use crate::exec::{Exit, Outcome};
use crate::fail::Measured;
use zwasm_reports::schema::CellStatus;
use zwasm_workloads::Size;

/// Guest arguments of `bench N` at a size.
pub(crate) fn bench_args(iterations: u32, size: &Size) -> Vec<String> {
    let mut args = vec!["bench".to_owned(), iterations.to_string()];
    args.extend(size.args.iter().cloned());
    args
}

/// Guest arguments of `bench step` at a size.
pub(crate) fn step_args(size: &Size) -> Vec<String> {
    let mut args = vec!["bench".to_owned(), "step".to_owned()];
    args.extend(size.args.iter().cloned());
    args
}

/// N of [`per_iteration`]: runs of one and two iterations would let first-use work in.
pub(crate) const COUNTED_ITERATIONS: u32 = 2;

/// What is counted per iteration, without start-up: `count` of a process with 2N iterations less that of
/// one with N, over N.
pub(crate) fn per_iteration(
    mut count: impl FnMut(u32) -> Measured<f64, String>,
) -> Measured<f64, String> {
    let short = count(COUNTED_ITERATIONS)?;
    let long = count(2 * COUNTED_ITERATIONS)?;
    Ok((long - short) / f64::from(COUNTED_ITERATIONS))
}

/// Checks a `bench N` run and gives its iterations in nanoseconds.
///
/// # Errors
/// The cell status that the failure deserves.
pub(crate) fn check_bench(
    outcome: &Outcome,
    iterations: u32,
    size: &Size,
) -> Result<Vec<u64>, CellStatus> {
    check_exit(outcome)?;
    let times = check_lines(&outcome.stdout, size)?;
    if times.len() != iterations as usize {
        return Err(CellStatus::WrongOutput(format!(
            "{} iterations, expected {iterations}",
            times.len()
        )));
    }
    Ok(times)
}

/// Checks the lines of iterations or steps and gives their nanoseconds.
///
/// # Errors
/// [`CellStatus::WrongOutput`].
pub(crate) fn check_lines(stdout: &str, size: &Size) -> Result<Vec<u64>, CellStatus> {
    let wrong = |why: String| CellStatus::WrongOutput(why);
    let mut times = Vec::new();
    for line in stdout.lines() {
        let mut words = line.split_ascii_whitespace();
        let mut next = || words.next().unwrap_or_default();
        let (tag, index, ns, checksum) = (next(), next(), next(), next());
        let (Ok(index), Ok(ns)) = (index.parse::<usize>(), ns.parse::<u64>()) else {
            return Err(wrong(format!("not an iteration: {}", excerpt(line))));
        };
        if tag != "iter" || index != times.len() {
            return Err(wrong(format!("not an iteration: {}", excerpt(line))));
        }
        if checksum != size.checksum {
            return Err(wrong(format!(
                "iteration {index}: checksum {}, expected {}",
                excerpt(checksum),
                excerpt(&size.checksum)
            )));
        }
        times.push(ns);
    }
    Ok(times)
}

/// Checks a plain run against the manifest.
///
/// # Errors
/// The cell status that the failure deserves.
pub(crate) fn check_plain(outcome: &Outcome, size: &Size) -> Result<(), CellStatus> {
    check_exit(outcome)?;
    if outcome.stdout == size.expected {
        return Ok(());
    }
    let mut expected = size.expected.lines();
    for (i, line) in outcome.stdout.lines().enumerate() {
        let want = expected.next().unwrap_or_default();
        if line != want {
            return Err(CellStatus::WrongOutput(format!(
                "line {}: {}, expected {}",
                i + 1,
                excerpt(line),
                excerpt(want)
            )));
        }
    }
    Err(CellStatus::WrongOutput(format!(
        "{} bytes, expected {}",
        outcome.stdout.len(),
        size.expected.len()
    )))
}

/// Checks only how a run ended.
///
/// # Errors
/// The cell status that the failure deserves.
pub(crate) fn check_exit(outcome: &Outcome) -> Result<(), CellStatus> {
    let said = explanation(&outcome.stderr);
    match &outcome.exit {
        Exit::Code(0) => Ok(()),
        Exit::Timeout => Err(CellStatus::Timeout(
            "did not end in time, killed".to_owned(),
        )),
        Exit::NotStarted(why) => Err(CellStatus::Crash(why.clone())),
        Exit::Signal(signal) => Err(CellStatus::Crash(format!("signal {signal}{said}"))),
        Exit::Code(code) => {
            let text = outcome.stderr.to_lowercase();
            let refused = [
                "not supported",
                "unsupported",
                "not implemented",
                "unimplemented",
                "support is not enabled",
                "not enabled",
                "must be enabled",
                "enable with",
            ]
            .iter()
            .any(|phrase| text.contains(phrase));
            let why = format!("exit code {code}{said}");
            // An engine that refuses a module says so before the module prints anything.
            Err(if refused && outcome.stdout.is_empty() {
                CellStatus::Unsupported(why)
            } else {
                CellStatus::Crash(why)
            })
        }
    }
}

/// The line of stderr that most likely says why, after ": ".
fn explanation(stderr: &str) -> String {
    let mut lines = stderr.lines().map(str::trim).filter(|l| !l.is_empty());
    let first = lines.clone().next();
    let telling = lines.find(|l| {
        let l = l.to_lowercase();
        [
            "support",
            "enable",
            "implement",
            "trap",
            "panicked",
            "error",
        ]
        .iter()
        .any(|w| l.contains(w))
    });
    telling
        .or(first)
        .map(|line| format!(": {}", excerpt(line)))
        .unwrap_or_default()
}

fn excerpt(text: &str) -> String {
    const CHARS_MAX: usize = 160;
    let mut short: String = text.chars().take(CHARS_MAX).collect();
    if text.chars().count() > CHARS_MAX {
        short.push('…');
    }
    short
}
