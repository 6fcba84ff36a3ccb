//! DenseNet.
//!
//! G. Huang, Z. Liu, L. van der Maaten, K. Q. Weinberger, "Densely Connected Convolutional
//! Networks", CVPR (2017), table 1 (DenseNet-BC: bottlenecks, and transitions that halve).
//!
//! Differs from the paper: DenseNet-161 (growth rate 48) is not in every edition of table 1;
//! first weights after He et al. (2015). Layers have torchvision's names.
//!
//! [`Stem::Small`] begins with a 3 x 3 convolution of stride 1 and without the pool, as the
//! paper's networks for CIFAR, so that all strides below are a quarter of what is said there.

use super::checks::check_convolutional;
use super::infer::image_sizes;
use super::input::{Sizes, Stem};
use super::layers::{average, conv, he, head, max_pool, norm, parts, zeros};
use super::network::{Backbone, BackboneConfig, Fields, Level, ModelConfig, Network};
use burn::module::{
    Content, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
};
use burn::nn::LinearConfig;
use burn::nn::pool::AvgPool2dConfig;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use tenfold_kernels::nn::{AvgPool2d, BatchNorm, Conv2d, Linear, MaxPool2d};
use tenfold_kernels::ops::Epilogue;

/// Table 1: depth, growth rate, feature maps of the first convolution, layers of the dense blocks.
const TABLE_1: [(usize, usize, usize, [usize; 4]); 4] = [
    (121, 32, 64, [6, 12, 24, 16]),
    (161, 48, 96, [6, 12, 36, 24]),
    (169, 32, 64, [6, 12, 32, 32]),
    (201, 32, 64, [6, 12, 48, 32]),
];
/// What the dense blocks are called.
const BLOCKS: [&str; 4] = ["denseblock1", "denseblock2", "denseblock3", "denseblock4"];
/// A layer's bottleneck has this many times the growth rate's maps.
const BOTTLENECK: usize = 4;

/// The choices of [`DenseNet`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DenseNetConfig {
    /// `[channels, height, width]`.
    pub input: [usize; 3],
    /// How many classes.
    pub classes: usize,
    /// How the network begins.
    pub stem: Stem,
    /// Maps that each layer adds.
    pub growth: usize,
    /// Maps of the first convolution.
    pub first: usize,
    /// Layers of the four dense blocks.
    pub layers: [usize; 4],
}

impl DenseNetConfig {
    /// 121 layers, for images `[3, 224, 224]`.
    pub fn densenet121(classes: usize) -> Self {
        Self::row(0, classes)
    }

    /// 161 layers, for images `[3, 224, 224]`.
    pub fn densenet161(classes: usize) -> Self {
        Self::row(1, classes)
    }

    /// 169 layers, for images `[3, 224, 224]`.
    pub fn densenet169(classes: usize) -> Self {
        Self::row(2, classes)
    }

    /// 201 layers, for images `[3, 224, 224]`.
    pub fn densenet201(classes: usize) -> Self {
        Self::row(3, classes)
    }

    fn row(row: usize, classes: usize) -> Self {
        let (_, growth, first, layers) = TABLE_1[row];
        let stem = Stem::ImageNet;
        Self { input: stem.input(3), classes, stem, growth, first, layers }
    }

    /// How many maps each dense block gives; between two blocks a transition halves them.
    fn maps(&self) -> [usize; 4] {
        let mut inputs = self.first;
        self.layers.map(|layers| {
            let maps = inputs + layers * self.growth;
            inputs = maps / 2;
            maps
        })
    }
}

impl ModelConfig for DenseNetConfig {
    type Network = DenseNet;

    const FIELDS: Fields = &[
        Stem::FIELD,
        ("growth", "growth rate: feature maps that each layer adds, the paper's k"),
        ("first", "feature maps of the first convolution"),
        ("layers", "layers of the four dense blocks"),
    ];

    fn members() -> Vec<Self> {
        (0..TABLE_1.len()).map(|row| Self::row(row, 1000)).collect()
    }

    fn sizes(&self) -> Sizes {
        Sizes { input: self.input, classes: self.classes, stem: Some(self.stem) }
    }

