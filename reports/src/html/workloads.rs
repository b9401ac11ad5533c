//! A section per workload: what it is, its iterations, its phases and the counters of every engine.

use super::canvas::Ink;
use super::markup::{Html, put};
use super::parts::{Column, figure, folded_table, or_dash, series_of, swatch, table};
use super::{phases, plots};
use crate::analysis::metric_median;
use crate::schema::{Cell, CellStatus, Metric, Results, WorkloadInfo};
use crate::stats::{self, Course};
use crate::text::{duration, ratio, size};
use crate::work::{self, Stretch};

/// Points of an iteration series; longer ones show their first iterations.
const POINTS_MAX: usize = 60;

pub(super) fn sections(out: &mut Html, results: &Results) {
    out.raw("<h2 id=\"workloads\">Workloads</h2>");
    for workload in &results.workloads {
        section(out, results, workload);
    }
}

fn section(out: &mut Html, results: &Results, workload: &WorkloadInfo) {
    put!(
        out,
        "<details class=\"card\" id=\"w-{}\"><summary><b>{}</b> <span class=\"muted\">{}, {}</span>\
         </summary><p>{}</p><p class=\"muted\">Module {}; {}.</p>",
        workload.id,
        workload.id,
        workload.category,
        workload.language,
        workload.description,
        size(workload.wasm_bytes as f64),
        origin(workload)
    );
    let cells: Vec<&Cell> = results
        .cells
        .iter()
        .filter(|c| c.workload == workload.id)
        .collect();
    if !workload.startup && workload.job.is_none() {
        iterations(out, results, workload, &cells);
    }
    phases::of_workload(out, results, &workload.id);
    if workload.job.is_none() {
        counters(out, results, workload, &cells);
    }
    own_phases(out, &cells);
    out.raw("</details>");
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

fn iterations(out: &mut Html, results: &Results, workload: &WorkloadInfo, cells: &[&Cell]) {
    let lines: Vec<(usize, Vec<f64>)> = cells
        .iter()
        .filter(|c| c.status == CellStatus::Ok)
        .map(|c| (series_of(results, &c.engine), series(c)))
        .filter(|(_, times)| !times.is_empty())
        .collect();
    if lines.is_empty() {
        return;
    }
    let title = format!("iterations of {} by engine", workload.id);
    figure(
        out,
        "Iterations in order, median over processes; log axis.",
        plots::iterations(&title, &lines),
    );
    out.raw("<ul class=\"chips\">");
    for (engine, _) in &lines {
        let name = results.engines.get(*engine).map_or("", |e| e.id.as_str());
        put!(out, "<li>{}{}</li>", swatch(Ink::Series(*engine)), name);
    }
    out.raw("</ul>");
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

fn counters(out: &mut Html, results: &Results, workload: &WorkloadInfo, cells: &[&Cell]) {
    let columns = [
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
    ];
    table(out, "", &columns, |out| {
        for cell in cells {
            put!(out, "<tr><td>{}</td>", cell.engine);
            if cell.status == CellStatus::Ok {
                figures(out, results, workload, cell);
            } else {
                put!(
                    out,
                    "<td colspan=\"14\" class=\"hatched why\">{}: {}</td>",
                    cell.status.word(),
                    cell.status.reason()
                );
            }
            out.raw("</tr>");
        }
    });
}

/// The figures of one engine, in the order of the columns.
fn figures(out: &mut Html, results: &Results, workload: &WorkloadInfo, cell: &Cell) {
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
    let time = |metric| of(metric).map(duration);
    number(
        out,
        (!firsts.is_empty()).then(|| duration(stats::median(&firsts))),
    );
    number(out, time(Metric::Steady));
    number(out, worst.map(|ns| duration(ns as f64)));
    let course = course_word(stats::classify(&processes));
    put!(out, "<td>{}</td>", course);
    number(out, time(Metric::Setup));
    number(out, time(Metric::FirstResult));
    let until_steady = work::median_ns(results, &workload.id, &cell.engine, Stretch::Steady);
    number(out, until_steady.map(duration));
    number(out, time(Metric::Compile));
    number(out, (wall > 0).then(|| ratio(cpu as f64 / wall as f64)));
    number(out, of(Metric::PeakRss).map(size));
    number(out, cell.code_bytes.map(|b| size(b as f64)));
    let per_wasm = |b: u64| ratio(b as f64 / workload.wasm_bytes.max(1) as f64);
    number(out, cell.code_bytes.map(per_wasm));
    let millions = |count: f64| format!("{:.3} M", count / 1e6);
    number(out, cell.instructions.map(millions));
    number(out, Some(samples.len().to_string()));
}

fn number(out: &mut Html, shown: Option<String>) {
    put!(out, "<td class=\"n\">{}</td>", or_dash(shown));
}

/// The phases that engines report of themselves.
fn own_phases(out: &mut Html, cells: &[&Cell]) {
    let reported: Vec<_> = cells.iter().filter_map(|c| Some((c, c.phases?))).collect();
    if reported.is_empty() {
        return;
    }
    let columns = [
        Column::Text("tier"),
        Column::Number("load and validate"),
        Column::Number("compile"),
        Column::Number("instantiate"),
        Column::Number("run"),
        Column::Number("functions compiled"),
    ];
    let summary = "Phases as zwasm reports them, one run";
    folded_table(out, summary, &columns, |out| {
        for (cell, p) in reported {
            put!(out, "<tr><td>{}</td>", cell.engine);
            for ns in [p.load_ns, p.compile_ns, p.instantiate_ns, p.run_ns] {
                number(out, Some(duration(ns as f64)));
            }
            number(out, Some(p.functions_compiled.to_string()));
            out.raw("</tr>");
        }
    });
}
