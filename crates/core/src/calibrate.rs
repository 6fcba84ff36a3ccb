//! How far a model's confidence can be trusted, and how much of its work needs no person:
//! temperature scaling, calibration error, and a threshold above which the error rate is
//! bounded.

use serde::{Deserialize, Serialize};

/// Bins of a reliability diagram, as Guo et al. 2017 have them.
pub const BINS: usize = 15;

/// The temperatures that are looked at.
const TEMPERATURES: std::ops::RangeInclusive<f64> = 0.05..=20.0;

/// How far the logarithm of a temperature is thought to lie from 0 before anything is seen.
const DEVIATION: f64 = 0.5;

/// `calibration.json` of a run: what a model's confidence was worth on examples that neither
/// trained it nor chose its weights.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// By what the logits are divided before they become probabilities.
    pub temperature: f32,
    /// Expected calibration error of the probabilities that `predict` tells.
    pub ece: f64,
    /// The same at a temperature of one.
    pub ece_uncalibrated: f64,
    /// The confidence of the best suggestion for each held-out example ...
    pub confidence: Vec<f32>,
    /// ... and whether it was right.
    pub right: Vec<bool>,
}

impl Calibration {
    /// The held-out examples one by one.
    pub fn judged(&self) -> Vec<Judged> {
        let pairs = self.confidence.iter().zip(&self.right);
        pairs.map(|(&confidence, &right)| Judged { confidence, right }).collect()
    }
}

/// The best suggestion for one example, and whether it was right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// Its probability as the model told it.
    pub confidence: f32,
    /// Whether a person would confirm it.
    pub right: bool,
}

/// The temperature at which the labels are most probable (Guo et al., On Calibration of
/// Modern Neural Networks, 2017, section 4.2). `logits` is `[labels.len(), classes]`, row by
/// row; they may be log-probabilities.
///
/// A few examples that are all right would ask for a temperature of zero, and for certainty:
/// it is thought to be near 1, its logarithm normal with a deviation of a half, which some
/// hundred examples outweigh. 1 where there is nothing to judge by.
pub fn temperature(logits: &[f32], classes: usize, labels: &[usize]) -> f32 {
    // With b = 1 / T the loss is convex in b; its derivative is the sum over examples of the
    // expected logit less the label's.
    let derivative = |b: f64| -> f64 {
        let of_row = |(row, &label): (&[f32], &usize)| {
            // Logarithms of zero would make 0 times infinity.
            let z = |x: f32| f64::from(x.clamp(-1e4, 1e4));
            let top = row.iter().map(|&x| z(x)).fold(f64::NEG_INFINITY, f64::max);
            let (mut sum, mut expected) = (0.0, 0.0);
            for &x in row {
                let weight = (b * (z(x) - top)).exp();
                sum += weight;
                expected += weight * z(x);
            }
            expected / sum - z(row[label])
        };
        logits.chunks(classes.max(1)).zip(labels).map(of_row).sum()
    };
    if labels.is_empty() || classes < 2 {
        return 1.0;
    }
    let (mut low, mut high) = (1.0 / TEMPERATURES.end(), 1.0 / TEMPERATURES.start());
    for _ in 0..50 {
        let middle = (low * high).sqrt();
        // Both by the logarithm of b.
        let prior = middle.ln() / DEVIATION.powi(2);
        match middle * derivative(middle) + prior > 0.0 {
            true => high = middle,
            false => low = middle,
        }
    }
    (1.0 / (low * high).sqrt()) as f32
}

/// One bin of a reliability diagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Bin {
    /// Examples whose confidence lies in it.
    pub count: usize,
    /// Their mean confidence.
    pub confidence: f64,
    /// The part of them that was right.
    pub accuracy: f64,
}

/// The reliability diagram: [`BINS`] bins of equal width from 0 to 1.
pub fn reliability(judged: &[Judged]) -> Vec<Bin> {
    let mut bins = vec![Bin::default(); BINS];
    for one in judged {
        let place = (f64::from(one.confidence) * BINS as f64).ceil() as usize;
        let bin = &mut bins[place.clamp(1, BINS) - 1];
        bin.count += 1;
        bin.confidence += f64::from(one.confidence);
        bin.accuracy += f64::from(u8::from(one.right));
    }
    for bin in bins.iter_mut().filter(|bin| bin.count > 0) {
        bin.confidence /= bin.count as f64;
        bin.accuracy /= bin.count as f64;
    }
    bins
}

/// Expected calibration error: how far confidence and accuracy lie apart, on average over the
/// examples of [`reliability`]'s bins.
pub fn expected_error(judged: &[Judged]) -> f64 {
    let gap = |bin: &Bin| bin.count as f64 * (bin.confidence - bin.accuracy).abs();
    reliability(judged).iter().map(gap).sum::<f64>() / judged.len().max(1) as f64
}

