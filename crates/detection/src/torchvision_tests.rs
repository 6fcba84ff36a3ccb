//! Detectors against torchvision: names and shapes of all weights, loaded from a file by their
//! names, and the whole way from an image to boxes. `tests/golden/detectors/make.py` has
//! the same formulas.

use crate::detection::Detection;
use crate::finder::Finder;
use crate::models::detector::DetectorConfig;
use crate::zoo::{Zoo, with_config};
use image::{Rgb, RgbImage};
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::{Map, json};
use std::path::Path;
use tenfold_core::data::Input;
use tenfold_core::geometry::BoundingBox;
use tenfold_core::zoo::Zoo as _;
use tenfold_core::{device, weights};

#[derive(Deserialize)]
struct Expected {
    classes: usize,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    model: String,
    gain: f64,
    doubt: f64,
    keys: String,
    images: Vec<Pictured>,
}

#[derive(Deserialize)]
struct Pictured {
    size: [u32; 2],
    objects: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    label: usize,
    score: f32,
    #[serde(rename = "box")]
    at: [f32; 4],
}

/// A number in -1..1 from an integer hash of a key's hash and a place.
pub(crate) fn noise(key: u32, place: u32) -> f64 {
    let mut x = place.wrapping_mul(0x9E37_79B1) ^ key;
    x = (x ^ (x >> 15)).wrapping_mul(0x2C1B_3C6D);
    x = (x ^ (x >> 12)).wrapping_mul(0x297A_2D39);
    x ^= x >> 15;
    f64::from(x >> 8) / 8_388_608.0 - 1.0
}

pub(crate) fn hash(key: &str) -> u32 {
    key.bytes().fold(2_166_136_261, |h, byte| (h ^ u32::from(byte)).wrapping_mul(16_777_619))
}

/// The formula's weights of such a key and PyTorch shape, each times `gain`.
pub(crate) fn formula(key: &str, shape: &[usize], gain: f64) -> Vec<f32> {
    let fan_in = shape[1..].iter().product::<usize>() as f64;
    let (base, scale) = match (key.rsplit('.').next().unwrap(), shape.len()) {
        ("running_var", _) => (1.0, 0.5),
        ("running_mean", _) => (0.0, 0.2),
        ("bias", _) => (0.0, 0.05),
        (_, 1) => (0.9, 0.25),
        (_, 2) => (0.0, 0.5 * (3.0 / fan_in).sqrt()),
        _ => (0.0, (6.0 / fan_in).sqrt()),
    };
    let (hash, count) = (hash(key), shape.iter().product::<usize>() as u32);
    let value = |place| (f64::from((base + scale * noise(hash, place)) as f32) * gain) as f32;
    (0..count).into_par_iter().map(value).collect()
}

/// A head says more by its gain, and doubts what it sees.
fn weight(key: &str, shape: &[usize], case: &Case, classes: usize) -> Vec<f32> {
    let head = key.starts_with("head.") && key.ends_with("weight");
    let mut values = formula(key, shape, if head { case.gain } else { 1.0 });
    if key.contains("classification_head") && key.ends_with("bias") && !key.contains("conv.") {
        let background = usize::from(case.model.starts_with("ssd"));
        for row in values.chunks_mut(classes + background) {
            row[background..].iter_mut().for_each(|value| *value -= case.doubt as f32);
        }
    }
    values
}

/// A file of such weights: a length, JSON with each tensor's place, numbers.
pub(crate) fn write(
    path: &Path,
    tensors: impl IntoIterator<Item = (String, Vec<usize>, Vec<f32>)>,
) {
    let (mut header, mut bytes) = (Map::new(), Vec::new());
    for (key, shape, values) in tensors {
        let first = bytes.len();
        bytes.extend(values.into_iter().flat_map(f32::to_le_bytes));
        let place = [first, bytes.len()];
        let tensor = json!({ "dtype": "F32", "shape": shape, "data_offsets": place });
        header.insert(key, tensor);
    }
    let header = serde_json::to_vec(&header).unwrap();
    let length = (header.len() as u64).to_le_bytes();
    std::fs::write(path, [&length[..], &header, &bytes].concat()).unwrap();
}

/// The digest of a line `KEY SHAPE` for each weight, sorted.
pub(crate) fn digest(keys: &[(String, Vec<usize>)]) -> String {
    let line = |(key, shape): &(String, Vec<usize>)| format!("{key} {shape:?}\n");
    let mut lines: Vec<String> = keys.iter().map(line).collect();
    lines.sort();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    std::fs::write(&file, lines.concat()).unwrap();
    weights::digest(&file).unwrap()
}

/// Slopes that wrap around, with noise.
fn picture([width, height]: [u32; 2]) -> Input {
    let key = hash("picture");
    let image = RgbImage::from_fn(width, height, |x, y| {
        Rgb([0, 1, 2].map(|c| {
            let grain = ((noise(key, (y * width + x) * 3 + c) + 1.0) * 16.0) as u32;
            ((x * (c + 2) + y * (5 - c) + grain) % 256) as u8
        }))
    });
    Input::Image(image.into())
}

/// The same boxes, none more and none less, with the same scores.
fn same(model: &str, expected: &Pictured, found: &[Detection]) {
    let Pictured { size, objects } = expected;
    let mut left: Vec<&Detection> = found.iter().collect();
    let (mut iou, mut apart) = (1f32, 0f32);
    for Object { label, score, at } in objects {
        let at = BoundingBox::from(*at);
        let near = |own: &&Detection| own.label == *label && own.bounding_box.iou(&at) > 0.999;
        let place = left.iter().position(near);
        let place = place.unwrap_or_else(|| panic!("{model} {size:?}: no {label} {score} {at:?}"));
        let own = left.remove(place);
        iou = iou.min(own.bounding_box.iou(&at));
        apart = apart.max((own.score - score).abs());
    }
    println!("{model} {size:?}: {} boxes, IoU {iou:.6}, scores {apart:.1e}", objects.len());
    assert!(left.is_empty(), "{model} {size:?}: {left:?}");
    assert!(apart < 1e-4, "{model} {size:?}: {apart}");
}

#[test]
fn boxes_agree_with_torchvision() {
    let text = include_str!("../../../tests/golden/detectors/expected.json");
    let Expected { classes, cases } = serde_json::from_str(text).unwrap();
    let device = device::open("cpu").unwrap();
    let folder = tempfile::tempdir().unwrap();
    for case in &cases {
        let model = Zoo::named(&case.model).unwrap();
        let keys = |classes| -> Vec<(String, Vec<usize>)> {
            with_config!(model, Config => {
                let published = Config::published(classes).unwrap();
                weights::module_keys(&published.config.init(&device))
            })
        };
        // COCO's classes have numbers up to 90.
        assert_eq!(digest(&keys(90)), case.keys, "{}", case.model);
        let file = folder.path().join("weights.safetensors");
        write(
            &file,
            keys(classes).into_iter().map(|(key, shape)| {
                let values = weight(&key, &shape, case, classes);
                (key, shape, values)
            }),
        );
        let labels = (0..classes).map(|label| label.to_string()).collect();
        let finder = Finder::from_weights(model, &file, labels, None, &device).unwrap();
        for expected in &case.images {
            let found = finder.find(&[&picture(expected.size)]).unwrap();
            same(&case.model, expected, &found[0]);
        }
    }
}
