//! Two networks that learn against each other, from noise and real images.

use crate::guard::{Guard, NEARLY};
use crate::losses;
use crate::models::config::{NoiseConfig, Rule};
use crate::models::infogan;
use crate::models::network::{Discriminator, Generator};
use crate::models::noise::{Noise, one_hot};
use crate::models::wgan::clipped;
use crate::models::wgan_gp::penalty;
use crate::pixels::{Order, Pixels, images};
use crate::sheet;
use crate::training::Training;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::module::{Module, ModuleDisplay};
use burn::optim::ModuleOptimizer;
use burn::tensor::{Device, Tensor, TensorData};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tenfold_core::data::random::SplitMix64;
use tenfold_core::progress::note;
use tenfold_core::train::{Average, Figures, Learner, Parts, Watch, Weights, descend, drawn};
use tenfold_core::{Error, Result};

/// Images on the sheet of a measurement, and in a row of it.
pub const SHEET: usize = 64;
/// Images in a row.
pub const ROW: usize = 8;
/// The sheet's noise is of this seed, whatever the training's.
const SHEET_SEED: u64 = 64;

/// What learner and measurement share.
pub type Shared = Arc<Mutex<Guard>>;

/// The learner of models that make images from noise.
pub struct Adversarial {
    config: NoiseConfig,
    training: Training,
    images: Arc<Pixels>,
    order: Order,
    generator: Generator,
    discriminator: Discriminator,
    average: Option<Average<Generator>>,
    optimizers: [ModuleOptimizer; 2],
    step: usize,
    /// Both networks as they were at the best measurement, where an alarm goes back to them.
    kept: [Vec<u8>; 2],
    guard: Shared,
    folder: Option<PathBuf>,
    device: Device,
}

/// A module's parameters as bytes: a clone would share its running statistics.
pub fn packed<M: Module + ModuleDisplay>(module: &M) -> Result<Vec<u8>> {
    let bytes = module.clone().into_record().into_bytes();
    Ok(bytes.map_err(|why| Error::Training(why.to_string()))?.to_vec())
}

/// A module with these parameters.
pub fn unpacked<M: Module + ModuleDisplay>(module: M, bytes: &[u8]) -> Result<M> {
    use burn::store::ModuleRecord;
    use burn::tensor::Bytes;
    let fault = |why: &dyn std::fmt::Display| Error::Training(why.to_string());
    let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(bytes.to_vec()));
    module.try_load_record(record.map_err(|why| fault(&why))?).map_err(|why| fault(&why))
}

/// A loss as a number; one that is none ends the training.
///
/// # Errors
/// It is NaN or infinite: whose it is, and where.
pub fn finite(loss: &Tensor<1>, whose: &str, step: usize, done: usize, lr: f64) -> Result<f64> {
    let value = f64::from(loss.clone().into_scalar::<f32>());
    if value.is_finite() {
        return Ok(value);
    }
    let kept = match done {
        0 => "no checkpoint was made yet".to_string(),
        done => format!("the checkpoint of step {done} is kept"),
    };
    Err(Error::Training(format!(
        "the {whose}'s loss became NaN or infinite at step {step}: try a lower --lr than {lr:?}; {kept}"
    )))
}

impl Adversarial {
    /// With first weights; `folder` gets the sheets.
    ///
    /// # Errors
    /// Optimiser settings out of range.
    pub fn new(
        config: &NoiseConfig,
        training: &Training,
        images: Arc<Pixels>,
        guard: Shared,
        folder: Option<PathBuf>,
        device: Device,
    ) -> Result<Self> {
        let generator = drawn(Generator::new(config, &device));
        let discriminator = drawn(Discriminator::new(config, &device));
        let average = (config.average > 0.0)
            .then(|| Average { network: generator.valid(), decay: config.average });
        let optimizers = [training.optimizer.build()?, training.optimizer.build()?];
        Ok(Self {
            config: config.clone(),
            order: Order::new(training.seed, images.len()),
            training: training.clone(),
            images,
            generator,
            discriminator,
            average,
            optimizers,
            step: 0,
            kept: [Vec::new(), Vec::new()],
            guard,
            folder,
            device,
        })
    }

