//! The page over all commits: every metric, tier, peer and workload of the recorded runs.
//!
//! What is here without the script are the rule, the steps and the runs as tables. The script
//! (`history.js`) plots what is chosen, compares two runs row by row, and keeps both in the URL's
//! fragment. What is joined and where it has steps is decided by [`crate::history::series`].

use super::markup::{Html, put};
use super::parts::{Column, folded_table, local_changes, short_hash, table};
use super::{end, head};
use crate::history::series::{self, Standing, Step};
use crate::history::{Family, Record};
use crate::schema::Metric;
use crate::text::{date, ratio};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The name of its file.
pub const FILE: &str = "history.html";

/// Bytes of records in the page, so that it stays below a megabyte whatever is recorded: two thirds for the
/// newest with their rows, the rest for the means of older ones.
const RECORDS_BYTES_MAX: usize = 750_000;

/// Steps in a table.
const STEPS_SHOWN: usize = 200;

/// The page of recorded runs, in the order of their commits.
#[must_use]
pub fn history_page(records: &[Record]) -> String {
    let shown = Shown::of(records);
    let left_out = records.len() - shown.written.len();
    let records = shown.records;
    let steps = series::steps(records);
    let mut out = Html::default();
    let styles = [include_str!("style.css"), include_str!("history.css")];
    head(&mut out, "zwasm over commits", &styles);
    out.raw("<body class=\"history\"><header><h1>zwasm over commits</h1>");
    put!(
        out,
        "<p>{} recorded runs{}. A ratio is zwasm ÷ peer; below 1 zwasm takes less.</p>",
        records.len(),
        match left_out {
            0 => String::new(),
            n => format!("; {n} older ones have no room here"),
        }
    );
    out.raw(
        "<p class=\"muted\">A line joins runs that are alike: of the same processor and cores, profile, corpus and \
         version of the peer, whose A/A control of the metric passed. A run whose control failed or was not \
         kept stands by itself. A step is marked between neighbours on a line when their intervals do not \
         overlap and they differ by more than the noise floor of either run; a mean also must be over the \
         same workloads. Many small changes in one direction are no step: compare two distant runs to see \
         them.</p></header>\n<main>",
    );
    explorer(&mut out);
    step_table(&mut out, records, &steps);
    runs(&mut out, records);
    out.raw("</main>");
    out.data("records", &data(&shown, &steps));
    end(&mut out, &[include_str!("history.js")]);
    out.into_text()
}

/// What the script fills.
fn explorer(out: &mut Html) {
    out.raw(
        "<noscript><p class=\"banner\">The plot and the comparison of two runs need scripts.</p></noscript>\
         <div id=\"explorer\" hidden><div class=\"controls\" id=\"choice\"></div>\
         <div class=\"card\"><figure><figcaption id=\"caption\"></figcaption><div class=\"scroll\" id=\"plot\"></div>\
         </figure><p id=\"point\" class=\"muted\" aria-live=\"polite\"></p>\
         <ul class=\"chips\" id=\"lines\"></ul>\
         <details><summary>Table</summary><div class=\"scroll\"><table id=\"points\"></table></div></details></div>\
         <h2 id=\"compare\">Two runs compared</h2><div class=\"controls\" id=\"pair\"></div>\
         <div id=\"unlike\"></div><p id=\"compared\" aria-live=\"polite\"></p>\
         <div class=\"card\"><div class=\"scroll\"><table id=\"rows\"></table></div>\
         <button type=\"button\" id=\"more\" hidden></button></div></div>",
    );
}

fn step_table(out: &mut Html, records: &[Record], steps: &[Step]) {
    out.raw("<h2 id=\"steps\">Steps</h2><div class=\"card\">");
    let (of_means, of_rows): (Vec<&Step>, Vec<&Step>) =
        steps.iter().partition(|step| step.workload.is_none());
    put!(
        out,
        "<p>Between neighbours on a line there are {} steps of geometric means and {} of workloads.</p>",
        of_means.len(),
        of_rows.len()
    );
    for (of, steps) in [("geometric means", of_means), ("workloads", of_rows)] {
        if !steps.is_empty() {
            let shown = newest_first(&steps);
            let summary = format!("Steps of {of}{}", how_many(shown.len(), steps.len()));
            folded_table(out, &summary, &STEP_COLUMNS, |out| {
                for step in shown {
                    step_row(out, records, step);
                }
            });
        }
    }
    out.raw("</div>");
}

/// The newest steps, and of one run the largest first.
fn newest_first<'s>(steps: &[&'s Step]) -> Vec<&'s Step> {
    let mut shown = steps.to_vec();
    shown.sort_by(|a, b| {
        let size = b.change.abs().total_cmp(&a.change.abs());
        b.to.cmp(&a.to).then(size)
    });
    shown.truncate(STEPS_SHOWN);
    shown
}

fn how_many(shown: usize, all: usize) -> String {
    if shown < all {
        format!(", the newest {shown}")
    } else {
        String::new()
    }
}

const STEP_COLUMNS: [Column<'_>; 6] = [
    Column::Number("behind ÷ before"),
    Column::Text("workload"),
    Column::Text("metric"),
    Column::Text("tier ÷ peer"),
    Column::Text("commit"),
    Column::Text("change"),
];

