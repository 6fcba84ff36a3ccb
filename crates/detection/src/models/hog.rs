//! Histograms of oriented gradients under linear support vector machines, in windows over a
//! pyramid of images.
//!
//! N. Dalal, B. Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR (2005).
//!
//! Differs from the paper:
//! - a window for each of up to two proportions that the boxes of the data have, and for each
//!   class;
//! - cells of 4 pixels where the paper's people have 8; four scales an octave;
//! - of the 36 numbers of a cell the 13 sums over blocks and over directions, as P. Felzenszwalb,
//!   R. Girshick, D. McAllester, D. Ramanan, "Object Detection with Discriminatively Trained
//!   Part-Based Models", PAMI (2010), section 6, for windows are as good with them and faster;
//! - the machines are trained by steps along the gradient of the squared hinge loss, on the
//!   objects and the hardest windows of each image, in place of one round of hard negatives;
//! - a box is its window: nothing is regressed. A score is the logistic function of twice the
//!   margin.

use super::detector::{DetectorConfig, Seen, values};
use super::resnet_fpn::suited;
use crate::detection::Detection;
use crate::parts::anchors::k_means;
use crate::parts::coder::sigmoid;
use crate::parts::images;
use crate::parts::losses::{places, table};
use crate::parts::matcher::{Match, Matcher, Rescue};
use burn::module::Module;
use burn::nn::conv::Conv2dConfig;
use burn::tensor::{Device, Tensor, TensorData};
use image::RgbImage;
use image::imageops::{self, FilterType};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tenfold_core::data::{Object, Preprocess, Resize};
use tenfold_core::geometry::BoundingBox;
use tenfold_core::train::Loss;
use tenfold_kernels::nn::Conv2d;

/// Pixels a side of a cell.
const CELL: usize = 4;
/// Directions of a histogram; a dark edge is as a bright one.
const DIRECTIONS: usize = 9;
/// Blocks of 2 x 2 cells that a cell is normalised with.
const BLOCKS: usize = 4;
/// Numbers of a cell: the sums over blocks, then those over directions.
const NUMBERS: usize = DIRECTIONS + BLOCKS;
/// Numbers of a block are cut here, then brought to unit length once more.
const CUT: f32 = 0.2;
/// Cells of a window.
const CELLS: f32 = 36.0;
/// Proportions.
const WINDOWS: usize = 2;
/// Scales from one image of the pyramid to one of half its sides.
const OCTAVE: f32 = 4.0;
/// Which windows are objects, and which are not.
const MATCHER: Matcher = Matcher { object: 0.6, background: 0.4, rescue: Rescue::Best };
/// Hard windows of an image that a step learns from.
const HARD: usize = 64;
/// Scores of fewer are no candidates.
const LEAST: f32 = 0.05;

/// The choices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HogConfig {
    /// Classes.
    pub classes: usize,
    /// Rows and columns of the input, a multiple of 32.
    pub side: usize,
    /// Columns and rows of each window, in cells.
    pub windows: Vec<[usize; 2]>,
    /// The largest image of the pyramid has so many times the input's sides.
    pub largest: f32,
}

/// The machines: a convolution for each proportion, whose outputs are the classes.
#[derive(Module, Debug)]
pub struct Hog {
    machines: Vec<Conv2d>,
}

/// The cells of an image.
struct Cells {
    rows: usize,
    columns: usize,
    /// `[NUMBERS, rows, columns]`.
    numbers: Vec<f32>,
}

/// The windows of images of one size, in the order of the margins.
struct Windows {
    /// `[batch, windows, classes]`.
    margins: Tensor<3>,
    boxes: Vec<BoundingBox>,
}

