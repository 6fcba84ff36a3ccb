//! The gradients for weights and bias.

use super::job::{Job, offset_of};
use super::scratch::{Scratch, patches};
use super::shape::{CHANNELS, Conv, WORK, places};
use crate::raw::gemm::{Aligned, Outer, Rows, accumulate, outer_rows, panel_width};
use crate::raw::sizes::some_floats;
use crate::raw::{Out, View, share, threads};

/// The gradient `[outputs, inputs, height, width]` for the weights.
///
/// # Panics
/// Where `x` or the gradient are not of the shape.
pub fn weight_gradient(conv: &Conv, x: &View<'_>, gradient: &View<'_>) -> Vec<f32> {
    assert_eq!(x.shape, conv.input_shape(), "input");
    assert_eq!(gradient.shape, conv.output_shape(), "gradient");
    if let [Some(winograd), _] = conv.winograd() {
        return winograd.weight_gradient(x, gradient);
    }
    let taps = conv.taps();
    let mut weight = vec![0.0; conv.outputs * conv.inputs * taps];
    let points = conv.output[0] * conv.output[1];
    if weight.is_empty() || conv.batch == 0 || points == 0 {
        return weight;
    }
    let sums = Sums::new(conv);
    let size = some_floats(&[sums.panel, sums.panels]);
    // Large sums are divided among the threads by panels, small ones by images: each thread
    // then has its own, and they are added in the same order each time.
    let by_panels = size > 1 << 17 && sums.panels >= threads() || conv.batch < threads();
    let parts = if by_panels { 1 } else { threads() };
    let mut all = Aligned::zeros(some_floats(&[size, parts]));
    let out = Out(all.as_mut_slice().as_mut_ptr());
    let task = |index: usize| {
        let (images, panels) = if by_panels {
            (0..conv.batch, index..index + 1)
        } else {
            (conv.batch * index / parts..conv.batch * (index + 1) / parts, 0..sums.panels)
        };
        let part = if by_panels { 0 } else { index * size };
        // SAFETY: each task has its own panels or its own part of the sums.
        unsafe { sums.add(x, gradient, images, panels, Out(out.at(part))) };
    };
    let tasks = if by_panels { sums.panels } else { parts };
    share(tasks, conv.batch * points * weight.len() / WORK, task);
    sums.unpack(all.as_slice(), size, &mut weight);
    weight
}

/// The sums of a weight gradient: for each panel of outputs, `[taps, depth, outputs]`.
struct Sums<'a> {
    conv: &'a Conv,
    job: Job,
    /// Few channels: patches are copied, and all taps are one.
    few: bool,
    taps: usize,
    /// Terms of a tap, and the same rounded up to what one product takes.
    depth: usize,
    padded: usize,
    panels: usize,
    /// Floats of a panel.
    panel: usize,
}

impl<'a> Sums<'a> {
    fn new(conv: &'a Conv) -> Self {
        let job = conv.forward_job();
        let frame = job.frame();
        let few = frame.few();
        let (taps, depth) = if few { (1, job.terms()) } else { (frame.taps.len(), frame.depth) };
        let padded = depth.next_multiple_of(outer_rows());
        let panels = conv.outputs.div_ceil(panel_width());
        let panel = some_floats(&[taps, padded, panel_width()]);
        Self { conv, job, few, taps, depth, padded, panels, panel }
    }

    /// Outputs of a panel, with filling.
    fn width(&self, panel: usize) -> usize {
        let half = panel_width() / 2;
        if self.conv.outputs - panel * panel_width() <= half { half } else { 2 * half }
    }

