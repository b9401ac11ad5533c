//! The run: which processes, in which order, how often.
//!
//! In: engines, workloads and a profile. Out: cells with raw samples in a [`Results`]. Everything
//! goes block by block — a random permutation of the engines and then its reverse — so that drift
//! hits all of them alike, and the blocks of one workload lie spread over the whole run.
//!
//! Every engine's number of iterations comes from a calibration run, so that a process costs about
//! `sample_ms` whatever the engine's speed. The size is the same for all engines of a workload: the
//! standard one where even the slowest engine can afford it, else the small one.
//!
//! A profile with a time limit degrades the most expensive workloads first, in steps that keep the
//! comparison fair ([`Level`]), and the results name them. A block is recorded whole or not at all,
//! which is what makes an interrupted run resumable.

use crate::callgrind;
use crate::engine::{Adapter, Compile, Job, parse_phases};
use crate::exec::{Executor, Interrupted, Invocation, Outcome};
use crate::protocol::{bench_args, check_bench, check_exit, check_plain};
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use zwasm_reports::analysis::analyse;
use zwasm_reports::schema::{Calibration, Cell, CellStatus, ControlPair, Metric, Results, Sample};
use zwasm_reports::stats::{Rng, Verdict};
use zwasm_workloads::{Size, Workload};

/// Iterations per process: enough that half of them can be warm-up, not so many that they bore.
const ITERATIONS_MIN: u32 = 3;
const ITERATIONS_MAX: u32 = 100;
/// How many workloads serve as A/A control.
const CONTROL_WORKLOADS: usize = 4;

/// A workload with its verified module.
pub(crate) struct Selected<'a> {
    pub(crate) workload: &'a Workload,
    pub(crate) module: PathBuf,
}

impl<'a> Selected<'a> {
    /// To be run with this folder for what compilation writes.
    pub(crate) fn job<'j>(&'j self, scratch: &'j Path) -> Job<'j>
    where
        'a: 'j,
    {
        Job {
            workload: self.workload,
            module: &self.module,
            scratch,
        }
    }
}

/// What the runner reports while it works.
pub(crate) trait Progress {
    /// About this much measuring time is left, from now on.
    fn plan(&self, left: Duration);
    /// This much of the plan is done.
    fn done(&self, part: Duration);
    /// What happens now.
    fn say(&self, what: &str);
}

/// How thoroughly one workload is sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    /// Every process in the permutation and in its reverse.
    Whole,
    /// Setup, first result and compile only in the permutation.
    PhasesOnce,
    /// The permutation alone.
    Unmirrored,
    /// The permutation alone, with the fewest iterations.
    Fewest,
}

impl Level {
    fn next(self) -> Option<Level> {
        match self {
            Level::Whole => Some(Level::PhasesOnce),
            Level::PhasesOnce => Some(Level::Unmirrored),
            Level::Unmirrored => Some(Level::Fewest),
            Level::Fewest => None,
        }
    }
}

/// One run in progress.
pub(crate) struct Runner<'a> {
    pub(crate) engines: &'a [Box<dyn Adapter>],
    pub(crate) workloads: &'a [Selected<'a>],
    pub(crate) executor: &'a mut dyn Executor,
    pub(crate) progress: &'a dyn Progress,
    /// Writes the partial results.
    pub(crate) save: &'a dyn Fn(&Results) -> Result<()>,
    pub(crate) scratch: &'a Path,
    /// A process that takes longer is killed.
    pub(crate) time_limit: Duration,
    /// When the run began, provisioning included.
    pub(crate) started: Instant,
    pub(crate) seed: u64,
    /// Wall time of the compile command on an empty module, per engine.
    pub(crate) compile_base_ns: HashMap<String, u64>,
}

/// A process was right, or the cell failed.
type Checked<T> = Result<T, CellStatus>;

