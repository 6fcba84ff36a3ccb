//! The colour spaces that segmentations are made in.

use image::RgbImage;

/// Three numbers for each pixel, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct Planes {
    /// Pixels of a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// The numbers, each from 0 to 255.
    pub values: Vec<[f32; 3]>,
}

impl Planes {
    /// Red, green, blue.
    pub fn rgb(image: &RgbImage) -> Self {
        Self::of(image, |rgb| rgb)
    }

    /// Hue, saturation, value; the hue from 0 to 180, as OpenCV has it.
    pub fn hsv(image: &RgbImage) -> Self {
        Self::of(image, hsv)
    }

    /// CIE 1976 L*a*b* of sRGB under D65.
    pub fn lab(image: &RgbImage) -> Self {
        Self::of(image, lab)
    }

    fn of(image: &RgbImage, convert: impl Fn([f32; 3]) -> [f32; 3]) -> Self {
        let values = image.pixels().map(|pixel| convert(pixel.0.map(f32::from))).collect();
        Self { width: image.width() as usize, height: image.height() as usize, values }
    }

    /// Smoothed by a Gaussian of this deviation; what lies beyond the border is as the border.
    #[must_use]
    pub fn smoothed(&self, sigma: f32) -> Self {
        if sigma <= 0.0 {
            return self.clone();
        }
        let radius = (3.0 * sigma).ceil() as isize;
        let weight = |at: isize| (-0.5 * (at as f32 / sigma).powi(2)).exp();
        let sum: f32 = (-radius..=radius).map(weight).sum();
        let weights: Vec<f32> = (-radius..=radius).map(|at| weight(at) / sum).collect();
        let Self { width, height, .. } = *self;
        let pass = |from: &[[f32; 3]], step: [usize; 2]| -> Vec<[f32; 3]> {
            let mut to = Vec::with_capacity(from.len());
            for y in 0..height {
                for x in 0..width {
                    let mut sum = [0.0; 3];
                    for (place, weight) in weights.iter().enumerate() {
                        let moved = |at: usize, step: usize, most: usize| {
                            let at = at as isize + (place as isize - radius) * step as isize;
                            at.clamp(0, most as isize - 1) as usize
                        };
                        let own = moved(y, step[1], height) * width + moved(x, step[0], width);
                        for (sum, value) in sum.iter_mut().zip(from[own]) {
                            *sum += weight * value;
                        }
                    }
                    to.push(sum);
                }
            }
            to
        };
        Self { values: pass(&pass(&self.values, [1, 0]), [0, 1]), ..*self }
    }
}

fn hsv([red, green, blue]: [f32; 3]) -> [f32; 3] {
    let most = red.max(green).max(blue);
    let span = most - red.min(green).min(blue);
    let sixth = match most {
        _ if span == 0.0 => 0.0,
        most if most == red => ((green - blue) / span).rem_euclid(6.0),
        most if most == green => (blue - red) / span + 2.0,
        _ => (red - green) / span + 4.0,
    };
    let saturation = if most > 0.0 { span / most } else { 0.0 };
    [sixth * 30.0, saturation * 255.0, most]
}

fn lab(rgb: [f32; 3]) -> [f32; 3] {
    let [red, green, blue] = rgb.map(|value| {
        let value = value / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    });
    let x = (0.412_456 * red + 0.357_576 * green + 0.180_438 * blue) / 0.950_456;
    let y = 0.212_673 * red + 0.715_152 * green + 0.072_175 * blue;
    let z = (0.019_334 * red + 0.119_192 * green + 0.950_304 * blue) / 1.088_754;
    let [x, y, z] =
        [x, y, z].map(|t| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 });
    let lightness = 116.0 * y - 16.0;
    [lightness * 2.55, 500.0 * (x - y) + 128.0, 200.0 * (y - z) + 128.0]
        .map(|value| value.clamp(0.0, 255.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn colours_that_are_known() {
        let near = |own: [f32; 3], wanted: [f32; 3]| {
            assert!(own.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 0.5), "{own:?} {wanted:?}");
        };
        near(hsv([255.0, 0.0, 0.0]), [0.0, 255.0, 255.0]);
        near(hsv([0.0, 0.0, 128.0]), [120.0, 255.0, 128.0]);
        near(hsv([90.0; 3]), [0.0, 0.0, 90.0]);
        // White, and red: L* 53.24, a* 80.09, b* 67.20.
        near(lab([255.0; 3]), [255.0, 128.0, 128.0]);
        near(lab([255.0, 0.0, 0.0]), [135.8, 208.1, 195.2]);
    }

    #[test]
    fn smoothing_keeps_what_is_even_and_spreads_a_point() {
        let even = Planes::rgb(&RgbImage::from_pixel(7, 5, Rgb([9, 90, 200])));
        for (own, was) in even.smoothed(0.8).values.iter().zip(&even.values) {
            assert!(own.iter().zip(was).all(|(a, b)| (a - b).abs() < 1e-3));
        }
        let mut image = RgbImage::new(9, 9);
        image.put_pixel(4, 4, Rgb([255; 3]));
        let own = Planes::rgb(&image).smoothed(0.8);
        let sum: f32 = own.values.iter().map(|value| value[0]).sum();
        assert!((sum - 255.0).abs() < 0.1 && own.values[4 * 9 + 3][0] > 10.0, "{sum}");
    }
}
