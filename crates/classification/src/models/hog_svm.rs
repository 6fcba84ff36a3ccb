//! Histograms of oriented gradients under a linear support vector machine.
//!
//! N. Dalal and B. Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR (2005).
//! The machine is fitted by dual coordinate descent: C.-J. Hsieh et al., "A Dual Coordinate
//! Descent Method for Large-scale Linear SVM", ICML (2008), which is LIBLINEAR.
//!
//! Differs from the paper: cells of 4 pixels where it has 8, for its people are larger than
//! our digits; Sobel's gradients where it has (-1, 0, 1) and blocks of unit length that are
//! not clipped, as imageproc computes them; several classes, each against the rest, with
//! squared hinge loss; margins become probabilities by a softmax whose sharpness is measured
//! on the validation examples (Guo et al. 2017).
//!
//! The solvers of linfa-svm and smartcore work on pairs of examples, and their time grows with
//! the square of the number of examples: good for thousands with a kernel, not for 60,000 in
//! 1,296 dimensions, which this one solves in seconds without a learning rate.

use super::checks::{check_widths, numbers};
use super::infer::shape;
use super::input::{Sizes, Takes};
use super::network::{Fields, Fit, Matrix, ModelConfig, Network};
use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData};
use image::GrayImage;
use imageproc::hog::{HogOptions, HogSpec, hog};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tenfold_core::data::random::SplitMix64;
use tenfold_core::data::{Preprocess, Resize};

/// The longest side of an image, in pixels.
const LARGEST: usize = 64;
/// Passes over the examples at most; a hundred are rarely needed.
const MOST_PASSES: usize = 300;
/// Done when the largest violation of the optimum is below this, LIBLINEAR's choice.
const TOLERANCE: f32 = 0.1;

/// The choices of [`HogSvm`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HogSvmConfig {
    /// `[1, height, width]`.
    pub input: [usize; 3],
    /// How many classes.
    pub classes: usize,
    /// Directions that a histogram tells apart.
    pub orientations: usize,
    /// Whether a dark-to-bright edge is another than a bright-to-dark one.
    pub signed: bool,
    /// Pixels a side of a cell, which has one histogram.
    pub cell: usize,
    /// Cells a side of a block, which is brought to unit length.
    pub block: usize,
    /// What an error costs against wide margins, the C of the literature.
    pub c: f64,
}

impl HogSvmConfig {
    /// The default choices for images of shape `[1, height, width]`.
    pub fn new(input: [usize; 3], classes: usize) -> Self {
        Self { input, classes, orientations: 9, signed: false, cell: 4, block: 2, c: 1.0 }
    }

    fn options(&self) -> HogOptions {
        HogOptions::new(self.orientations, self.signed, self.cell, self.block, 1)
    }

    /// How many numbers describe an image.
    fn features(&self) -> Result<usize, String> {
        let [_, height, width] = self.input;
        let cells = height.min(width) / self.cell.max(1);
        if self.cell == 0 || self.block == 0 || self.block > cells {
            return Err(format!(
                "block: {} cells of {} pixels; expected 1 to what an image of {width} x {height} holds",
                self.block, self.cell
            ));
        }
        HogSpec::from_options(width as u32, height as u32, self.options())
            .map(|spec| spec.descriptor_length())
            .map_err(|why| format!("cell: {why}"))
    }
}

impl ModelConfig for HogSvmConfig {
    type Network = HogSvm;

    const TAKES: Takes = Takes::Cells(LARGEST);
    const FIELDS: Fields = &[
        ("orientations", "orientation bins of a histogram"),
        ("signed", "signed gradients: dark-to-bright and bright-to-dark edges differ"),
        ("cell", "width and height of a cell in pixels; one histogram per cell"),
        ("block", "width and height of a block in cells; blocks are normalised"),
        ("c", "cost of an error, the C of a support vector machine"),
    ];

    fn members() -> Vec<Self> {
        vec![Self::new([1, 28, 28], 10)]
    }

    fn sizes(&self) -> Sizes {
        Sizes::new(self.input, self.classes)
    }

