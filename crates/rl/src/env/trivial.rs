//! Environments that every agent must learn in seconds: if one does not, the agent is wrong.

use super::draw::Canvas;
use super::game::{Game, Outcome, Random};
use super::spec::{Cells, Spec};
use image::RgbImage;
use serde::{Deserialize, Serialize};

/// Say what you see: one of four signs is shown, and naming it pays 1.
///
/// An episode is cut off after 20 steps, as `truncated`: an agent that takes that for an end
/// learns too small values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    sign: usize,
}

const SIGNS: usize = 4;

impl Game for Identity {
    type Cell = f32;

    fn spec(&self) -> Spec {
        let actions = ["first", "second", "third", "fourth"];
        Spec {
            time_limit: Some(20),
            solved_at: Some(20.0),
            ..Spec::new("identity", Cells::Floats, &[SIGNS], &actions)
        }
    }

    fn reset(&mut self, random: &mut Random) {
        self.sign = random.below(SIGNS);
    }

    fn step(&mut self, action: usize, random: &mut Random) -> Outcome {
        let reward = if action == self.sign { 1.0 } else { 0.0 };
        self.sign = random.below(SIGNS);
        Outcome { reward, terminated: false }
    }

    fn observe(&self, into: &mut [f32]) {
        into.fill(0.0);
        into[self.sign] = 1.0;
    }

    fn draw(&self) -> RgbImage {
        let mut canvas = Canvas::new(SIGNS as u32 * 8, 8, [245, 245, 245]);
        canvas.disc((self.sign as f64 * 8.0 + 4.0, 4.0), 3.0, [200, 120, 40]);
        canvas.scaled(4)
    }
}

/// How often each arm of the bandit pays.
pub const ARMS: [f32; 5] = [0.1, 0.3, 0.8, 0.5, 0.2];

/// A bandit with five arms that pay 1 with the probabilities of [`ARMS`]; every pull is an
/// episode, and there is nothing to see.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bandit {
    paid: bool,
}

impl Game for Bandit {
    type Cell = f32;

    fn spec(&self) -> Spec {
        let actions = ["first", "second", "third", "fourth", "fifth"];
        Spec { solved_at: Some(0.75), ..Spec::new("bandit", Cells::Floats, &[1], &actions) }
    }

    fn reset(&mut self, _random: &mut Random) {}

    fn step(&mut self, action: usize, random: &mut Random) -> Outcome {
        self.paid = random.unit() < ARMS[action];
        Outcome { reward: if self.paid { 1.0 } else { 0.0 }, terminated: true }
    }

    fn observe(&self, into: &mut [f32]) {
        into.fill(1.0);
    }

    fn draw(&self) -> RgbImage {
        let mut canvas = Canvas::new(8, 8, [245, 245, 245]);
        let colour = if self.paid { [220, 180, 40] } else { [120, 120, 120] };
        canvas.disc((4.0, 4.0), 3.0, colour);
        canvas.scaled(4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn naming_the_sign_pays() {
        let (mut game, mut random) = (Identity::default(), Random::new(1));
        let mut seen = [false; SIGNS];
        for _ in 0..100 {
            let mut cells = [0.0; SIGNS];
            game.observe(&mut cells);
            let sign = cells.iter().position(|cell| *cell == 1.0).unwrap();
            seen[sign] = true;
            let wrong = game.clone().step((sign + 1) % SIGNS, &mut random.clone());
            assert_eq!(wrong.reward, 0.0);
            assert_eq!(game.step(sign, &mut random).reward, 1.0);
        }
        assert_eq!(seen, [true; SIGNS]);
    }

    #[test]
    fn arms_pay_as_often_as_they_say() {
        let (mut game, mut random) = (Bandit::default(), Random::new(1));
        for (arm, &rate) in ARMS.iter().enumerate() {
            let mut paid = 0.0;
            for _ in 0..10_000 {
                let outcome = game.step(arm, &mut random);
                assert!(outcome.terminated);
                paid += outcome.reward;
            }
            // Four standard errors.
            assert!((paid / 10_000.0 - rate).abs() < 0.02, "arm {arm}: {paid}");
        }
    }
}
