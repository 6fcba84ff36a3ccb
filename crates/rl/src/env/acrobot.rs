//! Acrobot: two links hang from a joint, and only the joint between them has a motor; swing the
//! end above the line.
//!
//! Sutton: "Generalization in Reinforcement Learning: Successful Examples Using Sparse Coarse
//! Coding", 1996. The equations are those of Sutton and Barto's book, the constants, the
//! Runge-Kutta step of 0.2 s and the limits those of Gymnasium's Acrobot-v1, with whose
//! trajectories it is compared in the tests.

use super::draw::Canvas;
use super::game::{Game, Outcome, Random};
use super::spec::{Cells, Spec};
use super::trig::sin_cos;
use image::RgbImage;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// Both links have length and mass 1, their centres of mass in the middle, and a moment of
/// inertia of 1.
const CENTRE: f64 = 0.5;
const INERTIA: f64 = 1.0;
const GRAVITY: f64 = 9.8;
const STEP: f64 = 0.2;
const FASTEST: [f64; 2] = [4.0 * PI, 9.0 * PI];

/// Two links.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Acrobot {
    /// The angle of the first link from hanging, that of the second from the first, and their
    /// speeds, in radians and radians per second.
    pub state: [f64; 4],
}

impl Acrobot {
    /// How fast the state changes.
    #[inline]
    fn change([theta1, theta2, speed1, speed2]: [f64; 4], torque: f64) -> [f64; 4] {
        let (sine2, cosine2) = sin_cos(theta2);
        // cos(a - pi / 2) = sin(a).
        let (sine1, cosine1) = sin_cos(theta1);
        let sine12 = sine1 * cosine2 + cosine1 * sine2;
        let d1 = CENTRE * CENTRE + (1.0 + CENTRE * CENTRE + 2.0 * CENTRE * cosine2) + 2.0 * INERTIA;
        let d2 = CENTRE * CENTRE + CENTRE * cosine2 + INERTIA;
        let phi2 = CENTRE * GRAVITY * sine12;
        let phi1 = -CENTRE * speed2 * speed2 * sine2 - 2.0 * CENTRE * speed2 * speed1 * sine2
            + (CENTRE + 1.0) * GRAVITY * sine1
            + phi2;
        let acceleration2 = (torque + d2 / d1 * phi1 - CENTRE * speed1 * speed1 * sine2 - phi2)
            / (CENTRE * CENTRE + INERTIA - d2 * d2 / d1);
        let acceleration1 = -(d2 * acceleration2 + phi1) / d1;
        [speed1, speed2, acceleration1, acceleration2]
    }
}

impl Game for Acrobot {
    type Cell = f32;

    fn spec(&self) -> Spec {
        let actions = ["clockwise", "none", "counter-clockwise"];
        Spec {
            time_limit: Some(500),
            solved_at: Some(-100.0),
            ..Spec::new("acrobot", Cells::Floats, &[6], &actions)
        }
    }

    #[inline]
    fn reset(&mut self, random: &mut Random) {
        self.state = std::array::from_fn(|_| f64::from(random.between(-0.1, 0.1)));
    }

    #[inline]
    fn step(&mut self, action: usize, _random: &mut Random) -> Outcome {
        let torque = action as f64 - 1.0;
        let begin = self.state;
        let ahead = |by: f64, change: [f64; 4]| std::array::from_fn(|i| begin[i] + by * change[i]);
        // The classic method of Runge and Kutta.
        let k1 = Self::change(begin, torque);
        let k2 = Self::change(ahead(STEP / 2.0, k1), torque);
        let k3 = Self::change(ahead(STEP / 2.0, k2), torque);
        let k4 = Self::change(ahead(STEP, k3), torque);
        let mean = std::array::from_fn(|i| (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]) / 6.0);
        let [theta1, theta2, speed1, speed2]: [f64; 4] = ahead(STEP, mean);
        self.state = [
            wrap(theta1),
            wrap(theta2),
            speed1.clamp(-FASTEST[0], FASTEST[0]),
            speed2.clamp(-FASTEST[1], FASTEST[1]),
        ];
        let [theta1, theta2, ..] = self.state;
        let terminated = -sin_cos(theta1).1 - sin_cos(theta1 + theta2).1 > 1.0;
        Outcome { reward: if terminated { 0.0 } else { -1.0 }, terminated }
    }

    #[inline]
    fn observe(&self, into: &mut [f32]) {
        let [theta1, theta2, speed1, speed2] = self.state;
        let ((sine1, cosine1), (sine2, cosine2)) = (sin_cos(theta1), sin_cos(theta2));
        let seen = [cosine1, sine1, cosine2, sine2, speed1, speed2];
        into.copy_from_slice(&seen.map(|value| value as f32));
    }

    fn draw(&self) -> RgbImage {
        let mut canvas = Canvas::new(100, 100, [245, 245, 245]);
        let [theta1, theta2, ..] = self.state;
        let link =
            |(x, y): (f64, f64), angle: f64| (x + 22.0 * angle.sin(), y + 22.0 * angle.cos());
        let top = (50.0, 50.0);
        let middle = link(top, theta1);
        let end = link(middle, theta1 + theta2);
        canvas.line((0.0, 28.0), (100.0, 28.0), 1.0, [150, 190, 150]);
        canvas.line(top, middle, 4.0, [40, 60, 90]);
        canvas.line(middle, end, 4.0, [200, 120, 40]);
        canvas.disc(top, 3.0, [120, 120, 120]);
        canvas.disc(middle, 3.0, [120, 120, 120]);
        canvas.scaled(4)
    }
}

/// The same angle between -pi and pi.
#[inline]
fn wrap(mut angle: f64) -> f64 {
    while angle > PI {
        angle -= 2.0 * PI;
    }
    while angle < -PI {
        angle += 2.0 * PI;
    }
    angle
}
