//! Losses.

use burn::nn::loss::CrossEntropyLoss;
use burn::tensor::{Int, Tensor};

/// The loss of `logits`, `[rows, classes]`, for the classes `targets`, `[rows]`: Burn's, in one
/// pass forward and one backward. Probabilities instead of logits and padding are Burn's own.
///
/// # Panics
/// Where shapes do not fit or a class is not among those of the logits.
pub fn cross_entropy(
    loss: &CrossEntropyLoss,
    logits: Tensor<2>,
    targets: Tensor<1, Int>,
) -> Tensor<1> {
    #[cfg(feature = "flex")]
    if let Some(loss) = fast::cross_entropy(loss, &logits, &targets) {
        return loss;
    }
    loss.forward(logits, targets)
}

#[cfg(feature = "flex")]
mod fast {
    use super::{CrossEntropyLoss, Int, Tensor};
    use crate::raw::loss::{self, Targets};
    use crate::route::{self, Operand, Operator};
    use burn_flex::FlexTensor;
    use std::sync::Arc;

    pub(super) fn cross_entropy(
        loss: &CrossEntropyLoss,
        logits: &Tensor<2>,
        targets: &Tensor<1, Int>,
    ) -> Option<Tensor<1>> {
        let [rows, count] = logits.dims();
        let operands = [Operand::new(logits.clone())];
        if !loss.logits
            || loss.pad_tokens.is_some()
            || targets.dims() != [rows]
            || rows * count == 0
            || !route::reaches(&operands)
        {
            return None;
        }
        let classes =
            targets.to_data().iter::<i64>().map(usize::try_from).collect::<Result<_, _>>();
        let weights =
            loss.weights.as_ref().map(|weights| weights.to_data().iter::<f32>().collect());
        let operator = CrossEntropy {
            classes: classes.ok()?,
            count,
            smoothing: loss.smoothing.unwrap_or(0.0),
            weights,
        };
        Some(route::apply(operator, operands))
    }

    #[derive(Clone, Debug)]
    struct CrossEntropy {
        classes: Arc<[usize]>,
        count: usize,
        smoothing: f32,
        weights: Option<Arc<[f32]>>,
    }

    impl CrossEntropy {
        fn targets(&self) -> Targets<'_> {
            let Self { classes, count, smoothing, weights } = self;
            Targets { classes, count: *count, smoothing: *smoothing, weights: weights.as_deref() }
        }
    }

    impl Operator<1> for CrossEntropy {
        /// Logits, and the logarithms of the sums of exponentials.
        type Saved = (FlexTensor, Arc<[f32]>);

        fn forward(&self, [logits]: [FlexTensor; 1]) -> (FlexTensor, Self::Saved) {
            let logits = route::contiguous(logits);
            let (mean, sums) = loss::forward(route::slice(&logits), &self.targets());
            (route::primitive(vec![mean], [1]), (logits, sums.into()))
        }

        fn backward(
            &self,
            (logits, sums): Self::Saved,
            gradient: FlexTensor,
            _: [bool; 1],
        ) -> [Option<FlexTensor>; 1] {
            let gradient = route::contiguous(gradient);
            let factor = route::slice(&gradient)[0];
            let dx = loss::backward(route::slice(&logits), &self.targets(), &sums, factor);
            [Some(route::primitive(dx, logits.layout().shape().clone()))]
        }
    }
}
