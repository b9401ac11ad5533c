//! The stages of a run: blocks and generations of all workloads with the A/A control, fresh ones for what
//! came out *slower*, and counts of instructions.

use super::duet::{Which, is_among};
use super::plan::Level;
use super::runner::CorpusRunner;
use super::visit::Part;
use crate::callgrind;
use crate::engine::Adapter;
use crate::fail::OrSkip;
use crate::runner::{Block, Control, Sweep, is_running};
use anyhow::Result;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use zwasm_reports::analysis::analyse;
use zwasm_reports::schema::{Cell, ControlPair, Gap, Metric, Pace, Results};
use zwasm_reports::stats::Verdict;

/// Partial results of a corpus are large and its blocks short: they are not written after each.
const SAVE_EVERY: Duration = Duration::from_secs(10);

/// Generations of the second stage: the interval of their median, from the second smallest to the second
/// largest, covers 97.9 %.
const FRESH_GENERATIONS: u32 = 10;

/// A workload on which a tier came out slower than a peer.
struct Slower<'a> {
    place: usize,
    /// Of the row that is nearest to equal.
    ratio: f64,
    /// Those of all its slower rows, which share the fresh blocks.
    engines: Vec<&'a dyn Adapter>,
}

impl<'a> CorpusRunner<'a> {
    /// A block of every workload per round.
    pub(super) fn first_stage(&mut self, results: &mut Results) -> Result<()> {
        let mut last_save = Instant::now();
        // How much longer the last round took than planned; a busy machine shows here.
        let mut pace = 1.0f64;
        for number in 0..results.profile.blocks {
            let plan = self.plan(results, results.profile.blocks - number, pace);
            let round = Instant::now();
            for place in self.run.order(number, self.workloads.len()) {
                self.first_stage_block(results, place, number, plan.levels[place])?;
                self.first_stage_generation(results, place, number, plan.pace)?;
                if last_save.elapsed() > SAVE_EVERY {
                    (self.run.save)(results)?;
                    last_save = Instant::now();
                }
            }
            self.control_blocks(results, number, &plan.levels)?;
            (self.run.save)(results)?;
            pace = (round.elapsed().as_secs_f64() / plan.cost.as_secs_f64().max(1e-9)).max(1.0);
        }
        Ok(())
    }

    fn first_stage_block(
        &mut self,
        results: &mut Results,
        place: usize,
        number: u32,
        level: Level,
    ) -> Result<()> {
        let run = self.run;
        let workload = self.id(place);
        let block = Block::first_stage(run, results, workload, place, number);
        let cost = self.block_cost(results, place, level);
        if !block.is_recorded(results) {
            let of = results.profile.blocks;
            run.progress
                .say(&format!("block {} of {of}: {workload}", number + 1));
            let sweep = |part| Sweep {
                part,
                with_reverse: match part {
                    Part::Iterations => level <= Level::PhasesOnce,
                    _ => level <= Level::Whole,
                },
            };
            let sweeps = Part::ALL.map(sweep);
            block.measure(run, results, &sweeps, |results, turn, part, sample| {
                self.visit(results, place, turn.engine, level, part, sample)
            })?;
        }
        run.progress.done(cost);
        Ok(())
    }

    fn first_stage_generation(
        &mut self,
        results: &mut Results,
        place: usize,
        number: u32,
        pace: Option<Pace>,
    ) -> Result<()> {
        let cost = self.generation_cost(results, place, pace);
        let which = Which {
            number,
            fresh: false,
        };
        let stepping = self.stepping(results, place);
        self.generation(results, place, which, pace, &stepping)?;
        self.run.progress.done(cost);
        Ok(())
    }

