//! A language model from the command line to a run.

use super::{LanguageModel, Sampling, Text, Writer, data, learn};
use crate::config::DataChoice;
use crate::kind::Run;
use crate::models::charlm::CharLmConfig;
use crate::task::{Learning, Learnt, recipe};
use crate::text;
use crate::vocab::{SPECIAL, Unit, Vocabulary};
use crate::zoo::Zoo;
use burn::tensor::Device;
use serde::Serialize;
use std::io::Write;
use std::path::Path;
use tenfold_core::Result;
use tenfold_core::cli::args::Recipe;
use tenfold_core::cli::print_json;
use tenfold_core::progress::grouped;
use tenfold_core::suggest::{Propose, Suggest, Suggestion};
use tenfold_core::task::{Asked, Data, Purpose, Scores, Split, nothing_to_confirm};

impl Data for Text {
    fn count(&self, split: Split) -> usize {
        match split {
            Split::Train => self.train.chars().count(),
            Split::Validation | Split::Test => self.held_out.chars().count(),
        }
    }
}

/// From fewer characters a model learns letters and syllables, hardly words.
const FEW: usize = 10_000;

/// What is said of a person's text from which no readable one can be learnt.
fn too_few(text: &Text) -> &'static str {
    match text.count(Split::Train) < FEW && text.name != data::RHYMES {
        true => " (too few to learn words from: it will invent words; take 100,000 or more)",
        false => "",
    }
}

impl Learnt for LanguageModel {
    const FLAGS: &'static [&'static str] =
        &["--prompt", "--length", "--temperature", "--sample-top-k", "--seed"];
    const FIELDS: &'static [(&'static str, &'static str)] = &[
        ("cell", "rnn, gru or lstm"),
        ("embedding", "embedding size of a character"),
        ("hidden", "hidden units of a layer"),
        ("layers", "recurrent layers"),
        ("dropout", "dropout probability"),
        ("steps", "characters of backpropagation through time"),
    ];
    /// A text has two parts: the one that chooses is the one that is reported.
    const REPORTED: Split = Split::Validation;

    type Data = Text;

    fn open(choice: &DataChoice, data_dir: &Path) -> Result<Text> {
        data::open(choice, data_dir)
    }

    fn usual(&self, _: &Text) -> CharLmConfig {
        CharLmConfig::new(SPECIAL.len())
    }

    fn fitted(&self, wanted: CharLmConfig, text: &Text) -> Result<(CharLmConfig, Vocabulary)> {
        let vocabulary = Vocabulary::build(Unit::Character, [text.train.as_str()], usize::MAX, 1);
        Ok((CharLmConfig { tokens: vocabulary.len(), ..wanted }, vocabulary))
    }

    fn recipe(&self) -> Recipe {
        recipe(8, 32, 4e-3, 1.0)
    }

    /// A piece of the text for each reader is a step.
    fn steps(config: &CharLmConfig, text: &Text, batch_size: usize) -> usize {
        let length = (text.count(Split::Train) - 1) / batch_size;
        length.div_ceil(config.steps).max(1)
    }

    fn sizes(text: &Text, vocabulary: &Vocabulary) -> String {
        format!(
            "{} characters to train on{}, {} held out, {} different",
            grouped(text.count(Split::Train)),
            too_few(text),
            grouped(text.count(Split::Test)),
            vocabulary.len() - SPECIAL.len()
        )
    }

    fn learner(run: &Run<Self>, text: &Text, device: &Device) -> Result<Learning<Self>> {
        learn::learner(run, text, device)
    }

    /// The loss, also in bits and as perplexity.
    fn measure(
        writer: &Writer,
        run: &Run<Self>,
        text: &Text,
        split: Split,
        purpose: Purpose<'_, Zoo>,
    ) -> Result<Scores> {
        let part = match split {
            Split::Train => text.train.clone(),
            // The held-out part is test and validation split in one; of a text that nothing was
            // learnt from, all is held out.
            _ if text.name == run.data.name => text.held_out.clone(),
            _ => text.train.clone() + &text.held_out,
        };
        let loss = writer.mean_loss(&part)?;
        if matches!(purpose, Purpose::Choose) {
            return Ok(Scores::new(serde_json::json!({ "loss": loss }), ""));
        }
        let (count, bits) = (part.chars().count(), loss / std::f64::consts::LN_2);
        let perplexity = loss.exp();
        let figures = serde_json::json!({
            "loss": loss,
            "bits_per_character": bits,
            "perplexity": perplexity,
            "count": count,
        });
        let line = format!(
            "{loss:.4} nats ({bits:.4} bits) per character, perplexity {perplexity:.2}, on {} \
             characters",
            grouped(count)
        );
        Ok(Scores::new(figures, line))
    }

    fn proposer(_: Writer) -> Result<Box<dyn Propose>> {
        Err(nothing_to_confirm("a language model goes on for ever"))
    }

    /// Continues the prompt, each character written as soon as it is there.
    fn predict(
        writer: Writer,
        Asked { paths, args, own }: &Asked<'_, Zoo>,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        let mut prompt = own.prompt.clone().unwrap_or_default();
        for file in *paths {
            prompt.push_str(&text::read(file)?);
        }
        writer.tell_what_is_unknown(&prompt);
        let temperature = own.temperature.unwrap_or(0.8) as f32;
        let sampling = Sampling { temperature, top_k: own.sample_top_k };
        let (length, seed) = (own.length.unwrap_or(500), own.seed.unwrap_or(1));
        if args.json {
            let mut text = String::new();
            writer.write(&prompt, length, sampling, seed, |token| {
                text.push_str(token);
                Ok(())
            })?;
            let suggestions = writer.suggest(&[&prompt], args.top_k as usize)?.remove(0);
            return print_json(&Continued { prompt, text, suggestions }, out);
        }
        write!(out, "{prompt}")?;
        writer.write(&prompt, length, sampling, seed, |token| {
            out.write_all(token.as_bytes())?;
            out.flush()
        })?;
        Ok(writeln!(out)?)
    }
}

#[derive(Serialize)]
struct Continued {
    prompt: String,
    text: String,
    /// What may follow the prompt, best first.
    suggestions: Vec<Suggestion>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_is_said_to_be_one() {
        let text = |count: usize| Text {
            name: "a.txt".into(),
            train: "e".repeat(count),
            held_out: String::new(),
        };
        let sizes = |text: &Text| {
            let vocabulary = Vocabulary::build(Unit::Character, [&*text.train], usize::MAX, 1);
            LanguageModel::sizes(text, &vocabulary)
        };
        assert!(sizes(&text(3_440)).starts_with("3,440 characters to train on (too few to learn"));
        assert!(sizes(&text(FEW)).starts_with("10,000 characters to train on, 0 held out"));
        assert!(!sizes(&Text { name: data::RHYMES.into(), ..text(900) }).contains("too few"));
    }
}
