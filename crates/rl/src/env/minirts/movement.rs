//! How units walk: straight on, around buildings, aside for each other.

use super::battle::{Battle, Id, Order, ROOM, SIDE, Unit};
use super::place::{Place, around, cell, squared, toward};

/// For how many ticks a path is followed before it is looked for again.
const PATH_TICKS: u32 = 10;

impl Battle {
    /// One step of a unit towards a place: straight on, else along a path around buildings;
    /// aside where somebody stands in the way.
    pub(super) fn walk(&mut self, id: Id, to: Place) {
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
