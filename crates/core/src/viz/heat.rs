//! A heat map laid over the image that it is about.

use super::{font, label};
use crate::geometry::BoundingBox;
use image::{DynamicImage, Rgb, RgbImage, imageops};

/// Warmth at places of an image, row by row, in 0..1.
#[derive(Clone, Debug, PartialEq)]
pub struct Heat {
    /// `height * width` numbers.
    pub values: Vec<f32>,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// How much of the image the warmest place hides.
const OPACITY: f32 = 0.55;

const PAPER: Rgb<u8> = Rgb([28, 28, 32]);
const INK: Rgb<u8> = Rgb([240, 240, 240]);

/// From cold to hot.
const COLOURS: [[f32; 3]; 4] =
    [[40.0, 60.0, 200.0], [0.0, 190.0, 170.0], [250.0, 210.0, 40.0], [220.0, 30.0, 20.0]];

impl Heat {
    /// The warmth at a place, both in 0..1 from the upper left corner, between neighbours
    /// bilinearly.
    pub fn at(&self, x: f32, y: f32) -> f32 {
        let place = |part: f32, count: usize| {
            let most = count.saturating_sub(1) as f32;
            let place = (part * count as f32 - 0.5).clamp(0.0, most);
            let below = place.floor();
            (below as usize, (below + 1.0).min(most) as usize, place - below)
        };
        let (left, right, to_right) = place(x, self.width);
        let (above, below, down) = place(y, self.height);
        let value = |row: usize, column: usize| {
            self.values.get(row * self.width + column).copied().unwrap_or(0.0)
        };
        let across = |row| value(row, left) * (1.0 - to_right) + value(row, right) * to_right;
        across(above) * (1.0 - down) + across(below) * down
    }
}

/// The image, large enough to be seen, under its heat, which covers `window` of it: hot places are red, warm ones
/// yellow and green, and cold ones stay as they are, as does what lies outside the window.
pub fn overlay(picture: &DynamicImage, heat: &Heat, window: BoundingBox) -> DynamicImage {
    let scale = picture.width().max(1);
    let mut drawn: RgbImage = label::enlarge(picture.to_rgb8());
    let scale = drawn.width() as f32 / scale as f32;
    for (x, y, pixel) in drawn.enumerate_pixels_mut() {
        let along = ((x as f32 + 0.5) / scale - window.x1) / window.width();
        let down = ((y as f32 + 0.5) / scale - window.y1) / window.height();
        if !(0.0..1.0).contains(&along) || !(0.0..1.0).contains(&down) {
            continue;
        }
        let warmth = heat.at(along, down).clamp(0.0, 1.0);
        *pixel = blend(*pixel, warmth);
    }
    DynamicImage::ImageRgb8(drawn)
}

/// The image, beside it [`overlay`]'s, and the scale of its colours.
pub fn beside(image: &DynamicImage, heat: &Heat, window: BoundingBox) -> DynamicImage {
    let own = label::enlarge(image.to_rgb8());
    let hot = overlay(image, heat, window).into_rgb8();
    let (width, height) = own.dimensions();
    // As large, beside a large image, as text above it is.
    let unit = (width as f32 / 320.0).max(1.0);
    let [gap, bar, room] = [8.0, 16.0, 40.0].map(|length| (length * unit) as u32);
    let size = (2 * width + 2 * gap + bar + room, height);
    let mut canvas = RgbImage::from_pixel(size.0, size.1, PAPER);
    imageops::replace(&mut canvas, &own, 0, 0);
    imageops::replace(&mut canvas, &hot, (width + gap).into(), 0);
    let left = 2 * (width + gap);
    for y in 0..height {
        let warmth = 1.0 - (y as f32 + 0.5) / height as f32;
        for x in left..left + bar {
            canvas.put_pixel(x, y, blend(Rgb([160; 3]), warmth));
        }
    }
    let text = 14.0 * unit;
    for (number, part) in [("1.0", 0.0), ("0.5", 0.5), ("0.0", 1.0)] {
        let y = (height as f32 - text).max(0.0) * part;
        let place = ((left + bar) as f32 + 4.0 * unit) as i32;
        font::draw(&mut canvas, INK, (place, y as i32), text, number);
    }
    DynamicImage::ImageRgb8(canvas)
}

/// A pixel under so much heat.
fn blend(Rgb(own): Rgb<u8>, warmth: f32) -> Rgb<u8> {
    let (hot, share) = (colour(warmth), OPACITY * warmth.sqrt());
    Rgb(std::array::from_fn(|i| (f32::from(own[i]) * (1.0 - share) + hot[i] * share) as u8))
}

fn colour(warmth: f32) -> [f32; 3] {
    let place = warmth * (COLOURS.len() - 1) as f32;
    let below = (place as usize).min(COLOURS.len() - 2);
    let part = place - below as f32;
    std::array::from_fn(|i| COLOURS[below][i] * (1.0 - part) + COLOURS[below + 1][i] * part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heat() -> Heat {
        Heat { values: vec![0.0, 1.0, 0.0, 0.0], height: 2, width: 2 }
    }

    #[test]
    fn between_places_it_is_in_between() {
        assert_eq!(heat().at(0.75, 0.25), 1.0);
        assert_eq!(heat().at(1.0, 0.0), 1.0);
        assert_eq!(heat().at(0.5, 0.25), 0.5);
        assert_eq!(heat().at(0.5, 0.5), 0.25);
        assert_eq!(heat().at(0.0, 1.0), 0.0);
    }

    #[test]
    fn only_warm_places_inside_the_window_change() {
        let picture = DynamicImage::ImageRgb8(RgbImage::from_pixel(300, 200, Rgb([9; 3])));
        // The network saw the middle square.
        let window = BoundingBox::new(50.0, 0.0, 250.0, 200.0);
        let drawn = overlay(&picture, &heat(), window).into_rgb8();
        assert_eq!(drawn.dimensions(), (600, 400));
        assert!(drawn.get_pixel(400, 100).0[0] > 100, "hot");
        assert_eq!(drawn.get_pixel(560, 100).0, [9; 3], "outside");
        assert_eq!(drawn.get_pixel(110, 390).0, [9; 3], "cold");
    }

    #[test]
    fn the_original_stands_beside_and_the_scale_goes_from_hot_to_cold() {
        let picture = DynamicImage::ImageRgb8(RgbImage::from_pixel(300, 300, Rgb([9; 3])));
        let drawn = beside(&picture, &heat(), BoundingBox::new(0.0, 0.0, 300.0, 300.0));
        let (drawn, scale) = (drawn.into_rgb8(), 2 * (300 + 8) + 8);
        assert!(drawn.width() > scale && drawn.height() == 300);
        assert_eq!(drawn.get_pixel(225, 75).0, [9; 3], "the original");
        assert!(drawn.get_pixel(308 + 225, 75).0[0] > 100, "hot");
        let [hot, cold] = [2, 297].map(|y| drawn.get_pixel(scale, y).0);
        assert!(hot[0] > hot[2] + 60 && cold[0].abs_diff(cold[2]) < 30, "{hot:?} {cold:?}");
    }

    #[test]
    fn any_heat_is_drawn() {
        let picture = DynamicImage::new_luma8(3, 300);
        let window = BoundingBox::new(-5.0, 0.0, 8.0, 3.0);
        for values in [vec![], vec![f32::NAN; 4], vec![7.0; 4]] {
            beside(&picture, &Heat { values, height: 2, width: 2 }, window);
        }
    }
}
