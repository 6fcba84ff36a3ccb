//! Translating networks against those of pytorch-CycleGAN-and-pix2pix, loaded by its keys.
//! `tests/golden/translate/make.py` has the same formulas.

use crate::models::norm::Norm;
use crate::models::patchgan::{self, PatchGan};
use crate::models::pix2pix;
use crate::models::translate::TranslateConfig;
use crate::models::translators::{self, inferred, published};
use burn::tensor::{Tensor, TensorData};
use serde::Deserialize;
use serde_json::{Map, json};
use std::path::Path;
use tenfold_core::{device, weights};

#[derive(Deserialize)]
struct Case {
    net: String,
    norm: String,
    input: [usize; 3],
    output: [usize; 3],
    keys: Vec<(String, Vec<usize>)>,
    mean: f64,
    every: usize,
    values: Vec<f32>,
}

/// A number in -1..1 from an integer hash of a key and a place.
fn noise(key: &str, place: u32) -> f64 {
    let key = key
        .bytes()
        .fold(2_166_136_261u32, |h, byte| (h ^ u32::from(byte)).wrapping_mul(16_777_619));
    let mut x = place.wrapping_mul(0x9E37_79B1) ^ key;
    x = (x ^ (x >> 15)).wrapping_mul(0x2C1B_3C6D);
    x = (x ^ (x >> 12)).wrapping_mul(0x297A_2D39);
    x ^= x >> 15;
    f64::from(x >> 8) / 8_388_608.0 - 1.0
}

/// The formula's weights of such a key and shape.
fn formula(key: &str, shape: &[usize]) -> Vec<f32> {
    let fan_in = shape[1..].iter().product::<usize>() as f64;
    let (base, scale) = match (key.rsplit('.').next().unwrap(), shape.len()) {
        ("running_var", _) => (1.0, 0.5),
        ("running_mean", _) => (0.0, 0.2),
        ("bias", _) => (0.0, 0.05),
        (_, 1) => (0.9, 0.25),
        _ => (0.0, (6.0 / fan_in).sqrt()),
    };
    let count = shape.iter().product::<usize>() as u32;
    (0..count).map(|place| (base + scale * noise(key, place)) as f32).collect()
}

fn write(path: &Path, keys: &[(String, Vec<usize>)]) {
    let (mut header, mut bytes) = (Map::new(), Vec::new());
    for (key, shape) in keys {
        let first = bytes.len();
        bytes.extend(formula(key, shape).into_iter().flat_map(f32::to_le_bytes));
        let place = [first, bytes.len()];
        let tensor = json!({ "dtype": "F32", "shape": shape, "data_offsets": place });
        header.insert(key.clone(), tensor);
    }
    let header = serde_json::to_vec(&header).unwrap();
    let length = (header.len() as u64).to_le_bytes();
    std::fs::write(path, [&length[..], &header, &bytes].concat()).unwrap();
}

#[test]
fn networks_agree_with_the_authors_by_their_keys() {
    let text = include_str!("../../../tests/golden/translate/expected.json");
    let cases: Vec<Case> = serde_json::from_str(text).unwrap();
    let device = device::open("cpu").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("netG.safetensors");
    for case in cases {
        write(&file, &case.keys);
        let [inputs, height, width] = case.input;
        let values: Vec<f32> =
            (0..(inputs * height * width) as u32).map(|i| noise("input", i) as f32).collect();
        let data = TensorData::new(values, [1, inputs, height, width]);
        let x = Tensor::<4>::from_data(data, &device);
        let y = if case.net == "patches" {
            let norm = if case.norm == "batch" { Norm::Batch } else { Norm::Instance };
            let config = TranslateConfig { critic_width: 4, norm, ..pix2pix::config([3, 3], 64) };
            let mut network = PatchGan::new(inputs, &config, &device);
            let options = translators::options(patchgan::renames(), &config);
            weights::load(&mut network, &file, &options).unwrap();
            network.forward(x)
        } else {
            let config = inferred(&file).unwrap();
            assert_eq!(format!("{:?}", config.net).to_lowercase(), case.net);
            assert_eq!(config.norm == Norm::Batch, case.norm == "batch");
            assert_eq!(config.channels, [inputs, case.output[0]]);
            published(&file, &device).unwrap().1.there.forward(x)
        };
        assert_eq!(y.dims()[1..], case.output);
        let own: Vec<f32> = y.into_data().iter::<f32>().collect();
        let mean = own.iter().map(|&x| f64::from(x)).sum::<f64>() / own.len() as f64;
        let apart = own.iter().step_by(case.every).zip(&case.values);
        let apart = apart.fold(0f32, |most, (a, b)| most.max((a - b).abs()));
        println!("{} {}: {apart:.1e}", case.net, case.norm);
        assert!(apart < 1e-4, "{} {}: {apart}", case.net, case.norm);
        assert!((mean - case.mean).abs() < 1e-5, "{} {}", case.net, case.norm);
    }
}

#[test]
fn weights_of_other_networks_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("netG.safetensors");
    write(&file, &[("fc.weight".into(), vec![3, 4])]);
    let why = inferred(&file).err().unwrap().to_string();
    assert!(why.contains("no generator of pytorch-CycleGAN-and-pix2pix"), "{why}");
}
