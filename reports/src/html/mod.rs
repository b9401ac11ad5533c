//! The report page: one self-contained HTML file per run.
//!
//! In: results (analysed) and the history. Out: a page without any reference to the network —
//! styles, script and plots are inline. The first screen answers in ten seconds: how large is the
//! gap, how sure are we, what is worst, where was it measured. Every plot has a title and stands
//! beside its table; a verdict is told by word and shape, colour only helps. Every string from the
//! results is escaped.

mod arm64;
mod canvas;
mod code;
mod jobs;
mod plots;
mod workloads;

use crate::analysis::{advisory, block_gaps};
use crate::arm64::Arm64Report;
use crate::code::CodeReport;
use crate::history::Record;
use crate::schema::{CellStatus, EngineInfo, EngineKind, Gap, Geomean, Metric, Results};
use crate::stats::{self, Verdict};
use crate::text::{self, duration, ratio};
use canvas::Ink;
pub use code::code_page;
use std::fmt::Write;

/// Escapes text for HTML and for attribute values in double quotes.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Appends formatted text; writing to a string cannot fail.
macro_rules! put {
    ($out:expr, $($arg:tt)*) => {
        let _ = write!($out, $($arg)*);
    };
}
pub(crate) use put;

/// What was counted beside a run, if it was.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// What the page of hot functions shows.
    pub code: Option<CodeReport>,
    /// Instruction counts on ARM64.
    pub arm64: Option<Arm64Report>,
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
    let mut out = String::new();
    put!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <link rel=\"icon\" href=\"data:,\"><title>{0}</title><style>{1}</style></head>\n\
         <body><header><h1>{0}</h1>",
        escape(&title),
        include_str!("style.css")
    );
    summary(&mut out, results);
    out.push_str("</header>\n<main>");
    views(&mut out, results, beside.code.as_ref());
    jobs::section(&mut out, results);
    ladder(&mut out, results);
    heat_map(&mut out, results);
    phases(&mut out, results);
    history_section(&mut out, results, history);
    if let Some(report) = &beside.arm64 {
        arm64::section(&mut out, report);
    }
    control(&mut out, results);
    workloads::sections(&mut out, results);
    about(&mut out, results);
    put!(
        out,
        "</main>\n<footer class=\"muted\"><p>Data: <a href=\"results.json\">results.json</a>, \
         <a href=\"results.csv\">results.csv</a>. A ratio is zwasm ÷ peer; below 1 zwasm takes \
         less.</p></footer>\n<script>{}</script></body></html>\n",
        include_str!("page.js")
    );
    out
}

/// A plot with its caption, scrolling by itself on a narrow screen.
fn figure(out: &mut String, caption: &str, svg: &str) {
    put!(
        out,
        "<figure><figcaption>{}</figcaption><div class=\"scroll\">{svg}</div></figure>",
        escape(caption)
    );
}

/// The place of an engine in the list, which is its colour everywhere.
fn series_of(results: &Results, engine: &str) -> usize {
    let at = results.engines.iter().position(|e| e.id == engine);
    at.unwrap_or(0)
}

fn swatch(ink: Ink) -> String {
    format!(
        "<span class=\"swatch\" style=\"background:var(--{})\"></span>",
        ink.variable()
    )
}

