//! Capture the flag: two teams on MiniRTS's map, who see as little, fight over one flag.
//!
//! The idea is that of the second game of ELF (Tian et al., 2017); the rules are our own. Each
//! team has three melee and two ranged troops and a base that cannot be hurt. Who comes within
//! one cell of the free flag carries it home at half speed, and drops it when killed; the dead
//! come back to their base after 200 ticks. The first team with five points wins; at 6,000 ticks
//! the one with more points does. The observation is MiniRTS's, where the flag, which everybody
//! always sees, takes the place of resources, and the own points that of the money.

use super::battle::{Battle, Id, Order, SIDE};
use super::builtin::Builtin;
use super::draw::{CELL, paint};
use super::kinds::Kind;
use super::options::{Observation, Opponent, Options};
use super::orders::{View, nearest};
use super::place::{Place, around, cell, squared};
use super::planes;
use crate::env::game::{Game, Outcome, Random};
use crate::env::spec::{Cells, Spec};
use image::RgbImage;
use serde::{Deserialize, Serialize};
use tenfold_core::{Error, Result};

/// A team.
const TEAM: [Kind; 5] = [Kind::Melee, Kind::Melee, Kind::Melee, Kind::Ranged, Kind::Ranged];
/// Ticks until the dead come back.
const AWAY: u32 = 200;
/// Points that win, and the tick at which the most do.
const POINTS: i32 = 5;
const LAST_TICK: u32 = 6000;
/// What a point is in [`Battle::money`], whose planes show it.
const POINT: i32 = 50;
/// Squared distances at which the flag is taken, and at which it is home.
const TAKEN: f32 = 1.0;
const HOME: f32 = 2.0;

/// What a team may be told; every order also sends who has the flag home.
const ORDERS: [&str; 5] = ["idle", "take flag", "attack in sight", "attack carrier", "defend base"];
const IDLE: usize = 0;
const TAKE: usize = 1;
const ATTACK: usize = 2;
const HUNT: usize = 3;

/// One game.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaptureTheFlag {
    options: Options,
    battle: Battle,
    /// Who plays against the agent in this game, where it is a built-in player.
    opponent: Option<Builtin>,
    flag: Place,
    carrier: Option<Id>,
    /// Everybody of both teams, and the tick at which the dead come back.
    team: Vec<(Id, u32)>,
    /// Kept for its memory.
    #[serde(skip)]
    seen: Vec<Id>,
}

impl CaptureTheFlag {
    /// A game with these settings.
    ///
    /// # Errors
    ///
    /// A frame skip of 0 or far too large, or numbers instead of the map.
    pub fn new(options: &Options) -> Result<Self> {
        options.check()?;
        if options.observation != Observation::Map {
            return Err(Error::argument("--observation", "capture-the-flag shows the map alone"));
        }
        Ok(Self {
            options: options.clone(),
            battle: Battle::default(),
            opponent: None,
            flag: [0.0; 2],
            carrier: None,
            team: Vec::new(),
            seen: Vec::new(),
        })
    }

    /// In the plane of resources, of which there are none: everybody sees the flag.
    fn show_flag(&self, into: &mut [u8]) {
        let [x, y] = cell(self.flag);
        into[Kind::Resource as usize * SIDE * SIDE + y * SIDE + x] = 255;
    }

    fn home(&self, player: u8) -> Place {
        self.battle.unit(self.battle.base[usize::from(player)]).place
    }

    /// The flag lies in the middle again.
    fn put_back(&mut self) {
        (self.flag, self.carrier) = ([(SIDE - 1) as f32 / 2.0; 2], None);
    }

    /// A free cell near the base, where it has one.
    fn room(&self, player: u8) -> Option<Place> {
        let mut near = around(self.home(player));
        near.find(|place| self.battle.is_free(*place, None))
    }

    /// Tells everybody of a team who does not carry the flag.
    fn tell(&mut self, player: u8, order: impl Fn(&Battle, Id) -> Option<Order>) {
        for n in 0..self.team.len() {
            let id = self.team[n].0;
            let unit = self.battle.unit(id);
            if unit.player == player
                && unit.hp > 0
                && Some(id) != self.carrier
                && let Some(order) = order(&self.battle, id)
            {
                self.battle.unit_mut(id).order = order;
            }
        }
    }

    /// Somebody in sight who can be hurt.
    fn enemies(&mut self, player: u8) -> Vec<Id> {
        let mut enemies = View::new(&self.battle, player, std::mem::take(&mut self.seen)).enemies;
        enemies.retain(|id| !self.battle.unit(*id).kind.is_building());
        enemies
    }

