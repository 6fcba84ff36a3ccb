//! Darknet's networks from its files of weights, against `tests/golden/darknet/make.py`, which has
//! the same formulas.

use crate::models::detector::{DetectorConfig, values};
use crate::models::yolov1::YoloV1Config;
use crate::models::yolov2::YoloV2Config;
use crate::torchvision_tests::{hash, noise};
use burn::tensor::{Tensor, TensorData};
use rayon::prelude::*;
use serde_json::Value;
use std::path::Path;
use tenfold_core::device;

fn expected() -> Value {
    let text = include_str!("../../../tests/golden/darknet/expected.json");
    serde_json::from_str(text).unwrap()
}

/// The numbers of a file, part by part.
#[derive(Default)]
struct File(Vec<f32>);

impl File {
    fn numbers(&mut self, count: usize, base: f64, scale: f64) {
        let (key, first) = (hash("darknet"), self.0.len());
        let one = |place| (base + scale * noise(key, (first + place) as u32)) as f32;
        self.0.par_extend((0..count).into_par_iter().map(one));
    }

    fn conv(&mut self, inputs: usize, outputs: usize, size: usize, normalised: bool) {
        self.numbers(outputs, 0.0, 0.05);
        if normalised {
            self.numbers(outputs, 0.9, 0.25);
            self.numbers(outputs, 0.0, 0.2);
            self.numbers(outputs, 1.0, 0.5);
        }
        let fan_in = inputs * size * size;
        self.numbers(outputs * fan_in, 0.0, (6.0 / fan_in as f64).sqrt());
    }

    fn layers(layers: &[(usize, usize)]) -> Self {
        let (mut own, mut inputs) = (Self::default(), 3);
        for &(outputs, size) in layers {
            own.conv(inputs, outputs, size, true);
            inputs = outputs;
        }
        own
    }

    /// With a header of this version.
    fn write(&self, path: &Path, [major, minor]: [i32; 2]) {
        let mut bytes = [major, minor, 0].map(i32::to_le_bytes).concat();
        bytes.extend(64u32.to_le_bytes());
        if major == 0 && minor >= 2 {
            bytes.extend([0; 4]);
        }
        bytes.extend(self.0.iter().flat_map(|number| number.to_le_bytes()));
        std::fs::write(path, bytes).unwrap();
    }
}

/// The image of the formula; loads the file and compares what the network says.
fn compare<C: DetectorConfig>(
    config: &C,
    path: &Path,
    case: &Value,
    forward: impl Fn(&C::Network, Tensor<4>) -> Vec<f32>,
) {
    let device = device::open("cpu").unwrap();
    let side = case["side"].as_u64().unwrap() as usize;
    let pixel = |place| noise(hash("input"), place) as f32 / 2.0 + 0.5;
    let pixels: Vec<f32> = (0..(3 * side * side) as u32).map(pixel).collect();
    let image = Tensor::from_data(TensorData::new(pixels, [1, 3, side, side]), &device);
    let mut network = config.init(&device);
    C::load(&mut network, path).unwrap();
    let ours = forward(&network, image);
    let theirs: Vec<f32> = serde_json::from_value(case["output"].clone()).unwrap();
    assert_eq!(ours.len(), theirs.len());
    let largest = theirs.iter().fold(0f32, |most, x| most.max(x.abs()));
    let apart = ours.iter().zip(&theirs).fold(0f32, |most, (x, y)| most.max((x - y).abs()));
    println!("{}: {:.1e} of {largest}", path.display(), apart / largest);
    assert!(apart < 1e-4 * largest, "{apart} of {largest}");
}

#[test]
fn yolo_of_all_three_versions_of_the_file() {
    let expected = expected();
    let case = &expected["cases"]["yolov1"];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("yolov1.weights");
    let layers = [16, 32, 64, 128, 256, 512, 1024, 256].map(|outputs| (outputs, 3));
    let (inputs, outputs) = (256 * 4, 4 * 30);
    let mut file = File::layers(&layers);
    file.conv(inputs, outputs, 1, false);
    assert_eq!(file.0.len() as u64, case["numbers"].as_u64().unwrap());
    let config = YoloV1Config { classes: 20, side: 128, boxes: 2 };
    let said = |network: &_, image| values(crate::models::yolov1::YoloV1::forward(network, image));
    for version in [[0, 1], [0, 2]] {
        file.write(&path, version);
        compare(&config, &path, case, said);
    }
    // The last matrix turned.
    let first = file.0.len() - inputs * outputs;
    let matrix = file.0.split_off(first);
    file.0.extend((0..inputs * outputs).map(|at| matrix[at % outputs * inputs + at / outputs]));
    file.write(&path, [1001, 0]);
    compare(&config, &path, case, said);

    let device = device::open("cpu").unwrap();
    let other = YoloV1Config { classes: 3, ..config };
    let why = YoloV1Config::load(&mut other.init(&device), &path).unwrap_err().to_string();
    let lengths =
        [file.0.len(), file.0.len() - (inputs + 1) * 4 * 17].map(|count| count.to_string());
    assert!(lengths.iter().all(|count| why.contains(count)) && !why.contains('\n'), "{why}");
    for bytes in [&b"abc"[..], b"PK\x03\x04 and a zip archive behind it", &[0; 40]] {
        std::fs::write(&path, bytes).unwrap();
        let why = YoloV1Config::load(&mut other.init(&device), &path).unwrap_err().to_string();
        assert!(why.contains("expected"), "{why}");
    }
}

#[test]
fn yolo_v2() {
    let expected = expected();
    let case = &expected["cases"]["yolov2"];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("yolov2.weights");
    let squeezed = |outer: usize| [(outer, 3), (outer / 2, 1), (outer, 3)];
    let deep = |outer: usize| [(outer, 3), (outer / 2, 1), (outer, 3), (outer / 2, 1), (outer, 3)];
    let mut layers = vec![(32, 3), (64, 3)];
    layers.extend(squeezed(128));
    layers.extend(squeezed(256));
    layers.extend(deep(512));
    layers.extend(deep(1024));
    layers.extend([(1024, 3); 2]);
    let mut file = File::layers(&layers);
    file.conv(512, 64, 1, true);
    file.conv(1024 + 4 * 64, 1024, 3, true);
    file.conv(1024, 125, 1, false);
    assert_eq!(file.0.len() as u64, case["numbers"].as_u64().unwrap());
    file.write(&path, [0, 2]);
    let config = YoloV2Config::published(20).unwrap().config;
    compare(&config, &path, case, |network, image| values(network.forward(image)));
}
