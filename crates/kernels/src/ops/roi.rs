//! Regions of interest brought to one size. Regions are known on the host, where suppression has
//! chosen them, and no gradient goes to their corners, as in torchvision.
//!
//! Where ours cannot reach, the weighted sums are products with matrices of the weights, and
//! maxima are gathered from places that the host has found.

use crate::raw::roi::{self, Align, Maps, Region, Sizes};
use burn::tensor::{Int, Tensor, TensorData};

pub use crate::raw::roi::Roi;

/// How [`roi_align`] samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RoiAlign {
    /// Height and width of what comes out.
    pub output: [usize; 2],
    /// Pixels of the map for a pixel of the image.
    pub scale: f32,
    /// Samples along each axis of a place of the output; with 0 about one for each pixel of the
    /// map.
    pub samples: usize,
    /// Whether half a pixel is taken off; else regions are a pixel wide and high at least.
    pub aligned: bool,
}

/// Means of bilinear samples (He et al., "Mask R-CNN", ICCV 2017): maps
/// `[batch, channels, height, width]` to `[regions, channels, output height, output width]`.
/// Equal to `torchvision.ops.roi_align`, whose adaptive `sampling_ratio` is 0 here.
///
/// # Panics
/// Where a region's image is beyond the batch, or the output has no place.
pub fn roi_align(x: Tensor<4>, rois: &[Roi], options: RoiAlign) -> Tensor<4> {
    let RoiAlign { output, scale, samples, aligned } = options;
    let maps = maps(&x, rois, output, false);
    let regions = Align { scale, samples, aligned }.regions(rois, &maps);
    sums(x, maps, regions)
}

/// Means of the pixels of each place, which has channels of its own (Dai et al., "R-FCN", NIPS
/// 2016): maps `[batch, channels * output height * output width, height, width]` to
/// `[regions, channels, output height, output width]`. Equal to `torchvision.ops.ps_roi_pool`.
///
/// # Panics
/// As [`roi_align`], and where the channels are no multiple of the output's places.
pub fn ps_roi_pool(x: Tensor<4>, rois: &[Roi], output: [usize; 2], scale: f32) -> Tensor<4> {
    let maps = maps(&x, rois, output, true);
    sums(x, maps, roi::position_sensitive(rois, scale, &maps))
}

/// Maxima of the pixels of each place (Girshick, "Fast R-CNN", ICCV 2015): shapes as in
/// [`roi_align`]; 0 where a region has no pixel. Equal to `torchvision.ops.roi_pool`.
///
/// # Panics
/// As [`roi_align`].
pub fn roi_pool(x: Tensor<4>, rois: &[Roi], output: [usize; 2], scale: f32) -> Tensor<4> {
    let maps = maps(&x, rois, output, false);
    if rois.is_empty() || maps.channels == 0 || maps.size.contains(&0) {
        return nothing(&x, &maps, rois.len());
    }
    #[cfg(feature = "flex")]
    let x = match fast::maxima(x, maps, rois, scale) {
        Ok(y) => return y,
        Err(x) => x,
    };
    gathered(x, &maps, rois, scale)
}

fn maps(x: &Tensor<4>, rois: &[Roi], output: [usize; 2], sensitive: bool) -> Maps {
    let [batch, channels, height, width] = x.dims();
    let places = output[0] * output[1];
    assert!(places > 0, "the output {output:?} has no place");
    let beyond = rois.iter().find(|roi| roi.image >= batch);
    assert!(beyond.is_none(), "{beyond:?}: its image is beyond the batch of {batch}");
    assert!(
        !sensitive || channels.is_multiple_of(places),
        "{channels} channels; expected a multiple of {places}, the output's places"
    );
    let sizes = Sizes { batch, channels, size: [height, width], output, sensitive };
    Maps::new(sizes).expect("maps and an output that memory holds")
}

fn nothing(x: &Tensor<4>, maps: &Maps, regions: usize) -> Tensor<4> {
    let [height, width] = maps.output;
    Tensor::zeros([regions, maps.outputs(), height, width], (&x.device(), x.dtype()))
}

fn sums(x: Tensor<4>, maps: Maps, regions: Vec<Region>) -> Tensor<4> {
    if regions.is_empty() || maps.channels == 0 || maps.size.contains(&0) {
        return nothing(&x, &maps, regions.len());
    }
    #[cfg(feature = "flex")]
    let (x, regions) = match fast::sums(x, maps, regions) {
        Ok(y) => return y,
        Err(operands) => operands,
    };
    products(x, &maps, &regions)
}

/// Regions of one image that are multiplied at once.
const AT_ONCE: usize = 16;

/// The sums as products of matrices: rows of the output from rows of the map, then columns.
fn products(x: Tensor<4>, maps: &Maps, regions: &[Region]) -> Tensor<4> {
    let Sizes { channels, size: [height, width], output: [rows, columns], .. } = **maps;
    let (device, dtype) = (x.device(), x.dtype());
    let dense = |axes: Vec<&Vec<Vec<(usize, f32)>>>, size: usize| {
        let count = axes.len();
        let places = axes[0].len();
        let mut weights = vec![0f32; count * places * size];
        for (place, taps) in axes.into_iter().flatten().enumerate() {
            for &(at, weight) in taps {
                weights[place * size + at] = weight;
            }
        }
        let data = TensorData::new(weights, [count, places, size]);
        Tensor::<3>::from_data(data, &device).cast(dtype)
    };
    let same = regions.chunk_by(|a, b| a.image == b.image);
    let parts = same.flat_map(|same| same.chunks(AT_ONCE)).map(|part| {
        let count = part.len();
        let map = x.clone().narrow(0, part[0].image, 1).reshape([channels, height, width]);
        let map = map.permute([1, 0, 2]).reshape([height, channels * width]);
        let by_rows = dense(part.iter().map(|region| &region.rows).collect(), height);
        let half = by_rows.reshape([count * rows, height]).matmul(map);
        let half = half.reshape([count, rows * channels, width]);
        let by_columns = dense(part.iter().map(|region| &region.columns).collect(), width);
        let whole = half.matmul(by_columns.swap_dims(1, 2)); // [count, rows * channels, columns]
        whole.reshape([count, rows, channels, columns]).swap_dims(1, 2)
    });
    let all = Tensor::cat(parts.collect(), 0); // [regions, channels, rows, columns]
    if !maps.sensitive {
        return all;
    }
    let (count, places) = (regions.len(), rows * columns);
    let own = Tensor::<2>::eye(places, &device).cast(dtype).reshape([1, 1, places, places]);
    let all = all.reshape([count, maps.outputs(), places, places]) * own;
    all.sum_dim(3).reshape([count, maps.outputs(), rows, columns])
}

