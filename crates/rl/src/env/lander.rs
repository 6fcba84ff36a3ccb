//! Like LunarLander: bring a craft with three engines down on the pad between the flags.
//!
//! Actions, observation, rewards and limits are those of Gymnasium's LunarLander-v3. Its motion
//! comes from a physics engine and cannot be repeated number by number: here the craft is one
//! rigid body with two springy feet. Its first speed, and what gravity and the engines do to it,
//! are as measured there; the flames have no random spread.

use super::draw::Canvas;
use super::game::{Game, Outcome, Random};
use super::spec::{Cells, Spec};
use image::RgbImage;
use serde::{Deserialize, Serialize};

/// Size of the environment in metres; frames per second; metres per second squared.
const WIDTH: f64 = 20.0;
const HEIGHT: f64 = 40.0 / 3.0;
const FPS: f64 = 50.0;
const GRAVITY: f64 = 10.0;
/// What the engines do: metres and radians per second squared.
const MAIN: f64 = 17.5;
const SIDE: f64 = 2.4;
const TURN: f64 = 5.0;
/// How high the pad lies.
const PAD: f64 = HEIGHT / 4.0;
/// The feet, the corners of the hull and its upper corners, from the centre of the craft.
const FEET: [[f64; 2]; 2] = [[-0.75, -0.8], [0.75, -0.8]];
const HULL: [[f64; 2]; 4] = [[-0.57, -0.33], [0.57, -0.33], [-0.47, 0.57], [0.47, 0.57]];
/// A foot's spring and damping, by the mass of the craft, its friction, and the craft's moment
/// of inertia by its mass.
const SPRING: f64 = 60.0;
const DAMPING: f64 = 6.0;
const FRICTION: f64 = 0.2;
const INERTIA: f64 = 0.18;
/// Steps of the integration per frame.
const SUBSTEPS: usize = 8;
/// Frames without motion after which it has landed.
const REST: u8 = 10;
/// Points of the ground.
const POINTS: usize = 11;

/// One craft.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lander {
    place: [f64; 2],
    speed: [f64; 2],
    /// Radians from upright, to the left.
    angle: f64,
    turning: f64,
    feet_down: [bool; 2],
    still: u8,
    /// How high the ground is, at equal distances from left to right.
    ground: [f64; POINTS],
    /// The engine that burns, for images.
    engine: usize,
    /// What the place was worth after the last step.
    worth: f64,
}

impl Lander {
    fn ground_at(&self, x: f64) -> f64 {
        let at = (x / WIDTH * (POINTS - 1) as f64).clamp(0.0, (POINTS - 1) as f64 - 1e-9);
        let (left, share) = (at as usize, at.fract());
        self.ground[left] * (1.0 - share) + self.ground[left + 1] * share
    }

    /// A point of the craft on the map.
    fn point(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let (sine, cosine) = self.angle.sin_cos();
        [self.place[0] + x * cosine - y * sine, self.place[1] + x * sine + y * cosine]
    }

    /// The eight numbers that are seen.
    fn seen(&self) -> [f64; 8] {
        let (half_width, half_height) = (WIDTH / 2.0, HEIGHT / 2.0);
        [
            (self.place[0] - half_width) / half_width,
            (self.place[1] - (PAD - FEET[0][1])) / half_height,
            self.speed[0] * half_width / FPS,
            self.speed[1] * half_height / FPS,
            self.angle,
            20.0 * self.turning / FPS,
            f64::from(u8::from(self.feet_down[0])),
            f64::from(u8::from(self.feet_down[1])),
        ]
    }

    /// Near, slow, upright and standing is worth most.
    fn worth(&self) -> f64 {
        let [x, y, x_speed, y_speed, angle, _, left, right] = self.seen();
        -100.0 * (x.hypot(y) + x_speed.hypot(y_speed) + angle.abs()) + 10.0 * (left + right)
    }

