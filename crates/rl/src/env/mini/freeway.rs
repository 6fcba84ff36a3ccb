//! Freeway: a chicken crosses eight lanes of cars.

use super::{Action, Outcome, Planes, Random, Rules};
use serde::{Deserialize, Serialize};

/// The column in which the chicken walks.
const COLUMN: i8 = 4;
/// Steps from one move of the chicken to the next.
const PERIOD: u8 = 3;

/// A car in one of rows 1 to 8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Car {
    column: i8,
    /// 1 to 5, negative to the left: it moves every |speed| + 1 steps.
    speed: i8,
    wait: i8,
}

/// The state of a game.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Freeway {
    chicken: i8,
    wait: u8,
    cars: [Car; 8],
}

impl Freeway {
    fn draw_speeds(&mut self, random: &mut Random) {
        for car in &mut self.cars {
            car.wait = 1 + random.below(5) as i8;
            car.speed = if random.below(2) == 0 { car.wait } else { -car.wait };
        }
    }
}

impl Rules for Freeway {
    const NAME: &'static str = "freeway";
    const PLANES: &'static [(&'static str, [u8; 3])] = &[
        ("chicken", [240, 220, 120]),
        ("car", [220, 80, 70]),
        ("speed 1", [160, 160, 170]),
        ("speed 2", [140, 140, 150]),
        ("speed 3", [115, 115, 125]),
        ("speed 4", [90, 90, 100]),
        ("speed 5", [65, 65, 75]),
    ];
    const TIME_LIMIT: Option<u32> = Some(2500);

    fn reset(&mut self, random: &mut Random) {
        *self = Self { chicken: 9, wait: PERIOD, cars: Default::default() };
        self.draw_speeds(random);
    }

    fn step(&mut self, action: Action, random: &mut Random) -> Outcome {
        let mut outcome = Outcome::default();
        if self.wait == 0 && matches!(action, Action::Up | Action::Down) {
            let by = if action == Action::Up { -1 } else { 1 };
            self.chicken = (self.chicken + by).clamp(0, 9);
            self.wait = PERIOD;
        }
        if self.chicken == 0 {
            outcome.reward = 1.0;
            self.draw_speeds(random);
            self.chicken = 9;
        }
        for (row, car) in (1..).zip(&mut self.cars) {
            let mut hit = car.column == COLUMN && row == self.chicken;
            if car.wait == 0 {
                car.wait = car.speed.abs();
                car.column = (car.column + car.speed.signum()).rem_euclid(10);
                hit |= car.column == COLUMN && row == self.chicken;
            } else {
                car.wait -= 1;
            }
            if hit {
                self.chicken = 9;
            }
        }
        self.wait = self.wait.saturating_sub(1);
        outcome
    }

    fn observe(&self, planes: &mut Planes<'_>) {
        planes.set(0, self.chicken, COLUMN);
        for (row, car) in (1..).zip(&self.cars) {
            planes.set(1, row, car.column);
            let behind = (car.column - car.speed.signum()).rem_euclid(10);
            planes.set(1 + car.speed.unsigned_abs() as usize, row, behind);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Freeway {
        let mut game = Freeway::default();
        game.reset(&mut Random::new(1));
        game
    }

    #[test]
    fn crossing_takes_nine_moves_of_three_steps_and_pays() {
        let (mut game, mut random) = (start(), Random::new(2));
        let before = game.cars;
        let mut steps = 0;
        loop {
            steps += 1;
            // Out of the way.
            game.cars.iter_mut().for_each(|car| car.column = 0);
            let outcome = game.step(Action::Up, &mut random);
            if outcome.reward > 0.0 {
                break;
            }
        }
        // The first may be made after three.
        assert_eq!((steps, game.chicken), (3 + 8 * 3 + 1, 9));
        let speeds = |cars: &[Car; 8]| cars.map(|car| car.speed);
        assert_ne!(speeds(&game.cars), speeds(&before), "the cars change");
    }

    #[test]
    fn a_car_throws_the_chicken_back() {
        let (mut game, mut random) = (start(), Random::new(1));
        game.chicken = 5;
        game.cars[4] = Car { column: 3, speed: 1, wait: 0 };
        assert!(!game.step(Action::None, &mut random).terminated);
        assert_eq!(game.chicken, 9);
    }

    #[test]
    fn a_car_of_speed_n_moves_every_n_plus_one_steps_and_comes_round() {
        for speed in [1i8, -3, 5] {
            let (mut game, mut random) = (start(), Random::new(1));
            game.cars[0] = Car { column: 0, speed, wait: speed.abs() };
            let period = i32::from(speed.abs()) + 1;
            for step in 1..=period * 25 {
                game.step(Action::None, &mut random);
                let moves = (step / period) as i8 * speed.signum();
                assert_eq!(game.cars[0].column, moves.rem_euclid(10), "{speed} at {step}");
            }
        }
    }
}
