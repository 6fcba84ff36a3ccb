//! Learning from examples with one optimiser: the learner of most tasks.

use super::average::Average;
use super::learner::{Learner, Model};
use super::loader::{Collate, Epoch, Loader};
use super::optim::OptimizerConfig;
use super::parts::Parts;
use super::plan::Figures;
use super::schedule::Schedule;
use super::settings::Settings;
use super::watch::Watch;
use crate::{Error, Result};
use burn::lr_scheduler::module_lr_scheduler::{ModuleLearningRate, ModuleLrScheduler};
use burn::module::{Module, ModuleDisplay, ParamGroup};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use std::collections::VecDeque;
use std::sync::Arc;

/// The figures of so many steps stay on the device while the next are computed.
const LATE: usize = 4;

/// What a batch costs.
pub struct Loss {
    /// What the gradient is taken of, penalties included.
    pub total: Tensor<1>,
    /// What curves show, each the batch's mean: `loss` first.
    pub shown: Vec<(&'static str, Tensor<1>)>,
    /// The examples, or tokens, that the means are over.
    pub count: usize,
}

impl Loss {
    /// A loss that is shown as it is.
    pub fn new(loss: Tensor<1>, count: usize) -> Self {
        Self { total: loss.clone(), shown: vec![("loss", loss)], count }
    }
}

/// A network, batches to learn from, a loss, and an optimiser with its schedule.
///
/// `loss` makes a batch's [`Loss`]; `wrap` makes the model that answers of the network without
/// gradients.
pub struct Supervised<N, B: Collate, L, W> {
    network: N,
    batches: Loader<B>,
    epoch: Epoch,
    loss: L,
    wrap: W,
    optimizer: (OptimizerConfig, ModuleOptimizer),
    schedule: Schedule,
    rates: Vec<(ParamGroup, f64)>,
    average: Option<Average<N>>,
    /// The highest learning rate.
    lr: f64,
    step: usize,
}

impl<N, B, L, W> Supervised<N, B, L, W>
where
    N: Module + ModuleDisplay,
    B: Collate,
{
    /// `network` must be on `device`, which must record gradients. The batches come in another
    /// order each epoch.
    ///
    /// # Errors
    /// Settings out of their range.
    pub fn new(
        network: N,
        batches: Arc<B>,
        settings: &Settings,
        device: &Device,
        loss: L,
        wrap: W,
    ) -> Result<Self> {
        let epoch = Epoch::default();
        let loader = Loader::new(batches, settings.batch_size, device.clone());
        let loader = loader.shuffled(settings.seed, epoch.clone());
        Self::with_loader(network, loader, epoch, settings, loss, wrap)
    }

    /// The same with a loader of the task's own, which follows `epoch`.
    ///
    /// # Errors
    /// Settings out of their range.
    pub fn with_loader(
        network: N,
        batches: Loader<B>,
        epoch: Epoch,
        settings: &Settings,
        loss: L,
        wrap: W,
    ) -> Result<Self> {
        let steps = settings.epochs * batches.batches();
        let optimizer = (settings.optimizer.clone(), settings.optimizer.build()?);
        let schedule = settings.schedule.build(settings.lr, steps)?;
        Ok(Self {
            network,
            batches,
            epoch,
            loss,
            wrap,
            optimizer,
            schedule,
            rates: Vec::new(),
            average: None,
            lr: settings.lr,
            step: 0,
        })
    }

    /// Some parameters learn at another rate, with its ratio to the schedule's; where groups
    /// overlap the last one counts.
    pub fn rates(self, rates: Vec<(ParamGroup, f64)>) -> Self {
        Self { rates, ..self }
    }

    /// Hands over the exponential moving average of the weights, of which each step keeps `decay`.
    pub fn averaged(self, decay: f64) -> Self {
        let average = Some(Average { network: self.network.valid(), decay });
        Self { average, ..self }
    }

    fn learning_rate(&self, lr: f64) -> ModuleLearningRate {
        let own = |all: ModuleLrScheduler, (group, ratio): &(ParamGroup, f64)| {
            all.with_group(group.clone(), lr * ratio)
        };
        self.rates.iter().fold(ModuleLrScheduler::new(lr), own).step()
    }
}

/// One step of an optimiser down the gradient of `loss`: backward, clip, step. Gives the
/// network back.
pub fn descend<N: Module>(
    network: N,
    loss: &Tensor<1>,
    (config, optimizer): (&OptimizerConfig, &mut ModuleOptimizer),
    lr: ModuleLearningRate,
) -> N {
    let gradients = GradientsParams::from_grads(loss.backward(), &network);
    let gradients = match &config.clip {
        Some(clip) => clip.apply(&network, gradients),
        None => gradients,
    };
    optimizer.step(lr, network, gradients)
}

impl<N, B, M, L, W> Learner for Supervised<N, B, L, W>
where
    N: Module + ModuleDisplay,
    B: Collate,
    M: Model,
    L: Fn(&N, B::Batch) -> Loss,
    W: Fn(N) -> M,
{
    type Model = M;

    fn round(&mut self, round: usize, watch: &mut Watch) -> Result<Option<Figures>> {
        self.epoch.set(round);
        let mut pass = self.batches.pass();
        watch.expect(pass.total());
        let mut late = VecDeque::new();
        while let Some(batch) = pass.next() {
            let batch = batch.map_err(|why| Error::Training(crate::error::one_line(why)))?;
            watch.go_on()?;
            let rate = self.learning_rate(self.schedule.at(self.step));
            let Loss { total, shown, count } = (self.loss)(&self.network, batch);
            let (config, optimizer) = &mut self.optimizer;
            self.network = descend(self.network.clone(), &total, (config, optimizer), rate);
            self.step += 1;
            if let Some(average) = &mut self.average {
                average.add(&self.network.valid(), self.step);
            }
            watch.step(self.step, self.lr);
            late.push_back((shown, count));
            if late.len() > LATE
                && let Some(figures) = late.pop_front()
            {
                read(figures, watch)?;
            }
            watch.advance(pass.done())?;
        }
        late.into_iter().try_for_each(|figures| read(figures, watch))?;
        watch.advance(pass.done())?;
        let mut figures = watch.means();
        figures.insert("lr".into(), self.schedule.at(self.step.saturating_sub(1)));
        Ok(Some(figures))
    }

    fn model(&self) -> M {
        let average = self.average.as_ref().map(|average| average.network.clone());
        (self.wrap)(average.unwrap_or_else(|| self.network.valid()))
    }

    fn parts(&mut self, parts: &mut Parts) -> Result<()> {
        parts.module("network", &mut self.network)?;
        parts.optimizer("optimizer", &mut self.optimizer.1)?;
        if let Some(average) = &mut self.average {
            parts.module("average", &mut average.network)?;
        }
        parts.value("step", &mut self.step)
    }
}

/// Brings a batch's figures from the device.
fn read((shown, count): (Vec<(&'static str, Tensor<1>)>, usize), watch: &mut Watch) -> Result<()> {
    for (name, value) in shown {
        let data = value.try_into_data().map_err(|why| Error::Training(why.to_string()))?;
        let value = data.iter::<f64>().next().unwrap_or(f64::NAN);
        watch.add(name, value, count);
    }
    Ok(())
}

/// A learner whose one round fits a model to all examples at once: a closed form, nearest
/// neighbours, counting. It has no parts: a training that was cut off fits again.
pub struct AtOnce<M, F> {
    /// Given up with all that it holds, once it was called.
    fit: Option<F>,
    model: Option<M>,
}

impl<M, F: FnOnce() -> Result<M>> AtOnce<M, F> {
    /// `fit` makes the model.
    pub fn new(fit: F) -> Self {
        Self { fit: Some(fit), model: None }
    }
}

impl<M: Model + Clone, F: FnOnce() -> Result<M>> Learner for AtOnce<M, F> {
    type Model = M;

    fn round(&mut self, _: usize, _: &mut Watch) -> Result<Option<Figures>> {
        if let Some(fit) = self.fit.take() {
            self.model = Some(fit()?);
        }
        Ok(Some(Figures::new()))
    }

    fn model(&self) -> M {
        self.model.clone().expect("`fit` asks after a round")
    }
}
