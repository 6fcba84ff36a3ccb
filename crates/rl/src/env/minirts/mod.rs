//! MiniRTS: a small real-time strategy game, in which workers gather, barracks make troops, and
//! who destroys the other's base has won.
//!
//! Tian et al.: "ELF: An Extensive, Lightweight and Flexible Research Platform for Real-time
//! Strategy Games", 2017. The map has 20x20 cells, time runs in ticks, and the players see only
//! what their units see. An agent acts every `frame_skip` ticks with one of nine macro actions
//! ([`orders`]), against a built-in player ([`builtin`]) or against another agent. The reward is
//! 1 for winning and -1 for losing; after 30,000 ticks nobody has won.
//!
//! Differs from ELF: hits of one tick are dealt all at once, and every other tick the units move
//! in the opposite order, so that no player is ever the first; shortest paths are found by
//! flooding the map rather than with A*, and have the same length; the age planes count ticks
//! since a unit was made; observations are bytes.

pub mod battle;
pub mod builtin;
pub mod coach;
pub mod flag;
pub mod numbers;
pub mod orders;
pub mod see;

use super::{Cells, Game, Outcome, Random, Spec, draw::Canvas};
use battle::{Battle, Id, Kind, SIDE, Stats, Winner};
use builtin::Builtin;
use image::RgbImage;
use orders::{MACROS, View};
use serde::{Deserialize, Serialize};
use tenfold_core::{Error, Result};

/// Who plays against the agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Opponent {
    /// Gathers, and nothing else.
    Idle,
    /// Barracks, five melee troops, attack.
    #[default]
    Simple,
    /// Ranged troops that shoot and run.
    HitAndRun,
    /// Simple or hit-and-run, by chance in each game.
    Mixed,
    /// The agent itself: both players are rows of the world.
    #[value(name = "self")]
    Itself,
}

impl Opponent {
    /// The built-in player of the next game, where it is one.
    fn builtin(self, random: &mut Random) -> Option<Builtin> {
        match self {
            Opponent::Idle => Some(Builtin::Idle),
            Opponent::Simple => Some(Builtin::Simple),
            Opponent::HitAndRun => Some(Builtin::HitAndRun),
            Opponent::Mixed => Some([Builtin::Simple, Builtin::HitAndRun][random.below(2)]),
            Opponent::Itself => None,
        }
    }
}

/// What the agent is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Observation {
    /// The planes of [`see`] over the map, as in ELF.
    #[default]
    Map,
    /// The row of [`numbers`].
    Numbers,
}

/// Settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Who plays against the agent.
    pub opponent: Opponent,
    /// MiniRTS: what the agent is shown.
    pub observation: Observation,
    /// Ticks from one action of the agent to the next.
    pub frame_skip: u32,
    /// Ticks from one action of a built-in opponent to the next.
    pub opponent_frame_skip: u32,
    /// What the agent is paid for a lead in units that cost 1,000; 0 for rewards at the end
    /// alone.
    pub shaping: f32,
    /// A built-in player that acts in the agent's place, whose actions then count for nothing.
    pub stand_in: Option<Builtin>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            opponent: Opponent::Simple,
            observation: Observation::Map,
            frame_skip: 50,
            opponent_frame_skip: 20,
            shaping: 0.0,
            stand_in: None,
        }
    }
}

impl Options {
    /// Refuses what cannot work.
    pub(super) fn check(&self) -> Result<()> {
        for (flag, skip) in
            [("--frame-skip", self.frame_skip), ("--opponent-frame-skip", self.opponent_frame_skip)]
        {
            if !(1..=1000).contains(&skip) {
                return Err(Error::argument(flag, format!("{skip}: expected 1 to 1000 ticks")));
            }
        }
        match self.shaping.is_finite() && (0.0..=100.0).contains(&self.shaping) {
            true => Ok(()),
            false => Err(Error::argument("--shaping", "expected 0 to 100")),
        }
    }
}

