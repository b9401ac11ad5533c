//! The report's table of ARM64 instruction counts.

use super::markup::{Html, put};
use super::parts::{Column, local_changes, short_hash, table};
use crate::arm64::Arm64Report;
use crate::text::ratio;

pub(super) fn section(out: &mut Html, report: &Arm64Report) {
    let [tier, peer] = &report.engines;
    put!(
        out,
        "<h2 id=\"arm64\">ARM64 instruction counts</h2><div class=\"card\"><p>On ARM64 zwasm's tier {} \
         executes {}× the instructions of {} (geometric mean of {} workloads).</p>\
         <p class=\"muted\">Both engines as ARM64 programs under {}, whose plugin interface counts the \
         instructions of the whole process: (count of 2N iterations − count of N) ÷ N at the small size, \
         on one processor. wasmtime runs what it compiled ahead for ARM64, zwasm compiles in the \
         process, which the difference cancels. zwasm at commit <code>{}</code>{}. Instructions are not time, and no \
         ARM64 processor was measured.</p>",
        tier,
        ratio(report.geomean()),
        peer,
        report.rows.len(),
        report.emulator,
        short_hash(&report.commit),
        local_changes(&report.commit)
    );
    for note in &report.notes {
        put!(out, "<p class=\"muted\">{}.</p>", note);
    }
    out.raw("<details><summary>Table</summary>");
    let columns = [
        Column::Text("workload"),
        Column::Text("category"),
        Column::Number("zwasm"),
        Column::Number("peer"),
        Column::Number("ratio"),
    ];
    table(out, "", &columns, |out| {
        for row in report.sorted() {
            let [ours, theirs] = row.instructions;
            put!(
                out,
                "<tr><td>{}</td><td>{}</td><td class=\"n\" data-v=\"{}\">{}</td>\
                 <td class=\"n\" data-v=\"{}\">{}</td>\
                 <td class=\"n\" data-v=\"{}\">{}×</td></tr>",
                row.workload,
                row.category,
                ours,
                format_args!("{ours:.0}"),
                theirs,
                format_args!("{theirs:.0}"),
                row.ratio(),
                ratio(row.ratio())
            );
        }
    });
    out.raw("</details></div>");
}
