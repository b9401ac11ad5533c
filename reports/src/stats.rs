//! The statistics of a comparison, as pure functions over numbers.
//!
//! In: the log gaps of blocks, `g = mean ln y(zwasm) − mean ln y(peer)`, one per block. Out: point
//! estimates with exact intervals, verdicts against a noise floor, p-values, false-discovery control
//! and geometric means. Nothing here knows of processes, files or engines, so every claim the report
//! makes can be tested against simulated engines whose true gap is known.
//!
//! Deliberately absent: minima (on a machine with a bimodal clock they are off by tens of percent)
//! and sums of times (they weigh a workload by its length).

use serde::{Deserialize, Serialize};

/// The smallest noise floor for times and sizes: gaps below 2 % are never called a difference.
pub const FLOOR_MIN: f64 = 0.02;

/// The share of false discoveries that is tolerated across the workloads of one comparison.
pub const FALSE_DISCOVERY_RATE: f64 = 0.05;

/// The confidence that intervals aim at.
const CONFIDENCE: f64 = 0.95;

/// A point estimate with its interval, all in log units or all as ratios.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Lower end of the interval.
    pub lo: f64,
    /// Upper end of the interval.
    pub hi: f64,
}

impl Estimate {
    /// The same estimate with `f` applied to all three numbers; `f` must be increasing.
    #[must_use]
    pub fn map(self, f: impl Fn(f64) -> f64) -> Estimate {
        Estimate {
            value: f(self.value),
            lo: f(self.lo),
            hi: f(self.hi),
        }
    }
}

/// What a row says, in METHOD's five words. Below 1 zwasm is faster (or smaller).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The interval lies wholly below −F.
    Faster,
    /// The interval lies inside ±F. Older files say *equal*, which sounds like a size.
    #[serde(alias = "equal")]
    BelowNoise,
    /// The interval excludes 0 but reaches into ±F: there is a difference, and it may be one that the
    /// machine makes. Older files say *small*.
    #[serde(alias = "small")]
    NearNoise,
    /// The interval lies wholly above +F.
    Slower,
    /// Anything else: more blocks are needed.
    Unsure,
}

impl Verdict {
    /// Every verdict, in the order in which summaries list them.
    pub const ALL: [Verdict; 5] = [
        Verdict::Faster,
        Verdict::BelowNoise,
        Verdict::NearNoise,
        Verdict::Slower,
        Verdict::Unsure,
    ];

    /// The name in `results.json`, and of its style on a page.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Verdict::Faster => "faster",
            Verdict::BelowNoise => "below_noise",
            Verdict::NearNoise => "near_noise",
            Verdict::Slower => "slower",
            Verdict::Unsure => "unsure",
        }
    }

    /// The words used in tables and pages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Faster => "faster",
            Verdict::BelowNoise => "below noise",
            Verdict::NearNoise => "near noise",
            Verdict::Slower => "slower",
            Verdict::Unsure => "unsure",
        }
    }

    /// A shape that tells verdicts apart without colour.
    #[must_use]
    pub fn shape(self) -> &'static str {
        match self {
            Verdict::Faster => "▼",
            Verdict::BelowNoise => "=",
            Verdict::NearNoise => "≈",
            Verdict::Slower => "▲",
            Verdict::Unsure => "?",
        }
    }
}

/// The arithmetic mean; NaN for no values.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The median (mean of the middle two for an even count); NaN for no values.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The `q`-quantile with linear interpolation between order statistics; NaN for no values.
#[must_use]
pub fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile_of_sorted(&sorted, q)
}

fn quantile_of_sorted(sorted: &[f64], q: f64) -> f64 {
    if sorted.is_empty() {
        return f64::NAN;
    }
    let at = q * (sorted.len() - 1) as f64;
    let (low, high) = (at.floor() as usize, at.ceil() as usize);
    sorted[low] + (sorted[high] - sorted[low]) * (at - low as f64)
}

/// The rank `k` (from 1) such that the `k`-th smallest and `k`-th largest of `n` values enclose the
/// median of their distribution with at least 95 % probability, and that probability.
///
/// Returns `None` below n = 6, where even the whole range covers less than 95 %.
///
/// The count of values below the median is binomial(n, ½) whatever the distribution, so the
/// coverage is exact: n = 6 → 1 (96.9 %), n = 10 → 2 (97.9 %), n = 20 → 6 (95.9 %).
#[must_use]
pub fn interval_rank(n: usize) -> Option<(usize, f64)> {
    let mut best = None;
    let mut tail = 0.0;
    let mut term = 0.5f64.powi(n as i32);
    for k in 1..=n.div_ceil(2) {
        // `tail` is P(fewer than k values lie below the median).
        tail += term;
        term *= (n - k + 1) as f64 / k as f64;
        let coverage = 1.0 - 2.0 * tail;
        if coverage < CONFIDENCE {
            break;
        }
        best = Some((k, coverage));
    }
    best
}

