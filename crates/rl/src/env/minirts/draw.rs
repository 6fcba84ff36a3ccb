//! The whole map as an image, for people.

use super::battle::{Battle, SIDE};
use super::kinds::Kind;
use super::orders;
use crate::env::draw::Canvas;

/// Pixels of a cell in images.
pub const CELL: f64 = 16.0;

/// The whole map; what player 0 does not see is darker.
pub fn paint(battle: &Battle) -> Canvas {
    let side = (SIDE as f64 * CELL) as u32;
    let mut canvas = Canvas::new(side, side + 12, [40, 46, 40]);
    let mask = orders::sight(battle, 0);
    for (row, bits) in mask.iter().enumerate() {
        for column in (0..SIDE).filter(|column| bits >> column & 1 == 1) {
            let (x, y) = (column as f64 * CELL, row as f64 * CELL);
            canvas.rectangle((x, y), (x + CELL, y + CELL), [72, 84, 66]);
        }
    }
    let colours = [[90, 170, 240], [235, 100, 80]];
    for &id in &battle.alive {
        let unit = battle.unit(id);
        let colour = colours[usize::from(unit.player)];
        let (x, y) =
            ((f64::from(unit.place[0]) + 0.5) * CELL, (f64::from(unit.place[1]) + 0.5) * CELL);
        let square = |canvas: &mut Canvas, half: f64, colour| {
            canvas.rectangle((x - half, y - half), (x + half, y + half), colour);
        };
        match unit.kind {
            Kind::Resource => {
                square(&mut canvas, 6.0, colour);
                square(&mut canvas, 5.0, [230, 200, 70]);
            }
            Kind::Base => square(&mut canvas, 8.0, colour),
            Kind::Barracks => {
                square(&mut canvas, 7.0, colour);
                square(&mut canvas, 4.0, [40, 40, 40]);
            }
            Kind::Worker => canvas.disc((x, y), 3.0, colour),
            Kind::Melee => {
                canvas.disc((x, y), 5.0, colour);
                canvas.disc((x, y), 2.5, [30, 30, 30]);
            }
            Kind::Ranged => {
                canvas.line((x - 4.0, y - 4.0), (x + 4.0, y + 4.0), 2.5, colour);
                canvas.line((x - 4.0, y + 4.0), (x + 4.0, y - 4.0), 2.5, colour);
            }
        }
        if unit.kind != Kind::Resource {
            let share = f64::from(unit.hp) / f64::from(unit.kind.stats().hp);
            let width = if unit.kind.is_building() { 14.0 } else { 8.0 };
            canvas.rectangle((x - width / 2.0, y - 8.0), (x + width / 2.0, y - 6.5), [30, 30, 30]);
            let end = x - width / 2.0 + width * share;
            canvas.rectangle((x - width / 2.0, y - 8.0), (end, y - 6.5), [120, 220, 110]);
        }
    }
    for bullet in &battle.bullets {
        let at = |at: f32| (f64::from(at) + 0.5) * CELL;
        canvas.disc((at(bullet.place[0]), at(bullet.place[1])), 1.8, [250, 250, 250]);
    }
    // The money of either player, a mark for every 10.
    for (player, colour) in colours.into_iter().enumerate() {
        let y = f64::from(side) + 1.0 + 5.0 * player as f64;
        for mark in 0..(battle.money[player] / 10).min(60) {
            let x = 2.0 + 5.0 * f64::from(mark);
            canvas.rectangle((x, y), (x + 4.0, y + 4.0), colour);
        }
    }
    canvas
}
