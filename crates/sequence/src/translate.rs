//! Learning to translate, measuring it by BLEU, and translating.

use crate::batch::{Sentences, by_length, padded};
use crate::beam::{Decoder, Search, Written};
use crate::bleu::{self, Bleu};
use crate::job::{self, DataChoice, Judged, Recipe, RunConfig, Trained};
use crate::models::seq2seq::{Encoded, Seq2Seq, Seq2SeqConfig};
use crate::pairs::{self, Pair, Pairs};
use crate::vocab::{BEGIN, END, PAD, UNKNOWN, Vocabulary};
use crate::zoo::{EvalFlags, PredictFlags, TrainFlags, Zoo};
use crate::{alignment, text};
use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use burn::train::{InferenceStep, TrainOutput, TrainStep};
use serde::Serialize;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use tenfold_core::cli::args::{EvalArgs, PredictArgs, SplitChoice, TrainArgs};
use tenfold_core::cli::{print_json, set_fields};
use tenfold_core::data::random::SplitMix64;
use tenfold_core::suggest::{Suggest, Suggestion};
use tenfold_core::train::Trainable;
use tenfold_core::train::loader::Collate;
use tenfold_core::train::renderer::{grouped, note};
use tenfold_core::{Error, Result, device};
use tenfold_kernels::ops;

type Config = RunConfig<Seq2SeqConfig, Vocabulary>;

/// Fewer pairs than this are few: half as many pieces of words, which both languages share, as
/// where there are more, and less dropout.
const FEW: usize = 20_000;
/// Pieces of words, unless `--set tokens=N` says otherwise.
const TOKENS: usize = 4000;
/// Sentences per step where nothing is learnt.
const BATCH: usize = 64;
/// Beginnings that are kept of each, where nothing is said.
const BEAM: u32 = 5;
/// Strength of the length normalisation.
const ALPHA: f32 = 0.6;

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
    let open = |choice: &DataChoice| pairs::open(choice, &dir);
    let (job, data) = job::begin(model, (args, own), pairs::NUMBERS, open, |data| {
        let few = data.train.len() < FEW;
        let sizes = match few {
            true => Seq2SeqConfig::new(TOKENS / 2),
            false => Seq2SeqConfig { dropout: 0.4, ..Seq2SeqConfig::new(TOKENS) },
        };
        let wanted = set_fields(&sizes, &args.set, &[])?;
        wanted.check().map_err(|why| Error::argument("--set", why))?;
        let sides = data.train.iter().flat_map(|(source, target)| [&source[..], &target[..]]);
        let vocabulary = Vocabulary::of_pieces(sides, wanted.tokens)?;
        let config = Seq2SeqConfig { tokens: vocabulary.len(), ..wanted };
        let recipe =
            Recipe { epochs: 10, batch_size: 64, lr: 1e-3, weight_decay: 1e-2, clip_norm: 1.0 };
        Ok((config, vocabulary, recipe.settings(args)))
    })?;
    let Config { config, language, .. } = &job.config;
    note(format_args!(
        "{} on {}: {} pairs to learn from, {} to validate, {} to test, {} tokens; into {}",
        job.config.header.model,
        job.config.data.name,
        grouped(data.train.len()),
        grouped(data.validation.len()),
        grouped(data.test.len()),
        grouped(language.len()),
        job.run.folder().display()
    ));
    let batches = |pairs: &[Pair]| Arc::new(PairBatches::new(pairs, language, config.longest));
    let (train, validation) = (batches(&data.train), batches(&data.validation));
    if train.cut > 0 {
        let cut = grouped(train.cut);
        note(format_args!("{cut} sentences are cut at {} tokens", config.longest));
    }
    let network = config.init(&job.tape()).materialize();
    let model = Learner { network, smoothing: config.smoothing };
    let history = job.fit(model, train, validation, job::loss_only)?;
    let translator = Translator::new(&job.trained()?, &job.device)?;
    let (scores, lines) = measure(&translator, &data.test, BEAM as usize)?;
    job.finish(&history, "test", scores, &lines, args, out)
}

/// Makes batches of pairs; those that share one are of like length.
struct PairBatches {
    sources: Vec<Vec<usize>>,
    targets: Vec<Vec<usize>>,
    /// Sentences that were cut.
    cut: usize,
}

impl PairBatches {
    fn new(pairs: &[Pair], vocabulary: &Vocabulary, longest: usize) -> Self {
        let mut cut = 0;
        let mut encode = |text: &str| {
            let mut tokens = vocabulary.encode(text);
            cut += usize::from(tokens.len() > longest);
            tokens.truncate(longest);
            tokens
        };
        let sources = pairs.iter().map(|(source, _)| encode(source)).collect();
        let targets = pairs.iter().map(|(_, target)| encode(target)).collect();
        Self { sources, targets, cut }
    }
}