    fn order(&mut self, player: u8, order: usize) {
        let enemies = self.enemies(player);
        let attack = |battle: &Battle, id: Id| {
            let place = battle.unit(id).place;
            nearest(battle, place, enemies.iter().copied()).map(Order::Attack)
        };
        let (flag, home) = (self.flag, self.home(player));
        match order {
            IDLE => {}
            TAKE => self.tell(player, |_, _| Some(Order::Go(flag))),
            ATTACK => self.tell(player, attack),
            HUNT => {
                let carrier = self.carrier.filter(|id| self.battle.unit(*id).player != player);
                self.tell(player, |_, _| carrier.map(Order::Attack));
            }
            _ => self.tell(player, |battle, id| {
                let away = squared(battle.unit(id).place, home) > 16.0;
                if away { Some(Order::Go(home)) } else { attack(battle, id) }
            }),
        }
        self.seen = enemies;
    }

    /// SIMPLE hunts who has the flag and takes it when it is free; HIT_AND_RUN, which has
    /// nothing to run from here, first fights whoever is in sight.
    fn builtin(&mut self, player: u8, who: Builtin) {
        if who == Builtin::Idle {
            return;
        }
        let enemies = self.enemies(player);
        let in_sight = !enemies.is_empty();
        self.seen = enemies;
        match self.carrier.map(|id| self.battle.unit(id).player == player) {
            Some(false) => self.order(player, HUNT),
            // Go along, and fight who comes.
            Some(true) => self.order(player, if in_sight { ATTACK } else { TAKE }),
            None => {
                let fight = in_sight && who == Builtin::HitAndRun;
                self.order(player, if fight { ATTACK } else { TAKE });
            }
        }
    }

    /// One tick; who has won, where somebody has.
    fn tick(&mut self) -> Option<f32> {
        self.battle.tick();
        let tick = self.battle.tick;
        for n in 0..self.team.len() {
            let (id, back) = self.team[n];
            let unit = *self.battle.unit(id);
            if unit.hp > 0 {
                continue;
            }
            if back == 0 {
                self.team[n].1 = tick + AWAY;
            } else if tick >= back
                && let Some(place) = self.room(unit.player)
            {
                self.team[n] = (self.battle.add(unit.kind, unit.player, place), 0);
            }
        }
        self.carrier = self.carrier.filter(|id| self.battle.lives(*id));
        if self.carrier.is_none() {
            let near = self.team.iter().map(|(id, _)| *id).filter(|id| {
                self.battle.lives(*id) && squared(self.battle.unit(*id).place, self.flag) < TAKEN
            });
            self.carrier = nearest(&self.battle, self.flag, near);
        }
        if let Some(id) = self.carrier {
            let unit = *self.battle.unit(id);
            let home = self.home(unit.player);
            // At half its speed: every other tick it stays where it is.
            let to = if tick.is_multiple_of(2) { home } else { unit.place };
            self.battle.unit_mut(id).order = Order::Go(to);
            self.flag = unit.place;
            if squared(unit.place, home) < HOME {
                self.battle.money[usize::from(unit.player)] += POINT;
                self.battle.unit_mut(id).order = Order::Idle;
                self.put_back();
            }
        }
        let [mine, theirs] = self.battle.money;
        let over = mine.max(theirs) >= POINTS * POINT || tick >= LAST_TICK;
        over.then(|| (mine - theirs).signum() as f32)
    }
}

impl Game for CaptureTheFlag {
    type Cell = u8;
    const SLOW: bool = true;

    fn spec(&self) -> Spec {
        Spec {
            scale: 255.0,
            players: if self.options.opponent == Opponent::Itself { 2 } else { 1 },
            frames_per_step: f64::from(self.options.frame_skip),
            whose: Some(planes::WHOSE),
            home: Some(Kind::Base as usize),
            partially_observed: true,
            ..Spec::new("capture-the-flag", Cells::Bytes, &[planes::PLANES, SIDE, SIDE], &ORDERS)
        }
    }

    fn reset(&mut self, random: &mut Random) {
        self.opponent = self.options.opponent.builtin(random);
        self.battle.clear();
        self.team.clear();
        let mirror = [random.below(2) == 1, random.below(2) == 1];
        for player in 0..2u8 {
            let corner = 1 + 13 * usize::from(player);
            let base = [corner + random.below(5), corner + random.below(5)];
            let turn = |at: usize, mirror| if mirror { SIDE - 1 - at } else { at } as f32;
            let base = [turn(base[0], mirror[0]), turn(base[1], mirror[1])];
            self.battle.base[usize::from(player)] = self.battle.add(Kind::Base, player, base);
            for kind in TEAM {
                // Eight cells around a base that is not at the edge, and five in a team.
                if let Some(place) = self.room(player) {
                    let id = self.battle.add(kind, player, place);
                    self.team.push((id, 0));
                }
            }
        }
        self.put_back();
    }

