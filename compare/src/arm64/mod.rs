//! `compare arm64`: executed ARM64 instructions, ours beside wasmtime's, on a machine of another kind.
//!
//! Both engines are ARM64 programs under the emulator QEMU, and a plugin of it (`count.c`, built here)
//! counts the guest's instructions. As with callgrind, counts of 2N iterations less those of N cancel
//! start-up. zwasm compiles in the process, so it is kept on one processor: threads that wait for each
//! other would execute different numbers of instructions every time. wasmtime compiles ahead, on
//! this machine. Counts repeat within 0.1 %.

use crate::cli::Arm64Args;
use crate::engine::{self, Adapter, Compile, Job};
use crate::exec::{Executor, Exit, Invocation, Launcher, first_line};
use crate::fail::{Fail, Measured, OrSkip, skip};
use crate::folders::{build_dir, checkout, scratch_dir};
use crate::machine;
use crate::protocol::{bench_args, check_bench, per_iteration};
use crate::provision::on_path;
use crate::results::{analysed, arm64_files, publish};
use crate::select::select;
use crate::setting::{load_corpus, setting, verified};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;
use zwasm_reports::arm64::{Arm64Report, Arm64Row, FORMAT, VERSION};
use zwasm_reports::schema::write_whole;
use zwasm_terminal::{print, say};

const EMULATOR: &str = "qemu-aarch64";
const TARGET: &str = "aarch64-unknown-linux-gnu";

/// An engine: how it is started on this machine, and its ARM64 binary.
struct Side {
    adapter: Box<dyn Adapter>,
    program: PathBuf,
}

/// `compare arm64`: 0 when every selected workload was counted.
pub(crate) fn run(args: &Arm64Args) -> Result<u8> {
    for program in [EMULATOR, "cc", "taskset"] {
        if on_path(program).is_none() {
            return Err(Fail::error(format!("`{program}` is not installed")));
        }
    }
    let zwasm = args.arm64_zwasm.clone().unwrap_or_else(|| {
        let built = build_dir().join("arm64").join(TARGET);
        built.join("release").join("zwasm")
    });
    if !zwasm.is_file() {
        return Err(Fail::error(format!(
            "there is no {}; scripts/arm64-lane.sh build --release -p zwasm-cli makes it",
            zwasm.display()
        )));
    }
    let results = args.results.as_deref().map(analysed).transpose()?;
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("cannot create {}", args.out.display()))?;
    let mut launcher = Launcher::start()?;
    let corpus = load_corpus(&args.places, None)?;
    let (workloads, _) = select(&corpus, None, &args.workloads)?;
    let workloads = verified(&corpus, &workloads)?;
    let mut setting = setting(&args.places, corpus.dir(), &mut launcher, &say)?;
    let ours = Side {
        adapter: engine::find_tier("opt", &mut setting)?.ready()?,
        program: zwasm,
    };
    let theirs = Side {
        adapter: engine::find_peer("wasmtime", &mut setting)?.ready()?,
        program: engine::arm64_wasmtime(&mut setting)?,
    };
    let executor = setting.executor;
    let plugin = build_plugin(executor)?;
    let version = asked(Path::new(EMULATOR), &["--version"], executor)?;
    let peer = asked(
        Path::new(EMULATOR),
        &[&theirs.program.to_string_lossy(), "--version"],
        executor,
    )?;
    let mut report = Arm64Report {
        format: FORMAT.to_owned(),
        version: VERSION,
        commit: machine::commit(checkout()),
        engines: ["opt".to_owned(), peer],
        emulator: version,
        rows: Vec::new(),
        notes: Vec::new(),
    };
    let scratch = scratch_dir();
    for selected in workloads.iter().filter(|s| !s.workload.startup) {
        let workload = selected.workload;
        let job = selected.job(&scratch);
        let Some(instructions) = row(&job, &ours, &theirs, &plugin, executor).or_skip(|why| {
            let note = format!("{}: {why}", workload.id);
            say(&note);
            report.notes.push(note);
        })?
        else {
            continue;
        };
        let row = Arm64Row {
            workload: workload.id.clone(),
            category: workload.category.clone(),
            instructions,
        };
        let [a, b] = row.instructions;
        let ratio = row.ratio();
        let line = format!("{:<24} {a:>14.0} {b:>14.0} {ratio:>6.3}\n", workload.id);
        print(&line)?;
        report.rows.push(row);
    }
    let (mean, rows) = (report.geomean(), report.rows.len());
    print(&format!("geometric mean {mean:.3} of {rows}\n"))?;
    let [table, data] = arm64_files(&args.out);
    write_whole(&table, report.csv().as_bytes())?;
    report.save(&data)?;
    if let Some(results) = &results {
        publish(results, &args.out)?;
    }
    Ok(u8::from(!report.notes.is_empty()))
}

