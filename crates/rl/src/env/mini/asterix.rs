//! Asterix: gather gold and keep away from the enemies that cross the field.

use super::{Action, Outcome, Planes, Random, Rules, ahead, edge};
use serde::{Deserialize, Serialize};

/// The player keeps within rows 1 to 8, each of which holds one thing at most.
const ROWS: usize = 8;
/// Steps between two that make the game faster, beside the one that does.
const RAMP: i16 = 100;

/// Gold or an enemy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Thing {
    column: i8,
    right: bool,
    gold: bool,
}

/// The state of a game.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Asterix {
    /// Row and column.
    player: [i8; 2],
    /// What is in rows 1 to 8.
    things: [Option<Thing>; ROWS],
    /// Steps from one new thing to the next, and those that are left.
    spawn: [i16; 2],
    /// The same from one move of the things to the next.
    go: [i16; 2],
    ramp: i16,
    ramps: u32,
}

impl Asterix {
    fn spawn(&mut self, random: &mut Random) {
        let right = random.below(2) == 1;
        let gold = random.below(3) == 0;
        let free = self.things.iter().filter(|thing| thing.is_none()).count();
        let chosen = random.below(free);
        if let Some(place) = self.things.iter_mut().filter(|thing| thing.is_none()).nth(chosen) {
            *place = Some(Thing { column: edge(right), right, gold });
        }
    }

    /// Whether the player meets something: gold pays, an enemy ends the game.
    fn meet(&mut self, outcome: &mut Outcome) {
        let [row, column] = self.player;
        let place = &mut self.things[row as usize - 1];
        if let Some(thing) = place.filter(|thing| thing.column == column) {
            if thing.gold {
                *place = None;
                outcome.reward += 1.0;
            } else {
                outcome.terminated = true;
            }
        }
    }

    fn hasten(&mut self) {
        if self.spawn[0] == 1 && self.go[0] == 1 {
            return;
        }
        if self.ramp >= 0 {
            self.ramp -= 1;
            return;
        }
        if self.ramps % 2 == 1 {
            self.go[0] = (self.go[0] - 1).max(1);
        }
        self.spawn[0] = (self.spawn[0] - 1).max(1);
        self.ramps += 1;
        self.ramp = RAMP;
    }
}

impl Rules for Asterix {
    const NAME: &'static str = "asterix";
    const PLANES: &'static [(&'static str, [u8; 3])] = &[
        ("player", [90, 170, 240]),
        ("enemy", [220, 80, 70]),
        ("trail", [80, 80, 90]),
        ("gold", [240, 200, 60]),
    ];

    fn reset(&mut self, _random: &mut Random) {
        *self = Self {
            player: [5, 5],
            things: [None; ROWS],
            spawn: [10, 10],
            go: [5, 5],
            ramp: RAMP,
            ramps: 0,
        };
    }

    fn step(&mut self, action: Action, random: &mut Random) -> Outcome {
        let mut outcome = Outcome::default();
        if self.spawn[1] == 0 {
            self.spawn(random);
            self.spawn[1] = self.spawn[0];
        }
        let [row, column] = &mut self.player;
        match action {
            Action::Left => *column = (*column - 1).max(0),
            Action::Right => *column = (*column + 1).min(9),
            Action::Up => *row = (*row - 1).max(1),
            Action::Down => *row = (*row + 1).min(ROWS as i8),
            Action::None | Action::Fire => {}
        }
        self.meet(&mut outcome);
        if self.go[1] == 0 {
            self.go[1] = self.go[0];
            for place in &mut self.things {
                if let Some(thing) = place {
                    thing.column += ahead(thing.right);
                    if !(0..10).contains(&thing.column) {
                        *place = None;
                    }
                }
            }
            self.meet(&mut outcome);
        }
        self.spawn[1] -= 1;
        self.go[1] -= 1;
        self.hasten();
        outcome
    }

    fn observe(&self, planes: &mut Planes<'_>) {
        planes.set(0, self.player[0], self.player[1]);
        for (row, place) in (1..).zip(&self.things) {
            if let Some(thing) = place {
                planes.set(if thing.gold { 3 } else { 1 }, row, thing.column);
                planes.set(2, row, thing.column - ahead(thing.right));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Asterix {
        let mut game = Asterix::default();
        game.reset(&mut Random::new(1));
        game
    }

    fn thing(column: i8, right: bool, gold: bool) -> Option<Thing> {
        Some(Thing { column, right, gold })
    }

    #[test]
    fn gold_pays_and_enemies_end() {
        for (gold, expected) in [(true, (1.0, false)), (false, (0.0, true))] {
            let mut game = start();
            game.things[4] = thing(4, true, gold);
            let outcome = game.step(Action::Left, &mut Random::new(1));
            assert_eq!((outcome.reward, outcome.terminated), expected);
            assert_eq!(game.things[4].is_none(), gold);
            // It comes to the player who waits.
            let mut game = start();
            game.things[4] = thing(4, true, gold);
            let mut random = Random::new(1);
            let ended = (1..20).map(|i| (i, game.step(Action::None, &mut random)));
            let met = ended.into_iter().find(|(_, o)| o.reward > 0.0 || o.terminated).unwrap();
            assert_eq!((met.0, met.1.reward, met.1.terminated), (6, expected.0, expected.1));
        }
    }

    #[test]
    fn something_comes_every_ten_steps_and_a_third_is_gold() {
        let (mut game, mut random) = (start(), Random::new(2));
        let (mut gold, mut all) = (0, 0);
        for step in 1..=60_000 {
            let before = game.things.iter().flatten().count();
            game.player = [1, 5];
            game.things[0] = None;
            let places = game.things;
            game.step(Action::None, &mut random);
            for (now, before) in game.things.iter().zip(places) {
                if let (Some(thing), None) = (now, before) {
                    all += 1;
                    gold += i32::from(thing.gold);
                }
            }
            if step == 11 {
                assert_eq!(before + 1, game.things.iter().flatten().count());
            }
        }
        let share = f64::from(gold) / f64::from(all);
        assert!((share - 1.0 / 3.0).abs() < 0.02, "{gold} of {all}");
    }

    #[test]
    fn it_grows_faster_every_102_steps() {
        let (mut game, mut random) = (start(), Random::new(3));
        let mut changes = Vec::new();
        for step in 1..=1200 {
            game.things = [None; ROWS];
            let before = (game.spawn[0], game.go[0]);
            game.step(Action::None, &mut random);
            if (game.spawn[0], game.go[0]) != before {
                changes.push((step, game.spawn[0], game.go[0]));
            }
        }
        assert_eq!(changes[..3], [(102, 9, 5), (204, 8, 4), (306, 7, 4)]);
        assert_eq!(changes.last(), Some(&(918, 1, 1)));
    }
}
