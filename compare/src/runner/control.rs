//! A/A control: the same engine measured as if it were two, so that the difference is the noise.

use super::Run;
use crate::engine::Adapter;
use crate::fail::{Measured, OrSkip};
use anyhow::Result;
use zwasm_reports::schema::{ControlPair, Results, Sample};

/// An A/A pair.
#[derive(Clone, Copy)]
pub(crate) struct Control<'a> {
    pub(crate) workload: &'a str,
    /// Of the workload in the run.
    pub(crate) place: usize,
    pub(crate) engine: &'a dyn Adapter,
}

impl Control<'_> {
    /// Measures a block of the pair, if it is not recorded: A B B A of each part of a sample, and chance
    /// says which is A.
    ///
    /// # Errors
    /// Interrupted or a machinery failure; then nothing of the block is recorded.
    pub(crate) fn measure<Part: Copy>(
        &self,
        run: Run<'_>,
        results: &mut Results,
        number: u32,
        parts: &[Part],
        mut visit: impl FnMut(&Results, Part, &mut Sample) -> Measured<()>,
    ) -> Result<()> {
        let at = self.pair(results);
        if results.control[at].a.iter().any(|s| s.block == number) {
            return Ok(());
        }
        let what = format!("A/A control {}: {}", number + 1, self.workload);
        run.progress.say(&what);
        let a_first = run.rng(number, self.place).below(2) == 0;
        let mut samples = [(); 4].map(|()| Sample::default());
        for &part in parts {
            for sample in &mut samples {
                // A failure is told where it meets a block of the comparison.
                if visit(results, part, sample).or_skip(|_| ())?.is_none() {
                    return Ok(());
                }
            }
        }
        let [first, second, third, fourth] = samples.map(|sample| Sample {
            block: number,
            ..sample
        });
        let (outer, inner) = ([first, fourth], [second, third]);
        let (a, b) = if a_first {
            (outer, inner)
        } else {
            (inner, outer)
        };
        results.control[at].a.extend(a);
        results.control[at].b.extend(b);
        Ok(())
    }

    /// Where the pair is in the results, to which it is added if need be.
    fn pair(&self, results: &mut Results) -> usize {
        let engine = &self.engine.info().id;
        let is_own = |p: &ControlPair| p.workload == self.workload && p.engine == *engine;
        let known = results.control.iter().position(is_own);
        known.unwrap_or_else(|| {
            results.control.push(ControlPair {
                workload: self.workload.to_owned(),
                engine: engine.clone(),
                a: Vec::new(),
                b: Vec::new(),
            });
            results.control.len() - 1
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::testing::{engines, run, tried};
    use zwasm_reports::schema::CellStatus;

    #[test]
    fn both_sides_have_the_same_share_of_a_drift() {
        let mut results = tried("a", &["tier"]);
        let engines = engines(&results);
        let run = run(&engines);
        let pair = Control {
            workload: "a",
            place: 0,
            engine: engines[0].as_ref(),
        };
        for number in 0..20 {
            let mut wall_ns = 0;
            let mut visit = |_: &Results, (), sample: &mut Sample| {
                wall_ns += 1;
                sample.wall_ns = wall_ns;
                Ok(())
            };
            let mut measure = || pair.measure(run, &mut results, number, &[()], &mut visit);
            measure().unwrap();
            // A block that is recorded is not measured again.
            measure().unwrap();
            assert_eq!(wall_ns, 4);
        }
        assert_eq!(results.control.len(), 1);
        let firsts = |side: &[Sample]| side.iter().filter(|s| s.wall_ns == 1).count();
        let ControlPair { a, b, .. } = &results.control[0];
        for (mine, other) in [(a, b), (b, a)] {
            assert_eq!(mine.len(), 40);
            assert!(firsts(mine) > 3 && firsts(mine) + firsts(other) == 20);
            let blocks = mine.chunks(2);
            assert!(
                blocks
                    .map(|b| b[0].wall_ns + b[1].wall_ns)
                    .all(|sum| sum == 5)
            );
        }
    }

    #[test]
    fn a_block_with_a_failure_is_not_recorded() {
        let mut results = tried("a", &["tier"]);
        let engines = engines(&results);
        let pair = Control {
            workload: "a",
            place: 0,
            engine: engines[0].as_ref(),
        };
        let mut visits = 0;
        let visit = |_: &Results, (), _: &mut Sample| {
            visits += 1;
            match visits {
                3 => Err(CellStatus::Crash("signal 11".to_owned()).into()),
                _ => Ok(()),
            }
        };
        pair.measure(run(&engines), &mut results, 0, &[()], visit)
            .unwrap();
        assert_eq!(visits, 3);
        let ControlPair { a, b, .. } = &results.control[0];
        assert!(a.is_empty() && b.is_empty());
        assert_eq!(results.cells[0].status, CellStatus::Ok);
    }
}