    fn step(&mut self, action: usize, random: &mut Random) -> Outcome {
        self.step_players(&[action], random)
    }

    fn step_players(&mut self, actions: &[usize], _random: &mut Random) -> Outcome {
        for (player, &action) in (0..).zip(actions) {
            match self.options.stand_in {
                Some(builtin) if player == 0 => self.builtin(player, builtin),
                _ => self.order(player, action),
            }
        }
        for _ in 0..self.options.frame_skip {
            if let Some(opponent) = self.opponent
                && self.battle.tick.is_multiple_of(self.options.opponent_frame_skip)
            {
                self.builtin(1, opponent);
            }
            if let Some(reward) = self.tick() {
                return Outcome { reward, terminated: true };
            }
        }
        Outcome::default()
    }

    fn observe(&self, into: &mut [u8]) {
        self.observe_player(0, into);
    }

    fn observe_player(&self, player: usize, into: &mut [u8]) {
        planes::observe(&self.battle, player as u8, into);
        self.show_flag(into);
    }

    fn observe_all(&self, player: usize, into: &mut [u8]) {
        planes::observe_all(&self.battle, player as u8, into);
        self.show_flag(into);
    }

    fn draw(&self) -> RgbImage {
        let mut canvas = paint(&self.battle);
        let [x, y] = self.flag.map(|at| (f64::from(at) + 0.5) * CELL);
        canvas.line((x, y), (x, y - 12.0), 1.5, [240, 240, 240]);
        canvas.rectangle((x, y - 12.0), (x + 8.0, y - 6.0), [240, 210, 70]);
        canvas.scaled(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn game(first: Builtin, opponent: Opponent) -> CaptureTheFlag {
        let stand_in = Some(first);
        CaptureTheFlag::new(&Options { stand_in, opponent, frame_skip: 20, ..Options::default() })
            .unwrap()
    }

    fn tally(first: Builtin, opponent: Opponent, games: u64) -> [u32; 3] {
        let mut game = game(first, opponent);
        let mut counts = [0; 3];
        for seed in 0..games {
            let mut random = Random::keyed(&[seed]);
            game.reset(&mut random);
            let reward = loop {
                let outcome = game.step(0, &mut random);
                if outcome.terminated {
                    break outcome.reward;
                }
            };
            assert!(game.battle.tick <= LAST_TICK);
            counts[(1.0 - reward) as usize] += 1;
        }
        counts
    }

    #[test]
    fn nobody_counts_flags() {
        let options = Options { observation: Observation::Numbers, ..Options::default() };
        let why = CaptureTheFlag::new(&options).unwrap_err().to_string();
        assert_eq!(why, "--observation: capture-the-flag shows the map alone");
    }

    #[test]
    fn who_does_something_wins_and_equals_are_equal() {
        assert_eq!(tally(Builtin::Simple, Opponent::Idle, 50), [50, 0, 0]);
        let [won, drawn, lost] = tally(Builtin::Simple, Opponent::Simple, 600);
        assert!(drawn < 60, "{drawn}");
        // Three standard errors.
        assert!(won.abs_diff(lost) < 74, "{won} to {lost}");
    }

    #[test]
    fn the_flag_is_taken_carried_and_dropped() {
        let mut game = game(Builtin::Idle, Opponent::Idle);
        game.reset(&mut Random::new(1));
        let middle = game.flag;
        let runner = game.team[0].0;
        game.battle.unit_mut(runner).place = [middle[0] + 0.5, middle[1]];
        game.tick();
        assert_eq!(game.carrier, Some(runner));
        let home = game.home(0);
        let before = squared(game.flag, home);
        for _ in 0..20 {
            game.tick();
        }
        assert!(squared(game.flag, home) < before);
        // Killed, it lies where it fell, and the runner comes back after a while.
        let fell = game.flag;
        game.battle.unit_mut(runner).hp = 0;
        game.battle.alive.retain(|id| *id != runner);
        game.tick();
        assert_eq!((game.carrier, game.flag), (None, fell));
        for _ in 0..AWAY {
            game.tick();
        }
        assert_ne!(game.team[0].0, runner);
        assert!(game.battle.lives(game.team[0].0));
        // At home it is a point.
        let runner = game.team[0].0;
        game.battle.unit_mut(runner).place = fell;
        let ticks = (1..2000).find(|_| {
            game.tick();
            game.battle.money[0] > 0
        });
        assert!(ticks.is_some());
        assert_eq!((game.battle.money, game.flag, game.carrier), ([POINT, 0], middle, None));
    }
}