    /// Adds the products of some images for some panels.
    ///
    /// # Safety
    /// `out` has all panels, of which nothing else touches these meanwhile.
    unsafe fn add(
        &self,
        x: &View<'_>,
        gradient: &View<'_>,
        images: std::ops::Range<usize>,
        panels: std::ops::Range<usize>,
        out: Out,
    ) {
        let (conv, job) = (self.conv, &self.job);
        let frame = job.frame();
        let image = frame.size[0] * frame.size[1] * conv.inputs;
        // Rows beyond the depth are read too, so that there must be some behind the last.
        let copied = frame.padded || !x.is_channels_last() || self.padded != self.depth;
        let points = conv.output[0] * conv.output[1];
        // Where the sums are large, many rows for each time that they are fetched.
        let block: usize = if self.taps * self.padded > 1 << 10 { 1024 } else { 256 };
        let group = block.div_ceil(points).min(images.len());
        let rows = job.rows(&frame, group);
        let terms = self.taps * self.depth;
        let mut scratch = Scratch::default();
        let mut right = Aligned::zeros(block * panel_width());
        for first in images.clone().step_by(group) {
            let count = group.min(images.end - first);
            let mut left = if copied {
                scratch.frame(image * group, |place| job.copy(x, &frame, first, count, place))
            } else {
                &x.data[first * image..][..count * image]
            };
            let mut rows = &rows[..count * points];
            let mut taps = &frame.taps[..];
            let patch_rows: Vec<u32>;
            if self.few {
                let product = Rows {
                    left: left.as_ptr(),
                    rows,
                    taps,
                    depth: frame.depth,
                    out: out.0,
                    out_rows: &[],
                };
                // SAFETY: every row and tap lies in the frame.
                left = unsafe { patches(&product, &mut scratch.patches) };
                patch_rows = (0..rows.len()).map(|row| offset_of(row * terms)).collect();
                (rows, taps) = (&patch_rows, &[0]);
            }
            for (start, rows) in (first * points..).step_by(block).zip(rows.chunks(block)) {
                for panel in panels.clone() {
                    let width = self.width(panel);
                    gather(
                        gradient,
                        start,
                        panel * panel_width(),
                        width,
                        &mut right.as_mut_slice()[..rows.len() * width],
                    );
                    for (tap, &offset) in taps.iter().enumerate() {
                        for term in (0..self.padded).step_by(outer_rows()) {
                            let sum = panel * self.panel + (tap * self.padded + term) * width;
                            // SAFETY: rows and taps lie in the frame, with room behind it; the
                            // sum lies in its panel.
                            unsafe {
                                accumulate(&Outer {
                                    left: left.as_ptr().add(offset as usize + term),
                                    rows,
                                    right: right.as_slice().as_ptr(),
                                    width,
                                    out: out.at(sum),
                                });
                            }
                        }
                    }
                }
            }
        }
    }

    /// Writes the sums, each added up over the parts of `size` floats, as weights.
    fn unpack(&self, sums: &[f32], size: usize, weight: &mut [f32]) {
        let (depth, taps) = (self.conv.inputs, self.conv.taps());
        let panel_size = self.panel;
        let full = panel_width();
        let len = weight.len();
        let out = Out(weight.as_mut_ptr());
        share(self.panels, len, |panel| {
            let width = self.width(panel);
            let outputs = full.min(self.conv.outputs - panel * full);
            let start = panel * full * depth * taps;
            // SAFETY: each panel has its own outputs.
            let weight =
                unsafe { std::slice::from_raw_parts_mut(out.at(start), outputs * depth * taps) };
            for channel in (0..depth).step_by(CHANNELS) {
                let places = places(channel, depth, taps, self.depth / depth, self.padded);
                for k in 0..outputs {
                    let weight = &mut weight[(k * depth + channel) * taps..][..places.len()];
                    for part in sums.chunks_exact(size) {
                        let part = &part[panel * panel_size..];
                        for (weight, &place) in weight.iter_mut().zip(&places) {
                            *weight += part[place * width + k];
                        }
                    }
                }
            }
        });
    }
}

/// Some channels of consecutive pixels, counted through all images, as rows of `width`
/// floats, filled up with zeros.
fn gather(view: &View<'_>, start: usize, channel: usize, width: usize, out: &mut [f32]) {
    let [_, channels, height, columns] = view.shape;
    let here = width.min(channels - channel);
    let [batch, step, line, pixel] = view.strides;
    let flat = view.is_channels_last();
    for (index, out) in (start..).zip(out.chunks_exact_mut(width)) {
        let at = if flat {
            index * channels
        } else {
            index / (height * columns) * batch
                + index / columns % height * line
                + index % columns * pixel
        };
        let from = &view.data[at + channel * step..];
        if step == 1 {
            out[..here].copy_from_slice(&from[..here]);
        } else {
            for (i, out) in out[..here].iter_mut().enumerate() {
                *out = from[i * step];
            }
        }
        out[here..].fill(0.0);
    }
}

/// The gradient `[outputs]` for the bias: sums over all pixels.
pub fn bias_gradient(gradient: &View<'_>) -> Vec<f32> {
    let [batch, channels, height, width] = gradient.shape;
    let pixels = batch * height * width;
    let mut sums = vec![0.0; channels];
    let mut rows = vec![0.0; channels.max(1) * 64];
    for start in (0..pixels).step_by(64) {
        let rows = &mut rows[..(pixels - start).min(64) * channels];
        gather(gradient, start, 0, channels, rows);
        // 64 rows at a time: sums of sums lose less.
        let mut part = vec![0.0; channels];
        for row in rows.chunks_exact(channels.max(1)) {
            for (sum, value) in part.iter_mut().zip(row) {
                *sum += value;
            }
        }
        for (sum, part) in sums.iter_mut().zip(part) {
            *sum += part;
        }
    }
    sums
}
