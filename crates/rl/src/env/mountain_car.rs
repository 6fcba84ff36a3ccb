//! MountainCar: a car too weak for the hill must swing itself up.
//!
//! Moore: "Efficient Memory-based Learning for Robot Control", 1990. The constants and limits
//! are those of Gymnasium's MountainCar-v0, with whose trajectories it is compared in the tests.

use super::draw::Canvas;
use super::game::{Game, Outcome, Random};
use super::spec::{Cells, Spec};
use super::trig::sin_cos;
use image::RgbImage;
use serde::{Deserialize, Serialize};

const FORCE: f64 = 0.001;
const GRAVITY: f64 = 0.0025;
const FASTEST: f64 = 0.07;
/// Where the environment ends on the left, where on the right, and where the goal is.
const LEFT: f64 = -1.2;
const RIGHT: f64 = 0.6;
const GOAL: f64 = 0.5;

/// One car.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MountainCar {
    /// Its place, and its speed per step.
    pub x: [f64; 2],
}

impl Game for MountainCar {
    type Cell = f32;

    fn spec(&self) -> Spec {
        Spec {
            time_limit: Some(200),
            solved_at: Some(-110.0),
            ..Spec::new("mountain-car", Cells::Floats, &[2], &["left", "none", "right"])
        }
    }

    #[inline]
    fn reset(&mut self, random: &mut Random) {
        self.x = [f64::from(random.between(-0.6, -0.4)), 0.0];
    }

    #[inline]
    fn step(&mut self, action: usize, _random: &mut Random) -> Outcome {
        let [x, speed] = self.x;
        let slope = sin_cos(3.0 * x).1;
        let speed = speed + (action as f64 - 1.0) * FORCE - slope * GRAVITY;
        let speed = speed.clamp(-FASTEST, FASTEST);
        let x = (x + speed).clamp(LEFT, RIGHT);
        // The wall on the left stops it.
        let speed = if x == LEFT { speed.max(0.0) } else { speed };
        self.x = [x, speed];
        Outcome { reward: -1.0, terminated: x >= GOAL && speed >= 0.0 }
    }

    #[inline]
    fn observe(&self, into: &mut [f32]) {
        into.copy_from_slice(&self.x.map(|value| value as f32));
    }

    fn draw(&self) -> RgbImage {
        let mut canvas = Canvas::new(120, 80, [245, 245, 245]);
        let at = |x: f64| ((x - LEFT) * 120.0 / (RIGHT - LEFT), 60.0 - 20.0 * (3.0 * x).sin());
        for n in 0..60 {
            let x = |n: i32| LEFT + (RIGHT - LEFT) * f64::from(n) / 60.0;
            canvas.line(at(x(n)), at(x(n + 1)), 1.5, [110, 130, 100]);
        }
        let (x, y) = at(GOAL);
        canvas.line((x, y), (x, y - 15.0), 1.0, [60, 60, 60]);
        canvas.rectangle((x, y - 15.0), (x + 6.0, y - 11.0), [200, 60, 50]);
        let (x, y) = at(self.x[0]);
        canvas.disc((x, y - 4.0), 4.0, [40, 60, 90]);
        canvas.scaled(4)
    }
}
