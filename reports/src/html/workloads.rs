//! A section per workload: what it is, its iterations, its phases and the counters of every engine.

use super::canvas::Ink;
use super::{
    escape, figure, metric_median, phase_legend, phase_row, phase_table, plots, put, series_of,
    swatch,
};
use crate::schema::{Cell, CellStatus, Metric, Results, WorkloadInfo};
use crate::stats::{self, Course};
use crate::text::{duration, ratio, size};
use std::fmt::Write;

/// Points of an iteration series; longer ones show their first iterations.
const POINTS_MAX: usize = 60;

pub(super) fn sections(out: &mut String, results: &Results) {
    out.push_str("<h2 id=\"workloads\">Workloads</h2>");
    for workload in &results.workloads {
        section(out, results, workload);
    }
}

fn section(out: &mut String, results: &Results, workload: &WorkloadInfo) {
    put!(
        out,
        "<details class=\"card\" id=\"w-{0}\"><summary><b>{0}</b> <span class=\"muted\">{1}, {2}</span>\
         </summary><p>{3}</p><p class=\"muted\">Module {4}; {5}.</p>",
        escape(&workload.id),
        escape(&workload.category),
        escape(&workload.language),
        escape(&workload.description),
        size(workload.wasm_bytes as f64),
        match &workload.job {
            Some(job) => format!(
                "package {}, {}, SHA-256 <code>{}</code>",
                escape(&job.package),
                escape(&job.licence),
                escape(&job.sha256)
            ),
            None if workload.size.is_empty() => "not measured".to_owned(),
            None => format!("measured at the {} size", escape(&workload.size)),
        }
    );
    let cells: Vec<&Cell> = results
        .cells
        .iter()
        .filter(|c| c.workload == workload.id)
        .collect();
    if !workload.startup && workload.job.is_none() {
        iterations(out, results, workload, &cells);
    }
    let rows: Vec<plots::PhaseRow> = cells
        .iter()
        .filter_map(|c| phase_row(results, &workload.id, &c.engine))
        .collect();
    if !rows.is_empty() {
        figure(
            out,
            "Time to the first result, by phase.",
            &plots::phases(&rows),
        );
        phase_legend(out);
        phase_table(out, &rows);
    }
    if workload.job.is_none() {
        counters(out, results, workload, &cells);
    }
    own_phases(out, &cells);
    out.push_str("</details>");
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

fn iterations(out: &mut String, results: &Results, workload: &WorkloadInfo, cells: &[&Cell]) {
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
        &plots::iterations(&title, &lines),
    );
    out.push_str("<ul class=\"chips\">");
    for (engine, _) in &lines {
        let name = results.engines.get(*engine).map_or("", |e| e.id.as_str());
        put!(
            out,
            "<li>{}{}</li>",
            swatch(Ink::Series(*engine)),
            escape(name)
        );
    }
    out.push_str("</ul>");
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

fn counters(out: &mut String, results: &Results, workload: &WorkloadInfo, cells: &[&Cell]) {
    out.push_str(
        "<div class=\"scroll\"><table><thead><tr><th>engine</th><th class=\"n\">first</th>\
         <th class=\"n\">steady</th><th class=\"n\">worst</th><th>course</th>\
         <th class=\"n\">setup</th><th class=\"n\">first result</th><th class=\"n\">compile</th>\
         <th class=\"n\">CPU ÷ wall</th><th class=\"n\">peak memory</th><th class=\"n\">code</th>\
         <th class=\"n\">code ÷ wasm</th><th class=\"n\">instructions, small</th>\
         <th class=\"n\">processes</th></tr></thead><tbody>",
    );
    for cell in cells {
        put!(out, "<tr><td>{}</td>", escape(&cell.engine));
        if cell.status != CellStatus::Ok {
            put!(
                out,
                "<td colspan=\"13\" class=\"hatched why\">{}: {}</td></tr>",
                cell.status.word(),
                escape(cell.status.reason())
            );
            continue;
        }
        let firsts: Vec<f64> = cell
            .samples
            .iter()
            .filter_map(|s| Some(*s.iter_ns.first()? as f64))
            .collect();
        let worst = cell
            .samples
            .iter()
            .flat_map(|s| s.iter_ns.iter().copied())
            .max();
        let processes: Vec<&[u64]> = cell.samples.iter().map(|s| s.iter_ns.as_slice()).collect();
        let (cpu, wall) = cell.samples.iter().fold((0, 0), |(cpu, wall), s| {
            (cpu + s.user_ns + s.system_ns, wall + s.wall_ns)
        });
        let time =
            |metric| metric_median(results, &workload.id, &cell.engine, metric).map(duration);
        let values = [
            (!firsts.is_empty()).then(|| duration(stats::median(&firsts))),
            time(Metric::Steady),
            worst.map(|ns| duration(ns as f64)),
            Some(course_word(stats::classify(&processes)).to_owned()),
            time(Metric::Setup),
            time(Metric::FirstResult),
            time(Metric::Compile),
            (wall > 0).then(|| ratio(cpu as f64 / wall as f64)),
            metric_median(results, &workload.id, &cell.engine, Metric::PeakRss).map(size),
            cell.code_bytes.map(|b| size(b as f64)),
            cell.code_bytes
                .map(|b| ratio(b as f64 / workload.wasm_bytes.max(1) as f64)),
            cell.instructions
                .map(|count| format!("{:.3} M", count / 1e6)),
            Some(cell.samples.len().to_string()),
        ];
        for (i, value) in values.into_iter().enumerate() {
            let class = if i == 3 { "" } else { " class=\"n\"" };
            put!(out, "<td{class}>{}</td>", value.as_deref().unwrap_or("–"));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
}

/// The phases that engines report of themselves.
fn own_phases(out: &mut String, cells: &[&Cell]) {
    let reported: Vec<_> = cells.iter().filter_map(|c| Some((c, c.phases?))).collect();
    if reported.is_empty() {
        return;
    }
    out.push_str(
        "<details><summary>Phases as zwasm reports them, one run</summary><div class=\"scroll\">\
         <table><thead><tr><th>tier</th><th class=\"n\">load and validate</th>\
         <th class=\"n\">compile</th><th class=\"n\">instantiate</th><th class=\"n\">run</th>\
         <th class=\"n\">functions compiled</th></tr></thead><tbody>",
    );
    for (cell, p) in reported {
        put!(
            out,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            escape(&cell.engine),
            duration(p.load_ns as f64),
            duration(p.compile_ns as f64),
            duration(p.instantiate_ns as f64),
            duration(p.run_ns as f64),
            p.functions_compiled
        );
    }
    out.push_str("</tbody></table></div></details>");
}