/// The probability of at most `errors` among `count` when each is wrong with probability `p`.
fn at_most(errors: usize, count: usize, p: f64) -> f64 {
    if p <= 0.0 {
        return 1.0;
    }
    if p >= 1.0 {
        return if errors >= count { 1.0 } else { 0.0 };
    }
    // In logarithms: p^k alone may be too small for a number.
    let odds = p.ln() - (-p).ln_1p();
    let mut term = count as f64 * (-p).ln_1p();
    let mut sum = term.exp();
    for k in 0..errors.min(count) {
        term += ((count - k) as f64 / (k + 1) as f64).ln() + odds;
        sum += term.exp();
    }
    sum.min(1.0)
}

/// The upper Clopper-Pearson bound: with probability `1 - alpha` the error rate behind
/// `errors` of `count` is at most this.
pub fn upper_bound(errors: usize, count: usize, alpha: f64) -> f64 {
    if count == 0 || errors >= count {
        return 1.0;
    }
    let (mut low, mut high) = (errors as f64 / count as f64, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        match at_most(errors, count, middle) > alpha {
            true => low = middle,
            false => high = middle,
        }
    }
    high
}

/// How much evidence `errors` of `count` are against an error rate of at most `risk`: below 20
/// for good with a probability of 95 % where that is true, however often one looks.
///
/// The mean of the likelihood ratios of some higher rates, which is a supermartingale where the
/// rate is at most `risk`; by Ville's inequality it rarely ever becomes large.
pub fn evidence_against(risk: f64, errors: usize, count: usize) -> f64 {
    const TIMES: [f64; 4] = [1.5, 2.0, 4.0, 8.0];
    let ratio = |times: &f64| {
        let rate = (risk * times).min(0.5f64.max(risk));
        let right = (count - errors) as f64;
        (errors as f64 * (rate / risk).ln() + right * ((-rate).ln_1p() - (-risk).ln_1p())).exp()
    };
    TIMES.iter().map(ratio).sum::<f64>() / TIMES.len() as f64
}

/// Above what confidence a model's best suggestion may stand without a person.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Threshold {
    /// The least confidence that is accepted.
    pub confidence: f32,
    /// How many of the held-out examples reach it.
    pub accepted: usize,
    /// How many of those were wrong.
    pub errors: usize,
    /// The bound on the error rate that this gives.
    pub bound: f64,
}

/// The lowest threshold at which the error rate of what is accepted is below `risk` with
/// probability `1 - alpha`, by what was `judged`; none where no threshold can promise it.
///
/// Thresholds are tried from the strictest on, each by the Clopper-Pearson bound, and the
/// first that fails ends it: a sequence whose order does not depend on what was right needs
/// no correction for trying several (fixed-sequence testing, as in Angelopoulos et al.,
/// Learn then Test, 2021, section 3). The first of them accepts a tenth of the examples, or
/// as many as the bound needs where none of them is wrong.
pub fn threshold(judged: &[Judged], risk: f64, alpha: f64) -> Option<Threshold> {
    let mut sorted: Vec<Judged> =
        judged.iter().copied().filter(|one| one.confidence.is_finite()).collect();
    sorted.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    // (1 - risk)^n <= alpha.
    let needed = (alpha.ln() / (-risk).ln_1p()).ceil().max(1.0) as usize;
    let mut accepted = needed.max(sorted.len() / 10);
    let mut found = None;
    while accepted <= sorted.len() {
        let confidence = sorted[accepted - 1].confidence;
        // Whoever has the same confidence is accepted as well.
        accepted += sorted[accepted..].iter().take_while(|o| o.confidence == confidence).count();
        let errors = sorted[..accepted].iter().filter(|one| !one.right).count();
        let bound = upper_bound(errors, accepted, alpha);
        if bound > risk {
            break;
        }
        found = Some(Threshold { confidence, accepted, errors, bound });
        accepted = match accepted == sorted.len() {
            true => accepted + 1,
            false => (accepted + (accepted / 100).max(1)).min(sorted.len()),
        };
    }
    found
}

