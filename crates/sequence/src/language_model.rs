//! Learning to continue a text, measuring how well, and writing on from a prompt.

use crate::job::{self, DataChoice, Job, Judged, Recipe, RunConfig, Trained};
use crate::models::charlm::{CharLm, CharLmConfig};
use crate::recurrent::State;
use crate::text;
use crate::vocab::{BEGIN, END, PAD, Unit, Vocabulary};
use crate::zoo::{PredictFlags, TrainFlags, Zoo};
use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, Int, Tensor, TensorData};
use burn::train::{InferenceStep, TrainOutput, TrainStep};
use serde::Serialize;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tenfold_core::cli::args::{EvalArgs, PredictArgs, SplitChoice, TrainArgs};
use tenfold_core::cli::{print_json, set_fields};
use tenfold_core::data::locate::{self, Place};
use tenfold_core::data::random::SplitMix64;
use tenfold_core::suggest::{Suggest, Suggestion, rank};
use tenfold_core::train::loader::{Collate, Epoch, Loader};
use tenfold_core::train::renderer::{grouped, note};
use tenfold_core::train::{Settings, Trainable};
use tenfold_core::{Error, Result, device};
use tenfold_kernels::ops;

type Config = RunConfig<CharLmConfig, Vocabulary>;

/// The text that is learnt where none is named: five short rhymes, for a first try.
const EMBEDDED: &str = include_str!("rhymes.txt");
/// Its name.
pub const RHYMES: &str = "rhymes";

/// A text in its two parts, the last tenth to validate with.
struct Text {
    train: String,
    validation: String,
}

fn open(choice: &DataChoice, data_dir: &Path) -> Result<Text> {
    let (text, path) = if choice.name == RHYMES {
        (EMBEDDED.to_string(), RHYMES.into())
    } else {
        let path = match locate::locate(&choice.name, data_dir)? {
            Place::File(path) => path,
            Place::Fetched(fetched) if fetched.layout == "text" => fetched.path("train", "file")?,
            Place::Fetched(fetched) => {
                let why =
                    format!("{} is laid out as {}; expected text", choice.name, fetched.layout);
                return Err(Error::argument("--data", why));
            }
            Place::Folder(_) => {
                let why = format!("`{}` is a folder; expected a text file", choice.name);
                return Err(Error::argument("--data", why));
            }
        };
        (text::read(&path)?, path)
    };
    let characters = text.chars().count();
    let kept = choice.limit.map_or(characters, |limit| limit.min(characters));
    let held = kept / 10;
    if held < 2 {
        let why = format!("{kept} characters; expected 20 or more");
        return Err(match choice.limit {
            Some(_) => Error::argument("--limit", why),
            None => Error::file(path, why),
        });
    }
    let train = text.chars().take(kept - held).collect();
    let validation = text.chars().skip(kept - held).take(held).collect();
    Ok(Text { train, validation })
}

fn configure(args: &TrainArgs, text: &Text) -> Result<(CharLmConfig, Vocabulary, Settings)> {
    let vocabulary = Vocabulary::build(Unit::Character, [text.train.as_str()], usize::MAX, 1);
    let config = set_fields(&CharLmConfig::new(vocabulary.len()), &args.set, &["tokens"])?;
    config.check().map_err(|why| Error::argument("--set", why))?;
    let recipe = Recipe { epochs: 8, batch_size: 32, lr: 4e-3, weight_decay: 1e-2, clip_norm: 1.0 };
    let mut settings = recipe.settings(args);
    // A short text is read by fewer readers, so that each has something to read.
    let longest = vocabulary.encode(&text.train).len() / (2 * config.steps.min(32)).max(1);
    if args.batch_size.is_none() {
        settings.batch_size = settings.batch_size.min(longest.max(1));
    }
    Ok((config, vocabulary, settings))
}

/// `train`.
///
/// # Errors
/// Whatever keeps the training from its end.
pub fn train(
    model: Zoo,
    args: &TrainArgs,
    own: &TrainFlags,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let dir = job::data_dir(&args.place);
    let (job, text) = job::begin(
        model,
        (args, own),
        RHYMES,
        |choice| open(choice, &dir),
        |text| configure(args, text),
    )?;
    note(format_args!(
        "{} on {}: {} characters to learn from, {} to validate, {} different; into {}",
        job.config.header.model,
        job.config.data.name,
        grouped(text.train.chars().count()),
        grouped(text.validation.chars().count()),
        job.config.language.len() - 4,
        job.run.folder().display()
    ));
    let history = learn(&job, &text)?;
    let loss = measure(&job.trained()?, &job.config, &text.validation, &job.device)?;
    let (scores, lines) = told(loss, text.validation.chars().count());
    job.finish(&history, "validation", scores, &lines, args, out)
}

