//! The file of a record: JSON with a line per family, of about 15 bytes per row.
//!
//! Version 1, which is read and no longer written, had the means only, and one floor: the headline
//! metric's.

use super::{CommitInfo, Control, Family, LogGap, Record, Setting};
use crate::analysis::FLOOR_USABLE;
use crate::schema::{
    Commit, Metric, ResultsError, malformed, parse_value, read_text, version_of, write_whole,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The value of a record's `format` field.
const FORMAT: &str = "zwasm-history-record";
/// The version that this crate writes.
const VERSION: u32 = 2;

/// What stands before the fields of a record.
#[derive(Serialize)]
struct Written<'r> {
    format: &'static str,
    version: u32,
    #[serde(flatten)]
    record: &'r Record,
}

/// A record of version 1.
#[derive(Deserialize)]
struct RecordV1 {
    unix_s: u64,
    commit: String,
    dirty: bool,
    message: String,
    cpu: String,
    isa: String,
    profile: String,
    corpus: String,
    floor: f64,
    means: Vec<MeanV1>,
}

#[derive(Deserialize)]
struct MeanV1 {
    peer: String,
    tier: String,
    metric: Metric,
    ratio: f64,
    lo: f64,
    hi: f64,
    covered: usize,
    total: usize,
}

impl From<RecordV1> for Record {
    fn from(old: RecordV1) -> Record {
        let means = old.means.iter();
        let has_steady = means.clone().any(|m| m.metric == Metric::Steady);
        let headline = if has_steady {
            Metric::Steady
        } else {
            Metric::FirstResult
        };
        Record {
            unix_s: old.unix_s,
            commit: Commit {
                hash: old.commit,
                dirty: old.dirty,
            },
            commit_info: CommitInfo::default(),
            message: old.message,
            setting: Setting {
                cpu: old.cpu,
                isa: old.isa,
                cores: 0,
                profile: old.profile,
                corpus: old.corpus,
            },
            peers: means
                .clone()
                .map(|m| (m.peer.clone(), String::new()))
                .collect(),
            controls: vec![Control {
                metric: headline,
                floor: old.floor,
                // All that was kept of the control.
                failed: old.floor > FLOOR_USABLE,
            }],
            workloads: Vec::new(),
            families: means
                .map(|m| Family {
                    metric: m.metric,
                    tier: m.tier.clone(),
                    peer: m.peer.clone(),
                    mean: LogGap::of(m.ratio, Some(m.lo), Some(m.hi)),
                    covered: m.covered,
                    total: m.total,
                    rows: Vec::new(),
                })
                .collect(),
        }
    }
}

/// Whether a text is a record of any version.
pub(super) fn is_record(text: &str) -> bool {
    let value: Result<Value, _> = serde_json::from_str(text);
    value.is_ok_and(|v| v.get("format").and_then(Value::as_str) == Some(FORMAT))
}

impl Record {
    /// Reads a record.
    ///
    /// # Errors
    /// [`ResultsError`]: unreadable, not a record, or of a version that is not known.
    pub fn load(path: &Path) -> Result<Record, ResultsError> {
        Record::parse(&read_text(path)?, &path.display().to_string())
    }

    /// Reads a record from JSON text; `name` is used in errors.
    ///
    /// # Errors
    /// [`ResultsError`]: not a record, or of a version that is not known.
    pub fn parse(text: &str, name: &str) -> Result<Record, ResultsError> {
        let value = parse_value(text, name, FORMAT)?;
        let bad = |e: serde_json::Error| malformed(name, e);
        let record: Record = match version_of(&value, name)? {
            1 => serde_json::from_value::<RecordV1>(value)
                .map_err(bad)?
                .into(),
            found if found == u64::from(VERSION) => serde_json::from_value(value).map_err(bad)?,
            found => {
                return Err(ResultsError::Version {
                    path: name.to_owned(),
                    found,
                    reads: VERSION,
                });
            }
        };
        let workloads = record.workloads.len();
        let fits = |family: &Family| family.rows.is_empty() || family.rows.len() == workloads;
        if !record.families.iter().all(fits) {
            return Err(malformed(name, "a family has not a row per workload"));
        }
        Ok(record)
    }