/// The maxima, gathered.
fn gathered(x: Tensor<4>, maps: &Maps, rois: &[Roi], scale: f32) -> Tensor<4> {
    let Sizes { batch, channels, size: [height, width], output: [rows, columns], .. } = **maps;
    let device = x.device();
    let last = x.clone().detach().permute([0, 2, 3, 1]);
    let values: Vec<f32> = last.into_data().iter::<f32>().collect();
    let (_, places) = roi::max_forward(maps, rois, scale, &values);
    let count = places.len();
    let own = |(at, &place): (usize, &u32)| {
        let (region, channel) = (at / (rows * columns * channels), at % channels);
        let pixel = if place == roi::NOWHERE { 0 } else { place as usize };
        ((rois[region].image * channels + channel) * height * width + pixel) as i64
    };
    let from: Vec<i64> = places.iter().enumerate().map(own).collect();
    let there: Vec<f32> =
        places.iter().map(|&place| f32::from(u8::from(place != roi::NOWHERE))).collect();
    let from = Tensor::<1, Int>::from_data(TensorData::new(from, [count]), &device);
    let there = Tensor::<1>::from_data(TensorData::new(there, [count]), &device).cast(x.dtype());
    let all = x.reshape([batch * channels * height * width]).select(0, from) * there;
    all.reshape([rois.len(), rows, columns, channels]).permute([0, 3, 1, 2])
}

#[cfg(feature = "flex")]
mod fast {
    use super::*;
    use crate::route::{self, Operand, Operator};
    use burn_flex::FlexTensor;
    use std::sync::Arc;

    type Refused = (Tensor<4>, Vec<Region>);

    pub(super) fn sums(
        x: Tensor<4>,
        maps: Maps,
        regions: Vec<Region>,
    ) -> Result<Tensor<4>, Refused> {
        let operands = [Operand::new(x.clone())];
        if !route::reaches(&operands) {
            return Err((x, regions));
        }
        drop(x);
        Ok(route::apply(Sums { maps, regions: regions.into() }, operands))
    }

    pub(super) fn maxima(
        x: Tensor<4>,
        maps: Maps,
        rois: &[Roi],
        scale: f32,
    ) -> Result<Tensor<4>, Tensor<4>> {
        let operands = [Operand::new(x.clone())];
        if !route::reaches(&operands) {
            return Err(x);
        }
        drop(x);
        Ok(route::apply(Maxima { maps, rois: rois.into(), scale }, operands))
    }

    fn out(y: Vec<f32>, maps: &Maps, regions: usize) -> FlexTensor {
        let [height, width] = maps.output;
        route::channels_last(y, [regions, maps.outputs(), height, width])
    }

    fn input(dx: Vec<f32>, maps: &Maps) -> FlexTensor {
        let [height, width] = maps.size;
        route::channels_last(dx, [maps.batch, maps.channels, height, width])
    }

    #[derive(Clone, Debug)]
    struct Sums {
        maps: Maps,
        regions: Arc<[Region]>,
    }

    impl Operator<1> for Sums {
        type Saved = ();

        fn forward(&self, [x]: [FlexTensor; 1]) -> (FlexTensor, ()) {
            let x = route::to_channels_last(x);
            let y = roi::forward(&self.maps, &self.regions, route::slice(&x));
            (out(y, &self.maps, self.regions.len()), ())
        }

        fn backward(&self, (): (), gradient: FlexTensor, _: [bool; 1]) -> [Option<FlexTensor>; 1] {
            let gradient = route::to_channels_last(gradient);
            let dx = roi::backward(&self.maps, &self.regions, route::slice(&gradient));
            [Some(input(dx, &self.maps))]
        }
    }

    #[derive(Clone, Debug)]
    struct Maxima {
        maps: Maps,
        rois: Arc<[Roi]>,
        scale: f32,
    }

    impl Operator<1> for Maxima {
        /// The pixel of each maximum.
        type Saved = Vec<u32>;

        fn forward(&self, [x]: [FlexTensor; 1]) -> (FlexTensor, Vec<u32>) {
            let x = route::to_channels_last(x);
            let (y, places) =
                roi::max_forward(&self.maps, &self.rois, self.scale, route::slice(&x));
            (out(y, &self.maps, self.rois.len()), places)
        }

        fn backward(
            &self,
            places: Vec<u32>,
            gradient: FlexTensor,
            _: [bool; 1],
        ) -> [Option<FlexTensor>; 1] {
            let gradient = route::to_channels_last(gradient);
            let images: Vec<usize> = self.rois.iter().map(|roi| roi.image).collect();
            let dx = roi::max_backward(&self.maps, &images, &places, route::slice(&gradient));
            [Some(input(dx, &self.maps))]
        }
    }
}
