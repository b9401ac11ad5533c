//! Calibration: whether a workload runs rightly under each engine, and how long it takes there.

use super::plan::{ITERATIONS_MAX, ITERATIONS_MIN};
use super::runner::CorpusRunner;
use crate::engine::{Adapter, parse_phases};
use crate::fail::{Measured, OrSkip};
use crate::protocol::{bench_args, check_bench, check_plain};
use anyhow::Result;
use std::time::Instant;
use zwasm_reports::schema::{Calibration, Cell, CellStatus, Results};

/// The standard size is measured where the slowest engine takes so many steps of it in the time of a
/// generation's rounds.
const STEPS_AFFORDABLE: u64 = 20;

impl CorpusRunner<'_> {
    /// Calibrates every workload that was not.
    pub(super) fn calibrate(&mut self, results: &mut Results) -> Result<()> {
        self.run
            .progress
            .plan(self.left(results).unwrap_or_default());
        for place in 0..self.workloads.len() {
            let id = self.id(place);
            let mut infos = results.workloads.iter();
            if infos.any(|w| w.id == id && w.size.is_empty()) {
                let begun = Instant::now();
                self.calibrate_workload(results, place)?;
                self.run.progress.done(begun.elapsed());
            }
        }
        (self.run.save)(results)
    }

    fn calibrate_workload(&mut self, results: &mut Results, place: usize) -> Result<()> {
        let id = self.id(place);
        let mut cells = Vec::new();
        for engine in self.run.adapters() {
            let name = &engine.info().id;
            self.run
                .progress
                .say(&format!("calibrating {id} under {name}"));
            let mut cell = Cell::of(id, name, CellStatus::Ok);
            self.calibrate_cell(place, engine, &mut cell)
                .or_skip(|status| cell.status = status)?;
            cells.push(cell);
        }
        let standard = self.affords_standard(results, place, &mut cells)?;
        for cell in &mut cells {
            if let Some(calibration) = &cell.calibration {
                let affordable = results.profile.sample_ms * 1_000_000 / calibration.iter_ns.max(1);
                cell.iterations =
                    (affordable.min(u64::from(ITERATIONS_MAX)) as u32).max(ITERATIONS_MIN);
            }
        }
        if let Some(info) = results.workloads.iter_mut().find(|w| w.id == id) {
            info.size = if standard { "standard" } else { "small" }.to_owned();
        }
        results.cells.retain(|c| c.workload != id);
        results.cells.extend(cells);
        Ok(())
    }

    fn calibrate_cell(
        &mut self,
        place: usize,
        engine: &dyn Adapter,
        cell: &mut Cell,
    ) -> Measured<()> {
        const BENCH: u32 = 2;
        let job = self.job(place);
        let small = &job.workload.small;
        if let Some(why) = engine.unsupported(job.workload) {
            return Err(CellStatus::Unsupported(why).into());
        }
        engine.prepare(&job, self.processes.executor)?;
        let plain = self.guest(place, engine, &small.args)?;
        check_plain(&plain, small)?;
        let bench = self.guest(place, engine, &bench_args(BENCH, small))?;
        let times = check_bench(&bench, BENCH, small)?;
        let compile_ns = self.compile_ns(place, engine)?;
        cell.code_bytes = engine.code_bytes(&job);
        if let Some(run) = engine.run_with_phases(&job, &small.args) {
            let outcome = self.process(place, run)?;
            cell.phases = parse_phases(&outcome.stderr);
            let reported = cell
                .phases
                .as_ref()
                .map(|p| p.code_bytes)
                .filter(|&b| b > 0);
            cell.code_bytes = cell.code_bytes.or(reported);
        }
        let iter_ns = times.into_iter().min().unwrap_or(1).max(1);
        cell.calibration = Some(Calibration {
            small_iter_ns: iter_ns,
            iter_ns,
            standard_iter_ns: 0,
            first_result_ns: plain.wall_ns,
            compile_ns: compile_ns.unwrap_or(0),
        });
        Ok(())
    }

    /// Decides on the size and fills in the iteration estimates for it and for the standard one.
    fn affords_standard(
        &mut self,
        results: &Results,
        place: usize,
        cells: &mut [Cell],
    ) -> Result<bool> {
        let size = &self.workloads[place].workload.standard;
        let sample_ns = results.profile.sample_ms * 1_000_000;
        let is_quick = results.profile.name == "quick";
        let always = results.profile.name == "full";
        let calibrated = cells.iter().enumerate().filter_map(|(i, cell)| {
            let calibration = cell.calibration?;
            Some((i, calibration.small_iter_ns))
        });
        let slowest = calibrated.clone().map(|(_, ns)| ns).max();
        let fastest = calibrated.min_by_key(|&(_, ns)| ns);
        let (Some((fastest, fastest_ns)), Some(slowest_ns)) = (fastest, slowest) else {
            return Ok(false);
        };
        if is_quick && slowest_ns > sample_ns {
            return Ok(false);
        }
        let engine = self.run.engines[fastest].as_ref();
        let one = self.guest(place, engine, &bench_args(1, size))?;
        let times = match check_bench(&one, 1, size) {
            Ok(times) => times,
            Err(status) if always => {
                cells[fastest].status = status;
                return Ok(true);
            }
            Err(_) => return Ok(false),
        };
        let scale = times[0] as f64 / fastest_ns as f64;
        let longest_ns = match results.profile.pace {
            Some(pace) => pace.limit_ns / STEPS_AFFORDABLE,
            None => sample_ns / u64::from(ITERATIONS_MIN),
        };
        let standard = always || slowest_ns as f64 * scale <= longest_ns as f64;
        for c in cells.iter_mut().filter_map(|c| c.calibration.as_mut()) {
            let standard_ns = (c.small_iter_ns as f64 * scale) as u64;
            if standard {
                c.iter_ns = standard_ns;
            }
            if !is_quick {
                c.standard_iter_ns = standard_ns.max(1);
            }
        }
        Ok(standard)
    }
}
