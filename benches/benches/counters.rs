//! What the processor counts while kernels run: instructions, cycles, misses, where the kernel of
//! the machine hands them out; else what `getrusage` says, and the first line says so.
//!
//! Each number is the median of five samples, per run of a workload at small size; fresh instances
//! are made before a sample and their outputs checked after it. An argument that is no option
//! selects the lines that contain it, as criterion's filter does, and criterion's own options are
//! accepted and mean nothing, so that `cargo bench -- <options>` reaches all benches. Without
//! `--bench` (under `cargo test`) or with `--test`, everything runs once.

use std::time::{Duration, Instant};
use zwasm::Tier;
use zwasm_benches::counters::{Counters, Sample, Usage};
use zwasm_benches::{Command, Guest, corpus, engine, kernels};

const SAMPLES: usize = 5;
/// Short runs are repeated, because `getrusage` may count in ticks of some milliseconds.
const SAMPLE_MIN: Duration = Duration::from_millis(40);
/// Each run holds an instance ready, with the address space of its memory.
const RUNS_PER_SAMPLE_MAX: usize = 32;

fn main() {
    let options = Options::parse(std::env::args().skip(1));
    let corpus = corpus();
    let ids = Tier::ALL.iter().flat_map(|tier| {
        kernels(&corpus)
            .into_iter()
            .map(move |workload| (*tier, workload, format!("counters/{tier}/{}", workload.id)))
    });
    let selected = ids.filter(|(_, _, name)| options.selects(name));
    if options.list {
        for (_, _, name) in selected {
            println!("{name}: benchmark");
        }
        return;
    }
    let counters = Counters::probe();
    println!("{counters}");
    let mut header_due = true;
    for (tier, workload, name) in selected {
        let command = Command::load(&engine(tier), &corpus, workload);
        // Translates; what follows does not.
        command.run_checked();
        if options.once {
            let (guest, _) = counters.measure(|| ran(command.instantiate()));
            guest.check();
            println!("{name}: ok");
            continue;
        }
        let runs = runs_per_sample(&command);
        let samples: Vec<Sample> = (0..SAMPLES)
            .map(|_| sample(&counters, &command, runs))
            .collect();
        let row = row(&counters, &samples, runs);
        if std::mem::take(&mut header_due) {
            print_line("per run", row.iter().map(|(name, _)| (*name).to_owned()));
        }
        print_line(&name, row.into_iter().map(|(_, value)| value));
    }
}

fn ran(mut guest: Guest<'_>) -> Guest<'_> {
    guest.run();
    guest
}

fn runs_per_sample(command: &Command) -> usize {
    let guest = command.instantiate();
    let start = Instant::now();
    let guest = ran(guest);
    let once = start.elapsed().max(Duration::from_micros(1));
    guest.check();
    let runs = SAMPLE_MIN.as_nanos().div_ceil(once.as_nanos());
    usize::try_from(runs).map_or(RUNS_PER_SAMPLE_MAX, |runs| runs.min(RUNS_PER_SAMPLE_MAX))
}

fn sample(counters: &Counters, command: &Command, runs: usize) -> Sample {
    let mut guests: Vec<_> = (0..runs).map(|_| command.instantiate()).collect();
    let ((), sample) = counters.measure(|| guests.iter_mut().for_each(Guest::run));
    guests.into_iter().for_each(Guest::check);
    sample
}

/// The columns: name and value.
fn row(counters: &Counters, samples: &[Sample], runs: usize) -> Vec<(&'static str, String)> {
    let per_run = |of: &dyn Fn(&Sample) -> f64| median(samples.iter().map(of)) / runs as f64;
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let mut row = vec![(
        "wall ms",
        format!("{:.3}", per_run(&|sample| ms(sample.wall))),
    )];
    if samples.iter().all(|sample| sample.usage.is_some()) {
        let usage = |of: &dyn Fn(Usage) -> f64| per_run(&|sample| sample.usage.map_or(0.0, of));
        row.extend([
            ("user ms", format!("{:.3}", usage(&|u| ms(u.user)))),
            ("system ms", format!("{:.3}", usage(&|u| ms(u.system)))),
            ("faults", format!("{:.1}", usage(&|u| u.faults as f64))),
            (
                "preemptions",
                format!("{:.1}", usage(&|u| u.preemptions as f64)),
            ),
        ]);
    }
    // Marks what was counted during a part of the time only.
    let mark = if samples.iter().any(|sample| sample.scaled) {
        "~"
    } else {
        ""
    };
    for (index, name) in counters.names().enumerate() {
        let count = per_run(&|sample| sample.events[index]);
        row.push((name, format!("{mark}{count:.0}")));
    }
    row
}

/// NaN, of a counter that never ran, stays visible.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn print_line(name: &str, columns: impl Iterator<Item = String>) {
    let columns: Vec<_> = columns.map(|column| format!("{column:>15}")).collect();
    println!("{name:<36}{}", columns.concat());
}

/// The part of criterion's command line that has a meaning here.
struct Options {
    once: bool,
    list: bool,
    filter: Option<String>,
}

/// Criterion's options whose value is an argument of its own.
const WITH_VALUE: [&str; 20] = [
    "-c",
    "--color",
    "--colour",
    "-s",
    "--save-baseline",
    "-b",
    "--baseline",
    "--baseline-lenient",
    "--load-baseline",
    "--format",
    "--profile-time",
    "--sample-size",
    "--warm-up-time",
    "--measurement-time",
    "--nresamples",
    "--noise-threshold",
    "--confidence-level",
    "--significance-level",
    "--plotting-backend",
    "--output-format",
];

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> Options {
        let mut options = Options {
            once: true,
            list: false,
            filter: None,
        };
        let mut test = false;
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--bench" => options.once = false,
                "--test" => test = true,
                "--list" => options.list = true,
                value if WITH_VALUE.contains(&value) => drop(args.next()),
                option if option.starts_with('-') => {}
                filter => options.filter = Some(filter.to_owned()),
            }
        }
        options.once |= test;
        options
    }

    fn selects(&self, name: &str) -> bool {
        self.filter.as_ref().is_none_or(|part| name.contains(part))
    }
}
