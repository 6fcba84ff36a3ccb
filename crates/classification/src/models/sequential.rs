//! Networks of `features` and of a `classifier`, each of them layers in a row: AlexNet and VGG.

use super::layers::{MapLayer, maps, zeros};
use super::network::{Backbone, ModelConfig, Network};
use burn::module::{Module, ModuleDisplay};
use burn::nn::{Dropout, DropoutConfig, Initializer, LinearConfig, Relu};
use burn::tensor::module::adaptive_avg_pool2d;
use burn::tensor::{Device, Tensor};
use tenfold_kernels::nn::Linear;
use tenfold_kernels::ops::{Activation, relu};

/// Such a network: a [`Network`] and a [`Backbone`], whose stages end with its pools.
pub trait Sequential: Module + ModuleDisplay + 'static {
    /// The choices that it is made from.
    type Config: ModelConfig<Network = Self>;

    /// A name for each pool.
    const POOLS: &'static [&'static str];

    /// Convolutions, each with its ReLU, and pools; the side to which their last maps are
    /// brought; fully connected layers, none in a backbone alone.
    fn layers(&self) -> (&[MapLayer], usize, &[UnitLayer]);
}

impl<S: Sequential> Backbone for S {
    fn stages(&self, inputs: Tensor<4>) -> Vec<(&'static str, Tensor<4>)> {
        let mut x = inputs;
        let mut stage = |layers| {
            x = maps(layers, x.clone());
            x.clone()
        };
        S::POOLS.iter().zip(stages(self.layers().0)).map(|(name, s)| (*name, stage(s))).collect()
    }

    fn summary(&self, last: Tensor<4>) -> Tensor<2> {
        let (_, side, classifier) = self.layers();
        let x = adaptive_avg_pool2d(last, [side; 2]).flatten(1, 3); // [batch, channels * side * side]
        units(below_the_last(classifier), x)
    }
}

impl<S: Sequential> Network for S {
    type Config = S::Config;

    const HEADS: &'static [&'static str] = &["classifier.6"];
    const ABOVE: &'static [&'static str] = &["classifier"];

    fn head(&self, features: Tensor<2>) -> Tensor<2> {
        match self.layers().2.last() {
            Some(layer) => layer.forward(features), // [batch, classes]
            None => features,
        }
    }

    fn embed(&self, inputs: Tensor<4>) -> Tensor<2> {
        self.summary(maps(self.layers().0, inputs)) // [batch, units]
    }

    fn backbone(&self) -> Option<&dyn Backbone> {
        Some(self)
    }

    /// What lies between two pools, then each fully connected layer below the last.
    fn parts(&self) -> Vec<Vec<String>> {
        let (features, _, classifier) = self.layers();
        let mut place = 0;
        let names = |stage: &[MapLayer]| {
            let names = (place..place + stage.len()).map(|place| format!("features.{place}"));
            place += stage.len();
            names.collect()
        };
        let mut parts: Vec<Vec<String>> = stages(features).map(names).collect();
        let below = below_the_last(classifier).iter().enumerate();
        let linear = below.filter(|(_, layer)| matches!(layer, UnitLayer::Linear(_)));
        parts.extend(linear.map(|(place, _)| vec![format!("classifier.{place}")]));
        parts
    }
}

/// The layers up to each pool.
fn stages(features: &[MapLayer]) -> impl Iterator<Item = &[MapLayer]> {
    features.split_inclusive(|layer| matches!(layer, MapLayer::Pool(_)))
}

/// All but the layer of the classes.
fn below_the_last(layers: &[UnitLayer]) -> &[UnitLayer] {
    layers.split_last().map_or(&[], |(_, below)| below)
}

/// A layer that turns units into units.
#[derive(Module, Debug)]
pub enum UnitLayer {
    /// Fully connected.
    Linear(Linear),
    /// Rectification.
    Relu(Relu),
    /// Leaves units out in training.
    Dropout(Dropout),
}

impl UnitLayer {
    /// `[batch, units]` to `[batch, units]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Linear(layer) => layer.forward(x),
            Self::Relu(_) => relu(x),
            Self::Dropout(layer) => layer.forward(x),
        }
    }

    /// Fully connected, with Burn's first weights, which are PyTorch's.
    pub(super) fn linear(inputs: usize, outputs: usize, device: &Device) -> Self {
        Self::Linear(LinearConfig::new(inputs, outputs).init(device).into())
    }

    /// Fully connected, with these first weights and biases of zero.
    pub(super) fn linear_of(
        first: Initializer,
        inputs: usize,
        outputs: usize,
        device: &Device,
    ) -> Self {
        let mut layer = LinearConfig::new(inputs, outputs).with_initializer(first).init(device);
        layer.bias = Some(zeros(outputs, device));
        Self::Linear(layer.into())
    }

    /// Leaves this part of the units out in training.
    pub(super) fn dropout(part: f64) -> Self {
        Self::Dropout(DropoutConfig::new(part).init())
    }
}

/// Layers one after the other.
fn units(layers: &[UnitLayer], mut x: Tensor<2>) -> Tensor<2> {
    let mut rest = layers;
    while let Some((first, others)) = rest.split_first() {
        (x, rest) = match (first, others) {
            (UnitLayer::Linear(linear), [UnitLayer::Relu(_), others @ ..]) => {
                (linear.forward_with(x, Activation::Relu), others)
            }
            (layer, others) => (layer.forward(x), others),
        };
    }
    x
}
