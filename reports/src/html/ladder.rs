//! The tier ladder and the Pareto scatter, relative to the first peer that ran.

use super::markup::{Html, put};
use super::parts::{Column, capitalised, figure, folded_table, series_of};
use super::plots::{self, Step};
use crate::analysis::block_gaps;
use crate::schema::{CellStatus, EngineInfo, EngineKind, Metric, Results, Sample};
use crate::stats;
use crate::text::ratio;

pub(super) fn section(out: &mut Html, results: &Results) {
    let Some(reference) = results.engines_of(EngineKind::Peer).next() else {
        return;
    };
    let step = |engine: &EngineInfo| {
        let ratio = relative(results, results.headline(), &engine.id, &reference.id)?;
        Some(Step {
            name: engine.id.clone(),
            ratio,
            series: series_of(results, &engine.id),
        })
    };
    let ran = results.engines.iter().filter(|e| e.missing.is_none());
    let steps: Vec<Step> = ran.filter_map(step).collect();
    if steps.len() < 2 {
        return;
    }
    out.raw("<h2 id=\"ladder\">Tier ladder</h2><div class=\"card\">");
    let what = results.headline().noun();
    let caption = format!(
        "Geometric mean of {what} relative to {}, each engine over the workloads that both \
         ran; blocks of the first stage.",
        reference.id
    );
    figure(out, &caption, plots::ladder(&steps, what, &reference.id));
    out.raw("</div>");
    // Compile time only exists for engines that compile ahead; setup exists for all.
    pareto(out, results, &steps, &reference.id, Metric::Compile);
    pareto(out, results, &steps, &reference.id, Metric::Setup);
}

/// Run time against what comes before it.
fn pareto(out: &mut Html, results: &Results, steps: &[Step], reference: &str, before: Metric) {
    let name = before.noun();
    let points: Vec<(String, f64, f64, usize)> = steps
        .iter()
        .filter_map(|step| {
            let x = relative(results, before, &step.name, reference)?;
            Some((step.name.clone(), x.value, step.ratio.value, step.series))
        })
        .collect();
    if points.len() < 2 {
        return;
    }
    put!(
        out,
        "<h2 id=\"pareto-{}\">{} against run time</h2><div class=\"card\">",
        before.key(),
        capitalised(name)
    );
    let caption = format!("Both relative to {reference}; lower left is better.");
    figure(out, &caption, plots::pareto(&points, name, reference));
    let columns = [
        Column::Text("engine"),
        Column::Number(name),
        Column::Number("steady time"),
    ];
    folded_table(out, "Table", &columns, |out| {
        for (engine, x, y, _) in &points {
            put!(
                out,
                "<tr><td>{}</td><td class=\"n\">{}×</td><td class=\"n\">{}×</td></tr>",
                engine,
                ratio(*x),
                ratio(*y)
            );
        }
    });
    out.raw("</div>");
}

/// Geometric mean of one engine's metric relative to a reference engine, over what both ran.
fn relative(
    results: &Results,
    metric: Metric,
    engine: &str,
    reference: &str,
) -> Option<stats::Estimate> {
    let first_stage = |samples: &[Sample]| -> Vec<Sample> {
        samples.iter().filter(|s| !s.fresh).cloned().collect()
    };
    let rows: Vec<Vec<f64>> = results
        .workloads
        .iter()
        .filter(|w| w.compares(metric))
        .filter_map(|w| {
            let (a, b) = (
                results.cell(&w.id, engine)?,
                results.cell(&w.id, reference)?,
            );
            let both_ran = a.status == CellStatus::Ok && a.status == b.status;
            let gaps = block_gaps(metric, &first_stage(&a.samples), &first_stage(&b.samples));
            (both_ran && !gaps.is_empty()).then_some(gaps)
        })
        .collect();
    let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
    Some(stats::geomean_interval(&rows, 500)?.map(f64::exp))
}
