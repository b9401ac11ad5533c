//! An engine that is one binary with a command line, described by templates.
//!
//! In a template, `{module}` and `{out}` stand for paths inside an argument; an argument that is
//! exactly `{args}`, `{job}` or `{features}` is replaced by the guest's arguments, or by the flags that the
//! workload's features need.

use super::{Adapter, Compile, Found, Job, JobCompile, elf_text_bytes};
use crate::exec::Invocation;
use crate::protocol::bench_args;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use zwasm_reports::schema::EngineInfo;
use zwasm_workloads::Workload;

/// See the module documentation.
#[derive(Clone, Debug)]
pub(crate) struct CommandLine {
    pub(crate) info: EngineInfo,
    pub(crate) program: PathBuf,
    /// Template of a run.
    pub(crate) run: Vec<String>,
    /// Template of a compilation.
    pub(crate) compile: Option<Vec<String>>,
    /// Template of a job, in which `{job}` stands for its words.
    pub(crate) job: Option<Vec<String>>,
    /// Template of the compilation of a job's module, and whether it prints its times as JSON.
    pub(crate) job_compile: Option<(Vec<String>, bool)>,
    /// Template of a run that reports its phases.
    pub(crate) run_with_phases: Option<Vec<String>>,
    /// Template of a run that compiles the whole module before it starts, and reports its phases:
    /// where compile time comes from, if not from `compile`.
    pub(crate) eager: Option<Vec<String>>,
    /// Flags for features that are off by default.
    pub(crate) feature_flags: BTreeMap<String, Vec<String>>,
    /// Features that the engine is known to lack.
    pub(crate) lacks: Vec<String>,
    /// See [`Adapter::warms_up`].
    pub(crate) warms_up: bool,
    /// See [`Adapter::reads_text`].
    pub(crate) reads_text: bool,
    pub(crate) env: Vec<(String, String)>,
    /// A module that does nothing, for the fixed part of compile time.
    pub(crate) empty_module: PathBuf,
}

impl CommandLine {
    pub(crate) fn new(info: EngineInfo, program: PathBuf, run: &[&str]) -> CommandLine {
        CommandLine {
            info,
            program,
            run: strings(run),
            compile: None,
            job: None,
            job_compile: None,
            run_with_phases: None,
            eager: None,
            feature_flags: BTreeMap::new(),
            lacks: Vec::new(),
            warms_up: true,
            reads_text: true,
            env: Vec::new(),
            empty_module: PathBuf::new(),
        }
    }

    /// The engine, with its flags as they are in the template and who chose them.
    pub(crate) fn ready(mut self, chosen: &str) -> Found {
        // Results are published, and paths of one machine mean nothing elsewhere.
        let file_name = |word: &str| match Path::new(word) {
            path if path.is_absolute() => path
                .file_name()
                .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            _ => word.to_owned(),
        };
        let mut words = vec![file_name(&self.program.to_string_lossy())];
        words.extend(self.run.iter().map(|word| file_name(word)));
        self.info.flags = words.join(" ");
        chosen.clone_into(&mut self.info.chosen);
        Found::Ready(Box::new(self))
    }

    fn fill(
        &self,
        template: &[String],
        features: &[String],
        module: &Path,
        out: &Path,
        args: &[String],
    ) -> Invocation {
        let mut filled = Vec::new();
        for part in template {
            match part.as_str() {
                "{args}" | "{job}" => filled.extend_from_slice(args),
                "{features}" => filled.extend(
                    features
                        .iter()
                        .filter_map(|f| self.feature_flags.get(f))
                        .flatten()
                        .cloned(),
                ),
                part => filled.push(
                    part.replace("{module}", &module.to_string_lossy())
                        .replace("{out}", &out.to_string_lossy()),
                ),
            }
        }
        let mut invocation = Invocation::new(&self.program, filled);
        invocation.env.clone_from(&self.env);
        invocation
    }

    fn out(&self, job: &Job<'_>) -> PathBuf {
        job.scratch
            .join(format!("{}-{}.out", job.workload.id, self.info.id))
    }
}

pub(crate) fn strings(parts: &[&str]) -> Vec<String> {
    parts.iter().map(|&s| s.to_owned()).collect()
}

impl Adapter for CommandLine {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn unsupported(&self, workload: &Workload) -> Option<String> {
        let lacking = workload.features.iter().find(|f| self.lacks.contains(f))?;
        Some(format!("no support for {lacking}"))
    }

    fn warms_up(&self) -> bool {
        self.warms_up
    }

    fn run(&self, job: &Job<'_>, args: &[String]) -> Invocation {
        let features = &job.workload.features;
        self.fill(&self.run, features, job.module, &self.out(job), args)
    }

    fn compile(&self, job: &Job<'_>) -> Option<Compile> {
        let features = &job.workload.features;
        let out = self.out(job);
        if let Some(template) = &self.eager {
            let no_work = bench_args(0, &job.workload.small);
            let run = self.fill(template, features, job.module, &out, &no_work);
            return Some(Compile::OwnPhases(Box::new(run)));
        }
        let template = self.compile.as_ref()?;
        let empty_out = out.with_extension("empty");
        Some(Compile::Command {
            whole: Box::new(self.fill(template, features, job.module, &out, &[])),
            empty: Box::new(self.fill(template, features, &self.empty_module, &empty_out, &[])),
        })
    }

    fn compiled(&self, job: &Job<'_>) -> Option<PathBuf> {
        self.compile.as_ref().map(|_| self.out(job))
    }

    fn run_with_phases(&self, job: &Job<'_>, args: &[String]) -> Option<Invocation> {
        let template = self.run_with_phases.as_ref()?;
        let features = &job.workload.features;
        Some(self.fill(template, features, job.module, &self.out(job), args))
    }

    fn code_bytes(&self, job: &Job<'_>) -> Option<u64> {
        self.compile.as_ref()?;
        elf_text_bytes(&std::fs::read(self.out(job)).ok()?)
    }

    fn job(&self, features: &[String], words: &[String]) -> Option<Invocation> {
        let none = Path::new("");
        Some(self.fill(self.job.as_ref()?, features, none, none, words))
    }

    fn reads_text(&self) -> bool {
        self.reads_text
    }

    fn job_compile(&self, features: &[String], module: &Path, out: &Path) -> Option<JobCompile> {
        let (template, json) = self.job_compile.as_ref()?;
        Some(JobCompile {
            invocation: self.fill(template, features, module, out, &[]),
            json: *json,
        })
    }
}
