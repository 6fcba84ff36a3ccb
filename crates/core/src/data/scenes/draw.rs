//! The image of a scene, and where on it each object is to be seen.

use image::{DynamicImage, RgbImage};

use super::{Object, Scene, Shape};
use crate::data::random::SplitMix64;

/// Patches of the ground along a side.
const PATCHES: usize = 5;
/// Light comes from above: the top of an object is brighter and its bottom darker by this part.
const LIGHT: f32 = 0.14;

/// A box around pixels: `x1` and `y1` are the first column and row, `x2` and `y2` are those
/// after the last, so that `x2 - x1` is the width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "said above")]
pub struct Bounds {
    pub x1: u32,
    pub y1: u32,
    pub x2: u32,
    pub y2: u32,
}

impl Bounds {
    /// `[x1, y1, x2, y2]` in pixels.
    pub fn xyxy(self) -> [f32; 4] {
        [self.x1, self.y1, self.x2, self.y2].map(|side| side as f32)
    }
}

/// An object of which at least one pixel is to be seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// Its place in [`Scene::objects`].
    pub object: usize,
    /// The tightest box around its visible pixels.
    pub bounds: Bounds,
    /// How many pixels of it are visible.
    pub pixels: usize,
    /// The visible part of all its pixels in 0..1, those outside the image included.
    pub visible: f32,
}

/// A scene's image, and for each pixel the object it shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawing {
    height: usize,
    width: usize,
    rgb: Vec<u8>,
    /// 0 for the ground, else an object's place plus one.
    owner: Vec<u8>,
    /// The pixels of each object, were it alone and the image without an edge.
    whole: Vec<usize>,
}

impl Scene {
    /// Draws the scene with so many rows and columns of pixels, edges smooth. A pixel is an
    /// object's where the object covers its centre and no nearer one does.
    ///
    /// # Panics
    /// With more than 255 objects.
    pub fn draw(&self, height: usize, width: usize) -> Drawing {
        assert!(self.objects.len() < 256, "a byte a pixel tells the objects apart");
        let size = height * width;
        let mut drawing = Drawing {
            height,
            width,
            rgb: vec![0; 3 * size],
            owner: vec![0; size],
            whole: Vec::with_capacity(self.objects.len()),
        };
        let mut random = SplitMix64::new(self.ground.key);
        drawing.ground(&self.ground.colours, &mut random);
        for (place, object) in self.objects.iter().enumerate() {
            let whole = drawing.object(object, place as u8 + 1);
            drawing.whole.push(whole);
        }
        drawing.noise(self.ground.noise, &mut random);
        drawing
    }
}

impl Drawing {
    /// Rows and columns.
    pub fn size(&self) -> [usize; 2] {
        [self.height, self.width]
    }

    /// Bytes row by row, red, green and blue of each pixel together.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// The image as numbers in 0..1, `[3, height, width]`.
    pub fn planes(&self) -> Vec<f32> {
        let plane = |channel: usize| self.rgb[channel..].iter().step_by(3);
        (0..3).flat_map(plane).map(|&byte| f32::from(byte) / 255.0).collect()
    }

    /// The image for the rest of `core::data`.
    pub fn into_image(self) -> DynamicImage {
        // As many bytes as the size says: `None` cannot happen.
        let image = RgbImage::from_raw(self.width as u32, self.height as u32, self.rgb);
        DynamicImage::ImageRgb8(image.unwrap_or_default())
    }

    /// For each pixel, row by row, 0 or the place of the visible object plus one: all instance
    /// masks at once, which never overlap.
    pub fn instances(&self) -> &[u8] {
        &self.owner
    }

    /// The pixels that show one object, row by row.
    pub fn mask(&self, object: usize) -> Vec<bool> {
        self.owner.iter().map(|&owner| usize::from(owner) == object + 1).collect()
    }

    /// For each pixel 0 for the ground, or the visible object's class, its label plus one.
    pub fn semantic(&self, scene: &Scene) -> Vec<u8> {
        let class = |&owner: &u8| match owner {
            0 => 0,
            _ => scene.objects[usize::from(owner) - 1].shape as u8 + 1,
        };
        self.owner.iter().map(class).collect()
    }

