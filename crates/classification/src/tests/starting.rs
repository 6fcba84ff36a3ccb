//! A few photographs are learnt from weights that others trained, where these have been fetched.

use crate::flags::TrainFlags;
use crate::models::BackboneConfig;
use crate::models::resnet::ResNetConfig;
use crate::recipes;
use crate::task::Classification;
use crate::zoo::Zoo;
use clap::{Args, FromArgMatches};
use image::{GrayImage, Luma, Rgb, RgbImage};
use std::path::Path;
use tenfold_core::cli::args::RunFlags;
use tenfold_core::task::{Flags, Task};

fn flags(data: &Path, data_dir: &Path, set: &[&str]) -> Flags<Zoo> {
    let command = TrainFlags::augment_args(clap::Command::new("train"));
    let words = ["train".into(), format!("--data={}", data.display())];
    let words = words.into_iter().chain([format!("--data-dir={}", data_dir.display())]);
    let own = TrainFlags::from_arg_matches(&command.get_matches_from(words)).unwrap();
    let set = set.iter().map(|set| set.to_string()).collect();
    let run = RunFlags { seed: Some(3), set, ..RunFlags::default() };
    Flags { run, own, named: true, steers: true }
}

#[test]
fn a_few_photographs_start_from_fetched_weights_and_all_else_from_none() {
    let folder = tempfile::tempdir().unwrap();
    let [photographs, scans, data_dir] =
        ["photographs", "scans", "data"].map(|name| folder.path().join(name));
    for (class, shade) in [("cats", 60), ("dogs", 160)] {
        for data in [&photographs, &scans] {
            std::fs::create_dir_all(data.join(class)).unwrap();
        }
        for place in 0..10 {
            let name = format!("{class}/{place}.png");
            let colour = Rgb([shade, place * 20, 90]);
            RgbImage::from_pixel(160, 140, colour).save(photographs.join(&name)).unwrap();
            GrayImage::from_pixel(160, 140, Luma([shade + place])).save(scans.join(name)).unwrap();
        }
    }
    let task = Classification::<ResNetConfig> {
        model: Zoo::ResNet18,
        new: |input, classes| ResNetConfig::resnet18(classes).with_input(input),
    };
    // What a training begins with, and what it says.
    let begun = |data: &Path, set: &[&str]| {
        let flags = flags(data, &data_dir, set);
        let choice = task.choose(&flags).unwrap();
        let data = task.open(&choice, Some(&data_dir)).unwrap();
        let config = task.configure(&flags, choice, &data).unwrap();
        let network = config.network::<ResNetConfig>(Path::new("config.json")).unwrap();
        let said = recipes::start(Zoo::ResNet18, &network, &flags, &data, Some(&data_dir));
        (config.start.map(|start| start.weights), said.map(|(_, line)| line))
    };
    let (weights, line) = begun(&photographs, &[]);
    assert_eq!(weights, None);
    let line = line.unwrap();
    assert!(line.starts_with("16 photographs are few"), "{line}");
    assert!(line.contains("`cargo xtask fetch weights/resnet18`"), "{line}");

    let fetched = data_dir.join("weights/resnet18");
    std::fs::create_dir_all(&fetched).unwrap();
    std::fs::write(fetched.join("resnet18.pth"), "the weights").unwrap();
    let manifest = "layout = \"weights\"\nlicence = \"free\"\n\n\
                    [splits.weights]\nfile = \"resnet18.pth\"\n";
    std::fs::write(fetched.join("dataset.toml"), manifest).unwrap();
    let (weights, line) = begun(&photographs, &[]);
    assert!(weights.unwrap().ends_with("weights/resnet18/resnet18.pth"));
    assert_eq!(line.unwrap(), "16 photographs: starts from the fetched weights `resnet18`");

    assert_eq!(begun(&scans, &[]), (None, None));
    assert_eq!(begun(&photographs, &["stem=imagenet"]), (None, None));
}