/// One game. The agent is player 0; the map is mirrored at random, so that it begins in any
/// corner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MiniRts {
    options: Options,
    battle: Battle,
    /// Who plays against the agent in this game, where it is a built-in player.
    opponent: Option<Builtin>,
    /// Kept for its memory.
    #[serde(skip)]
    seen: Vec<Id>,
}

impl MiniRts {
    /// A game with these settings.
    ///
    /// # Errors
    ///
    /// A frame skip of 0 or far too large.
    pub fn new(options: &Options) -> Result<Self> {
        options.check()?;
        let (options, battle) = (options.clone(), Battle::default());
        Ok(Self { options, battle, opponent: None, seen: Vec::new() })
    }

    /// The battle as it is.
    pub fn battle(&self) -> &Battle {
        &self.battle
    }

    fn builtin(&mut self, player: u8, who: Builtin, random: &mut Random) {
        let view = View::new(&self.battle, player, std::mem::take(&mut self.seen));
        who.act(&mut self.battle, &view, player, random);
        self.seen = view.enemies;
    }

    fn agent(&mut self, player: u8, action: usize, random: &mut Random) {
        let view = View::new(&self.battle, player, std::mem::take(&mut self.seen));
        orders::act(&mut self.battle, &view, MACROS[action].0, random);
        self.seen = view.enemies;
    }
}

impl Game for MiniRts {
    type Cell = u8;
    const SLOW: bool = true;

    fn spec(&self) -> Spec {
        let names = MACROS.map(|(_, name)| name);
        let spec = |shape: &[usize]| Spec {
            scale: 255.0,
            players: if self.options.opponent == Opponent::Itself { 2 } else { 1 },
            frames_per_step: f64::from(self.options.frame_skip),
            veiled: true,
            coached: true,
            ..Spec::new("minirts", Cells::Bytes, shape, &names)
        };
        match self.options.observation {
            Observation::Map => Spec {
                whose: Some(see::WHOSE),
                home: Some(Kind::Base as usize),
                ..spec(&[see::PLANES, SIDE, SIDE])
            },
            Observation::Numbers => spec(&[numbers::NUMBERS]),
        }
    }

    fn reset(&mut self, random: &mut Random) {
        self.battle.reset(random);
        self.opponent = self.options.opponent.builtin(random);
    }

    fn step(&mut self, action: usize, random: &mut Random) -> Outcome {
        self.step_players(&[action], random)
    }

    fn step_players(&mut self, actions: &[usize], random: &mut Random) -> Outcome {
        for (player, &action) in (0..).zip(actions) {
            match self.options.stand_in {
                Some(builtin) if player == 0 => self.builtin(player, builtin, random),
                _ => self.agent(player, action, random),
            }
        }
        for _ in 0..self.options.frame_skip {
            if let Some(opponent) = self.opponent
                && self.battle.tick.is_multiple_of(self.options.opponent_frame_skip)
            {
                self.builtin(1, opponent, random);
            }
            self.battle.tick();
            if let Some(winner) = self.battle.winner() {
                let reward = match winner {
                    Winner::Player(0) => 1.0,
                    Winner::Player(_) => -1.0,
                    Winner::Nobody => 0.0,
                };
                return Outcome { reward, terminated: true };
            }
        }
        Outcome::default()
    }

    fn observe(&self, into: &mut [u8]) {
        self.observe_player(0, into);
    }

    fn observe_player(&self, player: usize, into: &mut [u8]) {
        match self.options.observation {
            Observation::Map => see::observe(&self.battle, player as u8, into),
            Observation::Numbers => numbers::observe(&self.battle, player as u8, into),
        }
    }

    fn observe_unveiled(&self, player: usize, into: &mut [u8]) {
        match self.options.observation {
            Observation::Map => see::unveil(&self.battle, player as u8, into),
            Observation::Numbers => numbers::unveil(&self.battle, player as u8, into),
        }
    }

