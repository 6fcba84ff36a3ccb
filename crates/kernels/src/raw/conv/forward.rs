//! The convolution itself.

use super::plan::{Plan, run};
use super::shape::{CHANNELS, Conv, places};
use crate::raw::gemm::{Epilogue, Packed};
use crate::raw::{View, filled};

impl Conv {
    /// Weights `[outputs, inputs, height, width]` packed for [`forward`].
    ///
    /// # Panics
    /// Where the length is another.
    pub fn pack(&self, weight: &[f32]) -> Packed {
        let (taps, inputs) = (self.taps(), self.inputs);
        assert_eq!(weight.len(), self.outputs * inputs * taps, "weights");
        let row = inputs * taps;
        Packed::filled(row, self.outputs, |first, here, wide, out| {
            // Few channels at a time: their rows of the panel stay in the cache while the
            // outputs go by.
            for channel in (0..inputs).step_by(CHANNELS) {
                let places = places(channel, inputs, taps, taps, 0);
                for k in 0..here {
                    let weight = &weight[(first + k) * row + channel * taps..][..places.len()];
                    for (&place, &weight) in places.iter().zip(weight) {
                        out[place * wide + k] = weight;
                    }
                }
            }
        })
    }

    /// Weights `[outputs, inputs, height, width]` as [`convolve`] wants them.
    ///
    /// # Panics
    /// Where the length is another.
    pub fn prepare(&self, weight: &[f32]) -> Prepared {
        let [Some(winograd), _] = self.winograd() else {
            return Prepared { packed: self.pack(weight), winograd: false };
        };
        assert_eq!(weight.len(), self.outputs * self.inputs * 9, "weights");
        let taps = |input: usize, output: usize| -> [f32; 9] {
            let at = (output * self.inputs + input) * 9;
            weight[at..at + 9].try_into().expect("nine taps")
        };
        Prepared { packed: winograd.weights(taps), winograd: true }
    }
}

/// Weights as the pass forward wants them.
#[derive(Clone, Debug)]
pub struct Prepared {
    packed: Packed,
    winograd: bool,
}

impl Prepared {
    /// Of weights that are packed already, for a convolution by one pixel.
    pub fn of(packed: Packed) -> Self {
        Self { packed, winograd: false }
    }

    /// The packed weights.
    pub fn packed(&self) -> &Packed {
        &self.packed
    }

    /// Whether this is how `conv` wants its weights, of the same sizes.
    pub fn suits(&self, conv: &Conv) -> bool {
        self.winograd == conv.winograd()[0].is_some()
    }
}

/// The convolution `[batch, outputs, height, width]` of `x`, channels last.
///
/// # Panics
/// Where `x`, the weights or the bias are not of the shape.
pub fn convolve(
    conv: &Conv,
    x: &View<'_>,
    weights: &Prepared,
    bias: Option<&[f32]>,
    finish: Epilogue,
) -> Vec<f32> {
    assert!(weights.suits(conv), "weights that are prepared for another convolution");
    let [Some(winograd), _] = conv.winograd() else {
        return forward(conv, x, &weights.packed, bias, finish);
    };
    assert_eq!(x.shape, conv.input_shape(), "input");
    assert_ne!(finish, Epilogue::Accumulate, "nothing to add to");
    assert_eq!(weights.packed.terms(), conv.inputs * 16, "weights");
    assert_eq!(weights.packed.columns(), conv.outputs, "weights");
    assert!(bias.is_none_or(|bias| bias.len() == conv.outputs), "bias");
    let len = conv.output_shape().iter().product();
    // SAFETY: the tiles cover the whole output.
    unsafe { filled(len, |out| winograd.run(x, &weights.packed, bias, finish, out)) }
}

/// The convolution `[batch, outputs, height, width]` of `x`, channels last, with weights that
/// [`Conv::pack`] packed.
///
/// # Panics
/// Where `x`, the weights or the bias are not of the shape.
pub fn forward(
    conv: &Conv,
    x: &View<'_>,
    weights: &Packed,
    bias: Option<&[f32]>,
    finish: Epilogue,
) -> Vec<f32> {
    assert_eq!(x.shape, conv.input_shape(), "input");
    assert_ne!(finish, Epilogue::Accumulate, "nothing to add to");
    let job = conv.forward_job();
    let plan = Plan::new((&job, 1), x, weights, bias, finish);
    // SAFETY: the grid of a forward pass is the whole output.
    unsafe { filled(conv.output_shape().iter().product(), |out| run(plan.as_slice(), out)) }
}
