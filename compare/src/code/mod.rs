//! `compare code`: our hottest function's machine code beside wasmtime's for the same function.
//!
//! Per workload both engines run N and 2N iterations of the small size under callgrind, which counts
//! every instruction; [`profile`] finds the functions that they belong to, [`listing`] disassembles.
//! Our code comes from the running process (a jitdump), the peer's from what its own `compile` writes,
//! which is also what runs. Valgrind shows programs a processor without AVX-512, so the peer compiles
//! under it, too.

mod listing;
pub(crate) mod profile;

use crate::callgrind;
use crate::cli::{CODE_ROWS, CodeArgs, Places};
use crate::engine::{self, Adapter, Compile, Job};
use crate::exec::{Executor, Exit, Launcher};
use crate::fail::{Fail, Measured, OrSkip, skip};
use crate::folders::{checkout, scratch_dir};
use crate::machine;
use crate::protocol::{COUNTED_ITERATIONS, bench_args, check_bench};
use crate::results::{analysed, code_files, publish};
use crate::select::select;
use crate::setting::{Selected, load_corpus, setting, verified};
use anyhow::{Context, Result};
use object::{Object, ObjectSection, ObjectSymbol};
use profile::{Counts, Region};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zwasm_reports::code::{CodeReport, CodeRow, FORMAT, Side, VERSION};
use zwasm_reports::html::code_page;
use zwasm_reports::schema::{Metric, Results, write_whole};
use zwasm_terminal::{print, say};

/// The tier whose code is shown, and the peer whose `compile` output is read.
const ENGINES: [&str; 2] = ["opt", "wasmtime"];

/// Of two builds, the tiers whose code can be counted: what one thread makes.
const MOVED_TIERS: [&str; 2] = ["opt", "baseline"];
/// Of two builds, rows whose code is shown.
const MOVED_ROWS: usize = 6;

/// Functions named as the hottest.
const HOTTEST: usize = 8;

/// `compare code`: 0 when there is a page.
pub(crate) fn run(args: &CodeArgs) -> Result<u8> {
    let results = args.results.as_deref().map(analysed).transpose()?;
    if results.is_none() && args.workloads.is_empty() {
        return Err(Fail::usage(
            "name a results.json, whose slowest rows are shown, or workloads",
        ));
    }
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("cannot create {}", args.out.display()))?;
    let mut launcher = Launcher::start()?;
    let chosen = if args.workloads.is_empty() {
        let worst = results.iter().flat_map(slowest).map(|(id, _)| id);
        worst.take(args.rows).collect()
    } else {
        args.workloads.clone()
    };
    let report = record(&chosen, results.as_ref(), &args.places, &mut launcher, &say)?;
    write(&report, &args.out)?;
    match &results {
        Some(results) => publish(results, &args.out)?,
        None => {
            let page = args.out.join("code.html");
            print(&format!("{}\n", page.display()))?;
        }
    }
    Ok(0)
}

/// `--code` of a comparison: the pages for its slowest rows. What is in the way is told, for the
/// measurements are worth having without it.
pub(crate) fn add(
    results: &Results,
    places: &Places,
    out: &Path,
    executor: &mut dyn Executor,
    say: &dyn Fn(&str),
) -> Result<()> {
    let worst: Vec<String> = slowest(results).map(|(id, _)| id).take(CODE_ROWS).collect();
    if worst.is_empty() {
        say("no row of tier opt beside wasmtime: no page of hot functions");
        return Ok(());
    }
    write(&record(&worst, Some(results), places, executor, say)?, out)
}

