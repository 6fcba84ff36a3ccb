//! A text classifier from the command line to a run.

use super::table::{Texts, texts};
use super::{
    Classified, Documents, Language, TOKENS, TextClassification, TextClassifier, data, learn,
};
use crate::config::DataChoice;
use crate::kind::Run;
use crate::models::bilstm::BiLstmConfig;
use crate::predict::{self, Answer, Input};
use crate::task::{Learning, Learnt, recipe};
use crate::vocab::{Unit, Vocabulary};
use crate::zoo::Zoo;
use burn::tensor::Device;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use tenfold_core::cli::args::Recipe;
use tenfold_core::progress::{grouped, note};
use tenfold_core::suggest::{Propose, Suggestion, rank};
use tenfold_core::task::predict::name;
use tenfold_core::task::{Asked, Data, Purpose, Scores, Split};
use tenfold_core::{Error, Result};

/// Words that `predict` names.
const NAMED: usize = 8;

impl Data for Documents {
    fn count(&self, split: Split) -> usize {
        self.splits.get(split).len()
    }
}

impl Learnt for TextClassification {
    const FLAGS: &'static [&'static str] =
        &["--fold", "--text", "--target", "--delimiter", "--no-header", "--column"];
    const FIELDS: &'static [(&'static str, &'static str)] = &[
        ("tokens", "words of the vocabulary at most"),
        ("cell", "rnn, gru or lstm"),
        ("embedding", "embedding size of a word"),
        ("hidden", "hidden units of a layer and direction"),
        ("layers", "recurrent layers"),
        ("dropout", "dropout probability"),
        ("word_dropout", "fraction of the words replaced by the unknown word in training"),
        ("longest", "words of the longest text"),
        ("unit", "word, mixed (words, and characters of scripts without spaces) or character"),
    ];

    type Data = Documents;

    fn open(choice: &DataChoice, data_dir: &Path) -> Result<Documents> {
        data::open(choice, data_dir)
    }

    fn usual(&self, data: &Documents) -> BiLstmConfig {
        let texts = data.splits.train.iter().map(|(text, _)| text.as_str());
        let unit = Unit::of_words_in(texts);
        BiLstmConfig { unit, ..BiLstmConfig::new(TOKENS, data.classes.len()) }
    }

    fn fitted(&self, wanted: BiLstmConfig, data: &Documents) -> Result<(BiLstmConfig, Language)> {
        let texts = data.splits.train.iter().map(|(text, _)| text.as_str());
        // A word that occurs once teaches nothing; that it is unknown may.
        let words = Vocabulary::build(wanted.unit, texts, wanted.tokens, 2);
        let config = BiLstmConfig { tokens: words.len(), ..wanted };
        Ok((config, Language { words, labels: data.classes.clone() }))
    }

    fn recipe(&self) -> Recipe {
        recipe(12, 32, 2e-3, 1.0)
    }

    fn sizes(data: &Documents, language: &Language) -> String {
        let [train, validation, test] = data.splits.all().map(|split| grouped(split.len()));
        let (words, unit) = (grouped(language.words.len()), language.words.unit.plural());
        format!(
            "{train} texts to train on, {validation} to validate, {test} to test, {words} {unit}"
        )
    }

    fn found(choice: DataChoice, data: &Documents) -> DataChoice {
        // What was asked for stands, so that a resumed training refuses another wish.
        DataChoice { columns: choice.columns.clone().or(&data.columns), ..choice }
    }

    fn check_data(language: &Language, data: &Documents) -> Result<()> {
        // Other data need not have an example of each class.
        if data.classes.iter().all(|class| language.labels.contains(class)) {
            return Ok(());
        }
        let (own, other) = (language.labels.join(", "), data.classes.join(", "));
        let why = format!("its classes are {other}; the run's are {own}");
        Err(Error::argument("--data", why))
    }

    fn learner(run: &Run<Self>, data: &Documents, device: &Device) -> Result<Learning<Self>> {
        learn::learner(run, data, device)
    }

    /// Accuracy and loss.
    fn measure(
        classifier: &TextClassifier,
        _: &Run<Self>,
        data: &Documents,
        split: Split,
        _: Purpose<'_, Zoo>,
    ) -> Result<Scores> {
        let documents = data.splits.get(split);
        let texts: Vec<&str> = documents.iter().map(|(text, _)| text.as_str()).collect();
        let (mut right, mut loss) = (0, 0.0);
        let place = |class: &String| classifier.labels().iter().position(|own| own == class);
        let places: Vec<Option<usize>> = data.classes.iter().map(place).collect();
        for (found, &(_, class)) in classifier.classify(&texts)?.iter().zip(documents) {
            let own = places[class].map_or(0.0, |place| found.probabilities[place]);
            right += usize::from(found.probabilities.iter().all(|&p| p <= own));
            // Of what is no number nothing is the greatest, and the loss says so.
            let own = if own.is_nan() { own } else { own.max(f32::MIN_POSITIVE) };
            loss -= f64::from(own).ln();
        }
        let count = documents.len();
        let (accuracy, loss) = (right as f64 / count as f64, loss / count as f64);
        let figures = serde_json::json!({ "accuracy": accuracy, "loss": loss, "count": count });
        let of = grouped(count);
        let percent = 100.0 * accuracy;
        let line = format!("accuracy {percent:.2} % ({right} of {of}), loss {loss:.4}");
        Ok(Scores::new(figures, line))
    }

    fn proposer(classifier: TextClassifier) -> Result<Box<dyn Propose>> {
        Ok(Box::new(classifier))
    }

    /// Each row of a table is a text, and each other file and each `--text`.
    fn predict(
        classifier: TextClassifier,
        Asked { paths, args, own }: &Asked<'_, Zoo>,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        let read = |file: &Path| {
            let table = texts(file, &classifier.columns, own.column.as_deref())?;
            let whole = || Ok(Texts { rows: vec![crate::text::read(file)?], said: None });
            let Texts { rows, said } = table.map_or_else(whole, Ok)?;
            if let Some(said) = said {
                note(said);
            }
            let count = rows.len();
            let input = |(row, text)| Input { name: name(file, row, count), line: None, text };
            Ok(rows.into_iter().enumerate().map(input).collect())
        };
        let example = "review.txt, or --text \"A fine film.\"";
        let inputs = predict::texts(paths, &own.text, read, args, example)?;
        let given: Vec<&str> = predict::filled(&inputs);
        let mut found = classifier.classify(&given)?.into_iter();
        let answer = |Input { name, text, line }: Input| {
            let (unknown, count) = classifier.words().unknown(&text);
            let found = if text.trim().is_empty() { None } else { found.next() };
            let suggestions = found.as_ref().map_or_else(Vec::new, |found| {
                rank(&found.probabilities, classifier.labels(), args.top_k as usize)
            });
            let more = Words { words: found.map_or_else(Vec::new, attended), count, unknown };
            Answer { input: name, line, suggestions, more }
        };
        let answers = inputs.into_iter().map(answer).collect();
        predict::print(answers, args.json, out, |Answer { input, suggestions, more, .. }, out| {
            write!(out, "{input}")?;
            if suggestions.is_empty() {
                return writeln!(out, "  (no text)");
            }
            for Suggestion { answer, score } in suggestions {
                write!(out, "  {answer} {:.1} %", 100.0 * score)?;
            }
            write!(out, "\n  attention:")?;
            for Attended { word, share } in &more.words {
                write!(out, "  {word} {:.1} %", 100.0 * share)?;
            }
            if !more.unknown.is_empty() {
                let (unknown, count) = (grouped(more.unknown.len()), grouped(more.count));
                let some = more.unknown.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
                write!(out, "\n  unknown: {unknown} of {count} words, such as {some}")?;
            }
            writeln!(out)
        })
    }
}

#[derive(Serialize)]
struct Words {
    /// The words with the largest attention weights, each with all of its occurrences.
    words: Vec<Attended>,
    /// How many words the text has ...
    count: usize,
    /// ... and which of them the vocabulary lacks.
    unknown: Vec<String>,
}

#[derive(Serialize)]
struct Attended {
    word: String,
    share: f32,
}

/// The words with the largest attention weights.
fn attended(found: Classified) -> Vec<Attended> {
    // In a long text each occurrence counts little: a word counts with all of its own.
    let mut shares: BTreeMap<String, f32> = BTreeMap::new();
    found.words.into_iter().for_each(|(word, own)| *shares.entry(word).or_default() += own);
    let mut words: Vec<(String, f32)> = shares.into_iter().collect();
    words.sort_by(|a, b| b.1.total_cmp(&a.1));
    words.truncate(NAMED);
    words.into_iter().map(|(word, share)| Attended { word, share }).collect()
}
