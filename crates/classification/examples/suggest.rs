//! A trained run inside another program: images in, ranked suggestions out.
//!
//! `cargo run --release -p tenfold-classification --example suggest -- runs/lenet-mnist digit.png`

use std::path::Path;
use tenfold_classification::Predictor;
use tenfold_core::data::{Input, image_file};
use tenfold_core::device;
use tenfold_core::suggest::Suggest;

fn main() -> tenfold_core::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [run, images @ ..] = &args[..] else {
        println!("usage: suggest RUN IMAGE...");
        return Ok(());
    };
    let model = Predictor::from_file(Path::new(run), &device::open("cpu")?)?;
    for path in images {
        let input = Input::Image(image_file::read(path)?);
        let suggestions = &model.suggest(&[&input], 3)?[0];
        // The line between what a program may do alone and what it should ask a person.
        let verdict = if suggestions[0].score > 0.99 { "accept" } else { "ask" };
        println!("{path}: {verdict} {suggestions:?}");
    }
    Ok(())
}
