//! Workload × engine: the headline metric relative to the fastest engine of the row.

use super::markup::{Html, put};
use super::parts::{Column, capitalised, folded_table, table};
use crate::analysis::metric_median;
use crate::schema::{Cell, CellStatus, EngineInfo, Results, WorkloadInfo};
use crate::text::ratio;

pub(super) fn section(out: &mut Html, results: &Results) {
    let ran = results.engines.iter().filter(|e| e.missing.is_none());
    let engines: Vec<&EngineInfo> = ran.collect();
    put!(
        out,
        "<h2 id=\"heat\">Workloads × engines</h2><div class=\"card\"><p class=\"muted\">{} \
         relative to the fastest engine of the row; hatched where there is no right result. </p>",
        capitalised(results.headline().title())
    );
    let mut columns = vec![Column::Text("workload")];
    columns.extend(engines.iter().map(|e| Column::Number(&e.id)));
    table(out, "heat", &columns, |out| {
        for workload in &results.workloads {
            row(out, results, workload, &engines);
        }
    });
    failures(out, results);
    out.raw("</div>");
}

fn row(out: &mut Html, results: &Results, workload: &WorkloadInfo, engines: &[&EngineInfo]) {
    let median = |e: &&EngineInfo| metric_median(results, &workload.id, &e.id, results.headline());
    let medians: Vec<Option<f64>> = engines.iter().map(median).collect();
    let fastest = medians.iter().flatten().copied();
    let fastest = fastest.fold(f64::INFINITY, f64::min);
    put!(
        out,
        "<tr><td class=\"name\"><a href=\"#w-{}\">{}</a></td>",
        workload.id,
        workload.id
    );
    for (engine, value) in engines.iter().zip(medians) {
        let status = results.cell(&workload.id, &engine.id).map(|c| &c.status);
        match (status, value) {
            (Some(CellStatus::Ok), Some(_)) if workload.startup => {
                out.raw("<td class=\"h\">start-up case</td>");
            }
            (Some(CellStatus::Ok), Some(ns)) => {
                let share = ns / fastest;
                // Full colour at ten times the fastest.
                let strength = (share.log10().clamp(0.0, 1.0) * 70.0).round();
                put!(
                    out,
                    "<td class=\"h\" style=\"--h:{}%\">{}×</td>",
                    strength,
                    ratio(share)
                );
            }
            (Some(status), _) => put!(
                out,
                "<td class=\"h hatched\" title=\"{}\">{}</td>",
                status.reason(),
                status.word()
            ),
            (None, _) => out.raw("<td class=\"h hatched\">not run</td>"),
        }
    }
    out.raw("</tr>");
}

/// Why each hatched cell is.
fn failures(out: &mut Html, results: &Results) {
    let has_failed = |c: &&Cell| !matches!(c.status, CellStatus::Ok | CellStatus::Pending);
    let failed: Vec<&Cell> = results.cells.iter().filter(has_failed).collect();
    if failed.is_empty() {
        return;
    }
    let summary = format!("{} cells without a result", failed.len());
    folded_table(out, &summary, &[], |out| {
        for cell in failed {
            put!(
                out,
                "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"why\">{}</td></tr>",
                cell.workload,
                cell.engine,
                cell.status.word(),
                cell.status.reason()
            );
        }
    });
}
