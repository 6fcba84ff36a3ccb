//! The nine macro actions: what a player tells units to do.

use super::battle::{Battle, Id, Mask, Order, SIDE, Unit};
use super::kinds::Kind;
use super::place::{Place, around, cell, squared};
use crate::env::game::Random;

/// A macro action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Macro {
    /// Nothing more than to gather.
    Idle,
    /// An idle base makes a worker.
    BuildWorker,
    /// A worker builds barracks near the base.
    BuildBarracks,
    /// Idle barracks make a troop.
    BuildMelee,
    /// Idle barracks make a troop that shoots.
    BuildRanged,
    /// Idle troops attack the enemy's base.
    Attack,
    /// Idle troops attack the nearest enemy in sight.
    AttackInRange,
    /// Ranged troops shoot and keep away.
    HitAndRun,
    /// Everybody attacks whoever threatens the base or its workers.
    Defend,
}

/// The macro actions by number, and their names.
pub const MACROS: [(Macro, &str); 9] = [
    (Macro::Idle, "idle"),
    (Macro::BuildWorker, "build worker"),
    (Macro::BuildBarracks, "build barracks"),
    (Macro::BuildMelee, "build melee"),
    (Macro::BuildRanged, "build ranged"),
    (Macro::Attack, "attack base"),
    (Macro::AttackInRange, "attack in range"),
    (Macro::HitAndRun, "hit and run"),
    (Macro::Defend, "all defend"),
];

/// Squared distances: an enemy this near to the resource or to the base is a threat; hitting
/// and running, a troop retreats from an enemy nearer than the first and goes on attacking one
/// farther than the second.
const NEAR_RESOURCE: f32 = 6.0;
const NEAR_BASE: f32 = 4.0;
const TOO_NEAR: f32 = 4.0;
const TOO_FAR: f32 = 6.0;
/// How far a troop retreats, in cells.
const RETREAT: f32 = 10.0;
/// For how many ticks a hit on a worker or the base counts.
pub(super) const FRESH: u32 = 20;

/// The cells that a player sees: those within the vision of its units, counted in steps.
pub fn sight(battle: &Battle, player: u8) -> Mask {
    let mut mask = [0u32; SIDE];
    for &id in &battle.alive {
        let unit = battle.unit(id);
        if unit.player != player {
            continue;
        }
        let [x, y] = cell(unit.place);
        let vision = unit.kind.stats().vision as usize;
        let rows = y.saturating_sub(vision)..=(y + vision).min(SIDE - 1);
        for (row, seen) in rows.clone().zip(&mut mask[rows]) {
            let wide = vision - row.abs_diff(y);
            let (first, last) = (x.saturating_sub(wide), (x + wide).min(SIDE - 1));
            *seen |= ((1u32 << (last - first + 1)) - 1) << first;
        }
    }
    mask
}

/// Whether a place is in a mask.
#[inline]
pub fn sees(mask: &Mask, place: Place) -> bool {
    let [x, y] = cell(place);
    mask[y] >> x & 1 == 1
}

/// What a player knows when it acts.
pub struct View {
    player: u8,
    /// The enemies in sight, without the resource.
    pub enemies: Vec<Id>,
    /// Who threatens the base, the resource or a worker.
    pub threat: Option<Id>,
}

impl View {
    /// Looks at the battle. `enemies` is taken for its memory.
    pub fn new(battle: &Battle, player: u8, mut enemies: Vec<Id>) -> Self {
        let mask = sight(battle, player);
        enemies.clear();
        enemies.extend(battle.alive.iter().copied().filter(|&id| {
            let unit = battle.unit(id);
            unit.player != player && unit.kind != Kind::Resource && sees(&mask, unit.place)
        }));
        let threat = threat(battle, player, &enemies);
        Self { player, enemies, threat }
    }
}

/// A player's units by kind.
pub struct Census {
    counts: [usize; 6],
    idle: [usize; 6],
    /// Whether a worker is about to build barracks.
    pub building_barracks: bool,
}

