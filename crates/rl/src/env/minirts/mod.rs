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
pub mod demonstrator;
mod draw;
pub mod flag;
pub mod kinds;
mod movement;
pub mod numbers;
mod options;
pub mod orders;
pub mod place;
pub mod planes;

pub use options::{Observation, Opponent, Options};

use crate::env::game::{Game, Outcome, Random};
use crate::env::spec::{Cells, Spec};
use battle::{Battle, Id, SIDE, Winner};
use builtin::Builtin;
use image::RgbImage;
use kinds::{Kind, Stats};
use orders::{MACROS, View};
use serde::{Deserialize, Serialize};
use tenfold_core::Result;

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
            partially_observed: true,
            demonstrator: true,
            ..Spec::new("minirts", Cells::Bytes, shape, &names)
        };
        match self.options.observation {
            Observation::Map => Spec {
                whose: Some(planes::WHOSE),
                home: Some(Kind::Base as usize),
                ..spec(&[planes::PLANES, SIDE, SIDE])
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
            Observation::Map => planes::observe(&self.battle, player as u8, into),
            Observation::Numbers => numbers::observe(&self.battle, player as u8, into),
        }
    }

    fn observe_all(&self, player: usize, into: &mut [u8]) {
        match self.options.observation {
            Observation::Map => planes::observe_all(&self.battle, player as u8, into),
            Observation::Numbers => numbers::observe_all(&self.battle, player as u8, into),
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

    fn demonstration(&self, player: usize) -> Option<usize> {
        let player = player as u8;
        let view = View::new(&self.battle, player, Vec::new());
        let choice = demonstrator::choose(&self.battle, &view, player, self.opponent);
        MACROS.iter().position(|(action, _)| *action == choice)
    }

    fn draw(&self) -> RgbImage {
        draw::paint(&self.battle).scaled(2)
    }
}

#[cfg(test)]
mod tests;
