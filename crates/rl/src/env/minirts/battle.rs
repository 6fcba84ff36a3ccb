//! The map, the units and one tick of a battle.

use crate::env::Random;
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
const ROOM: f32 = 0.5;
/// For how many ticks a path is followed before it is looked for again.
const PATH_TICKS: u32 = 10;
/// A bullet's way in a tick, and how near it hits.
const BULLET_SPEED: f32 = 0.2;
const BULLET_HITS: f32 = 0.3;

/// What a unit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// What workers dig: its strength is what is left.
    Resource,
    /// Gathers and builds barracks.
    Worker,
    /// A troop that must come near.
    Melee,
    /// A troop that shoots.
    Ranged,
    /// Makes troops.
    Barracks,
    /// Makes workers; who loses it has lost.
    Base,
}

/// What all units of a kind share. Times are in ticks.
pub struct Stats {
    /// In money.
    pub cost: i32,
    /// Strength when new.
    pub hp: i32,
    /// What every hit loses.
    pub defence: i32,
    /// Cells per tick.
    pub speed: f32,
    /// What a hit takes, before the defence; 0 for those that cannot hit.
    pub attack: i32,
    /// In cells, squared.
    pub range: i32,
    /// In steps between cells.
    pub vision: i32,
    /// From one attack to the next.
    pub reload: u32,
    /// How long building something takes.
    pub build: u32,
}

/// How long a worker digs.
const GATHER: u32 = 40;

impl Kind {
    /// What all units of this kind share.
    #[inline]
    pub const fn stats(self) -> &'static Stats {
        const fn row(
            [cost, hp, defence]: [i32; 3],
            speed: f32,
            [attack, range, vision]: [i32; 3],
            [reload, build]: [u32; 2],
        ) -> Stats {
            Stats { cost, hp, defence, speed, attack, range: range * range, vision, reload, build }
        }
        const TABLE: [Stats; 6] = [
            row([0, 1000, 1000], 0.0, [0, 0, 0], [0, 0]),
            row([50, 50, 0], 0.1, [2, 1, 3], [10, 40]),
            row([100, 100, 1], 0.1, [15, 1, 3], [15, 0]),
            row([100, 50, 0], 0.2, [10, 5, 5], [10, 0]),
            row([200, 200, 1], 0.0, [0, 0, 5], [0, 50]),
            row([500, 500, 2], 0.0, [0, 0, 5], [0, 50]),
        ];
        &TABLE[self as usize]
    }

    /// Whether it stands where it was built.
    pub const fn is_building(self) -> bool {
        matches!(self, Kind::Resource | Kind::Barracks | Kind::Base)
    }

    /// Whether it was made to fight.
    pub const fn is_troop(self) -> bool {
        matches!(self, Kind::Melee | Kind::Ranged)
    }
}

/// A unit's place in [`Battle::units`], for good: none is used twice.
pub type Id = u16;

/// A place on the map.
pub type Place = [f32; 2];

/// The squared distance.
#[inline]
pub fn squared(a: Place, b: Place) -> f32 {
    let (x, y) = (a[0] - b[0], a[1] - b[1]);
    x * x + y * y
}

