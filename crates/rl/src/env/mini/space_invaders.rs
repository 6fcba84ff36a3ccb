//! Space Invaders: a cannon below, waves of aliens above.

use super::{Action, Outcome, Planes, Random, Rules, SIDE};
use serde::{Deserialize, Serialize};

/// The aliens of a new wave, in each of the first four rows: columns 2 to 7.
const WAVE: u16 = 0b00_1111_1100;
const ALL: u16 = (1 << SIDE) - 1;
/// Steps between shots of the aliens, and of the cannon.
const ALIEN_SHOT: u8 = 10;
const SHOT: u8 = 5;
/// The most steps between two moves of the aliens, at first and after many waves.
const SLOWEST: u8 = 12;
const FASTEST: u8 = 6;
const LAST: usize = SIDE - 1;

/// One bit per cell, by row from the top; bit 0 is the column on the left.
type Rows = [u16; SIDE];

/// The state of a game.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SpaceInvaders {
    cannon: i8,
    reload: u8,
    shots: Rows,
    alien_shots: Rows,
    aliens: Rows,
    right: bool,
    /// The most steps between two moves of the aliens: fewer with each wave.
    slowest: u8,
    move_wait: u8,
    shot_wait: u8,
}

impl SpaceInvaders {
    fn alive(&self) -> u8 {
        self.aliens.iter().map(|row| row.count_ones() as u8).sum()
    }

    fn wave(&mut self) {
        self.aliens = [0; SIDE];
        self.aliens[..4].fill(WAVE);
    }

    /// The aliens move; whether they land.
    fn advance(&mut self) -> bool {
        let columns = self.aliens.iter().fold(0, |all, row| all | row);
        let at_edge = if self.right { columns >> LAST & 1 == 1 } else { columns & 1 == 1 };
        if at_edge {
            self.right = !self.right;
            let landed = self.aliens[LAST] != 0;
            self.aliens.copy_within(..LAST, 1);
            self.aliens[0] = 0;
            return landed;
        }
        for row in &mut self.aliens {
            *row = if self.right { *row << 1 & ALL } else { *row >> 1 };
        }
        false
    }

    /// The lowest alien of the column nearest to the cannon shoots.
    fn alien_shoots(&mut self) {
        let columns = self.aliens.iter().fold(0u16, |all, row| all | row);
        let near = (0..SIDE as i8).filter(|column| columns >> column & 1 == 1);
        let Some(column) = near.min_by_key(|column| (column - self.cannon).abs()) else { return };
        let bit = 1 << column;
        if let Some(row) = (0..SIDE).rev().find(|row| self.aliens[*row] & bit != 0) {
            self.alien_shots[row] |= bit;
        }
    }
}

