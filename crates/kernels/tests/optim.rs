//! The optimisers against Burn's own: the same parameters to the last bit, and records that go
//! either way.

use burn::module::{Module, Param};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, AdamWConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use tenfold_kernels::optim::{Adam, AdamW, Sgd};

#[derive(Module, Debug)]
struct Parameters {
    small: Param<Tensor<1>>,
    large: Param<Tensor<2>>,
}

impl Parameters {
    fn new(device: &Device) -> Self {
        let uniform = Distribution::Uniform(-1.0, 1.0);
        Self {
            small: Param::from_tensor(Tensor::random([7], uniform, device).detach()),
            large: Param::from_tensor(Tensor::random([130, 500], uniform, device).detach()),
        }
    }

    fn gradients(&self, step: usize) -> GradientsParams {
        let small = (self.small.val() - 0.3).square().sum();
        let large = (self.large.val() * (0.1 + step as f64)).sin().sum();
        GradientsParams::from_grads((small + large).backward(), self)
    }

    fn values(&self) -> Vec<f32> {
        let read = |data: TensorData| data.try_to_vec::<f32>().unwrap();
        [read(self.small.val().into_data()), read(self.large.val().into_data())].concat()
    }
}

/// A name, ours and Burn's, of the same settings.
type Pair = (&'static str, fn() -> ModuleOptimizer, fn() -> ModuleOptimizer);

fn pairs() -> Vec<Pair> {
    fn momentum(nesterov: bool) -> Option<MomentumConfig> {
        Some(MomentumConfig::new().with_momentum(0.9).with_dampening(0.1).with_nesterov(nesterov))
    }
    vec![
        ("sgd", || Sgd::default().into(), || SgdConfig::new().init()),
        (
            "sgd with momentum",
            || Sgd { momentum: Some(0.9), dampening: 0.1, ..Sgd::default() }.into(),
            || SgdConfig::new().with_momentum(momentum(false)).init(),
        ),
        (
            "sgd with Nesterov's momentum and decay",
            || {
                Sgd {
                    momentum: Some(0.9),
                    dampening: 0.1,
                    nesterov: true,
                    weight_decay: Some(0.01),
                }
                .into()
            },
            || {
                let decay = Some(WeightDecayConfig::new(0.01));
                SgdConfig::new().with_momentum(momentum(true)).with_weight_decay(decay).init()
            },
        ),
        ("adam", || Adam::new().into(), || AdamConfig::new().with_epsilon(1e-8).init()),
        (
            "adam with decay",
            || Adam { weight_decay: Some(0.02), ..Adam::new() }.into(),
            || {
                let decay = Some(WeightDecayConfig::new(0.02));
                AdamConfig::new().with_epsilon(1e-8).with_weight_decay(decay).init()
            },
        ),
        (
            "adamw",
            || AdamW::new().into(),
            || AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(0.01).init(),
        ),
    ]
}

fn same(what: &str, ours: &Parameters, theirs: &Parameters) {
    for (ours, theirs) in ours.values().into_iter().zip(theirs.values()) {
        let unit = f32::EPSILON * theirs.abs().max(f32::MIN_POSITIVE);
        assert!((ours - theirs).abs() <= unit, "{what}: {ours} for {theirs}");
    }
}

#[test]
fn steps_are_burns() {
    for device in [Device::flex().autodiff(), Device::flex().autodiff().gradient_checkpointing()] {
        for (name, ours, theirs) in pairs() {
            let (mut optimizer, mut reference) = (ours(), theirs());
            let start = Parameters::new(&device);
            let (mut mine, mut burns) = (start.clone(), start.clone());
            for step in 0..6 {
                let gradients = mine.gradients(step);
                mine = optimizer.step(0.05, mine, gradients);
                let gradients = burns.gradients(step);
                burns = reference.step(0.05, burns, gradients);
                same(name, &mine, &burns);
            }
            // What shares memory with the parameters was not written.
            assert_ne!(start.values(), mine.values());
        }
    }
}

#[test]
fn records_go_either_way() {
    let device = Device::flex().autodiff();
    for (name, ours, theirs) in pairs() {
        for (from, to) in [(ours, theirs), (theirs, ours), (ours, ours)] {
            let mut first = from();
            let mut model = Parameters::new(&device);
            for step in 0..3 {
                let gradients = model.gradients(step);
                model = first.step(0.05, model, gradients);
            }
            let mut second = to().from_bytes(first.into_bytes().unwrap()).unwrap();
            let gradients = model.gradients(3);
            let expected = first.step(0.05, model.clone(), gradients);
            let gradients = model.gradients(3);
            same(name, &second.step(0.05, model, gradients), &expected);
        }
    }
}

#[test]
fn gradients_out_of_order_and_empty_parameters() {
    let device = Device::flex().autodiff();
    for (name, ours, theirs) in pairs() {
        let start = Parameters {
            small: Param::from_tensor(Tensor::zeros([0], &device)),
            ..Parameters::new(&device)
        };
        let gradients = |model: &Parameters| {
            let factor = Tensor::<2>::ones([500, 130], &device).cumsum(0).detach();
            let loss = (model.large.val().transpose() * factor).sum() + model.small.val().sum();
            GradientsParams::from_grads(loss.backward(), model)
        };
        let (mine, burns) = (gradients(&start), gradients(&start));
        same(name, &ours().step(0.05, start.clone(), mine), &theirs().step(0.05, start, burns));
    }
}
