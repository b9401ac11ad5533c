//! The report page: placeholder until its own change lands.
use crate::history::Record;
use crate::schema::Results;

/// The page of one run.
#[must_use]
pub fn page(results: &Results, _history: &[Record]) -> String {
    format!(
        "<!doctype html><title>compare</title><p>{} rows</p>",
        results.gaps.len()
    )
}
