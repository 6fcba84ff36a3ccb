//! Channels of two images one after the other, and apart again.

use super::{Out, View, filled, share};

/// Pixels that one thread takes at a time.
const BLOCK: usize = 256;

/// `[batch, height, width, channels of both]` from two images of the same size, of which each
/// is channels last.
///
/// # Panics
/// Where the sizes differ, or a image is not channels last without gaps.
pub fn channels(pictures: [&View<'_>; 2]) -> Vec<f32> {
    let [[n, first, h, w], [n2, second, h2, w2]] = pictures.map(|view| view.shape);
    assert_eq!([n, h, w], [n2, h2, w2], "sizes of two pictures");
    assert!(pictures.iter().all(|view| view.is_channels_last()), "channels last");
    let (pixels, both) = (n * h * w, first + second);
    let write = |out: Out| {
        share(pixels.div_ceil(BLOCK), pixels * both, |block| {
            for pixel in block * BLOCK..pixels.min((block + 1) * BLOCK) {
                // SAFETY: each block has its own pixels, and all their channels are written.
                let out = unsafe { std::slice::from_raw_parts_mut(out.at(pixel * both), both) };
                out[..first].copy_from_slice(&pictures[0].data[pixel * first..][..first]);
                out[first..].copy_from_slice(&pictures[1].data[pixel * second..][..second]);
            }
        });
    };
    // SAFETY: every channel of every pixel is written.
    unsafe { filled(pixels * both, write) }
}

/// Some channels, `[batch, height, width, channels]`, of a image that is channels last.
///
/// # Panics
/// Where there are no such channels, or the image is not channels last without gaps.
pub fn some(picture: &View<'_>, channels: std::ops::Range<usize>) -> Vec<f32> {
    let [n, all, h, w] = picture.shape;
    assert!(picture.is_channels_last() && channels.end <= all, "channels");
    let (pixels, count) = (n * h * w, channels.len());
    let write = |out: Out| {
        share(pixels.div_ceil(BLOCK), pixels * count, |block| {
            for pixel in block * BLOCK..pixels.min((block + 1) * BLOCK) {
                // SAFETY: each block has its own pixels.
                let out = unsafe { std::slice::from_raw_parts_mut(out.at(pixel * count), count) };
                out.copy_from_slice(&picture.data[pixel * all..][channels.clone()]);
            }
        });
    };
    // SAFETY: every channel of every pixel is written.
    unsafe { filled(pixels * count, write) }
}
