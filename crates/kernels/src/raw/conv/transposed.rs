//! The gradient for the input, which is also the transposed convolution.

use super::forward::forward;
use super::job::Job;
use super::plan::{Plan, run};
use super::shape::{Conv, Sizes};
use crate::raw::gemm::{Epilogue, Packed};
use crate::raw::{View, filled};

/// Weights as the gradient for the input, or the transposed convolution, wants them.
#[derive(Clone, Debug)]
pub struct PreparedTransposed(Way);

/// The ways of that gradient.
#[derive(Clone, Debug)]
enum Way {
    /// The kernel covers the image just once: one product, `[outputs, taps, inputs]`.
    Product(Packed),
    /// A convolution with the kernel turned around.
    Winograd(Packed),
    /// One pass for each phase, of which there are so many down and across.
    Phases([usize; 2], Vec<Packed>),
}

/// With a stride, pixels of the input whose places in it agree see the same taps.
struct Phase {
    /// The first of these pixels.
    first: [usize; 2],
    /// Which places of the kernel reach them, and where these read.
    places: Vec<usize>,
    taps: Vec<[isize; 2]>,
}

impl Conv {
    /// Whether the kernel covers the image just once.
    fn covers(&self) -> bool {
        self.output == [1, 1]
            && self.padding == [0, 0]
            && self.dilation == [1, 1]
            && self.input == self.kernel
    }

    /// A phase that would begin beyond the image has no pixel.
    fn phase_counts(&self) -> [usize; 2] {
        [0, 1].map(|i| self.stride[i].min(self.input[i]))
    }

    fn phases(&self) -> Vec<Phase> {
        let phase = |first: [usize; 2]| {
            let mut phase = Phase { first, places: Vec::new(), taps: Vec::new() };
            for place in 0..self.taps() {
                let tap = [place / self.kernel[1], place % self.kernel[1]];
                let reads = [0, 1].map(|i| {
                    let at = (first[i] + self.padding[i]) as isize
                        - (tap[i] * self.dilation[i]) as isize;
                    (at.rem_euclid(self.stride[i] as isize) == 0)
                        .then_some(at.div_euclid(self.stride[i] as isize))
                });
                if let [Some(y), Some(x)] = reads {
                    phase.taps.push([y, x]);
                    phase.places.push(place);
                }
            }
            phase
        };
        let [height, width] = self.phase_counts();
        (0..height).flat_map(|y| (0..width).map(move |x| [y, x])).map(phase).collect()
    }

    /// Weights `[outputs, inputs, height, width]` as [`transposed`] wants them.
    ///
    /// # Panics
    /// Where the length is another.
    pub fn prepare_transposed(&self, weight: &[f32]) -> PreparedTransposed {
        let (inputs, taps) = (self.inputs, self.taps());
        assert_eq!(weight.len(), self.outputs * inputs * taps, "weights");
        PreparedTransposed(if self.covers() {
            let fill = |first: usize, here: usize, wide: usize, out: &mut [f32]| {
                let weights = weight.chunks_exact(inputs * taps);
                for (weight, out) in weights.zip(out.chunks_exact_mut(wide)) {
                    for (column, out) in (first..first + here).zip(out) {
                        *out = weight[column % inputs * taps + column / inputs];
                    }
                }
            };
            Way::Product(Packed::filled(self.outputs, taps * inputs, fill))
        } else if let [_, Some(winograd)] = self.winograd() {
            let turned = |output: usize, input: usize| -> [f32; 9] {
                let at = (output * inputs + input) * 9;
                std::array::from_fn(|tap| weight[at + 8 - tap])
            };
            Way::Winograd(winograd.weights(turned))
        } else {
            let packed = |Phase { places, .. }: Phase| {
                let fill = |first: usize, here: usize, wide: usize, out: &mut [f32]| {
                    for k in 0..self.outputs {
                        let weight = &weight[(k * inputs + first) * taps..];
                        for (tap, &place) in places.iter().enumerate() {
                            let out = &mut out[(tap * self.outputs + k) * wide..][..here];
                            for (c, out) in out.iter_mut().enumerate() {
                                *out = weight[c * taps + place];
                            }
                        }
                    }
                };
                Packed::filled(places.len() * self.outputs, inputs, fill)
            };
            Way::Phases(self.phase_counts(), self.phases().into_iter().map(packed).collect())
        })
    }
}

