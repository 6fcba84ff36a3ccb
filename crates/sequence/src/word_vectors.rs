//! Learning word vectors from a text, and asking them: near words and analogies.

use crate::job::{self, DataChoice, Recipe, RunConfig, Trained};
use crate::models::word2vec::{Way, Word2Vec, Word2VecConfig};
use crate::text;
use crate::vocab::{SPECIAL, UNKNOWN, Unit, Vocabulary};
use crate::zoo::{PredictFlags, TrainFlags, Zoo};
use burn::module::{Module, Param};
use burn::nn::{Embedding, EmbeddingConfig};
use burn::tensor::{Device, Tensor, TensorData};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::Instant;
use tenfold_core::cli::args::{EvalArgs, PredictArgs, TrainArgs};
use tenfold_core::cli::{print_json, set_fields};
use tenfold_core::data::locate::{self, Place};
use tenfold_core::data::random::SplitMix64;
use tenfold_core::suggest::Suggestion;
use tenfold_core::train::Settings;
use tenfold_core::train::history::{History, Line};
use tenfold_core::train::interrupt;
use tenfold_core::train::renderer::{grouped, note};
use tenfold_core::{Error, Result, device, files, viz, weights};

type Config = RunConfig<Word2VecConfig, Vocabulary>;

/// The embedded text: plain sentences about families and towns.
pub const KIN: &str = "kin";
/// Words of the vocabulary at most, unless `--set tokens=N` says otherwise.
const TOKENS: usize = 50_000;

/// The text of a data set, a line a sentence.
fn open(choice: &DataChoice, data_dir: &Path) -> Result<String> {
    let text = if choice.name == KIN {
        kin()
    } else {
        let path = match locate::locate(&choice.name, data_dir)? {
            Place::File(path) => path,
            Place::Fetched(fetched) if fetched.layout == "text" => fetched.path("train", "file")?,
            _ => {
                let why = format!("`{}` is no text; expected a text file", choice.name);
                return Err(Error::argument("--data", why));
            }
        };
        text::read(&path)?
    };
    Ok(match choice.limit {
        None => text,
        Some(limit) => text.chars().take(limit).collect(),
    })
}

