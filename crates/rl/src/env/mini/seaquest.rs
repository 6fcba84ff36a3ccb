//! Seaquest: a submarine gathers divers among fish and enemies, and must come up for air.

use super::{Action, Outcome, Planes, Random, Rules, ahead, edge};
use serde::{Deserialize, Serialize};

/// Steps of air.
const OXYGEN: i16 = 200;
/// Divers that fill the submarine.
const SEATS: i8 = 6;
/// Steps from one new enemy to the next at first, and from one diver to the next.
const ENEMY_SPAWN: u8 = 20;
const DIVER_SPAWN: u8 = 30;
/// Steps that are waited between two moves, at first (of enemies) and always (of divers), and
/// between two shots of an enemy.
const WAIT: u8 = 5;
const SHOT_WAIT: u8 = 10;
/// Steps from one own shot to the next.
const RELOAD: u8 = 5;

/// Whatever swims straight on to the right or to the left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Swimmer {
    row: i8,
    column: i8,
    right: bool,
    wait: u8,
    /// Of an enemy submarine.
    reload: u8,
}

impl Swimmer {
    fn at(&self, place: [i8; 2]) -> bool {
        [self.row, self.column] == place
    }

    /// One cell on; whether it is still on the map.
    fn swim(&mut self) -> bool {
        self.column += ahead(self.right);
        (0..10).contains(&self.column)
    }

    /// One cell on after every `wait` steps; whether it is still on the map.
    fn swim_after(&mut self, wait: u8) -> bool {
        if self.wait > 0 {
            self.wait -= 1;
            return true;
        }
        self.wait = wait;
        self.swim()
    }
}

/// The state of a game.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Seaquest {
    /// Row and column of the own submarine's front.
    place: [i8; 2],
    right: bool,
    reload: u8,
    oxygen: i16,
    rescued: i8,
    surfaced: bool,
    shots: Vec<Swimmer>,
    enemy_shots: Vec<Swimmer>,
    fish: Vec<Swimmer>,
    enemies: Vec<Swimmer>,
    divers: Vec<Swimmer>,
    /// Steps from one enemy to the next, and those that are left.
    spawn: [u8; 2],
    diver_spawn: u8,
    /// Steps that enemies wait between two moves.
    wait: u8,
    ramps: u32,
}

impl Seaquest {
    fn spawn_enemy(&mut self, random: &mut Random) {
        let right = random.below(2) == 1;
        let submarine = random.below(3) == 0;
        let row = 1 + random.below(8) as i8;
        // Two in one row never swim against each other.
        if self.fish.iter().chain(&self.enemies).any(|s| s.row == row && s.right != right) {
            return;
        }
        let swimmer =
            Swimmer { row, column: edge(right), right, wait: self.wait, reload: SHOT_WAIT };
        if submarine { self.enemies.push(swimmer) } else { self.fish.push(swimmer) }
    }

    fn spawn_diver(&mut self, random: &mut Random) {
        let right = random.below(2) == 1;
        let row = 1 + random.below(8) as i8;
        self.divers.push(Swimmer { row, column: edge(right), right, wait: WAIT, reload: 0 });
    }

    /// Own shots fly and kill; the number of hits.
    fn shoot(&mut self) -> f32 {
        let (fish, enemies) = (&mut self.fish, &mut self.enemies);
        let mut hits = 0.0;
        self.shots.retain_mut(|shot| {
            if !shot.swim() {
                return false;
            }
            for targets in [&mut *fish, &mut *enemies] {
                if let Some(hit) = targets.iter().position(|s| s.at([shot.row, shot.column])) {
                    targets.remove(hit);
                    hits += 1.0;
                    return false;
                }
            }
            true
        });
        hits
    }

    fn gather(&mut self) {
        let (place, rescued) = (self.place, &mut self.rescued);
        let mut aboard = |diver: &Swimmer| {
            let comes = diver.at(place) && *rescued < SEATS;
            *rescued += i8::from(comes);
            comes
        };
        self.divers.retain_mut(|diver| !aboard(diver) && diver.swim_after(WAIT) && !aboard(diver));
    }

