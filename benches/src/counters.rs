//! What the processor and the kernel count while a closure runs: hardware events where the kernel
//! has them, and always the wall clock and `getrusage`, which are labelled as the fallback where it
//! has not.
//!
//! Each event is probed alone and counted by a counter of its own. A group would count all events
//! over the same instants, but one that fails to join leaves the group unreadable, and a group
//! cannot follow threads that are started later, as those of a compiler are.
//!
//! Counters see user code of this process only: the kernel's part needs rights, and a number that
//! depends on rights would not compare.

use std::fmt;
use std::time::{Duration, Instant};

/// The events that this kernel counts, and why it does not count the others.
#[derive(Debug)]
pub struct Counters {
    events: Vec<hardware::Named>,
    missing: Vec<(&'static str, String)>,
}

/// What happened while a closure ran.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Elapsed time.
    pub wall: Duration,
    /// What the kernel accounts to the process; `None` where there is no `getrusage`.
    pub usage: Option<Usage>,
    /// Counts of the events, in the order of [`Counters::names`].
    pub events: Vec<f64>,
    /// Whether the kernel had to share a counter between events, so that some of them are scaled
    /// up from a part of the time.
    pub scaled: bool,
}

/// What `getrusage` says about all threads of the process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// Processor time in user code.
    pub user: Duration,
    /// Processor time in the kernel.
    pub system: Duration,
    /// Page faults, with and without a read from disk.
    pub faults: u64,
    /// Times that a thread lost its processor while it could have gone on.
    pub preemptions: u64,
}

impl Counters {
    /// Tries every event on a short piece of work.
    pub fn probe() -> Counters {
        let mut counters = Counters {
            events: Vec::new(),
            missing: Vec::new(),
        };
        for event in hardware::all() {
            let name = event.name;
            match hardware::probe(&event) {
                Ok(()) => counters.events.push(event),
                Err(why) => counters.missing.push((name, why)),
            }
        }
        counters
    }

    /// The names of the events that are counted; none of them without hardware counters.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.events.iter().map(|event| event.name)
    }

    /// Runs a closure and counts.
    ///
    /// # Panics
    /// When a counter that could be opened before cannot any more.
    pub fn measure<R>(&self, work: impl FnOnce() -> R) -> (R, Sample) {
        let mut running = hardware::Running::open(&self.events)
            .unwrap_or_else(|error| panic!("a counter is gone: {error}"));
        let before = usage();
        let start = Instant::now();
        running.enable();
        let result = work();
        running.disable();
        let wall = start.elapsed();
        let usage = before.zip(usage()).map(|(before, after)| Usage {
            user: after.user.saturating_sub(before.user),
            system: after.system.saturating_sub(before.system),
            faults: after.faults - before.faults,
            preemptions: after.preemptions - before.preemptions,
        });
        let (events, scaled) = running
            .read()
            .unwrap_or_else(|error| panic!("a counter cannot be read: {error}"));
        let sample = Sample {
            wall,
            usage,
            events,
            scaled,
        };
        (result, sample)
    }
}

