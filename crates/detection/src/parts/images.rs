//! Images back from a network's input, for methods that look at pixels.

use burn::tensor::Tensor;
use image::RgbImage;
use rayon::prelude::*;
use tenfold_core::data::Preprocess;

/// `[batch, 3, height, width]`, as `preprocess` normalised them, to images of the same sides.
pub fn of(batch: Tensor<4>, preprocess: &Preprocess) -> Vec<RgbImage> {
    let [_, channels, height, width] = batch.dims();
    let Preprocess::Image { mean, std, .. } = preprocess else { return Vec::new() };
    let values: Vec<f32> = batch.into_data().iter().collect();
    let one = |own: &[f32]| {
        RgbImage::from_fn(width as u32, height as u32, |x, y| {
            let place = y as usize * width + x as usize;
            image::Rgb([0, 1, 2].map(|channel| {
                let value = own[channel * height * width + place] * std[channel] + mean[channel];
                (value * 255.0).round().clamp(0.0, 255.0) as u8
            }))
        })
    };
    values.par_chunks(channels * height * width).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenfold_core::data::{Input, Resize};
    use tenfold_core::device;

    #[test]
    fn an_image_comes_back() {
        let image = RgbImage::from_fn(32, 32, |x, y| image::Rgb([x as u8 * 8, y as u8 * 7, 99]));
        let (mean, std) = (vec![0.4, 0.5, 0.6], vec![0.2, 0.3, 0.4]);
        let resize = Resize::Letterbox;
        let preprocess =
            Preprocess::Image { channels: 3, height: 32, width: 32, resize, mean, std };
        let input = Input::Image(image.clone().into());
        let batch = preprocess.batch(&[&input], &device::open("cpu").unwrap()).unwrap();
        assert_eq!(of(batch, &preprocess), [image]);
    }
}