    fn check(&self) -> Result<(), String> {
        check_convolutional(self.sizes(), &self.layers)?;
        check_convolutional(self.sizes(), &[self.growth, self.first])
    }

    fn infer(&self, keys: &[(String, Vec<usize>)]) -> Option<Self> {
        let first = ("features.conv0.weight", 7);
        let (input, classes) = image_sizes(keys, first, "classifier.weight")?;
        Some(self.clone().sized(input, classes))
    }

    fn init(&self, device: &Device) -> DenseNet {
        let (kernel, stride) = self.stem.choose((7, 2), (3, 1));
        let maps = self.maps();
        let block = |index: usize| {
            // A transition halves what the block before it gives.
            let inputs = if index == 0 { self.first } else { maps[index - 1] / 2 };
            let block = DenseBlock::new(inputs, self.layers[index], self.growth, device);
            (block, (index < 3).then(|| Transition::new(maps[index], device)))
        };
        let (denseblock1, transition1) = block(0);
        let (denseblock2, transition2) = block(1);
        let (denseblock3, transition3) = block(2);
        let (denseblock4, _) = block(3);
        let features = Features {
            conv0: conv([self.input[0], self.first], kernel, stride, he(false), device),
            norm0: norm(self.first, device),
            pool0: (self.stem == Stem::ImageNet).then(|| max_pool(3, 2, 1, false)),
            denseblock1,
            transition1,
            denseblock2,
            transition2,
            denseblock3,
            transition3,
            denseblock4,
            norm5: norm(maps[3], device),
        };
        let classifier = || {
            let mut classifier = LinearConfig::new(maps[3], self.classes).init(device);
            classifier.bias = Some(zeros(self.classes, device));
            classifier.into()
        };
        DenseNet { features, classifier: (self.classes > 0).then(classifier) }
    }
}

impl BackboneConfig for DenseNetConfig {
    fn levels(&self) -> Vec<Level> {
        // Before normalisation.
        Level::doubling(self.stem.choose(4, 1), BLOCKS, self.maps())
    }

    fn sized(self, input: [usize; 3], classes: usize) -> Self {
        Self { input, classes, stem: Stem::of(input), ..self }
    }

    fn without_head(self) -> Self {
        Self { classes: 0, ..self }
    }
}

/// A densely connected network.
#[derive(Module, Debug)]
pub struct DenseNet {
    /// All but the last layer.
    pub features: Features,
    /// Classes; none in a backbone alone.
    pub classifier: Option<Linear>,
}

/// Dense blocks with transitions between them.
#[derive(Module, Debug)]
pub struct Features {
    /// The first convolution.
    pub conv0: Conv2d,
    /// Its normalisation.
    pub norm0: BatchNorm,
    pool0: Option<MaxPool2d>,
    /// Dense block 1.
    pub denseblock1: DenseBlock,
    /// Halves maps and their sides.
    pub transition1: Option<Transition>,
    /// Dense block 2.
    pub denseblock2: DenseBlock,
    /// Halves maps and their sides.
    pub transition2: Option<Transition>,
    /// Dense block 3.
    pub denseblock3: DenseBlock,
    /// Halves maps and their sides.
    pub transition3: Option<Transition>,
    /// Dense block 4.
    pub denseblock4: DenseBlock,
    /// The last normalisation.
    pub norm5: BatchNorm,
}

impl Features {
    /// What the four dense blocks give.
    fn blocks(&self, inputs: Tensor<4>) -> [Tensor<4>; 4] {
        let mut x = self.norm0.forward_with(self.conv0.forward(inputs), Epilogue::Relu); // [batch, first, h/2, w/2]
        if let Some(pool) = &self.pool0 {
            x = pool.forward(x); // [batch, first, h/4, w/4]
        }
        let halved = |transition: &Option<Transition>, x: &Tensor<4>| match transition {
            Some(transition) => transition.forward(x.clone()),
            None => x.clone(),
        };
        let one = self.denseblock1.forward(x); // [batch, maps, h/4, w/4]
        let two = self.denseblock2.forward(halved(&self.transition1, &one)); // h/8, w/8
        let three = self.denseblock3.forward(halved(&self.transition2, &two)); // h/16, w/16
        let four = self.denseblock4.forward(halved(&self.transition3, &three)); // h/32, w/32
        [one, two, three, four]
    }
}

