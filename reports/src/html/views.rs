//! Gap bars and table of every tier × peer × metric, one shown at a time.

use super::markup::{Html, put};
use super::parts::{Column, capitalised, figure, or_dash, table};
use super::plots;
use crate::analysis::control_failed;
use crate::code::CodeReport;
use crate::schema::{Gap, Geomean, Metric, Results};
use crate::text::{self, ratio};

pub(super) fn section(out: &mut Html, results: &Results, code: Option<&CodeReport>) {
    out.raw("<h2 id=\"gaps\">Gaps by workload</h2>");
    if results.geomeans.is_empty() {
        out.raw("<p>No workload was measured under a tier and a peer.</p>");
        return;
    }
    out.raw("<div class=\"controls\">");
    choice(out, "metric", results, |m| {
        (m.metric.key(), m.metric.title())
    });
    choice(out, "tier", results, |m| (&m.tier, &m.tier));
    choice(out, "peer", results, |m| (&m.peer, &m.peer));
    out.raw("</div><p id=\"no-view\" hidden>Nothing was measured for this choice.</p>");
    for mean in &results.geomeans {
        view(out, results, mean, code);
    }
}

/// A choice between the values, with their labels, that occur in any view.
fn choice<'r>(
    out: &mut Html,
    name: &str,
    results: &'r Results,
    of: impl Fn(&'r Geomean) -> (&'r str, &'r str),
) {
    let mut options = Vec::new();
    for option in results.geomeans.iter().map(of) {
        if !options.contains(&option) {
            options.push(option);
        }
    }
    let headline = results.headline_tier();
    let first = options.iter().find(|(value, _)| headline == Some(*value));
    put!(
        out,
        "<label>{} <select name=\"{}\" data-first=\"{}\">",
        name,
        name,
        first.map_or("", |(value, _)| *value)
    );
    for (value, label) in options {
        put!(out, "<option value=\"{}\">{}</option>", value, label);
    }
    out.raw("</select></label>");
}

fn view(out: &mut Html, results: &Results, mean: &Geomean, code: Option<&CodeReport>) {
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
        mean.tier,
        mean.peer,
        capitalised(mean.metric.title()),
        mean.tier,
        mean.peer,
        text::geomean_sentence(mean),
        ratio(mean.balanced),
        what_is_measured(mean.metric, results)
    );
    if let Some(why) = control_failed(results, mean.metric) {
        put!(out, "<p class=\"banner\">⚠ {}.</p>", why);
    }
    let floor = results.floor(mean.metric);
    let caption = format!(
        "Ratio on a log axis, with intervals; the band is the noise floor (±{:.1} %). Left of 1 \
         zwasm takes less.",
        floor * 100.0
    );
    figure(out, &caption, plots::gaps(&gaps, mean, floor));
    let mut columns = vec![
        Column::Text("workload"),
        Column::Text("category"),
        Column::Number("ratio"),
        Column::Text("interval"),
        Column::Number("n"),
        Column::Text("verdict"),
    ];
    let with_spread = gaps.iter().any(|gap| gap.spread.is_some());
    if with_spread {
        columns.extend([Column::Number("within"), Column::Number("between")]);
    }
    table(out, "sortable gaps", &columns, |out| {
        for gap in &gaps {
            row(out, gap, code, with_spread);
        }
    });
    out.raw("</section>");
}

fn what_is_measured(metric: Metric, results: &Results) -> &'static str {
    match metric {
        Metric::Compile => {
            "Of an external engine: its own compile command, less the same \
             command on an empty module; of zwasm: load and compile as it reports them."
        }
        Metric::Setup => "The same module with no work, from spawn to exit.",
        Metric::FirstResult if results.is_jobs() => {
            "From spawn to the first byte on stdout; to the end, where a job only writes files."
        }
        Metric::FirstResult => "From spawn to the first byte of output, small size.",
        Metric::Total if results.is_jobs() => "The job, from spawn to exit.",
        Metric::Total => "A plain run at the standard size in a cold process, from spawn to exit.",
        Metric::PeakRss if results.is_jobs() => "Peak resident set of the process.",
        Metric::PeakRss => "Peak resident set of the process that ran the iterations.",
        Metric::Steady => {
            "Iterations after warm-up, timed in the guest: processes of all engines alive together, an \
             iteration of each in turn; n generations of processes, each of which gives the median of its \
             rounds. Within: half of the interquartile range of a generation's rounds; between: half of \
             the range of generations. A row without them was measured in processes one after the other."
        }
    }
}

fn row(out: &mut Html, gap: &Gap, code: Option<&CodeReport>, with_spread: bool) {
    let needed = gap.blocks_needed;
    let sampled = text::sampled(gap);
    put!(
        out,
        "<tr title=\"{}\"><td><a href=\"#w-{}\">{}</a></td><td>{}</td>\
         <td class=\"n\" data-v=\"{}\">{}×</td><td data-v=\"{}\">{}</td>\
         <td class=\"n\" data-v=\"{}\">{}</td>\
         <td class=\"{}\">{} {}{}{}</td>",
        text::gap_sentence(gap),
        gap.workload,
        gap.workload,
        gap.category,
        gap.ratio,
        ratio(gap.ratio),
        gap.lo.unwrap_or(0.0),
        text::interval(gap.lo, gap.hi),
        gap.n,
        gap.n,
        gap.verdict.word(),
        gap.verdict.shape(),
        gap.verdict.word(),
        needed.map_or_else(String::new, |n| format!(" (needs about {n} {sampled})")),
        code_link(gap, code)
    );
    if with_spread {
        for part in [gap.spread.map(|s| s.within), gap.spread.map(|s| s.between)] {
            put!(
                out,
                "<td class=\"n\" data-v=\"{}\">{}</td>",
                part.unwrap_or(0.0),
                or_dash(part.map(|part| format!("±{:.1} %", part * 100.0)))
            );
        }
    }
    out.raw("</tr>");
}

/// Where the row's time goes, for the tier and metric that the page of hot functions is about.
fn code_link(gap: &Gap, code: Option<&CodeReport>) -> Html {
    let mut link = Html::default();
    let is_shown = |code: &CodeReport| {
        code.has(&gap.workload) && code.engines[0] == gap.tier && gap.metric == Metric::Steady
    };
    if code.is_some_and(is_shown) {
        put!(
            link,
            " · <a href=\"code.html#open=w-{}\">code</a>",
            gap.workload
        );
    }
    link
}
