//! Learning to answer questions about pictures, measuring how well, and answering others.

mod data;
mod learn;

use crate::captioning::{numbers, uploaded};
use crate::job::{self, DataChoice, Recipe, RunConfig, Trained};
use crate::models::eyes::Encoder;
use crate::models::vqa::{Fusion, Vqa, VqaConfig};
use crate::pictures;
use crate::vocab::{UNKNOWN, Unit, Vocabulary};
use crate::zoo::{PredictFlags, TrainFlags, Zoo};
use burn::module::Module;
use burn::tensor::Device;
use burn::tensor::activation::softmax;
use data::{Question, Split, Visual};
use learn::{AskedAbout, asked};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use tenfold_core::cli::args::{EvalArgs, PredictArgs, SplitChoice, TrainArgs};
use tenfold_core::cli::{Faults, print_json, set_fields};
use tenfold_core::data::scenes;
use tenfold_core::data::{Input, Preprocess, picture};
use tenfold_core::suggest::{Suggest, Suggestion, rank};
use tenfold_core::train::Settings;
use tenfold_core::train::loader::Loader;
use tenfold_core::train::renderer::{grouped, note};
use tenfold_core::viz::label;
use tenfold_core::{Error, Result, device};

type Config = RunConfig<VqaConfig, Language>;

/// Pictures per step where nothing is learnt.
const BATCH: usize = 64;
/// From so many pictures words and answers are gathered.
const GATHERED: usize = 4_000;
/// The most frequent answers that can be chosen, as most of the literature on VQA v2 has it.
const MOST_ANSWERS: usize = 3_000;

/// What is asked and what can be answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Language {
    /// The words of questions.
    pub words: Vocabulary,
    /// The answers, in the order of the network's outputs.
    pub answers: Vec<String>,
}

impl Language {
    /// From the questions of a split.
    fn gather(split: &Split) -> Self {
        // Drawn questions are always of the same words, and so many hold them all.
        let pictures = match split {
            Split::Drawn { count, .. } => (*count).min(GATHERED),
            Split::Listed(..) => split.len(),
        };
        let questions: Vec<Question> =
            (0..pictures).flat_map(|index| split.questions(index, 0)).collect();
        let texts = questions.iter().map(|question| question.text.as_str());
        let words = Vocabulary::build(Unit::Word, texts, usize::MAX, 1);
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        questions.iter().for_each(|question| *counts.entry(&question.answer).or_default() += 1);
        let mut answers: Vec<(&str, usize)> = counts.into_iter().collect();
        answers.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        answers.truncate(MOST_ANSWERS);
        Self { words, answers: answers.into_iter().map(|(answer, _)| answer.into()).collect() }
    }

    /// The numbers of a question's words, at least one.
    ///
    /// Words that are not known are left out: every word of the questions learnt from is known,
    /// so that nothing was ever learnt about [`UNKNOWN`], and what it would add is chance.
    fn encode(&self, question: &str) -> Vec<usize> {
        let mut words = self.words.encode(question);
        words.retain(|&word| word != UNKNOWN);
        if words.is_empty() { vec![UNKNOWN] } else { words }
    }

    /// The words of a person's question; those that are not known come second.
    ///
    /// # Errors
    /// None of its words is known: there is nothing that an answer could come from.
    pub fn read(&self, question: &str) -> Result<(Vec<usize>, Vec<String>)> {
        let word = |token: &String| token.chars().any(char::is_alphanumeric);
        let tokens: Vec<String> = self.words.split(question).into_iter().filter(word).collect();
        let unknown = |token: &&String| self.words.number(token) == UNKNOWN;
        let strange: Vec<String> = tokens.iter().filter(unknown).cloned().collect();
        if strange.len() == tokens.len() {
            let why = match tokens.is_empty() {
                true => format!("`{question}` has no words; expected a question"),
                false => {
                    format!(
                        "`{question}`: this model knows none of its words; it was trained on \
                             questions such as those of its data"
                    )
                }
            };
            return Err(Error::argument("--ask", why));
        }
        Ok((self.encode(question), strange))
    }
}

/// Parameters of the network for the embedded scenes.
pub fn parameters(fusion: Fusion, device: &Device) -> usize {
    // Scenes are asked about in 51 words and have 22 answers.
    let words = 51 + crate::vocab::SPECIAL.len();
    VqaConfig::new(words, 22, fusion, Encoder::Small, pictures::SIDE).init(device).num_params()
}

