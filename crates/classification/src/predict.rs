//! `predict`: ranked suggestions for pictures and rows, by a run, an exported file, or
//! weights that others trained.

use crate::classifier::{read_back, tensor};
use crate::config::{self, Regression, RunConfig};
use crate::export::CONFIG_KEY;
use crate::models::{ModelConfig, Network};
use crate::zoo::{Zoo, with_config};
use crate::{explain, labels};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use image::DynamicImage;
use rayon::prelude::*;
use serde::Serialize;
use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use tenfold_core::cli::args::{Foreign, PredictArgs};
use tenfold_core::cli::{Faults, Zoo as _, print_json};
use tenfold_core::data::csv::Table;
use tenfold_core::data::{Input, Kind, Preprocess, Resize, folder, picture};
use tenfold_core::run::{Header, Run};
use tenfold_core::suggest::{Propose, Suggest, Suggestion, rank};
use tenfold_core::viz::heat::{self, Heat};
use tenfold_core::viz::label;
use tenfold_core::weights::{self, LoadOptions};
use tenfold_core::{Error, Result, device};

/// Inputs per step.
pub(crate) const BATCH: usize = 64;

/// A trained model, ready to propose labels; in a regression numbers, and its one label is
/// what they are called.
pub struct Predictor {
    labels: Vec<String>,
    preprocess: Preprocess,
    columns: Option<Vec<String>>,
    regression: Option<Regression>,
    temperature: f32,
    network: Box<dyn Ask>,
    device: Device,
}

/// What is asked of a network whatever its type.
trait Ask: Send {
    /// As [`Network::forward`].
    fn logits(&self, inputs: Tensor<4>) -> Tensor<2>;
    /// As [`Network::embed`].
    fn embed(&self, inputs: Tensor<4>) -> Tensor<2>;
    /// As [`explain::grad_cam`].
    fn heat(&self, inputs: Tensor<4>) -> Result<Option<Vec<Heat>>>;
}

impl<N: Network> Ask for N {
    fn logits(&self, inputs: Tensor<4>) -> Tensor<2> {
        self.forward(inputs)
    }

    fn embed(&self, inputs: Tensor<4>) -> Tensor<2> {
        Network::embed(self, inputs)
    }

    fn heat(&self, inputs: Tensor<4>) -> Result<Option<Vec<Heat>>> {
        explain::grad_cam(self, inputs)
    }
}

impl Predictor {
    /// From a run folder.
    ///
    /// # Errors
    /// A file of the run that is missing, damaged or newer than this program.
    pub fn from_run(folder: &Path, device: &Device) -> Result<Self> {
        let run = Run::open(folder)?;
        let config = RunConfig::read(&run)?;
        Self::new(config, &run.config_path(), &run.weights_path(), device)
    }

    /// From a file that `export` wrote.
    ///
    /// # Errors
    /// The file is damaged or carries no configuration.
    pub fn from_export(path: &Path, device: &Device) -> Result<Self> {
        let metadata = weights::metadata(path)?;
        let text = metadata.get(CONFIG_KEY).ok_or_else(|| {
            let why = "carries no configuration: name the model with --model";
            Error::file(path, why)
        })?;
        Header::check(text, path, Zoo::TASK)?;
        let config = serde_json::from_str(text).map_err(|why| Error::file(path, why))?;
        Self::new(config, path, path, device)
    }

