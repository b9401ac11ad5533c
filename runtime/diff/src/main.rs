//! The long run: modules of many seeds, in several processes.
//!
//! The process that was started only watches; the others run the modules, so that a crash ends one
//! of them and its seed is known. Where a program cannot start itself (under an emulator),
//! `--in-process` runs everything in one.

#![forbid(unsafe_code)]
#![deny(clippy::print_stdout, clippy::print_stderr)]

use anyhow::{Context, Result, bail};
use clap::Parser;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use zwasm_diff::setup::{Engines, THREAD_STACK_BYTES};
use zwasm_diff::{Mismatch, Summary, check_modules, check_seed, generate};
use zwasm_terminal::{print, unless_closed};

/// Runs generated modules under the interpreter and the native tier and compares.
#[derive(Parser, Clone)]
struct Options {
    /// How many modules.
    #[arg(long, default_value_t = 10_000)]
    count: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many processes.
    #[arg(long, default_value_t = 1)]
    jobs: u64,
    /// Where modules that fail go.
    #[arg(long, default_value = "target/diff")]
    out: PathBuf,
    /// Runs the modules in this very process.
    #[arg(long)]
    in_process: bool,
    /// No guard regions, for emulators, which keep a record of every reserved page.
    #[arg(long)]
    no_guards: bool,
    /// Seconds after which a module counts as one that will not end; most take milliseconds. Under
    /// an emulator, stack overflows in a row take minutes.
    #[arg(long, default_value_t = 60)]
    hang: u64,
    /// Every so-many-th seed only.
    #[arg(long, default_value_t = 1, hide = true)]
    stride: u64,
    /// Waits while this file exists, for machines that are measured on.
    #[arg(long)]
    pause_file: Option<PathBuf>,
    /// Runs this module, or these of a world in their order, with the seed's configuration and
    /// arguments instead of generated ones.
    #[arg(long)]
    module: Vec<PathBuf>,
    /// Writes the seed's module there, and nothing else; the modules of a world beside each other.
    #[arg(long)]
    emit: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = match zwasm_terminal::parse(std::env::args_os()) {
        Ok(options) => options,
        Err(code) => return code,
    };
    zwasm_terminal::end(run(options).map(|()| ExitCode::SUCCESS))
}

fn run(options: Options) -> Result<()> {
    if let Some(path) = &options.emit {
        return write_modules(path, &generate(options.seed)).map(drop);
    }
    std::fs::create_dir_all(&options.out).context("cannot create the directory of --out")?;
    if options.in_process || !options.module.is_empty() {
        // Guests need more stack than the main thread may have.
        let worker = std::thread::Builder::new().stack_size(THREAD_STACK_BYTES);
        let worker = worker.spawn(move || work(&options))?;
        return worker.join().expect("panics are caught in `work`");
    }
    supervise(&options)
}

/// Starts the workers, waits for them, and names the seeds of those that crash.
fn supervise(options: &Options) -> Result<()> {
    let mut failed = false;
    let mut children: Vec<(u64, Child)> = Vec::new();
    for job in 0..options.jobs {
        children.push((
            job,
            start(options, options.seed + job, count_of(options, job))?,
        ));
    }
    for (job, mut child) in children {
        let mut seed = options.seed + job;
        let mut left = count_of(options, job);
        loop {
            let status = child.wait()?;
            if status.success() {
                break;
            }
            failed = true;
            if status.code() == Some(1) {
                // It said what was different.
                break;
            }
            let at = last_seed(&options.out, seed)?;
            tell(&format!(
                "CRASH seed {at}: {status}; reproduce: zwasm-diff --seed {at} --count 1"
            ))?;
            let path = options.out.join(format!("crash-{at}.wasm"));
            write_modules(&path, &generate(at))?;
            let done = (at - seed) / options.jobs + 1;
            if done >= left {
                break;
            }
            left -= done;
            seed = at + options.jobs;
            child = start(options, seed, left)?;
        }
    }
    if failed {
        bail!("the tiers differ");
    }
    Ok(())
}

fn count_of(options: &Options, job: u64) -> u64 {
    options.count / options.jobs + u64::from(job < options.count % options.jobs)
}

fn start(options: &Options, seed: u64, count: u64) -> Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("--in-process")
        .args(["--seed", &seed.to_string()])
        .args(["--count", &count.to_string()])
        .args(["--stride", &options.jobs.to_string()])
        .args(["--hang", &options.hang.to_string()])
        .arg("--out")
        .arg(&options.out);
    if options.no_guards {
        command.arg("--no-guards");
    }
    if let Some(path) = &options.pause_file {
        command.arg("--pause-file").arg(path);
    }
    command.spawn().context("cannot start a worker")
}

fn progress_path(out: &Path, seed: u64) -> PathBuf {
    out.join(format!("progress-{seed}"))
}

