use image::{DynamicImage, GrayImage, Luma};
use proptest::prelude::*;

use super::*;
use crate::data::scenes::{Recipe, Scene};

const SIDE: usize = 24;

/// Whether each pixel of an image has its centre inside, row by row.
fn pixels(inside: impl Fn(f32, f32) -> bool) -> Vec<bool> {
    let centre = |place: usize| ((place % SIDE) as f32 + 0.5, (place / SIDE) as f32 + 0.5);
    (0..SIDE * SIDE).map(centre).map(|(x, y)| inside(x, y)).collect()
}

fn count(pixels: &[bool]) -> usize {
    pixels.iter().filter(|&&inside| inside).count()
}

/// Corners on whole pixels, some of them outside the image.
fn whole_box() -> impl Strategy<Value = BoundingBox> {
    let side = || -6i8..30;
    (side(), side(), side(), side()).prop_map(|(a, b, c, d)| {
        let [a, b, c, d] = [a, b, c, d].map(f32::from);
        BoundingBox::new(a.min(c), b.min(d), a.max(c), b.max(d))
    })
}

fn contains(own: &BoundingBox, x: f32, y: f32) -> bool {
    (own.x1..own.x2).contains(&x) && (own.y1..own.y2).contains(&y)
}

fn corners(most: usize) -> impl Strategy<Value = Polygon> {
    let corner = (-6.0f32..30.0, -6.0f32..30.0).prop_map(|(x, y)| Point { x, y });
    prop::collection::vec(corner, 3..most).prop_map(|points| Polygon { points })
}

fn mask() -> impl Strategy<Value = Vec<bool>> {
    // Sparse, dense, and long runs, which reach over several columns.
    let sparse = prop::collection::vec(prop::bool::weighted(0.1), SIDE * SIDE);
    let boxes = (whole_box(), whole_box());
    prop_oneof![
        sparse,
        boxes.prop_map(|(a, b)| pixels(|x, y| contains(&a, x, y) || contains(&b, x, y)))
    ]
}

/// A scaling, a turn, a shear, a shift and perhaps a mirror, about the middle of an image.
fn transform() -> impl Strategy<Value = Transform> {
    let numbers = (0.0..std::f64::consts::TAU, 0.5f64..2.0, 0.5f64..2.0, -0.4f64..0.4);
    let rest = (-5.0f64..5.0, -5.0f64..5.0, any::<bool>(), 10usize..40, 10usize..40);
    (numbers, rest).prop_map(|((angle, sx, sy, slant), (x, y, flip, width, height))| {
        let mut own = Transform::identity(SIDE, SIDE).rotate(angle);
        own = own.about_centre([[sx, slant], [0.0, sy]], [x, y]).crop(y, x, 20, 30);
        if flip {
            own = own.flip_horizontal();
        }
        own.letterbox(width, height)
    })
}

