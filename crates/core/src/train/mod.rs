//! Supervised training on burn-train: one loop for every model of every task.
//!
//! The loop is a burn-train strategy, so that burn-train's metrics, renderer and learner
//! serve it; it replaces burn-train's own because that one cannot resume exactly (it has no
//! notion of the random streams) and writes its checkpoint as three separate files.

pub mod checkpoint;
pub mod history;
pub mod interrupt;
pub mod loader;
pub mod loss;
pub mod optim;
pub mod renderer;
pub mod schedule;

use crate::data::random::SplitMix64;
use crate::run::Run;
use crate::{Error, Result, viz, weights};
use burn::data::dataloader::DataLoader;
use burn::lr_scheduler::module_lr_scheduler::{ModuleLearningRate, ModuleLrScheduler};
use burn::module::{Module, ModuleDisplay, ParamGroup};
use burn::optim::ModuleOptimizer;
use burn::train::logger::MetricLogger;
use burn::train::metric::store::{EpochSummary, MetricsUpdate, Split};
use burn::train::metric::{MetricDefinition, NumericEntry};
use burn::train::{
    EventProcessorTraining, InferenceStep, Learner, LearnerEvent, SupervisedLearningStrategy,
    SupervisedTraining, SupervisedTrainingEventProcessor, TrainLoader, TrainStep,
    TrainingComponents, TrainingItem, TrainingStrategy, ValidLoader,
};
use history::{History, Line};
use loader::Epoch;
use optim::OptimizerConfig;
use renderer::{Means, Renderer};
use schedule::{Schedule, ScheduleConfig};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// A model in its training dress: the network, and the loss around it.
pub trait Trainable:
    TrainStep + InferenceStep + Module + ModuleDisplay + std::fmt::Display + 'static
{
    /// The network that is saved, without the dress.
    type Network: Module;

    /// The network inside.
    fn network(&self) -> &Self::Network;
}

/// How to train; stands in `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Passes over the training examples.
    pub epochs: usize,
    /// Examples per optimiser step.
    pub batch_size: usize,
    /// The (highest) learning rate.
    pub lr: f64,
    /// Source of every random number: initial weights, order, augmentation, dropout.
    pub seed: u64,
    /// The optimiser with its weight decay and clipping.
    pub optimizer: OptimizerConfig,
    /// The learning rate's course.
    pub schedule: ScheduleConfig,
    /// Stop after this many epochs without a lower validation loss.
    pub patience: Option<usize>,
    /// Each part of the network learns at the rate of the part above it times this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer_decay: Option<f64>,
    /// Keep the weights of the last epoch rather than those of the lowest validation loss.
    #[serde(default)]
    pub keep_last: bool,
}

impl Settings {
    /// The epoch whose weights are in the run folder.
    pub fn kept(&self, history: &History) -> Option<usize> {
        match self.keep_last {
            true => history.lines.last().map(|line| line.epoch),
            false => history.best().map(|(epoch, _)| epoch),
        }
    }
}

/// What a training needs besides the model.
pub struct Training<'a, M: Trainable> {
    /// Where to write.
    pub run: &'a Run,
    /// How to train.
    pub settings: &'a Settings,
    /// Batches to learn from, shuffled by [`Self::epoch`].
    pub train: Arc<dyn DataLoader<<M as TrainStep>::Input>>,
    /// Batches to validate on.
    pub validation: Arc<dyn DataLoader<<M as InferenceStep>::Input>>,
    /// The clock that the training loader shuffles by.
    pub epoch: Epoch,
    /// What stands in the weights file beside the weights.
    pub metadata: BTreeMap<String, String>,
    /// Parameters that keep their values. They are frozen here, not by the caller, because a
    /// checkpoint that is loaded thaws what it loads.
    pub frozen: Option<ParamGroup>,
    /// Parameters that learn at another rate, with its ratio to the schedule's; where groups
    /// overlap the last one counts.
    pub rates: Vec<(ParamGroup, f64)>,
    /// Continue from the run's checkpoint, where there is one.
    pub resume: bool,
}

