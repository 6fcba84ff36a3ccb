//! Sentences of different lengths as one batch, and numbers from tensors and back.

use crate::recurrent::Lengths;
use crate::vocab::PAD;
use burn::tensor::{Device, Int, Tensor, TensorData};
use tenfold_core::data::Preprocess;
use tenfold_core::data::random::SplitMix64;
use tenfold_core::train::Loss;
use tenfold_core::train::loader::{Collate, Loader};
use tenfold_core::{Error, Result};

/// Sentences, padded to the longest one.
#[derive(Clone, Debug)]
pub struct Sentences {
    /// `[batch, steps]`
    pub tokens: Tensor<2, Int>,
    /// `[batch, steps]`: 0 on tokens, very low on padding: what is added before a softmax.
    pub bias: Tensor<2>,
    /// Where they end.
    pub lengths: Lengths,
}

impl Sentences {
    /// Of at least one token each.
    pub fn new(sentences: &[&[usize]], device: &Device) -> Self {
        let batch = sentences.len();
        let lengths: Vec<usize> = sentences.iter().map(|sentence| sentence.len()).collect();
        let steps = lengths.iter().copied().max().unwrap_or(1);
        let bias: Vec<f32> = lengths
            .iter()
            .flat_map(|&length| (0..steps).map(move |t| if t < length { 0.0 } else { -1e9 }))
            .collect();
        Self {
            tokens: padded(sentences, steps, device),
            bias: Tensor::from_data(TensorData::new(bias, [batch, steps]), device),
            lengths: Lengths::new(&lengths, steps, device),
        }
    }
}

/// Rows of tokens, filled up with padding: `[batch, steps]`.
pub fn padded(rows: &[&[usize]], steps: usize, device: &Device) -> Tensor<2, Int> {
    let fill = |row: &&[usize]| {
        let mut row: Vec<i32> = row.iter().map(|&token| token as i32).collect();
        row.resize(steps, PAD as i32);
        row
    };
    let tokens: Vec<i32> = rows.iter().flat_map(fill).collect();
    Tensor::from_data(TensorData::new(tokens, [rows.len(), steps]), device)
}

/// Numbers on the device, `[count]`.
pub fn flat(values: Vec<i32>, device: &Device) -> Tensor<1, Int> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}

/// Preprocessed images on the device, `[batch, channels, height, width]`.
pub fn images(values: Vec<f32>, preprocess: &Preprocess, device: &Device) -> Tensor<4> {
    let [channels, height, width] = preprocess.shape();
    let batch = values.len() / (channels * height * width).max(1);
    Tensor::from_data(TensorData::new(values, [batch, channels, height, width]), device)
}

/// What a tensor holds, row after row.
///
/// # Errors
/// The device.
pub fn numbers<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    let data = tensor.try_into_data().map_err(|why| Error::Training(why.to_string()))?;
    data.convert::<f32>().try_to_vec().map_err(|why| Error::Training(format!("{why:?}")))
}

/// The mean of a loss over a whole pass, each batch weighed by its count.
///
/// # Errors
/// A batch that cannot be read; the device.
pub fn mean_loss<B: Collate>(batches: &Loader<B>, loss: impl Fn(B::Batch) -> Loss) -> Result<f64> {
    let (mut sum, mut all) = (0.0, 0);
    for batch in batches.pass() {
        let Loss { total, count, .. } = loss(batch?);
        let mean = numbers(total)?.into_iter().map(f64::from).sum::<f64>();
        (sum, all) = (sum + mean * count as f64, all + count);
    }
    Ok(sum / all.max(1) as f64)
}

/// The part of a batch whose highest logit, `[batch, classes]`, is its class, `[batch]`.
pub fn accuracy(logits: Tensor<2>, classes: Tensor<1, Int>) -> Tensor<1> {
    logits.argmax(1).flatten::<1>(0, 1).equal(classes).float().mean()
}

/// Puts examples of similar length into the same batch, for [`Collate::arrange`]: pools of many
/// batches are sorted by `key` and cut into batches, which are shuffled. The order stays in
/// which a smaller batch comes last.
///
/// [`Collate::arrange`]: tenfold_core::train::loader::Collate::arrange
pub fn by_length<K: Ord>(
    mut order: Vec<usize>,
    batch_size: usize,
    random: &mut SplitMix64,
    key: impl Fn(usize) -> K,
) -> Vec<usize> {
    for pool in order.chunks_mut(100 * batch_size) {
        pool.sort_by_key(|&example| (key(example), example));
    }
    let rest = order.split_off(order.len() / batch_size * batch_size);
    let mut batches: Vec<Vec<usize>> = order.chunks(batch_size).map(<[_]>::to_vec).collect();
    random.shuffle(&mut batches);
    batches.into_iter().flatten().chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_share_a_length_and_every_example_is_there() {
        let mut random = SplitMix64::new(3);
        let mut order: Vec<usize> = (0..103).collect();
        random.shuffle(&mut order);
        let arranged = by_length(order, 10, &mut random, |example| example % 10);
        for batch in arranged[..100].chunks(10) {
            let lengths = batch.iter().map(|example| example % 10);
            let spread = lengths.clone().max().unwrap() - lengths.min().unwrap();
            assert!(spread <= 1, "{batch:?}");
        }
        let mut all = arranged.clone();
        all.sort();
        assert!(all.into_iter().eq(0..103));
        let firsts: Vec<usize> = arranged.chunks(10).map(|batch| batch[0] % 10).collect();
        assert!(!firsts.is_sorted(), "the batches are shuffled: {firsts:?}");
    }
}
