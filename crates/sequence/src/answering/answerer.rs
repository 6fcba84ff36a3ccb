//! A trained model that answers questions about images.

use super::data::{Question, Split};
use super::language::Language;
use super::learn::{QuestionBatches, questions};
use crate::batch::{images, numbers};
use crate::models::vqa::{Vqa, VqaConfig};
use burn::tensor::Device;
use burn::tensor::activation::{log_softmax, softmax};
use std::sync::Arc;
use tenfold_core::Result;
use tenfold_core::data::{Input, Preprocess};
use tenfold_core::suggest::{Suggest, Suggestion, rank};
use tenfold_core::train::loader::Loader;
#[cfg(feature = "cli")]
use tenfold_core::{
    data::Kind,
    suggest::{Proposal, Propose},
};

/// Images per batch.
const BATCH: usize = 64;

/// A trained model that answers questions about images.
pub struct Answerer {
    network: Vqa,
    /// What it understands and can answer.
    pub language: Language,
    preprocess: Preprocess,
    device: Device,
}

/// A question about an image.
pub struct Ask<'a> {
    /// The image.
    pub image: &'a Input,
    /// What is asked.
    pub question: &'a str,
}

impl Answerer {
    /// From a network in hand, made by `config`, and its vocabularies.
    pub fn new(network: Vqa, language: Language, config: &VqaConfig, device: &Device) -> Self {
        let preprocess = config.image_encoder().preprocess();
        Self { network, language, preprocess, device: device.clone() }
    }

    /// All questions of a split, each with the answer that the model finds best.
    ///
    /// # Errors
    /// An image that cannot be read.
    pub fn judge(&self, split: &Arc<Split>) -> Result<Vec<Judged<'_>>> {
        let (language, preprocess) = (self.language.clone(), self.preprocess.clone());
        let batches = QuestionBatches::new(split.clone(), language, preprocess, false);
        let batches = Arc::new(batches);
        let mut all = Vec::new();
        for batch in Loader::new(batches.clone(), BATCH, self.device.clone()).pass() {
            let batch = batch?;
            if batch.texts.is_empty() {
                continue;
            }
            let (logits, _) = self.network.forward(batch.images, batch.questions);
            let logs = numbers(log_softmax(logits, 1))?;
            let rows = logs.chunks(self.language.answers.len().max(1));
            for (row, question) in rows.zip(batch.texts) {
                let best = (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or(0);
                let loss = batches.places.get(&question.answer).map(|&own| -row[own]);
                all.push(Judged { question, answer: &self.language.answers[best], loss });
            }
        }
        Ok(all)
    }
}

/// What the model says to a question of a data set.
#[derive(Clone, Debug)]
pub struct Judged<'a> {
    /// The question.
    pub question: Question,
    /// The answer that the model finds best.
    pub answer: &'a str,
    /// The cross-entropy in nats; none where the right answer is not among the model's.
    pub loss: Option<f32>,
}

impl<'a> Suggest<Ask<'a>> for Answerer {
    /// Answers with their probabilities.
    ///
    /// # Errors
    /// A question of unknown words alone; an image that does not suit the model.
    fn suggest(&self, asks: &[&Ask<'a>], top: usize) -> Result<Vec<Vec<Suggestion>>> {
        if asks.is_empty() {
            return Ok(Vec::new());
        }
        let (mut values, mut sequences) = (Vec::new(), Vec::new());
        for ask in asks {
            values.extend(self.preprocess.apply(ask.image)?);
            sequences.push(self.language.read(ask.question)?.0);
        }
        let about = (0..asks.len() as i32).collect();
        let images = images(values, &self.preprocess, &self.device);
        let questions = questions(&sequences, about, &self.device);
        let (logits, _) = self.network.forward(images, questions);
        let probabilities = numbers(softmax(logits, 1))?;
        let rows = probabilities.chunks(self.language.answers.len().max(1));
        Ok(rows.map(|row| rank(row, &self.language.answers, top)).collect())
    }
}

/// One question, asked of every image.
#[cfg(feature = "cli")]
pub(super) struct Asking {
    pub answerer: Answerer,
    pub question: String,
}

#[cfg(feature = "cli")]
impl Propose for Asking {
    fn kind(&self) -> Kind {
        let [channels, height, width] = self.answerer.preprocess.shape();
        Kind::Images { channels, height, width }
    }

    fn labels(&self) -> &[String] {
        &self.answerer.language.answers
    }

    fn preprocess(&self) -> Option<&Preprocess> {
        Some(&self.answerer.preprocess)
    }

    fn propose(&self, inputs: &[&Input], top: usize) -> Result<Vec<Proposal>> {
        let question = &self.question;
        let asks: Vec<_> = inputs.iter().map(|image| Ask { image, question }).collect();
        let ranked = self.answerer.suggest(&asks.iter().collect::<Vec<_>>(), top)?;
        Ok(ranked.into_iter().map(Proposal::alternatives).collect())
    }
}
