//! The runner without processes: a made-up machine on which engines have known speeds and faults.

use super::super::plan::ITERATIONS_MIN;
use super::*;
use crate::exec::{Executor, Exit, Interrupted, Invocation, Outcome, is_interrupt};
use crate::runner::testing;
use std::path::PathBuf;
use std::time::Duration;
use zwasm_reports::analysis::analyse;
use zwasm_reports::schema::Metric;
use zwasm_reports::stats::{Rng, Verdict};
use zwasm_workloads::{Size, Workload};

/// What is wrong with an engine on a workload.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    Crash,
    Hang,
    WrongOutput,
    Refuses,
    /// Right at first, then a crash at the `n`-th process.
    CrashLater(u32),
}

/// Answers invocations of the engines of [`testing`].
struct MockMachine {
    rng: Rng,
    /// Nanoseconds per iteration of each engine.
    speeds: Vec<(&'static str, u64)>,
    fault: (&'static str, &'static str, Fault),
    processes: u32,
    /// Processes of the faulty cell.
    faulty: u32,
    /// Interrupts at this process.
    interrupt_at: Option<u32>,
    log: Vec<String>,
}

impl MockMachine {
    fn new(speeds: &[(&'static str, u64)]) -> MockMachine {
        MockMachine {
            rng: Rng::new(1),
            speeds: speeds.to_vec(),
            fault: ("", "", Fault::None),
            processes: 0,
            faulty: 0,
            interrupt_at: None,
            log: Vec::new(),
        }
    }
}

impl Executor for MockMachine {
    fn run(&mut self, invocation: &Invocation) -> Result<Outcome> {
        self.processes += 1;
        if self.interrupt_at == Some(self.processes) {
            return Err(Interrupted.into());
        }
        let engine = invocation.program.to_string_lossy().into_owned();
        let workload = invocation.args[0].clone();
        let args = &invocation.args[1..];
        self.log
            .push(format!("{engine} {workload} {}", args.join(" ")));
        let speed = self.speeds.iter().find(|s| s.0 == engine).unwrap().1;
        let fault = if (self.fault.0, self.fault.1) == (&*engine, &*workload) {
            self.faulty += 1;
            match self.fault.2 {
                Fault::CrashLater(n) if self.faulty < n => Fault::None,
                Fault::CrashLater(_) => Fault::Crash,
                fault => fault,
            }
        } else {
            Fault::None
        };
        let mut stdout = String::new();
        if args.first().map(String::as_str) == Some("bench") {
            for i in 0..args[1].parse::<u32>().unwrap() {
                let ns = speed + self.rng.below(speed as usize / 200) as u64;
                stdout += &format!("iter {i} {ns} 0123\n");
            }
        } else {
            stdout += "result\nchecksum 0123\n";
        }
        let (exit, stderr) = match fault {
            Fault::Crash | Fault::CrashLater(_) => (Exit::Signal(11), String::new()),
            Fault::Hang => (Exit::Timeout, String::new()),
            Fault::Refuses => (
                Exit::Code(1),
                "Error: /a/b/module.wasm: simd is not supported\n".to_owned(),
            ),
            Fault::WrongOutput => {
                stdout = stdout.replace("0123", "9999");
                (Exit::Code(0), String::new())
            }
            Fault::None => (Exit::Code(0), String::new()),
        };
        if matches!(exit, Exit::Code(1) | Exit::Timeout) {
            stdout.clear();
        }
        let wall_ns = 10_000_000 + self.rng.below(50_000) as u64;
        Ok(Outcome {
            exit,
            stdout,
            stderr,
            wall_ns,
            first_byte_ns: Some(wall_ns / 2),
            user_ns: wall_ns,
            system_ns: 1,
            peak_rss_bytes: 5_000_000 + self.rng.below(10_000) as u64,
            involuntary_switches: 1,
        })
    }
}

fn workload(id: &str) -> Workload {
    let size = |args: &[&str]| Size {
        args: args.iter().map(|&a| a.to_owned()).collect(),
        expected: "result\nchecksum 0123\n".to_owned(),
        checksum: "0123".to_owned(),
    };
    Workload {
        id: id.to_owned(),
        category: "test".to_owned(),
        language: "wat".to_owned(),
        source: String::new(),
        licence: String::new(),
        module: String::new(),
        sha256: String::new(),
        bytes: 100,
        features: Vec::new(),
        description: String::new(),
        startup: false,
        small: size(&["small"]),
        standard: size(&[]),
        native: None,
    }
}

fn results(workloads: &[Workload], engines: &[&str], budget_s: Option<u64>) -> Results {
    let ids: Vec<&str> = workloads.iter().map(|w| w.id.as_str()).collect();
    let mut results = testing::results(&ids, engines);
    results.profile.budget_s = budget_s;
    results
}

fn run(machine: &mut MockMachine, workloads: &[Workload], results: &mut Results) -> Result<()> {
    let engines = testing::engines(results);
    let selected: Vec<Selected<'_>> = workloads
        .iter()
        .map(|workload| Selected {
            workload,
            module: PathBuf::from("/a/b/module.wasm"),
        })
        .collect();
    CorpusRunner {
        run: testing::run(&engines),
        processes: Processes {
            executor: machine,
            time_limit: Duration::from_secs(1),
        },
        workloads: &selected,
        scratch: Path::new(""),
        started: Instant::now(),
        compile_base_ns: HashMap::new(),
    }
    .measure(results)
}

const SPEEDS: [(&str, u64); 3] = [
    ("tier", 1_500_000),
    ("peer", 1_000_000),
    ("twin", 1_000_000),
];

#[test]
fn known_speeds_become_known_gaps() {
    let workloads = [workload("a"), workload("b")];
    let mut results = results(&workloads, &["tier", "peer", "twin"], None);
    run(&mut MockMachine::new(&SPEEDS), &workloads, &mut results).unwrap();
    analyse(&mut results);
    let steady: Vec<_> = results
        .gaps
        .iter()
        .filter(|g| g.metric == Metric::Steady)
        .collect();
    assert_eq!(steady.len(), 4);
    for gap in steady {
        assert!((gap.ratio - 1.5).abs() < 0.01, "{gap:?}");
        assert_eq!(gap.verdict, Verdict::Slower);
        // The second stage measured it again, with blocks of its own.
        assert_eq!((gap.n, gap.stage), (20, 2));
    }
    let control = results
        .floors
        .iter()
        .find(|f| f.metric == Metric::Steady)
        .unwrap();
    assert!(!control.failed && control.n >= 6, "{control:?}");
    assert_eq!(results.workloads[0].size, "standard");
}

#[test]
fn blocks_are_permutations_and_their_reverse() {
    let workloads = [workload("a")];
    let mut results = results(&workloads, &["tier", "peer", "twin"], None);
    let mut machine = MockMachine::new(&SPEEDS);
    run(&mut machine, &workloads, &mut results).unwrap();
    for cell in &results.cells {
        for block in 0..6 {
            let of = cell.samples.iter().filter(|s| s.block == block && !s.fresh);
            assert_eq!(of.count(), 2, "{} block {block}", cell.engine);
        }
        let fresh = cell.samples.iter().filter(|s| s.fresh).count();
        assert_eq!(
            fresh, 40,
            "one set of fresh blocks for all engines of a workload"
        );
    }
    // Fresh blocks run one process per visit, so their order can be read off the log.
    let tail = &machine.log[machine.log.len() - 120..];
    for block in tail.chunks(6) {
        let names: Vec<&str> = block.iter().map(|l| l.split(' ').next().unwrap()).collect();
        let mut reversed = names.clone();
        reversed.reverse();
        assert_eq!(names, reversed);
        let mut sorted = names[..3].to_vec();
        sorted.sort_unstable();
        assert_eq!(sorted, ["peer", "tier", "twin"]);
    }
}

#[test]
fn a_fault_of_one_engine_on_one_workload_is_one_cell() {
    for (fault, word) in [
        (Fault::Crash, "crash"),
        (Fault::Hang, "timeout"),
        (Fault::WrongOutput, "wrong output"),
        (Fault::Refuses, "unsupported"),
        (Fault::CrashLater(20), "crash"),
    ] {
        let workloads = [workload("a"), workload("b")];
        let mut results = results(&workloads, &["tier", "peer"], None);
        let mut machine = MockMachine::new(&SPEEDS);
        machine.fault = ("tier", "b", fault);
        run(&mut machine, &workloads, &mut results).unwrap();
        analyse(&mut results);
        let words: Vec<&str> = results.cells.iter().map(|c| c.status.word()).collect();
        assert_eq!(words.iter().filter(|w| **w == "ok").count(), 3, "{words:?}");
        assert_eq!(results.cell("b", "tier").unwrap().status.word(), word);
        // No path of this machine gets into the results.
        assert!(!results.to_json().contains("/a/b"));
        let mean = results
            .geomeans
            .iter()
            .find(|m| m.metric == Metric::Steady)
            .unwrap();
        assert_eq!((mean.covered, mean.total), (1, 2));
        assert_eq!(mean.missing, ["b"]);
    }
}

#[test]
fn a_feature_the_engine_lacks_is_unsupported_without_a_process() {
    let mut lacking = workload("b");
    lacking.features.push("memory64".to_owned());
    let workloads = [workload("a"), lacking];
    let mut results = results(&workloads, &["tier", "peer"], None);
    let mut machine = MockMachine::new(&SPEEDS);
    run(&mut machine, &workloads, &mut results).unwrap();
    assert_eq!(
        results.cell("b", "peer").unwrap().status.reason(),
        "no support for memory64"
    );
    assert!(machine.log.iter().all(|line| !line.contains(" b ")));
}

#[test]
fn an_interrupted_run_is_valid_and_resumes_where_it_stopped() {
    let workloads = [workload("a"), workload("b")];
    let mut whole = results(&workloads, &["tier", "peer"], None);
    let mut machine = MockMachine::new(&SPEEDS);
    run(&mut machine, &workloads, &mut whole).unwrap();
    let processes = machine.processes;

    for interrupt_at in [3, 30, 100, processes - 1] {
        let mut partial = results(&workloads, &["tier", "peer"], None);
        let mut machine = MockMachine::new(&SPEEDS);
        machine.interrupt_at = Some(interrupt_at);
        let error = run(&mut machine, &workloads, &mut partial).unwrap_err();
        assert!(is_interrupt(&error));
        analyse(&mut partial);
        let mut partial = Results::parse(&partial.to_json(), "partial").unwrap();

        let mut machine = MockMachine::new(&SPEEDS);
        run(&mut machine, &workloads, &mut partial).unwrap();
        assert!(
            machine.processes <= processes - interrupt_at + 16,
            "{interrupt_at}"
        );
        for (cell, resumed) in whole.cells.iter().zip(&partial.cells) {
            assert_eq!(cell.samples.len(), resumed.samples.len(), "{interrupt_at}");
        }
        assert_eq!(whole.control.len(), partial.control.len());
    }
}

#[test]
fn a_time_limit_thins_the_dearest_workloads_and_says_so() {
    let workloads = [workload("a"), workload("b")];
    let mut results = results(&workloads, &["tier", "peer"], Some(1));
    run(&mut MockMachine::new(&SPEEDS), &workloads, &mut results).unwrap();
    assert!(
        results
            .notes
            .iter()
            .any(|n| n.starts_with("to end within 1 s")),
        "{:?}",
        results.notes
    );
    // Thinned rows still have a whole block's worth of every engine.
    for cell in &results.cells {
        let blocks: std::collections::BTreeSet<u32> = cell
            .samples
            .iter()
            .filter(|s| !s.fresh)
            .map(|s| s.block)
            .collect();
        assert_eq!(blocks.len(), 6);
    }
}

#[test]
fn slow_engines_bring_the_small_size() {
    let workloads = [workload("a")];
    let mut results = results(&workloads, &["tier", "peer"], None);
    let speeds = [("tier", 50_000_000), ("peer", 1_000_000)];
    run(&mut MockMachine::new(&speeds), &workloads, &mut results).unwrap();
    assert_eq!(results.workloads[0].size, "small");
    assert_eq!(
        results.cell("a", "tier").unwrap().iterations,
        ITERATIONS_MIN
    );
    assert_eq!(results.cell("a", "peer").unwrap().iterations, 9);
}
