//! Regions of interest: parts of maps, of whatever size, brought to one size; all channels last.
//!
//! RoI align and position-sensitive RoI pooling are weighted sums of pixels whose weights are
//! products of one for the row and one for the column: a [`Region`] holds both, and one pair of
//! functions, [`forward`] and [`backward`], serves both operators.

use super::simd::vectorised;
use super::sizes::{floats, some_floats};
use super::{Out, filled, share};
use std::ops::Deref;

/// A region of interest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Roi {
    /// Which image of the batch.
    pub image: usize,
    /// x1, y1, x2, y2 in pixels of the image.
    pub corners: [f32; 4],
}

/// What [`Maps::new`] checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Images.
    pub batch: usize,
    /// Channels.
    pub channels: usize,
    /// Height and width of the maps.
    pub size: [usize; 2],
    /// Height and width of what comes out.
    pub output: [usize; 2],
    /// Whether each place of the output has channels of its own in the maps: channel `c` at the
    /// place `i` comes from channel `c * places + i`.
    pub sensitive: bool,
}

/// The maps that regions are taken from, and what comes out of each region; their sizes are read
/// as those of [`Sizes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maps(Sizes);

impl Deref for Maps {
    type Target = Sizes;

    fn deref(&self) -> &Sizes {
        &self.0
    }
}

impl Maps {
    /// The maps; none where the output has no place, the channels are no multiple of its places
    /// that have their own, or memory cannot hold what would be read or what comes of a region.
    pub fn new(sizes: Sizes) -> Option<Self> {
        let Sizes { batch, channels, size, output, sensitive } = sizes;
        let places = floats(&output).filter(|&places| places > 0)?;
        floats(&[batch, channels, size[0], size[1]])?;
        floats(&[places, channels])?;
        (!sensitive || channels.is_multiple_of(places)).then_some(Self(sizes))
    }

    fn image(&self) -> usize {
        self.size[0] * self.size[1] * self.channels
    }

    fn places(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Channels that come out.
    pub fn outputs(&self) -> usize {
        if self.sensitive { self.channels / self.places() } else { self.channels }
    }

    fn check(&self, images: impl IntoIterator<Item = usize>) {
        assert!(images.into_iter().all(|image| image < self.batch), "an image beyond the batch");
    }
}

/// For each place of the output along one axis, places of the map and their weights.
type Taps = Vec<Vec<(usize, f32)>>;

/// What a region takes of the maps.
#[derive(Clone, Debug)]
pub struct Region {
    /// Which image of the batch.
    pub image: usize,
    /// Along the height.
    pub rows: Taps,
    /// Along the width.
    pub columns: Taps,
}

/// How RoI align samples (He et al., "Mask R-CNN", ICCV 2017).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Align {
    /// Pixels of the map for a pixel of the image.
    pub scale: f32,
    /// Samples along each axis of a place of the output; with 0 about one for each pixel.
    pub samples: usize,
    /// Whether half a pixel is taken off, so that a place is a pixel's centre; else regions
    /// are a pixel wide and high at least.
    pub aligned: bool,
}

impl Align {
    /// What each region takes of maps of this size. A region with a corner that is no number
    /// takes nothing.
    pub fn regions(&self, rois: &[Roi], maps: &Maps) -> Vec<Region> {
        let one = |&Roi { image, corners: [x1, y1, x2, y2] }: &Roi| {
            let [height, width] = maps.size;
            let rows = self.taps([y1, y2], height, maps.output[0]);
            Region { image, rows, columns: self.taps([x1, x2], width, maps.output[1]) }
        };
        rois.iter().map(one).collect()
    }

