//! The loss of a batch, and its gradients.

use super::config::ActorCriticConfig;
use super::rollout::Rollout;
use crate::agents::Log;
use crate::networks::ActorCritic;
use crate::tensors::{elements, vector};
use burn::optim::GradientsParams;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor, TensorData};
use tenfold_core::Result;
use tenfold_core::train::optim::clip_grad_norm;

impl ActorCriticConfig {
    /// The gradients of the loss of a batch, of which was `seen`, `[B, cells]`, and `shown` to
    /// the critic.
    pub(super) fn gradients(
        &self,
        network: &ActorCritic,
        batch: &Rollout,
        seen: Tensor<2>,
        shown: Option<Tensor<2>>,
        imitation: f32,
        log: &mut Log,
    ) -> Result<GradientsParams> {
        let (size, autodiff_device) = (batch.actions.len(), seen.device());
        let mut advantages = batch.advantages.clone();
        if self.normalise && size > 1 {
            let mean = advantages.iter().sum::<f32>() / size as f32;
            let square = advantages.iter().map(|a| (a - mean).powi(2)).sum::<f32>() / size as f32;
            advantages.iter_mut().for_each(|a| *a = (*a - mean) / (square.sqrt() + 1e-8));
        }
        let advantages = vector(advantages, &autodiff_device);
        let (logits, values) = network.forward(seen, shown);
        let logs = log_softmax(logits, 1); // [B, A]
        let actions = TensorData::new(batch.actions.clone(), [size, 1]);
        let actions = Tensor::<2, Int>::from_data(actions, &autodiff_device);
        let chosen = logs.clone().gather(1, actions).reshape([size]);
        let gain = if self.clip > 0.0 {
            let ratio = (chosen - vector(batch.logs.clone(), &autodiff_device)).exp();
            // Schulman: "Approximating KL divergence", 2020, the third estimator.
            let ratios = elements(ratio.clone().inner());
            let apart = ratios.iter().map(|ratio| ratio - 1.0 - ratio.ln()).sum::<f32>();
            log.add("approx_kl", apart / size as f32);
            let cut = ratio.clone().clamp(1.0 - self.clip, 1.0 + self.clip);
            (ratio * advantages.clone()).min_pair(cut * advantages)
        } else {
            chosen * advantages
        };
        let mut loss = -gain.mean();
        let errors = values.reshape([size]) - vector(batch.returns.clone(), &autodiff_device);
        loss = loss + errors.square().mean() * (0.5 * self.value);
        if self.entropy > 0.0 {
            let entropy = -(logs.clone().exp() * logs.clone()).sum() / size as f32;
            log.add("entropy", elements(entropy.clone())[0]);
            loss = loss - entropy * self.entropy;
        }
        if imitation > 0.0 {
            let demonstrations = TensorData::new(batch.demonstrations.clone(), [size, 1]);
            let followed = logs
                .gather(1, Tensor::<2, Int>::from_data(demonstrations, &autodiff_device))
                .mean();
            log.add("imitation_loss", -elements(followed.clone())[0]);
            loss = loss - followed * imitation;
        }
        log.loss(elements(loss.clone())[0])?;
        let gradients = GradientsParams::from_grads(loss.backward(), network);
        Ok(match self.clip_norm > 0.0 {
            true => clip_grad_norm(network, gradients, self.clip_norm),
            false => gradients,
        })
    }
}