fn summary(out: &mut String, results: &Results) {
    // The headline is the last tier that ran, the fastest by design; the others follow folded.
    let headline = headline_means(results).last().map(|m| m.tier.as_str());
    let (first, others): (Vec<&Geomean>, Vec<&Geomean>) =
        headline_means(results).partition(|m| Some(m.tier.as_str()) == headline);
    for mean in first {
        summary_of(out, results, mean);
    }
    if !others.is_empty() {
        out.push_str("<details><summary>Other tiers</summary>");
        for mean in others {
            summary_of(out, results, mean);
        }
        out.push_str("</details>");
    }
    let commit: String = results.commit.hash.chars().take(12).collect();
    let machine = &results.machine;
    put!(
        out,
        "<p class=\"muted\">Commit <code>{}</code>{} · {} · {} cores · {} · profile {}</p>",
        escape(if commit.is_empty() {
            "unknown"
        } else {
            &commit
        }),
        if results.commit.dirty {
            " with local changes"
        } else {
            ""
        },
        escape(&machine.cpu),
        machine.cores,
        escape(&date(results.started_unix_s)),
        escape(&results.profile.name)
    );
    if let Some(why) = advisory(results) {
        put!(
            out,
            "<p class=\"banner\" role=\"alert\">⚠ {}.</p>",
            escape(&why)
        );
    }
    if !results.complete {
        out.push_str(
            "<p class=\"banner\">⚠ The run was interrupted: these are partial results.</p>",
        );
    }
    for engine in results.engines.iter().filter(|e| e.missing.is_some()) {
        put!(
            out,
            "<p class=\"banner\">{} is missing: {}.</p>",
            escape(&engine.id),
            escape(engine.missing.as_deref().unwrap_or_default())
        );
    }
}

/// Gap, verdict counts and worst rows of one tier against one peer.
fn summary_of(out: &mut String, results: &Results, mean: &Geomean) {
    put!(
        out,
        "<p class=\"lead\">{}.</p>",
        escape(&text::geomean_sentence(mean))
    );
    let counts = text::verdict_counts(results, &mean.tier, &mean.peer, mean.metric);
    out.push_str("<ul class=\"counts\">");
    for (verdict, count) in Verdict::ALL.into_iter().zip(counts) {
        put!(
            out,
            "<li class=\"{0}\"><b>{count}</b> {1} {0}</li>",
            verdict.word(),
            verdict.shape()
        );
    }
    out.push_str("</ul>");
    let worst: Vec<String> = mean
        .worst
        .iter()
        .map(|w| format!("{} {}×", w.workload, ratio(w.ratio)))
        .collect();
    put!(
        out,
        "<p class=\"muted\">Worst: {}.</p>",
        escape(&worst.join(", "))
    );
}

fn headline_means(results: &Results) -> impl Iterator<Item = &Geomean> {
    results
        .geomeans
        .iter()
        .filter(|m| m.metric == results.headline())
}

/// Gap bars and table of every tier × peer × metric, one shown at a time.
fn views(out: &mut String, results: &Results, code: Option<&CodeReport>) {
    out.push_str("<h2 id=\"gaps\">Gaps by workload</h2>");
    if results.geomeans.is_empty() {
        out.push_str("<p>No workload was measured under a tier and a peer.</p>");
        return;
    }
    out.push_str("<div class=\"controls\">");
    let unique = |of: &dyn Fn(&Geomean) -> (String, String)| -> Vec<(String, String)> {
        let mut values: Vec<(String, String)> = Vec::new();
        for mean in &results.geomeans {
            let value = of(mean);
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values
    };
    type Choice<'a> = (&'a str, Vec<(String, String)>);
    let choices: [Choice<'_>; 3] = [
        (
            "metric",
            unique(&|m| (m.metric.key().to_owned(), m.metric.title().to_owned())),
        ),
        ("tier", unique(&|m| (m.tier.clone(), m.tier.clone()))),
        ("peer", unique(&|m| (m.peer.clone(), m.peer.clone()))),
    ];
    for (name, values) in choices {
        put!(out, "<label>{name} <select name=\"{name}\">");
        for (value, label) in values {
            put!(
                out,
                "<option value=\"{}\">{}</option>",
                escape(&value),
                escape(&label)
            );
        }
        out.push_str("</select></label>");
    }
    out.push_str("</div><p id=\"no-view\" hidden>Nothing was measured for this choice.</p>");
    for mean in &results.geomeans {
        view(out, results, mean, code);
    }
}

