//! Where the time to the first result goes: of the median workload, and of each for its own card.

use super::markup::{Html, put};
use super::parts::{Column, figure, folded_table, swatch};
use super::plots::{self, PHASE_INKS, PhaseRow};
use crate::analysis::metric_median;
use crate::schema::{Metric, Results};
use crate::stats;
use crate::text::duration;

/// Names of phases, in the order of a row's parts.
const NAMES: [&str; 3] = [
    "start, load, instantiate",
    "compile, where it is known",
    "first run",
];

/// The median of each phase over workloads.
pub(super) fn section(out: &mut Html, results: &Results) {
    let ran = results.engines.iter().filter(|e| e.missing.is_none());
    let median = |engine: &str| {
        let ids = results.workloads.iter().map(|w| &w.id);
        let all: Vec<PhaseRow> = ids.filter_map(|id| row(results, id, engine)).collect();
        let middle = |i: usize| {
            let of_part: Vec<f64> = all.iter().map(|row| row.parts_ns[i]).collect();
            stats::median(&of_part)
        };
        (!all.is_empty()).then(|| PhaseRow {
            engine: engine.to_owned(),
            parts_ns: [0, 1, 2].map(middle),
        })
    };
    let rows: Vec<PhaseRow> = ran.filter_map(|engine| median(&engine.id)).collect();
    if rows.is_empty() {
        return;
    }
    out.raw("<h2 id=\"phases\">Phases</h2><div class=\"card\">");
    let caption = "Where the time to the first result goes; median of each phase over workloads.";
    chart(out, caption, &rows);
    out.raw("</div>");
}

/// The phases of one workload as text, an engine per row in the order of [`columns`]; nothing where none
/// is known.
pub(super) fn of_workload(results: &Results, workload: &str) -> Vec<Vec<String>> {
    let cells = results.cells.iter().filter(|c| c.workload == workload);
    let rows = cells.filter_map(|cell| row(results, workload, &cell.engine));
    let shown = |row: PhaseRow| {
        let mut shown = vec![row.engine];
        shown.extend(row.parts_ns.map(duration));
        shown
    };
    rows.map(shown).collect()
}

/// The columns of tables of phases.
pub(super) fn columns() -> Vec<Column<'static>> {
    let mut columns = vec![Column::Text("engine")];
    columns.extend(NAMES.map(Column::Number));
    columns
}

/// Setup split at compilation, and the rest of the time to the first result.
fn row(results: &Results, workload: &str, engine: &str) -> Option<PhaseRow> {
    let of = |metric| metric_median(results, workload, engine, metric);
    let (setup, first) = (of(Metric::Setup)?, of(Metric::FirstResult)?);
    let compile = of(Metric::Compile).unwrap_or(0.0).min(setup);
    Some(PhaseRow {
        engine: engine.to_owned(),
        parts_ns: [setup - compile, compile, (first - setup).max(0.0)],
    })
}

/// Bars, legend and table.
fn chart(out: &mut Html, caption: &str, rows: &[PhaseRow]) {
    figure(out, caption, plots::phases(rows));
    out.raw("<ul class=\"chips\">");
    for (name, ink) in NAMES.into_iter().zip(PHASE_INKS) {
        put!(out, "<li>{}{}</li>", swatch(ink), name);
    }
    out.raw("</ul>");
    folded_table(out, "Table", &columns(), |out| {
        for row in rows {
            put!(out, "<tr><td>{}</td>", row.engine);
            for ns in row.parts_ns {
                put!(out, "<td class=\"n\">{}</td>", duration(ns));
            }
            out.raw("</tr>");
        }
    });
}
