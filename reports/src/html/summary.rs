//! Below the answer: the headline in words, what is worst, where it was measured.

use super::markup::{Html, put};
use super::parts::{local_changes, short_hash};
use crate::analysis::doubt;
use crate::schema::{Geomean, Results};
use crate::stats::Verdict;
use crate::text::{self, date, ratio};

pub(super) fn section(out: &mut Html, results: &Results) {
    // The other tiers follow folded.
    let headline = results.headline_tier();
    let (first, others): (Vec<&Geomean>, Vec<&Geomean>) = results
        .headline_means()
        .partition(|m| Some(m.tier.as_str()) == headline);
    for mean in first {
        comparison(out, results, mean);
    }
    if !others.is_empty() {
        out.raw("<details><summary>Other tiers</summary>");
        for mean in others {
            comparison(out, results, mean);
        }
        out.raw("</details>");
    }
    provenance(out, results);
    warnings(out, results);
}

/// Gap, verdict counts and worst rows of one tier against one peer.
fn comparison(out: &mut Html, results: &Results, mean: &Geomean) {
    put!(
        out,
        "<p class=\"lead\">{}.</p>",
        text::geomean_sentence(mean)
    );
    let counts = text::verdict_counts(results, &mean.tier, &mean.peer, mean.metric);
    out.raw("<ul class=\"counts\">");
    for (verdict, count) in Verdict::ALL.into_iter().zip(counts) {
        put!(
            out,
            "<li class=\"{}\"><b>{}</b> {} {}</li>",
            verdict.key(),
            count,
            verdict.shape(),
            verdict.word()
        );
    }
    if doubt(results, mean.metric).is_some() {
        out.raw("<li class=\"doubtful\">⚠ advisory, see above</li>");
    }
    out.raw("</ul>");
    let worst: Vec<String> = mean
        .worst
        .iter()
        .map(|w| format!("{} {}×", w.workload, ratio(w.ratio)))
        .collect();
    put!(out, "<p class=\"muted\">Worst: {}.</p>", worst.join(", "));
}

fn provenance(out: &mut Html, results: &Results) {
    let commit = short_hash(&results.commit);
    let machine = &results.machine;
    put!(
        out,
        "<p class=\"muted\">Commit <code>{}</code>{} · {} · {} cores · {} · profile {}</p>",
        if commit.is_empty() {
            "unknown"
        } else {
            &commit
        },
        local_changes(&results.commit),
        machine.cpu,
        machine.cores,
        date(results.started_unix_s),
        results.profile.name
    );
}

fn warnings(out: &mut Html, results: &Results) {
    if !results.complete {
        out.raw("<p class=\"banner\">⚠ The run was interrupted: these are partial results.</p>");
    }
    for engine in &results.engines {
        if let Some(why) = &engine.missing {
            put!(
                out,
                "<p class=\"banner\">{} is missing: {}.</p>",
                engine.id,
                why
            );
        }
    }
}