impl Rules for SpaceInvaders {
    const NAME: &'static str = "space-invaders";
    const PLANES: &'static [(&'static str, [u8; 3])] = &[
        ("cannon", [90, 170, 240]),
        ("alien", [120, 200, 110]),
        ("moving left", [120, 200, 110]),
        ("moving right", [100, 180, 120]),
        ("own bullet", [250, 250, 250]),
        ("enemy bullet", [230, 90, 70]),
    ];

    fn reset(&mut self, _random: &mut Random) {
        *self = Self {
            cannon: 5,
            slowest: SLOWEST,
            move_wait: SLOWEST,
            shot_wait: ALIEN_SHOT,
            ..Self::default()
        };
        self.wave();
    }

    fn step(&mut self, action: Action, _random: &mut Random) -> Outcome {
        let mut outcome = Outcome::default();
        match action {
            Action::Fire if self.reload == 0 => {
                self.shots[LAST] |= 1 << self.cannon;
                self.reload = SHOT;
            }
            Action::Left => self.cannon = (self.cannon - 1).max(0),
            Action::Right => self.cannon = (self.cannon + 1).min(LAST as i8),
            _ => {}
        }
        let cannon = 1 << self.cannon;
        self.shots.copy_within(1.., 0);
        self.shots[LAST] = 0;
        self.alien_shots.copy_within(..LAST, 1);
        self.alien_shots[0] = 0;
        outcome.terminated |= self.alien_shots[LAST] & cannon != 0;
        outcome.terminated |= self.aliens[LAST] & cannon != 0;
        if self.move_wait == 0 {
            self.move_wait = self.alive().min(self.slowest);
            outcome.terminated |= self.advance();
            outcome.terminated |= self.aliens[LAST] & cannon != 0;
        }
        if self.shot_wait == 0 {
            self.shot_wait = ALIEN_SHOT;
            self.alien_shoots();
        }
        for (aliens, shots) in self.aliens.iter_mut().zip(&mut self.shots) {
            let hit = *aliens & *shots;
            outcome.reward += hit.count_ones() as f32;
            *aliens &= !hit;
            *shots &= !hit;
        }
        self.reload = self.reload.saturating_sub(1);
        self.move_wait = self.move_wait.saturating_sub(1);
        self.shot_wait -= 1;
        if self.aliens == [0; SIDE] {
            self.slowest = (self.slowest - 1).max(FASTEST);
            self.wave();
        }
        outcome
    }

    fn observe(&self, planes: &mut Planes<'_>) {
        planes.set(0, LAST as i8, self.cannon);
        for row in 0..SIDE {
            if self.aliens[row] != 0 {
                planes.set_row(1, row, self.aliens[row]);
                planes.set_row(if self.right { 3 } else { 2 }, row, self.aliens[row]);
            }
            if self.shots[row] != 0 {
                planes.set_row(4, row, self.shots[row]);
            }
            if self.alien_shots[row] != 0 {
                planes.set_row(5, row, self.alien_shots[row]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> SpaceInvaders {
        let mut game = SpaceInvaders::default();
        game.reset(&mut Random::new(1));
        game
    }

    fn step(game: &mut SpaceInvaders, action: Action) -> Outcome {
        game.step(action, &mut Random::new(0))
    }

    #[test]
    fn a_shot_rises_a_row_per_step_and_kills_what_it_meets() {
        let mut game = start();
        step(&mut game, Action::Fire);
        assert_eq!(game.shots[8], 1 << 5);
        for _ in 0..4 {
            assert_eq!(step(&mut game, Action::None).reward, 0.0);
        }
        assert_eq!(step(&mut game, Action::None).reward, 1.0, "in row 3");
        assert_eq!((game.alive(), game.shots), (23, [0; SIDE]));
        assert_eq!(game.aliens[3], WAVE & !(1 << 5));
    }

    #[test]
    fn the_cannon_shoots_every_five_steps_at_most() {
        let mut game = start();
        game.shot_wait = u8::MAX;
        let mut shot_at = Vec::new();
        for i in 0..12 {
            if game.reload == 0 {
                shot_at.push(i);
            }
            step(&mut game, Action::Fire);
        }
        assert_eq!(shot_at, [0, 5, 10]);
    }

    #[test]
    fn aliens_turn_and_come_down_at_the_edge() {
        let mut game = start();
        let mut moved_at = Vec::new();
        for i in 1..=50 {
            let before = game.aliens;
            game.alien_shots = [0; SIDE];
            step(&mut game, Action::None);
            if game.aliens != before {
                moved_at.push((i, game.aliens[4] != 0));
            }
        }
        // Two columns to the left, then down and to the right.
        assert_eq!(moved_at, [(13, false), (25, false), (37, true), (49, true)]);
        assert_eq!(game.aliens[4], WAVE >> 1);
    }

    #[test]
    fn the_nearest_alien_shoots_and_hits() {
        let mut game = start();
        let mut steps = 0;
        while !step(&mut game, Action::None).terminated {
            steps += 1;
            assert!(steps < 100);
        }
        // Shot in step 11 from row 3: six steps later at row 9.
        assert_eq!(steps + 1, 11 + 6);
        // Who steps aside is not hit.
        let mut game = start();
        for _ in 0..16 {
            step(&mut game, Action::None);
        }
        assert!(!step(&mut game, Action::Left).terminated);
    }

    #[test]
    fn a_new_wave_comes_faster() {
        let mut game = start();
        for expected in [11, 10, 9, 8, 7, 6, 6] {
            game.aliens = [0; SIDE];
            (game.aliens[0], game.shots[1], game.move_wait) = (1 << 5, 1 << 5, 5);
            assert_eq!(step(&mut game, Action::Left).reward, 1.0);
            assert_eq!((game.slowest, game.alive()), (expected, 24));
            game.alien_shots = [0; SIDE];
        }
    }
}
