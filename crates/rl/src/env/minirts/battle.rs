//! The map, the units and one tick of a battle.

use super::kinds::Kind;
use super::place::{Place, around, at_cell, cell, squared, toward};
use crate::env::game::Random;
use serde::{Deserialize, Serialize};

/// Cells along each side of the map. A unit at whole coordinates is in the middle of a cell.
pub const SIDE: usize = 20;
/// Money at the start, and what one trip to the resource brings.
pub const START_MONEY: i32 = 200;
/// See [`START_MONEY`].
pub const TRIP: i32 = 5;
/// After how many ticks nobody wins.
pub const LAST_TICK: u32 = 30_000;
/// How near the middles of two units may come: both have a radius of 0.25.
pub(super) const ROOM: f32 = 0.5;
/// A bullet's way in a tick, and how near it hits.
const BULLET_SPEED: f32 = 0.2;
const BULLET_HITS: f32 = 0.3;

/// How long a worker digs.
const GATHER: u32 = 40;

/// A unit's place in [`Battle::units`], for good: none is used twice.
pub type Id = u16;

/// What a unit is doing until it is told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Order {
    /// Nothing.
    Idle,
    /// Go where it can be hit, and hit it until it is dead.
    Attack(Id),
    /// Go there.
    Go(Place),
    /// To the resource, and loaded to the base.
    Gather {
        /// Whether it carries money home.
        loaded: bool,
        /// When digging ends; 0 while walking.
        until: u32,
    },
    /// Build something.
    Build {
        /// What.
        kind: Kind,
        /// Where.
        at: Place,
        /// When it is done; 0 while it has not begun.
        until: u32,
    },
}

/// A unit, alive or dead.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    /// What it is.
    pub kind: Kind,
    /// Whose: 0 or 1.
    pub player: u8,
    /// Where it is.
    pub place: Place,
    /// The strength that is left; 0 when dead.
    pub hp: i32,
    /// The tick it was made in.
    pub born: u32,
    /// The tick from which it can attack again.
    pub ready: u32,
    /// What it is doing.
    pub order: Order,
    /// Who hit it last, and in which tick.
    pub hit: Option<(Id, u32)>,
    /// Where its path leads next, or nowhere when the straight way is free; for as long as the
    /// tick is below the number.
    pub(super) path: (Option<Place>, u32),
}

/// A shot on its way.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bullet {
    /// Where it is.
    pub place: Place,
    /// Whom it follows.
    pub target: Id,
    /// Who shot it.
    pub from: Id,
}

/// Who has won.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Winner {
    /// The one that alone has a base.
    Player(u8),
    /// Both bases fell in one tick, or time is up.
    Nobody,
}

/// One bit per cell, in a word per row.
pub type Mask = [u32; SIDE];

/// A battle.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Battle {
    /// How many ticks have passed.
    pub tick: u32,
    /// All units that there were, in the order in which they were made.
    pub units: Vec<Unit>,
    /// Those that live.
    pub alive: Vec<Id>,
    /// The shots on their way.
    pub bullets: Vec<Bullet>,
    /// Of either player.
    pub money: [i32; 2],
    /// The resource of either player.
    pub resource: [Id; 2],
    /// The base of either player.
    pub base: [Id; 2],
    /// Cells in which a building stands.
    pub(super) buildings: Mask,
    /// Hits of this tick: target, attacker.
    hits: Vec<(Id, Id)>,
}

impl Battle {
    /// An empty map, without money.
    pub fn clear(&mut self) {
        (self.tick, self.buildings, self.money) = (0, [0; SIDE], [0; 2]);
        self.units.clear();
        self.alive.clear();
        self.bullets.clear();
        self.hits.clear();
    }