/// The median of the gaps with its exact order-statistic interval.
///
/// Below six gaps the interval is unbounded: there is an estimate, but nothing can be said of it.
/// Returns `None` for no gaps.
#[must_use]
pub fn median_interval(gaps: &[f64]) -> Option<Estimate> {
    if gaps.is_empty() {
        return None;
    }
    let mut sorted = gaps.to_vec();
    sorted.sort_by(f64::total_cmp);
    let value = quantile_of_sorted(&sorted, 0.5);
    Some(match interval_rank(sorted.len()) {
        Some((k, _)) => Estimate {
            value,
            lo: sorted[k - 1],
            hi: sorted[sorted.len() - k],
        },
        None => Estimate {
            value,
            lo: f64::NEG_INFINITY,
            hi: f64::INFINITY,
        },
    })
}

/// The noise floor F of A/A blocks, as a log gap: `max(2 %, Q3 + 3·IQR of |g|)`.
#[must_use]
pub fn noise_floor(control_gaps: &[f64]) -> f64 {
    if control_gaps.is_empty() {
        return FLOOR_MIN;
    }
    let sizes: Vec<f64> = control_gaps.iter().map(|g| g.abs()).collect();
    let (q1, q3) = (quantile(&sizes, 0.25), quantile(&sizes, 0.75));
    FLOOR_MIN.max(q3 + 3.0 * (q3 - q1))
}

/// The verdict of one interval (log gap) against the floor, before control for many rows.
#[must_use]
pub fn verdict(gap: Estimate, floor: f64) -> Verdict {
    if gap.lo > floor {
        Verdict::Slower
    } else if gap.hi < -floor {
        Verdict::Faster
    } else if gap.lo >= -floor && gap.hi <= floor {
        Verdict::BelowNoise
    } else if gap.lo > 0.0 || gap.hi < 0.0 {
        Verdict::NearNoise
    } else {
        Verdict::Unsure
    }
}

/// How many blocks an *unsure* row would need: `n · (half-width / F)²`, at least `n + 1`.
#[must_use]
pub fn blocks_needed(gap: Estimate, floor: f64, n: usize) -> Option<u64> {
    let half = (gap.hi - gap.lo) / 2.0;
    if !half.is_finite() || floor <= 0.0 {
        return None;
    }
    let needed = (n as f64 * (half / floor).powi(2)).ceil() as u64;
    Some(needed.max(n as u64 + 1))
}

/// The one-sided p-value that the gap lies beyond ±F, by Student's t over the blocks.
///
/// It only ranks rows for [`benjamini_hochberg`]; what a row may claim comes from the exact
/// interval. A sign test would be exact too, but six blocks can never give it less than 1/64, so
/// one plain difference among forty equal rows could never be reported. A long tail widens the
/// standard error and so makes this test more cautious, not less.
#[must_use]
pub fn p_beyond(gaps: &[f64], floor: f64) -> f64 {
    let n = gaps.len();
    if n < 2 {
        return 1.0;
    }
    let centre = mean(gaps);
    let variance = gaps.iter().map(|g| (g - centre).powi(2)).sum::<f64>() / (n - 1) as f64;
    let distance = centre.abs() - floor;
    if distance <= 0.0 {
        return 1.0;
    }
    let error = (variance / n as f64).sqrt();
    if error == 0.0 {
        return 0.0;
    }
    student_tail(distance / error, (n - 1) as f64)
}

/// P(T > t) for Student's t with `freedom` degrees, t ≥ 0.
fn student_tail(t: f64, freedom: f64) -> f64 {
    0.5 * incomplete_beta(freedom / 2.0, 0.5, freedom / (freedom + t * t))
}

/// The regularised incomplete beta function I_x(a, b) by its continued fraction (Lentz's method;
/// DLMF 8.17.22), good to about 1e-10 for the small parameters used here.
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(b, a, 1.0 - x);
    }
    let front =
        (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp() / a;
    let tiny = 1e-300;
    let keep = |v: f64| if v.abs() < tiny { tiny } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / keep(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for m in 1..200 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for step in [even, odd] {
            d = 1.0 / keep(1.0 + step * d);
            c = keep(1.0 + step / c);
            change = c * d;
            fraction *= change;
        }
        if (change - 1.0).abs() < 1e-12 {
            break;
        }
    }
    front * fraction
}

/// ln Γ(z) for z > 0: Stirling's series after shifting z above 10 by the recurrence.
fn ln_gamma(mut z: f64) -> f64 {
    let mut shift = 0.0;
    while z < 10.0 {
        shift -= z.ln();
        z += 1.0;
    }
    let inverse = 1.0 / z;
    let square = inverse * inverse;
    shift + (z - 0.5) * z.ln() - z
        + 0.5 * (2.0 * std::f64::consts::PI).ln()
        + inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square / 1260.0))
}

