use super::*;
use crate::data::random::SplitMix64;
use crate::geometry::{BoundingBox, Point, Polygon};
use proptest::prelude::*;

fn colourful(width: u32, height: u32) -> DynamicImage {
    DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, |x, y| {
        Rgb([(x * 37 + 5) as u8, (y * 53 + 9) as u8, ((x + y) * 11) as u8])
    }))
}

fn grey(width: u32, height: u32) -> DynamicImage {
    DynamicImage::ImageLuma8(GrayImage::from_fn(width, height, |x, y| {
        Luma([(x * 37 + y * 53 + 1) as u8])
    }))
}

fn apply(text: &str, image: DynamicImage, seed: u64) -> DynamicImage {
    text.parse::<Augment>().unwrap().apply(image, &mut SplitMix64::new(seed))
}

#[test]
fn settings_that_change_nothing_give_the_same_picture() {
    for text in ["none", "crop:0", "affine:0", "affine:0:0:1-1:0", "jitter:0", "cutout:0"] {
        for image in [colourful(7, 5), grey(5, 7)] {
            assert_eq!(apply(text, image.clone(), 3), image, "{text}");
        }
    }
    assert!("none".parse::<Augment>().unwrap().is_none());
}

#[test]
fn the_same_random_numbers_give_the_same_picture() {
    let text = "crop:4,flip,affine:10:0.1:0.9-1.1:5,jitter:0.2:0.3:0.4:0.1,cutout:0.25";
    let apply = |seed| apply(text, colourful(32, 32), seed);
    assert_eq!(apply(1), apply(1));
    assert_ne!(apply(1), apply(2));
}

#[test]
fn a_crop_only_shifts_and_fills_with_black() {
    let image = GrayImage::from_pixel(6, 6, Luma([200]));
    let mut seen = std::collections::HashSet::new();
    for seed in 0..200 {
        let moved = apply("crop:2", image.clone().into(), seed).into_luma8();
        let bright = moved.pixels().filter(|pixel| pixel.0 == [200]).count();
        assert!(moved.pixels().all(|pixel| pixel.0 == [200] || pixel.0 == [0]));
        seen.insert(bright);
    }
    // (6 - a)(6 - b) for shifts a and b of 0, 1 or 2.
    let mut seen: Vec<_> = seen.into_iter().collect();
    seen.sort_unstable();
    assert_eq!(seen, [16, 20, 24, 25, 30, 36]);
}

#[test]
fn a_flip_mirrors_about_half_of_the_time() {
    let image = colourful(4, 3);
    let flips = (0..200).filter(|&seed| apply("flip", image.clone(), seed) == image.fliph());
    assert!((70..130).contains(&flips.count()));
}

#[test]
fn affine_keeps_the_centre_and_shifts_by_whole_pixels() {
    let mut image = GrayImage::new(9, 9);
    image.put_pixel(4, 4, Luma([255]));
    for seed in 0..20 {
        let turned = apply("affine:180", image.clone().into(), seed).into_luma8();
        assert!(turned.get_pixel(4, 4).0[0] > 250, "a rotation turns about the centre");
        let moved = apply("affine:0:0.3", image.clone().into(), seed).into_luma8();
        assert_eq!(moved.pixels().filter(|pixel| pixel.0 == [255]).count(), 1);
    }
    let tripled = apply("affine:0:0:3-3", image.into(), 0).into_luma8();
    // Two thirds of the way to the centre: 170, less what rounding takes.
    assert!((169..=170).contains(&tripled.get_pixel(3, 4).0[0]));
}

#[test]
fn brightness_multiplies_and_contrast_keeps_the_mean() {
    let image: DynamicImage = GrayImage::from_fn(2, 1, |x, _| Luma([100 + 50 * x as u8])).into();
    for seed in 0..20 {
        let bright = apply("jitter:0.5:0:0", image.clone(), seed).into_luma8();
        let [a, b] = [0, 1].map(|x| f32::from(bright.get_pixel(x, 0).0[0]));
        assert!((b - 1.5 * a).abs() < 2.0, "{a} {b}");
        let contrast = apply("jitter:0:0.5:0", image.clone(), seed).into_luma8();
        let [a, b] = [0, 1].map(|x| f32::from(contrast.get_pixel(x, 0).0[0]));
        assert!((a + b - 250.0).abs() <= 2.0 && b - a >= 24.0, "{a} {b}");
    }
}

