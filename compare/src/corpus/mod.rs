//! `compare --against …` over the corpus: time, memory and first results.

mod calibrate;
mod duet;
mod plan;
mod runner;
mod stages;
mod visit;

use crate::cli::{ProfileName, RunArgs};
use crate::exec::{Launcher, is_interrupt};
use crate::fail::Fail;
use crate::progress::Bar;
use crate::results::{Sitting, begin, conclude, skeleton};
use crate::runner::{Processes, Run};
use crate::select::select;
use crate::setting::{
    Selected, have_engines, load_corpus, out_dir, scratch_dir, setting, verified,
};
use crate::{callgrind, code};
use anyhow::Result;
use runner::CorpusRunner;
use std::time::{Duration, Instant};
use zwasm_reports::analysis::analyse;
use zwasm_reports::schema::{CorpusInfo, WorkloadInfo};

/// `compare --against …`: measures and writes the report.
pub(crate) fn compare(args: &RunArgs) -> Result<u8> {
    let started = Instant::now();
    if args.check {
        return Err(Fail::usage("--check is for --suite real"));
    }
    if args.against.is_empty() {
        return Err(Fail::usage(
            "name an engine to compare with, e.g. `compare --against wasmtime` (or --help)",
        ));
    }
    // The helper comes first: its memory should be that of a small process.
    let mut launcher = Launcher::start()?;
    let corpus = load_corpus(&args.places)?;
    let (workloads, selection) = select(&corpus, args.suite.as_deref(), &args.workloads)?;
    let workloads = verified(&corpus, &workloads)?;
    let out = out_dir(args)?;

    let bar = Bar::new();
    let say = |line: &str| bar.line(line);
    let mut setting = setting(&args.places, corpus.dir(), &mut launcher, &say)?;
    let (infos, engines) = have_engines(args, &mut setting, &say)?;
    let corpus = CorpusInfo {
        checksum: corpus.checksum(),
        selection,
    };
    let infos_of_workloads = workloads.iter().map(workload_info).collect();
    let fresh = skeleton(args, corpus, infos_of_workloads, infos);
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
    let wants_code = args.code || (args.profile == ProfileName::Full && callgrind::available());
    if outcome.is_ok() && wants_code {
        let mut analysed = results.clone();
        analyse(&mut analysed);
        if let Err(error) = code::add(&analysed, &args.places, &out, &mut launcher, &say) {
            if is_interrupt(&error) {
                return Err(error);
            }
            say(&format!("no page of hot functions: {error:#}"));
        }
    }
    bar.finish();
    sitting.end(&mut results);
    conclude(results, outcome, &out)
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
