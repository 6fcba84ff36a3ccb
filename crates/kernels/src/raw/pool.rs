//! Maxima and means of neighbours, and rectification; all channels last.

use super::simd::vectorised;
use super::sizes::floats;
use super::{Out, filled, share};
use std::ops::Deref;

/// What [`Pool::new`] checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Images.
    pub batch: usize,
    /// Channels.
    pub channels: usize,
    /// Height and width of the input.
    pub input: [usize; 2],
    /// Height and width of a window.
    pub kernel: [usize; 2],
    /// Pixels from one window to the next.
    pub stride: [usize; 2],
    /// Pixels around the input, as many above as below, and left as right.
    pub padding: [usize; 2],
    /// Height and width of the output.
    pub output: [usize; 2],
}

/// The shape of a pooling, whose sizes are read as those of [`Sizes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool(Sizes);

impl Deref for Pool {
    type Target = Sizes;

    fn deref(&self) -> &Sizes {
        &self.0
    }
}

impl Pool {
    /// The shape; none where a window lies outside of the image with what is around it, this is
    /// more than half a window, or memory cannot hold what would be read and written.
    pub fn new(sizes: Sizes) -> Option<Self> {
        let Sizes { batch, channels, input, kernel, stride, padding, output } = sizes;
        let inside = |i: usize| {
            let side = input[i].checked_add(padding[i].checked_mul(2)?)?;
            let last = output[i].checked_sub(1)?.checked_mul(stride[i])?.checked_add(kernel[i])?;
            let window = kernel[i] > 0 && stride[i] > 0 && padding[i] <= kernel[i] / 2;
            (window && last <= side).then_some(())
        };
        inside(0)?;
        inside(1)?;
        floats(&[batch, channels, input[0], input[1]])?;
        floats(&[batch, channels, output[0], output[1]])?;
        floats(&kernel)?;
        Some(Self(sizes))
    }

    fn image(&self) -> usize {
        self.input[0] * self.input[1] * self.channels
    }

    fn out_image(&self) -> usize {
        self.output[0] * self.output[1] * self.channels
    }

    /// The places of the window of one output pixel that lie in the image: number of the
    /// place in the window, offset of the pixel.
    fn window(&self, y: usize, x: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        let place = move |tap: usize| {
            let [dy, dx] = [tap / self.kernel[1], tap % self.kernel[1]];
            let row = (y * self.stride[0] + dy).checked_sub(self.padding[0])?;
            let column = (x * self.stride[1] + dx).checked_sub(self.padding[1])?;
            let inside = row < self.input[0] && column < self.input[1];
            inside.then_some((tap, (row * self.input[1] + column) * self.channels))
        };
        (0..self.kernel[0] * self.kernel[1]).filter_map(place)
    }

    /// Each output pixel's row, column and offset.
    fn outputs(&self) -> impl Iterator<Item = (usize, usize, usize)> + '_ {
        let [height, width] = self.output;
        (0..height)
            .flat_map(move |y| (0..width).map(move |x| (y, x, (y * width + x) * self.channels)))
    }
}

/// The maxima, and for each the number of its place in the window.
///
/// # Panics
/// Where `x` is not of the shape, or a window has more than 256 places.
pub fn max_forward(pool: &Pool, x: &[f32]) -> (Vec<f32>, Vec<u8>) {
    assert_eq!(x.len(), pool.batch * pool.image(), "input");
    assert!(pool.kernel[0] * pool.kernel[1] <= 256, "places of a window");
    let mut places = vec![0u8; pool.batch * pool.out_image()];
    let places_out = Bytes(places.as_mut_ptr());
    let write = |out: Out| {
        share(pool.batch, x.len(), |image| {
            let x = &x[image * pool.image()..][..pool.image()];
            let size = pool.out_image();
            // SAFETY: each image has its own part, of which every pixel is written.
            let (y, places) = unsafe {
                let y = std::slice::from_raw_parts_mut(out.at(image * size), size);
                (y, std::slice::from_raw_parts_mut(places_out.at(image * size), size))
            };
            maxima(pool, x, y, places);
        });
    };
    // SAFETY: as above.
    let y = unsafe { filled(pool.batch * pool.out_image(), write) };
    (y, places)
}

