use super::*;
use crate::data::Example;
use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage};
use std::sync::Arc;

struct List(Vec<Input>);

impl burn_dataset::Dataset<Example, Error> for List {
    fn get(&self, index: usize) -> Result<Example> {
        Ok(Example { input: self.0[index].clone(), target: 0, file: None })
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

fn examples(inputs: Vec<Input>) -> Examples {
    Arc::new(List(inputs))
}

fn grey(width: u32, height: u32, value: impl Fn(u32, u32) -> u8) -> Input {
    let image = GrayImage::from_fn(width, height, |x, y| Luma([value(x, y)]));
    Input::Image(DynamicImage::ImageLuma8(image))
}

fn plain(channels: usize, height: usize, width: usize, resize: Resize) -> Preprocess {
    let (mean, std) = (vec![0.0; channels], vec![1.0 / 255.0; channels]);
    Preprocess::Image { channels, height, width, resize, mean, std }
}

fn rounded(values: Vec<f32>) -> Vec<i32> {
    values.into_iter().map(|value| value.round() as i32).collect()
}

#[test]
fn pixels_become_planes_around_the_mean() {
    let image = RgbImage::from_fn(2, 1, |x, _| Rgb([0, 51 * x as u8, 255]));
    let preprocess = Preprocess::Image {
        channels: 3,
        height: 1,
        width: 2,
        resize: Resize::Stretch,
        mean: vec![0.5, 0.0, 0.0],
        std: vec![0.5, 1.0, 2.0],
    };
    let values = preprocess.apply(&Input::Image(DynamicImage::ImageRgb8(image))).unwrap();
    assert_eq!(values, [-1.0, -1.0, 0.0, 0.2, 0.5, 0.5]);
    assert_eq!(preprocess.shape(), [3, 1, 2]);
}

#[test]
fn grey_and_colour_become_each_other() {
    let values = plain(3, 1, 1, Resize::Stretch).apply(&grey(1, 1, |_, _| 77)).unwrap();
    assert_eq!(rounded(values), [77, 77, 77]);
    // Pillow: Image.new("RGB", (1, 1), colour).convert("L")
    for (colour, expected) in
        [([255, 0, 0], 76), ([0, 255, 0], 150), ([0, 0, 255], 29), ([255; 3], 255), ([1, 2, 3], 2)]
    {
        let image = DynamicImage::ImageRgb8(RgbImage::from_pixel(1, 1, Rgb(colour)));
        let values = plain(1, 1, 1, Resize::Stretch).apply(&Input::Image(image)).unwrap();
        assert_eq!(rounded(values), [expected], "{colour:?}");
    }
}

#[test]
fn halving_averages_with_a_triangle() {
    // Pillow's bilinear at half size: weights 1 3 3 1 over 8, 3 3 1 over 7 at the edge.
    let input = grey(8, 1, |x, _| if x == 3 { 240 } else { 0 });
    let values = plain(1, 1, 4, Resize::Stretch).apply(&input).unwrap();
    assert_eq!(rounded(values), [0, 90, 30, 0]);
    let input = grey(8, 1, |x, _| if x == 0 { 210 } else { 0 });
    let values = plain(1, 1, 4, Resize::Stretch).apply(&input).unwrap();
    assert_eq!(rounded(values), [90, 0, 0, 0]);
}

#[test]
fn the_shorter_side_is_scaled_and_the_middle_cut_out() {
    // 6 x 2 stays 6 x 2, of which columns 2 and 3 are the middle.
    let input = grey(6, 2, |x, y| (10 * x + y) as u8);
    let values = plain(1, 2, 2, Resize::ShorterSide(2)).apply(&input).unwrap();
    assert_eq!(rounded(values), [20, 30, 21, 31]);
    let values = plain(1, 2, 4, Resize::ShorterSide(1)).apply(&grey(2, 1, |_, _| 9)).unwrap();
    assert_eq!(rounded(values), [0, 9, 9, 0, 0, 0, 0, 0], "black where the crop is larger");
    // A thread of an image: scaled as a whole it would take 500 GB, which no machine here has.
    let long = plain(1, 224, 224, Resize::ShorterSide(256));
    assert_eq!(long.apply(&grey(8_000_000, 1, |_, _| 9)).unwrap().len(), 224 * 224);
}

#[test]
fn fitting_measures_pictures_and_rows() {
    // Half of the pixels are 0 and half 255: mean 0.5, deviation 0.5.
    let data = examples(vec![grey(2, 2, |x, _| 255 * x as u8), grey(2, 2, |_, y| 255 * y as u8)]);
    let kind = Kind::Images { channels: 1, height: 2, width: 2 };
    let Preprocess::Image { mean, std, .. } =
        Preprocess::fit(&kind, &data, Resize::Stretch).unwrap()
    else {
        panic!()
    };
    assert_eq!((mean, std), (vec![0.5], vec![0.5]));
    // 1 and 3: mean 2, deviation 1. The constant column gets 1.
    let rows = vec![Input::Row(vec![1.0, 0.1]), Input::Row(vec![3.0, 0.1])];
    let kind = Kind::rows(vec!["a".into(), "b".into()]);
    let fitted = Preprocess::fit(&kind, &examples(rows), Resize::Stretch).unwrap();
    assert_eq!(fitted, Preprocess::Row { mean: vec![2.0, 0.1], std: vec![1.0, 1.0] });
    assert_eq!(fitted.apply(&Input::Row(vec![3.0, 0.1])).unwrap(), [1.0, 0.0]);
    assert_eq!(fitted.shape(), [1, 1, 2]);
}

#[test]
fn what_never_varies_has_a_deviation_of_one() {
    let kind = Kind::Images { channels: 1, height: 3, width: 3 };
    let data = examples(vec![grey(3, 3, |_, _| 201); 3]);
    let Preprocess::Image { std, .. } = Preprocess::fit(&kind, &data, Resize::Stretch).unwrap()
    else {
        panic!()
    };
    assert_eq!(std, [1.0]);
    let empty = Preprocess::fit(&kind, &examples(vec![]), Resize::Stretch).unwrap();
    assert_eq!(empty.shape(), [1, 3, 3]);
}

#[test]
fn wrong_inputs_and_settings_are_errors() {
    let picture = plain(1, 2, 2, Resize::Stretch);
    let why = |preprocess: &Preprocess, input| preprocess.apply(&input).unwrap_err().to_string();
    assert_eq!(why(&picture, Input::Row(vec![1.0])), "input: a row of numbers; expected an image");
    let row = Preprocess::Row { mean: vec![0.0; 2], std: vec![1.0; 2] };
    assert_eq!(why(&row, Input::Row(vec![1.0])), "input: a row of 1 numbers; expected 2");
    assert!(why(&row, grey(1, 1, |_, _| 0)).contains("an image; expected a row of 2 numbers"));
    for broken in [
        plain(2, 2, 2, Resize::Stretch),
        plain(1, 0, 2, Resize::Stretch),
        plain(1, 2, 1 << 40, Resize::Stretch),
        plain(1, 2, 2, Resize::ShorterSide(0)),
        Preprocess::Row { mean: vec![0.0; 2], std: vec![1.0] },
        Preprocess::Row { mean: vec![0.0], std: vec![0.0] },
        Preprocess::Row { mean: vec![f64::NAN], std: vec![1.0] },
    ] {
        assert!(why(&broken, Input::Row(vec![1.0])).starts_with("preprocessing: "), "{broken:?}");
    }
}

#[test]
fn settings_survive_json() {
    for preprocess in [
        plain(3, 4, 5, Resize::ShorterSide(6)),
        plain(1, 4, 5, Resize::Stretch),
        Preprocess::Row { mean: vec![0.25], std: vec![2.0] },
    ] {
        let text = serde_json::to_string(&preprocess).unwrap();
        assert_eq!(serde_json::from_str::<Preprocess>(&text).unwrap(), preprocess, "{text}");
    }
}

#[test]
fn the_window_is_what_the_crop_keeps() {
    let window = |resize, width, height| plain(3, 224, 224, resize).window(width, height).xywh();
    assert_eq!(window(Resize::Stretch, 500, 300), [0.0, 0.0, 500.0, 300.0]);
    // 512 x 256 pixels are kept as they are, and 224 x 224 cut out of their middle.
    assert_eq!(window(Resize::ShorterSide(256), 512, 256), [144.0, 16.0, 224.0, 224.0]);
    assert_eq!(window(Resize::ShorterSide(256), 512, 1024), [32.0, 288.0, 448.0, 448.0]);
}

/// An image that is white inside a box, and black elsewhere.
fn drawn(width: u32, height: u32, bounds: BoundingBox) -> Input {
    let inside = |x: u32, y: u32| {
        (bounds.x1..bounds.x2).contains(&(x as f32)) && (bounds.y1..bounds.y2).contains(&(y as f32))
    };
    grey(width, height, |x, y| if inside(x, y) { 255 } else { 0 })
}

#[test]
fn boxes_move_as_the_pixels_do_and_come_back() {
    let all =
        [Resize::Stretch, Resize::Letterbox, Resize::ShorterSide(40), Resize::ShorterSide(56)];
    let mut seen = 0;
    for resize in all {
        for (width, height, [a, b, c, d]) in [
            (64, 64, [16.0, 24.0, 40.0, 48.0]),
            (120, 63, [50.0, 20.0, 75.0, 41.0]),
            (31, 90, [9.0, 35.0, 23.0, 60.0]),
            (20, 9, [8.0, 3.0, 13.0, 7.0]),
            // Long enough to be trimmed.
            (1500, 10, [740.0, 2.0, 760.0, 8.0]),
        ] {
            let bounds = BoundingBox::new(a, b, c, d);
            let preprocess = plain(1, 40, 48, resize);
            let values = preprocess.apply(&drawn(width, height, bounds)).unwrap();
            // Edges are blurred: of a line of pixels, the middle and the sum tell where they are.
            let line = |at: &dyn Fn(usize) -> usize, count: usize| -> [f32; 2] {
                let share = |i: usize| values[at(i)] / 255.0;
                let sum: f32 = (0..count).map(share).sum();
                let middle = (0..count).map(|i| (i as f32 + 0.5) * share(i)).sum::<f32>() / sum;
                [middle - sum / 2.0, middle + sum / 2.0]
            };
            let transform = preprocess.transform(width, height);
            let moved = transform.bounding_box(&bounds);
            if moved.width() < 2.0 || moved.height() < 2.0 {
                // No pixel is all white, by which the others could be judged.
                continue;
            }
            seen += 1;
            let (x, y) = ((moved.x1 + moved.x2) / 2.0, (moved.y1 + moved.y2) / 2.0);
            let [x1, x2] = line(&|x| y as usize * 48 + x, 48);
            let [y1, y2] = line(&|y| y * 48 + x as usize, 40);
            let found = [x1, y1, x2, y2];
            let clipped = <[f32; 4]>::from(moved.clip(48, 40));
            let near = clipped.iter().zip(found).all(|(a, b)| (a - b).abs() < 0.5);
            assert!(near, "{resize:?} {width} x {height}: {clipped:?}, drawn {found:?}");
            let back = transform.inverse().unwrap().bounding_box(&moved);
            let near =
                <[f32; 4]>::from(back).iter().zip([a, b, c, d]).all(|(a, b)| (a - b).abs() < 1e-3);
            assert!(near, "{back:?}");
        }
    }
    assert_eq!(seen, 18, "the long image is only too thin stretched and in a letterbox");
}

#[test]
fn a_letterbox_keeps_proportions_between_two_black_bars() {
    let values = plain(1, 4, 4, Resize::Letterbox).apply(&grey(8, 4, |_, _| 200)).unwrap();
    let [black, white] = [[0; 4], [200; 4]];
    assert_eq!(rounded(values), [black, white, white, black].concat());
}

#[test]
fn numbers_between_four_pixels_are_torchs() {
    // interpolate(..., mode="bilinear", align_corners=False): no antialiasing.
    let image = grey(4, 2, |x, y| [[10, 20, 40, 80], [20, 40, 80, 160]][y as usize][x as usize]);
    let values = plain(1, 2, 2, Resize::Interpolate).apply(&image).unwrap();
    assert_eq!(rounded(values), [15, 60, 30, 120]);
    let values = plain(1, 1, 8, Resize::Interpolate).apply(&grey(2, 1, |x, _| 80 * x as u8));
    assert_eq!(rounded(values.unwrap()), [0, 0, 10, 30, 50, 70, 80, 80]);
}

#[test]
fn only_what_is_resized_as_bytes_is_shaped_before() {
    let sides = Resize::Sides { shorter: 8, longer: 10, multiple: 4 };
    let cases = [
        (Resize::Stretch, true),
        (Resize::Letterbox, true),
        (Resize::ShorterSide(2), true),
        (Resize::Interpolate, false),
        (sides, false),
    ];
    for (resize, expected) in cases {
        let preprocess = plain(1, 2, 2, resize);
        let shaped = preprocess.shaped(grey(4, 2, |x, _| x as u8)).unwrap();
        assert_eq!(matches!(shaped, Input::Shaped(..)), expected, "{resize:?}");
        assert_eq!(preprocess.shapes(), expected, "{resize:?}");
    }
}

#[test]
fn images_of_different_sizes_share_a_batch() {
    let sides = Resize::Sides { shorter: 8, longer: 10, multiple: 4 };
    let preprocess = plain(1, 12, 12, sides);
    // Twice as large: 8 x 8; as large as the longer side lets it: 10 x 5.
    let (square, wide) = (grey(4, 4, |_, _| 50), grey(8, 4, |_, _| 90));
    assert_eq!(preprocess.transform(4, 4).size(), [8, 8]);
    assert_eq!(preprocess.transform(8, 4).size(), [12, 8]);
    assert_eq!(preprocess.inner([8, 4]), [5, 10]);
    let values = preprocess.apply(&wide).unwrap();
    let row = [[90; 10].as_slice(), &[0; 2]].concat();
    assert_eq!(rounded(values), [row.repeat(5), vec![0; 36]].concat());
    let device = crate::device::open("cpu").unwrap();
    let batch = preprocess.batch(&[&square, &wide], &device).unwrap();
    assert_eq!(batch.dims(), [2, 1, 8, 12]);
    let values: Vec<f32> = batch.into_data().iter::<f32>().collect();
    let row = [[50; 8].as_slice(), &[0; 4]].concat();
    assert_eq!(rounded(values[..96].to_vec()), row.repeat(8));
    assert_eq!(preprocess.transform(8, 4).inverse().unwrap().size(), [8, 4]);
}
