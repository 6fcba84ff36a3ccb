//! Augmentation that moves boxes with their images. Everything is drawn from one generator, whose
//! key is (seed, epoch, index).

use crate::data::unboxed;
use image::{DynamicImage, RgbImage, imageops};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use tenfold_core::Result;
use tenfold_core::data::Object;
use tenfold_core::data::random::SplitMix64;
use tenfold_core::geometry::{BoundingBox, Transform};

/// An object of which a smaller part is left is no object any more.
const LEAST_VISIBLE: f32 = 0.3;

/// The least IoU of a crop and an object; none: the whole image.
const CROPS: [Option<f32>; 6] = [None, Some(0.1), Some(0.3), Some(0.5), Some(0.7), Some(0.9)];
/// Crops that are tried.
const TRIES: usize = 50;

/// What is done to training images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Augment {
    /// Half of the images are mirrored.
    pub flip: bool,
    /// Parts of images are cut out, so that objects become larger: SSD's sampled crops.
    pub crop: bool,
    /// Images become up to so much larger or smaller, and move as far as that leaves room.
    pub scale: f32,
    /// Brightness and each channel change by up to this part.
    pub colour: f32,
    /// How often four images are put together as one; not in the last fifth of the epochs, so
    /// that training ends on images as they are.
    pub mosaic: f32,
}

impl FromStr for Augment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut own = Self::default();
        for part in
            text.split(',').map(str::trim).filter(|part| !part.is_empty() && *part != "none")
        {
            let (name, value) = part.split_once(':').unwrap_or((part, ""));
            let number = |default: f32| match value {
                "" => Ok(default),
                value => match value.parse::<f32>() {
                    Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
                    _ => Err(format!("`{part}`: expected a number from 0 to 1")),
                },
            };
            match name {
                "flip" if value.is_empty() => own.flip = true,
                "crop" if value.is_empty() => own.crop = true,
                "scale" => own.scale = number(0.3)?,
                "colour" | "color" => own.colour = number(0.2)?,
                "mosaic" => own.mosaic = number(0.5)?,
                _ => {
                    return Err(format!(
                        "`{part}`: expected flip, crop, scale:X, colour:X, mosaic:P or none"
                    ));
                }
            }
        }
        Ok(own)
    }
}

impl fmt::Display for Augment {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |name: &str, x: f32| (x > 0.0).then(|| format!("{name}:{x}"));
        let word = |given: bool, name: &str| given.then(|| name.to_owned());
        let words = [word(self.flip, "flip"), word(self.crop, "crop")];
        let parts =
            [part("scale", self.scale), part("colour", self.colour), part("mosaic", self.mosaic)];
        let all: Vec<String> = words.into_iter().chain(parts).flatten().collect();
        to.write_str(if all.is_empty() { "none" } else { "" })?;
        to.write_str(&all.join(","))
    }
}

/// An image with its objects.
pub type Annotated = (RgbImage, Vec<Object>);

impl Augment {
    /// What suits photographs.
    pub const PHOTOGRAPHS: Self =
        Self { flip: true, crop: false, scale: 0.3, colour: 0.2, mosaic: 0.5 };

    /// Whether images stay as they are.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// A training image of `side` pixels; `another` gives three more where they are wanted.
    ///
    /// # Errors
    /// What `another` says.
    pub fn apply(
        &self,
        own: Annotated,
        side: usize,
        last: bool,
        random: &mut SplitMix64,
        mut another: impl FnMut(&mut SplitMix64) -> Result<Annotated>,
    ) -> Result<Annotated> {
        let mosaic = !last && random.unit() < self.mosaic;
        let (mut image, objects) = if mosaic {
            let four = [own, another(random)?, another(random)?, another(random)?];
            self.mosaic(four, side, random)
        } else {
            let own = if self.crop { cropped(own, random) } else { own };
            let (image, mut objects) = letterboxed(own, side);
            let transform = self.moves(side, random);
            objects = moved(&objects, &transform);
            (transform.image(&DynamicImage::ImageRgb8(image)).into_rgb8(), objects)
        };
        self.recolour(&mut image, random);
        Ok((image, objects))
    }

    /// Mirrors, scales and shifts.
    fn moves(&self, side: usize, random: &mut SplitMix64) -> Transform {
        let mut transform = Transform::identity(side, side);
        if self.flip && random.unit() < 0.5 {
            transform = transform.flip_horizontal();
        }
        if self.scale > 0.0 {
            let scale = f64::from(random.between(1.0 - self.scale, 1.0 + self.scale));
            let room = side as f64 * (scale - 1.0).abs() / 2.0;
            let mut shift = || room * f64::from(random.between(-1.0, 1.0));
            let shift = [shift(), shift()];
            transform = transform.about_centre([[scale, 0.0], [0.0, scale]], shift);
        }
        transform
    }