proptest! {
    #[test]
    fn boxes_are_their_pixels(a in whole_box(), b in whole_box()) {
        let (ours, theirs) = (pixels(|x, y| contains(&a, x, y)), pixels(|x, y| contains(&b, x, y)));
        let [a, b] = [a, b].map(|own| own.clip(SIDE, SIDE));
        prop_assert_eq!(a.area() as usize, count(&ours));
        let both = ours.iter().zip(&theirs).filter(|(a, b)| **a && **b).count();
        let any = ours.iter().zip(&theirs).filter(|(a, b)| **a || **b).count();
        prop_assert_eq!(a.intersection(&b).area() as usize, both);
        let iou = if both == 0 { 0.0 } else { both as f32 / any as f32 };
        prop_assert!((a.iou(&b) - iou).abs() < 1e-6);
    }

    #[test]
    fn run_lengths_are_their_pixels(ours in mask(), theirs in mask()) {
        let [a, b] = [&ours, &theirs].map(|own| Rle::from_pixels(SIDE, SIDE, own));
        prop_assert_eq!(&a.to_pixels(), &ours);
        prop_assert_eq!(a.area() as usize, count(&ours));
        let both = ours.iter().zip(&theirs).filter(|(a, b)| **a && **b).count();
        let any = ours.iter().zip(&theirs).filter(|(a, b)| **a || **b).count();
        prop_assert_eq!(a.shared(&b) as usize, both);
        let iou = if both == 0 { 0.0 } else { both as f64 / any as f64 };
        prop_assert_eq!(a.iou(&b), iou);
        let places = || (0..SIDE * SIDE).filter(|&place| ours[place]);
        let (columns, rows) = (|| places().map(|at| at % SIDE), || places().map(|at| at / SIDE));
        let expected = columns().min().map(|left| BoundingBox {
            x1: left as f32,
            y1: rows().min().unwrap() as f32,
            x2: columns().max().unwrap() as f32 + 1.0,
            y2: rows().max().unwrap() as f32 + 1.0,
        });
        prop_assert_eq!(a.bounding_box(), expected);
        let json = serde_json::to_value(&a).unwrap();
        prop_assert_eq!(&serde_json::from_value::<Rle>(json).unwrap(), &a);
        let json = serde_json::json!({ "size": a.size, "counts": a.compressed() });
        prop_assert_eq!(&serde_json::from_value::<Rle>(json).unwrap(), &a);
    }

    #[test]
    fn damaged_masks_are_refused(text in "[0-z]{0,12}", height in any::<u32>(), width in 0u32..9) {
        let json = serde_json::json!({ "size": [height, width], "counts": text });
        if let Ok(mask) = serde_json::from_value::<Rle>(json) {
            prop_assert_eq!(mask.counts.iter().map(|&c| u64::from(c)).sum::<u64>(),
                u64::from(height) * u64::from(width));
        }
    }

    #[test]
    fn a_polygon_has_the_pixels_that_a_ray_to_the_right_finds(polygon in corners(9)) {
        let inside = |x: f32, y: f32| {
            let (x, y) = (f64::from(x), f64::from(y));
            let next = polygon.points.iter().cycle().skip(1);
            let crossed = polygon.points.iter().zip(next).filter(|(a, b)| {
                let [ax, ay, bx, by] = [a.x, a.y, b.x, b.y].map(f64::from);
                (ay <= y) != (by <= y) && ax + (y - ay) * (bx - ax) / (by - ay) > x
            });
            crossed.count() % 2 == 1
        };
        prop_assert_eq!(polygon.rasterise(SIDE, SIDE).to_pixels(), pixels(inside));
    }

    #[test]
    fn a_clipped_polygon_has_the_pixels_inside(polygon in corners(7), bounds in whole_box()) {
        let clipped = polygon.clip(&bounds).rasterise(SIDE, SIDE).to_pixels();
        let whole = polygon.rasterise(SIDE, SIDE).to_pixels();
        let inside = pixels(|x, y| contains(&bounds, x, y));
        let expected: Vec<bool> = whole.iter().zip(&inside).map(|(a, b)| *a && *b).collect();
        // Corners are rounded to f32: a centre within that of an edge may go either way.
        let differ = clipped.iter().zip(&expected).filter(|(a, b)| a != b).count();
        prop_assert!(differ <= 1, "{differ} pixels differ");
    }

    #[test]
    fn the_area_of_a_triangle_is_about_its_pixels(polygon in corners(4)) {
        // Four times as large, so that less of it lies on the edge.
        let large = Polygon {
            points: polygon.points.iter()
                .map(|p| Point { x: 4.0 * (p.x + 6.0), y: 4.0 * (p.y + 6.0) }).collect(),
        };
        let next = large.points.iter().cycle().skip(1);
        let edge = |(a, b): (&Point, &Point)| (a.x - b.x).hypot(a.y - b.y);
        let perimeter: f32 = large.points.iter().zip(next).map(edge).sum();
        let drawn = large.rasterise(144, 144).area() as f32;
        prop_assert!((large.area() - drawn).abs() < 0.5 * perimeter + 2.0);
    }

    #[test]
    fn a_transform_and_its_inverse(own in transform(), x in -50.0f32..50.0, y in -50.0f32..50.0) {
        let back = own.inverse().unwrap();
        let there = back.point(own.point(Point { x, y }));
        prop_assert!((there.x - x).abs() < 1e-3 && (there.y - y).abs() < 1e-3, "{there:?}");
        prop_assert_eq!(own.then(&back).size(), [SIDE, SIDE]);
        let there = own.then(&back).point(Point { x, y });
        prop_assert!((there.x - x).abs() < 1e-3 && (there.y - y).abs() < 1e-3, "{there:?}");
    }

    #[test]
    fn masks_move_as_polygons_do(polygon in corners(6), own in transform()) {
        let [width, height] = own.size();
        let image = BoundingBox::new(0.0, 0.0, SIDE as f32, SIDE as f32);
        let polygon = polygon.clip(&image);
        let mask = own.mask(&polygon.rasterise(SIDE, SIDE)).to_pixels();
        let moved = own.polygon(&polygon);
        let drawn = moved.rasterise(height, width).to_pixels();
        let back = own.inverse().unwrap();
        let bounds = polygon.bounding_box().map(|bounds| own.bounding_box(&bounds));
        for (place, (&mask, &drawn)) in mask.iter().zip(&drawn).enumerate() {
            let (x, y) = ((place % width) as f32 + 0.5, (place / width) as f32 + 0.5);
            let from = back.point(Point { x, y });
            // The mask tells the centre of the pixel that a place fell into: half a diagonal.
            prop_assert!(mask == drawn || nearness(&polygon, from) < 0.71, "{x} {y} {from:?}");
            if drawn {
                let bounds = bounds.unwrap();
                prop_assert!(bounds.x1 < x + 1e-3 && x - 1e-3 < bounds.x2);
                prop_assert!(bounds.y1 < y + 1e-3 && y - 1e-3 < bounds.y2);
            }
        }
    }
}

