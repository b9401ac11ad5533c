//! `arm64.json`: executed ARM64 instructions per iteration, ours beside a peer's.
//!
//! Counted under an emulator, where there is no ARM64 machine; they are not time. Counts are of the
//! whole process per iteration of the small size.

use crate::schema::{Commit, ResultsError, read_versioned, to_line, write_whole};
use crate::stats;
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::path::Path;

/// The value of the `format` field.
pub const FORMAT: &str = "zwasm-compare-arm64";
/// The version of the format that this crate writes and reads.
pub const VERSION: u32 = 1;

/// Counts of several workloads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Arm64Report {
    /// Always [`FORMAT`].
    pub format: String,
    /// Always [`VERSION`].
    pub version: u32,
    /// The commit of zwasm.
    pub commit: Commit,
    /// Our tier, and the version that the peer's binary states.
    pub engines: [String; 2],
    /// What emulated the processor.
    pub emulator: String,
    /// One per workload that both engines ran.
    pub rows: Vec<Arm64Row>,
    /// Workloads without a row, and why.
    pub notes: Vec<String>,
}

/// One workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Arm64Row {
    /// The workload.
    pub workload: String,
    /// Its category.
    pub category: String,
    /// Instructions per iteration, ours and the peer's.
    pub instructions: [f64; 2],
}

impl Arm64Row {
    /// Ours ÷ the peer's; below 1 ours executes fewer.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.instructions[0] / self.instructions[1]
    }
}

impl Arm64Report {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ResultsError`]: unreadable, not a file of this format, or of another version.
    pub fn load(path: &Path) -> Result<Arm64Report, ResultsError> {
        read_versioned(path, FORMAT, VERSION)
    }

    /// Writes `arm64.json` whole or not at all.
    ///
    /// # Errors
    /// [`ResultsError::Io`].
    ///
    /// # Panics
    /// Never: every field is representable in JSON.
    pub fn save(&self, path: &Path) -> Result<(), ResultsError> {
        write_whole(path, to_line(self).as_bytes())
    }

    /// The geometric mean of the ratios.
    #[must_use]
    pub fn geomean(&self) -> f64 {
        let logs: Vec<f64> = self.rows.iter().map(|row| row.ratio().ln()).collect();
        stats::mean(&logs).exp()
    }

    /// The rows, highest ratio first.
    #[must_use]
    pub fn sorted(&self) -> Vec<&Arm64Row> {
        let mut rows: Vec<&Arm64Row> = self.rows.iter().collect();
        rows.sort_by(|a, b| b.ratio().total_cmp(&a.ratio()));
        rows
    }

    /// A line per workload.
    #[must_use]
    pub fn csv(&self) -> String {
        let mut out = "workload,category,ours,theirs,ratio\n".to_owned();
        for row in self.sorted() {
            let [ours, theirs] = row.instructions;
            let _ = writeln!(
                out,
                "{},{},{ours:.0},{theirs:.0},{:.4}",
                row.workload,
                row.category,
                row.ratio()
            );
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_and_averaged() {
        let row = |workload: &str, ours| Arm64Row {
            workload: workload.to_owned(),
            category: "c".to_owned(),
            instructions: [ours, 100.0],
        };
        let report = Arm64Report {
            format: FORMAT.to_owned(),
            version: VERSION,
            commit: Commit::default(),
            engines: ["opt".to_owned(), "peer".to_owned()],
            emulator: String::new(),
            rows: vec![row("a", 50.0), row("b", 200.0)],
            notes: Vec::new(),
        };
        assert!((report.geomean() - 1.0).abs() < 1e-12);
        let lines = "workload,category,ours,theirs,ratio\nb,c,200,100,2.0000\na,c,50,100,0.5000\n";
        assert_eq!(report.csv(), lines);
    }
}
