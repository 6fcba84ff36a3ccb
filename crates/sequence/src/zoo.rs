//! The closed list of this crate's models: help, dispatch and tests come from it.

use crate::job::Trained;
use crate::models::charlm::CharLmConfig;
use crate::{answering, captioning, language_model, pairs, translate};
use burn::module::Module;
use clap::{Args, ValueEnum};
use std::io::Write;
use tenfold_core::cli::args::{EvalArgs, ExportArgs, PredictArgs, TrainArgs};
use tenfold_core::cli::{self, Card};
use tenfold_core::data::scenes;
use tenfold_core::{Error, device};

/// The models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Zoo {
    /// Character language model.
    Charlm,
    /// Captions, the picture as the first word.
    ShowTell,
    /// Captions with a look before each word.
    ShowAttendTell,
    /// Visual questions, by a product.
    Vqa,
    /// Visual questions, by two looks.
    StackedAttention,
    /// Encoder-decoder with attention.
    Translate,
}

/// Flags of `train` beside those of every task.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug, Default)]
pub struct TrainFlags {
    #[arg(long, value_name = "FROM-TO", help = "Translation: the languages, such as de-en")]
    pub pair: Option<String>,
}

/// Flags of `eval`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug, Default)]
pub struct EvalFlags {
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    #[arg(help = "Translations and captions: keep so many beginnings at a time [default: 5]")]
    pub beam: Option<u32>,
}

/// Flags of `predict`.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug)]
pub struct PredictFlags {
    #[arg(long, value_name = "TEXT", help = "An input in place of a file; may be repeated")]
    pub text: Vec<String>,
    #[arg(long, value_name = "TEXT", help = "Language models: what to continue")]
    pub prompt: Option<String>,
    #[arg(long, value_name = "N", default_value = "500")]
    #[arg(help = "Language models: how many characters to write")]
    pub length: usize,
    #[arg(long, value_name = "X", default_value = "0.8", value_parser = temperature)]
    #[arg(help = "Language models: 0 takes the most probable, 1 draws as probable as it is")]
    pub temperature: f64,
    #[arg(long, value_name = "K", value_parser = positive)]
    #[arg(help = "Language models: draw among the K most probable only")]
    pub sample_top_k: Option<usize>,
    #[arg(long, value_name = "S", default_value = "1", help = "Language models: seed")]
    pub seed: u64,
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    #[arg(help = "Translations and captions: keep so many beginnings at a time [default: 5]")]
    pub beam: Option<u32>,
    #[arg(long, value_name = "QUESTION", help = "What is asked about the pictures")]
    pub ask: Option<String>,
}

/// How often stacked attention looks, as in the paper.
const LOOKS: usize = 2;

fn temperature(text: &str) -> Result<f64, String> {
    let value = text.parse::<f64>().ok().filter(|x| (0.0..=100.0).contains(x));
    value.ok_or_else(|| "expected a number from 0 to 100".into())
}

fn positive(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&n| n > 0).ok_or_else(|| "expected a whole number above 0".into())
}

impl cli::Zoo for Zoo {
    const TASK: &'static str = "sequence";
    const PROGRAM: &'static str = env!("CARGO_PKG_NAME");
    const ABOUT: &'static str = "Trains, measures and uses recurrent networks: they continue a text, classify and \
         translate texts, describe pictures and answer questions about them";

    type Train = TrainFlags;
    type Eval = EvalFlags;
    type Predict = PredictFlags;