impl PreparedTransposed {
    /// Whether this is how `conv` wants its weights, of the same sizes.
    pub fn suits(&self, conv: &Conv) -> bool {
        let winograd = !conv.covers() && conv.winograd()[1].is_some();
        match &self.0 {
            Way::Product(_) => conv.covers(),
            Way::Winograd(_) => winograd,
            Way::Phases(counts, _) => !conv.covers() && !winograd && *counts == conv.phase_counts(),
        }
    }
}

/// The gradient `[batch, inputs, height, width]` for the input, channels last, from that for
/// the output and weights `[outputs, inputs, height, width]`. This is also the transposed
/// convolution of `gradient`, plus `bias`.
///
/// # Panics
/// Where the gradient, the weights or the bias are not of the shape.
pub fn input_gradient(
    conv: &Conv,
    gradient: &View<'_>,
    weight: &[f32],
    bias: Option<&[f32]>,
    finish: Epilogue,
) -> Vec<f32> {
    transposed(conv, gradient, &conv.prepare_transposed(weight), bias, finish)
}

/// The same with weights that are packed already.
///
/// # Panics
/// Where the gradient, the weights or the bias are not of the shape.
pub fn transposed(
    conv: &Conv,
    gradient: &View<'_>,
    weights: &PreparedTransposed,
    bias: Option<&[f32]>,
    finish: Epilogue,
) -> Vec<f32> {
    assert!(weights.suits(conv), "weights that are prepared for another convolution");
    assert_eq!(gradient.shape, conv.output_shape(), "gradient");
    assert!(bias.is_none_or(|bias| bias.len() == conv.inputs), "bias");
    assert_ne!(finish, Epilogue::Accumulate, "nothing to add to");
    let len = conv.input_shape().iter().product();
    let packed = match &weights.0 {
        Way::Product(packed) => {
            let bias = bias.map(|bias| bias.repeat(conv.taps()));
            let [kernel, stride, output] = [[1, 1]; 3];
            let columns = packed.columns();
            assert_eq!(columns, conv.inputs * conv.taps(), "packed weights");
            let whole = Sizes { inputs: conv.outputs, outputs: columns, input: output, ..**conv };
            let whole = Conv::new(Sizes { kernel, stride, output, ..whole }).expect("fewer taps");
            return forward(&whole, gradient, packed, bias.as_deref(), finish);
        }
        Way::Winograd(packed) => {
            let [_, Some(winograd)] = conv.winograd() else { unreachable!("the weights suit") };
            assert_eq!(
                [packed.terms(), packed.columns()],
                [conv.outputs * 16, conv.inputs],
                "weights"
            );
            // SAFETY: the tiles cover the whole input.
            return unsafe { filled(len, |out| winograd.run(gradient, packed, bias, finish, out)) };
        }
        Way::Phases(_, packed) => packed,
    };
    let job = |phase: Phase| Job {
        batch: conv.batch,
        channels: conv.outputs,
        size: conv.output,
        grid: [0, 1].map(|i| conv.input[i].saturating_sub(phase.first[i]).div_ceil(conv.stride[i])),
        step: [1, 1],
        taps: phase.taps,
        out_size: conv.input,
        out_first: phase.first,
        out_step: conv.stride,
        out_channels: conv.inputs,
    };
    let jobs: Vec<Job> = conv.phases().into_iter().map(job).collect();
    let plans = jobs.iter().zip(packed);
    let plans: Vec<Plan<'_>> = plans
        .filter_map(|(job, packed)| Plan::new((job, jobs.len()), gradient, packed, bias, finish))
        .collect();
    // SAFETY: the phases write different pixels, and together all.
    unsafe { filled(len, |out| run(&plans, out)) }
}