    fn check(&self) -> Result<(), String> {
        let [channels, height, width] = self.input;
        if channels != 1 || !(1..=LARGEST).contains(&height) || !(1..=LARGEST).contains(&width) {
            let input = self.input;
            return Err(format!("input: {input:?}; expected [1, height, width] up to {LARGEST}"));
        }
        if !(1..=360).contains(&self.orientations) {
            return Err(format!("orientations: {}; expected 1 to 360", self.orientations));
        }
        if !(self.c > 0.0 && self.c.is_finite()) {
            return Err(format!("c: {}; expected a number above 0", self.c));
        }
        check_widths("classes", &[self.features()?, self.classes])
    }

    fn preprocess(&self) -> Option<Preprocess> {
        let [channels, height, width] = self.input;
        let (resize, mean, std) = (Resize::Stretch, vec![0.0], vec![1.0]);
        Some(Preprocess::Image { channels, height, width, resize, mean, std })
    }

    fn infer(&self, keys: &[(String, Vec<usize>)]) -> Option<Self> {
        let &[classes, features] = shape(keys, "output.weight")? else { return None };
        shape(keys, "sharpness")?;
        let square = |side: usize| Self::new([1, side, side], classes);
        let fits = |config: &Self| config.features() == Ok(features);
        (8..=LARGEST).step_by(4).map(square).find(fits)
    }

    fn fit(&self) -> Option<Fit<Self>> {
        Some(|config, train, validation, _, device| {
            let train = config.described(train);
            let machines = solve(&train, config.classes, config.c as f32, TOLERANCE);
            let mut network = config.init(device);
            let (features, classes) = (train.width, config.classes);
            // Burn's layout: [in, out].
            let weight = (0..features).flat_map(|i| machines.iter().map(move |w| w[i])).collect();
            let bias = machines.iter().map(|w| w[features]).collect();
            let weight = TensorData::new::<f32, _>(weight, [features, classes]);
            network.output.weight = Param::from_data(weight, device);
            network.output.bias =
                Some(Param::from_data(TensorData::new::<f32, _>(bias, [classes]), device));
            let sharpness = sharpness(&config.described(validation), &machines);
            network.sharpness = Param::from_data([sharpness], device);
            Ok(network)
        })
    }

    fn init(&self, device: &Device) -> HogSvm {
        let features = self.features().unwrap_or_default();
        HogSvm {
            output: LinearConfig::new(features, self.classes).init(device),
            sharpness: Param::from_data([1.0f32], device),
            config: self.clone(),
        }
    }
}

impl HogSvmConfig {
    /// The examples' histograms; images come on the scale 0..1.
    fn described(&self, examples: &Matrix) -> Matrix {
        let inputs: Vec<f32> = examples
            .inputs
            .par_chunks(examples.width.max(1))
            .flat_map_iter(|pixels| self.histograms(pixels))
            .collect();
        let width = self.features().unwrap_or_default();
        Matrix { inputs, width, targets: examples.targets.clone() }
    }

    fn histograms(&self, pixels: &[f32]) -> Vec<f32> {
        let [_, height, width] = self.input;
        let bytes = pixels.iter().map(|&x| (x * 255.0).round() as u8).collect();
        // Sizes and options were checked, so that neither step can fail.
        let image = GrayImage::from_raw(width as u32, height as u32, bytes).unwrap_or_default();
        hog(&image, self.options()).unwrap_or_default()
    }
}

/// A linear machine for each class on the histograms of an image.
#[derive(Module, Debug)]
pub struct HogSvm {
    /// histograms to margins, one for each class.
    pub output: Linear,
    /// `[1]`: what margins are multiplied with before the softmax.
    pub sharpness: Param<Tensor<1>>,
    #[module(skip)]
    config: HogSvmConfig,
}

impl Network for HogSvm {
    type Config = HogSvmConfig;

    /// Pixels `[batch, numbers]` on the scale 0..1 to `[batch, classes]`. The histograms carry
    /// no gradient.
    fn head(&self, inputs: Tensor<2>) -> Tensor<2> {
        let (device, batch) = (inputs.device(), inputs.dims()[0]);
        let inputs = inputs.into_data().convert::<f32>().try_into_vec().unwrap_or_default();
        let images = Matrix { inputs, width: numbers(self.config.input), targets: Vec::new() };
        let Matrix { inputs, width, .. } = self.config.described(&images);
        let histograms = Tensor::<2>::from_data(TensorData::new(inputs, [batch, width]), &device);
        self.output.forward(histograms) * self.sharpness.val().unsqueeze() // [batch, classes]
    }
}

