//! A text classifier from the command line to a run.

use super::{
    Classified, Documents, Language, TOKENS, TextClassification, TextClassifier, data, learn,
};
use crate::config::DataChoice;
use crate::flags::TrainFlags;
use crate::kind::Run;
use crate::models::bilstm::BiLstmConfig;
use crate::predict::{self, Answer};
use crate::task::{Learning, Learnt, recipe};
use crate::vocab::{Unit, Vocabulary};
use crate::zoo::Zoo;
use burn::tensor::Device;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use tenfold_core::progress::grouped;
use tenfold_core::suggest::{Propose, Suggestion, rank};
use tenfold_core::task::{Asked, Data, Purpose, Scores, Split};
use tenfold_core::train::Settings;
use tenfold_core::{Error, Result};

/// Words that `predict` names.
const NAMED: usize = 8;

impl Data for Documents {
    fn count(&self, split: Split) -> usize {
        self.splits.get(split).len()
    }
}

impl Learnt for TextClassification {
    const FLAGS: &'static [&'static str] = &["--fold", "--text"];
    const FIELDS: &'static [(&'static str, &'static str)] = &[
        ("tokens", "words of the vocabulary at most"),
        ("cell", "rnn, gru or lstm"),
        ("embedding", "features of a word"),
        ("hidden", "hidden units of a layer and direction"),
        ("layers", "recurrent layers"),
        ("dropout", "part of the values set to zero in training"),
        ("word_dropout", "part of the words taken for unknown in training"),
        ("longest", "words of the longest text"),
    ];

    type Data = Documents;

    fn open(choice: &DataChoice, data_dir: &Path) -> Result<Documents> {
        data::open(choice, data_dir)
    }

    fn usual(&self, data: &Documents) -> BiLstmConfig {
        BiLstmConfig::new(TOKENS, data.classes.len())
    }

    fn fitted(&self, wanted: BiLstmConfig, data: &Documents) -> Result<(BiLstmConfig, Language)> {
        let texts = data.splits.train.iter().map(|(text, _)| text.as_str());
        // A word that occurs once teaches nothing; that it is unknown may.
        let words = Vocabulary::build(Unit::Word, texts, wanted.tokens, 2);
        let config = BiLstmConfig { tokens: words.len(), ..wanted };
        Ok((config, Language { words, labels: data.classes.clone() }))
    }

    fn settings(
        &self,
        flags: &TrainFlags,
        seed: u64,
        _: &BiLstmConfig,
        _: &Documents,
    ) -> Result<Settings> {
        Ok(flags.supervised.settings(recipe(12, 32, 2e-3, 1.0), seed))
    }

    fn sizes(data: &Documents, language: &Language) -> String {
        let [train, validation, test] = data.splits.all().map(|split| grouped(split.len()));
        let words = grouped(language.words.len());
        format!(
            "{train} texts to learn from, {validation} to validate, {test} to test, {words} words"
        )
    }

    fn check_data(language: &Language, data: &Documents) -> Result<()> {
        if data.classes == language.labels {
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
        for (found, &(_, class)) in classifier.classify(&texts)?.iter().zip(documents) {
            let own = found.probabilities[class];
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

    /// Each file and each `--text` is one text.
    fn predict(
        classifier: TextClassifier,
        Asked { paths, args, own }: &Asked<'_, Zoo>,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        let whole = |file: &Path, text: String| vec![(file.display().to_string(), text)];
        let inputs = predict::texts(paths, &own.text, whole)?;
        let texts: Vec<&str> = inputs.iter().map(|(_, text)| text.as_str()).collect();
        let found = classifier.classify(&texts)?;
        let answer = |((input, _), found): ((String, String), Classified)| {
            let suggestions = rank(&found.probabilities, classifier.labels(), args.top_k as usize);
            Answer { input, suggestions, more: Words::of(found) }
        };
        let answers = inputs.into_iter().zip(found).map(answer).collect();
        predict::print(answers, args.json, out, |Answer { input, suggestions, more }, out| {
            write!(out, "{input}")?;
            for Suggestion { answer, score } in suggestions {
                write!(out, "  {answer} {:.1} %", 100.0 * score)?;
            }
            write!(out, "\n  counted:")?;
            for Counted { word, share } in &more.words {
                write!(out, "  {word} {:.1} %", 100.0 * share)?;
            }
            writeln!(out)
        })
    }
}

#[derive(Serialize)]
struct Words {
    /// The words that counted most, and their shares, each with all of its occurrences.
    words: Vec<Counted>,
}

#[derive(Serialize)]
struct Counted {
    word: String,
    share: f32,
}

impl Words {
    fn of(found: Classified) -> Self {
        // In a long text each occurrence counts little: a word counts with all of its own.
        let mut shares: BTreeMap<String, f32> = BTreeMap::new();
        found.words.into_iter().for_each(|(word, own)| *shares.entry(word).or_default() += own);
        let mut words: Vec<(String, f32)> = shares.into_iter().collect();
        words.sort_by(|a, b| b.1.total_cmp(&a.1));
        words.truncate(NAMED);
        let words = words.into_iter().map(|(word, share)| Counted { word, share }).collect();
        Self { words }
    }
}