/// Wilson's interval for a rate at 95 % (Wilson, 1927, JASA 22): `right` of `count`, where a
/// draw may count one half.
pub fn wilson(right: f64, count: usize) -> [f64; 2] {
    if count == 0 {
        return [0.0, 1.0];
    }
    const Z: f64 = 1.959_963_984_540_054;
    let (n, z2) = (count as f64, Z * Z);
    let rate = right / n;
    let middle = (rate + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z / (1.0 + z2 / n) * (rate * (1.0 - rate) / n + z2 / (4.0 * n * n)).sqrt();
    [(middle - half).max(0.0), (middle + half).min(1.0)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::random::SplitMix64;

    #[test]
    fn intervals_are_wilsons() {
        // 7 of 10: (0.3968, 0.8922), as statsmodels' proportion_confint(7, 10, method="wilson").
        let [low, high] = wilson(7.0, 10);
        assert!((low - 0.396_778).abs() < 1e-5 && (high - 0.892_209).abs() < 1e-5, "{low} {high}");
        assert_eq!(wilson(0.0, 10)[0], 0.0);
        assert_eq!(wilson(0.0, 0), [0.0, 1.0]);
    }

    /// Logits `z` for labels drawn from softmax(z / `heat`).
    fn drawn(count: usize, classes: usize, heat: f64) -> (Vec<f32>, Vec<usize>) {
        let mut random = SplitMix64::new(3);
        let (mut logits, mut labels) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let row: Vec<f32> = (0..classes).map(|_| random.between(-6.0, 6.0)).collect();
            let weights: Vec<f64> = row.iter().map(|&z| (f64::from(z) / heat).exp()).collect();
            let mut left = f64::from(random.between(0.0, 1.0)) * weights.iter().sum::<f64>();
            let label = weights.iter().position(|weight| {
                left -= weight;
                left <= 0.0
            });
            labels.push(label.unwrap_or(classes - 1));
            logits.extend(row);
        }
        (logits, labels)
    }

    #[test]
    fn the_temperature_behind_the_labels_is_found() {
        for heat in [0.5, 1.0, 2.5] {
            let (logits, labels) = drawn(20_000, 4, heat);
            let found = f64::from(temperature(&logits, 4, &labels));
            assert!((found / heat - 1.0).abs() < 0.05, "{found} for {heat}");
        }
        assert_eq!(temperature(&[], 3, &[]), 1.0);
        let few = temperature(&[4.0, 0.0].repeat(20), 2, &[0; 20]);
        assert!((0.7..1.0).contains(&few), "{few}: twenty right ones are no certainty");
        let endless = [0.0, f32::NEG_INFINITY, f32::NEG_INFINITY, 0.0];
        assert!(temperature(&endless, 2, &[0, 1]).is_finite());
    }

    #[test]
    fn bounds_are_those_of_direct_sums() {
        // By direct sums over the binomial distribution, in Python.
        for (errors, count, expected) in
            [(0, 299, 0.009_969), (0, 10, 0.258_866), (3, 100, 0.075_711), (50, 1000, 0.062_863)]
        {
            let bound = upper_bound(errors, count, 0.05);
            assert!((bound - expected).abs() < 2e-5, "{bound} for {errors} of {count}");
        }
        assert_eq!((upper_bound(0, 0, 0.05), upper_bound(5, 5, 0.05)), (1.0, 1.0));
        assert!(upper_bound(100, 100_000, 0.05) < 0.0013);
    }

    #[test]
    fn looking_often_gives_no_false_alarm_and_a_broken_promise_is_found() {
        let alarm = |rate: f32, seed| {
            let mut random = SplitMix64::new(seed);
            let mut errors = 0;
            (1..=2_000).find(|&count| {
                errors += usize::from(random.between(0.0, 1.0) < rate);
                evidence_against(0.01, errors, count) >= 20.0
            })
        };
        let false_alarms = (0..200).filter(|&seed| alarm(0.01, seed).is_some()).count();
        assert!(false_alarms <= 16, "{false_alarms} of 200, where 10 are expected at most");
        let found: Vec<usize> = (0..200).filter_map(|seed| alarm(0.05, seed)).collect();
        assert_eq!(found.len(), 200);
        assert!(found.iter().sum::<usize>() / 200 < 200, "found after some hundred items");
    }

    #[test]
    fn what_is_told_and_what_is_true_lie_apart() {
        let one = |confidence, right| Judged { confidence, right };
        let judged = [one(0.95, true), one(0.95, false), one(0.55, true), one(0.55, true)];
        let bins = reliability(&judged);
        assert_eq!(bins[14], Bin { count: 2, confidence: f64::from(0.95f32), accuracy: 0.5 });
        assert!((expected_error(&judged) - 0.45).abs() < 1e-6);
        assert_eq!(expected_error(&[]), 0.0);
        assert_eq!(reliability(&[one(0.0, true), one(1.0, true)])[0].count, 1);
    }

    /// Examples whose error rate rises from nothing at confidence 1 to a half at 0.5.
    fn judged(count: usize, seed: u64) -> Vec<Judged> {
        let mut random = SplitMix64::new(seed);
        let one = |_| {
            let confidence = random.between(0.5, 1.0);
            Judged { confidence, right: random.between(0.0, 1.0) < confidence }
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn a_threshold_keeps_its_promise_and_none_is_given_where_none_can_be() {
        let mut broken = 0;
        for seed in 0..200 {
            let found = threshold(&judged(5_000, seed), 0.1, 0.05).expect("most are sure enough");
            // The mean error above a confidence c is (1 - c) / 2.
            broken += usize::from((1.0 - f64::from(found.confidence)) / 2.0 > 0.1);
            assert!(found.accepted > 1_000 && found.bound <= 0.1, "{found:?}");
        }
        assert!(broken <= 20, "{broken} of 200 thresholds promise too much");
        assert_eq!(threshold(&judged(5_000, 1), 0.001, 0.05), None);
        assert_eq!(threshold(&judged(20, 1), 0.1, 0.05), None, "too few to promise anything");
        assert_eq!(threshold(&[], 0.1, 0.05), None);
        let sure = vec![Judged { confidence: 1.0, right: true }; 400];
        assert_eq!(threshold(&sure, 0.01, 0.05).map(|found| found.accepted), Some(400));
    }
}
