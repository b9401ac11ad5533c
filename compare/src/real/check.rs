//! `--check`: every job once under every engine, for what it gives. Nothing is measured or written;
//! the time and peak memory of the one process are shown for orientation.

use super::job::Ready;
use crate::engine::Adapter;
use crate::fail::OrSkip;
use crate::runner::Processes;
use anyhow::Result;
use zwasm_reports::text::{duration, size};
use zwasm_terminal::print;

/// Prints a line per job and engine as soon as it is known, and their number. The exit code is 1 when
/// a job was not done rightly, or when an engine that was asked for is missing.
///
/// # Errors
/// Interrupted or a machinery failure.
pub(super) fn check(
    modules: &[Ready<'_>],
    engines: &[Box<dyn Adapter>],
    missing: usize,
    mut processes: Processes<'_>,
) -> Result<u8> {
    let ids = modules.iter().map(|r| r.module.id.len());
    let width = ids.max().unwrap_or(0);
    let (mut right, mut jobs) = (0, 0);
    for ready in modules {
        for engine in engines {
            let mut result = String::new();
            let sample = ready
                .run(engine.as_ref(), &mut processes)
                .or_skip(|status| result = format!("{}: {}", status.word(), status.reason()))?;
            if let Some(sample) = sample {
                right += 1;
                result = format!(
                    "ok {:>11} {:>11}",
                    duration(sample.wall_ns as f64),
                    size(sample.peak_rss_bytes as f64)
                );
            }
            jobs += 1;
            let (id, name) = (&ready.module.id, &engine.info().id);
            print(&format!("{id:<width$}  {name:<16} {result}\n"))?;
        }
    }
    let absent = match missing {
        0 => String::new(),
        n => format!(", engines missing: {n}"),
    };
    print(&format!("{right} of {jobs} as expected{absent}\n"))?;
    Ok(u8::from(right < jobs || missing > 0))
}