    fn taps(&self, ends: [f32; 2], size: usize, output: usize) -> Taps {
        let offset = if self.aligned { 0.5 } else { 0.0 };
        let [start, end] = ends.map(|at| at * self.scale - offset);
        let length = if self.aligned { end - start } else { (end - start).max(1.0) };
        let bin = length / output as f32;
        // As often as a negative length says, and as NaN: not at all.
        let samples = if self.samples > 0 { self.samples } else { bin.ceil() as usize };
        let step = bin / samples as f32;
        let place = |index: usize| {
            let first = start + index as f32 * bin;
            let at = |sample: usize| first + (sample as f32 + 0.5) * step;
            let range =
                if self.samples > 0 { 0..samples } else { near(first, step, size, samples) };
            let mut taps: Vec<(usize, f32)> = Vec::new();
            for sample in range {
                let at = at(sample);
                if !(-1.0..=size as f32).contains(&at) {
                    continue;
                }
                let at = at.max(0.0);
                let low = (at as usize).min(size - 1);
                let part = if low + 1 < size { at - low as f32 } else { 0.0 };
                for (place, weight) in [(low, 1.0 - part), (low + 1, part)] {
                    let weight = weight / samples as f32;
                    match taps.iter_mut().find(|(own, _)| *own == place) {
                        Some((_, own)) => *own += weight,
                        None if weight != 0.0 => taps.push((place, weight)),
                        None => {}
                    }
                }
            }
            taps
        };
        if size == 0 || ![start, length].iter().all(|x| x.is_finite()) {
            return vec![Vec::new(); output];
        }
        (0..output).map(place).collect()
    }
}

/// Which of the samples `first + (i + 0.5) * step`, at most a pixel apart, may lie on the map: of a
/// huge region few do.
fn near(first: f32, step: f32, size: usize, samples: usize) -> std::ops::Range<usize> {
    let [from, to] = [-1.0, size as f32].map(|end| ((end - first) / step).max(0.0) as usize);
    let from = from.saturating_sub(2).min(samples);
    // Steps are half a pixel at least.
    from..to.saturating_add(2).min(samples).min(from.saturating_add(2 * size + 8))
}

/// What position-sensitive RoI pooling takes (Dai et al., "R-FCN", NIPS 2016): means of the
/// pixels of each place, of which the last row and column of the map are never one, as in
/// torchvision.
pub fn position_sensitive(rois: &[Roi], scale: f32, maps: &Maps) -> Vec<Region> {
    let axis = |ends: [f32; 2], size: usize, output: usize| -> Taps {
        let [start, end] = ends.map(|at| whole(at, scale));
        let length = end.saturating_sub(start).max(1);
        let place = |range: std::ops::Range<usize>| {
            let weight = 1.0 / range.len().max(1) as f32;
            range.map(|place| (place, weight)).collect()
        };
        windows(start, length, size.saturating_sub(1), output).map(place).collect()
    };
    let one = |&Roi { image, corners: [x1, y1, x2, y2] }: &Roi| Region {
        image,
        rows: axis([y1, y2], maps.size[0], maps.output[0]),
        columns: axis([x1, x2], maps.size[1], maps.output[1]),
    };
    rois.iter().map(one).collect()
}

/// A corner in whole pixels of the map, halves away from zero; 0 for what is no number.
fn whole(at: f32, scale: f32) -> i64 {
    (at * scale).round() as i64
}

/// The pixels of each of `output` places of a region, as far as they lie before `most`.
fn windows(
    start: i64,
    length: i64,
    most: usize,
    output: usize,
) -> impl Iterator<Item = std::ops::Range<usize>> {
    let bin = length as f32 / output as f32;
    let inside = move |at: f32| start.saturating_add(at as i64).clamp(0, most as i64) as usize;
    (0..output).map(move |i| {
        let from = inside((i as f32 * bin).floor());
        from..inside(((i + 1) as f32 * bin).ceil()).max(from)
    })
}

/// The weighted sums, `[regions, height, width, channels]`.
///
/// # Panics
/// Where `x` is not of the shape, or a region of another image or map.
pub fn forward(maps: &Maps, regions: &[Region], x: &[f32]) -> Vec<f32> {
    assert_eq!(x.len(), maps.batch * maps.image(), "input");
    maps.check(regions.iter().map(|region| region.image));
    let size = maps.places() * maps.outputs();
    let all = some_floats(&[regions.len(), size]);
    let write = |out: Out| {
        share(regions.len(), all, |index| {
            // SAFETY: each region has its own part, of which every place is written.
            let y = unsafe { std::slice::from_raw_parts_mut(out.at(index * size), size) };
            let region = &regions[index];
            gather(maps, region, &x[region.image * maps.image()..][..maps.image()], y);
        });
    };
    // SAFETY: as above.
    unsafe { filled(all, write) }
}