    /// Four images around a point near the middle; each shows the part that has room.
    fn mosaic(&self, four: [Annotated; 4], side: usize, random: &mut SplitMix64) -> Annotated {
        let mut canvas = RgbImage::new(side as u32, side as u32);
        let mut all = Vec::new();
        let [x, y] = [(); 2].map(|()| (side as f32 * random.between(0.35, 0.65)) as usize);
        for (place, own) in four.into_iter().enumerate() {
            let (left, width) = if place % 2 == 0 { (0, x) } else { (x, side - x) };
            let (top, height) = if place / 2 == 0 { (0, y) } else { (y, side - y) };
            let (image, objects) = letterboxed(own, side);
            // Between so small that it fills its part, and as large as it is.
            let least = width.max(height) as f32 / side as f32;
            let scale = random.between(least, 1.0);
            let scaled = (side as f32 * scale).ceil() as usize;
            let shift = |room: usize, random: &mut SplitMix64| random.below(room + 1) as f64;
            let at = [shift(scaled - width, random), shift(scaled - height, random)];
            let mut transform = Transform::identity(side, side);
            if self.flip && random.unit() < 0.5 {
                transform = transform.flip_horizontal();
            }
            let transform = transform.resize(scaled, scaled).crop(at[0], at[1], width, height);
            let part = transform.image(&DynamicImage::ImageRgb8(image)).into_rgb8();
            imageops::replace(&mut canvas, &part, left as i64, top as i64);
            let into =
                Transform::identity(width, height).crop(-(left as f64), -(top as f64), side, side);
            all.extend(moved(&moved(&objects, &transform), &into));
        }
        (canvas, all)
    }

    fn recolour(&self, image: &mut RgbImage, random: &mut SplitMix64) {
        if self.colour <= 0.0 {
            return;
        }
        let mut factor = || random.between(1.0 - self.colour, 1.0 + self.colour);
        let light = factor();
        let factors = [(); 3].map(|()| light * factor().sqrt());
        for pixel in image.pixels_mut() {
            for (byte, factor) in pixel.0.iter_mut().zip(factors) {
                *byte = (f32::from(*byte) * factor).round().clamp(0.0, 255.0) as u8;
            }
        }
    }
}

/// A part of an image (W. Liu et al., "SSD", ECCV 2016, section 2.2): as it is, or a part that
/// overlaps an object by an IoU that is drawn, with the objects whose centre lies in it.
fn cropped((image, objects): Annotated, random: &mut SplitMix64) -> Annotated {
    let least = CROPS[random.below(CROPS.len())];
    let Some(least) = least.filter(|_| !objects.is_empty()) else { return (image, objects) };
    let [width, height] = [image.width(), image.height()].map(|side| side as f32);
    for _ in 0..TRIES {
        let [w, h] = [width, height].map(|side| (side * random.between(0.3, 1.0)).max(1.0).floor());
        let ratio = w / h;
        if !(0.5..=2.0).contains(&ratio) {
            continue;
        }
        let [x, y] = [width - w, height - h].map(|room| (room * random.between(0.0, 1.0)).floor());
        let part = BoundingBox::new(x, y, x + w, y + h);
        let inside = |object: &&Object| {
            let own = object.bounding_box;
            let centre = [(own.x1 + own.x2) / 2.0, (own.y1 + own.y2) / 2.0];
            unboxed::is_unboxed(object)
                || (part.x1..part.x2).contains(&centre[0])
                    && (part.y1..part.y2).contains(&centre[1])
        };
        let own: Vec<Object> = objects.iter().filter(inside).cloned().collect();
        if !own.iter().any(|object| object.bounding_box.iou(&part) >= least) {
            continue;
        }
        let size = [image.width() as usize, image.height() as usize];
        let transform =
            Transform::identity(size[0], size[1]).crop(x.into(), y.into(), w as usize, h as usize);
        let image = imageops::crop_imm(&image, x as u32, y as u32, w as u32, h as u32).to_image();
        return (image, moved(&own, &transform));
    }
    (image, objects)
}

