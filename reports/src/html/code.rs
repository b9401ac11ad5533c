//! The page of hot functions: per workload our machine code beside the peer's, with counts.
//!
//! In: a [`CodeReport`]. Out: one self-contained page, in the style of the report and linked from
//! it. Stretches that are never executed are folded into one line: the page tells where instructions
//! go, `code.json` has every one.

use super::{escape, put};
use crate::code::{CodeReport, CodeRow, Line, Side};
use crate::text::{ratio, size};
use std::fmt::Write;

/// Instructions that are not executed are shown this far around those that are.
const CONTEXT_LINES: usize = 2;

/// An instruction is hot when it is executed at least this share of the hottest one's count.
const HOT_SHARE: f64 = 0.25;

/// The page.
#[must_use]
pub fn code_page(report: &CodeReport) -> String {
    let [ours, theirs] = &report.engines;
    let mut out = String::new();
    put!(
        out,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <link rel=\"icon\" href=\"data:,\"><title>Hot functions: zwasm beside {0}</title>\
         <style>{1}{2}</style></head>\n<body class=\"code\"><header><h1>Hot functions: zwasm beside {0}</h1>\
         <p>Per workload the function in which zwasm's tier {3} executes most instructions, and the \
         machine code that both engines make of it for {4}, with the times each instruction is \
         executed per iteration of the small size.</p>",
        escape(theirs),
        include_str!("style.css"),
        include_str!("code.css"),
        escape(ours),
        escape(&report.isa)
    );
    let commit: String = report.commit.hash.chars().take(12).collect();
    put!(
        out,
        "<p class=\"muted\">Commit <code>{}</code>{}. Counted by callgrind, (counts of 2N iterations \
         − counts of N) ÷ N. Both engines saw the processor that valgrind shows them, without AVX-512. \
         Instructions are not time.</p></header>\n<main>",
        escape(&commit),
        if report.commit.dirty {
            " with local changes"
        } else {
            ""
        }
    );
    for note in &report.notes {
        put!(out, "<p class=\"banner\">{}.</p>", escape(note));
    }
    overview(&mut out, report);
    for row in &report.rows {
        section(&mut out, report, row);
    }
    put!(
        out,
        "</main>\n<footer class=\"muted\"><p>Data: <a href=\"code.json\">code.json</a>, \
         <a href=\"code.csv\">code.csv</a>. <a href=\"index.html\">The report</a>.</p></footer>\n\
         <script>{}</script></body></html>\n",
        include_str!("page.js")
    );
    out
}

/// What the engines are called: ours by its tier, the peer without its commit.
fn titles(report: &CodeReport) -> [String; 2] {
    let [tier, peer] = &report.engines;
    let peer = peer.split(" (").next().unwrap_or_default();
    [format!("zwasm {tier}"), peer.to_owned()]
}