/// Trains `model`, which must be on an autodiff device, and leaves the weights of the epoch
/// with the lowest validation loss in the run folder. `metrics` registers burn-train's
/// metrics, the loss among them.
///
/// # Errors
/// Data that cannot be read, a loss that became NaN or infinite, Ctrl-C, a folder that
/// cannot be written, a damaged checkpoint. The last good checkpoint stays in place.
pub fn fit<M: Trainable>(
    training: Training<'_, M>,
    model: M,
    metrics: impl FnOnce(SupervisedTraining<M>) -> SupervisedTraining<M>,
) -> Result<History> {
    let Training { run, settings, train, validation, epoch, metadata, frozen, rates, resume } =
        training;
    interrupt::listen();
    let mut course = Course {
        optimizer: settings.optimizer.build()?,
        history: History::default(),
        step: 0,
        done: 0,
    };
    let mut model = model;
    if resume && let Some(folder) = checkpoint::newest(&run.checkpoint_path()) {
        let (state, loaded, optimizer) = checkpoint::load(&folder, model, course.optimizer)?;
        checkpoint::remove_all_but(&run.checkpoint_path(), &folder);
        model = loaded;
        course = Course { optimizer, history: state.history, step: state.step, done: state.epoch };
    }
    if course.over(settings) {
        return Ok(course.history);
    }
    if let Some(group) = frozen {
        model = model.freeze_group(group);
    }
    let means = Means::default();
    let steps = settings.epochs * train.num_items().div_ceil(settings.batch_size);
    let schedule = settings.schedule.build(settings.lr, steps)?;
    let learner = Learner::new(model, course.optimizer.clone(), schedule.clone());
    let first = course.done;
    let state = Arc::new(Mutex::new((course, Ok(()))));
    let strategy = Loop {
        run: run.clone(),
        settings: settings.clone(),
        schedule,
        epoch,
        metadata,
        rates,
        means: means.clone(),
        state: state.clone(),
    };
    let builder = SupervisedTraining::new(run.folder(), train, validation)
        .num_epochs(settings.epochs)
        .with_application_logger(None)
        .with_metric_logger(Unlogged)
        .renderer(Box::new(Renderer::new(means)))
        .with_training_strategy(TrainingStrategy::Custom(Arc::new(strategy)));
    let builder = if first > 0 { builder.checkpoint(first) } else { builder };
    let result = metrics(builder).launch(learner);
    if let Some(error) = result.error {
        return Err(Error::Training(crate::error::one_line(error)));
    }
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::replace(&mut state.1, Ok(()))?;
    Ok(state.0.history.clone())
}

/// Where a training stands.
struct Course {
    optimizer: ModuleOptimizer,
    history: History,
    /// Optimiser steps taken.
    step: usize,
    /// Epochs done.
    done: usize,
}

impl Course {
    fn over(&self, settings: &Settings) -> bool {
        self.done >= settings.epochs
            || settings.patience.is_some_and(|patience| self.history.stalled(patience))
    }
}

struct Loop {
    run: Run,
    settings: Settings,
    schedule: Schedule,
    epoch: Epoch,
    metadata: BTreeMap<String, String>,
    rates: Vec<(ParamGroup, f64)>,
    means: Means,
    /// burn-train's strategy is borrowed immutably; what changes is here, with the outcome.
    state: Arc<Mutex<(Course, Result<()>)>>,
}

impl<M: Trainable> SupervisedLearningStrategy<M> for Loop {
    fn fit(
        &self,
        components: TrainingComponents<M>,
        learner: Learner<M>,
        train: TrainLoader<M>,
        validation: ValidLoader<M>,
        starting_epoch: usize,
    ) -> (M, SupervisedTrainingEventProcessor<M>) {
        let mut events = components.event_processor;
        let mut model = learner.model();
        let mut guard = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (course, outcome) = &mut *guard;
        for epoch in starting_epoch..=self.settings.epochs {
            *outcome = self.epoch(epoch, &mut model, course, &train, &validation, &mut events);
            if outcome.is_err() || course.over(&self.settings) {
                break;
            }
        }
        (model, events)
    }
}