/// Where the numbers come from, in one line.
impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.names().collect();
        if names.is_empty() {
            f.write_str(
                "counters: FALLBACK to getrusage and the wall clock, no hardware counters",
            )?;
        } else {
            write!(f, "counters: hardware ({})", names.join(", "))?;
        }
        let mut missing = self.missing.iter().peekable();
        let mut separator = "; not here: ";
        while let Some((name, why)) = missing.next() {
            write!(f, "{separator}{name}")?;
            // Mostly they are all missing for the same reason, which is then said once.
            if missing.peek().is_none_or(|(_, next)| next != why) {
                write!(f, " ({why})")?;
            }
            separator = ", ";
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
fn usage() -> Option<Usage> {
    let mut raw = std::mem::MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: the kernel fills the whole structure when it returns 0, and only then is it read.
    let raw = unsafe {
        if libc::getrusage(libc::RUSAGE_SELF, raw.as_mut_ptr()) != 0 {
            return None;
        }
        raw.assume_init()
    };
    let time = |time: libc::timeval| {
        let micros = time.tv_sec.cast_unsigned() * 1_000_000 + time.tv_usec.cast_unsigned();
        Duration::from_micros(micros)
    };
    Some(Usage {
        user: time(raw.ru_utime),
        system: time(raw.ru_stime),
        faults: raw.ru_minflt.cast_unsigned() + raw.ru_majflt.cast_unsigned(),
        preemptions: raw.ru_nivcsw.cast_unsigned(),
    })
}

#[cfg(not(target_os = "linux"))]
fn usage() -> Option<Usage> {
    None
}

#[cfg(target_os = "linux")]
mod hardware {
    use perf_event::events::{Cache, CacheOp, CacheResult, Event, Hardware, WhichCache};
    use perf_event::{Builder, Counter};
    use std::hint::black_box;
    use std::io;

    pub(super) struct Named {
        pub(super) name: &'static str,
        event: Event,
    }

    impl std::fmt::Debug for Named {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.name)
        }
    }

    impl Named {
        pub(super) fn new(name: &'static str, event: impl Into<Event>) -> Named {
            let event = event.into();
            Named { name, event }
        }

        fn counter(&self) -> io::Result<Counter> {
            let mut builder = Builder::new().kind(self.event.clone());
            builder.inherit(true);
            builder.build()
        }
    }

    /// In the order of interest: processors have few counters, and the first ones must fit.
    pub(super) fn all() -> Vec<Named> {
        let l1_misses = Cache {
            which: WhichCache::L1D,
            operation: CacheOp::READ,
            result: CacheResult::MISS,
        };
        vec![
            Named::new("instructions", Hardware::INSTRUCTIONS),
            Named::new("cycles", Hardware::CPU_CYCLES),
            Named::new("branches", Hardware::BRANCH_INSTRUCTIONS),
            Named::new("branch misses", Hardware::BRANCH_MISSES),
            Named::new("L1D read misses", l1_misses),
            Named::new("cache misses", Hardware::CACHE_MISSES),
        ]
    }

    /// Whether an event can be counted: some kernels open a counter that never runs.
    pub(super) fn probe(event: &Named) -> Result<(), String> {
        let count = || {
            let mut counter = event.counter()?;
            counter.enable()?;
            black_box((0..10_000_u64).fold(0, |sum, i| black_box(sum ^ i)));
            counter.disable()?;
            counter.read_count_and_time()
        };
        match count() {
            Ok(count) if count.time_running > 0 => Ok(()),
            Ok(_) => Err("opened, but never runs".into()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Open counters.
    pub(super) struct Running(Vec<Counter>);

    impl Running {
        pub(super) fn open(events: &[Named]) -> io::Result<Running> {
            let counters: io::Result<Vec<_>> = events.iter().map(Named::counter).collect();
            counters.map(Running)
        }

        pub(super) fn enable(&mut self) {
            for counter in &mut self.0 {
                counter.enable().expect("an open counter can be enabled");
            }
        }

        pub(super) fn disable(&mut self) {
            for counter in &mut self.0 {
                counter.disable().expect("an open counter can be disabled");
            }
        }

        /// The counts, and whether any was scaled.
        pub(super) fn read(&mut self) -> io::Result<(Vec<f64>, bool)> {
            let mut scaled = false;
            let mut counts = Vec::with_capacity(self.0.len());
            for counter in &mut self.0 {
                let read = counter.read_count_and_time()?;
                scaled |= read.time_running < read.time_enabled;
                // A counter that never ran knows nothing.
                counts.push(match read.time_running {
                    0 => f64::NAN,
                    running => read.count as f64 * (read.time_enabled as f64 / running as f64),
                });
            }
            Ok((counts, scaled))
        }
    }
}

/// Other systems have no such counters.
#[cfg(not(target_os = "linux"))]
mod hardware {
    #[derive(Debug)]
    pub(super) struct Named {
        pub(super) name: &'static str,
    }

    pub(super) fn all() -> Vec<Named> {
        vec![Named { name: "all" }]
    }

    pub(super) fn probe(_: &Named) -> Result<(), String> {
        Err("only Linux has them".into())
    }

    pub(super) struct Running;

    impl Running {
        pub(super) fn open(_: &[Named]) -> std::io::Result<Running> {
            Ok(Running)
        }

        pub(super) fn enable(&mut self) {}

        pub(super) fn disable(&mut self) {}

        pub(super) fn read(&mut self) -> std::io::Result<(Vec<f64>, bool)> {
            Ok((Vec::new(), false))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_hardware_counters_says_so_once() {
        let missing = |name| (name, "No such file".to_owned());
        let counters = Counters {
            events: Vec::new(),
            missing: vec![missing("instructions"), missing("cycles")],
        };
        assert_eq!(
            counters.to_string(),
            "counters: FALLBACK to getrusage and the wall clock, no hardware counters; \
             not here: instructions, cycles (No such file)"
        );
        let (result, sample) = counters.measure(|| 7);
        assert_eq!((result, sample.events.len()), (7, 0));
    }

    /// Software events go through the same code as hardware ones, and more machines have them.
    #[cfg(target_os = "linux")]
    #[test]
    fn events_are_counted_where_the_kernel_has_them() {
        use perf_event::events::Software;
        let event = hardware::Named::new("task clock", Software::TASK_CLOCK);
        if let Err(why) = hardware::probe(&event) {
            println!("skipped: no software events either ({why})");
            return;
        }
        let counters = Counters {
            events: vec![event],
            missing: vec![("cycles", "No such file".to_owned())],
        };
        assert_eq!(
            counters.to_string(),
            "counters: hardware (task clock); not here: cycles (No such file)"
        );
        let (sum, sample) =
            counters.measure(|| (0..3_000_000_u64).fold(0, |a, i| std::hint::black_box(a ^ i)));
        std::hint::black_box(sum);
        assert!(sample.events[0] > 0.0, "{sample:?}");
        // The clock of a task in nanoseconds cannot be ahead of the wall by much.
        assert!(sample.events[0] < 1.5 * sample.wall.as_nanos() as f64 + 1e6);
    }

    #[test]
    fn the_probe_never_fails() {
        let counters = Counters::probe();
        let (_, sample) = counters.measure(|| ());
        assert_eq!(sample.events.len(), counters.names().count());
    }
}
