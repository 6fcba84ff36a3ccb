//! FiLM: the question turns the picture's features up, down and around, place by place.
//!
//! E. Perez, F. Strub, H. de Vries, V. Dumoulin, A. Courville: "FiLM: Visual Reasoning with a
//! General Conditioning Layer", AAAI (2018), sections 2 and 3 (arXiv:1709.07871).
//!
//! Differs from the paper: convolutions within a block are of one place (the paper's own
//! ablation, table 3), and there is one of them, without batch normalisation; what is found is
//! not only the largest over all places but also their mean, without which counting is hard.

use burn::module::Module;
use burn::nn::LinearConfig;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor};
use tenfold_kernels::nn::Linear;
use tenfold_kernels::ops::Activation;

/// What follows the encoder: blocks whose features a question scales and shifts, equation 2.
#[derive(Module, Debug)]
pub struct Film {
    /// From the features and the two coordinates of a place.
    pub place: Linear,
    /// From the question to a scale and a shift for each feature of each block.
    pub modulation: Linear,
    /// Between two blocks.
    pub blocks: Vec<Linear>,
    /// From what was found to the common space.
    pub found: Linear,
}

impl Film {
    /// For so many features of a place, units of the question, features within a block, and
    /// blocks after the first.
    pub fn new(
        features: usize,
        question: usize,
        width: usize,
        blocks: usize,
        device: &Device,
    ) -> Self {
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device).into();
        Self {
            place: linear(features + 2, width),
            modulation: linear(question, (blocks + 1) * 2 * width),
            blocks: (0..blocks).map(|_| linear(width, width)).collect(),
            found: linear(2 * width, question),
        }
    }

    /// What the questions, `[questions, units]`, find in their pictures, `[pictures, places,
    /// features]` with places row by row of a square; `about` `[questions]` tells the picture of
    /// each. To `[questions, units]`.
    pub fn forward(&self, grid: Tensor<3>, about: Tensor<1, Int>, asked: Tensor<2>) -> Tensor<2> {
        let grid = Tensor::cat(vec![coordinates(&grid), grid], 2);
        let x = self.place.forward(grid).select(0, about); // [questions, places, width]
        let [questions, _, width] = x.dims();
        let modulation = self.modulation.forward(asked);
        let modulation = modulation.reshape([questions, self.blocks.len() + 1, 2, width]);
        let film = |x: Tensor<3>, block: usize| {
            let of = |which: usize| {
                modulation
                    .clone()
                    .narrow(1, block, 1)
                    .narrow(2, which, 1)
                    .reshape([questions, 1, width])
            };
            // A question that says nothing yet leaves the features as they are.
            relu(x * (of(0) + 1.0) + of(1))
        };
        let mut x = film(x, 0);
        for (number, block) in self.blocks.iter().enumerate() {
            x = x.clone() + film(block.forward(x), number + 1);
        }
        let largest = x.clone().max_dim(1).squeeze_dim::<2>(1);
        let found = Tensor::cat(vec![largest, x.mean_dim(1).squeeze_dim::<2>(1)], 1);
        self.found.forward_with(found, Activation::Relu)
    }
}

/// Where each place of a square is, from -1 to 1: `[pictures, places, 2]`.
fn coordinates(grid: &Tensor<3>) -> Tensor<3> {
    let [pictures, places, _] = grid.dims();
    let side = places.isqrt().max(1);
    let at = |index: usize| 2.0 * (index as f32 + 0.5) / side as f32 - 1.0;
    let both: Vec<f32> =
        (0..places).flat_map(|place| [at(place % side), at(place / side)]).collect();
    let one = Tensor::<1>::from_floats(&both[..], &grid.device()).reshape([1, places, 2]);
    one.expand([pictures, places, 2])
}