/// A count per iteration.
fn count(value: f64) -> String {
    if value >= 1e7 {
        format!("{:.1}M", value / 1e6)
    } else if value >= 1e4 {
        format!("{:.1}k", value / 1e3)
    } else if value == value.trunc() {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}

/// A ratio of counts, where there is one.
fn share(ours: f64, theirs: f64) -> String {
    if theirs > 0.0 && ours > 0.0 {
        format!("{}×", ratio(ours / theirs))
    } else {
        "–".to_owned()
    }
}

fn overview(out: &mut String, report: &CodeReport) {
    out.push_str(
        "<div class=\"card\"><div class=\"scroll\"><table class=\"sortable\"><thead><tr><th>workload</th>\
         <th>function</th><th class=\"n\">time</th><th class=\"n\">instructions, process</th>\
         <th class=\"n\">wasm code</th><th class=\"n\">this function</th>\
         <th class=\"n\">our share of it</th></tr></thead><tbody>",
    );
    for row in &report.rows {
        let [ours, theirs] = &row.sides;
        put!(
            out,
            "<tr><td><a href=\"#w-{0}\">{0}</a></td><td>{1}</td>",
            escape(&row.workload),
            escape(&row.title())
        );
        let time = row.time_ratio;
        put!(
            out,
            "<td class=\"n\" data-v=\"{}\">{}</td>",
            time.unwrap_or(0.0),
            time.map_or("–".to_owned(), |t| format!("{}×", ratio(t)))
        );
        for (a, b) in [
            (ours.process, theirs.process),
            (ours.wasm, theirs.wasm),
            (ours.executed(), theirs.executed()),
        ] {
            put!(
                out,
                "<td class=\"n\" data-v=\"{}\">{}</td>",
                if b > 0.0 { a / b } else { 0.0 },
                share(a, b)
            );
        }
        put!(
            out,
            "<td class=\"n\" data-v=\"{0}\">{0:.0} %</td></tr>",
            ours.executed() / ours.process.max(1.0) * 100.0
        );
    }
    out.push_str(
        "</tbody></table></div><p class=\"muted\">Ratios are zwasm ÷ peer; below 1 zwasm executes \
         less. A function that zwasm inlined into another is counted there.</p></div>",
    );
}

fn section(out: &mut String, report: &CodeReport, row: &CodeRow) {
    put!(
        out,
        "<details class=\"card\" id=\"w-{0}\"><summary><b>{0}</b> <span class=\"muted\">{1}</span>\
         </summary>",
        escape(&row.workload),
        escape(&row.title())
    );
    sums(out, report, row);
    out.push_str("<div class=\"sides\">");
    for (side, engine) in row.sides.iter().zip(titles(report)) {
        put!(
            out,
            "<div><h3>{}</h3><p class=\"muted\">{} of code; of all functions most instructions are in {}.</p>",
            escape(&engine),
            size(side.bytes as f64),
            escape(&hottest(side))
        );
        out.push_str("<pre class=\"listing scroll\" tabindex=\"0\">");
        listing(out, &side.lines);
        out.push_str("</pre></div>");
    }
    out.push_str("</div></details>");
}

fn hottest(side: &Side) -> String {
    let one = |&(function, executed): &(u32, f64)| {
        let share = executed / side.process.max(1.0) * 100.0;
        format!("{function} ({share:.0} %)")
    };
    let shown: Vec<String> = side.hottest.iter().take(5).map(one).collect();
    shown.join(", ")
}

fn sums(out: &mut String, report: &CodeReport, row: &CodeRow) {
    let [ours, theirs] = &row.sides;
    out.push_str("<div class=\"scroll\"><table><thead><tr><th>of this function</th>");
    for engine in titles(report) {
        put!(
            out,
            "<th class=\"n\">{0}, in code</th><th class=\"n\">executed</th>",
            escape(&engine)
        );
    }
    out.push_str("<th class=\"n\">executed, ratio</th></tr></thead><tbody>");
    for (a, b) in ours.sums().iter().zip(theirs.sums()) {
        put!(out, "<tr><td>{}</td>", a.title);
        for value in [a.in_code, a.executed, b.in_code, b.executed] {
            put!(out, "<td class=\"n\">{}</td>", count(value));
        }
        put!(
            out,
            "<td class=\"n\">{}</td></tr>",
            share(a.executed, b.executed)
        );
    }
    out.push_str("</tbody></table></div>");
}

/// Instructions with their counts, hot ones in bold with a mark; what is far from anything that is
/// executed is one line.
fn listing(out: &mut String, lines: &[Line]) {
    let most = lines.iter().map(|line| line.count).fold(0.0, f64::max);
    let is_run = |line: &Line| line.count > 0.0;
    let is_shown = |at: usize| {
        let around = at.saturating_sub(CONTEXT_LINES)..(at + CONTEXT_LINES + 1).min(lines.len());
        lines[around].iter().any(is_run)
    };
    let mut at = 0;
    while at < lines.len() {
        let hidden = (at..lines.len()).take_while(|&i| !is_shown(i)).count();
        if hidden > 1 {
            put!(
                out,
                "<i>{:>18} {hidden} instructions not executed</i>\n",
                "…"
            );
            at += hidden;
            continue;
        }
        let line = &lines[at];
        let text = escape(&line.text);
        let offset = line.offset;
        if is_run(line) && line.count >= most * HOT_SHARE {
            put!(
                out,
                "<b>{:>8} ▌{offset:>5x}  {text}</b>\n",
                count(line.count)
            );
        } else if is_run(line) {
            put!(out, "{:>8}  {offset:>5x}  {text}\n", count(line.count));
        } else {
            put!(out, "<i>{:>8}  {offset:>5x}  {text}</i>\n", "");
        }
        at += 1;
    }
}
