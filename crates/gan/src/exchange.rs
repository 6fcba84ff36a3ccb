//! Networks that learn to translate: Pix2Pix from pairs, CycleGAN without.

use crate::guard::Guard;
use crate::learner::{Shared, finite};
use crate::losses;
use crate::models::cyclegan::Pool;
use crate::models::patchgan::PatchGan;
use crate::models::translate::TranslateConfig;
use crate::models::translators::Translators;
use crate::pixels::{Order, Pixels, images};
use crate::sheet;
use crate::training::Training;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::tensor::{Device, Tensor, TensorData};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use tenfold_core::data::random::SplitMix64;
use tenfold_core::train::{Average, Figures, Learner, Parts, Watch, Weights, descend, drawn};
use tenfold_core::{Error, Result};

/// Rows of the sheet of a measurement.
const ROWS: usize = 6;

/// The discriminators: of the second kind, and of the first where there is a way back.
#[derive(Module, Debug)]
pub struct Critics {
    second: PatchGan,
    first: Option<PatchGan>,
}

/// The learner of models that make images from images.
pub struct Exchange {
    config: TranslateConfig,
    training: Training,
    /// Images of the first kind and of the second, place by place.
    images: [Arc<Pixels>; 2],
    /// Images held out, for the sheet.
    shown: [Arc<Pixels>; 2],
    orders: [Order; 2],
    translators: Translators,
    critics: Critics,
    average: Option<Average<Translators>>,
    optimizers: [ModuleOptimizer; 2],
    pools: [Pool; 2],
    step: usize,
    guard: Shared,
    folder: Option<PathBuf>,
    device: Device,
}

/// The images of a training, those of the sheet, and where the sheet goes.
pub struct Images {
    /// To learn from.
    pub train: [Arc<Pixels>; 2],
    /// Held out.
    pub shown: [Arc<Pixels>; 2],
    /// The run folder.
    pub folder: Option<PathBuf>,
}

fn l1(a: Tensor<4>, b: Tensor<4>) -> Tensor<1> {
    (a - b).abs().mean()
}

impl Exchange {
    /// With first weights.
    ///
    /// # Errors
    /// Optimiser settings out of range.
    pub fn new(
        config: &TranslateConfig,
        training: &Training,
        images: Images,
        guard: Shared,
        device: Device,
    ) -> Result<Self> {
        let translators = drawn(Translators::new(config, &device));
        let [first, second] = config.channels;
        let inputs = if config.both_ways() { second } else { first + second };
        let critics = drawn(Critics {
            second: PatchGan::new(inputs, config, &device),
            first: config.both_ways().then(|| PatchGan::new(first, config, &device)),
        });
        let average = (config.average > 0.0)
            .then(|| Average { network: translators.valid(), decay: config.average });
        // Without pairs each kind has an order of its own.
        let kinds = if config.both_ways() { [0, 1] } else { [0, 0] };
        let count = images.train[0].len();
        let order = |kind: u64| Order::new(SplitMix64::keyed(&[training.seed, kind]).bits(), count);
        Ok(Self {
            config: config.clone(),
            training: training.clone(),
            images: images.train,
            shown: images.shown,
            orders: kinds.map(order),
            translators,
            critics,
            average,
            optimizers: [training.optimizer.build()?, training.optimizer.build()?],
            pools: [Pool::default(), Pool::default()],
            step: 0,
            guard,
            folder: images.folder,
            device,
        })
    }

    fn batch(&mut self) -> [Tensor<4>; 2] {
        let (step, size) = (self.step, self.training.batch_size);
        [0, 1].map(|kind| {
            let places = self.orders[kind].batch(step, size);
            self.images[kind].batch(&places, &self.device)
        })
    }

    /// The made images, or some of before in their place.
    fn pooled(&mut self, kind: usize, made: Tensor<4>) -> Tensor<4> {
        let size = self.config.pool;
        if size == 0 {
            return made;
        }
        let shape = made.dims();
        let values: Vec<f32> = made.into_data().iter::<f32>().collect();
        let keys = [self.training.seed, self.step as u64, kind as u64, 50];
        let mut random = SplitMix64::keyed(&keys);
        let images = values.chunks(shape[1] * shape[2] * shape[3]);
        let shown: Vec<f32> = images
            .flat_map(|image| self.pools[kind].exchange(image.to_vec(), size, &mut random))
            .collect();
        Tensor::from_data(TensorData::new(shown, shape), &self.device)
    }

