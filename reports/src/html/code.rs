//! The page of hot functions: per workload our machine code beside the peer's, with counts.
//!
//! In: a [`CodeReport`]. Out: one self-contained page, in the style of the report and linked from
//! it. Stretches that are never executed are folded into one line: the page tells where instructions
//! go, `code.json` has every one.

use super::markup::{Html, put};
use super::parts::{Column, local_changes, or_dash, short_hash, table};
use super::{end, head};
use crate::code::{CodeReport, CodeRow, Line, Side};
use crate::text::{ratio, size};

/// Instructions that are not executed are shown this far around those that are.
const CONTEXT_LINES: usize = 2;

/// An instruction is hot when it is executed at least this share of the hottest one's count.
const HOT_SHARE: f64 = 0.25;

/// The page.
#[must_use]
pub fn code_page(report: &CodeReport) -> String {
    let [ours, theirs] = &report.engines;
    let title = format!("Hot functions: zwasm beside {theirs}");
    let mut out = Html::default();
    let styles = [include_str!("style.css"), include_str!("code.css")];
    head(&mut out, &title, &styles);
    put!(
        out,
        "<body class=\"code\"><header><h1>{}</h1>\
         <p>Per workload the function in which zwasm's tier {} executes most instructions, and the \
         machine code that both engines make of it for {}, with the times each instruction is \
         executed per iteration of the small size.</p>",
        title,
        ours,
        report.isa
    );
    put!(
        out,
        "<p class=\"muted\">Commit <code>{}</code>{}. Counted by callgrind, (counts of 2N iterations \
         − counts of N) ÷ N. Both engines saw the processor that valgrind shows them, without AVX-512. \
         Instructions are not time.</p></header>\n<main>",
        short_hash(&report.commit),
        local_changes(&report.commit)
    );
    for note in &report.notes {
        put!(out, "<p class=\"banner\">{}.</p>", note);
    }
    overview(&mut out, report);
    for row in &report.rows {
        section(&mut out, report, row);
    }
    out.raw(
        "</main>\n<footer class=\"muted\"><p>Data: <a href=\"code.json\">code.json</a>, \
         <a href=\"code.csv\">code.csv</a>. <a href=\"index.html\">The report</a>.</p></footer>\n",
    );
    end(&mut out, &[include_str!("page.js")]);
    out.into_text()
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

fn overview(out: &mut Html, report: &CodeReport) {
    out.raw("<div class=\"card\">");
    let columns = [
        Column::Text("workload"),
        Column::Text("function"),
        Column::Number("time"),
        Column::Number("instructions, process"),
        Column::Number("wasm code"),
        Column::Number("this function"),
        Column::Number("our share of it"),
    ];
    table(out, "", &columns, |out| {
        for row in &report.rows {
            overview_row(out, row);
        }
    });
    out.raw(
        "<p class=\"muted\">Ratios are zwasm ÷ peer; below 1 zwasm executes \
         less. A function that zwasm inlined into another is counted there.</p></div>",
    );
}

fn overview_row(out: &mut Html, row: &CodeRow) {
    let [ours, theirs] = &row.sides;
    put!(
        out,
        "<tr><td><a href=\"#w-{}\">{}</a></td><td>{}</td>",
        row.workload,
        row.workload,
        row.title()
    );
    let time = row.time_ratio;
    put!(
        out,
        "<td class=\"n\" data-v=\"{}\">{}</td>",
        time.unwrap_or(0.0),
        or_dash(time.map(|t| format!("{}×", ratio(t))))
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
    let percent = ours.executed() / ours.process.max(1.0) * 100.0;
    put!(
        out,
        "<td class=\"n\" data-v=\"{}\">{} %</td></tr>",
        percent,
        format_args!("{percent:.0}")
    );
}

fn section(out: &mut Html, report: &CodeReport, row: &CodeRow) {
    put!(
        out,
        "<details class=\"card\" id=\"w-{}\"><summary><b>{}</b> <span class=\"muted\">{}</span>\
         </summary>",
        row.workload,
        row.workload,
        row.title()
    );
    sums(out, report, row);
    out.raw("<div class=\"sides\">");
    for (side, engine) in row.sides.iter().zip(titles(report)) {
        put!(
            out,
            "<div><h3>{}</h3><p class=\"muted\">{} of code; of all functions most instructions are in {}.</p>",
            engine,
            size(side.bytes as f64),
            hottest(side)
        );
        out.raw("<pre class=\"listing scroll\" tabindex=\"0\">");
        listing(out, &side.lines);
        out.raw("</pre></div>");
    }
    out.raw("</div></details>");
}

fn hottest(side: &Side) -> String {
    let one = |&(function, executed): &(u32, f64)| {
        let share = executed / side.process.max(1.0) * 100.0;
        format!("{function} ({share:.0} %)")
    };
    let shown: Vec<String> = side.hottest.iter().take(5).map(one).collect();
    shown.join(", ")
}

fn sums(out: &mut Html, report: &CodeReport, row: &CodeRow) {
    let [ours, theirs] = &row.sides;
    let in_code = titles(report).map(|engine| format!("{engine}, in code"));
    let columns = [
        Column::Text("of this function"),
        Column::Number(&in_code[0]),
        Column::Number("executed"),
        Column::Number(&in_code[1]),
        Column::Number("executed"),
        Column::Number("executed, ratio"),
    ];
    table(out, "", &columns, |out| {
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
    });
}

/// Instructions with their counts, hot ones in bold with a mark; what is far from anything that is
/// executed is one line.
fn listing(out: &mut Html, lines: &[Line]) {
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
                "<i>{} {} instructions not executed</i>\n",
                format_args!("{:>18}", "…"),
                hidden
            );
            at += hidden;
            continue;
        }
        let line = &lines[at];
        let times = if is_run(line) {
            count(line.count)
        } else {
            String::new()
        };
        let times = format!("{times:>8}");
        let offset = format!("{:>5x}", line.offset);
        if is_run(line) && line.count >= most * HOT_SHARE {
            put!(out, "<b>{} ▌{}  {}</b>\n", times, offset, line.text);
        } else if is_run(line) {
            put!(out, "{}  {}  {}\n", times, offset, line.text);
        } else {
            put!(out, "<i>{}  {}  {}</i>\n", times, offset, line.text);
        }
        at += 1;
    }
}