/// `train`. There are no batches: a text is read word by word, epoch by epoch; a resumed
/// training begins again.
///
/// # Errors
/// Whatever keeps the training from its end.
pub fn train(
    model: Zoo,
    way: Way,
    args: &TrainArgs,
    own: &TrainFlags,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    refuse_steps(args)?;
    let dir = job::data_dir(&args.place);
    let (job, text) = job::begin(
        model,
        (args, own),
        KIN,
        |choice| open(choice, &dir),
        |text| {
            let wanted = set_fields(&Word2VecConfig::new(way, TOKENS), &args.set, &["way"])?;
            wanted.check().map_err(|why| Error::argument("--set", why))?;
            let words =
                Vocabulary::build(Unit::Word, [text.as_str()], wanted.tokens, wanted.min_count);
            if words.len() < SPECIAL.len() + 2 {
                let why = format!("fewer than two words occur {} times", wanted.min_count);
                return Err(Error::argument("--data", why));
            }
            // The papers' rates: 0.025, and twice that where neighbours are averaged.
            let lr = if way == Way::Cbow { 0.05 } else { 0.025 };
            let recipe =
                Recipe { epochs: 10, batch_size: 1, lr, weight_decay: 0.0, clip_norm: 1.0 };
            let config = Word2VecConfig { tokens: words.len(), ..wanted };
            // There is no validation that could choose an earlier epoch.
            Ok((config, words, Settings { keep_last: true, ..recipe.settings(args) }))
        },
    )?;
    let Config { config, language, training, .. } = &job.config;
    let sentences = sentences(&text, language);
    let mut counts = vec![0; language.len()];
    sentences.iter().flatten().for_each(|&word| counts[word as usize] += 1);
    let words: usize = counts.iter().sum();
    note(format_args!(
        "{} on {}: {} words, {} different; into {}",
        job.config.header.model,
        job.config.data.name,
        grouped(words),
        grouped(language.len() - SPECIAL.len()),
        job.run.folder().display()
    ));
    let mut random = SplitMix64::keyed(&[training.seed, 0x0077_3276]);
    let mut model = Word2Vec::new(config.clone(), &counts, &mut random);
    let mut history = History::default();
    let (mut read, all) = (0, (words * training.epochs).max(1));
    let mut order: Vec<usize> = (0..sentences.len()).collect();
    interrupt::listen();
    for epoch in 1..=training.epochs {
        let begun = Instant::now();
        let (mut loss, mut count, mut lr) = (0.0, 0, 0.0);
        random.shuffle(&mut order);
        for &sentence in &order {
            // Down to a ten-thousandth, as the papers' program.
            lr = training.lr * (1.0 - read as f64 / all as f64).max(1e-4);
            let (own, pairs) = model.learn(&sentences[sentence], lr as f32, &mut random);
            (loss, count) = (loss + own, count + pairs);
            read += sentences[sentence].len();
            if interrupt::requested() {
                return Err(Error::Training("interrupted; --resume begins again".into()).into());
            }
        }
        let seconds = begun.elapsed().as_secs_f64();
        let loss = loss / count.max(1) as f64;
        let rate = grouped((words as f64 / seconds.max(1e-9)) as usize);
        note(format_args!(
            "epoch {epoch}/{} train  loss {loss:.4}  ({seconds:.1} s, {rate} words/s)",
            training.epochs
        ));
        let metrics = BTreeMap::from([("loss".to_string(), loss)]);
        // There is nothing to validate on: a text is all there is to know of its words.
        history.lines.push(Line { epoch, split: "train".into(), metrics, lr, seconds });
    }
    let table = Table::of(&model.input, language.len(), config.dimensions, &job.device);
    weights::save(
        &table,
        &job.run.weights_path(),
        &job::metadata(&job.config.header.model, language)?,
    )?;
    history.write(&job.run.metrics_path())?;
    viz::curves::write(&history, &job.run.curves_path())?;
    let vectors = Vectors::from_run(job.run.folder(), &job.device)?;
    let rate = words as f64 * history.lines.len() as f64 / history.seconds().max(1e-9);
    let loss = history.lines.last().and_then(|line| line.metrics.get("loss").copied());
    let scores =
        serde_json::json!({ "loss": loss, "words": vectors.words.len(), "words_per_second": rate });
    let lines = format!(
        "train: loss {:.4}, {} words a second",
        loss.unwrap_or(0.0),
        grouped(rate as usize)
    );
    job.finish(&history, "train", scores, &lines, args, out)
}

/// Flags about batches are refused rather than ignored.
fn refuse_steps(args: &TrainArgs) -> Result<()> {
    let given = [
        ("--batch-size", args.batch_size.is_some()),
        ("--optimizer", args.optimizer.is_some()),
        ("--momentum", args.momentum.is_some()),
        ("--nesterov", args.nesterov),
        ("--weight-decay", args.weight_decay.is_some()),
        ("--clip-norm", args.clip_norm.is_some()),
        ("--schedule", args.schedule.is_some()),
        ("--warmup", args.warmup.is_some()),
        ("--patience", args.patience.is_some()),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((flag, _)) => {
            Err(Error::argument(flag, "word vectors are learnt word by word: leave this flag out"))
        }
        None => Ok(()),
    }
}

/// The known words of each line.
fn sentences(text: &str, words: &Vocabulary) -> Vec<Vec<u32>> {
    let known = |line: &str| {
        let numbers = words.encode(line).into_iter().filter(|&number| number != UNKNOWN);
        numbers.map(|number| number as u32).collect::<Vec<u32>>()
    };
    text.lines().map(known).filter(|sentence| sentence.len() > 1).collect()
}

