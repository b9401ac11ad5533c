//! `zwasm wast`: spec scripts under any tier.

use crate::engine::EngineOptions;
use crate::{Outcome, input};
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use zwasm_terminal::{path, print, unless_closed};
use zwasm_wast::{Report, run_script};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    engine: EngineOptions,

    /// The scripts
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Outcome {
    let mut total = Report::default();
    for file in &options.files {
        let name = path(file);
        let source = input::script(file)?;
        let engine = options.engine.engine()?;
        let report = run_script(&engine, &name, &source);
        let mut out = String::new();
        writeln!(
            out,
            "{name}: {} passed, {} failed, {} skipped",
            report.passed,
            report.failures.len(),
            report.skipped.len()
        )?;
        for failure in &report.failures {
            writeln!(out, "  failed: {failure}")?;
        }
        for skipped in &report.skipped {
            writeln!(out, "  skipped: {skipped}")?;
        }
        // Whether scripts fail is worth knowing without the lines about it.
        unless_closed(print(&out))?;
        total.add(report);
    }
    Ok(if total.failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
