//! The history: one small file per recorded change, in git.
//!
//! Files instead of one growing list, so that two branches that both record do not conflict. A
//! record holds what a plot over commits needs — geometric means with intervals, and enough about
//! machine and corpus to tell which records may be compared — and no samples.

use crate::schema::{Geomean, Metric, Results, ResultsError, write_whole};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The value of a record's `format` field.
pub const FORMAT: &str = "zwasm-history-record";
/// The version that this crate writes and reads.
pub const VERSION: u32 = 1;

/// One recorded run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Always [`FORMAT`].
    pub format: String,
    /// Always [`VERSION`].
    pub version: u32,
    /// Start of the run, seconds since 1970 (UTC).
    pub unix_s: u64,
    /// Commit of zwasm.
    pub commit: String,
    /// Whether the checkout differed from it.
    pub dirty: bool,
    /// What changed, in one line.
    pub message: String,
    /// CPU model.
    pub cpu: String,
    /// Instruction set.
    pub isa: String,
    /// Profile name.
    pub profile: String,
    /// Corpus checksum and selection.
    pub corpus: String,
    /// Noise floor of the headline metric, as a log gap.
    pub floor: f64,
    /// Geometric means.
    pub means: Vec<Mean>,
}

/// A geometric mean without its lists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// Peer id.
    pub peer: String,
    /// Tier of zwasm.
    pub tier: String,
    /// What is compared.
    pub metric: Metric,
    /// zwasm ÷ peer.
    pub ratio: f64,
    /// Lower end of the interval.
    pub lo: f64,
    /// Upper end of the interval.
    pub hi: f64,
    /// Workloads that both ran.
    pub covered: usize,
    /// Workloads selected for which the metric means something.
    pub total: usize,
}

impl From<&Geomean> for Mean {
    fn from(mean: &Geomean) -> Mean {
        Mean {
            peer: mean.peer.clone(),
            tier: mean.tier.clone(),
            metric: mean.metric,
            ratio: mean.ratio,
            lo: mean.lo,
            hi: mean.hi,
            covered: mean.covered,
            total: mean.total,
        }
    }
}

impl Record {
    /// The record of a run.
    #[must_use]
    pub fn of(results: &Results, message: &str) -> Record {
        Record {
            format: FORMAT.to_owned(),
            version: VERSION,
            unix_s: results.started_unix_s,
            commit: results.commit.hash.clone(),
            dirty: results.commit.dirty,
            message: message.to_owned(),
            cpu: results.machine.cpu.clone(),
            isa: results.machine.isa.clone(),
            profile: results.profile.name.clone(),
            corpus: format!("{} {}", results.corpus.checksum, results.corpus.selection),
            floor: results.floor(results.headline()),
            means: results.geomeans.iter().map(Mean::from).collect(),
        }
    }

    /// Writes the record under a name that sorts by time, and gives the path.
    ///
    /// # Errors
    /// [`ResultsError::Io`].
    ///
    /// # Panics
    /// Never: every field is representable in JSON.
    pub fn save(&self, dir: &Path) -> Result<PathBuf, ResultsError> {
        let commit: String = self.commit.chars().take(10).collect();
        let path = dir.join(format!(
            "run-{:010}-{}-{commit}.json",
            self.unix_s, self.isa
        ));
        let mut text = serde_json::to_string_pretty(self).expect("a record is plain data");
        text.push('\n');
        write_whole(&path, text.as_bytes())?;
        Ok(path)
    }
}

/// The records of a folder in order of time. Files that are not records of this version are left
/// out: the history is for looking at, and one bad file must not take the page away.
#[must_use]
pub fn load(dir: &Path) -> Vec<Record> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut records: Vec<Record> = entries
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let name = path.file_name()?.to_str()?;
            if !name.starts_with("run-") || !name.ends_with(".json") {
                return None;
            }
            let record: Record =
                serde_json::from_str(&std::fs::read_to_string(&path).ok()?).ok()?;
            (record.format == FORMAT && record.version == VERSION).then_some(record)
        })
        .collect();
    records.sort_by(|a, b| (a.unix_s, &a.commit).cmp(&(b.unix_s, &b.commit)));
    records
}
