//! Learning to describe pictures, measuring how well, and describing others.

mod data;
mod draw;
mod learn;

use crate::beam::{Decoder, Search, Written};
use crate::bleu::Bleu;
use crate::cider::{cider, words};
use crate::job::{self, DataChoice, Recipe, RunConfig, Trained};
use crate::models::caption::{CaptionConfig, Captioner, Memory};
use crate::models::eyes::Encoder;
use crate::pictures;
use crate::vocab::{BEGIN, PAD, UNKNOWN, Unit, Vocabulary};
use crate::zoo::{EvalFlags, PredictFlags, TrainFlags, Zoo};
use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};
use data::{Captions, Split};
use serde::Serialize;
use std::io::Write;
use std::path::Path;
use tenfold_core::cli::args::{EvalArgs, PredictArgs, SplitChoice, TrainArgs};
use tenfold_core::cli::{Faults, print_json, set_fields};
use tenfold_core::data::scenes;
use tenfold_core::data::{Input, Preprocess};
use tenfold_core::suggest::{Suggest, Suggestion};
use tenfold_core::train::Settings;
use tenfold_core::train::renderer::{grouped, note};
use tenfold_core::{Error, Result, device};

type Config = RunConfig<CaptionConfig, Vocabulary>;

/// Pictures per step where nothing is learnt.
const BATCH: usize = 64;
/// Beginnings that are kept where nothing is said.
const BEAM: u32 = 5;

/// Parameters of the network for the embedded scenes.
pub fn parameters(attends: bool, device: &Device) -> usize {
    // Scenes are described in 36 words.
    let words = 36 + crate::vocab::SPECIAL.len();
    let config = CaptionConfig::new(words, attends, Encoder::Small, pictures::SIDE);
    config.init(device).num_params()
}

fn configure(
    attends: bool,
    args: &TrainArgs,
    data: &Captions,
) -> Result<(CaptionConfig, Vocabulary, Settings)> {
    let sentences = data.train.sentences.iter().flatten().map(String::as_str);
    // A word that occurs fewer times is not learnt; the papers have 5.
    let rare = if data.train.sentences.len() > 2_000 { 5 } else { 1 };
    let vocabulary = Vocabulary::build(Unit::Word, sentences, usize::MAX, rare);
    let encoder = if data.side > 128 { Encoder::ResNet18 } else { Encoder::Small };
    let config = CaptionConfig::new(vocabulary.len(), attends, encoder, data.side);
    let config = set_fields(&config, &args.set, &["words", "attends"])?;
    config.check().map_err(|why| Error::argument("--set", why))?;
    if let Some(start) = &config.start {
        config.eyes().init(&device::open("cpu")?).started(start)?;
    }
    let recipe =
        Recipe { epochs: 5, batch_size: 32, lr: 1.5e-3, weight_decay: 1e-2, clip_norm: 5.0 };
    Ok((config, vocabulary, recipe.settings(args)))
}

/// `train`.
///
/// # Errors
/// Whatever keeps the training from its end.
pub fn train(
    model: Zoo,
    attends: bool,
    args: &TrainArgs,
    own: &TrainFlags,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let dir = job::data_dir(&args.place);
    let (job, data) = job::begin(
        model,
        (args, own),
        scenes::NAME,
        |choice| data::open(choice, &dir),
        |data| configure(attends, args, data),
    )?;
    note(format_args!(
        "{} on {}: {} pictures to learn from, {} to validate, {} to test, {} words; into {}",
        job.config.header.model,
        job.config.data.name,
        grouped(data.train.sentences.len()),
        grouped(data.validation.sentences.len()),
        grouped(data.test.sentences.len()),
        job.config.language.len() - crate::vocab::SPECIAL.len(),
        job.run.folder().display()
    ));
    let history = learn::learn(&job, &data)?;
    let describer = Describer::new(&job.trained()?, &job.device)?;
    let (scores, lines) = measure(&describer, &data.test, "test", BEAM as usize)?;
    job.finish(&history, "test", scores, &lines, args, out)
}

/// Prepared pictures on the device, `[batch, 3, side, side]`.
pub(crate) fn uploaded(values: Vec<f32>, preprocess: &Preprocess, device: &Device) -> Tensor<4> {
    let [channels, height, width] = preprocess.shape();
    let batch = values.len() / (channels * height * width).max(1);
    Tensor::from_data(TensorData::new(values, [batch, channels, height, width]), device)
}

/// The configuration, if it does not contradict itself.
fn checked(trained: &Trained) -> Result<Config> {
    let config: Config = trained.config()?;
    config.config.check().map_err(|why| Error::file(&trained.config, why))?;
    let (words, own) = (config.config.words, config.language.len());
    match words == own {
        true => Ok(config),
        false => {
            let why = format!("a vocabulary of {own} words for a network of {words}");
            Err(Error::file(&trained.config, why))
        }
    }
}

