//! How many blocks each module gets, by what one costs; the results name those that get fewer.

use super::runner::JobRunner;
use std::time::Duration;
use zwasm_reports::schema::Results;

/// How one module is sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) blocks: u32,
    /// Whether each block has its reverse.
    pub(super) mirrored: bool,
}

impl Plan {
    /// For a block that costs this much without its reverse, of one of so many modules: one alone has the
    /// time for an interval.
    fn of(profile: &str, modules: usize, cost: Duration) -> Plan {
        let s = cost.as_secs();
        let (blocks, mirrored) = match profile {
            "quick" if modules == 1 && s < 3 => (10, true),
            "quick" if modules == 1 && s < 10 => (6, true),
            "quick" if s >= 20 => (1, false),
            "quick" => (3, s < 5),
            "standard" => (6, s < 20),
            _ => (10, true),
        };
        Plan { blocks, mirrored }
    }
}

impl JobRunner<'_> {
    /// The plan of each module.
    pub(super) fn plans(&self, results: &mut Results) -> Vec<Plan> {
        let profile = &results.profile.name;
        let modules = self.modules.len();
        let plan = |place| Plan::of(profile, modules, self.forward_cost(results, place));
        let plans: Vec<Plan> = (0..self.modules.len()).map(plan).collect();
        self.note_fewer(results, &plans);
        let costs = plans.iter().enumerate();
        let costs = costs.map(|(place, &plan)| self.block_cost(results, place, plan) * plan.blocks);
        self.run.progress.plan(costs.sum());
        plans
    }

    /// The cost of one block of a module without its reverse, by the first runs.
    pub(super) fn forward_cost(&self, results: &Results, place: usize) -> Duration {
        let id = self.id(place);
        let cells = results.cells.iter().filter(|c| c.workload == id);
        let ns = cells.filter_map(|c| c.calibration).map(|c| c.iter_ns);
        Duration::from_nanos(ns.sum())
    }

    pub(super) fn block_cost(&self, results: &Results, place: usize, plan: Plan) -> Duration {
        self.forward_cost(results, place) * (1 + u32::from(plan.mirrored))
    }

    fn note_fewer(&self, results: &mut Results, plans: &[Plan]) {
        let most = plans.iter().map(|p| p.blocks).max().unwrap_or(0);
        let named = |is_named: &dyn Fn(&Plan) -> bool| -> String {
            let plans = plans.iter().enumerate().filter(|(_, plan)| is_named(plan));
            let ids: Vec<&str> = plans.map(|(place, _)| self.id(place)).collect();
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dear_modules_get_fewer_processes() {
        let of = |profile, s| {
            let plan = Plan::of(profile, 2, Duration::from_secs(s));
            (plan.blocks, plan.mirrored)
        };
        assert_eq!(of("quick", 1), (3, true));
        assert_eq!(of("quick", 10), (3, false));
        assert_eq!(of("quick", 40), (1, false));
        assert_eq!(of("standard", 40), (6, false));
        assert_eq!(of("full", 40), (10, true));
        let alone = Plan::of("quick", 1, Duration::from_secs(1));
        assert_eq!((alone.blocks, alone.mirrored), (10, true));
    }
}