/// For each class the weights, and last the bias, of the machine that tells it from the rest:
/// the minimum of `|w|^2 / 2 + C sum max(0, 1 - y w x)^2`, the bias being the weight of an
/// input that is always 1. Done when no example is further from the optimum than `tolerance`.
fn solve(examples: &Matrix, classes: usize, c: f32, tolerance: f32) -> Vec<Vec<f32>> {
    let squares: Vec<f32> = examples.rows().map(|x| dot(x, x) + 1.0).collect();
    (0..classes)
        .into_par_iter()
        .map(|class| machine(examples, &squares, class, c, tolerance))
        .collect()
}

fn machine(examples: &Matrix, squares: &[f32], class: usize, c: f32, tolerance: f32) -> Vec<f32> {
    let (width, softness) = (examples.width, 0.5 / c);
    let mut weights = vec![0.0f32; width + 1];
    let mut alphas = vec![0.0f32; examples.len()];
    let mut order: Vec<usize> = (0..examples.len()).collect();
    let mut active = order.len();
    let mut limit = f32::INFINITY;
    for pass in 0..MOST_PASSES {
        SplitMix64::keyed(&[class as u64, pass as u64]).shuffle(&mut order[..active]);
        let (mut highest, mut lowest) = (f32::NEG_INFINITY, f32::INFINITY);
        let mut place = 0;
        while place < active {
            let i = order[place];
            let x = &examples.inputs[i * width..][..width];
            let y = if examples.targets[i] as usize == class { 1.0 } else { -1.0 };
            let margin = y * (dot(&weights[..width], x) + weights[width]);
            let gradient = margin - 1.0 + softness * alphas[i];
            // An example far outside the margin stays there: it is left out for now.
            if alphas[i] == 0.0 && gradient > limit {
                active -= 1;
                order.swap(place, active);
                continue;
            }
            place += 1;
            let projected = if alphas[i] == 0.0 { gradient.min(0.0) } else { gradient };
            (highest, lowest) = (highest.max(projected), lowest.min(projected));
            if projected != 0.0 {
                let old = alphas[i];
                alphas[i] = (old - gradient / (squares[i] + softness)).max(0.0);
                let step = (alphas[i] - old) * y;
                weights[..width].iter_mut().zip(x).for_each(|(w, x)| *w += step * x);
                weights[width] += step;
            }
        }
        if highest - lowest <= tolerance {
            if active == order.len() {
                break;
            }
            // The optimum of those that are left: now see whether the others agree.
            (active, limit) = (order.len(), f32::INFINITY);
        } else {
            limit = if highest > 0.0 { highest } else { f32::INFINITY };
        }
    }
    weights
}

/// In sixteen sums at once, which the processor adds side by side.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 16];
    let (a, b) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest: f32 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a.zip(b) {
        (0..16).for_each(|i| sums[i] += a[i] * b[i]);
    }
    sums.iter().sum::<f32>() + rest
}

