//! What each engine took for the jobs of published modules.

use super::markup::{Html, put};
use super::parts::{Column, or_dash, table};
use crate::analysis::metric_median;
use crate::schema::{Cell, CellStatus, EngineKind, Metric, Results, WorkloadInfo};
use crate::text::{duration, ratio, size};

/// A table of modules × engines; nothing for other suites.
pub(super) fn section(out: &mut Html, results: &Results) {
    if !results.is_jobs() {
        return;
    }
    out.raw(
        "<h2 id=\"jobs\">Published modules</h2><div class=\"card\"><p class=\"muted\">Each does one \
         job in a cold process; medians. The first result is the first byte on stdout, or the end \
         where a job only writes files. Compilation is of the whole module with validation, \
         measured once: megabytes of code section per second, with the threads that the engine \
         takes.</p>",
    );
    let peer = results.engines_of(EngineKind::Peer).next();
    let peer = peer.map_or("peer", |e| e.id.as_str());
    let heads = ["total", "peak"].map(|what| format!("{what} ÷ {peer}"));
    let columns = [
        Column::Text("module"),
        Column::Text("engine"),
        Column::Number("first result"),
        Column::Number("total"),
        Column::Number("peak memory"),
        Column::Number("compile MB/s"),
        Column::Number(&heads[0]),
        Column::Number(&heads[1]),
        Column::Number("processes"),
    ];
    table(out, "", &columns, |out| {
        for workload in &results.workloads {
            for cell in results.cells.iter().filter(|c| c.workload == workload.id) {
                row(out, results, workload, cell, peer);
            }
        }
        for tier in results.engines_of(EngineKind::Tier) {
            all(out, results, &tier.id, peer);
        }
    });
    out.raw("</div>");
}

/// The geometric means of a tier over all jobs.
fn all(out: &mut Html, results: &Results, tier: &str, peer: &str) {
    put!(
        out,
        "<tr><td>all</td><td>{}</td><td colspan=\"4\"></td>",
        tier
    );
    for metric in [Metric::Total, Metric::PeakRss] {
        number(
            out,
            results.geomean(tier, peer, metric).map(|m| m.ratio),
            times,
        );
    }
    out.raw("<td></td></tr>");
}

fn times(value: f64) -> String {
    format!("{}×", ratio(value))
}

fn row(out: &mut Html, results: &Results, workload: &WorkloadInfo, cell: &Cell, peer: &str) {
    put!(
        out,
        "<tr><td><a href=\"#w-{}\">{}</a></td><td>{}</td>",
        workload.id,
        workload.id,
        cell.engine
    );
    if cell.status != CellStatus::Ok {
        put!(
            out,
            "<td colspan=\"7\" class=\"hatched why\">{}: {}</td></tr>",
            cell.status.word(),
            cell.status.reason()
        );
        return;
    }
    let against = |metric| {
        let gap = results.gap(&workload.id, &cell.engine, peer, metric)?;
        Some(gap.ratio)
    };
    let of = |metric| metric_median(results, &workload.id, &cell.engine, metric);
    let values = [
        (of(Metric::FirstResult), duration as fn(f64) -> String),
        (of(Metric::Total), duration),
        (of(Metric::PeakRss), size),
        (results.compile_mb_s(workload, &cell.engine), |v| {
            format!("{v:.1}")
        }),
        (against(Metric::Total), times),
        (against(Metric::PeakRss), times),
        (Some(cell.samples.len() as f64), |v| format!("{v:.0}")),
    ];
    for (value, show) in values {
        number(out, value, show);
    }
    out.raw("</tr>");
}

fn number(out: &mut Html, value: Option<f64>, show: fn(f64) -> String) {
    put!(
        out,
        "<td class=\"n\" data-v=\"{}\">{}</td>",
        value.unwrap_or(0.0),
        or_dash(value.map(show))
    );
}
