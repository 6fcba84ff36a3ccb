//! What a player sees, counted: a row of numbers, for agents that shall not have to find out from
//! a map that units are to be counted and how far apart they are.
//!
//! Beside what the planes of [`planes`](super::planes) show, a player knows what its own units are
//! doing, and how many of the other's have fallen.

use super::battle::{Battle, Id, Mask, Order, SIDE, Unit};
use super::kinds::Kind;
use super::orders::{FRESH, sees, sight};
use super::place::{Place, squared};

/// How many numbers there are.
pub const NUMBERS: usize = SUMS + TROOPS * OF_A_TROOP + FOES * OF_A_FOE + OTHERS_MONEY;
const SUMS: usize = 107;
/// Of how many troops, and of how many of the other's units, each has numbers of its own, and
/// how many: those that are nearest to each other.
const TROOPS: usize = 4;
const OF_A_TROOP: usize = 11;
const FOES: usize = 3;
const OF_A_FOE: usize = 7;
const OTHERS_MONEY: usize = 5;

/// Writes what `player` sees as [`NUMBERS`] bytes, 255 being 1.0.
pub fn observe(battle: &Battle, player: u8, into: &mut [u8]) {
    let mut row = Row(into);
    count(battle, player, &sight(battle, player), &mut row);
    row.0.fill(0);
}

/// Writes what `player` would see if nothing were hidden, and the other's money in the last
/// numbers, which are 0 in [`observe`].
pub fn observe_all(battle: &Battle, player: u8, into: &mut [u8]) {
    let mut row = Row(into);
    count(battle, player, &[u32::MAX; SIDE], &mut row);
    let money = battle.money[usize::from(1 - player)] as f32;
    row.part(1.0);
    row.part(money / 400.0);
    row.reached(money, &[50.0, 100.0, 200.0]);
}

/// What is left to be written.
struct Row<'a>(&'a mut [u8]);

impl Row<'_> {
    fn part(&mut self, part: f32) {
        if let Some((first, rest)) = std::mem::take(&mut self.0).split_first_mut() {
            // What is cut off after a half is added is rounded.
            *first = (255.0 * part.clamp(0.0, 1.0) + 0.5) as u8;
            self.0 = rest;
        }
    }

    fn yes(&mut self, is_so: bool) {
        self.part(one_if(is_so));
    }

    /// For each limit whether it is reached: a perceptron tells one unit from two by that.
    fn reached(&mut self, value: f32, limits: &[f32]) {
        limits.iter().for_each(|&limit| self.yes(value >= limit));
    }

    /// For each limit whether a distance is below it.
    fn nearer(&mut self, squared: f32, limits: &[f32]) {
        limits.iter().for_each(|&limit| self.yes(squared < limit * limit));
    }

    fn nothing(&mut self, numbers: usize) {
        (0..numbers).for_each(|_| self.part(0.0));
    }
}

fn one_if(is_so: bool) -> f32 {
    f32::from(u8::from(is_so))
}

/// Sums over a player's units, by kind.
#[derive(Default)]
struct Force {
    count: [f32; 6],
    /// As parts of what a new one has.
    strength: [f32; 6],
    /// Those that could attack now.
    ready: [f32; 6],
    /// Those that were hit just now.
    hit: f32,
    idle: [f32; 6],
    building: [f32; 6],
    going: [f32; 6],
    attacking: [f32; 6],
    /// Those that carry money home.
    loaded: f32,
    /// How far barracks have come that a worker is building.
    barracks: f32,
}

impl Force {
    fn of<'a>(units: impl Iterator<Item = &'a Unit>, tick: u32) -> Self {
        let mut all = Self::default();
        for unit in units {
            let kind = unit.kind as usize;
            all.count[kind] += 1.0;
            all.strength[kind] += unit.hp as f32 / unit.kind.stats().hp as f32;
            all.ready[kind] += one_if(unit.ready <= tick);
            all.hit += one_if(unit.hit.is_some_and(|(_, at)| at + FRESH > tick));
            match unit.order {
                Order::Idle => all.idle[kind] += 1.0,
                Order::Attack(_) => all.attacking[kind] += 1.0,
                Order::Go(_) => all.going[kind] += 1.0,
                Order::Gather { loaded, .. } => all.loaded += one_if(loaded),
                Order::Build { kind: what, until, .. } => {
                    all.building[kind] += 1.0;
                    if what == Kind::Barracks && until > 0 {
                        let left = until.saturating_sub(tick) as f32;
                        all.barracks = 1.0 - left / what.stats().build as f32;
                    }
                }
            }
        }
        all
    }
}