impl<'a> Runner<'a> {
    /// Measures everything that `results` does not have yet.
    ///
    /// # Errors
    /// [`Interrupted`] or a machinery failure; `results` is valid in any case.
    pub(crate) fn run(&mut self, results: &mut Results) -> Result<()> {
        self.calibrate_all(results)?;
        (self.save)(results)?;
        let mut last_save = Instant::now();
        // How much longer the last round took than planned; a busy machine shows here.
        let mut pace = 1.0f64;
        for block in 0..results.profile.blocks {
            let (levels, planned) = self.plan(results, results.profile.blocks - block, pace);
            let round = Instant::now();
            let mut order: Vec<usize> = (0..self.workloads.len()).collect();
            self.rng(block, usize::MAX).shuffle(&mut order);
            for index in order {
                self.first_stage_block(results, index, block, levels[index])?;
                if last_save.elapsed() > Duration::from_secs(10) {
                    (self.save)(results)?;
                    last_save = Instant::now();
                }
            }
            self.control_blocks(results, block, &levels)?;
            (self.save)(results)?;
            pace = (round.elapsed().as_secs_f64() / planned.as_secs_f64().max(1e-9)).max(1.0);
        }
        self.second_stage(results)?;
        self.count_instructions(results)
    }

    fn rng(&self, block: u32, index: usize) -> Rng {
        let mut rng = Rng::new(self.seed ^ (u64::from(block) << 32) ^ index as u64);
        rng.next_u64();
        rng
    }

    // ---- calibration ----

    fn calibrate_all(&mut self, results: &mut Results) -> Result<()> {
        let pending = |results: &Results, id: &str| {
            results
                .workloads
                .iter()
                .any(|w| w.id == id && w.size.is_empty())
        };
        for index in 0..self.workloads.len() {
            let id = self.workloads[index].workload.id.clone();
            if pending(results, &id) {
                self.calibrate(results, index)?;
            }
        }
        Ok(())
    }

    fn calibrate(&mut self, results: &mut Results, index: usize) -> Result<()> {
        let workload = self.workloads[index].workload;
        let mut cells = Vec::new();
        for engine in 0..self.engines.len() {
            let name = self.engines[engine].info().id.clone();
            self.progress
                .say(&format!("calibrating {} under {name}", workload.id));
            let mut cell = Cell {
                workload: workload.id.clone(),
                engine: name,
                status: CellStatus::Pending,
                iterations: 0,
                calibration: None,
                phases: None,
                code_bytes: None,
                instructions: None,
                samples: Vec::new(),
            };
            cell.status = match self.calibrate_cell(index, engine, &mut cell)? {
                Ok(()) => CellStatus::Ok,
                Err(status) => status,
            };
            cells.push(cell);
        }
        let standard = self.affords_standard(results, index, &mut cells)?;
        for cell in &mut cells {
            if let Some(calibration) = &mut cell.calibration {
                let affordable = results.profile.sample_ms * 1_000_000 / calibration.iter_ns.max(1);
                cell.iterations =
                    (affordable.min(u64::from(ITERATIONS_MAX)) as u32).max(ITERATIONS_MIN);
            }
        }
        if let Some(info) = results.workloads.iter_mut().find(|w| w.id == workload.id) {
            info.size = if standard { "standard" } else { "small" }.to_owned();
        }
        results.cells.retain(|c| c.workload != workload.id);
        results.cells.extend(cells);
        Ok(())
    }

