//! `compare --against …` over the corpus: time, memory and first results.

mod calibrate;
mod duet;
mod plan;
mod runner;
mod stages;
mod visit;

use crate::builds::{HOW_BUILT, is_with_revision};
use crate::cli::{ProfileName, RunArgs};
use crate::exec::{Launcher, is_interrupt};
use crate::fail::Fail;
use crate::folders::scratch_dir;
use crate::progress::Bar;
use crate::results::{Sitting, begin, conclude, skeleton};
use crate::runner::{Processes, Run};
use crate::select::select;
use crate::setting::{Selected, have_engines, load_corpus, out_dir, places_for, setting, verified};
use crate::{agree, callgrind, code};
use anyhow::Result;
use runner::CorpusRunner;
use std::time::{Duration, Instant};
use zwasm_reports::analysis::analyse;
use zwasm_reports::schema::{CorpusInfo, WorkloadInfo};

/// `compare --against …`: measures and writes the report.
pub(crate) fn compare(args: &RunArgs) -> Result<u8> {
    if args.check {
        return Err(Fail::usage("--check is for --suite real"));
    }
    if args.against.is_empty() {
        return Err(Fail::usage(
            "name an engine to compare with, e.g. `compare --against wasmtime` (or --help)",
        ));
    }
    let claims = agree::claims(args)?;
    // The helper comes first: its memory should be that of a small process.
    let mut launcher = Launcher::start()?;
    let corpus = load_corpus(&args.places, args.suite.as_deref())?;
    let (workloads, selection) = select(&corpus, args.suite.as_deref(), &args.workloads)?;
    let workloads = verified(&corpus, &workloads)?;
    let out = out_dir(args)?;

    let bar = Bar::new();
    let say = |line: &str| bar.line(line);
    let places = places_for(&args.places, &args.against, &say)?;
    let mut setting = setting(&places, corpus.dir(), &mut launcher, &say)?;
    let (infos, engines) = have_engines(args, &mut setting, &say)?;
    let started = Instant::now();
    let corpus = CorpusInfo {
        checksum: corpus.checksum(),
        selection,
    };
    let infos_of_workloads = workloads.iter().map(workload_info).collect();
    let mut fresh = skeleton(args, corpus, infos_of_workloads, infos);
    if is_with_revision(&args.against) {
        fresh.notes.push(HOW_BUILT.to_owned());
    }
    let mut results = begin(args, &out, fresh)?;

    let sitting = Sitting::begin(&results);
    let scratch = scratch_dir();
    let limit = args.timeout.unwrap_or_else(|| args.profile.time_limit_s());
    let outcome = CorpusRunner {
        run: Run {
            engines: &engines,
            progress: &bar,
            save: &|results| sitting.save(results, &out),
            seed: results.started_unix_s,
        },
        processes: Processes {
            executor: &mut launcher,
            time_limit: Duration::from_secs(limit),
        },
        workloads: &workloads,
        scratch: &scratch,
        started,
    }
    .measure(&mut results);
    let of_builds = results.is_of_builds();
    let can_count = callgrind::available() && (args.profile == ProfileName::Full || of_builds);
    if outcome.is_ok() && (args.code || can_count) {
        let mut analysed = results.clone();
        analyse(&mut analysed);
        let added = if of_builds {
            code::add_moved(&analysed, &engines, &workloads, &out, &mut launcher, &say)
        } else {
            code::add(&analysed, &places, &out, &mut launcher, &say)
        };
        if let Err(error) = added {
            if is_interrupt(&error) {
                return Err(error);
            }
            say(&format!("no page of hot functions: {error:#}"));
        }
    }
    bar.finish();
    sitting.end(&mut results);
    conclude(results, outcome, &out, claims.as_ref())
}

fn workload_info(selected: &Selected<'_>) -> WorkloadInfo {
    let workload = selected.workload;
    WorkloadInfo {
        id: workload.id.clone(),
        category: workload.category.clone(),
        description: workload.description.clone(),
        language: workload.language.clone(),
        startup: workload.startup,
        wasm_bytes: workload.bytes,
        size: String::new(),
        job: None,
    }
}
