//! Images of noise, by a generator.

use crate::models::network::Generator;
use crate::models::noise::Noise;
use crate::pixels::images;
use burn::module::Module;
use image::DynamicImage;

/// Samples that are made at once.
const BATCH: usize = 250;

/// Images of noise.
pub(crate) fn made(network: &Generator, noise: &Noise) -> Vec<DynamicImage> {
    let device = network.devices().into_iter().next().unwrap_or_default();
    let all = noise.tensor(&device);
    let batch = |first: usize| {
        let count = BATCH.min(noise.len() - first);
        images(network.forward(all.clone().narrow(0, first, count)))
    };
    (0..noise.len()).step_by(BATCH).flat_map(batch).collect()
}
