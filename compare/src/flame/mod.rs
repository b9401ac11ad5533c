//! `compare profile`: the flame graph of a workload, by Linux perf.
//!
//! The workload runs its iterations in one process under `perf record`, which samples stacks by the
//! processor's clock (virtual machines have no counters), while zwasm tells about its machine code in a
//! jitdump. `perf inject` joins the two by time, so that code which replaces other code at the same place
//! is told apart, and `perf script` prints the stacks; frames have frame pointers in all native tiers.

mod stacks;

use crate::cli::FlameArgs;
use crate::engine::{self, Adapter, Job};
use crate::exec::{Executor, Exit, Invocation, Launcher};
use crate::fail::{Fail, Measured, OrSkip, skip};
use crate::folders::{checkout, scratch_dir};
use crate::machine;
use crate::protocol::{bench_args, check_bench};
use crate::provision::on_path;
use crate::select::select;
use crate::setting::{load_corpus, setting, verified};
use anyhow::{Context, Result};
use std::path::Path;
use std::time::Duration;
use zwasm_reports::flame::{Flame, functions, tree};
use zwasm_reports::html::flame_page;
use zwasm_reports::schema::write_whole;
use zwasm_terminal::{print, say};

/// Samples per second; a prime, so that nothing periodic is always or never met.
const FREQUENCY_HZ: u32 = 1999;
/// In-guest time that is aimed at.
const AIM_NS: u64 = 3_000_000_000;
/// However short an iteration is.
const ITERATIONS_MAX: u64 = 100_000;

/// `compare profile`: 0 when there is a page.
pub(crate) fn run(args: &FlameArgs) -> Result<u8> {
    if on_path("perf").is_none() {
        return Err(Fail::error(
            "a flame graph needs Linux perf, which is not installed (package `linux-perf`)",
        ));
    }
    if args.tier == "interp" {
        return Err(Fail::usage(
            "tier interp makes no machine code that perf could tell apart; name another one",
        ));
    }
    let corpus = load_corpus(&args.places, None)?;
    let (workloads, _) = select(&corpus, None, std::slice::from_ref(&args.workload))?;
    let [workload] = workloads[..] else {
        let message = format!(
            "`{}` names {} workloads; name one",
            args.workload,
            workloads.len()
        );
        return Err(Fail::usage(message));
    };
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("cannot create {}", args.out.display()))?;
    let selected = verified(&corpus, &[workload])?.remove(0);
    let mut launcher = Launcher::start()?;
    let mut setting = setting(&args.places, corpus.dir(), &mut launcher, &say)?;
    let adapter = engine::find_tier(&args.tier, &mut setting)?.ready()?;
    // perf leaves a file per function.
    let scratch = scratch_dir().join(format!("profile-{}", std::process::id()));
    std::fs::create_dir_all(&scratch)?;
    let job = selected.job(&scratch);
    let flame = sampled(&job, adapter.as_ref(), &args.tier, setting.executor);
    let _ = std::fs::remove_dir_all(&scratch);
    let mut why_not = String::new();
    let flame = flame.or_skip(|why| why_not = why)?;
    let flame = flame.ok_or_else(|| Fail::error(format!("{}: {why_not}", workload.id)))?;
    let page = args.out.join("profile.html");
    write_whole(&page, flame_page(&flame).as_bytes())?;
    print(&format!("{}\n", page.display()))?;
    Ok(0)
}

fn sampled(
    job: &Job<'_>,
    adapter: &dyn Adapter,
    tier: &str,
    executor: &mut dyn Executor,
) -> Measured<Flame, String> {
    const TRIED: u32 = 3;
    let size = &job.workload.standard;
    let tried = executor.run(&adapter.run(job, &bench_args(TRIED, size)))?;
    let times = check_bench(&tried, TRIED, size)?;
    let fastest_ns = times.into_iter().min().unwrap_or(1).max(1);
    let iterations = (AIM_NS / fastest_ns).clamp(u64::from(TRIED), ITERATIONS_MAX) as u32;

    let mut inner = adapter.run(job, &bench_args(iterations, size));
    // Behind the verb.
    inner
        .args
        .splice(1..1, ["--profile", "jitdump"].map(str::to_owned));
    let mut recorded = perf(
        &[
            "record",
            "-q",
            "-N",
            "-k",
            "mono",
            "-e",
            "cpu-clock",
            "--call-graph",
            "fp",
        ],
        job.scratch,
    );
    recorded
        .args
        .extend(["-F".to_owned(), FREQUENCY_HZ.to_string()]);
    recorded
        .args
        .extend(["-o", "perf.data", "--"].map(str::to_owned));
    recorded
        .args
        .push(inner.program.to_string_lossy().into_owned());
    recorded.args.extend(inner.args);
    recorded.env = inner.env;
    check_bench(&executor.run(&recorded)?, iterations, size)?;

    let inject = ["inject", "--jit", "-i", "perf.data", "-o", "jit.data"];
    succeed(&perf(&inject, job.scratch), executor)?;
    // What an executor reads has a limit.
    let mut script = perf(&[], job.scratch);
    script.program = "sh".into();
    let line = "exec perf script -i jit.data --no-inline -F comm,tid,ip,sym,dso >stacks";
    script.args = ["-c", line].map(str::to_owned).to_vec();
    succeed(&script, executor)?;
    let bytes = std::fs::read(job.scratch.join("stacks"))?;
    let stacks = stacks::stacks(&String::from_utf8_lossy(&bytes));
    if stacks.is_empty() {
        return skip("perf took no sample");
    }
    Ok(Flame {
        workload: job.workload.id.clone(),
        tier: tier.to_owned(),
        commit: machine::commit(checkout()),
        iterations,
        frequency_hz: FREQUENCY_HZ,
        root: tree(&stacks),
        functions: functions(&stacks),
    })
}

/// perf, working in a folder.
fn perf(args: &[&str], dir: &Path) -> Invocation {
    let args = args.iter().map(|&arg| arg.to_owned()).collect();
    let mut invocation = Invocation::new("perf", args).timeout(Duration::from_secs(300));
    invocation.dir = Some(dir.to_owned());
    invocation
}

fn succeed(invocation: &Invocation, executor: &mut dyn Executor) -> Measured<(), String> {
    let outcome = executor.run(invocation)?;
    if outcome.exit == Exit::Code(0) {
        return Ok(());
    }
    let last = outcome.stderr.lines().last().unwrap_or_default().trim();
    skip(format!("perf failed: {last}"))
}
