//! One generation of a workload: all engines alive together, a step of each in turn.

use super::runner::CorpusRunner;
use super::visit::measured_size;
use crate::engine::Adapter;
use crate::exec::{Duet, DuetOutcome, Exit, Performer, ROUNDS_MIN};
use crate::protocol::{check_exit, check_lines, step_args};
use crate::runner::{Run, is_running};
use anyhow::Result;
use std::time::Duration;
use zwasm_reports::schema::{Cell, CellStatus, Generation, Pace, Player, Results};
use zwasm_reports::stats::Rng;
use zwasm_workloads::Size;

/// An engine has a twin in the A/A control unless it is so many times slower than the fastest: the time
/// that it takes is that of all.
const TWIN_SLOWNESS_MAX: u64 = 4;
/// So many rows of control are worth having: a floor is made of their quartiles.
const CONTROL_ROWS: usize = 12;
/// The warm-up of an engine that makes no better code while it runs is so many times shorter.
const WITHOUT_WARM_UP: u64 = 10;

/// One process of a generation to be.
#[derive(Clone, Copy)]
struct Seat<'a> {
    engine: &'a dyn Adapter,
    twin: bool,
}

/// Which generation of a workload.
#[derive(Clone, Copy)]
pub(super) struct Which {
    pub(super) number: u32,
    /// Whether it belongs to the second stage.
    pub(super) fresh: bool,
}

/// What came of a generation.
enum Came {
    Whole(Vec<Player>),
    /// The process at this place failed: it takes no steps, or has a status.
    Failed(usize, Fault),
}

enum Fault {
    Alone(String),
    Status(CellStatus),
}

impl<'a> CorpusRunner<'a> {
    /// The engines that take steps beside others on a workload, as far as is known by now.
    pub(super) fn stepping(&self, results: &Results, place: usize) -> Vec<&'a dyn Adapter> {
        let workload = self.workloads[place].workload;
        if workload.startup || results.profile.pace.is_none() {
            return Vec::new();
        }
        let engines = self.run.running(results, &workload.id).into_iter();
        engines
            .filter(|&engine| takes_steps(results, &workload.id, engine))
            .collect()
    }

    /// The expected cost of a generation.
    pub(super) fn generation_cost(
        &self,
        results: &Results,
        place: usize,
        pace: Option<Pace>,
    ) -> Duration {
        let Some(pace) = pace else {
            return Duration::ZERO;
        };
        let id = self.id(place);
        let engines = self.stepping(results, place);
        if engines.len() < 2 {
            return Duration::ZERO;
        }
        let twins = self.twins(results, place, &engines);
        let seats = engines.iter().chain(&twins);
        let (mut starts_ns, mut round_ns) = (0, 0);
        for &engine in seats {
            let cell = results.cell(id, &engine.info().id);
            let Some(c) = cell.and_then(|cell| cell.calibration) else {
                continue;
            };
            let step_ns = c.iter_ns.max(pace.step_ns);
            starts_ns += c.first_result_ns + warm_up_ns(pace, engine).max(3 * step_ns);
            round_ns += 2 * step_ns;
        }
        let rounds_ns = u64::from(pace.rounds) * round_ns;
        let least_ns = u64::from(ROUNDS_MIN) * round_ns;
        Duration::from_nanos(starts_ns + rounds_ns.min(pace.limit_ns).max(least_ns))
    }

    /// Which engines have a second process for the A/A control: one of each workload, in turns, or more
    /// where there are few workloads.
    fn twins(
        &self,
        results: &Results,
        place: usize,
        engines: &[&'a dyn Adapter],
    ) -> Vec<&'a dyn Adapter> {
        let iter_ns = |engine: &dyn Adapter| {
            let cell = results.cell(self.id(place), &engine.info().id)?;
            Some(cell.calibration?.iter_ns)
        };
        let fastest = engines.iter().filter_map(|&e| iter_ns(e)).min();
        let affordable = |engine: &&dyn Adapter| {
            let ratio = iter_ns(*engine).zip(fastest);
            ratio.is_some_and(|(ns, fastest)| ns <= TWIN_SLOWNESS_MAX * fastest)
        };
        let mut twins: Vec<&dyn Adapter> = engines.iter().copied().filter(affordable).collect();
        let rows = self.workloads.iter().filter(|w| !w.workload.startup);
        let of_row = CONTROL_ROWS.div_ceil(rows.count().max(1)).min(twins.len());
        if !twins.is_empty() {
            let first = place * of_row % twins.len();
            twins.rotate_left(first);
        }
        twins.truncate(of_row);
        twins
    }

    /// Measures a generation of these engines, unless it is recorded. An engine that fails is left out,
    /// and the generation is begun anew.
    ///
    /// # Errors
    /// Interrupted or a machinery failure; then nothing of it is recorded.
    pub(super) fn generation(
        &mut self,
        results: &mut Results,
        place: usize,
        which: Which,
        pace: Option<Pace>,
        among: &[&'a dyn Adapter],
    ) -> Result<()> {
        let Some(pace) = pace else {
            return Ok(());
        };
        let Which { number, fresh } = which;
        let run = self.run;
        let workload = self.id(place);
        let is_own =
            |g: &Generation| g.workload == workload && g.number == number && g.fresh == fresh;
        if results.generations.iter().any(is_own) {
            return Ok(());
        }
        loop {
            let mut engines = self.stepping(results, place);
            engines.retain(|&engine| is_among(engine, among));
            if engines.len() < 2 {
                return Ok(());
            }
            let seat = |twin| move |&engine: &&'a dyn Adapter| Seat { engine, twin };
            let mut seats: Vec<Seat<'_>> = engines.iter().map(seat(false)).collect();
            // The control is of the first stage.
            if !fresh {
                let twins = self.twins(results, place, &engines);
                seats.extend(twins.iter().map(seat(true)));
            }
            let salt = if fresh { u32::MAX } else { 0 };
            let seed = run.draw(number ^ salt, place);
            // Who starts first has the memory that lies best, or worst.
            Rng::new(seed).shuffle(&mut seats);
            match self.perform(results, place, &seats, pace, seed)? {
                Came::Whole(players) => {
                    results.generations.push(Generation {
                        workload: workload.to_owned(),
                        number,
                        fresh,
                        players,
                    });
                    return Ok(());
                }
                Came::Failed(at, fault) => {
                    note_fault(run, results, workload, seats[at].engine, fault);
                }
            }
        }
    }

    fn perform(
        &mut self,
        results: &Results,
        place: usize,
        seats: &[Seat<'_>],
        pace: Pace,
        seed: u64,
    ) -> Result<Came> {
        let size = measured_size(results, self.workloads[place].workload);
        let job = self.job(place);
        let performer = |seat: &Seat<'_>| Performer {
            invocation: seat.engine.run(&job, &step_args(size)),
            warm_up_ns: warm_up_ns(pace, seat.engine),
        };
        let duet = Duet {
            performers: seats.iter().map(performer).collect(),
            pace,
            seed,
            timeout_ms: self.processes.time_limit.as_millis() as u64,
        };
        let mut outcome = self.processes.executor.perform(&duet)?;
        for played in &mut outcome.played {
            self.without_folder(place, &mut played.outcome);
        }
        Ok(came(outcome, seats, size))
    }
}

