//! Every tier × peer × metric, one shown at a time: the choice between them, and their rows as data.
//!
//! The script draws each row with its interval on an axis that is worked out here.

use super::canvas::LogAxis;
use super::data::Rounded;
use super::markup::{Html, put};
use super::parts::capitalised;
use super::plots::tick_text;
use crate::analysis::control_failed;
use crate::code::CodeReport;
use crate::schema::{Gap, Geomean, Metric, Results};
use crate::stats::Verdict;
use crate::text::{self, ratio};
use serde::Serialize;

/// Pixels that a row's plot is wide, by which its ticks keep apart.
const PLOT_WIDTH: i32 = 230;

pub(super) fn section(out: &mut Html, results: &Results) {
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
    out.raw(
        "</div><noscript><p class=\"banner\">These rows need the page’s script; they are in \
         <a href=\"results.csv\">results.csv</a>, too.</p></noscript>\
         <section class=\"view card\" id=\"view\"></section>",
    );
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

/// What is said of all views of a metric.
#[derive(Serialize)]
pub(super) struct MetricInfo {
    key: &'static str,
    what: &'static str,
    axis: String,
    warning: Option<String>,
}

pub(super) fn metrics(results: &Results) -> Vec<MetricInfo> {
    let is_shown = |metric: &Metric| results.geomeans.iter().any(|m| m.metric == *metric);
    let info = |metric: Metric| MetricInfo {
        key: metric.key(),
        what: what_is_measured(metric, results),
        axis: format!(
            "Ratio on a log axis, with intervals; the band is the noise floor (±{:.1} %). Left of 1 \
             zwasm takes less.",
            results.floor(metric) * 100.0
        ),
        warning: control_failed(results, metric),
    };
    Metric::ALL.into_iter().filter(is_shown).map(info).collect()
}

/// A tier against a peer by one metric.
#[derive(Serialize)]
pub(super) struct View<'r> {
    metric: &'static str,
    tier: &'r str,
    peer: &'r str,
    title: String,
    sentence: String,
    balanced: String,
    /// Natural logarithms of the ratios at both ends.
    axis: [Rounded; 2],
    ticks: Vec<(f64, String)>,
    /// Ratios at the noise floor.
    band: [Rounded; 2],
    mean: [Rounded; 3],
    rows: Vec<Row>,
    /// Workloads with a page of hot functions, by place.
    code: Vec<usize>,
}

/// Place of the workload, ratio, interval, n, place of the verdict, n needed, spreads in percent.
#[derive(Serialize)]
struct Row(
    usize,
    Rounded,
    Option<Rounded>,
    Option<Rounded>,
    usize,
    usize,
    Option<String>,
    Option<[Rounded; 2]>,
);

pub(super) fn views<'r>(results: &'r Results, code: Option<&CodeReport>) -> Vec<View<'r>> {
    let means = results.geomeans.iter();
    means.map(|mean| view(results, mean, code)).collect()
}

fn view<'r>(results: &'r Results, mean: &'r Geomean, code: Option<&CodeReport>) -> View<'r> {
    let is_shown = |g: &&Gap| g.metric == mean.metric && g.tier == mean.tier && g.peer == mean.peer;
    // Largest first, as the reader looks for what is worst.
    let mut gaps: Vec<&Gap> = results.gaps.iter().filter(is_shown).collect();
    gaps.sort_by(|a, b| b.ratio.total_cmp(&a.ratio));
    let floor = results.floor(mean.metric);
    let band = [(-floor).exp(), floor.exp()];
    let values = gaps.iter().flat_map(|g| [Some(g.ratio), g.lo, g.hi]);
    let axis = LogAxis::over(values.flatten().chain(band).chain([1.0]), 0, PLOT_WIDTH);
    let ticks = axis.ticks(44).into_iter();
    View {
        metric: mean.metric.key(),
        tier: &mean.tier,
        peer: &mean.peer,
        title: format!(
            "{}, {} against {}",
            capitalised(mean.metric.title()),
            mean.tier,
            mean.peer
        ),
        sentence: text::geomean_sentence(mean),
        balanced: format!("{}×", ratio(mean.balanced)),
        axis: axis.ends().map(Rounded),
        ticks: ticks.map(|t| (t, format!("{}×", tick_text(t)))).collect(),
        band: band.map(Rounded),
        mean: [mean.ratio, mean.lo, mean.hi].map(Rounded),
        rows: gaps.iter().filter_map(|gap| row(results, gap)).collect(),
        code: with_code(results, mean, code),
    }
}

fn row(results: &Results, gap: &Gap) -> Option<Row> {
    let place = results
        .workloads
        .iter()
        .position(|w| w.id == gap.workload)?;
    let verdict = Verdict::ALL.iter().position(|v| *v == gap.verdict)?;
    let needed = gap.blocks_needed;
    let percent = |part: f64| Rounded(part * 100.0);
    Some(Row(
        place,
        Rounded(gap.ratio),
        gap.lo.map(Rounded),
        gap.hi.map(Rounded),
        gap.n,
        verdict,
        needed.map(|n| format!("about {n} {} needed", text::sampled(gap))),
        gap.spread.map(|s| [percent(s.within), percent(s.between)]),
    ))
}

/// The rows whose machine code is shown, which is of one tier and of steady time.
fn with_code(results: &Results, mean: &Geomean, code: Option<&CodeReport>) -> Vec<usize> {
    let is_own = |code: &&CodeReport| code.engines[0] == mean.tier && mean.metric == Metric::Steady;
    let Some(code) = code.filter(is_own) else {
        return Vec::new();
    };
    let workloads = results.workloads.iter().enumerate();
    let shown = workloads.filter(|(_, w)| code.has(&w.id));
    shown.map(|(place, _)| place).collect()
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