    /// One part of a frame.
    fn integrate(&mut self, action: usize, dt: f64) {
        let (sine, cosine) = self.angle.sin_cos();
        let (mut ax, mut ay, mut turn) = (0.0, -GRAVITY, 0.0);
        match action {
            // The left engine pushes to the left above the centre, which turns to the left.
            1 => (ax, ay, turn) = (ax - SIDE * cosine, ay - SIDE * sine, TURN),
            2 => (ax, ay) = (ax - MAIN * sine, ay + MAIN * cosine),
            3 => (ax, ay, turn) = (ax + SIDE * cosine, ay + SIDE * sine, -TURN),
            _ => {}
        }
        for (foot, down) in FEET.into_iter().enumerate() {
            let [x, y] = self.point(down);
            let depth = self.ground_at(x) - y;
            self.feet_down[foot] = depth > 0.0;
            if depth > 0.0 {
                let (arm_x, arm_y) = (x - self.place[0], y - self.place[1]);
                let foot_x = self.speed[0] - self.turning * arm_y;
                let foot_y = self.speed[1] + self.turning * arm_x;
                let push = (SPRING * depth - DAMPING * foot_y).max(0.0);
                let slip = (-DAMPING * foot_x).clamp(-FRICTION * push, FRICTION * push);
                (ax, ay) = (ax + slip, ay + push);
                turn += (arm_x * push - arm_y * slip) / INERTIA;
            }
        }
        self.speed = [self.speed[0] + ax * dt, self.speed[1] + ay * dt];
        self.turning += turn * dt;
        self.place = [self.place[0] + self.speed[0] * dt, self.place[1] + self.speed[1] * dt];
        self.angle += self.turning * dt;
    }
}

impl Game for Lander {
    type Cell = f32;

    fn spec(&self) -> Spec {
        let actions = ["none", "left engine", "main engine", "right engine"];
        Spec {
            time_limit: Some(1000),
            solved_at: Some(200.0),
            ..Spec::new("lander", Cells::Floats, &[8], &actions)
        }
    }

    fn reset(&mut self, random: &mut Random) {
        let middle = POINTS / 2;
        // The mean of three neighbours, flat around the pad.
        let heights: [f64; POINTS + 2] = std::array::from_fn(|i| {
            let hill = f64::from(random.unit()) * HEIGHT / 2.0;
            if i.abs_diff(middle + 1) <= 2 { PAD } else { hill }
        });
        let ground = std::array::from_fn(|i| heights[i..i + 3].iter().sum::<f64>() / 3.0);
        let mut draw = |most: f32| f64::from(random.between(-most, most));
        *self = Self {
            place: [WIDTH / 2.0, HEIGHT],
            speed: [draw(4.0), draw(4.0)],
            turning: draw(0.45),
            ground,
            ..Self::default()
        };
        self.worth = self.worth();
    }

    fn step(&mut self, action: usize, _random: &mut Random) -> Outcome {
        for _ in 0..SUBSTEPS {
            self.integrate(action, 1.0 / FPS / SUBSTEPS as f64);
        }
        self.engine = action;
        let worth = self.worth();
        let fuel = [0.0, 0.03, 0.3, 0.03][action];
        let mut reward = worth - self.worth - fuel;
        self.worth = worth;
        let motion = self.speed[0].hypot(self.speed[1]) + self.turning.abs();
        let standing = self.feet_down == [true; 2] && motion < 0.05;
        self.still = if standing { self.still + 1 } else { 0 };
        let touches = |corner: [f64; 2]| {
            let [x, y] = self.point(corner);
            y < self.ground_at(x)
        };
        let crashed = HULL.into_iter().any(touches) || self.seen()[0].abs() >= 1.0;
        let landed = self.still >= REST;
        if crashed {
            reward = -100.0;
        } else if landed {
            reward = 100.0;
        }
        Outcome { reward: reward as f32, terminated: crashed || landed }
    }

    fn observe(&self, into: &mut [f32]) {
        into.copy_from_slice(&self.seen().map(|value| value as f32));
    }

