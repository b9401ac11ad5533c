//! One visit of an engine: the processes of one sample.

use super::plan::{ITERATIONS_MIN, Level};
use super::runner::CorpusRunner;
use crate::engine::{Adapter, Compile, parse_phases};
use crate::exec::{Invocation, Outcome};
use crate::fail::Measured;
use crate::protocol::{bench_args, check_bench, check_exit, check_plain};
use crate::runner::sample_of;
use anyhow::Result;
use zwasm_reports::schema::{Results, Sample};
use zwasm_workloads::{Size, Workload};

impl CorpusRunner<'_> {
    /// The steady process and, with `phases`, those of the other metrics.
    pub(super) fn visit(
        &mut self,
        results: &Results,
        place: usize,
        engine: &dyn Adapter,
        level: Level,
        phases: bool,
    ) -> Measured<Sample> {
        let workload = self.workloads[place].workload;
        let size = measured_size(results, workload);
        let iterations = results
            .cell(&workload.id, &engine.info().id)
            .map_or(ITERATIONS_MIN, |cell| level.iterations(cell));
        let steady = self.guest(place, engine, &bench_args(iterations, size))?;
        let mut sample = sample_of(&steady);
        sample.iter_ns = check_bench(&steady, iterations, size)?;
        if phases {
            let setup = self.guest(place, engine, &bench_args(0, size))?;
            check_bench(&setup, 0, size)?;
            sample.setup_ns = Some(setup.wall_ns);
            let first = self.guest(place, engine, &workload.small.args)?;
            check_plain(&first, &workload.small)?;
            sample.first_result_ns = Some(first.first_byte_ns.unwrap_or(first.wall_ns));
            sample.compile_ns = self.compile_ns(place, engine)?;
        }
        Ok(sample)
    }

    /// Runs the workload with guest arguments.
    pub(super) fn guest(
        &mut self,
        place: usize,
        engine: &dyn Adapter,
        args: &[String],
    ) -> Result<Outcome> {
        let invocation = engine.run(&self.job(place), args);
        self.process(place, invocation)
    }

    /// Runs a process of a cell. Engines quote the module's path in messages, which become part of
    /// results that are published: its folder is cut off.
    pub(super) fn process(&mut self, place: usize, invocation: Invocation) -> Result<Outcome> {
        let mut outcome = self.processes.run(invocation)?;
        if let Some(folder) = self.workloads[place].module.parent() {
            let folder = format!("{}/", folder.display());
            if folder.len() > 1 {
                outcome.stderr = outcome.stderr.replace(&folder, "");
            }
        }
        Ok(outcome)
    }

    /// Compile time of the whole module; `None` where the engine has no way to tell.
    pub(super) fn compile_ns(
        &mut self,
        place: usize,
        engine: &dyn Adapter,
    ) -> Measured<Option<u64>> {
        match engine.compile(&self.job(place)) {
            None => Ok(None),
            Some(Compile::OwnPhases(run)) => {
                let outcome = self.process(place, *run)?;
                check_exit(&outcome)?;
                let phases = parse_phases(&outcome.stderr);
                Ok(phases.map(|p| p.load_ns + p.compile_ns))
            }
            Some(Compile::Command { whole, empty }) => {
                let base_ns = self.compile_base_ns(engine, &empty)?;
                let outcome = self.process(place, *whole)?;
                check_exit(&outcome)?;
                Ok(Some(outcome.wall_ns.saturating_sub(base_ns).max(1)))
            }
        }
    }

    /// What the compile command takes for nothing: the median of three, measured once.
    fn compile_base_ns(&mut self, engine: &dyn Adapter, empty: &Invocation) -> Result<u64> {
        let name = &engine.info().id;
        if let Some(&base_ns) = self.compile_base_ns.get(name) {
            return Ok(base_ns);
        }
        let mut walls_ns = [0; 3];
        for wall_ns in &mut walls_ns {
            *wall_ns = self.processes.run(empty.clone())?.wall_ns;
        }
        walls_ns.sort_unstable();
        self.compile_base_ns.insert(name.clone(), walls_ns[1]);
        Ok(walls_ns[1])
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
