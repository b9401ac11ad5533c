//! The runner without processes: a made-up machine on which engines have known speeds and faults.

use super::super::plan::ITERATIONS_MIN;
use super::*;
use crate::exec::{
    Duet, DuetOutcome, Executor, Exit, Interrupted, Invocation, Outcome, Played, is_interrupt,
};
use crate::runner::testing;
use std::path::PathBuf;
use std::time::Duration;
use zwasm_reports::analysis::analyse;
use zwasm_reports::schema::{Metric, Pace};
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

/// What is wrong with an engine's steps on the workload of its fault.
#[derive(Clone, Copy, PartialEq, Eq)]
enum StepFault {
    None,
    WrongOutput,
    /// It does not know what a step is.
    TakesNone,
    /// After the first.
    Crash,
}

/// Answers invocations of the engines of [`testing`].
struct MockMachine {
    rng: Rng,
    /// Nanoseconds per iteration of each engine.
    speeds: Vec<(&'static str, u64)>,
    fault: (&'static str, &'static str, Fault),
    step_fault: StepFault,
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
            step_fault: StepFault::None,
            processes: 0,
            faulty: 0,
            interrupt_at: None,
            log: Vec::new(),
        }
    }
}

impl Executor for MockMachine {
    /// The clock changes from round to round, by the same factor for all.
    fn perform(&mut self, duet: &Duet) -> Result<DuetOutcome> {
        const WARM_UP: u32 = 3;
        self.processes += 1;
        if self.interrupt_at == Some(self.processes) {
            return Err(Interrupted.into());
        }
        let rounds = duet.pace.rounds;
        let clocks: Vec<u64> = (0..rounds).map(|_| 1 + self.rng.below(3) as u64).collect();
        let mut outcome = DuetOutcome {
            played: Vec::new(),
            rounds,
            failed: None,
        };
        for performer in &duet.performers {
            let args = &performer.invocation.args;
            let (engine, workload) = (performer.invocation.program.to_string_lossy(), &args[0]);
            self.log
                .push(format!("{engine} {workload} {}", args[1..].join(" ")));
            let fault = match (self.fault.0, self.fault.1) == (&*engine, workload) {
                true => self.step_fault,
                false => StepFault::None,
            };
            let speed = self.speeds.iter().find(|s| s.0 == engine).unwrap().1;
            let of_round = clocks.iter().flat_map(|&clock| [clock; 2]);
            let mut stdout = String::new();
            for (i, clock) in [1; WARM_UP as usize]
                .into_iter()
                .chain(of_round)
                .enumerate()
            {
                let ns = clock * (speed + self.rng.below(speed as usize / 200) as u64);
                stdout += &format!("iter {i} {ns} 0123\n");
            }
            let exit = match fault {
                StepFault::None => Exit::Code(0),
                StepFault::WrongOutput => {
                    stdout = stdout.replace("0123", "9999");
                    Exit::Code(0)
                }
                StepFault::TakesNone => {
                    stdout = "usage: bench N\n".to_owned();
                    Exit::Code(2)
                }
                StepFault::Crash => {
                    stdout.truncate(stdout.find('\n').unwrap() + 1);
                    Exit::Signal(11)
                }
            };
            if matches!(fault, StepFault::TakesNone | StepFault::Crash) {
                outcome.failed = Some(outcome.played.len());
            }
            outcome.played.push(Played {
                outcome: Outcome {
                    exit,
                    stdout,
                    ..Outcome::not_started(String::new())
                },
                warm_up: WARM_UP,
                kernels: 1,
            });
            if outcome.failed.is_some() {
                break;
            }
        }
        Ok(outcome)
    }

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
    // Of the block that is lost.
    const BLOCK: u32 = 48;

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
            machine.processes <= processes - interrupt_at + BLOCK,
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

/// Results whose engines take steps together.
fn stepping(workloads: &[Workload], engines: &[&str]) -> Results {
    let mut results = results(workloads, engines, None);
    results.profile.pace = Some(Pace {
        step_ns: 1_000_000,
        warm_up_ns: 3_000_000,
        rounds: 20,
        limit_ns: 1_000_000_000,
    });
    results
}

fn steady_gaps(results: &Results) -> Vec<&zwasm_reports::schema::Gap> {
    let gaps = results.gaps.iter();
    gaps.filter(|g| g.metric == Metric::Steady).collect()
}

#[test]
fn steps_share_what_the_clock_does() {
    let workloads = [workload("a"), workload("b"), workload("c")];
    let mut results = stepping(&workloads, &["tier", "peer", "twin"]);
    run(&mut MockMachine::new(&SPEEDS), &workloads, &mut results).unwrap();
    analyse(&mut results);
    let steady = steady_gaps(&results);
    assert_eq!(steady.len(), 6);
    for gap in steady {
        assert!((gap.ratio - 1.5).abs() < 0.01, "{gap:?}");
        // Slower, so it was measured again, in generations of its own.
        assert_eq!((gap.verdict, gap.n, gap.stage), (Verdict::Slower, 10, 2));
        let spread = gap.spread.unwrap();
        assert!(spread.within < 0.01 && spread.between < 0.01, "{spread:?}");
    }
    // With so few workloads every engine has a twin in each.
    let floor = results.floors.iter().find(|f| f.metric == Metric::Steady);
    let floor = floor.unwrap();
    assert!(!floor.failed && floor.n == 9, "{floor:?}");
    let first = results.generations.iter().filter(|g| !g.fresh);
    let twins: std::collections::BTreeSet<&str> = first
        .flat_map(|g| g.players.iter().filter(|p| p.twin))
        .map(|p| p.engine.as_str())
        .collect();
    assert_eq!(twins.len(), 3);
}

#[test]
fn an_engine_that_takes_no_steps_is_measured_alone() {
    let workloads = [workload("a"), workload("b")];
    let mut results = stepping(&workloads, &["tier", "peer", "other"]);
    let mut machine = MockMachine::new(&[
        ("tier", 1_000_000),
        ("peer", 1_000_000),
        ("other", 2_000_000),
    ]);
    machine.fault = ("peer", "a", Fault::None);
    machine.step_fault = StepFault::TakesNone;
    run(&mut machine, &workloads, &mut results).unwrap();
    analyse(&mut results);
    let cell = results.cell("a", "peer").unwrap();
    assert_eq!(cell.status.word(), "ok");
    assert!(cell.alone.as_ref().unwrap().contains("no step"), "{cell:?}");
    for gap in steady_gaps(&results) {
        let alone = (gap.workload.as_str(), gap.peer.as_str()) == ("a", "peer");
        assert_eq!(gap.spread.is_none(), alone, "{gap:?}");
        let expected = if gap.peer == "peer" { 1.0 } else { 0.5 };
        assert!((gap.ratio / expected - 1.0).abs() < 0.01, "{gap:?}");
    }
}

#[test]
fn an_engine_that_fails_in_a_step_has_a_status_and_the_others_go_on() {
    for (fault, word) in [
        (StepFault::WrongOutput, "wrong output"),
        (StepFault::Crash, "crash"),
    ] {
        let workloads = [workload("a")];
        let mut results = stepping(&workloads, &["tier", "peer", "twin"]);
        let mut machine = MockMachine::new(&SPEEDS);
        machine.fault = ("peer", "a", Fault::None);
        machine.step_fault = fault;
        run(&mut machine, &workloads, &mut results).unwrap();
        analyse(&mut results);
        assert_eq!(results.cell("a", "peer").unwrap().status.word(), word);
        let [gap] = steady_gaps(&results)[..] else {
            panic!("{:?}", results.gaps);
        };
        assert!(gap.peer == "twin" && gap.spread.is_some());
    }
}

#[test]
fn an_interrupted_run_measures_no_generation_twice() {
    let workloads = [workload("a"), workload("b")];
    let mut whole = stepping(&workloads, &["tier", "peer"]);
    let mut machine = MockMachine::new(&SPEEDS);
    run(&mut machine, &workloads, &mut whole).unwrap();
    for interrupt_at in [20, 60, machine.processes - 1] {
        let mut partial = stepping(&workloads, &["tier", "peer"]);
        let mut machine = MockMachine::new(&SPEEDS);
        machine.interrupt_at = Some(interrupt_at);
        assert!(run(&mut machine, &workloads, &mut partial).is_err());
        let mut partial = Results::parse(&partial.to_json(), "partial").unwrap();
        run(&mut MockMachine::new(&SPEEDS), &workloads, &mut partial).unwrap();
        let keys = |results: &Results| -> std::collections::BTreeSet<(String, u32, bool)> {
            let generations = results.generations.iter();
            let keys = generations.map(|g| (g.workload.clone(), g.number, g.fresh));
            keys.collect()
        };
        assert_eq!(keys(&whole), keys(&partial));
        assert_eq!(whole.generations.len(), partial.generations.len());
    }
}
