//! Where zwasm's own time goes, tier by tier, as each reports it of one run: phases, and within compilation
//! the passes of the optimizing tier, or the costliest functions of another one.
//!
//! A tier's tree of spans, in nanoseconds, is drawn as an icicle: the width of a span is its time, and below
//! it are its parts. Passes run on several threads, phases are of one clock: where passes took longer together than
//! the phase that they are in, they share it in proportion.

use super::icicle::Span;
use super::parts::Column;
use crate::schema::{Cell, FunctionTime, Phases};
use crate::text::{duration, size};
use serde::Serialize;

/// What a card has of a tier.
#[derive(Serialize)]
pub(super) struct OfTier {
    /// In the order of [`columns`].
    row: Vec<String>,
    spans: Span,
    /// In the order of [`function_columns`].
    functions: Vec<[String; 4]>,
}

pub(super) fn columns() -> Vec<Column<'static>> {
    vec![
        Column::Text("tier"),
        Column::Number("load and validate"),
        Column::Number("compile"),
        Column::Number("instantiate"),
        Column::Number("run"),
        Column::Number("functions compiled"),
    ]
}

pub(super) fn function_columns() -> Vec<Column<'static>> {
    vec![
        Column::Text("tier"),
        Column::Text("function"),
        Column::Number("compile"),
        Column::Number("code"),
    ]
}

/// Of the engines that report phases.
pub(super) fn of_cells(cells: &[&Cell]) -> Vec<OfTier> {
    let reported = cells.iter().filter_map(|c| Some((c, c.phases.as_ref()?)));
    let of_tier = |(cell, phases): (&&Cell, &Phases)| OfTier {
        row: row(&cell.engine, phases),
        spans: spans(&cell.engine, phases),
        functions: phases
            .costliest
            .iter()
            .map(|f| function(&cell.engine, f))
            .collect(),
    };
    reported.map(of_tier).collect()
}

fn row(tier: &str, phases: &Phases) -> Vec<String> {
    let times = [
        phases.load_ns,
        phases.compile_ns,
        phases.instantiate_ns,
        phases.run_ns,
    ];
    let times = times.map(|ns| duration(ns as f64));
    let mut row = vec![tier.to_owned()];
    row.extend(times);
    row.push(phases.functions_compiled.to_string());
    row
}

fn function(tier: &str, function: &FunctionTime) -> [String; 4] {
    [
        tier.to_owned(),
        title(function),
        duration(function.compile_ns as f64),
        size(function.code_bytes as f64),
    ]
}

fn title(function: &FunctionTime) -> String {
    let index = format!("function {}", function.index);
    match &function.name {
        Some(name) => format!("{name} ({index})"),
        None => index,
    }
}

fn spans(tier: &str, phases: &Phases) -> Span {
    let leaf = |name: &str, ns| Span(name.to_owned(), ns, Vec::new());
    // On other threads it may take longer than the run that it is beside.
    let compile_ns = if phases.eager {
        phases.compile_ns
    } else {
        phases.compile_ns.min(phases.run_ns)
    };
    let compile = Span(
        "compile".to_owned(),
        compile_ns,
        parts_of_compile(phases, compile_ns),
    );
    let mut parts = vec![leaf("load and validate", phases.load_ns)];
    let mut run = leaf("run", phases.run_ns);
    if phases.eager {
        parts.push(compile);
    } else if compile_ns > 0 {
        run.2.push(compile);
    }
    parts.extend([leaf("instantiate", phases.instantiate_ns), run]);
    let total = parts.iter().map(|part| part.1).sum();
    Span(tier.to_owned(), total, parts)
}

/// Passes in their order; of a tier that has none the functions that took longest.
fn parts_of_compile(phases: &Phases, compile_ns: u64) -> Vec<Span> {
    let mut parts: Vec<(String, u64)> = phases
        .passes
        .iter()
        .map(|pass| (pass.name.clone(), pass.time_ns))
        .collect();
    if parts.is_empty() {
        let functions = phases.costliest.iter();
        parts = functions.map(|f| (title(f), f.compile_ns)).collect();
    }
    let total: u64 = parts.iter().map(|part| part.1).sum();
    let share = (compile_ns as f64 / total.max(1) as f64).min(1.0);
    parts
        .into_iter()
        .map(|(name, ns)| Span(name, (ns as f64 * share).round() as u64, Vec::new()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::PassTime;

    fn phases(eager: bool) -> Phases {
        let pass = |name: &str, time_ns| PassTime {
            name: name.to_owned(),
            time_ns,
        };
        Phases {
            load_ns: 10,
            compile_ns: 100,
            eager,
            instantiate_ns: 5,
            run_ns: 300,
            passes: vec![pass("build", 150), pass("emit", 50)],
            ..Phases::default()
        }
    }

    fn text(span: &Span) -> String {
        let parts: Vec<String> = span.2.iter().map(text).collect();
        format!("{} {} [{}]", span.0, span.1, parts.join(", "))
    }

    #[test]
    fn passes_share_what_their_phase_took() {
        assert_eq!(
            text(&spans("opt", &phases(true))),
            "opt 415 [load and validate 10 [], compile 100 [build 75 [], emit 25 []], \
             instantiate 5 [], run 300 []]"
        );
    }

    #[test]
    fn lazy_compilation_is_part_of_the_run() {
        assert_eq!(
            text(&spans("auto", &phases(false))),
            "auto 315 [load and validate 10 [], instantiate 5 [], \
             run 300 [compile 100 [build 75 [], emit 25 []]]]"
        );
    }
}