impl Census {
    /// Counts them.
    pub fn new(battle: &Battle, player: u8) -> Self {
        let mut all = Self { counts: [0; 6], idle: [0; 6], building_barracks: false };
        for unit in battle.alive.iter().map(|&id| battle.unit(id)) {
            if unit.player == player {
                all.counts[unit.kind as usize] += 1;
                all.idle[unit.kind as usize] += usize::from(unit.order == Order::Idle);
                all.building_barracks |=
                    matches!(unit.order, Order::Build { kind: Kind::Barracks, .. });
            }
        }
        all
    }

    /// How many there are.
    pub fn count(&self, kind: Kind) -> usize {
        self.counts[kind as usize]
    }

    /// How many of them have no orders.
    pub fn idle(&self, kind: Kind) -> usize {
        self.idle[kind as usize]
    }
}

/// The enemy in sight that is nearest to the base among those that threaten.
fn threat(battle: &Battle, player: u8, enemies: &[Id]) -> Option<Id> {
    let (base, resource) = homes(battle, player);
    let hitting = |enemy: Id| {
        battle.alive.iter().any(|&id| {
            let unit = battle.unit(id);
            let economy = matches!(unit.kind, Kind::Worker | Kind::Base) && unit.player == player;
            economy
                && unit.hit.is_some_and(|(from, tick)| from == enemy && tick + FRESH > battle.tick)
        })
    };
    let threatens = |&id: &Id| {
        let place = battle.unit(id).place;
        squared(place, resource) < NEAR_RESOURCE || squared(place, base) < NEAR_BASE || hitting(id)
    };
    nearest(battle, base, enemies.iter().copied().filter(threatens))
}

fn homes(battle: &Battle, player: u8) -> (Place, Place) {
    let of = |ids: [Id; 2]| battle.unit(ids[usize::from(player)]).place;
    (of(battle.base), of(battle.resource))
}

/// The one of `ids` that is nearest to a place.
pub(super) fn nearest(battle: &Battle, place: Place, ids: impl Iterator<Item = Id>) -> Option<Id> {
    let distance = |id: &Id| squared(battle.unit(*id).place, place);
    ids.min_by(|a, b| distance(a).total_cmp(&distance(b)))
}

/// A player gives orders.
pub fn act(battle: &mut Battle, view: &View, action: Macro, random: &mut Random) {
    let player = view.player;
    let enemy_base = battle.base[usize::from(1 - player)];
    match action {
        Macro::Idle => {}
        Macro::BuildWorker => from_building(battle, player, Kind::Base, Kind::Worker, random),
        Macro::BuildMelee => from_building(battle, player, Kind::Barracks, Kind::Melee, random),
        Macro::BuildRanged => from_building(battle, player, Kind::Barracks, Kind::Ranged, random),
        Macro::BuildBarracks => barracks(battle, player, random),
        Macro::Attack => {
            for_each(
                battle,
                player,
                |unit| unit.kind.is_troop(),
                |battle, id| {
                    give_if_idle(battle, id, Order::Attack(enemy_base));
                },
            );
        }
        Macro::AttackInRange => {
            for_each(
                battle,
                player,
                |unit| unit.kind.is_troop(),
                |battle, id| {
                    let place = battle.unit(id).place;
                    if let Some(enemy) = nearest(battle, place, view.enemies.iter().copied()) {
                        give_if_idle(battle, id, Order::Attack(enemy));
                    }
                },
            );
        }
        Macro::HitAndRun => hit_and_run(battle, view, enemy_base),
        Macro::Defend => {
            if let Some(threat) = view.threat {
                for_each(
                    battle,
                    player,
                    |unit| unit.kind.stats().attack > 0,
                    |battle, id| {
                        battle.unit_mut(id).order = Order::Attack(threat);
                    },
                );
            }
        }
    }
    gather(battle, player, enemy_base);
}

/// Tells each unit of a player that is so.
fn for_each(
    battle: &mut Battle,
    player: u8,
    is_so: impl Fn(&Unit) -> bool,
    mut tell: impl FnMut(&mut Battle, Id),
) {
    for n in 0..battle.alive.len() {
        let id = battle.alive[n];
        let unit = battle.unit(id);
        if unit.player == player && is_so(unit) {
            tell(battle, id);
        }
    }
}

fn give_if_idle(battle: &mut Battle, id: Id, order: Order) {
    let unit = battle.unit_mut(id);
    if unit.order == Order::Idle {
        unit.order = order;
    }
}