    /// All that harms moves; whether the submarine was hit.
    fn harm(&mut self) -> bool {
        let (place, wait, shots) = (self.place, self.wait, &mut self.enemy_shots);
        let mut hit = false;
        self.enemies.retain_mut(|enemy| {
            hit |= enemy.at(place);
            if !enemy.swim_after(wait) {
                return false;
            }
            hit |= enemy.at(place);
            if enemy.reload == 0 {
                enemy.reload = SHOT_WAIT;
                shots.push(*enemy);
            } else {
                enemy.reload -= 1;
            }
            true
        });
        shots.retain_mut(|shot| {
            hit |= shot.at(place);
            let stays = shot.swim();
            hit |= shot.at(place);
            stays
        });
        self.fish.retain_mut(|fish| {
            hit |= fish.at(place);
            let stays = fish.swim_after(wait);
            hit |= fish.at(place);
            stays
        });
        hit
    }

    /// The submarine came up with divers aboard; what that pays.
    fn surface(&mut self) -> f32 {
        self.surfaced = true;
        let mut pays = 0;
        if self.rescued == SEATS {
            self.rescued = 0;
            pays = self.oxygen * 10 / OXYGEN;
        } else {
            self.rescued -= 1;
        }
        self.oxygen = OXYGEN;
        if self.ramps % 2 == 1 {
            self.wait = (self.wait - 1).max(2);
        }
        self.spawn[0] = (self.spawn[0] - 1).max(1);
        self.ramps += 1;
        f32::from(pays)
    }
}

