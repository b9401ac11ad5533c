//! One job: its command line, and whether a run did it rightly.

use super::fetch::Had;
use crate::engine::Adapter;
use crate::exec::{Exit, Outcome};
use crate::fail::{Fail, Measured};
use crate::provision::{sha256_of, sha256_of_file};
use crate::runner::{Processes, note_process};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use zwasm_reports::schema::{CellStatus, Sample, write_whole};
use zwasm_workloads::real::{RealModule, RealSuite, code_section_bytes};

/// A module that is there, with its job.
pub(crate) struct Ready<'s> {
    pub(crate) module: &'s RealModule,
    pub(crate) had: Had,
    pub(crate) code_section_bytes: u64,
    inputs: PathBuf,
    work: PathBuf,
}

impl Drop for Ready<'_> {
    fn drop(&mut self) {
        // Jobs that were not run have none.
        let _ = std::fs::remove_dir_all(&self.work);
    }
}

impl<'s> Ready<'s> {
    /// A module of the user's own; `inputs` is what its paths are relative to.
    pub(super) fn own(module: &'s RealModule, had: Had, inputs: &Path) -> Result<Ready<'s>> {
        let bytes = std::fs::read(&had.module)?;
        Ok(Ready {
            module,
            code_section_bytes: code_section_bytes(&bytes).unwrap_or(0),
            inputs: inputs.to_owned(),
            work: had.package.join(format!("own-{}", std::process::id())),
            had,
        })
    }

    /// The work folder is below `scratch`, this process's own, and goes with the job.
    pub(crate) fn new(
        suite: &RealSuite,
        module: &'s RealModule,
        had: Had,
        scratch: &Path,
    ) -> Result<Ready<'s>> {
        let bytes = std::fs::read(&had.module)?;
        let work = scratch.join(format!("job-{}-{}", module.id, std::process::id()));
        Ok(Ready {
            module,
            code_section_bytes: code_section_bytes(&bytes).unwrap_or(0),
            inputs: std::path::absolute(suite.dir())?,
            work: std::path::absolute(work)?,
            had,
        })
    }

    fn host_path(&self, path: &str) -> String {
        let place = |place: &Path, rest: &str| format!("{}{rest}", place.display());
        if let Some(rest) = path.strip_prefix("{work}") {
            place(&self.work, rest)
        } else if let Some(rest) = path.strip_prefix("{package}") {
            place(&self.had.package, rest)
        } else if let Some(rest) = path.strip_prefix("{module}") {
            place(&self.had.module, rest)
        } else {
            self.inputs.join(path).display().to_string()
        }
    }

    /// Options, module and guest arguments, as wasmtime and zwasm both spell them; with modules in the
    /// text format, or with what was assembled from them.
    fn words(&self, reads_text: bool) -> Result<Vec<String>> {
        let module = |path: &str| {
            let path = self.host_path(path);
            if reads_text || !path.ends_with(".wat") {
                return Ok(path);
            }
            self.assembled(Path::new(&path))
        };
        let job = &self.module.job;
        let mut words = Vec::new();
        let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
        for (name, file) in &job.preload {
            option("--preload", format!("{name}={}", module(file)?));
        }
        for (dir, guest) in &job.dirs {
            option("--dir", format!("{}::{guest}", self.host_path(dir)));
        }
        for (name, value) in &job.env {
            option("--env", format!("{name}={value}"));
        }
        if let Some(name) = &job.invoke {
            option("--invoke", name.clone());
        }
        words.push(module(job.main.as_deref().unwrap_or("{module}"))?);
        words.extend(job.args.iter().cloned());
        Ok(words)
    }

    /// A module in the text format as a binary one, beside the package; made once.
    fn assembled(&self, text: &Path) -> Result<String> {
        let name = text.file_stem().unwrap_or_default().to_string_lossy();
        let binary = self.had.package.join(format!("{name}.driver.wasm"));
        let bytes = wat::parse_file(text).map_err(|e| Fail::error(e.to_string()))?;
        if std::fs::read(&binary).ok().as_ref() != Some(&bytes) {
            write_whole(&binary, &bytes)?;
        }
        Ok(binary.display().to_string())
    }

    /// Does the job in a fresh process, rightly or not.
    pub(super) fn outcome(
        &self,
        engine: &dyn Adapter,
        processes: &mut Processes<'_>,
    ) -> Measured<Outcome> {
        let words = self.words(engine.reads_text())?;
        let Some(mut invocation) = engine.job(&self.module.features, &words) else {
            let why = "this engine is not started on jobs".to_owned();
            return Err(CellStatus::Unsupported(why).into());
        };
        invocation.stdin = self.stdin();
        self.clear()?;
        Ok(processes.run(invocation)?)
    }

    /// Does the job in a fresh process and checks it: what the process cost, or the cell status that
    /// its failure deserves.
    pub(crate) fn run(
        &self,
        engine: &dyn Adapter,
        processes: &mut Processes<'_>,
    ) -> Measured<Sample> {
        let outcome = self.outcome(engine, processes)?;
        self.check(&outcome)?;
        let mut sample = Sample::default();
        note_process(&mut sample, &outcome);
        // A job that prints nothing has its result when it ends; the threads that see the first
        // byte and the end may be scheduled in the other order.
        let first_ns = outcome.first_byte_ns.unwrap_or(outcome.wall_ns);
        sample.first_result_ns = Some(first_ns.min(outcome.wall_ns));
        sample.total_ns = Some(outcome.wall_ns);
        Ok(sample)
    }

    fn stdin(&self) -> Option<PathBuf> {
        let stdin = self.module.job.stdin.as_ref()?;
        Some(self.inputs.join(stdin))
    }

    /// Empties the work folder.
    fn clear(&self) -> Result<()> {
        match std::fs::remove_dir_all(&self.work) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(e).with_context(|| format!("cannot remove {}", self.work.display()))
            }
            _ => std::fs::create_dir_all(&self.work)
                .with_context(|| format!("cannot create {}", self.work.display())),
        }
    }

    /// Whether a run did the job: exit code, stdout, files.
    ///
    /// # Errors
    /// The cell status that the failure deserves.
    fn check(&self, outcome: &Outcome) -> Result<(), CellStatus> {
        let job = &self.module.job;
        let said = || {
            let line = outcome.stderr.lines().next().unwrap_or_default();
            line.chars().take(160).collect::<String>()
        };
        match &outcome.exit {
            Exit::Code(code) if *code == job.exit => {}
            Exit::Code(code) => {
                return Err(CellStatus::Crash(format!(
                    "exit code {code}, expected {}: {}",
                    job.exit,
                    said()
                )));
            }
            Exit::Signal(signal) => return Err(CellStatus::Crash(format!("signal {signal}"))),
            Exit::Timeout => return Err(CellStatus::Timeout("killed".to_owned())),
            Exit::NotStarted(why) => return Err(CellStatus::Crash(why.clone())),
        }
        let wrong = |what: &str, found: &str, expected: &str| {
            CellStatus::WrongOutput(format!("{what} has sha256 {found}, expected {expected}"))
        };
        let stdout = sha256_of(outcome.stdout.as_bytes());
        if !job.stdout_sha256.is_empty() && stdout != job.stdout_sha256 {
            return Err(wrong("stdout", &stdout, &job.stdout_sha256));
        }
        for (name, expected) in &job.files {
            let Ok(found) = sha256_of_file(&self.work.join(name)) else {
                return Err(CellStatus::WrongOutput(format!("no file {name}")));
            };
            if found != *expected {
                return Err(wrong(name, &found, expected));
            }
        }
        Ok(())
    }
}
