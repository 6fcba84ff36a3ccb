//! Exponential functions without branches, which the compiler turns into vectors: within some
//! units in the last place of the true values, and right for infinities and NaN.
//!
//! A multiplication and an addition here are two roundings on every processor: no fused
//! multiply-add, which is a slow call where the processor has none.

/// Adding this to a small number rounds it to an integer, which is then found in the lowest
/// bits.
const ROUNDER: f32 = 12_582_912.0;
/// ln 2 in two parts, of which the first times a small integer is exact.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];

/// `x = n ln 2 + r` with `r` between `-ln 2 / 2` and `ln 2 / 2`: `n` and `e^r - 1`.
#[inline(always)]
fn reduced(x: f32) -> (i32, f32) {
    let shifted = x * std::f32::consts::LOG2_E + ROUNDER;
    let n = shifted - ROUNDER;
    let r = x - n * LN_2[0] - n * LN_2[1];
    // Taylor's series; the first term left out is r^8 / 8!, less than 1.6e-8 of the sum.
    let mut sum = 1.0 / 5040.0;
    for term in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5] {
        sum = sum * r + term;
    }
    let exponent = (shifted.to_bits() as i32).wrapping_sub(ROUNDER.to_bits() as i32);
    (exponent, r + r * r * sum)
}

/// 2^n for n of a normal number.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// `x` between two limits; NaN stays.
#[inline(always)]
fn between(x: f32, low: f32, high: f32) -> f32 {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

/// e^x.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Beyond these limits the result is 0 or infinite, as it is at them.
    let (n, less_one) = reduced(between(x, -105.0, 89.0));
    let half = n >> 1;
    (less_one + 1.0) * power_of_two(half) * power_of_two(n.wrapping_sub(half))
}

/// 1 / (1 + e^-x).
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The hyperbolic tangent: with `m = e^2|x| - 1`, it is `m / (m + 2)` with the sign of `x`.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let (n, less_one) = reduced(between(2.0 * x.abs(), 0.0, 20.0));
    let power = power_of_two(n);
    let m = less_one * power + (power - 1.0);
    (m / (m + 2.0)).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest error in units in the last place, over numbers of all sizes.
    fn worst(ours: fn(f32) -> f32, truth: fn(f64) -> f64) -> f64 {
        let mut worst = 0.0f64;
        for i in -200_000..200_000 {
            let x = i as f32 * 5e-4;
            for x in [x, x * 1e-3, x * 1e-6] {
                let truth = truth(f64::from(x));
                let unit = f64::from(f32::EPSILON) * truth.abs().max(f64::from(f32::MIN_POSITIVE));
                if truth.abs() <= f64::from(f32::MAX) {
                    worst = worst.max((f64::from(ours(x)) - truth).abs() / unit);
                }
            }
        }
        worst
    }

    #[test]
    fn functions_are_right_to_the_last_places() {
        assert!(worst(exp, f64::exp) < 2.0, "{}", worst(exp, f64::exp));
        assert!(worst(tanh, f64::tanh) < 3.0, "{}", worst(tanh, f64::tanh));
        let sigmoid_64 = |x: f64| 1.0 / (1.0 + (-x).exp());
        // Below -88 e^-x has no 32-bit value, and the result is 0 instead of some 1e-39.
        let from_minus_88 = |x: f32| {
            if x < -88.0 { (1.0 / (1.0 + (-f64::from(x)).exp())) as f32 } else { sigmoid(x) }
        };
        assert!(worst(from_minus_88, sigmoid_64) < 3.0);
    }

    #[test]
    fn infinities_and_nan_are_right() {
        let infinite = f32::INFINITY;
        assert_eq!(
            [exp(-infinite), exp(-200.0), exp(0.0), exp(infinite)],
            [0.0, 0.0, 1.0, infinite]
        );
        assert_eq!([sigmoid(-infinite), sigmoid(0.0), sigmoid(infinite)], [0.0, 0.5, 1.0]);
        assert_eq!([tanh(-infinite), tanh(0.0), tanh(infinite)], [-1.0, 0.0, 1.0]);
        assert!(tanh(-0.0).is_sign_negative());
        for f in [exp, sigmoid, tanh] {
            assert!(f(f32::NAN).is_nan());
        }
    }
}