/// Whether an engine is one of these.
pub(super) fn is_among(engine: &dyn Adapter, engines: &[&dyn Adapter]) -> bool {
    let id = &engine.info().id;
    engines.iter().any(|other| other.info().id == *id)
}

/// Whether an engine takes steps beside others, as far as is known by now.
fn takes_steps(results: &Results, workload: &str, engine: &dyn Adapter) -> bool {
    let cell = results.cell(workload, &engine.info().id);
    is_running(results, workload, engine) && cell.is_some_and(|c| c.alone.is_none())
}

fn warm_up_ns(pace: Pace, engine: &dyn Adapter) -> u64 {
    if engine.warms_up() {
        pace.warm_up_ns
    } else {
        pace.warm_up_ns / WITHOUT_WARM_UP
    }
}

/// Checks what the processes said.
fn came(outcome: DuetOutcome, seats: &[Seat<'_>], size: &Size) -> Came {
    if let Some(at) = outcome.failed {
        return Came::Failed(at, fault_of(&outcome, at));
    }
    let mut players = Vec::new();
    for (at, (played, seat)) in outcome.played.iter().zip(seats).enumerate() {
        let lines =
            check_exit(&played.outcome).and_then(|()| check_lines(&played.outcome.stdout, size));
        let expected = (played.warm_up + 2 * outcome.rounds) as usize;
        let steps_ns = lines.and_then(|times| {
            if times.len() == expected {
                return Ok(times[played.warm_up as usize..].to_vec());
            }
            let said = format!("{} steps, expected {expected}", times.len());
            Err(CellStatus::WrongOutput(said))
        });
        match steps_ns {
            Ok(steps_ns) => players.push(Player {
                engine: seat.engine.info().id.clone(),
                twin: seat.twin,
                kernels: u32::from(played.kernels),
                steps_ns,
            }),
            Err(status) => return Came::Failed(at, Fault::Status(status)),
        }
    }
    Came::Whole(players)
}

/// Why a process did not go on. One that never took a step may not know how; one that did has failed.
fn fault_of(outcome: &DuetOutcome, at: usize) -> Fault {
    let played = &outcome.played[at].outcome;
    let status = match check_exit(played) {
        Err(status) => status,
        Ok(()) => CellStatus::WrongOutput("it ended before its input did".to_owned()),
    };
    let took_a_step = played
        .stdout
        .lines()
        .next()
        .is_some_and(|l| l.starts_with("iter "));
    if took_a_step || matches!(played.exit, Exit::Signal(_)) {
        return Fault::Status(status);
    }
    Fault::Alone(format!(
        "it took no step: {}: {}",
        status.word(),
        status.reason()
    ))
}

fn note_fault(
    run: Run<'_>,
    results: &mut Results,
    workload: &str,
    engine: &dyn Adapter,
    fault: Fault,
) {
    let id = &engine.info().id;
    let Some(cell): Option<&mut Cell> = results.cell_mut(workload, id) else {
        return;
    };
    let what = match &fault {
        Fault::Alone(why) => why.clone(),
        Fault::Status(status) => status.word().to_owned(),
    };
    match fault {
        Fault::Alone(why) => cell.alone = Some(why),
        Fault::Status(status) => cell.status = status,
    }
    run.progress.say(&format!("{workload} under {id}: {what}"));
}
