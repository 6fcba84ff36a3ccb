//! Detectors against torchvision: names and shapes of all weights, and the whole way from an image
//! to its boxes. `tests/golden/fasterrcnn/make.py` has the same formulas.

use crate::finder::Finder;
use crate::models::detector::{DetectorConfig, first_names};
use crate::models::fasterrcnn::FasterRcnnConfig;
use crate::torchvision_tests::{hash, noise};
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};
use image::{Rgb, RgbImage};
use rayon::prelude::*;
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

/// The formula's weights of such a key and PyTorch shape.
fn weight(key: &str, shape: &[usize]) -> Vec<f32> {
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
    let own = SCALES.iter().find(|(start, _)| key.starts_with(start)).map_or(1.0, |(_, own)| *own);
    let one = |place| (base + scale * noise(hash, place)) as f32 * own;
    (0..count).into_par_iter().map(one).collect()
}

/// Sets every weight by the formula.
#[derive(Default)]
struct Formula {
    /// Added to the logit of the background.
    background: f32,
    path: Vec<String>,
    containers: Vec<String>,
}

impl ModuleMapper for Formula {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.containers.push(container.into());
        if !container.starts_with("Enum:") {
            self.path.push(name.into());
        }
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.containers.pop();
        if !container.starts_with("Enum:") {
            self.path.pop();
        }
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let container = self.containers.last().unwrap();
        let mut key = self.path.join(".");
        if container == "Struct:BatchNorm" {
            key = key.replace(".gamma", ".weight").replace(".beta", ".bias");
        }
        let mut shape = param.lazy_shape().to_vec();
        // PyTorch has outputs first.
        let turned = container == "Struct:Linear" && D == 2;
        if turned {
            shape.reverse();
        }
        let mut values = weight(&key, &shape);
        if key == "roi_heads.box_predictor.cls_score.bias" {
            values[0] += self.background;
        }
        let data = TensorData::new(values, shape);
        let tensor = Tensor::from_data(data, &param.lazy_device());
        Param::initialized(param.id, if turned { tensor.transpose() } else { tensor })
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
    let network = published().config.init(&device);
    let all = expected["cases"].as_array().unwrap().iter().enumerate();
    for (_, case) in all.filter(|(place, _)| cases(*place)) {
        let [size, frame] = ["size", "frame"].map(|key| numbers(&case[key]));
        let mut own = published();
        let [shorter, longer] = [frame[0] as usize, frame[1] as usize];
        if let Preprocess::Image { resize, .. } = &mut own.preprocess {
            *resize = Resize::Sides { shorter, longer, multiple: 32 };
        }
        let background = case["background"].as_f64().unwrap() as f32;
        let network = network.clone().map(&mut Formula { background, ..Formula::default() });
        let image = Input::Image(drawn([size[0] as u32, size[1] as u32]).into());
        let labels = (0..classes).map(|class| class.to_string()).collect();
        let finder = Finder::of(own, network, labels, &device);
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

/// `cargo test --release -p tenfold-detection full_size -- --ignored --nocapture`
#[test]
#[ignore = "a minute, 3 GB"]
fn faster_r_cnn_finds_torchvisions_boxes_at_full_size() {
    agree(|case| case > 0);
}

#[test]
fn names_and_shapes_are_torchvisions() {
    let config = FasterRcnnConfig::published(90).unwrap().config;
    let network = config.init(&device::open("cpu").unwrap());
    let keys = weights::module_keys(&network);
    let mut lines: Vec<String> =
        keys.iter().map(|(key, shape)| format!("{key} {shape:?}\n")).collect();
    lines.sort();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    std::fs::write(&file, lines.concat()).unwrap();
    assert_eq!(weights::digest(&file).unwrap(), expected()["keys"].as_str().unwrap());
}

/// The names of the file that torchvision publishes.
mod first_version {
    use super::*;
    use burn::nn::conv::{Conv2d, Conv2dConfig};

    #[derive(Module, Debug)]
    struct Pyramid {
        inner_blocks: Vec<Conv2d>,
        layer_blocks: Vec<Conv2d>,
    }

    #[derive(Module, Debug)]
    struct Body {
        fpn: Pyramid,
    }

    #[derive(Module, Debug)]
    struct Head {
        conv: Conv2d,
    }

    #[derive(Module, Debug)]
    struct Rpn {
        head: Head,
    }

    #[derive(Module, Debug)]
    struct Parts {
        backbone: Body,
        rpn: Rpn,
    }

    #[test]
    fn their_names_are_known() {
        let device = device::open("cpu").unwrap();
        let conv = |inputs, kernel| Conv2dConfig::new([inputs, 256], [kernel; 2]).init(&device);
        let fpn = Pyramid {
            inner_blocks: [256, 512, 1024, 2048].map(|inputs| conv(inputs, 1)).into(),
            layer_blocks: [256; 4].map(|inputs| conv(inputs, 3)).into(),
        };
        let rpn = Rpn { head: Head { conv: conv(256, 3) } };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("parts.safetensors");
        let parts = Parts { backbone: Body { fpn }, rpn };
        weights::save(&parts, &file, &std::collections::BTreeMap::new()).unwrap();
        let mut network = FasterRcnnConfig::published(2).unwrap().config.init(&device);
        let options = weights::LoadOptions { partial: true, ..first_names() };
        let report = weights::load(&mut network, &file, &options).unwrap();
        assert_eq!((report.loaded.len(), report.unused), (18, Vec::new()));
    }
}
