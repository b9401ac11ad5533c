//! History of each tier ÷ peer over records that are like this run, which comes last.

use super::markup::{Html, put};
use super::parts::{Column, figure, folded_table, short_hash};
use super::plots;
use crate::history::series::{self, Standing};
use crate::history::{CommitInfo, Family, Record};
use crate::schema::Results;
use crate::stats::Estimate;
use crate::text::{date, interval, ratio};

/// `page` is the file of the page over all commits, if there is one.
pub(super) fn section(out: &mut Html, results: &Results, history: &[Record], page: Option<&str>) {
    let now = Record::of(results, CommitInfo::default(), "this run");
    let earlier = |r: &&Record| r.unix_s < now.unix_s;
    let mut records: Vec<Record> = history.iter().filter(earlier).cloned().collect();
    records.push(now.clone());
    let lines: Vec<(&Family, Vec<&Record>)> = now
        .headline()
        .map(|family| (family, alike(&records, family)))
        .filter(|(_, line)| line.len() > 1)
        .collect();
    if lines.is_empty() && page.is_none() {
        return;
    }
    out.raw("<h2 id=\"history\">History</h2>");
    if let Some(page) = page {
        put!(
            out,
            "<p><a href=\"{}\">Every metric, tier and workload over commits</a>, any two of them compared.</p>",
            page
        );
    }
    let headline = now.headline().next();
    if headline.is_some_and(|f| Standing::of(&now, f.metric) != Standing::Passed) {
        out.raw("<p>The A/A control of this run did not pass: it is on no line with others.</p>");
    }
    for (family, line) in lines {
        of_family(out, &line, family);
    }
}

/// The line of records that ends with the last of them.
fn alike<'r>(records: &'r [Record], family: &Family) -> Vec<&'r Record> {
    let lines = series::lines(records, family.metric, &family.peer);
    let last = records.len() - 1;
    let line = lines.into_iter().find(|line| line.contains(&last));
    line.unwrap_or_default()
        .into_iter()
        .map(|place| &records[place])
        .collect()
}

fn of_family(out: &mut Html, records: &[&Record], family: &Family) {
    let points: Vec<(&Record, Estimate)> = records
        .iter()
        .filter_map(|&record| Some((record, record.family(family.key())?.mean.ratios())))
        .collect();
    if points.len() < 2 {
        return;
    }
    let title = format!(
        "{} ÷ {}, {}",
        family.tier,
        family.peer,
        family.metric.title()
    );
    put!(out, "<div class=\"card\"><h3>{}</h3>", title);
    let caption =
        "Geometric mean with its interval, by commit; same machine, profile, workloads and peer.";
    figure(out, caption, plots::history(&title, &points));
    let columns = [
        Column::Text("date"),
        Column::Text("commit"),
        Column::Text("change"),
        Column::Number("ratio"),
        Column::Text("interval"),
    ];
    folded_table(out, "Table", &columns, |out| {
        for (record, mean) in points {
            put!(
                out,
                "<tr><td>{}</td><td><code>{}</code></td><td>{}</td><td class=\"n\">{}×</td>\
                 <td>{}</td></tr>",
                date(record.unix_s),
                short_hash(&record.commit),
                record.change(),
                ratio(mean.value),
                interval(Some(mean.lo), Some(mean.hi))
            );
        }
    });
    out.raw("</div>");
}