#[test]
fn cutout_hides_a_square_under_the_mean() {
    let image: DynamicImage = GrayImage::from_fn(8, 8, |x, _| Luma([200 * (x % 2) as u8])).into();
    for seed in 0..50 {
        let cut = apply("cutout:0.5", image.clone(), seed).into_luma8();
        let hidden = cut.pixels().filter(|pixel| pixel.0 == [100]).count();
        assert!((4..=16).contains(&hidden), "a 4x4 square, a quarter of it at least inside");
    }
}

#[test]
fn text_comes_back_in_one_form() {
    for (text, canonical) in [
        ("none", "none"),
        ("flip, crop:4", "crop:4,flip"),
        ("affine:10", "affine:10:0:1-1:0"),
        ("affine:10:0.1:0.9-1.1:5", "affine:10:0.1:0.9-1.1:5"),
        ("jitter:0.2:0.20:0.2", "jitter:0.2"),
        ("jitter:0.1:0.2:0.3", "jitter:0.1:0.2:0.3"),
        ("jitter:0.1:0.1:0.1:0.05,cutout:0.25", "jitter:0.1:0.1:0.1:0.05,cutout:0.25"),
    ] {
        let augment: Augment = text.parse().unwrap();
        assert_eq!(augment.to_string(), canonical);
        let json = serde_json::to_string(&augment).unwrap();
        assert_eq!(json, format!("\"{canonical}\""));
        assert_eq!(serde_json::from_str::<Augment>(&json).unwrap(), augment);
    }
}

#[test]
fn wrong_text_says_what_was_expected() {
    let why = |text: &str| text.parse::<Augment>().unwrap_err().to_string();
    assert!(why("blur:3").starts_with("--augment: `blur:3`: expected `none`, or a list of crop:4"));
    assert!(why("").contains("expected `none`"));
    assert!(why("flip:2").contains("expected `flip` alone"));
    assert!(why("flip,flip").contains("flip is there twice"));
    for text in ["crop", "crop:-1", "crop:9999", "crop:4:4"] {
        assert!(why(text).contains("expected crop:PIXELS"), "{text}");
    }
    for text in ["affine", "affine:x", "affine:181", "affine:1:2", "affine:1:0:2-1", "affine:NaN"] {
        assert!(why(text).contains("expected affine:DEGREES"), "{text}");
    }
    for text in ["jitter", "jitter:2", "jitter:0.1:0.1", "jitter:0:0:0:0.6"] {
        assert!(why(text).contains("expected jitter:AMOUNT"), "{text}");
    }
    assert!(why("cutout:1.5").contains("expected cutout:FRACTION"));
}