impl Backbone for DenseNet {
    fn stages(&self, inputs: Tensor<4>) -> Vec<(&'static str, Tensor<4>)> {
        BLOCKS.into_iter().zip(self.features.blocks(inputs)).collect()
    }

    fn summary(&self, last: Tensor<4>) -> Tensor<2> {
        average(self.features.norm5.forward_with(last, Epilogue::Relu)) // [batch, maps]
    }
}

impl Network for DenseNet {
    type Config = DenseNetConfig;

    const HEADS: &'static [&'static str] = &["classifier"];
    // torchvision's own files were written before a name could not contain a dot.
    const RENAMES: &'static [(&'static str, &'static str)] =
        &[(r"(denselayer\d+\.(?:norm|conv))\.([12])\.", "${1}${2}.")];

    fn head(&self, features: Tensor<2>) -> Tensor<2> {
        head(&self.classifier, features)
    }

    fn backbone(&self) -> Option<&dyn Backbone> {
        Some(self)
    }

    fn parts(&self) -> Vec<Vec<String>> {
        parts(&[
            &["features.conv0", "features.norm0"],
            &["features.denseblock1"],
            &["features.transition1", "features.denseblock2"],
            &["features.transition2", "features.denseblock3"],
            &["features.transition3", "features.denseblock4", "features.norm5"],
        ])
    }
}

/// Normalisation, a 1 x 1 convolution to half the maps, and the mean of 2 x 2.
#[derive(Module, Debug)]
pub struct Transition {
    /// Normalisation.
    pub norm: BatchNorm,
    /// 1 x 1.
    pub conv: Conv2d,
    pool: AvgPool2d,
}

impl Transition {
    fn new(channels: usize, device: &Device) -> Self {
        Self {
            norm: norm(channels, device),
            conv: conv([channels, channels / 2], 1, 1, he(false), device),
            pool: AvgPool2dConfig::new([2, 2]).with_strides([2, 2]).init().into(),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.pool.forward(self.conv.forward(self.norm.forward_with(x, Epilogue::Relu)))
    }
}

/// Convolutions of 1 x 1 and 3 x 3, each after a normalisation and ReLU.
#[derive(Module, Debug)]
pub struct DenseLayer {
    /// Before the bottleneck.
    pub norm1: BatchNorm,
    /// 1 x 1, to the bottleneck.
    pub conv1: Conv2d,
    /// Before the new maps.
    pub norm2: BatchNorm,
    /// 3 x 3, to the new maps.
    pub conv2: Conv2d,
}

/// Layers of which each sees the outputs of all before it. Their names in a weights file are
/// `denselayer1`, `denselayer2` and so on, for which there is no derived [`Module`].
#[derive(Clone, Debug)]
pub struct DenseBlock(pub Vec<DenseLayer>);

impl DenseBlock {
    fn new(channels: usize, layers: usize, growth: usize, device: &Device) -> Self {
        let inner = BOTTLENECK * growth;
        let layer = |place: usize| {
            let inputs = channels + place * growth;
            DenseLayer {
                norm1: norm(inputs, device),
                conv1: conv([inputs, inner], 1, 1, he(false), device),
                norm2: norm(inner, device),
                conv2: conv([inner, growth], 3, 1, he(false), device),
            }
        };
        Self((0..layers).map(layer).collect())
    }

    /// `[batch, channels, height, width]` to `[batch, channels + layers * growth, height, width]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.0.iter().fold(x, |x, layer| {
            let new = layer.conv1.forward(layer.norm1.forward_with(x.clone(), Epilogue::Relu));
            let new = layer.conv2.forward(layer.norm2.forward_with(new, Epilogue::Relu));
            Tensor::cat(vec![x, new], 1)
        })
    }

    fn each(self, change: impl FnMut(DenseLayer) -> DenseLayer) -> Self {
        Self(self.0.into_iter().map(change).collect())
    }
}