/// `export`.
///
/// # Errors
/// A run that cannot be read, or a file that cannot be written.
pub fn export(trained: &Trained, file: &Path) -> Result<()> {
    job::export(trained, file, |config: &Config, device| Ok(config.config.init(device)))
}

/// A trained model that describes pictures.
pub struct Describer {
    network: Captioner,
    vocabulary: Vocabulary,
    preprocess: Preprocess,
    grid: usize,
    longest: usize,
    device: Device,
    /// Beginnings that are kept while it writes; 1 is greedy.
    pub beam: usize,
}

/// A sentence about a picture.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its words.
    pub words: Vec<usize>,
    /// How sure the model is of a word, in geometric mean: a probability in 0..1.
    pub score: f32,
}

impl Describer {
    /// From a run folder or an exported file.
    ///
    /// # Errors
    /// A file of the run that is missing or damaged.
    pub fn from_run(path: &Path, device: &Device) -> Result<Self> {
        Self::new(&Trained::open(path)?, device)
    }

    fn new(trained: &Trained, device: &Device) -> Result<Self> {
        let config = checked(trained)?;
        let network = trained.load(config.config.init(device), &config.language)?;
        Ok(Self {
            network,
            vocabulary: config.language,
            preprocess: config.config.eyes().preprocess(),
            grid: config.config.eyes().grid(),
            longest: config.config.longest,
            device: device.clone(),
            beam: BEAM as usize,
        })
    }

    /// For each prepared picture up to `beam` sentences, best first by their score.
    fn tell(&self, pictures: Tensor<4>) -> Result<Vec<Vec<Told>>> {
        let rows = pictures.dims()[0];
        let search = Search { beam: self.beam, longest: self.longest, alpha: 1.0 };
        let told = |Written { tokens, log_probability, .. }: Written| {
            let score = (log_probability / (tokens.len() + 1) as f32).exp();
            Told { words: tokens, score }
        };
        let written = search.run(self, self.network.look(pictures), rows)?;
        let ranked = written.into_iter().map(|all| {
            let mut all: Vec<Told> = all.into_iter().map(told).collect();
            all.sort_by(|a, b| b.score.total_cmp(&a.score));
            all
        });
        Ok(ranked.collect())
    }

    /// Where the network looked before each word of a sentence, `grid * grid` parts of one for
    /// each; none where it does not attend.
    fn looks(&self, picture: Tensor<4>, words: &[usize]) -> Result<Option<Vec<Vec<f32>>>> {
        let words: Vec<i32> = [BEGIN].iter().chain(words).map(|&word| word as i32).collect();
        let shape = [1, words.len()];
        let words = Tensor::from_data(TensorData::new(words, shape), &self.device);
        let (_, looks) = self.network.read(words, &mut self.network.look(picture));
        let places = self.grid * self.grid;
        let looks = looks.map(|looks| numbers(looks.flatten::<1>(0, 2))).transpose()?;
        Ok(looks.map(|looks| looks.chunks(places).map(<[f32]>::to_vec).collect()))
    }

    fn prepared(&self, pictures: &[&Input]) -> Result<Tensor<4>> {
        let values = pictures.iter().map(|input| self.preprocess.apply(input));
        let values = values.collect::<Result<Vec<_>>>()?.concat();
        Ok(uploaded(values, &self.preprocess, &self.device))
    }
}

impl Suggest<Input> for Describer {
    fn labels(&self) -> &[String] {
        self.vocabulary.tokens()
    }

    /// Sentences about pictures.
    fn suggest(&self, pictures: &[&Input], top: usize) -> Result<Vec<Vec<Suggestion>>> {
        if pictures.is_empty() {
            return Ok(Vec::new());
        }
        let suggestion =
            |told: &Told| Suggestion::new(self.vocabulary.decode(&told.words), told.score);
        let told = self.tell(self.prepared(pictures)?)?;
        Ok(told.iter().map(|all| all.iter().take(top).map(suggestion).collect()).collect())
    }
}

impl Decoder for Describer {
    type State = Memory;

    fn step(&self, last: &[usize], state: &Memory) -> Result<(Vec<f32>, Memory)> {
        let words: Vec<i32> = last.iter().map(|&word| word as i32).collect();
        let words = Tensor::from_data(TensorData::new(words, [last.len(), 1]), &self.device);
        let mut memory = state.clone();
        let (told, _) = self.network.read(words, &mut memory);
        let mut logs = numbers(log_softmax(self.network.tell(told), 1).flatten::<1>(0, 1))?;
        let count = logs.len() / last.len().max(1);
        // No sentence has these inside.
        for row in logs.chunks_mut(count.max(1)) {
            [PAD, UNKNOWN, BEGIN].into_iter().for_each(|word| row[word] = f32::NEG_INFINITY);
        }
        Ok((logs, memory))
    }

    fn select(&self, state: &Memory, rows: &[usize]) -> Memory {
        let rows: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
        let count = rows.len();
        state.select(&Tensor::from_data(TensorData::new(rows, [count]), &self.device))
    }
}

