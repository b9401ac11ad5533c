//! `zwasm wast`: spec scripts under any tier.

use crate::Outcome;
use crate::engine::EngineOptions;
use anyhow::Context;
use std::path::PathBuf;
use std::process::ExitCode;
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
        let name = file.display().to_string();
        let source =
            std::fs::read_to_string(file).with_context(|| format!("cannot read {name}"))?;
        let engine = options.engine.engine()?;
        let report = run_script(&engine, &name, &source);
        println!(
            "{name}: {} passed, {} failed, {} skipped",
            report.passed,
            report.failures.len(),
            report.skipped.len()
        );
        report
            .failures
            .iter()
            .for_each(|failure| println!("  failed: {failure}"));
        report
            .skipped
            .iter()
            .for_each(|skipped| println!("  skipped: {skipped}"));
        total.add(report);
    }
    Ok(if total.failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
