//! Suite `real`: published programs, each with one job, from a cold process to its last byte.
//!
//! [`own`] makes a job of a user's module. [`fetch`] has the modules, [`job`] turns a module's job into command lines and checks what came
//! out, [`runner`] measures by a [`plan`], [`check`] only asks whether all are done rightly. Every
//! sample is a process that did the whole job rightly: time to the first byte on stdout (to the end,
//! where a job only writes files), total time and peak memory.

mod check;
pub(crate) mod fetch;
mod job;
mod own;
mod plan;
mod runner;

use crate::agree;
use crate::cli::{Places, RunArgs};
use crate::engine::Adapter;
use crate::exec::Launcher;
use crate::fail::Fail;
use crate::progress::Bar;
use crate::results::{self, Sitting};
use crate::runner::{Processes, Run};
use crate::setting;
use anyhow::Result;
use fetch::Fetcher;
use job::Ready;
pub(crate) use own::compare_own;
use runner::JobRunner;
use std::path::PathBuf;
use std::time::Duration;
use zwasm_reports::schema::{CorpusInfo, JobInfo, Results, WorkloadInfo};
use zwasm_terminal::{print, say};
use zwasm_workloads::real::{RealModule, RealSuite};

/// The name of the suite.
pub(crate) const SUITE: &str = "real";

/// Where packages are unpacked.
fn modules_dir(places: &Places) -> PathBuf {
    let default = || crate::folders::build_dir().join(SUITE);
    places.real_dir.clone().unwrap_or_else(default)
}

fn load_suite(places: &Places) -> Result<RealSuite> {
    let suite = match &places.corpus {
        Some(dir) => RealSuite::load_from(&dir.join("real")),
        None => RealSuite::load(),
    };
    suite.map_err(|e| Fail::error(format!("real modules: {e}")))
}

/// The modules that patterns name, or all.
fn select<'s>(suite: &'s RealSuite, patterns: &[String]) -> Result<Vec<&'s RealModule>> {
    let ids: Vec<&str> = suite.modules.iter().map(|m| m.id.as_str()).collect();
    if let Some(pattern) = crate::select::unmatched(patterns, &ids) {
        return Err(Fail::usage(format!("no module matches `{pattern}`")));
    }
    let chosen = |m: &&RealModule| {
        patterns.is_empty() || patterns.iter().any(|p| crate::select::matches(p, &m.id))
    };
    Ok(suite.modules.iter().filter(chosen).collect())
}

/// `compare fetch`: has the modules, and says where they are.
pub(crate) fn fetch(patterns: &[String], places: &Places) -> Result<u8> {
    let mut launcher = Launcher::start()?;
    let suite = load_suite(places)?;
    let fetcher = Fetcher::new(modules_dir(places), !places.no_install, &say);
    for module in select(&suite, patterns)? {
        let had = fetcher.have(&suite, module, &mut launcher)?;
        let line = format!("{:<16} {}\n", module.id, had.module.display());
        print(&line)?;
    }
    Ok(0)
}

/// `compare --suite real`: measures and writes the report, or only checks.
pub(crate) fn compare(args: &RunArgs) -> Result<u8> {
    let mut launcher = Launcher::start()?;
    let suite = load_suite(&args.places)?;
    let modules = select(&suite, &args.workloads)?;
    let bar = Bar::new();
    let say = |line: &str| bar.line(line);
    let places = setting::places_for(&args.places, &args.against, &say)?;
    let mut setting = setting::setting(&places, suite.dir(), &mut launcher, &say)?;
    let (infos, engines) = setting::have_engines(args, &mut setting, &say)?;

    let fetcher = Fetcher::new(modules_dir(&args.places), !args.places.no_install, &say);
    let scratch = crate::folders::scratch_dir();
    let mut ready = Vec::new();
    for module in modules {
        let had = fetcher.have(&suite, module, &mut launcher)?;
        ready.push(Ready::new(&suite, module, had, &scratch)?);
    }
    if args.check {
        let missing = infos.iter().filter(|e| e.missing.is_some()).count();
        return check::check(&ready, &engines, missing, processes(args, &mut launcher));
    }
    let out = setting::out_dir(args)?;
    let selection = if args.workloads.is_empty() {
        SUITE.to_owned()
    } else {
        format!("{SUITE}: {}", args.workloads.join(","))
    };
    let corpus = CorpusInfo {
        checksum: suite.checksum(),
        selection,
    };
    let workloads = ready.iter().map(|r| {
        let package = suite.package_of(r.module);
        info(r, &format!("{} {}", package.name, package.version))
    });
    let workloads = workloads.collect();
    let mut fresh = results::skeleton(args, corpus, workloads, infos);
    // A job has no iterations to take together.
    fresh.profile.pace = None;
    measure(args, &out, fresh, &ready, &engines, &mut launcher, &bar)
}

fn processes<'a>(args: &RunArgs, launcher: &'a mut Launcher) -> Processes<'a> {
    // Compiling the largest of these modules takes other engines minutes on a busy machine.
    let time_limit = Duration::from_secs(args.timeout.unwrap_or(600));
    Processes {
        executor: launcher,
        time_limit,
    }
}

fn measure(
    args: &RunArgs,
    out: &std::path::Path,
    fresh: Results,
    ready: &[Ready<'_>],
    engines: &[Box<dyn Adapter>],
    launcher: &mut Launcher,
    bar: &Bar,
) -> Result<u8> {
    let claims = agree::claims(args)?;
    let mut results = results::begin(args, out, fresh)?;
    let sitting = Sitting::begin(&results);
    let outcome = JobRunner {
        run: Run {
            engines,
            progress: bar,
            save: &|results| sitting.save(results, out),
            seed: results.started_unix_s,
        },
        processes: processes(args, launcher),
        modules: ready,
    }
    .measure(&mut results);
    bar.finish();
    sitting.end(&mut results);
    results::conclude(results, outcome, out, claims.as_ref())
}

fn info(ready: &Ready<'_>, package: &str) -> WorkloadInfo {
    let module = ready.module;
    WorkloadInfo {
        id: module.id.clone(),
        category: SUITE.to_owned(),
        description: module.description.clone(),
        language: module.language.clone(),
        startup: false,
        wasm_bytes: module.bytes,
        size: String::new(),
        job: Some(JobInfo {
            package: package.to_owned(),
            licence: module.licence.clone(),
            sha256: module.sha256.clone(),
            code_section_bytes: ready.code_section_bytes,
        }),
    }
}