/// What a tensor holds.
pub(crate) fn numbers(tensor: Tensor<1>) -> Result<Vec<f32>> {
    let data = tensor.try_into_data().map_err(|why| Error::Training(why.to_string()))?;
    data.convert::<f32>().try_to_vec().map_err(|why| Error::Training(format!("{why:?}")))
}

/// BLEU-1 to 4 and CIDEr of a split, as JSON and in words.
fn measure(
    describer: &Describer,
    split: &Split,
    name: &str,
    beam: usize,
) -> Result<(serde_json::Value, String)> {
    let mut told = Vec::new();
    let all: Vec<usize> = (0..split.sentences.len()).collect();
    for some in all.chunks(BATCH) {
        let values = split.pictures.prepared(some, &describer.preprocess)?;
        let pictures = uploaded(values, &describer.preprocess, &describer.device);
        for best in describer.tell(pictures)? {
            let best = best.first().map(|told| describer.vocabulary.decode(&told.words));
            told.push(words(&best.unwrap_or_default()));
        }
    }
    let cut = |sentences: &Vec<String>| sentences.iter().map(|text| words(text)).collect();
    let references: Vec<Vec<Vec<String>>> = split.sentences.iter().map(cut).collect();
    let bleu =
        [1, 2, 3, 4].map(|order| Bleu::of_tokens(&told, &references, order, false).score / 100.0);
    let cider = cider(&told, &references);
    let scores = serde_json::json!({
        "bleu1": bleu[0],
        "bleu2": bleu[1],
        "bleu3": bleu[2],
        "bleu4": bleu[3],
        "cider": cider,
        "beam": beam,
        "count": told.len(),
    });
    let lines = format!(
        "{name}: BLEU-1 {:.3}, BLEU-2 {:.3}, BLEU-3 {:.3}, BLEU-4 {:.3}, CIDEr {cider:.3} with a \
         beam of {beam}, on {} pictures",
        bleu[0],
        bleu[1],
        bleu[2],
        bleu[3],
        grouped(told.len())
    );
    Ok((scores, lines))
}

/// `eval`.
///
/// # Errors
/// A run or data that cannot be read.
pub fn eval(args: &EvalArgs, own: &EvalFlags, out: &mut dyn Write) -> anyhow::Result<()> {
    let device = device::open(&args.place.device)?;
    let trained = Trained::open(&args.run)?;
    let config = checked(&trained)?;
    let choice = match &args.data {
        Some(name) => DataChoice { name: name.clone(), limit: None, ..config.data },
        None => config.data,
    };
    let data = data::open(&choice, &job::data_dir(&args.place))?;
    let (split, name) = match args.split {
        SplitChoice::Train => (&data.train, "train"),
        SplitChoice::Validation => (&data.validation, "validation"),
        SplitChoice::Test => (&data.test, "test"),
    };
    let beam = own.beam.unwrap_or(BEAM) as usize;
    let describer = Describer { beam, ..Describer::new(&trained, &device)? };
    let (scores, lines) = measure(&describer, split, name, beam)?;
    match args.json {
        true => print_json(&scores, out),
        false => Ok(writeln!(out, "{lines}")?),
    }
}

/// One picture's answer, as `--json` prints it.
#[derive(Serialize)]
struct Answer {
    input: String,
    suggestions: Vec<Suggestion>,
}

/// `predict`. Pictures that cannot be read are reported and do not keep the others from their
/// sentences.
///
/// # Errors
/// A run that cannot be read; [`Faults`] for pictures that cannot.
pub fn predict(args: &PredictArgs, own: &PredictFlags, out: &mut dyn Write) -> anyhow::Result<()> {
    let device = device::open(&args.place.device)?;
    let (run, inputs) = pictures::run_and_inputs(&args.paths)?;
    let beam = own.beam.unwrap_or(BEAM).max(args.top_k) as usize;
    let describer = Describer { beam, ..Describer::from_run(run, &device)? };
    let mut faults = Vec::new();
    let inputs = pictures::expand(inputs, &mut faults);
    let drawings = pictures::drawings(args.draw.as_deref(), &inputs)?;
    let mut answers = Vec::new();
    for (place, path) in inputs.iter().enumerate() {
        let picture = match tenfold_core::data::picture::read(path) {
            Ok(picture) => Input::Picture(picture),
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        let suggestions = describer.suggest(&[&picture], args.top_k as usize)?.remove(0);
        if let (Some(drawings), Input::Picture(picture)) = (&drawings, &picture) {
            describer.draw(picture, &suggestions, &drawings[place])?;
        }
        let answer = Answer { input: path.display().to_string(), suggestions };
        if args.json {
            answers.push(answer);
            continue;
        }
        writeln!(out, "{}", answer.input)?;
        for Suggestion { label, score, .. } in &answer.suggestions {
            writeln!(out, "  {label}  {:.1} %", score * 100.0)?;
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