/// How the names of the layers are made.
const CONTAINER: &str = "Struct:DenseBlock";

impl Module for DenseBlock {
    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        for (place, layer) in self.0.iter().enumerate() {
            let name = format!("denselayer{}", place + 1);
            visitor.enter_module(&name, CONTAINER);
            layer.visit(visitor);
            visitor.exit_module(&name, CONTAINER);
        }
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        let mut place = 0;
        self.each(|layer| {
            place += 1;
            let name = format!("denselayer{place}");
            mapper.enter_module(&name, CONTAINER);
            let layer = layer.map(mapper);
            mapper.exit_module(&name, CONTAINER);
            layer
        })
    }

    fn to_device(self, device: &Device) -> Self {
        self.each(|layer| layer.to_device(device))
    }

    fn fork(self, device: &Device) -> Self {
        self.each(|layer| layer.fork(device))
    }

    fn collect_devices(&self, devices: Vec<Device>) -> Vec<Device> {
        self.0.collect_devices(devices)
    }

    fn valid(&self) -> Self {
        Self(self.0.valid())
    }

    fn train(self) -> Self {
        self.each(Module::train)
    }

    fn materialize(self) -> Self {
        self.each(Module::materialize)
    }
}

impl ModuleDisplayDefault for DenseBlock {
    fn content(&self, content: Content) -> Option<Content> {
        content.add("layers", &self.0).optional()
    }
}

impl ModuleDisplay for DenseBlock {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use tenfold_core::{device, weights};

    #[test]
    fn the_depth_counts_the_layers_with_weights() {
        for (depth, _, _, layers) in TABLE_1 {
            assert_eq!(layers.iter().sum::<usize>() * 2 + 5, depth);
        }
    }

    #[test]
    fn files_with_the_old_names_load() {
        let device = device::open("cpu").unwrap();
        let config = DenseNetConfig { growth: 4, first: 8, layers: [2; 4], ..config() };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("weights.safetensors");
        weights::save(&config.init(&device), &file, &BTreeMap::new()).unwrap();
        let bytes = std::fs::read(&file).unwrap();
        let (size, rest) = bytes.split_first_chunk::<8>().unwrap();
        let (header, data) = rest.split_at(u64::from_le_bytes(*size) as usize);
        let header: BTreeMap<String, serde_json::Value> = serde_json::from_slice(header).unwrap();
        let old = |name: String| match name.contains("denselayer") {
            true => ["norm", "conv"].iter().fold(name, |name, part| {
                name.replace(&format!("{part}1"), &format!("{part}.1"))
                    .replace(&format!("{part}2"), &format!("{part}.2"))
            }),
            false => name,
        };
        // The checksum is of the names too: others' files have none.
        let header = header.into_iter().filter(|(name, _)| name != "__metadata__");
        let header: BTreeMap<_, _> = header.map(|(name, entry)| (old(name), entry)).collect();
        assert!(header.contains_key("features.denseblock1.denselayer2.norm.1.weight"));
        let header = serde_json::to_vec(&header).unwrap();
        let size = (header.len() as u64).to_le_bytes();
        std::fs::write(&file, [&size[..], &header, data].concat()).unwrap();
        let mut network = config.init(&device);
        let report = weights::load(&mut network, &file, &DenseNet::load_options()).unwrap();
        assert!(report.kept.is_empty() && report.unused.is_empty());
    }

    fn config() -> DenseNetConfig {
        DenseNetConfig::densenet121(3).with_input([1, 32, 32])
    }

    #[test]
    fn stages_have_their_strides() {
        let device = device::open("cpu").unwrap();
        let stages = config().init(&device).stages(Tensor::zeros([1, 1, 32, 32], &device));
        let shapes: Vec<_> = stages.iter().map(|(_, x)| x.dims()).collect();
        let expected = [[1, 256, 32, 32], [1, 512, 16, 16], [1, 1024, 8, 8], [1, 1024, 4, 4]];
        assert_eq!(shapes, expected);
    }
}
