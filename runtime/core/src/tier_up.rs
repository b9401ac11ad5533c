//! When code is replaced by better code: all numbers that tier `auto` goes by, in one place.
//!
//! The first compiler makes about ten times as much code in a second as the second one, whose code takes about
//! two thirds of the time. A function is worth the better code once it has run for about as long as making
//! that takes. How long it takes depends on its size, how long it runs on what it does; counts of
//! iterations and calls stand for both, since an iteration of a larger function takes longer.

use core::time::Duration;

/// After how many units a function gets better code, unless the embedder says otherwise. Measured on the
/// corpus and on published modules: with less, start-up compiles functions that are done already; with more,
/// work of ten milliseconds is over before.
pub const UNITS: u32 = 20_000;

/// What an iteration of a loop takes.
pub const ITERATION_UNITS: u32 = 1;

/// What a call takes: a function without loops does about as much as so many iterations.
pub const CALL_UNITS: u32 = 10;

/// After how many units a function is asked for again while somebody else is at the queue, and a call that may go on
/// in better code looks for it.
pub const AGAIN: usize = 100;

/// The same where there will be none, or no thread to make it.
pub const MUCH_LATER: usize = 1_000_000;

/// Loops of one function that calls may go on at in better code: each takes as much time to compile as the
/// function.
pub const LOOPS_MAX: usize = 8;

/// How often a function comes from a loop without such code, while another has some, before it gets some,
/// too.
pub const LOOPS_ELSEWHERE: u32 = 16;

/// How long a thread that makes better code waits for more work. One that sleeps is at work sooner than a new one,
/// and on another core than who wakes it.
pub const IDLE: Duration = Duration::from_secs(1);