    fn calibrate_cell(
        &mut self,
        index: usize,
        engine: usize,
        cell: &mut Cell,
    ) -> Result<Checked<()>> {
        const BENCH: u32 = 2;
        let workload = self.workloads[index].workload;
        let adapter = &(self.engines as &'a [Box<dyn Adapter>])[engine];
        if let Some(why) = adapter.unsupported(workload) {
            return Ok(Err(CellStatus::Unsupported(why)));
        }
        if let Some(why) = adapter.prepare(&self.job(index), self.executor)? {
            return Ok(Err(CellStatus::Crash(why)));
        }
        let plain = self.guest(index, engine, &workload.small.args)?;
        if let Err(status) = check_plain(&plain, &workload.small) {
            return Ok(Err(status));
        }
        let bench = self.guest(index, engine, &bench_args(BENCH, &workload.small))?;
        let iter_ns = match check_bench(&bench, BENCH, &workload.small) {
            Ok(times) => times.into_iter().min().unwrap_or(1).max(1),
            Err(status) => return Ok(Err(status)),
        };
        let compile_ns = match self.compile(index, engine)? {
            Ok(ns) => ns.unwrap_or(0),
            Err(status) => return Ok(Err(status)),
        };
        let adapter = &(self.engines as &'a [Box<dyn Adapter>])[engine];
        cell.code_bytes = adapter.code_bytes(&self.job(index));
        if let Some(run) = adapter.run_with_phases(&self.job(index), &workload.small.args) {
            let outcome = self.process(index, run)?;
            cell.phases = parse_phases(&outcome.stderr);
            let reported = cell.phases.map(|p| p.code_bytes).filter(|&b| b > 0);
            cell.code_bytes = cell.code_bytes.or(reported);
        }
        cell.calibration = Some(Calibration {
            small_iter_ns: iter_ns,
            iter_ns,
            first_result_ns: plain.wall_ns,
            compile_ns,
        });
        Ok(Ok(()))
    }

    /// Decides on the size and fills in the iteration estimates for it.
    fn affords_standard(
        &mut self,
        results: &Results,
        index: usize,
        cells: &mut [Cell],
    ) -> Result<bool> {
        let workload = self.workloads[index].workload;
        let sample_ns = results.profile.sample_ms * 1_000_000;
        let small = |c: &Cell| c.calibration.map_or(u64::MAX, |c| c.small_iter_ns);
        let slowest = cells
            .iter()
            .filter_map(|c| c.calibration)
            .map(|c| c.small_iter_ns)
            .max();
        let Some((fastest, slowest)) = cells
            .iter()
            .map(small)
            .enumerate()
            .min_by_key(|&(_, t)| t)
            .map(|(i, _)| i)
            .zip(slowest)
        else {
            return Ok(false);
        };
        let always = results.profile.name == "full";
        if !always && slowest > sample_ns {
            return Ok(false);
        }
        let one = self.guest(index, fastest, &bench_args(1, &workload.standard))?;
        let times = match check_bench(&one, 1, &workload.standard) {
            Ok(times) => times,
            Err(status) if always => {
                cells[fastest].status = status;
                return Ok(true);
            }
            Err(_) => return Ok(false),
        };
        let scale = times[0] as f64 / small(&cells[fastest]) as f64;
        let fits = slowest as f64 * scale * f64::from(ITERATIONS_MIN) <= 1.5 * sample_ns as f64;
        let standard = always || fits;
        if standard {
            for calibration in cells.iter_mut().filter_map(|c| c.calibration.as_mut()) {
                calibration.iter_ns = (calibration.small_iter_ns as f64 * scale) as u64;
            }
        }
        Ok(standard)
    }

    // ---- planning ----

    /// The expected cost of one block of a workload.
    fn block_cost(&self, results: &Results, index: usize, level: Level) -> Duration {
        let id = &self.workloads[index].workload.id;
        let mut ns = 0;
        for cell in results
            .cells
            .iter()
            .filter(|c| c.workload == *id && c.status == CellStatus::Ok)
        {
            let Some(c) = cell.calibration else { continue };
            let iterations = iterations(cell, level);
            let steady = c.first_result_ns + u64::from(iterations) * c.iter_ns;
            let phases = 2 * c.first_result_ns + c.compile_ns;
            ns += match level {
                Level::Whole => 2 * (steady + phases),
                Level::PhasesOnce => 2 * steady + phases,
                Level::Unmirrored | Level::Fewest => steady + phases,
            };
        }
        Duration::from_nanos(ns)
    }

    /// Chooses levels with which the blocks left fit the profile's time limit, given that rounds
    /// take `pace` times what calibration promises. Also gives the plan for one round.
    fn plan(&self, results: &mut Results, blocks: u32, pace: f64) -> (Vec<Level>, Duration) {
        const NOTE: &str = "to end within ";
        let mut levels = vec![Level::Whole; self.workloads.len()];
        let round = |results: &Results, levels: &[Level]| -> Duration {
            let cost = |i: usize| self.block_cost(results, i, levels[i]);
            // The A/A control costs about as much as its workloads do.
            let control = self.control_set(results, levels);
            let all = (0..levels.len()).chain(control.into_iter().map(|(i, _)| i));
            all.map(cost).sum()
        };
        if let Some(budget) = results.profile.budget_s {
            // The margin pays for what calibration underestimates.
            let left = Duration::from_secs(budget)
                .saturating_sub(self.started.elapsed())
                .mul_f64(0.85);
            while round(results, &levels).mul_f64(pace) * blocks > left {
                let dearest = (0..levels.len())
                    .filter(|&i| levels[i].next().is_some())
                    .max_by_key(|&i| self.block_cost(results, i, levels[i]));
                let Some(dearest) = dearest else { break };
                levels[dearest] = levels[dearest].next().unwrap_or(Level::Fewest);
            }
            // The note names every workload that was thinned in any round.
            let list = results.notes.iter().position(|n| n.starts_with(NOTE));
            let before = list.map(|at| results.notes.remove(at)).unwrap_or_default();
            let before = before.rsplit(": ").next().unwrap_or_default();
            let thinned = |(level, id): &(&Level, &str)| {
                **level > Level::Whole || before.split(", ").any(|b| b == *id)
            };
            let ids = self.workloads.iter().map(|w| w.workload.id.as_str());
            let names: Vec<&str> = levels
                .iter()
                .zip(ids)
                .filter(thinned)
                .map(|(_, id)| id)
                .collect();
            if !names.is_empty() {
                let names = names.join(", ");
                results.notes.push(format!(
                    "{NOTE}{budget} s, these were sampled with fewer processes: {names}"
                ));
            }
        }
        let planned = round(results, &levels);
        self.progress.plan(planned * blocks);
        (levels, planned)
    }

    // ---- the two stages ----

    fn first_stage_block(
        &mut self,
        results: &mut Results,
        index: usize,
        block: u32,
        level: Level,
    ) -> Result<()> {
        let id = &self.workloads[index].workload.id;
        let engines = self.running(results, index);
        let has_block = |c: &Cell| c.samples.iter().any(|s| s.block == block && !s.fresh);
        let recorded = engines.iter().all(|&e| {
            let name = &self.engines[e].info().id;
            results.cell(id, name).is_some_and(has_block)
        });
        let cost = self.block_cost(results, index, level);
        if !recorded {
            self.progress.say(&format!(
                "block {} of {}: {id}",
                block + 1,
                results.profile.blocks
            ));
            self.block(results, index, &engines, block, Some(level))?;
        }
        self.progress.done(cost);
        Ok(())
    }

    /// The engines that can run a workload, as far as is known by now.
    fn running(&self, results: &Results, index: usize) -> Vec<usize> {
        let id = &self.workloads[index].workload.id;
        (0..self.engines.len())
            .filter(|&e| {
                let cell = results.cell(id, &self.engines[e].info().id);
                cell.is_some_and(|c| c.status == CellStatus::Ok)
            })
            .collect()
    }

    /// One block of one workload: a permutation and its reverse. `level` is `None` for fresh
    /// blocks, which are whole but measure steady iterations only.
    fn block(
        &mut self,
        results: &mut Results,
        index: usize,
        engines: &[usize],
        block: u32,
        level: Option<Level>,
    ) -> Result<()> {
        let fresh = level.is_none();
        let mut order = engines.to_vec();
        self.rng(block + if fresh { 10_000 } else { 0 }, index)
            .shuffle(&mut order);
        let forward = order.len();
        if level.is_none_or(|l| l <= Level::PhasesOnce) {
            order.extend(order.clone().iter().rev());
        }
        let mut samples: Vec<(usize, Sample)> = Vec::new();
        let mut failed: Vec<usize> = Vec::new();
        for (position, &engine) in order.iter().enumerate() {
            if failed.contains(&engine) {
                continue;
            }
            let phases = match level {
                None => false,
                Some(Level::PhasesOnce) => position < forward,
                Some(_) => true,
            };
            match self.visit(
                results,
                index,
                engine,
                level.unwrap_or(Level::Whole),
                phases,
            )? {
                Ok(mut sample) => {
                    sample.block = block;
                    sample.fresh = fresh;
                    samples.push((engine, sample));
                }
                Err(status) => {
                    failed.push(engine);
                    let id = &self.workloads[index].workload.id;
                    let name = &self.engines[engine].info().id;
                    self.progress
                        .say(&format!("{id} under {name}: {}", status.word()));
                    if let Some(cell) = cell_mut(results, id, name) {
                        cell.status = status;
                    }
                }
            }
        }
        for (engine, sample) in samples {
            results.machine.involuntary_switches += sample.involuntary_switches;
            let id = &self.workloads[index].workload.id;
            if let Some(cell) = cell_mut(results, id, &self.engines[engine].info().id) {
                cell.samples.push(sample);
            }
        }
        Ok(())
    }

    /// Twenty fresh blocks for the rows that came out *slower*; within a time limit, those nearest
    /// to equal first, because for them the question is open.
    fn second_stage(&mut self, results: &mut Results) -> Result<()> {
        let fresh = results.profile.fresh_blocks;
        if fresh == 0 {
            return Ok(());
        }
        analyse(results);
        // All engines of a workload's slower rows share its fresh blocks.
        let mut slower: BTreeMap<usize, (f64, BTreeSet<usize>)> = BTreeMap::new();
        for gap in &results.gaps {
            if gap.metric != Metric::Steady || gap.verdict != Verdict::Slower {
                continue;
            }
            let engine = |id: &str| self.engines.iter().position(|e| e.info().id == id);
            let workload = self
                .workloads
                .iter()
                .position(|w| w.workload.id == gap.workload);
            if let (Some(w), Some(t), Some(p)) = (workload, engine(&gap.tier), engine(&gap.peer)) {
                let row = slower.entry(w).or_insert((gap.ratio, BTreeSet::new()));
                row.0 = row.0.min(gap.ratio);
                row.1.extend([t, p]);
            }
        }
        let mut slower: Vec<(f64, usize, Vec<usize>)> = slower
            .into_iter()
            .map(|(w, (ratio, engines))| (ratio, w, engines.into_iter().collect()))
            .collect();
        slower.sort_by(|a, b| a.0.total_cmp(&b.0));
        let cost = |runner: &Self, results: &Results, w: usize, engines: &[usize]| -> Duration {
            let id = &runner.workloads[w].workload.id;
            let one = |&e: &usize| {
                let cell = results.cell(id, &runner.engines[e].info().id);
                let calibrated = cell.and_then(|c| Some((c, c.calibration?)));
                calibrated.map_or(0, |(cell, c)| {
                    2 * (c.first_result_ns + u64::from(cell.iterations) * c.iter_ns)
                })
            };
            Duration::from_nanos(engines.iter().map(one).sum::<u64>() * u64::from(fresh))
        };
        let total: Duration = slower
            .iter()
            .map(|(_, w, e)| cost(self, results, *w, e))
            .sum();
        let left = results
            .profile
            .budget_s
            .map(|budget| Duration::from_secs(budget).saturating_sub(self.started.elapsed()));
        self.progress
            .plan(left.map_or(total, |left| left.min(total)));
        let mut skipped = 0;
        for (_, index, engines) in slower {
            let cost = cost(self, results, index, &engines);
            if let Some(budget) = results.profile.budget_s
                && self.started.elapsed() + cost.mul_f64(1.2) > Duration::from_secs(budget)
            {
                skipped += 1;
                continue;
            }
            let id = self.workloads[index].workload.id.clone();
            for block in 0..fresh {
                let recorded = engines.iter().all(|&e| {
                    let cell = results.cell(&id, &self.engines[e].info().id);
                    cell.is_some_and(|c| c.samples.iter().any(|s| s.fresh && s.block == block))
                });
                let ok = self.running(results, index);
                if !recorded && engines.iter().all(|e| ok.contains(e)) {
                    self.progress
                        .say(&format!("fresh block {} of {fresh}: {id}", block + 1));
                    self.block(results, index, &engines, block, None)?;
                }
            }
            self.progress.done(cost);
            (self.save)(results)?;
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

    /// Counts instructions where the profile has the time for it; they are shown beside times.
    fn count_instructions(&mut self, results: &mut Results) -> Result<()> {
        if results.profile.name != "full" || !callgrind::available() {
            return Ok(());
        }
        results.machine.counters = "callgrind".to_owned();
        for index in 0..self.workloads.len() {
            let id = self.workloads[index].workload.id.clone();
            for engine in self.running(results, index) {
                let name = self.engines[engine].info().id.clone();
                let counted = |c: &Cell| c.instructions.is_some();
                if results.cell(&id, &name).is_some_and(counted) {
                    continue;
                }
                self.progress.say(&format!("counting {id} under {name}"));
                let adapter = self.engines[engine].as_ref();
                // A program that does not run under valgrind has no count; its times stand.
                let count = callgrind::instructions(adapter, &self.job(index), self.executor)?;
                if let Some(cell) = cell_mut(results, &id, &name) {
                    cell.instructions = count.ok();
                }
            }
            (self.save)(results)?;
        }
        Ok(())
    }

    // ---- control ----

    /// The workload and engine of each A/A pair: spread over the cheaper workloads and, in turn,
    /// over the engines.
    fn control_set(&self, results: &Results, levels: &[Level]) -> Vec<(usize, usize)> {
        // A start-up case has no steady iterations to control, unless there is nothing else.
        let any_kernel = self.workloads.iter().any(|w| !w.workload.startup);
        let mut cheap: Vec<(Duration, usize)> = (0..self.workloads.len())
            .filter(|&i| !(any_kernel && self.workloads[i].workload.startup))
            .filter(|&i| !self.running(results, i).is_empty())
            .map(|i| (self.block_cost(results, i, levels[i]), i))
            .collect();
        cheap.sort();
        cheap.truncate((cheap.len() * 3).div_ceil(4));
        let count = cheap.len().min(CONTROL_WORKLOADS);
        (0..count)
            .map(|i| {
                let (_, index) = cheap[i * cheap.len() / count];
                let engines = self.running(results, index);
                (index, engines[i % engines.len()])
            })
            .collect()
    }

    fn control_blocks(
        &mut self,
        results: &mut Results,
        block: u32,
        levels: &[Level],
    ) -> Result<()> {
        let pairs: Vec<(usize, usize)> = if results.control.is_empty() {
            self.control_set(results, levels)
        } else {
            let place = |p: &ControlPair| {
                let w = self
                    .workloads
                    .iter()
                    .position(|w| w.workload.id == p.workload)?;
                Some((
                    w,
                    self.engines.iter().position(|e| e.info().id == p.engine)?,
                ))
            };
            results.control.iter().filter_map(place).collect()
        };
        for (index, engine) in pairs {
            let workload = self.workloads[index].workload.id.clone();
            let name = self.engines[engine].info().id.clone();
            let same = |p: &ControlPair| p.workload == workload && p.engine == name;
            let at = results.control.iter().position(same).unwrap_or_else(|| {
                results.control.push(ControlPair {
                    workload: workload.clone(),
                    engine: name.clone(),
                    a: Vec::new(),
                    b: Vec::new(),
                });
                results.control.len() - 1
            });
            if results.control[at].a.iter().any(|s| s.block == block) {
                continue;
            }
            self.progress
                .say(&format!("A/A control {}: {workload}", block + 1));
            let a_first = self.rng(block, index).below(2) == 0;
            let order = [a_first, !a_first, !a_first, a_first];
            let mut visits = Vec::new();
            for is_a in order {
                if let Ok(mut sample) = self.visit(results, index, engine, Level::Whole, true)? {
                    sample.block = block;
                    visits.push((is_a, sample));
                }
            }
            if visits.len() == order.len() {
                for (is_a, sample) in visits {
                    let pair = &mut results.control[at];
                    if is_a { &mut pair.a } else { &mut pair.b }.push(sample);
                }
            }
            self.progress
                .done(self.block_cost(results, index, levels[index]));
        }
        Ok(())
    }

    // ---- single processes ----

    fn job(&self, index: usize) -> Job<'a> {
        self.workloads[index].job(self.scratch)
    }

    fn guest(&mut self, index: usize, engine: usize, args: &[String]) -> Result<Outcome> {
        let invocation = self.engines[engine].run(&self.job(index), args);
        self.process(index, invocation)
    }

    /// Runs a process of a cell. Engines quote the module's path in messages, which become part of
    /// results that are published: its folder is cut off.
    fn process(&mut self, index: usize, invocation: Invocation) -> Result<Outcome> {
        let mut outcome = self.executor.run(&invocation.timeout(self.time_limit))?;
        if let Some(folder) = self.workloads[index].module.parent() {
            let folder = format!("{}/", folder.display());
            if folder.len() > 1 {
                outcome.stderr = outcome.stderr.replace(&folder, "");
            }
        }
        Ok(outcome)
    }

    /// Compile time of the whole module; `None` where the engine has no way to tell.
    fn compile(&mut self, index: usize, engine: usize) -> Result<Checked<Option<u64>>> {
        let adapter = &(self.engines as &'a [Box<dyn Adapter>])[engine];
        let job = self.job(index);
        match adapter.compile(&job) {
            None => Ok(Ok(None)),
            Some(Compile::OwnPhases(run)) => {
                let outcome = self.process(index, *run)?;
                Ok(check_exit(&outcome)
                    .map(|()| Some(parse_phases(&outcome.stderr)).flatten())
                    .map(|phases| phases.map(|p| p.load_ns + p.compile_ns)))
            }
            Some(Compile::Command { whole, empty }) => {
                let name = adapter.info().id.clone();
                let base = match self.compile_base_ns.get(&name) {
                    Some(&base) => base,
                    None => {
                        let mut walls = Vec::new();
                        for _ in 0..3 {
                            let limited = empty.as_ref().clone().timeout(self.time_limit);
                            walls.push(self.executor.run(&limited)?.wall_ns);
                        }
                        walls.sort_unstable();
                        self.compile_base_ns.insert(name, walls[1]);
                        walls[1]
                    }
                };
                let outcome = self.process(index, *whole)?;
                Ok(
                    check_exit(&outcome)
                        .map(|()| Some(outcome.wall_ns.saturating_sub(base).max(1))),
                )
            }
        }
    }

    /// One visit: the steady process and, with `phases`, those of the other metrics.
    fn visit(
        &mut self,
        results: &Results,
        index: usize,
        engine: usize,
        level: Level,
        phases: bool,
    ) -> Result<Checked<Sample>> {
        let workload = self.workloads[index].workload;
        let size = measured_size(results, workload);
        let iterations = results
            .cell(&workload.id, &self.engines[engine].info().id)
            .map_or(ITERATIONS_MIN, |c| iterations(c, level));
        let steady = self.guest(index, engine, &bench_args(iterations, size))?;
        let iter_ns = match check_bench(&steady, iterations, size) {
            Ok(times) => times,
            Err(status) => return Ok(Err(status)),
        };
        let mut sample = Sample {
            iter_ns,
            wall_ns: steady.wall_ns,
            user_ns: steady.user_ns,
            system_ns: steady.system_ns,
            peak_rss_bytes: steady.peak_rss_bytes,
            involuntary_switches: steady.involuntary_switches,
            ..Sample::default()
        };
        if phases {
            let setup = self.guest(index, engine, &bench_args(0, size))?;
            if let Err(status) = check_bench(&setup, 0, size) {
                return Ok(Err(status));
            }
            sample.setup_ns = Some(setup.wall_ns);
            let first = self.guest(index, engine, &workload.small.args)?;
            if let Err(status) = check_plain(&first, &workload.small) {
                return Ok(Err(status));
            }
            sample.first_result_ns = Some(first.first_byte_ns.unwrap_or(first.wall_ns));
            sample.compile_ns = match self.compile(index, engine)? {
                Ok(ns) => ns,
                Err(status) => return Ok(Err(status)),
            };
        }
        Ok(Ok(sample))
    }
}

fn iterations(cell: &Cell, level: Level) -> u32 {
    if level == Level::Fewest {
        ITERATIONS_MIN
    } else {
        cell.iterations.max(ITERATIONS_MIN)
    }
}

fn measured_size<'w>(results: &Results, workload: &'w Workload) -> &'w Size {
    let info = results.workloads.iter().find(|w| w.id == workload.id);
    if info.is_some_and(|w| w.size == "standard") {
        &workload.standard
    } else {
        &workload.small
    }
}

fn cell_mut<'r>(results: &'r mut Results, workload: &str, engine: &str) -> Option<&'r mut Cell> {
    results
        .cells
        .iter_mut()
        .find(|c| c.workload == workload && c.engine == engine)
}

/// Whether an error only says that the user stopped the run.
pub(crate) fn is_interrupt(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Interrupted>().is_some()
}

#[cfg(test)]
#[path = "runner_tests.rs"]
mod tests;
