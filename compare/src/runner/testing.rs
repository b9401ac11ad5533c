//! A run without processes, for tests: engines that are only names, and results with nothing in them.

use super::{Progress, Run};
use crate::engine::{Adapter, Compile, Job};
use crate::exec::Invocation;
use std::time::Duration;
use zwasm_reports::schema::{
    Cell, CellStatus, Commit, CorpusInfo, EngineInfo, EngineKind, FORMAT, Machine, Profile,
    Results, VERSION, WorkloadInfo,
};
use zwasm_workloads::Workload;

struct NamedEngine(EngineInfo);

impl Adapter for NamedEngine {
    fn info(&self) -> &EngineInfo {
        &self.0
    }
    fn unsupported(&self, workload: &Workload) -> Option<String> {
        workload
            .features
            .first()
            .map(|f| format!("no support for {f}"))
    }
    fn run(&self, job: &Job<'_>, args: &[String]) -> Invocation {
        let mut all = vec![job.workload.id.clone()];
        all.extend_from_slice(args);
        Invocation::new(&self.0.id, all)
    }
    fn compile(&self, _: &Job<'_>) -> Option<Compile> {
        None
    }
    fn run_with_phases(&self, _: &Job<'_>, _: &[String]) -> Option<Invocation> {
        None
    }
    fn code_bytes(&self, _: &Job<'_>) -> Option<u64> {
        None
    }
}

struct Quiet;

impl Progress for Quiet {
    fn plan(&self, _: Duration) {}
    fn done(&self, _: Duration) {}
    fn say(&self, _: &str) {}
}

/// Engines whose invocations have the engine as program and the workload as first argument.
pub(crate) fn engines(results: &Results) -> Vec<Box<dyn Adapter>> {
    let engine = |info: &EngineInfo| -> Box<dyn Adapter> { Box::new(NamedEngine(info.clone())) };
    results.engines.iter().map(engine).collect()
}

/// A run that tells nobody; what it would save must be readable.
pub(crate) fn run(engines: &[Box<dyn Adapter>]) -> Run<'_> {
    Run {
        engines,
        progress: &Quiet,
        save: &|results| {
            Results::parse(&results.to_json(), "partial")?;
            Ok(())
        },
        seed: 7,
    }
}

/// Results with nothing measured. An engine is a tier if its name begins like that.
pub(crate) fn results(workloads: &[&str], engines: &[&str]) -> Results {
    let workload = |id: &&str| WorkloadInfo {
        id: (*id).to_owned(),
        category: "test".to_owned(),
        description: String::new(),
        language: String::new(),
        startup: false,
        wasm_bytes: 100,
        size: String::new(),
        job: None,
    };
    let engine = |id: &&str| {
        let kind = if id.starts_with("tier") {
            EngineKind::Tier
        } else {
            EngineKind::Peer
        };
        EngineInfo::new(id, kind, "")
    };
    Results {
        format: FORMAT.to_owned(),
        version: VERSION,
        complete: false,
        profile: Profile {
            name: "quick".to_owned(),
            blocks: 6,
            fresh_blocks: 20,
            sample_ms: 10,
            budget_s: None,
            pace: None,
        },
        started_unix_s: 0,
        duration_s: 0.0,
        commit: Commit::default(),
        machine: Machine::default(),
        corpus: CorpusInfo::default(),
        engines: engines.iter().map(engine).collect(),
        workloads: workloads.iter().map(workload).collect(),
        cells: Vec::new(),
        generations: Vec::new(),
        control: Vec::new(),
        floors: Vec::new(),
        gaps: Vec::new(),
        geomeans: Vec::new(),
        work: Vec::new(),
        notes: Vec::new(),
    }
}

/// The same for one workload, on which every engine has run rightly once.
pub(crate) fn tried(workload: &str, engines: &[&str]) -> Results {
    let mut results = results(&[workload], engines);
    let cell = |engine: &&str| Cell::of(workload, engine, CellStatus::Ok);
    results.cells = engines.iter().map(cell).collect();
    results
}
