//! A scripted player with the agent's nine actions, of which it takes one at a time, for agents
//! to learn from. It sees no more than they do, save for who the opponent is.

use super::battle::{Battle, Kind};
use super::builtin::Builtin;
use super::orders::{Census, Macro, View};

/// Workers that it wants.
const WORKERS: usize = 4;

/// What to do now.
///
/// Ranged troops from one barracks; it sets out when some are idle, and whoever stays behind
/// follows. Against players that run it takes on whoever comes in sight, and calls workers to
/// the defence only where troops are with them.
pub fn advise(battle: &Battle, view: &View, player: u8, opponent: Option<Builtin>) -> Macro {
    let own = Census::new(battle, player);
    let count = |kind| own.count(kind);
    let is_idle = |kind| own.idle(kind) > 0;
    let troops = own.count(Kind::Melee) + own.count(Kind::Ranged);
    let waiting = own.idle(Kind::Melee) + own.idle(Kind::Ranged);
    let (enough, guards, meets) = match opponent {
        Some(Builtin::HitAndRun) => (3, 2, true),
        _ => (5, 0, false),
    };
    let can_pay = |kind: Kind| battle.money[usize::from(player)] >= kind.stats().cost;
    if view.threat.is_some() && troops >= guards {
        return Macro::Defend;
    }
    if meets && waiting > 0 && !view.enemies.is_empty() {
        return if count(Kind::Ranged) > 0 { Macro::HitAndRun } else { Macro::AttackInRange };
    }
    if count(Kind::Worker) < WORKERS && is_idle(Kind::Base) && can_pay(Kind::Worker) {
        return Macro::BuildWorker;
    }
    if count(Kind::Barracks) == 0 && !own.building_barracks {
        if count(Kind::Worker) > 0 && can_pay(Kind::Barracks) {
            return Macro::BuildBarracks;
        }
    } else if is_idle(Kind::Barracks) && can_pay(Kind::Ranged) {
        return Macro::BuildRanged;
    }
    let sees = !view.enemies.is_empty() && count(Kind::Ranged) > 0;
    let follows = waiting > 0 && waiting < troops && troops >= enough;
    if waiting >= enough || follows || sees { Macro::HitAndRun } else { Macro::Idle }
}
