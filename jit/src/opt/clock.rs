//! What each pass takes and leaves, when somebody asks.

#[cfg(feature = "lab")]
use crate::opt::back::alloc::{Allocation, Machine};
use crate::opt::back::observer::Observer;
use crate::opt::back::select::Selected;
use crate::opt::form::ir::Function;
#[cfg(feature = "lab")]
use crate::opt::lab;
use std::time::{Duration, Instant};

/// What one pass took, over all functions so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassTime {
    /// The name of the pass.
    pub name: &'static str,
    /// How often it ran.
    pub runs: u64,
    /// How long, in all.
    pub time: Duration,
    /// Nodes of the intermediate form before it.
    pub nodes_before: u64,
    /// And behind it.
    pub nodes_after: u64,
}

/// The times of passes, in the order in which each ran first.
#[derive(Clone, Debug, Default)]
pub struct PassTimes {
    /// One per pass.
    pub passes: Vec<PassTime>,
    /// How many functions were left to the baseline compiler.
    pub left_to_baseline: u64,
    /// The pass after which functions are kept as text.
    dumped: Option<String>,
    /// Those texts.
    pub dumps: Vec<String>,
    /// Whether register allocation is kept as a problem for others.
    #[cfg(feature = "lab")]
    wants_problem: bool,
    /// That problem, of the function compiled last.
    #[cfg(feature = "lab")]
    #[doc(hidden)]
    pub problem: Option<lab::Problem>,
}

impl PassTimes {
    /// Keeps the intermediate form after every run of this pass, too.
    #[must_use]
    pub fn dumping(pass: &str) -> PassTimes {
        PassTimes {
            dumped: Some(pass.to_owned()),
            ..PassTimes::default()
        }
    }

    /// Keeps register allocation as a problem, too.
    #[cfg(feature = "lab")]
    #[doc(hidden)]
    #[must_use]
    pub fn with_problem() -> PassTimes {
        PassTimes {
            wants_problem: true,
            ..PassTimes::default()
        }
    }

    /// Adds those of another function.
    pub fn add_all(&mut self, other: &PassTimes) {
        other.passes.iter().for_each(|&pass| self.add(pass));
    }

    fn add(&mut self, pass: PassTime) {
        let known = self.passes.iter_mut().find(|known| known.name == pass.name);
        let Some(known) = known else {
            self.passes.push(pass);
            return;
        };
        known.runs += pass.runs;
        known.time += pass.time;
        known.nodes_before += pass.nodes_before;
        known.nodes_after += pass.nodes_after;
    }
}

/// A stop watch for the passes of one function; without [`PassTimes`] it does nothing.
pub(super) struct Clock<'t> {
    running: Option<Running<'t>>,
}

struct Running<'t> {
    times: &'t mut PassTimes,
    since: Instant,
    nodes: u64,
    /// Register allocation as a problem, which is to be solved yet.
    #[cfg(feature = "lab")]
    problem: Option<lab::Problem>,
}

impl<'t> Clock<'t> {
    pub(super) fn start(times: Option<&'t mut PassTimes>) -> Clock<'t> {
        let running = times.map(|times| Running {
            times,
            since: Instant::now(),
            nodes: 0,
            #[cfg(feature = "lab")]
            problem: None,
        });
        Clock { running }
    }
}

impl Observer for Clock<'_> {
    fn pass(&mut self, name: &'static str, function: &Function) {
        let Some(running) = &mut self.running else {
            return;
        };
        let nodes = function.nodes.len() as u64;
        running.times.add(PassTime {
            name,
            runs: 1,
            time: running.since.elapsed(),
            nodes_before: running.nodes,
            nodes_after: nodes,
        });
        running.nodes = nodes;
        if running.times.dumped.as_deref() == Some(name) {
            running.times.dumps.push(function.to_string());
        }
        running.since = Instant::now();
    }

    fn step(&mut self, name: &'static str, function: &Selected) {
        self.pass(name, function);
    }

    /// To state the problem takes no pass's time.
    #[cfg(feature = "lab")]
    fn before_allocation(&mut self, function: &Selected, machine: Machine<'_>) {
        if let Some(running) = &mut self.running {
            let is_wanted = running.times.wants_problem;
            running.problem = is_wanted.then(|| lab::problem(function, machine));
            running.since = Instant::now();
        }
    }

    #[cfg(feature = "lab")]
    fn after_allocation(
        &mut self,
        function: &Selected,
        machine: Machine<'_>,
        allocation: &Allocation,
    ) {
        if let Some(running) = &mut self.running
            && let Some(mut problem) = running.problem.take()
        {
            problem.ours = lab::inserted(function, machine, allocation);
            running.times.problem = Some(problem);
            running.since = Instant::now();
        }
    }
}