    /// Draws a new battle.
    pub fn reset(&mut self, random: &mut Random) {
        self.clear();
        self.money = [START_MONEY; 2];
        let mirror = [random.below(2) == 1, random.below(2) == 1];
        let mirrored = |place: [usize; 2]| {
            let turn = |at: usize, mirror| if mirror { SIDE - 1 - at } else { at } as f32;
            [turn(place[0], mirror[0]), turn(place[1], mirror[1])]
        };
        for player in 0..2u8 {
            let corner = 13 * usize::from(player);
            let base = [corner + random.below(7), corner + random.below(7)];
            self.base[usize::from(player)] = self.add(Kind::Base, player, mirrored(base));
        }
        for player in 0..2u8 {
            let base = self.unit(self.base[usize::from(player)]).place;
            let place = loop {
                // Within 4 cells of the base, and far enough for a unit to pass between.
                let mut near = |at: f32| at - 4.0 + random.below(9) as f32;
                let place = [near(base[0]), near(base[1])];
                if squared(place, base) >= 4.0 && self.is_free(place, None) {
                    break place;
                }
            };
            self.resource[usize::from(player)] = self.add(Kind::Resource, player, place);
        }
        // With how many tenths of probability each is there.
        let starters = [
            (Kind::Barracks, 2),
            (Kind::Worker, 5),
            (Kind::Worker, 5),
            (Kind::Worker, 5),
            (Kind::Melee, 5),
            (Kind::Ranged, 5),
        ];
        for player in 0..2u8 {
            let corner = 2 + 10 * usize::from(player);
            for (kind, tenths) in starters {
                if random.below(10) >= tenths {
                    continue;
                }
                // Some try finds room: 36 cells and at most 10 units.
                loop {
                    let place = [corner + random.below(6), corner + random.below(6)];
                    let place = mirrored(place);
                    if self.is_free(place, None) {
                        self.add(kind, player, place);
                        break;
                    }
                }
            }
        }
    }

    /// A unit, alive or dead.
    #[inline]
    pub fn unit(&self, id: Id) -> &Unit {
        &self.units[usize::from(id)]
    }

    /// The same, to be changed.
    #[inline]
    pub fn unit_mut(&mut self, id: Id) -> &mut Unit {
        &mut self.units[usize::from(id)]
    }

    /// Whether a unit lives.
    #[inline]
    pub fn lives(&self, id: Id) -> bool {
        self.unit(id).hp > 0
    }

    /// Puts a new unit on the map.
    pub fn add(&mut self, kind: Kind, player: u8, place: Place) -> Id {
        let id = self.units.len() as Id;
        let hp = kind.stats().hp;
        let (born, order, path) = (self.tick, Order::Idle, (None, 0));
        self.units.push(Unit { kind, player, place, hp, born, ready: 0, order, hit: None, path });
        self.alive.push(id);
        if kind.is_building() {
            let [column, row] = cell(place);
            self.buildings[row] |= 1 << column;
        }
        id
    }

    /// Whether a unit has room at `place`; `who` is not in its own way.
    #[inline]
    pub fn is_free(&self, place: Place, who: Option<Id>) -> bool {
        let last = (SIDE - 1) as f32;
        let inside = |at: f32| (0.0..=last).contains(&at);
        inside(place[0])
            && inside(place[1])
            && self
                .alive
                .iter()
                .all(|&id| squared(self.unit(id).place, place) >= ROOM * ROOM || Some(id) == who)
    }

    /// One tick: bullets, what the units are doing, then the hits.
    pub fn tick(&mut self) {
        self.tick += 1;
        self.fly();
        let count = self.alive.len();
        for n in 0..count {
            // Nobody is always first.
            let n = if self.tick.is_multiple_of(2) { n } else { count - 1 - n };
            self.go_on(self.alive[n]);
        }
        if !self.hits.is_empty() {
            self.hurt();
        }
    }

    /// The winner, when the battle is over.
    pub fn winner(&self) -> Option<Winner> {
        match [self.lives(self.base[0]), self.lives(self.base[1])] {
            [true, true] if self.tick < LAST_TICK => None,
            [true, false] => Some(Winner::Player(0)),
            [false, true] => Some(Winner::Player(1)),
            [true, true] | [false, false] => Some(Winner::Nobody),
        }
    }

    /// Bullets follow their targets.
    fn fly(&mut self) {
        let (units, hits) = (&self.units, &mut self.hits);
        self.bullets.retain_mut(|bullet| {
            let target = &units[usize::from(bullet.target)];
            if target.hp <= 0 {
                return false;
            }
            bullet.place = toward(bullet.place, target.place, BULLET_SPEED);
            let hit = squared(bullet.place, target.place) < BULLET_HITS * BULLET_HITS;
            if hit {
                hits.push((bullet.target, bullet.from));
            }
            !hit
        });
    }

