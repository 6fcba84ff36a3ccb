//! Many images get the answers that each gets alone.

use crate::models::ModelConfig as _;
use crate::models::resnet_cifar::CifarResNetConfig;
use crate::predictor::Predictor;
use crate::zoo::Zoo;
use image::{Rgb, RgbImage};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tenfold_core::cli::Faults;
use tenfold_core::cli::args::PredictArgs;
use tenfold_core::task::predict;
use tenfold_core::{device, weights};

/// The answers, and the faults beside them.
fn predicted(predictor: &Predictor, paths: &[PathBuf]) -> (Vec<Value>, Vec<String>) {
    let args = PredictArgs { paths: Vec::new(), top_k: 5, json: true, device: "cpu".into() };
    let mut out = Vec::new();
    let faults = match predict::run(predictor, paths, &args, None, &mut out) {
        Ok(()) => Vec::new(),
        Err(error) => error.downcast::<Faults>().unwrap().0.iter().map(|f| f.to_string()).collect(),
    };
    (serde_json::from_slice(&out).unwrap(), faults)
}

#[test]
fn answers_do_not_depend_on_what_is_beside_an_image() {
    let device = device::open("cpu").unwrap();
    device.seed(5);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weights.safetensors");
    let network = CifarResNetConfig::resnet20(5).init(&device);
    weights::save(&network, &file, &BTreeMap::new()).unwrap();
    let predictor = Predictor::from_weights(Zoo::ResNet20, &file, None, &[], &device).unwrap();
    let mut paths: Vec<PathBuf> = (0..24).map(|i| folder.path().join(format!("{i}.png"))).collect();
    for (place, path) in (0u32..).zip(&paths) {
        let pixel = |x: u32, y: u32| {
            Rgb([x * 5 + place * 9, y * 7 + place * 3, x * y + place].map(|value| value as u8))
        };
        RgbImage::from_fn(20 + place, 50 - place, pixel).save(path).unwrap();
    }
    paths.insert(11, folder.path().join("broken.png"));
    std::fs::write(&paths[11], b"\x89PNG\r\n\x1A\nno more").unwrap();

    let (together, faults) = predicted(&predictor, &paths);
    assert!(faults.len() == 1 && faults[0].contains("broken.png"), "{faults:?}");
    paths.remove(11);
    assert_eq!(together.len(), paths.len());
    for (answer, path) in together.iter().zip(&paths) {
        let (alone, faults) = predicted(&predictor, std::slice::from_ref(path));
        assert!(faults.is_empty());
        assert_eq!(answer["input"], alone[0]["input"]);
        assert_eq!(answer["suggestions"][0]["label"], alone[0]["suggestions"][0]["label"]);
        let scores = |answer: &Value| {
            let all = answer["suggestions"].as_array().unwrap();
            let mut all: Vec<(String, f64)> = all
                .iter()
                .map(|one| (one["label"].to_string(), one["score"].as_f64().unwrap()))
                .collect();
            all.sort_by(|a, b| a.0.cmp(&b.0));
            all
        };
        for (own, other) in scores(answer).iter().zip(scores(&alone[0])) {
            assert!(own.0 == other.0 && (own.1 - other.1).abs() < 1e-5, "{own:?} for {other:?}");
        }
    }
}
