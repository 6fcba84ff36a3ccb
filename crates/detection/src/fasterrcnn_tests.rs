//! Detectors against torchvision: names and shapes of all weights, and the whole way from an image
//! to its boxes. `tests/golden/fasterrcnn/make.py` has the same formulas.

use crate::finder::Finder;
use crate::models::detector::DetectorConfig;
use crate::models::fasterrcnn::FasterRcnnConfig;
use crate::torchvision_tests::{digest, formula, hash, noise, write};
use image::{Rgb, RgbImage};
use serde_json::Value;
use tenfold_core::data::{Input, Preprocess, Resize};
use tenfold_core::geometry::BoundingBox;
use tenfold_core::{device, weights};

/// What weights whose names begin so are multiplied by.
const SCALES: [(&str, f32); 7] = [
    ("backbone.fpn.inner_blocks.", 0.01),
    ("backbone.fpn.layer_blocks.", 0.5),
    ("rpn.head.cls_logits.", 2.0),
    ("rpn.head.bbox_pred.", 0.1),
    ("roi_heads.box_head.", 2.0),
    ("roi_heads.box_predictor.cls_score.", 6.0),
    ("roi_heads.box_predictor.bbox_pred.", 3.0),
];

/// The name that a weight has in the file that torchvision publishes: that of its first version.
fn published_name(key: &str) -> String {
    let pyramid = key.contains("fpn.inner_blocks.") || key.contains("fpn.layer_blocks.");
    let alone = |key: &str| key.replace(".0.weight", ".weight").replace(".0.bias", ".bias");
    match key.strip_prefix("rpn.head.conv.0.0.") {
        Some(end) => format!("rpn.head.conv.{end}"),
        None if pyramid => alone(key),
        None => key.into(),
    }
}

/// Slopes that wrap around, with noise, and a few plain rectangles.
fn drawn([height, width]: [u32; 2]) -> RgbImage {
    let key = hash("picture");
    let mut image = RgbImage::from_fn(width, height, |x, y| {
        let value = |c: u32| {
            let grain = ((noise(key, (y * width + x) * 3 + c) + 1.0) * 16.0) as u32;
            ((x * (c + 2) + y * (5 - c) + grain) % 256) as u8
        };
        Rgb([value(0), value(1), value(2)])
    });
    let key = hash("rectangles");
    for i in 0..12 {
        // Each of these numbers is the first of its own call there.
        let number = |k: u32| ((noise(key, 4 * i + k) + 1.0) * 512.0) as u32;
        let (top, left) = (number(0) % height, number(1) % width);
        let bottom = (top + 20 + number(2) % 120).min(height);
        let right = (left + 20 + number(3) % 160).min(width);
        for (x, y) in (top..bottom).flat_map(|y| (left..right).map(move |x| (x, y))) {
            image.put_pixel(x, y, Rgb([(i * 20) as u8, (255 - i * 20) as u8, (i * 7) as u8]));
        }
    }
    image
}

fn expected() -> Value {
    let text = include_str!("../../../tests/golden/fasterrcnn/expected.json");
    serde_json::from_str(text).unwrap()
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect()
}

/// The boxes of the cases that are asked for are torchvision's.
fn agree(cases: impl Fn(usize) -> bool) {
    let expected = expected();
    let classes = expected["classes"].as_u64().unwrap() as usize - 1;
    let device = device::open("cpu").unwrap();
    let published = || FasterRcnnConfig::published(classes).unwrap();
    let mut network = published().config.init(&device);
    let keys = weights::module_keys(&network);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weights.safetensors");
    let all = expected["cases"].as_array().unwrap().iter().enumerate();
    for (_, case) in all.filter(|(place, _)| cases(*place)) {
        let [size, frame] = ["size", "frame"].map(|key| numbers(&case[key]));
        let mut own = published();
        let [shorter, longer] = [frame[0] as usize, frame[1] as usize];
        if let Preprocess::Image { resize, .. } = &mut own.preprocess {
            *resize = Resize::Sides { shorter, longer, multiple: 32 };
        }
        let background = case["background"].as_f64().unwrap() as f32;
        let tensor = |(key, shape): &(String, Vec<usize>)| {
            let own = SCALES.iter().find(|(start, _)| key.starts_with(start));
            let mut values = formula(key, shape, own.map_or(1.0, |(_, own)| f64::from(*own)));
            if key == "roi_heads.box_predictor.cls_score.bias" {
                values[0] += background;
            }
            (published_name(key), shape.clone(), values)
        };
        write(&file, keys.iter().map(tensor));
        FasterRcnnConfig::load(&mut network, &file).unwrap();
        let image = Input::Image(drawn([size[0] as u32, size[1] as u32]).into());
        let labels = (0..classes).map(|class| class.to_string()).collect();
        let finder = Finder::of(own, network.clone(), labels, &device);
        let found = finder.find(&[&image]).unwrap().remove(0);
        let [boxes, labels, scores] = ["boxes", "labels", "scores"].map(|key| numbers(&case[key]));
        assert_eq!(found.len(), labels.len(), "{size:?} {frame:?}");
        let mut worst = (1f32, 0f32);
        for (one, ((own, label), score)) in
            found.iter().zip(boxes.chunks(4).zip(&labels).zip(&scores))
        {
            let own = BoundingBox::new(own[0], own[1], own[2], own[3]);
            assert_eq!(one.label + 1, *label as usize, "{one:?} {own:?}");
            worst.0 = worst.0.min(one.bounding_box.iou(&own));
            worst.1 = worst.1.max((one.score - score).abs());
        }
        println!("{size:?} {frame:?}: IoU {}, scores {:.1e}", worst.0, worst.1);
        assert!(worst.0 > 0.999 && worst.1 < 1e-4, "{worst:?}");
    }
}

#[test]
fn faster_r_cnn_finds_torchvisions_boxes() {
    agree(|case| case == 0);
}

/// BENCHMARKS.md has its command.
#[test]
#[ignore = "a minute, 3 GB"]
fn faster_r_cnn_finds_torchvisions_boxes_at_full_size() {
    agree(|case| case > 0);
}

#[test]
fn names_and_shapes_are_torchvisions() {
    let config = FasterRcnnConfig::published(90).unwrap().config;
    let network = config.init(&device::open("cpu").unwrap());
    assert_eq!(digest(&weights::module_keys(&network)), expected()["keys"].as_str().unwrap());
}
