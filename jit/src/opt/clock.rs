//! How long each pass takes, when somebody asks.

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
}

impl PassTimes {
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
}

impl<'t> Clock<'t> {
    pub(super) fn start(times: Option<&'t mut PassTimes>) -> Clock<'t> {
        let running = times.map(|times| Running {
            times,
            since: Instant::now(),
            nodes: 0,
        });
        Clock { running }
    }

    /// A pass ends here, and leaves this many nodes.
    pub(super) fn lap(&mut self, name: &'static str, nodes: usize) {
        let Some(running) = &mut self.running else {
            return;
        };
        let nodes = nodes as u64;
        running.times.add(PassTime {
            name,
            runs: 1,
            time: running.since.elapsed(),
            nodes_before: running.nodes,
            nodes_after: nodes,
        });
        running.nodes = nodes;
        running.since = Instant::now();
    }
}
