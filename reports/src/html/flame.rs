//! The flame graph of a workload: stacks of functions as an icicle plot, and a table of functions.
//!
//! In: a [`Flame`]. Out: one self-contained page. What is less than a thousandth of all samples is left
//! out of the plot, not of the table's figures.

use super::icicle::Span;
use super::markup::{Html, put};
use super::parts::{Column, local_changes, short_hash, table};
use super::{end, head};
use crate::flame::{Flame, Function, Node};

/// Branches with fewer of so many samples are not drawn.
const SHARE_MIN: u64 = 1000;

/// Functions of the table.
const FUNCTIONS_MAX: usize = 100;

/// The page.
#[must_use]
pub fn flame_page(flame: &Flame) -> String {
    let title = format!("Where {} spends its time", flame.workload);
    let mut out = Html::default();
    head(&mut out, &title, &[include_str!("style.css")]);
    let seconds = flame.root.samples as f64 / f64::from(flame.frequency_hz.max(1));
    put!(
        out,
        "<body><header><h1>{}</h1><p>zwasm, tier {}: {} samples of {} iterations with start and compilation, \
         {} per second of processor time ({} s).</p><p class=\"muted\">Commit <code>{}</code>{}. The width of a \
         function is its share of samples; below it is what it calls. Click to look closer.</p></header>\n<main>",
        title,
        flame.tier,
        flame.root.samples,
        flame.iterations,
        flame.frequency_hz,
        format_args!("{seconds:.2}"),
        short_hash(&flame.commit),
        local_changes(&flame.commit)
    );
    out.raw(
        "<noscript><p class=\"banner\">The plot needs the page’s script.</p></noscript>\
         <div class=\"card\" id=\"flame\"></div>",
    );
    functions(&mut out, flame);
    out.raw("</main>\n");
    out.data(
        "data",
        &span("all".to_owned(), &flame.root, flame.root.samples),
    );
    let scripts = [
        include_str!("page.js"),
        include_str!("icicle.js"),
        include_str!("flame.js"),
    ];
    end(&mut out, &scripts);
    out.into_text()
}

/// Most samples on the left.
fn span(name: String, node: &Node, all: u64) -> Span {
    let calls = node.calls.iter();
    let shown = calls.filter(|(_, call)| call.samples * SHARE_MIN >= all);
    let mut parts: Vec<Span> = shown
        .map(|(frame, call)| span(frame.name.clone(), call, all))
        .collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.1));
    Span(name, node.samples, parts)
}

fn functions(out: &mut Html, flame: &Flame) {
    out.raw("<h2 id=\"functions\">Functions</h2><div class=\"card\">");
    let columns = [
        Column::Number("own"),
        Column::Number("with calls"),
        Column::Text("of"),
        Column::Text("function"),
    ];
    table(out, "", &columns, |out| {
        for function in flame.functions.iter().take(FUNCTIONS_MAX) {
            row(out, function, flame.root.samples);
        }
    });
    let more = flame.functions.len().saturating_sub(FUNCTIONS_MAX);
    if more > 0 {
        put!(out, "<p class=\"muted\">And {} more.</p>", more);
    }
    out.raw("</div>");
}

fn row(out: &mut Html, function: &Function, all: u64) {
    let percent = |samples: u64| format!("{:.1} %", samples as f64 * 100.0 / all.max(1) as f64);
    put!(
        out,
        "<tr><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td><td>{}</td></tr>",
        percent(function.own),
        percent(function.total),
        function.frame.kind.word(),
        function.frame.name
    );
}