    /// The noise of a batch; `which` tells its use in a step.
    fn noise(&self, which: usize) -> Noise {
        let keys = [self.training.seed, self.step as u64, which as u64];
        let seed = SplitMix64::keyed(&keys).bits();
        Noise::new(&self.config, seed, 0..self.training.batch_size as u64)
    }

    fn classes(&self, labels: &[usize]) -> Option<Tensor<2>> {
        let classes = self.config.classes;
        (classes > 0).then(|| one_hot(labels, classes, &self.device))
    }

    /// A step of the discriminator: its loss, and the part of images that it is right about.
    fn discriminate(&mut self, turn: usize, rate: f64) -> Result<(Tensor<1>, Tensor<1>)> {
        let number = self.step * self.config.critic_steps + turn;
        let places = self.order.batch(number, self.training.batch_size);
        let real = self.images.batch(&places, &self.device);
        let labels: Vec<usize> = places.iter().map(|&at| self.images.labels[at]).collect();
        let noise = self.noise(turn);
        let made = self.generator.forward(noise.tensor(&self.device)).detach();
        let of_real = self.discriminator.forward(real.clone(), self.classes(&labels));
        let of_made = self.discriminator.forward(made.clone(), self.classes(&noise.labels));
        let right = of_real.logits.clone().greater_elem(0.0).float().mean()
            + of_made.logits.clone().lower_elem(0.0).float().mean();
        let (config, training) = (&self.config, &self.training);
        let mut loss =
            losses::discriminator(config.rule, of_real.logits, of_made.logits, config.smooth);
        let shown = loss.clone();
        if let Some(told) = of_made.code {
            loss = loss + self.information(told, &noise);
        }
        if let (true, Discriminator::Convolutions(critic)) =
            (self.config.penalty > 0.0, &self.discriminator)
        {
            let keys = [training.seed, self.step as u64, turn as u64, 1];
            let mut random = SplitMix64::keyed(&keys);
            let mix: Vec<f32> = (0..training.batch_size).map(|_| random.unit()).collect();
            let mix = TensorData::new(mix, [training.batch_size, 1, 1, 1]);
            let mix = Tensor::from_data(mix, &self.device);
            loss = loss + penalty(critic, real, made, mix).mul_scalar(self.config.penalty);
        }
        let rate = ModuleLrScheduler::new(rate * self.config.rate_ratio).step();
        let optimizer = (&self.training.optimizer, &mut self.optimizers[1]);
        self.discriminator = descend(self.discriminator.clone(), &loss, optimizer, rate);
        if self.config.clip > 0.0 {
            self.discriminator = clipped(self.discriminator.clone(), self.config.clip);
        }
        Ok((shown.detach(), right.mul_scalar(0.5).detach()))
    }

    fn information(&self, told: Tensor<2>, noise: &Noise) -> Tensor<1> {
        let (categories, codes) = (noise.one_hot(&self.device), noise.codes(&self.device));
        infogan::loss(&self.config, told, categories, codes).mul_scalar(self.config.information)
    }

    /// A step of the generator: its loss.
    fn generate(&mut self, rate: f64) -> Tensor<1> {
        let noise = self.noise(self.config.critic_steps);
        let made = self.generator.forward(noise.tensor(&self.device));
        // What it learns from here would be thrown away, but that of the code's part.
        let judge = match self.config.has_code() {
            true => self.discriminator.clone(),
            false => self.discriminator.clone().no_grad(),
        };
        let judged = judge.forward(made, self.classes(&noise.labels));
        let mut loss = losses::generator(self.config.rule, judged.logits);
        let shown = loss.clone();
        if let Some(told) = judged.code {
            loss = loss + self.information(told, &noise);
        }
        let rate = ModuleLrScheduler::new(rate).step();
        let optimizer = (&self.training.optimizer, &mut self.optimizers[0]);
        self.generator = descend(self.generator.clone(), &loss, optimizer, rate);
        shown.detach()
    }