fn view(out: &mut String, results: &Results, mean: &Geomean, code: Option<&CodeReport>) {
    let gaps: Vec<&Gap> = results
        .gaps
        .iter()
        .filter(|g| g.metric == mean.metric && g.tier == mean.tier && g.peer == mean.peer)
        .collect();
    put!(
        out,
        "<section class=\"view card\" data-metric=\"{}\" data-tier=\"{}\" data-peer=\"{}\"><h3>{}, {} \
         against {}</h3><p>{}.</p><p class=\"muted\">Balanced over categories: {}×. {}</p>",
        mean.metric.key(),
        escape(&mean.tier),
        escape(&mean.peer),
        capitalised(mean.metric.title()),
        escape(&mean.tier),
        escape(&mean.peer),
        escape(&text::geomean_sentence(mean)),
        ratio(mean.balanced),
        match mean.metric {
            Metric::Compile =>
                "Of an external engine: its own compile command, less the same \
                command on an empty module; of zwasm: load and compile as it reports them.",
            Metric::Setup => "The same module with no work, from spawn to exit.",
            Metric::FirstResult if results.is_jobs() =>
                "From spawn to the first byte on stdout; to the end, where a job only writes files.",
            Metric::FirstResult => "From spawn to the first byte of output, small size.",
            Metric::Total => "The job, from spawn to exit.",
            Metric::PeakRss if results.is_jobs() => "Peak resident set of the process.",
            Metric::PeakRss => "Peak resident set of the process that ran the iterations.",
            Metric::Steady => "Median iteration after warm-up, timed in the guest.",
        }
    );
    let floor = results.floor(mean.metric);
    let caption = format!(
        "Ratio on a log axis, with intervals; the band is the noise floor (±{:.1} %). Left of 1 \
         zwasm takes less.",
        floor * 100.0
    );
    figure(out, &caption, &plots::gaps(&gaps, mean, floor));
    out.push_str(
        "<div class=\"scroll\"><table class=\"sortable gaps\"><thead><tr><th>workload</th>\
         <th>category</th><th class=\"n\">ratio</th><th>interval</th><th class=\"n\">n</th>\
         <th>verdict</th></tr></thead><tbody>",
    );
    for gap in &gaps {
        let needed = gap
            .blocks_needed
            .map(|n| format!(" (needs about {n} blocks)"))
            .unwrap_or_default();
        put!(
            out,
            "<tr title=\"{}\"><td><a href=\"#w-{}\">{}</a></td><td>{}</td>\
             <td class=\"n\" data-v=\"{}\">{}×</td><td data-v=\"{}\">{}</td>\
             <td class=\"n\" data-v=\"{n}\">{n}</td>\
             <td class=\"{word}\">{} {word}{needed}{}</td></tr>",
            escape(&text::gap_sentence(gap)),
            escape(&gap.workload),
            escape(&gap.workload),
            escape(&gap.category),
            gap.ratio,
            ratio(gap.ratio),
            gap.lo.unwrap_or(0.0),
            text::interval(gap.lo, gap.hi),
            gap.verdict.shape(),
            code_link(gap, code),
            n = gap.n,
            word = gap.verdict.word(),
        );
    }
    out.push_str("</tbody></table></div></section>");
}