    fn draw(&self) -> RgbImage {
        const SCALE: f64 = 6.0;
        let at = |[x, y]: [f64; 2]| (x * SCALE, (HEIGHT + 1.0 - y) * SCALE);
        let (width, height) = ((WIDTH * SCALE) as u32, ((HEIGHT + 1.0) * SCALE) as u32);
        let mut canvas = Canvas::new(width, height, [20, 20, 30]);
        for column in 0..width {
            let x = (f64::from(column) + 0.5) / SCALE;
            let (left, top) = at([x, self.ground_at(x)]);
            canvas.rectangle((left - 0.5, top), (left + 0.5, height.into()), [120, 120, 125]);
        }
        for x in [WIDTH * 0.4, WIDTH * 0.6] {
            canvas.line(at([x, PAD]), at([x, PAD + 1.2]), 1.0, [240, 200, 60]);
        }
        let flame = [None, Some([-0.9, 0.3]), Some([0.0, -1.0]), Some([0.9, 0.3])][self.engine];
        if let Some(flame) = flame {
            canvas.line(at(self.place), at(self.point(flame)), 2.0, [250, 150, 50]);
        }
        for foot in FEET {
            canvas.line(at(self.place), at(self.point(foot)), 1.2, [170, 170, 190]);
        }
        canvas.line(
            at(self.point([-0.35, 0.1])),
            at(self.point([0.35, 0.1])),
            5.0,
            [120, 110, 220],
        );
        canvas.scaled(4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rule of thumb that Gymnasium gives for its own lander: turn against the drift, fire
    /// against the fall.
    fn rule_of_thumb(seen: &[f32]) -> usize {
        let &[x, y, x_speed, y_speed, angle, turning, left, right] = seen else { panic!() };
        let wanted_angle = (0.5 * x + x_speed).clamp(-0.4, 0.4);
        let mut turn = 0.5 * (wanted_angle - angle) - turning;
        let mut lift = 0.5 * (0.55 * x.abs() - y) - 0.5 * y_speed;
        if left + right > 0.0 {
            (turn, lift) = (0.0, -0.5 * y_speed);
        }
        if lift > turn.abs() && lift > 0.05 {
            2
        } else if turn < -0.05 {
            3
        } else if turn > 0.05 {
            1
        } else {
            0
        }
    }

    fn play(seed: u64, act: impl Fn(&[f32]) -> usize) -> (f32, usize) {
        let (mut game, mut random) = (Lander::default(), Random::keyed(&[seed]));
        game.reset(&mut random);
        let (mut score, mut seen) = (0.0, [0.0; 8]);
        for step in 1..=1000 {
            game.observe(&mut seen);
            let outcome = game.step(act(&seen), &mut random);
            score += outcome.reward;
            if outcome.terminated {
                return (score, step);
            }
        }
        (score, 1000)
    }

    #[test]
    fn the_rule_of_thumb_lands_and_who_does_nothing_crashes() {
        let scores: Vec<_> = (0..50).map(|seed| play(seed, rule_of_thumb)).collect();
        let mean = scores.iter().map(|(score, _)| score).sum::<f32>() / 50.0;
        assert!(mean > 200.0, "rule of thumb: {mean}: {scores:?}");
        let falls: Vec<_> = (0..50).map(|seed| play(seed, |_| 0)).collect();
        let mean = falls.iter().map(|(score, _)| score).sum::<f32>() / 50.0;
        assert!(mean < -80.0, "nothing: {mean}: {falls:?}");
        assert!(falls.iter().all(|(_, steps)| *steps < 200), "{falls:?}");
    }

    #[test]
    fn engines_do_what_they_are_called() {
        let after = |action| {
            let mut game = Lander { place: [10.0, 10.0], ..Lander::default() };
            game.step(action, &mut Random::new(0));
            game
        };
        assert!((after(0).speed[1] + GRAVITY / FPS).abs() < 1e-9);
        assert!((after(2).speed[1] - (MAIN - GRAVITY) / FPS).abs() < 1e-9);
        assert!(after(1).speed[0] < 0.0 && after(1).turning > 0.0);
        assert!(after(3).speed[0] > 0.0 && after(3).turning < 0.0);
        // Turned to the left, the main engine pushes to the left.
        let mut game = Lander { place: [10.0, 10.0], angle: 0.3, ..Lander::default() };
        game.step(2, &mut Random::new(0));
        assert!(game.speed[0] < 0.0);
    }
}
