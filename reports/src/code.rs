//! `code.json`: the machine code of hot functions, ours beside a peer's, with what was executed.
//!
//! The recorder (`compare code`) fills it from callgrind's counts per instruction; sums over kinds of
//! instructions are derived here, so that page, CSV and JSON cannot disagree. Counts are per
//! iteration of the workload's small size.

use crate::schema::{Commit, ResultsError, read_versioned, to_line, write_whole};
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::path::Path;

/// The value of the `format` field.
pub const FORMAT: &str = "zwasm-compare-code";
/// The version of the format that this crate writes and reads.
pub const VERSION: u32 = 1;

/// The code of hot functions in several workloads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodeReport {
    /// Always [`FORMAT`].
    pub format: String,
    /// Always [`VERSION`].
    pub version: u32,
    /// The commit of zwasm.
    pub commit: Commit,
    /// Instruction set of the code.
    pub isa: String,
    /// The tier that made our code, and the version that the peer's binary states.
    pub engines: [String; 2],
    /// One per workload, worst first.
    pub rows: Vec<CodeRow>,
    /// Workloads that could not be shown, and why.
    pub notes: Vec<String>,
}

/// One workload: its hottest function under our tier, and the same function under the peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodeRow {
    /// The workload.
    pub workload: String,
    /// Index of the function among all functions of the module.
    pub function: u32,
    /// Its name, if the module has one for it.
    pub name: Option<String>,
    /// Our time over the peer's, where the row is of a measured comparison.
    pub time_ratio: Option<f64>,
    /// Ours and the peer's.
    pub sides: [Side; 2],
}

/// What one engine made of the function, and executed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// Instructions per iteration in the whole process.
    pub process: f64,
    /// Those of them in machine code made from wasm.
    pub wasm: f64,
    /// The functions that execute most, with instructions per iteration, most first.
    pub hottest: Vec<(u32, f64)>,
    /// Size of the function's code, padding behind it left out.
    pub bytes: u64,
    /// Its instructions, in order of address.
    pub lines: Vec<Line>,
}

/// One instruction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Bytes from the start of the function.
    pub offset: u32,
    /// Disassembled; branch targets count from the start of the function.
    pub text: String,
    /// How often it is executed per iteration.
    pub count: f64,
    /// What it does.
    pub kinds: Vec<Kind>,
}

/// What an instruction does; some do several things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Reads memory that is not the frame.
    Load,
    /// Writes memory that is not the frame.
    Store,
    /// Reads the frame.
    Reload,
    /// Writes the frame.
    Spill,
    /// A jump, conditional or not; a return.
    Branch,
    /// Calls.
    Call,
    /// Copies a register to another of its class.
    Move,
}

impl Kind {
    /// Every one, in the order of tables.
    pub const ALL: [Kind; 7] = [
        Kind::Load,
        Kind::Store,
        Kind::Reload,
        Kind::Spill,
        Kind::Branch,
        Kind::Call,
        Kind::Move,
    ];

    /// The plural, for tables.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Kind::Load => "loads",
            Kind::Store => "stores",
            Kind::Reload => "frame reads",
            Kind::Spill => "frame writes",
            Kind::Branch => "branches",
            Kind::Call => "calls",
            Kind::Move => "register moves",
        }
    }
}

/// One row of a table of sums: what is counted, then static and executed numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sum {
    /// What is counted.
    pub title: &'static str,
    /// In the listing.
    pub in_code: f64,
    /// Per iteration.
    pub executed: f64,
}

impl Side {
    /// All instructions of the function, then those of each kind.
    #[must_use]
    pub fn sums(&self) -> Vec<Sum> {
        let of = |title, is_counted: &dyn Fn(&Line) -> bool| {
            let counted = || self.lines.iter().filter(|line| is_counted(line));
            Sum {
                title,
                in_code: counted().count() as f64,
                // `-0.0` is what an empty sum of floats is.
                executed: counted().map(|line| line.count).sum::<f64>() + 0.0,
            }
        };
        let mut sums = vec![of("instructions", &|_| true)];
        for kind in Kind::ALL {
            sums.push(of(kind.title(), &|line| line.kinds.contains(&kind)));
        }
        sums
    }

    /// Instructions of the function per iteration.
    #[must_use]
    pub fn executed(&self) -> f64 {
        self.lines.iter().map(|line| line.count).sum()
    }
}

impl CodeRow {
    /// What the function is called on the page.
    #[must_use]
    pub fn title(&self) -> String {
        match &self.name {
            Some(name) => format!("function {} ({name})", self.function),
            None => format!("function {}", self.function),
        }
    }
}

impl CodeReport {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ResultsError`]: unreadable, not a file of this format, or of another version.
    pub fn load(path: &Path) -> Result<CodeReport, ResultsError> {
        read_versioned(path, FORMAT, VERSION)
    }

    /// Writes `code.json` whole or not at all.
    ///
    /// # Errors
    /// [`ResultsError::Io`].
    ///
    /// # Panics
    /// Never: every field is representable in JSON.
    pub fn save(&self, path: &Path) -> Result<(), ResultsError> {
        write_whole(path, to_line(self).as_bytes())
    }

    /// Whether a workload has a row.
    #[must_use]
    pub fn has(&self, workload: &str) -> bool {
        self.rows.iter().any(|row| row.workload == workload)
    }

    /// A line per workload, engine and sum.
    #[must_use]
    pub fn csv(&self) -> String {
        let mut out = "workload,function,engine,what,in_code,executed\n".to_owned();
        for row in &self.rows {
            for (side, engine) in row.sides.iter().zip(&self.engines) {
                let mut line = |what: &str, in_code: f64, executed: f64| {
                    let _ = writeln!(
                        out,
                        "{},{},\"{}\",{what},{in_code:.0},{executed:.1}",
                        row.workload,
                        row.function,
                        engine.replace('"', "'")
                    );
                };
                line("bytes", side.bytes as f64, 0.0);
                for sum in side.sums() {
                    line(sum.title, sum.in_code, sum.executed);
                }
                line("all wasm code", 0.0, side.wasm);
                line("whole process", 0.0, side.process);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_count_every_kind_of_an_instruction() {
        let line = |count, kinds: &[Kind]| Line {
            offset: 0,
            text: String::new(),
            count,
            kinds: kinds.to_vec(),
        };
        let side = Side {
            lines: vec![
                line(2.0, &[Kind::Load, Kind::Store]),
                line(3.0, &[Kind::Load]),
                line(5.0, &[]),
            ],
            ..Side::default()
        };
        let sums = side.sums();
        assert_eq!((sums[0].in_code, sums[0].executed), (3.0, 10.0));
        let of = |title: &str| sums.iter().find(|sum| sum.title == title).unwrap();
        assert_eq!((of("loads").in_code, of("loads").executed), (2.0, 5.0));
        assert_eq!((of("stores").in_code, of("stores").executed), (1.0, 2.0));
        assert_eq!(of("calls").executed, 0.0);
    }
}
