//! Learning to classify texts, measuring it, and proposing classes with the words that counted.

use crate::batch::{Sentences, by_length};
use crate::documents::{self, Document, Documents};
use crate::job::{self, DataChoice, Recipe, RunConfig, Trained};
use crate::models::bilstm::{BiLstm, BiLstmConfig};
use crate::text;
use crate::vocab::{UNKNOWN, Unit, Vocabulary};
use crate::zoo::{PredictFlags, TrainFlags, Zoo};
use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use burn::train::metric::{AccuracyMetric, LossMetric};
use burn::train::{ClassificationOutput, InferenceStep, TrainOutput, TrainStep};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use tenfold_core::cli::args::{EvalArgs, PredictArgs, SplitChoice, TrainArgs};
use tenfold_core::cli::{print_json, set_fields};
use tenfold_core::data::random::SplitMix64;
use tenfold_core::suggest::{Suggest, Suggestion, rank};
use tenfold_core::train::Trainable;
use tenfold_core::train::loader::Collate;
use tenfold_core::train::renderer::{grouped, note};
use tenfold_core::{Error, Result, device};
use tenfold_kernels::ops;

type Config = RunConfig<BiLstmConfig, Language>;

/// Words of the vocabulary at most, unless `--set tokens=N` says otherwise.
const TOKENS: usize = 20_000;
/// Texts per step where nothing is learnt.
const BATCH: usize = 32;

/// What a text classifier reads and says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Language {
    /// The words that it knows.
    pub words: Vocabulary,
    /// The classes.
    pub labels: Vec<String>,
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
    let open = |choice: &DataChoice| documents::open(choice, &dir);
    let (job, data) = job::begin(model, (args, own), documents::OPINIONS, open, |data| {
        let wanted =
            set_fields(&BiLstmConfig::new(TOKENS, data.classes.len()), &args.set, &["classes"])?;
        wanted.check().map_err(|why| Error::argument("--set", why))?;
        let texts = data.train.iter().map(|(text, _)| text.as_str());
        // A word that occurs once teaches nothing; that it is unknown may.
        let words = Vocabulary::build(Unit::Word, texts, wanted.tokens, 2);
        let config = BiLstmConfig { tokens: words.len(), ..wanted };
        let recipe =
            Recipe { epochs: 12, batch_size: 32, lr: 2e-3, weight_decay: 1e-2, clip_norm: 1.0 };
        Ok((config, Language { words, labels: data.classes.clone() }, recipe.settings(args)))
    })?;
    let Config { config, language, .. } = &job.config;
    note(format_args!(
        "{} on {}: {} texts to learn from, {} to validate, {} to test, {} words; into {}",
        job.config.header.model,
        job.config.data.name,
        grouped(data.train.len()),
        grouped(data.validation.len()),
        grouped(data.test.len()),
        grouped(language.words.len()),
        job.run.folder().display()
    ));
    let batches = |documents: &[Document], word_dropout: f64| {
        let encode =
            |(text, class): &Document| (encode(&language.words, text, config.longest), *class);
        Arc::new(Texts { texts: documents.iter().map(encode).collect(), word_dropout })
    };
    let network = config.init(&job.tape()).materialize();
    let history = job.fit(
        Learner { network },
        batches(&data.train, config.word_dropout),
        batches(&data.validation, 0.0),
        |builder| builder.metrics((LossMetric::new(), AccuracyMetric::new())),
    )?;
    let classifier = TextClassifier::new(&job.trained()?, &job.device)?;
    let (scores, lines) = classifier.measure(&data.test, "test")?;
    job.finish(&history, "test", scores, &lines, args, out)
}

/// A text's words by number; at least one, so that there is something to read.
fn encode(words: &Vocabulary, text: &str, longest: usize) -> Vec<usize> {
    let mut tokens = words.encode(text);
    tokens.truncate(longest);
    if tokens.is_empty() {
        tokens.push(UNKNOWN);
    }
    tokens
}

/// Makes batches of texts of like length.
struct Texts {
    texts: Vec<(Vec<usize>, usize)>,
    word_dropout: f64,
}

/// Texts and what they are.
#[derive(Clone, Debug)]
struct Batch {
    texts: Sentences,
    /// `[batch]`
    classes: Tensor<1, Int>,
}

impl Collate for Texts {
    type Host = Vec<(Vec<usize>, usize)>;
    type Batch = Batch;

    fn len(&self) -> usize {
        self.texts.len()
    }

    fn arrange(&self, order: Vec<usize>, batch_size: usize, random: &mut SplitMix64) -> Vec<usize> {
        by_length(order, batch_size, random, |i| self.texts[i].0.len())
    }

