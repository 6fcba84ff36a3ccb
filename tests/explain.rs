//! Heat maps: where a suggestion comes from.

use image::{GrayImage, Luma, imageops};
use std::path::Path;
use tenfold_classification::Predictor;
use tenfold_core::data::glyphs::{Glyphs, Part};
use tenfold_core::data::{Examples, Input};
use tenfold_core::device;
use tenfold_tests::{args, classification, fails, first_image, folder, write_images};

/// 64 x 64 pixels of black, with a small glyph in one corner; its class and place.
fn cornered(data: &Examples, index: usize) -> (GrayImage, usize, [i64; 2]) {
    let example = data.get(index).unwrap();
    let Input::Image(glyph) = example.input else { panic!("glyphs are images") };
    let mut canvas = GrayImage::from_pixel(64, 64, Luma([0]));
    let place = [[2, 2], [34, 2], [2, 34], [34, 34]][index % 4];
    imageops::replace(&mut canvas, &glyph.to_luma8(), place[0], place[1]);
    (canvas, example.target, place)
}

/// Writes images of the classes 3 and 7 in corners.
fn write_cornered(folder: &Path, part: Part, count: usize) {
    let data: Examples = std::sync::Arc::new(Glyphs::new(part));
    let wanted = (0..data.len()).map(|index| cornered(&data, index));
    for (number, (picture, label, _)) in
        wanted.filter(|(_, label, _)| [3, 7].contains(label)).take(count).enumerate()
    {
        let class = folder.join(label.to_string());
        std::fs::create_dir_all(&class).unwrap();
        picture.save(class.join(format!("{number:03}.png"))).unwrap();
    }
}

#[test]
fn the_heat_lies_on_the_glyph() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    for (split, part, count) in
        [("train", Part::Train, 240), ("val", Part::Validation, 24), ("test", Part::Test, 24)]
    {
        write_cornered(&at("data").join(split), part, count);
    }
    let trained = classification(args![
        "train",
        "resnet20",
        "--data",
        at("data"),
        "--out",
        at("run"),
        "--epochs",
        "3",
        "--augment",
        "none",
        "--batch-size",
        "16",
        "--json"
    ])
    .json();
    assert!(trained["accuracy"].as_f64().unwrap() > 0.9, "{trained}");

    let device = device::open("cpu").unwrap();
    let model = Predictor::from_file(&at("run"), &device).unwrap();
    let data: Examples = std::sync::Arc::new(Glyphs::new(Part::Test));
    let (mut inside, mut all) = (0.0, 0.0);
    for index in (0..600).filter(|&index| [3, 7].contains(&data.get(index).unwrap().target)) {
        let (picture, _, [left, top]) = cornered(&data, index);
        let heat = &model.explain(&[&Input::Image(picture.into())]).unwrap().unwrap()[0];
        assert!(heat.values.iter().all(|value| (0.0..=1.0).contains(value)));
        for y in 0..64i64 {
            for x in 0..64i64 {
                let warmth = f64::from(heat.at((x as f32 + 0.5) / 64.0, (y as f32 + 0.5) / 64.0));
                let on = (left..left + 28).contains(&x) && (top..top + 28).contains(&y);
                inside += if on { warmth } else { 0.0 };
                all += warmth;
            }
        }
    }
    // The glyph's square is 19 of 100 of the image; how much more of the heat it has depends
    // on the last bits of the training, and was 46 to 56 of 100.
    println!("{:.2} of the heat lies on the glyph", inside / all);
    assert!(inside / all > 0.3, "{}", inside / all);

    let class = at("data/test/3");
    let drawn = classification(args![
        "predict",
        at("run"),
        &class,
        "--draw",
        at("drawn"),
        "--explain",
        "--json"
    ]);
    assert_eq!(drawn.status, 0, "{}", drawn.err);
    let one = std::fs::read_dir(at("drawn")).unwrap().next().unwrap().unwrap().path();
    let picture = image::open(one).unwrap().into_rgb8();
    // The image is 256 high and wide, its heat beside it, and a scale beyond.
    assert!(picture.height() > 256 && picture.width() > 2 * 256, "{:?}", picture.dimensions());
    let strip = picture.height() - 256;
    let coloured = picture.enumerate_pixels().filter(|(x, y, pixel)| {
        let [red, green, blue] = pixel.0.map(i32::from);
        let heat = *y > strip && (264..520).contains(x);
        heat && (red - green).abs().max((green - blue).abs()) > 60
    });
    assert!(coloured.count() > 500, "no heat was drawn");
}

#[test]
fn a_model_without_maps_says_so() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    write_images(&at("pictures"), 20);
    let trained = classification(args![
        "train",
        "mlp",
        "--data",
        at("pictures"),
        "--out",
        at("run"),
        "--epochs",
        "1"
    ]);
    assert_eq!(trained.status, 0, "{}", trained.err);
    let picture = first_image(&at("pictures"));
    fails(
        args!["predict", at("run"), &picture, "--draw", at("drawn"), "--explain"],
        &["--explain: Grad-CAM needs feature maps: expected a convolutional network"],
    );
    let undrawn = classification(args!["predict", at("run"), &picture, "--explain"]);
    assert_eq!(undrawn.status, 2, "{undrawn:?}");
}