/// The pages for the rows of two builds in which something moved, of the optimizing tier where that was
/// measured, else of the baseline tier: code before and after.
pub(crate) fn add_moved(
    results: &Results,
    engines: &[Box<dyn Adapter>],
    workloads: &[Selected<'_>],
    out: &Path,
    executor: &mut dyn Executor,
    say: &dyn Fn(&str),
) -> Result<()> {
    available()?;
    let engine = |id: &str| engines.iter().find(|e| e.info().id == id);
    let Some(ours) = MOVED_TIERS.iter().find_map(|tier| engine(tier)) else {
        return Ok(());
    };
    let mut others = engines.iter().map(AsRef::as_ref);
    let is_other = |e: &&dyn Adapter| e.info().counterpart.as_ref() == Some(&ours.info().id);
    let Some(theirs) = others.find(is_other) else {
        return Ok(());
    };
    let pair = [ours.as_ref(), theirs];
    let mut moved = results.moved();
    moved.retain(|gap| gap.metric == Metric::Steady && gap.tier == ours.info().id);
    moved.truncate(MOVED_ROWS);
    let is_moved = |s: &&Selected<'_>| moved.iter().any(|gap| gap.workload == s.workload.id);
    let workloads: Vec<&Selected<'_>> = workloads.iter().filter(is_moved).collect();
    let times: BTreeMap<String, f64> = moved
        .iter()
        .map(|gap| (gap.workload.clone(), gap.ratio))
        .collect();
    let titles = pair.map(|engine| engine.info().id.clone());
    write(&rows(&workloads, pair, titles, &times, executor, say)?, out)
}

/// The rows of our tier beside the peer, slowest first.
fn slowest(results: &Results) -> impl Iterator<Item = (String, f64)> + use<> {
    let [tier, peer] = ENGINES;
    let is_ours = |gap: &&zwasm_reports::schema::Gap| {
        gap.tier == tier && gap.peer == peer && gap.metric == Metric::Steady
    };
    let mut rows: Vec<(String, f64)> = results
        .gaps
        .iter()
        .filter(is_ours)
        .map(|gap| (gap.workload.clone(), gap.ratio))
        .collect();
    rows.sort_by(|a, b| b.1.total_cmp(&a.1));
    rows.into_iter()
}

/// Whether code can be shown here.
fn available() -> Result<()> {
    if !callgrind::available() {
        return Err(Fail::error(
            "the page of hot functions needs valgrind, which is not installed (package `valgrind`)",
        ));
    }
    if std::env::consts::ARCH != "x86_64" {
        return Err(Fail::error(
            "the page of hot functions is made on x86-64 only",
        ));
    }
    Ok(())
}

fn write(report: &CodeReport, out: &Path) -> Result<()> {
    let [page, table, data] = code_files(out);
    write_whole(&page, code_page(report).as_bytes())?;
    write_whole(&table, report.csv().as_bytes())?;
    Ok(report.save(&data)?)
}

fn record(
    patterns: &[String],
    results: Option<&Results>,
    places: &Places,
    executor: &mut dyn Executor,
    say: &dyn Fn(&str),
) -> Result<CodeReport> {
    available()?;
    let corpus = load_corpus(places, results.map(|r| r.corpus.selection.as_str()))?;
    let (workloads, _) = select(&corpus, None, patterns)?;
    let workloads = verified(&corpus, &workloads)?;
    let mut setting = setting(places, corpus.dir(), executor, say)?;
    let ours = engine::find_tier(ENGINES[0], &mut setting)?.ready()?;
    let theirs = engine::find_peer(ENGINES[1], &mut setting)?.ready()?;
    let executor = setting.executor;
    let times: BTreeMap<String, f64> = results.into_iter().flat_map(slowest).collect();
    let titles = [ENGINES[0].to_owned(), theirs.info().version.clone()];
    let pair = [ours.as_ref(), theirs.as_ref()];
    let workloads: Vec<&Selected<'_>> = workloads.iter().collect();
    rows(&workloads, pair, titles, &times, executor, say)
}

/// The rows of these workloads, the slowest by time first.
fn rows(
    workloads: &[&Selected<'_>],
    [ours, theirs]: [&dyn Adapter; 2],
    titles: [String; 2],
    times: &BTreeMap<String, f64>,
    executor: &mut dyn Executor,
    say: &dyn Fn(&str),
) -> Result<CodeReport> {
    let scratch = scratch_dir();
    let mut report = CodeReport {
        format: FORMAT.to_owned(),
        version: VERSION,
        commit: machine::commit(checkout()),
        isa: std::env::consts::ARCH.to_owned(),
        engines: titles,
        rows: Vec::new(),
        notes: Vec::new(),
    };
    for selected in workloads.iter().filter(|s| !s.workload.startup) {
        let job = selected.job(&scratch);
        let id = &selected.workload.id;
        say(&format!("counting instructions of {id}"));
        let row = row(&job, ours, theirs, executor).or_skip(|why| {
            say(&format!("{id}: {why}"));
            report.notes.push(format!("{id} is not shown: {why}"));
        })?;
        report.rows.extend(row.map(|row| CodeRow {
            time_ratio: times.get(id).copied(),
            ..row
        }));
    }
    let ratio = |row: &CodeRow| {
        row.time_ratio
            .unwrap_or(row.sides[0].process / row.sides[1].process)
    };
    report.rows.sort_by(|a, b| ratio(b).total_cmp(&ratio(a)));
    Ok(report)
}

/// The row of a workload.
fn row(
    job: &Job<'_>,
    ours: &dyn Adapter,
    theirs: &dyn Adapter,
    executor: &mut dyn Executor,
) -> Measured<CodeRow, String> {
    let mine = profile_ours(job, ours, executor)?;
    let Some(&(function, _)) = mine.hottest.first() else {
        return skip("no code made from wasm was executed");
    };
    let peers = if theirs.info().counterpart.is_some() {
        profile_ours(job, theirs, executor)?
    } else {
        profile_peer(job, theirs, executor)?
    };
    let name = mine.functions.get(&function).and_then(|f| f.name.clone());
    let sides = [mine.side(function), peers.side(function)];
    let [Some(mine), Some(peers)] = sides else {
        return skip(format!("no code of function {function} was found"));
    };
    Ok(CodeRow {
        workload: job.workload.id.clone(),
        function,
        name,
        time_ratio: None,
        sides: [mine, peers],
    })
}

/// A function of one engine.
struct Code {
    name: Option<String>,
    region: Region,
}

/// What one engine executed per iteration.
struct Profile {
    process: f64,
    wasm: f64,
    functions: BTreeMap<u32, Code>,
    /// Most first.
    hottest: Vec<(u32, f64)>,
    /// By function and offset.
    executed: BTreeMap<(u32, u64), f64>,
}

impl Profile {
    /// From what `run` counts with N and with 2N iterations.
    fn of(
        mut run: impl FnMut(u32) -> Measured<(Counts, BTreeMap<u32, Code>), String>,
    ) -> Measured<Profile, String> {
        let (short, before) = run(COUNTED_ITERATIONS)?;
        let (long, functions) = run(2 * COUNTED_ITERATIONS)?;
        let per_iteration = |long: f64, short: f64| (long - short) / f64::from(COUNTED_ITERATIONS);
        let earlier = by_function(&short, &before);
        let mut executed = by_function(&long, &functions);
        for (place, count) in &mut executed {
            *count = per_iteration(*count, earlier.get(place).copied().unwrap_or(0.0));
        }
        let mut totals: BTreeMap<u32, f64> = BTreeMap::new();
        for (&(function, _), &count) in &executed {
            *totals.entry(function).or_default() += count;
        }
        let mut hottest: Vec<(u32, f64)> = totals.into_iter().filter(|t| t.1 > 0.0).collect();
        // Of equals the first function: `sort_by` is stable.
        hottest.sort_by(|a, b| b.1.total_cmp(&a.1));
        Ok(Profile {
            process: per_iteration(long.total, short.total),
            wasm: executed.values().sum(),
            hottest,
            functions,
            executed,
        })
    }

    fn side(&self, function: u32) -> Option<Side> {
        let region = &self.functions.get(&function)?.region;
        let others: Vec<Region> = self
            .functions
            .iter()
            .map(|(index, code)| Region {
                name: format!("function {index}"),
                code: Vec::new(),
                ..code.region
            })
            .collect();
        let mut lines = listing::listing(&region.code, region, &others);
        for line in &mut lines {
            let place = (function, u64::from(line.offset));
            line.count = self.executed.get(&place).copied().unwrap_or(0.0);
        }
        Some(Side {
            process: self.process,
            wasm: self.wasm,
            hottest: self.hottest.iter().take(HOTTEST).copied().collect(),
            bytes: region.length,
            lines,
        })
    }
}

/// Instructions by function and offset.
fn by_function(counts: &Counts, functions: &BTreeMap<u32, Code>) -> BTreeMap<(u32, u64), f64> {
    let mut by = BTreeMap::new();
    for (&index, code) in functions {
        let Region { start, length, .. } = code.region;
        for (&address, &count) in counts.at.range(start..start + length) {
            *by.entry((index, address - start)).or_default() += count;
        }
    }
    by
}

fn profile_ours(
    job: &Job<'_>,
    ours: &dyn Adapter,
    executor: &mut dyn Executor,
) -> Measured<Profile, String> {
    Profile::of(|iterations| {
        let counts = counted(job, ours, &["--profile", "jitdump"], iterations, executor)?;
        let dump = job.scratch.join(format!("jit-{}.dump", counts.pid));
        let bytes = std::fs::read(&dump).with_context(|| format!("{}", dump.display()))?;
        let _ = std::fs::remove_file(&dump);
        let functions = profile::jitdump(&bytes).into_iter().filter_map(|region| {
            let (index, name) = profile::zwasm_function(&region.name)?;
            Some((index, Code { name, region }))
        });
        Ok((counts, functions.collect()))
    })
}

fn profile_peer(
    job: &Job<'_>,
    theirs: &dyn Adapter,
    executor: &mut dyn Executor,
) -> Measured<Profile, String> {
    let (Some(Compile::Command { whole, .. }), Some(module)) =
        (theirs.compile(job), theirs.compiled(job))
    else {
        return skip("the peer has no command that compiles");
    };
    let mut args = vec!["--tool=none".to_owned(), "-q".to_owned()];
    args.push(whole.program.to_string_lossy().into_owned());
    args.extend(whole.args.iter().cloned());
    let mut compile = whole.as_ref().clone().timeout(Duration::from_secs(300));
    compile.program = "valgrind".into();
    compile.args = args;
    let outcome = executor.run(&compile)?;
    if outcome.exit != Exit::Code(0) {
        let why = outcome.stderr.trim();
        return skip(format!("the peer did not compile it: {why}"));
    }
    let file = std::fs::read(&module).with_context(|| format!("{}", module.display()))?;
    let symbols = match symbols(&file) {
        Ok(symbols) => symbols,
        Err(why) => return skip(format!("{}: {why}", module.display())),
    };
    let compiled = Job {
        module: &module,
        ..*job
    };
    let profile = Profile::of(|iterations| {
        let options = ["--allow-precompiled", "--profile=perfmap"];
        let counts = counted(&compiled, theirs, &options, iterations, executor)?;
        let map = PathBuf::from(format!("/tmp/perf-{}.map", counts.pid));
        let text = std::fs::read_to_string(&map).with_context(|| format!("{}", map.display()))?;
        let _ = std::fs::remove_file(&map);
        let mut functions = BTreeMap::new();
        for mut region in profile::perf_map(&text) {
            let Some(index) = profile::wasmtime_function(&region.name) else {
                continue;
            };
            if let Some(code) = symbols.get(&region.name) {
                region.code.clone_from(code);
            }
            functions.insert(index, Code { name: None, region });
        }
        Ok((counts, functions))
    })?;
    let _ = std::fs::remove_file(&module);
    Ok(profile)
}

/// The code of each function in a compiled module of wasmtime, which is an ELF file.
fn symbols(file: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, object::Error> {
    let elf = object::File::parse(file)?;
    let mut found = BTreeMap::new();
    for symbol in elf.symbols() {
        let Some(section) = symbol.section_index() else {
            continue;
        };
        let section = elf.section_by_index(section)?;
        if let Some(code) = section.data_range(symbol.address(), symbol.size())? {
            found.insert(symbol.name()?.to_owned(), code.to_vec());
        }
    }
    Ok(found)
}

/// A run under callgrind with further options of the engine's command `run`.
fn counted(
    job: &Job<'_>,
    adapter: &dyn Adapter,
    options: &[&str],
    iterations: u32,
    executor: &mut dyn Executor,
) -> Measured<Counts, String> {
    let size = &job.workload.small;
    let mut inner = adapter.run(job, &bench_args(iterations, size));
    // Behind the verb.
    let options = options.iter().map(|&option| option.to_owned());
    inner.args.splice(1..1, options);
    let out = job.scratch.join("callgrind.code");
    let details = [
        "--dump-instr=yes",
        "--compress-pos=no",
        "--compress-strings=no",
    ];
    let mut invocation = callgrind::under_callgrind(&inner, &out, &details);
    invocation.dir = Some(job.scratch.to_owned());
    let outcome = executor.run(&invocation)?;
    check_bench(&outcome, iterations, size)?;
    let text = std::fs::read_to_string(&out).unwrap_or_default();
    let _ = std::fs::remove_file(&out);
    Counts::parse(&text).map_or_else(|| skip("callgrind wrote no counts"), Ok)
}
