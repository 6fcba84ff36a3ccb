//! Steps of optimisers, one pass over memory each. They round as Burn's formulas do, operation
//! by operation, so that results are the same to the last bit.

use super::SMALL;
use super::simd::vectorised;
use rayon::prelude::*;

/// Parameters that one thread takes at a time.
const BLOCK: usize = 1 << 14;

/// A step of gradient descent, with momentum or without.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    /// The learning rate.
    pub rate: f32,
    /// How much of the last step is kept.
    pub momentum: f32,
    /// What of the gradient is added to it.
    pub gain: f32,
    /// Nesterov's momentum, which looks one step ahead.
    pub nesterov: bool,
    /// An L2 penalty.
    pub decay: Option<f32>,
}

vectorised! {
    fn sgd_block(sgd: &Sgd, parameters: &mut [f32], gradient: &[f32]) {
        for (parameter, &g) in parameters.iter_mut().zip(gradient) {
            let g = match sgd.decay {
                Some(decay) => *parameter * decay + g,
                None => g,
            };
            *parameter -= g * sgd.rate;
        }
    }
}

vectorised! {
    fn momentum_block(sgd: &Sgd, first: bool, parameters: &mut [f32], gradient: &[f32], velocity: &mut [f32]) {
        for ((parameter, &g), velocity) in parameters.iter_mut().zip(gradient).zip(velocity) {
            let g = match sgd.decay {
                Some(decay) => *parameter * decay + g,
                None => g,
            };
            let v = if first { g } else { g * sgd.gain + *velocity * sgd.momentum };
            *velocity = v;
            let step = if sgd.nesterov { v * sgd.momentum + g } else { v };
            *parameter -= step * sgd.rate;
        }
    }
}

/// Gradient descent without momentum.
///
/// # Panics
/// Where lengths differ.
pub fn sgd(sgd: &Sgd, parameters: &mut [f32], gradient: &[f32]) {
    assert_eq!(gradient.len(), parameters.len(), "gradient");
    let block = |(parameters, gradient): (&mut [f32], &[f32])| sgd_block(sgd, parameters, gradient);
    if parameters.len() < SMALL {
        block((parameters, gradient));
    } else {
        parameters.par_chunks_mut(BLOCK).zip(gradient.par_chunks(BLOCK)).for_each(block);
    }
}

/// Gradient descent with momentum; at the `first` step `velocity` is only written.
///
/// # Panics
/// Where lengths differ.
pub fn momentum(
    sgd: &Sgd,
    first: bool,
    parameters: &mut [f32],
    gradient: &[f32],
    velocity: &mut [f32],
) {
    assert_eq!([gradient.len(), velocity.len()], [parameters.len(); 2], "gradient and velocity");
    let block = |((parameters, gradient), velocity): ((&mut [f32], &[f32]), &mut [f32])| {
        momentum_block(sgd, first, parameters, gradient, velocity);
    };
    if parameters.len() < SMALL {
        block(((parameters, gradient), velocity));
    } else {
        let parameters = parameters.par_chunks_mut(BLOCK).zip(gradient.par_chunks(BLOCK));
        parameters.zip(velocity.par_chunks_mut(BLOCK)).for_each(block);
    }
}

/// A step of Adam (Kingma and Ba, 2015, arXiv:1412.6980) or AdamW (Loshchilov and Hutter, 2019,
/// arXiv:1711.05101).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// The learning rate.
    pub rate: f32,
    /// Decay of the mean of the gradients, and of their squares.
    pub betas: [f32; 2],
    /// Added to the root of the mean square.
    pub epsilon: f32,
    /// An L2 penalty.
    pub decay: Option<f32>,
    /// What each parameter is first multiplied with: AdamW's decay. The two optimisers also
    /// round differently, as Burn's do.
    pub shrink: Option<f32>,
    /// Steps so far, with this one.
    pub time: i32,
}

vectorised! {
    fn adam_block(adam: &Adam, parameters: &mut [f32], gradient: &[f32], mean: &mut [f32], square: &mut [f32]) {
        let [beta_1, beta_2] = adam.betas;
        let (gain_1, gain_2) = (1.0 - beta_1, 1.0 - beta_2);
        let (left_1, left_2) = (1.0 - beta_1.powi(adam.time), 1.0 - beta_2.powi(adam.time));
        let first = adam.time == 1;
        // Where one of both is told by a constant, the other leaves no trace in the loop.
        let moments = |g: f32, m: &mut f32, v: &mut f32| {
            (*m, *v) = if first {
                (g * gain_1, g * g * gain_2)
            } else {
                (*m * beta_1 + g * gain_1, *v * beta_2 + g * g * gain_2)
            };
            (*m, *v)
        };
        let all = parameters.iter_mut().zip(gradient).zip(mean).zip(square);
        match adam.shrink {
            Some(shrink) => {
                for (((parameter, &g), m), v) in all {
                    let (m, v) = moments(g, m, v);
                    let step = m / left_1 / ((v / left_2).sqrt() + adam.epsilon);
                    *parameter = *parameter * shrink - step * adam.rate;
                }
            }
            None => {
                let root = left_2.sqrt();
                let (factor, epsilon) = (root / left_1, adam.epsilon * root);
                for (((parameter, &g), m), v) in all {
                    let g = match adam.decay {
                        Some(decay) => *parameter * decay + g,
                        None => g,
                    };
                    let (m, v) = moments(g, m, v);
                    let step = m * factor / (v.sqrt() + epsilon);
                    *parameter -= step * adam.rate;
                }
            }
        }
    }
}

/// Adam or AdamW; at the first step `mean` and `square` are only written.
///
/// # Panics
/// Where lengths differ.
pub fn adam(
    adam: &Adam,
    parameters: &mut [f32],
    gradient: &[f32],
    mean: &mut [f32],
    square: &mut [f32],
) {
    let lengths = [gradient.len(), mean.len(), square.len()];
    assert_eq!(lengths, [parameters.len(); 3], "gradient and moments");
    if parameters.len() < SMALL {
        adam_block(adam, parameters, gradient, mean, square);
    } else {
        let parameters = parameters.par_chunks_mut(BLOCK).zip(gradient.par_chunks(BLOCK));
        let moments = mean.par_chunks_mut(BLOCK).zip(square.par_chunks_mut(BLOCK));
        parameters.zip(moments).for_each(|((parameters, gradient), (mean, square))| {
            adam_block(adam, parameters, gradient, mean, square);
        });
    }
}
