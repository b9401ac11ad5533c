//! Whole processes: what an amount of work takes with start and compilation, and peak memory.

use super::markup::{Html, put};
use super::parts::{Column, or_dash, table};
use crate::schema::{EngineKind, Metric, Results};
use crate::text::ratio;
use crate::work::Stretch;

/// A row per tier × peer; nothing where whole processes were not measured.
pub(super) fn section(out: &mut Html, results: &Results) {
    let Some(reference) = results.engines_of(EngineKind::Peer).next() else {
        return;
    };
    if results.work.is_empty() {
        return;
    }
    put!(
        out,
        "<h2 id=\"work\">Whole processes</h2><div class=\"card\"><p class=\"muted\">Tier ÷ peer, \
         geometric means over workloads: a process from its start, compilation included, until it \
         has done what {}’s steady code does in a time; until an iteration is within 5 % of the \
         process’s own steady time; and peak memory. Iterations beyond those measured count with \
         the steady time.</p>",
        reference.id
    );
    let mut columns = vec![Column::Text("tier"), Column::Text("peer")];
    columns.extend(Stretch::ALL.map(|stretch| Column::Number(stretch.title())));
    columns.push(Column::Number("peak memory"));
    table(out, "", &columns, |out| {
        for mean in results.headline_means() {
            row(out, results, &mean.tier, &mean.peer);
        }
    });
    out.raw("</div>");
}

fn row(out: &mut Html, results: &Results, tier: &str, peer: &str) {
    put!(out, "<tr><td>{}</td><td>{}</td>", tier, peer);
    let of_work = Stretch::ALL.map(|stretch| {
        let mean = results.work_mean(tier, peer, stretch)?;
        Some((mean.ratio, mean.lo, mean.hi))
    });
    let memory = results.geomean(tier, peer, Metric::PeakRss);
    let memory = memory.map(|m| (m.ratio, m.lo, m.hi));
    for figure in of_work.into_iter().chain([memory]) {
        let shown = figure.map(|(middle, lo, hi)| {
            let interval = crate::text::interval(Some(lo), Some(hi));
            format!("{}× {interval}", ratio(middle))
        });
        put!(out, "<td class=\"n\">{}</td>", or_dash(shown));
    }
    out.raw("</tr>");
}
