//! What a player sees: 22 planes over the map.

use super::battle::{Battle, Mask, Order, SIDE};
use super::kinds::Kind;
use super::orders::{sees, sight};
use super::place::cell;

/// The planes: one per kind of unit, whose it is, its strength, the strength of a base, how far
/// something that is being built has come, how old a unit is (in seven bins), and the money (in
/// five, over the whole map).
pub const PLANES: usize = 22;
/// The plane that tells whose a unit is.
pub const WHOSE: usize = 6;
const STRENGTH: usize = 7;
const BASE_STRENGTH: usize = 8;
const BUILDING: usize = 9;
const AGE: usize = 10;
const MONEY: usize = 17;
/// In which ticks of its life a unit leaves an age bin.
const AGES: [u32; 6] = [50, 100, 200, 400, 800, 1600];
/// In [`WHOSE`]: mine, and the other's.
const MINE: u8 = 255;
const OTHERS: u8 = 127;

/// Writes what `player` sees as bytes, 255 being 1.0: `[22, 20, 20]`, rows from the top.
pub fn observe(battle: &Battle, player: u8, into: &mut [u8]) {
    show(battle, player, &sight(battle, player), into);
    fill_money(battle, player, 255, into);
}

/// Writes what `player` would see if nothing were hidden, and the other's money: a plane of
/// money is 2/3 for the player's own, 1/3 for the other's, and 1 for both.
pub fn observe_all(battle: &Battle, player: u8, into: &mut [u8]) {
    show(battle, player, &[u32::MAX; SIDE], into);
    fill_money(battle, player, 170, into);
    fill_money(battle, 1 - player, 85, into);
}

/// The units in the cells of a mask, and the player's own.
fn show(battle: &Battle, player: u8, mask: &Mask, into: &mut [u8]) {
    into.fill(0);
    let plane = SIDE * SIDE;
    for &id in &battle.alive {
        let unit = battle.unit(id);
        if unit.player != player && !sees(mask, unit.place) {
            continue;
        }
        let [x, y] = cell(unit.place);
        let at = y * SIDE + x;
        let share = |part: f32| (255.0 * part).round() as u8;
        let strength = share(unit.hp as f32 / unit.kind.stats().hp as f32);
        into[unit.kind as usize * plane + at] = 255;
        into[WHOSE * plane + at] = if unit.player == player { MINE } else { OTHERS };
        into[STRENGTH * plane + at] = strength;
        if unit.kind == Kind::Base {
            into[BASE_STRENGTH * plane + at] = strength;
        }
        if let Order::Build { until, .. } = unit.order {
            let whole = unit.kind.stats().build;
            let left = if until == 0 { whole } else { until.saturating_sub(battle.tick) };
            into[BUILDING * plane + at] = share(1.0 - left as f32 / whole.max(1) as f32);
        }
        let age = battle.tick - unit.born;
        let bin = AGES.iter().filter(|limit| age >= **limit).count();
        into[(AGE + bin) * plane + at] = 255;
    }
}

/// Adds the money of a player to the plane for so much.
fn fill_money(battle: &Battle, player: u8, mark: u8, into: &mut [u8]) {
    let plane = SIDE * SIDE;
    let money = (battle.money[usize::from(player)] / 50).clamp(0, 4) as usize;
    into[(MONEY + money) * plane..][..plane].iter_mut().for_each(|cell| *cell += mark);
}
