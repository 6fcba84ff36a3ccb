//! Boxes around what may be an object in an image, by selective search: no training, no network.
//!
//! `cargo run --release --example proposals -- photo.jpg` prints a line of JSON for each image, with
//! the seconds that it took and the boxes as [x1, y1, x2, y2].

use std::time::Instant;
use tenfold_detection::parts::search::SelectiveSearch;

fn main() -> anyhow::Result<()> {
    let search = SelectiveSearch::default();
    for path in std::env::args().skip(1) {
        let image = image::open(&path)?.into_rgb8();
        let start = Instant::now();
        let boxes: Vec<[f32; 4]> = search.propose(&image).into_iter().map(Into::into).collect();
        let seconds = start.elapsed().as_secs_f64();
        println!("{}", serde_json::json!({ "image": path, "seconds": seconds, "boxes": boxes }));
    }
    Ok(())
}
