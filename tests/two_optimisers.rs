//! A learner with two optimisers, each with steps of its own: a generator and a discriminator
//! (Goodfellow et al., "Generative Adversarial Nets", NIPS 2014, algorithm 1) of one number.

use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::ModuleOptimizer;
use burn::tensor::activation::{softplus, tanh};
use burn::tensor::{Device, Distribution, Tensor};
use std::collections::BTreeMap;
use tenfold_core::run::Run;
use tenfold_core::train::optim::{OptimizerConfig, OptimizerKind};
use tenfold_core::train::{
    Figures, Keep, Learner, Parts, Plan, Unit, Watch, Weights, descend, drawn, fit, random_stream,
};
use tenfold_core::{Result, device};

/// Two linear layers.
#[derive(Module, Debug)]
struct Net {
    first: Linear,
    second: Linear,
}

impl Net {
    fn new(device: &Device) -> Self {
        let [first, second] = [[1, 16], [16, 1]].map(|[i, o]| LinearConfig::new(i, o).init(device));
        drawn(Self { first, second })
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.second.forward(tanh(self.first.forward(x)))
    }
}

/// Two networks that learn from each other.
struct Gan {
    generator: Net,
    discriminator: Net,
    config: OptimizerConfig,
    optimizers: [ModuleOptimizer; 2],
    /// Steps of each: the generator learns at every second step of the discriminator.
    steps: [usize; 2],
    device: Device,
}

impl Gan {
    fn new(device: &Device) -> Result<Self> {
        let device = device::autodiff_device(device, 7);
        let config = OptimizerConfig::new(OptimizerKind::Adam);
        let optimizers = [config.build()?, config.build()?];
        let (generator, discriminator) = (Net::new(&device), Net::new(&device));
        Ok(Self { generator, discriminator, config, optimizers, steps: [0; 2], device })
    }
}

impl Learner for Gan {
    type Model = Weights<Net>;

    fn round(&mut self, _: usize, watch: &mut Watch) -> Result<Option<Figures>> {
        for _ in 0..8 {
            watch.go_on()?;
            let rate = || ModuleLrScheduler::new(1e-2).step();
            let noise = Tensor::random([32, 1], Distribution::Normal(0.0, 1.0), &self.device);
            let real = Tensor::random([32, 1], Distribution::Normal(3.0, 0.5), &self.device);
            let fake = self.generator.forward(noise);
            let [first, second] = &mut self.optimizers;
            let judged = self.discriminator.forward(real).neg();
            let loss = softplus(judged, 1.0)
                + softplus(self.discriminator.forward(fake.clone().detach()), 1.0);
            let network = self.discriminator.clone();
            let optimizer = (&self.config, second);
            self.discriminator = descend(network, &loss.mean(), optimizer, rate());
            self.steps[1] += 1;
            if self.steps[1].is_multiple_of(2) {
                let loss = softplus(self.discriminator.forward(fake).neg(), 1.0).mean();
                let optimizer = (&self.config, first);
                self.generator = descend(self.generator.clone(), &loss, optimizer, rate());
                self.steps[0] += 1;
                watch.add("loss", loss.into_scalar::<f32>().into(), 32);
            }
        }
        Ok(Some(watch.means()))
    }

    fn model(&self) -> Weights<Net> {
        Weights(self.generator.valid())
    }

    fn parts(&mut self, parts: &mut Parts) -> Result<()> {
        parts.module("generator", &mut self.generator)?;
        parts.module("discriminator", &mut self.discriminator)?;
        parts.optimizer("generator-optimizer", &mut self.optimizers[0])?;
        parts.optimizer("discriminator-optimizer", &mut self.optimizers[1])?;
        parts.value("steps", &mut self.steps)
    }
}

#[test]
fn resumed_it_ends_with_the_same_weights_bit_for_bit() {
    let cpu = device::open("cpu").unwrap();
    let _stream = random_stream();
    let folder = tempfile::tempdir().unwrap();
    let train = |name: &str, rounds, resume| {
        let run = Run::at(&folder.path().join(name)).unwrap();
        let plan = Plan { rounds, unit: Unit::Epoch, seed: 7, keep: Keep::Last, patience: None };
        let mut gan = Gan::new(&cpu).unwrap();
        let mut measure = |_: &Weights<Net>| Ok(Figures::new());
        fit(&run, &plan, &cpu, &mut gan, &BTreeMap::new(), resume, &mut measure).unwrap();
        (std::fs::read(run.weights_path()).unwrap(), gan.steps)
    };
    let whole = train("whole", 5, false);
    let half = train("killed", 2, false);
    assert_ne!(half, whole);
    assert_eq!(train("killed", 5, true), whole);
    assert_eq!(whole.1, [20, 40]);
}