/// Everything but the other's money.
fn count(battle: &Battle, player: u8, mask: &Mask, row: &mut Row) {
    use Kind::{Barracks, Base, Melee, Ranged, Worker};
    let units = || battle.alive.iter().map(|&id| battle.unit(id));
    let own = || units().filter(|unit| unit.player == player);
    let others = || units().filter(|unit| unit.player != player && sees(mask, unit.place));

    // What the player has, and what it is doing.
    let force = Force::of(own(), battle.tick);
    let money = battle.money[usize::from(player)] as f32;
    row.reached(money, &[50.0, 100.0, 150.0, 200.0, 250.0, 300.0]);
    row.part(money / 400.0);
    row.reached(force.count[Worker as usize], &[1.0, 2.0, 3.0, 4.0, 5.0]);
    row.reached(force.count[Melee as usize], &[1.0, 2.0, 3.0]);
    row.reached(force.count[Ranged as usize], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    row.part(force.count[Ranged as usize] / 8.0);
    row.reached(force.count[Barracks as usize], &[1.0, 2.0]);
    for (kind, many) in [(Base, 1.0), (Barracks, 2.0), (Ranged, 5.0), (Melee, 3.0), (Worker, 5.0)] {
        row.part(force.strength[kind as usize] / many);
    }
    row.part(force.building[Worker as usize]);
    row.part(force.barracks);
    row.part(force.building[Barracks as usize] / 2.0);
    row.part(force.building[Base as usize]);
    row.part(force.idle[Barracks as usize] / 2.0);
    row.part(force.idle[Ranged as usize] / 4.0);
    row.part(force.idle[Melee as usize] / 4.0);
    row.reached(force.idle[Ranged as usize], &[1.0, 2.0]);
    row.reached(force.idle[Melee as usize], &[1.0]);
    row.part(force.going[Ranged as usize] / 4.0);
    row.part(force.attacking[Ranged as usize] / 4.0);
    row.part(force.ready[Ranged as usize] / 4.0);
    row.part(force.loaded / 3.0);
    row.part(force.hit / 3.0);

    // What it sees of the other's.
    let force = Force::of(others(), battle.tick);
    row.reached(force.count[Worker as usize], &[1.0, 2.0, 3.0]);
    row.reached(force.count[Melee as usize], &[1.0, 2.0]);
    row.reached(force.count[Ranged as usize], &[1.0, 2.0, 3.0, 4.0]);
    row.reached(force.count[Barracks as usize], &[1.0]);
    row.reached(force.count[Base as usize], &[1.0]);
    for (kind, many) in [(Base, 1.0), (Ranged, 4.0), (Melee, 3.0), (Barracks, 1.0)] {
        row.part(force.strength[kind as usize] / many);
    }

    // How near they are to each other.
    let place_of = |ids: [Id; 2]| battle.unit(ids[usize::from(player)]).place;
    let (base, resource) = (place_of(battle.base), place_of(battle.resource));
    let foes = || others().filter(|unit| unit.kind != Kind::Resource);
    let troops = || own().filter(|unit| unit.kind.is_troop());
    let shooters = || own().filter(|unit| unit.kind == Ranged);
    let mut near = Nearest::default();
    for foe in foes() {
        near.look(foe, base, resource, troops());
    }
    row.nearer(near.troop_to_base, &[12.0, 8.0, 6.0, 4.0, 2.5]);
    row.nearer(near.mobile_to_resource, &[12.0, 8.0, 6.0, 4.0, 2.5]);
    row.nearer(near.mobile_to_shooter, &[6.0, 5.5, 5.0, 4.0, 3.0, 2.45, 2.0, 1.5]);
    row.nearer(near.ranged_to_shooter, &[6.0, 5.0, 4.0, 3.0, 2.0]);
    row.nearer(near.building_to_shooter, &[6.0, 5.0, 4.0]);
    row.nearer(near.any_to_troop, &[5.0, 3.0, 1.5]);
    // How far out they are.
    let out = |unit: &Unit| squared(unit.place, base).sqrt() / SIDE as f32;
    let mean = |sum: f32, count: usize| sum / count.max(1) as f32;
    row.part(mean(shooters().map(out).sum(), shooters().count()));
    row.part(shooters().map(out).fold(0.0, f32::max));
    row.part(shooters().map(out).fold(1.0, f32::min));
    row.part(mean(troops().map(out).sum(), troops().count()));
    // How many of either side are in the fight.
    let (mut engaged, mut pressed) = (0.0, 0.0);
    for unit in shooters() {
        let mobile = foes().filter(|foe| !foe.kind.is_building());
        let distance = mobile.map(|foe| squared(foe.place, unit.place)).fold(FAR, f32::min);
        engaged += one_if(distance < REACH * REACH);
        pressed += one_if(distance < 4.0);
    }
    row.part(engaged / 4.0);
    row.reached(engaged, &[1.0, 2.0, 3.0]);
    row.part(pressed / 3.0);
    row.part(near.met / 4.0);

    // Those that are in its midst.
    let to_foe = |unit: &Unit| foes().map(|foe| squared(foe.place, unit.place)).fold(FAR, f32::min);
    for slot in first::<TROOPS>(troops().map(|unit| (unit, to_foe(unit)))) {
        let Some((unit, distance)) = slot else {
            row.nothing(OF_A_TROOP);
            continue;
        };
        let target = match unit.order {
            Order::Attack(target) => Some(battle.unit(target).kind),
            _ => None,
        };
        row.yes(unit.kind == Ranged);
        row.part(unit.hp as f32 / unit.kind.stats().hp as f32);
        row.yes(unit.ready <= battle.tick);
        row.yes(unit.order == Order::Idle);
        row.yes(matches!(unit.order, Order::Go(_)));
        row.yes(target == Some(Worker));
        row.yes(target.is_some_and(Kind::is_troop));
        row.yes(target.is_some_and(Kind::is_building));
        row.part(distance.sqrt() / 8.0);
        row.nearer(distance, &[5.0, 2.45]);
    }
    let to_own = |foe: &Unit| {
        let near = troops().map(|unit| squared(foe.place, unit.place)).fold(FAR, f32::min);
        near.min(squared(foe.place, base))
    };
    for slot in first::<FOES>(foes().map(|foe| (foe, to_own(foe)))) {
        let Some((foe, distance)) = slot else {
            row.nothing(OF_A_FOE);
            continue;
        };
        row.yes(foe.kind == Ranged);
        row.yes(foe.kind == Melee);
        row.yes(foe.kind == Worker);
        row.yes(foe.kind == Base);
        row.part(foe.hp as f32 / foe.kind.stats().hp as f32);
        row.part(distance.sqrt() / 8.0);
        row.part(out(foe));
    }

    // What has been.
    let mut fallen = [0.0; 6];
    let dead = battle.units.iter().filter(|unit| unit.player != player && unit.hp <= 0);
    dead.for_each(|unit| fallen[unit.kind as usize] += 1.0);
    row.reached(fallen[Worker as usize], &[1.0, 2.0, 3.0]);
    row.reached(fallen[Ranged as usize], &[1.0, 2.0, 3.0]);
    row.reached(fallen[Barracks as usize], &[1.0]);
    row.part(battle.tick as f32 / 2000.0);
    row.part(battle.tick as f32 / 10_000.0);
}

/// The units with the lowest numbers, lowest first.
fn first<'a, const N: usize>(
    units: impl Iterator<Item = (&'a Unit, f32)>,
) -> [Option<(&'a Unit, f32)>; N] {
    let mut first = [None; N];
    for unit in units {
        // It takes the place of one that comes after it, which takes the place of the next.
        let mut left = Some(unit);
        for slot in &mut first {
            if slot.is_none_or(|(_, number)| left.is_some_and(|(_, own)| own < number)) {
                std::mem::swap(slot, &mut left);
            }
        }
    }
    first
}

/// Farther than anything on the map, squared.
const FAR: f32 = 1e4;
/// Who is nearer than this is in the fight.
const REACH: f32 = 6.0;

/// The squared distances of the other's units that are seen to the player's.
struct Nearest {
    troop_to_base: f32,
    mobile_to_resource: f32,
    mobile_to_shooter: f32,
    ranged_to_shooter: f32,
    building_to_shooter: f32,
    any_to_troop: f32,
    /// Troops that some shooter has met.
    met: f32,
}

impl Default for Nearest {
    fn default() -> Self {
        Self {
            troop_to_base: FAR,
            mobile_to_resource: FAR,
            mobile_to_shooter: FAR,
            ranged_to_shooter: FAR,
            building_to_shooter: FAR,
            any_to_troop: FAR,
            met: 0.0,
        }
    }
}

impl Nearest {
    fn look<'a>(
        &mut self,
        foe: &Unit,
        base: Place,
        resource: Place,
        troops: impl Iterator<Item = &'a Unit>,
    ) {
        let closer = |so_far: &mut f32, is_so: bool, distance: f32| {
            if is_so {
                *so_far = so_far.min(distance);
            }
        };
        let (troop, mobile) = (foe.kind.is_troop(), !foe.kind.is_building());
        closer(&mut self.troop_to_base, troop, squared(foe.place, base));
        closer(&mut self.mobile_to_resource, mobile, squared(foe.place, resource));
        let mut met = false;
        for unit in troops {
            let (distance, shoots) = (squared(foe.place, unit.place), unit.kind == Kind::Ranged);
            closer(&mut self.any_to_troop, true, distance);
            closer(&mut self.mobile_to_shooter, shoots && mobile, distance);
            closer(&mut self.ranged_to_shooter, shoots && foe.kind == Kind::Ranged, distance);
            closer(&mut self.building_to_shooter, shoots && !mobile, distance);
            met |= shoots && distance < REACH * REACH;
        }
        self.met += one_if(troop && met);
    }
}
