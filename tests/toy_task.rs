//! A complete task in one file: a box around the largest drawn object of `scenes`, and its label.
//!
//! All that a task needs is here, from its network to its line in `models`: `train`, `eval`,
//! `predict`, `export`, `--resume` after a kill and the confirming page come from core.

use burn::nn::{Linear, LinearConfig, conv::Conv2d, conv::Conv2dConfig};
use burn::prelude::{Device, Module, Tensor, TensorData};
use burn::tensor::activation::{log_softmax, relu, sigmoid};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{path::Path, sync::Arc};
use tenfold_core::{data::Object, data::open_objects, task::prelude::*};

const SIDE: usize = 64;

/// Three convolutions, and a linear layer that says four sides of a box and a score per class.
#[derive(Module, Debug)]
pub struct Net {
    layers: Vec<Conv2d>,
    head: Linear,
}

impl Net {
    fn new(classes: usize, device: &Device) -> Self {
        let layer = |ends| Conv2dConfig::new(ends, [4, 4]).with_stride([3, 3]).init(device);
        let layers = [[3, 16], [16, 32], [32, 64]].map(layer).into();
        Self { layers, head: LinearConfig::new(64, 4 + classes).init(device) }
    }

    /// Images `[batch, 3, 64, 64]` to corners `[batch, 4]` in 0..1 of the image, and
    /// log-probabilities `[batch, classes]`.
    fn forward(&self, images: Tensor<4>) -> (Tensor<2>, Tensor<2>) {
        let maps = self.layers.iter().fold(images, |x, layer| relu(layer.forward(x)));
        let said = self.head.forward(maps.flatten(1, 3));
        let classes = said.dims()[1] - 4;
        (sigmoid(said.clone().narrow(1, 0, 4)), log_softmax(said.narrow(1, 4, classes), 1))
    }
}

fn preprocess() -> Preprocess {
    Preprocess::unit([3, SIDE, SIDE])
}

fn largest(objects: &[Object]) -> &Object {
    let area = |object: &&Object| object.bounding_box.area();
    objects.iter().max_by(|a, b| area(a).total_cmp(&area(b))).expect("a scene has objects")
}

/// Batches of images and what is true of them: the corners, and 1 at the class.
struct Batches(Examples<Vec<Object>>, usize);

impl Collate for Batches {
    type Host = (Vec<f32>, Vec<f32>);
    type Batch = (Tensor<4>, Tensor<2>);
    fn len(&self) -> usize {
        self.0.len()
    }
    fn stack(&self, examples: &[usize], _seed: u64) -> Result<Self::Host> {
        let (mut images, mut truths) = (Vec::new(), Vec::new());
        for &index in examples {
            let example = self.0.get(index)?;
            let object = largest(&example.target);
            images.extend(preprocess().apply(&example.input)?);
            truths.extend(<[f32; 4]>::from(object.bounding_box).map(|side| side / SIDE as f32));
            truths.extend((0..self.1).map(|class| if class == object.label { 1.0 } else { 0.0 }));
        }
        Ok((images, truths))
    }
    fn upload(&self, (images, truths): Self::Host, device: &Device) -> Self::Batch {
        let shape = [truths.len() / (4 + self.1), 4 + self.1];
        let truths = TensorData::new(truths, shape);
        (preprocess().tensor(images, device), Tensor::from_data(truths, device))
    }
}

fn loss(network: &Net, (images, truths): (Tensor<4>, Tensor<2>)) -> Loss {
    let [count, width] = truths.dims();
    let (boxes, classes) = network.forward(images);
    let error = (boxes - truths.clone().narrow(1, 0, 4)).square().sum() * 10.0;
    let entropy = (classes * truths.narrow(1, 4, width - 4)).sum().neg();
    Loss::new((error + entropy) / count as f32, count)
}

/// What answers: a network, its labels, and where it computes.
struct Finder(Net, Vec<String>, Device);

