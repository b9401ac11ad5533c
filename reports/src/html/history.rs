//! History of each tier ÷ peer over records of the same machine, this run last.

use super::markup::{Html, put};
use super::parts::{Column, figure, folded_table};
use super::plots;
use crate::history::{Mean, Record};
use crate::schema::{Geomean, Results};
use crate::text::{date, interval, ratio};

pub(super) fn section(out: &mut Html, results: &Results, history: &[Record]) {
    let now = Record::of(results, "this run");
    let mut records: Vec<&Record> = history
        .iter()
        .filter(|r| r.cpu == now.cpu && r.corpus == now.corpus && r.unix_s < now.unix_s)
        .collect();
    if records.is_empty() {
        return;
    }
    records.push(&now);
    out.raw("<h2 id=\"history\">History</h2>");
    for mean in results.headline_means() {
        of_mean(out, &records, mean);
    }
}

fn of_mean(out: &mut Html, records: &[&Record], mean: &Geomean) {
    let is_same = |m: &&Mean| m.metric == mean.metric && m.tier == mean.tier && m.peer == mean.peer;
    let points: Vec<(&Record, [f64; 3])> = records
        .iter()
        .filter_map(|&record| {
            let of = record.means.iter().find(is_same)?;
            Some((record, [of.ratio, of.lo, of.hi]))
        })
        .collect();
    if points.len() < 2 {
        return;
    }
    let title = format!("{} ÷ {}, {}", mean.tier, mean.peer, mean.metric.title());
    put!(out, "<div class=\"card\"><h3>{}</h3>", title);
    let caption = "Geometric mean with its interval, by commit; same machine and workloads.";
    figure(out, caption, plots::history(&title, &points));
    let columns = [
        Column::Text("date"),
        Column::Text("commit"),
        Column::Text("change"),
        Column::Number("ratio"),
        Column::Text("interval"),
    ];
    folded_table(out, "Table", &columns, |out| {
        for (record, [value, lo, hi]) in points {
            let commit: String = record.commit.chars().take(10).collect();
            put!(
                out,
                "<tr><td>{}</td><td><code>{}</code></td><td>{}</td><td class=\"n\">{}×</td>\
                 <td>{}</td></tr>",
                date(record.unix_s),
                commit,
                record.message,
                ratio(value),
                interval(Some(lo), Some(hi))
            );
        }
    });
    out.raw("</div>");
}