fn step_row(out: &mut Html, records: &[Record], step: &Step) {
    let record = &records[step.to];
    let family = &record.families[step.family];
    let workload = step.workload.and_then(|at| record.workloads.get(at));
    put!(
        out,
        "<tr><td class=\"n\">{} {}×</td><td>{}</td><td>{}</td><td>{} ÷ {}</td><td><code>{}</code></td>\
         <td class=\"why\">{}</td></tr>",
        if step.change > 0.0 { "▲" } else { "▼" },
        ratio(step.change.exp()),
        workload.map_or("geometric mean", String::as_str),
        family.metric.title(),
        family.tier,
        family.peer,
        short_hash(&record.commit),
        record.change()
    );
}

fn runs(out: &mut Html, records: &[Record]) {
    out.raw("<h2 id=\"runs\">Runs</h2><div class=\"card\">");
    let columns = [
        Column::Text("commit"),
        Column::Text("title"),
        Column::Text("measured"),
        Column::Text("where and how"),
        Column::Text("control failed"),
    ];
    table(out, "", &columns, |out| {
        for record in records.iter().rev() {
            let failed: Vec<&str> = Metric::ALL
                .into_iter()
                .filter(|&metric| Standing::of(record, metric) == Standing::Failed)
                .map(Metric::title)
                .collect();
            put!(
                out,
                "<tr><td><code>{}</code>{}</td><td class=\"why\">{}<br><span class=\"muted\">{}</span></td>\
                 <td>{}</td><td class=\"why\">{}</td><td>{}</td></tr>",
                short_hash(&record.commit),
                local_changes(&record.commit),
                record.commit_info.title,
                record.message,
                date(record.unix_s),
                where_and_how(record),
                if failed.is_empty() {
                    "–".to_owned()
                } else {
                    failed.join(", ")
                }
            );
        }
    });
    out.raw("</div>");
}

fn where_and_how(record: &Record) -> String {
    let setting = &record.setting;
    let cores = match setting.cores {
        0 => String::new(),
        cores => format!(", {cores} cores"),
    };
    let rows: usize = record.families.iter().map(|f| record.rows(f).count()).sum();
    let kept = match rows {
        0 => "means only".to_owned(),
        rows => format!("{rows} rows"),
    };
    format!(
        "{} ({}{cores}), {}, corpus {}; {kept}",
        setting.cpu,
        setting.isa,
        setting.profile,
        setting.corpus_in_short()
    )
}

/// What the script works on. Families are named once, because every record has dozens of them.
fn data(shown: &Shown<'_>, steps: &[Step]) -> Value {
    let records = shown.records;
    let lines: Vec<Value> = series::kinds(records)
        .into_iter()
        .map(|(metric, peer)| {
            let lines = series::lines(records, metric, peer);
            json!({"metric": metric, "peer": peer, "lines": lines})
        })
        .collect();
    let steps: Vec<Value> = steps
        .iter()
        .map(|s| json!([s.to, s.family, s.workload]))
        .collect();
    let first = records.last().and_then(|r| r.headline().next());
    json!({
        "metrics": Metric::ALL.map(|m| [m.key(), m.title()]),
        "first": first.map(|f| json!({"metric": f.metric, "tier": f.tier, "peer": f.peer})),
        "families": shown.families,
        "records": shown.written,
        "lines": lines,
        "steps": steps,
    })
}

/// The records that a page has room for.
struct Shown<'r> {
    /// The newest of all.
    records: &'r [Record],
    /// Metric, tier and peer of each family of any record.
    families: Vec<(Metric, &'r str, &'r str)>,
    /// What is written of each record.
    written: Vec<Value>,
}

impl<'r> Shown<'r> {
    fn of(records: &'r [Record]) -> Shown<'r> {
        let all = records.iter().flat_map(|r| &r.families);
        let families: BTreeSet<_> = all.map(Family::key).collect();
        let families: Vec<_> = families.into_iter().collect();
        let mut room = RECORDS_BYTES_MAX;
        let mut written = Vec::new();
        for record in records.iter().rev() {
            let fits = |value: &Value| room.checked_sub(value.to_string().len());
            let whole = Self::write(&families, record, true);
            let means = Self::write(&families, record, false);
            // Whole records leave room for the means of older ones.
            let left = fits(&whole).filter(|&left| left > RECORDS_BYTES_MAX / 3);
            if let Some(left) = left {
                room = left;
                written.push(whole);
            } else if let Some(left) = fits(&means) {
                room = left;
                written.push(means);
            } else {
                break;
            }
        }
        written.reverse();
        Shown {
            records: &records[records.len() - written.len()..],
            families,
            written,
        }
    }

    fn write(families: &[(Metric, &str, &str)], record: &Record, with_rows: bool) -> Value {
        let of_family = |family: &Family| {
            let name = families.binary_search(&family.key()).unwrap_or_default();
            let rows = if with_rows { &family.rows[..] } else { &[] };
            json!([name, family.mean, family.covered, family.total, rows])
        };
        let id = record.file_name();
        let id = id.trim_start_matches("run-").trim_end_matches(".json");
        json!({
            "id": id,
            "date": date(record.unix_s),
            "change": record.change(),
            "commit": record.commit,
            "setting": record.setting,
            "peers": record.peers,
            "controls": record.controls,
            "workloads": if with_rows { &record.workloads[..] } else { &[] },
            "families": record.families.iter().map(of_family).collect::<Vec<Value>>(),
        })
    }
}
