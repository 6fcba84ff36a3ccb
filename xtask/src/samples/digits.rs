//! Handwritten digits, white on black, 28 x 28 pixels, as MNIST has them.

use super::file::File;
use super::image::Image;
use super::random::Random;
use anyhow::Result;

const SIDE: usize = 28;
/// Images of each digit.
const EACH: usize = 12;

type Point = (f32, f32);

/// A five.
pub fn one(name: &str) -> Result<Vec<File>> {
    Ok(vec![(name.to_owned(), draw(5, &mut Random(9))?)])
}

/// A subfolder of images for each digit.
pub fn folder(name: &str) -> Result<Vec<File>> {
    let mut random = Random(10);
    let mut files = Vec::new();
    for digit in 0..10 {
        for i in 0..EACH {
            files.push((format!("{name}/{digit}/{i:02}.png"), draw(digit, &mut random)?));
        }
    }
    Ok(files)
}

/// A digit as a hand would write it: slanted, moved, of another size, with another pen.
fn draw(digit: usize, random: &mut Random) -> Result<Vec<u8>> {
    let (slant, turn) = (random.between(-0.15, 0.25), random.between(-0.1, 0.1));
    let (wide, high) = (random.between(17.0, 21.0), random.between(19.0, 21.5));
    let (x, y) = (random.between(-1.0, 1.0), random.between(-1.0, 1.0));
    let pen = random.between(1.0, 1.6);
    let middle = SIDE as f32 / 2.0;
    let place = |(px, py): Point| {
        let (px, py) = (px - 0.5, py - 0.5);
        let px = px - slant * py;
        let (sin, cos) = turn.sin_cos();
        (middle + x + wide * (cos * px - sin * py), middle + y + high * (sin * px + cos * py))
    };
    let strokes: Vec<Vec<Point>> =
        strokes(digit).into_iter().map(|s| s.into_iter().map(place).collect()).collect();
    let mut image = Image::new(SIDE, |_, _| [0; 3]);
    image.paint([255; 3], |x, y| {
        let lines = strokes.iter().flat_map(|stroke| stroke.windows(2));
        lines.map(|ends| to_line((x, y), ends[0], ends[1])).fold(f32::MAX, f32::min) - pen
    });
    image.png(true)
}

/// The distance of a point from a line between two others.
fn to_line(point: Point, from: Point, to: Point) -> f32 {
    let (along_x, along_y) = (to.0 - from.0, to.1 - from.1);
    let (x, y) = (point.0 - from.0, point.1 - from.1);
    let length = (along_x * along_x + along_y * along_y).max(1e-9);
    let part = ((x * along_x + y * along_y) / length).clamp(0.0, 1.0);
    (x - part * along_x).hypot(y - part * along_y)
}

/// What a pen does, in a square of side 1 whose first row is on top.
fn strokes(digit: usize) -> Vec<Vec<Point>> {
    match digit {
        0 => vec![arc((0.5, 0.5), (0.28, 0.46), -90.0, 270.0)],
        1 => vec![vec![(0.36, 0.2), (0.55, 0.04), (0.55, 0.96)]],
        2 => {
            let mut top = arc((0.48, 0.28), (0.27, 0.24), 190.0, 395.0);
            top.extend([(0.22, 0.94), (0.8, 0.94)]);
            vec![top]
        }
        3 => vec![
            arc((0.46, 0.27), (0.26, 0.23), 200.0, 450.0),
            arc((0.46, 0.72), (0.29, 0.23), 270.0, 520.0),
        ],
        4 => vec![vec![(0.6, 0.04), (0.16, 0.62), (0.84, 0.62)], vec![(0.64, 0.34), (0.62, 0.96)]],
        5 => {
            let mut down = vec![(0.76, 0.06), (0.3, 0.06), (0.27, 0.46)];
            down.extend(arc((0.47, 0.67), (0.28, 0.27), 235.0, 510.0));
            vec![down]
        }
        6 => {
            let mut stem = vec![(0.66, 0.04), (0.44, 0.22), (0.3, 0.46)];
            stem.extend(arc((0.5, 0.7), (0.25, 0.25), 180.0, 540.0));
            vec![stem]
        }
        7 => vec![vec![(0.2, 0.07), (0.8, 0.07), (0.42, 0.96)]],
        8 => vec![
            arc((0.5, 0.27), (0.22, 0.22), 90.0, 450.0),
            arc((0.5, 0.72), (0.27, 0.23), -90.0, 270.0),
        ],
        _ => vec![
            arc((0.48, 0.3), (0.24, 0.25), 0.0, 360.0),
            vec![(0.72, 0.3), (0.68, 0.62), (0.54, 0.96)],
        ],
    }
}

/// Points of an ellipse, from one angle to another in degrees, clockwise from the right.
fn arc(middle: Point, radii: (f32, f32), from: f32, to: f32) -> Vec<Point> {
    const POINTS: usize = 20;
    let at = |i| {
        let angle = (from + (to - from) * i as f32 / (POINTS - 1) as f32).to_radians();
        (middle.0 + radii.0 * angle.cos(), middle.1 + radii.1 * angle.sin())
    };
    (0..POINTS).map(at).collect()
}