fn learn(
    job: &Job<CharLmConfig, Vocabulary>,
    text: &Text,
) -> Result<tenfold_core::train::history::History> {
    let Config { config, language, training, .. } = &job.config;
    let epoch = Epoch::default();
    let streams = |text: &str, readers: usize, shifted| {
        let steps = config.steps;
        let tokens = language.encode(text).into_iter().map(|token| token as i32).collect();
        Arc::new(Streams::new(tokens, readers, steps, shifted))
    };
    let train = streams(&text.train, training.batch_size, true);
    let validation = streams(&text.validation, VALIDATING, false);
    let tape = job.tape();
    let network = config.init(&tape).materialize();
    let model = Learner { network, kept: Kept::default() };
    // In order: each reader goes on where it stopped.
    let train =
        Loader::new(train.clone(), train.readers, tape).in_order(training.seed, epoch.clone());
    let validation = Loader::new(validation.clone(), validation.readers, job.device.clone());
    job.fit_in(model, train, validation, epoch, job::loss_only)
}

/// So many readers share the text that validates.
const VALIDATING: usize = 16;

/// A text read by several readers at once, each from its own place on: example `step * readers +
/// reader` is the reader's next piece.
pub struct Streams {
    tokens: Vec<i32>,
    readers: usize,
    steps: usize,
    /// Whether each epoch begins at another place.
    shifted: bool,
}

impl Streams {
    fn new(tokens: Vec<i32>, readers: usize, steps: usize, shifted: bool) -> Self {
        let readers = readers.min(tokens.len() - 1).max(1);
        Self { tokens, readers, steps, shifted }
    }

    /// How many tokens each reader predicts.
    fn length(&self) -> usize {
        (self.tokens.len() - 1) / self.readers
    }
}

/// Tokens and those that follow them.
#[derive(Clone, Debug)]
pub struct Piece {
    /// `[readers, steps]`
    tokens: Tensor<2, Int>,
    /// `[readers * steps]`
    next: Tensor<1, Int>,
    /// Whether it is the first of its epoch, where no reader has a state yet.
    first: bool,
}

impl Collate for Streams {
    type Host = (Vec<i32>, Vec<i32>, bool);
    type Batch = Piece;

    fn len(&self) -> usize {
        self.readers * self.length().div_ceil(self.steps)
    }

    fn stack(&self, examples: &[usize], seed: u64) -> Result<Self::Host> {
        let start = examples[0] / self.readers * self.steps;
        let steps = self.steps.min(self.length() - start);
        let count = self.tokens.len();
        let shift = if self.shifted { SplitMix64::new(seed).below(count) } else { 0 };
        let (mut tokens, mut next) = (Vec::new(), Vec::new());
        for reader in 0..examples.len() {
            // Shifted readers go round: from the last character to the first.
            let place = |step: usize| (shift + reader * self.length() + start + step) % count;
            tokens.extend((0..steps).map(|step| self.tokens[place(step)]));
            next.extend((1..=steps).map(|step| self.tokens[place(step)]));
        }
        Ok((tokens, next, start == 0))
    }

    fn upload(&self, (tokens, next, first): Self::Host, device: &Device) -> Piece {
        let steps = tokens.len() / self.readers;
        let count = next.len();
        Piece {
            tokens: Tensor::from_data(TensorData::new(tokens, [self.readers, steps]), device),
            next: Tensor::from_data(TensorData::new(next, [count]), device),
            first,
        }
    }
}

/// The states that the readers stopped with, in training and in validation.
type Kept = Arc<Mutex<[Option<Vec<State>>; 2]>>;

/// The network in its training dress.
#[derive(Module, Debug)]
struct Learner {
    network: CharLm,
    #[module(skip)]
    kept: Kept,
}

impl Learner {
    /// The loss of a piece, read on from where the last one ended; back-propagation through
    /// time is cut there (Williams and Peng, "An Efficient Gradient-Based Algorithm for On-Line
    /// Training of Recurrent Network Trajectories", 1990).
    fn judge(&self, piece: Piece, place: usize) -> Judged {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let states = kept[place].take().filter(|_| !piece.first);
        let (logits, states) = self.network.forward(piece.tokens, states);
        kept[place] = Some(states.into_iter().map(State::detach).collect());
        let [readers, steps, tokens] = logits.dims();
        let logits = logits.reshape([readers * steps, tokens]);
        let loss = CrossEntropyLossConfig::new().init(&logits.device());
        let loss = ops::cross_entropy(&loss, logits, piece.next);
        Judged { loss, count: readers * steps }
    }
}

