//! One block of one workload: the engines in a random order, then in its reverse.

use super::Run;
use crate::engine::Adapter;
use crate::fail::{Measured, OrSkip};
use anyhow::Result;
use zwasm_reports::schema::{Results, Sample};

/// Fresh blocks draw other permutations than those of the first stage with the same number.
const FRESH_FROM: u32 = 10_000;

/// One block of one workload.
pub(crate) struct Block<'a> {
    pub(crate) workload: &'a str,
    /// Of the workload in the run.
    pub(crate) place: usize,
    pub(crate) number: u32,
    /// Whether it belongs to the second stage.
    pub(crate) fresh: bool,
    pub(crate) engines: Vec<&'a dyn Adapter>,
}

/// One way through the engines, with its reverse or without, for one part of a sample.
#[derive(Clone, Copy)]
pub(crate) struct Sweep<Part> {
    pub(crate) part: Part,
    pub(crate) with_reverse: bool,
}

/// One visit of an engine.
#[derive(Clone, Copy)]
pub(crate) struct Turn<'a> {
    pub(crate) engine: &'a dyn Adapter,
    /// Whether it belongs to the reverse.
    pub(crate) mirrored: bool,
}

impl<'a> Block<'a> {
    /// One of the first stage, by the engines that run the workload.
    pub(crate) fn first_stage(
        run: Run<'a>,
        results: &Results,
        workload: &'a str,
        place: usize,
        number: u32,
    ) -> Self {
        Block {
            workload,
            place,
            number,
            fresh: false,
            engines: run.running(results, workload),
        }
    }

    /// Whether every engine has samples of it.
    pub(crate) fn is_recorded(&self, results: &Results) -> bool {
        let is_own = |s: &Sample| s.block == self.number && s.fresh == self.fresh;
        self.engines.iter().all(|engine| {
            let cell = results.cell(self.workload, &engine.info().id);
            cell.is_some_and(|c| c.samples.iter().any(is_own))
        })
    }