/// What the margins are to be multiplied with for the highest likelihood of these examples.
fn sharpness(examples: &Matrix, machines: &[Vec<f32>]) -> f32 {
    let width = examples.width;
    let margins: Vec<Vec<f32>> = examples
        .rows()
        .map(|x| machines.iter().map(|w| dot(&w[..width], x) + w[width]).collect())
        .collect();
    let loss = |log: f32| -> f64 {
        let losses = margins.iter().zip(&examples.targets).map(|(margins, &class)| {
            let scaled = margins.iter().map(|margin| f64::from(margin * log.exp()));
            let own = f64::from(margins[class as usize] * log.exp());
            scaled.map(|other| (other - own).exp()).sum::<f64>().ln()
        });
        losses.sum()
    };
    // The loss has one minimum: a third of the interval that cannot hold it is cut off.
    let (mut low, mut high) = (-4.0f32, 5.0);
    for _ in 0..40 {
        let third = (high - low) / 3.0;
        match loss(low + third) < loss(high - third) {
            true => high -= third,
            false => low += third,
        }
    }
    f32::midpoint(low, high).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::device;

    #[test]
    fn the_widest_margin_between_two_points() {
        // One example each side: w = (1, 0) has margin 1 for both; the bias is 0 by symmetry.
        let examples =
            Matrix { inputs: vec![1.0, 0.0, -1.0, 0.0], width: 2, targets: vec![1.0, 0.0] };
        let machines = solve(&examples, 2, 1e6, 1e-4);
        for (found, expected) in machines[1].iter().zip([1.0, 0.0, 0.0]) {
            assert!((found - expected).abs() < 1e-3, "{machines:?}");
        }
        assert!(machines[0].iter().zip(&machines[1]).all(|(a, b)| (a + b).abs() < 1e-3));
        // A soft margin by hand: the minimum of w^2 / 2 + 2 C (1 - w)^2 is w = 4 C / (1 + 4 C).
        let soft = solve(&examples, 2, 0.25, 1e-4);
        assert!((soft[1][0] - 0.5).abs() < 1e-3, "{soft:?}");
    }

    #[test]
    fn machines_agree_with_liblinear() {
        let text = include_str!("../../../../tests/golden/svm/expected.json");
        let expected: serde_json::Value = serde_json::from_str(text).unwrap();
        let (count, width) = (60usize, 5);
        let x = |i: usize, j: usize| {
            let (i, j) = (i as f64, j as f64);
            (1.0 + 0.7 * i + 1.3 * j + 0.11 * i * j).sin() as f32
        };
        let inputs: Vec<f32> = (0..count * width).map(|k| x(k / width, k % width)).collect();
        let largest =
            |i: usize| (0..3).max_by(|&a, &b| x(i, a).powi(2).total_cmp(&x(i, b).powi(2)));
        let targets = (0..count).map(|i| largest(i).unwrap() as f32).collect();
        let examples = Matrix { inputs, width, targets };
        let machines = solve(&examples, 3, expected["c"].as_f64().unwrap() as f32, 1e-5);
        for (own, theirs) in machines.iter().zip(expected["machines"].as_array().unwrap()) {
            for (own, theirs) in own.iter().zip(theirs.as_array().unwrap()) {
                let theirs = theirs.as_f64().unwrap() as f32;
                assert!((own - theirs).abs() < 1e-4, "{own} is not {theirs}");
            }
        }
    }

    #[test]
    fn sharpness_makes_probabilities_honest() {
        // The margin of class 1 is +1 or -1, and it is right in three of four: p = 3/4 asks for
        // exp(s) / (exp(s) + exp(-s)) = 3/4, s = ln(3) / 2.
        let examples = Matrix { inputs: vec![1.0; 4], width: 1, targets: vec![1.0, 1.0, 1.0, 0.0] };
        let found = sharpness(&examples, &[vec![-1.0, 0.0], vec![1.0, 0.0]]);
        assert!((found - 3f32.ln() / 2.0).abs() < 1e-3, "{found}");
    }

    #[test]
    fn a_digit_is_described_by_1296_numbers() {
        let config = HogSvmConfig::new([1, 28, 28], 10);
        assert_eq!(config.features(), Ok(1296));
        let device = device::open("cpu").unwrap();
        let logits = config.init(&device).forward(Tensor::zeros([3, 1, 28, 28], &device));
        assert_eq!(logits.dims(), [3, 10]);
        let keys = vec![("output.weight".into(), vec![10, 1296]), ("sharpness".into(), vec![1])];
        assert_eq!(HogSvmConfig::new([1, 8, 8], 2).infer(&keys), Some(config));
    }

    #[test]
    fn cells_that_do_not_fit_are_refused() {
        let config = HogSvmConfig::new([1, 28, 28], 10);
        for (cell, block) in [(0, 2), (5, 2), (4, 0), (4, 8), (99, 1)] {
            assert!(HogSvmConfig { cell, block, ..config.clone() }.check().is_err());
        }
        assert!(HogSvmConfig { orientations: 0, ..config.clone() }.check().is_err());
        assert!(HogSvmConfig { c: 0.0, ..config }.check().is_err());
    }
}
