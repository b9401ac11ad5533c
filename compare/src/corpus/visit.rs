//! One visit of an engine: the process of one part of a sample.

use super::plan::{ITERATIONS_MIN, Level};
use super::runner::CorpusRunner;
use crate::engine::{Adapter, Compile, parse_phases};
use crate::exec::{Invocation, Outcome};
use crate::fail::Measured;
use crate::protocol::{bench_args, check_bench, check_exit, check_plain};
use crate::runner::note_process;
use anyhow::Result;
use zwasm_reports::schema::{Cell, CellStatus, Results, Sample};
use zwasm_workloads::{Size, Workload};

/// What a process of a sample is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Iterations from the first on, and memory.
    Iterations,
    Setup,
    FirstResult,
    Compile,
    /// A plain run at the standard size, where that is affordable.
    Total,
}

impl Part {
    pub(super) const ALL: [Part; 5] = [
        Part::Iterations,
        Part::Setup,
        Part::FirstResult,
        Part::Compile,
        Part::Total,
    ];
}

impl CorpusRunner<'_> {
    /// Runs the process of one part of a sample.
    pub(super) fn visit(
        &mut self,
        results: &Results,
        place: usize,
        engine: &dyn Adapter,
        level: Level,
        part: Part,
        sample: &mut Sample,
    ) -> Measured<()> {
        let workload = self.workloads[place].workload;
        let size = measured_size(results, workload);
        match part {
            Part::Iterations => {
                let iterations = results
                    .cell(&workload.id, &engine.info().id)
                    .map_or(ITERATIONS_MIN, |cell| level.iterations(cell));
                let steady = self.guest(place, engine, &bench_args(iterations, size))?;
                sample.iter_ns = check_bench(&steady, iterations, size)?;
                note_process(sample, &steady);
            }
            Part::Setup => {
                let setup = self.repeated(place, engine, &bench_args(0, size), |outcome| {
                    check_bench(outcome, 0, size)?;
                    Ok(outcome.wall_ns)
                });
                sample.setup_ns = Some(setup?);
            }
            Part::FirstResult => {
                let first = self.repeated(place, engine, &workload.small.args, |outcome| {
                    check_plain(outcome, &workload.small)?;
                    Ok(outcome.first_byte_ns.unwrap_or(outcome.wall_ns))
                });
                sample.first_result_ns = Some(first?);
            }
            Part::Compile => sample.compile_ns = self.compile_ns(place, engine)?,
            Part::Total => {
                let cell = results.cell(&workload.id, &engine.info().id);
                if cell.is_some_and(|cell| total_ns(cell).is_some()) {
                    let total = self.guest(place, engine, &workload.standard.args)?;
                    check_plain(&total, &workload.standard)?;
                    sample.total_ns = Some(total.wall_ns);
                }
            }
        }
        Ok(())
    }

    /// The median of what is taken from processes, several where they are short: what the scheduler does
    /// weighs more in them.
    fn repeated(
        &mut self,
        place: usize,
        engine: &dyn Adapter,
        args: &[String],
        take: impl Fn(&Outcome) -> Result<u64, CellStatus>,
    ) -> Measured<u64> {
        let mut taken = Vec::new();
        let mut spent_ns = 0;
        while taken.is_empty() || (taken.len() < PROCESSES_MAX && spent_ns < SPENT_NS) {
            let outcome = self.guest(place, engine, args)?;
            taken.push(take(&outcome)?);
            spent_ns += outcome.wall_ns;
        }
        taken.sort_unstable();
        Ok(taken[(taken.len() - 1) / 2])
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
        self.without_folder(place, &mut outcome);
        Ok(outcome)
    }

    /// Cuts the folder of a workload's module out of what an engine says.
    pub(super) fn without_folder(&self, place: usize, outcome: &mut Outcome) {
        if let Some(folder) = self.workloads[place].module.parent() {
            let folder = format!("{}/", folder.display());
            if folder.len() > 1 {
                outcome.stderr = outcome.stderr.replace(&folder, "");
            }
        }
    }

    /// Compile time of the whole module; `None` where the engine has no way to tell, or it is lost in that of
    /// the command.
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
                // Right after each other: the clock of another moment may be another one.
                let empty = self.process(place, *empty)?;
                check_exit(&empty)?;
                let whole = self.process(place, *whole)?;
                check_exit(&whole)?;
                let spent_ns = whole.wall_ns.saturating_sub(empty.wall_ns);
                Ok((spent_ns > 0).then_some(spent_ns))
            }
        }
    }
}

/// Short processes run so often, or until they have taken so long.
const PROCESSES_MAX: usize = 5;
const SPENT_NS: u64 = 30_000_000;

/// About what all processes of one kind take where one takes this long.
pub(super) fn repeated_ns(one_ns: u64) -> u64 {
    let all_ns = PROCESSES_MAX as u64 * one_ns;
    all_ns.min(SPENT_NS + one_ns)
}

/// About what a plain run at the standard size takes, where it is measured: an engine that needs much longer than
/// that takes the time of all others.
pub(super) fn total_ns(cell: &Cell) -> Option<u64> {
    const AFFORDABLE_NS: u64 = 1_000_000_000;
    let c = cell.calibration?;
    let is_measured = (1..=AFFORDABLE_NS).contains(&c.standard_iter_ns);
    is_measured.then_some(c.first_result_ns + c.standard_iter_ns)
}

/// The size at which a workload is measured.
pub(super) fn measured_size<'w>(results: &Results, workload: &'w Workload) -> &'w Size {
    let info = results.workloads.iter().find(|w| w.id == workload.id);
    if info.is_some_and(|w| w.size == "standard") {
        &workload.standard
    } else {
        &workload.small
    }
}
