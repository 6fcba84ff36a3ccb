//! A translation from the command line to a run.

use super::{Pairs, TOKENS, Translation, Translator, data, learn};
use crate::bleu::{self, Bleu};
use crate::config::DataChoice;
use crate::kind::Run;
use crate::models::seq2seq::Seq2SeqConfig;
use crate::predict::{self, Answer, Input, Nothing};
use crate::task::{Learning, Learnt, beam, recipe};
use crate::text;
use crate::vocab::Vocabulary;
use crate::zoo::Zoo;
use burn::tensor::Device;
use std::io::Write;
use std::path::Path;
use tenfold_core::cli::args::Recipe;
use tenfold_core::progress::grouped;
use tenfold_core::suggest::{Propose, Suggest, Suggestion};
use tenfold_core::task::{Asked, Data, Purpose, Scores, Split};
use tenfold_core::{Error, Result};

/// Fewer pairs than this are few: half as many pieces of words, which both languages share, as
/// where there are more, and less dropout.
const FEW: usize = 20_000;

impl Data for Pairs {
    fn count(&self, split: Split) -> usize {
        self.splits.get(split).len()
    }

    fn skipped(&self) -> &[String] {
        &self.skipped
    }
}

impl Learnt for Translation {
    const FLAGS: &'static [&'static str] =
        &["--pair", "--beam", "--text", "--target", "--delimiter", "--draw"];
    const FIELDS: &'static [(&'static str, &'static str)] = &[
        ("tokens", "pieces of words that both languages share"),
        ("attention", "luong or bahdanau"),
        ("embedding", "embedding size of a piece"),
        ("hidden", "hidden units of the encoder in each direction"),
        ("layers", "layers of the encoder"),
        ("dropout", "dropout probability"),
        ("smoothing", "part of a target's probability spread over all pieces"),
        ("longest", "pieces of the longest sentence"),
    ];

    type Data = Pairs;

    fn open(choice: &DataChoice, data_dir: &Path) -> Result<Pairs> {
        data::open(choice, data_dir)
    }

    fn usual(&self, data: &Pairs) -> Seq2SeqConfig {
        match data.splits.train.len() < FEW {
            true => Seq2SeqConfig::new(TOKENS / 2),
            false => Seq2SeqConfig { dropout: 0.4, ..Seq2SeqConfig::new(TOKENS) },
        }
    }

    fn fitted(&self, wanted: Seq2SeqConfig, data: &Pairs) -> Result<(Seq2SeqConfig, Vocabulary)> {
        let train = &data.splits.train;
        let sides = train.iter().flat_map(|(source, target)| [&source[..], &target[..]]);
        let vocabulary = Vocabulary::of_pieces(sides, wanted.tokens)?;
        Ok((Seq2SeqConfig { tokens: vocabulary.len(), ..wanted }, vocabulary))
    }

    fn recipe(&self) -> Recipe {
        recipe(10, 64, 1e-3, 1.0)
    }

    fn sizes(data: &Pairs, vocabulary: &Vocabulary) -> String {
        let [train, validation, test] = data.splits.all().map(|split| grouped(split.len()));
        let tokens = grouped(vocabulary.len());
        format!(
            "{train} pairs to train on, {validation} to validate, {test} to test, {tokens} tokens"
        )
    }

    fn learner(run: &Run<Self>, data: &Pairs, device: &Device) -> Result<Learning<Self>> {
        learn::learner(run, data, device)
    }

    /// The loss, and BLEU of greedy and beam translations.
    fn measure(
        translator: &Translator,
        _: &Run<Self>,
        data: &Pairs,
        split: Split,
        purpose: Purpose<'_, Zoo>,
    ) -> Result<Scores> {
        let pairs = data.splits.get(split);
        let loss = translator.mean_loss(pairs)?;
        if matches!(purpose, Purpose::Choose) {
            return Ok(Scores::new(serde_json::json!({ "loss": loss }), ""));
        }
        let (sources, references): (Vec<&str>, Vec<String>) =
            pairs.iter().map(|(source, target)| (source.as_str(), target.clone())).unzip();
        let score = |beam: usize| {
            let texts = translator.best(&sources, beam)?;
            let exact = texts.iter().zip(&references).filter(|(text, other)| text == other).count();
            let exact = exact as f64 / texts.len() as f64;
            Ok::<_, Error>((Bleu::of_texts(&texts, &references), exact))
        };
        let beam = beam(&purpose);
        let ((greedy, _), (best, exact)) = (score(1)?, score(beam)?);
        let figures = serde_json::json!({
            "bleu": best.score,
            "bleu_greedy": greedy.score,
            "beam": beam,
            "exact": exact,
            "brevity": best.brevity,
            "precisions": best.precisions,
            "signature": bleu::SIGNATURE,
            "loss": loss,
            "count": pairs.len(),
        });
        let line = format!(
            "BLEU {:.2} with a beam of {beam}, {:.2} greedy, {:.1} % word for word, on {} \
             sentences ({})",
            best.score,
            greedy.score,
            100.0 * exact,
            grouped(pairs.len()),
            bleu::SIGNATURE
        );
        Ok(Scores::new(figures, line))
    }

    fn proposer(translator: Translator) -> Result<Box<dyn Propose>> {
        Ok(Box::new(translator))
    }

    /// Each line of the files and each `--text` is a sentence; a blank line keeps its place.
    fn predict(
        mut translator: Translator,
        Asked { paths, args, own }: &Asked<'_, Zoo>,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        translator.beam = own.beam(args.top_k);
        let read = |file: &Path| {
            let text = text::read(file)?;
            let lines = text.lines().enumerate().map(|(number, line)| (Some(number + 1), line));
            let input =
                |(line, text): (_, &str)| Input { name: text.into(), line, text: text.into() };
            Ok(lines.map(input).collect())
        };
        let example = "--text \"A sentence.\", or a file with a sentence on each line";
        let inputs = predict::texts(paths, &own.text, read, args, example)?;
        if own.text.iter().any(|text| text.trim().is_empty()) {
            return Err(Error::argument("--text", "an empty text; expected a sentence").into());
        }
        let texts = predict::filled(&inputs);
        translator.tell_what_is_cut(&texts);
        translator.tell_what_is_unknown(&texts);
        if let Some(folder) = &own.draw {
            std::fs::create_dir_all(folder).map_err(|source| Error::io(folder, source))?;
            let filled = |input: &Input| !input.text.trim().is_empty();
            let all = inputs.iter().enumerate().filter(|(_, input)| filled(input));
            for ((number, input), found) in all.zip(translator.translate(&texts)?) {
                let Some(best) = found.first() else { continue };
                let alignment = translator.align(&input.text, &best.tokens)?;
                alignment.write(&folder.join(format!("attention-{}.svg", number + 1)))?;
            }
        }
        let mut found = translator.suggest(&texts, args.top_k as usize)?.into_iter();
        let answer = |Input { name, line, text }: Input| {
            let own = if text.trim().is_empty() { None } else { found.next() };
            Answer { input: name, line, suggestions: own.unwrap_or_default(), more: Nothing {} }
        };
        let answers = inputs.into_iter().map(answer).collect();
        predict::print(answers, args.json, out, |Answer { input, line, suggestions, .. }, out| {
            if let Some(line) = line {
                write!(out, "{line}: ")?;
            }
            writeln!(out, "{}", if suggestions.is_empty() { "(blank)" } else { &input[..] })?;
            suggestions.iter().try_for_each(|Suggestion { answer, score }| {
                writeln!(out, "  {:>5.1} %  {answer}", 100.0 * score)
            })
        })
    }
}