    fn control_blocks(
        &mut self,
        results: &mut Results,
        number: u32,
        levels: &[Level],
    ) -> Result<()> {
        let run = self.run;
        // Once chosen, the pairs stay: later rounds and resumed runs add to them.
        let pairs: Vec<Control<'a>> = if results.control.is_empty() {
            self.control_set(results, levels)
        } else {
            let known = results.control.iter();
            known.filter_map(|pair| self.control_of(pair)).collect()
        };
        for pair in pairs {
            pair.measure(run, results, number, &Part::ALL, |results, part, sample| {
                self.visit(results, pair.place, pair.engine, Level::Whole, part, sample)
            })?;
            run.progress
                .done(self.block_cost(results, pair.place, levels[pair.place]));
        }
        Ok(())
    }

    fn control_of(&self, pair: &ControlPair) -> Option<Control<'a>> {
        let place = self.place_of(&pair.workload)?;
        Some(Control {
            workload: self.id(place),
            place,
            engine: self.run.adapters().find(|e| e.info().id == pair.engine)?,
        })
    }

    fn place_of(&self, workload: &str) -> Option<usize> {
        let mut workloads = self.workloads.iter();
        workloads.position(|w| w.workload.id == workload)
    }

    /// Fresh generations, or twenty fresh blocks, for the rows that came out *slower*; within a time limit, those nearest
    /// to equal first, because for them the question is open.
    pub(super) fn second_stage(&mut self, results: &mut Results) -> Result<()> {
        let blocks = results.profile.fresh_blocks;
        if blocks == 0 {
            return Ok(());
        }
        analyse(results);
        let slower = self.slower(results);
        let costs = slower.iter().map(|s| self.fresh_cost(results, s));
        let total: Duration = costs.sum();
        let budget = results.profile.budget_s.map(Duration::from_secs);
        let left = self.left(results);
        self.run
            .progress
            .plan(left.map_or(total, |left| left.min(total)));
        let mut skipped = 0;
        for slower in slower {
            let cost = self.fresh_cost(results, &slower);
            let ends = self.started.elapsed() + cost.mul_f64(1.2);
            if budget.is_some_and(|budget| ends > budget) {
                skipped += 1;
                continue;
            }
            if self.step_together(results, &slower) {
                self.fresh_generations(results, &slower)?;
            } else {
                self.fresh_blocks(results, slower, blocks)?;
            }
            self.run.progress.done(cost);
            (self.run.save)(results)?;
        }
        results.notes.retain(|n| !n.ends_with("for lack of time"));
        if skipped > 0 {
            results.notes.push(format!(
                "{skipped} workloads that came out slower were not measured again with fresh \
                 blocks, for lack of time"
            ));
        }
        Ok(())
    }

    /// The workloads with slower rows, nearest to equal first.
    fn slower(&self, results: &Results) -> Vec<Slower<'a>> {
        let is_slower = |gap: &&Gap| gap.metric == Metric::Steady && gap.verdict == Verdict::Slower;
        let mut rows: BTreeMap<usize, Vec<&Gap>> = BTreeMap::new();
        for gap in results.gaps.iter().filter(is_slower) {
            if let Some(place) = self.place_of(&gap.workload) {
                rows.entry(place).or_default().push(gap);
            }
        }
        let of = |(place, gaps): (usize, Vec<&Gap>)| {
            let has = |id: &String| gaps.iter().any(|g| g.tier == *id || g.peer == *id);
            let ratios = gaps.iter().map(|gap| gap.ratio);
            Slower {
                place,
                ratio: ratios.fold(f64::INFINITY, f64::min),
                engines: self.run.adapters().filter(|e| has(&e.info().id)).collect(),
            }
        };
        let mut slower: Vec<Slower<'a>> = rows.into_iter().map(of).collect();
        slower.sort_by(|a, b| a.ratio.total_cmp(&b.ratio));
        slower
    }

    /// Whether all engines of slower rows take steps together.
    fn step_together(&self, results: &Results, slower: &Slower<'_>) -> bool {
        let stepping = self.stepping(results, slower.place);
        let mut engines = slower.engines.iter();
        engines.all(|&engine| is_among(engine, &stepping))
    }

    /// The expected cost of all fresh blocks or generations of a workload.
    fn fresh_cost(&self, results: &Results, slower: &Slower<'_>) -> Duration {
        if self.step_together(results, slower) {
            return self.generation_cost(results, slower.place, results.profile.pace)
                * FRESH_GENERATIONS;
        }
        let one = |engine: &&dyn Adapter| {
            let cell = results.cell(self.id(slower.place), &engine.info().id);
            let calibrated = cell.and_then(|cell| Some((cell, cell.calibration?)));
            calibrated.map_or(0, |(cell, c)| {
                2 * (c.first_result_ns + u64::from(cell.iterations) * c.iter_ns)
            })
        };
        let block_ns: u64 = slower.engines.iter().map(one).sum();
        Duration::from_nanos(block_ns * u64::from(results.profile.fresh_blocks))
    }

    /// Generations of the engines of slower rows.
    fn fresh_generations(&mut self, results: &mut Results, slower: &Slower<'a>) -> Result<()> {
        for number in 0..FRESH_GENERATIONS {
            let workload = self.id(slower.place);
            self.run.progress.say(&format!(
                "fresh generation {} of {FRESH_GENERATIONS}: {workload}",
                number + 1
            ));
            let which = Which {
                number,
                fresh: true,
            };
            let pace = results.profile.pace;
            self.generation(results, slower.place, which, pace, &slower.engines)?;
        }
        Ok(())
    }

    /// Blocks of steady iterations only, each with its reverse, unless one of the engines has failed.
    fn fresh_blocks(
        &mut self,
        results: &mut Results,
        slower: Slower<'a>,
        blocks: u32,
    ) -> Result<()> {
        let run = self.run;
        let place = slower.place;
        let workload = self.id(place);
        let mut block = Block {
            workload,
            place,
            number: 0,
            fresh: true,
            engines: slower.engines,
        };
        for number in 0..blocks {
            block.number = number;
            let runs = |&engine: &&dyn Adapter| is_running(results, workload, engine);
            if block.is_recorded(results) || !block.engines.iter().all(runs) {
                continue;
            }
            run.progress.say(&format!(
                "fresh block {} of {blocks}: {workload}",
                number + 1
            ));
            let iterations = Sweep {
                part: Part::Iterations,
                with_reverse: true,
            };
            block.measure(
                run,
                results,
                &[iterations],
                |results, turn, part, sample| {
                    self.visit(results, place, turn.engine, Level::Whole, part, sample)
                },
            )?;
        }
        Ok(())
    }

    /// Counts instructions where the profile has the time for it; they are shown beside times.
    pub(super) fn count_instructions(&mut self, results: &mut Results) -> Result<()> {
        if results.profile.name != "full" || !callgrind::available() {
            return Ok(());
        }
        results.machine.counters = "callgrind".to_owned();
        for place in 0..self.workloads.len() {
            let id = self.id(place);
            for engine in self.run.running(results, id) {
                let name = &engine.info().id;
                let is_counted = |c: &Cell| c.instructions.is_some();
                if results.cell(id, name).is_some_and(is_counted) {
                    continue;
                }
                self.run
                    .progress
                    .say(&format!("counting {id} under {name}"));
                let job = self.job(place);
                // A program that does not run under valgrind has no count; its times stand.
                let count = callgrind::instructions(engine, &job, self.processes.executor)
                    .or_skip(|_| ())?;
                if let Some(cell) = results.cell_mut(id, name) {
                    cell.instructions = count;
                }
            }
            (self.run.save)(results)?;
        }
        Ok(())
    }
}