    fn guard(&self) -> std::sync::MutexGuard<'_, Guard> {
        // It guards no data that a panic could have left half-changed.
        self.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the last measurement asks for: to keep both networks, or to go back to them.
    fn follow(&mut self) -> Result<()> {
        if !self.training.rollback {
            return Ok(());
        }
        let mut guard = self.guard().clone();
        if guard.keep {
            self.kept = [packed(&self.generator)?, packed(&self.discriminator)?];
            guard.keep = false;
        }
        if guard.alarm.is_some()
            && let (false, Some((_, step))) = (self.kept[0].is_empty(), guard.best)
        {
            self.generator = unpacked(self.generator.clone(), &self.kept[0])?;
            self.discriminator = unpacked(self.discriminator.clone(), &self.kept[1])?;
            if let Some(average) = &mut self.average {
                average.network = self.generator.valid();
            }
            let fresh = || self.training.optimizer.build();
            self.optimizers = [fresh()?, fresh()?];
            guard.went_back();
            let rate = self.training.lr * guard.rate;
            note(format_args!("back to the weights of step {step}, at a rate of {rate:.1e}"));
        }
        *self.guard() = guard;
        Ok(())
    }

    fn write_sheet(&self) -> Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let mut noise = Noise::new(&self.config, SHEET_SEED, 0..SHEET as u64);
        // Class by class, as far as they go.
        let labelled = self.config.classes + self.config.categories;
        for row in 0..if labelled > 0 { SHEET } else { 0 } {
            noise.set_label(row, row % labelled);
        }
        let Weights(generator) = self.model();
        let plain = generator.devices().into_iter().next().unwrap_or_default();
        let made = images(generator.forward(noise.tensor(&plain)));
        sheet::write(&sheet::grid(&made, ROW).into(), &sheet::frame(folder, self.step))
    }
}

impl Learner for Adversarial {
    type Model = Weights<Generator>;

    fn round(&mut self, round: usize, watch: &mut Watch) -> Result<Option<Figures>> {
        self.follow()?;
        let done = self.step;
        if let Some(folder) = &self.folder {
            sheet::clear(folder, done);
        }
        let end = self.training.at(round);
        watch.expect(end - done);
        let scale = self.guard().rate;
        let game = self.config.rule != Rule::Wasserstein;
        while self.step < end {
            watch.go_on()?;
            let rate = self.training.rate(self.step) * scale;
            let batch = self.training.batch_size;
            for turn in 0..self.config.critic_steps {
                let (loss, right) = self.discriminate(turn, rate)?;
                let loss = finite(&loss, "discriminator", self.step + 1, done, rate)?;
                watch.add("discriminator_loss", loss, batch);
                if game {
                    let right = f64::from(right.into_scalar::<f32>());
                    watch.add("discriminator_accuracy", right, batch);
                    let mut guard = self.guard();
                    guard.won = if right >= NEARLY { guard.won + 1 } else { 0 };
                } else {
                    watch.add("critic_estimate", -loss, batch);
                }
            }
            let loss = self.generate(rate);
            let loss = finite(&loss, "generator", self.step + 1, done, rate)?;
            watch.add("generator_loss", loss, batch);
            self.step += 1;
            if let Some(average) = &mut self.average {
                average.add(&self.generator.valid(), self.step);
            }
            watch.step(self.step, rate);
            watch.advance(self.step - done)?;
        }
        self.write_sheet()?;
        self.guard().step = self.step;
        let mut figures = watch.means();
        figures.insert("lr".into(), self.training.rate(self.step.saturating_sub(1)) * scale);
        Ok(Some(figures))
    }

    fn model(&self) -> Weights<Generator> {
        let average = self.average.as_ref().map(|average| average.network.clone());
        Weights(average.unwrap_or_else(|| self.generator.valid()))
    }

