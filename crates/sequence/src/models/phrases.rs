//! Phrases: each word of the question looks at the picture together with its two neighbours, and
//! an LSTM reads the words with what they found.
//!
//! Phrases that look are those of J. Lu, J. Yang, D. Batra, D. Parikh: "Hierarchical
//! Question-Image Co-Attention for Visual Question Answering", NIPS (2016), section 3.2; looks
//! by the product of query and key, several at once, are those of A. Vaswani et al.: "Attention
//! Is All You Need", NIPS (2017), section 3.2. Where a look went is the spatial softmax of
//! S. Levine, C. Finn, T. Darrell, P. Abbeel: "End-to-End Training of Deep Visuomotor Policies",
//! JMLR (2016), section 5.1.
//!
//! Differs from the papers: the question alone looks, not the picture back at it; products are
//! not scaled down, as only sharp looks tell where a thing is, and without that nothing about
//! left and right is learnt; how well the best place suits, and about how many places do, are
//! found as well, without which there is no saying whether something is there, or how many.

use crate::recurrent::Lengths;
use burn::module::Module;
use burn::nn::LinearConfig;
use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{Device, Int, Tensor};
use tenfold_kernels::nn::Linear;
use tenfold_kernels::ops::Activation;

/// Features that a look compares, and that it brings back.
const COMPARED: usize = 16;
/// Scores above half of this count as places that suit: of those near 0, as all are at first,
/// few do.
const SUITS: f32 = 2.0;
/// Places that an object covers in a small drawing, so that their sum is about how many there are.
const COVERED: f32 = 4.0;
/// Coordinates are as large as this, so that they weigh as much as the features beside them.
const REACH: f32 = 4.0;

/// The looks of phrases at a picture.
#[derive(Module, Debug)]
pub struct Phrases {
    /// From a word and its neighbours to a phrase.
    pub phrase: Linear,
    /// From a phrase to what its looks search for.
    pub query: Linear,
    /// From the features of a place to what looks compare.
    pub key: Linear,
    /// From the features of a place to what looks bring back.
    pub value: Linear,
}

impl Phrases {
    /// For so many features of a place and of a word, and so many looks of each phrase.
    pub fn new(features: usize, word: usize, looks: usize, device: &Device) -> Self {
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device).into();
        let width = looks * COMPARED;
        Self {
            phrase: linear(3 * word, width),
            query: linear(width, width),
            key: linear(features, width),
            value: linear(features, width),
        }
    }

    /// How many features so many looks of a phrase find: those brought back, two coordinates,
    /// how well the best place suits, and how many places do.
    pub fn found(looks: usize) -> usize {
        looks * (COMPARED + 4)
    }

    /// What each phrase of the questions finds in its picture: `[questions, steps, found]`.
    ///
    /// `words` are `[questions, steps, features]` that end at `lengths`, `grid` the pictures'
    /// features, `[pictures, places, features]` with places row by row of a square, and `about`
    /// `[questions]` tells the picture of each.
    pub fn forward(
        &self,
        words: Tensor<3>,
        lengths: &Lengths,
        grid: Tensor<3>,
        about: Tensor<1, Int>,
    ) -> Tensor<3> {
        let [questions, steps, _] = words.dims();
        let [pictures, places, _] = grid.dims();
        let coordinates = coordinates(places, &grid.device());
        // [rows, along, width] to [rows, looks, along, compared]
        let each = |x: Tensor<3>| {
            let [rows, along, width] = x.dims();
            x.reshape([rows, along, width / COMPARED, COMPARED]).swap_dims(1, 2)
        };
        let phrase = neighbours(lengths.masked(words));
        let phrase = self.phrase.forward_with(phrase, Activation::Relu);
        let query = each(self.query.forward(phrase));
        // Each question's picture by a product: going back through `select` adds slowly.
        let all = Tensor::<1, Int>::arange(0..pictures as i64, &grid.device()).unsqueeze::<2>();
        let all = all.expand([questions, pictures]);
        let about = about.unsqueeze_dim::<2>(1).expand([questions, pictures]);
        let picture = about.equal(all).float();
        let its = |x: Tensor<3>| {
            let [_, places, width] = x.dims();
            each(picture.clone().matmul(x.flatten(1, 2)).reshape([questions, places, width]))
        };
        let key = its(self.key.forward(grid.clone()));
        let value = its(self.value.forward(grid));
        let scores = query.matmul(key.swap_dims(2, 3)); // [questions, looks, steps, places]
        let looks = scores.dims()[1];
        let look = softmax(scores.clone(), 3);
        let at = look.clone().reshape([questions * looks * steps, places]).matmul(coordinates);
        let at = at.reshape([questions, looks, steps, 2]);
        let well = scores.clone().max_dim(3);
        let many = sigmoid(scores * 2.0 - SUITS).sum_dim(3) / COVERED;
        let found = Tensor::cat(vec![look.matmul(value), at, well, many], 3);
        found.swap_dims(1, 2).flatten(2, 3)
    }
}

/// Each word between its neighbours, zeros beyond the ends: `[questions, steps, 3 * features]`.
fn neighbours(words: Tensor<3>) -> Tensor<3> {
    let [questions, steps, features] = words.dims();
    let none = Tensor::zeros([questions, 1, features], &words.device());
    let around = Tensor::cat(vec![none.clone(), words, none], 1);
    Tensor::cat((0..3).map(|shift| around.clone().narrow(1, shift, steps)).collect(), 2)
}

/// Where each place of a square is, from `-REACH` to `REACH`: `[places, 2]`.
fn coordinates(places: usize, device: &Device) -> Tensor<2> {
    let side = places.isqrt().max(1);
    let at = |index: usize| REACH * (2.0 * (index as f32 + 0.5) / side as f32 - 1.0);
    let both: Vec<f32> =
        (0..places).flat_map(|place| [at(place % side), at(place / side)]).collect();
    Tensor::<1>::from_floats(&both[..], device).reshape([places, 2])
}
