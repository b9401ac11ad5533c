//! A table of rows (`results.csv`) as a record: what a published run claims, for others to check.
//!
//! It names no machine and no control. Means are made from the rows; they are points, without
//! an interval of their own.

use super::{Family, LogGap, Record};
use crate::schema::{Metric, ResultsError, malformed, read_text};
use crate::stats;
use std::path::Path;

impl Record {
    /// Reads a table of rows.
    ///
    /// # Errors
    /// [`ResultsError`]: unreadable, or not such a table.
    pub fn load_table(path: &Path) -> Result<Record, ResultsError> {
        Record::parse_table(&read_text(path)?, &path.display().to_string())
    }

    /// Reads the text of a table; `name` is used in errors.
    ///
    /// # Errors
    /// [`ResultsError::Malformed`]
    pub fn parse_table(text: &str, name: &str) -> Result<Record, ResultsError> {
        let mut lines = text.lines();
        let header = fields(lines.next().unwrap_or_default());
        let column = |wanted: &str| {
            let at = header.iter().position(|title| title == wanted);
            at.ok_or_else(|| malformed(name, format!("there is no column `{wanted}`")))
        };
        let names = ["peer", "tier", "workload", "metric", "ratio", "lo", "hi"];
        let mut columns = [0; 7];
        for (at, name) in columns.iter_mut().zip(names) {
            *at = column(name)?;
        }
        let mut record = Record::default();
        for (number, line) in lines.enumerate().filter(|(_, line)| !line.is_empty()) {
            let fields = fields(line);
            let cell = |at: usize| fields.get(at).map_or("", String::as_str);
            let [peer, tier, workload, metric, ratio, lo, hi] = columns.map(cell);
            let bad = |what| malformed(name, format!("line {}: no {what}", number + 2));
            let metric = Metric::ALL.into_iter().find(|m| m.key() == metric);
            let metric = metric.ok_or_else(|| bad("metric"))?;
            let ratio_of = |text: &str| {
                text.parse()
                    .ok()
                    .filter(|r: &f64| *r > 0.0 && r.is_finite())
            };
            let ratio = ratio_of(ratio).ok_or_else(|| bad("ratio"))?;
            // An empty end is unbounded.
            let end = |text: &str| match text {
                "" => Ok(None),
                _ => ratio_of(text).map(Some).ok_or_else(|| bad("interval")),
            };
            let gap = LogGap::of(ratio, end(lo)?, end(hi)?);
            record.add((metric, tier, peer), workload, gap);
        }
        record.take_means();
        Ok(record)
    }

    fn add(&mut self, (metric, tier, peer): (Metric, &str, &str), workload: &str, gap: LogGap) {
        let at = self.workloads.iter().position(|w| w == workload);
        let at = at.unwrap_or_else(|| {
            self.workloads.push(workload.to_owned());
            self.workloads.len() - 1
        });
        let key = (metric, tier, peer);
        let found = self.families.iter().position(|f| f.key() == key);
        let found = found.unwrap_or_else(|| {
            self.families.push(Family {
                metric,
                tier: tier.to_owned(),
                peer: peer.to_owned(),
                mean: LogGap::of(1.0, None, None),
                covered: 0,
                total: 0,
                rows: Vec::new(),
            });
            self.families.len() - 1
        });
        let rows = &mut self.families[found].rows;
        if rows.len() <= at {
            rows.resize(at + 1, None);
        }
        rows[at] = Some(gap);
    }

    fn take_means(&mut self) {
        let workloads = self.workloads.len();
        for family in &mut self.families {
            family.rows.resize(workloads, None);
            let rows = family.rows.iter().flatten();
            let gaps: Vec<f64> = rows.map(|row| f64::from(row.value)).collect();
            let mean = stats::mean(&gaps).round() as i32;
            family.mean = LogGap {
                value: mean,
                lo: Some(mean),
                hi: Some(mean),
            };
            family.covered = gaps.len();
            family.total = gaps.len();
        }
    }
}

/// The fields of a line, those in quotes without them (RFC 4180). No field of a table has a line end.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let field = fields.last_mut().expect("there is always one");
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => field.push(c),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "peer,tier,workload,category,metric,ratio,lo,hi,n,verdict,within,between\n\
        wasmtime,opt,fib,calls,steady,2,1.5,2.5,6,slower,,\n\
        wasmtime,opt,\"a, \"\"b\"\"\",calls,steady,0.5,,,3,unsure,,\n\
        node,opt,\"a, \"\"b\"\"\",calls,total,1.5,1.4,1.6,6,slower,,\n";

    #[test]
    fn a_table_has_rows_and_the_means_of_them() {
        let record = Record::parse_table(TABLE, "t").unwrap();
        assert_eq!(record.workloads, ["fib", "a, \"b\""]);
        let steady = record.family((Metric::Steady, "opt", "wasmtime")).unwrap();
        assert_eq!((steady.mean.value, steady.covered), (0, 2));
        assert_eq!(steady.rows[1], Some(LogGap::of(0.5, None, None)));
        let total = record.family((Metric::Total, "opt", "node")).unwrap();
        assert_eq!(
            total.rows,
            [None, Some(LogGap::of(1.5, Some(1.4), Some(1.6)))]
        );
    }

    #[test]
    fn what_is_no_table_is_refused_by_line() {
        for (from, to, wanted) in [
            ("ratio", "quotient", "there is no column `ratio`"),
            (",2,", ",-2,", "line 2: no ratio"),
            ("1.4", "x", "line 4: no interval"),
            ("total", "totals", "line 4: no metric"),
        ] {
            let text = TABLE.replacen(from, to, 1);
            let error = Record::parse_table(&text, "t").unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
        assert!(Record::parse_table("", "t").is_err());
    }
}