/// Sources and their translations.
#[derive(Clone, Debug)]
struct Batch {
    sources: Sentences,
    /// What the decoder reads, `[batch, steps]`.
    read: Tensor<2, Int>,
    /// The places of real tokens in the batch laid flat, `[count]`.
    places: Tensor<1, Int>,
    /// What it should write there, `[count]`.
    write: Tensor<1, Int>,
}

impl Collate for PairBatches {
    type Host = Vec<usize>;
    type Batch = Batch;

    fn len(&self) -> usize {
        self.sources.len()
    }

    fn arrange(&self, order: Vec<usize>, batch_size: usize, random: &mut SplitMix64) -> Vec<usize> {
        by_length(order, batch_size, random, |i| (self.targets[i].len(), self.sources[i].len()))
    }

    fn stack(&self, examples: &[usize], _seed: u64) -> Result<Vec<usize>> {
        Ok(examples.to_vec())
    }

    fn upload(&self, examples: Vec<usize>, device: &Device) -> Batch {
        let sources: Vec<&[usize]> = examples.iter().map(|&i| &self.sources[i][..]).collect();
        let read: Vec<Vec<usize>> = examples
            .iter()
            .map(|&i| std::iter::once(BEGIN).chain(self.targets[i].iter().copied()).collect())
            .collect();
        let steps = read.iter().map(Vec::len).max().unwrap_or(1);
        let (mut places, mut write) = (Vec::new(), Vec::new());
        for (row, &example) in examples.iter().enumerate() {
            let target = self.targets[example].iter().copied().chain([END]);
            for (step, token) in target.enumerate() {
                places.push((row * steps + step) as i64);
                write.push(token as i32);
            }
        }
        let read: Vec<&[usize]> = read.iter().map(|row| &row[..]).collect();
        let count = write.len();
        Batch {
            sources: Sentences::new(&sources, device),
            read: padded(&read, steps, device),
            places: Tensor::from_data(TensorData::new(places, [count]), device),
            write: Tensor::from_data(TensorData::new(write, [count]), device),
        }
    }
}

/// The network in its training dress.
#[derive(Module, Debug)]
struct Learner {
    network: Seq2Seq,
    #[module(skip)]
    smoothing: f32,
}

impl Learner {
    /// The mean loss of the target's tokens, each told from the true ones before it (teacher
    /// forcing: Williams and Zipser, 1989).
    fn judge(&self, batch: Batch, smoothing: f32) -> Judged {
        let Sentences { tokens, bias, lengths } = batch.sources;
        let encoded = self.network.encode(tokens, bias, &lengths);
        let features = self.network.decode(&encoded, batch.read).features;
        let [rows, steps, width] = features.dims();
        let features = features.reshape([rows * steps, width]).select(0, batch.places);
        let logits = self.network.logits(features);
        let [count, _] = logits.dims();
        let loss = CrossEntropyLossConfig::new()
            .with_smoothing(Some(smoothing).filter(|smoothing| *smoothing > 0.0))
            .init(&logits.device());
        Judged { loss: ops::cross_entropy(&loss, logits, batch.write), count }
    }
}

impl TrainStep for Learner {
    type Input = Batch;
    type Output = Judged;