    fn parts(&mut self, parts: &mut Parts) -> Result<()> {
        // What the measurement before a checkpoint asked for is done before it.
        self.follow()?;
        parts.module("generator", &mut self.generator)?;
        parts.module("discriminator", &mut self.discriminator)?;
        parts.optimizer("generator-optimizer", &mut self.optimizers[0])?;
        parts.optimizer("discriminator-optimizer", &mut self.optimizers[1])?;
        if let Some(average) = &mut self.average {
            parts.module("average", &mut average.network)?;
        }
        if self.training.rollback {
            let [first, second] = &mut self.kept;
            for (name, bytes) in [("kept-generator", first), ("kept-discriminator", second)] {
                let own = bytes.clone();
                parts.raw(
                    name,
                    || Ok(own),
                    |read| {
                        *bytes = read;
                        Ok(())
                    },
                )?;
            }
        }
        let mut guard = self.guard().clone();
        parts.value("guard", &mut guard)?;
        *self.guard() = guard;
        parts.value("step", &mut self.step)
    }

    fn at(&self, round: usize) -> usize {
        self.training.at(round)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::dcgan;
    use std::collections::BTreeMap;
    use tenfold_core::data::glyphs::{Glyphs, Part};
    use tenfold_core::device::autodiff_device;
    use tenfold_core::run::Run;
    use tenfold_core::train::optim::{OptimizerConfig, OptimizerKind};
    use tenfold_core::train::{fit, random_stream};

    #[test]
    fn an_alarm_goes_back_to_the_weights_kept_at_half_the_rate() {
        let _stream = random_stream();
        let folder = tempfile::tempdir().unwrap();
        let run = Run::at(folder.path()).unwrap();
        let config = NoiseConfig { width: 2, average: 0.0, ..dcgan::config(1, 28) };
        let training = Training {
            steps: 4,
            every: 2,
            batch_size: 4,
            lr: 1e-2,
            decay: 0.0,
            optimizer: OptimizerConfig::new(OptimizerKind::Adam),
            seed: 3,
            patience: None,
            rollback: true,
            features: None,
            samples: 4,
        };
        let plain = Device::flex();
        let device = autodiff_device(&plain, 3);
        let examples: tenfold_core::data::Examples = Arc::new(Glyphs::new(Part::Validation));
        let images = Arc::new(Pixels::read(&examples, [1, 28, 28], 8).unwrap());
        let guard: Shared = Arc::new(Mutex::new(Guard::new()));
        let mut learner =
            Adversarial::new(&config, &training, images, guard.clone(), None, device).unwrap();
        let bytes = |model: &Weights<Generator>| {
            let file = folder.path().join("weights");
            tenfold_core::weights::save(&model.0, &file, &BTreeMap::new()).unwrap();
            std::fs::read(file).unwrap()
        };
        let mut seen = Vec::new();
        // First as good as can be, then as like each other as can be.
        let mut measure = |model: &Weights<Generator>| {
            seen.push(bytes(model));
            let (distance, diversity) = if seen.len() == 1 { (5.0, 1.0) } else { (9.0, 0.1) };
            let names = ["fd_lenet", "diversity"].map(String::from);
            let figures = Figures::from_iter(names.into_iter().zip([distance, diversity]));
            let mut guard = guard.lock().unwrap();
            let step = guard.step;
            guard.measured(step, "fd_lenet", &figures);
            Ok(figures)
        };
        let plan = training.plan("fd_lenet");
        let own: &mut dyn Learner<Model = Weights<Generator>> = &mut learner;
        fit(&run, &plan, &plain, own, &BTreeMap::new(), false, &mut measure).unwrap();
        assert_ne!(seen[0], seen[1]);
        assert_eq!(bytes(&learner.model()), seen[0]);
        let guard = guard.lock().unwrap();
        assert_eq!((guard.rollbacks, guard.rate, guard.best), (1, 0.5, Some((5.0, 2))));
    }
}