vectorised! {
    fn gather(maps: &Maps, region: &Region, x: &[f32], y: &mut [f32]) {
        y.fill(0.0);
        let (width, places) = (maps.size[1], maps.places());
        for (place, y) in y.chunks_exact_mut(maps.outputs().max(1)).enumerate() {
            let [row, column] = [place / maps.output[1], place % maps.output[1]];
            for &(at_y, weight_y) in &region.rows[row] {
                for &(at_x, weight_x) in &region.columns[column] {
                    let weight = weight_y * weight_x;
                    let x = &x[(at_y * width + at_x) * maps.channels..][..maps.channels];
                    if maps.sensitive {
                        for (y, x) in y.iter_mut().zip(x[place..].iter().step_by(places)) {
                            *y += weight * x;
                        }
                    } else {
                        for (y, x) in y.iter_mut().zip(x) {
                            *y += weight * x;
                        }
                    }
                }
            }
        }
    }
}

/// The gradient for the input of [`forward`].
///
/// # Panics
/// Where lengths differ from the shape, or a region is of another image or map.
pub fn backward(maps: &Maps, regions: &[Region], gradient: &[f32]) -> Vec<f32> {
    let (outputs, places) = (maps.outputs(), maps.places());
    assert_eq!(gradient.len(), some_floats(&[regions.len(), places, outputs]), "output");
    maps.check(regions.iter().map(|region| region.image));
    let [height, width] = maps.size;
    in_blocks(maps, |image, block, out| {
        let rows = gradient.chunks_exact(outputs.max(1)).enumerate();
        for (at, gradient) in rows {
            let (region, place) = (&regions[at / places], at % places);
            if region.image != image {
                continue;
            }
            let gradient = &gradient[block.clone()];
            let [row, column] = [place / maps.output[1], place % maps.output[1]];
            for &(at_y, weight_y) in &region.rows[row] {
                for &(at_x, weight_x) in &region.columns[column] {
                    assert!(at_y < height && at_x < width, "a region of other maps");
                    let pixel = (at_y * width + at_x) * maps.channels;
                    let weight = weight_y * weight_x;
                    if maps.sensitive {
                        for (channel, gradient) in block.clone().zip(gradient) {
                            let channel = channel * places + place;
                            // SAFETY: the pixel is in the image and the channel in the maps; no
                            // other task has this image and output channel.
                            unsafe { *out.at(pixel + channel) += weight * gradient };
                        }
                    } else {
                        let (to, len) = (pixel + block.start, block.len());
                        // SAFETY: the block lies within the pixel's channels, and no other
                        // task has it.
                        let to = unsafe { std::slice::from_raw_parts_mut(out.at(to), len) };
                        add_product(to, weight, gradient);
                    }
                }
            }
        }
    })
}

/// Channels that a task of a backward owns.
const BLOCK: usize = 64;

/// What `add` adds to each image, for each block of the output's channels.
fn in_blocks(
    maps: &Maps,
    add: impl Fn(usize, std::ops::Range<usize>, Out) + Sync + Send,
) -> Vec<f32> {
    let mut all = vec![0.0; maps.batch * maps.image()];
    let out = Out(all.as_mut_ptr());
    let outputs = maps.outputs();
    let blocks = outputs.div_ceil(BLOCK);
    share(maps.batch * blocks, all.len(), |task| {
        let (image, first) = (task / blocks, task % blocks * BLOCK);
        // SAFETY: the image is within the batch.
        let own = Out(unsafe { out.at(image * maps.image()) });
        add(image, first..outputs.min(first + BLOCK), own);
    });
    all
}

vectorised! {
    fn add_product(out: &mut [f32], weight: f32, gradient: &[f32]) {
        for (out, gradient) in out.iter_mut().zip(gradient) {
            *out += weight * gradient;
        }
    }
}

/// The place of a maximum where there is no pixel.
pub const NOWHERE: u32 = u32::MAX;

