//! The statistics against simulated engines: known gaps, drift, outliers and a bimodal clock.

use super::*;

/// A machine like the ones the lab runs on: two clock speeds that switch now and then, slow drift,
/// a long tail, and engines run in a random permutation and its reverse.
struct Machine {
    rng: Rng,
    fast_clock: bool,
    time: f64,
    drift: f64,
}

impl Machine {
    fn new(seed: u64) -> Machine {
        Machine {
            rng: Rng::new(seed),
            fast_clock: true,
            time: 0.0,
            drift: 0.0,
        }
    }

    fn uniform(&mut self) -> f64 {
        (self.rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }

    /// The log time of one process of an engine whose true log time is `true_log`.
    fn process(&mut self, true_log: f64) -> f64 {
        self.time += 1.0;
        if self.uniform() < 0.05 {
            self.fast_clock = !self.fast_clock;
        }
        let clock = if self.fast_clock { 0.0 } else { 0.12 };
        let outlier = if self.uniform() < 0.02 { 0.5 } else { 0.0 };
        true_log + clock + outlier + self.drift * self.time + 0.01 * self.normal()
    }

    /// The log gap of one block: permutation, then reverse.
    fn block(&mut self, gap: f64) -> f64 {
        let mut order = [0, 1];
        self.rng.shuffle(&mut order);
        let mut sums = [0.0; 2];
        for who in [order[0], order[1], order[1], order[0]] {
            let true_log = if who == 0 { gap } else { 0.0 };
            sums[who] += self.process(true_log);
        }
        (sums[0] - sums[1]) / 2.0
    }

    fn blocks(&mut self, gap: f64, n: usize) -> Vec<f64> {
        (0..n).map(|_| self.block(gap)).collect()
    }
}

#[test]
fn ranks_are_those_of_the_binomial() {
    assert_eq!(interval_rank(5), None);
    let (k, coverage) = interval_rank(6).unwrap();
    assert_eq!(k, 1);
    assert!((coverage - 0.96875).abs() < 1e-12);
    let (k, coverage) = interval_rank(10).unwrap();
    assert_eq!(k, 2);
    assert!((coverage - 0.978_515_625).abs() < 1e-12);
    let (k, coverage) = interval_rank(20).unwrap();
    assert_eq!(k, 6);
    assert!((coverage - 0.958_6).abs() < 1e-3);
}

#[test]
fn intervals_cover_the_true_gap() {
    let gap = 0.9f64.ln();
    for n in [6, 10, 20] {
        let mut machine = Machine::new(n as u64);
        machine.drift = 1e-4;
        let covered = (0..1000)
            .filter(|_| {
                let e = median_interval(&machine.blocks(gap, n)).unwrap();
                e.lo <= gap && gap <= e.hi
            })
            .count();
        assert!(covered >= 930, "n = {n}: {covered} of 1000 intervals cover");
    }
}

#[test]
fn a_against_a_is_rarely_called_a_difference() {
    let mut machine = Machine::new(7);
    let floor = noise_floor(&machine.blocks(0.0, 24));
    let mut wrong = 0;
    for _ in 0..500 {
        let e = median_interval(&machine.blocks(0.0, 6)).unwrap();
        wrong += usize::from(matches!(
            verdict(e, floor),
            Verdict::Slower | Verdict::Faster
        ));
    }
    assert!(
        wrong <= 5,
        "{wrong} of 500 A/A comparisons came out different"
    );
    // Even without the floor, excluding zero happens about as often as the interval promises.
    let excluded = (0..1000)
        .filter(|_| {
            let e = median_interval(&machine.blocks(0.0, 6)).unwrap();
            e.lo > 0.0 || e.hi < 0.0
        })
        .count();
    assert!(excluded <= 60, "{excluded} of 1000 A/A intervals exclude 0");
}

#[test]
fn known_gaps_are_found_and_noise_is_unsure() {
    let mut machine = Machine::new(11);
    let slower = median_interval(&machine.blocks(1.5f64.ln(), 20)).unwrap();
    assert_eq!(verdict(slower, 0.02), Verdict::Slower);
    assert!((slower.value.exp() - 1.5).abs() < 0.05);
    let faster = median_interval(&machine.blocks(0.5f64.ln(), 20)).unwrap();
    assert_eq!(verdict(faster, 0.02), Verdict::Faster);

    let noisy = Estimate {
        value: 0.01,
        lo: -0.2,
        hi: 0.2,
    };
    assert_eq!(verdict(noisy, 0.02), Verdict::Unsure);
    assert_eq!(blocks_needed(noisy, 0.02, 6), Some(600));
    let few = median_interval(&[0.5, 0.5, 0.5]).unwrap();
    assert_eq!(verdict(few, 0.02), Verdict::Unsure);
    assert_eq!(blocks_needed(few, 0.02, 3), None);
}

#[test]
fn verdicts_follow_the_interval() {
    let at = |lo, hi| {
        verdict(
            Estimate {
                value: (lo + hi) / 2.0,
                lo,
                hi,
            },
            0.02,
        )
    };
    assert_eq!(at(0.03, 0.05), Verdict::Slower);
    assert_eq!(at(-0.05, -0.03), Verdict::Faster);
    assert_eq!(at(-0.01, 0.015), Verdict::BelowNoise);
    assert_eq!(at(0.005, 0.015), Verdict::BelowNoise);
    assert_eq!(at(0.01, 0.05), Verdict::NearNoise);
    assert_eq!(at(-0.05, 0.01), Verdict::Unsure);
}

#[test]
fn the_floor_is_two_percent_or_what_the_control_shows() {
    assert_eq!(noise_floor(&[]), 0.02);
    assert_eq!(noise_floor(&[0.001, -0.002, 0.001]), 0.02);
    let floor = noise_floor(&[0.01, -0.02, 0.03, -0.04, 0.05]);
    assert!((floor - (0.04 + 3.0 * 0.02)).abs() < 1e-12);
}

#[test]
fn student_matches_the_tables() {
    // Upper 2.5 % points.
    for (freedom, t) in [(1.0, 12.706), (5.0, 2.571), (9.0, 2.262), (19.0, 2.093)] {
        assert!((student_tail(t, freedom) - 0.025).abs() < 5e-5, "{freedom}");
    }
    assert!((student_tail(0.0, 5.0) - 0.5).abs() < 1e-12);
    assert_eq!(p_beyond(&[0.5; 6], 0.02), 0.0);
    assert_eq!(p_beyond(&[0.01; 6], 0.02), 1.0);
}

#[test]
fn false_discoveries_are_controlled() {
    assert_eq!(
        benjamini_hochberg(&[0.04, 0.001, 0.9, 0.02], 0.05),
        [false, true, false, true]
    );
    assert_eq!(benjamini_hochberg(&[], 0.05), Vec::<bool>::new());
    // Forty equal workloads, many times over: hardly any run reports a difference at all.
    let mut machine = Machine::new(23);
    let runs = (0..100)
        .filter(|_| {
            let p: Vec<f64> = (0..40)
                .map(|_| p_beyond(&machine.blocks(0.0, 6), 0.02))
                .collect();
            benjamini_hochberg(&p, FALSE_DISCOVERY_RATE).contains(&true)
        })
        .count();
    assert!(runs <= 10, "{runs} of 100 A/A runs claim a difference");
}

#[test]
fn geometric_means_cover_the_truth() {
    let truths: Vec<f64> = (0..12).map(|i| 0.05 * f64::from(i) - 0.3).collect();
    let truth = mean(&truths);
    let mut machine = Machine::new(5);
    let mut covered = 0;
    for _ in 0..200 {
        let rows: Vec<Vec<f64>> = truths.iter().map(|&g| machine.blocks(g, 10)).collect();
        let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
        let e = geomean_interval(&rows, 200).unwrap();
        assert!((e.value - truth).abs() < 0.05);
        covered += usize::from(e.lo <= truth && truth <= e.hi);
    }
    assert!(
        covered >= 176,
        "{covered} of 200 intervals cover the geometric mean"
    );
    assert_eq!(geomean_interval(&[], 10), None);
}

#[test]
fn one_order_after_the_other_would_not_do() {
    // The reason for blocks: timing one engine fully and then the other, on the same machine,
    // claims differences between equal engines far more often than one time in twenty.
    let mut machine = Machine::new(3);
    let wrong = (0..300)
        .filter(|_| {
            let a: Vec<f64> = (0..20).map(|_| machine.process(0.0)).collect();
            let b: Vec<f64> = (0..20).map(|_| machine.process(0.0)).collect();
            let gaps: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
            let e = median_interval(&gaps).unwrap();
            e.lo > 0.0 || e.hi < 0.0
        })
        .count();
    assert!(wrong > 30, "{wrong} of 300");
}

#[test]
fn courses_of_iterations() {
    let flat: &[u64] = &[100, 101, 99, 100, 100];
    let warm: &[u64] = &[200, 150, 100, 100, 100];
    let slow: &[u64] = &[100, 110, 150, 150, 151];
    assert_eq!(classify(&[flat; 4]), Some(Course::Flat));
    assert_eq!(classify(&[warm; 4]), Some(Course::WarmUp));
    assert_eq!(classify(&[slow; 4]), Some(Course::Slowdown));
    assert_eq!(
        classify(&[flat, warm, slow, flat]),
        Some(Course::Inconsistent)
    );
    assert_eq!(classify(&[&[1, 2]]), None);
    assert_eq!(steady_ns(warm), Some(100.0));
    assert_eq!(steady_ns(&[7]), Some(7.0));
    assert_eq!(steady_ns(&[]), None);
}