/// The cell that a place is in, as column and row.
#[inline]
pub fn cell(place: Place) -> [usize; 2] {
    // A place is never negative, so that cutting off after adding a half rounds.
    [(place[0] + 0.5) as usize, (place[1] + 0.5) as usize]
}

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
    path: (Option<Place>, u32),
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
    buildings: Mask,
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

    /// One step of a unit towards a place: straight on, else along a path around buildings;
    /// aside where somebody stands in the way.
    fn walk(&mut self, id: Id, to: Place) {
        let unit = *self.unit(id);
        let speed = unit.kind.stats().speed;
        let (mut next, until) = unit.path;
        let arrived = next.is_some_and(|next| squared(unit.place, next) < 1e-4);
        if self.tick >= until || arrived {
            next = if self.is_straight(unit.place, to) { None } else { self.path(unit.place, to) };
            self.unit_mut(id).path = (next, self.tick + PATH_TICKS);
        }
        let goal = next.unwrap_or(to);
        let there = toward(unit.place, goal, speed);
        if self.is_free(there, Some(id)) {
            self.unit_mut(id).place = there;
            return;
        }
        let in_the_way = self.alive.iter().copied().find(|&other| {
            let other_unit = self.unit(other);
            let idle = other_unit.order == Order::Idle && !other_unit.kind.is_building();
            idle && other != id
                && other_unit.player == unit.player
                && squared(other_unit.place, there) < ROOM * ROOM
        });
        if let Some(other) = in_the_way {
            self.make_room(other, unit.place);
        }
        let [x, y] = unit.place;
        let (dx, dy) = (there[0] - x, there[1] - y);
        // Left, right; and in a crowd anywhere, or nobody would ever move again.
        let [a, b] = around([0.0, 0.0])
            .nth((id as usize * 5 + self.tick as usize / 4) % 8)
            .map_or([0.0; 2], |[a, b]| [a * speed, b * speed]);
        for place in [[x + dy, y - dx], [x - dy, y + dx], [x + a, y + b]] {
            if self.is_free(place, Some(id)) {
                self.unit_mut(id).place = place;
                return;
            }
        }
    }

    /// An idle unit steps aside for one of its own side.
    fn make_room(&mut self, id: Id, pusher: Place) {
        let Unit { place: [x, y], kind, .. } = *self.unit(id);
        let [ahead_x, ahead_y] =
            toward([x, y], [2.0 * x - pusher[0], 2.0 * y - pusher[1]], kind.stats().speed);
        let (dx, dy) = (ahead_x - x, ahead_y - y);
        for place in [[x + dy, y - dx], [x - dy, y + dx], [ahead_x, ahead_y]] {
            if self.is_free(place, Some(id)) {
                self.unit_mut(id).place = place;
                return;
            }
        }
    }

    /// Whether no building stands between two places; one at the end does not count.
    fn is_straight(&self, from: Place, to: Place) -> bool {
        let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
        let length = dx * dx + dy * dy;
        let (low, high) = (
            cell([from[0].min(to[0]), from[1].min(to[1])]),
            cell([from[0].max(to[0]), from[1].max(to[1])]),
        );
        // One cell more on every side.
        let rows = low[1].saturating_sub(1)..(high[1] + 2).min(SIDE);
        let (first, last) = (low[0].saturating_sub(1), (high[0] + 2).min(SIDE));
        let columns = ((1u32 << (last - first)) - 1) << first;
        for row in rows {
            let mut bits = self.buildings[row] & columns;
            while bits != 0 {
                let (x, y) = (bits.trailing_zeros() as f32 - from[0], row as f32 - from[1]);
                bits &= bits - 1;
                let along = x * dx + y * dy;
                if along <= 0.0 || along >= length {
                    continue;
                }
                let across = x * dy - y * dx;
                let at_end = squared([x, y], [dx, dy]) < ROOM * ROOM;
                if across * across < ROOM * ROOM * length && !at_end {
                    return false;
                }
            }
        }
        true
    }

    /// The next cell on a shortest path between cells that touch at a side, or none where no
    /// path leads. It is the length of an A* path, but found by flooding the map from the goal,
    /// a whole row of cells at a time.
    fn path(&self, from: Place, to: Place) -> Option<Place> {
        let ([x, y], [to_x, to_y]) = (cell(from), cell(to));
        let mut flood = [0u32; SIDE + 2];
        flood[to_y + 1] = 1 << to_x;
        // The cells beside the unit; its own is never entered.
        let mut free = [0u32; SIDE];
        for (row, free) in free.iter_mut().enumerate() {
            *free = !self.buildings[row] & ((1 << SIDE) - 1);
        }
        let left = if x > 0 { 1u32 << (x - 1) } else { 0 };
        let right = if x + 1 < SIDE { 1u32 << (x + 1) } else { 0 };
        loop {
            if flood[y + 1] & left != 0 {
                return Some([x as f32 - 1.0, y as f32]);
            }
            if flood[y + 1] & right != 0 {
                return Some([x as f32 + 1.0, y as f32]);
            }
            if flood[y] >> x & 1 != 0 {
                return Some([x as f32, y as f32 - 1.0]);
            }
            if flood[y + 2] >> x & 1 != 0 {
                return Some([x as f32, y as f32 + 1.0]);
            }
            let before = flood;
            let mut grew = false;
            for row in 1..=SIDE {
                let spread = before[row]
                    | before[row] << 1
                    | before[row] >> 1
                    | before[row - 1]
                    | before[row + 1];
                flood[row] |= spread & free[row - 1];
                grew |= flood[row] != before[row];
            }
            if !grew {
                return None;
            }
        }
    }
}

/// The middle of the cell that a place is in.
fn at_cell(place: Place) -> Place {
    cell(place).map(|at| at as f32)
}

/// The eight cells around one, some perhaps beside the map.
pub fn around([x, y]: Place) -> impl Iterator<Item = Place> {
    const RING: [[f32; 2]; 8] = [
        [1.0, 0.0],
        [0.0, 1.0],
        [-1.0, 0.0],
        [0.0, -1.0],
        [1.0, 1.0],
        [-1.0, 1.0],
        [-1.0, -1.0],
        [1.0, -1.0],
    ];
    RING.into_iter().map(move |[dx, dy]| [x + dx, y + dy])
}

/// At most `by` from one place to another.
#[inline]
fn toward(from: Place, to: Place, by: f32) -> Place {
    let distance = squared(from, to).sqrt();
    if distance <= by {
        return to;
    }
    let share = by / distance;
    [from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share]
}