prop_compose! {
    fn any_augment()(
        crop in prop::option::of(any::<u32>()),
        flip in any::<bool>(),
        affine in prop::option::of((any::<f32>(), any::<f32>(), any::<(f32, f32)>(), any::<f32>())),
        jitter in prop::option::of(any::<[f32; 4]>()),
        cutout in prop::option::of(any::<f32>()),
    ) -> Augment {
        Augment {
            crop,
            flip,
            affine: affine.map(|(degrees, translate, scale, shear)| {
                Affine { degrees, translate, scale, shear }
            }),
            jitter: jitter.map(|[brightness, contrast, saturation, hue]| {
                Jitter { brightness, contrast, saturation, hue }
            }),
            cutout,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn sizes_and_kinds_stay(
        width in 1u32..65,
        height in 1u32..65,
        is_grey in any::<bool>(),
        seed in any::<u64>(),
        wild in any_augment(),
    ) {
        let image = if is_grey { grey(width, height) } else { colourful(width, height) };
        let usual: Augment =
            "crop:4,flip,affine:30:0.5:0.5-2:20,jitter:0.5:0.5:0.5:0.5,cutout:1".parse().unwrap();
        for augment in [usual, wild] {
            let changed = augment.apply(image.clone(), &mut SplitMix64::new(seed));
            prop_assert_eq!((changed.width(), changed.height()), (width, height));
            prop_assert_eq!(changed.color(), image.color());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn text_never_panics_and_what_parses_comes_back(
        text in "((crop|flip|affine|jitter|cutout|none)(:[0-9.]{1,4}(-[0-9.]{1,3})?){0,4},?){0,3}",
        place in any::<prop::sample::Index>(),
        edit in prop::option::of(any::<char>()),
    ) {
        let mut text: Vec<char> = text.chars().collect();
        if let (Some(edit), false) = (edit, text.is_empty()) {
            let place = place.index(text.len());
            text[place] = edit;
        }
        if let Ok(augment) = String::from_iter(text).parse::<Augment>() {
            prop_assert_eq!(augment.to_string().parse::<Augment>().unwrap(), augment);
        }
    }
}

/// The white part of an image that was black around it, tightly, by the share of each edge pixel.
fn white(image: &GrayImage) -> Option<BoundingBox> {
    let bright = |(x, y, pixel): (u32, u32, &Luma<u8>)| (pixel.0[0] > 127).then_some((x, y));
    let points: Vec<Point> = image
        .enumerate_pixels()
        .filter_map(bright)
        .flat_map(|(x, y)| [[x, y], [x + 1, y + 1]])
        .map(|[x, y]| Point { x: x as f32, y: y as f32 })
        .collect();
    BoundingBox::around(&points)
}

#[test]
fn places_move_as_the_pixels_do() {
    let white_box = GrayImage::from_fn(40, 30, |x, y| {
        Luma([if (11..23).contains(&x) && (8..17).contains(&y) { 255 } else { 0 }])
    });
    let bounds = BoundingBox::new(11.0, 8.0, 23.0, 17.0);
    let outline = Polygon::from(bounds);
    for text in
        ["crop:9", "flip", "crop:9,flip", "affine:0:0.3", "affine:180", "affine:0:0:0.7-1.6"]
    {
        let augment: Augment = text.parse().unwrap();
        for seed in 0..60 {
            let image = white_box.clone().into();
            let (image, transform) = augment.apply_located(image, &mut SplitMix64::new(seed));
            assert_eq!(image, augment.apply(white_box.clone().into(), &mut SplitMix64::new(seed)));
            let drawn = image.into_luma8();
            // What was drawn and what is computed have the same pixels, but for those on the edge.
            let expected = transform.polygon(&outline).rasterise(30, 40).to_pixels();
            let exact = !text.contains("180") && !text.contains('-');
            for (place, (pixel, inside)) in drawn.pixels().zip(expected).enumerate() {
                let off = (f32::from(pixel.0[0]) / 255.0 - f32::from(u8::from(inside))).abs();
                let most = if exact { 0.001 } else { 0.8 };
                assert!(off < most, "{text} {seed}: {} {}", place % 40, place / 40);
            }
            let moved = transform.bounding_box(&bounds).clip(40, 30);
            match white(&drawn) {
                Some(found) => {
                    let (found, moved) = (<[f32; 4]>::from(found), <[f32; 4]>::from(moved));
                    let most = if exact { 1e-3 } else { 2.0 };
                    let near = found.iter().zip(moved).all(|(a, b)| (a - b).abs() < most);
                    assert!(near, "{text} {seed}: {found:?} {moved:?}");
                }
                None => assert!(moved.area() < 1.0, "{text} {seed}: {moved:?}"),
            }
        }
    }
}

#[test]
fn objects_move_with_their_image_and_leave_it() {
    use crate::data::scenes::{Crowds, Part};
    use crate::data::{Example, Input};
    use burn_dataset::Dataset;
    let augment: Augment = "crop:30,flip".parse().unwrap();
    let mut gone = 0;
    for index in 0..30 {
        let Example { input, target, .. } = Crowds::new(Part::Train).get(index).unwrap();
        let Input::Image(image) = input else { panic!() };
        let rng = SplitMix64::keyed(&[1, 2, index as u64]);
        let (_, moved) = augment.apply_objects(image.clone(), target.clone(), &mut rng.clone());
        gone += target.len() - moved.len();
        // The masks as images, moved by the code that moves pixels.
        let drawn = target.iter().filter_map(|object| {
            let pixels = object.mask.as_ref().unwrap().to_pixels();
            let bytes = pixels.iter().map(|&inside| if inside { 255 } else { 0 }).collect();
            let image = GrayImage::from_raw(64, 64, bytes).unwrap().into();
            white(&augment.apply(image, &mut rng.clone()).into_luma8())
        });
        assert!(drawn.eq(moved.iter().map(|object| object.bounding_box)));
    }
    assert!(gone > 0, "a shift of half the image loses some");
}
