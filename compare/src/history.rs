//! The records of runs in the checkout, and the page over all commits.

use crate::fail::Fail;
use crate::folders::checkout;
use crate::machine;
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use zwasm_reports::history::{self, Record, series};
use zwasm_reports::html;
use zwasm_reports::schema::{Results, write_whole};
use zwasm_terminal::{print, unless_closed};

/// Where records lie in a checkout.
const FOLDER: &str = "reports/history";

fn default_dir() -> PathBuf {
    checkout().join(FOLDER)
}

/// The record of a run, with what git says of its commit.
pub(crate) fn record_of(results: &Results, message: &str) -> Record {
    let info = machine::commit_info(checkout(), &results.commit.hash);
    Record::of(results, info, message)
}

/// What was recorded, and a run.
pub(crate) struct History {
    records: Vec<Record>,
    /// The run's, which may be one of them.
    run: Record,
    /// Whether the run may be shown beside others.
    is_whole: bool,
}

impl History {
    /// The records of some folders or of the checkout, and a run.
    pub(crate) fn with(results: &Results, dirs: &[PathBuf]) -> History {
        let records = load(dirs);
        let recorded = records.iter().find(|record| record.is_of_run(results));
        History {
            run: recorded.cloned().unwrap_or_else(|| record_of(results, "")),
            records,
            is_whole: results.complete,
        }
    }

    /// What was recorded.
    pub(crate) fn earlier(&self) -> &[Record] {
        &self.records
    }

    /// The file of the checkout that has the run, if it was recorded.
    pub(crate) fn file_of_run(&self) -> Option<String> {
        let name = self.run.file_name();
        let is_recorded = default_dir().join(&name).is_file();
        is_recorded.then(|| format!("{FOLDER}/{name}"))
    }

    /// Writes the page over all commits where the run is on a line with others, and says whether it did.
    pub(crate) fn publish(&self, out: &Path) -> Result<bool> {
        let mut records = self.records.clone();
        if !records.contains(&self.run) {
            records.push(self.run.clone());
        }
        history::sort(&mut records);
        let place = records.iter().position(|record| *record == self.run);
        let is_on_a_line = place.is_some_and(|place| series::is_on_a_line(&records, place));
        let page = out.join(html::HISTORY_FILE);
        if self.is_whole && is_on_a_line {
            write_whole(&page, html::history_page(&records).as_bytes())?;
            return Ok(true);
        }
        // That of a run before, in the same folder.
        let _ = std::fs::remove_file(page);
        Ok(false)
    }
}

/// The records of some folders, or of the checkout.
fn load(dirs: &[PathBuf]) -> Vec<Record> {
    let default = [default_dir()];
    let dirs = if dirs.is_empty() { &default } else { dirs };
    let mut records: Vec<Record> = dirs.iter().flat_map(|dir| history::load(dir)).collect();
    history::sort(&mut records);
    records
}

/// `compare record`: adds a run to the history.
pub(crate) fn record(path: &Path, message: &str, dir: Option<&Path>) -> Result<u8> {
    let results = Results::load(path)?;
    if !results.complete {
        return Err(Fail::error(format!(
            "{}: only a complete run can be recorded",
            path.display()
        )));
    }
    let dir = dir.map_or_else(default_dir, Path::to_owned);
    create(&dir)?;
    let written = record_of(&results, message).save(&dir)?;
    print(&format!("{}\n", written.display()))?;
    Ok(0)
}

/// `compare history`: the page over all commits, of the records in some folders.
pub(crate) fn page(dirs: &[PathBuf], out: &Path) -> Result<u8> {
    let records = load(dirs);
    if records.is_empty() {
        return Err(Fail::error("there is no record in these folders"));
    }
    create(out)?;
    let page = out.join(html::HISTORY_FILE);
    write_whole(&page, html::history_page(&records).as_bytes())?;
    let steps = series::steps(&records).len();
    let shown = format!(
        "{} runs, {steps} steps\n{}\n",
        records.len(),
        page.display()
    );
    unless_closed(print(&shown))?;
    Ok(0)
}

fn create(dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))
}