    /// From weights alone: the sizes of the model are read off the weights. Pictures get the
    /// model's own preprocessing, torchvision's for ImageNet weights; a model without one
    /// has them scaled to 0..1. Without `labels` the classes are numbered from 0.
    ///
    /// # Errors
    /// Weights that do not fit the model, or labels that do not fit the weights.
    pub fn from_weights(
        model: Zoo,
        path: &Path,
        labels: Option<&Path>,
        device: &Device,
    ) -> Result<Self> {
        let keys = weights::keys(path)?;
        with_config!(model, Config, new => {
            // Input and classes are placeholders: the weights tell them.
            let network: Option<Config> = new([3, 224, 224], 1000).infer(&keys);
            let network = network.ok_or_else(|| {
                let names: Vec<&str> = keys.iter().take(10).map(|(key, _)| key.as_str()).collect();
                let why = format!("not the weights of `{}`: it holds {}", model.name(), names.join(", "));
                Error::file(path, why)
            })?;
            network.check().map_err(|why| Error::file(path, why))?;
            let (input, classes) = (network.input_shape(), network.classes());
            let labels = match labels {
                Some(file) => labels::read(file, classes)?,
                None => (0..classes).map(|class| class.to_string()).collect(),
            };
            let [channels, height, width] = input;
            let preprocess = network.preprocess().unwrap_or(Preprocess::Picture {
                channels,
                height,
                width,
                resize: Resize::Stretch,
                mean: vec![0.0; channels],
                std: vec![1.0; channels],
            });
            let network = loaded(&network, path, false, device)?;
            let (columns, regression, temperature) = (None, None, 1.0);
            let device = device.clone();
            Ok(Self { labels, preprocess, columns, regression, temperature, network, device })
        })
    }

    fn new(config: RunConfig, named: &Path, weights: &Path, device: &Device) -> Result<Self> {
        let network = with_config!(config::model(&config.header, named)?, Config => {
            let network: Config = config.network(named)?;
            loaded(&network, weights, true, device)?
        });
        let temperature = config.temperature.unwrap_or(1.0);
        let RunConfig { labels, preprocess, columns, regression, .. } = config;
        let device = device.clone();
        Ok(Self { labels, preprocess, columns, regression, temperature, network, device })
    }

    /// Whether it predicts a number.
    pub(crate) fn is_regression(&self) -> bool {
        self.regression.is_some()
    }

    /// What the last layer sees of each input, one after the other: as many numbers for each.
    ///
    /// # Errors
    /// An input that does not suit the model.
    pub fn embed(&self, inputs: &[&Input]) -> Result<Vec<f32>> {
        match inputs {
            [] => Ok(Vec::new()),
            _ => read_back(self.network.embed(self.prepare(inputs)?)),
        }
    }

    /// Where in each picture the best suggestion comes from; none where the model does not
    /// look at pictures piece by piece.
    ///
    /// # Errors
    /// An input that does not suit the model.
    pub fn explain(&self, inputs: &[&Input]) -> Result<Option<Vec<Heat>>> {
        self.network.heat(self.prepare(inputs)?)
    }

    /// `[batch, channels, height, width]`.
    fn prepare(&self, inputs: &[&Input]) -> Result<Tensor<4>> {
        let preprocess = &self.preprocess;
        let values = inputs.par_iter().map(|input| preprocess.apply(input));
        let values = values.collect::<Result<Vec<_>>>()?.concat();
        Ok(tensor(values, self.preprocess.shape(), &self.device))
    }

    /// The inputs in each file: the rows of a table, where the model was trained on one with
    /// these columns; else one picture.
    pub(crate) fn read(&self, paths: &[PathBuf]) -> Vec<Result<Vec<Input>>> {
        let columns = self.columns.as_deref();
        paths.par_iter().map(|path| read(path, columns)).collect()
    }
}

impl Suggest<Input> for Predictor {
    fn labels(&self) -> &[String] {
        &self.labels
    }

    fn suggest(&self, inputs: &[&Input], top: usize) -> Result<Vec<Vec<Suggestion>>> {
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        let logits = self.network.logits(self.prepare(inputs)?);
        if let Some(scale) = self.regression {
            let numbers = read_back(logits)?;
            return Ok(numbers.into_iter().map(|x| vec![scale.suggestion(x)]).collect());
        }
        let probabilities = read_back(softmax(logits / self.temperature, 1))?;
        let rows = probabilities.chunks(self.labels.len().max(1));
        Ok(rows.map(|row| rank(row, &self.labels, top)).collect())
    }
}