impl Cells {
    fn new(image: &RgbImage) -> Self {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let [rows, columns] = [height / CELL, width / CELL];
        let at = |x: usize, y: usize| image.get_pixel(x as u32, y as u32).0.map(f32::from);
        let mut histograms = vec![[0.0; DIRECTIONS]; rows * columns];
        for y in 0..rows * CELL {
            for x in 0..columns * CELL {
                let [left, right] = [at(x.saturating_sub(1), y), at((x + 1).min(width - 1), y)];
                let [above, below] = [at(x, y.saturating_sub(1)), at(x, (y + 1).min(height - 1))];
                // The channel whose gradient is longest.
                let gradients = [0, 1, 2].map(|c| [right[c] - left[c], below[c] - above[c]]);
                let length = |[x, y]: &[f32; 2]| x.hypot(*y);
                let longest = gradients.iter().max_by(|a, b| length(a).total_cmp(&length(b)));
                let Some(own) = longest else { continue };
                let turn = own[1].atan2(own[0]).rem_euclid(std::f32::consts::PI);
                let place = turn / std::f32::consts::PI * DIRECTIONS as f32;
                let (first, part) = (place as usize % DIRECTIONS, place.fract());
                let cell = &mut histograms[y / CELL * columns + x / CELL];
                cell[first] += length(own) * (1.0 - part);
                cell[(first + 1) % DIRECTIONS] += length(own) * part;
            }
        }
        let mut numbers = vec![0.0; NUMBERS * rows * columns];
        let near =
            |at: usize, step: usize, most: usize| (at + step).saturating_sub(1).min(most - 1);
        for row in 0..rows {
            for column in 0..columns {
                for block in 0..BLOCKS {
                    // The cell and three neighbours, towards one corner.
                    let other =
                        [near(row, 2 * (block / 2), rows), near(column, 2 * (block % 2), columns)];
                    let cells = [[row, column], [row, other[1]], [other[0], column], other];
                    let of = |[row, column]: [usize; 2]| &histograms[row * columns + column];
                    let unit = |sum: f32| 1.0 / (sum + 1e-3).sqrt();
                    let all = || cells.iter().flat_map(|&cell| of(cell));
                    let first = unit(all().map(|x| x * x).sum());
                    let cut = |x: &f32| (x * first).min(CUT);
                    let second = unit(all().map(|x| cut(x).powi(2)).sum());
                    let mut add = |number: usize, x: f32| {
                        numbers[(number * rows + row) * columns + column] += x;
                    };
                    for (direction, x) in of([row, column]).iter().enumerate() {
                        add(direction, 0.5 * cut(x) * second);
                        add(DIRECTIONS + block, 0.2357 * cut(x) * second);
                    }
                }
            }
        }
        Self { rows, columns, numbers }
    }
}

impl HogConfig {
    /// The sides of the pyramid's images.
    fn sides(&self) -> Vec<usize> {
        let least = self.windows.iter().flatten().max().copied().unwrap_or(1) * CELL;
        let side = |step: i32| {
            (self.side as f32 * self.largest * 2f32.powf(-step as f32 / OCTAVE)).round() as usize
        };
        (0..).map(side).take_while(|&side| side >= least).collect()
    }

    /// The windows of images.
    fn windows_of(&self, network: &Hog, images: Tensor<4>) -> Windows {
        let device = images.device();
        let images = images::of(images.detach(), &self.preprocess());
        let (mut all, mut boxes) = (Vec::new(), Vec::new());
        for side in self.sides() {
            let resized = |image: &RgbImage| {
                let (filter, side) = (FilterType::Triangle, side as u32);
                Cells::new(&imageops::resize(image, side, side, filter))
            };
            let cells: Vec<Cells> = images.par_iter().map(resized).collect();
            let Some(&Cells { rows, columns, .. }) = cells.first() else { break };
            let numbers = cells.into_iter().flat_map(|own| own.numbers).collect();
            let shape = [images.len(), NUMBERS, rows, columns];
            let maps = Tensor::<4>::from_data(TensorData::new(numbers, shape), &device);
            let pixels = (CELL * self.side) as f32 / side as f32;
            for (machine, [across, down]) in network.machines.iter().zip(&self.windows) {
                let margins = machine.forward(maps.clone()); // [batch, classes, rows, columns]
                let [batch, classes, rows, columns] = margins.dims();
                all.push(margins.reshape([batch, classes, rows * columns]));
                boxes.extend((0..rows * columns).map(|at| {
                    let (x, y) = ((at % columns) as f32, (at / columns) as f32);
                    let corners = [x, y, x + *across as f32, y + *down as f32];
                    BoundingBox::from(corners.map(|cells| cells * pixels))
                }));
            }
        }
        Windows { margins: Tensor::cat(all, 2).swap_dims(1, 2), boxes }
    }
}

