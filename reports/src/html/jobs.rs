//! What each engine took for the jobs of published modules.

use super::{escape, metric_median, put};
use crate::schema::{CellStatus, Metric, Results};
use crate::text::{duration, size};
use std::fmt::Write;

/// A table of modules × engines; nothing for other suites.
pub(super) fn section(out: &mut String, results: &Results) {
    if !results.is_jobs() {
        return;
    }
    out.push_str(
        "<h2 id=\"jobs\">Published modules</h2><div class=\"card\"><p class=\"muted\">Each does one \
         job in a cold process; medians. The first result is the first byte on stdout, or the end \
         where a job only writes files. Compilation is of the whole module with validation, \
         measured once: megabytes of code section per second, with the threads that the engine \
         takes.</p><div class=\"scroll\"><table class=\"sortable\"><thead><tr><th>module</th>\
         <th>engine</th><th class=\"n\">first result</th><th class=\"n\">total</th>\
         <th class=\"n\">peak memory</th><th class=\"n\">compile MB/s</th>\
         <th class=\"n\">processes</th></tr></thead><tbody>",
    );
    for workload in &results.workloads {
        for cell in results.cells.iter().filter(|c| c.workload == workload.id) {
            put!(
                out,
                "<tr><td><a href=\"#w-{0}\">{0}</a></td><td>{1}</td>",
                escape(&workload.id),
                escape(&cell.engine)
            );
            if cell.status != CellStatus::Ok {
                put!(
                    out,
                    "<td colspan=\"5\" class=\"hatched why\">{}: {}</td></tr>",
                    cell.status.word(),
                    escape(cell.status.reason())
                );
                continue;
            }
            let of = |metric| metric_median(results, &workload.id, &cell.engine, metric);
            let values = [
                (of(Metric::FirstResult), duration as fn(f64) -> String),
                (of(Metric::Total), duration),
                (of(Metric::PeakRss), size),
                (results.compile_mb_s(workload, &cell.engine), |v| {
                    format!("{v:.1}")
                }),
                (Some(cell.samples.len() as f64), |v| format!("{v:.0}")),
            ];
            for (value, show) in values {
                put!(
                    out,
                    "<td class=\"n\" data-v=\"{}\">{}</td>",
                    value.unwrap_or(0.0),
                    value.map_or_else(|| "–".to_owned(), show)
                );
            }
            out.push_str("</tr>");
        }
    }
    out.push_str("</tbody></table></div></div>");
}