    /// Every object that is to be seen, in the scene's order.
    pub fn seen(&self) -> Vec<Seen> {
        let mut found: Vec<Option<(Bounds, usize)>> = vec![None; self.whole.len()];
        for (y, row) in self.owner.chunks(self.width.max(1)).enumerate() {
            for (x, &owner) in row.iter().enumerate().filter(|(_, owner)| **owner != 0) {
                let (x, y) = (x as u32, y as u32);
                let first = (Bounds { x1: x, y1: y, x2: x + 1, y2: y + 1 }, 0);
                let (box_, pixels) = found[usize::from(owner) - 1].get_or_insert(first);
                (box_.x1, box_.x2) = (box_.x1.min(x), box_.x2.max(x + 1));
                box_.y2 = y + 1;
                *pixels += 1;
            }
        }
        let seen = |(object, found): (usize, Option<(Bounds, usize)>)| {
            let (bounds, pixels) = found?;
            let visible = pixels as f32 / self.whole[object] as f32;
            Some(Seen { object, bounds, pixels, visible })
        };
        found.into_iter().enumerate().filter_map(seen).collect()
    }

    /// Patches between two colours, smooth from one to the next.
    fn ground(&mut self, colours: &[[u8; 3]; 2], random: &mut SplitMix64) {
        let patches: [[f32; PATCHES + 1]; PATCHES + 1] =
            std::array::from_fn(|_| std::array::from_fn(|_| random.unit()));
        let [from, to] = colours.map(|colour| colour.map(f32::from));
        let span: [f32; 3] = std::array::from_fn(|i| to[i] - from[i]);
        let along: Vec<(usize, f32)> = (0..self.width).map(|x| patch(x, self.width)).collect();
        for (y, pixels) in self.rgb.chunks_exact_mut(3 * self.width.max(1)).enumerate() {
            let (above, down) = patch(y, self.height);
            let row: [f32; PATCHES + 1] = std::array::from_fn(|column| {
                patches[above][column] * (1.0 - down) + patches[above + 1][column] * down
            });
            for (pixel, &(left, part)) in pixels.chunks_exact_mut(3).zip(&along) {
                let share = row[left] + (row[left + 1] - row[left]) * part;
                for (byte, (from, span)) in pixel.iter_mut().zip(from.iter().zip(&span)) {
                    *byte = (from + span * share + 0.5) as u8;
                }
            }
        }
    }

    /// Paints one object over what is there; returns how many pixels it has, hidden or not.
    fn object(&mut self, object: &Object, owner: u8) -> usize {
        match object.shape {
            Shape::Circle => self.paint(object, owner, |x, y| length(x, y) - 0.88),
            Shape::Square => self.paint(object, owner, |x, y| cuboid(x, y, 0.7, 0.7)),
            // Half-planes: the base, and the side to the right, mirrored.
            Shape::Triangle => self
                .paint(object, owner, |x, y| (y - 0.5).max(0.866_025_4 * x.abs() - 0.5 * y - 0.5)),
            Shape::Diamond => self.paint(object, owner, |x, y| rhombus(x, y, 0.62, 1.0)),
            Shape::Star => self.paint(object, owner, star),
            Shape::Cross => self
                .paint(object, owner, |x, y| cuboid(x, y, 0.3, 0.92).min(cuboid(x, y, 0.92, 0.3))),
            Shape::Heart => self.paint(object, owner, heart),
            Shape::Ring => self.paint(object, owner, |x, y| (length(x, y) - 0.68).abs() - 0.22),
        }
    }

