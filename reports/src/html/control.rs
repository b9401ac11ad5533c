//! The A/A control: the same binary against itself.

use super::markup::{Html, put};
use super::parts::{Column, figure, folded_table};
use super::plots;
use crate::analysis::control_gaps;
use crate::schema::{Floor, Results};
use crate::text::interval;

pub(super) fn section(out: &mut Html, results: &Results) {
    let floors = results.floors.iter();
    let rows: Vec<(&Floor, Vec<f64>)> = floors
        .map(|floor| (floor, control_gaps(results, floor.metric)))
        .collect();
    if rows.is_empty() {
        return;
    }
    out.raw("<h2 id=\"control\">A/A control</h2><div class=\"card\">");
    figure(
        out,
        "The same binary against itself, one dot per workload (the median over its generations or blocks), or \
         one per block where few workloads have a control; the band is the noise floor F that a difference \
         must exceed.",
        plots::control(&rows),
    );
    let columns = [
        Column::Text("metric"),
        Column::Number("ratio"),
        Column::Text("interval"),
        Column::Number("F"),
        Column::Number("dots"),
        Column::Text("control"),
    ];
    folded_table(out, "Table", &columns, |out| {
        for (floor, _) in &rows {
            put!(
                out,
                "<tr><td>{}</td><td class=\"n\">{}×</td><td>{}</td><td class=\"n\">{} %</td>\
                 <td class=\"n\">{}</td><td>{}</td></tr>",
                floor.metric.title(),
                format_args!("{:.3}", floor.ratio),
                interval(floor.lo, floor.hi),
                format_args!("{:.1}", floor.floor * 100.0),
                floor.n,
                if floor.failed { "failed" } else { "ok" }
            );
        }
    });
    out.raw("</div>");
}