/// The whole image inside a square, with its proportions.
fn letterboxed((image, objects): Annotated, side: usize) -> Annotated {
    let (width, height) = image.dimensions();
    if [width, height] == [side as u32; 2] {
        return (image, objects);
    }
    let transform = Transform::identity(width as usize, height as usize).letterbox(side, side);
    let corners = transform.bounding_box(&BoundingBox::new(0.0, 0.0, width as f32, height as f32));
    let (w, h) = (corners.width().round() as u32, corners.height().round() as u32);
    let inner = imageops::resize(&image, w.max(1), h.max(1), imageops::FilterType::Triangle);
    let mut canvas = RgbImage::new(side as u32, side as u32);
    imageops::replace(&mut canvas, &inner, corners.x1 as i64, corners.y1 as i64);
    (canvas, moved(&objects, &transform))
}

/// The objects of which enough is left.
fn moved(objects: &[Object], transform: &Transform) -> Vec<Object> {
    let one = |object: &Object| {
        if unboxed::is_unboxed(object) {
            return Some(object.clone());
        }
        let whole = transform.bounding_box(&object.bounding_box);
        let own = Object { mask: None, ..object.clone() }.moved(transform)?;
        (own.bounding_box.area() >= LEAST_VISIBLE * whole.area()).then_some(own)
    };
    objects.iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    /// A black image with a white rectangle, and its box.
    fn drawn(width: u32, height: u32, [x1, y1, x2, y2]: [u32; 4]) -> Annotated {
        let inside = |x, y| (x1..x2).contains(&x) && (y1..y2).contains(&y);
        let image =
            RgbImage::from_fn(width, height, |x, y| Rgb([if inside(x, y) { 255 } else { 0 }; 3]));
        let bounding_box = BoundingBox::from([x1, y1, x2, y2].map(|side| side as f32));
        (image, vec![Object { label: 0, bounding_box, mask: None }])
    }

    /// The box around what is bright.
    fn bright(image: &RgbImage) -> BoundingBox {
        let lit = image.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[0] > 100);
        let points: Vec<(u32, u32)> = lit.map(|(x, y, _)| (x, y)).collect();
        let least = |of: fn(&(u32, u32)) -> u32| points.iter().map(of).min().unwrap() as f32;
        let most = |of: fn(&(u32, u32)) -> u32| points.iter().map(of).max().unwrap() as f32 + 1.0;
        BoundingBox::new(least(|p| p.0), least(|p| p.1), most(|p| p.0), most(|p| p.1))
    }

    #[test]
    fn boxes_stay_on_what_they_are_around() {
        let augment = Augment { mosaic: 0.0, ..Augment::PHOTOGRAPHS };
        for seed in 0..50 {
            let augment = Augment { crop: seed % 2 == 0, ..augment };
            let mut random = SplitMix64::new(seed);
            let own = drawn(120, 80, [30, 20, 70, 60]);
            let (image, objects) =
                augment.apply(own, 64, false, &mut random, |_| unreachable!()).unwrap();
            assert_eq!(image.dimensions(), (64, 64));
            let iou = objects[0].bounding_box.iou(&bright(&image));
            assert!(iou > 0.85, "{seed}: {iou} {:?} {:?}", objects[0].bounding_box, bright(&image));
        }
    }

    #[test]
    fn a_mosaic_keeps_the_boxes_of_its_parts() {
        let augment = Augment { mosaic: 1.0, flip: true, ..Augment::default() };
        let empty = |_: &mut SplitMix64| Ok((RgbImage::new(64, 64), Vec::new()));
        let mut seen = 0;
        for seed in 0..50 {
            let own = drawn(64, 64, [24, 24, 40, 40]);
            let (image, objects) =
                augment.apply(own, 64, false, &mut SplitMix64::new(seed), empty).unwrap();
            if let Some(object) = objects.first() {
                let iou = object.bounding_box.iou(&bright(&image));
                assert!(iou > 0.7, "{seed}: {iou}");
                seen += 1;
            }
        }
        assert!(seen > 25, "{seen}");
        // Closed at the end, and the same each time.
        let own = || drawn(64, 64, [24, 24, 40, 40]);
        let none = Augment { mosaic: 1.0, ..Augment::default() };
        let last = none.apply(own(), 64, true, &mut SplitMix64::new(1), empty).unwrap();
        assert_eq!(last, own());
    }

    #[test]
    fn what_a_flag_says() {
        let own: Augment = "flip,scale:0.5,mosaic".parse().unwrap();
        assert_eq!(own, Augment { flip: true, scale: 0.5, mosaic: 0.5, ..Augment::default() });
        assert_eq!(own.to_string(), "flip,scale:0.5,mosaic:0.5");
        assert_eq!(Augment::default().to_string(), "none");
        assert!("none".parse::<Augment>().unwrap().is_none());
        for wrong in ["flip:1", "scale:2", "turn"] {
            assert!(wrong.parse::<Augment>().is_err(), "{wrong}");
        }
    }
}