    fn stack(&self, examples: &[usize], seed: u64) -> Result<Self::Host> {
        let example = |&i: &usize| {
            let (mut tokens, class) = self.texts[i].clone();
            let mut random = SplitMix64::keyed(&[seed, i as u64]);
            for token in &mut tokens {
                if f64::from(random.unit()) < self.word_dropout {
                    *token = UNKNOWN;
                }
            }
            (tokens, class)
        };
        Ok(examples.iter().map(example).collect())
    }

    fn upload(&self, host: Self::Host, device: &Device) -> Batch {
        let texts: Vec<&[usize]> = host.iter().map(|(tokens, _)| &tokens[..]).collect();
        let classes: Vec<i32> = host.iter().map(|&(_, class)| class as i32).collect();
        let count = classes.len();
        Batch {
            texts: Sentences::new(&texts, device),
            classes: Tensor::from_data(TensorData::new(classes, [count]), device),
        }
    }
}

/// The network in its training dress.
#[derive(Module, Debug)]
struct Learner {
    network: BiLstm,
}

impl Learner {
    fn judge(&self, batch: Batch) -> ClassificationOutput {
        let (logits, _) = self.network.forward(batch.texts);
        let loss = CrossEntropyLossConfig::new().init(&logits.device());
        let loss = ops::cross_entropy(&loss, logits.clone(), batch.classes.clone());
        ClassificationOutput::new(loss, logits, batch.classes)
    }
}

impl TrainStep for Learner {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> TrainOutput<ClassificationOutput> {
        let output = self.judge(batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Learner {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> ClassificationOutput {
        self.judge(batch)
    }
}

impl Trainable for Learner {
    type Network = BiLstm;

    fn network(&self) -> &BiLstm {
        &self.network
    }
}

/// A trained model that tells what a text is.
pub struct TextClassifier {
    network: BiLstm,
    language: Language,
    longest: usize,
    device: Device,
}

/// What is said of a text.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The probability of each class.
    pub probabilities: Vec<f32>,
    /// The text's words in order, and how much each one counted; the shares add up to 1.
    pub words: Vec<(String, f32)>,
}

impl TextClassifier {
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
        let (language, longest) = (config.language, config.config.longest);
        Ok(Self { network, language, longest, device: device.clone() })
    }

    /// What each text is, and by which of its words.
    ///
    /// # Errors
    /// The device.
    pub fn judge(&self, texts: &[&str]) -> Result<Vec<Verdict>> {
        let mut verdicts: Vec<Option<Verdict>> = vec![None; texts.len()];
        let tokens: Vec<Vec<usize>> =
            texts.iter().map(|text| encode(&self.language.words, text, self.longest)).collect();
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&i| tokens[i].len());
        for chunk in order.chunks(BATCH) {
            let own: Vec<&[usize]> = chunk.iter().map(|&i| &tokens[i][..]).collect();
            let (logits, shares) = self.network.forward(Sentences::new(&own, &self.device));
            let [_, steps] = shares.dims();
            let numbers = |tensor: Tensor<2>| {
                let numbers = tensor.into_data().convert::<f32>().try_to_vec::<f32>();
                numbers.map_err(|why| Error::Training(format!("{why:?}")))
            };
            let (probabilities, shares) = (numbers(softmax(logits, 1))?, numbers(shares)?);
            let rows = probabilities.chunks(self.language.labels.len()).zip(shares.chunks(steps));
            for (&i, (probabilities, shares)) in chunk.iter().zip(rows) {
                let words = self.language.words.split(texts[i]).into_iter();
                verdicts[i] = Some(Verdict {
                    probabilities: probabilities.to_vec(),
                    words: words.zip(shares.iter().copied()).collect(),
                });
            }
        }
        Ok(verdicts.into_iter().flatten().collect())
    }

    /// Accuracy and loss on some documents.
    fn measure(&self, documents: &[Document], split: &str) -> Result<(serde_json::Value, String)> {
        let texts: Vec<&str> = documents.iter().map(|(text, _)| text.as_str()).collect();
        let (mut right, mut loss) = (0, 0.0);
        for (verdict, &(_, class)) in self.judge(&texts)?.iter().zip(documents) {
            let own = verdict.probabilities[class];
            right += usize::from(verdict.probabilities.iter().all(|&p| p <= own));
            loss -= f64::from(own.max(f32::MIN_POSITIVE)).ln();
        }
        let count = documents.len();
        let (accuracy, loss) = (right as f64 / count as f64, loss / count as f64);
        let scores = serde_json::json!({ "accuracy": accuracy, "loss": loss, "count": count });
        let lines = format!(
            "{split}: accuracy {:.2} % ({right} of {}), loss {loss:.4}",
            100.0 * accuracy,
            grouped(count)
        );
        Ok((scores, lines))
    }
}