    /// `distance` is a shape's signed distance from its edge, negative inside, in a frame where
    /// the shape fills the unit circle, y pointing down.
    fn paint(&mut self, object: &Object, owner: u8, distance: impl Fn(f32, f32) -> f32) -> usize {
        let (height, width) = (self.height as i64, self.width as i64);
        let radius = (object.size * self.height.min(self.width) as f32).max(1e-3);
        let (middle_x, middle_y) = (object.x * width as f32, object.y * height as f32);
        let (sin, cos) = object.tilt.sin_cos();
        let paint = object.paint.map(f32::from);
        let span = |middle: f32| {
            (middle - radius - 1.0).floor() as i64..(middle + radius + 1.0).ceil() as i64
        };
        let mut whole = 0;
        for row in span(middle_y) {
            let y = (row as f32 + 0.5 - middle_y) / radius;
            let light = 1.0 - LIGHT * y;
            let shaded = paint.map(|part| part * light);
            for column in span(middle_x) {
                let x = (column as f32 + 0.5 - middle_x) / radius;
                let edge = distance(cos * x + sin * y, cos * y - sin * x) * radius;
                if edge >= 0.5 {
                    continue;
                }
                whole += usize::from(edge <= 0.0);
                if !(0..height).contains(&row) || !(0..width).contains(&column) {
                    continue;
                }
                let pixel = (row * width + column) as usize;
                let cover = (0.5 - edge).min(1.0);
                for (byte, shaded) in self.rgb[3 * pixel..3 * pixel + 3].iter_mut().zip(shaded) {
                    let own = f32::from(*byte);
                    *byte = (own + (shaded - own) * cover + 0.5) as u8;
                }
                if edge <= 0.0 {
                    self.owner[pixel] = owner;
                }
            }
        }
        whole
    }

    /// What a camera adds to every pixel.
    fn noise(&mut self, most: u8, random: &mut SplitMix64) {
        let (most, range) = (i16::from(most), 2 * i16::from(most) + 1);
        if most == 0 {
            return;
        }
        let add = |bytes: &mut [u8], lots: [u8; 8]| {
            for (byte, lot) in bytes.iter_mut().zip(lots) {
                let noise = ((i16::from(lot) * range) >> 8) - most;
                *byte = (i16::from(*byte) + noise).clamp(0, 255) as u8;
            }
        };
        // Whole groups first: their length is known, so that they become vectors.
        let mut groups = self.rgb.chunks_exact_mut(8);
        for group in &mut groups {
            add(group, random.bits().to_le_bytes());
        }
        add(groups.into_remainder(), random.bits().to_le_bytes());
    }
}

/// The patch a pixel lies in, and how far it is to the next.
fn patch(place: usize, count: usize) -> (usize, f32) {
    let at = (place as f32 + 0.5) / count as f32 * PATCHES as f32;
    let below = (at as usize).min(PATCHES - 1);
    (below, at - below as f32)
}

fn length(x: f32, y: f32) -> f32 {
    (x * x + y * y).sqrt()
}

fn cuboid(x: f32, y: f32, half_width: f32, half_height: f32) -> f32 {
    (x.abs() - half_width).max(y.abs() - half_height)
}

fn rhombus(x: f32, y: f32, half_width: f32, half_height: f32) -> f32 {
    (x.abs() * half_height + y.abs() * half_width - half_width * half_height)
        / length(half_width, half_height)
}

/// Five points, the inner corners at half the outer radius: mirrored at the axes at 108, 72 and
/// 36 degrees from the top point until one edge is left.
fn star(x: f32, y: f32) -> f32 {
    const AXES: [(f32, f32); 3] =
        [(-0.309_017, -0.951_056_5), (0.309_017, -0.951_056_5), (0.809_017, -0.587_785_25)];
    let (mut x, mut y) = (x.abs(), -y);
    for (across_x, across_y) in AXES {
        let beyond = 2.0 * (x * across_x + y * across_y).max(0.0);
        (x, y) = (x - beyond * across_x, y - beyond * across_y);
    }
    0.896_74 * x + 0.442_56 * (y - 1.0)
}

/// A square on its corner with half a disc on each upper side.
fn heart(x: f32, y: f32) -> f32 {
    const SCALE: f32 = 0.68;
    let (x, y) = (x.abs() * SCALE, 0.55 - y * SCALE);
    let square = rhombus(x, y - 0.5, 0.5, 0.5);
    let disc = length(x - 0.25, y - 0.75) - 0.353_553_4;
    square.min(disc) / SCALE
}
