//! The run of the suite: every job under every engine once, to see that it is done rightly and how
//! long it takes, then in blocks.
//!
//! The order within a block is a random permutation of the engines; where a block costs little it is
//! followed by its reverse. Jobs that take some engine long get fewer blocks, and the results name
//! them. A block is recorded whole or not at all, which is what makes a run resumable.

use super::job::Ready;
use crate::engine::{Adapter, JobCompile};
use crate::exec::{Executor, Exit, Invocation, Outcome};
use crate::runner::Progress;
use anyhow::Result;
use std::time::Duration;
use zwasm_reports::schema::{
    Calibration, Cell, CellStatus, ControlPair, EngineKind, Results, Sample,
};
use zwasm_reports::stats::Rng;

/// How many modules serve as A/A control.
const CONTROL_MODULES: usize = 3;

/// One run in progress.
pub(crate) struct JobRunner<'a> {
    pub(crate) engines: &'a [Box<dyn Adapter>],
    pub(crate) modules: &'a [Ready<'a>],
    pub(crate) executor: &'a mut dyn Executor,
    pub(crate) progress: &'a dyn Progress,
    /// Writes the partial results.
    pub(crate) save: &'a dyn Fn(&Results) -> Result<()>,
    /// A process that takes longer is killed.
    pub(crate) time_limit: Duration,
    pub(crate) seed: u64,
}

/// How one module is sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plan {
    blocks: u32,
    mirrored: bool,
}

/// The plan for a block that costs this much unmirrored.
fn plan(profile: &str, cost: Duration) -> Plan {
    let s = cost.as_secs();
    let (blocks, mirrored) = match profile {
        "quick" if s >= 20 => (1, false),
        "quick" => (3, s < 5),
        "standard" => (6, s < 20),
        _ => (10, true),
    };
    Plan { blocks, mirrored }
}

