//! Channels of two images one after the other.

use burn::tensor::Tensor;

/// The channels of `first` and then those of `second`, `[batch, channels, height, width]` each:
/// as [`Tensor::cat`] along dimension 1, but the result is channels last as everything else.
///
/// # Panics
/// Where the other sizes differ, as Burn's own.
pub fn cat_channels(first: Tensor<4>, second: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "flex")]
    let (first, second) = match fast::cat_channels(first, second) {
        Ok(y) => return y,
        Err(operands) => operands,
    };
    Tensor::cat(vec![first, second], 1)
}

#[cfg(feature = "flex")]
mod fast {
    use super::Tensor;
    use crate::raw::cat;
    use crate::route::{self, Operand, Operator};
    use burn_flex::FlexTensor;

    pub(super) fn cat_channels(
        first: Tensor<4>,
        second: Tensor<4>,
    ) -> Result<Tensor<4>, (Tensor<4>, Tensor<4>)> {
        let [[n, a, h, w], [n2, b, h2, w2]] = [first.dims(), second.dims()];
        let operands = [Operand::new(first.clone()), Operand::new(second.clone())];
        if [n, h, w] != [n2, h2, w2] || n * a * b * h * w == 0 || !route::reaches(&operands) {
            return Err((first, second));
        }
        Ok(route::apply(Cat([a, b]), operands))
    }

    /// Channels of the first and of the second.
    #[derive(Clone, Debug)]
    struct Cat([usize; 2]);

    impl Operator<2> for Cat {
        type Saved = ();

        fn forward(&self, inputs: [FlexTensor; 2]) -> (FlexTensor, ()) {
            let inputs = inputs.map(route::to_channels_last);
            let [first, second] = inputs.each_ref().map(route::view);
            let [n, _, h, w] = first.shape();
            let y = cat::channels([&first, &second]);
            (route::channels_last(y, [n, self.0[0] + self.0[1], h, w]), ())
        }

        fn backward(
            &self,
            (): (),
            gradient: FlexTensor,
            wanted: [bool; 2],
        ) -> [Option<FlexTensor>; 2] {
            let gradient = route::to_channels_last(gradient);
            let view = route::view(&gradient);
            let ([first, second], [n, _, h, w]) = (self.0, view.shape());
            let part = |channels: std::ops::Range<usize>| {
                let shape = [n, channels.len(), h, w];
                route::channels_last(cat::some(&view, channels), shape)
            };
            [wanted[0].then(|| part(0..first)), wanted[1].then(|| part(first..first + second))]
        }
    }
}
