//! The answer: every tier against every peer by what a user feels, in one table.

use super::markup::{Html, put};
use super::parts::{Column, table};
use crate::analysis::doubt;
use crate::schema::{Geomean, Metric, Results};
use crate::stats::{self, Estimate};
use crate::text::{ANSWER, interval, ratio};

/// A row per tier × peer, those of the headline's tier first; what must be said of a column stands below.
pub(super) fn section(out: &mut Html, results: &Results) {
    let is_measured = |metric: &Metric| results.geomeans.iter().any(|m| m.metric == *metric);
    let metrics: Vec<Metric> = ANSWER.into_iter().filter(is_measured).collect();
    if metrics.is_empty() {
        doubts(out, results, &[results.headline()]);
        return;
    }
    out.raw(
        "<div class=\"card\" id=\"answer\"><p class=\"muted\">zwasm ÷ peer, geometric means over the workloads \
         that both ran; below 1 zwasm takes less.</p>",
    );
    let mut columns = vec![Column::Text("tier"), Column::Text("peer")];
    columns.extend(metrics.iter().map(|metric| Column::Number(metric.title())));
    columns.push(Column::Number("workloads"));
    table(out, "answer", &columns, |out| {
        let headline = results.headline_tier();
        let is_first = |mean: &&Geomean| Some(mean.tier.as_str()) == headline;
        let (first, others): (Vec<&Geomean>, Vec<&Geomean>) =
            results.headline_means().partition(is_first);
        for mean in first.into_iter().chain(others) {
            row(out, results, &metrics, mean);
        }
    });
    doubts(out, results, &metrics);
    out.raw("</div>");
}

fn doubts(out: &mut Html, results: &Results, metrics: &[Metric]) {
    for why in metrics.iter().filter_map(|&metric| doubt(results, metric)) {
        put!(out, "<p class=\"banner\" role=\"alert\">⚠ {}.</p>", why);
    }
}

fn row(out: &mut Html, results: &Results, metrics: &[Metric], headline: &Geomean) {
    let (tier, peer) = (&headline.tier, &headline.peer);
    put!(out, "<tr><td>{}</td><td>{}</td>", tier, peer);
    for &metric in metrics {
        match results.geomean(tier, peer, metric) {
            Some(mean) => figure(out, results, mean),
            None => out.raw("<td class=\"n\">–</td>"),
        }
    }
    put!(
        out,
        "<td class=\"n\">{}/{}</td></tr>",
        headline.covered,
        headline.total
    );
}

/// A mean with its interval. Its shape is that of the verdict which a row with this interval would have, or
/// the mark of a control that failed: then there is none.
fn figure(out: &mut Html, results: &Results, mean: &Geomean) {
    let logarithms = Estimate {
        value: mean.ratio,
        lo: mean.lo,
        hi: mean.hi,
    }
    .map(f64::ln);
    let verdict = stats::verdict(logarithms, results.floor(mean.metric));
    let (class, shape, title) = match doubt(results, mean.metric) {
        Some(why) => ("doubtful", "⚠", why),
        None => (verdict.key(), verdict.shape(), verdict.word().to_owned()),
    };
    put!(
        out,
        "<td class=\"n\" title=\"{}\"><b class=\"{}\">{}× {}</b> <span>{}</span></td>",
        title,
        class,
        ratio(mean.ratio),
        shape,
        interval(Some(mean.lo), Some(mean.hi))
    );
}
