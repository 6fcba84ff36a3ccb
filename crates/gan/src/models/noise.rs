//! What a generator makes images from: noise, and beside it a class or a code.

use super::config::NoiseConfig;
use burn::tensor::{Device, Tensor, TensorData};
use tenfold_core::data::random::SplitMix64;

/// The inputs of some images.
#[derive(Clone, Debug)]
pub struct Noise {
    /// `[batch, inputs]`, one after the other.
    pub values: Vec<f32>,
    /// The class or the category of each; all 0 where there are none.
    pub labels: Vec<usize>,
    width: usize,
    latent: usize,
    labelled: usize,
}

/// A number of the normal distribution.
fn normal(random: &mut SplitMix64) -> f32 {
    // Box and Muller's: the first number is never 0.
    let radius = (-2.0 * (1.0 - random.unit()).ln()).sqrt();
    radius * (std::f32::consts::TAU * random.unit()).cos()
}

impl Noise {
    /// Those of the images at `places`, each of which follows from the seed and its place alone:
    /// normal noise, a class or category of its own, codes in -1..1.
    pub fn new(config: &NoiseConfig, seed: u64, places: std::ops::Range<u64>) -> Self {
        Self::truncated(config, seed, places, f32::INFINITY)
    }

    /// The same with noise of which no number is farther from 0 than `most` (Brock et al., 2019):
    /// the nearer, the more usual and the more alike the images.
    pub fn truncated(
        config: &NoiseConfig,
        seed: u64,
        places: std::ops::Range<u64>,
        most: f32,
    ) -> Self {
        let labelled = config.classes + config.categories;
        let mut noise = Self {
            values: Vec::new(),
            labels: Vec::new(),
            width: config.inputs(),
            latent: config.latent,
            labelled,
        };
        for place in places {
            let mut random = SplitMix64::keyed(&[seed, place, u64::from_be_bytes(*b"gan seed")]);
            let label = random.below(labelled);
            let mut near = || {
                loop {
                    let number = normal(&mut random);
                    if number.abs() <= most {
                        break number;
                    }
                }
            };
            noise.values.extend((0..config.latent).map(|_| near()));
            noise.values.extend((0..labelled).map(|i| f32::from(u8::from(i == label))));
            noise.values.extend((0..config.codes).map(|_| random.between(-1.0, 1.0)));
            noise.labels.push(label);
        }
        noise
    }

    /// With this class or category for the image at `row`.
    pub fn set_label(&mut self, row: usize, label: usize) {
        let from = row * self.width + self.latent;
        for (i, value) in self.values[from..from + self.labelled].iter_mut().enumerate() {
            *value = f32::from(u8::from(i == label));
        }
        self.labels[row] = label;
    }

    /// With this number in a place of the code of the image at `row`.
    pub fn set_code(&mut self, row: usize, place: usize, value: f32) {
        self.values[row * self.width + self.latent + self.labelled + place] = value;
    }

    /// The image in row `to` gets all that the one in row `from` has.
    pub fn copy_row(&mut self, from: usize, to: usize) {
        let (width, row) = (self.width, from * self.width);
        self.values.copy_within(row..row + width, to * width);
        self.labels[to] = self.labels[from];
    }

    /// How many images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// `[batch, inputs]`.
    pub fn tensor(&self, device: &Device) -> Tensor<2> {
        let data = TensorData::new(self.values.clone(), [self.len(), self.width]);
        Tensor::from_data(data, device)
    }

    /// Classes or categories, one-hot.
    pub fn one_hot(&self, device: &Device) -> Tensor<2> {
        self.tensor(device).narrow(1, self.latent, self.labelled)
    }

    /// The continuous numbers of the code.
    pub fn codes(&self, device: &Device) -> Tensor<2> {
        let from = self.latent + self.labelled;
        self.tensor(device).narrow(1, from, self.width - from)
    }
}

/// Classes of real images, one-hot.
pub fn one_hot(labels: &[usize], classes: usize, device: &Device) -> Tensor<2> {
    let row = |&label: &usize| (0..classes).map(move |i| f32::from(u8::from(i == label)));
    let values: Vec<f32> = labels.iter().flat_map(row).collect();
    Tensor::from_data(TensorData::new(values, [labels.len(), classes]), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_follows_from_seed_and_place_and_is_normal() {
        let config = NoiseConfig { classes: 3, codes: 1, latent: 50, ..NoiseConfig::new(1, 28) };
        let all = Noise::new(&config, 7, 0..200);
        let part = Noise::new(&config, 7, 150..160);
        let width = config.inputs();
        assert_eq!(part.values, all.values[150 * width..160 * width]);
        assert_ne!(part.values, Noise::new(&config, 8, 150..160).values);
        let numbers: Vec<f32> =
            all.values.chunks(width).flat_map(|row| row[..50].to_vec()).collect();
        let mean = numbers.iter().sum::<f32>() / numbers.len() as f32;
        let square = numbers.iter().map(|x| x * x).sum::<f32>() / numbers.len() as f32;
        assert!(mean.abs() < 0.03 && (square - 1.0).abs() < 0.05, "{mean} {square}");
        for label in 0..3 {
            assert!(all.labels.contains(&label));
        }
        let near = Noise::truncated(&config, 7, 0..50, 0.5);
        assert!(near.values.chunks(width).all(|row| row[..50].iter().all(|x| x.abs() <= 0.5)));
        let mut changed = part.clone();
        changed.set_label(2, 1);
        changed.set_code(2, 0, 0.25);
        let row = &changed.values[2 * width..3 * width];
        assert_eq!(row[50..], [0.0, 1.0, 0.0, 0.25]);
    }
}