impl DetectorConfig for HogConfig {
    type Network = Hog;

    const FIXED: &'static [&'static str] = &["classes", "windows"];

    fn meaning(field: &str) -> &'static str {
        match field {
            "side" => "rows and columns of the input, a multiple of 32",
            "largest" => "the largest image of the pyramid, in sides of the input, 1 to 4",
            _ => "",
        }
    }

    fn new(seen: &Seen) -> Self {
        let (side, _) = suited(seen, 4, 16.0);
        let proportions = k_means(&seen.sides, WINDOWS, seen.seed);
        let window = |[width, height]: [f32; 2]| {
            let ratio = (width / height.max(1e-6)).clamp(0.25, 4.0).sqrt();
            [CELLS.sqrt() * ratio, CELLS.sqrt() / ratio].map(|cells| cells.round() as usize)
        };
        let mut windows: Vec<[usize; 2]> = proportions.into_iter().map(window).collect();
        windows.sort_unstable();
        windows.dedup();
        // So that the smallest objects fill a window.
        let mut sides: Vec<f32> = seen.sides.iter().map(|[w, h]| (w * h).sqrt()).collect();
        sides.sort_by(f32::total_cmp);
        let small = sides.get(sides.len() / 20).copied().unwrap_or(1.0) * side as f32;
        let largest = (CELLS.sqrt() * CELL as f32 / small.max(1.0)).clamp(1.0, 4.0);
        Self { classes: seen.classes, side, windows, largest }
    }

    fn check(&self) -> Result<(), String> {
        let Self { side, windows, largest, .. } = self;
        if *side == 0 || !side.is_multiple_of(32) || *side > 4096 {
            return Err(format!("side={side}: expected a multiple of 32, 4096 at most"));
        }
        if !(1.0..=4.0).contains(largest) {
            return Err(format!("largest={largest}: expected 1 to 4"));
        }
        let fits = |cells: &usize| (1..=side / CELL).contains(cells);
        match !windows.is_empty() && windows.iter().flatten().all(fits) {
            true => Ok(()),
            false => Err(format!("windows={windows:?}: expected 1 to {} cells", side / CELL)),
        }
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn init(&self, device: &Device) -> Hog {
        let machine = |[columns, rows]: &[usize; 2]| -> Conv2d {
            Conv2dConfig::new([NUMBERS, self.classes], [*rows, *columns]).init(device).into()
        };
        Hog { machines: self.windows.iter().map(machine).collect() }
    }

    fn preprocess(&self) -> Preprocess {
        let (mean, std) = (vec![0.0; 3], vec![1.0; 3]);
        let resize = Resize::Letterbox;
        Preprocess::Image { channels: 3, height: self.side, width: self.side, resize, mean, std }
    }

    fn loss(&self, network: &Hog, images: Tensor<4>, truth: &[Vec<Object>]) -> Loss {
        let (device, count) = (images.device(), truth.len());
        let Windows { margins, boxes: windows } = self.windows_of(network, images);
        let said = values(margins.clone().detach());
        let numbers = windows.len() * self.classes;
        let one = |(said, objects): (&[f32], &Vec<Object>)| {
            let boxes: Vec<BoundingBox> = objects.iter().map(|own| own.bounding_box).collect();
            let matches = MATCHER.apply(&windows, &boxes);
            // The machines of windows that show their class, and the others, which should say no.
            let (mut objects_of, mut others) = (Vec::new(), Vec::new());
            for (window, own) in matches.iter().enumerate() {
                let label = match own {
                    Match::Object(object) => Some(objects[*object].label),
                    Match::Background => None,
                    Match::Ignored => continue,
                };
                for class in 0..self.classes {
                    let place = window * self.classes + class;
                    match label == Some(class) {
                        true => objects_of.push(place),
                        false => others.push(place),
                    }
                }
            }
            let most = HARD.max(3 * objects_of.len());
            if most < others.len() {
                others.select_nth_unstable_by(most, |&a, &b| said[b].total_cmp(&said[a]));
                others.truncate(most);
                others.sort_unstable();
            }
            (objects_of, others)
        };
        let learnt: Vec<_> = said.par_chunks(numbers).zip(truth).map(one).collect();
        let (mut chosen, mut wanted, mut shares) = (Vec::new(), Vec::new(), Vec::new());
        for (image, (objects, others)) in learnt.into_iter().enumerate() {
            let share = 1.0 / ((objects.len() + others.len()).max(1) * count) as f32;
            for (places, sign) in [(objects, 1.0), (others, -1.0)] {
                wanted.extend(places.iter().map(|_| sign));
                shares.extend(places.iter().map(|_| share));
                chosen.extend(places.into_iter().map(|place| image * numbers + place));
            }
        }
        let rows = chosen.len();
        let all = margins.reshape([count * numbers]);
        let said = all.select(0, places(chosen, &device)).reshape([rows, 1]);
        let column = |values| table(values, 1, &device);
        let hinge = ((said * column(wanted)).neg() + 1.0).clamp_min(0.0);
        Loss::new((hinge.square() * column(shares)).sum(), count)
    }

    fn detect(&self, network: &Hog, images: Tensor<4>, _: &[[usize; 2]]) -> Vec<Vec<Detection>> {
        let Windows { margins, boxes } = self.windows_of(network, images);
        let found = |margins: &[f32]| {
            let scores = margins.iter().map(|margin| sigmoid(2.0 * margin)).enumerate();
            let one = |(place, score): (usize, f32)| Detection {
                label: place % self.classes,
                score,
                bounding_box: boxes[place / self.classes],
            };
            scores.filter(|(_, score)| *score > LEAST).map(one).collect()
        };
        values(margins).par_chunks(boxes.len() * self.classes).map(found).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::device;

    #[test]
    fn a_cell_knows_the_direction_of_an_edge_and_not_its_strength() {
        let edge = |bright: u8, turned: bool| {
            Cells::new(&RgbImage::from_fn(32, 32, |x, y| {
                image::Rgb([if (if turned { y } else { x }) < 16 { 10 } else { bright }; 3])
            }))
        };
        let strongest = |own: &Cells| {
            let at = |direction: usize| own.numbers[(direction * own.rows + 4) * own.columns + 4];
            (0..DIRECTIONS).max_by(|&a, &b| at(a).total_cmp(&at(b))).unwrap()
        };
        let (weak, strong, turned) = (edge(60, false), edge(250, false), edge(250, true));
        assert_eq!((weak.rows, weak.columns), (8, 8));
        // A right angle lies between the fifth direction and the sixth.
        assert!(strongest(&weak) == 0 && [4, 5].contains(&strongest(&turned)));
        let gap = weak.numbers.iter().zip(&strong.numbers).map(|(a, b)| (a - b).abs());
        assert!(gap.fold(0.0, f32::max) < 1e-2);
        assert!(strong.numbers.iter().all(|x| (0.0..=2.0).contains(x)));
    }

    #[test]
    fn windows_lie_where_their_margins_are() {
        let device = device::open("cpu").unwrap();
        let seen = Seen { image: [64; 2], sides: vec![[0.4, 0.4]; 9], ..Seen::example(2, 1) };
        let config = HogConfig::new(&seen);
        config.check().unwrap();
        assert_eq!(config.windows, [[6, 6]]);
        let network = config.init(&device);
        let own = config.windows_of(&network, Tensor::zeros([2, 3, 64, 64], &device));
        assert_eq!(own.margins.dims(), [2, own.boxes.len(), 2]);
        for one in &own.boxes {
            assert!(one.x2 <= 64.5 && one.y2 <= 64.5 && (one.width() - one.height()).abs() < 1e-3);
        }
        let widths: Vec<f32> = own.boxes.iter().map(BoundingBox::width).collect();
        assert!(widths[0] < 30.0 && *widths.last().unwrap() > 50.0);
        let none = config.loss(&network, Tensor::zeros([2, 3, 64, 64], &device), &[vec![], vec![]]);
        assert!(values(none.total)[0].is_finite());
        assert!(HogConfig { windows: vec![[40, 2]], ..config }.check().is_err());
    }
}