/// The distance of a point from the nearest edge.
fn nearness(polygon: &Polygon, at: Point) -> f32 {
    let next = polygon.points.iter().cycle().skip(1);
    let distance = |(a, b): (&Point, &Point)| {
        let (dx, dy) = (b.x - a.x, b.y - a.y);
        let along = ((at.x - a.x) * dx + (at.y - a.y) * dy) / (dx * dx + dy * dy).max(1e-9);
        let along = along.clamp(0.0, 1.0);
        (a.x + along * dx - at.x).hypot(a.y + along * dy - at.y)
    };
    polygon.points.iter().zip(next).map(distance).fold(f32::INFINITY, f32::min)
}

#[test]
fn known_areas_and_a_known_compressed_mask() {
    let polygon =
        |points: &[[f32; 2]]| Polygon { points: points.iter().map(|&p| p.into()).collect() };
    assert_eq!(polygon(&[[0.0, 0.0], [4.0, 0.0], [0.0, 3.0]]).area(), 6.0);
    let l = polygon(&[[1.0, 1.0], [5.0, 1.0], [5.0, 3.0], [3.0, 3.0], [3.0, 6.0], [1.0, 6.0]]);
    assert_eq!((l.area(), l.rasterise(8, 8).area()), (14.0, 14));
    assert_eq!(l.rasterise(8, 8).bounding_box(), l.bounding_box());
    assert_eq!(polygon(&[]).area(), 0.0);
    assert_eq!(polygon(&[]).bounding_box(), None);
    // pycocotools' maskApi.c by hand: 2, 1, 1, then 4 - 1, 1 - 1, 1 - 4 and 2 - 1.
    let rows = [0, 0, 1, 1, 0, 1, 1, 0, 1, 1, 0, 0].map(|bit| bit == 1);
    let mask = Rle::from_pixels(3, 4, &rows);
    assert_eq!(mask.counts, [2, 1, 1, 4, 1, 1, 2]);
    assert_eq!(mask.compressed(), "21130M1");
}

#[test]
fn what_moves_an_image_moves_its_boxes_and_masks() {
    const SIZE: usize = 48;
    let steps: [fn(Transform) -> Transform; 6] = [
        |own| own.flip_horizontal(),
        |own| own.flip_vertical(),
        |own| own.crop(7.0, 3.0, 30, 33),
        |own| own.crop(-5.0, -2.0, 60, 54),
        |own| own.rotate(std::f64::consts::FRAC_PI_2),
        |own| own.flip_horizontal().crop(4.0, -6.0, 40, 50).flip_vertical(),
    ];
    let mut whole = 0;
    for index in 0..20 {
        let scene = Scene::new(3, index, &Recipe::CROWD);
        let drawing = scene.draw(SIZE, SIZE);
        for seen in drawing.seen() {
            let pixels = drawing.mask(seen.object);
            let mask = Rle::from_pixels(SIZE, SIZE, &pixels);
            let byte = |&inside: &bool| if inside { 255 } else { 0 };
            let bytes: Vec<u8> = pixels.iter().map(byte).collect();
            let image = GrayImage::from_raw(SIZE as u32, SIZE as u32, bytes).unwrap();
            for step in steps {
                let own = step(Transform::identity(SIZE, SIZE));
                let [width, height] = own.size();
                let moved = own.image(&DynamicImage::ImageLuma8(image.clone())).into_luma8();
                assert_eq!((moved.width(), moved.height()), (width as u32, height as u32));
                let drawn: Vec<bool> = moved.pixels().map(|&Luma([byte])| byte > 127).collect();
                let drawn = Rle::from_pixels(height, width, &drawn);
                assert_eq!(own.mask(&mask), drawn);
                let bounds = own.bounding_box(&BoundingBox::from(seen.bounds.xyxy()));
                let Some(tight) = drawn.bounding_box() else { continue };
                let [clipped, tight] = [bounds.clip(width, height), tight].map(<[f32; 4]>::from);
                // What is cut through may end before the box of the whole does.
                let cut = clipped != <[f32; 4]>::from(bounds);
                let fits = |side: usize| {
                    let outside = clipped[side] - tight[side];
                    let outside = if side < 2 { outside } else { -outside };
                    outside < 1e-3 && (cut || outside > -1e-3)
                };
                assert!((0..4).all(fits), "{tight:?} {bounds:?}");
                whole += usize::from(!cut);
            }
        }
    }
    assert!(whole > 100, "{whole} were not cut");
}

#[test]
fn giou_is_iou_less_what_the_hull_has_too_much() {
    let own = BoundingBox::new(0.0, 0.0, 2.0, 2.0);
    assert_eq!(own.giou(&own), 1.0);
    // Shared 1, union 7, hull 9.
    let other = BoundingBox::new(1.0, 1.0, 3.0, 3.0);
    assert!((own.giou(&other) - (1.0 / 7.0 - 2.0 / 9.0)).abs() < 1e-6);
    // Apart: nothing shared, union 8, hull 4 x 2.
    let apart = BoundingBox::new(6.0, 0.0, 8.0, 2.0);
    assert_eq!(own.giou(&apart), -(16.0 - 8.0) / 16.0);
    assert_eq!(
        BoundingBox::new(1.0, 1.0, 1.0, 1.0).giou(&BoundingBox::new(1.0, 1.0, 1.0, 1.0)),
        0.0
    );
}
