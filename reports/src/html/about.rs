//! Machine, engines, notes.

use super::canvas::Ink;
use super::markup::{Html, put};
use super::parts::{Column, series_of, swatch, table};
use crate::schema::{Pace, Results};
use crate::text::{self, date};

pub(super) fn section(out: &mut Html, results: &Results) {
    out.raw("<h2 id=\"about\">Machine and engines</h2><div class=\"card\">");
    for note in &results.notes {
        put!(out, "<p>Note: {}.</p>", note);
    }
    table(out, "", &[], |out| {
        for (name, value) in facts(results) {
            put!(
                out,
                "<tr><td>{}</td><td class=\"why\"><code>{}</code></td></tr>",
                name,
                value
            );
        }
    });
    out.raw("<h3>Engines</h3>");
    engines(out, results);
    out.raw("</div>");
}

fn facts(results: &Results) -> [(&'static str, String); 16] {
    let m = &results.machine;
    let commit = &results.commit;
    let dirty = if commit.dirty {
        " (with local changes)"
    } else {
        ""
    };
    let governor = if m.governor.is_empty() {
        "none shown"
    } else {
        &m.governor
    };
    [
        ("commit", format!("{}{dirty}", commit.hash)),
        ("CPU", m.cpu.clone()),
        ("instruction set", m.isa.clone()),
        ("cores", m.cores.to_string()),
        ("governor", governor.to_owned()),
        ("memory", text::size(m.memory_bytes as f64)),
        ("kernel", m.kernel.clone()),
        (
            "load before, after",
            format!("{:.2}, {:.2}", m.load_before, m.load_after),
        ),
        ("steal", format!("{:.2} %", m.steal * 100.0)),
        (
            "involuntary context switches",
            m.involuntary_switches.to_string(),
        ),
        ("counters", m.counters.clone()),
        (
            "corpus",
            format!("{} ({})", results.corpus.checksum, results.corpus.selection),
        ),
        ("started", date(results.started_unix_s)),
        ("duration", format!("{:.0} s", results.duration_s)),
        (
            "profile",
            format!(
                "{}: {} blocks, {} fresh ones for slower rows, {} ms per process",
                results.profile.name,
                results.profile.blocks,
                results.profile.fresh_blocks,
                results.profile.sample_ms
            ),
        ),
        ("steps", results.profile.pace.map_or_else(String::new, pace)),
    ]
}

fn pace(pace: Pace) -> String {
    format!(
        "generations of {} rounds, or of {}; {} per step, {} of warm-up",
        pace.rounds,
        text::duration(pace.limit_ns as f64),
        text::duration(pace.step_ns as f64),
        text::duration(pace.warm_up_ns as f64)
    )
}

fn engines(out: &mut Html, results: &Results) {
    let columns = [
        "engine",
        "what",
        "version",
        "flags, and who chose them",
        "SHA-256",
    ];
    let columns = columns.map(Column::Text);
    table(out, "", &columns, |out| {
        for engine in &results.engines {
            let version = engine
                .missing
                .as_ref()
                .map_or_else(|| engine.version.clone(), |why| format!("missing: {why}"));
            let sum: String = engine.sha256.chars().take(16).collect();
            put!(
                out,
                "<tr><td>{}{}</td><td>{}</td><td class=\"why\">{}</td><td class=\"why\"><code>{}</code><br>{}</td><td><code title=\"{}\">{}</code></td></tr>",
                swatch(Ink::Series(series_of(results, &engine.id))),
                engine.id,
                engine.title,
                version,
                engine.flags,
                engine.chosen,
                engine.sha256,
                sum
            );
        }
    });
}
