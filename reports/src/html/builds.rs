//! What moved between two builds of zwasm.

use super::markup::{Html, put};
use super::parts::{Column, or_dash, table};
use crate::code::CodeReport;
use crate::schema::{Gap, Metric, Results};
use crate::text::{self, ratio};

pub(super) fn section(out: &mut Html, results: &Results, code: Option<&CodeReport>) {
    if !results.is_of_builds() {
        return;
    }
    let moved = results.moved();
    out.raw("<h2 id=\"moved\">What moved</h2><div class=\"card\">");
    if moved.is_empty() {
        out.raw(
            "<p>Nothing: no row is beyond the noise floor of its metric. Metrics whose A/A control failed \
             are left out here.</p></div>",
        );
        return;
    }
    out.raw(
        "<p class=\"muted\">This build ÷ the other one; below 1 this build takes less. Metrics whose A/A \
         control failed are left out. Instructions per iteration at the small size, where they were counted.</p>",
    );
    let columns = [
        Column::Text("metric"),
        Column::Text("tier"),
        Column::Text("workload"),
        Column::Number("ratio"),
        Column::Text("interval"),
        Column::Number("n"),
        Column::Text("verdict"),
        Column::Number("instructions"),
    ];
    table(out, "", &columns, |out| {
        for gap in moved {
            row(out, gap, code);
        }
    });
    out.raw("</div>");
}

fn row(out: &mut Html, gap: &Gap, code: Option<&CodeReport>) {
    let is_own = |code: &&CodeReport| code.engines[0] == gap.tier && gap.metric == Metric::Steady;
    let mut rows = code.filter(is_own).into_iter().flat_map(|code| &code.rows);
    let counted = rows.find(|row| row.workload == gap.workload);
    let instructions = counted.map(|row| row.sides[0].process / row.sides[1].process);
    put!(
        out,
        "<tr><td>{}</td><td>{}</td><td><a href=\"#w-{}\">{}</a></td><td class=\"n\" data-v=\"{}\">{}×</td>\
         <td>{}</td><td class=\"n\">{}</td><td class=\"{}\">{} {}</td><td class=\"n\">{}",
        gap.metric.title(),
        gap.tier,
        gap.workload,
        gap.workload,
        gap.ratio,
        ratio(gap.ratio),
        text::interval(gap.lo, gap.hi),
        gap.n,
        gap.verdict.key(),
        gap.verdict.shape(),
        gap.verdict.word(),
        or_dash(instructions.map(|by| format!("{by:.3}×")))
    );
    if counted.is_some() {
        put!(
            out,
            " · <a href=\"code.html#w-{}\">before and after</a>",
            gap.workload
        );
    }
    out.raw("</td></tr>");
}
