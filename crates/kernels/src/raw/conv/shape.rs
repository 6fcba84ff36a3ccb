//! The shape of a convolution, and how its weights lie.

use crate::raw::sizes::floats;
use crate::raw::winograd::Winograd;
use std::ops::Deref;

/// Multiplications that take as long as moving one float.
pub(super) const WORK: usize = 64;

/// What [`Conv::new`] checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Images.
    pub batch: usize,
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// Height and width of the input.
    pub input: [usize; 2],
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Pixels from one place of the kernel to the next.
    pub stride: [usize; 2],
    /// Zeros above, and left.
    pub padding: [usize; 2],
    /// Pixels from one tap of the kernel to the next.
    pub dilation: [usize; 2],
    /// Height and width of the output.
    pub output: [usize; 2],
}

/// The shape of a convolution, whose sizes are read as those of [`Sizes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv(Sizes);

impl Deref for Conv {
    type Target = Sizes;

    fn deref(&self) -> &Sizes {
        &self.0
    }
}

impl Conv {
    /// The shape; none where kernel, stride or dilation are 0, or memory cannot hold what it
    /// would read and write.
    pub fn new(sizes: Sizes) -> Option<Self> {
        let Sizes { batch, inputs, outputs, input, kernel, stride, padding, dilation, output } =
            sizes;
        if [kernel, stride, dilation].iter().any(|sides| sides.contains(&0)) {
            return None;
        }
        // Places along an axis are computed with signs, in sums of these.
        let along = |i: usize| {
            let reach = kernel[i].checked_mul(dilation[i])?;
            let steps = output[i].max(1).checked_mul(stride[i])?;
            let parts = [input[i], padding[i], reach, steps];
            let all = parts.iter().try_fold(0usize, |all, &part| all.checked_add(part))?;
            (all <= isize::MAX as usize / 8).then_some(())
        };
        along(0)?;
        along(1)?;
        floats(&[batch, inputs, input[0], input[1]])?;
        floats(&[batch, outputs, output[0], output[1]])?;
        floats(&[outputs, inputs, kernel[0], kernel[1]])?;
        Some(Self(sizes))
    }

    pub(super) fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    pub(super) fn input_shape(&self) -> [usize; 4] {
        [self.batch, self.inputs, self.input[0], self.input[1]]
    }

    pub(super) fn output_shape(&self) -> [usize; 4] {
        [self.batch, self.outputs, self.output[0], self.output[1]]
    }

    /// The same as a convolution by Winograd's way, and the same for its input gradient, where
    /// these pay.
    pub(super) fn winograd(&self) -> [Option<Winograd>; 2] {
        let after = |i: usize| (self.output[i] + 2).checked_sub(self.input[i] + self.padding[i]);
        let plain = self.kernel == [3, 3] && self.stride == [1, 1] && self.dilation == [1, 1];
        let padded =
            (0..2).all(|i| self.padding[i] <= 2 && after(i).is_some_and(|after| after <= 2));
        if !plain || !padded {
            return [None; 2];
        }
        let forward = Winograd {
            batch: self.batch,
            inputs: self.inputs,
            outputs: self.outputs,
            output: self.output,
            padding: self.padding,
        };
        let backward = Winograd {
            inputs: self.outputs,
            outputs: self.inputs,
            output: self.input,
            padding: self.padding.map(|padding| 2 - padding),
            ..forward
        };
        [forward, backward].map(|way| Some(way).filter(Winograd::pays))
    }
}

/// Channels whose weights are moved at once.
pub(super) const CHANNELS: usize = 4;

/// Of the weights `[channels, taps]` of some channels, in their order: the row of a product
/// where each has its place, in which runs of `run` taps are `stride` rows apart.
pub(super) fn places(
    first: usize,
    channels: usize,
    taps: usize,
    run: usize,
    stride: usize,
) -> Vec<usize> {
    let row = move |tap: usize| tap / run * stride + tap % run * channels;
    let some = first..channels.min(first + CHANNELS);
    some.flat_map(|channel| (0..taps).map(move |tap| row(tap) + channel)).collect()
}