    /// Measures it, sweep by sweep, so that processes of one kind follow each other closely. An engine that
    /// fails has no further turn, and its cell says why: what was done rightly once and wrongly later is
    /// a failure like any other.
    ///
    /// # Errors
    /// Interrupted or a machinery failure; then nothing of the block is recorded.
    pub(crate) fn measure<Part: Copy>(
        &self,
        run: Run<'a>,
        results: &mut Results,
        sweeps: &[Sweep<Part>],
        mut visit: impl FnMut(&Results, Turn<'a>, Part, &mut Sample) -> Measured<()>,
    ) -> Result<()> {
        let with_reverse = sweeps.iter().any(|sweep| sweep.with_reverse);
        let turns = self.turns(run, with_reverse).into_iter();
        let mut samples: Vec<(Turn<'a>, Sample)> = turns.map(|t| (t, Sample::default())).collect();
        let mut failed: Vec<&str> = Vec::new();
        for sweep in sweeps {
            for (turn, sample) in &mut samples {
                let engine = turn.engine.info().id.as_str();
                if failed.contains(&engine) || (turn.mirrored && !sweep.with_reverse) {
                    continue;
                }
                visit(results, *turn, sweep.part, sample).or_skip(|status| {
                    failed.push(engine);
                    let what = format!("{} under {engine}: {}", self.workload, status.word());
                    run.progress.say(&what);
                    if let Some(cell) = results.cell_mut(self.workload, engine) {
                        cell.status = status;
                    }
                })?;
            }
        }
        for (turn, sample) in samples {
            let engine = turn.engine.info().id.as_str();
            if failed.contains(&engine) {
                continue;
            }
            results.machine.involuntary_switches += sample.involuntary_switches;
            if let Some(cell) = results.cell_mut(self.workload, engine) {
                cell.samples.push(Sample {
                    block: self.number,
                    fresh: self.fresh,
                    ..sample
                });
            }
        }
        Ok(())
    }

    fn turns(&self, run: Run<'_>, with_reverse: bool) -> Vec<Turn<'a>> {
        let drawn = self.number + if self.fresh { FRESH_FROM } else { 0 };
        let mut order = self.engines.clone();
        run.rng(drawn, self.place).shuffle(&mut order);
        let turn = |mirrored| move |&engine| Turn { engine, mirrored };
        let mut turns: Vec<Turn<'a>> = order.iter().map(turn(false)).collect();
        if with_reverse {
            turns.extend(order.iter().rev().map(turn(true)));
        }
        turns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fail::Fail;
    use crate::runner::testing::{engines, run, tried};
    use zwasm_reports::schema::CellStatus;

    const ENGINES: [&str; 3] = ["tier", "peer", "twin"];
    const WHOLE: Sweep<()> = Sweep {
        part: (),
        with_reverse: true,
    };

    fn block<'a>(run: Run<'a>, results: &Results, number: u32) -> Block<'a> {
        Block {
            workload: "a",
            place: 0,
            number,
            fresh: false,
            engines: run.running(results, "a"),
        }
    }

    #[test]
    fn the_reverse_is_that_of_a_permutation() {
        let mut results = tried("a", &ENGINES);
        let engines = engines(&results);
        let run = run(&engines);
        let mut orders = std::collections::BTreeSet::new();
        for number in 0..20 {
            let block = block(run, &results, number);
            let mut visited = Vec::new();
            let visit = |_: &Results, turn: Turn<'_>, (), _: &mut Sample| {
                visited.push((turn.engine.info().id.clone(), turn.mirrored));
                Ok(())
            };
            block.measure(run, &mut results, &[WHOLE], visit).unwrap();
            assert!(block.is_recorded(&results));
            let (forward, mirrored) = visited.split_at(3);
            assert!(forward.iter().all(|v| !v.1) && mirrored.iter().all(|v| v.1));
            let names = |visits: &[(String, bool)]| -> Vec<String> {
                visits.iter().map(|v| v.0.clone()).collect()
            };
            let mut reverse = names(mirrored);
            reverse.reverse();
            assert_eq!(names(forward), reverse);
            orders.insert(reverse);
        }
        assert!(orders.len() > 3, "{orders:?}");
    }

    #[test]
    fn processes_of_a_kind_follow_each_other() {
        let mut results = tried("a", &ENGINES);
        let engines = engines(&results);
        let run = run(&engines);
        let sweep = |part, with_reverse| Sweep { part, with_reverse };
        let sweeps = [sweep("start", true), sweep("compile", false)];
        let mut visited = Vec::new();
        let visit = |_: &Results, turn: Turn<'_>, part: &'static str, sample: &mut Sample| {
            visited.push((part, turn.mirrored));
            match part {
                "start" => sample.setup_ns = Some(1),
                _ => sample.compile_ns = Some(2),
            }
            Ok(())
        };
        let block = block(run, &results, 0);
        block.measure(run, &mut results, &sweeps, visit).unwrap();
        let of = |part, mirrored| vec![(part, mirrored); 3];
        let expected = [of("start", false), of("start", true), of("compile", false)];
        assert_eq!(visited, expected.concat());
        for cell in &results.cells {
            let [forward, back] = &cell.samples[..] else {
                panic!("{:?}", cell.samples);
            };
            assert_eq!((forward.setup_ns, forward.compile_ns), (Some(1), Some(2)));
            assert_eq!((back.setup_ns, back.compile_ns), (Some(1), None));
        }
    }

    #[test]
    fn an_engine_that_fails_has_no_further_turn() {
        let mut results = tried("a", &ENGINES);
        let engines = engines(&results);
        let run = run(&engines);
        let mut visits = 0;
        let visit = |_: &Results, turn: Turn<'_>, (), _: &mut Sample| {
            visits += 1;
            match turn.engine.info().id.as_str() {
                "peer" => Err(CellStatus::Crash("signal 11".to_owned()).into()),
                _ => Ok(()),
            }
        };
        let block = block(run, &results, 0);
        block.measure(run, &mut results, &[WHOLE], visit).unwrap();
        assert_eq!(visits, 5);
        assert_eq!(results.cell("a", "peer").unwrap().status.word(), "crash");
        let of = |engine: &str| results.cell("a", engine).unwrap().samples.len();
        assert_eq!(ENGINES.map(of), [2, 0, 2]);
        assert_eq!(run.running(&results, "a").len(), 2);
    }

    #[test]
    fn a_block_that_is_aborted_is_not_recorded() {
        let mut results = tried("a", &ENGINES);
        let before = results.clone();
        let engines = engines(&results);
        let run = run(&engines);
        let visit = |_: &Results, turn: Turn<'_>, (), _: &mut Sample| {
            if turn.mirrored {
                return Err(Fail::error("stopped").into());
            }
            Ok(())
        };
        let block = block(run, &results, 0);
        let measured = block.measure(run, &mut results, &[WHOLE], visit);
        assert!(measured.is_err());
        assert!(results == before && !block.is_recorded(&results));
    }
}
