//! A demonstrator with the agent's nine actions, of which it takes one at a time, for agents
//! to learn from. It sees no more than they do, save for who the opponent is.

use super::battle::Battle;
use super::builtin::Builtin;
use super::kinds::Kind;
use super::orders::{Census, Macro, View};

/// Workers that it wants before anything else, and idle troops with which it sets out.
const WORKERS: usize = 4;
const ENOUGH: usize = 5;
/// Against players that run: workers that it wants, until there are barracks; what it keeps of
/// the money when it buys one; workers that it needs to build barracks.
const WORKERS_FIRST: usize = 3;
const KEEPS: i32 = 50;
const BUILDERS: usize = 2;

/// What to do now.
pub fn choose(battle: &Battle, view: &View, player: u8, opponent: Option<Builtin>) -> Macro {
    let own = Census::new(battle, player);
    let money = battle.money[usize::from(player)];
    let makes = |kind: Kind, unit: Kind| own.idle(kind) > 0 && money >= unit.stats().cost;
    let bare = own.count(Kind::Barracks) == 0;
    let workers = own.count(Kind::Worker);
    let barracks =
        bare && workers > 0 && !own.building_barracks && money >= Kind::Barracks.stats().cost;
    let troops = own.count(Kind::Melee) + own.count(Kind::Ranged);
    let shoots = own.count(Kind::Ranged) > 0;
    if opponent == Some(Builtin::HitAndRun) {
        // Found by trying some thousands of lists of rules in up to 8,000 games each. To build
        // takes one action, after which everybody goes on as told: so it comes before the
        // fight. Every troop that shoots sets out by itself; now and then, all who have nothing
        // to do join in, melee troops too. Nothing of this depends on what those who imitate it do
        // not see, such as who is idle.
        let sees = view.enemies.iter().any(|&id| battle.unit(id).kind.is_troop());
        let spare = money - KEEPS >= Kind::Worker.stats().cost;
        let threatened = view.threat.is_some() && troops > 0;
        return if makes(Kind::Barracks, Kind::Ranged) {
            Macro::BuildRanged
        } else if bare && workers < WORKERS_FIRST && own.idle(Kind::Base) > 0 && spare {
            Macro::BuildWorker
        } else if barracks && workers >= BUILDERS {
            Macro::BuildBarracks
        } else if threatened && own.count(Kind::Melee) <= own.count(Kind::Ranged) {
            Macro::Defend
        } else if sees && troops > 0 && now_and_then(battle) {
            Macro::AttackInRange
        } else if shoots {
            Macro::HitAndRun
        } else {
            Macro::Idle
        };
    }
    // Ranged troops from one barracks; it sets out when enough are idle, and whoever stays
    // behind follows.
    if view.threat.is_some() {
        return Macro::Defend;
    }
    if workers < WORKERS && makes(Kind::Base, Kind::Worker) {
        return Macro::BuildWorker;
    }
    if barracks {
        return Macro::BuildBarracks;
    }
    if makes(Kind::Barracks, Kind::Ranged) {
        return Macro::BuildRanged;
    }
    let waiting = own.idle(Kind::Melee) + own.idle(Kind::Ranged);
    let sees = !view.enemies.is_empty() && shoots;
    let follows = waiting > 0 && waiting < troops && troops >= ENOUGH;
    if waiting >= ENOUGH || follows || sees { Macro::HitAndRun } else { Macro::Idle }
}

/// In a quarter of the ticks, which follow no pattern (Knuth's multiplicative hashing).
fn now_and_then(battle: &Battle) -> bool {
    battle.tick.wrapping_mul(2_654_435_761) >> 30 == 0
}
