//! Phrase-level attention: each word of the question attends to the image together with its two
//! neighbours, and an LSTM reads the words with what they found.
//!
//! Attention by phrases is that of J. Lu, J. Yang, D. Batra, D. Parikh: "Hierarchical
//! Question-Image Co-Attention for Visual Question Answering", NIPS (2016), section 3.2; heads
//! that compare query and key by a product are those of A. Vaswani et al.: "Attention
//! Is All You Need", NIPS (2017), section 3.2. Where a head attends is found by the spatial softmax of
//! S. Levine, C. Finn, T. Darrell, P. Abbeel: "End-to-End Training of Deep Visuomotor Policies",
//! JMLR (2016), section 5.1.
//!
//! Differs from the papers: the question alone attends, not the image back to it; products are
//! not scaled down, as only sharp attention says where a thing is, and without that nothing about
//! left and right is learnt; how well the best place suits, and about how many places do, are
//! found as well, without which there is no saying whether something is there, or how many.

use crate::recurrent::Lengths;
use burn::module::Module;
use burn::nn::LinearConfig;
use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{Device, Int, Tensor};
use tenfold_kernels::nn::Linear;
use tenfold_kernels::ops::Activation;

/// Features that a head compares, and that it brings back.
const COMPARED: usize = 16;
/// Scores above half of this count as places that suit: of those near 0, as all are at first,
/// few do.
const SUITS: f32 = 2.0;
/// Places that an object covers in a small drawing, so that their sum is about how many there are.
const COVERED: f32 = 4.0;
/// Coordinates are as large as this, so that they weigh as much as the features beside them.
const REACH: f32 = 4.0;

/// The attention of phrases to an image.
#[derive(Module, Debug)]
pub struct Phrases {
    /// From a word and its neighbours to a phrase.
    pub phrase: Linear,
    /// From a phrase to what its heads search for.
    pub query: Linear,
    /// From the features of a place to what heads compare.
    pub key: Linear,
    /// From the features of a place to what heads bring back.
    pub value: Linear,
}

impl Phrases {
    /// For so many features of a place and of a word, and so many heads of each phrase.
    pub fn new(features: usize, word: usize, heads: usize, device: &Device) -> Self {
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device).into();
        let width = heads * COMPARED;
        Self {
            phrase: linear(3 * word, width),
            query: linear(width, width),
            key: linear(features, width),
            value: linear(features, width),
        }
    }

    /// How many features so many heads of a phrase find: those brought back, two coordinates,
    /// how well the best place suits, and how many places do.
    pub fn found(heads: usize) -> usize {
        heads * (COMPARED + 4)
    }

    /// What each phrase of the questions finds in its image: `[questions, steps, found]`.
    ///
    /// `words` are `[questions, steps, features]` that end at `lengths`, `grid` the images'
    /// features, `[images, places, features]` with places row by row of a square, and `about`
    /// `[questions]` is the image of each.
    pub fn forward(
        &self,
        words: Tensor<3>,
        lengths: &Lengths,
        grid: Tensor<3>,
        about: Tensor<1, Int>,
    ) -> Tensor<3> {
        let [questions, steps, _] = words.dims();
        let [images, places, _] = grid.dims();
        let coordinates = coordinates(places, &grid.device());
        // [rows, along, width] to [rows, heads, along, compared]
        let each = |x: Tensor<3>| {
            let [rows, along, width] = x.dims();
            x.reshape([rows, along, width / COMPARED, COMPARED]).swap_dims(1, 2)
        };
        let phrase = neighbours(lengths.masked(words));
        let phrase = self.phrase.forward_with(phrase, Activation::Relu);
        let query = each(self.query.forward(phrase));
        // Each question's image by a product: going back through `select` adds slowly.
        let all = Tensor::<1, Int>::arange(0..images as i64, &grid.device()).unsqueeze::<2>();
        let all = all.expand([questions, images]);
        let about = about.unsqueeze_dim::<2>(1).expand([questions, images]);
        let image = about.equal(all).float();
        let its = |x: Tensor<3>| {
            let [_, places, width] = x.dims();
            each(image.clone().matmul(x.flatten(1, 2)).reshape([questions, places, width]))
        };
        let key = its(self.key.forward(grid.clone()));
        let value = its(self.value.forward(grid));
        let scores = query.matmul(key.swap_dims(2, 3)); // [questions, heads, steps, places]
        let heads = scores.dims()[1];
        let weights = softmax(scores.clone(), 3);
        let at = weights.clone().reshape([questions * heads * steps, places]).matmul(coordinates);
        let at = at.reshape([questions, heads, steps, 2]);
        let well = scores.clone().max_dim(3);
        let many = sigmoid(scores * 2.0 - SUITS).sum_dim(3) / COVERED;
        let found = Tensor::cat(vec![weights.matmul(value), at, well, many], 3);
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