fn configure(
    fusion: Fusion,
    args: &TrainArgs,
    data: &Visual,
) -> Result<(VqaConfig, Language, Settings)> {
    let language = Language::gather(&data.train);
    let encoder = if data.side > 128 { Encoder::ResNet18 } else { Encoder::Small };
    let (words, answers) = (language.words.len(), language.answers.len());
    let config = VqaConfig::new(words, answers, fusion, encoder, data.side);
    let config = set_fields(&config, &args.set, &["words", "answers", "fusion"])?;
    config.check().map_err(|why| Error::argument("--set", why))?;
    if let Some(start) = &config.start {
        config.eyes().init(&device::open("cpu")?).started(start)?;
    }
    let recipe =
        Recipe { epochs: 12, batch_size: 16, lr: 1.5e-3, weight_decay: 1e-2, clip_norm: 5.0 };
    Ok((config, language, recipe.settings(args)))
}

/// `train`.
///
/// # Errors
/// Whatever keeps the training from its end.
pub fn train(
    model: Zoo,
    fusion: Fusion,
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
        |data| configure(fusion, args, data),
    )?;
    note(format_args!(
        "{} on {}: {} pictures to learn from, {} to validate, {} to test, {} words, {} answers; \
         into {}",
        job.config.header.model,
        job.config.data.name,
        grouped(data.train.len()),
        grouped(data.validation.len()),
        grouped(data.test.len()),
        job.config.language.words.len() - crate::vocab::SPECIAL.len(),
        job.config.language.answers.len(),
        job.run.folder().display()
    ));
    let Visual { train, validation, test, .. } = data;
    let history = learn::learn(&job, train, validation)?;
    let (scores, lines) = measure(&Answerer::new(&job.trained()?, &job.device)?, test, "test")?;
    job.finish(&history, "test", scores, &lines, args, out)
}

/// The configuration, if it does not contradict itself.
fn checked(trained: &Trained) -> Result<Config> {
    let config: Config = trained.config()?;
    let wrong = |why: String| Error::file(&trained.config, why);
    config.config.check().map_err(wrong)?;
    let sizes = (config.config.words, config.config.answers);
    let own = (config.language.words.len(), config.language.answers.len());
    match sizes == own {
        true => Ok(config),
        false => Err(wrong(format!(
            "{} words and {} answers for a network of {} and {}",
            own.0, own.1, sizes.0, sizes.1
        ))),
    }
}

/// `export`.
///
/// # Errors
/// A run that cannot be read, or a file that cannot be written.
pub fn export(trained: &Trained, file: &Path) -> Result<()> {
    job::export(trained, file, |config: &Config, device| Ok(config.config.init(device)))
}

/// A trained model that answers questions about pictures.
pub struct Answerer {
    network: Vqa,
    /// What it understands and can answer.
    pub language: Language,
    preprocess: Preprocess,
    device: Device,
}

/// A question about a picture.
pub struct Ask<'a> {
    /// The picture.
    pub picture: &'a Input,
    /// What is asked.
    pub question: &'a str,
}

impl Answerer {
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
        let preprocess = config.config.eyes().preprocess();
        Ok(Self { network, language: config.language, preprocess, device: device.clone() })
    }
}

impl<'a> Suggest<Ask<'a>> for Answerer {
    fn labels(&self) -> &[String] {
        &self.language.answers
    }