/// RoI pooling (Girshick, "Fast R-CNN", ICCV 2015): the maxima of the pixels of each place,
/// `[regions, height, width, channels]`, 0 where there are none, and for each the number of its
/// pixel.
///
/// # Panics
/// Where `x` is not of the shape, or a region of an image beyond the batch.
pub fn max_forward(maps: &Maps, rois: &[Roi], scale: f32, x: &[f32]) -> (Vec<f32>, Vec<u32>) {
    assert_eq!(x.len(), maps.batch * maps.image(), "input");
    assert!(maps.size[0] * maps.size[1] < NOWHERE as usize && !maps.sensitive, "maps");
    maps.check(rois.iter().map(|roi| roi.image));
    let size = maps.places() * maps.channels;
    let all = some_floats(&[rois.len(), size]);
    let mut places = vec![NOWHERE; all];
    let places_out = Places(places.as_mut_ptr());
    let write = |out: Out| {
        share(rois.len(), all, |index| {
            let Roi { image, corners: [x1, y1, x2, y2] } = rois[index];
            // SAFETY: each region has its own part, of which every place is written.
            let (y, places) = unsafe {
                let y = std::slice::from_raw_parts_mut(out.at(index * size), size);
                (y, std::slice::from_raw_parts_mut(places_out.at(index * size), size))
            };
            let axis = |ends: [f32; 2], size: usize, output: usize| {
                let [start, end] = ends.map(|at| whole(at, scale));
                let length = end.saturating_sub(start).saturating_add(1).max(1);
                windows(start, length, size, output)
            };
            let rows = axis([y1, y2], maps.size[0], maps.output[0]);
            let columns: Vec<_> = axis([x1, x2], maps.size[1], maps.output[1]).collect();
            let x = &x[image * maps.image()..][..maps.image()];
            let windows =
                rows.flat_map(|row| columns.iter().map(move |own| [row.clone(), own.clone()]));
            let parts = y.chunks_exact_mut(maps.channels.max(1));
            let parts = parts.zip(places.chunks_exact_mut(maps.channels.max(1)));
            for ((y, places), [rows, columns]) in parts.zip(windows) {
                let empty = rows.is_empty() || columns.is_empty();
                y.fill(if empty { 0.0 } else { f32::MIN });
                for row in rows {
                    for pixel in columns.clone().map(|column| row * maps.size[1] + column) {
                        maxima(
                            &x[pixel * maps.channels..][..maps.channels],
                            pixel as u32,
                            y,
                            places,
                        );
                    }
                }
            }
        });
    };
    // SAFETY: as above.
    let y = unsafe { filled(all, write) };
    (y, places)
}

vectorised! {
    fn maxima(x: &[f32], pixel: u32, best: &mut [f32], places: &mut [u32]) {
        for ((best, place), &x) in best.iter_mut().zip(places).zip(x) {
            let better = x > *best;
            *best = if better { x } else { *best };
            *place = if better { pixel } else { *place };
        }
    }
}

#[derive(Clone, Copy)]
struct Places(*mut u32);

// SAFETY: as for `Out`.
unsafe impl Send for Places {}
// SAFETY: as for `Out`.
unsafe impl Sync for Places {}

impl Places {
    unsafe fn at(self, offset: usize) -> *mut u32 {
        // SAFETY: the caller vouches for it.
        unsafe { self.0.add(offset) }
    }
}

/// The gradient for the input of [`max_forward`]; `images` are the regions'.
///
/// # Panics
/// Where lengths differ from the shape.
pub fn max_backward(maps: &Maps, images: &[usize], places: &[u32], gradient: &[f32]) -> Vec<f32> {
    let size = maps.places() * maps.channels;
    let all = some_floats(&[images.len(), size]);
    assert_eq!([places.len(), gradient.len()], [all; 2], "output");
    maps.check(images.iter().copied());
    let pixels = maps.size[0] * maps.size[1];
    in_blocks(maps, |image, block, out| {
        for (region, _) in images.iter().enumerate().filter(|(_, own)| **own == image) {
            for place in 0..maps.places() {
                let at = region * size + place * maps.channels;
                for channel in block.clone() {
                    let pixel = places[at + channel] as usize;
                    if pixel < pixels {
                        // SAFETY: the pixel is in the image, and no other task has this image
                        // and channel.
                        unsafe {
                            *out.at(pixel * maps.channels + channel) += gradient[at + channel]
                        };
                    }
                }
            }
        }
    })
}
