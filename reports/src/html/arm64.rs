//! The report's table of ARM64 instruction counts.

use super::{escape, put};
use crate::arm64::Arm64Report;
use crate::text::ratio;
use std::fmt::Write;

pub(super) fn section(out: &mut String, report: &Arm64Report) {
    let [tier, peer] = &report.engines;
    let commit: String = report.commit.hash.chars().take(12).collect();
    put!(
        out,
        "<h2 id=\"arm64\">ARM64 instruction counts</h2><div class=\"card\"><p>On ARM64 zwasm's tier {} \
         executes {}× the instructions of {} (geometric mean of {} workloads).</p>\
         <p class=\"muted\">Both engines as ARM64 programs under {}, whose plugin interface counts the \
         instructions of the whole process: (count of 2N iterations − count of N) ÷ N at the small size, \
         on one processor. wasmtime runs what it compiled ahead for ARM64, zwasm compiles in the \
         process, which the difference cancels. zwasm at commit <code>{}</code>{}. Instructions are not time, and no \
         ARM64 processor was measured.</p>",
        escape(tier),
        ratio(report.geomean()),
        escape(peer),
        report.rows.len(),
        escape(&report.emulator),
        escape(&commit),
        if report.commit.dirty {
            " with local changes"
        } else {
            ""
        }
    );
    for note in &report.notes {
        put!(out, "<p class=\"muted\">{}.</p>", escape(note));
    }
    out.push_str(
        "<details><summary>Table</summary><div class=\"scroll\"><table class=\"sortable\"><thead><tr>\
         <th>workload</th><th>category</th><th class=\"n\">zwasm</th><th class=\"n\">peer</th>\
         <th class=\"n\">ratio</th></tr></thead><tbody>",
    );
    for row in report.sorted() {
        let [ours, theirs] = row.instructions;
        put!(
            out,
            "<tr><td>{}</td><td>{}</td><td class=\"n\" data-v=\"{ours}\">{ours:.0}</td>\
             <td class=\"n\" data-v=\"{theirs}\">{theirs:.0}</td>\
             <td class=\"n\" data-v=\"{}\">{}×</td></tr>",
            escape(&row.workload),
            escape(&row.category),
            row.ratio(),
            ratio(row.ratio())
        );
    }
    out.push_str("</tbody></table></div></details></div>");
}