/// Every action sends idle workers to gather; when there is nothing left, everybody attacks.
fn gather(battle: &mut Battle, player: u8, enemy_base: Id) {
    let home = usize::from(player);
    let economy = battle.lives(battle.resource[home]) && battle.lives(battle.base[home]);
    if battle.lives(battle.resource[home]) {
        if economy {
            for_each(
                battle,
                player,
                |unit| unit.kind == Kind::Worker,
                |battle, id| {
                    give_if_idle(battle, id, Order::Gather { loaded: false, until: 0 });
                },
            );
        }
    } else {
        for_each(
            battle,
            player,
            |unit| unit.kind.stats().attack > 0,
            |battle, id| {
                give_if_idle(battle, id, Order::Attack(enemy_base));
            },
        );
    }
}

/// Tells an idle building to make a unit beside it.
fn from_building(battle: &mut Battle, player: u8, building: Kind, kind: Kind, random: &mut Random) {
    if battle.money[usize::from(player)] < kind.stats().cost {
        return;
    }
    let idle = battle.alive.iter().copied().find(|&id| {
        let unit = battle.unit(id);
        unit.player == player && unit.kind == building && unit.order == Order::Idle
    });
    let Some(id) = idle else { return };
    let place = battle.unit(id).place;
    let first = random.below(8);
    let at = (0..8).map(|n| (first + n) % 8).filter_map(|n| around(place).nth(n));
    if let Some(at) = at.into_iter().find(|at| battle.is_free(*at, None)) {
        battle.unit_mut(id).order = Order::Build { kind, at, until: 0 };
    }
}

/// Sends the worker that is nearest to the base to build barracks, 2 or 3 cells away from it.
fn barracks(battle: &mut Battle, player: u8, random: &mut Random) {
    if battle.money[usize::from(player)] < Kind::Barracks.stats().cost {
        return;
    }
    let (base, resource) = homes(battle, player);
    let workers = battle.alive.iter().copied().filter(|&id| {
        let unit = battle.unit(id);
        let free = matches!(unit.order, Order::Idle | Order::Gather { .. });
        unit.player == player && unit.kind == Kind::Worker && free
    });
    let Some(worker) = nearest(battle, base, workers) else { return };
    // Some places at random; if none has room, the next action tries again.
    for _ in 0..16 {
        let at = [base[0], base[1]].map(|at| at - 3.0 + random.below(7) as f32);
        let apart = squared(at, base) >= 4.0 && squared(at, resource) >= 4.0;
        if apart && battle.is_free(at, None) {
            battle.unit_mut(worker).order = Order::Build { kind: Kind::Barracks, at, until: 0 };
            return;
        }
    }
}

/// Ranged troops shoot from afar and run from who comes near; with no enemy in sight that could
/// run after them, they attack the base.
fn hit_and_run(battle: &mut Battle, view: &View, enemy_base: Id) {
    let is_ranged = |unit: &Unit| unit.kind == Kind::Ranged;
    for_each(battle, view.player, is_ranged, |battle, id| {
        let place = battle.unit(id).place;
        let mobile = view.enemies.iter().copied().filter(|&e| !battle.unit(e).kind.is_building());
        let Some(enemy) = nearest(battle, place, mobile) else {
            return give_if_idle(battle, id, Order::Attack(enemy_base));
        };
        let from = battle.unit(enemy).place;
        let distance = squared(place, from);
        if distance < TOO_NEAR {
            let to = refuge(place, from);
            battle.unit_mut(id).order = Order::Go(to);
        } else if distance > TOO_FAR || battle.unit(id).order == Order::Idle {
            battle.unit_mut(id).order = Order::Attack(enemy);
        }
    });
}

/// Where to run: of the places ten cells away in eight directions, cut off at the edge of the
/// map, the one that is farthest from the enemy.
fn refuge(place: Place, enemy: Place) -> Place {
    let last = (SIDE - 1) as f32;
    let ends = around([0.0, 0.0]).map(|[dx, dy]| {
        let by = RETREAT / (dx * dx + dy * dy).sqrt();
        [(place[0] + dx * by).clamp(0.0, last), (place[1] + dy * by).clamp(0.0, last)]
    });
    let mut best = (place, 0.0);
    for end in ends {
        let distance = squared(end, enemy);
        if distance > best.1 {
            best = (end, distance);
        }
    }
    best.0
}