impl Loop {
    /// One pass over the training data and one over the validation data, then everything
    /// on disk: best weights, metrics, curves, and last the checkpoint that vouches for them.
    fn epoch<M: Trainable>(
        &self,
        epoch: usize,
        model: &mut M,
        course: &mut Course,
        train: &TrainLoader<M>,
        validation: &ValidLoader<M>,
        events: &mut SupervisedTrainingEventProcessor<M>,
    ) -> Result<()> {
        self.epoch.set(epoch);
        // The device's random numbers (dropout) restart each epoch from its own seed.
        let seed = SplitMix64::keyed(&[self.settings.seed, epoch as u64, 1]).bits();
        model.devices().iter().for_each(|device| device.seed(seed));

        let total_items = train.num_items();
        let start = LearnerEvent::StartSplit { epoch_number: epoch, total_items };
        events.process_train(start).map_err(event)?;
        let begun = Instant::now();
        let mut batches = train.iter();
        while let Some(batch) = batches.next() {
            let batch = batch.map_err(|why| Error::Training(crate::error::one_line(why)))?;
            if interrupt::requested() {
                return Err(interrupted(course.done));
            }
            let lr = self.schedule.at(course.step);
            let output = TrainStep::step(model, batch);
            let gradients = match &self.settings.optimizer.clip {
                Some(clip) => clip.apply(model, output.grads),
                None => output.grads,
            };
            *model = course.optimizer.step(self.rates(lr), model.clone(), gradients);
            course.step += 1;
            let item = TrainingItem::new(output.item, batches.progress(), Some(course.step), None);
            events.process_train(LearnerEvent::ProcessedItem(item)).map_err(event)?;
            if self.means.diverged() {
                return Err(self.diverged(epoch, course));
            }
        }
        events.process_train(LearnerEvent::EndSplit(epoch)).map_err(event)?;
        events.flush().map_err(event)?;
        if self.means.diverged() {
            return Err(self.diverged(epoch, course));
        }
        self.record(course, epoch, "train", begun);

        let total_items = validation.num_items();
        let start = LearnerEvent::StartSplit { epoch_number: epoch, total_items };
        events.process_valid(start).map_err(event)?;
        let begun = Instant::now();
        let fixed = model.valid();
        let mut batches = validation.iter();
        while let Some(batch) = batches.next() {
            let batch = batch.map_err(|why| Error::Training(crate::error::one_line(why)))?;
            if interrupt::requested() {
                return Err(interrupted(course.done));
            }
            let output = InferenceStep::step(&fixed, batch);
            let item = TrainingItem::new(output, batches.progress(), None, None);
            events.process_valid(LearnerEvent::ProcessedItem(item)).map_err(event)?;
        }
        events.process_valid(LearnerEvent::EndSplit(epoch)).map_err(event)?;
        events.process_train(LearnerEvent::EndEpoch(epoch)).map_err(event)?;
        events.flush().map_err(event)?;
        if self.means.diverged() {
            return Err(self.diverged(epoch, course));
        }
        self.record(course, epoch, "validation", begun);

        if self.settings.kept(&course.history) == Some(epoch) {
            weights::save(fixed.network(), &self.run.weights_path(), &self.metadata)?;
        }
        course.history.write(&self.run.metrics_path())?;
        viz::curves::write(&course.history, &self.run.curves_path())?;
        course.done = epoch;
        let root = self.run.checkpoint_path();
        checkpoint::save(&root, epoch, course.step, &course.history, model, &course.optimizer)
    }

    /// The rate of every parameter where the schedule says `lr`.
    fn rates(&self, lr: f64) -> ModuleLearningRate {
        let own = |all: ModuleLrScheduler, (group, ratio): &(ParamGroup, f64)| {
            all.with_group(group.clone(), lr * ratio)
        };
        self.rates.iter().fold(ModuleLrScheduler::new(lr), own).step()
    }

    fn record(&self, course: &mut Course, epoch: usize, split: &str, begun: Instant) {
        course.history.lines.push(Line {
            epoch,
            split: split.into(),
            metrics: self.means.get(),
            lr: self.schedule.at(course.step.saturating_sub(1)),
            seconds: begun.elapsed().as_secs_f64(),
        });
    }

    fn diverged(&self, epoch: usize, course: &Course) -> Error {
        let kept = match course.done {
            0 => "no checkpoint was made yet".to_string(),
            done => format!("the checkpoint of epoch {done} is kept"),
        };
        Error::Training(format!(
            "the loss became NaN or infinite in epoch {epoch} at step {}: try a lower --lr than {:?}; {kept}",
            course.step, self.settings.lr
        ))
    }
}

fn interrupted(done: usize) -> Error {
    Error::Training(match done {
        0 => "interrupted before the end of the first epoch; --resume starts it again".into(),
        done => format!("interrupted; --resume continues after epoch {done}"),
    })
}

fn event(why: impl std::fmt::Display) -> Error {
    Error::Training(crate::error::one_line(why))
}

/// Without a metric logger of its own burn-train writes a folder per epoch.
struct Unlogged;

impl MetricLogger for Unlogged {
    fn log(&mut self, _update: MetricsUpdate, _epoch: usize, _split: &Split) {}

    fn read_numeric(
        &mut self,
        _name: &str,
        _epoch: usize,
        _split: &Split,
    ) -> std::result::Result<Vec<NumericEntry>, String> {
        Ok(Vec::new())
    }

    fn log_metric_definition(&mut self, _definition: MetricDefinition) {}

    fn log_epoch_summary(&mut self, _summary: EpochSummary) {}
}
