//! A scripted player with the agent's nine actions, of which it takes one at a time, for agents
//! to learn from. It sees no more than they do, save for who the opponent is.

use super::battle::{Battle, Id, Kind};
use super::builtin::Builtin;
use super::orders::{Census, Macro, View};

/// Workers that it wants before anything else, and idle troops with which it sets out.
const WORKERS: usize = 4;
const ENOUGH: usize = 5;
/// The same against players that run.
const WORKERS_BESIDE_RUNNERS: usize = 3;

/// What to do now.
pub fn advise(battle: &Battle, view: &View, player: u8, opponent: Option<Builtin>) -> Macro {
    let own = Census::new(battle, player);
    let money = battle.money[usize::from(player)];
    let makes = |kind: Kind, unit: Kind| own.idle(kind) > 0 && money >= unit.stats().cost;
    let barracks = own.count(Kind::Worker) > 0
        && own.count(Kind::Barracks) == 0
        && !own.building_barracks
        && money >= Kind::Barracks.stats().cost;
    if view.threat.is_some() {
        return Macro::Defend;
    }
    if opponent == Some(Builtin::HitAndRun) {
        // Found by trying some thousands of lists of rules in up to 8,000 games each. To build
        // takes one action, after which everybody goes on as told: so it comes before the fight.
        return if makes(Kind::Barracks, Kind::Ranged) {
            Macro::BuildRanged
        } else if own.count(Kind::Worker) < 2 && makes(Kind::Base, Kind::Worker) {
            Macro::BuildWorker
        } else if barracks {
            Macro::BuildBarracks
        } else if own.count(Kind::Worker) < WORKERS_BESIDE_RUNNERS
            && makes(Kind::Base, Kind::Worker)
        {
            Macro::BuildWorker
        } else {
            against_runners(battle, view, &own)
        };
    }
    // Ranged troops from one barracks; it sets out when enough are idle, and whoever stays
    // behind follows.
    if own.count(Kind::Worker) < WORKERS && makes(Kind::Base, Kind::Worker) {
        return Macro::BuildWorker;
    }
    if barracks {
        return Macro::BuildBarracks;
    }
    if makes(Kind::Barracks, Kind::Ranged) {
        return Macro::BuildRanged;
    }
    let troops = own.count(Kind::Melee) + own.count(Kind::Ranged);
    let waiting = own.idle(Kind::Melee) + own.idle(Kind::Ranged);
    let sees = !view.enemies.is_empty() && own.count(Kind::Ranged) > 0;
    let follows = waiting > 0 && waiting < troops && troops >= ENOUGH;
    if waiting >= ENOUGH || follows || sees { Macro::HitAndRun } else { Macro::Idle }
}

/// Every ranged troop sets out by itself, hunts workers, and takes on troops with all who have
/// nothing to do.
fn against_runners(battle: &Battle, view: &View, own: &Census) -> Macro {
    let sees = |is: fn(Kind) -> bool| view.enemies.iter().any(|&id: &Id| is(battle.unit(id).kind));
    let waiting = own.idle(Kind::Melee) + own.idle(Kind::Ranged);
    let (workers, troops) = (sees(|kind| kind == Kind::Worker), sees(Kind::is_troop));
    if troops && waiting > 0 && !(workers && own.count(Kind::Ranged) > 0) {
        return Macro::AttackInRange;
    }
    let shoots = (workers || troops) && own.count(Kind::Ranged) > 0;
    if shoots || own.idle(Kind::Ranged) > 0 { Macro::HitAndRun } else { Macro::Idle }
}
