//! What the embedded scenes look like, and how fast they are drawn: four contact sheets, of
//! labels, of captions with a question, of boxes and masks, and of a video; and a few single
//! images that no model was trained on.
//!
//! `cargo run --release -p tenfold-core --example scenes -- FOLDER`

use image::{Rgb, RgbImage, imageops};
use std::path::PathBuf;
use std::time::Instant;
use tenfold_core::data::random::SplitMix64;
use tenfold_core::data::scenes::{Asked, Drawing, Part, Recipe, Scene, Scenes, ask, references};
use tenfold_core::viz::label::{Line, draw_lines};
use tenfold_core::viz::sheet;
use tenfold_core::{Error, Result};

const SEED: u64 = 1;
const TILES: usize = 25;

fn main() -> Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".into()));
    std::fs::create_dir_all(&folder).map_err(|why| Error::io(&folder, why))?;
    let write = |name: &str, tiles: Vec<RgbImage>| {
        let path = folder.join(name);
        println!("{}", path.display());
        sheet::write(&tiles, &path)
    };
    write("labels.png", (0..TILES).map(labelled).collect())?;
    write("told.png", (0..TILES).map(told).collect())?;
    write("boxes.png", (0..TILES).map(boxed).collect())?;
    write("video.png", (0..TILES).map(frame).collect())?;
    for index in 0..6 {
        let recipe = if index < 3 { Recipe::TOLD } else { Recipe::ASKED };
        let path = folder.join(format!("scene-{index}.png"));
        let picture = Scene::new(SEED, index, &recipe).draw(64, 64).into_image();
        picture.save(&path).map_err(|why| Error::file(&path, why))?;
        println!("{}", path.display());
    }
    for (name, recipe) in [("ONE", Recipe::ONE), ("ASKED", Recipe::ASKED), ("CROWD", Recipe::CROWD)]
    {
        let (start, count) = (Instant::now(), 20_000);
        let bytes: usize =
            (0..count).map(|i| Scene::new(SEED, i, &recipe).draw(64, 64).rgb().len()).sum();
        let rate = count as f64 / start.elapsed().as_secs_f64();
        println!("Recipe::{name}: {rate:.0} images of 64x64 a second ({bytes} bytes)");
    }
    Ok(())
}

fn titled(drawing: Drawing, texts: &[String]) -> RgbImage {
    let line = |text: &String| Line { text: text.clone(), number: String::new(), bar: 0.0 };
    draw_lines(&drawing.into_image(), &texts.iter().map(line).collect::<Vec<_>>())
}

fn labelled(index: usize) -> RgbImage {
    let scene = Scenes::new(Part::Test).scene(index);
    titled(scene.draw(64, 64), &[scene.objects[0].shape.name().into()])
}

fn told(index: usize) -> RgbImage {
    let recipe = if index.is_multiple_of(2) { Recipe::TOLD } else { Recipe::ASKED };
    let scene = Scene::new(SEED, index as u64, &recipe);
    let mut random = SplitMix64::keyed(&[SEED, index as u64]);
    let mut texts = references(&scene, 1, &mut random);
    let asked = ask(&scene, Asked::ALL[index % 5], &mut random);
    texts.push(asked.map_or_else(String::new, |asked| format!("{} {}", asked.text, asked.answer)));
    titled(scene.draw(256, 256), &texts)
}

/// The image with its boxes beside its instance masks.
fn boxed(index: usize) -> RgbImage {
    let scene = Scene::new(SEED, index as u64, &Recipe::CROWD);
    with_boxes(&scene)
}

fn frame(index: usize) -> RgbImage {
    with_boxes(&Scene::new(SEED, 3, &Recipe::MOVING).at(index))
}

fn with_boxes(scene: &Scene) -> RgbImage {
    const SIDE: u32 = 120;
    let drawing = scene.draw(SIDE as usize, SIDE as usize);
    let mut masks = RgbImage::from_pixel(SIDE, SIDE, Rgb([30; 3]));
    for (pixel, &owner) in masks.pixels_mut().zip(drawing.instances()) {
        if owner > 0 {
            *pixel = Rgb(scene.objects[usize::from(owner) - 1].colour.rgb());
        }
    }
    let seen = drawing.seen();
    let mut picture = drawing.into_image().into_rgb8();
    for b in seen.iter().map(|seen| seen.bounds) {
        let (right, bottom) = (b.x2 - 1, b.y2 - 1);
        for (x, y) in (b.x1..=right)
            .flat_map(|x| [(x, b.y1), (x, bottom)])
            .chain((b.y1..=bottom).flat_map(|y| [(b.x1, y), (right, y)]))
        {
            picture.put_pixel(x, y, Rgb([255; 3]));
        }
    }
    let mut both = RgbImage::new(2 * SIDE, SIDE);
    imageops::replace(&mut both, &picture, 0, 0);
    imageops::replace(&mut both, &masks, i64::from(SIDE), 0);
    both
}