/// Which hypotheses are rejected at false-discovery rate `q`, in the order given
/// (Benjamini and Hochberg 1995).
#[must_use]
pub fn benjamini_hochberg(p_values: &[f64], q: f64) -> Vec<bool> {
    let m = p_values.len();
    let mut order: Vec<usize> = (0..m).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let rejected = order
        .iter()
        .enumerate()
        .rev()
        .find(|&(rank, &row)| p_values[row] <= q * (rank + 1) as f64 / m as f64)
        .map_or(0, |(rank, _)| rank + 1);
    let mut out = vec![false; m];
    for &row in &order[..rejected] {
        out[row] = true;
    }
    out
}

/// A small deterministic generator (SplitMix64), so that permutations and resampling repeat.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator that always gives the same sequence for the same seed.
    #[must_use]
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    /// The next 64 uniformly distributed bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A uniform index below `n` (n > 0).
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next_u64()) * n as u128) >> 64) as usize
    }

    /// Shuffles in place, every order equally likely.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

/// The mean over rows of the median gap (the log of the geometric mean), with a 95 % interval from
/// resampling *blocks*: rows with the same number of blocks share one draw, so what moved all
/// workloads of a block together moves the replicate too. Workloads are never resampled: the corpus
/// is the population, not a sample from one.
///
/// Returns `None` for no rows or a row without blocks.
#[must_use]
pub fn geomean_interval(rows: &[&[f64]], replicates: usize) -> Option<Estimate> {
    if rows.is_empty() || rows.iter().any(|row| row.is_empty()) {
        return None;
    }
    let value = mean(&rows.iter().map(|row| median(row)).collect::<Vec<_>>());
    let mut lengths: Vec<usize> = rows.iter().map(|row| row.len()).collect();
    lengths.sort_unstable();
    lengths.dedup();
    let mut rng = Rng::new(0x7a77_6173_6d00_0001);
    let mut draws: Vec<Vec<usize>> = lengths.iter().map(|&n| vec![0; n]).collect();
    let mut drawn = Vec::new();
    let mut means = Vec::with_capacity(replicates);
    for _ in 0..replicates {
        for draw in &mut draws {
            let n = draw.len();
            draw.fill_with(|| rng.below(n));
        }
        let mut sum = 0.0;
        for row in rows {
            let which = lengths.binary_search(&row.len()).unwrap_or(0);
            drawn.clear();
            drawn.extend(draws[which].iter().map(|&i| row[i]));
            drawn.sort_by(f64::total_cmp);
            sum += quantile_of_sorted(&drawn, 0.5);
        }
        means.push(sum / rows.len() as f64);
    }
    means.sort_by(f64::total_cmp);
    Some(Estimate {
        value,
        lo: quantile_of_sorted(&means, 0.025).min(value),
        hi: quantile_of_sorted(&means, 0.975).max(value),
    })
}

/// How the iterations of an engine's processes develop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Course {
    /// First, steady and last iterations agree within 10 % in most processes.
    Flat,
    /// The first iterations are slower than the steady ones.
    WarmUp,
    /// The steady iterations are slower than the first ones.
    Slowdown,
    /// Processes disagree with each other about the above.
    Inconsistent,
}

/// How many of `iterations` count as warm-up: the first half, but never the only one.
#[must_use]
pub fn warm_up_len(iterations: usize) -> usize {
    iterations / 2
}

/// A process's steady time: the median iteration after warm-up. `None` without iterations.
#[must_use]
pub fn steady_ns(iter_ns: &[u64]) -> Option<f64> {
    let steady: Vec<f64> = iter_ns[warm_up_len(iter_ns.len())..]
        .iter()
        .map(|&ns| ns as f64)
        .collect();
    (!steady.is_empty()).then(|| median(&steady))
}

/// Classifies the course of iterations over several processes; `None` below three iterations.
#[must_use]
pub fn classify(processes: &[&[u64]]) -> Option<Course> {
    const TOLERANCE: f64 = 0.10;
    const AGREEMENT: f64 = 0.70;
    let mut votes = [0usize; 3];
    let mut count = 0usize;
    for iterations in processes.iter().filter(|p| p.len() >= 3) {
        let first = iterations[0] as f64;
        let steady = steady_ns(iterations)?;
        let change = first / steady - 1.0;
        let course = if change > TOLERANCE {
            1
        } else if change < -TOLERANCE {
            2
        } else {
            0
        };
        votes[course] += 1;
        count += 1;
    }
    if count == 0 {
        return None;
    }
    let winner = (0..3).max_by_key(|&i| votes[i])?;
    if (votes[winner] as f64) < AGREEMENT * count as f64 {
        return Some(Course::Inconsistent);
    }
    Some([Course::Flat, Course::WarmUp, Course::Slowdown][winner])
}

#[cfg(test)]
#[path = "stats_tests.rs"]
mod tests;
