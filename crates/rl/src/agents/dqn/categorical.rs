//! Distributions of returns (arXiv:1707.06887).

/// What distributions over the same atoms become when each return is scaled by a discount and
/// moved by a sum of rewards: mass that falls between two atoms is shared by nearness
/// (arXiv:1707.06887, algorithm 1). `[B, N]` from `[B, N]`, `[B]` and `[B]`.
pub fn project(
    next: &[f32],
    returns: &[f32],
    discounts: &[f32],
    atoms: usize,
    [low, high]: [f32; 2],
) -> Vec<f32> {
    let gap = (high - low) / (atoms - 1) as f32;
    let mut out = vec![0.0; next.len()];
    let rows = next.chunks_exact(atoms).zip(out.chunks_exact_mut(atoms));
    for ((from, into), (sum, discount)) in rows.zip(returns.iter().zip(discounts)) {
        for (atom, mass) in from.iter().enumerate() {
            let value = (sum + discount * (low + gap * atom as f32)).clamp(low, high);
            let place = ((value - low) / gap).clamp(0.0, (atoms - 1) as f32);
            let below = place.floor();
            let share = place - below;
            into[below as usize] += mass * (1.0 - share);
            into[place.ceil() as usize] += mass * share;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against the definition: atom `i` receives mass by a triangle around it.
        #[test]
        fn projection_is_that_of_the_definition(
            (mass, sum, discount) in
                (prop::collection::vec(0.0f32..1.0, 6), -3.0f32..3.0, 0.0f32..1.0)
        ) {
            let (support, atoms) = ([-1.0, 1.5], 6);
            let gap = 0.5;
            let got = project(&mass, &[sum], &[discount], atoms, support);
            for (i, got) in got.iter().enumerate() {
                let here = -1.0 + gap * i as f32;
                let expected: f32 = mass.iter().enumerate().map(|(j, mass)| {
                    let moved = (sum + discount * (-1.0 + gap * j as f32)).clamp(-1.0, 1.5);
                    mass * (1.0 - (moved - here).abs() / gap).clamp(0.0, 1.0)
                }).sum();
                prop_assert!((got - expected).abs() < 1e-5, "{got} for {expected}");
            }
        }
    }
}