impl JobRunner<'_> {
    /// Measures everything that `results` does not have yet.
    ///
    /// # Errors
    /// Interrupted or a machinery failure; `results` is valid in any case.
    pub(crate) fn run(&mut self, results: &mut Results) -> Result<()> {
        for index in 0..self.modules.len() {
            for engine in 0..self.engines.len() {
                self.first_run(results, index, engine)?;
            }
            (self.save)(results)?;
        }
        let profile = results.profile.name.clone();
        let plans: Vec<Plan> = (0..self.modules.len())
            .map(|i| plan(&profile, self.block_cost(results, i)))
            .collect();
        self.note(results, &plans);
        let left = |from: u32| -> Duration {
            (0..self.modules.len())
                .map(|i| {
                    let blocks = plans[i].blocks.saturating_sub(from);
                    self.cost(results, i, plans[i]) * blocks
                })
                .sum()
        };
        self.progress.plan(left(0));
        let blocks = plans.iter().map(|p| p.blocks).max().unwrap_or(0);
        let controls = self.controls(results);
        for block in 0..blocks {
            let mut order: Vec<usize> = (0..self.modules.len()).collect();
            self.rng(block, usize::MAX).shuffle(&mut order);
            for index in order.into_iter().filter(|&i| block < plans[i].blocks) {
                self.block(results, index, block, plans[index])?;
                self.progress.done(self.cost(results, index, plans[index]));
                (self.save)(results)?;
            }
            for &(index, engine) in &controls {
                self.control(results, index, engine, block)?;
            }
            (self.save)(results)?;
        }
        Ok(())
    }

    fn rng(&self, block: u32, index: usize) -> Rng {
        let mut rng = Rng::new(self.seed ^ (u64::from(block) << 32) ^ index as u64);
        rng.next_u64();
        rng
    }

    /// Whether the engine does the job, and how long it takes.
    fn first_run(&mut self, results: &mut Results, index: usize, engine: usize) -> Result<()> {
        let (id, name) = self.names(index, engine);
        if results.cell(&id, &name).is_some() {
            return Ok(());
        }
        self.progress.say(&format!("trying {id} under {name}"));
        let mut cell = Cell {
            workload: id,
            engine: name,
            status: CellStatus::Ok,
            iterations: 0,
            calibration: None,
            phases: None,
            code_bytes: None,
            instructions: None,
            samples: Vec::new(),
        };
        match self.sample(index, engine)? {
            Ok(sample) => {
                cell.calibration = Some(Calibration {
                    small_iter_ns: 0,
                    iter_ns: sample.wall_ns,
                    first_result_ns: sample.first_result_ns.unwrap_or(0),
                    compile_ns: self.compile_ns(index, engine)?,
                });
            }
            Err(status) => cell.status = status,
        }
        results.cells.push(cell);
        Ok(())
    }

    fn names(&self, index: usize, engine: usize) -> (String, String) {
        let id = self.modules[index].module.id.clone();
        (id, self.engines[engine].info().id.clone())
    }

    /// The job in a fresh process, checked.
    fn sample(&mut self, index: usize, engine: usize) -> Result<Result<Sample, CellStatus>> {
        let engine = self.engines[engine].as_ref();
        self.modules[index].run(engine, self.executor, self.time_limit)
    }

    fn process(&mut self, invocation: Invocation) -> Result<Outcome> {
        self.executor.run(&invocation.timeout(self.time_limit))
    }

    /// Validation and compilation of the whole module, once; 0 where the engine has no command.
    fn compile_ns(&mut self, index: usize, engine: usize) -> Result<u64> {
        let ready = &self.modules[index];
        let out = ready.had.package.join("compiled.tmp");
        let features = &ready.module.features;
        let how = self.engines[engine].job_compile(features, &ready.had.module, &out);
        let Some(JobCompile { invocation, json }) = how else {
            return Ok(0);
        };
        let outcome = self.process(invocation)?;
        let _ = std::fs::remove_file(&out);
        if outcome.exit != Exit::Code(0) {
            return Ok(0);
        }
        if !json {
            return Ok(outcome.wall_ns);
        }
        let record: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap_or_default();
        let ns = |key: &str| record[key].as_u64().unwrap_or(0);
        Ok(ns("load_ns") + ns("compile_ns"))
    }

    fn running(&self, results: &Results, index: usize) -> Vec<usize> {
        let ok = |&engine: &usize| {
            let (id, name) = self.names(index, engine);
            let cell = results.cell(&id, &name);
            cell.is_some_and(|c| c.status == CellStatus::Ok)
        };
        (0..self.engines.len()).filter(ok).collect()
    }

    /// One unmirrored block of a module, by the first runs.
    fn block_cost(&self, results: &Results, index: usize) -> Duration {
        let id = &self.modules[index].module.id;
        let cells = results.cells.iter().filter(|c| c.workload == *id);
        let ns = cells.filter_map(|c| c.calibration).map(|c| c.iter_ns);
        Duration::from_nanos(ns.sum())
    }

    fn cost(&self, results: &Results, index: usize, plan: Plan) -> Duration {
        self.block_cost(results, index) * (1 + u32::from(plan.mirrored))
    }

    fn note(&self, results: &mut Results, plans: &[Plan]) {
        let most = plans.iter().map(|p| p.blocks).max().unwrap_or(0);
        let named = |fewer: &dyn Fn(&Plan) -> bool| -> String {
            let ids = self.modules.iter().zip(plans).filter(|(_, p)| fewer(p));
            let ids: Vec<&str> = ids.map(|(r, _)| r.module.id.as_str()).collect();
            ids.join(", ")
        };
        let fewer = named(&|p| p.blocks < most);
        let forward = named(&|p| p.blocks == most && !p.mirrored);
        for (what, ids) in [
            ("fewer blocks, because a block takes long", fewer),
            (
                "blocks without their reverse, because they take long",
                forward,
            ),
        ] {
            let note = format!("{what}: {ids}");
            if !ids.is_empty() && !results.notes.contains(&note) {
                results.notes.push(note);
            }
        }
    }

    fn block(&mut self, results: &mut Results, index: usize, block: u32, plan: Plan) -> Result<()> {
        let engines = self.running(results, index);
        let recorded = engines.iter().all(|&e| {
            let (id, name) = self.names(index, e);
            let cell = results.cell(&id, &name);
            cell.is_some_and(|c| c.samples.iter().any(|s| s.block == block))
        });
        if recorded {
            return Ok(());
        }
        let mut order = engines;
        self.rng(block, index).shuffle(&mut order);
        if plan.mirrored {
            order.extend(order.clone().iter().rev());
        }
        let mut samples = Vec::new();
        for engine in order {
            let (id, name) = self.names(index, engine);
            self.progress.say(&format!(
                "block {} of {}: {id} under {name}",
                block + 1,
                plan.blocks
            ));
            let mut sample = match self.sample(index, engine)? {
                Ok(sample) => sample,
                Err(status) => {
                    // A job done rightly once and wrongly later is a failure like any other.
                    let failed = |c: &&mut Cell| c.workload == id && c.engine == name;
                    if let Some(cell) = results.cells.iter_mut().find(failed) {
                        cell.status = status;
                    }
                    continue;
                }
            };
            sample.block = block;
            samples.push((id, name, sample));
        }
        for (id, name, sample) in samples {
            results.machine.involuntary_switches += sample.involuntary_switches;
            let of = |c: &&mut Cell| c.workload == id && c.engine == name;
            if let Some(cell) = results.cells.iter_mut().find(of) {
                cell.samples.push(sample);
            }
        }
        Ok(())
    }

    /// The module and engine of each A/A pair: the cheapest jobs under tiers, in turn.
    fn controls(&self, results: &Results) -> Vec<(usize, usize)> {
        let mut cheap: Vec<usize> = (0..self.modules.len()).collect();
        cheap.sort_by_key(|&i| self.block_cost(results, i));
        let tiers = |index: usize| -> Vec<usize> {
            let is_tier = |&e: &usize| self.engines[e].info().kind == EngineKind::Tier;
            self.running(results, index)
                .into_iter()
                .filter(is_tier)
                .collect()
        };
        let pairs = cheap.into_iter().filter_map(|index| {
            let tiers = tiers(index);
            (!tiers.is_empty()).then(|| (index, tiers[index % tiers.len()]))
        });
        pairs.take(CONTROL_MODULES).collect()
    }

    /// A block of an A/A pair: A B B A.
    fn control(
        &mut self,
        results: &mut Results,
        index: usize,
        engine: usize,
        block: u32,
    ) -> Result<()> {
        let (workload, name) = self.names(index, engine);
        let of = |p: &ControlPair| p.workload == workload && p.engine == name;
        let at = match results.control.iter().position(of) {
            Some(at) => at,
            None => {
                results.control.push(ControlPair {
                    workload: workload.clone(),
                    engine: name.clone(),
                    a: Vec::new(),
                    b: Vec::new(),
                });
                results.control.len() - 1
            }
        };
        if results.control[at].a.iter().any(|s| s.block == block) {
            return Ok(());
        }
        let mut sides = [Vec::new(), Vec::new()];
        for side in [0, 1, 1, 0] {
            let Ok(mut sample) = self.sample(index, engine)? else {
                return Ok(());
            };
            sample.block = block;
            sides[side].push(sample);
        }
        let [a, b] = sides;
        results.control[at].a.extend(a);
        results.control[at].b.extend(b);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dear_modules_get_fewer_processes() {
        let of = |profile, s| {
            let plan = plan(profile, Duration::from_secs(s));
            (plan.blocks, plan.mirrored)
        };
        assert_eq!(of("quick", 1), (3, true));
        assert_eq!(of("quick", 10), (3, false));
        assert_eq!(of("quick", 40), (1, false));
        assert_eq!(of("standard", 40), (6, false));
        assert_eq!(of("full", 40), (10, true));
    }
}
