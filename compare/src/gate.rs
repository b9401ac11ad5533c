//! The regression gate: instruction counts against recorded ones.
//!
//! Counts repeat within 0.01 % on the noisiest machine where one thread compiles, within 2 % in tier `opt`; times never gate. The recorded counts lie in one committed file per
//! instruction set, with what the processor has that code depends on: on another kind of processor there is nothing to
//! compare.

use crate::callgrind::{available, instructions};
use crate::cli::RunArgs;
use crate::engine::{self, Found};
use crate::exec::Launcher;
use crate::fail::{Fail, OrSkip};
use crate::folders::{checkout, scratch_dir};
use crate::select::{own_suite, select};
use crate::setting::{load_corpus, setting, tier_names, verified};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use zwasm_reports::schema::write_whole;
use zwasm_reports::stats;
use zwasm_terminal::{say, unless_closed};

/// More than this on one workload is a regression.
const WORKLOAD_LIMIT: f64 = 0.005;
/// More than this in the geometric mean over all that was recorded is a regression.
const GEOMEAN_LIMIT: f64 = 0.002;

const FORMAT: &str = "zwasm-instruction-counts";
const VERSION: u32 = 1;

/// Recorded counts of one instruction set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Counts {
    format: String,
    version: u32,
    isa: String,
    /// What it has that code depends on.
    #[serde(default)]
    processor: String,
    /// Of the modules that were counted.
    corpus_checksum: String,
    /// Instructions per iteration at the small size: tier → workload → count.
    tiers: BTreeMap<String, BTreeMap<String, f64>>,
}

impl Counts {
    fn load(path: &Path) -> Result<Counts> {
        let name = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|e| Fail::error(format!("{name}: {e}; record counts with --gate --bless")))?;
        let counts: Counts = serde_json::from_str(&text)
            .map_err(|e| Fail::error(format!("{name}: not a file of counts: {e}")))?;
        if counts.format != FORMAT || counts.version != VERSION {
            return Err(Fail::error(format!(
                "{name}: version {} of {}, this program reads version {VERSION} of {FORMAT}",
                counts.version, counts.format
            )));
        }
        if counts.isa != std::env::consts::ARCH {
            return Err(Fail::error(format!(
                "{name}: counts of {}, this machine is {}",
                counts.isa,
                std::env::consts::ARCH
            )));
        }
        Ok(counts)
    }
}

/// `compare --gate`: 0 when no tier got costlier, else 1 and a line per workload.
pub(crate) fn run(args: &RunArgs) -> Result<u8> {
    if let Some(suite) = args.suite.as_deref().and_then(own_suite) {
        return Err(Fail::usage(format!(
            "suite {suite} is not part of the gate, whose counts are those of the corpus"
        )));
    }
    if !available() {
        return Err(Fail::error(
            "--gate needs valgrind, which is not installed (package `valgrind`)",
        ));
    }
    let mut launcher = Launcher::start()?;
    let corpus = load_corpus(&args.places, None)?;
    let (workloads, _) = select(&corpus, args.suite.as_deref(), &args.workloads)?;
    let workloads = verified(&corpus, &workloads)?;
    let file = args.counts.clone().unwrap_or_else(|| {
        let name = format!("instructions-{}.json", std::env::consts::ARCH);
        checkout().join("reports").join("history").join(name)
    });
    let recorded = if args.bless {
        None
    } else {
        Some(Counts::load(&file)?)
    };
    if let Some(r) = recorded
        .as_ref()
        .filter(|r| r.corpus_checksum != corpus.checksum())
    {
        say(&format!(
            "note: the corpus has changed since the counts were recorded (checksum {:.12}…)",
            r.corpus_checksum
        ));
    }

    if let Some(recorded) = &recorded
        && recorded.processor != processor()
    {
        let note = format!(
            "compare: gate: nothing to compare: the counts were recorded on a processor with {}, this one has {}\n",
            recorded.processor,
            processor()
        );
        unless_closed(zwasm_terminal::print(&note))?;
        return Ok(0);
    }

    let mut tiers = tier_names(&args.tiers)?;
    if args.tiers.is_empty() {
        // What it executes depends on when other threads have made better code.
        tiers.retain(|tier| tier != "auto");
    }
    let mut setting = setting(&args.places, corpus.dir(), &mut launcher, &say)?;
    let mut engines = Vec::new();
    for tier in tiers {
        match engine::find_tier(&tier, &mut setting)? {
            Found::Ready(adapter) => engines.push(adapter),
            Found::Missing(info) if !args.tiers.is_empty() => {
                return Err(Fail::error(format!(
                    "tier {tier}: {}",
                    info.missing.unwrap_or_default()
                )));
            }
            Found::Missing(_) => {}
        }
    }
    let scratch = scratch_dir();
    let mut counted: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
    let mut failures = Vec::new();
    for adapter in &engines {
        let tier = adapter.info().id.clone();
        // A start-up case has no kernel: its iterations would count little but the printing of times.
        for selected in workloads.iter().filter(|s| !s.workload.startup) {
            let job = selected.job(&scratch);
            let id = &selected.workload.id;
            let Some(count) = instructions(adapter.as_ref(), &job, &mut launcher)
                .or_skip(|why| failures.push(format!("{tier}: {id}: {why}")))?
            else {
                continue;
            };
            let before = recorded.as_ref().and_then(|r| r.tiers.get(&tier)?.get(id));
            let change = change(before, count);
            let line = format!("{tier:<9} {id:<24} {count:>15.0} {change}\n");
            // The gate's answer is its exit code.
            unless_closed(zwasm_terminal::print(&line))?;
            let rows = counted.entry(tier.clone()).or_default();
            rows.insert(id.clone(), count);
        }
    }
    if let Some(recorded) = recorded {
        failures.extend(regressions(&recorded.tiers, &counted));
    } else {
        let mut counts = Counts {
            format: FORMAT.to_owned(),
            version: VERSION,
            isa: std::env::consts::ARCH.to_owned(),
            processor: processor(),
            corpus_checksum: corpus.checksum(),
            tiers: Counts::load(&file).map(|c| c.tiers).unwrap_or_default(),
        };
        for (tier, rows) in counted {
            counts.tiers.entry(tier).or_default().extend(rows);
        }
        let mut text = serde_json::to_string_pretty(&counts)?;
        text.push('\n');
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
        }
        write_whole(&file, text.as_bytes())?;
        unless_closed(zwasm_terminal::print(&format!(
            "recorded in {}\n",
            file.display()
        )))?;
    }
    for failure in &failures {
        say(&format!("compare: gate: {failure}"));
    }
    Ok(u8::from(!failures.is_empty()))
}

