//! A card per workload: what it is, how it went, and as data for the script its iterations, its phases
//! and the counters of every engine.

use super::canvas::LogAxis;
use super::markup::{Html, put};
use super::parts::{Column, or_dash, series_of};
use super::{own_phases, phases};
use crate::analysis::{doubt, metric_median};
use crate::schema::{Cell, CellStatus, EngineInfo, EngineKind, Gap, Metric, Results, WorkloadInfo};
use crate::stats::{self, Course};
use crate::text::{duration, ratio, size};
use crate::work::{self, Stretch};
use serde::Serialize;

/// Points of an iteration series; longer ones show their first iterations.
const POINTS_MAX: usize = 60;

/// Pixels that a plot of iterations is high; the script knows it from the plot's ticks.
const PLOT_HEIGHT: i32 = 140;

/// The cards by category, each with what a reader of a closed one wants to know.
pub(super) fn sections(out: &mut Html, results: &Results) {
    out.raw("<h2 id=\"workloads\">Workloads</h2>");
    let mut categories: Vec<&str> = Vec::new();
    for workload in &results.workloads {
        if !categories.contains(&workload.category.as_str()) {
            categories.push(&workload.category);
        }
    }
    for category in categories {
        let workloads = results.workloads.iter();
        let own: Vec<&WorkloadInfo> = workloads.filter(|w| w.category == category).collect();
        put!(
            out,
            "<section class=\"group\"><h3>{} <span class=\"muted\">{}{}</span></h3>",
            category,
            own.len(),
            means(results, category)
        );
        for workload in own {
            card(out, results, workload);
        }
        out.raw("</section>");
    }
}

fn card(out: &mut Html, results: &Results, workload: &WorkloadInfo) {
    put!(
        out,
        "<details class=\"card\" id=\"w-{}\"><summary><b>{}</b> ",
        workload.id,
        workload.id
    );
    headline(out, results, workload);
    put!(
        out,
        "</summary><p>{}</p><p class=\"muted\">{}; module {}; {}.</p></details>",
        workload.description,
        workload.language,
        size(workload.wasm_bytes as f64),
        origin(workload)
    );
}

/// The headline tier's rows of the headline metric, in the order of peers.
fn headline_gaps(results: &Results) -> impl Iterator<Item = &Gap> {
    let tier = results.headline_tier();
    let is_headline = move |g: &&Gap| Some(g.tier.as_str()) == tier;
    let gaps = results.gaps.iter().filter(is_headline);
    gaps.filter(|g| g.metric == results.headline())
}

/// The geometric mean over a category against each peer.
fn means(results: &Results, category: &str) -> String {
    let peers = results.engines_of(EngineKind::Peer);
    let mean = |peer: &EngineInfo| {
        let own = headline_gaps(results).filter(|g| g.category == category && g.peer == peer.id);
        let logarithms: Vec<f64> = own.map(|g| g.ratio.ln()).collect();
        let mean = ratio(stats::mean(&logarithms).exp());
        (!logarithms.is_empty()).then(|| format!(" · {} {mean}×", peer.id))
    };
    peers.filter_map(mean).collect()
}

/// What the headline says of a workload, with the mark of a control that failed in place of a verdict.
fn headline(out: &mut Html, results: &Results, workload: &WorkloadInfo) {
    let is_doubtful = doubt(results, results.headline()).is_some();
    for gap in headline_gaps(results).filter(|g| g.workload == workload.id) {
        let (class, shape) = if is_doubtful {
            ("doubtful", "⚠")
        } else {
            (gap.verdict.key(), gap.verdict.shape())
        };
        put!(
            out,
            "<span class=\"{}\">{} {}× {}</span> ",
            class,
            gap.peer,
            ratio(gap.ratio),
            shape
        );
    }
}

/// Where a published module comes from; else the size that was measured.
fn origin(workload: &WorkloadInfo) -> Html {
    let mut out = Html::default();
    match &workload.job {
        Some(job) => put!(
            out,
            "package {}, {}, SHA-256 <code>{}</code>",
            job.package,
            job.licence,
            job.sha256
        ),
        None if workload.size.is_empty() => out.raw("not measured"),
        None => put!(out, "measured at the {} size", workload.size),
    }
    out
}

/// What a card shows when it is opened, in the order of `Results::workloads`.
#[derive(Serialize)]
pub(super) struct Card {
    #[serde(skip_serializing_if = "Option::is_none")]
    iterations: Option<Iterations>,
    /// Each with the columns of its head; a row that ends early says why in its last cell.
    phases: Vec<Vec<String>>,
    counters: Vec<Vec<String>>,
    own: Vec<own_phases::OfTier>,
}

/// The columns of the cards' tables.
#[derive(Serialize)]
pub(super) struct Heads {
    phases: Vec<Column<'static>>,
    counters: Vec<Column<'static>>,
    own: Vec<Column<'static>>,
    functions: Vec<Column<'static>>,
}

pub(super) fn heads() -> Heads {
    Heads {
        phases: phases::columns(),
        counters: vec![
            Column::Text("engine"),
            Column::Number("first"),
            Column::Number("steady"),
            Column::Number("worst"),
            Column::Text("course"),
            Column::Number("setup"),
            Column::Number("first result"),
            Column::Number("until steady"),
            Column::Number("compile"),
            Column::Number("CPU ÷ wall"),
            Column::Number("peak memory"),
            Column::Number("code"),
            Column::Number("code ÷ wasm"),
            Column::Number("instructions, small"),
            Column::Number("processes"),
        ],
        own: own_phases::columns(),
        functions: own_phases::function_columns(),
    }
}