impl Propose for Predictor {
    fn kind(&self) -> Kind {
        match &self.columns {
            Some(columns) => Kind::Rows { columns: columns.clone() },
            None => {
                let [channels, height, width] = self.preprocess.shape();
                Kind::Pictures { channels, height, width }
            }
        }
    }

    fn embed(&self, inputs: &[&Input]) -> Result<Option<Vec<f32>>> {
        self.embed(inputs).map(Some)
    }
}

/// The inputs in a file: the rows of a table, where the model was trained on one with these
/// columns; else one picture.
fn read(path: &Path, columns: Option<&[String]>) -> Result<Vec<Input>> {
    match columns {
        Some(columns) => {
            let rows = Table::read_rows(path, columns)?;
            Ok(rows.into_iter().map(Input::Row).collect())
        }
        None => Ok(vec![Input::Picture(picture::read(path)?)]),
    }
}

/// The network with the weights in `path`; `sealed` where Tenfold wrote them.
fn loaded<C: ModelConfig>(
    config: &C,
    path: &Path,
    sealed: bool,
    device: &Device,
) -> Result<Box<dyn Ask>> {
    let mut network = config.init(device);
    weights::load(&mut network, path, &LoadOptions { sealed, ..C::Network::load_options() })?;
    Ok(Box::new(network))
}

/// One input's answer, as `--json` prints it.
#[derive(Serialize)]
struct Answer {
    input: String,
    suggestions: Vec<Suggestion>,
}

/// Runs the verb. Inputs that cannot be read are reported and do not keep the others from
/// their answers.
///
/// # Errors
/// A run or weights that cannot be read; [`Faults`] for inputs that cannot.
pub fn run(model: Option<Zoo>, args: &PredictArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let device = device::open(&args.place.device)?;
    let place = (&args.foreign, args.place.data_dir.as_deref());
    let (predictor, inputs) = choose(model, &args.paths, place, &device)?;
    let mut faults = Vec::new();
    let paths = expand(inputs, &mut faults);
    let drawings = args.draw.as_ref().map(|folder| {
        std::fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
        Ok::<_, Error>(label::paths(folder, paths.iter().map(PathBuf::as_path)))
    });
    let drawings = drawings.transpose()?;
    refuse_to_draw_over(&paths, drawings.as_deref().unwrap_or_default())?;
    let mut answers = Vec::new();
    for (chunk, paths) in paths.chunks(BATCH).enumerate() {
        for (place, (path, inputs)) in paths.iter().zip(predictor.read(paths)).enumerate() {
            let inputs = match inputs {
                Ok(inputs) => inputs,
                Err(fault) => {
                    faults.push(fault);
                    continue;
                }
            };
            let suggestions = suggest_all(&predictor, &inputs, args.top_k as usize)?;
            if let (Some(drawings), Some(Input::Picture(picture))) = (&drawings, inputs.first()) {
                let drawing = &drawings[chunk * BATCH + place];
                match args.explain {
                    true => label::write(drawing, &warm(&predictor, picture)?, &suggestions[0])?,
                    false => label::write(drawing, picture, &suggestions[0])?,
                }
            }
            for (row, suggestions) in suggestions.into_iter().enumerate() {
                let answer = Answer { input: name(path, row, inputs.len()), suggestions };
                match args.json {
                    true => answers.push(answer),
                    false => print(&answer, out)?,
                }
            }
        }
    }
    if args.json {
        print_json(&answers, out)?;
    }
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Faults(faults).into()),
    }
}

