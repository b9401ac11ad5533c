//! The run of the suite: every job under every engine once, to see that it is done rightly and how
//! long it takes, then in blocks by the plan.

use super::job::Ready;
use super::plan::Plan;
use crate::engine::{Adapter, JobCompile};
use crate::exec::Exit;
use crate::fail::{Measured, OrSkip};
use crate::runner::{Block, Control, Processes, Run, Sweep};
use anyhow::Result;
use zwasm_reports::schema::{Calibration, Cell, CellStatus, EngineKind, Results};

/// How many modules serve as A/A control.
const CONTROL_MODULES: usize = 3;

/// One run in progress.
pub(super) struct JobRunner<'a> {
    pub(super) run: Run<'a>,
    pub(super) processes: Processes<'a>,
    pub(super) modules: &'a [Ready<'a>],
}

impl<'a> JobRunner<'a> {
    /// Measures everything that `results` does not have yet.
    ///
    /// # Errors
    /// Interrupted or a machinery failure; `results` is valid in any case.
    pub(super) fn measure(&mut self, results: &mut Results) -> Result<()> {
        let run = self.run;
        for place in 0..self.modules.len() {
            for engine in run.adapters() {
                self.first_run(results, place, engine)?;
            }
            (run.save)(results)?;
        }
        let plans = self.plans(results);
        let controls = self.controls(results);
        for number in 0..plans.iter().map(|p| p.blocks).max().unwrap_or(0) {
            for place in run.order(number, self.modules.len()) {
                let plan = plans[place];
                if number < plan.blocks {
                    self.block(results, place, number, plan)?;
                    run.progress.done(self.block_cost(results, place, plan));
                    (run.save)(results)?;
                }
            }
            for pair in &controls {
                let module = &self.modules[pair.place];
                pair.measure(run, results, number, &[()], |_, (), sample| {
                    *sample = module.run(pair.engine, &mut self.processes)?;
                    Ok(())
                })?;
            }
            (run.save)(results)?;
        }
        Ok(())
    }

    /// The module at this place.
    pub(super) fn id(&self, place: usize) -> &'a str {
        &self.modules[place].module.id
    }

    /// Whether the engine does the job, and how long it takes.
    fn first_run(
        &mut self,
        results: &mut Results,
        place: usize,
        engine: &dyn Adapter,
    ) -> Result<()> {
        let (id, name) = (self.id(place), &engine.info().id);
        if results.cell(id, name).is_some() {
            return Ok(());
        }
        self.run.progress.say(&format!("trying {id} under {name}"));
        let mut cell = Cell::of(id, name, CellStatus::Ok);
        cell.calibration = self
            .calibration(place, engine)
            .or_skip(|status| cell.status = status)?;
        results.cells.push(cell);
        Ok(())
    }

    fn calibration(&mut self, place: usize, engine: &dyn Adapter) -> Measured<Calibration> {
        let sample = self.modules[place].run(engine, &mut self.processes)?;
        Ok(Calibration {
            small_iter_ns: 0,
            standard_iter_ns: 0,
            iter_ns: sample.wall_ns,
            first_result_ns: sample.first_result_ns.unwrap_or(0),
            compile_ns: self.compile_ns(place, engine)?,
        })
    }

    /// Validation and compilation of the whole module, once; 0 where the engine has no command.
    fn compile_ns(&mut self, place: usize, engine: &dyn Adapter) -> Result<u64> {
        let ready = &self.modules[place];
        let out = ready.had.package.join("compiled.tmp");
        let how = engine.job_compile(&ready.module.features, &ready.had.module, &out);
        let Some(JobCompile { invocation, json }) = how else {
            return Ok(0);
        };
        let outcome = self.processes.run(invocation)?;
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

    fn block(
        &mut self,
        results: &mut Results,
        place: usize,
        number: u32,
        plan: Plan,
    ) -> Result<()> {
        let run = self.run;
        let workload = self.id(place);
        let block = Block::first_stage(run, results, workload, place, number);
        if block.is_recorded(results) {
            return Ok(());
        }
        let module = &self.modules[place];
        let sweep = Sweep {
            part: (),
            with_reverse: plan.mirrored,
        };
        block.measure(run, results, &[sweep], |_, turn, (), sample| {
            let name = &turn.engine.info().id;
            run.progress.say(&format!(
                "block {} of {}: {workload} under {name}",
                number + 1,
                plan.blocks
            ));
            *sample = module.run(turn.engine, &mut self.processes)?;
            Ok(())
        })
    }

    /// The A/A pairs: the cheapest jobs under tiers, in turn.
    fn controls(&self, results: &Results) -> Vec<Control<'a>> {
        let mut cheap: Vec<usize> = (0..self.modules.len()).collect();
        cheap.sort_by_key(|&place| self.forward_cost(results, place));
        let pair = |place: usize| {
            let workload = self.id(place);
            let mut tiers = self.run.running(results, workload);
            tiers.retain(|engine| engine.info().kind == EngineKind::Tier);
            let engine = *tiers.get(place % tiers.len().max(1))?;
            Some(Control {
                workload,
                place,
                engine,
            })
        };
        cheap
            .into_iter()
            .filter_map(pair)
            .take(CONTROL_MODULES)
            .collect()
    }
}
