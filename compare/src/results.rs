//! The results of a run, from the empty form to the published page.

use crate::agree;
use crate::cli::RunArgs;
use crate::exec::is_interrupt;
use crate::fail::Fail;
use crate::folders::checkout;
use crate::history::{self, History};
use crate::machine::{self, CpuTicks};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use zwasm_reports::analysis::analyse;
use zwasm_reports::arm64::Arm64Report;
use zwasm_reports::code::CodeReport;
use zwasm_reports::history::Record;
use zwasm_reports::html::Beside;
use zwasm_reports::schema::{
    CorpusInfo, EngineInfo, FORMAT, Gap, Results, VERSION, WorkloadInfo, write_whole,
};
use zwasm_reports::stats::Verdict;
use zwasm_reports::{html, text};
use zwasm_terminal::{print, say, unless_closed};

/// What `compare code` writes into the folder of a report: page, table, data.
pub(crate) fn code_files(out: &Path) -> [PathBuf; 3] {
    ["code.html", "code.csv", "code.json"].map(|name| out.join(name))
}

/// What `compare arm64` writes there: table and data.
pub(crate) fn arm64_files(out: &Path) -> [PathBuf; 2] {
    ["arm64.csv", "arm64.json"].map(|name| out.join(name))
}

/// All that may lie beside a report.
fn beside(out: &Path) -> impl Iterator<Item = PathBuf> {
    code_files(out).into_iter().chain(arm64_files(out))
}

/// What a run has measured so far, while it lasts and when it was interrupted.
fn partial_file(out: &Path) -> PathBuf {
    out.join("partial.json")
}

/// The results to fill: new ones, or with `--resume` those of the interrupted run.
pub(crate) fn begin(args: &RunArgs, out: &Path, fresh: Results) -> Result<Results> {
    let partial = partial_file(out);
    let results = if args.resume {
        resumed(&partial, &fresh)?
    } else {
        // Those of the run before, in the same folder.
        for file in beside(out) {
            let _ = std::fs::remove_file(file);
        }
        fresh
    };
    // Written before anything is measured, so that a full disk is noticed now.
    results.save(&partial)?;
    Ok(results)
}

/// Analyses and publishes what was measured, also when the run was interrupted; of a whole one also
/// says whether `claims` hold.
pub(crate) fn conclude(
    mut results: Results,
    outcome: Result<()>,
    out: &Path,
    claims: Option<&Record>,
) -> Result<u8> {
    let partial = partial_file(out);
    results.complete = outcome.is_ok();
    let interrupted = match outcome {
        Ok(()) => false,
        Err(error) if is_interrupt(&error) => true,
        Err(error) => {
            results.save(&partial)?;
            return Err(error);
        }
    };
    analyse(&mut results);
    publish(&results, out)?;
    if interrupted {
        results.save(&partial)?;
        say("compare: interrupted; go on with --resume");
        return Ok(130);
    }
    let _ = std::fs::remove_file(partial);
    // Between builds a script asks whether this one is worse.
    let is_worse = |gap: &&Gap| gap.verdict == Verdict::Slower;
    let worse = results.is_of_builds() && results.moved().iter().any(is_worse);
    let holds = claims.map_or(Ok(true), |claims| {
        agree::holds(claims, &history::record_of(&results, ""))
    })?;
    Ok(u8::from(worse || !holds))
}

/// Everything about a run but its measurements.
pub(crate) fn skeleton(
    args: &RunArgs,
    corpus: CorpusInfo,
    workloads: Vec<WorkloadInfo>,
    engines: Vec<EngineInfo>,
) -> Results {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Results {
        format: FORMAT.to_owned(),
        version: VERSION,
        complete: false,
        profile: args.profile.profile(),
        started_unix_s: now.map_or(0, |d| d.as_secs()),
        duration_s: 0.0,
        commit: machine::commit(checkout()),
        machine: machine::describe(),
        corpus,
        engines,
        workloads,
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

/// The interrupted run in a folder, if it is the one that the command line describes.
fn resumed(partial: &Path, fresh: &Results) -> Result<Results> {
    if !partial.is_file() {
        return Err(Fail::error(format!(
            "nothing to resume: there is no {}",
            partial.display()
        )));
    }
    let old = Results::load(partial)?;
    let ids = |r: &Results| -> Vec<String> { r.workloads.iter().map(|w| w.id.clone()).collect() };
    let differs = if old.engines != fresh.engines {
        Some("the engines")
    } else if old.corpus != fresh.corpus || ids(&old) != ids(fresh) {
        Some("the workloads")
    } else if old.profile != fresh.profile {
        Some("the profile")
    } else if old.machine.cpu != fresh.machine.cpu || old.machine.kernel != fresh.machine.kernel {
        Some("the machine")
    } else {
        None
    };
    match differs {
        None => Ok(old),
        Some(what) => Err(Fail::error(format!(
            "cannot resume {}: {what} differ from that run's",
            partial.display()
        ))),
    }
}

/// The time and machine state of one sitting of a run.
pub(crate) struct Sitting {
    began: Instant,
    ticks: CpuTicks,
    before_s: f64,
}

impl Sitting {
    pub(crate) fn begin(results: &Results) -> Sitting {
        Sitting {
            began: Instant::now(),
            ticks: CpuTicks::now(),
            before_s: results.duration_s,
        }
    }

    pub(crate) fn end(&self, results: &mut Results) {
        results.duration_s = self.before_s + self.began.elapsed().as_secs_f64();
        results.machine.load_after = machine::load();
        results.machine.steal = CpuTicks::now().steal_since(self.ticks);
    }

    /// Writes the partial results of a run that goes on.
    pub(crate) fn save(&self, results: &Results, out: &Path) -> Result<()> {
        let mut so_far = results.clone();
        self.end(&mut so_far);
        Ok(so_far.save(&partial_file(out))?)
    }
}

/// Writes the pages, the JSON and the CSV, and prints the table.
pub(crate) fn publish(results: &Results, out: &Path) -> Result<()> {
    publish_beside(results, &[], out)
}

/// The same, with the records of other folders than the checkout's.
fn publish_beside(results: &Results, dirs: &[PathBuf], out: &Path) -> Result<()> {
    let history = History::with(results, dirs);
    let beside = Beside {
        code: CodeReport::load(&out.join("code.json")).ok(),
        arm64: Arm64Report::load(&out.join("arm64.json")).ok(),
        recorded: history.file_of_run(),
        history: history.publish(out)?,
    };
    write_whole(&out.join("results.csv"), text::csv(results).as_bytes())?;
    write_whole(
        &out.join("index.html"),
        html::page(results, history.earlier(), &beside).as_bytes(),
    )?;
    // Last, so that a results.json always has its page beside it.
    results.save(&out.join("results.json"))?;
    let page = out.join("index.html");
    let shown = format!("{}\n{}\n", text::table(results), page.display());
    Ok(unless_closed(print(&shown))?)
}

/// The results in a file, with their gaps derived anew.
pub(crate) fn analysed(path: &Path) -> Result<Results> {
    let mut results = Results::load(path)?;
    analyse(&mut results);
    Ok(results)
}

/// `compare report`: renders a results file again, with its gaps derived anew.
pub(crate) fn report(path: &Path, out: &Path, dirs: &[PathBuf]) -> Result<u8> {
    let results = analysed(path)?;
    std::fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    publish_beside(&results, dirs, out)?;
    Ok(0)
}