/// The first line that a program prints.
fn asked(program: &Path, args: &[&str], executor: &mut dyn Executor) -> Result<String> {
    let words = args.iter().map(|&word| word.to_owned()).collect();
    let outcome = executor.run(&Invocation::new(program, words))?;
    if outcome.exit != Exit::Code(0) {
        return Err(Fail::error(format!(
            "{} {}: {}",
            program.display(),
            args.join(" "),
            outcome.stderr.trim()
        )));
    }
    Ok(first_line(&outcome))
}

fn build_plugin(executor: &mut dyn Executor) -> Result<PathBuf> {
    let (source, plugin) = (
        scratch_dir().join("count.c"),
        scratch_dir().join("count.so"),
    );
    write_whole(&source, include_bytes!("count.c"))?;
    let (from, to) = (source.to_string_lossy(), plugin.to_string_lossy());
    asked(
        Path::new("cc"),
        &["-O2", "-shared", "-fPIC", "-o", &to, &from],
        executor,
    )?;
    Ok(plugin)
}

/// Instructions per iteration of both engines.
fn row(
    job: &Job<'_>,
    ours: &Side,
    theirs: &Side,
    plugin: &Path,
    executor: &mut dyn Executor,
) -> Measured<[f64; 2], String> {
    let mine =
        counted(job, ours, &[], plugin, executor).skip_because(|why| format!("zwasm: {why}"))?;
    let adapter = theirs.adapter.as_ref();
    let (Some(Compile::Command { whole, .. }), Some(module)) =
        (adapter.compile(job), adapter.compiled(job))
    else {
        return skip("the peer has no command that compiles");
    };
    let mut compile = *whole;
    let target = ["--target", TARGET].map(str::to_owned);
    compile.args.splice(1..1, target);
    let outcome = executor.run(&compile.timeout(Duration::from_secs(300)))?;
    if outcome.exit != Exit::Code(0) {
        let why = outcome.stderr.trim();
        return skip(format!("the peer did not compile it: {why}"));
    }
    let compiled = Job {
        module: &module,
        ..*job
    };
    let options = ["--allow-precompiled"];
    let peers = counted(&compiled, theirs, &options, plugin, executor)
        .skip_because(|why| format!("the peer: {why}"));
    let _ = std::fs::remove_file(&module);
    Ok([mine, peers?])
}

/// Instructions per iteration of an engine, with further options of its command `run`.
fn counted(
    job: &Job<'_>,
    side: &Side,
    options: &[&str],
    plugin: &Path,
    executor: &mut dyn Executor,
) -> Measured<f64, String> {
    let size = &job.workload.small;
    per_iteration(|iterations| {
        let inner = side.adapter.run(job, &bench_args(iterations, size));
        let mut args: Vec<String> = ["-c", "0", EMULATOR, "-plugin"].map(str::to_owned).into();
        args.push(plugin.to_string_lossy().into_owned());
        args.push(side.program.to_string_lossy().into_owned());
        // The engine's verb, then the options.
        args.extend(inner.args.first().cloned());
        args.extend(options.iter().map(|&option| option.to_owned()));
        args.extend(inner.args.iter().skip(1).cloned());
        let invocation = Invocation::new("taskset", args).timeout(Duration::from_secs(600));
        let outcome = executor.run(&invocation)?;
        check_bench(&outcome, iterations, size)?;
        guest_instructions(&outcome.stderr).map_or_else(|| skip("the plugin printed no count"), Ok)
    })
}

/// What the plugin printed.
fn guest_instructions(stderr: &str) -> Option<f64> {
    let mut counts = stderr
        .lines()
        .filter_map(|line| line.strip_prefix("guest instructions: "));
    counts.next_back()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::guest_instructions;

    #[test]
    fn the_count_is_found_in_what_else_is_printed() {
        let printed = "a warning\nguest instructions: 1234\n";
        assert_eq!(guest_instructions(printed), Some(1234.0));
        assert_eq!(guest_instructions("guest instructions: x"), None);
        assert_eq!(guest_instructions(""), None);
    }
}
