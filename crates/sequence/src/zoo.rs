//! The closed list of this crate's models: help, dispatch and tests come from it.

use crate::job::Trained;
use crate::models::charlm::CharLmConfig;
use crate::models::vqa::Fusion;
use crate::models::word2vec::Way;
use crate::{
    answering, captioning, documents, language_model, pairs, text_classifier, translate,
    word_vectors,
};
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
    /// Word vectors, neighbours told from a word.
    Skipgram,
    /// Word vectors, a word told from its neighbours.
    Cbow,
    /// Bidirectional LSTM with attention, a classifier of texts.
    #[value(name = "bilstm")]
    BiLstm,
    /// Encoder-decoder with attention.
    Translate,
    /// Captions, the picture as the first word.
    ShowTell,
    /// Captions with a look before each word.
    ShowAttendTell,
    /// Visual questions, by a product.
    Vqa,
    /// Visual questions, by two looks.
    StackedAttention,
    /// Visual questions, by phrases that look.
    Phrases,
}

/// Flags of `train` beside those of every task.
#[allow(missing_docs, reason = "the help texts say it")]
#[derive(Args, Clone, Debug, Default)]
pub struct TrainFlags {
    #[arg(long, value_name = "FROM-TO", help = "Translation: the languages, such as de-en")]
    pub pair: Option<String>,
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u8).range(0..10))]
    #[arg(help = "Text classification: which tenth of the data tests [default: 9]")]
    pub fold: Option<u8>,
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
            Self::Skipgram | Self::Cbow => {
                let (title, paper) = match self {
                    Self::Skipgram => (
                        "Word vectors, skip-gram",
                        "Mikolov et al., Distributed Representations of Words and Phrases",
                    ),
                    _ => (
                        "Word vectors, continuous bag of words",
                        "Mikolov et al., Efficient Estimation of Word Representations",
                    ),
                };
                (title, paper, 2013, word_vectors::KIN, word_vectors::parameters())
            }
            Self::BiLstm => (
                "Bidirectional LSTM with attention",
                "Zhou et al., Attention-Based Bidirectional Long Short-Term Memory Networks",
                2016,
                documents::OPINIONS,
                cpu.map_or(0, |cpu| text_classifier::parameters(&cpu)),
            ),
            Self::Translate => (
                "Encoder-decoder with attention",
                "Bahdanau et al., Neural Machine Translation by Jointly Learning to Align and \
                 Translate",
                2015,
                pairs::NUMBERS,
                cpu.map_or(0, |cpu| translate::parameters(&cpu)),
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
                "Xu et al., Show, Attend and Tell: Neural Image Caption Generation with Visual \
                 Attention",
                2015,
                scenes::NAME,
                cpu.map_or(0, |cpu| captioning::parameters(true, &cpu)),
            ),
            Self::Vqa => (
                "Deeper LSTM Q + norm I",
                "Antol et al., VQA: Visual Question Answering",
                2015,
                scenes::NAME,
                cpu.map_or(0, |cpu| answering::parameters(Fusion::Product, &cpu)),
            ),
            Self::StackedAttention => (
                "Stacked attention network",
                "Yang et al., Stacked Attention Networks for Image Question Answering",
                2016,
                scenes::NAME,
                cpu.map_or(0, |cpu| answering::parameters(Fusion::Attention, &cpu)),
            ),
            Self::Phrases => (
                "Phrases that look",
                "Lu et al., Hierarchical Question-Image Co-Attention for Visual Question Answering",
                2016,
                scenes::NAME,
                cpu.map_or(0, |cpu| answering::parameters(Fusion::Phrases, &cpu)),
            ),
        };
        Card { name: cli::Zoo::name(self), title, paper, year, parameters, data }
    }

    fn train(self, args: &TrainArgs, own: &TrainFlags, out: &mut dyn Write) -> anyhow::Result<()> {
        match self {
            Self::Charlm => language_model::train(self, args, own, out),
            Self::Skipgram => word_vectors::train(self, Way::Skipgram, args, own, out),
            Self::Cbow => word_vectors::train(self, Way::Cbow, args, own, out),
            Self::BiLstm => text_classifier::train(self, args, own, out),
            Self::Translate => translate::train(self, args, own, out),
            Self::ShowTell => captioning::train(self, false, args, own, out),
            Self::ShowAttendTell => captioning::train(self, true, args, own, out),
            Self::Vqa => answering::train(self, Fusion::Product, args, own, out),
            Self::StackedAttention => answering::train(self, Fusion::Attention, args, own, out),
            Self::Phrases => answering::train(self, Fusion::Phrases, args, own, out),
        }
    }

    fn eval(args: &EvalArgs, own: &EvalFlags, out: &mut dyn Write) -> anyhow::Result<()> {
        match Trained::open(&args.run)?.model()? {
            Self::Charlm => language_model::eval(args, out),
            Self::Skipgram | Self::Cbow => word_vectors::eval(args),
            Self::BiLstm => text_classifier::eval(args, out),
            Self::Translate => translate::eval(args, own, out),
            Self::ShowTell | Self::ShowAttendTell => captioning::eval(args, own, out),
            Self::Vqa | Self::StackedAttention | Self::Phrases => answering::eval(args, out),
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
        // Vectors of others are a text file.
        let first = &args.paths[0];
        if first.is_file() && first.extension().is_some_and(|end| end == "txt" || end == "vec") {
            return word_vectors::predict(args, own, out);
        }
        match Trained::open(first)?.model()? {
            Self::Charlm => language_model::predict(args, own, out),
            Self::Skipgram | Self::Cbow => word_vectors::predict(args, own, out),
            Self::BiLstm => text_classifier::predict(args, own, out),
            Self::Translate => translate::predict(args, own, out),
            Self::ShowTell | Self::ShowAttendTell => captioning::predict(args, own, out),
            Self::Vqa | Self::StackedAttention | Self::Phrases => {
                answering::predict(args, own, out)
            }
        }
    }

    fn export(args: &ExportArgs, out: &mut dyn Write) -> anyhow::Result<()> {
        let trained = Trained::open(&args.run)?;
        match trained.model()? {
            Self::Charlm => language_model::export(&trained, &args.file)?,
            Self::Skipgram | Self::Cbow => word_vectors::export(&trained, &args.run, &args.file)?,
            Self::BiLstm => text_classifier::export(&trained, &args.file)?,
            Self::Translate => translate::export(&trained, &args.file)?,
            Self::ShowTell | Self::ShowAttendTell => captioning::export(&trained, &args.file)?,
            Self::Vqa | Self::StackedAttention | Self::Phrases => {
                answering::export(&trained, &args.file)?
            }
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