/// The predictor that a command line names, and the inputs that are left.
pub(crate) fn choose<'a>(
    model: Option<Zoo>,
    paths: &'a [PathBuf],
    (foreign, data_dir): (&Foreign, Option<&Path>),
    device: &Device,
) -> Result<(Predictor, &'a [PathBuf])> {
    let labels = foreign.labels.as_deref();
    if labels.is_some() && model.is_none() {
        let why = "goes with --model: a run and an exported file have labels of their own";
        return Err(Error::argument("--labels", why));
    }
    let (predictor, inputs) = match (&foreign.weights, model) {
        (weights, Some(model)) => {
            // Without --weights those fetched by the model's own name.
            let own = PathBuf::from(model.name());
            let named = labels::named(weights.as_ref().unwrap_or(&own), data_dir)?;
            let mut predictor = Predictor::from_weights(model, &named.file, labels, device)?;
            if labels.is_none() && named.classes.len() == predictor.labels.len() {
                predictor.labels = named.classes;
            }
            (predictor, paths)
        }
        (Some(weights), None) => (Predictor::from_export(weights, device)?, paths),
        (None, None) => {
            let (run, inputs) = paths.split_first().unwrap_or((&paths[0], &[]));
            (Predictor::from_run(run, device)?, inputs)
        }
    };
    match inputs {
        [] => Err(Error::argument("INPUT", "no pictures, folders or CSV files named")),
        _ => Ok((predictor, inputs)),
    }
}

/// What an input in a file of so many is called.
pub(crate) fn name(path: &Path, row: usize, rows: usize) -> String {
    match rows {
        1 => path.display().to_string(),
        _ => format!("{}:{}", path.display(), row + 1),
    }
}

/// The picture under the heat of its best suggestion.
fn warm(predictor: &Predictor, picture: &DynamicImage) -> Result<DynamicImage> {
    let heat = predictor.explain(&[&Input::Picture(picture.clone())])?;
    let heat = heat.and_then(|mut heat| heat.pop()).ok_or_else(|| {
        let why = "this model has no maps to look into; expected a convolutional network";
        Error::argument("--explain", why)
    })?;
    let window = predictor.preprocess.window(picture.width(), picture.height());
    Ok(heat::overlay(picture, &heat, window))
}

/// A drawing has its input's name: in the input's own folder it would replace the picture.
fn refuse_to_draw_over(inputs: &[PathBuf], drawings: &[PathBuf]) -> Result<()> {
    let real = |path: &PathBuf| path.canonicalize().ok();
    let inputs: HashSet<PathBuf> =
        if drawings.is_empty() { HashSet::new() } else { inputs.iter().filter_map(real).collect() };
    let over = |path: &&PathBuf| real(path).is_some_and(|path| inputs.contains(&path));
    match drawings.iter().find(over) {
        None => Ok(()),
        Some(path) => {
            let why = format!("would replace the input {}: name another folder", path.display());
            Err(Error::argument("--draw", why))
        }
    }
}

fn suggest_all(
    predictor: &Predictor,
    inputs: &[Input],
    top: usize,
) -> Result<Vec<Vec<Suggestion>>> {
    let mut all = Vec::with_capacity(inputs.len());
    for inputs in inputs.chunks(BATCH) {
        all.extend(predictor.suggest(&inputs.iter().collect::<Vec<_>>(), top)?);
    }
    Ok(all)
}

/// Folders become the pictures in them.
pub(crate) fn expand(inputs: &[PathBuf], faults: &mut Vec<Error>) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for input in inputs {
        if !input.is_dir() {
            paths.push(input.clone());
            continue;
        }
        match folder::pictures_in(input) {
            Ok(inside) if inside.is_empty() => {
                faults.push(Error::file(input, "a folder without pictures"));
            }
            Ok(inside) => paths.extend(inside),
            Err(fault) => faults.push(fault),
        }
    }
    paths
}

fn print(answer: &Answer, out: &mut dyn Write) -> std::io::Result<()> {
    write!(out, "{}", answer.input)?;
    for Suggestion { label, score, estimate } in &answer.suggestions {
        match estimate.and_then(|estimate| estimate.low.zip(estimate.high)) {
            Some((low, high)) => write!(out, "  {label}  {low} to {high} {:.1} %", score * 100.0)?,
            None => write!(out, "  {label} {:.1} %", score * 100.0)?,
        }
    }
    writeln!(out)
}
