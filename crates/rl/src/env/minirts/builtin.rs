//! The players that are built in.

use super::battle::Battle;
use super::kinds::Kind;
use super::orders::{Census, Macro, View, act};
use crate::env::game::Random;
use serde::{Deserialize, Serialize};

/// A player that is built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Builtin {
    /// Sends its workers to gather, and nothing else.
    Idle,
    /// Three workers, barracks, five melee troops, attack.
    Simple,
    /// Three workers, barracks, ranged troops that hit and run from two on.
    HitAndRun,
}

/// Workers that both economies want, and troops with which they set out.
const WORKERS: usize = 3;
const MELEE: usize = 5;
const RANGED: usize = 2;

impl Builtin {
    /// Acts: unlike an agent, a built-in player may order several things at once.
    pub fn act(self, battle: &mut Battle, view: &View, player: u8, random: &mut Random) {
        act(battle, view, Macro::Idle, random);
        if self == Builtin::Idle {
            return;
        }
        let own = Census::new(battle, player);
        let count = |kind| own.count(kind);
        let troop = if self == Builtin::Simple { Macro::BuildMelee } else { Macro::BuildRanged };
        if count(Kind::Worker) < WORKERS {
            act(battle, view, Macro::BuildWorker, random);
        } else if count(Kind::Barracks) == 0 && !own.building_barracks {
            act(battle, view, Macro::BuildBarracks, random);
        }
        if count(Kind::Barracks) > 0 {
            act(battle, view, troop, random);
        }
        if self == Builtin::Simple && count(Kind::Melee) >= MELEE {
            act(battle, view, Macro::Attack, random);
        }
        if self == Builtin::HitAndRun && count(Kind::Ranged) >= RANGED {
            act(battle, view, Macro::HitAndRun, random);
        }
        if !view.enemies.is_empty() || view.threat.is_some() {
            act(battle, view, Macro::AttackInRange, random);
            act(battle, view, Macro::Defend, random);
        }
    }
}