/// The configuration, if it does not contradict itself.
fn checked(trained: &Trained) -> Result<Config> {
    let config: Config = trained.config()?;
    config.config.check().map_err(|why| Error::file(&trained.config, why))?;
    let Language { words, labels } = &config.language;
    let (network, language) =
        ((config.config.tokens, config.config.classes), (words.len(), labels.len()));
    match network == language {
        true => Ok(config),
        false => {
            let why = format!(
                "a vocabulary of {} words and {} labels for a network of {} and {}",
                language.0, language.1, network.0, network.1
            );
            Err(Error::file(&trained.config, why))
        }
    }
}

impl Suggest<str> for TextClassifier {
    fn labels(&self) -> &[String] {
        &self.language.labels
    }

    fn suggest(&self, texts: &[&str], top: usize) -> Result<Vec<Vec<Suggestion>>> {
        let verdicts = self.judge(texts)?.into_iter();
        Ok(verdicts.map(|v| rank(&v.probabilities, &self.language.labels, top)).collect())
    }
}

/// `eval`.
///
/// # Errors
/// A run or data that cannot be read.
pub fn eval(args: &EvalArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let device = device::open(&args.place.device)?;
    let trained = Trained::open(&args.run)?;
    let classifier = TextClassifier::new(&trained, &device)?;
    let stored = checked(&trained)?.data;
    let choice = match &args.data {
        Some(name) => DataChoice { name: name.clone(), ..stored },
        None => stored,
    };
    let data = documents::open(&choice, &job::data_dir(&args.place))?;
    if data.classes != classifier.language.labels {
        let (own, other) = (classifier.language.labels.join(", "), data.classes.join(", "));
        let why = format!("its classes are {other}; the run's are {own}");
        return Err(Error::argument("--data", why).into());
    }
    let Documents { train, validation, test, .. } = data;
    let (part, split) = match args.split {
        SplitChoice::Train => (train, "train"),
        SplitChoice::Validation => (validation, "validation"),
        SplitChoice::Test => (test, "test"),
    };
    let (scores, lines) = classifier.measure(&part, split)?;
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

/// Parameters with the largest default vocabulary and two classes.
pub fn parameters(device: &Device) -> usize {
    BiLstmConfig::new(TOKENS, 2).init(device).num_params()
}

#[derive(Serialize)]
struct Answer {
    input: String,
    suggestions: Vec<Suggestion>,
    /// The words that counted most, and their shares, each with all of its occurrences.
    words: Vec<Counted>,
}

#[derive(Serialize)]
struct Counted {
    word: String,
    share: f32,
}

/// `predict`: each file and each `--text` is one text.
///
/// # Errors
/// A run or a file that cannot be read.
pub fn predict(args: &PredictArgs, own: &PredictFlags, out: &mut dyn Write) -> anyhow::Result<()> {
    let device = device::open(&args.place.device)?;
    let (run, files) = args.paths.split_first().unwrap_or((&args.paths[0], &[]));
    let classifier = TextClassifier::from_run(run, &device)?;
    let mut inputs: Vec<(String, String)> = Vec::new();
    for file in files {
        inputs.push((file.display().to_string(), text::read(file)?));
    }
    inputs.extend(own.text.iter().map(|text| (text.clone(), text.clone())));
    if inputs.is_empty() {
        let why = "no text: name a file, or give a text with --text";
        return Err(Error::argument("INPUT", why).into());
    }
    let texts: Vec<&str> = inputs.iter().map(|(_, text)| text.as_str()).collect();
    let verdicts = classifier.judge(&texts)?;
    let answers = inputs.iter().zip(verdicts).map(|((input, _), verdict)| {
        let labels = &classifier.language.labels;
        let suggestions = rank(&verdict.probabilities, labels, args.top_k as usize);
        // In a long text each occurrence counts little: a word counts with all of its own.
        let mut shares: BTreeMap<String, f32> = BTreeMap::new();
        verdict.words.into_iter().for_each(|(word, own)| *shares.entry(word).or_default() += own);
        let mut words: Vec<(String, f32)> = shares.into_iter().collect();
        words.sort_by(|a, b| b.1.total_cmp(&a.1));
        words.truncate(8);
        let words = words.into_iter().map(|(word, share)| Counted { word, share }).collect();
        Answer { input: input.clone(), suggestions, words }
    });
    let answers: Vec<Answer> = answers.collect();
    if args.json {
        return print_json(&answers, out);
    }
    for Answer { input, suggestions, words } in answers {
        write!(out, "{input}")?;
        for Suggestion { label, score, .. } in suggestions {
            write!(out, "  {label} {:.1} %", 100.0 * score)?;
        }
        write!(out, "\n  counted:")?;
        for Counted { word, share } in words {
            write!(out, "  {word} {:.1} %", 100.0 * share)?;
        }
        writeln!(out)?;
    }
    Ok(())
}