#[derive(Clone, Copy)]
struct Bytes(*mut u8);

// SAFETY: as for `Out`.
unsafe impl Send for Bytes {}
// SAFETY: as for `Out`.
unsafe impl Sync for Bytes {}

impl Bytes {
    unsafe fn at(self, offset: usize) -> *mut u8 {
        // SAFETY: the caller vouches for it.
        unsafe { self.0.add(offset) }
    }
}

vectorised! {
    fn maxima(pool: &Pool, x: &[f32], y: &mut [f32], places: &mut [u8]) {
        for (row, column, at) in pool.outputs() {
            let best = &mut y[at..at + pool.channels];
            let places = &mut places[at..at + pool.channels];
            let mut first = true;
            for (tap, from) in pool.window(row, column) {
                let x = &x[from..from + pool.channels];
                if first {
                    best.copy_from_slice(x);
                    places.fill(tap as u8);
                    first = false;
                } else {
                    for ((best, place), &x) in best.iter_mut().zip(places.iter_mut()).zip(x) {
                        // A NaN wins, and stays.
                        let better = x > *best || x.is_nan();
                        *best = if better { x } else { *best };
                        *place = if better { tap as u8 } else { *place };
                    }
                }
            }
            if first {
                best.fill(f32::NEG_INFINITY);
            }
        }
    }
}

/// The gradient for the input of [`max_forward`].
///
/// # Panics
/// Where lengths differ from the shape.
pub fn max_backward(pool: &Pool, places: &[u8], gradient: &[f32]) -> Vec<f32> {
    assert!([places.len(), gradient.len()] == [pool.batch * pool.out_image(); 2], "output");
    scatter(pool, |index, out| {
        let range = index * pool.out_image()..(index + 1) * pool.out_image();
        spread_maxima(pool, &places[range.clone()], &gradient[range], out);
    })
}

fn scatter(pool: &Pool, image: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
    let size = pool.image();
    let write = |out: Out| {
        share(pool.batch, pool.batch * size, |index| {
            // SAFETY: each image has its own part, which is all written.
            let out = unsafe { std::slice::from_raw_parts_mut(out.at(index * size), size) };
            out.fill(0.0);
            image(index, out);
        });
    };
    // SAFETY: as above.
    unsafe { filled(pool.batch * size, write) }
}

vectorised! {
    fn spread_maxima(pool: &Pool, places: &[u8], gradient: &[f32], out: &mut [f32]) {
        for (row, column, at) in pool.outputs() {
            let (places, gradient) = (&places[at..at + pool.channels], &gradient[at..at + pool.channels]);
            for (tap, to) in pool.window(row, column) {
                let out = &mut out[to..to + pool.channels];
                for ((out, &place), &gradient) in out.iter_mut().zip(places).zip(gradient) {
                    *out += if place == tap as u8 { gradient } else { 0.0 };
                }
            }
        }
    }
}

/// The means; of the pixels in the image, or with zeros for those around it.
///
/// # Panics
/// Where `x` is not of the shape.
pub fn mean_forward(pool: &Pool, x: &[f32], count_padding: bool) -> Vec<f32> {
    assert_eq!(x.len(), pool.batch * pool.image(), "input");
    let write = |out: Out| {
        share(pool.batch, x.len(), |image| {
            let size = pool.out_image();
            // SAFETY: each image has its own part, which is all written.
            let y = unsafe { std::slice::from_raw_parts_mut(out.at(image * size), size) };
            means(pool, &x[image * pool.image()..][..pool.image()], count_padding, y);
        });
    };
    // SAFETY: as above.
    unsafe { filled(pool.batch * pool.out_image(), write) }
}

fn divisor(pool: &Pool, row: usize, column: usize, count_padding: bool) -> f32 {
    let places = if count_padding {
        pool.kernel[0] * pool.kernel[1]
    } else {
        pool.window(row, column).count()
    };
    1.0 / places.max(1) as f32
}