/// What this machine's processor has that code depends on.
fn processor() -> String {
    #[cfg(target_arch = "x86_64")]
    let has = {
        use std::arch::is_x86_feature_detected as has;
        [
            ("popcnt", has!("popcnt")),
            ("sse4.2", has!("sse4.2")),
            ("lzcnt", has!("lzcnt")),
            ("bmi1", has!("bmi1")),
            ("bmi2", has!("bmi2")),
            ("avx", has!("avx")),
            ("fma", has!("fma")),
            ("sse4a", has!("sse4a")),
            // What the C library copies by.
            ("ermsb", has!("ermsb")),
        ]
    };
    #[cfg(not(target_arch = "x86_64"))]
    let has = [("nothing that varies", true)];
    let names = has.iter().filter(|(_, has)| *has).map(|(name, _)| *name);
    names.collect::<Vec<_>>().join(" ")
}

fn change(before: Option<&f64>, now: f64) -> String {
    before.map_or_else(
        || "(not recorded)".to_owned(),
        |before| format!("{:+.2} %", (now / before - 1.0) * 100.0),
    )
}

/// What got costlier beyond the limits, and what was recorded but can no longer be counted.
fn regressions(
    recorded: &BTreeMap<String, BTreeMap<String, f64>>,
    counted: &BTreeMap<String, BTreeMap<String, f64>>,
) -> Vec<String> {
    let mut found = Vec::new();
    for (tier, rows) in counted {
        let mut logs = Vec::new();
        for (workload, &now) in rows {
            let Some(&before) = recorded.get(tier).and_then(|r| r.get(workload)) else {
                continue;
            };
            logs.push((now / before).ln());
            if now / before - 1.0 > WORKLOAD_LIMIT {
                found.push(format!(
                    "{tier}: {workload} takes {:+.2} % instructions ({before:.0} → {now:.0}), more \
                     than {:.1} %",
                    (now / before - 1.0) * 100.0,
                    WORKLOAD_LIMIT * 100.0
                ));
            }
        }
        let mean = stats::mean(&logs).exp() - 1.0;
        let of_all = recorded.get(tier).map_or(0, BTreeMap::len);
        // A few rows have no mean to speak of.
        if logs.len() == of_all && mean > GEOMEAN_LIMIT {
            found.push(format!(
                "{tier}: the geometric mean over {} workloads grew by {:+.2} %, more than {:.1} %",
                logs.len(),
                mean * 100.0,
                GEOMEAN_LIMIT * 100.0
            ));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiers(rows: &[(&str, f64)]) -> BTreeMap<String, BTreeMap<String, f64>> {
        let rows = rows.iter().map(|&(w, c)| (w.to_owned(), c)).collect();
        BTreeMap::from([("interp".to_owned(), rows)])
    }

    #[test]
    fn the_gate_names_what_grew() {
        let before = tiers(&[("a", 1000.0), ("b", 1000.0)]);
        assert!(regressions(&before, &tiers(&[("a", 1000.0), ("b", 900.0)])).is_empty());
        // A workload may grow by 0.4 % when the mean stays below 0.2 %.
        assert!(regressions(&before, &tiers(&[("a", 1003.9), ("b", 1000.0)])).is_empty());
        let one = regressions(&before, &tiers(&[("a", 1006.0), ("b", 900.0)]));
        assert_eq!(one.len(), 1);
        assert!(one[0].contains("interp: a takes +0.60 %"), "{one:?}");
        let mean = regressions(&before, &tiers(&[("a", 1003.0), ("b", 1003.0)]));
        assert_eq!(mean.len(), 1);
        assert!(mean[0].contains("geometric mean over 2"), "{mean:?}");
        // Of some rows there is no mean.
        assert!(regressions(&before, &tiers(&[("a", 1003.0)])).is_empty());
        // What was never recorded cannot have grown.
        assert!(regressions(&before, &tiers(&[("new", 5.0)])).is_empty());
    }
}
