//! CartPole: keep a pole upright on a cart that is pushed left or right.
//!
//! Barto, Sutton and Anderson: "Neuronlike adaptive elements that can solve difficult learning
//! control problems", 1983. The constants, the Euler step of 0.02 s and the limits are those
//! of Gymnasium's CartPole-v1, with whose trajectories it is compared in the tests.

use super::draw::Canvas;
use super::game::{Game, Outcome, Random};
use super::spec::{Cells, Spec};
use super::trig::sin_cos;
use image::RgbImage;
use serde::{Deserialize, Serialize};

const GRAVITY: f64 = 9.8;
const POLE_MASS: f64 = 0.1;
const TOTAL_MASS: f64 = 1.0 + POLE_MASS;
/// Half the pole's length, in metres.
const HALF_LENGTH: f64 = 0.5;
/// The push, in newtons.
const FORCE: f64 = 10.0;
/// Seconds per step.
const TAU: f64 = 0.02;
/// Where the track ends, in metres from the middle.
const TRACK: f64 = 2.4;
/// The angle from which the pole counts as fallen: 12 degrees, in radians.
const FALLEN: f64 = 12.0 * std::f64::consts::TAU / 360.0;

/// One cart with its pole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CartPole {
    /// Place of the cart in metres, and its speed.
    pub x: [f64; 2],
    /// Angle of the pole in radians from upright, clockwise, and its speed.
    pub theta: [f64; 2],
}

impl Game for CartPole {
    type Cell = f32;

    fn spec(&self) -> Spec {
        Spec {
            time_limit: Some(500),
            solved_at: Some(475.0),
            ..Spec::new("cartpole", Cells::Floats, &[4], &["left", "right"])
        }
    }

    #[inline]
    fn reset(&mut self, random: &mut Random) {
        let mut draw = || f64::from(random.between(-0.05, 0.05));
        self.x = [draw(), draw()];
        self.theta = [draw(), draw()];
    }

    #[inline]
    fn step(&mut self, action: usize, _random: &mut Random) -> Outcome {
        let force = if action == 1 { FORCE } else { -FORCE };
        let ([x, x_speed], [theta, theta_speed]) = (self.x, self.theta);
        let (sine, cosine) = sin_cos(theta);
        // Florian: "Correct equations for the dynamics of the cart-pole system", 2007, without
        // friction.
        let pole = POLE_MASS * HALF_LENGTH;
        let push = (force + pole * theta_speed * theta_speed * sine) * (1.0 / TOTAL_MASS);
        let theta_acceleration = (GRAVITY * sine - cosine * push)
            / (HALF_LENGTH * (4.0 / 3.0 - POLE_MASS / TOTAL_MASS * cosine * cosine));
        let x_acceleration = push - pole / TOTAL_MASS * theta_acceleration * cosine;
        self.x = [x + TAU * x_speed, x_speed + TAU * x_acceleration];
        self.theta = [theta + TAU * theta_speed, theta_speed + TAU * theta_acceleration];
        let terminated = self.x[0].abs() > TRACK || self.theta[0].abs() > FALLEN;
        Outcome { reward: 1.0, terminated }
    }

    #[inline]
    fn observe(&self, into: &mut [f32]) {
        let [x, x_speed] = self.x;
        let [theta, theta_speed] = self.theta;
        into.copy_from_slice(&[x as f32, x_speed as f32, theta as f32, theta_speed as f32]);
    }

    fn draw(&self) -> RgbImage {
        let mut canvas = Canvas::new(120, 80, [245, 245, 245]);
        let scale = 120.0 / (2.0 * TRACK);
        let (x, ground) = (60.0 + self.x[0] * scale, 60.0);
        let (sine, cosine) = self.theta[0].sin_cos();
        let tip =
            (x + 2.0 * HALF_LENGTH * scale * sine, ground - 2.0 * HALF_LENGTH * scale * cosine);
        canvas.line((0.0, ground + 5.0), (120.0, ground + 5.0), 1.0, [150, 150, 150]);
        canvas.rectangle((x - 8.0, ground - 4.0), (x + 8.0, ground + 4.0), [40, 60, 90]);
        canvas.line((x, ground), tip, 3.0, [200, 120, 40]);
        canvas.scaled(4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_still_pole_falls_against_the_push() {
        let mut game = CartPole::default();
        let mut random = Random::new(1);
        // Upright and at rest: theta'' = -10 / 1.1 / (0.5 * (4/3 - 0.1/1.1)), from the formula.
        game.step(1, &mut random);
        let expected = -TAU * (10.0 / 1.1) / (0.5 * (4.0 / 3.0 - 0.1 / 1.1));
        assert!((game.theta[1] - expected).abs() < 1e-12);
        assert!(game.x[1] > 0.0);
        let steps = (2..).find(|_| game.step(1, &mut random).terminated);
        assert_eq!(steps, Some(9), "a constant push fells it within ten steps");
    }
}