/// The vectors as weights.
#[derive(Module, Debug)]
struct Table {
    /// `[tokens, dimensions]`
    embedding: Embedding,
}

impl Table {
    fn of(values: &[f32], words: usize, width: usize, device: &Device) -> Self {
        let data = TensorData::new(values.to_vec(), [words, width]);
        let weight = Param::from_tensor(Tensor::from_data(data, device));
        Self { embedding: Embedding { weight } }
    }
}

/// Words and their vectors, each of length 1.
pub struct Vectors {
    words: Vec<String>,
    numbers: BTreeMap<String, usize>,
    width: usize,
    values: Vec<f32>,
}

impl Vectors {
    fn new(words: Vec<String>, width: usize, mut values: Vec<f32>) -> Self {
        for vector in values.chunks_mut(width) {
            let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
            vector.iter_mut().for_each(|x| *x /= length);
        }
        let numbers = words.iter().enumerate().map(|(i, word)| (word.clone(), i)).collect();
        Self { words, numbers, width, values }
    }

    /// From a run folder or an exported file.
    ///
    /// # Errors
    /// A file that is missing or damaged.
    pub fn from_run(folder: &Path, device: &Device) -> Result<Self> {
        let trained = Trained::open(folder)?;
        let config = checked(&trained)?;
        let (words, width) = (config.language.len(), config.config.dimensions);
        let table = Table { embedding: EmbeddingConfig::new(words, width).init(device) };
        let table = trained.load(table, &config.language)?;
        let values = table.embedding.weight.val().into_data().convert::<f32>().try_to_vec::<f32>();
        let values = values.map_err(|why| Error::file(&trained.weights, format!("{why:?}")))?;
        let own = config.language.tokens()[SPECIAL.len()..].to_vec();
        Ok(Self::new(own, width, values[SPECIAL.len() * width..].to_vec()))
    }

    /// From a text file: a word and its numbers on each line, with a space between, as GloVe's;
    /// or with the counts of words and numbers above, as word2vec's.
    ///
    /// # Errors
    /// A line of another length, or with what is no number.
    pub fn from_text(path: &Path) -> Result<Self> {
        let text = text::read(path)?;
        let mut lines = text.lines().enumerate().peekable();
        let counts = lines.peek().map(|(_, line)| line.split_whitespace().collect::<Vec<_>>());
        if counts
            .is_some_and(|line| line.len() == 2 && line.iter().all(|x| x.parse::<usize>().is_ok()))
        {
            lines.next();
        }
        let (mut words, mut values, mut width) = (Vec::new(), Vec::new(), None);
        for (number, line) in lines {
            let wrong = |why: String| Error::file(path, format!("line {}: {why}", number + 1));
            let mut parts = line.trim_end().split(' ');
            let word = parts.next().unwrap_or_default();
            let before = values.len();
            for part in parts {
                let value = part.parse::<f32>().ok().filter(|value| value.is_finite());
                values.push(value.ok_or_else(|| wrong(format!("`{part}` is no number")))?);
            }
            let count = values.len() - before;
            let expected = *width.get_or_insert(count);
            if word.is_empty() || count == 0 || count != expected {
                return Err(wrong(format!(
                    "{count} numbers after `{word}`, expected {expected}, 1 or more"
                )));
            }
            words.push(word.to_string());
        }
        match width {
            Some(width) => Ok(Self::new(words, width, values)),
            None => Err(Error::file(path, "no vectors in it")),
        }
    }

