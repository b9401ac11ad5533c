//! The report page: one self-contained HTML file per run.
//!
//! In: results (analysed) and the history. Out: a page without any reference to the network —
//! styles, script and plots are inline. The first screen answers in ten seconds, first of all by one table: how
//! large is the gap, how sure are we, what is worst, where was it measured. Every plot has a title and stands
//! beside its table; a verdict is told by word and shape, colour only helps.
//!
//! A file per section, in the order of [`page`]; `code.rs` is the page of hot functions, `flame.rs` that of
//! a flame graph, `history_page.rs` that of all commits. All of them write `markup::Html`, which escapes whatever comes from the results; `parts.rs`, `plots.rs` and
//! `canvas.rs` have what they share. What a reader looks at one of many (the rows of a tier against a
//! peer, the card of a workload) is data (`data.rs`) that the script makes elements of when it is looked
//! at: a page stays below a megabyte and some thousand elements. Without a script the answer, the
//! workloads and the plots of the whole run are there.

mod about;
mod answer;
mod arm64;
mod builds;
mod canvas;
mod code;
mod control;
mod data;
mod flame;
mod heat_map;
mod history;
mod history_page;
mod icicle;
mod jobs;
mod ladder;
mod markup;
mod own_phases;
mod parts;
mod phases;
mod plots;
mod rerun;
mod summary;
mod views;
mod work;
mod workloads;

use crate::arm64::Arm64Report;
use crate::code::CodeReport;
use crate::history::Record;
use crate::schema::{EngineKind, Results};
pub use code::code_page;
pub use flame::flame_page;
pub use history_page::{FILE as HISTORY_FILE, history_page};
use markup::{Html, put};

/// What was counted beside a run, if it was.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// What the page of hot functions shows.
    pub code: Option<CodeReport>,
    /// Instruction counts on ARM64.
    pub arm64: Option<Arm64Report>,
    /// The file of the checkout that has the rows of this run, if it was recorded.
    pub recorded: Option<String>,
    /// Whether the page over all commits lies there.
    pub history: bool,
}

/// The page of one run.
#[must_use]
pub fn page(results: &Results, history: &[Record], beside: &Beside) -> String {
    let peers: Vec<&str> = results
        .engines_of(EngineKind::Peer)
        .map(|e| e.id.as_str())
        .collect();
    let title = if peers.is_empty() {
        "zwasm measured".to_owned()
    } else {
        format!("zwasm against {}", peers.join(", "))
    };
    let mut out = Html::default();
    head(&mut out, &title, &[include_str!("style.css")]);
    put!(out, "<body><header><h1>{}</h1>", title);
    answer::section(&mut out, results);
    summary::section(&mut out, results);
    rerun::section(&mut out, results, beside.recorded.as_deref());
    out.raw("</header>\n<main>");
    builds::section(&mut out, results, beside.code.as_ref());
    views::section(&mut out, results);
    jobs::section(&mut out, results);
    work::section(&mut out, results);
    ladder::section(&mut out, results);
    heat_map::section(&mut out, results);
    phases::section(&mut out, results);
    let over_commits = beside.history.then_some(history_page::FILE);
    history::section(&mut out, results, history, over_commits);
    if let Some(report) = &beside.arm64 {
        arm64::section(&mut out, report);
    }
    control::section(&mut out, results);
    workloads::sections(&mut out, results);
    about::section(&mut out, results);
    out.raw(
        "</main>\n<footer class=\"muted\"><p>Data: <a href=\"results.json\">results.json</a>, \
         <a href=\"results.csv\">results.csv</a>. A ratio is zwasm ÷ peer; below 1 zwasm takes \
         less.</p></footer>\n",
    );
    data::block(&mut out, results, beside.code.as_ref());
    end(
        &mut out,
        &[
            include_str!("page.js"),
            include_str!("icicle.js"),
            include_str!("report.js"),
        ],
    );
    out.into_text()
}

/// Everything before the body.
fn head(out: &mut Html, title: &str, styles: &[&'static str]) {
    put!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <link rel=\"icon\" href=\"data:,\"><title>{}</title><style>",
        title
    );
    for style in styles {
        out.raw(style);
    }
    out.raw("</style></head>\n");
}

/// The script, and the end of the body.
fn end(out: &mut Html, scripts: &[&'static str]) {
    out.raw("<script>");
    out.raw(include_str!("elements.js"));
    for script in scripts {
        out.raw(script);
    }
    out.raw("</script></body></html>\n");
}
