//! The kinds of units, and what all units of a kind share.

use serde::{Deserialize, Serialize};

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