    /// Answers with their probabilities.
    ///
    /// # Errors
    /// A question of unknown words alone; a picture that does not suit the model.
    fn suggest(&self, asks: &[&Ask<'a>], top: usize) -> Result<Vec<Vec<Suggestion>>> {
        if asks.is_empty() {
            return Ok(Vec::new());
        }
        let (mut values, mut sequences) = (Vec::new(), Vec::new());
        for ask in asks {
            values.extend(self.preprocess.apply(ask.picture)?);
            sequences.push(self.language.read(ask.question)?.0);
        }
        let about = (0..asks.len() as i32).collect();
        let pictures = uploaded(values, &self.preprocess, &self.device);
        let questions = asked(&sequences, about, &self.device);
        let (logits, _) = self.network.forward(pictures, questions);
        let probabilities = numbers(softmax(logits, 1).flatten::<1>(0, 1))?;
        let rows = probabilities.chunks(self.language.answers.len().max(1));
        Ok(rows.map(|row| rank(row, &self.language.answers, top)).collect())
    }
}

/// The accuracy on a split, also for each kind of question, as JSON and in words.
fn measure(answerer: &Answerer, split: Split, name: &str) -> Result<(serde_json::Value, String)> {
    let Answerer { network, language, preprocess, device } = answerer;
    let collate = AskedAbout::new(split, language.clone(), preprocess.clone(), false);
    let mut kinds: BTreeMap<String, (f64, usize)> = BTreeMap::new();
    for batch in Loader::new(Arc::new(collate), BATCH, device.clone()).pass() {
        let batch = batch?;
        if batch.texts.is_empty() {
            continue;
        }
        let (logits, _) = network.forward(batch.pictures, batch.questions);
        let logits = numbers(logits.flatten::<1>(0, 1))?;
        let rows = logits.chunks(language.answers.len().max(1));
        for (row, question) in rows.zip(&batch.texts) {
            let best = (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or(0);
            let of_kind = kinds.entry(question.kind.clone()).or_default();
            of_kind.0 += question.rightness(&language.answers[best]);
            of_kind.1 += 1;
        }
    }
    let right: f64 = kinds.values().map(|kind| kind.0).sum();
    let count: usize = kinds.values().map(|kind| kind.1).sum();
    let accuracy = right / count.max(1) as f64;
    let by_kind: BTreeMap<&String, serde_json::Value> = kinds
        .iter()
        .map(|(kind, &(right, count))| {
            let accuracy = right / count as f64;
            (kind, serde_json::json!({ "accuracy": accuracy, "count": count }))
        })
        .collect();
    let mut lines =
        format!("{name}: accuracy {:.2} % on {} questions", accuracy * 100.0, grouped(count));
    let wide = kinds.keys().map(|kind| kind.chars().count()).max().unwrap_or(0);
    for (kind, &(right, count)) in &kinds {
        let part = right / count as f64 * 100.0;
        lines += &format!("\n  {kind:<wide$}  {part:6.2} %  of {}", grouped(count));
    }
    Ok((serde_json::json!({ "accuracy": accuracy, "count": count, "kinds": by_kind }), lines))
}

/// `eval`.
///
/// # Errors
/// A run or data that cannot be read.
pub fn eval(args: &EvalArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let device = device::open(&args.place.device)?;
    let trained = Trained::open(&args.run)?;
    let config = checked(&trained)?;
    let choice = match &args.data {
        Some(name) => DataChoice { name: name.clone(), limit: None, ..config.data },
        None => config.data,
    };
    let Visual { train, validation, test, .. } = data::open(&choice, &job::data_dir(&args.place))?;
    let (split, name) = match args.split {
        SplitChoice::Train => (train, "train"),
        SplitChoice::Validation => (validation, "validation"),
        SplitChoice::Test => (test, "test"),
    };
    let (scores, lines) = measure(&Answerer::new(&trained, &device)?, split, name)?;
    match args.json {
        true => print_json(&scores, out),
        false => Ok(writeln!(out, "{lines}")?),
    }
}

/// One picture's answers, as `--json` prints them.
#[derive(Serialize)]
struct Answer<'a> {
    input: String,
    question: &'a str,
    suggestions: Vec<Suggestion>,
}

/// `predict`. Pictures that cannot be read are reported and do not keep the others from their
/// answers.
///
/// # Errors
/// A run that cannot be read, or a question that cannot be understood; [`Faults`] for pictures
/// that cannot be read.
pub fn predict(args: &PredictArgs, own: &PredictFlags, out: &mut dyn Write) -> anyhow::Result<()> {
    let device = device::open(&args.place.device)?;
    let (run, inputs) = pictures::run_and_inputs(&args.paths)?;
    let question = own.ask.as_deref().ok_or_else(|| {
        let why =
            "nothing is asked; expected a question, such as --ask \"what colour is the circle?\"";
        Error::argument("--ask", why)
    })?;
    let answerer = Answerer::from_run(run, &device)?;
    let (_, strange) = answerer.language.read(question)?;
    if !strange.is_empty() {
        note(format_args!("words that the model does not know: {}", strange.join(", ")));
    }
    let mut faults = Vec::new();
    let inputs = pictures::expand(inputs, &mut faults);
    let drawings = pictures::drawings(args.draw.as_deref(), &inputs)?;
    let mut answers = Vec::new();
    for (place, path) in inputs.iter().enumerate() {
        let picture = match picture::read(path) {
            Ok(picture) => Input::Picture(picture),
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        let ask = Ask { picture: &picture, question };
        let suggestions = answerer.suggest(&[&ask], args.top_k as usize)?.remove(0);
        if let (Some(drawings), Input::Picture(picture)) = (&drawings, &picture) {
            label::write(&drawings[place], picture, &suggestions)?;
        }
        let answer = Answer { input: path.display().to_string(), question, suggestions };
        if args.json {
            answers.push(answer);
            continue;
        }
        write!(out, "{}", answer.input)?;
        for Suggestion { label, score, .. } in &answer.suggestions {
            write!(out, "  {label} {:.1} %", score * 100.0)?;
        }
        writeln!(out)?;
    }
    if args.json {
        print_json(&answers, out)?;
    }
    match faults.is_empty() {
        true => Ok(()),
        false => Err(Faults(faults).into()),
    }
}
