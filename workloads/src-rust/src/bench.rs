//! The bench protocol for Rust workloads.
//!
//! A workload implements [`Workload`] and calls [`main`]. `prog [small]` runs the kernel once and
//! prints the report and the checksum; `prog bench N [small]` prints `iter <i> <ns> <checksum>` per
//! iteration; `N = 0` does nothing at all, not even the setup, so it measures what the engine needs
//! to get a module running. `prog bench step [small]` waits for a byte on standard input before each
//! iteration, runs the kernel as often as the byte says, and prints the same line at once; it ends where
//! the input does. The kernel returns the same checksum on every call.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::time::Instant;

/// One workload: inputs, timed work, report.
pub trait Workload {
    /// Builds the inputs; not timed.
    fn setup(small: bool) -> Self;
    /// The timed work; returns a checksum of everything it computed.
    fn kernel(&mut self) -> u64;
    /// Adds a few meaningful lines about the last kernel run.
    fn report(&self, out: &mut String);
}

/// Runs `W` as the command line asks.
pub fn main<W: Workload>() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (args, small) = match args[..] {
        [ref args @ .., "small"] => (args, true),
        ref args => (args, false),
    };
    let run = match *args {
        [] => Run::Once,
        ["bench", "step"] => Run::Steps,
        ["bench", n] => Run::Iterations(n.parse().unwrap_or_else(|_| usage())),
        _ => usage(),
    };
    if matches!(run, Run::Iterations(0)) {
        return;
    }

    let mut workload = W::setup(small);
    let mut out = String::new();
    match run {
        Run::Once => {
            let sum = workload.kernel();
            workload.report(&mut out);
            let _ = writeln!(out, "checksum {sum:016x}");
        }
        Run::Iterations(n) => (0..n).for_each(|i| iteration(&mut workload, i, 1, &mut out)),
        Run::Steps => {
            let mut steps = std::io::stdin().lock().bytes();
            for i in 0.. {
                let Some(Ok(kernels @ 1..)) = steps.next() else { break };
                iteration(&mut workload, i, kernels, &mut out);
                write(&out);
                out.clear();
            }
        }
    }
    write(&out);
}

/// What the command line asks for.
enum Run {
    Once,
    Iterations(u64),
    Steps,
}

fn iteration<W: Workload>(workload: &mut W, number: u64, kernels: u8, out: &mut String) {
    let mut sum = 0;
    let start = Instant::now();
    for _ in 0..kernels {
        sum = black_box(&mut *workload).kernel();
    }
    let ns = start.elapsed().as_nanos() as u64;
    let _ = writeln!(out, "iter {number} {ns} {sum:016x}");
}

fn write(out: &str) {
    let mut stdout = std::io::stdout();
    let written = stdout.write_all(out.as_bytes()).and_then(|()| stdout.flush());
    written.expect("standard output can be written");
}

fn usage() -> ! {
    println!("usage: [small] | bench N [small] | bench step [small]");
    std::process::exit(2)
}

/// Folds a value into a checksum: multiply, then let the high bits reach the low ones.
#[inline]
pub fn mix(sum: u64, value: u64) -> u64 {
    let sum = (sum ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    sum ^ sum >> 29
}

/// Folds bytes into a checksum.
pub fn mix_bytes(mut sum: u64, bytes: &[u8]) -> u64 {
    for &b in bytes {
        sum = (sum ^ u64::from(b)).wrapping_mul(0x100_0000_01b3);
    }
    sum ^ sum >> 32
}

/// xorshift64*: inputs must not depend on any library's generator.
pub struct Rng(u64);

impl Rng {
    /// A generator whose sequence depends on `seed` only.
    pub fn new(seed: u64) -> Rng {
        Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next 64 bits.
    #[inline]
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Uniform enough in `0..bound`.
    #[inline]
    pub fn below(&mut self, bound: u32) -> u32 {
        ((self.next() >> 32) * u64::from(bound) >> 32) as u32
    }

    /// Uniform in `0.0..1.0`.
    #[inline]
    pub fn float(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}