    fn card(self) -> Card {
        let cpu = device::open("cpu");
        let (title, paper, year, data, parameters) = match self {
            Self::Charlm => (
                "Character language model",
                "Graves, Generating Sequences With Recurrent Neural Networks",
                2013,
                language_model::RHYMES,
                cpu.map_or(0, |cpu| CharLmConfig::new(69).init(&cpu).num_params()),
            ),
            Self::ShowTell => (
                "Show and Tell",
                "Vinyals et al., Show and Tell: A Neural Image Caption Generator",
                2015,
                scenes::NAME,
                cpu.map_or(0, |cpu| captioning::parameters(false, &cpu)),
            ),
            Self::ShowAttendTell => (
                "Show, Attend and Tell",
                "Xu et al., Show, Attend and Tell: Neural Image Caption Generation with Visual Attention",
                2015,
                scenes::NAME,
                cpu.map_or(0, |cpu| captioning::parameters(true, &cpu)),
            ),
            Self::Vqa => (
                "VQA, deeper LSTM Q + norm I",
                "Antol et al., VQA: Visual Question Answering",
                2015,
                scenes::NAME,
                cpu.map_or(0, |cpu| answering::parameters(0, &cpu)),
            ),
            Self::StackedAttention => (
                "Stacked attention network",
                "Yang et al., Stacked Attention Networks for Image Question Answering",
                2016,
                scenes::NAME,
                cpu.map_or(0, |cpu| answering::parameters(LOOKS, &cpu)),
            ),
            Self::Translate => (
                "Encoder-decoder with attention",
                "Bahdanau et al., Neural Machine Translation by Jointly Learning to Align and \
                 Translate",
                2015,
                pairs::NUMBERS,
                cpu.map_or(0, |cpu| translate::parameters(&cpu)),
            ),
        };
        Card { name: cli::Zoo::name(self), title, paper, year, parameters, data }
    }

    fn train(self, args: &TrainArgs, own: &TrainFlags, out: &mut dyn Write) -> anyhow::Result<()> {
        match self {
            Self::Charlm => language_model::train(self, args, own, out),
            Self::ShowTell => captioning::train(self, false, args, own, out),
            Self::ShowAttendTell => captioning::train(self, true, args, own, out),
            Self::Vqa => answering::train(self, 0, args, own, out),
            Self::StackedAttention => answering::train(self, LOOKS, args, own, out),
            Self::Translate => translate::train(self, args, own, out),
        }
    }

    fn eval(args: &EvalArgs, own: &EvalFlags, out: &mut dyn Write) -> anyhow::Result<()> {
        match Trained::open(&args.run)?.model()? {
            Self::Charlm => language_model::eval(args, out),
            Self::ShowTell | Self::ShowAttendTell => captioning::eval(args, own, out),
            Self::Vqa | Self::StackedAttention => answering::eval(args, out),
            Self::Translate => translate::eval(args, own, out),
        }
    }

    fn predict(
        model: Option<Self>,
        args: &PredictArgs,
        own: &PredictFlags,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        if model.is_some() || args.foreign.weights.is_some() {
            let why = "a model of this task needs its run's vocabulary: name the run folder";
            return Err(Error::argument("--weights", why).into());
        }
        match Trained::open(&args.paths[0])?.model()? {
            Self::Charlm => language_model::predict(args, own, out),
            Self::ShowTell | Self::ShowAttendTell => captioning::predict(args, own, out),
            Self::Vqa | Self::StackedAttention => answering::predict(args, own, out),
            Self::Translate => translate::predict(args, own, out),
        }
    }

    fn export(args: &ExportArgs, out: &mut dyn Write) -> anyhow::Result<()> {
        let trained = Trained::open(&args.run)?;
        match trained.model()? {
            Self::Charlm => language_model::export(&trained, &args.file)?,
            Self::ShowTell | Self::ShowAttendTell => captioning::export(&trained, &args.file)?,
            Self::Vqa | Self::StackedAttention => answering::export(&trained, &args.file)?,
            Self::Translate => translate::export(&trained, &args.file)?,
        }
        Ok(writeln!(out, "{}", args.file.display())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cli::Zoo as _;

    #[test]
    fn every_model_has_a_card() {
        for model in Zoo::value_variants() {
            let card = model.card();
            assert!(card.parameters > 0 && card.year > 1980, "{card:?}");
            assert_eq!(Zoo::from_str(&card.name, false).unwrap(), *model);
        }
    }
}