    /// The file's text.
    ///
    /// # Panics
    /// Never: every field is representable in JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let head = Record {
            families: Vec::new(),
            ..self.clone()
        };
        let written = Written {
            format: FORMAT,
            version: VERSION,
            record: &head,
        };
        let line = |family: &Family| serde_json::to_string(family).expect("plain data");
        let head = serde_json::to_string(&written).expect("plain data");
        let head = head.strip_suffix("]}").expect("families come last");
        let families: Vec<String> = self.families.iter().map(line).collect();
        format!("{head}\n{}\n]}}\n", families.join(",\n"))
    }

    /// Writes the record under a name that sorts by time, and gives the path.
    ///
    /// # Errors
    /// [`ResultsError::Io`].
    pub fn save(&self, dir: &Path) -> Result<PathBuf, ResultsError> {
        let path = dir.join(self.file_name());
        write_whole(&path, self.to_json().as_bytes())?;
        Ok(path)
    }

    /// The name of its file.
    #[must_use]
    pub fn file_name(&self) -> String {
        let commit: String = self.commit.hash.chars().take(10).collect();
        format!("run-{:010}-{}-{commit}.json", self.unix_s, self.setting.isa)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let workloads: Vec<String> = (0..62).map(|i| format!("workload-{i}")).collect();
        let row = |i: usize| {
            (!i.is_multiple_of(9)).then(|| LogGap::of(1.0 + i as f64 / 9.7, Some(0.98), Some(12.0)))
        };
        let family = |metric, tier: &str, peer: &str| Family {
            metric,
            tier: tier.to_owned(),
            peer: peer.to_owned(),
            mean: LogGap::of(0.82, Some(0.81), Some(0.83)),
            covered: 55,
            total: 62,
            rows: (0..62).map(row).collect(),
        };
        let mut record = Record {
            unix_s: 7,
            workloads,
            controls: vec![Control {
                metric: Metric::Steady,
                floor: 0.02,
                failed: false,
            }],
            ..Record::default()
        };
        for metric in Metric::ALL {
            for tier in ["interp", "baseline", "auto", "opt"] {
                for peer in ["wasmtime", "node"] {
                    record.families.push(family(metric, tier, peer));
                }
            }
        }
        record
    }

    #[test]
    fn a_record_is_small_has_a_line_per_family_and_reads_back() {
        let record = record();
        let text = record.to_json();
        assert!(Record::parse(&text, "r").unwrap() == record);
        let rows = 62 * record.families.len();
        assert!(text.len() < 20 * rows, "{} bytes", text.len());
        assert_eq!(text.lines().count(), record.families.len() + 2);
        assert!(is_record(&text) && !is_record("{}") && !is_record("x"));
    }

    #[test]
    fn version_1_has_means_and_the_control_of_the_headline() {
        let text = r#"{"format": "zwasm-history-record", "version": 1, "unix_s": 5, "commit": "ab",
            "dirty": true, "message": "m", "cpu": "c", "isa": "x86_64", "profile": "standard",
            "corpus": "sum all", "floor": 0.4, "means": [{"peer": "wasmtime", "tier": "opt",
            "metric": "steady", "ratio": 0.5, "lo": 0.4, "hi": 0.6, "covered": 3, "total": 4}]}"#;
        let record = Record::parse(text, "r").unwrap();
        let family = record
            .family((Metric::Steady, "opt", "wasmtime"))
            .expect("a family");
        assert_eq!(family.mean, LogGap::of(0.5, Some(0.4), Some(0.6)));
        assert!((family.mean.ratios().hi - 0.6).abs() < 1e-4);
        assert!(record.commit.dirty && family.rows.is_empty());
        assert!(record.control(Metric::Steady).is_some_and(|c| c.failed));
        assert!(record.control(Metric::Total).is_none());
        // Written again it is of version 2.
        assert!(Record::parse(&record.to_json(), "r").unwrap() == record);
    }

    #[test]
    fn what_is_no_record_is_refused_by_name() {
        let good = record().to_json();
        let cut = good.replacen(",null", "", 1);
        let newer = good.replacen("\"version\":2", "\"version\":3", 1);
        for (text, wanted) in [
            (cut.as_str(), "r: not a results file: a family has not"),
            (&newer, "r: results format version 3"),
            ("{}", "r: not a results file: its `format`"),
            (&good[..90], "r: not a results file"),
        ] {
            let error = Record::parse(text, "r").unwrap_err().to_string();
            assert!(error.starts_with(wanted), "{error}");
        }
    }

    #[test]
    fn gaps_out_of_all_bounds_are_the_largest_there_are() {
        let gap: LogGap = serde_json::from_str("[2147483647, -2147483648, null]").unwrap();
        assert_eq!((gap.value, gap.lo, gap.hi), (200_000, Some(200_000), None));
        assert_eq!(LogGap::of(0.0, Some(f64::NAN), None).value, -200_000);
        assert!(gap.ratios().value < 1e9);
    }
}