impl Propose for Finder {
    fn kind(&self) -> Kind {
        Kind::Images { channels: 3, height: SIDE, width: SIDE }
    }
    fn labels(&self) -> &[String] {
        &self.1
    }
    fn propose(&self, inputs: &[&Input], top: usize) -> Result<Vec<Proposal>> {
        let (boxes, classes) = self.0.forward(preprocess().batch(inputs, &self.2)?);
        let values = |tensor: Tensor<2>| tensor.into_data().iter::<f32>().collect::<Vec<_>>();
        let (boxes, classes) = (values(boxes * SIDE as f32), values(classes.exp()));
        let rows = boxes.chunks(4).zip(classes.chunks(self.1.len()));
        let slot = |(sides, row): (&[f32], &[f32])| Slot {
            at: Some(Region::Box(BoundingBox::new(sides[0], sides[1], sides[2], sides[3]))),
            ranked: rank(row, &self.1, top),
        };
        Ok(rows.map(|row| Proposal { slots: vec![slot(row)] }).collect())
    }
}

/// What stands in `config.json` beside the header.
#[derive(Serialize, Deserialize)]
pub struct Config {
    labels: Vec<String>,
    data: NamedData,
    training: Settings,
}

/// The zoo, of one model, and its task.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Toy;

impl Zoo for Toy {
    const TASK: &'static str = "toy";
    const ALL: &'static [(Self, &'static str)] = &[(Toy, "net")];
}

impl Program for Toy {
    const PROGRAM: &'static str = "toy";
    const ABOUT: &'static str = "Finds the largest drawn object";
    type Train = ExampleFlags;
    type Eval = SplitFlags;
    type Predict = ();
    type More = NoVerbs;
    fn card(self) -> Card {
        let parameters = Net::new(8, &device::open("cpu").unwrap_or_default()).num_params();
        Card { name: "net", title: "Net", paper: "-", year: 2026, parameters, data: "scenes" }
    }
    fn verbs(self) -> Box<dyn Verbs<Self>> {
        Box::new(self)
    }
    fn on(own: &SplitFlags) -> On<'_> {
        On::from(own)
    }
}

impl Task for Toy {
    type Zoo = Toy;
    type Choice = NamedData;
    type Data = DataSet<Vec<Object>>;
    type Config = Config;
    type Model = Weights<Net>;
    fn zoo(&self) -> Toy {
        Toy
    }
    fn choose(&self, flags: &Flags<Toy>) -> Result<NamedData> {
        Ok(NamedData::new(&flags.own.data, flags.run.seed(), "scenes"))
    }
    fn chosen(config: &Config) -> &NamedData {
        &config.data
    }
    fn open(&self, choice: &NamedData, data_dir: Option<&Path>) -> Result<Self::Data> {
        open_objects(&choice.name, &choice.options(data_dir))
    }
    fn configure(&self, flags: &Flags<Toy>, data: NamedData, open: &Self::Data) -> Result<Config> {
        let training = flags.own.supervised.settings(Recipe::new(3, 3e-3), flags.run.seed());
        Ok(Config { labels: open.classes.clone(), data, training })
    }
    fn plan(&self, config: &Config) -> Plan {
        config.training.plan(Keep::Highest("iou"))
    }
    fn learner(&self, config: &Config, data: &Self::Data, device: &Device) -> Learning<Self> {
        let device = device::autodiff_device(device, config.training.seed);
        let network = drawn(Net::new(config.labels.len(), &device));
        let batches = Arc::new(Batches(data.train.clone(), config.labels.len()));
        Ok(Box::new(Supervised::new(network, batches, &config.training, &device, loss, Weights)?))
    }
    fn model(&self, config: &Config, device: &Device) -> Result<Weights<Net>> {
        Ok(Weights(Net::new(config.labels.len(), device)))
    }
    fn measure(
        &self,
        Weights(net): &Weights<Net>,
        config: &Config,
        data: &Self::Data,
        split: Split,
        _: Purpose<'_, Toy>,
    ) -> Result<Scores> {
        let finder = Finder(net.clone(), config.labels.clone(), net.devices().remove(0));
        let (examples, mut sum) = (data.split(split), 0.0);
        for index in 0..examples.len() {
            let example = examples.get(index)?;
            let proposal = finder.propose(&[&example.input], 1)?.remove(0);
            let Some(Region::Box(own)) = proposal.slots[0].at else { continue };
            sum += f64::from(own.iou(&largest(&example.target).bounding_box));
        }
        let (count, iou) = (examples.len(), sum / examples.len() as f64);
        let line = format!("mean IoU {iou:.4} on {count} {} images", split.name());
        Ok(Scores::new(json!({ "iou": iou, "count": count }), line))
    }
    fn answerer(&self, model: Weights<Net>, config: Config, device: &Device) -> Answering {
        Ok(Box::new(Finder(model.0, config.labels, device.clone())))
    }
}