    /// Applies the hits of this tick, all at once: who kills is killed in the same tick.
    fn hurt(&mut self) {
        let mut killed = false;
        for n in 0..self.hits.len() {
            let (target, from) = self.hits[n];
            let attacker = *self.unit(from);
            let tick = self.tick;
            let unit = self.unit_mut(target);
            let damage = attacker.kind.stats().attack - unit.kind.stats().defence;
            unit.hp -= damage.clamp(0, unit.hp.max(0));
            unit.hit = Some((from, tick));
            if unit.hp == 0 {
                killed = true;
            } else if unit.order == Order::Idle && unit.kind.stats().attack > 0 && attacker.hp > 0 {
                unit.order = Order::Attack(from);
            }
        }
        self.hits.clear();
        if killed {
            self.bury();
        }
    }

    /// Takes the dead from the map.
    fn bury(&mut self) {
        let (units, buildings) = (&self.units, &mut self.buildings);
        self.alive.retain(|&id| {
            let unit = &units[usize::from(id)];
            if unit.hp <= 0 && unit.kind.is_building() {
                let [column, row] = cell(unit.place);
                buildings[row] &= !(1 << column);
            }
            unit.hp > 0
        });
    }

    /// A unit does what it was told.
    fn go_on(&mut self, id: Id) {
        match self.unit(id).order {
            Order::Idle => {}
            Order::Attack(target) => self.attack(id, target),
            Order::Go(to) => {
                if squared(self.unit(id).place, to) < 0.01 {
                    self.unit_mut(id).order = Order::Idle;
                } else {
                    self.walk(id, to);
                }
            }
            Order::Gather { loaded, until } => self.gather(id, loaded, until),
            Order::Build { kind, at, until } => self.build(id, kind, at, until),
        }
    }

    fn attack(&mut self, id: Id, target: Id) {
        if !self.lives(target) {
            self.unit_mut(id).order = Order::Idle;
            return;
        }
        let (unit, stats) = (*self.unit(id), self.unit(id).kind.stats());
        let to = self.unit(target).place;
        // The distance is cut off to a whole number: a range of 1 reaches diagonally.
        if squared(unit.place, to) as i32 > stats.range {
            return self.walk(id, to);
        }
        if self.tick < unit.ready {
            return;
        }
        self.unit_mut(id).ready = self.tick + stats.reload;
        if unit.kind == Kind::Ranged {
            self.bullets.push(Bullet { place: unit.place, target, from: id });
        } else {
            self.hits.push((target, id));
        }
    }

    fn gather(&mut self, id: Id, loaded: bool, until: u32) {
        let unit = *self.unit(id);
        let player = usize::from(unit.player);
        let goal = if loaded { self.base[player] } else { self.resource[player] };
        if !self.lives(goal) {
            self.unit_mut(id).order = Order::Idle;
            return;
        }
        let to = self.unit(goal).place;
        if squared(unit.place, to) >= 1.0 {
            return self.walk(id, to);
        }
        let next = if loaded {
            self.money[player] += TRIP;
            Order::Gather { loaded: false, until: 0 }
        } else if until == 0 {
            Order::Gather { loaded, until: self.tick + GATHER }
        } else if self.tick >= until {
            self.unit_mut(goal).hp -= TRIP;
            if !self.lives(goal) {
                // It stays in `alive` until the hits of this tick are dealt with.
                self.hits.push((goal, id));
            }
            Order::Gather { loaded: true, until: 0 }
        } else {
            return;
        };
        self.unit_mut(id).order = next;
    }

    fn build(&mut self, id: Id, kind: Kind, at: Place, until: u32) {
        let unit = *self.unit(id);
        let player = usize::from(unit.player);
        if until == 0 {
            if !unit.kind.is_building() && squared(unit.place, at) >= 1.0 {
                return self.walk(id, at);
            }
            let cost = kind.stats().cost;
            if self.money[player] < cost {
                self.unit_mut(id).order = Order::Idle;
                return;
            }
            self.money[player] -= cost;
            let until = self.tick + unit.kind.stats().build;
            self.unit_mut(id).order = Order::Build { kind, at, until };
        } else if self.tick >= until {
            // Somebody may stand there now.
            let room = [at]
                .into_iter()
                .chain(around(at))
                .find(|at| squared(*at, at_cell(unit.place)) <= 8.0 && self.is_free(*at, None));
            if let Some(at) = room {
                self.unit_mut(id).order = Order::Idle;
                self.add(kind, unit.player, at);
            }
        }
    }
}