    /// The difference of what both players own: units at their cost, as far as they are hale.
    /// Money in hand is of no use yet.
    fn standing(&self) -> f32 {
        if self.options.shaping == 0.0 {
            return 0.0;
        }
        let battle = &self.battle;
        let mut lead = 0.0;
        for &id in &battle.alive {
            let unit = battle.unit(id);
            let &Stats { cost, hp, .. } = unit.kind.stats();
            let worth = cost as f32 * unit.hp as f32 / hp as f32;
            lead += if unit.player == 0 { worth } else { -worth };
        }
        self.options.shaping * lead / 1000.0
    }

    fn advice(&self, player: usize) -> Option<usize> {
        let player = player as u8;
        let view = View::new(&self.battle, player, Vec::new());
        let advice = coach::advise(&self.battle, &view, player, self.opponent);
        MACROS.iter().position(|(action, _)| *action == advice)
    }

    fn draw(&self) -> RgbImage {
        paint(&self.battle).scaled(2)
    }
}

/// Pixels of a cell in pictures.
const CELL: f64 = 16.0;

/// The whole map; what player 0 does not see is darker.
fn paint(battle: &Battle) -> Canvas {
    let side = (SIDE as f64 * CELL) as u32;
    let mut canvas = Canvas::new(side, side + 12, [40, 46, 40]);
    let mask = orders::sight(battle, 0);
    for (row, bits) in mask.iter().enumerate() {
        for column in (0..SIDE).filter(|column| bits >> column & 1 == 1) {
            let (x, y) = (column as f64 * CELL, row as f64 * CELL);
            canvas.rectangle((x, y), (x + CELL, y + CELL), [72, 84, 66]);
        }
    }
    let colours = [[90, 170, 240], [235, 100, 80]];
    for &id in &battle.alive {
        let unit = battle.unit(id);
        let colour = colours[usize::from(unit.player)];
        let (x, y) =
            ((f64::from(unit.place[0]) + 0.5) * CELL, (f64::from(unit.place[1]) + 0.5) * CELL);
        let square = |canvas: &mut Canvas, half: f64, colour| {
            canvas.rectangle((x - half, y - half), (x + half, y + half), colour);
        };
        match unit.kind {
            Kind::Resource => {
                square(&mut canvas, 6.0, colour);
                square(&mut canvas, 5.0, [230, 200, 70]);
            }
            Kind::Base => square(&mut canvas, 8.0, colour),
            Kind::Barracks => {
                square(&mut canvas, 7.0, colour);
                square(&mut canvas, 4.0, [40, 40, 40]);
            }
            Kind::Worker => canvas.disc((x, y), 3.0, colour),
            Kind::Melee => {
                canvas.disc((x, y), 5.0, colour);
                canvas.disc((x, y), 2.5, [30, 30, 30]);
            }
            Kind::Ranged => {
                canvas.line((x - 4.0, y - 4.0), (x + 4.0, y + 4.0), 2.5, colour);
                canvas.line((x - 4.0, y + 4.0), (x + 4.0, y - 4.0), 2.5, colour);
            }
        }
        if unit.kind != Kind::Resource {
            let share = f64::from(unit.hp) / f64::from(unit.kind.stats().hp);
            let width = if unit.kind.is_building() { 14.0 } else { 8.0 };
            canvas.rectangle((x - width / 2.0, y - 8.0), (x + width / 2.0, y - 6.5), [30, 30, 30]);
            let end = x - width / 2.0 + width * share;
            canvas.rectangle((x - width / 2.0, y - 8.0), (end, y - 6.5), [120, 220, 110]);
        }
    }
    for bullet in &battle.bullets {
        let at = |at: f32| (f64::from(at) + 0.5) * CELL;
        canvas.disc((at(bullet.place[0]), at(bullet.place[1])), 1.8, [250, 250, 250]);
    }
    // The money of either player, a mark for every 10.
    for (player, colour) in colours.into_iter().enumerate() {
        let y = f64::from(side) + 1.0 + 5.0 * player as f64;
        for mark in 0..(battle.money[player] / 10).min(60) {
            let x = 2.0 + 5.0 * f64::from(mark);
            canvas.rectangle((x, y), (x + 4.0, y + 4.0), colour);
        }
    }
    canvas
}

#[cfg(test)]
mod tests;