impl TrainStep for Learner {
    type Input = Piece;
    type Output = Judged;

    fn step(&self, piece: Piece) -> TrainOutput<Judged> {
        let output = self.judge(piece, 0);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Learner {
    type Input = Piece;
    type Output = Judged;

    fn step(&self, piece: Piece) -> Judged {
        self.judge(piece, 1)
    }
}

impl Trainable for Learner {
    type Network = CharLm;

    fn network(&self) -> &CharLm {
        &self.network
    }
}

/// The configuration, if it does not contradict itself.
fn checked(trained: &Trained) -> Result<Config> {
    let config: Config = trained.config()?;
    config.config.check().map_err(|why| Error::file(&trained.config, why))?;
    let (tokens, words) = (config.config.tokens, config.language.len());
    match tokens == words {
        true => Ok(config),
        false => {
            let why = format!("a vocabulary of {words} tokens for a network of {tokens}");
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

/// The mean loss in nats per character of a run on a text.
fn measure(trained: &Trained, config: &Config, text: &str, device: &Device) -> Result<f64> {
    let network = trained.load(config.config.init(device), &config.language)?;
    let tokens = config.language.encode(text).into_iter().map(|token| token as i32).collect();
    let streams = Arc::new(Streams::new(tokens, VALIDATING, config.config.steps, false));
    let readers = streams.readers;
    let model = Learner { network, kept: Kept::default() };
    let (mut sum, mut count) = (0.0, 0);
    for piece in Loader::new(streams, readers, device.clone()).pass() {
        let judged = model.judge(piece?, 1);
        let loss: f32 = judged.loss.into_scalar();
        sum += f64::from(loss) * judged.count as f64;
        count += judged.count;
    }
    Ok(sum / count as f64)
}

/// A loss as JSON and in words.
fn told(loss: f64, count: usize) -> (serde_json::Value, String) {
    let bits = loss / std::f64::consts::LN_2;
    let scores = serde_json::json!({
        "loss": loss,
        "bits_per_character": bits,
        "perplexity": loss.exp(),
        "count": count,
    });
    let lines = format!(
        "validation: {loss:.4} nats ({bits:.4} bits) per character, perplexity {:.2}, on {} characters",
        loss.exp(),
        grouped(count)
    );
    (scores, lines)
}

/// `eval`.
///
/// # Errors
/// A run or text that cannot be read.
pub fn eval(args: &EvalArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let device = device::open(&args.place.device)?;
    let trained = Trained::open(&args.run)?;
    let config = checked(&trained)?;
    let choice = match &args.data {
        Some(name) => DataChoice { name: name.clone(), limit: None, ..config.data.clone() },
        None => config.data.clone(),
    };
    let text = open(&choice, &job::data_dir(&args.place))?;
    // A text has no part beside the two; the one held out serves as the test.
    let part = match (args.split, &args.data) {
        (SplitChoice::Train, _) => text.train,
        (_, Some(_)) => text.train + &text.validation,
        (_, None) => text.validation,
    };
    let loss = measure(&trained, &config, &part, &device)?;
    let (scores, lines) = told(loss, part.chars().count());
    match args.json {
        true => print_json(&scores, out),
        false => Ok(writeln!(out, "{lines}")?),
    }
}

/// A trained model that writes.
pub struct Writer {
    network: CharLm,
    vocabulary: Vocabulary,
    device: Device,
}

/// How the next character is chosen.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// Logits are divided by this; 0 takes the most probable.
    pub temperature: f32,
    /// Only among so many of the most probable.
    pub top_k: Option<usize>,
}

impl Writer {
    /// From a run folder or an exported file.
    ///
    /// # Errors
    /// A file of the run that is missing or damaged.
    pub fn from_run(folder: &Path, device: &Device) -> Result<Self> {
        let trained = Trained::open(folder)?;
        let config = checked(&trained)?;
        let network = trained.load(config.config.init(device), &config.language)?;
        Ok(Self { network, vocabulary: config.language, device: device.clone() })
    }

    /// The logits after some tokens, and the state to go on from.
    fn read(&self, tokens: &[usize], states: Option<Vec<State>>) -> Result<(Vec<f32>, Vec<State>)> {
        let tokens: Vec<i32> = tokens.iter().map(|&token| token as i32).collect();
        let count = tokens.len();
        let tokens = Tensor::from_data(TensorData::new(tokens, [1, count]), &self.device);
        let (logits, states) = self.network.forward(tokens, states);
        let last = logits.slice([0..1, count - 1..count]).into_data();
        let mut logits: Vec<f32> =
            last.convert::<f32>().try_to_vec().map_err(|e| Error::Training(format!("{e:?}")))?;
        // No text has these inside.
        for token in [PAD, BEGIN, END] {
            logits[token] = f32::NEG_INFINITY;
        }
        Ok((logits, states))
    }

    /// Continues `prompt` by `length` characters and hands each one to `show`. A recurrent
    /// network reads a prompt of any length.
    ///
    /// # Errors
    /// The device, or `show`.
    pub fn write(
        &self,
        prompt: &str,
        length: usize,
        choice: Choice,
        seed: u64,
        mut show: impl FnMut(&str) -> std::io::Result<()>,
    ) -> anyhow::Result<()> {
        let mut random = SplitMix64::new(seed);
        let (mut logits, mut states) = self.read(&self.prompt(prompt), None)?;
        for _ in 0..length {
            let token = sample(&logits, choice, &mut random);
            show(&self.vocabulary.tokens()[token])?;
            (logits, states) = self.read(&[token], Some(states))?;
        }
        Ok(())
    }

    /// The tokens of a prompt; a line's end where there is none.
    fn prompt(&self, prompt: &str) -> Vec<usize> {
        let tokens = self.vocabulary.encode(prompt);
        if tokens.is_empty() { vec![self.vocabulary.number("\n")] } else { tokens }
    }
}

impl Suggest<str> for Writer {
    fn labels(&self) -> &[String] {
        self.vocabulary.tokens()
    }

    /// The most probable next characters.
    fn suggest(&self, prompts: &[&str], top: usize) -> Result<Vec<Vec<Suggestion>>> {
        let next = |prompt: &&str| {
            let (logits, _) = self.read(&self.prompt(prompt), None)?;
            Ok(rank(&softmax(&logits, 1.0), self.vocabulary.tokens(), top))
        };
        prompts.iter().map(next).collect()
    }
}

fn softmax(logits: &[f32], temperature: f32) -> Vec<f32> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f32> = logits.iter().map(|x| ((x - most) / temperature).exp()).collect();
    let sum: f32 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

fn sample(logits: &[f32], choice: Choice, random: &mut SplitMix64) -> usize {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    if choice.temperature == 0.0 {
        return order[0];
    }
    order.truncate(choice.top_k.unwrap_or(usize::MAX).max(1));
    let kept: Vec<f32> = order.iter().map(|&token| logits[token]).collect();
    let mut left = random.unit();
    for (&token, share) in order.iter().zip(softmax(&kept, choice.temperature)) {
        left -= share;
        if left < 0.0 {
            return token;
        }
    }
    order[0]
}

#[derive(Serialize)]
struct Answer {
    prompt: String,
    text: String,
    /// What may follow the prompt, best first.
    suggestions: Vec<Suggestion>,
}

/// `predict`: writes on from the prompt, each character as soon as it is there.
///
/// # Errors
/// A run that cannot be read.
pub fn predict(args: &PredictArgs, own: &PredictFlags, out: &mut dyn Write) -> anyhow::Result<()> {
    let device = device::open(&args.place.device)?;
    let (run, files) = args.paths.split_first().unwrap_or((&args.paths[0], &[]));
    let writer = Writer::from_run(run, &device)?;
    let mut prompt = own.prompt.clone().unwrap_or_default();
    for file in files {
        prompt.push_str(&text::read(file)?);
    }
    let unknown: Vec<char> = prompt
        .chars()
        .filter(|c| writer.vocabulary.number(&c.to_string()) == crate::vocab::UNKNOWN)
        .collect();
    if let Some(first) = unknown.first() {
        note(format_args!(
            "the model never saw {} of the prompt's characters, such as {first:?}",
            unknown.len()
        ));
    }
    let choice = Choice { temperature: own.temperature as f32, top_k: own.sample_top_k };
    let (length, seed) = (own.length, own.seed);
    if args.json {
        let mut text = String::new();
        writer.write(&prompt, length, choice, seed, |token| {
            text.push_str(token);
            Ok(())
        })?;
        let suggestions = writer.suggest(&[&prompt], args.top_k as usize)?.remove(0);
        return print_json(&Answer { prompt, text, suggestions }, out);
    }
    write!(out, "{prompt}")?;
    writer.write(&prompt, length, choice, seed, |token| {
        out.write_all(token.as_bytes())?;
        out.flush()
    })?;
    Ok(writeln!(out)?)
}