impl Rules for Seaquest {
    const NAME: &'static str = "seaquest";
    const PLANES: &'static [(&'static str, [u8; 3])] = &[
        ("front", [90, 170, 240]),
        ("back", [60, 110, 170]),
        ("own bullet", [250, 250, 250]),
        ("trail", [60, 60, 75]),
        ("enemy bullet", [240, 140, 60]),
        ("fish", [120, 200, 110]),
        ("submarine", [220, 80, 70]),
        ("oxygen", [170, 210, 240]),
        ("divers aboard", [240, 200, 60]),
        ("diver", [240, 200, 60]),
    ];

    fn reset(&mut self, _random: &mut Random) {
        for list in [
            &mut self.shots,
            &mut self.enemy_shots,
            &mut self.fish,
            &mut self.enemies,
            &mut self.divers,
        ] {
            list.clear();
        }
        self.place = [0, 5];
        (self.right, self.reload, self.surfaced) = (false, 0, true);
        (self.oxygen, self.rescued) = (OXYGEN, 0);
        (self.spawn, self.diver_spawn) = ([ENEMY_SPAWN; 2], DIVER_SPAWN);
        (self.wait, self.ramps) = (WAIT, 0);
    }

    fn step(&mut self, action: Action, random: &mut Random) -> Outcome {
        let mut outcome = Outcome::default();
        if self.spawn[1] == 0 {
            self.spawn_enemy(random);
            self.spawn[1] = self.spawn[0];
        }
        if self.diver_spawn == 0 {
            self.spawn_diver(random);
            self.diver_spawn = DIVER_SPAWN;
        }
        let [row, column] = &mut self.place;
        match action {
            Action::Fire if self.reload == 0 => {
                let (row, column, right) = (*row, *column, self.right);
                self.shots.push(Swimmer { row, column, right, ..Swimmer::default() });
                self.reload = RELOAD;
            }
            Action::Left => (*column, self.right) = ((*column - 1).max(0), false),
            Action::Right => (*column, self.right) = ((*column + 1).min(9), true),
            Action::Up => *row = (*row - 1).max(0),
            Action::Down => *row = (*row + 1).min(8),
            Action::Fire | Action::None => {}
        }
        outcome.reward += self.shoot();
        self.gather();
        outcome.terminated |= self.harm();
        for wait in [&mut self.spawn[1], &mut self.diver_spawn, &mut self.reload] {
            *wait = wait.saturating_sub(1);
        }
        outcome.terminated |= self.oxygen < 0;
        if self.place[0] > 0 {
            self.oxygen -= 1;
            self.surfaced = false;
        } else if !self.surfaced {
            if self.rescued == 0 {
                outcome.terminated = true;
            } else {
                outcome.reward += self.surface();
            }
        }
        outcome
    }

    fn observe(&self, planes: &mut Planes<'_>) {
        let [row, column] = self.place;
        planes.set(0, row, column);
        planes.set(1, row, column - ahead(self.right));
        for column in 0..(self.oxygen.max(0) * 10 / OXYGEN) as i8 {
            planes.set(7, 9, column);
        }
        for column in 9 - self.rescued..9 {
            planes.set(8, 9, column);
        }
        for shot in &self.shots {
            planes.set(2, shot.row, shot.column);
        }
        for shot in &self.enemy_shots {
            planes.set(4, shot.row, shot.column);
        }
        for (plane, swimmers) in [(5, &self.fish), (6, &self.enemies), (9, &self.divers)] {
            for swimmer in swimmers {
                planes.set(plane, swimmer.row, swimmer.column);
                planes.set(3, swimmer.row, swimmer.column - ahead(swimmer.right));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Seaquest {
        let mut game = Seaquest::default();
        game.reset(&mut Random::new(1));
        game
    }

    /// Steps on an empty sea.
    fn steps(game: &mut Seaquest, action: Action, count: usize) -> Outcome {
        let mut last = Outcome::default();
        for _ in 0..count {
            (game.spawn[1], game.diver_spawn) = (99, 99);
            last = game.step(action, &mut Random::new(0));
        }
        last
    }

    fn swimmer(row: i8, column: i8, right: bool, wait: u8) -> Swimmer {
        Swimmer { row, column, right, wait, reload: SHOT_WAIT }
    }

    #[test]
    fn shots_kill_fish_and_submarines() {
        for submarine in [false, true] {
            let mut game = start();
            steps(&mut game, Action::Down, 3);
            let target = vec![swimmer(3, 2, true, 9)];
            if submarine {
                game.enemies = target
            } else {
                game.fish = target
            }
            assert_eq!(steps(&mut game, Action::Fire, 1).reward, 0.0);
            assert_eq!(steps(&mut game, Action::None, 1).reward, 0.0);
            assert_eq!(steps(&mut game, Action::None, 1).reward, 1.0);
            assert!(game.fish.is_empty() && game.enemies.is_empty() && game.shots.is_empty());
        }
    }

    #[test]
    fn what_swims_into_the_submarine_ends_the_game() {
        let mut game = start();
        steps(&mut game, Action::Down, 3);
        game.fish = vec![swimmer(3, 3, true, 0)];
        assert!(!steps(&mut game, Action::None, 6).terminated);
        assert!(steps(&mut game, Action::None, 1).terminated);
        // An enemy's shot, from step 11 on, one cell per step.
        let mut game = start();
        steps(&mut game, Action::Down, 3);
        game.enemies = vec![swimmer(3, 0, true, 99)];
        assert!(!steps(&mut game, Action::None, 10).terminated);
        assert_eq!(game.enemy_shots, []);
        assert!(!steps(&mut game, Action::None, 4).terminated);
        assert_eq!(game.enemy_shots[0].column, 4);
        assert!(steps(&mut game, Action::None, 1).terminated);
    }

    #[test]
    fn air_ends_after_two_hundred_steps() {
        let mut game = start();
        assert!(!steps(&mut game, Action::Down, 201).terminated);
        assert!(steps(&mut game, Action::Down, 1).terminated);
    }

    #[test]
    fn coming_up_with_six_divers_pays_by_the_air_that_is_left() {
        let mut game = start();
        steps(&mut game, Action::Down, 10);
        game.divers = vec![swimmer(8, 5, true, 9); 7];
        steps(&mut game, Action::None, 1);
        assert_eq!((game.rescued, game.divers.len()), (6, 1), "six have room");
        let outcome = steps(&mut game, Action::Up, 8);
        // 10 + 1 + 7 steps under water.
        assert_eq!((outcome.reward, outcome.terminated), (9.0, false));
        assert_eq!((game.rescued, game.oxygen, game.spawn[0], game.wait), (0, OXYGEN, 19, 5));
        steps(&mut game, Action::Down, 1);
        game.rescued = 2;
        assert_eq!(steps(&mut game, Action::Up, 1), Outcome::default());
        assert_eq!((game.rescued, game.spawn[0], game.wait), (1, 18, 4));
        // With nobody aboard it is over.
        game.rescued = 0;
        steps(&mut game, Action::Down, 1);
        assert!(steps(&mut game, Action::Up, 1).terminated);
    }
}
