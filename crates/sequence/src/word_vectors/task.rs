//! Word vectors from the command line to a run.

use super::{Corpus, TOKENS, Vectors, WordVectors, data, learn};
use crate::config::DataChoice;
use crate::flags::TrainFlags;
use crate::kind::Run;
use crate::models::word2vec::{Architecture, Word2VecConfig};
use crate::predict::{self, Answer, Nothing};
use crate::task::{Learning, Learnt, recipe};
use crate::vocab::{SPECIAL, Unit, Vocabulary};
use crate::zoo::Zoo;
use burn::tensor::Device;
use std::io::Write;
use std::path::Path;
use tenfold_core::cli::args::Recipe;
use tenfold_core::progress::grouped;
use tenfold_core::suggest::{Propose, Suggestion};
use tenfold_core::task::{Asked, Data, Purpose, Scores, Split, nothing_to_confirm};
use tenfold_core::train::Settings;
use tenfold_core::{Error, Result, files};

/// There is nothing to validate or to test on: a text is all there is to know of its words.
impl Data for Corpus {
    fn count(&self, split: Split) -> usize {
        match split {
            Split::Train => self.0.split_whitespace().count(),
            Split::Validation | Split::Test => 0,
        }
    }
}

impl Learnt for WordVectors {
    const FLAGS: &'static [&'static str] = &["--text"];
    const FIELDS: &'static [(&'static str, &'static str)] = &[
        ("tokens", "words of the vocabulary at most"),
        ("dimensions", "dimensions of a vector"),
        ("window", "neighbours on each side, at most"),
        ("negatives", "negative samples for each true word"),
        ("subsample", "words that make up more of the text are often passed over"),
        ("min_count", "words that occur less often are left out"),
    ];
    const REPORTED: Split = Split::Train;

    type Data = Corpus;

    fn open(choice: &DataChoice, data_dir: &Path) -> Result<Corpus> {
        data::open(choice, data_dir)
    }

    fn usual(&self, _: &Corpus) -> Word2VecConfig {
        Word2VecConfig::new(self.0, TOKENS)
    }

    fn fitted(
        &self,
        wanted: Word2VecConfig,
        Corpus(text): &Corpus,
    ) -> Result<(Word2VecConfig, Vocabulary)> {
        let words = Vocabulary::build(Unit::Word, [text.as_str()], wanted.tokens, wanted.min_count);
        if words.len() < SPECIAL.len() + 2 {
            let why = format!("fewer than two words occur {} times", wanted.min_count);
            return Err(Error::argument("--data", why));
        }
        Ok((Word2VecConfig { tokens: words.len(), ..wanted }, words))
    }

    fn recipe(&self) -> Recipe {
        // The papers' rates: 0.025, and twice that where neighbours are averaged.
        let lr = if self.0 == Architecture::Cbow { 0.05 } else { 0.025 };
        Recipe { weight_decay: 0.0, ..recipe(10, 1, lr, 1.0) }
    }

    fn settings(
        &self,
        flags: &TrainFlags,
        seed: u64,
        _: &Word2VecConfig,
        _: &Corpus,
    ) -> Result<Settings> {
        refuse_steps(flags)?;
        // There is no validation that could choose an earlier epoch.
        Ok(Settings { keep_last: true, ..flags.supervised.settings(self.recipe(), seed) })
    }

    fn pace(&self, run: &Run<Self>, _: &Corpus) -> String {
        format!("{} epochs", run.training.epochs)
    }

    fn sizes(Corpus(text): &Corpus, vocabulary: &Vocabulary) -> String {
        let words: usize = data::sentences(text, vocabulary).iter().map(Vec::len).sum();
        let different = grouped(vocabulary.len() - SPECIAL.len());
        format!("{} words, {different} different", grouped(words))
    }

    fn learner(run: &Run<Self>, corpus: &Corpus, device: &Device) -> Result<Learning<Self>> {
        learn::learner(run, corpus, device)
    }

    /// There is no held-out part; what vectors are worth shows when they are asked.
    fn measure(
        vectors: &Vectors,
        run: &Run<Self>,
        Corpus(text): &Corpus,
        _: Split,
        purpose: Purpose<'_, Zoo>,
    ) -> Result<Scores> {
        match purpose {
            Purpose::Choose => Ok(Scores::default()),
            Purpose::Report(Some(_)) => {
                let why = "word vectors have no test split to measure: try them with `predict RUN \
                           --text WORD`";
                Err(Error::argument("RUN", why))
            }
            Purpose::Report(None) => {
                let count: usize = data::sentences(text, &run.language).iter().map(Vec::len).sum();
                let words = vectors.len();
                let figures = serde_json::json!({ "words": words, "count": count });
                let (words, count) = (grouped(words), grouped(count));
                Ok(Scores::new(figures, format!("vectors of {words} words from {count}")))
            }
        }
    }

    fn proposer(_: Vectors) -> Result<Box<dyn Propose>> {
        Err(nothing_to_confirm("word vectors say which words are near"))
    }

    /// Each `--text` is a word, or a sum of words.
    fn predict(
        vectors: Vectors,
        Asked { paths, args, own }: &Asked<'_, Zoo>,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        if let Some(path) = paths.first() {
            let why = "word vectors take words with --text, not files";
            return Err(Error::argument("INPUT", format!("{}: {why}", path.display())).into());
        }
        if own.text.is_empty() {
            let example = "--text king, or --text \"king - man + woman\"";
            return Err(predict::nothing(args, example).into());
        }
        let answer = |text: &String| {
            let suggestions = vectors.near(text, args.top_k as usize)?;
            Ok(Answer { input: text.clone(), line: None, suggestions, more: Nothing {} })
        };
        let answers = own.text.iter().map(answer).collect::<Result<_>>()?;
        predict::print(answers, args.json, out, |Answer { input, suggestions, .. }, out| {
            write!(out, "{input}")?;
            for Suggestion { answer, score } in suggestions {
                write!(out, "  {answer} {score:.3}")?;
            }
            writeln!(out)
        })
    }

    /// `FILE.txt` in word2vec's text format.
    fn write_as(vectors: Vectors, file: &Path) -> Result<bool> {
        let text = file.extension().is_some_and(|extension| extension == "txt");
        if text {
            files::write(file, vectors.text().as_bytes())?;
        }
        Ok(text)
    }
}

/// Flags about batches are refused rather than ignored.
fn refuse_steps(flags: &TrainFlags) -> Result<()> {
    let own = &flags.supervised;
    let given = [
        ("--batch-size", own.batch_size.is_some()),
        ("--optimizer", own.optimizer.is_some()),
        ("--momentum", own.momentum.is_some()),
        ("--nesterov", own.nesterov),
        ("--weight-decay", own.weight_decay.is_some()),
        ("--clip-norm", own.clip_norm.is_some()),
        ("--schedule", own.schedule.is_some()),
        ("--warmup", own.warmup.is_some()),
        ("--patience", own.patience.is_some()),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((flag, _)) => {
            Err(Error::argument(flag, "word vectors are learnt word by word: leave this flag out"))
        }
        None => Ok(()),
    }
}