vectorised! {
    fn means(pool: &Pool, x: &[f32], count_padding: bool, y: &mut [f32]) {
        y.fill(0.0);
        for (row, column, at) in pool.outputs() {
            let y = &mut y[at..at + pool.channels];
            for (_, from) in pool.window(row, column) {
                for (y, &x) in y.iter_mut().zip(&x[from..from + pool.channels]) {
                    *y += x;
                }
            }
            let divisor = divisor(pool, row, column, count_padding);
            for y in y {
                *y *= divisor;
            }
        }
    }
}

/// The gradient for the input of [`mean_forward`].
///
/// # Panics
/// Where lengths differ from the shape.
pub fn mean_backward(pool: &Pool, gradient: &[f32], count_padding: bool) -> Vec<f32> {
    assert_eq!(gradient.len(), pool.batch * pool.out_image(), "output");
    scatter(pool, |index, out| {
        spread_means(
            pool,
            &gradient[index * pool.out_image()..][..pool.out_image()],
            count_padding,
            out,
        );
    })
}

vectorised! {
    fn spread_means(pool: &Pool, gradient: &[f32], count_padding: bool, out: &mut [f32]) {
        for (row, column, at) in pool.outputs() {
            let gradient = &gradient[at..at + pool.channels];
            let divisor = divisor(pool, row, column, count_padding);
            for (_, to) in pool.window(row, column) {
                for (out, &gradient) in out[to..to + pool.channels].iter_mut().zip(gradient) {
                    *out += gradient * divisor;
                }
            }
        }
    }
}

/// What is negative times `slope`: zero for a plain rectification.
pub fn relu(x: &[f32], slope: f32) -> Vec<f32> {
    // SAFETY: every chunk is written.
    unsafe {
        filled(x.len(), |out| {
            share_chunks(x.len(), |range| rectify(&x[range.clone()], slope, raw(out, range)))
        })
    }
}

/// The gradient where the rectified output `y` is above zero, and `slope` times it elsewhere.
///
/// # Panics
/// Where lengths differ.
pub fn relu_backward(y: &[f32], gradient: &[f32], slope: f32) -> Vec<f32> {
    assert_eq!(y.len(), gradient.len(), "lengths");
    let write = |out| {
        share_chunks(y.len(), |range| {
            mask(&y[range.clone()], &gradient[range.clone()], slope, raw(out, range))
        });
    };
    // SAFETY: every chunk is written.
    unsafe { filled(y.len(), write) }
}

type Unwritten = std::mem::MaybeUninit<f32>;

/// A part of what is to be written; parts of different chunks do not overlap.
fn raw<'a>(out: Out, range: std::ops::Range<usize>) -> &'a mut [Unwritten] {
    // SAFETY: `share_chunks` hands each range out once, within the length.
    unsafe { std::slice::from_raw_parts_mut(out.at(range.start).cast(), range.len()) }
}

fn share_chunks(len: usize, work: impl Fn(std::ops::Range<usize>) + Sync) {
    const CHUNK: usize = 1 << 14;
    share(len.div_ceil(CHUNK), len, |index| work(index * CHUNK..len.min((index + 1) * CHUNK)));
}

vectorised! {
    fn rectify(x: &[f32], slope: f32, y: &mut [Unwritten]) {
        for (y, &x) in y.iter_mut().zip(x) {
            // Not by multiplication where the slope is 0: infinity times it is no number.
            let low = if slope == 0.0 { 0.0 } else { x * slope };
            y.write(if x <= 0.0 { low } else { x });
        }
    }
}

vectorised! {
    fn mask(y: &[f32], gradient: &[f32], slope: f32, out: &mut [Unwritten]) {
        for ((out, &y), &gradient) in out.iter_mut().zip(y).zip(gradient) {
            let low = if slope == 0.0 { 0.0 } else { gradient * slope };
            out.write(if y > 0.0 { gradient } else { low });
        }
    }
}
