//! Results as text: the one wording for ratios, the table for a terminal, and CSV.

use crate::analysis::{advisory, control_failed};
use crate::schema::{CellStatus, EngineKind, Gap, Geomean, Metric, Results};
use crate::stats::Verdict;
use crate::work::Stretch;
use std::fmt::Write;

/// A ratio with three significant digits, e.g. `0.82`, `12.3`, `118`.
#[must_use]
pub fn ratio(value: f64) -> String {
    if value >= 99.95 {
        format!("{value:.0}")
    } else if value >= 9.995 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// An interval `[0.79, 0.86]`; an unbounded end is `…`.
#[must_use]
pub fn interval(lo: Option<f64>, hi: Option<f64>) -> String {
    let end = |v: Option<f64>| v.map_or_else(|| "…".to_owned(), ratio);
    format!("[{}, {}]", end(lo), end(hi))
}

/// A duration in the unit that fits, e.g. `1.24 ms`.
#[must_use]
pub fn duration(ns: f64) -> String {
    if ns >= 1e9 {
        format!("{:.2} s", ns / 1e9)
    } else if ns >= 1e6 {
        format!("{:.2} ms", ns / 1e6)
    } else if ns >= 1e3 {
        format!("{:.1} µs", ns / 1e3)
    } else {
        format!("{ns:.0} ns")
    }
}

/// A size in the unit that fits, e.g. `23.1 MB` (10⁶ bytes).
#[must_use]
pub fn size(bytes: f64) -> String {
    if bytes >= 1e6 {
        format!("{:.1} MB", bytes / 1e6)
    } else if bytes >= 1e3 {
        format!("{:.1} kB", bytes / 1e3)
    } else {
        format!("{bytes:.0} B")
    }
}

/// `2026-08-31 12:34 UTC`, by the civil-from-days algorithm (Howard Hinnant's public-domain
/// formulas, written out).
#[must_use]
pub fn date(unix_s: u64) -> String {
    let days = unix_s / 86_400;
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute) = (unix_s % 86_400 / 3600, unix_s % 3600 / 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

/// The sentence of one row: "zwasm takes 0.82× wasmtime's time [0.79, 0.86], n = 20".
#[must_use]
pub fn gap_sentence(gap: &Gap) -> String {
    format!(
        "zwasm takes {}× {}'s {} {}, n = {}",
        ratio(gap.ratio),
        gap.peer,
        gap.metric.noun(),
        interval(gap.lo, gap.hi),
        gap.n
    )
}

/// What `n` of a row counts.
#[must_use]
pub fn sampled(gap: &Gap) -> &'static str {
    match gap.spread {
        Some(_) => "generations",
        None => "blocks",
    }
}

/// The sentence of a geometric mean, with its coverage.
#[must_use]
pub fn geomean_sentence(mean: &Geomean) -> String {
    format!(
        "zwasm ({}) takes {}× {}'s {} {}, n = {}, on {}",
        mean.tier,
        ratio(mean.ratio),
        mean.peer,
        mean.metric.noun(),
        interval(Some(mean.lo), Some(mean.hi)),
        mean.n,
        coverage(mean)
    )
}

/// "18/22 workloads, missing: a, b".
#[must_use]
pub fn coverage(mean: &Geomean) -> String {
    let mut text = format!("{}/{} workloads", mean.covered, mean.total);
    if !mean.missing.is_empty() {
        let _ = write!(text, ", missing: {}", mean.missing.join(", "));
    }
    text
}

/// How many rows of a tier × peer × metric have each verdict, in the order of [`Verdict::ALL`].
#[must_use]
pub fn verdict_counts(results: &Results, tier: &str, peer: &str, metric: Metric) -> [usize; 5] {
    Verdict::ALL.map(|verdict| {
        results
            .gaps
            .iter()
            .filter(|g| {
                g.tier == tier && g.peer == peer && g.metric == metric && g.verdict == verdict
            })
            .count()
    })
}

/// The table that `compare` prints.
#[must_use]
pub fn table(results: &Results) -> String {
    let mut out = String::new();
    for engine in &results.engines {
        match &engine.missing {
            Some(why) => writeln!(out, "{:<16} missing: {why}", engine.id),
            None => writeln!(out, "{:<16} {}", engine.id, engine.version),
        }
        .expect("writing to a string");
    }
    let name_width = results
        .workloads
        .iter()
        .map(|w| w.id.chars().count())
        .max()
        .unwrap_or(0)
        .max(8);
    // A job is judged by all three; a kernel by its steady iterations, the rest is on the page.
    let shown: &[Metric] = if results.is_jobs() {
        &[Metric::FirstResult, Metric::Total, Metric::PeakRss]
    } else {
        &[Metric::Steady]
    };
    if results.is_of_builds() {
        builds(&mut out, results);
    }
    let of_builds = |mean: &&Geomean| {
        let mut engines = results.engines.iter();
        engines.any(|e| e.id == mean.peer && e.counterpart.is_some())
    };
    for mean in results
        .geomeans
        .iter()
        .filter(|m| shown.contains(&m.metric) && !of_builds(m))
    {
        let metric = mean.metric;
        let doubt = match control_failed(results, metric) {
            Some(_) => ", advisory: its A/A control failed",
            None => "",
        };
        let (tier, peer, title) = (&mean.tier, &mean.peer, metric.title());
        let _ = writeln!(out, "\n{tier} ÷ {peer} ({title}{doubt})");
        for workload in results.workloads.iter().filter(|w| w.compares(metric)) {
            let row = results.gap(&workload.id, &mean.tier, &mean.peer, metric);
            let _ = match row {
                Some(g) => writeln!(
                    out,
                    "  {:<name_width$}  {:>6}×  {:<16} n = {:<3} {} {}{}",
                    g.workload,
                    ratio(g.ratio),
                    interval(g.lo, g.hi),
                    g.n,
                    g.verdict.shape(),
                    g.verdict.word(),
                    g.blocks_needed
                        .map(|n| format!(" (about {n} {} needed)", sampled(g)))
                        .unwrap_or_default()
                ),
                None => writeln!(
                    out,
                    "  {:<name_width$}  {}",
                    workload.id,
                    why_no_row(results, &workload.id, &[&mean.tier, &mean.peer])
                ),
            };
        }
    }
    job_figures(&mut out, results, name_width);
    for cell in &results.cells {
        if !matches!(cell.status, CellStatus::Ok | CellStatus::Pending) {
            let _ = writeln!(
                out,
                "{}: {} under {}: {}",
                cell.status.word(),
                cell.workload,
                cell.engine,
                cell.status.reason()
            );
        }
    }
    whole_processes(&mut out, results);
    notes(&mut out, results);
    out.push('\n');
    // The answer comes last, where a reader of a terminal is: first all others, then the headline.
    let is_answer = |mean: &&Geomean| {
        let of_tier = results.headline_tier() == Some(mean.tier.as_str());
        of_tier && ANSWER.contains(&mean.metric)
    };
    let (answer, others): (Vec<&Geomean>, Vec<&Geomean>) =
        results.geomeans.iter().partition(is_answer);
    for mean in others {
        let _ = writeln!(out, "{}", geomean_sentence(mean));
    }
    out.push('\n');
    for mean in answer {
        let _ = writeln!(out, "{}", geomean_sentence(mean));
    }
    out
}

/// The metrics of the headline.
pub(crate) const ANSWER: [Metric; 4] = [
    Metric::Steady,
    Metric::FirstResult,
    Metric::Total,
    Metric::PeakRss,
];

/// What a reader must know, each in a line that fits.
fn notes(out: &mut String, results: &Results) {
    let advice = advisory(results);
    for metric in Metric::ALL.into_iter().filter(|&m| m != results.headline()) {
        if let Some(why) = control_failed(results, metric) {
            let _ = writeln!(out, "note: {why}");
        }
    }
    for note in advice.iter().chain(&results.notes) {
        let _ = writeln!(out, "note: {}", shortened(note));
    }
    if !results.complete {
        let _ = writeln!(out, "note: interrupted; these are partial results");
    }
}

/// A note whose list of names is cut where it is long; the page has all of them.
fn shortened(note: &str) -> String {
    const NAMES: usize = 8;
    let Some((what, names)) = note.rsplit_once(": ") else {
        return note.to_owned();
    };
    let names: Vec<&str> = names.split(", ").collect();
    if names.len() <= NAMES {
        return note.to_owned();
    }
    let more = names.len() - NAMES;
    format!("{what}: {} and {more} more", names[..NAMES].join(", "))
}

/// Of two builds: how many rows of each metric have each verdict, and those that moved.
fn builds(out: &mut String, results: &Results) {
    for mean in &results.geomeans {
        let counts = verdict_counts(results, &mean.tier, &mean.peer, mean.metric);
        let counts: Vec<String> = Verdict::ALL
            .iter()
            .zip(counts)
            .filter(|(_, count)| *count > 0)
            .map(|(verdict, count)| format!("{count} {}", verdict.word()))
            .collect();
        let what = format!("{} ÷ {}, {}", mean.tier, mean.peer, mean.metric.title());
        let _ = writeln!(out, "{what:<44} {}", counts.join(", "));
    }
    for gap in results.moved() {
        let _ = writeln!(
            out,
            "{} {:<6} {} ÷ {}, {}, {}: {}× {}, n = {}",
            gap.verdict.shape(),
            gap.verdict.word(),
            gap.tier,
            gap.peer,
            gap.workload,
            gap.metric.title(),
            ratio(gap.ratio),
            interval(gap.lo, gap.hi),
            gap.n
        );
    }
}

/// Tiers against peers by the work that a process does.
fn whole_processes(out: &mut String, results: &Results) {
    if results.work.is_empty() {
        return;
    }
    let _ = write!(out, "\n{:<28}", "whole processes, tier ÷ peer");
    for stretch in Stretch::ALL {
        let _ = write!(out, " {:>15}", stretch.title());
    }
    out.push('\n');
    for mean in results.headline_means() {
        let _ = write!(out, "{:<28}", format!("{} ÷ {}", mean.tier, mean.peer));
        for stretch in Stretch::ALL {
            let of_work = results.work_mean(&mean.tier, &mean.peer, stretch);
            let _ = write!(out, " {:>15}", times(of_work.map(|m| m.ratio)));
        }
        out.push('\n');
    }
}

/// What each engine took for each job: medians over processes.
fn job_figures(out: &mut String, results: &Results, name_width: usize) {
    if !results.is_jobs() {
        return;
    }
    let _ = writeln!(
        out,
        "\n  {:<name_width$}  {:<16} {:>11} {:>11} {:>11} {:>16} {:>8} {:>8}",
        "module", "engine", "first", "total", "peak", "compile, whole", "total ÷", "peak ÷"
    );
    let peer = results.engines_of(EngineKind::Peer).next();
    let peer = peer.map_or("", |e| e.id.as_str());
    for workload in &results.workloads {
        let cells = results.cells.iter().filter(|c| c.workload == workload.id);
        for cell in cells.filter(|c| !c.samples.is_empty()) {
            let of = |metric: Metric| -> f64 {
                let values: Vec<f64> = cell.samples.iter().filter_map(|s| metric.of(s)).collect();
                crate::stats::median(&values)
            };
            let rate = results.compile_mb_s(workload, &cell.engine);
            let against = |metric| {
                let gap = results.gap(&workload.id, &cell.engine, peer, metric);
                times(gap.map(|g| g.ratio))
            };
            let _ = writeln!(
                out,
                "  {:<name_width$}  {:<16} {:>11} {:>11} {:>11} {:>16} {:>8} {:>8}",
                workload.id,
                cell.engine,
                duration(of(Metric::FirstResult)),
                duration(of(Metric::Total)),
                size(of(Metric::PeakRss)),
                rate.map(|r| format!("{r:.1} MB/s")).unwrap_or_default(),
                against(Metric::Total),
                against(Metric::PeakRss)
            );
        }
    }
    for tier in results.engines_of(EngineKind::Tier) {
        let mean = |metric| times(results.geomean(&tier.id, peer, metric).map(|m| m.ratio));
        let _ = writeln!(
            out,
            "  {:<name_width$}  {:<16} {:>62} {:>8}",
            "all",
            format!("{} ÷ {peer}", tier.id),
            mean(Metric::Total),
            mean(Metric::PeakRss)
        );
    }
}

/// A ratio that may not be there.
fn times(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{}×", ratio(value)))
}

/// Why a workload has no row for some engines, e.g. "wasmi: unsupported".
#[must_use]
pub fn why_no_row(results: &Results, workload: &str, engines: &[&str]) -> String {
    let reasons: Vec<String> = engines
        .iter()
        .filter_map(|engine| {
            let cell = results.cell(workload, engine)?;
            (cell.status != CellStatus::Ok).then(|| format!("{engine}: {}", cell.status.word()))
        })
        .collect();
    if reasons.is_empty() {
        "no samples".to_owned()
    } else {
        reasons.join(", ")
    }
}

/// `results.csv`: one line per row of `gaps`, with a header; unbounded ends are empty.
#[must_use]
pub fn csv(results: &Results) -> String {
    let mut out =
        "peer,tier,workload,category,metric,ratio,lo,hi,n,verdict,within,between\n".to_owned();
    for g in &results.gaps {
        let end = |v: Option<f64>| v.map(|v| v.to_string()).unwrap_or_default();
        let fields = [
            g.peer.clone(),
            g.tier.clone(),
            g.workload.clone(),
            g.category.clone(),
            g.metric.key().to_owned(),
            g.ratio.to_string(),
            end(g.lo),
            end(g.hi),
            g.n.to_string(),
            g.verdict.word().to_owned(),
            end(g.spread.map(|s| s.within)),
            end(g.spread.map(|s| s.between)),
        ];
        let line: Vec<String> = fields.iter().map(|f| csv_field(f)).collect();
        out.push_str(&line.join(","));
        out.push('\n');
    }
    out
}

/// Quotes a field where it needs it (RFC 4180).
fn csv_field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_of_names_are_cut() {
        let names: Vec<String> = (0..10).map(|i| format!("w{i}")).collect();
        let note = format!("thinned: {}", names.join(", "));
        assert_eq!(
            shortened(&note),
            "thinned: w0, w1, w2, w3, w4, w5, w6, w7 and 2 more"
        );
        for short in ["thinned: a, b", "no names"] {
            assert_eq!(shortened(short), short);
        }
    }

    #[test]
    fn dates() {
        assert_eq!(date(0), "1970-01-01 00:00 UTC");
        assert_eq!(date(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(date(1_798_761_599), "2026-12-31 23:59 UTC");
    }
}