/// Where the row's time goes, for the tier and metric that the page of hot functions is about.
fn code_link(gap: &Gap, code: Option<&CodeReport>) -> String {
    let shown = code.is_some_and(|code| {
        code.has(&gap.workload) && code.engines[0] == gap.tier && gap.metric == Metric::Steady
    });
    if shown {
        format!(
            " · <a href=\"code.html#open=w-{}\">code</a>",
            escape(&gap.workload)
        )
    } else {
        String::new()
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|c| c.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

/// The tier ladder and the Pareto scatter, relative to the first peer that ran.
fn ladder(out: &mut String, results: &Results) {
    let Some(reference) = results.engines_of(EngineKind::Peer).next() else {
        return;
    };
    let mut steps = Vec::new();
    for engine in results.engines.iter().filter(|e| e.missing.is_none()) {
        let relative = plots::relative(results, results.headline(), &engine.id, &reference.id);
        if let Some(ratio) = relative {
            let series = series_of(results, &engine.id);
            let name = engine.id.clone();
            steps.push(plots::Step {
                name,
                ratio,
                series,
            });
        }
    }
    if steps.len() < 2 {
        return;
    }
    out.push_str("<h2 id=\"ladder\">Tier ladder</h2><div class=\"card\">");
    let caption = format!(
        "Geometric mean of {} relative to {}, each engine over the workloads that both \
         ran; blocks of the first stage.",
        results.headline().noun(),
        reference.id
    );
    let what = results.headline().noun();
    figure(out, &caption, &plots::ladder(&steps, what, &reference.id));
    out.push_str("</div>");

    // Compile time only exists for engines that compile ahead; setup exists for all.
    for (metric, name) in [
        (Metric::Compile, "compile time"),
        (Metric::Setup, "setup time"),
    ] {
        let points: Vec<(String, f64, f64, usize)> = steps
            .iter()
            .filter_map(|step| {
                let x = plots::relative(results, metric, &step.name, &reference.id)?;
                Some((step.name.clone(), x.value, step.ratio.value, step.series))
            })
            .collect();
        if points.len() < 2 {
            continue;
        }
        put!(
            out,
            "<h2 id=\"pareto-{}\">{} against run time</h2><div class=\"card\">",
            metric.key(),
            capitalised(name)
        );
        let caption = format!("Both relative to {}; lower left is better.", reference.id);
        figure(out, &caption, &plots::pareto(&points, name, &reference.id));
        out.push_str("<details><summary>Table</summary><div class=\"scroll\"><table><thead><tr>");
        put!(
            out,
            "<th>engine</th><th class=\"n\">{name}</th><th class=\"n\">steady time</th></tr>"
        );
        out.push_str("</thead><tbody>");
        for (engine, x, y, _) in &points {
            put!(
                out,
                "<tr><td>{}</td><td class=\"n\">{}×</td><td class=\"n\">{}×</td></tr>",
                escape(engine),
                ratio(*x),
                ratio(*y)
            );
        }
        out.push_str("</tbody></table></div></details></div>");
    }
}

/// Workload × engine: steady time relative to the fastest engine of the row.
fn heat_map(out: &mut String, results: &Results) {
    let engines: Vec<&EngineInfo> = results
        .engines
        .iter()
        .filter(|e| e.missing.is_none())
        .collect();
    put!(
        out,
        "<h2 id=\"heat\">Workloads × engines</h2><div class=\"card\"><p class=\"muted\">{} \
         relative to the fastest engine of the row; hatched where there is no right result. \
         </p><div class=\"scroll\"><table class=\"heat sortable\"><thead><tr><th>workload</th>",
        capitalised(results.headline().title())
    );
    for engine in &engines {
        put!(out, "<th class=\"n\">{}</th>", escape(&engine.id));
    }
    out.push_str("</tr></thead><tbody>");
    for workload in &results.workloads {
        let steady: Vec<Option<f64>> = engines
            .iter()
            .map(|e| headline_median(results, &workload.id, &e.id))
            .collect();
        let fastest = steady
            .iter()
            .flatten()
            .copied()
            .fold(f64::INFINITY, f64::min);
        put!(out, "<tr><td>{}</td>", escape(&workload.id));
        for (engine, value) in engines.iter().zip(steady) {
            let status = results.cell(&workload.id, &engine.id).map(|c| &c.status);
            match (status, value) {
                (Some(CellStatus::Ok), Some(_)) if workload.startup => {
                    out.push_str("<td class=\"h\" data-v=\"0\">start-up case</td>");
                }
                (Some(CellStatus::Ok), Some(ns)) => {
                    let share = ns / fastest;
                    // Full colour at ten times the fastest.
                    let strength = (share.log10().clamp(0.0, 1.0) * 70.0).round();
                    put!(
                        out,
                        "<td class=\"h\" data-v=\"{share}\" style=\"background:color-mix(in srgb,\
                         var(--slower) {strength}%,transparent)\">{}×</td>",
                        ratio(share)
                    );
                }
                (Some(status), _) => {
                    put!(
                        out,
                        "<td class=\"h hatched\" data-v=\"1e9\" title=\"{}\">{}</td>",
                        escape(status.reason()),
                        status.word()
                    );
                }
                (None, _) => out.push_str("<td class=\"h hatched\" data-v=\"1e9\">not run</td>"),
            }
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
    let failed: Vec<_> = results
        .cells
        .iter()
        .filter(|c| !matches!(c.status, CellStatus::Ok | CellStatus::Pending))
        .collect();
    if !failed.is_empty() {
        put!(
            out,
            "<details><summary>{} cells without a result</summary>",
            failed.len()
        );
        out.push_str("<div class=\"scroll\"><table><tbody>");
        for cell in failed {
            put!(
                out,
                "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"why\">{}</td></tr>",
                escape(&cell.workload),
                escape(&cell.engine),
                cell.status.word(),
                escape(cell.status.reason())
            );
        }
        out.push_str("</tbody></table></div></details>");
    }
    out.push_str("</div>");
}

/// Median over processes of a metric, in nanoseconds or bytes.
fn metric_median(results: &Results, workload: &str, engine: &str, metric: Metric) -> Option<f64> {
    let cell = results.cell(workload, engine)?;
    let values: Vec<f64> = cell.samples.iter().filter_map(|s| metric.of(s)).collect();
    (cell.status == CellStatus::Ok && !values.is_empty()).then(|| stats::median(&values))
}

fn headline_median(results: &Results, workload: &str, engine: &str) -> Option<f64> {
    metric_median(results, workload, engine, results.headline())
}

/// Setup split at compilation, and the rest of the time to the first result.
fn phase_row(results: &Results, workload: &str, engine: &str) -> Option<plots::PhaseRow> {
    let of = |metric| metric_median(results, workload, engine, metric);
    let (setup, first) = (of(Metric::Setup)?, of(Metric::FirstResult)?);
    let compile = of(Metric::Compile).unwrap_or(0.0).min(setup);
    Some(plots::PhaseRow {
        engine: engine.to_owned(),
        parts: vec![
            ("start, load, instantiate", setup - compile),
            ("compile, where it is known", compile),
            ("first run", (first - setup).max(0.0)),
        ],
    })
}

fn phase_legend(out: &mut String) {
    out.push_str("<ul class=\"chips\">");
    let names = [
        "start, load, instantiate",
        "compile, where it is known",
        "first run",
    ];
    for (name, ink) in names.into_iter().zip(plots::PHASE_INKS) {
        put!(out, "<li>{}{name}</li>", swatch(ink));
    }
    out.push_str("</ul>");
}

/// Phases of the median workload: the one whose time to first result is in the middle.
fn phases(out: &mut String, results: &Results) {
    let mut rows: Vec<plots::PhaseRow> = Vec::new();
    for engine in results.engines.iter().filter(|e| e.missing.is_none()) {
        let all: Vec<plots::PhaseRow> = results
            .workloads
            .iter()
            .filter_map(|w| phase_row(results, &w.id, &engine.id))
            .collect();
        if all.is_empty() {
            continue;
        }
        let middle =
            |i: usize| stats::median(&all.iter().map(|r| r.parts[i].1).collect::<Vec<_>>());
        let parts = (0..3).map(|i| (all[0].parts[i].0, middle(i))).collect();
        rows.push(plots::PhaseRow {
            engine: engine.id.clone(),
            parts,
        });
    }
    if rows.is_empty() {
        return;
    }
    out.push_str("<h2 id=\"phases\">Phases</h2><div class=\"card\">");
    figure(
        out,
        "Where the time to the first result goes; median of each phase over workloads.",
        &plots::phases(&rows),
    );
    phase_legend(out);
    phase_table(out, &rows);
    out.push_str("</div>");
}

fn phase_table(out: &mut String, rows: &[plots::PhaseRow]) {
    out.push_str(
        "<details><summary>Table</summary><div class=\"scroll\"><table><thead><tr><th>engine</th>",
    );
    for (name, _) in rows.first().map(|r| r.parts.as_slice()).unwrap_or_default() {
        put!(out, "<th class=\"n\">{name}</th>");
    }
    out.push_str("</tr></thead><tbody>");
    for row in rows {
        put!(out, "<tr><td>{}</td>", escape(&row.engine));
        for (_, ns) in &row.parts {
            put!(out, "<td class=\"n\">{}</td>", duration(*ns));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div></details>");
}

/// History of each tier ÷ peer over records of the same machine, this run last.
fn history_section(out: &mut String, results: &Results, history: &[Record]) {
    let now = Record::of(results, "this run");
    let mut records: Vec<&Record> = history
        .iter()
        .filter(|r| r.cpu == now.cpu && r.corpus == now.corpus && r.unix_s < now.unix_s)
        .collect();
    if records.is_empty() {
        return;
    }
    records.push(&now);
    out.push_str("<h2 id=\"history\">History</h2>");
    for mean in headline_means(results) {
        let points: Vec<(&Record, [f64; 3])> = records
            .iter()
            .filter_map(|r| {
                let m = r.means.iter().find(|m| {
                    m.metric == mean.metric && m.tier == mean.tier && m.peer == mean.peer
                })?;
                Some((*r, [m.ratio, m.lo, m.hi]))
            })
            .collect();
        if points.len() < 2 {
            continue;
        }
        let title = format!("{} ÷ {}, {}", mean.tier, mean.peer, mean.metric.title());
        put!(out, "<div class=\"card\"><h3>{}</h3>", escape(&title));
        let caption = "Geometric mean with its interval, by commit; same machine and workloads.";
        figure(out, caption, &plots::history(&title, &points));
        out.push_str(
            "<details><summary>Table</summary><div class=\"scroll\"><table><thead><tr><th>date</th>\
             <th>commit</th><th>change</th><th class=\"n\">ratio</th><th>interval</th></tr></thead>\
             <tbody>",
        );
        for (record, [r, lo, hi]) in points {
            let commit: String = record.commit.chars().take(10).collect();
            put!(
                out,
                "<tr><td>{}</td><td><code>{}</code></td><td>{}</td><td class=\"n\">{}×</td>\
                 <td>{}</td></tr>",
                date(record.unix_s),
                escape(&commit),
                escape(&record.message),
                ratio(r),
                text::interval(Some(lo), Some(hi))
            );
        }
        out.push_str("</tbody></table></div></details></div>");
    }
}

fn control(out: &mut String, results: &Results) {
    let rows: Vec<_> = results
        .floors
        .iter()
        .map(|floor| {
            let gaps = results
                .control
                .iter()
                .flat_map(|pair| block_gaps(floor.metric, &pair.a, &pair.b))
                .collect();
            (floor, gaps)
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    out.push_str("<h2 id=\"control\">A/A control</h2><div class=\"card\">");
    figure(
        out,
        "The same binary against itself, one dot per block; the band is the noise floor F that a \
         difference must exceed.",
        &plots::control(&rows),
    );
    out.push_str(
        "<details><summary>Table</summary><div class=\"scroll\"><table><thead><tr><th>metric</th>\
         <th class=\"n\">ratio</th><th>interval</th><th class=\"n\">F</th><th class=\"n\">blocks</th>\
         <th>control</th></tr></thead><tbody>",
    );
    for (floor, _) in &rows {
        put!(
            out,
            "<tr><td>{}</td><td class=\"n\">{:.3}×</td><td>{}</td><td class=\"n\">{:.1} %</td>\
             <td class=\"n\">{}</td><td>{}</td></tr>",
            floor.metric.title(),
            floor.ratio,
            text::interval(floor.lo, floor.hi),
            floor.floor * 100.0,
            floor.n,
            if floor.failed { "failed" } else { "ok" }
        );
    }
    out.push_str("</tbody></table></div></details></div>");
}

/// Machine, engines, notes.
fn about(out: &mut String, results: &Results) {
    let m = &results.machine;
    let commit = &results.commit;
    let facts = [
        (
            "commit",
            format!(
                "{}{}",
                commit.hash,
                if commit.dirty {
                    " (with local changes)"
                } else {
                    ""
                }
            ),
        ),
        ("CPU", m.cpu.clone()),
        ("instruction set", m.isa.clone()),
        ("cores", m.cores.to_string()),
        (
            "governor",
            if m.governor.is_empty() {
                "none shown".to_owned()
            } else {
                m.governor.clone()
            },
        ),
        ("memory", text::size(m.memory_bytes as f64)),
        ("kernel", m.kernel.clone()),
        (
            "load before, after",
            format!("{:.2}, {:.2}", m.load_before, m.load_after),
        ),
        ("steal", format!("{:.2} %", m.steal * 100.0)),
        (
            "involuntary context switches",
            m.involuntary_switches.to_string(),
        ),
        ("counters", m.counters.clone()),
        (
            "corpus",
            format!("{} ({})", results.corpus.checksum, results.corpus.selection),
        ),
        ("started", date(results.started_unix_s)),
        ("duration", format!("{:.0} s", results.duration_s)),
        (
            "profile",
            format!(
                "{}: {} blocks, {} fresh ones for slower rows, {} ms per process",
                results.profile.name,
                results.profile.blocks,
                results.profile.fresh_blocks,
                results.profile.sample_ms
            ),
        ),
    ];
    out.push_str("<h2 id=\"about\">Machine and engines</h2><div class=\"card\">");
    for note in &results.notes {
        put!(out, "<p>Note: {}.</p>", escape(note));
    }
    out.push_str("<div class=\"scroll\"><table><tbody>");
    for (name, value) in facts {
        put!(
            out,
            "<tr><td>{name}</td><td class=\"why\"><code>{}</code></td></tr>",
            escape(&value)
        );
    }
    out.push_str(
        "</tbody></table></div><h3>Engines</h3><div class=\"scroll\"><table><thead><tr><th>engine</th>\
         <th>what</th><th>version</th><th>SHA-256</th></tr></thead><tbody>",
    );
    for engine in &results.engines {
        let version = engine
            .missing
            .as_ref()
            .map_or_else(|| engine.version.clone(), |why| format!("missing: {why}"));
        let sum: String = engine.sha256.chars().take(16).collect();
        put!(
            out,
            "<tr><td>{}{}</td><td>{}</td><td class=\"why\">{}</td><td><code title=\"{}\">{}</code></td></tr>",
            swatch(Ink::Series(series_of(results, &engine.id))),
            escape(&engine.id),
            escape(&engine.title),
            escape(&version),
            escape(&engine.sha256),
            escape(&sum)
        );
    }
    out.push_str("</tbody></table></div></div>");
}

/// `2026-08-31 12:34 UTC`, by the civil-from-days algorithm (Howard Hinnant's public-domain
/// formulas, written out).
fn date(unix_s: u64) -> String {
    let days = unix_s / 86_400;
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute) = (unix_s % 86_400 / 3600, unix_s % 3600 / 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(date(0), "1970-01-01 00:00 UTC");
        assert_eq!(date(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(date(1_798_761_599), "2026-12-31 23:59 UTC");
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(
            escape("<a href='x'>\"&"),
            "&lt;a href=&#39;x&#39;&gt;&quot;&amp;"
        );
    }
}