fn last_seed(out: &Path, first: u64) -> Result<u64> {
    let bytes = std::fs::read(progress_path(out, first))?;
    let bytes = bytes
        .get(..8)
        .context("a worker ended before its first module")?;
    Ok(u64::from_le_bytes(bytes.try_into().expect("eight bytes")))
}

/// Runs modules one after the other.
fn work(options: &Options) -> Result<()> {
    let path = progress_path(&options.out, options.seed);
    let progress = File::create(&path).context("cannot write into the directory of --out")?;
    let current = Arc::new(AtomicU64::new(u64::MAX));
    watch(current.clone(), Duration::from_secs(options.hang));
    let mut engines = Engines::new();
    if options.no_guards {
        engines.without_guards();
    }
    let mut total = Summary::default();
    let mut mismatches = 0;
    let begun = Instant::now();
    let mut reported = Instant::now();
    for i in 0..options.count {
        let seed = options.seed + i * options.stride;
        progress.write_all_at(&seed.to_le_bytes(), 0)?;
        current.store(seed, Ordering::Relaxed);
        let result = if options.module.is_empty() {
            check_seed(&mut engines, seed)
        } else {
            let modules = options.module.iter().map(std::fs::read);
            check_modules(&mut engines, seed, modules.collect::<Result<_, _>>()?)
        };
        match result {
            Ok(summary) => total.add(summary),
            Err(mismatch) => {
                mismatches += 1;
                report(options, &mismatch)?;
            }
        }
        if reported.elapsed() > Duration::from_secs(60) {
            reported = Instant::now();
            print_total(&total, mismatches, begun.elapsed())?;
        }
        if i % 256 == 0
            && let Some(path) = &options.pause_file
        {
            while path.exists() {
                current.store(u64::MAX, Ordering::Relaxed);
                std::thread::sleep(Duration::from_secs(1));
            }
        }
    }
    current.store(u64::MAX, Ordering::Relaxed);
    print_total(&total, mismatches, begun.elapsed())?;
    std::fs::remove_file(path)?;
    if mismatches > 0 {
        bail!("{mismatches} modules differ");
    }
    Ok(())
}

/// Writes a line. The modules go on without a reader: the exit code and the files are results too.
fn tell(line: &str) -> Result<()> {
    Ok(unless_closed(print(&format!("{line}\n")))?)
}

fn print_total(total: &Summary, mismatches: u64, elapsed: Duration) -> Result<()> {
    tell(&format!(
        "{} modules ({:.0}/s), {} instantiated, {} calls returned, {} trapped, {} out of stack, \
         {} worlds ({} calls across, {} tail-called hosts, {} wraps, {} overflows, {} calls back, \
         {} + {} from other threads), {} skipped, {mismatches} mismatches",
        total.modules + mismatches,
        (total.modules + mismatches) as f64 / elapsed.as_secs_f64(),
        total.instantiated,
        total.returned,
        total.trapped,
        total.exhausted,
        total.worlds,
        total.crossed,
        total.hosts_tail_called,
        total.wrapped,
        total.overflowed,
        total.reentered,
        total.threads,
        total.host_threads,
        total.skipped,
    ))
}

fn report(options: &Options, mismatch: &Mismatch) -> Result<()> {
    let seed = mismatch.seed;
    let path = options.out.join(format!("mismatch-{seed}.wasm"));
    let modules = write_modules(&path, &mismatch.modules)?;
    tell(&format!(
        "MISMATCH seed {seed}: {}\n  {:?}\n  reproduce: zwasm-diff --seed {seed} --count 1; {modules}",
        mismatch.what, mismatch.setup,
    ))
}

/// Writes a module there, or the modules of a world to files numbered in their order, and says so.
fn write_modules(path: &Path, modules: &[Vec<u8>]) -> Result<String> {
    if let [module] = modules {
        std::fs::write(path, module)?;
        return Ok(format!("the module is {}", path.display()));
    }
    for (index, module) in modules.iter().enumerate() {
        std::fs::write(path.with_extension(format!("{index}.wasm")), module)?;
    }
    let last = path.with_extension(format!("{}.wasm", modules.len() - 1));
    Ok(format!("the last of the modules is {}", last.display()))
}

/// Ends the process when a module takes longer than `hang`.
fn watch(current: Arc<AtomicU64>, hang: Duration) {
    std::thread::spawn(move || {
        let mut since = Instant::now();
        let mut last = u64::MAX;
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let now = current.load(Ordering::Relaxed);
            if now != last || now == u64::MAX {
                last = now;
                since = Instant::now();
            } else if since.elapsed() > hang {
                // The exit code says it too.
                let _ = tell(&format!("HANG seed {now}"));
                std::process::exit(3);
            }
        }
    });
}
