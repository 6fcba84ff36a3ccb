//! Breakout: a paddle, a ball, three rows of bricks.

use super::{Action, Outcome, Planes, Random, Rules, SIDE};
use serde::{Deserialize, Serialize};

/// All bricks of a row.
const FULL: u16 = (1 << SIDE) - 1;
const LAST: i8 = SIDE as i8 - 1;

/// The state of a game.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Breakout {
    paddle: i8,
    /// Row and column.
    ball: [i8; 2],
    /// Where the ball was before.
    trail: [i8; 2],
    /// By how much row and column of the ball change: 1 or -1.
    speed: [i8; 2],
    /// One bit per brick in rows 1 to 3.
    bricks: [u16; 3],
    /// Whether the ball met a brick in the last step: no second one breaks at once.
    struck: bool,
}

impl Breakout {
    fn brick(&mut self, row: i8) -> Option<&mut u16> {
        self.bricks.get_mut((row as usize).wrapping_sub(1))
    }
}

impl Rules for Breakout {
    const NAME: &'static str = "breakout";
    const PLANES: &'static [(&'static str, [u8; 3])] = &[
        ("paddle", [90, 170, 240]),
        ("ball", [250, 250, 250]),
        ("trail", [110, 110, 120]),
        ("brick", [220, 110, 60]),
    ];

    fn reset(&mut self, random: &mut Random) {
        let right = random.below(2) == 1;
        let ball = [3, super::edge(right)];
        *self = Self {
            paddle: 4,
            ball,
            trail: ball,
            speed: [1, super::ahead(right)],
            bricks: [FULL; 3],
            struck: false,
        };
    }

    fn step(&mut self, action: Action, _random: &mut Random) -> Outcome {
        match action {
            Action::Left => self.paddle = (self.paddle - 1).max(0),
            Action::Right => self.paddle = (self.paddle + 1).min(LAST),
            _ => {}
        }
        let old = self.ball;
        let [mut row, mut column] = [old[0] + self.speed[0], old[1] + self.speed[1]];
        let mut outcome = Outcome::default();
        if !(0..=LAST).contains(&column) {
            column = column.clamp(0, LAST);
            self.speed[1] = -self.speed[1];
        }
        let met = 1u16 << column;
        let struck = self.brick(row).is_some_and(|bricks| *bricks & met != 0);
        if row < 0 {
            row = 0;
            self.speed[0] = 1;
        } else if struck {
            if !self.struck {
                if let Some(bricks) = self.brick(row) {
                    *bricks &= !met;
                }
                outcome.reward = 1.0;
                row = old[0];
                self.speed[0] = -self.speed[0];
            }
        } else if row == LAST {
            if self.bricks == [0; 3] {
                self.bricks = [FULL; 3];
            }
            if old[1] == self.paddle {
                row = old[0];
                self.speed[0] = -1;
            } else if column == self.paddle {
                row = old[0];
                self.speed = [-1, -self.speed[1]];
            } else {
                outcome.terminated = true;
            }
        }
        self.struck = struck;
        self.trail = old;
        self.ball = [row, column];
        outcome
    }

    fn observe(&self, planes: &mut Planes<'_>) {
        planes.set(0, LAST, self.paddle);
        planes.set(1, self.ball[0], self.ball[1]);
        planes.set(2, self.trail[0], self.trail[1]);
        for (row, bricks) in self.bricks.iter().enumerate() {
            planes.set_row(3, row + 1, *bricks);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(right: bool) -> Breakout {
        let mut game = Breakout::default();
        let mut random = (0..).map(Random::new).find(|r| (r.clone().below(2) == 1) == right);
        game.reset(random.as_mut().unwrap());
        game
    }

    fn steps(game: &mut Breakout, actions: &[Action]) -> Outcome {
        let mut random = Random::new(0);
        actions.iter().map(|action| game.step(*action, &mut random)).last().unwrap()
    }

    #[test]
    fn the_ball_falls_past_a_still_paddle() {
        // From (3, 0) down and right: row 9 at column 6, and the paddle waits at 4.
        let mut game = start(true);
        assert_eq!((game.ball, game.speed), ([3, 0], [1, 1]));
        assert!(!steps(&mut game, &[Action::None; 5]).terminated);
        assert_eq!((game.ball, game.trail), ([8, 5], [7, 4]));
        assert!(steps(&mut game, &[Action::None]).terminated);
    }

    #[test]
    fn the_paddle_returns_it_and_a_brick_breaks() {
        // The paddle goes to 5, where the ball comes down from: it goes on to the right.
        let mut game = start(true);
        steps(&mut game, &[Action::Right]);
        steps(&mut game, &[Action::None; 5]);
        assert_eq!((game.ball, game.speed), ([8, 6], [-1, 1]));
        // The paddle under where the ball goes to: back where it came from.
        let mut game = start(true);
        steps(&mut game, &[Action::Right, Action::Right]);
        steps(&mut game, &[Action::None; 4]);
        assert_eq!((game.ball, game.speed), ([8, 6], [-1, -1]));
        // Up to row 4, then it meets the brick at row 3, column 1.
        steps(&mut game, &[Action::None; 4]);
        assert_eq!(game.ball, [4, 2]);
        let outcome = steps(&mut game, &[Action::None]);
        assert_eq!((outcome.reward, outcome.terminated), (1.0, false));
        assert_eq!((game.ball, game.speed), ([4, 1], [1, -1]));
        assert_eq!(game.bricks, [FULL, FULL, FULL & !2]);
    }

    #[test]
    fn no_second_brick_breaks_in_the_next_step() {
        let mut game = start(true);
        (game.ball, game.speed, game.bricks) = ([2, 4], [-1, 1], [FULL, 0, FULL]);
        assert_eq!(steps(&mut game, &[Action::None]).reward, 1.0);
        // It is thrown back into row 3, where it passes the brick.
        assert_eq!((game.ball, game.speed), ([2, 5], [1, 1]));
        assert_eq!(steps(&mut game, &[Action::None]).reward, 0.0);
        assert_eq!((game.ball, game.bricks[2]), ([3, 6], FULL));
    }

    #[test]
    fn bricks_come_back_when_all_are_gone_and_the_ball_is_down() {
        let mut game = start(true);
        (game.ball, game.speed, game.bricks, game.paddle) = ([8, 4], [1, 1], [0; 3], 4);
        let outcome = steps(&mut game, &[Action::None]);
        assert_eq!((outcome.terminated, game.bricks), (false, [FULL; 3]));
    }
}