    fn step(&self, batch: Batch) -> TrainOutput<Judged> {
        let output = self.judge(batch, self.smoothing);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Learner {
    type Input = Batch;
    type Output = Judged;

    fn step(&self, batch: Batch) -> Judged {
        self.judge(batch, 0.0)
    }
}

impl Trainable for Learner {
    type Network = Seq2Seq;

    fn network(&self) -> &Seq2Seq {
        &self.network
    }
}

/// A trained model that translates.
pub struct Translator {
    network: Seq2Seq,
    vocabulary: Vocabulary,
    longest: usize,
    device: Device,
    /// Beginnings that are kept of each sentence.
    pub beam: usize,
}

impl Decoder for Translator {
    type State = Encoded;

    fn step(&self, last: &[usize], state: &Encoded) -> Result<(Vec<f32>, Encoded)> {
        let tokens: Vec<i32> = last.iter().map(|&token| token as i32).collect();
        let rows = tokens.len();
        let tokens = Tensor::from_data(TensorData::new(tokens, [rows, 1]), &self.device);
        let decoded = self.network.decode(state, tokens);
        let [_, _, width] = decoded.features.dims();
        let logits = self.network.logits(decoded.features.reshape([rows, width]));
        let data = log_softmax(logits, 1).into_data().convert::<f32>();
        let mut logs: Vec<f32> =
            data.try_to_vec().map_err(|why| Error::Training(format!("{why:?}")))?;
        // These are never written.
        for row in logs.chunks_mut(self.vocabulary.len()) {
            [PAD, BEGIN, UNKNOWN].into_iter().for_each(|token| row[token] = f32::NEG_INFINITY);
        }
        Ok((logs, state.at(decoded.state)))
    }

    fn select(&self, state: &Encoded, rows: &[usize]) -> Encoded {
        let rows: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
        let count = rows.len();
        state.select(&Tensor::from_data(TensorData::new(rows, [count]), &self.device))
    }
}

impl Translator {
    /// From a run folder or an exported file.
    ///
    /// # Errors
    /// A file that is missing or damaged.
    pub fn from_run(folder: &Path, device: &Device) -> Result<Self> {
        Self::new(&Trained::open(folder)?, device)
    }

    fn new(trained: &Trained, device: &Device) -> Result<Self> {
        let config = checked(trained)?;
        let network = trained.load(config.config.init(device), &config.language)?;
        let (vocabulary, longest) = (config.language, config.config.longest);
        let device = device.clone();
        Ok(Self { network, vocabulary, longest, device, beam: BEAM as usize })
    }

    /// The tokens of a source; what is too long is cut.
    fn source(&self, text: &str) -> Result<Vec<usize>> {
        let mut tokens = self.vocabulary.encode(text);
        tokens.truncate(self.longest);
        match tokens.is_empty() {
            true => Err(Error::argument("INPUT", "an empty text; expected a sentence")),
            false => Ok(tokens),
        }
    }

    /// What each source may mean, best first, as many as the beam is wide.
    ///
    /// # Errors
    /// An empty text.
    pub fn translate(&self, texts: &[&str]) -> Result<Vec<Vec<Written>>> {
        let sources: Result<Vec<_>> = texts.iter().map(|text| self.source(text)).collect();
        let sources = sources?;
        // Texts of like length together: less padding.
        let mut order: Vec<usize> = (0..sources.len()).collect();
        order.sort_by_key(|&i| sources[i].len());
        let mut all: Vec<Vec<Written>> = vec![Vec::new(); sources.len()];
        for chunk in order.chunks(BATCH) {
            let own: Vec<&[usize]> = chunk.iter().map(|&i| &sources[i][..]).collect();
            let longest = own.iter().map(|source| source.len()).max().unwrap_or(1);
            let Sentences { tokens, bias, lengths } = Sentences::new(&own, &self.device);
            let encoded = self.network.encode(tokens, bias, &lengths);
            // No translation is thrice as long, save of the shortest.
            let longest = (3 * longest + 10).min(self.longest);
            let search = Search { beam: self.beam, longest, alpha: ALPHA };
            let written = search.run(self, encoded, chunk.len())?;
            chunk.iter().zip(written).for_each(|(&i, written)| all[i] = written);
        }
        Ok(all)
    }

    /// What each step of a translation looked at: tokens of the source, tokens of the target,
    /// and for each of these, its end included, the share of each of those.
    ///
    /// # Errors
    /// An empty text.
    pub fn align(&self, text: &str, target: &[usize]) -> Result<alignment::Alignment> {
        let source = self.source(text)?;
        let Sentences { tokens, bias, lengths } = Sentences::new(&[&source], &self.device);
        let encoded = self.network.encode(tokens, bias, &lengths);
        let read: Vec<usize> = std::iter::once(BEGIN).chain(target.iter().copied()).collect();
        let steps = read.len();
        let read = padded(&[&read], steps, &self.device);
        let attention = self.network.decode(&encoded, read).attention.into_data();
        let shares = attention.convert::<f32>().try_to_vec();
        let name = |&token: &usize| self.vocabulary.tokens()[token].clone();
        Ok(alignment::Alignment {
            sources: source.iter().map(name).collect(),
            targets: target.iter().chain([&END]).map(name).collect(),
            shares: shares.map_err(|why| Error::Training(format!("{why:?}")))?,
        })
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

impl Suggest<str> for Translator {
    /// There is no list of all sentences.
    fn labels(&self) -> &[String] {
        &[]
    }

    fn suggest(&self, texts: &[&str], top: usize) -> Result<Vec<Vec<Suggestion>>> {
        // The whole sentence's probability falls with each word; that of a word, in geometric
        // mean, can be compared. The end counts as one.
        let suggestion = |written: Written| {
            let text = self.vocabulary.decode(&written.tokens);
            let mean = written.log_probability / (written.tokens.len() + 1) as f32;
            Suggestion::new(text, mean.exp())
        };
        let all = self.translate(texts)?.into_iter();
        Ok(all.map(|written| written.into_iter().take(top).map(suggestion).collect()).collect())
    }
}

/// BLEU of greedy and beam translations.
fn measure(
    translator: &Translator,
    pairs: &[Pair],
    beam: usize,
) -> Result<(serde_json::Value, String)> {
    let (sources, references): (Vec<&str>, Vec<String>) =
        pairs.iter().map(|(source, target)| (source.as_str(), target.clone())).unzip();
    let vocabulary = &translator.vocabulary;
    let score = |beam: usize| {
        let own = Translator {
            network: translator.network.clone(),
            vocabulary: vocabulary.clone(),
            device: translator.device.clone(),
            longest: translator.longest,
            beam,
        };
        let written = own.translate(&sources)?.into_iter();
        let best = written.map(|all| all.first().map_or_else(Vec::new, |one| one.tokens.clone()));
        let texts: Vec<String> = best.map(|tokens| vocabulary.decode(&tokens)).collect();
        let exact = texts.iter().zip(&references).filter(|(text, other)| text == other).count();
        Ok::<_, Error>((Bleu::of_texts(&texts, &references), exact as f64 / texts.len() as f64))
    };
    let ((greedy, _), (best, exact)) = (score(1)?, score(beam)?);
    let scores = serde_json::json!({
        "bleu": best.score,
        "bleu_greedy": greedy.score,
        "beam": beam,
        "exact": exact,
        "brevity": best.brevity,
        "precisions": best.precisions,
        "signature": bleu::SIGNATURE,
        "count": pairs.len(),
    });
    let lines = format!(
        "test: BLEU {:.2} with a beam of {beam}, {:.2} greedy, {:.1} % word for word, on {} \
         sentences ({})",
        best.score,
        greedy.score,
        100.0 * exact,
        grouped(pairs.len()),
        bleu::SIGNATURE
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
    let translator = Translator::new(&trained, &device)?;
    let stored = checked(&trained)?.data;
    let choice = match &args.data {
        Some(name) => DataChoice { name: name.clone(), ..stored },
        None => stored,
    };
    let Pairs { train, validation, test, .. } = pairs::open(&choice, &job::data_dir(&args.place))?;
    let part = match args.split {
        SplitChoice::Train => train,
        SplitChoice::Validation => validation,
        SplitChoice::Test => test,
    };
    let (scores, lines) = measure(&translator, &part, own.beam.unwrap_or(BEAM) as usize)?;
    match args.json {
        true => print_json(&scores, out),
        false => Ok(writeln!(out, "{lines}")?),
    }
}

/// `export`.
///
/// # Errors
/// A run that cannot be read, or a file that cannot be written.
pub fn export(trained: &Trained, file: &Path) -> Result<()> {
    job::export(trained, file, |config: &Config, device| Ok(config.config.init(device)))
}

/// Parameters with the default vocabulary.
pub fn parameters(device: &Device) -> usize {
    Seq2SeqConfig::new(TOKENS).init(device).num_params()
}

#[derive(Serialize)]
struct Answer {
    input: String,
    suggestions: Vec<Suggestion>,
}

/// `predict`: each line of the files and each `--text` is a sentence.
///
/// # Errors
/// A run or a file that cannot be read.
pub fn predict(args: &PredictArgs, own: &PredictFlags, out: &mut dyn Write) -> anyhow::Result<()> {
    let device = device::open(&args.place.device)?;
    let (run, files) = args.paths.split_first().unwrap_or((&args.paths[0], &[]));
    let mut translator = Translator::from_run(run, &device)?;
    translator.beam = own.beam.unwrap_or(BEAM).max(args.top_k.min(64)) as usize;
    let mut sentences = own.text.clone();
    for file in files {
        let text = text::read(file)?;
        sentences.extend(text.lines().filter(|line| !line.trim().is_empty()).map(String::from));
    }
    if sentences.is_empty() {
        let why = "no text: name a file, or give a sentence with --text";
        return Err(Error::argument("INPUT", why).into());
    }
    for sentence in &sentences {
        let count = translator.vocabulary.encode(sentence).len();
        if count > translator.longest {
            let longest = translator.longest;
            note(format_args!("a text of {count} tokens is cut at {longest}: {sentence:.40} ..."));
        }
    }
    let texts: Vec<&str> = sentences.iter().map(String::as_str).collect();
    if let Some(folder) = &args.draw {
        std::fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
        for (number, (text, written)) in texts.iter().zip(translator.translate(&texts)?).enumerate()
        {
            let Some(best) = written.first() else { continue };
            let alignment = translator.align(text, &best.tokens)?;
            alignment.write(&folder.join(format!("attention-{}.svg", number + 1)))?;
        }
    }
    let suggestions = translator.suggest(&texts, args.top_k as usize)?;
    let answers = sentences.into_iter().zip(suggestions);
    let answers: Vec<Answer> =
        answers.map(|(input, suggestions)| Answer { input, suggestions }).collect();
    if args.json {
        return print_json(&answers, out);
    }
    for Answer { input, suggestions } in answers {
        writeln!(out, "{input}")?;
        for Suggestion { label, score, .. } in suggestions {
            writeln!(out, "  {:>5.1} %  {label}", 100.0 * score)?;
        }
    }
    Ok(())
}