    /// The words nearest to a sum such as `king - man + woman`, those in it left out, best
    /// first; the score is the cosine of the angle between them, 0 at least.
    ///
    /// # Errors
    /// A word that is not known, or no word at all.
    pub fn near(&self, sum: &str, top: usize) -> Result<Vec<Suggestion>> {
        let mut asked = vec![0.0; self.width];
        let (mut used, mut sign) = (Vec::new(), 1.0);
        for part in sum.split_whitespace() {
            match part {
                "+" => sign = 1.0,
                "-" => sign = -1.0,
                word => {
                    let number = self.numbers.get(&word.to_lowercase()).or(self.numbers.get(word));
                    let &number = number.ok_or_else(|| {
                        Error::argument(
                            "--text",
                            format!("`{word}` is not among the {} words", self.words.len()),
                        )
                    })?;
                    let vector = &self.values[number * self.width..][..self.width];
                    asked.iter_mut().zip(vector).for_each(|(sum, x)| *sum += sign * x);
                    used.push(number);
                    sign = 1.0;
                }
            }
        }
        if used.is_empty() {
            return Err(Error::argument(
                "--text",
                "no word; expected one, or `king - man + woman`",
            ));
        }
        let length = asked.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        let cosine = |number: usize| {
            let vector = &self.values[number * self.width..][..self.width];
            vector.iter().zip(&asked).map(|(a, b)| a * b).sum::<f32>() / length
        };
        let others = (0..self.words.len()).filter(|number| !used.contains(number));
        let mut ranked: Vec<(usize, f32)> = others.map(|number| (number, cosine(number))).collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        let suggestion = |&(number, score): &(usize, f32)| {
            Suggestion::new(&self.words[number], score.clamp(0.0, 1.0))
        };
        Ok(ranked.iter().take(top).map(suggestion).collect())
    }

    /// The lines of a word2vec text file.
    fn text(&self) -> String {
        let mut text = format!("{} {}\n", self.words.len(), self.width);
        for (word, vector) in self.words.iter().zip(self.values.chunks(self.width)) {
            text += word;
            vector.iter().for_each(|x| text += &format!(" {x}"));
            text.push('\n');
        }
        text
    }
}

/// The configuration, if it does not contradict itself.
fn checked(trained: &Trained) -> Result<Config> {
    let config: Config = trained.config()?;
    config.config.check().map_err(|why| Error::file(&trained.config, why))?;
    match config.config.tokens == config.language.len() {
        true => Ok(config),
        false => Err(Error::file(&trained.config, "a vocabulary of another size than the vectors")),
    }
}

/// `eval`: there is no held-out part; what vectors are worth shows when they are asked.
///
/// # Errors
/// Always.
pub fn eval(_args: &EvalArgs) -> anyhow::Result<()> {
    let why = "word vectors have no test split: ask them with `predict RUN --text WORD`";
    Err(Error::argument("RUN", why).into())
}

/// `export`: `FILE.txt` in word2vec's text format, any other name as safetensors.
///
/// # Errors
/// A run that cannot be read, or a file that cannot be written.
pub fn export(trained: &Trained, folder: &Path, file: &Path) -> Result<()> {
    if file.extension().is_some_and(|extension| extension == "txt") {
        let vectors = Vectors::from_run(folder, &device::open("cpu")?)?;
        return files::write(file, vectors.text().as_bytes());
    }
    job::export(trained, file, |config: &Config, device| {
        let sizes = EmbeddingConfig::new(config.config.tokens, config.config.dimensions);
        Ok(Table { embedding: sizes.init(device) })
    })
}

#[derive(Serialize)]
struct Answer {
    input: String,
    suggestions: Vec<Suggestion>,
}

