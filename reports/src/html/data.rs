//! What the page's script makes views and cards of: one block of JSON inside the page.
//!
//! A standard run has thousands of rows, of which a reader looks at a few dozen. As markup they made a
//! page of megabytes; as data they are a tenth of that, and `report.js` makes elements of what is looked
//! at. Numbers that the script has to place or sort have five digits; all others are text, formatted
//! here, so that there is one wording. Samples are not in the page: they are in `results.json`.

use super::markup::Html;
use super::parts::Column;
use super::{views, workloads};
use crate::code::CodeReport;
use crate::schema::Results;
use crate::stats::Verdict;
use serde::{Serialize, Serializer};

#[derive(Serialize)]
struct Data<'r> {
    /// Their places are their colours.
    engines: Vec<&'r str>,
    /// Name and category; rows and cards name a workload by its place.
    workloads: Vec<[&'r str; 2]>,
    /// Key, word and shape, in the order by which rows name them.
    verdicts: [[&'static str; 3]; 5],
    metrics: Vec<views::MetricInfo>,
    views: Vec<views::View<'r>>,
    heads: workloads::Heads,
    /// In the order of `workloads`.
    cards: Vec<workloads::Card>,
}

pub(super) fn block(out: &mut Html, results: &Results, code: Option<&CodeReport>) {
    let workloads = results.workloads.iter();
    let data = Data {
        engines: results.engines.iter().map(|e| e.id.as_str()).collect(),
        workloads: workloads
            .map(|w| [w.id.as_str(), w.category.as_str()])
            .collect(),
        verdicts: Verdict::ALL.map(|v| [v.key(), v.word(), v.shape()]),
        metrics: views::metrics(results),
        views: views::views(results, code),
        heads: workloads::heads(),
        cards: workloads::cards(results),
    };
    out.data("data", &data);
}

/// A number as far as anybody can see it: five digits.
#[derive(Clone, Copy)]
pub(super) struct Rounded(pub(super) f64);

impl Serialize for Rounded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shown: f64 = format!("{:.4e}", self.0).parse().unwrap_or(self.0);
        shown.serialize(serializer)
    }
}

impl Serialize for Column<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (title, is_number) = match self {
            Column::Text(title) => (title, false),
            Column::Number(title) => (title, true),
        };
        (title, is_number).serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_five_digits() {
        let shown = |value| serde_json::to_string(&Rounded(value)).unwrap();
        assert_eq!(shown(0.123_456_789), "0.12346");
        assert_eq!(shown(1.0), "1.0");
        assert_eq!(shown(123_456.0), "123460.0");
        assert_eq!(shown(f64::INFINITY), "null");
    }
}
