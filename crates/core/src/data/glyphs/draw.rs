//! Draws one character as a hand with a pen would, and a camera would see it.

use super::strokes;
use crate::data::random::SplitMix64;

/// Rows and columns of every image.
pub const SIDE: usize = 28;

/// Height and width of the unit square in pixels, before scaling.
const HEIGHT: f32 = 18.5;
const WIDTH: f32 = 14.5;

/// The pixels of class `label`, row by row; every choice is drawn from `random`.
pub(super) fn glyph(label: usize, random: &mut SplitMix64) -> [u8; SIDE * SIDE] {
    let ways = strokes::ways(label);
    let way = &ways[random.below(ways.len())];
    let hand = Hand::new(random);
    let pen = random.between(0.65, 1.5);
    let softness = random.between(0.9, 1.8);

    let mut ink = [0f32; SIDE * SIDE];
    for path in way {
        // A pen presses differently from stroke to stroke and within one.
        let (start, end) = (pen * random.between(0.85, 1.15), pen * random.between(0.85, 1.15));
        let mut from = hand.place(path[0], random);
        let pieces = (path.len() - 1) as f32;
        for (piece, &point) in path[1..].iter().enumerate() {
            let to = hand.place(point, random);
            let radius = start + (end - start) * (piece as f32 + 0.5) / pieces;
            segment(&mut ink, from, to, radius, softness);
            from = to;
        }
    }
    photograph(&ink, random)
}

/// How one hand deforms what it writes: an affine map, and a slow wave for tremor.
struct Hand {
    matrix: [f32; 4],
    centre: [f32; 2],
    wave: [f32; 6],
}

impl Hand {
    fn new(random: &mut SplitMix64) -> Self {
        let (sin, cos) = random.between(-0.22, 0.22).sin_cos();
        let shear = random.between(-0.28, 0.28);
        let (sx, sy) = (WIDTH * random.between(0.72, 1.12), HEIGHT * random.between(0.8, 1.08));
        let middle = SIDE as f32 / 2.0;
        Self {
            // Scale, then shear, then rotation.
            matrix: [cos * sx, (cos * shear - sin) * sy, sin * sx, (sin * shear + cos) * sy],
            centre: [middle + random.between(-2.2, 2.2), middle + random.between(-2.2, 2.2)],
            wave: [
                random.between(0.0, 1.0),
                random.between(3.0, 6.0),
                random.between(0.0, 0.9),
                random.between(0.0, 1.0),
                random.between(3.0, 6.0),
                random.between(0.0, 0.9),
            ],
        }
    }

    /// Where on the image a point of the unit square goes.
    fn place(&self, [x, y]: [f32; 2], random: &mut SplitMix64) -> [f32; 2] {
        let (x, y) = (x - 0.5, y - 0.5);
        let [a, b, c, d] = self.matrix;
        let [phase_x, rate_x, size_x, phase_y, rate_y, size_y] = self.wave;
        let wave =
            |phase: f32, rate: f32, at: f32| (std::f32::consts::TAU * phase + rate * at).sin();
        [
            self.centre[0]
                + a * x
                + b * y
                + size_x * wave(phase_x, rate_x, y)
                + random.between(-0.3, 0.3),
            self.centre[1]
                + c * x
                + d * y
                + size_y * wave(phase_y, rate_y, x)
                + random.between(-0.3, 0.3),
        ]
    }
}

/// Lays ink within `radius` of the segment, fading over `softness` pixels. Where strokes
/// cross, the darker one stays.
fn segment(ink: &mut [f32], [x0, y0]: [f32; 2], [x1, y1]: [f32; 2], radius: f32, softness: f32) {
    let reach = radius + softness / 2.0;
    let span = |a: f32, b: f32| {
        let low = (a.min(b) - reach - 0.5).ceil().max(0.0) as usize;
        let high = (a.max(b) + reach - 0.5).floor().min(SIDE as f32 - 1.0);
        // A negative end is an empty span.
        low..if high < 0.0 { 0 } else { high as usize + 1 }
    };
    let (dx, dy) = (x1 - x0, y1 - y0);
    let inverse_length = 1.0 / (dx * dx + dy * dy).max(1e-6);
    for row in span(y0, y1) {
        let y = row as f32 + 0.5 - y0;
        for column in span(x0, x1) {
            let x = column as f32 + 0.5 - x0;
            let along = ((x * dx + y * dy) * inverse_length).clamp(0.0, 1.0);
            let (ex, ey) = (x - along * dx, y - along * dy);
            let square = ex * ex + ey * ey;
            if square < reach * reach {
                let cover = ((reach - square.sqrt()) / softness).min(1.0);
                let pixel = &mut ink[row * SIDE + column];
                *pixel = pixel.max(cover);
            }
        }
    }
}

/// Turns ink to bytes with a brightness and a sensor noise of its own.
fn photograph(ink: &[f32; SIDE * SIDE], random: &mut SplitMix64) -> [u8; SIDE * SIDE] {
    let brightness = random.between(170.0, 255.0);
    let noise = random.between(0.0, 0.16);
    let mut pixels = [0; SIDE * SIDE];
    for (pixels, ink) in pixels.chunks_mut(4).zip(ink.chunks(4)) {
        let bytes = random.bits().to_le_bytes();
        for ((pixel, ink), pair) in pixels.iter_mut().zip(ink).zip(bytes.chunks_exact(2)) {
            // The difference of two bytes has a triangular distribution around zero.
            let error = (f32::from(pair[0]) - f32::from(pair[1])) * noise;
            // A float becomes the nearest byte in range.
            *pixel = (ink * brightness + error).round() as u8;
        }
    }
    pixels
}