/// `predict`: each `--text` is a word, or a sum of words.
///
/// # Errors
/// Vectors that cannot be read, or a word that they lack.
pub fn predict(args: &PredictArgs, own: &PredictFlags, out: &mut dyn Write) -> anyhow::Result<()> {
    let path = &args.paths[0];
    let vectors =
        match path.extension().is_some_and(|extension| extension == "txt" || extension == "vec") {
            true => Vectors::from_text(path)?,
            false => Vectors::from_run(path, &device::open(&args.place.device)?)?,
        };
    if args.paths.len() > 1 || own.text.is_empty() {
        let why = "expected words: --text king, or --text \"king - man + woman\"";
        return Err(Error::argument("--text", why).into());
    }
    let answer = |text: &String| {
        let suggestions = vectors.near(text, args.top_k as usize)?;
        Ok(Answer { input: text.clone(), suggestions })
    };
    let answers: Vec<Answer> = own.text.iter().map(answer).collect::<Result<_>>()?;
    if args.json {
        return print_json(&answers, out);
    }
    for Answer { input, suggestions } in answers {
        write!(out, "{input}")?;
        for Suggestion { label, score, .. } in suggestions {
            write!(out, "  {label} {score:.3}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Parameters on the embedded text.
pub fn parameters() -> usize {
    let words = Vocabulary::build(Unit::Word, [kin().as_str()], TOKENS, 3).len();
    words * Word2VecConfig::new(Way::Skipgram, words).dimensions
}

/// 12,000 sentences in which words of two genders and three ages stand in the same places.
fn kin() -> String {
    const PEOPLE: [[&str; 2]; 8] = [
        ["man", "woman"],
        ["king", "queen"],
        ["father", "mother"],
        ["brother", "sister"],
        ["prince", "princess"],
        ["uncle", "aunt"],
        ["grandfather", "grandmother"],
        ["actor", "actress"],
    ];
    /// What each of them does, and where.
    const DOES: [[&str; 2]; 8] = [
        ["walks", "street"],
        ["rules", "throne"],
        ["cooks", "kitchen"],
        ["plays", "garden"],
        ["rides", "castle"],
        ["visits", "town"],
        ["rests", "armchair"],
        ["speaks", "stage"],
    ];
    const HIS: [[&str; 2]; 4] =
        [["he", "she"], ["his", "her"], ["him", "her"], ["himself", "herself"]];
    const WEARS: [[&str; 2]; 3] = [["beard", "skirt"], ["tie", "dress"], ["waistcoat", "blouse"]];
    const DAYS: [&str; 4] = ["today", "again", "every morning", "at noon"];
    let mut random = SplitMix64::new(0x6B_696E);
    let mut text = String::new();
    for _ in 0..12_000 {
        let (person, gender) = (random.below(PEOPLE.len()), random.below(2));
        let name = PEOPLE[person][gender];
        let [does, place] = DOES[person];
        let day = DAYS[random.below(DAYS.len())];
        let wears = WEARS[random.below(WEARS.len())][gender];
        let (he, his, himself) = (HIS[0][gender], HIS[1][gender], HIS[3][gender]);
        text += &match random.below(5) {
            0 => format!("the {name} {does} in the {place} {day}\n"),
            1 => format!("{he} is a {name} and {he} {does} by {himself}\n"),
            2 => format!("the {name} likes {his} {wears} {day}\n"),
            3 => format!("in the {place} the {name} {does} and {he} sings\n"),
            _ => format!("that {name} has {his} {wears} from the {place}\n"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_glove_and_word2vec_are_read_and_faults_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v.txt");
        let open = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Vectors::from_text(&path)
        };
        let plain = "king 1 1\nqueen 1 -1\nman 0 1\nwoman 0 -1\napple -1 0.1\n";
        for text in [plain.to_string(), format!("5 2\n{plain}")] {
            let vectors = open(&text).unwrap();
            let best = vectors.near("king - man + woman", 2).unwrap();
            assert_eq!(best[0].label, "queen");
            assert!(vectors.near("pear", 1).unwrap_err().to_string().contains("`pear`"));
            assert!(vectors.near(" + ", 1).is_err());
        }
        let why = |text: &str| open(text).err().unwrap().to_string();
        assert!(why("a 1 2\nb 1\n").contains("line 2: 1 numbers after `b`, expected 2"));
        assert!(why("a 1 x\n").contains("line 1: `x` is no number"));
        assert!(why("a 1 NaN\n").contains("`NaN` is no number"));
        assert!(why("\n").contains("line 1"));
    }
}
