//! The flags that this task has beside those of every task.

use crate::beam::BEAM;
use crate::config::Columns;
use clap::Args;
use std::path::PathBuf;
use tenfold_core::cli::args::{DataFlags, SplitFlags, SupervisedFlags};
use tenfold_core::{Error, Result};

/// Flags of `train`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug, Default)]
pub struct TrainFlags {
    #[command(flatten)]
    pub data: DataFlags,
    #[command(flatten)]
    pub supervised: SupervisedFlags,
    #[arg(
        long,
        value_name = "FROM-TO",
        help = "Translation: source and target language, such as de-en"
    )]
    pub pair: Option<String>,
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u8).range(0..10))]
    #[arg(help = "Text classification: the tenth of the data that is the test split [default: 9]")]
    pub fold: Option<u8>,
    #[arg(long, value_name = "COLUMN")]
    #[arg(help = "Tables: the column of texts, by name or number [default: found by content]")]
    pub text: Option<String>,
    #[arg(long, value_name = "COLUMN")]
    #[arg(help = "Tables: the column of labels, or of translations [default: found by content]")]
    pub target: Option<String>,
    #[arg(long, value_name = "C", value_parser = delimiter)]
    #[arg(help = "Tables: delimiter, a character or `tab` [default: found by content]")]
    pub delimiter: Option<char>,
    #[arg(long, help = "Tables: the first row is an example, not a header")]
    pub no_header: bool,
}

/// Flags of `eval`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug, Default)]
pub struct EvalFlags {
    #[command(flatten)]
    pub on: SplitFlags,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    #[arg(
        help = "Translation and captions: beam size, the hypotheses kept at each step [default: 5]"
    )]
    pub beam: Option<u32>,
}

/// Flags of `predict`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug, Default)]
pub struct PredictFlags {
    #[arg(
        long,
        value_name = "TEXT",
        help = "Predict this text instead of a file; can be repeated"
    )]
    pub text: Vec<String>,
    #[arg(long, value_name = "COLUMN")]
    #[arg(help = "Text classification: the column of texts in the input tables")]
    pub column: Option<String>,
    #[arg(long, value_name = "TEXT", help = "Language model: text to continue")]
    pub prompt: Option<String>,
    #[arg(long, value_name = "N")]
    #[arg(help = "Language model: characters to generate [default: 500]")]
    pub length: Option<usize>,
    #[arg(long, value_name = "X", value_parser = temperature)]
    #[arg(help = "Language model: 0 takes the most probable character, 1 samples each with its \
                  probability [default: 0.8]")]
    pub temperature: Option<f64>,
    #[arg(long, value_name = "K", value_parser = positive)]
    #[arg(help = "Language model: sample among the K most probable characters only")]
    pub sample_top_k: Option<usize>,
    #[arg(long, value_name = "S", help = "Language model: seed of the sampling [default: 1]")]
    pub seed: Option<u64>,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    #[arg(
        help = "Translation and captions: beam size, the hypotheses kept at each step [default: 5]"
    )]
    pub beam: Option<u32>,
    #[arg(
        long,
        value_name = "QUESTION",
        help = "Visual question answering: the question about the images"
    )]
    pub ask: Option<String>,
    #[arg(long, value_name = "DIR")]
    #[arg(help = "Translation and captions: draw the attention weights into DIR; visual \
                  questions: write each image with its answers on it")]
    pub draw: Option<PathBuf>,
}

impl TrainFlags {
    /// Refuses those that were given and are not among `obeyed`.
    ///
    /// # Errors
    /// The first of them.
    pub fn refuse_all_but(&self, obeyed: &[&str]) -> Result<()> {
        let given = [
            ("--pair", self.pair.is_some()),
            ("--fold", self.fold.is_some()),
            ("--text", self.text.is_some()),
            ("--target", self.target.is_some()),
            ("--delimiter", self.delimiter.is_some()),
            ("--no-header", self.no_header),
        ];
        refuse(&given, obeyed)
    }

    /// How a table is to be read.
    pub fn columns(&self) -> Columns {
        let Self { text, target, delimiter, .. } = self.clone();
        Columns { text, target, delimiter, header: self.no_header.then_some(false) }
    }
}

impl EvalFlags {
    /// As [`TrainFlags::refuse_all_but`].
    ///
    /// # Errors
    /// The first of them.
    pub fn refuse_all_but(&self, obeyed: &[&str]) -> Result<()> {
        refuse(&[("--beam", self.beam.is_some())], obeyed)
    }

    /// The beam size.
    pub fn beam(&self) -> usize {
        self.beam.map_or(BEAM, |beam| beam as usize)
    }
}

impl PredictFlags {
    /// As [`TrainFlags::refuse_all_but`].
    ///
    /// # Errors
    /// The first of them.
    pub fn refuse_all_but(&self, obeyed: &[&str]) -> Result<()> {
        let given = [
            ("--text", !self.text.is_empty()),
            ("--column", self.column.is_some()),
            ("--prompt", self.prompt.is_some()),
            ("--length", self.length.is_some()),
            ("--temperature", self.temperature.is_some()),
            ("--sample-top-k", self.sample_top_k.is_some()),
            ("--seed", self.seed.is_some()),
            ("--beam", self.beam.is_some()),
            ("--ask", self.ask.is_some()),
            ("--draw", self.draw.is_some()),
        ];
        refuse(&given, obeyed)
    }

    /// The beam size that finds `top` hypotheses.
    pub fn beam(&self, top: u32) -> usize {
        self.beam.map_or(BEAM, |beam| beam as usize).max(top.min(64) as usize)
    }
}

fn refuse(flags: &[(&'static str, bool)], obeyed: &[&str]) -> Result<()> {
    match flags.iter().find(|(flag, given)| *given && !obeyed.contains(flag)) {
        Some((flag, _)) => {
            let has = flags.iter().map(|(flag, _)| *flag).filter(|flag| obeyed.contains(flag));
            let has = has.collect::<Vec<_>>().join(", ");
            let has = if has.is_empty() { has } else { format!("; it has {has}") };
            Err(Error::argument(*flag, format!("this model has no such option{has}")))
        }
        None => Ok(()),
    }
}

fn delimiter(text: &str) -> std::result::Result<char, String> {
    let mut own = text.chars();
    match (text, own.next(), own.next()) {
        ("tab" | "\\t", ..) => Ok('\t'),
        (_, Some(own), None) if own.is_ascii() && own != '"' => Ok(own),
        _ => Err("expected one character, or `tab`".into()),
    }
}

fn temperature(text: &str) -> std::result::Result<f64, String> {
    let value = text.parse::<f64>().ok().filter(|x| (0.0..=100.0).contains(x));
    value.ok_or_else(|| "expected a number from 0 to 100".into())
}

fn positive(text: &str) -> std::result::Result<usize, String> {
    text.parse().ok().filter(|&n| n > 0).ok_or_else(|| "expected a whole number above 0".into())
}