    /// A step of both: the losses of generator and discriminator, and the distance from the
    /// target, or after there and back.
    fn learn(&mut self, rate: f64) -> [Tensor<1>; 3] {
        let [first, second] = self.batch();
        let TranslateConfig { rule, l1: weight, cycle, identity, .. } = self.config;
        let there = self.translators.there.forward(first.clone());
        let (mut loss, distance, made, real);
        match (&self.translators.back, &self.critics.first) {
            (Some(back), Some(of_first)) => {
                let home = back.forward(second.clone());
                let of_second = &self.critics.second;
                loss = losses::generator(rule, of_second.forward(there.clone()))
                    + losses::generator(rule, of_first.forward(home.clone()));
                let around = l1(back.forward(there.clone()), first.clone())
                    + l1(self.translators.there.forward(home.clone()), second.clone());
                loss = loss + around.clone().mul_scalar(cycle);
                if identity > 0.0 && first.dims()[1] == second.dims()[1] {
                    let same = l1(self.translators.there.forward(second.clone()), second.clone())
                        + l1(back.forward(first.clone()), first.clone());
                    loss = loss + same.mul_scalar(cycle * identity);
                }
                distance = around.mul_scalar(0.25);
                made = vec![there.detach(), home.detach()];
                real = vec![second, first];
            }
            _ => {
                // The discriminator sees what was translated beside the translation.
                let beside = |image: Tensor<4>| Tensor::cat(vec![first.clone(), image], 1);
                let judged = self.critics.second.forward(beside(there.clone()));
                let apart = l1(there.clone(), second.clone());
                loss = losses::generator(rule, judged) + apart.clone().mul_scalar(weight);
                distance = apart.mul_scalar(0.5);
                made = vec![beside(there.detach())];
                real = vec![beside(second)];
            }
        }
        let step = ModuleLrScheduler::new(rate).step();
        let optimizer = (&self.training.optimizer, &mut self.optimizers[0]);
        self.translators = descend(self.translators.clone(), &loss, optimizer, step);

        let mut total: Option<Tensor<1>> = None;
        for (kind, (made, real)) in made.into_iter().zip(real).enumerate() {
            let made = self.pooled(kind, made);
            let critic = match (kind, &self.critics.first) {
                (1, Some(first)) => first,
                _ => &self.critics.second,
            };
            let (real, made) = (critic.forward(real), critic.forward(made));
            // Half as fast as the generator (section 3.3 of Pix2Pix, appendix 7.1 of CycleGAN).
            let own = losses::discriminator(rule, real, made, 0.0).mul_scalar(0.5);
            total = Some(match total {
                Some(total) => total + own,
                None => own,
            });
        }
        let judged = total.unwrap_or_else(|| loss.clone().mul_scalar(0.0));
        let step = ModuleLrScheduler::new(rate).step();
        let optimizer = (&self.training.optimizer, &mut self.optimizers[1]);
        self.critics = descend(self.critics.clone(), &judged, optimizer, step);
        [loss.detach(), judged.detach(), distance.detach()]
    }

    fn guard(&self) -> std::sync::MutexGuard<'_, Guard> {
        self.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Input, output and target side by side; there and back where there is no target.
    fn write_sheet(&self) -> Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let Weights(network) = self.model();
        let plain = network.devices().into_iter().next().unwrap_or_default();
        let places: Vec<usize> = (0..ROWS.min(self.shown[0].len())).collect();
        let [first, second] = [0, 1].map(|kind| self.shown[kind].batch(&places, &plain));
        let made = network.there.forward(first.clone());
        let mut columns = vec![first, made.clone()];
        match &network.back {
            Some(back) => {
                let home = back.forward(second.clone());
                columns.extend([back.forward(made), second, home]);
            }
            None => columns.push(second),
        }
        let count = columns.len();
        let columns: Vec<_> = columns.into_iter().map(images).collect();
        let tiles: Vec<_> =
            places.iter().flat_map(|&row| columns.iter().map(move |c| c[row].clone())).collect();
        sheet::write(&sheet::grid(&tiles, count).into(), &sheet::frame(folder, self.step))
    }
}

impl Learner for Exchange {
    type Model = Weights<Translators>;

    fn round(&mut self, round: usize, watch: &mut Watch) -> Result<Option<Figures>> {
        let done = self.step;
        if let Some(folder) = &self.folder {
            sheet::clear(folder, done);
        }
        let end = self.training.at(round);
        watch.expect(end - done);
        let batch = self.training.batch_size;
        while self.step < end {
            watch.go_on()?;
            let rate = self.training.rate(self.step);
            let [loss, judged, distance] = self.learn(rate);
            let number = self.step + 1;
            let loss = finite(&loss, "generator", number, done, rate)?;
            let judged = finite(&judged, "discriminator", number, done, rate)?;
            watch.add("generator_loss", loss, batch);
            watch.add("discriminator_loss", judged, batch);
            let name = if self.config.both_ways() { "cycle_l1" } else { "l1" };
            watch.add(name, f64::from(distance.into_scalar::<f32>()), batch);
            self.step += 1;
            if let Some(average) = &mut self.average {
                average.add(&self.translators.valid(), self.step);
            }
            watch.step(self.step, rate);
            watch.advance(self.step - done)?;
        }
        self.write_sheet()?;
        self.guard().step = self.step;
        let mut figures = watch.means();
        figures.insert("lr".into(), self.training.rate(self.step.saturating_sub(1)));
        Ok(Some(figures))
    }

    fn model(&self) -> Weights<Translators> {
        let average = self.average.as_ref().map(|average| average.network.clone());
        Weights(average.unwrap_or_else(|| self.translators.valid()))
    }

    fn parts(&mut self, parts: &mut Parts) -> Result<()> {
        parts.module("generators", &mut self.translators)?;
        parts.module("discriminators", &mut self.critics)?;
        parts.optimizer("generator-optimizer", &mut self.optimizers[0])?;
        parts.optimizer("discriminator-optimizer", &mut self.optimizers[1])?;
        if let Some(average) = &mut self.average {
            parts.module("average", &mut average.network)?;
        }
        for (kind, name) in ["pool-second", "pool-first"].into_iter().enumerate() {
            let [_, rows, columns] = [0, self.config.side, self.config.side];
            let channels = self.config.channels[1 - kind];
            let size = 4 * rows * columns * channels;
            let pool = &mut self.pools[kind].images;
            let own: Vec<u8> = pool.iter().flatten().flat_map(|x| x.to_le_bytes()).collect();
            parts.raw(
                name,
                || Ok(own),
                |bytes| {
                    if !bytes.len().is_multiple_of(size) {
                        return Err(Error::Training("a pool of images of another size".into()));
                    }
                    let number = |x: &[u8]| f32::from_le_bytes([x[0], x[1], x[2], x[3]]);
                    let image = |bytes: &[u8]| bytes.chunks_exact(4).map(number).collect();
                    *pool = bytes.chunks_exact(size).map(image).collect();
                    Ok(())
                },
            )?;
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