pub(super) fn cards(results: &Results) -> Vec<Card> {
    let card = |workload: &WorkloadInfo| {
        let of_workload = |c: &&Cell| c.workload == workload.id;
        let cells: Vec<&Cell> = results.cells.iter().filter(of_workload).collect();
        let is_kernel = workload.job.is_none();
        Card {
            iterations: (is_kernel && !workload.startup)
                .then(|| iterations(results, &cells))
                .flatten(),
            phases: phases::of_workload(results, &workload.id),
            counters: if is_kernel {
                let rows = cells.iter();
                rows.map(|cell| counters(results, workload, cell)).collect()
            } else {
                Vec::new()
            },
            own: own_phases::of_cells(&cells),
        }
    };
    results.workloads.iter().map(card).collect()
}

/// A plot of iterations in order, the median over processes; pixels from the top on a log axis.
#[derive(Serialize)]
struct Iterations {
    height: i32,
    ticks: Vec<(i32, String)>,
    /// The engine's place, and its points.
    lines: Vec<(usize, Vec<i32>)>,
}

fn iterations(results: &Results, cells: &[&Cell]) -> Option<Iterations> {
    let ran = cells.iter().filter(|c| c.status == CellStatus::Ok);
    let lines: Vec<(usize, Vec<f64>)> = ran
        .map(|c| (series_of(results, &c.engine), series(c)))
        .filter(|(_, times)| !times.is_empty())
        .collect();
    let times = lines.iter().flat_map(|line| line.1.iter().copied());
    let axis = LogAxis::over(times, PLOT_HEIGHT, 0);
    let place = |times: Vec<f64>| times.into_iter().map(|t| axis.at(t)).collect();
    let ticks = axis.ticks(24).into_iter();
    (!lines.is_empty()).then(|| Iterations {
        height: PLOT_HEIGHT,
        ticks: ticks.map(|t| (axis.at(t), duration(t))).collect(),
        lines: lines
            .into_iter()
            .map(|(engine, times)| (engine, place(times)))
            .collect(),
    })
}

/// The median over processes at each iteration.
fn series(cell: &Cell) -> Vec<f64> {
    let longest = cell
        .samples
        .iter()
        .map(|s| s.iter_ns.len())
        .max()
        .unwrap_or(0);
    (0..longest.min(POINTS_MAX))
        .map(|i| {
            let at: Vec<f64> = cell
                .samples
                .iter()
                .filter_map(|s| Some(*s.iter_ns.get(i)? as f64))
                .collect();
            stats::median(&at)
        })
        .collect()
}

fn course_word(course: Option<Course>) -> &'static str {
    match course {
        None => "–",
        Some(Course::Flat) => "flat",
        Some(Course::WarmUp) => "warm-up",
        Some(Course::Slowdown) => "slowdown",
        Some(Course::Inconsistent) => "inconsistent",
    }
}

/// The figures of one engine, in the order of the columns.
fn counters(results: &Results, workload: &WorkloadInfo, cell: &Cell) -> Vec<String> {
    if cell.status != CellStatus::Ok {
        let why = format!("{}: {}", cell.status.word(), cell.status.reason());
        return vec![cell.engine.clone(), why];
    }
    let samples = &cell.samples;
    let firsts: Vec<f64> = samples
        .iter()
        .filter_map(|s| Some(*s.iter_ns.first()? as f64))
        .collect();
    let worst = samples.iter().flat_map(|s| s.iter_ns.iter().copied()).max();
    let processes: Vec<&[u64]> = samples.iter().map(|s| s.iter_ns.as_slice()).collect();
    let (cpu, wall) = samples.iter().fold((0, 0), |(cpu, wall), s| {
        (cpu + s.user_ns + s.system_ns, wall + s.wall_ns)
    });
    let of = |metric| metric_median(results, &workload.id, &cell.engine, metric);
    let time = |metric| or_dash(of(metric).map(duration));
    let until_steady = work::median_ns(results, &workload.id, &cell.engine, Stretch::Steady);
    let per_wasm = |b: u64| ratio(b as f64 / workload.wasm_bytes.max(1) as f64);
    let millions = |count: f64| format!("{:.3} M", count / 1e6);
    vec![
        cell.engine.clone(),
        or_dash((!firsts.is_empty()).then(|| duration(stats::median(&firsts)))),
        time(Metric::Steady),
        or_dash(worst.map(|ns| duration(ns as f64))),
        course_word(stats::classify(&processes)).to_owned(),
        time(Metric::Setup),
        time(Metric::FirstResult),
        or_dash(until_steady.map(duration)),
        time(Metric::Compile),
        or_dash((wall > 0).then(|| ratio(cpu as f64 / wall as f64))),
        or_dash(of(Metric::PeakRss).map(size)),
        or_dash(cell.code_bytes.map(|b| size(b as f64))),
        or_dash(cell.code_bytes.map(per_wasm)),
        or_dash(cell.instructions.map(millions)),
        samples.len().to_string(),
    ]
}
